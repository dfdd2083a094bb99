"""The price of a missed cancer.

Question: Weight the loss, or move the threshold?
Builds on: 03 (who owns the gradient), 04 (p − y); accuracy, precision and recall by name.
Data: breast cancer, shipped. It is here for teaching, and of no medical use.
Takes: 9 seconds.
"""

# %% [markdown]
# ## Question
# Of 569 tumours 212 are malignant. To miss one of these costs w times as much as a false alarm, and cross-entropy does not
# know it. It can be told in two ways. *Weight the loss*: each malignant sample counts w times while the network learns. Or
# *move the threshold*: learn as ever, and raise the alarm not from p = ½ on but earlier. If the probabilities are honest,
# the place is known: an alarm is worth its price where w·p ≥ 1 − p, from p = 1/(1 + w) on.
#
# Each is one line of code. Which of them should it be?

# %%
import numpy as np
from matplotlib.figure import Figure

from minigrad import MLP, data, figures, fit, loss, losses, metrics, ops, trace
from minigrad.lesson import check, fact, predict, rng, show

seed = rng()
SPLITS, PRICES = range(4 * seed, 4 * seed + 4), (3, 10, 30)
plain = losses.get("bce_with_logits")

# %% [markdown]
# ## Predict

# %%
guess = predict("differ_200", ..., "30 measurements, w = 10, 200 epochs: how many of 228 does the weight decide?")
predict("plain_over_weighted", ..., "Two measurements, w = 10: how many times dearer is it to do nothing at all?")

# %% [markdown]
# ## Experiment
# The weighted loss, in four lines. `class_weight=[1, w]` does the same to every loss on classes, and `pos_weight=w` to this.


# %%
@loss(pred="logit", target="unit")
def weighted(pred, target, *, w=10.0):
    return w * target * ops.softplus(-pred) + (1 - target) * ops.softplus(pred)


z, y = np.linspace(-6, 6, 50), np.arange(50) % 2
three = (weighted, plain.with_(class_weight=[1, 10]), plain.with_(pos_weight=10))
apart = np.ptp([each.value_and_grad(z, y, reduction="none") for each in three], axis=0).max()

# %% [markdown]
# Two studies, four splits each. In the first a network of 30 measurements learns for so long that it has nearly every training
# sample by heart. The second has two measurements, mean texture and mean smoothness, in which benign and malignant
# overlap. Kept are the scores of the test samples after some of the epochs, and how much of the gradient at the output
# the malignant send, before and after.

# %%
EPOCHS = (1, 2, 5, 10, 20, 50, 100, 200)
MANY = {"columns": range(30), "hidden": 32, "activation": "relu", "init": "he", "lr": 0.2, "epochs": EPOCHS}
TWO = {"columns": (1, 4), "hidden": 16, "activation": "tanh", "init": "lecun", "lr": 0.1, "epochs": (40,)}
sets = [data.load("breast_cancer", test=0.4, rng=split) for split in SPLITS]
Y = np.array([y for _, (_, y) in sets])


def share(model, loss, X, y):
    """What the malignant own of all |∂ℓ/∂z|."""
    sent = np.abs(loss.value_and_grad(model(X).numpy()[:, 0], y, reduction="none")[1])
    return sent[y == 1].sum() / sent.sum()


def study(split, w, columns, hidden, lr, epochs, **network):
    """(test scores after each of the epochs, shares before and after, the network)."""
    ((X, y), (X_test, _)), loss = sets[split - SPLITS[0]], plain.with_(pos_weight=w)
    model, orders = MLP(len(columns), hidden, 1, rng=split, **network), np.random.default_rng(split)
    X, X_test, scores = X[:, columns], X_test[:, columns], []
    start = share(model, loss, X, y)
    for more in np.diff((0, *epochs)).tolist():
        fit(model, (X, y), loss=loss, optimizer="sgd", lr=lr, epochs=more, batch_size=64, rng=orders)
        scores.append(model(X_test).numpy()[:, 0])
    return np.array(scores), (start, share(model, loss, X, y)), model


