"""The card of a loss as a picture: value, gradient and influence, and the list of what was measured."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.figures.curves import brief
from minigrad.figures.palette import DASHED, DOTTED, GREEN, GREY, INK, SOLID, VERMILLION, colour, style
from minigrad.figures.parts import POINTS, canvas, headline, sizes_axis, title, whole
from minigrad.figures.saying import described, inscribed, note, say, short, together

if TYPE_CHECKING:
    from minigrad.testing import Card

LINES = (SOLID, DASHED, DOTTED)
KEYS = ("──", "- -", "····")
LETTERS, LETTER, LINE = 50, 4.5, 11.5  # of a line in the list: at most so many; points for each letter, and each line
MARK, NAME = 13, 74  # points for the columns of the list
Line = tuple[str, str, str]
MARKS = {"✓": GREEN, "✗": VERMILLION, "–": GREY}


def card(record: Card, *, fig: Any = None) -> Any:
    """What a loss is: value, gradient and influence along its predictions, and beside them every line of its card.

    Args:
        record: what `check_loss` returned.
        fig: a figure to draw into, or a new one.
    """
    with style():
        needed = sum(len(_lines(row, LETTERS)) for row in record.rows)
        fig = canvas(fig, 12.5 if record.curves else 6.0, max(3.8, 1.1 + 0.162 * needed))
        wide, tall = (side * POINTS / whole(fig).dpi for side in (fig.bbox.width, fig.bbox.height))
        letters = int(((0.37 if record.curves else 0.9) * wide - MARK - NAME) / LETTER)
        lines = _fitting(record.rows, max(min(letters, LETTERS), 12), int((tall - POINTS) / LINE))
        counts = {mark: sum(row.mark == mark for row in record.rows) for mark in MARKS}
        described(fig, "The card of {loss} with {n} lines", loss=record.loss, n=len(record.rows))
        headline(fig, "{loss}   {right} ✓   {wrong} ✗   {apart} –", loss=short(record.loss, 60), right=counts["✓"],
                 wrong=counts["✗"], apart=counts["–"])  # fmt: skip
        panels = 4 if record.curves else 1
        axes = fig.subplots(1, panels, width_ratios=(1, 1, 1, 2.2)[-panels:], squeeze=False)[0]
        if record.curves:
            _curves(axes, record)
        _list(axes[-1], lines, len(record.rows))
        for row in record.rows:
            if row.mark == "✗":
                say(fig, "✗ {name}: {text} ({note})", name=row.name, text=row.text, note=row.note)
        note(fig, failed=list(record.failed), marks={row.name: row.mark for row in record.rows})
        return fig


def _curves(axes: Any, record: Card) -> None:
    """The curves of the first axis, one line style for each target."""
    curves = _distinct([curve for curve in record.curves if curve.axis == record.curves[0].axis])[: len(LINES)]
    hue, name = colour(record.loss)[0], curves[0].axis
    for curve, line in zip(curves, LINES, strict=False):
        x, value, slope = (np.array(part) for part in (curve.x, curve.value, curve.gradient))
        axes[0].plot(x, value, color=hue, ls=line, label=curve.label)
        axes[1].plot(x, slope, color=hue, ls=line, label=curve.label)
        size = _influence(name, x, slope)
        axes[2].plot(x, np.where(size > 0, size, np.nan), color=hue, ls=line, label=curve.label)
        note(axes[0], **{f"value, {curve.label}": value, f"gradient, {curve.label}": slope})
    loud = np.concatenate([_influence(name, np.array(c.x), np.array(c.gradient)) for c in curves])
    residual = name == "r"
    sizes_axis(axes[2], "y", "(∂ℓ/∂r)/r, gradient size per unit" if residual else f"|∂ℓ/∂{name}|, gradient size",
               np.clip(loud, np.nanmax(loud) / 1e6, None) if np.nanmax(loud) > 0 else loud)  # fmt: skip
    for ax, label in zip(axes, (f"ℓ({name})", f"∂ℓ/∂{name}"), strict=False):
        ax.set_ylabel(label)
    for ax in axes[:3]:
        ax.set_xlabel(name)
    _titles(axes, curves)


def _influence(name: str, x: Any, slope: Any) -> Any:
    """How loud a place is: for a residual for each unit of it."""
    with np.errstate(all="ignore"):
        return np.where(x == 0, np.nan, slope / x) if name == "r" else np.abs(slope)


def _distinct(curves: list[Any]) -> list[Any]:
    """The curves without those that coincide with an earlier one."""
    found: list[Any] = []
    for curve in curves:
        if not any(other.x == curve.x and np.allclose(other.value, curve.value, rtol=1e-9) for other in found):
            found.append(curve)
    return found


def _titles(axes: Any, curves: Any) -> None:
    first = curves[0]
    low, least = min(zip(first.value, first.x, strict=True), key=lambda pair: pair[0])
    title(axes[0], "Least {low} at {x}", low=brief(low), x=brief(least))
    title(axes[1], "Slope {left} to {right}", left=brief(first.gradient[0]), right=brief(first.gradient[-1]))
    said = ", ".join(together(mark, curve.label or "any") for mark, curve in zip(KEYS, curves, strict=False))
    alone = len(curves) == 1
    title(axes[2], "1 curve beside every target" if alone else "{n} targets: {said}", n=len(curves), said=said)


def _lines(row: Any, letters: int) -> list[Line]:
    """(mark, name, text) of one line of a card, broken where it is long; a fault with its diagnosis."""
    text = f"{row.text} ({row.note})" if row.note and row.mark == "✗" else row.text
    text = text or ("claimed, and so" if "claimed" in row.note else row.note)
    parts = textwrap.wrap(text, letters) or [""]
    return [(row.mark, row.name, parts[0]), *(("", "", part) for part in parts[1:])]


def _fitting(rows: Any, letters: int, room: int) -> list[Line]:
    """The lines that there is room for: all, or all cut short, or the faults and as many others as fit."""
    whole = [line for row in rows for line in _lines(row, letters)]
    if len(whole) <= room:
        return whole
    cut = [(mark, name, text if len(text) < letters else f"{text[: letters - 1]}…") for mark, name, text in
           (_lines(row, 10 * letters)[0] for row in rows)]  # fmt: skip
    if len(cut) <= room:
        return cut
    first = sorted(cut, key=lambda line: line[0] != "✗")[: max(room - 1, 0)]
    return [*first, ("", "", f"… and {len(cut) - len(first)} more")]


def _list(ax: Any, lines: list[Line], n: int) -> None:
    ax.axis("off")
    title(ax, "What was measured, in {n} lines", n=n)
    for k, (mark, name, text) in enumerate(lines):
        y = 1 - (k + 0.6) / len(lines)
        for x, part, hue in ((0, mark, MARKS.get(mark, GREY)), (MARK, name, INK), (MARK + NAME, text, GREY)):
            if part:
                ax.annotate(inscribed(ax, part), (0, y), (x, 0), xycoords="axes fraction", textcoords="offset points",
                            fontsize=8, va="center", color=hue)  # fmt: skip
