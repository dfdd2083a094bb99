"""Functions that make one number of many: the gradient goes back to each entry that had a part in it."""

import math
from typing import Any

import numpy as np

from minigrad.engine.arraylike import RULES
from minigrad.engine.errors import ShapeError
from minigrad.engine.op import op


def axes_of(axis, ndim):
    """The axes that `axis` stands for, counted from the first."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(a % ndim for a in (axis if isinstance(axis, (tuple, list)) else (axis,)))


def spread(g: Any, shape: Any, axis: Any) -> Any:
    """Give a reduced array its axes back, with length 1, so that it broadcasts against what was reduced."""
    axes = axes_of(axis, len(shape))
    return np.reshape(g, tuple(1 if i in axes else side for i, side in enumerate(shape)))


def count(shape, axis):
    """How many entries each result was made of."""
    return math.prod(shape[a] for a in axes_of(axis, len(shape)))


def _deviation(a, axis, ddof):
    """(a − mean)/(n − ddof)."""
    return (a - np.mean(a, axis=axis, keepdims=True)) / (count(a.shape, axis) - ddof)


def tied(a, out, axis):
    """1/k at each of the k entries that equal the extreme, 0 elsewhere."""
    equal = a == spread(out, a.shape, axis)
    return (equal / equal.sum(axes_of(axis, a.ndim), keepdims=True)).astype(a.dtype)


sum = op(np.sum, a=lambda g, a_shape, axis: np.broadcast_to(spread(g, a_shape, axis), a_shape))
mean = op(np.mean, a=lambda g, a_shape, axis: np.broadcast_to(spread(g, a_shape, axis) / count(a_shape, axis), a_shape))
max = op(np.max, a=lambda g, a, out, axis: spread(g, a.shape, axis) * tied(a, out, axis))  # ties: split evenly
min = op(np.min, a=lambda g, a, out, axis: spread(g, a.shape, axis) * tied(a, out, axis))
RULES |= {np.amax: max, np.amin: min}

# Spread: 0 for a constant
var = op(np.var, a=lambda g, a, axis, ddof: spread(g, a.shape, axis) * 2 * _deviation(a, axis, ddof))


def _std(g, a, out, axis, ddof):
    """(a − mean)/((n − ddof)·std), and 0 for a constant."""
    out = spread(out, a.shape, axis)
    return spread(g, a.shape, axis) * _deviation(a, axis, ddof) * np.where(out == 0, 0, 1 / np.where(out == 0, 1, out))


std = op(np.std, a=_std)

# Running sums and differences
cumsum = op(
    np.cumsum,
    a=lambda g, a_shape, axis: (
        np.flip(np.cumsum(np.flip(g, axis), axis), axis)
        if axis is not None
        else np.reshape(np.flip(np.cumsum(np.flip(g))), a_shape)
    ),
)


def _diff_rule(g, a_shape, n, axis):
    """(−1)ⁿ times the n-th difference of g between zeros."""
    if g.shape[axis] == 0:
        return np.zeros(a_shape, g.dtype)
    edge = np.zeros([n if i == axis % g.ndim else side for i, side in enumerate(a_shape)], g.dtype)
    return np.diff(np.concatenate([edge, g, edge], axis), n, axis) * (-1) ** n


_diff = op(lambda a, n=1, axis=-1: np.diff(a, n, axis), name="diff", a=_diff_rule)


def diff(a, n=1, axis=-1, prepend=None, append=None):
    """np.diff, which may be given values to put before and after."""
    for value, before in ((prepend, True), (append, False)):
        if value is not None:
            sides = tuple(1 if i == axis % a.ndim else side for i, side in enumerate(a.shape))
            value = np.broadcast_to(value, sides) if np.ndim(value) == 0 else value
            a = np.concatenate([value, a] if before else [a, value], axis)
    return _diff(a, n, axis)


RULES[np.diff] = diff


# Products, right also where there are zeros: of what stands before and what stands after, never by division
def rows_of(a: Any, axis: Any) -> Any:
    """`a` as a matrix whose rows are the entries that belong together, and the way back."""
    axes = axes_of(axis, a.ndim)
    kept = [i for i in range(a.ndim) if i not in axes]
    moved = np.transpose(a, (*kept, *axes))
    order = np.argsort((*kept, *axes))
    rows = np.reshape(moved, (math.prod(a.shape[i] for i in kept), math.prod(a.shape[i] for i in axes)))
    return rows, lambda rows: np.transpose(np.reshape(rows, moved.shape), order)


def _before(rows):
    """The product of the entries that stand before each in its row."""
    return np.cumprod(np.concatenate([np.ones_like(rows[:, :1]), rows[:, :-1]], 1), 1)


def _prod_rule(g, a, axis):
    """The product of all other entries."""
    rows, back = rows_of(a, axis)
    return spread(g, a.shape, axis) * back(_before(rows) * np.flip(_before(np.flip(rows, 1)), 1))


def _cumprod_rule(g, a, axis):
    """Before each entry × s, with s_j = g_j + a_{j+1}·s_{j+1}: what comes after, as far as each result reaches."""
    rows, back = rows_of(a, axis)
    arrived, _ = rows_of(g if axis is not None else np.reshape(g, a.shape), axis)
    later = [arrived[:, -1:]]
    for j in reversed(range(rows.shape[1] - 1)):
        later.append(arrived[:, j : j + 1] + rows[:, j + 1 : j + 2] * later[-1])
    return back(_before(rows) * np.concatenate(later[::-1], 1))


prod = op(np.prod, a=_prod_rule)
cumprod = op(np.cumprod, a=_cumprod_rule)


def average(a, axis=None, weights=None, *, keepdims=False):
    """Σwa/Σw."""
    if weights is None:
        return np.mean(a, axis, keepdims=keepdims)
    if np.shape(weights) != np.shape(a):
        axes, sides = axes_of(axis, np.ndim(a)), np.shape(a)
        if axis is None or np.shape(weights) != tuple(sides[i] for i in axes):
            raise ShapeError(
                f"average: expected weights {sides} or one for each entry along axis, got {np.shape(weights)}, "
                f"axis={axis}; say along which axis they go"
            )
        weights = np.transpose(weights, np.argsort(axes))
        weights = np.reshape(weights, [side if i in axes else 1 for i, side in enumerate(sides)])
    total = np.sum(weights, axis, keepdims=keepdims)
    if (total == 0).any():
        raise ZeroDivisionError("average: expected weights with a sum that is not 0, got 0; give one that counts")
    return np.sum(a * weights, axis, keepdims=keepdims) / total


RULES[np.average] = average
