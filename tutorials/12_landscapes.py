"""Maps that lie.

Question: What does a picture of a loss landscape show?
Builds on: 05 (the slope of a sigmoid), 06 (factors that multiply).
Data: 200 numbers, made here; handwritten digits, 8 × 8, shipped.
Takes: 5 seconds.
"""

# %% [markdown]
# ## Question
# Training walks downhill in a space with one direction for every weight. Pictures of that land show valleys, plains and a
# path, and they are drawn on paper. With two weights the paper *is* the land. With thousands it is a cut through it, and
# somebody chose where to cut. What does such a picture show, and of what?

# %%
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from minigrad import MLP, Linear, Tensor, data, figures, fit, loss, losses, nn, ops, trace
from minigrad.lesson import check, fact, predict, rng, show

seed = rng()
draws = np.random.default_rng(seed)


@loss(pred="logit", target="unit")
def mse_on_sigmoid(pred, target):
    return (ops.sigmoid(pred) - target) ** 2


RIVALS = (mse_on_sigmoid, losses.get("bce_with_logits"))

# %% [markdown]
# ## Predict

# %%
predict(
    "flat_mse", ..., "Two weights between −8 and 8: on which share of that square is squared error as good as flat?"
)
predict("held_random", ..., "Digits, a plane laid at random: which share of the way of the training lies in it?")

# %% [markdown]
# ## Experiment
# First all of a land. A number x goes through one weight, a tanh and another weight, and what comes out is the score of
# "x is positive": z = w₂ tanh(w₁x). Of 200 labels a tenth is wrong, so no score should be too sure. The loss and its two
# slopes, at as many points of the square at once as we like.

# %%
x = draws.standard_normal(200)
y = ((x > 0) ^ (np.arange(200) < 20)).astype(float)


def slopes(loss, w1, w2):
    """(∂ℓ/∂w₁, ∂ℓ/∂w₂), each in the shape of w1."""
    w1, w2 = (Tensor(w[..., None], requires_grad=True) for w in (w1, w2))
    z = w2 * np.tanh(w1 * x)
    loss(z, np.broadcast_to(y, z.shape), reduction="none").mean(-1).sum().backward()
    return np.stack([w1.grad.numpy()[..., 0], w2.grad.numpy()[..., 0]])


grid = np.linspace(-8, 8, 81)
steep = {loss: np.hypot(*slopes(loss, *np.meshgrid(grid, grid))) for loss in RIVALS}
flat = {loss: np.mean(steep[loss] < 0.01) for loss in RIVALS}

# %% [markdown]
# Where w₁ and w₂ have different signs, the network says no to what is positive. Forty starts there, 200 steps.

# %%
sign = draws.choice([-1, 1], 40)
start = draws.uniform(0, 8, (2, 40)) * [sign, -sign]
paths = {}
for each in RIVALS:
    steps = [start]
    for _ in range(200):
        steps.append(steps[-1] - slopes(each, *steps[-1]))
    paths[each] = np.array(steps)
escaped = {loss: np.mean(np.prod(paths[loss][-1], 0) > 0) for loss in RIVALS}

# %% [markdown]
# Now a land of which no paper can hold more than a sliver: a small network for the digits. Its weights are kept after every
# epoch. That is the path.

# %%
train, cross_entropy = data.load("digits", rng=seed)[0], losses.get("cross_entropy")
seen = train[0][:256], train[1][:256]
model, orders = MLP(64, 64, 10, init="he", rng=seed), np.random.default_rng(seed)


def place():
    return np.concatenate([p.numpy().ravel() for p in model.parameters()])


def loss_at(point):
    """Move the network there, and say its loss."""
    cuts = np.cumsum([p.size for p in model.parameters()])[:-1]
    for p, part in zip(model.parameters(), np.split(point.astype(np.float32), cuts)):
        p.data = part.reshape(p.shape)
    return cross_entropy(model(seen[0]), seen[1]).item()


path = [place()]
for _ in range(12):
    fit(model, train, loss="cross_entropy", optimizer="sgd", lr=0.1, epochs=1, rng=orders)
    path.append(place())
path = np.array(path, dtype=float)
D = path.shape[1]
print(D, "weights: the land has so many directions")

# %% [markdown]
# Two planes through the middle of the path. One is laid along the two directions in which the path itself is longest, the other
# at random. What each holds of the path is the share of its variance that is seen in the plane.

# %%
middle = path.mean(0)
planes = {
    "its own": np.linalg.svd(path - middle, full_matrices=False)[2][:2],
    "a random": np.linalg.qr(draws.standard_normal((D, 2)))[0].T,
}
shadows = {name: (path - middle) @ plane.T for name, plane in planes.items()}
held = {name: np.sum(shadow**2) / np.sum((path - middle) ** 2) for name, shadow in shadows.items()}
sides = np.linspace(-1.3, 1.3, 25) * np.abs(shadows["its own"]).max()
maps = {
    name: [[loss_at(middle + a * plane[0] + b * plane[1]) for a in sides] for b in sides]
    for name, plane in planes.items()
}

# %% [markdown]
# Last, the word *sharp*. A ReLU layer ten times as large, the next ten times as small: the same function. How much does
# the loss rise, one step of length 1 away in a random direction?

# %%
ways = draws.standard_normal((30, D))
ways /= np.linalg.norm(ways, axis=1, keepdims=True)


def rise(point):
    return np.mean([loss_at(point + way) for way in ways]) - loss_at(point)


def pull():
    """‖∂ℓ/∂W‖ of the first layer, of the sample with the largest loss."""
    return trace(model, "cross_entropy", *seen).rows[-1].weight


