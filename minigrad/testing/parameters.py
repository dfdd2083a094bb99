"""The line on parameters: each is changed by itself, and must change something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.engine.tensor import Tensor
from minigrad.testing.card import Row, apart, right, wrong
from minigrad.testing.exam import Exam
from minigrad.testing.samplers import GROUPS
from minigrad.testing.subject import LossFailed, Subject

if TYPE_CHECKING:
    from minigrad.losses import Loss

Array = Any
NEAR = (0.75, 1.25, 0.5, 2.0)  # times the value: within any domain that is not said
WIDE = (10.0, 0.1, 1000.0, 1e-3)


def parameters(exam: Exam) -> Row:
    """What each parameter moves; one that moves nothing is a fault."""
    loss = exam.loss
    if not loss.params:
        return apart("parameters", "it has none")
    said, untried, moved = [], [], {}
    for name in loss.params:
        tried = _tried(exam, name)
        if not tried:
            untried.append(name)
        elif not any(tried):
            text = f"{name} changes nothing: {_shown(loss.values[name])} and other values give the same"
            return wrong("parameters", text)
        else:
            moved[name] = next(effect for effect in tried if effect)
            said.append(f"{name} moves the {' and the '.join(moved[name])}")
    said += [f"{name} was not changed: no other value is known" for name in untried]
    return right("parameters", "; ".join(said), moved=moved)


def _tried(exam: Exam, name: str) -> list[tuple[str, ...]]:
    """What a parameter moves: as the loss was given, at its defaults, and beside other values of other parameters."""
    bases = [exam.loss, exam.default.loss]
    bases += [other for word in exam.loss.params if word != name for other in _others(exam, exam.loss, word, ())]
    tried: list[tuple[str, ...]] = []
    for base in bases:
        effect = _effect(exam, base, name)
        tried += [effect] if effect is not None else []
        if effect:
            break
    return tried


def _effect(exam: Exam, base: Loss, name: str) -> tuple[str, ...] | None:
    """What moves when one parameter takes other values: () for nothing, None if no other value is allowed."""
    found: tuple[str, ...] | None = None
    known = _profile(exam, base)
    for other in _others(exam, base, name, WIDE):
        now = _profile(exam, other)
        found = tuple(part for part in known if _differ(known[part], now[part]))
        if found:
            break
    return found


def _profile(exam: Exam, loss: Loss) -> dict[str, Array]:
    """The values on the sample and the cuts, and the slopes there and far out."""
    subject, traces = Subject(loss), exam.traces
    pred, target = exam.sample
    parts = {"value": [subject.values(pred, target)], "slope": [subject.slopes(pred, target)], "slope at ∞": []}
    for trace in traces:
        x = trace.x[~trace.inside]
        parts["value"].append(trace.cut.values(subject, trace.x[::8]))
        parts["value"].append(trace.cut.values(subject, x))
        parts["slope at ∞"].append(trace.cut.slopes(subject, x))
    return {name: np.concatenate([np.ravel(a) for a in arrays]) for name, arrays in parts.items() if arrays}


def _differ(a: Array, b: Array) -> bool:
    """Whether two lists of numbers differ anywhere by more than rounding."""
    size = np.maximum(np.abs(a), np.abs(b))
    same = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= 1e-12 * size)
    return not bool(same.all())


def changed(exam: Exam) -> list[tuple[Loss, str]]:
    """The loss with one parameter changed, for each that can be, and how that is said."""
    found = []
    for name in exam.loss.params:
        for other in _others(exam, exam.loss, name, ()):
            found.append((other, f"{name}={_shown(other.given[name])}"))
            break
    return found


def _others(exam: Exam, base: Loss, name: str, wide: tuple[float, ...]) -> Iterator[Loss]:
    """The loss with other values of one parameter: those that it accepts and answers with finite numbers."""
    for value in _candidates(exam, base, name, wide):
        try:
            other = base.with_(**{name: value})
            values = Subject(other).values(*exam.sample)
        except (TypeError, ValueError, LossFailed):
            continue
        if np.isfinite(values).all():
            yield other


def _candidates(exam: Exam, base: Loss, name: str, wide: tuple[float, ...]) -> Iterator[Any]:
    value = base.values[name]
    if isinstance(value, Tensor):
        value = value.data
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1, 2 * value + 1)
    elif isinstance(value, float):
        yield from (times * value for times in (*NEAR, *wide)) if value else (0.1, 0.5, 1.0, -0.5, -3.0)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "iuf":
        first = np.zeros(value.shape)
        first.flat[0] = 1
        yield from (value * (1 + first), value + first, 0.8 * value + 0.2 / value.shape[-1])
    elif value is None:
        rng, k = np.random.default_rng(0), exam.sizes.classes
        yield from (0.25, 2.0, 0.8 * np.eye(k) + 0.2 / k, rng.standard_normal((GROUPS, exam.sizes.width)))


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else f"{'an array' if isinstance(value, np.ndarray) else value}"
