"""The lines on use: a small model learns with the loss, and what a call costs."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.engine.tensor import Tensor
from minigrad.nn import MLP
from minigrad.ops import log_softmax, sigmoid
from minigrad.optim import Adam
from minigrad.testing.card import Row, right, wrong
from minigrad.testing.exam import Exam
from minigrad.testing.samplers import GROUPS, Sizes, preds, targets
from minigrad.testing.subject import asked

if TYPE_CHECKING:
    from minigrad.losses import Loss

Array = Any
ROWS, INPUTS, STEPS = 48, 4, 200


def learns(exam: Exam) -> Row:
    """A network of 4-8-outputs, 200 steps of Adam on the whole batch: the loss falls."""
    loss, rng = exam.loss, exam.rng("learns")
    x = rng.standard_normal((ROWS, INPUTS)).astype(np.float32)
    entries = _entries(exam)
    target = _taught(exam, x, rng)
    model = MLP(INPUTS, 8, max(int(np.prod(entries)), 1), activation="tanh", rng=rng)
    parameters = list(model.parameters())
    optimizer, unit = Adam(parameters, lr=0.02), exam.typical or 1.0  # Adam takes tiny slopes for none
    values, lengths = [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        value = asked(loss, _head(loss, model(x), entries), target)
        asked((value * (1 / unit)).backward)
        values.append(value.item())
        if step in (0, STEPS - 1):
            lengths.append(float(np.sqrt(sum((p.grad.data**2).sum() for p in parameters if p.grad is not None))))
        optimizer.step()
    start, end = values[0], float(np.median(values[-9:]))
    shown = f"{start:.4g} to {end:.4g} in {STEPS} steps"
    if not np.isfinite(values).all():
        return wrong("learns", f"the loss is {values[int(np.argmin(np.isfinite(values)))]} after {start:.4g}")
    if lengths[0] < 1e-12:
        return right("learns", "no gradient arrives at the start: nothing to learn", start=start, end=end)
    if end >= start - 1e-4 * abs(start) and end > min(values) - 1e-6 * abs(start):
        return wrong("learns", f"the loss goes from {shown}", start=start, end=end)
    return right("learns", shown, start=start, end=end, gradient=[lengths[0], lengths[-1]])


def _entries(exam: Exam) -> tuple[int, ...]:
    """The shape of one prediction."""
    loss = exam.loss
    if loss.pred in ("logits", "log_probs"):
        return (exam.sizes.classes,)
    if loss.pred == "params":
        return (len(loss.heads),)
    if loss.pred == "embedding":
        return (len(loss.heads), exam.sizes.width) if loss.heads else (exam.sizes.width,)
    return ()


def _head(loss: Loss, out: Tensor, entries: tuple[int, ...]) -> Tensor:
    """What the network says, as the loss wants it."""
    out = out.reshape(ROWS, *entries)
    if loss.pred == "prob":
        return sigmoid(out)  # type: ignore[no-any-return]
    return log_softmax(out) if loss.pred == "log_probs" else out


def _taught(exam: Exam, x: Array, rng: Any) -> Array:
    """Targets that depend on the inputs."""
    kind, score = exam.loss.target, x @ rng.standard_normal(INPUTS).astype(np.float32)
    classes = GROUPS if exam.loss.pred == "embedding" else exam.sizes.classes
    of_class = (x @ rng.standard_normal((INPUTS, classes)).astype(np.float32)).argmax(-1)
    taught = {
        "real": score, "positive": np.exp(score / 2), "count": np.floor(np.exp(score / 2)),
        "unit": (score > 0).astype(np.float32), "binary": (score > 0).astype(np.float32),
        "sign": np.where(score > 0, 1.0, -1.0).astype(np.float32), "none": None,
        "simplex": np.eye(classes, dtype=np.float32)[of_class],
    }  # fmt: skip
    return taught.get(kind, of_class)


# --- cost -------------------------------------------------------------------------------------------------------------
def cost(exam: Exam) -> Row:
    """Microseconds of a call, forward and with backward, over those of mse: the one line that is not compared."""
    from minigrad.losses import get

    n = 64 if exam.loss.coupled else 1024  # one that couples the batch may compare all pairs
    (forward, both), (base, base_both) = _times(exam.loss, exam.sizes, n), _times(get("mse"), exam.sizes, n)
    text = (
        f"{forward:.0f} µs for {n}, {both:.0f} µs with backward: {forward / base:.2g} and {both / base_both:.2g} × mse"
    )
    return right("cost", text, forward=forward, backward=both, samples=n)


@lru_cache(maxsize=64)
def _times(loss: Loss, sizes: Sizes, n: int) -> tuple[float, float]:
    """The shortest of a few times, measured once for each loss in a process."""
    rng = np.random.default_rng(0)
    target = targets(loss, n, rng, sizes)
    pred = preds(loss, target, n, rng, sizes).astype(np.float32)

    def forward() -> None:
        loss(pred, target)

    def both() -> None:
        loss(Tensor(pred, requires_grad=True), target).backward()

    return _shortest(forward), _shortest(both)


def _shortest(call: Any) -> float:
    asked(call)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        asked(call)
        times.append(time.perf_counter() - start)
    return 1e6 * min(times)
