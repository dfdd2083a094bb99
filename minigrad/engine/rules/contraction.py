"""Products that sum over an axis."""

import numpy as np

from minigrad.engine.arraylike import RULES
from minigrad.engine.errors import ShapeError
from minigrad.engine.op import op, sum_to


def _lifted(g, a, b):
    """`g`, `a` and `b` as (stacks of) matrices: a vector on the left is a row, one on the right a column."""
    if a.ndim == 1:
        a, g = np.expand_dims(a, 0), np.expand_dims(g, -1 if b.ndim == 1 else -2)
    if b.ndim == 1:
        b, g = np.expand_dims(b, 1), np.expand_dims(g, -1)
    return g, a, b


def _matmul_x(g, x, y):
    g, a, b = _lifted(g, x, y)
    return np.reshape(sum_to(np.matmul(g, np.swapaxes(b, -1, -2)), (*a.shape[:-2], *a.shape[-2:])), x.shape)


def _matmul_y(g, x, y):
    g, a, b = _lifted(g, x, y)
    return np.reshape(sum_to(np.matmul(np.swapaxes(a, -1, -2), g), b.shape), y.shape)


matmul = op(np.matmul, args="x y", x=_matmul_x, y=_matmul_y)


def _dot(a, b):
    """`np.dot` for up to two axes: a product of numbers, or `a @ b`."""
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return a * b
    if np.ndim(a) > 2 or np.ndim(b) > 2:
        raise ShapeError(f"np.dot: expected at most two axes, got {np.shape(a)}, {np.shape(b)}; use np.matmul")
    return a @ b


RULES[np.dot] = _dot
RULES[np.outer] = lambda a, b: np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1))
