"""Comparing losses: what may be said, and what it is computed from."""

import itertools
import json
import math
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from minigrad import MLP, compare, data, loss, losses
from minigrad.comparison import Comparison, Run
from minigrad.engine.errors import LabelError
from minigrad.metrics import median_interval, verdict
from minigrad.silence import SILENCE


def fabricated(metrics_by_loss, *, lrs=(0.1,), metric="accuracy", validation=None, diverged=()):
    """A comparison of runs that never took place: test metrics by loss, one per seed, the same at every rate."""
    runs = [
        Run(
            name,
            lr,
            seed,
            (validation or {}).get((name, lr), value),
            1.0,
            value,
            2.0,
            0.1,
            (name, lr) in diverged,
            (0.2, value),
            0.1,
        )
        for name, values in metrics_by_loss.items()
        for lr in lrs
        for seed, value in enumerate(values)
    ]
    seeds = range(len(next(iter(metrics_by_loss.values()))))
    return Comparison(runs, list(metrics_by_loss), lrs, seeds, metric=metric, title="A against B")


class TestTheInterval:
    def test_of_six_differences_is_their_whole_range(self):
        assert median_interval([3, 1, 2, 6, 5, 4]) == (1, 6)

    def test_needs_six(self):
        assert median_interval([1, 2, 3, 4, 5]) is None

    @pytest.mark.parametrize("n", [6, 8, 10, 13])
    def test_encloses_the_median_with_the_stated_probability_and_no_narrower_one_does(self, n):
        low, high = median_interval(np.arange(n))
        below = low + 1  # how many of the n values must lie on one side for the interval to miss the median
        assert high == n - below

        def misses(k):
            return 2 * sum(math.comb(n, i) for i in range(k)) / 2**n

        assert misses(int(below)) <= 0.05 < misses(int(below) + 1)

    def test_covers_zero_for_all_sign_patterns_as_often_as_it_says(self):
        size = np.arange(1, 9)
        missed = sum(
            not low <= 0 <= high
            for signs in itertools.product((-1, 1), repeat=8)
            for low, high in [median_interval(size * signs)]
        )
        assert missed / 2**8 <= 0.05


class TestTheVerdict:
    base = np.linspace(0.8, 0.9, 6)

    def test_says_better_when_all_six_differences_are_positive(self):
        rows = fabricated({"a": self.base, "b": self.base + [0.01, 0.02, 0.01, 0.03, 0.01, 0.02]}).rows
        assert rows[2].verdict == "better than a"

    def test_says_worse_when_all_six_are_negative(self):
        assert fabricated({"a": self.base, "b": self.base - 0.01}).rows[2].verdict == "worse than a"

    @pytest.mark.parametrize("odd_one", [-0.001, 0.0])
    def test_says_that_nothing_was_shown_when_one_is_not_positive(self, odd_one):
        found = fabricated({"a": self.base, "b": self.base + [odd_one, 0.02, 0.01, 0.03, 0.01, 0.02]})
        assert found.rows[2].verdict == "no difference shown with 6 seeds"

    def test_knows_which_way_is_better(self):
        assert fabricated({"a": self.base, "b": self.base - 0.1}, metric="mae").rows[2].verdict == "better than a"

    def test_is_withheld_below_six_seeds(self):
        found = fabricated({"a": self.base[:3], "b": self.base[:3] + 0.1})
        assert found.rows[2].verdict == "3 seeds cannot show a difference; 6 are needed"
        assert found.rows[2].low is None

    @pytest.mark.parametrize(
        ("differences", "said"),
        [
            ([0.1, 0.2, 0.1, 0.3, 0.1, 0.2], "better than a"),
            ([-0.1, -0.2, -0.1, -0.3, -0.1, -0.2], "worse than a"),
            ([0.1, 0.2, 0.1, 0.3, 0.1, -0.001], "no difference shown with 6 seeds"),
            ([0.1, 0.2, 0.1, 0.3, 0.1, math.nan], "no difference shown with 6 seeds"),
            ([0.1], "1 seed cannot show a difference; 6 are needed"),
        ],
    )
    def test_is_said_of_any_paired_differences(self, differences, said):
        assert verdict(differences, "a") == said
        turned = said.replace("better", "worse") if "better" in said else said.replace("worse", "better")
        assert verdict(differences, "a", higher_is_better=False) == turned

    def test_is_about_paired_differences_not_about_medians(self):
        a = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
        assert fabricated({"a": a, "b": a + 0.001}).rows[2].verdict == "better than a"


