"""HIPS autograd: functions of arrays, and Adam as plain NumPy writes it, for its own one is a loop and not a step."""

import autograd.numpy as np
from autograd import hessian_vector_product, value_and_grad
from autograd.misc import flatten

from benchmarks.peers.peer import Peer
from benchmarks.plain_numpy import Adam


def cross_entropy(parameters, x, y):
    """The MLP's mean loss over the batch."""
    weights, biases = parameters
    z = x @ weights[0] + biases[0]
    for w, b in zip(weights[1:], biases[1:]):
        z = np.maximum(z, 0) @ w + b
    z = z - np.max(z, 1, keepdims=True)
    surprise = np.log(np.sum(np.exp(z), 1)) - z[np.arange(len(y)), y]
    return np.mean(surprise)


class Autograd(Peer):
    """Traced anew at each call."""

    def training(self, weights, biases):
        both, adam = value_and_grad(cross_entropy), Adam([*weights, *biases])
        parameters = adam.parameters[: len(weights)], adam.parameters[len(weights) :]

        def advance(x, y):
            value, (slopes_w, slopes_b) = both(parameters, x, y)
            adam.step(slopes_w + slopes_b)
            return value

        return advance

    def linked(self, x, w, b, count):
        def f(starts):
            x, w, b = starts
            for _ in range(count):
                x = np.tanh(w * x + b)
            return np.sum(x)

        both = value_and_grad(f)
        return lambda: both([x, w, b])

    def curved(self, weights, biases, x, y, along_w, along_b):
        flat, form = flatten((weights, biases))
        along, _ = flatten((along_w, along_b))
        times = hessian_vector_product(lambda flat: cross_entropy(form(flat), x, y))

        def product():
            out_w, out_b = form(times(flat, along))
            return out_w + out_b

        return product
