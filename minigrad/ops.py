"""What NumPy lacks: functions on arrays and Tensors alike, each one node of the graph."""

from minigrad.engine.fused import (
    gelu,
    linear,
    log_softmax,
    logsumexp,
    relu,
    sigmoid,
    silu,
    softmax,
    softmax_residual,
    softplus,
)

__all__ = [
    "gelu",
    "linear",
    "log_softmax",
    "logsumexp",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softmax_residual",
    "softplus",
]
