"""Points at which a derivative is infinite, a matter of convention, or of many at once: what each rule says there."""

import math

import numpy as np
import pytest

from minigrad import Tensor, ops

INF, NAN = math.inf, math.nan
POLE = math.inf  # ±∞ for a gradient other than 0, and 0 for a gradient of 0; in second order, not finite


Q = np.array([0.0, 0.5])


def leaky(x, alpha=0.25):
    return np.where(x > 0, x, alpha * x)


# What it is; the function, whose entries are added up; where; the slope; the sum of each row of second derivatives.
POINTS = [
    ("|x| at 0: 0", np.abs, [0.0, -0.0], [0, 0], [0, 0]),
    ("fabs at 0: 0", np.fabs, [0.0, -0.0], [0, 0], [0, 0]),
    ("relu at 0: the left slope", ops.relu, [0.0, -0.0], [0, 0], [0, 0]),
    ("leaky_relu at 0: the left slope", lambda x: ops.leaky_relu(x, 0.25), [0.0, -0.0], [0.25, 0.25], [0, 0]),
    ("so written with where", leaky, [0.0, -0.0], [0.25, 0.25], [0, 0]),
    ("elu at 0: the left slope", lambda x: ops.elu(x, 0.25), [0.0, -0.0], [0.25, 0.25], [0.25, 0.25]),
    ("maximum at equal arguments: one half each", lambda t: np.maximum(t[0], t[1]), [2.0, 2.0], [0.5, 0.5], [0, 0]),
    ("minimum at equal arguments: one half each", lambda t: np.minimum(t[0], t[1]), [2.0, 2.0], [0.5, 0.5], [0, 0]),
    ("fmax, fmin too", lambda t: np.fmax(t[0], t[1]) + np.fmin(t[2], t[1]), [2.0, 2.0, 2.0], [0.5, 1, 0.5], [0] * 3),
    ("maximum with 0 at 0: one half", lambda t: np.maximum(t, 0), [0.0, -0.0], [0.5, 0.5], [0, 0]),
    ("max of equal values: an equal share each", np.max, [1.0, 3.0, 3.0, 3.0], [0, 1 / 3, 1 / 3, 1 / 3], [0] * 4),
    ("min of equal values: an equal share each", np.min, [1.0, 1.0, 3.0], [0.5, 0.5, 0], [0] * 3),
    ("max along an axis", lambda t: np.max(t, 0), [[1.0, 4.0], [1.0, 3.0]], [[0.5, 1], [0.5, 0]], [[0, 0], [0, 0]]),
    ("min along the other", lambda t: np.min(t, 1), [[1.0, 4.0], [3.0, 3.0]], [[1, 0], [0.5, 0.5]], [[0, 0], [0, 0]]),
    ("max over two axes", lambda t: np.max(t, (0, 1)), [[1.0, 4.0], [4.0, 3.0]], [[0, 0.5], [0.5, 0]], [[0, 0], [0, 0]]),
    ("clip at a bound: x", lambda t: np.clip(t[0], t[1], 5.0), [1.0, 1.0], [1, 0], [0, 0]),
    ("clip at both bounds: x", lambda t: np.clip(t[0], t[1], t[2]), [1.0, 1.0, 1.0], [1, 0, 0], [0, 0, 0]),
    ("clip beyond bounds that cross: the upper", lambda t: np.clip(t[0], t[1], t[2]), [1.0, 3.0, 2.0], [0, 0, 1], [0] * 3),
    *((f"{f.__name__}: 0 everywhere", f, [0.0, -0.0, 2.5, 3.0, -0.5], [0] * 5, [0] * 5)
      for f in (np.sign, np.floor, np.ceil, np.rint, np.round, np.trunc)),
    ("floor_divide: 0 everywhere", lambda t: np.floor_divide(t[0], t[1]), [6.0, 2.0], [0, 0], [0, 0]),
    ("where: the chosen branch only", lambda t: np.where([True, False], t[:2], t[2:]), [1.0, 2.0, 3.0, 4.0], [1, 0, 0, 1], [0] * 4),
    ("sqrt at 0", np.sqrt, [0.0, -0.0], [POLE, POLE], [POLE, POLE]),
    ("cbrt at 0", np.cbrt, [0.0, -0.0], [POLE, POLE], [POLE, POLE]),
    ("log at 0", np.log, [0.0, -0.0], [POLE, POLE], [POLE, POLE]),
    ("log2 at 0", np.log2, [0.0, -0.0], [POLE, POLE], [POLE, POLE]),
    ("log10 at 0", np.log10, [0.0, -0.0], [POLE, POLE], [POLE, POLE]),
    ("log1p at −1", np.log1p, [-1.0], [POLE], [POLE]),
    ("1/x at 0", lambda x: 1 / x, [0.0, -0.0], [POLE, POLE], [POLE, POLE]),
    ("reciprocal at 0", np.reciprocal, [0.0, -0.0], [POLE, POLE], [POLE, POLE]),
    ("a/x at 0", lambda t: t[0] / t[1], [2.0, 0.0], [POLE, POLE], [POLE, POLE]),
    ("arcsin at ±1", np.arcsin, [1.0, -1.0], [POLE, POLE], [POLE, POLE]),
    ("arccos at ±1", np.arccos, [1.0, -1.0], [POLE, POLE], [POLE, POLE]),
    ("arctanh at ±1", np.arctanh, [1.0, -1.0], [POLE, POLE], [POLE, POLE]),
    ("arccosh at 1", np.arccosh, [1.0], [POLE], [POLE]),
    ("x³ at 0", lambda x: x**3, [0.0, -0.0], [0, 0], [0, 0]),
    ("x² at 0", lambda x: x**2, [0.0, -0.0], [0, 0], [2, 2]),
    ("x**1.5 at 0", lambda x: x**1.5, [0.0], [0], [POLE]),
    ("x¹ at 0", lambda x: x**1, [0.0, -0.0], [1, 1], [0, 0]),
    ("√x as a power at 0", lambda x: x**0.5, [0.0], [POLE], [POLE]),
    ("x⁰ at 0, and anywhere", lambda x: x**0, [0.0, -0.0, -2.0, INF], [0] * 4, [0] * 4),
    ("1/x as a power at 0", lambda x: x**-1, [0.0, -0.0], [POLE, POLE], [POLE, POLE]),
    ("the same with an array of powers", lambda x: x ** np.array([3.0, 2.0, 1.0, 0.0]), [0.0] * 4, [0, 0, 1, 0], [0, 2, 0, 0]),
    ("x**y in y at x = 0", lambda y: np.zeros(y.shape, y.dtype) ** y, [2.0, 0.5, 0.0], [0, 0, 0], [0, 0, 0]),
    ("x**y at x < 0: in x the slope, in y none", lambda t: t[0] ** t[1], [-2.0, 3.0], [12, NAN], [NAN, NAN]),
    ("x**y at x < 0 for a given y", lambda x: x**3.0, [-2.0], [12], [-12]),
    ("2-norm at 0: 0", np.linalg.norm, [0.0, 0.0], [0, 0], [0, 0]),
    ("2-norm of a row of zeros beside another", lambda t: np.linalg.norm(t, axis=1), [[0.0, -0.0], [3.0, 4.0]], [[0, 0], [0.6, 0.8]], [[0, 0], [4 / 125, -3 / 125]]),
    ("Frobenius norm at 0: 0", lambda t: np.linalg.norm(t, "fro"), [[0.0, 0.0]], [[0, 0]], [[0, 0]]),
    ("3-norm at 0: 0", lambda t: np.linalg.norm(t, 3), [0.0, 0.0], [0, 0], [0, 0]),
    ("1-norm with zeros: the sign", lambda t: np.linalg.norm(t, 1), [0.0, -2.0, -0.0], [0, -1, 0], [0, 0, 0]),
    ("∞-norm of equal sizes: an equal share each", lambda t: np.linalg.norm(t, INF), [-2.0, 2.0, 1.0], [-0.5, 0.5, 0], [0, 0, 0]),
    ("hypot at the origin: 0, 0", lambda t: np.hypot(t[0], t[1]), [0.0, -0.0], [0, 0], [0, 0]),
    ("arctan2 at the origin: 0, 0", lambda t: np.arctan2(t[0], t[1]), [0.0, 0.0], [0, 0], [0, 0]),
    ("std of a constant: 0", np.std, [2.0, 2.0, 2.0], [0, 0, 0], [0, 0, 0]),
    ("var of a constant: 0", np.var, [2.0, 2.0, 2.0], [0, 0, 0], [0, 0, 0]),
    ("std and var of one: 0", lambda t: np.std(t) + np.var(t), [2.0], [0], [0]),
    ("prod with one zero: of the others, there", np.prod, [2.0, 0.0, 5.0], [0, 10, 0], [5, 7, 2]),
    ("prod with two zeros: 0", np.prod, [2.0, 0.0, 0.0], [0, 0, 0], [0, 2, 2]),
    ("cumprod with one zero", np.cumprod, [2.0, 0.0, 5.0], [1, 12, 0], [6, 8, 2]),
    ("cumprod with two zeros", np.cumprod, [2.0, 0.0, 0.0], [1, 2, 0], [1, 3, 2]),
    ("logsumexp with −∞: softmax, 0 there", ops.logsumexp, [0.0, -INF, 0.0], [0.5, 0, 0.5], [0, 0, 0]),
    ("logsumexp of −∞ only: 0", ops.logsumexp, [-INF, -INF], [0, 0], [0, 0]),
    ("logaddexp with −∞", lambda t: np.logaddexp(t[0], t[1]), [1.0, -INF], [1, 0], [0, 0]),
    ("logaddexp of −∞ only: 0", lambda t: np.logaddexp(t[0], t[1]), [-INF, -INF], [0, 0], [0, 0]),
    ("logaddexp2 of −∞ only: 0", lambda t: np.logaddexp2(t[0], t[1]), [-INF, -INF], [0, 0], [0, 0]),
    ("softmax with −∞: 0 there", lambda t: ops.softmax(t)[0], [0.0, 0.0, -INF], [0.25, -0.25, 0], [0, 0, 0]),
    ("softmax of −∞ only: NaN", lambda t: ops.softmax(t)[0], [-INF, -INF], [NAN, NAN], None),
    ("log_softmax with −∞: 0 there", lambda t: ops.log_softmax(t)[0], [0.0, 0.0, -INF], [0.5, -0.5, 0], [0, 0, 0]),
    ("exp at −∞", np.exp, [-INF], [0], [0]),
    ("sigmoid at ±∞", ops.sigmoid, [INF, -INF], [0, 0], [0, 0]),
    ("tanh at ±∞", np.tanh, [INF, -INF], [0, 0], [0, 0]),
    ("softplus at ±∞", ops.softplus, [INF, -INF], [1, 0], [0, 0]),
    ("silu at ±∞", ops.silu, [INF, -INF], [1, 0], [0, 0]),
    ("gelu at ±∞", ops.gelu, [INF, -INF], [1, 0], [0, 0]),
    ("elu, leaky_relu at ±∞", lambda x: ops.elu(x) + ops.leaky_relu(x, 0.25), [INF, -INF], [2, 0.25], [0, 0]),
    ("a·e^x where e^x is no float", lambda t: ops.times_exp(t[0], t[1]), [0.0, INF], [POLE, 0], [POLE, POLE]),
    ("q·log q at q = 0, kept out by where", lambda q: np.where(q == 0, 0, q * np.log(q)), [0.0, 1.0], [0, 1], [0, 1]),
    ("q·log p at q = 0, for log p = −∞ too", lambda p: np.where(Q == 0, 0, Q * np.log(p)), [0.0, 2.0], [0, 0.25], [0, -0.125]),
    ("cosine with a zero vector", lambda t: _cosine(t[:2], t[2:]), [0.0, 0.0, 1.0, 2.0], [0] * 4, [0] * 4),
    ("sort of equal values: the first stays first", lambda t: np.sort(t) * [1, 10, 100], [2.0, 1.0, 1.0], [100, 1, 10], [0] * 3),
    ("an index twice: both", lambda t: t[[0, 0, 1]] ** 2, [3.0, 5.0], [12, 10], [4, 2]),
    ("take of one entry twice: both", lambda t: np.take(t, [1, 1, -1]) ** 2, [3.0, 5.0], [0, 30], [0, 6]),
    ("remainder at a jump", lambda t: np.remainder(t[0], t[1]), [6.0, -2.0], [1, 3], [0, 0]),
    ("fmod at a jump", lambda t: np.fmod(t[0], t[1]), [-6.0, 2.0], [1, 3], [0, 0]),
    ("remainder just below a jump that x/y rounds up to", lambda t: np.remainder(1.0, t), [0.1], [-9], [0]),
    ("fmod just above −10, to which x/y rounds", lambda t: np.fmod(-1.0, t), [0.1], [9], [0]),
]  # fmt: skip


