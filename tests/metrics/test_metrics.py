"""Metrics: by hand, against scikit-learn where it is installed, at their edges, and what they refuse."""

import math
import re

import numpy as np
import pytest

from minigrad import metrics
from minigrad.engine.errors import DomainError, DTypeError, LabelError, ShapeError

RNG = np.random.default_rng


def sklearn():
    return pytest.importorskip("sklearn.metrics")


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


# --- by hand ----------------------------------------------------------------------------------------------------------
BY_HAND = [
    ("accuracy", [1, 0, 2, 1], [1, 0, 0, 1], 0.75),
    ("balanced_accuracy", [0, 0, 0, 1, 1], [0, 0, 0, 0, 1], (3 / 4 + 1) / 2),
    ("balanced_accuracy", [0, 2, 1], [0, 1, 1], (1 + 1 / 2) / 2),
    ("precision", [1, 1, 1, 0], [1, 0, 0, 1], 1 / 3),
    ("recall", [1, 1, 1, 0], [1, 0, 0, 1], 1 / 2),
    ("f1", [1, 1, 1, 0], [1, 0, 0, 1], 2 / 5),
    ("f1", [1, 1, 1, -1], [1, -1, -1, 1], 2 / 5),
    ("precision_macro", [0, 1, 2, 2], [0, 1, 1, 2], (1 + 1 + 1 / 2) / 3),
    ("recall_macro", [0, 1, 2, 2], [0, 1, 1, 2], (1 + 1 / 2 + 1) / 3),
    ("f1_micro", [0, 1, 2, 2], [0, 1, 1, 2], 3 / 4),
    ("expected_cost", [0, 0, 1, 1], [1, 0, 0, 1], 2 / 4),
    ("log_loss", [0.5, 0.25], [1, 0], (math.log(2) + math.log(4 / 3)) / 2),
    ("log_loss", [[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]], [2, 0], (math.log(2) + math.log(5 / 3)) / 2),
    ("brier", [0.5, 0.25], [1, 0], (0.25 + 0.0625) / 2),
    ("brier", [[0.2, 0.3, 0.5]], [2], 0.04 + 0.09 + 0.25),
    ("brier", [[0.75, 0.25]], [0], 0.0625),
    ("calibration_error", [0.05, 0.05, 0.95, 0.95], [0, 1, 1, 1], (0.45 + 0.05) / 2),
    ("roc_auc", [0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75),
    ("roc_auc", [3, 3, 3], [0, 1, 1], 0.5),
    ("mae", [1.0, 2.0], [2.0, 4.0], 1.5),
    ("rmse", [1.0, 2.0], [2.0, 4.0], math.sqrt(2.5)),
    ("r2", [1.0, 2.0, 3.0], [1.0, 2.0, 4.0], 1 - 1 / (14 / 3)),
    ("r2", [2.0, 2.0], [2.0, 2.0], 1.0),
    ("r2", [2.0, 3.0], [2.0, 2.0], 0.0),
    ("coverage_gap", [1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 1.0], 0.25),
]


@pytest.mark.parametrize(("name", "pred", "target", "value"), BY_HAND)
def test_a_metric_is_what_one_counts_by_hand(name, pred, target, value):
    found = metrics.get(name)(pred, target)
    assert type(found) is float
    assert found == pytest.approx(value, rel=1e-14)


def test_expected_cost_weighs_the_two_mistakes():
    assert metrics.expected_cost([0, 0, 1, 1], [1, 1, 0, 1], cost_fn=10, cost_fp=0.5) == pytest.approx(20.5 / 4)
    five = metrics.expected_cost.with_(cost_fn=5)
    assert (five.name, five([0], [1])) == ("expected_cost(cost_fn=5)", 5.0)
    assert five.with_(cost_fp=2).name == "expected_cost(cost_fn=5, cost_fp=2)"
    assert metrics.expected_cost([0], [1]) == 1.0


def test_a_quantile_covers_its_share():
    y = RNG(0).standard_normal(20_001)
    q90 = np.full(len(y), np.quantile(y, 0.9))
    assert metrics.coverage(q90, y) == pytest.approx(0.9, abs=1e-4)
    assert metrics.coverage_gap(q90, y, quantile=0.9) < 1e-4
    assert metrics.coverage_gap.with_(quantile=0.5)(q90, y) == pytest.approx(0.4, abs=1e-4)


def test_a_confusion_matrix_has_a_row_for_each_true_class():
    assert metrics.confusion_matrix([0, 2, 2, 1], [0, 1, 2, 1], classes=4).tolist() == [
        [1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]
    ]  # fmt: skip


# --- scikit-learn -----------------------------------------------------------------------------------------------------
SEEDS = range(8)


def labels(seed, classes, shift=0):
    rng = RNG(seed)
    n = int(rng.integers(1, 60))
    target = rng.integers(0, classes, n)
    return np.where(rng.random(n) < 0.6, target, rng.integers(0, classes, n)) + shift, target + shift


@pytest.mark.filterwarnings("ignore")  # scikit-learn warns where a class was never said
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("classes", "shift"), [(2, 0), (3, 0), (5, 2), (4, -1)])
def test_metrics_of_labels_agree_with_scikit_learn(seed, classes, shift):
    m = sklearn()
    pred, target = labels(seed, classes, shift)
    close(metrics.accuracy(pred, target), m.accuracy_score(target, pred))
    close(metrics.balanced_accuracy(pred, target), m.balanced_accuracy_score(target, pred))
    for name in ("precision", "recall", "f1"):
        for average in ("macro", "micro"):
            expected = getattr(m, f"{name}_score")(target, pred, average=average, zero_division=0)
            close(metrics.get(f"{name}_{average}")(pred, target), expected)
    if shift == 0:
        theirs = m.confusion_matrix(target, pred, labels=range(classes))
        assert metrics.confusion_matrix(pred, target, classes=classes).tolist() == theirs.tolist()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("low", [0, -1])
