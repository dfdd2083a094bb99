"""Functions that NumPy lacks, or that are exact or fast only in one piece.

Each is one node. Where its rule has no derivative of its own, `reference` is the same maths in ordinary operations:
the engine differentiates that for a second derivative, and the tests compare with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.engine.op import Elementwise, elementwise, op, row_sum

Array = Any


def _linear(x: Array, weight: Array, bias: Array = None) -> Array:
    out = x @ weight
    if bias is not None:
        out += bias
    return out


def _rows(a: Array) -> Array:
    return a if a.ndim == 2 else a.reshape(-1, a.shape[-1])


linear = op(
    _linear,
    name="linear",
    x=lambda g, weight: g @ weight.T,
    weight=lambda g, x: _rows(x).T @ _rows(g),
    bias=lambda g: row_sum(_rows(g)),
    reference=lambda x, weight, bias=None: x @ weight if bias is None else x @ weight + bias,
)
"""x @ weight + bias: x (..., in), weight (in, out), bias (out,) or None."""

relu = elementwise(
    lambda x: np.maximum(x, 0),
    name="relu",
    x=lambda g, x: np.where(x > 0, g, 0),
)
"""max(x, 0); slope 0 at 0."""


def _sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


sigmoid: Elementwise = elementwise(_sigmoid, name="sigmoid", x=lambda x: sigmoid(x) * sigmoid(-x))
"""1/(1 + e^−x), without overflow; 1 − σ(x) is sigmoid(−x), to the last digit."""

softplus = elementwise(lambda x: np.logaddexp(0, x), name="softplus", x=lambda x: sigmoid(x))
"""ln(1 + e^x), exact in both tails."""


def _below(z: Array) -> tuple[Array, Array, Any, Array]:
    """Scores less the largest of their row, e to that power but 0 for the largest itself, its place, and their sum.

    What is left of 1 when the largest p is taken away is made of these small terms alone: nothing cancels.
    """
    rows = z.reshape(-1, z.shape[-1])
    top = np.arange(len(rows)), rows.argmax(1)
    with np.errstate(invalid="ignore"):  # a row of −inf only: NaN, as the function has no value there
        low = rows - rows[top][:, None]
    others = np.exp(low)
    others[top] = 0
    return low, others, top, np.add.reduce(others, 1, keepdims=True)


def _log_softmax(z: Array) -> Array:
    low, _, _, rest = _below(z)
    return (low - np.log1p(rest)).reshape(z.shape)


def _chances(z: Array) -> tuple[Array, Array]:
    """Softmax p and 1 − p, both to full relative accuracy."""
    _, others, top, rest = _below(z)
    p = others / (1 + rest)
    q = 1 - p  # the others have p ≤ ½
    p[top], q[top] = 1 / (1 + rest[:, 0]), rest[:, 0] / (1 + rest[:, 0])
    return p.reshape(z.shape), q.reshape(z.shape)


def _log_softmax_rule(g: Array, z: Array) -> Array:
    p, q = _chances(z)
    return g * q - p * (g.sum(-1, keepdims=True) - g)


def _shifted(z: Any) -> Any:
    """Scores less the largest of their row, which is finite: no shift changes a softmax."""
    top = np.max(z.detach().numpy() if hasattr(z, "detach") else z, -1, keepdims=True)
    return z - np.where(np.isfinite(top), top, 0)


def _log_softmax_reference(z: Any) -> Any:
    shifted = _shifted(z)
    return shifted - np.log(np.sum(np.exp(shifted), -1, keepdims=True))


def _softmax_reference(z: Any) -> Any:
    e = np.exp(_shifted(z))
    return e / np.sum(e, -1, keepdims=True)


log_softmax = op(_log_softmax, name="log_softmax", z=_log_softmax_rule, reference=_log_softmax_reference)
"""z − logsumexp(z) along the last axis, exact also for the score that dominates."""

softmax = op(
    lambda z: _chances(z)[0],
    name="softmax",
    z=lambda g, out: out * (g - (g * out).sum(-1, keepdims=True)),
    reference=_softmax_reference,
)
"""e^z / Σ e^z along the last axis."""


def _logsumexp(z: Array) -> Array:
    _, _, _, rest = _below(z)
    return z.max(-1) + np.log1p(rest).reshape(z.shape[:-1])


logsumexp = op(_logsumexp, name="logsumexp", z=lambda g, z: np.expand_dims(g, -1) * softmax(z))
"""ln Σ e^z along the last axis."""


def _softmax_residual(z: Array, t: Array) -> Array:
    if t.ndim == z.ndim:
        p, q = _chances(z)
        return p * (t.sum(-1, keepdims=True) - t) - t * q
    _, p, top, rest = _below(z)
    p[top] = 1
    p /= 1 + rest
    label = top[0], t.reshape(-1)
    wrong = top[1] != label[1]
    p[label] = np.where(wrong, p[label] - 1, -rest[:, 0] / (1 + rest[:, 0]))  # −Σ of the others, for the largest
    return p.reshape(z.shape)


def _residual_rule(g: Array, out: Array, z: Array, t: Array) -> Array:
    """(Σt)·p∘(g − ⟨g, p⟩)."""
    p, _ = _chances(z)
    total = t.sum(-1, keepdims=True) if t.ndim == z.ndim else 1
    return total * p * (g - (g * p).sum(-1, keepdims=True))


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
