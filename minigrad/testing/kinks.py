"""The line `slope`: where the slope of a loss jumps, and whether its declared kinks say so, no more and no less."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.testing.card import Row, apart, right, wrong
from minigrad.testing.cuts import Cut, directional, lines
from minigrad.testing.differences import grain_of, narrowed
from minigrad.testing.exam import Exam
from minigrad.testing.gradient import suspicious
from minigrad.testing.places import spot
from minigrad.testing.subject import LossFailed, reason

if TYPE_CHECKING:
    from minigrad.losses import Loss

Array = Any
Kink = tuple[Callable[..., Any], dict[str, Any]]  # a function of kinks=, and the parameters that it is called with
JUMP = 1e-6  # of the larger slope, or of an ordinary one
BESIDE = np.array([-1e-7, 0.0, 1e-7])
LINES, STEPS = 12, 101  # between predictions of the sample, where the cuts may not lead


@dataclass(frozen=True)
class Jump:
    """A place at which the slope jumps: in words, predictions before, at and after it, and both slopes."""

    said: str
    pred: Array
    target: Array
    left: float
    right: float


def slope(exam: Exam) -> Row:
    """Every jump of the slope is declared, and every declared kink is one; at other parameters too."""
    if exam.loss.coupled:
        return apart("slope", "the samples of a batch hang together: there is no cut")
    jumps = list(_jumps(exam))
    if exam.loss.kinks is None:
        return _in_words(exam, jumps)
    for other, said in ((exam, ""), *exam.variants):
        if found := _misdeclared(other, jumps if other is exam else list(_jumps(other)), said):
            return found
    return _in_words(exam, jumps)


def _misdeclared(exam: Exam, jumps: list[Jump], said: str) -> Row | None:
    """A jump that no kink explains, or a kink without a jump, as a line."""
    kinks = declared(exam.loss)
    for jump in jumps:
        if not any(_explains(kink, jump) for kink in kinks):
            why = "no function of kinks= vanishes there" if kinks else "kinks= is ()"
            text = f"it jumps from {jump.left:.4g} to {jump.right:.4g} at {jump.said}{said}, but {why}"
            return wrong("slope", text, left=jump.left, right=jump.right)
    for kink in kinks:
        if (_entries(kink, *exam.sample) == 0).all(-1).mean() > 0.05:
            return wrong("slope", f"a function of kinks= vanishes on ordinary predictions too{said}: it names no place")
        if where := _contradicted(kink, exam):
            return wrong("slope", f"kinks= names {where}{said}, but the slope does not jump there")
    return None


def _in_words(exam: Exam, jumps: list[Jump]) -> Row:
    claimed = exam.loss.kinks is not None
    if jumps:
        first, places = jumps[0], [jump.said for jump in jumps]
        text = f"{first.left:.4g} and {first.right:.4g} at {first.said}: a kink"
        return right("slope", text, claimed=claimed, kinks=places, left=first.left, right=first.right)
    if not exam.traces:
        return right("slope", "no kink", claimed=claimed, kinks=[])
    trace = exam.traces[0]
    at = int(np.argmin(np.abs(trace.x - trace.cut.grid[len(trace.cut.grid) // 2])))
    here = float(trace.along[at]) + 0.0
    return right(
        "slope", f"{here:.4g} at {named(trace.cut, trace.x[at])}, no kink", claimed=claimed, kinks=[], middle=here
    )


def named(cut: Cut, x: float) -> str:
    """A place on a cut in words."""
    return f"{cut.axis} = {0.0 if abs(x) < 1e-9 else x:.4g}"


# --- jumps of the slope -----------------------------------------------------------------------------------------------
def _jumps(exam: Exam) -> Iterator[Jump]:
    for trace in exam.traces:
        cut, last = trace.cut, -np.inf
        first = suspicious(trace, np.abs(np.diff(trace.along)))

        def along(x: Array, _: Any, cut: Cut = cut) -> Array:
            return cut.along(exam.subject, x)

        for _, x, left, right_ in _found(
            exam, along, grain_of(cut.path(trace.x[first + 1])), trace.x[first], trace.x[first + 1]
        ):
            if x - last > 1e-6 * max(1.0, abs(x)):
                last = x
                label = f" ({cut.label})" if cut.label else ""
                beside = x + BESIDE * max(1.0, abs(x))
                yield Jump(named(cut, x) + label, cut.path(beside), cut.targets(3), left, right_)
    if exam.subject.events:
        yield from _on_lines(exam)


def _found(exam: Exam, along: Any, grain: Array, low: Array, high: Array) -> Iterator[tuple[int, float, float, float]]:
    """Where the slope jumps within intervals: which one, the place, and the slopes on both sides."""
    every = np.arange(len(low))
    least = JUMP * np.maximum(np.minimum(np.abs(along(low, every)), np.abs(along(high, every))), exam.typical)
    low, high = narrowed(along, low, high, 4 * grain, least)
    away = np.maximum(1e-9 * _room(exam, high), 64 * grain)
    left, right_ = along(low - away, every), along(high + away, every)
    across, gap = np.abs(along(high, every) - along(low, every)), np.abs(right_ - left)
    size = np.maximum(np.maximum(np.abs(left), np.abs(right_)), exam.typical)
    jumped = (np.minimum(gap, across) > JUMP * size) & (across > 0.3 * gap)  # most of it at the place itself
    jumped &= across > least  # what is less was not narrowed down any further
    for i in np.flatnonzero(jumped & (size > 0)):
        yield int(i), float(round((low[i] + high[i]) / 2, 12)), float(left[i]), float(right_[i])


def _room(exam: Exam, x: Array) -> Array:
    """How far one may step from a place."""
    return np.minimum(1, np.minimum(x, 1 - x)) if exam.loss.pred == "prob" else np.ones(len(x))


def _on_lines(exam: Exam) -> Iterator[Jump]:
    """Jumps on straight lines between predictions of the sample."""
    pred, target = exam.sample
    start, t = pred[:LINES], None if target is None else target[:LINES]
    across = exam.again(exam.rng("lines"))[:LINES] - start
    points, spread = lines(start, across, t, STEPS)
    slopes = directional(exam.subject.slopes(points, spread), np.repeat(across, STEPS, 0)).reshape(LINES, STEPS)
    where = np.argsort(-np.abs(np.diff(slopes)), axis=None, kind="stable")[:10]
    row, at = np.unravel_index(where, (LINES, STEPS - 1))
    grid = np.linspace(0, 1, STEPS)

    def path(x: Array, which: Array) -> Array:
        return start[row[which]] + x.reshape(-1, *(1,) * (pred.ndim - 1)) * across[row[which]]

    def along(x: Array, which: Array) -> Array:
        slopes = exam.subject.slopes(path(x, which), None if t is None else t[row[which]])
        return directional(slopes, across[row[which]])

    grain = grain_of(path(grid[at + 1], np.arange(len(row))))
    for i, x, left, right_ in _found(exam, along, grain, grid[at], grid[at + 1]):
        beside = (x + BESIDE).reshape(-1, *(1,) * (pred.ndim - 1))
        three, same = start[row[i]] + beside * across[row[i]], None if t is None else np.repeat(t[row[i]][None], 3, 0)
        yield Jump(spot(three[1], None if same is None else same[1]), three, same, left, right_)


# --- declared kinks ---------------------------------------------------------------------------------------------------
def declared(loss: Loss) -> list[Kink]:
    """The kink functions of a loss; those of a sum are called with the parameters of their parts."""
    if loss.parts:
        return [kink for _, part in loss.parts for kink in declared(part)]
    return [(function, loss.values) for function in loss.kinks or ()]


def _entries(kink: Kink, pred: Array, target: Array) -> Array:
    """What a kink function says, (m, entries)."""
    function, values_ = kink
    try:
        taken = inspect.signature(function).parameters
        every = any(p.kind is p.VAR_KEYWORD for p in taken.values())
        params = {name: value for name, value in values_.items() if every or name in taken}
        values = np.asarray(function(pred, target, **params), float)
    except Exception as error:
        raise LossFailed(f"a function of kinks= fails: {reason(error)}") from error
    if values.shape[:1] != pred.shape[:1]:
        raise LossFailed(f"a function of kinks= returns shape {values.shape} for {len(pred)} samples")
    return values.reshape(len(pred), -1)


def _explains(kink: Kink, jump: Jump) -> bool:
    """Whether a kink function vanishes where the slope jumps."""
    values = _entries(kink, jump.pred, jump.target)
    crossed = (np.sign(values[0]) != np.sign(values[2])) | (np.abs(values).min(0) < 1e-6)
    return bool(crossed.any())


def _contradicted(kink: Kink, exam: Exam) -> str:
    """A place where a kink function vanishes, if the slope jumps at none of them."""
    first = ""
    for trace in exam.traces:
        for x in _zeros(kink, trace.cut, trace.x):
            if _jumps_at(exam, trace.cut, x):
                return ""
            first = first or named(trace.cut, x) + (f" ({trace.cut.label})" if trace.cut.label else "")
    return first


def _zeros(kink: Kink, cut: Cut, x: Array) -> Iterator[float]:
    """Where a kink function vanishes along a cut: a few places for each of its entries."""
    values = _entries(kink, cut.path(x), cut.targets(len(x)))
    for column, entry in enumerate(values.T):
        if (touched := np.flatnonzero(entry == 0)).size < len(x) // 2:
            yield from x[touched[:4]]
        for i in np.flatnonzero(np.sign(entry[1:]) * np.sign(entry[:-1]) < 0)[:4]:
            yield _zero(kink, cut, x[i], x[i + 1], column)


def _zero(kink: Kink, cut: Cut, low: float, high: float, column: int) -> float:
    """The zero of one entry of a kink function between two places, by bisection."""

    def sign(x: float) -> float:
        return float(np.sign(_entries(kink, cut.path(np.array([x])), cut.targets(1))[0, column]))

    below = sign(low)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if sign(middle) == below else (low, middle)
    return (low + high) / 2


def _jumps_at(exam: Exam, cut: Cut, x: float) -> bool:
    """Whether the slope differs on both sides of a place, however near."""
    gaps = []
    for away in (1e-6, 1e-8):
        near = max(away, 64 * float(np.spacing(abs(x))))
        left, right_ = cut.along(exam.subject, np.array([x - near, x + near]))
        gaps.append(abs(right_ - left) / max(abs(left), abs(right_), exam.typical, 1e-300))
    return bool(gaps[1] > JUMP and gaps[1] > 0.3 * gaps[0])
