"""grad, vjp, jvp, jacobian, hessian, hvp: functions of functions, nested, by position or name, over forms of arrays."""

from typing import NamedTuple

import numpy as np
import pytest

from minigrad import Tensor, elementwise, no_grad, ops
from minigrad.engine import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from minigrad.engine.errors import DTypeError, ShapeError

RNG = np.random.default_rng(0)
X, W, V = RNG.standard_normal((4, 3)), RNG.standard_normal((3, 2)), RNG.standard_normal((4, 3))


def cubes(x):
    return (x**3).sum()


def layer(x, w, *, scale=1.0):
    return np.tanh(x @ w) * scale


class TestGrad:
    def test_is_the_gradient_as_a_plain_array_of_plain_arrays(self):
        slope = grad(cubes)(X)
        assert type(slope) is np.ndarray
        assert slope == pytest.approx(3 * X**2)
        value, slope = value_and_grad(cubes)(X)
        assert (float(value), slope) == (pytest.approx((X**3).sum()), pytest.approx(3 * X**2))

    def test_of_itself_is_the_next_derivative(self):
        f, expected = (lambda x: x**5), [5, 20, 60, 120, 120, 0]
        for factor in expected:
            f = grad(f)
            assert f(1.0) == factor

    def test_mixed_derivatives_agree_in_either_order(self):
        def f(x, y):
            return np.sin(x * y) * np.exp(y)

        xy, yx = grad(grad(f, 0), 1)(0.3, 0.7), grad(grad(f, 1), 0)(0.3, 0.7)
        assert xy == pytest.approx(yx, rel=1e-14)
        assert xy == pytest.approx(np.exp(0.7) * (np.cos(0.21) - 0.21 * np.sin(0.21) + 0.7 * np.cos(0.21)), rel=1e-13)

    def test_a_function_inside_another_is_differentiated_too(self):
        inner = lambda w: w * w + grad(lambda x: x * x * w)(3.0)  # noqa: E731
        assert grad(inner)(2.0) == 2 * 2.0 + 6
        assert grad(lambda w: grad(lambda x: np.exp(x * w))(0.0) ** 2)(3.0) == 6

    def test_a_value_that_is_used_twice_is_looked_at_once(self):
        def doubled(x):
            for _ in range(60):
                x = x + x
            return x

        assert grad(doubled)(1.0) == 2.0**60

    def test_hooks_of_what_lies_outside_are_not_called(self):
        seen = []
        w = Tensor(X, requires_grad=True)
        y = w * 3
        for t in (w, y):
            t.register_hook(seen.append)
        y.retain_grad()
        assert grad(lambda x: (x * w + x * y).sum())(1.0).data == pytest.approx(4 * X.sum())
        assert (seen, w.grad, y.grad) == ([], None, None)

    def test_on_tensors_the_result_is_recorded(self):
        x = Tensor(X, requires_grad=True)
        grad(cubes)(x).sum().backward()
        assert x.grad.data == pytest.approx(6 * X)
        with no_grad():
            assert type(grad(cubes)(x)) is np.ndarray

    def test_works_under_no_grad(self):
        with no_grad():
            assert grad(cubes)(X) == pytest.approx(3 * X**2)

    def test_leaves_tensors_that_the_function_uses_alone(self):
        w = Tensor(W, requires_grad=True)
        slope = grad(lambda x: (x @ w).sum())(X)
        assert type(slope) is np.ndarray
        assert w.grad is None

    def test_keeps_float32(self):
        assert grad(cubes)(X.astype(np.float32)).dtype == np.float32

    def test_a_constant_has_the_gradient_zero(self):
        assert grad(lambda x: Tensor(3.0))(X).tolist() == np.zeros(X.shape).tolist()
        assert grad(np.sign)(2.0) == 0
        assert grad(lambda x, y: (x * 2).sum(), (0, 1))(X, W)[1].tolist() == np.zeros(W.shape).tolist()

    def test_does_not_change_its_argument_or_keep_it(self):
        x = X.copy()
        slope = grad(lambda v: (v * V).sum())(x)
        slope[...] = 0
        assert np.array_equal(x, X)
        assert not np.shares_memory(slope, V)


