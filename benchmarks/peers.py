"""The peers: each makes, for a case, a function that takes one training step."""

from itertools import pairwise

import numpy as np

CASES = {"XS": ((2, 16, 16, 2), 32), "S": ((64, 128, 64, 10), 64)}


def batch(case):
    """The case's data: standard normal inputs, random labels; read-only, as `fit` hands them on."""
    sizes, n = CASES[case]
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((n, sizes[0])).astype(np.float32), rng.integers(0, sizes[-1], n)
    x.setflags(write=False)
    y.setflags(write=False)
    return x, y


def plain_numpy(case):
    """NumPy alone."""
    from benchmarks.plain_numpy import Step

    step, (x, y) = Step(CASES[case][0], np.random.default_rng(1)), batch(case)
    return lambda: step(x, y)


def minigrad(case):
    """The five-line loop."""
    from minigrad import MLP, Adam, losses

    model, (x, y) = MLP(*CASES[case][0], rng=1), batch(case)
    optimizer, loss = Adam(model.parameters(), lr=1e-3), losses.get("cross_entropy")

    def step():
        value = loss(model(x), y)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value

    return step


def torch(case):
    """PyTorch eager, default Adam."""
    import torch

    torch.manual_seed(1)
    sizes, (x, y) = CASES[case][0], batch(case)
    layers = [part for m, n in pairwise(sizes) for part in (torch.nn.Linear(m, n), torch.nn.ReLU())]
    model = torch.nn.Sequential(*layers[:-1])
    x, y = torch.from_numpy(x.copy()), torch.from_numpy(y.copy())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step():
        value = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value

    return step


PEERS = {"plain NumPy": plain_numpy, "minigrad": minigrad, "PyTorch": torch}
