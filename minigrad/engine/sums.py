"""Sums over axes along which something was broadcast: in float32 exact to 2e-6, also over a million rows."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

BLOCK = 128


def sum_over(a: Any, shape: tuple[int, ...]) -> Any:
    """The sum of `a` over the axes along which `shape` was broadcast to its shape."""
    lead = a.ndim - len(shape)
    axes = (*range(lead), *(lead + i for i, side in enumerate(shape) if side == 1 and a.shape[lead + i] != 1))
    if axes == (0,) and a.ndim == 2:
        return row_sum(a).reshape(shape)
    return np.add.reduce(a, axis=axes, dtype=np.float64).astype(a.dtype).reshape(shape)


def row_sum(a: Any) -> Any:
    """The sum of the rows of a matrix: blocks of them by BLAS, and the blocks added in float64."""
    n, blocks = len(a), len(a) // BLOCK
    if n <= BLOCK:
        return ones(n, a.dtype).dot(a)
    if a.dtype == np.float64:
        return np.add.reduce(a, 0)
    whole = a[: blocks * BLOCK].reshape(blocks, BLOCK, a.shape[1])
    partial = (ones(BLOCK, a.dtype) @ whole).sum(0, dtype=np.float64)
    return (partial + ones(n - blocks * BLOCK, a.dtype) @ a[blocks * BLOCK :]).astype(a.dtype)


@lru_cache(64)
def ones(n: int, dtype: Any) -> Any:
    """So many ones, read-only: a product with them is a sum, and BLAS is quicker at it than `np.sum`."""
    array = np.ones(n, dtype)
    array.flags.writeable = False
    return array


def starts(size: int, step: int) -> Any:
    """Where rows of `step` entries begin among `size` of them: 0, step, 2 step, …; only short ones are kept."""
    return _starts(size, step) if size <= BLOCK * BLOCK else np.arange(0, size, step)


@lru_cache(64)
def _starts(size: int, step: int) -> Any:
    array = np.arange(0, size, step)
    array.flags.writeable = False
    return array


def total(a: Any) -> float:
    """The sum of all entries: in float32 of rows of 128 by BLAS, and these added in float64."""
    n = a.size
    if n <= BLOCK and a.dtype.char in "fd":
        return float(a.reshape(-1).dot(ones(n, a.dtype)))
    if n <= 8 * BLOCK or a.dtype != np.float32:
        return float(np.add.reduce(a, None, np.float64))
    flat, whole = a.reshape(-1), n // BLOCK * BLOCK
    rows = flat[:whole].reshape(-1, BLOCK) @ ones(BLOCK, a.dtype)
    return float(np.add.reduce(rows, None, np.float64) + np.add.reduce(flat[whole:], None, np.float64))
