"""The nine ways in which an array can lie in memory."""

import tempfile

import numpy as np


def _memmap(x):
    if not x.size:
        return x.copy()  # nothing cannot be mapped
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, x.dtype, "w+", shape=x.shape or (1,))
        mapped[...] = x
        return mapped.reshape(x.shape)


def _unaligned(x):
    a = np.frombuffer(bytearray(x.nbytes + 1), np.uint8)[1:].view(x.dtype).reshape(x.shape)
    a[...] = x
    return a


def _every_other(x):
    wide = np.full((*x.shape, 2), np.nan if x.dtype.kind == "f" else -1, x.dtype)
    wide[..., 0] = x
    return wide[..., 0]


def _read_only(x):
    a = x.copy()
    a.flags.writeable = False
    return a


LAYOUTS = {
    "C": lambda x: x.copy("C"),
    "F": lambda x: x.copy("F"),
    "every other": _every_other,
    "negative stride": lambda x: np.flip(np.flip(x).copy()),
    "transposed": lambda x: np.moveaxis(np.moveaxis(x, 0, -1).copy(), -1, 0) if x.ndim else x.copy(),
    "zero stride": lambda x: np.broadcast_to(x[..., :1].copy(), x.shape) if x.ndim else np.broadcast_to(x.copy(), ()),
    "read-only": _read_only,
    "memmap": _memmap,
    "unaligned": _unaligned,
}  # those of zero stride have other entries


def root(a):
    """The array that owns the memory."""
    while isinstance(a.base, np.ndarray):
        a = a.base
    return a
