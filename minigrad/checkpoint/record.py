"""A loss as it is saved: full name, parameters, and who offers it.

It is looked up by that name as if somebody had written it, `losses.get("robust:tukey")`, and only when it is asked for:
reading a file imports nothing. A loss of the program itself is "here:cubic", so that no other is taken for it.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from minigrad.checkpoint.disk import Refused
from minigrad.engine.errors import CheckpointError, UnknownLossError
from minigrad.engine.tensor import Tensor
from minigrad.losses import Loss, get

Array = Any
RECORD = {"name", "parameters", "learned", "options", "parts", "pack", "distribution", "version"}


def record_of(loss: Loss) -> dict[str, Any]:
    """A loss as a tree: its full name, its parameters, who offers it; of a sum, its parts."""
    owner, options = loss.owner, dict(loss.options)
    if isinstance(options.get("class_weight"), dict):
        options["class_weight"] = [list(item) for item in options["class_weight"].items()]
    return {
        "name": loss.full_name if owner else f"here:{loss.name}",
        "parameters": dict(loss.given),
        "learned": [name for name, t in loss.given.items() if isinstance(t, Tensor) and t.requires_grad],
        "options": options,
        "parts": [[factor, record_of(part)] for factor, part in loss.parts],
        "pack": owner.pack if owner else "here",
        "distribution": owner.distribution if owner else "",
        "version": owner.version if owner else "",
    }


def check_record(record: Any) -> dict[str, Any]:
    """The record, if it has the fields of one; whether there is such a loss is another question."""
    kinds = {"parameters": dict, "options": dict, "learned": list, "parts": list}
    if not isinstance(record, dict) or record.keys() != RECORD:
        raise Refused("a loss with other fields")
    if not all(isinstance(record[key], kinds.get(key, str)) for key in RECORD):
        raise Refused("a loss with fields of another kind")
    if not all(isinstance(record["parameters"].get(name), np.ndarray) for name in record["learned"]):
        raise Refused("a loss with learned parameters that are no arrays")
    for part in record["parts"]:
        if not isinstance(part, list) or len(part) != 2 or not isinstance(part[0], (int, float)):
            raise Refused("a loss with parts that are none")
        check_record(part[1])
    return record


def built(record: dict[str, Any]) -> Loss:
    """The loss of a record.

    Raises:
        UnknownLossError: no loss has its name.
        CheckpointError: that loss does not take its parameters.
    """
    try:
        return _built(record)
    except (TypeError, ValueError) as error:
        name = record["name"]
        raise CheckpointError(
            f"Checkpoint.loss: expected {name!r:.60} as it was saved, got another loss of that name: {error}"
        ) from error


def _built(record: dict[str, Any]) -> Loss:
    options = dict(record["options"])
    if isinstance(options.get("class_weight"), list):
        options["class_weight"] = dict(options["class_weight"])
    given = {name: Tensor(value, requires_grad=True) if name in record["learned"] else value
             for name, value in record["parameters"].items()}  # fmt: skip
    found: Loss = _summed(record) if record["parts"] else _looked_up(record)
    return found.with_(**given, **options)


def _summed(record: dict[str, Any]) -> Any:
    (factor, first), *others = ((factor, _built(part)) for factor, part in record["parts"])
    total = factor * first
    for factor, part in others:
        total = total + factor * part
    name = record["name"].rpartition(":")[2]
    return total.named(name) if re.fullmatch(r"\w+", name) else total


def _looked_up(record: dict[str, Any]) -> Any:
    name, pack = record["name"], record["pack"]
    said = f"no loss called {name!r:.60}, which this checkpoint names"
    if not re.fullmatch(r"(\w+:)?\w+", name):
        raise UnknownLossError(f"{said}; no loss can have that name")
    try:
        return get(name)
    except UnknownLossError as error:
        who = repr(f"{record['distribution']} {record['version']}".strip())[1:-1]
        place = (
            "it was a loss of the program that saved it; register it, losses.register(…), or give it to resume"
            if pack == "here"
            else f"it is in the pack {pack!r:.60} ({who:.80}), which is not loaded here"
        )
        raise UnknownLossError(f"{said}; {place}") from error


def learned_in(record: dict[str, Any]) -> dict[str, Array]:
    """The learned parameters, by the names of `Loss.learned`."""
    own = {name: record["parameters"][name] for name in record["learned"]}
    return own | {f"{i}.{n}": a for i, (_, part) in enumerate(record["parts"]) for n, a in learned_in(part).items()}
