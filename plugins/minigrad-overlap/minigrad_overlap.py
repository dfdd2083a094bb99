"""Losses on sets: how much of what is marked, and of what should be, lies outside the overlap. The pack `overlap`.

They are no sums over samples: the counts TP = Σ w·p·t, FP = Σ w·p(1−t) and FN = Σ w·(1−p)t run over the whole batch,
its first axis, and each loss is the share wrong/(wrong + right) of two sums of them. What is wrong is counted, never
taken from 1, so nothing is lost near 0. Samples that are rightly left unmarked do not count, however many there are.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from minigrad import elementwise, hookimpl, loss, losses
from minigrad.losses import Loss, nonnegative, positive

Array = Any
Smooth = Annotated[float, positive, "samples that are taken for right beforehand; without them an empty set is 0/0"]

_share = elementwise(
    lambda x, y: x / (x + y),
    name="share",
    x=lambda x, y: y / (x + y) / (x + y),
    y=lambda x, y: -x / (x + y) / (x + y),
)
"""What x is of x + y; both slopes are products, so nothing cancels where the share is near 0 or 1."""


def _counts(pred: Array, target: Array, sample_weight: Array) -> tuple[Array, Array, Array]:
    """TP, FP and FN along the first axis, in float64: small terms are many."""
    p, t = pred.astype(np.float64), target.astype(np.float64)
    w = 1 if sample_weight is None else sample_weight.astype(np.float64)
    return tuple(np.sum(w * part, 0) for part in (p * t, p * (1 - t), (1 - p) * t))  # type: ignore[return-value]


@loss(pred="prob", target="unit", coupled=True)
def dice(pred: Array, target: Array, *, sample_weight: Array = None, smooth: Smooth = 1.0) -> Array:
    """Pulls all samples of the set with (1 + value)/D and all others with (1 − value)/D, however many those are.

    (FP + FN)/D with D = 2TP + FP + FN + s, which is 1 − (2TP + s)/D; slope w(1 − 2t − value)/D. With hard decisions and
    s → 0 it is 1 − F1.

    Args:
        pred: (n, …) probabilities.
        target: (n, …), in [0, 1].
        sample_weight: (n,) or (n, …), a weight of 2 is a sample twice.
        smooth: s > 0, a number of samples.

    Returns:
        (…), one for each class; a number for (n,). In [0, 1).

    >>> round(dice([0.9, 0.6, 0.2, 0.4], [1, 1, 0, 0]).item(), 6)  # 1.1/5.1
    0.215686

    Milletari 2016, doi:10.1109/3DV.2016.79.
    """
    tp, fp, fn = _counts(pred, target, sample_weight)
    return _share(fp + fn, 2 * tp + smooth).astype(pred.dtype)


@loss(pred="prob", target="unit", coupled=True)
def tversky(
    pred: Array,
    target: Array,
    *,
    sample_weight: Array = None,
    alpha: Annotated[float, nonnegative, "what a sample that is marked and should not be costs"] = 0.5,
    beta: Annotated[float, nonnegative, "what a sample that is missed costs"] = 0.5,
    smooth: Smooth = 1.0,
) -> Array:
    """Says which fault is the worse one: with β above α it rather marks too much than misses something.

    (α·FP + β·FN)/D with D = TP + α·FP + β·FN + s; slope w(g − value·(t + g))/D with g = α(1−t) − βt. It is dice(2s) at
    α = β = ½, and jaccard(s) at α = β = 1.

    Args:
        pred: (n, …) probabilities.
        target: (n, …), in [0, 1].
        sample_weight: (n,) or (n, …), a weight of 2 is a sample twice.
        alpha: α ≥ 0, the cost of false positives.
        beta: β ≥ 0, the cost of false negatives.
        smooth: s > 0, a number of samples.

    Returns:
        (…), one for each class; a number for (n,). In [0, 1).

    >>> round(tversky([0.9, 0.6, 0.2, 0.4], [1, 1, 0, 0], alpha=0.3, beta=0.7).item(), 6)  # 0.53/3.03
    0.174917

    Salehi 2017, doi:10.1007/978-3-319-67389-9_44.
    """
    tp, fp, fn = _counts(pred, target, sample_weight)
    return _share(alpha * fp + beta * fn, tp + smooth).astype(pred.dtype)


@loss(pred="prob", target="unit", coupled=True)
def jaccard(pred: Array, target: Array, *, sample_weight: Array = None, smooth: Smooth = 1.0) -> Array:
    """Pulls all samples of the set with 1/D, all others with (1 − value)/D: no harder the more of the set is missed.

    (FP + FN)/D with D = TP + FP + FN + s, which is 1 − (TP + s)/D; slope w(1 − 2t − value·(1−t))/D. With hard decisions
    and s → 0 it is 1 − IoU. Where dice with smoothing 2s is d, it is 2d/(1 + d).

    Args:
        pred: (n, …) probabilities.
        target: (n, …), in [0, 1].
        sample_weight: (n,) or (n, …), a weight of 2 is a sample twice.
        smooth: s > 0, a number of samples.

    Returns:
        (…), one for each class; a number for (n,). In [0, 1).

    >>> round(jaccard([0.9, 0.6, 0.2, 0.4], [1, 1, 0, 0]).item(), 6)  # 1.1/3.6
    0.305556

    Rahman, Wang 2016, doi:10.1007/978-3-319-50835-1_22.
    """
    tp, fp, fn = _counts(pred, target, sample_weight)
    return _share(fp + fn, tp + smooth).astype(pred.dtype)


dice_bce = (0.5 * dice + 0.5 * losses.get("bce")).named(
    "dice_bce",
    """Shows every sample the way, as bce does, and lets a set that is small count as much as a large one, as dice does.

    ½·dice + ½·bce, each reduced by itself; the slope is the sum of their halves. Where dice alone would see nothing
    overlap, bce still pulls, and the harder the surer a mistake is.

    Args:
        pred: (n, …) probabilities.
        target: (n, …), in [0, 1].

    Returns:
        A number.

    >>> round(dice_bce([0.9, 0.6, 0.2, 0.4], [1, 1, 0, 0]).item(), 6)  # ½·0.215686 + ½·0.337539
    0.276613

    Isensee 2021, doi:10.1038/s41592-020-01008-z.
    """,
)


@hookimpl
def minigrad_losses() -> list[Loss]:
    """The losses of this pack."""
    return [dice, tversky, jaccard, dice_bce]
