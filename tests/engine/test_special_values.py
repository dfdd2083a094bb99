"""Zeros of both signs, infinities, NaN and the smallest numbers: what each function gives there, and its slope."""

import math
import warnings

import numpy as np
import pytest

from minigrad import Tensor, ops
from minigrad.engine.errors import GradientError
from minigrad.engine.fused import surprises
from tests.engine import oracle
from tests.engine.cases import CALLS, ELEMENTWISE, EVERY, elementwise_inputs, named

NAN = math.nan
POINTS = [0.0, -0.0, math.inf, -math.inf, NAN, 5e-324, -5e-324]
NAMES = {
    "ln2": math.log(2), "deg": 180 / math.pi, "rad": math.pi / 180, "e2": math.exp(2),
    "low": 1 / (1 + math.exp(2)), "high": 1 / (1 + math.exp(-2)),
    "2.249e161": 0.5 / math.sqrt(5e-324), "1.149e215": 2.0**716 / 3,
}  # fmt: skip

# The slope at each of them. Outside the domain the value is NaN, and the slope what the formula says (log, log1p, arctanh).
# What chooses lets the gradient through to a NaN: it is never left out.
UNARY = {
    # point:       0     -0    inf   -inf    nan 5e-324 -5e-324
    np.negative: "    -1     -1     -1     -1     -1     -1     -1",
    np.positive: "     1      1      1      1      1      1      1",
    np.square: "     0      0    inf   -inf    nan 1e-323 -1e-323",
    np.sqrt: "   inf   -inf      0    nan    nan 2.249e161    nan",
    np.cbrt: "   inf    inf      0      0    nan 1.149e215 1.149e215",
    np.reciprocal: "  -inf   -inf      0      0    nan   -inf   -inf",
    np.exp: "     1      1    inf      0    nan      1      1",
    np.exp2: "   ln2    ln2    inf      0    nan    ln2    ln2",
    np.expm1: "     1      1    inf      0    nan      1      1",
    np.log: "   inf   -inf      0      0    nan    inf   -inf",
    np.log2: "   inf   -inf      0      0    nan    inf   -inf",
    np.log10: "   inf   -inf      0      0    nan    inf   -inf",
    np.log1p: "     1      1      0      0    nan      1      1",
    np.sin: "     1      1    nan    nan    nan      1      1",
    np.cos: "     0      0    nan    nan    nan -5e-324 5e-324",
    np.tan: "     1      1    nan    nan    nan      1      1",
    np.arcsin: "     1      1    nan    nan    nan      1      1",
    np.arccos: "    -1     -1    nan    nan    nan     -1     -1",
    np.arctan: "     1      1      0      0    nan      1      1",
    np.sinh: "     1      1    inf    inf    nan      1      1",
    np.cosh: "     0      0    inf   -inf    nan 5e-324 -5e-324",
    np.tanh: "     1      1      0      0    nan      1      1",
    np.arcsinh: "     1      1      0      0    nan      1      1",
    np.arccosh: "   nan    nan      0      0    nan    nan    nan",
    np.arctanh: "     1      1      0      0    nan      1      1",
    np.degrees: "   deg    deg    deg    deg    deg    deg    deg",
    np.radians: "   rad    rad    rad    rad    rad    rad    rad",
    np.rad2deg: "   deg    deg    deg    deg    deg    deg    deg",
    np.deg2rad: "   rad    rad    rad    rad    rad    rad    rad",
    np.absolute: "     0      0      1     -1    nan      1     -1",
    np.fabs: "     0      0      1     -1    nan      1     -1",
    np.sign: "     0      0      0      0      0      0      0",
    np.floor: "     0      0      0      0      0      0      0",
    np.ceil: "     0      0      0      0      0      0      0",
    np.rint: "     0      0      0      0      0      0      0",
    np.trunc: "     0      0      0      0      0      0      0",
    np.fix: "     0      0      0      0      0      0      0",
    np.round: "     0      0      0      0      0      0      0",
    np.around: "     0      0      0      0      0      0      0",
    ops.relu: "     0      0      1      0      1      1      0",
    ops.sigmoid: "  0.25   0.25      0      0    nan   0.25   0.25",
    ops.softplus: "   0.5    0.5      1      0    nan    0.5    0.5",
    ops.silu: "   0.5    0.5      1      0    nan    0.5    0.5",
    ops.gelu: "   0.5    0.5      1      0    nan    0.5    0.5",
    ops.leaky_relu: "  0.01   0.01      1   0.01   0.01      1   0.01",
    ops.elu: "     1      1      1      0    nan      1      1",
}  # fmt: skip
# (function, which of its inputs is the point while the other is 2, slope by which of them)
BINARY = {
    # point:                    0     -0    inf   -inf    nan 5e-324 -5e-324
    (np.add, 0, 0): "     1      1      1      1      1      1      1",
    (np.add, 0, 1): "     1      1      1      1      1      1      1",
    (np.add, 1, 0): "     1      1      1      1      1      1      1",
    (np.add, 1, 1): "     1      1      1      1      1      1      1",
    (np.subtract, 0, 0): "     1      1      1      1      1      1      1",
    (np.subtract, 0, 1): "    -1     -1     -1     -1     -1     -1     -1",
    (np.subtract, 1, 0): "     1      1      1      1      1      1      1",
    (np.subtract, 1, 1): "    -1     -1     -1     -1     -1     -1     -1",
    (np.multiply, 0, 0): "     2      2      2      2      2      2      2",
    (np.multiply, 0, 1): "     0      0    inf   -inf    nan 5e-324 -5e-324",
    (np.multiply, 1, 0): "     0      0    inf   -inf    nan 5e-324 -5e-324",
    (np.multiply, 1, 1): "     2      2      2      2      2      2      2",
    (np.divide, 0, 0): "   0.5    0.5    0.5    0.5    0.5    0.5    0.5",
    (np.divide, 0, 1): "     0      0   -inf    inf    nan      0      0",
    (np.divide, 1, 0): "   inf   -inf      0      0    nan    inf   -inf",
    (np.divide, 1, 1): "  -inf   -inf      0      0    nan   -inf   -inf",
    (np.power, 0, 0): "     0      0    inf   -inf    nan 1e-323 -1e-323",
    (np.power, 0, 1): "     0      0    inf    nan    nan      0    nan",
    (np.power, 1, 0): "     0      0    inf    nan    nan      0      0",
    (np.power, 1, 1): "   ln2    ln2    inf      0    nan    ln2    ln2",
    (np.float_power, 0, 0): "     0      0    inf   -inf    nan 1e-323 -1e-323",
    (np.float_power, 0, 1): "     0      0    inf    nan    nan      0    nan",
    (np.float_power, 1, 0): "     0      0    inf    nan    nan      0      0",
    (np.float_power, 1, 1): "   ln2    ln2    inf      0    nan    ln2    ln2",
    (np.remainder, 0, 0): "     1      1      1      1      1      1      1",
    (np.remainder, 0, 1): "     0      0    nan    nan    nan      0      1",
    (np.remainder, 1, 0): "     1      1      1      1      1      1      1",
    (np.remainder, 1, 1): "  -inf    inf      0      1    nan   -inf    inf",
    (np.fmod, 0, 0): "     1      1      1      1      1      1      1",
    (np.fmod, 0, 1): "     0      0    nan    nan    nan      0      0",
    (np.fmod, 1, 0): "     1      1      1      1      1      1      1",
    (np.fmod, 1, 1): "   nan    nan      0      0    nan   -inf    inf",
    (np.logaddexp, 0, 0): "   low    low      1      0    nan    low    low",
    (np.logaddexp, 0, 1): "  high   high      0      1    nan   high   high",
    (np.logaddexp, 1, 0): "  high   high      0      1    nan   high   high",
    (np.logaddexp, 1, 1): "   low    low      1      0    nan    low    low",
    (np.logaddexp2, 0, 0): "   0.2    0.2      1      0    nan    0.2    0.2",
    (np.logaddexp2, 0, 1): "   0.8    0.8      0      1    nan    0.8    0.8",
    (np.logaddexp2, 1, 0): "   0.8    0.8      0      1    nan    0.8    0.8",
    (np.logaddexp2, 1, 1): "   0.2    0.2      1      0    nan    0.2    0.2",
    (np.hypot, 0, 0): "     0      0    nan    nan    nan      0      0",
    (np.hypot, 0, 1): "     1      1      0      0    nan      1      1",
    (np.hypot, 1, 0): "     1      1      0      0    nan      1      1",
    (np.hypot, 1, 1): "     0      0    nan    nan    nan      0      0",
    (np.arctan2, 0, 0): "   0.5    0.5      0      0    nan    0.5    0.5",
    (np.arctan2, 0, 1): "     0      0    nan    nan    nan      0      0",
    (np.arctan2, 1, 0): "     0      0    nan    nan    nan      0      0",
    (np.arctan2, 1, 1): "  -0.5   -0.5      0      0    nan   -0.5   -0.5",
    (np.maximum, 0, 0): "     0      0      1      0      1      0      0",
    (np.maximum, 0, 1): "     1      1      0      1      0      1      1",
    (np.maximum, 1, 0): "     1      1      0      1      0      1      1",
    (np.maximum, 1, 1): "     0      0      1      0      1      0      0",
    (np.minimum, 0, 0): "     1      1      0      1      1      1      1",
    (np.minimum, 0, 1): "     0      0      1      0      0      0      0",
    (np.minimum, 1, 0): "     0      0      1      0      0      0      0",
    (np.minimum, 1, 1): "     1      1      0      1      1      1      1",
    (np.fmax, 0, 0): "     0      0      1      0      0      0      0",
    (np.fmax, 0, 1): "     1      1      0      1      1      1      1",
    (np.fmax, 1, 0): "     1      1      0      1      1      1      1",
    (np.fmax, 1, 1): "     0      0      1      0      0      0      0",
    (np.fmin, 0, 0): "     1      1      0      1      0      1      1",
    (np.fmin, 0, 1): "     0      0      1      0      1      0      0",
    (np.fmin, 1, 0): "     0      0      1      0      1      0      0",
    (np.fmin, 1, 1): "     1      1      0      1      0      1      1",
    (np.floor_divide, 0, 0): "     0      0      0      0      0      0      0",
    (np.floor_divide, 0, 1): "     0      0      0      0      0      0      0",
    (np.floor_divide, 1, 0): "     0      0      0      0      0      0      0",
    (np.floor_divide, 1, 1): "     0      0      0      0      0      0      0",
    (ops.times_exp, 0, 0): "    e2     e2     e2     e2     e2     e2     e2",
    (ops.times_exp, 0, 1): "     0      0    inf   -inf    nan 35e-324 -35e-324",
    (ops.times_exp, 1, 0): "     1      1    inf      0    nan      1      1",
    (ops.times_exp, 1, 1): "     2      2    inf      0    nan      2      2",
}  # fmt: skip


