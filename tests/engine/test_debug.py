"""detect_anomaly names the culprit, and tree shows the graph."""

import asyncio
import contextlib
import inspect
import math
import threading
import time

import numpy as np
import pytest

from minigrad import Tensor, elementwise, no_grad, op, ops
from minigrad.engine import detect_anomaly
from minigrad.engine.errors import GradientError


def leaf(*values, dtype=np.float64):
    return Tensor(np.array(values, dtype), requires_grad=True)


BAD_SLOPE = elementwise(lambda x: x * 2, name="bad_slope", x=lambda x: np.where(x > 1, np.nan, 2.0))

# Where the first value that is not finite comes from: a name, and what makes it out of x = (0, 1, 2).
VALUES = {
    "log": lambda x: np.log(x), "divide": lambda x: 1 / x, "sqrt": lambda x: np.sqrt(x - 1), "reciprocal": np.reciprocal,
    "log1p": lambda x: np.log1p(-x), "arcsin": lambda x: np.arcsin(x), "arccosh": lambda x: np.arccosh(x),
    "exp": lambda x: np.exp(x * 1000), "power": lambda x: x**-1, "arctanh": lambda x: np.arctanh(x), "cosh": lambda x: np.cosh(x * 1000),
    "square": lambda x: np.square(x * 1e200), "multiply": lambda x: x * 1e200 * 1e200, "prod": lambda x: np.prod(x + 1e200),
    "sum": lambda x: np.sum(x + 1e308), "matmul": lambda x: (x * 1e200) @ (x * 1e200),
}  # fmt: skip
# Values that are finite with a slope that is not.
SLOPES = {
    "sqrt": lambda x: np.sqrt(x), "cbrt": lambda x: np.cbrt(x), "power": lambda x: x**0.5, "arccos": lambda x: np.arccos(x / 2),
    "arcsin": lambda x: np.arcsin(x - 1), "bad_slope": BAD_SLOPE,
}  # fmt: skip


class TestTheFirstValueThatIsNotFinite:
    @pytest.mark.parametrize("name", VALUES)
    @pytest.mark.filterwarnings("ignore::RuntimeWarning")
    def test_is_traced_to_its_operation(self, name):
        x = leaf(0.0, 1.0, 2.0)
        with detect_anomaly(), pytest.raises(GradientError) as caught:
            (np.tanh(x) + VALUES[name](x)).sum().backward()
        said = str(caught.value)
        assert said.startswith("detect_anomaly: expected finite values, got ")
        assert f" from {name} " in said
        assert "test_debug.py:" in said
        assert x.grad is None

    @pytest.mark.filterwarnings("ignore::RuntimeWarning")
    def test_with_place_line_shapes_and_inputs(self):
        x = Tensor(np.array([[1.0, 0.98], [0.0, 0.5]]), requires_grad=True)
        with detect_anomaly(), pytest.raises(GradientError) as caught:
            np.log(x)
        line = inspect.currentframe().f_lineno - 1
        assert str(caught.value) == (
            f"detect_anomaly: expected finite values, got -inf at (1, 0) from log (2, 2) at test_debug.py:{line}; its inputs "
            "were x = 0 (shape (2, 2), range 0 … 1): keep them where log is finite"
        )

    @pytest.mark.filterwarnings("ignore::RuntimeWarning")
    def test_is_found_in_a_constant_computation_too(self):
        with detect_anomaly(), no_grad(), pytest.raises(GradientError, match=r"got nan at .* from log "):
            np.log(leaf(-1.0))

    def test_an_infinity_that_the_data_hold_on_purpose_passes(self):
        mask = np.array([0.0, -np.inf, 0.0])
        x = leaf(1.0, 2.0, 3.0)
        with detect_anomaly():
            ops.softmax(x + mask).sum().backward()
        assert np.isfinite(x.grad.data).all()

    def test_but_a_nan_in_the_data_does_not(self):
        with detect_anomaly(), pytest.raises(GradientError, match=r"got nan at \(1,\) from multiply .* y = nan"):
            leaf(1.0, 2.0) * np.array([1.0, np.nan])

    @pytest.mark.filterwarnings("ignore::RuntimeWarning")
    def test_outside_of_the_block_nothing_is_looked_at(self):
        with detect_anomaly():
            pass
        assert np.isinf(np.log(leaf(0.0)).item())


