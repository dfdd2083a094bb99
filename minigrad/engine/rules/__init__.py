"""The rules: which derivative each function has, written as a table of equations."""

from minigrad.engine.arraylike import RULES
from minigrad.engine.op import OWN
from minigrad.engine.rules import contraction, elementwise, indexing, linalg, plain, reductions, shaping

OWN.update(RULES)

__all__ = ["contraction", "elementwise", "indexing", "linalg", "plain", "reductions", "shaping"]
