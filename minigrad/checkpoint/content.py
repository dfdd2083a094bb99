"""What a checkpoint holds, and how a run goes on from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.checkpoint import archive, disk
from minigrad.checkpoint.disk import Refused
from minigrad.checkpoint.generators import rng_of, rng_state
from minigrad.checkpoint.record import built, check_record, learned_in, record_of
from minigrad.checkpoint.tree import join, split
from minigrad.engine.errors import CheckpointError
from minigrad.engine.tensor import Tensor
from minigrad.losses import Loss
from minigrad.nn import Module
from minigrad.optim import Optimizer

Array = Any
FORMAT = 1
FIELDS = {"format", "minigrad", "epoch", "step", "rng", "loss", "optimizer", "run"}


def save(
    path: disk.Path,
    model: Module | Mapping[str, Any],
    *,
    best: Mapping[str, Any] | None = None,
    optimizer: Optimizer | None = None,
    loss: Loss | None = None,
    rng: np.random.Generator | None = None,
    epoch: int = 0,
    step: int = 0,
    run: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint: an .npz without pickle, in one step, so that the file is the old one or the new one.

    Args:
        path: of the file; what it held is replaced, a link is followed.
        model: whose weights are saved, or arrays by name.
        best: further weights, by the same names: those to return to, where `model` has those to go on from.
        optimizer: whose state is saved.
        loss: saved by name and parameters, fitted and learned ones included.
        rng: whose state is saved.
        epoch: how many were finished.
        step: how many steps were taken, of the run or of this epoch: it is not read here.
        run: whatever else belongs to the run: dicts and lists of plain values and arrays.

    Raises:
        CheckpointError: something that cannot be saved; the message has its name and the reason.
        OSError: the file system refuses. The old file is as it was.
    """
    if not isinstance(model, (Module, Mapping)):
        cure = "write save(path, model)" if isinstance(model, (str, os.PathLike)) else "write {'w': array}"
        raise TypeError(f"save: expected a Module, or arrays by name, got {type(model).__name__}; {cure}")
    try:
        disk.write(path, _packed(model, best, optimizer, loss, rng, epoch, step, run))
    except (Refused, RecursionError) as error:
        raise CheckpointError(f"save: expected arrays and plain values, got {error}; nothing was written") from error


def load(path: disk.Path, model: Module | None = None) -> Checkpoint:
    """Read a checkpoint, and give its weights to a model.

    Args:
        path: of the file.
        model: gets the best weights, where there are any, else the last; None to leave all as it is.

    Raises:
        CheckpointError: the file is no whole checkpoint, or its weights do not fit the model, which stays as it was.
        OSError: the file system refuses.
    """
    where = os.fspath(path)
    try:
        found = _parsed(disk.read(path, archive.check_ends))
    except Refused as error:
        raise CheckpointError(
            f"load: expected a whole checkpoint, got {where!r}: {error}; save it again, or take another file"
        ) from error
    except OSError as error:
        raise OSError(error.errno, error.strerror, where) from None
    if model is not None:
        model.load_state_dict(found.last if found.best is None else found.best)
    return found


@dataclass(frozen=True, eq=False, repr=False)
class Checkpoint:
    """What a file held.

    Attributes:
        last: weights to go on from, by name.
        best: weights to return to, or None.
        optimizer: the state of the optimizer, or None.
        rng: a generator in the state that was saved, or None.
        epoch, step: how far the run was.
        run: whatever else belonged to it.
        version: of the minigrad that wrote it.
        loss_record: the loss by name, parameters, pack and version; see `loss()`.
    """

    last: dict[str, Array]
    best: dict[str, Array] | None
    optimizer: dict[str, Any] | None
    rng: np.random.Generator | None
    epoch: int
    step: int
    run: dict[str, Any]
    version: str
    loss_record: dict[str, Any] | None

    def loss(self) -> Loss:
        """The loss, looked up by its name, with its parameters; learned ones are new leaves.

        Raises:
            LookupError: no loss was saved.
            UnknownLossError: no loss here has the name; the message has the pack that offered it.
            PluginError: its pack fails, or two packs offer the name.
            CheckpointError: the loss of this name has no such parameters.
        """
        if self.loss_record is None:
            raise LookupError("Checkpoint.loss: expected a loss in the file, got none; save(..., loss=loss)")
        return built(self.loss_record)

    def resume(self, model: Module, optimizer: Optimizer | None = None, loss: Loss | None = None) -> None:
        """Give the last weights to a model, the state to an optimizer, the learned parameters to a loss: all or none.

        Raises:
            CheckpointError: something does not fit. Nothing has been changed.
        """
        ready = model._matched(self.last)
        if loss is not None:
            ready += _learned_by(loss, self.loss_record)
        if optimizer is not None:
            optimizer.load_state_dict(self.optimizer or {})
        for t, array in ready:
            t.data = array

    def __repr__(self) -> str:
        held = [f"{len(self.last)} arrays", f"epoch {self.epoch}", f"step {self.step}"]
        return f"<checkpoint of minigrad {self.version!r:.20}: {', '.join(held)}>"


