"""A picture of a run: a panel for each case with the peers' ratios, and one for each growth with its lines.

It is drawn from what is written as JSON: `draw(json.load(open("runs.json"))).savefig("runs.png")`.
"""

import math
import statistics

from benchmarks.cases import LOSSES
from benchmarks.report import named
from minigrad import figures
from minigrad.figures.palette import BLUE, GREEN, GREY, ORANGE, PALE, PURPLE, SKY, VERMILLION
from minigrad.figures.parts import canvas, end_names, power, spread, title

OURS = ("minigrad", "fit", "get built-in", "get pack:name", "get name")
LOOKS = {
    "numpy": (GREY, "--", "o"),
    "minigrad": (BLUE, "-", "o"),
    "fit": (SKY, "-", "o"),
    "torch": (VERMILLION, "-", "o"),
    "jax": (GREEN, "-", "o"),
    "autograd": (PURPLE, "-", "o"),
    "mygrad": (ORANGE, "-", "o"),
    "get built-in": (BLUE, "-", "o"),
    "get name": (SKY, "-", "o"),
}
COLUMNS = 3


def draw(everything):
    """The figure of a run."""
    panels = [*compared(everything["cases"]), *((growth_panel, *one) for one in everything["growth"].items())]
    if not panels:
        raise ValueError("figure: expected ratios or growth to draw, got none; measure numpy beside minigrad")
    rows = -(-len(panels) // COLUMNS)
    with figures.style():
        fig = canvas(None, 4.6 * min(COLUMNS, len(panels)), 3.0 * rows)
        axes = fig.subplots(rows, min(COLUMNS, len(panels)), squeeze=False).ravel()
        for ax, (panel, name, found) in zip(axes, panels):
            panel(ax, name, found)
        for ax in axes[len(panels) :]:
            ax.remove()
    return fig


def compared(cases):
    """A panel for each case; one for all sizes of a loss, if it was measured at three or more."""
    losses = {}
    for name, case in cases.items():
        if name.partition("@")[0] in LOSSES and case["ratios"]:
            losses.setdefault(name.partition("@")[0], {})[float(name.partition("@")[2])] = case
    lines = {name: sizes for name, sizes in losses.items() if len(sizes) > 2}
    alone = [(n, case) for n, case in cases.items() if case["ratios"] and n.partition("@")[0] not in lines]
    return [*((ratio_panel, *one) for one in alone), *((loss_panel, *one) for one in lines.items())]


def base(case):
    """What a case's ratios are drawn against: the first that was measured."""
    return next(iter(case["ratios"]), None)


def ratio_panel(ax, name, case):
    """A dot for each peer at the median of its ratios, a bar from quartile to quartile; the quickest is on top."""
    against = base(case)
    ratios, what = case["ratios"][against], "time" if case["unit"] == "s" else "memory"
    order = sorted(ratios, key=lambda peer: -ratios[peer][0])
    for y, peer in enumerate(order):
        middle, low, high = ratios[peer]
        hue = BLUE if peer in OURS else GREY
        ax.plot([low, high], [y, y], color=hue, lw=4, alpha=0.4, solid_capstyle="butt")
        ax.plot([middle], [y], "o", color=hue, ms=5)
    ax.axvline(1, color=PALE, lw=1, zorder=0)
    ax.set_xscale("log")
    ax.set_xlim(*spread([value for three in ratios.values() for value in three]))
    ticks(ax.xaxis)
    ax.set_yticks(range(len(order)), [f"{named(peer)}  {ratios[peer][0]:.2f}" for peer in order])
    ax.set_ylim(-0.6, len(order) - 0.4)
    ax.set(xlabel=f"÷ {against}, median and quartiles", ylabel="peer")
    ours = [peer for peer in order if peer in OURS]
    best = ours[-1] if ours else order[-1]
    title(
        ax,
        "{case}: " + named(best) + " takes {share:.2f} × the " + what + " of " + against,
        case=name,
        share=ratios[best][0],
    )
    figures.note(ax, **{f"{name} {peer}": three for peer, three in ratios.items()})


def loss_panel(ax, name, by_size):
    """The ratio of each peer against the number of predictions."""
    sizes, against, ends = sorted(by_size), base(next(iter(by_size.values()))), {}
    found = [by_size[size]["ratios"][against] for size in sizes]
    for peer in found[-1]:
        hue, line, marker = LOOKS[peer]
        values = [ratios[peer][0] for ratios in found]
        ax.plot(sizes, values, color=hue, ls=line, marker=marker, ms=3, label=named(peer))
        ends[named(peer)] = values[-1]
        figures.note(ax, **{f"{name} {peer}": values})
    axes_of(ax, "predictions", f"÷ {against}")
    end_names(ax, ends, {named(peer): look for peer, look in LOOKS.items()})
    share = found[-1].get("minigrad", [math.nan])[0]
    title(ax, "{loss}: minigrad takes {share:.2f} × the time of {against}", loss=name, share=share, against=against)


def axes_of(ax, x, y):
    """Both logarithmic."""
    ax.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
    ticks(ax.xaxis)
    ticks(ax.yaxis)


def growth_panel(ax, name, axis):
    """A line for each peer, both axes logarithmic; the exponents of ours are in the title."""
    ends, told = {}, []
    for peer, found in axis["peers"].items():
        if found["missing"]:
            continue
        sizes = [row[0] for row in found["rounds"][0]]
        times = [statistics.median(one[i][1] for one in found["rounds"]) for i in range(len(sizes))]
        hue, line, marker = LOOKS[peer]
        ax.plot(sizes, times, color=hue, ls=line, marker=marker, ms=3, label=named(peer))
        ends[named(peer)] = times[-1]
        if peer in OURS:
            told.append(f"{named(peer)} " + f"{found['exponent'][0]:.2f}".replace("-", "−"))
            figures.note(ax, **{f"{name} {peer}": found["exponent"]})
    axes_of(ax, name.partition("@")[2], "seconds")
    end_names(ax, ends, {named(peer): look for peer, look in LOOKS.items()})
    title(ax, "{case}: exponent of " + ", ".join(told or ["nothing of minigrad"]), case=name)


def ticks(axis):
    """A few ticks at plain numbers: powers of ten, or more where there are too few of them."""
    low, high = axis.get_view_interval()
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for leading in ((1,), (1, 2, 5), (1, 1.2, 1.5, 2, 3, 4, 5, 7)):
        chosen = [value for k in decades for m in leading if low <= (value := m * 10.0**k) <= high]
        if len(chosen) > 2:
            break
    axis.set_ticks(chosen[:: -(-len(chosen) // 5)], minor=False)
    axis.set_ticks([], minor=True)
    axis.set_major_formatter(lambda value, _: power(value))
