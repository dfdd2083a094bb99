"""Pictures: matplotlib, and only here.

Every function takes a record or plain arrays, returns the Figure and shows nothing. Whatever number a picture states
is written by `say`, which records it: `numbers(fig)` reads them back, `alt(fig)` makes the alternative text of them.
"""

from minigrad.figures.boxes import graph
from minigrad.figures.cards import card
from minigrad.figures.comparisons import race, races
from minigrad.figures.curves import shapes
from minigrad.figures.palette import colour, looks, style
from minigrad.figures.records import diff, trace
from minigrad.figures.runs import depth, history
from minigrad.figures.samples import reliability, shares
from minigrad.figures.saying import alt, note, numbers, say

__all__ = [
    "alt", "card", "colour", "depth", "diff", "graph", "history", "looks", "note", "numbers", "race", "races",
    "reliability", "say", "shapes", "shares", "style", "trace",
]  # fmt: skip
