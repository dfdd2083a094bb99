"""Loss is not the metric.

Question: Can the loss fall while the model gets worse?
Builds on: 04 (cross-entropy), 08 (who owns the gradient late in training).
Data: handwritten digits, 8 × 8, shipped; two moons, made here.
Takes: 5 seconds.
"""

# %% [markdown]
# ## Question
# You train with a loss and are judged by a metric: cross-entropy here, and the share of digits that are read rightly.
# The first goes down, the second goes up, and one gets used to thinking of them as one. Can the loss fall while the
# model gets worse? And can it rise while nothing gets worse at all?

# %%
import numpy as np
from matplotlib.figure import Figure

from minigrad import MLP, SGD, data, explain, figures, fit, losses, metrics, ops, trace
from minigrad.lesson import check, fact, predict, rng, show

cross_entropy, bce = losses.get("cross_entropy"), losses.get("bce_with_logits")
seed = rng()

# %% [markdown]
# ## Predict

# %%
predict("both_fell", ..., "400 steps of training. In which share of them do test loss and test accuracy fall together?")
predict("accuracy_moved", ..., "Long after its best epoch a network's test loss is far higher. And its accuracy?")

# %% [markdown]
# ## Experiment
# A network learns digits, and after every single step the whole test set is asked: how large is the loss, and which
# digit do you say?

# %%
(X, y), (X_test, y_test) = data.load("digits", rng=seed)
model, draw = MLP(64, 64, 10, init="he", rng=seed), np.random.default_rng(seed)
optimizer = SGD(model.parameters(), lr=0.1)
order = np.concatenate([draw.permutation(len(y)) for _ in range(11)])
test_loss, said = [], []
for step in range(401):
    scores = model(X_test).numpy()
    test_loss.append(cross_entropy(scores, y_test).item())
    said.append(scores.argmax(1))
    rows = order[32 * step : 32 * step + 32]
    optimizer.zero_grad()
    cross_entropy(model(X[rows]), y[rows]).backward()
    optimizer.step()

# %% [markdown]
# What did each step change? The loss moves at every step, since it hears how sure each sample is. The accuracy moves
# only if some sample crosses from one digit to another, and it does not ask how many crossed each way.

# %%
said = np.array(said)
accuracy = np.mean(said == y_test, axis=1)
by_loss, by_accuracy = np.diff(test_loss), np.diff(accuracy)
both_fell = (by_loss < 0) & (by_accuracy < 0)
flips = np.sum(said[1:] != said[:-1], axis=1)
small = np.abs(by_loss) < np.median(np.abs(by_loss))
print(f"a step with a small change of the loss: of {len(y_test)} digits up to {flips[small].max()} are read otherwise")

# %% [markdown]
# Then the other way round: 120 points of two moons that overlap, and a network that is free to learn them by heart, for
# 400 epochs. A thousand further points watch. With `validation`, `fit` gives back the weights of the epoch that they
# liked best; the same line without it gives back those of the end.

# %%
points = np.random.default_rng(seed)
train, watch = data.moons(120, noise=0.4, rng=points), data.moons(1000, noise=0.4, rng=points)
best, end = (MLP(2, 32, 32, 1, init="he", rng=seed) for _ in range(2))
options = {"loss": bce, "optimizer": "sgd", "lr": 0.3, "epochs": 400, "batch_size": 12, "rng": seed}
history = fit(best, train, validation=watch, metrics=["accuracy"], **options)
fit(end, train, **options)
least, last = history.best.validation, history.rows[-1].validation
print(*history.notes(), sep="\n")

# %% [markdown]
# The network at the end is too sure of itself, and that can be taken back. Divide its score by a number T, a
# temperature: each p comes closer to a half, and none crosses it. Half of the points that watch choose the T, the other
# half judge.

# %%
scores, label = end(watch[0]).numpy()[:, 0], watch[1]
grid = np.geomspace(0.5, 20, 200)


def at(T, z, y):
    return bce(z / T, y).item()


def chosen(z, y):
    """The temperature of least loss."""
    return grid[np.argmin([at(T, z, y) for T in grid])]


T = chosen(scores[:500], label[:500])
z, truth = scores[500:], label[500:]
repaired = at(T, z, truth) / at(1, z, truth)
changed = int(((z > 0) != (z / T > 0)).sum())
ece = [metrics.calibration_error(ops.sigmoid(each), truth) for each in (z, z / T)]

# %% [markdown]
# ## Figure
# Above, the digits: the loss, and the accuracy with the steps in which both fell in grey. Below, the moons at the end
# of training: how often it is so where the network gives a probability, and what a temperature does.

