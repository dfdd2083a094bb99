"""The arithmetic of a call: values, their mean, and the slope, once every argument has been checked.

A loss with a closed form is one node of the graph: value and slope run on raw arrays, block by block, and where a
gradient will be asked for the slope is computed beside the value, while both share what they have in common.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.engine.errors import DomainError, DTypeError, LabelError, PluginError, ShapeError
from minigrad.engine.graph import recording
from minigrad.engine.op import Op
from minigrad.engine.shared import results
from minigrad.engine.sums import total
from minigrad.engine.tensor import Tensor

if TYPE_CHECKING:
    from minigrad.losses.loss import Loss

Array = Any
BLOCK = 1 << 17  # numbers that are worked on at once: a cache holds them, and malloc need not ask for them anew


@dataclass(slots=True)
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
        ahead: whether a gradient will be asked for, so that the slope is computed beside the value.
        ready: the slope, from then until it is asked for.
    """

    loss: Loss
    params: dict[str, Any]
    target: Any
    batch: tuple[int, ...]
    weight: Array | None
    divisor: float | None
    keep: Array | None
    ahead: bool = False
    ready: list[Array] = field(default_factory=list)

    # --- the value -------------------------------------------------------------------------------------------------
    def values(self, pred: Any) -> Any:
        """One value per sample: what the function says, event axes summed."""
        values = self._asked("its function", self.loss.function, pred)
        shape = getattr(values, "shape", None)
        if shape == self.batch or (self.loss.coupled and shape in ((), self.batch[1:])):
            pass
        elif shape == pred.shape and not self.loss.coupled:
            values = values.sum(tuple(range(len(self.batch), len(pred.shape))))
        else:
            raise self._broken(
                f"expected one value per sample, {self.batch}, got {_what_came(values)}; {self._cure(values)}"
            )
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
        pred = readable(filled(pred, self.keep))
        if self.divisor is not None:
            slope = np.empty(pred.shape, pred.dtype) if self.ahead else None
            answer = mean_of(self.summed(pred, 1.0, slope), self.divisor, lambda over: self.summed(pred, over, None))
            if slope is not None:
                self.ready.append(slope)
            return np.array(answer, pred.dtype)
        values = self.weighted(pred)
        return np.array(values, pred.dtype) if values.base is not None else values.astype(pred.dtype, copy=False)

    def summed(self, pred: Array, over: float, slope: Array | None) -> float:
        """Σ wL/over; the slope of the answer is left in `slope`, if it is given."""
        answer, known = 0.0, results.set({})
        try:
            for rows, block in self.blocks(pred):
                part = pred if block is self else pred[rows]
                values = block.weighted(part)
                answer += total(values if over == 1 else values / over)
                if slope is not None:
                    block.slope_to(slope if block is self else slope[rows], part, None)
                    results.set({})
        finally:
            results.reset(known)
        return answer

    def through(self, pred: Any) -> Any:
        """The answer, recorded operation by operation."""
        weighted = self.weighted(filled(pred, self.keep))
        return weighted if self.divisor is None else mean(weighted, self.divisor)

    # --- the slope -------------------------------------------------------------------------------------------------
    def slope(self, g: Array, pred: Array) -> Array:
        """d(answer)/d(pred) by the closed form, given the gradient g of the answer."""
        if self.ready:
            out = self.ready.pop()
        else:
            pred = readable(filled(pred, self.keep))
            out = np.empty(pred.shape, pred.dtype)
            for rows, block in self.blocks(pred):
                block.slope_to(out[rows], pred[rows], g[rows] if g.ndim else None)
        if not g.ndim and g != 1:
            np.multiply(out, g, out=out)
        return out

    def slope_to(self, out: Array, pred: Array, g: Array | None) -> None:
        """The closed form on one block; g is the gradient of each value, None for 1."""
        slope = self._asked("its closed form grad=", self.loss.grad, pred)
        if getattr(slope, "shape", None) != pred.shape or slope.dtype.char not in "fd":
            raise self._broken(
                "expected its closed form grad= to return floats of the shape of pred, "
                f"{pred.shape}, got {_what_came(slope)}"
            )
        np.multiply(slope, self.share(g, pred.ndim), out)

    def share(self, g: Array | None, ndim: int) -> Any:
        """What the slope of each value is multiplied by, given the gradient g of the answer, None for 1."""
        share = 1.0 if g is None else g
        if self.weight is not None:
            share = share * self.weight
        if self.divisor is not None:
            share = share / self.divisor
        if isinstance(share, np.ndarray) and share.ndim:
            share = np.broadcast_to(share, self.batch).reshape(self.batch + (1,) * (ndim - len(self.batch)))
        return share

    def blocks(self, pred: Array) -> Iterable[tuple[Any, Call]]:
        """The same call on blocks of rows that a cache holds: no row knows of another, unless the loss is coupled."""
        size = pred.size
        if size <= 2 * BLOCK or not self.batch or self.loss.coupled or any(map(np.ndim, self.params.values())):
            return [(..., self)]
        return self._cut(pred, max(1, BLOCK * len(pred) // size))

    def _cut(self, pred: Array, step: int) -> Iterator[tuple[Any, Call]]:
        for rows in (slice(i, i + step) for i in range(0, len(pred), step)):
            target = None if self.target is None else self.target[rows]
            weight = self.weight[rows] if self.weight is not None and len(self.weight) > 1 else self.weight
            yield rows, replace(self, target=target, weight=weight, batch=(len(pred[rows]), *self.batch[1:]), keep=None)

    # --- asking the author's functions -----------------------------------------------------------------------------
    def _asked(self, what: str, function: Any, pred: Any) -> Any:
        """What a function of the loss returns. It must not leave the grad mode changed."""
        mode = recording.get()
        try:
            return function(pred, self.target, **self.params)
        except Exception as error:
            if _is_check(error):
                raise
            said = f"{error or type(error).__name__}{_hint(str(error))}"
            raise self._broken(f"{what} failed on {self._shapes(pred)}: {said}") from error
        finally:
            if recording.get() is not mode:
                recording.set(mode)

    def _shapes(self, pred: Any) -> str:
        return f"pred {pred.shape}" + ("" if self.target is None else f", target {self.target.shape}")

    def _broken(self, said: str) -> Exception:
        for part in (self.loss, *(part for _, part in self.loss.parts)):
            for name, value in part.given.items():
                if np.ndim(value) and isinstance(part.params[name].default, (int, float)):
                    return self._unfit(name, np.shape(value), said)
        owner = self.loss.owner
        place = self.loss.where if owner is None or not owner.version else f"{owner}, {self.loss.where}"
        return PluginError(f"{self.loss} ({place}): {said}")

    def _unfit(self, name: str, shape: tuple[int, ...], said: str) -> ShapeError:
        """A parameter that is an array, while its author may have thought of a number."""
        fits = shape == self.batch[len(self.batch) - len(shape) :]
        wanted = "to be a number" if fits else "to be a number, or one for each column of pred"
        return ShapeError(f"{self.loss}: expected {name} {wanted}, got an array {shape}; {said}")

    def _cure(self, values: Any) -> str:
        if values is None:
            return "is a return missing?"
        if self.loss.coupled:
            return f"a loss that couples the batch returns a number, one for each row, or {self.batch[1:]}"
        return "return them unreduced, minigrad takes the mean; if it couples the batch, say coupled=True"


def _hint(said: str) -> str:
    """What to do about an error of NumPy that says what is wrong in words of its own."""
    return next((f"; {cure}" for words, cure in HINTS.items() if words in said), "")


HINTS = {
    "read-only": "pred and target stay as they are: compute a new array, such as pred = pred - target",
    "truth value of an array": "np.where(condition, a, b) chooses for each entry",
    "'numpy.ndarray' object has no attribute": "pred is an array: call functions of NumPy, np.exp(x) for x.exp()",
    "converted to Python scalars": "take the functions of NumPy, those of math know single numbers only",
}


def _is_check(error: Exception) -> bool:
    """Whether it is the author's own check that says no. Shapes that do not fit inside his formula are his fault."""
    if isinstance(error, (LabelError, DomainError)):
        return True
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    inside = place is not None and place.tb_frame.f_globals.get("__name__", "").startswith("minigrad.")
    return isinstance(error, (ShapeError, DTypeError)) and not inside


def mean_of(value: float, divisor: float, again: Callable[[float], float]) -> float:
    """A sum over its divisor. Where the sum is no float the mean may be one: `again` sums the values divided."""
    return value / divisor if math.isfinite(value) or not 1 < divisor < math.inf else again(divisor)


def _mean(weighted: Array, divisor: float) -> Array:
    value = mean_of(total(weighted), divisor, lambda over: total(weighted / over))
    return np.array(value, weighted.dtype)


mean = Op(
    _mean,
    {"weighted": lambda g, weighted_shape, divisor: np.broadcast_to(g / divisor, weighted_shape)},
    name="mean",
)
nothing = Op(
    lambda pred, shape: np.zeros(shape, pred.dtype),
    {"pred": lambda g, pred_shape: np.zeros(pred_shape, g.dtype)},
    name="nothing",
)
_CLOSED: dict[str, Op] = {}


def closed(name: str) -> Op:
    """The op of a loss with a closed form: one node, named like the loss."""
    if name not in _CLOSED:
        _CLOSED[name] = Op(
            lambda pred, call: call.value(pred),
            {"pred": lambda g, pred, call: call.slope(g, pred)},
            name=name,
            reference=lambda pred, call: call.through(pred),
        )
    return _CLOSED[name]


def filled(values: Any, keep: Array | None) -> Any:
    """`values` with every entry that is not kept replaced by the first one that is: arithmetic cannot fail there."""
    if keep is None or values is None or keep.all():
        return values
    data = values.data if isinstance(values, Tensor) else values
    wide = keep.reshape(keep.shape + (1,) * (data.ndim - keep.ndim))
    return np.where(wide, values, data[tuple(np.argwhere(keep)[0])] if keep.any() else np.zeros((), data.dtype))


def readable(pred: Array) -> Array:
    """The same array, which the author's functions cannot write to."""
    if pred.flags.writeable:
        pred = pred.view()
        pred.flags.writeable = False
    return pred


def _what_came(value: Any) -> str:
    """What came instead of values: a type, a scalar, or a dtype and a shape."""
    shape = getattr(value, "shape", None)
    if shape is None:
        return type(value).__name__
    return "a scalar" if shape == () else f"{getattr(value, 'dtype', '')} {shape}".strip()
