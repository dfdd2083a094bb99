"""The pack `robust`: formulas written a second time in many digits, limits, and a shape that is learned."""

import math
import re
from dataclasses import replace
from pathlib import Path

import minigrad_robust as robust
import numpy as np
import pytest

from minigrad import MLP, Adam, Tensor, fit, grad, gradcheck, losses
from minigrad.errors import DomainError
from minigrad.ops import sigmoid

mp = pytest.importorskip("mpmath")

G = np.random.default_rng(0)
T = 2 * G.standard_normal(60)
P = T + 3 * G.standard_normal(60)
TAILS = {
    np.float64: [0, 5e-324, 1e-160, 1e-8, 0.3, 1.5, 4.6, 10, 1e8, 1e154, 1e200, 1e308],
    np.float32: [0, 1e-45, 1e-19, 1e-8, 0.3, 1.5, 4.6, 10, 1e8, 1e19, 1e30, 3e38],
}
AT = [
    ("cauchy", {}), ("cauchy", {"scale": 0.5}), ("cauchy", {"scale": 30.0}),
    ("tukey", {}), ("tukey", {"scale": 0.5}), ("tukey", {"scale": 30.0}),
    *[("barron", {"alpha": a}) for a in (1.0, 2.0, 2 - 2**-52, 1.5, 0.5, 0.0, -1e-20, -2.0)],
    ("barron", {"scale": 0.5}), ("barron", {"scale": 30.0, "alpha": 2.0}),
]  # fmt: skip


def scale_of(name, given):
    return mp.mpf(given.get("scale", 4.685 if name == "tukey" else 1.0))


def exact(name, given, r):
    """Value and slope at r, by the formula as it is printed."""
    c = scale_of(name, given)
    u2 = (r / c) ** 2
    if name == "tukey":
        v = min(u2, mp.mpf(1))
        return c**2 / 6 * v * (3 - 3 * v + v**2), r * (1 - v) ** 2
    alpha = mp.mpf(given.get("alpha", 1.0)) if name == "barron" else mp.mpf(0)
    if alpha == 2:
        return u2 / 2, r / c**2
    b = 2 - alpha
    slope = r / c**2 * (u2 / b + 1) ** (alpha / 2 - 1)
    growth = mp.log1p(u2 / b)
    return (growth if alpha == 0 else b / alpha * mp.expm1(alpha / 2 * growth)), slope


def wrong_by(got, right, dtype):
    """The relative error, by the rules for the ends of the range of a float."""
    info = np.finfo(dtype)
    if abs(right) > float(info.max):
        return 0 if np.isinf(got) else math.inf
    if abs(right) < float(info.tiny):
        return 0 if abs(got) <= 2 * float(info.tiny) else math.inf
    return float(abs(mp.mpf(float(got)) - right) / abs(right)) if np.isfinite(got) else math.inf


def grid(dtype):
    sizes = np.array(TAILS[dtype], dtype)
    both = np.concatenate([sizes, -sizes])
    return [axis.ravel() for axis in np.meshgrid(both, both)]


def difference(f, at, h=1e-5):
    return (f(at + h) - f(at - h)) / (2 * h)


@pytest.mark.parametrize(("name", "given"), AT, ids=str)
class TestEveryLoss:
    @pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-14), (np.float32, 1e-6)])
    def test_is_its_formula_in_value_and_slope_from_the_smallest_to_the_largest_float(
        self, name, given, dtype, tolerance
    ):
        pred, target = grid(dtype)
        value, slope = getattr(robust, name).value_and_grad(pred, target, reduction="none", **given)
        assert value.dtype == slope.dtype == dtype
        with mp.workdps(40):
            for p, t, v, s in zip(pred, target, value, slope, strict=True):
                right = exact(name, given, mp.mpf(float(p)) - mp.mpf(float(t)))
                assert wrong_by(v, right[0], dtype) <= tolerance, (p, t, v)
                if name != "tukey" or abs(p / 2 - t / 2) < 0.45 * given.get("scale", 4.685):  # beyond, c − |r| cancels
                    assert wrong_by(s, right[1], dtype) <= tolerance, (p, t, s)

    def test_has_the_same_slope_by_autograd_at_any_distance(self, name, given):
        pred, target = grid(np.float64)
        near = np.abs(pred / 2 - target / 2) > 1e-280  # what is smaller may underflow on the way
        closed = getattr(robust, name).with_(**given)
        value, slope = closed.value_and_grad(pred[near], target[near], reduction="none")
        _, traced = replace(closed, grad=None).value_and_grad(pred[near], target[near], reduction="none")
        fits = np.isfinite(value)
        assert traced[fits] == pytest.approx(slope[fits], rel=1e-9, abs=1e-300)

    def test_has_second_derivatives(self, name, given):
        closed = getattr(robust, name).with_(**given)
        assert gradcheck(lambda p: closed(p, T[:6]), P[:6], order=2)


