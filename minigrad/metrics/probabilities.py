"""Metrics of probabilities and scores: whether they are right, honest, and in order; and where to cut them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.engine.errors import DomainError
from minigrad.metrics.metric import Array, check_probabilities, class_labels, metric, pair, two_classes
from minigrad.nn.arguments import number


def _rows(where: str, p: Array, target: Array) -> tuple[Array, Array]:
    """Probabilities of all classes, (n, k) in float64, and labels 0 … k − 1, (n,)."""
    if p.ndim == target.ndim:
        (positive,) = two_classes(where, target)
        p = p.reshape(-1).astype(np.float64)
        return np.stack([1 - p, p], 1), positive.reshape(-1).astype(np.int64)
    k = p.shape[-1]
    return p.reshape(-1, k).astype(np.float64), class_labels(where, target.reshape(-1), k)


@metric(higher_is_better=False, reads="probabilities")
def log_loss(p: Array, target: Array) -> Any:
    """The mean of −ln p of the true class, in nats; p is kept away from 0 and 1 by the rounding of its dtype.

    >>> round(log_loss([0.5, 0.25], [1, 0]), 6)
    0.490415
    """
    eps = np.finfo(p.dtype if p.dtype.kind == "f" else np.float64).eps
    rows, labels = _rows("log_loss", p, target)
    return -np.mean(np.log(np.clip(rows[np.arange(len(rows)), labels], eps, 1 - eps)))


@metric(higher_is_better=False, reads="probabilities")
def brier(p: Array, target: Array) -> Any:
    """The mean of (p − y)² for two classes, and of Σ (p − y)² over the classes for more. Brier 1950.

    >>> brier([0.5, 1.0], [1, 1])
    0.125
    """
    rows, labels = _rows("brier", p, target)
    squares = np.sum((rows - np.eye(rows.shape[1])[labels]) ** 2, 1)
    return np.mean(squares) / (2 if rows.shape[1] == 2 else 1)


# --- calibration ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Reliability:
    """What was said and what was, by bins of what was said; bins without a sample are left out.

    Attributes:
        low, high: the ends of each bin; the upper one belongs to it.
        count: samples in it.
        said: mean probability.
        was: share of the samples that were so.
    """

    low: Array
    high: Array
    count: Array
    said: Array
    was: Array

    def __str__(self) -> str:
        rows = zip(self.low, self.high, self.count, self.said, self.was, strict=True)
        lines = [f"{a:.2f} … {b:.2f}  {n:>7,}  {p:.3f}  {y:.3f}" for a, b, n, p, y in rows]
        return "\n".join(["probability  samples   said    was", *lines])

    __repr__ = __str__


def reliability(p: Any, target: Any, *, bins: int = 10) -> Reliability:
    """Compare what was said with what was: for two classes the probability of class 1, for more that of the class said.

    Args:
        p: (n,) probabilities of class 1, or (n, k) rows.
        target: (n,) labels, 0 and 1 or −1 and +1; with rows 0 … k − 1.
        bins: of equal width, ≥ 1.

    Raises:
        ShapeError, DomainError, LabelError: arguments that do not fit, see `Metric`.
    """
    p, t = pair("reliability", p, target, rows=True)
    check_probabilities("reliability", p, t)
    count = int(number("reliability", "bins", bins, "≥ 1, a whole number", lambda v: v >= 1 and v == int(v)))
    rows, labels = _rows("reliability", p, t)
    if rows.shape[1] == 2:
        said, true = rows[:, 1], labels == 1
    else:
        said, true = rows.max(1), rows.argmax(1) == labels
    edges = np.linspace(0, 1, count + 1)
    where = np.searchsorted(edges[1:-1], said)
    n = np.bincount(where, minlength=count)
    sums = [np.bincount(where, weights, minlength=count)[n > 0] / n[n > 0] for weights in (said, true)]
    return Reliability(edges[:-1][n > 0], edges[1:][n > 0], n[n > 0], *sums)


@metric(higher_is_better=False, reads="probabilities")
def calibration_error(p: Array, target: Array, *, bins: int = 10) -> Any:
    """The mean distance between what was said and what was, over the samples in bins: Σ n_b/n·|was_b − said_b|.

    For two classes of the probability of class 1, for more of the class said (Guo et al. 2017, arXiv:1706.04599).
    """
    table = reliability(p, target, bins=bins)
    return np.sum(table.count * np.abs(table.was - table.said)) / np.sum(table.count)


# --- order ------------------------------------------------------------------------------------------------------------
def roc_curve(score: Any, target: Any) -> tuple[Array, Array, Array]:
    """False and true positive rates when samples from each score on are called positive.

    Args:
        score: (n,) numbers that are higher where class 1 is more likely.
        target: (n,) labels, 0 and 1 or −1 and +1, both of which occur.

    Returns:
        (false positive rate, true positive rate, score from which on), from none, where the score is inf, to all.

    Raises:
        ShapeError, LabelError: arguments that do not fit.
        ValueError: one class only.
    """
    s, t = pair("roc_curve", score, target)
    (true,) = two_classes("roc_curve", t)
    if true.all() or not true.any():
        raise ValueError(f"roc_curve: expected both classes, got {t.size} samples of one; take more samples")
    order = np.argsort(-s.reshape(-1), kind="stable")
    s, true = s.reshape(-1)[order], true.reshape(-1)[order]
    last = np.append(s[1:] != s[:-1], True)  # where the next score is another one
    hits, false = np.cumsum(true)[last], np.cumsum(~true)[last]
    start = np.zeros(1)
    return np.append(start, false / false[-1]), np.append(start, hits / hits[-1]), np.append(np.inf, s[last])


@metric(higher_is_better=True, reads="scores")
def roc_auc(score: Array, target: Array) -> Any:
    """The chance that a positive sample has a higher score than a negative one, ties counted half.

    The area under the ROC curve. For rows (n, k) the mean over the classes, each against the others; NaN where one
    class only occurs. Hanley, McNeil 1982, doi:10.1148/radiology.143.1.7063747.

    >>> roc_auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75
    """
    if score.ndim == target.ndim:
        return _area(score.reshape(-1), two_classes("roc_auc", target)[0].reshape(-1))
    rows, labels = score.reshape(-1, score.shape[-1]), class_labels("roc_auc", target.reshape(-1), score.shape[-1])
    if rows.shape[1] == 2:
        return _area(rows[:, 1] - rows[:, 0], labels == 1)
    return np.mean([_area(rows[:, k], labels == k) for k in range(rows.shape[1])])


def _area(score: Array, true: Array) -> float:
    """(R − m(m + 1)/2)/(m·(n − m)): R is the sum of the ranks of the m positive samples, equal scores share theirs."""
    n, m = len(true), int(true.sum())
    if m in (0, n):
        return float("nan")
    _, where, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[where]
    return float((ranks[true].sum() - m * (m + 1) / 2) / (m * (n - m)))


# --- thresholds -------------------------------------------------------------------------------------------------------
def thresholded(p: Any, threshold: float = 0.5) -> Array:
    """Labels: 1 where p ≥ threshold, else 0.

    Args:
        p: probabilities of class 1.
        threshold: in [0, 1], or inf for none.

    Raises:
        DomainError: a probability outside [0, 1], or such a threshold.

    >>> thresholded([0.2, 0.5, 0.9]).tolist()
    [0, 1, 1]
    """
    p, _ = pair("thresholded", p, p)
    check_probabilities("thresholded", p, p)
    cut = number("thresholded", "threshold", threshold, "in [0, 1], or inf for none", lambda v: True)
    if not (0 <= cut <= 1 or cut == np.inf):
        raise DomainError(
            f"thresholded: expected a threshold in [0, 1], or inf for none, got {threshold}; 0.5 is usual"
        )
    return (p >= cut).astype(np.int64)


def best_threshold(p: Any, target: Any, *, cost_fn: float = 1.0, cost_fp: float = 1.0) -> tuple[float, float]:
    """The threshold of least expected cost on these samples, and that cost: choose it on validation data.

    Between two probabilities every threshold costs the same; half-way is returned. Of equally good ones it is the one
    nearest to cost_fp/(cost_fp + cost_fn), which is best for probabilities that are right (Elkan 2001).

    Args:
        p: (n,) probabilities of class 1.
        target: (n,) labels, 0 and 1 or −1 and +1.
        cost_fn: of a positive that was missed, > 0.
        cost_fp: of a negative that was called positive, > 0.

    Returns:
        (threshold, cost per sample), for `thresholded`: 0 calls all positive, inf none.

    Raises:
        ShapeError, DomainError, LabelError: arguments that do not fit.

    >>> best_threshold([0.1, 0.4, 0.6, 0.9], [0, 1, 0, 1], cost_fn=5)
    (0.25, 0.25)
    """
    where = "best_threshold"
    a, b = (number(where, name, cost, "> 0 and finite", lambda v: 0 < v < np.inf)
            for name, cost in (("cost_fn", cost_fn), ("cost_fp", cost_fp)))  # fmt: skip
    p, t = pair(where, p, target)
    check_probabilities(where, p, t)
    true, levels = two_classes(where, t)[0].reshape(-1), np.unique(p).astype(np.float64)
    level = np.searchsorted(levels, p.reshape(-1))
    hits, false = (np.bincount(level[side], minlength=len(levels)) for side in (true, ~true))
    missed = np.append(0, np.cumsum(hits))  # when the lowest 0, 1, … levels are called negative
    called = np.append(np.cumsum(false[::-1])[::-1], 0)
    middle = levels[:-1] + np.diff(levels) / 2
    cuts = np.concatenate([[0.0], np.where(middle > levels[:-1], middle, levels[1:]), [np.inf]])
    costs = (a * missed + b * called) / t.size
    best = np.flatnonzero(costs == costs.min())
    chosen = best[np.argmin(np.abs(cuts[best] - b / (a + b)))]
    return float(cuts[chosen]), float(costs[chosen])
