"""What ties the built-in losses to each other, and what each of them sends into a network: equations without a model."""

import math

import numpy as np
import pytest

from minigrad import Tensor, losses, ops
from minigrad.losses.regression import _log_factorial

pytestmark = pytest.mark.filterwarnings("error")
RNG = np.random.default_rng(0)
Z = RNG.normal(0, 3, 50)  # scores
Y = RNG.uniform(size=50)  # soft labels
S = np.where(RNG.uniform(size=50) < 0.5, -1.0, 1.0)  # labels −1 and +1
SCORES = RNG.normal(0, 3, (50, 5))
ROWS = RNG.dirichlet(np.ones(5), 50)
LABELS = np.arange(50) % 5
R = RNG.normal(0, 2, 50)  # residuals
NOUGHT, ONE = np.zeros(50), np.ones(50)


def close(got, exact, tolerance=1e-14):
    return np.all(np.abs(np.asarray(got) - exact) <= tolerance * np.maximum(1, np.abs(exact)))


def each(loss, pred, target=None, **options):
    """One value per sample."""
    return losses.get(loss)(pred, target, reduction="none", **options).data


def sent(loss, pred, target=None, **options):
    """The slope of each sample's value."""
    return losses.get(loss).value_and_grad(pred, target, reduction="none", **options)[1]


def entropy(t):
    return -np.sum(np.where(t == 0, 0, t * np.log(np.where(t == 0, 1, t))), -1)


# --- identities -------------------------------------------------------------------------------------------------------
def test_a_yes_at_z_is_a_no_at_minus_z_bit_for_bit():
    assert np.array_equal(each("bce_with_logits", Z, ONE), each("bce_with_logits", -Z, NOUGHT))
    assert np.array_equal(sent("bce_with_logits", Z, ONE), -sent("bce_with_logits", -Z, NOUGHT))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_cross_entropy_of_two_classes_is_bce_of_the_difference(smoothing):
    two, rows = np.stack([NOUGHT, Z], -1), np.stack([1 - Y, Y], -1)
    binary = each("bce_with_logits", Z, Y, label_smoothing=smoothing)
    assert close(each("cross_entropy", two, rows, label_smoothing=smoothing), binary)
    slope = sent("bce_with_logits", Z, Y, label_smoothing=smoothing)
    assert close(sent("cross_entropy", two, rows, label_smoothing=smoothing), np.stack([-slope, slope], -1))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_bce_behind_a_sigmoid_is_bce_with_logits(smoothing):
    z = np.linspace(-12, 12, 49)
    y = np.arange(49) % 2
    x = Tensor(z, requires_grad=True)
    values = losses.get("bce", label_smoothing=smoothing)(ops.sigmoid(x), y, reduction="none")
    values.sum().backward()
    assert values.data == pytest.approx(each("bce_with_logits", z, y, label_smoothing=smoothing), rel=1e-10)
    assert x.grad.data == pytest.approx(sent("bce_with_logits", z, y, label_smoothing=smoothing), rel=1e-10)


def test_nll_and_kl_div_behind_a_log_softmax_are_cross_entropy():
    lp = ops.log_softmax(SCORES)
    exact = each("cross_entropy", SCORES, LABELS)
    assert close(each("nll", lp, LABELS), exact)
    assert close(each("kl_div", lp, np.eye(5)[LABELS]), exact)


def test_kl_div_is_cross_entropy_less_the_entropy_of_the_target():
    lp = ops.log_softmax(SCORES)
    assert close(each("kl_div", lp, ROWS), each("cross_entropy", SCORES, ROWS) - entropy(ROWS))
    atlas = np.array([0.7, 0.2, 0.1, 0, 0])
    assert entropy(atlas) == pytest.approx(0.802, abs=5e-4)
    same = np.broadcast_to(atlas, ROWS.shape).copy()
    assert close(each("cross_entropy", SCORES, same) - each("kl_div", lp, same), entropy(atlas))


@pytest.mark.parametrize("shift", [-1e3, -7.5, 1e3])
def test_cross_entropy_does_not_change_when_all_scores_are_shifted(shift):
    for target in (LABELS, ROWS):
        assert close(each("cross_entropy", SCORES + shift, target), each("cross_entropy", SCORES, target), 1e-12)


def test_huber_with_a_delta_beyond_all_residuals_is_half_of_mse():
    far = losses.get("huber", delta=float(np.abs(R).max()))
    assert close(each(far, R, NOUGHT), each("mse", R, NOUGHT) / 2)


@pytest.mark.parametrize("delta", [1e-1, 1e-4, 1e-8])
def test_huber_over_delta_and_smooth_l1_tend_to_mae(delta):
    far = R[np.abs(R) > delta]
    exact = np.abs(far) - delta / 2
    assert close(each(losses.get("huber", delta=delta), far, 0 * far) / delta, exact)
    assert close(each(losses.get("smooth_l1", beta=delta), far, 0 * far), exact)


