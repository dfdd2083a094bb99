"""What is looked at where an array or a call enters the engine, and the words for what is wrong with it.

Most functions here return an error for the caller to raise; a `check_…` raises it itself.
"""

from __future__ import annotations

import difflib
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.engine.errors import DTypeError, GradientError, ShapeError

if TYPE_CHECKING:
    from minigrad.engine.graph import Edge, Node
    from minigrad.engine.op import Op

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, ...]
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))

# Keywords of NumPy that change what is computed while no rule knows of them.
REFUSED = frozenset(
    ["out", "where", "initial", "dtype", "casting", "order", "subok", "signature", "mean", "correction"]
)


# --- arrays -----------------------------------------------------------------------------------------------------------
def accepted(data: Any, dtype: Any = None, where: str = "Tensor") -> Array:
    """The data as an array of a dtype with which minigrad computes."""
    if hasattr(data, "edge"):
        if data.edge is not None:
            raise GradientError(
                f"{where}: expected plain data, got a Tensor that requires gradients; use it, or t.detach()"
            )
        data = data._data
    if isinstance(data, np.ma.MaskedArray):
        raise DTypeError(f"{where}: expected a plain array, got a masked array; fill it, or give a loss the mask")
    try:
        array = np.asarray(data, dtype)
    except (ValueError, TypeError) as error:
        said = f"{error}; give numbers, and dtype=np.float32 or np.float64"
        if "inhomogeneous" in str(error):
            said = "rows of unlike length; make every row equally long"
        raise DTypeError(f"{where}: expected numbers in a regular shape ({KINDS}), got {said}") from None
    if array.dtype not in FLOATS and array.dtype.kind not in "iub":
        lone = array.dtype.kind == "O" and array.ndim == 0
        got = type(data).__name__ if lone else kind_of(array.dtype)
        raise DTypeError(f"{where}: expected {KINDS}, got {got}; {CURES.get(array.dtype.kind, CURES['f'])}")
    return array


KINDS = "float32, float64, integers or bool"
CURES = {
    "f": "use .astype(np.float32)",
    "c": "take .real, .imag or np.abs of it",
    "O": "give numbers only",
    "U": "encode text as numbers",
    "S": "encode text as numbers",
}


def kind_of(dtype: np.dtype[Any]) -> str:
    """What messages call a dtype: text is not known to everybody as <U5."""
    return "text" if dtype.kind in "US" else str(dtype)


def check_floats(dtype: np.dtype[Any]) -> None:
    """Only floats can require gradients."""
    if dtype not in FLOATS:
        raise DTypeError(
            f"Tensor: expected floats to require gradients, got {dtype}; use .astype(np.float32) or 2.0 for 2"
        )


def check_like(where: str, value: Any, shape: Shape, dtype: np.dtype[Any]) -> None:
    """What overwrites an array has its shape and dtype."""
    if value.shape != shape:
        raise ShapeError(f"{where}: expected shape {shape}, got {value.shape}; make a new Tensor instead")
    if value.dtype != dtype:
        raise DTypeError(f"{where}: expected {dtype}, got {value.dtype}; use .astype(np.{dtype})")


def seed(gradient: Any, value: Array) -> Array:
    """A copy of a gradient to start from; it has the shape of the value at which it starts."""
    if type(gradient) is not np.ndarray or gradient.dtype not in FLOATS:
        gradient = accepted(gradient, None, "backward")
    if gradient.shape != value.shape:
        raise ShapeError(
            f"backward: expected a gradient of shape {value.shape}, got {gradient.shape}; it has one entry for each"
        )
    if gradient.dtype.kind != "f":
        raise DTypeError(f"backward: expected a gradient of {value.dtype}, got {gradient.dtype}; write 1.0 for 1")
    return np.array(gradient, value.dtype)


# --- what cannot be differentiated ------------------------------------------------------------------------------------
CUTS = {
    **dict.fromkeys(["numpy", "detach", "float", "item", "tolist"], "it takes the value out of the graph"),
    "astype": "whole numbers have no slope",
}


def no_way_back(cut: str) -> GradientError:
    """`backward` on a constant; `cut` is the last operation that dropped a gradient here, if there was one."""
    if not cut:
        return GradientError(
            "backward: this value has no gradient: it was computed from constants only; give an input "
            "requires_grad=True"
        )
    name = cut.split(",")[0].removesuffix(" under no_grad")
    why = "nothing is recorded" if " under no_grad" in cut else CUTS.get(name, "piecewise constant")
    end = "Compute the loss outside of no_grad()." if " under no_grad" in cut else f"Compute the loss before {name}."
    return GradientError(
        f"backward: this value has no gradient. The last operation here that dropped one was {cut} ({why}). {end}"
    )


