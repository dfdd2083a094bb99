"""What a mask leaves out gives no gradient and spoils none: f inside it, a constant outside, where f or its slope is no number.

Of `np.where(m, f(x), c)` and of `f(x[m])` gradient, diagonal of the Hessian, and derivative along a direction are those
of f inside the mask and 0 outside.
"""

import numpy as np
import pytest

from minigrad import Tensor, grad, ops
from minigrad.engine import hessian, jvp
from tests.engine import oracle

# f(x, o) with a constant o beside x; points inside the mask, and points outside: x, or x and o.
MASKED = {
    "√x": (lambda x, o: np.sqrt(x), [0.3, 2.0], [0.0, -0.0, -1.0]),
    "∛x": (lambda x, o: np.cbrt(x), [0.3, -2.0], [0.0, -0.0]),
    "ln x": (lambda x, o: np.log(x), [0.3, 2.0], [0.0, -0.0, -1.0]),
    "log2 x": (lambda x, o: np.log2(x), [0.3, 2.0], [0.0, -1.0]),
    "log10 x": (lambda x, o: np.log10(x), [0.3, 2.0], [0.0, -1.0]),
    "ln(1 + x)": (lambda x, o: np.log1p(x), [0.3, -0.5], [-1.0, -2.0]),
    "1/x": (lambda x, o: 1 / x, [0.3, -2.0], [0.0, -0.0]),
    "1/x as reciprocal": (lambda x, o: np.reciprocal(x), [0.3, -2.0], [0.0, -0.0]),
    "a/x in a": (lambda a, x: a / x, [(3.0, 2.0), (0.0, -0.5)], [(3.0, 0.0), (0.0, 0.0)]),
    "a/x in x": (lambda x, a: a / x, [(2.0, 3.0), (-0.5, 0.0)], [(0.0, 3.0), (0.0, 0.0), (-0.0, 1.0)]),
    "x**0.5": (lambda x, o: x**0.5, [0.3, 2.0], [0.0, -1.0]),
    "x**1.5": (lambda x, o: x**1.5, [0.3, 2.0], [0.0, -1.0]),
    "x**−1": (lambda x, o: x**-1, [0.3, -2.0], [0.0, -0.0]),
    "x**y in x": (lambda x, y: x**y, [(2.0, 3.0), (0.5, 1.5)], [(-1.0, 0.5), (0.0, -1.0), (0.0, 0.5)]),
    "x**y in y": (lambda y, x: x**y, [(3.0, 2.0), (1.5, 0.5)], [(0.5, -1.0), (-1.0, 0.0), (0.0, 0.0)]),
    "arcsin x": (lambda x, o: np.arcsin(x), [0.3, -0.6], [1.0, -1.0, 2.0]),
    "arccos x": (lambda x, o: np.arccos(x), [0.3, -0.6], [-1.0, 1.0, 2.0]),
    "arccosh x": (lambda x, o: np.arccosh(x), [1.3, 2.0], [1.0, 0.0]),
    "arctanh x": (lambda x, o: np.arctanh(x), [0.3, -0.6], [1.0, -1.0, -2.0]),
    "e^x": (lambda x, o: np.exp(x), [0.3, -2.0], [1e3]),
    "e^x − 1": (lambda x, o: np.expm1(x), [0.3, -2.0], [1e3]),
    "sinh x": (lambda x, o: np.sinh(x), [0.3, -2.0], [1e3, -1e3]),
    "cosh x": (lambda x, o: np.cosh(x), [0.3, -2.0], [1e3, -1e3]),
    "x·ln x": (lambda x, o: x * np.log(x), [0.3, 2.0], [0.0, -1.0]),
    "ln(x/(1 − x))": (lambda x, o: np.log(x / (1 - x)), [0.3, 0.8], [0.0, 1.0, 2.0]),
    "√(1 − x²)": (lambda x, o: np.sqrt(1 - x * x), [0.3, -0.6], [1.0, -1.0, 2.0]),
    "x/‖x‖": (lambda x, o: x / np.linalg.norm(x, axis=-1, keepdims=True), [[0.3, -0.4], [1.0, 2.0]], [[0.0, 0.0], [-0.0, 0.0]]),
    "x/√Σx²": (lambda x, o: x / np.sqrt(np.sum(x * x, -1, keepdims=True)), [[0.3, -0.4], [1.0, 2.0]], [[0.0, 0.0]]),
}  # fmt: skip


