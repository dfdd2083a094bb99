"""How a loss is called: shapes, weights, masks, domains and reduction, once for every loss.

A call is laid out first (`Call`: every array checked and in place), then evaluated. A loss with a closed form becomes
one node of the graph: forward and slope run on raw arrays. Without one, or under `create_graph`, its function is
differentiated.
"""

from __future__ import annotations

import difflib
import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.engine.errors import DomainError, DTypeError, GradientError, LabelError, PluginError, ShapeError
from minigrad.engine.graph import Node
from minigrad.engine.op import Op, op
from minigrad.engine.tensor import Tensor, frozen, wrap
from minigrad.losses.kinds import CLASSES, PRED, TARGET

if TYPE_CHECKING:
    from minigrad.losses.loss import Loss

REDUCTIONS = ("mean", "weighted_mean", "sum", "none")
Array = Any


@dataclass(frozen=True)
class Call:
    """One call of a loss, with every argument checked: what is left is arithmetic.

    Attributes:
        loss: the loss, its parameters bound.
        target: as it came, but floats in the dtype of `pred`; masked entries hold a value that is used elsewhere.
        batch: the batch's shape S.
        weight: what each value is multiplied by, of a shape that broadcasts to S, or None for 1.
        divisor: what the sum is divided by.
        reduce: whether there is a sum; else one value per sample is the answer.
        mask: of shape S, or None.
    """

    loss: Loss
    params: dict[str, Any]
    target: Any
    batch: tuple[int, ...]
    weight: Array | None
    divisor: float
    reduce: bool
    mask: Array | None

    def values(self, pred: Any) -> Any:
        """One value per sample, event axes summed."""
        if self.mask is not None:
            pred = _filled(pred, self.mask)
        values = self.loss.function(pred, self.target, **self.params)
        shape = getattr(values, "shape", None)
        if shape == pred.shape and shape != self.batch:
            values = values.sum(tuple(range(len(self.batch), len(shape))))
        elif shape != self.batch:
            raise PluginError(
                f"{self.loss.name} ({self.loss.where}): expected one value per sample, {self.batch}, got "
                f"{_kind_of(values)}; return them unreduced, minigrad takes the mean; if it couples the batch, say "
                "coupled=True"
            )
        return values

    def value(self, pred: Array) -> Array:
        """The answer, on arrays."""
        values = self.values(pred)
        return (self.total(values) if self.reduce else self._weighted(values)).astype(pred.dtype, copy=False)

    def through(self, pred: Any) -> Any:
        """The answer, recorded operation by operation."""
        values = self.values(pred)
        if not self.reduce:
            return self._weighted(values)
        return weighted_total(values, self)

    def total(self, values: Array) -> Array:
        """Σ wL over the divisor, added in float64."""
        return np.asarray(np.add.reduce(self._weighted(values), None, np.float64) / self.divisor).astype(values.dtype)

    def slope(self, g: Array, pred: Array) -> Array:
        """d(answer)/d(pred) by the closed form."""
        raw = pred if self.mask is None else _filled(pred, self.mask)
        slope = self.loss.grad(raw, self.target, **self.params)  # type: ignore[misc]  # only called where there is one
        if getattr(slope, "shape", None) != pred.shape:
            raise PluginError(
                f"{self.loss.name} ({self.loss.where}): expected its closed form grad= to return the shape of pred, "
                f"{pred.shape}, got {_kind_of(slope)}"
            )
        scale = self.share(g)
        if np.ndim(scale):
            scale = np.broadcast_to(scale, self.batch).reshape(self.batch + (1,) * (pred.ndim - len(self.batch)))
        return np.multiply(slope, scale).astype(pred.dtype, copy=False)

    def share(self, g: Array) -> Array:
        """What one value's slope is multiplied by, given the gradient of the answer: its weight in the mean."""
        share = g if self.weight is None else g * self.weight
        return share / self.divisor if self.reduce else share

    def _weighted(self, values: Any) -> Any:
        return values if self.weight is None else values * self.weight


weighted_total: Op = op(
    lambda values, call: call.total(values),
    name="mean",
    values=lambda g, values_shape, call: np.broadcast_to(call.share(g), values_shape),
)


