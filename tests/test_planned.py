"""A planned step is the engine's step, to the last bit, or it is not taken."""

import warnings

import numpy as np
import pytest

from minigrad import MLP, Adam, Linear, Tensor, data, fit, losses, nn, optim
from minigrad.engine.debug import detect_anomaly
from minigrad.losses import loss
from minigrad.planned import Planner
from tests.losses.samples import every, sampled, uncoupled

X = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
LABELS = np.random.default_rng(1).integers(0, 3, 50)


def run(model, monkeypatch, *, planned, train=(X, LABELS), loss="cross_entropy", taken=None, **options):
    """History and model of a run in which every step that can be planned is, or none."""
    with monkeypatch.context() as patch:
        step = Planner.step

        def counted(self, x, target):
            value = step(self, x, target) if planned else None
            if taken is not None:
                taken.append(value is not None)
            return value

        patch.setattr(Planner, "step", counted)
        options = {"epochs": 3, "batch_size": 8, "rng": 0, "validation": 0.2, **options}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            if callable(options.get("optimizer")):
                options["optimizer"] = options["optimizer"](model.parameters())
            history = fit(model, train, loss=loss, **options)
    return history, model, options.get("optimizer")


def same(make, monkeypatch, *, planned=True, **options):
    """Both runs, from the same start, leave the same bytes; `planned` says whether plans were taken."""
    taken = []
    a, first, one = run(make(), monkeypatch, planned=True, taken=taken, **options)
    b, second, other = run(make(), monkeypatch, planned=False, **options)
    assert any(taken) == planned
    assert [(row.epoch, row.running, row.training, row.validation) for row in a.rows] == [
        (row.epoch, row.running, row.training, row.validation) for row in b.rows
    ]
    assert np.array_equal(a._watch.steps, b._watch.steps, equal_nan=True)
    assert (a.stopped, a.culprit) == (b.stopped, b.culprit)
    for p, q in zip(first.parameters(), second.parameters(), strict=True):
        assert np.array_equal(p.data, q.data)
        assert p.grad is None is q.grad
    if isinstance(one, optim.Optimizer):
        assert repr(one.state_dict()) == repr(other.state_dict())
    return a


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "softplus", "gelu", "silu"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_planned_run_equals_the_engines_for_every_activation_and_dtype(activation, dtype, monkeypatch):
    same(lambda: MLP(6, 7, 5, 3, activation=activation, rng=3, dtype=dtype), monkeypatch)


@pytest.mark.parametrize(
    "chain",
    [
        lambda: nn.Sequential(Linear(6, 3, rng=0)),
        lambda: nn.Sequential(Linear(6, 4, bias=False, rng=0), nn.ReLU(), Linear(4, 3, bias=False, rng=1)),
        lambda: nn.Sequential(Linear(6, 4, rng=0), nn.Tanh(), nn.ReLU(), nn.ReLU(), nn.Sigmoid(), Linear(4, 3, rng=1)),
        lambda: nn.Sequential(Linear(6, 4, rng=0), Linear(4, 3, rng=1), nn.ReLU()),
    ],
)
def test_a_planned_run_equals_the_engines_for_every_chain(chain, monkeypatch):
    same(chain, monkeypatch)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
        lambda p: optim.Adam(p, lr=1e-2, weight_decay=1e-3, clip_norm=0.1),
        lambda p: optim.AdamW(p, lr=1e-2, clip_value=0.01),
        lambda p: optim.RMSprop(p, lr=1e-2, momentum=0.5),
        lambda p: optim.Adam(p, lr=optim.Cosine(1e-2, steps=15)),
    ],
)
def test_a_planned_run_equals_the_engines_for_every_optimizer_and_its_state(make, monkeypatch):
    same(lambda: MLP(6, 7, 3, rng=3), monkeypatch, optimizer=make)


@pytest.mark.parametrize("name", every(lambda loss: uncoupled(loss) and loss.grad is not None))
def test_a_planned_run_equals_the_engines_for_every_loss_with_a_closed_form(name, monkeypatch):
    chosen, pred, target = sampled(losses.get(name), n=50)
    outputs = 1 if pred.ndim == 1 else pred.shape[-1]
    if pred.ndim > 2:
        pytest.skip("the chain has one row of outputs for a sample")
    output = {"prob": "sigmoid", "log_probs": "log_softmax"}.get(chosen.pred)
    same(
        lambda: MLP(6, 5, outputs, output=output, rng=2), monkeypatch, train=(X, target), loss=chosen, validation=None,
        planned=chosen.pred in ("real", "logit", "logits"),
    )  # fmt: skip


