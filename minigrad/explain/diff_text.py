"""A diff as text: a table by layer, the spread over samples, one step of each, and what it comes to."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from minigrad.explain.text import WIDTH, digits, number, paragraph

if TYPE_CHECKING:
    from minigrad.explain.diff import Diff, Matched, Row

COLUMNS = (9, 9, 8, 8, 14)
HEADS = ("‖g_a‖", "‖g_b‖", "ratio", "cosine", "signs differ")
LABEL = WIDTH - sum(COLUMNS)


def of_diff(diff: Diff) -> str:
    """The text form of a diff."""
    head = paragraph([f"diff  a = {diff.a}", f"b = {diff.b}", f"{diff.samples} samples"], "   ")
    width = min(LABEL, max(len(row.name) for row in diff.rows) + 1)
    table = [_line("", HEADS, width), *(_line(row.name, _cells(row), width) for row in diff.rows)]
    said = [("per sample", _samples(diff)), ("matched", _matched(diff.matched)), ("verdict", diff.verdict)]
    return "\n".join([*head, *table, *(line for key, text in said for line in _entry(key, text))])


def _line(label: str, cells: tuple[str, ...], width: int) -> str:
    name = label if len(label) < LABEL else f"{label[: LABEL - 2]}…"
    return f"{name:<{width}}{''.join(f'{cell:>{side}}' for cell, side in zip(cells, COLUMNS, strict=True))}".rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    cosine = "–" if row.cosine is None else f"{row.cosine:.4f}"
    return _size(row.a), _size(row.b), number(row.ratio), cosine, f"{100 * row.signs_differ:.1f} %"


def _size(value: float) -> str:
    return f"{value:.4f}" if 0.01 <= value < 100 else number(value)


def _entry(key: str, text: str) -> list[str]:
    return wrap(f"{key:<12}{text}", WIDTH, subsequent_indent=" " * 12, break_on_hyphens=False)


def _samples(diff: Diff) -> str:
    if diff.quantiles is None:
        return "b sends nothing to any of them"
    spread = " | ".join(digits(value) for value in diff.quantiles)
    silent = f"; {diff.silent} to which b sends nothing are left out" if diff.silent else ""
    return f"a/b  {spread}   (min, quartiles, max{silent})"


def _matched(matched: Matched | None) -> str:
    if matched is None:
        return "no step that both can take"
    steps = f"a at lr {matched.lr_a:.3g} steps as far as b at lr {matched.lr_b:.3g}; "
    if matched.flips_a is None:
        return f"{steps}the outputs move by {number(matched.moved_a)} and {number(matched.moved_b)} (root mean square)"
    differ = (
        f"{matched.differ} of them differ{'s' if matched.differ == 1 else ''}" if matched.differ else "none differs"
    )
    return f"{steps}after that step {matched.flips_a} and {matched.flips_b} predictions flip, {differ}"