@pytest.mark.parametrize(
    "loss", [robust.cauchy, robust.tukey, *(robust.barron.with_(alpha=a) for a in (-2, 1, 2))], ids=str
)
def test_the_second_derivative_at_the_target_is_that_of_a_parabola(loss):
    c = 1.0 if loss.name == "tukey" else 2.0
    slope = grad(lambda p: loss(p, np.zeros(1), scale=2.0))
    assert grad(lambda p: slope(p).sum())(Tensor(np.zeros(1))).data == pytest.approx([1 / c**2], rel=1e-14)


def test_barron_is_what_it_is_said_to_be_at_the_shapes_that_have_names():
    r = P - T
    each = lambda loss: loss(P, T, reduction="none").data  # noqa: E731
    assert each(robust.barron.with_(alpha=2, scale=3.0)) == pytest.approx(r**2 / 18, rel=1e-14)
    assert each(robust.barron.with_(scale=3.0)) == pytest.approx(np.sqrt(1 + (r / 3) ** 2) - 1, rel=1e-12)
    assert each(robust.barron.with_(alpha=0, scale=3.0)) == pytest.approx(
        each(robust.cauchy.with_(scale=3.0)), rel=1e-14
    )
    assert each(robust.tukey.with_(scale=1e9)) == pytest.approx(r**2 / 2, rel=1e-14)


def test_the_shapes_between_have_no_seam():
    for alpha in (0.0, 2.0):
        at = [robust.barron(P, T, alpha=a).item() for a in (alpha, alpha - 1e-9)]
        assert at[0] == pytest.approx(at[1], rel=1e-7)


@pytest.mark.parametrize(
    ("loss", "steepest"),
    [
        (robust.cauchy.with_(scale=3.0), 1 / (math.sqrt(2) * 3)),
        (robust.tukey.with_(scale=3.0), 16 * 3 / (25 * math.sqrt(5))),
        (robust.barron.with_(scale=3.0), 1 / 3),
    ],
    ids=str,
)
def test_a_sample_never_pulls_harder_than_the_bound(loss, steepest):
    r = np.geomspace(0.1, 1e6, 100_001)
    slope = loss.value_and_grad(r, np.zeros_like(r), reduction="none")[1]
    assert slope.max() == pytest.approx(steepest, rel=1e-7)


def test_tukey_does_not_hear_what_is_far_away():
    value, slope = robust.tukey.value_and_grad([4.685, 5.0, 1e300], np.zeros(3), reduction="none")
    assert value == pytest.approx([4.685**2 / 6] * 3)
    assert slope.tolist() == [0, 0, 0]


@pytest.mark.parametrize(("alpha", "convex"), [(1.0, True), (1.5, True), (2.0, True), (0.9, False), (0.0, False)])
def test_barron_is_convex_from_alpha_1_on(alpha, convex):
    a, b = 20 * G.standard_normal((2, 5000))
    zero = np.zeros(5000)
    f = lambda p: robust.barron(p, zero, alpha=alpha, reduction="none").data  # noqa: E731
    assert bool((f((a + b) / 2) <= (f(a) + f(b)) / 2 * (1 + 1e-12)).all()) is convex


