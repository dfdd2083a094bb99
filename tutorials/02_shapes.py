"""Three shapes, three derivatives.

Question: Why does MAE never settle?
Builds on: 01 (a loss says one number to each output); gradient descent, refreshed in 01.
Data: a sine wave, made here.
Takes: 6 seconds.
"""

# %% [markdown]
# ## Question
# Squared error, absolute error and Huber's compromise agree on what is best: no error at all. They differ in how they
# get there, and one of them never arrives. Why does MAE never settle?

# %%
from typing import Annotated

import numpy as np
from matplotlib.figure import Figure

from minigrad import MLP, SGD, Tensor, check_loss, figures, fit, loss, losses, trace
from minigrad.lesson import check, fact, predict, rng, show

# %% [markdown]
# ## Predict

# %%
predict(
    "steps_to_01", ..., "A parameter must go from 0 to 3.05, learning rate 0.1. How many steps until MAE is within 0.1?"
)
predict("mae_rms", ..., "A network has learnt a curve well. What is left of the gradient that MAE sends it, start = 1?")

# %% [markdown]
# ## Experiment
# A loss is a plain NumPy function of prediction and target, with one value per sample. `@loss` makes it differentiable.


# %%
@loss
def my_mse(pred, target):
    return (pred - target) ** 2


@loss(kinks=lambda pred, target: pred - target)
def my_mae(pred, target):
    return np.abs(pred - target)


@loss(kinks=())
def my_huber(pred, target, *, delta: Annotated[float, losses.positive, "where the parabola becomes a line"] = 1.0):
    r = np.abs(pred - target)
    return np.where(r <= delta, 0.5 * r**2, delta * (r - 0.5 * delta))


# %% [markdown]
# Are they right? `check_loss` measures a loss and prints its card. Read it once, line by line. A line ends in ✓ if what
# was measured is in order, in ✗ if there is a fault, and in – if it does not apply to this loss. *gradient*: what the
# engine derives agrees with differences of values. *minimum*: where the loss is least. *slope*: the derivative left and
# right of there; MAE has a kink, a jump from −1 to 1. *at ±∞*: whether the pull of a huge error grows, stays or fades.
# *one outlier*: which share of the gradient a single residual of 10 owns among 99 ordinary ones. *relatives*: a loss
# that is known already.

# %%
print(check_loss(my_huber))
faults = [line for each in (my_mse, my_mae, my_huber) for line in check_loss(each).failed]
pairs = list(zip((my_mse, my_mae, my_huber), map(losses.get, ("mse", "mae", "huber"))))
r = np.linspace(-5, 5, 1001)


def both(loss):
    return np.stack(loss.value_and_grad(r, np.zeros_like(r), reduction="none"))


apart = max(np.abs(both(mine) - both(built_in)).max() for mine, built_in in pairs)

# %% [markdown]
# One parameter, from 0 to 3.05, 400 steps, the same learning rate for all. MAE once more, with a rate that
# falls by two percent at every step.


# %%
def errors(loss, lr=lambda step: 0.1, steps=400):
    theta, target = Tensor(np.zeros(1), requires_grad=True), np.array([3.05])
    optimizer, found = SGD([theta], lr=0.1), []
    for step in range(steps):
        found.append(theta.item() - target[0])
        optimizer.zero_grad()
        loss(theta, target).backward()
        optimizer.lr = lr(step)
        optimizer.step()
    return np.array(found)


paths = {each.name: errors(each) for _, each in pairs}
falling = errors(losses.get("mae"), lr=lambda step: 0.1 * 0.98**step)
steps = [int(np.argmax(np.abs(path) < 0.1)) for path in paths.values()]

# %% [markdown]
# Then a network and a curve: sin x at 128 points from −5 to 5, all of them in every step, a thousand steps. `sent` is
# the size of what the loss says to the outputs, the root of the mean square over all samples.

# %%
X = np.linspace(-5, 5, 128, dtype=np.float32).reshape(-1, 1)
y = np.sin(X[:, 0])


def sent(model, loss):
    return float(np.sqrt(np.mean(loss.value_and_grad(model(X).numpy(), y.reshape(-1, 1), reduction="none")[1] ** 2)))


left, ways = {}, {}
for _, each in pairs:
    model = MLP(1, 32, 32, 1, activation="tanh", init="lecun", rng=rng())
    before = sent(model, each)
    history = fit(model, (X, y), loss=each, optimizer="sgd", lr=0.05, epochs=1000, batch_size=128, rng=rng())
    left[each.name] = sent(model, each) / before
    ways[each.name] = trace(model, each, X, y)
    print(
        f"{each.name:6} loss {history.rows[0].loss:.3f} → {history.rows[-1].loss:.5f}, of its gradient {left[each.name]:.1%} is left"
    )