def not_scalar(shape: Shape) -> GradientError:
    """`backward` without a seed from several numbers."""
    return GradientError(
        f"backward: expected a single number to start from, got shape {shape}; reduce it with .sum() or .mean(), or "
        "give backward(gradient) of that shape"
    )


def consumed(node: Node) -> GradientError:
    """A walk came to a node that is empty."""
    return GradientError(
        f"backward: expected a whole graph, got one of which a part (the value of shape {node.shape}) was consumed by "
        "an earlier backward; compute it again, or say retain_graph=True the first time"
    )


def stale(op: Op, arg: str, leaf: Any) -> GradientError:
    """A saved value is a parameter that has changed since."""
    return GradientError(
        f"backward: {op.name} needs the value that {arg}, of shape {leaf.shape}, had in the forward pass, but an "
        "optimizer step or an assignment has overwritten it; call backward() before changing it"
    )


def constant(what: str, shape: Shape) -> GradientError:
    """Something that only a tensor with a gradient has was asked of a constant."""
    return GradientError(
        f"{what}: expected a tensor that requires gradients, got a constant of shape {shape}; say requires_grad=True"
    )


def many(what: str, shape: Shape, cure: str) -> ShapeError:
    """One number was asked of several."""
    return ShapeError(f"{what}: expected one entry, got shape {shape}; {cure}")


def cut_in_a_rule(name: str) -> GradientError:
    """A rule that records itself took a number out of the graph."""
    return GradientError(
        f"Tensor.{name}: expected a rule under create_graph to stay in the graph, got a call of {name}, which would "
        "drop the second derivative; write the rule with NumPy's functions"
    )


def no_array() -> GradientError:
    """NumPy wants a plain array out of a recorded tensor."""
    return GradientError(
        "np.asarray: expected a constant, got a Tensor that requires gradients; use t.numpy() or t.detach() for its "
        "value, np.stack for a list of Tensors"
    )


def no_assignment() -> GradientError:
    """`t[i] = v`."""
    return GradientError(
        "Tensor: expected its entries to stay as they are, got an assignment t[…] = …; build the result with "
        "np.where(condition, a, b) or np.stack([...])"
    )


def asked_too_late() -> AttributeError:
    """`t.requires_grad = True`."""
    return AttributeError(
        "Tensor.requires_grad: expected it to be said when the tensor is made, got an assignment; write "
        "Tensor(t.data, requires_grad=True), or t.detach() for a constant"
    )


def kept_leaf() -> GradientError:
    """`w += 1` while operations are recorded."""
    return GradientError(
        "Tensor: expected a leaf to stay as it is while operations are recorded, got an update in place; give the "
        "result a new name (np.where and np.stack build arrays), or update a parameter under no_grad()"
    )


def warn_of_used(leaves: list[Any]) -> None:
    """A gradient with which a step was taken already is about to be added to."""
    shapes = ", ".join(str(leaf.shape) for leaf in leaves[:4]) + (" …" if len(leaves) > 4 else "")
    many = f"{len(leaves)} leaves, of shapes {shapes}, still hold"
    warnings.warn(
        f"backward: {many if len(leaves) > 1 else f'1 leaf, of shape {shapes}, still holds'} the gradient of the last "
        "step. The new one is added, which acts like momentum 1. Call zero_grad() after step().",
        stacklevel=4,
    )


def answer_of_hook(answer: Any, edge: Edge) -> Any:
    """What a hook returned, as a gradient for the same edge."""
    from minigrad.engine.tensor import Tensor

    shape = getattr(answer, "shape", None)
    if shape != edge.shape:
        raise GradientError(
            f"register_hook: expected the hook to return a gradient of shape {edge.shape} or None, got "
            f"{type(answer).__name__} of shape {shape}; return the gradient that is to flow on"
        )
    return answer if isinstance(answer, Tensor) and answer.dtype == edge.dtype else Tensor(answer, dtype=edge.dtype)


