"""Digits, with NumPy alone."""

import sys

import numpy as np

from benchmarks.cases import he_normal
from benchmarks.plain_numpy import Step

data = np.load(sys.argv[1])
X, y = data["X"], data["y"]
rng = np.random.default_rng(0)
step = Step(*he_normal((64, 64, 10)))
for _ in range(30):
    order = rng.permutation(len(X))
    for start in range(0, len(X), 32):
        rows = order[start : start + 32]
        step(X[rows], y[rows])

(w1, w2), (b1, b2) = step.weights, step.biases
scores = np.maximum(data["X_test"] @ w1 + b1, 0) @ w2 + b2
print((scores.argmax(1) == data["y_test"]).mean())
