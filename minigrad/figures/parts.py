"""What several figures are made of: a canvas, titles that fit, names at the ends of lines, axes of gradient sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from minigrad.figures.palette import INK, PALE, Look
from minigrad.figures.saying import record_of, say, short, wrapped

POINTS = 72.0  # per inch
NARROW = 0.5  # of the width of axes: a title that no layout has to make room for
BOLD = 0.84  # of the width of a figure: bold letters are wider than those that are measured
SHOWN = 3  # losses that a title names


class Settled(ConstrainedLayoutEngine):
    """A layout in which every title is as wide as there is room up to the next panel, whatever the figure's size."""

    def execute(self, fig: Any) -> None:
        """Lay out with narrow titles, for a wide one would push panels apart; then with titles that use their room."""
        titles = [(ax, title, text) for ax, title, text in record_of(fig)["titles"] if title.figure is not None]
        for ax, title, text in titles:
            title.set_text(wrapped(text, NARROW * size_of(ax)[0], title.get_fontsize()))
        for part, title, text in record_of(fig)["headlines"]:
            title.set_text(wrapped(text, BOLD * part.bbox.width * POINTS / fig.dpi, title.get_fontsize()))
        super().execute(fig)
        for ax, title, text in titles:
            title.set_text(wrapped(text, _room(ax, fig) * POINTS / fig.dpi, title.get_fontsize()))
        if titles:
            super().execute(fig)


def canvas(fig: Any, width: float = 10.0, height: float = 3.6) -> Any:
    """The figure to draw into: the one that was given, or a new one of so many inches."""
    if fig is None:
        return Figure(figsize=(width, height), layout=Settled())
    if isinstance(fig, Figure) and type(fig.get_layout_engine()) in (type(None), ConstrainedLayoutEngine):
        fig.set_layout_engine(Settled())
    return fig


def alone(ax: Any, width: float = 5.0, height: float = 3.6) -> Any:
    """The axes to draw into: those that were given, or those of a new figure."""
    if ax is None:
        return canvas(None, width, height).subplots()
    canvas(whole(ax))
    return ax


def whole(where: Any) -> Any:
    """The figure that axes or a part of a figure belong to."""
    fig = where.figure if hasattr(where, "transAxes") else where
    while isinstance(fig, SubFigure):
        fig = fig.figure
    return fig


def size_of(ax: Any) -> tuple[float, float]:
    """Width and height of axes in points, as they are before anything is laid out."""
    fig = whole(ax)
    return ax.bbox.width * POINTS / fig.dpi, ax.bbox.height * POINTS / fig.dpi


def title(ax: Any, template: str, **values: Any) -> None:
    """A title that states what was found, broken into lines when the figure is laid out."""
    text = say(ax, template, **values)
    record_of(ax)["titles"].append((ax, ax.set_title(wrapped(text, NARROW * size_of(ax)[0], 9.5)), text))


def headline(fig: Any, template: str, **values: Any) -> None:
    """One line above all panels, or two."""
    text = say(fig, template, **values)
    written = fig.suptitle(text, x=0.01, ha="left", fontsize=11, fontweight="bold", color=INK)
    record_of(fig)["headlines"].append((fig, written, text))


def _room(ax: Any, fig: Any) -> float:
    """Pixels from the left edge of axes to the next axes at the right, or to the edge of the canvas."""
    own = ax.bbox
    others = [other.bbox for other in fig.findobj(Axes) if other.bbox.x0 > own.x0 + 2]
    beside = [box.x0 for box in others if box.y0 < own.y1 and box.y1 > own.y0]
    return 0.96 * (min([*beside, fig.bbox.width]) - own.x0) - 8  # type: ignore[no-any-return]  # hinting differs by dpi


def plural(n: int, word: str) -> str:
    """1 run, 2 runs."""
    return f"{n} {word}{'' if n == 1 else 's'}"


def listed(parts: list[str]) -> str:
    """The first few of them, and how many more there are."""
    more = len(parts) - SHOWN
    return ", ".join(parts[:SHOWN]) + (f" … and {more} more" if more > 0 else "")


# --- axes -------------------------------------------------------------------------------------------------------------
def sizes_axis(ax: Any, which: str, label: str, sizes: Any = None) -> None:
    """An axis of gradient sizes: logarithmic, with a few ticks; its limits hold the sizes, if these are given."""
    axis = getattr(ax, f"{which}axis")
    if sizes is not None:
        getattr(ax, f"set_{which}lim")(*spread(sizes))
    getattr(ax, f"set_{which}scale")("log")
    getattr(ax, f"set_{which}label")(label)
    low, high = sorted(axis.get_view_interval())
    decades = np.log10(high / low)
    axis.set_major_locator(
        LogLocator(numticks=6)
        if decades > 2
        else MaxNLocator(3)
        if decades < 0.3
        else LogLocator(subs=(1, 2, 5) if decades > 0.9 else (1, 1.5, 2, 3, 5, 7))
    )
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(power))


