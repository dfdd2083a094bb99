"""Gradients against PyTorch, where it is installed: the same call in its words, on random inputs."""

import math

import numpy as np
import pytest

from minigrad import Tensor, ops
from tests.engine.cases import ELEMENTWISE, named

torch = pytest.importorskip("torch")
F = torch.nn.functional

# Entry by entry; the name is the same there, unless it is said.
OTHER_NAMES = {
    "absolute": torch.abs, "fabs": torch.abs, "arcsin": torch.asin, "degrees": torch.rad2deg, "radians": torch.deg2rad,
    "power": torch.pow, "rint": torch.round, "fix": torch.trunc, "around": torch.round, "relu": F.relu,
    "softplus": lambda x: F.softplus(x, threshold=100), "silu": F.silu, "gelu": F.gelu, "leaky_relu": F.leaky_relu,
    "elu": F.elu, "cbrt": lambda x: x ** (1 / 3), "times_exp": lambda a, x: a * torch.exp(x),
    "logaddexp2": lambda x, y: torch.logaddexp2(x, y),
}  # fmt: skip

M, V = (3, 4), (4,)
# Here, there, and the shapes of the inputs.
CALLS = {
    "sum": (lambda x: np.sum(x, 0), lambda x: x.sum(0), M),
    "mean": (lambda x: np.mean(x, 1), lambda x: x.mean(1), M),
    "max": (lambda x: np.max(x, 1), lambda x: x.amax(1), M),
    "min": (lambda x: np.min(x, 0), lambda x: x.amin(0), M),
    "prod": (lambda x: np.prod(x, 1), lambda x: x.prod(1), M),
    "var": (lambda x: np.var(x, 1, ddof=1), lambda x: x.var(1), M),
    "std": (lambda x: np.std(x, 0), lambda x: x.std(0, correction=0), M),
    "cumsum": (lambda x: np.cumsum(x, 1), lambda x: x.cumsum(1), M),
    "cumprod": (lambda x: np.cumprod(x, 0), lambda x: x.cumprod(0), M),
    "diff": (lambda x: np.diff(x, 2), lambda x: x.diff(2), M),
    "average": (lambda x, w: np.average(x, weights=w**2), lambda x, w: (x * w**2).sum() / (w**2).sum(), M, M),
    "logsumexp": (lambda x: ops.logsumexp(x, 0), lambda x: x.logsumexp(0), M),
    "softmax": (ops.softmax, lambda x: x.softmax(-1), M),
    "log_softmax": (ops.log_softmax, lambda x: x.log_softmax(-1), M),
    "softmax_residual": (ops.softmax_residual, lambda z, t: t.sum(-1, keepdim=True) * z.softmax(-1) - t, M, M),
    "linear": (ops.linear, lambda x, w, b: F.linear(x, w.T, b), M, (4, 2), (2,)),
    "matmul": (np.matmul, torch.matmul, (2, 1, 3, 4), (5, 4, 2)),
    "dot": (np.dot, torch.dot, V, V),
    "inner": (np.inner, torch.inner, M, (2, 4)),
    "outer": (np.outer, torch.outer, V, (3,)),
    "tensordot": (lambda x, y: np.tensordot(x, y, ([0, 2], [1, 0])), lambda x, y: torch.tensordot(x, y, ([0, 2], [1, 0])), (2, 3, 4), (4, 2, 5)),
    "einsum": (lambda x, y: np.einsum("iij,...j->...i", x, y), lambda x, y: torch.einsum("iij,...j->...i", x, y), (3, 3, 4), (2, 4)),
    "transpose": (lambda x: np.transpose(x, (2, 0, 1)) ** 2, lambda x: x.permute(2, 0, 1) ** 2, (2, 3, 4)),
    "flip": (lambda x: np.flip(x, 1) ** 2, lambda x: x.flip(1) ** 2, M),
    "roll": (lambda x: np.roll(x, 2, 1) ** 2, lambda x: x.roll(2, 1) ** 2, M),
    "tril": (lambda x: np.tril(x, 1) ** 2, lambda x: x.tril(1) ** 2, M),
    "triu": (lambda x: np.triu(x) ** 2, lambda x: x.triu() ** 2, M),
    "trace": (lambda x: np.trace(x) ** 2, lambda x: x.trace() ** 2, M),
    "diagonal": (lambda x: np.diagonal(x, 1) ** 2, lambda x: x.diagonal(1) ** 2, M),
    "diag": (lambda x: np.diag(x, -1) ** 2, lambda x: x.diag(-1) ** 2, V),
    "tile": (lambda x: np.tile(x, (2, 3)) ** 2, lambda x: x.tile((2, 3)) ** 2, M),
    "repeat": (lambda x: np.repeat(x, 3, 0) ** 2, lambda x: x.repeat_interleave(3, 0) ** 2, M),
    "pad": (lambda x: np.pad(x, 2, "reflect") ** 2, lambda x: F.pad(x[None], (2, 2, 2, 2), "reflect")[0] ** 2, M),
    "concatenate": (lambda x, y: np.concatenate([x, y], 1) ** 2, lambda x, y: torch.cat([x, y], 1) ** 2, M, (3, 2)),
    "stack": (lambda x, y: np.stack([x, y], 1) ** 2, lambda x, y: torch.stack([x, y], 1) ** 2, M, M),
    "split": (lambda x: np.split(x, 2, 1)[1] ** 2, lambda x: x.chunk(2, 1)[1] ** 2, M),
    "broadcast_to": (lambda x: np.broadcast_to(x, (2, 3, 4)) ** 2, lambda x: x.expand(2, 3, 4) ** 2, M),
    "where": (lambda x, y: np.where(x > y, x * y, x), lambda x, y: torch.where(x > y, x * y, x), M, M),
    "clip": (lambda x: np.clip(x, -0.5, 1.0), lambda x: x.clip(-0.5, 1.0), M),
    "clip by arrays": (np.clip, torch.clip, M, V, V),
    "sort": (lambda x: np.sort(x, 0) ** 3, lambda x: x.sort(0)[0] ** 3, M),
    "getitem": (lambda x: x[[0, 2, 0], 1:] ** 2, lambda x: x[[0, 2, 0], 1:] ** 2, M),
    "a mask": (lambda x: x[x > 0] ** 2, lambda x: x[x > 0] ** 2, M),
    "take": (lambda x: np.take(x, [5, 0, 5]) ** 2, lambda x: x.take(torch.tensor([5, 0, 5])) ** 2, M),
    "take_along_axis": (
        lambda x: np.take_along_axis(x, np.array([[0, 0], [3, 1], [2, 2]]), 1) ** 2,
        lambda x: x.take_along_dim(torch.tensor([[0, 0], [3, 1], [2, 2]]), 1) ** 2, M,
    ),
    **{f"norm {p}": (lambda x, p=p: np.linalg.norm(x, p, axis=1), lambda x, p=p: torch.linalg.vector_norm(x, p, dim=1), M) for p in (1, 2, 3, 0.5, math.inf, -math.inf)},
    **{f"norm of a matrix {p}": (lambda x, p=p: np.linalg.norm(x, p), lambda x, p=p: torch.linalg.matrix_norm(x, p), M) for p in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)},
    "inv": (np.linalg.inv, torch.linalg.inv, (2, 3, 3)),
    "solve": (np.linalg.solve, torch.linalg.solve, (2, 3, 3), (2, 3, 2)),
    "det": (np.linalg.det, torch.linalg.det, (2, 3, 3)),
    "slogdet": (lambda x: np.linalg.slogdet(x)[1], lambda x: torch.linalg.slogdet(x)[1], (2, 3, 3)),
}  # fmt: skip


