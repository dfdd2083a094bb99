"""Losses on points of a space, where what is alike is to be near: the pack `embedding`.

Only directions count, but for `contrastive`: a point is taken over its length, and the cosine of two is the product of
such unit vectors. A zero vector has cosine 0 with every other, and nothing turns it.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from minigrad import hookimpl, loss, op
from minigrad.errors import DomainError, LabelError
from minigrad.losses import Loss, between, nonnegative, pick, positive
from minigrad.ops import log_softmax, softmax_residual

Array = Any
Temperature = Annotated[
    float, positive, "the difference of cosines that counts: the lower, the more the nearest decide"
]


# --- lengths and directions -------------------------------------------------------------------------------------------
def _largest(v: Array) -> Array:
    size = np.abs(v).max(-1, keepdims=True)
    return np.where(size == 0, 1, size)


_size = op(_largest, name="size", v=None)
"""The largest size of an entry, 1 of a zero vector: over it, squares neither overflow nor vanish; what is computed with
it does not depend on it."""


def _polar(v: Array) -> tuple[Array, Array, Array]:
    """The unit vector, 0 of a zero vector, and its length as a product: it may be too small to divide by."""
    size = _size(v)
    length = np.linalg.norm(v / size, axis=-1, keepdims=True)
    return np.where(length == 0, 0, v / size / np.where(length == 0, 1, length)), length, size


def _unit(v: Array) -> Array:
    return _polar(v)[0]


_length = op(
    lambda v: np.linalg.norm(v / _largest(v), axis=-1) * _largest(v)[..., 0],
    name="length",
    v=lambda g, v: np.expand_dims(g, -1) * _unit(v),
)
"""The Euclidean length along the last axis, of entries of any size; slope 0 where it is 0."""


# --- pairs ------------------------------------------------------------------------------------------------------------
def _gap(pred: Array) -> tuple[Array, Array]:
    """What leads from b to a, and its length; a quarter of it where all of it would be no float."""
    v, quarter = pred[..., 0, :] - pred[..., 1, :], 0.25 * pred[..., 0, :] - 0.25 * pred[..., 1, :]
    far = (np.abs(v) == math.inf).any(-1)
    v = np.where(far[..., None], quarter, v)
    return v, np.where(far, 4 * _length(v), _length(v))


def _strain(pred: Array, target: Array, pos_margin: float, neg_margin: float) -> tuple[Array, Array]:
    """How far a pair is from where it is left alone, < 0 if it is too near; and what leads from b to a."""
    gap, distance = _gap(pred)
    far, near = distance - pos_margin, distance - neg_margin
    return np.where(target > 0, np.where(far <= 0, 0, far), np.where(near >= 0, 0, near)), gap


def _contrastive_slope(pred: Array, target: Array, *, pos_margin: float, neg_margin: float) -> Array:
    strain, gap = _strain(pred, target, pos_margin, neg_margin)
    way = _unit(gap)
    pull = 2 * np.where(way == 0, 0, strain[..., None] * way)  # 0 · inf, of points at both ends of the floats
    return np.stack([pull, -pull], -2)


@loss(
    pred="embedding",
    target="binary",
    heads="first second",
    kinks=lambda pred, target, *, pos_margin, neg_margin: np.where(target > 0, 1, _gap(pred)[1]),
    grad=_contrastive_slope,
)
def contrastive(
    pred: Array,
    target: Array,
    *,
    pos_margin: Annotated[float, nonnegative, "the distance up to which a like pair is left alone"] = 0.0,
    neg_margin: Annotated[float, positive, "the distance from which an unlike pair is left alone"] = 1.0,
) -> Array:
    """A spring: pulls a like pair together with twice what it is too far apart, and pushes an unlike one off likewise.

    y·pos(d − m₊)² + (1−y)·pos(m₋ − d)² with d = norm(a − b); slope in a 2(y·pos(d − m₊) − (1−y)·pos(m₋ − d))(a − b)/d,
    in b its opposite, and 0 at d = 0, where an unlike pair has a kink. With m₊ = 0 a like pair costs norm(a − b)².

    Args:
        pred: S + (2, d), the points a and b.
        target: S, y = 1 for a like pair, 0 for an unlike one.
        pos_margin: m₊ ≥ 0, in the unit of the distance.
        neg_margin: m₋ > 0, in the unit of the distance.

    Returns:
        S, the unit of the distance squared.

    >>> contrastive([[[0.0, 0.0], [0.3, 0.4]]], [0]).item()  # (1 − ½)²
    0.25

    Hadsell 2006, doi:10.1109/CVPR.2006.100.
    """
    strain, _ = _strain(pred, target, pos_margin, neg_margin)
    return strain * strain


# --- batches in which all are compared with all -----------------------------------------------------------------------
def _among_others(pred: Array, temperature: float) -> Array:
    """ln(exp(c_ik/τ)/Σ_{k≠i} exp(c_ik/τ)) of all points i and k, (m, m); −inf on the diagonal."""
    points = _unit(pred).reshape(-1, pred.shape[-1])
    itself = np.eye(len(points), dtype=bool)
    return log_softmax(np.where(itself, -math.inf, points @ points.T / temperature))


@loss(pred="embedding", target="none", heads="first second", coupled=True)
def nt_xent(pred: Array, target: None = None, *, temperature: Temperature = 0.1) -> Array:
    """Each view has to find the other view of its sample among all the batch: no labels, only two views of a thing.

    The mean over both views i of −ln(exp(c(i, i′)/τ)/Σ_{k≠i} exp(c(i, k)/τ)), c the cosine, i′ the other view, k over
    all 2n views; slope in c (softmax − e)/τ. It is cross_entropy with 2n − 1 classes, so unrelated points cost about
    ln(2n − 1): larger batches ask more.

    Args:
        pred: (n, …, 2, d), two views of every sample.
        target: none.
        temperature: τ > 0, a difference of cosines.

    Returns:
        (n, …), in nats.

    >>> round(nt_xent([[[1.0, 0.0], [2.0, 0.0]], [[0.0, 3.0], [0.0, 4.0]]], temperature=1.0).item(), 6)  # ln(1 + 2/e)
    0.551445

    Chen 2020, arXiv:2002.05709.
    """
    views = _among_others(pred, temperature)
    found = pick(-views, np.arange(len(views)) ^ 1)  # 0 and 1, 2 and 3, … are the views of one sample
    return found.reshape(pred.shape[:-1]).mean(-1)


@loss(pred="embedding", target="index", coupled=True)
def supcon(pred: Array, target: Array, *, temperature: Temperature = 0.1) -> Array:
    """Each point has to find all others of its class among the batch: draws a class together and classes apart.

    The mean over the others k of the class of i of −ln(exp(c(i, k)/τ)/Σ_{j≠i} exp(c(i, j)/τ)), c the cosine; slope in c
    (softmax − [same class]/count)/τ. A point whose class has no other in the batch costs 0, so take batches in which
    classes meet. For classes of two it is nt_xent.

    Args:
        pred: (n, …, d), one point for every sample.
        target: (n, …), any integers.
        temperature: τ > 0, a difference of cosines.

    Returns:
        (n, …), in nats.

    >>> round(supcon([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]], [5, 5, 7], temperature=1.0).item(), 6)  # ⅔·ln(1 + 1/e)
    0.208841

    Khosla 2020, arXiv:2004.11362.
    """
    labels = target.reshape(-1)
    same = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
    shares = same / np.maximum(same.sum(-1, keepdims=True), 1)
    return pick(-_among_others(pred, temperature), shares.astype(pred.dtype)).reshape(target.shape)


# --- a loss with weights of its own -----------------------------------------------------------------------------------
def _directions(pred: Array, target: Array, centres: Array) -> Array:
    """Unit vectors of the centres, in the dtype of pred, after a look at them and at the labels."""
    width = pred.shape[-1]
    shape = (width, width) if centres is None else np.shape(centres)
    if len(shape) != 2 or shape[1] != width:
        raise DomainError(
            f"arcface: expected centres (K, {width}), one for each class, got {shape}; pred has {width} columns"
        )
    if (bad := (target < 0) | (target >= shape[0])).any():
        raise LabelError(
            f"arcface: expected labels 0 … {shape[0] - 1}, one for each centre, got {target[bad][0]} "
            f"({bad.sum()} of {bad.size}); give a centre for each class, centres=(K, {width}), or mask such rows"
        )
    return np.eye(width, dtype=pred.dtype) if centres is None else _unit(centres.astype(pred.dtype))


def _angles(pred: Array, target: Array, centres: Array) -> tuple[Array, Array, Array, Array]:
    """Unit vectors of the centres and the cosines to them, and the cosine and sine of the angle to the own one."""
    x, w = _unit(pred), _directions(pred, target, centres)
    own = w[target]
    chords = np.linalg.norm(x - own, axis=-1) * np.linalg.norm(x + own, axis=-1)  # 2 sin ½θ and 2 cos ½θ
    none = (x == 0).all(-1) | (own == 0).all(-1)
    return w, x @ w.T, np.sum(x * own, -1), np.where(none, 1, 0.5 * chords)


def _scores(cosines: Array, cosine: Array, sine: Array, target: Array, margin: float, scale: float) -> Array:
    """S·c′: the cosines, that of the own centre with its angle m wider."""
    turned = math.cos(margin) * cosine - math.sin(margin) * sine
    turned = np.where(cosine >= -math.cos(margin), turned, cosine - 1 + math.cos(margin))
    own = np.arange(cosines.shape[-1]) == target[..., None]
    return scale * np.where(own, turned[..., None], cosines)


def _arcface_slope(pred: Array, target: Array, *, centres: Array, margin: float, scale: float) -> Array:
    w, cosines, cosine, sine = _angles(pred, target, centres)
    pull = scale * softmax_residual(_scores(cosines, cosine, sine, target, margin, scale), target)
    steeper = math.cos(margin) + math.sin(margin) * cosine / np.where(sine == 0, 1, sine)  # sin(θ + m)/sin θ
    own = np.arange(cosines.shape[-1]) == target[..., None]
    pull = np.where(own, np.where(cosine >= -math.cos(margin), steeper, 1)[..., None] * pull, pull)
    unit, length, size = _polar(pred)
    across = pull @ w - np.sum(pull * cosines, -1, keepdims=True) * unit
    return np.where(length == 0, 0, across / np.where(length == 0, 1, length) / size)


def _corners(pred: Array, target: Array, *, centres: Array, margin: float, scale: float) -> Array:
    """What vanishes where the slope jumps: on the own centre, where the line begins, and at 0."""
    _, _, cosine, sine = _angles(pred, target, centres)
    on_it = np.where(cosine > 0, sine, 1)
    corners = np.stack([on_it, cosine + math.cos(margin)], -1) if margin else np.ones((*cosine.shape, 2))
    return np.concatenate([corners, np.abs(pred).max(-1, keepdims=True)], -1)


@loss(pred="embedding", target="index", kinks=_corners, grad=_arcface_slope)
def arcface(
    pred: Array,
    target: Array,
    *,
    centres: Any = None,
    margin: Annotated[
        float, between(0, math.pi, "[)"), "the angle by which the own centre must be nearer, in radians"
    ] = 0.5,
    scale: Annotated[float, positive, "what a cosine of 1 is as a score"] = 30.0,
) -> Array:
    """Turns each point to the centre of its class as if it stood a margin farther off: classes end up apart by angles.

    cross_entropy of the scores S·c′, c the cosines to the centres, but for the own class c′ = cos(θ + m), and
    c − 1 + cos m, which goes on falling, once θ > π − m; slope S·(p_k − e_k)·dc′_k/dc_k in c_k. It has kinks there and
    on the own centre. With m = 0 it is cross_entropy of S·c.

    Args:
        pred: S + (d,) points.
        target: S labels 0 … K−1.
        centres: (K, d), a point for each class; None for the d axes. Given as a Tensor that requires gradients they are
            learned.
        margin: m, in [0, π), in radians.
        scale: S > 0.

    Returns:
        S, in nats.

    Raises:
        DomainError: centres of another width than the points.
        LabelError: a label without a centre.

    >>> round(arcface([[2.0, 0.0]], [0], margin=0.5, scale=1.0).item(), 6)  # ln(1 + e^−cos ½)
    0.347685

    Deng 2019, doi:10.1109/CVPR.2019.00482.
    """
    _, *angles = _angles(pred, target, centres)
    return -pick(log_softmax(_scores(*angles, target, margin, scale)), target)


@hookimpl
def minigrad_losses() -> list[Loss]:
    """The losses of this pack."""
    return [contrastive, nt_xent, supcon, arcface]
