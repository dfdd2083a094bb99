"""Transforms: functions that make, of a function of arrays, the function that is its derivative."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from minigrad.engine.errors import DTypeError, ShapeError
from minigrad.engine.graph import Node, recording, walk
from minigrad.engine.op import alias
from minigrad.engine.tensor import Tensor, wrap


def value_and_grad(f: Callable[..., Any], wrt: int | tuple[int, ...] = 0) -> Callable[..., tuple[Any, Any]]:
    """The function that returns f's value and its gradient, in one pass.

    Args:
        f: a function of arrays that returns a single number.
        wrt: the position of the argument to differentiate, or several.

    Returns:
        A function of the same arguments. On plain arrays it returns plain arrays; on Tensors it records itself, so
        that it can be differentiated again.

    Raises:
        TypeError: `f` cannot be called, or returns no Tensor that depends on the argument's type.
        ShapeError: `f` returns more than a single number.
        DTypeError: the argument holds integers.
    """
    if not callable(f):
        raise TypeError(f"grad: expected a function, got {f!r:.60}; write grad(f)(x)")
    positions = wrt if isinstance(wrt, tuple) else (wrt,)

    @wraps(f)
    def differentiated(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        nested = any(isinstance(arg, Tensor) for arg in args)
        starts = {i: _start(args[i], f, i) for i in positions}
        token = recording.set(True)
        try:
            value = f(*[starts.get(i, arg) for i, arg in enumerate(args)], **kwargs)
        finally:
            recording.reset(token)
        found = _slopes(value, list(starts.values()), f, nested)
        if not nested:
            value, found = _plain(value), [_plain(part) for part in found]
        return value, tuple(found) if isinstance(wrt, tuple) else found[0]

    return differentiated


def grad(f: Callable[..., Any], wrt: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The gradient of f, as a function of the same arguments: `grad(grad(f))(x)` is the second derivative.

    See `value_and_grad` for arguments, results and errors.
    """
    both = value_and_grad(f, wrt)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def _start(x: Any, f: Callable[..., Any], position: int) -> Tensor:
    """The argument as a node of its own, so that only the way through `f` counts."""
    data = x if isinstance(x, Tensor) else np.asarray(x)
    if data.dtype.kind != "f":
        raise DTypeError(
            f"grad: expected floats as argument {position} of {_name(f)}, got {data.dtype}; write 2.0 for 2"
        )
    return alias(x if isinstance(x, Tensor) else np.array(data))


def _slopes(value: Any, starts: list[Tensor], f: Callable[..., Any], nested: bool) -> list[Any]:
    if not isinstance(value, Tensor):
        raise TypeError(
            f"grad: expected {_name(f)} to return a Tensor, got {type(value).__name__}; compute with its argument"
        )
    if value.size != 1:
        raise ShapeError(
            f"grad: expected {_name(f)} to return a single number, got shape {value.shape}; use .sum() or .mean()"
        )
    if value.edge is None:
        return [Tensor(np.zeros_like(start.data)) for start in starts]
    seed, ends = np.ones_like(value.data), [start.edge for start in starts if isinstance(start.edge, Node)]
    arrived = walk(value.edge, wrap(seed, None) if nested else seed, wrt=ends, retain_graph=nested, create_graph=nested)
    found = [arrived.get(end, np.zeros_like(start.data)) for end, start in zip(ends, starts, strict=True)]
    return [part if isinstance(part, Tensor) else Tensor(part) for part in found]


def _plain(value: Any) -> Any:
    return np.array(value.data if isinstance(value, Tensor) else value)


def _name(f: Callable[..., Any]) -> str:
    return getattr(f, "__name__", "f")
