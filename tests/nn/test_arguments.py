"""Calls that do not fit: what is said of a keyword that is not there, of too many positions, of what is missing."""

import inspect
import re

import numpy as np
import pytest

from minigrad import MLP, SGD, Adam, Linear, compare, data, diff, evaluate, fit, trace
from minigrad.nn import asked

X, Y = np.ones((4, 2)), np.ones(4)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: fit(MLP(2, 1), X, Y, loss="mse"),
         "fit: expected model and train by position, got 3 by position; write fit(model, (X, y), loss='mse')"),
        (lambda: fit(MLP(2, 1), (X, Y)), "fit: expected loss, got none; write fit(model, (X, y), loss='mse')"),
        (lambda: fit(MLP(2, 1), (X, Y), loss="mse", learning_rate=1), "fit: no argument 'learning_rate'; here it is lr"),
        (lambda: fit(MLP(2, 1), (X, Y), loss="mse", optimiser="sgd"), "fit: no argument 'optimiser'; did you mean 'optimizer'?"),
        (lambda: fit((X, Y), MLP(2, 1), loss="mse"), "fit: expected train as a pair (X, y), got MLP; write fit(model, (X, y), …)"),
        (lambda: evaluate(MLP(2, 1), (X, Y), "mse"), "evaluate: expected model and data by position, got 3 by position; write"),
        (lambda: compare(["mse"], (X, Y), target="y"), "compare: no argument 'target'; it has losses, data, model, lrs, "),
        (lambda: MLP(2, 1, seed=0), "MLP: no argument 'seed'; here it is rng"),
        (lambda: Linear(2, rng=0), "Linear: expected outputs, got none; write Linear(64, 10, rng=0)"),
        (lambda: Linear(in_features=2, outputs=1, rng=0), "Linear: no argument 'in_features'; here it is inputs"),
        (lambda: trace(MLP(2, 1), (X, Y), loss="mse"), "trace: expected loss once, got it by position and by name; write trace(model, 'mse', x, y)"),
        (lambda: diff(MLP(2, 1), "mse"), "diff: expected loss_b, got none; write diff(model, 'mse', 'mae', x, y)"),
        (lambda: Adam([], learning_rate=1), "Adam: no argument 'learning_rate'; here it is lr"),
        (lambda: SGD(lr=1), "SGD: expected params, got none; write SGD(model.parameters(), lr=0.1)"),
        (lambda: data.load("digits", seed=0), "data.load: no argument 'seed'; here it is rng"),
        (lambda: data.split(X, Y, test_size=0.5), "data.split: no argument 'test_size'; here it is test"),
        (lambda: data.read("prices.csv"), "data.read: expected target, got none; write data.read('prices.csv', target='price')"),
        (lambda: data.load("digits", name="digits"), "data.load: expected name once, got it by position and by name; write data.load('digits', rng=0)"),
    ],
)  # fmt: skip
def test_a_call_that_does_not_fit_is_told_what_was_meant(call, text):
    with pytest.raises(TypeError, match=f"^{re.escape(text)}") as caught:
        call()
    assert caught.value.__context__ is None


def test_an_error_from_inside_passes_as_it_is_and_the_function_looks_like_itself():
    @asked("double(3)")
    def double(x):
        """Twice as much."""
        return x * len(x)

    with pytest.raises(TypeError, match=r"^object of type 'int' has no len\(\)$"):
        double(3)
    assert (double.__name__, double.__doc__, list(inspect.signature(double).parameters)) == (
        "double",
        "Twice as much.",
        ["x"],
    )
