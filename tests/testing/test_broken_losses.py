"""The kit against broken losses: each fault is caught on the line that is about it.

A row of BROKEN is a sound loss with one fault put in, the line of the card that must catch it, and the fault in words.
The table in plugins/README.md is made from it.
"""

import os
import random
import re
import warnings
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest

from minigrad import loss
from minigrad.losses import fitted, pick, positive
from minigrad.ops import log_softmax, sigmoid, softmax_residual, softplus
from minigrad.testing import check_loss

BROKEN = {}


def broken(line, fault):
    """Put a loss into the table."""

    def add(made):
        BROKEN[made.name] = (made, line, fault)
        return made

    return add


def dropped(tensor):
    return tensor.detach() if hasattr(tensor, "detach") else tensor


def clip_slope(pred, target, *, delta):
    return np.clip(pred - target, -delta, delta)


def huber_of(r, delta):
    far = np.abs(r) > delta
    near = np.where(far, 0, r)
    return np.where(far, delta * (np.abs(r) - 0.5 * delta), 0.5 * near * near)


# --- value ------------------------------------------------------------------------------------------------------------
@broken("value", "the mean is taken inside")
@loss
def reduced(pred, target):
    return ((pred - target) ** 2).mean()


@broken("value", "float32 becomes float64: a NumPy number in the formula")
@loss(kinks=(), claims="symmetric")
def leaking(pred, target):
    return np.logaddexp(pred - target, target - pred) - np.log(2)


@broken("value", "float32 becomes float64: branches of plain numbers")
@loss
def leaking_branches(pred, target):
    return np.where(pred > target, 0.75, -0.25) * (pred - target)


@broken("value", "a target is broadcast into a table")
@loss
def table(pred, target):
    return (pred[:, None] - target) ** 2


@broken("value", "NaN on ordinary predictions: the root of a residual")
@loss
def undefined(pred, target):
    return np.sqrt(pred - target)


@broken("value", "0 · ln 0 for a label of 0")
@loss(pred="log_probs", target="simplex")
def entropy_of_zero(pred, target):
    return (target * (np.log(target) - pred)).sum(-1)


@broken("value", "leaves the graph: numbers are taken out of the Tensor")
@loss(grad=lambda pred, target: 2 * (pred - target))
def out_of_the_graph(pred, target):
    pred = getattr(pred, "data", pred)
    return (np.asarray(pred) - target) ** 2


@broken("value", "one sample is squeezed to a scalar")
@loss(pred="logits", target="index")
def squeezed(pred, target):
    return np.squeeze(-log_softmax(pred)[np.arange(len(target)), target])


@broken("value", "sums over an axis of the batch")
@loss
def flattened(pred, target):
    r = (pred - target) ** 2
    return r if r.ndim == 1 else r / r.shape[1]


@broken("value", "wraps around with labels of a small integer type")
@loss(pred="logits", target="index")
def wrapping(pred, target):
    k, v = pred.shape[-1], -log_softmax(pred)
    at = target * target.dtype.type(31) // target.dtype.type(31)
    return pick(v, at % k)


# --- repeatable -------------------------------------------------------------------------------------------------------
@broken("repeatable", "writes into the prediction")
@loss
def writing(pred, target):
    r = pred
    r -= target
    return r * r


@broken("repeatable", "writes into the target")
@loss(grad=lambda pred, target: 2 * (pred - target))
def writing_targets(pred, target):
    target[target == 0] = 1e-9
    return (pred - target) ** 2


CLOCK = iter(range(10**9))
OWN = np.random.default_rng(0)
SEEN = []


@broken("repeatable", "noise from a generator of its own")
@loss(grad=lambda pred, target: 2 * (pred - target))
def noisy(pred, target):
    return (pred - target) ** 2 + 1e-3 * OWN.standard_normal(np.shape(pred)).astype(pred.dtype)


@broken("repeatable", "a gradient with noise from NumPy's global state")
@loss(grad=lambda pred, target: 2 * (pred - target) * (1 + 1e-12 * np.random.rand()))  # noqa: NPY002
def noisy_gradient(pred, target):
    return (pred - target) ** 2


@broken("repeatable", "seeds NumPy's global state")
@loss
def seeding(pred, target):
    np.random.seed(0)  # noqa: NPY002
    return (pred - target) ** 2


@broken("repeatable", "seeds Python's global state")
@loss
def seeding_python(pred, target):
    random.seed(0)
    return (pred - target) ** 2


