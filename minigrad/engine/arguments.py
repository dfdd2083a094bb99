"""Arguments of transforms: which of them `wrt=` names, and the arrays in lists, tuples and dicts."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]
Wrt = int | str | tuple[int | str, ...]


def flat(tree: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The arrays in lists, tuples and dicts, and a function that puts others in their places."""
    make: Callable[[list[Any]], Any] = type(tree)
    if isinstance(tree, dict):
        make = lambda parts: dict(zip(tree, parts))  # noqa: E731  # what it does depends on the kind of the tree
    elif hasattr(tree, "_fields"):  # a named tuple
        make = lambda parts: type(tree)(*parts)  # noqa: E731
    elif not isinstance(tree, (list, tuple)):
        return [tree], lambda leaves: leaves[0]
    inner = [flat(branch) for branch in (tree.values() if isinstance(tree, dict) else tree)]

    def rebuild(leaves: list[Any]) -> Any:
        rest = iter(leaves)
        return make([again([next(rest) for _ in own]) for own, again in inner])

    return [leaf for own, _ in inner for leaf in own], rebuild


def _names(f: Function) -> tuple[list[str], bool]:
    """The names of f's arguments, and whether there may be more of them."""
    if hasattr(f, "args") and hasattr(f, "rules"):
        return list(f.args), False
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return [], True
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.kind not in kinds], any(p.kind in kinds for p in parameters)


def check(f: Function, name: str, wrt: Wrt) -> None:
    """Refuse, before any call, what cannot be differentiated."""
    if not callable(f):
        raise TypeError(f"{name}: expected a function, got {f!r:.60}; write {name}(f)(x)")
    names, more = _names(f)
    wanted = wrt if isinstance(wrt, tuple) else (wrt,)
    found = [names.index(w) if w in names else w for w in wanted]
    outside = [w for w in wanted if not _known(w, names, more)]
    if not wanted or outside or len(set(found)) < len(found):
        wrong = f"{outside[0]!r}" if outside else "none" if not wanted else f"{wrt!r}, one of them twice"
        raise ValueError(
            f"{name}: expected wrt among the arguments of {name_of(f)} ({', '.join(names)}), each once, got {wrong}; "
            "give a position, a name, or a tuple of them"
        )


def _known(w: Any, names: list[str], more: bool) -> bool:
    if isinstance(w, str):
        return more or w in names
    return isinstance(w, int) and not isinstance(w, bool) and 0 <= w and (more or w < len(names))


def places(f: Function, name: str, wrt: Wrt, given: dict[int | str, Any]) -> list[int | str]:
    """Where in a call the arguments that wrt names are: a position or a keyword."""
    names, _ = _names(f)
    chosen: list[int | str] = []
    for w in wrt if isinstance(wrt, tuple) else (wrt,):
        both = (w, names.index(w)) if w in names else (w, names[w]) if isinstance(w, int) and w < len(names) else (w,)
        found = [place for place in both if place in given]
        if not found:
            raise ValueError(
                f"{name}: expected the argument {w!r} of {name_of(f)} in the call, got none; give it a value"
            )
        chosen.append(found[0])
    return chosen


def name_of(f: Function) -> str:
    """What messages call a function."""
    return getattr(f, "__name__", "f")
