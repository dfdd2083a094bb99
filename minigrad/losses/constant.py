"""The best prediction that ignores the inputs: what any model must beat, found from the loss's own gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.losses.kinds import PRED

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

    def both(c: Array) -> tuple[float, Array]:
        rows = np.broadcast_to(c, (n, *outputs)).copy()
        value, slope = loss.value_and_grad(rows, target, reduction="sum", sample_weight=sample_weight)
        return float(value) / n, slope.sum(0) / n

    if PRED[loss.pred].events:
        return _descended(both, np.full(outputs, PRED[loss.pred].neutral(outputs[-1])))
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
    """Quasi-Newton descent, BFGS with halved steps (Nocedal and Wright 2006, Numerical Optimization, algorithm 6.1)."""
    value, g = both(c)
    h = unit = np.eye(c.size)
    for _ in range(200):
        direction = -(h @ g)
        if np.abs(g).max(initial=0) < 1e-10:
            break
        step = 1.0
        while (new := both(c + step * direction))[0] > value + 1e-4 * step * (g @ direction) and step > 1e-10:
            step /= 2
        dc, dg = step * direction, new[1] - g
        bend = dc @ dg
        if bend > 1e-14 * (dc @ dc):
            left = unit - np.outer(dc, dg) / bend
            h = left @ h @ left.T + np.outer(dc, dc) / bend
        c, (value, g) = c + dc, new
    return c
