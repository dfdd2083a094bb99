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
LOSSES = {  # what each predicts, and from what it learns
    "mse": ("real", "real"),
    "mae": ("real", "real"),
    "huber": ("real", "real"),
    "smooth_l1": ("real", "real"),
    "log_cosh": ("real", "real"),
    "quantile": ("real", "real"),
    "poisson_nll": ("real", "count"),
    "gaussian_nll": ("pairs", "real"),
    "cross_entropy": ("rows", "label"),
    "nll": ("log rows", "label"),
    "kl_div": ("log rows", "shares"),
    "bce_with_logits": ("real", "share"),
    "bce": ("share", "share"),
    "focal": ("real", "binary"),
    "hinge": ("real", "sign"),
    "squared_hinge": ("real", "sign"),
    "multi_margin": ("rows", "label"),
    "margin_ranking": ("pairs", "sign"),
    "triplet_margin": ("three points", "none"),
    "cosine_embedding": ("two points", "sign"),
}
BLENDED = ["mse", "mae", "huber", "smooth_l1", "log_cosh", "quantile"]
DIMENSIONS = 16  # of a point
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


def chain(elements):
    """Many small operations, one after the other."""
    title = f"{3 * LINKS} elementwise operations in a row on {elements:,} float32 numbers, forward and backward"
    return Case(f"chain@{power(elements)}", "chain", title, (elements,))


def small(kind, title, elements):
    """One small operation."""
    return Case(f"{kind}@{power(elements)}", kind, f"{title.format(f'{elements:,} float32 numbers')}", (elements,))


def loss(name, elements):
    """A loss and its gradient."""
    title = f"{name} of {elements:,} float32 predictions, forward and backward"
    return Case(f"{name}@{power(elements)}", "loss", title, (name, elements))


def hvp(name):
    """A Hessian-vector product."""
    sizes, n = STEPS[name]
    title = f"Hessian times a vector, cross-entropy of {'-'.join(map(str, sizes))}, batch {n}, float32"
    return Case(f"hvp@{name}", "hvp", title, (sizes, n))


def power(number):
    """1e5 for 100,000."""
    return f"{number:.0e}".replace("e+0", "e")


LINKS = 50
OPS = {
    "op": "exp of {}, recorded and differentiated",
    "function": "exp of {}, recorded, as a function: np.exp(t), torch.exp(t)",
    "method": "exp of {}, recorded, as a method: t.exp()",
}
SIZES = [10**k for k in range(2, 8)]
GROUPS = {
    "steps": [step(name, *numbers) for name, numbers in STEPS.items()],
    "ops": [small(kind, title, 10) for kind, title in OPS.items()],
    "chains": [chain(n) for n in (10, 1000, 100_000)],
    "hvp": [hvp(name) for name in ("XS", "S", "M")],
    "losses": [loss(name, n) for name in LOSSES for n in SIZES],
}
CASES = {case.name: case for cases in GROUPS.values() for case in cases}
USUAL = [
    *STEPS, "op@1e1", "chain@1e1", "chain@1e3", "chain@1e5", "hvp@S", "huber@1e6", "cross_entropy@1e6",
    "bce_with_logits@1e6",
]  # fmt: skip


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


def sampled(name, elements):
    """Predictions and targets of a loss, read-only; None for a loss without target."""
    kind, wanted = LOSSES[name]
    rng, classes = np.random.default_rng(0), 100 if elements >= 10_000 else 10
    shapes = {"pairs": (2,), "rows": (classes,), "log rows": (classes,), "two points": (2, DIMENSIONS)}
    tail = shapes.get(kind, (3, DIMENSIONS) if kind == "three points" else ())
    n = max(1, elements // int(np.prod(tail)))
    pred = 2 * rng.standard_normal((n, *tail), np.float32)
    if kind == "log rows":
        pred -= np.log(np.exp(pred).sum(1, keepdims=True))
    if kind == "share":
        pred = rng.uniform(0.01, 0.99, n)
    target = {
        "real": lambda: rng.standard_normal(n),
        "count": lambda: rng.poisson(3, n),
        "label": lambda: rng.integers(0, classes, n),
        "shares": lambda: shares(rng.uniform(0.1, 1, (n, classes))),
        "share": lambda: rng.uniform(0, 1, n),
        "binary": lambda: rng.integers(0, 2, n),
        "sign": lambda: 2 * rng.integers(0, 2, n) - 1,
        "none": lambda: None,
    }[wanted]()
    return fixed(pred), None if target is None else target if wanted == "label" else fixed(target)


def shares(rows):
    """Rows that sum to 1."""
    return rows / rows.sum(1, keepdims=True)


def fixed(array):
    """In float32, read-only."""
    array = np.asarray(array, np.float32)
    array.setflags(write=False)
    return array


def links(elements):
    """What a chain of x → tanh(w·x + b) starts from, and its w and b."""
    rng = np.random.default_rng(2)
    return tuple(fixed(rng.uniform(0.5, 1.5, elements) * sign) for sign in (1, 1, 0.1))


def direction(arrays):
    """A vector as long as these arrays together, in their shapes."""
    rng = np.random.default_rng(3)
    return [fixed(rng.standard_normal(a.shape)) for a in arrays]
