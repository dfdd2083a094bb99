"""Differentiation: knows NumPy and nothing else of minigrad.

Read `graph.py` (what was computed from what), then `op.py` (a function and its rules), `tensor.py` (what a user
holds), and the equations in `rules/`. `python -m minigrad.engine` lists every function with its rules.
"""

from minigrad.engine import fused, rules
from minigrad.engine.debug import detect_anomaly
from minigrad.engine.graph import no_grad
from minigrad.engine.op import OWN, elementwise, op
from minigrad.engine.tensor import RULES, Tensor
from minigrad.engine.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp

__all__ = [
    "Tensor",
    "detect_anomaly",
    "elementwise",
    "fused",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "no_grad",
    "op",
    "rules",
    "value_and_grad",
    "vjp",
]

OWN.update(RULES)  # what is registered from here on is somebody else's
