"""What the engine has rules for: for each function where it is smooth, and calls of it that between them use every way."""

import numpy as np

from minigrad import ops
from minigrad.engine.fused import surprise, surprises

RNG = np.random.default_rng(0)
SHAPES = [(), (0,), (1,), (3,), (2, 3), (2, 1, 3), (2, 0)]


def between(low, high, *shape):
    """Numbers of which no two are nearly equal, so that no step of a difference changes their order."""
    size = int(np.prod(shape, dtype=int))
    spaced = low + (high - low) * (RNG.permutation(size) + 0.25 + 0.5 * RNG.random(size)) / max(size, 1)
    return spaced.reshape(shape)


WIDE, POSITIVE, UNIT, ABOVE = (-2.1, 1.9), (0.2, 2.3), (-0.85, 0.8), (1.2, 2.8)

# Entry by entry: where each argument may lie. No argument is at a kink there.
ELEMENTWISE = {
    np.add: [WIDE, WIDE], np.subtract: [WIDE, WIDE], np.multiply: [WIDE, WIDE], np.divide: [WIDE, ABOVE],
    np.negative: [WIDE], np.positive: [WIDE], np.square: [WIDE], np.sqrt: [POSITIVE], np.cbrt: [POSITIVE],
    np.reciprocal: [ABOVE], np.power: [POSITIVE, WIDE], np.float_power: [POSITIVE, WIDE],
    np.remainder: [(1.1, 1.6), (0.85, 0.95)], np.fmod: [(1.1, 1.6), (-0.95, -0.85)],
    np.exp: [WIDE], np.exp2: [WIDE], np.expm1: [WIDE], np.log: [POSITIVE], np.log2: [POSITIVE], np.log10: [POSITIVE],
    np.log1p: [POSITIVE], np.logaddexp: [WIDE, WIDE], np.logaddexp2: [WIDE, WIDE],
    np.sin: [WIDE], np.cos: [WIDE], np.tan: [UNIT], np.arcsin: [UNIT], np.arccos: [UNIT], np.arctan: [WIDE],
    np.sinh: [WIDE], np.cosh: [WIDE], np.tanh: [WIDE], np.arcsinh: [WIDE], np.arccosh: [ABOVE], np.arctanh: [UNIT],
    np.degrees: [WIDE], np.radians: [WIDE], np.rad2deg: [WIDE], np.deg2rad: [WIDE],
    np.hypot: [POSITIVE, ABOVE], np.arctan2: [POSITIVE, ABOVE],
    np.absolute: [(-2.1, -0.2)], np.fabs: [POSITIVE],
    np.maximum: [(0.1, 0.9), ABOVE], np.minimum: [(0.1, 0.9), ABOVE], np.fmax: [ABOVE, UNIT], np.fmin: [ABOVE, UNIT],
    np.sign: [POSITIVE], np.floor: [(0.1, 0.9)], np.ceil: [(0.1, 0.9)], np.rint: [(0.6, 1.4)], np.trunc: [(0.1, 0.9)],
    np.fix: [(-0.9, -0.1)], np.round: [(0.6, 1.4)], np.around: [(0.6, 1.4)], np.floor_divide: [(1.1, 1.45), (0.75, 1.0)],
    ops.relu: [POSITIVE], ops.sigmoid: [WIDE], ops.softplus: [WIDE], ops.silu: [WIDE], ops.gelu: [WIDE],
    ops.leaky_relu: [(-2.1, -0.2)], ops.elu: [(-2.1, -0.2)],
    ops.times_exp: [WIDE, WIDE], surprises: [WIDE, POSITIVE, POSITIVE],
}  # fmt: skip
KINKED = {
    np.absolute, np.fabs, np.maximum, np.minimum, np.fmax, np.fmin, np.sign, np.floor, np.ceil, np.rint, np.trunc, np.fix,
    np.round, np.around, np.floor_divide, np.remainder, np.fmod, ops.relu,
    ops.leaky_relu,
}  # fmt: skip

