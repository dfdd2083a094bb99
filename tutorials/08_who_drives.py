"""Who drives the training?

Question: Which samples own the gradient late in training?
Builds on: 03 (the share of one sample), 04 (p − y), 06 (trace).
Data: handwritten digits, 8 × 8, shipped, with a tenth of the training labels flipped.
Takes: 8 seconds.
"""

# %% [markdown]
# ## Question
# At the start of training one digit is as wrong as the next, and all are heard alike. Soon most of them are right and
# fall silent, and whoever still speaks moves the weights. Which samples own the gradient then? Suppose that some labels
# are wrong, as in every data set that people have labelled: a network that has learnt well contradicts them. Do these
# few end up at the wheel?

# %%
import numpy as np
from matplotlib.figure import Figure

from minigrad import MLP, data, evaluate, explain, figures, fit, loss, losses, metrics, ops, trace
from minigrad.lesson import check, fact, predict, rng, show

cross_entropy = losses.get("cross_entropy")


@loss(pred="logits", target="index")
def mse_on_softmax(pred, target):
    return ((ops.softmax(pred) - np.eye(10, dtype=pred.dtype)[target]) ** 2).sum(-1)


@loss(pred="logits", target="index")
def mae_on_softmax(pred, target):
    return np.abs(ops.softmax(pred) - np.eye(10, dtype=pred.dtype)[target]).sum(-1)


# %% [markdown]
# ## Predict

# %%
guess = predict(
    "share_ce", ..., "A tenth of the labels is wrong. Which share of cross-entropy's gradient is theirs at the end?"
)
predict("share_mae", ..., "And which share if the loss is the absolute error of the probabilities?")

# %% [markdown]
# ## Experiment
# Every tenth training label is replaced by another one, and we remember which. Three losses, each at a learning rate
# that suits it, train the same network for thirty epochs, on three splits of the data.

# %%
RATES = {cross_entropy: 0.2, mse_on_softmax: 0.6, mae_on_softmax: 0.6}
MOMENTS = (0, 1, 3, 10, 30)
SPLITS = range(3 * rng(), 3 * rng() + 3)


