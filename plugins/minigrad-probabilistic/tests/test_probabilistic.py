"""The pack `probabilistic`: formulas written a second time in many digits, what the losses elicit, and an op of its own."""

import math
import re
from dataclasses import replace
from pathlib import Path

import minigrad_probabilistic as probabilistic
import numpy as np
import pytest

from minigrad import MLP, Tensor, fit, gradcheck, losses
from minigrad.errors import DomainError, ShapeError
from minigrad.testing import check_op

mp = pytest.importorskip("mpmath")

G = np.random.default_rng(0)
LENGTHS = {
    np.float64: [0, 5e-324, 1e-160, 1e-8, 0.3, 1, 1.5, 5, 40, 700, 745, 1e4, 1e154, 1e308],
    np.float32: [0, 1e-45, 1e-19, 1e-8, 0.3, 1, 1.5, 5, 17, 87, 103, 1e4, 1e19, 3e38],
}
DTYPES = [(np.float64, 1e-14), (np.float32, 1e-6)]


def exp(x):
    """As far as it matters: beyond, no float is left."""
    return mp.exp(max(min(x, 10_000), -10_000))


def gamma_nll(z, y):
    over = y * exp(-z)
    return [z, over], [[-mp.expm1(-z)] if y == 1 and abs(z) < 1 else [1, -over]]


def expectile(p, y, tau=0.5):
    r = p - y
    a = tau if r < 0 else 1 - mp.mpf(tau)
    return [a * r * r], [[2 * a * r]]


def laplace_nll(p, y):
    r, s = p[0] - y, p[1]
    return [mp.ln2, s, abs(r) * exp(-s)], [[mp.sign(r) * exp(-s)], [1, -abs(r) * exp(-s)]]


def crps_gaussian(p, y):
    r, s = p[0] - y, p[1]
    q, sd = r * exp(-s), exp(s)
    peak, rest = mp.sqrt(2 / mp.pi) * sd * exp(-q * q / 2), -sd / mp.sqrt(mp.pi)
    side = mp.erf(q / mp.sqrt(2)) if abs(q) < 1e3 else mp.sign(q)
    return [r * side + peak + rest], [[side], [peak, rest]]


def signed(dtype):
    sizes = np.array(LENGTHS[dtype], dtype)
    return np.concatenate([-sizes[:0:-1], sizes])


def on_positive(dtype):
    x, y = signed(dtype), np.array([1e-30, 0.7, 1, 1e4, 1e30], dtype)
    return [a.ravel() for a in np.meshgrid(x, np.append(y, x[-1]))]


def on_real(dtype):
    x = signed(dtype)
    return [a.ravel() for a in np.meshgrid(x, np.append(x[::4], [dtype(1.5), x[-1]]))]


def on_params(dtype):
    x = signed(dtype)
    scales = np.append(x[::2], dtype(710 if dtype == np.float64 else 89))  # e^s is no float, but some times e^s is
    mean, s, y = (a.ravel() for a in np.meshgrid(x, scales, np.array([1.5, -x[-1]], dtype)))
    return np.stack([mean, s], -1), y


CASES = [
    ("gamma_nll", gamma_nll, on_positive, {}),
    ("expectile", expectile, on_real, {}),
    ("expectile", expectile, on_real, {"tau": 0.0625}),
    ("laplace_nll", laplace_nll, on_params, {}),
    ("crps_gaussian", crps_gaussian, on_params, {}),
]


def exactly(v):
    return [mp.mpf(float(x)) for x in v] if np.ndim(v) else mp.mpf(float(v))


def agree(got, terms, tolerance, dtype):
    """Whether a float is the sum of the terms, as far as one can be; where terms cancel, relative to the largest."""
    info, exact = np.finfo(dtype), mp.fsum(terms)
    if not np.isfinite(got):
        return abs(exact) >= float(info.max) * (1 - tolerance) and got * exact > 0
    return abs(float(got) - exact) <= max(tolerance * max(map(abs, [exact, *terms])), 2 * float(info.tiny))


def by_engine(loss, pred, target):
    """Slopes of each sample as the engine has them, without the closed form."""
    return replace(loss, grad=None).value_and_grad(pred, target, reduction="none")[1]


