"""Losses that outliers cannot pull about: the pack `robust`. r is pred − target, c the scale.

All but `tukey` are one family. With h = √(1 + (r/c)²/b) and b = 2 − α a sample pulls with h^−b of what it would in
½(r/c)²: with nearly all of it while |r| is small beside c, and with the less the larger b, once it is not.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Annotated, Any

import numpy as np

from minigrad import hookimpl, loss
from minigrad.losses import Loss, between, positive
from minigrad.ops import sigmoid

Array = Any
Scale = Annotated[float, positive, "the error that begins to be large, in units of the target"]


# --- one family -------------------------------------------------------------------------------------------------------
def _sides(pred: Array, target: Array, width: Array) -> tuple[Array, Array, Array]:
    """½r, ½·width and √ of their squares: by halves, since r alone may be too large for a float."""
    half = np.array(0.5, pred.dtype)
    side, base = half * pred - half * target, half * width
    return side, base, np.hypot(side, base)


def _growth(side: Array, base: Array, hypotenuse: Array) -> Array:
    """2 ln h = ln(1 + (side/base)²)."""
    h = hypotenuse / base
    near = np.log1p((side / base) ** 2)
    far = 2 * np.where(h < math.inf, np.log(h), np.log(hypotenuse) - np.log(base))
    return np.where(np.abs(side) < base, near, far)


def _power(length: Array, unit: Array, exponent: Array) -> Array:
    """(length/unit)^exponent, also where the quotient alone is too large for a float."""
    fits = length / unit < math.inf
    return np.where(fits, length / unit, length) ** exponent * np.where(fits, 1, unit**-exponent)


def _exprel(x: Array) -> Array:
    """(e^x − 1)/x for |x| ≤ 1, smooth at 0: e^½x·sinh(½x)/(½x), with the series of the latter in w = ¼x²."""
    w, series = 0.25 * x * x, 1.0
    for k in range(14, 0, -2):  # 1 + w/(2·3)·(1 + w/(4·5)·(1 + …))
        series = 1 + w / (k * (k + 1)) * series
    return np.exp(0.5 * x) * series


def _shape(pred: Array, alpha: Array, b: Array) -> tuple[Array, Array, Array, Array]:
    """α, b, and m and k with b·h^α = k·(√b·h/m)^α: as b → 0 h has no limit, but √b·h and k have.

    All in the dtype of pred; b no smaller than makes a difference, so that α = 2 is ½(r/c)² to the last digit.
    """
    alpha, b = np.ones((), pred.dtype) * alpha, np.maximum(b, np.finfo(pred.dtype).eps ** 2)
    m = np.maximum(b, 1) ** 0.5
    return alpha, b, m, b * (m / b**0.5) ** alpha


def _rho(pred: Array, target: Array, alpha: Array, b: Array, scale: Array) -> Array:
    """(b/α)·(h^α − 1), for b = 2 − α; while x = α ln h is small ½b·(2 ln h)·(e^x − 1)/x, which knows no α = 0."""
    alpha, b, m, k = _shape(pred, alpha, b)
    side, base, hypotenuse = _sides(pred, target, scale * b**0.5)
    growth = _growth(side, base, hypotenuse)
    x = 0.5 * alpha * growth
    small = np.abs(x) < 1
    near = 0.5 * b * growth * _exprel(np.where(small, x, 0))
    root = _power(hypotenuse, 0.5 * scale * m, 0.5 * alpha)  # of h^α, whose square may be no float before k/α is in it
    far = k / alpha * root * root - b / alpha
    return np.where(small, near, far)


def _rho_slope(pred: Array, target: Array, alpha: Array, b: Array, scale: Array) -> Array:
    """(r/c²)·h^−b, as b·h^(α−1) times the slope of h."""
    alpha, b, m, k = _shape(pred, alpha, b)
    side, _, hypotenuse = _sides(pred, target, scale * b**0.5)
    return k * _power(hypotenuse, 0.5 * scale * m, alpha - 1) * (side / hypotenuse) / (scale * m)


# --- fixed shapes -----------------------------------------------------------------------------------------------------
def _cauchy_slope(pred: Array, target: Array, *, scale: float) -> Array:
    side, _, hypotenuse = _sides(pred, target, math.sqrt(2) * scale)
    return side / hypotenuse / hypotenuse


@loss(kinks=(), claims="symmetric", grad=_cauchy_slope)
def cauchy(pred: Array, target: Array, *, scale: Scale = 1.0) -> Array:
    """Pulls hardest at |r| = √2·c, and on what is farther away the more gently, the farther: never quite letting go.

    ln(1 + ½(r/c)²), slope 2r/(2c² + r²), which is at most 1/(√2·c). It is −ln of a Cauchy density of scale √2·c, but
    for a constant, and barron(alpha=0).

    Args:
        pred: S, in the unit of the target.
        target: S, finite.
        scale: c > 0, in the unit of the target.

    Returns:
        S, in nats.

    >>> round(cauchy([2.0], [0.0]).item(), 6)  # ln 3
    1.098612

    Black, Anandan 1996, doi:10.1006/cviu.1996.0006.
    """
    return _growth(*_sides(pred, target, math.sqrt(2) * scale))


def _tukey_slope(pred: Array, target: Array, *, scale: float) -> Array:
    r = np.clip(pred - target, -scale, scale)
    return r * ((scale - np.abs(r)) / scale * ((scale + np.abs(r)) / scale)) ** 2


@loss(kinks=(), claims="symmetric", grad=_tukey_slope)
def tukey(pred: Array, target: Array, *, scale: Scale = 4.685) -> Array:
    """Lets go: a sample farther away than c does not pull at all, and nothing brings it back.

    (c²/6)·v·(3 − 3v + v²) with v = min((r/c)², 1), slope r·(1 − (r/c)²)² up to c, then 0; bounded by c²/6. As c → ∞
    it is ½ mse. 4.685 standard deviations lose 5 % of the precision on normal errors; start near the solution, such as
    from a model that was fitted with huber.

    Args:
        pred: S, in the unit of the target.
        target: S, finite.
        scale: c > 0, in the unit of the target.

    Returns:
        S, the unit squared.

    >>> tukey([100.0], [0.0], scale=6.0).item()
    6.0

    Beaton, Tukey 1974, doi:10.1080/00401706.1974.10489171.
    """
    r = np.clip(pred - target, -scale, scale)
    v = (r / scale) ** 2
    return r * (r * (3 - 3 * v + v * v)) / 6


def _barron_slope(pred: Array, target: Array, *, alpha: float, scale: float) -> Array:
    return _rho_slope(pred, target, alpha, 2 - alpha, scale)


@loss(kinks=(), claims="convex symmetric", grad=_barron_slope)
def barron(
    pred: Array,
    target: Array,
    *,
    alpha: Annotated[float, between(-math.inf, 2, "(]"), "the shape: 2 hears every error, lower ones fewer"] = 1.0,
    scale: Scale = 1.0,
) -> Array:
    """One knob from squares to deafness: α = 2 is ½ mse, 1 almost mae, 0 cauchy, and below 0 far samples count as lost.

    (b/α)·(((r/c)²/b + 1)^(α/2) − 1) with b = 2 − α, and its limits at α = 0 and 2; slope
    (r/c²)·((r/c)²/b + 1)^(α/2 − 1). Convex for α ≥ 1; for α < 0 bounded by b/|α|.

    Args:
        pred: S, in the unit of the target.
        target: S, finite.
        alpha: α ≤ 2, the shape.
        scale: c > 0, in the unit of the target.

    Returns:
        S, a pure number.

    >>> round(barron([3.0], [0.0]).item(), 6)  # √10 − 1
    2.162278

    Barron 2019, arXiv:1701.03077.
    """
    return _rho(pred, target, alpha, 2 - alpha, scale)


# --- a shape that is learned ------------------------------------------------------------------------------------------
@cache
def _nodes() -> tuple[Array, Array]:
    """Points x = √2·tan θ and weights of an integral over all x: Gauss–Legendre in θ, dx = √2·(1 + ½x²) dθ."""
    t, w = np.polynomial.legendre.leggauss(201)
    x = math.sqrt(2) * np.tan(0.5 * math.pi * t)
    return x, w * (0.5 * math.pi * math.sqrt(2)) * (1 + 0.5 * x * x)


def _log_partition(alpha: Array, b: Array) -> Array:
    """The log of Z(α) = ∫ e^−barron(x, α, 1) dx."""
    x, w = _nodes()
    density = np.exp(-_rho(x, 0 * x, np.expand_dims(alpha, -1), np.expand_dims(b, -1), 1.0))
    return np.log(np.sum(w * density, -1))


def _learned(pred: Array, raw_alpha: Array, log_scale: Array) -> tuple[Array, Array, Array]:
    """α = 2σ(raw), b = 2 − α = 2σ(−raw) and c = e^log_scale, in the dtype of pred."""
    one = np.ones((), pred.dtype)
    raw = one * raw_alpha
    return 2 * sigmoid(raw), 2 * sigmoid(-raw), np.exp(one * log_scale)


def _barron_nll_slope(pred: Array, target: Array, *, raw_alpha: Array, log_scale: Array) -> Array:
    return _rho_slope(pred, target, *_learned(pred, raw_alpha, log_scale))


@loss(kinks=(), claims="symmetric", grad=_barron_nll_slope)
def barron_nll(pred: Array, target: Array, *, raw_alpha: Any = 0.0, log_scale: Any = 0.0) -> Array:
    """Finds out how robust it has to be: the shape that makes the errors most likely is learned beside the weights.

    barron(α, c) + ln c + ln Z(α), −ln of a density, with α = 2σ(raw_alpha) and c = e^log_scale; its slope is that of
    barron, d/d(log_scale) = 1 − r·d/d(pred). At raw_alpha → ∞ it is gaussian_nll(full=True), at −∞ −ln of a Cauchy
    density. A lower α hears outliers less and pays for it with a larger Z.

    Args:
        pred: S, in the unit of the target.
        target: S, finite.
        raw_alpha: any real number, or one per column; given as a Tensor that requires gradients it is learned.
        log_scale: likewise.

    Returns:
        S, in nats.

    >>> round(barron_nll([0.0], [0.0]).item(), 6)  # ln Z(1)
    1.185495

    Barron 2019, arXiv:1701.03077.
    """
    alpha, b, scale = _learned(pred, raw_alpha, log_scale)
    return _rho(pred, target, alpha, b, scale) + log_scale + _log_partition(alpha, b).astype(pred.dtype)


@hookimpl
def minigrad_losses() -> list[Loss]:
    """The losses of this pack."""
    return [cauchy, tukey, barron, barron_nll]
