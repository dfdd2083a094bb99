"""Digits, with JAX and optax."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

data = np.load(sys.argv[1])
X, y = data["X"], data["y"]
rng = np.random.default_rng(0)
parameters = [
    (jnp.asarray(rng.normal(0, np.sqrt(2 / m), (m, n)), jnp.float32), jnp.zeros(n)) for m, n in [(64, 64), (64, 10)]
]
optimizer = optax.adam(1e-3)
state = optimizer.init(parameters)


def scores(parameters, x):
    (w1, b1), (w2, b2) = parameters
    return jax.nn.relu(x @ w1 + b1) @ w2 + b2


def loss(parameters, x, y):
    return optax.softmax_cross_entropy_with_integer_labels(scores(parameters, x), y).mean()


@jax.jit
def step(parameters, state, x, y):
    updates, state = optimizer.update(jax.grad(loss)(parameters, x, y), state, parameters)
    return optax.apply_updates(parameters, updates), state


for _ in range(30):
    order = rng.permutation(len(X))
    for start in range(0, len(X), 32):
        rows = order[start : start + 32]
        parameters, state = step(parameters, state, X[rows], y[rows])

print(float((scores(parameters, data["X_test"]).argmax(1) == data["y_test"]).mean()))
