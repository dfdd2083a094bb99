"""The way back: how the gradient of each sample of a batch passes the modules of a network.

A gradient is carried as a length and a direction u. A module turns u into Jᵀu; the length of that is the module's
*factor*, and the length of the gradient is multiplied by it. So what reaches the input is the start times every factor.
All samples walk at once, one row each: that is how one knows what share of a layer's gradient one of them owns.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from minigrad import nn
from minigrad.engine.graph import no_grad
from minigrad.engine.tensor import Tensor

Array = Any
ACTIVATIONS = {kind.forward for kind in (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Softplus)}


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
    names = {id(module): labels[path] for path, module in model.named_modules() if path in labels}
    flat = list(_flat(model))
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


def states_of(chain: Sequence[tuple[str, nn.Module]], x: Array) -> list[Array]:
    """x, and the output of every module."""
    states = [x]
    with no_grad():
        for _, module in chain:
            states.append(module(Tensor(states[-1])).data)
    return states


# --- the way back -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Step:
    """One module on the way back, all samples at once: h goes in; length · u is the gradient that arrives."""

    name: str
    module: nn.Module
    h: Array
    length: Array
    u: Array
    factor: Array


def way_back(chain: Sequence[tuple[str, nn.Module]], states: Sequence[Array], delta: Array) -> Iterator[Step]:
    """The steps from the loss to the input. states: x and the output of every module; delta: ∂ℓ/∂out, a row each."""
    length, u = polar(delta)
    for (name, module), h in zip(reversed(chain), reversed(states[:-1]), strict=True):
        factor, ahead = polar(_back(module, h, u))
        yield Step(name, module, h, length, u, factor)
        length, u = length * factor, ahead


def polar(g: Array) -> tuple[Array, Array]:
    """Length and direction of each row; a row of zeros has direction 0."""
    length = np.hypot.reduce(g.reshape(len(g), -1), 1)  # squares nothing: 1e-200 has a length too
    return length, g / np.where(length > 0, length, 1).reshape(-1, *[1] * (g.ndim - 1))


def _back(module: nn.Module, h: Array, u: Array) -> Array:
    """Jᵀu at h: W u of a linear module, φ′(h)∘u of an activation."""
    if is_linear(module):
        return u @ module.weight.data.T
    return slopes(module, h) * u if is_activation(module) else _vjp(module, h, u)


def slopes(activation: nn.Module, z: Array) -> Array:
    """φ′(z), entry by entry."""
    return _vjp(activation, z, np.ones_like(z))


def _vjp(module: nn.Module, h: Array, u: Array) -> Array:
    """Jᵀu by a backward pass through this module alone."""
    start = Tensor(h, requires_grad=True)
    out = module(start)
    if out.requires_grad:
        out.backward(u)
    return np.zeros_like(h) if start.grad is None else start.grad.data


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
    h, u = (part.reshape(len(part), -1, part.shape[-1]) for part in (step.h, step.u))
    g = u * loudness[:, None, None]
    squares = ((h @ h.swapaxes(1, 2)) * (u @ u.swapaxes(1, 2))).sum((1, 2))  # ‖hᵀu‖² = Σ ⟨h_r, h_s⟩⟨u_r, u_s⟩
    inner = ((h @ np.tensordot(h, g, ((0, 1), (0, 1)))) * g).sum((1, 2))
    weight = np.sqrt(np.maximum(squares, 0))
    if getattr(step.module, "bias", None) is None:
        return weight, None, inner
    return weight, np.linalg.norm(u.sum(1), axis=1), inner + g.sum(1) @ g.sum((0, 1))


def _module_shares(step: Step, loudness: Array) -> tuple[Array, None, Array]:
    """The same of any module, by one backward pass for each sample."""
    each = np.stack([_parameter_gradient(step.module, step.h[[j]], step.u[[j]]) for j in range(len(step.h))])
    g = each * loudness[:, None]
    return np.linalg.norm(each, axis=1), None, g @ g.sum(0)


def _parameter_gradient(module: nn.Module, h: Array, u: Array) -> Array:
    parameters = module.parameters()
    for parameter in parameters:
        parameter.grad = None
    out = module(Tensor(h))
    if out.requires_grad:
        out.backward(u)
    return np.concatenate([np.zeros(p.size) if p.grad is None else p.grad.data.ravel() for p in parameters])
