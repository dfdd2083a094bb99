"""Metrics of points of a space, such as embeddings: whether what is near is alike. They read any outputs (n, d)."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.metrics.metric import Array, metric

ROWS = 1024  # that are compared with all others at once
SAME = 1e-9  # the difference of two cosines that is rounding


@metric(higher_is_better=True, reads="points")
def neighbour_accuracy(points: Array, target: Array) -> Any:
    """The share of points whose nearest other point, by the angle at the origin, is of their class.

    Where several are equally near it is the share of these. A zero vector is as near to all as a right angle.

    Args:
        points: (n, d), n ≥ 2.
        target: (n,) labels, any integers.

    >>> neighbour_accuracy([[1, 0], [2, 0.1], [0, 1], [0, 3]], [0, 0, 1, 0])
    0.5
    """
    size = np.abs(points.astype(np.float64)).max(-1, keepdims=True)
    unit = points / np.where(size == 0, 1, size)
    unit /= np.maximum(np.linalg.norm(unit, axis=-1, keepdims=True), 1e-300)
    shares = []
    for start in range(0, len(unit), ROWS):
        near = unit[start : start + ROWS] @ unit.T
        near[np.arange(len(near)), np.arange(start, start + len(near))] = -np.inf
        nearest = near >= near.max(-1, keepdims=True) - SAME
        alike = target[start : start + ROWS, None] == target
        shares.append((nearest & alike).sum(-1) / nearest.sum(-1))
    return np.mean(np.concatenate(shares))
