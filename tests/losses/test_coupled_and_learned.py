"""Losses that couple the batch, and parameters that are fitted or learned."""

import doctest
import sys

import numpy as np
import pytest

from minigrad import MLP, SGD, Tensor, fit, loss, losses
from minigrad.engine.errors import CheckpointError, DomainError, LabelError, ShapeError
from minigrad.losses import fitted
from minigrad.testing import batches
from minigrad.testing.exam import Exam

P, T = np.array([0.9, 0.6, 0.2, 0.4]), np.array([1.0, 1.0, 0.0, 0.0])
assert CheckpointError


@loss(pred="prob", target="unit", coupled=True)
def dice(pred, target, *, sample_weight=None, smooth=1.0):
    w = 1 if sample_weight is None else sample_weight
    hit = np.sum(w * pred * target, 0)
    wrong = np.sum(w * (pred * (1 - target) + (1 - pred) * target), 0)
    return wrong / (2 * hit + wrong + smooth)


@loss(coupled=True)
def spread(pred, target):
    """Per row: how far a residual is from the mean residual."""
    r = pred - target
    return (r - np.mean(r, 0)) ** 2


@loss(coupled=True)
def variance(pred, target):
    return np.var(pred - target, axis=0)


@loss(pred="prob", target="unit", coupled=True)
def variance_of_probabilities(pred, target):
    return np.var(pred - target, axis=0)


