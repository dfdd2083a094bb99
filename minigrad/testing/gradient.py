"""The line `gradient`: the closed form and the engine's slope against differences of the values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.testing.card import Row, right, wrong
from minigrad.testing.cuts import Cut, directional
from minigrad.testing.differences import disagreement, grain_of, narrowed, telling
from minigrad.testing.exam import Exam, Trace
from minigrad.testing.places import spot
from minigrad.testing.subject import norms
from minigrad.testing.values import leak

Array = Any
EVERY = 12  # of the places of a cut one in so many is compared
DIRECTIONS = 3  # random ones, for a prediction of many entries
NEAR = np.concatenate([-np.logspace(-8, -2, 7), np.logspace(-8, -2, 7)])  # what a grid does not see


def gradient(exam: Exam) -> Row:
    """At every kind of place and for every parameter; beside that, no value may jump."""
    worst = 0.0
    for other, said in ((exam, ""), *exam.variants, *exam.resized):
        found, gap = _compared(other, said)
        if found:
            return found
        worst = max(worst, gap)
        if found := _leak(other, said):
            return found
    if found := _jump(exam):
        return found
    if exam.loss.grad is None:
        return right("gradient", "the engine's slope is that of the values")
    return right("gradient", f"closed form and autograd agree to {max(worst, 1e-16):.0e}", gap=worst)


# --- against differences ----------------------------------------------------------------------------------------------
def _compared(exam: Exam, said: str) -> tuple[Row | None, float]:
    """The first wrong slope as a line, and how far the closed form is from autograd."""
    subject, (pred, target), ways = exam.subject, *_asked(exam, few=bool(said))
    noise = _noise(exam, pred, subject.values(pred, target))
    for direction in _directions(exam, pred, said):

        def along(h: Array, which: Array, direction: Array = direction) -> Array:
            steps = h.reshape(-1, *(1,) * (pred.ndim - 1)) * direction[which]
            return subject.values(pred[which] + steps, None if target is None else target[which])

        for name, slopes in ways:
            claimed = directional(slopes, direction)
            error, measured = disagreement(along, claimed, _reach(exam, pred), grain_of(pred), noise, exam.typical)
            error = np.where(np.isfinite(claimed), error, 0 if said else np.inf)
            if error.any():
                at = int(np.argmax(_readable(error, exam, pred, target)))
                where = spot_of(exam, pred, target, at) + said
                return _fault(exam, name, where, claimed[at], measured[at], len(pred)), 0.0
    return None, _gap(ways)


def _noise(exam: Exam, pred: Array, values: Array) -> Array:
    """What values may be off by: terms as large as the predictions may cancel."""
    size = np.abs(pred).reshape(len(pred), -1).max(-1)
    return np.finfo(float).eps * (np.abs(values) + exam.scale + size * exam.typical)


def _asked(exam: Exam, few: bool) -> tuple[tuple[Array, Array], list[tuple[str, Array]]]:
    """Places at which the value is a number, and what each way says of the slope there."""
    pred, target = _places(exam, few)
    values = exam.subject.values(pred, target)
    known = np.isfinite(values) & (np.abs(values) < 1e100)
    pred, target = pred[known], None if target is None else target[known]
    ways = [("autograd", exam.subject.recorded(pred, target))]
    if exam.loss.grad is not None:
        ways.insert(0, ("grad=", exam.subject.slopes(pred, target)))
    return (pred, target), ways


def _fault(exam: Exam, name: str, where: str, claimed: float, measured: float, n: int) -> Row:
    text = f"at {where}: {name} says {claimed:.6g}, the value's slope is {measured:.6g}"
    entries = {"n": float(n), "K": float(exam.sizes.classes)}
    return wrong("gradient", text, telling(claimed, measured, entries), says=claimed, slope=measured)


def spot_of(exam: Exam, pred: Array, target: Array, at: int) -> str:
    """A place in words; of a residual, the residual."""
    if (exam.loss.pred, exam.loss.target) == ("real", "real") and not exam.loss.coupled:
        return f"r = {pred[at] - target[at]:.4g}"
    return spot(pred[at], None if target is None else target[at], exam.loss.coupled)


def _readable(error: Array, exam: Exam, pred: Array, target: Array) -> Array:
    """Large errors, at predictions of ordinary size first: they make the better counterexample."""
    real = (exam.loss.pred, exam.loss.target) == ("real", "real") and not exam.loss.coupled
    size = np.abs(pred - target if real else pred).reshape(len(pred), -1).max(-1)
    return np.where(error > 0, np.minimum(error, 1) + 1e-9, 0) / (1 + np.abs(np.log(size + 1e-3)))


def _gap(ways: list[tuple[str, Array]]) -> float:
    """The largest difference between two ways to the same slopes, relative to the largest entry of a sample."""
    if len(ways) < 2:
        return 0.0
    a, b = (slopes.reshape(len(slopes), -1) for _, slopes in ways)
    size = np.maximum(np.abs(a), np.abs(b)).max(-1)
    gap = np.abs(a - b).max(-1)[size > 0] / size[size > 0]
    return float(np.quantile(gap, 0.99)) if gap.size else 0.0  # at a kink both may be right and differ


def _places(exam: Exam, few: bool) -> tuple[Array, Array]:
    """The sample, wider ones, and places on every cut: in steps, near its middle, far out, and where it looks wrong."""
    pred, target = exam.sample
    if exam.loss.coupled:
        return (pred[:2], None if target is None else target[:2]) if few else (pred, target)
    rng = exam.rng("places")
    wide = exam.again(rng, 10 ** rng.uniform(0.3, 2.3, len(pred)))
    preds, targets = [pred, wide], [target, target]
    near = NEAR[np.abs(NEAR) > 1e-3] if exam.loss.pred == "embedding" else NEAR  # several kinks may lie together there
    for trace in exam.traces:
        chosen = (np.arange(len(trace.x)) % (EVERY * (4 if few else 1)) == 0) | ~trace.inside | (trace.x == 0)
        chosen[_doubtful(exam, trace, few)] = True
        x = np.concatenate([trace.x[chosen], trace.cut.grid[len(trace.cut.grid) // 2] + near])
        preds.append(trace.cut.path(x))
        targets.append(trace.cut.targets(len(x)))
    return np.concatenate(preds), None if target is None else np.concatenate(targets)


def _doubtful(exam: Exam, trace: Trace, few: bool) -> Array:
    """Places at which the two ways to a slope differ most, or the slope and the steps of the value."""
    steps = np.abs(np.diff(trace.value) - _integral(trace)) / np.diff(trace.x)
    doubt = np.concatenate([steps, [0.0]])
    if exam.loss.grad is not None and not few:
        some = slice(None, None, 5 if exam.subject.events else 1)  # rows take autograd longer
        x = trace.x[some]
        doubt[some] += 1e3 * norms(
            exam.subject.recorded(trace.cut.path(x), trace.cut.targets(len(x))) - trace.slope[some]
        )
    doubt = np.where(trace.inside, np.nan_to_num(doubt, nan=np.inf), 0)
    return np.argsort(-doubt, kind="stable")[:12]


def _reach(exam: Exam, pred: Array) -> Array:
    """How far each prediction may be moved."""
    if exam.loss.pred == "prob":
        return np.minimum(1, 2 * np.minimum(pred, 1 - pred).reshape(len(pred), -1).min(-1))
    return np.ones(len(pred))


def _directions(exam: Exam, pred: Array, said: str) -> Iterator[Array]:
    """Every entry by itself; of many, as many random directions."""
    shape = pred.shape[1:]
    if int(np.prod(shape)) <= DIRECTIONS:
        for at in np.ndindex(shape):
            direction = np.zeros(pred.shape)
            direction[(slice(None), *at)] = 1
            yield direction
        return
    rng = exam.rng("directions" + said)
    for _ in range(1 if said else DIRECTIONS):
        yield rng.uniform(0.3, 1, pred.shape) * rng.choice([-1.0, 1.0], pred.shape)


# --- other faults of slopes -------------------------------------------------------------------------------------------
def _leak(exam: Exam, said: str) -> Row | None:
    """A closed form that makes another dtype of its prediction's."""
    found = leak(exam, exam.loss.grad, f"grad={said}") if exam.loss.grad is not None else ""
    return wrong("gradient", found) if found else None