def numbers(row):
    return np.array([NAMES[word] if word in NAMES else float(word) for word in row.split()])


def same(found, expected, rtol):
    """Equal but for rounding; NaN equals NaN, and −0 equals 0."""
    return np.allclose(found, expected, rtol, 0, equal_nan=True)


def slopes(f, arrays):
    """The gradients of the sum of f: backward emits no warning, whatever comes out."""
    ts = [Tensor(x, requires_grad=True) for x in arrays]
    with np.errstate(all="ignore"):
        out = f(*ts)
    with np.errstate(all="warn"):
        out.backward(np.ones(out.shape, out.dtype))
    return [np.zeros(t.shape) if t.grad is None else t.grad.data for t in ts]


def test_every_elementwise_function_has_a_row():
    assert {f for f, domains in ELEMENTWISE.items() if len(domains) == 1} == set(UNARY)
    assert {f for f, domains in ELEMENTWISE.items() if len(domains) == 2} == {f for f, _, _ in BINARY}


@pytest.mark.parametrize("f", UNARY, ids=named)
class TestOneInput:
    def test_the_slope_is_that_of_the_table(self, f):
        assert same(slopes(f, [np.array(POINTS)])[0], numbers(UNARY[f]), 1e-14)

    def test_in_float32_too(self, f):
        found = slopes(f, [np.array(POINTS[:5], np.float32)])[0]
        assert found.dtype == np.float32
        assert same(found, numbers(UNARY[f])[:5], 1e-6)

    def test_of_each_number_by_itself(self, f):
        found = [slopes(f, [np.array(point)])[0] for point in POINTS]
        assert same(found, numbers(UNARY[f]), 1e-14)


