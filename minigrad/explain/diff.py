"""diff: two losses on the same batch of the same network. Where do their gradients differ, and for which samples?

Behind its first number per output a loss has no say. So what two losses do to a network is a re-weighting of samples,
w = δᵃ/δᵇ, and, where there are several outputs, another direction for each of them.
"""

from __future__ import annotations

from contextvars import copy_context
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from minigrad import losses, nn
from minigrad.engine.graph import no_grad, recording
from minigrad.engine.tensor import Tensor
from minigrad.explain import diff_text
from minigrad.explain.heard import (
    Heard,
    aligned,
    batch,
    chances,
    check_kinds,
    decides,
    finite,
    model_or_error,
    right,
)
from minigrad.explain.text import digits
from minigrad.explain.trace import listed
from minigrad.explain.way_back import double, lengths
from minigrad.history import layer_names
from minigrad.losses import Loss
from minigrad.nn.arguments import asked

Array = Any
STEP = 0.01  # of the length of the weights: the first step that is looked at unless lr says another
ALIKE, PARALLEL = 1e-9, 1e-9  # how far weights, and directions, may differ and count as the same
SHOWN = 10  # samples that are named
GRID = np.linspace(0.002, 0.998, 250)  # probabilities at which the re-weighting is drawn


# --- the record -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Row:
    """One layer, or "all" of them: the gradients of the mean losses.

    Attributes:
        name: as in `nn.labels`.
        a: ‖g_a‖.
        b: ‖g_b‖.
        ratio: ‖g_a‖/‖g_b‖; None if ‖g_b‖ is 0.
        cosine: ⟨g_a, g_b⟩/(‖g_a‖‖g_b‖); None if one of them is 0.
        signs_differ: share of the parameters whose gradients have different signs.
    """

    name: str
    a: float
    b: float
    ratio: float | None
    cosine: float | None
    signs_differ: float


@dataclass(frozen=True)
class Sample:
    """A sample that a and b weigh most differently, measured by |ln(w / median w)|."""

    sample: int
    weight: float
    p: float | None
    right: bool | None


@dataclass(frozen=True)
class Matched:
    """The learning rates at which both take first steps of one length, and what each step does.

    Attributes:
        lr_a: learning rate of plain gradient descent with a.
        lr_b: lr_a · ‖g_a‖/‖g_b‖.
        flips_a: predictions that are decided otherwise after the step with a; None where nothing is decided.
        flips_b: after that with b.
        differ: predictions on which the two disagree afterwards.
        moved_a: root mean square by which the outputs moved under a.
        moved_b: under b.
    """

    lr_a: float
    lr_b: float
    flips_a: int | None
    flips_b: int | None
    differ: int | None
    moved_a: float
    moved_b: float


@dataclass(frozen=True)
class Diff:
    """Two losses on one batch of one network; `str()` is the text form.

    Attributes:
        a: the first loss, as text.
        b: the second.
        samples: how many there are.
        rows: the layers from last to first, then "all".
        delta_a: ‖δᵃ‖ of every sample, n times its part of the gradient of the mean loss at the outputs.
        delta_b: ‖δᵇ‖.
        weights: w of every sample: δᵃ/δᵇ for one output, else ⟨δᵃ, δᵇ⟩/‖δᵇ‖²; None where δᵇ = 0.
        cosines: cosine of δᵃ and δᵇ of every sample; None where one is 0.
        quantiles: minimum, quartiles and maximum of w; None if there is none.
        silent: samples with δᵇ = 0.
        p: of every sample the probability that the model gives, of yes or of the true class, or None.
        right: of every sample whether it is decided rightly, or None.
        loudest: the ten samples that a and b weigh most differently.
        matched: steps of one length; None if there is no step that both can take.
        verdict: what that comes to, in words.
        curve: for one output and labels of 0 and 1, (p, w beside label 0, w beside label 1) on a grid; else None.
        letter: what p is called: "p", or "p_y" of the true class.
    """

    a: str
    b: str
    samples: int
    rows: tuple[Row, ...]
    delta_a: tuple[float, ...]
    delta_b: tuple[float, ...]
    weights: tuple[float | None, ...]
    cosines: tuple[float | None, ...]
    quantiles: tuple[float, ...] | None
    silent: int
    p: tuple[float, ...] | None
    right: tuple[bool, ...] | None
    loudest: tuple[Sample, ...]
    matched: Matched | None
    verdict: str
    curve: tuple[tuple[float, ...], ...] | None = None
    letter: str = "p"

    def to_dict(self) -> dict[str, Any]:
        """The record in numbers, strings and lists, ready for JSON."""
        return {key: listed(value) for key, value in asdict(self).items()}

    def __str__(self) -> str:
        return diff_text.of_diff(self)

    __repr__ = __str__


