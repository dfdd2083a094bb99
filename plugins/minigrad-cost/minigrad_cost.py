"""Losses where errors have prices, and classes are rare: the pack `cost`."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from minigrad import hookimpl, loss, op
from minigrad.errors import DomainError, DTypeError, LabelError
from minigrad.losses import Loss, between, fitted, nonnegative, pick, positive
from minigrad.ops import log_softmax, sigmoid, softmax_residual, softplus

Array = Any
MissedCost = Annotated[float, positive, "what a missed positive costs"]
AlarmCost = Annotated[float, positive, "what a false alarm costs"]


def _times(factor: Array, value: Array) -> Array:
    """Factor · value, and 0 where the factor is 0: 0 · inf, at a sure score."""
    return factor * np.where(factor == 0, 0, value)


# --- two classes ------------------------------------------------------------------------------------------------------
def _cost_weighted_slope(pred: Array, target: Array, *, cost_fn: float, cost_fp: float) -> Array:
    return cost_fp * (1 - target) * sigmoid(pred) - cost_fn * target * sigmoid(-pred)


@loss(pred="logit", target="unit", kinks=(), claims="convex symmetric proper", grad=_cost_weighted_slope)
def cost_weighted_bce(pred: Array, target: Array, *, cost_fn: MissedCost = 1.0, cost_fp: AlarmCost = 1.0) -> Array:
    """The surprise at a yes or no, in money: a missed positive pulls cost_fn as hard, a false alarm cost_fp.

    c_fn·y·ln(1 + e^−z) + c_fp·(1−y)·ln(1 + e^z); slope c_fp·(1−y)·σ(z) − c_fn·y·σ(−z). Where a share P is positive it
    elicits σ(z) = c_fn·P/(c_fn·P + c_fp·(1−P)): deciding at ½ is deciding at P > c_fp/(c_fp + c_fn). With equal costs
    of 1 it is bce_with_logits.

    Args:
        pred: S scores, any real numbers.
        target: S, the probability of yes, in [0, 1].
        cost_fn: price of a missed positive, > 0.
        cost_fp: price of a false alarm, > 0.

    Returns:
        S, in nats times the price.

    >>> round(cost_weighted_bce([0.0], [1.0], cost_fn=10).item(), 6)
    6.931472

    Elkan 2001, The foundations of cost-sensitive learning.
    """
    return _times(cost_fn * target, softplus(-pred)) + _times(cost_fp * (1 - target), softplus(pred))


def _expected_cost_slope(pred: Array, target: Array, *, cost_fn: float, cost_fp: float) -> Array:
    return sigmoid(pred) * sigmoid(-pred) * (cost_fp * (1 - target) - cost_fn * target)


@loss(pred="logit", target="unit", kinks=(), claims="symmetric", grad=_expected_cost_slope)
def expected_cost(pred: Array, target: Array, *, cost_fn: MissedCost = 1.0, cost_fp: AlarmCost = 1.0) -> Array:
    """What the decision will cost, if it is drawn with probability σ(z): a hopeless sample is given up.

    c_fn·y·σ(−z) + c_fp·(1−y)·σ(z); slope σ(z)·σ(−z)·(c_fp·(1−y) − c_fn·y), which fades in both tails. Bounded by the
    larger cost; not convex and not proper: its best score is ±∞.

    Args:
        pred: S scores, any real numbers.
        target: S, the probability of yes, in [0, 1].
        cost_fn: price of a missed positive, > 0.
        cost_fp: price of a false alarm, > 0.

    Returns:
        S, in units of the price.

    >>> expected_cost([0.0], [1.0], cost_fn=10).item()
    5.0

    Elkan 2001, The foundations of cost-sensitive learning.
    """
    return cost_fn * target * sigmoid(-pred) + cost_fp * (1 - target) * sigmoid(pred)


# --- many classes -----------------------------------------------------------------------------------------------------
MOST = 1_000_000  # classes: a stray label such as 2³¹ must not ask for as many counts


def counts(target: Array) -> Array:
    """Rows per class, (K,), for K up to the largest label; a class without rows counts as half a row.

    Raises:
        DTypeError: the targets are no integer labels.
        LabelError: a negative label, or one beyond a million.
    """
    labels = np.asarray(target).reshape(-1)
    if labels.dtype.kind not in "iub":
        raise DTypeError(f"class_counts: expected integer labels, got {labels.dtype}; use target.astype(int)")
    if (bad := (labels < 0) | (labels >= MOST)).any():
        row = int(bad.argmax())
        raise LabelError(f"class_counts: expected labels 0 … K−1, got {labels[row]} at row {row}; drop such rows")
    return np.maximum(np.bincount(labels), 0.5)


def _for_classes(class_counts: Array, classes: int) -> Array:
    """The counts of all classes: those above the largest label that was seen have half a row."""
    found = np.maximum(np.asarray(class_counts, float), 0.5)
    if found.ndim != 1 or len(found) > classes:
        got = len(found) if found.ndim == 1 else f"an array {found.shape}"
        raise DomainError(f"class_counts: expected {classes} of them, one for each class and output, got {got}")
    return np.concatenate([found, np.full(classes - len(found), 0.5)])


def _class_balance(class_counts: Array, beta: float, pred: Array) -> Array:
    """w_c ∝ (1−β)/(1−β^n_c), with mean 1, in the dtype of pred."""
    n = _for_classes(class_counts, pred.shape[-1])
    w = (1 - beta) / -np.expm1(n * np.log(beta)) if beta else np.ones(len(n))
    return (w / w.mean()).astype(pred.dtype)


def _class_balanced_slope(pred: Array, target: Array, *, class_counts: Array, beta: float) -> Array:
    return _class_balance(class_counts, beta, pred)[target][..., None] * softmax_residual(pred, target)


@loss(pred="logits", target="index", kinks=(), claims="convex shift_invariant", grad=_class_balanced_slope)
def class_balanced(
    pred: Array,
    target: Array,
    *,
    class_counts: Annotated[Any, nonnegative, "the number of training rows of each class"] = fitted(counts),
    beta: Annotated[
        float, between(0, 1, "[)"), "how much a further row of a class adds: 0 nothing, → 1 as the first"
    ] = 0.999,
) -> Array:
    """Cross-entropy in which a rare class is heard louder, by its effective number of samples.

    w_y·cross_entropy with w_c ∝ (1−β)/(1−β^n_c) of mean 1; slope w_y·(p − e). β = 0 is cross_entropy; as β → 1 the
    weights tend to 1/n_c.

    Args:
        pred: S + (K,) scores, any real numbers.
        target: S labels 0 … K−1.
        class_counts: n_c, one for each class; fitted to the training targets.
        beta: β, in [0, 1).

    Returns:
        S, in nats.

    >>> round(class_balanced([[0.0, 0.0]], [1], class_counts=[2, 1], beta=0.5).item(), 6)
    0.831777

    Cui 2019, arXiv:1901.05555.
    """
    return _class_balance(class_counts, beta, pred)[target] * -pick(log_softmax(pred), target)


_largest = op(lambda z: z.max(-1, keepdims=True), name="largest", z=None)


def _adjusted(z: Array, class_counts: Array, tau: float) -> Array:
    """Scores plus τ·ln π, less the largest score: beside a score of 1e16 a prior would be lost."""
    n = _for_classes(class_counts, z.shape[-1])
    return (z - _largest(z)) + (tau * np.log(n / n.sum())).astype(z.dtype)


def _logit_adjusted_slope(pred: Array, target: Array, *, class_counts: Array, tau: float) -> Array:
    return softmax_residual(_adjusted(pred, class_counts, tau), target)


@loss(pred="logits", target="index", kinks=(), claims="convex shift_invariant", grad=_logit_adjusted_slope)
def logit_adjusted(
    pred: Array,
    target: Array,
    *,
    class_counts: Annotated[Any, nonnegative, "the number of training rows of each class"] = fitted(counts),
    tau: Annotated[float, nonnegative, "how much of the prior is taken out of the scores"] = 1.0,
) -> Array:
    """Cross-entropy after the classes' frequencies were added to the scores: the model need not learn them.

    cross_entropy(z + τ·ln π, y) with π = counts/Σ counts; slope softmax(z + τ·ln π) − e. Decide from z alone: that is
    what is best for the mean of the classes' accuracies. τ = 0 is cross_entropy.

    Args:
        pred: S + (K,) scores, any real numbers.
        target: S labels 0 … K−1.
        class_counts: one for each class; fitted to the training targets.
        tau: τ ≥ 0.

    Returns:
        S, in nats.

    >>> round(logit_adjusted([[0.0, 0.0]], [1], class_counts=[3, 1]).item(), 6)
    1.386294

    Menon 2021, arXiv:2007.07314.
    """
    return -pick(log_softmax(_adjusted(pred, class_counts, tau)), target)


@hookimpl
def minigrad_losses() -> list[Loss]:
    """The losses of this pack."""
    return [cost_weighted_bce, expected_cost, class_balanced, logit_adjusted]
