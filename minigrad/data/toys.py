"""Toy data: small sets of which everything is known. X is float32 (n, d); labels are int64, real targets float32."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.data.sets import generator

Array = Any


def moons(n: int, *, noise: float = 0.2, rng: Any = 0) -> tuple[Array, Array]:
    """Two half circles that reach into each other: (cos t, sin t) and (1 − cos t, ½ − sin t), t from 0 to π.

    Args:
        n: points, half of them in each class (the odd one in class 0).
        noise: standard deviation of what is added to every coordinate.
        rng: a `numpy.random.Generator` or an int.

    Returns:
        X (n, 2) and labels y (n,), in random order.
    """
    g = _checked("data.moons", n, noise, rng)
    y = np.sort(np.arange(n) % 2)
    t = np.concatenate([np.linspace(0, math.pi, k) for k in (int((y == 0).sum()), int((y == 1).sum()))])
    X = np.where(
        y[:, None] == 0, np.column_stack([np.cos(t), np.sin(t)]), np.column_stack([1 - np.cos(t), 0.5 - np.sin(t)])
    )
    return _shuffled(X + noise * g.standard_normal((n, 2)), y, g)


def circles(n: int, *, noise: float = 0.1, factor: float = 0.5, rng: Any = 0) -> tuple[Array, Array]:
    """A circle of radius 1 (class 0) around one of radius `factor` (class 1)."""
    g = _checked("data.circles", n, noise, rng)
    y = np.sort(np.arange(n) % 2)
    t = g.uniform(0, 2 * math.pi, n)
    X = np.column_stack([np.cos(t), np.sin(t)]) * np.where(y == 0, 1, factor)[:, None]
    return _shuffled(X + noise * g.standard_normal((n, 2)), y, g)


def blobs(n: int, *, classes: int = 3, features: int = 2, noise: float = 1.0, rng: Any = 0) -> tuple[Array, Array]:
    """Normal clouds of standard deviation `noise` around centres drawn uniformly from [−5, 5]."""
    g = _checked("data.blobs", n, noise, rng)
    centres = g.uniform(-5, 5, (classes, features))
    y = np.sort(np.arange(n) % classes)
    return _shuffled(centres[y] + noise * g.standard_normal((n, features)), y, g)


def line(n: int, *, noise: float = 0.3, outliers: int = 0, distance: float = 20.0, rng: Any = 0) -> tuple[Array, Array]:
    """A line, y = 2x + 1 + noise, with x equally spaced on [−1, 1]; `outliers` of the points are moved down.

    Returns:
        X (n, 1) and y (n,), in the order of x.
    """
    g = _checked("data.line", n, noise, rng)
    if not 0 <= outliers <= n:
        raise ValueError(f"data.line: expected outliers from 0 to {n}, got {outliers}")
    x = np.linspace(-1, 1, n)
    y = 2 * x + 1 + noise * g.standard_normal(n)
    y[g.permutation(n)[:outliers]] -= distance
    return x[:, None].astype(np.float32), y.astype(np.float32)


def sine(n: int, *, noise: float = 0.1, rng: Any = 0) -> tuple[Array, Array]:
    """A wave, y = sin x + noise, with x equally spaced on [−π, π].

    Returns:
        X (n, 1) and y (n,), in the order of x.
    """
    g = _checked("data.sine", n, noise, rng)
    x = np.linspace(-math.pi, math.pi, n)
    return x[:, None].astype(np.float32), (np.sin(x) + noise * g.standard_normal(n)).astype(np.float32)


def _checked(where: str, n: Any, noise: Any, rng: Any) -> np.random.Generator:
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"{where}: expected n ≥ 1, the number of points, got {n!r}")
    if not isinstance(noise, (int, float)) or not 0 <= noise < math.inf:
        raise ValueError(f"{where}: expected noise ≥ 0, a standard deviation, got {noise!r}")
    return generator(rng, where)


def _shuffled(X: Array, y: Array, g: np.random.Generator) -> tuple[Array, Array]:
    order = g.permutation(len(y))
    return X[order].astype(np.float32), y[order].astype(np.int64)
