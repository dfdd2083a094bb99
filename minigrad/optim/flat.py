"""Flat buffers: the parameters of a group side by side in one array, so that a step is a handful of NumPy calls."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from minigrad.engine.graph import now
from minigrad.engine.tensor import Tensor

Array = Any
BLOCK = 1 << 17  # entries that are updated at once: fewer calls weigh more than the nearest cache, a last cache less


class Flat:
    """Parameters of one dtype in one buffer, with gradients, the last update and state beside it.

    Attributes:
        params: the tensors; their arrays are views of `data`.
        slices: where each of them lies in every buffer.
        book: (3, entries): gradients, what the last step took away, and values.
        grads, delta, data: its rows.
        state: further buffers, by name, that an update rule keeps.
        steps: how often each parameter was updated.
    """

    def __init__(self, params: list[Tensor], state: Iterable[str]) -> None:
        self.params = params
        ends = np.cumsum([p.size for p in params]).tolist()
        self.slices = [slice(end - p.size, end) for p, end in zip(params, ends, strict=True)]
        self.book = np.zeros((3, ends[-1]), params[0].dtype)
        self.grads, self.delta, self.data = self.book
        self.state = {name: np.zeros_like(self.data) for name in state}
        self.steps = [0] * len(params)

    def adopt(self) -> None:
        """Make each parameter a view of the buffer, if it is none (any more)."""
        for p, part in zip(self.params, self.slices, strict=True):
            if p._data.base is not self.book:
                view = self.data[part].reshape(p.shape)
                np.copyto(view, p._data)
                p._data = view

    def gather(self) -> list[int]:
        """Copy the gradients into their buffer and mark them as used; return which parameters have one."""
        edges: list[Any] = [p.edge for p in self.params]
        grads = [edge.grad for edge in edges]
        for edge in edges:
            edge.used = True  # until the gradient is forgotten, or set by hand
        present = [i for i, g in enumerate(grads) if g is not None]
        if len(present) == len(grads):
            np.concatenate([g._data.reshape(-1) for g in grads], out=self.grads)
            return present
        self.grads.fill(0)
        self.delta.fill(0)
        for i in present:
            self.grads[self.slices[i]] = grads[i]._data.reshape(-1)
        return present

    def parts(self, present: list[int]) -> Iterator[tuple[slice, int]]:
        """The slices that one call of the rule may update, with the count of steps: as much as a cache holds."""
        for i in present:
            self.steps[i] += 1
        if len(present) == len(self.params) and min(self.steps) == max(self.steps):
            yield from ((slice(i, i + BLOCK), self.steps[0]) for i in range(0, len(self.data), BLOCK))
        else:
            yield from ((self.slices[i], self.steps[i]) for i in present)

    def apply(self, part: slice) -> None:
        """θ ← θ − δ."""
        data = self.data[part]
        np.subtract(data, self.delta[part], out=data)

    def changed(self) -> None:
        """Tell the graph that the values are no longer those that it saw."""
        moment = now()
        for p in self.params:
            p.edge.changed = moment  # type: ignore[union-attr]  # a parameter is a leaf

    def views(self, buffer: Array) -> list[Array]:
        """The parts of a buffer, in the shapes of the parameters."""
        return [buffer[part].reshape(p.shape) for p, part in zip(self.params, self.slices, strict=True)]

    def norms(self) -> list[float]:
        """‖g‖ of each parameter, scaled so that no square overflows or vanishes."""
        return [_norm(self.grads[part]) for part in self.slices]


def _norm(g: Array) -> float:
    top = float(np.max(np.abs(g), initial=0))
    if top == 0 or not math.isfinite(top):
        return top
    return top * math.sqrt(float(np.sum(np.square(g / top, dtype=np.float64))))
