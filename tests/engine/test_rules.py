"""Every rule, first and second order, against differences of values."""

import numpy as np
import pytest

from minigrad import Tensor, ops
from minigrad.engine.errors import GradientError, ShapeError
from minigrad.engine.op import OWN
from minigrad.engine.rules import plain
from minigrad.testing import gradcheck

RNG = np.random.default_rng(0)


def between(low, high, *shape):
    return RNG.uniform(low, high, shape)


A, B = between(0.2, 0.8, 2, 3), between(1.1, 1.9, 2, 3)
SIGNED, ROW, CUBE = between(-1.5, 1.5, 2, 3) + 0.01, between(0.3, 0.9, 3), between(-1, 1, 2, 3, 4)
MASK = np.array([[True, False, True], [False, True, True]])

# What is registered → functions of it, each with inputs that lie away from kinks.
TABLE = {
    np.add: [(np.add, A, SIGNED), (lambda x: x + 2, A), (lambda x: 2 + x, A)],
    np.subtract: [(np.subtract, A, SIGNED), (lambda x: 1 - x, A)],
    np.multiply: [(np.multiply, A, SIGNED), (lambda x: x * x, A)],
    np.divide: [(np.divide, A, B), (lambda x: 1 / x, B), (lambda x: x / 3, A)],
    np.negative: [(np.negative, A)],
    np.positive: [(np.positive, A)],
    np.square: [(np.square, SIGNED)],
    np.sqrt: [(np.sqrt, A)],
    np.cbrt: [(np.cbrt, A)],
    np.reciprocal: [(np.reciprocal, B)],
    np.power: [
        (np.power, A, B),
        (lambda x: x**3, SIGNED),
        (lambda x: x**-1, B),
        (lambda x: x**0.5, A),
        (lambda y: 2.0**y, A),
        (lambda x: x**0, A),
    ],
    np.exp: [(np.exp, SIGNED)],
    np.exp2: [(np.exp2, SIGNED)],
    np.expm1: [(np.expm1, SIGNED)],
    np.log: [(np.log, A)],
    np.log2: [(np.log2, A)],
    np.log10: [(np.log10, A)],
    np.log1p: [(np.log1p, A)],
    np.logaddexp: [(np.logaddexp, A, SIGNED), (lambda x: np.logaddexp(0, x), SIGNED)],
    np.sin: [(np.sin, SIGNED)],
    np.cos: [(np.cos, SIGNED)],
    np.tan: [(np.tan, A)],
    np.arcsin: [(np.arcsin, A)],
    np.arccos: [(np.arccos, A)],
    np.arctan: [(np.arctan, SIGNED)],
    np.sinh: [(np.sinh, SIGNED)],
    np.cosh: [(np.cosh, SIGNED)],
    np.tanh: [(np.tanh, SIGNED)],
    np.arcsinh: [(np.arcsinh, SIGNED)],
    np.arccosh: [(np.arccosh, B)],
    np.arctanh: [(np.arctanh, A)],
    np.hypot: [(np.hypot, A, B)],
    np.absolute: [(np.absolute, SIGNED), (abs, SIGNED)],
    np.fabs: [(np.fabs, SIGNED)],
    np.where: [(lambda x, y: np.where(MASK, x, y), A, B), (lambda x: np.where(MASK, x, 0), A)],
    np.maximum: [(np.maximum, A, B), (np.maximum, SIGNED, A + 0.05)],
    np.minimum: [(np.minimum, A, B), (np.minimum, SIGNED, A + 0.05)],
    np.clip: [
        (lambda x: np.clip(x, -0.6, 0.6), SIGNED),
        (lambda x: np.clip(x, None, 0.45), A),
        (lambda x, low: np.clip(x, low, 5.0), SIGNED, ROW),
    ],
    np.sign: [(np.sign, SIGNED)],
    np.floor: [(np.floor, A)],
    np.ceil: [(np.ceil, A)],
    np.rint: [(np.rint, A)],
    np.trunc: [(np.trunc, A)],
    np.sum: [(np.sum, CUBE), (lambda x: np.sum(x, 1), CUBE), (lambda x: np.sum(x, axis=(0, -1), keepdims=True), CUBE)],
    np.mean: [(np.mean, CUBE), (lambda x: x.mean(-1), CUBE), (lambda x: np.mean(x, axis=(0, 1)), CUBE)],
    np.max: [(np.max, CUBE), (lambda x: np.max(x, axis=1), CUBE), (lambda x: x.max((0, 2), keepdims=True), CUBE)],
    np.min: [(np.min, CUBE), (lambda x: np.min(x, axis=-1), CUBE)],
    np.prod: [(np.prod, A), (lambda x: np.prod(x, axis=1), CUBE)],
    np.cumsum: [(np.cumsum, CUBE), (lambda x: np.cumsum(x, 1), CUBE)],
    np.var: [(np.var, CUBE), (lambda x: np.var(x, axis=1, ddof=1), CUBE)],
    np.std: [(np.std, CUBE), (lambda x: np.std(x, axis=(0, 2), ddof=1, keepdims=True), CUBE)],
    np.reshape: [(lambda x: np.reshape(x, (4, -1)) ** 2, CUBE), (lambda x: x.reshape(6, 4) ** 2, CUBE)],
    np.ravel: [(lambda x: np.ravel(x) ** 2, CUBE)],
    np.squeeze: [(lambda x: np.squeeze(x, 1) ** 2, between(0, 1, 2, 1, 3))],
    np.expand_dims: [(lambda x: np.expand_dims(x, 1) ** 2, A)],
    np.swapaxes: [(lambda x: np.swapaxes(x, 0, 2) ** 2, CUBE)],
    np.moveaxis: [(lambda x: np.moveaxis(x, 0, -1) ** 2, CUBE)],
    np.transpose: [
        (lambda x: np.transpose(x) ** 2, CUBE),
        (lambda x: x.transpose(1, 2, 0) ** 2, CUBE),
        (lambda x: x.T**2, A),
    ],
    np.broadcast_to: [
        (lambda x: np.broadcast_to(x, (4, 2, 3)) ** 2, A),
        (lambda x: np.broadcast_to(x, (2, 3)) ** 2, between(0, 1, 1, 3)),
    ],
    np.flip: [(lambda x: np.flip(x) ** 2, A), (lambda x: np.flip(x, 1) ** 2, A)],
    np.roll: [(lambda x: np.roll(x, 1) ** 2, A), (lambda x: np.roll(x, (1, 2), (0, 1)) ** 2, A)],
    np.concatenate: [
        (lambda x, y: np.concatenate([x, y]) ** 2, A, B),
        (lambda x, y: np.concatenate([x, A.astype(x.dtype), y], axis=-1) ** 2, A, B),
    ],
    np.stack: [(lambda x, y: np.stack([x, y]) ** 2, A, B), (lambda x, y: np.stack([x, y], axis=-1) ** 2, A, B)],
    np.matmul: [
        (np.matmul, A, between(-1, 1, 3, 2)),
        (lambda x, y: x @ y, A, ROW),
        (lambda x, y: x @ y, ROW, between(-1, 1, 3, 2)),
        (np.matmul, ROW, between(-1, 1, 3)),
        (np.matmul, between(-1, 1, 2, 3, 4), between(-1, 1, 4, 2)),
        (np.matmul, between(-1, 1, 1, 2, 3), between(-1, 1, 4, 3, 2)),
        (np.matmul, ROW, between(-1, 1, 2, 3, 2)),
        (np.matmul, between(-1, 1, 2, 2, 3), ROW),
    ],
    np.dot: [(np.dot, A, between(-1, 1, 3, 2)), (np.dot, ROW, ROW)],
    np.outer: [(np.outer, ROW, A)],
    np.take: [(lambda x: np.take(x, [2, 0, 2], 1) ** 2, A), (lambda x: np.take(x, [5, 0, 0]) ** 2, A)],
    np.take_along_axis: [(lambda x: np.take_along_axis(x, np.array([[0, 0], [2, 1]]), 1) ** 2, A)],
    "getitem": [
        (lambda x: x[1] ** 2, CUBE),
        (lambda x: x[:, ::-2] ** 2, CUBE),
        (lambda x: x[..., None, 0] ** 2, CUBE),
        (lambda x: x[[0, 1, 0]] ** 2, CUBE),
        (lambda x: x[np.array([0, 1]), :, np.array([3, 3])] ** 2, CUBE),
        (lambda x: x[MASK] ** 2, A),
        (lambda x: x[MASK, 1:] ** 2, CUBE),
    ],
    np.copy: [(lambda x: np.copy(x) ** 2, A)],
    np.round: [(np.round, A)],
    np.floor_divide: [(np.floor_divide, A, B)],
    np.remainder: [(np.remainder, B, A), (lambda x: x % 0.7, A)],
    np.fmod: [(np.fmod, B, A)],
    "cast": [(lambda x: x.astype(np.float64) ** 2, A)],
}
FUSED = {
    ops.relu: [(ops.relu, SIGNED)],
    ops.sigmoid: [(ops.sigmoid, 4 * SIGNED)],
    ops.softplus: [(ops.softplus, 4 * SIGNED)],
    ops.softmax: [(ops.softmax, 3 * SIGNED)],
    ops.log_softmax: [(ops.log_softmax, 3 * SIGNED), (ops.log_softmax, CUBE)],
    ops.logsumexp: [(ops.logsumexp, 3 * SIGNED)],
    ops.softmax_residual: [
        (ops.softmax_residual, 2 * SIGNED, A),
        (lambda z: ops.softmax_residual(z, np.array([2, 0])), 2 * SIGNED),
    ],
    ops.linear: [
        (ops.linear, A, between(-1, 1, 3, 4), between(-1, 1, 4)),
        (ops.linear, A, between(-1, 1, 3, 4)),
        (ops.linear, CUBE, between(-1, 1, 4, 2), between(-1, 1, 2)),
    ],
}  # fmt: skip
INTERNAL = {"put", "_put"}  # reached through indexing only
ROWS = [
    (f"{getattr(key, '__name__', key)} {i}", row)
    for table in (TABLE, FUSED)
    for key, rows in table.items()
    for i, row in enumerate(rows)
]


