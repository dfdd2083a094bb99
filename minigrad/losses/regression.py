"""Losses on real numbers. r is pred − target throughout; derivatives are per sample."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from minigrad.engine.shared import once
from minigrad.losses.loss import Loss, loss
from minigrad.losses.parameters import between, boolean, positive
from minigrad.losses.registry import hookimpl
from minigrad.losses.targets import of_difference
from minigrad.ops import softplus, times_exp

Array = Any
Full = Annotated[bool, boolean, "whether to add the terms that do not depend on pred"]


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


def _clipped(pred: Array, target: Array, most: float) -> tuple[Array, Array]:
    """The error, and the error within ±most."""
    r = pred - target
    return r, np.clip(r, -most, most)


def _huber_slope(pred: Array, target: Array, *, delta: float) -> Array:
    return once(_clipped, pred, target, delta)[1]


@loss(kinks=(), claims="convex symmetric", grad=_huber_slope)
def huber(
    pred: Array,
    target: Array,
    *,
    delta: Annotated[float, positive, "where the parabola becomes a line, in units of the target"] = 1.0,
) -> Array:
    """Squared near the target, absolute far from it: one outlier pulls with at most delta.

    ½r² if |r| ≤ δ, otherwise δ(|r| − ½δ): both are c·(r − ½c) with c = clip(r, −δ, δ), which is the slope. For δ ≥ |r|
    it is ½ mse; divided by δ it tends to mae as δ → 0.

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
    r, c = once(_clipped, pred, target, delta)
    if np.isinf(r).any():  # r alone is too large for a float, δ|r| need not be
        return of_difference(lambda v: c * v, pred, target) - 0.5 * c * c
    return c * (r - 0.5 * c)


def _smooth_l1_slope(pred: Array, target: Array, *, beta: float) -> Array:
    return once(_clipped, pred, target, beta)[1] / beta


@loss(kinks=(), claims="convex symmetric", grad=_smooth_l1_slope)
def smooth_l1(
    pred: Array,
    target: Array,
    *,
    beta: Annotated[float, positive, "how far from the target errors still pull less, in units of the target"] = 1.0,
) -> Array:
    """An error pulls with 1, as in mae, but within beta of the target in proportion to its size.

    ½r²/β if |r| ≤ β, otherwise |r| − ½β; slope clip(r/β, −1, 1). It is huber(delta=β)/β, and tends to mae as β → 0.

    Args:
        pred: S, in the unit of the target.
        target: S, finite.
        beta: where the parabola becomes a line, > 0, in the unit of the target.

    Returns:
        S, the unit of the target.

    >>> smooth_l1([3.0], [0.0], beta=2.0).item()
    2.0

    Girshick 2015, doi:10.1109/ICCV.2015.169.
    """
    r, c = once(_clipped, pred, target, beta)
    return c / beta * (r - 0.5 * c)


@loss(kinks=(), claims="convex symmetric", grad=lambda pred, target: np.tanh(pred - target))
def log_cosh(pred: Array, target: Array) -> Array:
    """Pulls as ½ mse near the target and as mae far from it, with no place at which it changes from one to the other.

    ln cosh r, slope tanh r. Near 0 it is ½r² − r⁴/12 + …, in the tails |r| − ln 2.

    Args:
        pred: S; its unit is the distance at which errors begin to pull alike.
        target: S, finite.

    Returns:
        S, a pure number.

    >>> round(log_cosh([math.log(2)], [0.0]).item(), 6)  # cosh(ln 2) = (2 + ½)/2
    0.223144

    Green 1990, doi:10.1109/42.52985.
    """
    r = pred - target
    near = -0.5 * np.log1p(-(np.tanh(np.clip(r, -1, 1)) ** 2))  # 1/cosh² r = 1 − tanh² r
    far = np.abs(r) - math.log(2) + softplus(-2 * np.abs(r))
    return np.where(np.abs(r) < 1, near, far)


def _quantile_slope(pred: Array, target: Array, *, quantile: float) -> Array:
    side = np.sign(pred - target)
    return (1 - quantile) * np.maximum(side, 0) + quantile * np.minimum(side, 0)


@loss(kinks=lambda pred, target, *, quantile: pred - target, claims="convex symmetric", grad=_quantile_slope)
def quantile(
    pred: Array,
    target: Array,
    *,
    quantile: Annotated[float, between(0, 1), "the share of targets that lie below pred"] = 0.5,
) -> Array:
    """Pulls down with 1−q and up with q, whatever the error: at rest where a share q of the targets lies below.

    (1−q)·r if r > 0, −q·r if r < 0; slope 1−q, −q, and 0 at 0. For q = ½ it is ½ mae.

    Args:
        pred: S, in the unit of the target.
        target: S, finite.
        quantile: q, in (0, 1).

    Returns:
        S, the unit of the target.

    >>> quantile([1.0], [3.0], quantile=0.75).item()
    1.5

    Koenker, Bassett 1978, doi:10.2307/1913643.
    """
    slope = _quantile_slope(pred, target, quantile=quantile)
    return of_difference(lambda v: slope * v, pred, target)