@broken("repeatable", "silences NumPy for everybody")
@loss
def silencing(pred, target):
    np.seterr(all="ignore")
    return (pred - target) ** 2


@broken("repeatable", "silences warnings for everybody")
@loss
def filtering(pred, target):
    warnings.simplefilter("ignore")
    return (pred - target) ** 2


@broken("repeatable", "counts its calls, and changes after the hundredth")
@loss
def tiring(pred, target):
    return (pred - target) ** 2 * (1 if next(CLOCK) < 100 else 1.001)


@broken("repeatable", "returns one array again and again")
@loss(grad=lambda pred, target: 2 * (pred - target))
def reusing(pred, target):
    if not isinstance(pred, np.ndarray):
        return (pred - target) ** 2
    kept = KEPT.setdefault((pred.shape, pred.dtype), np.empty(pred.shape, pred.dtype))
    return np.square(pred - target, out=kept)


KEPT = {}


HELD = []


@broken("repeatable", "keeps what it was given")
@loss
def keeping(pred, target):
    HELD.append(pred)
    return (pred - target) ** 2


@broken("repeatable", "prints")
@loss
def printing(pred, target):
    print("loss:", pred.shape)
    return (pred - target) ** 2


@broken("repeatable", "changes the environment")
@loss
def exporting(pred, target):
    os.environ["OMP_NUM_THREADS"] = "3"
    return (pred - target) ** 2


# --- gradient ---------------------------------------------------------------------------------------------------------
@broken("gradient", "factor 2")
@loss(grad=lambda pred, target: pred - target)
def half_slope(pred, target):
    return (pred - target) ** 2


@broken("gradient", "sign")
@loss(grad=lambda pred, target: 2 * (target - pred))
def turned(pred, target):
    return (pred - target) ** 2


@broken("gradient", "reduction: the closed form is that of the mean")
@loss(grad=lambda pred, target: 2 * (pred - target) / len(pred))
def mean_slope(pred, target):
    return (pred - target) ** 2


@broken("gradient", "reduction: the closed form is that of the mean over classes")
@loss(pred="logits", target="index", grad=lambda pred, target: softmax_residual(pred, target) / pred.shape[-1])
def class_mean_slope(pred, target):
    return pick(-log_softmax(pred), target)


@broken("gradient", "swapped arguments")
@loss(grad=lambda pred, target, *, quantile: np.where(pred < target, 1 - quantile, -quantile).astype(pred.dtype))
def swapped(pred, target, *, quantile=0.8):
    r = pred - target
    return np.where(r > 0, (1 - quantile) * r, -quantile * r)


@broken("gradient", "a branch is dropped: the far one")
@loss(grad=clip_slope)
def without_far_branch(pred, target, *, delta=1.0):
    return 0.5 * (pred - target) ** 2 + 0 * delta


@broken("gradient", "the closed form does not read the parameter")
@loss(grad=lambda pred, target, *, delta: np.clip(pred - target, -1, 1))
def forgetful_slope(pred, target, *, delta: Annotated[float, positive] = 1.0):
    return huber_of(pred - target, delta)


@broken("gradient", "the value jumps where the branches meet")
@loss(grad=clip_slope, kinks=())
def jumping(pred, target, *, delta=1.0):
    r = pred - target
    far = np.abs(r) > delta
    return np.where(far, delta * np.abs(r), 0.5 * np.where(far, 0, r) ** 2)


@broken("gradient", "a part is detached")
@loss
def detached(pred, target):
    r = pred - target
    return r * dropped(r)


@broken("gradient", "the gradient is cut")
@loss
def cut(pred, target):
    r = pred - target
    return dropped(r) ** 2 + 0 * r


@broken("gradient", "wrong beyond 50 only")
@loss(grad=lambda pred, target: np.clip(2 * (pred - target), -100, 100))
def wrong_far_out(pred, target):
    return (pred - target) ** 2


@broken("gradient", "wrong beyond 5000 only")
@loss(grad=lambda pred, target: np.clip(2 * (pred - target), -1e4, 1e4))
def wrong_very_far_out(pred, target):
    return (pred - target) ** 2


@broken("gradient", "wrong within 0.001 only")
@loss(grad=lambda pred, target: np.where(np.abs(pred - target) < 1e-3, 3, 2) * (pred - target).astype(pred.dtype))
def wrong_near_the_target(pred, target):
    return (pred - target) ** 2


