"""The shortest gradient.

Question: Where does p − y come from?
Builds on: 01 (a loss says one number to each output); softmax and cross-entropy by name.
Data: handwritten digits, 8 × 8, shipped.
Takes: 6 seconds.
"""

# %% [markdown]
# ## Question
# Softmax turns scores into probabilities by way of exponentials, a sum and a division; cross-entropy takes a logarithm.
# Four steps, each with a derivative of its own, and at the end the scores receive p − y: the probabilities, less 1 at
# the true class. Nothing shorter is possible. Where does p − y come from, and what happens to whoever spoils it?

# %%
import warnings

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from minigrad import MLP, Tensor, data, evaluate, figures, fit, losses, nn, ops, trace
from minigrad.lesson import check, fact, predict, rng, show

cross_entropy = losses.get("cross_entropy")
seed = rng()
train, test = data.load("digits", rng=seed)

# %% [markdown]
# ## Predict

# %%
predict("loss_at_start", ..., "Ten classes, an untrained network: what is its cross-entropy?")
predict("double_size", ..., "A softmax too many: which share of the gradient is left at the scores?")

# %% [markdown]
# ## Experiment
# One digit, one step per line. `retain_grad` lets every step show what the steps behind it have handed back.

# %%
model = MLP(64, 64, 10, init="he", rng=seed)
X, y = train[0][:1], int(train[1][0])
z = Tensor(model(X).numpy()[0].astype(np.float64), requires_grad=True)
e = np.exp(z)
total = e.sum()
p = e / total
value = -np.log(p[y])
for step in (e, total, p):
    step.retain_grad()
value.backward()
with np.printoptions(precision=3, suppress=True, linewidth=100):
    print("loss", value.item(), "true class", y)
    print("to p     −1/p at the true class, else 0 ", p.grad.numpy())
    print("to the sum          one number for all  ", total.grad.numpy())
    print("to e     both ways together             ", e.grad.numpy())
    print("to z     times e, the slope of exp      ", z.grad.numpy())
    print("p − y                                   ", p.numpy() - np.eye(10)[y])

# %% [markdown]
# The large −1/p meets the small p of the exponential and they cancel: that is where p − y comes from. In between stood
# a number as large as you like, and for a large score the exponential overflows. The built-in `cross_entropy` is one
# step that hands back p − y and computes nothing in between.

# %%
Z = model(train[0]).numpy().astype(np.float64)
sent = cross_entropy.value_and_grad(Z, train[1], reduction="none")[1]
P = ops.softmax(Z)
true = P[np.arange(len(P)), train[1]]
row_sum = np.abs(sent.sum(1)).max()
l1 = np.abs(np.abs(sent).sum(1) - 2 * (1 - true)).max()
loss_at_start = evaluate(model, train, loss="cross_entropy")["loss"]

# %% [markdown]
# Now the same with a softmax too many: the network ends in probabilities, and `cross_entropy` takes them for scores.
# The library notices and says so, once. Everything runs all the same.

# %%
start = Tensor(Z, requires_grad=True)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    cross_entropy(ops.softmax(start), train[1], reduction="sum").backward()
print(said[0].message)
double_size = np.linalg.norm(start.grad.numpy()) / np.linalg.norm(sent)


# %% [markdown]
# Three networks learn for ten epochs, all from the same initial weights: one as it should be, which is stopped twice to
# look at what the loss says to six test digits; one with a softmax too many; and that one with ten times the learning
# rate.

# %%
six = np.unique(test[1], return_index=True)[1][:6]
moments, ways = [], []
for epochs in (0, 1, 9):
    if epochs:
        fit(model, train, loss="cross_entropy", optimizer="sgd", lr=0.1, epochs=epochs, rng=seed)
    scores = model(test[0][six]).numpy().astype(np.float64)
    moments.append(cross_entropy.value_and_grad(scores, test[1][six], reduction="none")[1])
    ways.append(trace(model, "cross_entropy", *test, sample=int(six[0])))


def judged(network):
    """Training loss, and accuracy on test data."""
    loss = evaluate(network, train, loss="cross_entropy")["loss"]
    return loss, evaluate(network, test, loss="cross_entropy", metrics=["accuracy"])["accuracy"]


loss_one, acc_one = judged(model)
two = [nn.Sequential(MLP(64, 64, 10, init="he", rng=seed), nn.Softmax()) for _ in range(2)]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for network, lr in zip(two, (0.1, 1.0)):
        fit(network, train, loss="cross_entropy", optimizer="sgd", lr=lr, epochs=10, rng=seed)
    (loss_two, acc_two), (loss_faster, acc_faster) = map(judged, two)

# %% [markdown]
# ## Figure
# Red pushes a score down, blue pushes it up.

