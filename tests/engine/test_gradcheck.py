"""gradcheck and check_op: they reject wrong rules, and blame no right one."""

import numpy as np
import pytest

from minigrad import Tensor, elementwise, gradcheck, op, ops
from minigrad.engine.errors import DTypeError, GradientError
from minigrad.testing import check_op
from minigrad.testing.gradcheck import _Line, derivative


def wrong(k):
    """Ten ops, each with a slope that is k times what it should be, and where their arguments may lie."""
    return {
        "exp": (elementwise(lambda x: np.exp(x), name="exp", x=lambda out: k * out), [(-2, 2)]),
        "product": (elementwise(lambda x, y: x * y, name="product", x=lambda y: k * y, y=lambda x: x), [(-2, 2), (-2, 2)]),
        "quotient": (
            elementwise(lambda x, y: x / y, name="quotient", x=lambda y: 1 / y, y=lambda x, y: -k * x / y / y),
            [(-2, 2), (0.5, 2)],
        ),
        "log": (elementwise(lambda x: np.log(x), name="log", x=lambda x: k / x), [(0.2, 3)]),
        "tanh": (elementwise(lambda x: np.tanh(x), name="tanh", x=lambda out: k * (1 - out * out)), [(-2, 2)]),
        "size": (elementwise(lambda x: np.abs(x), name="size", x=lambda x: k * np.sign(x)), [(-2, 2)]),
        "largest": (
            op(lambda a: np.max(a, -1), name="largest", a=lambda g, a, out: k * np.expand_dims(g, -1) * (a == np.expand_dims(out, -1))),
            [(-2, 2)],
        ),
        "square": (elementwise(lambda x: x * x, name="square", x=lambda x: 2 * k * x), [(-2, 2)]),
        "running": (op(lambda a: np.cumsum(a, -1), name="running", a=lambda g: k * np.flip(np.cumsum(np.flip(g, -1), -1), -1)), [(-2, 2)]),
        "softmax": (elementwise(lambda x, y: np.logaddexp(x, y), name="soft", x=lambda x, y: k / (1 + np.exp(y - x)), y=lambda x, y: 1 / (1 + np.exp(x - y))), [(-2, 2), (-2, 2)]),
    }  # fmt: skip


def verdicts(k, name, seeds):
    made, domains = wrong(k)[name]
    for seed in seeds:
        rng = np.random.default_rng(seed)
        yield gradcheck(made, *(rng.uniform(*d, (2, 3)) for d in domains), rng=seed, raises=False).ok


@pytest.mark.parametrize("name", wrong(1))
class TestTenOps:
    def test_wrong_in_the_eighth_digit_are_caught_and_right_are_not_blamed(self, name):
        assert not any(verdicts(1 + 1e-8, name, range(10)))
        assert all(verdicts(1, name, range(10)))

    @pytest.mark.slow
    def test_so_for_fifty_seeds(self, name):
        assert not any(verdicts(1 + 1e-8, name, range(50)))
        assert all(verdicts(1, name, range(50)))


class TestWhatItSays:
    @pytest.mark.parametrize(
        ("slope", "said"),
        [
            (
                lambda x: 2 * np.cos(x),
                r"input 0: the rule says 1.0806\d*, differences say 0.5403\d* \(ratio 2: factor\)",
            ),
            (lambda x: np.cos(x) / 2, "ratio ½: factor"),
            (lambda x: -np.cos(x), "ratio −1: sign"),
            (lambda x: 0 * x, r"the rule says 0, .*\(0: the gradient is cut\)"),
            (lambda x: np.cos(x) * 1.000001, r"ratio 1.000001"),
            (lambda x: np.cos(x) ** 2, r"ratio 0.54\d*\)"),
        ],
    )
    def test_has_both_numbers_and_what_their_ratio_hints_at(self, slope, said):
        made = elementwise(lambda x: np.sin(x), name="sine", x=slope)
        with pytest.raises(GradientError, match=f"^gradcheck: sine: .*{said}"):
            gradcheck(made, np.array(1.0))

    def test_names_input_and_entry(self):
        made = op(
            lambda a, b: a * b, name="product", a=lambda g, b: g * b, b=lambda g, a: g * a * [[1, 1, 1], [1, 1, 1.1]]
        )
        with pytest.raises(GradientError, match=r"product: input 1\[1, 2\]: the rule says .*ratio 1.1"):
            gradcheck(made, np.ones((2, 3)), np.full((2, 3), 2.0))

    def test_of_a_wrong_second_derivative_says_so(self):
        # right itself, but of two pieces that do not belong together: the slope of the slope is not that of cos
        half = elementwise(lambda x: np.cos(x), name="half", x=lambda x: np.sin(x))
        made = elementwise(lambda x: np.sin(x), name="sine", x=lambda x: half(x))
        assert gradcheck(made, np.array(0.7))
        with pytest.raises(GradientError, match=r"sine: second derivative, input 0: .*ratio −1: sign"):
            gradcheck(made, np.array(0.7), order=2)

    def test_without_raising_is_in_the_result(self):
        made = elementwise(lambda x: np.sin(x), name="sine", x=lambda x: 2 * np.cos(x))
        found = gradcheck(made, np.array(1.0), raises=False)
        assert not found
        assert found.error == pytest.approx(0.5)
        good = gradcheck(np.sin, np.array(1.0))
        assert good
        assert (good.worst, good.kinks) == ("every slope agrees", 0) or good.error < 1e-12

    def test_a_slope_that_is_not_finite_fails(self):
        made = elementwise(lambda x: np.sin(x), name="sine", x=lambda x: x * np.nan)
        assert not gradcheck(made, np.array(1.0), raises=False)


