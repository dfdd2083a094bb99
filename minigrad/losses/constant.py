"""The best prediction that ignores the inputs: what any model must beat, found from the loss's own gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.losses.kinds import PRED
from minigrad.ops import log_softmax, softmax

if TYPE_CHECKING:
    from minigrad.losses.loss import Loss

Array = Any


def constant(loss: Loss, target: Any, outputs: tuple[int, ...], *, sample_weight: Any = None) -> Array:
    """The output c, the same for every sample, of least mean loss.

    Args:
        loss: a loss whose samples do not depend on each other.
        target: targets as the loss takes them beside predictions (n, *outputs), see `align`.
        outputs: the shape of one prediction, such as (1,) or (10,).
        sample_weight: one weight per sample, or None.

    Returns:
        c, of shape `outputs`, float64. Where the loss falls for ever (a class that never occurs) it is the value at
        which it has stopped falling visibly.
    """
    n = len(target)
    if not loss.coupled:  # a target that stands there k times is one of weight k: of ten classes ten rows are left
        target, place = np.unique(target, axis=0, return_inverse=True)
        sample_weight = np.bincount(place.ravel(), sample_weight).astype(np.float64)

    def both(c: Array) -> tuple[float, Array]:
        rows = np.broadcast_to(c, (len(target), *outputs)).copy()
        value, slope = loss.value_and_grad(rows, target, reduction="sum", sample_weight=sample_weight)
        with np.errstate(all="ignore"):  # a step too far
            return float(value) / n, slope.sum(0) / n

    def through_scores(z: Array) -> tuple[float, Array]:
        value, g = both(log_softmax(z))
        return value, g - softmax(z) * g.sum()

    if loss.pred == "log_probs":  # of which not every row is one: scores may be anything
        c: Array = log_softmax(_descended(through_scores, np.zeros(outputs)))
        return c
    if PRED[loss.pred].events:
        return _descended(both, np.zeros(outputs))
    return _bisected(lambda c: both(c)[1], loss, outputs)


def _bisected(slope: Any, loss: Loss, outputs: tuple[int, ...]) -> Array:
    """Where the slope changes its sign, every output by itself: the middle of the flat piece, if there is one."""
    neutral = PRED[loss.pred].neutral(1)
    reach = 0.5 if loss.pred == "prob" else 1.0
    low, high = np.full(outputs, neutral - reach), np.full(outputs, neutral + reach)
    for _ in range(0 if loss.pred == "prob" else 60):
        out_low, out_high = slope(low) >= 0, slope(high) <= 0
        if not (out_low.any() or out_high.any()) or (loss.pred == "logit" and high.max() > 40):
            break
        low, high = (
            np.where(out_low, neutral + 2 * (low - neutral), low),
            np.where(out_high, neutral + 2 * (high - neutral), high),
        )
    return (_edge(slope, low, high, strict=True) + _edge(slope, low, high, strict=False)) / 2


def _edge(slope: Any, low: Array, high: Array, *, strict: bool) -> Array:
    """The last place with a slope below 0, or not above 0."""
    for _ in range(80):
        middle = (low + high) / 2
        rising = slope(middle) >= 0 if strict else slope(middle) > 0
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    return (low + high) / 2


def _descended(both: Callable[[Array], tuple[float, Array]], c: Array) -> Array:
    """Quasi-Newton descent, BFGS, which also passes kinks: Lewis, Overton 2013, doi:10.1007/s10107-012-0514-2."""
    value, g = both(c)
    h = unit = np.eye(c.size)
    for _ in range(200):
        direction = -(h @ g)
        if np.abs(g).max(initial=0) < 1e-12:
            break
        step, (new, slope) = _step(both, c, direction, value, g)
        if not step:  # no way down: the end, unless a kink has misled h
            if h is unit:
                break
            h = unit
            continue
        dc, dg = step * direction, slope - g
        bend = dc @ dg
        if bend > 1e-14 * (dc @ dc):
            left = unit - np.outer(dc, dg) / bend
            h = left @ h @ left.T + np.outer(dc, dc) / bend
        c, value, g = c + dc, new, slope
    return c


def _step(both: Any, c: Array, direction: Array, value: float, g: Array) -> tuple[float, tuple[float, Array]]:
    """How far to go: until the loss is less and its slope flatter (weak Wolfe conditions, by bisection), or 0."""
    low, high, step, fall = 0.0, np.inf, 1.0, g @ direction
    for _ in range(50):
        new = both(c + step * direction)
        if not new[0] <= value + 1e-4 * step * fall + 1e-15 * abs(value):  # nor is a NaN
            high = step
        elif new[1] @ direction < 0.9 * fall:
            low = step
        else:
            return step, new
        step = (low + high) / 2 if high < np.inf else 2 * low
    return low, both(c + low * direction)
