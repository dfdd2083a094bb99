"""What rules are held against: derivatives of the function itself, on plain arrays, by code that knows no rule.

Where NumPy's code for a function runs on complex numbers its slope is Im f(x + ih)/h with h = 1e-100, right to rounding
(Squire and Trapp 1998, doi:10.1137/S003614459631241X). Whether that applies is decided by differences, never by what the
engine says. Elsewhere differences at four widths are extrapolated to width 0 (Richardson 1911), which is right to 1e-11.
"""

import warnings
from itertools import pairwise

import numpy as np

TINY = 1e-100
EXACT, NEAR = 1e-12, 1e-9  # what a complex step, and what differences can tell
WIDTHS = (0.1, 0.01, 0.001, 0.0001)  # parts of the distance to 0; the narrow ones where a kink is near


def differences(f, reach):
    """f′(0), entry by entry, of an f from a number to an array; and what is to be doubted about it."""
    best, doubt = np.nan, np.inf
    for width in WIDTHS:
        h = width * reach
        row = [(f(h / 2**k) - f(-h / 2**k)) / (2 * h / 2**k) for k in range(4)]
        for order in (4, 16, 64):
            before, row = row, [b + (b - a) / (order - 1) for a, b in pairwise(row)]
        error = np.abs(row[0] - before[1]) + 1e-16 * np.abs(f(0.0)) / h
        best, doubt = np.where(error < doubt, row[0], best), np.minimum(error, doubt)
        if np.all(doubt <= 1e-11 * np.max(np.abs(best), initial=1e-3)):
            break
    return best, doubt


def moved(arrays, directions, h):
    """The arrays, a step away."""
    return [x + h * d for x, d in zip(arrays, directions)]


def reach(arrays, directions):
    """The size of the smallest entry that moves and is not 0, relative to how far it moves, up to 1."""
    steps = [np.abs(x[(d != 0) & (x != 0)] / d[(d != 0) & (x != 0)]) for x, d in zip(arrays, directions)]
    return max(min(step.min(initial=1.0) for step in steps), 1e-3)


def complex_step(f, arrays, directions):
    """The derivative along the directions, or None where f is no function of complex numbers."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")  # an imaginary part that is lost says so
        try:
            return np.imag(f(*moved(arrays, directions, 1j * TINY))) / TINY
        except (TypeError, ValueError, AttributeError, Warning):
            return None


def slope(f, arrays, directions):
    """The derivative of f along the directions by differences, and what is to be doubted about it."""
    with np.errstate(all="ignore"):
        return differences(lambda h: np.asarray(f(*moved(arrays, directions, h))), reach(arrays, directions))


def applies(f, arrays, rng):
    """Whether a complex step measures the slope of f: it agrees with differences, whatever moves."""
    directions = [rng.standard_normal(x.shape) + 0.1 for x in arrays]
    step = complex_step(f, arrays, directions)
    if step is None:
        return False
    found, doubt = slope(f, arrays, directions)
    scale = np.max(np.abs(found), initial=1e-12)
    return bool(np.all(np.abs(step - found) <= 1e-7 * scale) and np.all(doubt <= 1e-6 * scale))


def jacobians(f, arrays, rng):
    """The matrix of derivatives by each array, (size of the result, size of the array), and how exact they are."""
    exact, size, found = applies(f, arrays, rng), np.size(f(*arrays)), []
    for i, x in enumerate(arrays):
        columns = []
        for at in np.ndindex(x.shape):
            directions = [np.zeros(other.shape) for other in arrays]
            directions[i][at] = 1
            column = complex_step(f, arrays, directions) if exact else slope(f, arrays, directions)[0]
            columns.append(np.ravel(column))
        found.append(np.reshape(columns, (x.size, size)).T)
    return found, EXACT if exact else NEAR


def far(found, true, scale=None):
    """The largest difference, relative to the largest true number (or to a scale); empty arrays agree."""
    found, true = np.asarray(found), np.asarray(true)
    assert found.shape == true.shape
    size = np.max(np.abs(true), initial=1e-12) if scale is None else scale
    return float(np.max(np.abs(found - true), initial=0) / size)


# Old versions of NumPy compute x**2 as x·x, and np.power(x, 2) in another way, which may differ in the last digit.
POWERS_DIFFER = any(np.power(x, 2).tobytes() != (x**2).tobytes() for x in np.random.default_rng(0).random((9, 999)))


def identical(found, expected):
    """Whether two arrays agree in dtype, shape and every byte."""
    if POWERS_DIFFER and not np.array_equal(found, expected):
        return found.shape == expected.shape and np.allclose(
            found, expected, 4 * np.finfo(expected.dtype).eps, 0, equal_nan=True
        )
    same = (found.dtype, found.shape) == (expected.dtype, expected.shape)
    return same and (POWERS_DIFFER or found.tobytes() == expected.tobytes())
