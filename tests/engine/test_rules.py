"""Every rule, in first and second order and both float types, against derivatives of the function itself."""

import math
import re

import numpy as np
import pytest

from minigrad import Tensor, elementwise, grad, op, ops
from minigrad.engine.errors import GradientError
from minigrad.engine.op import OWN
from minigrad.engine.rules import plain
from minigrad.engine.tensor import RULES
from minigrad.testing import gradcheck
from tests.engine import oracle
from tests.engine.cases import CALLS, ELEMENTWISE, EVERY, MASK, SHAPES, A, between, elementwise_inputs, named

KEYS = list(dict.fromkeys(key for _, key, _, _ in EVERY))
each_function = pytest.mark.parametrize("key", KEYS, ids=named)


def rows_of(key):
    return [(name, f, inputs) for name, other, f, inputs in EVERY if other == key]


def leaves(arrays, dtype=np.float64):
    return [Tensor(x, requires_grad=True, dtype=dtype) for x in arrays]


def gradients(ts):
    """What arrived at the leaves; 0 where nothing did."""
    return [np.zeros(t.shape, t.dtype) if t.grad is None else t.grad.data for t in ts]


def matrices(f, arrays):
    """The engine's matrix of derivatives by each array: a walk for each entry of the result."""
    ts = leaves(arrays)
    out = f(*ts)
    rows = [np.zeros((out.size, t.size)) for t in ts]
    for i, at in enumerate(np.ndindex(out.shape) if out.requires_grad else ()):
        seed = np.zeros(out.shape)
        seed[at] = 1
        out.backward(seed, retain_graph=True)
        for row, t in zip(rows, ts):
            if t.grad is not None:
                row[i], t.grad = t.grad.data.ravel(), None
    return rows


def wrong_in_first_order(f, arrays, rng):
    """By how many times what the oracle can tell the engine's derivatives differ from its."""
    true, exact = oracle.jacobians(f, arrays, rng)
    return max(oracle.far(found, matrix) for found, matrix in zip(matrices(f, arrays), true)) / exact


def bent(f, arrays, weight, **how):
    """The gradient of Σ w·(f + f²/2): what comes in to the rules depends on the inputs, too."""
    ts = leaves(arrays)
    out = f(*ts)
    if out.requires_grad:
        ((1 + 0.5 * out) * out * weight).sum().backward(**how)
    return ts


def wrong_in_second_order(f, arrays, rng):
    """The Hessian times a direction, against differences of the gradient."""
    weight = rng.standard_normal(np.shape(f(*arrays)))
    along = [rng.standard_normal(x.shape) for x in arrays]

    def gradient(h):
        return np.concatenate([g.ravel() for g in gradients(bent(f, oracle.moved(arrays, along, h), weight))])

    true, _ = oracle.differences(gradient, oracle.reach(arrays, along))
    ts = bent(f, arrays, weight, create_graph=True)
    slopes = [(t.grad * d).sum() for t, d in zip(ts, along) if t.grad is not None]
    for t in ts:
        t.grad = None
    total = sum(slopes)
    if getattr(total, "requires_grad", False):
        total.backward()
    return oracle.far(np.concatenate([g.ravel() for g in gradients(ts)]), true)


@each_function
def test_a_rule_gives_the_derivative_of_the_function(key):
    rng = np.random.default_rng(0)
    wrong = {name: wrong_in_first_order(f, inputs, rng) for name, f, inputs in rows_of(key)}
    assert {name: error for name, error in wrong.items() if not error <= 1} == {}


@each_function
def test_a_rule_gives_the_second_derivative_too(key):
    rng = np.random.default_rng(1)
    wrong = {name: wrong_in_second_order(f, inputs, rng) for name, f, inputs in rows_of(key)}
    assert {name: error for name, error in wrong.items() if not error <= 1e-8} == {}


