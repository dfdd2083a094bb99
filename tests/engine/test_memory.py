"""What a graph holds and lets go: long chains, no recursion, nothing left behind by a step, the peak of a training."""

import contextlib
import gc
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from minigrad import SGD, Tensor, loss, no_grad, op, ops
from minigrad.engine.errors import GradientError

CHAIN = """
import sys, time, resource
import numpy as np
from minigrad import Tensor
sys.setrecursionlimit(100)
def chain(n):
    start = time.process_time()
    x = y = Tensor(np.ones(1), requires_grad=True)
    for _ in range(n):
        y = y * 1.0
    text = repr(y) + y.tree()
    y.backward()
    assert x.grad.data[0] == 1.0, x.grad
    z = x
    for _ in range(n // 10):
        z = z + 1.0
    del z  # never walked: must be freed without recursion too
    y = None
    return time.process_time() - start
{calls}
print(*times, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def run(code):
    """The numbers that a fresh Python prints."""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600)
    return list(map(float, out.stdout.split()))


def run_chain(calls):
    return run(CHAIN.replace("{calls}", calls))


def test_a_chain_of_a_hundred_thousand_nodes_needs_no_recursion():
    *_, mebibytes = run_chain("times = [chain(100_000)]")
    assert mebibytes < 512


@pytest.mark.slow
def test_a_chain_of_a_million_nodes_takes_linear_time():
    short, long, mebibytes = run_chain("times = [chain(100_000), chain(1_000_000)]")
    assert long / short < 13
    assert long < 18
    assert mebibytes < 1024


def test_a_deep_graph_under_create_graph_needs_no_recursion():
    code = (
        "import sys, numpy as np\nfrom minigrad import Tensor\nsys.setrecursionlimit(150)\n"
        "x = y = Tensor(np.ones(1), requires_grad=True)\nfor _ in range(5000): y = y * 1.0001\n"
        "y.backward(create_graph=True)\ng = x.grad\nx.grad = None\ndel y, g\nprint('freed')"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600)
    assert out.stdout.strip() == "freed"


def test_a_chain_holds_its_results_once():
    """The peak of three steps of 50 values of 1 MB each, while the loop keeps the loss."""
    code = (
        "import tracemalloc, numpy as np\nfrom minigrad import Tensor\n"
        "x = Tensor(np.full(131072, 0.5), requires_grad=True)\ntracemalloc.start()\n"
        "for _ in range(3):\n    y = x\n    for _ in range(50): y = np.tanh(y)\n    loss = y.sum()\n    del y\n"
        "    loss.backward()\n    x.grad = None\nprint(tracemalloc.get_traced_memory()[1] / 2**20)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600)
    assert float(out.stdout) <= 56


def test_what_is_only_computed_keeps_nothing():
    """Under no_grad, and from constants: of fifty values of 1 MB two are alive at a time."""
    recorded, constant = Tensor(np.full(131072, 0.5), requires_grad=True), Tensor(np.full(131072, 0.5))
    tracemalloc.start()
    try:
        with no_grad():
            for start in (recorded, constant):
                y = start
                for _ in range(50):
                    y = np.tanh(y)
        y = constant
        for _ in range(50):
            y = np.tanh(y)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("f", "least"), [(ops.log_softmax, 200_000), (lambda z: ops.softmax_residual(z, np.zeros(len(z), int)), 300_000)]
)
def test_a_large_array_leaves_nothing_behind(f, least):
    tracemalloc.start()
    try:
        for rows in range(least, least + 3):  # a place in memory for each row would be 1.6 MB
            f(np.zeros((rows, 2)))
        assert tracemalloc.get_traced_memory()[0] < 2**19
    finally:
        tracemalloc.stop()


@loss(pred="real", target="real")
def half_squared(pred, target):
    """A loss of somebody else's."""
    return 0.5 * (pred - target) ** 2


class TestNothingIsLeftBehind:
    """With the garbage collector off: graphs die by reference count alone."""

    @staticmethod
    def plain(x):
        (np.tanh(x * 2) @ np.ones(x.shape[-1])).sum().backward()
        x.grad = None

    @staticmethod
    def never_walked(x):
        return np.exp(x).sum()

    @staticmethod
    def second_order(x):
        y = (x**3).sum()
        y.backward(create_graph=True)
        g, x.grad = x.grad, None
        g.sum().backward()
        x.grad = None

    @staticmethod
    def with_hooks(x):
        y = x * 2
        remove = x.register_hook(lambda g: g * 2)
        y.register_hook(lambda g: None)
        y.retain_grad()
        y.sum().backward()
        remove()
        x.grad = None

    @staticmethod
    def failing(x):
        y = TestNothingIsLeftBehind.broken(x * 2)
        with contextlib.suppress(GradientError):
            y.sum().backward()

    broken = op(lambda a: a * 2, name="broken", a=lambda g: 1 / 0)

    @staticmethod
    def fused(x):
        ops.log_softmax(ops.linear(x, np.ones((3, 3)), np.ones(3))).sum().backward()
        x.grad = None

    @staticmethod
    def trained(x):
        half_squared(x, np.ones((2, 3))).backward()
        TestNothingIsLeftBehind.optimizer.step()
        TestNothingIsLeftBehind.optimizer.zero_grad()

    @staticmethod
    def left_behind(f, x, steps):
        """Objects that so many steps leave, and bytes that a tenth of them leaves, with the garbage collector off."""
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                f(x)
            before = len(gc.get_objects())
            for _ in range(steps):
                f(x)
            objects = len(gc.get_objects()) - before
            tracemalloc.start()
            f(x)
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(steps // 10):
                f(x)
            size = tracemalloc.get_traced_memory()[0] - before
            assert gc.collect() == 0
        finally:
            tracemalloc.stop()
            gc.enable()
        assert gc.garbage == []
        return objects, size

    def check(self, step, steps):
        x = Tensor(np.ones((2, 3)), requires_grad=True)
        TestNothingIsLeftBehind.optimizer = SGD([x])
        objects, size = self.left_behind(getattr(self, step), x, steps)
        assert objects <= 0
        assert size <= 2**20 / 10

    STEPS = ("plain", "never_walked", "second_order", "with_hooks", "failing", "fused", "trained")

    @pytest.mark.parametrize("step", STEPS)
    def test_no_object_and_no_memory_survives_a_step(self, step):
        self.check(step, 2000)

    @pytest.mark.slow
    @pytest.mark.parametrize("step", STEPS)
    def test_nor_after_very_many(self, step):
        self.check(step, 20_000)
