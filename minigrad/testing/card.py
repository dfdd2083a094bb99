"""The card of a loss: what it is, measured, one line for each question, and whether it is right."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from minigrad.losses.names import escaped

RIGHT, WRONG, APART = "✓", "✗", "–"
WIDTH = 80
NAME, TEXT, NOTE = 16, 38, 22  # columns: 2 + NAME + TEXT + 1 + mark + 1 + NOTE = WIDTH


@dataclass(frozen=True)
class Row:
    """One line of a card.

    Attributes:
        name: the question.
        mark: ✓ measured, ✗ a fault or a claim that does not hold, – does not apply.
        text: the answer; of ✗ the counterexample, of – the reason.
        note: "measured and claimed" or "measured"; of ✗ the diagnosis, if two numbers that should agree have a telling
            ratio.
        measured: the numbers behind the text, by name.
    """

    name: str
    mark: str
    text: str
    note: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """The line as plain numbers and texts."""
        line = {"name": self.name, "mark": self.mark, "text": self.text, "note": self.note}
        return {**line, "measured": {key: plain(value) for key, value in self.measured.items()}}

    def __str__(self) -> str:
        texts = textwrap.wrap(visible(self.text), TEXT) or [""]
        notes = textwrap.wrap(visible(self.note), NOTE) or [""]
        first = f"  {self.name:<{NAME}}{texts[0]:<{TEXT}} {self.mark} {notes[0]}".rstrip()
        more = range(1, max(len(texts), len(notes)))
        cells = [(texts[i] if i < len(texts) else "", notes[i] if i < len(notes) else "") for i in more]
        return "\n".join([first, *(f"{'':{NAME + 2}}{text:<{TEXT}}   {note}".rstrip() for text, note in cells)])


def right(name: str, text: str, *, claimed: bool = False, **measured: Any) -> Row:
    """A line that was measured and is in order."""
    return Row(name, RIGHT, text, "measured and claimed" if claimed else "measured", _own(measured))


def wrong(name: str, text: str, note: str = "", **measured: Any) -> Row:
    """A line with a fault, or with a claim that does not hold."""
    return Row(name, WRONG, text, note, _own(measured))


def _own(measured: dict[str, Any]) -> dict[str, Any]:
    """Numbers as Python's own, so that records can be compared."""
    return {key: value.tolist() if hasattr(value, "tolist") else value for key, value in measured.items()}


def apart(name: str, reason: str) -> Row:
    """A line that does not apply."""
    return Row(name, APART, reason)


@dataclass(frozen=True)
class Curve:
    """The loss along one line through its predictions, for one target: what a card draws.

    Attributes:
        axis: what x is, such as "r" or "z".
        label: which target, and what else is held.
        x: places.
        value: the loss there.
        gradient: its derivative along x.
    """

    axis: str
    label: str
    x: tuple[float, ...]
    value: tuple[float, ...]
    gradient: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """The curve as plain lists."""
        return {"axis": self.axis, "label": self.label} | {
            key: [plain(v) for v in getattr(self, key)] for key in ("x", "value", "gradient")
        }


@dataclass(frozen=True)
class Card:
    """What a loss is, measured. Made by `check_loss`; `str` prints it, `figures.card` draws it.

    Attributes:
        loss: the loss with all its parameters.
        owner: who offers it, and in which version.
        pred: the kind of prediction.
        target: the kind of target.
        formula: its formula and slope, as its docstring says them.
        rows: the lines.
        curves: the loss along its cuts, for figures; empty where the samples of a batch depend on each other.
    """

    loss: str
    owner: str
    pred: str
    target: str
    formula: str
    rows: tuple[Row, ...]
    curves: tuple[Curve, ...] = field(repr=False, default=())

    @property
    def ok(self) -> bool:
        """Whether no line is ✗."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the lines that are ✗."""
        return tuple(row.name for row in self.rows if row.mark == WRONG)

    def __getitem__(self, name: str) -> Row:
        """The line of a name."""
        found = {row.name: row for row in self.rows}
        if name not in found:
            raise KeyError(f"no line {name!r}; there are {', '.join(found)}")
        return found[name]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the line on time, ready for JSON: infinities and NaN are texts."""
        words = {key: getattr(self, key) for key in ("loss", "owner", "pred", "target", "formula")}
        rows = [row.to_dict() for row in self.rows if row.name != "cost"]
        curves = [curve.to_dict() for curve in self.curves]
        return {**words, "ok": self.ok, "failed": list(self.failed), "rows": rows, "curves": curves}

    def __str__(self) -> str:
        counts = "   ".join(f"{sum(row.mark == mark for row in self.rows)} {mark}" for mark in (RIGHT, WRONG, APART))
        name = visible(self.loss)
        room = WIDTH - len(counts) - 2
        if len(name) > room:
            name = name[: room - 1] + "…"
        about = f"  {self.pred} ← {self.target}   {visible(self.owner)}"
        formula = textwrap.wrap(visible(self.formula), WIDTH - 2)[:3]
        head = [f"{name:<{room}}  {counts}", about[:WIDTH], *(f"  {line}" for line in formula)]
        return "\n".join([*head, *map(str, self.rows)])

    __repr__ = __str__


def visible(text: str) -> str:
    """Text from files and plugins, with control characters made visible."""
    return escaped("".join(" " if c.isspace() else c for c in text))


def plain(value: Any) -> Any:
    """A value as JSON has it: Python numbers, lists and texts."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value