# %%
frame = np.array([[-0.5, 0.5, 0.5, -0.5, -0.5], [-0.5, -0.5, 0.5, 0.5, -0.5]])
with figures.style():
    fig = Figure(figsize=(10, 3.6))
    colours = LinearSegmentedColormap.from_list("signed", [figures.colour("mse")[0], "white", figures.colour("mae")[0]])
    for ax, delta, when in zip(fig.subplots(1, 3), moments, ("At the start", "After one epoch", "After ten epochs")):
        lengths = np.abs(delta).sum(1)
        ax.imshow(delta, cmap=colours, vmin=-1, vmax=1, aspect="auto")
        for i, label in enumerate(test[1][six]):
            ax.plot(label + frame[0], i + frame[1], "#202020")
            for k in np.flatnonzero(np.abs(delta[i]) >= 0.1):
                cell = {"color": "white" if delta[i, k] < -0.5 else "#202020", "ha": "center", "va": "center"}
                ax.text(k, i, f"{delta[i, k]:.2f}".replace("0.", "."), fontsize=8, gid="label", **cell)
        ax.set(xticks=range(10), yticks=range(6), yticklabels=[f"{length:.2f}" for length in lengths])
        ax.set(xlabel="class, the true one framed", ylabel="Σ |p − y| = 2(1 − p_y)")
        ax.set_title(figures.say(ax, "{when}: at most {most:.2f} to a digit", when=when, most=lengths.max()))
        figures.note(ax, **{when: delta, f"{when}, lengths": lengths})
show(fig, "p_minus_y")

# %% [markdown]
# ## The way back
# One digit again, at the start and at the end. Its trace starts with the length of p − y, and that is all that training
# changes at this end.

# %%
print(ways[0], ways[2], sep="\n\n")
starts = [way.start for way in ways]
residuals = [np.linalg.norm(ops.softmax(np.array(way.pred)) - np.eye(10)[way.target]) for way in ways]

# %% [markdown]
# ## Measured

# %%
fact(
    "loss_at_start",
    loss_at_start,
    f"an untrained network says {{value:.2f}}; knowing nothing would be ln 10 = {np.log(10):.3f}",
)
fact("row_sum", row_sum, "what the true class gains, the others pay: each row sums to 0, up to {value:.0e}")
fact("L1", l1, "the length of a row in the L1 norm is 2(1 − p_y), up to {value:.0e}")
fact("double_size", double_size, "through a second softmax {value:.1%} of the gradient is left at the start: about 1/K")
fact("loss_one", loss_one, "ten epochs with one softmax: loss {value:.3f}")
fact("acc_one", acc_one, "and {value:.1%} right")
fact("loss_two", loss_two, "with two, at the same learning rate: loss {value:.2f}")
fact("acc_two", acc_two, "and {value:.0%} right: it looks like too small a learning rate")
fact("acc_two_faster", acc_faster, "and indeed, at a learning rate ten times larger {value:.1%} are right")
fact(
    "loss_two_faster",
    loss_faster,
    f"only the loss, {{value:.3f}}, betrays it: it cannot fall below ln(e + 9) − 1 = {np.log(np.e + 9) - 1:.3f}",
)
fact(
    "starts",
    starts,
    "one digit sends {value[0]:.2f} at the start, {value[1]:.2f} after one epoch, {value[2]:.2f} after ten",
)
fact(
    "start_is_residual", np.abs(np.subtract(starts, residuals)).max(), "which is the length of p − y, up to {value:.0e}"
)

# %% [markdown]
# ## Practice
# 1. With a softmax too many and K = 4 classes: below which number can the loss not fall?

# %%
floor = cross_entropy(np.eye(4)[:1], [0]).item()
check("floor_4", ..., floor, wrong={
    0: "a row of probabilities cannot make a softmax certain",
    np.log(4): "that is chance",
    np.log(np.e + 9) - 1: "that is the floor for ten classes",
}, look="what softmax makes of (1, 0, 0, 0)")  # fmt: skip

# %% [markdown]
# 2. Each class has a weight, w = (w₀, w₁, …), and y is the row that is 1 at the true class. What does the loss send to
#    the scores? Write `lambda p, y, w: …`
# 3. With label smoothing ε and K = 4 classes? `lambda p, y, eps: …`


# %%
def asked(p, y, **options):
    return cross_entropy.value_and_grad(np.log(p), y.argmax(), **options)[1]


def a_row(random):
    return random.dirichlet(np.ones(4)), np.eye(4)[random.integers(4)]


check("class_weight", ..., lambda p, y, w: asked(p, y, class_weight=w),
    wrong=[
        (lambda p, y, w: p - w * y, "its rows no longer sum to 0"),
        (lambda p, y, w: w * (p - y), "a sample has one weight, that of its true class, and not one for each score"),
        (lambda p, y, w: p - y, "and the weight?"),
    ],
    inputs=lambda random: (*a_row(random), random.uniform(0.5, 3, 4)), look="the sum of each row")  # fmt: skip
check("smoothing", ..., lambda p, y, eps: asked(p, y, label_smoothing=eps),
    wrong=[
        (lambda p, y, eps: p - (1 - eps) * y, "the smoothed target must sum to 1"),
        (lambda p, y, eps: p - (1 - eps) * y - eps / 3 * (1 - y), "the true class gets a share of ε too"),
        (lambda p, y, eps: (1 - eps) * (p - y), "the target is smoothed, p is what it was"),
    ],
    inputs=lambda random: (*a_row(random), random.uniform(0.1, 0.9)), look="the sum of each row")  # fmt: skip

# %% [markdown]
# ## Remember
# Softmax and cross-entropy undo each other's derivatives, and p − y is what remains. Give the loss raw scores: a second
# softmax takes most of the gradient and leaves no other sign than a loss that will not fall.