# %% [markdown]
# ## Figure
# The loss, what `backward` sends, and how loud a sample is for its size; then the way of the parameter.

# %%
show(figures.shapes(["mse", "mae", "huber"]), "shapes")


def to_come(path):
    """The largest error still to come, at every step."""
    return np.maximum.accumulate(np.abs(path)[::-1])[::-1]


with figures.style():
    fig = Figure(figsize=(7.2, 3.6))
    ax = fig.subplots()
    for name, path in paths.items():
        colour, line = figures.colour(name)
        ax.plot(to_come(path)[:-10], color=colour, ls=line, label=name)
        figures.note(ax, **{f"error under {name}": path[::10]})
    ax.plot(to_come(falling)[:-10], color=figures.colour("mae")[0], ls=":", label="mae, learning rate falling")
    ax.set(yscale="log", xlabel="step", ylabel="largest error still to come")
    ends = {"low": paths["mae"][-2:].min(), "high": paths["mae"][-2:].max(), "mse": abs(paths["mse"][-1])}
    ax.set_title(
        figures.say(ax, "MAE jumps between {low:.2f} and {high:.2f} for ever, MSE goes on to {mse:.0e}", **ends)
    )
    ax.legend(loc="lower left")
show(fig, "ways")

# %% [markdown]
# ## The way back
# The sample with the largest loss, in the network that MAE has trained: it is nearly right, and the loss sends 1 as on
# the first day. Under MSE the start of the trace has become as small as the error.

# %%
print(ways["mae"], ways["mse"], sep="\n\n")

# %% [markdown]
# ## Measured

# %%
fact("apart", apart, "between the three and the built-in ones, in value and slope: {value:.0e}")
fact("faults", len(faults), "lines with a fault on their three cards: {value}")
fact("steps_to_01", steps, "steps until the error is below 0.1, with mse, mae and huber: {value}")
fact(
    "mae_band",
    np.abs(paths["mae"][-2:]).sum(),
    "MAE jumps for ever between two errors that add up to the learning rate: {value:.9f}",
)
fact(
    "settled",
    [abs(paths[name][-1]) for name in ("mse", "huber")],
    "MSE and Huber go on to {value[0]:.0e} and {value[1]:.0e}",
)
fact("mse_rms", left["mse"], "of MSE's gradient {value:.0%} is left at the end of training")
fact("mae_rms", left["mae"], "of MAE's {value:.1%}: it keeps shouting at a network that is nearly right")
fact("huber_rms", left["huber"], "of Huber's {value:.0%}")

# %% [markdown]
# ## Practice
# 1. The gradient of each loss at r = 10: mse, mae, huber. `(…, …, …)`

# %%
at_10 = [each.value_and_grad([10.0], [0.0])[1][0] for _, each in pairs]
check("grad_10", ..., at_10, wrong=[
    ([10, 1, 1], "the factor of r²: mse has no ½ here, its slope is 2r"),
    ([100, 10, 9.5], "these are the values, not the slopes"),
    ([20, 10, 1], "the slope of |r| is its sign, however far away r is"),
    ([20, 1, 10], "beyond delta Huber is a straight line"),
], look="the middle panel")  # fmt: skip

# %% [markdown]
# 2. `huber(delta=3) / mse`, wherever |r| ≤ 3?

# %%
inside = losses.get("huber", delta=3)([2.0], [0.0]).item() / losses.get("mse")([2.0], [0.0]).item()
check("huber_over_mse", ..., inside, wrong={1: "one of the two has a factor ½ in front of r²"}, look="the left panel")

# %% [markdown]
# 3. The gradient of MAE at r = 0? There are two slopes, and a library has to say one number.

# %%
at_0 = losses.get("mae").value_and_grad([0.0], [0.0])[1][0]
check("grad_0", ..., at_0, wrong={
    1: "a one-sided slope; the convention takes the middle",
    -1: "a one-sided slope; the convention takes the middle",
}, look="the middle panel")  # fmt: skip

# %% [markdown]
# ## Remember
# A gradient that does not shrink with the error cannot settle: its last step is as long as its first, unless the
# learning rate falls. MSE shrinks everywhere, MAE nowhere, Huber where it is near.