class TestTheTable:
    def test_starts_with_the_constant_prediction(self):
        first = fabricated({"a": [0.5] * 6}).rows[0]
        assert (first.loss, first.median, first.test_loss) == ("constant", 0.1, 2.0)

    def test_gives_each_loss_its_own_best_rate_by_validation(self):
        validation = {("a", 0.1): 0.9, ("a", 0.01): 0.5, ("b", 0.1): 0.5, ("b", 0.01): 0.9}
        found = fabricated({"a": [0.5] * 6, "b": [0.5] * 6}, lrs=(0.01, 0.1), validation=validation)
        assert (found.best_lr("a"), found.best_lr("b")) == (0.1, 0.01)

    def test_never_chooses_a_rate_at_which_most_runs_diverged(self):
        found = fabricated({"a": [0.5] * 6}, lrs=(0.01, 0.1), validation={("a", 0.1): 0.99}, diverged={("a", 0.1)})
        assert found.best_lr("a") == 0.01
        assert "a: 6 of 12 runs diverged." in found.notes()

    def test_says_when_the_best_rate_is_at_the_end_of_the_grid(self):
        validation = {("a", 0.1): 0.9, ("a", 0.01): 0.5}
        assert any(
            "0.1 is the largest tried" in note
            for note in fabricated({"a": [0.5] * 6}, lrs=(0.01, 0.1), validation=validation).notes()
        )

    def test_is_plain_data_too(self, tmp_path):
        found = fabricated({"a": [0.5] * 6, "b": [0.6] * 6})
        found.to_json(tmp_path / "c.json")
        read = json.loads((tmp_path / "c.json").read_text())
        assert [row["loss"] for row in read["rows"]] == ["constant", "a", "b"]
        found.to_csv(tmp_path / "c.csv")
        assert len((tmp_path / "c.csv").read_text().splitlines()) == 13


X = np.random.default_rng(0).standard_normal((60, 3))
Y = X @ [1.0, -2.0, 0.5] + 0.1 * np.random.default_rng(1).standard_normal(60)


@loss
def cubic(pred, target):
    return np.abs(pred - target) ** 3