# --- two losses -------------------------------------------------------------------------------------------------------
@asked("diff(model, 'mse', 'mae', x, y)")
def diff(
    model: nn.Module, loss_a: Loss | str, loss_b: Loss | str, x: Any, y: Any = None, *, lr: float | None = None
) -> Diff:
    """Compare what two losses, each as a mean over the batch, send into a network.

    It is computed in float64 on a copy: the model, its gradients and its modes stay as they are.

    Args:
        model: any Module.
        loss_a: a name or a Loss.
        loss_b: a name or a Loss that reads the same outputs.
        x: a batch; one sample without a batch axis counts as a batch of one.
        y: its targets, the same for both, as `fit` takes them.
        lr: learning rate of the step with a; unless given, the one that moves the weights by 1 % of their length.

    Returns:
        The record; print it, or read its rows.

    Raises:
        TypeError: the model is no Module, or lr no number.
        ShapeError: an empty batch, or x and y of different lengths.
        ValueError: the losses read different kinds of prediction, or lr is not above 0.
        GradientError: a gradient is not finite.
    """
    model_or_error("diff", model)
    a, b = losses.get(loss_a), losses.get(loss_b)
    check_kinds("diff", a, b)
    if lr is not None and (isinstance(lr, bool) or not isinstance(lr, (int, float, np.number))):
        raise TypeError(f"diff: expected lr > 0, got {lr!r:.60}; say lr=0.1, or leave it out")
    if lr is not None and not 0 < lr < np.inf:
        raise ValueError(f"diff: expected lr > 0, got {lr}; say lr=0.1, or leave it out")
    return copy_context().run(_diff, double(model), a, b, *batch("diff", x, y), lr)


def _diff(model: nn.Module, a: Loss, b: Loss, x: Array, y: Any, lr: float | None) -> Diff:
    recording.set(True)  # in a context of our own, see `diff`
    out = model(Tensor(x))
    heard_a, heard_b = _heard(a, out.data, y), _heard(b, out.data, y)
    g_a, g_b = (_gradients(model, out, heard) for heard in (heard_a, heard_b))
    w, cosines = _weights(heard_a.delta, heard_b.delta)
    size_a, size_b = lengths(heard_a.delta), lengths(heard_b.delta)
    scored = heard_a if decides(a) else heard_b
    p, said = chances(scored, out.data), right(scored, out.data)
    rows = _rows(model, g_a, g_b)
    known = w[np.isfinite(w)]
    return Diff(
        a=str(a), b=str(b), samples=len(x), rows=rows, delta_a=_plain(size_a), delta_b=_plain(size_b),
        weights=_plain(w), cosines=_plain(cosines), silent=int((size_b == 0).sum()),
        quantiles=_plain(np.quantile(known, (0, 0.25, 0.5, 0.75, 1))) if len(known) else None,
        p=None if p is None else _plain(p), right=None if said is None else tuple(said.tolist()),
        loudest=_loudest(w, p, said), verdict=_verdict(rows[-1], size_a, size_b, w, cosines),
        matched=_matched(model, x, out.data, scored.loss, g_a, g_b, lr), letter=scored.letter,
        curve=_curve(heard_a.loss, heard_b.loss, out.data),
    )  # fmt: skip


def _heard(loss: Loss, out: Array, y: Any) -> Heard:
    """What a loss says to the batch as a mean: n times the gradient of that, so that it reads like one sample's own."""
    loss, target = aligned(loss, out, y)
    value, delta = loss.value_and_grad(out, target, reduction="mean")
    return finite("diff", Heard(loss, target, value, delta * len(out)), out)


def _gradients(model: nn.Module, out: Tensor, heard: Heard) -> list[Array]:
    """The gradient of the mean loss at every parameter."""
    parameters = model.parameters()
    for parameter in parameters:
        parameter.grad = None
    if out.requires_grad:
        out.backward(heard.delta / len(heard.delta), retain_graph=True)
    return [np.zeros(p.shape) if p.grad is None else p.grad.data for p in parameters]


# --- layers -----------------------------------------------------------------------------------------------------------
def _rows(model: nn.Module, g_a: list[Array], g_b: list[Array]) -> tuple[Row, ...]:
    """The layers from last to first, then all of them."""
    names = layer_names(model)
    layer = [names[id(parameter)] for parameter in model.parameters()]
    places = {name: [k for k, own in enumerate(layer) if own == name] for name in reversed(dict.fromkeys(layer))}
    parts = {**places, "all": list(range(len(layer)))}
    return tuple(_row(name, _flat(g_a, own), _flat(g_b, own)) for name, own in parts.items())


def _flat(gradients: list[Array], places: list[int]) -> Array:
    return np.concatenate([np.zeros(0), *(gradients[k].ravel() for k in places)])


def _row(name: str, g_a: Array, g_b: Array) -> Row:
    a, b = (float(lengths(g[None])[0]) for g in (g_a, g_b))
    cosine = float((g_a / a) @ (g_b / b)) if a and b else None
    return Row(
        name, a, b, a / b if b else None, cosine, float(np.mean(np.sign(g_a) != np.sign(g_b))) if a or b else 0.0
    )


