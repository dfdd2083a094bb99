"""Every rule, first and second order, against differences of values."""

import numpy as np
import pytest

from minigrad import Tensor, ops
from minigrad.engine.errors import GradientError, ShapeError
from minigrad.engine.op import OWN
from minigrad.engine.rules import plain
from minigrad.testing import gradcheck
from tests.engine.cases import CALLS, ELEMENTWISE, EVERY, FIRST_ORDER_ONLY, MASK, A, between

FEW = [case for case in EVERY if case[0].endswith("(2, 3)") or "#" in case[0]]  # of each function, one shape


@pytest.mark.parametrize(("key", "f", "inputs"), [case[1:] for case in FEW], ids=[case[0] for case in FEW])
def test_a_rule_agrees_with_differences_in_first_and_second_order(key, f, inputs):
    assert gradcheck(f, *inputs).error < 2e-9
    if f not in FIRST_ORDER_ONLY:
        assert gradcheck(f, *inputs, order=2).error < 2e-9
        return
    with pytest.raises(
        GradientError, match=r"np.linalg.svd: expected a function with a rule"
    ):  # it says so, and is never wrong
        gradcheck(f, *inputs, order=2)


def test_every_registered_function_has_a_row():
    checked = {*ELEMENTWISE, *CALLS, *plain.ANSWERS}
    theirs = [key for key in OWN if isinstance(key, np.ufunc) or getattr(key, "__module__", "").startswith("numpy")]
    assert [key for key in theirs if key not in checked] == []
    assert [name for name in ops.__all__ if getattr(ops, name) not in checked] == []


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
            (lambda x: ops.leaky_relu(x, 0.25), 0.0, 0.25),
            (lambda x: ops.elu(x, 0.25), 0.0, 0.25),
            (ops.leaky_relu, np.inf, 1),
            (ops.elu, np.inf, 1),
            (ops.elu, -np.inf, 0),
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
            (lambda a: ops.times_exp(a, np.inf), 0.0, np.inf),
            (lambda x: ops.times_exp(0.0, x), np.inf, 0),
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


def test_what_begins_with_an_array_is_a_method_too():
    t = Tensor(A, requires_grad=True)
    for name in (
        "exp",
        "log1p",
        "arctan2",
        "hypot",
        "sort",
        "norm",
        "average",
        "diff",
        "tril",
        "cumprod",
        "maximum",
        "pad",
        "round",
    ):
        assert callable(getattr(t, name))
    assert np.array_equal(t.arctan2(2.0).data, np.arctan2(A, 2.0))
    assert t.norm(axis=1).shape == (2,)
    assert not hasattr(t, "where")


def test_every_function_is_listed_with_its_rules():
    from minigrad.engine.__main__ import listing

    text = "\n".join(listing())
    for key in OWN:
        name = getattr(key, "__name__", str(key))
        if not name.startswith(("<", "_")) and key != "cast":
            assert name in text
    assert "multiply             ∂x: y   ∂y: x" in text
    assert "power                ∂x: y·x**(y−1), and 0 for y = 0" in text
