"""Registering a function: what a rule may ask for, what is refused, and what a registered function can do."""

import numpy as np
import pytest

from minigrad import Tensor, elementwise, grad, no_grad, op
from minigrad.engine.errors import DTypeError, GradientError
from minigrad.engine.op import OWN
from minigrad.engine.tensor import RULES


def leaf(*values):
    return Tensor(np.array(values, float), requires_grad=True)


def softsign(x):
    return x / (1 + np.abs(x))


class TestAFunctionOfOnesOwn:
    def test_in_one_line_it_has_derivatives_of_every_order(self):
        made = elementwise(softsign, x=lambda out: (1 - np.abs(out)) ** 2)
        assert made(1.0) == 0.5
        assert (grad(made)(1.0), grad(grad(made))(1.0), grad(made)(0.0)) == (0.25, -0.25, 1.0)

    def test_a_lambda_takes_a_name(self):
        made = elementwise(lambda x: x**3, name="cube", x=lambda x: 3 * x * x)
        assert (made.name, repr(made), repr(made(leaf(2.0)))) == ("cube", "<op cube(x)>", "Tensor([8.], from=cube)")

    def test_the_names_of_its_arguments_can_be_given(self):
        made = elementwise(lambda *xs: xs[0] * xs[1], name="product", args="x y", x=lambda y: y, y=lambda x: x)
        x, y = leaf(2.0), leaf(3.0)
        made(x, y).backward()
        assert (x.grad.tolist(), y.grad.tolist()) == ([3], [2])

    def test_what_numpy_does_not_know_by_its_name_is_registered_alike(self):
        special = pytest.importorskip("scipy.special")
        erf = elementwise(special.erf, x=lambda x: 2 / np.sqrt(np.pi) * np.exp(-x * x))
        x = leaf(0.3)
        erf(x).backward()
        special.erf(x).backward()  # SciPy's own name works now, too
        assert x.grad.data == pytest.approx(4 / np.sqrt(np.pi) * np.exp(-0.09))

    def test_a_rule_gets_what_it_names(self):
        seen = {}

        def rule(g, x, out, scale, x_shape):
            seen.update(x=x, out=out, scale=scale, x_shape=x_shape)
            return g * scale

        made = op(lambda x, scale=2.0: x * scale, name="scaled", x=rule)
        made(leaf(1.0, 3.0)).sum().backward()
        assert (seen["scale"], seen["x_shape"], seen["x"].tolist(), seen["out"].tolist()) == (2.0, (2,), [1, 3], [2, 6])

    def test_a_node_keeps_what_its_rules_name_and_nothing_else(self):
        x, y = leaf(1.0), leaf(2.0)
        kept = {"add": x + y, "multiply": x * y, "exp": np.exp(x), "sum": np.sum(x)}
        saved = {name: set(t.edge.saved) for name, t in kept.items()}
        assert saved == {"add": set(), "multiply": {"x", "y"}, "exp": {"out"}, "sum": {"a_shape", "axis"}}
        assert set((x * 2).edge.saved) == {"y"}

    def test_an_argument_said_to_have_no_derivative_may_be_a_tensor(self):
        made = op(lambda a, b: a * (b > 0), name="gate", a=lambda g, b: g * (b > 0), b=None)
        a, b = leaf(1.0, 2.0), leaf(-1.0, 1.0)
        made(a, b).sum().backward()
        assert (a.grad.tolist(), b.grad) == ([0, 1], None)
        assert not made(np.ones(2), b).requires_grad

    def test_a_parameter_may_not(self):
        made = op(lambda a, scale: a * scale, name="scaled", a=lambda g, scale: g * scale)
        with pytest.raises(GradientError, match=r"scaled: expected a plain value for scale.*give scale.detach\(\)"):
            made(leaf(1.0), leaf(2.0))
        assert made(leaf(1.0), leaf(2.0).detach()).tolist() == [2]

    def test_keywords_and_defaults_are_the_functions(self):
        made = op(lambda a, scale=3.0: a * scale, name="scaled", a=lambda g, scale: g * scale)
        for call in (lambda x: made(x), lambda x: made(a=x), lambda x: made(x, scale=3.0), lambda x: made(x, 3.0)):
            x = leaf(1.0)
            call(x).backward()
            assert x.grad.tolist() == [3]

    def test_on_plain_arrays_it_is_the_function(self):
        made = elementwise(lambda x: x + 1, name="more", x=1)
        assert type(made(np.ones(2))) is np.ndarray
        assert made(1) == 2
        assert isinstance(made(Tensor([1.0])), Tensor)

    def test_results_that_are_no_floats_have_no_gradient(self):
        whole = op(lambda a: a.astype(int), name="whole", a=lambda g: g)
        with pytest.raises(DTypeError, match=r"whole: expected floats as its result, got int64 \(2,\); .*a=None"):
            whole(leaf(1.0, 2.0))
        with no_grad():
            assert whole(leaf(1.0, 2.0)).tolist() == [1, 2]
        flat = op(lambda a: a.astype(int), name="flat", a=None)
        assert flat(leaf(1.5)).tolist() == [1]

    @pytest.mark.parametrize("result", [None, (np.ones(1), np.ones(1)), "x", np.ones(1, complex), {}])
    def test_what_is_no_array_is_no_result(self, result):
        made = op(lambda a: result, name="odd", a=lambda g: g)
        with pytest.raises(
            DTypeError, match="odd: expected an array of float32, float64, integers or bool as its result"
        ):
            made(leaf(1.0))

    def test_its_own_errors_pass_as_they_are(self):
        def picky(a):
            raise ValueError("only on Sundays")

        with pytest.raises(ValueError, match=r"^only on Sundays$"):
            op(picky, a=lambda g: g)(leaf(1.0))


