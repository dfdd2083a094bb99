"""Targets: `align` brings a data set's into the form that a loss wants, `pick` and `of_difference` read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.engine.errors import DTypeError
from minigrad.engine.guards import kind_of
from minigrad.engine.sums import starts
from minigrad.engine.tensor import Tensor, frozen
from minigrad.losses.guards import check_labels
from minigrad.losses.kinds import PRED

if TYPE_CHECKING:
    from minigrad.losses.loss import Loss

Array = Any


@np.errstate(over="ignore")  # what is too large for the dtype is inf, and the loss names it
def align(loss: Loss, target: Any, outputs: tuple[int, ...], dtype: Any = np.float32) -> Array:
    """A target as a loss wants it beside a model, for whoever owns the data: `fit`, `evaluate`, `compare`, `trace`.

    (n,) beside one output becomes (n, 1); binary labels become −1/+1 for a loss on signs; class labels become one-hot
    rows of `dtype` for a loss on real or simplex targets beside K outputs. A direct call of a loss never does this.

    Args:
        loss: the loss.
        target: (n,) or (n, …).
        outputs: the shape of one output of the model, such as (1,) or (10,).
        dtype: the model's dtype.

    Returns:
        The aligned array, read-only.

    Raises:
        DTypeError: the targets are no numbers.
        LabelError: a label beyond the outputs.
    """
    t: Array = target.data if isinstance(target, Tensor) else np.asarray(target)
    if t.dtype.kind not in "iufb":
        raise DTypeError(f"{loss}: expected numbers as target, got {kind_of(t.dtype)}; encode the classes as 0, 1, …")
    if t.dtype.kind == "b":
        t = t.astype(np.int64)
    classes = len(outputs) == 1 and outputs[0] > 1 and loss.pred not in ("params", "embedding")
    if classes and t.ndim == 1 and t.dtype.kind in "iu" and loss.target in ("real", "simplex"):
        check_labels(loss, t, outputs[0])
        t = np.eye(outputs[0], dtype=dtype)[t.astype(np.int64)]
    elif outputs == (1,) and t.ndim == 1 and not PRED[loss.pred].events:
        t = t.reshape(-1, 1)
    if loss.target == "sign" and t.size and ((t == 0) | (t == 1)).all():
        t = 2 * t.astype(dtype) - 1
    return frozen(t.astype(dtype) if t.dtype.kind == "f" and t.dtype != dtype else t)


def pick(v: Any, target: Any) -> Any:
    """The entry of `v` at the label, or Σ t·v along the last axis for rows; a factor 0 removes its term.

    Args:
        v: (..., K) values, array or Tensor.
        target: (...) integer labels or (..., K) rows.

    Returns:
        (...) the picked values.
    """
    target = target if isinstance(target, (Tensor, np.ndarray)) else np.asarray(target)
    if target.ndim == v.ndim:
        return np.sum(target * np.where(target == 0, 0, v), -1)
    return v.take(starts(v.size, v.shape[-1]) + target.reshape(-1)).reshape(target.shape)


def of_difference(f: Callable[[Any], Any], pred: Any, target: Any) -> Any:
    """A linear f of r = pred − target, also where r alone is too large for a float.

    Args:
        f: r to c·r, with any factors c that do not depend on r.
        pred: (...), array or Tensor.
        target: (...), array or Tensor.

    Returns:
        (...), f(pred − target).

    >>> with np.errstate(over="ignore"):  # as within a loss
    ...     of_difference(lambda r: 0.25 * r, np.array([1e308, 3.0]), np.array([-1e308, 1.0]))
    array([5.e+307, 5.e-001])
    """
    r = pred - target
    large = np.isinf(r)
    return np.where(large, f(pred) - f(target), f(r)) if large.any() else f(r)
