"""`python -m minigrad.engine`: every function with its rules, read from the tables themselves."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from types import ModuleType

import numpy as np

from minigrad.engine import fused, rules
from minigrad.engine.arraylike import RULES
from minigrad.engine.rules import plain

TABLES = (*(getattr(rules, name) for name in rules.__all__ if name != "plain"), fused)
NO_RULE = ("name", "args", "reference", "view")


def listing() -> list[str]:
    """A line for each function: its name and, by argument, the slope or what becomes of the gradient g."""
    lines = []
    for table in TABLES:
        lines += ["", f"{table.__name__.rpartition('.')[2]}: {(table.__doc__ or '').split(chr(10))[0]}"]
        lines += [f"  {name:<20} {text}" for name, text in _equations(table)]
    composed = {key: value for key, value in RULES.items() if inspect.isfunction(value) and key not in plain.ANSWERS}
    named = [(_path(key).rpartition(".")[2], getattr(known, "name", "")) for key, known in RULES.items()]
    parts = {
        "by another name": [f"{name} is {known}" for name, known in named if known and name[0] not in "<_"],
        "made of these": map(_path, composed),
        "answers with plain arrays, without gradient": map(_path, plain.ANSWERS),
    }
    parts["by another name"] = [line for line in parts["by another name"] if line.split()[0] != line.split()[2]]
    for title, entries in parts.items():
        text = ", ".join(sorted(entries))
        lines += ["", f"{title}:", *textwrap.wrap(text, 110, initial_indent="  ", subsequent_indent="  ")]
    return lines


def _equations(table: ModuleType) -> Iterator[tuple[str, str]]:
    """Names and rules of the ops that a module defines."""
    for statement in ast.parse(inspect.getsource(table)).body:
        call = getattr(statement, "value", None)
        if not isinstance(call, ast.Call) or getattr(call.func, "id", "") not in ("op", "elementwise"):
            continue
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        given = [f"∂{key.arg}: {_text(key.value, table)}" for key in call.keywords if key.arg not in NO_RULE]
        yield getattr(target, "id", "").lstrip("_"), "   ".join(given)


def _text(rule: ast.expr, table: ModuleType) -> str:
    """A rule in one line: the body of a lambda, or what a function says of itself."""
    if isinstance(rule, ast.Name):
        said = (getattr(table, rule.id).__doc__ or rule.id).split("\n")[0].rstrip(".")
        return said.split(": ", 1)[1] if said.startswith("∂") else said
    return ast.unparse(rule.body if isinstance(rule, ast.Lambda) else rule).replace("np.", "")


def _path(key: object) -> str:
    name = getattr(key, "__name__", str(key))
    return f"linalg.{name}" if getattr(np.linalg, name, None) is key else name


if __name__ == "__main__":
    print("\n".join(listing()).strip())
