"""Names and texts of losses: which are allowed, how one is read, and what is said of one that nobody knows."""

from __future__ import annotations

import ast
import difflib
import keyword
import os
import re
import reprlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

from minigrad.engine.errors import PluginError
from minigrad.losses.loss import Loss

NAME = r"[A-Za-z_][A-Za-z0-9_]{0,39}"
PACK = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
OWN = ("minigrad", "here")  # where the losses are that come from no plugin
FORM = "write a name, name(parameter=literal), or a sum such as 0.7 * mse + 0.3 * mae"
LONGEST = 8000  # characters of a text: no loss that somebody wrote needs more, and to read them takes no time

# What people who come from elsewhere ask for. None of these works: the answer is an error that names the loss.
FOREIGN = {
    "l2": "mse", "squared_error": "mse", "mean_squared_error": "mse",
    "l1": "mae", "absolute_error": "mae", "mean_absolute_error": "mae",
    "pinball": "quantile", "mean_pinball": "quantile", "poisson": "poisson_nll",
    "sigmoid_cross_entropy": "bce_with_logits", "binary_cross_entropy_with_logits": "bce_with_logits",
    "binary_cross_entropy": "bce", "binary_crossentropy": "bce",
    "softmax_cross_entropy": "cross_entropy", "categorical_crossentropy": "cross_entropy",
    "sparse_categorical_crossentropy": "cross_entropy", "log_loss": "cross_entropy",
    "kl": "kl_div", "kl_divergence": "kl_div", "weston_watkins": "multi_margin",
    "sigmoid_focal": "focal", "binary_focal_crossentropy": "focal", "triplet": "triplet_margin",
}  # fmt: skip


def is_name(name: Any) -> bool:
    """Whether a loss may be called so: letters, digits and _, up to 40, no word of Python's grammar."""
    return isinstance(name, str) and bool(re.fullmatch(NAME, name)) and not keyword.iskeyword(name)


def foreign(name: str, known: Collection[str]) -> str | None:
    """What a loss of this name elsewhere is called here; case, `_` and the word loss make no difference."""
    flat = {_flat(known_here): known_here for known_here in known}
    flat |= {_flat(row): here for row, here in FOREIGN.items() if here in known}
    return flat.get(_flat(name))


def _flat(name: str) -> str:
    return name.lower().replace("_", "").replace("loss", "")


def unknown(name: str, losses: list[Loss], packs: list[str], left_out: Mapping[str, str], broken: int) -> str:
    """What is said of a name that nobody offers.

    Args:
        name: what was asked for.
        losses: all that are known.
        packs: the names of all packs.
        left_out: those that MINIGRAD_PLUGINS leaves out, with the distribution of each.
        broken: how many plugins failed.
    """
    own = [loss.name for loss in losses if loss.full_name == loss.name]
    if here := foreign(name, own):
        return f"no loss called {shown(name)}; here it is {here}"
    spelt = {word: loss for loss in losses for word in (loss.full_name, loss.name)}
    pack, _, bare = name.rpartition(":")
    words = difflib.get_close_matches(name, spelt, 1) or difflib.get_close_matches(bare, spelt, 1)
    near = [spelt[word] for word in words]
    hint = f" did you mean {near[0].full_name!r}{_from_pack(near[0])}?" if near else ""
    others = sum(bool(_from_pack(loss)) for loss in losses)
    text = f"no loss called {shown(name)};{hint} {len(own)} losses are built in, {others} come from packs"
    text += "" if near else ": `minigrad losses` lists them"
    listed = os.environ.get("MINIGRAD_PLUGINS")
    if pack in left_out:
        text += f"; the pack {shown(pack)} ({left_out[pack]}) is left out by MINIGRAD_PLUGINS={shown(listed)}"
    elif pack and pack not in packs:
        other = difflib.get_close_matches(pack, packs, 1)
        there = (
            f"did you mean {other[0]!r}?" if other else f"there are {', '.join(sorted({*packs} - {*OWN})) or 'none'}"
        )
        text = f"no loss called {shown(name)};{hint} there is no pack {shown(pack)}, {there}"
    elif listed is not None:
        text += f"; MINIGRAD_PLUGINS={shown(listed)} leaves other packs out{amiss(listed, [*packs, *left_out])}"
    return text + (f"; {broken} broken plugin{'s' * (broken > 1)}, see `minigrad losses`" if broken else "")