def ordinary(pred, target, dtype):
    """Whether a distance and a scale are so far from the ends of the floats that the engine's way is no shorter."""
    (mean, s), end = pred, float(np.finfo(dtype).tiny / np.finfo(dtype).eps)
    return abs(s) < -math.log(end) and (mean == target or abs(mean / 2 - target / 2) > end)


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize(("name", "formula", "places", "given"), CASES)
def test_a_loss_is_its_formula_from_the_smallest_to_the_largest_float(name, formula, places, given, dtype, tolerance):
    pred, target = places(dtype)
    loss = getattr(probabilistic, name).with_(**given)
    value, slope = loss.value_and_grad(pred, target, reduction="none")
    traced = by_engine(loss, pred, target)
    engine = 1e-9 if dtype == np.float64 else 1e-5
    assert value.dtype == slope.dtype == dtype
    with mp.workdps(40):
        for p, t, v, s, by_rule in zip(pred, target, value, slope, traced, strict=True):
            exact, steep = formula(exactly(p), exactly(t), **given)
            assert agree(v, exact, tolerance, dtype), (p, t, v)
            for got, terms in zip(np.ravel(s), steep, strict=True):
                assert agree(got, terms, tolerance, dtype), (p, t, s)
            if name == "gamma_nll":  # only expm1 shows how near y = 1 and e^z are
                steep = [[1, -exactly(t) * exp(-exactly(p))]]
            if np.isfinite(v) and (name != "crps_gaussian" or ordinary(p, t, dtype)):
                for got, terms in zip(np.ravel(by_rule), steep, strict=True):
                    assert agree(got, terms, engine, dtype), (p, t, by_rule)


@pytest.mark.parametrize("loss", [*probabilistic.minigrad_losses(), probabilistic.expectile.with_(tau=0.9)], ids=str)
def test_a_loss_has_second_derivatives(loss):
    pred = G.standard_normal((3, 2) if loss.pred == "params" else 3)
    assert gradcheck(lambda p: loss(p, np.array([0.5, 1.5, 3.0])), pred, order=2)


def test_the_op_of_the_error_function_has_its_slopes_for_every_shape():
    assert check_op(probabilistic.erf)
    assert probabilistic.erf(Tensor(np.float32([0.5]))).dtype == np.float32


# --- what a loss is ---------------------------------------------------------------------------------------------------
def integral(f, low, high, steps=200_001):
    """By the trapezoid rule, which is exact to rounding for what vanishes at both ends."""
    x = np.linspace(low, high, steps)
    return f(x).sum() * (x[1] - x[0])


def test_two_of_them_are_the_logarithm_of_a_density():
    def density(loss, pred):
        return lambda y: np.exp(-loss(np.broadcast_to(pred, (*y.shape, *np.shape(pred))), y, reduction="none").data)

    laplace = density(probabilistic.laplace_nll, [0.3, math.log(0.8)])
    assert integral(laplace, 0.3 - 40, 0.3 + 40) == pytest.approx(1, abs=1e-6)
    exponential = density(probabilistic.gamma_nll, math.log(0.8))
    assert integral(lambda u: exponential(np.exp(u)) * np.exp(u), -40, 5) == pytest.approx(1, abs=1e-9)  # y = e^u


def test_crps_is_a_distance_of_draws():
    mean, sd, y = 0.3, 0.8, 1.1
    x, other = np.random.default_rng(1).normal(mean, sd, (2, 1_000_000))
    value = probabilistic.crps_gaussian([[mean, math.log(sd)]], [y]).item()
    assert value == pytest.approx(0.48195, abs=5e-6)
    assert value == pytest.approx((np.abs(x - y) - 0.5 * np.abs(x - other)).mean(), abs=0.005)


def test_crps_is_the_area_between_two_distribution_functions():
    mean, sd, y = -0.4, 1.7, 1.1

    def squared(x):
        return (0.5 + 0.5 * probabilistic.erf((x - mean) / sd / math.sqrt(2)) - (x >= y)) ** 2

    value = probabilistic.crps_gaussian([[mean, math.log(sd)]], [y]).item()
    assert integral(squared, -20, 20) == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("y", [-3.0, 0.0, 0.7, 40.0])
def test_losses_become_others_in_a_limit(y):
    each = lambda name, pred: losses.get(name)([pred], [y]).item()  # noqa: E731
    assert probabilistic.expectile([1.2], [y]).item() == pytest.approx(0.5 * each("mse", 1.2), rel=1e-15)
    laplace = probabilistic.laplace_nll([[1.2, 0.0]], [y]).item()
    assert laplace == pytest.approx(each("mae", 1.2) + math.log(2), rel=1e-15)
    assert probabilistic.crps_gaussian([[1.2, -50.0]], [y]).item() == pytest.approx(each("mae", 1.2), rel=1e-14)


