"""MyGrad: tensors with a backward, and Adam as plain NumPy writes it, for it has none."""

import mygrad as mg
from mygrad.nnet.activations import relu
from mygrad.nnet.losses import softmax_crossentropy

from benchmarks.peers.peer import Peer
from benchmarks.plain_numpy import Adam


class MyGrad(Peer):
    """As it comes, with the guard on memory."""

    def numpy(self, a):
        return a.data if isinstance(a, mg.Tensor) else a

    def training(self, weights, biases):
        weights, biases = ([mg.tensor(a) for a in arrays] for arrays in (weights, biases))
        parameters = weights + biases
        adam = Adam([p.data for p in parameters])

        def advance(x, y):
            z = mg.matmul(x, weights[0]) + biases[0]
            for w, b in zip(weights[1:], biases[1:]):
                z = mg.matmul(relu(z), w) + b
            value = softmax_crossentropy(z, y)
            value.backward()
            adam.step([p.grad for p in parameters])
            for p in parameters:
                p.null_grad()
            return value

        return advance

    def linked(self, x, w, b, count):
        starts = [mg.tensor(a) for a in (x, w, b)]

        def both():
            x, w, b = starts
            for t in starts:
                t.null_grad()
            for _ in range(count):
                x = mg.tanh(w * x + b)
            value = x.sum()
            value.backward()
            return value, [t.grad for t in starts]

        return both
