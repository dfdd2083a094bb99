"""What all lines of a card share: one sample, the loss along its cuts, and the size of an ordinary value and slope."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.testing import samplers
from minigrad.testing.cuts import Cut, cuts, directional
from minigrad.testing.samplers import Sizes
from minigrad.testing.subject import LossFailed, Subject, at_defaults, prepared

if TYPE_CHECKING:
    from minigrad.losses import Loss

Array = Any
SAMPLES = 240
BATCHES, ROWS = 5, 9  # of a loss that couples the batch


@dataclass(frozen=True)
class Trace:
    """A loss along one cut, on the grid and beyond it."""

    cut: Cut
    x: Array
    value: Array
    slope: Array  # d/d(prediction)
    along: Array  # d/dx
    inside: Array  # which places are on the grid


@dataclass(frozen=True)
class Exam:
    """A loss, and everything about it that more than one line needs; each is computed once.

    Attributes:
        loss: the loss as given, its fitted parameters fitted to the sample.
        seed: what all random numbers of this card come from.
        sizes: how large one sample is.
        bare: whether to leave the cuts out.
    """

    loss: Loss
    seed: int
    sizes: Sizes
    bare: bool = False

    @classmethod
    def of(cls, loss: Loss, seed: int) -> Exam:
        """The exam of a loss as somebody hands it in."""
        named = with_heads(loss)
        blank = cls(named, seed, sizes_of(named))
        return cls(prepared(named, blank.drawn_targets), seed, blank.sizes)

    def rng(self, line: str) -> np.random.Generator:
        """The random numbers of one line: the same whatever the other lines draw."""
        return np.random.default_rng([self.seed, *line.encode()])

    # --- the loss --------------------------------------------------------------------------------------------------
    @cached_property
    def subject(self) -> Subject:
        """The loss at the parameters that it was given."""
        return Subject(self.loss)

    @cached_property
    def default(self) -> Subject:
        """The loss at its default parameters, for which its claims are made."""
        return Subject(at_defaults(self.loss, self.drawn_targets))

    # --- the sample ------------------------------------------------------------------------------------------------
    @cached_property
    def drawn_targets(self) -> Array:
        """The targets of the sample, without an axis of batches."""
        m = BATCHES * ROWS if self.loss.coupled else SAMPLES
        return samplers.targets(self.loss, m, self.rng("sample"), self.sizes)

    @cached_property
    def sample(self) -> tuple[Array, Array]:
        """Predictions and targets, of a loss that couples the batch with an axis of batches in front."""
        target, m = self.drawn_targets, BATCHES * ROWS if self.loss.coupled else SAMPLES
        pred = samplers.preds(self.loss, target, m, self.rng("predictions"), self.sizes)
        if not self.loss.coupled:
            samplers.check_spread(self.loss, pred, target)
            return pred, target
        return batched(pred), None if target is None else batched(target)

    def again(self, rng: np.random.Generator, spread: Any = 1.0) -> Array:
        """Other predictions beside the same targets."""
        m = BATCHES * ROWS if self.loss.coupled else SAMPLES
        pred = samplers.preds(self.loss, self.drawn_targets, m, rng, self.sizes, spread)
        return batched(pred) if self.loss.coupled else pred

    @cached_property
    def values(self) -> Array:
        """The values on the sample."""
        return self.subject.values(*self.sample)

    @property
    def has_numbers(self) -> bool:
        """Whether the loss has values on the sample, and all of them are numbers."""
        try:
            return bool(np.isfinite(self.values).all())
        except LossFailed:
            return False

    @property
    def all_numbers(self) -> bool:
        """Whether it has numbers for values and slopes along the cuts too."""
        return self.has_numbers and all(np.isfinite(t.value).all() and np.isfinite(t.slope).all() for t in self.traces)

    @cached_property
    def slopes(self) -> Array:
        """The slopes on the sample."""
        return self.subject.slopes(*self.sample)

    @cached_property
    def typical(self) -> float:
        """The size of an ordinary slope."""
        sizes = np.abs(self.slopes)
        sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
        return float(np.median(sizes)) if sizes.size else 0.0

    @cached_property
    def scale(self) -> float:
        """The size of an ordinary value."""
        sizes = np.abs(self.values)
        sizes = sizes[np.isfinite(sizes)]
        return float(np.median(sizes)) if sizes.size else 0.0

    @cached_property
    def variants(self) -> list[tuple[Exam, str]]:
        """The same exam of the loss at other values of its parameters, one changed at a time."""
        from minigrad.testing.parameters import changed

        return [(Exam(loss, self.seed, self.sizes), f", {said}") for loss, said in changed(self)]

    @property
    def resized(self) -> list[tuple[Exam, str]]:
        """The same exam on soft labels and on other sizes of a sample, without cuts, unless the loss fixes them."""
        others = [(Sizes(classes=k), f", {k} classes") for k in (2, 3)]
        if self.loss.pred == "embedding":
            others = [(Sizes(width=3), ", 3 entries")]
        elif self.loss.pred not in ("logits", "log_probs"):
            return []
        if any(np.ndim(value) for value in self.loss.given.values()):
            return []
        exams = [(Exam(self.loss, self.seed, sizes, bare=True), said) for sizes, said in others]
        if self.loss.target == "index|simplex":
            exams.append(
                (Exam(replace(self.loss, target="simplex"), self.seed, self.sizes, bare=True), ", soft labels")
            )
        return [(exam, said) for exam, said in exams if _answers(exam.loss, exam.sizes)]

    # --- the cuts --------------------------------------------------------------------------------------------------
    @cached_property
    def traces(self) -> list[Trace]:
        """The loss along every cut."""
        return [] if self.bare else [traced(self.subject, cut) for cut in cuts(self.loss, self.sizes)]


def traced(subject: Subject, cut: Cut) -> Trace:
    """A loss along a cut: all places in one call."""
    low, high = cut.grid[0], cut.grid[-1]
    x = np.concatenate([cut.far[cut.far < low], cut.grid, cut.far[cut.far > high]])
    value, slope = cut.values(subject, x), cut.slopes(subject, x)
    return Trace(cut, x, value, slope, directional(slope, cut.tangent(x)), (x >= low) & (x <= high))


def batched(array: Array) -> Array:
    """Rows as batches of rows."""
    return array.reshape(BATCHES, ROWS, *array.shape[1:])


# --- what a loss does not say -----------------------------------------------------------------------------------------
def with_heads(loss: Loss) -> Loss:
    """The loss with names for all its heads: as many as its function reads, if it does not say."""
    if loss.pred != "params" or loss.heads:
        return loss
    named = [replace(loss, heads=tuple(f"head {i}" for i in range(k))) for k in (2, 3, 1, 4, 5, 6)]
    return next((one for one in named if _answers(one, Sizes())), named[0])


def sizes_of(loss: Loss) -> Sizes:
    """Sizes that the function takes: those of a parameter given as an array, ten classes, or what it asks for."""
    ends = [np.shape(value)[-1] for value in loss.given.values() if np.ndim(value)]
    if loss.pred in ("logits", "log_probs"):
        two = [2] if loss.target in ("unit", "binary", "sign") else []
        wanted = [Sizes(classes=k) for k in (*two, *ends, 10, *range(2, 10), *range(11, 33))]
    elif loss.pred == "embedding":
        wanted = [Sizes(width=d) for d in (*ends, 6, 2, 3, 4, 5, *range(7, 33))]
    elif loss.pred == "params":
        return Sizes(classes=max(len(loss.heads), 2))  # one head for each, if its targets are classes
    else:
        return Sizes()
    return next((sizes for sizes in wanted if _answers(loss, sizes)), wanted[0])


def _answers(loss: Loss, sizes: Sizes) -> bool:
    """Whether a loss has values for a few samples of these sizes."""
    rng, m = np.random.default_rng(0), 40
    drawn = target = samplers.targets(loss, m, rng, sizes)
    pred = samplers.preds(loss, target, m, rng, sizes)
    if loss.coupled:
        pred, target = pred[None], None if target is None else target[None]
    try:
        Subject(prepared(loss, drawn)).values(pred, target)
    except LossFailed:
        return False
    return True
