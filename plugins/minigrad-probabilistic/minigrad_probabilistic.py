"""Losses whose predictions are whole distributions: the pack `probabilistic`. r is pred − target.

A head that is a scale is predicted as its logarithm s, so that any number is one; e^s is the scale.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
import scipy.special

from minigrad import elementwise, hookimpl, loss
from minigrad.losses import Loss, between, of_difference
from minigrad.ops import times_exp

Array = Any

# SciPy's function, and the slope that makes an op of it: losses of this file are differentiated through it.
erf = elementwise(scipy.special.erf, x=lambda x: 2 / math.sqrt(math.pi) * np.exp(-x * x))


# --- a mean -----------------------------------------------------------------------------------------------------------
def _gamma_slope(pred: Array, target: Array) -> Array:
    return np.where(target == 1, -np.expm1(-pred), 1 - times_exp(target, -pred))


@loss(target="positive", kinks=(), claims="convex proper", grad=_gamma_slope)
def gamma_nll(pred: Array, target: Array) -> Array:
    """Pulls with the relative error: twice too much is as wrong at 1 as at 1000.

    z + y·e^−z, slope 1 − y·e^−z = (μ − y)/μ for the predicted mean μ = e^z. Elicits ln of the mean; least at z = ln y,
    where it is 1 + ln y. It is −ln of a gamma density of mean μ, divided by its shape, without the terms that do not
    depend on μ: for the exponential distribution, whose shape is 1, it is the whole of it.

    Args:
        pred: S, z, the log of the expected quantity.
        target: S, y > 0.

    Returns:
        S, in nats.

    >>> gamma_nll([0.0], [2.0]).item()
    2.0

    McCullagh, Nelder 1989, doi:10.1201/9780203753736.
    """
    return pred + times_exp(target, -pred)


def _side(pred: Array, target: Array, tau: float) -> Array:
    """How much an error costs: τ where pred is too low, 1 − τ where it is too high."""
    return np.where(pred < target, tau * np.ones_like(pred), (1 - tau) * np.ones_like(pred))


def _expectile_slope(pred: Array, target: Array, *, tau: float) -> Array:
    side = _side(pred, target, tau)
    return of_difference(lambda r: 2 * side * r, pred, target)


@loss(kinks=(), claims="convex symmetric", grad=_expectile_slope)
def expectile(
    pred: Array,
    target: Array,
    *,
    tau: Annotated[
        float, between(0, 1), "what an error costs where pred is too low; 1 − tau where it is too high"
    ] = 0.5,
) -> Array:
    """Pulls up with τ and down with 1−τ times the error: what quantile does with the number of targets on each side.

    a·r² with a = τ if r < 0, otherwise 1−τ; slope 2a·r. At rest where the errors below and above are as 1−τ to τ: at
    the mean for τ = ½, where it is ½ mse; towards the largest target as τ → 1.

    Args:
        pred: S, in the unit of the target.
        target: S, finite.
        tau: τ, in (0, 1).

    Returns:
        S, the unit squared.

    >>> expectile([1.0], [3.0], tau=0.75).item()
    3.0

    Newey, Powell 1987, doi:10.2307/1911031.
    """
    r = pred - target
    return _side(pred, target, tau) * r * r


# --- a distribution on the line ---------------------------------------------------------------------------------------
def _off(pred: Array, target: Array) -> Array:
    return pred[..., 0] - target


def _laplace_slope(pred: Array, target: Array) -> Array:
    middle, s = pred[..., 0], pred[..., 1]
    side = np.sign(middle - target)
    return np.stack([times_exp(side, -s), 1 - of_difference(lambda r: side * times_exp(r, -s), middle, target)], -1)


@loss(
    pred="params",
    heads="median log_scale",
    link=lambda pred: {"median": pred[..., 0], "scale": np.exp(pred[..., 1])},
    kinks=_off,
    claims="symmetric",
    grad=_laplace_slope,
)
def laplace_nll(pred: Array, target: Array) -> Array:
    """Every error pulls on the median with the same force, 1 over the scale that was predicted; the scale follows them.

    ln 2 + s + |r|·e^−s; slopes sign(r)·e^−s, 0 at r = 0, and 1 − |r|·e^−s. Elicits the median, and as scale the mean
    of |r|. At s = 0 it is mae + ln 2. It has no minimum: at r = 0 it falls for ever as s does.

    Args:
        pred: S + (2,): the median, in the unit of the target, and s, the log of the scale.
        target: S, finite.

    Returns:
        S, in nats.

    >>> round(laplace_nll([[3.0, 0.0]], [1.0]).item(), 6)  # ln 2 + 2
    2.693147

    Kotz, Kozubowski, Podgórski 2001, doi:10.1007/978-1-4612-0173-1.
    """
    middle, s = pred[..., 0], pred[..., 1]
    side = np.sign(middle - target)
    return s + math.log(2) + of_difference(lambda r: side * times_exp(r, -s), middle, target)


def _standardised(mean: Array, target: Array, s: Array) -> tuple[Array, Array]:
    """Q = r·e^−s, as erf(q/√2) and 2φ(q) − 1/√π, for the normal density φ."""
    q = of_difference(lambda r: times_exp(r, -s), mean, target)
    return erf(math.sqrt(0.5) * q), math.sqrt(2 / math.pi) * np.exp(-0.5 * q * q) - math.sqrt(1 / math.pi)


def _crps_slope(pred: Array, target: Array) -> Array:
    mean, s = pred[..., 0], pred[..., 1]
    side, rest = _standardised(mean, target, s)
    return np.stack([side, times_exp(rest, s)], -1)


@loss(
    pred="params",
    heads="mean log_sd",
    link=lambda pred: {"mean": pred[..., 0], "sd": np.exp(pred[..., 1])},
    kinks=(),
    claims="symmetric proper",
    grad=_crps_slope,
)
def crps_gaussian(pred: Array, target: Array) -> Array:
    """Scores a whole normal distribution in the unit of the target: a sure miss costs its distance, and no more.

    r·erf(q/√2) + e^s·(2φ(q) − 1/√π) with q = r·e^−s and the normal density φ: the mean of |x − y| − ½|x − x′| over
    draws x, x′ of the predicted distribution. Slopes erf(q/√2), which never exceeds 1, and e^s·(2φ(q) − 1/√π). As
    s → −∞ it is mae.

    Args:
        pred: S + (2,): the mean, in the unit of the target, and s, the log of the standard deviation.
        target: S, finite.

    Returns:
        S, the unit of the target.

    >>> round(crps_gaussian([[0.0, 0.0]], [0.0]).item(), 6)  # (√2 − 1)/√π
    0.233695

    Gneiting 2005, doi:10.1175/MWR2904.1.
    """
    mean, s = pred[..., 0], pred[..., 1]
    side, rest = _standardised(mean, target, s)
    return of_difference(lambda r: side * r, mean, target) + times_exp(rest, s)


@hookimpl
def minigrad_losses() -> list[Loss]:
    """The losses of this pack."""
    return [gamma_nll, expectile, laplace_nll, crps_gaussian]
