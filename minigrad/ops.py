"""What NumPy lacks: functions on arrays and Tensors alike, each one node of the graph."""

from typing import TYPE_CHECKING

from minigrad.elsewhere import looked_for
from minigrad.engine.fused import (
    elu,
    gelu,
    leaky_relu,
    linear,
    log_softmax,
    logsumexp,
    relu,
    sigmoid,
    silu,
    softmax,
    softmax_residual,
    softplus,
    times_exp,
)

__all__ = [
    "elu",
    "gelu",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsumexp",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softmax_residual",
    "softplus",
    "times_exp",
]

if not TYPE_CHECKING:  # a type checker shall find what does not exist
    __getattr__ = looked_for(__name__)
