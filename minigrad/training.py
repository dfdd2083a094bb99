"""Training: the loop that everybody writes, with what everybody forgets.

An epoch is a permutation of the samples, cut into batches. Whatever is drawn comes from one integer, the epoch and the
step, so that a run can be repeated, and continued, exactly. Loss and metric are recorded together, on training and on
validation data, and the weights of least validation loss are there at the end, however it ends.
"""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import losses as registry
from minigrad.data.sets import read_only
from minigrad.engine.debug import detect_anomaly
from minigrad.engine.errors import DomainError, GradientError, PluginError
from minigrad.history import History, Row, Watch
from minigrad.losses import Loss
from minigrad.metrics import Metric
from minigrad.nn import Module, asked, generator, known
from minigrad.optim import OPTIMIZERS, Optimizer, Schedule
from minigrad.planned import Planner
from minigrad.preflight import preflight
from minigrad.progress import Progress
from minigrad.resuming import Resuming
from minigrad.samples import Samples, held_out, metrics_of, modes_of, pair, set_modes, value_of

Array = Any


@asked("fit(model, (X, y), loss='mse')")
def fit(
    model: Module,
    train: tuple[Any, Any],
    *,
    loss: str | Loss,
    optimizer: str | Optimizer = "adam",
    lr: float | Schedule | Callable[[float], float] | None = None,
    epochs: int = 30,
    batch_size: int = 32,
    validation: float | tuple[Any, Any] | None = None,
    metrics: Sequence[str | Metric] = (),
    patience: int | None = None,
    sample_weight: Any = None,
    rng: Any = 0,
    checkpoint: str | Path | None = None,
    every: int | None = None,
    progress: bool | None = None,
    dry_run: bool = False,
) -> Any:
    """Train a model in place, and tell how it went.

    Args:
        model: any Module; a chain that ends in what the loss reads (raw scores, as a rule).
        train: (X, y): X (n, …) whatever `np.asarray` makes numbers of, a DataFrame included; y as the loss wants it;
            (n,) beside one output, binary labels for a loss on signs and labels for a loss on rows are aligned, see
            `losses.align`. A loss without target takes (X, None).
        loss: a name or a Loss. Fitted parameters are computed from the training targets, learned ones are handed to the
            optimizer, both in a copy: `history.loss` is the loss as trained.
        optimizer: a name of `optim.OPTIMIZERS`, or an optimizer made from the model's parameters.
        lr: learning rate of an optimizer given by name, 1e-3 unless said; a schedule of `optim`; or a function
            of the share of the run that is done, from 0 to 1, such as `lambda done: 0.02 * (1 - done)`.
        epochs: passes over the training samples, ≥ 1.
        batch_size: samples per step, ≥ 1; the last batch of an epoch may be smaller.
        validation: (X, y), or the share of the training samples to hold out for it, in (0, 1).
        metrics: names of `metrics`, or Metric objects, measured beside the loss after every epoch.
        patience: stop after so many epochs without a smaller validation loss.
        sample_weight: (n,) weights ≥ 0 of the training samples.
        rng: a `numpy.random.Generator` or an int, of which one integer is drawn.
        checkpoint: a file that is written after each epoch. If it exists, the run goes on from it, exactly as if it had
            not been interrupted; loss, optimizer, rng and data must be the same.
        every: write it after so many steps too.
        progress: True, False, or None for yes at a terminal and in a notebook.
        dry_run: train nothing, but say what a run would stumble over, see `preflight`; a Preflight is returned.

    Returns:
        A History: loss and metrics by epoch, gradient norms and update ratios by step. With `validation` the model has
        the weights of `history.best`; without, those of the last epoch.

    Raises:
        ShapeError, DTypeError, DomainError, LabelError: data that do not fit each other, the model or the loss.
        GradientError: no parameter of the optimizer is reached by the gradient of the loss.
        ValueError, TypeError: an argument outside its range.
        CheckpointError: `checkpoint` is no whole checkpoint, or that of another run.
        OSError: it cannot be written.

    A loss that is not finite ends the run with a RuntimeWarning, Ctrl-C with a UserWarning; in both cases the best
    weights so far are restored and the History is returned.
    """
    if dry_run:
        model, rng = copy.deepcopy(model), copy.deepcopy(rng)
    run = Training(
        model, train, loss=loss, optimizer=optimizer, lr=lr, epochs=epochs, batch_size=batch_size,
        validation=validation, metrics=metrics, patience=patience, sample_weight=sample_weight, rng=rng,
        checkpoint=None if dry_run else checkpoint, every=every,
    )  # fmt: skip
    return preflight(model, run.loss, run.train, run.batch_size) if dry_run else run.run(progress)


