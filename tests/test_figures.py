"""What a figure says is what is plotted, and both are what NumPy says."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from minigrad import MLP, Tensor, diff, figures, fit, losses, trace
from minigrad.engine.errors import GradientError
from minigrad.testing import check_loss
from tests.test_figures_lint import backed, comparison, mlp_loss, network, planted, points, run, traced


def curves(ax):
    """Plotted lines by label, as (x, y)."""
    return {
        line.get_label(): (np.array(line.get_xdata(), float), np.array(line.get_ydata(), float)) for line in ax.lines
    }


# --- saying -----------------------------------------------------------------------------------------------------------
def test_say_formats_and_records():
    fig = Figure()
    ax = fig.subplots()
    assert figures.say(ax, "MSE {share:.0%}", share=np.float64(0.34)) == "MSE 34%"
    assert figures.say(ax, "of {n}", alt=False, n=41) == "of 41"
    figures.note(ax, drawn=np.arange(3))
    assert figures.numbers(fig) == {"share": 0.34, "n": 41, "drawn": [0, 1, 2]}
    assert type(figures.numbers(fig)["share"]) is float
    assert figures.alt(fig) == "MSE 34%."
    with pytest.raises(KeyError):
        figures.say(ax, "{missing}")


def test_numbers_of_a_part_are_those_of_the_whole_figure():
    fig = Figure()
    part = fig.subfigures(1, 2)[0]
    figures.say(part.subplots(), "{n} points", n=3)
    assert figures.numbers(fig) == figures.numbers(part) == {"n": 3}
    assert figures.numbers(Figure()) == {}


# --- looks ------------------------------------------------------------------------------------------------------------
def test_a_loss_looks_the_same_in_every_figure():
    assert (
        figures.looks(["mae", "mse"])["mse"] == figures.looks(["mse", "cubic"])["mse"] == (*figures.colour("mse"), "o")
    )
    assert figures.colour("huber(delta=3.0)") == figures.colour(losses.get("huber"))


def test_no_two_losses_of_a_figure_look_alike():
    names = [*losses.names(), *(f"here:own_{i}" for i in range(60)), "huber(delta=3)"]
    looks = figures.looks(names)
    assert list(looks) == names
    assert len(set(looks.values())) == len(names)


def test_other_losses_take_free_looks_in_order_of_name():
    assert figures.looks(["b", "a"])["a"] == figures.looks(["a"])["a"] == figures.looks(["a", "c"])["a"]
    assert figures.looks(["mse", "a"])["a"] != figures.looks(["mse", "a"])["mse"]


@pytest.mark.parametrize("name", losses.names("minigrad"))
def test_every_built_in_has_a_look_of_its_own(name):
    others = [figures.colour(other) for other in losses.names("minigrad") if other != name]
    assert figures.colour(name) not in others


# --- what a function leaves behind ------------------------------------------------------------------------------------
def test_drawing_changes_no_setting_of_matplotlib_and_opens_no_figure():
    before = dict(mpl.rcParams)
    figures.race(comparison())
    with figures.style():
        assert mpl.rcParams["legend.frameon"] is False
    assert dict(mpl.rcParams) == before
    assert mpl._pylab_helpers.Gcf.get_all_fig_managers() == []


def test_a_figure_that_is_given_is_drawn_into():
    fig = Figure(figsize=(6, 4))
    assert figures.history(run(), fig=fig) is fig
    ax = Figure().subplots()
    assert figures.reliability([0.2, 0.9], [0, 1], ax=ax) is ax.figure
    assert figures.graph(Tensor([1.0], requires_grad=True).sum(), ax=Figure(figsize=(6, 3)).subplots()).axes


def test_every_figure_can_be_saved_as_svg_with_the_same_bytes_each_time(tmp_path):
    found = []
    for name in ("a", "b"):
        with figures.style():
            figures.graph(backed(mlp_loss(4))).savefig(tmp_path / f"{name}.svg", metadata={"Date": None})
        found.append((tmp_path / f"{name}.svg").read_bytes())
    assert b"<svg" in found[0]
    assert found[0] == found[1]


# --- race -------------------------------------------------------------------------------------------------------------
def test_the_numbers_of_a_race_are_those_of_the_comparison():
    found = comparison()
    fig = figures.race(found)
    numbers = figures.numbers(fig)
    assert numbers["differences of mae"] == pytest.approx(found.differences("mae").tolist())
    assert numbers["rates of huber"] == pytest.approx([found.score("huber", lr) for lr in found.lrs])
    assert numbers["interval of mae"] == [found.row("mae").low, found.row("mae").high]
    assert numbers["best rate of mse"] == found.best_lr("mse")
    assert numbers["n"] == 10
    assert (numbers["first step of mae"], numbers["first step of huber"]) == (2, 3)
    named = [label.get_text() for label in fig.axes[0].get_yticklabels()]
    assert named == ["mse\nfirst gradient 1", "mae\nfirst gradient 2", "huber\nfirst gradient 3"]
    assert "First gradient, mse = 1: mae 2, huber 3." in figures.alt(fig)
    scores = np.array([found.score("mae", lr) for lr in found.lrs])
    assert numbers["tolerance of mae"] == (scores <= 1.05 * scores.min()).sum()
    medians = np.median([r.curve for r in found.best("mae")], 0)
    assert curves(fig.axes[2])["mae"][1] == pytest.approx(medians)


def test_the_best_rate_of_each_loss_is_boxed_and_lost_ones_are_hatched():
    found = comparison(lost=(0.1,))
    ax = figures.race(found).axes[0]
    boxed = [
        (patch.get_x() + patch.get_width() / 2, patch.get_y() + patch.get_height() / 2)
        for patch in ax.patches
        if not patch.get_hatch()
    ]
    assert [(round(x), round(y)) for x, y in boxed] == [
        (found.lrs.index(found.best_lr(name)), i) for i, name in enumerate(found.losses)
    ]
    assert sum(bool(patch.get_hatch()) for patch in ax.patches) == 3
    assert "hatched" in ax.get_xlabel()


def test_the_alternative_text_of_a_race_says_what_was_found():
    text = figures.alt(figures.race(comparison()))
    assert "mae: worse than mse." in text
    assert "Made up · 10 seeds." in text
    assert "3 losses compared at 3 learning rates." in text


@pytest.mark.parametrize(
    ("options", "said"),
    [({}, "worse, +"), ({"seeds": 3}, "3 seeds cannot show a difference; 6 are needed"), ({"shift": 0.0}, "no difference shown with 10 seeds")],
)  # fmt: skip
def test_a_race_says_better_or_worse_only_where_the_interval_excludes_0(options, said):
    ax = figures.race(comparison(**options)).axes[1]
    assert any(text.get_text().startswith(said) for text in ax.texts)


def test_several_comparisons_share_a_page():
    fig = figures.races([comparison(), comparison(("cross_entropy", "mse"))])
    assert len(fig.subfigs) == 2


# --- runs -------------------------------------------------------------------------------------------------------------
def test_the_curves_of_a_history_are_its_rows():
    record = run()
    fig = figures.history(record)
    drawn = curves(fig.axes[0])
    assert drawn["training"][1] == pytest.approx([row.loss for row in record.rows])
    assert drawn["validation"][1] == pytest.approx([row.validation["loss"] for row in record.rows])
    assert curves(fig.axes[1])["accuracy"][1] == pytest.approx([row.validation["accuracy"] for row in record.rows])
    assert f"epoch {record.best.epoch}" in fig.axes[0].get_title(loc="left")
    assert figures.numbers(fig)["least"] == record.best.validation["loss"]


def test_depth_shows_what_the_history_holds():
    record = run()
    fig = figures.depth({"bce": record})
    numbers = figures.numbers(fig)
    norms = np.array(list(record.gradient_norm.values()))
    assert np.array(numbers["gradient norms of bce"]) == pytest.approx(norms)
    assert fig.axes[0].collections[0].get_array().filled(0).ravel() == pytest.approx(norms.ravel())
    assert numbers["factor of bce"] == pytest.approx((norms[0, 0] / norms[-1, 0]) ** (1 / (len(norms) - 1)))
    assert np.array(numbers["first over last of bce"]) == pytest.approx(norms[0] / norms[-1])


# --- losses -----------------------------------------------------------------------------------------------------------
def test_shapes_are_value_slope_and_influence():
    fig = figures.shapes(["mse", "mae", "huber(delta=2.0)"], span=5)
    value, slope, loud = (curves(ax) for ax in fig.axes)
    r = value["mse"][0]
    assert value["mse"][1] == pytest.approx(r**2)
    assert slope["mae"][1] == pytest.approx(np.sign(r))
    assert slope["huber(delta=2.0)"][1] == pytest.approx(np.clip(r, -2, 2))
    some = (np.abs(r) > 0.5) & (np.abs(r) < 4)
    assert loud["mse"][1][some] == pytest.approx(2)
    assert loud["huber(delta=2.0)"][1][some] == pytest.approx(np.clip(r, -2, 2)[some] / r[some])
    numbers = figures.numbers(fig)
    assert [numbers[f"slope of {name} at 4"] for name in ("mse", "mae", "huber(delta=2.0)")] == pytest.approx([8, 1, 2])
    assert "What backward sends at r = 4: mse 8, mae 1, huber(delta=2.0) 2." in figures.alt(fig).replace("\xa0", " ")


def test_shapes_of_a_loss_without_residual_are_refused():
    with pytest.raises(
        ValueError,
        match=r"figures.shapes: expected losses on real numbers, got hinge \(pred='logit'\); check_loss draws",
    ):
        figures.shapes(["mse", "hinge"])


def test_a_card_draws_its_curves_and_lists_its_lines():
    record = check_loss(planted)
    fig = figures.card(record)
    curve = record.curves[0]
    assert curves(fig.axes[0])[curve.label][1] == pytest.approx(np.array(curve.value))
    assert curves(fig.axes[1])[curve.label][1] == pytest.approx(np.array(curve.gradient))
    words = [text.get_text() for text in fig.axes[-1].texts]
    assert all(row.name in words for row in record.rows)
    assert words.count("✗") == len(record.failed) > 0
    assert figures.numbers(fig)["failed"] == list(record.failed)
    assert f"✗ {record.failed[0]}: {record[record.failed[0]].text}" in figures.alt(fig)


@pytest.mark.parametrize(("height", "left_out"), [(5.0, 0), (3.0, 1)])
def test_a_card_in_a_low_figure_is_cut_and_shows_its_faults_first(height, left_out):
    record = check_loss(planted)
    fig = figures.card(record, fig=Figure(figsize=(9, height), layout="constrained"))
    words = [text.get_text() for text in fig.axes[-1].texts]
    assert all(name in words for name in record.failed)
    assert any(word.endswith("…") for word in words)
    assert sum(word.startswith("… and ") and word.endswith(" more") for word in words) == left_out


# --- samples ----------------------------------------------------------------------------------------------------------
def test_shares_are_a_lorenz_curve_with_its_gini():
    g = np.random.default_rng(0)
    sizes, marked = np.exp(g.standard_normal(50)), np.arange(50) < 5
    fig = figures.shares({"mse": sizes}, marked)
    numbers = figures.numbers(fig)
    ordered = np.sort(sizes)[::-1]
    assert np.array(numbers["shares of mse"]) == pytest.approx(np.concatenate([[0], np.cumsum(ordered) / sizes.sum()]))
    pairs = np.abs(sizes[:, None] - sizes[None]).mean() / (2 * sizes.mean())  # the mean difference of two samples
    assert numbers["Gini of mse"] == pytest.approx(pairs, rel=1e-9)
    assert numbers["top tenth of mse"] == pytest.approx(ordered[:5].sum() / sizes.sum())
    assert numbers["marked share of mse"] == pytest.approx(sizes[:5].sum() / sizes.sum())
    assert numbers["precision of mse"] == np.mean([i < 5 for i in np.argsort(-sizes)[:5]])


def test_reliability_counts_its_bins_and_bars_are_wilsons():
    g = np.random.default_rng(0)
    p = g.uniform(size=300)
    y = (g.uniform(size=300) < p).astype(int)
    numbers = figures.numbers(figures.reliability(p, y))
    inside = [(k / 10 <= p) & (p < (k + 1) / 10) for k in range(10)]
    assert numbers["counts"] == [int(m.sum()) for m in inside]
    assert numbers["frequency"] == pytest.approx([y[m].mean() for m in inside])
    assert numbers["ece"] == pytest.approx(sum(m.sum() * abs(p[m].mean() - y[m].mean()) for m in inside) / 300)
    for m, low, high in zip(inside, numbers["low"], numbers["high"], strict=True):
        for end in (low, high):  # the ends are where the score test just rejects
            assert (y[m].mean() - end) ** 2 == pytest.approx(
                1.959964**2 * end * (1 - end) / m.sum(), rel=1e-5, abs=1e-9
            )


def test_reliability_of_rows_is_that_of_the_most_probable_class():
    rows = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.75, 0.05]])
    numbers = figures.numbers(figures.reliability(rows, [0, 1, 1]))
    assert numbers["confidence"] == pytest.approx([0.6, (0.7 + 0.75) / 2])
    assert numbers["frequency"] == [0, 1]


# --- records ----------------------------------------------------------------------------------------------------------
def test_a_trace_is_drawn_with_its_lengths_factors_and_shares():
    record = traced(network(8, 8), also=["hinge"])
    fig = figures.trace(record)
    drawn = curves(fig.axes[0])
    assert drawn["bce_with_logits"][1] == pytest.approx(np.array(record.lengths[::-1]))
    assert drawn["hinge"][1] == pytest.approx(np.array(record.also[0].lengths[::-1]))
    bars = [bar.get_height() for bar in fig.axes[1].containers[0]]
    assert bars == pytest.approx([row.share for row in record.rows[::-1] if row.share is not None])
    strips = [np.array(image.get_array()).ravel() for image in fig.axes[2].images]
    for strip, g in zip(strips, [record.at_input, *(row.gradient for row in record.rows[::-1])], strict=True):
        assert strip == pytest.approx(np.array(g) / np.abs(g).max())
    assert figures.numbers(fig)["factors"] == [row.factor for row in record.rows]
    said = [text.get_text() for text in fig.axes[0].texts]
    assert all(any(f"× {row.factor:.3f}" == text for text in said) for row in record.rows)


def test_a_loss_that_sends_nothing_has_a_name_and_no_line():
    fig = figures.trace(traced(network(8), also=[0.0 * losses.get("hinge")]))
    assert np.isnan(curves(fig.axes[0])["0.0 * hinge sends nothing"][1]).all()
    assert any("sends nothing" in text.get_text() for text in fig.axes[0].texts)


def test_a_sample_that_is_let_go_says_that_nothing_flows():
    x = np.random.default_rng(0).standard_normal((3, 2))
    model = MLP(2, 4, 1, rng=0)
    right = np.sign(model(x.astype(np.float32)).data[:, 0])
    fig = figures.trace(trace(model, losses.get("hinge", margin=1e-9), x, right, sample=0))
    assert fig.axes[0].get_title(loc="left") == "The loss sends 0: nothing flows"
    assert "nothing flows" not in figures.trace(trace(model, "mse", x, right, sample=0)).axes[0].get_title(loc="left")


def test_dead_units_are_hatched():
    record = traced(network(8, activation="relu"))
    fig = figures.trace(record)
    hatched = [patch.get_height() for patch in fig.axes[2].patches if patch.get_hatch()]
    dead = record.rows[1].dead
    assert dead > 0
    assert sum(hatched) == pytest.approx(dead / 8)
    strip = np.array(fig.axes[2].images[1].get_array()).ravel()  # what arrives at linear 1, the first unit on top
    for patch in (patch for patch in fig.axes[2].patches if patch.get_hatch()):
        low, high = (round(8 * (1 - y)) for y in (patch.get_y() + patch.get_height(), patch.get_y()))
        assert (strip[low:high] == 0).all()
    assert "hatched: dead units" in fig.axes[2].get_xlabel()


def test_a_diff_is_drawn_by_layer_and_by_sample():
    x, y = points()
    record = diff(network(8, 8), "bce_with_logits", "squared_hinge", x, y)
    fig = figures.diff(record)
    ratios = fig.axes[0].lines[1].get_xdata()
    assert ratios == pytest.approx([row.ratio for row in (*record.rows[-2::-1], record.rows[-1])])
    cosines = fig.axes[1].lines[1].get_xdata()
    assert cosines == pytest.approx([row.cosine for row in (*record.rows[-2::-1], record.rows[-1])])
    dots = np.concatenate(
        [np.column_stack(xy) for name, xy in curves(fig.axes[2]).items() if name in ("right", "wrong")]
    )
    a, b = np.array(record.delta_a), np.array(record.delta_b)
    heard = (a > 0) & (b > 0)
    expected = np.column_stack([b[heard], a[heard]])
    assert dots[np.lexsort(dots.T)] == pytest.approx(expected[np.lexsort(expected.T)])
    assert figures.numbers(fig)["weights"] == list(record.weights)


# --- graphs -----------------------------------------------------------------------------------------------------------
def test_a_graph_shows_values_gradients_and_factors():
    x = Tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], requires_grad=True)
    w = Tensor([1.0, -1.0], requires_grad=True)
    total = (x @ w).sum()
    before = figures.numbers(figures.graph(total))
    assert before["gradients"] == [None] * 4
    total.backward(retain_graph=True)
    fig = figures.graph(total)
    numbers = figures.numbers(fig)
    assert numbers["gradients"] == pytest.approx(
        [1, 3**0.5, 6**0.5, 15]
    )  # of sum, matmul, x (every row is w), w (9, 12)
    assert numbers["factors"] == pytest.approx([3**0.5, 2**0.5, 15 / 3**0.5])
    words = " ".join(text.get_text() for text in fig.axes[0].texts)
    assert "−3" in words
    assert "1 −1" in words
    assert (w.grad.data == [9, 12]).all()


def test_a_graph_can_be_drawn_before_the_backward_that_consumes_it():
    total = mlp_loss(4)
    figures.graph(total)
    total.backward()
    with pytest.raises(
        GradientError,
        match=r"graph: expected a whole graph, got one that a backward has consumed; say backward\(retain_graph=True\)",
    ):
        figures.graph(total)


@pytest.mark.parametrize(
    ("root", "error", "said"),
    [(3.0, TypeError, "graph: expected a Tensor, got 3.0"), (Tensor(3.0), GradientError, "graph: expected a tensor that requires gradients, got a constant")],
)  # fmt: skip
def test_what_has_no_graph_is_said(root, error, said):
    with pytest.raises(error, match=said):
        figures.graph(root)


def test_a_large_graph_is_folded_and_keeps_the_product_of_its_factors():
    total = backed(mlp_loss(*[8] * 11))
    whole, folded = figures.graph(total, modules=False), figures.graph(total)
    many, few = (len(figures.numbers(fig)["gradients"]) for fig in (whole, folded))
    assert many == 48
    assert few == 12
    assert "folded into 12 boxes" in figures.alt(folded)
    assert figures.numbers(folded)["gradients"][0] == 1
    first = [box for box in folded.axes[0].texts if "linear → tanh" in box.get_text()]
    assert len(first) == 11


def test_a_value_used_twice_receives_both_gradients_in_the_graph():
    x = Tensor(3.0, requires_grad=True)
    y = x * x
    y.backward(retain_graph=True)
    assert figures.numbers(figures.graph(y))["gradients"] == pytest.approx([1, 6])


def test_trained_models_are_drawn_from_their_history():
    history = fit(MLP(2, 4, 1, rng=0), points(), loss="bce_with_logits", epochs=1, progress=False)
    assert history.plot().axes
    assert trace(MLP(2, 1, rng=0), "bce_with_logits", *points()).rows
