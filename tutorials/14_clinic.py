"""The clinic.

Question: The loss looks fine. What is wrong?
Builds on: 01 (the loop by hand), 02 (the derivative of MSE), 04 (a softmax too many).
Data: a wave, made here; handwritten digits, 8 × 8, shipped.
Takes: 8 seconds.
"""

# %% [markdown]
# ## Question
# The worst mistakes in a training loop raise no error. Two shapes become a table, a softmax is taken twice: every line runs, a
# number comes out, and it even falls. Others do raise one, somewhere else. The loss looks fine. What is wrong? Here are
# seven sick loops, first as a curve, which is all that one usually has, and then with somebody who looks.

# %%
import warnings

import numpy as np
from matplotlib.figure import Figure

from minigrad import MLP, SGD, Tensor, data, diff, figures, fit, loss, losses, ops
from minigrad.lesson import check, fact, predict, rng, show

STEPS, seed = 400, rng()

# %% [markdown]
# ## Predict

# %%
predict("silent", ..., "Seven sick loops: how many of them run without any message?")
predict("flat", ..., "Predictions (64, 1), targets (64,): at which share of the targets' variance does MSE end?")

# %% [markdown]
# ## Experiment
# The loops are written as one writes them without a library of losses. They share everything but the place where the
# mistake is: the expression for the loss, the network for which the optimizer was made, and whether old gradients are
# forgotten. What somebody says on the way, NumPy or the engine, is kept.


# %%
def softmax(z):
    return np.exp(z) / np.exp(z).sum(1, keepdims=True)


