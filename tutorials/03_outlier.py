"""One bad point.

Question: How much of the gradient can one sample own?
Builds on: 02 (the derivatives of MSE, MAE and Huber).
Data: a line, made here; diabetes, shipped, with a tenth of its targets spoilt.
Takes: 14 seconds.
"""

# %% [markdown]
# ## Question
# Training listens to the mean of all samples' gradients. That sounds fair: forty-one points, one vote each. But votes
# have lengths. How much of the gradient can one sample own, and what does the model do then?

# %%
import numpy as np
from matplotlib.figure import Figure

from minigrad import MLP, Linear, data, evaluate, figures, fit, losses, trace
from minigrad.lesson import check, fact, predict, rng, show

seed = rng()
THREE = [losses.get(name) for name in ("mse", "mae", "huber")]

# %% [markdown]
# ## Predict

# %%
guess = predict(
    "share_20", ..., "Of 41 points with noise of size 1 one lies 20 too low. Which share of MSE's gradient does it own?"
)
predict("slope_100", ..., "The true slope is 2. One point of 41 is moved down by 100: which slope does MSE find?")

# %% [markdown]
# ## Experiment
# The line y = 2x + 1 with noise of size 1, and one point near its right end, which is moved down, further and further.
# At each distance each of the three losses fits a line, which is a network of one linear layer.

# %%
x = np.linspace(-3, 3, 41, dtype=np.float32).reshape(-1, 1)
y = 2 * x[:, 0] + 1 + np.random.default_rng(seed).standard_normal(41).astype(np.float32)
BAD, DISTANCES = 37, (0, 10, 20, 35, 50, 75, 100)


def moved(distance):
    return y - distance * (np.arange(41) == BAD).astype(np.float32)


def share(loss, pred, distance):
    """The share of all gradients, by length, that the bad point sends."""
    sent = np.abs(loss.value_and_grad(pred, moved(distance), reduction="none")[1])
    return sent[BAD] / sent.sum()


def fitted(loss, distance):
    line = Linear(1, 1, rng=0)
    fit(
        line,
        (x, moved(distance)),
        loss=loss,
        optimizer="sgd",
        lr=lambda done: 0.15 * (1 - done),
        epochs=300,
        batch_size=41,
    )
    return line


lines = {loss: [fitted(loss, distance) for distance in DISTANCES] for loss in THREE}
slopes = {loss: [line.weight.item() for line in lines[loss]] for loss in THREE}
true_line = 2 * x[:, 0] + 1
shares = {loss: [share(loss, true_line, distance) for distance in DISTANCES] for loss in THREE}
own = [share(THREE[0], line(x).numpy()[:, 0], distance) for line, distance in zip(lines[THREE[0]], DISTANCES)]

# %% [markdown]
# Now the same with real data. A tenth of the training targets of the diabetes set is moved up by five standard
# deviations, as a slipped decimal point would do; the test targets stay as they are. Three splits, five losses, clean
# and spoilt.


