"""Records as text: tables of at most 80 columns, and sentences that are templates over the numbers."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from textwrap import wrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minigrad.explain.trace import Other, Row, Trace

WIDTH = 80
COLUMNS = {"arrives": 8, "factor": 7, "leaves": 7, "running": 8, "‖dW‖": 7, "‖db‖": 7, "share": 8, "pull": 8}
LENGTHS, PARAMETERS = sum([*COLUMNS.values()][:4]), sum([*COLUMNS.values()][4:])


def of_trace(trace: Trace) -> str:
    """The text form of a trace: what is predicted, the way back, the product, and what it says in words."""
    head = [f"trace  {trace.loss}   sample {trace.sample} of {trace.samples}", *_paragraph(_head(trace), "   ")]
    return "\n".join([*head, *_table(trace), *_paragraph(_product(trace), " "), *_sentences(trace)])


def number(value: float | None) -> str:
    """A size in at most six letters: 0.988, 12.350, 1234, 0.0113, 1.2e-5; – for none."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    if 0.0995 <= abs(value) < 1000:
        return f"{value:.3f}" if abs(value) < 100 else f"{value:.1f}"
    if 0.00995 <= abs(value) < 9999.5:
        return f"{value:.3g}" if abs(value) < 1 else f"{value:.0f}"
    return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


# --- the head ---------------------------------------------------------------------------------------------------------
def _head(trace: Trace) -> list[str]:
    parts = [f"  {trace.letter} = {_values(trace.pred)}"]
    if trace.link is not None:
        parts.append(f"{trace.link[0]} = {trace.link[1]:.4g}")
    if trace.target is not None:
        parts.append(f"y = {_values(trace.target)}")
    return [*parts, f"loss {number(trace.value)}"]


def _values(values: Any) -> str:
    if isinstance(values, (int, float)):
        return f"{values:.4g}"
    if len(values) == 1:
        return _values(values[0])
    return f"({', '.join(map(_values, values[:5]))}{', …' if len(values) > 5 else ''})"


# --- the table --------------------------------------------------------------------------------------------------------
def _table(trace: Trace) -> list[str]:
    labels, notes = _labels(trace.rows), [_note(row) for row in trace.rows]
    room = WIDTH - LENGTHS - max(PARAMETERS, *map(len, notes))
    width = min(room, max(map(len, [*labels, "input"])))
    cut = [label if len(label) <= width else f"{label[: width - 1]}…" for label in labels]
    return [
        _line("", width, COLUMNS),
        _line("loss", width, ["", "", number(trace.start), "1.000" if trace.start else "–"]),
        *(_line(label, width, _cells(row)) + note for label, row, note in zip(cut, trace.rows, notes, strict=True)),
        _line("input", width, [number(trace.product)]),
    ]


def _line(label: str, width: int, cells: Iterable[str]) -> str:
    placed = (f"{cell:>{side}}" for cell, side in zip(cells, COLUMNS.values(), strict=False))
    return f"{label:<{width}}{''.join(placed)}".rstrip()


def _labels(rows: tuple[Row, ...]) -> list[str]:
    """Names, and beside those of linear modules their sizes, in columns of their own."""
    width = max(len(row.name) for row in rows)
    before, after = (max((len(str(row.sizes[k])) for row in rows if row.kind == "linear"), default=0) for k in (0, 1))
    sizes = [f"  {row.sizes[0]:>{before}} → {row.sizes[1]:<{after}}" if row.kind == "linear" else "" for row in rows]
    return [f"{row.name:<{width}}{size}" for row, size in zip(rows, sizes, strict=True)]


def _cells(row: Row) -> list[str]:
    cells = [number(row.arrives), number(row.factor), number(row.leaves), number(row.running)]
    if row.weight is None:
        return cells
    share = "–" if row.share is None else f"{100 * row.share:.1f} %" if row.share < 0.9995 else "100 %"
    pull = "–" if row.pull is None else f"{row.pull:+.3f}" if abs(row.pull) < 9.9995 else f"{row.pull:+.1e}"
    return [*cells, number(row.weight), number(row.bias), share, pull]


