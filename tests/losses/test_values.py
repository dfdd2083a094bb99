"""Values and slopes of the built-in losses against the formulas written a second time, for every option of a call."""

import math

import numpy as np
import pytest

from minigrad import Tensor, grad, losses
from minigrad.losses import of_difference
from minigrad.ops import times_exp
from minigrad.testing import gradcheck
from tests.losses.formulas import FORMULAS
from tests.losses.samples import K, sampled

pytestmark = pytest.mark.filterwarnings("error")

PARAMETERS = {
    "huber": [{"delta": 1.0}, {"delta": 0.1}, {"delta": 7.5}],
    "smooth_l1": [{"beta": 1.0}, {"beta": 0.1}, {"beta": 7.5}],
    "quantile": [{"quantile": 0.5}, {"quantile": 0.9}, {"quantile": 0.07}],
    "poisson_nll": [{"full": False}, {"full": True}],
    "gaussian_nll": [{"full": False}, {"full": True}],
    "cross_entropy": [{"label_smoothing": 0.0}, {"label_smoothing": 0.1}],
    "nll": [{"label_smoothing": 0.0}, {"label_smoothing": 0.1}],
    "bce_with_logits": [
        {"pos_weight": w, "label_smoothing": e} for w, e in [(1.0, 0.0), (3.0, 0.0), (1.0, 0.1), (0.25, 0.3)]
    ],
    "bce": [{"label_smoothing": 0.0}, {"label_smoothing": 0.1}],
    "focal": [{"gamma": g, "alpha": a} for g, a in [(2.0, None), (0.0, 0.25), (0.5, 0.9), (5.0, None)]],
    "hinge": [{"margin": 1.0}, {"margin": 0.3}],
    "squared_hinge": [{"margin": 1.0}, {"margin": 0.3}],
    "multi_margin": [{"p": p, "margin": m} for p, m in [(1, 1.0), (2, 1.0), (1, 0.3), (2, 4.0)]],
    "margin_ranking": [{"margin": 1.0}, {"margin": 0.0}],
    "triplet_margin": [
        {"margin": m, "p": p, "swap": s}
        for m, p, s in [(1.0, 2.0, False), (1.0, 2.0, True), (0.3, 1.0, False), (2.0, 3.5, True)]
    ],
    "cosine_embedding": [{"margin": 0.0}, {"margin": -0.4}, {"margin": 0.3}],
}
CASES = [(name, params) for name in FORMULAS for params in PARAMETERS.get(name, [{}])]
TOLERANCE = {np.float64: 1e-12, np.float32: 1e-6}
points_of_each_dtype = pytest.mark.parametrize(
    ("points", "dtype"), [(200, np.float64), (200, np.float32), pytest.param(2000, np.float64, marks=pytest.mark.slow)]
)
INNER = {"cosine_embedding": 1.0}  # a cosine near 0 is a sum itself, of terms up to 1


def said(case):
    name, params = case
    return f"{name}({', '.join(f'{k}={v}' for k, v in params.items())})"


def drawn(name, params, n, rng, dtype=np.float64):
    """The loss with these parameters, and a batch that float32 holds exactly."""
    _, pred, target = sampled(losses.get(name), n, rng, np.float32)
    if target is not None and target.dtype.kind == "f":
        target = target.astype(np.float32)
        target = target / target.sum(-1, keepdims=True) if losses.get(name).target == "simplex" else target
        target = target.astype(dtype)
    given = {key: value for key, value in params.items() if value is not None}
    return losses.get(name, **given), pred.astype(dtype), target


def expected(name, params, pred, target):
    """Values, slopes, and the largest term in each: what the formulas say, sample by sample."""
    values, slopes, larger = [], [], []
    for i, x in enumerate(pred.tolist()):
        value, slope = FORMULAS[name](math, x, None if target is None else target.tolist()[i], **params)
        values.append(math.fsum(value))
        slopes.append([math.fsum(terms) for terms in slope])
        larger.append((max(INNER.get(name, 0), *map(abs, value)), [max(map(abs, terms)) for terms in slope]))
    large = np.array([v for v, _ in larger]), np.reshape([s for _, s in larger], pred.shape)
    return np.maximum(values, 0) if name in POSITIVE else np.array(values), np.reshape(slopes, pred.shape), large


POSITIVE = ("hinge", "squared_hinge", "multi_margin", "margin_ranking", "triplet_margin", "cosine_embedding")


def wrong(got, exact, larger, tolerance):
    """Where the error is more than the tolerance, relative to the largest term."""
    return np.argwhere(~(np.abs(got - exact) <= tolerance * np.maximum(np.abs(exact), larger))).tolist()