class TestWrt:
    @pytest.mark.parametrize(
        ("wrt", "call"),
        [
            (1, lambda f: f(X, W)), ("w", lambda f: f(X, W)), ("w", lambda f: f(X, w=W)), ("w", lambda f: f(w=W, x=X)), (1, lambda f: f(w=W, x=X)),
        ],
    )  # fmt: skip
    def test_is_a_position_or_a_name_however_the_call_is_written(self, wrt, call):
        slope = call(grad(lambda x, w: (x @ w).sum(), wrt))
        assert slope == pytest.approx(np.repeat(X.sum(0)[:, None], 2, 1))

    def test_several_give_a_tuple_in_their_order(self):
        dw, dx = grad(lambda x, w: (x @ w).sum(), ("w", 0))(X, W)
        assert (dw.shape, dx.shape) == (W.shape, X.shape)
        (dx,) = grad(lambda x, w: (x @ w).sum(), (0,))(X, W)
        assert dx.shape == X.shape

    def test_an_argument_by_keyword_only(self):
        assert grad(lambda x, *, scale: (x * scale).sum(), "scale")(X, scale=2.0) == pytest.approx(X.sum())
        assert grad(lambda *xs: (xs[0] * xs[1]).sum(), 1)(X, V) == pytest.approx(X)
        assert grad(lambda **named: named["a"] ** 2, "a")(a=3.0) == 6

    def test_knows_the_arguments_of_an_op_and_of_another_transform(self):
        made = elementwise(lambda a, b: a * b, name="product", a=lambda b: b, b=lambda a: a)
        assert grad(made, "b")(2.0, 3.0) == 2
        assert grad(grad(lambda a, b: a * b * b, "b"), "b")(2.0, 3.0) == 4

    @pytest.mark.parametrize(
        ("wrt", "got"),
        [(2, "2"), (-1, "-1"), ("z", "'z'"), ((0, 0), "one of them twice"), ((0, "x"), "one of them twice"), ((), "none"), (True, "True"), (1.5, "1.5")],
    )  # fmt: skip
    @pytest.mark.parametrize("transform", [grad, value_and_grad, vjp, jvp, jacobian, hessian, hvp])
    def test_what_is_no_argument_is_refused_before_any_call(self, transform, wrt, got):
        def f(x, y):
            return x * y

        with pytest.raises(
            ValueError, match=rf"expected wrt among the arguments of f \(x, y\), each once, got .*{got}; give"
        ):
            transform(f, wrt)

    def test_of_a_function_whose_arguments_cannot_be_read_is_a_position(self):
        assert grad(max)(np.array([1.0, 3.0, 2.0])).tolist() == [0, 1, 0]

    def test_an_argument_that_the_call_leaves_out_is_missed(self):
        def f(x, y=2.0):
            return x * y

        with pytest.raises(ValueError, match="grad: expected the argument 'y' of f in the call, got none"):
            grad(f, "y")(1.0)


class Pair(NamedTuple):
    a: object
    b: object


class TestForms:
    def test_lists_tuples_and_dicts_of_arrays_have_gradients_of_their_form(self):
        def f(params, x):
            for w, b in params["layers"]:
                x = np.tanh(x @ w + b)
            return (x * params["scale"]).sum()

        params = {"layers": [(W, np.zeros(2)), [W.T, np.ones(3)]], "scale": 2.0}
        slope = grad(f)(params, X)
        assert list(slope) == ["layers", "scale"]
        assert [type(layer) for layer in slope["layers"]] == [tuple, list]
        hidden = np.tanh(np.tanh(X @ W) @ W.T + 1)
        assert slope["scale"] == pytest.approx(hidden.sum())
        assert slope["layers"][1][1] == pytest.approx(2 * (1 - hidden**2).sum(0))

    def test_named_tuples_and_empty_lists_too(self):
        slope = grad(lambda p: (p.a * p.b[0]).sum())(Pair(X, [V]))
        assert isinstance(slope, Pair)
        assert slope.a == pytest.approx(V)
        assert grad(lambda x, rest: x * 2, (0, 1))(1.0, []) == (2, [])

    def test_hessians_of_forms_are_forms_of_forms(self):
        h = hessian(lambda p: (p["a"] ** 2).sum() * p["b"])({"a": np.array([1.0, 2.0]), "b": 3.0})
        assert h["a"]["a"].tolist() == [[6, 0], [0, 6]]
        assert h["a"]["b"].tolist() == h["b"]["a"].tolist() == [2, 4]
        assert h["b"]["b"] == 0

    def test_jacobians_of_several_results(self):
        j = jacobian(lambda x: (x * x, [x.sum()]))(np.array([1.0, 2.0]))
        assert j[0].tolist() == [[2, 0], [0, 4]]
        assert j[1][0].tolist() == [1, 1]


