"""Losses on classes. z is a score, p = softmax(z) or σ(z), y a label, t a row of probabilities."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from minigrad.engine.fused import sides, surprise, surprises
from minigrad.engine.shared import once
from minigrad.engine.sums import starts
from minigrad.losses.loss import Loss, loss
from minigrad.losses.parameters import between, nonnegative, positive
from minigrad.losses.registry import hookimpl
from minigrad.losses.targets import pick
from minigrad.ops import log_softmax, sigmoid, softmax_residual, softplus

Array = Any
Smoothing = Annotated[float, between(0, 1, "[)"), "the share of the label that is spread over all classes"]


# --- many classes, likelihoods ----------------------------------------------------------------------------------------
def _smoothed(target: Array, pred: Array, smoothing: float) -> Array:
    """Rows q = (1−ε)t + ε/K."""
    rows, classes = target, pred.shape[-1]
    if target.ndim < pred.ndim:
        rows = np.zeros(pred.shape, pred.dtype)
        rows.put(starts(rows.size, classes) + target.reshape(-1), 1)
    return (1 - smoothing) * rows + smoothing / classes if smoothing else rows


def _surprise(lp: Array, target: Array, smoothing: float) -> Array:
    """−Σ q·lp: what q expects to be surprised."""
    if smoothing == 0:  # 0 · inf: a masked class
        return 0 - pick(lp, target)
    return 0 - (1 - smoothing) * pick(lp, target) - np.sum(smoothing / lp.shape[-1] * lp, -1)


def _cross_entropy_slope(pred: Array, target: Array, *, label_smoothing: float) -> Array:
    return softmax_residual(pred, _smoothed(target, pred, label_smoothing) if label_smoothing else target)


@loss(
    pred="logits",
    target="index|simplex",
    kinks=(),
    claims="convex symmetric proper shift_invariant",
    grad=_cross_entropy_slope,
)
def cross_entropy(pred: Array, target: Array, *, label_smoothing: Smoothing = 0.0) -> Array:
    """The surprise at the true class: what it gains, the others pay, and the more the surer they were.

    −Σ q ln p with p = softmax(pred), q = (1−ε)t + ε/K; slope (Σq)·p − q. For K = 2 and scores (0, z) it is
    bce_with_logits(z).

    Args:
        pred: S + (K,) scores, any real numbers; −inf is a masked class.
        target: S labels 0 … K−1, or S + (K,) rows ≥ 0 with sum 1.
        label_smoothing: ε, in [0, 1).

    Returns:
        S, in nats.

    >>> round(cross_entropy([[1.0, 0.0, -1.0]], [0]).item(), 6)
    0.407606

    Bridle 1990, doi:10.1007/978-3-642-76153-9_28; smoothing: Szegedy 2016, doi:10.1109/CVPR.2016.308.
    """
    if target.ndim < pred.ndim and not label_smoothing:
        return surprise(pred, target)
    return _surprise(log_softmax(pred), target, label_smoothing)


@loss(
    pred="log_probs",
    target="index|simplex",
    kinks=(),
    claims="convex symmetric proper",
    grad=lambda pred, target, *, label_smoothing: -_smoothed(target, pred, label_smoothing),
)
def nll(pred: Array, target: Array, *, label_smoothing: Smoothing = 0.0) -> Array:
    """Pulls up the log-probability of the true class with 1, and no other: that they pay is the softmax's doing.

    −Σ q·lp with q = (1−ε)t + ε/K; slope −q. Behind a log_softmax it is cross_entropy.

    Args:
        pred: S + (K,) log-probabilities lp ≤ 0.
        target: S labels 0 … K−1, or S + (K,) rows ≥ 0 with sum 1.
        label_smoothing: ε, in [0, 1).

    Returns:
        S, in nats.

    >>> round(nll([[math.log(0.25), math.log(0.75)]], [0]).item(), 6)  # ln 4
    1.386294

    Good 1952, doi:10.1111/j.2517-6161.1952.tb00104.x.
    """
    return _surprise(pred, target, label_smoothing)


@loss(pred="log_probs", target="simplex", kinks=(), claims="convex symmetric proper", grad=lambda pred, target: -target)
def kl_div(pred: Array, target: Array) -> Array:
    """Pulls as cross_entropy does, and is 0 when pred says what the target says.

    Σ t(ln t − lp), 0·ln 0 = 0; slope −t. It is nll less the entropy of t; for one-hot rows it is nll.

    Args:
        pred: S + (K,) log-probabilities lp ≤ 0.
        target: S + (K,) rows t ≥ 0 with sum 1.

    Returns:
        S, in nats.

    >>> round(kl_div([[math.log(0.25), math.log(0.75)]], [[0.5, 0.5]]).item(), 6)  # ½ ln 2 + ½ ln ⅔
    0.143841

    Kullback, Leibler 1951, doi:10.1214/aoms/1177729694.
    """
    return pick(np.log(np.where(target == 0, 1, target)) - pred, target)


# --- two classes, likelihoods -----------------------------------------------------------------------------------------
def _shares(y: Array, w: Array, smoothing: float) -> tuple[Array, Array]:
    """What softplus(−z) and softplus(z) are multiplied by: the weight of each class in a smoothed label."""
    h, w = smoothing / 2, np.asarray(w, y.dtype)
    if not h:
        return w * y, 1 - y
    return w * y * (1 - h) + (1 - y) * h, w * y * h + (1 - y) * (1 - h)


def _bce_with_logits_slope(pred: Array, target: Array, *, pos_weight: Any, label_smoothing: float) -> Array:
    (a, b), (yes, no) = once(_shares, target, pos_weight, label_smoothing), sides(pred)
    return b * yes - a * no


@loss(pred="logit", target="unit", kinks=(), claims="convex symmetric proper", grad=_bce_with_logits_slope)
def bce_with_logits(
    pred: Array,
    target: Array,
    *,
    pos_weight: Annotated[Any, positive, "what a positive costs, next to 1 for a negative"] = 1.0,
    label_smoothing: Smoothing = 0.0,
) -> Array:
    """The surprise at a yes or no: a score that is wrong and sure is pushed back with full strength, 1.

    A·ln(1 + e^−z) + B·ln(1 + e^z) with A = w·y(1−h) + (1−y)h, B = w·y·h + (1−y)(1−h), h = ε/2; slope B·σ(z) − A·σ(−z),
    which is σ(z) − y for w = 1, ε = 0. It is cross_entropy of the scores (0, z).

    Args:
        pred: S scores, any real numbers.
        target: S, the probability of yes, in [0, 1].
        pos_weight: w > 0, a number or one per column.
        label_smoothing: ε, in [0, 1).

    Returns:
        S, in nats.

    >>> round(bce_with_logits([0.0], [1.0]).item(), 6)
    0.693147

    Cox 1958, doi:10.1111/j.2517-6161.1958.tb00292.x.
    """
    return surprises(pred, *once(_shares, target, pos_weight, label_smoothing))


def _bce_slope(pred: Array, target: Array, *, label_smoothing: float) -> Array:
    yes, no = once(_shares, target, 1.0, label_smoothing)
    p, none, all_ = pred, pred < np.finfo(pred.dtype).tiny, pred == 1
    return np.where(all_, 0, no / np.where(all_, 1, 1 - p)) - np.where(none, 0, yes / np.where(none, 1, p))


@loss(pred="prob", target="unit", kinks=(), claims="convex symmetric proper", grad=_bce_slope)
def bce(pred: Array, target: Array, *, label_smoothing: Smoothing = 0.0) -> Array:
    """Pulls with 1/p at the probability of what happened: without bound, and a sigmoid before it takes p(1−p) back.

    −q ln p − (1−q) ln(1−p) with q = (1−ε)y + ε/2; slope (1−q)/(1−p) − q/p. Both p and 1−p count as the smallest normal
    number, with slope 0, where they are less. Behind a sigmoid it is bce_with_logits, which is exact also where p is 1.

    Args:
        pred: S, probabilities p in [0, 1].
        target: S, the probability of yes, in [0, 1].
        label_smoothing: ε, in [0, 1).

    Returns:
        S, in nats, at most 708.4 (float32: 87.3).

    >>> round(bce([0.25], [1.0]).item(), 6)  # ln 4
    1.386294

    Good 1952, doi:10.1111/j.2517-6161.1952.tb00104.x.
    """
    tiny = float(np.finfo(pred.dtype).tiny)
    yes, no = once(_shares, target, 1.0, label_smoothing)
    ln_p = np.log(np.where(pred < tiny, tiny, pred))
    ln_not_p = np.where(pred == 1, math.log(tiny), np.log1p(-np.where(pred == 1, 0, pred)))
    return -yes * ln_p - no * ln_not_p


def _weight_of(target: Array, alpha: float | None) -> Any:
    return 1 if alpha is None else alpha * target + (1 - alpha) * (1 - target)


def _missed(pred: Array, target: Array) -> tuple[Array, Array, Array]:
    """The score against the label, −x, with σ(−x) and ln(1 + e^−x); in float64, for a power of e^x loses a digit."""
    against = ((1 - 2 * target) * pred).astype(np.float64)
    most = -math.log(np.finfo(pred.dtype).tiny)
    near = np.clip(against, None, most) if (against > most).any() else against  # beyond, σ has slope 0: 0 · inf
    return against, sigmoid(near), softplus(against)


def _focal_slope(pred: Array, target: Array, *, gamma: float, alpha: float | None) -> Array:
    against, missed, lost = once(_missed, pred, target)
    steep = missed**gamma * (gamma * sigmoid(-against) * lost + missed)
    return ((1 - 2 * target) * _weight_of(target, alpha) * steep).astype(pred.dtype)


@loss(pred="logit", target="binary", kinks=(), claims="symmetric", grad=_focal_slope)
def focal(
    pred: Array,
    target: Array,
    *,
    gamma: Annotated[float, nonnegative, "how much less is heard of samples that are already right"] = 2.0,
    alpha: Annotated[float | None, between(0, 1), "the weight of class 1, 1 − alpha that of class 0"] = None,
) -> Array:
    """Listens to what is still wrong: a sample with p = 0.9 is heard 34.5 times less than by bce_with_logits.

    a·σ(−x)^γ·ln(1 + e^−x) with x = s·z, s = 2y − 1, a = α for y = 1, 1 − α for y = 0, 1 without α; slope
    −s·a·σ(−x)^γ·(γσ(x)ln(1 + e^−x) + σ(−x)). For γ = 0 it is bce_with_logits.

    Args:
        pred: S scores, any real numbers.
        target: S labels 0 or 1.
        gamma: γ ≥ 0.
        alpha: in (0, 1), or None.

    Returns:
        S, in nats.

    >>> round(focal([0.0], [1.0]).item(), 6)  # ¼ ln 2
    0.173287

    Lin 2017, doi:10.1109/ICCV.2017.324.
    """
    _, missed, lost = once(_missed, pred, target)
    return (_weight_of(target, alpha) * missed**gamma * lost).astype(pred.dtype)


@hookimpl
def minigrad_losses() -> list[Loss]:
    """The losses of this file."""
    return [cross_entropy, nll, kl_div, bce_with_logits, bce, focal]
