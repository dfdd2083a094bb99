"""Cross-entropy against squared error, a fair race.

Question: Is cross-entropy faster, or was the learning rate unfair?
Builds on: 04 (p − y), 05 (a sigmoid that lets nothing through), 06 (diff).
Data: handwritten digits, 8 × 8, shipped.
Takes: 24 seconds.
"""

# %% [markdown]
# ## Question
# Everybody has seen this picture: two curves, one loss learns at once, the other crawls. The caption says that
# cross-entropy is the better loss for classification. Both ran at the same learning rate, and that sounds fair.
# Is cross-entropy faster, or was the learning rate unfair?

# %%
import numpy as np
from matplotlib.figure import Figure

from minigrad import MLP, compare, data, diff, figures, grad, loss, losses, metrics, ops
from minigrad.lesson import check, fact, predict, rng, show

cross_entropy = losses.get("cross_entropy")


# %% [markdown]
# The opponent comes in two forms: squared error of the probabilities, and of the scores themselves, with no softmax at
# all. Many networks will be trained here, so each has its slope written beside it, `grad=`, which makes a step faster;
# that the slope is right will be a fact below.


# %%
def one_hot(pred, target):
    return np.eye(10, dtype=pred.dtype)[target]


def through_softmax(pred, target):
    p = ops.softmax(pred)
    g = 2 * (p - one_hot(pred, target))
    return p * (p[..., None, :] * (g[..., :, None] - g[..., None, :])).sum(-1)  # p_j Σ p_k(g_j − g_k): nothing cancels


@loss(pred="logits", target="index", grad=through_softmax)
def mse_on_softmax(pred, target):
    return ((ops.softmax(pred) - one_hot(pred, target)) ** 2).sum(-1)


@loss(pred="logits", target="index", grad=lambda pred, target: 2 * (pred - one_hot(pred, target)))
def mse_on_logits(pred, target):
    return ((pred - one_hot(pred, target)) ** 2).sum(-1)


# %% [markdown]
# Most libraries take the mean over the ten classes where `mse_on_softmax` takes the sum. That is a tenth of it.

# %%
mean_mse = (0.1 * mse_on_softmax).named("mean_mse")

# %% [markdown]
# ## Predict

# %%
predict("usual", ..., "Ten epochs at lr 0.1. Cross-entropy gets nearly all digits right. Which share does mean_mse?")
predict("ratio", ..., "At the same learning rate: how many times longer is cross-entropy's first step than mean_mse's?")
predict("gap_closed", ..., "And if both first steps are equally long, which share of the gap is closed?")

# %% [markdown]
# ## Experiment
# `compare` trains every loss at every learning rate from every seed; a seed draws split and initial weights, the same
# for all losses. First the usual picture: both at 0.1.

# %%
SEEDS = range(6 * rng(), 6 * rng() + 6)
OPTIONS = {"optimizer": "sgd", "seeds": SEEDS, "epochs": 10}


def network(rng):
    return MLP(64, 64, 10, init="he", rng=rng)


usual = compare([cross_entropy, mean_mse], "digits", model=network, lrs=[0.1], **OPTIONS)
print(usual)

# %% [markdown]
# But what is the same about it? A step is learning rate times gradient, and `diff` has the lengths of both gradients at
# the start. It also says at which rate the second loss takes a first step as long as the first loss does at 0.1.

# %%
(X, y), _ = data.load("digits", rng=SEEDS[0])
start = diff(network(SEEDS[0]), cross_entropy, mean_mse, X, y, lr=0.1)
ratio, lr = start.rows[-1].ratio, start.matched.lr_b
matched = compare([mean_mse], "digits", model=network, lrs=[lr], **OPTIONS)
print(matched)


def right(comparison, loss):
    """The median test accuracy at the loss's best learning rate."""
    return comparison.row(str(loss)).median


of_ce, of_mse, of_matched = right(usual, cross_entropy), right(usual, mean_mse), right(matched, mean_mse)

# %% [markdown]
# So a common learning rate decides nothing. A fair race gives each loss its own, chosen on validation data, and judges
# by test data that have chosen nothing. `mean_mse` need not run again: it is `mse_on_softmax` at a tenth of the
# learning rate.

