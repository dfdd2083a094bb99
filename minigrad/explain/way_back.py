"""The way back: how the gradient of each sample of a batch passes the modules of a network.

A gradient is carried as a length and a direction u. A module turns u into Jᵀu; the length of that is the module's
*factor*, and the length of the gradient is multiplied by it. So what reaches the input is the start times every factor.
All samples walk at once, one row each: that is how one knows what share of a layer's gradient one of them owns.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from minigrad import nn
from minigrad.engine.graph import no_grad
from minigrad.engine.tensor import Tensor

Array = Any
ROWS = (nn.Softmax, nn.LogSoftmax)  # activations that mix the entries of a row
ACTIVATIONS = {kind.forward for kind in nn.ACTIVATIONS.values() if kind not in ROWS}


# --- the modules ------------------------------------------------------------------------------------------------------
def double(model: nn.Module) -> nn.Module:
    """A copy of the model in float64 that is being used, not trained."""
    wide = {
        id(t): Tensor(t.data.astype(np.float64), requires_grad=t.requires_grad)
        for _, t in model._tensors()
        if t.dtype.kind == "f"
    }
    return copy.deepcopy(model, wide).eval()  # what deepcopy finds among the copies it takes as copied


def chain_of(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules of a chain with their names; a module that is no chain is a chain of one."""
    labels = nn.labels(model)
    names = {id(module): labels[path] for path, module in model.named_modules() if labels.get(path)}
    flat = list(_flat(model))
    if not flat:
        raise ValueError(f"trace: expected a model with modules, got {model!r:.60}; MLP(2, 16, 1, rng=0) has some")
    return [(names.get(id(m)) or f"{type(m).__name__.lower()} {k}", m) for k, m in enumerate(flat, 1)]


def _flat(model: nn.Module) -> Iterator[nn.Module]:
    if not is_chain(model):
        yield model
        return
    for module in model.layers:
        yield from _flat(module)


def is_chain(model: nn.Module) -> TypeGuard[nn.Sequential]:
    """Whether it applies its modules one after the other."""
    return type(model).forward is nn.Sequential.forward


def is_linear(module: nn.Module) -> TypeGuard[nn.Linear]:
    """Whether it is x @ weight + bias."""
    return type(module).forward is nn.Linear.forward


def is_activation(module: nn.Module) -> bool:
    """Whether it is a function of each entry by itself."""
    return type(module).forward in ACTIVATIONS


# --- steps ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Step:
    """One module on the way back, all samples at once: `inputs` go in; length · u is the gradient that arrives.

    Attributes:
        name: of the module, for people.
        module: the module.
        inputs: what it was called with.
        length: ‖g‖ of each sample (n,), g = ∂ℓ/∂(output).
        u: g/‖g‖.
        factor: ‖Jᵀu‖ of each sample.
        handed_on: whether what leaves here is all that arrives at the next step.
    """

    name: str
    module: nn.Module
    inputs: tuple[Any, ...]
    length: Array
    u: Array
    factor: Array
    handed_on: bool = True

    @property
    def h(self) -> Array:
        """The input."""
        return self.inputs[0]


class Chain:
    """A model that is a chain: x, the output of every module, and the way back through them."""

    direct = True

    def __init__(self, model: nn.Module, x: Array) -> None:
        self.modules, self.states = chain_of(model), [x]
        with no_grad():
            for _, module in self.modules:
                self.states.append(module(Tensor(self.states[-1])).data)
        self.out = self.states[-1]

    def back(self, delta: Array) -> list[Step]:
        """The steps from the loss to the input; delta: ∂ℓ/∂out, a row for each sample."""
        steps, (length, u) = [], polar(delta)
        for (name, module), h in zip(reversed(self.modules), reversed(self.states[:-1]), strict=True):
            factor, ahead = polar(_back(module, h, u))
            steps.append(Step(name, module, (h,), length, u, factor))
            length, u = length * factor, ahead
        return steps


def polar(g: Array) -> tuple[Array, Array]:
    """Length and direction of each row; a row of zeros has direction 0."""
    length = lengths(g)
    return length, g / np.where(length > 0, length, 1).reshape(-1, *[1] * (g.ndim - 1))


def lengths(g: Array) -> Array:
    """‖g‖ of each row; it squares nothing, so that 1e-200 has a length too."""
    return np.hypot.reduce(g.reshape(len(g), -1), 1)


def _back(module: nn.Module, h: Array, u: Array) -> Array:
    """Jᵀu at h: W u of a linear module, φ′(h)∘u of an activation."""
    if is_linear(module):
        return u @ module.weight.data.T
    return slopes(module, h) * u if is_activation(module) else vjp(module, (h,), u)[0]