class TestALossThatCouplesTheBatch:
    def test_has_one_number_for_a_column_and_one_for_each_of_many(self):
        assert dice(P, T).item() == pytest.approx(0.215686, abs=1e-6)
        both = dice(np.stack([P, P[::-1]], 1), np.stack([T, T], 1), reduction="none")
        assert both.shape == (2,)
        assert both.data[0] == pytest.approx(0.215686, abs=1e-6)
        assert dice(np.stack([P, P[::-1]], 1), np.stack([T, T], 1)).item() == pytest.approx(both.data.mean())

    def test_gets_the_weights_if_it_asks_for_them(self):
        rows = [0, 1, 1, 2, 3]
        assert dice(P, T, sample_weight=[1, 2, 1, 1]).item() == pytest.approx(0.223881, abs=1e-6)
        assert dice(P[rows], T[rows]).item() == pytest.approx(0.223881, abs=1e-6)

    def test_has_its_values_per_row_weighted_outside(self):
        each = spread(P, T, reduction="none").data
        w = np.array([1.0, 2, 0, 3])
        assert spread(P, T, sample_weight=w).item() == pytest.approx((w * each).mean())
        assert spread(P, T, sample_weight=w, reduction="weighted_mean").item() == pytest.approx(
            (w * each).sum() / w.sum()
        )

    def test_may_return_a_number_for_a_batch_of_columns_too(self):
        @loss(coupled=True)
        def widest(pred, target):
            return np.max(np.abs(pred - target))

        value, slope = widest.value_and_grad(P[:, None], T[:, None])
        assert value == pytest.approx(0.4)
        assert np.count_nonzero(slope) == 2  # 0.6 against 1 and 0.4 against 0: a tie is split

    def test_refuses_weights_that_nobody_can_apply(self):
        text = "variance: couples the batch and declares no sample_weight; add sample_weight=None to its signature, or give no weights"
        with pytest.raises(TypeError, match=text):
            variance(P, T, sample_weight=[1, 2, 1, 1])

    def test_sees_the_selected_rows_only(self):
        mask = np.array([True, False, True, True])
        value, slope = dice.value_and_grad(P, T, mask=mask)
        alone, inner = dice.value_and_grad(P[mask], T[mask])
        assert value == alone
        assert slope[mask].tolist() == inner.tolist()
        assert slope[1] == 0

    def test_has_its_weights_masked_with_its_rows(self):
        mask, w = np.array([True, False, True, True]), np.array([1.0, 9, 2, 3])
        for each in (dice, spread):
            assert each(P, T, mask=mask, sample_weight=w).item() == each(P[mask], T[mask], sample_weight=w[mask]).item()

    def test_has_a_mask_of_rows(self):
        text = r"dice: expected a mask of rows \(4,\) \(True = use\), got \(4, 2\); it couples the batch"
        with pytest.raises(ShapeError, match=text):
            dice(np.stack([P, P], 1), np.stack([T, T], 1), mask=np.ones((4, 2), bool))

    def test_needs_a_batch_and_takes_no_class_weight(self):
        with pytest.raises(ShapeError, match=r"dice: expected a batch, \(n, ...\), got \(\)"):
            dice(np.float64(0.5), np.float64(1))
        with pytest.raises(TypeError, match="dice: expected no class_weight, it couples the batch; use sample_weight"):
            dice(P, T, class_weight=[1, 2])

    def test_is_reduced_by_itself_in_a_sum(self):
        total = 0.5 * dice + 0.5 * losses.get("bce")
        expected = 0.5 * dice(P, T).item() + 0.5 * losses.get("bce")(P, T).item()
        assert total(P, T).item() == pytest.approx(expected)
        assert total.coupled
        w = np.array([1.0, 2, 1, 1])
        assert total(P, T, sample_weight=w).item() == pytest.approx(
            0.5 * dice(P, T, sample_weight=w).item() + 0.5 * losses.get("bce")(P, T, sample_weight=w).item()
        )
        with pytest.raises(
            ValueError,
            match="expected reduction 'mean', 'weighted_mean' or 'sum', got 'none'; its values have unlike",
        ):
            total(P, T, reduction="none")
        assert str(total.named("dice_bce")) == "dice_bce"

    def test_has_a_docstring_of_its_own_in_a_sum_with_a_name(self):
        total = (0.5 * dice + 0.5 * losses.get("bce")).named("dice_bce", "Both.\n\n    >>> 1 + 1\n    2\n")
        assert "Both." in total.describe()
        assert total.with_(reduction="sum").fresh().__doc__ == total.__doc__
        assert [test.name for test in doctest.DocTestFinder().find(total, "both", sys.modules[__name__])] == ["both"]
        assert total.__module__ == __name__  # doctest looks at what its module has written, not at what it imports

    def test_hands_weights_on_in_a_sum_unless_nobody_can_apply_them(self):
        said = lambda loss: batches.weights(Exam.of(loss, 0)).text  # noqa: E731
        assert said(0.5 * dice + 0.5 * losses.get("bce")) == "2 is a row twice, 0 and a mask a row removed"
        assert said(dice + variance_of_probabilities) == "a mask is rows removed; it declares no weights"

    def test_is_told_to_take_a_sigmoid_where_scores_came(self):
        text = r'dice: expected probabilities in \[0, 1\], got 2.3 at row 0; MLP\(…, output="sigmoid"\) gives them'
        with pytest.raises(DomainError, match=text):
            dice([2.3, 0.1], [1, 0])

    def test_trains(self):
        X = np.random.default_rng(0).standard_normal((60, 2))
        y = (X[:, 0] > 0).astype(float)
        history = fit(MLP(2, 8, 1, output="sigmoid", rng=0), (X, y), loss=dice, lr=0.05, epochs=20, batch_size=30)
        assert history.rows[-1].loss < 0.5 * history.rows[0].loss


@loss(pred="logits", target="index")
def balanced(pred, target, *, counts=fitted(lambda target: np.bincount(target))):
    from minigrad import ops
    from minigrad.losses import pick

    return (counts.mean() / counts)[target] * -pick(ops.log_softmax(pred), target)


@loss
def scaled(pred, target, *, log_scale=0.0):
    return np.log(np.cosh((pred - target) * np.exp(-log_scale))) + log_scale


