"""The numbers of a trace: they multiply out, agree with NumPy and autograd, and obey what mathematics says of them."""

import numpy as np
import pytest

from minigrad import MLP, Linear, Tensor, loss, losses, nn, ops, trace
from minigrad.engine.errors import DTypeError, GradientError, ShapeError
from minigrad.engine.graph import recording
from minigrad.explain.way_back import double
from tests.explain.nets import batch, every_loss, network, way_back

LOSSES = every_loss()
CASES = [(name, kind, depth) for name in LOSSES for kind in ("tanh", "relu", "sigmoid") for depth in (1, 2, 5, 12)]
CASES += [("mse", kind, 5) for kind in ("softplus", "gelu", "silu", "leaky_relu", "elu")]
# The steepest slope of each activation: of gelu it is at √2, of silu where z tanh(z/2) = 2.
STEEPEST = {"sigmoid": 0.25, "gelu": 1.1289, "silu": 1.0999}
SCALAR = [name for name, each in LOSSES.items() if each.pred in ("real", "logit", "prob") and not each.coupled]


@loss(pred="logit", target="unit")
def half_mse_sigmoid(pred, target):
    return 0.5 * (ops.sigmoid(pred) - target) ** 2


def traced(name, activation="tanh", depth=3, rng=0, **options):
    """(model, loss, x, y, trace) of a random network for this loss."""
    model = network(LOSSES[name], depth, activation, rng=rng)
    each, x, y = batch(LOSSES[name], rng=rng)
    return model, each, x, y, trace(model, each, x, y, **options)


def sizes(found):
    """Every size in a trace that scales with the loss, and every one that does not."""
    absolute = [found.start, *found.lengths, *(row.weight for row in found.rows if row.weight is not None)]
    relative = [v for row in found.rows for v in (row.factor, row.share, row.pull) if v is not None]
    return np.array(absolute), np.array(relative)


# --- factors multiply out ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "activation", "depth"), CASES)
def test_start_times_all_factors_is_the_gradient_at_the_input(name, activation, depth):
    model, each, x, y, found = traced(name, activation, depth)
    product, reach = found.start * np.prod([row.factor for row in found.rows]), widest(found)
    assert product == pytest.approx(found.autograd, rel=1e-12, abs=1e-14 * reach)
    if each.pred != "embedding" or depth < 12:  # there the items of a pair come out alike but for rounding in float32
        own = own_backward(model, each, x, y, found.sample)
        assert found.product == pytest.approx(own, rel=1e-4, abs=1e-6 * reach)
    assert found.difference < 1e-12 or any("The gradient cancels" in remark for remark in found.remarks)
    assert [row.leaves for row in found.rows] == [*(row.arrives for row in found.rows[1:]), found.product]


def widest(found):
    """What the modules could at most make of the start: the unit in which rounding is small where a gradient cancels."""
    return found.start * np.prod([row.most or 1 for row in found.rows])


def own_backward(model, each, x, y, i):
    """‖∂ℓᵢ/∂xᵢ‖ by the float32 model's own backward pass."""
    start = Tensor(x.astype(np.float32), requires_grad=True)
    out = model(start)
    target = None if y is None else losses.align(each, y, out.shape[1:], np.float32)
    value = each(out, target, reduction="sum" if each.coupled else "none")
    value.backward(np.ones(value.shape, np.float32))
    return np.linalg.norm(start.grad.data[i])


@pytest.mark.parametrize(("name", "activation", "depth"), CASES)
def test_the_factors_are_those_of_the_weights_and_slopes(name, activation, depth):
    model, _, x, _, found = traced(name, activation, depth)
    shape = model(Tensor(x[[0]].astype(np.float32))).shape[1:]
    steps = way_back(model, x[found.sample], np.reshape(found.rows[0].gradient, shape))
    bound, exact = STEEPEST.get(activation, 1), {"rel": 1e-12, "abs": 1e-14 * widest(found)}
    for row, (module, h, g, back) in zip(found.rows, steps, strict=True):
        assert row.arrives == pytest.approx(np.linalg.norm(g), **exact)
        assert row.leaves == pytest.approx(np.linalg.norm(back) * np.linalg.norm(g), **exact)
        assert np.reshape(row.gradient, g.shape) == pytest.approx(g, rel=1e-12, abs=1e-12 * row.arrives + exact["abs"])
        if isinstance(module, Linear):
            h, g = np.atleast_2d(h), np.atleast_2d(g)
            assert row.factor <= row.most * (1 + 1e-12)
            assert row.most == pytest.approx(np.linalg.svd(module.weight.data.astype(float))[1][0], rel=1e-12)
            rounding = exact["abs"] * (1 + np.linalg.norm(h)) + 1e-14 * row.arrives
            assert row.weight == pytest.approx(np.linalg.norm(h.T @ g), rel=1e-9, abs=rounding)
            assert row.bias == pytest.approx(np.linalg.norm(g.sum(0)), rel=1e-9, abs=rounding)
        elif row.kind == "activation":
            assert row.factor <= row.most <= bound