UNIT_LOW = between(-1.0, -0.4, 2, 3)
A, B = between(0.2, 0.8, 2, 3), between(1.1, 1.9, 2, 3)
SIGNED, ROW, CUBE = between(-1.5, 1.5, 2, 3), between(0.3, 0.9, 3), between(-1, 1, 2, 3, 4)
SQUARE, WEIGHTS = between(-1, 1, 3, 3) + 2 * np.eye(3), between(0.5, 1.5, 4)
STACK = between(-1, 1, 2, 3, 3) + 2 * np.eye(3)
MASK = np.array([[True, False, True], [False, True, True]])
NONE = np.zeros((0, 3))
ZEROS = np.array([[2.0, 0.0, 5.0], [0.0, 3.0, 0.0]])

# Everything else: calls, each with its inputs.
CALLS = {
    np.power: [
        (lambda x: x**3, SIGNED), (lambda x: x**-1, B), (lambda x: x**0.5, A), (lambda y: 2.0**y, A), (lambda x: x**0, A),
        (lambda x: x**2, ZEROS), (lambda x: x**np.array([1.0, 2.0, 3.0]), SIGNED),
    ],
    np.add: [(lambda x: x + 2, A), (lambda x: 2 + x, A), (lambda x: 1 - x, A), (lambda x: x + x, A)],
    np.multiply: [(lambda x: x * x, A), (lambda x, y: x * y, A, ROW)],
    np.divide: [(lambda x: 1 / x, B), (lambda x: x / 3, A), (lambda x, y: x / y, ROW, B)],
    np.where: [
        (lambda x, y: np.where(MASK, x, y), A, B), (lambda x: np.where(MASK, x, 0), A), (lambda x: np.where(MASK, 0, x), ROW),
        (lambda x: np.where(True, x, 1), A), (lambda x: np.where([[1], [0]], x, 1.5), A),
    ],
    np.clip: [
        (lambda x: np.clip(x, -0.6, 0.62), SIGNED), (lambda x: np.clip(x, None, 0.45), A), (lambda x: np.clip(x, 0.45, None), A),
        (lambda x: x.clip(min=0.43), A), (lambda x: x.clip(max=0.43), A), (lambda x: x.clip(0.3, 0.43), A),
        (lambda x, low: np.clip(x, low, 5.0), SIGNED, ROW), (lambda x, low, high: np.clip(x, low, high), SIGNED, UNIT_LOW, ROW),
        (lambda x, low, high: np.clip(x, low, high), A, B, ROW),
    ],
    np.sum: [
        (np.sum, CUBE), (lambda x: np.sum(x, 1), CUBE), (lambda x: np.sum(x, axis=(0, -1), keepdims=True), CUBE), (np.sum, NONE),
        (lambda x: x.sum(0), NONE), (lambda x: x.sum(()), A), (lambda x: x.sum((2, 0)), CUBE),
    ],
    np.mean: [(np.mean, CUBE), (lambda x: x.mean(-1), CUBE), (lambda x: np.mean(x, axis=(0, 1)), CUBE), (lambda x: x.mean(-1), NONE)],
    np.max: [(np.max, CUBE), (lambda x: np.max(x, axis=1), CUBE), (lambda x: x.max((0, 2), keepdims=True), CUBE)],
    np.min: [(np.min, CUBE), (lambda x: np.min(x, axis=-1), CUBE), (lambda x: x.min((0, -1)), CUBE)],
    np.amax: [(np.amax, A)],
    np.amin: [(np.amin, A)],
    np.prod: [
        (np.prod, A), (lambda x: np.prod(x, axis=1), CUBE), (lambda x: x.prod((2, 0)), CUBE), (lambda x: np.prod(x, 1), ZEROS),
        (np.prod, np.array([2.0, 0.0, 5.0])), (lambda x: x.prod(0), NONE), (lambda x: x.prod(1, keepdims=True), ZEROS),
    ],
    np.cumprod: [
        (np.cumprod, A), (lambda x: np.cumprod(x, 1), CUBE), (lambda x: x.cumprod(-1), ZEROS), (lambda x: x.cumprod(0), NONE),
        (np.cumprod, ZEROS),
    ],
    np.cumsum: [(np.cumsum, CUBE), (lambda x: np.cumsum(x, 1), CUBE), (lambda x: x.cumsum(-1), NONE), (np.cumsum, between(0, 1))],
    np.var: [(np.var, CUBE), (lambda x: np.var(x, axis=1, ddof=1), CUBE), (lambda x: x.var((0, 2), keepdims=True), CUBE)],
    np.std: [(np.std, CUBE), (lambda x: np.std(x, axis=(0, 2), ddof=1, keepdims=True), CUBE)],
    np.average: [
        (np.average, CUBE), (lambda x: np.average(x, 1), CUBE), (lambda x, w: np.average(x, 2, w), CUBE, WEIGHTS),
        (lambda x, w: np.average(x, weights=w), A, B), (lambda x, w: np.average(x, (2, 0), weights=w), CUBE, between(0.5, 1.5, 4, 2)),
        (lambda x, w: np.average(x, axis=-1, weights=w, keepdims=True), CUBE, WEIGHTS),
    ],
    np.diff: [
        (np.diff, CUBE), (lambda x: np.diff(x, 2, 0), between(0, 1, 4, 2)), (lambda x: np.diff(x, n=3), CUBE), (lambda x: np.diff(x, 0), A),
        (lambda x: np.diff(x, 5), CUBE), (lambda x, y: np.diff(x, prepend=y, append=0.5), A, between(0, 1, 2, 2)), (np.diff, between(0, 1, 1)),
    ],
    np.reshape: [(lambda x: np.reshape(x, (4, -1)) ** 2, CUBE), (lambda x: x.reshape(6, 4) ** 2, CUBE), (lambda x: x.reshape((3, 0)), NONE)],
    np.ravel: [(lambda x: np.ravel(x) ** 2, CUBE), (lambda x: x.flatten() ** 2, CUBE.T)],
    np.squeeze: [(lambda x: np.squeeze(x, 1) ** 2, between(0, 1, 2, 1, 3)), (lambda x: x.squeeze() ** 2, between(0, 1, 1, 1))],
    np.expand_dims: [(lambda x: np.expand_dims(x, 1) ** 2, A), (lambda x: np.expand_dims(x, (0, -1)) ** 2, A)],
    np.swapaxes: [(lambda x: np.swapaxes(x, 0, 2) ** 2, CUBE)],
    np.moveaxis: [(lambda x: np.moveaxis(x, 0, -1) ** 2, CUBE), (lambda x: np.moveaxis(x, (0, 1), (-1, 0)) ** 2, CUBE)],
    np.transpose: [
        (lambda x: np.transpose(x) ** 2, CUBE), (lambda x: x.transpose(1, 2, 0) ** 2, CUBE), (lambda x: x.transpose((1, -1, 0)) ** 2, CUBE),
        (lambda x: x.T**2, A),
    ],
    np.broadcast_to: [(lambda x: np.broadcast_to(x, (4, 2, 3)) ** 2, A), (lambda x: np.broadcast_to(x, (2, 3)) ** 2, between(0, 1, 1, 3))],
    np.broadcast_arrays: [(lambda x, y: np.multiply(*np.broadcast_arrays(x, y)), A, ROW)],
    np.flip: [(lambda x: np.flip(x) ** 2, A), (lambda x: np.flip(x, 1) ** 2, A), (lambda x: np.flip(x, (0, 2)) ** 2, CUBE)],
    np.fliplr: [(lambda x: np.fliplr(x) ** 2, A)], np.flipud: [(lambda x: np.flipud(x) ** 2, A)],
    np.roll: [(lambda x: np.roll(x, 1) ** 2, A), (lambda x: np.roll(x, (1, 2), (0, 1)) ** 2, A), (lambda x: np.roll(x, -4, 1) ** 2, A)],
    np.tril: [(lambda x: np.tril(x) ** 2, SQUARE), (lambda x: np.tril(x, -1) ** 2, STACK)],
    np.triu: [(lambda x: np.triu(x) ** 2, SQUARE), (lambda x: np.triu(x, 1) ** 2, A)],
    np.copy: [(lambda x: np.copy(x) ** 2, A), (lambda x: x.copy(), A)],
    np.concatenate: [
        (lambda x, y: np.concatenate([x, y]) ** 2, A, B), (lambda x, y: np.concatenate([x, A.astype(x.dtype), y], axis=-1) ** 2, A, B),
        (lambda x, y: np.concatenate((x, y), axis=None) ** 2, A, ROW), (lambda x, y: np.concatenate([x, y]), NONE, A),
        (lambda x: np.concatenate([x, x]) ** 2, A),
    ],
    np.stack: [(lambda x, y: np.stack([x, y]) ** 2, A, B), (lambda x, y: np.stack([x, y], axis=-1) ** 2, A, B)],
    np.vstack: [(lambda x, y: np.vstack([x, y]) ** 2, A, ROW)],
    np.hstack: [(lambda x, y: np.hstack([x, y]) ** 2, A, B), (lambda x, y: np.hstack([x, y]) ** 2, ROW, ROW)],
    np.dstack: [(lambda x, y: np.dstack([x, y]) ** 2, A, B), (lambda x, y: np.dstack([x, y]) ** 2, ROW, ROW)],
    np.column_stack: [(lambda x, y: np.column_stack([x, y]) ** 2, A[0], np.ones((3, 2)))],
    np.atleast_1d: [(lambda x: np.atleast_1d(x) ** 2, between(0, 1)), (lambda x, y: np.multiply(*np.atleast_1d(x, y)), A, ROW)],
    np.atleast_2d: [(lambda x: np.atleast_2d(x) ** 2, ROW)],
    np.atleast_3d: [(lambda x: np.atleast_3d(x) ** 2, ROW), (lambda x: np.atleast_3d(x) ** 2, A)],
    np.split: [(lambda x: np.split(x, 2)[1] ** 2, A), (lambda x: np.split(x, [1, 2], axis=1)[1] ** 2, A), (lambda x: np.split(x, [1, 1], -1)[1], A)],
    np.array_split: [(lambda x: np.array_split(x, 2, 1)[0] ** 2, A)],
    np.hsplit: [(lambda x: np.hsplit(x, 3)[2] ** 2, A), (lambda x: np.hsplit(x, [1])[1] ** 2, ROW)],
    np.vsplit: [(lambda x: np.vsplit(x, 2)[0] ** 2, A)],
    np.dsplit: [(lambda x: np.dsplit(x, 2)[1] ** 2, CUBE)],
    np.tile: [
        (lambda x: np.tile(x, 2) ** 2, A), (lambda x: np.tile(x, (2, 1, 2)) ** 2, A), (lambda x: np.tile(x, (3,)) ** 2, CUBE),
        (lambda x: np.tile(x, (2, 2)) ** 2, ROW), (lambda x: np.tile(x, 0), A),
    ],
    np.repeat: [
        (lambda x: np.repeat(x, 2) ** 2, A), (lambda x: np.repeat(x, 3, axis=1) ** 2, A), (lambda x: np.repeat(x, [2, 0, 1], -1) ** 2, A),
        (lambda x: x.repeat(2, 0) ** 2, A),
    ],
    np.pad: [
        (lambda x: np.pad(x, 1) ** 2, A), (lambda x: np.pad(x, ((1, 0), (0, 2)), constant_values=3.0) ** 2, A),
        (lambda x: np.pad(x, 2, "edge") ** 2, A), (lambda x: np.pad(x, ((1, 1), (2, 1)), mode="reflect") ** 2, A),
        (lambda x: np.pad(x, 3, "symmetric") ** 2, A), (lambda x: np.pad(x, (0, 4), "wrap") ** 2, ROW),
    ],
    np.diag: [
        (lambda x: np.diag(x) ** 2, ROW), (lambda x: np.diag(x, -1) ** 2, ROW), (lambda x: np.diag(x) ** 2, SQUARE),
        (lambda x: np.diag(x, 1) ** 2, A), (lambda x: np.diag(x, -1) ** 2, A),
    ],
    np.diagonal: [
        (lambda x: np.diagonal(x) ** 2, A), (lambda x: np.diagonal(x, 1, 1, 2) ** 2, CUBE), (lambda x: x.diagonal(-1, axis1=2, axis2=0) ** 2, CUBE),
    ],
    np.trace: [(lambda x: np.trace(x) ** 2, SQUARE), (lambda x: np.trace(x, 1, 2, 1) ** 2, CUBE), (lambda x: x.trace(-1) ** 2, A)],
    np.matmul: [
        (np.matmul, A, between(-1, 1, 3, 2)), (lambda x, y: x @ y, A, ROW), (lambda x, y: x @ y, ROW, between(-1, 1, 3, 2)),
        (np.matmul, ROW, between(-1, 1, 3)), (np.matmul, CUBE, between(-1, 1, 4, 2)), (np.matmul, between(-1, 1, 1, 2, 3), between(-1, 1, 4, 3, 2)),
        (np.matmul, ROW, between(-1, 1, 2, 3, 2)), (np.matmul, between(-1, 1, 2, 2, 3), ROW), (np.matmul, NONE, A.T),
        (np.matmul, between(0, 1, 2, 0), NONE), (lambda x: x @ x, SQUARE), (lambda y: ROW @ y, A.T),
    ],
    np.dot: [
        (np.dot, A, between(-1, 1, 3, 2)), (np.dot, ROW, ROW + 0.1), (np.dot, between(0, 1), A), (np.dot, A, between(0, 1)), (np.dot, CUBE, WEIGHTS),
        (np.dot, CUBE, between(-1, 1, 2, 4, 2)), (np.dot, WEIGHTS, between(-1, 1, 2, 4, 2)), (lambda x, y: x.dot(y), A, ROW),
    ],
    np.inner: [(np.inner, A, B), (np.inner, ROW, A), (np.inner, ROW, ROW + 0.1), (np.inner, CUBE, WEIGHTS), (np.inner, between(0, 1), ROW), (np.inner, A, between(0, 1))],
    np.outer: [(np.outer, ROW, A), (np.outer, between(0, 1), ROW)],
    np.vdot: [(np.vdot, A, B), (np.vdot, ROW, ROW + 0.1)],
    np.tensordot: [
        (np.tensordot, CUBE, between(-1, 1, 3, 4, 2)), (lambda x, y: np.tensordot(x, y, 1), A, between(-1, 1, 3, 2)),
        (lambda x, y: np.tensordot(x, y, 0), ROW, A), (lambda x, y: np.tensordot(x, y, ([2, 0], [1, 2])), CUBE, between(-1, 1, 3, 4, 2)),
        (lambda x, y: np.tensordot(x, y, axes=((0, 1), (1, 0))), CUBE, between(-1, 1, 3, 2, 2)), (lambda x, y: np.tensordot(x, y, (-1, 0)), A, ROW),
    ],
    np.einsum: [
        (lambda x, y: np.einsum("ij,jk->ik", x, y), A, between(-1, 1, 3, 2)), (lambda x: np.einsum("ii->i", x) ** 2, SQUARE),
        (lambda x: np.einsum("ii", x) ** 2, SQUARE), (lambda x: np.einsum("ij->", x) ** 2, A), (lambda x: np.einsum("ij->ji", x) ** 2, A),
        (lambda x, y: np.einsum("ij,ij", x, y), A, B), (lambda x, y: np.einsum("i,i->i", x, y), ROW, ROW + 0.1), (lambda x, y: np.einsum("i,j", x, y), ROW, WEIGHTS),
        (lambda x, y: np.einsum("...ij,...jk", x, y), STACK, SQUARE), (lambda x, y: np.einsum("...i,i...->...", x, y), A, SQUARE[:, :2]),
        (lambda x, y, z: np.einsum("ij,jk,kl->il", x, y, z), A, SQUARE, A.T), (lambda x, y: np.einsum("bii,b->", x, y), STACK, between(0, 1, 2)),
        (lambda x: np.einsum("iij->j", x) ** 2, between(-1, 1, 2, 2, 3)), (lambda x, y: np.einsum("ij, kj -> k", x, y), A, B),
        (lambda x, y: np.einsum("ab...,b...->a...", x, y), CUBE, between(-1, 1, 3, 1)), (lambda x: np.einsum("ij,ij->i", x, x), A),
        (lambda x: np.einsum("ijk,k->ji", x, WEIGHTS, optimize=True), CUBE), (lambda x, y: np.einsum("ij,jk", x, y), NONE, SQUARE),
        (lambda x: np.einsum("...ii->...i", x) ** 2, STACK),
    ],
    np.take: [
        (lambda x: np.take(x, [2, 0, 2], 1) ** 2, A), (lambda x: np.take(x, [5, 0, 0]) ** 2, A), (lambda x: np.take(x, [-1, 0]) ** 2, A),
        (lambda x: np.take(x, 1, axis=0) ** 2, A), (lambda x: x.take([[0, 9], [-7, 2]], mode="wrap") ** 2, A), (lambda x: x.take([-3, 9], 1, mode="clip") ** 2, A),
    ],
    np.take_along_axis: [
        (lambda x: np.take_along_axis(x, np.array([[0, 0], [2, 1]]), 1) ** 2, A), (lambda x: np.take_along_axis(x, np.array([1, 1, 5]), None) ** 2, A),
        (lambda x: np.take_along_axis(x, np.array([[-1, 0, 1]]), 0) ** 2, A),
    ],
    np.sort: [(lambda x: np.sort(x) ** 2, CUBE), (lambda x: np.sort(x, 0) ** 2, A), (lambda x: np.sort(x, axis=None) ** 2, A), (np.sort, NONE)],
    np.linalg.norm: [
        (np.linalg.norm, ROW), (np.linalg.norm, CUBE), (np.linalg.norm, A), (lambda x: np.linalg.norm(x, axis=1), CUBE),
        (lambda x: np.linalg.norm(x, axis=-1, keepdims=True), CUBE), *[(lambda x, p=p: np.linalg.norm(x, p, axis=1), SIGNED) for p in (1, 2, 3, 0.5, -1, 1.5, np.inf, -np.inf, 0)],
        *[(lambda x, p=p: np.linalg.norm(x, p), SQUARE) for p in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)],
        *[(lambda x, p=p: np.linalg.norm(x, p, axis=(2, 0)), CUBE) for p in ("fro", "nuc", 1, 2, np.inf)],
        *[(lambda x, p=p: np.linalg.norm(x, p), A.T) for p in ("nuc", 2, -2)], (lambda x: np.linalg.norm(x, 3), ROW),
    ],
    np.linalg.inv: [(np.linalg.inv, SQUARE), (np.linalg.inv, STACK)],
    np.linalg.solve: [
        (np.linalg.solve, SQUARE, ROW), (np.linalg.solve, SQUARE, A.T), (np.linalg.solve, STACK, A.T), (np.linalg.solve, SQUARE, STACK),
        (np.linalg.solve, STACK, ROW),
    ],
    np.linalg.det: [(np.linalg.det, SQUARE), (np.linalg.det, STACK)],
    np.linalg.slogdet: [(lambda x: np.linalg.slogdet(x)[1], SQUARE), (lambda x: np.linalg.slogdet(x).logabsdet, -STACK)],
    "getitem": [
        (lambda x: x[1] ** 2, CUBE), (lambda x: x[:, ::-2] ** 2, CUBE), (lambda x: x[..., None, 0] ** 2, CUBE), (lambda x: x[[0, 1, 0]] ** 2, CUBE),
        (lambda x: x[np.array([0, 1]), :, np.array([3, 3])] ** 2, CUBE), (lambda x: x[MASK] ** 2, A), (lambda x: x[MASK, 1:] ** 2, CUBE),
        (lambda x: x[1, 2, 3] ** 2, CUBE), (lambda x: x[[]] ** 2, CUBE), (lambda x: x[()] ** 2, A), (lambda x: x[-1, [0, 0, -1]] ** 2, CUBE),
        (lambda x: x[[True, False], 1:] ** 2, A), (lambda x: x[np.ix_([0, 1], [2, 0])] ** 2, A), (lambda x: x[:, None, [[0, 2], [0, 0]]] ** 2, A),
        (lambda x: x[x > 0.5] ** 2, A), (lambda x: x[0:0] ** 2, A), (lambda x: x[np.int64(1), ...] ** 2, A), (lambda x: x[..., [0, 0], :] ** 2, CUBE),
        (lambda x: x[True] ** 2, A), (lambda x: x[MASK[:, 0], [0, 1]] ** 2, A[:, :2]),
    ],
    "cast": [(lambda x: x.astype(np.float64) ** 2, A)],
    ops.leaky_relu: [(lambda x: ops.leaky_relu(x, 0.3), SIGNED), (lambda x: ops.leaky_relu(x, alpha=2.0) ** 2, SIGNED)],
    ops.elu: [(ops.elu, SIGNED), (lambda x: ops.elu(x, 0.3) ** 2, SIGNED), (lambda x: ops.elu(x, alpha=2.0), B)],
    ops.softmax: [(ops.softmax, 3 * SIGNED), (ops.softmax, CUBE), (ops.softmax, ROW)],
    ops.log_softmax: [(ops.log_softmax, 3 * SIGNED), (ops.log_softmax, CUBE), (ops.log_softmax, ROW)],
    ops.logsumexp: [(ops.logsumexp, 3 * SIGNED), (ops.logsumexp, CUBE)],
    ops.softmax_residual: [
        (ops.softmax_residual, 2 * SIGNED, A), (lambda z: ops.softmax_residual(z, np.array([2, 0])), 2 * SIGNED),
        (lambda z: ops.softmax_residual(z, np.array([[0, 1, 3], [2, 0, 0]])), CUBE),
    ],
    surprise: [(lambda z: surprise(z, np.array([2, 0])), 2 * SIGNED), (lambda z: surprise(z, np.array([[0, 1, 3], [2, 0, 0]])), CUBE)],
    ops.linear: [
        (ops.linear, A, between(-1, 1, 3, 4), between(-1, 1, 4)), (ops.linear, A, between(-1, 1, 3, 4)),
        (ops.linear, CUBE, between(-1, 1, 4, 2), between(-1, 1, 2)), (lambda w, b: ops.linear(A, w, b), between(-1, 1, 3, 4), between(-1, 1, 4)),
    ],
}  # fmt: skip


def named(key):
    """How a function is called in the names of tests."""
    return getattr(key, "__name__", key)


def elementwise_inputs(key, shape):
    """Arrays of a shape, where the function is smooth."""
    return [between(low, high, *shape) for low, high in ELEMENTWISE[key]]


EVERY = [
    *((f"{named(key)} {shape}", key, key, elementwise_inputs(key, shape)) for key in ELEMENTWISE for shape in SHAPES),
    *((f"{named(key)} #{i}", key, f, inputs) for key, rows in CALLS.items() for i, (f, *inputs) in enumerate(rows)),
]
