"""Optimizers and schedules: the update rules, written for one array and run on one array.

The parameters of a group live side by side in one flat buffer, each as a view of it, and so do their gradients and the
optimizer's state: a step is a handful of NumPy calls, however many parameters there are. A parameter without gradient
is left alone; then the same rule runs on the slices of the others.
"""

from typing import TYPE_CHECKING

from minigrad.elsewhere import looked_for
from minigrad.optim.flat import Flat
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.rules import OPTIMIZERS, SGD, Adam, AdamW, RMSprop
from minigrad.optim.schedules import Cosine, OneCycle, Plateau, Schedule, StepDecay, WarmUp

__all__ = [
    "OPTIMIZERS", "SGD", "Adam", "AdamW", "Cosine", "Flat", "OneCycle", "Optimizer", "Plateau", "RMSprop", "Schedule",
    "StepDecay", "WarmUp",
]  # fmt: skip

if not TYPE_CHECKING:  # a type checker shall find what does not exist
    __getattr__ = looked_for(__name__)
