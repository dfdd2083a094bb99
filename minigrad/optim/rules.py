"""The update rules: each class is one equation, written for an array of any length.

A step takes δ from θ. λ is `weight_decay`, t the number of the step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from minigrad.nn.arguments import asked
from minigrad.optim.flat import Array, Flat
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.schedules import Schedule

Rate = float | Schedule


def _decayed(flat: Flat, part: slice, options: dict[str, Any]) -> Array:
    """The gradient with its decay: g + λθ."""
    g, decay = flat.grads[part], options["weight_decay"]
    return g + decay * flat.data[part] if decay else g


class SGD(Optimizer):
    """g ← g + λθ; b ← μb + g; δ = lr·b, or with Nesterov δ = lr·(g + μb).

    Args:
        params: tensors, or groups: dicts with "params" and options that differ.
        lr: the learning rate, > 0, or a schedule.
        momentum: μ in [0, 1).
        nesterov: look ahead by one step of momentum.
        weight_decay: λ ≥ 0, added to the gradient (L2).
        clip_norm: the largest norm of all gradients together, or None.
        clip_value: the largest size of an entry of a gradient, or None.

    Robbins, Monro 1951, doi:10.1214/aoms/1177729586; Polyak 1964, doi:10.1016/0041-5553(64)90137-5; Sutskever, Martens,
    Dahl, Hinton 2013 (Nesterov).
    """

    state = ("velocity",)

    @asked("SGD(model.parameters(), lr=0.1)")
    def __init__(
        self, params: Iterable[Any], lr: Rate = 1e-2, momentum: float = 0.0, nesterov: bool = False,
        weight_decay: float = 0.0, *, clip_norm: float | None = None, clip_value: float | None = None,
    ) -> None:  # fmt: skip
        if nesterov and not momentum:
            raise ValueError("SGD: expected momentum > 0 for nesterov=True, got momentum 0; say momentum=0.9")
        options = {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}
        super().__init__(params, options, clip_norm, clip_value)

    def update(self, flat: Flat, part: slice, t: int, lr: float, options: dict[str, Any]) -> None:
        """The rule of the class."""
        g, momentum = _decayed(flat, part, options), options["momentum"]
        if momentum:
            b = flat.state["velocity"][part]
            np.multiply(b, momentum, out=b)
            np.add(b, g, out=b)
            g = g + momentum * b if options["nesterov"] else b
        np.multiply(g, lr, out=flat.delta[part])


class Adam(Optimizer):
    """δ = lr·m̂/(√v̂ + ε), with running means m of the gradient and v of its square.

    g ← g + λθ; m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; m̂ = m/(1−β₁ᵗ); v̂ = v/(1−β₂ᵗ). What is kept are the sums
    M = m/(1−β₁) and V = v/(1−β₂), which spares two passes over the arrays: M ← β₁M + g, V ← β₂V + g², and

        δ = (c₁/c₂)·lr·M/(√V + ε/c₂),  c₁ = (1−β₁)/(1−β₁ᵗ),  c₂ = √((1−β₂)/(1−β₂ᵗ)).

    Args:
        params: tensors, or groups: dicts with "params" and options that differ.
        lr: the learning rate, > 0, or a schedule.
        betas: β₁, β₂ in [0, 1).
        eps: ε > 0.
        weight_decay: λ ≥ 0, added to the gradient (L2).
        clip_norm: the largest norm of all gradients together, or None.
        clip_value: the largest size of an entry of a gradient, or None.

    Kingma, Ba 2015, arXiv:1412.6980.
    """

    state = ("first", "second")

    @asked("Adam(model.parameters(), lr=1e-3)")
    def __init__(
        self, params: Iterable[Any], lr: Rate = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.0, *, clip_norm: float | None = None, clip_value: float | None = None,
    ) -> None:  # fmt: skip
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, options, clip_norm, clip_value)

    def update(self, flat: Flat, part: slice, t: int, lr: float, options: dict[str, Any]) -> None:
        """The rule of the class."""
        self._adapted(flat, part, t, lr, options, _decayed(flat, part, options))

    def _adapted(self, flat: Flat, part: slice, t: int, lr: float, options: dict[str, Any], g: Array) -> None:
        first, second, delta = flat.state["first"][part], flat.state["second"][part], flat.delta[part]
        beta1, beta2 = options["betas"]
        c1 = (1 - beta1) / (1 - beta1**t)
        c2 = math.sqrt((1 - beta2) / (1 - beta2**t))
        np.multiply(first, beta1, out=first)
        np.add(first, g, out=first)
        np.multiply(g, g, out=delta)
        np.multiply(second, beta2, out=second)
        np.add(second, delta, out=second)
        np.sqrt(second, out=delta)
        np.add(delta, options["eps"] / c2, out=delta)
        np.divide(first, delta, out=delta)
        np.multiply(delta, lr * c1 / c2, out=delta)


class AdamW(Adam):
    """δ = lr·(m̂/(√v̂ + ε) + λθ): as Adam, but λ shrinks the parameters themselves, whatever their gradients.

    Args: as Adam; `weight_decay` is 0.01 unless said.

    Loshchilov, Hutter 2019, arXiv:1711.05101.
    """

    @asked("AdamW(model.parameters(), lr=1e-3)")
    def __init__(
        self, params: Iterable[Any], lr: Rate = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, *, clip_norm: float | None = None, clip_value: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, clip_norm=clip_norm, clip_value=clip_value)

    def update(self, flat: Flat, part: slice, t: int, lr: float, options: dict[str, Any]) -> None:
        """The rule of the class."""
        delta = flat.delta[part]
        self._adapted(flat, part, t, lr, options, flat.grads[part])
        np.add(delta, lr * options["weight_decay"] * flat.data[part], out=delta)


class RMSprop(Optimizer):
    """g ← g + λθ; v ← αv + (1−α)g²; b ← μb + g/(√v + ε); δ = lr·b.

    Args:
        params: tensors, or groups: dicts with "params" and options that differ.
        lr: the learning rate, > 0, or a schedule.
        alpha: α in [0, 1).
        eps: ε > 0.
        momentum: μ in [0, 1).
        weight_decay: λ ≥ 0, added to the gradient (L2).
        clip_norm: the largest norm of all gradients together, or None.
        clip_value: the largest size of an entry of a gradient, or None.

    Tieleman, Hinton 2012, Coursera, lecture 6.5.
    """

    state = ("second", "velocity")

    @asked("RMSprop(model.parameters(), lr=1e-2)")
    def __init__(
        self, params: Iterable[Any], lr: Rate = 1e-2, alpha: float = 0.99, eps: float = 1e-8, momentum: float = 0.0,
        weight_decay: float = 0.0, *, clip_norm: float | None = None, clip_value: float | None = None,
    ) -> None:  # fmt: skip
        options = {"lr": lr, "alpha": alpha, "eps": eps, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, options, clip_norm, clip_value)

    def update(self, flat: Flat, part: slice, t: int, lr: float, options: dict[str, Any]) -> None:
        """The rule of the class."""
        g, alpha, momentum = _decayed(flat, part, options), options["alpha"], options["momentum"]
        second, b, delta = flat.state["second"][part], flat.state["velocity"][part], flat.delta[part]
        np.multiply(g, g, out=delta)
        np.multiply(delta, 1 - alpha, out=delta)
        np.multiply(second, alpha, out=second)
        np.add(second, delta, out=second)
        np.sqrt(second, out=delta)
        np.add(delta, options["eps"], out=delta)
        np.divide(g, delta, out=delta)
        if momentum:
            np.multiply(b, momentum, out=b)
            np.add(b, delta, out=b)
            delta[...] = b
        np.multiply(delta, lr, out=delta)


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop}
