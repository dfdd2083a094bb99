"""Digits, with minigrad and a loop."""

import sys

import numpy as np

from minigrad import MLP, Adam, losses

data = np.load(sys.argv[1])
X, y = data["X"], data["y"]
rng = np.random.default_rng(0)
model = MLP(64, 64, 10, rng=0)
optimizer, loss = Adam(model.parameters(), lr=1e-3), losses.get("cross_entropy")
for _ in range(30):
    order = rng.permutation(len(X))
    for start in range(0, len(X), 32):
        rows = order[start : start + 32]
        value = loss(model(X[rows]), y[rows])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

print((model(data["X_test"]).numpy().argmax(1) == data["y_test"]).mean())
