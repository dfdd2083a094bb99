"""The kinds of prediction and target: what the pair says about shapes, domains, links and neutral outputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.engine.errors import DomainError, LabelError

Array = Any


@dataclass(frozen=True)
class PredKind:
    """A space of predictions: how many axes belong to one sample, its link, the output that knows nothing."""

    events: int
    link: Callable[[Array], Array] | None
    neutral: Callable[[int], float]


@dataclass(frozen=True)
class TargetKind:
    """A space of targets: which entries are allowed, how that is said, and what to do about others."""

    allowed: Callable[[Array], Array] | None
    words: str = ""
    cure: str = ""
    error: type[ValueError] = DomainError


def _softmax(z: Array) -> Array:
    from minigrad.ops import softmax

    return softmax(z)


def _sigmoid(z: Array) -> Array:
    from minigrad.ops import sigmoid

    return sigmoid(z)


PRED: dict[str, PredKind] = {
    "real": PredKind(0, lambda v: v, lambda k: 0.0),
    "prob": PredKind(0, lambda p: p, lambda k: 0.5),
    "logit": PredKind(0, _sigmoid, lambda k: 0.0),
    "logits": PredKind(1, _softmax, lambda k: 0.0),
    "log_probs": PredKind(1, np.exp, lambda k: -math.log(k)),
    "params": PredKind(1, None, lambda k: 0.0),
    "embedding": PredKind(1, None, lambda k: 0.0),
}

TARGET: dict[str, TargetKind] = {
    "real": TargetKind(np.isfinite, "a finite target", "drop such rows, or give the loss mask=np.isfinite(target)"),
    "positive": TargetKind(lambda t: (t > 0) & np.isfinite(t), "targets > 0", "this loss is for positive quantities"),
    "count": TargetKind(lambda t: (t >= 0) & np.isfinite(t), "targets ≥ 0", "this loss is for counts and rates"),
    "unit": TargetKind(
        lambda t: (t >= 0) & (t <= 1), "labels in [0, 1]", "of -1/+1 make (target + 1) / 2, of 1/2 target - 1"
    ),
    "binary": TargetKind(lambda t: (t == 0) | (t == 1), "labels 0 or 1", "this loss takes no soft labels", LabelError),
    "sign": TargetKind(lambda t: (t == -1) | (t == 1), "labels -1 or +1", "use 2 * target - 1", LabelError),
    "index": TargetKind(None),
    "simplex": TargetKind(None),
    "index|simplex": TargetKind(None),
    "none": TargetKind(None),
}

CLASSES = {"unit", "binary", "sign", "index", "simplex", "index|simplex"}  # targets that are classes, or shares of them
CLAIMS = ("convex", "symmetric", "proper", "shift_invariant")
