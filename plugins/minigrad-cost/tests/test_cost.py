"""The pack `cost`: formulas written a second time, and what the losses elicit."""

import math
from dataclasses import replace

import minigrad_cost as cost
import numpy as np
import pytest

from minigrad import MLP, fit, gradcheck, losses
from minigrad.errors import DomainError, DTypeError, LabelError

mp = pytest.importorskip("mpmath")

G = np.random.default_rng(0)
TAILS = {
    np.float64: [0, 5e-324, 1e-8, 0.5, 1, 20, 40, 700, 745, 800, 1e4, 1e8, 1e308],
    np.float32: [0, 1e-45, 1e-8, 0.5, 1, 17, 20, 87, 103, 110, 1e4, 1e30, 3e38],
}
DTYPES = [(np.float64, 1e-14), (np.float32, 1e-6)]


def softplus(x):
    return (x if x > 0 else 0) + mp.log1p(mp.exp(-abs(x)))


def sigma(x):
    return 1 / (1 + mp.exp(-x)) if x >= 0 else mp.exp(x) / (1 + mp.exp(x))


def wrong_by(got, right, dtype, beside=0):
    """The error relative to the exact value, or to the larger of two terms that cancel."""
    info = np.finfo(dtype)
    if abs(right) > float(info.max):
        return 0 if np.isinf(got) else math.inf
    if abs(right) < float(info.tiny):
        return 0 if abs(got) <= 2 * float(info.tiny) else math.inf
    return float(abs(mp.mpf(float(got)) - right) / max(abs(right), beside)) if np.isfinite(got) else math.inf


def two_classes(dtype):
    sizes = np.array(TAILS[dtype], dtype)
    chances = np.array([0, 1e-30, 0.2, 0.5, 1 - 2**-20, 1], dtype)
    return [axis.ravel() for axis in np.meshgrid(np.concatenate([sizes, -sizes]), chances)]


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize(("fn", "fp"), [(1, 1), (10, 1), (0.5, 3)])
class TestTwoClasses:
    def test_cost_weighted_bce_is_its_formula_also_in_the_tails(self, fn, fp, dtype, tolerance):
        pred, target = two_classes(dtype)
        value, slope = cost.cost_weighted_bce.value_and_grad(pred, target, reduction="none", cost_fn=fn, cost_fp=fp)
        assert value.dtype == slope.dtype == dtype
        with mp.workdps(40):
            for z, y, v, s in zip(map(mp.mpf, pred.tolist()), map(mp.mpf, target.tolist()), value, slope, strict=True):
                up, down = fp * (1 - y) * sigma(z), fn * y * sigma(-z)
                assert wrong_by(v, fn * y * softplus(-z) + fp * (1 - y) * softplus(z), dtype) <= tolerance
                assert wrong_by(s, up - down, dtype, max(up, down)) <= tolerance

    def test_expected_cost_is_its_formula_also_in_the_tails(self, fn, fp, dtype, tolerance):
        pred, target = two_classes(dtype)
        value, slope = cost.expected_cost.value_and_grad(pred, target, reduction="none", cost_fn=fn, cost_fp=fp)
        assert value.dtype == slope.dtype == dtype
        with mp.workdps(40):
            for z, y, v, s in zip(map(mp.mpf, pred.tolist()), map(mp.mpf, target.tolist()), value, slope, strict=True):
                p, q = sigma(z), sigma(-z)
                assert wrong_by(v, fn * y * q + fp * (1 - y) * p, dtype) <= tolerance
                assert (
                    wrong_by(s, p * q * (fp * (1 - y) - fn * y), dtype, p * q * max(fp * (1 - y), fn * y)) <= tolerance
                )


