"""A loss under examination: its values and slopes on plain arrays, one per unit.

A unit is a sample; of a loss that couples the batch it is a batch, and arrays have one more axis in front. What the
author's functions raise, or return in the wrong shape, becomes a LossFailed: everything else is a fault of the kit.
"""

from __future__ import annotations

import decimal
import gc
import io
import itertools
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.engine.graph import recording
from minigrad.engine.tensor import Tensor
from minigrad.losses.kinds import PRED
from minigrad.losses.parameters import fitted

if TYPE_CHECKING:
    from minigrad.losses import Loss

Array = Any


class LossFailed(Exception):
    """The loss raised, or returned what no loss returns."""


@dataclass(frozen=True)
class Subject:
    """A loss at fixed parameters, asked on plain arrays.

    Attributes:
        loss: the loss, without options, every fitted parameter fitted.
    """

    loss: Loss

    @cached_property
    def by_engine(self) -> Loss:
        """The loss without its closed form: its slopes come from differentiating its function."""
        return replace(self.loss, grad=None)

    @property
    def events(self) -> int:
        """How many axes of a prediction belong to one sample."""
        return PRED[self.loss.pred].events + (self.loss.pred == "embedding" and bool(self.loss.heads))

    # --- values ----------------------------------------------------------------------------------------------------
    def values(self, pred: Array, target: Array) -> Array:
        """One value per unit, shape (m,), straight from the function: no guard, so that steps may leave the domain."""
        if self.loss.coupled:
            return np.array([self._of_batch(*unit) for unit in self._units(pred, target)])
        return self.summed(asked(self.loss.function, frozen(pred), frozen(target), **self.loss.values), pred)

    def summed(self, values: Any, pred: Array) -> Array:
        """Values of one sample each, event axes summed."""
        shape = getattr(values, "shape", None)
        if shape == pred.shape[: pred.ndim - self.events]:
            return values
        if shape == pred.shape:
            return values.sum(tuple(range(pred.ndim - self.events, pred.ndim)))
        got = type(values).__name__ if shape is None else f"shape {shape}"
        raise LossFailed(f"one value per sample, ({len(pred)},), is expected; got {got}")

    def _of_batch(self, pred: Array, target: Array) -> float:
        return float(asked(self.loss, frozen(pred), frozen(target)).item())

    # --- slopes ----------------------------------------------------------------------------------------------------
    def slopes(self, pred: Array, target: Array) -> Array:
        """d(value)/d(pred) of each unit, by the closed form if there is one."""
        return self._slopes(self.loss, pred, target)

    def recorded(self, pred: Array, target: Array) -> Array:
        """d(value)/d(pred) of each unit, by the engine through the function."""
        return self._slopes(self.by_engine, pred, target)

    def _slopes(self, loss: Loss, pred: Array, target: Array) -> Array:
        if self.loss.coupled:
            found = [asked(loss.value_and_grad, frozen(p), frozen(t))[1] for p, t in self._units(pred, target)]
            return np.stack(found)
        return asked(loss.value_and_grad, frozen(pred), frozen(target), reduction="none")[1]

    def _units(self, pred: Array, target: Array) -> Iterator[tuple[Array, Array]]:
        return zip(pred, itertools.repeat(None) if target is None else target, strict=False)


def asked(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a function of the author returns, or LossFailed."""
    try:
        return function(*args, **kwargs)
    except (Exception, SystemExit) as error:
        raise LossFailed(reason(error)) from error


def reason(error: BaseException) -> str:
    """What an exception says, in one line, and its first cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {error}".strip(": ")


def frozen(array: Array) -> Array:
    """A view that cannot be written."""
    if not isinstance(array, np.ndarray):
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def norms(slopes: Array) -> Array:
    """The Euclidean norm of each unit's slope; of huge entries too."""
    flat = np.abs(slopes.reshape(len(slopes), -1))
    top = flat.max(-1, initial=0)
    scale = np.where((top > 0) & (top < np.inf), top, 1)
    return np.sqrt(((flat / scale[:, None]) ** 2).sum(-1)) * scale


def at_defaults(loss: Loss, target: Array) -> Loss:
    """The loss at its default parameters, where its claims hold."""
    if not loss.given:
        return loss
    return prepared(replace(loss, given={}), target)


def prepared(loss: Loss, target: Array) -> Loss:
    """The loss without options, on plain numbers: fitted parameters computed from these targets, learned ones taken."""
    bare = settled(replace(loss, options={}))
    unfit = any(isinstance(p.default, fitted) and n not in bare.given for n, p in bare.params.items()) or bare.parts
    if not unfit or target is None:
        return bare
    return asked(bare.fitted_to, target)  # type: ignore[no-any-return]


def settled(loss: Loss) -> Loss:
    """The loss with the present values of learned parameters; of one number per column, the first one."""
    if loss.parts and loss.learned:
        return loss._of_parts(settled)
    plain = {name: _plain(value, loss) for name, value in loss.given.items()}
    return loss.with_(**{name: value for name, value in plain.items() if value is not loss.given[name]})


def _plain(value: Any, loss: Loss) -> Any:
    if isinstance(value, Tensor):
        return value.item() if value.data.size == 1 else value.data.astype(np.float32)  # is float32 beside float32
    by_column = isinstance(value, np.ndarray) and value.ndim == 1 and loss.pred in ("real", "logit", "prob")
    return value.flat[0].item() if by_column and value.size else value


@contextmanager
def undisturbed() -> Iterator[None]:
    """Whatever a loss changes outside itself is put back at the end; prints, warnings and NumPy are silent."""
    legacy = np.random.get_state()  # noqa: NPY002 # the global state is what a loss must leave alone
    own, limit, environ = random.getstate(), sys.getrecursionlimit(), dict(os.environ)
    shown, folder, path, mode = np.get_printoptions(), os.getcwd(), list(sys.path), recording.get()
    collecting, places = gc.isenabled(), decimal.getcontext().copy()
    try:
        quiet = io.StringIO()
        with warnings.catch_warnings(), np.errstate(all="ignore"), redirect_stdout(quiet), redirect_stderr(quiet):
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(legacy)  # noqa: NPY002
        random.setstate(own)
        sys.setrecursionlimit(limit)
        np.set_printoptions(**shown)
        os.chdir(folder)
        sys.path[:] = path
        recording.set(mode)
        decimal.setcontext(places)
        (gc.enable if collecting else gc.disable)()
        for name in os.environ.keys() - environ.keys():
            del os.environ[name]
        os.environ.update(environ)


def as_tensor(pred: Array) -> Tensor:
    """A prediction that asks for its gradient."""
    return Tensor(pred, requires_grad=True)
