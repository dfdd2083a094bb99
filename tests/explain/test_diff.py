"""Two losses on one batch: what is said of them agrees with gradients taken apart by hand."""

import json
import math
import re

import numpy as np
import pytest

from minigrad import MLP, Linear, Tensor, diff, loss, losses, nn, ops
from minigrad.engine.errors import GradientError, ShapeError
from minigrad.explain.text import digits
from tests.explain.nets import batch, every_loss, network

LOSSES = every_loss()
UNCOUPLED = [name for name, each in LOSSES.items() if not each.coupled]


@loss(pred="logit", target="unit")
def half_mse_sigmoid(pred, target):
    return 0.5 * (ops.sigmoid(pred) - target) ** 2


@loss(pred="logits", target="index")
def mse_on_softmax(pred, target):
    return np.sum((ops.softmax(pred) - np.eye(5, dtype=pred.dtype)[target]) ** 2, -1)


def two_classes(rng=0, n=40):
    g = np.random.default_rng(rng)
    return MLP(4, 7, 7, 1, activation="tanh", rng=rng, dtype=np.float64), g.standard_normal((n, 4)), g.integers(0, 2, n)


def gradients(model, each, x, y):
    """By layer from last to first, the gradient of the mean loss, by autograd."""
    out = model(Tensor(x))
    target = None if y is None else losses.align(each, y, out.shape[1:], float)
    for parameter in model.parameters():
        parameter.grad = None
    each(out, target).backward()
    found = [p.grad.data.ravel().copy() for p in model.parameters()]
    return [np.concatenate(found[k : k + 2]) for k in range(0, len(found), 2)][::-1]


# --- by layer ---------------------------------------------------------------------------------------------------------
PAIRS = [("bce_with_logits", half_mse_sigmoid), ("mse", "huber(delta=0.5)"), ("cross_entropy", mse_on_softmax)]


@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.parametrize("rng", range(3))
def test_the_rows_are_those_of_gradients_taken_apart_by_hand(a, b, rng):
    a, b = losses.get(a), losses.get(b)
    model = network(a, rng=rng, dtype=np.float64)
    _, x, y = batch(a, n=30, rng=rng)
    y = y if a.target != "unit" else np.round(y)
    found = diff(model, a, b, x, y)
    own_a, own_b = gradients(model, a, x, y), gradients(model, b, x, y)
    own_a.append(np.concatenate(own_a)), own_b.append(np.concatenate(own_b))
    assert [row.name for row in found.rows] == ["linear 3", "linear 2", "linear 1", "all"]
    for row, g_a, g_b in zip(found.rows, own_a, own_b, strict=True):
        assert (row.a, row.b) == pytest.approx((np.linalg.norm(g_a), np.linalg.norm(g_b)), rel=1e-12)
        assert row.ratio == pytest.approx(row.a / row.b, rel=1e-15)
        assert row.cosine == pytest.approx(g_a @ g_b / np.linalg.norm(g_a) / np.linalg.norm(g_b), rel=1e-12)
        assert row.signs_differ == np.mean(np.sign(g_a) != np.sign(g_b))


# --- by sample --------------------------------------------------------------------------------------------------------
def test_for_one_output_the_weight_is_the_ratio_of_two_slopes():
    model, x, y = two_classes()
    found = diff(model, "bce_with_logits", half_mse_sigmoid, x, y)
    p = 1 / (1 + np.exp(-model(Tensor(x)).data.ravel()))
    assert np.array(found.p) == pytest.approx(p, rel=1e-12)
    assert np.array(found.weights) == pytest.approx(1 / (p * (1 - p)), rel=1e-9)
    assert found.right == tuple((p > 0.5) == (y == 1))
    assert np.array(found.delta_a) == pytest.approx(np.abs(p - y), rel=1e-12)
    assert found.quantiles == pytest.approx(np.quantile(1 / (p * (1 - p)), (0, 0.25, 0.5, 0.75, 1)), rel=1e-9)
    grid, no, yes = map(np.array, found.curve)
    assert no == pytest.approx(1 / (grid * (1 - grid)), rel=1e-9)
    assert yes == pytest.approx(no, rel=1e-9)


