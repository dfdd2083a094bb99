"""Random programs of up to 50 operations against a complex step through the same program on plain arrays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad import Tensor, no_grad
from minigrad.engine.graph import recording

TINY = 1e-100
QUICK = settings(derandomize=True, database=None, deadline=None, max_examples=300)
LONG = settings(database=None, deadline=None, max_examples=20_000, print_blob=True)
W = np.array([[0.4, -0.3, 0.2], [0.1, 0.5, -0.6], [-0.2, 0.3, 0.7]])
MASK = np.array([True, False, True])
ROWS = np.array([2, 0, 2])


def cut(x):
    """The value as a constant."""
    return x.detach() if isinstance(x, Tensor) else np.real(x)


def unrecorded(x):
    """A computation that no gradient goes through."""
    with no_grad():
        return np.sin(x if isinstance(x, Tensor) else np.real(x))


def square(x):
    """(3, 3), whatever it was."""
    return np.broadcast_to(x, (3, 3))


# Every value has a shape out of (), (3,), (1, 3), (3, 1), (3, 3): any two broadcast. All functions are analytic.
STEPS = [
    lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x / (y * y + 2), lambda x, y: x * 0.5 + 1,
    lambda x, y: np.sin(x), lambda x, y: np.tanh(y), lambda x, y: np.exp(0.3 * x), lambda x, y: 1 / (2 + np.cos(x)),
    lambda x, y: np.log(x * x + 1.5), lambda x, y: np.sqrt(x * x + y * y + 1), lambda x, y: x**3 / 8, lambda x, y: -x,
    lambda x, y: x.T, lambda x, y: x.reshape(-1)[:1].sum(), lambda x, y: square(x)[ROWS], lambda x, y: square(x)[:, 1],
    lambda x, y: square(x)[::-1, ROWS], lambda x, y: square(x)[1:2], lambda x, y: np.where(MASK, x, y), lambda x, y: square(x)[MASK][0],
    lambda x, y: np.concatenate([square(x)[:1], square(y)[1:]]), lambda x, y: np.stack([square(x)[0], square(y)[1], square(x)[2]]),
    lambda x, y: square(x) @ W, lambda x, y: square(x) @ square(y).T / 3, lambda x, y: np.einsum("ij,ji->i", square(x), square(y)) / 3,
    lambda x, y: x.sum(), lambda x, y: square(x).mean(0), lambda x, y: square(x).sum(1, keepdims=True) / 3, lambda x, y: np.cumsum(square(x), 0) / 3,
    lambda x, y: np.roll(square(x), 1, 1), lambda x, y: np.prod(square(y), 1) / 9, lambda x, y: ((square(x) - square(x).mean(0)) ** 2).mean(0), lambda x, y: x + 0 * y,
    lambda x, y: cut(x) * y, lambda x, y: unrecorded(x) + y, lambda x, y: cut(x + y), lambda x, y: square(y).T.reshape(-1)[2:5],
]  # fmt: skip
START = [np.array(0.7), np.array([0.3, -0.8, 1.1]), np.array([[0.5], [-0.4], [0.9]])]
PROGRAMS = st.lists(st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=50)  # fmt: skip


def run(program, values):
    """Each step reads two of the latest values; what grows is squashed, beyond a limit that no sum hits. The sum of the last three is the result."""
    values = list(values)
    for step, i, j in program:
        out = STEPS[step](values[-1 - i % len(values)], values[-1 - j % len(values)])
        size = np.max(np.abs(np.real(out.data if isinstance(out, Tensor) else out)))
        values.append(np.tanh(out) if size > np.pi else out)
    return sum(value.sum() for value in values[-3:])


def is_right(program):
    rng = np.random.default_rng(len(program))
    along = [rng.standard_normal(x.shape) for x in START]
    true = np.imag(run(program, [x + 1j * TINY * d for x, d in zip(START, along)])) / TINY
    leaves = [Tensor(x, requires_grad=True) for x in START]
    out = run(program, leaves)
    assert recording.get() is True
    if not out.requires_grad:
        assert true == 0
        return
    parts = []
    for _ in range(2):  # a second pass over the graph adds the same once more
        out.backward(retain_graph=True)
        parts.append([0 if x.grad is None else float((x.grad.data * d).sum()) for x, d in zip(leaves, along)])
    assert sum(parts[0]) == pytest.approx(true, rel=1e-11, abs=1e-11 * sum(map(abs, parts[0])) + 1e-13)
    assert parts[1] == [2 * part for part in parts[0]]
    out.backward()
    assert all(x.grad is None or not np.shares_memory(x.grad.data, x.data) for x in leaves)


@QUICK
@given(PROGRAMS)
def test_the_gradient_of_a_program_is_that_of_a_complex_step(program):
    is_right(program)


@pytest.mark.slow
def test_the_gradients_of_very_many_programs_are_those_of_complex_steps():
    LONG(given(PROGRAMS)(is_right))()
