"""trace: the gradient of one sample on its way back, from the loss to the input, in numbers that multiply out.

A loss writes one number per output of the network. What every module makes of them is in `way_back.py`; here it is
read off for one sample, next to what the rest of its batch sends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextvars import copy_context
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from minigrad import losses, nn
from minigrad.engine.errors import GradientError, ShapeError
from minigrad.engine.graph import recording
from minigrad.engine.tensor import Tensor
from minigrad.explain import text
from minigrad.explain.way_back import (
    Received,
    Step,
    chain_of,
    double,
    is_activation,
    is_chain,
    is_linear,
    polar,
    received,
    slopes,
    states_of,
    way_back,
)
from minigrad.losses import Loss
from minigrad.losses.kinds import CLASSES

Array = Any
QUIET = 0.05  # a unit whose slope is smaller lets hardly anything through
SURE = 0.9
LETTERS = {"logit": "z", "logits": "z", "prob": "p", "log_probs": "ln p"}


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
        most: what no factor exceeds: σ_max(W), or max |φ′(z)|; None for other modules.
        weight: ‖∂ℓ/∂W‖, for other modules ‖∂ℓ/∂θ‖ over all parameters; None without parameters.
        bias: ‖∂ℓ/∂b‖.
        share: ‖∂ℓᵢ/∂θ‖ / Σⱼ‖∂ℓⱼ/∂θ‖ over the batch; None if all are 0.
        pull: ⟨∂ℓᵢ/∂θ, G⟩/‖G‖² with G = Σⱼ∂ℓⱼ/∂θ; negative where the sample works against the batch; None if G = 0.
        slope: mean |φ′(z)| over the units of an activation.
        dead: how many of them have φ′ = 0.
        quiet: how many have |φ′| < 0.05, the dead included.
        gradient: g itself, flat.
    """

    name: str
    kind: str
    sizes: tuple[int, int]
    arrives: float
    factor: float | None
    leaves: float
    running: float | None
    most: float | None = None
    weight: float | None = None
    bias: float | None = None
    share: float | None = None
    pull: float | None = None
    slope: float | None = None
    dead: int = 0
    quiet: int = 0
    gradient: tuple[float, ...] = ()


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
        rows: the modules, from the loss to the input.
        product: start times all factors: ‖∂ℓ/∂x‖.
        autograd: the same by one backward pass through model and loss.
        difference: between these two, relative.
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
    rows: tuple[Row, ...]
    product: float
    autograd: float
    difference: float
    also: tuple[Other, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def lengths(self) -> tuple[float, ...]:
        """The length of the gradient where it arrives: at every row, and at the input."""
        return (*(row.arrives for row in self.rows), self.product)

    def to_dict(self) -> dict[str, Any]:
        """The record in numbers, strings and lists, ready for JSON."""
        return {key: _listed(value) for key, value in asdict(self).items()}

    def __str__(self) -> str:
        return text.of_trace(self)


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(part) for key, part in value.items()}
    return [_listed(part) for part in value] if isinstance(value, (list, tuple)) else value