def test_metrics_of_two_classes_agree_with_scikit_learn(seed, low):
    m = sklearn()
    pred, target = (np.where(a == 1, 1, low) for a in labels(seed, 2))
    for name in ("precision", "recall", "f1"):
        close(metrics.get(name)(pred, target), getattr(m, f"{name}_score")(target, pred, zero_division=0))


def scores(seed, ties):
    rng = RNG(seed)
    target = np.append(rng.integers(0, 2, int(rng.integers(3, 80))), [0, 1])
    score = rng.standard_normal(len(target)) + target
    return np.round(score, 1) if ties else score, target


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("ties", [False, True])
def test_roc_curve_and_its_area_agree_with_scikit_learn(seed, ties):
    m = sklearn()
    score, target = scores(seed, ties)
    for mine, theirs in zip(
        metrics.roc_curve(score, target), m.roc_curve(target, score, drop_intermediate=False), strict=True
    ):
        close(mine, theirs)
    close(metrics.roc_auc(score, target), m.roc_auc_score(target, score))
    false, true, _ = metrics.roc_curve(score, target)
    close(metrics.roc_auc(score, target), np.trapezoid(true, false))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_metrics_of_probabilities_agree_with_scikit_learn(seed, dtype):
    m = sklearn()
    score, target = scores(seed, False)
    p = (1 / (1 + np.exp(-3 * score))).astype(dtype)
    p[:2] = [0, 1]  # certain, and perhaps wrong
    rtol = 1e-12 if dtype == np.float64 else 1e-6  # theirs computes in float32
    np.testing.assert_allclose(metrics.brier(p, target), m.brier_score_loss(target, p), rtol=rtol)
    np.testing.assert_allclose(metrics.log_loss(p, target), m.log_loss(target, p), rtol=rtol)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("classes", [2, 3, 6])
def test_metrics_of_rows_of_probabilities_agree_with_scikit_learn(seed, classes):
    m = sklearn()
    rng = RNG(seed)
    p = rng.dirichlet(np.ones(classes), 70)
    target = np.append(np.arange(classes), rng.integers(0, classes, 70 - classes))
    close(metrics.log_loss(p, target), m.log_loss(target, p))
    close(metrics.brier(p, target), m.brier_score_loss(target, p, labels=np.arange(classes)))
    theirs = m.roc_auc_score(target, p if classes > 2 else p[:, 1], multi_class="ovr", average="macro")
    close(metrics.roc_auc(p, target), theirs)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("bins", [1, 7, 10])
def test_reliability_agrees_with_scikit_learn(seed, bins):
    sklearn()
    from sklearn.calibration import calibration_curve

    rng = RNG(seed)
    p = np.append(rng.random(50), [0, 1, 0.1, 0.2, 0.5, 0.7])
    target = np.append(rng.integers(0, 2, 50), [0, 1, 0, 1, 0, 1])
    was, said = calibration_curve(target, p, n_bins=bins)
    table = metrics.reliability(p, target, bins=bins)
    close(table.was, was)
    close(table.said, said)
    assert table.count.sum() == len(p)
    assert ((table.said >= table.low) & (table.said <= table.high)).all()
    close(metrics.calibration_error(p, target, bins=bins), np.sum(table.count * np.abs(was - said)) / len(p))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", [(17,), (17, 1), (17, 3)])