def test_for_several_outputs_the_weight_is_a_projection():
    g = np.random.default_rng(0)
    model, x, y = MLP(4, 7, 5, rng=0, dtype=np.float64), g.standard_normal((20, 4)), g.integers(0, 5, 20)
    found = diff(model, "cross_entropy", mse_on_softmax, x, y)
    z = model(Tensor(x)).data
    e = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    a, r = e - np.eye(5)[y], 2 * (e - np.eye(5)[y])
    b = e * (r - (e * r).sum(1, keepdims=True))
    assert np.array(found.weights) == pytest.approx((a * b).sum(1) / (b * b).sum(1), rel=1e-9)
    assert np.array(found.cosines) == pytest.approx(
        (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1), rel=1e-9
    )
    assert found.letter == "p_y"
    assert np.array(found.p) == pytest.approx(e[np.arange(20), y], rel=1e-12)
    assert found.right == tuple(e.argmax(1) == y)
    assert found.curve is None
    assert found.verdict == f"other directions (cosine {found.rows[-1].cosine:.4f})"


def test_the_loudest_are_the_ten_farthest_from_the_median():
    model, x, y = two_classes()
    found = diff(model, "bce_with_logits", half_mse_sigmoid, x, y)
    w = np.array(found.weights)
    far = np.abs(np.log(w / np.median(w)))
    assert [one.sample for one in found.loudest] == np.argsort(-far, kind="stable")[:10].tolist()
    assert all(
        (one.weight, one.p, one.right) == (w[one.sample], found.p[one.sample], found.right[one.sample])
        for one in found.loudest
    )


def test_samples_to_which_the_second_loss_sends_nothing_are_counted_apart():
    model, x, y = two_classes()
    model.layers[-1].weight.data = 20 * model.layers[-1].weight.data
    found = diff(model, "bce_with_logits", "hinge", x, y)
    s = 2 * y - 1
    silent = int((s * model(Tensor(x)).data.ravel() >= 1).sum())
    assert 0 < silent < len(x)
    assert found.silent == silent == found.weights.count(None)
    assert f"{silent} to which b sends nothing are left out" in " ".join(str(found).split())
    assert found.verdict == f"same directions, other weights: {silent} of 40 samples are heard by one of them alone"
    assert diff(model, "hinge", "bce_with_logits", x, y).verdict == found.verdict


# --- one step of each -------------------------------------------------------------------------------------------------
def test_the_matched_steps_are_equally_long_and_flip_what_they_flip():
    model, x, y = two_classes()
    found = diff(model, "bce_with_logits", half_mse_sigmoid, x, y, lr=2.0)
    whole, m = found.rows[-1], found.matched
    assert m.lr_a == 2.0
    assert m.lr_a * whole.a == pytest.approx(m.lr_b * whole.b, rel=1e-12)
    decided = [
        stepped(model, each, x, y, lr)
        for each, lr in (("bce_with_logits", 0), ("bce_with_logits", m.lr_a), (half_mse_sigmoid, m.lr_b))
    ]
    assert m.flips_a == (decided[0] != decided[1]).sum() > 0
    assert m.flips_b == (decided[0] != decided[2]).sum() > 0
    assert m.differ == (decided[1] != decided[2]).sum()


def stepped(model, each, x, y, lr):
    """Decisions after one step of gradient descent, by hand."""
    g = gradients(model, losses.get(each), x, y)[::-1]
    states = x
    for k, layer in enumerate(layer for layer in model.layers if isinstance(layer, Linear)):
        W, b = layer.weight.data, layer.bias.data
        G = g[k]
        states = states @ (W - lr * G[: W.size].reshape(W.shape)) + (b - lr * G[W.size :])
        states = np.tanh(states) if k < 2 else states
    return states.ravel() > 0


