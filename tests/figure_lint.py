"""`lint(fig)`: what is wrong with a figure, in sentences; an empty list is good. Drawn at 100 dpi on Agg.

1 nothing overlaps · 2 nothing is cut off · 3 every axis is labelled or off, in at least 8 points · 4 what is said was
computed, and the title has a number · 5 there is an alternative text · 6 colours of the palette, lines that a grey print
tells apart · 7 gradient sizes on logarithmic axes, diverging maps about 0.
"""

import itertools
import re

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.text import Text

from minigrad import figures

SMALLEST = 8.0
TOUCH = 1.0  # px² that two boxes may share
NUMBER = re.compile(r"[-−+]?\d[\d ]*(?:\.\d+)?(?:e-?\d+)?")
SIZES = re.compile(r"‖|gradient size|\|∂|abs ∂")


def lint(fig):
    """All faults of a figure."""
    FigureCanvasAgg(fig)
    fig.set_dpi(100)
    fig.canvas.draw()
    texts = list(drawn_texts(fig))
    return [
        *overlaps(texts), *crossings(fig, texts), *clipped(fig, texts), *labels(fig), *small(texts), *said(fig, texts),
        *alternative(fig), *colours(fig), *alike(fig), *logarithmic(fig), *diverging(fig),
    ]  # fmt: skip


def axes_of(fig):
    return [ax for ax in fig.findobj(mpl.axes.Axes) if ax.get_visible()]


def shown(artist):
    """Whether an artist and all that holds it are visible."""
    while artist is not None:
        if not artist.get_visible():
            return False
        artist = getattr(artist, "axes", None) if getattr(artist, "axes", None) is not artist else None
    return True


def ticks_of(ax):
    """Tick labels that are drawn, by axis."""
    if not ax.axison:
        return
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_visible():
            for tick in axis._update_ticks():
                yield from (t for t in (tick.label1, tick.label2) if t.get_visible() and t.get_text().strip())


def offsets_of(ax):
    return [axis.get_offset_text() for axis in (ax.xaxis, ax.yaxis) if axis.get_offset_text().get_text()]


def drawn_texts(fig):
    """(kind, text) of everything that is written: "tick", "label", "title" or "text"."""
    seen = set()
    for ax in axes_of(fig):
        for kind, found in (
            ("tick", ticks_of(ax)), ("tick", offsets_of(ax)),
            ("label", [ax.xaxis.label, ax.yaxis.label] if ax.axison else []),
            ("title", [ax.title, ax._left_title, ax._right_title]),
            ("label", [t for legend in ax.findobj(mpl.legend.Legend) for t in legend.findobj(Text)]),
        ):  # fmt: skip
            for text in found:
                seen.add(id(text))
                if text.get_text().strip() and shown(text):
                    yield kind, text
        for axis in (ax.xaxis, ax.yaxis):
            seen.update(id(t) for t in axis.findobj(Text))
    for legend in fig.findobj(mpl.legend.Legend):
        for text in legend.findobj(Text):
            if id(text) not in seen and text.get_text().strip():
                seen.add(id(text))
                yield "label", text
    for part in fig.findobj(lambda artist: hasattr(artist, "_suptitle") and artist._suptitle is not None):
        if id(part._suptitle) not in seen and part._suptitle.get_text().strip():
            seen.add(id(part._suptitle))
            yield "title", part._suptitle
    for text in fig.findobj(Text):
        if id(text) not in seen and text.get_text().strip() and shown(text) and not hidden_twin(text, seen):
            yield ("label" if text.get_gid() == "label" else "text"), text


def hidden_twin(text, seen):
    """An axis label or super label that matplotlib keeps and does not draw."""
    ax = text.axes
    return ax is not None and not ax.axison and text in (ax.xaxis.label, ax.yaxis.label)


def box(text):
    return text.get_window_extent()


def words(text):
    return " ".join(text.get_text().split())


# --- 1 and 2 ----------------------------------------------------------------------------------------------------------
def overlaps(texts):
    boxes = [(text, box(text)) for _, text in texts]
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        if wide > 0 and high > 0 and wide * high > TOUCH:
            yield f"overlap: {words(one)!r} and {words(other)!r} share {wide * high:.0f} px²"


def crossings(fig, texts):
    bare = [(text, box(text)) for _, text in texts if not text.get_path_effects() and text.get_bbox_patch() is None]
    for ax in axes_of(fig):
        for points in polylines(ax):
            for text, b in bare:
                if crosses(points, b):
                    yield f"overlap: a line crosses {words(text)!r}, which has no halo"


def polylines(ax):
    """Every drawn line of the axes in pixels."""
    own = ax.bbox
    for line in ax.findobj(Line2D):
        if (
            line.get_gid() == "tick"
            or line in tick_lines(ax)
            or line.get_linestyle() in ("None", "", " ")
            or not shown(line)
        ):
            continue
        if line.axes is ax:
            yield clip(line.get_transform().transform(line.get_path().vertices), own if line.get_clip_on() else None)
    for lines in ax.findobj(LineCollection):
        if shown(lines):
            for path in lines.get_paths():
                yield clip(lines.get_transform().transform(path.vertices), own)


def tick_lines(ax):
    return {line for axis in (ax.xaxis, ax.yaxis) for tick in [*axis.majorTicks, *axis.minorTicks] for line in (tick.tick1line, tick.tick2line, tick.gridline)}  # fmt: skip


def clip(points, area):
    """Densely sampled points of a polyline that lie in an area."""
    points = points[np.isfinite(points).all(1)]
    if len(points) < 2:
        return np.zeros((0, 2))
    steps = np.linspace(0, 1, 60)[:, None, None]
    points = np.clip(points, -1e5, 1e5)
    dense = (points[:-1] * (1 - steps) + points[1:] * steps).reshape(-1, 2)
    if area is None:
        return dense
    inside = (dense[:, 0] >= area.x0) & (dense[:, 0] <= area.x1) & (dense[:, 1] >= area.y0) & (dense[:, 1] <= area.y1)
    return dense[inside]


def crosses(points, b):
    return bool(
        (
            (points[:, 0] > b.x0 + 1)
            & (points[:, 0] < b.x1 - 1)
            & (points[:, 1] > b.y0 + 1)
            & (points[:, 1] < b.y1 - 1)
        ).any()
    )


def clipped(fig, texts):
    wide, high = fig.canvas.get_width_height()
    for _, text in texts:
        b = box(text)
        if b.x0 < -1 or b.y0 < -1 or b.x1 > wide + 1 or b.y1 > high + 1:
            yield f"clipped: {words(text)!r} leaves the canvas"


# --- 3 ----------------------------------------------------------------------------------------------------------------
def labels(fig):
    for ax in axes_of(fig):
        if not ax.axison:
            continue
        for letter, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
            silent = not axis.get_visible() or not any(
                t.get_visible() and t.get_text() for tick in axis._update_ticks() for t in (tick.label1, tick.label2)
            )
            if not axis.label.get_text().strip() and not silent:
                yield f"labels: the {letter} axis of {words(ax._left_title)!r} has ticks and no label"


def small(texts):
    for _, text in texts:
        if text.get_fontsize() < SMALLEST:
            yield f"labels: {words(text)!r} is written in {text.get_fontsize():g} points"


# --- 4 and 5 ----------------------------------------------------------------------------------------------------------
def said(fig, texts):
    known = {
        " ".join(sentence.split())
        for part in fig.__dict__.get("_minigrad", {"said": [], "written": []}).values()
        if isinstance(part, list)
        for sentence in part
        if isinstance(sentence, str)
    }
    titles = [words(text) for kind, text in texts if kind == "title"]
    if not titles:
        yield "numbers: there is no title"
    yield from (f"numbers: the title {text!r} has no number" for text in titles if not re.search(r"\d", text))
    for kind, text in texts:
        if kind in ("title", "text") and words(text) not in known:
            yield f"numbers: {words(text)!r} did not come through say"


def alternative(fig):
    text, recorded = figures.alt(fig), list(flat(figures.numbers(fig)))
    if len(text) < 60:
        yield f"alt: expected at least 60 letters, got {len(text)}"
    found = [token for token in NUMBER.findall(text) if any(shows(token, value) for value in recorded)]
    if len(found) < 2:
        yield f"alt: expected two recorded numbers, got {found}"


def flat(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from flat(item)
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(value):
        yield value


def shows(token, value):
    """Whether a written number is this value, rounded; in percent too."""
    written = float(token.replace("−", "-").replace(" ", ""))
    digits = len(token.partition(".")[2].partition("e")[0])
    near = 0.51 * 10.0**-digits if "e" not in token else 0.06 * abs(written)
    return any(abs(written - scale * value) <= near + 1e-9 * abs(written) for scale in (1, 100))


# --- 6 ----------------------------------------------------------------------------------------------------------------
def colours(fig):
    from minigrad.figures.palette import HUES

    allowed = [mpl.colors.to_rgb(c) for c in HUES]
    for ax in axes_of(fig):
        found = [line.get_color() for line in ax.findobj(Line2D)]
        found += [t.get_color() for t in ax.findobj(Text)]
        for patch in ax.findobj(mpl.patches.Patch):
            found += [
                c
                for c, on in (
                    (patch.get_facecolor(), patch.get_fill()),
                    (patch.get_edgecolor(), patch.get_linewidth() > 0),
                )
                if on
            ]
        for each in ax.collections:
            if each.get_array() is None:
                found += [*each.get_facecolors(), *each.get_edgecolors()]
        for colour in found:
            rgba = mpl.colors.to_rgba(colour)
            if rgba[3] and max(rgba[:3]) - min(rgba[:3]) > 0.02 and not any(tinted(rgba[:3], one) for one in allowed):
                yield f"colours: {mpl.colors.to_hex(colour)} is neither of the palette nor grey"


def tinted(rgb, hue):
    """Whether a colour is a hue, or a mixture of it with white."""
    mix = [(1 - c) / (1 - h) for c, h in zip(rgb, hue, strict=True) if h < 0.999]
    return max(mix) - min(mix) < 0.03 and 0 < np.mean(mix) < 1.02


def alike(fig):
    from minigrad.explain.looks import ALIKE_IN_GREY, luminance

    for ax in axes_of(fig):
        lines = [line for line in ax.get_lines() if not line.get_label().startswith("_") and shown(line)]
        for one, other in itertools.combinations(lines, 2):
            same = one.get_linestyle() == other.get_linestyle() and one.get_marker() == other.get_marker()
            if (
                same
                and abs(luminance(mpl.colors.to_hex(one.get_color())) - luminance(mpl.colors.to_hex(other.get_color())))
                < ALIKE_IN_GREY
            ):
                yield f"colours: {one.get_label()!r} and {other.get_label()!r} cannot be told apart in grey"


# --- 7 ----------------------------------------------------------------------------------------------------------------
def logarithmic(fig):
    for ax in axes_of(fig):
        for letter, axis, scale in (("x", ax.xaxis, ax.get_xscale()), ("y", ax.yaxis, ax.get_yscale())):
            if ax.axison and SIZES.search(axis.label.get_text()) and scale != "log":
                yield f"scales: the {letter} axis {axis.label.get_text()!r} holds gradient sizes and is {scale}"


def diverging(fig):
    for ax in axes_of(fig):
        for image in [*ax.findobj(AxesImage), *(c for c in ax.collections if c.get_array() is not None)]:
            if "signed" in image.get_cmap().name or image.get_cmap().name in ("RdBu", "bwr", "coolwarm", "seismic"):
                low, high = image.get_clim()
                if not np.isclose(low, -high, rtol=1e-9):
                    yield f"scales: a diverging map from {low:g} to {high:g} is not symmetric about 0"
