"""Functions that pick entries: the gradient is added where they came from, twice if they were picked twice."""

import numpy as np

from minigrad.engine.arraylike import RULES
from minigrad.engine.op import op


def _simple(index):
    """Whether no entry can be picked twice: slices, numbers, a mask."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None or part is Ellipsis or isinstance(part, (int, slice, np.integer)) or np.asarray(part).dtype == bool
        for part in parts
    )


def _put(g_in, index, shape):
    """Zeros of `shape`, with the entries of `g_in` added at `index`."""
    out = np.zeros(shape, g_in.dtype)
    if _simple(index):
        out[index] = g_in
    else:
        np.add.at(out, index, g_in)
    return out


put = op(_put, name="put", g_in=lambda g, index: g[index])
getitem = op(
    lambda a, index: a[index],
    name="getitem",
    args="a index",
    a=lambda g, a_shape, index: put(g, index, a_shape),
    view=True,
)
RULES["getitem"] = getitem


def _along(indices, axis, ndim):
    """The index that `take_along_axis` stands for."""
    grid = np.ogrid[tuple(slice(side) for side in indices.shape)]
    return tuple(indices if i == axis % ndim else line for i, line in enumerate(grid))


take_along_axis = op(
    np.take_along_axis,
    arr=lambda g, arr_shape, indices, axis: put(g, _along(indices, axis, len(arr_shape)), arr_shape),
)
take = op(
    lambda a, indices, axis=None: np.take(a, indices, axis),
    name="take",
    a=lambda g, a_shape, indices, axis: (
        put(g, np.unravel_index(indices, a_shape), a_shape)
        if axis is None
        else put(g, (*(slice(None),) * (axis % len(a_shape)), np.asarray(indices)), a_shape)
    ),
)
RULES[np.take] = take
