"""The lines on values: what a function returns, that it does nothing else, and that every sample stands for itself."""

from __future__ import annotations

import os
import random
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.engine.graph import recording
from minigrad.engine.tensor import Tensor
from minigrad.testing.card import Row, apart, right, wrong
from minigrad.testing.differences import telling
from minigrad.testing.exam import ROWS, SAMPLES, Exam
from minigrad.testing.subject import LossFailed, Subject, as_tensor, asked, norms

Array = Any
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
    """A function that makes another dtype of float32."""
    subject = exam.subject
    pred, target = one_unit(exam)
    pred, target = single(pred), single(target)
    given = asked(subject.loss.function, pred, target, **subject.loss.values)
    dtype = getattr(given, "dtype", type(given).__name__)
    return "" if dtype == np.float32 else f"float32 predictions give {dtype}; say math.log(2), not np.log(2)"


def _through_call(exam: Exam) -> str:
    """The call against the function, and what a call insists on."""
    loss, (pred, target) = exam.loss, exam.sample
    if loss.coupled:
        return ""
    called = asked(loss, pred, target, reduction="none").data
    return _different(exam, "the call", called, "its function", exam.values)


def _through_tensors(exam: Exam) -> str:
    """Tensors against arrays."""
    subject, (pred, target) = exam.subject, one_unit(exam)
    given = asked(subject.loss.function, as_tensor(pred), target, **subject.loss.values)
    if not isinstance(given, Tensor):
        return f"on a Tensor the function returns {type(given).__name__}; its gradient is lost"
    arrays = asked(subject.loss.function, pred, target, **subject.loss.values)
    return _different(exam, "Tensors", np.ravel(given.data), "arrays", np.ravel(arrays))


