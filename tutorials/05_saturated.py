"""Wrong and sure of it.

Question: Which loss helps most when you are most wrong?
Builds on: 01 (a loss says one number to each output); the sigmoid and its slope.
Data: none, one neuron is enough.
Takes: 3 seconds.
"""

# %% [markdown]
# ## Question
# A neuron says z = w + b, and its probability of a yes is p = σ(z). The truth is no. At z = 0 it doubts; at z = 8 it is
# as wrong as it is sure. Two losses could bring it back: cross-entropy, and half the squared error of p. Which of them
# helps most when you are most wrong?
#
# Both get the *same* learning rate here. A comparison that gives each its own can prove anything.

# %%
import numpy as np
from matplotlib.figure import Figure

from minigrad import SGD, Linear, figures, loss, losses, nn, ops, trace
from minigrad.lesson import check, fact, predict, show


@loss(pred="logit", target="unit")
def half_mse_sigmoid(pred, target):
    return 0.5 * (ops.sigmoid(pred) - target) ** 2


cross_entropy = losses.get("bce_with_logits")
RIVALS = (cross_entropy, half_mse_sigmoid)

# %% [markdown]
# ## Predict

# %%
predict("ratio", ..., "Target no, z = 4: how many times harder than squared error does cross-entropy pull?")
guess = predict(
    "steps_mse", ..., "Cross-entropy comes home from z = 8 within 50 steps. How many does squared error take?"
)

# %% [markdown]
# ## Experiment
# First the pull itself: the gradient that each loss sends to z, for all z at once. A loss is a function on plain
# arrays, so a line of z is a batch.

# %%
z = np.linspace(-8, 10, 1801)
pulls = [each.value_and_grad(z, np.zeros_like(z), reduction="none")[1] for each in RIVALS]
ratio = pulls[0] / pulls[1]
top = np.argmax(pulls[1])
peak = [ops.sigmoid(z[top]), pulls[1][top]]
at = {v: int(np.argmin(np.abs(z - v))) for v in (4, 8)}

# %% [markdown]
# Then the way home. The neuron starts at z = 1.5, 4 and 8 and takes steps until it says no.


# %%
def way_home(loss, start, lr=0.15):
    """The loss after every step, until p < ½."""
    neuron = Linear(1, 1, rng=0, dtype=np.float64)
    neuron.weight.data = np.array([[start]])
    optimizer, values, out = SGD(neuron.parameters(), lr=lr), [], neuron(np.ones((1, 1)))
    while out.item() >= 0:
        value = loss(out, np.zeros((1, 1)))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
        out = neuron(np.ones((1, 1)))
    return values


STARTS = (1.5, 4.0, 8.0)
homes = [[way_home(each, start) for start in STARTS] for each in RIVALS]
steps = [[len(values) for values in runs] for runs in homes]

# %% [markdown]
# How long squared error takes can be foretold without running anything. Its pull on z is p, the error, times p(1 − p),
# the slope of the sigmoid. Both w and b move by lr·p²(1 − p), so z moves twice that far, and the time from z₀ to 0 is
# the integral of 1/(2 lr p²(1 − p)). With p = σ(z) that is a sum of exponentials.


# %%
def foretold(start, lr=0.15):
    return (np.exp(start) - 1 + 3 * start + 3 * (1 - np.exp(-start)) + (1 - np.exp(-2 * start)) / 2) / (2 * lr)


# %% [markdown]
# Last, the limits of the machine. Somewhere σ(z) is 1 to the last digit: there −ln(1 − σ(z)) is infinite, and whoever
# writes the loss so has lost the gradient. `bce_with_logits` never forms σ(z) for its value.

# %%
whole = np.arange(60)
sigma_is_one = [int(np.argmax(ops.sigmoid(whole.astype(dtype)) == 1)) for dtype in (np.float64, np.float32)]
print(f"at z = {sigma_is_one[0]}: bce_with_logits says {cross_entropy([float(sigma_is_one[0])], [0.0]).item()}")

# %% [markdown]
# ## Figure

