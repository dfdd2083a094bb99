"""Networks: a module is an object whose attributes are tensors and other modules, and whose `forward` uses them.

Nothing is registered. A tensor that requires gradients is a parameter because it is an attribute; its name is the path
to it, "layers.0.weight".
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Self

import numpy as np

from minigrad.engine.errors import CheckpointError, DTypeError, ShapeError
from minigrad.engine.graph import Leaf
from minigrad.engine.tensor import Tensor
from minigrad.ops import linear, log_softmax, relu, sigmoid, softmax, softplus

Array = Any
Rng = np.random.Generator | int


class Module:
    """A function with parameters: write `forward`, and hold tensors, modules, or lists of them as attributes.

    ```python
    class Residual(Module):
        def __init__(self, width, *, rng):
            self.inner = Linear(width, width, rng=rng)

        def forward(self, x):
            return x + np.tanh(self.inner(x))
    ```
    """

    training = True
    forward: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The output of `forward`."""
        return self.forward(*args, **kwargs)

    def _held(self) -> Iterator[tuple[str, Tensor | Module]]:
        """Tensors and modules among the attributes, with the entries of lists as "name.0", "name.1", …."""
        for name, value in vars(self).items():
            if isinstance(value, (Tensor, Module)):
                yield name, value
            elif isinstance(value, (list, tuple)):
                for i, item in enumerate(value):
                    if isinstance(item, (Tensor, Module)):
                        yield f"{name}.{i}", item

    def _below(self, path: str, seen: set[int]) -> Iterator[tuple[str, Tensor | Module]]:
        """This module and all that it holds, each once, by path, in the order of the attributes."""
        seen.add(id(self))
        yield path, self
        prefix = path and f"{path}."
        for name, value in self._held():
            if id(value) in seen:
                continue
            if isinstance(value, Module):
                yield from value._below(prefix + name, seen)
            else:
                seen.add(id(value))
                yield prefix + name, value

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module (path "") and all below, by path."""
        return ((path, item) for path, item in self._below("", set()) if isinstance(item, Module))

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """All tensors below that are to be learned, by path; one that is held twice comes once."""
        return ((path, t) for path, t in self._tensors() if isinstance(t.edge, Leaf))

    def parameters(self) -> list[Tensor]:
        """All tensors below that are to be learned."""
        return [t for _, t in self.named_parameters()]

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Parameters, and the tensors that are held as constants (a frozen weight)."""
        tensors = ((path, t) for path, t in self._below("", set()) if isinstance(t, Tensor))
        return ((path, t) for path, t in tensors if t.edge is None or isinstance(t.edge, Leaf))

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters and constant tensors, by path."""
        return {path: t.data.copy() for path, t in self._tensors()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Overwrite every tensor with the array of its path.

        Raises:
            CheckpointError: an array is missing, unknown, or of another shape or dtype. It names all that is wrong, and
                nothing has been loaded.
        """
        own = dict(self._tensors())
        given = {path: value.data if isinstance(value, Tensor) else np.asarray(value) for path, value in state.items()}
        wrong = [f"{path} is missing" for path in own if path not in given]
        wrong += [f"{path} is unknown here" for path in given if path not in own]
        for path in own.keys() & given.keys():
            mine, new = own[path].data, given[path]
            if (mine.shape, mine.dtype) != (new.shape, new.dtype):
                wrong.append(f"{path} is {new.shape} {new.dtype} instead of {mine.shape} {mine.dtype}")
        if wrong:
            raise CheckpointError(
                f"{type(self).__name__}.load_state_dict: expected {len(own)} arrays that fit, got: "
                f"{'; '.join(sorted(wrong))}; nothing was loaded"
            )
        for path, t in own.items():
            t.data = given[path]

    def train(self, training: bool = True) -> Self:
        """Say to this module and all below that it is being trained; returns itself."""
        for _, module in self.named_modules():
            module.training = training
        return self

    def eval(self) -> Self:
        """Say to this module and all below that it is being used; returns itself."""
        return self.train(False)

    def __repr__(self) -> str:
        inside = [f"  {name}: {repr(value).replace(chr(10), chr(10) + '  ')}" for name, value in self._held()]
        return f"{type(self).__name__}()" if not inside else "\n".join([f"{type(self).__name__}(", *inside, ")"])


