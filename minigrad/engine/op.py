"""Op: a function with a rule for each argument that has a derivative.

A rule is keyed by the argument that it differentiates, and its own argument names say what a node must keep for it:
`g` (the gradient that comes in), an input, `out`, a parameter such as `axis`, or only the shape of an input,
`x_shape`. Rules are plain NumPy. In an ordinary backward they get ndarrays; under `create_graph` they get Tensors, and
because NumPy's functions record themselves on Tensors, the same rule yields the derivative of the derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from minigrad.engine import debug, declaring, guards
from minigrad.engine.graph import Array, Edge, Gradient, Leaf, Node, recording, source, walk
from minigrad.engine.sums import sum_over
from minigrad.engine.tensor import RULES, SEQUENCES, Tensor, wrap
from minigrad.engine.values import data_of, edge_of, entries, has_tensor, kept, recorded_again, shape_of

Made = TypeVar("Made", bound="Op")
OWN: set[Any] = set()  # the functions that minigrad itself has rules for


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
        self.name = self.__name__ = declaring.name_of(forward, name)
        self.__doc__ = forward.__doc__
        self.forward, self.reference, self.view = forward, reference, view
        self.args, self.defaults = declaring.signature_of(forward, self.name, args, tuple(rules))
        self.rules = rules
        self.safe = next((i for i, arg in enumerate(self.args) if arg in guards.REFUSED), len(self.args))
        self.needs = {arg: declaring.needs_of(rule, arg, self) for arg, rule in rules.items() if rule is not None}
        self.keeps: dict[int, list[tuple[str, int, bool]]] = {}  # by which inputs are recorded, as binary digits
        self.constant = [i for i, arg in enumerate(self.args) if arg not in self.needs]
        self.is_ufunc = isinstance(forward, np.ufunc)

    def __repr__(self) -> str:
        return f"<op {self.name}({', '.join(self.args)})>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the forward on the arrays; where there is something to differentiate, record a node."""
        count = len(args)
        if kwargs or count > self.safe:
            guards.check_arguments(self, args, kwargs)
        if count < len(self.args):
            args = self._completed(args, kwargs)
        values, edges, tensors, inner = [], [], False, ()
        for arg in args:
            if isinstance(arg, Tensor):
                tensors = True
                values.append(arg._data)
                edges.append(arg.edge)
            elif type(arg) in SEQUENCES and has_tensor(arg):
                tensors = True
                values.append(inner := data_of(arg))
                edges.append(edge_of(arg))
            else:
                values.append(entries(arg) if type(arg) in SEQUENCES and isinstance(self, Elementwise) else arg)
                edges.append(None)
        for key in kwargs:
            kwargs[key] = data_of(kwargs[key])
        try:
            out = self.forward(*values[:count], **kwargs)
        except (ValueError, TypeError, IndexError) as error:
            guards.explain(error, self, values[:count], kwargs)
            raise
        if not tensors:
            return out
        if not (self.is_ufunc and type(out) is np.ndarray and out.dtype.char in "fd"):
            out = self._owned(out, [*values, *inner] if inner else values)
        recorded = any(edges)
        if recorded and recording.get():
            result = self.record(out, edges, values)
        else:
            result = wrap(out, None)
            if recorded:
                debug.cut(f"{self.name} under no_grad")
        if debug.watching.get():
            debug.look(self, dict(zip(self.args, values)), result)
        return result

    def _completed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """A value for every argument, in order: as given by place or name, or else its default."""
        return (*args, *[kwargs.get(arg, self.defaults.get(arg)) for arg in self.args[len(args) :]])

    def _owned(self, out: Any, values: list[Any]) -> Array:
        """The result as an array that shares no memory with an input, unless the op is said to be a view."""
        if type(out) is np.float64 or type(out) is np.float32:
            return np.asarray(out)
        if type(out) is not np.ndarray or out.dtype.char not in "fd":
            out = declaring.result_of(self, out)
        base: Any = out.base
        for value in values:
            if value is out or (base is not None and (value is base or getattr(value, "base", None) is base)):
                out = out.copy() if not self.view else out.view() if value is out else out
                break
        return out  # type: ignore[no-any-return]

    def record(self, out: Array, edges: list[Any], values: list[Any]) -> Tensor:
        """Wrap `out` as the result of a new node, which keeps just what the rules of its recorded inputs ask for."""
        for i in self.constant:
            if edges[i] is not None:
                guards.check_constant(self, self.args[i])
                edges[i] = None
        which = 0
        for edge in edges:
            which = 2 * which + (edge is not None)
        if not which:
            return wrap(out, None)
        if out.dtype.kind != "f":
            raise declaring.no_floats(self, out)
        if which not in self.keeps:
            recorded = [arg for arg, edge in zip(self.args, edges) if edge is not None]
            self.keeps[which] = declaring.keeps_of(self, recorded)
        saved: dict[str, Any] = {}
        for need, i, is_shape in self.keeps[which]:
            saved[need] = out if i < 0 else shape_of(values[i]) if is_shape else kept(values[i], edges[i])
        return wrap(out, Node(self, tuple(edges), saved, out.shape, out.dtype))

    def gradients(self, node: Node, g: Gradient, create_graph: bool) -> list[tuple[Edge, Gradient]]:
        """The gradient of each recorded input, given that of the result."""
        saved = node.saved
        if create_graph:
            edges = dict(zip(self.args, node.edges), out=node)
            saved = {name: recorded_again(value, edges.get(name)) for name, value in saved.items()}
            if self.reference is not None:
                return self._by_reference(node, g, saved)
        elif type(g) is np.ndarray:
            g.setflags(False)  # type: ignore[call-arg]  # half the time of write=False
        found = []
        for arg, edge in zip(self.args, node.edges):
            if edge is None:
                continue
            if arg in saved and (type(edge) is not Node or (edge.op is not None and edge.op.view)):
                self._check_fresh(node, arg, edge)
            try:
                part = self.apply(arg, g, saved)
                if type(part) is np.ndarray and part.dtype is edge.dtype and part.shape == edge.shape:
                    found.append((edge, part))
                elif isinstance(edge, tuple):  # the argument is a sequence, and so is what its rule returns
                    pieces = zip(edge, part, strict=True)
                    found += [(one, self.fit(piece, one, arg, node)) for one, piece in pieces if one is not None]
                else:
                    found.append((edge, self.fit(part, edge, arg, node)))
            except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
                raise declaring.broken_rule(self, arg, error) from error
        return found

    def apply(self, arg: str, g: Gradient, saved: dict[str, Any]) -> Gradient:
        """The gradient of one argument, as its rule says."""
        given = [g if need == "g" else saved[need] for need in self.needs[arg]]
        part = self.rules[arg](*given)
        for value in given:
            if part is value and part is not g:
                return part + 0  # a saved array belongs to somebody else
        return part

    def fit(self, part: Any, edge: Edge, arg: str, node: Node) -> Gradient:
        """A gradient has the shape and the dtype of the argument to which it belongs."""
        if getattr(part, "shape", None) != edge.shape or part.dtype.kind != "f":
            raise declaring.wrong_part(self, arg, part, edge.shape)
        return part if part.dtype == edge.dtype else part.astype(edge.dtype)

    def _by_reference(self, node: Node, g: Gradient, saved: dict[str, Any]) -> list[tuple[Edge, Gradient]]:
        """Differentiate the same maths in ordinary operations: a fused rule need not have a derivative itself."""
        ends = {arg: edge for arg, edge in zip(self.args, node.edges) if edge is not None}
        starts = {}
        for arg, edge in ends.items():
            self._check_fresh(node, arg, edge)
            starts[arg] = alias(saved[arg])
        given = {name: value for name, value in saved.items() if name in self.args}
        out = self.reference(**{**given, **starts})  # type: ignore[misc]  # the caller has looked that there is one
        wrt: Any = {arg: start.edge for arg, start in starts.items()}
        arrived = walk(out.edge, g, wrt=wrt.values(), retain_graph=True, create_graph=True)
        found = [(arg, edge, arrived.get(wrt[arg])) for arg, edge in ends.items()]
        return [(edge, self.fit(part, edge, arg, node)) for arg, edge, part in found if part is not None]

    def _check_fresh(self, node: Node, arg: str, edge: Any) -> None:
        """A value that changed since the node was made must not be used: not it, and no view of it."""
        for one in edge if isinstance(edge, tuple) else (edge,):
            leaf = source(one)
            if isinstance(leaf, Leaf) and leaf.changed > node.number:
                raise guards.stale(self, arg, leaf)