# %%
RATES = (0.03, 0.1, 0.3, 1, 3)
THREE = [cross_entropy, mse_on_softmax, mse_on_logits]
race = compare(THREE, "digits", model=network, lrs=RATES, title="each at its best learning rate", **OPTIONS)
print(race)

# %% [markdown]
# What is a verdict worth? Six seeds give six differences, and an interval that covers their median in nineteen of
# twenty studies is no less than their whole range. So something can be said only if all six have one sign. Of two equal
# losses one study in thirty-two will still say that they differ, and a verdict on the edge may turn with the next six
# seeds: try `--rng 5`.
#
# The accuracies are close. The learning rates are not: how many of the five come within five points of the best?


# %%
def tolerance(loss):
    scores = np.array([race.score(str(loss), lr) for lr in RATES])
    return int((scores >= scores.max() - 0.05).sum())


# %% [markdown]
# That was from a good start. Now from a bad one: the weights of the output layer times twenty, a network that is sure
# of itself before it knows anything. Four learning rates, far apart, and five epochs.


# %%
def saturated(rng):
    model = network(rng)
    weight, _ = model.parameters()[-2:]
    weight.data = 20 * weight.data
    return model


short = OPTIONS | {"epochs": 5, "lrs": (0.001, 0.03, 0.3, 1), "title": "a start that is sure of itself"}
bad_start = compare(THREE, "digits", model=saturated, **short)
print(bad_start)

# %% [markdown]
# ## Figure
# The usual picture, with the third curve that is usually left out. Then both races.

# %%
with figures.style():
    ax = (fig := Figure(figsize=(7.2, 3.6))).subplots()
    runs = [(usual, cross_entropy, 0.1, "-"), (usual, mean_mse, 0.1, "-"), (matched, mean_mse, lr, "--")]
    for comparison, each, rate, line in runs:
        curves = np.array([run.curve for run in comparison.best(str(each))])
        colour = figures.looks([cross_entropy, mean_mse])[str(each)][0]
        ax.plot(range(1, 11), curves.T, color=colour, lw=0.5, alpha=0.4)
        ax.plot(range(1, 11), np.median(curves, 0), color=colour, ls=line, label=f"{each}, lr {rate:.3g}")
        figures.note(ax, **{f"curves of {each} at {rate:.3g}": curves})
    ax.set(xlabel="epoch (thin: six seeds)", ylabel="validation accuracy", ylim=(0, 1))
    said = "The gap is the length of the step: {ratio:.0f} times the learning rate closes {closed:.0%} of it"
    closed = (of_matched - of_mse) / (of_ce - of_mse)
    ax.set_title(figures.say(ax, said, ratio=ratio, closed=closed))
    ax.legend(loc="center right")
show(fig, "usual")
show(race.plot(), "race")
show(bad_start.plot(), "bad_start")

# %% [markdown]
# ## The way back
# The table behind the ratio: what the weights of each layer receive from the two losses at the start. A factor of ten
# is the mean over the classes. The rest is the softmax: like the sigmoid of lesson 05 it keeps most of p − y for
# itself.

# %%
print(start)
print(diff(network(SEEDS[0]), mse_on_softmax, mean_mse, X, y))

# %% [markdown]
# And the slopes that were written by hand, against those that the engine derives.


# %%
def slope_error(loss):
    z = network(SEEDS[0])(X).numpy().astype(np.float64)
    derived = grad(lambda z: loss.function(z, y).sum())(z)
    return np.abs(loss.value_and_grad(z, y, reduction="sum")[1] - derived).max()


# %% [markdown]
# ## Measured

