"""Threads and async tasks: each has a grad mode of its own, graphs are shared freely, and a leaf misses nothing."""

import asyncio
import sys
import threading

import numpy as np
import pytest

from minigrad import Tensor, no_grad, ops
from minigrad.engine.graph import recording


def leaf(*values):
    return Tensor(np.array(values), requires_grad=True)


class TestGradMode:
    def test_nothing_is_recorded_under_no_grad(self):
        x = leaf(1.0)
        with no_grad():
            assert not (x * 2).requires_grad
            with no_grad():
                pass
            assert not ops.relu(x).requires_grad
        assert (x * 2).requires_grad

    def test_the_mode_returns_after_an_exception(self):
        with pytest.raises(KeyError), no_grad():
            raise KeyError
        assert recording.get()

    def test_as_a_decorator_it_covers_the_function_also_when_it_calls_itself(self):
        x = leaf(1.0)

        @no_grad()
        def down(n):
            return x * n if n == 0 else down(n - 1)

        assert not down(5).requires_grad
        assert recording.get()

    def test_threads_have_modes_of_their_own(self):
        x, found = leaf(1.0), []
        inside, done = threading.Event(), threading.Event()

        def other():
            with no_grad():
                inside.set()
                done.wait(10)

        thread = threading.Thread(target=other)
        thread.start()
        inside.wait(10)
        found.append((x * 2).requires_grad)
        done.set()
        thread.join()
        assert found == [True]

    def test_a_hundred_interleaved_tasks_do_not_leak_modes(self):
        x = leaf(1.0)

        async def task(i):
            seen = []
            for _ in range(5):
                if i % 2:
                    with no_grad():
                        await asyncio.sleep(0)
                        seen.append((x * 2).requires_grad)
                else:
                    await asyncio.sleep(0)
                    seen.append((x * 2).requires_grad)
            return set(seen) == {i % 2 == 0}

        async def all_of_them():
            return await asyncio.gather(*map(task, range(100)))

        assert all(asyncio.run(all_of_them()))
        assert recording.get()


def parallel(count, work):
    """Run `work(i)` in `count` threads that switch as often as they can; return what they returned."""
    results, before = [None] * count, sys.getswitchinterval()

    def run(i):
        results[i] = work(i)

    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    finally:
        sys.setswitchinterval(before)
    return results


class TestThreads:
    @staticmethod
    def wrong_in(count):
        def work(seed):
            rng, wrong = np.random.default_rng(seed), 0
            for _ in range(count):
                a, b = rng.standard_normal((2, 3, 4))
                x = Tensor(a, requires_grad=True)
                y = ((x * b).sum(0) ** 2).sum()
                y.backward()
                wrong += not np.allclose(x.grad.data, 2 * (a * b).sum(0) * b, rtol=1e-12, atol=0)
            return wrong

        return work

    def test_graphs_of_their_own_do_not_disturb_each_other(self):
        assert parallel(8, self.wrong_in(25)) == [0] * 8

    @pytest.mark.slow
    def test_nor_do_very_many(self):
        for _ in range(5):
            assert parallel(8, self.wrong_in(125)) == [0] * 8

    @pytest.mark.parametrize("create_graph", [False, True])
    def test_one_retained_graph_serves_all(self, create_graph):
        x = leaf(1.0, 2.0)
        y = (np.exp(x) * x).sum()
        parallel(8, lambda i: [y.backward(retain_graph=True, create_graph=create_graph) for _ in range(25)])
        assert x.grad.data == pytest.approx(200 * np.exp(x.data) * (1 + x.data), rel=1e-12)

    def test_one_thread_records_while_another_does_not(self):
        x = leaf(1.0, 2.0)

        def work(i):
            seen = set()
            for _ in range(100):
                if i % 2:
                    with no_grad():
                        seen.add((x * 2).requires_grad)
                else:
                    seen.add((x * 2).requires_grad)
            return seen

        assert parallel(8, work) == [{True}, {False}] * 4

    def test_a_shared_leaf_misses_nothing(self):
        x = leaf(0.0)
        parallel(8, lambda i: [(x * 1.0).backward() for _ in range(200)])
        assert x.grad.tolist() == [1600]