before, said, pulled = rise(path[-1]), model(seen[0]).numpy(), pull()
first, _, last = model.layers
for p, factor in ((first.weight, 10), (first.bias, 10), (last.weight, 0.1)):
    p.data = p.numpy() * np.float32(factor)
moved, weaker = np.abs(model(seen[0]).numpy() - said).max(), pull() / pulled
after = rise(place())

# %% [markdown]
# ## Figure
# On top the whole land, twice: dark is steep, and inside the thin line the gradient is shorter than 0.01. A few of the forty
# ways lead through it. Below, two slivers of the other land, with the same path in both.

# %%
with figures.style():
    above, below = (fig := Figure(figsize=(10, 7.6))).subplots(2, 2)
    for ax, each, name in zip(above, RIVALS, ("Squared error", "Cross-entropy")):
        image = ax.imshow(steep[each], norm=LogNorm(1e-4, 1), cmap="Greys", origin="lower", extent=(-8, 8, -8, 8))
        ax.contour(grid, grid, steep[each], levels=[0.01], colors="#404040", linewidths=0.8)
        ax.plot(*paths[each][..., ::4].swapaxes(0, 1), color=figures.looks(RIVALS)[str(each)][0])
        ax.plot(*start[:, ::4], ".", color=figures.looks(RIVALS)[str(each)][0])
        ax.set(xlabel="w₁", ylabel="w₂")
        ax.set_title(figures.say(ax, f"{name}: {{f:.0%}} is flat, {{e:.0%}} come out", f=flat[each], e=escaped[each]))
        figures.note(ax, **{f"‖gradient‖ of {each}": steep[each][::8, ::8]})
    fig.colorbar(image, ax=above, label="‖gradient‖")
    tones = LogNorm(np.min(list(maps.values())), np.max(list(maps.values())))
    for ax, name in zip(below, planes):
        image = ax.imshow(maps[name], norm=tones, cmap="Greys", origin="lower", extent=sides[[0, -1, 0, -1]])
        ax.plot(*shadows[name].T, ".-", color=figures.colour("cross_entropy")[0])
        ax.set(xlabel=f"along one direction of {name} plane", ylabel="along the other")
        ax.set_title(figures.say(ax, f"{name.capitalize()} plane holds {{h:.2%}} of the path", h=held[name]))
        figures.note(ax, **{f"loss in {name} plane": maps[name], f"path in {name} plane": shadows[name]})
    fig.colorbar(image, ax=below, label="loss")
show(fig, "landscapes")

# %% [markdown]
# ## The way back
# Why is it flat there? At (6, −6) the network is wrong and sure. The sample that it gets most wrong, under squared error of a
# probability, and under cross-entropy: the sigmoid is a row of the first trace, and the second does not have it. (What the
# saturated tanh keeps back, it keeps back under both.)


# %%
def network(w1, w2, *end):
    one, other = (Linear(1, 1, bias=False, rng=0, dtype=np.float64) for _ in range(2))
    one.weight.data, other.weight.data = np.array([[w1]]), np.array([[w2]])
    return nn.Sequential(one, nn.Tanh(), other, *end)


way = trace(network(6.0, -6.0, nn.Sigmoid()), "mse", x[:, None], y)
print(way, trace(network(6.0, -6.0), "bce_with_logits", x[:, None], y, sample=way.sample), sep="\n\n")

# %% [markdown]
# ## Measured

# %%
squared, entropy = RIVALS
fact("flat_mse", flat[squared], "two weights: under squared error {value:.0%} of the square is flat")
home = np.multiply.outer(grid, grid)[steep[entropy] < 0.01] > 0
fact(
    "flat_ce", flat[entropy], f"under cross-entropy {{value:.1%}}, {home.mean():.0%} of that where the signs are right"
)
fact("escaped_mse", escaped[squared], "of forty starts on the wrong side {value:.0%} come out with squared error")
fact("escaped_ce", escaped[entropy], "and {value:.0%} with cross-entropy")
fact("held_own", held["its own"], "many weights: the plane of its own directions holds {value:.2%} of the path")
fact("held_random", held["a random"], "a random one holds {value:.3%}: it shows the land beside the path, not the path")
fact("moved", moved, "one layer times 10, the next divided by 10: the outputs move by {value:.0e}")
fact("rise_before", before, "a random step of length 1 raised the loss by {value:.4f}")
fact("rise_after", after, "and now by {value:.4f}: the same function has become sharp")
fact("passes", way.rows[0].factor, "at (6, −6) the sigmoid lets {value:.2%} of squared error's push through")

# %% [markdown]
# ## Practice
# 1. Which share of a path should a random plane hold, in the mean over all planes, if there are D = 4810 directions?

# %%
check("random_share", ..., 2 / D, wrong={
    1 / D: "a plane has two directions",
    2 / np.sqrt(D): "the share is of the variance, a square, not of the length",
}, look="how many directions there are, and how many of them a plane has")  # fmt: skip

# %% [markdown]
# 2. The first layer's weights are ten times as large, the next layer's ten times as small, and the outputs are what they were. By
#    which factor does ‖∂ℓ/∂W‖ of the first layer change?

# %%
check("factor", ..., weaker, wrong={
    1: "the outputs stay, but a change of W moves them by less: what stands between?",
    10: "the layer is larger, and what comes back to it passes the next one",
    1 / 100: "what arrives is ten times as small; the input of the first layer is what it was",
}, look="the weights that the gradient passes on its way to the first layer")  # fmt: skip

# %% [markdown]
# ## Remember
# A map of two weights is the land. A map of many is a cut: ask how much of the path it holds. And whether a place is flat
# depends on how the weights are written down: the same function can be made as sharp as one likes.
