"""What a plugin offers, looked at before it counts: its hook, its losses, and whatever its code raises."""

from __future__ import annotations

import difflib
import inspect
import traceback
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from minigrad.engine.errors import PluginError
from minigrad.losses.loss import Loss, Owner
from minigrad.losses.names import is_name, shown, visible

HOOK = "minigrad_losses"
TAIL = "; other losses work; mend it, or remove it"


@dataclass(frozen=True)
class Problem:
    """A plugin that could not be used: who it is, and what it said; its own exception is the cause of `error`."""

    pack: str
    distribution: str
    version: str
    message: str
    error: Exception
    traceback: str


# --- its hook ---------------------------------------------------------------------------------------------------------
def hooks(manager: Any, plugin: Any) -> dict[str, tuple[Any, Mapping[str, Any]]]:
    """The functions of a plugin that are marked @hookimpl, with the options of their marks."""
    marks = {name: manager.parse_hookimpl_opts(plugin, name) for name in dir(plugin)}
    return {name: (getattr(plugin, name), mark) for name, mark in marks.items() if mark is not None}


def check_hooks(found: dict[str, tuple[Any, Mapping[str, Any]]], plugin: Any, who: str) -> None:
    """Refuse a plugin whose hook would not be called, or not be called rightly."""
    for name, (function, mark) in found.items():
        hook, where = mark.get("specname") or name, _where(function)
        if hook != HOOK:
            raise PluginError(f"{who}: no hook {shown(hook)}{where}, it would never be called; did you mean {HOOK!r}?")
        if mark.get("wrapper") or mark.get("hookwrapper") or inspect.iscoroutinefunction(function):
            raise PluginError(f"{who}: expected {HOOK} to be a plain function, got a wrapper or coroutine{where}")
        if arguments := str(inspect.signature(function).replace(return_annotation=inspect.Signature.empty))[1:-1]:
            raise PluginError(
                f"{who}: expected {HOOK}(), got {HOOK}({arguments}){where}; it is called without arguments"
            )
    if not found and hasattr(plugin, HOOK):
        where = _where(getattr(plugin, HOOK))
        raise PluginError(f"{who}: its {HOOK}{where} would never be called; put @hookimpl above it")
    if not found:
        near = difflib.get_close_matches(HOOK, dir(plugin), 1)
        got = f"{near[0]}, unmarked" if near else "none"
        raise PluginError(f"{who}: expected a function {HOOK} marked @hookimpl, got {got}; it returns the losses")


def _where(function: Any) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f" ({place(code.co_filename, code.co_firstlineno)})" if code else ""


# --- its losses -------------------------------------------------------------------------------------------------------
def owned(offers: Iterable[Any], owner: Owner, who: str) -> dict[str, Loss]:
    """The losses that a hook returned, each checked and given its owner."""
    taken: dict[str, Loss] = {}
    for offer in offers:
        if isinstance(offer, (str, bytes, Mapping, Set)) or not isinstance(offer, Iterable):
            raise PluginError(
                f"{who}: expected {HOOK} to return a list of losses, got {shown(offer)} ({type(offer).__name__})"
            )
        with code_of(who):  # it may be a generator
            items = list(offer)
        for item in items:
            _check_item(item, taken, owner, who)
            taken[item.name] = replace(item, owner=owner)
    return taken


def _check_item(item: Any, taken: Mapping[str, Loss], owner: Owner, who: str) -> None:
    if not isinstance(item, Loss):
        raise PluginError(
            f"{who}: expected {HOOK} to return losses, got {shown(item)} ({type(item).__name__}); put @loss above it"
        )
    if not is_name(item.name):
        cure = "give the sum one with .named" if item.text else "rename it"
        got = f"{shown(item.name)} ({defined(item)})"
        raise PluginError(f"{who}: expected a name of up to 40 letters, digits and _, got {got}; {cure}")
    if (other := taken.get(item.name)) is not None:
        raise PluginError(
            f"'{owner.pack}:{item.name}' is registered twice: {defined(other)} and {defined(item)}; rename one"
        )


def defined(loss: Loss) -> str:
    """File and line of a loss."""
    code = loss.function.__code__
    return loss.where if loss.parts else place(code.co_filename, code.co_firstlineno)


def defined_by(module: Any, who: str) -> list[Loss]:
    """The losses that a file defines: what nobody owns yet and has a name, once each, and not what it imports."""
    named = [item for item in vars(module).values() if isinstance(item, Loss) and item.text is None]
    here = [loss for loss in named if loss.owner is None and (loss.parts or loss.__module__ == module.__name__)]
    first: dict[Any, Loss] = {}
    for loss in here:
        first.setdefault((loss.name, loss.function), loss)  # cubic2 = cubic.with_(…) is no second cubic
    if not first:
        raise PluginError(f"{who}: expected a loss, found none; put @loss above a function (pred, target)")
    return list(first.values())


# --- its exceptions ---------------------------------------------------------------------------------------------------
@contextmanager
def code_of(who: str, where: str = "") -> Iterator[None]:
    """A block that runs code of a plugin: whatever it raises becomes an error that says who and where."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise PluginError(f"{who} failed to load: {said(error, where)}{TAIL}") from error


def problem_of(owner: Owner, error: Exception) -> Problem:
    """What is remembered of a plugin that failed."""
    full = "".join(traceback.format_exception(error))
    return Problem(owner.pack, owner.distribution, owner.version, str(error), error, full)


def said(error: BaseException, where: str = "") -> str:
    """What an exception of a plugin says, and the line of the plugin that it came from, in one line."""
    where, text = _origin(error) or where, _text(error)
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        where, text = place(error.filename, error.lineno), error.msg
    kind = "" if isinstance(error, (ImportError, PluginError)) else f"{type(error).__name__}: "
    place_said = not where or (isinstance(error, PluginError) and text.startswith(f"{where}:"))
    return visible(f"{kind}{text}"[:400].removesuffix(": ")) + ("" if place_said else f" ({where})")


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # an exception of a plugin is its code, too
        return ""


# What stands between minigrad and the code of a plugin, in a traceback.
_BETWEEN = {str(Path(__file__).parent), "pluggy", "importlib"}


def _origin(error: BaseException) -> str:
    """The deepest line that is still the plugin's own: of the first stranger's file, or of its package."""
    way = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    strange = [
        (path, line)
        for path, line in way
        if not _BETWEEN & {*path.parts, str(path.parent)} and not path.name.startswith("<frozen")
    ]
    if not strange:
        return ""
    first = strange[0][0]
    home = first.parent if _in_package(first) else first
    return place(*next((path, line) for path, line in reversed(strange) if path == home or home in path.parents))


def place(filename: str | Path, line: int | None) -> str:
    """`file.py:3`; in a package `folder/file.py:3`."""
    path = Path(filename)
    return f"{path.parent.name}/{path.name}:{line}" if _in_package(path) else f"{path.name}:{line}"


def _in_package(path: Path) -> bool:
    return (path.parent / "__init__.py").is_file()
