"""check_loss: what a loss is, measured, and whether it is right."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.losses.parameters import fitted
from minigrad.testing import batches, claims, gradient, kinks, learning, precision, profile, repeatable, values
from minigrad.testing.card import RIGHT, WRONG, Card, Curve, Row, apart, wrong
from minigrad.testing.exam import Exam
from minigrad.testing.parameters import parameters
from minigrad.testing.proper import proper
from minigrad.testing.relatives import relatives
from minigrad.testing.subject import LossFailed, undisturbed

if TYPE_CHECKING:
    from minigrad.losses import Loss

LINES: dict[str, Callable[[Exam], Row]] = {
    "value": values.value,
    "repeatable": repeatable.repeatable,
    "gradient": gradient.gradient,
    "permutation": batches.permutation,
    "weights": batches.weights,
    "labels": batches.labels,
    "minimum": profile.minimum,
    "at chance": profile.at_chance,
    "slope": kinks.slope,
    "at ±∞": profile.at_infinity,
    "bounds": profile.bounds,
    "one outlier": profile.one_outlier,
    "convex": claims.convex,
    "symmetric": claims.symmetric,
    "proper": proper,
    "shift_invariant": claims.shift_invariant,
    "scaling": profile.scaling,
    "finite": precision.finite,
    "float32": precision.float32,
    "parameters": parameters,
    "relatives": relatives,
    "learns": learning.learns,
    "cost": learning.cost,
}
FIRST = ("repeatable", "value", "gradient")  # what a loss changes outside shows best before anything else was asked


def check_loss(loss: Loss | str, *, rng: Any = 0) -> Card:
    """Measure a loss and judge it: values and slopes against each other, claims against counterexamples.

    Nothing that the loss changes outside itself stays changed, and no line depends on another one's random numbers.

    Args:
        loss: a Loss, or the name of one; it is taken at the parameters that it is given with, its claims at the default
            ones.
        rng: a `numpy.random.Generator` or an int; the same gives the same card, times excepted.

    Returns:
        A Card: `.ok`, `.failed`, `.rows`, `str(card)`, `card.to_dict()`, `figures.card(card)`.

    Raises:
        UnknownLossError, PluginError: no such loss, or its pack fails to load.

    >>> from minigrad.testing import check_loss
    >>> card = check_loss("huber")
    >>> card.ok, card["at ±∞"].text
    (True, 'bounded by 1')
    """
    from minigrad.losses import get

    found = get(loss)
    seed = int(np.random.default_rng(rng).integers(2**63))
    with undisturbed():
        outside = repeatable.surroundings()
        try:
            exam = Exam.of(found, seed)
        except LossFailed as error:
            return _card(found, [wrong("value", f"fails: {error}")], ())
        return _card(exam.loss if _unfitted(found) else found, _rows(exam, outside), _curves(exam))


def _unfitted(loss: Loss) -> bool:
    """Whether a parameter has no value before it is fitted."""
    return any(
        isinstance(parameter.default, fitted) and name not in loss.given for name, parameter in loss.params.items()
    )


def _rows(exam: Exam, outside: dict[str, Any]) -> list[Row]:
    """Every line; where the loss cannot be called, or has no number for a value, that is said once."""
    rows: dict[str, Row] = {}
    said = ""
    for name in (*FIRST, *(name for name in LINES if name not in FIRST)):
        if said and (not exam.has_numbers or rows["repeatable"].measured.get("noise")):
            rows[name] = apart(name, f"not measured: see {said}")
            continue
        rows[name] = _answer(name, exam, said or ("value" if name == "repeatable" else ""))
        if name in FIRST and rows[name].mark == WRONG:
            said = said or name
    if rows["repeatable"].mark == RIGHT:
        rows["repeatable"] = _at_the_end(exam, outside) or rows["repeatable"]
    return [rows[name] for name in LINES]


def _answer(name: str, exam: Exam, see: str) -> Row:
    """One line; `see` is the line that has said already what is wrong, if there is one."""
    try:
        return LINES[name](exam)
    except LossFailed as error:
        return apart(name, f"not measured: see {see}") if see else wrong(name, f"fails: {error}")
    except (ValueError, ArithmeticError, LookupError):
        if exam.all_numbers:
            raise
        return apart(name, "not measured: it has no number for some predictions, see finite")


def _at_the_end(exam: Exam, outside: dict[str, Any]) -> Row | None:
    """A line, if the loss has changed itself or its surroundings while it was examined."""
    for name, state in repeatable.surroundings().items():
        if state != outside[name]:
            return wrong("repeatable", f"changes {name}")
    try:
        return repeatable.changed_since(exam)
    except LossFailed:
        return None


def _curves(exam: Exam) -> tuple[Curve, ...]:
    try:
        traces = exam.traces
    except LossFailed:
        return ()
    curves = []
    for trace in traces:
        chosen = np.flatnonzero(trace.inside)[::10]
        numbers = (tuple(float(v) for v in array[chosen]) for array in (trace.x, trace.value, trace.along))
        curves.append(Curve(trace.cut.axis, trace.cut.label, *numbers))
    return tuple(curves)


def _card(loss: Loss, rows: list[Row], curves: tuple[Curve, ...]) -> Card:
    from minigrad import __version__

    owner = loss.owner
    built_in = owner is not None and owner.pack == "minigrad"
    said = f"minigrad {__version__}" if built_in else str(owner) if owner else loss.where
    return Card(_titled(loss), said, loss.pred, loss.target, _formula(loss), tuple(rows), curves)


def _titled(loss: Loss) -> str:
    """The loss with all its parameters."""
    if loss.text is not None:
        return loss.text
    shown = ", ".join(f"{name}={_literal(value)}" for name, value in loss.values.items())
    return f"{loss.full_name}({shown})" if shown else loss.full_name


def _literal(value: Any) -> str:
    plain = value.tolist() if hasattr(value, "tolist") else value
    return repr(plain) if len(repr(plain)) <= 30 else f"{repr(plain)[:27]}…"


def _formula(loss: Loss) -> str:
    """The formula of a docstring: the first sentence of its second paragraph, or of the first if there is one alone."""
    paragraphs = inspect.cleandoc(loss.__doc__ or "").split("\n\n")
    text = " ".join((paragraphs[1] if len(paragraphs) > 1 else paragraphs[0]).split())
    return text.partition(". ")[0].rstrip(".")
