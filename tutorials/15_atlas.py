"""Every loss, one sample.

Question: What does each loss write into the network?
Builds on: 06 (trace); 13, if you want your own loss to appear here.
Data: one sample for each kind of prediction.
Takes: 4 seconds.
"""

# %% [markdown]
# ## Question
# A loss writes one number to each output of the network, δ; everything behind it is the same code and the same network for
# every loss. So all losses that there are fit on one page: what does each of them write?
#
# There is one network, 4-16-16-outputs with tanh, untrained, and one sample for each kind of prediction. Losses of installed
# packs are here too.

# %%
import numpy as np

from minigrad import MLP, figures, losses, nn, trace
from minigrad.lesson import check, fact, predict, rng, show

# %% [markdown]
# ## Predict

# %%
predict("log_cosh", ..., "log_cosh is between mse and mae. From which error on does it push like mae, to 99 %?")
predict("focal", ..., "A sample with p_y = 0.9: how many times less does focal hear it than bce_with_logits?")

# %% [markdown]
# ## Experiment
# Six sections, by what a prediction is: a network, an input and a target for each.


# %%
class Score(nn.Module):
    """The only column as a number."""

    def forward(self, x):
        return x[..., 0]


def network(outputs, *end):
    body = MLP(4, 16, 16, outputs, activation="tanh", init="lecun", rng=rng(), dtype=np.float64)
    return nn.Sequential(body, *end)


points = np.random.default_rng(rng()).standard_normal((3, 4))
SECTIONS = ["real numbers", "two heads", "one score", "five scores", "log probabilities", "pairs and triplets"]
LABEL, ROW = np.array([2]), np.array([[0.7, 0.2, 0.1, 0, 0]])


def place(loss):
    """Section, network, input and target of a loss."""
    one, roles = points[:1], points[None, : len(loss.heads)] if loss.heads else points[:1]
    yes = None if loss.target == "none" else np.array([1])
    match loss.pred, loss.target:
        case "real", _:
            return SECTIONS[0], network(1), one, np.array([3])
        case "params", "real" | "positive" | "count":
            return SECTIONS[1], network(len(loss.heads) or 2), one, np.array([3])
        case (("logit" | "prob"), _):
            return SECTIONS[2], network(1, *[nn.Sigmoid()] * (loss.pred == "prob")), one, yes
        case "logits", _:
            return SECTIONS[3], network(5), one, LABEL
        case "log_probs", target:
            return SECTIONS[4], network(5, nn.LogSoftmax()), one, ROW if target == "simplex" else LABEL
        case "embedding", _:
            return SECTIONS[5], network(3), roles, yes
        case "params", "sign":
            return SECTIONS[5], network(1, Score()), roles, yes
    raise LookupError(f"no section for predictions of kind {loss.pred!r} with targets of kind {loss.target!r}")


# %% [markdown]
# Every loss that is registered is traced. What cannot be is listed with the reason.

# %%
ways, without, fitted = {section: {} for section in SECTIONS}, {}, {}
for name in losses.names():
    loss = losses.get(name)
    try:
        section, model, x, y = place(loss)
        fitted[name] = loss if y is None else loss.fitted_to(y)
        ways[section][name] = trace(model, fitted[name], x, y, sample=0)
    except (ValueError, TypeError, LookupError, RuntimeError) as error:
        without[name] = str(error)
way = {name: each for found in ways.values() for name, each in found.items()}


def sent(name, pred, target, **params):
    """δ of a loss at any prediction."""
    return losses.get(name, **params).value_and_grad(np.array(pred), np.array(target), reduction="none")[1]


def delta(name):
    return np.array(way[name].rows[0].gradient)


# %% [markdown]
# What there is to say about each, in one sentence with one number, which is computed here.