@asked("evaluate(model, (X, y), loss='mse')")
def evaluate(
    model: Module,
    data: tuple[Any, Any],
    *,
    loss: str | Loss,
    metrics: Sequence[str | Metric] = (),
    sample_weight: Any = None,
) -> dict[str, float]:
    """Loss and metrics of a model on data: {"loss": 0.12, "accuracy": 0.97}.

    Args:
        model: any Module; its mode stays as it is.
        data: (X, y), as in `fit`.
        loss: a name or a Loss; `history.loss` where `fit` has fitted or learned parameters of it.
        metrics: names, or Metric objects.
        sample_weight: (n,) weights ≥ 0 for the loss.
    """
    where = "evaluate"
    chosen = registry.get(loss)
    part = Samples(where, model, chosen, *pair(where, "data", data), weight=sample_weight)
    return part.measured(model, chosen, metrics_of(where, metrics))


class Training:
    """One run of `fit`: everything checked and in place, then epoch by epoch."""

    def __init__(
        self, model: Module, train: Any, *, loss: Any, optimizer: Any, lr: Any, epochs: Any, batch_size: Any,
        validation: Any, metrics: Any, patience: Any, sample_weight: Any, rng: Any, checkpoint: Any,
        every: Any,
    ) -> None:  # fmt: skip
        where = "fit"
        self.epochs, self.batch_size = whole(where, "epochs", epochs, 30), whole(where, "batch_size", batch_size, 32)
        self.patience = None if patience is None else whole(where, "patience", patience, 10)
        if patience is not None and validation is None:
            raise ValueError(f"{where}: expected validation with patience={patience}, got none; say validation=0.2")
        self.metrics = metrics_of(where, metrics)
        X, y = pair(where, "train", train)
        source, chosen = generator(where, rng), registry.get(loss)
        if chosen.options.get("reduction") == "none":
            raise ValueError(f"{where}: expected a loss that is reduced to one number, got {chosen}; use mean or sum")
        given = Samples(where, model, chosen, X, y, weight=sample_weight)
        looked = _own(chosen, given.y)
        given.measured(model, looked, [])  # every prediction and weight is looked at, and named by its row
        count = held_out(where, validation, len(given.X))
        other = pair(where, "validation", validation) if isinstance(validation, (tuple, list)) else None
        self.valid = other and Samples(f"{where}, validation", model, chosen, *other)
        self.optimizer = _optimizer(where, optimizer, lr, model)
        self.key = int(source.integers(2**63))  # the only draw: all checks are done
        self.train = given
        self.rate = lr if callable(lr) and not isinstance(lr, Schedule) else None
        if count:
            order = np.random.default_rng((self.key, 0)).permutation(len(given.X))
            self.train, self.valid = given.rows(order[count:]), given.rows(order[:count])
        self.model, self.chosen = model, chosen
        self.loss = _own(chosen, self.train.y) if count else looked
        if self.loss.learned:
            self.optimizer.add_group({"params": list(self.loss.learned.values())})
        self.watch = Watch(model, self.optimizer, self.loss.learned)
        self.history = History(self.loss, [metric.name for metric in self.metrics], self.watch)
        self.epoch, self.step, self.total, self.count = 0, 0, 0.0, 0  # epochs finished, and how far the next one is
        self.best = self._state()
        every = None if every is None else whole(where, "every", every, 100)
        self.resuming = Resuming(checkpoint, every, self)

    # --- the run ---------------------------------------------------------------------------------------------------
    def run(self, progress: bool | None) -> History:
        """All epochs, or as many as there are until something ends the run."""
        history, before = self.history, modes_of(self.model)
        self.resuming.begin()
        self.draws = self.model.reseed(self.key, 2) > 0
        self.planner = Planner(self.model, self.loss, self.optimizer)
        try:
            with Progress(self.epochs, progress) as line, np.errstate(all="ignore"):  # what diverges shows in the loss
                while self.epoch < self.epochs and not history.stopped:
                    self.model.train()
                    row = self._epoch(self.epoch + 1)
                    if row is not None:
                        self._finish(row)
                        line.show(row)
        except KeyboardInterrupt:
            history.stopped = "interrupted"
        finally:
            set_modes(before)
            self._end()
        return history

    def _finish(self, row: Row) -> None:
        """Take an epoch into the books."""
        history = self.history
        history.rows.append(row)
        self.optimizer.observe((row.validation or row.training)["loss"])
        if self.valid is None or history.best is row:
            self.best = self._state()
        elif self.patience is not None and row.epoch - history.best.epoch >= self.patience:
            history.stopped = "patience"
        self.epoch, self.step, self.total, self.count = row.epoch, 0, 0.0, 0
        self.resuming.write()

    def _epoch(self, epoch: int) -> Row | None:
        """One pass over the training samples, or what is left of it; None if the loss stopped being finite."""
        start, steps = time.perf_counter(), -(-len(self.train.X) // self.batch_size)
        for x, target, weight in self._batches(epoch, self.step):
            if self.rate is not None:
                self.optimizer.lr = self.rate(((epoch - 1) * steps + self.step) / (self.epochs * steps))
            if self.draws:
                self.model.reseed(self.key, 2, epoch, self.step)
            value = self._step(x, target, weight)
            if not math.isfinite(value):
                self.history.stopped = f"loss is {value} at epoch {epoch}, batch {self.step + 1}"
                self.history.culprit = self._culprit(epoch, x, target, weight)
                return None
            self.total, self.count, self.step = self.total + value * len(x), self.count + len(x), self.step + 1
            self.resuming.after_step()
        training = self.train.measured(self.model, self.loss, self.metrics)
        validation = {} if self.valid is None else self.valid.measured(self.model, self.loss, self.metrics)
        if not math.isfinite(training["loss"]):
            self.history.stopped = f"loss is {training['loss']} at the end of epoch {epoch}"
            self.model.eval()
            self.history.culprit = self._culprit(epoch, self.train.X, self.train.target, self.train.weight)
            return None
        return Row(epoch, self.total / self.count, training, validation, time.perf_counter() - start)

    def _batches(self, epoch: int, first: int) -> Iterator[tuple[Array, Any, Any]]:
        """The samples in the order of this epoch, as read-only slices, from batch `first` on."""
        part, n = self.train, len(self.train.X)
        order = np.random.default_rng((self.key, 1, epoch)).permutation(n)
        arrays = [None if a is None else read_only(a[order]) for a in (part.X, part.target, part.weight)]
        for i in range(first * self.batch_size, n, self.batch_size):
            x, target, weight = (None if a is None else a[i : i + self.batch_size] for a in arrays)
            yield x, target, weight

    def _step(self, x: Array, target: Any, weight: Any) -> float:
        """The five lines that one would write, or from the second on their plan; returns the loss before the step."""
        planned = self.planner.step(x, target) if weight is None and self.watch.steps else None
        if planned is not None:
            self.watch.look()
            return planned
        value = value_of(self.loss, self.model(x), target, weight)
        loss = float(value)
        if not math.isfinite(loss):
            return loss
        self.optimizer.zero_grad()
        value.backward()
        if not self.watch.steps:
            self._check_reached()
        self.optimizer.step()
        self.watch.look()
        if len(self.watch.steps) == 1 and self.loss.options.get("reduction") == "sum":
            self._warn_of_sum(len(x))
        return loss

    def _culprit(self, epoch: int, x: Array, target: Any, weight: Any) -> str:
        """The first value that is not finite, found by computing the loss again with open eyes."""
        if self.draws:
            self.model.reseed(self.key, 2, epoch, self.step)
        try:
            with detect_anomaly():
                self.loss(self.model(x), target, sample_weight=weight)
        except (GradientError, DomainError) as error:
            return str(error).removeprefix("detect_anomaly: ")
        except PluginError as error:
            return str(error.__cause__).removeprefix("detect_anomaly: ")
        return ""

    def _warn_of_sum(self, n: int) -> None:
        """A sum where a mean was meant shows in the first step: it moves the weights by more than a tenth."""
        _, moved, size = self.watch.steps[0].sum(1)
        if moved > 0.01 * size:
            lr = self.optimizer.lr
            warnings.warn(
                f'fit: reduction="sum" multiplies the gradient by n = {n}: lr {lr:g} acts like {lr * n:g}; use '
                f'reduction="mean", or lr / {n}',
                stacklevel=7,
            )

    def _check_reached(self) -> None:
        params = [p for group in self.optimizer.groups for p in group["params"]]
        if all(p.grad is None for p in params):
            raise GradientError(
                f"fit: expected the gradient of {self.loss} to reach the parameters of the optimizer, got none at any "
                f"of {len(params)}; was the optimizer built from another model, or is forward() cut off from them?"
            )

    def _state(self) -> dict[str, Array]:
        """Copies of the weights, and of the learned parameters of the loss."""
        return {**self.model.state_dict(), **{name: t.data.copy() for name, t in self.loss.learned.items()}}

    def _end(self) -> None:
        """Give the model the weights that it is to keep, and say what ended the run before its time."""
        history = self.history
        learned = self.loss.learned
        self.optimizer.zero_grad()
        for name, t in learned.items():
            t.data = self.best[name]
        self.model.load_state_dict({name: array for name, array in self.best.items() if name not in learned})
        kept = f"best weights of epoch {history.best.epoch}" if history.rows else "the initial weights"
        if history.stopped == "interrupted":
            warnings.warn(f"fit: interrupted after {len(history.rows)} epochs, {kept} restored", stacklevel=5)
        elif history.stopped.startswith("loss"):
            history.finite = False
            found = f". The first value that is not finite: {history.culprit}" if history.culprit else ""
            found += ". A smaller lr may help" if self.step or self.epoch else ""
            warnings.warn(f"fit: {history.stopped}, {kept} restored{found}", RuntimeWarning, stacklevel=5)


# --- what comes in ----------------------------------------------------------------------------------------------------
def whole(where: str, name: str, value: Any, example: int) -> int:
    """A whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{where}: expected {name} ≥ 1, a whole number, got {value!r:.60}; say {name}={example}")
    if value < 1:
        raise ValueError(f"{where}: expected {name} ≥ 1, a whole number, got {value}; say {name}={example}")
    return int(value)


def _optimizer(where: str, optimizer: Any, lr: Any, model: Module) -> Optimizer:
    if callable(lr) and not isinstance(lr, Schedule):
        lr = None if isinstance(optimizer, Optimizer) else lr(0.0)
    if isinstance(optimizer, Optimizer):
        if lr is not None:
            raise ValueError(f"{where}: expected no lr beside an optimizer object, got {lr}; give it to the optimizer")
        return optimizer
    if isinstance(optimizer, type):
        name = optimizer.__name__
        raise TypeError(
            f"{where}: expected an optimizer by name or made, got the class {name}; write {name}(model.parameters())"
        )
    make: Callable[..., Optimizer] = known(where, "optimizer", optimizer, OPTIMIZERS)
    return make(model.parameters(), lr=1e-3 if lr is None else lr)


def _own(loss: Loss, y: Any) -> Loss:
    """A copy of the loss that belongs to the run: parameters fitted to its targets, learned ones as new leaves."""
    return (loss if y is None else loss.fitted_to(y)).fresh()
