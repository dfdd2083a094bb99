"""What an op may declare, and the words for a rule that breaks its promise, or that nobody has written."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.engine.errors import DTypeError, GradientError
from minigrad.engine.guards import FLOATS, KINDS, Array, Shape

if TYPE_CHECKING:
    from minigrad.engine.op import Op


def name_of(forward: Any, name: str | None) -> str:
    """The name of an op: given, or that of its function."""
    if not callable(forward):
        raise TypeError(f"op: expected a function of arrays, got {forward!r:.60}; give the function itself")
    return name or str(getattr(forward, "__name__", "op"))


def signature_of(
    forward: Callable[..., Any], name: str, args: str | None, rules: tuple[str, ...]
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Argument names and defaults: given, those of a ufunc (the rules name its inputs), or read from the function."""
    if isinstance(forward, np.ufunc) and args is None:
        if len(rules) != forward.nin:
            raise ValueError(
                f"op {name}: expected a rule for each of {forward.nin} inputs, got {len(rules)} ({', '.join(rules)}); "
                "an input without derivative is said: condition=None"
            )
        return rules, {}
    if not rules:
        raise ValueError(f"op {name}: expected a rule for at least one argument, got none; say x=lambda g, …: …")
    if args is not None:
        given = dict(item.partition("=")[::2] for item in args.split())
        return tuple(given), {key: ast.literal_eval(value) for key, value in given.items() if value}
    try:
        parameters = inspect.signature(forward).parameters.values()
    except (TypeError, ValueError):
        raise ValueError(f"op {name}: its signature cannot be read; give the argument names, args='x y'") from None
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    return tuple(p.name for p in parameters), defaults


def needs_of(rule: Any, arg: str, op: Op) -> tuple[str, ...]:
    """The names that a rule asks for, checked against what there is."""
    if arg not in op.args:
        raise ValueError(f"op {op.name}: expected rules for {', '.join(op.args)}, got one for {arg!r}; rename it")
    if not callable(rule):
        if rule is not None and not isinstance(rule, (int, float)):
            raise TypeError(f"op {op.name}: expected a function, a number or None for {arg}, got {rule!r:.60}")
        return ()
    needs = _names_of(rule)
    known = {"g", "out", *op.args, *(f"{name}_shape" for name in op.args)}
    if unknown := [need for need in needs if need not in known]:
        raise ValueError(
            f"op {op.name}: the rule for {arg} asks for {unknown[0]!r}; it can have g, out, {', '.join(op.args)}, and "
            f"the shape of each, such as {op.args[0]}_shape; whatever else it needs it computes again"
        )
    return needs


def _names_of(rule: Callable[..., Any]) -> tuple[str, ...]:
    """The argument names of a rule: of a plain function as its code has them, which takes a tenth of the time."""
    code = rule.__code__ if type(rule) is FunctionType else None
    if code is None or code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS) or hasattr(rule, "__wrapped__"):
        return tuple(inspect.signature(rule).parameters)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def keeps_of(op: Op, recorded: list[str]) -> list[tuple[str, int, bool]]:
    """What a node keeps for the rules of these arguments: a name, the place of the argument, whether it is its shape.

    The result has the place −1. Where a reference is differentiated instead of the rules, it needs every argument.
    """
    places = {name: i for i, arg in enumerate(op.args) for name in (f"{arg}_shape", arg)} | {"out": -1}
    needs = [need for arg in recorded for need in op.needs[arg] if need != "g"]
    needs += op.args if op.reference is not None else ()
    return [(need, places[need], need not in (*op.args, "out")) for need in dict.fromkeys(needs)]


def wrong_part(op: Op, arg: str, part: Any, shape: Shape) -> GradientError:
    """A rule returned no gradient of its argument."""
    got = type(part).__name__ + (f" of shape {part.shape}, dtype {part.dtype}" if hasattr(part, "dtype") else "")
    return GradientError(
        f"{op.name}: expected the rule for {arg} to return floats of shape {shape}, got {got}; mend the rule"
    )


def broken_rule(op: Op, arg: str, error: Exception) -> GradientError:
    """A rule raised something."""
    singular = isinstance(error, np.linalg.LinAlgError)
    cure = "give a regular matrix" if singular else "mend the rule"
    return GradientError(f"{op.name}: the rule for {arg} failed: {error}; {cure}")


def taken(op: Op) -> ValueError:
    """A rule was given for a function that has one here."""
    return ValueError(
        f"op {op.name}: expected a function without a rule, got one that minigrad itself has rules for; it works as it "
        "is, or give a function of your own: lambda x: …, with name="
    )


def result_of(op: Op, out: Any) -> Array:
    """What a forward returned, as an array that can be wrapped."""
    array = np.asarray(out) if isinstance(out, (np.ndarray, np.generic, bool, int, float)) else None
    if array is None or (array.dtype not in FLOATS and array.dtype.kind not in "iub"):
        got = type(out).__name__ if array is None else f"{array.dtype} {array.shape}"
        raise DTypeError(f"{op.name}: expected an array of {KINDS} as its result, got {got}; keep to these")
    return array


def no_floats(op: Op, out: Array) -> DTypeError:
    """The result of a recorded operation cannot be differentiated."""
    return DTypeError(
        f"{op.name}: expected floats as its result, got {out.dtype} {out.shape}; detach() the inputs, or say that they "
        f"have no derivative: op(…, {op.args[0]}=None)"
    )


def no_method(ufunc: str, method: str) -> GradientError:
    """np.add.reduce and its kin."""
    return GradientError(
        f"np.{ufunc}.{method}: expected a plain call np.{ufunc}(…) on a Tensor, got its method {method}; use np.sum, "
        "np.prod, np.cumsum, np.outer …, or take t.detach().numpy() where no gradient is needed"
    )


def no_rule(function: Any) -> GradientError:
    """A function of NumPy was called on a Tensor, and nobody knows its derivative."""
    path = path_of(function)
    return GradientError(
        f"{path}: expected a function with a rule, got one that minigrad has none for; register it with "
        f"{_registered(path, function)}, or take t.detach().numpy() where no gradient is needed"
    )


def _registered(path: str, function: Any) -> str:
    """The call that gives a function its rules: of a ufunc slopes, one for each input, else what is done with g."""
    if isinstance(function, np.ufunc):
        names = "xyzuvw"[: function.nin]
        rules = ", ".join(f"{name}=lambda {', '.join(names)}: …" for name in names)
        return f"minigrad.elementwise({path}, {rules})"
    try:
        first = next(iter(inspect.signature(function).parameters), "x")
    except (TypeError, ValueError):
        first = "x"
    return f"minigrad.op({path}, {first}=lambda g, …: …)"


def path_of(function: Any) -> str:
    """Where users find a function of NumPy: np.fft.fft. Of a ufunc from elsewhere only its name is known."""
    if isinstance(function, np.ufunc) and getattr(np, function.__name__, None) is not function:
        return function.__name__
    home = (getattr(function, "__module__", None) or "numpy").split(".")
    return ".".join(["np" if home[0] == "numpy" else home[0], *home[1:], function.__name__])
