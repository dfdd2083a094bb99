"""How figures look: sizes, greys, and one colour and line style for each loss, the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib import patheffects
from matplotlib.colors import LinearSegmentedColormap

# Okabe and Ito (2008), without yellow: told apart by the colour-blind; line styles tell them apart in grey.
BLUE, VERMILLION, GREEN, SKY, PURPLE, ORANGE, BLACK = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#56B4E9",
    "#CC79A7",
    "#E69F00",
    "#000000",
)
INK, GREY, PALE, FAINT = "#202020", "#404040", "#B0B0B0", "#F2F2F2"
SOLID, DASHED, DASHDOT, DOTTED = "-", "--", "-.", ":"
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
ALIKE_IN_GREY = 0.04  # two luminances closer than this are one grey

Look = tuple[str, str, str]  # colour, line style, marker
LOOKS = {
    "mse": (BLUE, SOLID), "poisson_nll": (BLUE, DASHED), "gaussian_nll": (BLUE, DOTTED),
    "mae": (VERMILLION, DASHED), "quantile": (VERMILLION, DOTTED),
    "huber": (GREEN, DASHDOT), "smooth_l1": (GREEN, DOTTED),
    "log_cosh": (SKY, SOLID), "margin_ranking": (SKY, DASHED), "triplet_margin": (SKY, DASHDOT),
    "cosine_embedding": (SKY, DOTTED),
    "cross_entropy": (PURPLE, SOLID), "bce_with_logits": (PURPLE, DASHED), "bce": (PURPLE, DOTTED),
    "nll": (PURPLE, DASHDOT),
    "hinge": (ORANGE, DASHED), "squared_hinge": (ORANGE, DASHDOT), "multi_margin": (ORANGE, DOTTED),
    "focal": (BLACK, SOLID), "kl_div": (BLACK, DASHED),
}  # fmt: skip
HUES = (BLUE, VERMILLION, GREEN, SKY, PURPLE, ORANGE, BLACK)
PAIRS = [(hue, line) for line in (SOLID, DASHED, DASHDOT, DOTTED) for hue in HUES]
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


def colour(loss: Any) -> tuple[str, str]:
    """Colour and line style of a loss, the same in every figure; a loss without its own gets black dash-dot."""
    return LOOKS.get(_family(loss), (BLACK, DASHDOT))


def looks(losses: Sequence[Any]) -> dict[str, Look]:
    """Colour, line style and marker of each loss of one figure.

    A built-in has its own. Any other takes the next free pair in order of name: no pair is given twice, nor one that
    a grey print could not tell from another; when none is left, the markers go on.
    """
    names = list(dict.fromkeys(map(str, losses)))
    found: dict[str, Look] = {}
    for name in names:
        own = LOOKS.get(_family(name))
        if own and (*own, MARKERS[0]) not in found.values():
            found[name] = (*own, MARKERS[0])
    for name in sorted(set(names) - set(found)):
        found[name] = _free(list(found.values()))
    return {name: found[name] for name in names}


def _family(loss: Any) -> str:
    """The name without parameters."""
    return str(loss).partition("(")[0]


def _free(used: list[Look]) -> Look:
    """The first look that differs from all others in line style, marker, or luminance."""
    for marker in MARKERS:
        for hue, line in PAIRS:
            if not any(_alike((hue, line, marker), other) for other in used):
                return hue, line, marker
    return BLACK, DASHDOT, MARKERS[-1]


def _alike(one: Look, other: Look) -> bool:
    return one[1:] == other[1:] and abs(luminance(one[0]) - luminance(other[0])) < ALIKE_IN_GREY


def luminance(hue: Any) -> float:
    """How bright a colour is in a grey print, from 0 to 1 (Rec. 601)."""
    red, green, blue = mpl.colors.to_rgb(hue)
    return 0.299 * red + 0.587 * green + 0.114 * blue
