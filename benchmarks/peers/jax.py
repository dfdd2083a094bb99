"""JAX with optax on the CPU: whatever is timed is one compiled function; a step is given its buffers to reuse."""

import jax
import jax.numpy as jnp
import optax
from optax import losses

from benchmarks.peers.peer import LeftOut, Peer

LOSSES = {
    "mse": losses.squared_error,
    "mae": lambda x, y: jnp.abs(x - y),
    "huber": losses.huber_loss,
    "log_cosh": losses.log_cosh,
    "cross_entropy": losses.softmax_cross_entropy_with_integer_labels,
    "bce_with_logits": losses.sigmoid_binary_cross_entropy,
    "kl_div": losses.kl_divergence,
    "focal": losses.sigmoid_focal_loss,
    "hinge": losses.hinge_loss,
}


def cross_entropy(weights, biases, x, y):
    """The MLP's mean loss over the batch."""
    z = x @ weights[0] + biases[0]
    for w, b in zip(weights[1:], biases[1:]):
        z = jax.nn.relu(z) @ w + b
    return losses.softmax_cross_entropy_with_integer_labels(z, y).mean()


class Jax(Peer):
    """Compiled, buffers donated."""

    def array(self, a):
        return jnp.asarray(a)

    def wait(self, last):
        last.block_until_ready()

    def training(self, weights, biases):
        optimizer = optax.adam(1e-3)
        parameters = [jnp.array(w) for w in weights], [jnp.array(b) for b in biases]
        state = optimizer.init(parameters)

        def compiled(parameters, state, x, y):
            value, slopes = jax.value_and_grad(lambda p: cross_entropy(*p, x, y))(parameters)
            updates, state = optimizer.update(slopes, state, parameters)
            return value, optax.apply_updates(parameters, updates), state

        compiled = jax.jit(compiled, donate_argnums=(0, 1))

        def advance(x, y):
            nonlocal parameters, state
            value, parameters, state = compiled(parameters, state, x, y)
            return value

        return advance

    def linked(self, x, w, b, count):
        def f(x, w, b):
            for _ in range(count):
                x = jnp.tanh(w * x + b)
            return x.sum()

        both = jax.jit(jax.value_and_grad(f, argnums=(0, 1, 2)))
        return lambda: both(x, w, b)

    def judged(self, name, pred, target):
        if name not in LOSSES:
            raise LeftOut(f"has no {name}")
        both = jax.jit(jax.value_and_grad(lambda pred, target: LOSSES[name](pred, target).mean()))

        def pair():
            value, slope = both(pred, target)
            return value, [slope]

        return pair

    def curved(self, weights, biases, x, y, along_w, along_b):
        gradient = jax.grad(cross_entropy, argnums=(0, 1))

        @jax.jit
        def product(weights, biases, along_w, along_b):
            _, (out_w, out_b) = jax.jvp(lambda w, b: gradient(w, b, x, y), (weights, biases), (along_w, along_b))
            return out_w + out_b

        return lambda: product(weights, biases, along_w, along_b)