_LANCZOS = (
    676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
    -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
)  # fmt: skip


def _log_factorial(y: Array) -> Array:
    """The log of y!, for any y ≥ 0: Lanczos 1964, doi:10.1137/0701008, as differences from y = 0, where all vanish."""
    n = np.asarray(y) if not hasattr(y, "astype") else y
    n = n.astype(np.float64)
    at_0 = 0.99999999999980993 + sum(c / k for k, c in enumerate(_LANCZOS, 1))
    less = sum(c / k / at_0 / (n + k) for k, c in enumerate(_LANCZOS, 1))
    return ((n + 0.5) * np.log1p(n / 7.5) + n * (math.log(7.5) - 1) + np.log1p(-n * less)).astype(y.dtype)


def _poisson_slope(pred: Array, target: Array, *, full: bool) -> Array:
    slope, at_1 = np.asarray(once(np.exp, pred) - target), target == 1
    slope[at_1] = np.expm1(pred[at_1])  # where e^z − y may cancel
    return slope


@loss(target="count", kinks=(), claims="convex proper", grad=_poisson_slope)
def poisson_nll(pred: Array, target: Array, *, full: Full = False) -> Array:
    """Pulls with what was expected less what was counted, so that large counts pull hardest.

    e^z − y·z, plus ln y! if full; slope e^z − y. Elicits ln of the mean. At y = 0 it is e^z.

    Args:
        pred: S, z, the log of the expected count.
        target: S, y, counts or rates ≥ 0.
        full: whether to add ln y!, which makes it the negative log-likelihood.

    Returns:
        S, in nats.

    >>> poisson_nll([0.0], [2.0]).item()
    1.0

    McCullagh, Nelder 1989, doi:10.1201/9780203753736.
    """
    rate = once(np.exp, pred)
    if np.isinf(rate).any() or np.isinf(pred).any():  # inf − inf, 0 · inf
        pred = np.where((target == 0) | (rate == math.inf), 0, pred)
    value = rate - target * pred
    return value + _log_factorial(target) if full else value


def _error(pred: Array, target: Array, x: Array) -> Array:
    """r·e^x."""
    return of_difference(lambda v: times_exp(v, x), pred, target)


def _standard(pred: Array, target: Array) -> Array:
    """The error in units of the standard deviation, r·e^(−s/2)."""
    return _error(pred[..., 0], target, -0.5 * pred[..., 1])


def _gaussian_slope(pred: Array, target: Array, *, full: bool) -> Array:
    u, slope = once(_standard, pred, target), np.empty_like(pred)
    slope[..., 0] = _error(pred[..., 0], target, -pred[..., 1])
    slope[..., 1] = 0.5 * (1 - u) * (1 + u)
    return slope


@loss(
    pred="params",
    heads="mean log_var",
    link=lambda pred: {"mean": pred[..., 0], "var": np.exp(pred[..., 1])},
    kinks=(),
    claims="symmetric proper",
    grad=_gaussian_slope,
)
def gaussian_nll(pred: Array, target: Array, *, full: Full = False) -> Array:
    """Lets a sample pull on the mean only as hard as its own variance allows, and the variance follow the errors.

    ½(s + r²e^−s), plus ½ ln 2π if full; slopes r·e^−s and ½(1 − r²e^−s). At s = 0 it is ½ mse. It has no minimum: at
    r = 0 it falls for ever as s does.

    Args:
        pred: S + (2,): the mean, in the unit of the target, and s, the log of the variance.
        target: S, finite.
        full: whether to add ½ ln 2π, which makes it the negative log-likelihood.

    Returns:
        S, in nats.

    >>> gaussian_nll([[3.0, 0.0]], [1.0]).item()
    2.0

    Nix, Weigend 1994, doi:10.1109/ICNN.1994.374138.
    """
    u, v = (once(_standard, pred, target) for _ in range(2))  # recorded, each sends back its own half of the slope
    value = 0.5 * pred[..., 1] + 0.5 * u * v
    return value + 0.5 * math.log(2 * math.pi) if full else value


@hookimpl
def minigrad_losses() -> list[Loss]:
    """The losses of this file."""
    return [mse, mae, huber, smooth_l1, log_cosh, quantile, poisson_nll, gaussian_nll]
