"""What NumPy lacks: functions on arrays and Tensors alike, each one node of the graph."""

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
