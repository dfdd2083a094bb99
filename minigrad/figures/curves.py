"""A loss as a curve: its value, what it sends back, and how loud that makes a sample; and the card of a loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import losses as registry
from minigrad.figures.palette import PALE, Look, looks, style
from minigrad.figures.parts import canvas, end_names, listed, sizes_axis, spread, title
from minigrad.figures.saying import described, note, number, short, together
from minigrad.losses import Loss

Array = Any
FAR, NEAR = 4.0, 0.1  # residuals at which slopes and influences are said


def shapes(losses: Sequence[Loss | str] | Loss | str, span: float = 5.0, *, fig: Any = None) -> Any:
    """Losses over the residual r: the value, the slope that backward sends, and slope over r, which is how loud it is.

    Args:
        losses: one or several losses on real numbers, by name or as objects.
        span: how far r goes to both sides.
        fig: a figure to draw into, or a new one.

    Raises:
        ValueError: a loss on another kind of prediction; those have no residual.
    """
    with style():
        chosen = [registry.get(loss) for loss in ([losses] if isinstance(losses, (str, Loss)) else losses)]
        for loss in chosen:
            if loss.pred != "real" or loss.coupled:
                raise ValueError(
                    f"figures.shapes: expected losses on real numbers, got {loss} (pred={loss.pred!r}); check_loss "
                    "draws the card of any loss"
                )
        fig = canvas(fig, 10.0, max(3.6, 2.6 + 0.17 * len(chosen)))
        look = looks(chosen)
        r = np.linspace(-span, span, 801)
        curves = {str(loss): _curve(loss, r) for loss in chosen}
        described(fig, "{n} losses over the residual r from {low:g} to {high:g}", n=len(chosen), low=-span, high=span)
        axes = fig.subplots(1, 3)
        _value(axes[0], r, curves, look)
        _slope(axes[1], r, curves, look, chosen)
        _influence(axes[2], r, curves, look, span)
        return fig


def _curve(loss: Loss, r: Array) -> tuple[Array, Array]:
    """Value and slope at the residuals."""
    target = np.full(len(r), {"positive": 1.0, "binary": 1.0, "sign": 1.0}.get(loss.target, 0.0))
    value, slope = loss.value_and_grad(r + target, None if loss.target == "none" else target, reduction="none")
    return np.asarray(value), slope


def _value(ax: Any, r: Array, curves: Any, look: dict[str, Look]) -> None:
    _draw(ax, r, {name: value for name, (value, _) in curves.items()}, look)
    _cap(ax, [value for value, _ in curves.values()], 0)
    ax.set(xlabel="r = pred − target", ylabel="ℓ(r)")
    far = min(FAR, r[-1])
    said = {name: float(np.interp(far, r, value)) for name, (value, _) in curves.items()}
    title(ax, "What it costs at r = {r:g}: {said}", r=far, said=_said(said))
    note(ax, r=r, **{f"value of {name}": value for name, (value, _) in curves.items()})


def _slope(ax: Any, r: Array, curves: Any, look: dict[str, Look], chosen: list[Loss]) -> None:
    _draw(ax, r, {name: slope for name, (_, slope) in curves.items()}, look)
    _cap(ax, [slope for _, slope in curves.values()], None)
    for loss in chosen:
        for name in ("delta", "beta"):
            if (at := loss.values.get(name) if name in loss.params else None) is not None and np.ndim(at) == 0:
                for x in (-at, at):
                    ax.axvline(float(x), color=PALE, lw=0.8, ls=":", zorder=0)
    ax.set(xlabel="r = pred − target", ylabel="∂ℓ/∂r")
    far = min(FAR, r[-1])
    said = {name: float(np.interp(far, r, slope)) for name, (_, slope) in curves.items()}
    title(ax, "What backward sends at r = {r:g}: {said}", r=far, said=_said(said))
    note(ax, **{f"slope of {name}": slope for name, (_, slope) in curves.items()},
         **{f"slope of {name} at {far:g}": value for name, value in said.items()})  # fmt: skip


def _influence(ax: Any, r: Array, curves: Any, look: dict[str, Look], span: float) -> None:
    """Slope over r, on a logarithmic axis: how loud a sample is for each unit by which it is off."""
    with np.errstate(all="ignore"):
        loud = {name: np.where(r == 0, np.nan, slope / r) for name, (_, slope) in curves.items()}
    shown = {name: np.where(values > 0, values, np.nan) for name, values in loud.items()}
    _draw(ax, r, shown, look)
    high = spread(np.concatenate([values[np.abs(r) > 0.02 * span] for values in shown.values()]))[1]
    sizes = np.concatenate(list(shown.values()))
    sizes_axis(ax, "y", "(∂ℓ/∂r)/r, gradient size per unit", np.clip(sizes, high / 1e5, high))
    ax.set_xlabel("r = pred − target")
    end_names(ax, {name: _last(values) for name, values in shown.items()}, look, letters=14)
    far = min(FAR, r[-1])
    quieter = {name: float(np.interp(NEAR, r, values) / np.interp(far, r, values)) for name, values in loud.items()}
    said = {name: value for name, value in quieter.items() if np.isfinite(value)}
    title(ax, "Per unit, louder at r = {near:g} than at {far:g}: {said}", near=NEAR, far=far, said=_said(said, "× "))
    note(ax, **{f"influence of {name}": values for name, values in loud.items()})


def _draw(ax: Any, x: Array, curves: dict[str, Array], look: dict[str, Look]) -> None:
    for name, y in curves.items():
        hue, line, marker = look[name]
        ax.plot(x, y, color=hue, ls=line, label=name, marker="" if marker == "o" else marker, markevery=100, ms=4)


def _cap(ax: Any, curves: list[Array], bottom: float | None) -> None:
    """Limits that show every curve, not only the steepest."""
    heights = [float(np.abs(values[np.isfinite(values)]).max(initial=0)) for values in curves]
    top = min(max(heights), 3 * float(np.median(heights))) or 1.0
    low = min(float(np.nanmin(values)) for values in curves)
    ax.set_ylim(max(low, -top) - 0.05 * top if bottom is None or low < 0 else -0.03 * top, 1.05 * top)


def _last(values: Array) -> float | None:
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) else None


def _said(values: dict[str, float], unit: str = "") -> str:
    return listed([together(short(name), f"{unit}{brief(value)}") for name, value in values.items()])


def brief(value: float) -> str:
    """A number without zeros behind the point: 8, 1, 3.5, 0.683."""
    text = number(value)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