def spoilt(split):
    """Training data, which of its labels are flipped, and clean test data."""
    (X, y), test = data.load("digits", rng=split)
    draw = np.random.default_rng(split)
    flipped = np.isin(np.arange(len(y)), draw.permutation(len(y))[: len(y) // 10])
    return X, np.where(flipped, (y + draw.integers(1, 10, len(y))) % 10, y), flipped, test


# %% [markdown]
# Now and then a run stops, and we ask of every training sample: how long is the gradient that the loss sends to its ten
# scores? What the flipped ones send, over what all send, is their share.


# %%
def heard(loss, model, X, y):
    """The loss of every sample, and the length of what is sent to its scores."""
    values, delta = loss.value_and_grad(model(X).numpy(), y, reduction="none")
    return values, np.linalg.norm(delta, axis=1)


def run(loss, split):
    """A network at the end of its training, and what was measured on the way."""
    X, y, flipped, test = spoilt(split)
    model, orders = MLP(64, 64, 10, init="he", rng=split), np.random.default_rng(split)
    shares, accuracy, before = [], [], 0
    for moment in MOMENTS:
        if moment:
            options = {"lr": RATES[loss], "epochs": moment - before, "batch_size": 64}
            fit(model, (X, y), loss=loss, optimizer="sgd", rng=orders, **options)
        values, sizes = heard(loss, model, X, y)
        shares.append(sizes[flipped].sum() / sizes.sum())
        accuracy.append(evaluate(model, test, loss=loss, metrics=["accuracy"])["accuracy"])
        before = moment
    return {"model": model, "values": values, "sizes": sizes, "shares": shares, "accuracy": accuracy}


runs = {each: [run(each, split) for split in SPLITS] for each in RATES}
shares, accuracy = ({each: np.array([r[key] for r in runs[each]]) for each in RATES} for key in ("shares", "accuracy"))
for each in RATES:
    print(f"{each!s:14}  share of the flipped after {MOMENTS} epochs: {np.round(shares[each].mean(0), 2)}")

# %% [markdown]
# So one could look for wrong labels by listening: take as many samples as were flipped, the loudest first, and see how
# many of them are flipped. Or take those with the largest loss, whatever its gradient.

# %%
marked = [spoilt(split)[2] for split in SPLITS]


def hits(numbers, flipped):
    """Of the samples with the largest numbers, as many as were flipped: how many are flipped?"""
    return int(flipped[np.argsort(-numbers)[: flipped.sum()]].sum())


def found(key):
    """The share of hits by loss, mean over the splits."""
    return [np.mean([hits(r[key], m) / m.sum() for r, m in zip(runs[each], marked)]) for each in RATES]


# %% [markdown]
# Does it show in the result? The test labels are clean. Three splits are three pairs of accuracies, and
# `metrics.verdict` knows what three pairs are worth.

# %%
apart = {each: accuracy[each][:, -1] - accuracy[cross_entropy][:, -1] for each in (mse_on_softmax, mae_on_softmax)}
for each, differences in apart.items():
    verdict = metrics.verdict(differences, "cross_entropy")
    print(f"{each}, accuracy minus that of cross_entropy: {np.round(differences, 3)}; {verdict}")

# %% [markdown]
# ## Figure
# How the flipped tenth takes the wheel, or does not. Then every sample of the first split at the end, the flipped ones
# in outline.

# %%
with figures.style():
    ax = (fig := Figure(figsize=(7.2, 3.8))).subplots()
    for each, (colour, line, _) in zip(RATES, figures.looks(list(RATES)).values()):
        ax.plot(shares[each].T, color=colour, lw=0.5, alpha=0.5)
        ax.plot(shares[each].mean(0), color=colour, ls=line, label=str(each))
        figures.note(ax, **{f"share under {each}": shares[each]})
    ax.axhline(0.1, color="0.7", lw=0.8, label="their share of the samples")
    if guess is not None:
        ax.plot(len(MOMENTS) - 1, guess, "x", color="0.25", label="your guess")
    ax.set_xticks(range(len(MOMENTS)), map(str, MOMENTS))
    ax.set(xlabel="epoch (thin: three splits)", ylabel="share of the gradient that the flipped own", ylim=0)
    ends = {"ce": shares[cross_entropy][:, -1].mean(), "mae": shares[mae_on_softmax][:, -1].mean()}
    said = "The flipped tenth ends with {ce:.0%} of cross-entropy's gradient, and {mae:.0%} of MAE's"
    ax.set_title(figures.say(ax, said, **ends))
    ax.legend(loc="upper left")
show(fig, "epochs")
show(figures.shares({str(each): r[0]["sizes"] for each, r in runs.items()}, marked=marked[0]), "shares")

# %% [markdown]
# ## The way back
# What is loud at the scores is loud at the pixels. Here is the loudest of the flipped on its way through the network
# that cross-entropy has trained. Then the first layer: `explain.gradient_norms` has the length of each sample's
# gradient there.

# %%
X, y, flipped, _ = spoilt(SPLITS[0])
first = runs[cross_entropy][0]
loudest = int(np.argmax(np.where(flipped, first["sizes"], 0)))
print(trace(first["model"], cross_entropy, X, y, sample=loudest, also=mae_on_softmax))


def owned(loss):
    """The share of the flipped in the gradient of the first layer, mean over the splits."""
    found = []
    for split, r in zip(SPLITS, runs[loss]):
        X, y, flipped, _ = spoilt(split)
        norms = explain.gradient_norms(r["model"], loss, X, y)["linear 1"]
        found.append(norms[flipped].sum() / norms.sum())
    return np.mean(found)


# %% [markdown]
# ## Measured

# %%
three = "{value[0]:.0%} with cross_entropy, {value[1]:.0%} with mse_on_softmax, {value[2]:.0%} with mae_on_softmax"
fact("share_start", [shares[each][:, 0].mean() for each in RATES], f"the flipped tenth begins with a share of {three}")
fact("share_ce", ends["ce"], "after thirty epochs it owns {value:.0%} of cross-entropy's gradient")
fact("share_mse", shares[mse_on_softmax][:, -1].mean(), "{value:.0%} of mse_on_softmax's")
fact("share_mae", ends["mae"], "and {value:.0%} of mae_on_softmax's")
fact("owned", [owned(each) for each in RATES], f"of the first layer's gradient it owns {three}")
fact("found_by_delta", found("sizes"), f"flipped among the loudest: {three}")
fact("found_by_loss", found("values"), f"flipped among those of largest loss: {three}")
fact("acc", [accuracy[each][:, -1].mean() for each in RATES], f"right on clean test data: {three}".replace("0%", "1%"))
fact("shown", sum("cannot" not in metrics.verdict(d, "") for d in apart.values()),
     "of the two differences between these, three splits can show {value}: a loud gradient is not yet a worse model")  # fmt: skip
fact("acc_1", [accuracy[each][:, 1].mean() for each in RATES], f"right after one epoch: {three}")

# %% [markdown]
# ## Practice
# 1. Under cross-entropy, first split: somebody throws out the loudest samples, as many as were flipped. How many of
#    them are flipped indeed?

# %%
k = int(flipped.sum())
print(f"{k} labels were flipped")
check("thrown_out", ..., hits(first["sizes"], flipped), wrong={
    100 * hits(first["sizes"], flipped) / k: "that is percent; how many are they?",
    k / 10: "so many would be found by drawing blindly",
}, look="the title of the second figure")  # fmt: skip

# %% [markdown]
# 2. MAE begins slowly, see `acc_1`. What it sends is 2 p_y (p − y), where p_y is the probability of the label. How long
#    is that in an untrained network, over what cross-entropy sends? (Within a quarter.)

# %%
begun = MLP(64, 64, 10, init="he", rng=SPLITS[0])
slow = heard(mae_on_softmax, begun, X, y)[1].mean() / heard(cross_entropy, begun, X, y)[1].mean()
check("slow_start", ..., slow, tol=0.25, wrong={
    1 / 10: "p_y is about 1/K; and what stands before it?",
    5: "the inverse: MAE is the shorter one",
}, look="p_y at the start")  # fmt: skip

# %% [markdown]
# 3. Why are the flipped labels among the *quietest* under MAE?

# %%
check("why_quiet", ..., "the network is sure of another class", choices=[
    "the network is sure of another class", "their loss is small", "MAE sends less to every sample", "MAE knows them",
], wrong={
    "their loss is small": "it is the largest there is: see `found_by_loss`",
    "MAE sends less to every sample": "where p_y is above a half, it sends more than cross-entropy",
    "MAE knows them": "a loss sees scores and a label, and every label looks alike",
}, look="2 p_y (p − y)")  # fmt: skip

# %% [markdown]
# ## Remember
# Late in training the gradient belongs to the samples that contradict what was learnt; under cross-entropy these are
# the wrong labels. MAE does not hear what it is sure of. Whether that makes a better model takes more than three
# splits.