@pytest.mark.parametrize("name", LOSSES)
def test_the_start_is_the_slope_of_the_value(name):
    model, each, x, y, found = traced(name)
    pred, out = np.array(found.pred), double(model)(Tensor(x)).numpy()
    rows = slice(None) if each.coupled else [found.sample]  # whose value hangs on this prediction
    target = None if y is None else losses.align(each, y, out.shape[1:], float)[rows]
    h = 1e-6

    def value(p):
        changed = out.copy()
        changed[found.sample] = p.reshape(out.shape[1:])
        return float(each(changed[rows], target, reduction="sum"))

    slopes = [(value(pred + h * e) - value(pred - h * e)) / (2 * h) for e in np.eye(pred.size)]
    assert value(pred) == pytest.approx(found.value, rel=1e-12)
    assert np.array(found.rows[0].gradient) == pytest.approx(np.array(slopes), abs=1e-6 * max(1, found.start))


# --- ratios of losses -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [name for name in SCALAR if LOSSES[name].pred == "logit"])
@pytest.mark.parametrize("rng", range(3))
def test_for_one_output_two_losses_differ_by_one_ratio_at_every_layer(name, rng):
    model, each, x, _, _ = traced(name, rng=rng)
    y = (np.arange(len(x)) % 2).astype(float)
    first = trace(model, each, x, y, also="bce_with_logits")
    second = trace(model, "bce_with_logits", x, y, sample=first.sample)
    ratios = sizes(first)[0] / sizes(second)[0]
    assert ratios == pytest.approx(ratios[0], rel=1e-12)
    assert first.also[0].lengths == pytest.approx(second.lengths, rel=1e-12)
    assert first.also[0].ratio == pytest.approx(ratios[0], rel=1e-12)
    assert sizes(first)[1][0] == sizes(second)[1][0]


@pytest.mark.parametrize("rng", range(5))
def test_cross_entropy_over_squared_error_on_the_sigmoid_is_1_over_p_times_1_minus_p(rng):
    g = np.random.default_rng(rng)
    x, y = 2 * g.standard_normal((6, 4)), np.arange(6) % 2
    model = MLP(4, 7, 1, activation="tanh", rng=rng)
    found = trace(model, "bce_with_logits", x, y, also=half_mse_sigmoid)
    p = found.link[1]
    assert found.also[0].ratio == pytest.approx(1 / (p * (1 - p)), rel=1e-9)
    behind = nn.Sequential(*model.layers, nn.Sigmoid())
    squared = trace(behind, "mse", x, y, sample=found.sample)
    ratios = np.array(found.lengths) / np.array(squared.lengths[1:])
    assert ratios == pytest.approx(1 / (2 * p * (1 - p)), rel=1e-9)


@pytest.mark.parametrize("rng", range(5))
def test_the_gradient_of_cross_entropy_sums_to_0_and_weighs_twice_what_the_true_class_lacks(rng):
    found = traced("cross_entropy", rng=rng)[-1]
    delta = np.array(found.rows[0].gradient)
    assert abs(delta.sum()) < 1e-12
    assert np.abs(delta).sum() == pytest.approx(2 * (1 - found.link[1]), abs=1e-12)


# --- shares and pulls -------------------------------------------------------------------------------------------------
MIXED = ("bce_with_logits", "mse", "cross_entropy", "hinge", "triplet_margin", "gaussian_nll")


