"""Loss: a function of (pred, target) with one value per sample, and what it says of itself.

The function is plain NumPy. Everything that is the same for all losses (shapes, weights, masks, domains, reduction)
happens in `calling.py`; how a loss is found by name is in `registry.py`.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, overload

import numpy as np

from minigrad.engine.errors import PluginError
from minigrad.engine.tensor import Tensor
from minigrad.losses import calling
from minigrad.losses.kinds import CLAIMS, CLASSES, PRED, TARGET
from minigrad.losses.parameters import Parameter, declared, fitted

WORDS = ("pred", "target", "grad", "kinks", "claims", "heads", "link", "coupled")
OPTIONS = ("reduction", "class_weight")


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
        params: its parameters as declared.
        given: the parameters that differ from their defaults.
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
    where: str = ""
    params: Mapping[str, Parameter] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    owner: Owner | None = None
    text: str | None = None  # of a sum, which has no name of its own

    def __post_init__(self) -> None:
        for name in ("__doc__", "__module__"):  # so that help() and doctest read the function's
            object.__setattr__(self, name, getattr(self.function, name))
        object.__setattr__(self, "__wrapped__", self.function)

    # --- calling ---------------------------------------------------------------------------------------------------
    def __call__(
        self,
        pred: Any,
        target: Any = None,
        *,
        reduction: str | None = None,
        sample_weight: Any = None,
        mask: Any = None,
        class_weight: Any = None,
        **params: Any,
    ) -> Tensor:
        """The loss of a batch, in one number unless `reduction` says otherwise.

        Args:
            pred: predictions, a Tensor or an array, S or S + event axes where S is the batch's shape.
            target: what was to be predicted, in the kind that the loss declares; shapes must match exactly.
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
        loss = self.with_(**params) if params else self
        options = loss.options
        return calling.call(
            loss,
            pred,
            target,
            reduction=options.get("reduction", "mean") if reduction is None else reduction,
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
        start = Tensor(pred, requires_grad=True)
        value = self(start, target, **options)
        value.backward(np.ones_like(value.data))
        slope = start.grad
        return value.data[()], slope.data if slope is not None else np.zeros_like(start.data)

    def link(self, pred: Any) -> Any:
        """The prediction in the reader's units: probabilities, a rate; for `params` a dict by head."""
        if self.own_link is not None:
            return self.own_link(_plain(pred))
        link = np.exp if self.pred == "real" and self.target in ("count", "positive") else PRED[self.pred].link
        if link is None or (self.pred == "logit" and self.target == "sign"):
            raise TypeError(
                f"{self}: a prediction of kind {self.pred!r} has no link; read it as it is, or declare link="
            )
        return link(_plain(pred))

    def decide(self, pred: Any) -> Any:
        """Labels where targets are classes, else the link: what a metric compares with the targets."""
        values = _plain(pred)
        if self.target not in CLASSES or self.pred in ("params", "embedding", "real"):
            return self.link(values)
        if PRED[self.pred].events:
            return values.argmax(-1)
        upper = values > (0.5 if self.pred == "prob" else 0.0)
        return np.where(upper, 1, -1 if self.target == "sign" else 0)

    # --- parameters ------------------------------------------------------------------------------------------------
    def with_(self, **changes: Any) -> Loss:
        """The same loss with other parameters; it also binds `reduction` and `class_weight`.

        Raises:
            TypeError: no such parameter.
            DomainError: a value outside the domain of its parameter.
        """
        given, options = dict(self.given), dict(self.options)
        for name, value in changes.items():
            if name in OPTIONS:
                options[name] = calling.check_option(self, name, value)
            elif name in self.params:
                given[name] = self.params[name].check(self.full_name, value)
            else:
                raise TypeError(self._no_parameter(name))
        return replace(self, given=MappingProxyType(given), options=MappingProxyType(options))

    def _no_parameter(self, name: str) -> str:
        if name == "ignore_index":
            return f"{self}: no parameter 'ignore_index'; say mask=target != -100"
        near = difflib.get_close_matches(name, [*self.params, *OPTIONS, "sample_weight", "mask"], 1)
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
            if isinstance(value, fitted):
                raise ValueError(
                    f"{self.full_name}: expected {name}, got none; fit reads them from the training targets, here say "
                    f"{self.name}({name}=np.bincount(target))"
                )
        return values

    def fitted_to(self, target: Any) -> Loss:
        """The same loss, with every `fitted` parameter computed from these training targets."""
        unfitted = {
            n: p.default for n, p in self.params.items() if isinstance(p.default, fitted) and n not in self.given
        }
        return self.with_(**{name: rule.of_targets(_plain(target)) for name, rule in unfitted.items()})

    @property
    def learned(self) -> dict[str, Tensor]:
        """The parameters that an optimizer is to learn: those given as Tensors that require gradients."""
        return {n: value for n, value in self.given.items() if isinstance(value, Tensor) and value.requires_grad}

    # --- sums ------------------------------------------------------------------------------------------------------
    def __mul__(self, factor: float) -> Loss:
        return calling.combine([(factor, self)])

    __rmul__ = __mul__

    def __add__(self, other: Loss) -> Loss:
        if not isinstance(other, Loss):
            raise TypeError(f"{self} + …: expected a Loss, got {other!r:.60}; write 0.5 * mse + 0.5 * mae")
        return calling.combine([(1, self), (1, other)])

    def named(self, name: str) -> Loss:
        """The same loss under a name of its own, as a sum needs to be registered."""
        return replace(self, name=name, text=None)

    # --- identity --------------------------------------------------------------------------------------------------
    @property
    def full_name(self) -> str:
        """The name with its pack, unless built in."""
        pack = self.owner.pack if self.owner else "minigrad"
        return self.name if pack == "minigrad" else f"{pack}:{self.name}"

    def __str__(self) -> str:
        if self.text is not None:
            return self.text
        shown = ", ".join(f"{name}={_literal(value)}" for name, value in {**self.given, **self.options}.items())
        return f"{self.full_name}({shown})" if shown else self.full_name

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Loss) and self.function is other.function and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __reduce__(self) -> Any:
        from minigrad.losses import registry

        return registry.recipe(self)


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
    if function is None:
        return lambda f: _declare(f, words)
    return _declare(function, words)


