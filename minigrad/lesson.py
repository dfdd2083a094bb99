"""What the tutorials are made of: guess first (`predict`), measure (`fact`, `show`), then be asked (`check`).

A script that uses these runs in a terminal, cell by cell in a notebook, and unattended: with `--out DIR` everything
that is measured, asked and drawn is written there, and nothing waits for an answer. `--rng N` sets the run's integer.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from minigrad.judging import Verdict, judge, judge_by, judged_by, plain, recorded, short

__all__ = ["Verdict", "check", "fact", "judge", "predict", "rng", "show"]

MARKS = {"asked": "?", "measured": "=", "right": "✓", "wrong": "✗", "open": "·"}
ASCII = {"asked": "?", "measured": "=", "right": "+", "wrong": "-", "open": "."}
SILENT = ("agg", "cairo", "pdf", "pgf", "ps", "svg", "template")  # backends of matplotlib that show nothing to anybody


# --- the run ----------------------------------------------------------------------------------------------------------
@dataclass
class _Run:
    """One run of a script: what it was started with, and what it has said so far."""

    rng: int
    out: Path | None
    guesses: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    checks: dict[str, Any] = field(default_factory=dict)
    alt: dict[str, str] = field(default_factory=dict)

    def write(self, name: str) -> None:
        """Write one of the three records below `--out`, whole, after each entry: a script that stops loses nothing."""
        if self.out is not None:
            text = json.dumps(getattr(self, name), indent=1, ensure_ascii=False)
            (self.out / f"{name}.json").write_text(text + "\n", encoding="utf-8")


@cache
def _run() -> _Run:
    """The run of this process, made when it is first asked for."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--rng", type=int, default=0)
    parser.add_argument("--out", type=Path, default=None)
    said, _ = parser.parse_known_args()  # a notebook kernel has arguments of its own
    if said.out is not None:
        said.out.mkdir(parents=True, exist_ok=True)
    if not _encodes(MARKS) and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a letter that this terminal lacks must not end a lesson
    return _Run(said.rng, said.out)


def rng() -> int:
    """The run's integer: what follows `--rng` on the command line, or 0."""
    return _run().rng


# --- a guess ----------------------------------------------------------------------------------------------------------
def predict(name: str, guess: Any, question: str) -> Any:
    """Ask for a guess before the measurement of the same name.

    Args:
        name: of the fact that will answer the question.
        guess: the reader's, or `...`: then a reader at a terminal is asked, and Enter skips.
        question: what to guess.

    Returns:
        The guess, or None.
    """
    run = _run()
    said = None if guess is ... else guess
    _say("asked", name, question, "" if said is None else f"you: {short(said)}")
    if guess is ... and run.out is None and sys.stdin.isatty() and sys.stdout.isatty():
        said = _ask()
    run.guesses[name] = said
    return said


def _ask() -> float | None:
    try:
        text = input("  your guess (Enter to skip): ").strip()
    except EOFError:
        return None
    number = _number(text)
    if text and number is None:
        print("  that is no number; the lesson goes on without a guess")
    return number


def _number(text: str) -> float | None:
    """A number as people write it: 0.1, 10 %, 1/10."""
    found = re.fullmatch(r"([-+.\de]+)\s*(?:/\s*([-+.\de]+)|(%))?", text.replace(",", "."), re.IGNORECASE)
    try:
        over = 1.0 if found is None else 100.0 if found[3] else float(found[2] or 1)
        return None if found is None else float(found[1]) / over
    except (ValueError, ZeroDivisionError):
        return None


# --- a measurement ----------------------------------------------------------------------------------------------------
def fact(name: str, value: Any, sentence: str) -> None:
    """Print and record a number that was measured in this run, beside the guess of the same name.

    Args:
        name: under which it is recorded.
        value: a number, a bool, or an array of numbers.
        sentence: what it says, with the number in it: "owns {value:.0%} of the gradient".
    """
    run = _run()
    run.facts[name] = measured = plain(value)
    run.write("facts")
    text, guess = _spaced(sentence.format(value=measured)), run.guesses.get(name)
    _say("measured", name, short(measured), text, "" if guess is None else f"you said {_as_in(sentence, guess)}")


