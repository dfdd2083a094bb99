"""A trace and a diff as pictures: where a gradient goes, and what another loss would do."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator

from minigrad.figures.palette import BLUE, FAINT, GREEN, GREY, HALO, INK, PALE, SIGNED, SOLID, VERMILLION, looks, style
from minigrad.figures.parts import canvas, end_names, headline, listed, sizes_axis, spread, title
from minigrad.figures.saying import described, inscribed, note, number, short, together

if TYPE_CHECKING:
    from minigrad.explain import Diff, Trace

STRIP = 0.2  # half the width of a strip of units


# --- trace ------------------------------------------------------------------------------------------------------------
def trace(record: Trace, *, fig: Any = None) -> Any:
    """One sample's gradient at every layer, the input at the left: its length under each loss, shares, and every unit.

    Args:
        record: what `trace` returned; each loss in its `also` has a line of its own.
        fig: a figure to draw into, or a new one.
    """
    with style():
        modules = record.rows[::-1]
        fig = canvas(fig, min(max(7.0, 2.4 + 1.05 * len(modules)), 13.0), 5.4)
        described(fig, "The gradient of sample {sample} from {loss} back through {modules} modules to the input",
                  sample=record.sample, loss=record.loss, modules=len(modules))  # fmt: skip
        headline(fig, "{loss}: {start} is sent, {end} arrives at the input (× {factor})", loss=short(record.loss, 30),
                 start=number(record.start), end=number(record.lengths[-1]), factor=_over(record))  # fmt: skip
        axes = fig.subplots(3, 1, sharex=True, height_ratios=(3, 0.8, 1.3))
        _lengths(axes[0], record, modules)
        _shares(axes[1], modules)
        _units(axes[2], record, modules)
        note(fig, lengths=record.lengths, factors=[row.factor for row in record.rows], start=record.start,
             product=record.product, shares=[row.share for row in record.rows])  # fmt: skip
        return fig


def _over(record: Trace) -> str:
    return number(record.lengths[-1] / record.start) if record.start else "–"


def _lengths(ax: Any, record: Trace, modules: Any) -> None:
    """Length by place, one line for each loss; parallel lines are one ratio at every layer."""
    lines = {record.loss: record.lengths} | {other.loss: other.lengths for other in record.also}
    silent = {name: not sizes[0] for name, sizes in lines.items()}
    shown = {f"{name} sends nothing" if silent[name] else name: sizes[::-1] for name, sizes in lines.items()}
    look = dict(zip(shown, looks(list(lines)).values(), strict=True))
    sizes_axis(ax, "y", "‖gradient‖ of this sample", np.concatenate([np.array(sizes) for sizes in lines.values()]))
    for name, sizes in shown.items():
        hue, line, marker = look[name]
        values = np.where(np.array(sizes) > 0, sizes, np.nan)
        ax.plot(range(len(values)), values, color=hue, ls=line, marker=marker, ms=4, label=name)
    ax.set_xlim(-0.35, len(modules) + 0.35)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** 0.16)
    _bands(ax, modules, factors=True)
    ax.tick_params(axis="x", length=0)
    end_names(ax, {name: sizes[-1] for name, sizes in shown.items()}, look, letters=30)
    _title(ax, record)
    note(ax, **{f"lengths of {name}": sizes for name, sizes in lines.items()})


def _title(ax: Any, record: Trace) -> None:
    """What the others would send, or else which module takes or gives most."""
    if known := [other for other in record.also if other.ratio]:
        said = listed([together(short(other.loss, 24), "×", number(1 / other.ratio)) for other in known if other.ratio])
        title(
            ax,
            "At the loss, of {loss}'s {start}: {said}",
            loss=short(record.loss, 24),
            start=number(record.start),
            said=said,
        )
        return
    steps = [row for row in record.rows if row.factor is not None]
    if not steps:
        title(ax, "The loss sends {start}: nothing flows", start=number(record.start))
        return
    least = min(steps, key=lambda row: row.factor or 0)
    most = max(steps, key=lambda row: row.factor or 0)
    template = "{most} gives most, × {gain}; {least} takes most, × {loss}"
    gain, lost = (number(row.factor or 0) for row in (most, least))
    title(ax, template, most=most.name, gain=gain, least=least.name, loss=lost)


def _bands(ax: Any, modules: Any, *, factors: bool = False) -> None:
    """A band for each module, every other one shaded, with its factor on top."""
    crowded = len(modules) > 9
    for k, row in enumerate(modules):
        if k % 2:
            ax.axvspan(k, k + 1, color=FAINT, lw=0, zorder=-1)
        if factors and row.factor is not None:
            said = inscribed(ax, f"× {number(row.factor)}")
            ax.text(k + 0.5, 0.98, said, transform=ax.get_xaxis_transform(), ha="center", va="top", fontsize=8,
                    rotation=90 if crowded else 0, path_effects=HALO)  # fmt: skip


def _shares(ax: Any, modules: Any) -> None:
    """The share of the batch's gradient that this sample owns in each module with parameters."""
    _bands(ax, modules)
    own = [(k + 0.5, row.share) for k, row in enumerate(modules) if row.share is not None]
    ax.bar([x for x, _ in own], [share for _, share in own], 0.42, color=GREY)
    top = max((share for _, share in own), default=1.0) or 1.0
    ax.set_ylim(0, 1.55 * top)
    for x, share in own:
        said = inscribed(ax, f"{100 * share:.1f} %" if share < 0.9995 else "100 %")
        ax.text(x, share + 0.08 * top, said, ha="center", va="bottom", fontsize=8, path_effects=HALO)
    ax.yaxis.set_major_locator(NullLocator())
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="x", length=0)
    ax.set_ylabel("share")


