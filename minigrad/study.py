"""Comparing losses fairly: each at its own best learning rate, all on the same splits and the same initial weights.

A study is a list of runs that know nothing of each other, so any `concurrent.futures.Executor` can carry it out. What
is said about two losses is said about their paired differences, seed by seed.
"""

from __future__ import annotations

import csv
import json
import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import data as datasets
from minigrad import losses as registry
from minigrad import metrics
from minigrad.losses import Loss, align
from minigrad.losses.constant import constant
from minigrad.losses.kinds import CLASSES, PRED
from minigrad.nn import MLP
from minigrad.training import evaluate, fit

LRS = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
LEVEL = 0.95
HELD_OUT = 0.2  # of the training part, to choose learning rate and weights by
Array = Any


@dataclass(frozen=True)
class Task:
    """One run, with all that it needs: it may be carried out in another process."""

    loss: Loss
    lr: float
    seed: int
    data: Any
    model: Any
    metric: str
    corrupt: float
    options: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """What came of a task: the validation metric that chooses the learning rate, and the test figures that count."""

    loss: str
    lr: float
    seed: int
    validation: float
    test_loss: float
    test_metric: float
    constant_loss: float
    constant_metric: float
    diverged: bool
    curve: tuple[float, ...]
    seconds: float
    constant_validation: float = math.nan


@dataclass(frozen=True)
class Row:
    """One loss at its best learning rate; `difference`, `low` and `high` are to the first loss, metric minus metric."""

    loss: str
    lr: float
    test_loss: float
    constant_loss: float
    median: float
    least: float
    greatest: float
    difference: float | None
    low: float | None
    high: float | None
    verdict: str