def power(value: float, _: Any = None) -> str:
    """A tick of a logarithmic axis: 0.01, 1, 100, 10⁻⁶."""
    if value <= 0:
        return ""
    exponent = int(np.floor(np.log10(value) + 0.5))
    if not np.isclose(value, 10.0**exponent, rtol=1e-6):
        return f"{value:g}"
    if -3 <= exponent <= 3:
        return f"{10.0**exponent:g}"
    return f"10{str(exponent).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def spread(values: Any) -> tuple[float, float]:
    """Limits of a logarithmic axis that holds all sizes above 0."""
    found = np.asarray(values, float)
    found = found[np.isfinite(found) & (found > 0)]
    if not len(found):
        return 0.1, 10.0
    low, high = float(found.min()), float(found.max())
    margin = (high / low) ** 0.06 if high > 1.01 * low else 3.0
    return max(low / margin, 1e-300), min(high * margin, 1e300)


# --- names at the ends of lines ---------------------------------------------------------------------------------------
def end_names(
    ax: Any, ends: Mapping[str, float | None], look: Mapping[str, Look], *, letters: int = 18, joined: bool = True
) -> None:
    """Each name at the right, beside the end of its line, joined to it where names had to move apart.

    Args:
        ax: the axes; their limits stay as they are.
        ends: name to the last value of its line; None for a line without points, whose name stands at the bottom.
        look: name to the look of its line.
        letters: to which names are cut.
        joined: whether a line leads to the name; where lines end in one point it would not say more.
    """
    low, high = ax.get_ylim()
    ax.set_ylim(low, high)
    at = {name: _fraction(ax, value) for name, value in ends.items()}
    names = sorted(at, key=lambda name: at[name])
    for name, y in zip(names, _apart([at[name] for name in names], _gap(ax, len(names))), strict=True):
        hue, line, marker = look[name]
        xs, ys = ([1.005, 1.03, 1.075], [at[name], y, y]) if joined and at[name] >= 0 else ([1.03, 1.075], [y, y])
        ax.plot(xs, ys, color=hue, ls=line, lw=1.3, clip_on=False, transform=ax.transAxes, label="_")
        if marker != "o":
            ax.plot([1.055], [y], marker, color=hue, ms=4, clip_on=False, transform=ax.transAxes, label="_")
        ax.text(1.09, y, short(name, letters), transform=ax.transAxes, va="center", fontsize=8, gid="label")


def swatch(ax: Any, y: float, look: Look) -> None:
    """A piece of a loss's line to the left of the axes, at a place in the units of y."""
    hue, line, _ = look
    ax.annotate(
        "", xy=(0, y), xycoords=("axes fraction", "data"), xytext=(-24, 0), textcoords="offset points",
        annotation_clip=False,
        arrowprops={"arrowstyle": "-", "color": hue, "ls": line, "lw": 2, "shrinkA": 0, "shrinkB": 4},
    )  # fmt: skip


def _gap(ax: Any, count: int) -> float:
    """How far names must stand apart, as a share of the height."""
    return min(13.0 / (0.8 * size_of(ax)[1]), 1.1 / max(count, 1))


def _fraction(ax: Any, value: float | None) -> float:
    """Where a value stands, from 0 at the bottom of the axes to 1 at the top; below it, where there is none."""
    if value is None or not np.isfinite(value) or (ax.get_yscale() == "log" and value <= 0):
        return -0.02
    up = ax.transData.transform((ax.get_xlim()[1], value))[1]
    return float(np.clip(ax.transAxes.inverted().transform((0, up))[1], 0, 1))


def _apart(wanted: list[float], gap: float) -> list[float]:
    """Places in the same order, no two closer than the gap, moved as little as needed."""
    groups = [([y], y) for y in wanted]
    merged: list[tuple[list[float], float]] = []
    for members, centre in groups:
        merged.append((members, centre))
        while len(merged) > 1 and _top(merged[-2], gap) + gap > _bottom(merged[-1], gap) + 1e-12:
            upper, lower = merged.pop(), merged.pop()
            both = lower[0] + upper[0]
            merged.append((both, sum(both) / len(both)))
    places = [_bottom(group, gap) + k * gap for group in merged for k in range(len(group[0]))]
    over = max(0.0, places[-1] - 0.98) if places else 0.0
    return [y - over for y in places]


def _bottom(group: tuple[list[float], float], gap: float) -> float:
    return group[1] - gap * (len(group[0]) - 1) / 2


def _top(group: tuple[list[float], float], gap: float) -> float:
    return group[1] + gap * (len(group[0]) - 1) / 2


def flow(ax: Any, x: float, y: float, length: float) -> None:
    """An arrow that says which way the gradient flows: to the left."""
    ax.annotate(
        "", xy=(x - length, y), xytext=(x, y), xycoords="axes fraction", annotation_clip=False,
        arrowprops={"arrowstyle": "-|>", "color": PALE, "lw": 1.2},
    )  # fmt: skip
    ax.text(x + 0.01, y, say(ax, "the gradient flows this way"), transform=ax.transAxes, fontsize=8, va="center")