# --- samples ----------------------------------------------------------------------------------------------------------
def _weights(a: Array, b: Array) -> tuple[Array, Array]:
    """The weight w and the cosine of every sample; NaN where there is none."""
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    size_a, size_b = lengths(a), lengths(b)
    with np.errstate(all="ignore"):
        cosine = ((a / size_a[:, None]) * (b / size_b[:, None])).sum(1)
        weight = (a / b)[:, 0] if a.shape[1] == 1 else np.where(size_a > 0, cosine * (size_a / size_b), 0)
    return np.where(size_b > 0, weight, np.nan), np.where((size_a > 0) & (size_b > 0), cosine, np.nan)


def _loudest(w: Array, p: Array | None, said: Array | None) -> tuple[Sample, ...]:
    known = np.flatnonzero(np.isfinite(w))
    if not len(known):
        return ()
    with np.errstate(all="ignore"):
        far = np.nan_to_num(np.abs(np.log(np.abs(w[known] / np.median(w[known])))), nan=0, posinf=np.inf)
    first = known[np.argsort(-far, kind="stable")[:SHOWN]]
    return tuple(
        Sample(int(i), float(w[i]), None if p is None else float(p[i]), None if said is None else bool(said[i]))
        for i in first
    )


def _curve(a: Loss, b: Loss, out: Array) -> Any:
    """The weight w against p for labels 0 and 1, where there is one output that says p."""
    kinds, labels = {a.pred, b.pred}, {a.target, b.target}
    if out.shape[1:] != (1,) or a.coupled or b.coupled or not kinds <= {"logit", "prob", "real"} or kinds == {"real"}:
        return None
    if not labels <= {"unit", "binary", "sign", "real"}:
        return None
    pred = (np.log(GRID / (1 - GRID)) if "logit" in kinds else GRID).reshape(-1, 1)
    weights = []
    for y in (0, 1):
        label = np.full(len(GRID), y)
        said = [
            each.value_and_grad(pred, losses.align(each, label, (1,), np.float64), reduction="sum")[1]
            for each in (a, b)
        ]
        weights.append(_plain(_weights(*said)[0]))
    return (_plain(GRID), *weights)


def _plain(values: Array) -> tuple[Any, ...]:
    """Python's numbers, None for what is none."""
    return tuple(float(v) if np.isfinite(v) else None for v in values)


# --- one step ---------------------------------------------------------------------------------------------------------
def _matched(
    model: nn.Module, x: Array, out: Array, loss: Loss, g_a: list[Array], g_b: list[Array], lr: float | None
) -> Matched | None:
    everything = list(range(len(g_a)))
    a, b, size = (
        float(lengths(_flat(g, everything)[None])[0]) for g in (g_a, g_b, [p.data for p in model.parameters()])
    )
    if not a or not b or not (lr or size):
        return None
    lr_a = STEP * size / a if lr is None else float(lr)
    lr_b = lr_a * a / b
    after = [_after(model, x, g, rate) for g, rate in ((g_a, lr_a), (g_b, lr_b))]
    moved_a, moved_b = (float(np.sqrt(np.mean((now - out) ** 2))) for now in after)
    if not decides(loss):
        return Matched(lr_a, lr_b, None, None, None, moved_a, moved_b)
    before, by_a, by_b = (np.reshape(loss.decide(o), (len(o), -1)) for o in (out, *after))
    flips_a, flips_b, differ = (int((p != q).any(1).sum()) for p, q in ((before, by_a), (before, by_b), (by_a, by_b)))
    return Matched(lr_a, lr_b, flips_a, flips_b, differ, moved_a, moved_b)


def _after(model: nn.Module, x: Array, gradients: list[Array], lr: float) -> Array:
    """The outputs after one step of plain gradient descent, which is then taken back."""
    parameters = model.parameters()
    before = [p.data.copy() for p in parameters]
    for parameter, g in zip(parameters, gradients, strict=True):
        parameter.data = parameter.data - lr * g
    with no_grad():
        out = model(Tensor(x)).data
    for parameter, array in zip(parameters, before, strict=True):
        parameter.data = array
    return out


# --- what it comes to -------------------------------------------------------------------------------------------------
def _verdict(whole: Row, size_a: Array, size_b: Array, w: Array, cosines: Array) -> str:
    if not whole.a or not whole.b:
        return f"no common path: {'a' if not whole.a else 'b'} sends nothing that reaches a parameter"
    both = (size_a > 0) & (size_b > 0)
    alone = int(((size_a > 0) != (size_b > 0)).sum())
    if both.any() and cosines[both].min() < 1 - PARALLEL:
        return f"other directions (cosine {whole.cosine:.4f})"
    least, most = w[both].min(initial=np.inf), w[both].max(initial=0)
    if not alone and most / least - 1 < ALIKE:
        return f"same loss × {np.median(w[both]):.3g}"
    said = "same directions, other weights: "
    if alone:
        return f"{said}{alone} of {len(w)} samples are heard by one of them alone"
    return f"{said}a listens up to {digits(most / least)} times more to some samples than b does"