@pytest.mark.parametrize(("f", "i", "wrt"), BINARY, ids=lambda value: str(named(value)))
def test_the_slope_beside_a_two_is_that_of_the_table(f, i, wrt):
    for dtype, rtol, count in ((np.float64, 1e-14, 7), (np.float32, 1e-6, 5)):
        arrays = [np.array(POINTS[:count], dtype) if k == i else np.full(count, 2, dtype) for k in range(2)]
        assert same(slopes(f, arrays)[wrt], numbers(BINARY[f, i, wrt])[:count], rtol)


@pytest.mark.parametrize("f", ELEMENTWISE, ids=named)
def test_the_value_at_every_combination_has_the_bytes_of_numpy_and_backward_does_not_warn(f):
    for dtype in (np.float64, np.float32):
        with np.errstate(all="ignore"):
            points = np.array([*POINTS, 1.5, -2.0]).astype(dtype)
            arrays = [a.copy() for a in np.meshgrid(*[points] * len(ELEMENTWISE[f]))]
            found, expected = f(*[Tensor(x, requires_grad=True) for x in arrays]).data, f(*arrays)
        assert oracle.identical(found, expected)
        slopes(f, arrays)


# Slopes that do not depend on all inputs: by which input, and on which it depends.
FREE = {
    np.add: ("", ""), np.subtract: ("", ""), np.multiply: ("y", "x"), np.divide: ("y", "xy"), np.remainder: ("", "xy"),
    np.fmod: ("", "xy"), np.floor_divide: ("", ""), np.maximum: ("", ""), np.minimum: ("", ""), np.fmax: ("", ""),
    np.fmin: ("", ""), ops.times_exp: ("y", "xy"), surprises: ("xyz", "x", "x"),
    **dict.fromkeys([np.negative, np.positive, np.degrees, np.radians, np.rad2deg, np.deg2rad], ("",)),
    **dict.fromkeys([np.sign, np.floor, np.ceil, np.rint, np.trunc, np.fix, np.round, np.around], ("",)),
    **dict.fromkeys([ops.relu, ops.leaky_relu], ("",)),
}  # fmt: skip


