"""How a loss is called: shapes, weights, masks, domains and reduction, once for every loss.

A call is laid out first (every argument checked by `guards.py` and in place), then evaluated by `evaluating.py`. A loss
with a closed form becomes one node of the graph; without one, or under `create_graph`, its function is differentiated.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.engine.errors import GradientError
from minigrad.engine.graph import recording
from minigrad.engine.tensor import Tensor, frozen, wrap
from minigrad.losses import guards, weighing
from minigrad.losses.evaluating import Call, closed, filled, mean, nothing, readable
from minigrad.losses.guards import batch_shape

if TYPE_CHECKING:
    from minigrad.losses.loss import Loss

Array = Any


def call(
    loss: Loss, pred: Any, target: Any, *, reduction: str, sample_weight: Any, mask: Any, class_weight: Any
) -> Tensor:
    """Evaluate a loss: see `Loss.__call__` for the arguments."""
    guards.check_option(loss, "reduction", reduction)
    if loss.coupled and loss.parts:
        return _reduced_apart(loss, pred, target, reduction, sample_weight, mask, class_weight)
    pred = guards.as_pred(loss, pred)
    if pred.edge is None and isinstance(target, Tensor) and target.edge is not None:
        raise GradientError(
            f"{loss}: expected pred to require gradients, got only target; minigrad takes (pred, target): exchange "
            "them, or use target.detach()"
        )
    batch = batch_shape(loss, pred.shape)
    target = guards.as_target(loss, target, pred, batch)
    mask = None if mask is None else weighing.as_mask(loss, mask, batch)
    weight = None if sample_weight is None else weighing.as_weight(loss, sample_weight, pred, batch, mask)
    count = math.prod(batch) if mask is None else int(np.count_nonzero(mask))
    if count == 0 or (weight is not None and reduction != "none" and not weight.any()):
        return nothing(pred, batch if reduction == "none" and not loss.coupled else ())  # type: ignore[no-any-return]
    if loss.coupled:
        return _coupled(loss, pred, target, batch, weight, mask, reduction, class_weight)
    used, seen = filled(pred.data, mask), filled(target, mask)
    guards.check_pred(loss, used)
    guards.check_target(loss, seen, pred.shape, batch)
    guards.warn_about(loss, pred.edge, used, seen, stacklevel=4)
    if class_weight is not None:
        picked = weighing.by_class(loss, seen, pred, class_weight)
        weight = picked if weight is None else weight * picked
    keep = mask
    if weight is not None and not weight.all():  # a row of weight 0 is not there: its loss may be infinite
        keep = np.broadcast_to(weight != 0, batch) if mask is None else mask & (weight != 0)
    if mask is not None:
        weight = np.where(mask, 1 if weight is None else weight, 0).astype(pred.dtype)
    divisor = divisor_of(reduction, count, weight, batch)
    if divisor == 0:
        return nothing(pred, ())  # type: ignore[no-any-return]
    target = filled(seen, keep) if keep is not mask else seen
    ahead = pred.edge is not None and divisor is not None and bool(recording.get())
    laid_out = Call(loss, loss.values, target, batch, frozen(weight), divisor, frozen(keep), ahead)
    plain = not isinstance(target, Tensor) and not loss.learned
    if plain and (loss.grad is not None or pred.edge is None):
        return closed(loss.name)(pred, laid_out)  # type: ignore[no-any-return]
    return _as_tensor(laid_out.through(pred), pred.dtype)


def divisor_of(reduction: str, count: int, weight: Array | None, batch: tuple[int, ...]) -> float | None:
    """What Σ wL is divided by: n, Σ w or 1; None for no sum."""
    if reduction == "weighted_mean" and weight is not None:
        return float(np.broadcast_to(weight, batch).sum(dtype=np.float64))
    return {"none": None, "sum": 1.0}.get(reduction, float(count))


def _as_tensor(value: Any, dtype: Any) -> Tensor:
    t = value if isinstance(value, Tensor) else wrap(np.array(value), None)  # a copy: its author may keep it
    return t if t.dtype == dtype else t.astype(dtype)


# --- losses that couple the batch -------------------------------------------------------------------------------------
def _coupled(
    loss: Loss, pred: Tensor, target: Any, batch: tuple[int, ...], weight: Array | None, mask: Array | None,
    reduction: str, class_weight: Any,
) -> Tensor:  # fmt: skip
    """The loss of the selected rows: it may take the weights itself, else its values per row are weighted."""
    if class_weight is not None:
        weighing.by_class(loss, target, pred, class_weight)
    if mask is not None:
        pred, target = pred[mask], target if target is None else frozen(target[mask])
        weight = weight if weight is None else weight[mask]
        batch = pred.shape[: len(batch)]
    guards.check_pred(loss, pred.data)
    guards.check_target(loss, target, pred.shape, batch)
    params = loss.values
    if loss.takes_weight:
        params, weight = {**params, "sample_weight": weight if weight is None else readable(weight)}, None
    values = Call(loss, params, target, batch, None, None, None).values(pred)
    if weight is not None and values.shape != batch:
        raise TypeError(
            f"{loss}: couples the batch and declares no sample_weight; add sample_weight=None to its signature, or "
            "give no weights"
        )
    divisor = divisor_of(reduction, math.prod(values.shape), weight, values.shape)
    weighted = values if weight is None else values * weight
    return _as_tensor(weighted if divisor is None else mean(weighted, divisor), pred.dtype)


def _reduced_apart(loss: Loss, pred: Any, target: Any, reduction: str, *options: Any) -> Tensor:
    """A sum with a part that couples the batch: every part is reduced by itself."""
    if reduction == "none":
        raise ValueError(
            f"{loss}: expected reduction 'mean', 'weighted_mean' or 'sum', got 'none'; its values have unlike shapes"
        )
    names = ("sample_weight", "mask", "class_weight")
    given = {"reduction": reduction, **dict(zip(names, options, strict=True))}
    values = [a * call(part, pred, target, **given) for a, part in loss.parts]
    total: Tensor = sum(values[1:], start=values[0])
    return total
