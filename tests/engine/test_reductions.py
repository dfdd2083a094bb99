"""Reductions: every set of axes, kept or not, of every shape; right values and gradients, and errors for other axes."""

import itertools
import math
import warnings

import numpy as np
import pytest

from minigrad import Tensor, ops
from minigrad.engine.errors import ShapeError


def shapes(ndims):
    return [shape for ndim in ndims for shape in itertools.product(range(4), repeat=ndim)]


def sets_of_axes(ndim):
    """All subsets, and None."""
    return [None, *(axes for k in range(ndim + 1) for axes in itertools.combinations(range(ndim), k))]


def others(rows):
    """The product of all other entries of each row, one by one."""
    return np.array([[math.prod(row[:i]) * math.prod(row[i + 1 :]) for i in range(len(row))] for row in rows.tolist()])


# Each result of a row of entries, and its slope by each of them.
SLOPES = {
    np.sum: lambda rows, out: np.ones_like(rows),
    np.mean: lambda rows, out: np.full_like(rows, 1 / max(rows.shape[1], 1)),
    np.max: lambda rows, out: rows == out,
    np.min: lambda rows, out: rows == out,
    np.prod: lambda rows, out: others(rows),
    np.var: lambda rows, out: 2 * (rows - rows.mean(1, keepdims=True)) / rows.shape[1],
    np.std: lambda rows, out: (rows - rows.mean(1, keepdims=True)) / rows.shape[1] / np.where(out == 0, np.inf, out),
    ops.logsumexp: lambda rows, out: np.exp(rows - out),
}
each_reduction = pytest.mark.parametrize("f", SLOPES, ids=lambda f: f.__name__)


def value(f, x, axes, keepdims):
    """What NumPy says."""
    if f is ops.logsumexp:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.sum(np.exp(x), axes, keepdims=keepdims)))
    return np.asarray(f(x, axis=axes, keepdims=keepdims))


def slope(f, x, axes, g):
    """The gradient, row by row: the axes that go are moved to the end, and what is one result is a row."""
    axes = tuple(range(x.ndim)) if axes is None else axes
    kept = [i for i in range(x.ndim) if i not in axes]
    moved = np.transpose(x, [*kept, *axes])
    count = math.prod(x.shape[i] for i in kept)
    rows = moved.reshape(count, x.size // count)
    entries = SLOPES[f](rows, value(f, rows, 1, True)).reshape(rows.shape) * g.reshape(count, 1)
    return np.transpose(entries.reshape(moved.shape), np.argsort([*kept, *axes]))


def wrong(f, shape, axes, keepdims, x, rng):
    """What is wrong with one reduction; nothing if nothing is."""
    t = Tensor(x, requires_grad=True)
    try:
        right = value(f, x, axes, keepdims)
    except ValueError:
        with pytest.raises(ShapeError, match=f.__name__):
            f(t, axis=axes, keepdims=keepdims)
        return ""
    out = f(t, axis=axes, keepdims=keepdims)
    if out.shape != right.shape:
        return "shape"
    if f is ops.logsumexp:
        if not np.allclose(out.data, right, 1e-14, 1e-14):
            return "value"
    elif out.data.tobytes() != right.tobytes():
        return "value"
    g = rng.standard_normal(out.shape)
    out.backward(g)
    if t.grad.shape != shape:
        return "shape of the gradient"
    return "" if not x.size or np.abs(t.grad.data - slope(f, x, axes, g)).max() < 1e-13 else "gradient"


def faults(f, ndims):
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nothing, NumPy says, there is no mean
        for shape in shapes(ndims):
            x = rng.uniform(-2, 2, shape)
            for axes, keepdims in itertools.product(sets_of_axes(len(shape)), (False, True)):
                if said := wrong(f, shape, axes, keepdims, x, rng):
                    yield shape, axes, keepdims, said


def test_there_are_as_many_cases_as_there_should_be():
    assert sum(2 * len(sets_of_axes(len(shape))) for shape in shapes(range(4))) * len(SLOPES) == 10_720


@each_reduction
def test_over_every_set_of_axes_value_and_gradient_are_right(f):
    assert list(faults(f, range(4))) == []


@pytest.mark.slow
@each_reduction
def test_so_for_four_axes(f):
    assert list(faults(f, [4])) == []


ONE_AXIS = (np.cumsum, np.cumprod)
X = np.random.default_rng(1).uniform(0.5, 2, (2, 3, 2))


@pytest.mark.parametrize("f", [*SLOPES, np.amax, np.amin, np.cumsum, np.cumprod, np.average], ids=lambda f: f.__name__)
class TestAxes:
    def test_are_counted_from_the_end_too(self, f):
        rng = np.random.default_rng(0)
        for axis in (0, 1, 2, *(() if f in ONE_AXIS else ((0, 2), (2, 1), (1, 0, 2)))):
            results = []
            g = None
            for there in (axis, tuple(i - 3 for i in axis) if isinstance(axis, tuple) else axis - 3):
                t = Tensor(X, requires_grad=True)
                out = f(t, axis=there)
                g = rng.standard_normal(out.shape) if g is None else g
                out.backward(g)
                results.append((out.data.tobytes(), t.grad.data.tobytes()))
            assert results[0] == results[1], axis

    @pytest.mark.parametrize("axis", [3, -4, (0, 0), (0, -3), (1, 3)], ids=str)
    def test_that_are_not_there_or_twice_are_named(self, f, axis):
        error, expected = ShapeError, r"axes that there are, each once, got \w+ \(2, 3, 2\)"
        if isinstance(axis, tuple) and f in ONE_AXIS:
            error, expected = TypeError, r"numbers, got a \(2, 3, 2\), axis=\("
        with pytest.raises(error, match=rf"^\w+: expected {expected}"):
            f(Tensor(X, requires_grad=True), axis=axis)

    @pytest.mark.parametrize("axis", [1.0, "x", (0, 1.5)], ids=str)
    def test_are_whole_numbers(self, f, axis):
        with pytest.raises(TypeError, match="expected whole numbers as axis"):
            f(Tensor(X, requires_grad=True), axis=axis)
