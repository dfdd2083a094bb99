"""Samples at the door: inputs in the dtype of a model, targets as a loss wants them, everything looked at once.

Whatever owns data (`fit`, `evaluate`) takes it in here; behind this door nothing is checked again.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad import metrics as metric_table
from minigrad.data.sets import numbers, read_only
from minigrad.engine.errors import DomainError, ShapeError
from minigrad.engine.graph import no_grad
from minigrad.engine.tensor import Tensor
from minigrad.losses import Loss, align
from minigrad.losses.guards import look_at
from minigrad.metrics import Metric
from minigrad.nn import Module

Array = Any
CHUNK = 1024  # rows of a forward pass that records nothing


class Samples:
    """Samples that are measured together: inputs in the dtype of the model, targets as the loss wants them."""

    def __init__(self, where: str, model: Module, loss: Loss, X: Array, y: Any, *, weight: Any = None) -> None:
        self.X = _inputs(where, X, _dtype(where, model))
        self.y = None if y is None else numbers(where, "y", y)
        if self.y is not None and (self.y.ndim == 0 or len(self.y) != len(self.X)):
            raise ShapeError(
                f"{where}: expected as many targets as samples, got X {self.X.shape}, y {self.y.shape}; give every row "
                "of X its target"
            )
        self.weight = None if weight is None else _weights(where, weight, len(self.X))
        with evaluating(model):
            outputs = model(self.X[:1])
        self.target = None if self.y is None else align(loss, self.y, outputs.shape[1:], outputs.dtype)
        # Before anybody reads them: of a label 10⁹, counting the classes would ask for gigabytes.
        look_at(loss, self.target, (len(self.X), *outputs.shape[1:]), outputs.dtype)

    def rows(self, chosen: Array) -> Samples:
        """Some of these samples."""
        part = copy.copy(self)
        for name in ("X", "y", "target", "weight"):
            array = getattr(self, name)
            setattr(part, name, None if array is None else read_only(array[chosen]))
        return part

    def outputs(self, model: Module) -> Array:
        """What the model says of every sample, recording nothing."""
        with evaluating(model):
            parts = [model(self.X[i : i + CHUNK]) for i in range(0, len(self.X), CHUNK)]
        return np.concatenate([part.data if isinstance(part, Tensor) else part for part in parts])

    def measured(self, model: Module, loss: Loss, metrics: list[Metric]) -> dict[str, float]:
        """The loss, and each metric by name."""
        outputs = self.outputs(model)
        with no_grad(), np.errstate(all="ignore"):
            value = float(value_of(loss, outputs, self.target, self.weight))
        return {"loss": value, **metric_table.measure(metrics, loss, outputs, self.y)}


def value_of(loss: Loss, pred: Any, target: Any, weight: Any) -> Any:
    """The loss of what a model says; NaN where the model has diverged so far that the loss refuses it."""
    try:
        return loss(pred, target, sample_weight=weight)
    except DomainError:
        if np.isfinite(pred.data if isinstance(pred, Tensor) else pred).all():
            raise
        return math.nan


def pair(where: str, name: str, data: Any) -> tuple[Any, Any]:
    """(X, y), or an error that says so."""
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        form = "(model, (X, y), …)" if where in ("fit", "evaluate") and name != "validation" else f"(…, {name}=(X, y))"
        got = f"a {type(data).__name__} of {len(data)}" if isinstance(data, (tuple, list)) else type(data).__name__
        raise TypeError(f"{where}: expected {name} as a pair (X, y), got {got}; write {where}{form}")
    return data[0], data[1]


def metrics_of(where: str, given: Any) -> list[Metric]:
    """The metrics of a list of names and Metrics."""
    if isinstance(given, (str, Metric)):
        raise TypeError(f"{where}: expected metrics as a list, got {given!r:.60} alone; write metrics=[{given!r:.60}]")
    return [metric_table.get(metric) for metric in given]


def held_out(where: str, validation: Any, n: int) -> int:
    """How many of the training samples are held out; 0 where validation data were given."""
    if validation is None or isinstance(validation, (tuple, list)):
        return 0
    if isinstance(validation, bool) or not isinstance(validation, (int, float, np.floating)):
        got = repr(validation) if isinstance(validation, str) else type(validation).__name__
        raise TypeError(
            f"{where}: expected validation as a share or a pair (X, y), got {got:.60}; say validation=0.2, or "
            "validation=(X, y)"
        )
    count = round(validation * n) if 0 < validation < 1 else 0
    if not 0 < count < n:
        raise ValueError(
            f"{where}: expected validation in (0, 1), a share that leaves rows on both sides, got {validation} of {n} "
            "rows; say validation=0.2"
        )
    return count


def _inputs(where: str, X: Any, dtype: Any) -> Array:
    """X as one read-only array in the dtype of the model."""
    array = numbers(where, "X", X)
    if array.ndim < 2 or len(array) == 0:
        cure = "a single column is X.reshape(-1, 1)" if array.ndim < 2 else "there must be a row to learn from"
        raise ShapeError(f"{where}: expected X with rows of samples, (n, …), got {array.shape}; {cure}")
    with np.errstate(over="ignore"):  # what is too large for the dtype is inf, and is named below
        array = array.astype(dtype, copy=array.flags.writeable)
    if not np.isfinite(array).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        column = "".join(f", column {i}" for i in at[1:])
        raise DomainError(
            f"{where}: expected finite numbers in X, got {array[at]} at row {at[0]}{column} "
            f"({(~np.isfinite(array)).sum()} of {array.size}); fill them or drop the rows"
        )
    return read_only(array)


def _weights(where: str, weight: Any, n: int) -> Array:
    array = np.asarray(weight.data if isinstance(weight, Tensor) else weight)
    if array.shape != (n,):
        raise ShapeError(f"{where}: expected sample_weight ({n},), one for each sample, got {array.shape}")
    return array


def _dtype(where: str, model: Module) -> Any:
    """The dtype of the model's parameters."""
    if not isinstance(model, Module):
        raise TypeError(f"{where}: expected a Module as model, got {model!r:.60}; MLP(64, 64, 10, rng=0) makes one")
    dtypes = [t.dtype for t in model.parameters() if t.dtype.kind == "f"]
    if not dtypes:
        raise ValueError(f"{where}: expected a model with parameters to learn, got none in {type(model).__name__}")
    return dtypes[0]


# --- modes ------------------------------------------------------------------------------------------------------------
def modes_of(model: Module) -> list[tuple[Module, bool]]:
    """Every module with its mode."""
    return [(module, module.training) for _, module in model.named_modules()]


def set_modes(modes: list[tuple[Module, bool]]) -> None:
    """Put every module back into the mode in which it was."""
    for module, training in modes:
        module.training = training


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """A block in which the model is used, not trained, and nothing is recorded."""
    before = modes_of(model)
    model.eval()
    try:
        with no_grad(), np.errstate(all="ignore"):
            yield
    finally:
        set_modes(before)
