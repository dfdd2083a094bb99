"""Preflight: what a run would stumble over, found in a second: shapes, the loss at the start, gradients, one batch.

It works on copies. Nothing of the model, the loss or the generator has changed afterwards.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.engine.graph import Node
from minigrad.losses import Loss
from minigrad.losses.kinds import PRED
from minigrad.nn import Module
from minigrad.optim import Adam
from minigrad.samples import Samples

Array = Any
STEPS, RATE = 200, 1e-2  # to overfit one batch with
FAR = 1.2  # how far above chance a fresh model may start


@dataclass(frozen=True)
class Line:
    """One thing that was looked at: whether it is well, and what was measured."""

    name: str
    ok: bool
    said: str


@dataclass(frozen=True)
class Preflight:
    """What `fit(..., dry_run=True)` found; true if nothing is wrong."""

    lines: tuple[Line, ...]

    @property
    def ok(self) -> bool:
        """Whether every line is well."""
        return all(line.ok for line in self.lines)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return "\n".join(f"{'✓' if line.ok else '✗'} {line.name:<10} {line.said}" for line in self.lines)

    __repr__ = __str__


def preflight(model: Module, loss: Loss, samples: Samples, batch_size: int) -> Preflight:
    """Look at a model, a loss and data before a run.

    Args:
        model: it stays as it is.
        loss: the loss of the run, fitted to the targets.
        samples: the training samples.
        batch_size: of the run.
    """
    batch = samples.rows(np.arange(min(batch_size, len(samples.X))))
    double = copy.deepcopy(model)
    return Preflight((
        _shapes(double, samples), _start(double, loss, samples), _reached(double, loss, batch), *_sum(loss, batch),
        *_squashed(double, loss, batch), _overfits(double, loss.fresh(), batch),
    ))  # fmt: skip


def _shapes(model: Module, samples: Samples) -> Line:
    out = samples.rows(np.arange(1)).outputs(model).shape[1:]
    count = sum(p.size for p in model.parameters())
    target = "no target" if samples.y is None else f"target {samples.y.shape}"
    return Line("shapes", True, f"X {samples.X.shape}, {target}; one output {out}; {count:,} parameters")


def _start(model: Module, loss: Loss, samples: Samples) -> Line:
    """The loss of the fresh model against that of the output that knows nothing."""
    start = samples.measured(model, loss, [])["loss"]
    outputs = samples.outputs(model)
    if loss.pred == "embedding" or loss.coupled:
        return Line("start", math.isfinite(start), f"the loss starts at {start:.4g}")
    neutral = np.full_like(outputs, PRED[loss.pred].neutral(outputs.shape[-1]))
    with np.errstate(all="ignore"):
        chance = float(loss(neutral, samples.target, sample_weight=samples.weight))
    far = start > FAR * chance + 1e-9 and start - chance > 0.1 * abs(chance)
    large = "; outputs start too large: is the last layer initialised for raw outputs, is X scaled?" if far else ""
    return Line(
        "start", not far and math.isfinite(start), f"the loss starts at {start:.4g}, chance is {chance:.4g}{large}"
    )


def _reached(model: Module, loss: Loss, batch: Samples) -> Line:
    value = loss(model(batch.X), batch.target, sample_weight=batch.weight)
    for p in model.parameters():
        p.grad = None
    if value.requires_grad:
        value.backward()
    named = list(model.named_parameters())
    missed = [name for name, p in named if p.grad is None]
    still = [name for name, p in named if p.grad is not None and not p.grad.data.any()]
    parts = [f"never reached: {', '.join(missed)}"] if missed else []
    parts += [f"the gradient is 0 at {', '.join(still)}"] if still else []
    return Line("gradient", not parts, "; ".join(parts) or f"reaches all {len(named)} parameters")


def _sum(loss: Loss, batch: Samples) -> Iterator[Line]:
    if loss.options.get("reduction") == "sum":
        n = len(batch.X)
        yield Line("sum", False, f'reduction="sum" multiplies the gradient by n = {n}: use "mean", or lr / {n}')


def _squashed(model: Module, loss: Loss, batch: Samples) -> Iterator[Line]:
    """A softmax before a loss on scores has a floor, and starts with a smaller gradient."""
    edge = model(batch.X).edge
    made_by = edge.op.name if isinstance(edge, Node) and edge.op is not None else ""
    if loss.pred == "logits" and made_by == "softmax":
        k = batch.outputs(model).shape[-1]
        floor = math.log(math.e + k - 1) - 1
        yield Line("softmax", False, f"{loss} takes scores, but the model ends in softmax: the loss cannot fall below "
                   f"{floor:.3f} (K = {k}), its gradient starts {k} times smaller; remove the softmax")  # fmt: skip
    if loss.pred == "logit" and made_by == "sigmoid":
        yield Line("sigmoid", False, f"{loss} takes scores, but the model ends in sigmoid; remove it, or use bce")


def _overfits(model: Module, loss: Loss, batch: Samples) -> Line:
    optimizer = Adam([*model.parameters(), *loss.learned.values()], lr=RATE)
    values = []
    with np.errstate(all="ignore"):
        for _ in range(STEPS):
            value = loss(model(batch.X), batch.target, sample_weight=batch.weight)
            values.append(float(value))
            if not value.requires_grad or not math.isfinite(values[-1]):
                break
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    fell = math.isfinite(values[-1]) and values[-1] < values[0] - 0.01 * abs(values[0])
    said = f"{len(batch.X)} samples alone: {values[0]:.4g} → {values[-1]:.4g} in {len(values)} steps of Adam"
    return Line("one batch", fell, said if fell else f"{said}; a model that cannot learn one batch learns nothing")
