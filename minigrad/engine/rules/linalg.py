"""Linear algebra: inverses, determinants, norms, of matrices in the last two axes."""

import math

import numpy as np

from minigrad.engine.arraylike import RULES
from minigrad.engine.op import Op, op, sum_to
from minigrad.engine.rules.elementwise import over
from minigrad.engine.rules.reductions import axes_of, spread, tied
from minigrad.engine.values import data_of


def _t(a):
    return np.swapaxes(a, -1, -2)


# d(A⁻¹) = −A⁻¹ dA A⁻¹
inv = op(np.linalg.inv, a=lambda g, out: -_t(out) @ g @ _t(out))


def _solved(g, a, b):
    """A⁻ᵀ g, a single right-hand side as a column."""
    return np.linalg.solve(_t(a), np.expand_dims(g, -1) if b.ndim == 1 else g)


def _solve_a(g, a, b, out):
    """−(A⁻ᵀ g) xᵀ."""
    x = np.expand_dims(out, -1) if b.ndim == 1 else out
    return sum_to(-_solved(g, a, b) @ _t(x), a.shape)


def _solve_b(g, a, b):
    """A⁻ᵀ g."""
    part = _solved(g, a, b)
    return sum_to(np.squeeze(part, -1) if b.ndim == 1 else part, b.shape)


solve = op(np.linalg.solve, a=_solve_a, b=_solve_b)


def _matrix(g):
    """A number for each matrix, to be multiplied with it."""
    return np.expand_dims(g, (-2, -1))


# d det A = det A · tr(A⁻¹ dA)
det = op(np.linalg.det, a=lambda g, a, out: _matrix(g * out) * _t(np.linalg.inv(a)))
_logabsdet = op(lambda a: np.linalg.slogdet(a)[1], name="slogdet", a=lambda g, a: _matrix(g) * _t(np.linalg.inv(a)))


def slogdet(a):
    """The sign, a plain array, and ln |det A|: ∂ = A⁻ᵀ."""
    logabsdet = _logabsdet(a)
    return np.linalg.slogdet(data_of(a))._replace(logabsdet=logabsdet)


RULES[np.linalg.slogdet] = slogdet


# Norms: ∂‖x‖/∂x, 0 where the norm is 0
def _vector_norm(x, out, p):
    """x/‖x‖ for p = 2, else sign(x)·(|x|/‖x‖)^(p−1); 1/k at each of the k largest for p = ∞; p = 0 counts."""
    if p in (None, 2):
        return over(x, out)
    if p == 0:
        return np.zeros(x.shape, x.dtype)
    if p == 1:
        return np.sign(x)
    share = np.abs(over(x, out))
    return np.sign(x) * np.where(share == 0, 0, np.where(share == 0, 1, share) ** (p - 1))


def _parts(x, p):
    """U, σ, Vᵀ, and w: 1 for every σ that is not 0 ("nuc"), or 1/k for each of the k largest (2) or smallest (−2)."""
    wild = ~np.isfinite(x).all((-2, -1), keepdims=True)  # of an infinity LAPACK may never come back
    u, s, vt = np.linalg.svd(np.where(wild, 0, x), full_matrices=False)
    return (
        np.where(wild, math.nan, u),
        s,
        vt,
        s > 0 if p == "nuc" else tied(s, np.max(s, -1) if p == 2 else np.min(s, -1), -1),
    )


def _polar(x, p):
    """U diag(w) Vᵀ, the slope of a norm made of singular values ("nuc": the polar factor)."""
    u, _, vt, w = _parts(x, p)
    return (u * np.expand_dims(w, -2)) @ vt


def _polar_rule(g, x, p):
    """With h = UᵀgV: U(sym h·Δw/Δσ + skew h·Σw/Σσ)Vᵀ, and what of g lies beside U or V times w/σ."""
    u, s, vt, w = _parts(x, p)
    ut, v, w = _t(u), _t(vt), w.astype(s.dtype)
    i, j = np.expand_dims(s, -1), np.expand_dims(s, -2)
    wi, wj = np.expand_dims(w, -1), np.expand_dims(w, -2)
    h = ut @ g @ v
    turn = (h + _t(h)) / 2 * over(wi - wj, i - j) + (h - _t(h)) / 2 * over(wi + wj, i + j)
    beside = (g - u @ (ut @ g)) @ (v * over(wj, j)) @ vt + (u * over(wj, j)) @ ut @ (g - (g @ v) @ vt)
    return u @ turn @ vt + beside


polar = Op(_polar, {"x": _polar_rule}, name="polar")


def _singular(x, p, axes):
    """The slope of the sum, or of an extreme, of the singular values of the matrices in two axes."""
    order = [*(i for i in range(x.ndim) if i not in axes), *axes]
    return np.transpose(polar(np.transpose(x, order), p), np.argsort(order))


def _norm_rule(g, x, out, ord, axis):
    """Of vectors along one axis, of matrices along two, of all entries if neither order nor axis is given."""
    axes = axes_of(axis, x.ndim)
    out, g = spread(out, x.shape, axes), spread(g, x.shape, axes)
    if ord is None or ord == "fro":
        return g * over(x, out)
    if len(axes) == 2 and ord in (2, -2, "nuc"):
        return g * _singular(x, ord, axes)
    if len(axes) == 2:  # the largest or smallest sum of a column (±1) or of a row (±∞)
        sums = np.sum(np.abs(x), axes[0] if abs(ord) == 1 else axes[1], keepdims=True)
        return g * np.sign(x) * tied(sums, out, axes)
    if abs(ord) == math.inf:
        return g * np.sign(x) * tied(np.abs(x), out, axes)
    return g * _vector_norm(x, out, ord)


norm = op(np.linalg.norm, x=_norm_rule)
