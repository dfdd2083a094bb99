"""Follow one sample home.

Question: What does each layer receive?
Builds on: backpropagation, with a refresher under the question; 01 (a loss says one number to each output).
Data: two moons, made here.
Takes: 5 seconds.
"""

# %% [markdown]
# ## Question
# A loss says one number to each output of the network. This lesson takes the sample that a trained network gets most
# wrong, follows that number home through every layer, and asks at each of them: what does this layer receive?
#
# **Refresher: backpropagation.** The gradient at a layer's output says how the loss would change if that output
# changed. Multiplied by the layer's own derivative it becomes the gradient at the layer's input, which is the output of
# the layer before. A linear layer multiplies by its weights, an activation by its slope. So the gradient walks home by
# multiplications, and each of them depends on the network and on the sample, not on the loss.

# %%
import numpy as np

from minigrad import MLP, data, diff, explain, figures, fit, loss, losses, ops, trace
from minigrad.lesson import check, fact, predict, rng, show

# %% [markdown]
# The two losses compared read the same raw output z: cross-entropy, and half the squared error of the probability σ(z).
# With the ½, the second sends p − y to the *probability*, which is exactly what cross-entropy sends to z.

# %%


@loss(pred="logit", target="unit")
def half_mse_sigmoid(pred, target):
    return 0.5 * (ops.sigmoid(pred) - target) ** 2


# %% [markdown]
# ## Predict

# %%
predict("one_ratio", ..., "On the worst sample, how many times more does cross-entropy send?")
predict("one_ratio_spread", ..., "By which share does this ratio differ between the layers of the network?")

# %% [markdown]
# ## Experiment
# 200 points, so noisy that some lie deep in the other moon; a network with two hidden layers; 60 epochs, after every
# ten of which the weights are kept for the end of this lesson. Then one line: the sample with the largest loss, traced.

# %%
seed = rng()
X, y = data.moons(200, noise=0.3, rng=seed)
model = MLP(2, 16, 16, 1, activation="tanh", init="lecun", rng=seed)
orders, snapshots = np.random.default_rng(seed), [(0, model.state_dict())]
for epochs in range(10, 61, 10):
    fit(model, (X, y), loss="bce_with_logits", optimizer="sgd", lr=0.5, epochs=10, rng=orders)
    snapshots.append((epochs, model.state_dict()))

way = trace(model, "bce_with_logits", X, y, also=half_mse_sigmoid)
other, p = way.also[0], way.link[1]
ratios = np.divide(way.lengths, other.lengths)

# %% [markdown]
# One sample is not a batch. `diff` gives the whole batch to both losses and compares what every layer's weights
# receive.

# %%
both = diff(model, "bce_with_logits", half_mse_sigmoid, X, y, lr=0.5)
layers = [row.ratio for row in both.rows[:-1]]

# %% [markdown]
# ## Figure
# One line per loss, from the loss to the input: on a logarithmic axis a constant ratio is a constant distance. Then the
# batch: what each loss makes of which sample. And the network itself, with what this sample sends through it.

# %%
show(figures.trace(way), "trace")
show(figures.diff(both), "diff")

value = losses.get("bce_with_logits")(model(X[[way.sample]]), y[[way.sample]].reshape(1, 1))
value.backward(retain_graph=True)
show(figures.graph(value), "graph")

# %% [markdown]
# ## The way back
# `arrives × factor = leaves`, and what leaves a module arrives at the one before it. A linear module's factor is the
# length of W·u, where u is the gradient's direction; a tanh's is the length of its slopes times u. Beside it stands
# what the parameters of the module get out of it, which share of the whole batch's gradient that is, and whether this
# sample pulls with the batch or against it. Under the table the factors are multiplied out, next to an ordinary
# `backward()`.

# %%
print(way)

# %% [markdown]
# Over a batch the two losses are no longer one factor apart. Each sample has a ratio of its own, so one loss listens to
# some samples more than the other does: a re-weighting, which each layer feels a little differently.

# %%
print(both)

# %% [markdown]
# The same network with ReLU lets a gradient pass through a unit unharmed or not at all: its slope is 1 or 0.

# %%
relu = MLP(2, 16, 16, 1, activation="relu", init="he", rng=seed)
fit(relu, (X, y), loss="bce_with_logits", optimizer="sgd", lr=0.5, epochs=60, rng=seed)
way_relu = trace(relu, "bce_with_logits", X, y, sample=way.sample)
print(way_relu)
silent = [row.dead for row in way_relu.rows if row.kind == "activation"]

# %% [markdown]
# ## Measured

# %%
fact("product", way.difference, "start × factors is what autograd finds at the input, up to a share of {value:.0e}")
fact("one_ratio", other.ratio, "cross-entropy sends {value:.3g} times more than half_mse_sigmoid on this sample")
fact(
    "one_ratio_spread",
    ratios.max() / ratios.min() - 1,
    "the ratio is the same at every layer, up to a share of {value:.0e}",
)
fact("closed_form", abs(other.ratio * p * (1 - p) - 1), "it is 1/(p(1 − p)), up to a share of {value:.0e}")
fact(
    "layer_spread",
    max(layers) / min(layers),
    "over the batch the ratio differs between layers, by a factor of {value:.2f}",
)

# %% [markdown]
# ## Practice
# 1. Write the ratio as a function of p alone: `lambda p: …`.

# %%
check("ratio_from_p", ..., lambda p: 1 / (p * (1 - p)), wrong=[
    (lambda p: 1 / p, "the slope of the sigmoid has two factors; where does the other one go?"),
    (lambda p: 1 / (1 - p), "the slope of the sigmoid has two factors; where does the other one go?"),
    (lambda p: 1 / (2 * p * (1 - p)), "your opponent has no ½"),
], look="the slope of the sigmoid")  # fmt: skip

# %% [markdown]
# 2. In a ReLU network with two hidden layers of 16, d₁ and d₂ units are silent for some sample. A path leads from the
#    input through one unit of each layer to the output. Which share of all paths is open? `lambda d1, d2: …`

# %%
print(f"here {silent[1]} units are silent in the first hidden layer and {silent[0]} in the second")
check("open_paths", ..., lambda d1, d2: (1 - d1 / 16) * (1 - d2 / 16),
    wrong=[
        (lambda d1, d2: 1 - (d1 + d2) / 32, "paths multiply, they do not add"),
        (lambda d1, d2: 1 - d1 * d2 / 256, "one silent unit is enough to close a path"),
        (lambda d1, d2: (16 - d1) * (16 - d2), "so many are open; which share of all is it?"),
        (lambda d1, d2: d1 * d2 / 256, "these are closed at both of their units"),
    ],
    inputs=lambda random: tuple(random.integers(0, 16, 2)), look="how many pairs of units there are")  # fmt: skip

# %% [markdown]
# ## Remember
# A layer receives what the loss sent times the factors between. The factors belong to the network and the sample, so
# two losses on one sample and one output differ by one ratio at every layer.

# %% [markdown]
# Go on by hand: a page with this network, every point, every snapshot, and your own losses if you add them.

# %%
page = explain.explore(model, ["bce_with_logits", half_mse_sigmoid, "hinge", "focal"], X, y, snapshots=snapshots)
show(page, "explore")
