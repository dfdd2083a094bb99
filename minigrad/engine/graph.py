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

from minigrad.engine import debug, guards

if TYPE_CHECKING:
    from minigrad.engine.op import Op

Array = np.ndarray[Any, np.dtype[Any]]
Gradient = Any  # an ndarray, or under create_graph a Tensor
Hook = Callable[[Any], Any]

now = itertools.count(1).__next__  # numbers nodes, and changes of leaves, in the order in which they happen
IN_RULES = "rules"  # the mode while rules record themselves, under create_graph
recording: ContextVar[Any] = ContextVar("recording", default=True)


class Leaf:
    """Where a gradient ends: the accumulator of a tensor that asked for one.

    `changed` is the moment at which the data was last overwritten; an older node that still needs it is stale. `used`
    says that an optimizer has taken a step with `grad`: to add to it now would take that step a second time.
    """

    __slots__ = ("changed", "dtype", "grad", "hooks", "shape", "used")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = shape, dtype
        self.changed, self.used = 0, False
        self.grad: Any = None
        self.hooks: tuple[Hook, ...] = ()


class Node:
    """One operation that was carried out: its op, the edges of its inputs, and what its rules will ask for.

    `edges` has one for each argument of the op, in order: None where it is constant, a tuple where it is a sequence.
    """

    __slots__ = ("dtype", "edges", "grad", "hooks", "number", "op", "saved", "shape")

    def __init__(
        self, op: Op | None, edges: tuple[Any, ...], saved: dict[str, Any], shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self.op, self.edges, self.saved = op, edges, saved
        self.shape, self.dtype, self.number = shape, dtype, now()
        self.grad: Any = None
        self.hooks: tuple[Hook, ...] = ()

    def free(self) -> None:
        """Let go of the inputs and of all saved values; only the fact remains that something was here."""
        self.op, self.edges, self.saved = None, (), {}

    def inputs(self) -> Iterator[tuple[str, Edge]]:
        """Argument and edge of each recorded input, the members of a sequence one by one."""
        for arg, edge in zip(self.op.args if self.op else (), self.edges):
            for one in edge if isinstance(edge, tuple) else (edge,):
                if one is not None:
                    yield arg, one


Edge = Leaf | Node


def source(edge: Any) -> Any:
    """The edge of the value that this one is a view of; the edge itself if it is none."""
    while isinstance(edge, Node) and edge.op is not None and edge.op.view and edge.edges:
        edge = edge.edges[0]
    return edge


@np.errstate(all="ignore")  # what is not finite shows in the gradient
def walk(
    root: Edge, seed: Gradient, *, wrt: Iterable[Node] = (), retain_graph: bool = False, create_graph: bool = False
) -> dict[Edge, Gradient]:
    """Send `seed` from `root` back, newest node first; return the gradients that arrived at leaves and at `wrt`.

    A node is newer than all its inputs, so when it is taken everything that will flow into it has arrived. With `wrt`
    the walk ends at these nodes and touches nothing older. No leaf is written: that is for the caller to do, at once.
    """
    ends = frozenset(wrt)
    oldest = min([end.number for end in ends]) if ends else 0
    arrived: dict[Edge, Gradient] = {root: seed}
    queue = [(-root.number, root)] if isinstance(root, Node) else []
    watched = debug.watching.get()
    token = recording.set(IN_RULES if create_graph else False)
    try:
        while queue:
            node = heappop(queue)[1]
            if node.number < oldest:
                break
            if node.hooks:
                arrived[node] = call_hooks(node, arrived[node])
            if node in ends:
                continue
            if node.op is None:
                raise guards.consumed(node)
            gradients = debug.look_back if watched else node.op.gradients
            for edge, part in gradients(node, arrived.pop(node), create_graph):
                if edge in arrived:
                    arrived[edge] = arrived[edge] + part
                else:
                    arrived[edge] = part
                    if isinstance(edge, Node):
                        heappush(queue, (-edge.number, edge))
            if not retain_graph:
                node.free()
        for edge in arrived:
            if edge.hooks and isinstance(edge, Leaf) and not ends:  # a walk to certain nodes is no backward pass
                arrived[edge] = call_hooks(edge, arrived[edge])
    finally:
        recording.reset(token)
    return arrived


def keep_gradient(gradient: Any) -> None:
    """A hook that does nothing itself: `call_hooks` stores what it is shown in the `grad` of the edge."""


def call_hooks(edge: Edge, g: Gradient) -> Gradient:
    """Show a complete gradient to the hooks of its edge; each may return another one, of the same shape."""
    from minigrad.engine.tensor import Tensor

    plain, mode = not isinstance(g, Tensor), recording.get()
    recording.set(bool(mode))  # a hook is no rule: it may look at numbers
    for hook in edge.hooks:
        given = Tensor(np.array(g)) if plain else g
        if hook is keep_gradient:
            edge.grad = given if edge.grad is None else edge.grad + given
        elif (answer := hook(given)) is not None:
            g = guards.answer_of_hook(answer, edge)
            g = g.data if plain else g
    recording.set(mode)
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
