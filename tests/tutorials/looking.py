"""What is wrong with a figure, as far as a program can see."""

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg

from minigrad import figures

SMALLEST = 8  # pt


def undrawn(ax):
    """Labels of ticks beyond the ends of their axis, which matplotlib keeps and does not draw."""
    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


def lint(fig):
    """Sentences about what is wrong: nothing leaves the canvas, nothing is too small, the alt text tells the finding."""
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    width, height = canvas.get_width_height()
    found, hidden = [], {id(label) for ax in fig.axes for label in undrawn(ax)}
    for text in fig.findobj(mpl.text.Text):
        if id(text) in hidden or not text.get_visible() or not text.get_text().strip():
            continue
        box = text.get_window_extent(canvas.get_renderer())
        if not (-1 <= box.x0 and box.x1 <= width + 1 and -1 <= box.y0 and box.y1 <= height + 1):
            found.append(f"{text.get_text()!r} leaves the canvas")
        if text.get_fontsize() < SMALLEST:
            found.append(f"{text.get_text()!r} has {text.get_fontsize()} pt")
    for ax in fig.axes:
        if ax.axison and not (ax.get_xlabel() and (ax.get_ylabel() or not ax.get_yticks().size)):
            found.append(f"the axes {ax.get_title(loc='left')!r} lack a label")
        if ax.axison and not any(c.isdigit() for c in ax.get_title(loc="left")):
            found.append(f"the title {ax.get_title(loc='left')!r} states no number")
    if len(figures.alt(fig)) < 60 or len(figures.numbers(fig)) < 2:
        found.append(f"the alt text is thin: {figures.alt(fig)!r}")
    return found
