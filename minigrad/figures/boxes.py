"""The graph of a loss: tensors in layers, the loss at the right, and what flows back as the width of a line."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.patches import FancyBboxPatch, Rectangle

from minigrad.engine.tensor import Tensor
from minigrad.explain.tape import Box, Tape, folded, tape
from minigrad.figures.palette import BLUE, FAINT, GREY, HALO, INK, PALE, SIGNED, style
from minigrad.figures.parts import canvas, plural, title
from minigrad.figures.parts import whole as whole_figure
from minigrad.figures.saying import described, inscribed, note, number, short

MANY, MOST = 30, 60  # boxes above which a graph is folded; boxes that are drawn at all
WIDE, TALL, GAP, ROW = 1.5, 0.7, 0.74, 0.24  # inches: a box, the space between layers, between boxes of one layer
CELLS = 8  # sides of a heat map
FEW = 4  # entries that are written out


def graph(loss_tensor: Tensor, modules: bool = True, *, ax: Any = None) -> Any:
    """Every tensor from which a loss was computed: shape, value, gradient; at the lines, the factors of the way back.

    Gradients are drawn once a `backward(retain_graph=True)` has been run; before, they are absent.

    Args:
        loss_tensor: the tensor at the end, such as a loss.
        modules: above 30 boxes, fold leaves into the operations that use them and runs of operations into one box.
        ax: axes to draw into, or those of a new figure as large as the graph needs.
    """
    with style():
        whole = tape(loss_tensor)
        shown = folded(whole) if modules and len(whole.boxes) > MANY else whole
        left_out = max(len(shown.boxes) - MOST, 0)
        boxes = shown.boxes[:MOST]
        places = _places(boxes)
        wide, tall = (max(p[k] for p in places) for k in (0, 1))
        if ax is None:
            ax = canvas(None, max(wide + WIDE + 0.7, 4.6), max(tall + TALL + 1.3, 2.4)).subplots()
        described(ax, "The graph of {name}, {boxes} boxes", name=whole.boxes[0].name, boxes=len(boxes))
        _lines(ax, boxes, places, wide)
        for box, (x, y) in zip(boxes, places, strict=True):
            _draw(ax, box, wide - x, y)
        ax.set(xlim=(-WIDE / 2 - 0.2, wide + WIDE / 2 + 0.2), ylim=(-TALL / 2 - 0.35, tall + TALL / 2 + 0.15))
        ax.axis("off")
        _caption(ax, whole, shown, left_out)
        return whole_figure(ax)


# --- layout -----------------------------------------------------------------------------------------------------------
def _places(boxes: tuple[Box, ...]) -> list[tuple[float, float]]:
    """(distance to the left of the loss, height) of each box in inches: layers by the longest way to the loss."""
    layer = [0] * len(boxes)
    for k, box in enumerate(boxes):
        for link in box.links:
            if link.source < len(boxes):
                layer[link.source] = max(layer[link.source], layer[k] + 1)
    layers = [[k for k in range(len(boxes)) if layer[k] == depth] for depth in range(max(layer) + 1)]
    rows = max(map(len, layers))
    height = [0.0] * len(boxes)
    for members in layers:
        wanted = {k: _wanted(k, boxes, height) for k in members}
        for at, k in enumerate(sorted(members, key=lambda k: -wanted[k])):
            height[k] = (rows - 1) / 2 + (len(members) - 1) / 2 - at
    return [(layer[k] * (WIDE + GAP), height[k] * (TALL + ROW)) for k in range(len(boxes))]


def _wanted(k: int, boxes: tuple[Box, ...], height: list[float]) -> float:
    """The mean height of what uses a box, the earlier arguments of an operation higher."""
    found = [
        height[user] - 0.1 * place
        for user, box in enumerate(boxes)
        for place, link in enumerate(box.links)
        if link.source == k
    ]
    return float(np.mean(found)) if found else 0.0


# --- drawing ----------------------------------------------------------------------------------------------------------
def _lines(ax: Any, boxes: tuple[Box, ...], places: list[tuple[float, float]], wide: float) -> None:
    """A line for each input, as wide as its gradient is large, with the factor where it leaves the operation."""
    known = [box.gradient for box in boxes if box.gradient]
    low, high = (np.log10(min(known)), np.log10(max(known))) if known else (0.0, 0.0)
    for box, (x, y) in zip(boxes, places, strict=True):
        inner = [link for link in box.links if link.source < len(boxes)]
        for k, link in enumerate(inner):
            sx, sy = places[link.source]
            end_y = y + TALL * 0.72 * ((len(inner) - 1) / 2 - k) / max(len(inner), 1)
            sent = None if box.gradient is None or link.factor is None else box.gradient * link.factor
            size = 0.8 if not sent else 0.8 + 3.2 * (np.log10(sent) - low) / ((high - low) or 1.0)
            xs = [wide - sx + WIDE / 2, wide - x - WIDE / 2 - 0.6, wide - x - WIDE / 2]
            ax.plot(xs, [sy, end_y, end_y], color=BLUE if sent else PALE, lw=float(np.clip(size, 0.5, 5)), zorder=1)
            if link.factor is not None:
                said = inscribed(ax, f"× {rough(link.factor)}")
                ax.text(xs[1] + 0.04, end_y + 0.03, said, fontsize=8, va="bottom", path_effects=HALO, zorder=4)


def _draw(ax: Any, box: Box, x: float, y: float) -> None:
    """A box with name, shape or value, and the size of the gradient; larger values as a heat map."""
    pad = 0.06
    edge: dict[str, Any] = {"fc": "white", "ec": GREY, "lw": 1.2} if box.leaf else {"fc": FAINT, "ec": PALE, "lw": 0.8}
    corner, sides = (x - WIDE / 2 + pad, y - TALL / 2 + pad), (WIDE - 2 * pad, TALL - 2 * pad)
    ax.add_patch(FancyBboxPatch(corner, *sides, boxstyle=f"round,pad={pad}", zorder=2, **edge))
    heat = box.value is not None and box.value.size > FEW
    if heat:
        cells = shrunk(np.asarray(box.value, float))
        reach = float(np.abs(cells).max()) or 1.0
        ax.add_patch(Rectangle((x + WIDE / 2 - 0.5, y - 0.22), 0.44, 0.44, fill=False, ec=PALE, lw=0.6, zorder=4))
        ax.imshow(cells, cmap=SIGNED, vmin=-reach, vmax=reach, aspect="auto", interpolation="nearest", zorder=3,
                  extent=(x + WIDE / 2 - 0.5, x + WIDE / 2 - 0.06, y - 0.22, y + 0.22))  # fmt: skip
    letters = 13 if heat else 21
    lines = [short(box.name, letters), *(short(line, letters) for line in _about(box, heat))]
    said = inscribed(ax, "\n".join(lines))
    ax.text(
        x - WIDE / 2 + 0.06, y, said, fontsize=8, va="center", linespacing=1.15, color=INK, path_effects=HALO, zorder=4
    )


def _about(box: Box, heat: bool) -> list[str]:
    shape = " × ".join(map(str, box.shape)) or "a number"
    value = "" if box.value is None or heat else written(box.value)
    gradient = [] if box.gradient is None else [f"‖g‖ {number(box.gradient)}"]
    inside = [", ".join(box.folded)] if box.folded else []
    return [f"{shape}: {value}" if value and box.shape else value or shape, *(gradient or inside)]


def rough(value: float) -> str:
    """A factor in two digits: 1.4, 0.082, 2.5e−4."""
    text = f"{value:.1e}" if 0 < abs(value) < 0.00995 or abs(value) >= 9950 else f"{value:.2g}"
    text = f"{value:.0f}" if 99.5 <= abs(value) < 9950 else text
    return text.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e").replace("-", "−")


def written(value: Any) -> str:
    """A few numbers, separated by spaces."""
    return " ".join(f"{v:.3g}".replace("-", "−") for v in np.ravel(value))


def shrunk(value: Any) -> Any:
    """An array as a map of at most 8 × 8 cells: means of blocks."""
    flat = value.reshape(-1, value.shape[-1]) if value.ndim > 1 else value.reshape(1, -1)
    for axis in (0, 1):
        parts = np.array_split(np.arange(flat.shape[axis]), min(CELLS, flat.shape[axis]))
        flat = np.stack([flat.take(part, axis).mean(axis) for part in parts], axis)
    return flat


def _caption(ax: Any, whole: Tape, shown: Tape, left_out: int) -> None:
    """The title, and what is not to be seen."""
    gradients = [box.gradient for box in whole.boxes if box.gradient is not None]
    template = "{operations} and {leaves}"
    if gradients:
        template += "; gradients from {low} to {high}"
    else:
        template += "; no gradient yet"
    if len(shown.boxes) < len(whole.boxes):
        template += ", folded into {boxes} boxes"
    if left_out:
        template += ", the {left_out} farthest not drawn"
    sizes: dict[str, Any] = {"low": number(min(gradients)), "high": number(max(gradients))} if gradients else {}
    counts: dict[str, Any] = _counts(whole)
    title(ax, template, boxes=len(shown.boxes), left_out=left_out, **sizes, **counts)
    if gradients:
        ax.text(0.0, 0.0, inscribed(ax, "←  the gradient flows this way; a line is as wide as it is large"),
                transform=ax.transAxes, fontsize=8, path_effects=HALO)  # fmt: skip
    note(ax, operation_count=whole.operations, leaf_count=len(whole.boxes) - whole.operations)
    note(
        ax,
        gradients=[box.gradient for box in shown.boxes],
        factors=[l.factor for box in shown.boxes for l in box.links],
    )


def _counts(whole: Tape) -> dict[str, str]:
    leaves = len(whole.boxes) - whole.operations
    return {
        "operations": plural(whole.operations, "operation"),
        "leaves": f"{leaves} {'leaf' if leaves == 1 else 'leaves'}",
    }