def here(f, arrays, weight):
    ts = [Tensor(x, requires_grad=True) for x in arrays]
    out = f(*ts)
    if out.requires_grad:
        out.backward(np.resize(weight, out.shape))
    return out.data, [np.zeros(t.shape) if t.grad is None else t.grad.data for t in ts]


def there(f, arrays, weight):
    ts = [torch.tensor(x, requires_grad=True) for x in arrays]
    out = f(*ts)
    if out.requires_grad:
        out.backward(torch.tensor(np.resize(weight, tuple(out.shape))))
    return out.detach().numpy(), [np.zeros(t.shape) if t.grad is None else t.grad.numpy() for t in ts]


def agree(f, g, arrays, rng):
    weight = rng.standard_normal(1000)
    (value, slopes), (value_there, slopes_there) = here(f, arrays, weight), there(g, arrays, weight)
    return np.allclose(value, value_there, 1e-10, 1e-12) and all(
        np.allclose(slope, other, 1e-10, 1e-12) for slope, other in zip(slopes, slopes_there)
    )


ENTRYWISE = {
    f: OTHER_NAMES.get(named(f)) or getattr(torch, named(f)) for f in ELEMENTWISE if f is not np.floor_divide
}  # has no derivative there
LONG = [20, pytest.param(200, marks=pytest.mark.slow)]