@cache
def _closed(name: str) -> Op:
    """The op of a loss with a closed form: one node, named like the loss."""
    return op(
        lambda pred, call: call.value(pred),
        name=name,
        pred=lambda g, pred, call: call.slope(g, pred),
        reference=lambda pred, call: call.through(pred),
    )


def call(
    loss: Loss, pred: Any, target: Any, *, reduction: str, sample_weight: Any, mask: Any, class_weight: Any
) -> Tensor:
    """Evaluate a loss: see `Loss.__call__` for the arguments."""
    check_option(loss, "reduction", reduction)
    pred = pred if isinstance(pred, Tensor) else Tensor(_floats(loss, pred))
    if pred.dtype.kind != "f":
        _floats(loss, pred)
    if pred.edge is None and isinstance(target, Tensor) and target.edge is not None:
        raise GradientError(
            f"{loss}: expected pred to require gradients, got only target; minigrad takes (pred, target): exchange "
            "them, or use target.detach()"
        )
    batch = batch_shape(loss, pred.shape)
    target = _target(loss, target, pred, batch)
    mask = None if mask is None else _mask(loss, mask, batch)
    target = _check_target(loss, target, pred.shape, batch, mask)
    _check_pred(loss, pred, mask, len(batch))
    weight, selected = _weights(loss, target, pred, batch, mask, sample_weight, class_weight)
    if reduction != "none" and (selected == 0 or (weight is not None and not np.any(weight))):
        return _nothing(pred)
    divisor = float(selected) if reduction == "mean" else 1.0
    if reduction == "weighted_mean":
        divisor = float(selected if weight is None else np.broadcast_to(weight, batch).sum(dtype=np.float64))
    prepared = Call(loss, loss.values, target, batch, weight, divisor, reduction != "none", mask)
    if loss.grad is not None and not loss.learned and not isinstance(target, Tensor):
        return _closed(loss.name)(pred, prepared)  # type: ignore[no-any-return]
    return _result(prepared.through(pred), pred.dtype)


def check_option(loss: Loss, name: str, value: Any) -> Any:
    """An option that may be bound with `with_`, if it is one that the loss can have."""
    if name == "reduction" and value not in REDUCTIONS:
        near = difflib.get_close_matches(str(value), REDUCTIONS, 1, 0.4) or (["mean"] if value == "avg" else [])
        raise ValueError(
            f"{loss}: expected reduction 'mean', 'weighted_mean', 'sum' or 'none', got {value!r}"
            + (f"; did you mean {near[0]!r}?" if near else "")
        )
    return frozen(np.array(value)) if name == "class_weight" and isinstance(value, (list, np.ndarray)) else value


