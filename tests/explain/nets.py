"""Networks and batches that suit a loss, and the way back through a chain in plain NumPy: the oracle of `trace`."""

import math

import numpy as np

from minigrad import MLP, losses
from tests.losses.samples import K, drawn_target

FEATURES, WIDTH = 4, 7
LECUN = ("tanh", "sigmoid")


def outputs(loss):
    """Width of the output that a loss reads, and the activation that must end the network."""
    width = {"logits": K, "log_probs": K, "params": len(loss.heads) or 2, "embedding": 3}.get(loss.pred, 1)
    return width, {"prob": "sigmoid", "log_probs": "log_softmax"}.get(loss.pred)


def network(loss, depth=3, activation="tanh", rng=0, dtype=np.float32):
    """A chain of `depth` linear modules for this loss."""
    width, end = outputs(loss)
    sizes = (FEATURES, *[WIDTH] * (depth - 1), width)
    return MLP(
        *sizes, activation=activation, output=end, init="lecun" if activation in LECUN else "he", rng=rng, dtype=dtype
    )


def batch(loss, n=6, rng=0):
    """(loss with fitted parameters, x, y): of pairs and triplets every sample has a row for each of them."""
    g = np.random.default_rng(rng)
    y = drawn_target(loss, n, g)
    roles = (len(loss.heads),) if loss.pred == "embedding" and loss.heads else ()
    x = g.standard_normal((n, *roles, FEATURES))
    return (loss if y is None else loss.fitted_to(y)), x, y


def every_loss():
    """All registered losses, by name."""
    return {name: losses.get(name) for name in losses.names()}


# --- the oracle -------------------------------------------------------------------------------------------------------
def sigma(z):
    return 1 / (1 + np.exp(-z))


def normal(z):
    return np.vectorize(lambda v: math.erfc(-v / math.sqrt(2)) / 2)(z)


SLOPES = {
    "Tanh": lambda z: 1 - np.tanh(z) ** 2,
    "ReLU": lambda z: (z > 0) * 1.0,
    "Sigmoid": lambda z: sigma(z) * (1 - sigma(z)),
    "Softplus": sigma,
    "GELU": lambda z: normal(z) + z * np.exp(-z * z / 2) / math.sqrt(2 * math.pi),
    "SiLU": lambda z: sigma(z) + z * sigma(z) * (1 - sigma(z)),
    "LeakyReLU": lambda z: np.where(z > 0, 1, 0.01),
    "ELU": lambda z: np.where(z > 0, 1, np.exp(z)),
}
FORWARD = {
    "Tanh": np.tanh,
    "ReLU": lambda z: np.maximum(z, 0),
    "Sigmoid": sigma,
    "Softplus": lambda z: np.log1p(np.exp(z)),
    "GELU": lambda z: z * normal(z),
    "SiLU": lambda z: z * sigma(z),
    "LeakyReLU": lambda z: np.where(z > 0, z, 0.01 * z),
    "ELU": lambda z: np.where(z > 0, z, np.exp(z) - 1),
    "LogSoftmax": lambda z: z - np.log(np.exp(z).sum(-1, keepdims=True)),
}


def states(model, x):
    """The input, and the output of every module."""
    found = [np.asarray(x, float)]
    for module in model.layers:
        kind = type(module).__name__
        if kind == "Linear":
            found.append(found[-1] @ module.weight.data.astype(float) + module.bias.data)
        else:
            found.append(FORWARD[kind](found[-1]))
    return found


def way_back(model, x, delta):
    """(module, h, g that arrives, Jᵀu) from the last module to the first, for one sample."""
    g = np.asarray(delta, float)
    steps = []
    for module, h in zip(reversed(model.layers), reversed(states(model, x)[:-1]), strict=True):
        u = g / np.linalg.norm(g)
        kind = type(module).__name__
        if kind == "Linear":
            back = u @ module.weight.data.astype(float).T
        elif kind == "LogSoftmax":
            p = np.exp(FORWARD[kind](h))
            back = u - p * u.sum(-1, keepdims=True)
        else:
            back = SLOPES[kind](h) * u
        steps.append((module, h, g, back))
        g = np.linalg.norm(g) * back
    return steps
