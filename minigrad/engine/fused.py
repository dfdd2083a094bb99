"""Functions that NumPy lacks, or that are exact or fast only in one piece.

Each is one node. Where its rule has no derivative of its own, `reference` is the same maths in ordinary operations:
the engine differentiates that for a second derivative, and the tests compare with it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from minigrad.engine.errors import LabelError
from minigrad.engine.normal import density, distribution
from minigrad.engine.op import Elementwise, elementwise, op
from minigrad.engine.rules.reductions import rows_of, spread
from minigrad.engine.shared import once
from minigrad.engine.sums import ones, row_sum, starts

Array = Any


def _linear(x: Array, weight: Array, bias: Array = None) -> Array:
    out = _times(x, weight)
    if bias is not None:
        out += bias
    return out


def _times(a: Array, b: Array) -> Array:
    """The product a @ b: of two matrices `dot` is the same call of BLAS, found in half the time."""
    return a.dot(b) if type(a) is type(b) is np.ndarray and a.ndim == 2 else a @ b


def _rows(a: Array) -> Array:
    return a if a.ndim == 2 else a.reshape(-1, a.shape[-1])


linear = op(
    _linear,
    name="linear",
    x=lambda g, weight: _times(g, weight.T),
    weight=lambda g, x: _times(_rows(x).T, _rows(g)),
    bias=lambda g: row_sum(_rows(g)),
    reference=lambda x, weight, bias=None: x @ weight if bias is None else x @ weight + bias,
)
"""x @ weight + bias: x (..., in), weight (in, out), bias (out,) or None."""

relu = elementwise(
    lambda x: np.maximum(x, 0),
    name="relu",
    x=lambda x: ~(x <= 0),
)
"""max(x, 0); slope 0 at 0; the gradient goes to a NaN too, so that it stays one."""


def _tail(x: Array) -> Array:
    """What is e^−x where x > 0, and e^x elsewhere."""
    return np.exp(-np.abs(x))


def _sigmoid(x: Array) -> Array:
    e = once(_tail, x)
    return np.maximum(e, x >= 0) / (1 + e)


def _softplus(x: Array) -> Array:
    return np.maximum(x, 0) + log1p(once(_tail, x))


def log1p(e: Array) -> Array:
    """The log of 1 + e, for e in [0, 1]: in float32 as 2 artanh(e/(2+e)) = d + d³/12 + d⁵/80 + …, d = 2e/(2+e).

    It is e less a correction: seven terms, exact to the last digit, take a third of the time of np.log1p.
    """
    if e.dtype != np.float32:
        return np.log1p(e)
    total = 2 + e
    q = 2 * e / total
    q *= q
    more = q / (13 << 12)
    for k in (11, 9, 7, 5, 3):
        more += 1 / (k << k - 1)
        more *= q
    return e - e * ((e - 2 * more) / total)


sigmoid: Elementwise = elementwise(_sigmoid, name="sigmoid", x=lambda x: sigmoid(x) * sigmoid(-x))
"""1/(1 + e^−x), without overflow; 1 − σ(x) is sigmoid(−x), to the last digit."""

softplus = elementwise(_softplus, name="softplus", x=lambda x: sigmoid(x))
"""ln(1 + e^x), exact in both tails."""


def sides(x: Array) -> tuple[Array, Array]:
    """σ(x) and σ(−x) of an array, each exact."""
    e = once(_tail, x)
    total = 1 + e
    return np.maximum(e, x >= 0) / total, np.maximum(e, x <= 0) / total


def _surprises(z: Array, a: Array, b: Array) -> Array:
    rest = log1p(once(_tail, z))
    lost, won = rest + np.maximum(-z, 0), rest + np.maximum(z, 0)
    if np.isinf(z).any():  # 0 · inf: a sure score
        lost, won = np.where(a == 0, 0, lost), np.where(b == 0, 0, won)
    return a * lost + b * won


surprises = elementwise(
    _surprises,
    name="surprises",
    z=lambda z, a, b: b * sigmoid(z) - a * sigmoid(-z),
    a=lambda z: softplus(-z),
    b=lambda z: softplus(z),
)
"""a·ln(1 + e^−z) + b·ln(1 + e^z), what a score costs for shares a of yes and b of no; 0 · inf counts as 0."""


def _times_exp(a: Array, x: Array) -> Array:
    x = np.asarray(x, np.result_type(a, x, 1.0))
    limit = math.floor(-math.log(np.finfo(x.dtype).tiny))
    if (np.abs(x) <= limit).all():
        return a * np.exp(x)
    near = np.clip(x, -limit, limit)
    return np.where((a == 0) & ~np.isnan(x), 0, a * np.exp(near) * np.exp(x - near))


times_exp: Elementwise = Elementwise(
    _times_exp, {"a": lambda g, x: times_exp(g, x), "x": lambda out: out}, name="times_exp"
)
"""a·e^x, also where e^x alone is no float."""


def _within(x: Array) -> Array:
    """x, and 0 where it is so large that a tail has long vanished: ∞·0 is 0 there."""
    return np.where(np.abs(x) < 1e3, x, 0)


silu: Elementwise = elementwise(
    lambda x: np.where(x == -np.inf, 0, x) * _sigmoid(x),
    name="silu",
    x=lambda x: sigmoid(x) * (1 + _within(x) * sigmoid(-x)),
)
"""x·σ(x), also called swish; 0 with slope 0 at −∞. Elfwing, Uchibe, Doya 2018, doi:10.1016/j.neunet.2017.12.012."""


_normal = elementwise(distribution, name="normal", x=lambda x: density(x))
gelu = elementwise(
    lambda x: np.where(x == -np.inf, 0, x) * distribution(x),
    name="gelu",
    x=lambda x: _normal(x) + _within(x) * density(x),
)
"""x·Φ(x) with the normal distribution Φ; 0 with slope 0 at −∞. Hendrycks, Gimpel 2016, arXiv:1606.08415."""


leaky_relu = elementwise(
    lambda x, alpha=0.01: np.where(x > 0, x, alpha * x),
    name="leaky_relu",
    x=lambda g, x, alpha: np.where(x > 0, g, alpha * g),
)
"""x above 0, αx below; slope α at 0. Maas, Hannun, Ng 2013, Rectifier nonlinearities improve acoustic models."""

elu = elementwise(
    lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(np.where(x > 0, 0, x))),
    name="elu",
    x=lambda g, x, alpha: np.where(x > 0, g, alpha * g * np.exp(np.where(x > 0, 0, x))),
)
"""x above 0, α(e^x − 1) below; slope α at 0. Clevert, Unterthiner, Hochreiter 2016, arXiv:1511.07289."""


def _lowered(z: Array) -> tuple[Array, Array]:
    """Scores less the largest of their row, and the place of the largest, counted through all entries."""
    rows = z.reshape(-1, z.shape[-1])
    top = rows.argmax(1)
    top += starts(rows.size, rows.shape[1])
    return rows - rows.take(top)[:, None], top


def _below(z: Array) -> tuple[Array, Array, Array, Array]:
    """Lowered scores, e to that power, the place of the largest, and the sum of the others' e.

    What is left of 1 when the largest p is taken away is made of these small terms alone: nothing cancels.
    """
    low, top = _lowered(z)
    e = np.exp(low)
    e.put(top, 0)
    rest = _sums(e)
    e.put(top, 1)
    return low, e, top, rest


def _sums(rows: Array) -> Array:
    """The sum of each row: of short rows by BLAS, three times as fast, of long ones in pairs."""
    if rows.shape[1] > 128:
        return np.add.reduce(rows, 1)
    return rows.dot(ones(rows.shape[1], rows.dtype))


def _log_softmax(z: Array) -> Array:
    low, _, _, rest = once(_below, z)
    return (low - np.log1p(rest)[:, None]).reshape(z.shape)


def _chances(z: Array) -> tuple[Array, Array]:
    """Softmax p and 1 − p, both to full relative accuracy."""
    _, e, top, rest = once(_below, z)
    total = 1 + rest
    p = e / total[:, None]
    q = 1 - p  # the others have p ≤ ½
    q.put(top, rest / total)
    return p.reshape(z.shape), q.reshape(z.shape)


def _others(v: Array) -> Array:
    """The sum of the other entries of each row, without cancellation where one of them outweighs the rest."""
    rows = v.reshape(-1, v.shape[-1])
    top = np.arange(len(rows)), np.abs(rows).argmax(1)
    out = np.add.reduce(rows, 1, keepdims=True) - rows
    small = rows.copy()
    small[top] = 0
    out[top] = np.add.reduce(small, 1)
    return out.reshape(v.shape)


def _log_softmax_rule(g: Array, z: Array) -> Array:
    p, q = _chances(z)
    return g * q - p * _others(g)


def _below_reference(z: Any) -> tuple[Any, Any]:
    """`_below` in ordinary operations: the scores less the largest of their row, and the sum of the others' e^."""
    top = z.argmax(-1)[..., None] == np.arange(z.shape[-1])
    low = np.where(top, 0, z - np.sum(np.where(top, z, 0), -1, keepdims=True))
    return low, np.sum(np.where(top, 0, np.exp(low)), -1, keepdims=True)