class Comparison:
    """The result of `compare`: every run, and what may be said of them.

    Attributes:
        losses: the names, in the order given; the first is what the others are compared with.
        lrs: the learning rates tried.
        seeds: the seeds; each draws its own split and initial weights, the same for every loss.
        metric: the name of the metric.
        runs: all of them.
    """

    def __init__(self, runs: Iterable[Run], losses: Sequence[str], lrs: Sequence[float], seeds: Sequence[int], *,
                 metric: str, title: str) -> None:  # fmt: skip
        order = {name: i for i, name in enumerate(losses)}
        self.runs = sorted(runs, key=lambda run: (order[run.loss], run.lr, run.seed))
        self.losses, self.lrs, self.seeds = list(losses), list(lrs), list(seeds)
        self.metric, self.title = metric, title
        self.higher_is_better = bool(metrics.higher_is_better(metric))
        self._sign = 1 if self.higher_is_better else -1

    def of(self, loss: str, lr: float) -> list[Run]:
        """The runs of one loss at one learning rate, by seed."""
        return [run for run in self.runs if run.loss == loss and run.lr == lr]

    def score(self, loss: str, lr: float) -> float:
        """The median validation metric over the seeds; a run that diverged counts as the worst there is."""
        worst = -self._sign * math.inf
        return float(np.median([worst if run.diverged else run.validation for run in self.of(loss, lr)]))

    def best_lr(self, loss: str) -> float:
        """The learning rate of the best median validation metric; of equal ones the smallest."""
        return max(self.lrs, key=lambda lr: (self._sign * self.score(loss, lr), -lr))

    def best(self, loss: str) -> list[Run]:
        """The runs of a loss at its own best learning rate, by seed."""
        return self.of(loss, self.best_lr(loss))

    def differences(self, loss: str) -> Array:
        """Test metric of a loss minus that of the first loss, seed by seed."""
        pairs = zip(self.best(loss), self.best(self.losses[0]), strict=True)
        return np.array([one.test_metric - first.test_metric for one, first in pairs])

    def row(self, loss: str) -> Row:
        """One line of the table."""
        runs = self.best(loss)
        values = [run.test_metric for run in runs]
        difference, low, high, verdict = None, None, None, ""
        if loss != self.losses[0]:
            differences = self.differences(loss)
            difference, interval = _median(differences), median_interval(differences)
            low, high = interval or (None, None)
            verdict = self._verdict(interval)
        return Row(
            loss, self.best_lr(loss), _median(r.test_loss for r in runs), _median(r.constant_loss for r in runs),
            _median(values), min(values), max(values), difference, low, high, verdict,
        )  # fmt: skip

    def _verdict(self, interval: tuple[float, float] | None) -> str:
        n = len(self.seeds)
        if interval is None:
            return f"{n} seeds cannot show a difference; 6 are needed"
        low, high = (self._sign * end for end in interval)
        low, high = min(low, high), max(low, high)
        if not (low > 0 or high < 0):
            return f"no difference shown with {n} seeds"
        return f"{'better' if low > 0 else 'worse'} than {self.losses[0]}"

    @property
    def rows(self) -> list[Row]:
        """The table, the best prediction that ignores the inputs first."""
        runs = self.best(self.losses[0])
        flat = [run.constant_metric for run in runs]
        loss = _median(run.constant_loss for run in runs)
        ignorant = Row("constant", math.nan, loss, loss, _median(flat), min(flat), max(flat), None, None, None, "")
        return [ignorant, *map(self.row, self.losses)]

    def notes(self) -> list[str]:
        """What a reader must know beside the table."""
        said = []
        for loss in self.losses:
            lr = self.best_lr(loss)
            if len(self.lrs) > 1 and lr in (min(self.lrs), max(self.lrs)):
                end = "largest" if lr == max(self.lrs) else "smallest"
                said.append(f"{loss}: its best learning rate {lr:g} is the {end} tried; a wider grid may do better.")
            lost = sum(run.diverged for run in self.runs if run.loss == loss)
            if lost:
                said.append(f"{loss}: {lost} of {len(self.lrs) * len(self.seeds)} runs diverged.")
        return said

    def __str__(self) -> str:
        lines = [self.title, _line("loss", "lr", "test loss", f"{self.metric}: median (range)", "to the first loss")]
        for row in self.rows:
            lr = "" if math.isnan(row.lr) else f"{row.lr:g}"
            spread = f"{row.median:.4f} ({row.least:.4f} … {row.greatest:.4f})"
            lines.append(_line(row.loss, lr, f"{row.test_loss:.4f}", spread, _difference(row)))
        lines += [f"{row.loss}: {row.verdict}." for row in self.rows if row.verdict]
        return "\n".join(lines + self.notes())

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON: the table and every run."""
        return {
            "title": self.title, "metric": self.metric, "losses": self.losses, "lrs": self.lrs, "seeds": self.seeds,
            "rows": [_plain(asdict(row)) for row in self.rows], "runs": [_plain(asdict(run)) for run in self.runs],
        }  # fmt: skip

    def to_json(self, path: str | Path) -> None:
        """Write `to_dict()` to a file."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=1), encoding="utf-8")

    def to_csv(self, path: str | Path) -> None:
        """Write one line per run."""
        names = [name for name in Run.__dataclass_fields__ if name != "curve"]
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows([getattr(run, name) for name in names] for run in self.runs)

    def plot(self) -> Any:
        """The figure: rates, paired differences, curves. See `figures.race`."""
        from minigrad import figures

        return figures.race(self)