def _slope_but_class_9(pred, target):
    slope = softmax_residual(pred, target)
    return np.where((target == 9)[..., None], 2 * slope, slope)


@broken("gradient", "wrong for one class of ten")
@loss(pred="logits", target="index", grad=_slope_but_class_9)
def wrong_for_a_class(pred, target):
    return pick(-log_softmax(pred), target)


@broken("gradient", "wrong between 2 and 2.01 only")
@loss(grad=lambda pred, target: np.where(np.abs(np.abs(pred - target) - 2.005) < 0.005, 3, 2) * (pred - target))
def wrong_in_a_band(pred, target):
    return (pred - target) ** 2


@broken("gradient", "right for ten classes only")
@loss(pred="logits", target="index", grad=lambda pred, target: softmax_residual(pred, target) * (pred.shape[-1] / 10))
def ten_classes_only(pred, target):
    return pick(-log_softmax(pred), target)


@broken("gradient", "rounds soft labels")
@loss(pred="logit", target="unit", grad=lambda pred, target: sigmoid(pred) - np.round(target))
def rounded_labels(pred, target):
    return (1 - target) * softplus(pred) + target * softplus(-pred)


@broken("gradient", "right for labels, wrong for soft ones")
@loss(
    pred="logits", target="index|simplex",
    grad=lambda pred, target: softmax_residual(pred, target if target.ndim < pred.ndim else np.round(target)),
)  # fmt: skip
def wrong_for_soft_labels(pred, target):
    return pick(-log_softmax(pred), target)


@broken("gradient", "wrong for negative targets")
@loss(grad=lambda pred, target: np.where(target < 0, -1, 1).astype(pred.dtype) * 2 * (pred - target))
def wrong_below_zero(pred, target):
    return (pred - target) ** 2


@broken("gradient", "wrong in the sixth digit")
@loss(pred="logit", target="unit", grad=lambda pred, target: sigmoid(pred) - target + 2e-6)
def wrong_digit(pred, target):
    return (1 - target) * softplus(pred) + target * softplus(-pred)


@broken("gradient", "of two heads one is forgotten")
@loss(
    pred="params",
    target="real",
    heads="mean log_var",
    grad=lambda pred, target: np.stack([(pred[..., 0] - target) * np.exp(-pred[..., 1]), 0 * pred[..., 1]], -1),
)
def one_head(pred, target):
    return 0.5 * (pred[..., 1] + (pred[..., 0] - target) ** 2 * np.exp(-pred[..., 1]))


@broken("gradient", "the closed form makes float64 of float32")
@loss(grad=lambda pred, target: np.where(pred > target, 1.0, -1.0) + 0 * np.float64(1))
def leaking_slope(pred, target):
    return np.abs(pred - target)


@broken("gradient", "the closed form has another shape")
@loss(pred="logits", target="index", grad=lambda pred, target: softmax_residual(pred, target).sum(-1))
def misshapen(pred, target):
    return pick(-log_softmax(pred), target)


@broken("gradient", "NaN at a perfect prediction: the root of a square")
@loss(pred="embedding", target="none", heads="first second")
def root_of_a_square(pred, target=None):
    return np.sqrt(np.sum((pred[..., 0, :] - pred[..., 1, :]) ** 2, -1))


# --- permutation, weights, labels -------------------------------------------------------------------------------------
@broken("permutation", "reduction: divided by the number of samples")
@loss
def divided(pred, target):
    return (pred - target) ** 2 / len(pred)


@broken("permutation", "depends on the order of the samples")
@loss
def in_order(pred, target):
    return (pred - target) ** 2 * (1 + np.arange(len(pred), dtype=pred.dtype) / len(pred)).reshape(
        -1, *(1,) * (pred.ndim - 1)
    )


@broken("permutation", "depends on the other samples: scaled by the largest residual")
@loss
def relative(pred, target):
    r = np.abs(pred - target)
    return r / (1 + r.max())


@broken("permutation", "normalised by the mean of the batch's targets")
@loss
def normalised(pred, target):
    return (pred - target) ** 2 / (1 + np.mean(np.abs(target)))


@broken("permutation", "shifts all rows by the largest score of the batch")
@loss(pred="logits", target="index", claims="convex")
def shifted_by_all(pred, target):
    z = pred - pred.max()
    return np.log(np.exp(z).sum(-1)) - pick(z, target)


