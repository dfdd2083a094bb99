"""Losses for labels that are partly wrong: the pack `noisy`.

p = softmax(z), y is the label and e its one-hot row, l = −ln p_y. Cross-entropy pulls hardest on the samples that fit
worst, and wrong labels fit worst: a model that is given time learns them by heart. Three of these losses stop to shout
at such samples, the fourth is told how labels go wrong. All pull along p − e; they differ in how hard.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from minigrad import hookimpl, loss, op
from minigrad.errors import ShapeError
from minigrad.losses import Constraint, Loss, between, nonnegative, pick
from minigrad.ops import log_softmax, softmax, softmax_residual

Array = Any


def _surprises(pred: Array, times: float) -> Array:
    """The −ln p of every class times a factor, also where −ln p alone is too large for a float."""
    v = -log_softmax(pred)
    return np.where(v == math.inf, times * pred.max(-1, keepdims=True) - times * pred, times * v)


# --- a pull that fades ------------------------------------------------------------------------------------------------
def _gce_slope(pred: Array, target: Array, *, q: float) -> Array:
    p, lp = pick(softmax(pred), target), pick(log_softmax(pred), target)
    heard = np.where(p < np.finfo(pred.dtype).tiny, np.exp(q * lp), p**q)  # p^q may be a float where p is none
    return heard[..., None] * softmax_residual(pred, target)


@loss(pred="logits", target="index", kinks=(), claims="symmetric shift_invariant", grad=_gce_slope)
def gce(
    pred: Array,
    target: Array,
    *,
    q: Annotated[float, between(0, 1, "(]"), "how far from cross-entropy (→ 0) to 1 − p of the label (1)"] = 0.7,
) -> Array:
    """Believes a label as far as the model does: a sample pulls with p_y^q of what it would in cross-entropy.

    (1 − p_y^q)/q, slope p_y^q·(p − e); at most 1/q. As q → 0 it is cross_entropy, for q = 1 it is 1 − p_y.

    Args:
        pred: S + (K,) scores, any real numbers; −inf is a masked class.
        target: S labels 0 … K−1.
        q: in (0, 1].

    Returns:
        S, a pure number.

    >>> gce([[0.0, 0.0, 0.0, 0.0]], [1], q=0.5).item()  # (1 − √¼)/½
    1.0

    Zhang, Sabuncu 2018, arXiv:1805.07836.
    """
    return -np.expm1(q * pick(log_softmax(pred), target)) / q


def _symmetric_ce_slope(pred: Array, target: Array, *, alpha: float, beta: float, log_zero: float) -> Array:
    p = pick(softmax(pred), target)
    return (alpha - beta * log_zero * p)[..., None] * softmax_residual(pred, target)


@loss(pred="logits", target="index", kinks=(), claims="symmetric shift_invariant", grad=_symmetric_ce_slope)
def symmetric_ce(
    pred: Array,
    target: Array,
    *,
    alpha: Annotated[float, nonnegative, "the share of cross-entropy, which fits the last samples too"] = 0.1,
    beta: Annotated[float, nonnegative, "the share of cross-entropy with label and prediction exchanged"] = 1.0,
    log_zero: Annotated[float, between(-math.inf, 0), "what stands for ln 0, of a label that is not given"] = -4.0,
) -> Array:
    """Asks the label too how surprised it is: by what the model gives to other classes, which is never more than −A.

    α·l − β·A·(1 − p_y), slope (α − β·A·p_y)·(p − e), where A < 0 stands for ln 0: a sample that does not fit keeps the
    small pull α. β = 0 is α·cross_entropy; α = 0 is bounded by −β·A, and is −β·A·gce(q=1).

    Args:
        pred: S + (K,) scores, any real numbers; −inf is a masked class.
        target: S labels 0 … K−1.
        alpha: α ≥ 0.
        beta: β ≥ 0.
        log_zero: A < 0, in nats.

    Returns:
        S, in nats.

    >>> symmetric_ce([[0.0, 0.0, 0.0, 0.0]], [1], alpha=0.0).item()  # 4·(1 − ¼)
    3.0

    Wang 2019, doi:10.1109/ICCV.2019.00041.
    """
    l = pick(_surprises(pred, alpha), target) if alpha else 0  # 0 · inf: a masked class
    return l + beta * log_zero * pick(softmax_residual(pred, target), target)


# --- the same for every label -----------------------------------------------------------------------------------------
def _shares(pred: Array, target: Array) -> tuple[Array, Array, float]:
    """The label's l and the sum of the other −ln p, times c, and c: N may be no float. A masked class is none."""
    c, masked = 0.5 ** pred.shape[-1].bit_length(), pred == -math.inf
    v = _surprises(pred, c)
    own = np.arange(pred.shape[-1]) == target[..., None]
    return pick(v, target), np.sum(np.where(own | masked, 0, v), -1), c


def _normalised_slope(pred: Array, target: Array) -> Array:
    l, others, c = _shares(pred, target)
    total = np.where(l + others == 0, 1, l + others)
    l, others, scale = ((part / total)[..., None] for part in (l, others, c))
    own, masked = np.arange(pred.shape[-1]) == target[..., None], pred == -math.inf
    k = np.sum(~masked, -1, keepdims=True).astype(pred.dtype)
    p, q = softmax(pred), -np.expm1(log_softmax(pred))
    # Σ_{k≠y} (v_k·dl − l·dv_k)/N² with v = −ln p, dv_k = p − e_k: for the label and for K = 2 nothing cancels
    pull = np.where(own, -q * others - (k - 1) * p * l, q * l + p * (others - (k - 2) * l))
    return np.where(masked | (scale == 0), 0, pull * scale)


