"""Pictures: matplotlib, and only here.

Every function takes a record, returns the Figure and shows nothing. Whatever number a picture states is written by
`say`, which records it: `numbers(fig)` reads all of them back, `alt(fig)` makes the alternative text of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib import patheffects
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FixedLocator, NullLocator

if TYPE_CHECKING:
    from minigrad.comparison import Comparison

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
GREY, PALE = "#404040", "#B0B0B0"
SOLID, DASHED, DASHDOT, DOTTED = "-", "--", "-.", ":"
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
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
STYLE: Any = {
    "font.size": 9, "axes.titlesize": 9.5, "axes.labelsize": 9, "xtick.labelsize": 8, "ytick.labelsize": 8,
    "legend.fontsize": 8, "text.color": GREY, "axes.labelcolor": GREY, "xtick.color": GREY, "ytick.color": GREY,
    "axes.edgecolor": PALE, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
    "axes.titlelocation": "left", "lines.linewidth": 1.6, "figure.dpi": 100, "savefig.dpi": 160,
    "figure.constrained_layout.use": True, "axes.titlecolor": "#202020",
}  # fmt: skip


HALO = [patheffects.withStroke(linewidth=3, foreground="white")]  # keeps a text readable where a line crosses it


@contextmanager
def style() -> Iterator[None]:
    """Sizes, greys and layout of all figures, for the block alone: matplotlib's own settings stay as they are."""
    with mpl.rc_context(STYLE):
        yield


def colour(loss: Any) -> tuple[str, str]:
    """Colour and line style of a loss, the same in every figure; a loss without its own gets black dash-dot."""
    return LOOKS.get(str(loss).partition("(")[0], (BLACK, DASHDOT))