@points_of_each_dtype
@pytest.mark.parametrize("case", CASES, ids=said)
def test_value_and_slope_of_each_sample_are_those_of_the_formula(case, points, dtype):
    loss, pred, target = drawn(*case, points, 0, dtype)
    values, slopes, (large, steep) = expected(*case, pred, target)
    got, slope = loss.value_and_grad(pred, target, reduction="none")
    assert got.dtype == slope.dtype == dtype
    assert wrong(got, values, large, TOLERANCE[dtype]) == []
    assert wrong(slope, slopes, steep, TOLERANCE[dtype]) == []


@points_of_each_dtype
@pytest.mark.parametrize("case", CASES, ids=said)
def test_every_reduction_with_weights_and_masks_is_its_sum_over_the_formula(case, points, dtype):
    loss, pred, target = drawn(*case, points, 2, dtype)
    values, slopes, (large, steep) = expected(*case, pred, target)
    rng = np.random.default_rng(3)
    some, ones = rng.uniform(size=points) < 0.7, np.ones(points)
    w = rng.uniform(0, 2, points).astype(np.float32).astype(float)
    for weight in (None, w):
        for mask in (None, some):
            each = (ones if weight is None else weight) * (ones if mask is None else mask)
            n = points if mask is None else mask.sum()
            total = {"sum": 1, "mean": n, "weighted_mean": math.fsum(each)}
            for reduction, divisor in total.items():
                got, slope = loss.value_and_grad(pred, target, reduction=reduction, sample_weight=weight, mask=mask)
                of_each = (each / divisor).reshape(-1, *[1] * (pred.ndim - 1))
                assert (
                    wrong(got, math.fsum(each * values) / divisor, math.fsum(each * large) / divisor, TOLERANCE[dtype])
                    == []
                )
                assert wrong(slope, of_each * slopes, of_each * steep, TOLERANCE[dtype]) == []


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", CASES, ids=said)
def test_the_function_differentiated_by_the_engine_has_the_same_slope_and_no_other_dtype(case, dtype):
    loss, pred, target = drawn(*case, 40, 4, dtype)
    _, slopes, (_, steep) = expected(*case, pred, target)
    x = Tensor(pred, requires_grad=True)
    values, plain = loss.function(x, target, **loss.values), loss.function(pred, target, **loss.values)
    assert np.array_equal(values.data, plain)
    assert values.dtype == plain.dtype == loss.grad(pred, target, **loss.values).dtype == dtype
    values.sum().backward()
    assert wrong(x.grad.data, slopes, steep, 10 * TOLERANCE[dtype]) == []


def test_labels_and_their_rows_have_the_same_slope_bit_for_bit():
    z, labels = np.random.default_rng(5).normal(0, 3, (30, K)), np.arange(30) % K
    for name, pred in [("cross_entropy", z), ("nll", np.log(np.exp(z) / np.exp(z).sum(1, keepdims=True)))]:
        for smoothing in (0.0, 0.1):
            loss = losses.get(name, label_smoothing=smoothing)
            by_label, by_row = (loss.value_and_grad(pred, t) for t in (labels, np.eye(K)[labels]))
            assert by_label[0] == pytest.approx(by_row[0], rel=1e-15)
            assert by_label[1] == pytest.approx(by_row[1], rel=1e-14)


@pytest.mark.parametrize("number", [np.float64(2), np.array(2.0), np.int64(2), 2])
def test_a_number_of_numpy_as_a_parameter_leaves_float32_as_it_is(number):
    loss, x = losses.get("huber", delta=number), np.ones(3, np.float32)
    assert loss.function(x, x, **loss.values).dtype == np.float32
    assert str(loss) in ("huber(delta=2)", "huber(delta=2.0)")


def test_a_linear_function_of_a_difference_that_is_no_float_may_be_one():
    pred, target = Tensor(np.array([1e308, -1e308, 3.0]), requires_grad=True), np.array([-1e308, 1e308, 1.0])
    with np.errstate(over="ignore"):
        out = of_difference(lambda r: 0.25 * r, pred, target)
    out.sum().backward()
    assert out.data.tolist() == [5e307, -5e307, 0.5]
    assert pred.grad.data.tolist() == [0.25] * 3


@pytest.mark.parametrize(
    ("a", "x", "product"),
    [
        (1e-300, 800.0, math.exp(800 - 300 * math.log(10))),
        (-1e300, -800.0, -math.exp(300 * math.log(10) - 800)),
        (0.0, 1e308, 0.0),
    ],
)
def test_a_product_with_an_exponential_is_right_where_the_exponential_is_no_float(a, x, product):
    with np.errstate(all="ignore"):
        assert times_exp(a, x) == pytest.approx(product, rel=1e-12)