def all_traces(model, each, x, y):
    return [trace(model, each, x, y, sample=i) for i in range(len(x))]


@pytest.mark.parametrize("name", LOSSES)
def test_shares_and_pulls_of_a_batch_sum_to_1(name):
    model, each, x, y, _ = traced(name, "relu")
    traces = all_traces(model, each, x, y)
    for rows in zip(*(found.rows for found in traces), strict=True):
        if rows[0].share is not None:
            assert sum(row.share for row in rows) == pytest.approx(1, rel=1e-10)
            assert sum(row.pull for row in rows) == pytest.approx(1, rel=1e-10)


@pytest.mark.parametrize("name", MIXED)
def test_shares_and_pulls_are_those_of_gradients_taken_sample_by_sample(name):
    model, (each, x, y) = network(LOSSES[name], dtype=np.float64), batch(LOSSES[name])
    gradients = [gradient_of(model, each, x, y, [i]) for i in range(len(x))]
    whole = gradient_of(model, each, x, y, range(len(x)))
    for i, found in enumerate(all_traces(model, each, x, y)):
        linears = [row for row in reversed(found.rows) if row.kind == "linear"]
        for k, row in enumerate(linears):
            own, all_, sizes_ = gradients[i][k], whole[k], [np.linalg.norm(g[k]) for g in gradients]
            assert row.share == pytest.approx(sizes_[i] / sum(sizes_), rel=1e-9)
            assert row.pull == pytest.approx(own @ all_ / (all_ @ all_), rel=1e-8, abs=1e-10)
            assert np.hypot(row.weight, row.bias) == pytest.approx(sizes_[i], rel=1e-9)
    assert np.mean([np.concatenate(g) for g in gradients], 0) * len(x) == pytest.approx(np.concatenate(whole), rel=1e-9)


def gradient_of(model, each, x, y, rows):
    """By linear module, the gradient of the summed loss of some rows, by autograd."""
    rows = list(rows)
    out = model(Tensor(x[rows]))
    target = None if y is None else losses.align(each, y, out.shape[1:], float)[rows]
    for parameter in model.parameters():
        parameter.grad = None
    each(out, target, reduction="sum").backward()
    found = [p.grad.data.ravel() for p in model.parameters()]
    return [np.concatenate(found[k : k + 2]) for k in range(0, len(found), 2)]


def test_both_copies_of_a_sample_given_twice_have_the_same_share_and_pull():
    model, each, x, y, _ = traced("bce_with_logits")
    x, y = np.concatenate([x, x[[2]]]), np.concatenate([y, y[[2]]])
    first, second = (sizes(trace(model, each, x, y, sample=i)) for i in (2, 6))
    assert first[1] == pytest.approx(second[1], rel=1e-12)
    assert first[0] == pytest.approx(second[0], rel=1e-12)


@pytest.mark.parametrize("name", MIXED)
def test_a_batch_in_another_order_has_the_same_numbers(name):
    model, each, x, y, _ = traced(name)
    order = np.array([3, 0, 5, 1, 4, 2])
    shuffled = None if y is None else y[order]
    for at, i in enumerate(order):
        one, other = trace(model, each, x, y, sample=int(i)), trace(model, each, x[order], shuffled, sample=at)
        for a, b in zip(sizes(one), sizes(other), strict=True):
            assert a == pytest.approx(b, rel=1e-9)


# --- scales -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("c", [3.0, 0.1, 1e-8])
@pytest.mark.parametrize("name", MIXED)
def test_c_times_a_loss_sends_c_times_as_much_and_no_factor_changes(name, c):
    model, each, x, y, once = traced(name)
    scaled = trace(model, c * each, x, y, sample=once.sample)
    assert sizes(scaled)[0] == pytest.approx(c * sizes(once)[0], rel=1e-12)
    assert sizes(scaled)[1] == pytest.approx(sizes(once)[1], rel=1e-9)


def test_a_relu_layer_scaled_up_and_the_next_scaled_down_leave_the_product_as_it_was():
    model, each, x, y, before = traced("mse", "relu")
    model.layers[0].weight.data = model.layers[0].weight.data * np.float32(8)
    model.layers[0].bias.data = model.layers[0].bias.data * np.float32(8)
    model.layers[2].weight.data = model.layers[2].weight.data / np.float32(8)
    after = trace(model, each, x, y, sample=before.sample)
    assert after.product == pytest.approx(before.product, rel=1e-12)
    assert after.rows[2].factor == pytest.approx(before.rows[2].factor / 8, rel=1e-12)
    assert after.rows[4].factor == pytest.approx(before.rows[4].factor * 8, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e-12, 1e12, 1e150])