class TestAParameter:
    X = np.random.default_rng(0).standard_normal((40, 2))
    y = (X[:, 0] > 0.8).astype(int)

    def test_that_is_not_fitted_says_who_would(self):
        text = r"balanced: expected counts, got none; fit reads them from the training targets, here say balanced\(counts=np.bincount\(target\)\)"
        with pytest.raises(ValueError, match=text):
            balanced(np.zeros((2, 2)), np.array([0, 1]))

    def test_that_is_fitted_is_so_once_from_the_training_part_alone(self):
        seen = []

        @loss(pred="logits", target="index")
        def counting(pred, target, *, counts=fitted(lambda t: seen.append(len(t)) or np.bincount(t))):
            return -np.sum(pred, -1) * 0

        history = fit(MLP(2, 4, 2, rng=0), (self.X, self.y), loss=counting, epochs=2, validation=0.25)
        assert seen[-1] == 30
        assert history.loss.given["counts"].sum() == 30
        assert "counts" not in counting.given
        fit(MLP(2, 4, 2, rng=0), (self.X, self.y), loss=counting, epochs=2)
        assert seen[-2:] == [30, 40]

    @pytest.mark.parametrize("label", [10**9, -1, 2])
    def test_that_is_fitted_never_sees_targets_that_the_loss_cannot_read(self, label):
        seen = []

        @loss(pred="logits", target="index")
        def counting(pred, target, *, counts=fitted(lambda t: seen.append(t) or np.bincount(t))):
            return -np.sum(pred, -1) * 0

        y = self.y.copy()
        y[7] = label
        with pytest.raises(LabelError, match=rf"expected labels 0 … 1, got {label} at row 7"):
            fit(MLP(2, 4, 2, rng=0), (self.X, y), loss=counting)
        with pytest.raises(ShapeError, match=r"expected one label per row, \(40,\), got \(40, 1\)"):
            fit(MLP(2, 4, 2, rng=0), (self.X, self.y[:, None]), loss=counting)
        assert seen == []

    def test_that_is_learned_moves_in_a_copy_of_the_loss(self):
        start = Tensor(0.0, requires_grad=True)
        given = scaled.with_(log_scale=start)
        target = 3 * np.random.default_rng(1).standard_normal(40)
        history = fit(MLP(2, 1, rng=0), (self.X, target), loss=given, lr=0.05, epochs=20)
        assert history.loss.learned["log_scale"].item() > 0.3
        assert start.item() == 0
        assert "log_scale" in history.gradient_norm

    def test_that_is_learned_reaches_an_optimizer_that_was_given(self):
        model = MLP(2, 1, rng=0)
        optimizer = SGD(model.parameters(), lr=0.01)
        given = scaled.with_(log_scale=Tensor(0.0, requires_grad=True))
        history = fit(model, (self.X, self.X[:, 0] * 5), loss=given, optimizer=optimizer, epochs=3)
        assert history.loss.learned["log_scale"].item() != 0

    def test_inside_a_sum_is_fitted_and_learned_too(self):
        given = 0.5 * scaled.with_(log_scale=Tensor(0.0, requires_grad=True)) + 0.5 * losses.get("mae")
        history = fit(MLP(2, 1, rng=0), (self.X, self.X[:, 0] * 5), loss=given, epochs=3)
        assert list(history.loss.learned) == ["0.log_scale"]
        assert history.loss.learned["0.log_scale"].item() != 0
        summed = (0.5 * balanced + 0.5 * losses.get("cross_entropy")).fitted_to(np.array([0, 0, 1]))
        assert summed(np.zeros((1, 2)), np.array([1])).item() == pytest.approx(np.log(2) * (0.5 * 1.5 + 0.5))

    def test_that_is_a_constant_tensor_is_a_number(self):
        two = scaled.with_(log_scale=Tensor(0.5))
        assert two(np.ones(3), np.zeros(3)).item() == scaled(np.ones(3), np.zeros(3), log_scale=0.5).item()

    def test_that_is_an_array_cannot_be_changed_from_outside(self):
        w = np.array([1.0, 2.0])
        weighted = losses.get("bce_with_logits", pos_weight=w)
        w[:] = 99
        assert weighted.values["pos_weight"].tolist() == [1, 2]
