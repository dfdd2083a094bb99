"""What `explore` shows without arguments: two moons with one mislabelled point; and a network for other data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad import data as datasets
from minigrad import losses as registry
from minigrad import nn, ops
from minigrad.losses import Loss, loss
from minigrad.optim import SGD

Array = Any
SNAPSHOTS = 12


@loss(pred="logit", target="unit")
def half_mse_sigmoid(pred: Any, target: Any) -> Any:
    """Squared error on the sigmoid, ½(p − y)²: p − y, times the slope p(1 − p), which fades where a score is sure."""
    return 0.5 * (ops.sigmoid(pred) - target) ** 2


@loss(pred="logits", target="index")
def mse_on_softmax(pred: Any, target: Any) -> Any:
    """Squared error on the softmax, Σ(p − e)²."""
    return np.sum((ops.softmax(pred) - np.eye(pred.shape[-1], dtype=pred.dtype)[target]) ** 2, -1)


LINKS: dict[str, tuple[str, Any]] = {
    "logit": ("sigmoid", ops.sigmoid), "logits": ("softmax", ops.softmax), "log_probs": ("exp", np.exp),
}  # fmt: skip


def on_link(odd: Loss, lead: Loss) -> Loss:
    """A loss on numbers or probabilities as one on the scores that `lead` reads: it gets their probabilities.

    Any other loss is returned as it is.
    """
    if odd.pred not in ("real", "prob") or lead.pred not in LINKS or odd.coupled:
        return odd
    name, link = LINKS[lead.pred]
    rows = lead.pred != "logit"

    def read(pred: Any, target: Any) -> Any:
        label = np.eye(pred.shape[-1], dtype=pred.dtype)[target] if rows else target
        return odd.function(link(pred), label, **odd.values)

    return loss(pred=lead.pred, target="index" if rows else "unit")(read).named(f"{odd.name}_on_{name}")


@dataclass(frozen=True)
class Example:
    """A trained network, its batch, what it went through, and the losses that are shown beside each other."""

    model: nn.Module
    X: Array
    y: Array
    snapshots: list[tuple[int, dict[str, Any]]]
    losses: tuple[Loss, ...]
    title: str
    ringed: int | None = None


def moons(*, n: int = 200, rng: int = 0, epochs: int = 60, snapshots: int = SNAPSHOTS) -> Example:
    """Two moons (noise 0.1) in which the point of class 0 that is farthest from class 1 is labelled 1."""
    X, y = datasets.moons(n, noise=0.1, rng=rng)
    apart = np.linalg.norm(X[y == 0][:, None] - X[y == 1], axis=-1).min(1)
    ringed = int(np.flatnonzero(y == 0)[apart.argmax()])
    y = y.copy()
    y[ringed] = 1
    model = nn.MLP(2, 16, 16, 1, activation="tanh", init="lecun", rng=rng)
    shown = tuple(registry.get(name) for name in ("bce_with_logits", half_mse_sigmoid, "hinge", "focal"))
    states = trained(model, shown[0], X, y, lr=0.5, epochs=epochs, snapshots=snapshots, rng=rng)
    return Example(model, X, y, states, shown, f"Two moons, {n} points, one of them mislabelled", ringed)


def on_data(X: Array, y: Array, title: str, *, rng: int = 0) -> Example:
    """A network with one hidden layer on any data: classes if the targets are whole numbers, else real numbers."""
    labels = y.dtype.kind in "iub"
    classes = int(y.max()) + 1 if labels else 1
    outputs = classes if classes > 2 else 1
    model = nn.MLP(X.shape[1], 32, outputs, rng=rng)
    chosen: tuple[Any, ...] = ("mse", "mae", "huber")
    if labels:
        several = ("cross_entropy", mse_on_softmax, "multi_margin")
        chosen = several if classes > 2 else ("bce_with_logits", half_mse_sigmoid, "hinge", "focal")
    shown = tuple(registry.get(each) for each in chosen)
    states = trained(model, shown[0], X, y, lr=0.1 if labels else 0.02, epochs=20, snapshots=SNAPSHOTS, rng=rng)
    return Example(model, X, y, states, shown, title)


def trained(
    model: nn.Module, loss: Loss, X: Array, y: Array, *, lr: float, epochs: int, snapshots: int, rng: int
) -> list[tuple[int, dict[str, Any]]]:
    """Train with plain gradient descent in batches of 32; the states at equally spaced steps, the first at step 0."""
    target = registry.align(loss, y, model(X[:1]).shape[1:])
    optimizer, g, steps = SGD(model.parameters(), lr=lr), np.random.default_rng(rng), -(-len(X) // 32)
    due = set(np.unique(np.linspace(0, epochs * steps, snapshots).round().astype(int)).tolist())
    states, at = [(0, model.state_dict())], 0
    for _ in range(epochs):
        for rows in np.array_split(g.permutation(len(X)), steps):
            value = loss(model(X[rows]), target[rows])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            at += 1
            if at in due:
                states.append((at, model.state_dict()))
    return states
