"""How a loss travels to another process: as a reference, never as code.

By its name in a pack, from its file, of its parts, or as the module's own name for it, with what is bound beside it.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from minigrad.losses import lookup
from minigrad.losses.loss import Loss, Owner
from minigrad.losses.sums import combine


def recipe(loss: Loss) -> str | tuple[Any, ...]:
    """What `pickle` asks for: a name within the loss's module, or a function and its arguments.

    Raises:
        TypeError: the loss is defined where no other process finds it, such as inside a function.
    """
    owner, bound = loss.owner, {**loss.given, **loss.options}
    if owner and Path(owner.distribution).is_absolute():
        return _from_file, (owner.distribution, loss.full_name, bound)
    if owner and owner.pack != "here" and _offered(loss, owner.pack):
        return _named, (loss.full_name, bound)
    if loss.parts:
        return _of_parts, (loss.parts, loss.name, loss.text, owner, dict(loss.options))
    base = _in_module(loss)
    return loss.function.__qualname__ if base is loss else (_like, (base, loss.name, owner, bound))


def _offered(loss: Loss, pack: str) -> bool:
    """Whether its full name leads to it, and not to what it was made from."""
    offered = lookup.current().losses.get(pack, {}).get(loss.name)
    return offered is not None and offered.function is loss.function


def _in_module(loss: Loss) -> Loss:
    """The loss that its module shows under the name of its function: pickle writes down where that stands."""
    where, found = loss.function, sys.modules.get(loss.function.__module__)
    for part in where.__qualname__.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, Loss) or found.function is not where:
        raise TypeError(
            f"{loss}: expected a loss that another process can import, got one that "
            f"{where.__module__ or 'a text'} does not show as {where.__qualname__}; "
            "define it at the top of a module, with @loss above it"
        )
    return found


def _named(name: str, bound: dict[str, Any]) -> Loss:
    return lookup.get(name, **bound)


def _from_file(path: str, name: str, bound: dict[str, Any]) -> Loss:
    if Path(path) not in lookup.current().files.values():
        lookup.add_file(path)
    return lookup.get(name, **bound)


def _of_parts(
    parts: tuple[tuple[float, Loss], ...], name: str, text: str | None, owner: Owner | None, bound: dict[str, Any]
) -> Loss:
    return replace(combine(list(parts)), name=name, text=text, owner=owner).with_(**bound)


def _like(base: Loss, name: str, owner: Owner | None, bound: dict[str, Any]) -> Loss:
    return replace(base.with_(**bound), name=name, owner=owner)
