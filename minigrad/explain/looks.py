"""One colour and line style for each loss, the same in every figure and on every page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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


def luminance(hue: str) -> float:
    """How bright a colour is in a grey print, from 0 to 1 (Rec. 601)."""
    red, green, blue = (int(hue[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue
