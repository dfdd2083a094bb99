"""Transforms: functions that make, of a function of arrays, the function that is its derivative.

Each takes `wrt=`, the arguments to differentiate: a position, a name, or a tuple of them. An argument may be an array,
or lists, tuples and dicts of arrays; its derivative has the same form. On plain arrays the results are plain arrays; on
Tensors they are recorded, and so transforms can be nested: `grad(grad(f))`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from minigrad.engine import guards
from minigrad.engine.arguments import Function, Wrt, check, flat, name_of, places
from minigrad.engine.errors import DTypeError, ShapeError
from minigrad.engine.graph import Node, recording, walk
from minigrad.engine.op import alias
from minigrad.engine.tensor import Tensor, wrap


def value_and_grad(f: Function, wrt: Wrt = 0) -> Callable[..., tuple[Any, Any]]:
    """The function that returns f's value and its gradient, in one pass.

    Args:
        f: a function of arrays that returns a single number.
        wrt: the argument to differentiate, by position or name, or a tuple of them.

    Returns:
        A function of the same arguments.

    Raises:
        TypeError: `f` cannot be called, or returns no Tensor.
        ValueError: `wrt` names no argument of f, or one twice.
        ShapeError: `f` returns more than a single number.
        DTypeError: an argument to differentiate holds no floats.
    """
    check(f, "grad", wrt)

    @wraps(f)
    def differentiated(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        call = _Call("grad", f, wrt, args, kwargs)
        call.check_single()
        slopes = _sent_back(call.outs, call.ones(), call.starts, call.nested, keep=call.nested)
        return _given(call.value, call.nested), _given(call.form(slopes), call.nested)

    return differentiated


def grad(f: Function, wrt: Wrt = 0) -> Function:
    """The gradient of f, as a function of the same arguments: `grad(grad(f))(x)` is the second derivative.

    See `value_and_grad` for arguments, results and errors.
    """
    both = value_and_grad(f, wrt)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def vjp(f: Function, wrt: Wrt = 0) -> Callable[..., tuple[Any, Function]]:
    """The function that returns f's value and `back`: back(g) is gᵀJ, the gradient of Σ g·f.

    f may return one array, or lists, tuples and dicts of them; g has the form and the shapes of that.
    """
    check(f, "vjp", wrt)

    @wraps(f)
    def pulled(*args: Any, **kwargs: Any) -> tuple[Any, Function]:
        call = _Call("vjp", f, wrt, args, kwargs)

        def back(g: Any) -> Any:
            seeds = _like("vjp: expected a seed", g, call.outs)
            nested = call.nested or _recorded(seeds)
            return _given(call.form(_sent_back(call.outs, seeds, call.starts, nested)), nested)

        return _given(call.value, call.nested), back

    return pulled


def jvp(f: Function, wrt: Wrt = 0) -> Callable[..., tuple[Any, Function]]:
    """The function that returns f's value and `along`: along(v) is J·v, the derivative of f in the direction v.

    v has the form and the shapes of what `wrt` names. gᵀJ is linear in g, and its derivative by g in the direction v is
    J·v; g itself is all ones, because a gradient of exactly 0 would silence slopes that are not finite.
    """
    check(f, "jvp", wrt)

    @wraps(f)
    def pushed(*args: Any, **kwargs: Any) -> tuple[Any, Function]:
        call = _Call("jvp", f, wrt, args, kwargs)

        def along(v: Any) -> Any:
            directions = _like("jvp: expected a direction", v, call.starts)
            seeds = [alias(seed) for seed in call.ones()]
            slopes = _sent_back(call.outs, seeds, call.starts, create_graph=True)
            nested = call.nested or _recorded(directions)
            return _given(call.shape_of_value(_turned(slopes, directions, seeds, nested)), nested)

        return _given(call.value, call.nested), along

    return pushed


def jacobian(f: Function, wrt: Wrt = 0) -> Function:
    """The matrix of all derivatives, as a function of the same arguments: of the shape of f's value and that of x."""
    check(f, "jacobian", wrt)

    @wraps(f)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        call = _Call("jacobian", f, wrt, args, kwargs)
        return _given(call.shape_of_value([call.form(_rows(out, call)) for out in call.outs]), call.nested)

    return differentiated