many = {w: np.array([study(split, w, **MANY)[0] for split in SPLITS]) for w in (1, 10)}
runs = {w: [study(split, w, **TWO) for split in SPLITS] for w in (1, *PRICES)}
two = {w: np.array([scores[-1] for scores, *_ in runs[w]]) for w in runs}

# %% [markdown]
# What each way is worth on the test samples: the numbers that people look at, and the cost, w for a missed cancer and 1
# for a false alarm.

# %%
NAMES = ("accuracy", "precision", "recall", "f1", "ECE", "cost")


def worth(scores, w, cut):
    """(split, six numbers) if the alarm is raised from probability `cut` on."""
    rows = []
    for p, y in zip(ops.sigmoid(scores), Y):
        said = metrics.thresholded(p, cut)
        cost = len(y) * metrics.expected_cost(said, y, cost_fn=w)
        rows.append([*(metrics.get(n)(said, y) for n in NAMES[:4]), metrics.calibration_error(p, y), cost])
    return np.array(rows)


def ways(scores, w):
    """The three of them: do nothing, weight the loss, move the threshold."""
    asked = {"plain": (1, 1 / 2), "weighted": (w, 1 / 2), "moved": (1, 1 / (1 + w))}
    return {way: worth(scores[weight], w, cut) for way, (weight, cut) in asked.items()}


last = {w: scores[:, -1] for w, scores in many.items()}
for title, scores in (("30 measurements, w = 10", last), ("two measurements, w = 10", two)):
    print(f"{title:25}", *(f"{name:>9}" for name in NAMES))
    for way, rows in ways(scores, 10).items():
        print(f"{way:25}", *(f"{value:9.3f}" for value in rows.mean(0)))

# %% [markdown]
# Weighted or moved, which is the cheaper? On every split, in each study, at each price. A verdict needs six splits, so
# whatever four of them show, it is none.

# %%
for title, scores, w in (("30 measurements", last, 10), *(("two measurements", two, w) for w in PRICES)):
    costs = {way: rows[:, -1] for way, rows in ways(scores, w).items()}
    least, extra = min(costs, key=lambda way: costs[way].mean()), costs["weighted"] - costs["moved"]
    verdict = metrics.verdict(extra, "moved", higher_is_better=False)
    print(f"{title}, w = {w}: least in the mean {least}; weighted − moved {extra.round()}; {verdict}")

# %% [markdown]
# A trap beside the road: other copies of this file call the *benign* 1. The same decisions then have another recall.

# %%
said = metrics.thresholded(ops.sigmoid(two[1][0]))
coded = [metrics.recall(said, Y[0]), metrics.recall(1 - said, 1 - Y[0])]

# %% [markdown]
# ## Figure
# On top the two measurements, on the left one split of them. A line is a network at all its thresholds, a mark is where one of the three ways stands.

# %%
ten = ways(two, 10)
plainly, weightily, _ = (rows.mean(0) for rows in ten.values())
recalls, costs = {way: rows[0, 2] for way, rows in ten.items()}, {way: rows[:, 5].mean() for way, rows in ten.items()}
cuts = np.linspace(0.01, 0.99, 99)
alarm = {w: ops.sigmoid(two[w]) >= cuts[:, None, None] for w in (1, 10)}
cost = {w: (10 * (~alarm[w] & (Y == 1)) + (alarm[w] & (Y == 0))).sum(-1).mean(-1) for w in alarm}
looks = {w: dict(zip(("color", "ls"), look)) for w, look in zip((1, 10), figures.looks([plain, weighted]).values())}
with figures.style():
    (roc, price), (time, honest) = (fig := Figure(figsize=(10, 7.2))).subplots(2, 2)
    for way, w, cut, mark in (("plain", 1, 1 / 2, "o"), ("weighted", 10, 1 / 2, "s"), ("moved", 1, 1 / 11, "^")):
        said = metrics.thresholded(ops.sigmoid(two[w][0]), cut)
        roc.plot(*metrics.roc_curve(two[w][0], Y[0])[:2], **looks[w])
        roc.plot(1 - metrics.recall(1 - said, 1 - Y[0]), metrics.recall(said, Y[0]), mark, **looks[w], label=way)
        price.plot(cuts, cost[w], **looks[w])
        price.plot(cut, np.interp(cut, cuts, cost[w]), mark, **looks[w], label=f"{way}, alarm from {cut:.2f}")
        figures.note(price, **{f"cost, {way}": cost[w]})
    roc.set(xlabel="share of the benign that is alarmed", ylabel="share of the malignant that is found")
    price.set(xlabel="alarm from this probability on", ylabel="cost of the test samples, w = 10")
    roc.set_title(figures.say(roc, "Found: plain {plain:.0%}, weighted {weighted:.0%}, moved {moved:.0%}", **recalls))
    price.set_title(figures.say(price, "Cost: plain {plain:.0f}, weighted {weighted:.0f}, moved {moved:.0f}", **costs))
    roc.legend()
    price.legend()

