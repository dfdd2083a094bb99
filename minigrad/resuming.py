"""Resuming: the file from which a run goes on, bit for bit, also in the middle of an epoch.

What a run will draw is decided by its key, the epoch and the step; so weights, optimizer, place and history are all
that must be kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.checkpoint import check_place, load, save
from minigrad.engine.errors import CheckpointError

if TYPE_CHECKING:
    from minigrad.training import Training


class Resuming:
    """Writes the state of a run after each epoch, or each `every` steps; reads it back when the run is begun again.

    Args:
        path: the file, or None for no file.
        every: steps between two writes within an epoch, or None.
        run: the run, everything in place.

    Raises:
        OSError: no file can be written there.
    """

    def __init__(self, path: str | Path | None, every: int | None, run: Training) -> None:
        self.path, self.every, self.run = path, every, run
        self.there = path is not None and check_place(path) is not None
        self.identity = self._identity()  # before the first step: the optimizer says what it starts with

    def begin(self) -> None:
        """Put the run where the file left it, if there is one.

        Raises:
            CheckpointError: it is no whole checkpoint, or that of another run. Nothing has been changed.
        """
        if not self.there or self.path is None:
            return
        run, found = self.run, load(self.path)
        held, own = found.run.get("of"), self.identity
        if not isinstance(held, dict):
            raise CheckpointError(
                f"fit: expected a checkpoint that fit wrote in {str(self.path)!r}, got one by another hand; load it "
                "with minigrad.load(path, model), and name another file here"
            )
        if other := [f"{name} {held.get(name)!r:.60} instead of {own[name]!r:.60}" for name in own
                     if held.get(name) != own[name]]:  # fmt: skip
            raise CheckpointError(
                f"fit: expected the checkpoint of this run in {str(self.path)!r}, got another one: {', '.join(other)}; "
                "name another file, or repeat the run as it was"
            )
        found.resume(run.model, run.optimizer, run.loss)
        run.history.take(found.run["rows"], found.run["steps"])
        run.epoch, run.step, run.total, run.count = found.epoch, found.step, found.run["total"], found.run["count"]
        run.best = {**(found.best or {}), **found.run["learned"]}
        run.history.stopped = found.run["stopped"]

    def after_step(self) -> None:
        """Write, if it is time to."""
        if self.every is not None and len(self.run.watch.steps) % self.every == 0:
            self.write()

    def write(self) -> None:
        """Write where the run is."""
        run = self.run
        if self.path is None:
            return
        learned = {name: array for name, array in run.best.items() if name in run.loss.learned}
        save(
            self.path, run.model, optimizer=run.optimizer, loss=run.loss, epoch=run.epoch, step=run.step,
            best={name: array for name, array in run.best.items() if name not in learned},
            run={
                "of": self.identity, "rows": run.history.table(), "steps": np.array(run.watch.steps),
                "total": run.total, "count": run.count, "learned": learned, "stopped": run.history.stopped,
            },
        )  # fmt: skip

    def _identity(self) -> dict[str, Any]:
        """What must be the same for a run to go on."""
        run = self.run
        return {
            "loss": str(run.chosen), "optimizer": repr(run.optimizer), "rng": str(run.key),
            "X": list(run.train.X.shape), "batch_size": run.batch_size,
            "y": [] if run.train.y is None else list(run.train.y.shape),
            "validation": 0 if run.valid is None else len(run.valid.X), "metrics": run.history.metrics,
        }  # fmt: skip