@pytest.mark.parametrize("delta", [0.1, 1.0, 2.5])
def test_smooth_l1_is_huber_over_delta(delta):
    huber, smooth = losses.get("huber", delta=delta), losses.get("smooth_l1", beta=delta)
    assert close(each(smooth, R, NOUGHT), each(huber, R, NOUGHT) / delta)
    assert close(delta * sent(smooth, R, NOUGHT), sent(huber, R, NOUGHT))


def test_the_quantile_one_half_is_half_of_mae():
    assert close(each("quantile", R, NOUGHT), each("mae", R, NOUGHT) / 2)


def test_focal_without_focus_is_bce_with_logits():
    y, plain = (S + 1) / 2, losses.get("focal", gamma=0.0)
    assert close(each(plain, Z, y), each("bce_with_logits", Z, y))
    assert close(sent(plain, Z, y), sent("bce_with_logits", Z, y))
    weighted = each(losses.get("focal", gamma=0.0, alpha=0.25), Z, y)
    assert close(weighted, each("bce_with_logits", Z, y, class_weight=[0.75, 0.25]))


def test_gaussian_nll_of_variance_one_is_half_of_mse():
    assert close(each("gaussian_nll", np.stack([R, NOUGHT], -1), NOUGHT), each("mse", R, NOUGHT) / 2)


def test_multi_margin_of_two_classes_is_half_of_hinge_of_the_difference():
    two, y = SCORES[:, :2], ((S + 1) / 2).astype(int)
    for margin in (1.0, 0.3):
        here = losses.get("multi_margin", margin=margin)
        assert close(each(here, two, y), each("hinge", two[:, 1] - two[:, 0], S, margin=margin) / 2)


def test_margin_ranking_is_hinge_of_the_difference():
    two = SCORES[:, :2]
    assert close(each("margin_ranking", two, S), each("hinge", two[:, 0] - two[:, 1], S))


def test_the_square_of_hinge_is_squared_hinge():
    assert close(each("squared_hinge", Z, S), each("hinge", Z, S) ** 2)


def test_cosine_embedding_of_a_like_pair_is_half_the_squared_distance_of_the_unit_vectors():
    pairs = RNG.normal(size=(50, 2, 4))
    units = pairs / np.linalg.norm(pairs, axis=-1, keepdims=True)
    exact = np.sum((units[:, 0] - units[:, 1]) ** 2, -1) / 2
    assert close(each("cosine_embedding", pairs, ONE), exact)


def test_log_cosh_is_half_a_square_near_0_and_a_size_less_ln_2_in_the_tail():
    near, far = np.array([1e-9, 1e-5, -1e-4, 1e-3]), np.array([-20.0, 30.0, 1e3, -1e9])
    assert each("log_cosh", near, 0 * near) == pytest.approx(near**2 / 2 - near**4 / 12, rel=1e-13)
    assert each("log_cosh", far, 0 * far) == pytest.approx(np.abs(far) - math.log(2), rel=1e-15)


def test_full_poisson_nll_adds_ln_of_a_factorial():
    y = np.concatenate([np.arange(30.0), [1e-300, 1e-9, 0.3, 0.7, 1.46, 170.5, 1e4, 1e15]])
    exact = [math.lgamma(n + 1) for n in y]
    assert _log_factorial(y) == pytest.approx(exact, rel=2e-14, abs=1e-15)
    assert _log_factorial(np.float32([5])) == pytest.approx(np.float32(math.log(120)), rel=1e-7)
    assert each("poisson_nll", 0 * y, y, full=True) - each("poisson_nll", 0 * y, y) == pytest.approx(
        exact, abs=1e-14, rel=1e-14
    )


# --- what each loss sends ---------------------------------------------------------------------------------------------
def test_mse_sends_twice_the_residual():
    assert np.array_equal(sent("mse", R, NOUGHT), 2 * R)


def test_mae_sends_one_whatever_the_error():
    for factor in (1e-3, 1, 1e3):
        assert np.array_equal(np.abs(sent("mae", factor * R, NOUGHT)), ONE)
    assert not sent("mae", R, R).any()


@pytest.mark.parametrize("delta", [0.5, 1.0])
def test_huber_sends_the_residual_clipped(delta):
    slope = sent(losses.get("huber", delta=delta), R, NOUGHT)
    assert np.array_equal(slope, np.clip(R, -delta, delta))
    inside = np.abs(R) < delta
    assert np.array_equal(slope[inside], sent("mse", R, NOUGHT)[inside] / 2)


def test_log_cosh_falls_short_of_the_push_of_mae_by_a_logistic_tail():
    slope = np.abs(sent("log_cosh", R, NOUGHT))
    assert close(slope, np.tanh(np.abs(R)), 1e-15)
    assert close(1 - slope, 2 / (np.exp(2 * np.abs(R)) + 1), 1e-12)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_quantile_sends_one_of_two_values_that_are_one_apart(q):
    slope = sent(losses.get("quantile", quantile=q), R, NOUGHT)
    assert sorted(set(slope)) == [-q, 1 - q]


def test_poisson_nll_sends_expected_less_observed_and_nothing_where_they_agree():
    counts = RNG.poisson(3, 50).astype(float) + 1
    assert close(sent("poisson_nll", Z, counts), np.exp(Z) - counts, 1e-12)
    assert np.abs(sent("poisson_nll", np.log(counts), counts)).max() < 1e-12