@pytest.mark.parametrize("row", [row for _, row in ROWS], ids=[name for name, _ in ROWS])
class TestEveryRule:
    def test_agrees_with_differences_first_and_second_order(self, row):
        f, *inputs = row
        assert gradcheck(f, *inputs, order=2).error < 2e-9

    def test_keeps_float32_forward_and_backward(self, row):
        f, *inputs = row
        tensors = [Tensor(x, requires_grad=True, dtype=np.float32) for x in inputs]
        out = f(*tensors)
        if getattr(f, "__name__", "") == "<lambda>" and "float64" in str(f.__code__.co_names):
            return  # asks for float64 itself
        assert out.dtype == np.float32
        out.sum().backward()
        assert {t.grad.dtype for t in tensors} == {np.dtype(np.float32)}

    def test_gives_the_value_that_numpy_gives(self, row):
        f, *inputs = row
        out = f(*[Tensor(x, requires_grad=True) for x in inputs])
        assert np.array_equal(out.data, f(*[Tensor(x) for x in inputs]).data)
        if isinstance(f, np.ufunc):
            assert np.array_equal(out.data, f(*inputs))


def test_every_registered_function_has_a_row():
    checked = {*TABLE, *(f.forward for f in FUSED), *plain.ANSWERS}
    names = [getattr(key, "__name__", key) for key in OWN - checked]
    assert [name for name in names if name != "<lambda>" and name not in INTERNAL] == []


