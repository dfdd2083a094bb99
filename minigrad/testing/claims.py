"""The four claims, each tested whether it is made or not: a claim that fails is a fault, a finding never is.

A claim is made for the default parameters and is judged there; what nobody claims is measured as the loss was given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.testing.card import Row, apart, right, wrong
from minigrad.testing.exam import Exam
from minigrad.testing.places import spot
from minigrad.testing.samplers import displaced
from minigrad.testing.subject import Subject

Array = Any
PAIRS = 42  # times the sample: about 10 000
TINY = 1e-12


def judged(name: str, exam: Exam, fails: str, holds: str = "", **measured: Any) -> Row:
    """The line of a claim: `fails` is the counterexample, or empty."""
    claimed = name in exam.loss.claims
    if not fails:
        return right(name, holds, claimed=claimed, holds=True, **measured)
    if claimed:
        return wrong(name, f"claimed, but {fails}", holds=False, **measured)
    return right(name, f"no: {fails}", holds=False, **measured)


def unfit(name: str, exam: Exam, reason: str) -> Row:
    """The line of a property that has no meaning for these kinds; who claims it is told so."""
    if name in exam.loss.claims:
        return wrong(name, f"claimed, but it says nothing here: {reason}")
    return apart(name, reason)


def subject_of(name: str, exam: Exam) -> Subject:
    """The loss at its defaults if the claim is made, else as given."""
    return exam.default if name in exam.loss.claims else exam.subject


# --- convex -----------------------------------------------------------------------------------------------------------
def convex(exam: Exam) -> Row:
    """ℓ at the middle of two predictions is at most the mean, and the slope rises from one to the other."""
    subject, rng = subject_of("convex", exam), exam.rng("convex")
    target = exam.sample[1]
    times = 1 if exam.loss.coupled else PAIRS
    rounds = 40 if exam.loss.coupled else 1
    for _ in range(rounds):
        first, second = (_many(exam, rng, times) for _ in "ab")
        near = rng.uniform(0, 1, len(first)) < 0.5  # half of the pairs are close: a dent may be narrow
        closer = first + (second - first) * np.where(near, 10 ** rng.uniform(-3, 0, len(first)), 1).reshape(
            -1, *(1,) * (first.ndim - 1)
        )
        t = None if target is None else np.concatenate([target] * times)
        if found := _dent(exam, subject, first, closer, t):
            return judged("convex", exam, found)
    return judged("convex", exam, _dent_on_cuts(exam, subject), "")


def _many(exam: Exam, rng: Any, times: int) -> Array:
    """Predictions near and far."""
    return np.concatenate([exam.again(rng, spread) for spread in 10.0 ** (np.arange(times) % 5 * 0.75 - 1)])


def _dent(exam: Exam, subject: Subject, a: Array, b: Array, target: Array) -> str:
    """A pair whose middle costs more than the mean of both."""
    ends, middle = (subject.values(a, target), subject.values(b, target)), subject.values((a + b) / 2, target)
    size = np.abs(a).reshape(len(a), -1).max(-1) + np.abs(b).reshape(len(b), -1).max(-1)
    noise = 10 * TINY * (np.abs(ends[0]) + np.abs(ends[1]) + size * exam.typical + exam.scale)
    excess = middle - (ends[0] + ends[1]) / 2
    with np.errstate(invalid="ignore"):
        bad = (excess > noise) & np.isfinite(ends[0]) & np.isfinite(ends[1])
    if not bad.any():
        return ""
    telling = np.minimum(excess / (np.abs(ends[0]) + np.abs(ends[1]) + exam.scale), 0.05)
    at = int(np.argmax(np.where(bad, telling / (1 + size), -np.inf)))
    between = f"{ends[0][at]:.4g} and {ends[1][at]:.4g} at the ends"
    where = spot((a[at] + b[at]) / 2, None if target is None else target[at], exam.loss.coupled)
    return f"{middle[at]:.4g} in the middle, {between}; middle {where}"


def _dent_on_cuts(exam: Exam, subject: Subject) -> str:
    """A place on a straight cut where the slope falls."""
    if exam.loss.pred == "log_probs":
        return ""
    for trace in exam.traces:
        if trace.cut.axis == "angle":
            continue
        along = trace.cut.along(subject, trace.x)
        fall = along[:-1] - along[1:]
        size = np.maximum(np.abs(along[:-1]), np.abs(along[1:]))
        bad = fall > 1e-9 * size + 1e-10 * exam.typical
        if bad.any():
            at = int(np.argmax(np.where(bad, fall, 0)))
            x = trace.x[[at, at + 1]]
            where = f"{trace.cut.axis} = {x[0]:.4g} to {x[1]:.4g}"
            return f"the slope falls from {along[at]:.6g} to {along[at + 1]:.6g} at {where} ({trace.cut.label})"
    return ""


# --- symmetric --------------------------------------------------------------------------------------------------------
def symmetric(exam: Exam) -> Row:
    """The mirrored problem costs the same."""
    mirrored, words = _mirror(exam)
    if mirrored is None:
        return unfit("symmetric", exam, words)
    subject = subject_of("symmetric", exam)
    places = [exam.sample]
    places += [(exam.again(exam.rng("symmetric"), spread), exam.sample[1]) for spread in (0.1, 10.0, 1000.0)]
    for pred, target in places:
        a, b = subject.values(pred, target), subject.values(*mirrored(pred, target))
        size = np.abs(pred).reshape(len(pred), -1).max(-1)
        gap = np.abs(a - b) - 1e-9 * (np.abs(a) + np.abs(b)) - 1e-11 * (size * exam.typical + exam.scale)
        if (gap > 0).any():
            at = int(np.argmax(np.where(gap > 0, gap / (1 + size), -1)))
            where = spot(pred[at], None if target is None else target[at], exam.loss.coupled)
            fails = f"{a[at]:.4g} at {where}, {b[at]:.4g} where {words}"
            return judged("symmetric", exam, fails, ratio=_error_costs(exam, subject))
    return judged("symmetric", exam, "")


def _error_costs(exam: Exam, subject: Subject) -> float | None:
    """What missing a positive costs over a false alarm: the ratio of the slopes at a score of 0."""
    if (
        exam.loss.coupled
        or exam.loss.pred not in ("logit", "prob")
        or exam.loss.target not in ("unit", "binary", "sign")
    ):
        return None
    labels = np.array([-1.0, 1.0] if exam.loss.target == "sign" else [0.0, 1.0])
    slopes = np.abs(subject.slopes(np.full(2, 0.5 if exam.loss.pred == "prob" else 0.0), labels))
    return float(slopes[1] / slopes[0]) if slopes[0] else None


FLIPS: dict[str, Callable[[Array], Array]] = {
    "unit": lambda y: 1 - y,
    "binary": lambda y: 1 - y,
    "sign": lambda s: -s,
    "real": lambda t: -t,
}


def _mirror(exam: Exam) -> tuple[Callable[[Array, Array], tuple[Array, Array]] | None, str]:
    """The mirrored problem for the kinds of a loss, and how it is said; or the reason why there is none."""
    kinds = (exam.loss.pred, exam.loss.target)
    flip = FLIPS.get(kinds[1])
    if kinds[0] == "real" and kinds[1] in ("real", "count", "positive"):
        return _about(kinds[1] != "real"), "the residual is negated"
    if kinds[0] in ("logit", "real") and flip is not None:
        return lambda z, y: (-z, flip(y)), "score and label are flipped"
    if kinds[0] == "prob" and kinds[1] in ("unit", "binary"):
        return lambda p, y: (1 - p, 1 - y), "probability and label are flipped"
    if kinds[0] in ("logits", "log_probs") and kinds[1] in ("index", "simplex", "index|simplex"):
        order = displaced(exam.rng("classes"), exam.sizes.classes)
        back = np.argsort(order)
        return (
            lambda v, t: (v[..., order], t[..., order] if kinds[1] == "simplex" else back[t])
        ), "the classes are permuted"
    if kinds[0] == "params" and kinds[1] == "sign" and len(exam.loss.heads) == 2:
        return lambda v, s: (v[..., ::-1], -s), "the items are swapped and the label is flipped"
    if kinds[0] == "params" and flip is not None:
        first = np.where(np.arange(len(exam.loss.heads)) == 0, -1.0, 1.0)
        return lambda v, t: (v * first, flip(t)), f"{exam.loss.heads[0]} and target are negated"
    if kinds[0] == "embedding" and len(exam.loss.heads) == 2:
        return lambda v, t: (v[..., ::-1, :], t), "the two items are swapped"
    return None, f"{kinds[0]} ← {kinds[1]} has no mirrored problem"


def _about(under_exp: bool) -> Callable[[Array, Array], tuple[Array, Array]]:
    """The residual negated; under an exponential, that of the logarithms."""

    def mirrored(pred: Array, target: Array) -> tuple[Array, Array]:
        middle = np.log(np.where(target > 0, target, 1)) if under_exp else target
        return 2 * middle - pred, target

    return mirrored


# --- shift invariant --------------------------------------------------------------------------------------------------
def shift_invariant(exam: Exam) -> Row:
    """Adding one constant to every entry of a sample's event changes nothing."""
    if not exam.subject.events and "shift_invariant" not in exam.loss.claims:
        return apart("shift_invariant", "a sample has one entry")
    if exam.loss.pred == "log_probs" and "shift_invariant" not in exam.loss.claims:
        return apart("shift_invariant", "shifted log-probabilities no longer sum to 1")
    subject = subject_of("shift_invariant", exam)
    for c in (-0.37, *(() if exam.loss.pred in ("log_probs", "prob") else (1.0, 8.0, 50.0))):
        pred, target = exam.sample
        if exam.loss.pred == "prob":
            c = 0.01
        a, b = subject.values(pred, target), subject.values(pred + c, target)
        gap = np.abs(a - b) - 1e-9 * (np.abs(a) + exam.scale) - 1e-10 * abs(c) * exam.typical
        if (gap > 0).any():
            at = int(np.argmax(gap))
            where = spot(pred[at], None if target is None else target[at], exam.loss.coupled)
            return judged("shift_invariant", exam, f"{a[at]:.4g} at {where}, {b[at]:.4g} with {c:g} added")
    return judged("shift_invariant", exam, "")