# %%
with figures.style():
    left, right = (fig := Figure(figsize=(10, 3.6))).subplots(1, 2)
    for each, pull, runs in zip(RIVALS, pulls, homes):
        colour, line, _ = figures.looks(RIVALS)[str(each)]
        left.plot(z, np.abs(pull), color=colour, ls=line, label=str(each))
        for values in runs:
            right.plot(np.arange(1, len(values) + 1), values, color=colour, ls=line)
        figures.note(left, **{f"pull of {each}": pull, f"ways home of {each}": [values[::20] for values in runs]})
    for v in (4, 8):
        ends = [(v, pull[at[v]]) for pull in pulls]
        left.annotate("", *ends, arrowprops={"arrowstyle": "<->", "color": "0.25"})
        middle = np.sqrt(pulls[0][at[v]] * pulls[1][at[v]])
        left.text(v + 0.2, middle, figures.say(left, "× {r:.0f}", r=ratio[at[v]]))
    left.set(yscale="log", xlabel="z (the truth is no)", ylabel="length of the gradient, |∂ℓ/∂z|")
    left.set_title(figures.say(left, "Squared error pulls hardest at p = {p:.2f}, with {g:.3f}", p=peak[0], g=peak[1]))
    right.set(xscale="log", yscale="log", xlabel="step", ylabel="loss, from z = 1.5, 4 and 8")
    right.set_title(figures.say(right, "Home from z = 8: {fast} steps, or {slow}", fast=steps[0][2], slow=steps[1][2]))
    if guess:
        right.axvline(guess, color="0.6", ls=":")
    right.yaxis.set_minor_formatter("")
    left.legend(loc="lower right")
show(fig, "saturated")

# %% [markdown]
# ## The way back
# Where does the pull go? At z = 8 squared error *starts* as strongly as cross-entropy arrives: it sends p − y to the
# probability. Then comes a row that cross-entropy does not have, the sigmoid, and it lets next to nothing through.

# %%
neuron = Linear(1, 1, rng=0, dtype=np.float64)
neuron.weight.data = np.array([[8.0]])
one, no = np.ones((1, 1)), np.zeros(1)
way = trace(nn.Sequential(neuron, nn.Sigmoid()), 0.5 * losses.get("mse"), one, no)
print(way, trace(neuron, cross_entropy, one, no), sep="\n\n")

# %% [markdown]
# ## Measured

# %%
fact(
    "ratio",
    ratio[[at[4], at[8]]],
    "cross-entropy pulls {value[0]:.3g} times harder at z = 4, {value[1]:.0f} times at z = 8",
)
fact(
    "peak",
    peak,
    "squared error pulls hardest at p = {value[0]:.3f}: the more wrong beyond, the weaker",
)
fact("steps_ce", steps[0], "steps that cross-entropy takes from z = 1.5, 4 and 8: {value}")
fact("steps_mse", steps[1], "steps that squared error takes: {value}")
fact("foretold", foretold(8), "the integral foretells {value:.0f} for the last of them")
fact("sigma_is_one", sigma_is_one, "σ(z) is 1 from z = {value[0]} on in float64, from {value[1]} on in float32")
fact("passes", way.rows[0].factor, "at z = 8 the sigmoid lets {value:.3%} of squared error's gradient through")

# %% [markdown]
# ## Practice
# 1. How many times harder does cross-entropy pull at z = 6?

# %%
p = float(ops.sigmoid(6.0))
check("ratio_6", ..., 1 / (p * (1 - p)), wrong={1 / p: "the other factor is 1 − p"}, look="the left panel")

# %% [markdown]
# 2. How many steps would squared error take from z = 10?

# %%
check("steps_10", ..., foretold(10), wrong=[
    (steps[1][2] * 10 / 8, "you extrapolated a straight line; the speed falls by e for each unit of z", 0.2),
    (steps[1][2] * np.e, "that is one unit of z; there are two", 0.05),
], look="the integral")  # fmt: skip

# %% [markdown]
# ## Remember
# A sigmoid takes p(1 − p) of whatever passes it, and that is least where you are most wrong. Cross-entropy divides by
# exactly this: what arrives at z is p − y, at most 1 and never small for a big mistake.