# --- initialisation ---------------------------------------------------------------------------------------------------
def _orthogonal(rng: np.random.Generator, rows: int, columns: int) -> Array:
    long, short = max(rows, columns), min(rows, columns)
    q, r = np.linalg.qr(rng.standard_normal((long, short)))
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)  # else the signs would be LAPACK's choice, not uniform
    return q if rows >= columns else q.T


INITS: dict[str, Callable[[np.random.Generator, int, int], Array]] = {
    "he": lambda rng, n, m: rng.standard_normal((n, m)) * math.sqrt(2 / n),
    "glorot": lambda rng, n, m: rng.standard_normal((n, m)) * math.sqrt(2 / (n + m)),
    "lecun": lambda rng, n, m: rng.standard_normal((n, m)) * math.sqrt(1 / n),
    "orthogonal": _orthogonal,
}
"""Draws of a weight (in, out), in float64.

he: N(0, 2/in), for ReLU (He et al. 2015, arXiv:1502.01852). glorot: N(0, 2/(in + out)) (Glorot, Bengio 2010). lecun:
N(0, 1/in), for tanh and sigmoid (LeCun et al. 1998, Efficient BackProp). orthogonal: orthonormal rows or columns,
uniformly distributed (Saxe et al. 2013, arXiv:1312.6120).
"""


def known(where: str, what: str, name: Any, names: Any) -> Any:
    """The entry of a table, or a ValueError with the nearest name."""
    if isinstance(name, str) and name in names:
        return names[name]
    near = difflib.get_close_matches(str(name), names, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{where}: expected {what} one of {', '.join(names)}, got {name!r:.60}{hint}")


def generator(where: str, rng: Rng) -> np.random.Generator:
    """The generator that `rng` is, or starts."""
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, (int, np.integer)):
        raise TypeError(f"{where}: expected rng, an int or a numpy.random.Generator, got {rng!r:.60}; say rng=0")
    if rng < 0:
        raise ValueError(f"{where}: expected rng ≥ 0, got {rng}")
    return np.random.default_rng(int(rng))


def _size(where: str, size: Any) -> int:
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)):
        raise TypeError(f"{where}: expected sizes that are integers, got {size!r:.60}; write {where}(64, 10, rng=0)")
    if size < 1:
        raise ValueError(f"{where}: expected sizes ≥ 1, got {size}")
    return int(size)


# --- modules ----------------------------------------------------------------------------------------------------------
class Linear(Module):
    """x @ weight + bias.

    x (..., in), weight (in, out), bias (out,), result (..., out). The bias starts at 0.

    Args:
        inputs: width of x.
        outputs: width of the result.
        bias: whether there is one.
        init: "he", "glorot", "lecun" or "orthogonal", see `INITS`.
        rng: a numpy.random.Generator, or an int that starts one.
        dtype: float32 or float64. Draws are made in float64, so both hold the same numbers, rounded.
    """

    def __init__(
        self, inputs: int, outputs: int, *, bias: bool = True, init: str = "he", rng: Rng, dtype: Any = np.float32
    ) -> None:
        n, m = _size("Linear", inputs), _size("Linear", outputs)
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise DTypeError(f"Linear: expected dtype float32 or float64, got {np.dtype(dtype)}")
        draw = known("Linear", "init", init, INITS)
        self.weight = Tensor(draw(generator("Linear", rng), n, m).astype(dtype), requires_grad=True)
        self.bias = Tensor(np.zeros(m, dtype), requires_grad=True) if bias else None

    def forward(self, x: Any) -> Any:
        """The result, for any leading axes."""
        width, shape = self.weight.shape[0], x.shape if isinstance(x, (Tensor, np.ndarray)) else np.shape(x)
        if shape[-1:] != (width,):
            cure = "x.reshape(-1, 1) is one column" if width == 1 else "give the first layer the width of the data"
            raise ShapeError(f"Linear: expected x (..., {width}), got {shape}; {cure}")
        return linear(x, self.weight, self.bias)

    def __repr__(self) -> str:
        n, m = self.weight.shape
        return f"Linear({n}, {m})" if self.bias is not None else f"Linear({n}, {m}, bias=False)"


class ReLU(Module):
    """max(x, 0); slope 0 at 0."""

    forward = staticmethod(relu)


class Tanh(Module):
    """tanh x, slope 1 − tanh² x."""

    forward = staticmethod(np.tanh)


