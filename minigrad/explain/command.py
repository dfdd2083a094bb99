"""The command `minigrad explore`: from data and losses to a page in the browser."""

from __future__ import annotations

import tempfile
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minigrad import arguments, losses
from minigrad import data as datasets
from minigrad.explain import example
from minigrad.explain.exploring import explore


def add_command(commands: Any, command: Callable[..., Any]) -> None:
    """Add it to a command line; `command` makes one of (commands, name, what runs it, help)."""
    parser = command(commands, "explore", _explore, "a page that shows where the gradient of each loss goes")
    parser.add_argument(
        "losses", nargs="*", metavar="LOSS|FILE", help="losses that join those of the page: names, or Python files"
    )
    arguments.add_data(parser, "; two moons unless given")
    parser.add_argument("--rng", type=int, default=0, metavar="N", help="other points, other initial weights (0)")
    parser.add_argument("--out", metavar="FILE", help="write the page there, and open nothing")


def _explore(options: Any, console: Any) -> None:
    if options.rng < 0:
        raise ValueError(f"explore: expected --rng ≥ 0, got {options.rng}")
    path = _path(options.out)
    asked = [losses.get(name) for word in options.losses for name in arguments.meant(word)]
    shown = _example(options)
    joined = [example.on_link(each, shown.losses[0]) for each in asked]
    record = explore(
        shown.model, [*shown.losses, *joined], shown.X, shown.y, snapshots=shown.snapshots, title=shown.title,
        sample="worst" if shown.ringed is None else shown.ringed, ringed=shown.ringed, out=path,
    )  # fmt: skip
    read = [f"{odd} reads probabilities here: {made}." for odd, made in zip(asked, joined, strict=True) if odd != made]
    for line in (record.sentence, *read, f"Written: {path}"):
        console.print(line, soft_wrap=True, markup=False)
    if not options.out:
        webbrowser.open(path.as_uri())


def _path(out: str | None) -> Path:
    """Where the page is written: as asked, or in a new folder for temporary files."""
    if out is None:
        return Path(tempfile.mkdtemp(prefix="minigrad-")) / "explore.html"
    arguments.check_folder("explore", out)
    return Path(out).absolute()


def _example(options: Any) -> example.Example:
    name = options.data
    if name is None:
        return example.moons(rng=options.rng)
    if arguments.is_file(name):
        if not options.target:
            raise ValueError(f"explore: expected --target, the column of {name} to predict; --target price")
        X, y = datasets.read(name, target=options.target, drop=options.drop)
        labels = y.dtype.kind in "iub" and y.min() >= 0 and y.max() < 20  # larger whole numbers are amounts
        (X, y), _ = datasets.split(X, y, rng=options.rng, scale_y=not labels)
        return example.on_data(X, y, f"{Path(name).name}, {options.target}", rng=options.rng)
    (X, y), _ = datasets.load(name, rng=options.rng)
    return example.on_data(X, y, arguments.titled(name), rng=options.rng)
