"""Op: a function with a rule for each argument that has a derivative.

A rule is keyed by the argument that it differentiates, and its own argument names say what a node must keep for it:
`g` (the gradient that comes in), an input, `out`, a parameter such as `axis`, or only the shape of an input,
`x_shape`. Rules are plain NumPy. In an ordinary backward they get ndarrays; under `create_graph` they get Tensors, and
because NumPy's functions record themselves on Tensors, the same rule yields the derivative of the derivative.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.engine.errors import GradientError, ShapeError
from minigrad.engine.graph import Edge, Gradient, Leaf, Node, recording, walk
from minigrad.engine.tensor import RULES, Tensor, frozen, wrap

# Keywords of NumPy that change what is computed while no rule knows of them.
REFUSED = frozenset(["out", "where", "initial", "dtype", "casting", "order", "subok", "signature"])


class Op:
    """A function on arrays that records itself when an argument is a Tensor that requires gradients."""

    def __init__(
        self,
        forward: Callable[..., Any],
        rules: dict[str, Any],
        *,
        name: str | None = None,
        args: str | None = None,
        reference: Callable[..., Any] | None = None,
        view: bool = False,
    ) -> None:
        if not callable(forward):
            raise TypeError(f"op: expected a function of arrays, got {forward!r:.60}; give the function itself")
        self.forward, self.reference, self.view = forward, reference, view
        self.name = self.__name__ = name or str(getattr(forward, "__name__", "op"))
        self.__doc__ = forward.__doc__
        self.args, self.defaults = signature_of(forward, self.name, args, tuple(rules))
        self.rules = {arg: rules[arg] for arg in self.args if arg in rules}
        self.needs = {arg: self._needs(arg, rule) for arg, rule in rules.items()}

    def __repr__(self) -> str:
        return f"<op {self.name}({', '.join(self.args)})>"

    def _needs(self, arg: str, rule: Any) -> tuple[str, ...]:
        """The names that a rule asks for, checked against what there is."""
        if arg not in self.args:
            raise ValueError(
                f"op {self.name}: expected rules for {', '.join(self.args)}, got one for {arg!r}; rename it"
            )
        needs = tuple(inspect.signature(rule).parameters) if callable(rule) else ()
        known = {"g", "out", *self.args, *(f"{name}_shape" for name in self.args)}
        if unknown := [need for need in needs if need not in known]:
            raise ValueError(
                f"op {self.name}: the rule for {arg} asks for {unknown[0]!r}; it can have g, out, "
                f"{', '.join(self.args)}, and the shape of each, such as {self.args[0]}_shape"
            )
        return needs

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the forward on the arrays; where there is something to differentiate, record a node."""
        if len(args) > len(self.args):
            raise TypeError(f"{self.name}: expected at most {len(self.args)} arguments, got {len(args)}")
        values, edges, tensors = [], {}, False
        for name, arg in zip(self.args, args, strict=False):
            if isinstance(arg, Tensor):
                tensors = True
                values.append(arg._data)
                if arg.edge is not None:
                    edges[name] = arg.edge
            elif isinstance(arg, (list, tuple)) and _has_tensor(arg):
                tensors = True
                values.append([_data(item) for item in arg])
                if (found := _edge(arg)) is not None:
                    edges[name] = found
            else:
                values.append(arg)
        if kwargs:
            kwargs, more = self._keywords(kwargs)
            edges |= more
        try:
            out = self.forward(*values, **kwargs)
        except ValueError as error:
            raise self._misfit(error, [*values, *kwargs.values()]) from error
        for value in values:
            if out is value:  # the result will be frozen, the argument must not be
                out = out.view()
        if edges and recording.get():
            return self.record(out, edges, {**self.defaults, **dict(zip(self.args, values, strict=False)), **kwargs})
        return wrap(out, None) if tensors or edges else out

    def record(self, out: Any, edges: dict[str, Any], values: dict[str, Any]) -> Tensor:
        """Wrap `out` as the result of a new node, which keeps just what the rules of its recorded inputs ask for."""
        saved: dict[str, Any] = {}
        out = np.asarray(out)
        for arg in tuple(edges):
            if arg not in self.rules:
                self._refuse_recorded(arg, edges[arg])
            if self.rules[arg] is None:
                del edges[arg]
                continue
            for need in self.needs[arg]:
                if need == "out":
                    saved[need] = out
                elif need in values:
                    saved[need] = values[need] if need in edges else frozen(values[need])
                elif need != "g":
                    saved[need] = _shape(values[need.removesuffix("_shape")])
        if self.reference is not None:
            saved.update({arg: value if arg in edges else frozen(value) for arg, value in values.items()})
        return wrap(out, Node(self, edges, saved, out.shape, out.dtype) if edges else None)

    def gradients(self, node: Node, g: Gradient, create_graph: bool) -> list[tuple[Edge, Gradient]]:
        """The gradient of each recorded input, given that of the result."""
        known = {**node.saved, "g": g}
        for arg, edge in node.edges.items():
            if arg in known:
                self._refuse_stale(node, arg, edge)
        if create_graph:
            edges = {**node.edges, "out": node}
            known = {name: _tensors(value, edges.get(name)) for name, value in known.items()}
            if self.reference is not None:
                return self._by_reference(node, g, known)
        elif type(g) is np.ndarray:
            g.setflags(write=False)
        found = []
        for arg, edge in node.edges.items():
            try:
                part = self.apply(arg, self.rules[arg], known)
            except (ValueError, TypeError, ArithmeticError, LookupError) as error:
                raise GradientError(f"{self.name}: the rule for {arg} failed: {error}; mend the rule") from error
            if isinstance(edge, tuple):  # the argument is a sequence, and so is what its rule returns
                pieces = zip(edge, part, strict=True)
                found += [(one, self.fit(piece, one, arg)) for one, piece in pieces if one is not None]
            else:
                found.append((edge, self.fit(part, edge, arg)))
        return found

    def apply(self, arg: str, rule: Any, saved: dict[str, Any]) -> Gradient:
        """The gradient of one argument, as its rule says."""
        return rule(*[saved[need] for need in self.needs[arg]])

    def fit(self, part: Any, edge: Edge, arg: str) -> Gradient:
        """A gradient has the shape and the dtype of the argument to which it belongs."""
        if getattr(part, "shape", None) != edge.shape or part.dtype.kind != "f":
            raise GradientError(
                f"{self.name}: expected the rule for {arg} to return floats of shape {edge.shape}, got "
                f"{type(part).__name__} of shape {np.shape(part)}, dtype {getattr(part, 'dtype', None)}; mend the rule"
            )
        return part if part.dtype == edge.dtype else cast(part, edge.dtype)

    def _by_reference(self, node: Node, g: Gradient, known: dict[str, Any]) -> list[tuple[Edge, Gradient]]:
        """Differentiate the same maths in ordinary operations: a fused rule need not have a derivative itself."""
        starts = {arg: alias(known[arg]) for arg in node.edges}
        given = {name: value for name, value in known.items() if name in self.args}
        out = self.reference(**{**given, **starts})  # type: ignore[misc]  # the caller has looked that there is one
        ends: Any = [start.edge for start in starts.values()]
        arrived = walk(out.edge, g, wrt=ends, retain_graph=True, create_graph=True)
        found = zip(node.edges.items(), ends, strict=True)
        return [(edge, self.fit(arrived[end], edge, arg)) for (arg, edge), end in found if end in arrived]

    def _keywords(self, kwargs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Keyword arguments as plain values, and the edges of those that are recorded."""
        for key, value in kwargs.items():
            if key in REFUSED and key not in self.rules and value is not None:
                if key == "out":
                    raise GradientError(f"{self.name}: expected no out= with Tensors; give the result a new name")
                raise TypeError(f"{self.name}: expected no {key}= on a Tensor, got {value!r:.60}; leave it out")
        edges = {key: edge for key, value in kwargs.items() if (edge := _edge(value)) is not None}
        return {key: _data(value) for key, value in kwargs.items()}, edges

    def _refuse_recorded(self, arg: str, edge: Any) -> None:
        raise GradientError(
            f"{self.name}: expected a plain value for {arg}, got a Tensor that requires gradients; "
            f"{arg} has no derivative here, give {arg}.detach()"
        )

    def _refuse_stale(self, node: Node, arg: str, edge: Edge) -> None:
        """A value that changed since the node was made must not be used: not it, and no view of it."""
        while isinstance(edge, Node) and edge.op is not None and edge.op.view and edge.edges:
            edge = next(iter(edge.edges.values()))
        if isinstance(edge, Leaf) and edge.changed > node.number:
            raise GradientError(
                f"backward: {self.name} needs the value that {arg}, of shape {edge.shape}, had in the forward pass, "
                "but an optimizer step or an assignment has overwritten it; call backward() before changing it"
            )

    def _misfit(self, error: ValueError, values: list[Any]) -> ValueError:
        if type(error) is not ValueError and not isinstance(error, np.exceptions.AxisError):
            return error
        shapes = ", ".join(str(np.shape(value)) for value in values if isinstance(value, np.ndarray))
        return ShapeError(
            f"{self.name}: expected arguments that fit the shapes, got arrays {shapes}; NumPy says: {error}"
        )


class Elementwise(Op):
    """An op that works entry by entry is its slopes; the engine does everything else.

    It multiplies by the gradient that comes in, sums over broadcast axes and casts. A slope that is not finite counts
    as 0 where that gradient is exactly 0: what a `where` did not choose cannot spoil what it chose. A rule that names
    `g` (an op that chooses) has done its own multiplication.
    """

    def apply(self, arg: str, rule: Any, saved: dict[str, Any]) -> Gradient:
        """Slope times gradient, guarded where that is not finite."""
        g, needs = saved["g"], self.needs[arg]
        if not callable(rule):
            return g if rule == 1 else g * rule if rule else np.zeros(g.shape, g.dtype)
        slope = rule(*[saved[need] for need in needs])
        if "g" in needs:
            return slope
        product = g * slope
        flat = product._data if isinstance(product, Tensor) else product
        if not math.isfinite(np.vdot(flat, flat)):  # an overflow of the square costs time, nothing else
            product = g * np.where((g == 0) & ~np.isfinite(slope), 0, slope)
        return product

    def fit(self, part: Any, edge: Edge, arg: str) -> Gradient:
        """Sum over the axes along which the argument was broadcast."""
        if part.shape != edge.shape:
            part = sum_to(part, edge.shape)
        return part if part.dtype == edge.dtype else cast(part, edge.dtype)


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
        return tuple(args.split()), {}
    try:
        parameters = inspect.signature(forward).parameters.values()
    except (TypeError, ValueError):
        raise ValueError(f"op {name}: its signature cannot be read; give the argument names, args='x y'") from None
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    return tuple(p.name for p in parameters), defaults


def op(
    forward: Callable[..., Any],
    /,
    *,
    name: str | None = None,
    args: str | None = None,
    reference: Callable[..., Any] | None = None,
    view: bool = False,
    **rules: Any,
) -> Op:
    """Register the rules of a function: `op(np.cumsum, a=lambda g, axis: …)`.

    Args:
        forward: the function, on arrays. From now on it also works on Tensors.
        name: for messages, where the function has none (a lambda).
        args: the argument names, where Python cannot read the signature.
        reference: the same maths in ordinary operations, for a fused function whose rules have no derivative.
        view: whether the result may share memory with the first argument.
        rules: by argument, a function of what it needs; None says that there is no derivative.

    Returns:
        The op: call it on arrays or Tensors. A NumPy function also finds it by itself: `np.cumsum(t)`.

    Raises:
        TypeError: `forward` cannot be called.
        ValueError: a rule for an argument that does not exist, or one that asks for a name that nobody knows.
    """
    made = Op(forward, rules, name=name, args=args, reference=reference, view=view)
    RULES.setdefault(forward, made)
    return made


def elementwise(
    forward: Callable[..., Any], /, *, name: str | None = None, args: str | None = None, **slopes: Any
) -> Elementwise:
    """Register a function that works entry by entry: `elementwise(np.multiply, x=lambda y: y, y=lambda x: x)`.

    A slope is a function of what it needs, or a number. For a ufunc the keywords name its inputs in order. See `op`.
    """
    made = Elementwise(forward, slopes, name=name, args=args)
    RULES.setdefault(forward, made)
    return made


def _has_tensor(values: Any) -> bool:
    return any(isinstance(value, Tensor) for value in values)


def _data(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and _has_tensor(value):
        return [_data(item) for item in value]
    return value._data if isinstance(value, Tensor) else value


def _edge(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and _has_tensor(value):
        edges = tuple([_edge(item) for item in value])
        return edges if any(edges) else None
    return value.edge if isinstance(value, Tensor) else None


def _shape(value: Any) -> Any:
    return [np.shape(item) for item in value] if isinstance(value, (list, tuple)) else np.shape(value)


def _tensors(value: Any, edge: Any) -> Any:
    """A saved value as it was in the forward pass: recorded again on the edge from which it came."""
    if isinstance(edge, tuple):
        return [_tensors(item, one) for item, one in zip(value, edge, strict=True)]
    return value if edge is None else wrap(value, edge)


def alias(value: Any) -> Tensor:
    """The same value as a node of its own, at which a walk can end."""
    data, edge = _data(value), _edge(value)
    data = np.asarray(data).view()
    return wrap(data, Node(IDENTITY, {"a": edge} if edge else {}, {}, data.shape, data.dtype))


def _sum_to(a: Any, shape: tuple[int, ...]) -> Any:
    """The sum of `a` over the axes along which `shape` was broadcast to its shape."""
    lead = a.ndim - len(shape)
    axes = (*range(lead), *(lead + i for i, side in enumerate(shape) if side == 1 and a.shape[lead + i] != 1))
    if axes == (0,) and a.ndim == 2:
        return row_sum(a).reshape(shape)
    return np.add.reduce(a, axis=axes, dtype=np.float64).astype(a.dtype).reshape(shape)


def row_sum(a: Any) -> Any:
    """The sum of the rows of a matrix, to 2e-6 in float32 at a million rows: blocks by BLAS, added in float64."""
    n, blocks = len(a), len(a) // BLOCK
    if n <= BLOCK or a.dtype == np.float64:
        return np.add.reduce(a, 0)
    whole = a[: blocks * BLOCK].reshape(blocks, BLOCK, a.shape[1])
    partial = (np.ones(BLOCK, a.dtype) @ whole).sum(0, dtype=np.float64)
    return (partial + np.ones(n - blocks * BLOCK, a.dtype) @ a[blocks * BLOCK :]).astype(a.dtype)


BLOCK = 128
sum_to = Op(_sum_to, {"a": lambda g, a_shape: np.broadcast_to(g, a_shape)}, name="sum_to")
cast = Op(lambda a, dtype: a.astype(dtype), {"a": lambda g: g}, name="cast", args="a dtype")
IDENTITY = Op(lambda a: a, {"a": lambda g: g}, name="identity", args="a", view=True)
