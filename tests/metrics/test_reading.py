"""From outputs to what a metric reads: one y serves every loss and every metric."""

import math
import re

import numpy as np
import pytest

from minigrad import MLP, fit, losses, metrics
from minigrad.engine.errors import LabelError, ShapeError

Z = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 1.0], [1.0, 0.0, 0.5]])  # says 0, 1, 0
Y = np.array([0, 1, 2])
ONE = np.array([[0.3], [-2.0], [1.5], [-0.1]])  # says 1, 0, 1, 0
BINARY = np.array([1, 0, 0, 0])


def measured(names, loss, outputs, target):
    return metrics.measure([metrics.get(name) for name in names], losses.get(loss), outputs, target)


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize(
    "target", [Y, Y[:, None], np.eye(3)[Y], Y.astype(float)], ids=["labels", "column", "rows", "floats"]
)
def test_scores_of_classes_are_read_as_labels_and_as_probabilities(target):
    found = measured(
        ["accuracy", "balanced_accuracy", "f1_macro", "log_loss", "brier", "roc_auc"], "cross_entropy", Z, target
    )
    p = softmax(Z)
    assert found["accuracy"] == found["balanced_accuracy"] == 2 / 3
    assert found["log_loss"] == pytest.approx(-np.log(p[range(3), Y]).mean(), rel=1e-12)
    assert found["brier"] == pytest.approx(((p - np.eye(3)[Y]) ** 2).sum(1).mean(), rel=1e-12)
    assert found["roc_auc"] == pytest.approx(
        np.mean([metrics.roc_auc(Z[:, k], (k == Y).astype(int)) for k in range(3)])
    )


@pytest.mark.parametrize(
    "target", [BINARY, BINARY[:, None], BINARY.astype(bool)], ids=["labels", "column", "truth values"]
)
@pytest.mark.parametrize(
    ("loss", "outputs"),
    [
        ("bce_with_logits", ONE),
        ("bce_with_logits", ONE[:, 0]),
        ("bce", 1 / (1 + np.exp(-ONE))),
        ("hinge", ONE),
        ("mse", ONE + 0.5),
    ],
)
def test_one_output_is_read_as_the_loss_reads_it(loss, outputs, target):
    found = measured(["accuracy", "precision", "recall", "expected_cost", "roc_auc"], loss, outputs, target)
    assert found == {
        "accuracy": 0.75,
        "precision": 0.5,
        "recall": 1.0,
        "expected_cost": 0.25,
        "roc_auc": pytest.approx(2 / 3),
    }


def test_signs_as_targets_are_read_too():
    found = measured(["accuracy", "f1", "roc_auc"], "hinge", ONE, 2 * BINARY - 1)
    assert found == {"accuracy": 0.75, "f1": pytest.approx(2 / 3), "roc_auc": pytest.approx(2 / 3)}


def test_probabilities_come_through_the_link_of_the_loss():
    p = 1 / (1 + np.exp(-ONE[:, 0]))
    expected = {name: metrics.get(name)(p, BINARY) for name in ("log_loss", "brier", "calibration_error")}
    assert measured(expected, "bce_with_logits", ONE, BINARY) == pytest.approx(expected)
    assert measured(expected, "bce", p, BINARY[:, None]) == pytest.approx(expected)
    rows = np.log(softmax(np.stack([np.zeros(4), ONE[:, 0]], 1)))
    assert measured(expected, "nll", rows, BINARY) == pytest.approx(expected)


def test_scores_keep_an_order_that_probabilities_in_float32_lose():
    z = np.array([[30.0], [40.0], [50.0], [60.0]], np.float32)
    assert measured(["roc_auc"], "bce_with_logits", z, [0, 0, 1, 1]) == {"roc_auc": 1.0}


def test_values_are_read_through_the_link():
    assert measured(["mae"], "poisson_nll", np.log([[2.0], [3.0]]), [2.0, 5.0])["mae"] == pytest.approx(1.0)
    assert measured(["coverage_gap", "rmse"], "mae", [[1.0], [2.0]], [1.0, 1.0]) == {
        "coverage_gap": 0.5,
        "rmse": math.sqrt(0.5),
    }


