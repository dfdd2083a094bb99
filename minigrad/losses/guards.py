"""The checks at the door: every argument of a call is looked at here, and what is wrong is named with its place.

Each function returns what it was given in the form in which arithmetic can use it, or raises.
"""

from __future__ import annotations

import difflib
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.engine.errors import DomainError, DTypeError, LabelError, ShapeError
from minigrad.engine.graph import Node, source
from minigrad.engine.guards import CURES, kind_of
from minigrad.engine.tensor import Tensor, frozen
from minigrad.losses.kinds import CLASSES, PRED, TARGET

if TYPE_CHECKING:
    from minigrad.losses.loss import Loss

Array = Any
Shape = tuple[int, ...]
REDUCTIONS = ("mean", "weighted_mean", "sum", "none")
SYNONYMS = {"avg": "mean", "average": "mean", "batchmean": "mean", "None": "none", "add": "sum"}
LOOKED_AT = 256  # rows of log-probabilities whose sum is looked at: a habit shows in all of them
SCORED = ("prob", "logit", "logits", "log_probs")  # predictions that say something about classes


# --- options ----------------------------------------------------------------------------------------------------------
def check_option(loss: Loss, name: str, value: Any) -> Any:
    """An option that may be bound with `with_`, if it is one that the loss can have."""
    if name == "reduction":
        if not isinstance(value, str) or value not in REDUCTIONS:
            near = SYNONYMS.get(str(value)) or next(iter(difflib.get_close_matches(str(value), REDUCTIONS, 1)), "")
            hint = f"; did you mean {near!r}?" if near else "; 'mean' is the default"
            raise ValueError(
                f"{loss}: expected reduction 'mean', 'weighted_mean', 'sum' or 'none', got {value!r:.60}{hint}"
            )
        return value
    check_takes_class_weight(loss)
    return frozen(np.array(value)) if isinstance(value, (list, tuple, np.ndarray)) else value


def has_class_weight(loss: Loss) -> bool:
    """Whether the targets of a loss are classes that can have weights."""
    return loss.target in CLASSES and not loss.coupled and loss.pred in SCORED


def check_takes_class_weight(loss: Loss) -> None:
    """Refuse weights of classes where there are none."""
    if not has_class_weight(loss):
        why = "it couples the batch" if loss.coupled else "its targets are no classes"
        raise TypeError(f"{loss}: expected no class_weight, {why}; use sample_weight")


def check_keywords(loss: Loss, extra: tuple[Any, ...]) -> None:
    """Everything after (pred, target) goes by keyword."""
    if extra:
        raise TypeError(
            f"{loss}: expected pred and target by position and the rest by keyword, got {extra[0]!r:.40} as a third; "
            f"write {next(iter(loss.params), 'reduction')}=…"
        )


def array_of(loss: Loss, name: str, value: Any) -> Array:
    """What NumPy makes of an argument."""
    try:
        return value.data if isinstance(value, Tensor) else np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"{loss}: expected {name} in a regular shape, got rows of unlike length; pad them") from error


def _check_representable(loss: Loss, dtype: Any) -> None:
    """Parameters that are 0 or infinite in the dtype of pred would make NaN of what is a number."""
    if dtype == np.float64 or not (loss.given or loss.parts):
        return
    limits = np.finfo(dtype)
    for part, given in ((loss, loss.given), *((part, {"its factor": a, **part.given}) for a, part in loss.parts)):
        for name, value in given.items():
            size = abs(value) if type(value) is float else 0
            if 0 < size < limits.tiny or limits.max < size < math.inf:
                raise DomainError(
                    f"{part}: expected {name} within {dtype}, {limits.tiny:.2g} … {limits.max:.2g}, got {value:g}; "
                    "use pred.astype(np.float64)"
                )


# --- predictions ------------------------------------------------------------------------------------------------------
def as_pred(loss: Loss, pred: Any) -> Tensor:
    """The prediction as a Tensor of floats."""
    array = array_of(loss, "pred", pred)
    if array.dtype.kind != "f":
        cure = CURES.get(array.dtype.kind, "use pred.astype(np.float32)")
        if array.dtype.kind in "iu" and loss.target in ("index", "index|simplex"):
            cure = f"if these are the labels, exchange the two: minigrad takes (pred, target); else {cure}"
        raise DTypeError(f"{loss}: expected floats as pred, got {kind_of(array.dtype)} {array.shape}; {cure}")
    _check_representable(loss, array.dtype)
    return pred if isinstance(pred, Tensor) else Tensor(array)


