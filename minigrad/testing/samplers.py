"""Predictions and targets of every kind, drawn so that no region of either is missed, which each draw proves.

`targets` draws what is to be predicted, `preds` predictions beside it; `spread` says how far predictions lie from what
they should be, 1 being ordinary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from minigrad.losses import Loss

Array = Any
GROUPS = 4  # different labels beside embeddings


@dataclass(frozen=True)
class Sizes:
    """How large one sample is: the number of classes, and of entries of an embedding."""

    classes: int = 10
    width: int = 6


def displaced(rng: np.random.Generator, n: int) -> Array:
    """An order of n things in which none stays in its place: they move along one circle."""
    circle, order = rng.permutation(n), np.empty(n, int)
    order[circle] = np.roll(circle, 1)
    return order


# --- targets ----------------------------------------------------------------------------------------------------------
def targets(loss: Loss, m: int, rng: np.random.Generator, sizes: Sizes) -> Array:
    """What is to be predicted, in random order; float64, labels int64, or None where the loss takes none."""
    drawn = TARGETS[loss.target](m, rng, GROUPS if loss.pred == "embedding" else sizes.classes)
    return None if drawn is None else drawn[rng.permutation(m)]


def _reals(m: int, rng: Any, _: int) -> Array:
    """Ordinary ones, large ones, and whole numbers, 0 among them."""
    far, whole = m // 5, m // 5
    ordinary = rng.standard_normal(m - far - whole)
    return np.concatenate([ordinary, 10 * rng.standard_normal(far), np.arange(whole) % 9 - 4.0])


def _counts(m: int, rng: Any, _: int) -> Array:
    """Counts, 0 among them, and a few rates that are not whole."""
    rates = m // 8
    return np.concatenate([np.arange(m - rates) % 4 * 1.0 + rng.poisson(1, m - rates), rng.gamma(2.0, 1.0, rates)])


def _units(m: int, rng: Any, _: int) -> Array:
    """Half of them hard labels, half of them soft ones."""
    return np.concatenate([np.arange(m - m // 2) % 2 * 1.0, rng.uniform(0, 1, m // 2)])


def rows(m: int, rng: Any, classes: int) -> Array:
    """Rows of probabilities: soft ones, ones with zeros, hard ones."""
    soft = rng.dirichlet(np.ones(classes), m)
    holes = m // 5
    soft[:holes] *= (rng.uniform(0, 1, (holes, classes)) < 0.5) | (
        np.arange(holes)[:, None] % classes == range(classes)
    )
    soft[holes : 2 * holes] = np.eye(classes)[np.arange(holes) % classes]
    return soft / soft.sum(-1, keepdims=True)


TARGETS: dict[str, Callable[[int, Any, int], Array]] = {
    "real": _reals,
    "positive": lambda m, rng, _: np.exp(rng.standard_normal(m)),
    "count": _counts,
    "unit": _units,
    "binary": lambda m, rng, _: np.arange(m) % 2 * 1.0,
    "sign": lambda m, rng, _: np.arange(m) % 2 * 2.0 - 1,
    "index": lambda m, rng, classes: np.arange(m) % classes,
    "index|simplex": lambda m, rng, classes: np.arange(m) % classes,
    "simplex": rows,
    "none": lambda m, rng, _: None,
}


# --- predictions ------------------------------------------------------------------------------------------------------
def preds(loss: Loss, target: Array, m: int, rng: np.random.Generator, sizes: Sizes, spread: Any = 1.0) -> Array:
    """Predictions beside targets, float64; `spread` is a number or one per sample."""
    spread = np.broadcast_to(spread, (m,))
    wide = spread[:, None]
    if loss.pred == "real":
        if loss.target in ("count", "positive"):  # under an exponential
            return spread * rng.standard_normal(m)
        return (0 if target is None else target) + 3 * spread * rng.standard_normal(m)
    if loss.pred == "logit":
        return 3 * spread * rng.standard_normal(m)
    if loss.pred == "prob":
        return 0.5 + 0.48 * np.clip(spread, 0, 1) * rng.uniform(-1, 1, m)
    if loss.pred == "logits":
        return 3 * wide * rng.standard_normal((m, sizes.classes))
    if loss.pred == "log_probs":
        return log_softmax(wide * np.log(rng.exponential(1.0, (m, sizes.classes))))  # ln Dirichlet(1) for spread 1
    if loss.pred == "params":
        return wide * rng.standard_normal((m, max(len(loss.heads), 1)))
    roles = (len(loss.heads),) if loss.heads else ()
    return spread.reshape(m, *(1 for _ in roles), 1) * rng.standard_normal((m, *roles, sizes.width))


def log_softmax(z: Array) -> Array:
    """Logarithms of the softmax along the last axis, of plain arrays."""
    shifted = z - z.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


# --- the proof --------------------------------------------------------------------------------------------------------
def check_spread(loss: Loss, pred: Array, target: Array) -> None:
    """Refuse a draw that leaves out a region of the kinds.

    Raises:
        RuntimeError: a region has fewer than one sample in a hundred.
    """
    for name, share in _regions(loss, pred, target).items():
        if share < 0.01:
            raise RuntimeError(
                f"samplers: expected a draw for {loss} with samples where {name}, got {share:.1%} of {len(pred)}"
            )


def _regions(loss: Loss, pred: Array, target: Array) -> dict[str, float]:
    """The share of samples in each region that a check depends on."""
    found: dict[str, Array] = {}
    if target is not None and np.ndim(target) == 1:
        labels = loss.target in ("binary", "sign", "index", "index|simplex")
        spots = np.unique(target) if labels else np.quantile(target, [0, 0.25, 0.5, 0.75, 1])
        if labels:
            found |= {f"the label is {v:g}": target == v for v in spots}
        elif spots[0] == spots[-1]:
            raise RuntimeError(f"samplers: expected different targets for {loss}, got {spots[0]} everywhere")
    if loss.target in ("unit", "count"):
        found["the target is 0"] = target == 0
    if loss.pred in ("real", "logit", "logits", "params"):
        scores = pred - target if loss.pred == "real" and loss.target == "real" else pred
        wide = 3 if loss.pred != "params" and loss.target not in ("count", "positive") else 1
        found |= {"a score is near 0": np.abs(scores) < 0.3 * wide, "a score is large": np.abs(scores) > wide}
        found |= {"a score is above 0": scores > 0, "a score is below 0": scores < 0}
    if loss.pred == "prob":
        found |= {"p is small": pred < 0.2, "p is large": pred > 0.8}
    return {name: float(np.mean(inside)) for name, inside in found.items()}
