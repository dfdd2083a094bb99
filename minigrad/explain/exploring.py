"""explore: what several losses send to every sample of a batch, at several moments of a training, on one page.

The record holds what the page cannot compute: outputs, what each loss sends, and one factor for each module. The page
multiplies. With one output the factors are those of the network alone, the same for every loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import losses as registry
from minigrad import nn
from minigrad.engine.graph import no_grad, recording
from minigrad.engine.tensor import Tensor
from minigrad.explain import page
from minigrad.explain.heard import LETTERS, batch, check_kinds, chosen, decides, model_or_error
from minigrad.explain.looks import looks
from minigrad.explain.shots import Shot, rounded, shot_of
from minigrad.explain.trace import Trace, trace
from minigrad.explain.way_back import double, lengths
from minigrad.losses import Loss

Array = Any
GRID = 48  # cells of the map behind a scatter of two features, in each direction
FAR = 6.0  # scores beyond this are one colour
LOUDEST, POINTS = 30, 300  # samples of a page without scatter, and of one with
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DIGITS = (12, 9, 7, 6, 5)  # of each number: as many as there is room for
ROOM = 940_000  # letters of data on a page: with the rest it stays below 1 MB


@dataclass(frozen=True)
class Exploration:
    """What a page shows.

    Attributes:
        data: the JSON of the page as plain Python values.
        sentence: what the page says first, with the measured numbers.
        traces: a trace of the first point under each loss, which a browser without JavaScript shows.
    """

    data: dict[str, Any]
    sentence: str
    traces: tuple[Trace, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the page."""
        return self.data

    @property
    def html(self) -> str:
        """The page: one file that needs nothing else."""
        return page.filled(self.data, "\n\n".join(map(str, self.traces)))

    def __str__(self) -> str:
        return self.sentence

    __repr__ = __str__


def explore(
    model: nn.Module,
    losses: Sequence[Loss | str],
    x: Any,
    y: Any,
    *,
    snapshots: Sequence[tuple[int, dict[str, Any]]] = (),
    sample: int | str = "worst",
    out: str | Path | None = None,
    ringed: int | None = None,
    title: str = "",
) -> Exploration:
    """Put a network, its batch and several losses on one page: each sample's gradient at every layer, step by step.

    Args:
        model: a chain of modules; any other Module is one step.
        losses: those to compare, by name or as objects; all read the same outputs. The first is spoken of first.
        x: a batch (n, …). Of two features there is a scatter, else a list of the loudest samples.
        y: its targets, the same for all losses, as `fit` takes them.
        snapshots: (step, state) pairs, the states from `model.state_dict()` along a training; now, unless given.
        sample: the index of the sample that is shown first, or "worst": the largest value of the first loss in any of
            the snapshots. Shown first is the snapshot in which it is most wrong.
        out: where to write the page, a file name that ends in .html; None writes nothing.
        ringed: the index of a sample to be marked, such as a mislabelled one.
        title: what the page says about its data, in a few words.

    Returns:
        The record; `html` is the page.

    Raises:
        TypeError, ShapeError, IndexError, GradientError, ValueError: as `trace`; and where no loss was given.
        CheckpointError: a state that is not the model's.
    """
    model_or_error("explore", model)
    asked = [losses] if isinstance(losses, (str, Loss)) else list(losses)
    if not asked:
        raise ValueError('explore: expected losses, got none; explore(model, ["bce_with_logits", "hinge"], x, y)')
    named: dict[str, Loss] = {}
    for each in map(registry.get, asked):
        named.setdefault(str(each), each)
    found = list(named.values())
    for other in found[1:]:
        check_kinds("explore", found[0], other)
    states = [(int(step), state) for step, state in snapshots] or [(0, model.state_dict())]
    record = copy_context().run(_explored, model, found, *batch("explore", x, y), states, sample, ringed, title)
    if out is not None:
        Path(out).write_text(record.html, encoding="utf-8")
    return record


def _explored(
    model: nn.Module, losses: list[Loss], x: Array, y: Any, states: Any, sample: Any, ringed: Any, title: str
) -> Exploration:
    recording.set(True)  # in a context of our own, see `explore`
    models = [_at(model, state) for _, state in states]
    shots = [shot_of(each, losses, x, y) for each in models]
    i, first = _first(shots, sample)
    head = {
        "title": title or f"{len(x)} samples", "model": repr(model) if len(repr(model)) < 90 else type(model).__name__,
        "letter": LETTERS.get(losses[0].pred, "output"), "kind": _kind(losses[0], shots[0].several),
        "several": shots[0].several, "shared": all(shot.shared for shot in shots), "samples": len(x),
        "losses": [
            {"name": name, "said": page.said(name), "colour": hue, "line": line}
            for name, (hue, line, _) in looks(losses).items()
        ],
        "rows": [{"name": step.name, "sizes": [step.h.shape[-1], step.u.shape[-1]]} for step in shots[0].steps[0]],
        "parameters": shots[0].places, "bounds": _bounds(x),
    }  # fmt: skip
    fields = [_field(each, losses[0], x) for each in models]
    data = _fitting(head, shots, [step for step, _ in states], fields, x, y, i, first, ringed)
    traces = tuple(trace(models[first], loss, x, y, sample=i) for loss in losses)
    return Exploration(data, page.sentence(data, first, data["first"]["point"]), traces)