# --- one sample of it -------------------------------------------------------------------------------------------------
def trace(
    model: nn.Module, loss: Loss | str, x: Any, y: Any = None, *, sample: int | str = "worst", also: Any = ()
) -> Trace:
    """Follow the gradient of one sample from the loss to the input, through every module of a model.

    It is computed in float64 on a copy: the model, its gradients and its modes stay as they are.

    Args:
        model: a chain (an MLP, a Sequential, chains in chains), or any module, which is then one step.
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
    if not isinstance(model, nn.Module):
        raise TypeError(f"trace: expected a Module, got {model!r:.60}; give the model itself, trace(model, loss, x, y)")
    first = losses.get(loss)
    others = [losses.get(other) for other in ([also] if isinstance(also, (str, Loss)) else also)]
    for other in others:
        _check_kind(first, other)
    return copy_context().run(_traced, double(model), first, *_batch(x, y), sample, others)


def _check_kind(loss: Loss, other: Loss) -> None:
    if other.pred != loss.pred:
        raise ValueError(
            f"trace: expected losses in also= that read the same outputs as {loss}, got {loss} ({loss.pred}) and "
            f"{other} ({other.pred}); write it as @loss(pred={loss.pred!r}, target={loss.target!r}) and "
            "four lines"
        )


def _batch(x: Any, y: Any) -> tuple[Array, Array | None]:
    x = np.asarray(x.data if isinstance(x, Tensor) else x, np.float64)
    y = None if y is None else np.asarray(y.data if isinstance(y, Tensor) else y)
    if x.ndim == 1:
        x, y = x[None], None if y is None else y[None]
    if not len(x) or (y is not None and len(x) != len(y)):
        raise ShapeError(f"trace: expected a batch with a target for each sample, got x {x.shape}, y {np.shape(y)}")
    return x, y


def _traced(model: nn.Module, loss: Loss, x: Array, y: Any, sample: int | str, others: list[Loss]) -> Trace:
    recording.set(True)  # in a context of our own, see `trace`
    chain = chain_of(model)
    states = states_of(chain, x)
    heard, *heard_too = [_hear(each, states[-1], y) for each in (loss, *others)]
    i = _chosen(sample, heard)
    steps = list(way_back(chain, states, heard.delta))
    start = float(steps[0].length[i])
    rows = tuple(_row(step, i, start) for step in steps)
    autograd = float(_autograd(model, heard, x)[i])
    return Trace(
        **_prediction(heard, states[-1][i], i), loss=str(loss), sample=i, samples=len(x), value=float(heard.value[i]),
        start=start, rows=rows, product=rows[-1].leaves, autograd=autograd,
        difference=abs(rows[-1].leaves - autograd) / (autograd or 1),
        also=tuple(_other(each, chain, [state[[i]] for state in states], i, start) for each in heard_too),
        remarks=tuple(_remarks(loss, model)),
    )  # fmt: skip


def _autograd(model: nn.Module, heard: Heard, x: Array) -> Array:
    """‖∂ℓⱼ/∂xⱼ‖ of all samples, by one backward pass through model and loss."""
    start = Tensor(x, requires_grad=True)
    value = heard.loss(model(start), heard.target, reduction="none")
    value.backward(np.ones(value.shape))
    return np.zeros(len(x)) if start.grad is None else polar(start.grad.data)[0]


def _other(heard: Heard, chain: Sequence[tuple[str, nn.Module]], states: list[Array], i: int, start: float) -> Other:
    *_, last = steps = list(way_back(chain, states, heard.delta[[i]]))
    lengths = tuple(float(length) for length in (*(step.length[0] for step in steps), last.length[0] * last.factor[0]))
    return Other(str(heard.loss), lengths[0], start / lengths[0] if lengths[0] else None, lengths)


def _remarks(loss: Loss, model: nn.Module) -> Iterator[str]:
    if loss.coupled:
        yield f"{loss} is coupled: what it sends to one sample depends on the batch."
    if not (is_chain(model) or is_linear(model) or is_activation(model)):
        yield f"{type(model).__name__} is no chain of modules: it is one step, and what happens inside is not seen."


# --- what the loss says -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Heard:
    """What a loss says to a batch: the target as it reads it, a value and a gradient for each sample."""

    loss: Loss
    target: Any
    value: Array
    delta: Array


def _hear(loss: Loss, out: Array, y: Any) -> Heard:
    loss = loss.with_(**{name: t.detach() for name, t in loss.learned.items()})  # their gradients are not ours to touch
    target = None if y is None else losses.align(loss, y, out.shape[1:], np.float64)
    value, delta = loss.value_and_grad(out, target, reduction="none")
    if not np.isfinite(delta).all():
        at = int(np.argwhere(~np.isfinite(delta))[0][0])
        raise GradientError(
            f"trace: expected a finite gradient from {loss}, got {delta[at]} at sample {at}, where the model says "
            f"{out[at]}; look for nan and inf in x and in the parameters"
        )
    each = np.full(len(out), value) if np.ndim(value) == 0 else value.reshape(len(out), -1).sum(1)
    return Heard(loss, target, each, delta)


def _chosen(sample: int | str, heard: Heard) -> int:
    if sample == "worst":
        return int(np.argmax(polar(heard.delta)[0] if heard.loss.coupled else heard.value))
    n = len(heard.value)
    if not isinstance(sample, (int, np.integer)) or not -n <= sample < n:
        raise IndexError(f'trace: expected sample "worst" or an index below {n}, got {sample!r}')
    return int(sample) % n


def _prediction(heard: Heard, out: Array, i: int) -> dict[str, Any]:
    """What the model says of sample i, and what was to be said."""
    label = None if heard.target is None else heard.target[i]
    return {
        "letter": LETTERS.get(heard.loss.pred, "prediction"),
        "pred": _numbers(out),
        "link": _link(heard.loss, out, label),
        "target": None if label is None else label.tolist(),
        "verdict": _verdict(heard.loss, out, label),
    }


def _link(loss: Loss, out: Array, label: Any) -> tuple[str, float] | None:
    """One number in the reader's units, where these are not the model's: of one output, or of the true class."""
    if loss.pred in ("logits", "log_probs") and np.ndim(label) == 0 and loss.own_link is None:
        return "p_y", float(loss.link(out)[int(label)])
    if out.size > 1 or loss.target == "sign" or not (loss.pred == "logit" or loss.target in ("count", "positive")):
        return None
    return "p" if loss.pred == "logit" else "rate", float(np.ravel(loss.link(out))[0])


def _verdict(loss: Loss, out: Array, label: Any) -> str | None:
    """Whether the sample is decided rightly, and how surely, where targets are labels and predictions are scores."""
    if loss.target not in CLASSES or loss.pred in ("real", "params", "embedding") or np.size(label) != 1:
        return None
    said = "right" if np.all(loss.decide(out) == np.round(label)) else "wrong"
    if loss.target == "sign":
        return said
    chances = np.ravel(loss.link(out))
    sure = chances.max() > SURE or (chances.size == 1 and chances.min() < 1 - SURE)
    return f"{said} and sure" if sure else said


# --- rows -------------------------------------------------------------------------------------------------------------
def _row(step: Step, i: int, start: float) -> Row:
    """One step as sample i sees it."""
    arrives, factor = float(step.length[i]), float(step.factor[i])
    leaves = arrives * factor
    row = Row(
        name=step.name, kind="module", sizes=(step.h.shape[-1], step.u.shape[-1]), arrives=arrives,
        factor=factor if arrives else None, leaves=leaves, running=leaves / start if start else None,
        gradient=_numbers(arrives * step.u[i]),
    )  # fmt: skip
    if is_linear(step.module):
        row = replace(row, kind="linear", most=float(np.linalg.norm(step.module.weight.data, 2)))
    elif is_activation(step.module):
        row = _with_slopes(row, np.abs(slopes(step.module, step.h)[i]))
    got = received(step)
    return row if got is None else _with_parameters(row, got, i)


def _with_slopes(row: Row, size: Array) -> Row:
    dead, quiet = int((size == 0).sum()), int((size < QUIET).sum())
    return replace(row, kind="activation", most=float(size.max()), slope=float(size.mean()), dead=dead, quiet=quiet)


def _with_parameters(row: Row, got: Received, i: int) -> Row:
    weight, bias, share, pull = (
        None if each is None else float(each[i]) for each in (got.weight, got.bias, got.share, got.pull)
    )
    return replace(row, weight=weight, bias=bias, share=share, pull=pull)


def _numbers(array: Array) -> tuple[float, ...]:
    return tuple(float(value) for value in np.ravel(array))
