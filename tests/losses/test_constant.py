"""The best prediction that ignores the inputs, against closed forms."""

import math

import numpy as np
import pytest

from minigrad import loss, losses
from minigrad.losses.constant import constant
from minigrad.losses.kinds import PRED
from minigrad.ops import softmax

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


COUNTS = RNG.poisson(3, (41, 1)).astype(float)
YES = (RNG.uniform(size=(41, 1)) < 0.3).astype(float)
LABELS = RNG.integers(0, 4, 41)
ROWS = RNG.dirichlet(np.ones(4), 41)
EACH_WEIGHT = pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])


def average(values, weight):
    return np.average(values, axis=0, weights=weight)


def shares(weight):
    """How often each label occurs, as weights count."""
    return np.bincount(LABELS, weight, minlength=4) / (41 if weight is None else weight.sum())


@EACH_WEIGHT
@pytest.mark.parametrize("q", [0.07, 0.5, 0.83])
def test_for_quantile_it_is_the_least_target_below_which_a_share_q_lies(q, weight):
    w, order = np.ones(41) if weight is None else weight, np.argsort(Y[:, 0])
    least = Y[order, 0][np.searchsorted(np.cumsum(w[order]), q * w.sum())]
    assert constant(losses.get("quantile", quantile=q), Y, (1,), sample_weight=weight) == pytest.approx(
        [least], abs=1e-12
    )


@EACH_WEIGHT
@pytest.mark.parametrize("name", ["huber", "smooth_l1", "log_cosh"])
def test_for_robust_losses_the_slopes_sum_to_zero(name, weight):
    c = constant(losses.get(name), Y, (1,), sample_weight=weight)
    slope = losses.get(name).value_and_grad(np.broadcast_to(c, Y.shape), Y, sample_weight=weight)[1]
    assert abs(slope.sum()) < 1e-14


@EACH_WEIGHT
def test_for_poisson_nll_it_is_the_log_of_the_mean(weight):
    found = constant(losses.get("poisson_nll"), COUNTS, (1,), sample_weight=weight)
    assert found == pytest.approx(np.log(average(COUNTS, weight)), rel=1e-12)


@EACH_WEIGHT
def test_for_gaussian_nll_it_is_mean_and_log_of_the_variance(weight):
    mean = average(Y[:, 0], weight)
    exact = [mean, math.log(average((Y[:, 0] - mean) ** 2, weight))]
    assert constant(losses.get("gaussian_nll"), Y[:, 0], (2,), sample_weight=weight) == pytest.approx(exact, rel=1e-11)


@EACH_WEIGHT
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_for_bce_it_is_the_mean_label_smoothed(smoothing, weight):
    found = constant(losses.get("bce", label_smoothing=smoothing), YES, (1,), sample_weight=weight)
    assert found == pytest.approx((1 - smoothing) * average(YES, weight) + smoothing / 2, rel=1e-12)


@EACH_WEIGHT
def test_for_focal_both_classes_pull_alike(weight):
    focal = losses.get("focal")
    c = constant(focal, YES, (1,), sample_weight=weight)
    slope = focal.value_and_grad(np.broadcast_to(c, YES.shape), YES, reduction="none", sample_weight=weight)[1]
    assert slope[YES == 1].sum() == pytest.approx(-slope[YES == 0].sum(), rel=1e-12)


@EACH_WEIGHT
def test_for_hinge_it_is_the_margin_on_the_heavier_side_and_for_squared_hinge_the_mean_sign(weight):
    signs = 2 * YES - 1
    mean = average(signs, weight)
    assert constant(losses.get("hinge", margin=0.5), signs, (1,), sample_weight=weight) == pytest.approx(
        0.5 * np.sign(mean), abs=1e-12
    )
    assert constant(losses.get("squared_hinge", margin=0.5), signs, (1,), sample_weight=weight) == pytest.approx(
        0.5 * mean, rel=1e-12
    )


def test_for_hinge_on_a_tie_it_is_0():
    assert constant(losses.get("hinge"), np.array([[1.0], [-1.0]]), (1,)) == pytest.approx([0], abs=1e-12)


@EACH_WEIGHT
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_for_losses_on_many_classes_it_is_the_log_of_the_frequencies(smoothing, weight):
    exact = np.log((1 - smoothing) * shares(weight) + smoothing / 4)
    scores = constant(losses.get("cross_entropy", label_smoothing=smoothing), LABELS, (4,), sample_weight=weight)
    assert scores == pytest.approx(exact - exact.mean(), abs=1e-11)
    lp = constant(losses.get("nll", label_smoothing=smoothing), LABELS, (4,), sample_weight=weight)
    assert lp == pytest.approx(exact, abs=1e-11)


