"""The lines that say what a loss is: where it is least, what it costs at chance, how it grows, whom it listens to."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from minigrad.losses.kinds import PRED
from minigrad.testing import samplers
from minigrad.testing.card import Row, apart, right, wrong
from minigrad.testing.exam import Exam, Trace
from minigrad.testing.subject import Subject, norms

Array = Any
COUPLED = "the samples of a batch hang together: there is no cut"
POWERS = (1e2, 1e3, 1e4)


# --- minimum ----------------------------------------------------------------------------------------------------------
def minimum(exam: Exam) -> Row:
    """Where the loss is least, and its value there; to cost less where the prediction is wrong is a fault."""
    if not exam.traces:
        return apart("minimum", COUPLED if exam.loss.coupled else "no cut is known for these kinds")
    for found in (*(_backwards(exam, trace) for trace in exam.traces), _backwards_elsewhere(exam)):
        if found:
            return found
    for trace in exam.traces:
        if exam.loss.pred == "params" and (end := _falls(trace)):
            return right("minimum", f"none: it falls for ever as {trace.cut.axis} {end}", where="none", value=None)
    where, value, said = _least(exam, exam.traces[0])
    value = 0.0 if abs(value) < 1e-9 * exam.scale else value
    return right("minimum", f"{value:.4g} {said}", where=where, value=value)


def _backwards(exam: Exam, trace: Trace) -> Row | None:
    """A line, if a wrong prediction costs less than the right one along a cut."""
    if trace.cut.right is None:
        return None
    grid, values = trace.x[trace.inside], trace.value[trace.inside]
    middle, last = len(grid) // 2, len(grid) - 1
    at_right, others = {0: (middle, range(len(grid))), 1: (last, [0]), -1: (0, [last])}[trace.cut.right]
    at = min(others, key=lambda i: values[i] if np.isfinite(values[i]) else np.inf)
    label = f" ({trace.cut.label})" if trace.cut.label else ""
    return _cheaper(exam, values[at], values[at_right], f"{trace.cut.axis} = {grid[at]:.4g}{label}")


def _cheaper(exam: Exam, wrong_: float, right_: float, where: str) -> Row | None:
    if not wrong_ < right_ - 1e-6 * (abs(right_) + exam.scale):
        return None
    text = f"{wrong_:.4g} at {where}, {right_ + 0.0:.4g} where the prediction is right"
    return wrong("minimum", text, "the worse, the cheaper", value=right_, less=wrong_)


def _backwards_elsewhere(exam: Exam) -> Row | None:
    """The same for every class, and for every target of the sample."""
    target, subject = exam.sample[1], exam.subject
    if (exam.loss.pred, exam.loss.target) == ("real", "real"):
        wrongs, rights, said = exam.values, subject.values(target, target), [f"target {t:.4g}" for t in target]
    elif exam.loss.pred in ("logits", "log_probs") and exam.loss.target in ("index", "simplex", "index|simplex"):
        unit = np.eye(exam.sizes.classes)
        t = unit if exam.loss.target == "simplex" else np.arange(len(unit))
        far, near = (samplers.log_softmax(z) if exam.loss.pred == "log_probs" else z for z in (-10 * unit, 10 * unit))
        wrongs, rights, said = subject.values(far, t), subject.values(near, t), [f"class {k}" for k in range(len(unit))]
    else:
        return None
    found = (_cheaper(exam, w, r, f"a wrong prediction ({s})") for w, r, s in zip(wrongs, rights, said, strict=True))
    return next(filter(None, found), None)


def _least(exam: Exam, trace: Trace) -> tuple[str, float, str]:
    """Where the loss is least along a cut: in a word, its value there, and in a sentence."""
    cut, grid, values = trace.cut, trace.x[trace.inside], trace.value[trace.inside]
    low, flat = float(np.nanmin(values)), (values == np.nanmin(values)) & (trace.along[trace.inside] == 0)
    if flat.sum() > 20:
        return "region", low, f"on a region, {_interval(cut.axis, grid, flat)}"
    at = int(np.nanargmin(values))
    if at in (0, len(grid) - 1):
        limit, known = float(trace.value[0 if at == 0 else -1]), cut.right is not None
        end = "at link(pred) = target, in the limit" if known else f"as {cut.axis} {'falls' if at == 0 else 'grows'}"
        return "link" if known else "end", limit, end
    x, value = _refined(exam, trace, grid[at - 1], grid[at + 1])
    if abs(x) > 1e-6:
        return "inside", value, f"at {cut.axis} = {x:.4g}"
    value = float(values[len(grid) // 2])
    if cut.right == 0:
        under_exp = exam.loss.pred == "real" and exam.loss.target in ("count", "positive")
        return ("link", value, "at link(pred) = target") if under_exp else ("target", value, "at the target")
    return "inside", value, f"at {cut.axis} = 0"


def _interval(axis: str, grid: Array, flat: Array) -> str:
    """Where a loss is flat."""
    first, last = grid[np.flatnonzero(flat)[[0, -1]]]
    if flat[-1] and not flat[0]:
        return f"{axis} ≥ {first:.3g}"
    return f"{axis} ≤ {last:.3g}" if flat[0] and not flat[-1] else f"{first:.3g} ≤ {axis} ≤ {last:.3g}"


def _refined(exam: Exam, trace: Trace, low: float, high: float) -> tuple[float, float]:
    """The least place between two neighbours of the grid."""
    for _ in range(5):
        x = np.linspace(low, high, 81)
        values = trace.cut.values(exam.subject, x)
        at = int(np.argmin(values))
        low, high = x[max(at - 1, 0)], x[min(at + 1, 80)]
    return float(x[at]), float(values[at])


def _falls(trace: Trace) -> str:
    """At which end the loss falls for ever, if it does."""
    if not len(trace.cut.far):
        return ""
    ends = {"falls": trace.value[:2], "grows": trace.value[:-3:-1]}
    return next((word for word, (last, before) in ends.items() if last < before - 1 and last < -100), "")


# --- at chance --------------------------------------------------------------------------------------------------------
def at_chance(exam: Exam) -> Row:
    """What a prediction that knows nothing costs."""
    loss = exam.loss
    if loss.coupled:
        return apart("at chance", COUPLED)
    if loss.pred == "embedding":
        return apart("at chance", "an embedding has no neutral place")
    if loss.pred == "real" and loss.target == "real":
        c, value = _constant(exam.subject)
        return right("at chance", f"{value:.4g}, at {c:.3g} for normal targets", value=value, constant=c)
    target, weight = _balanced(exam)
    m = len(weight)
    entries = {"params": (len(loss.heads),), "logits": (exam.sizes.classes,), "log_probs": (exam.sizes.classes,)}
    pred = np.full((m, *entries.get(loss.pred, ())), PRED[loss.pred].neutral(exam.sizes.classes))
    value = float(exam.subject.values(pred, target) @ weight)
    known = {math.log(2): "ln 2", math.log(exam.sizes.classes): f"ln {exam.sizes.classes}"}
    word = next((f" = {w}" for v, w in known.items() if abs(v - value) < 1e-12), "")
    return right("at chance", f"{value:.4g}{word}", value=value)


def _normal(steps: int = 1601) -> tuple[Array, Array]:
    """Places and weights for the mean over a standard normal: the trapezoid rule, which is exact here to rounding."""
    x = np.linspace(-8, 8, steps)
    w = np.exp(-x * x / 2)
    return x, w / w.sum()


def _constant(subject: Subject) -> tuple[float, float]:
    """The constant of least expected loss on standard normal targets, and that loss."""
    target, weight = _normal()
    low, high = -4.0, 4.0
    for _ in range(6):
        c = np.linspace(low, high, 21)
        pred, t = np.repeat(c, len(target)), np.tile(target, len(c))
        means = subject.values(pred, t).reshape(len(c), -1) @ weight
        least = np.flatnonzero(means <= np.nanmin(means) + 1e-12)
        at = int(least[len(least) // 2]) if len(least) else 0
        low, high = c[max(at - 1, 0)], c[min(at + 1, 20)]
    return float(c[at]) if abs(c[at]) > 1e-4 else 0.0, float(means[at])


def _balanced(exam: Exam) -> tuple[Array, Array]:
    """Targets that are equally likely, or normal, and their weights."""
    kind, k = exam.loss.target, exam.sizes.classes
    if kind in ("real", "none"):
        target, weight = _normal()
        return (None if kind == "none" else target), weight
    found = {
        "unit": np.array([0.0, 1.0]), "binary": np.array([0.0, 1.0]), "sign": np.array([-1.0, 1.0]),
        "count": np.ones(1), "positive": np.ones(1), "simplex": np.eye(k),
    }.get(kind, np.arange(k))  # fmt: skip
    return found, np.full(len(found), 1 / len(found))


# --- at infinity ------------------------------------------------------------------------------------------------------
def at_infinity(exam: Exam) -> Row:
    """How long the gradient is far out: it grows, is bounded, or returns to 0."""
    if not exam.traces:
        return apart("at ±∞", COUPLED if exam.loss.coupled else "no cut is known for these kinds")
    ends = _ends(exam)
    top = max(ends, key=lambda sizes: sizes[-1])
    if not math.isfinite(top[-1]):
        return right("at ±∞", "grows beyond all numbers", growth="overflow", sizes=top)
    power = math.log10(top[-1] / top[-2]) if top[-2] > 0 and top[-1] > 0 else 0.0
    place = " as p → 0 or 1" if exam.loss.pred == "prob" else ""
    if power > 0.05:
        return right(
            "at ±∞", f"grows like {_power_of(power, bool(place))}{place}", growth=power, sizes=top, lipschitz=None
        )
    bound = _longest(exam)
    text = f"bounded by {bound:.4g}{place}"
    if power < -0.05:
        text = f"returns to 0 like {_power_of(power, bool(place))}{place}; at most {bound:.4g}"
    elif not top[-1]:
        text = f"0{place}; at most {bound:.4g}"
    return right("at ±∞", text, growth=power, sizes=top, lipschitz=bound)


def _power_of(power: float, of_p: bool) -> str:
    """|x|ᵏ, or 1/pᵏ beside the ends of probabilities."""
    k = round(power, 2)
    raised = {1.0: "", -1.0: "⁻¹", 2.0: "²", -2.0: "⁻²", 3.0: "³", -3.0: "⁻³"}.get(k, f"^{k:g}")
    return f"|x|{raised}" if not of_p else "1/p" if k == 1 else f"(1/p){raised}"


def _ends(exam: Exam) -> list[list[float]]:
    """The length of the gradient at three places further and further out, at both ends of every cut."""
    found = []
    for trace in exam.traces:
        if exam.loss.pred == "prob":
            ends = [np.array([1e-2, 1e-3, 1e-4]), 1 - np.array([1e-2, 1e-3, 1e-4])]
        elif len(trace.cut.far):
            ends = [np.array(POWERS), -np.array(POWERS)]
        else:
            ends = []
        found += [norms(trace.cut.slopes(exam.subject, x)).tolist() for x in ends]
    return found or [[0.0, 0.0, 0.0]]


def _longest(exam: Exam) -> float:
    """The longest gradient that was seen: on the cuts, on the sample and on wider ones."""
    seen = [norms(trace.slope) for trace in exam.traces] + [norms(exam.slopes)]
    for spread in (3.0, 30.0):
        pred = exam.again(exam.rng("longest"), spread)
        seen.append(norms(exam.subject.slopes(pred, exam.sample[1])))
    return float(np.nanmax(np.concatenate(seen)))


# --- bounds -----------------------------------------------------------------------------------------------------------
def bounds(exam: Exam) -> Row:
    """Between which values the loss lies; a side is open where it still moves far out."""
    far = [exam.subject.values(*_scaled(exam, spread)) for spread in (1e1, 1e2, 1e3)]
    seen = np.concatenate([np.ravel(v) for v in (exam.values, *far, *(trace.value for trace in exam.traces))])
    low, high = float(np.nanmin(seen)), float(np.nanmax(seen))
    lows, highs = [float(np.nanmin(v)) for v in far], [float(np.nanmax(v)) for v in far]
    ends = [end for trace in exam.traces for end in (trace.value[:4], trace.value[:-5:-1])]
    room = 1e-3 * max(exam.scale, 1e-12)
    open_low = lows[2] < lows[1] - room < lows[0] - 2 * room or any(e[0] < e[3] - room and e[0] <= low for e in ends)
    open_high = highs[2] > highs[1] + room or any(e[0] > e[3] + room and e[0] >= high - room for e in ends)
    first, last = None if open_low else low, None if open_high or not math.isfinite(high) else high
    first = 0.0 if first is not None and abs(first) < 1e-9 * max(exam.scale, 1e-12) else first
    shown = f"{'−∞' if first is None else f'{first:.4g}'} … {'∞' if last is None else f'{last:.4g}'}"
    return right("bounds", shown, low=first, high=last)


def _scaled(exam: Exam, spread: float) -> tuple[Array, Array]:
    """The sample, far out: predictions, and targets where they have a size."""
    (_, target), pred = exam.sample, exam.again(exam.rng("bounds"), spread)
    if exam.loss.coupled or exam.loss.target not in ("real", "count", "positive"):
        return pred, target
    wide = target * spread
    if exam.loss.pred == "real" and exam.loss.target == "real":
        return pred + wide - target, wide
    return (np.log(wide + 1), wide) if exam.loss.pred == "real" else (pred, wide)


# --- who is listened to -----------------------------------------------------------------------------------------------
def one_outlier(exam: Exam) -> Row:
    """The share of the gradient that one residual of 10 owns among 99 ordinary ones, and the influence."""
    if exam.loss.coupled:
        return apart("one outlier", COUPLED)
    if (exam.loss.pred, exam.loss.target) != ("real", "real"):
        return apart("one outlier", f"about residuals; it maps {exam.loss.pred} to {exam.loss.target}")
    share = _share(exam.subject)
    at = np.array([0.1, 1.0, 10.0])
    influence = exam.subject.slopes(at, np.zeros(3)) / at
    known = ", ".join(f"{name} {100 * _share(_built_in(name)):.1f} %" for name in ("mse", "mae"))
    text = f"{100 * share:.1f} % of the gradient ({known})"
    return right("one outlier", text, share=share, influence=influence.tolist())


def _share(subject: Subject) -> float:
    ordinary = [NormalDist().inv_cdf((i + 0.5) / 99) for i in range(99)]
    slopes = np.abs(subject.slopes(np.array([10.0, *ordinary]), np.zeros(100)))
    return float(slopes[0] / slopes.sum()) if slopes.sum() > 0 else 0.0


def _built_in(name: str) -> Subject:
    from minigrad.losses import get

    return Subject(get(name))


# --- scaling ----------------------------------------------------------------------------------------------------------
def scaling(exam: Exam) -> Row:
    """The exponent k in ℓ(c·pred, c·target) = cᵏ·ℓ, or which parameter holds the scale."""
    loss, subject = exam.loss, exam.subject
    if loss.coupled or loss.pred in ("prob", "log_probs"):
        return apart("scaling", COUPLED if loss.coupled else "probabilities cannot be scaled")
    if loss.target in ("count", "positive", "unit") and loss.pred == "real":
        return apart("scaling", "its predictions are logarithms")
    power = _power(exam, subject, subject)
    if power is not None:
        return right("scaling", f"homogeneous of degree {power:.4g}", degree=power)
    for name, value in loss.values.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value:
            try:
                other = Subject(loss.with_(**{name: 2 * value}))
                power = _power(exam, subject, other)
            except ValueError:
                continue
            if power is not None:
                return right("scaling", f"has a scale: {name}", scale=name, degree=power)
    return right("scaling", "has a scale of its own", scale=None)


def _power(exam: Exam, subject: Subject, doubled: Subject) -> float | None:
    """k, if doubling everything multiplies every value by 2ᵏ."""
    pred, target = exam.sample
    twice = 2 * target if exam.loss.target == "real" else target
    a, b = subject.values(pred, target), doubled.values(2 * pred, twice)
    if ((a == 0) != (b == 0)).any() or (a * b < 0).any() or not (a != 0).any():
        return None
    powers = np.log2(b[a != 0] / a[a != 0])
    return round(float(powers[0]), 9) + 0.0 if np.ptp(powers) < 1e-9 else None
