"""The graph: what was computed from what, and the walk back along it.

A recorded tensor has an *edge*. It is a Leaf, where a gradient ends, or a Node: an operation that knows the edges of
its inputs and hands a gradient on to them. Edges point to edges and never to tensors, so that a graph holds no
reference cycle and dies by reference count alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.engine.errors import GradientError

if TYPE_CHECKING:
    from minigrad.engine.op import Op

Array = np.ndarray[Any, np.dtype[Any]]
Gradient = Any  # an ndarray, or under create_graph a Tensor
Hook = Callable[[Any], Any]

now = itertools.count(1).__next__  # numbers nodes, and changes of leaves, in the order in which they happen
recording: ContextVar[bool] = ContextVar("recording", default=True)


class Leaf:
    """Where a gradient ends: the accumulator of a tensor that asked for one.

    `changed` is the moment at which the data was last overwritten; an older node that still needs it is stale.
    """

    __slots__ = ("changed", "dtype", "grad", "hooks", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = shape, dtype
        self.changed = 0
        self.grad: Any = None
        self.hooks: tuple[Hook, ...] = ()


class Node:
    """One operation that was carried out: its op, the edges of its inputs, and what its rules will ask for."""

    __slots__ = ("dtype", "edges", "grad", "hooks", "number", "op", "saved", "shape")

    def __init__(
        self, op: Op | None, edges: dict[str, Any], saved: dict[str, Any], shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self.op, self.edges, self.saved, self.shape, self.dtype = op, edges, saved, shape, dtype
        self.number = now()
        self.grad: Any = None
        self.hooks: tuple[Hook, ...] = ()

    def free(self) -> None:
        """Let go of the inputs and of all saved values; only the fact remains that something was here."""
        self.op, self.edges, self.saved = None, {}, {}


Edge = Leaf | Node


def walk(
    root: Edge, seed: Gradient, *, wrt: Iterable[Node] = (), retain_graph: bool = False, create_graph: bool = False
) -> dict[Edge, Gradient]:
    """Send `seed` from `root` back, newest node first; return the gradients that arrived at leaves and at `wrt`.

    A node is newer than all its inputs, so when it is taken everything that will flow into it has arrived. With `wrt`
    the walk ends at these nodes and touches nothing older. No leaf is written: that is for the caller to do, at once.
    """
    ends = frozenset(wrt)
    oldest = min((end.number for end in ends), default=0)
    arrived: dict[Edge, Gradient] = {root: seed}
    queue = [(-root.number, root)] if isinstance(root, Node) else []
    token = recording.set(create_graph)
    try:
        with np.errstate(all="ignore"):
            while queue and -queue[0][0] >= oldest:
                node = heappop(queue)[1]
                if node.hooks:
                    arrived[node] = call_hooks(node, arrived[node])
                if node in ends:
                    continue
                if node.op is None:
                    raise GradientError(
                        f"backward: expected a whole graph, got one of which a part (the value of shape {node.shape}) "
                        "was consumed by an earlier backward; compute it again, or say retain_graph=True the first time"
                    )
                for edge, part in node.op.gradients(node, arrived.pop(node), create_graph):
                    if edge in arrived:
                        arrived[edge] = arrived[edge] + part
                    else:
                        arrived[edge] = part
                        if isinstance(edge, Node):
                            heappush(queue, (-edge.number, edge))
                if not retain_graph:
                    node.free()
            for edge in arrived:
                if edge.hooks and isinstance(edge, Leaf):
                    arrived[edge] = call_hooks(edge, arrived[edge])
    finally:
        recording.reset(token)
    return arrived


def keep_gradient(gradient: Any) -> None:
    """A hook that does nothing itself: `call_hooks` stores what it is shown in the `grad` of the edge."""


def call_hooks(edge: Edge, g: Gradient) -> Gradient:
    """Show a complete gradient to the hooks of its edge; each may return another one, of the same shape."""
    from minigrad.engine.tensor import Tensor

    for hook in edge.hooks:
        given = g if isinstance(g, Tensor) else Tensor(np.array(g))
        if hook is keep_gradient:
            edge.grad = given if edge.grad is None else edge.grad + given
            continue
        answer = hook(given)
        if answer is None:
            continue
        if np.shape(answer) != edge.shape:
            raise GradientError(
                f"register_hook: expected the hook to return a gradient of shape {edge.shape} or None, got "
                f"{type(answer).__name__} of shape {np.shape(answer)}; return the gradient that is to flow on"
            )
        answer = answer if isinstance(answer, Tensor) else Tensor(np.array(answer, edge.dtype))
        g = answer if isinstance(g, Tensor) else answer.data
    return g


@contextmanager
def no_grad() -> Iterator[None]:
    """Record nothing inside the block (or, as a decorator, inside the function): results are constants.

    The mode belongs to the thread or async task that sets it.
    """
    token = recording.set(False)
    try:
        yield
    finally:
        recording.reset(token)