# %%
r = np.linspace(0, 5, 5001)
tanh = sent("log_cosh", r, np.zeros_like(r))
gap = way["mse"].pred[0] - 3
likely = np.log([0.9 / 0.1, 0.1 / 0.9])
heard = sent("focal", likely, [1, 1]) / sent("bce_with_logits", likely, [1, 1])
log_p = np.array([way["kl_div"].pred])
entropy = losses.get("cross_entropy")(log_p, ROW).item() - losses.get("kl_div")(log_p, ROW).item()
_, positive, negative = delta("triplet_margin").reshape(3, 3)
turn, vector = delta("cosine_embedding")[:3], np.array(way["cosine_embedding"].pred[:3])
SAYS = {
    "mse": (sent("mse", 2.0, 0.0) / sent("mse", 1.0, 0.0),
        "sends 2r: an error twice as large pulls {value:g} times as hard"),
    "mae": (delta("mae")[0], "sends −1 or +1, whatever the error: here {value:+g}"),
    "huber": (delta("huber")[0],
        f"sends r up to delta, then delta: here {{value:+g}}, where half of mse would send {gap:+.2f}"),
    "smooth_l1": (sent("smooth_l1", 0.1, 0.0, beta=0.5) / sent("huber", 0.1, 0.0),
        "is huber divided by beta: at beta = ½ {value:g} times as steep inside, the same ±1 outside"),
    "log_cosh": (r[np.argmax(tanh >= 0.99)], "sends tanh r: 99 % of mae's push from |r| = {value:.2f} on"),
    "quantile": (sent("quantile", 1.0, 0.0) - sent("quantile", -1.0, 0.0),
        "sends 1 − q when too high, −q when too low, whatever the error: {value:g} apart"),
    "poisson_nll": (delta("poisson_nll")[0], "sends expected minus observed, e^z − y = {value:.3f}"),
    "gaussian_nll": (delta("gaussian_nll")[0] / (way["gaussian_nll"].pred[0] - 3),
        "the mean listens e^−s = {value:.3f} times as much as under ½ mse; the variance is content when r² = e^s"),
    "bce_with_logits": (delta("bce_with_logits")[0], "sends p − y = {value:.3f}, never more than 1"),
    "bce": (way["bce"].rows[0].leaves,
        "sends 1/p_y, and the sigmoid takes p(1 − p) back: |p − y| = {value:.3f} arrives"),
    "hinge": (abs(delta("hinge")[0]), "sends {value:g}, and nothing once s·z ≥ margin"),
    "squared_hinge": (abs(delta("squared_hinge")[0]), "sends twice what is missing from the margin: {value:.3f}"),
    "focal": ([1 / heard[0], heard[1]],
        "hears a sample with p_y = 0.9 {value[0]:.1f} times less than bce_with_logits, one with 0.1 {value[1]:.2f} times more"),
    "cross_entropy": (np.abs(delta("cross_entropy")).sum(),
        "sends p − e: what the true class gains, the others pay, in all 2(1 − p_y) = {value:.3f}"),
    "multi_margin": (np.unique(delta("multi_margin"))[-1],
        "gives each rival inside the margin 1/K = {value:g}, the others exactly 0"),
    "nll": (way["nll"].rows[0].leaves,
        "sends −1 to one entry; the log-softmax makes p − e of it, of length {value:.3f}"),
    "kl_div": (entropy, "sends −t: the gradient of cross_entropy, the value less by the entropy of t, {value:.3f}"),
    "margin_ranking": (np.linalg.norm(delta("margin_ranking")),
        "one up, one down by 1, or nothing: here of length {value:.3f}"),
    "triplet_margin": ([np.linalg.norm(positive), np.linalg.norm(negative)],
        "the three rows sum to 0; the pushes on positive and negative have lengths {value[0]:g} and {value[1]:g}"),
    "cosine_embedding": (np.linalg.norm(turn) * np.linalg.norm(vector),
        "each push stands at right angles to its own vector: it turns, by the sine of the angle, {value:.3f}"),
}  # fmt: skip


def general(name, first):
    """The sentence of a loss that has none of its own, against the first of its section."""
    start, other = way[name].start, way[first].start
    if not start or not other:
        return f"sends {start:.3g}"
    return f"sends {start:.3g}, {max(start, other) / min(start, other):.3g} times {'more' if start > other else 'less'} than {first}"


