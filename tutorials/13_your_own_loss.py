"""Ship a loss.

Question: How does my idea become `loss="late"` for everybody?
Builds on: 02 (the card of a loss), 06 (trace).
Data: diabetes, shipped.
Takes: 8 seconds.
"""

# %% [markdown]
# ## Question
# A forecast that is too low costs four times as much as one that is too high: the clinic must call people in. No loss in the
# books says so, but you can. How does that idea become `loss="late"`, first here, then in every script on this machine, and
# at last for everybody?

# %%
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from minigrad import MLP, check_loss, data, diff, figures, fit, loss, losses, trace
from minigrad.lesson import check, fact, predict, rng, show

# %% [markdown]
# ## Predict

# %%
tau = predict("tau", ..., "Costs 4 : 1. Which share of the truths will lie below such a forecast?")

# %% [markdown]
# ## Experiment
# The idea, in four lines. It works at once: no name, no file, no package is needed to train with it.


# %%
@loss(kinks=lambda pred, target: pred - target)
def late(pred, target):
    r = pred - target
    return np.where(r < 0, -4 * r, r)


@loss(kinks=lambda pred, target: pred - target)
def even(pred, target):
    return np.abs(pred - target)


seed = rng()
train, test = data.load("diabetes", rng=seed)


def trained(loss):
    model = MLP(10, 16, 1, activation="tanh", init="lecun", rng=seed)
    fit(model, train, loss=loss, optimizer="sgd", lr=lambda done: 0.02 * (1 - done), epochs=80, rng=seed)
    return model


def covered(model, part):
    """The share of truths that lie below the forecast."""
    return float(np.mean(part[1] < model(part[0]).numpy()[:, 0]))


model, balanced = trained(late), trained(even)

# %% [markdown]
# What have you made? The card measures it. Its line *relatives* knows your loss from somewhere.

# %%
card = check_loss(late)
print(card)

# %% [markdown]
# `diff` compares two losses on one network: against `mae` it is another loss, against one `quantile` it is not.

# %%
print(diff(model, late, "mae", *train))
print(diff(model, late, losses.get("quantile", quantile=tau if tau and 0 < tau < 1 else 0.8), *train))
friend = diff(model, late, "quantile(quantile=0.8)", *train)

# %% [markdown]
# A closed form for the slope makes a loss faster, and can be wrong. Two mistakes that everybody makes once: the card finds
# both, and says which they are.


# %%
def with_slope(factor):
    """`late` with a closed form that is `factor` times the right one."""

    def slope(pred, target):
        return factor * np.where(pred < target, -4, np.sign(pred - target))

    return loss(kinks=lambda pred, target: pred - target, grad=slope)(late.function)


twice, turned = check_loss(with_slope(2)), check_loss(with_slope(-1))
print(twice["gradient"], turned["gradient"], sep="\n")

# %% [markdown]
# Now the name. `register` gives the loss one in this process, through the same door by which the built-in ones come in.

# %%
losses.register(late)
print(losses.get("late"), fit(MLP(10, 16, 1, rng=seed), train, loss="late", epochs=1).best)

# %% [markdown]
# A file that defines it, named in `MINIGRAD_PLUGIN_PATH`, gives it to every script on this machine. Here is one that knows nothing
# of this process.

# %%
PLUGIN = """import numpy as np
from minigrad import loss

@loss(kinks=lambda pred, target: pred - target)
def late(pred, target):
    r = pred - target
    return np.where(r < 0, -4 * r, r)
"""
SCRIPT = """from minigrad import MLP, data, fit
train, _ = data.load("diabetes", rng=0)
print(fit(MLP(10, 16, 1, rng=0), train, loss="late", epochs=1).loss)
"""


def run(*arguments, **variables):
    """A fresh Python, in the temporary folder."""
    env = {**os.environ, **variables}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=env, capture_output=True, text=True
    ).stdout.strip()


