"""The lint finds what is wrong with a figure, and finds nothing in ours: at two sizes, with small, normal and hostile data."""

import functools
import itertools
import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minigrad import MLP, Tensor, diff, figures, fit, loss, losses, ops, trace
from minigrad.comparison import Comparison, Run
from minigrad.figures.palette import BLUE, SIGNED
from minigrad.testing import check_loss
from tests.figure_lint import lint

LONG = tuple(f"a_loss_whose_name_is_forty_letters_{i:04d}" for i in range(12))


@loss(pred="logit", target="unit")
def half_mse_sigmoid(pred, target):
    return 0.5 * (ops.sigmoid(pred) - target) ** 2


# --- the lint itself --------------------------------------------------------------------------------------------------
def ready():
    """A figure with nothing wrong, and its axes."""
    with figures.style():
        fig = Figure(figsize=(5, 4), layout="constrained")
        ax = fig.subplots()
        ax.plot([1, 2, 3], [0.1, 1, 100], color=BLUE, label="mse")
        ax.set(xlabel="step", ylabel="‖gradient‖", yscale="log")
        ax.set_title(figures.say(ax, "The gradient grows from {low} to {high} in three steps", low=0.1, high=100))
        figures.say(ax, "One line, of mse")
    return fig, ax


def test_a_sound_figure_has_no_faults():
    assert lint(ready()[0]) == []


def say_text(ax, x, y, words, **looks):
    return ax.text(x, y, figures.say(ax, words), transform=ax.transAxes, fontsize=8, **looks)


def overlapping(fig, ax):
    say_text(ax, 0.2, 0.8, "one sentence that is written here")
    say_text(ax, 0.25, 0.8, "another one in the same place")


def crossed(fig, ax):
    say_text(ax, 0.45, 0.33, "a line goes through this")
    ax.plot([1, 3], [0.1, 100], color=BLUE, ls="--", label="other")


def cut_off(fig, ax):
    say_text(ax, 0.9, 0.1, "a sentence that leaves the canvas at the right").set_in_layout(False)


def unlabelled(fig, ax):
    ax.set_xlabel("")


def tiny(fig, ax):
    say_text(ax, 0.1, 0.9, "small print").set_fontsize(6)


def without_number(fig, ax):
    ax.set_title(figures.say(ax, "The gradient grows"))


def unsaid(fig, ax):
    ax.text(0.1, 0.9, "made up: 42", transform=ax.transAxes, fontsize=8)


def speechless(fig, ax):
    fig._minigrad["said"] = []
    fig._minigrad["written"].append(ax.get_title())


def gaudy(fig, ax):
    ax.plot([1, 2], [1, 1], color="#FF00FF", ls=":", label="magenta")


def twins(fig, ax):
    ax.plot([1, 2], [1, 50], color="#006AA6", label="mae")


def linear(fig, ax):
    ax.set_yscale("linear")


def lopsided(fig, ax):
    ax.imshow([[-1, 2]], cmap=SIGNED, vmin=-1, vmax=2, extent=(1.2, 1.4, 1, 2), aspect="auto")
    ax.set(xlim=(1, 3), ylim=(0.1, 100))


def dark(fig, ax):
    ax.add_patch(Rectangle((1.2, 1), 0.5, 1, fc="#123456", ec="none"))


SPOILED = [
    (overlapping, r"overlap: 'one sentence .*' and 'another one .*' share \d+ px²"),
    (crossed, "overlap: a line crosses 'a line goes through this', which has no halo"),
    (cut_off, "clipped: 'a sentence that leaves the canvas at the right' leaves the canvas"),
    (unlabelled, "labels: the x axis of .* has ticks and no label"),
    (tiny, "labels: 'small print' is written in 6 points"),
    (without_number, "numbers: the title 'The gradient grows' has no number"),
    (unsaid, "numbers: 'made up: 42' did not come through say"),
    (speechless, "alt: expected at least 60 letters, got 0"),
    (gaudy, "colours: #ff00ff is neither of the palette nor grey"),
    (dark, "colours: #123456 is neither of the palette nor grey"),
    (twins, "colours: 'mse' and 'mae' cannot be told apart in grey"),
    (linear, "scales: the y axis '‖gradient‖' holds gradient sizes and is linear"),
    (lopsided, "scales: a diverging map from -1 to 2 is not symmetric about 0"),
]


@pytest.mark.parametrize(("spoil", "fault"), SPOILED, ids=[spoil.__name__ for spoil, _ in SPOILED])
def test_a_spoiled_figure_is_found(spoil, fault):
    fig, ax = ready()
    spoil(fig, ax)
    found = lint(fig)
    assert any(re.fullmatch(fault, one) for one in found), found