@each_function
def test_a_tensor_gives_the_bytes_that_numpy_gives(key):
    for name, f, inputs in rows_of(key):
        for dtype in (np.float64, np.float32):
            arrays = [x.astype(dtype) for x in inputs]
            assert oracle.identical(f(*leaves(arrays, dtype)).data, np.asarray(f(*arrays))), name


# A constant in float64 is among their inputs.
DOUBLE = ("power #6", "matmul #11", "einsum #16", "linear #3", "diff #5", "cast #0")


@each_function
def test_float32_in_gives_float32_out_forward_and_backward(key):
    for name, f, inputs in rows_of(key):
        results = []
        for dtype in (np.float32, np.float64):
            ts = leaves([x.astype(np.float32) for x in inputs], dtype)
            out = f(*ts)
            assert out.dtype == dtype or key is np.float_power or name in DOUBLE, name
            if out.requires_grad:
                out.backward(np.random.default_rng(2).standard_normal(out.shape, np.float32).astype(out.dtype))
            results.append(gradients(ts))
        for single, double in zip(*results):
            assert single.dtype == np.float32, name
            assert oracle.far(single, double) <= 1e-6, name


@pytest.mark.slow
@pytest.mark.parametrize("key", ELEMENTWISE, ids=named)
def test_slopes_are_right_wherever_the_function_is_smooth(key):
    rng = np.random.default_rng(3)
    for shape in SHAPES * 20:
        inputs = elementwise_inputs(key, shape)
        assert wrong_in_first_order(key, inputs, rng) <= 1, inputs
        assert wrong_in_second_order(key, inputs, rng) <= 1e-8, inputs


@pytest.mark.slow
@pytest.mark.parametrize("key", CALLS, ids=named)
def test_rules_are_right_at_thirty_places_beside(key):
    rng = np.random.default_rng(5)
    for name, f, inputs in rows_of(key):
        if "#" not in name or name == "getitem #14" or name.startswith("clip"):
            continue  # entrywise functions have a test of their own; these compare with given numbers, and have kinks there
        for _ in range(30):
            moved = [x * (1 + 0.02 * rng.uniform(-1, 1, x.shape)) for x in inputs]  # in the same order; zeros stay
            assert wrong_in_first_order(f, moved, rng) <= 1, (name, moved)
            assert wrong_in_second_order(f, moved, rng) <= 1e-8, (name, moved)


@pytest.mark.slow
@each_function
def test_gradcheck_blames_no_rule(key):
    for name, f, inputs in rows_of(key):
        assert gradcheck(f, *inputs, order=2).error < 2e-9, name


class TestTheOracle:
    """What is to find mistakes finds them."""

    @pytest.mark.parametrize(
        ("f", "rule", "exact"),
        [(np.exp, lambda x: np.exp(x), 1e-12), (lambda x: np.cbrt(x), lambda x: np.cbrt(x) / x / 3, 1e-9)],
    )
    def test_sees_a_slope_that_is_wrong_in_its_last_digits(self, f, rule, exact):
        x, rng = between(0.3, 1.2, 2, 3), np.random.default_rng(0)
        for factor in (1, 1 + 3 * exact):
            made = elementwise(lambda x: f(x), name="made", x=lambda x: factor * rule(x))  # noqa: B023  # used at once
            assert (wrong_in_first_order(made, [x], rng) <= 1) == (factor == 1)

    def test_sees_an_entry_that_goes_to_the_wrong_place(self):
        made = op(lambda a: a * a, name="made", a=lambda g, a: (2 * a * g)[::-1])
        assert wrong_in_first_order(made, [between(0.3, 1.2, 3)], np.random.default_rng(0)) > 1e6

    def test_sees_a_rule_whose_own_derivative_is_wrong(self):
        half = elementwise(lambda x: np.cos(x), name="half", x=lambda x: np.sin(x))
        made = elementwise(lambda x: np.sin(x), name="sine", x=lambda x: half(x))
        x, rng = between(0.3, 1.2, 3), np.random.default_rng(0)
        assert wrong_in_first_order(made, [x], rng) <= 1
        assert wrong_in_second_order(made, [x], rng) > 1e-2

    def test_believes_no_complex_step_of_a_function_that_is_not_analytic(self):
        rng = np.random.default_rng(0)
        for f in (np.abs, lambda x: x * np.real(x), lambda x: np.linalg.norm(x), lambda x: np.cbrt(x)):
            assert oracle.jacobians(f, [between(0.3, 1.2, 3)], rng)[1] == oracle.NEAR
        assert oracle.jacobians(np.sin, [between(0.3, 1.2, 3)], rng)[1] == oracle.EXACT