def looks(losses: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and line style of each loss of one figure: its own, or the next free pair in order of name."""
    used: dict[str, tuple[str, str]] = {}
    for loss in losses:
        if (own := LOOKS.get(str(loss).partition("(")[0])) and own not in used.values():
            used[loss] = own
    free = [pair for pair in LOOKS.values() if pair not in used.values()]
    for loss in sorted(set(losses) - set(used)):
        used[loss] = free.pop(0) if free else (BLACK, DASHDOT)
    return {loss: used[loss] for loss in losses}


# --- what a figure says -----------------------------------------------------------------------------------------------
def say(where: Any, template: str, **values: Any) -> str:
    """Format a sentence, and record its numbers with the figure of these axes: `say(ax, "{share:.0%}", share=…)`."""
    record = _record(where.figure if hasattr(where, "transAxes") else where)
    record["numbers"].update({key: _number(value) for key, value in values.items()})
    sentence = template.format(**values)
    record["said"].append(sentence)
    return sentence


def note(where: Any, **values: Any) -> None:
    """Record numbers that are plotted and not said."""
    _record(where.figure if hasattr(where, "transAxes") else where)["numbers"].update(
        {key: _number(value) for key, value in values.items()}
    )


def numbers(fig: Any) -> dict[str, Any]:
    """Everything that was plotted and said, by name."""
    return dict(_record(fig)["numbers"])


def alt(fig: Any) -> str:
    """The alternative text: what is drawn, and what it shows, with the numbers."""
    return " ".join(sentence.rstrip(".").replace("\n", " ") + "." for sentence in _record(fig)["said"])


def _record(fig: Any) -> dict[str, Any]:
    while isinstance(fig, SubFigure):
        fig = fig.figure
    if not hasattr(fig, "_minigrad"):
        fig._minigrad = {"numbers": {}, "said": []}
    record: dict[str, Any] = fig._minigrad
    return record


def _number(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


# --- a run ------------------------------------------------------------------------------------------------------------
def history(record: Any, *, fig: Figure | None = None) -> Figure:
    """How a run went: loss, and beside it the metrics, by epoch; the restored weights are marked.

    Args:
        record: a `History`, as `fit` returns it.
        fig: a figure to draw into, or a new one.
    """
    with style():
        fig = fig or Figure(figsize=(7.2, 3.2) if record.metrics else (4.4, 3.2))
        axes: Any = fig.subplots(1, 2 if record.metrics else 1, squeeze=False)[0]
        epochs = [row.epoch for row in record.rows]
        _curve(axes[0], epochs, [row.loss for row in record.rows], str(record.loss), "training", SOLID)
        valid = [row.validation["loss"] for row in record.rows if row.validation]
        if valid:
            _curve(axes[0], epochs[-len(valid) :], valid, str(record.loss), "validation", DASHED)
        axes[0].set(xlabel="epoch", ylabel=f"{record.loss}, mean over samples")
        best = record.best
        held_out = best.validation["loss"] if best.validation else best.loss
        part = "validation" if best.validation else "training"
        axes[0].set_title(
            say(axes[0], "{part} loss {least:.3g} at epoch {epoch}", part=part, least=held_out, epoch=best.epoch)
        )
        axes[0].axvline(best.epoch, color=PALE, lw=0.8, zorder=0)
        axes[0].legend()
        if record.metrics:
            _metric_panel(axes[1], record, epochs)
        note(axes[0], epochs=epochs, loss=[row.loss for row in record.rows], validation_loss=valid)
    return fig


def _metric_panel(ax: Any, record: Any, epochs: list[int]) -> None:
    for name, look in zip(
        record.metrics, ((GREEN, SOLID), (BLUE, DASHED), (BLACK, DOTTED), (SKY, DASHDOT)), strict=False
    ):
        part = "validation" if record.rows[-1].validation else "training"
        values = [getattr(row, part)[name] for row in record.rows]
        ax.plot(epochs, values, color=look[0], ls=look[1], label=f"{name}, {part}")
        note(ax, **{name: values})
    first = record.metrics[0]
    part = "validation" if record.best.validation else "training"
    value = getattr(record.best, part)[first]
    ax.set_title(say(ax, "{metric} {value:.4g} with these weights", metric=first, value=value))
    ax.axvline(record.best.epoch, color=PALE, lw=0.8, zorder=0)
    ax.set(xlabel="epoch", ylabel=", ".join(record.metrics))
    ax.legend()


def _curve(ax: Any, x: Any, y: Any, loss: str, label: str, line: str) -> None:
    ax.plot(x, y, color=colour(loss)[0], ls=line, label=label)


# --- a comparison -----------------------------------------------------------------------------------------------------
def race(comparison: Comparison, *, fig: Any = None) -> Any:
    """A comparison in three panels: rates, paired differences to the first loss, curves.

    Args:
        comparison: the result of `compare`.
        fig: a Figure or SubFigure to draw into, or a new one.
    """
    with style():
        fig = fig if fig is not None else Figure(figsize=(10.5, 3.9))
        look = looks(comparison.losses)
        title = say(fig, "{title} · {n} seeds", title=comparison.title, n=len(comparison.seeds))
        fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", color="#202020")
        axes = fig.subplots(1, 3, width_ratios=(1, 1.15, 1.1))
        _rates(axes[0], comparison, look)
        _differences(axes[1], comparison, look)
        _curves(axes[2], comparison, look)
    return fig


def _rates(ax: Any, c: Comparison, look: Any) -> None:
    """Learning rate → median validation metric, one line per loss; the best of each is ringed."""
    for loss in c.losses:
        scores = np.array([c.score(loss, lr) for lr in c.lrs])
        shown = np.isfinite(scores)
        ax.plot(np.array(c.lrs)[shown], scores[shown], color=look[loss][0], ls=look[loss][1], marker="o", ms=3.5)
        best = c.best_lr(loss)
        ax.plot(best, c.score(loss, best), "o", ms=9, mfc="none", mec=look[loss][0], mew=1.4)
        note(ax, **{f"rates of {loss}": scores})
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(list(c.lrs)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels([f"{lr:g}" for lr in c.lrs])
    ax.set(xlabel="learning rate", ylabel=f"{c.metric} on validation data, median")
    ax.margins(x=0.12, y=0.12)
    rates = ", ".join(f"{loss} {c.best_lr(loss):g}" for loss in c.losses)
    note(ax, **{f"best rate of {loss}": c.best_lr(loss) for loss in c.losses})
    ax.set_title(say(ax, "Each at its own best learning rate:\n{rates}", rates=rates))


def _differences(ax: Any, c: Comparison, look: Any) -> None:
    """One dot per seed, the median as a tick, the exact interval as a bar; 0 is the first loss."""
    others = c.losses[1:]
    ax.axvline(0, color=GREY, lw=1, zorder=1)
    for i, loss in enumerate(others):
        d, row, colour_ = c.differences(loss), c.row(loss), look[loss][0]
        spread = np.linspace(-0.12, 0.16, len(d)) if len(d) > 1 else np.zeros(1)
        ax.plot(d, i + spread, "o", ms=4.5, color=colour_, alpha=0.65, mec="none")
        if row.low is not None:
            ax.plot([row.low, row.high], [i + 0.3] * 2, color=colour_, lw=3, solid_capstyle="butt")
        ax.plot([row.difference], [i + 0.3], "|", color="#202020", ms=10, mew=1.6)
        note(ax, **{f"differences of {loss}": d, f"interval of {loss}": [row.low, row.high]})
        said = say(ax, "{loss}: {verdict}", loss=loss, verdict=row.verdict)
        ax.text(0.0, i - 0.26, said, transform=ax.get_yaxis_transform(), va="bottom", fontsize=8.5, path_effects=HALO)
    ax.set_ylim((len(others) - 0.4, -0.6) if others else (1, -1))
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    sign = "higher is better" if c.higher_is_better else "lower is better"
    ax.set_xlabel(f"test {c.metric} minus that of {c.losses[0]},\nseed by seed ({sign})")
    ax.margins(x=0.12)
    medians = ", ".join(f"{loss} {c.row(loss).difference:+.3f}".replace("-0", "−0") for loss in others) or "none"
    ax.set_title(say(ax, "Median paired difference to {first}:\n{medians}", first=c.losses[0], medians=medians))


def _curves(ax: Any, c: Comparison, look: Any) -> None:
    """Epoch → metric on validation data, seeds thin, the median thick; the constant prediction as a grey line."""
    known = [run.constant_validation for run in c.best(c.losses[0])]
    flat = float(np.median(known)) if np.isfinite(known).all() else c.rows[0].median
    for loss in c.losses:
        runs = [run.curve for run in c.best(loss) if not run.diverged]
        length = min(map(len, runs), default=0)
        if not length:
            continue
        curves = np.array([run[:length] for run in runs])
        epochs = np.arange(1, length + 1)
        ax.plot(epochs, curves.T, color=look[loss][0], lw=0.5, alpha=0.3)
        ax.plot(epochs, np.median(curves, 0), color=look[loss][0], ls=look[loss][1], lw=2, label=loss)
        note(ax, **{f"curve of {loss}": np.median(curves, 0)})
    low, high = ax.get_ylim()
    near = low - 0.5 * (high - low) < flat < high + 0.5 * (high - low)
    shown = {"ls": DOTTED} if near else {"ls": "none"}
    label = say(ax, "best constant: {flat:.3f}{away}", flat=flat, away="" if near else ", off the scale")
    ax.plot([1], [flat if near else low], color=GREY, lw=1, label=label, **shown)
    if near:
        ax.axhline(flat, color=GREY, lw=1, ls=DOTTED, zorder=0)
    ax.set(xlabel="epoch", ylabel=f"{c.metric} on validation data")
    medians = ", ".join(f"{row.loss} {row.median:.3f}" for row in c.rows[1:])
    ax.set_title(say(ax, "On test data, {metric} in the median:\n{medians}", metric=c.metric, medians=medians))
    ax.legend(loc="best")


def races(comparisons: Sequence[Comparison]) -> Figure:
    """Several comparisons on one page, one below the other."""
    with style():
        fig = Figure(figsize=(10.5, 3.9 * len(comparisons)))
        parts: Any = fig.subfigures(len(comparisons), 1, hspace=0.04, squeeze=False)
        for comparison, part in zip(comparisons, parts[:, 0], strict=True):
            race(comparison, fig=part)
    return fig
