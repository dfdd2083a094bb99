"""The graph of a tensor as a record: operations and leaves, their values where they are known, what flows back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minigrad.engine.errors import GradientError
from minigrad.engine.graph import Leaf, Node, recording
from minigrad.engine.tensor import Tensor

Array = Any


@dataclass(frozen=True)
class Link:
    """An input of an operation.

    Attributes:
        arg: which argument of the operation it is.
        source: the box that it comes from.
        factor: ‖gradient handed to it‖ / ‖gradient that arrived at the operation‖; None before a backward.
    """

    arg: str
    source: int
    factor: float | None = None


@dataclass(frozen=True)
class Box:
    """A leaf, an operation, or several operations folded into one box.

    Attributes:
        name: of the operation; of a leaf the argument that it is used for.
        leaf: whether gradients end here.
        shape: of the value.
        value: the value, where it is still known.
        gradient: ‖∂root/∂value‖; None before a backward.
        links: the inputs through which gradients flow.
        folded: leaves that were folded into this box, such as "weight (64, 10)".
    """

    name: str
    leaf: bool
    shape: tuple[int, ...]
    value: Array | None
    gradient: float | None
    links: tuple[Link, ...]
    folded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tape:
    """A graph, the root first and every box before its inputs."""

    boxes: tuple[Box, ...]

    @property
    def operations(self) -> int:
        """How many boxes are no leaves."""
        return sum(not box.leaf for box in self.boxes)


def tape(root: Tensor) -> Tape:
    """The graph that ends in a tensor, with gradients if a backward has reached its leaves.

    Raises:
        TypeError: it is no Tensor.
        GradientError: it is a constant, or its graph was consumed.
    """
    if not isinstance(root, Tensor):
        raise TypeError(
            f"graph: expected a Tensor, got {root!r:.60}; give the loss that was computed, loss(model(X), y)"
        )
    if root.edge is None:
        raise GradientError(
            "graph: expected a tensor that requires gradients, got a constant; compute it outside of no_grad()"
        )
    edges = _reachable(root.edge)
    if any(isinstance(edge, Node) and edge.op is None for edge in edges):
        raise GradientError(
            "graph: expected a whole graph, got one that a backward has consumed; say backward(retain_graph=True), "
            "or draw it before"
        )
    number = {edge: k for k, edge in enumerate(edges)}
    known = {root.edge: root.data} | _values(edges)
    flows = _flows(root, edges) if any(isinstance(edge, Leaf) and edge.grad is not None for edge in edges) else {}
    names = {edge: arg for node in reversed(edges) for arg, edge in _inputs(node)}
    return Tape(tuple(_box(edge, number, names.get(edge, "leaf"), known.get(edge), flows) for edge in edges))


def _reachable(root: Any) -> list[Any]:
    """All edges, newest first; leaves right behind the newest operation that uses them."""
    found: dict[Any, None] = {}
    nodes, waiting = {root}, [root]
    while waiting:
        for _, edge in _inputs(waiting.pop()):
            if edge not in nodes:
                nodes.add(edge)
                waiting.append(edge)
    for node in sorted((edge for edge in nodes if isinstance(edge, Node)), key=lambda node: -node.number):
        found[node] = None
        found.update((edge, None) for _, edge in _inputs(node) if isinstance(edge, Leaf))
    return list(found) or [root]


def _inputs(edge: Any) -> Iterator[tuple[str, Any]]:
    """(argument, edge) of every recorded input."""
    for arg, found in zip(edge.op.args, edge.edges) if isinstance(edge, Node) and edge.op else ():
        if isinstance(found, tuple):
            yield from ((f"{arg}[{k}]", one) for k, one in enumerate(found) if one is not None)
        elif found is not None:
            yield arg, found


def _values(edges: list[Any]) -> dict[Any, Array]:
    """Values that operations keep for their rules: those of their inputs, and their own results."""
    found: dict[Any, Array] = {}
    for node in edges:
        saved = getattr(node, "saved", {})
        if isinstance(saved.get("out"), np.ndarray):
            found[node] = saved["out"]
        found.update((edge, saved[arg]) for arg, edge in _inputs(node) if isinstance(saved.get(arg), np.ndarray))
    return found


def _flows(root: Tensor, edges: list[Any]) -> dict[Any, Any]:
    """What a backward pass sends: by edge the gradient, by (operation, input) the length of what is handed on."""
    flows: dict[Any, Any] = {root.edge: np.ones(root.shape, root.dtype)}
    token = recording.set(False)
    try:
        for node in edges:
            if isinstance(node, Node) and node.op is not None and node in flows:
                for edge, part in node.op.gradients(node, flows[node], False):
                    flows[edge] = flows[edge] + part if edge in flows else part
                    flows[node, edge] = float(np.hypot(flows.get((node, edge), 0.0), np.linalg.norm(part)))
    finally:
        recording.reset(token)
    return flows


def _box(edge: Any, number: dict[Any, int], name: str, value: Array | None, flows: dict[Any, Any]) -> Box:
    gradient = float(np.linalg.norm(flows[edge])) if edge in flows else None
    links = tuple(
        Link(arg, number[one], flows[edge, one] / gradient if gradient and (edge, one) in flows else None)
        for arg, one in _inputs(edge)
    )
    leaf = isinstance(edge, Leaf)
    return Box(name if leaf else edge.op.name, leaf, edge.shape, value, gradient, links)


# --- fewer boxes ------------------------------------------------------------------------------------------------------
def folded(whole: Tape) -> Tape:
    """The same graph with leaves inside the operations that use them, and runs of operations in one box."""
    boxes = dict(enumerate(whole.boxes))
    users: dict[int, list[int]] = {k: [] for k in boxes}
    for k, box in boxes.items():
        for link in box.links:
            users[link.source].append(k)
    for k in [k for k, box in boxes.items() if box.leaf and len(users[k]) == 1 and len(boxes) > 1]:
        boxes[users[k][0]] = _without(boxes[users[k][0]], k, boxes.pop(k))
    for k in list(boxes):
        if k not in boxes or boxes[k].leaf:
            continue
        while len(boxes[k].links) == 1 and not boxes[k].folded:
            below = boxes[k].links[0].source
            if boxes[below].leaf or len(users[below]) > 1:
                break
            boxes[k] = _joined(boxes[k], boxes.pop(below))
    order = {k: place for place, k in enumerate(boxes)}
    return Tape(
        tuple(
            replace(box, links=tuple(replace(l, source=order[l.source]) for l in box.links)) for box in boxes.values()
        )
    )


def _without(box: Box, source: int, leaf: Box) -> Box:
    """An operation that holds one of its leaves inside."""
    links = tuple(link for link in box.links if link.source != source)
    return replace(box, links=links, folded=(*box.folded, f"{leaf.name} {leaf.shape}"))


def _joined(box: Box, below: Box) -> Box:
    """Two operations, one behind the other, in one box."""
    factor = box.links[0].factor
    links = tuple(
        replace(link, factor=None if factor is None or link.factor is None else factor * link.factor)
        for link in below.links
    )
    return replace(box, name=f"{below.name} → {box.name}", links=links, folded=below.folded)
