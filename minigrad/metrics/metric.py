"""Metric: a function of (pred, target) to one number, with a name and a good direction; and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from minigrad.engine.errors import DomainError, DTypeError, LabelError, ShapeError
from minigrad.engine.guards import kind_of
from minigrad.engine.tensor import Tensor
from minigrad.nn.arguments import known

Array = Any
READS = ("labels", "values", "probabilities", "scores", "points")


@dataclass(frozen=True)
class Metric:
    """A function of (pred, target) to one number, and how to read it.

    Attributes:
        name: what it is called in tables.
        function: of two arrays, and options by keyword.
        higher_is_better: which direction is good.
        reads: what it compares with the targets: "labels" or "values", of the shape of the targets; "probabilities", of
            class 1, or rows (n, k) of all classes; "scores", which order the samples in the same way; "points", (n, d).
        options: keywords of the function that are given already, see `with_`.
    """

    name: str
    function: Callable[..., Any]
    higher_is_better: bool
    reads: str = "values"
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        known(f"Metric {self.name!r:.60}", "reads", self.reads, dict.fromkeys(READS))
        object.__setattr__(self, "__doc__", self.function.__doc__)

    @property
    def classification(self) -> bool:
        """Whether its targets are class labels; else they are values."""
        return self.reads != "values"

    def with_(self, **options: Any) -> Metric:
        """The same metric with some of its options given: `expected_cost.with_(cost_fn=5)`."""
        together = {**self.options, **options}
        shown = ", ".join(f"{key}={value!r}" for key, value in together.items())
        return replace(self, name=f"{self.name.partition('(')[0]}({shown})", options=together)

    def __call__(self, pred: Any, target: Any, **options: Any) -> float:
        """The metric of predictions, of the kind that it reads, against targets.

        Returns:
            A number; NaN where a prediction is NaN.

        Raises:
            ShapeError: the two do not fit, or there are none.
            LabelError: a target that is no class label, where it reads labels, probabilities or scores.
            DomainError: a probability outside [0, 1].
        """
        if self.reads == "points":
            p, t = points(self.name, pred, target)
        else:
            p, t = pair(self.name, pred, target, rows=self.reads in ("probabilities", "scores"))
        if p.dtype.kind == "f" and np.isnan(p).any():
            return float("nan")
        if self.reads == "probabilities":
            check_probabilities(self.name, p, t)
        return float(self.function(p, t, **{**self.options, **options}))

    def __repr__(self) -> str:
        return f"<metric {self.name}, {'higher' if self.higher_is_better else 'lower'} is better>"


METRICS: dict[str, Metric] = {}


def metric(*, higher_is_better: bool, reads: str) -> Callable[[Callable[..., Any]], Metric]:
    """Make a Metric of a function, and give it its place in the table."""

    def made(function: Callable[..., Any]) -> Metric:
        METRICS[function.__name__] = Metric(function.__name__, function, higher_is_better, reads)
        return METRICS[function.__name__]

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
        raise TypeError(f"metrics: expected a name or a Metric, got {metric!r:.60}; see metrics.Metric")
    return known("metrics", "metric", metric, METRICS)  # type: ignore[no-any-return]


def higher_is_better(metric: str | Metric) -> bool:
    """Whether larger numbers of this metric are better."""
    return get(metric).higher_is_better


def is_classification(metric: str | Metric) -> bool:
    """Whether this metric is about class labels."""
    return get(metric).classification


# --- what comes in ----------------------------------------------------------------------------------------------------
def as_numbers(where: str, values: Any) -> Array:
    """The values as an array of numbers."""
    array = values.data if isinstance(values, Tensor) else np.asarray(values)
    if array.dtype.kind not in "iufb":
        raise DTypeError(f"{where}: expected numbers, got {kind_of(array.dtype)}; encode the classes as 0, 1, …")
    return array


def pair(where: str, pred: Any, target: Any, *, rows: bool = False) -> tuple[Array, Array]:
    """Both as arrays of one shape; with `rows` the prediction may have one more axis, the classes."""
    p, t = as_numbers(where, pred), as_numbers(where, target)
    if p.shape != t.shape and not (rows and p.ndim == t.ndim + 1 and p.shape[:-1] == t.shape and p.shape[-1] > 1):
        cure = "reshape one of them" if p.size == t.size else "each prediction needs its target"
        cure = "give labels, pred.argmax(-1)" if p.shape[:-1] == t.shape and not rows else cure
        more = f" (or pred {t.shape} with one column per class)" if rows else ""
        raise ShapeError(
            f"{where}: expected pred and target of one shape{more}, got pred {p.shape}, target {t.shape}; {cure}"
        )
    if t.size == 0:
        raise ShapeError(f"{where}: expected at least one sample, got none; is the selection empty?")
    return p, t


def points(where: str, pred: Any, target: Any) -> tuple[Array, Array]:
    """Points of a space, (n, d), and a label for each."""
    p, t = as_numbers(where, pred), as_numbers(where, target)
    if p.ndim != 2 or p.shape[:1] != t.shape or len(t) < 2:
        raise ShapeError(
            f"{where}: expected points (n, d) and labels (n,) of at least two samples, got pred {p.shape}, target "
            f"{t.shape}; each point needs its label, and another to be near"
        )
    return p, t


def first(wrong: Array) -> int:
    """The row of the first entry that is wrong."""
    return int(np.argwhere(wrong)[0, 0])


def check_probabilities(where: str, p: Array, target: Array) -> None:
    """Refuse what is no probability, and rows of all classes whose sum is not 1."""
    wrong = ~((p >= 0) & (p <= 1))
    if wrong.any():
        raise DomainError(
            f"{where}: expected probabilities in [0, 1], got {p[wrong][0]} at row {first(wrong)}; of scores take the "
            "loss's link, loss.link(pred)"
        )
    if p.ndim > target.ndim:
        off = np.abs(p.sum(-1, dtype=np.float64) - 1) > 1e-5 * p.shape[-1]
        if off.any():
            raise DomainError(
                f"{where}: expected rows of probabilities with sum 1, got a sum of {p[off][0].sum():.6g} at row "
                f"{first(off)}; divide by the row sums"
            )


def two_classes(where: str, *labels: Array) -> tuple[Array, ...]:
    """Which labels mean the positive class, of arrays that hold 0 and 1, or −1 and +1."""
    low = -1 if any((array < 0).any() for array in labels) else 0
    for array in labels:
        wrong = (array != low) & (array != 1)
        if wrong.any():
            raise LabelError(
                f"{where}: expected two classes, labelled 0 and 1 or -1 and +1, got {array[wrong][0]} at row "
                f"{first(wrong)}; for more classes say average='macro' where there is one, or compare (pred == k) with "
                "(target == k)"
            )
    return tuple(array == 1 for array in labels)


def class_labels(where: str, target: Array, classes: int) -> Array:
    """Labels 0 … classes − 1 as integers."""
    wrong = (target != np.floor(target)) | (target < 0) | (target >= classes)
    if wrong.any():
        raise LabelError(
            f"{where}: expected labels 0 … {classes - 1}, got {target[wrong][0]} at row {first(wrong)}; there is one "
            "column of pred for each class"
        )
    return target.astype(np.int64)
