"""fit and evaluate: what is learnt, what is recorded, what is left behind however a run ends."""

import csv
import gc
import types
import warnings

import numpy as np
import pytest

from minigrad import MLP, SGD, Adam, Tensor, evaluate, fit, loss, losses, nn
from minigrad.engine.errors import DomainError, DTypeError, GradientError, LabelError, ShapeError
from minigrad.engine.graph import Node
from minigrad.optim import Plateau

G = np.random.default_rng(0)
X = G.standard_normal((90, 3))
Y = X @ [1.0, -2.0, 0.5] + 0.1 * G.standard_normal(90)
LABELS = np.digitize(X[:, 0], [-0.5, 0.5])


def net(outputs=1, rng=0, **words):
    return MLP(3, 8, outputs, rng=rng, **words)


def weights(model):
    return np.concatenate([p.data.ravel() for p in model.parameters()])


class TestARun:
    def test_learns_and_tells_loss_and_metric_together(self):
        history = fit(net(3), (X, LABELS), loss="cross_entropy", lr=0.02, epochs=30, metrics=["accuracy"])
        assert history.rows[-1].loss < 0.3 * history.rows[0].loss
        assert history.rows[-1].training["accuracy"] > 0.9
        assert [row.epoch for row in history.rows] == list(range(1, 31))

    def test_is_the_loop_that_one_would_write(self):
        model, by_hand = net(rng=3), net(rng=3)
        history = fit(model, (X, Y), loss="huber", optimizer="sgd", lr=0.05, epochs=1, batch_size=90)
        optimizer, huber = SGD(by_hand.parameters(), lr=0.05), losses.get("huber")
        value = huber(by_hand(X.astype(np.float32)), Y.reshape(-1, 1))
        value.backward()
        optimizer.step()
        assert weights(model) == pytest.approx(weights(by_hand), rel=1e-5)
        assert history.rows[0].running == pytest.approx(value.item(), rel=1e-6)
        assert history.rows[0].loss == pytest.approx(evaluate(model, (X, Y), loss="huber")["loss"], rel=1e-12)

    def test_is_the_same_for_the_same_rng_and_draws_once(self):
        runs = []
        for rng in (5, 5, np.random.default_rng(5), 6):
            model = net()
            fit(model, (X, Y), loss="mse", epochs=2, validation=0.2, rng=rng)
            runs.append(weights(model))
        assert np.array_equal(runs[0], runs[1])
        assert np.array_equal(runs[0], runs[2])
        assert not np.array_equal(runs[0], runs[3])
        drawn, untouched = np.random.default_rng(5), np.random.default_rng(5)
        fit(net(), (X, Y), loss="mse", epochs=1, rng=drawn)
        untouched.integers(2**63)
        assert drawn.integers(2**63) == untouched.integers(2**63)

    def test_visits_every_sample_once_in_an_epoch_in_a_new_order(self):
        seen = []

        class Spy(nn.Module):
            def __init__(self):
                self.inner = nn.Linear(1, 1, rng=0)

            def forward(self, x):
                if self.training:
                    seen.append(np.asarray(x)[:, 0].tolist())
                return self.inner(x)

        x = np.arange(10.0).reshape(-1, 1)
        fit(Spy(), (x, x[:, 0]), loss="mae", epochs=2, batch_size=4)
        assert [len(batch) for batch in seen] == [4, 4, 2, 4, 4, 2]
        first, second = ([x for batch in part for x in batch] for part in (seen[:3], seen[3:]))
        assert sorted(first) == sorted(second) == x[:, 0].tolist()
        assert first != second

    def test_takes_a_table_of_any_numbers_and_casts_it_once(self):
        for table in (X.tolist(), X.astype(object), np.asfortranarray(X), X.astype(np.float32), (10 * X).astype(int)):
            assert fit(net(), (table, Y), loss="mse", epochs=1).rows

    def test_of_a_float64_model_stays_in_float64(self):
        model = net(dtype=np.float64)
        fit(model, (X, Y), loss="mse", epochs=1)
        assert {p.dtype for p in model.parameters()} == {np.dtype(np.float64)}

    def test_weights_its_samples(self):
        model = nn.Linear(1, 1, rng=0)
        x, y = np.zeros((2, 1)), np.array([0.0, 1.0])
        fit(model, (x, y), loss="mse", optimizer="sgd", lr=0.1, epochs=300, sample_weight=[1, 3], batch_size=2)
        assert model.bias.item() == pytest.approx(0.75, abs=1e-4)

    def test_follows_a_learning_rate_that_changes(self):
        rates = []

        def rate(done):
            rates.append(done)
            return 0.1 * (1 - done) + 1e-9

        history = fit(net(), (X, Y), loss="mse", optimizer="sgd", lr=rate, epochs=2, batch_size=30)
        assert rates[1:] == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])
        assert history.rows[1].loss < history.rows[0].loss

    def test_takes_an_optimizer_that_is_made_already(self):
        model = net()
        before = weights(model)
        fit(model, (X, Y), loss="mse", optimizer=Adam(model.parameters(), lr=0.01), epochs=1)
        assert not np.array_equal(weights(model), before)

    def test_aligns_targets_to_what_the_loss_wants(self):
        binary = (LABELS > 0).astype(int)
        for name, outputs, y in (
            ("bce_with_logits", 1, binary),
            ("mse", 1, binary),
            ("mse", 3, LABELS),
            ("huber", 1, Y),
        ):
            assert fit(net(outputs), (X, y), loss=name, epochs=1).rows

    def test_reaches_no_matplotlib_no_stderr_and_no_random_state(self, capsys):
        before = np.random.get_state()[1].copy()  # noqa: NPY002 - the state that nobody must touch
        fit(net(), (X, Y), loss="mse", epochs=2)
        assert capsys.readouterr() == ("", "")
        assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002

    def test_prints_about_ten_lines_into_a_log_when_asked(self, capsys):
        fit(net(), (X, Y), loss="mse", epochs=25, progress=True)
        out = capsys.readouterr().out.splitlines()
        assert len(out) == 10
        assert out[-1].startswith("epoch 25: loss ")

    def test_shows_a_bar_at_a_terminal_and_none_where_none_is_wanted(self, capsys, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
        fit(net(), (X, Y), loss="mse", epochs=2)
        out, err = capsys.readouterr()
        assert out == ""
        assert "2/2" in err
        assert "epoch 2: loss " in err
        fit(net(), (X, Y), loss="mse", epochs=2, progress=False)
        assert capsys.readouterr() == ("", "")

    def test_waits_with_a_schedule_for_the_loss_to_fall(self):
        model = net()
        optimizer = SGD(model.parameters(), lr=Plateau(0.1, patience=1, factor=0.5))
        fit(model, (X, G.standard_normal(90)), loss="mse", optimizer=optimizer, epochs=30, validation=0.3)
        assert optimizer.lr < 0.1

    def test_draws_dropout_from_run_epoch_and_step_alone(self):
        runs = []
        for waste in (0, 7):
            model = nn.Sequential(nn.Linear(3, 8, rng=0), nn.Dropout(0.5, rng=1), nn.Linear(8, 1, rng=2))
            model.layers[1].rng.random(waste)
            runs.append(fit(model, (X, Y), loss="mse", epochs=2).rows[-1].running)
        assert runs[0] == runs[1]

    def test_warns_of_a_sum_where_a_mean_was_meant(self):
        summed = losses.get("mse", reduction="sum")
        with pytest.warns(
            UserWarning, match=r'fit: reduction="sum" multiplies the gradient by n = 32: lr 0.01 acts like 0.32'
        ) as seen:
            fit(net(), (X, Y), loss=summed, optimizer="sgd", lr=0.01, epochs=1)
        assert seen[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fit(net(), (X, Y), loss=summed, optimizer="sgd", lr=1e-5, epochs=1)


class TestValidation:
    def test_restores_the_weights_of_least_validation_loss(self):
        model = net(rng=1)
        noisy = G.standard_normal(90)
        history = fit(model, (X, noisy), loss="mse", lr=0.05, epochs=40, validation=0.3, rng=2)
        assert history.best is min(history.rows, key=lambda row: row.validation["loss"])
        assert history.best.epoch < 40
        order = np.random.default_rng((int(np.random.default_rng(2).integers(2**63)), 0)).permutation(90)
        held_out = order[:27]
        measured = evaluate(model, (X[held_out], noisy[held_out]), loss="mse")["loss"]
        assert measured == pytest.approx(history.best.validation["loss"], rel=1e-6)

    def test_may_be_given_as_data(self):
        history = fit(net(), (X[:60], Y[:60]), loss="mse", epochs=2, validation=(X[60:], Y[60:]), metrics=["mae"])
        assert set(history.rows[0].validation) == {"loss", "mae"}

    def test_with_patience_ends_a_run_that_gets_no_better(self):
        noisy = G.standard_normal(90)
        history = fit(net(rng=1), (X, noisy), loss="mse", lr=0.05, epochs=200, validation=0.3, patience=5)
        assert history.stopped == "patience"
        assert len(history.rows) == history.best.epoch + 5 < 200

    def test_without_it_the_last_weights_stay(self):
        model = net()
        history = fit(model, (X, Y), loss="mse", epochs=3)
        assert history.best is history.rows[-1]
        assert evaluate(model, (X, Y), loss="mse")["loss"] == pytest.approx(history.rows[-1].loss)


class TestAnEndBeforeTheEnd:
    def test_by_a_loss_that_is_not_finite_restores_finite_weights_and_says_where(self):
        model = net()
        with pytest.warns(RuntimeWarning, match=r"fit: loss is (nan|inf) at epoch \d+, batch \d+, .* restored") as seen:
            history = fit(model, (X, 1e3 * Y), loss="mse", optimizer="sgd", lr=10.0, epochs=20)
        assert seen[0].filename == __file__
        assert not history.finite
        assert history.stopped.startswith("loss is ")
        assert np.isfinite(weights(model)).all()

    def test_by_a_loss_that_is_not_finite_names_the_operation_that_made_it_so(self):
        class Risky(nn.Module):
            def __init__(self):
                self.inner = nn.Linear(3, 1, rng=0)

            def forward(self, x):
                return np.log(self.inner(x) * 0 - 1)

        with pytest.warns(
            RuntimeWarning, match=r"The first value that is not finite: .* nan .* from log .* at test_training"
        ):
            history = fit(Risky(), (X, Y), loss="mse")
        assert "from log" in history.culprit

    def test_by_a_loss_that_is_not_finite_behind_the_last_step_of_an_epoch_names_the_operation_too(self):
        @loss
        def rate(pred, target):
            return pred - target * np.log(pred)

        model = nn.Linear(1, 1, rng=0)
        model.weight.data, model.bias.data = np.zeros((1, 1), np.float32), np.ones(1, np.float32)
        message = r"loss is nan at the end of epoch 1, .* got nan at \(0, 0\) from log \(4, 1\) at test_training"
        with pytest.warns(RuntimeWarning, match=message):
            history = fit(model, (np.ones((4, 1)), np.zeros(4)), loss=rate, optimizer="sgd", lr=2.0, batch_size=4)
        assert "x = -" in history.culprit

    def test_of_a_model_with_dropout_names_the_operation_with_the_same_places_dropped(self):
        @loss
        def rate(pred, target):
            return pred - target * np.log(pred)

        model = nn.Sequential(nn.Linear(3, 1, rng=0), nn.Dropout(0.2, rng=0))
        with pytest.warns(RuntimeWarning, match="The first value that is not finite: .* from log"):
            history = fit(model, (X, Y), loss=rate, optimizer="sgd", lr=2.0)
        assert "from log" in history.culprit

    @pytest.mark.parametrize(("batch_size", "when"), [(2, "at epoch 1, batch 2"), (4, "at the end of epoch 1")])
    def test_by_scores_that_are_all_minus_infinity_is_a_divergence_too(self, batch_size, when):
        @loss(pred="logits", target="index")
        def downhill(pred, target):
            return pred.sum(-1)

        model, far = nn.Linear(1, 2, rng=0), {"optimizer": "sgd", "lr": 3e38, "batch_size": batch_size}
        with pytest.warns(RuntimeWarning, match=rf"fit: loss is nan {when}, .* restored\. .* -inf at \(0, 0\)"):
            history = fit(model, (np.ones((4, 1)), np.zeros(4, int)), loss=downhill, **far)
        assert not history.finite
        assert np.isfinite(weights(model)).all()

    @pytest.mark.parametrize("when", [1, 4])
    def test_by_ctrl_c_restores_the_best_weights_and_returns_what_there_is(self, when):
        calls = []

        @loss
        def interrupted(pred, target):
            calls.append(1)
            if len(calls) == 4 * when:
                raise KeyboardInterrupt
            return (pred - target) ** 2

        model = net()
        before = weights(model)
        with pytest.warns(UserWarning, match=r"fit: interrupted after \d epochs, .* restored"):
            history = fit(model, (X, Y), loss=interrupted, epochs=50, batch_size=90, validation=0.2)
        assert history.stopped == "interrupted"
        if history.rows:
            assert history.best.epoch <= len(history.rows)
        else:
            assert np.array_equal(weights(model), before)

    def test_by_an_error_leaves_the_model_as_it_was_in_weights_and_mode(self):
        model = net()
        model.layers[1].training = False
        before = weights(model)
        bad = Y.copy()
        bad[17] = np.nan
        with pytest.raises(DomainError, match=r"mse: expected a finite target, got nan at row 17"):
            fit(model, (X, bad), loss="mse")
        assert np.array_equal(weights(model), before)
        assert [module.training for _, module in model.named_modules()] == [True, True, False, True]
        assert all(p.grad is None for p in model.parameters())


class TestHistory:
    def test_has_gradient_norm_and_update_ratio_of_every_layer_at_every_step(self):
        model = nn.Linear(3, 1, rng=0)
        start = weights(model).astype(float)
        history = fit(model, (X, Y), loss="mse", optimizer="sgd", lr=0.1, epochs=1, batch_size=90)
        r = X.astype(np.float32).astype(float) @ start[:3] + start[3] - Y.astype(np.float32)
        gradient = np.append(2 * X.T @ r, 2 * r.sum()) / 90
        (name,) = history.gradient_norm
        assert name == "linear 1"
        assert history.gradient_norm[name] == pytest.approx([np.linalg.norm(gradient)], rel=1e-4)
        after = weights(model).astype(float)
        assert history.update_ratio[name] == pytest.approx(
            [0.1 * np.linalg.norm(gradient) / np.linalg.norm(after)], rel=1e-4
        )

    def test_names_layers_from_input_to_output(self):
        history = fit(MLP(3, 4, 4, 1, rng=0), (X, Y), loss="mse", epochs=2, batch_size=45)
        assert list(history.gradient_norm) == ["linear 1", "linear 2", "linear 3"]
        assert {len(values) for values in history.update_ratio.values()} == {4}

    def test_holds_numbers_and_neither_the_model_nor_a_graph(self):
        todo, seen = [fit(net(), (X, Y), loss="mse", epochs=2, validation=0.2, metrics=["mae"])], {}
        while todo:
            one = todo.pop()
            if id(one) not in seen and not isinstance(one, (type, types.ModuleType, types.FunctionType, losses.Loss)):
                seen[id(one)] = one
                todo += gc.get_referents(one)
        assert not [one for one in seen.values() if isinstance(one, (Tensor, nn.Module, Node))]

    def test_becomes_a_table_of_plain_data(self, tmp_path):
        history = fit(net(), (X, Y), loss="mse", epochs=3, validation=0.2, metrics=["mae", "r2"])
        history.to_csv(tmp_path / "h.csv")
        rows = list(csv.DictReader((tmp_path / "h.csv").read_text(encoding="utf-8").splitlines()))
        assert list(rows[0]) == [
            "epoch",
            "running",
            "loss",
            "mae",
            "r2",
            "seconds",
            "validation loss",
            "validation mae",
            "validation r2",
        ]
        assert float(rows[2]["validation mae"]) == history.rows[2].validation["mae"]
        assert history.to_dict()["rows"][2]["epoch"] == 3
        assert str(history.best).startswith("epoch ")

    def test_says_when_loss_and_metric_disagree(self):
        noisy = (G.uniform(size=90) > 0.5).astype(int)
        history = fit(
            MLP(3, 64, 1, rng=0),
            (X, noisy),
            loss="bce_with_logits",
            lr=0.02,
            epochs=60,
            validation=0.3,
            metrics=["accuracy"],
        )
        text = " ".join(history.notes())
        assert "the validation loss fell and accuracy got worse: they are not the same" in text

    def test_says_when_the_model_grew_overconfident(self):
        history = fit(net(3), (X, LABELS), loss="cross_entropy", epochs=3, validation=0.3, metrics=["accuracy"])
        for row, value, share in zip(history.rows, (0.5, 0.6, 0.9), (0.8, 0.8, 0.79), strict=True):
            row.validation.update(loss=value, accuracy=share)
        said = "the validation loss rose from 0.5 (epoch 1) to 0.9 while accuracy went from 0.8 to 0.79: the model grew overconfident."
        assert said in history.notes()
        history.rows[-1].validation["accuracy"] = 0.6
        assert not [note for note in history.notes() if "overconfident" in note]

    def test_has_no_notes_where_there_is_nothing_to_compare(self):
        assert fit(net(), (X, Y), loss="mse", epochs=2, validation=0.2).notes() == []
        assert fit(net(), (X, Y), loss="mse", epochs=2, metrics=["mae"]).notes() == []

    def test_of_a_run_without_epochs_has_no_best(self):
        with pytest.warns(RuntimeWarning, match="loss is"):
            history = fit(net(), (X, 1e30 * Y), loss="mse", lr=0.1)
        with pytest.raises(LookupError, match=r"History.best: expected a finished epoch, got none: loss is"):
            history.best  # noqa: B018 - that it raises is the test
        assert "loss is" in repr(history)


class TestEvaluate:
    def test_gives_loss_and_metrics_and_changes_nothing(self):
        model = net(3)
        model.layers[0].training = False
        before = weights(model)
        found = evaluate(model, (X, LABELS), loss="cross_entropy", metrics=["accuracy"])
        scores = model(X.astype(np.float32)).data
        assert found["accuracy"] == np.mean(scores.argmax(1) == LABELS)
        assert found["loss"] == pytest.approx(losses.get("cross_entropy")(scores, LABELS).item())
        assert np.array_equal(weights(model), before)
        assert model.layers[0].training is False
        assert model.layers[1].training is True

    def test_of_many_rows_is_that_of_one_pass(self):
        big = np.tile(X, (120, 1))
        model = net()
        once = losses.get("mae")(model(big.astype(np.float32)), np.tile(Y, 120).reshape(-1, 1)).item()
        assert evaluate(model, (big, np.tile(Y, 120)), loss="mae")["loss"] == pytest.approx(once, rel=1e-6)


@loss(pred="real", target="none")
def small(pred, target):
    return pred**2


def test_a_loss_without_target_takes_none():
    history = fit(net(), (X, None), loss=small, epochs=3, lr=0.05)
    assert history.rows[-1].loss < history.rows[0].loss


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="evaluate: expected a Module as model, got 'net'"):
        evaluate("net", (X, Y), loss="mse")


BAD_DATA = [
    ((X, Y[:-1]), {}, ShapeError, r"fit: expected as many targets as samples, got X \(90, 3\), y \(89,\)"),
    ((X[:, :2], Y), {}, ShapeError, r"Linear: expected x \(..., 3\), got \(1, 2\)"),
    ((X[:0], Y[:0]), {}, ShapeError, r"fit: expected X with rows of samples, \(n, …\), got \(0, 3\); there must be a row"),
    ((X[:, 0], Y), {}, ShapeError, r"got \(90,\); a single column is X.reshape\(-1, 1\)"),
    ((X, np.stack([Y, Y], 1)), {}, ShapeError, r"mse: expected pred and target of one shape, got pred \(90, 1\), target \(90, 2\)"),
    ((np.where(X == X[4, 1], np.nan, X), Y), {}, DomainError, r"fit: expected finite numbers in X, got nan at row 4, column 1 \(1 of 270\)"),
    ((X.astype(str), Y), {}, DTypeError, r"fit: expected numbers in X, got text; encode text as numbers"),
    ((X, np.where(Y > 0, "a", "b")), {}, DTypeError,
     r"fit: expected numbers in y, got text; np.unique\(y, return_inverse=True\)\[1\] makes labels of texts"),
    ((np.where(np.arange(90)[:, None] == 4, 1e300, X), Y), {}, DomainError, r"fit: expected finite numbers in X, got inf at row 4"),
    ((X, np.where(np.arange(90) == 4, 1e300, Y)), {}, DomainError, r"mse: expected a finite target, got inf at row 4"),
    ((X, [[1.0], [1.0, 2.0]] * 45), {}, ShapeError, r"fit: expected y as numbers in a regular shape, got rows of unlike length"),
    ((X, Y), {"metrics": "mae"}, TypeError, r"fit: expected metrics as a list, got 'mae' alone; write metrics=\['mae'\]"),
    ((np.array([["a", 1]] * 9, object), Y), {}, DTypeError, r"fit: expected numbers in X, got objects"),
    ((X, np.array(["a", "b", "c"] * 30)), {}, DTypeError, r"fit: expected numbers in y, got text; np.unique\(y, return_inverse=True\)\[1\] makes labels of texts"),
    (X, {}, TypeError, r"fit: expected train as a pair \(X, y\), got ndarray"),
    ((X, LABELS), {"loss": "cross_entropy", "model": net(2)}, LabelError, r"cross_entropy: expected labels 0 … 1, got 2 at row \d+"),
    ((X, Y), {"sample_weight": [1, 2]}, ShapeError, r"fit: expected sample_weight \(90,\), one for each sample, got \(2,\)"),
    ((X, Y), {"sample_weight": np.where(np.arange(90) == 3, -1, 1)}, DomainError, r"expected sample_weight ≥ 0 and finite, got -1 at row 3"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "words", "error", "text"), BAD_DATA, ids=[row[3][:40] for row in BAD_DATA])
def test_data_that_do_not_fit_are_refused_before_anything_is_drawn(data, words, error, text):
    words = {"loss": "mse", "model": net(), **words}
    model, rng = words.pop("model"), np.random.default_rng(0)
    before = weights(model)
    with pytest.raises(error, match=text):
        fit(model, data, rng=rng, **words)
    assert np.array_equal(weights(model), before)
    assert rng.integers(2**63) == np.random.default_rng(0).integers(2**63)


@pytest.mark.parametrize(
    ("option", "error", "text"),
    [
        ({"batch_size": 0}, ValueError, "fit: expected batch_size ≥ 1, a whole number, got 0; say batch_size=32"),
        ({"batch_size": -1}, ValueError, "expected batch_size ≥ 1"),
        ({"batch_size": 2.5}, TypeError, "expected batch_size ≥ 1, a whole number, got 2.5"),
        ({"epochs": -1}, ValueError, "fit: expected epochs ≥ 1, a whole number, got -1; say epochs=30"),
        ({"epochs": 1.5}, TypeError, "expected epochs ≥ 1, a whole number, got 1.5"),
        ({"lr": 0}, ValueError, "expected lr > 0"),
        ({"lr": -1}, ValueError, "expected lr > 0"),
        ({"lr": np.nan}, ValueError, "expected lr > 0"),
        ({"patience": 3}, ValueError, "fit: expected validation with patience=3, got none; say validation=0.2"),
        (
            {"validation": 1.5},
            ValueError,
            r"fit: expected validation in \(0, 1\), a share that leaves rows on both sides, got 1.5 of 90",
        ),
        (
            {"validation": "no"},
            TypeError,
            r"validation as a share or a pair \(X, y\), got 'no'; say validation=0.2, or validation=\(X, y\)",
        ),
        ({"optimizer": Adam}, TypeError, r"got the class Adam; write Adam\(model.parameters\(\)\)"),
        ({"rng": 1.5}, TypeError, "fit: expected rng, an int or a numpy.random.Generator, got 1.5; say rng=0"),
        ({"optimizer": "adm"}, ValueError, "fit: expected optimizer one of .*, got 'adm'; did you mean 'adam'?"),
        ({"metrics": ["acuracy"]}, ValueError, "did you mean 'accuracy'?"),
        ({"loss": "mse_los"}, LookupError, "did you mean 'mse'?"),
        (
            {"loss": losses.get("mse", reduction="none")},
            ValueError,
            "fit: expected a loss that is reduced to one number, got",
        ),
        ({"momentum": 0.9}, TypeError, "momentum"),
    ],
)
def test_an_option_outside_its_range_is_named(option, error, text):
    with pytest.raises(error, match=text):
        fit(net(), (X, Y), **{"loss": "mse", **option})


def test_lr_belongs_to_an_optimizer_that_is_made_already():
    model = net()
    with pytest.raises(
        ValueError, match=r"fit: expected no lr beside an optimizer object, got 0.1; give it to the optimizer"
    ):
        fit(model, (X, Y), loss="mse", optimizer=SGD(model.parameters()), lr=0.1)


def test_a_model_is_a_module_with_parameters():
    with pytest.raises(TypeError, match="fit: expected a Module as model, got 3"):
        fit(3, (X, Y), loss="mse")
    with pytest.raises(ValueError, match="fit: expected a model with parameters to learn, got none in Sequential"):
        fit(nn.Sequential(nn.Tanh()), (X, Y), loss="mse")


def test_a_gradient_that_reaches_no_parameter_is_an_error():
    other = net(rng=1)
    with pytest.raises(
        GradientError,
        match="expected the gradient of mse to reach the parameters of the optimizer, got none at any of 4",
    ):
        fit(net(), (X, Y), loss="mse", optimizer=SGD(other.parameters(), lr=0.1))


def test_truth_values_are_classes_0_and_1():
    as_truth, as_numbers = net(), net()
    fit(as_truth, (X, LABELS > 0), loss="bce_with_logits", epochs=1)
    fit(as_numbers, (X, (LABELS > 0).astype(int)), loss="bce_with_logits", epochs=1)
    assert np.array_equal(weights(as_truth), weights(as_numbers))


def test_tensors_are_data_too():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit(net(), (Tensor(X), Tensor(Y)), loss="mse", epochs=1).rows
