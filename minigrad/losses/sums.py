"""Sums of losses: a·first + b·second is a Loss again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from minigrad.engine.errors import DomainError
from minigrad.losses.guards import batch_shape

if TYPE_CHECKING:
    from minigrad.losses.loss import Loss

Array = Any


def combine(parts: list[tuple[float, Loss]]) -> Loss:
    """The loss Σ a·L over the parts (a, L): values and closed forms add up, a claim is kept that all parts make.

    A sum with a part that couples the batch reduces each part by itself, see `calling.call`.

    Raises:
        TypeError: a factor that is no number.
        DomainError: a factor that is not finite.
        ValueError: parts that read different kinds of prediction or target.
    """
    from minigrad.losses.loss import Loss

    for factor, _ in parts:
        if isinstance(factor, bool) or not isinstance(factor, (int, float)):
            raise TypeError(f"a sum of losses: expected number * loss, got {factor!r:.60}; write 0.5 * mse")
        if not math.isfinite(factor):
            raise DomainError(f"a sum of losses: expected a finite factor, got {factor}; write 0.5 * mse")
    if bound := [loss for _, loss in parts if loss.options]:
        raise ValueError(
            f"a sum of losses: expected parts without options, got {bound[0]}; bind them on the sum, with_"
        )
    parts = [(a * b, part) for a, loss in parts for b, part in (loss.parts if loss.text else ((1, loss),))]
    losses = [loss for _, loss in parts]
    first, kinds = losses[0], {loss.target for loss in losses} - {"index|simplex"}
    if len({(loss.pred, loss.heads) for loss in losses}) > 1 or len(kinds) > 1:
        said = " and ".join(f"{loss} ({loss.pred} ← {loss.target})" for loss in losses)
        raise ValueError(f"a sum of losses: expected parts of the same kinds, got {said}; all must read one prediction")

    def function(pred: Array, target: Array) -> Array:
        return sum(a * _values(loss, pred, target) for a, loss in parts)

    def grad(pred: Array, target: Array) -> Array:
        return sum(a * loss.grad(pred, target, **loss.values) for a, loss in parts)  # type: ignore[misc]

    coupled, kinks = any(loss.coupled for loss in losses), [loss.kinks for loss in losses]
    text = " + ".join(f"{a!r} * {loss}" if a != 1 else str(loss) for a, loss in parts)
    return Loss(
        name=text, function=function, pred=first.pred, target=next(iter(kinds), "index|simplex"), text=text,
        grad=grad if all(loss.grad for loss in losses) and not coupled else None,
        claims=tuple(c for c in first.claims if all(c in loss.claims and a >= 0 for a, loss in parts)),
        kinks=None if None in kinks else tuple(kink for some in kinks for kink in some or ()),
        heads=first.heads, own_link=first.own_link, coupled=coupled, where=first.where, parts=tuple(parts),
        takes_weight=coupled and all(loss.takes_weight for loss in losses if loss.coupled),
    )  # fmt: skip


def _values(loss: Loss, pred: Any, target: Any) -> Any:
    """Values of one part, one per sample."""
    values = loss.function(pred, target, **loss.values)
    batch = batch_shape(loss, pred.shape)
    return values.sum(tuple(range(len(batch), values.ndim))) if values.shape != batch else values