class TestKinks:
    def test_at_a_kink_anything_between_both_slopes_passes_and_nothing_else(self):
        x = np.array([0.0, 1.0])
        assert gradcheck(np.abs, x).kinks == 1
        assert gradcheck(ops.relu, x).kinks == 1
        one_sided = elementwise(lambda x: np.abs(x), name="size", x=lambda x: np.where(x < 0, -1.0, 1.0))
        assert gradcheck(one_sided, x).kinks == 1
        outside = elementwise(lambda x: np.abs(x), name="size", x=lambda x: np.where(x == 0, 3.0, np.sign(x)))
        with pytest.raises(GradientError, match=r"size: input 0\[0\]"):
            gradcheck(outside, x)

    @pytest.mark.parametrize("distance", [1e-2, 1e-3, 1e-4])
    def test_beside_a_kink_nothing_right_is_blamed_and_nothing_wrong_passes(self, distance):
        x = np.array([0.7 + distance, 0.7 - distance, 0.1])
        assert gradcheck(lambda t: np.clip(t * t, 0, 0.49), x)
        bad = elementwise(lambda v: np.minimum(v * v, 0.49), name="bad", v=lambda v: np.where(v < 0.7, 2.0001 * v, 0))
        assert not gradcheck(bad, x, raises=False)


class TestTheComplexStep:
    @staticmethod
    def line(f, x):
        return _Line(f, [np.array(x)], {0: np.ones(np.shape(x))}, 1.0)

    def test_is_right_to_rounding_where_a_function_is_analytic(self):
        assert self.line(lambda x: np.exp(np.sin(x)), 0.7).complex_step() == pytest.approx(
            np.cos(0.7) * np.exp(np.sin(0.7)), rel=1e-15
        )

    @pytest.mark.parametrize(
        "f", [lambda x: np.cbrt(x), lambda x: np.logaddexp(x, 0), lambda x: x.astype(float), lambda x: 1 / 0]
    )
    def test_is_nothing_where_complex_numbers_are_refused(self, f):
        assert np.isnan(self.line(f, 0.7).complex_step())

    @pytest.mark.parametrize("f", [lambda x: np.abs(x) * x, lambda x: x * np.real(x) if np.iscomplexobj(x) else x * x])
    def test_is_not_believed_where_a_function_is_not_analytic(self, f):
        made = op(f, name="made", x=lambda g, x: 2 * g * np.abs(x))
        assert gradcheck(made, np.array([0.3, 0.9]))

    def test_is_checked_entry_by_entry(self):
        def f(x):
            return np.concatenate([np.exp(x[:1]), np.abs(x[1:]) * 1e-9])

        made = op(f, name="mixed", x=lambda g, x: g * np.concatenate([np.exp(x[:1]), np.sign(x[1:]) * 1e-9]))
        assert gradcheck(made, np.array([0.3, 0.9]))


def test_differences_are_right_to_twelve_digits():
    for f, slope in [(np.exp, np.exp(0.7)), (np.cbrt, 0.7 ** (-2 / 3) / 3), (np.tanh, 1 - np.tanh(0.7) ** 2)]:
        found, doubt = derivative(lambda h, f=f: float(f(0.7 + h)), 0.07)
        assert found == pytest.approx(slope, rel=3e-12)
        assert doubt < 1e-9


