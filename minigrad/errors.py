"""The errors of minigrad, to catch and, in a loss that checks its own input, to raise. See `engine/errors.py`."""

from minigrad.engine.errors import (
    CheckpointError,
    DomainError,
    DTypeError,
    GradientError,
    LabelError,
    PluginError,
    ShapeError,
    UnknownLossError,
)

__all__ = [
    "CheckpointError",
    "DTypeError",
    "DomainError",
    "GradientError",
    "LabelError",
    "PluginError",
    "ShapeError",
    "UnknownLossError",
]
