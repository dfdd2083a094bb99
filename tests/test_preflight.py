"""fit(..., dry_run=True): what is wrong is found before anything is trained, and nothing is touched."""

import numpy as np
import pytest

from minigrad import MLP, Tensor, fit, loss, losses, nn

G = np.random.default_rng(0)
X = G.standard_normal((60, 3))
LABELS = np.digitize(X[:, 0], [-0.5, 0.5])


def look(model, y=LABELS, loss="cross_entropy", x=X):
    return fit(model, (x, y), loss=loss, dry_run=True)


def test_a_sound_model_passes_and_stays_as_it_was():
    model = MLP(3, 8, 3, rng=0)
    before = [p.data.copy() for p in model.parameters()]
    rng = np.random.default_rng(0)
    found = fit(model, (X, LABELS), loss="cross_entropy", dry_run=True, rng=rng)
    assert found.ok
    assert [line.name for line in found.lines] == ["shapes", "start", "gradient", "one batch"]
    assert "X (60, 3), target (60,); one output (3,); 59 parameters" in str(found)
    assert "reaches all 4 parameters" in str(found)
    assert all(np.array_equal(p.data, old) for p, old in zip(model.parameters(), before, strict=True))
    assert all(p.grad is None for p in model.parameters())
    assert rng.integers(9) == np.random.default_rng(0).integers(9)


def test_chance_is_the_logarithm_of_the_number_of_classes():
    model = MLP(3, 8, 3, rng=0)
    model.layers[-1].weight.data = np.zeros((8, 3), np.float32)
    start = look(model).lines[1]
    assert start.said == f"the loss starts at {np.log(3):.4g}, chance is {np.log(3):.4g}"


def test_outputs_that_start_too_large_are_seen():
    found = look(MLP(3, 8, 3, rng=0), x=100 * X)
    assert not found.ok
    assert "outputs start too large" in found.lines[1].said


class Forgetful(nn.Module):
    def __init__(self):
        self.used, self.unused = nn.Linear(3, 3, rng=0), nn.Linear(3, 3, rng=1)

    def forward(self, x):
        return self.used(x)


def test_a_parameter_that_is_never_reached_is_named():
    found = look(Forgetful())
    assert found.lines[2].said == "never reached: unused.weight, unused.bias"
    assert not found


def test_a_gradient_of_zero_is_named():
    model = MLP(3, 4, 3, rng=0)
    model.layers[0].bias.data = np.full(4, -1e3, np.float32)
    found = look(model)
    assert "the gradient is 0 at layers.0.weight, layers.0.bias" in found.lines[2].said


@pytest.mark.filterwarnings("ignore:.*takes scores:UserWarning")
def test_a_softmax_too_many_is_told_with_its_floor():
    found = look(MLP(3, 8, 3, output="softmax", rng=0))
    (line,) = [line for line in found.lines if line.name == "softmax"]
    assert f"cannot fall below {np.log(np.e + 2) - 1:.3f} (K = 3), its gradient starts 3 times smaller" in line.said


@pytest.mark.filterwarnings("ignore:.*takes scores:UserWarning")
def test_a_sigmoid_too_many_is_told():
    found = look(MLP(3, 8, 1, output="sigmoid", rng=0), y=LABELS > 0, loss="bce_with_logits")
    (line,) = [line for line in found.lines if line.name == "sigmoid"]
    assert line.said == "bce_with_logits takes scores, but the model ends in sigmoid; remove it, or use bce"


def test_where_there_is_no_chance_the_start_is_told_alone():
    @loss(pred="embedding", target="index", coupled=True)
    def spread(pred, target):
        return ((pred - pred.mean(0)) ** 2).sum(-1)

    found = look(MLP(3, 8, 2, rng=0), loss=spread)
    assert found.lines[1].said.startswith("the loss starts at ")
    assert "chance" not in found.lines[1].said


def test_a_loss_that_is_not_finite_on_one_batch_is_told():
    @loss
    def root(pred, target):
        return np.sqrt(pred - 1e6)

    found = look(MLP(3, 8, 1, rng=0), y=X[:, 0], loss=root)
    assert "1 steps of Adam; a model that cannot learn one batch learns nothing" in found.lines[-1].said


def test_a_sum_is_told_with_its_factor():
    found = look(MLP(3, 8, 3, rng=0), loss=losses.get("cross_entropy", reduction="sum"))
    assert 'reduction="sum" multiplies the gradient by n = 32' in str(found)


def test_a_model_that_cannot_learn_one_batch_fails():
    class Deaf(nn.Module):
        def __init__(self):
            self.scale = Tensor(np.zeros(3, np.float32), requires_grad=True)

        def forward(self, x):
            return 0 * (x @ np.ones((3, 3), np.float32)) * self.scale

    found = look(Deaf())
    assert not found.lines[-1].ok
    assert "a model that cannot learn one batch learns nothing" in found.lines[-1].said
