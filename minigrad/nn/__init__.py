"""Networks: modules, the layers they are made of, and how their weights start."""

from typing import TYPE_CHECKING

from minigrad.elsewhere import looked_for
from minigrad.nn.arguments import asked, generator, known
from minigrad.nn.initial import INITS
from minigrad.nn.layers import (
    ACTIVATIONS,
    ELU,
    GELU,
    MLP,
    Dropout,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    ReLU,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from minigrad.nn.module import Module, labels

__all__ = [
    "ACTIVATIONS", "ELU", "GELU", "INITS", "MLP", "Dropout", "LayerNorm", "LeakyReLU", "Linear", "LogSoftmax", "Module",
    "ReLU", "Sequential", "SiLU", "Sigmoid", "Softmax", "Softplus", "Tanh", "asked", "generator", "known", "labels",
]  # fmt: skip

if not TYPE_CHECKING:  # a type checker shall find what does not exist
    __getattr__ = looked_for(__name__)
