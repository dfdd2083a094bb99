"""The command `minigrad compare`: from names of losses to a table and a figure."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import minigrad
from minigrad import arguments
from minigrad.data.files import labelled

FIGURES, NUMBERS = (".png", ".svg", ".pdf"), (".json", ".csv")  # what it can write


def add_command(commands: Any, command: Callable[..., Any]) -> None:
    """Add it to a command line; `command` makes one of (commands, name, what runs it, help)."""
    parser = command(commands, "compare", _compare, "compare losses, each at its own best learning rate")
    parser.add_argument(
        "losses", nargs="*", metavar="LOSS", help="two or more; without any, the shipped studies are run"
    )
    arguments.add_data(parser, " with a header line")
    parser.add_argument(
        "--seeds", type=int, default=10, help="how many splits and initial weights (10; 6 at least to tell)"
    )
    parser.add_argument("--lrs", type=_rates, metavar="LR,LR,…", help="the learning rates to try")
    parser.add_argument("--model", type=_sizes, metavar="IN-…-OUT", help="layer sizes, such as 64-64-10")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--metric", help="what is compared: accuracy for classes, else mae")
    parser.add_argument(
        "--corrupt", type=float, default=0.0, metavar="SHARE", help="share of training targets to move by 5 sd"
    )
    parser.add_argument("--jobs", type=int, default=None, help="processes (one per core)")
    parser.add_argument("--dask", metavar="ADDRESS", help="the scheduler of a Dask cluster that carries out the runs")
    parser.add_argument("--resume", metavar="FILE", help="keep finished runs here, and go on where the file ends")
    parser.add_argument(
        "--out", default="compare.png", help="the figure (compare.png); .json and .csv write the numbers"
    )


def _rates(text: str) -> tuple[float, ...]:
    return _each(float, ",", text, "numbers such as 1e-3,1e-2")


def _sizes(text: str) -> tuple[int, ...]:
    return _each(int, "-", text, "layer sizes such as 64-64-10")


def _each(number: Any, mark: str, text: str, form: str) -> tuple[Any, ...]:
    try:
        return tuple(number(part) for part in text.split(mark))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected {form}, got {text!r}") from error


def _compare(options: Any, console: Console) -> None:
    if options.seeds < 1:
        raise ValueError(f"compare: expected --seeds of at least 1, got {options.seeds}; 6 are the least that can tell")
    if options.jobs is not None and options.jobs < 1:
        raise ValueError(f"compare: expected --jobs of at least 1, got {options.jobs}")
    arguments.check_folder("compare", options.out)
    if not options.out.lower().endswith(FIGURES + NUMBERS):
        raise ValueError(f"compare: expected --out to end in {', '.join(FIGURES + NUMBERS)}, got {options.out!r}")
    studies = _studies(options)
    if options.out.lower().endswith(NUMBERS) and len(studies) > 1:
        raise ValueError(f"compare: expected one study for {options.out}; name the losses, or write a .png")
    jobs = options.jobs or os.cpu_count() or 1
    results = []
    if options.resume and len(studies) > 1:
        raise ValueError(f"compare: expected one study for --resume {options.resume}; name the losses")
    with _cluster(options.dask) if options.dask else _workers(jobs) as executor:
        for study in studies:
            results.append(_with_progress(study, executor))
            console.print(_table(results[-1]))
            for line in _sentences(results[-1]):
                console.print(Padding(escape(line), (0, 0, 0, 2)))
            console.print()
    console.print(f"[dim]{escape(_written(results, options.out))}[/dim]", soft_wrap=True)


def _studies(options: Any) -> list[dict[str, Any]]:
    common: dict[str, Any] = {"seeds": options.seeds, "epochs": options.epochs}
    if options.lrs:
        common["lrs"] = options.lrs
    if not options.losses:
        if options.data:
            raise ValueError(
                "compare: expected losses to compare, got --data alone; minigrad compare huber mae --data …"
            )
        return [
            {"losses": ["mse", "mae", "huber"], "data": "diabetes", "corrupt": 0.1, "model": (10, 16, 1), **common,
             "title": "Diabetes, a tenth of the training targets moved by 5 sd"},
            {"losses": ["cross_entropy", "mse"], "data": "digits", "model": (64, 64, 10), **common,
             "title": "Handwritten digits"},
        ]  # fmt: skip
    source, title, metric = _source(options)
    study = {"losses": options.losses, "data": source, "title": title, "model": options.model, "metric": metric}
    return [{**study, "corrupt": options.corrupt, "resume": options.resume, **common}]


def _source(options: Any) -> tuple[Any, str, str | None]:
    """The data, what they are called, and the metric: of a target that is text accuracy, whatever the losses read."""
    name = options.data or "diabetes"
    if arguments.is_file(name):
        if not options.target:
            raise ValueError(
                f"compare: expected --target, the column of {name} to predict; --data {name} --target price"
            )
        X, y, classes = labelled(name, options.target, options.drop)
        if classes and options.metric and not minigrad.metrics.is_classification(options.metric):
            raise ValueError(
                f"compare: expected a metric of classes for {options.target}, which is text, got {options.metric}; "
                "leave --metric out for accuracy"
            )
        kinds = f", {len(classes)} classes" if classes else ""
        return (
            (X, y),
            f"{Path(name).name}, {options.target}{kinds}",
            options.metric or ("accuracy" if classes else None),
        )
    if options.target:
        raise ValueError(f"compare: --target goes with a CSV file, got --data {name}; leave it out")
    return name, arguments.titled(name), options.metric


@contextmanager
def _workers(jobs: int) -> Any:
    """Processes of one BLAS thread each: their number is what is chosen, not that of the threads inside them."""
    if jobs == 1:
        with nullcontext() as nothing:
            yield nothing
        return
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update({name: value or "1" for name, value in before.items()})
    try:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as executor:
            yield executor
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)


@contextmanager
def _cluster(address: str) -> Any:
    """The workers of a Dask cluster."""
    try:
        from dask.distributed import Client  # untyped
    except ImportError as error:
        raise ValueError("compare: expected Dask for --dask, found none; pip install 'dask[distributed]'") from error
    with Client(address, timeout=10) as client:  # type: ignore[no-untyped-call]
        yield client.get_executor()


def _with_progress(study: dict[str, Any], executor: Executor | None) -> Any:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("runs"),
        TimeRemainingColumn(),
    )
    stderr = Console(stderr=True)
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task(escape(study["title"][:30]), total=None)
        arguments = {key: value for key, value in study.items() if key not in ("losses", "data")}
        return minigrad.compare(
            study["losses"], study["data"], executor=executor, **arguments,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip


def _table(result: Any) -> Table:
    n = len(result.seeds)
    table = Table(title=escape(f"{result.title} · {n} seed{'s' * (n > 1)}"), title_justify="left", title_style="bold",
                  box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))  # fmt: skip
    table.add_column("loss", overflow="fold")
    table.add_column("lr", justify="right")
    table.add_column("test loss", justify="right")
    table.add_column(f"{result.metric} (range)", justify="right", no_wrap=True)
    table.add_column("to the first (95 %)", justify="right", no_wrap=True)
    for row in result.rows:
        lr = "" if row.lr != row.lr else f"{row.lr:g}"
        spread = f"{row.median:.3f} ({row.least:.3f}…{row.greatest:.3f})"
        difference = "" if row.difference is None else f"{row.difference:+.3f}"
        if row.low is not None:
            difference += f" ({row.low:+.3f}…{row.high:+.3f})"
        table.add_row(escape(row.loss), lr, f"{row.test_loss:.3f}", spread, difference)
    return table


def _sentences(result: Any) -> list[str]:
    return [*(f"{row.loss}: {row.verdict}." for row in result.rows if row.verdict), *result.notes()]


def _written(results: list[Any], out: str) -> str:
    if out.lower().endswith(NUMBERS):
        (results[0].to_json if out.lower().endswith(".json") else results[0].to_csv)(out)
    else:
        minigrad.figures.races(results).savefig(out)
    return f"Written: {out}"
