"""The lines on batches: every sample stands for itself, weights are rows, labels are one-hot rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.testing.card import Row, apart, right, wrong
from minigrad.testing.differences import telling
from minigrad.testing.exam import ROWS, SAMPLES, Exam
from minigrad.testing.places import one_unit, place
from minigrad.testing.samplers import displaced
from minigrad.testing.subject import asked, norms
from minigrad.testing.values import SAME, different

Array = Any


# --- each sample by itself --------------------------------------------------------------------------------------------
def permutation(exam: Exam) -> Row:
    """A permuted batch has permuted values and slopes; a sample costs the same in whatever company."""
    if exam.loss.coupled:
        return _permuted_batches(exam)
    rng, (pred, target) = exam.rng("permutation"), exam.sample
    order = rng.permutation(SAMPLES)
    none, far = pred[:0], _far_out(exam, pred[order[8:9]])
    groups = [("in another order", order, none)]
    groups += [("alone", order[i : i + 1], none) for i in range(3)] + [("among 7", order[:7], none)]
    groups += [("beside an extreme sample", order[:7], far), ("in a large batch", np.tile(order, 12), none)]
    for said, chosen, beside in groups:
        others = np.repeat(order[8:9], len(beside))
        p = np.concatenate([pred[chosen], beside])
        t = None if target is None else target[np.concatenate([chosen, others])]
        for what, ask, known in (
            ("value", exam.subject.values, exam.values),
            ("slope", exam.subject.slopes, exam.slopes),
        ):
            if found := _moved(exam, ask(p, t)[: len(chosen)], known[chosen], chosen, what, said, len(p)):
                return found
    return right("permutation", "every sample costs the same in any company")


def _moved(exam: Exam, now: Array, known: Array, chosen: Array, what: str, said: str, n: int) -> Row | None:
    """The first sample whose value or slope depends on the others, as a line."""
    a, b = now.reshape(len(chosen), -1), known.reshape(len(chosen), -1)
    size = exam.scale if what == "value" else exam.typical
    gap = np.abs(a - b) - 1e-7 * (np.abs(b).max(-1, keepdims=True) + size)
    if (gap <= 0).all():
        return None
    at, entry = np.unravel_index(int(np.nanargmax(np.where(np.isnan(gap), np.inf, gap))), gap.shape)
    text = f"{said} a {what} is {a[at, entry]:.6g}, not {b[at, entry]:.6g}, at {place(exam, int(chosen[at]))}"
    return wrong("permutation", text, telling(float(a[at, entry]), float(b[at, entry]), {"n": SAMPLES / n}))


def _far_out(exam: Exam, pred: Array) -> Array:
    """A prediction as far out as its kind allows, to either side where there are two."""
    if exam.loss.pred == "prob":
        return np.concatenate([np.full_like(pred, 1e-9), np.full_like(pred, 1 - 1e-9)])
    if exam.loss.pred == "log_probs":
        return pred - 50.0
    return np.concatenate([pred * 300, pred * -300]) if exam.loss.pred in ("real", "logit", "logits") else pred * 300


def _permuted_batches(exam: Exam) -> Row:
    rng, (pred, target) = exam.rng("permutation"), exam.sample
    order = displaced(rng, ROWS)
    t = None if target is None else target[:, order]
    a, b = exam.subject.values(pred[:, order], t), exam.values
    if (np.abs(a - b) > SAME * (np.abs(b) + exam.scale)).any():
        at = int(np.argmax(np.abs(a - b)))
        return wrong("permutation", f"another order of a batch gives {a[at]:.6g}, not {b[at]:.6g}")
    gap = norms(exam.subject.slopes(pred[:, order], t) - exam.slopes[:, order])
    if (gap > 1e-7 * (norms(exam.slopes) + exam.typical)).any():
        return wrong("permutation", "another order of a batch gives other slopes")
    return right("permutation", "the order of a batch does not matter")


# --- weights and masks ------------------------------------------------------------------------------------------------
TIMES = np.array([0.0, 1.0, 2.0, 1.0, 2.0, 2.0, 1.0, 0.0, 2.0])  # weights whose mean is not 1


def weights(exam: Exam) -> Row:
    """A weight of 2 is a row twice, a weight of 0 and a mask are a row removed."""
    loss, (pred, target) = exam.loss, one_unit(exam)
    pred, target = pred[: len(TIMES)], None if target is None else target[: len(TIMES)]
    repeats, keep = TIMES.astype(int), TIMES > 0
    if found := _unequal(loss, exam, pred, target, {"mask": keep}, keep, "mean", "a mask", "rows removed"):
        return found
    if loss.coupled and not loss.takes_weight:
        return right("weights", "a mask is rows removed; it declares no weights")
    for reduction in ("sum", "weighted_mean") if not loss.coupled else ("weighted_mean",):
        options = {"sample_weight": TIMES}
        if found := _unequal(loss, exam, pred, target, options, repeats, reduction, "weight 2", "a row twice"):
            return found
    return right("weights", "2 is a row twice, 0 and a mask a row removed")


def _unequal(
    loss: Any, exam: Exam, pred: Array, target: Array, options: Any, times: Array, reduction: str, name: str, means: str
) -> Row | None:
    """A line, if an option differs from the rows that it stands for."""
    some = np.repeat(pred, times, 0), None if target is None else np.repeat(target, times, 0)
    a = asked(loss, pred, target, reduction=reduction, **options).item()
    b = asked(loss, *some, reduction=reduction).item()
    if abs(a - b) <= SAME * (abs(b) + exam.scale):
        return None
    return wrong("weights", f'{name} gives {a:.6g}, {means} {b:.6g} ("{reduction}")', telling(a, b, {"n": len(TIMES)}))


# --- labels and rows --------------------------------------------------------------------------------------------------
def labels(exam: Exam) -> Row:
    """Labels equal their one-hot rows, for values, slopes and class weights."""
    loss, (pred, target) = exam.loss, exam.sample
    if loss.target != "index|simplex" or loss.coupled:
        return apart("labels", "rows of probabilities and labels: only for a loss on both")
    rows = np.eye(pred.shape[-1])[target]
    a, b = exam.subject.values(pred, rows), exam.values
    if found := different(exam, "one-hot rows", a, "labels", b):
        return wrong("labels", found)
    gap = norms(exam.subject.slopes(pred, rows) - exam.slopes)
    if (gap > 1e-7 * (norms(exam.slopes) + exam.typical)).any():
        return wrong("labels", f"one-hot rows give other slopes, at {place(exam, int(np.argmax(gap)))}")
    return right("labels", "labels are their one-hot rows")
