"""What a loss is, and how one is found.

`get("huber", delta=2)` finds a loss by name, `register(loss)` gives one a name in this process, `names()` lists all.
For authors: `loss`, `pick` and `of_difference`, the constraints of parameters (`positive`, `nonnegative`, `between`, a
`Constraint` of their own), and `fitted`.
"""

from typing import TYPE_CHECKING

from minigrad.elsewhere import looked_for
from minigrad.losses.lookup import add_file, get, isolated, names, problems, register, unregister
from minigrad.losses.loss import Loss, Owner, loss
from minigrad.losses.offers import Problem
from minigrad.losses.parameters import Constraint, between, fitted, nonnegative, positive
from minigrad.losses.registry import hookimpl
from minigrad.losses.targets import align, of_difference, pick

__all__ = [
    "Constraint",
    "Loss",
    "Owner",
    "Problem",
    "add_file",
    "align",
    "between",
    "fitted",
    "get",
    "hookimpl",
    "isolated",
    "loss",
    "names",
    "nonnegative",
    "of_difference",
    "pick",
    "positive",
    "problems",
    "register",
    "unregister",
]

if not TYPE_CHECKING:  # a type checker shall find what does not exist
    __getattr__ = looked_for(__name__)
