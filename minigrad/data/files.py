"""Reading a CSV file with a header line: numbers as they are, a text target as class labels."""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigrad.engine.errors import DomainError, ShapeError
from minigrad.nn.arguments import asked

Array = Any
MISSING = {"", "na", "n/a", "none", "null", "?", "-"}  # what stands in files where there is no number
INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)  # at most 18 digits: what int64 holds


class Column(NamedTuple):
    """The cells of one column, stripped, and the line of the file in which each stands."""

    where: str
    name: str
    cells: Sequence[str]
    lines: Sequence[int]


@asked("data.read('prices.csv', target='price')")
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
        ValueError: no such column, a name twice, a column of text among the inputs, numbers and text mixed in the
            target, a line of another length, a file that is no CSV.
        DomainError: an empty cell, a NaN or an infinity.
        OSError: the file cannot be read.
    """
    return labelled(path, target, drop)[:2]


def labelled(path: str | Path, target: str, drop: Sequence[str] = ()) -> tuple[Array, Array, tuple[str, ...]]:
    """X, y, and where the target is text what each label stands for: ("no", "yes") for 0 and 1."""
    where = f"data.read({Path(path).name!r})"
    drop = [drop] if isinstance(drop, str) else drop
    header, rows, lines = _table(where, Path(path))
    _check_header(where, header, target, drop)
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            raise ShapeError(f"{where}: expected {len(header)} cells, got {len(row)} in line {line}; mend the line")
    columns = {name: Column(where, name, cells, lines) for name, *cells in zip(header, *rows, strict=True)}
    inputs = [column for name, column in columns.items() if name != target and name not in drop]
    if not inputs:
        raise ValueError(f"{where}: expected a column beside {target!r} to predict it from, got none; add one")
    return np.column_stack([_numbers(column) for column in inputs]), *_target(columns[target])


def _table(where: str, path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """The header, the rows that are not blank, and the line of each row."""
    reader = csv.reader(io.StringIO(_text(where, path), newline=""))
    try:
        table = [([cell.strip() for cell in row], reader.line_num) for row in reader if row]
    except csv.Error as error:
        raise ValueError(f"{where}: expected CSV, got {error} in line {reader.line_num}; mend the line") from None
    if len(table) < 2:
        got = "nothing" if not table else "one line"
        raise ShapeError(f"{where}: expected a header line and rows, got {got}; add what is missing")
    rows, lines = zip(*table, strict=True)
    return rows[0], list(rows[1:]), list(lines[1:])


def _text(where: str, path: Path) -> str:
    data = path.read_bytes()
    try:
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{where}: expected a whole gzip file, got a damaged one ({error}); fetch it again") from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{where}: expected UTF-8, got byte {error.object[error.start]:#x}; save it as UTF-8"
        ) from None


def _check_header(where: str, header: list[str], target: str, drop: Sequence[str]) -> None:
    if twice := [name for name in header if header.count(name) > 1]:
        raise ValueError(
            f"{where}: expected every column to have a name of its own, got {twice[0]!r} twice; rename one"
        )
    for wanted in (target, *drop):
        if wanted not in header:
            near = difflib.get_close_matches(str(wanted), header, 1)
            hint = f"did you mean {near[0]!r}?" if near else "name one of them"
            if all(map(_is_number, header)):
                hint = "the first line is to name the columns"
            if len(header) == 1 and (other := next((mark for mark in ";\t|" if mark in header[0]), "")):
                hint = f"its cells are parted by {other!r}: save it with commas"
            there = ", ".join(map(repr, header[:12])) + (f" and {len(header) - 12} more" if len(header) > 12 else "")
            raise ValueError(f"{where}: expected a column {wanted!r}, got {there}; {hint}")


def _numbers(column: Column) -> Array:
    """A column of finite numbers."""
    values = np.empty(len(column.cells))
    for i, cell in enumerate(column.cells):
        if cell.lower() in MISSING:
            raise _missing(column, i)
        if not _is_number(cell):
            cure = f"encode text as numbers, or leave the column out: drop=[{column.name!r}], --drop {column.name}"
            if _is_number(cell.replace(",", ".")):
                cure = f"write {cell.replace(',', '.')}, with a point"
            raise ValueError(
                f"{column.where}: expected numbers in column {column.name!r}, got {cell!r:.40} in line "
                f"{column.lines[i]}; {cure}"
            )
        values[i] = float(cell)
        if not np.isfinite(values[i]):
            raise DomainError(
                f"{column.where}: expected finite numbers in column {column.name!r}, got {cell!r} in line "
                f"{column.lines[i]}; fill it or drop the row"
            )
    return values


def _target(column: Column) -> tuple[Array, tuple[str, ...]]:
    """Numbers, or labels and the texts behind them; a mixture is refused: one 'N/A' makes no classes of prices."""
    if "" in column.cells:
        raise _missing(column, column.cells.index(""))
    if all(INTEGER.fullmatch(cell) for cell in column.cells):
        return np.array([int(cell) for cell in column.cells], np.int64), ()
    texts = [i for i, cell in enumerate(column.cells) if not _is_number(cell)]
    if not texts:
        return _numbers(column), ()
    if len(texts) < len(column.cells):
        raise ValueError(
            f"{column.where}: expected numbers alone or text alone in the target {column.name!r}, got "
            f"{column.cells[texts[0]]!r:.40} in line {column.lines[texts[0]]}; mend the cell or drop the row"
        )
    names = tuple(sorted(set(column.cells)))
    classes = {text: label for label, text in enumerate(names)}
    return np.array([classes[cell] for cell in column.cells], np.int64), names


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _missing(column: Column, i: int) -> DomainError:
    got = repr(column.cells[i]) if column.cells[i] else "an empty cell"
    return DomainError(
        f"{column.where}: expected a value in column {column.name!r}, got {got} in line {column.lines[i]}; fill it or "
        "drop the row"
    )