def test_huge_and_tiny_numbers_multiply_out_too(scale):
    _, _, x, y, _ = traced("mae", "relu")
    wide = network(LOSSES["mae"], dtype=np.float64, activation="relu")
    wide.layers[0].weight.data = wide.layers[0].weight.data * scale
    found = trace(wide, "mae", x, y)
    assert found.difference < 1e-12
    assert found.product == pytest.approx(found.start * np.prod([row.factor for row in found.rows]), rel=1e-12)
    assert max(len(line) for line in str(found).splitlines()) <= 80


@pytest.mark.parametrize("scale", [1e-170, 1e170])
def test_shares_of_huge_and_tiny_inputs_sum_to_1(scale):
    model, each, x, y, _ = traced("mae", "relu")
    traces = all_traces(model, each, x * scale, y)
    for rows in zip(*(found.rows for found in traces), strict=True):
        if rows[0].share is not None:
            assert sum(row.share for row in rows) == pytest.approx(1, rel=1e-9)
            assert sum(row.pull for row in rows) == pytest.approx(1, rel=1e-9)


# --- where the gradient dies ------------------------------------------------------------------------------------------
def dead_network():
    model = MLP(4, 7, 7, 1, activation="relu", rng=0)
    model.layers[2].bias.data = np.full(7, -1e3, np.float32)
    return model


def test_behind_a_layer_of_dead_units_nothing_arrives():
    _, _, x, y, _ = traced("bce_with_logits")
    found = trace(dead_network(), "bce_with_logits", x, y)
    linear3, relu2, linear2, relu1, linear1 = found.rows
    assert (relu2.factor, relu2.dead, relu2.leaves) == (0, 7, 0)
    assert linear3.factor > 0
    assert [row.factor for row in (linear2, relu1, linear1)] == [None] * 3
    assert [row.share for row in (linear2, linear1)] == [row.pull for row in (linear2, linear1)] == [None, None]
    assert (found.product, found.autograd, found.difference) == (0, 0, 0)
    text = str(found)
    assert (
        "The gradient ends at relu 2: all 7 units are dead, and no layer before it hears this sample."
        in text.replace("\n", " ")
    )
    assert "nan" not in text
    assert "–" in text


def test_a_loss_that_sends_nothing_says_so():
    model = MLP(4, 7, 1, rng=0)
    x = np.ones((2, 4))
    y = model(Tensor(x.astype(np.float32))).data.astype(float).ravel()
    found = trace(model, "mse", x, y + [0, 1], sample=0)
    assert found.start < 1e-6
    kept = trace(MLP(4, 1, rng=0), 1e-9 * losses.get("hinge"), np.zeros((2, 4)), [1, 0])
    assert kept.start == pytest.approx(1e-9)
    silent = trace(MLP(4, 1, rng=0), "mse", np.zeros((2, 4)), [0.0, 1.0], sample=0, also=["mae", "huber"])
    assert (silent.start, silent.product, silent.rows[0].running) == (0, 0, None)
    assert "The loss sends nothing, and no layer learns from this sample; mae would send nothing;" in str(
        silent
    ).replace("\n", " ")


@pytest.mark.parametrize("z", [-800.0, 800.0])
def test_a_probability_of_0_or_1_in_float32_is_traced_as_in_float64(z):
    model = nn.Sequential(Linear(1, 1, rng=0))
    model.layers[0].weight.data = np.array([[1]], np.float32)
    for y in (0, 1):
        found = trace(model, "bce_with_logits", [[z]], [y], also=half_mse_sigmoid)
        assert found.start == pytest.approx(float((z > 0) != y), abs=1e-300)
        assert np.isfinite(found.value)


