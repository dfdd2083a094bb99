"""What a figure says: every number in a title, a note or the alternative text is written and recorded by `say`."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import SubFigure
from matplotlib.font_manager import FontProperties, findfont, get_font


def say(where: Any, template: str, /, *, alt: bool = True, **values: Any) -> str:
    """Format a sentence, and record its numbers with the figure of these axes: `say(ax, "{share:.0%}", share=…)`.

    Args:
        where: axes, or a figure.
        template: the sentence, with fields for its numbers.
        alt: whether the alternative text says it too; a number in a cell need not be read aloud.
        **values: the numbers, by name.
    """
    record = record_of(where)
    record["numbers"].update({key: plain(value) for key, value in values.items()})
    sentence = template.format(**values)
    record["said" if alt else "written"].append(sentence)
    return sentence


def inscribed(where: Any, text: str) -> str:
    """The same text, recorded as one that the alternative text leaves out: a number in a cell, a name in a box."""
    return say(where, text.replace("{", "{{").replace("}", "}}"), alt=False)


def note(where: Any, **values: Any) -> None:
    """Record numbers that are plotted and not said."""
    record_of(where)["numbers"].update({key: plain(value) for key, value in values.items()})


def numbers(fig: Any) -> dict[str, Any]:
    """Everything that was plotted and said, by name."""
    return dict(record_of(fig)["numbers"])


def alt(fig: Any) -> str:
    """The alternative text: what is drawn, and what it shows, with the numbers."""
    sentences = (" ".join(sentence.split()).rstrip(".") for sentence in record_of(fig)["said"])
    return " ".join(f"{sentence}." for sentence in sentences)


def described(where: Any, template: str, **values: Any) -> None:
    """Say for the alternative text alone what kind of picture this is; it comes first."""
    said = record_of(where)["said"]
    say(where, template, **values)
    said.insert(0, said.pop())


def record_of(where: Any) -> dict[str, Any]:
    """What is recorded with the figure of these axes."""
    fig = where.figure if hasattr(where, "transAxes") else where
    while isinstance(fig, SubFigure):
        fig = fig.figure
    if not hasattr(fig, "_minigrad"):
        fig._minigrad = {"numbers": {}, "said": [], "written": [], "titles": [], "headlines": []}
    record: dict[str, Any] = fig._minigrad
    return record


def plain(value: Any) -> Any:
    """Arrays and tuples as lists, numbers of NumPy as Python's."""
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


# --- how long a text is -----------------------------------------------------------------------------------------------
def width_of(text: str, size: float) -> float:
    """Width of a line in points."""
    font = get_font(findfont(FontProperties()))
    font.set_size(size, 72)
    font.set_text(text, 0.0)
    return font.get_width_height()[0] / 64  # FreeType counts in 64ths


def wrapped(text: str, width: float, size: float) -> str:
    """The text in lines of at most so many points."""
    lines: list[str] = []
    for word in text.split(" "):  # not at a space that holds together
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def short(name: Any, letters: int = 18) -> str:
    """A name of at most so many letters: its beginning and its end."""
    text = str(name)
    tail = letters // 3
    return text if len(text) <= letters else f"{text[: letters - tail - 1]}…{text[-tail:]}"


def together(*parts: str) -> str:
    """Words that stay on one line."""
    return "\u00a0".join(part.replace(" ", "\u00a0") for part in parts)


def number(value: float) -> str:
    """A number in few letters, with a real minus: 0.797, −0.153, 12.3, 1.2e9."""
    if value != value or value == 0:
        return "0" if value == 0 else "–"
    size = abs(value)
    if size >= 9999.5 or 0 < size < 0.000995:
        text = f"{value:.2g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")
    else:
        text = f"{value:.3f}" if size < 9.995 else f"{value:.1f}" if size < 999.5 else f"{value:.0f}"
    return text.replace("-", "−")