@pytest.mark.parametrize("f", [np.exp, np.tanh, np.sum, np.square, ops.softplus, lambda x: x + 1, lambda x: x * x])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 1, 3), (2, 0)])
def test_empty_one_sided_and_zero_dimensional_arrays_are_ordinary(f, shape):
    x = Tensor(np.full(shape, 0.3), requires_grad=True)
    f(x).sum().backward()
    assert x.grad.shape == shape


SHAPES = [(), (1,), (3,), (2, 3), (2, 1), (1, 1), (4, 2, 3), (4, 1, 1), (0, 3)]


@pytest.mark.parametrize("op", [np.add, np.multiply, np.maximum, np.divide, np.power])
@pytest.mark.parametrize("first", SHAPES, ids=str)
@pytest.mark.parametrize("second", SHAPES, ids=str)
def test_shapes_broadcast_as_in_numpy_or_raise(op, first, second):
    x, y = between(0.3, 0.9, *first), between(1.1, 1.9, *second)
    tx, ty = Tensor(x, requires_grad=True), Tensor(y, requires_grad=True)
    try:
        expected = op(x, y)
    except ValueError:
        with pytest.raises(ShapeError, match=op.__name__):
            op(tx, ty)
        return
    op(tx, ty).sum().backward()
    assert np.array_equal(op(tx, ty).data, expected)
    assert (tx.grad.shape, ty.grad.shape) == (first, second)
    full = np.broadcast_shapes(first, second)
    wide = Tensor(np.broadcast_to(x, full).copy(), requires_grad=True)
    op(wide, np.broadcast_to(y, full)).sum().backward()
    lead = tuple(range(len(full) - len(first)))
    kept = tuple(len(lead) + i for i, side in enumerate(first) if side == 1 and full[len(lead) + i] != 1)
    assert tx.grad.data == pytest.approx(wide.grad.data.sum((*lead, *kept)).reshape(first), rel=1e-12)