def compare(
    losses: Sequence[str | Loss],
    data: Any,
    *,
    model: Sequence[int] | Callable[..., Any] | None = None,
    lrs: Sequence[float] = LRS,
    seeds: int | Sequence[int] = 10,
    metric: str | None = None,
    corrupt: float = 0.0,
    epochs: int = 30,
    batch_size: int = 32,
    optimizer: str = "adam",
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
    title: str | None = None,
) -> Comparison:
    """Train a model with each loss, at each learning rate, from each seed; compare the losses, each at its best rate.

    Args:
        losses: names or losses; the first is what the others are compared with.
        data: the name of a shipped set, or arrays (X, y). Each seed splits off its own test part (0.3) and a
            validation part (0.2 of the rest). Inputs, and targets that are no classes, are standardised by the
            training part.
        model: hidden layer sizes and all, such as (64, 64, 10), or a function of `rng` that returns a model;
            one hidden layer of 32 unless given.
        lrs: learning rates; each loss gets the one with its best median validation metric.
        seeds: how many, from 0, or which.
        metric: "accuracy" for classes, else "mae", unless given.
        corrupt: share of the training targets that are moved by 5 standard deviations (regression only); validation and
            test targets stay as they are.
        epochs: passes over the training part.
        batch_size: samples per step.
        optimizer: "adam" or "sgd".
        executor: any `concurrent.futures.Executor`; the runs are carried out here, one by one, unless given.
        progress: called with (runs done, runs in all).
        title: the first line of the table.

    Returns:
        A Comparison. A run that diverges is a result, no error.

    Raises:
        ValueError: no loss, a loss twice, no seeds, a learning rate that is not above 0.
        TypeError: a loss that cannot travel to another process.
    """
    chosen = [registry.get(loss) for loss in losses]
    names = [str(loss) for loss in chosen]
    numbers = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    _check(names, numbers, lrs, corrupt, executor)
    source = _loaded(data)
    classes = _is_classification(chosen, data, metric)
    metric = metric or ("accuracy" if classes else "mae")
    metrics.get(metric)
    if executor is not None:
        for loss in chosen:
            _check_travels(loss)
    options = {"epochs": epochs, "batch_size": batch_size, "optimizer": optimizer, "classes": classes}
    tasks = [
        Task(loss, lr, seed, source, model, metric, corrupt, options)
        for loss in chosen
        for seed in numbers
        for lr in lrs
    ]
    runs = list(_carried_out(tasks, executor, progress))
    return Comparison(runs, names, lrs, numbers, metric=metric, title=title or f"{' against '.join(names)}")


def median_interval(values: Array, level: float = LEVEL) -> tuple[float, float] | None:
    """The exact confidence interval of a median by order statistics, at least at `level`; None below 6 values.

    The k-th smallest and k-th largest of n values enclose the median with probability 1 − 2·P(Bin(n, ½) < k), whatever
    the distribution (Conover 1999, Practical Nonparametric Statistics, 3.2).
    """
    ordered = np.sort(np.asarray(values, float))
    n = len(ordered)
    tail, k = 0.0, 0
    while k < n // 2 and 2 * (tail + math.comb(n, k) / 2**n) <= 1 - level:
        tail += math.comb(n, k) / 2**n
        k += 1
    return None if k == 0 else (float(ordered[k - 1]), float(ordered[n - k]))


def _check(names: list[str], seeds: list[int], lrs: Sequence[float], corrupt: float, executor: Any) -> None:
    if not names:
        raise ValueError("compare: expected at least one loss, got none; compare(['mse', 'mae'], data)")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(
            f"compare: expected different losses, got {twice[0]} twice; give one of them another parameter"
        )
    if not seeds:
        raise ValueError("compare: expected at least one seed, got none; 6 are the least that can show a difference")
    if not lrs or not all(isinstance(lr, (int, float)) and 0 < lr < math.inf for lr in lrs):
        raise ValueError(f"compare: expected learning rates > 0, got {list(lrs)}")
    if not 0 <= corrupt < 1:
        raise ValueError(f"compare: expected corrupt in [0, 1), the share of targets to move, got {corrupt}")
    if executor is not None and not isinstance(executor, Executor):
        raise TypeError(f"compare: expected a concurrent.futures.Executor, got {executor!r:.60}")


def _loaded(data: Any) -> Any:
    """The name of a shipped set as it is, or two arrays."""
    if isinstance(data, str):
        datasets.load(data, rng=0)
        return data
    X, y = data
    return np.asarray(X), np.asarray(y)


def _is_classification(losses: list[Loss], data: Any, metric: str | None) -> bool:
    if isinstance(data, str):
        return data != "diabetes"
    if metric is not None:
        return bool(metrics.is_classification(metric))
    return any(loss.target in CLASSES for loss in losses)


def _check_travels(loss: Loss) -> None:
    make, arguments = loss.__reduce__()
    try:
        same = make(*arguments) == loss
    except Exception as error:
        raise TypeError(
            f"compare: {loss} cannot travel to another process ({error}); define it in a module or a file, not "
            "inside a function, or leave executor out"
        ) from error
    if not same:
        raise TypeError(f"compare: {loss} arrives in another process as another loss; define it in a module of its own")