# --- nothing is touched -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("grad_mode", [True, False])
def test_looking_changes_nothing(grad_mode):
    model = nn.Sequential(Linear(4, 7, rng=0), nn.Tanh(), nn.Dropout(0.5, rng=3), Linear(7, 1, rng=1))
    _, each, x, y, _ = traced("bce_with_logits")
    model.layers[0].weight.grad = np.ones((4, 7), np.float32)
    legacy, before = np.random.get_state()[1].copy(), model.state_dict()  # noqa: NPY002  # that it is left alone
    drawn = model.layers[2].rng.bit_generator.state
    token = recording.set(grad_mode)
    try:
        trace(model, each, x, y, also=half_mse_sigmoid)
        assert recording.get() is grad_mode
    finally:
        recording.reset(token)
    assert all((model.state_dict()[path] == array).all() for path, array in before.items())
    assert (model.layers[0].weight.grad.data == 1).all()
    assert [p.grad is None for p in model.parameters()] == [False, True, True, True]
    assert all(module.training for _, module in model.named_modules())
    assert model.layers[2].rng.bit_generator.state == drawn
    assert (np.random.get_state()[1] == legacy).all()  # noqa: NPY002
    assert "forward" not in vars(model.layers[0])


def test_learned_parameters_of_a_loss_keep_their_gradient():
    width = Tensor(np.array(0.0), requires_grad=True)

    @loss
    def soft(pred, target, *, log_scale=0.0):
        return (pred - target) ** 2 * np.exp(-log_scale) + log_scale

    found = trace(MLP(4, 1, rng=0), soft.with_(log_scale=width), np.ones((3, 4)), [0.0, 1.0, 2.0])
    assert found.difference < 1e-12
    assert width.grad is None


# --- any model, any loss ----------------------------------------------------------------------------------------------
class Residual(nn.Module):
    """Paths that part and meet."""

    def __init__(self):
        self.inner, self.act, self.norm = Linear(7, 7, rng=0), nn.Tanh(), nn.LayerNorm(7)
        self.first, self.last = Linear(4, 7, rng=1), Linear(7, 1, rng=2)

    def forward(self, x):
        h = self.act(self.first(x))
        return self.last(h + self.act(self.norm(self.inner(h))))


class Plain(nn.Module):
    """One path, written by hand."""

    def __init__(self):
        self.first, self.act, self.last = Linear(4, 7, rng=1), nn.Tanh(), Linear(7, 1, rng=2)

    def forward(self, x):
        return self.last(self.act(self.first(x)))


class Bare(nn.Module):
    """No module inside."""

    def __init__(self):
        self.w = Tensor(np.linspace(-1, 1, 4, dtype=np.float32).reshape(4, 1), requires_grad=True)

    def forward(self, x):
        return np.tanh(x @ self.w)


def test_modules_of_a_model_that_is_no_chain_stand_in_the_order_of_their_calls():
    _, each, x, y, _ = traced("bce_with_logits")
    found = trace(Residual(), each, x, y)
    assert [row.name for row in found.rows] == ["last", "act, call 2", "norm", "inner", "act", "first"]
    assert [row.handed_on for row in found.rows] == [False, True, True, False, True, True]
    assert found.product is None
    assert found.difference < 1e-12
    inner, act = found.rows[3:5]
    assert inner.leaves < act.arrives  # the other path goes around it
    assert found.rows[-1].leaves == pytest.approx(found.autograd, rel=1e-12)
    assert found.lengths[-1] == found.autograd
    assert "Residual is no chain: its modules stand in the order of their calls" in str(found)
    assert "no single path; 3 times" in str(found)
    assert max(map(len, str(found).splitlines())) <= 80


def test_a_chain_written_by_hand_multiplies_out_like_any_other():
    _, each, x, y, _ = traced("bce_with_logits")
    model = Plain()
    found, same = (trace(m, each, x, y) for m in (model, nn.Sequential(model.first, model.act, model.last)))
    assert found.product == pytest.approx(same.product, rel=1e-12)
    assert sizes(found)[0] == pytest.approx(sizes(same)[0], rel=1e-12)
    assert sizes(found)[1] == pytest.approx(sizes(same)[1], rel=1e-12)


def test_a_model_without_modules_is_one_step():
    _, each, x, y, _ = traced("mse")
    found = trace(Bare(), each, x, y)
    assert [(row.name, row.kind) for row in found.rows] == [("bare 1", "module")]
    assert found.difference < 1e-12
    assert found.rows[0].weight == pytest.approx(bare_gradient(found, x[found.sample]), rel=1e-12)
    assert "Bare is one step here" in str(found)


