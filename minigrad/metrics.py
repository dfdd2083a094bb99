"""Metrics: what a person wants to know of predictions. They take decisions or values, and have no gradient.

`decided` turns what a model returns into what a metric reads, so that one `y` serves every loss and every metric.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.engine.errors import DTypeError, LabelError, ShapeError
from minigrad.engine.tensor import Tensor
from minigrad.losses.kinds import CLASSES, PRED
from minigrad.losses.loss import Loss
from minigrad.nn import known

Array = Any


@dataclass(frozen=True)
class Metric:
    """A function of (pred, target) to one number, and how to read it.

    Attributes:
        name: what it is called in tables.
        function: of two arrays of one shape, and options by keyword.
        higher_is_better: which direction is good.
        classification: whether it compares labels; else it compares values.
    """

    name: str
    function: Callable[..., Any]
    higher_is_better: bool
    classification: bool

    def __call__(self, pred: Any, target: Any, **options: Any) -> float:
        """The metric of decided predictions against targets of the same shape.

        Raises:
            ShapeError: the two are not of one shape, or there are none.
        """
        p, t = _array(self.name, pred), _array(self.name, target)
        if p.shape != t.shape:
            raise ShapeError(
                f"{self.name}: expected pred and target of one shape, got pred {p.shape}, target {t.shape}"
            )
        if p.size == 0:
            raise ShapeError(f"{self.name}: expected at least one sample, got none")
        return float(self.function(p, t, **options))

    def __repr__(self) -> str:
        return f"<metric {self.name}, {'higher' if self.higher_is_better else 'lower'} is better>"


METRICS: dict[str, Metric] = {}


def _metric(*, higher_is_better: bool, classification: bool) -> Callable[[Callable[..., Any]], Metric]:
    """Make a Metric of a function, and give it its place in the table."""

    def made(function: Callable[..., Any]) -> Metric:
        metric = Metric(function.__name__, function, higher_is_better, classification)
        object.__setattr__(metric, "__doc__", function.__doc__)
        METRICS[metric.name] = metric
        return metric

    return made


def get(metric: str | Metric) -> Metric:
    """The metric of this name; a Metric is returned as it is.

    Raises:
        ValueError: no metric has this name.
        TypeError: it is neither a name nor a Metric.
    """
    if isinstance(metric, Metric):
        return metric
    if not isinstance(metric, str):
        raise TypeError(f"metrics: expected a name or a Metric, got {metric!r:.60}; metrics.Metric(name, function, …)")
    return known("metrics", "metric", metric, METRICS)  # type: ignore[no-any-return]


def higher_is_better(metric: str | Metric) -> bool:
    """Whether larger numbers of this metric are better."""
    return get(metric).higher_is_better


def is_classification(metric: str | Metric) -> bool:
    """Whether this metric compares class labels."""
    return get(metric).classification


def _array(where: str, values: Any) -> Array:
    array = values.data if isinstance(values, Tensor) else np.asarray(values)
    if array.dtype.kind not in "iufb":
        raise DTypeError(f"{where}: expected numbers, got {array.dtype}; encode the classes as 0, 1, …")
    return array


# --- labels -----------------------------------------------------------------------------------------------------------
@_metric(higher_is_better=True, classification=True)
def accuracy(pred: Array, target: Array) -> Any:
    """The share of predictions that are right.

    >>> accuracy([1, 0, 1, 1], [1, 0, 0, 1])
    0.75
    """
    return np.mean(pred == target)


def confusion_matrix(pred: Any, target: Any, *, classes: int | None = None) -> Array:
    """How often each true class (row) was taken for each class (column): counts (K, K).

    Args:
        pred: labels 0 … K−1, any shape.
        target: the true labels, of that shape.
        classes: K; one more than the largest label unless given.

    >>> confusion_matrix([1, 0, 1, 1], [1, 0, 0, 1])
    array([[1, 1],
           [0, 2]])
    """
    p, t = _array("confusion_matrix", pred), _array("confusion_matrix", target)
    if p.shape != t.shape:
        raise ShapeError(
            f"confusion_matrix: expected pred and target of one shape, got pred {p.shape}, target {t.shape}"
        )
    k = int(max(p.max(initial=0), t.max(initial=0))) + 1 if classes is None else classes
    for name, labels in (("pred", p), ("target", t)):
        wrong = (labels != np.floor(labels)) | (labels < 0) | (labels >= k)
        if wrong.any():
            row = int(np.argwhere(wrong.reshape(-1))[0, 0])
            raise LabelError(
                f"confusion_matrix: expected labels 0 … {k - 1}, got {labels.reshape(-1)[row]} in {name} at row {row}"
            )
    pairs = t.reshape(-1).astype(np.int64) * k + p.reshape(-1).astype(np.int64)
    return np.bincount(pairs, minlength=k * k).reshape(k, k)


def _counts(where: str, pred: Array, target: Array) -> tuple[int, int, int]:
    """True positives, false positives, false negatives; labels are 0 and 1, or −1 and +1."""
    for labels in (pred, target):
        wrong = ~np.isin(labels, (0, 1) if not (target < 0).any() else (-1, 1))
        if wrong.any():
            row = int(np.argwhere(wrong.reshape(-1))[0, 0])
            raise LabelError(
                f"{where}: expected two classes, labelled 0 and 1 or -1 and +1, got {labels.reshape(-1)[row]} at row "
                f"{row}; for one class of many compare (pred == k) with (target == k)"
            )
    said, true = pred == 1, target == 1
    return int((said & true).sum()), int((said & ~true).sum()), int((~said & true).sum())


@_metric(higher_is_better=True, classification=True)
def precision(pred: Array, target: Array) -> float:
    """Of the samples called positive, the share that are: TP/(TP + FP); 0 if none was called so."""
    hit, false, _ = _counts("precision", pred, target)
    return hit / (hit + false) if hit else 0.0


@_metric(higher_is_better=True, classification=True)
def recall(pred: Array, target: Array) -> float:
    """Of the positive samples, the share that was called so: TP/(TP + FN); 0 if there are none."""
    hit, _, missed = _counts("recall", pred, target)
    return hit / (hit + missed) if hit else 0.0


@_metric(higher_is_better=True, classification=True)
def f1(pred: Array, target: Array) -> float:
    """The harmonic mean of precision and recall: 2TP/(2TP + FP + FN); 0 if no positive was found."""
    hit, false, missed = _counts("f1", pred, target)
    return 2 * hit / (2 * hit + false + missed) if hit else 0.0


@_metric(higher_is_better=False, classification=True)
def expected_cost(pred: Array, target: Array, *, cost_fn: float = 1.0, cost_fp: float = 1.0) -> float:
    """What the mistakes cost, per sample: (cost_fn·FN + cost_fp·FP)/n.

    With probabilities p it is least if p > cost_fp/(cost_fp + cost_fn) is called positive (Elkan 2001).
    """
    _, false, missed = _counts("expected_cost", pred, target)
    return float((cost_fn * missed + cost_fp * false) / pred.size)


# --- values -----------------------------------------------------------------------------------------------------------
@_metric(higher_is_better=False, classification=False)
def mae(pred: Array, target: Array) -> Any:
    """The mean of |pred − target|, in the unit of the target."""
    return np.mean(np.abs(pred - target), dtype=np.float64)


@_metric(higher_is_better=False, classification=False)
def rmse(pred: Array, target: Array) -> Any:
    """√ of the mean of (pred − target)², in the unit of the target."""
    return np.sqrt(np.mean((pred - target) ** 2, dtype=np.float64))


@_metric(higher_is_better=True, classification=False)
def r2(pred: Array, target: Array) -> float:
    """1 − Σ(target − pred)²/Σ(target − mean)²: 1 is perfect, 0 is what the mean of these targets does.

    Targets that are all equal give 1 for a perfect prediction and −inf for any other.
    """
    t = target.astype(np.float64)
    rest, spread = float(np.sum((t - pred) ** 2)), float(np.sum((t - t.mean(0)) ** 2))
    return 1.0 if rest == 0 else 1 - rest / spread if spread else -np.inf


# --- from outputs to decisions ----------------------------------------------------------------------------------------
def decided(loss: Loss, outputs: Any, target: Any, *, labels: bool | None = None) -> Array:
    """What a model's outputs say about the targets, in the shape and coding of the targets.

    Args:
        loss: the loss that reads the outputs: it knows whether they are scores, probabilities or values.
        outputs: (n, …) what the model returned.
        target: (n, …) the targets as the reader has them.
        labels: whether labels are wanted; unless said, they are where the loss is one on classes or the targets are
            integers.

    Returns:
        Labels: the most likely class; for one output of a loss on real numbers, the class that lies nearest. Values:
        the loss's link of the outputs, the first head where there are several.

    Raises:
        ShapeError: the outputs do not fit the targets.
    """
    z, t = _array("metrics", outputs), _array("metrics", target)
    classes = loss.target in CLASSES and loss.pred in ("prob", "logit", "logits", "log_probs")
    if labels is None:
        labels = classes or (loss.target == "real" and t.dtype.kind in "iub")
    if not labels:
        return _fitting(loss, _values(loss, z, t), t)
    if classes:
        found = loss.decide(z)
        return _recoded(_fitting(loss, found, true_labels(found, t)), t)
    if z.shape[-1:] not in ((), (1,)) and z.size != true_labels(z[..., 0], t).size:
        return z.argmax(-1)
    return _nearest(_fitting(loss, z, t), t)


def true_labels(labels: Array, target: Array) -> Array:
    """The targets as labels: of rows the largest class, where the labels say that rows are meant."""
    return target.argmax(-1) if target.ndim == labels.ndim + 1 and target.shape[-1] > 1 else target


def measure(chosen: list[Metric], loss: Loss, outputs: Any, target: Any) -> dict[str, float]:
    """Each metric of a model's outputs against the targets as the reader has them."""
    found = {}
    for metric in chosen:
        t = np.asarray(target)
        pred = decided(loss, outputs, t, labels=metric.classification)
        if metric.classification:
            t = _integral(metric.name, true_labels(pred, t))
        found[metric.name] = metric(pred, t)
    return found


