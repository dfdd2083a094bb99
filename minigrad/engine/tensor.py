"""Tensor: an array and an edge. The array is the value; the edge, if there is one, is how a gradient gets back."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np

from minigrad.engine import debug, guards
from minigrad.engine.arraylike import RULES as RULES
from minigrad.engine.arraylike import ArrayLike
from minigrad.engine.errors import GradientError
from minigrad.engine.graph import Array, Edge, Hook, Leaf, Node, keep_gradient, now, walk

SEQUENCES = (list, tuple)
_adding = Lock()  # two threads may add to one leaf


class Tensor(ArrayLike):
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

    def __init__(self, data: Any, *, requires_grad: bool = False, dtype: Any = None) -> None:
        array = guards.accepted(data, dtype)
        self.edge: Edge | None = None
        if requires_grad:
            guards.check_floats(array.dtype)
            self.edge = Leaf(array.shape, array.dtype)
        self._data = np.array(array) if requires_grad else frozen(array)

    # --- the value -------------------------------------------------------------------------------------------------
    @property
    def data(self) -> Array:
        """The array. Assigning overwrites it in place, for a leaf or a constant; shape and dtype stay."""
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        value = np.asarray(value._data if isinstance(value, Tensor) else value)
        guards.check_like("Tensor.data", value, self.shape, self.dtype)
        if isinstance(self.edge, Node):
            raise GradientError("Tensor.data: expected a leaf, got a computed tensor; use detach() or a new name")
        if self.edge is None:
            self._data = frozen(value)
        else:
            np.copyto(self._data, value)
            self.edge.changed = now()

    def detach(self) -> Tensor:
        """The same value as a constant."""
        return wrap(self._cut("detach").view(), None)

    # --- the gradient ----------------------------------------------------------------------------------------------
    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow back through this tensor."""
        return self.edge is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        raise guards.asked_too_late()

    @property
    def grad(self) -> Tensor | None:
        """The sum of the gradients of all backward passes since `grad` was last None."""
        return None if self.edge is None else self.edge.grad

    @grad.setter
    def grad(self, value: Any) -> None:
        edge = self._watched("Tensor.grad")
        if value is not None:
            value = value if isinstance(value, Tensor) else Tensor(value)
            guards.check_like("Tensor.grad", value, self.shape, self.dtype)
        edge.grad = value
        if isinstance(edge, Leaf):
            edge.used = False

    def backward(self, gradient: Any = None, *, retain_graph: bool | None = None, create_graph: bool = False) -> None:
        """Send a gradient back from here; every leaf that it reaches adds it to its `grad`.

        Args:
            gradient: d(what is to be differentiated)/d(this tensor), of its shape; 1 for a single number.
            retain_graph: keep the graph for another backward pass; else it is consumed on the way.
            create_graph: record the gradients themselves, so that they can be differentiated in turn.

        Raises:
            GradientError: this tensor is a constant, or no single number and `gradient` was not given, or its graph
                was consumed, or a value that it needs has changed.
            ShapeError: `gradient` has another shape.
            DTypeError: `gradient` holds no floats.
        """
        if self.edge is None:
            raise guards.no_way_back(debug.last_cut.get())
        seed = self._seed(gradient, create_graph)
        keep = create_graph if retain_graph is None else retain_graph
        arrived = walk(self.edge, seed, retain_graph=keep, create_graph=create_graph)
        _commit(arrived)

    def _seed(self, gradient: Any, create_graph: bool) -> Any:
        """What to start from, as an array or Tensor of its own."""
        if gradient is None:
            if self._data.size != 1:
                raise guards.not_scalar(self.shape)
            gradient = np.ones(self._data.shape, self._data.dtype)
        edge, data = None, gradient
        if isinstance(gradient, Tensor):
            edge, data = gradient.edge, gradient._data
        data = guards.seed(data, self._data)
        return wrap(data, edge) if create_graph else data

    def register_hook(self, hook: Hook) -> Callable[[], None]:
        """Call `hook(gradient)` in each backward pass; it may return another. Returns a function that removes it."""
        edge = self._watched("register_hook")
        if not callable(hook):
            raise TypeError(f"register_hook: expected a function of the gradient, got {hook!r:.60}; lambda g: 2 * g")
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
            raise guards.constant(what, self.shape)
        return self.edge

    def tree(self, lines: int = 40) -> str:
        """How this value was computed, from here to the leaves: a line for each operation, and no more than `lines`."""
        return debug.tree(self, lines)

    def __repr__(self) -> str:
        return debug.shown(self)

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
    array.setflags(False)  # type: ignore[call-arg]  # half the time of write=False
    t._data, t.edge = array, edge
    return t


def frozen(value: Any) -> Any:
    """A value that nobody can change: a read-only array is kept, any other is copied."""
    if not isinstance(value, np.ndarray):
        if type(value) is float:
            return value
        return type(value)(map(frozen, value)) if isinstance(value, SEQUENCES) else value
    owner: Any = value
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            value = np.array(value)
            value.setflags(write=False)
            return value
        owner = owner.base
    return value


def _rebuild(data: Array, requires_grad: bool) -> Tensor:
    return Tensor(data, requires_grad=requires_grad)


def _commit(arrived: dict[Edge, Any]) -> None:
    """Add what arrived to the `grad` of each leaf: to all or, if something fails before, to none.

    A gradient that an op passed through may be a view, or the very array that another leaf or the caller holds: those
    are copied, so that no two gradients ever share memory.
    """
    ready: list[tuple[Leaf, Tensor]] = []
    taken: set[int] = set()
    for leaf, g in arrived.items():
        if isinstance(leaf, Leaf):
            data, edge = (g._data, g.edge) if isinstance(g, Tensor) else (g, None)
            if type(data) is not np.ndarray or data.base is not None or not data.flags.writeable or id(data) in taken:
                data = np.array(data)
            taken.add(id(data))
            ready.append((leaf, _writable(data, edge)))
    if used := [leaf for leaf, _ in ready if leaf.used and leaf.grad is not None and leaf.grad._data.any()]:
        guards.warn_of_used(used)
    with _adding:
        for leaf, gradient in ready:
            old, leaf.used = leaf.grad, False
            if old is None:
                leaf.grad = gradient
            elif old.edge is None and gradient.edge is None:
                leaf.grad = _writable(np.asarray(old._data + gradient._data), None)
            else:
                leaf.grad = old + gradient


def _writable(data: Array, edge: Edge | None) -> Tensor:
    """A Tensor whose array can be written to: a gradient may be clipped in place."""
    t = Tensor.__new__(Tensor)
    t._data, t.edge = data, edge
    return t
