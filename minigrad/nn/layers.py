"""The modules that networks are made of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from minigrad.engine.errors import ShapeError
from minigrad.engine.tensor import Tensor
from minigrad.nn.arguments import Rng, asked, float_type, generator, known, number, size
from minigrad.nn.initial import INITS
from minigrad.nn.module import Module
from minigrad.ops import elu, gelu, leaky_relu, linear, log_softmax, relu, sigmoid, silu, softmax, softplus


def _widths(where: str, x: Any, width: int) -> None:
    """Refuse an input whose last axis has another width."""
    shape = x.shape if isinstance(x, (Tensor, np.ndarray)) else np.shape(x)
    if shape[-1:] != (width,):
        cure = f"give {where} the width of its input" if shape else "give an array of numbers"
        cure = "x.reshape(-1, 1) is one column" if width == 1 and shape else cure
        raise ShapeError(f"{where}: expected x (..., {width}), got {shape}; {cure}")


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

    @asked("Linear(64, 10, rng=0)")
    def __init__(
        self, inputs: int, outputs: int, *, bias: bool = True, init: str = "he", rng: Rng, dtype: Any = np.float32
    ) -> None:
        n, m, dtype = size("Linear", inputs), size("Linear", outputs), float_type("Linear", dtype)
        draw = known("Linear", "init", init, INITS)
        self.weight = Tensor(draw(generator("Linear", rng), n, m).astype(dtype), requires_grad=True)
        self.bias = Tensor(np.zeros(m, dtype), requires_grad=True) if bias else None

    def forward(self, x: Any) -> Any:
        """The result, for any leading axes."""
        _widths("Linear", x, self.weight.shape[0])
        return linear(x, self.weight, self.bias)

    def __repr__(self) -> str:
        n, m = self.weight.shape
        return f"Linear({n}, {m})" if self.bias is not None else f"Linear({n}, {m}, bias=False)"


class LayerNorm(Module):
    """(x − μ)/√(σ² + ε) · weight + bias, with mean μ and variance σ² of each row.

    x (..., width), weight and bias (width,), result as x. The weight starts at 1, the bias at 0.

    Args:
        width: of the last axis of x.
        eps: ε > 0, so that a constant row gives the bias and finite gradients.
        dtype: float32 or float64.

    Ba, Kiros, Hinton 2016, arXiv:1607.06450.
    """

    def __init__(self, width: int, *, eps: float = 1e-5, dtype: Any = np.float32) -> None:
        n, dtype = size("LayerNorm", width), float_type("LayerNorm", dtype)
        self.eps = number("LayerNorm", "eps", eps, "> 0 and finite", lambda v: 0 < v < np.inf)
        self.weight = Tensor(np.ones(n, dtype), requires_grad=True)
        self.bias = Tensor(np.zeros(n, dtype), requires_grad=True)

    def forward(self, x: Any) -> Any:
        """The rows, each shifted and scaled."""
        _widths("LayerNorm", x, self.weight.shape[0])
        c = x - np.mean(x, -1, keepdims=True)
        return c / np.sqrt(np.mean(c * c, -1, keepdims=True) + self.eps) * self.weight + self.bias

    def __repr__(self) -> str:
        return f"LayerNorm({self.weight.size})"


class Dropout(Module):
    """While training each entry is 0 with chance p, else x/(1 − p): the mean stays. In use it is x.

    Args:
        p: the chance, in [0, 1).
        rng: a numpy.random.Generator, or an int that starts one. `fit` restarts it at every step, see `Module.reseed`.

    Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014, JMLR 15, 1929-1958.
    """

    def __init__(self, p: float = 0.5, *, rng: Rng) -> None:
        self.p = number("Dropout", "p", p, "in [0, 1)", lambda v: 0 <= v < 1)
        self.rng = generator("Dropout", rng)

    def forward(self, x: Any) -> Any:
        """The entries that are left, made larger; all of them in use."""
        if not self.training or self.p == 0:
            return x
        dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
        scale = (self.rng.random(x.shape, np.float32) >= self.p) * dtype.type(1 / (1 - self.p))
        scale.setflags(write=False)  # so that the graph keeps it as it is
        return x * scale

    def __repr__(self) -> str:
        return f"Dropout({self.p})"


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


class GELU(Module):
    """x·Φ(x) with the normal distribution Φ; smooth, and negative between −∞ and 0."""

    forward = staticmethod(gelu)


class SiLU(Module):
    """x·σ(x), also called swish."""

    forward = staticmethod(silu)


class LeakyReLU(Module):
    """x above 0, αx below: no unit is ever dead.

    Args:
        alpha: the slope below 0, and at 0.
    """

    def __init__(self, alpha: float = 0.01) -> None:
        self.alpha = number("LeakyReLU", "alpha", alpha, "> 0 and finite", lambda v: 0 < v < math.inf)

    def forward(self, x: Any) -> Any:
        """Entry by entry."""
        return leaky_relu(x, self.alpha)

    def __repr__(self) -> str:
        return f"LeakyReLU({self.alpha:g})"


class ELU(Module):
    """x above 0, α(e^x − 1) below: units that are off say −α, and their slope fades.

    Args:
        alpha: the slope at 0; smooth there for 1.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = number("ELU", "alpha", alpha, "> 0 and finite", lambda v: 0 < v < math.inf)

    def forward(self, x: Any) -> Any:
        """Entry by entry."""
        return elu(x, self.alpha)

    def __repr__(self) -> str:
        return f"ELU({self.alpha:g})"


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
    "gelu": GELU,
    "silu": SiLU,
    "leaky_relu": LeakyReLU,
    "elu": ELU,
    "softmax": Softmax,
    "log_softmax": LogSoftmax,
}


class Sequential(Module):
    """f_L(… f₂(f₁(x))): a chain of modules, in `layers`; a slice of it is a chain of the same modules."""

    _chain = True

    def __init__(self, *layers: Module) -> None:
        for layer in layers:
            if not isinstance(layer, Module):
                write = "Sequential(*layers)" if isinstance(layer, (list, tuple)) else "Sequential(Softplus(), Tanh())"
                raise TypeError(f"Sequential: expected modules, got {layer!r:.60}; write {write}")
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

    def __getitem__(self, i: Any) -> Any:
        return Sequential(*self.layers[i]) if isinstance(i, slice) else self.layers[i]


class MLP(Sequential):
    """Linear, activation, Linear, …, Linear: a network of the given widths that ends in raw outputs.

    Args:
        *sizes: widths from input to output, at least two.
        activation: a name of `ACTIVATIONS`, such as "relu", "tanh" or "gelu", between the linear modules.
        output: a further activation at the end, such as "sigmoid"; None for raw outputs, as most losses read them.
        init: of the weights, see `Linear`. "he" suits relu and its kin, "lecun" tanh and sigmoid.
        rng: a numpy.random.Generator, or an int that starts one; the layers draw from it in order.
        dtype: float32 or float64.
    """

    @asked("MLP(64, 64, 10, rng=0)")
    def __init__(
        self, *sizes: int, activation: str = "relu", output: str | None = None, init: str = "he", rng: Rng = 0,
        dtype: Any = np.float32,
    ) -> None:  # fmt: skip
        widths = [size("MLP", width) for width in sizes]
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
