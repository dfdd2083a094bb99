"""Per-sample gradient norms from one pass are those of one backward pass for each sample."""

import numpy as np
import pytest

from minigrad import MLP, Linear, Tensor, explain, losses, nn
from minigrad.explain import gradient_norms
from tests.explain.nets import batch, every_loss, network

LOSSES = every_loss()


def one_by_one(model, each, x, y):
    """(samples, layers + 1): the norm by layer, and over all, by one backward pass for each sample."""
    rows = []
    for i in range(len(x)):
        out = model(Tensor(x[[i]]))
        target = None if y is None else losses.align(each, y[[i]], out.shape[1:], float)
        for parameter in model.parameters():
            parameter.grad = None
        each(out, target, reduction="sum").backward()
        found = [p.grad.data.ravel() for p in model.parameters()]
        layers = [np.concatenate(found[k : k + 2]) for k in range(0, len(found), 2)]
        rows.append([np.linalg.norm(g) for g in [*layers, np.concatenate(layers)]])
    return np.array(rows)


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
@pytest.mark.parametrize("name", [name for name, each in LOSSES.items() if not each.coupled])
def test_one_pass_says_what_a_pass_for_each_sample_says(name, activation):
    model = network(LOSSES[name], activation=activation, dtype=np.float64)
    each, x, y = batch(LOSSES[name])
    found = gradient_norms(model, each, x, y)
    assert list(found) == ["linear 1", "linear 2", "linear 3", "all"]
    assert np.column_stack(list(found.values())) == pytest.approx(one_by_one(model, each, x, y), rel=1e-10, abs=1e-14)


def test_other_modules_with_parameters_count_too():
    model = nn.Sequential(
        Linear(4, 5, rng=0, dtype=np.float64), nn.LayerNorm(5, dtype=np.float64), Linear(5, 1, rng=1, dtype=np.float64)
    )
    g = np.random.default_rng(0)
    x, y = g.standard_normal((6, 4)), g.standard_normal(6)
    found = gradient_norms(model, "mse", x, y)
    assert list(found) == ["linear 1", "layernorm 1", "linear 2", "all"]
    assert np.column_stack(list(found.values())) == pytest.approx(one_by_one(model, losses.get("mse"), x, y), rel=1e-10)


def test_a_large_batch_passes_the_modules_once(monkeypatch):
    calls = []
    forward = Linear.forward
    monkeypatch.setattr(Linear, "__call__", lambda self, x: calls.append(len(x)) or forward(self, x), raising=False)
    gradient_norms(MLP(4, 5, 1, rng=0), "mse", np.ones((1000, 4)), np.ones(1000))
    assert calls == [1000, 1000]


def test_the_model_keeps_its_gradients():
    model = MLP(4, 5, 1, rng=0)
    explain.gradient_norms(model, "mse", np.ones((3, 4)), np.ones(3))
    assert all(p.grad is None for p in model.parameters())


def test_what_is_no_model_is_said():
    with pytest.raises(TypeError, match=r"gradient_norms: expected a Module, got None; give the model itself"):
        gradient_norms(None, "mse", np.ones((3, 4)), np.ones(3))
