"""What the tutorials are made of: guess first (`predict`), measure (`fact`, `show`), then be asked (`check`).

A script that uses these runs in a terminal, cell by cell in a notebook, and unattended: with `--out DIR` everything
that is measured, asked and drawn is written there, and nothing waits for an answer. `--rng N` sets the run's integer.
"""

from __future__ import annotations

import argparse
import inspect
import json
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

MARKS = {"asked": "?", "measured": "=", "right": "✓", "wrong": "✗", "open": "·"}
ASCII = {"asked": "?", "measured": "=", "right": "+", "wrong": "-", "open": "."}
SILENT = ("agg", "cairo", "pdf", "pgf", "ps", "svg", "template")  # backends of matplotlib that show nothing to anybody
AVERAGED = {"n": "a sum or a mean over samples?", "K": "a sum or a mean over classes?"}
ZERO = 1e-3  # where the truth is 0 alone, what counts as 0 is `tol` of this
DRAWS = 64  # inputs on which two functions are compared


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
    _say("asked", name, question, "" if said is None else f"you: {_short(said)}")
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
    plain = _jsonable(value)
    run.facts[name] = plain
    run.write("facts")
    text, guess = _spaced(sentence.format(value=plain)), run.guesses.get(name)
    _say("measured", name, _short(plain), text, "" if guess is None else f"you said {_as_in(sentence, guess)}")


def _as_in(sentence: str, guess: Any) -> str:
    """A guess in the form in which the sentence shows the truth: "10 %" beside {value:.0%}."""
    form = re.search(r"{value(:[^}]*)}", sentence)
    try:
        return _spaced(f"{{{form[1]}}}".format(guess)) if form else _short(guess)
    except (ValueError, TypeError):
        return _short(guess)


def _spaced(text: str) -> str:
    return re.sub(r"(?<=\d)%", " %", text)


def show(fig: Any, name: str) -> None:
    """Save a figure below `--out` as PNG and SVG, or else show it, once; then close it."""
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


# --- a question -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Verdict:
    """What is said about an answer: `mark` is "right", "wrong" or "open"."""

    mark: str
    text: str


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

    Returns:
        The verdict, which was also printed.
    """
    mistakes = [(*pair, tol)[:3] for pair in (wrong.items() if isinstance(wrong, Mapping) else wrong)]
    record = _record(truth, tol, mistakes, dict(factors or {}), list(choices or ()), inputs, look)
    run = _run()
    run.checks[name] = {"name": name, **record}
    run.write("checks")
    verdict = judge(record, answer)
    _say(verdict.mark, name, "" if answer is ... else _short(answer), verdict.text)
    return verdict


def _record(
    truth: Any, tol: float, wrong: list[tuple[Any, ...]], factors: dict[str, int], choices: list[str],
    inputs: Callable[[np.random.Generator], tuple[Any, ...]] | None, look: str,
) -> dict[str, Any]:  # fmt: skip
    """A question as data. Of a function it holds the values at fixed inputs, so that it can be written down."""
    record: dict[str, Any] = {"kind": "choice" if choices else "function" if callable(truth) else "number"}
    if callable(truth):
        generator = np.random.default_rng(0)
        make = inputs or (lambda random: tuple(random.uniform(size=len(inspect.signature(truth).parameters))))
        record["inputs"] = [_jsonable(make(generator)) for _ in range(DRAWS)]

    def value(answer: Any) -> Any:
        return answer if choices else _jsonable(_values(record, answer))

    record |= {"truth": value(truth), "wrong": [[value(answer), *more] for answer, *more in wrong]}
    return {**record, "tol": tol, "factors": factors, "choices": choices, "look": look}


def judge(record: Mapping[str, Any], answer: Any) -> Verdict:
    """What to say about an answer to a recorded question; it depends on nothing else.

    Args:
        record: an entry of `checks.json`.
        answer: the reader's; for a function also its values at the record's inputs.
    """
    if answer is ...:
        options = f", one of: {', '.join(record['choices'])}" if record["choices"] else ""
        return Verdict("open", f"open: replace ... by your answer{options}")
    if record["kind"] == "choice":
        return _judge_choice(record, answer)
    truth = np.asarray(record["truth"], float)
    given = _values(record, answer)
    if given is None or given.dtype.kind not in "iufb" or given.shape != truth.shape or not np.isfinite(given).all():
        return Verdict("open", f"not judged: expected {_expected(record, truth)}, got {_short(answer)}")
    if _near(given, truth, record["tol"]):
        return Verdict("right", "right")
    for value, message, tol in record["wrong"]:
        if _near(given, np.asarray(value, float), tol):
            return Verdict("wrong", message)
    return Verdict("wrong", _diagnosis(given, truth, record))


def _judge_choice(record: Mapping[str, Any], answer: Any) -> Verdict:
    if not isinstance(answer, str) or answer not in record["choices"]:
        return Verdict("open", f"not judged: expected one of {', '.join(record['choices'])}, got {_short(answer)}")
    if answer == record["truth"]:
        return Verdict("right", "right")
    said = {value: message for value, message, _ in record["wrong"]}
    return Verdict("wrong", said.get(answer, f"no; look at {record['look']}"))


def _values(record: Mapping[str, Any], answer: Any) -> Any:
    """An answer as an array of numbers; of a function the values at the record's inputs; None if it is neither."""
    try:
        if callable(answer):
            answer = [answer(*map(_unlisted, arguments)) for arguments in record.get("inputs", ())]
        return None if answer is None else np.asarray(answer)
    except Exception:  # whatever a reader's function does, the lesson goes on
        return None