# %%
with figures.style():
    axes = (fig := Figure(figsize=(10, 7))).subplots(2, 2)
    (left, right), (below, last_one) = axes
    left.plot(test_loss, color=figures.colour("cross_entropy")[0])
    left.set(xlabel="step", ylabel="test loss", ylim=0)
    left.set_title(figures.say(left, "The test loss fell in {fell:.0%} of the steps", fell=np.mean(by_loss < 0)))
    right.bar(1 + np.flatnonzero(both_fell), 1, width=1, color="0.85")
    right.plot(accuracy, color="0.25")
    right.set(xlabel="step", ylabel="test accuracy", ylim=(0.8, 1))
    right.set_title(figures.say(right, "In {both:.0%} loss and accuracy fell together", both=both_fell.mean()))
    figures.reliability(ops.sigmoid(z), truth, ax=below)
    curve = [at(t, z, truth) for t in grid]
    last_one.plot(grid, curve, color=figures.colour("bce_with_logits")[0], label="loss")
    last_one.plot(grid, [np.mean((z / t > 0) == truth) for t in grid], color="0.25", ls=":", label="accuracy")
    last_one.plot(T, at(T, z, truth), "o", color="0.25")
    last_one.set(xscale="log", xlabel="temperature T", ylabel="loss and accuracy", ylim=0)
    last_one.set_title(figures.say(last_one, "At T = {T:.1f} the loss is {of:.0%} of what it was", T=T, of=repaired))
    last_one.legend()
    figures.note(left, loss=test_loss, accuracy=accuracy, temperatures=curve)
show(fig, "loss_is_not_metric")
show(history.plot(), "history")

# %% [markdown]
# ## The way back
# Why does training go on at all? It goes on for the few that it has not yet learnt by heart. Here is the loudest of
# them at the end, with its share of each layer's gradient, and then how much of the whole gradient the loudest tenth
# owns, at the best epoch and at the end.

# %%
print(trace(end, bce, *train))


def loudest_tenth(model):
    sizes = np.sort(explain.gradient_norms(model, bce, *train)["all"])
    return sizes[9 * len(sizes) // 10 :].sum() / sizes.sum()


loud = [loudest_tenth(model) for model in (best, end)]

# %% [markdown]
# ## Measured

# %%
half = len(by_loss) // 2
correlation = [np.corrcoef(by_loss[start:], by_accuracy[start:])[0, 1] for start in (0, half)]
fact("both_fell", both_fell.mean(), "in {value:.0%} of the steps test loss and test accuracy fell together")
fact("flat", np.mean((by_loss < 0) & (by_accuracy == 0)), "in {value:.0%} the loss fell and the accuracy stayed")
fact("correlation", correlation, "correlation of the two changes: {value[0]:.2f}, in the second half {value[1]:.2f}")
fact("flips", flips[small].max(), "predictions flipped by a step that hardly moved the loss: up to {value}")
fact(
    "loss_rose", last["loss"] / least["loss"], "moons: at the end the loss is {value:.2f} times that of the best epoch"
)
fact("accuracy_moved", last["accuracy"] - least["accuracy"], "while the accuracy moved by {value:+.3f}")
fact("T", T, "a temperature of {value:.1f} is best")
fact("repaired", repaired, "it brings the loss to {value:.0%}")
fact("changed", changed, "and changes {value} decisions")
fact("ece", ece, "probabilities were off by {value[0]:.2f} in the mean, and are by {value[1]:.2f} then")
fact("loud_best", loud[0], "the loudest tenth owns {value:.0%} of the gradient at the best epoch")
fact("loud_end", loud[1], "and {value:.0%} at the end")

# %% [markdown]
# ## Practice
# 1. Four samples, and of each the probability of its true class: (.51, .51, .51, .51). All are right. Find four others
#    with a lower loss and a lower accuracy.


# %%
def judged(p):
    p = np.asarray(p, float)
    if p.shape != (4,) or not np.all((p > 0) & (p < 1)):
        return "expected four probabilities between 0 and 1"
    loss, right = [-np.log(each).mean() for each in (p, np.full(4, 0.51))], np.mean(p > 0.5)
    wanted = [*["lower the loss"] * bool(loss[0] >= loss[1]), *["let one be wrong"] * bool(right == 1)]
    said = f"loss {loss[0]:.3f} against {loss[1]:.3f}, accuracy {right:.0%} against 100%"
    return f"{said}: {' and '.join(wanted)}" if wanted else ""


check("four", ..., (0.99, 0.99, 0.99, 0.49), by=judged, wrong=[
    ((0.6, 0.6, 0.6, 0.6), "let one be wrong"), ((0.51, 0.51, 0.51, 0.49), "lower the loss"),
])  # fmt: skip

# %% [markdown]
# 2. A sample of two classes has p = 0.501 for the true one. By how much must its loss rise until it is decided wrongly?

# %%
check("to_the_flip", ..., np.log(0.501 / 0.5), tol=0.005, wrong={
    1: "so much the accuracy of this sample changes: it is a step, the loss is smooth",
    0.001: "that is how far p must move; the loss is −ln p",
    -np.log(0.501): "that is its loss; by how much does it rise?",
}, look="the slope of −ln p")  # fmt: skip

# %% [markdown]
# 3. Which temperature would be best for the network of the best epoch? `chosen` finds it from scores and labels.

# %%
best_T = chosen(best(watch[0]).numpy()[:, 0], label)
check("T_best", ..., best_T, tol=0.1, wrong={
    T: "that is the one for the network at the end",
}, look="how sure a network is that was stopped in time")  # fmt: skip

# %% [markdown]
# ## Remember
# A loss hears how sure every sample is; accuracy counts who is beyond a half. So the loss can fall while the model gets
# worse, and rise while no decision does. Watch both, and choose the model by what you are judged by.