def test_metrics_of_values_agree_with_scikit_learn(seed, shape):
    m = sklearn()
    rng = RNG(seed)
    target = 1e3 + rng.standard_normal(shape)
    pred = target + rng.standard_normal(shape)
    close(metrics.mae(pred, target), m.mean_absolute_error(target, pred))
    close(metrics.rmse(pred, target), m.root_mean_squared_error(target, pred))
    close(metrics.r2(pred, target), m.r2_score(target, pred))
    target[:, ...] = 2.0
    close(metrics.r2(pred, target), m.r2_score(target, pred))
    close(metrics.r2(target, target), m.r2_score(target, target))


# --- calibration and thresholds ---------------------------------------------------------------------------------------
def test_reliability_of_many_classes_is_that_of_the_class_said():
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.75, 0.15], [0.3, 0.3, 0.4]])
    table = metrics.reliability(p, [0, 2, 2], bins=5)
    assert table.count.tolist() == [1, 2]
    close(table.said, [0.4, 0.725])
    close(table.was, [1, 0.5])
    assert str(table).splitlines()[1].split() == ["0.20", "…", "0.40", "1", "0.400", "1.000"]


def test_thresholded_calls_positive_from_the_threshold_on():
    p = [0.0, 0.3, 0.5, 1.0]
    assert [metrics.thresholded(p, t).tolist() for t in (0, 0.3, 0.5, 1, math.inf)] == [
        [1, 1, 1, 1], [0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(30))
def test_the_best_threshold_costs_least_of_all(seed):
    rng = RNG(seed)
    n = int(rng.integers(1, 30))
    p, target = np.round(rng.random(n), int(rng.integers(1, 4))), rng.integers(0, 2, n)
    p = p.astype(rng.choice([np.float32, np.float64]))
    costs = {"cost_fn": float(rng.choice([0.5, 1, 4, 20])), "cost_fp": float(rng.choice([0.5, 1, 4]))}
    threshold, cost = metrics.best_threshold(p, target, **costs)

    def at(t):
        return metrics.expected_cost(metrics.thresholded(p, t), target, **costs)

    assert cost == pytest.approx(at(threshold), rel=1e-12)
    candidates = [
        0.0,
        *np.unique(p).astype(float),
        *(min(x, 1.0) for x in np.nextafter(np.unique(p).astype(float), 2)),
        math.inf,
    ]
    assert cost <= min(map(at, candidates)) + 1e-12


def test_the_best_threshold_is_half_way_and_near_the_right_one():
    assert metrics.best_threshold([0.2, 0.4, 0.9], [0, 0, 1]) == (0.65, 0.0)
    assert metrics.best_threshold([0.5, 0.5], [0, 1], cost_fn=3) == (0.0, 0.5)
    assert metrics.best_threshold([1.0, 1.0], [0, 0]) == (math.inf, 0.0)
    assert metrics.best_threshold([0.1, 0.9], [1, 1]) == (0.0, 0.0)


# --- edges ------------------------------------------------------------------------------------------------------------
def test_an_area_with_one_class_only_is_nan():
    assert math.isnan(metrics.roc_auc([0.1, 0.2], [1, 1]))
    assert math.isnan(metrics.roc_auc(np.full((2, 3), 1 / 3), [0, 1]))


@pytest.mark.parametrize("name", ["log_loss", "brier", "calibration_error", "roc_auc", "mae", "rmse", "r2"])
def test_a_prediction_that_is_nan_gives_nan(name):
    assert math.isnan(metrics.get(name)([0.5, math.nan], [1, 0]))


def test_small_integers_do_not_wrap():
    assert metrics.mae(np.array([0], np.uint8), np.array([255], np.uint8)) == 255
    assert metrics.rmse(np.array([-100], np.int8), np.array([100], np.int8)) == 200


def test_float32_sums_are_accurate():
    pred = np.full(10**6, 0.1, np.float32)
    assert metrics.mae(pred, np.zeros_like(pred)) == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def test_area_of_scores_that_sigmoid_would_make_equal_is_still_right():
    assert metrics.roc_auc(np.array([30, 40, 50, 60], np.float32), [0, 0, 1, 1]) == 1


# --- the table --------------------------------------------------------------------------------------------------------
def test_every_metric_in_the_table_has_its_name_and_a_docstring():
    for name, metric in metrics.METRICS.items():
        assert metric.name == name
        assert metrics.get(name) is metric is metrics.get(metric)
        assert metric.__doc__
    assert set(metrics.METRICS) >= {
        "accuracy", "balanced_accuracy", "precision", "recall", "f1", "f1_macro", "f1_micro", "roc_auc", "log_loss", "brier",
        "calibration_error", "expected_cost", "mae", "rmse", "r2", "coverage_gap",
    }  # fmt: skip


def test_a_metric_knows_its_direction_and_what_it_reads():
    better = {name for name in metrics.METRICS if metrics.higher_is_better(name)}
    kinds = {f"{name}{end}" for name in ("precision", "recall", "f1") for end in ("", "_macro", "_micro")}
    assert better == {"accuracy", "balanced_accuracy", "neighbour_accuracy", "roc_auc", "r2"} | kinds
    assert not any(map(metrics.is_classification, ("mae", "rmse", "r2", "coverage_gap")))
    assert all(map(metrics.is_classification, ("accuracy", "f1", "roc_auc", "log_loss")))
    assert repr(metrics.mae) == "<metric mae, lower is better>"


class TestNeighbourAccuracy:
    def test_is_what_a_plain_search_finds_whatever_the_lengths(self):
        g = RNG(0)
        points, labels = g.standard_normal((1500, 3)), g.integers(0, 3, 1500)
        points[:500] += [4, 0, 0]
        labels[:500] = 0
        angles = np.arccos(np.clip(points @ points.T / np.outer(*[np.linalg.norm(points, axis=1)] * 2), -1, 1))
        np.fill_diagonal(angles, np.inf)
        expected = np.mean(labels[angles.argmin(1)] == labels)
        lengths = np.exp(3 * g.standard_normal((1500, 1)))
        assert metrics.neighbour_accuracy(lengths * points, labels) == expected
        assert metrics.neighbour_accuracy((1e30 * points).astype(np.float32), labels) == pytest.approx(
            expected, abs=2e-3
        )

    def test_shares_among_those_that_are_equally_near(self):
        assert metrics.neighbour_accuracy([[1, 1]] * 4, [0, 0, 0, 1]) == pytest.approx((3 * 2 / 3 + 0) / 4)
        assert metrics.neighbour_accuracy([[0, 0], [0, 1], [1, 0]], [0, 0, 1]) == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)

    def test_is_nan_where_a_point_is(self):
        assert math.isnan(metrics.neighbour_accuracy([[math.nan, 1], [1, 1]], [0, 0]))


