"""What NumPy lacks: functions on arrays and Tensors alike, each one node of the graph."""

from minigrad.engine.fused import (
    linear,
    log_softmax,
    logsumexp,
    relu,
    sigmoid,
    softmax,
    softmax_residual,
    softplus,
)

__all__ = ["linear", "log_softmax", "logsumexp", "relu", "sigmoid", "softmax", "softmax_residual", "softplus"]
