"""What a constructor is given: each check once, with the name of who asks in its message."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from minigrad.engine.errors import DTypeError

FOREIGN = {"xavier": "glorot", "kaiming": "he", "swish": "silu"}  # what others call the same
ELSEWHERE = {
    "learning_rate": "lr", "seed": "rng", "random_state": "rng", "test_size": "test", "loss_fn": "loss",
    "criterion": "loss", "validation_split": "validation", "validation_data": "validation", "verbose": "progress",
    "weights": "sample_weight", "n_epochs": "epochs", "num_epochs": "epochs", "max_iter": "epochs",
    "in_features": "inputs", "out_features": "outputs",
}  # fmt: skip  # what other libraries call an argument
Rng = np.random.Generator | int
Asked = TypeVar("Asked", bound=Callable[..., Any])


def asked(example: str) -> Callable[[Asked], Asked]:
    """Make a function say, of a call that does not fit its arguments, which was meant, or show a call that fits."""

    def made(function: Asked) -> Asked:
        @wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except TypeError as error:
                if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                    raise  # it comes from inside
                said = _misfit(function, example, args, kwargs) or str(error)
            raise TypeError(said)

        return called  # type: ignore[return-value]

    return made


def _misfit(function: Callable[..., Any], example: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Where a call does not fit: an argument that is not there, too many by position, or one that is missing."""
    where, signature = example.partition("(")[0], inspect.signature(function)
    of = {name: p for name, p in signature.parameters.items() if name != "self"}
    args = args[len(signature.parameters) - len(of) :]
    if unknown := next((name for name in kwargs if name not in of), ""):
        there, near = ELSEWHERE.get(unknown), difflib.get_close_matches(unknown, of, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(of)}"
        return f"{where}: no argument {unknown!r}; {f'here it is {there}' if there in of else hint}"
    places = [name for name, p in of.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    if len(args) > len(places):
        return f"{where}: expected {' and '.join(places)} by position, got {len(args)} by position; write {example}"
    given = {*places[: len(args)], *kwargs}
    if twice := next((name for name in places[: len(args)] if name in kwargs), ""):
        return f"{where}: expected {twice} once, got it by position and by name; write {example}"
    missing = [name for name, p in of.items() if name not in given and p.default is p.empty]
    return f"{where}: expected {missing[0]}, got none; write {example}" if missing else ""


def known(where: str, what: str, name: Any, names: Any) -> Any:
    """The entry of a table, or a ValueError with the nearest name."""
    if isinstance(name, str) and name in names:
        return names[name]
    said = str(name).lower()
    near = [FOREIGN[said]] if FOREIGN.get(said) in names else difflib.get_close_matches(said, names, 1)
    near = near or [one for one in names if said and one.startswith(said)]
    hint = f"did you mean {near[0]!r}?" if near else "give one of these names"
    raise ValueError(f"{where}: expected {what} one of {', '.join(names)}, got {name!r:.60}; {hint}")


def generator(where: str, rng: Rng) -> np.random.Generator:
    """The generator that `rng` is, or starts."""
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, (int, np.integer)):
        raise TypeError(f"{where}: expected rng, an int or a numpy.random.Generator, got {rng!r:.60}; say rng=0")
    if rng < 0:
        raise ValueError(f"{where}: expected rng ≥ 0, got {rng}; say rng=0")
    return np.random.default_rng(int(rng))


def number(where: str, name: str, value: Any, words: str, inside: Callable[[Any], bool]) -> float:
    """A plain number in its range: a float64 of NumPy would turn float32 arithmetic into float64."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{where}: expected {name} {words}, got {value!r:.60}; give a number")
    if not inside(value):
        raise ValueError(f"{where}: expected {name} {words}, got {value}; give a number in that range")
    return float(value)


def size(where: str, value: Any) -> int:
    """A number of columns, ≥ 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        sizes = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) and len(value) < 10 else "64, 10"
        raise TypeError(f"{where}: expected sizes that are integers, got {value!r:.60}; write {where}({sizes}, rng=0)")
    if value < 1:
        raise ValueError(f"{where}: expected sizes ≥ 1, got {value}; a size is a number of columns")
    return int(value)


def float_type(where: str, dtype: Any) -> np.dtype[Any]:
    """float32 or float64."""
    try:
        found = np.dtype(object if dtype is None else dtype)
    except TypeError:
        found = np.dtype(object)
    if found not in (np.float32, np.float64):
        raise DTypeError(f"{where}: expected dtype float32 or float64, got {dtype!r:.60}; say dtype=np.float32")
    return found
