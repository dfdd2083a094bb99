"""A run of `fit`: loss and metrics by epoch, and what reached every layer at every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from minigrad.figures.palette import (
    BLACK,
    BLUE,
    DASHDOT,
    DASHED,
    DOTTED,
    GREEN,
    PALE,
    SHADES,
    SKY,
    SOLID,
    colour,
    style,
)
from minigrad.figures.parts import canvas, end_names, plural, power, sizes_axis, spread, title
from minigrad.figures.saying import described, note, number, short

if TYPE_CHECKING:
    from minigrad.history import History

METRICS = ((GREEN, SOLID), (BLUE, DASHED), (BLACK, DOTTED), (SKY, DASHDOT))
HEALTHY = 1e-3  # the update ratio of a training that goes well


# --- loss and metrics -------------------------------------------------------------------------------------------------
def history(record: History, *, fig: Any = None) -> Any:
    """How a run went: loss, and beside it the metrics, by epoch; the epoch of the restored weights is marked.

    Args:
        record: a `History`, as `fit` returns it.
        fig: a figure to draw into, or a new one.
    """
    with style():
        fig = canvas(fig, 8.4 if record.metrics else 4.8, 3.3)
        epochs = [row.epoch for row in record.rows]
        described(fig, "A run of {n} with {loss}", n=plural(len(epochs), "epoch"), loss=str(record.loss))
        axes = fig.subplots(1, 2 if record.metrics else 1, squeeze=False)[0]
        _loss(axes[0], record, epochs)
        if record.metrics:
            _metrics(axes[1], record, epochs)
        return fig


def _loss(ax: Any, record: History, epochs: list[int]) -> None:
    """Training solid, validation dashed, both in the colour of the loss."""
    hue = colour(record.loss)[0]
    curves = {"training": [row.loss for row in record.rows]}
    if all(row.validation for row in record.rows):
        curves["validation"] = [row.validation["loss"] for row in record.rows]
    look = {name: (hue, line, "o") for name, line in zip(curves, (SOLID, DASHED), strict=False)}
    _by_epoch(ax, record, epochs, curves, look)
    ax.set_ylabel(f"{short(record.loss)}, mean over samples")
    part, best = list(curves)[-1], record.best
    least = best.validation["loss"] if best.validation else best.loss
    title(ax, "{part} loss {least} at epoch {epoch}", part=part.capitalize(), least=number(least), epoch=best.epoch)
    note(ax, epochs=epochs, loss=curves["training"], validation_loss=curves.get("validation", []), least=least)


def _metrics(ax: Any, record: History, epochs: list[int]) -> None:
    part = "validation" if record.best.validation else "training"
    curves = {name: [getattr(row, part)[name] for row in record.rows] for name in record.metrics}
    look = {name: (*METRICS[k % len(METRICS)], "os^D"[k // len(METRICS) % 4]) for k, name in enumerate(curves)}
    _by_epoch(ax, record, epochs, curves, look)
    ax.set_ylabel(f"on {part} samples")
    first = record.metrics[0]
    value = getattr(record.best, part)[first]
    title(ax, "With these weights {part} {metric} is {value}", part=part, metric=first, value=number(value))
    note(ax, **curves, value=value)


def _by_epoch(ax: Any, record: History, epochs: list[int], curves: Any, look: Any) -> None:
    for name, values in curves.items():
        hue, line, marker = look[name]
        ax.plot(
            epochs,
            values,
            color=hue,
            ls=line,
            marker=marker if len(epochs) == 1 or marker != "o" else "",
            ms=4,
            label=name,
        )
    ax.axvline(record.best.epoch, color=PALE, lw=0.8, zorder=0)
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    end_names(ax, {name: values[-1] if values else None for name, values in curves.items()}, look, letters=12)


# --- layers -----------------------------------------------------------------------------------------------------------
def depth(histories: Any, *, fig: Any = None) -> Any:
    """What reaches every layer at every step, one map for each run; below, the first layer over the last.

    Args:
        histories: a `History`, or several by name: {"cross_entropy": history, …}.
        fig: a figure to draw into, or a new one.
    """
    with style():
        runs = dict(histories) if isinstance(histories, Mapping) else {str(histories.loss): histories}
        columns = min(len(runs), 4)
        blocks = -(-len(runs) // columns)
        fig = canvas(fig, max(4.8, 2.2 + 2.6 * columns), 4.4 * blocks)
        described(fig, "Gradient norms of {layers} by step, in {runs}", runs=plural(len(runs), "run"),
                  layers=plural(_layers(runs), "layer"))  # fmt: skip
        axes = fig.subplots(2 * blocks, columns, squeeze=False, height_ratios=(2, 1) * blocks)
        sizes = [size for run in runs.values() for values in run.gradient_norm.values() for size in values]
        norm = LogNorm(*spread(sizes))
        for k, (name, run) in enumerate(runs.items()):
            block, column = divmod(k, columns)
            image = _map(axes[2 * block, column], name, run, norm)
            _quotient(axes[2 * block + 1, column], name, run)
        for ax in axes.ravel():
            ax.set_visible(ax.has_data())
        bar = fig.colorbar(image, ax=axes[::2].ravel().tolist(), aspect=30, pad=0.02)
        sizes_axis(bar.ax, "y", "‖∂loss/∂θ‖ of a layer")
        bar.outline.set_visible(False)
        return fig


def _layers(runs: Any) -> int:
    return max(len(run.gradient_norm) for run in runs.values())


def _map(ax: Any, name: str, run: History, norm: Any) -> Any:
    """Step × layer, the input below; a line where the update ratio is 1e-3."""
    layers = run.gradient_norm
    values = np.array(list(layers.values()))
    steps = np.arange(1, values.shape[1] + 2)
    ax.set_facecolor("#E6E6E6")  # where nothing arrives
    shown = np.ma.masked_where(~(values > 0), values)
    image = ax.pcolormesh(steps, np.arange(len(values) + 1) - 0.5, shown, cmap=SHADES, norm=norm, rasterized=True)
    ax.set_yticks(range(len(values)), [short(layer, 12) for layer in layers])
    ax.set(ylabel="layer", ylim=(-0.5, len(values) - 0.5))
    _steps(ax, values.shape[1])
    _contour(ax, run)
    factor = (values[0, 0] / values[-1, 0]) ** (1 / max(len(values) - 1, 1)) if values[-1, 0] > 0 else np.nan
    title(ax, "{loss}: × {factor} from layer to layer at the start", loss=short(name, 28), factor=number(factor))
    note(ax, **{f"gradient norms of {name}": values, f"factor of {name}": factor})
    return image


def _contour(ax: Any, run: History) -> None:
    ratio = np.array(list(run.update_ratio.values()))
    note(ax, **{"update ratios": ratio})
    if min(ratio.shape) < 2 or not (ratio > 0).any():
        return
    width = max(ratio.shape[1] // 30, 1)
    window = np.ones(width)
    logs, count = np.log10(np.maximum(ratio, 1e-12)), np.convolve(np.ones(ratio.shape[1]), window, "same")
    smooth = np.array([np.convolve(row, window, "same") / count for row in logs])
    place = np.arange(ratio.shape[1]) + 1.5
    ax.contour(place, range(len(ratio)), smooth, levels=[np.log10(HEALTHY)], colors=[BLACK], linewidths=0.8)
    ax.set_xlabel("step (line: update ratio ‖Δθ‖/‖θ‖ = 10⁻³)")


def _steps(ax: Any, count: int) -> None:
    ax.set_xscale("log")
    ax.set(xlabel="step", xlim=(1, max(count + 1, 2)))
    ax.xaxis.set_major_locator(FixedLocator([10.0**k for k in range(6) if 10**k <= count]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(power))


def _quotient(ax: Any, name: str, run: History) -> None:
    """First layer over last, step by step."""
    values = list(run.gradient_norm.values())
    first, last = values[0], values[-1]
    quotient = np.divide(first, last, out=np.full(len(first), np.nan), where=last > 0)
    shown = np.where(quotient > 0, quotient, np.nan)
    dot = "o" if len(first) == 1 else ""
    ax.plot(np.arange(len(first)) + 1, shown, color=colour(run.loss)[0], lw=1.2, marker=dot, ms=4)
    sizes_axis(ax, "y", "first / last", quotient)
    _steps(ax, len(first))
    start, end = (number(quotient[k]) for k in (0, -1))
    title(ax, "First over last: {start} at step 1, {end} at the end", start=start, end=end)
    note(ax, **{f"first over last of {name}": quotient})