def _declare(function: Callable[..., Any], words: dict[str, Any]) -> Loss:
    if (
        not inspect.isfunction(function)
        or inspect.iscoroutinefunction(function)
        or inspect.isgeneratorfunction(function)
    ):
        raise PluginError(
            f"@loss: expected a function (pred, target, *, ...), got {function!r:.80}; write def f(pred, target)"
        )
    code = function.__code__
    where = f"{Path(code.co_filename).name}:{code.co_firstlineno}"
    for word in words:
        if word not in WORDS:
            raise PluginError(f"{where}: no word {word!r} in @loss; it knows {', '.join(WORDS)}")
    _check_signature(function, where)
    claims = words.get("claims", ())
    claims = tuple(claims.split()) if isinstance(claims, str) else tuple(claims)
    for claim in claims:
        if claim not in CLAIMS:
            raise PluginError(f"{where}: claims={claim!r} is no claim; it knows {', '.join(CLAIMS)}")
    pred, target = (
        _kind("pred", words.get("pred", "real"), PRED, where),
        _kind("target", words.get("target", "real"), TARGET, where),
    )
    kinks = words.get("kinks")
    made = Loss(
        name=function.__name__,
        function=function,
        pred=pred,
        target=target,
        grad=words.get("grad"),
        kinks=(kinks,) if callable(kinks) else None if kinks is None else tuple(kinks),
        claims=claims,
        heads=tuple(words.get("heads", ())),
        own_link=words.get("link"),
        coupled=bool(words.get("coupled", False)),
        where=where,
        params=MappingProxyType(declared(function)),
    )
    for parameter in made.params.values():
        if not isinstance(parameter.default, fitted):
            parameter.check(f"{made.name} ({where})", parameter.default)
    return made


def _kind(word: str, value: Any, known: Mapping[str, Any], where: str) -> str:
    if value in known:
        return str(value)
    near = difflib.get_close_matches(str(value), known, 1)
    raise PluginError(
        f"{where}: {word}={value!r} is no kind; "
        + (f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(known)}")
    )


def _check_signature(function: Callable[..., Any], where: str) -> None:
    parameters = list(inspect.signature(function).parameters.values())
    names = [p.name for p in parameters]
    if len(names) < 2 or names[:2] != ["pred", "target"]:
        hint = "; minigrad passes the prediction first, unlike Keras and scikit-learn" if "y_true" in names[:1] else ""
        raise PluginError(
            f"{where}: expected a signature (pred, target, *, ...), got ({', '.join(names)})"
            + (hint or "; name the first two pred and target")
        )
    for p in parameters[2:]:
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            raise PluginError(f"{where}: expected named parameters, got {p}; write def f(pred, target, *, delta=1.0)")
        if p.kind is not p.KEYWORD_ONLY or p.default is p.empty:
            raise PluginError(
                f"{where}: expected {p.name!r} by keyword with a default; write def f(pred, target, *, {p.name}=1.0)"
            )
