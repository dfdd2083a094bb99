"""Every calling rule with numbers that can be checked by hand."""

import math

import numpy as np
import pytest

from minigrad import MLP, Tensor, fit, losses, ops

get = losses.get
A = np.array


def near(value, digits=6):
    return pytest.approx(value, abs=0.6 * 10**-digits)


def test_quantile_knows_which_side_is_which():
    assert get("quantile", quantile=0.9).value_and_grad(A([3.0]), A([1.0])) == (near(0.2), near([0.1]))
    assert get("quantile", quantile=0.9)([1.0], [3.0]).item() == near(1.8)


def test_the_four_reductions_of_weighted_squares():
    mse, pred, target, w = get("mse"), A([1.0, 2, 4]), np.zeros(3), A([1.0, 2, 1])
    found = {
        r: mse(pred, target, sample_weight=w, reduction=r).data.tolist()
        for r in ("none", "sum", "mean", "weighted_mean")
    }
    assert found == {"none": [1, 8, 16], "sum": 25, "mean": near(25 / 3), "weighted_mean": 6.25}
    assert mse.value_and_grad(pred, target, sample_weight=w)[1] == near([0.666667, 2.666667, 2.666667])


def test_the_divergence_sums_over_classes_and_averages_over_rows():
    target = A([[0.5, 0.5, 0, 0], [0.25] * 4])
    pred = np.log(A([[0.25] * 4, [0.1, 0.2, 0.3, 0.4]]))
    assert get("kl_div")(pred, target, reduction="none").data == near([0.693147, 0.121777])
    assert get("kl_div")(pred, target).item() == near(0.407462)


def test_weights_of_rows_spread_over_the_columns():
    mse, pred = get("mse"), np.sqrt(A([[1.0, 4], [9, 16]]))
    w = A([1.0, 3])
    assert mse(pred, np.zeros((2, 2)), sample_weight=w, reduction="none").data == near(A([[1, 4], [27, 48]]))
    assert mse(pred, np.zeros((2, 2)), sample_weight=w).item() == near(20)
    assert mse(pred, np.zeros((2, 2)), sample_weight=w, reduction="weighted_mean").item() == near(10)


def test_a_row_twice_counts_twice_in_n_too():
    mse, pred = get("mse"), A([1.0, 2, 4])
    twice = A([1.0, 2, 2, 4])
    assert (mse(twice, np.zeros(4), reduction="sum").item(), mse(twice, np.zeros(4)).item()) == (25, 6.25)
    removed = {
        r: mse(pred, np.zeros(3), sample_weight=A([1.0, 0, 1]), reduction=r).item()
        for r in ("sum", "weighted_mean", "mean")
    }
    assert removed == {"sum": 17, "weighted_mean": 8.5, "mean": near(17 / 3)}


def test_the_mean_splits_and_the_weighted_mean_does_not():
    ce = get("cross_entropy", class_weight=[1, 3])
    z, y = A([[2.0, 0], [0, 1], [1, 0], [0, 3]]), A([0, 0, 1, 1])
    halves = [
        [ce(z[h], y[h], reduction=r).item() for h in (slice(0, 2), slice(2, 4))] for r in ("mean", "weighted_mean")
    ]
    assert ce(z, y).item() == near(1.381434) == np.mean(halves[0])
    assert ce(z, y, reduction="weighted_mean").item() == near(0.690717)
    assert np.mean(halves[1]) == near(0.700510)


def test_class_weight_is_taken_before_smoothing():
    ce = get("cross_entropy", label_smoothing=0.1)
    assert ce(A([[2.0, 0, -1]]), A([0]), class_weight=[1, 1, 100]).item() == near(0.336513)
    soft = get("cross_entropy")(A([[1.0, -1]]), A([[0.25, 0.75]]), class_weight=[2, 4]).item()
    assert soft == near(3.5 * 1.626928, 5) == near(5.694248)


def test_labels_and_rows_with_class_weights():
    ce, z = get("cross_entropy"), A([[1.0, 0, -1], [0, 2, 0]])
    for y in (A([0, 2]), A([[1.0, 0, 0], [0, 0, 1]])):
        assert ce(z, y, class_weight=[1, 2, 4], reduction="none").data == near([0.407606, 8.958179])
        assert ce(z, y, class_weight=[1, 2, 4]).item() == near(4.682893)
        assert ce(z, y, class_weight=[1, 2, 4], reduction="weighted_mean").item() == near(1.873157)


