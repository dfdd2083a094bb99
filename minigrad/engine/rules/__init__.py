"""The rules: which derivative each function has, written as a table of equations."""

import numpy as np

from minigrad.engine.arraylike import RULES, method
from minigrad.engine.rules import contraction, elementwise, indexing, linalg, plain, reductions, shaping
from minigrad.engine.tensor import Tensor

__all__ = ["contraction", "elementwise", "indexing", "linalg", "plain", "reductions", "shaping"]

# Whatever begins with an array is a method, too.
OTHERS = {
    np.where, np.concatenate, np.stack, np.vstack, np.hstack, np.dstack, np.column_stack, np.einsum,
    np.broadcast_arrays,
}  # fmt: skip
for _function in RULES.keys() - plain.ANSWERS.keys() - OTHERS:
    _name = getattr(_function, "__name__", "_")
    if not _name.startswith(("_", "<")) and not hasattr(Tensor, _name):
        setattr(Tensor, _name, method(_function))
