"""check_op: whether the rules of an op hold for every shape, both float types, and in second order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.engine.errors import GradientError
from minigrad.engine.op import Elementwise, Op
from minigrad.engine.tensor import Tensor
from minigrad.testing.gradcheck import GradCheck, gradcheck

Array = Any
DOMAINS = ((-1.5, 1.5), (0.2, 0.8), (1.2, 1.9))  # where a function is tried if nothing is said
SHAPES = ((), (1,), (3,), (2, 1), (2, 3), (2, 1, 3), (0,), (2, 0))


def check_op(
    op: Op, *inputs: Any, order: int = 2, rtol: float = 2e-9, rng: Any = 0, raises: bool = True, **parameters: Any
) -> GradCheck:
    """Hold every rule of an op against its forward, as `gradcheck` does, and against what the engine promises.

    For an elementwise op also on numbers, empty arrays, sides of 1, and each argument broadcast against the others.
    With float32 inputs result and gradients are float32 and agree with those in float64.

    Args:
        op: what `op` or `elementwise` returned.
        *inputs: arrays at which it is smooth; an elementwise op finds some by itself.
        order: 2 for the second derivatives too, 1 for an op without them.
        rtol: the largest relative error that passes.
        rng: a `numpy.random.Generator` or an int.
        raises: whether a failure is an error; else it is in the result.
        **parameters: further arguments of the op, by name.

    Returns:
        A GradCheck, with the largest error and its place.

    Raises:
        GradientError: a rule is wrong; the message has the place, both numbers, and a diagnosis.
        TypeError: `op` is no op, or one that needs inputs.
    """
    if not isinstance(op, Op):
        raise TypeError(f"check_op: expected an op, got {op!r:.60}; give what op(…) or elementwise(…) returned")
    generator = np.random.default_rng(rng)
    if not inputs and not isinstance(op, Elementwise):
        raise TypeError(f"check_op: expected inputs for {op.name}, got none; give arrays at which it is smooth")
    found = GradCheck(True, 0.0, "every slope agrees", 0)
    for arrays in [inputs] if inputs else _drawn(op, generator, parameters):
        where = f"inputs {', '.join(str(np.shape(x)) for x in arrays)}: "

        def call(*xs: Any) -> Any:
            return op(*xs, **parameters)

        try:
            checked = gradcheck(call, *arrays, order=order, rtol=rtol, rng=generator, raises=False)
            found = found.and_then(checked, where).and_then(_float32(call, arrays), where)
        except GradientError as error:  # the engine itself has found a fault
            found = found.and_then(GradCheck(False, np.inf, str(error), 0), where)
    if raises and not found:
        raise GradientError(f"check_op: {op.name}: {found.worst}")
    return found


def _drawn(op: Op, generator: Any, parameters: dict[str, Any]) -> Iterator[list[Array]]:
    """Arrays of every shape, in the first domain where the op is finite; then each argument broadcast."""
    count = len(op.rules)
    low, high = next((d for d in DOMAINS if _finite(op, [generator.uniform(*d, 50)] * count, parameters)), DOMAINS[0])
    for shape in SHAPES:
        yield [generator.uniform(low, high, shape) for _ in range(count)]
    for i in range(count if count > 1 else 0):
        for small in ((), (3,), (2, 1)):
            yield [generator.uniform(low, high, small if i == k else (2, 3)) for k in range(count)]


def _finite(op: Op, arrays: list[Array], parameters: dict[str, Any]) -> bool:
    with np.errstate(all="ignore"):
        return bool(np.isfinite(op(*arrays, **parameters)).all())


def _float32(call: Any, arrays: Any) -> GradCheck:
    """The same in float32: dtypes, and six digits."""
    results = []
    for dtype in (np.float64, np.float32):
        given = [Tensor(x, requires_grad=True, dtype=dtype) if np.asarray(x).dtype.kind == "f" else x for x in arrays]
        out = call(*given)
        out.backward(np.ones(out.shape, out.dtype))
        results.append([t.grad for t in given if isinstance(t, Tensor) and t.grad is not None])
        if any(t.dtype != dtype for t in (out, *results[-1])):
            dtypes = ", ".join(str(t.dtype) for t in (out, *results[-1]))
            return GradCheck(False, np.inf, f"{np.dtype(dtype)} in gives {dtypes} out (result and gradients)", 0)
    exact, single = ([t.data.astype(float) for t in grads] for grads in results)
    scale = max((float(np.abs(g).max(initial=0)) for g in exact), default=0.0)
    error = max((float(np.abs(a - b).max(initial=0)) for a, b in zip(exact, single)), default=0.0) / max(scale, 1e-12)
    said = "every slope agrees" if error < 1e-4 else f"gradients in float32 are off by {error:.2g} of their size"
    return GradCheck(error < 1e-4, 0.0, said, 0)
