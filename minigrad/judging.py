"""Judging: what to say about an answer to a question, from nothing but the question as data.

A question is a dict that JSON can hold: the truth, the typical mistakes with what to say to each, and the factors by
which one can be wrong. So an answer can be judged long after the lesson that asked.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

AVERAGED = {"n": "a sum or a mean over samples?", "K": "a sum or a mean over classes?"}
DRAWS = 64  # inputs on which two functions are compared
CLOSE = 0.02  # how near an answer must be to a general mistake
ZERO = 1e-3  # where the truth is 0 alone, what counts as 0 is `tol` of this


@dataclass(frozen=True)
class Verdict:
    """What is said about an answer: `mark` is "right", "wrong" or "open"."""

    mark: str
    text: str


# --- a question as data -----------------------------------------------------------------------------------------------
def recorded(
    truth: Any, tol: float, wrong: list[tuple[Any, ...]], factors: dict[str, int], choices: list[str],
    inputs: Callable[[np.random.Generator], tuple[Any, ...]] | None, look: str,
) -> dict[str, Any]:  # fmt: skip
    """A question as data. Of a function it holds the values at fixed inputs, so that it can be written down."""
    record: dict[str, Any] = {"kind": "choice" if choices else "function" if callable(truth) else "number"}
    if callable(truth):
        generator = np.random.default_rng(0)
        make = inputs or (lambda random: tuple(random.uniform(size=len(inspect.signature(truth).parameters))))
        record["inputs"] = [plain(make(generator)) for _ in range(DRAWS)]

    def value(answer: Any) -> Any:
        return answer if choices else plain(_values(record, answer))

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
        return Verdict("open", f"not judged: expected {_expected(record, truth)}, got {short(answer)}")
    if _near(given, truth, record["tol"]):
        return Verdict("right", "right")
    for value, message, tol in record["wrong"]:
        if _near(given, np.asarray(value, float), tol):
            return Verdict("wrong", message)
    return Verdict("wrong", _diagnosis(given, truth, record))


def _judge_choice(record: Mapping[str, Any], answer: Any) -> Verdict:
    if not isinstance(answer, str) or answer not in record["choices"]:
        return Verdict("open", f"not judged: expected one of {', '.join(record['choices'])}, got {short(answer)}")
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
    close = min(record["tol"], CLOSE)  # where much counts as right, little may count as a mistake of one kind
    found = [(text, value) for text, value in readings if _near(given, value, close)]
    if found:
        return " · or ".join(text for text, value in found if _near(value, found[0][1], 1e-9))
    if _near(given, truth, 3 * close):
        return "almost: rounding? carry one more digit"
    return f"not near; look at {record['look']}"


def _readings(truth: Any, factors: Mapping[str, int]) -> list[tuple[str, Any]]:
    """Ways to be wrong, in the order in which they are tried: what to say, and the answer that it would lead to."""

    def scaled(factor: float, more: str, less: str, why: str) -> list[tuple[str, Any]]:
        return [(f"{more} the truth: {why}", truth * factor), (f"{less} the truth: {why}", truth / factor)]

    log = "another base? the logarithm here is ln"
    counts = [scaled(size, f"{key} = {size} times", f"1/{key} of", AVERAGED[key]) for key, size in factors.items()]
    return [
        *scaled(2, "twice", "half", "look for a factor 2 or ½ (mse is r² here, so its slope is 2r)"),
        ("the other sign: a residual is pred − target", -truth),
        *(reading for pair in counts for reading in pair),
        *scaled(100, "100 times", "1/100 of", "percent?"),
        ("the inverse: what stands above the line, what below?", 1 / truth),
        *scaled(math.log(2), "ln 2 times", "1/ln 2 of", log),
        *scaled(math.log(10), "ln 10 times", "1/ln 10 of", log),
        ("the square of the truth", truth**2),
        ("the square root of the truth", np.sqrt(truth)),
    ]


# --- a question whose answer is of the reader's own making ------------------------------------------------------------
def judge_by(by: Callable[[Any], str], answer: Any) -> Verdict:
    """What a judge says to an answer; "" from it means that nothing is wrong."""
    if answer is ...:
        return Verdict("open", "open: replace ... by your answer")
    try:
        text = by(answer)
    except Exception as error:  # whatever a reader has made, the lesson goes on
        return Verdict("open", f"not judged: {type(error).__name__}: {error}")
    return Verdict("wrong", text) if text else Verdict("right", "right")


def judged_by(by: Callable[[Any], str], truth: Any, wrong: list[tuple[Any, ...]]) -> dict[str, Any]:
    """Such a question as data: what its judge says to an answer that is right, and to each that is wrong."""
    said = [[judge_by(by, answer).text, message] for answer, message, *_ in wrong]
    return {"kind": "own", "truth": judge_by(by, truth).text, "wrong": said}


# --- values -----------------------------------------------------------------------------------------------------------
def short(value: Any) -> str:
    """A value in few letters."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return str(value)
    if isinstance(value, (float, np.floating)):
        return f"{value:.0f}" if 1e3 <= abs(float(value)) < 1e6 else f"{value:.4g}"
    if callable(value):
        return "your function"
    if isinstance(value, np.ndarray):
        return short(value.tolist())
    if isinstance(value, (list, tuple)):
        return f"({', '.join(map(short, value))})" if len(value) <= 4 else f"{len(value)} values"
    return f"{value!r:.40}"


def plain(value: Any) -> Any:
    """Numbers and nested lists of numbers, as JSON knows them."""
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
