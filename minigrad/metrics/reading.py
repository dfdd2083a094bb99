"""From what a model returns to what a metric reads, so that one `y` serves every loss and every metric."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.engine.errors import LabelError, ShapeError
from minigrad.losses.kinds import CLASSES, PRED
from minigrad.losses.loss import Loss
from minigrad.metrics.metric import Array, Metric, as_numbers


def decided(loss: Loss, outputs: Any, target: Any) -> Array:
    """The labels that a model's outputs say, in the shape and coding of the targets.

    Args:
        loss: the loss that reads the outputs: it knows whether they are scores, probabilities or values.
        outputs: (n, …) what the model returned.
        target: (n, …) the targets as the reader has them.

    Returns:
        The most likely class; for one output of a loss on real numbers, the class that lies nearest.

    Raises:
        ShapeError: the outputs do not fit the targets.
    """
    z, t = as_numbers("metrics", outputs), as_numbers("metrics", target)
    if loss.target in CLASSES and loss.pred in ("prob", "logit", "logits", "log_probs"):
        found = loss.decide(z)
        return _recoded(_fitting(loss, found, true_labels(found, t)), t)
    if z.shape[-1:] not in ((), (1,)) and z.size != true_labels(z[..., 0], t).size:
        return z.argmax(-1)
    return _nearest(_fitting(loss, z, t), t)


def true_labels(labels: Array, target: Array) -> Array:
    """The targets as labels: of rows the largest class, where the labels say that rows are meant."""
    return target.argmax(-1) if target.ndim == labels.ndim + 1 and target.shape[-1] > 1 else target


def measure(chosen: list[Metric], loss: Loss, outputs: Any, target: Any) -> dict[str, float]:
    """Each metric of a model's outputs against the targets as the reader has them."""
    return {metric.name: metric(*_read(metric, loss, outputs, np.asarray(target))) for metric in chosen}


def _read(metric: Metric, loss: Loss, outputs: Any, target: Array) -> tuple[Array, Array]:
    """Predictions of the kind that a metric reads, and targets to compare them with."""
    if metric.reads == "labels":
        pred = decided(loss, outputs, target)
        return pred, _integral(metric.name, true_labels(pred, target))
    z = as_numbers("metrics", outputs)
    if metric.reads == "values":
        return _fitting(loss, _values(metric.name, loss, z, target), target), target
    if metric.reads == "points":
        labels = true_labels(z[..., 0], target)
        _fitting(loss, z[..., 0], labels)
        return z, _integral(metric.name, labels.reshape(z.shape[:-1]))
    values = _scored(metric, loss, z)
    if not PRED[loss.pred].events and (values.ndim <= target.ndim or values.shape[-1] == 1):
        return _fitting(loss, values, target), _integral(metric.name, target)
    labels = true_labels(values[..., 0], target)
    _fitting(loss, values[..., 0], labels)
    return values, _integral(metric.name, labels.reshape(values.shape[:-1]))


def _scored(metric: Metric, loss: Loss, z: Array) -> Array:
    """Probabilities, or outputs that are in the same order: these are not rounded to 0 and 1."""
    kinds = ("prob", "logit", "logits", "log_probs") + (("real",) if metric.reads == "scores" else ())
    if loss.pred not in kinds:
        raise ValueError(
            f"{metric.name}: expected a loss on {', '.join(kinds)}, got {loss} on {loss.pred}; its outputs are no "
            f"{metric.reads}: choose another metric"
        )
    if metric.reads == "scores":
        return z
    if _without_scale(loss):
        raise ValueError(
            f"{metric.name}: expected a loss whose outputs mean probabilities, got {loss}, whose scores have no scale; "
            "choose accuracy or roc_auc, or train with bce_with_logits"
        )
    return as_numbers(metric.name, loss.link(z))


def _without_scale(loss: Loss) -> bool:
    """Whether its scores say which class, and not how probable it is, as those of a hinge do."""
    return loss.pred == "logit" and loss.target == "sign" and loss.own_link is None


def _values(where: str, loss: Loss, z: Array, t: Array) -> Array:
    if _without_scale(loss) or (loss.pred in ("logits", "log_probs") and z.ndim > t.ndim):
        raise ValueError(
            f"{where}: expected a loss on values, got {loss}, whose outputs decide between classes; choose a metric of "
            "classes, such as accuracy or roc_auc"
        )
    values = loss.link(z)
    if isinstance(values, dict):
        values = next(iter(values.values()))
    return values[..., 0] if PRED[loss.pred].events and values.ndim > t.ndim else values


def _fitting(loss: Loss, pred: Array, target: Array) -> Array:
    """The prediction in the shape of the target: one output is a column or none."""
    if pred.shape != target.shape and pred.size != target.size:
        raise ShapeError(
            f"metrics: expected outputs that {loss} turns into {target.shape}, as the targets are, got {pred.shape}; "
            "give the model one output for each target, or one for each class"
        )
    return pred.reshape(target.shape)


def _recoded(labels: Array, target: Array) -> Array:
    """−1/+1 as the 0/1 of the targets."""
    return np.maximum(labels, 0) if (labels < 0).any() and not (target < 0).any() else labels


def _nearest(values: Array, target: Array) -> Array:
    """The class that lies nearest, of those that occur."""
    names = np.array([0, 1]) if np.isin(target, (0, 1)).all() else np.unique(target)
    return names[np.searchsorted((names[1:] + names[:-1]) / 2, values)]


def _integral(where: str, target: Array) -> Array:
    wrong = target != np.floor(target)
    if wrong.any():
        row = int(np.argwhere(wrong.reshape(-1))[0, 0])
        raise LabelError(
            f"{where}: expected class labels, got {target.reshape(-1)[row]} at row {row}; "
            "for values use mae, rmse or r2"
        )
    return target