def test_without_a_learning_rate_the_step_is_1_percent_of_the_weights():
    model, x, y = two_classes()
    found = diff(model, "bce_with_logits", half_mse_sigmoid, x, y)
    size = math.sqrt(sum((p.data**2).sum() for p in model.parameters()))
    assert found.matched.lr_a * found.rows[-1].a == pytest.approx(0.01 * size, rel=1e-12)


def test_where_nothing_is_decided_the_outputs_move():
    model, x, y = two_classes()
    found = diff(model, "mse", "mae", x, y.astype(float))
    assert (found.matched.flips_a, found.matched.differ, found.p, found.right) == (None, None, None, None)
    assert found.matched.moved_a > 0
    assert "the outputs move by" in " ".join(str(found).split())


# --- what it comes to -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", UNCOUPLED)
def test_a_loss_against_itself_is_the_same_loss(name):
    model = network(LOSSES[name])
    each, x, y = batch(LOSSES[name], n=12)
    found = diff(model, each, each, x, y)
    assert found.verdict == "same loss × 1"
    for row in found.rows:
        assert (row.ratio, row.signs_differ) == (1, 0)
        assert row.cosine == pytest.approx(1, rel=1e-12)
    assert found.matched.differ in (0, None)


@pytest.mark.parametrize("name", UNCOUPLED)
def test_three_times_a_loss_is_the_same_loss_but_for_the_factor(name):
    model = network(LOSSES[name])
    each, x, y = batch(LOSSES[name], n=12)
    found = diff(model, each, 3 * each, x, y)
    assert found.verdict == "same loss × 0.333"
    assert found.rows[-1].ratio == pytest.approx(1 / 3, rel=1e-12)


@pytest.mark.parametrize(("a", "b"), [*PAIRS, ("mse", "mae")])
def test_the_ratios_of_both_orders_multiply_to_1(a, b):
    a, b = losses.get(a), losses.get(b)
    model, (_, x, y) = network(a), batch(a, n=12)
    y = np.round(y) if a.target == "unit" else y
    for one, other in zip(diff(model, a, b, x, y).rows, diff(model, b, a, x, y).rows, strict=True):
        assert one.ratio * other.ratio == pytest.approx(1, rel=1e-12)
        assert one.cosine == pytest.approx(other.cosine, rel=1e-12)


def test_huber_far_out_is_half_of_mse_and_the_mean_over_columns_counts():
    g = np.random.default_rng(0)
    model, x, y = MLP(4, 3, rng=0), g.standard_normal((9, 4)), g.standard_normal((9, 3))
    assert diff(model, "mse", "huber(delta=1000)", x, y).verdict == "same loss × 2"


def test_a_loss_that_sends_nothing_shares_no_path():
    model, x, y = two_classes()

    @loss(pred="logit", target="unit")
    def flat(pred, target):
        return 0 * pred

    for a, b, silent in ((flat, "bce_with_logits", "a"), ("bce_with_logits", flat, "b")):
        found = diff(model, a, b, x, y)
        assert found.verdict == f"no common path: {silent} sends nothing that reaches a parameter"
        assert found.matched is None
        assert "nan" not in str(found)
    assert found.quantiles is None
    assert found.silent == 40
    assert "b sends nothing to any of them" in str(found)


def test_a_loss_that_couples_the_batch_is_compared_row_by_row_of_its_gradient():
    @loss(pred="prob", target="unit", coupled=True)
    def dice(pred, target):
        return 1 - 2 * np.sum(pred * target, 0) / np.sum(pred + target, 0)

    model = MLP(4, 7, 1, output="sigmoid", rng=0, dtype=np.float64)
    g = np.random.default_rng(0)
    x, y = g.standard_normal((9, 4)), np.arange(9) % 2
    found = diff(model, "bce" if "bce" in LOSSES else dice, dice, x, y)
    p, t = model(Tensor(x)).data, y.reshape(-1, 1)
    slope = -2 * t / (p + t).sum() + 2 * (p * t).sum() / (p + t).sum() ** 2
    assert np.array(found.delta_b) == pytest.approx(9 * np.abs(slope).ravel(), rel=1e-12)


