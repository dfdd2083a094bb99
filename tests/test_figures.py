"""What a figure says is what is plotted."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from minigrad import figures
from minigrad.study import Comparison, Run


def comparison(
    losses=("mse", "mae", "huber"), seeds=10, metric="mae", lrs=(0.001, 0.01, 0.1), shift=0.03, diverged=False
):
    rng = np.random.default_rng(0)
    runs = []
    for i, name in enumerate(losses):
        for lr in lrs:
            for seed in range(seeds):
                value = 0.5 + shift * i + 0.01 * rng.standard_normal() + 0.01 * abs(np.log10(lr) + 2)
                lost = diverged and lr == lrs[-1]
                curve = tuple(value + np.exp(-np.arange(5.0)))
                runs.append(Run(name, lr, seed, value, value, value, 1.0, 0.9, lost, curve, 0.1))
    return Comparison(runs, losses, lrs, range(seeds), metric=metric, title="Made up")


HOSTILE = {
    "ordinary": {},
    "one loss": {"losses": ("mse",)},
    "one seed": {"seeds": 1},
    "one rate": {"lrs": (0.01,)},
    "long names and twelve losses": {"losses": tuple(f"loss_{'x' * 30}_{i}" for i in range(12))},
    "all values equal": {"shift": 0.0},
    "huge": {"shift": 1e9},
    "diverged": {"diverged": True},
}


def texts(fig):
    """All visible texts that are drawn, with their boxes."""
    renderer = fig.canvas.get_renderer()
    found = [t for t in fig.findobj(mpl.text.Text) if t.get_visible() and t.get_text().strip()]
    return [(t.get_text(), t.get_window_extent(renderer)) for t in found]


@pytest.mark.parametrize("case", HOSTILE)
def test_a_race_draws_whatever_a_comparison_holds(case, tmp_path):
    fig = figures.race(comparison(**HOSTILE[case]))
    fig.savefig(tmp_path / "race.png", dpi=60)
    assert (tmp_path / "race.png").stat().st_size > 5000


@pytest.mark.parametrize("case", ["ordinary", "one seed", "diverged"])
def test_no_text_leaves_the_canvas(case):
    fig = figures.race(comparison(**HOSTILE[case]))
    mpl.backends.backend_agg.FigureCanvasAgg(fig).draw()
    width, height = fig.canvas.get_width_height()
    for text, box in texts(fig):
        assert -1 <= box.x0, text
        assert box.x1 <= width + 1, text
        assert -1 <= box.y0, text
        assert box.y1 <= height + 1, text


def test_the_numbers_of_a_race_are_those_of_the_comparison():
    found = comparison()
    numbers = figures.numbers(figures.race(found))
    assert numbers["differences of mae"] == pytest.approx(found.differences("mae").tolist())
    assert numbers["rates of huber"] == pytest.approx([found.score("huber", lr) for lr in found.lrs])
    assert numbers["interval of mae"] == [found.row("mae").low, found.row("mae").high]
    assert numbers["best rate of mse"] == found.best_lr("mse")
    assert numbers["n"] == 10


def test_the_alternative_text_says_what_was_found():
    text = figures.alt(figures.race(comparison()))
    assert "mae: worse than mse" in text
    assert "Made up · 10 seeds" in text
    assert len(text) > 60


def test_several_comparisons_share_a_page():
    fig = figures.races([comparison(), comparison(losses=("cross_entropy", "mse"))])
    assert isinstance(fig, Figure)
    assert len(fig.subfigs) == 2


def test_a_loss_looks_the_same_in_every_figure():
    assert figures.looks(["mae", "mse"])["mse"] == figures.looks(["mse", "cubic"])["mse"] == figures.colour("mse")


def test_no_two_losses_of_a_figure_look_alike():
    names = [*figures.LOOKS, "huber(delta=3)"][:20]
    looks = figures.looks([*names[:10], "cubic", "late", "here:x"])
    assert len(set(looks.values())) == 13


def test_drawing_changes_no_setting_of_matplotlib():
    before = dict(mpl.rcParams)
    figures.race(comparison())
    assert dict(mpl.rcParams) == before
