"""Units of a sample: as the function gets them, in float32, and in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.testing.exam import Exam

Array = Any


def one_unit(exam: Exam) -> tuple[Array, Array]:
    """The sample as the function gets it: of a loss that couples the batch, one batch."""
    pred, target = exam.sample
    return (pred[0], None if target is None else target[0]) if exam.loss.coupled else (pred, target)


def single(array: Array) -> Array:
    """The same array in float32; labels stay labels."""
    return array if array is None or array.dtype.kind != "f" else array.astype(np.float32)


def place(exam: Exam, at: int) -> str:
    """A unit of the sample in words."""
    pred, target = exam.sample
    return spot(pred[at], None if target is None else target[at], exam.loss.coupled)


def spot(pred: Array, target: Array, coupled: bool = False) -> str:
    """A prediction and its target in words."""
    if coupled:
        return "a batch of the sample"
    said = f"pred = {_numbers(pred)}"
    return said if target is None else f"{said}, target = {_numbers(target)}"


def _numbers(array: Array) -> str:
    flat = np.ravel(array)
    shown = ", ".join(f"{v:.4g}" for v in flat[:3])
    return shown if np.ndim(array) == 0 else f"({shown}{', …' if flat.size > 3 else ''})"
