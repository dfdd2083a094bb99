"""The line `proper`: what a loss elicits when outcomes are drawn from a known distribution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.losses.constant import constant
from minigrad.testing.card import Row, apart
from minigrad.testing.claims import judged, subject_of, unfit
from minigrad.testing.exam import Exam
from minigrad.testing.samplers import log_softmax
from minigrad.testing.subject import LossFailed, Subject, asked

Array = Any
SHARES = np.arange(1, 20) / 20
NEAR = 1e-3
LOCATIONS = {"mean", "mu", "loc", "location", "median"}
SPREADS = {"var": 2, "variance": 2, "sigma2": 2, "sd": 1, "std": 1, "sigma": 1, "stddev": 1}


def proper(exam: Exam) -> Row:
    """The expected loss is least at the true probabilities, or at the true mean (and variance)."""
    kinds = (exam.loss.pred, exam.loss.target)
    for which, judge in (
        (exam.loss.coupled, None),
        (kinds[0] in ("logit", "prob") and kinds[1] in ("unit", "binary", "sign"), _binary),
        (kinds[0] in ("logits", "log_probs") and kinds[1] in ("index", "simplex", "index|simplex"), _classes),
        (kinds[0] == "real" and kinds[1] in ("count", "positive"), _rates),
        (kinds[0] == "params" and kinds[1] == "real", _moments),
    ):
        if which and judge:
            return judge(exam, subject_of("proper", exam))
        if which:
            return unfit("proper", exam, "the samples of a batch hang together")
    return unfit("proper", exam, f"a claim about probabilities; {kinds[0]} ← {kinds[1]} names none")


# --- one probability --------------------------------------------------------------------------------------------------
def _binary(exam: Exam, subject: Subject) -> Row:
    """The minimiser of qℓ(·, 1) + (1−q)ℓ(·, 0), through the link, for 19 values of q."""
    sign, prob = exam.loss.target == "sign", exam.loss.pred == "prob"
    low, high = (1e-6, 1 - 1e-6) if prob else (-30.0, 30.0)

    def expected(x: Array) -> Array:
        costs = [subject.values(x, np.full(len(x), label)) for label in ((-1.0, 1.0) if sign else (0.0, 1.0))]
        return SHARES[:, None] * costs[1] + (1 - SHARES)[:, None] * costs[0]

    x = np.linspace(low, high, 3001)
    x = np.sort(np.concatenate([x, SHARES if prob else np.log(SHARES / (1 - SHARES))]))
    means = expected(x)
    at = np.nanargmin(means, 1)
    found = np.array([_zoomed(lambda v: expected(v)[i], x, k) for i, k in enumerate(at)])  # noqa: B023 # called at once
    elicited = found if prob else 1 / (1 + np.exp(-found))
    true = expected(SHARES if prob else np.log(SHARES / (1 - SHARES))).diagonal()
    least = np.array([expected(np.array([v]))[i, 0] for i, v in enumerate(found)])
    off = (np.abs(elicited - SHARES) > NEAR) & (least <= true + 1e-12 * (1 + np.abs(true)))
    off |= least < true - 1e-9 * (exam.scale + np.abs(true))
    calibrated = bool(((elicited > 0.5) == (SHARES > 0.5))[SHARES != 0.5].all())
    if not off.any():
        return judged("proper", exam, "", "elicits the probability", calibrated=True)
    worst = 5 if off[5] else int(np.argmax(np.abs(elicited - SHARES) * off))
    side = "on the right side of ½" if calibrated else "not always on the right side of ½"
    shown = f"σ(z) = {elicited[worst]:.4g}" if not prob else f"p = {elicited[worst]:.4g}"
    if sign:
        shown = f"z = {found[worst]:.3g}, {shown}"
    fails = f"P = {SHARES[worst]:.2g} elicits {shown}; {side}"
    return judged("proper", exam, fails, elicited=elicited, calibrated=calibrated)


def _zoomed(f: Callable[[Array], Array], x: Array, at: int) -> float:
    """The least place near x[at]; of a flat piece, its middle."""
    low, high = x[max(at - 1, 0)], x[min(at + 1, len(x) - 1)]
    for _ in range(4):
        places = np.linspace(low, high, 41)
        values = f(places)
        best = np.flatnonzero(values <= values.min())
        low, high = places[max(best[0] - 1, 0)], places[min(best[-1] + 1, 40)]
    return float((low + high) / 2)


# --- many classes -----------------------------------------------------------------------------------------------------
@dataclass
class Free:
    """A loss on free parameters, as `constant` asks for it: seen from a start, and for so long only."""

    pred: str
    both: Callable[[Array], tuple[Array, Array]]
    start: Array
    left: int = 1500
    coupled: bool = True  # a row belongs to its place: none is put together with another

    def value_and_grad(self, rows: Array, target: Array, **options: Any) -> tuple[Any, Array]:
        """Σ over the rows, and the slope of each; no slope any more when the time is over."""
        self.left -= 1
        value, slope = self.both(rows + self.start)
        weight = options["sample_weight"]
        return (value * weight).sum(), slope * weight[:, None] * (self.left > 0)


def _classes(exam: Exam, subject: Subject) -> Row:
    """The minimiser of Σ q ℓ(·, k) through the link, for several q."""
    k = exam.sizes.classes
    rng = exam.rng("proper")
    shares = np.concatenate([np.full((1, k), 1 / k), rng.dirichlet(np.ones(k), 2), rng.dirichlet(np.full(k, 5.0), 1)])
    target = np.eye(k) if exam.loss.target == "simplex" else np.arange(k)
    normal = exam.loss.pred == "log_probs"

    def both(u: Array) -> tuple[Array, Array]:
        if not normal:
            return subject.values(u, target), subject.recorded(u, target)
        lp = log_softmax(u)
        slope = subject.recorded(lp, target)
        return subject.values(lp, target), slope - np.exp(lp) * slope.sum(-1, keepdims=True)

    def expected(u: Array, q: Array, which: int) -> Array:
        return q @ both(np.broadcast_to(u, (k, k)).copy())[which]

    for q in 0.9 * shares + 0.1 / k:
        truth = np.log(q)
        still = np.abs(expected(truth, q, 1)).max() <= 1e-6 * exam.typical
        found = _descended(both, q, target, np.zeros(k) if still else truth)
        at_truth, at_found = (float(expected(u, q, 0)) for u in (truth, found))
        p = np.exp(log_softmax(found))
        lower = at_found < at_truth - 1e-9 * (1 + abs(at_truth))
        equal = at_found <= at_truth + 1e-12 * (1 + abs(at_truth))
        if lower or (equal and np.abs(p - q).max() > NEAR):
            j = int(np.argmax(np.abs(p - q)))
            fails = f"P = {q[j]:.3g} elicits {p[j]:.3g} (one of {k} classes)"
            if np.abs(p - q).max() <= NEAR:
                fails = f"{at_found:.6g} is expected elsewhere, {at_truth:.6g} at the true probabilities"
            return judged("proper", exam, fails, elicited=p, true=q)
    return judged("proper", exam, "", "elicits the probabilities")


def _descended(both: Any, q: Array, target: Array, start: Array) -> Array:
    """The free parameters of least expected loss that a descent finds."""
    free: Any = Free("logits", both, start)
    return asked(constant, free, target, start.shape, sample_weight=q) + start


# --- a mean -----------------------------------------------------------------------------------------------------------
def _rates(exam: Exam, subject: Subject) -> Row:
    """The minimiser on a few targets, through the exponential, against their mean."""
    target, weight = np.array([0.5, 2.0, 7.0]), np.array([0.5, 0.3, 0.2])
    if exam.loss.target == "count":
        target = np.array([0.0, 2.0, 7.0])
    mean = float(target @ weight)
    x = np.sort(np.append(np.linspace(-6, 6, 4801), np.log(mean)))

    def expected(v: Array) -> Array:
        return weight @ np.stack([subject.values(v, np.full(len(v), t)) for t in target])

    found = float(np.exp(_zoomed(expected, x, int(np.nanargmin(expected(x))))))
    if abs(found - mean) <= NEAR * mean:
        return judged("proper", exam, "", "elicits the mean", elicited=found)
    return judged("proper", exam, f"targets of mean {mean:.3g} elicit {found:.4g}", elicited=found)


# --- a mean and a variance --------------------------------------------------------------------------------------------
def _moments(exam: Exam, subject: Subject) -> Row:
    """The minimiser on normal targets, through the link, against their mean and variance."""
    read = _reader(exam)
    if read is None:
        return apart("proper", "neither its link nor its heads name a mean and a var or sd")
    mean, sd = 0.7, 1.3
    x = np.linspace(-9, 9, 721)
    weight = np.exp(-x * x / 2)
    target, weight = mean + sd * x, weight / weight.sum()

    def both(u: Array) -> tuple[Array, Array]:
        return subject.values(u, target), subject.recorded(u, target)

    found = _descended(both, weight, target, np.zeros(len(exam.loss.heads)))
    elicited = {name: float(np.ravel(v)[0]) for name, v in read(found[None]).items()}
    truth = {name: mean for name in LOCATIONS} | {name: sd**power for name, power in SPREADS.items()}
    for name, value in elicited.items():
        if name in truth and abs(value - truth[name]) > 5e-3 * abs(truth[name]):
            return judged("proper", exam, f"{name} {truth[name]:.4g} elicits {value:.4g}", elicited=elicited)
    return judged("proper", exam, "", "elicits mean and spread", elicited=elicited)


def _reader(exam: Exam) -> Callable[[Array], dict[str, Array]] | None:
    """How a mean and a spread are read from the heads: by the link, or by their names."""
    heads = exam.loss.heads

    def by_name(pred: Array) -> dict[str, Array]:
        read = {}
        for i, head in enumerate(heads):
            name = head.removeprefix("log_")
            read[name] = np.exp(pred[..., i]) if name != head else pred[..., i]
        return read

    for reader in (exam.loss.link, by_name):
        try:
            named = asked(reader, np.zeros((1, len(heads))))
        except LossFailed:
            continue
        if isinstance(named, dict) and LOCATIONS & named.keys() and SPREADS.keys() & named.keys():
            return lambda pred, reader=reader: asked(reader, pred)  # type: ignore[misc]
    return None