# %%
def study(loss, split, spoilt):
    """A network, its training data, the rows that were spoilt, and its mean absolute error on clean test data."""
    (X, t), test = data.load("diabetes", rng=split)
    rows = np.random.default_rng(split).permutation(len(t))[: len(t) // 10]
    t = t + 5 * np.isin(np.arange(len(t)), rows if spoilt else []).astype(np.float32)
    model = MLP(10, 16, 1, activation="tanh", init="lecun", rng=split)
    fit(model, (X, t), loss=loss, optimizer="sgd", lr=0.02, epochs=60, rng=split)
    return model, X, t, rows, evaluate(model, test, loss="mae")["loss"]


SPLITS = range(3 * seed, 3 * seed + 3)
FIVE = ["mse", "mae", *(losses.get("huber", delta=delta) for delta in (0.3, 1, 10))]
found = {
    str(loss): {spoilt: [study(loss, split, spoilt) for split in SPLITS] for spoilt in (False, True)} for loss in FIVE
}
error = {name: {spoilt: np.mean([run[-1] for run in runs[spoilt]]) for spoilt in runs} for name, runs in found.items()}
for name, values in error.items():
    print(f"{name:18} error on clean test data {values[False]:.3f}, after training on spoilt data {values[True]:.3f}")

# %% [markdown]
# Huber with a large delta is half of MSE: nothing is far enough to be spared.

# %%
model, X, t, *_ = found["mse"][True][0]
residual = model(X).numpy()[:, 0]
halves = [losses.get(loss).value_and_grad(residual, t, reduction="none")[1] for loss in ("huber(delta=10)", "mse")]

# %% [markdown]
# ## Figure

# %%
of_mse, far = slopes[THREE[0]], shares[THREE[0]][6]
lost = (of_mse[0] - of_mse[6]) / 10
with figures.style():
    fig = Figure(figsize=(10.5, 3.6))
    left, middle, right = fig.subplots(1, 3)
    left.plot(x, moved(50), "o", ms=3, color="0.25")
    for loss in THREE:
        look = dict(zip(("color", "ls"), figures.colour(loss)), label=str(loss))
        left.plot(x, lines[loss][4](x).numpy(), **look)
        middle.plot(DISTANCES, slopes[loss], **look)
        right.plot(DISTANCES, shares[loss], color=look["color"], ls=look["ls"])
        figures.note(left, **{f"slopes {loss}": slopes[loss], f"shares {loss}": shares[loss]})
    right.plot(DISTANCES, own, color=figures.colour("mse")[0], lw=0.8, marker=".", label="mse, at its fit")
    right.axhline(0.5, color="0.7", lw=0.8, label="half of it")
    if guess is not None:
        right.plot(20, guess, "x", color="0.25", label="your guess")
    for ax, said in ((left, "y"), (middle, "slope (the truth is 2)"), (right, "its share of the gradient")):
        ax.set(xlabel="x" if ax is left else "distance of the bad point", ylabel=said)
    left.set_title(figures.say(left, "One point 50 too low: MSE's slope is {slope:.2f}", slope=of_mse[4]))
    middle.set_title(figures.say(middle, "Each 10 further cost MSE {lost:.2f} of slope", lost=lost))
    right.set_title(figures.say(right, "MSE: {far:.0%} at the truth, {own:.0%} at the fit", far=far, own=own[6]))
    middle.legend(loc="lower left")
    right.legend(loc="center right", bbox_to_anchor=(1, 0.3))
show(fig, "outlier")

# %% [markdown]
# ## The way back
# A trace tells for each layer which share of the batch's gradient its sample owns. Added up over the spoilt tenth, for
# the first layer of each network: what they say to the weights that read the data.


# %%
def owned(name):
    """The spoilt rows' share of the gradient of layer 1, mean over the splits."""
    ways = [[trace(model, name, X, t, sample=int(i)) for i in rows] for model, X, t, rows, _ in found[name][True]]
    print(f"{name}, the loudest of them\n{max(ways[0], key=lambda way: way.start)}\n")
    return float(np.mean([sum(way.rows[-1].share for way in each) for each in ways]))


owners = {name: owned(name) for name in ("mse", "huber(delta=1)", "mae")}

# %% [markdown]
# ## Measured

# %%
at = {distance: i for i, distance in enumerate(DISTANCES)}
mse, mae, huber = (shares[loss] for loss in THREE)
fact("share_20", mse[at[20]], "one point of 41, 20 away from the true line, owns {value:.0%} of MSE's gradient")
fact("share_50", mse[at[50]], "50 away it owns {value:.0%}")
fact("share_mae", mae[at[50]], "under MAE {value:.1%}: one point, one vote")
fact("share_huber", huber[at[50]], "under Huber {value:.1%}")
fact("share_fit_50", own[at[50]], "at the line that MSE itself fits the same point owns {value:.0%}")
fact(
    "most_at_fit",
    max(own),
    "and never more than half, here {value:.0%}: the residuals of that line sum to 0, so it has bent until the point is outvoted",
)
fact("slope_100", slopes[THREE[0]][-1], "moved by 100, it turns MSE's slope to {value:.2f}")
fact("slope_mae", slopes[THREE[1]][-1], "MAE's stays at {value:.2f}")
fact("slope_huber", slopes[THREE[2]][-1], "and Huber's at {value:.2f}")
fact(
    "mae_ratio",
    error["mse"][True] / error["huber(delta=1)"][True],
    "diabetes, spoilt: the test error of MSE is {value:.2f} times Huber's",
)
fact(
    "mae_ratio_clean",
    error["mse"][False] / error["huber(delta=1)"][False],
    "clean: {value:.2f} times; without outliers MSE loses nothing",
)
fact(
    "huber10_is_half_mse", np.abs(2 * halves[0] - halves[1]).max(), "between twice huber(delta=10) and mse: {value:.0e}"
)
fact("owned_mse", owners["mse"], "the spoilt tenth owns {value:.0%} of the gradient of layer 1 under MSE")
fact("owned_huber", owners["huber(delta=1)"], "{value:.0%} under Huber")
fact("owned_mae", owners["mae"], "{value:.1%} under MAE")

# %% [markdown]
# ## Practice
# 1. Which share of MSE's gradient does the point own at distance 35 from the true line? `r` holds the residuals.

# %%
r = true_line - moved(35)
check("share_35", ..., np.abs(2 * r[BAD]) / np.abs(2 * r).sum(), wrong={
    r[BAD] ** 2 / (r**2).sum(): "that is the share of the loss (r²), not of the gradient (2r)",
    1 / 41: "one point, one vote: that is MAE",
}, look="the right panel")  # fmt: skip

# %% [markdown]
# 2. Targets are measured in standard deviations. What is the largest delta of Huber for which a residual of 5 pulls no
#    more than a residual of 1?

# %%
deltas = np.linspace(0.05, 5, 100)
pulls = [
    np.abs(losses.get("huber", delta=d).value_and_grad([5.0, 1.0], [0.0, 0.0], reduction="none")[1]) for d in deltas
]
largest = max(d for d, (far, near) in zip(deltas, pulls) if far <= near + 1e-12)
again = "there the two pull equally; but how far can delta go?"
check("delta", ..., largest, look="where the parabola becomes a line", wrong={
    5: "there it is still on the parabola", 0.5: again, 0.2: again})  # fmt: skip

# %% [markdown]
# 3. When is MSE the right choice?

# %%
check("when_mse", ..., "large errors are real and dear", choices=[
    "large errors are real and dear", "a few targets are typing errors", "the median is wanted", "always: it is smooth",
], wrong={
    "a few targets are typing errors": "then these few write most of the gradient",
    "the median is wanted": "that is what MAE finds; MSE finds the mean",
    "always: it is smooth": "Huber is smooth as well, and its pull is bounded",
})  # fmt: skip

# %% [markdown]
# ## Remember
# MSE listens in proportion to the error, so one bad point may own most of the gradient until the model has bent to it.
# MAE gives one point one vote; Huber is MSE for the near and MAE for the far. Without outliers all three do equally
# well.