def bare_gradient(found, x):
    w = np.linspace(-1, 1, 4, dtype=np.float32).astype(float)
    return np.linalg.norm(x * (1 - np.tanh(x @ w) ** 2) * found.start)


def test_a_chain_in_a_chain_is_a_longer_chain():
    _, each, x, y, _ = traced("mse")
    inner = MLP(7, 7, 7, activation="relu", rng=4)
    found = trace(
        nn.Sequential(Linear(4, 7, rng=0), nn.LayerNorm(7), inner, nn.Softplus(), Linear(7, 1, rng=1)), each, x, y
    )
    assert len(found.rows) == 7
    assert found.difference < 1e-12
    assert [row.kind for row in found.rows].count("module") == 1


@loss(pred="prob", target="unit", coupled=True)
def dice(pred, target):
    return 1 - 2 * np.sum(pred * target, 0) / np.sum(pred + target, 0)


@loss(pred="embedding", target="index", coupled=True)
def centred(pred, target):
    same = target[:, None] == target[None]
    near = np.sum((pred[:, None] - pred[None]) ** 2, -1)
    return np.sum(np.where(same, near, 0), 1)


@pytest.mark.parametrize("each", [dice, 0.5 * dice + 0.5 * losses.get("bce") if "bce" in LOSSES else dice])
def test_a_loss_that_couples_the_batch_sends_row_i_of_its_gradient(each):
    model = MLP(4, 7, 1, output="sigmoid", rng=0, dtype=np.float64)
    x, y = np.random.default_rng(0).standard_normal((5, 4)), np.array([0, 1, 1, 0, 1])
    out = model(Tensor(x)).data
    target = y.reshape(-1, 1).astype(float)
    for i in range(5):
        found, step = trace(model, each, x, y, sample=i), np.eye(5)[:, [i]] * 1e-6
        slope = (
            float(each(out + step, target, reduction="sum")) - float(each(out - step, target, reduction="sum"))
        ) / 2e-6
        assert found.start == pytest.approx(abs(slope), rel=1e-6)
        assert found.difference < 1e-12
    assert "is coupled: what it sends to one sample depends on the batch." in " ".join(str(found).split())


def test_of_a_coupled_loss_the_worst_sample_is_the_one_that_hears_most():
    model, x = MLP(4, 3, rng=0), np.random.default_rng(0).standard_normal((6, 4))
    found = trace(model, centred, x, np.arange(6) % 2)
    assert found.start == max(trace(model, centred, x, np.arange(6) % 2, sample=i).start for i in range(6))


def test_the_rows_of_a_sample_that_is_a_triplet_go_back_together():
    found = traced("triplet_margin", depth=2)[-1]
    assert found.rows[0].sizes == (7, 3)
    assert len(found.rows[0].gradient) == 9
    assert np.reshape(found.rows[0].gradient, (3, 3)).sum(0) == pytest.approx(0, abs=1e-12)
    units = trace(network(LOSSES["triplet_margin"], 2, "relu"), "triplet_margin", np.ones((2, 3, 4)))
    assert len(units.rows[1].slopes) == 21
    assert f"{units.rows[1].dead} of 21" in str(units)


def test_outputs_of_several_columns_add_up_to_one_value_per_sample():
    model, x = MLP(4, 3, rng=0, dtype=np.float64), np.random.default_rng(0).standard_normal((5, 4))
    y = np.random.default_rng(1).standard_normal((5, 3))
    found = trace(model, "mse", x, y)
    r = model(Tensor(x)).data - y
    assert found.value == pytest.approx((r**2).sum(1).max())
    assert found.start == pytest.approx(2 * np.linalg.norm(r[found.sample]))


# --- what goes in -----------------------------------------------------------------------------------------------------
def test_one_sample_without_a_batch_axis_is_a_batch_of_one():
    model = MLP(4, 7, 1, rng=0)
    found, same = trace(model, "mse", np.ones(4), 2.0), trace(model, "mse", np.ones((1, 4)), [2.0])
    assert found == same
    assert [row.share for row in found.rows if row.share is not None] == [1, 1]