# %% [markdown]
# ## Figure
# One for each section: the same network, the same sample, every loss a line from the loss to the input.


# %%
together, spreads = {}, {}
for section in SECTIONS:
    groups = {}
    for name in ways[section]:
        loss = losses.get(name)
        groups.setdefault((loss.pred, loss.heads, loss.target == "none"), []).append(name)
    first, *others = max(groups.values(), key=lambda group: (len(group), len(losses.get(group[0]).heads)))
    _, model, x, y = place(losses.get(first))
    together[section] = trace(model, fitted[first], x, y, sample=0, also=[fitted[name] for name in others])
    ratios = [np.divide(together[section].lengths, other.lengths) for other in together[section].also if other.start]
    spreads[section] = [float(each.max() / each.min() - 1) for each in ratios]
    show(figures.trace(together[section]), section.replace(" ", "_"))

# %% [markdown]
# ## The way back
# Section by section. In those with one output the lines of all losses are parallel: a loss sets the first number, and the
# rest is the network's. With several outputs each loss also chooses a direction, and the lines may part.

# %%
for section in SECTIONS:
    print(f"\n== {section}\n{together[section]}\n")
    for name in ways[section]:
        print(f"{name:18} δ = {delta(name).round(3)}")
        if name not in SAYS:
            print(f"{'':18} {general(name, next(iter(ways[section])))}")
    if spreads[section]:
        print(f"the lines of two losses are parallel, up to a share of {max(spreads[section]):.1g}")
for name, reason in without.items():
    print(f"{name}: {reason}")

# %% [markdown]
# ## Measured

# %%
for name, (value, sentence) in SAYS.items():
    fact(name, value, sentence)
fact("rows", len(way), "losses on this page: {value}")
most = max(spreads["real numbers"] + spreads["one score"])
fact("parallel", most, "with one output all losses differ by one factor, up to a share of {value:.0e}")

# %% [markdown]
# ## Practice
# 1. The target is +1, the score z = 1.5. What does hinge send?

# %%
kept = "the margin is kept"
check("hinge_kept", ..., sent("hinge", 1.5, 1.0), wrong={1: kept, -1: kept, -0.5: kept, 0.5: kept})

# %% [markdown]
# 2. `quantile(quantile=0.9)`, and the prediction is too low. What does it send?

# %%
low = sent("quantile", -1.0, 0.0, quantile=0.9)
check("quantile_low", ..., low, wrong={
    0.1: "that is what too high gets", -0.1: "the sign is right, but so much is what too high gets", -1: "that is MAE",
})  # fmt: skip

# %% [markdown]
# 3. gaussian_nll: the variance is said to be four times as large, log_var rises by ln 4. Which part of its push on the mean is
#    left?

# %%
push = [sent("gaussian_nll", [[1.0, s]], [0.0])[0, 0] for s in (np.log(4), 0.0)]
check("quarter", ..., push[0] / push[1], wrong={1 / 2: "that would be the standard deviation"})

# %% [markdown]
# 4. The residuals are −2, −0.2, 0.2 and 2. Which loss sent (−1, −0.2, 0.2, 1)? And (−1, −1, 1, 1)? And (−0.9, −0.9, 0.1, 0.1)?
#    And (−4, −0.4, 0.4, 4)? And (−0.96, −0.2, 0.2, 0.96)?

# %%
who = ["huber", "mae", "quantile", "mse", "log_cosh"]
for i, name in enumerate(who, 1):
    others = {other: f"look at what {other} says to ±0.2 and to ±2" for other in who if other != name}
    check(f"who_{i}", ..., name, choices=sorted(who), wrong=others)

# %% [markdown]
# ## Remember
# One page holds every loss, because a loss has no more to say than δ. Whether it grows with the error, stays or stops, and
# how it is shared among the outputs: that is all that a loss can choose.