def amiss(listed: str, packs: Collection[str]) -> str:
    """What is said of names in MINIGRAD_PLUGINS that no pack has: a slip of the pen leaves out what was meant."""
    odd = [name for part in listed.split(",") if (name := part.strip()) and name not in packs]
    near = [(name, difflib.get_close_matches(name.lower(), packs, 1)) for name in odd]
    hints = [shown(name) + "".join(f" (did you mean {other!r}?)" for other in others) for name, others in near]
    return f"; no pack is called {', '.join(hints)}" if hints else ""


def _from_pack(loss: Loss) -> str:
    return f" ({loss.owner})" if loss.owner and loss.owner.version else ""


def check_pack(name: str, who: str) -> None:
    """Refuse a pack or file whose losses could not be called name:loss."""
    if not re.fullmatch(PACK, name) or name in OWN:
        raise PluginError(
            f"{who}: expected a name of letters, digits, _, - and ., not minigrad or here, got {shown(name)}; rename "
            "it: its losses are called so"
        )


_repr = reprlib.Repr()  # it cuts, and survives a __repr__ that raises
_repr.maxstring = _repr.maxother = 60


def shown(value: Any) -> str:
    """A value from a plugin or a file as it stands in a message: cut, and without control characters."""
    return visible(_repr.repr(value))


def visible(text: str) -> str:
    """A text in one line, in which whatever does not print is escaped."""
    return escaped(" ".join(text.split()), keep="")


def escaped(text: str, keep: str = "\n") -> str:
    """A text from a file or a plugin, in which whatever does not print is escaped, but for its line breaks."""
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in text)


# --- texts ------------------------------------------------------------------------------------------------------------
class _FormError(Exception):
    """What is wrong with the form of a text."""


def read(text: str, find: Callable[[str], Loss]) -> Loss:
    """The loss of a text: a name, parameters as literals, sums with number factors. Nothing is evaluated.

    Raises:
        ValueError: a text of another form. Errors of `find`, of parameters and of sums pass.
    """
    if len(text) <= LONGEST and not re.search(r"[()*+=\n]| - ", text):
        return find(text)  # a name, if perhaps an impossible one: its error then says which there are
    try:
        if len(text) > LONGEST:
            raise _FormError(f"it is longer than {LONGEST} characters")
        return _built(_tree(text), find)
    except (_FormError, SyntaxError, RecursionError, MemoryError) as error:
        said = error.msg if isinstance(error, SyntaxError) else str(error) or "it is nested too deeply"
        raise ValueError(f"losses.get: expected the text of a loss, got {shown(text)} ({said}); {FORM}") from None


_STRING = r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|\{[^}]*\}"  # strings and dicts have colons of their own
_FULL = re.compile(rf"{_STRING}|(?<![\w.-])(?P<full>{PACK}:{NAME})")


def _tree(text: str) -> ast.expr:
    """The syntax of a text. A full name, pack:name, is no Python: an identifier stands in for it while it is parsed."""
    unused = "_"
    while unused in text:
        unused += "_"
    names = {f"{unused}{i}": m["full"] for i, m in enumerate(m for m in _FULL.finditer(text) if m["full"])}
    stand_ins = iter(names)
    try:
        tree = ast.parse(_FULL.sub(lambda m: next(stand_ins) if m["full"] else m[0], text).strip(), mode="eval")
    except ValueError as error:  # a null byte, half of a surrogate pair
        raise _FormError(str(error)) from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    return tree.body


def _built(node: ast.expr, find: Callable[[str], Loss]) -> Loss:
    match node:
        case ast.Name(id=name):
            return find(name)
        case ast.Call(func=ast.Name() | ast.BinOp() as function, args=[], keywords=keywords):
            given = {word.arg or "**": word.value for word in keywords}
            if len(given) < len(keywords) or "**" in given:
                raise _FormError("each parameter is given once, by name")
            return _built(function, find).with_(**{name: _literal(value) for name, value in given.items()})
        case ast.Call(func=ast.Name(id=name), args=[_, *_]):
            raise _FormError(f"parameters are given by name, {name}(parameter=literal)")
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _built(left, find) + _built(right, find)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            factor = _literal(left)
            if isinstance(factor, bool) or not isinstance(factor, (int, float)):
                raise _FormError(f"{ast.unparse(left):.60} is no number")
            return _built(right, find) * factor
    raise _FormError(f"{ast.unparse(node):.60} is neither a name nor a sum of losses")


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(_Numbers().visit(node))
    except (ValueError, TypeError) as error:
        raise _FormError(f"{ast.unparse(node):.60} is no literal") from error


class _Numbers(ast.NodeTransformer):
    """Python prints inf and nan as names: here they are numbers."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(float(node.id)) if node.id in ("inf", "nan") else node