# --- form -------------------------------------------------------------------------------------------------------------
def test_the_layout_is_that_of_the_page():
    model, x, y = two_classes()
    found = diff(model, "bce_with_logits", half_mse_sigmoid, x, y, lr=0.5)
    text = re.sub(" +", " ", re.sub(r"\d+(\.\d+)?", "#", " ".join(str(found).split())))
    expected = """
        diff a = bce_with_logits b = half_mse_sigmoid # samples ‖g_a‖ ‖g_b‖ ratio cosine signs differ
        linear # # # # # # % linear # # # # # # % linear # # # # # # % all # # # # # %
        per sample a/b # | # | # | # | # (min, quartiles, max)
        matched a at lr # steps as far as b at lr #; after that step # and # predictions flip, # of them differs
        verdict same directions, other weights: a listens up to # times more to some samples than b does"""
    assert text.replace("none differs", "# of them differs").replace("differ ver", "differs ver") == " ".join(
        expected.split()
    )
    assert digits(found.quantiles[-1] / found.quantiles[0]) in found.verdict


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
@pytest.mark.parametrize("name", UNCOUPLED)
def test_no_line_is_longer_than_80_columns(name, scale):
    each, x, y = batch(LOSSES[name], n=5)
    text = str(diff(network(LOSSES[name], depth=12), each, scale * each, x, y))
    assert max(map(len, text.splitlines())) <= 80
    assert "nan" not in text
    assert "verdict     same loss ×" in text


def test_the_record_is_plain_data():
    model, x, y = two_classes()
    data = diff(model, "bce_with_logits", "hinge", x, y).to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["matched"]["lr_a"] > 0


@pytest.mark.parametrize("grad", [None, np.ones((4, 7))])
def test_looking_changes_nothing(grad):
    model, x, y = two_classes()
    model.layers[0].weight.grad = grad
    before = model.state_dict()
    diff(model, "bce_with_logits", half_mse_sigmoid, x, y)
    assert all((model.state_dict()[path] == array).all() for path, array in before.items())
    assert (model.layers[0].weight.grad is None) == (grad is None)
    assert all(p.grad is None for p in model.parameters()[1:])
    assert model.training


def test_any_module_can_be_compared():
    class Residual(nn.Module):
        def __init__(self):
            self.inner, self.last = Linear(4, 4, rng=0), Linear(4, 1, rng=1)

        def forward(self, x):
            return self.last(x + np.tanh(self.inner(x)))

    _, x, y = two_classes()
    assert [row.name for row in diff(Residual(), "bce_with_logits", half_mse_sigmoid, x, y).rows] == [
        "last",
        "inner",
        "all",
    ]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"model": 3}, TypeError, r"diff: expected a Module, got 3; give the model itself, diff\(model, loss, x, y\)"),
        ({"b": "mse"}, ValueError, r"diff: expected losses that read the same outputs, got bce_with_logits \(pred='logit'\) and mse \(pred='real'\); give this one instead of mse:\n@loss\(pred=\"logit\", target=\"unit\"\)\ndef mse_on_sigmoid"),
        ({"b": "cross_entropy"}, ValueError, r"bce_with_logits \(pred='logit'\) and cross_entropy \(pred='logits'\)"),
        ({"lr": 0}, ValueError, r"diff: expected lr > 0, got 0; say lr=0.1, or leave it out"),
        ({"lr": math.nan}, ValueError, r"expected lr > 0, got nan"),
        ({"lr": "fast"}, TypeError, r"expected lr > 0, got 'fast'"),
        ({"y": np.zeros(3, int)}, ShapeError, r"diff: expected x \(n, …\) with a target for each sample, got x \(40, 4\), y \(3,\)"),
        ({"x": np.full((40, 4), np.inf)}, GradientError, r"diff: expected a finite gradient from"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_said(options, error, said):
    model, x, y = two_classes()
    given = {"model": model, "a": "bce_with_logits", "b": half_mse_sigmoid, "x": x, "y": y, "lr": None} | options
    with pytest.raises(error, match=said), np.errstate(all="ignore"):
        diff(given["model"], given["a"], given["b"], given["x"], given["y"], lr=given["lr"])