class TestBarronNll:
    @pytest.mark.parametrize(
        ("alpha", "right", "tolerance"),
        [
            (0, 1.4913034761, 1e-10),
            (0.01, None, 3e-6),
            (0.1, None, 1e-9),
            (1, 1.1854952323, 1e-10),
            (2, 0.9189385332, 1e-10),
        ],
    )
    def test_is_normed(self, alpha, right, tolerance):
        raw = math.inf if alpha == 2 else -math.inf if alpha == 0 else math.log(alpha / (2 - alpha))
        got = robust.barron_nll([0.0], [0.0], raw_alpha=np.clip(raw, -900, 900)).item()
        if right is None:  # x = sinh(sinh t) makes the integrand vanish as quickly as anything can
            with mp.workdps(20):
                f = lambda t: mp.exp(-exact("barron", {"alpha": alpha}, mp.sinh(mp.sinh(t)))[0])  # noqa: E731
                dx = lambda t: mp.cosh(mp.sinh(t)) * mp.cosh(t)  # noqa: E731
                right = float(mp.log(2 * mp.quad(lambda t: f(t) * dx(t), [0, 1, 2, 3, 4, 5])))
        assert got == pytest.approx(right, abs=tolerance)

    def test_is_barron_and_two_terms_of_its_own(self):
        alpha = 2 * sigmoid(np.float64(0.7)).item()
        value, slope = robust.barron_nll.value_and_grad(P, T, raw_alpha=0.7, log_scale=0.4, reduction="none")
        inner, pull = robust.barron.value_and_grad(P, T, alpha=alpha, scale=math.exp(0.4), reduction="none")
        rest = robust.barron_nll([0.0], [0.0], raw_alpha=0.7, log_scale=0.4).item()
        assert value == pytest.approx(inner + rest, rel=1e-13)
        assert slope == pytest.approx(pull, rel=1e-13)

    def test_ends_in_a_gaussian_and_in_a_cauchy_density(self):
        gaussian = losses.get("gaussian_nll", full=True)
        heads = np.stack([P, np.full_like(P, 2 * 0.4)], -1)
        assert robust.barron_nll(P, T, raw_alpha=50.0, log_scale=0.4).item() == pytest.approx(
            gaussian(heads, T).item(), rel=1e-13
        )
        width = math.sqrt(2) * math.exp(0.4)
        cauchy = np.log(math.pi * width * (1 + ((P - T) / width) ** 2))
        assert robust.barron_nll(P, T, raw_alpha=-50.0, log_scale=0.4).item() == pytest.approx(cauchy.mean(), rel=1e-13)

    @pytest.mark.parametrize("raw", [-20.0, -3.0, 0.0, 1.0, 5.0, 20.0, 800.0])
    def test_has_slopes_in_its_parameters(self, raw):
        given = {"raw_alpha": Tensor(raw, requires_grad=True), "log_scale": Tensor(0.4, requires_grad=True)}
        robust.barron_nll(P, T, **given).backward()
        by_raw = difference(lambda a: robust.barron_nll(P, T, raw_alpha=a, log_scale=0.4).item(), raw)
        by_scale = difference(lambda s: robust.barron_nll(P, T, raw_alpha=raw, log_scale=s).item(), 0.4)
        assert given["raw_alpha"].grad.item() == pytest.approx(by_raw, rel=1e-6, abs=1e-9)
        assert given["log_scale"].grad.item() == pytest.approx(by_scale, rel=1e-6)
        pull = robust.barron_nll.value_and_grad(P, T, raw_alpha=raw, log_scale=0.4, reduction="none")[1]
        assert given["log_scale"].grad.item() == pytest.approx((1 - (P - T) * pull).mean(), rel=1e-10)

    def test_takes_a_shape_for_each_column(self):
        pred, target = P.reshape(20, 3), T.reshape(20, 3)
        raw, log_scale = Tensor(np.array([-1.0, 0.0, 2.0]), requires_grad=True), np.array([0.0, 0.5, -0.5])
        together = robust.barron_nll(pred, target, raw_alpha=raw, log_scale=log_scale, reduction="none").data
        for i in range(3):
            alone = {"raw_alpha": raw.data[i].item(), "log_scale": log_scale[i].item(), "reduction": "none"}
            assert together[:, i] == pytest.approx(robust.barron_nll(pred[:, i], target[:, i], **alone).data, rel=1e-13)
        robust.barron_nll(pred, target, raw_alpha=raw).backward()
        assert raw.grad.shape == (3,)

    def test_keeps_float32_and_stays_finite_where_the_shape_ends(self):
        pred, target = P.astype(np.float32), T.astype(np.float32)
        for raw in (-200.0, 200.0):
            given = {
                "raw_alpha": Tensor(np.float32(raw), requires_grad=True),
                "log_scale": Tensor(np.float32(0), requires_grad=True),
            }
            value = robust.barron_nll(pred, target, **given)
            value.backward()
            assert value.dtype == np.float32
            assert all(np.isfinite(t.grad.data) for t in given.values())

    @pytest.mark.parametrize(
        ("draw", "alpha", "scale"),
        [("standard_normal", (1.99, 2.0), 2.0), ("standard_cauchy", (0.0, 0.02), 2 / math.sqrt(2))],
    )
    def test_learns_how_wild_4000_errors_are(self, draw, alpha, scale):
        errors = 2 * getattr(np.random.default_rng(3), draw)(4000)
        raw, log_scale = Tensor(0.0, requires_grad=True), Tensor(0.0, requires_grad=True)
        learning = robust.barron_nll.with_(raw_alpha=raw, log_scale=log_scale)
        optimizer = Adam([raw, log_scale], lr=0.3, betas=(0.9, 0.95))
        for _ in range(200):
            value = learning(errors, np.zeros(4000))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        assert alpha[0] <= 2 * sigmoid(raw).item() <= alpha[1]
        assert np.exp(log_scale).item() == pytest.approx(scale, abs=0.05)

    def test_is_learned_by_fit_in_a_copy(self):
        X = np.random.default_rng(0).standard_normal((4000, 1))
        y = 3 * X[:, 0] + 2 * np.random.default_rng(1).standard_cauchy(4000)
        given = {"raw_alpha": Tensor(0.0, requires_grad=True), "log_scale": Tensor(0.0, requires_grad=True)}
        model = MLP(1, 1, rng=0)
        optimizer = Adam(model.parameters(), lr=0.1, betas=(0.9, 0.95))
        learning = robust.barron_nll.with_(**given)
        history = fit(model, (X, y), loss=learning, optimizer=optimizer, epochs=30, batch_size=400)
        found = history.loss.learned
        assert 2 * sigmoid(found["raw_alpha"]).item() < 0.05
        assert np.exp(found["log_scale"]).item() == pytest.approx(math.sqrt(2), abs=0.15)
        assert model.parameters()[0].item() == pytest.approx(3, abs=0.2)
        assert given["raw_alpha"].item() == 0


