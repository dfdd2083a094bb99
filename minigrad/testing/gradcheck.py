"""gradcheck: gradients against differences of values, to the last digits that differences can give.

Differences of a smooth function at four widths, extrapolated to width 0 (Richardson 1911; the choice of the entry is
that of Ridders 1982, doi:10.1016/S0141-1195(82)80057-0), are right to about 1e-12, so that a rule that is wrong in the
eighth digit is found. A second derivative is the first derivative of the gradient, and is checked as such.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.engine.errors import DTypeError, GradientError
from minigrad.engine.graph import no_grad
from minigrad.engine.tensor import Tensor
from minigrad.engine.transforms import grad

Array = Any
ALL_ENTRIES = 64  # up to so many entries each is checked; of more, as many random directions
LEVELS = 5


@dataclass(frozen=True)
class GradCheck:
    """What a check found; true if it passed.

    Attributes:
        ok: whether every slope agrees.
        error: the largest difference, relative to the larger of both slopes and of the typical one.
        worst: the place with the largest difference, in one line: both numbers, and what their ratio hints at.
        kinks: the number of places at which the two one-sided slopes differ; there anything between them is right.
    """

    ok: bool
    error: float
    worst: str
    kinks: int

    def __bool__(self) -> bool:
        return self.ok


def gradcheck(
    f: Callable[..., Any], *inputs: Any, order: int = 1, rtol: float = 2e-9, rng: Any = 0, raises: bool = True
) -> GradCheck:
    """Compare the gradient of `f` with differences of its values, at the given inputs.

    Args:
        f: a function of Tensors that returns a Tensor of any shape.
        *inputs: float64 arrays; those of another float type are cast, integers are passed on as they are.
        order: 1 for the gradient, 2 for the gradient of the gradient too.
        rtol: the largest relative error that passes.
        rng: a `numpy.random.Generator` or an int; draws what the outputs are weighted by.
        raises: whether a failure is an error; else it is in the result.

    Returns:
        A GradCheck, with the largest error and its place.

    Raises:
        GradientError: a slope is wrong; the message has the place, both numbers, and a diagnosis.
        DTypeError: there is no input of floats.
    """
    if order not in (1, 2):
        raise ValueError(f"gradcheck: expected order 1 or 2, got {order!r}")
    generator = np.random.default_rng(rng)
    arrays = [np.array(x, float) if np.asarray(x).dtype.kind == "f" else np.asarray(x) for x in inputs]
    free = tuple(i for i, x in enumerate(arrays) if x.dtype.kind == "f")
    if not free:
        raise DTypeError("gradcheck: expected at least one input of floats, got none; write 2.0 for 2")
    with no_grad():
        weight = generator.standard_normal(np.shape(f(*map(_tensor, arrays)))) + 0.1

    def projected(*xs: Any) -> Any:
        return (f(*xs) * weight).sum()

    found = _compared(projected, arrays, free, generator, rtol)
    if found and order == 2:
        along = [generator.standard_normal(np.shape(arrays[i])) for i in free]

        def slope(*xs: Any) -> Any:
            parts = grad(projected, free)(*map(_tensor, xs))
            return sum((part * d).sum() for part, d in zip(parts, along, strict=True))

        second = _compared(slope, arrays, free, generator, rtol)
        found = GradCheck(
            second.ok, max(found.error, second.error), f"second derivative, {second.worst}", found.kinks + second.kinks
        )
    if raises and not found:
        raise GradientError(f"gradcheck: {getattr(f, 'name', getattr(f, '__name__', 'f'))}: {found.worst}")
    return found


def _compared(f: Any, arrays: list[Array], free: tuple[int, ...], generator: Any, rtol: float) -> GradCheck:
    """Analytic against numerical slopes of a function that returns one number."""
    analytic = [np.asarray(part) for part in grad(f, free)(*arrays)]
    scale = max((float(np.abs(part).max(initial=0)) for part in analytic), default=0.0)
    worst, place, kinks, ok = 0.0, "every slope agrees", 0, True
    for i, part in zip(free, analytic, strict=True):
        for direction, where in _directions(arrays[i], generator):

            def moved(h: float, i: int = i, direction: Array = direction) -> float:
                return _value(f, [*arrays[:i], arrays[i] + h * direction, *arrays[i + 1 :]])

            claimed = float((part * direction).sum())
            width = 0.02 * _reach(arrays[i], direction)
            measured, doubt = derivative(moved, width)
            size = max(abs(measured), abs(claimed), 1e-3 * scale, 1e-12)
            error = abs(claimed - measured) / size
            if not error <= rtol and _at_kink(moved, width, claimed, scale):
                kinks += 1
                continue
            ok = ok and error <= max(rtol, min(3 * doubt / size, 1e-5))  # no sharper than the differences are
            if not error <= worst:
                worst = error
                place = f"input {i}{where}: the rule says {claimed:.9g}, differences say {measured:.9g}"
                place += _hint(claimed, measured)
    return GradCheck(ok, worst, place, kinks)


def derivative(f: Callable[[float], float], width: float) -> tuple[float, float]:
    """f′(0) by central differences at widths w, w/2, w/4 …, extrapolated; and an estimate of its error."""
    rows: list[list[float]] = []
    best, doubt = np.nan, np.inf
    for level in range(LEVELS):
        h = width / 2**level
        row = [(f(h) - f(-h)) / (2 * h)]
        for k, before in enumerate(rows[-1] if rows else ()):
            row.append(row[k] + (row[k] - before) / (4 ** (k + 1) - 1))
            difference = max(abs(row[k + 1] - row[k]), abs(row[k + 1] - before))
            if difference <= doubt:
                best, doubt = row[k + 1], difference
        rows.append(row)
    return best, doubt


def _directions(x: Array, generator: Any) -> Any:
    """Every entry by itself or, of many, as many random directions."""
    if x.size <= ALL_ENTRIES:
        for at in np.ndindex(x.shape):
            direction = np.zeros(x.shape)
            direction[at] = 1
            yield direction, str(list(at)) if at else ""
        return
    for i in range(3):
        yield generator.standard_normal(x.shape) / np.sqrt(x.size), f" along random direction {i}"


def _reach(x: Array, direction: Array) -> float:
    """How far one may go: a share of the size of the entries that move."""
    moving = np.abs(x[direction != 0]) if x.ndim else np.abs(x)
    return float(np.clip(moving.min(initial=1.0) if moving.size else 1.0, 1e-3, 1.0))


def _at_kink(f: Callable[[float], float], width: float, claimed: float, scale: float) -> bool:
    """Whether the one-sided slopes differ, and the claimed one lies between them."""
    h = width / 2 ** (LEVELS + 6)
    middle = f(0.0)
    left, right = (middle - f(-h)) / h, (f(h) - middle) / h
    gap = abs(left - right)
    slack = 1e-6 * max(scale, 1.0)
    return bool(
        gap > 1e-3 * max(scale, abs(left), abs(right))
        and min(left, right) - slack <= claimed <= max(left, right) + slack
    )


def _hint(claimed: float, measured: float) -> str:
    if claimed == 0 and measured:
        return " (0: the gradient is cut)"
    if not measured or not np.isfinite(claimed / measured):
        return ""
    ratio = claimed / measured
    for value, words in ((2, "ratio 2: factor"), (0.5, "ratio ½: factor"), (-1, "ratio −1: sign")):
        if abs(ratio - value) < 1e-6:
            return f" ({words})"
    return f" (ratio {ratio:.6g})"


def _value(f: Any, arrays: list[Array]) -> float:
    with no_grad(), np.errstate(all="ignore"):
        return float(f(*map(_tensor, arrays)))


def _tensor(x: Any) -> Any:
    return x if isinstance(x, Tensor) or x.dtype.kind != "f" else Tensor(x)
