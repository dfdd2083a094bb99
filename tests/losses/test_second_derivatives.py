"""The second derivative of every loss: what the engine makes of it against differences of the slope."""

import numpy as np
import pytest

from minigrad import Tensor, losses
from tests.engine import oracle
from tests.losses.samples import every, sampled


def curved(loss, pred, target, along):
    """The Hessian of the sum times a direction, through the engine."""
    x = Tensor(pred, requires_grad=True)
    loss(x, target, reduction="mean").backward(create_graph=True)
    slope, x.grad = x.grad, None
    if slope.requires_grad:
        (slope * along).sum().backward()
    return np.zeros(pred.shape) if x.grad is None else x.grad.data


@pytest.mark.filterwarnings("ignore:.*log-probabilities:UserWarning")  # whose sum a step changes
@pytest.mark.parametrize("draws", [3, pytest.param(30, marks=pytest.mark.slow)])
@pytest.mark.parametrize("text", every())
def test_of_a_loss_is_that_of_its_slope(text, draws):
    for seed in range(draws):
        loss, pred, target = sampled(losses.get(text), 6, seed)
        along = np.random.default_rng(seed + 1000).standard_normal(pred.shape)
        near = 0.05 * min(1.0, *np.abs(pred).ravel(), *(np.abs(1 - pred).ravel() if loss.pred == "prob" else ()))

        def slope(h):
            return loss.value_and_grad(pred + h * along, target, reduction="mean")[1]  # noqa: B023  # used at once

        true, doubt = oracle.differences(slope, near)
        found = curved(loss, pred, target, along)
        exact = 1e-8 * max(np.abs(true).max(), 1e-3 * np.abs(slope(0.0)).max(), 1e-12) + 3 * np.max(doubt)
        assert np.all(doubt < 1e-7 * max(1, np.abs(true).max()))
        assert np.all(np.abs(found - true) <= exact), (seed, found, true)