class Centred(nn.Module):
    """Subtracts the mean of the batch."""

    def forward(self, x):
        return x - np.mean(x, 0)


def test_a_module_that_couples_the_batch_is_noticed():
    _, each, x, y, _ = traced("mse")
    found = trace(nn.Sequential(Linear(4, 7, rng=0), Centred(), Linear(7, 1, rng=1)), each, x, y)
    assert found.difference > 1e-6
    assert "some module lets the samples of the batch depend on each other" in found.remarks[0]


def test_a_loss_is_bound_with_its_options():
    model, x = MLP(4, 1, rng=0), np.ones((2, 4))
    plain, heavy = (
        trace(model, losses.get("bce_with_logits", **options), x, [0, 1], sample=1)
        for options in ({}, {"class_weight": [1.0, 5.0]})
    )
    assert heavy.start == pytest.approx(5 * plain.start)


def test_the_worst_sample_is_the_one_of_the_largest_loss():
    model, each, x, y, found = traced("mse")
    assert found.value == max(trace(model, each, x, y, sample=i).value for i in range(len(x)))
    assert trace(model, each, x, y, sample=-1).sample == len(x) - 1


@pytest.mark.parametrize(
    ("loss_", "options", "error", "said"),
    [
        ("mse", {"model": "mse"}, TypeError, r"trace: expected a Module, got 'mse'; give the model itself, trace\(model, loss, x, y\)"),
        ("mse", {"sample": 6}, IndexError, r'trace: expected sample "worst" or an index below 6, got 6; count from 0'),
        ("mse", {"sample": "best"}, IndexError, r"got 'best'"),
        ("mse", {"sample": True}, IndexError, r"got True"),
        ("mse", {"x": np.ones((0, 4)), "y": np.ones(0)}, ShapeError, r"got x \(0, 4\), y \(0,\); give both the same number of rows, at least one"),
        ("mse", {"x": [["a", "b"]] * 6}, DTypeError, r"trace: expected numbers in x, in rows of one length, got could not convert string"),
        ("mse", {"y": np.ones(5)}, ShapeError, r"got x \(6, 4\), y \(5,\)"),
        ("mse", {"x": np.full((6, 4), np.nan)}, GradientError, r"expected a finite gradient from mse, got \[nan\] at sample 0"),
        ("mse", {"model": nn.Sequential()}, ValueError, "expected a model with modules, got"),
        ("mse", {"also": "bce_with_logits"}, ValueError, r"got mse \(pred='real'\) and bce_with_logits \(pred='logit'\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_traced_is_said(loss_, options, error, said):
    given = {"model": MLP(4, 7, 1, rng=0), "x": np.ones((6, 4)), "y": np.ones(6)} | options
    with pytest.raises(error, match=said):
        trace(given.pop("model"), loss_, given.pop("x"), given.pop("y"), **given)


@pytest.mark.parametrize(
    ("first", "other"), [("bce_with_logits", "mse"), ("huber(delta=2)", "bce_with_logits"), ("cross_entropy", "mae")]
)
def test_the_loss_that_the_message_shows_is_one_that_fits(first, other):
    wide = "cross_entropy" in (first, other)
    model, x, y = (
        MLP(4, 3 if wide else 1, rng=0),
        np.random.default_rng(0).standard_normal((4, 4)),
        np.array([0, 1, 1, 0]),
    )
    with pytest.raises(ValueError, match="give this one instead of") as caught:
        trace(model, first, x, y, also=other)
    code = str(caught.value).partition(":\n")[2]
    assert len(code.splitlines()) == 4
    names = {"loss": loss, "losses": losses, "ops": ops, "np": np}
    exec(code, names)  # what a reader would paste
    made = next(value for key, value in names.items() if key.endswith(("_on_sigmoid", "_on_softmax")))
    kept = first if losses.get(first).pred != "real" else other
    found = trace(model, kept, x, y, also=made)
    assert found.also[0].start > 0


def test_probabilities_may_be_compared_with_real_numbers():
    model = MLP(4, 1, output="sigmoid", rng=0)
    found = trace(model, "mse", np.ones((2, 4)), [0, 1], also="bce") if "bce" in LOSSES else None
    assert found is None or found.also[0].loss == "bce"