class Elementwise(Op):
    """An op that works entry by entry is its slopes; the engine does everything else.

    It multiplies by the gradient that comes in, sums over broadcast axes and casts. A slope may be a number, or a mask:
    the gradient goes through where it is True. A rule that names `g` has done its own multiplication.
    """

    def apply(self, arg: str, g: Gradient, saved: dict[str, Any]) -> Gradient:
        """Slope times gradient.

        Where that is not finite, a slope that is not finite counts as 0 if the gradient is exactly 0, and a mask lets
        nothing through that it does not choose: what a `where` left out cannot spoil what it chose.
        """
        rule, needs = self.rules[arg], self.needs[arg]
        if not callable(rule):
            return g if rule == 1 else g * rule if rule else np.zeros(g.shape, g.dtype)
        if "g" in needs:
            return rule(*map((saved | {"g": g}).get, needs))
        slope = rule(saved[needs[0]]) if len(needs) == 1 else rule(*map(saved.get, needs))
        if type(slope) is float and math.isfinite(slope):
            return g * slope
        if type(slope) is not np.ndarray and isinstance(slope, (list, tuple)):
            raise declaring.wrong_part(self, arg, slope, g.shape)
        product = g * slope
        flat = (product._data if isinstance(product, Tensor) else product).ravel()
        if math.isfinite(flat.dot(flat)):  # an overflow of the square costs time, nothing else
            return product
        if getattr(slope, "dtype", None) == np.bool_:
            return np.where(slope, g, 0)
        return g * np.where((g == 0) & ~np.isfinite(slope), 0, slope)

    def fit(self, part: Any, edge: Edge, arg: str, node: Node) -> Gradient:
        """Sum over the axes along which the argument was broadcast."""
        shape = getattr(part, "shape", None)
        if shape != edge.shape:
            if shape != node.shape:
                raise declaring.wrong_part(self, arg, part, node.shape)
            part = sum_to(part, edge.shape) if isinstance(part, Tensor) else sum_over(part, edge.shape)
        return part if part.dtype == edge.dtype else super().fit(part, edge, arg, node)


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
        args: the argument names, where Python cannot read the signature: "arrays axis=0".
        reference: the same maths in ordinary operations, for a fused function whose rules have no derivative.
        view: whether the result may share memory with the first argument.
        rules: by argument, a function of what it needs; None says that there is no derivative.

    Returns:
        The op: call it on arrays or Tensors. A NumPy function also finds it by itself: `np.cumsum(t)`.

    Raises:
        TypeError: `forward` cannot be called.
        ValueError: a rule for an argument that does not exist, or one that asks for a name that nobody knows, or for a
            function that minigrad itself has rules for.
    """
    return _registered(Op(forward, rules, name=name, args=args, reference=reference, view=view))


def elementwise(
    forward: Callable[..., Any], /, *, name: str | None = None, args: str | None = None, **slopes: Any
) -> Elementwise:
    """Register a function that works entry by entry: `elementwise(np.multiply, x=lambda y: y, y=lambda x: x)`.

    A slope is a function of what it needs, or a number. For a ufunc the keywords name its inputs in order. See `op`.
    """
    return _registered(Elementwise(forward, slopes, name=name, args=args))


def _registered(made: Made) -> Made:
    if made.forward in OWN:
        raise declaring.taken(made)
    RULES.setdefault(made.forward, made)
    return made


def alias(value: Any) -> Tensor:
    """The same value as a node of its own, at which a walk can end."""
    data, edge = data_of(value), edge_of(value)
    data = np.asarray(data).view()
    return wrap(data, Node(identity, (edge,), {}, data.shape, data.dtype))


sum_to = Op(sum_over, {"a": lambda g, a_shape: np.broadcast_to(g, a_shape)}, name="sum_to")
cast = Op(lambda a, to: a.astype(to), {"a": lambda g: g}, name="cast")
identity = Op(lambda a: a, {"a": lambda g: g}, name="identity", view=True)