class TestSingularPoints:
    @pytest.mark.parametrize(
        ("f", "x", "slope"),
        [
            (np.abs, 0.0, 0),
            (np.abs, -0.0, 0),
            (ops.relu, 0.0, 0),
            (lambda x: np.maximum(x, 0.0), 0.0, 0.5),
            (lambda x: np.clip(x, 0, 1), 0.0, 1),
            (lambda x: np.clip(x, 0, 1), 1.0, 1),
            (np.sign, 3.0, 0),
            (np.rint, 2.5, 0),
            (np.sqrt, 0.0, np.inf),
            (np.log, 0.0, np.inf),
            (lambda x: x**2, 0.0, 0),
            (lambda x: x**1, 0.0, 1),
            (lambda x: x**0.5, 0.0, np.inf),
            (lambda x: x**0, 0.0, 0),
            (lambda x: np.power(x, np.array(0.0)), 0.0, 0),
            (lambda x: np.hypot(x, 0.0), 0.0, 0),
            (np.exp, -np.inf, 0),
            (np.tanh, np.inf, 0),
            (ops.sigmoid, -np.inf, 0),
            (ops.sigmoid, np.inf, 0),
            (ops.softplus, -np.inf, 0),
            (ops.softplus, np.inf, 1),
            (lambda x: np.logaddexp(x, -np.inf), -np.inf, 0),
            (np.std, [2.0, 2.0, 2.0], [0, 0, 0]),
            (np.max, [1.0, 3.0, 3.0], [0, 0.5, 0.5]),
            (np.prod, [2.0, 0.0, 5.0], [0, 10, 0]),
            (np.prod, [2.0, 0.0, 0.0], [0, 0, 0]),
        ],
    )
    @pytest.mark.filterwarnings("ignore::RuntimeWarning")
    def test_the_convention_holds(self, f, x, slope):
        for dtype in (np.float64, np.float32):
            t = Tensor(x, requires_grad=True, dtype=dtype)
            f(t).backward()
            assert t.grad.data.tolist() == slope

    @pytest.mark.parametrize(
        ("f", "outside"),
        [
            (np.sqrt, [0.0, -1.0]), (np.log, [0.0, -1.0]), (np.log1p, [-1.0, -2.0]), (lambda x: 1 / x, [0.0, -0.0]),
            (np.arcsin, [1.0, 2.0]), (np.arccosh, [1.0, 0.0]), (lambda x: x**0.5, [0.0, -1.0]), (lambda x: x**-1, [0.0]),
            (np.exp, [1e3]), (np.cosh, [-1e3]), (lambda x: x * np.log(x), [0.0, -1.0]), (lambda x: np.sqrt(1 - x * x), [1.0, 2.0]),
        ],
    )  # fmt: skip
    @pytest.mark.filterwarnings("ignore::RuntimeWarning")
    def test_what_a_mask_leaves_out_gives_no_gradient_and_spoils_none(self, f, outside):
        x = np.array([1.3 if f is np.arccosh else 0.3, *outside])
        inside = np.array([True] + [False] * len(outside))
        t = Tensor(x, requires_grad=True)
        np.where(inside, f(t), 7.0).sum().backward(create_graph=True)
        alone = Tensor(x[:1], requires_grad=True)
        f(alone).sum().backward(create_graph=True)
        assert t.grad.data[1:].tolist() == [0.0] * len(outside)
        assert t.grad.data[0] == pytest.approx(alone.grad.data[0], rel=1e-13)
        first, second = t.grad, alone.grad
        t.grad = alone.grad = None
        first.sum().backward()
        second.sum().backward()
        assert t.grad.data[0] == pytest.approx(alone.grad.data[0], rel=1e-12)
        assert t.grad.data[1:].tolist() == [0.0] * len(outside)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda t: np.sum(t, where=MASK), "sum: expected no where= on a Tensor"),
        (lambda t: np.exp(t, dtype="c16"), "exp: expected no dtype= on a Tensor"),
        (lambda t: np.sum(t, initial=1.0), "sum: expected no initial= on a Tensor"),
        (lambda t: np.mean(t, dtype=np.float32), "mean: expected no dtype= on a Tensor"),
    ],
)
def test_a_keyword_that_no_rule_knows_is_refused(call, text):
    with pytest.raises(TypeError, match=text):
        call(Tensor(A, requires_grad=True))


def test_a_function_without_a_rule_says_how_to_get_one():
    with pytest.raises(
        GradientError, match=r"np.fft.fft: expected a function with a rule.*minigrad.op\(np.fft.fft, x="
    ):
        np.fft.fft(Tensor(A, requires_grad=True))


def test_column_sums_of_a_million_rows_of_float32_are_right():
    g = np.full((1_000_000, 3), 0.1, np.float32)
    b = Tensor(np.zeros(3, np.float32), requires_grad=True)
    ops.linear(np.zeros((1_000_000, 1), np.float32), np.zeros((1, 3), np.float32), b).backward(g)
    assert b.grad.data == pytest.approx(np.full(3, 1e6 * float(np.float32(0.1))), rel=2e-6)
    c = Tensor(np.zeros(3, np.float32), requires_grad=True)
    (np.zeros((1_000_000, 3), np.float32) + c).backward(g)
    assert c.grad.data == pytest.approx(b.grad.data, rel=1e-7)
