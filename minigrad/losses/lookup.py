"""What people call to find a loss, to give one a name, and to see what there is.

The registry in force is that of the process, or that of an `isolated()` block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from threading import RLock
from typing import Any

from minigrad.engine.errors import PluginError, UnknownLossError
from minigrad.losses.loss import Loss, Owner
from minigrad.losses.names import read, shown
from minigrad.losses.offers import Problem
from minigrad.losses.registry import Offer, Registry

_lock = RLock()  # one thread at a time runs code of plugins; what is at hand is found without it
_process: list[Registry] = []
_isolated: ContextVar[Registry | None] = ContextVar("registry", default=None)


def current() -> Registry:
    """The registry in force, made at its first use."""
    if (own := _isolated.get()) is not None:
        return own
    if not _process:
        with _lock:
            if not _process:
                _process.append(Registry())
    return _process[0]


@contextmanager
def isolated() -> Iterator[None]:
    """A block, for this thread or async task, that starts with the built-ins alone; at its end all is as before."""
    token = _isolated.set(Registry())
    try:
        yield
    finally:
        _isolated.reset(token)


def get(name: str | Loss, /, **changes: Any) -> Loss:
    """Find a loss by name, and bind parameters: `get("huber", delta=2)`, `get("robust:tukey")`, `get("0.7 * mse")`.

    Args:
        name: a bare name, `pack:name`, the text that `str(loss)` gives, or a Loss, which is returned as it is.
        **changes: parameters, as in `Loss.with_`.

    Raises:
        UnknownLossError: no such loss; the nearest name, or the one used here, is in the message.
        PluginError: two packs offer the name, or its pack failed to load.
        ValueError: a text that is no sum of losses with literal parameters.
        TypeError: neither a text nor a Loss, or a parameter that the loss does not have.
    """
    if not isinstance(name, (str, Loss)):
        raise TypeError(f"losses.get: expected a name or a Loss, got {shown(name)}; {_how_to_give(name)}")
    found = read(name, _found) if isinstance(name, str) else name
    return found.with_(**changes) if changes else found


def _how_to_give(what: Any) -> str:
    return "put @loss above it" if callable(what) else "write losses.get('mse'), or @loss above a function"


def _found(name: str) -> Loss:
    registry = current()
    if (loss := registry.at_hand(name)) is not None:
        return loss
    with _lock:
        return registry.find(name)


def register(loss: Loss) -> Loss:
    """Give a loss a name in this process: `losses.register(cubic)`, then `loss="cubic"` works. Returns the loss.

    A second loss of the name replaces the first; a built-in keeps its name, and a sum needs one (`Loss.named`).

    Raises:
        PluginError: a name that is built in, or is none.
    """
    if not isinstance(loss, Loss):
        raise TypeError(f"losses.register: expected a Loss, got {shown(loss)}; {_how_to_give(loss)}")
    if loss.name in current().losses["minigrad"]:
        raise PluginError(f"losses.register: expected a free name, got {loss.name!r}, which is built in; rename it")
    _change_here(lambda here: {**here, loss.name: loss})
    return loss


def unregister(name: str) -> None:
    """Take a name back that `register` gave."""
    name = name.removeprefix("here:")
    if name not in current().losses["here"]:
        raise UnknownLossError(f"losses.unregister: no loss called {shown(name)} was registered here")
    _change_here(lambda here: {key: loss for key, loss in here.items() if key != name})


def _change_here(changed: Callable[[dict[str, Loss]], dict[str, Loss]]) -> None:
    with _lock:
        registry = current()
        offer = Offer(changed(registry.losses["here"]).values())
        registry.losses["here"] = registry.take(offer, Owner("here"), "losses.register")


def add_file(path: str | Path) -> list[str]:
    """Offer the losses that a Python file defines; returns their full names, `stem:name`.

    Raises:
        FileNotFoundError: no such file.
        PluginError: it fails to load, or defines no loss.
    """
    with _lock:
        current().add_file(Path(path))
        return names(Path(path).stem)


def names(pack: str | None = None) -> list[str]:
    """The full names of all losses, or of one pack. Packs that fail to load are in `problems()`.

    Raises:
        UnknownLossError: there is no such pack.
        PluginError: this pack failed to load.
    """
    with _lock:
        registry = current()
        if pack is not None:
            return [loss.full_name for loss in registry.of_pack(pack, f"{pack}:")]
        registry.load_all()
        return [loss.full_name for loss in registry.all()]


def problems() -> list[Problem]:
    """The plugins that could not be used, each with its traceback. Loads all of them to see."""
    with _lock:
        registry = current()
        registry.load_all()
        return [registry.problems[pack] for pack in sorted(registry.problems)]
