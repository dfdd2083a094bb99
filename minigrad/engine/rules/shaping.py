"""Functions that move entries and change none: the gradient is moved back."""

import numpy as np

from minigrad.engine.arraylike import RULES
from minigrad.engine.op import cast, op, sum_to
from minigrad.engine.rules.indexing import put
from minigrad.engine.rules.plain import told
from minigrad.engine.rules.reductions import axes_of
from minigrad.engine.values import data_of

RULES["cast"] = cast

copy = op(np.copy, a=lambda g: g)
reshape = op(np.reshape, args="a shape order='C' copy=None", a=lambda g, a_shape: np.reshape(g, a_shape), view=True)
ravel = op(np.ravel, a=lambda g, a_shape: np.reshape(g, a_shape), view=True)
squeeze = op(np.squeeze, a=lambda g, a_shape: np.reshape(g, a_shape), view=True)
expand_dims = op(np.expand_dims, a=lambda g, a_shape: np.reshape(g, a_shape), view=True)
swapaxes = op(np.swapaxes, a=lambda g, axis1, axis2: np.swapaxes(g, axis1, axis2), view=True)
moveaxis = op(np.moveaxis, a=lambda g, source, destination: np.moveaxis(g, destination, source), view=True)
transpose = op(np.transpose, a=lambda g, axes: np.transpose(g, _inverse(axes, g.ndim)), view=True)
broadcast_to = op(np.broadcast_to, array=lambda g, array_shape: sum_to(g, array_shape), view=True)
flip = op(np.flip, m=lambda g, axis: np.flip(g, axis), view=True)
roll = op(np.roll, a=lambda g, shift, axis: np.roll(g, tuple(np.negative(shift)) if np.ndim(shift) else -shift, axis))
tril = op(np.tril, m=lambda g, k: np.tril(g, k))
triu = op(np.triu, m=lambda g, k: np.triu(g, k))


def _inverse(axes, ndim):
    return None if axes is None else np.argsort([a % ndim for a in axes])


# Joining and cutting
def _pieces(g, sides, axis):
    """Cut `g` along `axis` into pieces of the given lengths."""
    ends = np.cumsum(sides)
    before = (slice(None),) * (axis % g.ndim)
    return [g[(*before, slice(end - side, end))] for side, end in zip(sides, ends)]


def _concatenate_rule(g, arrays_shape, axis):
    if axis is None:
        pieces = _pieces(g, [int(np.prod(shape, dtype=int)) for shape in arrays_shape], 0)
        return [np.reshape(piece, shape) for piece, shape in zip(pieces, arrays_shape)]
    return _pieces(g, [shape[axis] for shape in arrays_shape], axis)


concatenate = op(np.concatenate, args="arrays axis=0", arrays=_concatenate_rule)
stack = op(
    np.stack,
    arrays=lambda g, arrays_shape, axis: [
        np.squeeze(piece, axis) for piece in _pieces(g, [1] * len(arrays_shape), axis)
    ],
)
atleast_1d = op(lambda a: np.atleast_1d(a), name="atleast_1d", a=lambda g, a_shape: np.reshape(g, a_shape), view=True)
atleast_2d = op(lambda a: np.atleast_2d(a), name="atleast_2d", a=lambda g, a_shape: np.reshape(g, a_shape), view=True)
atleast_3d = op(lambda a: np.atleast_3d(a), name="atleast_3d", a=lambda g, a_shape: np.reshape(g, a_shape), view=True)


def _columns(tup):
    """One-dimensional arrays as columns."""
    return [np.transpose(np.atleast_2d(a)) if np.ndim(a) < 2 else a for a in tup]


def _each(function):
    """The function on one array, or on each of several."""
    return lambda *arrays: function(arrays[0]) if len(arrays) == 1 else tuple(map(function, arrays))


def _hstack(tup):
    arrays = [np.atleast_1d(a) for a in tup]
    return np.concatenate(arrays, 0 if arrays and np.ndim(arrays[0]) == 1 else 1)


def _broadcast_arrays(*args):
    shapes = [a.shape for a in told(np.broadcast_arrays)(*map(data_of, args))]
    return tuple(np.broadcast_to(a, shape) for a, shape in zip(args, shapes))