@broken("permutation", "a gradient normalised over the batch")
@loss(grad=lambda pred, target: 2 * (pred - target) * (1 + 1e-4 * np.sign(pred - target).mean()))
def normalised_slope(pred, target):
    return (pred - target) ** 2


@broken("permutation", "wrong when the batch is large")
@loss
def chunked(pred, target):
    r = pred - target
    first = np.arange(len(pred)).reshape(-1, *(1,) * (pred.ndim - 1)) < 1000
    return np.where(first, r**2, 2 * r**2)


@broken("permutation", "adds the samples up one after the other")
@loss
def accumulated(pred, target):
    return np.cumsum((pred - target) ** 2, 0)


@broken("permutation", "couples the batch and counts its first row twice")
@loss(pred="prob", target="unit", coupled=True)
def first_row_twice(pred, target):
    error = (pred - target) ** 2
    return error.mean() + error[0] / len(pred)


@broken("weights", "takes weights and does not use them")
@loss(pred="prob", target="unit", coupled=True)
def unweighted(pred, target, *, sample_weight=None):
    return 1 - (2 * (pred * target).sum() + 1) / (pred.sum() + target.sum() + 1)


@broken("weights", "counts rows where weights are meant")
@loss(pred="prob", target="unit", coupled=True)
def half_weighted(pred, target, *, sample_weight=None):
    w = 1 if sample_weight is None else sample_weight
    return (w * (pred - target) ** 2).sum() / len(pred)


@broken("labels", "smooths labels and not rows")
@loss(pred="logits", target="index|simplex")
def unlike_labels(pred, target):
    v = -log_softmax(pred)
    return pick(v, target) if target.ndim == pred.ndim else 0.9 * pick(v, target) + 0.1 * v.mean(-1)


# --- what it is -------------------------------------------------------------------------------------------------------
@broken("minimum", "the sign of the whole loss")
@loss(kinks=())
def rewarding(pred, target):
    return -((pred - target) ** 2)


@broken("minimum", "the target is not read")
@loss
def blind(pred, target):
    return pred**2 + 0 * target


@broken("minimum", "swapped labels: the wrong class is cheap")
@loss(pred="logit", target="binary")
def swapped_labels(pred, target):
    return target * softplus(pred) + (1 - target) * softplus(-pred)


@broken("minimum", "one class of ten is turned round")
@loss(pred="logits", target="index")
def turned_class(pred, target):
    v = pick(-log_softmax(pred), target)
    return np.where(target == 4, -v, v)


@broken("minimum", "arguments swapped in the formula: the rate of the target")
@loss(pred="real", target="count")
def swapped_rate(pred, target):
    return np.exp(target) - pred * target


@broken("slope", "a kink is denied")
@loss(kinks=())
def denied_kink(pred, target):
    return np.abs(pred - target)


@broken("slope", "a kink is claimed where there is none")
@loss(kinks=lambda pred, target: pred - target)
def false_kink(pred, target):
    return (pred - target) ** 2


@broken("slope", "the kink is somewhere else")
@loss(pred="logit", target="sign", kinks=lambda pred, target: pred)
def misplaced_kink(pred, target):
    u = 1 - pred * target
    return np.where(u > 0, u, 0)


@broken("slope", "the declared kink does not move with the parameter")
@loss(pred="logit", target="sign", kinks=lambda pred, target: 1 - pred * target)
def fixed_kink(pred, target, *, margin: Annotated[float, positive] = 1.0):
    u = margin - pred * target
    return np.where(u > 0, u, 0)


@broken("slope", "a kink function that vanishes everywhere")
@loss(kinks=lambda pred, target: 0 * pred)
def everywhere_kink(pred, target):
    return np.abs(pred - target)


@broken("slope", "a kink far out is denied")
@loss(kinks=())
def denied_far_kink(pred, target):
    return np.where(np.abs(pred - target) < 300, (pred - target) ** 2, 300 * np.abs(pred - target))


# --- claims -----------------------------------------------------------------------------------------------------------
@broken("convex", "claimed of a loss with a dent")
@loss(claims="convex")
def not_convex(pred, target):
    return np.log1p((pred - target) ** 2)


@broken("convex", "claimed of a loss that bends down beyond 100 only")
@loss(claims="convex")
def not_convex_far_out(pred, target):
    r = np.abs(pred - target)
    return np.where(r > 100, 100 * np.sqrt(np.where(r > 100, r, 100)) - 900, r)


