"""NumPy alone, and the matrix products alone."""

import numpy as np

from benchmarks import plain_numpy
from benchmarks.cases import BLENDED, batches, he_normal, sampled
from benchmarks.peers.peer import LeftOut, Peer, Task
from benchmarks.plain_losses import LOSSES


class Plain(Peer):
    """The yardstick: what it costs to have no library at all."""

    def training(self, weights, biases):
        return plain_numpy.Step(weights, biases)

    def recorded(self, x, method):
        if method:
            raise LeftOut("arrays have no method exp")
        return lambda: np.exp(x)

    def differentiated(self, x, g):
        def both():
            value = np.exp(x)
            return value, [g * value]

        return both

    def linked(self, x, w, b, count):
        return lambda: plain_numpy.chain(x, w, b, count)

    def judged(self, name, pred, target):
        def both():
            value, slope = LOSSES[name](pred, target)
            return value, [slope]

        return both

    def blend(self, count):
        pred, target = sampled("huber", 10_000)
        parts = [LOSSES[BLENDED[i % len(BLENDED)]] for i in range(count)]

        def both():
            found = [part(pred, target) for part in parts]
            return sum(0.5 * value for value, _ in found), [sum(0.5 * slope for _, slope in found)]

        return self.with_gradient(both)

    def curved(self, *given):
        return lambda: plain_numpy.hessian_times(*given)


class Products(Peer):
    """The matrix products of a step and nothing else, into arrays that are there: no step on this BLAS is faster."""

    def step(self, sizes, n):
        x, _ = batches(sizes, n)
        weights, _ = he_normal(sizes)
        forward = [np.empty((n, w.shape[1]), np.float32) for w in weights]
        inputs = [x, *(np.ones_like(out) for out in forward[:-1])]
        slopes = [np.ones_like(out) for out in forward]
        back, grads = [np.empty_like(a) for a in inputs], [np.empty_like(w) for w in weights]

        def step():
            for a, w, out in zip(inputs, weights, forward):
                np.matmul(a, w, out=out)
            for i in range(len(weights) - 1, -1, -1):
                np.matmul(inputs[i].T, slopes[i], out=grads[i])
                if i:
                    np.matmul(slopes[i], weights[i].T, out=back[i])

        return Task(step, [])
