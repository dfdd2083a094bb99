"""Products that sum over axes: the gradient of one factor is the product of the gradient with the other."""

import numpy as np

from minigrad.engine.arraylike import RULES
from minigrad.engine.op import op, sum_to
from minigrad.engine.rules.indexing import put


# x @ y: ∂x = g @ yᵀ, ∂y = xᵀ @ g
def _lifted(g, a, b):
    """`g`, `a` and `b` as (stacks of) matrices: a vector on the left is a row, one on the right a column."""
    if a.ndim == 1:
        a, g = np.expand_dims(a, 0), np.expand_dims(g, -1 if b.ndim == 1 else -2)
    if b.ndim == 1:
        b, g = np.expand_dims(b, 1), np.expand_dims(g, -1)
    return g, a, b


def _matmul_x(g, x, y):
    g, a, b = _lifted(g, x, y)
    return np.reshape(sum_to(np.matmul(g, np.swapaxes(b, -1, -2)), a.shape), x.shape)


def _matmul_y(g, x, y):
    g, a, b = _lifted(g, x, y)
    return np.reshape(sum_to(np.matmul(np.swapaxes(a, -1, -2), g), b.shape), y.shape)


matmul = op(np.matmul, args="x y", x=_matmul_x, y=_matmul_y)


# Sums over pairs of axes: tensordot, and what is tensordot for certain axes
def _pairs(a, b, axes):
    """The axes of `a` and of `b` that are summed over together."""
    if np.ndim(axes) == 0:
        return list(range(a.ndim - int(axes), a.ndim)), list(range(int(axes)))
    left, right = (np.atleast_1d(side).tolist() for side in axes)
    return [i % a.ndim for i in left], [i % b.ndim for i in right]


def _tensordot_a(g, a, b, axes):
    """∂a: g summed with b over what b kept, its axes in the places that they have in a."""
    left, right = _pairs(a, b, axes)
    free_a, free_b = ([i for i in range(x.ndim) if i not in summed] for x, summed in ((a, left), (b, right)))
    out = np.tensordot(g, b, (list(range(len(free_a), g.ndim)), free_b))
    return np.transpose(out, np.argsort([*free_a, *(left[right.index(i)] for i in sorted(right))]))


def _tensordot_b(g, a, b, axes):
    left, right = _pairs(a, b, axes)
    free_a, free_b = ([i for i in range(x.ndim) if i not in summed] for x, summed in ((a, left), (b, right)))
    out = np.tensordot(a, g, (free_a, list(range(len(free_a)))))
    return np.transpose(out, np.argsort([*(right[left.index(i)] for i in sorted(left)), *free_b]))


def _last(a, b):
    """The axes of np.dot: the last of a, the last but one of b."""
    return ([-1], [-2 if b.ndim > 1 else -1])


def _product_a(g, a, b, axes):
    """As for tensordot, or a plain product where one factor is a number."""
    return np.reshape(np.sum(g * b), ()) if a.ndim == 0 else g * b if b.ndim == 0 else _tensordot_a(g, a, b, axes)


def _product_b(g, a, b, axes):
    return np.reshape(np.sum(g * a), ()) if b.ndim == 0 else g * a if a.ndim == 0 else _tensordot_b(g, a, b, axes)


tensordot = op(np.tensordot, a=_tensordot_a, b=_tensordot_b)
dot = op(
    np.dot,
    args="a b",
    a=lambda g, a, b: _product_a(g, a, b, _last(a, b)),
    b=lambda g, a, b: _product_b(g, a, b, _last(a, b)),
)
inner = op(
    np.inner,
    args="a b",
    a=lambda g, a, b: _product_a(g, a, b, ([-1], [-1])),
    b=lambda g, a, b: _product_b(g, a, b, ([-1], [-1])),
)
outer = op(
    np.outer,
    args="a b",
    a=lambda g, a, b: np.reshape(g @ np.ravel(b), a.shape),
    b=lambda g, a, b: np.reshape(np.ravel(a) @ g, b.shape),
)
vdot = op(
    np.vdot,
    args="a b",
    a=lambda g, a_shape, b: np.reshape(g * b, a_shape),
    b=lambda g, a, b_shape: np.reshape(g * a, b_shape),
)


# einsum
def _spelled(subscripts, operands):
    """The subscripts of every operand and of the result, an ellipsis replaced by letters that are free."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    hidden = [np.ndim(x) - len(term) + 3 if "..." in term else 0 for term, x in zip(terms, operands)]
    unused = [c for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in subscripts]
    dots = "".join(unused[: max(hidden)])
    once = "".join(sorted(c for c in set(left) - set(",.") if left.count(c) == 1))
    right = right.replace("...", dots) if arrow else dots + once
    return [term.replace("...", dots[len(dots) - n :]) for term, n in zip(terms, hidden)], right


def _einsum_part(g, operands, terms, result, i):
    """The gradient of operand i: the result's subscripts and those of the others, summed to its own.

    A letter that only it has was summed by itself: every entry along it gets the same. A letter that it has twice
    picked a diagonal, and the gradient lies on that.
    """
    term, own = "".join(dict.fromkeys(terms[i])), operands[i]
    sides = dict(zip(terms[i], own.shape))
    factors = [(result, g), *((t, x) for k, (t, x) in enumerate(zip(terms, operands)) if k != i)]
    kept = "".join(c for c in term if any(c in t for t, _ in factors))
    part = np.einsum(",".join(t for t, _ in factors) + "->" + kept, *(x for _, x in factors))
    part = sum_to(part, tuple(sides[c] for c in kept))
    part = np.reshape(part, tuple(sides[c] if c in kept else 1 for c in term))
    part = np.broadcast_to(part, tuple(sides[c] for c in term))
    if term == terms[i]:
        return part
    grid = dict(zip(term, np.ogrid[tuple(slice(sides[c]) for c in term)]))
    return put(part, tuple(grid[c] for c in terms[i]), own.shape)


def _einsum_rule(g, operands, subscripts):
    terms, result = _spelled(subscripts, operands)
    return [_einsum_part(g, operands, terms, result, i) for i in range(len(operands))]


_einsum = op(
    lambda operands, subscripts, optimize=False: np.einsum(subscripts, *operands, optimize=optimize),
    name="einsum",
    operands=_einsum_rule,
)


def einsum(subscripts, *operands, optimize=False):
    """np.einsum, with subscripts as text."""
    if not isinstance(subscripts, str):
        raise TypeError(f"einsum: expected subscripts as text, got {type(subscripts).__name__}; write 'ij,jk->ik'")
    return _einsum(list(operands), subscripts, optimize)


RULES[np.einsum] = einsum
