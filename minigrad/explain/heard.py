"""What a loss says to a batch: a value and a gradient for each sample, and what it reads off a prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad import losses, nn, ops
from minigrad.engine.errors import DTypeError, GradientError, ShapeError
from minigrad.engine.tensor import Tensor
from minigrad.explain.way_back import lengths
from minigrad.losses import Loss
from minigrad.losses.kinds import CLASSES, PRED

Array = Any
SURE = 0.9
LETTERS = {"logit": "z", "logits": "z", "prob": "p", "log_probs": "ln p"}
NEAR, FAR = np.linspace(-12, 12, 97), np.array([-1e4, -1e3, -1e2, 1e2, 1e3, 1e4])
MANY = 32  # outputs beyond which no bound is looked for


@dataclass(frozen=True)
class Heard:
    """What a loss says to a batch.

    Attributes:
        loss: the loss, its learned parameters as constants.
        target: as the loss reads it.
        value: the loss of each sample (n,); of a loss that couples the batch as a whole, the same for all.
        delta: ∂ℓ/∂out, a row for each sample, no mean taken.
    """

    loss: Loss
    target: Any
    value: Array
    delta: Array

    @property
    def letter(self) -> str:
        """What the probability is called: of yes, or of the true class."""
        return "p_y" if PRED[self.loss.pred].events else "p"


def batch(where: str, x: Any, y: Any) -> tuple[Array, Array | None]:
    """The inputs in float64 and their targets; a single sample becomes a batch of one."""
    try:
        x = np.asarray(x.data if isinstance(x, Tensor) else x, np.float64)
    except (TypeError, ValueError) as error:
        raise DTypeError(f"{where}: expected numbers in x, in rows of one length, got {error}; encode text") from error
    y = None if y is None else np.asarray(y.data if isinstance(y, Tensor) else y)
    if x.ndim == 1:
        x, y = x[None], None if y is None else y[None]
    if x.ndim == 0 or not len(x) or (y is not None and len(x) != len(y)):
        raise ShapeError(
            f"{where}: expected x (n, …) with a target for each sample, got x {x.shape}, y {np.shape(y)}; give both "
            "the same number of rows, at least one"
        )
    return x, y


def model_or_error(where: str, model: Any) -> nn.Module:
    """The model, if it is one."""
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"{where}: expected a Module, got {model!r:.60}; give the model itself, {where}(model, loss, x, y)"
        )
    return model


def aligned(loss: Loss, out: Array, y: Any) -> tuple[Loss, Any]:
    """The loss with constants in place of what it learns, for those are not ours to touch, and the target it reads."""
    loss = loss.fresh()
    return loss, None if y is None else losses.align(loss, y, out.shape[1:], np.float64)


def hear(where: str, loss: Loss, out: Array, y: Any) -> Heard:
    """Value and gradient of every sample at the outputs of a model.

    Raises:
        GradientError: the gradient is not finite.
    """
    loss, target = aligned(loss, out, y)
    # Parts of a sum that couple the batch have no values by sample: they are added up.
    value, delta = loss.value_and_grad(out, target, reduction="sum" if loss.coupled else "none")
    each = np.full(len(out), value) if loss.coupled else np.reshape(value, (len(out), -1)).sum(1)
    return finite(where, Heard(loss, target, each, delta), out)


def finite(where: str, heard: Heard, out: Array) -> Heard:
    """The same, or a GradientError that names the first sample whose gradient is not finite."""
    if not np.isfinite(heard.delta).all():
        at = int(np.argwhere(~np.isfinite(heard.delta))[0][0])
        raise GradientError(
            f"{where}: expected a finite gradient from {heard.loss}, got {heard.delta[at]} at sample {at}, where the "
            f"model says {out[at]}; look for nan and inf in x and in the parameters"
        )
    return heard


def chosen(where: str, sample: int | str, heard: Heard) -> int:
    """The index of a sample; "worst" is the largest loss, of a coupled one the largest gradient."""
    if isinstance(sample, str) and sample == "worst":
        return int(np.argmax(lengths(heard.delta) if heard.loss.coupled else heard.value))
    n = len(heard.value)
    if isinstance(sample, bool) or not isinstance(sample, (int, np.integer)) or not -n <= sample < n:
        raise IndexError(f'{where}: expected sample "worst" or an index below {n}, got {sample!r}; count from 0')
    return int(sample) % n


# --- which losses read the same outputs -------------------------------------------------------------------------------
def check_kinds(where: str, loss: Loss, other: Loss) -> None:
    """Refuse two losses that mean different things by the same numbers, and show the one that would fit.

    Raises:
        ValueError: their kinds of prediction differ. Probabilities may be read as real numbers.
    """
    kinds = {loss.pred, other.pred}
    if len(kinds) > 1 and kinds != {"real", "prob"}:
        scored, odd = (other, loss) if loss.pred == "real" else (loss, other)
        raise ValueError(
            f"{where}: expected losses that read the same outputs, got {loss} (pred={loss.pred!r}) and {other} "
            f"(pred={other.pred!r}); give this one instead of {odd}:\n{_fitting(scored, odd)}"
        )


def _fitting(loss: Loss, odd: Loss) -> str:
    """The loss `odd`, written for the predictions of `loss`, in four lines."""
    links = {"logit": ("sigmoid", "ops.sigmoid(pred)"), "logits": ("softmax", "ops.softmax(pred)"),
             "log_probs": ("exp", "np.exp(pred)")}  # fmt: skip
    name, link = links.get(loss.pred, (loss.pred, "pred"))
    rows = loss.pred in ("logits", "log_probs") and odd.target in ("real", "unit", "simplex")
    label, target = ("np.eye(pred.shape[-1])[target]", "index") if rows else ("target", loss.target)
    source = f"losses.get({odd.full_name!r})" if odd.owner else odd.name
    given = "".join(f", {key}={value!r}" for key, value in odd.given.items())
    known = odd.pred in ("real", "prob") and loss.pred in links
    body = f"{source}.function({link}, t{given})" if known else "…  # one value per sample"
    return (
        f'@loss(pred="{loss.pred}", target="{target}")\ndef {odd.name}_on_{name}(pred, target):\n'
        f"    t = {label}\n    return {body}"
    )


# --- how loud it can get ----------------------------------------------------------------------------------------------
def most(heard: Heard, out: Array, i: int) -> float | None:
    """What ‖∂ℓ/∂out‖ of sample i never exceeds, if far away it settles there; measured along every output."""
    loss, at = heard.loss, out[i]
    alone = at.size == 1 and loss.pred in ("real", "logit")
    if loss.coupled or not (alone or (loss.pred == "logits" and at.size <= MANY)):
        return None
    moves = np.concatenate([NEAR, FAR])
    pred = at + (np.eye(at.size).reshape(-1, 1, *at.shape) * moves.reshape(-1, *[1] * at.ndim))
    rows = pred.reshape(-1, *at.shape)
    target = None if heard.target is None else np.repeat(heard.target[[i]], len(rows), 0)
    size = lengths(loss.value_and_grad(rows, target, reduction="none")[1]).reshape(at.size, -1)
    near, far = size[:, : len(NEAR)], size[:, len(NEAR) :]
    settled = np.allclose(far[:, [0, 5]], far[:, [1, 4]], rtol=1e-6, atol=1e-12)
    least = max(near.max(), np.linalg.norm(heard.delta[i]))
    bound = float(far.max())
    return bound if settled and 0 < bound < np.inf and least <= bound * (1 + 1e-9) else None


# --- what is predicted ------------------------------------------------------------------------------------------------
def prediction(heard: Heard, out: Array, i: int) -> dict[str, Any]:
    """What the model says of sample i, and what was to be said."""
    label = None if heard.target is None else heard.target[i]
    return {
        "letter": LETTERS.get(heard.loss.pred, "prediction"),
        "pred": tuple(np.ravel(out).tolist()),
        "link": _link(heard.loss, out, label),
        "target": None if label is None else label.tolist(),
        "verdict": _verdict(heard.loss, out, label),
    }


def _link(loss: Loss, out: Array, label: Any) -> tuple[str, float] | None:
    """One number in the reader's units, where these are not the model's: of one output, or of the true class."""
    if loss.pred in ("logits", "log_probs") and np.ndim(label) == 0 and loss.own_link is None:
        return "p_y", float(loss.link(out)[int(label)])
    if out.size > 1 or loss.target == "sign" or not (loss.pred == "logit" or loss.target in ("count", "positive")):
        return None
    return "p" if loss.pred == "logit" else "rate", float(np.ravel(loss.link(out))[0])


def decides(loss: Loss) -> bool:
    """Whether predictions are scores that decide between labels."""
    return loss.target in CLASSES and loss.pred in ("prob", "logit", "logits", "log_probs")


def right(heard: Heard, out: Array) -> Array | None:
    """Which samples are decided rightly (n,), if the loss decides between labels."""
    if not decides(heard.loss) or heard.target is None:
        return None
    said, label = heard.loss.decide(out), np.asarray(heard.target)
    if PRED[heard.loss.pred].events and label.ndim == out.ndim:
        label = label.argmax(-1)
    return np.equal(said, np.round(label)).reshape(len(out), -1).all(1)


def chances(heard: Heard, out: Array) -> Array | None:
    """The probability of yes, or of the true class, by sample (n,), if predictions say one."""
    loss, target = heard.loss, heard.target
    if not decides(loss) or loss.own_link is not None or target is None:
        return None
    if PRED[loss.pred].events:
        labels = np.asarray(target).argmax(-1) if target.ndim == out.ndim else target
        return np.take_along_axis(loss.link(out), labels[..., None], -1).reshape(len(out), -1)[:, 0]
    if out.size != len(out):
        return None
    return np.ravel(ops.sigmoid(out) if loss.pred == "logit" else out)


def _verdict(loss: Loss, out: Array, label: Any) -> str | None:
    """Whether the sample is decided rightly, and how surely."""
    if not decides(loss) or np.size(label) != 1:
        return None
    said = "right" if np.all(loss.decide(out) == np.round(label)) else "wrong"
    if loss.target == "sign":
        return said
    chances = np.ravel(loss.link(out))
    sure = chances.max() > SURE or (chances.size == 1 and chances.min() < 1 - SURE)
    return f"{said} and sure" if sure else said