class TestVjpAndJvp:
    def test_agree_with_the_jacobian(self):
        j = jacobian(layer, "w")(X, W).reshape(8, 6)
        g, v = RNG.standard_normal((4, 2)), RNG.standard_normal((3, 2))
        value, back = vjp(layer, "w")(X, W)
        assert back(g).ravel() == pytest.approx(g.ravel() @ j, rel=1e-13)
        again, along = jvp(layer, "w")(X, W)
        assert along(v).ravel() == pytest.approx(j @ v.ravel(), rel=1e-12)
        assert value == pytest.approx(np.tanh(X @ W))
        assert np.array_equal(value, again)

    def test_can_be_asked_more_than_once(self):
        _, back = vjp(layer)(X, W)
        _, along = jvp(layer)(X, W)
        assert np.array_equal(back(np.ones((4, 2))), back(np.ones((4, 2))))
        assert np.array_equal(along(V), along(V))

    def test_of_several_arguments_and_results(self):
        def f(x, w):
            y = x @ w
            return {"y": y, "total": (x * x).sum()}

        _, back = vjp(f, (0, 1))(X, W)
        g = {"y": np.ones((4, 2)), "total": 3.0}
        dx, dw = back(g)
        assert dx == pytest.approx(np.ones((4, 2)) @ W.T + 6 * X)
        assert dw == pytest.approx(X.T @ np.ones((4, 2)))
        _, along = jvp(f, (0, 1))(X, W)
        out = along((V, W))
        assert out["y"] == pytest.approx(V @ W + X @ W)
        assert out["total"] == pytest.approx(2 * (X * V).sum())

    def test_are_transposes_of_each_other_for_every_kind_of_operation(self):
        def f(x):
            y = np.sort(x, 1) @ np.linalg.inv(np.eye(3) + 0.1 * x.T @ x)
            return ops.log_softmax(np.concatenate([y, np.cumsum(x, 0)[:, ::-1]], 1)).std(0)

        _, back = vjp(f)(X)
        _, along = jvp(f)(X)
        g = RNG.standard_normal(6)
        assert (back(g) * V).sum() == pytest.approx((along(V) * g).sum(), rel=1e-11)

    def test_of_a_masked_branch_are_finite_and_right(self):
        def f(x):
            return np.where(x > 0, np.sqrt(x), 0)

        x = np.array([0.0, 4.0, -1.0])
        with np.errstate(invalid="ignore"):
            _, along = jvp(f)(x)
        assert along(np.ones(3)).tolist() == [0, 0.25, 0]

    def test_of_a_function_that_does_not_depend_are_zero(self):
        _, along = jvp(lambda x: np.sign(x) + 1)(X)
        assert along(V).tolist() == np.zeros(X.shape).tolist()
        _, back = vjp(lambda x: Tensor(W))(X)
        assert back(W).tolist() == np.zeros(X.shape).tolist()

    def test_can_be_nested(self):
        def second(x):
            return jvp(lambda y: jvp(lambda z: (z**4).sum())(y)[1](V))(x)[1](V)

        assert second(X) == pytest.approx((12 * X**2 * V**2).sum())
        assert grad(lambda x: jvp(cubes)(x)[1](V))(X) == pytest.approx(6 * X * V)
        assert jacobian(lambda x: vjp(lambda y: y**3)(x)[1](V))(X)[1, 2, 1, 2] == pytest.approx(6 * X[1, 2] * V[1, 2])

    def test_a_seed_or_direction_may_be_recorded_itself(self):
        assert grad(lambda v: jvp(lambda x: (x**3).sum())(X)[1](v))(V) == pytest.approx(3 * X**2)

    @pytest.mark.parametrize(
        ("ask", "said"),
        [
            (lambda: vjp(layer)(X, W)[1](np.ones(2)), r"vjp: expected a seed of shape \(4, 2\), got \(2,\)"),
            (lambda: jvp(layer)(X, W)[1](W), r"jvp: expected a direction of shape \(4, 3\), got \(3, 2\)"),
            (lambda: hvp(cubes)(X)[1](np.ones(3)), r"expected a direction of shape \(4, 3\), got \(3,\)"),
            (lambda: jvp(layer, (0, 1))(X, W)[1](X), r"expected a direction of shape \(4, 3\), \(3, 2\), got \(4, 3\)"),
            (lambda: hessian(layer)(X, W), r"grad: expected layer to return a single number, got shape \(4, 2\)"),
        ],
    )
    def test_a_seed_or_direction_of_another_shape_is_refused(self, ask, said):
        with pytest.raises(ShapeError, match=said):
            ask()