RULES |= {
    np.atleast_1d: _each(atleast_1d),
    np.atleast_2d: _each(atleast_2d),
    np.atleast_3d: _each(atleast_3d),
    np.vstack: lambda tup: np.concatenate([np.atleast_2d(a) for a in tup], 0),
    np.hstack: _hstack,
    np.dstack: lambda tup: np.concatenate([np.atleast_3d(a) for a in tup], 2),
    np.column_stack: lambda tup: np.concatenate(_columns(tup), 1),
    np.broadcast_arrays: _broadcast_arrays,
    np.fliplr: lambda m: np.flip(m, 1),
    np.flipud: lambda m: np.flip(m, 0),
}


def _split(function, axis_of):
    """A function of the split family: it shows on the plain array where it cuts."""
    on_arrays = told(function)

    def split(ary, *args, **kwargs):
        parts = on_arrays(data_of(ary), *args, **kwargs)
        axis = axis_of(ary.ndim, *args[1:], **kwargs)
        return _pieces(ary, [part.shape[axis] for part in parts], axis)

    return split


RULES |= {
    np.split: _split(np.split, lambda ndim, axis=0, **_: axis),
    np.array_split: _split(np.array_split, lambda ndim, axis=0, **_: axis),
    np.hsplit: _split(np.hsplit, lambda ndim, **_: 1 if ndim > 1 else 0),
    np.vsplit: _split(np.vsplit, lambda ndim, **_: 0),
    np.dsplit: _split(np.dsplit, lambda ndim, **_: 2),
}


# Repeating
def _tile_rule(g, A_shape, reps):
    """The sum over the copies."""
    reps = reps if isinstance(reps, tuple) else tuple(np.atleast_1d(reps))
    sides = (1,) * (len(reps) - len(A_shape)) + A_shape
    reps = (1,) * (len(sides) - len(reps)) + reps
    split = np.reshape(g, [n for pair in zip(reps, sides) for n in pair])
    return np.reshape(np.sum(split, tuple(range(0, 2 * len(sides), 2))), A_shape)


def _repeat_rule(g, a_shape, repeats, axis):
    """Added up where each copy came from."""
    if axis is None:
        size = int(np.prod(a_shape, dtype=int))
        return np.reshape(put(g, (np.repeat(np.arange(size), repeats),), (size,)), a_shape)
    index = np.repeat(np.arange(a_shape[axis]), repeats)
    return put(g, (*(slice(None),) * (axis % len(a_shape)), index), a_shape)


tile = op(np.tile, A=_tile_rule)
repeat = op(np.repeat, a=_repeat_rule)


def _pad_rule(g, array_shape, pad_width, mode):
    """Added up where each entry came from, which padding the positions shows; what is constant came from nowhere."""
    positions = np.arange(int(np.prod(array_shape, dtype=int))).reshape(array_shape)
    origin = np.pad(positions, pad_width, mode, **({"constant_values": -1} if mode == "constant" else {}))
    return np.reshape(put(g[origin >= 0], (origin[origin >= 0],), (positions.size,)), array_shape)


def _pad(array, pad_width, mode="constant", *, constant_values=0):
    if mode not in ("constant", "edge", "reflect", "symmetric", "wrap"):
        raise ValueError(f"pad: expected mode constant, edge, reflect, symmetric or wrap, got {mode!r:.60}")
    return np.pad(array, pad_width, mode, **({"constant_values": constant_values} if mode == "constant" else {}))


pad = op(_pad, name="pad", array=_pad_rule)
RULES[np.pad] = pad


# Diagonals
def _on_diagonal(g, shape, offset, axis1, axis2):
    """Zeros of a shape, with the last axis of `g` along a diagonal."""
    axes = axes_of((axis1, axis2), len(shape))
    order = [*(i for i in range(len(shape)) if i not in axes), *axes]
    i = np.arange(g.shape[-1])
    rows, columns = i + max(-offset, 0), i + max(offset, 0)
    moved = put(g, (..., rows, columns), tuple(shape[i] for i in order))
    return np.transpose(moved, np.argsort(order))


diagonal = op(
    np.diagonal,
    a=lambda g, a_shape, offset, axis1, axis2: _on_diagonal(g, a_shape, offset, axis1, axis2),
    view=True,
)
diag = op(
    np.diag,
    v=lambda g, v_shape, k: np.diagonal(g, k) if len(v_shape) == 1 else _on_diagonal(g, v_shape, k, 0, 1),
    view=True,
)


def trace(a, offset=0, axis1=0, axis2=1):
    """The sum of a diagonal."""
    return np.sum(np.diagonal(a, offset, axis1, axis2), -1)


RULES[np.trace] = trace
