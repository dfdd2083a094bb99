"""Calls with shapes, axes, indices and keywords that do not fit: an error of the right kind that names op and shapes."""

import numpy as np
import pytest

from minigrad import Tensor, ops
from minigrad.engine.errors import GradientError, LabelError, ShapeError

FIT = "expected arguments that fit each other, got "
AXES = "expected axes that there are, each once, got "
WHOLE = "expected whole numbers as axis, got "
INDEX = "expected an index that fits the shape, got "

# What is called with a tensor (2, 3), and what the message begins with.
SHAPES = [
    (lambda t: t @ t, f"matmul: {FIT}x (2, 3), y (2, 3)"),
    (lambda t: np.dot(t, t), f"dot: {FIT}a (2, 3), b (2, 3)"),
    (lambda t: np.inner(t, np.ones(2)), f"inner: {FIT}a (2, 3), b (2,)"),
    (lambda t: np.tensordot(t, t, 1), f"tensordot: {FIT}a (2, 3), b (2, 3), axes=1"),
    (lambda t: np.vdot(t, np.ones(2)), f"vdot: {FIT}a (2, 3), b (2,)"),
    (lambda t: np.einsum("ijk->i", t), f"einsum: {FIT}operands (2, 3), subscripts='ijk->i'"),
    (lambda t: np.einsum("ij,jk->ik", t, t), f"einsum: {FIT}operands (2, 3), (2, 3), subscripts='ij,jk->ik'"),
    (lambda t: np.einsum("ij,jk->ik", t), f"einsum: {FIT}operands (2, 3), subscripts='ij,jk->ik'"),
    (lambda t: np.einsum("i$->i", t), f"einsum: {FIT}operands (2, 3), subscripts='i$->i'"),
    (lambda t: np.concatenate([t, np.ones((2, 2))]), f"concatenate: {FIT}arrays (2, 3), (2, 2)"),
    (lambda t: np.concatenate([t.sum(), t.sum()]), f"concatenate: {FIT}arrays (), ()"),
    (lambda t: np.concatenate([t, t], 5), f"concatenate: {AXES}arrays (2, 3), (2, 3), axis=5"),
    (lambda t: np.vstack([t, np.ones(2)]), f"concatenate: {FIT}arrays (2, 3), (1, 2), axis=0"),
    (lambda t: np.hstack([t, np.ones((3, 1))]), f"concatenate: {FIT}arrays (2, 3), (3, 1), axis=1"),
    (lambda t: np.diff(t, prepend=np.ones((3, 3))), f"concatenate: {FIT}arrays (3, 3), (2, 3), axis=-1"),
    (lambda t: np.stack([t[0], t]), f"stack: {FIT}arrays (3,), (2, 3)"),
    (lambda t: np.stack([t, t], 5), f"stack: {AXES}arrays (2, 3), (2, 3), axis=5"),
    (lambda t: np.split(t, 2, 1), f"split: {FIT}ary (2, 3), indices_or_sections=2, axis=1"),
    (lambda t: np.array_split(t, 0), f"array_split: {FIT}ary (2, 3), indices_or_sections=0"),
    (lambda t: np.hsplit(t.sum(), 1), f"hsplit: {FIT}ary ()"),
    (lambda t: np.dsplit(t, 1), f"dsplit: {FIT}ary (2, 3)"),
    (lambda t: np.broadcast_arrays(t, np.ones(2)), f"broadcast_arrays: {FIT}args0 (2, 3), args1 (2,)"),
    (lambda t: np.broadcast_to(t, (3,)), f"broadcast_to: {FIT}array (2, 3), shape=(3,)"),
    (lambda t: t.reshape(4), f"reshape: {FIT}a (2, 3), shape=4"),
    (lambda t: t.reshape(-1, -1), f"reshape: {FIT}a (2, 3), shape=(-1, -1)"),
    (lambda t: t.transpose(0, 0), "transpose: expected "),
    (lambda t: np.transpose(t, (0,)), f"transpose: {FIT}a (2, 3), axes=(0,)"),
    (lambda t: t[:0].max(), f"max: {FIT}a (0, 3)"),
    (lambda t: np.min(t[:, :0], axis=1), f"min: {FIT}a (2, 0), axis=1"),
    (lambda t: np.argmax(t[:0]), f"argmax: {FIT}a (0, 3)"),
    (lambda t: t[:0].argmin(), f"argmin: {FIT}a (0, 3)"),
    (lambda t: np.argmax(t, 2), f"argmax: {AXES}a (2, 3), axis=2"),
    (lambda t: t.argsort(5), f"argsort: {AXES}a (2, 3), axis=5"),
    (lambda t: t.any(4), f"any: {AXES}a (2, 3), axis=4"),
    (lambda t: np.sort(t, 2), f"sort: {AXES}a (2, 3), axis=2"),
    (lambda t: np.flip(t, 2), f"flip: {AXES}m (2, 3), axis=2"),
    (lambda t: np.roll(t, 1, 5), f"roll: {AXES}a (2, 3), shift=1, axis=5"),
    (lambda t: np.squeeze(t, 0), f"squeeze: {AXES}a (2, 3), axis=0"),
    (lambda t: np.moveaxis(t, 0, 4), f"moveaxis: {AXES}a (2, 3), source=0, destination=4"),
    (lambda t: np.swapaxes(t, 0, 4), f"swapaxes: {AXES}a (2, 3), axis1=0, axis2=4"),
    (lambda t: np.expand_dims(t, 7), f"expand_dims: {AXES}a (2, 3), axis=7"),
    (lambda t: np.take(t, [0], 2), f"take: {AXES}a (2, 3), indices=[0], axis=2"),
    (lambda t: np.take_along_axis(t, np.array([0]), 1), f"take_along_axis: {FIT}arr (2, 3), indices (1,) int64, axis=1"),
    (lambda t: np.repeat(t, [1, 2], 1), f"repeat: {FIT}a (2, 3), repeats=[1, 2], axis=1"),
    (lambda t: np.tile(t, -1), f"tile: {FIT}A (2, 3), reps=-1"),
    (lambda t: np.pad(t, -1), f"pad: {FIT}array (2, 3), pad_width=-1"),
    (lambda t: np.pad(t, 1, "linear_ramp"), f"pad: {FIT}array (2, 3), pad_width=1, mode='linear_ramp'"),
    (lambda t: np.diagonal(t, 0, 1, 1), f"diagonal: {AXES}a (2, 3), offset=0, axis1=1, axis2=1"),
    (lambda t: np.diag(t[None]), f"diag: {FIT}v (1, 2, 3)"),
    (lambda t: np.linalg.norm(t, axis=(0, 1, 2)), f"norm: {FIT}x (2, 3), axis=(0, 1, 2)"),
    (lambda t: np.linalg.norm(t, "x"), f"norm: {FIT}x (2, 3), ord='x'"),
    (np.linalg.inv, f"inv: {FIT}a (2, 3)"),
    (np.linalg.det, f"det: {FIT}a (2, 3)"),
    (np.linalg.slogdet, f"slogdet: {FIT}a (2, 3)"),
    (lambda t: np.linalg.solve(t[:, :2], np.ones(3)), f"solve: {FIT}a (2, 2), b (3,)"),
    (lambda t: np.average(t, weights=np.ones(2)), "average: expected weights (2, 3) or one for each entry along axis, got (2,), axis=None; say along which"),
    (lambda t: ops.logsumexp(t, 4), f"logsumexp: {AXES}z (2, 3), axis=4"),
    (lambda t: ops.softmax(t[:, :0]), f"softmax: {FIT}z (2, 0)"),
    (lambda t: ops.softmax(t.sum()), f"softmax: {FIT}z ()"),
    (lambda t: ops.softmax_residual(t, np.ones((2, 2))), f"softmax_residual: {FIT}z (2, 3), t (2, 2)"),
    (lambda t: ops.linear(t, np.ones((2, 2))), f"linear: {FIT}x (2, 3), weight (2, 2)"),
    (lambda t: ops.linear(t, np.ones((3, 2)), np.ones(3)), f"linear: {FIT}x (2, 3), weight (3, 2), bias (3,)"),
    (lambda t: t == np.ones(4), f"equal: {FIT}x (2, 3), y (4,); they clash in axis -1: 3 and 4"),
    (lambda t: t < np.ones(4), f"less: {FIT}x (2, 3), y (4,); they clash in axis -1: 3 and 4"),
    (lambda t: np.isclose(t, np.ones(4)), f"isclose: {FIT}a (2, 3), b (4,)"),
    (lambda t: np.where(np.ones(4, bool), t, 0), f"where: {FIT}condition (4,) bool, x (2, 3), y=0; they clash in axis -1: 4 and 3"),
    (lambda t: np.clip(t, np.ones(2), None), f"clip: {FIT}a (2, 3), a_min (2,), a_max=None; they clash in axis -1: 3 and 2"),
]  # fmt: skip
OTHERS = [
    (lambda t: np.einsum(3, t), TypeError, "einsum: expected subscripts as text, got int; write 'ij,jk->ik'"),
    (lambda t: np.average(t, weights=np.zeros((2, 3))), ZeroDivisionError, "average: expected weights with a sum that is not 0, got 0; give one that counts"),
    (lambda t: np.argmax(t, 1.5), TypeError, f"argmax: {WHOLE}a (2, 3), axis=1.5"),
    (lambda t: np.prod(t, "a"), TypeError, f"prod: {WHOLE}a (2, 3), axis='a'"),
    (lambda t: np.sum(t, np.array([0, 1])), TypeError, f"sum: {WHOLE}a (2, 3), axis (2,) int64"),
    (lambda t: t.sum(axs=1), TypeError, "sum: no argument 'axs'; did you mean 'axis'?"),
    (lambda t: t.sum(dim=1), TypeError, "sum: no argument 'dim'; here it is axis"),
    (lambda t: ops.softmax(t, dim=1), TypeError, "softmax: no argument 'dim'; it has z"),
    (lambda t: ops.relu(x=t, z=1), TypeError, "relu: no argument 'z'; it has x"),
    (lambda t: np.clip(t, a_min=0, a_max=1, c=2), TypeError, "clip: no argument 'c'; it has "),
    (lambda t: ops.linear(t), TypeError, "linear: expected x, weight, bias, got no weight; give it a value"),
    (lambda t: t + "a", TypeError, "add: expected numbers, got x (2, 3), y='a'; give a number, or an array of them"),
    (lambda t: t @ t, ShapeError,
     f"matmul: {FIT}x (2, 3), y (2, 3); the last side of x, 3, must be the second last of y, 2; transpose one of them, or make them"),
    (lambda t: t @ np.ones(2), ShapeError, f"matmul: {FIT}x (2, 3), y (2,); the last side of x, 3, must be the first of y, 2; transpose"),
    (lambda t: np.round(t, "a"), TypeError, "round: expected numbers, got a (2, 3), decimals='a'"),
    (lambda t: t < "a", TypeError, "less: expected numbers, got x (2, 3), y='a'"),
    (lambda t: np.take(t, [7]), IndexError, f"take: {INDEX}a (2, 3), indices=[7]"),
    (lambda t: np.take_along_axis(t, np.array([[0, 9]]), 1), IndexError, f"take_along_axis: {INDEX}arr (2, 3), indices (1, 2) int64"),
    (lambda t: t[2], IndexError, f"getitem: {INDEX}a (2, 3), index=2"),
    (lambda t: t[np.ones((3, 3), bool)], IndexError, f"getitem: {INDEX}a (2, 3), index (3, 3) bool"),
    (lambda t: np.add(t, t, casting="unsafe"), TypeError, "add: expected no casting= on a Tensor, got 'unsafe'"),
    (lambda t: np.sum(t, out=np.ones(())), GradientError, "sum: expected no out= with Tensors"),
    (lambda t: np.einsum(t, [0, 1]), TypeError, "einsum: expected subscripts as text, got Tensor; write 'ij,jk->ik'"),
    (lambda t: np.linalg.svd(t), GradientError, "np.linalg.svd: expected a function with a rule"),
    (lambda t: np.divmod(t, 2), GradientError, "np.divmod: expected a function with a rule"),
    (lambda t: np.add.at(np.ones(3), [0], t[0]), GradientError, "np.add.at: expected a plain call np.add(…)"),
    (lambda t: ops.softmax_residual(t, np.array([0, 3])), LabelError, "softmax_residual: expected labels from 0 to 2, got 3 in row 1; number the classes from 0"),
    (lambda t: ops.softmax_residual(t, np.array([-1, 0])), LabelError, "softmax_residual: expected labels from 0 to 2, got -1 in row 0"),
    (lambda t: ops.softmax_residual(t, np.array([255, 0], np.uint8)), LabelError, "softmax_residual: expected labels from 0 to 2, got 255 in row 0"),
]  # fmt: skip


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize(
    ("f", "error", "said"),
    [*((f, ShapeError, said) for f, said in SHAPES), *OTHERS],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_named(f, error, said, recorded):
    t = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=recorded)
    with pytest.raises(error) as caught:
        f(t)
    text = str(caught.value)
    assert text.startswith(said)
    assert "; " in text  # and what to do, or what NumPy says
    assert t.grad is None


def test_for_the_gradient_of_a_determinant_the_matrix_must_be_regular():
    out = np.linalg.det(Tensor(np.ones((2, 2)), requires_grad=True))
    assert out.item() == 0
    with pytest.raises(GradientError, match="det: the rule for a failed: Singular matrix; give a regular matrix"):
        out.backward()
