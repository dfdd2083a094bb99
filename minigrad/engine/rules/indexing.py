"""Functions that pick entries: the gradient is added where they came from, twice if they were picked twice."""

import numpy as np

from minigrad.engine.arraylike import RULES
from minigrad.engine.op import op


def _once(index):
    """Whether no entry can be picked twice: slices, numbers, masks."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None or part is Ellipsis or isinstance(part, (int, slice, np.integer)) or np.asarray(part).dtype == bool
        for part in parts
    )


def _put(entries, index, shape):
    out = np.zeros(shape, entries.dtype)
    if _once(index):
        out[index] = entries
    else:
        np.add.at(out, index, entries)
    return out


put = op(_put, name="put", entries=lambda g, index: g[index])
"""Zeros of a shape, with the entries added at the index."""

getitem = op(lambda a, index: a[index], name="getitem", a=lambda g, a_shape, index: put(g, index, a_shape), view=True)
RULES["getitem"] = getitem


def along(indices, axis, ndim):
    """The index that `take_along_axis` stands for."""
    grid = np.ogrid[tuple(slice(side) for side in indices.shape)]
    return tuple(indices if i == axis % ndim else line for i, line in enumerate(grid))


def _flat(g, indices, shape):
    """`put` for an index into the entries in the order in which they are read."""
    size = int(np.prod(shape, dtype=int))
    return np.reshape(put(g, (np.asarray(indices, int),), (size,)), shape)


def _take_rule(g, a_shape, indices, axis, mode):
    """As `take` itself, negative and out of range as `mode` says."""
    side = int(np.prod(a_shape, dtype=int)) if axis is None else a_shape[axis]
    indices = np.take(np.arange(side), indices, mode=mode)
    return (
        _flat(g, indices, a_shape)
        if axis is None
        else put(g, (*(slice(None),) * (axis % len(a_shape)), indices), a_shape)
    )


take = op(
    lambda a, indices, axis=None, *, mode="raise": np.take(a, indices, axis, mode=mode), name="take", a=_take_rule
)
RULES[np.take] = take


def _along_rule(g, arr_shape, indices, axis):
    if axis is None:
        return _flat(g, indices, arr_shape)
    return put(g, along(indices, axis, len(arr_shape)), arr_shape)


take_along_axis = op(
    lambda arr, indices, axis=-1: np.take_along_axis(arr, indices, axis), name="take_along_axis", arr=_along_rule
)
RULES[np.take_along_axis] = take_along_axis


def _sort_rule(g, a, axis):
    """To where each entry came from; equal ones keep their order."""
    return _along_rule(g, a.shape, np.argsort(a, axis, kind="stable"), axis)


sort = op(lambda a, axis=-1, *, kind=None, stable=None: np.sort(a, axis, kind="stable"), name="sort", a=_sort_rule)
RULES[np.sort] = sort