# %% [markdown]
# Below on the left the many measurements, epoch by epoch. On the right again the two: what the weighted network's
# probabilities are worth.

# %%
said, true = {w: scores > 0 for w, scores in many.items()}, (Y == 1)[:, None]
missed, false = ({w: ((said[w] != true) & side).sum(-1).mean(0) for w in said} for side in (true, ~true))
differ = (said[1] != said[10]).sum(-1).mean(0)
with figures.style():
    for w, way in ((1, "plain"), (10, "weighted")):
        time.plot(EPOCHS, missed[w], **looks[w], marker="o", label=f"missed, {way}")
        time.plot(EPOCHS, false[w], **looks[w], label=f"false alarms, {way}")
        figures.note(time, **{f"missed, {way}": missed[w], f"false alarms, {way}": false[w]})
    time.plot(EPOCHS, differ, color="#404040", ls=":", label="decided by the weight")
    if guess is not None:
        time.plot(EPOCHS[-1], guess, "x", color="#404040", label="your guess")
    time.set(xscale="log", xticks=EPOCHS, xticklabels=EPOCHS, xlabel="epoch", ylabel="of 228 test samples")
    between = "The weight decides {first:.0f} after one epoch, {last:.1f} in the end"
    time.set_title(figures.say(time, between, first=differ[0], last=differ[-1]))
    time.legend()
    figures.reliability(ops.sigmoid(two[10]).ravel(), Y.ravel(), ax=honest)
show(fig, "price")

# %% [markdown]
# ## The way back
# The malignant sample that the weighted network gets most wrong. Its loss writes w times what the plain one would, so every
# layer hears it w times as loud. A benign sample says what it always said.

# %%
(X, y), ratios = sets[0][0], []
for k in (1, 0):
    way = trace(runs[10][0][-1], weighted, X[y == k][:, TWO["columns"]], y[y == k], also=plain)
    ratios.append(way.also[0].ratio)
    print(way, "\n")

# %% [markdown]
# Where does that end? At first the malignant own nearly all of the gradient. Training moves the scores until the two classes
# pull equally, because only then the bias rests. So it ends with any weight. The weight only says *where*.

# %%
shares = np.mean([owned for _, owned, _ in runs[10]], 0)
shift = [(two[w] - two[1]).mean() for w in PRICES]
off = [plainly[4], weightily[4], worth(two[10] - np.log(10), 10, 1 / 2)[:, 4].mean()]

# %% [markdown]
# ## Measured

