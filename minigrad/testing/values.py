"""The line `value`: what a function returns."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.engine.tensor import Tensor
from minigrad.testing.card import Row, right, wrong
from minigrad.testing.exam import SAMPLES, Exam
from minigrad.testing.places import one_unit, place, single
from minigrad.testing.subject import LossFailed, Subject, as_tensor, asked, norms

Array = Any
CURE = "write math.log(2) for np.log(2), np.where(c, a * r, b * r) for np.where(c, a, b) * r, or .astype(pred.dtype)"
SAME = 1e-9  # two ways to one number


def value(exam: Exam) -> Row:
    """One value per sample or element, of the right dtype, finite, the same from arrays and Tensors."""
    subject, (pred, target) = exam.subject, exam.sample
    values = exam.values
    if not np.isfinite(values).all():
        at = int(np.argmin(np.isfinite(values)))
        return wrong("value", f"{values[at]} at {place(exam, at)}", value=values[at])
    for check in (_leak, _through_call, _through_tensors, _shapes):
        if found := check(exam):
            return wrong("value", found)
    form = _form(subject, pred, target)
    return right("value", f"{form}; float32 stays float32", form=form)


def _form(subject: Subject, pred: Array, target: Array) -> str:
    if subject.loss.coupled:
        return "one for the batch"
    given = asked(subject.loss.function, pred, target, **subject.loss.values)
    return "one per sample" if given.ndim == pred.ndim - subject.events else "one per element of a sample"


def _leak(exam: Exam) -> str:
    """A function that makes another dtype of its prediction's."""
    return leak(exam, exam.loss.function, "the function")


def leak(exam: Exam, function: Any, name: str) -> str:
    """In words, the dtype that a function of the loss makes of another one."""
    pred, target = one_unit(exam)
    for p, t in ((pred, target), (single(pred), single(target))):
        made = asked(function, p, t, **exam.loss.values)
        dtype = getattr(made, "dtype", type(made).__name__)
        if dtype != p.dtype:
            return f"{name} makes {dtype} of {p.dtype}; {CURE}"
    return ""


def _through_call(exam: Exam) -> str:
    """The call against the function, and what a call insists on."""
    loss, (pred, target) = exam.loss, exam.sample
    if loss.coupled:
        return ""
    called = asked(loss, pred, target, reduction="none").data
    return different(exam, "the call", called, "its function", exam.values)


def _through_tensors(exam: Exam) -> str:
    """Tensors against arrays."""
    subject, (pred, target) = exam.subject, one_unit(exam)
    given = asked(subject.loss.function, as_tensor(pred), target, **subject.loss.values)
    if not isinstance(given, Tensor):
        return f"on a Tensor the function returns {type(given).__name__}; its gradient is lost"
    arrays = asked(subject.loss.function, pred, target, **subject.loss.values)
    return different(exam, "Tensors", np.ravel(given.data), "arrays", np.ravel(arrays))


def _shapes(exam: Exam) -> str:
    """Batches of one sample, of one column and of two axes, arrays in another layout, labels of another type."""
    if exam.loss.coupled:
        return ""
    subject, (pred, target) = exam.subject, exam.sample
    subject.values(pred[:1], None if target is None else target[:1])
    for columns in (1, 2):
        p, t = (None if a is None else np.stack([a, a[::-1]][:columns], 1) for a in (pred, target))
        try:
            values, slopes = subject.values(p, t)[:, 0], subject.slopes(p, t)[:, 0]
        except LossFailed as error:
            if subject.events:  # a loss on rows alone: it says so, loudly
                continue
            return f"a batch of shape ({SAMPLES}, {columns}) fails: {error}"
        if found := different(exam, f"shape ({SAMPLES}, {columns})", values, f"shape ({SAMPLES},)", exam.values):
            return found
        if (norms(slopes - exam.slopes) > 1e-7 * (norms(exam.slopes) + exam.typical)).any():
            return f"a batch of shape ({SAMPLES}, {columns}) has other slopes than one of shape ({SAMPLES},)"
    if found := different(exam, "a strided array", subject.values(strided(pred), target), "a plain one", exam.values):
        return found
    if target is not None and target.dtype.kind == "i":
        return different(exam, "labels of uint8", subject.values(pred, target.astype(np.uint8)), "int64", exam.values)
    return ""


def strided(array: Array) -> Array:
    """The same numbers in every second place of a larger array."""
    wide = np.zeros((2 * len(array), *array.shape[1:]))
    wide[::2] = array
    return wide[::2]


def different(exam: Exam, first: str, a: Array, second: str, b: Array) -> str:
    """Where two ways to the same numbers differ, in words."""
    if np.shape(a) != np.shape(b):
        return f"{first} has shape {np.shape(a)}, {second} {np.shape(b)}"
    gap = np.abs(a - b) - SAME * (np.abs(b) + exam.scale)
    if (gap <= 0).all():
        return ""
    at = int(np.argmax(gap))
    return f"{first} says {a[at]:.6g}, {second} {b[at]:.6g}, at {place(exam, at)}"