class TestTheFirstGradientThatIsNotFinite:
    @pytest.mark.parametrize("name", ["sqrt", "cbrt", "power", "arccos", "arcsin", "bad_slope"])
    def test_is_traced_to_operation_and_argument(self, name):
        x = leaf(0.0, 1.0, 2.0)
        with detect_anomaly():
            y = SLOPES[name](x)
            z = (y * y + y).sum()
            with pytest.raises(
                GradientError, match=rf"finite gradients, got .* for x \(3,\) of {name} \(3,\) at test_debug.py:"
            ):
                z.backward()
        assert x.grad is None

    def test_with_place_line_and_cure(self):
        with detect_anomaly():
            y = np.sqrt(leaf(1.0, 0.0)).sum()
            line = inspect.currentframe().f_lineno - 1
            with pytest.raises(GradientError) as caught:
                y.backward()
        assert str(caught.value) == (
            f"detect_anomaly: expected finite gradients, got inf at (1,) for x (2,) of sqrt (2,) at test_debug.py:{line}; keep x "
            "where the slope of sqrt is finite, np.where before it, not after"
        )

    def test_without_the_line_if_the_graph_was_made_outside(self):
        y = np.sqrt(leaf(0.0, 1.0)).sum()
        with (
            detect_anomaly(),
            pytest.raises(GradientError, match=r"got inf at \(0,\) for x \(2,\) of sqrt \(2,\); keep x"),
        ):
            y.backward()

    def test_a_seed_that_is_not_finite_is_the_callers_own(self):
        x = leaf(1.0)
        with detect_anomaly():
            (x * 2).backward(np.array([np.inf]))
        assert x.grad.tolist() == [np.inf]

    def test_under_create_graph_too(self):
        y = np.sqrt(leaf(0.0, 1.0)).sum()
        with detect_anomaly(), pytest.raises(GradientError, match="expected finite gradients"):
            y.backward(create_graph=True)


class TestASavedArrayThatChanged:
    def test_is_named_with_the_operation_that_saved_it(self):
        w = leaf(1.0, 2.0)
        with detect_anomaly():
            y = (w * w).sum()
            line = inspect.currentframe().f_lineno - 1
            w.data[0] = 9  # a raw write, which nothing else can see
            with pytest.raises(
                GradientError, match=rf"expected [xy] as multiply \(2,\) at test_debug.py:{line} saved it"
            ):
                y.backward()
        assert w.grad is None

    def test_through_a_view_or_in_a_result(self):
        w = Tensor(np.ones((2, 2)), requires_grad=True)
        with detect_anomaly():
            y = (w.T * 2.0 * w).sum()
            w.data[0, 1] = 9
            with pytest.raises(GradientError, match="an array that was written to since"):
                y.backward()

    def test_an_array_that_did_not_change_is_not_blamed(self):
        w = leaf(1.0, 2.0)
        with detect_anomaly():
            y = (np.exp(w) * w[::-1] + np.outer(w, w).sum(0)).sum()
            y.backward(retain_graph=True)
            y.backward()


class TestTheMode:
    def test_belongs_to_its_thread_and_task(self):
        from minigrad.engine.debug import watching

        seen = []
        with detect_anomaly():
            thread = threading.Thread(target=lambda: seen.append(watching.get()))
            thread.start()
            thread.join()
        assert seen == [False]

        async def watched():
            with detect_anomaly():
                await asyncio.sleep(0)
                return watching.get()

        async def both():
            return await asyncio.gather(watched(), asyncio.sleep(0, False), watched())

        assert asyncio.run(both()) == [True, False, True]
        assert not watching.get()

    def test_ends_with_an_error(self):
        from minigrad.engine.debug import watching

        with pytest.raises(KeyError), detect_anomaly():
            raise KeyError
        assert not watching.get()

    def test_results_and_gradients_are_the_same_inside(self):
        def step(x):
            y = ops.log_softmax(ops.relu(x @ np.arange(12.0).reshape(3, 4)) * 0.1)
            y.sum().backward()
            return x.grad.data

        a = np.arange(6.0).reshape(2, 3) - 2
        outside = step(Tensor(a, requires_grad=True))
        with detect_anomaly():
            inside = step(Tensor(a, requires_grad=True))
        assert np.array_equal(outside, inside)