with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "forecast.py")
    file.write_text(PLUGIN, encoding="utf-8")
    found = run("-c", SCRIPT, MINIGRAD_PLUGIN_PATH=str(file))
    print("a fresh process trained with", found)
    run("-m", "minigrad.cli", "new-plugin", "forecast")
    project = Path(folder, "minigrad-forecast", "pyproject.toml").read_text(encoding="utf-8")

# %% [markdown]
# For everybody: a package. `minigrad new-plugin forecast`, which has just run beside that process, writes one that works as
# it is; replace its loss by yours, and whoever says `pip install` has it. One line tells minigrad where to look.

# %%
print(project)
entry = tomllib.loads(project)["project"]["entry-points"]["minigrad"]
print("the line that counts:", entry)

# %% [markdown]
# ## Figure

# %%
show(figures.card(card), "card")

with figures.style():
    fig = Figure(figsize=(7.2, 3.6))
    for ax, (name, each) in zip(fig.subplots(1, 2, sharey=True), (("late", model), ("even", balanced))):
        forecast = each(test[0]).numpy()[:, 0]
        ax.plot(forecast, test[1], "o", ms=3, color="0.25", alpha=0.6)
        ax.plot([-2, 3], [-2, 3], color=figures.colour("mse")[0])
        ax.set(xlabel="forecast", ylabel="truth, both in standard deviations")
        said = f"{name}: {{{name}:.0%}} of the truths lie below the forecast"
        ax.set_title(figures.say(ax, said, **{name: covered(each, test)}))
        figures.note(ax, **{f"forecast of {name}": forecast})
show(fig, "coverage")

# %% [markdown]
# ## The way back
# The most underestimated patient. The loss says −4, whatever the distance; everything behind it is the network's.

# %%
worst = int(np.argmax(train[1] - model(train[0]).numpy()[:, 0]))
way = trace(model, late, *train, sample=worst, also="mae")
print(way)

# %% [markdown]
# ## Measured

# %%
low, high = np.abs(late.value_and_grad([-1.0, 1.0], [0.0, 0.0], reduction="none")[1])
fact(
    "coverage_train", covered(model, train), "costs of 4 : 1 put {value:.0%} of the training truths below the forecast"
)
fact("coverage", covered(model, test), "and {value:.0%} of those in the test data")
fact("coverage_even", covered(balanced, test), "costs of 1 : 1 put {value:.0%} there")
fact(
    "tau",
    low / (low + high),
    "pulls of 4 and 1 balance where {value:.0%} of the truths lie below: the quantile loss of that",
)
fact("ratio", friend.rows[-1].ratio, "times {value:.9f}: you have met an old friend")
fact("cosine", friend.rows[-1].cosine, "the directions agree, cosine {value:.12f}")
fact("knows_the_friend", "quantile" in card["relatives"].text, "the card names quantile among the relatives: {value}")
fact("named", ["2: factor" in str(twice), "−1: sign" in str(turned)], "the card names the factor and the sign: {value}")
fact("elsewhere", found == "forecast:late", "a fresh process found it by its name: {value}")
fact("entry", entry == {"forecast": "minigrad_forecast"}, "the package names its module to minigrad: {value}")
fact("start", way.start, "the most underestimated patient starts with {value:.0f}")

# %% [markdown]
# ## Practice
# 1. At which quantile do costs of 4 : 1 aim?

# %%
check("quantile", ..., 4 / 5, look="the right-hand figure", wrong={
    1 / 5: "that is the other side", 3 / 4: "odds of 4 : 1 are 4/5", 1 / 4: "1 : 4 is a ratio; which share of all?",
})  # fmt: skip

# %% [markdown]
# 2. Write a loss of your own: squared, but dearer on one side. `check_loss` judges it.


# %%
def judged(own):
    card = check_loss(own)
    return "; ".join(f"{name}: {card[name].text} {card[name].note}".strip() for name in card.failed)


@loss(kinks=())
def example(pred, target):
    r = pred - target
    return np.where(r < 0, 4 * r**2, r**2)


check("own_loss", ..., example, by=judged, wrong=[(with_slope(2), "factor")])

# %% [markdown]
# ## Remember
# Four lines are a loss, a card says what it is, a name makes it everybody's. Built-in losses come in by the same door.