def _jump(exam: Exam) -> Row | None:
    """A value that jumps: the integral of the slope along a cut against the difference of two values."""
    for trace in exam.traces:

        def f(x: Array, _: Any = None, cut: Cut = trace.cut) -> Array:
            return cut.values(exam.subject, x)

        first = suspicious(trace, np.abs(np.diff(trace.value) - _integral(trace)))
        least = 1e-9 * (np.maximum(np.abs(trace.value[first]), np.abs(trace.value[first + 1])) + exam.scale)
        grain = 4 * grain_of(trace.cut.path(trace.x[first + 1]))
        low, high = narrowed(f, trace.x[first], trace.x[first + 1], grain, least)
        a, b = f(low), f(high)
        steep = 1e3 * (high - low) * (exam.typical + np.abs(trace.along[first]) + np.abs(trace.along[first + 1]))
        bad = (np.abs(b - a) > least + steep) & np.isfinite(steep)
        if bad.any():
            at = int(np.argmax(np.where(bad, np.abs(b - a), 0)))
            return wrong("gradient", _jump_in_words(trace.cut, a[at], b[at], high[at]), "path integral")
    return None


def _integral(trace: Trace) -> Array:
    """The slope between neighbours, by the trapezoid rule."""
    return np.diff(trace.x) * (trace.along[1:] + trace.along[:-1]) / 2


def suspicious(trace: Trace, steps: Array) -> Array:
    """The steps of a cut at which a quantity may jump: the largest on the grid, and all beyond it."""
    steps = np.nan_to_num(steps, nan=0.0, posinf=0.0, neginf=0.0)
    on_grid = trace.inside[1:] & trace.inside[:-1]
    inner = np.argsort(-np.where(on_grid, steps, -1), kind="stable")[:8]
    return np.sort(np.concatenate([inner, np.flatnonzero(~on_grid)]))


def _jump_in_words(cut: Cut, a: float, b: float, x: float) -> str:
    label = f" ({cut.label})" if cut.label else ""
    return f"the value jumps from {a:.6g} to {b:.6g} at {cut.axis} = {x:.4g}{label}, which no slope explains"