def _as_in(sentence: str, guess: Any) -> str:
    """A guess in the form in which the sentence shows the truth: "10 %" beside {value:.0%}."""
    form = re.search(r"{value(:[^}]*)}", sentence)
    try:
        return _spaced(f"{{{form[1]}}}".format(guess)) if form else short(guess)
    except (ValueError, TypeError):
        return short(guess)


def _spaced(text: str) -> str:
    return re.sub(r"(?<=\d)%", " %", text)


def show(fig: Any, name: str) -> None:
    """Save a figure below `--out` as PNG and SVG, or else show it, once; then close it.

    A page, as `explain.explore` makes it, is saved as HTML: below `--out`, or else in a temporary folder that is named.
    """
    if hasattr(fig, "html"):
        _show_page(fig, name)
        return
    from matplotlib import get_backend, pyplot

    from minigrad import figures

    run = _run()
    if run.out is not None:
        run.alt[name] = figures.alt(fig)
        run.write("alt")
        for ending in ("png", "svg"):
            fig.savefig(run.out / f"{name}.{ending}")
    elif get_backend().lower() not in SILENT:
        if fig.canvas.manager is None:
            made: Any = lambda *_, **__: fig  # noqa: E731 – pyplot shows what it has made, so let it make this one
            pyplot.figure(FigureClass=made)
        pyplot.show()
    pyplot.close(fig)


def _show_page(page: Any, name: str) -> None:
    run = _run()
    path = (run.out or Path(mkdtemp(prefix="minigrad-"))) / f"{name}.html"
    path.write_text(page.html, encoding="utf-8")
    print(page, *([] if run.out else [f"Open it in a browser: {path.as_uri()}"]), sep="\n")


# --- a question -------------------------------------------------------------------------------------------------------
def check(
    name: str,
    answer: Any,
    truth: Any,
    tol: float = 0.02,
    *,
    wrong: Mapping[Any, str] | Sequence[tuple[Any, ...]] = (),
    factors: Mapping[str, int] | None = None,
    choices: Sequence[str] | None = None,
    inputs: Callable[[np.random.Generator], tuple[Any, ...]] | None = None,
    look: str = "the figures",
    by: Callable[[Any], str] | None = None,
) -> Verdict:
    """Compare the reader's answer with what was computed in this run; say what a wrong one has mistaken.

    Args:
        name: of the question.
        answer: the reader's, or `...` as long as the question is open.
        truth: a number, an array, a function of numbers, or one of `choices`. It is never printed.
        tol: the largest relative error that counts as right.
        wrong: typical wrong answers, each with what to say to it: {answer: text}, or (answer, text) pairs, or
            (answer, text, tol) where another relative error than `tol` is meant.
        factors: `n` samples and `K` classes, where a factor of that size would be a mistake over sum and mean.
        choices: the possible answers, if the question is a choice.
        inputs: makes the arguments with which two functions are compared; numbers between 0 and 1 unless given.
        look: where to look when nothing explains the answer.
        by: judges an answer of the reader's own making: returns what is wrong with it, or "". `truth` is then one
            answer that is right, and each text in `wrong` is part of what is said to that answer.

    Returns:
        The verdict, which was also printed.
    """
    run, mistakes = _run(), [(*pair, tol)[:3] for pair in (wrong.items() if isinstance(wrong, Mapping) else wrong)]
    if by is None:
        record = recorded(truth, tol, mistakes, dict(factors or {}), list(choices or ()), inputs, look)
        verdict = judge(record, answer)
    else:
        record = judged_by(by, truth, mistakes) if run.out is not None else {}
        verdict = judge_by(by, answer)
    run.checks[name] = {"name": name, **record}
    run.write("checks")
    _say(verdict.mark, name, "" if answer is ... else short(answer), verdict.text)
    return verdict


# --- printing ---------------------------------------------------------------------------------------------------------
def _say(mark: str, name: str, *parts: str) -> None:
    table = MARKS if _encodes(MARKS) else ASCII
    print(f"{table[mark]} {name:<12}", *[part for part in parts if part], sep="  ")


def _encodes(marks: Mapping[str, str]) -> bool:
    try:
        "".join(marks.values()).encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
