"""The command line: compare losses, list them, run a tutorial."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
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
from rich.text import Text

import minigrad
from minigrad import losses
from minigrad.authoring import add_commands
from minigrad.engine.errors import PluginError
from minigrad.explain.command import add_command as add_explore
from minigrad.losses.names import escaped, shown
from minigrad.losses.offers import TAIL
from minigrad.losses.parameters import fitted

FIGURES, NUMBERS = (".png", ".svg", ".pdf"), (".json", ".csv")  # what compare can write
ERRORS = (ValueError, TypeError, LookupError, OSError, RuntimeError)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one paragraph, with the nearest word."""

    def error(self, message: str) -> Any:
        if found := re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message):
            known = re.findall(r"[\w-]+", found[2])
            near = difflib.get_close_matches(found[1], known, 1)
            message = f"no command {found[1]!r}; " + (
                f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            )
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 1 if a loss that was judged is wrong, or 2 after bad input."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False)
    try:
        for path in options.plugin:
            losses.add_file(path)
        return options.run(options, console) or 0
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except ERRORS as error:
        name = "" if isinstance(error, (OSError, SystemError)) else f"{type(error).__name__}: "
        Console(stderr=True, highlight=False).print(escape(f"minigrad: {name}{escaped(str(error))}"), soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        print("minigrad: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="minigrad", description="Where loss functions are designed, understood, compared and shared.")
    parser.add_argument("--version", action="version", version=f"minigrad {minigrad.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    _add_compare(commands)
    listing = _command(
        commands, "losses", _losses, "list the losses: what there is, whose it is, what is broken and why"
    )
    listing.add_argument("name", nargs="?", help="one loss, in full")
    add_commands(commands, _command)
    add_explore(commands, _command)
    lessons = _command(commands, "tutorial", _tutorial, "list the lessons, run one, or copy one to work on")
    lessons.add_argument("action", nargs="?", choices=("list", "run", "copy"), default="list")
    lessons.add_argument("number", nargs="?", help="of the lesson, such as 01")
    lessons.add_argument("--rng", type=int, metavar="N", help="run: with other data and other initial weights (0)")
    lessons.add_argument("--out", metavar="DIR", help="run: write figures and numbers there, show and ask nothing")
    return parser


def _command(commands: Any, name: str, run: Any, help_: str) -> Any:
    command = commands.add_parser(name, help=help_, description=help_[0].upper() + help_[1:] + ".")
    command.set_defaults(run=run)
    command.add_argument(
        "--plugin", action="append", default=[], metavar="FILE", help="a Python file that defines losses"
    )
    return command


def _add_compare(commands: Any) -> None:
    command = _command(commands, "compare", _compare, "compare losses, each at its own best learning rate")
    command.add_argument(
        "losses", nargs="*", metavar="LOSS", help="two or more; without any, the shipped studies are run"
    )
    command.add_argument("--data", help="digits, diabetes, breast_cancer, or a CSV file with a header line")
    command.add_argument("--target", help="the column of the file to predict")
    command.add_argument("--drop", nargs="*", default=[], metavar="COLUMN", help="columns of the file to leave out")
    command.add_argument(
        "--seeds", type=int, default=10, help="how many splits and initial weights (10; 6 at least to tell)"
    )
    command.add_argument("--lrs", type=_rates, metavar="LR,LR,…", help="the learning rates to try")
    command.add_argument("--model", type=_sizes, metavar="IN-…-OUT", help="layer sizes, such as 64-64-10")
    command.add_argument("--epochs", type=int, default=30)
    command.add_argument("--metric", help="what is compared: accuracy for classes, else mae")
    command.add_argument(
        "--corrupt", type=float, default=0.0, metavar="SHARE", help="share of training targets to move by 5 sd"
    )
    command.add_argument("--jobs", type=int, default=None, help="processes (one per core)")
    command.add_argument("--dask", metavar="ADDRESS", help="the scheduler of a Dask cluster that carries out the runs")
    command.add_argument("--resume", metavar="FILE", help="keep finished runs here, and go on where the file ends")
    command.add_argument(
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


# --- compare ----------------------------------------------------------------------------------------------------------
def _compare(options: Any, console: Console) -> None:
    if options.seeds < 1:
        raise ValueError(f"compare: expected --seeds of at least 1, got {options.seeds}; 6 are the least that can tell")
    if options.jobs is not None and options.jobs < 1:
        raise ValueError(f"compare: expected --jobs of at least 1, got {options.jobs}")
    folder = Path(options.out).absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(
            f"compare: expected --out in a folder that exists, got {options.out!r}; make {str(folder)!r}"
        )
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
    source, title = _source(options)
    study = {"losses": options.losses, "data": source, "title": title, "model": options.model, "metric": options.metric}
    return [{**study, "corrupt": options.corrupt, "resume": options.resume, **common}]


def _source(options: Any) -> tuple[Any, str]:
    name = options.data or "diabetes"
    if name.endswith((".csv", ".csv.gz")) or os.sep in name:
        if not options.target:
            raise ValueError(
                f"compare: expected --target, the column of {name} to predict; --data {name} --target price"
            )
        return minigrad.data.read(
            name, target=options.target, drop=options.drop
        ), f"{Path(name).name}, {options.target}"
    if options.target:
        raise ValueError(f"compare: --target goes with a CSV file, got --data {name}; leave it out")
    return name, name.replace("_", " ").capitalize()


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


# --- losses -----------------------------------------------------------------------------------------------------------
def _losses(options: Any, console: Console) -> None:
    if options.name:
        head, *blocks = escaped(losses.get(options.name).describe()).split("\n\n")
        console.print("\n\n".join([head, *(_folded(block, console.width) for block in blocks)]), markup=False)
        return
    found = [losses.get(name) for name in losses.names()]
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    for column in ("loss", "pred ← target", "parameters", "from"):
        table.add_column(column, overflow="fold")
    for loss in found:
        parameters = ", ".join(f"{p.name}={_default(p.default)}" for p in loss.params.values())
        cells = [loss.full_name, f"{loss.pred} ← {loss.target}", parameters, _whose(loss)]
        table.add_row(*(Text(escaped(cell)) for cell in cells))
    console.print(table)
    for problem in losses.problems():
        message = f"broken  {escaped(problem.message).removesuffix(TAIL)}"
        console.print(textwrap.fill(message, console.width, subsequent_indent=" " * 8), markup=False)
    if (listed := os.environ.get("MINIGRAD_PLUGINS")) is not None:
        console.print(f"MINIGRAD_PLUGINS={escaped(repr(listed))}: other packs were left out", markup=False)


def _default(value: Any) -> str:
    return "fitted" if isinstance(value, fitted) else shown(value)[:20]


def _whose(loss: Any) -> str:
    """Where a loss is from, and what its bare name leads to if not to it."""
    path = Path(loss.owner.distribution)
    places = {"minigrad": "built in", "here": "this process"}
    source = places.get(loss.owner.pack, path.name if path.is_absolute() else str(loss.owner))
    try:
        other = losses.get(loss.name)
    except PluginError:
        return f"{source}\n{loss.name} alone is ambiguous"
    leads = "built in" if other.full_name == other.name else other.full_name
    return source if other.full_name == loss.full_name else f"{source}\n{loss.name} alone is {leads}"


def _folded(block: str, width: int) -> str:
    """A block of a docstring at the width of the terminal: running text is filled, other lines keep to themselves."""
    lines = block.splitlines()
    if not any(line.startswith((" ", ">>>")) for line in lines):
        return textwrap.fill(" ".join(lines), width)
    deep = [" " * (len(line) - len(line.lstrip()) + 4) for line in lines]
    return "\n".join(textwrap.fill(line, width, subsequent_indent=by) for line, by in zip(lines, deep))


# --- tutorials --------------------------------------------------------------------------------------------------------
INSTALLED, CHECKOUT = (Path(place, "tutorials") for place in (Path(__file__).parent, Path(__file__).parents[1]))


def _lessons() -> dict[str, Path]:
    """The lessons by number, wherever they are: in the package, or beside it in the repository."""
    folder = INSTALLED if INSTALLED.is_dir() else CHECKOUT
    return {path.name[:2]: path for path in sorted(folder.glob("[0-9][0-9]_*.py"))}


def _tutorial(options: Any, console: Console) -> None:
    lessons = _lessons()
    if options.action == "list":
        for number, path in lessons.items():
            title, _, question = path.read_text(encoding="utf-8").split('"""')[1].strip().splitlines()[:3]
            console.print(f"{number}  [bold]{escape(title)}[/bold]", soft_wrap=True)
            console.print(f"    {escape(question.removeprefix('Question: '))}", soft_wrap=True)
        return
    number = (options.number or "").zfill(2)
    if number not in lessons:
        got = repr(options.number) if options.number else "none"
        raise ValueError(f"tutorial: expected the number of a lesson, {', '.join(lessons)}, got {got}; see the list")
    (_run_lesson if options.action == "run" else _copy_lesson)(lessons[number], options, console)


def _copy_lesson(lesson: Path, options: Any, console: Console) -> None:
    target = Path.cwd() / lesson.name
    if target.exists():
        raise FileExistsError(f"tutorial: {target.name} exists here already; remove or rename it")
    shutil.copyfile(lesson, target)
    console.print(f"Copied: {escape(target.name)}. Run it with: python {escape(target.name)}")


def _run_lesson(lesson: Path, options: Any, console: Console) -> None:
    """Python becomes the lesson: it owns the terminal, and its exit status is ours."""
    said = {"--rng": options.rng, "--out": options.out}
    more = [part for key, value in said.items() if value is not None for part in (key, str(value))]
    path = [] if INSTALLED.is_dir() else [str(CHECKOUT.parent)]  # a checkout may be run without being installed
    search = os.pathsep.join([*path, *filter(None, [os.environ.get("PYTHONPATH")])])
    arguments = [sys.executable, str(lesson), *more]
    os.execve(sys.executable, arguments, {**os.environ, **({"PYTHONPATH": search} if search else {})})


if __name__ == "__main__":
    sys.exit(main())