def batch_shape(loss: Loss, shape: Shape) -> Shape:
    """The batch's shape S: what is left of the prediction's when the axes of one sample are taken away."""
    roles = loss.pred == "embedding" and bool(loss.heads)
    events = PRED[loss.pred].events + roles
    side = shape[len(shape) - events] if len(shape) >= events and events else 0
    if loss.heads and side != len(loss.heads):
        names, k = ", ".join(loss.heads), len(loss.heads)
        cure = f"stack them, np.stack([{names}], -2)" if roles else f"give the model {k} outputs"
        raise ShapeError(f"{loss}: expected pred (..., {k}{', d' if roles else ''}) = ({names}), got {shape}; {cure}")
    if len(shape) < events or (loss.pred in ("logits", "log_probs") and shape[-1] < 2):
        raise ShapeError(
            f"{loss}: expected pred (..., K) with K ≥ 2 classes on the last axis, got {shape}; for one output and two "
            "classes use bce_with_logits"
        )
    if loss.coupled and len(shape) == events:
        raise ShapeError(f"{loss}: expected a batch, (n, ...), got {shape}; it compares the samples of a batch")
    return shape[: len(shape) - events]


def check_pred(loss: Loss, pred: Array) -> None:
    """Domains of probabilities, log-probabilities and scores."""
    if loss.pred == "prob":
        if (bad := (pred < 0) | (pred > 1)).any():
            at, value = first(bad, pred)
            cure = 'MLP(…, output="sigmoid") gives them' if loss.coupled else "for scores use bce_with_logits"
            raise DomainError(f"{loss}: expected probabilities in [0, 1], got {value:.4g} at {at}; {cure}")
    elif loss.pred == "log_probs":
        if (bad := pred > 1e-6).any():
            at, value = first(bad, pred)
            raise DomainError(
                f"{loss}: expected log-probabilities ≤ 0, got {value:.4g} at {at.replace('column', 'class')}; for "
                "scores use cross_entropy, for probabilities np.log(pred)"
            )
    elif loss.pred == "logits" and pred.size and pred.item(pred.argmin()) == -np.inf:
        if (empty := (pred == -np.inf).all(-1)).any():
            at, _ = first(empty, empty)
            raise DomainError(
                f"{loss}: expected a finite score in every row, got only -inf at {at}; leave a class open"
            )


def warn_about(loss: Loss, edge: Any, pred: Array, target: Any, stacklevel: int) -> None:
    """Predictions that are allowed and hardly meant: each place in a script is told once."""
    said = ""
    if loss.pred in ("logit", "logits"):
        said = _squashed(loss, edge)
    elif loss.pred == "log_probs" and pred.size:
        with np.errstate(all="ignore"):
            sums = np.exp(pred[:LOOKED_AT]).sum(-1)
        if (bad := np.abs(sums - 1) > 1e-3).any():
            at, value = first(bad, sums)
            said = f"expected rows of log-probabilities with Σ exp = 1, got {value:.4g} at {at}; use log_softmax"
            said = f"{loss}: {said}, or cross_entropy on the scores"
    elif loss.pred == "prob" and loss.target == "unit" and not loss.coupled and pred.shape == np.shape(target):
        t = target.data if isinstance(target, Tensor) else target
        if lost := int((((pred == 0) & (t > 0)) | ((pred == 1) & (t < 1))).sum()):
            said = f"{loss}: {lost} of {pred.size} probabilities are exactly 0 or 1 against their label, "
            said += "their gradient is lost; use bce_with_logits on the scores"
    if said:
        warnings.warn(said, stacklevel=stacklevel)


def _squashed(loss: Loss, edge: Any) -> str:
    """A softmax or sigmoid right before a loss on scores, looked for through views."""
    edge = source(edge)
    made_by = edge.op.name if isinstance(edge, Node) and edge.op is not None else ""
    if made_by != ("sigmoid" if loss.pred == "logit" else "softmax"):
        return ""
    instead = "bce" if loss.pred == "logit" else "nll(np.log(pred), target)"
    return f"{loss} takes scores, but pred comes from {made_by}; remove that {made_by}, or use {instead}"


# --- targets ----------------------------------------------------------------------------------------------------------
def as_target(loss: Loss, target: Any, pred: Tensor, batch: Shape) -> Any:
    """The target in the dtype of pred (labels stay integers) and with the shape that it must have; nobody can write it.

    A Tensor stays one only if it requires gradients.
    """
    if loss.target == "none":
        if target is not None:
            raise ShapeError(f"{loss}: expected no target, got {np.shape(target)}; leave it out")
        return None
    if target is None:
        raise TypeError(f"{loss}: expected a target, got None; call it with (pred, target)")
    array = array_of(loss, "target", target)
    if array.dtype.kind not in "iufb":
        cure = "np.unique(target, return_inverse=True)[1] makes labels of them"
        raise DTypeError(f"{loss}: expected numbers as target, got {kind_of(array.dtype)}; {cure}")
    labels = loss.target == "index" or (loss.target == "index|simplex" and array.ndim == len(batch))
    _check_shape(loss, array.shape, pred.shape, batch)
    if labels and array.dtype.kind not in "iu":
        soft = f", or rows {pred.shape} for soft labels" if loss.target == "index|simplex" else ""
        raise DTypeError(
            f"{loss}: expected integer labels, got {array.dtype} {array.shape}; use target.astype(int){soft}"
        )
    if loss.target == "sign" and array.dtype.kind == "b":
        raise DTypeError(f"{loss}: expected labels -1 or +1, got bool {array.shape}; use np.where(target, 1, -1)")
    if isinstance(target, Tensor) and target.edge is not None:
        return target if target.dtype == pred.dtype else target.astype(pred.dtype)
    return frozen(array if labels or array.dtype == pred.dtype else array.astype(pred.dtype))


