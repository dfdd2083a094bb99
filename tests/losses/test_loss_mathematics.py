"""What losses promise as functions: bounds, minima, convexity, what they elicit, kinks, invariances."""

import math

import numpy as np
import pytest

from minigrad import Tensor, losses
from tests.losses.samples import K, every, sampled

pytestmark = pytest.mark.filterwarnings("error")
BUILT_IN = every(lambda loss: ":" not in str(loss))


def each(loss, pred, target=None, **options):
    return losses.get(loss)(pred, target, reduction="none", **options).data


def sent(loss, pred, target=None, **options):
    return losses.get(loss).value_and_grad(pred, target, reduction="none", **options)[1]


# --- bounds, minima, convexity ----------------------------------------------------------------------------------------
LEAST = {"poisson_nll": None, "gaussian_nll": None}
MOST = {"cosine_embedding": 2.0}


@pytest.mark.parametrize("points", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", BUILT_IN)
def test_values_stay_within_their_bounds(name, points):
    loss, pred, target = sampled(losses.get(name), points)
    values = each(loss, pred, target)
    least, most = LEAST.get(name, 0.0), MOST.get(name)
    assert least is None or values.min() >= least
    assert most is None or values.max() <= most


LIPSCHITZ = {
    "mae": 1, "huber": 1, "smooth_l1": 1, "log_cosh": 1, "quantile": 0.5, "bce_with_logits": 1,
    "cross_entropy": math.sqrt(2), "nll": 1, "kl_div": 1, "hinge": 1, "multi_margin": 1, "margin_ranking": math.sqrt(2),
    "triplet_margin": math.sqrt(6),
}  # fmt: skip


@pytest.mark.parametrize("points", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", LIPSCHITZ)
def test_no_sample_pulls_harder_than_the_lipschitz_constant_says(name, points):
    loss, pred, target = sampled(losses.get(name), points)
    slope = sent(loss, pred, target).reshape(points, -1)
    assert np.linalg.norm(slope, axis=1).max() <= LIPSCHITZ[name] * (1 + 1e-14)


def test_whole_counts_with_their_factorials_have_a_likelihood_below_one():
    z, y = np.random.default_rng(0).normal(0, 2, 1000), np.random.default_rng(1).poisson(3, 1000)
    assert each(losses.get("poisson_nll", full=True), z, y).min() >= 0


@pytest.mark.parametrize("name", ["mse", "mae", "huber", "smooth_l1", "log_cosh", "quantile"])
def test_a_prediction_that_is_right_costs_nothing_and_is_not_pulled(name):
    y = np.random.default_rng(0).normal(0, 3, 50)
    assert not each(name, y, y).any()
    assert not sent(name, y, y).any()


def test_log_probabilities_that_say_what_the_target_says_cost_nothing_in_kl_div():
    t = np.random.default_rng(0).dirichlet(np.ones(4), 50)
    assert np.abs(each("kl_div", np.log(t), t)).max() <= 1e-14


@pytest.mark.parametrize(
    ("name", "pred", "target"),
    [
        ("bce_with_logits", [800.0, -800.0, math.log(0.3 / 0.7)], [1.0, 0.0, 0.3]),
        ("focal", [800.0, -800.0], [1.0, 0.0]),
        ("bce", [0.9, 0.5, 0.3], [0.9, 0.5, 0.3]),
        ("cross_entropy", [[800.0, 0.0], [math.log(0.3), math.log(0.7)]], [[1.0, 0.0], [0.3, 0.7]]),
        ("poisson_nll", [math.log(4.0), 0.0], [4.0, 1.0]),
        ("hinge", [1.5, -1.0], [1.0, -1.0]),
        ("squared_hinge", [1.5, -1.0], [1.0, -1.0]),
        ("multi_margin", [[3.0, 2.0, 0.0]], [0]),
        ("margin_ranking", [[2.0, 1.0]], [1.0]),
        ("triplet_margin", [[[0.0, 0.0], [1.0, 0.0], [0.0, 2.5]]], None),
        ("cosine_embedding", [[[3.0, 4.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, 2.0]]], [1.0, -1.0]),
    ],
)
def test_where_the_link_of_the_prediction_is_the_target_nothing_is_pulled(name, pred, target):
    target = None if target is None else np.array(target)
    assert np.abs(sent(name, np.array(pred), target)).max() <= 1e-14


def test_a_mean_whose_variance_is_the_squared_error_pulls_no_longer_on_the_variance():
    r = np.array([0.5, -2.0, 1e-9, 1e7])
    slope = sent("gaussian_nll", np.stack([r, np.log(r * r)], -1), 0 * r)
    assert np.abs(slope[:, 1]).max() <= 1e-14


def test_gaussian_nll_falls_without_end_where_the_mean_is_right():
    values = each("gaussian_nll", np.array([[0.0, s] for s in (0, -10, -1e3, -1e300)]), np.zeros(4))
    assert values.tolist() == [0, -5, -500, -5e299]


CONVEX = every(lambda loss: "convex" in loss.claims and loss.pred != "log_probs" and not loss.coupled)


@pytest.mark.parametrize("points", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", CONVEX)  # nll and kl_div are linear, and the middle of log-probabilities is none
def test_convex_losses_lie_below_their_chords(name, points):
    loss, pred, target = sampled(losses.get(name), points, 1)
    _, other, _ = sampled(losses.get(name), points, 2)
    chord = (each(loss, pred, target) + each(loss, other, target)) / 2
    assert np.all(each(loss, (pred + other) / 2, target) <= chord + 1e-12 * np.abs(chord))


def test_focal_is_not_convex_and_gaussian_nll_neither():
    assert each("focal", np.array([-4.0, -2.0, -6.0]), np.ones(3)) @ [1, -0.5, -0.5] > 0.01
    s = np.array([[3.0, 0.0], [3.0, 2.5], [3.0, 5.0]])
    assert each("gaussian_nll", s, np.zeros(3)) @ [-0.5, 1, -0.5] < 0  # convex along log_var alone
    both = np.array([[0.0, -1.0], [1.0, 0.0], [2.0, 1.0]])
    assert each("gaussian_nll", both, np.zeros(3)) @ [-0.5, 1, -0.5] > 0


# --- what they elicit -------------------------------------------------------------------------------------------------
def best(loss, outcomes, low=-60.0, high=60.0):
    """The prediction of least expected loss, by bisection of the expected slope; `outcomes` are (probability, target)."""
    for _ in range(200):
        middle = (low + high) / 2
        slope = sum(p * float(sent(loss, np.array([middle]), np.array([t]))[0]) for p, t in outcomes)
        low, high = (middle, high) if slope < 0 else (low, middle)
    return (low + high) / 2


def logistic(z):
    return 1 / (1 + math.exp(-z))


@pytest.mark.parametrize(
    ("text", "probability"),
    [
        ("bce_with_logits", 0.3),
        ("bce_with_logits(pos_weight=3.0)", 0.5625),
        ("bce_with_logits(label_smoothing=0.1)", 0.32),
        ("focal", 0.42152),
        ("focal(gamma=0.0)", 0.3),
    ],
)
def test_what_losses_on_scores_elicit_when_three_in_ten_are_positive(text, probability):
    assert logistic(best(text, [(0.3, 1.0), (0.7, 0.0)])) == pytest.approx(probability, abs=5e-6)


@pytest.mark.parametrize(("name", "score"), [("hinge", -1.0), ("squared_hinge", -0.4)])
def test_what_losses_on_signs_elicit_when_three_in_ten_are_positive(name, score):
    assert best(name, [(0.3, 1.0), (0.7, -1.0)]) == pytest.approx(score, abs=1e-12)


@pytest.mark.parametrize(("text", "probability"), [("bce", 0.3), ("bce(label_smoothing=0.1)", 0.32)])
def test_what_bce_elicits(text, probability):
    assert best(text, [(0.3, 1.0), (0.7, 0.0)], 0.001, 0.999) == pytest.approx(probability, rel=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_elicits_the_probabilities_smoothed(smoothing):
    q = np.array([0.5, 0.3, 0.2])
    z = np.log((1 - smoothing) * q + smoothing / 3)
    slope = sent("cross_entropy", np.tile(z, (3, 1)), np.arange(3), label_smoothing=smoothing)
    assert np.abs(q @ slope).max() < 5e-9


@pytest.mark.parametrize("name", ["mse", "huber", "smooth_l1", "log_cosh"])
def test_regression_losses_elicit_the_middle_of_a_symmetric_distribution(name):
    assert best(name, [(0.25, -3.0), (0.5, 1.0), (0.25, 5.0)]) == pytest.approx(1.0, abs=1e-12)


def test_mse_elicits_the_mean_mae_the_median_and_quantile_the_quantile():
    outcomes = [(0.2, 0.0), (0.25, 1.0), (0.3, 2.0), (0.25, 10.0)]
    assert best("mse", outcomes) == pytest.approx(3.35, rel=1e-12)
    assert best("mae", outcomes) == pytest.approx(2.0, rel=1e-12)
    assert best("quantile(quantile=0.9)", outcomes) == pytest.approx(10.0, rel=1e-12)
    assert best("quantile(quantile=0.1)", outcomes) == pytest.approx(0.0, abs=1e-12)


def test_poisson_nll_elicits_the_mean_count():
    assert math.exp(best("poisson_nll", [(0.5, 1.0), (0.5, 6.0)])) == pytest.approx(3.5, rel=5e-9)


def test_gaussian_nll_elicits_mean_and_variance():
    y = np.random.default_rng(0).normal(2, 3, 40)
    pred = np.tile([y.mean(), math.log(y.var())], (40, 1))
    assert np.abs(sent("gaussian_nll", pred, y).mean(0)).max() < 1e-14


# --- kinks ------------------------------------------------------------------------------------------------------------
AT_A_KINK = {
    "mae": ([[2.0], [2.0]], [0.0]),
    "quantile": ([[2.0], [2.0]], [0.0]),
    "quantile(quantile=0.9)": ([[2.0], [2.0]], [0.0]),
    "hinge": ([[1.0, -1.0], [1.0, -1.0]], [0.0, 0.0]),
    "hinge(margin=0.5)": ([[0.5], [1.0]], [0.0]),
    "squared_hinge": ([[1.0], [1.0]], [0.0]),
    "huber": ([[1.0, -1.0, 0.0], [0.0, 0.0, 0.0]], [1.0, -1.0, 0.0]),
    "smooth_l1": ([[1.0, -1.0, 0.0], [0.0, 0.0, 0.0]], [1.0, -1.0, 0.0]),
    "log_cosh": ([[1.0, -1.0], [0.0, 0.0]], [math.tanh(1), -math.tanh(1)]),
    "multi_margin": ([[[1.0, 0.0, -2.0]], [0]], [[0.0, 0.0, 0.0]]),
    "multi_margin(p=2)": ([[[1.0, 0.0, -2.0]], [0]], [[0.0, 0.0, 0.0]]),
    "margin_ranking": ([[[1.0, 0.0], [0.0, 1.0]], [1.0, -1.0]], [[0.0, 0.0], [0.0, 0.0]]),
    "margin_ranking(margin=0.0)": ([[[1.0, 1.0]], [1.0]], [[0.0, 0.0]]),
    "triplet_margin": (  # the margin just kept; all points coincide; anchor on the positive; anchor on the negative
        [
            [[[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]], [[1.0, 1.0]] * 3, [[0.0, 0.0], [0.0, 0.0], [0.0, 0.5]], [[0.0, 0.0], [3.0, 0.0], [0.0, 0.0]]],
            None,
        ],
        [
            [[0.0, 0.0]] * 3, [[0.0, 0.0]] * 3, [[0.0, 1.0], [0.0, 0.0], [0.0, -1.0]],
            [[-1.0, 0.0], [1.0, 0.0], [0.0, 0.0]],
        ],
    ),
    "triplet_margin(swap=True)": (  # the negative is as far from the anchor as from the positive: a half each
        [[[[0.0, 0.0], [2.0, 0.0], [1.0, 0.0]]], None],
        [[[-0.5, 0.0], [0.5, 0.0], [0.0, 0.0]]],
    ),
    "triplet_margin(p=1.0)": ([[[[0.0, 0.0], [1.0, 0.0], [0.5, 0.0]]], None], [[[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]]),
    "cosine_embedding": (  # a right angle; a zero vector on either side, like and unlike
        [[[[1.0, 0.0], [0.0, 2.0]], [[0.0, 0.0], [1.0, 2.0]], [[1.0, 2.0], [0.0, 0.0]]], [-1.0, 1.0, -1.0]],
        [[[0.0, 0.0]] * 2] * 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("text", AT_A_KINK)
def test_at_a_kink_closed_form_and_engine_take_the_shortest_subgradient(text, dtype):
    (pred, target), slope = AT_A_KINK[text]
    loss, pred = losses.get(text), np.array(pred, dtype)
    if target is not None:
        target = np.array(target) if loss.target == "index" else np.array(target, dtype)
    x = Tensor(pred, requires_grad=True)
    loss.function(x, target, **loss.values).sum().backward()
    for got in (sent(loss, pred, target), x.grad.data):
        assert got == pytest.approx(np.array(slope, dtype), abs=10 * float(np.finfo(dtype).eps))


# Where the smooth side of a kink is bent; everywhere else the second derivative is 0.
BENT = {"huber": 1, "smooth_l1": 1, "log_cosh": math.cosh(1) ** -2}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("text", AT_A_KINK)
def test_at_a_kink_the_second_derivative_is_that_of_the_side_that_is_taken(text, dtype):
    (pred, target), _ = AT_A_KINK[text]
    loss, x = losses.get(text), Tensor(np.array(pred, dtype), requires_grad=True)
    if target is not None:
        target = np.array(target) if loss.target == "index" else np.array(target, dtype)
    loss(x, target, reduction="sum").backward(create_graph=True)
    slope, x.grad = x.grad, None
    if slope.requires_grad:
        slope.backward(np.ones(x.shape, dtype))
    bend = np.zeros(x.shape) if x.grad is None else x.grad.data
    assert bend == pytest.approx(np.full(x.shape, BENT.get(text, 0)), rel=10 * float(np.finfo(dtype).eps), abs=0)


@pytest.mark.parametrize("text", [text for text in AT_A_KINK if losses.get(text).kinks])
def test_the_kinks_that_a_loss_declares_vanish_there(text):
    (pred, target), _ = AT_A_KINK[text]
    loss = losses.get(text)
    pred, target = np.array(pred), None if target is None else np.array(target)
    found = [np.asarray(kink(pred, target, **loss.values)).reshape(len(pred), -1) for kink in loss.kinks]
    if text == "multi_margin(p=2)":
        assert all(values.all() for values in found)  # a square has none
    else:
        assert np.all(np.abs(np.concatenate(found, -1)).min(-1) < 1e-15)


def test_a_zero_vector_has_cosine_zero():
    pairs = np.array([[[0.0, 0.0], [1.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]])
    assert each("cosine_embedding", pairs, np.ones(2)).tolist() == [1.0, 1.0]
    assert each("cosine_embedding", pairs, -np.ones(2), margin=-0.25).tolist() == [0.25, 0.25]


@pytest.mark.parametrize("angle", [1e-3, 1e-6, 1e-9])
def test_the_cosine_of_nearly_parallel_vectors_leaves_the_angle_to_be_seen(angle):
    pair = np.array([[[1.0, 0.0], [math.cos(angle), math.sin(angle)]]])
    assert each("cosine_embedding", pair, [1.0]) == pytest.approx([2 * math.sin(angle / 2) ** 2], rel=1e-6)


def test_an_infinite_score_is_a_sure_one():
    z, y = np.array([np.inf, -np.inf, np.inf, -np.inf]), np.array([1.0, 0.0, 0.0, 1.0])
    assert each("bce_with_logits", z, y).tolist() == [0, 0, np.inf, np.inf]
    assert sent("bce_with_logits", z, y).tolist() == [0, 0, 1, -1]


def test_a_score_of_minus_infinity_is_a_masked_class():
    z = np.array([[0.0, -np.inf, math.log(3)]])
    assert each("cross_entropy", z, [2]) == pytest.approx([math.log(4 / 3)], rel=1e-15)
    assert sent("cross_entropy", z, [2]) == pytest.approx(np.array([[0.25, 0, -0.25]]), rel=1e-15)
    assert each("cross_entropy", z, [[0.5, 0, 0.5]]) == pytest.approx([0.836988], abs=5e-7)
    assert sent("cross_entropy", z, [[0.5, 0, 0.5]]) == pytest.approx(np.array([[-0.25, 0, 0.25]]), rel=1e-15)
    assert sent("multi_margin", z, [2]) == pytest.approx(np.array([[0, 0, 0]]))
    for name in ("cross_entropy", "multi_margin"):
        x = Tensor(z, requires_grad=True)
        losses.get(name).function(x, np.array([2]), **losses.get(name).values).sum().backward()
        assert x.grad.data == pytest.approx(sent(name, z, [2]), rel=1e-15)


def test_a_floored_probability_costs_what_the_smallest_number_costs_and_pulls_no_more():
    with pytest.warns(UserWarning, match="exactly 0 or 1 against their label"):
        value, slope = losses.get("bce").value_and_grad(np.array([1.0, 0.0]), [0, 1], reduction="none")
    assert value == pytest.approx([708.396, 708.396], abs=5e-4)
    assert slope.tolist() == [0, 0]


# --- invariances ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", every(lambda loss: "shift_invariant" in loss.claims and ":" not in str(loss)))
def test_a_shift_of_a_whole_sample_changes_nothing(name):
    loss, pred, target = sampled(losses.get(name), 50)
    assert each(loss, pred + 2.0**10, target) == pytest.approx(each(loss, pred, target), abs=1e-12)


@pytest.mark.parametrize("name", ["mse", "mae", "huber", "smooth_l1", "log_cosh", "quantile"])
def test_the_mirrored_residual_costs_the_same(name):
    r = np.random.default_rng(3).normal(0, 3, 1000)
    assert np.array_equal(each(name, r, 0 * r), each(name, -r, 0 * r))


@pytest.mark.parametrize("name", ["bce_with_logits", "focal", "hinge", "squared_hinge", "bce"])
def test_the_other_label_at_the_mirrored_score_costs_the_same(name):
    loss, pred, target = sampled(losses.get(name), 1000)
    mirrored = 1 - pred if loss.pred == "prob" else -pred
    other = -target if loss.target == "sign" else 1 - target
    assert each(loss, mirrored, other) == pytest.approx(each(loss, pred, target), rel=1e-12)


@pytest.mark.parametrize("name", ["cross_entropy", "nll", "kl_div", "multi_margin"])
def test_classes_may_change_their_places(name):
    loss, pred, target = sampled(losses.get(name), 100)
    places = np.random.default_rng(4).permutation(K)
    moved = target[:, places] if target.ndim == 2 else np.argsort(places)[target]
    assert each(loss, pred[:, places], moved) == pytest.approx(each(loss, pred, target), rel=1e-12)


def test_a_pair_may_be_exchanged_and_a_mean_mirrored():
    two, signs = np.random.default_rng(5).normal(size=(50, 2)), np.where(np.arange(50) % 2, 1.0, -1.0)
    assert np.array_equal(each("margin_ranking", two[:, ::-1], -signs), each("margin_ranking", two, signs))
    vectors = np.random.default_rng(6).normal(size=(50, 2, 3))
    assert np.array_equal(each("cosine_embedding", vectors[:, ::-1], signs), each("cosine_embedding", vectors, signs))
    assert np.array_equal(each("gaussian_nll", two * [-1, 1], -signs), each("gaussian_nll", two, signs))


def test_a_shift_changes_the_loss_of_unit_vectors():
    vectors = np.random.default_rng(6).normal(size=(50, 2, 3))
    assert (
        np.abs(
            each("cosine_embedding", vectors + 1, np.ones(50)) - each("cosine_embedding", vectors, np.ones(50))
        ).max()
        > 0.1
    )


@pytest.mark.parametrize("name", every(lambda loss: not loss.coupled))
def test_micro_batches_add_up_to_the_whole_batch(name):
    loss, pred, target = sampled(losses.get(name), 40)
    whole, slope = loss.value_and_grad(pred, target, reduction="sum")
    parts = [
        loss.value_and_grad(pred[i : i + 8], None if target is None else target[i : i + 8], reduction="sum")
        for i in range(0, 40, 8)
    ]
    assert math.fsum(value for value, _ in parts) == pytest.approx(whole, rel=1e-12)
    assert np.array_equal(np.concatenate([part for _, part in parts]), slope)
