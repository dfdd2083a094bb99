"""The pack `overlap`: formulas written a second time in many digits, what they are at the ends, and what they do."""

import math
import pickle
import re
from pathlib import Path

import minigrad_overlap as overlap
import numpy as np
import pytest

from minigrad import MLP, fit, gradcheck, losses, metrics
from minigrad.errors import DomainError

mp = pytest.importorskip("mpmath")

G = np.random.default_rng(0)
P, T, W = G.uniform(size=(9, 3)), np.arange(27).reshape(9, 3) % 2 * 1.0, G.uniform(0.5, 2, (9, 1))
AT = [
    *(("dice", {"smooth": s}) for s in (1.0, 1e-30, 1e12)),
    *(("jaccard", {"smooth": s}) for s in (1.0, 1e-30, 1e12)),
    ("tversky", {}), ("tversky", {"alpha": 0.3, "beta": 0.7}), ("tversky", {"alpha": 1e8, "beta": 0.0, "smooth": 1e-9}),
]  # fmt: skip
ENDS = [0, 5e-324, 1e-300, 1e-45, 1e-20, 1e-8, 0.3, 0.5, 0.7, 1 - 2**-24, 1 - 2**-53, 1]


def exact(name, given, pred, target, weight):
    """Value and slopes of one column, by the table of formulas."""
    p, t, w = ([mp.mpf(float(v)) for v in column] for column in (pred, target, weight))
    tp, fp, fn = (mp.fsum(c) for c in zip(*((w * p * t, w * p * (1 - t), w * (1 - p) * t) for p, t, w in zip(p, t, w))))
    s = mp.mpf(given.get("smooth", 1.0))
    if name == "tversky":
        a, b = mp.mpf(given.get("alpha", 0.5)), mp.mpf(given.get("beta", 0.5))
        whole, g = tp + a * fp + b * fn + s, [a * (1 - t) - b * t for t in t]
        value = (a * fp + b * fn) / whole
        return value, [w * (g - value * (t + g)) / whole for w, t, g in zip(w, t, g)]
    of_own = 0 if name == "jaccard" else 1  # what a sample of the set adds to D as its probability grows
    whole = (1 + of_own) * tp + fp + fn + s
    value = (fp + fn) / whole
    return value, [w * (1 - 2 * t - value * (1 - t + of_own * t)) / whole for w, t in zip(w, t)]


def wrong_by(got, right, dtype, beside=0):
    """The error relative to the exact value, or to the larger of two terms that cancel."""
    info = np.finfo(dtype)
    if abs(right) > float(info.max):
        return 0 if np.isinf(got) else math.inf
    if abs(right) < float(info.tiny):
        return 0 if abs(got) <= 2 * float(info.tiny) else math.inf
    return float(abs(mp.mpf(float(got)) - right) / max(abs(right), beside)) if np.isfinite(got) else math.inf


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-14), (np.float32, 1e-6)])
@pytest.mark.parametrize("weight", [1.0, 1e-30, 1e30], ids=lambda w: f"weight {w:g}")
@pytest.mark.parametrize(("name", "given"), AT, ids=str)
def test_every_loss_is_its_formula_in_value_and_slope_up_to_the_ends(name, given, weight, dtype, tolerance):
    p = np.array(ENDS, dtype)
    full = [np.repeat(p, 3), np.tile(np.array([0, 0.25, 1], dtype), len(p))]
    for pred, target in (full, (p, np.ones_like(p)), (p[:5], np.zeros_like(p[:5])), (p[-3:], np.ones_like(p[-3:]))):
        weights = np.full_like(pred, weight)
        value, slope = getattr(overlap, name).value_and_grad(pred, target, sample_weight=weights, **given)
        assert value.dtype == slope.dtype == dtype
        with mp.workdps(700):
            right, slopes = exact(name, given, pred, target, weights)
            assert wrong_by(value, right, dtype) <= tolerance, (pred, target)
            largest = max(map(abs, slopes))
            for t, got, slope_ in zip(target, slope, slopes, strict=True):
                assert wrong_by(got, slope_, dtype, largest if 0 < t < 1 else 0) <= tolerance, (pred, target)


@pytest.mark.parametrize("loss", overlap.minigrad_losses(), ids=str)
def test_second_derivatives_agree_with_differences(loss):
    assert gradcheck(lambda p: loss(p, T[:4], sample_weight=W[:4, 0]), 0.1 + 0.8 * P[:4], order=2)


def test_a_million_samples_are_counted_one_by_one_also_in_float32():
    rare = np.arange(2**20) % 1000 == 0
    pred, target = np.where(rare, 0.9, 0.1).astype(np.float32), rare.astype(np.float32)
    columns = np.stack([pred, pred], 1), np.stack([target, target], 1)
    fn, tp = 1 - float(np.float32(0.9)), float(np.float32(0.9))
    wrong = rare.sum() * fn + (~rare).sum() * float(np.float32(0.1))
    for loss, right in ((overlap.dice, 2 * rare.sum() * tp + 1), (overlap.jaccard, rare.sum() * tp + 1)):
        assert loss(*columns, reduction="none").data == pytest.approx([wrong / (wrong + right)] * 2, rel=1e-7)


# --- relatives --------------------------------------------------------------------------------------------------------
def each(loss, **given):
    return loss(P, T, sample_weight=W[:, 0], reduction="none", **given).data


