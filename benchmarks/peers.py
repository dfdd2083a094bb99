"""The peers: each makes, for a case, a function that is timed; a step returns nothing that is needed later.

A case is a training step of an MLP, or a loss forward and backward on a large array.
"""

from itertools import pairwise

import numpy as np

STEPS = {"XS": ((2, 16, 16, 2), 32), "S": ((64, 128, 64, 10), 64)}
LOSSES = {"huber 1e6": ("huber", (1_000_000,)), "cross_entropy 1e4 × 100": ("cross_entropy", (10_000, 100))}
CASES = {**STEPS, **LOSSES}


def described(case):
    """What a case is, in words."""
    if case in STEPS:
        sizes, n = STEPS[case]
        return f"one training step of {'-'.join(map(str, sizes))}, batch {n}, cross-entropy, Adam, float32"
    name, shape = LOSSES[case]
    return f"{name} forward and backward, {' × '.join(map(str, shape))} float32"


def batch(case):
    """The case's data: standard normal numbers, random labels; read-only, as `fit` hands them on."""
    rng = np.random.default_rng(0)
    if case in STEPS:
        sizes, n = STEPS[case]
        x, y = rng.standard_normal((n, sizes[0])).astype(np.float32), rng.integers(0, sizes[-1], n)
    else:
        shape = LOSSES[case][1]
        x = (2 * rng.standard_normal(shape)).astype(np.float32)
        y = rng.integers(0, shape[1], shape[0]) if len(shape) > 1 else rng.standard_normal(shape).astype(np.float32)
    x.setflags(write=False)
    y.setflags(write=False)
    return x, y


def plain_numpy(case):
    """NumPy alone."""
    from benchmarks import plain_numpy as plain

    x, y = batch(case)
    if case in LOSSES:
        function = getattr(plain, LOSSES[case][0])
        return lambda: function(x, y)
    step = plain.Step(STEPS[case][0], np.random.default_rng(1))
    return lambda: step(x, y)


def minigrad(case):
    """The five-line loop, or the loss of a tensor that requires gradients."""
    from minigrad import MLP, Adam, Tensor, losses

    x, y = batch(case)
    if case in LOSSES:
        loss, pred = losses.get(LOSSES[case][0]), Tensor(x, requires_grad=True)

        def both():
            pred.grad = None
            loss(pred, y).backward()

        return both
    model = MLP(*STEPS[case][0], rng=1)
    optimizer, loss = Adam(model.parameters(), lr=1e-3), losses.get("cross_entropy")

    def step():
        value = loss(model(x), y)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

    return step


def torch(case):
    """PyTorch eager, default Adam."""
    import torch

    torch.manual_seed(1)
    x, y = (torch.from_numpy(array.copy()) for array in batch(case))
    if case in LOSSES:
        functional = torch.nn.functional
        loss = {"huber": functional.huber_loss, "cross_entropy": functional.cross_entropy}[LOSSES[case][0]]
        x.requires_grad_()

        def both():
            x.grad = None
            loss(x, y).backward()

        return both
    layers = [part for m, n in pairwise(STEPS[case][0]) for part in (torch.nn.Linear(m, n), torch.nn.ReLU())]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step():
        value = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

    return step


PEERS = {"plain NumPy": plain_numpy, "minigrad": minigrad, "PyTorch": torch}