class TestALostGradient:
    @pytest.mark.parametrize(
        ("lose", "name"),
        [
            (lambda x: Tensor(np.argmax(x) * 1.0), "argmax"), (lambda x: x.detach().sum(), "detach"),
            (lambda x: Tensor(x.numpy()).sum(), "numpy"), (lambda x: Tensor((x > 0).sum() * 1.0), "greater"),
        ],
    )  # fmt: skip
    def test_inside_the_block_has_its_line(self, lose, name):
        with detect_anomaly(), pytest.raises(GradientError, match=rf"dropped one was {name}, test_debug.py:\d+ \("):
            lose(leaf(1.0, 2.0)).backward()

    def test_is_remembered_by_its_thread_alone(self):
        def other():
            leaf(1.0).detach()

        thread = threading.Thread(target=other)
        np.argmax(leaf(1.0, 2.0))
        thread.start()
        thread.join()
        with pytest.raises(GradientError, match="was argmax"):
            Tensor(1.0).backward()

    def test_looking_at_a_shape_loses_nothing(self):
        np.argmax(leaf(1.0, 2.0))
        np.zeros_like(leaf(1.0))
        Tensor([1.0]).numpy()
        with pytest.raises(GradientError, match="was argmax"):
            Tensor(1.0).backward()


class TestTree:
    X, W = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([1.0, -1.0])

    def test_has_a_line_for_each_operation_and_leaf(self):
        x, w = Tensor(self.X, requires_grad=True), Tensor(self.W, requires_grad=True)
        z = (x @ w).sum()
        assert z.tree().splitlines() == [
            "sum (), keeps a_shape, axis",
            "  a: matmul (3,), keeps x, y",
            "    x: leaf (3, 2), grad None",
            "    y: leaf (2,), grad None",
        ]
        z.backward()
        assert w.tree() == "leaf (2,), grad [ 9. 12.]"
        assert z.tree() == "consumed by a backward ()"

    def test_shows_gradients_that_are_kept(self):
        x = leaf(1.0, 2.0)
        y = x * 2
        y.retain_grad()
        y.sum().backward(retain_graph=True)
        assert "multiply (2,), keeps y, grad [1. 1.]" in y.tree()

    def test_names_what_was_shown_already(self):
        x = leaf(1.0)
        y = x * x
        lines = (y + y).tree().splitlines()
        assert lines[1:] == [
            "  x: multiply (1,), keeps y, x",
            "    x: leaf (1,), grad None",
            "    y: as in line 3",
            "  y: as in line 2",
        ]

    def test_shows_the_members_of_a_sequence(self):
        x, y = leaf(1.0), leaf(2.0)
        assert np.concatenate([x, np.ones(1), y]).tree().count("arrays: leaf (1,)") == 2

    def test_of_a_long_chain_shows_its_end(self):
        y = leaf(1.0)
        for _ in range(5000):
            y = y + 1
        assert len(y.tree().splitlines()) == 41
        assert y.tree(lines=2).splitlines()[-1].strip() == "…"

    def test_of_a_constant_says_so(self):
        assert Tensor([1.0]).tree() == "a constant (1,): nothing is recorded"

    def test_inside_detect_anomaly_has_the_lines(self):
        with detect_anomaly():
            y = leaf(1.0) * 2
        assert "at test_debug.py:" in y.tree()


@pytest.mark.slow
def test_watching_costs_no_more_than_twice_the_work_itself():
    """In a step of a network: the quickest of many, in processor time, so that others on the machine do not count."""
    x, w = np.random.default_rng(0).standard_normal((2, 256, 256))

    def seconds(watched):
        best = math.inf
        for _ in range(40):
            t = Tensor(w, requires_grad=True)
            with detect_anomaly() if watched else contextlib.nullcontext():
                start = time.process_time()
                y = x
                for _ in range(6):
                    y = ops.relu(y @ t) * 0.1
                y.sum().backward()
                best = min(best, time.process_time() - start)
        return best

    assert seconds(True) <= 3 * seconds(False)


def test_a_rule_of_ones_own_is_watched_too():
    made = op(lambda a: a * 2, name="mine", a=lambda g: g * np.nan)
    with detect_anomaly(), pytest.raises(GradientError, match=r"for a \(1,\) of mine"):
        made(leaf(1.0)).backward()
