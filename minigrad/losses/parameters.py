"""Parameters of losses: their constraints, and those that are fitted to the training targets."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import numpy as np

from minigrad.engine.errors import DomainError, DTypeError
from minigrad.engine.tensor import Tensor


@dataclass(frozen=True)
class Constraint:
    """A condition on a number: how it is said, and whether it holds."""

    text: str
    holds: Callable[[Any], Any]


positive = Constraint("> 0", lambda v: (v > 0) & (v < math.inf))
nonnegative = Constraint("≥ 0", lambda v: (v >= 0) & (v < math.inf))
boolean = Constraint("True or False", lambda v: (v == 0) | (v == 1))


def between(low: float, high: float, ends: str = "()") -> Constraint:
    """Within an interval; `ends` says which ends belong to it: "()", "[)", "(]" or "[]"."""
    above: Callable[[Any], Any] = (lambda v: v >= low) if ends[0] == "[" else (lambda v: v > low)
    below: Callable[[Any], Any] = (lambda v: v <= high) if ends[1] == "]" else (lambda v: v < high)
    return Constraint(f"in {ends[0]}{low:g}, {high:g}{ends[1]}", lambda v: above(v) & below(v))


@dataclass(frozen=True)
class fitted:
    """The default of a parameter that `fit` computes, once, from the training targets."""

    of_targets: Callable[[Any], Any]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a loss, as its function declares it."""

    name: str
    default: Any
    constraint: Constraint | None = None
    meaning: str = ""

    def check(self, owner: str, value: Any) -> Any:
        """The value, if it may be given; arrays become read-only."""
        if self.constraint is None:
            return _kept(value)
        if isinstance(value, Tensor):
            raise TypeError(
                f"{owner}: expected a number for {self.name}, got a Tensor"
                f"{' that requires gradients' if value.requires_grad else ''}; only a parameter without a constraint "
                "can be learned"
            )
        if value is None and self.default is None:
            return None
        if np.asarray(value).dtype.kind not in "iufb" or isinstance(value, str):
            raise DTypeError(
                f"{owner}: expected a number for {self.name}, got {value!r:.60}; it must be {self.constraint.text}"
            )
        if not np.all(self.constraint.holds(np.asarray(value))):
            shown = float(value) if np.ndim(value) == 0 else np.asarray(value).tolist()
            meaning = f"; {self.name} is {self.meaning}" if self.meaning else ""
            raise DomainError(f"{owner}: expected {self.name} {self.constraint.text}, got {shown}{meaning}")
        return _kept(value)


def _kept(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)) and value.ndim == 0:
        return value.item()  # a Python number leaves float32 as it is
    if isinstance(value, list):
        value = np.array(value)
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.setflags(write=False)
    return value


def declared(function: Callable[..., Any]) -> dict[str, Parameter]:
    """The parameters of a loss function: its keyword arguments, with what `Annotated` says of them."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError):  # annotations that only a type checker can read
        hints = {}
    found = {}
    for name, parameter in list(inspect.signature(function).parameters.items())[2:]:
        hint = hints.get(name)
        notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        constraint = next((note for note in notes if isinstance(note, Constraint)), None)
        meaning = next((note for note in notes if isinstance(note, str)), "")
        found[name] = Parameter(name, parameter.default, constraint, meaning)
    return found
