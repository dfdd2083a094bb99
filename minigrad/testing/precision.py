"""The lines on numbers: finite far out, and in float32 what it is in float64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.testing.card import Row, right, wrong
from minigrad.testing.cuts import Cut
from minigrad.testing.exam import Exam
from minigrad.testing.places import single, spot
from minigrad.testing.subject import norms

Array = Any
DTYPES = ("float64", "float32")
REACH = np.logspace(0, 4, 41)  # to ±1e4
ROUGH, USUAL = 3e-3, 3e-5  # the largest difference of float32 and float64 that passes, and that of most places


# --- finite -----------------------------------------------------------------------------------------------------------
def finite(exam: Exam) -> Row:
    """Value and gradient at ±1e4, and at the ends of probabilities: finite, or too large for the dtype."""
    if not exam.traces:
        return _finite_batches(exam)
    too_large: dict[str, float] = {}
    for dtype in DTYPES:
        for trace in exam.traces:
            for way in _ways(exam, trace.cut, dtype):
                found, beyond = _along(exam, trace.cut, way, dtype)
                if found:
                    return wrong("finite", found)
                if beyond is not None:
                    too_large[dtype] = min(too_large.get(dtype, np.inf), beyond)
    said = "at p = 0 and 1" if exam.loss.pred == "prob" else "at ±1e4"
    if not len(exam.traces[0].cut.far):
        said = "on its cuts"
    if too_large:
        limits = " and ".join(f"{limit:.3g} ({dtype})" for dtype, limit in too_large.items())
        return right("finite", f"{said}; too large for the dtype beyond {limits}", too_large=too_large)
    return right("finite", f"{said} in float64 and float32")


@dataclass(frozen=True)
class Way:
    """Places that lead further and further out; the last one may be an end of the domain."""

    x: Array
    end: bool


def _ways(exam: Exam, cut: Cut, dtype: str) -> Iterator[Way]:
    """From the middle of a cut to both ends: of the grid and, unless that is singular, beyond it."""
    if exam.loss.pred == "prob":
        tiny = -np.arange(1.0, 37 if dtype == "float32" else 300, 3)
        yield Way(np.append(10.0**tiny, 0.0), True)
        near = 2.0 ** -np.arange(1.0, 23 if dtype == "float32" else 52)
        yield Way(np.append(1 - near, 1.0), True)
        return
    middle = len(cut.grid) // 2
    beyond = REACH[REACH > cut.grid[-1]] if len(cut.far) and not cut.singular else REACH[:0]
    yield Way(np.concatenate([cut.grid[middle::5], beyond]), False)
    yield Way(np.concatenate([cut.grid[middle::-5], -beyond]), False)


def _along(exam: Exam, cut: Cut, way: Way, dtype: str) -> tuple[str, float | None]:
    """What is not finite on a way and should be, or from where on the numbers are too large."""
    values, sizes = _measured(exam, cut, way.x, dtype)
    beyond = None
    for name, numbers in (("the value", values), ("the gradient", sizes)):
        bad = ~np.isfinite(numbers) & (np.isfinite(values) | (numbers is values))
        if not bad.any():
            continue
        first = int(np.argmax(bad))
        where = f"{cut.axis} = {way.x[first]:.4g} ({cut.label}) in {dtype}".replace(" ()", "")
        if np.isnan(numbers[bad]).any():
            at = int(np.argmax(np.isnan(numbers)))
            return f"{name} is nan at {where.replace(f'{way.x[first]:.4g}', f'{way.x[at]:.4g}')}", None
        if way.end and first == len(way.x) - 1 and _diverges(exam, cut, way.x, numbers is values):
            continue
        if first == 0 or not _overflows(exam, cut, way.x[first - 1], way.x[first], dtype, name == "the value"):
            return f"{name} is {numbers[first]:g} at {where}, where it is not too large", None
        beyond = abs(float(way.x[first - 1])) if beyond is None else min(beyond, abs(float(way.x[first - 1])))
    return "", beyond


def _diverges(exam: Exam, cut: Cut, x: Array, of_value: bool) -> bool:
    """Whether numbers grow for ever towards the end of a domain: in float64 too, where a floor would show."""
    numbers = _measured(exam, cut, x, "float64")[0 if of_value else 1]
    return bool(not np.isfinite(numbers[-1]) and numbers[-2] > numbers[len(numbers) // 2] + 1)


def _measured(exam: Exam, cut: Cut, x: Array, dtype: str) -> tuple[Array, Array]:
    """Values and lengths of the gradient, computed in a dtype."""
    pred, target = cut.path(x), cut.targets(len(x))
    pred = single(pred) if dtype == "float32" else pred
    target = single(target) if dtype == "float32" else target
    values = exam.subject.values(pred, target)
    return values, norms(exam.subject.slopes(pred, target).astype(float))


def _overflows(exam: Exam, cut: Cut, inside: float, outside: float, dtype: str, of_value: bool) -> bool:
    """Whether a number is nearly as large as its dtype allows before it becomes infinite."""
    for _ in range(30):
        middle = (inside + outside) / 2
        numbers = _measured(exam, cut, np.array([middle]), dtype)[0 if of_value else 1]
        inside, outside = (middle, outside) if np.isfinite(numbers[0]) else (inside, middle)
    last = abs(float(_measured(exam, cut, np.array([inside]), dtype)[0 if of_value else 1][0]))
    return bool(last > np.sqrt(float(np.finfo(dtype).max)))


def _finite_batches(exam: Exam) -> Row:
    """Of a loss without cuts: batches that lie far apart, and on one point."""
    pred, target = exam.sample
    if exam.loss.pred == "prob":
        places = [np.clip(np.round(pred), 0, 1), np.full_like(pred, 1e-7), np.full_like(pred, 1 - 1e-7)]
    else:
        places = [pred * 1e3, pred * 1e-3, np.broadcast_to(pred[:, :1], pred.shape).copy()]
        if exam.loss.heads:
            places.append(np.broadcast_to(pred[:, :, :1], pred.shape).copy())  # the items of each sample on one point
    for dtype in DTYPES:
        for p in places:
            p, t = (single(p), single(target)) if dtype == "float32" else (p, target)
            values, sizes = exam.subject.values(p, t), norms(exam.subject.slopes(p, t).astype(float))
            for name, numbers in (("the value", values), ("the gradient", sizes)):
                if not np.isfinite(numbers).all():
                    at = int(np.argmin(np.isfinite(numbers)))
                    return wrong("finite", f"{name} is {numbers[at]:g} on a batch far out or on one point, in {dtype}")
    return right("finite", "far out and on one point, in float64 and float32")


# --- float32 ----------------------------------------------------------------------------------------------------------
def float32(exam: Exam) -> Row:
    """The largest difference between float32 and float64 on the same inputs, for values and slopes."""
    worst = 0.0
    for pred, target in _places(exam):
        pred, target = single(pred), single(target)
        wide = pred.astype(float), target.astype(float) if target is not None and target.dtype.kind == "f" else target
        for name, ask, size in (
            ("value", exam.subject.values, exam.scale),
            ("slope", exam.subject.slopes, exam.typical),
        ):
            error, numbers, truth = _difference(ask, pred, target, wide, size)
            worst = max(worst, float(error.max(initial=0)))
            if error.max(initial=0) > ROUGH or (len(error) >= 20 and np.quantile(error, 0.8) > USUAL):
                at = int(np.argmax(error))
                text = f"a {name} is {numbers[at]:.6g}, in float64 {truth[at]:.6g}, at {_where(exam, pred, target, at)}"
                return wrong("float32", text, f"off by {error[at]:.1g}")
    return right("float32", f"within {worst:.0e} of float64" if worst else "as in float64", error=worst)


def _where(exam: Exam, pred: Array, target: Array, at: int) -> str:
    return spot(pred[at], None if target is None else target[at], exam.loss.coupled)


def _difference(ask: Any, pred: Array, target: Array, wide: tuple[Array, Array], size: float) -> tuple[Any, Any, Any]:
    """Errors of each unit relative to the largest entry, beyond what moving the input by a rounding does to it."""
    low = ask(pred, target).astype(float).reshape(len(pred), -1)
    high = ask(*wide).reshape(len(pred), -1)
    nudged = [ask(wide[0] * (1 + step) + step * 1e-30, wide[1]).reshape(len(pred), -1) for step in (-2e-7, 2e-7)]
    lowest, highest = np.minimum.reduce([high, *nudged]), np.maximum.reduce([high, *nudged])
    gap = np.maximum(np.maximum(lowest - low, low - highest), 0)
    scale = np.abs(high).max(-1, keepdims=True) + 0.1 * size
    error = np.where(np.isfinite(low) & np.isfinite(high), gap / np.where(scale > 0, scale, 1), 0)
    at = error.argmax(-1)
    rows = np.arange(len(pred))
    return error[rows, at], low[rows, at], high[rows, at]


def _places(exam: Exam) -> Iterator[tuple[Array, Array]]:
    """The sample and places on the cuts, the ends of probabilities left out: there a floor depends on the dtype."""
    yield exam.sample
    for trace in exam.traces:
        chosen = trace.x[(np.arange(len(trace.x)) % 25 == 0) | (~trace.inside & (np.abs(trace.x) < 1.1e3))]
        if exam.loss.pred == "prob":
            chosen = chosen[(chosen > 1e-7) & (chosen < 1 - 1e-6)]
        yield trace.cut.path(chosen), trace.cut.targets(len(chosen))