def _units(ax: Any, record: Trace, modules: Any) -> None:
    """The gradient unit by unit at every place, each on its own scale about 0; dead units hatched."""
    _bands(ax, modules)
    places = [record.at_input, *(row.gradient for row in modules)]
    for x, values in enumerate(places):
        g = np.array(values)[:, None]  # the first unit on top
        reach = np.abs(g).max(initial=0) or 1.0
        ax.imshow(g / reach, cmap=SIGNED, vmin=-1, vmax=1, aspect="auto", extent=(x - STRIP, x + STRIP, 0, 1),
                  interpolation="nearest", zorder=2)  # fmt: skip
        ax.add_patch(Rectangle((x - STRIP, 0), 2 * STRIP, 1, fill=False, ec=PALE, lw=0.8, zorder=3))
    for k, row in enumerate(modules):
        for low, high in _runs(np.array(row.slopes) == 0):
            y, tall = 1 - high / len(row.slopes), (high - low) / len(row.slopes)
            ax.add_patch(Rectangle((k + 0.3, y), 0.4, tall, fill=False, hatch="//////", ec=GREY, lw=0, zorder=2))
    crowded = len(modules) > 9
    ax.set_xticks(np.arange(len(modules)) + 0.5, [_label(row) for row in modules], rotation=90 if crowded else 0)
    ax.tick_params(axis="x", length=0)
    ax.set(xlim=(-0.35, len(modules) + 0.35), ylim=(0, 1))
    ax.yaxis.set_major_locator(NullLocator())
    ax.spines[:].set_visible(False)
    ax.set_ylabel("units")
    dead = sum(row.dead for row in modules)
    hatched = "; hatched: dead units" if dead else ""
    ax.set_xlabel(f"←  the gradient flows this way   (units: blue −, red +{hatched})")
    note(ax, dead=dead, gradients=places)


def _label(row: Any) -> str:
    return f"{short(row.name, 14)}\n{row.sizes[0]} → {row.sizes[1]}" if row.kind == "linear" else short(row.name, 14)


def _runs(flags: Any) -> list[tuple[int, int]]:
    """Where True stands, as pairs of first and one past last."""
    found, at = [], 0
    for flag, members in groupby(flags):
        size = len(list(members))
        if flag:
            found.append((at, at + size))
        at += size
    return found


# --- diff -------------------------------------------------------------------------------------------------------------
def diff(record: Diff, *, fig: Any = None) -> Any:
    """Two losses by layer (ratio, cosine) and by sample: what each sends, and the re-weighting against p.

    Args:
        record: what `diff` returned.
        fig: a figure to draw into, or a new one.
    """
    with style():
        fig = canvas(fig, 11.0, max(3.9, 2.2 + 0.22 * len(record.rows)))
        described(fig, "{a} against {b} on {n} samples", a=record.a, b=record.b, n=record.samples)
        verdict = together("verdict:") + " " + record.verdict
        headline(fig, "a = {a}, b = {b}, {n} samples; {verdict}", a=short(record.a, 30), b=short(record.b, 30),
                 n=record.samples, verdict=verdict)  # fmt: skip
        axes = fig.subplots(1, 4, width_ratios=(1, 0.75, 1.25, 1.25))
        _by_layer(axes[0], axes[1], record)
        _by_sample(axes[2], record)
        _weights(axes[3], record)
        return fig


