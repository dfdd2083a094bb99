"""Samples: who owns the gradient, and whether what a model says is as probable as it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad.figures.palette import BLUE, GREY, HALO, INK, PALE, Look, looks, style
from minigrad.figures.parts import alone, canvas, end_names, listed, plural, sizes_axis, title, whole
from minigrad.figures.saying import described, inscribed, note, number, short, together

BINS = 10
Z95 = 1.959963984540054  # two-sided 95 % of a normal distribution


# --- who owns the gradient --------------------------------------------------------------------------------------------
def shares(sizes: Any, marked: Any = None, *, fig: Any = None) -> Any:
    """Who owns the gradient: samples from loud to quiet against their share of it, and every sample by itself.

    Args:
        sizes: ‖δᵢ‖ or ‖∂ℓᵢ/∂θ‖ of every sample, (n,); or several by loss: {"mse": …, "mae": …}.
        marked: (n,) True where a sample is one to look for, such as a flipped label.
        fig: a figure to draw into, or a new one.
    """
    with style():
        named = dict(sizes) if isinstance(sizes, Mapping) else {"gradient": sizes}
        arrays = {str(name): np.abs(np.asarray(values, float)).ravel() for name, values in named.items()}
        look = looks(list(arrays))
        fig = canvas(fig, 10.0, max(3.6, 1.6 + 0.32 * len(arrays)))
        n = len(next(iter(arrays.values())))
        described(fig, "{n} by how loud their gradient is: {losses}", n=plural(n, "sample"), losses=", ".join(arrays))
        left, right = fig.subplots(1, 2, width_ratios=(1, 1.2))
        mask = None if marked is None else np.asarray(marked, bool).ravel()
        _lorenz(left, arrays, look)
        _strips(right, arrays, mask, look)
        return fig


def _lorenz(ax: Any, arrays: dict[str, Any], look: dict[str, Look]) -> None:
    """Share of the samples, loudest first → their share of the gradient."""
    tops = {}
    for name, values in arrays.items():
        x, y = lorenz(values)
        hue, line, _ = look[name]
        ax.plot(x, y, color=hue, ls=line, label=name)
        tops[name] = float(np.interp(0.1, x, y))
        note(ax, **{f"shares of {name}": y, f"Gini of {name}": gini(values), f"top tenth of {name}": tops[name]})
    ax.plot([0, 1], [0, 1], color=PALE, lw=0.8, zorder=0)
    ax.set(
        xlim=(0, 1), ylim=(0, 1.02), xlabel="share of the samples, loudest first", ylabel="their share of the gradient"
    )
    places = {name: float(np.interp(0.25, *lorenz(values))) for name, values in arrays.items()}
    end_names(ax, places, look, letters=14, joined=False)
    said = listed([together(short(name), f"{100 * top:.0f} %") for name, top in tops.items()])
    title(ax, "The loudest {tenth:.0f} % own {said}", tenth=10, said=said)


def lorenz(values: Any) -> tuple[Any, Any]:
    """(share of the samples, share of the sum), loudest first, from (0, 0) to (1, 1)."""
    ordered = np.sort(np.nan_to_num(values))[::-1]
    total = ordered.sum() or 1.0
    return np.linspace(0, 1, len(ordered) + 1), np.concatenate([[0.0], np.cumsum(ordered) / total])


def gini(values: Any) -> float:
    """Gini coefficient: 0 if all are as loud, towards 1 if one owns everything (Gini 1912)."""
    x, y = lorenz(values)
    return float(2 * np.trapezoid(y, x) - 1) if y[-1] else 0.0


def _strips(ax: Any, arrays: dict[str, Any], marked: Any, look: dict[str, Look]) -> None:
    """Every sample as a dot, one row for each loss; the marked ones in outline."""
    rng = np.random.default_rng(0)
    for i, (name, values) in enumerate(arrays.items()):
        jitter = i + rng.uniform(-0.28, 0.28, len(values))
        heard = values > 0
        quiet = heard if marked is None else heard & ~marked
        ax.plot(values[quiet], jitter[quiet], "o", ms=3, color=look[name][0], alpha=0.45, mec="none")
        if marked is not None:
            loud = heard & marked
            ax.plot(values[loud], jitter[loud], "o", ms=4.5, color=INK, mfc="none", mec=INK, mew=0.9)
        note(ax, **{f"sizes of {name}": values, f"silent under {name}": int((~heard).sum())})
    sizes_axis(ax, "x", "‖gradient of a sample‖", np.concatenate(list(arrays.values())))
    ax.set_yticks(range(len(arrays)), [short(name, 14) for name in arrays])
    ax.set(ylim=(len(arrays) - 0.5, -0.5), ylabel="loss")
    _of_the_marked(ax, arrays, marked)


def _of_the_marked(ax: Any, arrays: dict[str, Any], marked: Any) -> None:
    """The title: what the marked own, and how many of the loudest they are."""
    if marked is None or not marked.any():
        silent = listed([together(short(name), str(int((values <= 0).sum()))) for name, values in arrays.items()])
        title(ax, "Samples that hear nothing: {silent}", silent=silent)
        return
    k, said = int(marked.sum()), []
    for name, values in arrays.items():
        share = float(values[marked].sum() / (values.sum() or 1))
        precision = float(marked[np.argsort(-values, kind="stable")[:k]].mean())
        note(ax, **{f"marked share of {name}": share, f"precision of {name}": precision})
        said.append(together(short(name), f"{100 * share:.0f} % ({100 * precision:.0f} %)"))
    title(ax, "Outlined: {k} marked samples own (and are of the {k} loudest) {said}", k=k, said=listed(said))


# --- what a probability is worth --------------------------------------------------------------------------------------
def reliability(probs: Any, target: Any, *, ax: Any = None) -> Any:
    """How often it happens beside how probable the model says it is, in ten bins, with 95 % intervals and counts.

    Args:
        probs: (n,) probabilities of yes; or (n, K) rows: then the most probable class is looked at.
        target: (n,) labels.
        ax: axes to draw into, or new ones.
    """
    with style():
        ax = alone(ax, 4.8, 4.0)
        p, hit = _predicted(np.asarray(probs, float), np.asarray(target).ravel())
        bins = np.clip((p * BINS).astype(int), 0, BINS - 1)
        count = np.bincount(bins, minlength=BINS)
        used = count > 0
        mean, rate = (np.bincount(bins, values, BINS)[used] / count[used] for values in (p, hit))
        low, high = wilson(rate * count[used], count[used])
        error = float((count[used] * np.abs(mean - rate)).sum() / len(p))
        described(ax, "Reliability of {n} predictions in {bins} bins", n=len(p), bins=int(used.sum()))
        ax.plot([0, 1], [0, 1], color=PALE, lw=1, zorder=0)
        ax.bar((np.arange(BINS) + 0.5) / BINS, 0.16 * count / count.max(), 0.9 / BINS, -0.24, color="#D9D9D9")
        off = [(rate - low).tolist(), (high - rate).tolist()]  # of arrays of one bin matplotlib warns
        ax.errorbar(mean, rate, off, color=BLUE, fmt="o", ms=5, lw=1.2, capsize=2)
        ax.set(
            xlim=(0, 1),
            ylim=(-0.24, 1.04),
            yticks=np.linspace(0, 1, 6),
            xlabel="probability that the model gives",
            ylabel="how often it is so",
        )
        for k in np.flatnonzero(used):
            said = inscribed(ax, str(count[k]))
            ax.text((k + 0.5) / BINS, -0.22, said, ha="center", fontsize=8, path_effects=HALO, color=GREY)
        title(ax, "Off by {error} in the mean (ECE); below, counts of {n}", error=number(error), n=len(p))
        note(ax, confidence=mean, frequency=rate, low=low, high=high, counts=count, ece=error)
        return whole(ax)


def _predicted(probs: Any, target: Any) -> tuple[Any, Any]:
    """Probability and whether it came true: of yes, or of the class that is most probable."""
    if probs.ndim == 2 and probs.shape[1] > 1:
        return probs.max(1), (probs.argmax(1) == target).astype(float)
    return probs.ravel(), (target > 0).astype(float)


def wilson(hits: Any, count: Any) -> tuple[Any, Any]:
    """95 % interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    p, z2 = hits / count, Z95**2
    centre = (p + z2 / (2 * count)) / (1 + z2 / count)
    half = Z95 * np.sqrt(p * (1 - p) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return np.clip(np.minimum(centre - half, p), 0, 1), np.clip(np.maximum(centre + half, p), 0, 1)
