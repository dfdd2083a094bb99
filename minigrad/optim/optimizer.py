"""Optimizer: groups of parameters with options, a step, and a state that can be saved. The rules are in `rules.py`."""

from __future__ import annotations

import copy
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from minigrad.engine.errors import CheckpointError
from minigrad.engine.graph import Leaf
from minigrad.engine.tensor import Tensor
from minigrad.nn.arguments import number
from minigrad.optim.flat import Array, Flat
from minigrad.optim.schedules import RATE, Schedule

NOT_NEGATIVE = ("≥ 0 and finite", lambda v: 0 <= v < math.inf)
RANGES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "lr": RATE,
    "momentum": ("in [0, 1)", lambda v: 0 <= v < 1),
    "betas": ("two numbers in [0, 1)", lambda v: 0 <= v < 1),
    "alpha": ("in [0, 1)", lambda v: 0 <= v < 1),
    "eps": RATE,
    "weight_decay": NOT_NEGATIVE,
    "clip_norm": ("> 0", lambda v: v > 0),
    "clip_value": ("> 0", lambda v: v > 0),
}


class Optimizer(ABC):
    """What optimizers share: groups of parameters, each with its own options, flat buffers, clipping.

    Attributes:
        groups: dicts with "params" and the options; an option may be changed between steps.
        steps: how many steps were taken.
        clip_norm: the largest norm that all gradients together may have in a step; longer ones are shortened to it.
        clip_value: the largest size of an entry of a gradient; it is applied before `clip_norm`.
    """

    state: tuple[str, ...] = ()

    def __init__(
        self, params: Iterable[Any], options: dict[str, Any], clip_norm: float | None, clip_value: float | None
    ) -> None:
        self.options = options
        self.options = self._checked(options)
        self.clip_norm, self.clip_value = self._limit("clip_norm", clip_norm), self._limit("clip_value", clip_value)
        self.steps = 0
        self.groups: list[dict[str, Any]] = []
        self.flats: list[list[Flat]] = []
        for group in self._as_groups(params):
            self.add_group(group)

    @abstractmethod
    def update(self, flat: Flat, part: slice, t: int, lr: float, options: dict[str, Any]) -> None:
        """The rule: from `flat.grads[part]` compute `flat.delta[part]`, what is to be taken from the parameters.

        Args:
            flat: the buffers; gradients are read only.
            part: what to update.
            t: the number of this step for these parameters, from 1.
            lr: the learning rate of this step.
            options: of the group.
        """

    # --- groups ----------------------------------------------------------------------------------------------------
    def _as_groups(self, params: Any) -> list[dict[str, Any]]:
        name = type(self).__name__
        model = hasattr(params, "parameters")
        if model or isinstance(params, (Tensor, dict, str)) or not isinstance(params, Iterable):
            cure = "model.parameters()" if model else "a list"
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
        taken = [params] if isinstance(params, Tensor) else list(params)
        if not taken:
            raise ValueError(f"{name}: expected at least one parameter in each group, got none; leave the group out")
        for i, p in enumerate(taken):
            if not isinstance(p, Tensor):
                raise TypeError(
                    f"{name}: expected Tensors as parameters, got {type(p).__name__} at place {i}; give "
                    "model.parameters(), or groups {'params': …} only"
                )
            if not isinstance(p.edge, Leaf):
                what = "a constant" if p.edge is None else "a computed tensor"
                raise ValueError(
                    f"{name}: expected parameters that require gradients, got {what} of shape {p.shape} at place {i}; "
                    "make it with Tensor(..., requires_grad=True)"
                )
            if id(p) in known:
                raise ValueError(
                    f"{name}: expected each parameter once, got that of shape {p.shape} at place {i} again; name it in "
                    "one group only"
                )
            known.add(id(p))
        return taken

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options as plain Python numbers: a float64 of NumPy would turn float32 arithmetic into float64."""
        name = type(self).__name__
        if unknown := [key for key in options if key not in self.options]:
            raise TypeError(f"{name}: no option {unknown[0]!r:.60}; it has {', '.join(self.options)}")
        return {key: _option(name, key, value) for key, value in options.items()}

    def _limit(self, key: str, value: Any) -> float | None:
        return None if value is None else number(type(self).__name__, key, value, *RANGES[key])

    @property
    def lr(self) -> float:
        """The learning rate of the next step (of the first group); setting it sets it for all groups."""
        return self._rate(self.groups[0])

    @lr.setter
    def lr(self, value: float) -> None:
        lr = self._checked({"lr": value})["lr"]
        for group in self.groups:
            group["lr"] = copy.deepcopy(lr)

    def _rate(self, group: dict[str, Any]) -> float:
        lr = group["lr"]
        return float(lr(self.steps)) if isinstance(lr, Schedule) else lr

    def observe(self, loss: float) -> None:
        """Show a loss, as a rule that of an epoch, to the schedules that wait for one."""
        for group in self.groups:
            if isinstance(group["lr"], Schedule):
                group["lr"].observe(loss)

    # --- steps -----------------------------------------------------------------------------------------------------
    def zero_grad(self) -> None:
        """Forget all gradients."""
        for group in self.groups:
            for p in group["params"]:
                p.edge.grad = None

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        with np.errstate(all="ignore"):  # what diverges shows in the loss
            reached = [
                (flat, present, group)
                for group, flats in zip(self.groups, self.flats, strict=True)
                for flat in flats
                if (present := flat.gather())
            ]
            if reached:
                self.take(reached)
                return
        count, name = sum(len(group["params"]) for group in self.groups), type(self).__name__
        warnings.warn(
            f"{name}.step: none of {count} parameters got a gradient. Call backward() before step(); if you did, "
            "was the optimizer built from another model?",
            stacklevel=2,
        )

    def take(self, reached: list[tuple[Flat, list[int], dict[str, Any]]]) -> None:
        """The step itself, from the gradients in the buffers: flat, the parameters that have one, their group."""
        if self.clip_value is not None or self.clip_norm is not None:
            self._clip([flat for flat, _, _ in reached])
        for flat, present, group in reached:
            flat.adopt()
            lr = self._rate(group)
            for part, t in flat.parts(present):
                self.update(flat, part, t, lr, group)
                flat.apply(part)
            flat.changed()
        self.steps += 1

    def _clip(self, flats: list[Flat]) -> None:
        """Shorten the gradients in the buffers: each entry, then all together; those of the parameters stay."""
        if (most := self.clip_value) is not None:
            for flat in flats:
                np.clip(flat.grads, -most, most, out=flat.grads)
        if self.clip_norm is not None:
            norm = math.hypot(*(size for flat in flats for size in flat.norms()))
            if norm > self.clip_norm:
                for flat in flats:
                    np.multiply(flat.grads, self.clip_norm / norm, out=flat.grads)

    # --- state -----------------------------------------------------------------------------------------------------
    def state_dict(self) -> dict[str, Any]:
        """Everything that a later `load_state_dict` needs to go on exactly: plain numbers and copies of arrays."""
        groups = []
        for group, flats in zip(self.groups, self.flats, strict=True):
            options = {key: _saved(value) for key, value in group.items() if key != "params"}
            state = {
                name: [view.copy() for flat in flats for view in flat.views(flat.state[name])] for name in self.state
            }
            groups.append({**options, "steps": [t for flat in flats for t in flat.steps], **state})
        limits = {"clip_norm": self.clip_norm, "clip_value": self.clip_value}
        return {"optimizer": type(self).__name__, "steps": self.steps, **limits, "groups": groups}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned.

        Raises:
            CheckpointError: it belongs to another optimizer or other parameters. Nothing has been loaded.
        """
        name = type(self).__name__
        try:
            loaded = self._matched(state)
        except (KeyError, TypeError, ValueError, AttributeError, CheckpointError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise CheckpointError(
                f"{name}.load_state_dict: expected the state of {self}, got another one: {reason}; nothing was loaded: "
                "build the optimizer as it was when it was saved"
            ) from error
        self.steps, self.clip_norm, self.clip_value, groups = loaded
        for group, flats, (options, steps, arrays) in zip(self.groups, self.flats, groups, strict=True):
            group.update(options)
            counts = iter(steps)
            for flat in flats:
                flat.steps = [next(counts) for _ in flat.params]
            for key, new in arrays.items():
                for view, array in zip(self._views(flats, key), new, strict=True):
                    np.copyto(view, array)

    def _views(self, flats: list[Flat], name: str) -> list[Array]:
        return [view for flat in flats for view in flat.views(flat.state[name])]

    def _matched(self, state: dict[str, Any]) -> tuple[int, float | None, float | None, list[Any]]:
        """The parts of a state that fits, all checked."""
        name, given = type(self).__name__, state["groups"]
        if state["optimizer"] != name:
            raise ValueError(f"it is that of {state['optimizer']!r:.60}")
        if not isinstance(given, list) or len(given) != len(self.groups):
            raise ValueError(f"it has {len(given)} groups instead of {len(self.groups)}")
        groups = [self._matched_group(i, group) for i, group in enumerate(given)]
        steps = _counted("steps", [state["steps"]], 1)[0]
        return (
            steps,
            self._limit("clip_norm", state["clip_norm"]),
            self._limit("clip_value", state["clip_value"]),
            groups,
        )

    def _matched_group(self, i: int, new: dict[str, Any]) -> tuple[dict[str, Any], list[int], dict[str, list[Array]]]:
        own, flats = self.groups[i], self.flats[i]
        options = {key: _loaded(type(self).__name__, key, own[key], new[key]) for key in self.options}
        arrays: dict[str, list[Array]] = {}
        for key in self.state:
            views, arrays[key] = self._views(flats, key), [np.asarray(a) for a in new[key]]
            if (found := [(a.shape, a.dtype) for a in arrays[key]]) != [(v.shape, v.dtype) for v in views]:
                wrong = next(
                    (f"{s} {d}" for (s, d), v in zip(found, views) if (s, d) != (v.shape, v.dtype)), "another number"
                )
                raise ValueError(f"group {i} has {wrong} in {key} where the parameters differ")
        return options, _counted(f"group {i}: steps", new["steps"], len(own["params"])), arrays

    def __repr__(self) -> str:
        groups = [", ".join(f"{key}={group[key]}" for key in self.options) for group in self.groups]
        limits = [f"{key}={value}" for key in ("clip_norm", "clip_value") if (value := getattr(self, key)) is not None]
        return f"{type(self).__name__}({', '.join([' | '.join(dict.fromkeys(groups)), *limits])})"


def _option(where: str, key: str, value: Any) -> Any:
    """The value of an option, in its range; a schedule as a copy that is the group's own."""
    if key == "lr" and isinstance(value, Schedule):
        return copy.deepcopy(value)
    if key == "nesterov":
        return bool(value)
    words, inside = RANGES[key]
    if key == "betas":
        if not isinstance(value, (tuple, list)) or len(value) != 2:
            raise TypeError(f"{where}: expected betas, {words}, got {value!r:.60}; say betas=(0.9, 0.999)")
        return tuple(number(where, key, beta, words, inside) for beta in value)
    return number(where, key, value, words, inside)


def _saved(value: Any) -> Any:
    if isinstance(value, Schedule):
        return value.state_dict()
    return list(value) if isinstance(value, tuple) else value


def _loaded(where: str, key: str, own: Any, new: Any) -> Any:
    """An option out of a state; the state of a schedule needs a schedule of its kind."""
    if not isinstance(own, Schedule):
        return _option(where, key, new)
    schedule = copy.deepcopy(own)
    schedule.load_state_dict(new)
    return schedule


def _counted(name: str, steps: Any, count: int) -> list[int]:
    if not isinstance(steps, list) or len(steps) != count:
        raise ValueError(f"{name} are not {count}")
    return [int(number("state", name, t, "≥ 0, a whole number", lambda v: v >= 0 and v == int(v))) for t in steps]
