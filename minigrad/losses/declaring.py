"""How a loss is declared: the words of `@loss` and the signature of its function, each checked with file and line."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from minigrad.engine.errors import DomainError, DTypeError, PluginError
from minigrad.losses.kinds import CLAIMS, PRED, TARGET
from minigrad.losses.parameters import Parameter, declared, fitted

WORDS = ("pred", "target", "grad", "kinks", "claims", "heads", "link", "coupled")


def place_of(function: Any) -> str:
    """File and line of a function."""
    if not inspect.isfunction(function) or inspect.iscoroutinefunction(function) or _generates(function):
        kind = (
            "a class" if inspect.isclass(function) else "a coroutine" if inspect.iscoroutinefunction(function) else ""
        )
        kind = "a generator" if inspect.isfunction(function) and _generates(function) else kind
        got = f"{kind} {getattr(function, '__name__', function)!r:.60}".strip()
        raise PluginError(f"@loss: expected a function (pred, target, *, ...), got {got}; write def f(pred, target)")
    return f"{Path(function.__code__.co_filename).name}:{function.__code__.co_firstlineno}"


def _generates(function: Any) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def words_of(function: Callable[..., Any], words: dict[str, Any], where: str) -> dict[str, Any]:
    """What a loss says of itself, as the fields of a Loss."""
    for word in words:
        if word not in WORDS:
            raise PluginError(f"{where}: no word {word!r} in @loss; it knows {', '.join(WORDS)}")
    _check_signature(function, where)
    pred = _kind("pred", words.get("pred", "real"), PRED, where)
    target = _kind("target", words.get("target", "real"), TARGET, where)
    params = declared(function)
    coupled = bool(words.get("coupled", False))
    takes_weight = coupled and params.pop("sample_weight", None) is not None
    for parameter in params.values():
        _check_default(parameter, where)
    return {
        "pred": pred, "target": target, "params": params, "coupled": coupled, "takes_weight": takes_weight,
        "claims": _claims(words.get("claims"), where), "kinks": _kinks(words.get("kinks"), where),
        "heads": _heads(words.get("heads"), pred, where), "own_link": _link(words.get("link"), pred, where),
        "grad": _grad(words.get("grad"), params, coupled, where),
    }  # fmt: skip


def _kind(word: str, value: Any, known: Mapping[str, Any], where: str) -> str:
    if isinstance(value, str) and value in known:
        return value
    near = sorted(difflib.get_close_matches(str(value), known), key=lambda name: abs(len(name) - len(str(value))))
    hint = f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(known)}"
    raise PluginError(f"{where}: {word}={value!r:.60} is no kind; {hint}")


def _check_signature(function: Callable[..., Any], where: str) -> None:
    parameters = list(inspect.signature(function).parameters.values())
    names = [p.name for p in parameters]
    if names[:2] != ["pred", "target"]:
        foreign = {"y_true", "y", "labels", "target", "truth"} & set(names[:1])
        hint = (
            "minigrad passes the prediction first, unlike Keras and scikit-learn" if foreign else "write pred, target"
        )
        raise PluginError(f"{where}: expected a signature (pred, target, *, ...), got ({', '.join(names)}); {hint}")
    for p in parameters[2:]:
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            raise PluginError(f"{where}: expected named parameters, got {p}; write def f(pred, target, *, delta=1.0)")
        if p.kind is not p.KEYWORD_ONLY or p.default is p.empty:
            raise PluginError(
                f"{where}: expected {p.name!r} by keyword with a default; write def f(pred, target, *, {p.name}=1.0)"
            )
        if p.name in ("reduction", "mask", "class_weight"):
            raise PluginError(f"{where}: expected another name than {p.name!r}, which every loss has; rename it")


def _check_default(parameter: Parameter, where: str) -> None:
    if isinstance(parameter.default, fitted):
        return
    try:
        parameter.check(where, parameter.default)
    except (DomainError, DTypeError, TypeError) as error:
        raise PluginError(f"{error}; this is the default of {parameter.name!r}: give one that is allowed") from error


def _claims(claims: Any, where: str) -> tuple[str, ...]:
    if claims is None:
        return ()
    found = tuple(claims.split()) if isinstance(claims, str) else tuple(claims)
    for claim in found:
        if claim not in CLAIMS:
            raise PluginError(f"{where}: claims={claim!r:.60} is no claim; it knows {', '.join(CLAIMS)}")
    return found


def _kinks(kinks: Any, where: str) -> tuple[Callable[..., Any], ...] | None:
    """None for unknown, () for none."""
    if kinks is None:
        return None
    found = (kinks,) if callable(kinks) else tuple(kinks) if isinstance(kinks, Iterable) else (kinks,)
    for kink in found:
        if not callable(kink) or isinstance(kink, str):
            raise PluginError(
                f"{where}: expected kinks as functions (pred, target, ...), got {kink!r:.60}; () for none"
            )
    return found


def _heads(heads: Any, pred: str, where: str) -> tuple[str, ...]:
    if heads is None:
        return ()
    if pred not in ("params", "embedding"):
        raise PluginError(
            f"{where}: expected heads on pred='params' or 'embedding' only, got pred={pred!r}; leave it out"
        )
    return tuple(heads.split()) if isinstance(heads, str) else tuple(heads)


def _link(link: Any, pred: str, where: str) -> Callable[..., Any] | None:
    if link is None:
        return None
    if pred != "params" or not callable(link):
        raise PluginError(
            f"{where}: expected link as a function on pred='params', got {link!r:.60} on {pred!r}; the other kinds "
            "have one"
        )
    found: Callable[..., Any] = link
    return found


def _grad(grad: Any, params: Mapping[str, Any], coupled: bool, where: str) -> Callable[..., Any] | None:
    if grad is None:
        return None
    if coupled:
        raise PluginError(f"{where}: expected no grad= with coupled=True; the engine differentiates such a loss")
    if not callable(grad):
        raise PluginError(f"{where}: expected grad= as a function (pred, target, ...), got {grad!r:.60}")
    taken = inspect.signature(grad).parameters.values()
    if not any(p.kind is p.VAR_KEYWORD for p in taken):
        names = [p.name for p in taken][2:]
        if sorted(names) != sorted(params):
            raise PluginError(
                f"{where}: expected grad= to take ({', '.join(['pred', 'target', *params])}), got "
                f"({', '.join(p.name for p in taken)}); it gets every parameter by keyword"
            )
    found: Callable[..., Any] = grad
    return found