def heard(doing):
    """Warnings and errors while something is done."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        try:
            doing()
        except (AttributeError, ValueError, RuntimeError) as error:
            return [f"{type(error).__name__}: {error}"]
    return [f"{one.category.__name__}: {one.message}" for one in said]


def loop(value, network, inputs, lr=0.05, made_for=None, forget=True):
    """(the loss before each of at most STEPS steps, the network, what was said)."""
    optimizer, curve = SGD((made_for or network).parameters(), lr=lr), []

    def steps():
        while len(curve) < STEPS and np.isfinite(curve[-1:]).all():
            if forget:
                optimizer.zero_grad()
            out = value(network(inputs))
            curve.append(float(out))
            out.backward()
            optimizer.step()

    return curve, network, heard(steps)


# %% [markdown]
# A wave of 64 points with a network for it, 256 digits with another, and each mistake once. (The wave, lifted, is a rate,
# which is fitted with ŷ − y ln ŷ.)


# %%
def material(seed):
    (x, y), ((X, labels), _) = data.sine(64, rng=seed), data.load("digits", rng=seed)
    return x / np.float32(np.pi), y, X[:256], labels[:256]


def small(seed, bias=0.0):
    network = MLP(1, 32, 32, 1, activation="tanh", init="lecun", rng=seed)
    network.layers[-1].bias.data = np.full(1, bias, np.float32)
    return network


def ward(seed):
    x, y, X, labels = material(seed)
    Y, rate, each = y[:, None], np.maximum(y[:, None] + 0.8, 0), np.arange(256)
    one, other = (MLP(64, 64, 10, init="he", rng=seed) for _ in range(2))

    def squares(out):
        return ((out - Y) ** 2).mean()

    return {
        "healthy": loop(squares, small(seed), x),
        "healthy digits": loop(lambda z: -np.log(softmax(z)[each, labels]).mean(), one, X, lr=1),
        "broadcast": loop(lambda out: ((out - y) ** 2).mean(), small(seed), x),
        "two softmaxes": loop(lambda z: -np.log(softmax(softmax(z))[each, labels]).mean(), other, X, lr=1),
        "cut graph": loop(lambda out: (np.abs(out - Y) > 0.1).mean(), small(seed), x),
        "other network": loop(squares, small(seed), x, made_for=small(seed)),
        "log below 0": loop(lambda out: (out - rate * np.log(out)).mean(), small(seed, bias=3.0), x),
        "no zero_grad": loop(squares, small(seed), x, forget=False),
        "sum for mean": loop(lambda out: ((out - Y) ** 2).sum(), small(seed), x),
    }


loops = ward(seed)
SICK = list(loops)[2:]
for name in SICK:
    curve, _, said = loops[name]
    print(f"{name:15} {curve[0]:6.2f} … {curve[-1]:<8.3g} {len(curve):3} steps   {said[0][:80] if said else 'silent'}")

# %% [markdown]
# ## Figure
# Each curve beside a healthy one in grey, where there is one of its kind. A cross is the last number before a loop broke off.


# %%
def sheet(loops, names):
    """One panel for each of the loops, under these names."""
    with figures.style():
        panels = (fig := Figure(figsize=(10, 4.8))).subplots(2, 4).ravel()
        figures.say(fig, "Of each loop the loss at its first step … and at its last")
        for ax, (loop, name) in zip(panels, names.items()):
            curve = np.array(loops[loop][0])
            twin = {"two softmaxes": "healthy digits", "cut graph": None, "log below 0": None}.get(loop, "healthy")
            if twin:
                ax.plot(np.arange(STEPS) + 1, loops[twin][0], color="#A0A0A0", ls="--")
            finite = curve[np.isfinite(curve)]
            ax.plot(np.arange(len(finite)) + 1, finite, color=figures.colour("mse")[0])
            if len(curve) < STEPS:
                ax.plot(len(finite), finite[-1], "x", color="#404040")
            ax.set(yscale="log", xlabel="step", ylabel="loss", xlim=(-15, STEPS + 15))
            ax.yaxis.set(major_formatter="{x:g}", minor_formatter="")
            ax.set_title(figures.say(ax, "{name}: {a:.3g} … {b:.3g}", name=name, a=curve[0], b=curve[-1]))
            figures.note(ax, **{name: [*curve[::10], curve[-1]]})
        panels[-1].axis("off")
    return fig


show(sheet(loops, {name: name for name in SICK}), "ward")

# %% [markdown]
# What was said so far was said from inside: NumPy named a symptom, the engine what it saw of a step. Now with somebody who
# looks. The same mistakes through `minigrad.losses`, whose losses refuse what cannot be meant, and through `fit`, which
# also says what it finds strange. (`fit` cannot forget `zero_grad`; in a loop of your own `backward` speaks.)


# %%
@loss
def missed(pred, target):
    return 1.0 * (np.abs(pred - target) > 0.1)


@loss
def rate_error(pred, target):
    return pred - target * np.log(pred)


x, y, X, labels = material(seed)
mse, rate, above = losses.get("mse"), np.maximum(y + 0.8, 0), (y > 0).astype(int)
whole = {"optimizer": "sgd", "lr": 0.05, "batch_size": 64}
spoken = {
    "broadcast": heard(lambda: mse(small(seed)(x), y)),
    "two softmaxes": heard(lambda: losses.get("cross_entropy")(ops.softmax(MLP(64, 10, rng=0)(X)), labels)),
    "cut graph": heard(lambda: missed(small(seed)(x), y[:, None]).backward()),
    "other network": heard(lambda: fit(small(seed), (x, y), loss="mse", optimizer=SGD(small(seed).parameters()))),
    "log below 0": heard(lambda: fit(small(seed, 3.0), (x, rate), loss=rate_error, epochs=STEPS, **whole)),
    "no zero_grad": loops["no zero_grad"][-1],
    "sum for mean": heard(lambda: fit(small(seed), (x, y), loss=mse.with_(reduction="sum"), epochs=1, **whole)),
}
for name in SICK:
    print(f"{name}\n    {spoken[name][0]}")

# %% [markdown]
# A direct call of a loss never guesses. `fit` owns the data, and brings two things into line that can be meant in one way
# only: targets (64,) beside one output, and labels 0 and 1 for a loss that reads −1 and +1.

# %%
print("directly:", *heard(lambda: mse(small(seed)(x), y)))
print("by fit:  ", fit(small(seed), (x, y), loss="mse", epochs=1).best)
print("directly:", *heard(lambda: losses.get("hinge")(small(seed)(x), above[:, None])))
print("by fit:  ", fit(small(seed), (x, above), loss="hinge", epochs=1).best)

# %% [markdown]
# ## The way back
# What does the broadcast loss say to a sample? It takes every prediction less *every* target, and the mean of these numbers pulls
# prediction i by 2(pᵢ − ȳ)/n: not a word of its own target. So all predictions go to the mean, and there the loss is the
# variance. `diff` compares it with MSE on the network that it has made.

# %%
out = Tensor(loops["broadcast"][1](x).numpy(), requires_grad=True)
((out - y) ** 2).mean().backward()
apart = np.abs(out.grad.numpy() - 2 * (out.numpy() - y.mean()) / 64).max()


@loss
def to_the_mean(pred, target):
    return (pred - np.mean(target)) ** 2


print(diff(loops["broadcast"][1], "mse", to_the_mean, x, y))

# %% [markdown]
# ## Measured

# %%
end = {name: curve[-1] for name, (curve, *_) in loops.items()}
rises = {name: np.mean(np.diff(loops[name][0]) > 0) for name in ("healthy", "no zero_grad")}
fact("silent", sum(not loops[name][-1] for name in SICK), "of seven sick loops {value} run without any message")
fact("healthy", end["healthy"] / y.var(), "the healthy loop ends at {value:.3f} of the targets' variance")
fact("flat", end["broadcast"] / y.var(), "the broadcast one at {value:.3f} of it")
fact("spread", out.numpy().std() / y.std(), "where the predictions spread {value:.4f} times as far as the targets")
fact("sent", apart, "it sends each sample 2(pᵢ − ȳ)/n, up to {value:.0e}")
floor = np.log(np.e + 9) - 1
fact("two_softmaxes", end["two softmaxes"], f"two softmaxes end at {{value:.3f}}, above ln(e + 9) − 1 = {floor:.3f}")
fact("one_softmax", end["healthy digits"], "one ends at {value:.3f}")
fact("sum_lasts", len(loops["sum for mean"][0]), "summed instead of averaged, the loop lasts {value} steps")
fact("rises", rises["no zero_grad"], "without zero_grad {value:.0%} of the steps go up: a swing without friction")
fact("rises_healthy", rises["healthy"], "in the healthy loop {value:.0%} do")

# %% [markdown]
# ## Practice
# Seven patients have come in overnight, from another ward: other data, other weights, the same seven diseases, one each. What
# does each of them have? What a library would have said is told after your answer.

# %%
night, letters = ward(seed + 1000), "ABCDEFG"
patients = dict(zip(letters, np.random.default_rng(seed).permutation(SICK).tolist()))
show(sheet(night, {name: f"Patient {letter}" for letter, name in patients.items()}), "patients")
SIGNS = {
    "broadcast": "then it would fall at once to the variance of the targets and lie there",
    "two softmaxes": "then it would start near ln 10 and come to rest above ln(e + 9) − 1",
    "cut graph": "then it would end with its first point, in an error",
    "other network": "then no step would change it: a level line from its first point on",
    "log below 0": "then it would fall as if healthy, and break off on the way",
    "no zero_grad": "then it would rise in every other step, and never come to rest",
    "sum for mean": "then it would grow at every step, and break off after a dozen of them",
}


def asked(letter):
    truth = patients[letter]
    return {"truth": truth, "choices": SICK, "wrong": {name: SIGNS[name] for name in SICK if name != truth}}


def told(letter, verdict):
    if verdict.mark != "open":
        print("  ", spoken[patients[letter]][0])


told("A", check("patient_A", ..., **asked("A")))
told("B", check("patient_B", ..., **asked("B")))
told("C", check("patient_C", ..., **asked("C")))
told("D", check("patient_D", ..., **asked("D")))
told("E", check("patient_E", ..., **asked("E")))
told("F", check("patient_F", ..., **asked("F")))
told("G", check("patient_G", ..., **asked("G")))

# %% [markdown]
# ## Remember
# A falling loss proves little. Compare its end with what a constant reaches, let a library check shapes and kinds, and look at
# the predictions. Most diseases have a sign on the curve.