def test_an_outlier_moves_mse_and_not_these():
    X = np.linspace(-1, 1, 41)[:, None]
    y = 2 * X[:, 0] + 1
    y[30] -= 100

    def slope_of(loss):
        model = MLP(1, 1, rng=0, dtype=np.float64)
        fit(model, (X, y), loss=loss, lr=0.05, epochs=300, batch_size=41)
        return model.parameters()[0].item()

    assert abs(slope_of(losses.get("mse")) - 2) > 1
    for loss in (robust.cauchy, robust.barron, robust.tukey):
        assert slope_of(loss) == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"alpha": 3},
            r"barron: expected alpha in \(-inf, 2\], got 3.0; alpha is the shape: 2 hears every error, lower ones fewer",
        ),
        (
            {"scale": 0},
            r"barron: expected scale > 0, got 0.0; scale is the error that begins to be large, in units of the target",
        ),
    ],
)
def test_a_shape_or_scale_that_has_no_meaning_is_refused(given, text):
    with pytest.raises(DomainError, match=text):
        robust.barron.with_(**given)


def test_only_the_parameters_of_barron_nll_are_learned():
    text = "barron: expected a number for alpha, got a Tensor that requires gradients; only a parameter without a constraint can be learned"
    with pytest.raises(TypeError, match=text):
        robust.barron.with_(alpha=Tensor(1.0, requires_grad=True))


def test_the_pulls_in_the_readme_are_those_of_the_losses():
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w. *]+)`(?: \(4.685\))? \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", text, re.MULTILINE)
    assert [row[0] for row in rows] == ["0.5 * mse", "barron", "cauchy", "tukey"]
    for name, *pulls in rows:
        loss = getattr(robust, name) if hasattr(robust, name) else losses.get(name)
        slope = loss.value_and_grad(np.array([1.0, 3, 10]), np.zeros(3), reduction="none")[1]
        assert slope == pytest.approx([float(pull) for pull in pulls], abs=5e-4)
