"""Metrics: what a person wants to know of predictions. They take decisions, values or probabilities, no gradient.

Each is a function of two arrays, and in `fit(..., metrics=["accuracy", "roc_auc"])` a name; `METRICS` lists the names.
What may be said of paired differences of a metric is what `verdict` says.
"""

from minigrad.metrics.labels import accuracy, balanced_accuracy, confusion_matrix, expected_cost, f1, precision, recall
from minigrad.metrics.metric import METRICS, Metric, get, higher_is_better, is_classification
from minigrad.metrics.paired import median_interval, verdict
from minigrad.metrics.points import neighbour_accuracy
from minigrad.metrics.probabilities import (
    Reliability,
    best_threshold,
    brier,
    calibration_error,
    log_loss,
    reliability,
    roc_auc,
    roc_curve,
    thresholded,
)
from minigrad.metrics.reading import decided, measure, true_labels
from minigrad.metrics.values import coverage, coverage_gap, mae, r2, rmse

__all__ = [
    "METRICS", "Metric", "Reliability", "accuracy", "balanced_accuracy", "best_threshold", "brier",
    "calibration_error", "confusion_matrix", "coverage", "coverage_gap", "decided", "expected_cost", "f1", "get",
    "higher_is_better", "is_classification", "log_loss", "mae", "measure", "median_interval", "neighbour_accuracy",
    "precision", "r2", "recall", "reliability", "rmse", "roc_auc", "roc_curve", "thresholded", "true_labels", "verdict",
]  # fmt: skip