def hessian(f: Function, wrt: Wrt = 0) -> Function:
    """The matrix of second derivatives of a function that returns a single number: the Jacobian of its gradient."""
    return jacobian(grad(f, wrt), wrt)


def hvp(f: Function, wrt: Wrt = 0) -> Callable[..., tuple[Any, Function]]:
    """The function that returns f's gradient and `along`: along(v) is H·v, how the gradient changes in direction v.

    H is symmetric, and so H·v is the gradient of ⟨∇f, v⟩: a pass back through the pass back.
    """
    check(f, "hvp", wrt)

    @wraps(f)
    def curved(*args: Any, **kwargs: Any) -> tuple[Any, Function]:
        call = _Call("hvp", f, wrt, args, kwargs)
        call.check_single()
        slopes = _sent_back(call.outs, call.ones(), call.starts, create_graph=True)

        def along(v: Any) -> Any:
            directions = _like("hvp: expected a direction", v, call.starts)
            nested = call.nested or _recorded(directions)
            return _given(call.form(_turned(slopes, directions, call.starts, nested)), nested)

        return _given(call.form(slopes), call.nested), along

    return curved


class _Call:
    """One call of a function whose chosen arguments are nodes of their own: only the way through it counts.

    Attributes:
        value: what it returned, and `outs`, the Tensors in that; `shape_of_value` puts others in their place.
        starts: the chosen arguments, and `form`, which gives something for each of them the form in which they came.
        nested: whether there is a graph around this call, so that results are Tensors on it.
    """

    def __init__(self, name: str, f: Function, wrt: Wrt, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.name, self.of = name, name_of(f)
        given: dict[Any, Any] = {**dict(enumerate(args)), **kwargs}
        at = places(f, name, wrt, given)
        chosen = [given[place] for place in at]
        self.form = flat(tuple(chosen) if isinstance(wrt, tuple) else chosen[0])[1]
        arrays, rebuild = flat(chosen)
        self.starts = [_start(x, name, f) for x in arrays]
        tensors = any(isinstance(x, Tensor) for x in flat(list(given.values()))[0])
        given.update(zip(at, rebuild(self.starts)))
        token = recording.set(True)
        try:
            self.value = f(*[given[i] for i in range(len(args))], **{key: given[key] for key in kwargs})
        finally:
            recording.reset(token)
        self.outs, self.shape_of_value = flat(self.value)
        for out in self.outs:
            if not isinstance(out, Tensor):
                raise TypeError(
                    f"{name}: expected {self.of} to return a Tensor, got {type(out).__name__}; compute with its "
                    "argument, by NumPy's functions: float() and those of math leave the graph"
                )
        self.nested = bool(recording.get()) and (tensors or _older_than(self.starts, self.outs))

    def check_single(self) -> None:
        """Refuse anything but a single number as the value."""
        if len(self.outs) != 1 or self.outs[0] is not self.value:
            raise TypeError(
                f"{self.name}: expected {self.of} to return a Tensor, got {type(self.value).__name__}; "
                "return one number"
            )
        if self.value.size != 1:
            raise ShapeError(
                f"{self.name}: expected {self.of} to return a single number, got shape {self.value.shape}; "
                "use .sum() or .mean()"
            )

    def ones(self) -> list[Tensor]:
        """A seed for each result."""
        return [wrap(np.ones(out.shape, out.dtype), None) for out in self.outs]


def _given(results: Any, nested: bool) -> Any:
    """Tensors for those who record, plain arrays for all others."""
    leaves, rebuild = flat(results)
    return results if nested else rebuild([np.array(_data(x)) for x in leaves])


def _recorded(tensors: list[Tensor]) -> bool:
    return bool(recording.get()) and any(t.edge is not None for t in tensors)


def _sent_back(
    outs: list[Tensor], seeds: list[Tensor], starts: list[Tensor], create_graph: bool, *, keep: bool = True
) -> list[Any]:
    """Walk back from each result with its seed; return the sum of what arrives at each start."""
    ends: list[Any] = [start.edge for start in starts]
    found: list[Any] = [None] * len(ends)
    for out, seed in zip(outs, seeds):
        if out.edge is not None:
            given = seed if create_graph else _data(seed)
            arrived = walk(out.edge, given, wrt=ends, retain_graph=keep, create_graph=create_graph)
            parts = [arrived.get(end) for end in ends]
            found = [old if new is None else new if old is None else old + new for old, new in zip(found, parts)]
    zeros = [np.zeros(start.shape, start.dtype) for start in starts]
    return [
        part if isinstance(part, Tensor) else wrap(np.array(zero if part is None else part), None)
        for part, zero in zip(found, zeros)
    ]


def _turned(slopes: list[Tensor], directions: list[Tensor], starts: list[Tensor], create_graph: bool) -> list[Any]:
    """The gradient of ⟨slopes, directions⟩ by the starts: of what was itself a pass back."""
    token = recording.set(True)
    try:
        total: Any = sum((slope * direction).sum() for slope, direction in zip(slopes, directions))
    finally:
        recording.reset(token)
    return _sent_back([total], [wrap(np.ones(total.shape, total.dtype), None)], starts, create_graph)


def _rows(out: Tensor, call: _Call) -> list[Any]:
    """The derivative of one result by each start: for each of its entries a walk with a seed that is 1 there."""
    rows = []
    for at in np.ndindex(out.shape):
        seed = np.zeros(out.shape, out.dtype)
        seed[at] = 1
        rows.append(_sent_back([out], [wrap(seed, None)], call.starts, call.nested))
    shapes = [(*out.shape, *start.shape) for start in call.starts]
    if not rows:
        return [Tensor(np.zeros(shape, out.dtype)) for shape in shapes]
    return [np.reshape(np.stack(list(column)), shape) for column, shape in zip(zip(*rows), shapes)]


def _older_than(starts: list[Tensor], outs: list[Tensor]) -> bool:
    """Whether the results depend on a node from before the call: on what another transform differentiates."""
    ends = {start.edge for start in starts}
    first = min((end.number for end in ends if isinstance(end, Node)), default=0)
    todo, seen = [out.edge for out in outs], set(ends)
    while todo:
        edge = todo.pop()
        if edge is None or edge in seen:
            continue
        seen.add(edge)
        if isinstance(edge, Node):
            if edge.number < first:
                return True
            todo += [one for _, one in edge.inputs()]
    return False


def _start(x: Any, name: str, f: Function) -> Tensor:
    """An argument as a node of its own."""
    data = x if isinstance(x, Tensor) else np.asarray(x)
    if data.dtype.kind != "f":
        raise DTypeError(
            f"{name}: expected floats as the argument of {name_of(f)} to differentiate, got "
            f"{guards.kind_of(data.dtype)}; {'write 2.0 for 2' if data.dtype.kind in 'iub' else 'give numbers'}"
        )
    return alias(x if isinstance(x, Tensor) else np.array(data))


def _like(where: str, given: Any, wanted: list[Tensor]) -> list[Tensor]:
    """Arrays in the shapes and dtypes of those that are wanted."""
    leaves, _ = flat(given)
    shapes, got = [x.shape for x in wanted], [np.shape(x) for x in leaves]
    if shapes != got:
        raise ShapeError(
            f"{where} of shape {', '.join(map(str, shapes))}, got {', '.join(map(str, got))}; it has one entry for each"
        )
    tensors = [x if isinstance(x, Tensor) else Tensor(np.asarray(x, like.dtype)) for x, like in zip(leaves, wanted)]
    return [t if t.dtype == like.dtype else t.astype(like.dtype) for t, like in zip(tensors, wanted)]


def _data(x: Any) -> Any:
    return x.data if isinstance(x, Tensor) else x
