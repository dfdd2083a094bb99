"""Losses on real numbers. r is pred − target throughout; derivatives are per sample."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from minigrad.losses.loss import Loss, loss
from minigrad.losses.parameters import positive
from minigrad.losses.registry import hookimpl

Array = Any


@loss(kinks=(), claims="convex symmetric", grad=lambda pred, target: 2 * (pred - target))
def mse(pred: Array, target: Array) -> Array:
    """An error twice as large pulls twice as hard.

    r², slope 2r; no ½. Elicits the mean.

    Args:
        pred: S, in the unit of the target.
        target: S, finite.

    Returns:
        S, the unit squared.

    >>> mse([3.0], [1.0]).item()
    4.0

    Legendre 1805; Gauss 1809.
    """
    return (pred - target) ** 2


@loss(
    kinks=lambda pred, target: pred - target,
    claims="convex symmetric",
    grad=lambda pred, target: np.sign(pred - target),
)
def mae(pred: Array, target: Array) -> Array:
    """Every error pulls equally hard, whatever its size: an outlier no more, a near hit no less.

    |r|, slope sign r, 0 at 0. Elicits the median.

    Args:
        pred: S, in the unit of the target.
        target: S, finite.

    Returns:
        S, the unit of the target.

    >>> mae([3.0], [1.0]).item()
    2.0

    Boscovich 1757.
    """
    return np.abs(pred - target)


def _huber_slope(pred: Array, target: Array, *, delta: float) -> Array:
    return np.clip(pred - target, -delta, delta)


@loss(kinks=(), claims="convex symmetric", grad=_huber_slope)
def huber(
    pred: Array,
    target: Array,
    *,
    delta: Annotated[float, positive, "where the parabola becomes a line, in units of the target"] = 1.0,
) -> Array:
    """Squared near the target, absolute far from it: one outlier pulls with at most delta.

    ½r² if |r| ≤ δ, otherwise δ(|r| − ½δ); slope clip(r, −δ, δ). For δ ≥ |r| it is ½ mse; divided by δ it tends to mae
    as δ → 0.

    Args:
        pred: S, in the unit of the target.
        target: S, finite.
        delta: where the parabola becomes a line, > 0, in the unit of the target.

    Returns:
        S, the unit squared.

    >>> huber([3.0], [0.0]).item()
    2.5

    Huber 1964, doi:10.1214/aoms/1177703732.
    """
    r = pred - target
    far = np.abs(r) > delta
    near = np.where(far, 0, r)  # what is far must not be squared: it would overflow
    return np.where(far, delta * (np.abs(r) - 0.5 * delta), 0.5 * near * near)


@hookimpl
def minigrad_losses() -> list[Loss]:
    """The losses of this file."""
    return [mse, mae, huber]