def _cosine(a, b):
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return np.where(length == 0, 0, np.sum(a * b) / np.where(length == 0, 1, length))


def first_and_second(f, x, dtype, seed=1.0):
    t = Tensor(x, requires_grad=True, dtype=dtype)
    with np.errstate(all="ignore"):
        out = f(t)
    if not out.requires_grad:
        return np.zeros(t.shape), np.zeros(t.shape)
    out.backward(np.full(out.shape, seed, out.dtype), create_graph=True)
    first, t.grad = t.grad, None
    if first.requires_grad:
        first.backward(np.ones(first.shape, dtype))
    return first.data, np.zeros(t.shape) if t.grad is None else t.grad.data


def agree(found, expected, dtype):
    exact = 4 * np.finfo(dtype).eps
    return np.allclose(found, np.reshape(expected, found.shape), exact, exact, equal_nan=True)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("f", "x", "slope", "bend"), [row[1:] for row in POINTS], ids=[row[0] for row in POINTS])
def test_the_convention_holds_in_first_and_second_order(f, x, slope, bend, dtype):
    first, second = first_and_second(f, x, dtype)
    assert agree(np.where(np.isinf(first), POLE, first), slope, dtype)
    assert bend is None or agree(
        np.where(np.isfinite(second) | (np.reshape(bend, second.shape) != POLE), second, POLE), bend, dtype
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("f", "x"),
    [row[1:3] for row in POINTS if INF in np.ravel(row[3])],
    ids=[row[0] for row in POINTS if INF in np.ravel(row[3])],
)
def test_where_the_slope_is_infinite_a_gradient_of_zero_stays_zero(f, x, dtype):
    for found in first_and_second(f, x, dtype, 0.0):
        assert found.tolist() == np.zeros(np.shape(x)).tolist()
