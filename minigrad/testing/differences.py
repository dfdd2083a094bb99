"""Slopes from values alone, of many functions of one number at once: the oracle for every derivative.

Central differences at five widths, extrapolated to width 0 (Richardson 1911; the choice of the entry is that of Ridders
1982, doi:10.1016/S0141-1195(82)80057-0), each with an estimate of its own error. At a kink the two one-sided slopes
are found, and anything between them is a slope.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any
Along = Callable[[Array, Array], Array]  # (steps, which functions) to values
LEVELS = 5
WIDTHS = (2e-2, 1e-3, 5e-5, 2e-6, 1e-7)  # narrower and narrower, where something is near that bends
NARROWEST = 2e-9  # between places that lie 1e-8 from a cusp and the cusp
RTOL = 1e-7
PARTS = 8


def slope(f: Along, width: Array, which: Array) -> tuple[Array, Array]:
    """The derivative at 0 of each function in `which`, and an estimate of its error."""
    rows: list[Array] = []
    best, doubt = np.full(len(which), np.nan), np.full(len(which), np.inf)
    for level in range(LEVELS):
        h = width / 2**level
        row = [(f(h, which) - f(-h, which)) / (2 * h)]
        for k, before in enumerate(rows[-1] if rows else ()):
            row.append(row[k] + (row[k] - before) / (4 ** (k + 1) - 1))
            difference = np.maximum(np.abs(row[k + 1] - row[k]), np.abs(row[k + 1] - before))
            better = difference <= doubt
            best, doubt = np.where(better, row[k + 1], best), np.where(better, difference, doubt)
        rows.append(row)
    return best, doubt


def one_sided(f: Along, width: Array, which: Array) -> tuple[Array, Array]:
    """The slopes left and right of 0, to first order in the width."""
    middle = f(np.zeros(len(which)), which)
    return (middle - f(-width, which)) / width, (f(width, which) - middle) / width


def grain_of(pred: Array) -> Array:
    """The distance of neighbouring numbers at the largest entry of each prediction."""
    return np.spacing(np.abs(pred).reshape(len(pred), -1).max(-1))


def disagreement(
    f: Along, claimed: Array, reach: Array, grain: Array, noise: Array, typical: float
) -> tuple[Array, Array]:
    """How far each claimed slope at 0 is from the truth, relative to what may be expected, and the measured slope.

    Args:
        f: the functions.
        claimed: the slopes that somebody says they have.
        reach: how far each may be followed.
        grain: how far apart neighbouring inputs are: what a step may be off by.
        noise: what a value may be off by.
        typical: the size of an ordinary slope; what is far smaller is measured against it.

    Returns:
        error: (m,) relative errors; 0 where the claimed slope cannot be told from the measured one or lies between
            the one-sided slopes of a kink.
        measured: (m,) slopes by differences.
    """
    everyone = np.arange(len(claimed))
    measured, doubt = slope(f, WIDTHS[0] * reach, everyone)
    doubt += _rounding(measured, grain, noise, WIDTHS[0] * reach)
    error = _relative(claimed, measured, doubt, typical)
    for width in (*WIDTHS[1:], NARROWEST):
        left = everyone[error > 0]
        if not len(left):
            break
        again, doubt_again = slope(f, width * reach[left], left)
        doubt_again += _rounding(again, grain[left], noise[left], width * reach[left])
        narrower = _relative(claimed[left], again, doubt_again, typical)
        better = (narrower < error[left]) | (doubt_again < doubt[left])
        if width == NARROWEST:  # rounding blurs it: it only excuses, and only what it could have told
            better = (narrower < error[left]) & (40 * doubt_again < error[left] * np.abs(claimed[left]))
        for whole, part in ((error, narrower), (measured, again), (doubt, doubt_again)):
            whole[left] = np.where(better, part, whole[left])
    left = everyone[error > 0]
    if len(left):
        slack = _rounding(measured[left], grain[left], noise[left], reach[left])
        error[left] = np.where(_at_kink(f, claimed[left], reach[left], slack, left, typical), 0, error[left])
    return error, measured


def _rounding(measured: Array, grain: Array, noise: Array, width: Array) -> Array:
    """What a slope is off by because steps and values are rounded."""
    return (np.abs(measured) * grain + noise) / width * 2**LEVELS


def _relative(claimed: Array, measured: Array, doubt: Array, typical: float) -> Array:
    """Relative errors, 0 where they are within what differences can tell."""
    size = np.maximum(np.maximum(np.abs(claimed), np.abs(measured)), 1e-2 * typical)
    size = np.where(size > 0, size, 1)
    error = np.abs(claimed - measured) / size
    told = np.isfinite(measured) & (error > np.maximum(RTOL, 4 * doubt / size))
    return np.where(told, error, 0.0)


def _at_kink(f: Along, claimed: Array, reach: Array, rounding: Array, which: Array, typical: float) -> Array:
    """Whether the one-sided slopes differ, at every width, and the claimed one lies between them."""
    held = np.ones(len(which), bool)
    for width in (1e-5, 1e-6, 1e-7):
        left, right = one_sided(f, width * reach, which)
        size = np.maximum(np.maximum(np.abs(left), np.abs(right)), 1e-2 * typical)
        slack = 30 * width * (size + typical) + 1e-7 * size + rounding / width
        gap = np.abs(left - right) > 1e-3 * size
        held &= gap & (claimed >= np.minimum(left, right) - slack) & (claimed <= np.maximum(left, right) + slack)
    return held


def narrowed(f: Along, low: Array, high: Array, grain: Array, least: Array) -> tuple[Array, Array]:
    """Intervals cut into parts again and again, each time keeping the part across which f changes most.

    Args:
        f: (places, which intervals they are in) to numbers.
        low: the lower ends.
        high: the upper ends.
        grain: the width at which an interval is left as it is.
        least: a change that does not matter: an interval across which f changes less is left as it is.
    """
    low, high = low.copy(), high.copy()
    inner = np.arange(1, PARTS)[:, None] / PARTS
    open_ = np.arange(len(low))
    for _ in range(20):
        between = low[open_] + inner * (high - low)[open_]
        places = np.vstack([low[open_], between, high[open_]])
        numbers = f(places.ravel(), np.tile(open_, PARTS + 1)).reshape(places.shape)
        changes = np.abs(np.diff(numbers, axis=0))
        at, columns = np.argmax(np.nan_to_num(changes), 0), np.arange(len(open_))
        low[open_], high[open_] = places[at, columns], places[at + 1, columns]
        open_ = open_[(changes[at, columns] > least[open_]) & ((high - low)[open_] > grain[open_])]
        if not len(open_):
            break
    return low, high


def telling(a: float, b: float, sizes: dict[str, float]) -> str:
    """What the ratio of two numbers that should agree hints at."""
    if not (np.isfinite(a) and np.isfinite(b)):
        return ""
    if b == 0 or a == 0:
        return "0: the gradient is cut" if a == 0 else ""
    ratio = a / b
    words = {2.0: "2: factor", 0.5: "½: factor", -1.0: "−1: sign", -2.0: "−2: factor and sign"}
    for n, count in sizes.items():
        if count > 2:
            words |= {count: f"{n} = {count:g}: reduction", 1 / count: f"1/{n} = 1/{count:g}: reduction"}
    for value, word in words.items():
        if abs(ratio / value - 1) < 1e-5:
            return f"ratio {word}"
    return f"ratio {ratio:.4g}"