# --- calls ------------------------------------------------------------------------------------------------------------
def check_arguments(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuse arguments that the rules know nothing of."""
    if len(args) > len(op.args):
        raise TypeError(
            f"{op.name}: expected at most {len(op.args)} arguments ({', '.join(op.args)}), got {len(args)}; leave the "
            "others out"
        )
    for key, value in [*zip(op.args, args), *kwargs.items()]:
        usual = value is op.defaults.get(key) or (isinstance(value, str) and value == op.defaults.get(key))
        if key in REFUSED and key not in op.rules and value is not None and not usual:
            if key == "out":
                raise GradientError(
                    f"{op.name}: expected no out= with Tensors, whose entries stay as they are; give the result a new "
                    "name"
                )
            raise TypeError(f"{op.name}: expected no {key}= on a Tensor, got {value!r:.60}; leave it out")


def check_constant(op: Op, arg: str) -> None:
    """An argument without derivative is said to have none; a parameter is not to be a Tensor at all."""
    if arg not in op.rules:
        raise GradientError(
            f"{op.name}: expected a plain value for {arg}, got a Tensor that requires gradients; {arg} has no "
            f"derivative here, give {arg}.detach()"
        )


def explain(error: Exception, op: Any, values: Any, kwargs: dict[str, Any]) -> None:
    """Raise what NumPy said in minigrad's words: op, shapes, what to do. What a user's function says stays."""
    home = getattr(op.forward, "__module__", None) or "numpy"
    theirs = type(error).__module__.split(".")[0] not in ("builtins", "numpy")
    if theirs or home.split(".")[0] not in ("numpy", "minigrad"):
        return
    given = dict(zip(op.args, values, strict=False)) | kwargs
    if isinstance(error, TypeError) and (wrong := _wrong_call(error, op, given)):
        raise TypeError(wrong) from None
    expected = _expected(error, op, given)
    said = f"{op.name}: expected {expected}, got {', '.join(map(_shown, given, given.values()))}"
    cure = "give a number, or an array of them" if expected == "numbers" else f"NumPy says: {error}"
    cure = _clash(op, values) or cure
    if _is_index(error, given):
        raise IndexError(f"{said}; {cure}") from None
    if isinstance(error, TypeError):
        raise TypeError(f"{said}; {cure}") from None
    if isinstance(error, np.linalg.LinAlgError) and "dimension" not in str(error):
        raise np.linalg.LinAlgError(f"{said}; {cure}") from None
    raise ShapeError(f"{said}; {cure}") from None


FOREIGN = {"dim": "axis", "keepdim": "keepdims"}  # what PyTorch calls them


def _wrong_call(error: Exception, op: Any, given: dict[str, Any]) -> str:
    """An argument that the op does not have, or one that is missing."""
    if unknown := next((name for name in given if name not in op.args), ""):
        near = difflib.get_close_matches(unknown, op.args, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(op.args)}"
        hint = f"here it is {FOREIGN[unknown]}" if FOREIGN.get(unknown) in op.args else hint
        return f"{op.name}: no argument {unknown!r}; {hint}"
    missing = [name for name in op.args if name not in given] if "required" in str(error) else []
    return f"{op.name}: expected {', '.join(op.args)}, got no {missing[0]}; give it a value" if missing else ""


def _is_index(error: Exception, given: dict[str, Any]) -> bool:
    """Whether an index is what does not fit; without one it is a shape."""
    return isinstance(error, IndexError) and not isinstance(error, ValueError) and bool({"index", "indices"} & {*given})


def _expected(error: Exception, op: Any, given: dict[str, Any]) -> str:
    if "Singular" in str(error):
        return "a matrix that has an inverse"
    if "converge" in str(error):
        return "finite numbers"
    axis = 0 if given.get("axis") is None else given["axis"]
    if not all(isinstance(one, (int, np.integer)) for one in (axis if isinstance(axis, tuple) else (axis,))):
        return "whole numbers as axis"
    if _is_index(error, given):
        return "an index that fits the shape"
    known = ("duplicate", "repeated", "cannot be the same", "select an axis")
    if isinstance(error, np.exceptions.AxisError) or any(words in str(error) for words in known):
        return "axes that there are, each once"
    wrong_kind = isinstance(error, TypeError) and "argument" not in str(error)
    return "numbers" if wrong_kind else "arguments that fit each other"


def _shown(name: str, value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{name} {value.shape}" + ("" if value.dtype in FLOATS else f" {value.dtype}")
    if isinstance(value, (list, tuple)) and any(isinstance(item, np.ndarray) for item in value):
        return f"{name} {', '.join(str(np.shape(item)) for item in value)}"
    return f"{name}={value!r:.60}"


def _clash(op: Any, values: Any) -> str:
    """Which axis keeps the arrays from broadcasting, counted from the last."""
    from minigrad.engine.op import Elementwise

    entrywise = isinstance(op, Elementwise) or getattr(op.forward, "signature", op) is None
    shapes = [np.shape(value) for value in values if isinstance(value, np.ndarray)]
    if op.forward is np.matmul and len(shapes) == 2 and all(shapes):
        (*_, k), n = shapes[0], shapes[1][-2:][0]
        if k != n:
            which = "first" if len(shapes[1]) == 1 else "second last"
            return f"the last side of x, {k}, must be the {which} of y, {n}; transpose one of them, or make them equal"
    for axis in range(-max(map(len, shapes), default=0), 0) if entrywise else ():
        sides = [shape[axis] for shape in shapes if len(shape) >= -axis and shape[axis] != 1]
        if len(set(sides)) > 1:
            differ = " and ".join(map(str, dict.fromkeys(sides)))
            return f"they clash in axis {axis}: {differ}; make them equal, or one of them 1"
    return ""