class Case:
    """A masked function in one of both forms, and what it is inside."""

    def __init__(self, name, form):
        f, inside, outside = MASKED[name]
        points = [[p if isinstance(p, tuple) else (p, 0.0) for p in part] for part in (inside, outside)]
        points = [*points[0], *points[1]]
        order = np.random.default_rng(0).permutation(len(points))  # so that both kinds are mixed
        self.x, o = (np.array([points[i][k] for i in order]) for k in range(2))
        self.inside = m = order < len(inside)
        wide = m.reshape(-1, *(1,) * (self.x.ndim - 1))
        self.alone = lambda x: f(x, o[m])
        self.weight = np.random.default_rng(1).standard_normal(self.x.shape)
        self.along = np.random.default_rng(2).standard_normal(self.x.shape)
        if form == "where":
            self.masked = lambda x: np.where(wide, f(x, o), 7.0)
            self.total = lambda x: np.sum(self.masked(x) * self.weight)
        else:
            self.masked = lambda x: f(x[m], o[m])
            self.total = lambda x: np.sum(self.masked(x) * self.weight[m])

    def whole(self, entries):
        """What belongs inside, with zeros outside."""
        out = np.zeros(self.x.shape)
        out[self.inside] = entries
        return out

    def slopes(self, x):
        """Of the weighted sum of f inside, by a complex step or differences; and how exact they are."""
        (matrix,), exact = oracle.jacobians(self.alone, [x], np.random.default_rng(3))
        return (self.weight[self.inside].ravel() @ matrix).reshape(x.shape), exact


each_form = pytest.mark.parametrize("form", ["where", "index"])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # forward warns as NumPy does
@each_form
@pytest.mark.parametrize("name", MASKED)
class TestWhatAMaskLeavesOut:
    def test_gives_no_gradient_and_spoils_none(self, name, form):
        case = Case(name, form)
        right, exact = case.slopes(case.x[case.inside])
        found = grad(case.total)(case.x)
        assert oracle.far(found, case.whole(right)) <= exact
        assert np.all(found[~case.inside] == 0)

    def test_gives_no_second_derivative_and_spoils_none(self, name, form):
        case = Case(name, form)
        inner = case.x[case.inside]
        right = np.zeros(inner.shape)
        for at in np.ndindex(inner.shape):
            step = np.zeros(inner.shape)
            step[at] = 1
            right[at] = oracle.differences(lambda h: case.slopes(inner + h * step)[0][at], 0.3)[0]  # noqa: B023  # used at once
        found = np.diagonal(hessian(case.total)(case.x).reshape(case.x.size, -1)).reshape(case.x.shape)
        assert oracle.far(found, case.whole(right)) <= 1e-8
        assert np.all(found[~case.inside] == 0)

    def test_does_not_count_along_a_direction(self, name, form):
        case = Case(name, form)
        value, along = jvp(case.masked)(case.x)
        (matrix,), exact = oracle.jacobians(case.alone, [case.x[case.inside]], np.random.default_rng(3))
        right = (matrix @ case.along[case.inside].ravel()).reshape(case.along[case.inside].shape)
        whole = np.where(case.whole(1) > 0, case.whole(case.alone(case.x[case.inside])), 7.0)
        if form == "index":
            assert oracle.far(along(case.along), right) <= exact
            assert np.array_equal(value, whole[case.inside])
        else:
            assert oracle.far(along(case.along), case.whole(right)) <= exact
            assert np.array_equal(value, whole)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_factor_of_zero_is_no_mask():
    x = Tensor([0.0, -1.0, 4.0], requires_grad=True)
    out = (x > 1) * np.log(x)
    assert np.isnan(out.data).tolist() == [True, True, False]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_masks_within_masks_and_behind_other_functions():
    x = np.array([0.0, -1.0, 0.25, 4.0])

    def f(x):
        inner = np.where(x > 0, np.sqrt(x), 1.0)
        return np.sum(np.where(x < 1, np.log(inner) * inner, ops.softplus(inner)))

    slope = grad(f)(x)
    assert slope[:2].tolist() == [0, 0]
    assert slope[2] == pytest.approx((np.log(0.5) + 1) / (2 * 0.5), rel=1e-14)
    assert slope[3] == pytest.approx(1 / (1 + np.exp(-2.0)) / 4, rel=1e-14)
