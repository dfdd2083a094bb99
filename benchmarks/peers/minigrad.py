"""minigrad: the five-line loop, and `fit`."""

from functools import reduce
from operator import add

import numpy as np

from benchmarks.cases import BLENDED, batches, he_normal, sampled
from benchmarks.peers.peer import CHECKED, Peer, Task, clock, there_and_back
from minigrad import MLP, Adam, Tensor, fit, losses, ops
from minigrad.engine.transforms import hvp
from minigrad.optim import Schedule


def mlp(weights, biases):
    """The MLP with these parameters."""
    model = MLP(len(weights[0]), *(len(b) for b in biases), rng=0)
    arrays = [array for pair in zip(weights, biases) for array in pair]
    model.load_state_dict(dict(zip(model.state_dict(), arrays, strict=True)))
    return model


class Eager(Peer):
    """The loop that everybody writes."""

    def numpy(self, a):
        return a.numpy() if isinstance(a, Tensor) else a

    def training(self, weights, biases):
        model, loss = mlp(weights, biases), losses.get("cross_entropy")
        optimizer = Adam(model.parameters(), lr=1e-3)

        def advance(x, y):
            value = loss(model(x), y)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            return value

        return advance

    def recorded(self, x, method):
        t = Tensor(x, requires_grad=True)
        return (lambda: t.exp()) if method else lambda: np.exp(t)

    def differentiated(self, x, g):
        return there_and_back([Tensor(x, requires_grad=True)], np.exp, g)

    def linked(self, x, w, b, count):
        def total(x, w, b):
            for _ in range(count):
                x = np.tanh(w * x + b)
            return x.sum()

        return there_and_back([Tensor(a, requires_grad=True) for a in (x, w, b)], total)

    def judged(self, name, pred, target):
        loss = losses.get(name)
        return there_and_back([Tensor(pred, requires_grad=True)], lambda pred: loss(pred, target))

    def blend(self, count):
        """A weighted sum of so many losses of 10,000 predictions."""
        pred, target = sampled("huber", 10_000)
        parts = [losses.get(BLENDED[i % len(BLENDED)]) for i in range(count)]
        loss = reduce(add, (0.5 * part for part in parts))
        both = there_and_back([Tensor(pred, requires_grad=True)], lambda pred: loss(pred, target))
        return self.with_gradient(both)

    def curved(self, weights, biases, x, y, along_w, along_b):
        loss = losses.get("cross_entropy")

        def f(weights, biases):
            z = x @ weights[0] + biases[0]
            for w, b in zip(weights[1:], biases[1:]):
                z = ops.relu(z) @ w + b
            return loss(z, y)

        def product():
            _, along = hvp(f, wrt=(0, 1))(weights, biases)
            out_w, out_b = along((along_w, along_b))
            return out_w + out_b

        return product


class Fit(Peer):
    """`fit` from one step to the next, seen from outside: each asks for the learning rate once."""

    def step(self, sizes, n):
        x, labels = batches(sizes, n)
        model = mlp(*he_normal(sizes))
        known = fit(model, (x, labels[0]), loss="cross_entropy", batch_size=n, epochs=CHECKED, progress=False)
        return FitTask(mlp(*he_normal(sizes)), x, labels, [row.running for row in known.rows])

    def epoch(self, sizes, n, batch):
        x, labels = batches(sizes, n)
        model, settings = mlp(*he_normal(sizes)), {"loss": "cross_entropy", "batch_size": batch, "progress": False}
        return Task(lambda: fit(model, (x, labels[0]), epochs=1, **settings), [])


class Watched(Schedule):
    """A constant rate that remembers when it was asked for."""

    def __init__(self):
        self.times = []

    def __call__(self, t):
        self.times.append(clock())
        return 1e-3


class FitTask(Task):
    """Epochs of a few steps; what `fit` does before the first step of an epoch and after the last is not counted."""

    def __init__(self, model, x, labels, check):
        self.model, self.check = model, check
        self.x, self.labels = x, labels

    def step(self):
        self.seconds(1)

    def seconds(self, count):
        n, steps = len(self.x), min(count, 32) + 2  # the first step of an epoch finds cold caches, the last has no end
        epochs = -(-count // (steps - 2))
        X = np.concatenate([self.x] * steps)
        y = np.concatenate([self.labels[i % len(self.labels)] for i in range(steps)])
        optimizer = Adam(self.model.parameters(), lr=Watched())
        settings = {"batch_size": n, "epochs": epochs, "progress": False}
        fit(self.model, (X, y), loss="cross_entropy", optimizer=optimizer, **settings)
        starts = np.array(optimizer.groups[0]["lr"].times).reshape(epochs, steps)
        return float((starts[:, -1] - starts[:, 1]).mean() / (steps - 2))
