"""The best prediction that ignores the inputs, against closed forms."""

import math

import numpy as np
import pytest

from minigrad import losses
from minigrad.losses.constant import constant

RNG = np.random.default_rng(0)
Y = RNG.standard_normal((41, 1)) * 3 + 1
WEIGHT = RNG.uniform(0, 2, 41)


def test_for_mse_it_is_the_mean():
    assert constant(losses.get("mse"), Y, (1,)) == pytest.approx([Y.mean()], rel=1e-12)


def test_for_mse_with_weights_it_is_the_weighted_mean():
    found = constant(losses.get("mse"), Y, (1,), sample_weight=WEIGHT)
    assert found == pytest.approx([np.average(Y[:, 0], weights=WEIGHT)], rel=1e-12)


def test_for_mae_it_is_the_median():
    assert constant(losses.get("mae"), Y, (1,)) == pytest.approx([np.median(Y)], abs=1e-12)


def test_for_mae_on_an_even_number_of_targets_it_is_the_middle_of_the_flat_piece():
    assert constant(losses.get("mae"), np.array([[0.0], [1.0], [3.0], [9.0]]), (1,)) == pytest.approx([2.0], abs=1e-9)


@pytest.mark.parametrize("delta", [0.1, 1.0, 10.0])
def test_for_huber_the_clipped_residuals_sum_to_zero(delta):
    c = constant(losses.get("huber", delta=delta), Y, (1,))
    assert np.clip(c - Y, -delta, delta).sum() == pytest.approx(0, abs=1e-9)


def test_every_output_is_found_by_itself():
    both = np.hstack([Y, 100 + 50 * Y])
    assert constant(losses.get("mse"), both, (2,)) == pytest.approx(both.mean(0), rel=1e-12)


def test_for_bce_with_logits_it_is_the_log_odds():
    labels = np.array([[1.0]] * 2 + [[0.0]] * 8)
    assert constant(losses.get("bce_with_logits"), labels, (1,)) == pytest.approx([math.log(2 / 8)], abs=1e-9)
    weighted = losses.get("bce_with_logits", pos_weight=3)
    assert constant(weighted, labels, (1,)) == pytest.approx([math.log(6 / 8)], abs=1e-9)


def test_for_cross_entropy_it_is_the_centred_log_of_the_frequencies():
    labels = np.array([0] * 6 + [1] * 3 + [2])
    found = constant(losses.get("cross_entropy"), labels, (3,))
    assert found - found.mean() == pytest.approx([0.828302, 0.135155, -0.963457], abs=1e-6)


def test_a_class_that_never_occurs_does_no_harm():
    labels = np.array([0, 1, 1])
    found = constant(losses.get("cross_entropy"), labels, (3,))
    p = np.exp(found - found.max()) / np.exp(found - found.max()).sum()
    assert p == pytest.approx([1 / 3, 2 / 3, 0], abs=1e-3)