class TestWhatMayBeAsked:
    def test_numbers_labels_and_float32_are_inputs_too(self):
        assert gradcheck(lambda z, t: ops.softmax_residual(z, t), np.ones((2, 3)) * [[1.0], [2.0]], np.array([0, 2]))
        assert gradcheck(np.exp, 1.0)
        assert gradcheck(np.exp, np.ones(3, np.float32))

    def test_of_many_entries_some_directions_are_checked(self):
        rng = np.random.default_rng(0)
        assert gradcheck(np.tanh, rng.standard_normal(200))
        made = elementwise(lambda x: np.tanh(x), name="tanh", x=lambda out: 1 - 1.01 * out * out)
        with pytest.raises(GradientError, match="input 0 along random direction"):
            gradcheck(made, rng.standard_normal(200))

    def test_the_same_generator_gives_the_same_result(self):
        x = np.linspace(0.1, 1, 5)
        assert gradcheck(np.sqrt, x, rng=3) == gradcheck(np.sqrt, x, rng=3)

    def test_inputs_are_not_changed(self):
        x = np.linspace(0.1, 1, 5)
        before = x.copy()
        gradcheck(lambda t: np.cumsum(t * t), x, order=2)
        assert np.array_equal(x, before)

    def test_what_cannot_be_checked_is_said(self):
        with pytest.raises(
            ValueError, match=r"expected order 1 or 2, got 3; a third is gradcheck\(grad\(f\), order=2\)"
        ):
            gradcheck(np.exp, 1.0, order=3)
        with pytest.raises(DTypeError, match=r"at least one input of floats, got none; write 2.0 for 2"):
            gradcheck(np.exp, 2)
        with pytest.raises(TypeError, match=r"expected a function, got 3; write gradcheck\(f, x\)"):
            gradcheck(3, 1.0)


class TestCheckOp:
    def test_finds_inputs_for_an_elementwise_op(self):
        for f in (np.exp, np.log, np.arccosh, np.multiply, np.hypot):
            from minigrad.engine.tensor import RULES

            assert check_op(RULES[f])

    def test_takes_them_for_any_other_with_its_parameters(self):
        from minigrad.engine.tensor import RULES

        a = np.random.default_rng(0).standard_normal((3, 4))
        assert check_op(RULES[np.cumsum], a, axis=1)
        assert check_op(ops.log_softmax, a)
        with pytest.raises(TypeError, match="check_op: expected inputs for cumsum, got none"):
            check_op(RULES[np.cumsum])
        with pytest.raises(TypeError, match="check_op: expected an op, got <ufunc 'exp'>"):
            check_op(np.exp)

    @pytest.mark.parametrize(
        ("made", "said"),
        [
            (elementwise(lambda x: np.sin(x), name="sine", x=lambda x: -np.cos(x)), r"check_op: sine: inputs \(\): input 0: .*sign"),
            (elementwise(lambda x: x * np.float64(2), name="twice", x=2), r"float32 in gives float64, float32 out"),
            (op(lambda a: a * 2, name="twice", a=lambda g: g[:1]), r"floats of shape \(2,\), got ndarray of shape \(1,\)"),
            (op(lambda a: a * 2.0, name="twice", a=lambda g: np.full(g.shape, 2.0) * np.asarray(g)), "np.asarray"),
        ],
    )  # fmt: skip
    def test_names_what_is_wrong(self, made, said):
        inputs = () if made.rules.get("x") else (np.array([0.3, 0.7]),)
        with pytest.raises(GradientError, match=said):
            check_op(made, *inputs)
        assert not check_op(made, *inputs, raises=False)

    def test_catches_a_slope_that_is_wrong_for_broadcast_arguments_only(self):
        def slope(x, y):
            return y + 0 * x if np.shape(x) == np.shape(y) else y * 1.5 + 0 * x

        made = elementwise(lambda x, y: x * y, name="product", x=slope, y=lambda x: x)
        with pytest.raises(GradientError, match=r"check_op: product: inputs .*ratio 1.5"):
            check_op(made)

    def test_order_one_is_for_ops_without_a_second_derivative(self):
        made = op(lambda a: a**2, name="square", a=lambda g, a: 2 * np.asarray(a) * np.asarray(g))
        assert check_op(made, np.array([0.3]), order=1)
        assert not check_op(made, np.array([0.3]), raises=False)


def test_tensors_can_be_inputs_of_the_function_from_outside():
    w = Tensor(np.ones((3, 2)), requires_grad=True)
    assert gradcheck(lambda x: np.tanh(x @ w), np.ones((2, 3)) * 0.3)
    assert w.grad is None
