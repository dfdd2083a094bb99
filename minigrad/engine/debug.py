"""To see a graph, and to find the operation that spoils it.

`Tensor.tree()` and `repr` show; `detect_anomaly` looks at every value and gradient as it is made and stops at the first
that is not finite. Where it is off, it costs the look at one context variable.
"""

from __future__ import annotations

import os.path
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.engine.errors import GradientError

if TYPE_CHECKING:
    from minigrad.engine.graph import Edge, Node
    from minigrad.engine.op import Op
    from minigrad.engine.tensor import Tensor

watching: ContextVar[bool] = ContextVar("watching", default=False)
last_cut: ContextVar[str] = ContextVar("last_cut", default="")  # the operation that last dropped a gradient
MADE_AT, MARKS = "made at", "marks"  # what a node keeps besides, while detect_anomaly looks on
SKIPPED = tuple(os.path.dirname(module.__file__) for module in (np, sys.modules["minigrad"]) if module.__file__)


# --- showing ----------------------------------------------------------------------------------------------------------
def shown(t: Tensor) -> str:
    """A tensor in a line or a few: values, shape where that is not plain to see, and where a gradient goes."""
    value = np.array2string(t.data, prefix="Tensor(", precision=4, threshold=40, edgeitems=3)
    if t.size > 40 or t.ndim > 1:
        value += f", shape={t.shape}"
    if t.edge is None:
        return f"Tensor({value})"
    if hasattr(t.edge, "op"):
        return f"Tensor({value}, from={t.edge.op.name if t.edge.op else 'a consumed graph'})"
    return f"Tensor({value}, requires_grad=True, grad={'None' if t.edge.grad is None else 'set'})"


def tree(t: Tensor, lines: int) -> str:
    """The graph of a tensor, one line for an operation or leaf: newest first, its inputs indented below it.

    A line has the argument that the value is, its op and shape, what the op keeps for its rules, and the gradient where
    one is kept. What was shown already is named by its number.
    """
    if t.edge is None:
        return f"a constant {t.shape}: nothing is recorded"
    shown_at: dict[Edge, int] = {}
    rows: list[str] = []
    todo: list[tuple[int, str, Any]] = [(0, "", t.edge)]
    while todo:
        depth, arg, edge = todo.pop()
        if len(rows) == lines:
            return "\n".join([*rows, "  " * depth + "…"])
        indent = "  " * depth + (f"{arg}: " if arg else "")
        if edge in shown_at:
            rows.append(f"{indent}as in line {shown_at[edge]}")
            continue
        shown_at[edge] = len(rows) + 1
        rows.append(indent + _line(edge))
        inputs = list(edge.inputs()) if hasattr(edge, "inputs") else []
        todo += [(depth + 1, name, one) for name, one in reversed(inputs)]
    return "\n".join(rows)


def _line(edge: Any) -> str:
    gradient = "" if edge.grad is None else f", grad {np.array2string(edge.grad.data, precision=4, threshold=12)}"
    if not hasattr(edge, "op"):
        return f"leaf {edge.shape}{gradient or ', grad None'}"
    if edge.op is None:
        return f"consumed by a backward {edge.shape}{gradient}"
    kept = ", ".join(name for name in edge.saved if name not in (MADE_AT, MARKS))
    place = f" at {edge.saved[MADE_AT]}" if MADE_AT in edge.saved else ""
    return f"{edge.op.name} {edge.shape}{place}{f', keeps {kept}' if kept else ''}{gradient}"


# --- watching ---------------------------------------------------------------------------------------------------------
@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Stop at the first value or gradient that is not finite, and at a saved array that has changed.

    Inside the block each operation looks at its result and remembers the line of the program that called it; a backward
    pass inside the block looks at each gradient. Infinities that stand in the data on purpose (a mask of −inf) may pass
    on; a NaN may not. The mode belongs to the thread or async task that sets it. A step takes two or three times as
    long.

    Raises:
        GradientError: names the operation, the argument, shapes, values, and the line.
    """
    token = watching.set(True)
    try:
        yield
    finally:
        watching.reset(token)


def cut(name: str) -> None:
    """Remember that an operation has dropped a gradient, in case somebody asks for it."""
    last_cut.set(f"{name}, {caller()}" if watching.get() else name)


def caller() -> str:
    """The line of the program that is outside of minigrad and NumPy: file.py:12."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith((*SKIPPED, "<__array_function__")):
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


