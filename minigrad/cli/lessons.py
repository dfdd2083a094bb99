"""The command `minigrad tutorial`: list the lessons, run one, or copy one to work on."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

INSTALLED, CHECKOUT = (Path(place, "tutorials") for place in (Path(__file__).parents[1], Path(__file__).parents[2]))


def add_command(commands: Any, command: Callable[..., Any]) -> None:
    """Add it to a command line; `command` makes one of (commands, name, what runs it, help)."""
    lessons = command(commands, "tutorial", _tutorial, "list the lessons, run one, or copy one to work on")
    lessons.add_argument("action", nargs="?", choices=("list", "run", "copy"), default="list")
    lessons.add_argument("number", nargs="?", help="of the lesson, such as 01")
    lessons.add_argument("--rng", type=int, metavar="N", help="run: with other data and other initial weights (0)")
    lessons.add_argument("--out", metavar="DIR", help="run: write figures and numbers there, show and ask nothing")


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
