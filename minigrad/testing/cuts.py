"""One-dimensional cuts through the predictions of a loss: along them it is a curve that can be looked at whole.

The kind of prediction fixes the cuts: the residual, a score, a probability, the margin of the true class over equal
others, one head after the other, the distance and the angle of a pair.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.testing.samplers import Sizes, log_softmax

if TYPE_CHECKING:
    from minigrad.losses import Loss
    from minigrad.testing.subject import Subject

Array = Any
STEPS = 1000  # on each side of the middle
FAR = np.logspace(1, 6, 26)[1:]  # beyond the grid


@dataclass(frozen=True)
class Cut:
    """A line through the predictions beside one target.

    Attributes:
        axis: what x is, in one letter or word.
        label: the target, and what is held.
        target: of one sample.
        path: x (m,) to predictions (m, …).
        tangent: x (m,) to d(prediction)/dx.
        grid: the places that are looked at, ascending; a middle is at the centre.
        right: at which end of the line the prediction is right: −1, 0 for the middle, 1, or None if nobody knows.
        far: places beyond the grid, ascending, or none where the line ends.
        singular: whether a formula may be 0 · ∞ far out, such as a residual of 0 beside a scale of 0.
    """

    axis: str
    label: str
    target: Any
    path: Callable[[Array], Array] = field(repr=False)
    tangent: Callable[[Array], Array] = field(repr=False)
    grid: Array = field(repr=False)
    right: int | None = None
    far: Array = field(repr=False, default_factory=lambda: np.concatenate([-FAR[::-1], FAR]))
    singular: bool = False

    def targets(self, m: int) -> Array:
        """The target, m times."""
        return None if self.target is None else np.repeat(np.asarray(self.target)[None], m, 0)

    def values(self, subject: Subject, x: Array) -> Array:
        """The loss at the places x."""
        return subject.values(self.path(x), self.targets(len(x)))

    def slopes(self, subject: Subject, x: Array) -> Array:
        """d(loss)/d(prediction) at the places x."""
        return subject.slopes(self.path(x), self.targets(len(x)))

    def along(self, subject: Subject, x: Array) -> Array:
        """d(loss)/dx at the places x."""
        return directional(self.slopes(subject, x), self.tangent(x))


def directional(slopes: Array, direction: Array) -> Array:
    """Slopes along a direction, where a component that is not moved does not count, even if it is not finite."""
    moved = np.where(direction == 0, 0, slopes) * direction
    return moved.reshape(len(slopes), -1).sum(-1)


def cuts(loss: Loss, sizes: Sizes) -> list[Cut]:
    """The cuts of a loss, the first one being what it is mainly about."""
    return [] if loss.coupled else list(CUTS[loss.pred](loss, sizes))


def _symmetric(reach: float) -> Array:
    return np.arange(-STEPS, STEPS + 1) * (reach / STEPS)


def _straight(start: Array, direction: Array) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """The line start + x·direction."""
    start, direction = np.asarray(start, float), np.asarray(direction, float)

    def path(x: Array) -> Array:
        return start + x.reshape(-1, *(1,) * direction.ndim) * direction

    return path, lambda x: np.broadcast_to(direction, (len(x), *direction.shape))


def _upward(loss: Loss, target: Any) -> int | None:
    """At which end a score is right: above for class 1, below for the other one."""
    return None if loss.target not in ("unit", "binary", "sign") or target == 0.3 else 1 if target > 0 else -1


def _spots(loss: Loss) -> tuple[Any, ...]:
    """Targets of a scalar kind that are looked at."""
    return {
        "real": (0.0, -3.0, 5.0), "positive": (1.0, 3.0), "count": (1.0, 0.0, 4.0), "unit": (1.0, 0.0, 0.3),
        "binary": (1.0, 0.0), "sign": (1.0, -1.0), "none": (None,), "index": (0, 1), "index|simplex": (0, 1),
    }.get(loss.target, ())  # fmt: skip


def _said(target: Any) -> str:
    return "" if target is None else f"target {target:g}"


def _real(loss: Loss, _: Sizes) -> Iterator[Cut]:
    """The residual; under an exponential, the logarithm of the ratio."""
    under_exp = loss.target in ("count", "positive")
    grid = _symmetric(4.0 if under_exp else 8.0)
    for target in _spots(loss):
        if target is None or (under_exp and target == 0):
            yield Cut("pred", _said(target), target, *_straight(0.0, 1.0), grid, None if target is None else -1)
            continue
        axis = "pred − ln target" if under_exp else "r"
        middle, right = math.log(target) if under_exp else target, 0 if under_exp or loss.target == "real" else None
        yield Cut(axis, _said(target), target, *_straight(middle, 1.0), grid, right)


def _logit(loss: Loss, _: Sizes) -> Iterator[Cut]:
    for target in _spots(loss):
        yield Cut("z", _said(target), target, *_straight(0.0, 1.0), _symmetric(10.0), _upward(loss, target))


def _prob(loss: Loss, _: Sizes) -> Iterator[Cut]:
    grid = (np.arange(2 * STEPS) + 0.5) / (2 * STEPS)
    near = np.logspace(-12, -4, 9)
    far = np.concatenate([near, 1 - near[::-1]])
    for target in _spots(loss):
        yield Cut("p", _said(target), target, *_straight(0.0, 1.0), grid, _upward(loss, target), far)


def _of_classes(loss: Loss, sizes: Sizes) -> Iterator[Cut]:
    """The margin of one class over equal others."""
    if loss.target not in ("index", "simplex", "index|simplex"):
        return
    unit = np.eye(sizes.classes)
    for label in (0, len(unit) - 1):
        path, tangent = _straight(0 * unit[label], unit[label])
        if loss.pred == "log_probs":
            path, tangent = _normalised(path, unit[label])
        target = unit[label] if loss.target == "simplex" else label
        yield Cut("margin", f"class {label} of {len(unit)}", target, path, tangent, _symmetric(10.0), 1)


def _normalised(path: Any, direction: Array) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """The same line, of the logarithms of its softmax."""

    def tangent(x: Array) -> Array:
        return direction - np.exp(log_softmax(path(x)) @ direction)[:, None]

    return lambda x: log_softmax(path(x)), tangent


LOCATIONS = ("mean", "median", "mu", "loc", "location", "mode", "centre", "center")


def _params(loss: Loss, _: Sizes) -> Iterator[Cut]:
    """One head after the other, the rest at 0; what is no location also beside a residual of 1."""
    place = next((i for i, head in enumerate(loss.heads) if head in LOCATIONS), None) if loss.target == "real" else None
    unit = np.eye(len(loss.heads))
    for target in _spots(loss):
        at_target = np.zeros(len(unit)) if place is None else unit[place] * target
        for i, head in enumerate(loss.heads):
            said = _said(target)
            if i == place:
                yield Cut("r", said, target, *_straight(at_target, unit[i]), _symmetric(8.0), 0)
                continue
            alone = place is not None or not target
            yield Cut(head, said, target, *_straight(at_target, unit[i]), _symmetric(8.0), singular=alone)
            if place is not None:
                beside = _straight(at_target + unit[place], unit[i])
                yield Cut(head, f"{said}, r = 1", target, *beside, _symmetric(8.0))


def _embedding(loss: Loss, sizes: Sizes) -> Iterator[Cut]:
    """The distance of the second item from the first, others far from it or on it; of a pair, the angle too."""
    e, roles = np.eye(sizes.width), len(loss.heads)
    for target in _spots(loss):
        for others in (2.0, 0.0) if roles > 2 else (2.0,):
            start = np.stack([e[0], e[0], *(e[0] - others * e[1] for _ in range(roles - 2))]) if roles > 1 else e[0]
            direction = np.zeros_like(start)
            direction[1 if roles > 1 else ...] = e[1]
            said = ", ".join(filter(None, [_said(target), f"others at {others:g}" if roles > 2 else ""]))
            yield Cut("distance", said, target, *_straight(start, direction), _symmetric(4.0))
        if roles == 2:
            yield _turned(e, target)


def _turned(e: Array, target: Any) -> Cut:
    """Two items of length 1, one at an angle to the other."""

    def path(x: Array) -> Array:
        turned = np.cos(x)[:, None] * e[0] + np.sin(x)[:, None] * e[1]
        return np.stack([np.broadcast_to(e[0], turned.shape), turned], 1)

    def tangent(x: Array) -> Array:
        turned = np.cos(x)[:, None] * e[1] - np.sin(x)[:, None] * e[0]
        return np.stack([np.zeros_like(turned), turned], 1)

    return Cut("angle", _said(target), target, path, tangent, _symmetric(math.pi), far=np.zeros(0))


CUTS: dict[str, Callable[[Loss, Sizes], Iterator[Cut]]] = {
    "real": _real,
    "prob": _prob,
    "logit": _logit,
    "logits": _of_classes,
    "log_probs": _of_classes,
    "params": _params,
    "embedding": _embedding,
}


def lines(start: Array, across: Array, target: Array, steps: int) -> tuple[Array, Array]:
    """Predictions on straight lines from start to start + across, and their targets: `steps` points on each line."""
    t = np.linspace(0, 1, steps).reshape(-1, *(1,) * (start.ndim - 1))
    pred = (start[:, None] + t[None] * across[:, None]).reshape(-1, *start.shape[1:])
    return pred, None if target is None else np.repeat(target, steps, 0)