def look(op: Op, values: dict[str, Any], result: Tensor) -> None:
    """Look at the result of an operation, and note on its node what a later look at the gradients will want to know."""
    node: Any = result.edge
    if node is not None:
        arrays = {name: value for name, value in node.saved.items() if isinstance(value, np.ndarray)}
        node.saved[MADE_AT] = caller()
        node.saved[MARKS] = {name: _mark(array) for name, array in arrays.items()}
    out = result.data
    if out.dtype.kind != "f" or np.isfinite(out).all():
        return
    recorded = [arg for arg, _ in node.inputs()] if node is not None else []
    given = [value for name, value in values.items() if name not in recorded and isinstance(value, np.ndarray)]
    if not np.isnan(out).any() and any(np.isinf(value).any() for value in given if value.dtype.kind == "f"):
        return
    at, value = _first(out)
    there = ", ".join(filter(None, (_input(name, array, out.shape, at) for name, array in values.items())))
    raise GradientError(
        f"detect_anomaly: expected finite values, got {value}{_place(at)} from {op.name} {out.shape} at {caller()}; "
        f"its inputs were {there}: keep them where {op.name} is finite"
    )


def look_back(node: Node, g: Any, create_graph: bool) -> list[tuple[Edge, Any]]:
    """The gradients that a node hands on, looked at; and before that, whether all that it saved is as it was."""
    op: Any = node.op
    where = f" at {node.saved[MADE_AT]}" if MADE_AT in node.saved else ""
    for name, mark in node.saved.get(MARKS, {}).items():
        if _mark(node.saved[name]) != mark:
            raise GradientError(
                f"detect_anomaly: expected {name} as {op.name} {node.shape}{where} saved it, got an array that was "
                "written to since; give it a new name, or update a parameter under no_grad()"
            )
    token = watching.set(False)  # what a rule computes on its way is its own affair
    try:
        parts = op.gradients(node, g, create_graph)
    finally:
        watching.reset(token)
    for edge, part in parts:
        data = getattr(part, "_data", part)
        if not np.isfinite(data).all() and np.isfinite(getattr(g, "_data", g)).all():
            at, value = _first(data)
            arg = next(name for name, one in node.inputs() if one is edge)
            raise GradientError(
                f"detect_anomaly: expected finite gradients, got {value}{_place(at)} for {arg} {edge.shape} of "
                f"{op.name} {node.shape}{where}; keep {arg} where the slope of {op.name} is finite, np.where before "
                "it, not after"
            )
    return parts  # type: ignore[no-any-return]


def _mark(array: Any) -> int:
    return zlib.crc32(array.tobytes())


def _first(array: Any) -> tuple[Any, float]:
    """Place and value of the first entry that is not finite, a NaN before an infinity."""
    bad = np.isnan(array) if np.isnan(array).any() else ~np.isfinite(array)
    at = tuple(map(int, np.argwhere(bad)[0]))
    return at, float(np.asarray(array)[at])


def _place(at: tuple[int, ...]) -> str:
    return f" at {at}" if at else ""


def _input(name: str, value: Any, shape: tuple[int, ...], at: tuple[int, ...]) -> str:
    """An input in words: its value where the result went wrong, if it is there, and its range."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return f"{name} = {value!r:.40}" if isinstance(value, (int, float)) else ""
    try:
        there = f" = {np.broadcast_to(value, shape)[at]:.6g}"
    except ValueError:
        there = ""
    span = (
        f", range {np.nanmin(value):.6g} … {np.nanmax(value):.6g}" if value.size and not np.isnan(value).all() else ""
    )
    return f"{name}{there} (shape {value.shape}{span})"