class TestJacobianAndHessian:
    def test_have_the_shapes_of_value_and_argument(self):
        j = jacobian(layer)(X, W)
        assert j.shape == (4, 2, 4, 3)
        h = 1e-5
        for at in [(0, 0), (3, 2)]:
            e = np.zeros(X.shape)
            e[at] = h
            assert j[..., at[0], at[1]] == pytest.approx(
                (np.tanh((X + e) @ W) - np.tanh((X - e) @ W)) / (2 * h), abs=1e-9
            )

    def test_of_nothing(self):
        assert jacobian(lambda x: x * 2)(np.zeros((0, 2))).shape == (0, 2, 0, 2)
        assert jacobian(lambda x: x[:0])(X).shape == (0, 3, 4, 3)

    def test_a_hessian_is_symmetric_and_agrees_with_hvp(self):
        def f(x):
            return ops.logsumexp(np.tanh(x @ W).ravel()) + (x[0] * x[1]).prod()

        h = hessian(f)(X).reshape(12, 12)
        assert h == pytest.approx(h.T, abs=1e-13)
        slope, along = hvp(f)(X)
        assert slope == pytest.approx(grad(f)(X))
        assert along(V).ravel() == pytest.approx(h @ V.ravel(), rel=1e-11, abs=1e-13)

    def test_hvp_of_two_arguments_mixes_them_and_is_0_where_nothing_curves(self):
        slope, along = hvp(lambda a, b: (a * a * b).sum(), wrt=(0, 1))(X, V)
        assert slope[0] == pytest.approx(2 * X * V)
        assert slope[1] == pytest.approx(X * X)
        da, db = along((V, X))
        assert da == pytest.approx(2 * V * V + 2 * X * X)
        assert db == pytest.approx(2 * X * V)
        assert not hvp(lambda x: (3 * x).sum())(X)[1](V).any()

    def test_hvp_can_be_differentiated_in_its_point_and_in_its_direction(self):
        third = grad(lambda x: (hvp(cubes)(x)[1](V) * V).sum())(X)
        assert third == pytest.approx(6 * V * V)
        assert grad(lambda v: (hvp(cubes)(X)[1](v) * V).sum())(V) == pytest.approx(6 * X * V)

    def test_the_third_derivative_is_the_jacobian_of_the_second(self):
        t = jacobian(hessian(cubes))(np.array([1.0, 2.0]))
        assert t.shape == (2, 2, 2)
        assert t.sum() == t[0, 0, 0] + t[1, 1, 1] == 12


class TestWhatIsRefused:
    @pytest.mark.parametrize("transform", [grad, value_and_grad, vjp, jvp, jacobian, hessian, hvp])
    def test_what_is_no_function(self, transform):
        with pytest.raises(TypeError, match=r"expected a function, got 3; write \w+\(f\)\(x\)"):
            transform(3)

    @pytest.mark.parametrize(
        ("result", "error", "said"),
        [
            (None, TypeError, "to return a Tensor, got NoneType"), (1.0, TypeError, "to return a Tensor, got float"),
            (np.ones(2), TypeError, "to return a Tensor, got ndarray"), ((Tensor(1.0), Tensor(2.0)), TypeError, "to return a Tensor, got tuple"),
            (Tensor([1.0, 2.0]), ShapeError, r"to return a single number, got shape \(2,\); use .sum\(\)"),
        ],
    )  # fmt: skip
    def test_what_is_no_number_to_differentiate(self, result, error, said):
        def f(x):
            return result

        with pytest.raises(error, match=f"grad: expected f {said}"):
            grad(f)(1.0)

    @pytest.mark.parametrize("x", [3, np.arange(3), True, [1.0, 2], None, "x", {"a": 1}])
    def test_what_holds_no_floats(self, x):
        with pytest.raises(
            DTypeError,
            match=r"grad: expected floats as the argument of cubes to differentiate, got .*(write 2.0 for 2|give numbers)$",
        ):
            grad(cubes)(x)

    def test_an_error_in_the_function_passes_and_the_mode_returns(self):
        with no_grad(), pytest.raises(ZeroDivisionError):
            grad(lambda x: 1 / 0)(1.0)
        assert (Tensor(1.0, requires_grad=True) * 2).requires_grad
