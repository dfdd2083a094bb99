"""Digits, with minigrad and `fit`."""

import sys

import numpy as np

from minigrad import MLP, evaluate, fit

data = np.load(sys.argv[1])
model = MLP(64, 64, 10, rng=0)
fit(model, (data["X"], data["y"]), loss="cross_entropy", lr=1e-3, epochs=30, batch_size=32, progress=False)
found = evaluate(model, (data["X_test"], data["y_test"]), loss="cross_entropy", metrics=["accuracy"])
print(found["accuracy"])
