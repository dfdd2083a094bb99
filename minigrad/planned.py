"""A planned step: what a training step of a plain chain comes to, laid out once as a list of NumPy calls.

For a chain of Linear modules and entrywise activations, a loss with a closed form and an optimizer, every step of `fit`
calls the same functions on arrays of the same shapes. A plan holds these calls with the buffers into which they write:
forward, loss, and the chain rule backward, straight into the buffer of gradients from which the optimizer takes its
step. They are the calls that the engine makes, in its order: parameters, state and history come out the same to the
last bit. What a plan cannot do it leaves to the engine, and so it does with a step in which something is not finite.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from minigrad.engine import debug
from minigrad.engine.fused import relu
from minigrad.engine.op import Elementwise
from minigrad.engine.sums import BLOCK, ones, row_sum
from minigrad.engine.tensor import RULES
from minigrad.losses import Loss
from minigrad.losses.calling import divisor_of
from minigrad.losses.evaluating import Call, mean_of
from minigrad.losses.guards import batch_shape
from minigrad.nn import Linear, Module, Sequential
from minigrad.optim import Flat, Optimizer

Array = Any
Calls = list[tuple[Any, tuple[Any, ...]]]  # functions and what they are given, the buffer of the result last


class Planner:
    """The plans of a run, one for each size of a batch; none where the run is not of the kind described above."""

    def __init__(self, model: Module, loss: Loss, optimizer: Optimizer) -> None:
        self.loss, self.optimizer = loss, optimizer
        self.chain = chain_of(model)
        flats = [flat for flats in optimizer.flats for flat in flats]
        self.possible = bool(self.chain) and len(flats) == 1 and _is_plain(loss) and self._fits(flats[0])
        self.plans: dict[tuple[int, ...], Plan] = {}

    def _fits(self, flat: Flat) -> bool:
        """Whether the optimizer learns just the parameters of the chain, each of them once, and nobody listens."""
        own = [
            p for layer in self.chain if isinstance(layer, Linear) for p in (layer.weight, layer.bias) if p is not None
        ]
        once = len({id(p) for p in own}) == len(own)
        quiet = not any(p.edge is None or p.edge.hooks for p in own)
        return once and quiet and {id(p) for p in own} == {id(p) for p in flat.params}

    def step(self, x: Array, target: Array | None) -> float | None:
        """Take a step and return the loss before it; None if the engine must, and nothing has changed."""
        if not self.possible or x.ndim != 2 or debug.watching.get():
            return None
        plan = self.plans.get(x.shape)
        if plan is None:
            plan = self.plans[x.shape] = Plan(self.chain, self.loss, self.optimizer.flats[0][0], x)
        value = plan.gradients(x, target)
        if value is not None:
            (flat,), group = self.optimizer.flats[0], self.optimizer.groups[0]
            self.optimizer.take([(flat, list(range(len(flat.params))), group)])
        return value


def chain_of(model: Module) -> list[Any]:
    """The Linear modules and entrywise ops of a chain in their order; empty if it is none, or has other members."""
    chain: list[Any] = []
    if not isinstance(model, Sequential) or type(model).forward is not Sequential.forward or not _is_unchanged(model):
        return []
    for layer in model.layers:
        forward = type(layer).__dict__.get("forward")
        if not _is_unchanged(layer):
            return []
        if type(layer) is Linear:
            chain.append(layer)
        elif isinstance(forward, staticmethod) and _is_entrywise(op := RULES.get(forward.__func__, forward.__func__)):
            chain.append(op)
        else:
            return []
    return chain if chain and isinstance(chain[0], Linear) else []


def _is_unchanged(module: Module) -> bool:
    return type(module).__call__ is Module.__call__ and "forward" not in vars(module)


def _is_entrywise(op: Any) -> bool:
    """Whether this is an op of one argument, which a slope of its input or output differentiates."""
    return isinstance(op, Elementwise) and len(op.args) == 1 and set(op.needs[op.args[0]]) <= {op.args[0], "out"}


def _is_plain(loss: Loss) -> bool:
    """Whether a call of the loss is arithmetic alone: a closed form, and no check that asks each prediction anew."""
    simple = loss.grad is not None and not loss.coupled and not loss.learned
    return simple and loss.pred in ("real", "logit", "logits") and loss.options.get("class_weight") is None


class Plan:
    """The calls of a step for batches of one shape.

    Attributes:
        first: the buffer of x @ weight of the first module; the batch is read by this product and by its gradient only.
        forward, backward: all other calls, each a function with its arguments.
        output, slope: the buffers of the output and of its gradient.
    """

    def __init__(self, chain: list[Any], loss: Loss, flat: Flat, x: Array) -> None:
        self.loss, self.flat, self.params = loss, flat, loss.values
        self.forward: Calls = []
        self.backward: Calls = []
        self.views = {
            id(p): pair for p, *pair in zip(flat.params, flat.views(flat.data), flat.views(flat.grads), strict=True)
        }
        self.first, self.first_slope = self._buffers(x, chain[0])
        self.weight, self.weight_slope = self.views[id(chain[0].weight)]
        a, g = self.first, self.first_slope
        self._bias(chain[0], a, g)
        for before, part in pairwise(chain):
            if isinstance(part, Linear):
                a, g = self._linear(part, a, g)
            elif part is relu and isinstance(before, Linear):
                self._relu(a, g)
            else:
                a, g = self._entrywise(part, a, g)
        self.backward.reverse()
        self.output, self.slope = a.view(), g
        self.output.flags.writeable = False  # the loss may only read it
        self.batch = batch_shape(loss, a.shape)
        self.divisor = divisor_of(loss.options.get("reduction", "mean"), math.prod(self.batch), None, self.batch) or 1.0

    def _buffers(self, x: Array, layer: Linear) -> tuple[Array, Array]:
        shape = len(x), layer.weight.shape[1]
        return np.empty(shape, x.dtype), np.empty(shape, x.dtype)

    def _linear(self, layer: Linear, a: Array, g: Array) -> tuple[Array, Array]:
        """A product and its bias; behind it the three gradients, the last of which goes on."""
        out, g_out = self._buffers(a, layer)
        weight, weight_slope = self.views[id(layer.weight)]
        self.forward.append((a.dot, (weight, out)))
        self.backward += [(g_out.dot, (weight.T, g)), (a.T.dot, (g_out, weight_slope))]
        self._bias(layer, out, g_out)
        return out, g_out

    def _bias(self, layer: Linear, out: Array, g_out: Array) -> None:
        if layer.bias is not None:
            bias, bias_slope = self.views[id(layer.bias)]
            self.forward.append((np.add, (out, bias, out)))
            short, n = len(out) <= BLOCK, len(out)
            self.backward.append(
                (ones(n, out.dtype).dot, (g_out, bias_slope)) if short else (_row_sum, (g_out, bias_slope))
            )

    def _relu(self, a: Array, g: Array) -> None:
        """In place, for nobody else reads the sum before it: where the output is positive, so was the input."""
        mask, zero = np.empty(a.shape, bool), np.zeros((), a.dtype)
        self.forward.append((_relu, (a, zero)))
        self.backward += [(np.multiply, (g, mask, g)), (np.greater, (a, zero, mask))]

    def _entrywise(self, op: Elementwise, a: Array, g: Array) -> tuple[Array, Array]:
        """An activation f, and g·f′ behind it: the gradient stays in its buffer."""
        out = np.empty_like(a)
        known = {op.args[0]: a, "out": out}
        self.forward.append((_applied, (op.forward, a, out)))
        rule, needs = op.rules[op.args[0]], [known[need] for need in op.needs[op.args[0]]]
        self.backward.append((_times_slope, (rule, needs, g)))
        return out, g

    def gradients(self, x: Array, target: Array | None) -> float | None:
        """Fill the buffer of gradients and return the loss; None if something is not finite."""
        x.dot(self.weight, self.first)
        for function, given in self.forward:
            function(*given)
        call = Call(self.loss, self.params, target, self.batch, None, self.divisor, None)
        total = call.summed(self.output, 1.0, self.slope)
        value = float(
            self.slope.dtype.type(mean_of(total, self.divisor, lambda over: call.summed(self.output, over, None)))
        )
        if not math.isfinite(value):
            return None
        for function, given in self.backward:
            function(*given)
        x.T.dot(self.first_slope, self.weight_slope)
        grads = self.flat.grads
        return value if math.isfinite(grads.dot(grads)) else None


def _applied(function: Any, a: Array, out: Array) -> None:
    out[...] = function(a)


def _row_sum(g: Array, out: Array) -> None:
    out[...] = row_sum(g)


def _relu(a: Array, zero: Array) -> None:
    np.maximum(a, zero, out=a)


def _times_slope(rule: Any, known: list[Array], g: Array) -> None:
    np.multiply(g, rule(*known), out=g)
