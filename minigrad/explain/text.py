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
    head = [f"trace  {trace.loss}   sample {trace.sample} of {trace.samples}", *paragraph(_head(trace), "   ")]
    return "\n".join([*head, *_table(trace), *paragraph(_product(trace), " "), *_sentences(trace)])


def number(value: float | None) -> str:
    """A size in at most six letters: 0.988, 12.350, 1234, 0.0113, 1.2e-5; – for none."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    if 0.0995 <= abs(value) < 1000:
        return f"{value:.3f}" if abs(value) < 100 else f"{value:.1f}"
    if 0.000995 <= abs(value) < 0.00995:
        return f"{value:.2g}"
    if 0.00995 <= abs(value) < 9999.5:
        return f"{value:.3g}" if abs(value) < 1 else f"{value:.0f}"
    return _exponent(f"{value:.1e}" if 9.95e-10 <= abs(value) < 9.5e99 else f"{value:.0e}")


def digits(value: float) -> str:
    """A ratio in three digits: 0.333, 4.00, 87.5, 511, 2215, 1.6e5."""
    size = abs(value)
    if 0.0995 <= size < 99.95:
        return f"{value:.{3 if size < 0.9995 else 2 if size < 9.995 else 1}f}"
    if 99.95 <= size < 9999.5:
        return f"{value:.0f}"
    return f"{value:.3g}" if 0.000995 <= size < 1 or not size else _exponent(f"{value:.1e}")


def _exponent(text: str) -> str:
    return text.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


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
    width, labels, notes = _fitting(trace.rows)
    return [
        _line("", width, COLUMNS),
        _line("loss", width, ["", "", number(trace.start), "1.000" if trace.start else "–"]),
        *(_line(label, width, _cells(row)) + note for label, row, note in zip(labels, trace.rows, notes, strict=True)),
        _line("input", width, [number(trace.lengths[-1])]),
    ]


def _fitting(rows: tuple[Row, ...]) -> tuple[int, list[str], list[str]]:
    """Labels and notes as wide as there is room for: the longest form that fits, else labels that are cut."""
    for arrow, word in (("{:>{}} → {:<{}}", "mean slope"), ("{:>{}} → {:<{}}", "slope"), ("{0}→{2}", "slope")):
        labels, notes = _labels(rows, arrow), [_note(row, word) for row in rows]
        width = max(map(len, [*labels, "input"]))
        room = WIDTH - LENGTHS - max(PARAMETERS, *map(len, notes))
        if width <= room:
            return width, labels, notes
    return room, [label if len(label) <= room else f"{label[: room - 1]}…" for label in labels], notes


def _line(label: str, width: int, cells: Iterable[str]) -> str:
    placed = (f"{cell:>{side}}" for cell, side in zip(cells, COLUMNS.values(), strict=False))
    return f"{label:<{width}}{''.join(placed)}".rstrip()


def _labels(rows: tuple[Row, ...], arrow: str) -> list[str]:
    """Names, and beside those of linear modules their sizes, in columns of their own."""
    width = max(len(row.name) for row in rows)
    wide = [max((len(str(row.sizes[k])) for row in rows if row.kind == "linear"), default=0) for k in (0, 1)]
    sizes = [arrow.format(row.sizes[0], wide[0], row.sizes[1], wide[1]) for row in rows]
    return [
        f"{row.name:<{width}}  {size}" if row.kind == "linear" else row.name
        for row, size in zip(rows, sizes, strict=True)
    ]


def _cells(row: Row) -> list[str]:
    cells = [number(row.arrives), number(row.factor), number(row.leaves), number(row.running)]
    if row.weight is None:
        return cells
    share = "–" if row.share is None else f"{100 * row.share:.1f} %" if row.share < 0.9995 else "100 %"
    return [*cells, number(row.weight), number(row.bias), share, _signed(row.pull)]


def _signed(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:+.3f}" if abs(value) < 9.9995 else _exponent(f"{value:+.0e}")


def _note(row: Row, words: str) -> str:
    """What stands in place of parameters beside an activation."""
    if row.slope is None:
        return ""
    word, count = ("dead", row.dead) if row.dead else ("quiet", row.quiet)
    return f"  {words} {number(row.slope)} {word} {count} of {len(row.slopes)}"


def _product(trace: Trace) -> list[str]:
    """The product of all factors, where there is one path, or how far the single paths agree with autograd."""
    off = _exponent(f"{trace.difference:.0e}") if trace.difference else "0"
    if trace.product is None:
        steps, arrives = (
            sum(row.handed_on for row in trace.rows[:-1]),
            f"  autograd {number(trace.autograd)} at the input",
        )
        said = f"no single path; {steps} times all that leaves one module arrives at the next:"
        return [*said.split(" "), f" difference {off}", arrives]
    factors = [number(row.factor) for row in trace.rows if row.factor is not None]
    product = f"{' × '.join([number(trace.start), *factors])} = {number(trace.product)}"
    return [*product.split(" "), f"  autograd {number(trace.autograd)}", f"  difference {off}"]


# --- the sentences ----------------------------------------------------------------------------------------------------
def _sentences(trace: Trace) -> list[str]:
    said = [_sent(trace), *_kept(trace), *_end(trace), *_against(trace), *trace.remarks]
    return [line for sentence in said for line in wrap(sentence, WIDTH, break_on_hyphens=False)]


def _sent(trace: Trace) -> str:
    lead = f"{trace.verdict}: t".capitalize() if trace.verdict else "T"
    at_most = f" of at most {trace.most:.4g}" if trace.most else ""
    nothing = "sends nothing, and no layer learns from this sample"
    sends = f"sends {number(trace.start)}{at_most}" if trace.start else nothing
    return "; ".join([f"{lead}he loss {sends}", *(_would_send(trace, other) for other in trace.also)]) + "."


def _would_send(trace: Trace, other: Other) -> str:
    if other.ratio is None:
        return f"{other.loss} would send nothing"
    said = f"{other.loss} would send {number(other.start)}"
    if not trace.start:
        return said
    at_input = trace.lengths[-1] / other.lengths[-1] if other.lengths[-1] else 1.0
    if abs(at_input / other.ratio - 1) < 1e-9:
        return f"{said}, {_times(other.ratio)} at every layer"
    return f"{said}, {_times(other.ratio)} at the last layer, {_times(at_input)} at the input"


def _times(ratio: float) -> str:
    if abs(ratio - 1) < 1e-9:
        return "the same"
    return f"{digits(ratio)} times less" if ratio > 1 else f"{digits(1 / ratio)} times more"


def _kept(trace: Trace) -> list[str]:
    """What is left of it behind all activations, and what all weights make of it; nothing, where nothing is left."""
    if not trace.product:
        return []
    factors: dict[str, list[float]] = {"activation": [], "linear": [], "module": []}
    for row in trace.rows:
        factors[row.kind].append(row.factor or 0)
    words = {
        "activation": f"the activations {_share(prod(factors['activation']))}",
        "linear": f"the weights multiply it by {prod(factors['linear']):.3g}",
        "module": f"the other modules multiply it by {prod(factors['module']):.3g}",
    }
    said = ", ".join(words[kind] for kind, found in factors.items() if found)
    return [f"{said[0].upper()}{said[1:]}."]


def _share(share: float) -> str:
    """What is kept: 25 % of it, 1/2941 of it, all of it; smooth ones can make more of it."""
    if abs(share - 1) < 1e-9:
        return "keep all of it"
    if share > 1:
        return f"multiply it by {share:.4g}"
    if share >= 0.995:
        return f"keep {100 * share:.4g} % of it"
    return f"keep {100 * share:.2g} % of it" if share >= 0.001 else f"keep 1/{digits(1 / share)} of it"


def _end(trace: Trace) -> list[str]:
    """The module at which a gradient that was sent dies."""
    at = next((row for row in trace.rows if row.arrives and not row.leaves), None)
    if at is None:
        return []
    flat = at.kind == "activation" and at.dead == len(at.slopes)
    why = f"all {at.dead} units are dead" if flat else "it lets nothing through"
    return [f"The gradient ends at {at.name}: {why}, and no layer before it hears this sample."]


def _against(trace: Trace) -> list[str]:
    names = [row.name for row in trace.rows if row.pull is not None and row.pull < 0]
    return [f"In {' and '.join(names)} this sample pulls against the batch."] if names else []


def paragraph(parts: list[str], gap: str) -> list[str]:
    """Parts on as few lines as hold them, never broken inside one."""
    lines = [parts[0]]
    for part in parts[1:]:
        if len(longer := lines[-1] + gap + part) <= WIDTH:
            lines[-1] = longer
        else:
            lines.append(f"  {part.strip()}")
    return lines
