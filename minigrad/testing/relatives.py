"""The line on relatives: of which built-in loss is this one a multiple, everywhere or near the target?"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.testing.card import Row, apart, right
from minigrad.testing.exam import Exam
from minigrad.testing.parameters import changed
from minigrad.testing.subject import Subject

if TYPE_CHECKING:
    from minigrad.losses import Loss

Array = Any
ACCEPTS = {
    "unit": {"binary"},
    "index|simplex": {"index", "simplex"},
    "real": {"positive", "count"},
    "count": {"positive"},
}
ROUND = (0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 0.75, 0.8, 0.9, 1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 10.0)
SAME = 1e-9
POWERS = (("", 0), ("{} × ", 1), ("{}² × ", 2), ("1/{} × ", -1), ("1/{}² × ", -2))


def relatives(exam: Exam) -> Row:
    """Built-in losses of which this one is a multiple."""
    if exam.loss.coupled:
        return apart("relatives", "the samples of a batch hang together; no built-in loss does that")
    if all(abs(v) < 1e-300 for v in exam.values):
        return apart("relatives", "it is 0 on the whole sample")
    kin = [loss for loss in _built_in() if _comparable(exam.loss, loss)]
    words = [word for other in kin for word in _related(exam, other)]
    if not words:
        names = ", ".join(loss.name for loss in kin)
        return right("relatives", f"a multiple of none of {names}" if names else "none has these kinds", relatives=[])
    return right("relatives", "; ".join(words), relatives=words)


def _built_in() -> list[Loss]:
    from minigrad.losses import get, names

    return [get(name) for name in names("minigrad")]


def _comparable(loss: Loss, other: Loss) -> bool:
    same = other.target == loss.target or loss.target in ACCEPTS.get(other.target, ())
    return other.function is not loss.function and other.pred == loss.pred and same and other.heads == loss.heads


def _related(exam: Exam, other: Loss) -> Iterator[str]:
    """One relation to one built-in loss: everywhere if there is one, else near the target."""
    for candidate, own in _candidates(exam, other):
        theirs = Subject(candidate)
        factor = _factor(exam.values, theirs.values(*exam.sample))
        if factor is not None and all(_follows(trace, theirs, factor) for trace in exam.traces):
            if said := _named(exam, candidate, factor, own) if own else f"{_times(factor)}{candidate}":
                yield said
                return
    near = _near(exam, Subject(other))
    if near:
        yield f"{_times(near[0])}{other.name} for {near[1]}"


def _candidates(exam: Exam, other: Loss) -> Iterator[tuple[Loss, str]]:
    """The other loss at this loss's parameters, at its defaults, where the slopes at 0 point, and at round numbers."""
    own = {n: v for n, v in exam.loss.values.items() if isinstance(v, float)}
    numbers = [name for name, parameter in other.params.items() if isinstance(parameter.default, float)]
    for name in numbers:
        for mine, value in own.items():
            yield from _allowed(other, name, value, mine)
    yield other, ""
    for name in numbers:
        for value in (*_slope_shares(exam), *ROUND):
            yield from _allowed(other, name, value, "")


def _allowed(other: Loss, name: str, value: float, mine: str) -> Iterator[tuple[Loss, str]]:
    try:
        yield other.with_(**{name: value}), f"{name}={mine}" if mine else ""
    except (ValueError, TypeError):
        return


def _slope_shares(exam: Exam) -> list[float]:
    """How the slopes on both sides of the middle compare: what a quantile is made of."""
    if not exam.traces:
        return []
    trace = exam.traces[0]
    middle = int(np.argmin(np.abs(trace.x)))
    left, right_ = abs(trace.along[middle - 1]), abs(trace.along[middle + 1])
    return [round(float(left / (left + right_)), 9)] if left + right_ > 0 else []


def _factor(mine: Array, theirs: Array) -> float | None:
    """c, if mine is c·theirs everywhere."""
    size = np.abs(theirs).max(initial=0)
    if not size or not np.isfinite(size):
        return None
    at = int(np.argmax(np.abs(theirs)))
    factor = float(mine[at] / theirs[at])
    close = np.abs(mine - factor * theirs) <= SAME * (np.abs(mine) + np.abs(factor * theirs)) + 1e-12 * size * abs(
        factor
    )
    return factor if factor and bool(close.all()) else None


def _follows(trace: Any, theirs: Subject, factor: float) -> bool:
    values = factor * trace.cut.values(theirs, trace.x)
    known = np.isfinite(values) & np.isfinite(trace.value)
    size = np.abs(trace.value) + np.abs(values)
    return bool((np.abs(values - trace.value)[known] <= SAME * size[known] + 1e-12).all())


def _near(exam: Exam, theirs: Subject) -> tuple[float, str] | None:
    """The factor near the target, and how far it holds: only for residuals."""
    trace = exam.traces[0] if exam.traces else None
    if trace is None or trace.cut.axis != "r":
        return None
    x, mine = trace.x[trace.inside], trace.value[trace.inside]
    other, middle = trace.cut.values(theirs, x), len(x) // 2
    inner = slice(middle - 5, middle + 6)
    factor = _factor(mine[inner], other[inner])
    if factor is None:
        return None
    off = np.abs(mine - factor * other) > SAME * (np.abs(mine) + np.abs(factor * other)) + 1e-13 * exam.scale
    held = int(np.abs(np.flatnonzero(off) - middle).min(initial=middle)) - 1
    if held < 15:
        return None
    limit = _limit(
        exam, theirs, factor, abs(float(x[middle + held])), abs(float(x[min(middle + held + 1, len(x) - 1)]))
    )
    return factor, f"|r| ≤ {limit:.4g}"


def _limit(exam: Exam, theirs: Subject, factor: float, low: float, high: float) -> float:
    """How far a relation holds, by bisection."""
    cut = exam.traces[0].cut
    for _ in range(40):
        middle = (low + high) / 2
        x = np.array([-middle, middle])
        mine, other = cut.values(exam.subject, x), factor * cut.values(theirs, x)
        holds = (np.abs(mine - other) <= 1e-13 + 1e-12 * np.abs(mine)).all()
        low, high = (middle, high) if holds else (low, middle)
    return float(f"{low:.4g}")


def _named(exam: Exam, other: Loss, factor: float, own: str) -> str:
    """A relation that holds for every value of a parameter of this loss, with its name; or nothing."""
    theirs, _, mine = own.partition("=")
    value = float(exam.loss.values[mine])
    for loss, said in changed(exam):
        if said.startswith(f"{mine}="):
            moved = float(loss.values[mine])
            twin = next((twin for twin, _ in _allowed(other, theirs, moved, "")), None)
            again = _factor(Subject(loss).values(*exam.sample), Subject(twin).values(*exam.sample)) if twin else None
            for word, power in POWERS:
                if again and abs(again / factor / (moved / value) ** power - 1) < SAME:
                    return f"{_times(factor / value**power)}{word.format(mine)}{other.name}({own})"
    return ""


def _times(factor: float) -> str:
    """A factor as a person writes it: nothing for 1, a fraction, or four digits."""
    if abs(factor - 1) < SAME:
        return ""
    fraction = Fraction(factor).limit_denominator(20)
    if abs(float(fraction) / factor - 1) < SAME and fraction.denominator > 1:
        return {Fraction(1, 2): "½", Fraction(1, 4): "¼", Fraction(3, 4): "¾"}.get(fraction, str(fraction)) + " × "
    return f"{factor:.6g} × "