def test_crps_is_in_the_unit_of_the_target():
    pred, y = G.standard_normal((20, 2)), G.standard_normal(20)
    in_cents = np.stack([100 * pred[:, 0], pred[:, 1] + math.log(100)], -1)
    value = probabilistic.crps_gaussian(pred, y, reduction="none").data
    assert probabilistic.crps_gaussian(in_cents, 100 * y, reduction="none").data == pytest.approx(
        100 * value, rel=1e-12
    )


# --- what a loss elicits ----------------------------------------------------------------------------------------------
SKEWED = np.random.default_rng(2).gamma(2.0, 1.5, 101)


def at_rest(loss, pred):
    """Whether the samples pull a prediction that they share nowhere on the whole."""
    shared = np.broadcast_to(pred, (len(SKEWED), *np.shape(pred)))
    return loss.value_and_grad(shared, SKEWED)[1].sum(0) == pytest.approx(np.zeros(np.shape(pred)), abs=1e-14)


def test_gamma_nll_elicits_the_mean():
    assert at_rest(probabilistic.gamma_nll, math.log(SKEWED.mean()))
    assert not at_rest(probabilistic.gamma_nll, math.log(np.median(SKEWED)))


def test_laplace_nll_elicits_the_median_and_the_mean_distance_from_it():
    middle = np.median(SKEWED)
    assert at_rest(probabilistic.laplace_nll, [middle, math.log(np.abs(SKEWED - middle).mean())])


@pytest.mark.parametrize("tau", [0.1, 0.9])
def test_an_expectile_weighs_what_is_above_against_what_is_below(tau):
    middle = SKEWED.mean()
    for _ in range(200):  # the mean of all, each counting as its side does
        side = np.where(SKEWED > middle, tau, 1 - tau)
        middle = (side * SKEWED).sum() / side.sum()
    assert at_rest(probabilistic.expectile.with_(tau=tau), middle)
    assert (middle > SKEWED.mean()) == (tau > 0.5)


@pytest.mark.parametrize(
    ("name", "draw", "spread"),
    [("crps_gaussian", "normal", "sd"), ("laplace_nll", "laplace", "scale")],
)
def test_a_model_learns_where_less_is_known(name, draw, spread):
    g = np.random.default_rng(3)
    X = g.uniform(-1, 1, (2000, 1))
    y = 2 * X[:, 0] + np.exp(X[:, 0] - 1) * getattr(g, draw)(size=2000)
    model = MLP(1, 2, rng=0)
    loss = getattr(probabilistic, name)
    fit(model, (X, y), loss=loss, lr=0.03, epochs=15, batch_size=100, rng=0)
    weight, bias = (p.data for p in model.parameters())
    assert weight.ravel() == pytest.approx([2, 1], abs=0.15)
    assert bias == pytest.approx([0, -1], abs=0.15)
    assert loss.link(model(np.float32([[0.0]])).data)[spread] == pytest.approx(math.exp(-1), rel=0.2)


# --- what is refused --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: probabilistic.expectile.with_(tau=1), DomainError, "expectile: expected tau in (0, 1), got 1.0; tau is what"),
        (lambda: probabilistic.gamma_nll([0.0], [0.0]), DomainError, "gamma_nll: expected targets > 0, got 0.0 at row 0"),
        (lambda: probabilistic.crps_gaussian([[0.0]], [0.0]), ShapeError,
         "crps_gaussian: expected pred (..., 2) = (mean, log_sd), got (1, 1); give the model 2 outputs"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(call, error, text):
    with pytest.raises(error, match="^" + re.escape(text)):
        call()


def test_the_pulls_in_the_readme_are_those_of_the_losses():
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `(\w+)`, (middle|spread) \| (.*) \|$", text, re.MULTILINE)
    assert len(table) == 6
    for name, head, numbers in table:
        at = np.stack([[0.0, 1.0, 3.0, 10.0], np.zeros(4)], -1)
        slope = losses.get(name) if name == "gaussian_nll" else getattr(probabilistic, name)
        pulls = slope.value_and_grad(at, np.zeros(4), reduction="none")[1][:, int(head == "spread")]
        pulls = pulls * (2 if name == "gaussian_nll" and head == "spread" else 1)  # its head is ln of the square
        assert pulls == pytest.approx([float(x) for x in numbers.split(" | ")], rel=2e-3)
