"""A comparison of losses: a map of learning rates, paired differences seed by seed, and how the runs went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from minigrad.figures.palette import DOTTED, GREY, HALO, INK, PALE, SHADES, Look, looks, style
from minigrad.figures.parts import canvas, end_names, headline, listed, size_of, swatch, title
from minigrad.figures.saying import described, inscribed, note, number, say, short, together, width_of

if TYPE_CHECKING:
    from minigrad.comparison import Comparison

Looks = dict[str, Look]
CLOSE = 0.05  # how much worse than the best counts as near
TALL, ROW = 2.5, 0.5  # inches: what a figure needs beside its rows, and for each row


def race(comparison: Comparison, *, fig: Any = None) -> Any:
    """A comparison in three panels: losses × learning rates, paired differences to the first loss, epoch → metric.

    Args:
        comparison: the result of `compare`.
        fig: a Figure or SubFigure to draw into, or a new one.
    """
    with style():
        c, look = comparison, looks(comparison.losses)
        fig = canvas(fig, 10.5, height_of(c))
        described(fig, "{losses} losses compared at {rates} learning rates.", losses=len(c.losses), rates=len(c.lrs))
        headline(fig, "{title} · {n} seed{s}", title=c.title, n=len(c.seeds), s="" if len(c.seeds) == 1 else "s")
        axes = fig.subplots(1, 3, width_ratios=(1.15, 1.1, 0.95))
        _rates(axes[0], c, look)
        _differences(axes[1], c, look)
        _curves(axes[2], c, look)
        return fig


def races(comparisons: Sequence[Comparison]) -> Figure:
    """Several comparisons on one page, one below the other."""
    with style():
        heights = [height_of(c) for c in comparisons]
        fig = canvas(None, 10.5, sum(heights))
        parts = fig.subfigures(len(comparisons), 1, hspace=0.06, squeeze=False, height_ratios=heights)
        for comparison, part in zip(comparisons, parts[:, 0], strict=True):
            race(comparison, fig=part)
    return fig  # type: ignore[no-any-return]


def height_of(c: Comparison) -> float:
    """Inches that the rows of a comparison need."""
    return max(3.9, TALL + ROW * len(c.losses))


# --- learning rates ---------------------------------------------------------------------------------------------------
def _rates(ax: Any, c: Comparison, look: Looks) -> None:
    """A map: the darker, the better; the best rate of each loss is boxed, one at which most runs diverged hatched."""
    scores = np.array([[c.score(loss, lr) for lr in c.lrs] for loss in c.losses])
    known = np.isfinite(scores)
    good = scores if c.higher_is_better else -scores
    shade = _shade(good, known)
    ax.imshow(shade, cmap=SHADES, vmin=0, vmax=1, aspect="auto")
    size = 8.0 if _fits(ax, scores[known], len(c.lrs)) else 0.0
    for i, loss in enumerate(c.losses):
        for j in range(len(c.lrs)):
            if not known[i, j]:
                ax.add_patch(_cell(i, j, hatch="////", edgecolor=PALE, lw=0))
            elif size:
                ink = "white" if shade[i, j] > 0.75 else INK
                said = inscribed(ax, number(scores[i, j]))
                ax.text(j, i, said, ha="center", va="center", fontsize=size, color=ink)
        ax.add_patch(_cell(i, c.lrs.index(c.best_lr(loss)), edgecolor=INK, lw=1.6, inset=0.04))
        note(ax, **{f"rates of {loss}": scores[i], f"best rate of {loss}": c.best_lr(loss)})
    near = {loss: int(_near(c, row).sum()) for loss, row in zip(c.losses, scores, strict=True)}
    note(ax, **{f"tolerance of {loss}": count for loss, count in near.items()})
    said = ", ".join(f"{loss} {count}" for loss, count in near.items())
    say(ax, "Rates that come within 5 % of the best: {near}", near=said)
    _name_rows(ax, c, look)
    ticks = [f"{lr:g}" for lr in c.lrs]
    crowded = max(width_of(tick, 8) for tick in ticks) > 0.9 * size_of(ax)[0] / len(ticks)
    ax.set_xticks(range(len(ticks)), ticks, rotation=90 if crowded else 0)
    ax.set_xlabel("learning rate" + (" (hatched: diverged)" if not known.all() else ""))
    rates = listed([together(short(loss), f"{c.best_lr(loss):g}") for loss in c.losses])
    template = "Validation {metric}, median; boxed: best of {rates} rates, {best}"
    title(ax, template, metric=c.metric, rates=len(c.lrs), best=rates)


def _first_steps(ax: Any, c: Comparison) -> list[str]:
    """How long the first gradient of each loss is: why one rate is not the same step for two losses."""
    steps = {loss: c.first_step(loss) for loss in c.losses[1:]}
    note(ax, **{f"first step of {loss}": step for loss, step in steps.items()})
    known = [together(loss, f"{step:.2g}") for loss, step in steps.items() if np.isfinite(step)]
    if not known:
        return [""] * len(c.losses)
    say(ax, "First gradient, {first} = 1: {steps}", first=c.losses[0], steps=listed(known))
    return [f"\nfirst gradient {step:.2g}" if np.isfinite(step) else "" for step in (1, *steps.values())]


def _near(c: Comparison, scores: Any) -> Any:
    """Where a rate is hardly worse than the best of its row: by 5 points of accuracy and its kin, 5 % of an error."""
    if not np.isfinite(scores).any():
        return np.zeros(len(scores), bool)
    if c.higher_is_better:
        return scores >= scores[np.isfinite(scores)].max() - CLOSE
    return scores <= scores[np.isfinite(scores)].min() * (1 + CLOSE)


def _shade(good: Any, known: Any) -> Any:
    """0 for the worst, 1 for the best; what is far worse than most does not use up all shades."""
    if not known.any():
        return np.zeros(good.shape)
    best = good[known].max()
    worst = max(good[known].min(), best - 3 * (best - np.median(good[known])))
    span = best - worst
    return np.where(known, np.clip((np.where(known, good, worst) - worst) / span, 0, 1) if span > 0 else 0.5, 0)


def _fits(ax: Any, scores: Any, columns: int) -> bool:
    """Whether numbers have room in the cells."""
    widest = max((width_of(number(score), 8) for score in scores), default=0.0)
    return widest < 0.72 * size_of(ax)[0] / columns


def _cell(i: int, j: int, *, inset: float = 0.0, **looks_: Any) -> Rectangle:
    return Rectangle((j - 0.5 + inset, i - 0.5 + inset), 1 - 2 * inset, 1 - 2 * inset, fill=False, **looks_)


def _name_rows(ax: Any, c: Comparison, look: Looks) -> None:
    """The name of every loss beside its row, with a piece of its line and the length of its first gradient."""
    names = [f"{short(loss)}{step}" for loss, step in zip(c.losses, _first_steps(ax, c), strict=True)]
    ax.set_yticks(range(len(c.losses)), names)
    ax.tick_params(length=0)
    ax.tick_params(axis="y", pad=26)
    for i, loss in enumerate(c.losses):
        swatch(ax, i, look[loss])
    ax.set(xlim=(-0.5, len(c.lrs) - 0.5), ylim=(len(c.losses) - 0.5, -0.5), ylabel="loss")
    ax.spines[:].set_visible(False)


# --- paired differences -----------------------------------------------------------------------------------------------
def _differences(ax: Any, c: Comparison, look: Looks) -> None:
    """One dot per seed, the exact interval as a bar, its median as a tick; 0 is the first loss."""
    ax.axvline(0, color=GREY, lw=1, zorder=1)
    ax.text(0.02, -0.25, inscribed(ax, "the reference"), transform=ax.get_yaxis_transform(), va="center",
            fontsize=8, path_effects=HALO)  # fmt: skip
    for i, loss in enumerate(c.losses[1:], 1):
        d, row, hue = c.differences(loss), c.row(loss), look[loss][0]
        jitter = np.linspace(-0.08, 0.08, len(d)) if len(d) > 1 else np.zeros(1)
        ax.plot(d, i + 0.1 + jitter, "o", ms=4, color=hue, alpha=0.65, mec="none")
        if row.low is not None:
            ax.plot([row.low, row.high], [i + 0.3] * 2, color=hue, lw=3.5, solid_capstyle="butt")
        ax.plot([row.difference], [i + 0.3], "|", color=INK, ms=9, mew=1.6)
        note(ax, **{f"differences of {loss}": d, f"interval of {loss}": [row.low, row.high]})
        _verdict(ax, i, loss, row)
    ax.set_ylim(len(c.losses) - 0.5, -0.5)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    sign = "higher is better" if c.higher_is_better else "lower is better"
    ax.set_xlabel(f"test {c.metric} minus that of {short(c.losses[0], 14)}\n({sign})")
    ax.margins(x=0.08)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    medians = {loss: float(c.row(loss).difference or 0) for loss in c.losses[1:]}
    said = listed([together(short(loss), signed(value)) for loss, value in medians.items()])
    template = "Paired differences to {first}, median of {seeds}: {said}" if medians else "{seeds} seeds of one loss"
    title(ax, template, first=short(c.losses[0]), seeds=len(c.seeds), said=said)
    note(ax, **{f"difference of {loss}": value for loss, value in medians.items()})


def _verdict(ax: Any, i: int, loss: str, row: Any) -> None:
    """The verdict over the dots, with the interval."""
    better, _, _ = row.verdict.partition(" than ")
    interval = {"low": signed(row.low), "high": signed(row.high)} if better in ("better", "worse") else {}
    said = say(ax, "{verdict}" + (", {low} … {high}" if interval else ""), alt=False, verdict=better, **interval)
    say(ax, "{loss}: {verdict}", loss=loss, verdict=row.verdict)
    ax.text(0.02, i - 0.25, said, transform=ax.get_yaxis_transform(), va="center", fontsize=8, path_effects=HALO)


def signed(value: float) -> str:
    """A difference with its sign."""
    return number(value) if value < 0 else f"+{number(value)}"


# --- curves -----------------------------------------------------------------------------------------------------------
def _curves(ax: Any, c: Comparison, look: Looks) -> None:
    """Epoch → metric on validation data, seeds thin, their median thick; the best constant as a grey line."""
    ends: dict[str, float | None] = {}
    for loss in c.losses:
        runs = [run.curve for run in c.best(loss) if not run.diverged and run.curve]
        length = min(map(len, runs), default=0)
        ends[loss] = None
        if not length:
            continue
        curves, epochs = np.array([run[:length] for run in runs]), np.arange(1, length + 1)
        median = np.median(curves, 0)
        ax.plot(epochs, curves.T, color=look[loss][0], lw=0.5, alpha=0.25)
        ax.plot(
            epochs, median, color=look[loss][0], ls=look[loss][1], lw=2, label=loss, marker="o" if length == 1 else ""
        )
        ends[loss] = float(median[-1])
        note(ax, **{f"curve of {loss}": median})
    ax.set(xlabel="epoch", ylabel=f"{c.metric} on validation data")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    flat = _constant(ax, c)
    constant: Looks = {} if flat is None else {"constant": (GREY, DOTTED, "o")}
    end_names(ax, {**ends, **dict.fromkeys(constant, flat)}, {**look, **constant}, letters=14)
    medians = listed([together(short(row.loss), number(row.median)) for row in c.rows[1:]])
    title(ax, "Test {metric}, median: {medians}; best {constant}", metric=c.metric, medians=medians,
          constant=together("constant", number(c.rows[0].median)))  # fmt: skip
    note(ax, **{f"median of {row.loss}": row.median for row in c.rows})


def _constant(ax: Any, c: Comparison) -> float | None:
    """A line at what the best constant reaches on validation data, if that is near enough to be shown."""
    known = [run.constant_validation for run in c.best(c.losses[0])]
    flat = float(np.median(known)) if np.isfinite(known).all() else c.rows[0].median
    low, high = ax.get_ylim()
    near = bool(low - 0.4 * (high - low) < flat < high + 0.4 * (high - low))
    if near:
        ax.axhline(flat, color=GREY, lw=1.2, ls=DOTTED, zorder=0, label="constant")
    note(ax, constant_validation=flat)
    return flat if near else None