def test_pos_weight_may_differ_from_column_to_column():
    rng = np.random.default_rng(6)
    z, y, w = rng.normal(0, 3, (20, 3)).astype(np.float32), rng.integers(0, 2, (20, 3)), [0.5, 1.0, 4.0]
    value, slope = losses.get("bce_with_logits", pos_weight=w).value_and_grad(z, y, reduction="none")
    assert value.dtype == slope.dtype == np.float32
    for column, weight in enumerate(w):
        alone = losses.get("bce_with_logits", pos_weight=weight).value_and_grad(
            z[:, column], y[:, column], reduction="none"
        )
        assert np.array_equal(value[:, column], alone[0])
        assert np.array_equal(slope[:, column], alone[1])


@pytest.mark.parametrize("name", FORMULAS)
def test_float32_differs_from_float64_by_its_own_rounding_only(name):
    loss, pred, target = sampled(losses.get(name), 50, 9, np.float32)
    if target is not None and target.dtype.kind == "f":
        target = target.astype(np.float32)
    single, double = (loss.value_and_grad(pred.astype(d), target, reduction="none") for d in (np.float32, np.float64))
    for a, b in zip(single, double, strict=True):
        assert a.dtype == np.float32
        assert a == pytest.approx(b, rel=1e-6, abs=1e-6)


# --- second derivatives -----------------------------------------------------------------------------------------------
SMOOTH = [
    case for case in CASES
    if case[0] not in ("mae", "quantile", "hinge", "margin_ranking") and case[1].get("p") != 1
]  # fmt: skip


@pytest.mark.parametrize("case", SMOOTH, ids=said)
def test_second_derivatives_agree_with_differences_of_the_first(case):
    loss, pred, target = drawn(*case, 8, 5)
    if case[0] == "bce":  # farther from 0 and 1, where differences are exact enough
        pred = 0.2 + 0.6 * pred
    assert gradcheck(lambda x: loss.function(x, target, **loss.values), pred, order=2).error < 1e-8


def hessian(loss, pred, target):
    """All second derivatives of the sum over the batch, row by row."""
    slope = grad(lambda x: loss(x, target, reduction="sum"))
    return np.stack([grad(lambda x, i=i: slope(x).ravel()[i])(pred).ravel() for i in range(pred.size)])


@pytest.mark.parametrize("name", ["mae", "quantile", "hinge", "margin_ranking", "multi_margin"])
def test_losses_made_of_straight_pieces_have_second_derivative_zero(name):
    loss, pred, target = drawn(name, {}, 8, 8)
    assert not hessian(loss, pred, target).any()


@pytest.mark.parametrize(
    ("name", "pred", "target", "curvature"),
    [
        ("bce_with_logits", [0.0], [1.0], [[0.25]]),
        ("bce_with_logits", [0.0], [0.3], [[0.25]]),
        ("log_cosh", [0.0], [0.0], [[1.0]]),
        ("huber", [0.0], [0.0], [[1.0]]),
        ("smooth_l1", [0.0], [0.0], [[1.0]]),
        ("mse", [0.0], [0.0], [[2.0]]),
        ("mae", [0.0], [0.0], [[0.0]]),
        ("cross_entropy", [[0.0] * 4], [1], (np.eye(4) / 4 - 1 / 16).tolist()),
        ("poisson_nll", [0.0], [1.0], [[1.0]]),
        ("gaussian_nll", [[0.0, 0.0]], [0.0], [[1.0, 0.0], [0.0, 0.0]]),
        ("gaussian_nll", [[2.0, 0.0]], [0.0], [[1.0, -2.0], [-2.0, 2.0]]),
        ("focal", [0.0], [1.0], [[math.log(2) / 8 + 5 / 16]]),
        ("squared_hinge", [0.0], [1.0], [[2.0]]),
    ],
)
def test_second_derivatives_where_a_fresh_model_starts(name, pred, target, curvature):
    assert hessian(losses.get(name), np.array(pred), np.array(target)) == pytest.approx(np.array(curvature), abs=1e-15)


def test_the_norm_has_its_curvature_also_in_a_direction_in_which_nothing_differs():
    points = np.array([[[0.0, 0.0], [3.0, 0.0], [0.0, 2.0]]])  # d = (3, 0): across it the norm has curvature 1/3
    assert hessian(losses.get("triplet_margin"), points, None)[3, 3] == pytest.approx(1 / 3, rel=1e-15)
