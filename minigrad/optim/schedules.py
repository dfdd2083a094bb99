"""Schedules: a learning rate that is a function of the number of steps taken.

A schedule stands where the number would: `Adam(params, lr=Cosine(1e-3, steps=1000))`, `fit(..., lr=Cosine(...))`. The
optimizer keeps a copy of its own, counts the steps, and has both in its state.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from typing import Any

from minigrad.engine.errors import CheckpointError
from minigrad.nn.arguments import number


class Schedule(ABC):
    """A learning rate for every step. Call it with the number of steps taken so far; 0 gives the first rate."""

    @abstractmethod
    def __call__(self, t: int) -> float:
        """The learning rate of the step that comes after t steps."""

    def observe(self, loss: float) -> None:  # noqa: B027  # most schedules do not care
        """Take notice of a loss, as a rule that of an epoch."""

    def state_dict(self) -> dict[str, Any]:
        """Its kind and all its numbers."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]  # all are dataclasses
        return {"schedule": type(self).__name__} | {
            name: v.state_dict() if isinstance(v, Schedule) else v for name, v in values.items()
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned.

        Raises:
            CheckpointError: it is no state of such a schedule. Nothing has been loaded.
        """
        kind = type(self).__name__
        try:
            values = dict(state)
            if (given := values.pop("schedule")) != kind:
                raise ValueError(f"it is the state of {given!r:.60}")
            for name, own in vars(self).items():
                if isinstance(own, Schedule):
                    inner = copy.deepcopy(own)
                    inner.load_state_dict(values[name])
                    values[name] = inner
            loaded = type(self)(**values)
        except (KeyError, TypeError, ValueError, CheckpointError) as error:
            raise CheckpointError(
                f"{kind}.load_state_dict: expected the state of {self}, got another one; nothing was loaded: {error}"
            ) from error
        vars(self).update(vars(loaded))

    def _checked(self, **ranges: tuple[str, Any]) -> None:
        """Replace each number by a plain one in its range."""
        for name, (words, inside) in ranges.items():
            setattr(self, name, number(type(self).__name__, name, getattr(self, name), words, inside))

    def _whole(self, *names: str, least: int = 1) -> None:
        words = f"≥ {least}, a whole number"
        for name in names:
            self._checked(**{name: (words, lambda v: least <= v < math.inf and v == int(v))})
            setattr(self, name, int(getattr(self, name)))


RATE = ("> 0 and finite", lambda v: 0 < v < math.inf)
LEAST = ("≥ 0 and finite", lambda v: 0 <= v < math.inf)
FACTOR = ("≥ 1 and finite", lambda v: 1 <= v < math.inf)
SHARE = ("in (0, 1)", lambda v: 0 < v < 1)


def _between(start: float, end: float, s: float) -> float:
    """From start to end along half a cosine, s from 0 to 1."""
    return end + (start - end) * (1 + math.cos(math.pi * min(s, 1.0))) / 2


@dataclass
class StepDecay(Schedule):
    """lr·factor^⌊t/every⌋: times `factor` after each `every` steps.

    Args:
        lr: the first rate, > 0.
        every: steps between two changes, ≥ 1.
        factor: > 0, as a rule below 1.
    """

    lr: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        self._checked(lr=RATE, factor=RATE)
        self._whole("every")

    def __call__(self, t: int) -> float:
        """The rate after t steps."""
        return self.lr * self.factor ** (t // self.every)


@dataclass
class Cosine(Schedule):
    """least + (lr − least)(1 + cos(πt/steps))/2, and `least` afterwards.

    Args:
        lr: the first rate, > 0.
        steps: how many until the least rate is reached, ≥ 1.
        least: the last rate, ≥ 0.

    Loshchilov, Hutter 2017, arXiv:1608.03983.
    """

    lr: float
    steps: int
    least: float = 0.0

    def __post_init__(self) -> None:
        self._checked(lr=RATE, least=LEAST)
        self._whole("steps")

    def __call__(self, t: int) -> float:
        """The rate after t steps."""
        return _between(self.lr, self.least, t / self.steps)


@dataclass
class OneCycle(Schedule):
    """Up from lr/start to lr, then down to lr/(start·end), each along half a cosine.

    Args:
        lr: the largest rate, > 0.
        steps: of the whole cycle, ≥ 1; afterwards the last rate stays.
        rise: share of the steps that goes up, in (0, 1).
        start, end: what the largest, and then the first rate is divided by, ≥ 1.

    Smith, Topin 2018, arXiv:1708.07120.
    """

    lr: float
    steps: int
    rise: float = 0.3
    start: float = 25.0
    end: float = 1e4

    def __post_init__(self) -> None:
        self._checked(lr=RATE, rise=SHARE, start=FACTOR, end=FACTOR)
        self._whole("steps")

    def __call__(self, t: int) -> float:
        """The rate after t steps."""
        first, top = self.lr / self.start, self.rise * self.steps - 1
        if t <= top:
            return _between(first, self.lr, t / top)
        return _between(self.lr, first / self.end, (t - top) / (self.steps - 1 - top))


@dataclass
class WarmUp(Schedule):
    """For `steps` steps the share (t + 1)/(steps + 1) of the rate that follows, then that.

    Args:
        then: the rate, or the schedule, that follows; its own count begins after the warm-up.
        steps: how many, ≥ 1.

    Goyal et al. 2017, arXiv:1706.02677.
    """

    then: float | Schedule
    steps: int

    def __post_init__(self) -> None:
        if not isinstance(self.then, Schedule):
            self._checked(then=RATE)
        self._whole("steps")

    def __call__(self, t: int) -> float:
        """The rate after t steps."""
        rate = self.then(max(t - self.steps, 0)) if isinstance(self.then, Schedule) else self.then
        return rate * min((t + 1) / (self.steps + 1), 1.0)

    def observe(self, loss: float) -> None:
        """Pass the loss on to the schedule that follows."""
        if isinstance(self.then, Schedule):
            self.then.observe(loss)


@dataclass
class Plateau(Schedule):
    """Times `factor` whenever more than `patience` losses in a row were no smaller than the least so far.

    It sees a loss when `optimizer.observe(loss)` is called, as `fit` does after each epoch.

    Args:
        lr: the first rate, > 0.
        factor: in (0, 1).
        patience: losses to wait for, ≥ 0.
        least: no rate is smaller, ≥ 0.
        best, waited, now: the least loss so far, losses since, and the present rate; as in a state, else left out.
    """

    lr: float
    factor: float = 0.1
    patience: int = 10
    least: float = 0.0
    best: float | None = field(default=None, kw_only=True, repr=False)
    waited: int = field(default=0, kw_only=True, repr=False)
    now: float | None = field(default=None, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        self._checked(lr=RATE, factor=SHARE, least=LEAST)
        self._whole("patience", "waited", least=0)
        self.now = self.lr if self.now is None else self.now
        self._checked(now=LEAST)
        if self.best is not None:
            self._checked(best=("a finite number", math.isfinite))

    def __call__(self, t: int) -> float:
        """The present rate."""
        return self.lr if self.now is None else self.now

    def observe(self, loss: float) -> None:
        """Count a loss that is no smaller than the least so far; lower the rate when there were too many in a row."""
        if math.isfinite(loss) and (self.best is None or loss < self.best):
            self.best, self.waited = float(loss), 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.now, self.waited = max(self(0) * self.factor, self.least), 0