def batch_shape(loss: Loss, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The batch's shape S: what is left of the prediction's when the axes of one sample are taken away."""
    events = PRED[loss.pred].events + (loss.pred == "embedding" and bool(loss.heads))
    side = shape[-2] if loss.pred == "embedding" and loss.heads and len(shape) > 1 else shape[-1] if shape else 0
    if loss.heads and (len(shape) < events or side != len(loss.heads)):
        raise ShapeError(
            f"{loss}: expected pred (..., {len(loss.heads)}{', d' if loss.pred == 'embedding' else ''}) = "
            f"({', '.join(loss.heads)}), got {shape}; give the model {len(loss.heads)} outputs"
        )
    if len(shape) < events or (loss.pred in ("logits", "log_probs") and shape[-1] < 2):
        raise ShapeError(
            f"{loss}: expected pred (..., K) with K ≥ 2 classes on the last axis, got {shape}; for one output and two "
            "classes use bce_with_logits"
        )
    return shape[: len(shape) - events]


def _floats(loss: Loss, pred: Any) -> Array:
    array = pred.data if isinstance(pred, Tensor) else np.asarray(pred)
    if array.dtype.kind != "f":
        raise DTypeError(
            f"{loss}: expected floats as pred, got {array.dtype} {array.shape}; use pred.astype(np.float32)"
        )
    return array


# --- targets ----------------------------------------------------------------------------------------------------------
def _target(loss: Loss, target: Any, pred: Tensor, batch: tuple[int, ...]) -> Any:
    """The target as an array of the right dtype and shape (a Tensor stays one only if it requires gradients)."""
    if loss.target == "none":
        if target is not None:
            raise ShapeError(f"{loss}: expected no target, got {np.shape(target)}; leave it out")
        return None
    if target is None:
        raise TypeError(f"{loss}: expected a target, got None; call it with (pred, target)")
    array = target.data if isinstance(target, Tensor) else np.asarray(target)
    if array.dtype.kind not in "iufb":
        raise DTypeError(f"{loss}: expected numbers as target, got {array.dtype}; encode them")
    labels = loss.target == "index" or (loss.target == "index|simplex" and array.ndim == len(batch))
    _check_shape(loss, array, pred.shape, batch, labels)
    if labels:
        if array.dtype.kind not in "iu":
            soft = f", or rows {pred.shape} for soft labels" if loss.target == "index|simplex" else ""
            raise DTypeError(
                f"{loss}: expected integer labels, got {array.dtype} {array.shape}; use target.astype(int){soft}"
            )
        return array
    if isinstance(target, Tensor) and target.edge is not None:
        return target if target.dtype == pred.dtype else target.astype(pred.dtype)
    return array if array.dtype == pred.dtype else array.astype(pred.dtype)


def _check_shape(loss: Loss, target: Array, pred: tuple[int, ...], batch: tuple[int, ...], labels: bool) -> None:
    got = target.shape
    if loss.target == "index" and got != batch:
        rows = f"; use target.argmax({len(batch)}), or cross_entropy for soft labels" if got == pred else ""
        raise ShapeError(f"{loss}: expected one label per row, {batch}, got {got}{rows}")
    if loss.target == "index|simplex":
        if got not in (batch, pred):
            raise ShapeError(f"{loss}: expected target {batch} labels or {pred} rows for pred {pred}, got {got}")
    elif loss.target == "simplex":
        if got != pred:
            raise ShapeError(
                f"{loss}: expected target rows {pred} for pred {pred}, got {got}; labels become rows with np.eye"
            )
    elif not labels and got != batch:
        cure = ""
        if pred == (*got, 1):
            cure = "; use target.reshape(-1, 1) or pred[:, 0]" if len(got) == 1 else "; use pred[..., 0]"
        elif got == (*batch, 1):
            cure = "; use target.reshape(-1) or target[:, 0]" if len(batch) == 1 else "; use target[..., 0]"
        what = "one shape" if batch == pred else f"target {batch}"
        raise ShapeError(f"{loss}: expected pred and target of {what}, got pred {pred}, target {got}{cure}")


def _check_target(loss: Loss, target: Any, pred: tuple[int, ...], batch: tuple[int, ...], mask: Array | None) -> Any:
    """Refuse a target outside the domain; what is masked is replaced by something harmless first."""
    if target is None:
        return None
    labels = not isinstance(target, Tensor) and target.dtype.kind in "iu" and loss.target in ("index", "index|simplex")
    if mask is not None:
        target = _harmless(target, mask, len(batch))
    array = target.data if isinstance(target, Tensor) else target
    if labels and array.shape == batch:
        if loss.pred != "embedding" and array.size:
            _check_labels(loss, array, pred[-1])
    elif loss.target in ("simplex", "index|simplex"):
        _check_rows(loss, array)
    else:
        kind = TARGET[loss.target]
        allowed = kind.allowed(array)  # type: ignore[misc]  # every other kind has one
        if not allowed.all():
            row, value = _first(~allowed, array)
            many = f" ({(~allowed).sum()} of {allowed.size})" if np.isnan(value) and loss.target == "real" else ""
            raise kind.error(f"{loss}: expected {kind.words}, got {value} at {row}{many}; {kind.cure}")
    return target


def _check_labels(loss: Loss, labels: Array, classes: int) -> None:
    low, high = int(labels.min()), int(labels.max())
    if low >= 0 and high < classes:
        return
    row, value = _first((labels < 0) | (labels >= classes), labels)
    said = f"{loss}: expected labels 0 … {classes - 1}, got {value} at {row}"
    if value < 0:
        raise LabelError(f"{said}; to skip such rows say mask=target != {value}")
    bad = int(((labels < 0) | (labels >= classes)).sum())
    cure = (
        "if labels start at 1, use target - 1" if high == classes and low >= 1 else f"give the model {high + 1} outputs"
    )
    if value == classes:
        cure = "if labels start at 1, use target - 1"
    raise LabelError(f"{said} ({bad} of {labels.size}); {cure}")


def _check_rows(loss: Loss, rows: Array) -> None:
    sums = rows.sum(-1, dtype=np.float64)
    bad = ~((rows >= 0).all(-1) & (np.abs(sums - 1) <= 1e-6 * rows.shape[-1]))
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DomainError(
            f"{loss}: expected target rows ≥ 0 with sum 1, got {[float(f'{v:.4g}') for v in rows[at]]} "
            f"(sum {sums[at]:.4g}) at {_place(at)}; divide by the row sums or give labels"
        )


def _first(bad: Array, values: Array) -> tuple[str, Any]:
    at = tuple(int(i) for i in np.argwhere(bad)[0])
    return _place(at), values[at]


def _place(at: tuple[int, ...]) -> str:
    return "the only entry" if not at else f"row {at[0]}" + "".join(f", column {i}" for i in at[1:])


# --- predictions ------------------------------------------------------------------------------------------------------
def _check_pred(loss: Loss, pred: Tensor, mask: Array | None, lead: int) -> None:
    """Domains of prob and log_probs; a softmax or sigmoid in front of a loss on scores is warned about."""
    if loss.pred in ("prob", "log_probs"):
        values = pred.data if mask is None else _filled(pred.data, mask)
        bad = (values < 0) | (values > 1) if loss.pred == "prob" else values > 1e-6
        if bad.any():
            row, value = _first(bad, values)
            if loss.pred == "prob":
                raise DomainError(
                    f"{loss}: expected probabilities in [0, 1], got {value:.4g} at {row}; "
                    "for scores use bce_with_logits"
                )
            raise DomainError(
                f"{loss}: expected log-probabilities ≤ 0, got {value:.4g} at {row.replace('column', 'class')}; for "
                "scores use cross_entropy, for probabilities np.log(pred)"
            )
    elif loss.pred in ("logit", "logits"):
        edge = pred.edge
        while isinstance(edge, Node) and edge.op is not None and edge.op.view and edge.edges:
            edge = next(iter(edge.edges.values()))
        made_by = edge.op.name if isinstance(edge, Node) and edge.op is not None else ""
        if made_by == ("sigmoid" if loss.pred == "logit" else "softmax"):
            instead = "bce" if loss.pred == "logit" else "nll(np.log(pred), target)"
            warnings.warn(
                f"{loss} takes scores, but pred comes from {made_by}; remove that {made_by}, or use {instead}",
                stacklevel=5,
            )


# --- weights and masks ------------------------------------------------------------------------------------------------
def _mask(loss: Loss, mask: Any, batch: tuple[int, ...]) -> Array:
    array = mask.data if isinstance(mask, Tensor) else np.asarray(mask)
    if array.dtype != bool:
        raise DTypeError(f"{loss}: expected a mask of bool (True = use), got {array.dtype}; write mask != 0")
    return frozen(np.broadcast_to(_rows_of(loss, "mask", array, batch), batch))


def _rows_of(loss: Loss, name: str, array: Array, batch: tuple[int, ...]) -> Array:
    """An array over the first axes of S, with the axes that it lacks."""
    if array.ndim > len(batch) or array.shape != batch[: array.ndim] or (array.ndim == 0 and batch):
        rows = f"{batch[:1]} (rows) or {batch}" if len(batch) > 1 else f"{batch}"
        raise ShapeError(f"{loss}: expected {name} {rows}, got {array.shape}; one for each row, or for each value")
    return array.reshape(array.shape + (1,) * (len(batch) - array.ndim))


def _weights(
    loss: Loss, target: Any, pred: Tensor, batch: tuple[int, ...], mask: Array | None, sample: Any, classes: Any
) -> tuple[Array | None, int]:
    """What each value is multiplied by (None for 1), and how many values are selected."""
    weight = None
    if sample is not None:
        array = sample.data if isinstance(sample, Tensor) else np.asarray(sample)
        if array.dtype.kind not in "iufb":
            raise DTypeError(f"{loss}: expected numbers as sample_weight, got {array.dtype}")
        _refuse_negative(loss, "sample_weight", array)
        weight = _rows_of(loss, "sample_weight", array, batch).astype(pred.dtype)
    if classes is not None:
        picked = _by_class(loss, target, pred, classes)
        weight = picked if weight is None else weight * picked
    selected = int(np.prod(batch, dtype=np.int64)) if mask is None else int(mask.sum())
    if mask is not None:
        weight = mask.astype(pred.dtype) if weight is None else np.where(mask, weight, 0).astype(pred.dtype)
    return frozen(weight), selected


def _refuse_negative(loss: Loss, name: str, array: Array) -> None:
    bad = ~((array >= 0) & (array < np.inf))
    if bad.any():
        row, value = _first(bad, array)
        raise DomainError(f"{loss}: expected {name} ≥ 0 and finite, got {value} at {row}; 0 leaves a row out")


def _by_class(loss: Loss, target: Any, pred: Tensor, weights: Any) -> Array:
    """The weight of each sample's true class; for soft rows the mean over its classes."""
    if loss.target not in CLASSES or loss.coupled or loss.pred not in ("prob", "logit", "logits", "log_probs"):
        raise TypeError(f"{loss}: expected no class_weight, its targets are no classes; use sample_weight")
    two = loss.target in ("unit", "binary", "sign")
    classes = 2 if two else pred.shape[-1]
    if isinstance(weights, dict):
        names = [-1, 1] if loss.target == "sign" else list(range(classes))
        if unknown := [key for key in weights if key not in names]:
            raise LabelError(f"{loss}: expected class_weight for classes {names[0]} … {names[-1]}, got {unknown[0]!r}")
        if missing := [name for name in names if name not in weights]:
            raise ShapeError(
                f"{loss}: expected class_weight for every class, {names[0]} … {names[-1]}, none for {missing[0]}"
            )
        weights = [weights[name] for name in names]
    array = np.asarray(weights)
    if array.shape != (classes,):
        raise ShapeError(f"{loss}: expected class_weight ({classes},), one for each class, got {array.shape}")
    _refuse_negative(loss, "class_weight", array)
    array = array.astype(pred.dtype)
    t = target.data if isinstance(target, Tensor) else target
    if two:
        upper = (t + 1) / 2 if loss.target == "sign" else t
        return (1 - upper) * array[0] + upper * array[1]
    return array[t] if t.shape != pred.shape else t @ array


def _filled(pred: Any, mask: Array) -> Any:
    """The prediction with every masked sample replaced by one that is used: it cannot overflow anything."""
    first = tuple(np.argwhere(mask)[0]) if mask.any() else None
    data = pred.data if isinstance(pred, Tensor) else pred
    keep = mask.reshape(mask.shape + (1,) * (data.ndim - mask.ndim))
    return np.where(keep, pred, np.zeros((), data.dtype) if first is None else data[first])


def _harmless(target: Any, mask: Array, lead: int) -> Any:
    if not mask.any():
        return target if isinstance(target, Tensor) else np.zeros_like(target)
    return _filled(target, mask)


def _nothing(pred: Tensor) -> Tensor:
    """0, connected to the prediction, with gradient 0: nothing was selected."""
    return _none(pred)  # type: ignore[no-any-return]


_none = op(
    lambda pred: np.zeros((), pred.dtype),
    name="nothing",
    pred=lambda g, pred_shape: np.zeros(pred_shape, g.dtype),
)


def _result(value: Any, dtype: Any) -> Tensor:
    t = value if isinstance(value, Tensor) else wrap(np.asarray(value), None)
    return t if t.dtype == dtype else t.astype(dtype)


def _kind_of(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else "a scalar" if shape == () else str(shape)


# --- sums of losses ---------------------------------------------------------------------------------------------------
def combine(parts: list[tuple[float, Loss]]) -> Loss:
    """The loss a·first + b·second: values and closed forms added, claims kept that all parts make."""
    from minigrad.losses.loss import Loss

    for factor, _ in parts:
        if isinstance(factor, bool) or not isinstance(factor, (int, float)):
            raise TypeError(f"a sum of losses: expected number * loss, got {factor!r:.60}; write 0.5 * mse")
        if not np.isfinite(factor):
            raise DomainError(f"a sum of losses: expected a finite factor, got {factor}")
    first = parts[0][1]
    targets = {loss.target for _, loss in parts}
    mixed = targets - {"index|simplex"}
    if len({loss.pred for _, loss in parts}) > 1 or len(mixed) > 1 or any(loss.coupled for _, loss in parts):
        kinds = " and ".join(f"{loss} ({loss.pred} ← {loss.target})" for _, loss in parts)
        raise ValueError(
            f"a sum of losses: expected parts of the same kinds, got {kinds}; all must read one prediction"
        )

    def function(pred: Any, target: Any) -> Any:
        return sum(a * _values(loss, pred, target) for a, loss in parts)

    def grad(pred: Any, target: Any) -> Any:
        return sum(a * loss.grad(pred, target, **loss.values) for a, loss in parts)  # type: ignore[misc]

    kept = [c for c in first.claims if all(c in loss.claims and a >= 0 for a, loss in parts)]
    kinks = [loss.kinks for _, loss in parts]
    text = " + ".join(
        str(loss) if a == 1 else f"{a:g} * {loss}" if loss.text is None else f"{a:g} * ({loss})" for a, loss in parts
    )
    return Loss(
        name=text, function=function, pred=first.pred, target=next(iter(mixed), "index|simplex"), text=text,
        grad=grad if all(loss.grad for _, loss in parts) else None, claims=tuple(kept), heads=first.heads,
        kinks=None if None in kinks else tuple(kink for some in kinks for kink in some or ()), own_link=first.own_link,
        where=first.where,
    )  # fmt: skip


def _values(loss: Loss, pred: Any, target: Any) -> Any:
    """Values of one part of a sum, one per sample."""
    values = loss.function(pred, target, **loss.values)
    batch = batch_shape(loss, pred.shape)
    return values.sum(tuple(range(len(batch), values.ndim))) if values.shape != batch else values


# --- alignment of data ------------------------------------------------------------------------------------------------
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
    """
    t: Array = target.data if isinstance(target, Tensor) else np.asarray(target)
    if t.dtype.kind not in "iufb":
        raise DTypeError(f"{loss}: expected numbers as target, got {t.dtype}; encode the classes as 0, 1, …")
    classes = len(outputs) == 1 and outputs[0] > 1 and loss.pred not in ("params", "embedding")
    if classes and t.ndim == 1 and t.dtype.kind in "iub" and loss.target in ("real", "simplex"):
        _check_labels(loss, t, outputs[0])
        t = np.eye(outputs[0], dtype=dtype)[t.astype(np.int64)]
    elif outputs == (1,) and t.ndim == 1 and not PRED[loss.pred].events:
        t = t.reshape(-1, 1)
    if loss.target == "sign" and t.size and not (t < 0).any() and ((t == 0) | (t == 1)).all():
        t = 2 * t.astype(dtype) - 1
    if t.dtype.kind == "b":
        t = t.astype(np.int64)
    if t.dtype.kind == "f" and t.dtype != dtype:
        t = t.astype(dtype)
    return frozen(t)


def pick(v: Any, target: Any) -> Any:
    """The entry of `v` at the label, or Σ t·v along the last axis for rows; a factor 0 removes its term.

    Args:
        v: (..., K) values, array or Tensor.
        target: (...) integer labels or (..., K) rows.

    Returns:
        (...) the picked values.
    """
    if np.ndim(target) == np.ndim(v):
        return np.sum(target * np.where(target == 0, 0, v), -1)
    rows = v.reshape(-1, v.shape[-1])
    return rows[np.arange(len(rows)), np.reshape(target, -1)].reshape(np.shape(target))