def _carried_out(tasks: list[Task], executor: Executor | None, progress: Any) -> Iterable[Run]:
    if executor is None:
        results: Iterable[Run] = map(_run, tasks)
    else:
        results = (done.result() for done in as_completed([executor.submit(_run, task) for task in tasks]))
    for count, run in enumerate(results, 1):
        if progress is not None:
            progress(count, len(tasks))
        yield run


def _run(task: Task) -> Run:
    """Carry out one task: split, train, measure."""
    (X, y), held_out, (X_test, y_test) = _split(task)
    outputs = _outputs(task, y)
    model = _model(task, X.shape[1], outputs[0])
    options = {key: task.options[key] for key in ("epochs", "batch_size", "optimizer")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a run that diverges is a result here
        history = fit(
            model, (X, y), loss=task.loss, lr=task.lr, validation=held_out, metrics=[task.metric], rng=task.seed,
            progress=False, **options,
        )  # fmt: skip
        measured = evaluate(model, (X_test, y_test), loss=history.loss, metrics=[task.metric])
    if history.stopped == "interrupted":
        raise KeyboardInterrupt
    flat = _ignorant(history.loss, y, y_test, outputs, task.metric)
    flat_held_out = _ignorant(history.loss, y, held_out[1], outputs, task.metric)[1]
    curve = tuple(row.validation[task.metric] for row in history.rows)
    diverged = not history.finite
    return Run(
        str(task.loss), task.lr, task.seed, history.best.validation[task.metric] if history.rows else math.nan,
        measured["loss"], measured[task.metric], *flat, diverged, curve, history.seconds, flat_held_out,
    )  # fmt: skip


def _split(task: Task) -> Any:
    """Three parts by seed: to train on, to choose by, to test on. Only what is trained on is corrupted."""
    classes = task.options["classes"]
    if isinstance(task.data, str):
        (X, y), test = datasets.load(task.data, rng=task.seed)
    else:
        X, y = task.data
        (X, y), test = datasets.split(X, y if classes else y.astype(float), rng=task.seed, scale_y=not classes)
    order = np.random.default_rng((task.seed, 2)).permutation(len(y))
    held_out, rest = np.split(order, [max(1, round(HELD_OUT * len(y)))])
    trained = y[rest].copy()
    if task.corrupt and not classes:
        moved = np.random.default_rng((task.seed, 1)).permutation(len(rest))[: round(task.corrupt * len(rest))]
        trained[moved] += 5 * trained.std()
    return (X[rest], trained), (X[held_out], y[held_out]), test


def _outputs(task: Task, y: Array) -> tuple[int, ...]:
    """How many outputs a model needs for this loss and these targets."""
    loss = task.loss
    if loss.heads:
        return (len(loss.heads),)
    classes = int(y.max()) + 1 if task.options["classes"] else 1
    if PRED[loss.pred].events or (loss.pred == "real" and classes > 2):
        return (classes,)
    return (1,)


def _model(task: Task, inputs: int, outputs: int) -> Any:
    if callable(task.model):
        return task.model(rng=task.seed)
    sizes = (inputs, 32, outputs) if task.model is None else tuple(task.model)
    return MLP(*sizes, rng=task.seed)


def _ignorant(loss: Loss, y: Array, y_test: Array, outputs: tuple[int, ...], metric: str) -> tuple[float, float]:
    """Loss and metric, on the test part, of the best prediction that ignores the inputs."""
    train, test = (align(loss, target, outputs, np.float64) for target in (y, y_test))
    rows = np.broadcast_to(constant(loss, train, outputs), (len(y_test), *outputs)).copy()
    return loss(rows, test).item(), float(metrics.get(metric)(metrics.decided(loss, rows, y_test), y_test))


def _median(values: Iterable[float]) -> float:
    return float(np.median(list(values)))


def _difference(row: Row) -> str:
    if row.difference is None:
        return ""
    if row.low is None:
        return f"{row.difference:+.4f}"
    return f"{row.difference:+.4f} ({row.low:+.4f} … {row.high:+.4f})"


def _line(loss: str, lr: str, value: str, spread: str, difference: str) -> str:
    return f"{loss:<16.24} {lr:>6} {value:>9}  {spread:<27} {difference}".rstrip()


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """NaN and infinities are no JSON."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in record.items()}
