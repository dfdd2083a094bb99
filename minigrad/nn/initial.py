"""How weights start: draws by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any


def _orthogonal(rng: np.random.Generator, rows: int, columns: int) -> Array:
    long, short = max(rows, columns), min(rows, columns)
    q, r = np.linalg.qr(rng.standard_normal((long, short)))
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)  # else the signs would be LAPACK's choice, not uniform
    return q if rows >= columns else q.T


INITS: dict[str, Callable[[np.random.Generator, int, int], Array]] = {
    "he": lambda rng, n, m: rng.standard_normal((n, m)) * math.sqrt(2 / n),
    "glorot": lambda rng, n, m: rng.standard_normal((n, m)) * math.sqrt(2 / (n + m)),
    "lecun": lambda rng, n, m: rng.standard_normal((n, m)) * math.sqrt(1 / n),
    "orthogonal": _orthogonal,
}
"""Draws of a weight (in, out), in float64.

he: N(0, 2/in), for ReLU (He et al. 2015, arXiv:1502.01852). glorot: N(0, 2/(in + out)) (Glorot, Bengio 2010). lecun:
N(0, 1/in), for tanh and sigmoid (LeCun et al. 1998, Efficient BackProp). orthogonal: orthonormal rows or columns,
uniformly distributed (Saxe et al. 2013, arXiv:1312.6120).
"""