def _values(loss: Loss, z: Array, t: Array) -> Array:
    values = loss.link(z)
    if isinstance(values, dict):
        values = next(iter(values.values()))
    return values[..., 0] if PRED[loss.pred].events and values.ndim > t.ndim else values


def _fitting(loss: Loss, pred: Array, target: Array) -> Array:
    """The prediction in the shape of the target: one output is a column or none."""
    if pred.shape != target.shape and pred.size != target.size:
        raise ShapeError(
            f"metrics: expected outputs that {loss} turns into {target.shape}, as the targets are, got {pred.shape}"
        )
    return pred.reshape(target.shape)


def _recoded(labels: Array, target: Array) -> Array:
    """−1/+1 as the 0/1 of the targets."""
    return np.maximum(labels, 0) if (labels < 0).any() and not (target < 0).any() else labels


def _nearest(values: Array, target: Array) -> Array:
    """The class that lies nearest, of those that occur."""
    names = np.array([0, 1]) if np.isin(target, (0, 1)).all() else np.unique(target)
    return names[np.searchsorted((names[1:] + names[:-1]) / 2, values)]


def _integral(where: str, target: Array) -> Array:
    wrong = target != np.floor(target)
    if wrong.any():
        row = int(np.argwhere(wrong.reshape(-1))[0, 0])
        raise LabelError(
            f"{where}: expected class labels, got {target.reshape(-1)[row]} at row {row}; "
            "for values use mae, rmse or r2"
        )
    return target
