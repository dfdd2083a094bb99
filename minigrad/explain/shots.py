"""All samples of a batch at one moment of a training: what several losses send, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.explain.heard import Heard, hear
from minigrad.explain.way_back import Chain, lengths, received
from minigrad.losses import Loss

Array = Any


@dataclass(frozen=True)
class Shot:
    """All samples at one moment.

    Attributes:
        out: outputs (n, …).
        heard: what each loss says.
        steps: the way back of each loss.
        own: ‖∂ℓⱼ/∂θ_k‖ by loss, sample and module with parameters, (losses, n, k).
        reach: the same for each unit that arrives at the module: √(1 + ‖h‖²) of a linear one.
        places: which of the modules have parameters.
        several: whether a sample has several outputs, so that factors depend on the loss.
        shared: whether `reach` is the same for every loss.
    """

    out: Array
    heard: list[Heard]
    steps: list[Any]
    own: Array
    reach: Array
    places: list[int]
    several: bool
    shared: bool

    def plain(self, kept: list[int], digits: int, *, shared: bool) -> dict[str, Any]:
        """The numbers of some samples; what the whole batch receives stands under "total"."""
        sizes = np.array([lengths(each.delta)[kept] for each in self.heard])
        delta = sizes if self.several else np.array([each.delta[kept].reshape(-1) for each in self.heard])
        factors = np.array([[step.factor[kept] for step in steps] for steps in self.steps]).swapaxes(1, 2)
        loudest, every = sizes.argmax(0), np.arange(len(kept))  # a loss that sends nothing has no factors
        reach = self.reach[:, kept]
        numbers = {
            "out": self.out[kept].reshape(len(kept), -1), "delta": delta.T,
            "factor": factors if self.several else factors[loudest, every],
            "reach": reach[loudest, every] if shared else reach, "total": self.own.sum(1),
        }  # fmt: skip
        return {key: rounded(values, digits) for key, values in numbers.items()}


def shot_of(model: nn.Module, losses: list[Loss], x: Array, y: Any) -> Shot:
    """What every loss sends through a model to every sample."""
    path = Chain(model, x)
    heard = [hear("explore", loss, path.out, y) for loss in losses]
    steps = [path.back(each.delta) for each in heard]
    places = [k for k, step in enumerate(steps[0]) if step.module.parameters()]
    by_loss = [[got.size for k in places if (got := received(each[k]))] for each in steps]
    own = np.array(by_loss).reshape(len(losses), len(places), len(x)).swapaxes(1, 2)
    arrives = (
        np.array([[each[k].length for k in places] for each in steps]).reshape(own.swapaxes(1, 2).shape).swapaxes(1, 2)
    )
    reach = np.divide(own, arrives, out=np.zeros_like(own), where=arrives > 0)
    several = path.out[0].size > 1
    return Shot(path.out, heard, steps, own, reach, places, several, not several or _alike(reach))


def _alike(reach: Array) -> bool:
    """Whether all losses that are heard agree."""
    most = reach.max(0)
    return bool(np.all((reach == 0) | (np.abs(reach - most) <= 1e-9 * most)))


def rounded(values: Array, digits: int) -> Any:
    """Nested lists of numbers with so many digits."""
    if np.ndim(values):
        return [rounded(part, digits) for part in values]
    number = float(f"{float(values):.{digits}g}")
    return int(number) if number == int(number) and abs(number) < 1e15 else number