def _log_softmax_reference(z: Any) -> Any:
    low, rest = _below_reference(z)
    return low - np.log1p(rest)


def _softmax_reference(z: Any) -> Any:
    low, rest = _below_reference(z)
    return np.exp(low) / (1 + rest)


def _softmax_rule(g: Array, z: Array) -> Array:
    p, q = _chances(z)
    return p * (g * q - _others(g * p))


log_softmax = op(_log_softmax, name="log_softmax", z=_log_softmax_rule, reference=_log_softmax_reference)
"""z − logsumexp(z) along the last axis, exact also for the score that dominates."""

softmax = op(
    lambda z: _chances(z)[0],
    name="softmax",
    z=_softmax_rule,
    reference=_softmax_reference,
)
"""e^z / Σ e^z along the last axis."""


def _logsumexp(z: Array, axis: Any = -1, keepdims: bool = False) -> Array:
    axes = normalize_axis_tuple(range(z.ndim) if axis is None else axis, z.ndim)
    rows, _ = rows_of(z, axes)
    if not rows.shape[1]:
        rows = np.full((len(rows), 1), -np.inf, z.dtype)  # the sum of nothing is 0
    top = rows.max(1)
    _, _, _, rest = once(_below, rows)
    out = np.where(np.abs(top) == np.inf, top, top + np.log1p(rest))
    kept = [1 if i in axes else side for i, side in enumerate(z.shape) if keepdims or i not in axes]
    return out.reshape(kept)