@EACH_WEIGHT
def test_for_kl_div_it_is_the_log_of_the_mean_row(weight):
    found = constant(losses.get("kl_div"), ROWS, (4,), sample_weight=weight)
    assert found == pytest.approx(np.log(average(ROWS, weight)), abs=1e-11)


@EACH_WEIGHT
@pytest.mark.parametrize("labels", [LABELS, LABELS % 2, LABELS**2 % 5 % 3])
def test_for_multi_margin_no_linear_program_finds_a_better_one(labels, weight):
    optimize = pytest.importorskip("scipy.optimize")
    loss = losses.get("multi_margin")
    c = constant(loss, labels, (4,), sample_weight=weight)
    w = np.bincount(labels, weight, minlength=4) / 41
    pairs = [(y, j) for y in range(4) for j in range(4) if j != y]  # u_yj ≥ 1 + c_j − c_y, u ≥ 0, Σ w_y u_yj / 4 least
    rows = [np.concatenate([np.eye(4)[j] - np.eye(4)[y], -np.eye(12)[i]]) for i, (y, j) in enumerate(pairs)]
    cost, bounds = [0] * 4 + [w[y] / 4 for y, _ in pairs], [(None, None)] * 4 + [(0, None)] * 12
    least = optimize.linprog(cost, A_ub=rows, b_ub=[-1] * 12, bounds=bounds).fun
    assert loss(np.tile(c, (41, 1)), labels, sample_weight=weight).item() == pytest.approx(least, abs=1e-9)


# --- at chance: the mean loss of a model that knows nothing -----------------------------------------------------------
def entropy(rows):
    return -(rows * np.log(rows)).sum(-1)


CHANCE = {
    "mse": (Y, np.mean(Y**2)),
    "mae": (Y, np.mean(np.abs(Y))),
    "poisson_nll": (COUNTS, 1),
    "gaussian_nll": (Y[:, 0], np.mean(Y**2) / 2),
    "bce_with_logits": (YES, math.log(2)),
    "bce_with_logits(pos_weight=3.0)": (YES, math.log(2) * np.mean(3 * YES + 1 - YES)),
    "bce": (YES, math.log(2)),
    "cross_entropy": (LABELS, math.log(4)),
    "nll": (LABELS, math.log(4)),
    "kl_div": (ROWS, math.log(4) - entropy(ROWS).mean()),
    "hinge(margin=0.5)": (2 * YES - 1, 0.5),
    "squared_hinge(margin=0.5)": (2 * YES - 1, 0.25),
    "multi_margin(margin=0.5)": (LABELS, 0.5 * 3 / 4),
    "multi_margin(p=2, margin=0.5)": (LABELS, 0.25 * 3 / 4),
    "focal(gamma=2.0)": (YES, math.log(2) / 4),
    "focal(gamma=1.0, alpha=0.25)": (YES, math.log(2) / 2 * np.mean(0.25 * YES + 0.75 * (1 - YES))),
    "margin_ranking(margin=0.5)": (2 * YES[:, 0] - 1, 0.5),
}


@pytest.mark.parametrize("text", CHANCE)
def test_the_neutral_output_costs_what_chance_costs(text):
    target, exact = CHANCE[text]
    loss = losses.get(text)
    shape = {"logits": (41, 4), "log_probs": (41, 4), "params": (41, 2)}.get(loss.pred, target.shape)
    neutral = np.full(shape, PRED[loss.pred].neutral(shape[-1]))
    assert loss(neutral, target).item() == pytest.approx(exact, rel=1e-13)


def test_points_that_coincide_miss_the_margin_by_all_of_it():
    assert losses.get("triplet_margin", margin=0.7)(np.ones((5, 3, 2))).item() == pytest.approx(0.7, rel=1e-15)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e5])
def test_for_gaussian_nll_the_unit_of_the_target_does_not_matter(scale):
    y = scale * Y[:, 0]
    found = constant(losses.get("gaussian_nll"), y, (2,))
    assert found == pytest.approx([y.mean(), math.log(y.var())], rel=1e-6)


def test_a_loss_that_falls_for_ever_ends_in_numbers():
    for name, target, outputs in [
        ("gaussian_nll", np.full(9, 2.5), (2,)),
        ("nll", np.zeros(9, int), (3,)),
        ("kl_div", np.eye(3)[[0, 0, 1]], (3,)),
    ]:
        assert np.isfinite(constant(losses.get(name), target, outputs)).all()


def test_targets_that_repeat_are_looked_at_once_and_count_as_often_as_they_stand_there():
    seen, labels = [], np.repeat([0, 1, 2], [100, 200, 700])

    @loss(pred="logits", target="index")
    def watched(pred, target):
        seen.append(len(target))
        return losses.get("cross_entropy").function(pred, target)

    found = constant(watched, labels, (3,))
    assert softmax(found) == pytest.approx([0.1, 0.2, 0.7], abs=1e-9)
    assert max(seen) == 3
