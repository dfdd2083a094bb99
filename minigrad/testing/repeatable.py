"""The line `repeatable`: the same input gives the same bits, and nothing else happens."""

from __future__ import annotations

import decimal
import gc
import io
import os
import random
import sys
import warnings
import weakref
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import numpy as np

from minigrad.engine.graph import recording
from minigrad.testing.card import Row, right, wrong
from minigrad.testing.exam import Exam
from minigrad.testing.places import one_unit
from minigrad.testing.subject import LossFailed, asked

Array = Any


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
        return wrong("repeatable", "the same input again gives other values", noise=True)
    try:
        first, again = exam.slopes, exam.subject.slopes(*exam.sample)
    except LossFailed:  # another line says so
        return None
    return None if _same_bits(first, again) else wrong("repeatable", "the same input again gives another gradient")


def _touched(function: Any, pred: Array, target: Array, values: dict[str, Any]) -> str:
    """What a call does besides returning something."""
    pred, target = pred.copy(), None if target is None else target.copy()
    before = [None if a is None else a.tobytes() for a in (pred, target)]

    def call() -> Any:
        return asked(function, pred, target, **values)

    for said in ("warn", "ignore"):  # a state that is set again shows only beside another one
        if found := _changed_outside(call, said):
            return found
    made = call()
    for name, array, bytes_ in zip(("pred", "target"), (pred, target), before, strict=True):
        if array is not None and array.tobytes() != bytes_:
            return f"writes into {name}"
    kept = np.array(made, copy=True)
    asked(function, pred[::-1].copy(), None if target is None else target[::-1].copy(), **values)
    if not _same_bits(kept, np.asarray(made)):
        return "returns an array that its next call overwrites"
    return _keeps(function, pred, target, values)


def _keeps(function: Any, pred: Array, target: Array, values: dict[str, Any]) -> str:
    """Whether a prediction is held after the call that it was for."""
    own = pred.copy()
    watched = weakref.ref(own)
    asked(function, own, target, **values)
    del own
    if watched() is not None:
        gc.collect()  # a cycle that nobody holds
    return "keeps the prediction after the call" if watched() is not None else ""


def _changed_outside(call: Callable[[], Any], said: Any) -> str:
    """What a call leaves changed outside, if the outside is first put into a state of its own."""
    printed = io.StringIO()
    with warnings.catch_warnings(), np.errstate(all=said), redirect_stdout(printed), redirect_stderr(printed):
        warnings.simplefilter("always" if said == "warn" else "ignore")
        warnings.showwarning = lambda *_, **__: None
        np.random.random()  # noqa: NPY002 # the global state is what a loss must leave alone
        random.random()
        outside = _outside()
        call()
        after = _outside()
    if printed.getvalue():
        return "prints"
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
        "sys.path": list(sys.path),
        "the decimal context": repr(decimal.getcontext()),
        "the garbage collector": gc.isenabled(),
    }


def _same_bits(a: Array, b: Array) -> bool:
    return bool(a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes())