@broken("convex", "claimed of every head by itself")
@loss(pred="params", target="real", heads="mean log_var", claims="convex")
def not_jointly_convex(pred, target):
    return 0.5 * (pred[..., 1] + (pred[..., 0] - target) ** 2 * np.exp(-pred[..., 1]))


@broken("symmetric", "claimed of a quantile that is not the middle one")
@loss(claims="symmetric convex")
def not_symmetric(pred, target, *, quantile=0.8):
    r = pred - target
    return np.where(r > 0, (1 - quantile) * r, -quantile * r)


@broken("symmetric", "claimed with one class that weighs more")
@loss(pred="logits", target="index", claims="symmetric convex proper shift_invariant")
def heavier_class(pred, target):
    return (1 + 0.01 * (target == 7)).astype(pred.dtype) * pick(-log_softmax(pred), target)


@broken("proper", "claimed of a hinge")
@loss(pred="logit", target="sign", claims="proper")
def not_proper(pred, target):
    u = 1 - pred * target
    return np.where(u > 0, u, 0)


@broken("proper", "claimed with labels smoothed by a fiftieth")
@loss(pred="logits", target="index", claims="proper")
def barely_improper(pred, target):
    v = -log_softmax(pred)
    return 0.98 * pick(v, target) + 0.02 * v.mean(-1)


@broken("proper", "claimed of a median under an exponential")
@loss(pred="real", target="positive", claims="proper")
def elicits_the_median(pred, target):
    return np.abs(np.exp(pred) - target)


@broken("proper", "a link that does not fit the formula")
@loss(
    pred="params",
    target="real",
    heads="mean log_var",
    claims="proper",
    link=lambda pred: {"mean": pred[..., 0], "sd": np.exp(pred[..., 1])},
)
def misread(pred, target):
    return 0.5 * (pred[..., 1] + (pred[..., 0] - target) ** 2 * np.exp(-pred[..., 1]))


@broken("proper", "claimed of a loss on real numbers, where it says nothing")
@loss(claims="proper")
def without_probabilities(pred, target):
    return (pred - target) ** 2


@broken("shift_invariant", "claimed of squared scores")
@loss(pred="logits", target="index", claims="shift_invariant")
def not_shift_invariant(pred, target):
    return pick(-log_softmax(pred), target) + 1e-3 * (pred**2).mean(-1)


# --- numbers ----------------------------------------------------------------------------------------------------------
@broken("finite", "overflow: the logarithm of a sum of exponentials, as it is written")
@loss(pred="logit", target="unit")
def overflowing(pred, target):
    return np.log(1 + np.exp(pred)) - target * pred


@broken("finite", "ln 0: a probability that is rounded to 1")
@loss(pred="logit", target="unit")
def rounded_to_one(pred, target):
    p = sigmoid(pred)
    return -np.log(np.where(target > 0.5, p, 1 - p))


@broken("finite", "0 · ∞ at a probability of 0")
@loss(pred="prob", target="unit")
def zero_times_infinity(pred, target):
    return -(target * np.log(pred) + (1 - target) * np.log(1 - pred))


@broken("finite", "NaN in the gradient alone, far out")
@loss(pred="logit", target="unit", grad=lambda pred, target: np.exp(pred) / (1 + np.exp(pred)) - target)
def nan_in_the_slope(pred, target):
    return softplus(pred) - target * pred


@broken("finite", "NaN for a pair on one point: the root of 0")
@loss(pred="embedding", target="none", heads="first second", coupled=True)
def mean_distance(pred, target=None):
    return np.sqrt(((pred[:, 0] - pred[:, 1]) ** 2).sum(-1)).mean()


@broken("finite", "a floor that float32 does not have")
@loss(pred="prob", target="unit")
def floor_too_low(pred, target):
    p = np.where(target > 0.5, pred, 1 - pred)
    return -np.log(p + 1e-300) + 0 * p


@broken("float32", "computed in half precision where the prediction is single")
@loss(grad=lambda pred, target: 2 * (pred - target))
def half_precision(pred, target):
    r = pred - target
    return r * r if r.dtype == np.float64 else (r.astype(np.float16).astype(np.float32)) ** 2


@broken("float32", "the closed form is wrong in float32")
@loss(grad=lambda pred, target: (2 if pred.dtype == np.float64 else 1.9) * (pred - target))
def wrong_single_slope(pred, target):
    return (pred - target) ** 2


