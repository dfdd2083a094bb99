"""minigrad: where loss functions are designed, understood, compared and shared."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from minigrad.elsewhere import looked_for
from minigrad.engine import Tensor, elementwise, grad, no_grad, op

if TYPE_CHECKING:
    from minigrad import data, errors, losses, metrics, nn, ops
    from minigrad import explain as explain
    from minigrad import figures as figures
    from minigrad import lesson as lesson
    from minigrad import optim as optim
    from minigrad import testing as testing
    from minigrad.checkpoint import load, save
    from minigrad.explain.diff import diff
    from minigrad.explain.trace import trace
    from minigrad.losses.loss import loss
    from minigrad.losses.registry import hookimpl
    from minigrad.nn import MLP, Linear
    from minigrad.optim import SGD, Adam
    from minigrad.study import compare
    from minigrad.testing.check import check_loss
    from minigrad.testing.gradcheck import gradcheck
    from minigrad.training import evaluate, fit

__version__ = "0.1.0"

# Everything but the engine is imported on first use: `import minigrad` costs little more than `import numpy`.
_LATE = {
    "MLP": "nn",
    "Linear": "nn",
    "SGD": "optim",
    "Adam": "optim",
    "loss": "losses.loss",
    "hookimpl": "losses.registry",
    "fit": "training",
    "evaluate": "training",
    "save": "checkpoint",
    "load": "checkpoint",
    "compare": "study",
    "diff": "explain",
    "trace": "explain",
    "check_loss": "testing",
    "gradcheck": "testing",
}
_MODULES = ("data", "errors", "explain", "figures", "lesson", "losses", "metrics", "nn", "ops", "optim", "testing")

__all__ = [
    "MLP",
    "SGD",
    "Adam",
    "Linear",
    "Tensor",
    "check_loss",
    "compare",
    "data",
    "diff",
    "elementwise",
    "errors",
    "evaluate",
    "fit",
    "grad",
    "gradcheck",
    "hookimpl",
    "load",
    "loss",
    "losses",
    "metrics",
    "nn",
    "no_grad",
    "op",
    "ops",
    "save",
    "trace",
]


if not TYPE_CHECKING:  # a type checker shall find what does not exist

    def __getattr__(name: str) -> Any:
        if name in _LATE:
            value = getattr(import_module(f"minigrad.{_LATE[name]}"), name)
        elif name in _MODULES:
            value = import_module(f"minigrad.{name}")
        else:
            return looked_for("minigrad")(name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({name for name in globals() if name.startswith("__")} | {"engine", *_MODULES, *__all__})
