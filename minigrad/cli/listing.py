"""The command `minigrad losses`: what there is, whose it is, what is broken and why."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from minigrad import losses
from minigrad.engine.errors import PluginError
from minigrad.losses import lookup
from minigrad.losses.names import amiss, escaped, shown
from minigrad.losses.offers import TAIL
from minigrad.losses.parameters import fitted

LONG = 32  # letters of a name that stay in one line: one wants to copy it


def add_command(commands: Any, command: Callable[..., Any]) -> None:
    """Add it to a command line; `command` makes one of (commands, name, what runs it, help)."""
    said = "list the losses: what there is, whose it is, what is broken and why"
    command(commands, "losses", _losses, said).add_argument("name", nargs="?", help="one loss, in full")


def _losses(options: Any, console: Console) -> None:
    if options.name:
        head, *blocks = escaped(losses.get(options.name).describe()).split("\n\n")
        console.print("\n\n".join([head, *(_folded(block, console.width) for block in blocks)]), markup=False)
        return
    found = [losses.get(name) for name in losses.names()]
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    widest = max(len(loss.full_name) for loss in found)
    for column in ("loss", "pred ← target", "parameters", "from"):
        table.add_column(column, overflow="fold", no_wrap=column == "loss" and widest <= LONG)
    for loss in found:
        parameters = ", ".join(f"{p.name}={_default(p.default)}" for p in loss.params.values())
        cells = [loss.full_name, f"{loss.pred} ← {loss.target}", parameters, _whose(loss)]
        table.add_row(*(Text(escaped(cell)) for cell in cells))
    console.print(table)
    for problem in losses.problems():
        message = f"broken  {escaped(problem.message).removesuffix(TAIL)}"
        console.print(textwrap.fill(message, console.width, subsequent_indent=" " * 8), markup=False)
    if (listed := os.environ.get("MINIGRAD_PLUGINS")) is not None:
        installed = lookup.current().installed or {}
        said = f"MINIGRAD_PLUGINS={escaped(repr(listed))}: other packs were left out{amiss(listed, installed)}"
        console.print(textwrap.fill(said, console.width), markup=False)


def _default(value: Any) -> str:
    return "fitted" if isinstance(value, fitted) else shown(value)[:20]


def _whose(loss: Any) -> str:
    """Where a loss is from, and what its bare name leads to if not to it."""
    path = Path(loss.owner.distribution)
    places = {"minigrad": "built in", "here": "this process"}
    source = places.get(loss.owner.pack, path.name if path.is_absolute() else str(loss.owner))
    try:
        other = losses.get(loss.name)
    except PluginError:
        return f"{source}\n{loss.name} alone is ambiguous"
    leads = "built in" if other.full_name == other.name else other.full_name
    return source if other.full_name == loss.full_name else f"{source}\n{loss.name} alone is {leads}"


def _folded(block: str, width: int) -> str:
    """A block of a docstring at the width of the terminal: running text is filled, other lines keep to themselves."""
    lines = block.splitlines()
    if not any(line.startswith((" ", ">>>")) for line in lines):
        return textwrap.fill(" ".join(lines), width)
    deep = [" " * (len(line) - len(line.lstrip()) + 4) for line in lines]
    return "\n".join(textwrap.fill(line, width, subsequent_indent=by) for line, by in zip(lines, deep))