def without_a_row(rules):
    """The functions of minigrad's own that no row of the table calls."""
    checked = {*ELEMENTWISE, *CALLS, *plain.ANSWERS}
    called = {id(key) for key in checked} | {id(RULES[key]) for key in checked if key in RULES}
    parts = {
        "diff",
        "einsum",
        "slogdet",
        "atleast_1d",
        "atleast_2d",
        "atleast_3d",
        "put",
        "normal",
    }  # of those that have one
    return [
        key for key in rules if key not in checked and id(RULES[key]) not in called and RULES[key].name not in parts
    ]


def test_every_registered_function_has_a_row():
    assert without_a_row(OWN) == []
    made = elementwise(lambda x: x + 1, name="more", x=1)
    assert without_a_row([made.forward]) == [made.forward]


# What the fused functions are, spelled out.
PLAIN = {
    ops.sigmoid: lambda x: 1 / (1 + np.exp(-x)),
    ops.softplus: lambda x: np.log(1 + np.exp(x)),
    ops.relu: lambda x: np.where(x > 0, x, 0),
    ops.leaky_relu: lambda x: np.where(x > 0, x, 0.01 * x),
    ops.elu: lambda x: np.where(x > 0, x, np.exp(x) - 1),
    ops.silu: lambda x: x / (1 + np.exp(-x)),
    ops.gelu: lambda x: x * np.reshape([0.5 * math.erfc(-v / math.sqrt(2)) for v in x.flat], x.shape),
    ops.softmax: lambda z: np.exp(z) / np.sum(np.exp(z), -1, keepdims=True),
    ops.log_softmax: lambda z: z - np.log(np.sum(np.exp(z), -1, keepdims=True)),
    ops.logsumexp: lambda z: np.log(np.sum(np.exp(z), -1)),
    ops.softmax_residual: lambda z, t: t.sum(-1, keepdims=True) * np.exp(z) / np.sum(np.exp(z), -1, keepdims=True) - t,
    ops.linear: lambda x, weight, bias: x @ weight + bias,
}  # fmt: skip


@pytest.mark.parametrize("fused", PLAIN, ids=named)
def test_a_fused_function_is_what_it_stands_for(fused):
    rng, count = np.random.default_rng(4), len(PLAIN[fused].__code__.co_varnames)
    for dtype, exact in ((np.float64, 1e-14), (np.float32, 1e-6)):
        arrays = [
            rng.uniform(-2, 2, (5, 5)[: 2 - (name == "bias")]).astype(dtype)
            for name in PLAIN[fused].__code__.co_varnames
        ]
        found = fused(*arrays)
        assert found.dtype == dtype
        assert oracle.far(found, PLAIN[fused](*[x.astype(float) for x in arrays]), 1.0 if count < 3 else 5.0) <= exact
        if fused.__class__.__name__ == "Op" and fused.reference is not None:
            assert oracle.far(found, fused.reference(*arrays), 1.0 if count < 3 else 5.0) <= exact


