"""The rules by which every loss is called, each over all registered losses to which it applies."""

import warnings

import numpy as np
import pytest

from minigrad import Tensor, losses
from minigrad.engine.errors import DomainError, DTypeError, GradientError, LabelError, ShapeError
from minigrad.losses import pick
from minigrad.ops import log_softmax, softmax_residual
from tests.losses.samples import ONE_LABEL, K, every, on_classes, sampled, uncoupled

pytestmark = pytest.mark.filterwarnings("error")
RNG = np.random.default_rng(1)


def close(a, b, tol=1e-12):
    return np.allclose(np.asarray(a), np.asarray(b), rtol=tol, atol=tol)


def named(loss):
    """A pattern of the names by which an error may call a loss: of a sum that is reduced part by part, those of parts."""
    return "|".join(each.name for each in (loss, *(part for _, part in loss.parts))).join(("(", ")"))


@pytest.mark.parametrize("name", every(lambda loss: loss.target not in ("none", "index")))
def test_a_target_that_alone_requires_gradients_is_refused(name):
    loss, pred, target = sampled(losses.get(name))
    if np.asarray(target).dtype.kind != "f":
        target = np.eye(K)[target]
    with pytest.raises(GradientError, match=r"takes \(pred, target\): exchange them, or use target.detach\(\)"):
        loss(pred, Tensor(target, requires_grad=True))


@pytest.mark.parametrize("name", every(lambda loss: loss.target != "none"))
def test_shapes_match_exactly_and_nothing_is_broadcast_or_squeezed(name):
    loss, pred, target = sampled(losses.get(name))
    for wrong in (target[:, None], target[:-1], target[:1]):
        with pytest.raises(ShapeError, match=named(loss)):
            loss(pred, wrong)
    with pytest.raises(ShapeError, match=named(loss)):
        loss(pred[:, None], target)


@pytest.mark.parametrize("name", every(uncoupled))
def test_each_reduction_is_its_formula_and_mean_is_the_default(name):
    loss, pred, target = sampled(losses.get(name))
    w = RNG.uniform(0.5, 2, len(pred))
    each = loss(pred, target, reduction="none").data
    assert each.shape == (len(pred),)
    assert close(loss(pred, target, reduction="none", sample_weight=w), w * each)
    assert close(loss(pred, target, reduction="sum", sample_weight=w), (w * each).sum())
    assert close(loss(pred, target, sample_weight=w), (w * each).sum() / len(w))
    assert close(loss(pred, target, reduction="weighted_mean", sample_weight=w), (w * each).sum() / w.sum())
    assert close(loss(pred, target), each.mean())


@pytest.mark.parametrize("name", every(lambda loss: uncoupled(loss) and loss.target not in ("none", "index")))
def test_the_batch_may_have_any_number_of_axes_and_event_axes_are_summed_first(name):
    loss, pred, target = sampled(losses.get(name))
    flat = loss(pred, target, reduction="none").data
    wide = loss(pred.reshape(2, 3, *pred.shape[1:]), target.reshape(2, 3, *target.shape[1:]), reduction="none").data
    assert wide.shape == (2, 3)
    assert close(wide.reshape(-1), flat)


@pytest.mark.parametrize("name", every())
def test_weights_and_masks_have_the_shape_of_rows_and_bad_ones_are_refused(name):
    loss, pred, target = sampled(losses.get(name))
    for weight, error in (
        (np.ones(3), ShapeError),
        (np.ones((6, 2)), ShapeError),
        (np.array([1, 1, -1, 1, 1, 1]), DomainError),
        (np.array([1, 1, np.nan, 1, 1, 1]), DomainError),
        (np.array(list("abcdef")), DTypeError),
    ):
        with pytest.raises(error, match="sample_weight"):
            loss(pred, target, sample_weight=weight)
    for mask, error in (
        (np.ones(5, bool), ShapeError),
        (np.ones(6), DTypeError),
        (np.ones(6, int), DTypeError),
    ):
        with pytest.raises(error, match=r"True = use"):
            loss(pred, target, mask=mask)


def takes_weights(loss):
    return uncoupled(loss) or loss.takes_weight


