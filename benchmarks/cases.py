"""The cases: what is done and with which numbers. Every peer gets the same arrays, so that all do the same work."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

STEPS = {
    "XS": ((2, 16, 16, 2), 32),
    "S": ((64, 128, 64, 10), 64),
    "M": ((784, 512, 256, 10), 128),
    "L": ((1024, 2048, 2048, 1000), 512),
}
BATCHES = 8  # the same x with other labels: nobody learns them by heart, and gradients keep their ordinary size


@dataclass(frozen=True)
class Case:
    """What is measured.

    Attributes:
        name: as chosen on the command line.
        kind: which method of a peer prepares it.
        title: in words.
        of: its numbers, as `kind` takes them.
        unit: "s" or "B" (bytes).
        tolerance: how far, relatively, a peer's numbers may be from those of the first that gives any.
    """

    name: str
    kind: str
    title: str
    of: tuple
    unit: str = "s"
    tolerance: float = 1e-3


def step(name, sizes, n):
    """A training step."""
    net = "-".join(map(str, sizes))
    return Case(name, "step", f"a training step of {net}, batch {n}, cross-entropy, Adam, float32", (sizes, n))


CASES = {case.name: case for case in (step(name, *numbers) for name, numbers in STEPS.items())}


def he_normal(sizes, dtype=np.float32):
    """Weights and biases of an MLP: the same for every peer."""
    rng = np.random.default_rng(1)
    weights = [(rng.standard_normal((m, n)) * np.sqrt(2 / m)).astype(dtype) for m, n in pairwise(sizes)]
    return weights, [np.zeros(n, dtype) for n in sizes[1:]]


def batches(sizes, n, dtype=np.float32):
    """Standard normal x, and several vectors of random labels for it; read-only, as `fit` hands them on."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, sizes[0])).astype(dtype)
    labels = [rng.integers(0, sizes[-1], n) for _ in range(BATCHES)]
    for array in (x, *labels):
        array.setflags(write=False)
    return x, labels