def _shapes(exam: Exam) -> str:
    """Batches of one column and of two axes, arrays in another layout, labels of another integer type."""
    if exam.loss.coupled:
        return ""
    subject, (pred, target) = exam.subject, exam.sample
    for shape in ((SAMPLES, 1), (SAMPLES // 2, 2)):
        p, t = (None if a is None else a.reshape(*shape, *a.shape[1:]) for a in (pred, target))
        try:
            values, slopes = subject.values(p, t), subject.slopes(p, t)
        except LossFailed as error:
            if subject.events:  # a loss on rows alone: it says so, loudly
                continue
            return f"a batch of shape {shape} fails: {error}"
        if found := _different(exam, f"shape {shape}", values.ravel(), f"shape ({SAMPLES},)", exam.values):
            return found
        if (norms(slopes.reshape(pred.shape) - exam.slopes) > 1e-7 * (norms(exam.slopes) + exam.typical)).any():
            return f"a batch of shape {shape} has other slopes than one of shape ({SAMPLES},)"
    if found := _different(exam, "a strided array", subject.values(strided(pred), target), "a plain one", exam.values):
        return found
    if target is not None and target.dtype.kind == "i":
        return _different(exam, "labels of uint8", subject.values(pred, target.astype(np.uint8)), "int64", exam.values)
    return ""


def strided(array: Array) -> Array:
    """The same numbers in every second place of a larger array."""
    wide = np.zeros((2 * len(array), *array.shape[1:]))
    wide[::2] = array
    return wide[::2]


def _different(exam: Exam, first: str, a: Array, second: str, b: Array) -> str:
    """Where two ways to the same numbers differ, in words."""
    if np.shape(a) != np.shape(b):
        return f"{first} has shape {np.shape(a)}, {second} {np.shape(b)}"
    gap = np.abs(a - b) - SAME * (np.abs(b) + exam.scale)
    if (gap <= 0).all():
        return ""
    at = int(np.argmax(gap))
    return f"{first} says {a[at]:.6g}, {second} {b[at]:.6g}, at {place(exam, at)}"


# --- nothing else happens ---------------------------------------------------------------------------------------------
def repeatable(exam: Exam) -> Row:
    """The same input gives the same bits, at the end of the exam too; nothing outside is read or changed."""
    pred, target = one_unit(exam)
    for name, function in (("the function", exam.loss.function), ("grad=", exam.loss.grad)):
        if function is not None:
            if found := _touched(function, pred, target, exam.loss.values):
                return wrong("repeatable", f"{name} {found}")
    return changed_since(exam) or right("repeatable", "the same bits again; nothing else changes")


def changed_since(exam: Exam) -> Row | None:
    """A line, if the loss no longer answers as it did at first."""
    if not _same_bits(exam.values, exam.subject.values(*exam.sample)):
        return wrong("repeatable", "the same input again gives other values")
    try:
        first, again = exam.slopes, exam.subject.slopes(*exam.sample)
    except LossFailed:  # another line says so
        return None
    return None if _same_bits(first, again) else wrong("repeatable", "the same input again gives another gradient")


def _touched(function: Any, pred: Array, target: Array, values: dict[str, Any]) -> str:
    """What a call does besides returning something."""
    pred, target = pred.copy(), None if target is None else target.copy()
    before = [None if a is None else a.tobytes() for a in (pred, target)]
    for said in ("warn", "ignore"):  # a state that is set again shows only beside another one
        if found := _outside_changed(lambda: asked(function, pred, target, **values), said):
            return found
    made = asked(function, pred, target, **values)
    for name, array, bytes_ in zip(("pred", "target"), (pred, target), before, strict=True):
        if array is not None and array.tobytes() != bytes_:
            return f"writes into {name}"
    kept = np.array(made, copy=True)
    asked(function, pred[::-1].copy(), None if target is None else target[::-1].copy(), **values)
    return "" if _same_bits(kept, np.asarray(made)) else "returns an array that its next call overwrites"


def _outside_changed(call: Callable[[], Any], said: Any) -> str:
    """What a call leaves changed outside, if the outside is first put into a state of its own."""
    with warnings.catch_warnings(), np.errstate(all=said):
        warnings.simplefilter("always" if said == "warn" else "ignore")
        warnings.showwarning = lambda *_, **__: None
        np.random.random()  # noqa: NPY002 # the global state is what a loss must leave alone
        random.random()
        outside = _outside()
        call()
        after = _outside()
    return next((f"changes {name}" for name in outside if after[name] != outside[name]), "")


def _outside() -> dict[str, Any]:
    """What a loss has no business with."""
    legacy: Any = np.random.get_state(legacy=True)  # noqa: NPY002
    return {
        "np.random": (legacy[1].tobytes(), legacy[2:]),
        "random": random.getstate(),
        "np.seterr": np.geterr(),
        "the warning filters": list(warnings.filters),
        "the grad mode": recording.get(),
        **surroundings(),
    }


def surroundings() -> dict[str, Any]:
    """What nobody but a loss would change during an exam."""
    return {
        "np.set_printoptions": repr(np.get_printoptions()),
        "the recursion limit": sys.getrecursionlimit(),
        "the environment": dict(os.environ),
        "the working directory": os.getcwd(),
    }


def _same_bits(a: Array, b: Array) -> bool:
    return bool(a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes())


# --- each sample by itself --------------------------------------------------------------------------------------------
def permutation(exam: Exam) -> Row:
    """A permuted batch has permuted values and slopes; a sample costs the same in whatever company."""
    if exam.loss.coupled:
        return _permuted_batches(exam)
    rng, (pred, target) = exam.rng("permutation"), exam.sample
    order = rng.permutation(SAMPLES)
    company = _extreme(exam, pred)
    groups = [("in another order", order, pred, SAMPLES), ("among 7", order[:7], pred, 7)]
    groups += [("alone", order[i : i + 1], pred, 1) for i in range(3)]
    groups += [
        ("beside an extreme sample", order[:7], company, 8),
        ("in a large batch", np.tile(order, 12), pred, 2880),
    ]
    for said, chosen, source, n in groups:
        beside = source[order[8:9]] if n == 8 else source[:0]
        p = np.concatenate([pred[chosen], beside])
        t = None if target is None else np.concatenate([target[chosen], target[order[8 : 8 + len(beside)]]])
        for what, ask, known in (
            ("value", exam.subject.values, exam.values),
            ("slope", exam.subject.slopes, exam.slopes),
        ):
            if found := _moved(exam, ask(p, t)[: len(chosen)], known[chosen], chosen, what, said, n):
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


def _extreme(exam: Exam, pred: Array) -> Array:
    """The same predictions, as far out as the kind allows."""
    if exam.loss.pred == "prob":
        return np.where(pred > 0.5, 1 - 1e-9, 1e-9)
    if exam.loss.pred == "log_probs":
        return pred - 50.0
    return pred * 300


def _permuted_batches(exam: Exam) -> Row:
    rng, (pred, target) = exam.rng("permutation"), exam.sample
    order = rng.permutation(ROWS)
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
def weights(exam: Exam) -> Row:
    """A weight of 2 is a row twice, a weight of 0 and a mask are a row removed."""
    loss, (pred, target) = exam.loss, one_unit(exam)
    pred, target = pred[:ROWS], None if target is None else target[:ROWS]
    weight = np.arange(ROWS) % 3 * 1.0
    repeats, keep = weight.astype(int), weight > 0
    if found := _unequal(loss, exam, pred, target, {"mask": keep}, keep, "mean", "a mask", "rows removed"):
        return found
    if loss.coupled and not loss.takes_weight:
        return right("weights", "a mask is rows removed; it declares no weights")
    for reduction in ("sum", "weighted_mean") if not loss.coupled else ("mean",):
        options = {"sample_weight": weight}
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
    return wrong("weights", f'{name} gives {a:.6g}, {means} {b:.6g} ("{reduction}")', telling(a, b, {"n": ROWS}))


# --- labels and rows --------------------------------------------------------------------------------------------------
def labels(exam: Exam) -> Row:
    """Labels equal their one-hot rows, for values, slopes and class weights."""
    loss, (pred, target) = exam.loss, exam.sample
    if loss.target != "index|simplex" or loss.coupled:
        return apart("labels", "rows of probabilities and labels: only for a loss on both")
    rows = np.eye(pred.shape[-1])[target]
    a, b = exam.subject.values(pred, rows), exam.values
    if found := _different(exam, "one-hot rows", a, "labels", b):
        return wrong("labels", found)
    gap = norms(exam.subject.slopes(pred, rows) - exam.slopes)
    if (gap > 1e-7 * (norms(exam.slopes) + exam.typical)).any():
        return wrong("labels", f"one-hot rows give other slopes, at {place(exam, int(np.argmax(gap)))}")
    return right("labels", "labels are their one-hot rows")


# --- places -----------------------------------------------------------------------------------------------------------
def one_unit(exam: Exam) -> tuple[Array, Array]:
    """The sample as the function gets it: of a loss that couples the batch, one batch."""
    pred, target = exam.sample
    return (pred[0], None if target is None else target[0]) if exam.loss.coupled else (pred, target)


def single(array: Array) -> Array:
    """The same array in float32; labels stay labels."""
    return array if array is None or array.dtype.kind != "f" else array.astype(np.float32)


def place(exam: Exam, at: int) -> str:
    """A unit of the sample in words."""
    pred, target = exam.sample
    return spot(pred[at], None if target is None else target[at], exam.loss.coupled)


def spot(pred: Array, target: Array, coupled: bool = False) -> str:
    """A prediction and its target in words."""
    if coupled:
        return "a batch of the sample"
    said = f"pred = {_numbers(pred)}"
    return said if target is None else f"{said}, target = {_numbers(target)}"


def _numbers(array: Array) -> str:
    flat = np.ravel(array)
    shown = ", ".join(f"{v:.4g}" for v in flat[:3])
    return shown if np.ndim(array) == 0 else f"({shown}{', …' if flat.size > 3 else ''})"