def many_classes(dtype):
    """Rows of 4 scores, from alike to as far apart as floats allow, and every label for each."""
    far = [0, 1e-8, 0.5, 20, 40, 300, 1e4, 1e30, float(np.finfo(dtype).max) / 4]
    rows = np.array([[x, 0, -x / 2, -x] for x in far] + [[x, x, x, 0] for x in far], dtype)
    return np.repeat(rows, 4, axis=0), np.tile(np.arange(4), len(rows))


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
class TestManyClasses:
    n, beta, tau = (500, 20, 5, 1), 0.99, 1.5

    def right(self, row, label, weights, shifts):
        z = [mp.mpf(float(x)) - float(max(row)) + shift for x, shift in zip(row, shifts, strict=True)]
        top = max(z)
        powers = [mp.exp(x - top) for x in z]
        total = mp.fsum(powers)
        slope = [weights[label] * p / total for p in powers]
        slope[label] = -weights[label] * mp.fsum(p for k, p in enumerate(powers) if k != label) / total
        rest = mp.fsum(p for k, p in enumerate(powers) if k != z.index(top))
        return weights[label] * (top - z[label] + mp.log1p(rest)), slope

    def compare(self, loss, weights, shifts, dtype, tolerance):
        pred, target = many_classes(dtype)
        value, slope = loss.value_and_grad(pred, target, reduction="none")
        assert value.dtype == slope.dtype == dtype
        for row, label, v, s in zip(pred, target, value, slope, strict=True):
            right = self.right(row, label, weights, shifts)
            gap = 1 + 4 * min(float(np.ptp(row)), 700) * np.finfo(dtype).eps / tolerance if any(shifts) else 1
            assert wrong_by(v, right[0], dtype) <= tolerance * gap, (row, label, v)
            for got, exact in zip(s, right[1], strict=True):
                assert wrong_by(got, exact, dtype) <= tolerance * gap, (row, label, got)

    def test_class_balanced_is_its_formula_also_in_the_tails(self, dtype, tolerance):
        with mp.workdps(60):
            w = [(1 - mp.mpf(self.beta)) / (1 - mp.mpf(self.beta) ** n) for n in self.n]
            w = [x * len(w) / mp.fsum(w) for x in w]
            loss = cost.class_balanced.with_(class_counts=self.n, beta=self.beta)
            self.compare(loss, w, [0] * 4, dtype, tolerance)

    def test_logit_adjusted_is_its_formula_also_in_the_tails(self, dtype, tolerance):
        with mp.workdps(60):
            shifts = [self.tau * mp.log(mp.mpf(n) / sum(self.n)) for n in self.n]
            loss = cost.logit_adjusted.with_(class_counts=self.n, tau=self.tau)
            self.compare(loss, [1] * 4, shifts, dtype, tolerance)


@pytest.mark.parametrize("name", ["cost_weighted_bce", "expected_cost", "class_balanced", "logit_adjusted"])
def test_autograd_agrees_with_the_closed_form_and_with_differences(name):
    closed = getattr(cost, name)
    if closed.pred == "logit":
        z, y = 3 * G.standard_normal(8), G.uniform(size=8)
        closed = closed.with_(cost_fn=10.0, cost_fp=0.5)
    else:
        z, y = 3 * G.standard_normal((8, 3)), np.arange(8) % 3
        closed = closed.with_(class_counts=[40, 10, 2])
    by_hand = closed.value_and_grad(z, y, reduction="none")[1]
    assert replace(closed, grad=None).value_and_grad(z, y, reduction="none")[1] == pytest.approx(by_hand, rel=1e-12)
    assert gradcheck(lambda p: closed(p, y), z, order=2)


def test_prices_move_the_probability_that_is_elicited():
    p, z = 0.2, math.log(0.7142857142857143 / 0.2857142857142857)
    mixed = cost.cost_weighted_bce.value_and_grad([z], [p], cost_fn=10, cost_fp=1)[1]
    assert mixed == pytest.approx([0], abs=1e-12)
    assert 10 * p / (10 * p + 1 - p) == pytest.approx(float(sigma(z))) == pytest.approx(0.7143, abs=1e-4)


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


def test_expected_cost_gives_up_a_sample_that_is_lost():
    slope = cost.expected_cost.value_and_grad([-1.0, -10.0], [1.0, 1.0], cost_fn=10, reduction="none")[1]
    assert abs(slope[1]) < abs(slope[0]) / 400
    value = cost.expected_cost(
        np.linspace(-800, 800, 1601), np.ones(1601), cost_fn=10, cost_fp=3, reduction="none"
    ).data
    assert (value.min() >= 0) & (value.max() == 10)


def test_a_missed_positive_that_costs_more_is_missed_less():
    X = G.standard_normal((400, 2))
    y = (X[:, 0] + G.standard_normal(400) > 0.8).astype(float)

    def missed(loss):
        model = MLP(2, 1, rng=0)
        fit(model, (X, y), loss=loss, lr=0.05, epochs=20)
        return ((model(X.astype(np.float32)).data[:, 0] < 0) & (y == 1)).sum()

    assert missed(cost.cost_weighted_bce.with_(cost_fn=10)) < missed("bce_with_logits") / 3


@pytest.mark.parametrize(("counts", "got"), [([1, 2, 3], "3"), ([[1, 2]], r"an array \(1, 2\)"), (4, r"an array \(\)")])
def test_counts_that_are_not_one_for_each_output_are_refused(counts, got):
    text = f"class_counts: expected 2 of them, one for each class and output, got {got}"
    with pytest.raises(DomainError, match=text):
        cost.logit_adjusted(np.zeros((1, 2)), [0], class_counts=counts)


@pytest.mark.parametrize(
    ("target", "error", "text"),
    [
        (np.array([0.0, 1.0]), DTypeError, "class_counts: expected integer labels, got float64; use target.astype"),
        (np.array([0, -1]), LabelError, "class_counts: expected labels 0 … K−1, got -1 at row 1; drop such rows"),
        (
            np.array([0, 1, 2**40]),
            LabelError,
            "class_counts: expected labels 0 … K−1, got 1099511627776 at row 2; drop",
        ),
    ],
)
def test_what_cannot_be_counted_is_said(target, error, text):
    with pytest.raises(error, match=text):
        cost.counts(target)
