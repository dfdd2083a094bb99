"""Random shapes, types and values: the gradient of every function against complex steps or differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minigrad import Tensor, ops
from tests.engine import oracle
from tests.engine.cases import ELEMENTWISE, named

QUICK = settings(derandomize=True, database=None, deadline=None, max_examples=12)
LONG = settings(database=None, deadline=None, max_examples=3000, print_blob=True)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
SOLID = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)

STEP = 1e-3
ANALYTIC = {}  # by function: whether a complex step measures its slope, as found where there was something to see


def spaced(rng, shape, low, high):
    """Numbers of which no two are nearly equal, and which cluster now and then at one end."""
    size = int(np.prod(shape, dtype=int))
    places = (rng.permutation(size) + 0.25 + 0.5 * rng.random(size)) / max(size, 1)
    return (low + (high - low) * places ** rng.choice([1.0, 1.0, 3.0])).reshape(shape)


def agrees(name, f, arrays, dtype, rng):
    """Whether ⟨gradient, direction⟩ = ⟨seed, derivative along the direction⟩, at numbers that `dtype` holds exactly."""
    arrays = [x.astype(dtype).astype(np.float64) for x in arrays]
    along = [rng.standard_normal(x.shape) for x in arrays]
    exact = ANALYTIC.get(name)
    if exact is None:
        exact = oracle.applies(f, arrays, rng)
        ANALYTIC.update({name: exact} if all(x.size > 1 for x in arrays) else {})
    slope = slope_along(f, arrays, along, exact)
    ts = [Tensor(x, requires_grad=True, dtype=dtype) for x in arrays]
    out = f(*ts)
    assert out.dtype == np.asarray(f(*[x.astype(dtype) for x in arrays])).dtype
    seed = rng.standard_normal(out.shape).astype(out.dtype)
    if out.requires_grad:
        out.backward(seed)
    pairs = [(t.grad.data.astype(np.float64), d) for t, d in zip(ts, along) if t.grad is not None]
    assert all(t.grad is None or (t.grad.shape, t.grad.dtype) == (t.shape, dtype) for t in ts)
    found, true = sum(float(np.sum(g * d)) for g, d in pairs), float(np.sum(seed * slope))
    scale = max(np.sum(np.abs(seed * slope)), sum(np.sum(np.abs(g * d)) for g, d in pairs), 1e-12)
    limit = 1e-5 if dtype == np.float32 else 1e-11 if exact else oracle.NEAR
    if abs(found - true) > limit * scale:  # a sum of terms that cancel is as exact as a step of the input lets it be
        moved = slope_along(f, [x * (1 + STEP) for x in arrays], along, exact)
        scale += np.sum(np.abs(seed * (moved - slope))) / STEP
    assert abs(found - true) <= limit * scale


def slope_along(f, arrays, along, exact):
    return oracle.complex_step(f, arrays, along) if exact else oracle.slope(f, arrays, along)[0]


@st.composite
def elementwise_calls(draw, function):
    """A function that works entry by entry, and arguments that broadcast."""
    domains = ELEMENTWISE[function]
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=len(domains), max_dims=3, min_side=0, max_side=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    arrays = [spaced(rng, shape, *domain) for shape, domain in zip(shapes.input_shapes, domains)]
    return named(function), function, arrays, draw(st.sampled_from([np.float64, np.float32])), rng


def axes_of(draw, ndim):
    """None, one axis or several, from either end."""
    if ndim == 0 or draw(st.booleans()):
        return None
    some = draw(st.lists(st.integers(0, ndim - 1), min_size=1, unique=True))
    some = [axis - ndim * draw(st.booleans()) for axis in some]
    return some[0] if len(some) == 1 and draw(st.booleans()) else tuple(some)


def reduced(function, shapes=SHAPES):
    """Along any axes, kept or not."""

    def call(draw):
        shape = draw(shapes)
        axis, keepdims = axes_of(draw, len(shape)), draw(st.booleans())
        return lambda x: function(x, axis=axis, keepdims=keepdims), [shape]

    return call


def along_one(function, shapes=SOLID):
    """Along one axis."""

    def call(draw):
        shape = draw(shapes)
        axis = draw(st.integers(-len(shape), len(shape) - 1))
        return lambda x: function(x, axis), [shape]

    return call


def indexed(draw):
    shape = draw(SOLID)
    index = draw(
        hnp.basic_indices(shape, allow_newaxis=True)
        | hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=4))
        | hnp.arrays(bool, shape)
        | hnp.arrays(bool, shape[:1])
        | st.tuples(st.slices(shape[0]), *[hnp.arrays(int, 3, elements=st.integers(-n, n - 1)) for n in shape[1:2]])
    )
    return lambda x: x[index], [shape]


def reshaped(draw):
    shape = draw(SHAPES)
    size = int(np.prod(shape, dtype=int))
    other = draw(st.sampled_from([(size,), (1, size), (size, 1, 1), *([(-1, 2)] if size and size % 2 == 0 else [])]))
    return lambda x: np.reshape(x, other), [shape]


def transposed(draw):
    shape = draw(SHAPES)
    order = draw(st.permutations(range(len(shape))))
    return lambda x: np.transpose(x, order), [shape]


def broadcast(draw):
    found = draw(hnp.mutually_broadcastable_shapes(num_shapes=1, base_shape=draw(SHAPES), max_dims=3, min_side=0))
    return lambda x: np.broadcast_to(x, found.result_shape), [found.input_shapes[0]]


def joined(function):
    def call(draw):
        shape = draw(SOLID)
        axis, count = draw(st.integers(-len(shape), len(shape) - 1)), draw(st.integers(1, 3))
        return lambda *xs: function(xs, axis=axis), [shape] * count

    return call


def multiplied(function, signature):
    def call(draw):
        found = draw(hnp.mutually_broadcastable_shapes(signature=signature, max_dims=2, min_side=0, max_side=3))
        return function, list(found.input_shapes)

    return call


def affine(draw):
    lead, n, p = (
        draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3)),
        *draw(st.tuples(*[st.integers(1, 3)] * 2)),
    )
    return ops.linear, [(*lead, n), (n, p), (p,)]


def repeated(function, many):
    def call(draw):
        shape = draw(SOLID)
        axis = draw(st.integers(0, len(shape) - 1))
        count = draw(many(shape, axis))
        return lambda x: function(x, count, axis), [shape]

    return call


def padded(draw):
    shape = draw(SOLID)
    width = [tuple(draw(st.tuples(*[st.integers(0, 2)] * 2))) for _ in shape]
    mode = draw(st.sampled_from(["constant", "edge", "reflect", "symmetric", "wrap"]))
    return lambda x: np.pad(x, width, mode), [shape]


def tiled(draw):
    reps = tuple(draw(st.lists(st.integers(0, 2), min_size=1, max_size=3)))
    return lambda x: np.tile(x, reps), [draw(SHAPES)]


def summed(draw):
    """An einsum of two arrays: any letters, any output."""
    letters = [draw(st.lists(st.sampled_from("ijk"), max_size=3)) for _ in range(2)]
    out = draw(st.lists(st.sampled_from(sorted({*letters[0], *letters[1]}) or ["i"]), unique=True, max_size=3))
    out = [letter for letter in out if letter in {*letters[0], *letters[1]}]
    sides = dict(zip("ijk", draw(st.tuples(*[st.integers(1, 3)] * 3))))
    text = ",".join(map("".join, letters)) + "->" + "".join(out)
    return lambda x, y: np.einsum(text, x, y), [tuple(sides[letter] for letter in some) for some in letters]


CALLS = {
    "sum": reduced(np.sum), "mean": reduced(np.mean, SOLID), "prod": reduced(np.prod), "max": reduced(np.max, SOLID),
    "min": reduced(np.min, SOLID), "var": reduced(np.var, SOLID),
    "std": reduced(np.std, hnp.array_shapes(max_dims=3, min_side=2, max_side=4)), "logsumexp": reduced(ops.logsumexp, SOLID),
    "cumsum": along_one(np.cumsum), "cumprod": along_one(np.cumprod), "sort": along_one(np.sort),
    "diff": along_one(lambda x, axis: np.diff(x, axis=axis)), "norm": along_one(lambda x, axis: np.linalg.norm(x, axis=axis)),
    "flip": along_one(np.flip), "expand_dims": along_one(np.expand_dims), "softmax": lambda draw: (ops.softmax, [draw(SOLID)]),
    "log_softmax": lambda draw: (ops.log_softmax, [draw(SOLID)]), "index": indexed, "reshape": reshaped, "transpose": transposed,
    "broadcast_to": broadcast, "concatenate": joined(np.concatenate), "stack": joined(np.stack),
    "matmul": multiplied(np.matmul, "(m?,n),(n,p?)->(m?,p?)"), "linear": affine,
    "dot": multiplied(np.dot, "(m,n),(n,p)->(m,p)"), "einsum": summed, "pad": padded, "tile": tiled,
    "roll": repeated(np.roll, lambda shape, axis: st.integers(-5, 5)),
    "repeat": repeated(np.repeat, lambda shape, axis: st.integers(0, 3) | st.lists(st.integers(0, 2), min_size=shape[axis], max_size=shape[axis])),
    "take": repeated(np.take, lambda shape, axis: st.lists(st.integers(-shape[axis], shape[axis] - 1), max_size=4).map(lambda some: np.array(some, int))),
    "where": lambda draw: (lambda x, y: np.where(np.arange(3) % 2 == 0, x, y), list(draw(hnp.mutually_broadcastable_shapes(num_shapes=2, base_shape=(3,), max_dims=2, max_side=3)).input_shapes)),
}  # fmt: skip


@st.composite
def other_calls(draw, name):
    """A function that is not elementwise, with arguments of random shapes, axes and indices."""
    f, shapes = CALLS[name](draw)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return (
        name,
        f,
        [spaced(rng, shape, -1.5, 1.7) for shape in shapes],
        draw(st.sampled_from([np.float64, np.float32])),
        rng,
    )


how_often = pytest.mark.parametrize(
    "settings", [pytest.param(QUICK, id="often"), pytest.param(LONG, marks=pytest.mark.slow, id="very often")]
)


@how_often
@pytest.mark.parametrize("function", ELEMENTWISE, ids=named)
def test_a_function_that_works_entry_by_entry(function, settings):
    settings(given(elementwise_calls(function))(lambda call: agrees(*call)))()


@how_often
@pytest.mark.parametrize("name", CALLS)
def test_any_other_function(name, settings):
    settings(given(other_calls(name))(lambda call: agrees(*call)))()