def _unlisted(argument: Any) -> Any:
    return np.asarray(argument) if isinstance(argument, list) else argument


def _expected(record: Mapping[str, Any], truth: Any) -> str:
    if record["kind"] == "function":
        return f"a function of {len(record['inputs'][0])} numbers with finite values"
    return f"numbers of shape {truth.shape}" if truth.shape else "a number"


def _near(given: Any, truth: Any, tol: float) -> bool:
    """Whether every entry is right within `tol`, relative to it, or to the largest where it is 0."""
    size = np.abs(truth)
    size = np.where(size == 0, size.max() or ZERO, size)
    return bool(np.all(np.abs(given - truth) <= (tol + 1e-12) * size))


def _diagnosis(given: Any, truth: Any, record: Mapping[str, Any]) -> str:
    """The first reading that explains the answer, and any other that would explain it in the same way."""
    with np.errstate(all="ignore"):
        readings = [(text, value) for text, value in _readings(truth, record["factors"]) if np.isfinite(value).all()]
    found = [(text, value) for text, value in readings if _near(given, value, record["tol"])]
    if found:
        return " · or ".join(text for text, value in found if _near(value, found[0][1], 1e-9))
    if _near(given, truth, 3 * record["tol"]):
        return "almost: rounding? carry one more digit"
    return f"not near; look at {record['look']}"


def _readings(truth: Any, factors: Mapping[str, int]) -> list[tuple[str, Any]]:
    """Ways to be wrong, in the order in which they are tried: what to say, and the answer that it would lead to."""

    def scaled(factor: float, more: str, less: str, why: str) -> list[tuple[str, Any]]:
        return [(f"{more} the truth: {why}", truth * factor), (f"{less} the truth: {why}", truth / factor)]

    log = "another base? the logarithm here is ln"
    counts = [scaled(size, f"{key} = {size} times", f"1/{key} of", AVERAGED[key]) for key, size in factors.items()]
    return [
        *scaled(2, "twice", "half", "mse is r² here, so its slope is 2r; look for a factor ½"),
        ("the other sign: a residual is pred − target", -truth),
        *(reading for pair in counts for reading in pair),
        *scaled(100, "100 times", "1/100 of", "percent?"),
        ("the inverse: what stands above the line, what below?", 1 / truth),
        *scaled(math.log(2), "ln 2 times", "1/ln 2 of", log),
        *scaled(math.log(10), "ln 10 times", "1/ln 10 of", log),
        ("the square of the truth", truth**2),
        ("the square root of the truth", np.sqrt(truth)),
    ]


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


def _short(value: Any) -> str:
    """A value in few letters."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return str(value)
    if isinstance(value, (float, np.floating)):
        return f"{value:.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.4g}"
    if callable(value):
        return "your function"
    if isinstance(value, np.ndarray):
        return _short(value.tolist())
    if isinstance(value, (list, tuple)):
        return f"({', '.join(map(_short, value))})" if len(value) <= 4 else f"{len(value)} values"
    return f"{value!r:.40}"


def _jsonable(value: Any) -> Any:
    """Numbers and nested lists of numbers, as JSON knows them."""
    if isinstance(value, (list, tuple)):
        return [_jsonable(part) for part in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
