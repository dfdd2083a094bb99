"""minigrad: the five-line loop, and `fit`."""

import numpy as np

from benchmarks.cases import batches, he_normal
from benchmarks.peers.peer import CHECKED, Peer, Task, clock
from minigrad import MLP, Adam, fit, losses


def mlp(weights, biases):
    """The MLP with these parameters."""
    model = MLP(len(weights[0]), *(len(b) for b in biases), rng=0)
    arrays = [array for pair in zip(weights, biases) for array in pair]
    model.load_state_dict(dict(zip(model.state_dict(), arrays, strict=True)))
    return model


class Eager(Peer):
    """The loop that everybody writes."""

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


class Fit(Peer):
    """`fit` from one step to the next, seen from outside: the learning rate is asked for at the start of each step."""

    def step(self, sizes, n):
        x, labels = batches(sizes, n)
        known = fit(
            mlp(*he_normal(sizes)), (x, labels[0]), loss="cross_entropy", batch_size=n, epochs=CHECKED, progress=False
        )
        return FitTask(mlp(*he_normal(sizes)), x, labels, [row.running for row in known.rows])


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
        times = []

        def rate(done):
            times.append(clock())
            return 1e-3

        fit(self.model, (X, y), loss="cross_entropy", lr=rate, batch_size=n, epochs=epochs, progress=False)
        starts = np.array(times[-steps * epochs :]).reshape(epochs, steps)
        return float((starts[:, -1] - starts[:, 1]).mean() / (steps - 2))
