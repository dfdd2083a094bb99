"""Tensor: an array and an edge. The array is the value; the edge, if there is one, is how a gradient gets back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any

import numpy as np

from minigrad.engine.errors import DTypeError, GradientError, ShapeError
from minigrad.engine.graph import Array, Edge, Hook, Leaf, Node, keep_gradient, now, recording, walk

RULES: dict[Any, Callable[..., Any]] = {}  # NumPy's function → the op that knows its rules
_adding = Lock()  # two threads may add to one leaf

# Functions whose result is no float that depends smoothly on the input: they answer with plain arrays.
PLAIN = {
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal, np.isfinite, np.isnan, np.isinf,
    np.signbit, np.logical_and, np.logical_or, np.logical_not, np.logical_xor, np.argmax, np.argmin, np.argsort,
    np.shape, np.ndim, np.size, np.allclose, np.isclose, np.array_equal, np.any, np.all, np.count_nonzero, np.nonzero,
    np.zeros_like, np.ones_like, np.empty_like, np.full_like, np.searchsorted, np.array_repr, np.array_str, np.can_cast,
    np.result_type, np.may_share_memory, np.shares_memory, np.flatnonzero, np.unique, np.iscomplexobj, np.isrealobj,
}  # fmt: skip


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method of Tensor that is a function of NumPy."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return RULES[function](self, *args, **kwargs)

    method.__name__ = function.__name__
    method.__doc__ = f"`np.{function.__name__}` of this tensor."
    return method


def _operator(function: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """An operator and its reflection (`t - 1` and `1 - t`)."""

    def forward(self: Tensor, other: Any) -> Any:
        return RULES[function](self, other)

    def reflected(self: Tensor, other: Any) -> Any:
        return RULES[function](other, self)

    return forward, reflected


def _comparison(function: Callable[..., Any]) -> Callable[[Tensor, Any], Any]:
    def compare(self: Tensor, other: Any) -> Any:
        if other is None:
            raise TypeError("Tensor: expected a number or an array to compare with, got None; write `t is None`")
        return function(self._data, other._data if isinstance(other, Tensor) else other)

    return compare


class Tensor:
    """An array whose operations can be differentiated.

    Args:
        data: anything that NumPy makes an array of numbers of; a writable array is copied, a read-only one kept.
        requires_grad: whether `backward()` shall leave a gradient in `.grad`. Floats only.
        dtype: float32, float64, an integer or bool type; that of the data unless given.

    Raises:
        DTypeError: the data are no real numbers, or gradients are asked of integers.
        GradientError: the data are a Tensor that has a gradient already.
    """

    __slots__ = ("__weakref__", "_data", "edge")
    __array_priority__ = 1000.0

    def __init__(self, data: Any, *, requires_grad: bool = False, dtype: Any = None) -> None:
        array = _accepted(data, dtype)
        if requires_grad and array.dtype.kind != "f":
            raise DTypeError(
                f"Tensor: expected floats to require gradients, got {array.dtype}; use .astype(np.float32) or 2.0 for 2"
            )
        self._data = np.array(array) if requires_grad else frozen(array)
        self.edge: Edge | None = Leaf(array.shape, array.dtype) if requires_grad else None

    # --- the value -------------------------------------------------------------------------------------------------
    @property
    def data(self) -> Array:
        """The array. Assigning overwrites it in place, for a leaf or a constant; shape and dtype stay."""
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        value = np.asarray(value._data if isinstance(value, Tensor) else value)
        if value.shape != self.shape:
            raise ShapeError(f"Tensor.data: expected shape {self.shape}, got {value.shape}; make a new Tensor instead")
        if value.dtype != self.dtype:
            raise DTypeError(f"Tensor.data: expected {self.dtype}, got {value.dtype}; use .astype({self.dtype})")
        if isinstance(self.edge, Node):
            raise GradientError("Tensor.data: expected a leaf, got a computed tensor; use detach() or a new name")
        if self.edge is None:
            self._data = frozen(value)
        else:
            np.copyto(self._data, value)
            self.edge.changed = now()

    @property
    def shape(self) -> tuple[int, ...]:
        """The sides of the array."""
        return self._data.shape

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

    def numpy(self) -> Array:
        """The value as a plain array, which may share memory with the tensor."""
        return self._data

    def item(self) -> float:
        """The value of a tensor of one entry, as a Python number."""
        if self._data.size != 1:
            raise ShapeError(
                f"Tensor.item: expected one entry, got shape {self.shape}; reduce it first, .mean() or .sum()"
            )
        return self._data.item()  # type: ignore[no-any-return]

    def detach(self) -> Tensor:
        """The same value as a constant."""
        return wrap(self._data.view(), None)

    # --- the gradient ----------------------------------------------------------------------------------------------
    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow back through this tensor."""
        return self.edge is not None

    @property
    def grad(self) -> Tensor | None:
        """The sum of the gradients of all backward passes since `grad` was last None."""
        return None if self.edge is None else self.edge.grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if self.edge is None:
            raise GradientError(
                "Tensor.grad: expected a tensor that requires gradients, got a constant; requires_grad=True"
            )
        if value is not None and np.shape(value) != self.shape:
            raise ShapeError(f"Tensor.grad: expected shape {self.shape}, got {np.shape(value)}")
        if value is not None and value.dtype != self.dtype:
            raise DTypeError(f"Tensor.grad: expected {self.dtype}, got {value.dtype}; use .astype({self.dtype})")
        self.edge.grad = value if value is None or isinstance(value, Tensor) else Tensor(value)

    def backward(self, gradient: Any = None, *, retain_graph: bool | None = None, create_graph: bool = False) -> None:
        """Send a gradient back from here; every leaf that it reaches adds it to its `grad`.

        Args:
            gradient: d(what is to be differentiated)/d(this tensor), of its shape; 1 for a single number.
            retain_graph: keep the graph for another backward pass; else it is consumed on the way.
            create_graph: record the gradients themselves, so that they can be differentiated in turn.

        Raises:
            GradientError: this tensor is a constant, or its graph was consumed, or a value that it needs has changed.
            ShapeError: it is no single number and `gradient` was not given, or has another shape.
        """
        if self.edge is None:
            raise GradientError(
                "backward: this value has no gradient: it was computed from constants, under no_grad, or through an "
                "operation without derivative (a comparison, argmax, detach, numpy); give an input requires_grad=True"
            )
        keep = create_graph if retain_graph is None else retain_graph
        seed = self._seed(gradient)
        arrived = walk(self.edge, seed if create_graph else seed._data, retain_graph=keep, create_graph=create_graph)
        _commit(arrived)

    def _seed(self, gradient: Any) -> Tensor:
        if gradient is None:
            if self._data.size != 1:
                raise ShapeError(
                    f"backward: expected a single number to start from, got shape {self.shape}; reduce it with .sum() "
                    "or .mean(), or give backward(gradient) of that shape"
                )
            return Tensor(np.ones_like(self._data))
        given = gradient if isinstance(gradient, Tensor) else Tensor(np.array(gradient))
        if given.shape != self.shape:
            raise ShapeError(f"backward: expected a gradient of shape {self.shape}, got {given.shape}")
        if given.dtype.kind != "f":
            raise DTypeError(
                f"backward: expected a gradient of {self.dtype}, got {given.dtype}; use .astype({self.dtype})"
            )
        return given if given.dtype == self.dtype else given.astype(self.dtype)

    def register_hook(self, hook: Hook) -> Callable[[], None]:
        """Call `hook(gradient)` in each backward pass; it may return another. Returns a function that removes it."""
        edge = self._watched("register_hook")
        edge.hooks = (*edge.hooks, hook)

        def remove() -> None:
            edge.hooks = tuple(other for other in edge.hooks if other is not hook)

        return remove

    def retain_grad(self) -> None:
        """Leave a gradient in `.grad` here too, although this tensor was computed."""
        edge = self._watched("retain_grad")
        if isinstance(edge, Node) and keep_gradient not in edge.hooks:
            edge.hooks = (*edge.hooks, keep_gradient)

    def _watched(self, what: str) -> Edge:
        if self.edge is None:
            raise GradientError(
                f"{what}: expected a tensor that requires gradients, got a constant of shape {self.shape}"
            )
        return self.edge

    # --- NumPy -----------------------------------------------------------------------------------------------------
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__":
            raise GradientError(
                f"np.{ufunc.__name__}.{method}: expected a plain call on a Tensor; use np.sum, np.prod, np.max …"
            )
        return self.__array_function__(ufunc, (), inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if known := RULES.get(function):
            return known(*args, **kwargs)
        if function in PLAIN:
            return function(*map(_plain, args), **{key: _plain(value) for key, value in kwargs.items()})
        name = f"np.{function.__name__}"
        raise GradientError(
            f"{name}: expected a function with a rule, got one that minigrad has none for; register it with "
            f"minigrad.op({name}, x=lambda g, …: …), or take t.detach().numpy() where no gradient is needed"
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if self.edge is not None:
            raise GradientError(
                "np.asarray: expected a constant, got a Tensor that requires gradients; use t.numpy() or t.detach() "
                "for its value, np.stack for a list of Tensors"
            )
        return np.array(self._data, dtype, copy=copy)

    __add__, __radd__ = _operator(np.add)
    __sub__, __rsub__ = _operator(np.subtract)
    __mul__, __rmul__ = _operator(np.multiply)
    __truediv__, __rtruediv__ = _operator(np.divide)
    __pow__, __rpow__ = _operator(np.power)
    __matmul__, __rmatmul__ = _operator(np.matmul)
    __neg__, __abs__ = _method(np.negative), _method(np.absolute)
    __lt__, __le__ = _comparison(np.less), _comparison(np.less_equal)
    __gt__, __ge__ = _comparison(np.greater), _comparison(np.greater_equal)
    __eq__, __ne__ = _comparison(np.equal), _comparison(np.not_equal)  # entry by entry, as NumPy does
    __hash__ = object.__hash__

    def _in_place(self, result: Any) -> Tensor:
        """`t += x`: a new tensor under the old name, but for a leaf, which under no_grad is overwritten."""
        if not isinstance(self.edge, Leaf):
            return result  # type: ignore[no-any-return]
        if recording.get():
            raise GradientError(
                "Tensor: expected a leaf to stay as it is while operations are recorded; give the result a new name, "
                "or update a parameter under no_grad()"
            )
        self.data = result
        return self

    def __iadd__(self, other: Any) -> Any:  # type: ignore[misc]  # the operators come from one factory
        return self._in_place(self + other)

    def __isub__(self, other: Any) -> Any:  # type: ignore[misc]
        return self._in_place(self - other)

    def __imul__(self, other: Any) -> Any:  # type: ignore[misc]
        return self._in_place(self * other)

    def __itruediv__(self, other: Any) -> Any:  # type: ignore[misc]
        return self._in_place(self / other)

    def __getitem__(self, index: Any) -> Tensor:
        return RULES["getitem"](self, index)  # type: ignore[no-any-return]

    def __setitem__(self, index: Any, value: Any) -> None:
        raise GradientError(
            "Tensor: expected its entries to stay as they are, got an assignment t[…] = …; build the result with "
            "np.where(condition, a, b) or np.stack([...])"
        )

    sum, mean, max, min = _method(np.sum), _method(np.mean), _method(np.max), _method(np.min)
    var, std, prod, cumsum = _method(np.var), _method(np.std), _method(np.prod), _method(np.cumsum)
    exp, log, sqrt, tanh = _method(np.exp), _method(np.log), _method(np.sqrt), _method(np.tanh)
    abs, clip, square, sign = _method(np.absolute), _method(np.clip), _method(np.square), _method(np.sign)
    swapaxes, squeeze, ravel = _method(np.swapaxes), _method(np.squeeze), _method(np.ravel)
    flatten = ravel

    def reshape(self, *shape: Any) -> Tensor:
        """The same entries in another shape, given as one tuple or as several numbers."""
        return RULES[np.reshape](self, shape[0] if len(shape) == 1 else shape)  # type: ignore[no-any-return]

    def transpose(self, *axes: Any) -> Tensor:
        """The axes in another order; reversed unless given."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return RULES[np.transpose](self, order or None)  # type: ignore[no-any-return]

    @property
    def T(self) -> Tensor:
        """The axes in reversed order."""
        return self.transpose()

    def astype(self, dtype: Any) -> Tensor:
        """The same numbers in another float type, or as a constant in an integer type."""
        dtype = np.dtype(dtype)
        return RULES["cast"](self if dtype.kind == "f" else self.detach(), dtype)  # type: ignore[no-any-return]

    def argmax(self, axis: int | None = None) -> Any:
        """Where the largest entry is: a plain array, without gradient."""
        return self._data.argmax(axis)

    def argmin(self, axis: int | None = None) -> Any:
        """Where the smallest entry is: a plain array, without gradient."""
        return self._data.argmin(axis)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("Tensor: expected at least one axis for len(), got a single number; use .item()")
        return len(self._data)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        if self._data.size != 1:
            raise ShapeError(
                f"Tensor: expected one entry for a yes or no, got shape {self.shape}; use (t > 0).any() or .all()"
            )
        return bool(self._data)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item() if self._data.size == 1 and spec else str(self), spec)

    def __repr__(self) -> str:
        value = np.array2string(self._data, prefix="Tensor(", precision=4, threshold=40, edgeitems=3)
        if self._data.size > 40 or self.ndim > 1:
            value += f", shape={self.shape}"
        if isinstance(self.edge, Node):
            return f"Tensor({value}, from={self.edge.op.name if self.edge.op else 'a consumed graph'})"
        if self.edge is None:
            return f"Tensor({value})"
        return f"Tensor({value}, requires_grad=True, grad={'None' if self.grad is None else 'set'})"

    def __reduce__(self) -> Any:
        if isinstance(self.edge, Node):
            raise GradientError(
                "Tensor: expected a leaf or a constant to copy or pickle, got a computed tensor; use detach()"
            )
        return _rebuild, (self._data, self.edge is not None)


def wrap(data: Any, edge: Edge | None) -> Tensor:
    """A Tensor around an array that belongs to nobody else; from now on it is read-only."""
    t = Tensor.__new__(Tensor)
    array = data if type(data) is np.ndarray else np.asarray(data)
    array.setflags(write=False)
    t._data, t.edge = array, edge
    return t


def frozen(value: Any) -> Any:
    """A value that nobody can change: a read-only array is kept, any other is copied."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(frozen, value))
    if not isinstance(value, np.ndarray):
        return value
    owner: Any = value
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            value = np.array(value)
            value.setflags(write=False)
            return value
        owner = owner.base
    return value


def _plain(value: Any) -> Any:
    return value._data if isinstance(value, Tensor) else value


def _rebuild(data: Array, requires_grad: bool) -> Tensor:
    return Tensor(data, requires_grad=requires_grad)


def _accepted(data: Any, dtype: Any) -> Array:
    """An array of a dtype with which minigrad computes."""
    if isinstance(data, Tensor):
        if data.edge is not None:
            raise GradientError(
                "Tensor: expected plain data, got a Tensor that requires gradients; use it, or t.detach()"
            )
        data = data._data
    if isinstance(data, np.ma.MaskedArray):
        raise DTypeError("Tensor: expected a plain array, got a masked array; fill it, or give a loss the mask")
    try:
        array = np.asarray(data, dtype)
    except (ValueError, TypeError) as error:
        raise DTypeError(f"Tensor: expected numbers in a regular shape, got {type(data).__name__}: {error}") from error
    if array.dtype not in _DTYPES and array.dtype.kind not in "iub":
        raise DTypeError(
            f"Tensor: expected float32, float64, integers or bool, got {array.dtype}; use .astype(np.float32)"
        )
    return array


_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def _commit(arrived: dict[Edge, Any]) -> None:
    """Add what arrived to the `grad` of each leaf: of all or, if something fails before, of none.

    A gradient that an op passed through may be a view, or the very array that another leaf or the caller holds: those
    are copied, so that no two gradients ever share memory.
    """
    ready: list[tuple[Leaf, Tensor]] = []
    taken: set[int] = set()
    for leaf, g in arrived.items():
        if not isinstance(leaf, Leaf):
            continue
        if not isinstance(g, Tensor):
            if type(g) is not np.ndarray or g.base is not None or not g.flags.writeable or id(g) in taken:
                g = np.array(g)
            taken.add(id(g))
            t = Tensor.__new__(Tensor)
            t._data, t.edge = g, None
            g = t
        ready.append((leaf, g))
    with _adding:
        for leaf, gradient in ready:
            leaf.grad = gradient if leaf.grad is None else leaf.grad + gradient
