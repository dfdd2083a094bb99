"""Functions whose result is no float that depends smoothly on the input: they answer with plain arrays."""

import inspect
from types import SimpleNamespace

import numpy as np

from minigrad.engine import debug, guards
from minigrad.engine.arraylike import RULES
from minigrad.engine.values import data_of, edge_of

# The value is used, and its gradient ends here.
CUTTING = [
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal, np.logical_and, np.logical_or,
    np.logical_not, np.logical_xor, np.isfinite, np.isnan, np.isinf, np.isneginf, np.isposinf, np.signbit,
    np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.argsort, np.argpartition, np.argwhere, np.nonzero,
    np.flatnonzero, np.count_nonzero, np.any, np.all, np.allclose, np.isclose, np.array_equal, np.array_equiv,
    np.searchsorted, np.digitize, np.lexsort, np.isin, np.linalg.matrix_rank,
]  # fmt: skip
# Only shape and dtype are looked at, or a text is made.
LOOKING = [
    np.shape, np.ndim, np.size, np.zeros_like, np.ones_like, np.empty_like, np.full_like, np.array_repr, np.array_str,
    np.array2string, np.can_cast, np.result_type, np.common_type, np.min_scalar_type, np.may_share_memory,
    np.shares_memory, np.iscomplexobj, np.isrealobj, np.iscomplex, np.isreal,
]  # fmt: skip


def told(function):
    """A function of NumPy on arrays, with minigrad's words for what it refuses."""

    def call(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except (ValueError, TypeError, IndexError) as error:
            made = SimpleNamespace(name=function.__name__, args=_names(function, len(args)), forward=function)
            guards.explain(error, made, args, kwargs)
            raise

    return call


def _names(function, count):
    if isinstance(function, np.ufunc):
        return ("x", "y")[:count]
    kinds = inspect.signature(function).parameters.values()
    return [
        f"{p.name}{i}" if p.kind is p.VAR_POSITIONAL else p.name
        for p in kinds
        for i in range(count if p.kind is p.VAR_POSITIONAL else 1)
    ]


def plain(function, cuts):
    """The function on arrays, for Tensors: what comes out has no gradient."""
    on_arrays = told(function)

    def answer(*args, **kwargs):
        if cuts and any(edge_of(value) is not None for value in (*args, *kwargs.values())):
            debug.cut(function.__name__)
        return on_arrays(*map(data_of, args), **{key: data_of(value) for key, value in kwargs.items()})

    answer.__name__ = function.__name__
    return answer


ANSWERS = {function: plain(function, function in CUTTING) for function in CUTTING + LOOKING}
RULES |= ANSWERS