# --- the data ---------------------------------------------------------------------------------------------------------
def comparison(
    names=("mse", "mae", "huber"), seeds=10, lrs=(0.001, 0.01, 0.1), shift=0.03, scale=1.0, lost=(), epochs=5
):
    rng = np.random.default_rng(0)
    runs = []
    for (i, name), lr, seed in itertools.product(enumerate(names), lrs, range(seeds)):
        value = scale * (0.5 + shift * i + 0.01 * rng.standard_normal() + 0.01 * abs(np.log10(lr) + 2))
        curve = tuple(value * (1 + np.exp(-np.arange(float(epochs)))))
        runs.append(Run(name, lr, seed, value, value, value, scale, 0.9 * scale, lr in lost, curve, 0.1, 0.9 * scale,
                        scale * (1 + i) * (1 + seed)))  # fmt: skip
    return Comparison(runs, names, lrs, range(seeds), metric="mae", title="Made up")


def points(n=60, rng=0):
    g = np.random.default_rng(rng)
    x, y = g.standard_normal((n, 2)), np.arange(n) % 2
    return x + 1.2 * y[:, None], y


@functools.cache
def run(epochs=4, sizes=(2, 8, 8, 1), metrics=("accuracy",), validation=0.3, n=60, **options):
    model = MLP(*sizes, activation="tanh", init="lecun", rng=0)
    return fit(
        model,
        points(n),
        loss="bce_with_logits",
        epochs=epochs,
        metrics=metrics,
        validation=validation,
        progress=False,
        **options,
    )


def network(*hidden, scale=1.0, activation="tanh"):
    model = MLP(2, *hidden, 1, activation=activation, rng=0, dtype=np.float64)
    model.layers[0].weight.data = model.layers[0].weight.data * scale
    return model


def traced(model, n=60, also=(), sample="worst"):
    x, y = points(n)
    return trace(model, "bce_with_logits", x, y, also=also, sample=sample)


def compared(a, b, n=60, hidden=(8, 8), scale=1.0):
    x, y = points(n)
    return diff(network(*hidden), a, scale * losses.get(b), x, y)


def chain(n):
    a = Tensor(np.float64(0.5), requires_grad=True)
    s = a
    for i in range(n):
        s = np.tanh(s * a + 0.1 * i)
    return s


def backed(t):
    t.backward(retain_graph=True)
    return t


def mlp_loss(*sizes):
    x, y = points(20)
    return losses.get("bce_with_logits")(
        MLP(2, *sizes, 1, activation="tanh", rng=0)(Tensor(x.astype(np.float32))), y.reshape(-1, 1)
    )


def named(text):
    @loss
    def made(pred, target):
        return np.abs(pred - target) ** 1.5

    return made.named(text)


@loss(grad=lambda pred, target: pred - target, claims="symmetric")
def planted(pred, target):
    return (pred - target) ** 3


@loss(pred="prob", target="unit", coupled=True)
def dice(pred, target):
    return 1 - 2 * np.sum(pred * target, 0) / np.sum(pred + target, 0)


G = np.random.default_rng(1)
LOUD = np.exp(1.5 * G.standard_normal(200))
MARKED = np.arange(200) < 20
WIDE = 10.0 ** np.linspace(-12, 12, 200)
P = G.beta(0.6, 0.6, 300)
HAPPENED = (G.uniform(size=300) < P**1.4).astype(int)

