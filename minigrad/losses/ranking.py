"""Losses that compare: two scores, or two or three points of a space. u is the gradient of a distance."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from minigrad.engine.op import Op
from minigrad.engine.shared import once
from minigrad.losses.loss import Loss, loss
from minigrad.losses.parameters import Constraint, between, boolean, nonnegative, positive
from minigrad.losses.registry import hookimpl
from minigrad.ops import relu

Array = Any

largest = Op(lambda v: np.abs(v).max(-1, keepdims=True), {"v": None}, name="largest")
"""The largest size of an entry along the last axis, to divide by: what is computed with it does not depend on it."""


# --- two scores -------------------------------------------------------------------------------------------------------
def _shortfall(pred: Array, target: Array, *, margin: float) -> Array:
    return margin - target * (pred[..., 0] - pred[..., 1])


def _margin_ranking_slope(pred: Array, target: Array, *, margin: float) -> Array:
    push = target * ~(_shortfall(pred, target, margin=margin) <= 0)
    return np.stack([-push, push], -1)


@loss(
    pred="params",
    target="sign",
    heads="first second",
    kinks=_shortfall,
    claims="convex symmetric shift_invariant",
    grad=_margin_ranking_slope,
)
def margin_ranking(
    pred: Array,
    target: Array,
    *,
    margin: Annotated[float, nonnegative, "by how much the better score must lead, in units of the score"] = 1.0,
) -> Array:
    """Pulls two scores apart with 1 each until the better one leads by the margin, then leaves them alone.

    pos(m − y(x₁ − x₂)); slopes −y and +y where that is > 0, else 0. It is hinge of the difference x₁ − x₂.

    Args:
        pred: S + (2,), the scores x₁ and x₂.
        target: S, y = +1 where the first is the better one, −1 where the second is.
        margin: m ≥ 0, in the unit of the scores. At 0 a constant score is content.

    Returns:
        S, the unit of the scores.

    >>> margin_ranking([[2.0, 1.5]], [1]).item()
    0.5

    Herbrich 1999, doi:10.1049/cp:19991091.
    """
    return relu(_shortfall(pred, target, margin=margin))


# --- points of a space ------------------------------------------------------------------------------------------------
def _scaled(v: Array) -> tuple[Array, Array]:
    """The vector over its size, and the size: no power of what is left overflows, and none vanishes that matters."""
    size = largest(v)
    size = np.where(size == 0, 1, size)
    return v / size, size


def _is_moderate(norms: Array) -> bool:
    """Whether the squares of norms are neither too large for a float nor so small that parts of them vanished."""
    limits = np.finfo(norms.dtype)
    return not ((norms < limits.tiny**0.5 / limits.eps) | (norms > limits.max**0.5 / 2)).any()


def _norm(v: Array, p: float) -> Array:
    if p == 2 and _is_moderate(size := np.sqrt(np.vecdot(v, v))):
        return size
    v, size = _scaled(v)
    return size[..., 0] * np.sum(np.abs(v) ** p, -1) ** (1 / p)


def _slope_of_norm(v: Array, p: float) -> Array:
    """Its gradient u = sign(v)·(|v|/norm)^(p−1), 0 for v = 0."""
    if p == 2 and _is_moderate(size := norm(v, p)):
        return v / size[..., None]
    v, _ = _scaled(v)
    size = norm(v, p)[..., None]
    v = v / np.where(size == 0, 1, size)
    return v if p == 2 else np.sign(v) * np.abs(v) ** (p - 1)


norm = Op(_norm, {"v": lambda g, v, p: g[..., None] * _slope_of_norm(v, p)}, name="norm")
"""The p-norm along the last axis, of entries of any size; slope 0 where it is 0."""


def _triangle(pred: Array) -> tuple[Array, Array, Array, Array]:
    """Positive − anchor, negative − anchor, negative − positive; scaled down where `huge`, or they would overflow."""
    huge = np.abs(pred) > np.finfo(pred.dtype).max / 4
    if huge.any():
        huge = huge.any((-2, -1))
        pred = np.where(huge[..., None, None], 2**-32 * pred, pred)
    a, p, n = pred[..., 0, :], pred[..., 1, :], pred[..., 2, :]
    return p - a, n - a, n - p, huge


def _excess(pred: Array, target: None, *, margin: float, p: float, swap: bool) -> Array:
    ap, an, pn, huge = _triangle(pred)
    far = np.minimum(norm(an, p), norm(pn, p)) if swap else norm(an, p)
    gap = norm(ap, p) - far
    return margin + (np.where(huge, 2**32 * gap, gap) if huge.any() else gap)


def _excess_of(pred: Array, margin: float, p: float, swap: bool) -> Array:
    return _excess(pred, None, margin=margin, p=p, swap=swap)


def _triplet_slope(pred: Array, target: None, *, margin: float, p: float, swap: bool) -> Array:
    ap, an, pn, _ = _triangle(pred)
    near, far, other = _slope_of_norm(ap, p), _slope_of_norm(an, p), 0
    if swap:
        by_anchor = (np.sign(norm(pn, p) - norm(an, p)) + 1)[..., None] / 2  # a tie is split in halves
        far, other = by_anchor * far, (1 - by_anchor) * _slope_of_norm(pn, p)
    push = np.stack([far - near, near + other, -far - other], -2)
    return push * ~(once(_excess_of, pred, margin, p, swap) <= 0)[..., None, None]


def _corner(one: int, other: int) -> Any:
    """What vanishes where the distance of two roles has a kink: the distance, for p = 1 any of its coordinates."""

    def kink(pred: Array, target: None, *, margin: float, p: float, swap: bool) -> Array:
        d = pred[..., one, :] - pred[..., other, :]
        return norm(d, p) if p > 1 else np.abs(d).min(-1)

    return kink


def _side(pred: Array, target: None, *, margin: float, p: float, swap: bool) -> Array:
    """What vanishes where a swap begins, and where the negative meets the positive; without swap neither matters."""
    _, an, pn, _ = _triangle(pred)
    tie = norm(an, p) - norm(pn, p)
    return tie * _corner(1, 2)(pred, target, margin=margin, p=p, swap=swap) if swap else np.ones_like(tie)


@loss(
    pred="embedding",
    target="none",
    heads="anchor positive negative",
    kinks=(_excess, _corner(0, 1), _corner(0, 2), _side),
    claims="shift_invariant",
    grad=_triplet_slope,
)
def triplet_margin(
    pred: Array,
    target: None = None,
    *,
    margin: Annotated[float, positive, "by how much the negative must be farther off, in units of the distance"] = 1.0,
    p: Annotated[float, Constraint("≥ 1", lambda v: (v >= 1) & (v < np.inf)), "the p of the p-norm"] = 2.0,
    swap: Annotated[
        bool, boolean, "whether the positive may stand in for the anchor if the negative is nearer"
    ] = False,
) -> Array:
    """Pulls the positive to the anchor and pushes the negative off, each with length 1, until the margin is kept.

    pos(m + d_ap − d_an), d the p-norm of the difference; with swap min(d_an, d_pn) for d_an. Slopes where it is > 0:
    u_ap − u_an, −u_ap, u_an with u = sign(d)·(|d|/norm)^(p−1) the gradient of the norm, 0 for d = 0. It is hinge of the
    difference of two distances; when all points coincide it is m and has slope 0.

    Args:
        pred: S + (3, d): anchor, positive, negative.
        target: none.
        margin: m > 0, in the unit of the distance.
        p: of the norm, ≥ 1.
        swap: whether to measure the negative from the nearer one of anchor and positive.

    Returns:
        S, the unit of the distance.

    >>> triplet_margin([[[0.0, 0.0], [3.0, 4.0], [0.0, 2.0]]]).item()  # 1 + 5 − 2
    4.0

    Weinberger, Saul 2009, Journal of Machine Learning Research 10, 207–244.
    """
    return relu(once(_excess_of, pred, margin, p, swap))


def _unit(v: Array) -> tuple[Array, Array, Any, Any]:
    """The unit vector, the norm as a product of two numbers, as it may be too small to divide by, and where it is 0."""
    if _is_moderate(length := norm(v, 2)[..., None]):
        return v / length, length, 1, np.False_
    v, size = _scaled(v)
    length = norm(v, 2)[..., None]
    none = length == 0
    length = np.where(none, 1, length)
    return v / length, length, size, none


def _cosine(pred: Array) -> tuple[Array, Array]:
    """1 − cos = ½ norm(â − b̂)² and cos of each pair; beside a zero vector cos is 0, with slope 0."""
    units, _, _, none = once(_unit, pred)
    a, b = units[..., 0, :], units[..., 1, :]
    apart, cos = 0.5 * np.sum((a - b) ** 2, -1), np.sum(a * b, -1)
    if none.any():
        none = none[..., 0].any(-1)
        apart, cos = np.where(none, 1, apart), np.where(none, 0, cos)
    return apart, cos


def _cosine_slope(pred: Array, target: Array, *, margin: float) -> Array:
    units, length, size, none = once(_unit, pred)
    cos = once(_cosine, pred)[1][..., None, None]
    k = np.where((target[..., None, None] < 0) & (cos <= margin), 0, -target[..., None, None])
    if none.any():
        k = np.where(none.any(-2, keepdims=True), 0, k)
    return k * (units[..., ::-1, :] - cos * units) / length / size


@loss(
    pred="embedding",
    target="sign",
    heads="first second",
    kinks=(
        lambda pred, target, *, margin: np.where(target < 0, _cosine(pred)[1] - margin, 1),
        lambda pred, target, *, margin: largest(pred)[..., 0].min(-1),
    ),
    claims="symmetric",
    grad=_cosine_slope,
)
def cosine_embedding(
    pred: Array,
    target: Array,
    *,
    margin: Annotated[float, between(-1, 1, "[)"), "the cosine up to which an unlike pair is left alone"] = 0.0,
) -> Array:
    """Turns the vectors of a like pair towards each other and those of an unlike pair apart; lengths do not count.

    y = +1: 1 − cos, y = −1: pos(cos − m); slopes k(b̂ − cos·â)/norm(a) and k(â − cos·b̂)/norm(b) with k = −1 for y = +1,
    +1 for y = −1 and cos > m, else 0. Beside a zero vector cos is 0 and nothing is pulled. For y = +1 it is
    ½ norm(â − b̂)².

    Args:
        pred: S + (2, d), the vectors a and b.
        target: S, y = +1 for a like pair, −1 for an unlike one.
        margin: m, in [−1, 1).

    Returns:
        S, a pure number in [0, 2].

    >>> round(cosine_embedding([[[1.0, 0.0], [3.0, 4.0]]], [1]).item(), 6)  # 1 − 3/5
    0.4

    Bromley 1993, doi:10.1142/S0218001493000339.
    """
    apart, cos = once(_cosine, pred)
    return np.where(target > 0, apart, np.where(cos <= margin, 0, cos - margin))


@hookimpl
def minigrad_losses() -> list[Loss]:
    """The losses of this file."""
    return [margin_ranking, triplet_margin, cosine_embedding]