def test_gaussian_nll_listens_to_the_mean_as_the_variance_allows():
    s = Z / 3
    slope = sent("gaussian_nll", np.stack([R, s], -1), NOUGHT)
    assert close(slope, np.stack([R * np.exp(-s), (1 - R * R * np.exp(-s)) / 2], -1), 1e-12)
    halved = sent("gaussian_nll", np.stack([R, s + math.log(2)], -1), NOUGHT)
    assert close(halved[:, 0], slope[:, 0] / 2, 1e-12)


def test_the_two_labels_of_bce_with_logits_send_slopes_one_apart():
    assert close(sent("bce_with_logits", Z, NOUGHT) - sent("bce_with_logits", Z, ONE), 1, 1e-15)
    assert np.abs(sent("bce_with_logits", Z, Y)).max() <= 1


def test_bce_sends_one_over_p_and_a_sigmoid_takes_it_back():
    p, y = ops.sigmoid(Z), (S + 1) / 2
    start = sent("bce", p, y)
    assert close(np.abs(start), 1 / np.where(y == 1, p, 1 - p), 1e-12)
    assert np.abs(start * p * (1 - p)) == pytest.approx(np.abs(p - y), rel=1e-9)


def test_hinge_sends_one_or_nothing_and_squared_hinge_twice_what_is_missing():
    slope, missing = sent("hinge", Z, S), 1 - S * Z
    assert set(np.abs(slope)) == {0.0, 1.0}
    assert np.array_equal(slope != 0, missing > 0)
    assert close(sent("squared_hinge", Z, S), 2 * np.maximum(missing, 0) * slope, 1e-12)


@pytest.mark.parametrize(("p", "heard"), [(0.9, 0.02896), (0.5, 0.59657), (0.1, 1.22447), (0.2976, 1.0)])
def test_focal_hears_less_of_what_is_right_already(p, heard):
    z = np.array([math.log(p / (1 - p))])
    ratio = sent("focal", z, [1]) / sent("bce_with_logits", z, [1])
    assert ratio == pytest.approx([heard], abs=1e-5 if p != 0.2976 else 1e-4)


def test_of_cross_entropy_the_others_pay_what_the_true_class_gains():
    slope, p = sent("cross_entropy", SCORES, LABELS), ops.softmax(SCORES)
    assert close(slope.sum(-1), 0, 1e-12)
    assert close(np.abs(slope).sum(-1), 2 * (1 - p[np.arange(50), LABELS]), 1e-12)


def test_multi_margin_pushes_rivals_by_one_kth_or_not_at_all():
    slope = sent("multi_margin", SCORES, LABELS)
    rivals = slope[LABELS[:, None] != np.arange(5)]
    assert set(rivals) == {0.0, 0.2}
    assert close(slope.sum(-1), 0, 1e-12)


def test_nll_and_kl_div_send_the_target_and_the_log_softmax_makes_the_difference_of_it():
    for name, target, rows in [("nll", LABELS, np.eye(5)[LABELS]), ("kl_div", ROWS, ROWS)]:
        z = Tensor(SCORES, requires_grad=True)
        lp = ops.log_softmax(z)
        losses.get(name)(lp, target, reduction="sum").backward()
        assert close(np.abs(sent(name, lp.data, target)), rows, 1e-15)
        assert close(np.linalg.norm(z.grad.data, axis=1), np.linalg.norm(ops.softmax(SCORES) - rows, axis=1), 1e-12)


def test_margin_ranking_lifts_one_as_much_as_it_lowers_the_other():
    slope = sent("margin_ranking", SCORES[:, :2], S)
    assert not slope.sum(-1).any()
    assert {round(length, 12) for length in np.linalg.norm(slope, axis=-1)} == {0.0, round(math.sqrt(2), 12)}


@pytest.mark.parametrize("swap", [False, True])
def test_triplet_margin_moves_three_points_and_not_their_centre(swap):
    points = RNG.normal(size=(50, 3, 4))
    slope = sent("triplet_margin", points, swap=swap)
    assert close(slope.sum(1), 0, 1e-12)
    open_ = each("triplet_margin", points, swap=swap) > 0
    assert 0 < open_.sum() < 50
    assert not slope[~open_].any()
    if not swap:
        lengths = np.linalg.norm(slope[open_], axis=-1)
        assert close(lengths[:, 1:], 1, 1e-12)
        assert lengths[:, 0].max() <= 2


def test_cosine_embedding_turns_vectors_and_never_lengthens_them():
    pairs = RNG.normal(size=(50, 2, 4))
    sizes = np.linalg.norm(pairs, axis=-1)
    cos = np.sum(pairs[:, 0] * pairs[:, 1], -1) / sizes.prod(-1)
    for target in (ONE, -ONE):
        slope = sent("cosine_embedding", pairs, target)
        assert close((slope * pairs).sum(-1), 0, 1e-12)
    like = sent("cosine_embedding", pairs, ONE)
    assert np.linalg.norm(like, axis=-1) * sizes == pytest.approx(np.sqrt(1 - cos**2)[:, None] * [1, 1], rel=1e-9)
