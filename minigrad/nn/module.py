"""Module: an object whose attributes are tensors and other modules, and whose `forward` uses them.

Nothing is registered. A tensor that requires gradients is a parameter because it is an attribute, a list, tuple or dict
of them included; its name is the path to it, "layers.0.weight". In the same way a module draws from the generators that
are its attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from minigrad.engine.errors import CheckpointError
from minigrad.engine.graph import Leaf
from minigrad.engine.habits import DEVICES, tell
from minigrad.engine.tensor import Tensor

Array = Any
SHOWN = 20  # mismatches that one message names
HERE = {  # what people who come from elsewhere ask of a module
    "fit": "write minigrad.fit(model, (x, y), loss='mse')", "predict": "write model(x)",
    "evaluate": "write minigrad.evaluate(model, (x, y), loss='mse')",
    "save": "write minigrad.save('model.npz', model)", "load": "write minigrad.load('model.npz', model)",
    "zero_grad": "write optimizer.zero_grad()", "modules": "write model.named_modules()",
    "children": "write model.named_modules()", "named_children": "write model.named_modules()",
    "weights": "write model.parameters()", "trainable_variables": "write model.parameters()",
    "get_weights": "write model.state_dict()", "set_weights": "write model.load_state_dict(state)",
    "register_parameter": "write model.name = Tensor(array, requires_grad=True)",
    "register_buffer": "write model.name = Tensor(array)", "add_module": "write model.name = module", **DEVICES,
}  # fmt: skip


def _unwritten(self: Module, *args: Any, **kwargs: Any) -> Any:
    name = type(self).__name__
    raise NotImplementedError(f"{name}: expected a method forward, got none; write def forward(self, x) in {name}")


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
    forward: Callable[..., Any] = _unwritten
    _chain = False  # whether it applies its `layers` one after the other

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The output of `forward`."""
        return self.forward(*args, **kwargs)

    # --- what is inside --------------------------------------------------------------------------------------------
    def _held(self) -> Iterator[tuple[str, Tensor | Module]]:
        """Tensors and modules among the attributes, with the entries of lists as "name.0", of dicts as "name.key"."""
        for name, value in vars(self).items():
            yield from _opened(name, value)

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

    # --- state -----------------------------------------------------------------------------------------------------
    def _by_path(self) -> dict[str, Tensor]:
        """The tensors of the state."""
        tensors = list(self._tensors())
        found = dict(tensors)
        if len(found) < len(tensors):
            path = next(path for i, (path, _) in enumerate(tensors) if path in dict(tensors[:i]))
            raise ValueError(
                f"{type(self).__name__}: expected one tensor by each path, got two by {path!r}; rename a key"
            )
        return found

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters and constant tensors, by path."""
        return {path: t.data.copy() for path, t in self._by_path().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Overwrite every tensor with the array of its path.

        Raises:
            CheckpointError: an array is missing, unknown, or of another shape or dtype. It names all that is wrong, and
                nothing has been loaded.
            TypeError: the state is no dict.
        """
        for t, array in self._matched(state):
            t.data = array

    def _matched(self, state: dict[str, Any]) -> list[tuple[Tensor, Array]]:
        """Each tensor with the array that fits it, or an error that names all that do not fit."""
        where = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state, dict):
            raise TypeError(f"{where}: expected a dict of arrays by path, got {type(state).__name__}; see state_dict()")
        own = self._by_path()
        given = {path: value.data if isinstance(value, Tensor) else np.asarray(value) for path, value in state.items()}
        wrong = [f"{path} is missing" for path in own if path not in given]
        wrong += [f"{path} is unknown here" for path in given if path not in own]
        for path in (path for path in own if path in given):
            mine, new = own[path].data, given[path]
            if (mine.shape, mine.dtype) != (new.shape, new.dtype):
                wrong.append(f"{path} is {new.shape} {new.dtype} instead of {mine.shape} {mine.dtype}")
        if wrong:
            more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
            raise CheckpointError(
                f"{where}: expected {len(own)} arrays that fit, got: {'; '.join(wrong[:SHOWN])}{more}; nothing was "
                "loaded: build the model as it was when it was saved"
            )
        return [(t, given[path]) for path, t in own.items()]

    # --- modes -----------------------------------------------------------------------------------------------------
    def train(self, training: bool = True) -> Self:
        """Say to this module and all below that it is being trained; returns itself."""
        for _, module in self.named_modules():
            module.training = training
        return self

    def eval(self) -> Self:
        """Say to this module and all below that it is being used; returns itself."""
        return self.train(False)

    def reseed(self, *key: int) -> int:
        """Start anew every generator that a module below holds as an attribute, from (key, place).

        What is drawn afterwards depends on nothing that was drawn before: `fit` says (run, epoch, step) before each
        step, so that a run can be continued in the middle of an epoch.

        Args:
            *key: integers ≥ 0.

        Returns:
            How many generators there are: none to reseed, none to ask again.
        """
        places = [(m, name) for _, m in self.named_modules() for name, v in vars(m).items() if isinstance(v, _Rng)]
        for i, (module, name) in enumerate(places):
            setattr(module, name, np.random.default_rng((*key, i)))
        return len(places)

    # --- for people ------------------------------------------------------------------------------------------------
    def summary(self) -> str:
        """A table: each module with the shapes and the number of its parameters; what is held twice counts once."""
        names, seen, rows, total = labels(self), set[int](), [], 0
        for path, module in self.named_modules():
            held = [(name, item) for name, item in module._held() if id(item) not in seen]
            own = [(name, t) for name, t in held if isinstance(t, Tensor) and isinstance(t.edge, Leaf)]
            seen.update(id(t) for _, t in own)
            if own or path in names:
                shapes, count = ", ".join(f"{name} {t.shape}" for name, t in own), sum(t.size for _, t in own)
                rows.append((names.get(path, path) or type(self).__name__, shapes, f"{count:,}" if own else ""))
                total += count
        rows.append(("total", "", f"{total:,}"))
        a, b, c = (max(map(len, column)) for column in zip(*rows, strict=True))
        return "\n".join(f"{row[0]:<{a}}  {row[1]:<{b}}  {row[2]:>{c}}".rstrip() for row in rows)

    def __repr__(self) -> str:
        inside = [f"  {name}: {repr(value).replace(chr(10), chr(10) + '  ')}" for name, value in self._held()]
        return f"{type(self).__name__}()" if not inside else "\n".join([f"{type(self).__name__}(", *inside, ")"])


tell(Module, HERE)
_Rng = np.random.Generator


def _opened(name: str, value: Any) -> Iterator[tuple[str, Tensor | Module]]:
    """Tensors and modules in the value of an attribute: itself, or in lists, tuples and dicts, one in the other."""
    if isinstance(value, (Tensor, Module)):
        yield name, value
    elif isinstance(value, (list, tuple, dict)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _opened(f"{name}.{key}", item)


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
        in_chain = model._chain and all(part == "layers" or part.isdigit() for part in path.split("."))
        found[path] = f"{kind} {counts[kind]}" if in_chain else path
    return found
