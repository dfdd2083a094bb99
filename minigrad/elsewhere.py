"""Where something is that was looked for in the wrong module: `minigrad.hessian`, `minigrad.exp`, `losses.mse`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np


def cure(module: str, name: str) -> str:
    """What to put after "module … has no attribute …": where it is, or "" if nobody knows."""
    import pkgutil

    inside = pkgutil.iter_modules(vars(sys.modules[module]).get("__path__", []))
    if name.startswith("_") or name in (info.name for info in inside):  # a module that somebody is about to import
        return ""
    if name in ("tensor", "array"):
        return "; it is minigrad.Tensor"
    from minigrad import engine, losses, nn, ops, optim
    from minigrad.engine.arraylike import RULES
    from minigrad.losses.lookup import current
    from minigrad.losses.names import foreign

    for place in (engine, nn, optim, ops, losses):
        if name in place.__all__:
            return f"; it is {place.__name__}.{name}"
    if loss := foreign(name, current().losses["minigrad"]):
        return f"; write minigrad.losses.get({loss!r})"
    function = getattr(np, name, None)
    return f"; np.{name}(…) works on Tensors" if callable(function) and function in RULES else ""


def looked_for(module: str) -> Callable[[str], Any]:
    """The `__getattr__` of a module: an error that says where it is."""

    def missing(name: str) -> Any:
        raise AttributeError(f"module {module!r} has no attribute {name!r}{cure(module, name)}")

    return missing
