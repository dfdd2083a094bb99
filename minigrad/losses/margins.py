"""Losses with a margin: a score that is on its side by enough is left alone. z is a score, s a label −1 or +1."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from minigrad.losses.loss import Loss, loss
from minigrad.losses.parameters import Constraint, positive
from minigrad.losses.registry import hookimpl
from minigrad.losses.targets import pick
from minigrad.ops import relu

Array = Any
Margin = Annotated[float, positive, "how far the right side must lead to be left alone, in units of the score"]
Power = Annotated[int, Constraint("1 or 2", lambda v: (v == 1) | (v == 2)), "the power of what is missing"]


def _missing(pred: Array, target: Array, *, margin: float) -> Array:
    return margin - target * pred


def _hinge_slope(pred: Array, target: Array, *, margin: float) -> Array:
    return -target * ~(_missing(pred, target, margin=margin) <= 0)


@loss(pred="logit", target="sign", kinks=_missing, claims="convex symmetric", grad=_hinge_slope)
def hinge(pred: Array, target: Array, *, margin: Margin = 1.0) -> Array:
    """Pulls with 1 until the score is on its side by the margin, and then forgets the sample.

    pos(m − s·z); slope −s where that is > 0, else 0. Elicits the side, not how probable it is.

    Args:
        pred: S scores z, any real numbers.
        target: S labels s, −1 or +1.
        margin: m > 0, in the unit of the score.

    Returns:
        S, the unit of the score.

    >>> hinge([0.25], [1]).item()
    0.75

    Cortes, Vapnik 1995, doi:10.1007/BF00994018.
    """
    return relu(_missing(pred, target, margin=margin))


def _squared_hinge_slope(pred: Array, target: Array, *, margin: float) -> Array:
    return -2 * target * relu(_missing(pred, target, margin=margin))


@loss(pred="logit", target="sign", kinks=(), claims="convex symmetric", grad=_squared_hinge_slope)
def squared_hinge(pred: Array, target: Array, *, margin: Margin = 1.0) -> Array:
    """Pulls with twice what is missing from the margin: gently near it, hard on the other side.

    pos(m − s·z)²; slope −2s·pos(m − s·z). It is hinge squared; where nothing is beyond the margin 1 it is mse.

    Args:
        pred: S scores z, any real numbers.
        target: S labels s, −1 or +1.
        margin: m > 0, in the unit of the score.

    Returns:
        S, the unit of the score squared.

    >>> squared_hinge([0.5], [1]).item()
    0.25

    Lee, Mangasarian 2001, doi:10.1023/A:1011215321374.
    """
    return relu(_missing(pred, target, margin=margin)) ** 2


def _leads(pred: Array, target: Array, margin: float) -> Array:
    """How far each class is inside the margin: m + z_j − z_y, m at y itself."""
    return margin + (pred - pick(pred, target)[..., None])


def _intrusions(pred: Array, target: Array, margin: float) -> tuple[Array, Array]:
    """The u_j = pos(m + z_j − z_y) of the rivals, 0 at y itself, and u_j/K, also where u_j is too large for a float."""
    u, rival = _leads(pred, target, margin), np.arange(pred.shape[-1]) != target[..., None]
    u, of_k = np.where(~rival | (u <= 0), 0, u), pred / pred.shape[-1]
    return u, np.where(u == math.inf, of_k - pick(of_k, target)[..., None], u / pred.shape[-1])


def _multi_margin_slope(pred: Array, target: Array, *, p: int, margin: float) -> Array:
    u, share = _intrusions(pred, target, margin)
    push = np.sign(u) / pred.shape[-1] if p == 1 else 2 * share
    np.put_along_axis(push, target[..., None], -push.sum(-1, keepdims=True), -1)
    return push


@loss(
    pred="logits",
    target="index",
    kinks=lambda pred, target, *, p, margin: _leads(pred, target, margin) if p == 1 else np.ones_like(pred),
    claims="convex symmetric shift_invariant",
    grad=_multi_margin_slope,
)
def multi_margin(pred: Array, target: Array, *, p: Power = 1, margin: Margin = 1.0) -> Array:
    """Pushes each rival inside the margin down by 1/K, and lifts the true class by as much; no other is touched.

    (1/K) Σ_{j≠y} u_jᵖ, u_j = pos(m + z_j − z_y); slope in z_j [u_j > 0]/K (p = 1) or 2u_j/K (p = 2), in z_y minus their
    sum. For K = 2 it is ½ hinge(z₁ − z₀).

    Args:
        pred: S + (K,) scores, any real numbers; −inf is a masked class.
        target: S labels 0 … K−1.
        p: 1 or 2.
        margin: m > 0, in the unit of the score.

    Returns:
        S, the unit of the score to the power p.

    >>> multi_margin([[1.0, 0.5, -2.0, 0.0]], [0]).item()  # ½/4
    0.125

    Weston, Watkins 1999, European Symposium on Artificial Neural Networks, 219–224.
    """
    u, share = _intrusions(pred, target, margin)
    return np.sum(share if p == 1 else u * share, -1)


@hookimpl
def minigrad_losses() -> list[Loss]:
    """The losses of this file."""
    return [hinge, squared_hinge, multi_margin]
