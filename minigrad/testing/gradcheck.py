"""gradcheck: gradients against the function itself, to the last digits that it can give.

Where a function is analytic and its NumPy code runs on complex numbers, its slope is Im f(x + ih)/h with h = 1e-100,
right to rounding (Squire and Trapp 1998, doi:10.1137/S003614459631241X). Whether that applies is itself tested, on the
function, against differences. Elsewhere differences at several widths are extrapolated to width 0 (Richardson 1911;
the choice of the entry is that of Ridders 1982, doi:10.1016/S0141-1195(82)80057-0): right to about 1e-12, so that a
rule that is wrong in the eighth digit is found. A second derivative is the first derivative of the gradient, and is
checked as such.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.engine.errors import DTypeError, GradientError
from minigrad.engine.graph import no_grad
from minigrad.engine.tensor import Tensor
from minigrad.engine.transforms import grad

Array = Any
ALL_ENTRIES = 64  # up to so many entries each is checked; of more, a few random directions
DIRECTIONS, LEVELS, TINY = 3, 5, 1e-100


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

    def and_then(self, other: GradCheck, what: str) -> GradCheck:
        """Both together; of two failures the first is told."""
        mine = not self.ok or (other.ok and self.error >= other.error)
        worst = self.worst if mine else f"{what}{other.worst}"
        return GradCheck(self.ok and other.ok, max(self.error, other.error), worst, self.kinks + other.kinks)


def gradcheck(
    f: Callable[..., Any], *inputs: Any, order: int = 1, rtol: float = 2e-9, rng: Any = 0, raises: bool = True
) -> GradCheck:
    """Compare the gradient of `f` with its values, at the given inputs.

    Args:
        f: a function of Tensors that returns a Tensor of any shape. It is also tried on complex arrays, and may refuse
            them.
        *inputs: float64 arrays; those of another float type are cast, integers are passed on as they are.
        order: 1 for the gradient, 2 for the gradient of the gradient too.
        rtol: the largest relative error that passes; four times that in second order.
        rng: a `numpy.random.Generator` or an int; draws what the outputs are weighted by.
        raises: whether a failure is an error; else it is in the result.

    Returns:
        A GradCheck, with the largest error and its place.

    Raises:
        GradientError: a slope is wrong; the message has the place, both numbers, and a diagnosis.
        DTypeError: there is no input of floats.
        TypeError: `f` cannot be called.
    """
    if order not in (1, 2):
        raise ValueError(f"gradcheck: expected order 1 or 2, got {order!r}; a third is gradcheck(grad(f), order=2)")
    if not callable(f):
        raise TypeError(f"gradcheck: expected a function, got {f!r:.60}; write gradcheck(f, x)")
    generator = np.random.default_rng(rng)
    arrays = [np.array(x, float) if np.asarray(x).dtype.kind == "f" else np.asarray(x) for x in inputs]
    free = tuple(i for i, x in enumerate(arrays) if x.dtype.kind == "f")
    if not free:
        raise DTypeError("gradcheck: expected at least one input of floats, got none; write 2.0 for 2")
    with no_grad(), np.errstate(all="ignore"):
        shape = np.shape(f(*map(_tensor, arrays)))
    weight = generator.standard_normal(shape) + 0.1 if math.prod(shape) > 1 else np.ones(shape)

    def projected(*xs: Any) -> Any:
        return (f(*xs) * weight).sum()

    found = _compared(projected, arrays, free, generator, rtol)
    if found and order == 2:
        along = [generator.standard_normal(np.shape(arrays[i])) for i in free]

        def bent(*xs: Any) -> Any:
            out = f(*xs)  # squared, so that what comes in to the rules depends on the inputs too
            return ((1 + 0.5 * out) * out * weight).sum()

        def slope(of: Any) -> Any:
            parts = grad(of, free)
            return lambda *xs: sum((p * d).sum() for p, d in zip(parts(*map(_tensor, xs)), along, strict=True))

        second = _compared(slope(bent), arrays, free, generator, 4 * rtol)  # of gradients, not of values
        if not second and not (plain := _compared(slope(projected), arrays, free, generator, 4 * rtol)):
            second = plain  # whose numbers tell more
        found = found.and_then(second, "second derivative, ")
    if raises and not found:
        raise GradientError(f"gradcheck: {getattr(f, 'name', getattr(f, '__name__', 'f'))}: {found.worst}")
    return found


def _compared(f: Any, arrays: list[Array], free: tuple[int, ...], generator: Any, rtol: float) -> GradCheck:
    """Analytic against numerical slopes of a function that returns one number."""
    with np.errstate(all="ignore"):
        analytic = [np.asarray(part) for part in grad(f, free)(*arrays)]
    scale = max((float(np.abs(part).max(initial=0)) for part in analytic), default=0.0)
    exact = _is_analytic(f, arrays, free, generator)
    worst, place, kinks, ok = 0.0, "every slope agrees", 0, True
    for i, part in zip(free, analytic, strict=True):
        for direction, where in _directions(arrays[i], generator):
            line = _Line(f, arrays, {i: direction}, scale)
            claimed = float((part * direction).sum())
            measured, doubt = line.measured(claimed, rtol, exact)
            error = line.relative(claimed - measured, claimed, measured)
            if not (exact and error <= rtol) and line.has_kink(claimed):
                kinks += 1
                continue
            ok = ok and error <= max(rtol, min(3 * line.relative(doubt, claimed, measured), 1e-5))
            if not error <= worst:
                worst = error
                place = f"input {i}{where}: the rule says {claimed:.9g}, differences say {measured:.9g}"
                place += _hint(claimed, measured)
    return GradCheck(ok, worst, place, kinks)


def _is_analytic(f: Any, arrays: list[Array], free: tuple[int, ...], generator: Any) -> bool:
    """Whether a complex step measures the slope of f: it must agree with differences, all entries moved at once."""
    line = _Line(f, arrays, {i: generator.standard_normal(arrays[i].shape) + 0.1 for i in free}, 0.0)
    by_steps, (by_differences, doubt) = line.complex_step(), line.differences()
    return line.relative(abs(by_steps - by_differences) + doubt, by_steps, by_differences) <= 1e-7


class _Line:
    """f along a line through the inputs: its slope there, measured in two ways."""

    def __init__(self, f: Any, arrays: list[Array], directions: dict[int, Array], scale: float) -> None:
        self.f, self.arrays, self.directions, self.scale = f, arrays, directions, scale
        self.width = 0.02 * min((_reach(arrays[i], d) for i, d in directions.items()), default=1.0)

    def at(self, h: complex) -> list[Array]:
        """The inputs, a step away."""
        return [x + h * self.directions[i] if i in self.directions else x for i, x in enumerate(self.arrays)]

    def value(self, h: float) -> float:
        """The value of f there."""
        with no_grad(), np.errstate(all="ignore"):
            return float(self.f(*map(_tensor, self.at(h))))

    def relative(self, difference: float, *slopes: float) -> float:
        """A difference of slopes, relative to the largest of them and to the typical one."""
        return abs(difference) / max(*map(abs, slopes), 1e-3 * self.scale, 1e-12)

    def complex_step(self) -> float:
        """Im f(x + ih)/h; NaN if f is no function of complex numbers."""
        with no_grad(), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error")  # a complex number that loses its imaginary part says so
            try:
                return float(np.imag(complex(self.f(*self.at(1j * TINY)))) / TINY)
            except Exception:  # whatever it says, it is no such function
                return math.nan

    def differences(self) -> tuple[float, float]:
        """The slope by extrapolated differences, and an estimate of its error; narrower ones where a kink is near."""
        best, doubt, rounding = math.nan, math.inf, 2.0**-49 * abs(self.value(0.0))
        for shrink in (1, 0.1, 0.01, 0.001):
            width = shrink * self.width
            found, error = derivative(self.value, width)
            error = max(error, rounding / width)
            if error < doubt:
                best, doubt = found, error
            if doubt <= 1e-9 * max(abs(best), self.scale, 1e-3):
                break
        return best, doubt

    def measured(self, claimed: float, rtol: float, exact: bool) -> tuple[float, float]:
        """The slope and what is to be doubted about it: a complex step first, where f is analytic.

        If that and the rule disagree, differences decide which of the two they cannot agree with: f may be analytic
        almost everywhere and not here.
        """
        step = self.complex_step() if exact else math.nan
        if self.relative(claimed - step, claimed, step) <= rtol:
            return step, 0.0
        found, doubt = self.differences()
        return (step, 0.0) if abs(step - found) <= 10 * doubt else (found, doubt)

    def has_kink(self, claimed: float) -> bool:
        """Whether the one-sided slopes differ, and the claimed one lies between them."""
        h = self.width / 2 ** (LEVELS + 6)
        middle = self.value(0.0)
        left, right = (middle - self.value(-h)) / h, (self.value(h) - middle) / h
        slack = 1e-6 * max(self.scale, 1.0)
        return bool(
            abs(left - right) > 1e-3 * max(self.scale, abs(left), abs(right))
            and min(left, right) - slack <= claimed <= max(left, right) + slack
        )


def derivative(f: Callable[[float], float], width: float) -> tuple[float, float]:
    """f′(0) by central differences at widths w, w/2, w/4 …, extrapolated; and an estimate of its error."""
    rows: list[list[float]] = []
    best, doubt = math.nan, math.inf
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


def _directions(x: Array, generator: Any) -> Iterator[tuple[Array, str]]:
    """Every entry by itself or, of many, a few random directions."""
    if x.size <= ALL_ENTRIES:
        for at in np.ndindex(x.shape):
            direction = np.zeros(x.shape)
            direction[at] = 1
            yield direction, str(list(at)) if at else ""
        return
    for i in range(DIRECTIONS):
        yield generator.standard_normal(x.shape) / np.sqrt(x.size), f" along random direction {i}"


def _reach(x: Array, direction: Array) -> float:
    """How far one may go: the size of the smallest entry that moves and is not 0, up to 1."""
    moving = np.abs(x[(direction != 0) & (x != 0)])
    return max(float(moving.min(initial=1.0)), 1e-3)


def _hint(claimed: float, measured: float) -> str:
    """What the ratio of both numbers tells of the mistake."""
    if claimed == 0 and measured:
        return " (0: the gradient is cut)"
    if not measured or not np.isfinite(claimed / measured):
        return ""
    ratio = claimed / measured
    for value, words in ((2, "ratio 2: factor"), (0.5, "ratio ½: factor"), (-1, "ratio −1: sign")):
        if abs(ratio - value) < 1e-6:
            return f" ({words})"
    return f" (ratio {ratio:.12g})" if abs(ratio - 1) < 1e-5 else f" (ratio {ratio:.6g})"


def _tensor(x: Any) -> Any:
    return x if isinstance(x, Tensor) or x.dtype.kind != "f" else Tensor(x)