@loss(pred="logits", target="index", kinks=(), claims="symmetric shift_invariant", grad=_normalised_slope)
def normalised_ce(pred: Array, target: Array) -> Array:
    """What the label costs as a share of what all labels would: as much as one label gains, the others lose.

    l/N with N = Σ_k −ln p_k; slope ((p − e)·N − l·(K·p − 1))/N². In [0, 1], and 1 in all over the K labels: labels that
    are wrong at random, each as often, add a constant and leave the best model where it is. Its pull on the label is at
    most (K − 1)/(K²·ln K), and fades on both sides: it is made for sums with a loss that is bounded too.

    Args:
        pred: S + (K,) scores, any real numbers; −inf is a masked class, which is not among the K.
        target: S labels 0 … K−1.

    Returns:
        S, a pure number.

    >>> normalised_ce([[0.0, 0.0, 0.0, 0.0]], [1]).item()
    0.25

    Ma 2020, arXiv:2006.13554.
    """
    l, others, _ = _shares(pred, target)
    small = l <= others
    u = np.where(small, l, others) / np.where(small, np.where(others == 0, 1, others), l)  # at most 1
    return np.where(small, u, 1) / (1 + u)


# --- labels that go wrong in a known way ------------------------------------------------------------------------------
_largest = op(lambda z: z.max(-1, keepdims=True), name="largest", z=None)


def _are_chances(t: Array) -> bool:
    return t.ndim == 2 and bool(t.size and (t >= 0).all() and (np.abs(t.sum(-1) - 1) <= 1e-6 * len(t)).all())


def _chances(transition: Array, pred: Array, target: Array) -> Array:
    """T[·, y]: for each true class the chance that it is labelled as the sample is; S + (K,), in the dtype of pred."""
    k = pred.shape[-1]
    table = np.eye(k) if transition is None else np.asarray(transition)
    if table.shape != (k, k):
        said = f"forward_corrected: expected transition ({k}, {k}) for {k} classes, got {table.shape}"
        raise ShapeError(f"{said}; give a row for each true class")
    return table.T.astype(pred.dtype)[target]


def _joint(scores: Array, chances: Array) -> tuple[Array, Array]:
    """e^(z − m)·T[·, y] and m, the largest score of a class that can get this label; 0 if there is none."""
    possible = np.where(chances == 0, -math.inf, scores)
    m = _largest(possible)
    m = np.where(m == -math.inf, 0, m)
    return np.exp(possible - m) * chances, m


def _forward_slope(pred: Array, target: Array, *, transition: Array) -> Array:
    chances = _chances(transition, pred, target)
    joint, _ = _joint(pred, chances)
    joint = np.where(joint.any(-1, keepdims=True), joint, chances)  # the model rules out every class that could be it
    total = joint.sum(-1, keepdims=True)
    return softmax_residual(pred, joint / np.where(total == 0, 1, total))


@loss(
    pred="logits",
    target="index",
    kinks=(),
    claims="convex symmetric proper shift_invariant",
    grad=_forward_slope,
)
def forward_corrected(
    pred: Array,
    target: Array,
    *,
    transition: Annotated[
        Any,
        Constraint("to have rows ≥ 0 with sum 1", _are_chances),
        "how often a class (row) gets which label (column)",
    ] = None,
) -> Array:
    """Lets the model say what is true and compares with what would be seen: a slip that is known pulls nobody.

    −ln Σ_j p_j·T[j, y]; slope p_j·(1 − T[j, y]/Σ_i p_i·T[i, y]): a label pulls towards the classes that get it more
    often than the model expects. Elicits the true probabilities from wrong labels. With the identity, which is the
    default, it is cross_entropy; only then it is convex.

    Args:
        pred: S + (K,) scores of the true classes, any real numbers; −inf is a masked class.
        target: S labels 0 … K−1, as seen.
        transition: T (K, K), T[true, seen] ≥ 0, rows with sum 1; None is the identity.

    Returns:
        S, in nats; inf where T rules out what was seen.

    >>> seen_as = [[0.9, 0.1], [0.4, 0.6]]
    >>> round(forward_corrected([[0.0, 0.0]], [1], transition=seen_as).item(), 6)  # −ln 0.35
    1.049822

    Patrini 2017, doi:10.1109/CVPR.2017.240.
    """
    chances = _chances(transition, pred, target)
    (joint, m), otherwise = _joint(log_softmax(pred), chances), np.sum(softmax(pred) * (1 - chances), -1)
    near = otherwise < 0.5  # ln(1 − Σ p_j·(1 − T[j, y])): nothing is lost where the sum is small
    return -np.where(near, np.log1p(-np.where(near, otherwise, 0)), m[..., 0] + np.log(np.sum(joint, -1)))


@hookimpl
def minigrad_losses() -> list[Loss]:
    """The losses of this pack."""
    return [gce, symmetric_ce, normalised_ce, forward_corrected]
