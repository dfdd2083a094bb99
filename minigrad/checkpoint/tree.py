"""Trees: what is saved besides weights is dicts and lists of plain values, with arrays anywhere among them.

In the file an array is an entry of its own, and in the JSON part its place is taken by {"array": name}.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.checkpoint.archive import check_array
from minigrad.checkpoint.disk import Refused
from minigrad.engine.tensor import Tensor

Array = Any


def split(value: Any, path: str, arrays: dict[str, Array]) -> Any:
    """The tree as JSON; its arrays are put into `arrays`, by path."""
    if isinstance(value, (np.ndarray, Tensor)):
        if path in arrays:
            raise Refused(f"two arrays by the name {path!r:.60}")
        arrays[path] = check_array(path, value)
        return {"array": path}
    if isinstance(value, dict):
        if wrong := [key for key in value if not isinstance(key, str) or key == "array"]:
            raise Refused(f"{path}: a key {wrong[0]!r:.60}; keys must be text, other than 'array'")
        return {key: split(item, f"{path}/{key}", arrays) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [split(item, f"{path}/{i}", arrays) for i, item in enumerate(value)]
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or isinstance(plain, (str, bool)):
        return plain
    if isinstance(plain, int) and -(2**63) <= plain < 2**64:
        return plain
    if isinstance(plain, float) and math.isfinite(plain):
        return plain
    raise Refused(f"{path}: {plain!r:.60}; kept are None, text, truth values, finite numbers, and arrays")


def join(value: Any, path: str, arrays: dict[str, Array]) -> Any:
    """The tree that was split: each array is back in its place, which its name must say."""
    if isinstance(value, dict):
        if "array" in value:
            if value != {"array": path} or path not in arrays:
                raise Refused(f"an array {str(value)!r:.60} out of its place {path!r:.60}")
            return arrays.pop(path)
        return {key: join(item, f"{path}/{key}", arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [join(item, f"{path}/{i}", arrays) for i, item in enumerate(value)]
    return value