class Sigmoid(Module):
    """1/(1 + e^−x), slope σ(x)σ(−x)."""

    forward = staticmethod(sigmoid)


class Softplus(Module):
    """ln(1 + e^x), slope σ(x)."""

    forward = staticmethod(softplus)


class Softmax(Module):
    """e^z / Σ e^z along the last axis."""

    forward = staticmethod(softmax)


class LogSoftmax(Module):
    """z − ln Σ e^z along the last axis."""

    forward = staticmethod(log_softmax)


ACTIVATIONS: dict[str, type[Module]] = {
    "relu": ReLU,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
    "softplus": Softplus,
    "softmax": Softmax,
    "log_softmax": LogSoftmax,
}


class Sequential(Module):
    """f_L(… f₂(f₁(x))): a chain of modules, in `layers`."""

    def __init__(self, *layers: Module) -> None:
        for layer in layers:
            if not isinstance(layer, Module):
                raise TypeError(
                    f"Sequential: expected modules, got {layer!r:.60}; write Sequential(Softplus(), Tanh())"
                )
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        """Each module applied to what the one before returned."""
        for layer in self.layers:
            x = layer(x)
        return x

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, i: int) -> Module:
        return self.layers[i]

    def summary(self) -> str:
        """A table: each module with the shapes and the number of its parameters."""
        named = list(self.named_parameters())
        rows = []
        for path, label in labels(self).items():
            own = [(name.removeprefix(f"{path}."), t) for name, t in named if name.startswith(f"{path}.")]
            shapes = ", ".join(f"{name} {t.shape}" for name, t in own)
            rows.append((label, shapes, f"{sum(t.size for _, t in own):,}" if own else ""))
        rows.append(("total", "", f"{sum(t.size for _, t in named):,}"))
        a, b, c = (max(map(len, column)) for column in zip(*rows, strict=True))
        return "\n".join(f"{row[0]:<{a}}  {row[1]:<{b}}  {row[2]:>{c}}".rstrip() for row in rows)


class MLP(Sequential):
    """Linear, activation, Linear, …, Linear: a network of the given widths that ends in raw outputs.

    Args:
        *sizes: widths from input to output, at least two.
        activation: "relu", "tanh", "sigmoid" or "softplus", between the linear modules.
        output: a further activation at the end, such as "sigmoid"; None for raw outputs, as most losses read them.
        init: of the weights, see `Linear`. "he" suits relu, "lecun" tanh and sigmoid.
        rng: a numpy.random.Generator, or an int that starts one; the layers draw from it in order.
        dtype: float32 or float64.
    """

    def __init__(
        self, *sizes: int, activation: str = "relu", output: str | None = None, init: str = "he", rng: Rng = 0,
        dtype: Any = np.float32,
    ) -> None:  # fmt: skip
        widths = [_size("MLP", size) for size in sizes]
        if len(widths) < 2:
            raise ValueError(f"MLP: expected at least two sizes, from input to output, got {sizes}; write MLP(64, 10)")
        between = known("MLP", "activation", activation, ACTIVATIONS)
        end = None if output is None else known("MLP", "output", output, ACTIVATIONS)
        known("MLP", "init", init, INITS)
        rng = generator("MLP", rng)
        layers: list[Module] = []
        for n, m in pairwise(widths):
            layers += [Linear(n, m, init=init, rng=rng, dtype=dtype), between()]
        super().__init__(*layers[:-1], *([end()] if end else []))
        self._words = f"activation={activation!r}" + (f", output={output!r}" if output else "")
        self._widths = widths

    def __repr__(self) -> str:
        return f"MLP({', '.join(map(str, self._widths))}, {self._words})"


def labels(model: Module) -> dict[str, str]:
    """Names for people of the modules that hold no others: by path, "linear 1", "tanh 1", "linear 2" in a chain.

    What is no part of a chain keeps its path.
    """
    counts: dict[str, int] = {}
    found = {}
    for path, module in model.named_modules():
        if any(isinstance(item, Module) for _, item in module._held()):
            continue
        kind = type(module).__name__.lower()
        counts[kind] = counts.get(kind, 0) + 1
        in_chain = isinstance(model, Sequential) and all(part == "layers" or part.isdigit() for part in path.split("."))
        found[path] = f"{kind} {counts[kind]}" if in_chain else path
    return found