@pytest.mark.parametrize("f", ELEMENTWISE, ids=named)
class TestNaNNeverTurnsFinite:
    def test_where_a_slope_depends_on_a_nan_it_is_nan(self, f):
        count = len(ELEMENTWISE[f])
        points = np.array([*POINTS, 1.5, -2.0])
        arrays = np.meshgrid(*[points] * count)
        for found, names in zip(slopes(f, arrays), FREE.get(f, ("xy"[:count],) * count)):
            for name in names:
                nan = np.isnan(arrays["xyz".index(name)])
                if f in (np.power, np.float_power):
                    nan &= ~(arrays[1] == 0)  # NaN**0 is 1
                assert np.isnan(found[nan]).all()

    def test_a_gradient_that_is_nan_stays_so_on_its_way(self, f):
        arrays = elementwise_inputs(f, (3,))
        plain = slopes(f, arrays)
        for places in ([0], [0, 1, 2]):
            ts = [Tensor(x, requires_grad=True) for x in arrays]
            g = np.ones(3)
            g[places] = NAN
            f(*ts).backward(g)
            for t, slope in zip(ts, plain):
                assert np.array_equal(np.isnan(t.grad.data), np.isnan(g) & (slope != 0))

    def test_nor_where_the_input_is_nan_itself(self, f):
        for i, _ in enumerate(ELEMENTWISE[f]):
            arrays = elementwise_inputs(f, (1,))
            arrays[i][:] = NAN
            ts = [Tensor(x, requires_grad=True) for x in arrays]
            with np.errstate(all="ignore"):
                out = f(*ts)
            out.backward(np.array([NAN]))
            constant = f in (
                np.sign,
                np.floor,
                np.ceil,
                np.rint,
                np.trunc,
                np.fix,
                np.round,
                np.around,
                np.floor_divide,
            )
            assert np.isnan(ts[i].grad.data[0]) != (constant or not np.isnan(out.data[0]))


@pytest.mark.parametrize("key", CALLS, ids=named)
def test_in_a_call_of_any_other_function_the_value_has_the_bytes_of_numpy_and_backward_does_not_warn(key):
    for name, other, f, inputs in EVERY:
        if other != key or "#" not in name:
            continue
        for i, point in ((i, p) for i, x in enumerate(inputs) if x.size for p in POINTS):
            if oracle.POWERS_DIFFER and name == "power #2" and point == -math.inf:
                continue  # the root of −∞ was NaN, and is ∞ as a power
            arrays = [x.copy() for x in inputs]
            arrays[i].flat[0] = point
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    expected = np.asarray(f(*arrays))
                except np.linalg.LinAlgError as error:
                    with pytest.raises(type(error)):
                        f(*[Tensor(x, requires_grad=True) for x in arrays])
                    continue
                found = f(*[Tensor(x, requires_grad=True) for x in arrays]).data
            assert oracle.identical(found, expected), (name, point)
            try:
                slopes(f, arrays)
            except GradientError as error:
                assert isinstance(error.__cause__, np.linalg.LinAlgError)  # noqa: PT017  # of a few
