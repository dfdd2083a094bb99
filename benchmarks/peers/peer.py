"""What a peer is: the words in which it does the work of a case. What is timed and what is compared follows here."""

import itertools
import os
import time

import numpy as np

from benchmarks.cases import LINKS, batches, direction, he_normal, links, sampled

CLOCK = "MINIGRAD_BENCHMARKS_CLOCK"  # set by the driver: wall, or cpu
clock = time.process_time if os.environ.get(CLOCK) == "cpu" else time.perf_counter
CHECKED = 5  # steps after which all peers must have reached the same loss


class LeftOut(Exception):
    """The peer does not do this case; the text says why."""


def there_and_back(starts, function, *seed):
    """A function () → (function(*starts), the gradients of the starts), for engines with `.grad` and `.backward()`."""

    def both():
        for t in starts:
            t.grad = None
        value = function(*starts)
        value.backward(*seed)
        return value, [t.grad for t in starts]

    return both


class Task:
    """What is timed: `step()` again and again. `check` holds the numbers in which all peers must agree."""

    def __init__(self, step, check, wait=lambda last: None, per=1):
        self.step, self.check, self.wait, self.per = step, check, wait, per

    def seconds(self, count):
        """Seconds for each of so many steps; `step()` takes `per` of them at once."""
        step, last, calls = self.step, None, -(-count // self.per)
        start = clock()
        for _ in range(calls):
            last = step()
        self.wait(last)
        return (clock() - start) / (calls * self.per)


class Peer:
    """A library, in the words that its user would write. What it does not override it does not do."""

    def array(self, a):
        """The peer's array of a NumPy array."""
        return a

    def numpy(self, a):
        """The NumPy array of a peer's array or number."""
        return np.asarray(a)

    def wait(self, last):
        """Return when the last result is there."""

    # --- what a peer writes -----------------------------------------------------------------------------------------
    def training(self, weights, biases):
        """A function (x, y) → loss: one step of Adam at 1e-3 on the MLP with these parameters."""
        raise LeftOut("does not train here")

    def recorded(self, x, method):
        """A function () → exp(x), recorded for a backward pass; written as a method of x if asked."""
        raise LeftOut("has no graph here")

    def differentiated(self, x, g):
        """A function () → (exp(x), [its gradient, where g comes in])."""
        raise LeftOut("has no graph here")

    def linked(self, x, w, b, count):
        """A function () → (Σx after x → tanh(w·x + b) so many times, its gradients in x, w, b)."""
        raise LeftOut("has no graph here")

    def judged(self, name, pred, target):
        """A function () → (mean loss, [its gradient])."""
        raise LeftOut(f"has no {name}")

    def curved(self, weights, biases, x, y, along_w, along_b):
        """A function () → H·v as a list, that of the weights before that of the biases."""
        raise LeftOut("has no Hessian-vector product")

    def memory(self, sizes, n):
        """Steps, from the first on: what they need is looked at from outside."""
        self.step(sizes, n).seconds(3)

    # --- what is timed ----------------------------------------------------------------------------------------------
    def step(self, sizes, n):
        x, labels = batches(sizes, n)
        x, labels = self.array(x), [self.array(y) for y in labels]
        advance = self.training(*he_normal(sizes))
        check = [float(self.numpy(advance(x, labels[0]))) for _ in range(CHECKED)]
        turns = itertools.cycle(labels)
        return Task(lambda: advance(x, next(turns)), check, self.wait)

    def function(self, elements, method=False):
        both = self.recorded(self.array(links(elements)[0]), method)
        return Task(both, marks(self.numpy(both())), self.wait)

    def method(self, elements):
        return self.function(elements, method=True)

    def op(self, elements):
        value, slopes = (both := self.differentiated(*map(self.array, links(elements)[:2])))()
        return Task(both, marks(*map(self.numpy, (value, *slopes))), lambda last: self.wait(last[0]))

    def chain(self, elements, count=LINKS):
        return self.with_gradient(self.linked(*map(self.array, links(elements)), count))

    def epoch(self, sizes, n, batch):
        """One pass over n samples."""
        x, labels = batches(sizes, n)
        parts = [slice(start, start + batch) for start in range(0, n, batch)]
        parts = [(self.array(x[part]), self.array(labels[0][part])) for part in parts]
        advance = self.training(*he_normal(sizes))

        def step():
            for part in parts:
                last = advance(*part)
            return last

        return Task(step, [float(self.numpy(step()))], self.wait)

    def loss(self, name, elements):
        pred, target = sampled(name, elements)
        return self.with_gradient(self.judged(name, self.array(pred), None if target is None else self.array(target)))

    def hvp(self, sizes, n):
        weights, biases = he_normal(sizes)
        x, labels = batches(sizes, n)
        arrays = [weights, biases, x, labels[0], direction(weights), direction(biases)]
        product = self.curved(*([self.array(a) for a in e] if isinstance(e, list) else self.array(e) for e in arrays))
        return Task(product, marks(*map(self.numpy, product())), lambda last: self.wait(last[-1]))

    def with_gradient(self, both):
        """The task that computes a value and its gradients."""
        value, slopes = both()
        check = [float(self.numpy(value)), *marks(*map(self.numpy, slopes))]
        return Task(both, check, lambda last: self.wait(last[0]))


def marks(*arrays):
    """What arrays are compared by: the norm, and some entries in units of its mean square, shifted away from 0."""
    found = []
    for array in arrays:
        a = np.asarray(array, np.float64).ravel()
        norm = float(np.linalg.norm(a))
        found += [norm, *(10 + a[:: max(1, a.size // 5)] * np.sqrt(a.size) / norm).tolist()]
    return found