def _check_shape(loss: Loss, got: Shape, pred: Shape, batch: Shape) -> None:
    if loss.target == "index|simplex":
        if got not in (batch, pred):
            cure = "; use target[..., 0]" if got == (*batch, 1) else ""
            raise ShapeError(f"{loss}: expected target {batch} labels or {pred} rows for pred {pred}, got {got}{cure}")
    elif loss.target == "simplex":
        if got != pred:
            cure = (
                "np.eye(K)[target] makes rows of labels" if got == batch else "one row of weights for each prediction"
            )
            raise ShapeError(f"{loss}: expected target rows {pred} for pred {pred}, got {got}; {cure}")
    elif got != batch and loss.target == "index":
        cure = f"; use target.argmax({len(batch)}), or cross_entropy for soft labels" if got == pred else ""
        cure = "; use target[..., 0]" if got == (*batch, 1) else cure
        raise ShapeError(f"{loss}: expected one label per row, {batch}, got {got}{cure}")
    elif got != batch:
        what = "one shape" if batch == pred else f"target {batch}"
        raise ShapeError(
            f"{loss}: expected pred and target of {what}, got pred {pred}, target {got}; {_reshaping(got, batch)}"
        )


def _reshaping(got: Shape, batch: Shape) -> str:
    if batch == (*got, 1):
        return "use target.reshape(-1, 1) or pred[:, 0]" if len(got) == 1 else "use pred[..., 0]"
    if got == (*batch, 1):
        return "use target.reshape(-1) or pred.reshape(-1, 1)" if len(batch) == 1 else "use target[..., 0]"
    if got == batch[:-1]:
        return f"give the model one output, or each row {batch[-1]} targets"
    return "every prediction needs its target; one column is target.reshape(-1, 1)"


def look_at(loss: Loss, target: Any, pred: Shape, dtype: Any) -> None:
    """Every check of a target beside predictions of this shape, before there are any."""
    batch = batch_shape(loss, pred)
    found = as_target(loss, target, Tensor(np.broadcast_to(np.zeros((), dtype), pred)), batch)
    check_target(loss, found, pred, batch)


def check_target(loss: Loss, target: Any, pred: Shape, batch: Shape) -> None:
    """Refuse a target outside the domain of its kind; a loss without target has none."""
    if target is None:
        return
    array = target.data if isinstance(target, Tensor) else target
    if loss.target in ("index", "index|simplex") and array.shape == batch:
        if loss.pred in ("logits", "log_probs", "params"):
            check_labels(loss, array, pred[-1])
    elif loss.target in ("simplex", "index|simplex"):
        _check_rows(loss, array)
    else:
        kind = TARGET[loss.target]
        allowed = kind.allowed(array)  # type: ignore[misc]  # every other kind has one
        if not allowed.all():
            at, value = first(~allowed, array)
            many = f" ({(~allowed).sum()} of {allowed.size})" if np.isnan(value) else ""
            raise kind.error(f"{loss}: expected {kind.words}, got {value} at {at}{many}; {kind.cure}")


def check_labels(loss: Loss, labels: Array, classes: int) -> None:
    """Labels are 0 … K−1."""
    if not labels.size:
        return
    low, high = labels.item(labels.argmin()), labels.item(labels.argmax())  # quicker than min() and max()
    if low >= 0 and high < classes:
        return
    bad = (labels < 0) | (labels >= classes)
    at, value = first(bad, labels)
    said = f"{loss}: expected labels 0 … {classes - 1}, got {value} at {at}"
    if value < 0:
        raise LabelError(f"{said}; drop such rows, or give the loss mask=target != {value}")
    cure = f"give the model {high + 1} outputs, drop such rows, or give the loss mask=target != {value}"
    if high == classes:
        cure = "if labels start at 1, use target - 1"
    raise LabelError(f"{said} ({bad.sum()} of {labels.size}); {cure}")


def _check_rows(loss: Loss, rows: Array) -> None:
    sums = rows.sum(-1, dtype=np.float64)
    bad = ~((rows >= 0).all(-1) & (np.abs(sums - 1) <= 1e-6 * rows.shape[-1]))
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        shown = [float(f"{v:.4g}") for v in rows[at][:5]]
        more = f" and {rows.shape[-1] - 5} more" if rows.shape[-1] > 5 else ""
        raise DomainError(
            f"{loss}: expected target rows ≥ 0 with sum 1, got {shown}{more} (sum {sums[at]:.4g}) at {_place(at)}; "
            + ("divide by the row sums or give labels" if at else "pred is one sample of K classes, a batch is (n, K)")
        )


def first(bad: Array, values: Array) -> tuple[str, Any]:
    """The place and the value of the first bad entry."""
    at = tuple(int(i) for i in np.argwhere(bad)[0])
    return _place(at), values[at]


def _place(at: Shape) -> str:
    return "the only entry" if not at else f"row {at[0]}" + "".join(f", column {i}" for i in at[1:])