# --- to and from arrays and JSON --------------------------------------------------------------------------------------
def _packed(model: Any, best: Any, optimizer: Any, loss: Any, rng: Any, epoch: int, step: int, run: Any) -> memoryview:
    from minigrad import __version__

    last = {name: t.data for name, t in model._by_path().items()} if isinstance(model, Module) else model
    arrays = {f"{section}/{_text(name)}": value for section, weights in (("last", last), ("best", best or {}))
              for name, value in weights.items()}  # fmt: skip
    state = None if optimizer is None else optimizer.state_dict()
    info = {
        "format": FORMAT,
        "minigrad": __version__,
        "epoch": _whole("epoch", epoch),
        "step": _whole("step", step),
        "rng": None if rng is None else rng_state(rng),
        "loss": None if loss is None else split(record_of(loss), "loss", arrays),
        "optimizer": split(state, "optimizer", arrays),
        "run": split(dict(run or {}), "run", arrays),
    }
    return archive.packed(arrays, info)


def _parsed(raw: bytes) -> Checkpoint:
    """The content of a file; whatever is wrong with it is a reason to refuse it."""
    try:
        return _unpacked(*archive.unpacked(raw))
    except Refused:
        raise
    except Exception as error:  # what zipfile, json, struct or a type may find
        raise Refused(f"{type(error).__name__}: {error}"[:200]) from error


def _unpacked(arrays: dict[str, Array], info: dict[str, Any]) -> Checkpoint:
    number = info.get("format")
    if type(number) is int and number > FORMAT:
        raise Refused(f"format {number}; this minigrad reads up to {FORMAT}, take a newer one")
    if type(number) is not int or number != FORMAT or info.keys() != FIELDS:
        raise Refused(f"fields {sorted(info)!s:.100}, format {number!r:.20}; they must be those of format {FORMAT}")
    weights: dict[str, dict[str, Array]] = {"last": {}, "best": {}}
    for name in [name for name in arrays if name.partition("/")[0] in weights]:
        section, _, rest = name.partition("/")
        weights[section][rest] = arrays.pop(name)
    loss, optimizer, run = (join(info[field], field, arrays) for field in ("loss", "optimizer", "run"))
    if arrays:
        raise Refused(f"an array {next(iter(arrays))!r:.60} without a place")
    if not (isinstance(run, dict) and isinstance(optimizer, dict | None) and isinstance(info["minigrad"], str)):
        raise Refused("fields of another kind")
    return Checkpoint(
        last=weights["last"], best=weights["best"] or None, optimizer=optimizer, rng=rng_of(info["rng"]),
        epoch=_whole("epoch", info["epoch"]), step=_whole("step", info["step"]), run=run, version=info["minigrad"],
        loss_record=loss if loss is None else check_record(loss),
    )  # fmt: skip


def _text(name: Any) -> str:
    if not isinstance(name, str):
        raise Refused(f"a name that is no text: {name!r:.60}")
    return name


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < 2**63:
        raise Refused(f"{name} {value!r:.60}; it must be a whole number ≥ 0")
    return int(value)


def _learned_by(loss: Loss, record: Any) -> list[tuple[Tensor, Array]]:
    """The learned parameters of a loss, each with its array."""
    saved = {} if record is None else learned_in(record)
    own = loss.learned
    wrong = sorted(own.keys() ^ saved.keys()) + [
        name
        for name, t in own.items()
        if name in saved and (t.shape, t.dtype) != (saved[name].shape, saved[name].dtype)
    ]
    if wrong:
        raise CheckpointError(
            f"Checkpoint.resume: expected the learned parameters of {loss}, got others ({', '.join(wrong)}); nothing "
            "was changed"
        )
    return [(t, saved[name]) for name, t in own.items()]