def slopes(activation: nn.Module, z: Array) -> Array:
    """φ′(z), entry by entry."""
    return vjp(activation, (z,), np.ones_like(z))[0]


def vjp(function: Callable[..., Any], inputs: Sequence[Any], u: Array) -> list[Array]:
    """Jᵀu for every array among the inputs, by a backward pass through this function alone."""
    starts = [Tensor(h, requires_grad=True) if isinstance(h, np.ndarray) else h for h in inputs]
    out = function(*starts)
    if out.requires_grad:
        out.backward(u)
    found = [start for start in starts if isinstance(start, Tensor)]
    return [np.zeros(start.shape) if start.grad is None else start.grad.data for start in found]


def at_input(model: nn.Module, x: Array, delta: Array) -> Array:
    """∂ℓⱼ/∂xⱼ of all samples, by one backward pass through the whole model."""
    return vjp(model, (x,), delta)[0]


# --- what a layer's parameters receive --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Received:
    """∂ℓⱼ/∂θ of one module, for every sample j.

    Attributes:
        weight: ‖∂ℓⱼ/∂W‖, or the norm over all parameters.
        bias: ‖∂ℓⱼ/∂b‖, or None.
        share: of the sum of all norms; None if that is 0.
        pull: ⟨∂ℓⱼ/∂θ, G⟩/‖G‖² with G = Σⱼ∂ℓⱼ/∂θ; None if G = 0.
    """

    weight: Array
    bias: Array | None
    share: Array | None
    pull: Array | None

    @property
    def size(self) -> Array:
        """‖∂ℓⱼ/∂θ‖ over all parameters of the module."""
        return self.weight if self.bias is None else np.hypot(self.weight, self.bias)


def received(step: Step) -> Received | None:
    """What reaches the parameters of this module; None if it has none."""
    if not step.module.parameters():
        return None
    loudness = step.length / (step.length.max() or 1)  # shares and pulls know no unit, and squares must not vanish
    weight, bias, inner = (_linear_shares if is_linear(step.module) else _module_shares)(step, loudness)
    size = (weight if bias is None else np.hypot(weight, bias)) * loudness
    return Received(
        weight=weight * step.length,
        bias=None if bias is None else bias * step.length,
        share=size / size.sum() if size.any() else None,
        pull=inner / inner.sum() if inner.any() else None,  # Σⱼ ⟨∂ℓⱼ/∂θ, G⟩ = ‖G‖²
    )


def _linear_shares(step: Step, loudness: Array) -> tuple[Array, Array | None, Array]:
    """∂ℓ/∂W = hᵀg and ∂ℓ/∂b = Σg, over the rows of a sample: as a rule there is one, and ‖hᵀg‖ = ‖h‖‖g‖."""
    reach = np.abs(step.h).max() or 1.0  # of the inputs: no square of theirs shall overflow or vanish
    h, u = (part.reshape(len(part), -1, part.shape[-1]) for part in (step.h / reach, step.u))
    g = u * loudness[:, None, None]
    alone = h.shape[1] == 1
    weight = lengths(h) if alone else np.array([np.linalg.norm(h[j].T @ u[j]) for j in range(len(h))])
    inner = ((h @ np.tensordot(h, g, ((0, 1), (0, 1)))) * g).sum((1, 2))
    if getattr(step.module, "bias", None) is None:
        return weight * reach, None, inner
    large = max(reach, 1.0)
    inner = inner * (reach / large) ** 2 + g.sum(1) @ g.sum((0, 1)) / large / large
    return weight * reach, np.linalg.norm(u.sum(1), axis=1), inner


def _module_shares(step: Step, loudness: Array) -> tuple[Array, None, Array]:
    """The same of any module, by one backward pass for each sample."""
    each = np.stack([_parameter_gradient(step, [j]) for j in range(len(step.u))])
    size = lengths(each)
    reach = size.max() or 1.0
    g = each / reach * loudness[:, None]
    return size, None, g @ g.sum(0)


def _parameter_gradient(step: Step, rows: list[int]) -> Array:
    parameters = step.module.parameters()
    for parameter in parameters:
        parameter.grad = None
    out = step.module(*(Tensor(h[rows]) if isinstance(h, np.ndarray) else h for h in step.inputs))
    if out.requires_grad:
        out.backward(step.u[rows])
    return np.concatenate([np.zeros(p.size) if p.grad is None else p.grad.data.ravel() for p in parameters])
