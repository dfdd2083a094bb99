"""A journal: the runs of a study in a file, one line each, so that a study that was killed goes on where it stopped.

The first line says which study it is. A run is written whole, with its line break last: what a kill has cut off is not
counted, and that run is carried out again.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.comparison import Run
from minigrad.engine.errors import CheckpointError

Key = tuple[str, float, int]


class Journal:
    """The finished runs of one study in a file, by (loss, rate, seed).

    Args:
        path: the file; made if it does not exist.
        study: what the study is, in plain data: another study must not be continued here.

    Raises:
        CheckpointError: the file belongs to another study, or is none.
    """

    def __init__(self, path: str | Path, study: dict[str, Any]) -> None:
        self.path, self.header = Path(path), json.dumps({"minigrad": "study", **study}, sort_keys=True)
        self.runs: dict[Key, Run] = {}
        text = self.path.read_bytes() if self.path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        lines = whole.splitlines()
        if lines and lines[0].decode("utf-8", "replace") != self.header:
            raise CheckpointError(
                f"compare: expected a file of this study to go on with, got that of another one, {str(self.path)!r}; "
                "name a new file, or ask for the same losses, rates, data and options"
            )
        for run in map(self._read, lines[1:]):
            self.runs[run.loss, run.lr, run.seed] = run
        if whole != text or not lines:
            self.path.write_bytes(whole or self.header.encode() + b"\n")

    def _read(self, line: bytes) -> Run:
        try:
            values = json.loads(line)
            values["curve"] = tuple(map(_number, values["curve"]))
            return Run(**{name: _number(value) for name, value in values.items()})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CheckpointError(
                f"compare: expected one run a line in {str(self.path)!r}, got {line[:40]!r}; name a new file"
            ) from error

    def add(self, run: Run) -> None:
        """Write a finished run, so that it is on the disk when this returns."""
        values = {name: _plain(value) for name, value in vars(run).items()}
        values["curve"] = list(map(_plain, run.curve))
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def kept(self, runs: Iterator[Run]) -> Iterator[Run]:
        """The runs as they come, each written before it is handed on."""
        for run in runs:
            self.add(run)
            yield run


def fingerprint(*arrays: Any) -> str:
    """A short name for the content of arrays."""
    content = hashlib.sha256()
    for array in map(np.ascontiguousarray, arrays):
        content.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
    return content.hexdigest()[:16]


def _plain(value: Any) -> Any:
    """JSON has no infinities and no NaN."""
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: Any) -> Any:
    return float(value) if value in ("nan", "inf", "-inf") else value