def test_a_metric_of_ones_own_is_a_function_with_a_name():
    worst = metrics.Metric("worst", lambda p, t: np.abs(p - t).max(), higher_is_better=False)
    assert metrics.get(worst) is worst
    assert worst([1.0, 5.0], [1.0, 2.0]) == 3
    assert hash(worst) == hash(worst)


REFUSED = [
    (lambda: metrics.accuracy([1, 0], [1]), ShapeError, "accuracy: expected pred and target of one shape, got pred (2,), target (1,); each prediction needs its target"),
    (lambda: metrics.accuracy([[1, 0]], [1]), ShapeError,
     "accuracy: expected pred and target of one shape, got pred (1, 2), target (1,); give labels, pred.argmax(-1)"),
    (lambda: metrics.mae([[1.0]], [1.0]), ShapeError, "mae: expected pred and target of one shape, got pred (1, 1), target (1,)"),
    (lambda: metrics.accuracy([], []), ShapeError, "accuracy: expected at least one sample, got none; is the selection empty?"),
    (lambda: metrics.confusion_matrix([1], [1, 0]), ShapeError, "confusion_matrix: expected pred and target of one shape"),
    (lambda: metrics.brier([0.5], [1, 0]), ShapeError, "brier: expected pred and target of one shape (or pred (2,) with one column per class), got pred (1,), target (2,)"),
    (lambda: metrics.accuracy(["a"], ["a"]), DTypeError, "accuracy: expected numbers, got text; encode the classes as 0, 1, …"),
    (lambda: metrics.confusion_matrix([0, 3], [0, 1], classes=3), LabelError, "confusion_matrix: expected labels 0 … 2, got 3 in pred at row 1; number the classes from 0"),
    (lambda: metrics.confusion_matrix([0, 1], [0, -1]), LabelError, "confusion_matrix: expected labels 0 … 1, got -1 in target at row 1"),
    (lambda: metrics.f1([0, 1], [0, 2]), LabelError, "f1: expected two classes, labelled 0 and 1 or -1 and +1, got 2 at row 1; for more classes say average='macro'"),
    (lambda: metrics.recall([0, 1], [-1, 1]), LabelError, "recall: expected two classes, labelled 0 and 1 or -1 and +1, got 0 at row 0"),
    (lambda: metrics.f1([0, 1], [0, 1], average="weighted"), ValueError, "f1: expected average one of binary, macro, micro, got 'weighted'"),
    (lambda: metrics.log_loss([0.5, 1.5], [0, 1]), DomainError, "log_loss: expected probabilities in [0, 1], got 1.5 at row 1; of scores take the loss's link, loss.link(pred)"),
    (lambda: metrics.brier([-0.1, 0.5], [0, 1]), DomainError, "brier: expected probabilities in [0, 1], got -0.1 at row 0"),
    (lambda: metrics.brier([[0.5, 0.4]], [0]), DomainError, "brier: expected rows of probabilities with sum 1, got a sum of 0.9 at row 0; divide by the row sums"),
    (lambda: metrics.log_loss([[0.5, 0.5]], [2]), LabelError, "log_loss: expected labels 0 … 1, got 2 at row 0; there is one column of pred for each class"),
    (lambda: metrics.log_loss([0.5, 0.5], [0, 3]), LabelError, "log_loss: expected two classes, labelled 0 and 1 or -1 and +1, got 3 at row 1"),
    (lambda: metrics.thresholded([0.5], 2), DomainError, "thresholded: expected a threshold in [0, 1], or inf for none, got 2; 0.5 is usual"),
    (lambda: metrics.thresholded([1.5]), DomainError, "thresholded: expected probabilities in [0, 1], got 1.5 at row 0"),
    (lambda: metrics.thresholded([0.5], "half"), TypeError, "thresholded: expected threshold in [0, 1], or inf for none, got 'half'; give a number"),
    (lambda: metrics.best_threshold([1.5], [1]), DomainError, "best_threshold: expected probabilities in [0, 1], got 1.5 at row 0"),
    (lambda: metrics.best_threshold([0.5], [1], cost_fn=0), ValueError, "best_threshold: expected cost_fn > 0 and finite, got 0"),
    (lambda: metrics.expected_cost([1], [1], cost_fp=-1), ValueError, "expected_cost: expected cost_fp ≥ 0 and finite, got -1"),
    (lambda: metrics.coverage_gap([1.0], [1.0], quantile=2), ValueError, "coverage_gap: expected quantile in (0, 1), got 2"),
    (lambda: metrics.reliability([0.5], [1], bins=0), ValueError, "reliability: expected bins ≥ 1, a whole number, got 0"),
    (lambda: metrics.roc_curve([0.5, 0.6], [1, 1]), ValueError, "roc_curve: expected both classes, got 2 samples of one; take more samples"),
    (lambda: metrics.neighbour_accuracy([1.0, 2.0], [0, 1]), ShapeError, "neighbour_accuracy: expected points (n, d) and labels (n,) of at least two samples, got pred (2,), target (2,); each point needs its label, and another to be near"),
    (lambda: metrics.neighbour_accuracy([[1.0, 2.0]], [0]), ShapeError, "at least two samples, got pred (1, 2), target (1,)"),
    (lambda: metrics.get("acuracy"), ValueError, "metrics: expected metric one of accuracy, "),
    (lambda: metrics.neighbour_accuracy([1.0, 2.0], [0, 1]), ShapeError, "neighbour_accuracy: expected points (n, d) and labels (n,) of at least two samples, got pred (2,), target (2,); each point needs its label, and another to be near"),
    (lambda: metrics.neighbour_accuracy([[1.0, 2.0]], [0]), ShapeError, "at least two samples, got pred (1, 2), target (1,)"),
    (lambda: metrics.get("acuracy"), ValueError, "got 'acuracy'; did you mean 'accuracy'?"),
    (lambda: metrics.get(3), TypeError, "metrics: expected a name or a Metric, got 3; see metrics.Metric"),
    (lambda: metrics.Metric("x", len, True, "label"), ValueError, "Metric 'x': expected reads one of labels, values, probabilities, scores, points, got 'label'; did you mean 'labels'?"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=[row[2][:70] for row in REFUSED])
def test_what_does_not_fit_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
