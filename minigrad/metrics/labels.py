"""Metrics of decisions: which class was said, against which class it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from minigrad.engine.errors import LabelError
from minigrad.metrics.metric import METRICS, Array, first, metric, pair, two_classes
from minigrad.nn.arguments import known, number


@metric(higher_is_better=True, reads="labels")
def accuracy(pred: Array, target: Array) -> Any:
    """The share of predictions that are right.

    >>> accuracy([1, 0, 1, 1], [1, 0, 0, 1])
    0.75
    """
    return np.mean(pred == target)


@metric(higher_is_better=True, reads="labels")
def balanced_accuracy(pred: Array, target: Array) -> Any:
    """The mean over the classes that occur of the share of its samples that are right; ½ for a coin on two classes.

    >>> balanced_accuracy([1, 1, 1, 1], [1, 1, 1, 0])
    0.5
    """
    return np.mean([np.mean(pred[target == k] == k) for k in np.unique(target)])


def confusion_matrix(pred: Any, target: Any, *, classes: int | None = None) -> Array:
    """How often each true class (row) was taken for each class (column): counts (K, K).

    Args:
        pred: labels 0 … K−1, any shape.
        target: the true labels, of that shape.
        classes: K; one more than the largest label unless given.

    Raises:
        ShapeError: the two are not of one shape, or there are none.
        LabelError: a label that is none of the classes.

    >>> confusion_matrix([1, 0, 1, 1], [1, 0, 0, 1])
    array([[1, 1],
           [0, 2]])
    """
    p, t = pair("confusion_matrix", pred, target)
    k = int(max(p.max(), t.max(), 0)) + 1 if classes is None else classes
    for name, labels in (("pred", p), ("target", t)):
        wrong = (labels != np.floor(labels)) | (labels < 0) | (labels >= k)
        if wrong.any():
            raise LabelError(
                f"confusion_matrix: expected labels 0 … {k - 1}, got {labels[wrong][0]} in {name} at row "
                f"{first(wrong)}; number the classes from 0"
            )
    pairs = t.reshape(-1).astype(np.int64) * k + p.reshape(-1).astype(np.int64)
    return np.bincount(pairs, minlength=k * k).reshape(k, k)


def _averaged(where: str, pred: Array, target: Array, average: str, score: Any) -> float:
    """A score of (TP, FP, FN): of class 1; the mean over the classes that occur; or of the counts of all classes."""
    known(where, "average", average, dict.fromkeys(("binary", "macro", "micro")))
    if average == "binary":
        pairs = [two_classes(where, pred, target)]
    else:
        pairs = [(pred == k, target == k) for k in np.union1d(pred, target)]
    counts = np.array([[(p & t).sum(), (p & ~t).sum(), (~p & t).sum()] for p, t in pairs])
    if average == "micro":
        counts = counts.sum(0, keepdims=True)
    return float(np.mean([score(*map(int, row)) for row in counts]))


def _share(hit: int, other: int) -> float:
    return hit / (hit + other) if hit else 0.0


@metric(higher_is_better=True, reads="labels")
def precision(pred: Array, target: Array, *, average: str = "binary") -> float:
    """Of the samples called positive, the share that are: TP/(TP + FP); 0 if none was.

    `average`: "binary" for class 1 of 0 and 1 or −1 and +1, "macro" for the mean over the classes that occur, "micro"
    for the counts of all classes together.
    """
    return _averaged("precision", pred, target, average, lambda hit, false, missed: _share(hit, false))


@metric(higher_is_better=True, reads="labels")
def recall(pred: Array, target: Array, *, average: str = "binary") -> float:
    """Of the positive samples, the share that was called so: TP/(TP + FN); 0 if there are none.

    `average`: as in `precision`.
    """
    return _averaged("recall", pred, target, average, lambda hit, false, missed: _share(hit, missed))


@metric(higher_is_better=True, reads="labels")
def f1(pred: Array, target: Array, *, average: str = "binary") -> float:
    """The harmonic mean of precision and recall: 2TP/(2TP + FP + FN); 0 if no positive was found.

    `average`: as in `precision`.

    >>> f1([1, 1, 0, 0], [1, 0, 1, 0])
    0.5
    """
    return _averaged("f1", pred, target, average, lambda hit, false, missed: _share(2 * hit, false + missed))


for _each in (precision, recall, f1):
    for _average in ("macro", "micro"):
        _name = f"{_each.name}_{_average}"
        METRICS[_name] = replace(_each.with_(average=_average), name=_name)


@metric(higher_is_better=False, reads="labels")
def expected_cost(pred: Array, target: Array, *, cost_fn: float = 1.0, cost_fp: float = 1.0) -> float:
    """What the mistakes cost, per sample: (cost_fn·FN + cost_fp·FP)/n, in the unit of the costs.

    With probabilities p it is least if p ≥ cost_fp/(cost_fp + cost_fn) is called positive (Elkan 2001); the threshold
    that was best on given data is `best_threshold`.

    >>> expected_cost([0, 0, 1, 1], [1, 0, 0, 1], cost_fn=5)
    1.5
    """
    costs = [number("expected_cost", name, cost, "≥ 0 and finite", lambda v: 0 <= v < np.inf)
             for name, cost in (("cost_fn", cost_fn), ("cost_fp", cost_fp))]  # fmt: skip
    p, t = two_classes("expected_cost", pred, target)
    return float((costs[0] * int((~p & t).sum()) + costs[1] * int((p & ~t).sum())) / t.size)
