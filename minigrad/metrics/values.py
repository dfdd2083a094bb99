"""Metrics of values: how far predictions are from what was measured. Several columns are averaged."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.metrics.metric import Array, metric, pair
from minigrad.nn.arguments import number


def _wide(pred: Array, target: Array) -> tuple[Array, Array]:
    """Both in float64: small integers would wrap, float32 would round the sums."""
    return pred.astype(np.float64), target.astype(np.float64)


@metric(higher_is_better=False, reads="values")
def mae(pred: Array, target: Array) -> Any:
    """The mean of |pred − target|, in the unit of the target.

    >>> mae([1.0, 2.0], [2.0, 4.0])
    1.5
    """
    p, t = _wide(pred, target)
    return np.mean(np.abs(p - t))


@metric(higher_is_better=False, reads="values")
def rmse(pred: Array, target: Array) -> Any:
    """√ of the mean of (pred − target)², in the unit of the target."""
    p, t = _wide(pred, target)
    return np.mean(np.sqrt(np.mean((p - t) ** 2, 0)))


@metric(higher_is_better=True, reads="values")
def r2(pred: Array, target: Array) -> Any:
    """1 − Σ(target − pred)²/Σ(target − mean)²: 1 is perfect, 0 is what the mean of these targets does.

    Targets that are all equal give 1 for a perfect prediction and 0 for any other.
    """
    p, t = _wide(pred, target)
    rest, spread = np.sum((t - p) ** 2, 0), np.sum((t - t.mean(0)) ** 2, 0)
    share = np.divide(rest, spread, out=np.where(rest > 0, 1.0, 0.0), where=spread > 0)
    return np.mean(1 - share)


@metric(higher_is_better=False, reads="values")
def coverage_gap(pred: Array, target: Array, *, quantile: float = 0.5) -> Any:
    """How far the share of targets at or below the prediction is from the quantile that was predicted."""
    q = number("coverage_gap", "quantile", quantile, "in (0, 1)", lambda v: 0 < v < 1)
    return abs(coverage(pred, target) - q)


def coverage(pred: Any, target: Any) -> float:
    """The share of targets at or below the prediction: about q for a prediction of the q-quantile.

    Args:
        pred: predictions of a quantile.
        target: what was measured, of that shape.

    Raises:
        ShapeError: the two are not of one shape, or there are none.

    >>> coverage([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 1.0])
    0.75
    """
    p, t = pair("coverage", pred, target)
    return float(np.mean(t <= p))