def _fitting(
    head: dict[str, Any], shots: list[Shot], steps: list[int], fields: list[str | None], x: Array, y: Any, i: int,
    first: int, ringed: int | None,
) -> dict[str, Any]:  # fmt: skip
    """The record, with as many digits and as many samples as a page of less than 1 MB has room for."""
    most = POINTS if x.shape[1:] == (2,) else LOUDEST
    for digits, count in [*((d, most) for d in DIGITS), *((DIGITS[-1], most // k) for k in (2, 4, 8, 16))]:
        kept = _kept(len(x), shots[first], i, ringed, count)
        data = {
            **head,
            "points": _points(x, y, kept, ringed, head["kind"]),
            "first": {"snapshot": first, "point": kept.index(i)},
            "snapshots": [
                {"step": step, **shot.plain(kept, digits, shared=head["shared"]), "field": field}
                for step, shot, field in zip(steps, shots, fields, strict=True)
            ],
        }
        if len(page.block(data, "")) < ROOM:
            break
    return data


def _at(model: nn.Module, state: dict[str, Any]) -> nn.Module:
    """A copy of the model in float64, in another state."""
    copy = double(model)
    arrays = {path: np.asarray(array) for path, array in state.items()}
    copy.load_state_dict({path: a.astype(np.float64) if a.dtype.kind == "f" else a for path, a in arrays.items()})
    return copy


def _first(shots: list[Shot], sample: Any) -> tuple[int, int]:
    """The sample that is shown first, and the snapshot in which the first loss is largest for it."""
    values = np.array([shot.heard[0].value for shot in shots])
    if isinstance(sample, str) and sample == "worst":
        i = int(np.unravel_index(values.argmax(), values.shape)[1])
    else:
        i = chosen("explore", sample, shots[0].heard[0])
    return i, int(values[:, i].argmax())


def _kept(n: int, shot: Shot, i: int, ringed: int | None, most: int) -> list[int]:
    """The samples that the page holds: all, if they are few, else the loudest."""
    if n <= most:
        return list(range(n))
    loud = np.argsort(-lengths(shot.heard[0].delta), kind="stable")
    wanted = dict.fromkeys([i, *([] if ringed is None else [ringed]), *loud.tolist()])
    return sorted(list(wanted)[:most])


def _kind(loss: Loss, several: bool) -> str:
    """What labels are: "two" classes, "many", or "none"."""
    return "none" if not decides(loss) else "many" if several else "two"


def _points(x: Array, y: Any, kept: list[int], ringed: int | None, kind: str) -> dict[str, Any]:
    labels = None if y is None else np.asarray(y)[kept]
    if labels is not None and labels.ndim > 1:
        labels = labels.argmax(-1) if kind == "many" else labels[..., 0] if labels.shape[-1] == 1 else labels
    places = rounded(x[kept], 6) if x.shape[1:] == (2,) else None
    return {
        "index": kept,
        "x": places,
        "y": None if labels is None else labels.tolist(),
        "ringed": None if ringed is None else kept.index(ringed),
    }


def _bounds(x: Array) -> Any:
    """Where a scatter begins and ends, (low, high) of each feature, with a margin."""
    if x.shape[1:] != (2,):
        return None
    low, high = x.min(0), x.max(0)
    margin = 0.12 * np.maximum(high - low, 1e-9)
    return rounded(np.stack([low - margin, high + margin], 1), 6)


def _field(model: nn.Module, loss: Loss, x: Array) -> str | None:
    """What the model says everywhere, a letter for each cell, row by row from the top: its score, or its class."""
    if x.shape[1:] != (2,) or loss.pred not in ("logit", "prob", "logits", "log_probs"):
        return None
    (left, right), (bottom, top) = _bounds(x)
    u, v = np.meshgrid(np.linspace(left, right, GRID), np.linspace(top, bottom, GRID))
    with no_grad():
        out = model(Tensor(np.column_stack([u.ravel(), v.ravel()]))).data
    if out.shape[1:] != (1,):
        return "".join(ALPHABET[int(k) % len(ALPHABET)] for k in out.argmax(-1))
    with np.errstate(divide="ignore"):
        z = np.ravel(np.log(out / (1 - out)) if loss.pred == "prob" else out)
    level = np.round((np.clip(z, -FAR, FAR) + FAR) / (2 * FAR) * (len(ALPHABET) - 1))
    return "".join(ALPHABET[int(k)] for k in level)
