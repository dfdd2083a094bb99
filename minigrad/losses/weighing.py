"""Weights and masks: which entries of a batch count, and how much. What counts nothing is not looked at either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.engine.errors import DomainError, DTypeError, LabelError, ShapeError
from minigrad.engine.guards import kind_of
from minigrad.engine.tensor import Tensor, frozen
from minigrad.losses.guards import array_of, check_takes_class_weight, first

if TYPE_CHECKING:
    from minigrad.losses.loss import Loss

Array = Any
Shape = tuple[int, ...]


def as_mask(loss: Loss, mask: Any, batch: Shape) -> Array:
    """The mask, over all of S; of a loss that couples the batch, over its rows."""
    array = array_of(loss, "mask", mask)
    if array.dtype != bool:
        raise DTypeError(f"{loss}: expected a mask of bool (True = use), got {array.dtype}; write mask != 0")
    if loss.coupled and array.shape != batch[:1]:
        raise ShapeError(
            f"{loss}: expected a mask of rows {batch[:1]} (True = use), got {array.shape}; it couples the batch, so "
            "whole rows are used or not"
        )
    rows = _rows_of(loss, "mask (True = use)", array, batch)
    return frozen(array if loss.coupled else np.broadcast_to(rows, batch))


def _rows_of(loss: Loss, name: str, array: Array, batch: Shape) -> Array:
    """An array over the first axes of S, with the axes that it lacks."""
    if array.ndim > len(batch) or array.shape != batch[: array.ndim] or (array.ndim == 0 and batch):
        rows = f"{batch[:1]} (rows) or {batch}" if len(batch) > 1 else f"{batch}"
        raise ShapeError(f"{loss}: expected {name} {rows}, got {array.shape}; one for each row, or for each value")
    return array.reshape(array.shape + (1,) * (len(batch) - array.ndim))


def as_weight(loss: Loss, weight: Any, pred: Tensor, batch: Shape, mask: Array | None) -> Array:
    """Sample weights in the dtype of pred, of a shape that broadcasts to S; 0 where the mask leaves nothing."""
    array = array_of(loss, "sample_weight", weight)
    if array.dtype.kind not in "iufb":
        raise DTypeError(
            f"{loss}: expected numbers as sample_weight, got {kind_of(array.dtype)}; 1 counts once, 0 not at all"
        )
    rows = _rows_of(loss, "sample_weight", array, batch).astype(pred.dtype)
    if mask is not None:
        rows = np.where(_met(mask, rows.shape), rows, 0)
    _refuse_negative(loss, "sample_weight", array, rows.reshape(array.shape))
    return rows


def _met(mask: Array, shape: Shape) -> Array:
    """Which entries of an array that broadcasts to S meet one that the mask uses."""
    wide = mask.reshape(mask.shape + (1,) * (len(shape) - mask.ndim))
    axes = tuple(i for i, (own, side) in enumerate(zip(shape, wide.shape, strict=True)) if own != side)
    return wide.any(axes, keepdims=True)


def by_class(loss: Loss, target: Any, pred: Tensor, weights: Any) -> Array:
    """The weight of each sample's true class; for soft rows the mean over its classes."""
    check_takes_class_weight(loss)
    two = loss.target in ("unit", "binary", "sign")
    classes = 2 if two else pred.shape[-1]
    array = _class_weights(loss, weights, classes).astype(pred.dtype)
    t = target.data if isinstance(target, Tensor) else target
    if two:
        upper = (t + 1) / 2 if loss.target == "sign" else t
        return (1 - upper) * array[0] + upper * array[1]
    return array[t] if t.shape != pred.shape else t @ array


def _class_weights(loss: Loss, weights: Any, classes: int) -> Array:
    names = [-1, 1] if loss.target == "sign" else list(range(classes))
    if isinstance(weights, dict):
        if unknown := [key for key in weights if key not in names]:
            raise LabelError(
                f"{loss}: expected class_weight for classes {names[0]} … {names[-1]}, got {unknown[0]!r:.40}"
            )
        if missing := [name for name in names if name not in weights]:
            raise ShapeError(
                f"{loss}: expected class_weight for every class, {names[0]} … {names[-1]}, none for {missing[0]}"
            )
        weights = [weights[name] for name in names]
    array = array_of(loss, "class_weight", weights)
    if array.dtype.kind not in "iufb":
        raise DTypeError(
            f"{loss}: expected numbers as class_weight, got {kind_of(array.dtype)}; one for each of {classes} classes"
        )
    if array.shape != (classes,):
        raise ShapeError(f"{loss}: expected class_weight ({classes},), one for each class, got {array.shape}")
    _refuse_negative(loss, "class_weight", array, array)
    return array


def _refuse_negative(loss: Loss, name: str, array: Array, used: Array) -> None:
    if (bad := ~((used >= 0) & (used < np.inf))).any():
        at, value = first(bad, array)
        at = at.replace("row", "class") if name == "class_weight" else at
        raise DomainError(f"{loss}: expected {name} ≥ 0 and finite, got {value} at {at}; 0 leaves it out")