def test_weights_of_samples_and_of_classes_multiply():
    ce, z, y = get("cross_entropy"), A([[1.0, 0, -1], [0, 2, 0]]), A([0, 2])
    each = ce(z, y, class_weight=[1, 2, 4], sample_weight=[3, 0.5], reduction="none").data
    assert each == near([3 * 0.407606, 0.5 * 8.958179], 5)


def test_values_of_each_class_are_summed_to_one_of_the_sample():
    @losses.loss(pred="logits", target="simplex")
    def distance(pred, target):
        return (pred - target) ** 2

    z, y = A([[1.0, 0, -1], [0, 2, 0]]), A([[1.0, 0, 0], [0, 0, 1]])
    assert distance(z, y, reduction="none").tolist() == [1, 5]
    assert distance.value_and_grad(z, y)[1].tolist() == [[0, 0, -1], [0, 2, -1]]


def test_smoothed_labels_of_many_classes_and_of_two():
    assert get("cross_entropy", label_smoothing=0.1)(A([[0.0, 2, 0, 0]]), A([1])).item() == near(0.490753)
    bce = get("bce_with_logits", label_smoothing=0.1)
    assert bce.value_and_grad(A([2.0]), A([1.0])) == (near(0.226928), near([-0.069203]))
    two = get("cross_entropy", label_smoothing=0.1)(A([[0.0, 2]]), A([1])).item()
    assert two == near(0.226928)


def test_pos_weight_is_what_a_positive_costs():
    bce = get("bce_with_logits", pos_weight=3)
    value, slope = bce.value_and_grad(A([1.0, 1]), A([1.0, 0]), reduction="none")
    assert (value, slope) == (near([0.939785, 1.313262]), near([-0.806824, 0.731059]))
    assert bce([1.0], [0.5]).item() == near(1.126523)
    assert bce([1.0], [1.0], label_smoothing=0.1).item() == near(1.089785)
    same = get("bce_with_logits")(A([1.0, 1]), A([1.0, 0]), class_weight=[1, 3], reduction="none").data
    assert same == near([0.939785, 1.313262])
    at_best = get("bce_with_logits", pos_weight=99, label_smoothing=0.1)
    assert at_best.value_and_grad(A([math.log(0.05 / 0.95)]), A([0.0]))[1] == near([0])


def test_a_mask_is_no_arithmetic():
    value, slope = get("mse").value_and_grad(A([1.0, 2, 3]), A([0, np.nan, 1]), mask=A([True, False, True]))
    assert (value, slope.tolist()) == (2.5, [1, 0, 2])


def test_labels_are_skipped_by_a_mask():
    y, z = A([0, 255, 2]), A([[1.0, 0, -1], [0, 2, 0], [0, 0, 0]])
    value, slope = get("cross_entropy").value_and_grad(z, y, mask=y != 255)
    assert value == near(0.753109)
    assert slope[1].tolist() == [0, 0, 0]
    assert get("cross_entropy")(z[:2], A([-100, -100]), mask=np.zeros(2, bool)).item() == 0


def test_the_derivative_at_a_kink_is_the_smallest_subgradient():
    assert get("mae").value_and_grad([2.0], [2.0])[1].tolist() == [0]
    assert get("quantile", quantile=0.9).value_and_grad([2.0], [2.0])[1].tolist() == [0]
    assert get("hinge").value_and_grad([1.0], [1.0])[1].tolist() == [0]


def test_a_sum_in_float32_is_added_in_float64():
    values = A([16777216.0, 1, 1], np.float32)
    assert get("mae")(values, np.zeros(3), reduction="sum").item() == 16777218


@pytest.mark.filterwarnings("ignore:.*takes scores:UserWarning")
def test_a_softmax_too_many_has_a_floor():
    ce, y = get("cross_entropy"), A([0])
    z = Tensor(A([[10.0, 0, 0]]), requires_grad=True)
    assert ce(z, y).item() == pytest.approx(9.0796e-5, rel=1e-4)
    assert ce(ops.softmax(z), y).item() == near(0.551502)
    assert ce(ops.softmax(Tensor(A([[1e9, 0, 0]]), requires_grad=True)), y).item() == near(math.log(1 + 2 / math.e))


def test_a_score_of_minus_infinity_takes_a_class_out():
    z = A([[0, -np.inf, math.log(3)]])
    assert get("cross_entropy").value_and_grad(z, A([2])) == (near(0.287682), near(A([[0.25, 0, -0.25]])))
    assert get("cross_entropy").value_and_grad(z, A([[0.5, 0, 0.5]])) == (near(0.836988), near(A([[-0.25, 0, 0.25]])))


