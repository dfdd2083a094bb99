"""The state of a generator as text: its integers have up to 128 bits, which other readers of JSON would round."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from minigrad.checkpoint.disk import Refused

GENERATORS = {kind.__name__: kind for kind in (np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64)}


def rng_state(rng: Any) -> Any:
    """The state of a generator, with its large integers as decimal text."""
    if not isinstance(rng, np.random.Generator) or type(rng.bit_generator).__name__ not in GENERATORS:
        raise Refused(f"rng {rng!r:.60}; it must be a numpy.random.Generator of {', '.join(GENERATORS)}")
    return _as_text(rng.bit_generator.state)


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_text(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return [str(int(item)) for item in value]
    return value if isinstance(value, str) else str(int(value))


def rng_of(state: Any) -> np.random.Generator | None:
    """A new generator in this state.

    Raises:
        Refused: it is none.
    """
    if state is None:
        return None
    kind = GENERATORS.get(state["bit_generator"]) if isinstance(state, dict) else None
    if kind is None:
        raise Refused(f"an rng of kind {str(state)!r:.60}")
    bits = kind(0)
    try:
        bits.state = _from_text(state, bits.state)
    except Exception as error:  # whatever a bit generator may say of a state
        raise Refused(f"an rng with a state that is none: {error}") from error
    return np.random.Generator(bits)


def _from_text(value: Any, like: Any) -> Any:
    """The state in the form of another one of its kind."""
    if isinstance(like, dict):
        if value.keys() != like.keys():
            raise ValueError("other fields")
        return {key: _from_text(value[key], item) for key, item in like.items()}
    if isinstance(like, np.ndarray):
        if len(value) != len(like):
            raise ValueError("another length")
        return np.array([_digits(item) for item in value], like.dtype)
    return value if isinstance(like, str) else _digits(value)


def _digits(text: Any) -> int:
    if not isinstance(text, str) or not re.fullmatch("[0-9]{1,40}", text):
        raise ValueError(f"no whole number: {text!r:.40}")
    return int(text)