def _logsumexp_rule(g: Array, z: Array, axis: Any) -> Array:
    """The softmax of what was summed."""
    if not z.size:
        return np.zeros(z.shape, z.dtype)
    rows, back = rows_of(z, axis)
    none = np.max(rows, 1, keepdims=True) == -np.inf
    return spread(g, z.shape, axis) * back(np.where(none, 0, softmax(np.where(none, 0, rows))))


logsumexp = op(_logsumexp, name="logsumexp", z=_logsumexp_rule)
"""ln Σ e^z along the last axis, or along those that `axis` says (None: all); −inf with slope 0 for −inf only."""


def _places(t: Array, k: int) -> Array:
    """Where in rows of k entries the labels point; each is one of k classes, or it would point to another row."""
    t = t.reshape(-1)
    u = t.astype(np.uint64)  # −1 is the largest of all
    if u.size and u.item(u.argmax()) >= k:  # quicker than max()
        row = int(((t < 0) | (t >= k)).argmax())
        raise LabelError(
            f"softmax_residual: expected labels from 0 to {k - 1}, got {t[row]} in row {row}; number the classes from 0"
        )
    return starts(t.size * k, k) + t


def _rivals(z: Array, t: Array) -> tuple[Array, Array, Array, Array]:
    """At the labels t the lowered score and e to that power; the sum of the others' e; and e less the row's sum there.

    The last is p − 1 at the label and p elsewhere, but for the sum of all e: nothing cancels here either.
    """
    (low, _), place = _lowered(z), _places(t, z.shape[-1])
    e = np.exp(low)
    score, own = low.take(place), e.take(place)
    e.put(place, 0)
    others = _sums(e)
    e.put(place, -others)
    return score, own, others, e


def _softmax_residual(z: Array, t: Array) -> Array:
    if t.ndim == z.ndim:
        p, q = _chances(z)
        return p * _others(t) - t * q
    _, own, others, e = once(_rivals, z, t)
    return (e / (own + others)[:, None]).reshape(z.shape)


def _residual_rule(g: Array, out: Array, z: Array, t: Array) -> Array:
    """(Σt)·p∘(g − ⟨g, p⟩)."""
    total = t.sum(-1, keepdims=True) if t.ndim == z.ndim else 1
    return total * _softmax_rule(g, z)


def _residual_reference(z: Any, t: Any) -> Any:
    rows = t if t.ndim == z.ndim else np.eye(z.shape[-1], dtype=z.dtype)[t]
    return _softmax_reference(z) * np.sum(rows, -1, keepdims=True) - rows


softmax_residual = op(
    _softmax_residual,
    name="softmax_residual",
    z=_residual_rule,
    t=lambda g, z, t: (g * softmax(z)).sum(-1, keepdims=True) - g,
    reference=_residual_reference,
)
"""(Σt)·p − t with p = softmax(z), for rows t or labels t: the slope of cross-entropy, without cancellation."""


def _surprise(z: Array, t: Array) -> Array:
    score, own, others, _ = once(_rivals, z, t)
    return (np.log1p(others + (own - 1)) - score).reshape(t.shape)


def _surprise_reference(z: Any, t: Any) -> Any:
    return -np.sum(np.where(np.arange(z.shape[-1]) == t[..., None], _log_softmax_reference(z), 0), -1)


surprise = op(
    _surprise,
    name="surprise",
    z=lambda g, z, t: g[..., None] * softmax_residual(z, t),
    reference=_surprise_reference,
)
"""−ln softmax(z) at the labels t, without the other classes: what cross-entropy is for labels."""
