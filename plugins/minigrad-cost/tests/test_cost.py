"""The pack `cost`: formulas written a second time, and what the losses elicit."""

import math

import minigrad_cost as cost
import numpy as np
import pytest

from minigrad import MLP, fit, losses
from minigrad.errors import DomainError

G = np.random.default_rng(0)
Z = np.concatenate([3 * G.standard_normal(40), [0.0, 40.0, -40.0, 700.0, -700.0]])
Y = np.concatenate([G.uniform(size=40), [0.0, 1.0, 0.0, 1.0, 0.0]])


def softplus(x):
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def sigma(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


@pytest.mark.parametrize(("fn", "fp"), [(1, 1), (10, 1), (0.5, 3)])
class TestTwoClasses:
    def test_cost_weighted_bce_is_its_formula(self, fn, fp):
        value, slope = cost.cost_weighted_bce.value_and_grad(Z, Y, reduction="none", cost_fn=fn, cost_fp=fp)
        pairs = list(zip(Z, Y, strict=True))
        assert value == pytest.approx([fn * y * softplus(-z) + fp * (1 - y) * softplus(z) for z, y in pairs], rel=1e-12)
        assert slope == pytest.approx(
            [fp * (1 - y) * sigma(z) - fn * y * sigma(-z) for z, y in pairs], rel=1e-11, abs=1e-15
        )

    def test_expected_cost_is_its_formula(self, fn, fp):
        value, slope = cost.expected_cost.value_and_grad(Z, Y, reduction="none", cost_fn=fn, cost_fp=fp)
        pairs = list(zip(Z, Y, strict=True))
        assert value == pytest.approx([fn * y * sigma(-z) + fp * (1 - y) * sigma(z) for z, y in pairs], rel=1e-12)
        assert slope == pytest.approx([sigma(z) * sigma(-z) * (fp * (1 - y) - fn * y) for z, y in pairs], rel=1e-12)


def test_prices_move_the_probability_that_is_elicited():
    p, z = 0.2, math.log(0.7142857142857143 / 0.2857142857142857)
    mixed = cost.cost_weighted_bce.value_and_grad([z], [p], cost_fn=10, cost_fp=1)[1]
    assert mixed == pytest.approx([0], abs=1e-12)
    assert 10 * p / (10 * p + 1 - p) == pytest.approx(sigma(z)) == pytest.approx(0.7143, abs=1e-4)


def test_a_share_of_one_eleventh_is_where_a_tenfold_price_decides():
    slope = cost.cost_weighted_bce.value_and_grad([0.0], [1 / 11], cost_fn=10)[1]
    assert slope == pytest.approx([0], abs=1e-15)


def test_class_balanced_has_the_weights_of_the_paper():
    n = (500, 100, 50, 20, 5)
    z = G.standard_normal((5, 5))
    y = np.arange(5)
    each = cost.class_balanced(z, y, class_counts=n, beta=0.99, reduction="none").data
    plain = losses.get("cross_entropy")(z, y, reduction="none").data
    assert each / plain == pytest.approx([0.1623, 0.2543, 0.4082, 0.8854, 3.2898], abs=1e-4)


def test_without_balance_and_without_adjustment_both_are_cross_entropy():
    z, y = G.standard_normal((6, 3)), np.arange(6) % 3
    expected = losses.get("cross_entropy").value_and_grad(z, y)
    for loss in (cost.class_balanced.with_(beta=0.0), cost.logit_adjusted.with_(tau=0.0)):
        value, slope = loss.with_(class_counts=[4, 2, 1]).value_and_grad(z, y)
        assert value == pytest.approx(expected[0], rel=1e-14)
        assert slope == pytest.approx(expected[1], rel=1e-13)


def test_logit_adjusted_adds_the_log_prior():
    z, y = G.standard_normal((6, 3)), np.arange(6) % 3
    prior = np.log(np.array([6, 3, 1]) / 10)
    value = cost.logit_adjusted(z, y, class_counts=[6, 3, 1], tau=1.5).item()
    assert value == pytest.approx(losses.get("cross_entropy")(z + 1.5 * prior, y).item(), rel=1e-14)
    assert cost.logit_adjusted.decide(z).tolist() == z.argmax(1).tolist()


def test_a_class_without_rows_counts_as_half_a_row():
    assert cost.counts(np.array([0, 0, 2])).tolist() == [2, 0.5, 1]
    fitted = cost.logit_adjusted.fitted_to(np.array([0, 0, 1]))
    assert np.isfinite(fitted(np.zeros((1, 4)), [3]).item())


def test_fit_counts_the_training_targets():
    X = G.standard_normal((50, 2))
    y = (X[:, 0] > 1).astype(int)
    history = fit(MLP(2, 8, 2, rng=0), (X, y), loss=cost.class_balanced, epochs=2)
    assert history.loss.given["class_counts"].tolist() == np.bincount(y).tolist()


def test_counts_for_more_classes_than_there_are_outputs_are_refused():
    with pytest.raises(DomainError, match="class_counts: expected 2 of them, got 3; give the model as many outputs"):
        cost.logit_adjusted(np.zeros((1, 2)), [0], class_counts=[1, 2, 3])
