"""Toy data: small sets of which everything is known. X is float32 (n, d); labels are int64, real targets float32."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.data.sets import NUMBER
from minigrad.nn.arguments import generator

Array = Any
EXAMPLES = {"n": 100, "classes": 3, "features": 2}


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
    """A circle of radius 1 (class 0) around one of radius `factor` (class 1): r·(cos t, sin t), t uniform on [0, 2π].

    Args:
        n: points, half of them in each class (the odd one in class 0).
        noise: standard deviation of what is added to every coordinate.
        factor: radius of the inner circle, in [0, 1).
        rng: a `numpy.random.Generator` or an int.

    Returns:
        X (n, 2) and labels y (n,), in random order.
    """
    if not isinstance(factor, NUMBER) or not 0 <= factor < 1:
        raise ValueError(f"data.circles: expected factor in [0, 1), the inner radius, got {factor!r}; say factor=0.5")
    g = _checked("data.circles", n, noise, rng)
    y = np.sort(np.arange(n) % 2)
    t = g.uniform(0, 2 * math.pi, n)
    X = np.column_stack([np.cos(t), np.sin(t)]) * np.where(y == 0, 1, factor)[:, None]
    return _shuffled(X + noise * g.standard_normal((n, 2)), y, g)


def blobs(n: int, *, classes: int = 3, features: int = 2, noise: float = 1.0, rng: Any = 0) -> tuple[Array, Array]:
    """Normal clouds, x = centre of the class + noise, with the centres drawn uniformly from the cube [−5, 5]ᵈ.

    Args:
        n: points, shared out evenly among the classes (the odd ones to the first).
        classes: K, labelled 0 … K−1.
        features: d, coordinates of a point.
        noise: standard deviation of every coordinate in a cloud.
        rng: a `numpy.random.Generator` or an int, which also draws the centres.

    Returns:
        X (n, d) and labels y (n,), in random order.
    """
    g = _checked("data.blobs", n, noise, rng)
    _at_least_one("data.blobs", classes=classes, features=features)
    centres = g.uniform(-5, 5, (classes, features))
    y = np.sort(np.arange(n) % classes)
    return _shuffled(centres[y] + noise * g.standard_normal((n, features)), y, g)


def line(n: int, *, noise: float = 0.3, outliers: int = 0, distance: float = 20.0, rng: Any = 0) -> tuple[Array, Array]:
    """A line, y = 2x + 1 + noise, with x equally spaced on [−1, 1]; some points are moved down.

    Args:
        n: points.
        noise: standard deviation of what is added to y.
        outliers: how many points, drawn at random, are moved.
        distance: how far down, in units of y.
        rng: a `numpy.random.Generator` or an int.

    Returns:
        X (n, 1) and y (n,), in the order of x.
    """
    g = _checked("data.line", n, noise, rng)
    if not _whole(outliers) or not 0 <= outliers <= n:
        raise ValueError(f"data.line: expected outliers from 0 to n = {n}, got {outliers!r}; say outliers=1")
    if not isinstance(distance, NUMBER) or not math.isfinite(distance):
        raise ValueError(f"data.line: expected a finite distance, got {distance!r}; say distance=20")
    x = np.linspace(-1, 1, n)
    y = 2 * x + 1 + noise * g.standard_normal(n)
    y[g.permutation(n)[:outliers]] -= distance
    return x[:, None].astype(np.float32), y.astype(np.float32)


def sine(n: int, *, noise: float = 0.1, rng: Any = 0) -> tuple[Array, Array]:
    """A wave, y = sin x + noise, with x equally spaced on [−π, π].

    Args:
        n: points.
        noise: standard deviation of what is added to y.
        rng: a `numpy.random.Generator` or an int.

    Returns:
        X (n, 1) and y (n,), in the order of x.
    """
    g = _checked("data.sine", n, noise, rng)
    x = np.linspace(-math.pi, math.pi, n)
    return x[:, None].astype(np.float32), (np.sin(x) + noise * g.standard_normal(n)).astype(np.float32)


def _checked(where: str, n: Any, noise: Any, rng: Any) -> np.random.Generator:
    _at_least_one(where, n=n)
    if not isinstance(noise, NUMBER) or not 0 <= noise < math.inf:
        raise ValueError(f"{where}: expected noise ≥ 0, a standard deviation, got {noise!r}; say noise=0.1")
    return generator(where, rng)


def _at_least_one(where: str, **counts: Any) -> None:
    for name, count in counts.items():
        if not _whole(count) or count < 1:
            raise ValueError(
                f"{where}: expected {name} ≥ 1, a whole number, got {count!r}; say {name}={EXAMPLES[name]}"
            )


def _whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _shuffled(X: Array, y: Array, g: np.random.Generator) -> tuple[Array, Array]:
    order = g.permutation(len(y))
    return X[order].astype(np.float32), y[order].astype(np.int64)