@pytest.mark.parametrize("count", LONG)
@pytest.mark.parametrize("f", ENTRYWISE, ids=named)
def test_of_entrywise_functions_they_are_those_of_pytorch(f, count):
    rng = np.random.default_rng(0)
    for _ in range(count):
        arrays = [rng.uniform(low, high, (3, 4)) for low, high in ELEMENTWISE[f]]
        assert agree(f, ENTRYWISE[f], arrays, rng)


@pytest.mark.parametrize("count", LONG)
@pytest.mark.parametrize("name", CALLS)
def test_of_all_others_too(name, count):
    rng = np.random.default_rng(0)
    f, g, *shapes = CALLS[name]
    for _ in range(count):
        arrays = [rng.standard_normal(shape) for shape in shapes]
        if name.split()[0] in ("inv", "solve", "det", "slogdet"):
            arrays[0] = arrays[0] + 3 * np.eye(3)
        assert agree(f, g, arrays, rng)


NAN, INF = math.nan, math.inf
# Why they differ; the call here and there; where; the slopes here and there.
DIFFERENCES = [
    ("the distance from the origin has slope 0 there, not NaN", np.hypot, torch.hypot, [0.0, 0.0], [0, 0], [NAN, NAN]),
    ("a NaN is not cut off by clip", lambda x: np.clip(x, -1, 1), lambda x: x.clip(-1, 1), [NAN], [1], [0]),
    ("where a NaN wins the other has no part", np.maximum, torch.maximum, [NAN, 1.0], [1, 0], [1, 1]),
    ("ties of fmax are split, as those of maximum", np.fmax, torch.fmax, [1.0, 1.0], [0.5, 0.5], [1, 0]),
    (
        "what where leaves out does not spoil what it chose",
        lambda x: np.where(x > 0, np.sqrt(x), 0), lambda x: torch.where(x > 0, x.sqrt(), 0), [0.0], [0], [NAN],
    ),
    ("softplus is not cut at 20", ops.softplus, F.softplus, [25.0], [1 / (1 + math.exp(-25))], [1]),
    ("the sum of nothing is 0 also in logarithms", np.logaddexp, torch.logaddexp, [-INF, -INF], [0, 0], [NAN, NAN]),
    (
        "and for many",
        lambda x: ops.logsumexp(np.stack([x, x])), lambda x: torch.stack([x, x]).logsumexp(0), [-INF], [0], [NAN],
    ),
    ("x·σ(x) and x·Φ(x) have limits", lambda x: ops.silu(x) + ops.gelu(x), lambda x: F.silu(x) + F.gelu(x), [-INF], [0], [NAN]),
    ("−1/0.1 is more than −10 in binary numbers", np.fmod, torch.fmod, [-1.0, 0.1], [1, 9], [1, 10]),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("f", "g", "x", "slope", "slope_there"), [row[1:] for row in DIFFERENCES], ids=[row[0] for row in DIFFERENCES]
)
def test_where_they_differ_there_is_a_reason(f, g, x, slope, slope_there):
    arrays = [np.array(value) for value in x]
    found, other = here(f, arrays, [1.0])[1], there(g, arrays, [1.0])[1]
    assert np.allclose(found, slope, 1e-15, 0)
    assert np.allclose(other, slope_there, 1e-15, 0, equal_nan=True)
