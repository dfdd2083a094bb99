"""History: what happened in a run, loss and metric side by side, and what every step did to every layer."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.engine.habits import tell
from minigrad.engine.tensor import Tensor
from minigrad.losses import Loss
from minigrad.nn import Module, labels
from minigrad.optim import Optimizer

Array = Any
SHORT = 1 << 15  # entries of a vector whose squares may be summed in float32
HERE = {  # what people who come from elsewhere ask of a history
    "history": "write history.rows", "epochs": "write len(history.rows)",
    **dict.fromkeys(("losses", "loss_curve_", "train_losses"), "write [row.loss for row in history.rows]"),
    **dict.fromkeys(("val_loss", "val_losses"), "write [row.validation['loss'] for row in history.rows]"),
}  # fmt: skip
OVERCONFIDENT = 1.1  # how far the validation loss must rise above its least to be spoken of


@dataclass(frozen=True)
class Row:
    """One epoch.

    Attributes:
        epoch: its number, from 1.
        running: mean loss of the batches, each before its step.
        training: loss and metrics on the training samples, after the epoch.
        validation: the same on the validation samples; empty without any.
        seconds: how long it took.
    """

    epoch: int
    running: float
    training: dict[str, float]
    validation: dict[str, float]
    seconds: float

    @property
    def loss(self) -> float:
        """The training loss at the end of the epoch."""
        return self.training["loss"]

    def __str__(self) -> str:
        parts = [
            f"{f'{name} ' if name else ''}{', '.join(f'{key} {value:.4g}' for key, value in found.items())}"
            for name, found in (("", self.training), ("validation", self.validation))
            if found
        ]
        return f"epoch {self.epoch}: {'; '.join(parts)}"


class Watch:
    """Gradient norm and update ratio of every layer at every step, read from the buffers of the optimizer."""

    def __init__(self, model: Module, optimizer: Optimizer, learned: dict[str, Tensor]) -> None:
        name_of = {id(t): name for name, t in learned.items()} | layer_names(model)
        self.layers = list(dict.fromkeys(name_of.values()))
        self.steps: list[Array] = []
        self._runs: list[tuple[int, Array]] = []  # columns of a book that belong to one layer, and its number
        for flat in (flat for flats in optimizer.flats for flat in flats):
            owners = [name_of.setdefault(id(p), f"parameter {i}") for i, p in enumerate(flat.params)]
            self.layers += [name for name in dict.fromkeys(owners) if name not in self.layers]
            for name, run in groupby(zip(owners, flat.slices, strict=True), lambda pair: pair[0]):
                parts = [part for _, part in run]
                self._runs.append((self.layers.index(name), flat.book[:, parts[0].start : parts[-1].stop]))

    def look(self) -> None:
        """Record what the step that was just taken had and did: squares of ‖g‖, ‖Δθ‖ and ‖θ‖ by layer."""
        sizes = np.zeros((3, len(self.layers)))
        for i, rows in self._runs:
            sizes[:, i] += np.vecdot(rows, rows) if rows.shape[1] <= SHORT else squares(rows)
        if not math.isfinite(sizes.sum()):  # a square may be too large for float32
            sizes[:] = 0
            for i, rows in self._runs:
                sizes[:, i] += np.square(rows, dtype=np.float64).sum(1)
        self.steps.append(sizes)


def squares(rows: Array) -> Array:
    """‖v‖² of long rows: by BLAS in pieces, and these added in float64."""
    whole = rows.shape[1] // SHORT * SHORT
    pieces, rest = rows[:, :whole].reshape(len(rows), -1, SHORT), rows[:, whole:]
    return np.vecdot(pieces, pieces).sum(1, dtype=np.float64) + np.vecdot(rest, rest)


def layer_names(model: Module) -> dict[int, str]:
    """Parameter → the layer that holds it, by the names of `nn.labels`; one held by no layer has its own path."""
    named, alone = labels(model), f"{type(model).__name__.lower()} 1"
    holders = {id(t): path.rpartition(".")[0] or path for path, t in model.named_parameters()}
    return {key: named.get(path) or (path if "" not in named else alone) for key, path in holders.items()}


class History:
    """What happened in a run of `fit`.

    Attributes:
        loss: the loss as trained, with its fitted and learned parameters.
        metrics: names of the metrics.
        rows: one Row for each finished epoch.
        stopped: why the run ended before its last epoch: "patience", "interrupted", what the loss was, or "".
        finite: whether the loss stayed finite.
        culprit: if it did not, the first value that was not finite: operation, place, inputs.
    """

    def __init__(self, loss: Loss, metrics: list[str], watch: Watch) -> None:
        self.loss, self.metrics = loss, metrics
        self.rows: list[Row] = []
        self.stopped, self.finite, self.culprit = "", True, ""
        self._watch = watch

    @property
    def best(self) -> Row:
        """The epoch whose weights the model has: of least validation loss, or the last one without validation.

        Raises:
            LookupError: no epoch was finished.
        """
        if not self.rows:
            raise LookupError(
                f"History.best: expected a finished epoch, got none: {self.stopped or 'the run is young'}"
            )
        held_out = [row for row in self.rows if row.validation]
        return min(held_out, key=_validation_loss) if held_out else self.rows[-1]

    @property
    def seconds(self) -> float:
        """How long all epochs took."""
        return sum(row.seconds for row in self.rows)

    @property
    def gradient_norm(self) -> dict[str, Array]:
        """‖∂loss/∂θ‖ of each layer by name, (steps,)."""
        return self._by_layer(lambda g, _, __: np.sqrt(g))

    @property
    def update_ratio(self) -> dict[str, Array]:
        """‖Δθ‖/‖θ‖ of each layer by name, (steps,): about 1e-3 where training goes well; 0 for weights that are 0."""
        return self._by_layer(lambda _, d, t: np.sqrt(np.divide(d, t, out=np.zeros_like(d), where=t > 0)))

    def _by_layer(self, of: Any) -> dict[str, Array]:
        layers = self._watch.layers
        sizes = np.array(self._watch.steps).reshape(-1, 3, len(layers))
        return dict(zip(layers, of(sizes[:, 0], sizes[:, 1], sizes[:, 2]).T, strict=True))

    def notes(self) -> list[str]:
        """Where loss and metric disagree: each entry is a sentence with its numbers."""
        rows = [row for row in self.rows if row.validation]
        if len(rows) < 2 or not self.metrics:
            return []
        return [*_both_fell(rows, self.metrics[0]), *_overconfident(rows, self.best, self.metrics[0])]

    def to_dict(self) -> dict[str, Any]:
        """Plain data: the loss, the rows, and how the run ended."""
        rows = [{"epoch": r.epoch, "running": r.running, "training": dict(r.training), "validation": dict(r.validation),
                 "seconds": r.seconds} for r in self.rows]  # fmt: skip
        return {"loss": str(self.loss), "metrics": self.metrics, "rows": rows, "stopped": self.stopped}

    def to_csv(self, path: str | Path) -> None:
        """Write one line per epoch."""
        flat = [
            {"epoch": r.epoch, "running": r.running, **r.training, "seconds": r.seconds}
            | {f"validation {key}": value for key, value in r.validation.items()}
            for r in self.rows
        ]
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(flat[0]) if flat else ["epoch"])
            writer.writeheader()
            writer.writerows(flat)

    def table(self) -> Array:
        """The numbers of all rows: epoch, running, training, validation, seconds."""
        rows = [[r.epoch, r.running, *r.training.values(), *r.validation.values(), r.seconds] for r in self.rows]
        return np.array(rows, float) if rows else np.empty((0, 3))

    def take(self, table: Array, steps: Array) -> None:
        """Begin with the rows of a `table`, and what was watched in the steps before."""
        names = ["loss", *self.metrics]
        for epoch, running, *values, seconds in table.tolist():
            training, validation = (dict(zip(names, part)) for part in (values[: len(names)], values[len(names) :]))
            self.rows.append(Row(int(epoch), running, training, validation, seconds))
        self._watch.steps[:] = list(steps)

    def plot(self) -> Any:
        """The figure of loss and metrics by epoch, see `figures.history`."""
        from minigrad import figures

        return figures.history(self)

    def __repr__(self) -> str:
        ended = f", {self.stopped}" if self.stopped else ""
        return f"History({len(self.rows)} epochs{ended}{f', best: {self.best}' if self.rows else ''})"


tell(History, HERE)


def _validation_loss(row: Row) -> float:
    value = row.validation["loss"]
    return value if np.isfinite(value) else np.inf


def _both_fell(rows: list[Row], metric: str) -> list[str]:
    """Epochs that say that loss and metric are two things."""
    from minigrad.metrics import higher_is_better

    sign = 1 if higher_is_better(metric) else -1
    steps = [(b.validation["loss"] - a.validation["loss"], sign * (b.validation[metric] - a.validation[metric]))
             for a, b in pairwise(rows)]  # fmt: skip
    count = sum(loss < 0 and better < 0 for loss, better in steps)
    if not count:
        return []
    return [
        f"in {count} of {len(steps)} epochs the validation loss fell and {metric} got worse: they are not the same."
    ]


def _overconfident(rows: list[Row], best: Row, metric: str) -> list[str]:
    """A validation loss that rises while the decisions stay as good: the model grows too sure."""
    from minigrad.metrics import is_classification

    last, least = rows[-1].validation, best.validation
    if not is_classification(metric) or last["loss"] < OVERCONFIDENT * least["loss"] or least["loss"] <= 0:
        return []
    if abs(last[metric] - least[metric]) > 0.02:
        return []
    return [
        f"the validation loss rose from {least['loss']:.3g} (epoch {best.epoch}) to {last['loss']:.3g} while {metric} "
        f"went from {least[metric]:.3g} to {last[metric]:.3g}: the model grew overconfident."
    ]