@pytest.mark.parametrize("fused", [ops.softmax, ops.log_softmax], ids=named)
def test_rows_of_very_many_scores_are_added_up_row_by_row(fused):
    z = np.random.default_rng(5).uniform(-2, 2, (3, 150))
    assert oracle.far(fused(z), PLAIN[fused](z), 1.0) <= 1e-14
    slope = grad(lambda z: (fused(z) * np.cos(z)).sum())(z)
    assert oracle.far(slope, grad(lambda z: (PLAIN[fused](z) * np.cos(z)).sum())(z)) <= 1e-13


def test_norms_made_of_singular_values_have_two_derivatives_and_say_that_there_is_no_third():
    def norm(x):
        return np.linalg.norm(x, "nuc")

    def second(x):
        return (grad(lambda y: (grad(norm)(y) ** 3).sum())(x) ** 2).sum()

    assert np.isfinite(second(A))
    with pytest.raises(GradientError, match=r"np.linalg.svd: expected a function with a rule"):
        grad(second)(A)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda t: np.sum(t, where=MASK), "sum: expected no where= on a Tensor"),
        (lambda t: np.exp(t, dtype="c16"), "exp: expected no dtype= on a Tensor"),
        (lambda t: np.sum(t, initial=1.0), "sum: expected no initial= on a Tensor"),
        (lambda t: np.mean(t, dtype=np.float32), "mean: expected no dtype= on a Tensor"),
        (lambda t: np.var(t, correction=1), "var: expected no correction= on a Tensor"),
        (lambda t: np.std(t, mean=np.zeros((1, 1))), "std: expected no mean= on a Tensor"),
    ],
)
def test_a_keyword_that_no_rule_knows_is_refused(call, text):
    with pytest.raises(TypeError, match=text):
        call(Tensor(A, requires_grad=True))


@pytest.mark.parametrize(
    ("function", "cure"),
    [
        (np.fft.fft, r"minigrad.op\(np.fft.fft, a=lambda g, …: …\)"),
        (np.append, r"minigrad.op\(np.append, arr=lambda g, …: …\)"),
        (np.spacing, r"minigrad.elementwise\(np.spacing, x=lambda x: …\)"),
    ],
)
def test_a_function_without_a_rule_says_how_to_get_one(function, cure):
    path = cure.partition("(")[2].partition(",")[0]
    with pytest.raises(GradientError, match=f"^{path}: expected a function with a rule.*register it with {cure}, or"):
        function(Tensor(A, requires_grad=True), *[A] * (function is np.append))


def test_a_ufunc_from_elsewhere_is_called_by_its_own_name():
    special = pytest.importorskip("scipy.special")
    with pytest.raises(
        GradientError, match=r"^voigt_profile: .*register it with minigrad.elementwise\(voigt_profile, x="
    ):
        special.voigt_profile(Tensor(A, requires_grad=True), A, A)


def test_a_function_of_two_inputs_gets_a_slope_for_each():
    with pytest.raises(
        GradientError, match=r"minigrad.elementwise\(np.nextafter, x=lambda x, y: …, y=lambda x, y: …\)"
    ):
        np.nextafter(Tensor(A, requires_grad=True), A)


@pytest.mark.parametrize("kind", ["constant", "uniform"])
def test_column_sums_of_a_million_rows_of_float32_are_right(kind):
    g = np.full((1_000_000, 3), 0.1, np.float32)
    if kind == "uniform":
        g = np.random.default_rng(0).random(g.shape, np.float32)
    b = Tensor(np.zeros(3, np.float32), requires_grad=True)
    ops.linear(np.zeros((1_000_000, 1), np.float32), np.zeros((1, 3), np.float32), b).backward(g)
    assert b.grad.data == pytest.approx(g.sum(0, dtype=float), rel=2e-6)
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
    tables = re.findall(r"^(\w+): ", text, re.MULTILINE)
    assert tables[:7] == ["contraction", "elementwise", "indexing", "linalg", "reductions", "shaping", "fused"]
    assert "multiply             ∂x: y   ∂y: x" in text
    assert "power                ∂x: y·x**(y−1), and 0 for y = 0" in text
