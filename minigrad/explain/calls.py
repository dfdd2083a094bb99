"""The way back through a model that is no chain: its innermost modules in the order of their calls.

The paths of such a model part and meet, so what leaves one module need not be what arrives at the next. What arrives is
found by one backward pass through the whole; the factor of each module by a backward pass through it alone. Where a
module's input is the output of the module before it and goes nowhere else, the two must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.engine.graph import Node
from minigrad.engine.op import alias
from minigrad.engine.tensor import Tensor
from minigrad.explain.way_back import Chain, Step, is_activation, is_chain, is_linear, lengths, polar, vjp

Array = Any


def path_of(model: nn.Module, x: Array) -> Chain | Calls:
    """The way through a model: of a chain its modules, of another model the calls that it makes.

    What cannot be taken apart (a single module, calls whose arrays have no row for each sample) is a chain of one.
    """
    if is_chain(model) or is_linear(model) or is_activation(model):
        return Chain(model, x)
    calls = Calls(model, x)
    return calls if calls.usable else Chain(model, x)


@dataclass(frozen=True)
class Call:
    """One call of a module: what went in, and what came out, each as a node of its own in the graph."""

    name: str
    module: nn.Module
    inputs: tuple[Any, ...]
    out: Any

    @property
    def tensors(self) -> list[Tensor]:
        """The inputs through which gradients flow."""
        return [t for t in self.inputs if isinstance(t, Tensor) and t.requires_grad]

    def fits(self, n: int) -> bool:
        """Whether every array has a row for each of n samples."""
        arrays = [self.out, *(t for t in self.inputs if isinstance(t, (Tensor, np.ndarray)))]
        return bool(self.tensors) and all(getattr(t, "shape", ())[:1] == (n,) for t in arrays)


class Calls:
    """A model that is no chain: its outputs, its calls, and the way back through them.

    Attributes:
        out: the outputs.
        direct: whether the last call returns them.
    """

    def __init__(self, model: nn.Module, x: Array) -> None:
        self.model, self.x, self.direct = model, x, False
        _, out, calls = self._run()
        self.out = out.data if isinstance(out, Tensor) else np.asarray(out)
        self.usable = len(calls) > 1 and all(call.fits(len(x)) for call in calls)

    def _run(self) -> tuple[Tensor, Any, list[Call]]:
        start, calls = Tensor(self.x, requires_grad=True), list[Call]()
        with _overheard(self.model, calls):
            return start, self.model(start), calls

    def back(self, delta: Array) -> list[Step]:
        """The steps from the loss to the input; delta: ∂ℓ/∂out, a row for each sample."""
        start, out, calls = self._run()
        self.direct = out.edge is calls[-1].out.edge
        for call in calls:
            call.out.retain_grad()
        before = [*calls[-2::-1], None]
        single = [_single(call, last, start, out) for call, last in zip(reversed(calls), before, strict=True)]
        whole = _uses(out.edge)
        handed_on = [edge is not None and whole.get(edge) == 1 for edge in single]
        if out.requires_grad:
            out.backward(delta)
        return [_step(call, one) for call, one in zip(reversed(calls), handed_on, strict=True)]


def _single(call: Call, last: Call | None, start: Tensor, out: Any) -> Any:
    """The edge from which this call alone takes its input: the output of the call before it, or x."""
    source = start if last is None else last.out
    came = [_before(t) for t in call.tensors]
    return source.edge if came == [source.edge] else None


def _before(t: Tensor) -> Any:
    """The edge of which this one is the alias."""
    return t.edge.edges[0] if isinstance(t.edge, Node) else None


def _uses(root: Any) -> dict[Any, int]:
    """How often each edge of a graph is an input."""
    count: dict[Any, int] = {root: 0}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        for _, edge in node.inputs() if isinstance(node, Node) else ():
            if edge not in count:
                waiting.append(edge)
            count[edge] = count.get(edge, 0) + 1
    return count


def _step(call: Call, handed_on: bool) -> Step:
    inputs = tuple(t.data if isinstance(t, Tensor) else t for t in call.inputs)
    places = [i for i, t in enumerate(call.inputs) if isinstance(t, Tensor) and t.requires_grad]

    def alone(*given: Any) -> Any:
        return call.module(*(given[places.index(i)] if i in places else t for i, t in enumerate(inputs)))

    length, u = polar(np.zeros(call.out.shape) if call.out.grad is None else call.out.grad.data)
    parts = [part.reshape(len(u), -1) for part in vjp(alone, [inputs[i] for i in places], u)]
    return Step(call.name, call.module, inputs, length, u, lengths(np.concatenate(parts, 1)), handed_on)


# --- listening --------------------------------------------------------------------------------------------------------
@contextmanager
def _overheard(model: nn.Module, calls: list[Call]) -> Iterator[None]:
    """A block in which every call of an innermost module of this model is written down. The model is a copy of ours."""
    labels = nn.labels(model)
    inner = {id(module): (labels[path], module) for path, module in model.named_modules() if labels.get(path)}
    try:
        for name, module in inner.values():
            vars(module)["forward"] = _recorder(name, module, calls)
        yield
    finally:
        for _, module in inner.values():
            vars(module).pop("forward", None)


def _recorder(name: str, module: nn.Module, calls: list[Call]) -> Callable[..., Any]:
    forward, made = module.forward, [0]

    def call(*inputs: Any, **options: Any) -> Any:
        inputs = tuple(alias(t) if isinstance(t, Tensor) and t.requires_grad else t for t in inputs)
        out = forward(*inputs, **options)
        made[0] += 1
        said = name if made[0] == 1 else f"{name}, call {made[0]}"
        if isinstance(out, Tensor) and not options:
            out = alias(out)
        calls.append(Call(said, module, inputs, None if options else out))
        return out

    return call
