"""The rules: which derivative each function has, written as a table of equations."""

from minigrad.engine.rules import contraction, elementwise, indexing, reductions, shaping

__all__ = ["contraction", "elementwise", "indexing", "reductions", "shaping"]