@pytest.mark.parametrize("name", every(takes_weights))
@pytest.mark.parametrize("reduction", ["sum", "weighted_mean"])
def test_weight_2_is_a_row_twice_and_weight_0_a_row_removed(name, reduction):
    loss, pred, target = sampled(losses.get(name))
    rows = np.array([0, 1, 1, 3, 4, 5])
    weight = np.array([1.0, 2.0, 0.0, 1.0, 1.0, 1.0])
    again = loss(pred[rows], None if target is None else target[rows], reduction=reduction)
    assert close(loss(pred, target, reduction=reduction, sample_weight=weight), again)


@pytest.mark.parametrize("name", every(uncoupled))
def test_a_row_of_weight_0_does_no_harm_even_where_its_loss_is_infinite(name):
    loss, pred, target = sampled(losses.get(name))
    weight = np.array([1.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    expected = loss.value_and_grad(pred, target, sample_weight=weight)
    if loss.pred not in ("prob", "log_probs"):
        pred = pred.copy()
        pred[2] = np.inf
    value, slope = loss.value_and_grad(pred, target, sample_weight=weight)
    assert close(value, expected[0])
    assert close(slope, expected[1])
    assert not slope[2].any()


@pytest.mark.parametrize("name", every(uncoupled))
def test_the_mean_of_a_batch_is_the_mean_of_the_means_of_equal_parts(name):
    loss, pred, target = sampled(losses.get(name))
    w = RNG.uniform(0.5, 2, len(pred))
    halves = [
        loss(pred[half], None if target is None else target[half], sample_weight=w[half]).item()
        for half in (slice(0, 3), slice(3, 6))
    ]
    assert close(loss(pred, target, sample_weight=w), np.mean(halves))


@pytest.mark.parametrize("name", every(on_classes))
def test_class_weight_multiplies_the_loss_of_a_sample_once_by_its_true_class(name):
    loss, pred, target = sampled(losses.get(name))
    two = loss.target in ONE_LABEL
    weights = np.array([0.5, 3.0] if two else [0.5, 3.0, 1.0, 2.0, 0.0])
    if two:
        upper = (target + 1) / 2 if loss.target == "sign" else target
        per_row = (1 - upper) * weights[0] + upper * weights[1]
        keys = [-1, 1] if loss.target == "sign" else [0, 1]
    else:
        per_row, keys = weights[target] if target.ndim == 1 else target @ weights, range(K)
    each = loss(pred, target, reduction="none").data
    assert close(loss(pred, target, reduction="none", class_weight=weights), each * per_row)
    by_name = dict(zip(keys, weights.tolist(), strict=True))
    assert close(loss(pred, target, class_weight=by_name), loss(pred, target, class_weight=weights))
    assert close(loss.with_(class_weight=by_name)(pred, target), loss(pred, target, class_weight=weights))


@pytest.mark.parametrize("name", every(lambda loss: loss.target == "index|simplex"))
def test_labels_equal_their_one_hot_rows_for_every_option(name):
    loss, pred, labels = sampled(losses.get(name))
    rows = np.eye(K)[labels]
    variants = [loss, loss.with_(label_smoothing=0.1)] if "label_smoothing" in loss.params else [loss]
    options = {
        "plain": {},
        "none": {"reduction": "none"},
        "weighted": {"class_weight": [1, 2, 4, 0.5, 3], "reduction": "weighted_mean"},
        "masked": {"mask": np.arange(6) % 2 == 0, "sample_weight": np.arange(6.0)},
    }
    for each in variants:
        for option in options.values():
            for one, other in zip(
                each.value_and_grad(pred, labels, **option), each.value_and_grad(pred, rows, **option), strict=True
            ):
                assert close(one, other)


@pytest.mark.parametrize("name", every(lambda loss: "label_smoothing" in loss.params))
def test_label_smoothing_mixes_the_label_with_the_uniform_one(name):
    loss, pred, target = sampled(losses.get(name))
    eps = 0.2
    if loss.target == "unit":
        mixed = (1 - eps) * target + eps / 2
    else:
        mixed = (1 - eps) * np.eye(K)[target] + eps / K
    assert close(loss.with_(label_smoothing=eps)(pred, target), loss(pred, mixed), 1e-11)


@pytest.mark.parametrize("name", every())
@pytest.mark.parametrize("poison", [np.nan, np.inf, -1e300])
def test_masked_entries_never_enter_arithmetic(name, poison):
    loss, pred, target = sampled(losses.get(name))
    mask = np.array([True, False, True, True, False, True])
    alone = loss.value_and_grad(pred[mask], None if target is None else target[mask])
    bad_pred = pred.copy()
    bad_pred[~mask] = poison
    bad_target = target
    if target is not None:
        bad_target = target.copy()
        bad_target[~mask] = poison if target.dtype.kind == "f" else -100
    options = [{}, {"sample_weight": np.where(mask, 1, poison)}] if takes_weights(loss) else [{}]
    for option in options:
        value, slope = loss.value_and_grad(bad_pred, bad_target, mask=mask, **option)
        assert close(value, alone[0])
        assert close(slope[mask], alone[1])
        assert not slope[~mask].any()


@pytest.mark.parametrize("name", every())
def test_where_nothing_is_selected_the_loss_is_0_connected_with_gradient_0(name):
    loss, pred, target = sampled(losses.get(name))
    empty = loss.value_and_grad(pred[:0], None if target is None else target[:0])
    assert (empty[0], empty[1].shape) == (0, pred[:0].shape)
    nothing = np.zeros(6, bool)
    if uncoupled(loss):
        each = loss(pred, target, reduction="none").shape
        assert loss(pred, target, mask=nothing, reduction="none").data.tolist() == np.zeros(each).tolist()
    for option in ({"mask": nothing}, {"mask": nothing, "reduction": "sum"}, {"sample_weight": np.zeros(6)}):
        if "sample_weight" in option and not takes_weights(loss):
            continue
        value, slope = loss.value_and_grad(pred, target, **option)
        assert value == 0
        assert not slope.any()


@pytest.mark.parametrize("name", every(lambda loss: loss.target.startswith("index") and loss.pred != "embedding"))
def test_labels_outside_the_classes_are_refused_with_place_and_cure(name):
    loss, pred, target = sampled(losses.get(name))
    for label, text in ((K, "use target - 1"), (-1, "mask=target != -1"), (-100, "mask=target != -100")):
        bad = target.copy()
        bad[4] = label
        with pytest.raises(LabelError, match=rf"expected labels 0 … {K - 1}, got {label} at row 4.*{text}"):
            loss(pred, bad)
    for wrong in (target.astype(float), target == 1):
        with pytest.raises(DTypeError, match=r"expected integer labels.*use target.astype\(int\)"):
            loss(pred, wrong)


@pytest.mark.parametrize(
    ("kind", "bad", "error"),
    [
        ("real", np.nan, DomainError), ("real", -np.inf, DomainError), ("positive", 0.0, DomainError),
        ("count", -1.0, DomainError), ("unit", 1.7, DomainError), ("unit", -1.0, DomainError),
        ("binary", 0.5, LabelError), ("sign", 0.0, LabelError), ("sign", 2.0, LabelError),
    ],
)  # fmt: skip
def test_values_outside_the_domain_of_the_target_are_refused_and_never_guessed(kind, bad, error):
    for name in every(lambda loss: loss.target == kind):
        loss, pred, target = sampled(losses.get(name))
        target = target.copy()
        target[3] = bad
        with pytest.raises(error, match=rf"{named(loss)}: expected .*, got {bad} at row 3.*; "):
            loss(pred, target)


@pytest.mark.parametrize("name", every(lambda loss: "simplex" in loss.target))
def test_soft_rows_are_nonnegative_and_sum_to_one(name):
    loss, pred, _ = sampled(losses.get(name))
    good = np.random.default_rng(0).dirichlet(np.ones(K), 6)
    for row in ([2, -1, 0.5, 0, 0], [0.3, 0.3, 0.3, 0, 0], [np.nan, 1, 0, 0, 0]):
        rows = good.copy()
        rows[2] = row
        with pytest.raises(DomainError, match=r"expected target rows ≥ 0 with sum 1, got .* at row 2"):
            loss(pred, rows)


@pytest.mark.parametrize("name", every(lambda loss: loss.target not in ("none", "simplex")))
def test_the_result_has_the_dtype_of_pred_whatever_that_of_the_target(name):
    loss, pred, target = sampled(losses.get(name), dtype=np.float32)
    kinds = ["int8", "uint16", "int64"] if target.dtype.kind in "iu" else ["float64", "float32", "int8"]
    for kind in kinds:
        cast = np.maximum(target, 0) if kind == "uint16" else target
        cast = np.round(cast) if kind == "int8" and target.dtype.kind == "f" else cast
        if loss.target == "positive" and kind == "int8":
            cast = cast + 1
        value, slope = loss.value_and_grad(pred, cast.astype(kind))
        assert (value.dtype, slope.dtype) == (np.float32, np.float32)
        if not (loss.coupled and loss.parts):
            assert loss(pred, cast.astype(kind), reduction="none").dtype == np.float32


@pytest.mark.parametrize("name", every())
def test_predictions_of_integers_are_refused(name):
    loss, pred, target = sampled(losses.get(name))
    for kind in (int, bool):
        exchanged = kind is int and loss.target in ("index", "index|simplex")
        before = (
            r"if these are the labels, exchange the two: minigrad takes \(pred, target\); else " if exchanged else ""
        )
        text = rf"expected floats as pred, got [^;]*; {before}use pred.astype\(np.float32\)"
        with pytest.raises(DTypeError, match=text):
            loss(np.ones(pred.shape, kind), target)


@pytest.mark.parametrize("name", every(lambda loss: loss.pred in ("logits", "logit")))
def test_a_softmax_or_sigmoid_before_scores_is_seen_through_views_and_warned_about(name):
    from minigrad import ops

    loss, pred, target = sampled(losses.get(name))
    squash = ops.softmax if loss.pred == "logits" else ops.sigmoid
    scores = Tensor(pred, requires_grad=True)
    with pytest.warns(UserWarning, match=f"takes scores, but pred comes from {squash.name}; remove that") as seen:
        loss(squash(scores).reshape(pred.shape[::-1]).reshape(pred.shape), target)
    assert seen[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss(1.0 * squash(scores), target)  # what comes after arithmetic may be meant


@pytest.mark.parametrize("name", every(lambda loss: loss.pred == "logits"))
def test_scores_of_minus_infinity_are_masked_classes_and_a_row_of_them_is_refused(name):
    loss, pred, target = sampled(losses.get(name))
    pred = pred.copy()
    pred[np.arange(6), (target + 1) % K] = -np.inf
    if loss.name not in ("normalised_ce", "symmetric_ce"):
        value, slope = loss.value_and_grad(pred, target)
        assert np.isfinite(value)
        assert np.isfinite(slope).all()
        assert not slope[np.arange(6), (target + 1) % K].any()
    pred[3] = -np.inf
    with pytest.raises(DomainError, match="got only -inf at row 3"):
        loss(pred, target)


@pytest.mark.parametrize("name", every())
def test_value_and_gradient_agree_and_a_call_gives_the_same(name):
    loss, pred, target = sampled(losses.get(name))
    value, slope = loss.value_and_grad(pred, target)
    t = Tensor(pred, requires_grad=True)
    called = loss(t, target)
    called.backward()
    assert called.item() == value
    assert np.array_equal(t.grad.data, slope)
    moved = RNG.standard_normal(pred.shape) * 1e-6
    if loss.pred in ("log_probs",):
        moved = -np.abs(moved)
    rise = (loss(pred + moved, target).item() - loss(pred - moved, target).item()) if loss.pred != "log_probs" else None
    if rise is not None:
        assert rise == pytest.approx(2 * float((slope * moved).sum()), rel=1e-4, abs=1e-10)


@pytest.mark.parametrize("name", every(lambda loss: loss.target != "none"))
def test_what_a_call_refuses_value_and_grad_refuses_too(name):
    loss, pred, target = sampled(losses.get(name))
    with pytest.raises(ShapeError):
        loss.value_and_grad(pred, target[:-1])
    with pytest.raises(DTypeError):
        loss.value_and_grad(np.ones(pred.shape, int), target)
    with pytest.raises(DTypeError):
        loss.decide(np.ones(pred.shape, int))


@pytest.mark.parametrize("name", every())
def test_a_text_of_the_loss_gives_the_loss_again(name):
    loss = losses.get(name)
    assert losses.get(str(loss)) == loss
    summed = losses.get(loss.full_name)
    assert losses.get(str(summed.with_(reduction="sum"))).options["reduction"] == "sum"


@pytest.mark.parametrize("name", every())
def test_a_call_changes_nothing_that_it_was_given(name):
    loss, pred, target = sampled(losses.get(name))
    before = pred.copy(), None if target is None else target.copy()
    mask = np.array([True, False, True, True, True, True])
    loss.value_and_grad(pred, target, mask=mask, sample_weight=np.ones(6) if takes_weights(loss) else None)
    assert np.array_equal(pred, before[0])
    assert pred.flags.writeable
    if target is not None:
        assert np.array_equal(target, before[1])
        assert target.flags.writeable


@pytest.mark.parametrize("name", every(uncoupled))
def test_the_order_of_the_samples_does_not_matter(name):
    loss, pred, target = sampled(losses.get(name))
    order = RNG.permutation(6)
    each = loss(pred, target, reduction="none").data
    assert close(loss(pred[order], None if target is None else target[order], reduction="none"), each[order])


@pytest.mark.parametrize("name", every(lambda loss: uncoupled(loss) and loss.grad is not None))
def test_a_large_batch_which_is_worked_on_in_blocks_gives_what_its_parts_give(name, monkeypatch):
    from minigrad.losses import evaluating

    loss, pred, target = sampled(losses.get(name), n=60)
    mask, weight = RNG.uniform(size=60) > 0.3, RNG.uniform(0, 2, 60)
    options = [{}, {"mask": mask}, {"sample_weight": weight, "reduction": "weighted_mean"}, {"reduction": "none"}]
    whole = [loss.value_and_grad(pred, target, **option) for option in options]
    monkeypatch.setattr(evaluating, "BLOCK", 16)
    for option, expected in zip(options, whole, strict=True):
        value, slope = loss.value_and_grad(pred, target, **option)
        assert close(value, expected[0])
        assert np.array_equal(slope, expected[1])


@pytest.mark.parametrize("name", every(lambda loss: uncoupled(loss) and loss.grad is not None))
def test_one_sample_without_a_batch_is_never_cut_into_blocks(name, monkeypatch):
    from minigrad.losses import evaluating

    loss, pred, target = sampled(losses.get(name), n=1)
    target = None if target is None else np.asarray(target)[0]
    expected = loss.value_and_grad(pred[0], target)
    monkeypatch.setattr(evaluating, "BLOCK", 1)
    value, slope = loss.value_and_grad(pred[0], target)
    assert value == expected[0]
    assert np.array_equal(slope, expected[1])


@pytest.mark.parametrize("name", every(lambda loss: uncoupled(loss) and loss.grad is not None))
def test_a_second_backward_through_a_kept_graph_gives_the_same_gradient_in_an_array_of_its_own(name):
    loss, pred, target = sampled(losses.get(name))
    start = Tensor(pred, requires_grad=True)
    value = loss(start, target)
    value.backward(retain_graph=True)
    first, start.grad = start.grad, None
    value.backward()
    assert np.array_equal(first.data, start.grad.data)
    assert not np.shares_memory(first.data, start.grad.data)


def test_what_value_and_slope_share_is_never_taken_for_that_of_another_array():
    @losses.loss(
        pred="logits", target="index",
        grad=lambda pred, target: 2 * softmax_residual(2 * pred, target) + 3 * softmax_residual(3 * pred, target),
    )  # fmt: skip
    def twice(pred, target):
        return -pick(log_softmax(2 * pred), target) - pick(log_softmax(3 * pred), target)

    pred, target = RNG.normal(size=(5, 3)), RNG.integers(0, 3, 5)
    value, slope = twice.value_and_grad(pred, target)
    start = Tensor(pred, requires_grad=True)
    other = twice(start, target, reduction="none").sum() / 5
    other.backward()
    assert close(value, other.data)
    assert close(slope, start.grad.data)


@pytest.mark.parametrize("rows", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", every(uncoupled))
def test_very_many_rows_of_float32_are_added_up_without_losing_digits(name, rows):
    loss, pred, target = sampled(losses.get(name), 9, dtype=np.float32)
    places = np.arange(rows) % 9
    pred, target = pred[places], None if target is None else target[places]
    values = loss(pred[:9], None if target is None else target[:9], reduction="none").data.astype(float)
    total = values @ np.bincount(places)
    weight = np.linspace(0.5, 1.5, 9)
    weighted = (weight * values) @ np.bincount(places), weight @ np.bincount(places)
    close = {"rel": 2e-6, "abs": 2e-6 * np.abs(values).max()}
    assert loss(pred, target, reduction="sum").item() == pytest.approx(total, rel=2e-6, abs=rows * close["abs"])
    assert loss(pred, target).item() == pytest.approx(total / rows, **close)
    found = loss(pred, target, reduction="weighted_mean", sample_weight=weight[places]).item()
    assert found == pytest.approx(weighted[0] / weighted[1], **close)


@pytest.mark.parametrize("name", every(uncoupled))
def test_a_prediction_that_is_nan_is_no_error_and_shows_in_the_value(name):
    loss, pred, target = sampled(losses.get(name))
    for bad in (np.nan, np.inf, -np.inf) if loss.pred == "real" else (np.nan,):
        spoilt = pred.copy()
        spoilt[2] = bad
        value, slope = loss.value_and_grad(spoilt, target, reduction="none")
        assert not np.isnan(bad) or np.isnan(value[2])
        kept = np.arange(6) != 2
        expected = loss.value_and_grad(pred, target, reduction="none")
        assert np.array_equal(value[kept], expected[0][kept])
        assert np.array_equal(slope[kept], expected[1][kept])


def test_where_only_classes_of_weight_0_are_there_the_loss_is_0_with_gradient_0():
    weighted = losses.get("cross_entropy", class_weight=[0, 1, 1])
    for reduction in ("weighted_mean", "mean", "sum"):
        value, slope = weighted.value_and_grad(RNG.normal(size=(4, 3)), np.zeros(4, int), reduction=reduction)
        assert value == 0
        assert not slope.any()


def test_a_target_that_requires_gradients_beside_the_prediction_gets_its_own_in_its_own_dtype():
    pred, target = Tensor(np.ones(3, np.float32), requires_grad=True), Tensor(np.zeros(3), requires_grad=True)
    losses.get("mse")(pred, target, reduction="sum").backward()
    assert (pred.grad.tolist(), pred.grad.dtype) == ([2, 2, 2], np.float32)
    assert (target.grad.tolist(), target.grad.dtype) == ([-2, -2, -2], np.float64)


def test_a_target_with_gradient_weighs_its_classes_but_has_no_gradient_through_the_weights():
    pred, target = RNG.normal(size=(2, 3)), np.array([[0.5, 0.25, 0.25], [0.2, 0.3, 0.5]])
    own = Tensor(target, requires_grad=True)
    value = losses.get("cross_entropy")(Tensor(pred, requires_grad=True), own, class_weight=[1, 2, 4], reduction="sum")
    value.backward()
    assert close(value.detach(), losses.get("cross_entropy")(pred, target, class_weight=[1, 2, 4], reduction="sum"))
    assert close(own.grad, -log_softmax(pred) * (target @ [1.0, 2, 4])[:, None])


def test_a_target_in_a_row_of_weight_0_does_no_harm_however_large():
    value, slope = losses.get("mse").value_and_grad(np.array([1.0, 2]), np.array([0, 1e300]), sample_weight=[1, 0])
    assert (value, slope.tolist()) == (0.5, [1, 0])


def test_a_mean_is_finite_where_the_sum_is_not_with_a_closed_form_and_without():
    @losses.loss
    def distance(pred, target):
        return abs(pred - target)

    start = Tensor([1.5e308, 1.5e308], requires_grad=True)
    for loss in (distance, losses.get("mae")):
        assert loss(start, np.zeros(2)).item() == 1.5e308


def test_a_parameter_with_a_number_for_each_row_is_not_cut_into_blocks(monkeypatch):
    from minigrad.losses import evaluating

    @losses.loss(grad=lambda pred, target, *, scale: scale * np.sign(pred - target))
    def scaled(pred, target, *, scale=1.0):
        return scale * abs(pred - target)

    monkeypatch.setattr(evaluating, "BLOCK", 2)
    value, slope = scaled.with_(scale=np.arange(8.0)).value_and_grad(np.ones(8), np.zeros(8), reduction="sum")
    assert (value, slope.tolist()) == (28, list(range(8)))


def test_weights_too_large_to_be_summed_escape_as_no_warning():
    value = losses.get("mse")(np.ones(2), np.zeros(2), sample_weight=[1e308, 1e308], reduction="weighted_mean")
    assert not np.isfinite(value.data)
