"""How figures look: sizes and greys; the looks of losses are those of every page, see `explain/looks.py`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib import patheffects
from matplotlib.colors import LinearSegmentedColormap

from minigrad.explain.looks import (
    BLACK,
    BLUE,
    DASHDOT,
    DASHED,
    DOTTED,
    GREEN,
    HUES,
    LOOKS,
    ORANGE,
    PURPLE,
    SKY,
    SOLID,
    VERMILLION,
    Look,
    colour,
    looks,
)

__all__ = [
    "BLACK", "BLUE", "DASHDOT", "DASHED", "DOTTED", "FAINT", "GREEN", "GREY", "HALO", "HUES", "INK", "LOOKS", "ORANGE",
    "PALE", "PURPLE", "SHADES", "SIGNED", "SKY", "SOLID", "VERMILLION", "Look", "colour", "looks", "style",
]  # fmt: skip

INK, GREY, PALE, FAINT = "#202020", "#404040", "#B0B0B0", "#F2F2F2"
STYLE: Any = {
    "font.size": 9, "axes.titlesize": 9.5, "axes.labelsize": 9, "xtick.labelsize": 8, "ytick.labelsize": 8,
    "legend.fontsize": 8, "text.color": GREY, "axes.labelcolor": GREY, "xtick.color": GREY, "ytick.color": GREY,
    "axes.edgecolor": PALE, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
    "axes.titlelocation": "left", "axes.titlecolor": INK, "lines.linewidth": 1.6, "figure.dpi": 100,
    "savefig.dpi": 160, "figure.constrained_layout.use": True, "axes.unicode_minus": True, "hatch.linewidth": 0.6,
    "svg.hashsalt": "minigrad", "text.parse_math": False,
}  # fmt: skip
HALO = [patheffects.withStroke(linewidth=3, foreground="white")]  # keeps a text readable where a line crosses it
SHADES = LinearSegmentedColormap.from_list("minigrad shades", ["#FFFFFF", "#BBD8EA", BLUE])
SIGNED = LinearSegmentedColormap.from_list("minigrad signed", [BLUE, "#FFFFFF", VERMILLION])  # diverging: about 0


@contextmanager
def style() -> Iterator[None]:
    """Sizes, greys and layout of all figures, for the block alone: matplotlib's own settings stay as they are."""
    with mpl.rc_context(STYLE):
        yield