def test_a_batch_of_many_rows_is_summed_as_the_engine_does(monkeypatch):
    x = np.random.default_rng(0).normal(size=(600, 6)).astype(np.float32)
    same(lambda: MLP(6, 7, 1, rng=3), monkeypatch, train=(x, x[:, 0]), loss="huber", batch_size=300)


@pytest.mark.parametrize("reduction", ["mean", "weighted_mean", "sum"])
def test_a_planned_run_equals_the_engines_for_every_reduction(reduction, monkeypatch):
    chosen = losses.get("cross_entropy", reduction=reduction)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same(lambda: MLP(6, 7, 3, rng=3), monkeypatch, loss=chosen, lr=1e-4)


@pytest.mark.parametrize("lr", [1.0, 1e3])
def test_a_run_that_diverges_ends_as_the_engines_does_and_names_the_same_culprit(lr, monkeypatch):
    y = 1e3 * X[:, 0] ** 3
    history = same(lambda: MLP(6, 7, 1, rng=3), monkeypatch, train=(X, y), loss="mse", optimizer="sgd", lr=lr, epochs=9)
    assert history.stopped.startswith("loss is")
    assert history.culprit


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def patched():
    model = MLP(6, 7, 3, rng=3)
    model.layers[1].forward = lambda x: np.tanh(x)
    return model


def listened():
    model = MLP(6, 7, 3, rng=3)
    model.layers[0].weight.register_hook(lambda g: 2 * g)
    return model


def shared():
    layer = Linear(6, 6, rng=0)
    return nn.Sequential(layer, nn.Tanh(), layer, Linear(6, 3, rng=1))


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Sequential(Doubled(6, 3, rng=0)), patched, listened, shared,
        lambda: nn.Sequential(Linear(6, 4, rng=0), nn.Dropout(0.5, rng=0), Linear(4, 3, rng=1)),
        lambda: nn.Sequential(Linear(6, 4, rng=0), nn.LayerNorm(4), Linear(4, 3, rng=1)),
        lambda: nn.Sequential(nn.Sequential(Linear(6, 3, rng=0))),
    ],
    ids=["own module", "own forward", "hook", "shared weights", "dropout", "layer norm", "nested"],
)  # fmt: skip
def test_what_a_plan_does_not_cover_is_left_to_the_engine(make, monkeypatch):
    same(make, monkeypatch, planned=False)


def test_a_loss_without_closed_form_and_weighted_classes_are_left_to_the_engine(monkeypatch):
    @loss(pred="logits", target="index")
    def plain(pred, target):
        return np.log(np.exp(pred).sum(-1)) - losses.pick(pred, target)

    same(lambda: MLP(6, 7, 3, rng=3), monkeypatch, planned=False, loss=plain)
    weighted = losses.get("cross_entropy", class_weight=[1, 2, 3])
    same(lambda: MLP(6, 7, 3, rng=3), monkeypatch, planned=False, loss=weighted)


def test_weighted_samples_are_left_to_the_engine(monkeypatch):
    taken = []
    run(MLP(6, 7, 3, rng=3), monkeypatch, planned=True, taken=taken, validation=None, sample_weight=np.ones(50))
    assert not taken


def test_a_plan_rests_while_anomalies_are_looked_for():
    model = MLP(6, 7, 3, rng=3)
    planner = Planner(model, losses.get("cross_entropy"), Adam(model.parameters()))
    with detect_anomaly():
        assert planner.step(X, LABELS) is None
    assert planner.step(X, LABELS) is not None


def test_a_frozen_parameter_leaves_the_step_to_the_engine():
    model = MLP(6, 7, 3, rng=3)
    model.layers[0].bias = Tensor(np.zeros(7, np.float32))
    assert not Planner(model, losses.get("cross_entropy"), Adam(model.parameters())).possible


def test_a_step_whose_gradient_is_not_finite_changes_nothing_and_is_left_to_the_engine():
    model = MLP(6, 7, 1, rng=3)
    model.layers[2].weight.data = np.full((7, 1), 1e30, np.float32)
    before = model.state_dict()
    planner = Planner(model, losses.get("huber", delta=1e30), Adam(model.parameters()))
    with np.errstate(all="ignore"):
        assert planner.step(1e8 * X, np.zeros((50, 1), np.float32)) is None
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())
    assert planner.optimizer.steps == 0


def test_the_first_run_of_the_readme_is_planned(monkeypatch):
    train, _ = data.load("digits", rng=0)
    taken = []
    run(MLP(64, 16, 10, rng=0), monkeypatch, planned=True, taken=taken, train=train, epochs=1, batch_size=32)
    assert all(taken)
