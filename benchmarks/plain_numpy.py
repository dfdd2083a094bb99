"""A training step of an MLP in NumPy alone, as a competent user writes it: one array per parameter, no `out=`.

ReLU layers, softmax and cross-entropy, Adam; float32. This is the yardstick: what it costs to have no library at all.
"""

from itertools import pairwise

import numpy as np


def he_normal(sizes, rng):
    """Weights and biases of an MLP, float32."""
    weights = [(rng.standard_normal((m, n)) * np.sqrt(2 / m)).astype(np.float32) for m, n in pairwise(sizes)]
    return weights, [np.zeros(n, np.float32) for n in sizes[1:]]


def huber(pred, target, delta=1.0):
    """Mean Huber loss and its gradient."""
    r = pred - target
    size = np.abs(r)
    value = np.where(size <= delta, 0.5 * r * r, delta * (size - 0.5 * delta)).mean()
    return value, np.clip(r, -delta, delta) / r.size


def cross_entropy(z, y):
    """Mean cross-entropy of labels and its gradient."""
    z = z - z.max(1, keepdims=True)
    e = np.exp(z)
    total = e.sum(1, keepdims=True)
    rows = np.arange(len(y))
    value = (np.log(total[:, 0]) - z[rows, y]).mean()
    g = e / total
    g[rows, y] -= 1
    return value, g / len(y)


class Step:
    """Parameters, Adam's state, and one step."""

    def __init__(self, sizes, rng, lr=1e-3):
        self.weights, self.biases = he_normal(sizes, rng)
        self.parameters = self.weights + self.biases
        self.m = [np.zeros_like(p) for p in self.parameters]
        self.v = [np.zeros_like(p) for p in self.parameters]
        self.lr, self.t = lr, 0

    def gradients(self, x, y):
        """Loss and gradients of one batch."""
        activations = [x]
        for i, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            z = activations[-1] @ w + b
            activations.append(z if i == len(self.weights) - 1 else np.maximum(z, 0))
        z = activations.pop()
        loss, g = cross_entropy(z, y)
        grad_w, grad_b = [], []
        for i in reversed(range(len(self.weights))):
            grad_w.insert(0, activations[i].T @ g)
            grad_b.insert(0, g.sum(0))
            if i:
                g = (g @ self.weights[i].T) * (activations[i] > 0)
        return loss, grad_w + grad_b

    def __call__(self, x, y):
        """One step of Adam; returns the loss before it."""
        loss, gradients = self.gradients(x, y)
        self.t += 1
        correct_m, correct_v = 1 - 0.9**self.t, 1 - 0.999**self.t
        for i, (p, g) in enumerate(zip(self.parameters, gradients, strict=True)):
            self.m[i] = 0.9 * self.m[i] + 0.1 * g
            self.v[i] = 0.999 * self.v[i] + 0.001 * g * g
            p -= self.lr * (self.m[i] / correct_m) / (np.sqrt(self.v[i] / correct_v) + 1e-8)
        return loss
