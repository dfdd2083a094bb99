"""A training step of an MLP in NumPy alone, as a competent user writes it: one array per parameter, no `out=`.

ReLU layers, softmax and cross-entropy, Adam. This is the yardstick: what it costs to have no library at all.
"""

import numpy as np


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


def gradients(weights, biases, x, y):
    """Loss and gradients of one batch: those of the weights, then those of the biases."""
    activations = [x]
    for i, (w, b) in enumerate(zip(weights, biases)):
        z = activations[-1] @ w + b
        activations.append(z if i == len(weights) - 1 else np.maximum(z, 0))
    z = activations.pop()
    loss, g = cross_entropy(z, y)
    grad_w, grad_b = [], []
    for i in reversed(range(len(weights))):
        grad_w.insert(0, activations[i].T @ g)
        grad_b.insert(0, g.sum(0))
        if i:
            g = (g @ weights[i].T) * (activations[i] > 0)
    return loss, grad_w + grad_b


class Adam:
    """One update for each parameter in turn; they are changed in place."""

    def __init__(self, parameters, lr=1e-3):
        self.parameters = parameters
        self.m = [np.zeros_like(p) for p in parameters]
        self.v = [np.zeros_like(p) for p in parameters]
        self.lr, self.t = lr, 0

    def step(self, gradients):
        self.t += 1
        correct_m, correct_v = 1 - 0.9**self.t, 1 - 0.999**self.t
        for i, (p, g) in enumerate(zip(self.parameters, gradients)):
            self.m[i] = 0.9 * self.m[i] + 0.1 * g
            self.v[i] = 0.999 * self.v[i] + 0.001 * g * g
            p -= self.lr * (self.m[i] / correct_m) / (np.sqrt(self.v[i] / correct_v) + 1e-8)


class Step:
    """Parameters and optimizer; a call is one step and returns the loss before it."""

    def __init__(self, weights, biases):
        self.weights, self.biases = [w.copy() for w in weights], [b.copy() for b in biases]
        self.adam = Adam(self.weights + self.biases)

    def __call__(self, x, y):
        loss, slopes = gradients(self.weights, self.biases, x, y)
        self.adam.step(slopes)
        return loss


def chain(x, w, b, links):
    """The sum after x → tanh(w·x + b) so many times, and its gradients in x, w and b."""
    values = [x]
    for _ in range(links):
        values.append(np.tanh(w * values[-1] + b))
    g, grad_w, grad_b = np.ones_like(x), np.zeros_like(w), np.zeros_like(b)
    for before, after in zip(values[-2::-1], values[:0:-1]):
        g = g * (1 - after * after)
        grad_w += g * before
        grad_b += g
        g = g * w
    return values[-1].sum(), [g, grad_w, grad_b]


def hessian_times(weights, biases, x, y, along_w, along_b):
    """H·v for v = (along_w, along_b): every quantity of the two passes together with its derivative in that direction.

    Pearlmutter 1994, doi:10.1162/neco.1994.6.1.147.
    """
    activations, changes = [x], [np.zeros_like(x)]
    for i, (w, b, vw, vb) in enumerate(zip(weights, biases, along_w, along_b)):
        z, dz = activations[-1] @ w + b, changes[-1] @ w + activations[-1] @ vw + vb
        if i < len(weights) - 1:
            z, dz = np.maximum(z, 0), dz * (z > 0)
        activations.append(z)
        changes.append(dz)
    z, dz = activations.pop(), changes.pop()
    _, g = cross_entropy(z, y)
    p = g.copy()
    p[np.arange(len(y)), y] += 1 / len(y)
    dg = p * (dz - len(y) * (p * dz).sum(1, keepdims=True))
    out_w, out_b = [], []
    for i in reversed(range(len(weights))):
        out_w.insert(0, changes[i].T @ g + activations[i].T @ dg)
        out_b.insert(0, dg.sum(0))
        if i:
            on = activations[i] > 0
            g, dg = (g @ weights[i].T) * on, (dg @ weights[i].T + g @ along_w[i].T) * on
    return out_w + out_b
