"""Optimizers: the update rules, written for one array and run on one array.

The parameters of a group live side by side in one flat buffer, each as a view of it, and so do their gradients and the
optimizer's state: a step is a handful of NumPy calls, however many parameters there are. A parameter without gradient
is left alone; then the same rule runs on the slices of the others.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from minigrad.engine.errors import CheckpointError
from minigrad.engine.graph import Leaf, now
from minigrad.engine.tensor import Tensor

Array = Any


class Flat:
    """Parameters of one dtype in one buffer, with gradients, state and the last update beside it.

    Attributes:
        params: the tensors; their arrays are views of `data`.
        slices: where each of them lies in every buffer.
        data, grads, delta: values, gradients, and what the last step took away.
        state: further buffers, by name, that an update rule keeps.
        steps: how often each parameter was updated.
    """

    def __init__(self, params: list[Tensor], state: Iterable[str]) -> None:
        self.params = params
        ends = np.cumsum([p.size for p in params]).tolist()
        self.slices = [slice(end - p.size, end) for p, end in zip(params, ends, strict=True)]
        self.data = np.empty(ends[-1], params[0].dtype)
        self.grads, self.delta = np.zeros_like(self.data), np.zeros_like(self.data)
        self.state = {name: np.zeros_like(self.data) for name in state}
        self.steps = [0] * len(params)

    def adopt(self) -> None:
        """Make each parameter a view of the buffer, if it is none (any more)."""
        for p, part in zip(self.params, self.slices, strict=True):
            if p._data.base is not self.data:
                view = self.data[part].reshape(p.shape)
                np.copyto(view, p._data)
                p._data = view

    def gather(self) -> list[int]:
        """Copy the gradients into their buffer; return which parameters have one."""
        grads = [p.edge.grad for p in self.params]  # type: ignore[union-attr]  # a parameter is a leaf
        present = [i for i, g in enumerate(grads) if g is not None]
        if len(present) == len(grads):
            np.concatenate([g._data.reshape(-1) for g in grads], out=self.grads)
        else:
            self.grads.fill(0)
            self.delta.fill(0)
            for i in present:
                self.grads[self.slices[i]] = grads[i]._data.reshape(-1)
        return present

    def parts(self, present: list[int]) -> Iterator[tuple[slice, int]]:
        """The slices that one call of the rule may update, with the count of steps: all at once where it can be."""
        for i in present:
            self.steps[i] += 1
        if len(present) == len(self.params) and min(self.steps) == max(self.steps):
            yield slice(None), self.steps[0]
        else:
            yield from ((self.slices[i], self.steps[i]) for i in present)

    def overwritten(self) -> None:
        """Tell the graph that the values have changed."""
        moment = now()
        for p in self.params:
            p.edge.changed = moment  # type: ignore[union-attr]  # a parameter is a leaf

    def views(self, buffer: Array) -> list[Array]:
        """The parts of a buffer, in the shapes of the parameters."""
        return [buffer[part].reshape(p.shape) for p, part in zip(self.params, self.slices, strict=True)]


class Optimizer(ABC):
    """What optimizers share: groups of parameters, each with its own options, and flat buffers.

    Attributes:
        groups: dicts with "params" and the options; an option may be changed between steps.
    """

    state: tuple[str, ...] = ()

    def __init__(self, params: Iterable[Any], options: dict[str, Any]) -> None:
        self.options = self._checked(options)
        self.groups: list[dict[str, Any]] = []
        self.flats: list[list[Flat]] = []
        for group in self._as_groups(params):
            self.add_group(group)

    @abstractmethod
    def update(self, flat: Flat, part: slice, t: int, options: dict[str, Any]) -> None:
        """The rule: from `flat.grads[part]` compute `flat.delta[part]` and take it from `flat.data[part]`.

        Args:
            flat: the buffers.
            part: what to update.
            t: the number of this step, from 1.
            options: of the group.
        """

    # --- groups ----------------------------------------------------------------------------------------------------
    def _as_groups(self, params: Any) -> list[dict[str, Any]]:
        name = type(self).__name__
        if isinstance(params, (Tensor, dict, str)) or not isinstance(params, Iterable):
            cure = "model.parameters()" if hasattr(params, "parameters") else "a list"
            raise TypeError(
                f"{name}: expected an iterable of Tensors or of groups, got {type(params).__name__}; give {cure}"
            )
        given = list(params)
        if not given:
            raise ValueError(
                f"{name}: expected at least one parameter, got none; does the model hold tensors as attributes?"
            )
        return given if all(isinstance(group, dict) for group in given) else [{"params": given}]

    def add_group(self, group: dict[str, Any]) -> None:
        """Take over further parameters, with options of their own where they differ.

        Args:
            group: {"params": tensors, "lr": 0.01, …}.

        Raises:
            ValueError: no parameter, one that is constant or computed, or one that is here already.
        """
        options = self._checked({**self.options, **{key: value for key, value in group.items() if key != "params"}})
        params = self._taken(group.get("params", ()))
        flats = [
            Flat([p for p in params if p.dtype == dtype], self.state)
            for dtype in dict.fromkeys(p.dtype for p in params)
        ]
        for flat in flats:
            flat.adopt()
        self.groups.append({"params": params, **options})
        self.flats.append(flats)

    def _taken(self, params: Any) -> list[Tensor]:
        name, known = type(self).__name__, {id(p) for group in self.groups for p in group["params"]}
        taken = list(params)
        if not taken:
            raise ValueError(f"{name}: expected at least one parameter in each group, got none; leave the group out")
        for i, p in enumerate(taken):
            if not isinstance(p, Tensor):
                raise TypeError(f"{name}: expected Tensors as parameters, got {type(p).__name__} at place {i}")
            if not isinstance(p.edge, Leaf):
                what = "a constant" if p.edge is None else "a computed tensor"
                raise ValueError(
                    f"{name}: expected parameters that require gradients, got {what} of shape {p.shape} at place {i}; "
                    "make it with Tensor(..., requires_grad=True)"
                )
            if id(p) in known:
                raise ValueError(
                    f"{name}: expected each parameter once, got that of shape {p.shape} at place {i} again"
                )
            known.add(id(p))
        return taken

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options as plain Python numbers: a float64 of NumPy would turn float32 arithmetic into float64."""
        name, known = type(self).__name__, getattr(self, "options", options)
        if unknown := [key for key in options if key not in known]:
            raise TypeError(f"{name}: no option {unknown[0]!r}; it has {', '.join(known)}")
        return {key: _number(name, key, value) for key, value in options.items()}

    @property
    def lr(self) -> float:
        """The learning rate (of the first group); setting it sets it for all groups."""
        return float(self.groups[0]["lr"])

    @lr.setter
    def lr(self, value: float) -> None:
        lr = self._checked({"lr": value})["lr"]
        for group in self.groups:
            group["lr"] = lr

    # --- steps -----------------------------------------------------------------------------------------------------
    def zero_grad(self) -> None:
        """Forget all gradients."""
        for group in self.groups:
            for p in group["params"]:
                p.edge.grad = None

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        reached = False
        with np.errstate(all="ignore"):  # what diverges shows in the loss
            for group, flats in zip(self.groups, self.flats, strict=True):
                for flat in flats:
                    if present := flat.gather():
                        reached = True
                        flat.adopt()
                        for part, t in flat.parts(present):
                            self.update(flat, part, t, group)
                        flat.overwritten()
        if not reached:
            count, name = sum(len(group["params"]) for group in self.groups), type(self).__name__
            warnings.warn(
                f"{name}.step: none of {count} parameters got a gradient. Call backward() before step(); if you did, "
                "was the optimizer built from another model?",
                stacklevel=2,
            )

    # --- state -----------------------------------------------------------------------------------------------------
    def state_dict(self) -> dict[str, Any]:
        """Everything that a later `load_state_dict` needs to go on exactly: plain numbers and copies of arrays."""
        groups = []
        for group, flats in zip(self.groups, self.flats, strict=True):
            options = {key: value for key, value in group.items() if key != "params"}
            state = {
                name: [view.copy() for flat in flats for view in flat.views(flat.state[name])] for name in self.state
            }
            groups.append({**options, "steps": [t for flat in flats for t in flat.steps], **state})
        return {"optimizer": type(self).__name__, "groups": groups}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned.

        Raises:
            CheckpointError: it belongs to another optimizer or other parameters. Nothing has been loaded.
        """
        own = self.state_dict()
        if (wanted := _outline(own)) != (given := _outline(state)):
            raise CheckpointError(
                f"{type(self).__name__}.load_state_dict: expected the state of {wanted}, got that of {given}; "
                "nothing was loaded"
            )
        for group, flats, new in zip(self.groups, self.flats, state["groups"], strict=True):
            group.update({key: new[key] for key in self.options})
            steps = iter(new["steps"])
            for flat in flats:
                flat.steps = [int(next(steps)) for _ in flat.params]
            for name in self.state:
                views = [view for flat in flats for view in flat.views(flat.state[name])]
                for view, array in zip(views, new[name], strict=True):
                    np.copyto(view, array)


class SGD(Optimizer):
    """g ← g + λθ; b ← μb + g; θ ← θ − lr·b, or with Nesterov θ ← θ − lr·(g + μb).

    Args:
        params: tensors, or groups: dicts with "params" and options that differ.
        lr: the learning rate, > 0.
        momentum: μ in [0, 1).
        nesterov: look ahead by one step of momentum.
        weight_decay: λ ≥ 0, added to the gradient (L2).

    Robbins, Monro 1951, doi:10.1214/aoms/1177729586; Polyak 1964, doi:10.1016/0041-5553(64)90137-5; Sutskever, Martens,
    Dahl, Hinton 2013 (Nesterov).
    """

    state = ("momentum",)

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-2, momentum: float = 0.0, nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        if nesterov and not momentum:
            raise ValueError("SGD: expected momentum > 0 for nesterov=True, got momentum 0; say momentum=0.9")
        super().__init__(params, {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay})

    def update(self, flat: Flat, part: slice, t: int, options: dict[str, Any]) -> None:
        """The rule of the class."""
        theta, g, delta = flat.data[part], flat.grads[part], flat.delta[part]
        momentum = options["momentum"]
        if options["weight_decay"]:
            g = g + options["weight_decay"] * theta
        if momentum:
            b = flat.state["momentum"][part]
            np.multiply(b, momentum, out=b)
            np.add(b, g, out=b)
            g = g + momentum * b if options["nesterov"] else b
        np.multiply(g, options["lr"], out=delta)
        np.subtract(theta, delta, out=theta)


class Adam(Optimizer):
    """θ ← θ − lr·m̂/(√v̂ + ε), with running means m of the gradient and v of its square.

    g ← g + λθ; m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; m̂ = m/(1−β₁ᵗ); v̂ = v/(1−β₂ᵗ). What is kept are the sums
    M = m/(1−β₁) and V = v/(1−β₂), which spares two passes over the arrays: M ← β₁M + g, V ← β₂V + g², and

        θ ← θ − (c₁/c₂)·lr·M/(√V + ε/c₂),  c₁ = (1−β₁)/(1−β₁ᵗ),  c₂ = √((1−β₂)/(1−β₂ᵗ)).

    Args:
        params: tensors, or groups: dicts with "params" and options that differ.
        lr: the learning rate, > 0.
        betas: β₁, β₂ in [0, 1).
        eps: ε > 0.
        weight_decay: λ ≥ 0, added to the gradient (L2).

    Kingma, Ba 2015, arXiv:1412.6980.
    """

    state = ("first", "second")

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def update(self, flat: Flat, part: slice, t: int, options: dict[str, Any]) -> None:
        """The rule of the class."""
        theta, g, delta = flat.data[part], flat.grads[part], flat.delta[part]
        first, second = flat.state["first"][part], flat.state["second"][part]
        beta1, beta2 = options["betas"]
        if options["weight_decay"]:
            g = g + options["weight_decay"] * theta
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
        np.multiply(delta, options["lr"] * c1 / c2, out=delta)
        np.subtract(theta, delta, out=theta)


RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "lr": (lambda v: 0 < v < math.inf, "> 0 and finite"),
    "momentum": (lambda v: 0 <= v < 1, "in [0, 1)"),
    "betas": (lambda v: 0 <= v < 1, "two numbers in [0, 1)"),
    "eps": (lambda v: 0 < v < math.inf, "> 0 and finite"),
    "weight_decay": (lambda v: 0 <= v < math.inf, "≥ 0 and finite"),
}
OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam}


def _number(where: str, key: str, value: Any) -> Any:
    """The value of an option, in its range."""
    if key == "betas" and isinstance(value, (tuple, list)) and len(value) == 2:
        return tuple(_number(where, key, beta) for beta in map(float, value))
    if key == "nesterov":
        return bool(value)
    inside, words = RANGES[key]
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{where}: expected {key} {words}, got {value!r:.60}")
    if not inside(value):
        raise ValueError(f"{where}: expected {key} {words}, got {value}")
    return float(value)


def _outline(state: dict[str, Any]) -> Any:
    """What two states must have in common: the optimizer, and the shapes and dtypes in each group."""
    groups = [
        {key: [(a.shape, str(a.dtype)) if isinstance(a, np.ndarray) else 0 for a in value]
         for key, value in group.items() if isinstance(value, list)}
        for group in state["groups"]
    ]  # fmt: skip
    return f"{state['optimizer']} {groups}"
