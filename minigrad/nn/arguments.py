"""What a constructor is given: each check once, with the name of who asks in its message."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.engine.errors import DTypeError

Rng = np.random.Generator | int


def known(where: str, what: str, name: Any, names: Any) -> Any:
    """The entry of a table, or a ValueError with the nearest name."""
    if isinstance(name, str) and name in names:
        return names[name]
    near = difflib.get_close_matches(str(name), names, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{where}: expected {what} one of {', '.join(names)}, got {name!r:.60}{hint}")


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
        raise TypeError(f"{where}: expected sizes that are integers, got {value!r:.60}; write {where}(64, 10, rng=0)")
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
