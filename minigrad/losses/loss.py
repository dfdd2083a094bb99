"""Loss: a function of (pred, target) with one value per sample, and what it says of itself.

The function is plain NumPy. Everything that is the same for all losses (shapes, weights, masks, domains, reduction)
happens in `calling.py`; how a loss is found by name is in `registry.py`.
"""

from __future__ import annotations

import difflib
import html
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, overload

import numpy as np

from minigrad.engine.graph import recording
from minigrad.engine.tensor import Tensor
from minigrad.losses import calling, guards
from minigrad.losses.declaring import place_of, words_of
from minigrad.losses.kinds import CLASSES, PRED
from minigrad.losses.parameters import Parameter, fitted
from minigrad.losses.sums import combine

OPTIONS = ("reduction", "class_weight")
AS_BOUND = "as bound, or mean"  # None would say "none" to some readers and "mean" to others: it is refused


@dataclass(frozen=True)
class Owner:
    """Who offers a loss: the pack, and the distribution that holds it."""

    pack: str
    distribution: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip() or self.pack


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss: call it with (pred, target), derive others from it, ask what it is. Made by `@loss`, immutable.

    Attributes:
        name: the name of its function.
        function: `(pred, target, *, …)` to one value per sample, in plain NumPy.
        pred: the kind of prediction, see `kinds.py`.
        target: the kind of target.
        grad: closed form of d(value of a sample)/d(pred of that sample), or None.
        kinks: functions that vanish where the slope jumps; `()` for none, None for unknown.
        claims: properties that it promises to have at its default parameters.
        heads: names along the axis of a `params` or `embedding` prediction.
        coupled: whether the samples of a batch depend on each other.
        takes_weight: whether the function of a coupled loss has a parameter `sample_weight`.
        params: its parameters as declared.
        given: the parameters that differ from their defaults.
        parts: of a sum, its factors and losses.
    """

    name: str
    function: Callable[..., Any]
    pred: str = "real"
    target: str = "real"
    grad: Callable[..., Any] | None = None
    kinks: tuple[Callable[..., Any], ...] | None = None
    claims: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    own_link: Callable[..., Any] | None = None
    coupled: bool = False
    takes_weight: bool = False
    where: str = ""
    params: Mapping[str, Parameter] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    owner: Owner | None = None
    text: str | None = None  # of a sum, which has no name of its own
    parts: tuple[tuple[float, Loss], ...] = ()
    told: tuple[str, str] | None = None  # a docstring of its own, and the module in which it was written

    def __post_init__(self) -> None:
        names = ("__doc__", "__module__")  # so that help() and doctest read the function's
        for name, value in zip(names, self.told or (getattr(self.function, name) for name in names)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "__wrapped__", self.function)

    # --- calling ---------------------------------------------------------------------------------------------------
    def __call__(
        self,
        pred: Any,
        target: Any = None,
        *extra: Any,
        reduction: str = AS_BOUND,
        sample_weight: Any = None,
        mask: Any = None,
        class_weight: Any = None,
        **params: Any,
    ) -> Tensor:
        """The loss of a batch, in one number unless `reduction` says otherwise.

        Args:
            pred: predictions, a Tensor or an array, S or S + event axes where S is the batch's shape.
            target: what was to be predicted, in the kind that the loss declares; shapes must match exactly.
            *extra: nothing; all that follows goes by keyword.
            reduction: "mean" (Σ wL / n, the default), "weighted_mean" (Σ wL / Σ w), "sum" or "none" (shape S).
            sample_weight: ≥ 0, one per row or of shape S.
            mask: True where a row (or entry of S) is used; what it leaves out never enters arithmetic.
            class_weight: one number per class, or a dict with every class; only where targets are classes.
            **params: parameters for this call alone, as in `with_`.

        Returns:
            A Tensor of the dtype of `pred`.

        Raises:
            ShapeError, DTypeError, LabelError, DomainError: arguments that do not fit, each with the place and a cure.
            GradientError: the target requires gradients and the prediction does not.
        """
        guards.check_keywords(self, extra)
        loss = self.with_(**params) if params else self
        options = loss.options
        with np.errstate(all="ignore"):  # what overflows is inf, and shows
            return calling.call(
                loss,
                pred,
                target,
                reduction=options.get("reduction", "mean") if reduction is AS_BOUND else reduction,
                sample_weight=sample_weight,
                mask=mask,
                class_weight=options.get("class_weight") if class_weight is None else class_weight,
            )

    def value_and_grad(self, pred: Any, target: Any = None, **options: Any) -> tuple[Any, Any]:
        """The value and d(value)/d(pred), on plain arrays, with the options of a call.

        Returns:
            (value, gradient): a number and an array of the shape of `pred`; with reduction="none" one value per
            sample, and the gradient of each sample's own value.
        """
        start = Tensor(guards.as_pred(self, pred).data, requires_grad=True)
        mode = recording.set(True)
        try:
            value = self(start, target, **options)
            value.backward(np.ones_like(value.data))
        finally:
            recording.reset(mode)
        slope = start.grad
        return value.data[()], slope.data if slope is not None else np.zeros_like(start.data)

    def link(self, pred: Any) -> Any:
        """The prediction in the reader's units: probabilities, a rate; for `params` a dict by head.

        Raises:
            TypeError: a prediction of this kind has no other units, such as an embedding.
        """
        values = self._read(pred)
        if self.own_link is not None:
            return self.own_link(values)
        link = np.exp if self.pred == "real" and self.target in ("count", "positive") else PRED[self.pred].link
        if link is None or (self.pred == "logit" and self.target == "sign"):
            raise TypeError(
                f"{self}: expected a prediction with a link, got one of kind {self.pred!r}; read it as it is"
            )
        return link(values)

    def decide(self, pred: Any) -> Any:
        """Labels where targets are classes, else the link: what a metric compares with the targets.

        Of scores and log-probabilities the first largest entry; a score above 0 or a probability above ½ is class 1.
        """
        if self.target not in CLASSES or self.pred not in guards.SCORED:
            return self.link(pred)
        values = self._read(pred)
        if PRED[self.pred].events:
            return values.argmax(-1)
        upper = values > (0.5 if self.pred == "prob" else 0.0)
        return np.where(upper, 1, -1 if self.target == "sign" else 0)

    def _read(self, pred: Any) -> Any:
        """The prediction as an array that a call would accept."""
        values = guards.as_pred(self, pred).data
        guards.batch_shape(self, values.shape)
        guards.check_pred(self, values)
        return values

    # --- parameters ------------------------------------------------------------------------------------------------
    def with_(self, /, **changes: Any) -> Loss:
        """The same loss with other parameters; it also binds `reduction` and `class_weight`.

        Raises:
            TypeError: no such parameter.
            DomainError: a value outside the domain of its parameter.
        """
        given, options = dict(self.given), dict(self.options)
        for name, value in changes.items():
            if name in OPTIONS:
                options[name] = guards.check_option(self, name, value)
            elif name in self.params:
                given[name] = self.params[name].check(self.full_name, value)
            else:
                raise TypeError(self._no_parameter(name))
        return replace(self, given=MappingProxyType(given), options=MappingProxyType(options))

    def _no_parameter(self, name: str) -> str:
        if name == "ignore_index":
            return f"{self}: no parameter 'ignore_index'; say mask=target != -100"
        weight = ["class_weight"] if guards.has_class_weight(self) else ["sample_weight"]
        near = weight if name in ("weight", "weights") else []
        near = near or difflib.get_close_matches(name, [*self.params, "reduction", *weight, "sample_weight", "mask"], 1)
        known = ", ".join(self.params) or "none"
        return f"{self.name}: no parameter {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"it has {known}")

    @property
    def values(self) -> dict[str, Any]:
        """All parameters with their values.

        Raises:
            ValueError: one of them is fitted to training targets, and nobody has done so.
        """
        values = {name: self.given.get(name, parameter.default) for name, parameter in self.params.items()}
        for name, value in values.items():
            if isinstance(value, Tensor) and value.edge is None:
                values[name] = value.data
            if isinstance(value, fitted):
                raise ValueError(
                    f"{self.full_name}: expected {name}, got none; fit reads them from the training targets, here say "
                    f"{self.name}({name}=np.bincount(target))"
                )
        return values

    def fitted_to(self, target: Any) -> Loss:
        """The same loss, with every `fitted` parameter computed from these training targets."""
        if self.parts:
            return self._of_parts(lambda part: part.fitted_to(target))
        unfitted = {
            n: p.default for n, p in self.params.items() if isinstance(p.default, fitted) and n not in self.given
        }
        return self.with_(**{name: rule.of_targets(_plain(target)) for name, rule in unfitted.items()})

    @property
    def learned(self) -> dict[str, Tensor]:
        """The parameters that an optimizer is to learn: those given as Tensors that require gradients."""
        own = {n: value for n, value in self.given.items() if isinstance(value, Tensor) and value.requires_grad}
        return own | {f"{i}.{n}": t for i, (_, part) in enumerate(self.parts) for n, t in part.learned.items()}

    def fresh(self) -> Loss:
        """The same loss with learned parameters of its own: new leaves that start from the same values."""
        if self.parts:
            return self._of_parts(lambda part: part.fresh())
        return self.with_(**{name: Tensor(t.data, requires_grad=True) for name, t in self.learned.items()})

    # --- sums ------------------------------------------------------------------------------------------------------
    def __mul__(self, factor: float) -> Loss:
        return combine([(factor, self)])

    __rmul__ = __mul__

    def __add__(self, other: Loss) -> Loss:
        if not isinstance(other, Loss):
            raise TypeError(f"{self} + …: expected a Loss, got {other!r:.60}; write 0.5 * mse + 0.5 * mae")
        return combine([(1, self), (1, other)])

    def __radd__(self, other: Any) -> Loss:
        return self if isinstance(other, int) and other == 0 else self + other  # sum() starts with 0

    def __truediv__(self, divisor: float) -> Loss:
        raise TypeError(f"{self} / {divisor!r:.60}: expected a product; write 0.5 * {self}")

    def named(self, name: str, doc: str = "") -> Loss:
        """The same loss under a name of its own, which a sum needs to be registered; `doc` is its docstring."""
        told = (doc, sys._getframe(1).f_globals.get("__name__", "")) if doc else self.told
        return replace(self, name=name, text=None, told=told)

    def _of_parts(self, changed: Callable[[Loss], Loss]) -> Loss:
        """The same sum, of changed parts."""
        made = combine([(a, changed(part)) for a, part in self.parts])
        name, text = (made.name, made.text) if self.text is not None else (self.name, None)
        return replace(made, name=name, text=text, options=self.options, owner=self.owner, told=self.told)

    # --- identity --------------------------------------------------------------------------------------------------
    @property
    def full_name(self) -> str:
        """The name with its pack, unless built in."""
        pack = self.owner.pack if self.owner else "minigrad"
        return self.name if pack == "minigrad" else f"{pack}:{self.name}"

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={_literal(value)}" for name, value in {**self.given, **self.options}.items())
        if self.text is not None:
            return f"({self.text})({shown})" if shown else self.text
        return f"{self.full_name}({shown})" if shown else self.full_name

    __repr__ = __str__

    def describe(self) -> str:
        """What this loss is, in a few lines: its kinds and owner, how it is differentiated, its docstring."""
        pack = self.owner.pack if self.owner else "here"
        owner = {"minigrad": "built in", "here": f"from {self.where}"}.get(pack, f"from {self.owner}")
        form = "closed form" if self.grad is not None else "differentiated by the engine"
        claims = f", claims {' '.join(self.claims)}" if self.claims else ""
        head = "   ".join(filter(None, [str(self), f"{self.pred} ← {self.target}", owner]))
        return f"{head}\n{form}{claims}\n\n{inspect.cleandoc(self.__doc__ or 'no docstring')}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.describe())}</pre>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Loss):
            return NotImplemented
        return (self.parts or self.function) == (other.parts or other.function) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __reduce__(self) -> Any:
        from minigrad.losses import pickling

        return pickling.recipe(self)


def _plain(value: Any) -> Any:
    return value.data if isinstance(value, Tensor) else np.asarray(value)


def _literal(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"Tensor({value.data.tolist()})"
    return repr(value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value)


@overload
def loss(function: Callable[..., Any], /) -> Loss: ...
@overload
def loss(**words: Any) -> Callable[[Callable[..., Any]], Loss]: ...
def loss(function: Callable[..., Any] | None = None, /, **words: Any) -> Any:
    """Make a Loss of a function `(pred, target, *, name=default, …)` that returns one value per sample.

    Args:
        function: the function, written in plain NumPy.
        **words: what it says of itself: pred, target (kinds), grad (closed form), kinks, claims, heads, link, coupled.

    Returns:
        A Loss; with words alone, a decorator.

    Raises:
        PluginError: a signature or a word that the contract does not know, with file and line.
    """
    return (lambda f: _declare(f, words)) if function is None else _declare(function, words)


def _declare(function: Callable[..., Any], words: dict[str, Any]) -> Loss:
    where = place_of(function)
    return Loss(name=function.__name__, function=function, where=where, **words_of(function, words, where))
