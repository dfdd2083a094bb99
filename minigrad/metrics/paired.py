"""What may be said of two models, or two losses, that were measured side by side, seed by seed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = Any
LEVEL = 0.95


def median_interval(values: Any, level: float = LEVEL) -> tuple[float, float] | None:
    """The exact confidence interval of a median by order statistics, at least at `level`; None below 6 values.

    The k-th smallest and k-th largest of n values enclose the median with probability 1 − 2·P(Bin(n, ½) < k), whatever
    the distribution (Conover 1999, Practical Nonparametric Statistics, 3.2).

    >>> median_interval([3, 1, 2, 6, 5, 4])
    (1.0, 6.0)
    """
    ordered = np.sort(np.asarray(values, float))
    n = len(ordered)
    tail, k = 0.0, 0
    while k < n // 2 and 2 * (tail + math.comb(n, k) / 2**n) <= 1 - level:
        tail += math.comb(n, k) / 2**n
        k += 1
    return None if k == 0 else (float(ordered[k - 1]), float(ordered[n - k]))


def verdict(differences: Any, than: str, *, higher_is_better: bool = True) -> str:
    """Better, worse, or no difference shown: what the interval of the median paired difference allows to say.

    Args:
        differences: metric of the one minus that of the other, one value for each seed, (n,).
        than: the name of the other.
        higher_is_better: of the metric.

    >>> verdict([0.01, 0.02, 0.01], "mse")
    '3 seeds cannot show a difference; 6 are needed'
    >>> verdict([0.01, 0.02, 0.01, 0.03, 0.02, 0.01], "mse")
    'better than mse'
    """
    n, interval = len(differences), median_interval(differences)
    if interval is None:
        return f"{n} seed{'s' * (n > 1)} cannot show a difference; 6 are needed"
    low, high = interval
    if low <= 0 <= high or math.isnan(low + high):
        return f"no difference shown with {n} seeds"
    return f"{'better' if (low > 0) == higher_is_better else 'worse'} than {than}"
