"""The update rules against the same equations written a second time, and against PyTorch where it is installed."""

import math

import numpy as np
import pytest

from minigrad import Tensor
from minigrad.optim import SGD, Adam, AdamW, RMSprop

SHAPES = [(3, 4), (4,), (), (0,), (2, 1, 3)]
STEPS = 100
CASES = [
    (SGD, {"lr": 0.1}),
    (SGD, {"lr": 0.1, "weight_decay": 0.03}),
    (SGD, {"lr": 0.1, "momentum": 0.9}),
    (SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.03}),
    (SGD, {"lr": 0.1, "momentum": 0.7, "nesterov": True, "weight_decay": 0.03}),
    (Adam, {"lr": 0.01}),
    (Adam, {"lr": 0.02, "betas": (0.5, 0.9), "eps": 1e-3}),
    (Adam, {"lr": 0.02, "betas": (0.0, 0.0), "weight_decay": 0.1}),
    (AdamW, {"lr": 0.02}),
    (AdamW, {"lr": 0.02, "betas": (0.8, 0.99), "weight_decay": 0.3}),
    (RMSprop, {"lr": 0.01}),
    (RMSprop, {"lr": 0.02, "alpha": 0.9, "eps": 1e-4, "weight_decay": 0.1}),
    (RMSprop, {"lr": 0.02, "alpha": 0.0, "momentum": 0.8}),
]
IDS = [f"{kind.__name__} {options}" for kind, options in CASES]


class Reference:
    """One parameter in float64, as the papers write the rules: no sums instead of means, no shared buffers."""

    def __init__(self, kind, theta, options):
        self.theta, self.kind = np.array(theta, np.float64), kind
        self.o = {"momentum": 0.0, "nesterov": False, "betas": (0.9, 0.999), "eps": 1e-8, "alpha": 0.99}
        self.o |= {"weight_decay": 0.01 if kind is AdamW else 0.0} | options
        self.t = 0
        self.m = self.v = self.b = 0.0

    def step(self, g, lr=None):
        o, lr = self.o, self.o["lr"] if lr is None else lr
        self.t += 1
        if self.kind is AdamW:
            self.theta = self.theta - lr * o["weight_decay"] * self.theta
        else:
            g = g + o["weight_decay"] * self.theta
        self.theta = self.theta - lr * getattr(self, self.kind.__name__.lower())(g, o)

    def sgd(self, g, o):
        self.b = o["momentum"] * self.b + g
        return g + o["momentum"] * self.b if o["nesterov"] else self.b

    def adam(self, g, o):
        one, two = o["betas"]
        self.m = one * self.m + (1 - one) * g
        self.v = two * self.v + (1 - two) * g**2
        return self.m / (1 - one**self.t) / (np.sqrt(self.v / (1 - two**self.t)) + o["eps"])

    adamw = adam

    def rmsprop(self, g, o):
        self.v = o["alpha"] * self.v + (1 - o["alpha"]) * g**2
        self.b = o["momentum"] * self.b + g / (np.sqrt(self.v) + o["eps"])
        return self.b


def start(dtype, seed=0):
    rng = np.random.default_rng(seed)
    return [Tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True) for shape in SHAPES]


def gradients(dtype, seed=1):
    """A gradient for each parameter and step: of changing sizes, some of them exactly 0."""
    rng = np.random.default_rng(seed)
    for t in range(STEPS):
        scale = 10.0 ** (t % 5 - 3)
        yield [(scale * rng.standard_normal(s) * (rng.random(s) > 0.1)).astype(dtype) for s in SHAPES]


def run(optimizer, params, dtype):
    for gs in gradients(dtype):
        for p, g in zip(params, gs, strict=True):
            p.grad = g
        optimizer.step()
    return params


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)], ids=["f64", "f32"])
@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_a_hundred_steps_agree_with_the_equations_in_float64(kind, options, dtype, tolerance):
    params = start(dtype)
    references = [Reference(kind, p.data, options) for p in params]
    run(kind(params, **options), params, dtype)
    for gs in gradients(dtype):
        for reference, g in zip(references, gs, strict=True):
            reference.step(g.astype(np.float64))
    for p, reference in zip(params, references, strict=True):
        assert p.dtype == dtype
        np.testing.assert_allclose(p.data, reference.theta, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["f64", "f32"])
@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_flat_buffers_give_the_same_bytes_as_one_array_at_a_time(kind, options, dtype):
    together, alone = start(dtype), start(dtype)
    run(kind(together, **options, clip_norm=3.0, clip_value=2.0), together, dtype)
    run(kind([{"params": [p]} for p in alone], **options, clip_norm=3.0, clip_value=2.0), alone, dtype)
    assert [p.data.tobytes() for p in together] == [p.data.tobytes() for p in alone]


@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_a_parameter_without_gradient_is_left_alone_and_counts_its_own_steps(kind, options):
    params = start(np.float64)
    references = [Reference(kind, p.data, options) for p in params]
    optimizer = kind(params, **options)
    for t, gs in enumerate(gradients(np.float64)):
        for i, (p, g) in enumerate(zip(params, gs, strict=True)):
            p.grad = None if (t + i) % 7 == 0 else g
            if p.grad is not None:
                references[i].step(g)
        optimizer.step()
    for p, reference in zip(params, references, strict=True):
        np.testing.assert_allclose(p.data, reference.theta, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["f64", "f32"])
@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_a_hundred_steps_agree_with_pytorch(kind, options, dtype):
    torch = pytest.importorskip("torch")
    params = start(dtype)
    theirs = [torch.nn.Parameter(torch.tensor(p.data)) for p in params]
    other = getattr(torch.optim, kind.__name__)(theirs, **options)
    run(kind(params, **options), params, dtype)
    for gs in gradients(dtype):
        for p, g in zip(theirs, gs, strict=True):
            p.grad = torch.tensor(g)
        other.step()
    tolerance = 1e-11 if dtype == np.float64 else 1e-5
    for p, q in zip(params, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["f64", "f32"])
def test_clipping_by_norm_agrees_with_pytorch(dtype):
    torch = pytest.importorskip("torch")
    params = start(dtype)
    theirs = [torch.nn.Parameter(torch.tensor(p.data)) for p in params]
    other = torch.optim.SGD(theirs, lr=0.1)
    run(SGD(params, lr=0.1, clip_norm=0.5), params, dtype)
    for gs in gradients(dtype):
        for p, g in zip(theirs, gs, strict=True):
            p.grad = torch.tensor(g)
        torch.nn.utils.clip_grad_norm_(theirs, 0.5)
        other.step()
    for p, q in zip(params, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-5, atol=1e-5)  # theirs adds 1e-6 to the norm


def test_one_step_of_adam_has_the_size_of_the_learning_rate():
    p = Tensor([1.0, -1.0], requires_grad=True)
    p.grad = np.array([1e-3, -1e3])
    Adam([p], lr=0.1).step()
    np.testing.assert_allclose(p.data, [1 - 0.1, -1 + 0.1], rtol=1e-4)
    assert math.isclose(p.data[0], 1 - 0.1 * 1e-3 / (1e-3 + 1e-8), rel_tol=1e-15)