def test_tails_are_exact_and_saturated_probabilities_are_warned_about():
    bce = get("bce_with_logits")
    assert bce.value_and_grad([-50.0], [1.0]) == (50, pytest.approx([-1]))
    assert bce.value_and_grad([40.0], [0.0]) == (40, pytest.approx([1]))
    assert bce([1e4, -1e4], [1.0, 1.0], reduction="none").data.tolist() == [0, 1e4]
    p = 1 / (1 + math.exp(50))
    assert get("bce")([p], [1.0]).item() == pytest.approx(50)
    text = (
        "bce: 1 of 2 probabilities are exactly 0 or 1 against their label, their gradient is lost; use bce_with_logits"
    )
    with pytest.warns(UserWarning, match=text):
        assert get("bce")([1.0, 0.5], [0.0, 1.0], reduction="none").data[0] == pytest.approx(708.396, abs=1e-3)


def test_rows_that_are_no_log_probabilities_are_warned_about():
    with pytest.warns(
        UserWarning, match="nll: expected rows of log-probabilities with Σ exp = 1, got 0.5 at row 0; use log_softmax"
    ):
        get("nll")(np.log(A([[0.25, 0.25]])), A([0]))


def test_python_sums_a_list_of_losses_and_a_loss_is_not_divided():
    both = sum([get("huber"), 0.5 * get("mse")])
    assert str(both) == "huber + 0.5 * mse"
    assert both([3.0], [1.0]).item() == get("huber")([3.0], [1.0]).item() + 2
    with pytest.raises(TypeError, match=r"^huber / 2: expected a product; write 0.5 \* huber$"):
        get("huber") / 2
    for other in (1, 0.0, True, "mse"):
        with pytest.raises(TypeError, match=r"^huber \+ …: expected a Loss, got"):
            other + get("huber")


def test_sums_of_losses_and_their_texts():
    total = 0.7 * get("mse") + 0.3 * get("mae")
    assert total.value_and_grad([2.0], [0.0]) == (near(3.4), near([3.1]))
    assert losses.get("0.7 * mse + 0.3 * mae") == total
    assert total.claims == ("convex", "symmetric")
    assert (get("mse") * -1).claims == ()
    assert total.grad is not None
    mixed = get("cross_entropy") + get("multi_margin")
    assert mixed.target == "index"
    assert mixed(A([[1.0, 0, 0]]), A([0])).item() == near(get("cross_entropy")(A([[1.0, 0, 0]]), A([0])).item() + 0.0)


def test_value_and_gradient_divide_by_the_same_n():
    value, slope = get("mse").value_and_grad(A([[1.0, 2, 3], [4, 5, 6]]), np.zeros((2, 3)))
    assert value == near(91 / 6)
    assert slope == near(2 * A([[1, 2, 3], [4, 5, 6]]) / 6)


def test_fit_aligns_what_a_direct_call_refuses():
    X = np.random.default_rng(0).standard_normal((12, 2))
    assert fit(MLP(2, 8, 1), (X, np.arange(12) % 2), loss="hinge", epochs=1).rows
    assert fit(MLP(2, 8, 3), (X, np.arange(12) % 3), loss="mse", epochs=1).rows


def test_link_and_decide_in_the_readers_words():
    assert get("gaussian_nll").link(A([0.0, 0.0])) == {"mean": 0, "var": 1}
    assert get("hinge").decide(A([-2.0, 0, 3])).tolist() == [-1, -1, 1]
    assert get("bce_with_logits").decide(A([-2.0, 0, 3])).tolist() == [0, 0, 1]
    assert get("cross_entropy").decide(A([[1.0, 2, 2], [3, 0, 0]])).tolist() == [1, 0]
    assert get("poisson_nll").link(A([math.log(3)])) == near([3])
    with pytest.raises(
        TypeError, match="expected a prediction with a link, got one of kind 'embedding'; read it as it is"
    ):
        get("triplet_margin").link(np.zeros((1, 3, 2)))
    assert get("huber").value_and_grad(A([3.0]), A([0.0])) == (2.5, near([1]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_mean_of_numbers_whose_sum_is_too_large_is_a_number_and_nothing_warns(dtype):
    huge = np.full(3, np.finfo(dtype).max / 2, dtype)
    target = np.zeros(3, dtype)
    value, slope = get("mae").value_and_grad(huge, target)
    assert value == pytest.approx(huge[0], rel=1e-14)
    assert slope.tolist() == pytest.approx([1 / 3] * 3)
    assert get("mae")(huge, target, reduction="sum").item() == np.inf
    assert get("mse")(huge, target).item() == np.inf
    assert get("mae")(huge, target, sample_weight=[10, 10, 10]).item() == np.inf
