"""Networks: modules, the layers they are made of, and how their weights start."""

from minigrad.nn.arguments import generator, known
from minigrad.nn.initial import INITS
from minigrad.nn.layers import (
    ACTIVATIONS,
    MLP,
    Dropout,
    LayerNorm,
    Linear,
    LogSoftmax,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from minigrad.nn.module import Module, labels

__all__ = [
    "ACTIVATIONS", "INITS", "MLP", "Dropout", "LayerNorm", "Linear", "LogSoftmax", "Module", "ReLU", "Sequential",
    "Sigmoid", "Softmax", "Softplus", "Tanh", "generator", "known", "labels",
]  # fmt: skip
