"""Losses on classes. z is a score, p = softmax(z) or σ(z), y a label, t a row of class probabilities."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from minigrad.losses.loss import Loss, loss
from minigrad.losses.parameters import between, positive
from minigrad.losses.registry import hookimpl
from minigrad.losses.targets import pick
from minigrad.ops import log_softmax, sigmoid, softmax_residual, softplus

Array = Any
Smoothing = Annotated[float, between(0, 1, "[)"), "the share of the label that is spread over all classes"]


def _cross_entropy_slope(pred: Array, target: Array, *, label_smoothing: float) -> Array:
    if not label_smoothing:
        return softmax_residual(pred, target)
    classes = pred.shape[-1]
    rows = target if target.ndim == pred.ndim else np.eye(classes, dtype=pred.dtype)[target]
    return softmax_residual(pred, (1 - label_smoothing) * rows + label_smoothing / classes)


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

    Bridle 1990; smoothing: Szegedy 2016, doi:10.1109/CVPR.2016.308.
    """
    v = -log_softmax(pred)
    smooth = label_smoothing * v.mean(-1) if label_smoothing else 0  # 0 · inf: a masked class
    return (1 - label_smoothing) * pick(v, target) + smooth


def _shares(y: Array, w: Array, smoothing: float) -> tuple[Array, Array]:
    """What softplus(−z) and softplus(z) are multiplied by: the weight of each class in a smoothed label."""
    h = smoothing / 2
    return w * y * (1 - h) + (1 - y) * h, w * y * h + (1 - y) * (1 - h)


def _bce_with_logits_slope(pred: Array, target: Array, *, pos_weight: Any, label_smoothing: float) -> Array:
    a, b = _shares(target, pos_weight, label_smoothing)
    return b * sigmoid(pred) - a * sigmoid(-pred)


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
    which is σ(z) − y for w = 1, ε = 0.

    Args:
        pred: S scores, any real numbers.
        target: S, the probability of yes, in [0, 1].
        pos_weight: w > 0, a number or one per column.
        label_smoothing: ε, in [0, 1).

    Returns:
        S, in nats.

    >>> round(bce_with_logits([0.0], [1.0]).item(), 6)
    0.693147

    Cox 1958.
    """
    a, b = _shares(target, pos_weight, label_smoothing)
    lost, won = np.where(a == 0, 0, softplus(-pred)), np.where(b == 0, 0, softplus(pred))  # 0 · inf: a sure score
    return a * lost + b * won


@hookimpl
def minigrad_losses() -> list[Loss]:
    """The losses of this file."""
    return [cross_entropy, bce_with_logits]
