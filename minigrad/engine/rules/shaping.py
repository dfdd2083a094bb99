"""Functions that move entries and change none: the gradient is moved back."""

import numpy as np

from minigrad.engine.arraylike import RULES
from minigrad.engine.op import cast, op, sum_to

RULES["cast"] = cast

copy = op(np.copy, a=lambda g: g)
reshape = op(np.reshape, a=lambda g, a_shape: np.reshape(g, a_shape), view=True)
ravel = op(np.ravel, a=lambda g, a_shape: np.reshape(g, a_shape), view=True)
squeeze = op(np.squeeze, a=lambda g, a_shape: np.reshape(g, a_shape), view=True)
expand_dims = op(np.expand_dims, a=lambda g, a_shape: np.reshape(g, a_shape), view=True)
swapaxes = op(np.swapaxes, a=lambda g, axis1, axis2: np.swapaxes(g, axis1, axis2), view=True)
moveaxis = op(np.moveaxis, a=lambda g, source, destination: np.moveaxis(g, destination, source), view=True)
transpose = op(np.transpose, a=lambda g, axes: np.transpose(g, None if axes is None else np.argsort(axes)), view=True)
broadcast_to = op(np.broadcast_to, array=lambda g, array_shape: sum_to(g, array_shape), view=True)
flip = op(np.flip, m=lambda g, axis: np.flip(g, axis), view=True)
roll = op(np.roll, a=lambda g, shift, axis: np.roll(g, tuple(np.negative(shift)) if np.ndim(shift) else -shift, axis))


def _slices(g, sides, axis):
    """Cut `g` along `axis` into pieces of the given lengths."""
    ends = np.cumsum(sides)
    before = (slice(None),) * (axis % g.ndim)
    return [g[(*before, slice(end - side, end))] for side, end in zip(sides, ends, strict=True)]


concatenate = op(
    np.concatenate,
    args="arrays axis",
    arrays=lambda g, arrays_shape, axis: _slices(g, [shape[axis] for shape in arrays_shape], axis),
)
concatenate.defaults["axis"] = 0
stack = op(
    np.stack,
    arrays=lambda g, arrays_shape, axis: [
        np.squeeze(piece, axis) for piece in _slices(g, [1] * len(arrays_shape), axis)
    ],
)