def test_tversky_is_dice_and_jaccard_at_costs_of_a_half_and_of_one():
    assert each(overlap.tversky, smooth=0.7) == pytest.approx(each(overlap.dice, smooth=1.4), rel=1e-14)
    assert each(overlap.tversky, alpha=1, beta=1, smooth=0.7) == pytest.approx(
        each(overlap.jaccard, smooth=0.7), rel=1e-14
    )
    d = each(overlap.dice, smooth=1.4)
    assert each(overlap.jaccard, smooth=0.7) == pytest.approx(2 * d / (1 + d), rel=1e-14)


def test_decisions_have_the_losses_1_minus_f1_and_1_minus_iou():
    said, true = (G.uniform(size=50) < 0.5).astype(float), (G.uniform(size=50) < 0.3).astype(float)
    assert overlap.dice(said, true, smooth=1e-12).item() == pytest.approx(1 - metrics.f1(said, true), rel=1e-12)
    iou = (said * true).sum() / np.maximum(said, true).sum()
    assert overlap.jaccard(said, true, smooth=1e-12).item() == pytest.approx(1 - iou, rel=1e-12)


def test_dice_bce_reduces_each_part_by_itself_and_is_known_by_name():
    bce = losses.get("bce")
    for given in ({}, {"sample_weight": W[:, 0]}, {"sample_weight": W[:, 0], "reduction": "weighted_mean"}):
        parts = 0.5 * overlap.dice(P, T, **given).item() + 0.5 * bce(P, T, **given).item()
        assert overlap.dice_bce(P, T, **given).item() == pytest.approx(parts, rel=1e-14)
    with pytest.raises(ValueError, match="got 'none'; its values have unlike shapes"):
        overlap.dice_bce(P, T, reduction="none")
    with losses.isolated():
        losses.register(overlap.dice_bce)
        found = losses.get("dice_bce")
        assert found(P, T).item() == overlap.dice_bce(P, T).item() == pickle.loads(pickle.dumps(found))(P, T).item()


# --- batches ----------------------------------------------------------------------------------------------------------
def test_a_column_is_a_set_of_its_own():
    together = overlap.jaccard(P, T, reduction="none").data
    assert together.tolist() == [overlap.jaccard(P[:, i], T[:, i]).item() for i in range(3)]
    assert overlap.jaccard(P, T).item() == pytest.approx(together.mean(), rel=1e-14)


def test_weights_count_inside_and_a_mask_selects_rows():
    times = np.array([2, 0, 1, 3, 1, 1, 0, 2, 1])
    rows = np.repeat(np.arange(9), times)
    for loss in overlap.minigrad_losses()[:3]:
        assert loss(P, T, sample_weight=times).item() == pytest.approx(loss(P[rows], T[rows]).item(), rel=1e-14)
        assert loss(P, T, mask=times > 0).item() == loss(P[times > 0], T[times > 0]).item()


def test_what_is_rightly_left_unmarked_does_not_count():
    easy = np.concatenate([P[:, 0], np.zeros(10_000)]), np.concatenate([T[:, 0], np.zeros(10_000)])
    for loss in overlap.minigrad_losses()[:3]:
        assert loss(*easy).item() == pytest.approx(loss(P[:, 0], T[:, 0]).item(), rel=1e-12)


def test_an_empty_set_costs_nothing_unless_something_is_marked():
    nothing = np.zeros(8)
    for loss in overlap.minigrad_losses()[:3]:
        assert loss(nothing, nothing).item() == 0
        assert loss(nothing + 0.5, nothing, smooth=1e-6).item() == pytest.approx(1, abs=1e-6)
        assert loss(nothing + 0.5, nothing, smooth=1e6).item() < 1e-5


def test_a_rare_set_is_found_that_bce_leaves_unmarked():
    g = np.random.default_rng(0)
    X = g.standard_normal((1000, 2))
    y = ((X[:, 0] > 1) & (g.uniform(size=1000) < 0.3)).astype(float)  # nowhere more likely than not

    def found(loss):
        model = MLP(2, 8, 1, output="sigmoid", rng=0)
        fit(model, (X, y), loss=loss, lr=0.02, epochs=15, batch_size=250)
        return metrics.f1((model(X.astype(np.float32)).data[:, 0] > 0.5).astype(float), y)

    assert found("bce") < 0.1 < 0.3 < min(map(found, overlap.minigrad_losses()))


# --- what is refused, what is said ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "given", "text"),
    [
        (
            "dice",
            {"smooth": 0},
            "dice: expected smooth > 0, got 0.0; smooth is samples that are taken for right beforehand",
        ),
        (
            "tversky",
            {"alpha": -1},
            "tversky: expected alpha ≥ 0, got -1.0; alpha is what a sample that is marked and should",
        ),
        ("tversky", {"beta": -1}, "tversky: expected beta ≥ 0, got -1.0; beta is what a sample that is missed costs"),
    ],
)
def test_a_parameter_without_meaning_is_refused(name, given, text):
    with pytest.raises(DomainError, match=text):
        getattr(overlap, name).with_(**given)


def test_the_pulls_in_the_readme_are_those_of_the_losses():
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|" + r" ([\d.]+) \|" * 4, text, re.MULTILINE)
    assert [row[0] for row in rows] == ["bce", "dice", "jaccard"]
    target = (np.arange(100) < 10) * 1.0
    for name, *pulls in rows:
        loss = getattr(overlap, name) if hasattr(overlap, name) else losses.get(name)
        slopes = [loss.value_and_grad(np.full(100, p), target)[1][[0, -1]] for p in (0.1, 0.5)]
        assert np.abs(np.concatenate(slopes)) == pytest.approx([float(pull) for pull in pulls], rel=3e-3)