class TestRegistering:
    @pytest.mark.parametrize(
        ("register", "error", "said"),
        [
            (lambda: op(3, a=1), TypeError, "op: expected a function of arrays, got 3; give the function itself"),
            (lambda: elementwise("exp", x=1), TypeError, "op: expected a function of arrays, got 'exp'"),
            (lambda: op(lambda a: a, b=lambda g: g), ValueError, "op <lambda>: expected rules for a, got one for 'b'"),
            (
                lambda: op(lambda a, axis: a, name="f", a=lambda g, axs: g), ValueError,
                "op f: the rule for a asks for 'axs'; it can have g, out, a, axis, .* such as a_shape; whatever else it needs",
            ),
            (lambda: op(lambda a: a, name="f"), ValueError, "op f: expected a rule for at least one argument, got none"),
            (
                lambda: elementwise(np.frompyfunc(max, 2, 1), name="f", x=1), ValueError,
                r"op f: expected a rule for each of 2 inputs, got 1 \(x\); an input without derivative is said: condition=None",
            ),
            (lambda: op(dict.get, name="f", k=1), ValueError, "expected rules for self, key, default, got one for 'k'"),
            (lambda: op(map, name="f", a=1), ValueError, "op f: its signature cannot be read; give .*args='x y'"),
            (lambda: op(lambda a: a, name="f", a="g"), TypeError, "op f: expected a function, a number or None for a, got 'g'"),
            (lambda: elementwise(np.exp, x=lambda out: out), ValueError, "op exp: .* one that minigrad itself has rules for"),
            (lambda: op(np.concatenate, args="arrays axis", arrays=1), ValueError, "minigrad itself has rules for"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_named(self, register, error, said):
        before = dict(RULES)
        with pytest.raises(error, match=said):
            register()
        assert before == RULES

    def test_of_one_function_registered_twice_each_op_has_its_rules_and_the_name_the_first(self):
        ufunc = np.frompyfunc(lambda x: x, 1, 1)
        first, second = elementwise(ufunc, name="first", x=1), elementwise(ufunc, name="second", x=2)
        assert RULES[ufunc] is first
        assert second.rules == {"x": 2}

    def test_minigrads_own_functions_are_known_as_such(self):
        assert {np.exp, np.sum, np.concatenate} <= OWN
        assert softsign not in OWN


class TestAFusedOp:
    """Its rule has no derivative; the reference has."""

    @staticmethod
    def make(**more):
        def rule(g, x):
            return g * np.asarray(3 * np.asarray(x) ** 2)  # leaves the graph: right once, not twice

        return op(lambda x: x**3, name="cube", x=rule, **more)

    def test_without_a_reference_its_second_derivative_is_refused(self):
        x = leaf(2.0)
        self.make()(x).backward()
        assert x.grad.tolist() == [12]
        with pytest.raises(GradientError, match=r"np.asarray"):
            self.make()(x).backward(create_graph=True)

    def test_with_one_it_is_the_references(self):
        made = self.make(reference=lambda x: x * x * x)
        assert grad(grad(made))(2.0) == 12
        assert grad(grad(grad(made)))(2.0) == 6

    def test_the_reference_gets_the_parameters_too(self):
        made = op(
            lambda x, n=2: x**n, name="power", x=lambda g, x, n: g * np.asarray(n * x ** (n - 1)),
            reference=lambda x, n=2: np.power(x, n),
        )  # fmt: skip
        x = leaf(2.0)
        made(x, n=4).backward(create_graph=True)
        first, x.grad = x.grad, None
        first.backward()
        assert x.grad.tolist() == [48]


class TestMasksAndSlopesThatAreNotFinite:
    def test_a_slope_that_is_not_finite_counts_as_zero_where_the_gradient_is_zero(self):
        x = leaf(0.0, 4.0)
        np.sqrt(x).backward(np.array([0.0, 1.0]))
        assert x.grad.tolist() == [0, 0.25]
        x.grad = None
        np.sqrt(x).backward(np.array([1.0, 1.0]))
        assert x.grad.tolist() == [np.inf, 0.25]

    @pytest.mark.parametrize("g", [np.inf, -np.inf, np.nan])
    def test_a_mask_lets_nothing_through_that_it_does_not_choose(self, g):
        from minigrad import ops

        x = leaf(-1.0, 1.0)
        ops.relu(x).backward(np.array([g, 2.0]))
        assert x.grad.tolist() == [0, 2]

    def test_the_guard_can_be_differentiated(self):
        x = leaf(0.0, 4.0)
        np.where(x > 1, np.sqrt(x), 0).sum().backward(create_graph=True)
        first, x.grad = x.grad, None
        first.sum().backward()
        assert x.grad.tolist() == [0, -1 / 32]

    def test_a_large_gradient_is_no_reason_for_the_guard_to_change_it(self):
        x = leaf(1.0, 2.0)
        (x * 1e200).sum().backward()
        assert x.grad.tolist() == [1e200, 1e200]
