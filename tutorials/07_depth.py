"""What depth eats.

Question: Can a better loss cure vanishing gradients?
Builds on: 06 (factors that multiply); vanishing gradients, with a refresher under the question.
Data: handwritten digits, 8 × 8, shipped.
Takes: 12 seconds.
"""

# %% [markdown]
# ## Question
# Cross-entropy sends more than squared error where a network is wrong and sure. A deep network whose first layers learn
# nothing receives too little there. So: can a better loss cure vanishing gradients?
#
# **Refresher: vanishing gradients.** On its way to the first layer a gradient is multiplied at every layer by a factor.
# The slope of a sigmoid is at most ¼. Where all factors are smaller than 1, what arrives shrinks with every layer, and
# the first layers, which everything else rests on, hardly move.

# %%
import numpy as np

from minigrad import MLP, data, diff, evaluate, figures, fit, loss, losses, ops, trace
from minigrad.lesson import check, fact, predict, rng, show

seed = rng()
(X, y), test = data.load("digits", rng=seed)
cross_entropy = losses.get("cross_entropy")


@loss(pred="logits", target="index")
def mse_on_softmax(pred, target):
    return ((ops.softmax(pred) - np.eye(10, dtype=pred.dtype)[target]) ** 2).sum(-1)


def network(activation, depth, outputs=10):
    init = "he" if activation == "relu" else "lecun"
    return MLP(64, *[32] * depth, outputs, activation=activation, init=init, rng=seed)


# %% [markdown]
# ## Predict

# %%
predict(
    "sigmoid_8", ..., "Eight hidden sigmoid layers: how long is the first layer's gradient, if the last one's is 1?"
)
predict("same_for_every_loss", ..., "Is that number larger under cross-entropy? By which factor?")

# %% [markdown]
# ## Experiment
# Untrained networks of two, four and eight hidden layers, 256 digits, both losses at once: `diff` has the length of the
# gradient of every layer, from the last to the first.


# %%
def first_over_last(activation, depth):
    """‖gradient of the first layer‖ / ‖that of the last‖, under cross-entropy and under mse_on_softmax."""
    *layers, _ = diff(network(activation, depth), cross_entropy, mse_on_softmax, X[:256], y[:256]).rows
    return layers[-1].a / layers[0].a, layers[-1].b / layers[0].b


quotients = {(kind, depth): first_over_last(kind, depth) for kind in ("sigmoid", "tanh", "relu") for depth in (2, 4, 8)}
for (kind, depth), (of_ce, of_mse) in quotients.items():
    print(
        f"{kind:8} {depth} hidden layers   first/last {of_ce:.2g} with cross-entropy, {of_mse:.2g} with mse_on_softmax"
    )

# %% [markdown]
# Then five epochs for the deepest of them, with either loss.

# %%
runs, accuracy = {}, {}
for kind in ("sigmoid", "tanh", "relu"):
    for each in (cross_entropy, mse_on_softmax):
        model = network(kind, 8)
        runs[kind, each.name] = fit(model, (X, y), loss=each, optimizer="sgd", lr=0.1, epochs=5, rng=seed)
        accuracy[kind, each.name] = evaluate(model, test, loss=each, metrics=["accuracy"])["accuracy"]
        print(f"{kind:8} {each.name:14} {accuracy[kind, each.name]:.1%} right after five epochs")

# %% [markdown]
# ## Figure
# The length of every layer's gradient at every step, with sigmoids.

# %%
show(figures.depth({name: runs["sigmoid", name] for name in ("cross_entropy", "mse_on_softmax")}), "depth")

# %% [markdown]
# ## The way back
# One digit through the eight sigmoid layers. Every layer takes its share: the weights one factor, the slopes another.
# With one output and one sample the quotient is the same for every loss, to the last digit.


# %%
def per_layer(model, samples=8):
    """The geometric mean of what one hidden layer, slopes and weights, makes of a gradient."""
    ways = [trace(model, "cross_entropy", X[:samples], y[:samples], sample=i) for i in range(samples)]
    factors = np.array([[row.factor for row in way.rows[1:]] for way in ways])
    return float(np.exp(2 * np.log(factors).mean()))


deep = network("sigmoid", 8)
print(trace(deep, "cross_entropy", X[:256], y[:256], also=mse_on_softmax))
factor = per_layer(deep)

single = network("sigmoid", 8, outputs=1)
*layers, _ = diff(single, "bce_with_logits", "hinge", X[:1], y[:1] > 4).rows
same = (layers[-1].a / layers[0].a) / (layers[-1].b / layers[0].b)

# %% [markdown]
# ## Measured

# %%
for depth in (2, 4, 8):
    said = f"with {depth} sigmoid layers the first layer hears {{value:.2g}} of what the last one hears"
    fact(f"sigmoid_{depth}", quotients["sigmoid", depth][0], said)
fact("tanh_8", quotients["tanh", 8][0], "with 8 tanh layers {value:.2f}")
fact("relu_8", quotients["relu", 8][0], "with 8 ReLU layers {value:.2f}")
fact(
    "same_for_every_loss",
    quotients["sigmoid", 8][1] / quotients["sigmoid", 8][0],
    "mse_on_softmax changes the first of these by a factor of {value:.2f}: next to nothing",
)
fact("same_exactly", same, "and with one sample and one output by {value:.6f}")
fact("factor", factor, "a sigmoid layer with its weights lets {value:.3f} through: eight of them multiply")
fact(
    "acc_sigmoid_ce",
    accuracy["sigmoid", "cross_entropy"],
    "eight sigmoid layers learn nothing with cross-entropy: {value:.0%}",
)
fact("acc_sigmoid_mse", accuracy["sigmoid", "mse_on_softmax"], "and nothing with mse_on_softmax: {value:.0%}")
fact("acc_tanh_ce", accuracy["tanh", "cross_entropy"], "eight tanh layers reach {value:.0%}")

# %% [markdown]
# ## Practice
# 1. What will first/last be with sixteen sigmoid layers? (Within a fifth.)

# %%
check("sixteen", ..., quotients["sigmoid", 8][0] * factor**8, tol=0.2, wrong={
    quotients["sigmoid", 8][0] / 2: "layers multiply",
    quotients["sigmoid", 8][0]: "eight more layers, eight more factors",
}, look="the factor of one layer")  # fmt: skip

# %% [markdown]
# 2. Somebody multiplies all weights by four, the inverse of ¼. What is the factor of one layer now? Guess, or run it.

# %%
large = network("sigmoid", 8)
for path, parameter in large.named_parameters():
    if path.endswith("weight"):
        parameter.data = 4 * parameter.data
slopes = [row.slope for row in trace(large, "cross_entropy", X[:1], y[:1]).rows if row.slope]
check("four_times", ..., per_layer(large), tol=0.1, wrong={
    1: f"σ′ is ¼ only at z = 0; with larger weights its mean falls to {np.mean(slopes):.2f}",
    factor: "the weights are in the factor too",
}, look="the mean slope in the trace")  # fmt: skip

# %% [markdown]
# ## Remember
# The loss scales the start, depth multiplies the rest. No loss can reach over eight sigmoids; other activations can.