def _by_layer(left: Any, right: Any, record: Diff) -> None:
    """Ratio and cosine of each layer, the input below, all of them on top."""
    rows = [*record.rows[-2::-1], record.rows[-1]]
    y = np.arange(len(rows))
    ratios = [row.ratio or np.nan for row in rows]
    cosines = [np.nan if row.cosine is None else row.cosine for row in rows]
    for ax, values in ((left, ratios), (right, cosines)):
        ax.axvline(1, color=PALE, lw=0.9, zorder=0)
        ax.plot(values, y, "o", ms=6, color=BLUE)
        ax.plot(values[-1:], y[-1:], "o", ms=6, color=INK)
        ax.set_ylim(-0.6, len(rows) - 0.4)
    sizes_axis(left, "x", "‖g_a‖/‖g_b‖", [*ratios, 1.0])
    left.set_yticks(y, [short(row.name, 12) for row in rows])
    left.set_ylabel("layer")
    right.set_yticks([])
    low = min([-0.02, *(value - 0.08 for value in cosines if value == value)])
    right.set(xlabel="cosine", xlim=(low, 1.08), xticks=[0, 1] if low > -0.2 else [-1, 0, 1])
    whole = record.rows[-1]
    if whole.ratio is None or whole.cosine is None:
        title(left, "‖g_b‖ is {b}: no ratio" if not whole.b else "‖g_a‖ is {a}", a=number(whole.a), b=number(whole.b))
        title(right, "{n} cosines", n=0)
    else:
        title(left, "All layers: ratio {ratio}", ratio=number(whole.ratio))
        title(right, "cosine {cosine:.4f}", cosine=whole.cosine)
    note(left, ratios=[row.ratio for row in record.rows], cosines=[row.cosine for row in record.rows])


def _by_sample(ax: Any, record: Diff) -> None:
    """What each loss sends to every sample, right and wrong predictions apart."""
    a, b = np.array(record.delta_a), np.array(record.delta_b)
    both = (a > 0) & (b > 0)
    sizes = np.concatenate([a[both], b[both]])
    low, high = spread(sizes)
    ax.plot([low, high], [low, high], color=PALE, lw=0.9, zorder=0)
    for mask, hue, marker, name in _kinds(record):
        ax.plot(b[both & mask], a[both & mask], marker, color=hue, label=name, **_dots(marker, hue))
    sizes_axis(ax, "x", "|δ| under b, gradient size", sizes)
    sizes_axis(ax, "y", "|δ| under a, gradient size", sizes)
    unheard = int((~both).sum())
    louder = int((a > b).sum())
    key = " (● right, □ wrong)" if record.right is not None else ""
    apart = "; {silent} not heard by both" if unheard else ""
    title(ax, f"a is louder for {{louder}} of {{n}}{key}{apart}", louder=louder, n=record.samples, silent=unheard)
    note(ax, delta_a=record.delta_a, delta_b=record.delta_b)


def _kinds(record: Diff) -> list[tuple[Any, str, str, str]]:
    """Samples in two groups: predicted rightly, filled; wrongly, open."""
    if record.right is None:
        return [(np.ones(record.samples, bool), BLUE, "o", "samples")]
    said = np.array(record.right)
    return [(said, GREEN, "o", "right"), (~said, VERMILLION, "s", "wrong")]


def _dots(marker: str, hue: str) -> dict[str, Any]:
    return {"mfc": "none" if marker == "s" else hue, "ms": 4, "alpha": 0.7}


def _weights(ax: Any, record: Diff) -> None:
    """The weight of every sample against p, with the curve of the losses themselves; or else its distribution."""
    w = np.array([np.nan if value is None else value for value in record.weights])
    shown = w > 0
    if record.p is None:
        ordered = np.sort(w[shown])
        ax.plot(ordered, (np.arange(len(ordered)) + 0.5) / max(len(ordered), 1), color=BLUE)
        ax.set_ylabel("share of the samples below")
        sizes_axis(ax, "x", "w = δᵃ/δᵇ of a sample", ordered)
    else:
        _curve(ax, record)
        p = np.array(record.p)
        for mask, hue, marker, _ in _kinds(record):
            ax.plot(p[mask & shown], w[mask & shown], marker, color=hue, **_dots(marker, hue))
        ax.set(
            xlim=(-0.03, 1.03),
            xlabel=f"{record.letter} = probability of {'yes' if record.letter == 'p' else 'the true class'}",
        )
        sizes_axis(ax, "y", "w = δᵃ/δᵇ of a sample", w[shown])
    if record.quantiles is None:
        title(ax, "b sends nothing to {n} samples", n=record.silent)
    else:
        title(ax, "w from {low} to {high}, half of them below {middle}", low=number(record.quantiles[0]),
              middle=number(record.quantiles[2]), high=number(record.quantiles[-1]))  # fmt: skip
    note(ax, weights=record.weights, quantiles=record.quantiles)


def _curve(ax: Any, record: Diff) -> None:
    if record.curve is None:
        return
    grid, *curves = (np.array([np.nan if v is None or v <= 0 else v for v in values]) for values in record.curve)
    for values, line in zip(curves, (":", SOLID), strict=True):
        ax.plot(grid, values, color=GREY, ls=line, lw=1, zorder=0, label="_curve")
