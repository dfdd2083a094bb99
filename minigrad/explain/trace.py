"""trace: the gradient of one sample on its way back, from the loss to the input, in numbers that multiply out.

A loss writes one number per output of the network. What every module makes of them is in `way_back.py`; here it is
read off for one sample, next to what the rest of its batch sends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextvars import copy_context
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from minigrad import losses, nn
from minigrad.engine.graph import recording
from minigrad.explain import text
from minigrad.explain.calls import Calls, path_of
from minigrad.explain.heard import Heard, batch, check_kinds, chosen, hear, model_or_error, most, prediction
from minigrad.explain.way_back import (
    Chain,
    Received,
    Step,
    at_input,
    double,
    is_activation,
    is_linear,
    lengths,
    received,
    slopes,
)
from minigrad.losses import Loss
from minigrad.nn.arguments import asked

Array = Any
QUIET = 0.05  # a unit whose slope is smaller lets hardly anything through
MIXED = 1e-6  # a larger difference between product and autograd has a reason that the reader must know
CANCELLED = 1e-9  # a gradient so much smaller than what the modules could have made of it is a difference of equals


# --- the record -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Row:
    """One module on the way back: the gradient arrives at its output and leaves from its input.

    Attributes:
        name: as in `nn.labels`: "linear 2".
        kind: "linear", "activation" or "module".
        sizes: how many numbers go in and come out.
        arrives: a = ‖g‖ with g = ∂ℓ/∂(output), of this sample.
        factor: ‖Jᵀu‖ with u = g/a: ‖W u‖ or ‖φ′(z)∘u‖; None where nothing arrives.
        leaves: arrives · factor, which arrives at the next row.
        running: leaves / start, the product of the factors so far; None where the start is 0.
        handed_on: whether what leaves is all that arrives at the next row: always in a chain.
        most: what no factor exceeds: σ_max(W), or max |φ′(z)|; None for other modules.
        weight: ‖∂ℓ/∂W‖, for other modules ‖∂ℓ/∂θ‖ over all parameters; None without parameters.
        bias: ‖∂ℓ/∂b‖.
        share: ‖∂ℓᵢ/∂θ‖ / Σⱼ‖∂ℓⱼ/∂θ‖ over the batch; None if all are 0.
        pull: ⟨∂ℓᵢ/∂θ, G⟩/‖G‖² with G = Σⱼ∂ℓⱼ/∂θ; negative where the sample works against the batch; None if G = 0.
        slope: mean |φ′(z)| over the units of an activation.
        dead: how many of them have φ′ = 0.
        quiet: how many have |φ′| < 0.05, the dead included.
        gradient: g itself, flat.
        slopes: |φ′(z)| of every unit of an activation.
    """

    name: str
    kind: str
    sizes: tuple[int, int]
    arrives: float
    factor: float | None
    leaves: float
    running: float | None
    handed_on: bool = True
    most: float | None = None
    weight: float | None = None
    bias: float | None = None
    share: float | None = None
    pull: float | None = None
    slope: float | None = None
    dead: int = 0
    quiet: int = 0
    gradient: tuple[float, ...] = ()
    slopes: tuple[float, ...] = ()


@dataclass(frozen=True)
class Other:
    """What another loss would send: its start, by how much the traced loss starts higher, its length at every row."""

    loss: str
    start: float
    ratio: float | None
    lengths: tuple[float, ...]


@dataclass(frozen=True)
class Trace:
    """One sample's gradient from the loss to the input; `str()` is the text form.

    Attributes:
        loss: the loss, as text.
        sample: the index of the sample among `samples`.
        pred: the model's outputs for it; `letter` is what they are called.
        link: name and value of what it says in the reader's units ("p", 0.01), or None.
        target: what was to be predicted, as the loss reads it.
        verdict: "right", "right and sure", "wrong" or "wrong and sure" where targets are classes, else None.
        value: its loss.
        start: ‖∂ℓ/∂out‖ of this sample alone, no mean taken.
        most: what that never exceeds beside this target, where the loss has such a bound.
        rows: the modules, from the loss to the input.
        product: start times all factors: ‖∂ℓ/∂x‖; None where the model's paths part.
        at_input: ∂ℓ/∂x itself, flat, by one backward pass through the model.
        autograd: the length of that.
        difference: between these two, relative; where paths part, the largest between what leaves a module and what
            arrives at the next, of those with a single path.
        also: other losses on the same sample.
        remarks: what else the reader must know of this loss and model.
    """

    loss: str
    sample: int
    samples: int
    letter: str
    pred: tuple[float, ...]
    link: tuple[str, float] | None
    target: Any
    verdict: str | None
    value: float
    start: float
    most: float | None
    rows: tuple[Row, ...]
    product: float | None
    at_input: tuple[float, ...]
    autograd: float
    difference: float
    also: tuple[Other, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def lengths(self) -> tuple[float, ...]:
        """The length of the gradient where it arrives: at every row, and at the input."""
        return (*(row.arrives for row in self.rows), self.autograd if self.product is None else self.product)

    def to_dict(self) -> dict[str, Any]:
        """The record in numbers, strings and lists, ready for JSON."""
        return {key: listed(value) for key, value in asdict(self).items()}

    def __str__(self) -> str:
        return text.of_trace(self)

    __repr__ = __str__


def listed(value: Any) -> Any:
    """Tuples as lists, all the way down."""
    if isinstance(value, dict):
        return {key: listed(part) for key, part in value.items()}
    return [listed(part) for part in value] if isinstance(value, (list, tuple)) else value


# --- one sample of it -------------------------------------------------------------------------------------------------
@asked("trace(model, 'mse', x, y)")
def trace(
    model: nn.Module, loss: Loss | str, x: Any, y: Any = None, *, sample: int | str = "worst", also: Any = ()
) -> Trace:
    """Follow the gradient of one sample from the loss to the input, through every module of a model.

    It is computed in float64 on a copy: the model, its gradients and its modes stay as they are.

    Args:
        model: a chain (an MLP, a Sequential, chains in chains), or any module: its innermost modules are then traced in
            the order of their calls.
        loss: a name or a Loss.
        x: a batch; one sample without a batch axis counts as a batch of one.
        y: its targets, as `fit` takes them.
        sample: an index into the batch, or "worst", the largest loss.
        also: one or several losses on the same kind of prediction, to be compared at this sample.

    Returns:
        The record; print it, or read its rows.

    Raises:
        TypeError: the model is no Module.
        ShapeError: an empty batch, or x and y of different lengths.
        IndexError: no such sample.
        ValueError: a loss in `also` reads another kind of prediction.
        GradientError: the gradient that the loss sends is not finite.
    """
    model_or_error("trace", model)
    first = losses.get(loss)
    others = [losses.get(other) for other in ([also] if isinstance(also, (str, Loss)) else also)]
    for other in others:
        check_kinds("trace", first, other)
    return copy_context().run(_traced, double(model), first, *batch("trace", x, y), sample, others)


def _traced(model: nn.Module, loss: Loss, x: Array, y: Any, sample: int | str, others: list[Loss]) -> Trace:
    recording.set(True)  # in a context of our own, see `trace`
    path = path_of(model, x)
    heard, *heard_too = [hear("trace", each, path.out, y) for each in (loss, *others)]
    i = chosen("trace", sample, heard)
    start, steps = float(lengths(heard.delta)[i]), path.back(heard.delta)
    rows = tuple(_row(step, i, start) for step in steps)
    reached = at_input(model, x, heard.delta)
    autograd = float(lengths(reached)[i])
    single = path.direct and all(row.handed_on for row in rows)
    product = rows[-1].leaves if single else None
    return Trace(
        **prediction(heard, path.out[i], i), loss=str(loss), sample=i, samples=len(x), value=float(heard.value[i]),
        start=start, most=most(heard, path.out, i), rows=rows, product=product, autograd=autograd,
        at_input=numbers(reached[i]),
        difference=_off(product, autograd) if product is not None else _largest_gap(rows),
        also=tuple(_other(model, x, path, each, i, start) for each in heard_too),
        remarks=(*_about(loss, model, path), *_rounding(start, rows, product, autograd)),
    )  # fmt: skip


def _off(value: float, truth: float) -> float:
    return abs(value - truth) / (truth or 1)


def _largest_gap(rows: Sequence[Row]) -> float:
    return max((_off(a.leaves, b.arrives) for a, b in pairwise(rows) if a.handed_on), default=0.0)


def _other(model: nn.Module, x: Array, path: Chain | Calls, heard: Heard, i: int, start: float) -> Other:
    own = float(lengths(heard.delta)[i])
    sizes = [step.length[i] for step in path.back(heard.delta)] + [lengths(at_input(model, x, heard.delta))[i]]
    return Other(str(heard.loss), own, start / own if own else None, tuple(map(float, sizes)))


def _about(loss: Loss, model: nn.Module, path: Any) -> Iterator[str]:
    name = type(model).__name__
    if loss.coupled:
        yield f"{loss} is coupled: what it sends to one sample depends on the batch."
    if isinstance(path, Calls):
        yield f"{name} is no chain: its modules stand in the order of their calls, each with its own factor."
    elif len(path.modules) == 1 and path.modules[0][1] is model and not (is_linear(model) or is_activation(model)):
        yield f"{name} is one step here: what happens inside of it is not seen."


def _rounding(start: float, rows: Sequence[Row], product: float | None, autograd: float) -> Iterator[str]:
    """Why the product and autograd differ, if they do."""
    if product is None or _off(product, autograd) < MIXED:
        return
    reach = start * float(np.prod([row.most or row.factor or 1 for row in rows]))
    if max(product, autograd) < CANCELLED * reach:
        yield "The gradient cancels: what is left at the input is rounding."
    else:
        yield "Product and autograd differ: some module lets the samples of the batch depend on each other."


# --- rows -------------------------------------------------------------------------------------------------------------
def _row(step: Step, i: int, start: float) -> Row:
    """One step as sample i sees it."""
    arrives, factor = float(step.length[i]), float(step.factor[i])
    leaves = arrives * factor
    row = Row(
        name=step.name, kind="module", sizes=(np.shape(step.h)[-1], step.u.shape[-1]), arrives=arrives,
        factor=factor if arrives else None, leaves=leaves, running=leaves / start if start else None,
        handed_on=step.handed_on, gradient=numbers(arrives * step.u[i]),
    )  # fmt: skip
    if is_linear(step.module):
        row = replace(row, kind="linear", most=_sigma_max(step.module.weight.data))
    elif is_activation(step.module):
        row = _with_slopes(row, np.abs(slopes(step.module, step.h)[i]))
    got = received(step)
    return row if got is None else _with_parameters(row, got, i)


def _sigma_max(W: Array) -> float:
    """The largest singular value: the root of the largest eigenvalue of WᵀW, or WWᵀ if that is smaller."""
    scale = float(np.abs(W).max()) or 1.0
    A = W / scale if W.shape[0] > W.shape[1] else W.T / scale
    return scale * float(np.sqrt(max(np.linalg.eigvalsh(A.T @ A)[-1], 0)))


def _with_slopes(row: Row, size: Array) -> Row:
    return replace(
        row, kind="activation", most=float(size.max()), slope=float(size.mean()), dead=int((size == 0).sum()),
        quiet=int((size < QUIET).sum()), slopes=numbers(size),
    )  # fmt: skip


def _with_parameters(row: Row, got: Received, i: int) -> Row:
    weight, bias, share, pull = (
        None if each is None else float(each[i]) for each in (got.weight, got.bias, got.share, got.pull)
    )
    return replace(row, weight=weight, bias=bias, share=share, pull=pull)


def numbers(array: Array) -> tuple[float, ...]:
    """The entries of an array, flat."""
    return tuple(float(value) for value in np.ravel(array))
