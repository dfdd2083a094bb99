"""All pairs of the 85 shapes of up to three axes with sides 0 to 3: a right gradient for each argument, or a ShapeError."""

import functools
import itertools

import numpy as np
import pytest

from minigrad import Tensor
from minigrad.engine.errors import ShapeError

SHAPES = [shape for ndim in range(4) for shape in itertools.product(range(4), repeat=ndim)]
PAIRS = list(itertools.product(SHAPES, repeat=2))
# Both slopes, entry by entry. No two entries are equal.
SLOPES = {
    np.add: lambda x, y: (1, 1),
    np.subtract: lambda x, y: (1, -1),
    np.multiply: lambda x, y: (y, x),
    np.divide: lambda x, y: (1 / y, -x / y**2),
    np.power: lambda x, y: (y * x ** (y - 1), x**y * np.log(x)),
    np.maximum: lambda x, y: (x > y, y > x),
    np.where: lambda x, y: (x > 1, x <= 1),
}
each_op = pytest.mark.parametrize("op", SLOPES, ids=lambda op: op.__name__)


def call(op, x, y):
    return op(x > 1, x, y) if op is np.where else op(x, y)


def full_shape(first, second):
    try:
        return np.broadcast_shapes(first, second)
    except ValueError:
        return None


class Draw:
    """Two arrays and a gradient of the shape to which they broadcast."""

    def __init__(self, first, second, full, rng):
        self.x, self.y, self.g = rng.uniform(0.3, 1.9, first), rng.uniform(0.3, 1.9, second), rng.standard_normal(full)
        self.wide = np.broadcast_to(self.x, full), np.broadcast_to(self.y, full)
        places = [np.arange(a.size).reshape(a.shape) for a in (self.x, self.y)]
        self.places = [np.broadcast_to(place, full).ravel() for place in places]

    def right(self, slopes):
        """What arrives at each entry: of all to which it was broadcast, as its position says."""
        for slope, places, a in zip(slopes, self.places, (self.x, self.y)):
            yield np.bincount(places, (self.g * slope).ravel(), a.size).reshape(a.shape)


@functools.cache
def draws():
    rng = np.random.default_rng(0)
    return [Draw(*pair, full, rng) for pair in PAIRS if (full := full_shape(*pair)) is not None]


def test_there_are_as_many_pairs_as_there_should_be():
    assert (len(SHAPES), len(draws()), len(PAIRS) - len(draws())) == (85, 2479, 4746)


@each_op
def test_shapes_that_broadcast_give_right_values_and_gradients(op):
    wrong = []
    for draw in draws():
        x, y = Tensor(draw.x, requires_grad=True), Tensor(draw.y, requires_grad=True)
        out = call(op, x, y)
        out.backward(draw.g)
        good = out.data.tobytes() == np.asarray(call(op, draw.x, draw.y)).tobytes() and out.shape == draw.g.shape
        for t, right in zip((x, y), draw.right(SLOPES[op](*draw.wide))):
            good = good and t.grad.shape == right.shape and np.abs(t.grad.data - right).max(initial=0) < 1e-13
        if not good:
            wrong.append((x.shape, y.shape))
    assert wrong == []


@each_op
def test_shapes_that_do_not_broadcast_are_an_error_that_names_both_and_the_axis(op):
    arrays = {shape: Tensor(np.full(shape, 1.5), requires_grad=True) for shape in SHAPES}
    wrong = []
    for first, second in PAIRS:
        if full_shape(first, second) is None:
            try:
                call(op, arrays[first], arrays[second])
                said = "nothing"
            except ShapeError as error:
                said = str(error)
            if not all(part in said for part in (op.__name__, str(first), str(second), "they clash in axis -")):
                wrong.append((first, second, said))
    assert wrong == []