# --- parameters, learning ---------------------------------------------------------------------------------------------
@broken("parameters", "a parameter without effect")
@loss
def idle(pred, target, *, delta=1.0):
    return (pred - target) ** 2


@broken("parameters", "of two parameters one is read twice")
@loss
def read_twice(pred, target, *, low=0.2, high=0.8):
    r = pred - target
    return np.where(r > 0, low * r, -low * r)


@broken("parameters", "a fitted parameter that is not used")
@loss(pred="logits", target="index")
def unused_counts(pred, target, *, counts=fitted(lambda target: np.bincount(target) + 0.0)):
    return pick(-log_softmax(pred), target)


# --- the tests --------------------------------------------------------------------------------------------------------
GUIDE = Path(__file__).parents[2] / "plugins" / "README.md"
BEGIN, END = "<!-- broken-losses -->", "<!-- /broken-losses -->"


@cache
def card_of(name):
    return check_loss(BROKEN[name][0])


def markdown():
    """What catches what, as Markdown: a line of the card, the faults that it catches, and the diagnoses it gives."""
    rows = ["| line of the card | catches, among others |", "|---|---|"]
    for line in dict.fromkeys(line for _, line, _ in BROKEN.values()):
        faults = [
            (fault, re.sub(" = [0-9/.]+", "", card_of(name)[line].note))
            for name, (_, at, fault) in BROKEN.items()
            if at == line
        ]
        said = [
            f"{fault} (*{note}*)" if note and any(c.isalpha() for c in note[6:]) else fault for fault, note in faults
        ]
        rows.append(f"| {line} | {' · '.join(said)} |")
    return "\n".join(rows)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_loss_is_caught_on_the_line_that_is_about_its_fault(name):
    line = BROKEN[name][1]
    assert line in card_of(name).failed, card_of(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_it_is_caught_in_every_draw(name):
    made, line, _ = BROKEN[name]
    assert [rng for rng in range(20) if line not in anew(made, rng).failed] == []


def anew(made, rng):
    """A card as in a new process: some of these losses remember what they were asked before."""
    global CLOCK
    CLOCK = iter(range(10**9))
    KEPT.clear()
    HELD.clear()
    return check_loss(made, rng=rng)


def test_there_are_forty_of_them_and_all_lines_that_judge_catch_some():
    assert len(BROKEN) >= 40
    judging = {row.name for row in check_loss("mse").rows} - {
        "at chance", "at ±∞", "bounds", "one outlier", "scaling", "relatives", "cost",
    }  # fmt: skip
    assert {line for _, line, _ in BROKEN.values()} == judging - {"learns"}


@pytest.mark.parametrize(
    ("name", "line", "text", "note"),
    [
        ("half_slope", "gradient", "the value's slope is", "ratio ½: factor"),
        ("turned", "gradient", "the value's slope is", "ratio −1: sign"),
        ("cut", "gradient", "autograd says 0", "0: the gradient is cut"),
        ("class_mean_slope", "gradient", "grad= says", "ratio 1/K = 1/10: reduction"),
        ("divided", "permutation", "alone a value is", "ratio n = 240: reduction"),
        ("jumping", "gradient", "the value jumps from 1 to 0.5 at r = -1 (target 0)", "path integral"),
        ("denied_kink", "slope", "it jumps from -1 to 1 at r = 0 (target 0), but kinks= is ()", ""),
        ("false_kink", "slope", "kinks= names r = 0 (target 0), but the slope does not jump there", ""),
        ("idle", "parameters", "delta changes nothing: 1 and other values give the same", ""),
        (
            "leaking",
            "value",
            "the function makes float64 of float32; write math.log(2) for np.log(2), np.where(c, a * r, b",
            "",
        ),
        ("writing", "repeatable", "the function writes into pred", ""),
        ("rewarding", "minimum", "-64 at r = -8 (target 0), 0 where the prediction is right", "the worse, the cheaper"),
    ],
)
def test_the_counterexample_and_the_diagnosis_are_on_the_line(name, line, text, note):
    row = card_of(name)[line]
    assert text in row.text
    assert row.note == note


def test_the_table_in_the_guide_is_this_one():
    """To renew it: python tests/testing/test_broken_losses.py."""
    assert GUIDE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip() == markdown()


if __name__ == "__main__":
    before, _, rest = GUIDE.read_text(encoding="utf-8").partition(BEGIN)
    GUIDE.write_text(f"{before}{BEGIN}\n{markdown()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