class TestCompare:
    options = {"lrs": (0.01, 0.03), "seeds": 3, "epochs": 3, "model": (3, 4, 1)}

    def test_an_executor_changes_no_number(self):
        here = compare(["mse", cubic], (X, Y), **self.options)
        with ThreadPoolExecutor(2) as executor:
            there = compare(["mse", cubic], (X, Y), executor=executor, **self.options)
        strip = [{k: v for k, v in run.items() if k != "seconds"} for c in (here, there) for run in c.to_dict()["runs"]]
        assert strip[: len(here.runs)] == strip[len(here.runs) :]

    def test_threads_that_come_and_go_in_any_order_leave_the_filters_of_warnings_as_they_were(self):
        before, inside, may_go = list(warnings.filters), threading.Event(), threading.Event()

        def first():
            with SILENCE:
                inside.set()
                may_go.wait(10)

        thread = threading.Thread(target=first)
        thread.start()
        inside.wait(10)
        with SILENCE:  # it comes later, and stays longer
            may_go.set()
            thread.join()
            assert warnings.filters[0][0] == "ignore"
        assert warnings.filters == before

    def test_a_loss_is_compared_on_the_same_splits_whatever_stands_beside_it(self):
        alone = compare(["mae"], (X, Y), **self.options)
        beside = compare(["mse", "mae"], (X, Y), **self.options)
        assert [r.test_metric for r in alone.best("mae")] == [r.test_metric for r in beside.best("mae")]

    def test_classes_are_compared_by_accuracy_and_learnt(self):
        labels = (X[:, 0] > 0).astype(int)
        found = compare(["cross_entropy"], (X, labels), lrs=(0.1,), seeds=2, epochs=20)
        assert found.metric == "accuracy"
        assert found.rows[1].median > max(0.8, found.rows[0].median)

    def test_a_network_ends_in_what_each_loss_reads(self):
        g = np.random.default_rng(0)
        X = g.standard_normal((60, 2))
        options = {"seeds": 1, "lrs": (0.01,), "epochs": 1, "model": (2, 4, 1)}
        one = compare(["bce_with_logits", "bce"], (X, (X[:, 0] > 0).astype(int)), **options)
        assert one.row("bce").test_loss == pytest.approx(one.row("bce_with_logits").test_loss, rel=1e-5)
        options["model"] = (2, 4, 3)
        many = compare(["cross_entropy", "nll", "kl_div"], (X, g.integers(0, 3, 60)), **options)
        for name in ("nll", "kl_div"):
            assert many.row(name).test_loss == pytest.approx(many.row("cross_entropy").test_loss, rel=1e-5)

    @pytest.mark.parametrize("optimizer", ["sgd", "adam"])
    def test_the_first_gradient_of_c_times_a_loss_is_c_times_as_long_at_every_rate(self, optimizer):
        mse = losses.get("mse")
        found = compare([mse, 0.25 * mse], (X, Y), lrs=(0.01, 0.1), seeds=2, epochs=1, optimizer=optimizer)
        assert found.first_step("0.25 * mse") == pytest.approx(0.25, rel=1e-5)
        assert "The first gradient, mse = 1: 0.25 * mse 0.25." in str(found)
        assert found.rows[-1].first_step == found.first_step("0.25 * mse")
        by_seed = {(run.loss, run.seed, run.first_gradient) for run in found.runs}
        assert len(by_seed) == 4  # two losses, two seeds: the rate is not yet in it

    def test_the_first_gradient_is_that_of_the_first_batch_at_the_initial_weights(self):
        found = compare(["mse"], (X, Y), lrs=(0.01,), seeds=(3,), epochs=1, batch_size=100, model=(3, 4, 1))
        (x, y), _ = data.split(X, Y, rng=3, scale_y=True)
        rest = np.random.default_rng((3, 2)).permutation(len(y))[round(0.2 * len(y)) :]
        model = MLP(3, 4, 1, rng=3)
        losses.get("mse")(model(x[rest]), y[rest, None]).backward()
        size = np.sqrt(sum((p.grad.data.astype(float) ** 2).sum() for p in model.parameters()))
        assert found.runs[0].first_gradient == pytest.approx(size, rel=1e-5)

    def test_corrupted_targets_are_training_targets_only(self):
        clean, dirty = (compare(["mse"], (X, Y), corrupt=c, **self.options) for c in (0, 0.2))
        assert clean.rows[0].constant_loss != dirty.rows[0].constant_loss
        assert dirty.rows[1].median > clean.rows[1].median

    def test_counts_stay_counts_unless_every_loss_reads_values(self):
        counts = np.random.default_rng(2).poisson(3, 60)
        found = compare(["mse", "poisson_nll"], (X, counts), **self.options)
        assert found.rows[0].median > 0.8  # in counts: standardised, it would be below
        assert found.best("mse") != compare(["mse"], (X, counts), **self.options).best("mse")

    def test_a_run_that_diverges_is_a_result(self):
        found = compare(["mse"], (X, Y), lrs=(1e30,), optimizer="sgd", seeds=1, epochs=3, model=(3, 4, 1))
        assert found.runs[0].diverged

    @pytest.mark.parametrize(
        ("arguments", "error", "text"),
        [
            ((["mse", "mse"], "diabetes"), ValueError, "expected different losses, got mse twice"),
            (([], "diabetes"), ValueError, "expected at least one loss, got none"),
            (("mse", "diabetes"), TypeError, r"expected losses as a list, got 'mse' alone; write \['mse'\]"),
            (
                (["mse"], X),
                TypeError,
                r"expected data as a pair \(X, y\), got ndarray; write compare\(…, data=\(X, y\)\)",
            ),
            (
                (["cross_entropy"], (X, Y)),
                LabelError,
                "expected class labels 0, 1, … for accuracy, got float64 that are no whole",
            ),
            (
                (["cross_entropy"], (X, np.where(np.arange(len(X)) == 7, 10**9, 0))),
                LabelError,
                "expected class labels 0, 1, … for accuracy, got 1000000000 at row 7, with 60 rows in all; number the",
            ),
            (
                (["cross_entropy", "mse"], (X, np.where(np.arange(len(X)) == 7, 3, 0)), "model"),
                LabelError,
                "expected class labels 0 … 2 for a model with 3 outputs, got 3 at row 7; give the model an output for each",
            ),
            ((["mse"], "diabets"), ValueError, "did you mean 'diabetes'"),
        ],
    )
    def test_refuses_what_cannot_be_compared(self, arguments, error, text):
        with pytest.raises(error, match=text):
            compare(*arguments[:2], model=(3, 4, 3) if arguments[2:] else None)

    @pytest.mark.parametrize(
        ("option", "error", "text"),
        [
            ({"seeds": 0}, ValueError, "expected at least one seed"),
            (
                {"lrs": (0.1, -1)},
                ValueError,
                r"expected lrs, learning rates > 0, got \(0.1, -1\); say lrs=\(0.001, 0.01\)",
            ),
            ({"lrs": 0.1}, ValueError, "expected lrs, learning rates > 0, got 0.1; say"),
            (
                {"model": MLP(10, 1)},
                TypeError,
                r"got MLP; each run needs a new one: model=\(64, 64, 10\), or lambda rng",
            ),
            ({"executor": 4}, TypeError, "got 4; give ProcessPoolExecutor"),
            ({"corrupt": 1.5}, ValueError, r"expected corrupt in \[0, 1\)"),
            ({"executor": 3}, TypeError, r"expected a concurrent.futures.Executor, got 3"),
            ({"metric": "acuracy"}, ValueError, "did you mean 'accuracy'"),
        ],
    )
    def test_refuses_options_outside_their_range(self, option, error, text):
        with pytest.raises(error, match=text):
            compare(["mse"], (X, Y), **option)

    def test_the_model_may_be_a_function_of_the_seed(self):
        seen = []

        def model(rng):
            seen.append(rng)
            return MLP(3, 1, rng=rng)

        compare(["mse"], (X, Y), model=model, seeds=2, epochs=1, lrs=(0.1,))
        assert seen == [0, 1]

    def test_ctrl_c_in_the_midst_of_a_run_ends_it(self):
        calls = []

        @loss
        def interrupted(pred, target):
            calls.append(1)
            if len(calls) > 8:
                raise KeyboardInterrupt
            return (pred - target) ** 2

        with pytest.raises(KeyboardInterrupt):
            compare([interrupted], (X, Y), model=(3, 1), seeds=1, epochs=9, lrs=(0.1,))

    def test_a_loss_that_cannot_travel_is_refused_before_the_first_run(self):
        @loss
        def local(pred, target):
            return np.abs(pred - target)

        with ThreadPoolExecutor(1) as executor, pytest.raises(TypeError, match="cannot travel to another process"):
            compare([local], (X, Y), executor=executor)
