"""Reading a CSV file with a header line: numbers as they are, a text target as class labels."""

from __future__ import annotations

import csv
import difflib
import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.engine.errors import DomainError, ShapeError

Array = Any


def read(path: str | Path, *, target: str, drop: Sequence[str] = ()) -> tuple[Array, Array]:
    """Read a CSV file whose first line names the columns.

    Args:
        path: the file, UTF-8, also compressed (`.csv.gz`).
        target: the column to predict.
        drop: columns to leave out.

    Returns:
        X (n, d) float64 and y (n,): int64 where every target is a whole number, float64 for other numbers; a column of
        text becomes labels 0 … K−1 in sorted order of the texts.

    Raises:
        ValueError: no such column, a name twice, a column of text among the inputs, a line of another length.
        DomainError: an empty cell.
        OSError: the file cannot be read.
    """
    name = f"data.read({Path(path).name!r})"
    lines = list(csv.reader(io.StringIO(_text(Path(path)))))
    lines = [line for line in lines if line]
    if len(lines) < 2:
        raise ShapeError(f"{name}: expected a header line and rows, got {len(lines)} lines")
    header, rows = [column.strip() for column in lines[0]], lines[1:]
    _check_header(name, header, target, drop)
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise ShapeError(f"{name}: expected {len(header)} cells, got {len(row)} in line {number}; mend the line")
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    inputs = [column for column in header if column != target and column not in drop]
    if not inputs:
        raise ValueError(f"{name}: expected a column beside {target!r} to predict it from, got none")
    X = np.column_stack([_numbers(name, column, columns[column]) for column in inputs])
    return X, _target(name, target, columns[target])


def _text(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")


def _check_header(name: str, header: list[str], target: str, drop: Sequence[str]) -> None:
    if twice := [column for column in header if header.count(column) > 1]:
        raise ValueError(f"{name}: expected every column to have a name of its own, got {twice[0]!r} twice; rename one")
    for wanted in (target, *drop):
        if wanted not in header:
            near = difflib.get_close_matches(wanted, header, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(header[:12])}"
            raise ValueError(f"{name}: expected a column {wanted!r}, got none; {hint}")


def _numbers(name: str, column: str, cells: Sequence[str]) -> Array:
    """A column of inputs."""
    values = np.empty(len(cells))
    for i, cell in enumerate(cells):
        try:
            values[i] = float(cell)
        except ValueError:
            if not cell.strip():
                raise _empty(name, column, i) from None
            raise ValueError(
                f"{name}: expected numbers in column {column!r}, got {cell!r:.40} in line {i + 2}; encode them as "
                f"numbers, or leave the column out with drop=[{column!r}]"
            ) from None
        if not np.isfinite(values[i]):
            raise DomainError(
                f"{name}: expected finite numbers in column {column!r}, got {cell!r} in line {i + 2}; fill it"
            )
    return values


def _target(name: str, column: str, cells: Sequence[str]) -> Array:
    cells = [cell.strip() for cell in cells]
    if "" in cells:
        raise _empty(name, column, cells.index(""))
    if all(_is_number(cell) for cell in cells):
        values = _numbers(name, column, cells)
        return values.astype(np.int64) if all(cell.lstrip("+-").isdigit() for cell in cells) else values
    classes = {text: label for label, text in enumerate(sorted(set(cells)))}
    return np.array([classes[cell] for cell in cells], np.int64)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _empty(name: str, column: str, row: int) -> DomainError:
    return DomainError(
        f"{name}: expected a value in column {column!r}, got an empty cell in line {row + 2}; fill it or drop the row"
    )
