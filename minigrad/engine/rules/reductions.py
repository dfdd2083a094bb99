"""Functions that make one number of many: the gradient goes back to each entry that had a part in it."""

import math

import numpy as np

from minigrad.engine.op import op


def spread(g, shape, axis):
    """Give a reduced array its axes back, with length 1, so that it broadcasts against what was reduced."""
    if axis is None:
        return np.reshape(g, (1,) * len(shape))
    axes = {a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))}
    return np.reshape(g, tuple(1 if i in axes else side for i, side in enumerate(shape)))


def count(shape, axis):
    """How many entries each result was made of."""
    if axis is None:
        return math.prod(shape)
    return math.prod(shape[a] for a in (axis if isinstance(axis, tuple) else (axis,)))


def _deviation(a, axis, ddof):
    """(a − mean)/(n − ddof)."""
    return (a - np.mean(a, axis=axis, keepdims=True)) / (count(a.shape, axis) - ddof)


def _tied(a, out, axis):
    """1/k at each of the k entries that equal the extreme, 0 elsewhere."""
    equal = a == spread(out, a.shape, axis)
    return (equal / equal.sum(axis, keepdims=True)).astype(a.dtype)


def _others(a, axis):
    """The product of all other entries, right also where there are zeros."""
    zero = a == 0
    zeros = zero.sum(axis, keepdims=True)
    rest = np.prod(np.where(zero, 1, a), axis=axis, keepdims=True)
    return np.where(zeros == 0, rest / np.where(zero, 1, a), np.where(zero & (zeros == 1), rest, 0))


sum = op(np.sum, a=lambda g, a_shape, axis: np.broadcast_to(spread(g, a_shape, axis), a_shape))
mean = op(np.mean, a=lambda g, a_shape, axis: np.broadcast_to(spread(g, a_shape, axis) / count(a_shape, axis), a_shape))
max = op(np.max, a=lambda g, a, out, axis: spread(g, a.shape, axis) * _tied(a, out, axis))
min = op(np.min, a=lambda g, a, out, axis: spread(g, a.shape, axis) * _tied(a, out, axis))
prod = op(np.prod, a=lambda g, a, axis: spread(g, a.shape, axis) * _others(a, axis))
cumsum = op(
    np.cumsum,
    a=lambda g, a_shape, axis: (
        np.flip(np.cumsum(np.flip(g, axis), axis), axis)
        if axis is not None
        else np.reshape(np.flip(np.cumsum(np.flip(g))), a_shape)
    ),
)
var = op(np.var, a=lambda g, a, axis, ddof: spread(g, a.shape, axis) * 2 * _deviation(a, axis, ddof))


def _std(g, a, out, axis, ddof):
    """(a − mean)/((n − ddof)·std), and 0 for a constant."""
    out = spread(out, a.shape, axis)
    return spread(g, a.shape, axis) * _deviation(a, axis, ddof) * np.where(out == 0, 0, 1 / np.where(out == 0, 1, out))


std = op(np.std, a=_std)