CASES = {
    "race": (figures.race, {
        "normal": lambda: comparison(), "one loss": lambda: comparison(("mse",)), "one seed": lambda: comparison(seeds=1),
        "one rate": lambda: comparison(lrs=(0.01,)), "twelve long names": lambda: comparison(LONG), "equal": lambda: comparison(shift=0.0),
        "tiny": lambda: comparison(scale=1e-12), "huge": lambda: comparison(scale=1e12), "lost": lambda: comparison(lost=(0.1,)),
        "all lost": lambda: comparison(lost=(0.001, 0.01, 0.1)), "ten rates": lambda: comparison(lrs=tuple(np.round(np.logspace(-4, 0, 10), 5))),
        "one epoch": lambda: comparison(epochs=1)}),
    "history": (figures.history, {
        "normal": run, "no metric": lambda: run(metrics=()), "one epoch": lambda: run(epochs=1), "no validation": lambda: run(validation=None),
        "four metrics": lambda: run(metrics=("accuracy", "f1", "precision", "recall"))}),
    "depth": (figures.depth, {
        "normal": lambda: {"bce_with_logits": run(), "bce, deep": run(sizes=(2, *[6] * 8, 1))}, "one layer, one step": lambda: run(epochs=1, sizes=(2, 1), batch_size=64),
        "six long names": lambda: dict.fromkeys(LONG[:6], run())}),
    "shapes": (figures.shapes, {
        "normal": lambda: ["mse", "mae", "huber"], "one": lambda: "mse", "all": lambda: [n for n in losses.names() if losses.get(n).pred == "real"],
        "twelve long names": lambda: [named(name) for name in LONG], "nearly nothing": lambda: [1e-12 * losses.get("mse"), 1e12 * losses.get("mae")]}),
    "shares": (lambda data, fig: figures.shares(*data, fig=fig), {
        "normal": lambda: ({"cross_entropy": LOUD * np.where(MARKED, 8, 1), "mae": LOUD**0.2}, MARKED), "one sample": lambda: ([1.0],),
        "twelve long names": lambda: ({name: LOUD for name in LONG}, MARKED), "equal": lambda: (np.ones(50),), "silent": lambda: ({"hinge": np.zeros(50)},),
        "a nan": lambda: ({"mse": np.where(MARKED, np.nan, LOUD)},), "wide": lambda: ({"mse": WIDE}, MARKED)}),
    "reliability": (lambda data, fig: figures.reliability(*data, ax=fig and fig.subplots()), {
        "normal": lambda: (P, HAPPENED), "one sample": lambda: ([0.7], [1]), "sure": lambda: (np.ones(20), np.zeros(20)),
        "rows": lambda: (np.random.default_rng(0).dirichlet(np.ones(4), 90), np.arange(90) % 4)}),
    "trace": (figures.trace, {
        "normal": lambda: traced(network(8, 8), also=[half_mse_sigmoid, "hinge"]), "one sample": lambda: traced(network(8), n=1), "one layer": lambda: traced(network()),
        "twelve layers": lambda: traced(network(*[8] * 11, activation="relu"), also=["hinge"]), "tiny": lambda: traced(network(8, scale=1e-12)),
        "huge": lambda: traced(network(8, scale=1e12, activation="relu")), "dead": lambda: traced(network(8, scale=1e5)), "wide": lambda: traced(network(400, 400)),
        "twelve long names": lambda: traced(network(8), also=[losses.get("bce_with_logits").named(name) for name in LONG]),
        "silent": lambda: traced(network(8), also=[0.0 * losses.get("hinge")])}),
    "diff": (figures.diff, {
        "normal": lambda: compared("bce_with_logits", "hinge"), "one sample": lambda: compared("bce_with_logits", "hinge", n=1), "equal": lambda: compared("hinge", "hinge"),
        "twelve layers": lambda: compared("bce_with_logits", "squared_hinge", hidden=[8] * 11), "tiny": lambda: compared("bce_with_logits", "hinge", scale=1e-12),
        "silent": lambda: compared("bce_with_logits", "hinge", scale=0.0), "regression": lambda: diff(MLP(2, 4, 1, rng=0), "mse", "mae", points()[0], points()[0][:, 0]),
        "classes": lambda: diff(MLP(2, 4, 3, rng=0), "cross_entropy", "multi_margin", points()[0], np.arange(60) % 3)}),
    "graph": (lambda data, fig: figures.graph(data), {
        "normal": lambda: backed(mlp_loss(8, 8)), "before a backward": lambda: mlp_loss(8), "one": lambda: Tensor([1.0, 2.0], requires_grad=True).sum(),
        "a leaf": lambda: Tensor(1.0, requires_grad=True), "folded": lambda: backed(mlp_loss(*[8] * 11)), "a long chain": lambda: backed(chain(12)), "longer": lambda: backed(chain(80))}),
    "card": (lambda data, fig: figures.card(check_loss(data), fig=fig), {
        "normal": lambda: "huber", "a score": lambda: "bce_with_logits", "classes": lambda: "cross_entropy", "a fault": lambda: planted, "coupled": lambda: dice,
        "a long name": lambda: named(LONG[0])}),
}  # fmt: skip
RARE = {
    "one rate",
    "tiny",
    "ten rates",
    "all",
    "classes",
    "a score",
    "a long name",
    "wide",
    "one layer",
    "longer",
    "folded",
    "equal",
}
ALL = [
    pytest.param(name, case, marks=[pytest.mark.slow] if case in RARE else [])
    for name, (_, cases) in CASES.items()
    for case in cases
]
LARGE = (14.0, 6.5)


@pytest.mark.parametrize(("name", "case"), ALL)
def test_nothing_is_wrong_with_a_figure(name, case):
    draw, cases = CASES[name]
    assert lint(draw(cases[case](), fig=None)) == []


@pytest.mark.parametrize("name", sorted(CASES))
def test_nothing_is_wrong_with_a_figure_that_is_made_smaller_afterwards(name):
    draw, cases = CASES[name]
    fig = draw(cases["normal"](), fig=None)
    fig.set_size_inches(0.8 * fig.get_size_inches())
    assert lint(fig) == []


@pytest.mark.slow
@pytest.mark.parametrize("size", [(7, 3.5), (8, 4), (10, 3.6), (16, 9)])
@pytest.mark.parametrize("name", sorted(set(CASES) - {"graph"}))  # which is as large as its graph
def test_nothing_is_wrong_with_a_figure_in_a_page_of_any_size(name, size):
    draw, cases = CASES[name]
    assert lint(draw(cases["normal"](), fig=Figure(figsize=size))) == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "case"), ALL)
def test_nothing_is_wrong_with_any_figure_of_another_size(name, case):
    draw, cases = CASES[name]
    assert lint(draw(cases[case](), fig=Figure(figsize=LARGE))) == []


def test_several_comparisons_on_one_page_do_not_get_into_each_others_way():
    assert lint(figures.races([comparison(), comparison(("cross_entropy", "mse")), comparison(LONG[:3])])) == []
