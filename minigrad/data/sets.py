"""The shipped sets, and the split: a permutation by `rng`, a test part, scaling by the training part."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.data.files import read
from minigrad.engine.errors import DomainError, DTypeError, ShapeError
from minigrad.engine.guards import kind_of
from minigrad.engine.tensor import Tensor
from minigrad.nn.arguments import asked, generator

Array = Any
Part = tuple[Array, Array]

NUMBER = (int, float, np.integer, np.floating)
LARGEST = float(np.finfo(np.float32).max)
TARGETS = {"breast_cancer": "malignant", "diabetes": "progression", "digits": "digit"}


@asked("data.load('digits', rng=0)")
def load(name: str, *, test: float = 0.3, rng: Any = 0) -> tuple[Part, Part]:
    """A shipped set, split into a training and a test part.

    Args:
        name: "breast_cancer" (569 × 30, malignant = 1), "diabetes" (442 × 10) or "digits" (1797 × 64).
        test: share of the rows in the test part; round(test·n) rows.
        rng: a `numpy.random.Generator` or an int, which draws the split.

    Returns:
        (X, y) for training and (X, y) for testing; X float32 (n, d). Digits are divided by 16, less the mean of the
        training part; other X, and the y of diabetes (float32), are standardised by the training part. Labels are
        int64. The arrays are read-only.

    Raises:
        ValueError: no such set, or `test` outside (0, 1).
    """
    if name not in TARGETS:
        near = difflib.get_close_matches(str(name), TARGETS, 1, 0.7)
        hint = f"; did you mean {near[0]!r}?" if near else "; your own are read by data.read(path, target=…)"
        raise ValueError(f"data.load: expected 'breast_cancer', 'diabetes' or 'digits', got {name!r}{hint}")
    X, y = _shipped(name)
    if name == "digits":
        return _parts(X / 16, y, test, rng, "data.load", scale="mean")
    return _parts(X, y.astype(float) if name == "diabetes" else y, test, rng, "data.load", scale_y=name == "diabetes")


@cache
def _shipped(name: str) -> Part:
    """A shipped set as its file has it, which is read once: a study loads it for each of its runs."""
    X, y = read(Path(__file__).parent / f"{name}.csv.gz", target=TARGETS[name])
    return read_only(X), read_only(y)


@asked("data.split(X, y, rng=0)")
def split(
    X: Any, y: Any, *, test: float = 0.3, rng: Any = 0, scale: bool = True, scale_y: bool = False
) -> tuple[Part, Part]:
    """Split anybody's arrays into a training and a test part, and standardise them by the training part.

    Args:
        X: (n, d) numbers; anything of which `np.asarray` makes such an array, a DataFrame included.
        y: (n, …) targets.
        test: share of the rows in the test part; round(test·n) rows.
        rng: a `numpy.random.Generator` or an int, which draws the split.
        scale: whether to standardise X.
        scale_y: whether to standardise y too.

    Returns:
        (X, y) for training and (X, y) for testing; X float32, y float32 or int64. The arrays are read-only.

    Raises:
        ShapeError: X is no table, or y has another number of rows.
        DomainError: a NaN, an infinity or a number beyond float32, with its row and column.
        DTypeError: text or other objects.
        TypeError: `rng` is neither a generator nor an int.
        ValueError: `test` is outside (0, 1) or leaves no row on one side.
    """
    return _parts(X, y, test, rng, "data.split", scale="standard" if scale else "none", scale_y=scale_y)


def numbers(where: str, name: str, values: Any) -> Array:
    """What NumPy makes numbers of, a table of several types of them included, as a DataFrame gives it."""
    try:
        array = np.asarray(values.data if isinstance(values, Tensor) else values)
    except ValueError as error:
        raise ShapeError(
            f"{where}: expected {name} as numbers in a regular shape, got rows of unlike length; pad them"
        ) from error
    cure = (
        f"np.unique({name}, return_inverse=True)[1] makes labels of texts" if name == "y" else "encode text as numbers"
    )
    if array.dtype.kind == "O":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise DTypeError(f"{where}: expected numbers in {name}, got objects: {error}; {cure}") from None
    if array.dtype.kind not in "iufb":
        raise DTypeError(f"{where}: expected numbers in {name}, got {kind_of(array.dtype)}; {cure}")
    return array


def _parts(
    X: Any, y: Any, test: float, rng: Any, where: str, *, scale: str = "standard", scale_y: bool = False
) -> tuple[Part, Part]:
    if not isinstance(test, NUMBER) or not 0 < test < 1:
        raise ValueError(f"{where}: expected test in (0, 1), the share of rows to test on, got {test!r}; say test=0.3")
    X, y = _checked(X, y, where)
    cut = round(test * len(X))
    if not 0 < cut < len(X):
        raise ValueError(f"{where}: expected rows on both sides, got {len(X)} rows with test={test}; give more rows")
    order = generator(where, rng).permutation(len(X))  # after every check: an error leaves rng as it was
    tested, trained = order[:cut], order[cut:]
    X = X - X[trained].mean(0) if scale != "none" else X
    if scale == "standard":
        X = X / _spread(X[trained])
    if scale_y:
        y = (y - y[trained].mean(0)) / _spread(y[trained])
    X, y = X.astype(np.float32), y.astype(np.float32 if y.dtype.kind == "f" else np.int64)
    return (read_only(X[trained]), read_only(y[trained])), (read_only(X[tested]), read_only(y[tested]))


def _checked(X: Any, y: Any, where: str) -> tuple[Array, Array]:
    X, y = numbers(where, "X", X), numbers(where, "y", y)
    if X.ndim != 2:
        raise ShapeError(f"{where}: expected X (n, d), got {X.shape}; a single column is X.reshape(-1, 1)")
    if y.ndim < 1 or len(y) != len(X):
        raise ShapeError(f"{where}: expected y with the {len(X)} rows of X, got {y.shape}")
    for name, array in (("X", X), ("y", y)):
        bad = np.argwhere(~(np.abs(array.astype(np.float64)) <= LARGEST))
        if len(bad):
            at = tuple(int(i) for i in bad[0])
            column = f", column {at[1]}" if len(at) > 1 else ""
            raise DomainError(
                f"{where}: expected finite float32 numbers in {name}, got {array[at]} at row {at[0]}{column} "
                f"({len(bad)} of {array.size}); drop or fill them"
            )
    return X.astype(np.float64), y.astype(np.float64) if y.dtype.kind == "f" else y.astype(np.int64)


def _spread(values: Array) -> Array:
    """Standard deviations; 1 for a column that does not vary, however small its numbers are."""
    sd = values.std(0)
    return np.where((np.ptp(values, 0) > 0) & (sd > 0), sd, 1.0)  # rounding alone can give equal numbers an sd


def read_only(array: Array) -> Array:
    """The same array, which nobody can write to any more: the engine keeps such an array instead of copying it."""
    array.setflags(write=False)
    return array