REFUSED = [
    ("brier", "mse", ONE, BINARY, ValueError, "brier: expected a loss on prob, logit, logits, log_probs, got mse on real; its outputs are no probabilities: choose another metric"),
    *((name, "squared_hinge", ONE, BINARY, ValueError, f"{name}: expected a loss whose outputs mean probabilities, got squared_hinge, whose scores have no scale; choose accuracy or roc_auc, or train with bce_with_logits") for name in ("log_loss", "brier", "calibration_error")),
    *((name, loss, z, y, ValueError, f"{name}: expected a loss on values, got {loss}, whose outputs decide between classes; choose a metric of classes, such as accuracy or roc_auc") for name in ("mae", "rmse", "r2") for loss, z, y in (("hinge", ONE, BINARY), ("cross_entropy", Z, Y))),
    ("accuracy", "cross_entropy", Z, np.array([0, 1]), ShapeError, "metrics: expected outputs that cross_entropy turns into (2,), as the targets are, got (3,); give the model one output for each target, or one for each class"),
    ("roc_auc", "cross_entropy", Z, np.array([0, 1]), ShapeError, "metrics: expected outputs that cross_entropy turns into (2,), as the targets are, got (3,)"),
    ("mae", "mse", Z, Y[:2], ShapeError, "metrics: expected outputs that mse turns into (2,), as the targets are, got (3, 3)"),
    ("accuracy", "mse", ONE, np.array([0.5, 1, 0, 0]), LabelError, "accuracy: expected class labels, got 0.5 at row 0; for values use mae, rmse or r2"),
    ("log_loss", "bce_with_logits", ONE, np.array([0.5, 1, 0, 0]), LabelError, "log_loss: expected class labels, got 0.5 at row 0"),
    ("log_loss", "cross_entropy", Z, np.array([0, 1, 3]), LabelError, "log_loss: expected labels 0 … 2, got 3 at row 2"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "loss", "outputs", "target", "error", "message"), REFUSED, ids=[row[5][:60] for row in REFUSED]
)
def test_what_does_not_fit_is_refused_by_name(name, loss, outputs, target, error, message):
    with pytest.raises(error, match=re.escape(message)):
        measured([name], loss, outputs, target)


@pytest.mark.parametrize(
    "target", [Y, Y[:, None], np.eye(3)[Y], Y.astype(float)], ids=["labels", "column", "rows", "floats"]
)
@pytest.mark.parametrize("loss", ["cross_entropy", "triplet_margin"])
def test_outputs_of_any_loss_are_read_as_points(loss, target):
    found = measured(["neighbour_accuracy"], loss, [[1.0, 0, 0], [0, 2, 0], [0, 0.1, 0]], target)
    assert found == {"neighbour_accuracy": 0}
    found = measured(["neighbour_accuracy"], loss, np.repeat(np.eye(3), 2, 0), np.repeat(target, 2, 0))
    assert found == {"neighbour_accuracy": 1}


def test_pairs_of_points_are_refused():
    with pytest.raises(
        ShapeError,
        match=re.escape("expected outputs that triplet_margin turns into (3,), as the targets are, got (3, 2)"),
    ):
        measured(["neighbour_accuracy"], "triplet_margin", np.ones((3, 2, 4)), Y)


def test_fit_takes_every_metric_by_name_and_metrics_with_options():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 2)).astype(np.float32)
    y = (X.sum(1) > 0).astype(int)
    chosen = [name for name, metric in metrics.METRICS.items() if metric.classification]
    history = fit(MLP(2, 4, 1, rng=0), (X, y), loss="bce_with_logits", epochs=2, validation=0.3,
                  metrics=[*chosen, metrics.expected_cost.with_(cost_fn=3)], lr=0.05)  # fmt: skip
    row = history.best.validation
    assert list(row) == ["loss", *chosen, "expected_cost(cost_fn=3)"]
    assert row["log_loss"] == pytest.approx(row["loss"], rel=1e-5)
    assert row["roc_auc"] > 0.8
