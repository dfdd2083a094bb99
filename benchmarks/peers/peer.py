"""What a peer is: how it trains, and how its numbers are read; from this come the tasks that are timed."""

import itertools
import os
import time

import numpy as np

from benchmarks.cases import batches, he_normal

CLOCK = "MINIGRAD_BENCHMARKS_CLOCK"  # set by the driver: wall, or cpu
clock = time.process_time if os.environ.get(CLOCK) == "cpu" else time.perf_counter
CHECKED = 5  # steps after which all peers must have reached the same loss


class Task:
    """What is timed: `step()` again and again; `check` holds the numbers in which all peers agree."""

    def __init__(self, step, check, wait=lambda last: None):
        self.step, self.check, self.wait = step, check, wait

    def seconds(self, count):
        """Seconds per step over so many of them."""
        step, last = self.step, None
        start = clock()
        for _ in range(count):
            last = step()
        self.wait(last)
        return (clock() - start) / count


class Peer:
    """A library, in the words that its user would write. A case whose method is missing is not for this peer."""

    def array(self, a):
        """The peer's array of a NumPy array."""
        return a

    def wait(self, last):
        """Return when the last result is there."""

    def training(self, weights, biases):
        """A function (x, y) → loss, one step of Adam at lr 1e-3 on the MLP with these parameters."""
        raise NotImplementedError

    def step(self, sizes, n):
        """The training step, on batches that take turns."""
        x, labels = batches(sizes, n)
        x, labels = self.array(x), [self.array(y) for y in labels]
        advance = self.training(*he_normal(sizes))
        check = [float(advance(x, labels[0])) for _ in range(CHECKED)]
        turns = itertools.cycle(labels)
        return Task(lambda: advance(x, next(turns)), check, self.wait)


def lengths(*arrays):
    """Numbers that say whether arrays are right: the norm of each, and its sum with changing weights."""
    found = []
    for array in arrays:
        a = np.asarray(array, np.float64).ravel()
        found += [float(np.sqrt(a @ a)), float(a @ np.cos(np.arange(a.size)))]
    return found
