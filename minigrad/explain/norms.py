"""How loud every sample is in every layer, from one backward pass over the whole batch."""

from __future__ import annotations

from contextvars import copy_context
from typing import Any

import numpy as np

from minigrad import losses, nn
from minigrad.engine.graph import recording
from minigrad.explain.calls import path_of
from minigrad.explain.heard import batch, hear, model_or_error
from minigrad.explain.way_back import double, received
from minigrad.losses import Loss

Array = Any


def gradient_norms(model: nn.Module, loss: Loss | str, x: Any, y: Any = None) -> dict[str, Array]:
    """‖∂ℓⱼ/∂θ_k‖ of every sample j in every layer k, no mean taken.

    One row of an input h and one of a gradient g make the gradient hᵀg of a weight and g of a bias. Its length is
    ‖g‖·√(1 + ‖h‖²): one backward pass over the batch says it for all samples (Goodfellow 2015, arXiv:1510.01799).

    Args:
        model: an MLP or another chain; any module else, of whose parameters those inside its innermost modules count.
            Parameters outside `Linear` cost one backward pass through their module for each sample.
        loss: a name or a Loss.
        x: a batch (n, …).
        y: its targets, as `fit` takes them.

    Returns:
        (n,) for each layer with parameters, by name, from first to last; and under "all" for the whole model.

    Raises:
        TypeError, ShapeError, GradientError: as `trace`.
    """
    model_or_error("gradient_norms", model)
    return copy_context().run(_norms, double(model), losses.get(loss), *batch("gradient_norms", x, y))


def _norms(model: nn.Module, loss: Loss, x: Array, y: Any) -> dict[str, Array]:
    recording.set(True)  # in a context of our own
    path = path_of(model, x)
    steps = path.back(hear("gradient_norms", loss, path.out, y).delta)
    found = {step.name: got.size for step in reversed(steps) if (got := received(step)) is not None}
    return {**found, "all": np.hypot.reduce([np.zeros(len(x)), *found.values()], 0)}