def _note(row: Row) -> str:
    """What stands in place of parameters beside an activation."""
    if row.slope is None:
        return ""
    units, word, count = row.sizes[1], "dead" if row.dead else "quiet", row.dead or row.quiet
    return f"  mean slope {number(row.slope)}  {word} {count} of {units}"


def _product(trace: Trace) -> list[str]:
    factors = [number(row.factor) for row in trace.rows if row.factor is not None]
    off = f"{trace.difference:.0e}".replace("e-0", "e-").replace("0e+00", "0")
    return [
        *f"{' × '.join([number(trace.start), *factors])} = {number(trace.product)}".split(" "),
        f"  autograd {number(trace.autograd)}", f"  difference {off}",
    ]  # fmt: skip


# --- the sentences ----------------------------------------------------------------------------------------------------
def _sentences(trace: Trace) -> list[str]:
    said = [_sent(trace), *_kept(trace), *_end(trace), *_against(trace), *trace.remarks]
    return [line for sentence in said for line in wrap(sentence, WIDTH, break_on_hyphens=False)]


def _sent(trace: Trace) -> str:
    lead = f"{trace.verdict}: t".capitalize() if trace.verdict else "T"
    sends = f"sends {number(trace.start)}" if trace.start else "sends nothing, and no layer learns from this sample"
    return "; ".join([f"{lead}he loss {sends}", *(_would_send(trace, other) for other in trace.also)]) + "."


def _would_send(trace: Trace, other: Other) -> str:
    if other.ratio is None:
        return f"{other.loss} would send nothing"
    said = f"{other.loss} would send {number(other.start)}"
    if not trace.start:
        return said
    at_input = trace.product / other.lengths[-1] if other.lengths[-1] else 1.0
    if abs(at_input / other.ratio - 1) < 1e-9:
        return f"{said}, {_times(other.ratio)} at every layer"
    return f"{said}, {_times(other.ratio)} at the last layer, {_times(at_input)} at the input"


def _times(ratio: float) -> str:
    if abs(ratio - 1) < 1e-9:
        return "the same"
    return f"{ratio:.3g} times less" if ratio > 1 else f"{1 / ratio:.3g} times more"


def _kept(trace: Trace) -> list[str]:
    """What is left of it behind all activations, and what all weights make of it."""
    factors: dict[str, list[float]] = {"activation": [], "linear": [], "module": []}
    for row in trace.rows:
        factors[row.kind].append(row.factor or 0)
    words = {
        "activation": f"the activations keep {_percent(prod(factors['activation']))} of it",
        "linear": f"the weights multiply it by {prod(factors['linear']):.3g}",
        "module": f"the other modules multiply it by {prod(factors['module']):.3g}",
    }
    said = ", ".join(words[kind] for kind, found in factors.items() if found)
    return [f"{said[0].upper()}{said[1:]}."] if trace.product else []


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if 0.001 <= share < 0.995 else f"{share:.2g} times"


def _end(trace: Trace) -> list[str]:
    """The module at which a gradient that was sent dies."""
    at = next((row for row in trace.rows if row.arrives and not row.leaves), None)
    if at is None:
        return []
    flat = at.kind == "activation" and at.dead == at.sizes[1]
    why = f"all {at.sizes[1]} units are dead" if flat else "it lets nothing through"
    return [f"The gradient ends at {at.name}: {why}, and no layer before it hears this sample."]


def _against(trace: Trace) -> list[str]:
    names = [row.name for row in trace.rows if row.pull is not None and row.pull < 0]
    return [f"In {' and '.join(names)} this sample pulls against the batch."] if names else []


def _paragraph(parts: list[str], gap: str) -> list[str]:
    """Parts on as few lines as hold them, never broken inside one."""
    lines = [parts[0]]
    for part in parts[1:]:
        if len(longer := lines[-1] + gap + part) <= WIDTH:
            lines[-1] = longer
        else:
            lines.append(f"  {part.strip()}")
    return lines
