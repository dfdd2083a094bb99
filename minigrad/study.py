"""Comparing losses fairly: each at its own best learning rate, all on the same splits and the same initial weights.

A study is a list of runs that know nothing of each other, so any `concurrent.futures.Executor` can carry it out. What
is said about two losses is said about their paired differences, seed by seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import data as datasets
from minigrad import losses as registry
from minigrad import metrics
from minigrad.comparison import Comparison, Run
from minigrad.engine.errors import LabelError
from minigrad.journal import Journal, fingerprint
from minigrad.losses import Loss, align
from minigrad.losses.constant import constant
from minigrad.losses.kinds import CLASSES, PRED
from minigrad.nn import MLP, Module, asked
from minigrad.samples import pair
from minigrad.silence import SILENCE
from minigrad.training import evaluate, fit

LRS = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)

ENDS = {"prob": "sigmoid", "log_probs": "log_softmax"}  # what a network ends in, for losses that read no raw outputs
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


@asked("compare(['mse', 'mae'], (X, y))")
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
    resume: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    title: str | None = None,
) -> Comparison:
    """Train a model with each loss, at each learning rate, from each seed; compare the losses, each at its best rate.

    Args:
        losses: names or losses; the first is what the others are compared with.
        data: the name of a shipped set, or arrays (X, y). Each seed splits off its own test part (0.3) and a
            validation part (0.2 of the rest). Inputs are standardised by the training part, targets too unless they
            are classes, or a loss reads them as counts.
        model: hidden layer sizes and all, such as (64, 64, 10), or a function of `rng` that returns a model;
            one hidden layer of 32 unless given. Sizes make an MLP that ends in what each loss reads: raw outputs, or
            their sigmoid or log_softmax.
        lrs: learning rates; each loss gets the one with its best median validation metric.
        seeds: how many, from 0, or which.
        metric: "accuracy" for classes, else "mae", unless given.
        corrupt: share of the training targets that are moved by 5 standard deviations (regression only); validation and
            test targets stay as they are.
        epochs: passes over the training part.
        batch_size: samples per step.
        optimizer: "adam" or "sgd".
        executor: any `concurrent.futures.Executor`; the runs are carried out here, one by one, unless given.
        resume: a file in which finished runs are kept; if it exists, the study goes on where it stopped.
        progress: called with (runs done, runs in all).
        title: the first line of the table.

    Returns:
        A Comparison. A run that diverges is a result, no error.

    Raises:
        ValueError: no loss, a loss twice, no seeds, a learning rate that is not above 0.
        TypeError: a loss or a model that cannot travel to another process, or is not found there.
        CheckpointError: `resume` is the file of another study.
    """
    if isinstance(losses, (str, Loss)):
        raise TypeError(f"compare: expected losses as a list, got {losses!r:.60} alone; write [{losses!r:.60}]")
    if isinstance(model, Module):
        raise TypeError(
            f"compare: expected model as layer sizes or a function of rng, got {type(model).__name__}; each run needs "
            "a new one: model=(64, 64, 10), or lambda rng: MLP(64, 64, 10, rng=rng)"
        )
    chosen = [registry.get(loss) for loss in losses]
    names = [str(loss) for loss in chosen]
    numbers = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    _check(names, numbers, lrs, corrupt, executor)
    source = _loaded(data)
    classes = _is_classification(chosen, data, metric)
    metric = metric or ("accuracy" if classes else "mae")
    metrics.get(metric)
    _check_labels(metric, classes, source, model)
    if executor is not None:
        _check_model_travels(model)
        for loss in chosen:
            _check_travels(loss)
        _check_arrives(executor, chosen, model)
    options = {"epochs": epochs, "batch_size": batch_size, "optimizer": optimizer, "classes": classes,
               "scale_y": not classes and all(loss.target == "real" for loss in chosen)}  # fmt: skip
    tasks = [
        Task(loss, lr, seed, source, model, metric, corrupt, options)
        for loss in chosen
        for seed in numbers
        for lr in lrs
    ]
    if resume is None:
        runs = list(_carried_out(tasks, executor, progress))
    else:
        journal = Journal(resume, _outline(tasks))
        left = [task for task in tasks if (str(task.loss), task.lr, task.seed) not in journal.runs]
        shown = progress and (lambda done, _: progress(len(tasks) - len(left) + done, len(tasks)))
        runs = [*journal.runs.values(), *journal.kept(_carried_out(left, executor, shown))]
    return Comparison(runs, names, lrs, numbers, metric=metric, title=title or f"{' against '.join(names)}")


def _check(names: list[str], seeds: list[int], lrs: Sequence[float], corrupt: float, executor: Any) -> None:
    if not names:
        raise ValueError("compare: expected at least one loss, got none; compare(['mse', 'mae'], data)")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(
            f"compare: expected different losses, got {twice[0]} twice; give one of them another parameter"
        )
    if not seeds:
        raise ValueError("compare: expected at least one seed, got none; 6 are the least that can show a difference")
    rates = tuple(lrs) if isinstance(lrs, Iterable) else ()
    if not rates or not all(isinstance(lr, (int, float)) and 0 < lr < math.inf for lr in rates):
        raise ValueError(f"compare: expected lrs, learning rates > 0, got {lrs!r:.60}; say lrs=(0.001, 0.01)")
    if not 0 <= corrupt < 1:
        raise ValueError(f"compare: expected corrupt in [0, 1), the share of targets to move, got {corrupt}")
    if executor is not None and not isinstance(executor, Executor):
        raise TypeError(
            f"compare: expected a concurrent.futures.Executor, got {executor!r:.60}; give ProcessPoolExecutor(2)"
        )


def _loaded(data: Any) -> Any:
    """The name of a shipped set as it is, or two arrays."""
    if isinstance(data, str):
        datasets.load(data, rng=0)
        return data
    X, y = pair("compare", "data", data)
    return np.asarray(X), np.asarray(y)


def _is_classification(losses: list[Loss], data: Any, metric: str | None) -> bool:
    if isinstance(data, str):
        return data != "diabetes"
    if metric is not None:
        return bool(metrics.is_classification(metric))
    return any(loss.target in CLASSES for loss in losses)


def _check_labels(metric: str, classes: bool, data: Any, model: Any) -> None:
    if not classes or isinstance(data, str):
        return
    y = data[1]
    if y.dtype.kind == "f" and (y % 1 != 0).any():
        raise LabelError(
            f"compare: expected class labels 0, 1, … for {metric}, got {y.dtype} that are no whole numbers; "
            "choose losses on values, such as mse, huber"
        )
    if y.size and y.max() >= len(y):  # there would be more outputs than samples
        raise LabelError(
            f"compare: expected class labels 0, 1, … for {metric}, got {y.max()} at row {y.argmax()}, with {len(y)} "
            "rows in all; number the classes without gaps"
        )
    outputs = model[-1] if isinstance(model, (tuple, list)) else 1
    if outputs > 1 and (wrong := (y < 0) | (y >= outputs)).any():
        row = int(np.argwhere(wrong)[0, 0])
        raise LabelError(
            f"compare: expected class labels 0 … {outputs - 1} for a model with {outputs} outputs, got {y[row]} at row "
            f"{row}; give the model an output for each class, or number the classes from 0"
        )


def _check_travels(loss: Loss) -> None:
    try:
        loss.__reduce__()
    except TypeError as error:
        raise TypeError(f"compare: {loss} cannot travel to another process; {error}, or leave executor out") from error


def _check_model_travels(model: Any) -> None:
    name = getattr(model, "__qualname__", "")
    if callable(model) and ("<lambda>" in name or "<locals>" in name):
        raise TypeError(
            f"compare: expected a model that can travel to another process, got {name}; define the function in a "
            "module, give layer sizes, or leave executor out"
        )


def _check_arrives(executor: Executor, losses: list[Loss], model: Any) -> None:
    """Send there and back what a run needs: a worker knows what it can import, and nothing of this script."""
    try:
        executor.submit(_arrived, losses, model).result()
    except (AttributeError, ImportError, BrokenExecutor) as error:
        own = [str(loss) for loss in losses if loss.function.__module__ == "__main__"]
        raise TypeError(
            f"compare: expected workers that find {', '.join(own) or 'every loss and the model'}, got "
            f"{str(error).rstrip('.')}; what a notebook defines is not there: put it "
            "into a module, or a file for losses.add_file; a script works under "
            'if __name__ == "__main__":; or leave executor out'
        ) from error


def _arrived(losses: list[Loss], model: Any) -> int:
    return len(losses)


def _outline(tasks: list[Task]) -> dict[str, Any]:
    """Which study this is: all that decides what a run gives, but for the losses, rates and seeds it has."""
    task = tasks[0]
    model = task.model if task.model is None or callable(task.model) else list(task.model)
    return {
        "data": task.data if isinstance(task.data, str) else fingerprint(*task.data),
        "model": getattr(model, "__qualname__", model), "metric": task.metric, "corrupt": task.corrupt, **task.options,
    }  # fmt: skip


def _carried_out(tasks: list[Task], executor: Executor | None, progress: Any) -> Iterator[Run]:
    """The runs as they are finished, wherever they are carried out."""
    futures = [] if executor is None else [executor.submit(_run, task) for task in tasks]
    results = map(_run, tasks) if executor is None else (future.result() for future in as_completed(futures))
    try:
        for count, run in enumerate(results, 1):
            yield run
            if progress is not None:
                progress(count, len(tasks))
    finally:
        for future in futures:  # after an error, or Ctrl-C, nothing goes on behind the reader's back
            future.cancel()


def _run(task: Task) -> Run:
    """Carry out one task: split, train, measure."""
    (X, y), held_out, (X_test, y_test) = _split(task)
    outputs = _outputs(task, y)
    model = _model(task, X.shape[1], outputs[0])
    options = {key: task.options[key] for key in ("epochs", "batch_size", "optimizer")}
    with SILENCE:  # a run that diverges is a result here
        history = fit(
            model, (X, y), loss=task.loss, lr=task.lr, validation=held_out, metrics=[task.metric], rng=task.seed,
            progress=False, **options,
        )  # fmt: skip
        measured = evaluate(model, (X_test, y_test), loss=history.loss, metrics=[task.metric])
    if history.stopped == "interrupted":
        raise KeyboardInterrupt
    flat, (_, flat_held_out) = _ignorant(history.loss, y, outputs, task.metric, y_test, held_out[1])
    curve = tuple(row.validation[task.metric] for row in history.rows)
    diverged = not history.finite
    return Run(
        str(task.loss), task.lr, task.seed, history.best.validation[task.metric] if history.rows else math.nan,
        measured["loss"], measured[task.metric], *flat, diverged, curve, history.seconds, flat_held_out,
        _first_gradient(history),
    )  # fmt: skip


def _first_gradient(history: Any) -> float:
    """‖∂loss/∂θ‖ at the first step, over all weights of the model."""
    learned = history.loss.learned
    layers = [norms[0] for name, norms in history.gradient_norm.items() if name not in learned and len(norms)]
    return math.hypot(*layers) if layers else math.nan


def _split(task: Task) -> Any:
    """Three parts by seed: to train on, to choose by, to test on. Only what is trained on is corrupted."""
    classes = task.options["classes"]
    if isinstance(task.data, str):
        (X, y), test = datasets.load(task.data, rng=task.seed)
    else:
        X, y = task.data
        (X, y), test = datasets.split(
            X, y if classes else y.astype(float), rng=task.seed, scale_y=task.options["scale_y"]
        )
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
    if task.loss.heads:
        sizes = (*sizes[:-1], outputs)
    return MLP(*sizes, output=ENDS.get(task.loss.pred), rng=task.seed)


def _ignorant(
    loss: Loss, y: Array, outputs: tuple[int, ...], metric: str, *parts: Array
) -> Iterator[tuple[float, float]]:
    """Loss and metric, on the targets of each part, of the best prediction that ignores the inputs."""
    c = constant(loss, align(loss, y, outputs, np.float64), outputs)
    for part in parts:
        rows = np.broadcast_to(c, (len(part), *outputs)).copy()
        value = loss(rows, align(loss, part, outputs, np.float64)).item()
        yield value, metrics.measure([metrics.get(metric)], loss, rows, part)[metric]
