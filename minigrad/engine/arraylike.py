"""What makes a Tensor behave like an array: operators, methods, and NumPy's own functions, all out of one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.engine import debug, declaring, guards, habits
from minigrad.engine.graph import IN_RULES, Array, Edge, Leaf, recording

RULES: dict[Any, Callable[..., Any]] = {}  # NumPy's function → the op that knows its rules


def method(function: Any) -> Callable[..., Any]:
    """A method of Tensor that is a function of NumPy."""

    def call(self: ArrayLike, *args: Any, **kwargs: Any) -> Any:
        return RULES[function](self, *args, **kwargs)

    call.__name__ = getattr(function, "__name__", function)
    call.__doc__ = f"`np.{call.__name__}` of this tensor."
    return call


def _operator(function: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """An operator and its reflection (`t - 1` and `1 - t`)."""
    return lambda self, other: RULES[function](self, other), lambda self, other: RULES[function](other, self)


def _comparison(function: Any) -> Callable[[ArrayLike, Any], Any]:
    def compare(self: ArrayLike, other: Any) -> Any:
        if other is None:
            raise TypeError("Tensor: expected a number or an array to compare with, got None; write `t is None`")
        return RULES[function](self, other)

    return compare


def _update(function: Any) -> Callable[[Any, Any], Any]:
    """`t += x`: a new tensor under the old name, but for a leaf, which under no_grad is overwritten."""

    def update(self: Any, other: Any) -> Any:
        if not isinstance(self.edge, Leaf):
            return RULES[function](self, other)
        if recording.get():
            raise guards.kept_leaf()
        self.data = RULES[function](self, other)
        return self

    return update


class ArrayLike:
    """The face of a Tensor: whatever is asked of it is looked up in RULES, by the function of NumPy that does it."""

    __slots__ = ()
    __array_priority__ = 1000.0
    _data: Array
    edge: Edge | None
    detach: Callable[[], Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """The sides of the array."""
        return self._data.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the entries."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """The number of entries."""
        return self._data.size

    # --- out of the graph ------------------------------------------------------------------------------------------
    def _cut(self, name: str) -> Array:
        """The array, noting that a gradient ends here; a rule must not do that."""
        if self.edge is not None:
            if recording.get() == IN_RULES:
                raise guards.cut_in_a_rule(name)
            debug.cut(name)
        return self._data

    def numpy(self) -> Array:
        """The value as a plain array, which may share memory with the tensor."""
        return self._cut("numpy")

    def tolist(self) -> Any:
        """The value as (nested lists of) Python numbers."""
        return self._cut("tolist").tolist()

    def item(self) -> float:
        """The value of a tensor of one entry, as a Python number."""
        if self._data.size != 1:
            raise guards.many("Tensor.item", self.shape, "reduce it first, .mean() or .sum()")
        return self._cut("item").item()  # type: ignore[no-any-return]

    # --- NumPy -----------------------------------------------------------------------------------------------------
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__":
            raise declaring.no_method(ufunc.__name__, method)
        return self.__array_function__(ufunc, (), inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if known := RULES.get(function):
            return known(*args, **kwargs)
        raise declaring.no_rule(function)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if self.edge is not None:
            raise guards.no_array()
        return np.array(self._data, dtype, copy=copy)

    __add__, __radd__ = _operator(np.add)
    __sub__, __rsub__ = _operator(np.subtract)
    __mul__, __rmul__ = _operator(np.multiply)
    __truediv__, __rtruediv__ = _operator(np.divide)
    __floordiv__, __rfloordiv__ = _operator(np.floor_divide)
    __mod__, __rmod__ = _operator(np.remainder)
    __pow__, __rpow__ = _operator(np.power)
    __matmul__, __rmatmul__ = _operator(np.matmul)
    __neg__, __pos__, __abs__ = method(np.negative), method(np.positive), method(np.absolute)
    __lt__, __le__ = _comparison(np.less), _comparison(np.less_equal)
    __gt__, __ge__ = _comparison(np.greater), _comparison(np.greater_equal)
    __eq__, __ne__ = _comparison(np.equal), _comparison(np.not_equal)  # entry by entry, as NumPy does
    __hash__ = object.__hash__
    __getitem__ = method("getitem")

    __iadd__, __isub__ = _update(np.add), _update(np.subtract)
    __imul__, __itruediv__ = _update(np.multiply), _update(np.divide)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise guards.no_assignment()

    sum, mean, prod, max, min = map(method, (np.sum, np.mean, np.prod, np.max, np.min))
    var, std, cumsum, cumprod = map(method, (np.var, np.std, np.cumsum, np.cumprod))
    exp, log, sqrt, tanh, abs = map(method, (np.exp, np.log, np.sqrt, np.tanh, np.absolute))
    clip, square, sign, round = map(method, (np.clip, np.square, np.sign, np.round))
    dot, trace, diagonal, take, repeat = map(method, (np.dot, np.trace, np.diagonal, np.take, np.repeat))
    ravel, flatten, squeeze, swapaxes = map(method, (np.ravel, np.ravel, np.squeeze, np.swapaxes))
    any, all, argmax, argmin, argsort = map(method, (np.any, np.all, np.argmax, np.argmin, np.argsort))
    copy, nonzero, __round__ = map(method, (np.copy, np.nonzero, np.round))
    T = property(method(np.transpose))

    def reshape(self, *shape: Any) -> Any:
        """The same entries in another shape, given as one tuple or as several numbers."""
        return RULES[np.reshape](self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        """The axes in another order; reversed unless given."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return RULES[np.transpose](self, order or None)

    def astype(self, dtype: Any) -> Any:
        """The same numbers in another float type, or as a constant in an integer type."""
        if np.dtype(dtype).kind == "f":
            return RULES["cast"](self, np.dtype(dtype))
        constant = self.detach()
        if self.edge is not None:
            debug.cut("astype")  # that is what was written, not detach
        return RULES["cast"](constant, np.dtype(dtype))

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("Tensor: expected at least one axis for len(), got shape (); use .item()")
        return len(self._data)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        if self._data.size != 1:
            raise guards.many("Tensor", self.shape, "use (t > 0).any() or .all() for a yes or no")
        return bool(self._data)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item() if self._data.size == 1 and spec else str(self), spec)


habits.tell(ArrayLike, habits.OF_TENSORS)