# %%
fact("apart", apart, "the three spellings of the weighted loss agree, up to {value:.0e}")
fact("coded", coded, "recall {value[0]:.0%}; and {value[1]:.0%} of the same decisions, if benign is called 1")
fact("differ_1", differ[0], "30 measurements: after one epoch the weight decides {value:.1f} of 228")
fact("saved_1", missed[1][0] - missed[10][0], "and the weight saves {value:.1f} from being missed")
fact("differ_200", differ[-1], "after 200 epochs it decides {value:.1f}")
fact("saved_200", missed[1][-1] - missed[10][-1], "and it saves {value:.1f}: learnt by heart, the weight fades")
fact(
    "shift",
    shift,
    f"the scores move by {{value[0]:.2f}}, {{value[1]:.2f}}, {{value[2]:.2f}}; ln w is {np.log(PRICES).round(2)}",
)
fact("ECE", off, "probabilities are off by {value[0]:.2f}, weighted {value[1]:.2f}, less ln w {value[2]:.2f}")
fact("recall", [plainly[2], weightily[2]], "w = 10: {value[1]:.0%} of the malignant are found, not {value[0]:.0%}")
fact("accuracy", [plainly[0], weightily[0]], "the accuracy falls from {value[0]:.0%} to {value[1]:.0%}")
fact("f1", [plainly[3], weightily[3]], "and F1 from {value[0]:.2f} to {value[1]:.2f}: they do not know the price")
fact("plain_over_weighted", plainly[5] / weightily[5], "to do nothing costs {value:.1f} times as much")
fact("ratios", ratios, "every layer hears the malignant {value[0]:.6g} times as loud, the benign {value[1]:.6g} times")
fact("share_start", shares[0], "at the start the malignant own {value:.0%} of the gradient")
fact("share_end", shares[1], "in the end {value:.0%}: both classes pull equally")

# %% [markdown]
# ## Practice
# 1. A missed cancer costs ten false alarms, and the probabilities are honest. From which probability on is the alarm to be raised?

# %%
check("threshold_10", ..., 1 / (1 + 10), wrong={
    1 / 10: "odds of 1 : w are the probability 1/(1 + w)", 1 / 2: "so it is where both mistakes cost the same",
    10 / 11: "that is the price of a false alarm: so it would be if they were the dear ones",
}, look="w·p ≥ 1 − p")  # fmt: skip

# %% [markdown]
# 2. A clinic raises the alarm from p = 0.2 on. What is a missed cancer worth to it, in false alarms?

# %%
check("price_02", ..., (1 - 0.2) / 0.2, look="w·p ≥ 1 − p", wrong={
    5: "0.2 is 1/(1 + w), not 1/w", 0.8: "that is 1 − p; how many times p is it?"})  # fmt: skip

# %% [markdown]
# 3. The weighted loss of one sample, as a function: `lambda z, y, w: …` with y = 1 for malignant.

# %%
check("weighted", ..., lambda z, y, w: weighted([z], [y], w=w).item(), wrong=[
    (lambda z, y, w: weighted([-z], [1 - y], w=w).item(), "you made false alarms dear"),
    (lambda z, y, w: plain([w * z], [y]).item(), "that moves the logit, not the price"),
    (lambda z, y, w: w * plain([z], [y]).item(), "false alarms have become dear too; that is another learning rate"),
    (lambda z, y, w: y * weighted([z], [y], w=w).item(), "and the benign?"),
    (lambda z, y, w: weighted([z], [y], w=w).item() / (1 + w), "the price is right, the step is shorter: leave 1 + w out"),
], inputs=lambda random: (random.normal(0, 3), random.integers(2), random.uniform(2, 20)), look="the four lines")  # fmt: skip

# %% [markdown]
# 4. Several networks have been trained, at several thresholds. On which number do you choose?

# %%
check("choose_by", ..., "expected cost on validation data", choices=[
    "expected cost on validation data", "weighted loss on training data", "accuracy on validation data",
    "recall on validation data", "F1 on validation data",
], wrong={
    "weighted loss on training data": "it falls to 0 for who learns by heart, and what then is the price?",
    "accuracy on validation data": "a missed cancer counts 1 there, as a false alarm does",
    "recall on validation data": "it is best if everybody is alarmed",
    "F1 on validation data": "it weighs the two mistakes in its own way, whatever w is",
})  # fmt: skip

# %% [markdown]
# ## Remember
# Where classes overlap, a weight shifts the scores by about ln w: it is a moved threshold that is built in, and spoils the
# probabilities. Where a network learns by heart, it fades. Four splits do not show which is better; the price chooses.
