"""How a loss is called: shapes, weights, masks, domains and reduction, once for every loss.

A call is laid out first (`Call`: every argument checked by `guards.py` and in place), then evaluated. A loss with a
closed form becomes one node of the graph: value and slope run on raw arrays. Without one, or under `create_graph`, its
function is differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.engine.errors import DomainError, GradientError, LabelError, PluginError
from minigrad.engine.graph import recording
from minigrad.engine.op import Op
from minigrad.engine.tensor import Tensor, frozen, wrap
from minigrad.losses import guards
from minigrad.losses.guards import batch_shape

if TYPE_CHECKING:
    from minigrad.losses.loss import Loss

Array = Any
__all__ = ["Call", "batch_shape", "call"]


@dataclass(frozen=True)
class Call:
    """One call of a loss, with every argument checked: what is left is arithmetic.

    Attributes:
        loss: the loss.
        params: its parameters, by name.
        target: as it came, but floats in the dtype of `pred`, and harmless where `keep` is False.
        batch: the shape S of the values.
        weight: what each value is multiplied by, of a shape that broadcasts to S, or None for 1.
        divisor: what the sum is divided by; None if there is no sum and one value per sample is the answer.
        keep: where pred and target are used at all, of shape S, or None for everywhere.
    """

    loss: Loss
    params: dict[str, Any]
    target: Any
    batch: tuple[int, ...]
    weight: Array | None
    divisor: float | None
    keep: Array | None

    def values(self, pred: Any) -> Any:
        """One value per sample: what the function says, event axes summed."""
        values = self._asked("its function", self.loss.function, pred)
        shape = getattr(values, "shape", None)
        if shape == self.batch or (self.loss.coupled and shape in ((), self.batch[1:])):
            pass
        elif shape == pred.shape and not self.loss.coupled:
            values = values.sum(tuple(range(len(self.batch), len(pred.shape))))
        else:
            raise self._broken(f"expected one value per sample, {self.batch}, got {_kind_of(values)}; {self._cure()}")
        if values.dtype.kind != "f":
            raise self._broken(
                f"expected floats, got {values.dtype} {values.shape}; compute with pred, not with labels"
            )
        return values

    def weighted(self, pred: Any) -> Any:
        """The weighted value wL of every sample."""
        values = self.values(pred)
        return values if self.weight is None else values * self.weight

    def value(self, pred: Array) -> Array:
        """The answer, on arrays."""
        pred = _filled(pred, self.keep)
        if self.divisor is not None:
            return np.asarray(_mean(lambda over: self.total(pred, over), self.divisor)).astype(pred.dtype)
        values = self.weighted(pred)
        return np.array(values, pred.dtype) if values.base is not None else values.astype(pred.dtype, copy=False)

    def total(self, pred: Array, over: float) -> Any:
        """Σ wL/over."""
        return sum(_sum(block.weighted(pred[rows]), over) for rows, block in self.blocks(pred))

    def through(self, pred: Any) -> Any:
        """The answer, recorded operation by operation."""
        weighted = self.weighted(_filled(pred, self.keep))
        return weighted if self.divisor is None else mean(weighted, self.divisor)

    def slope(self, g: Array, pred: Array) -> Array:
        """d(answer)/d(pred) by the closed form, given the gradient g of the answer."""
        pred, out = _filled(pred, self.keep), np.empty(pred.shape, pred.dtype)
        for rows, block in self.blocks(pred):
            slope = block._asked("its closed form grad=", self.loss.grad, pred[rows])
            if getattr(slope, "shape", None) != pred[rows].shape or slope.dtype not in FLOATS:
                raise self._broken(
                    "expected its closed form grad= to return floats of the shape of pred, "
                    f"{pred[rows].shape}, got {_kind_of(slope)}"
                )
            np.multiply(slope, block.share(g[rows] if g.ndim else g, pred.ndim), out=out[rows], casting="same_kind")
        return out

    def share(self, g: Array, ndim: int) -> Array:
        """What the slope of each value is multiplied by, given the gradient g of the answer."""
        share = g if self.weight is None else g * self.weight
        if self.divisor is not None:
            share = share / self.divisor
        if np.ndim(share):
            share = np.broadcast_to(share, self.batch).reshape(self.batch + (1,) * (ndim - len(self.batch)))
        return share

    def blocks(self, pred: Array) -> Iterator[tuple[Any, Call]]:
        """The same call on blocks of rows that a cache holds: no row knows of another, unless the loss is coupled."""
        whole = not self.batch or self.loss.coupled or any(map(np.ndim, self.params.values()))
        if whole or pred.size <= 2 * BLOCK:
            yield ..., self
            return
        step = max(1, BLOCK * len(pred) // pred.size)
        for rows in (slice(i, i + step) for i in range(0, len(pred), step)):
            target = None if self.target is None else self.target[rows]
            weight = self.weight[rows] if self.weight is not None and len(self.weight) > 1 else self.weight
            yield rows, replace(self, target=target, weight=weight, batch=(len(pred[rows]), *self.batch[1:]), keep=None)

    # --- asking the author's functions -----------------------------------------------------------------------------
    def _asked(self, what: str, function: Any, pred: Any) -> Any:
        """What a function of the loss returns. It cannot write to what it is given, nor leave the grad mode changed."""
        if type(pred) is np.ndarray and pred.flags.writeable:
            pred = pred.view()
            pred.flags.writeable = False
        mode = recording.get()
        try:
            return function(pred, self.target, **self.params)
        except (LabelError, DomainError):  # a check that the author wrote
            raise
        except Exception as error:
            raise self._broken(f"{what} failed on {self._shapes(pred)}: {error or type(error).__name__}") from error
        finally:
            if recording.get() is not mode:
                recording.set(mode)

    def _shapes(self, pred: Any) -> str:
        return f"pred {pred.shape}" + ("" if self.target is None else f", target {self.target.shape}")

    def _broken(self, said: str) -> PluginError:
        owner = self.loss.owner
        place = self.loss.where if owner is None or not owner.version else f"{owner}, {self.loss.where}"
        return PluginError(f"{self.loss} ({place}): {said}")

    def _cure(self) -> str:
        if self.loss.coupled:
            return f"a loss that couples the batch returns a number, one for each row, or {self.batch[1:]}"
        return "return them unreduced, minigrad takes the mean; if it couples the batch, say coupled=True"


BLOCK = 1 << 17  # numbers that are worked on at once: a cache holds them, and malloc need not ask for them anew
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
mean = Op(
    lambda weighted, divisor: np.asarray(_mean(lambda over: _sum(weighted, over), divisor)).astype(weighted.dtype),
    {"weighted": lambda g, weighted_shape, divisor: np.broadcast_to(g / divisor, weighted_shape)},
    name="mean",
)
_NOTHING = Op(
    lambda pred, shape: np.zeros(shape, pred.dtype),
    {"pred": lambda g, pred_shape: np.zeros(pred_shape, g.dtype)},
    name="nothing",
)
_CLOSED: dict[str, Op] = {}


def _closed(name: str) -> Op:
    """The op of a loss with a closed form: one node, named like the loss."""
    if name not in _CLOSED:
        _CLOSED[name] = Op(
            lambda pred, call: call.value(pred),
            {"pred": lambda g, pred, call: call.slope(g, pred)},
            name=name,
            reference=lambda pred, call: call.through(pred),
        )
    return _CLOSED[name]


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
    weight = None if sample_weight is None else guards.as_weight(loss, sample_weight, pred, batch)
    mask = None if mask is None else guards.as_mask(loss, mask, batch)
    count = int(np.prod(batch, dtype=np.int64)) if mask is None else int(np.count_nonzero(mask))
    if count == 0 or (weight is not None and reduction != "none" and not weight.any()):
        return _NOTHING(pred, batch if reduction == "none" and not loss.coupled else ())  # type: ignore[no-any-return]
    if loss.coupled:
        return _coupled(loss, pred, target, batch, weight, mask, reduction, class_weight)
    used, seen = _filled(pred.data, mask), _filled(target, mask)
    guards.check_pred(loss, used)
    if seen is not None:
        guards.check_target(loss, seen, pred.shape, batch)
    guards.warn_about(loss, pred.edge, used, seen, stacklevel=4)
    if class_weight is not None:
        picked = guards.by_class(loss, seen, pred, class_weight)
        weight = picked if weight is None else weight * picked
    keep = mask
    if weight is not None and not weight.all():  # a row of weight 0 is not there: its loss may be infinite
        keep = np.broadcast_to(weight != 0, batch) if mask is None else mask & (weight != 0)
    if mask is not None:
        weight = np.where(mask, 1 if weight is None else weight, 0).astype(pred.dtype)
    divisor = _divisor(reduction, count, weight, batch)
    if divisor == 0:
        return _NOTHING(pred, ())  # type: ignore[no-any-return]
    target = _filled(seen, keep) if keep is not mask else seen
    laid_out = Call(loss, loss.values, target, batch, frozen(weight), divisor, frozen(keep))
    plain = not isinstance(target, Tensor) and not loss.learned
    if plain and (loss.grad is not None or pred.edge is None):
        return _closed(loss.name)(pred, laid_out)  # type: ignore[no-any-return]
    return _as_tensor(laid_out.through(pred), pred.dtype)


def _divisor(reduction: str, count: int, weight: Array | None, batch: tuple[int, ...]) -> float | None:
    """What Σ wL is divided by: n, Σ w or 1; None for no sum."""
    if reduction == "weighted_mean" and weight is not None:
        return float(np.broadcast_to(weight, batch).sum(dtype=np.float64))
    return {"none": None, "sum": 1.0}.get(reduction, float(count))


def _filled(values: Any, keep: Array | None) -> Any:
    """`values` with every entry that is not kept replaced by the first one that is: arithmetic cannot fail there."""
    if keep is None or values is None or keep.all():
        return values
    data = values.data if isinstance(values, Tensor) else values
    wide = keep.reshape(keep.shape + (1,) * (data.ndim - keep.ndim))
    return np.where(wide, values, data[tuple(np.argwhere(keep)[0])] if keep.any() else np.zeros((), data.dtype))


def _sum(values: Array, over: float) -> Any:
    """Σ values/over in float64, whatever the dtype."""
    return np.add.reduce(values if over == 1 else values / over, None, np.float64)


def _mean(total: Callable[[float], Any], divisor: float) -> Any:
    """A sum over its divisor; where the sum is too large for a float, the mean need not be."""
    value = total(1.0) / divisor
    return value if np.isfinite(value) or not 1 < divisor < np.inf else total(divisor)


def _as_tensor(value: Any, dtype: Any) -> Tensor:
    t = value if isinstance(value, Tensor) else wrap(np.array(value), None)  # a copy: its author may keep it
    return t if t.dtype == dtype else t.astype(dtype)


def _kind_of(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if shape is None:
        return type(value).__name__
    return "a scalar" if shape == () else f"{getattr(value, 'dtype', '')} {shape}".strip()


# --- losses that couple the batch -------------------------------------------------------------------------------------
def _coupled(
    loss: Loss, pred: Tensor, target: Any, batch: tuple[int, ...], weight: Array | None, mask: Array | None,
    reduction: str, class_weight: Any,
) -> Tensor:  # fmt: skip
    """The loss of the selected rows: it may take the weights itself, else its values per row are weighted."""
    if class_weight is not None:
        guards.by_class(loss, target, pred, class_weight)
    if mask is not None:
        pred, target = pred[mask], target if target is None else target[mask]
        weight = weight if weight is None else weight[mask]
        batch = pred.shape[: len(batch)]
    guards.check_pred(loss, pred.data)
    if target is not None:
        guards.check_target(loss, target, pred.shape, batch)
    params = loss.values
    if loss.takes_weight:
        params, weight = {**params, "sample_weight": weight}, None
    values = Call(loss, params, target, batch, None, None, None).values(pred)
    if weight is not None and values.shape != batch:
        raise TypeError(
            f"{loss}: couples the batch and declares no sample_weight; add sample_weight=None to its signature, or "
            "give no weights"
        )
    divisor = _divisor(reduction, int(np.prod(values.shape, dtype=np.int64)), weight, values.shape)
    weighted = values if weight is None else values * weight
    return _as_tensor(weighted if divisor is None else mean(weighted, divisor), pred.dtype)


def _reduced_apart(loss: Loss, pred: Any, target: Any, reduction: str, *options: Any) -> Tensor:
    """A sum with a part that couples the batch: every part is reduced by itself."""
    if reduction == "none":
        raise ValueError(
            f"{loss}: expected reduction 'mean', 'weighted_mean' or 'sum', got 'none'; its parts are unlike"
        )
    names = ("sample_weight", "mask", "class_weight")
    given = {"reduction": reduction, **dict(zip(names, options, strict=True))}
    values = [a * call(part, pred, target, **given) for a, part in loss.parts]
    total: Tensor = sum(values[1:], start=values[0])
    return total
