"""Train, swap one word, look.

Question: What changes in a network when the loss changes?
Builds on: gradient descent and MLPs; a refresher of each stands under the question.
Data: two moons, made here.
Takes: 4 seconds.
"""

# %% [markdown]
# ## Question
# You train a small network with cross-entropy, replace one word, and train it with squared error. Somewhere between
# the data and the weights something is now different. Where? What changes in a network when the loss changes?
#
# **Refresher: MLP.** A network of layers, each of which computes `h @ W + b` and bends the result, here with tanh. What
# comes out last is squeezed by a sigmoid into a probability. The numbers in all `W` and `b` are its parameters.
#
# **Refresher: gradient descent.** A loss turns predictions and targets into one number, small where they agree. Its
# derivative by a parameter says whether that parameter should shrink or grow, and how urgently. A step moves every
# parameter against its derivative: `p -= lr * p.grad`. Training is this step, again and again, on a few samples each.

# %%
import numpy as np

from minigrad import MLP, SGD, data, evaluate, figures, fit, losses, trace
from minigrad.lesson import check, fact, predict, rng, show

# %% [markdown]
# ## Predict
# Replace `...` by your guess, or run the script at a terminal and be asked.

# %%
predict("numbers_sent", ..., "32 samples, a network with one output. How many numbers go from the loss into it?")
predict("acc_mse", ..., "Trained with squared error, which share of new points does the network get right?")

# %% [markdown]
# ## Experiment
# 400 points to learn from, 1000 to be tested on, and always the same initial network.

# %%
seed = rng()
points = np.random.default_rng(seed)
train, test = data.moons(400, noise=0.2, rng=points), data.moons(1000, noise=0.2, rng=points)


def network():
    return MLP(2, 16, 16, 1, activation="tanh", output="sigmoid", init="lecun", rng=seed)


# %% [markdown]
# First without any helper, one pass over the data. These five lines are all of training.

# %%
model, loss = network(), losses.get("bce")
optimizer = SGD(model.parameters(), lr=0.5)
X, y = train
for rows in np.array_split(points.permutation(400), 13):
    value = loss(model(X[rows]), y[rows].reshape(-1, 1))
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
print(f"one pass over the data, by hand: the loss of the last batch is {value.item():.3f}")

# %% [markdown]
# `fit` runs the same loop eighty times over. Then the same line again, with one word changed.

# %%
model = network()
history = fit(model, train, loss="bce", optimizer="sgd", lr=0.5, epochs=80, metrics=["accuracy"], rng=0)
accuracy = evaluate(model, test, loss="bce", metrics=["accuracy"])["accuracy"]

model_mse = network()
history_mse = fit(model_mse, train, loss="mse", optimizer="sgd", lr=0.5, epochs=80, metrics=["accuracy"], rng=0)
accuracy_mse = evaluate(model_mse, test, loss="mse", metrics=["accuracy"])["accuracy"]

# %% [markdown]
# Both learned. So what did the word change? Take one batch and let `mse` send its gradient. Then forget that there is a
# loss: compute by hand the derivative of the mean of (p − y)², which is 2(p − y)/n, one number for each prediction, and
# give the network this array and nothing else.

# %%
batch, target = X[:32], y[:32].reshape(-1, 1).astype(np.float32)


def gradients(send):
    """The gradient of every parameter after `send` has had the predictions."""
    for p in model.parameters():
        p.grad = None
    send(model(batch))
    return [p.grad.numpy() for p in model.parameters()]


sent = 2 * (model(batch).numpy() - target) / 32
by_loss = gradients(lambda pred: losses.get("mse")(pred, target).backward())
by_hand = gradients(lambda pred: pred.backward(sent))
apart = max(np.abs(a - b).max() for a, b in zip(by_loss, by_hand))

# %% [markdown]
# ## Figure
# Both runs. Then the batch on its way through the network: values from left to right, gradients from right to left.

# %%
show(history.plot(), "history_bce")
show(history_mse.plot(), "history_mse")

value = losses.get("mse")(model(batch), target)
value.backward(retain_graph=True)
show(figures.graph(value), "graph")

# %% [markdown]
# ## The way back
# `trace` follows the gradient of one sample from the loss to the input: what arrives at a module, times the module's
# factor, is what leaves it. Read it from top to bottom, once for each loss, on the network trained with `bce`. The
# first numbers differ. The factors, the column that belongs to the network, do not. (The columns on the right can wait
# for lesson 06.)

# %%
way = trace(model, "bce", X, y)
way_mse = trace(model, "mse", X, y, sample=way.sample)
print(way, way_mse, sep="\n\n")
factors = [[row.factor for row in each.rows] for each in (way, way_mse)]

# %% [markdown]
# ## Measured

# %%
fact("same_machine", apart, "between the gradients that mse causes and those of the array fed by hand: {value:.0e}")
fact("numbers_sent", sent.size, "one number for each output of each sample, {value} in all, is what a loss says")
fact(
    "same_factors", float(np.ptp(factors, axis=0).max()), "between the network's factors under both losses: {value:.0e}"
)
fact("acc_bce", accuracy, "cross-entropy gets {value:.1%} of the new points right")
fact("acc_mse", accuracy_mse, "squared error gets {value:.1%} of them right")

# %% [markdown]
# ## Practice
# Replace `...` by your answer and run the cell.
#
# 1. Another network has ten outputs, one score per class, and a batch has 32 samples. How many numbers leave the loss?

# %%
_, delta = losses.get("cross_entropy").value_and_grad(np.zeros((32, 10)), np.arange(32) % 10)
check("ten_classes", ..., delta.size, wrong={
    32: "one per logit, not one per sample",
    1: "that is the value of the loss, not its gradient",
    10: "that is one sample's share of it",
    42: "each of the samples has ten scores of its own",
})  # fmt: skip

# %% [markdown]
# 2. Which of these four functions runs differently when `loss="bce"` becomes `loss="mse"`?

# %%
check("what_differs", ..., "value.backward at the loss", choices=[
    "model.forward", "value.backward at the loss", "value.backward at the layers", "optimizer.step",
], wrong={
    "model.forward": "the network computes its predictions before anybody asks for a loss",
    "value.backward at the layers": "an array fed by hand came out the same: the layers only multiply what they get",
    "optimizer.step": "it reads the gradients of the parameters and does not know where they came from",
})  # fmt: skip

# %% [markdown]
# ## Remember
# A loss says one number to each output of each sample. What the network makes of these numbers is the network's affair:
# the same code, the same factors, for every loss.