# %%
fact("slopes", max(map(slope_error, THREE[1:])), "between the slopes by hand and the engine's: {value:.0e}")
fact("usual", [of_ce, of_mse], "at lr 0.1 cross_entropy gets {value[0]:.1%} right, mean_mse {value[1]:.1%}")
fact("ratio", ratio, "but its first step is {value:.1f} times longer")
fact("matched", of_matched, f"with steps of equal length, at lr {lr:.2f}, mean_mse gets {{value:.1%}} right")
fact("gap_closed", closed, "which closes {value:.0%} of the gap: all of it was the length of the step")
three = "{value[0]:.1%}, {value[1]:.1%} and {value[2]:.1%}"
fact("best", [right(race, each) for each in THREE], f"each at its best rate, in the order of the table: {three}")
apart = [race.differences(str(each)) for each in THREE[1:]]
fact("differences", apart, "seed by seed, less what cross_entropy gets")
fact(
    "median",
    np.median(apart, 1),
    "their medians: {value[0]:+.3f} for mse_on_softmax, {value[1]:+.3f} for mse_on_logits",
)
fact("tolerance", [tolerance(each) for each in THREE],
     "rates of five that come near the best: {value[0]}, {value[1]} and {value[2]}")  # fmt: skip
fact("bad_start", [right(bad_start, each) for each in THREE], f"from the bad start: {three}")
apart_bad = [bad_start.differences(str(each)) for each in THREE[1:]]
fact("differences_bad", apart_bad, "seed by seed, less what cross_entropy gets")
fact("median_bad", np.median(apart_bad, 1), "their medians: {value[0]:+.2f} and {value[1]:+.2f}")
verdicts = {(each.title, row.loss): row.verdict for each in (race, bad_start) for row in each.rows if row.verdict}
for (title, name), verdict in verdicts.items():
    print(f"  {title}, {name}: {verdict}")
fact("shown", verdicts[bad_start.title, "mse_on_logits"].startswith("worse"),
     "from the bad start mse_on_logits is shown to be worse: {value}")  # fmt: skip

# %% [markdown]
# So in the race little lies between the three, and whether it is anything at all is what the verdicts say, for these six
# seeds. Cross-entropy needs less luck with the learning rate, and less with the start. Larger studies agree: Hui and
# Belkin 2020, arXiv:2006.07322.
#
# ## Practice
# 1. Which part of `ratio` is only the mean over classes, a factor that the learning rate can undo?

# %%
mean_alone = diff(network(SEEDS[0]), mse_on_softmax, mean_mse, X, y).rows[-1].ratio
check("mean_alone", ..., mean_alone, wrong={
    ratio: "that is all of it, the slope of the softmax included",
    ratio / mean_alone: "that is the slope of the softmax; and the rest?",
}, look="mean_mse, where it is made")  # fmt: skip

# %% [markdown]
# 2. Which plan of an experiment is fair?

# %%
check("fair", ..., "own rates, chosen on validation data, six seeds", choices=[
    "own rates, chosen on validation data, six seeds", "one rate for all, ten seeds",
    "own rates, chosen on test data, six seeds", "own rates, three seeds ranked by their medians",
], wrong={
    "one rate for all, ten seeds": "one rate suits one loss; more seeds repeat the mistake more often",
    "own rates, chosen on test data, six seeds": "the rate is then chosen by the data that judge it: luck is reported",
    "own rates, three seeds ranked by their medians": "three pairs cannot show a difference, a rank is none",
})  # fmt: skip

# %% [markdown]
# 3. At which learning rate is `mse_on_logits`' first step as long as cross-entropy's at 0.1? `diff` knows.

# %%
third = diff(network(SEEDS[0]), cross_entropy, mse_on_logits, X, y, lr=0.1)
check("third_rate", ..., third.matched.lr_b, wrong={
    0.1 / third.rows[-1].ratio: "the other way round: the longer gradient gets the smaller rate",
    lr: "that is the rate of mean_mse",
}, look="the line `matched` of a diff")  # fmt: skip

# %% [markdown]
# 4. Of six paired differences five are positive, and one is −0.001. Is the loss better?

# %%
six = [0.012, 0.009, 0.021, 0.004, 0.015, -0.001]
check("five_of_six", ..., "yes" if "better" in metrics.verdict(six, "the first") else "not shown",
    choices=["yes", "not shown"], wrong={
    "yes": "the median is positive, but the interval of six is their whole range, and 0 is in it",
}, look="what a verdict is worth")  # fmt: skip

# %% [markdown]
# ## Remember
# A learning rate that is the same for two losses is not the same for two networks: compare losses each at its own best
# rate, on paired seeds. What is left to cross-entropy here is tolerance, not accuracy.
