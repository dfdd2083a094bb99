"""The pack `embedding`: formulas written a second time in many digits, limits, and what is learned with them."""

import itertools
import math
from dataclasses import replace

import minigrad_embedding as embedding
import numpy as np
import pytest

from minigrad import MLP, Tensor, fit, gradcheck, losses, metrics
from minigrad.errors import DomainError, LabelError

mp = pytest.importorskip("mpmath")

G = np.random.default_rng(0)
DTYPES = [(np.float64, 1e-14), (np.float32, 1e-6)]
SIZES = {
    np.float64: [5e-324, 1e-300, 1e-160, 1e-8, 0.3, 1, 3, 1e8, 1e154, 1e200, 1e308],
    np.float32: [1e-45, 1e-30, 1e-19, 1e-8, 0.3, 1, 3, 1e8, 1e19, 1e30, 3e38],
}


def exactly(array):
    """A vector or a list of them in many digits."""
    return [exactly(row) for row in array] if np.ndim(array) else mp.mpf(float(array))


def dot(a, b):
    return mp.fsum(x * y for x, y in zip(a, b, strict=True))


def unit(v):
    length = mp.sqrt(dot(v, v))
    return [x / length if length else mp.mpf(0) for x in v], length


def wrong_by(got, right, dtype, beside=0):
    """The error relative to the exact value, or to the larger of two terms that cancel."""
    info = np.finfo(dtype)
    if abs(right) > float(info.max):
        return 0 if np.isinf(got) else math.inf
    if max(abs(right), beside) < float(info.tiny):
        return 0 if abs(got) <= 2 * float(info.tiny) else math.inf
    return float(abs(mp.mpf(float(got)) - right) / max(abs(right), beside)) if np.isfinite(got) else math.inf


# --- contrastive ------------------------------------------------------------------------------------------------------
def pairs(dtype):
    """Points that lie from nowhere to as far apart as floats allow."""
    sizes = np.array([0, *SIZES[dtype]], dtype)
    rows = [[(x, 0), (-y, 0)] for x, y in itertools.product(sizes[1::2], repeat=2)]
    rows += [[(x, x / 2), (0.25, 0)] for x in sizes] + [[(x, 0), (x, y)] for x in sizes for y in sizes[1:4]]
    return np.array([row for row in rows], dtype)


class TestContrastive:
    @pytest.mark.parametrize("by", ["closed form", "autograd"])
    @pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
    @pytest.mark.parametrize(("same", "margins"), [(1, (0.0, 1.0)), (1, (0.5, 1.0)), (0, (0.0, 1.0)), (0, (0.0, 1e9))])
    def test_is_its_formula_from_the_smallest_to_the_largest_float(self, same, margins, dtype, tolerance, by):
        pred = pairs(dtype)
        target = np.full(len(pred), same)
        loss = embedding.contrastive.with_(pos_margin=margins[0], neg_margin=margins[1])
        loss = loss if by == "closed form" else replace(loss, grad=None)
        value, slope = loss.value_and_grad(pred, target, reduction="none")
        assert value.dtype == slope.dtype == dtype
        with mp.workdps(700):
            for pair, v, (da, db) in zip(exactly(pred), value, slope, strict=True):
                way, d = unit([x - y for x, y in zip(*pair, strict=True)])
                off = d - mp.mpf(margins[0]) if same else d - mp.mpf(margins[1])
                off = off if (off > 0) == bool(same) else mp.mpf(0)
                largest = max(d, *map(mp.mpf, margins)) if off and margins[1 - same] else 0
                assert wrong_by(v, off**2, dtype, largest**2) <= tolerance, (pair, v)
                if by == "autograd" and np.isinf(v):  # nothing comes back from there
                    continue
                for w, got, other in zip(way, da, db, strict=True):
                    assert got == -other
                    assert wrong_by(got, 2 * off * w, dtype, 2 * largest * abs(w)) <= 4 * tolerance, (pair, got)

    def test_leaves_pairs_alone_beyond_their_margin(self):
        near, far = [[0.0, 0], [0.1, 0]], [[0.0, 0], [3.0, 4]]
        value, slope = embedding.contrastive.value_and_grad(
            [near, far], [1, 0], pos_margin=0.2, neg_margin=5, reduction="none"
        )
        assert value.tolist() == [0, 0]
        assert not slope.any()

    def test_has_slope_0_where_both_points_are_one(self):
        value, slope = embedding.contrastive.value_and_grad(np.ones((2, 2, 3)), [0, 1], reduction="none")
        assert value.tolist() == [1, 0]
        assert not slope.any()

    def test_learns_distances_from_pairs(self):
        X = G.standard_normal((400, 2, 4))
        same = (np.sign(X[:, 0, 0]) == np.sign(X[:, 1, 0])).astype(int)
        model = MLP(4, 16, 2, rng=0)
        fit(model, (X, same), loss=embedding.contrastive, lr=0.01, epochs=15)
        points = model(X.astype(np.float32)).data
        distance = np.linalg.norm(points[:, 0] - points[:, 1], axis=-1)
        assert metrics.roc_auc(-distance, same) > 0.9


# --- batches ----------------------------------------------------------------------------------------------------------
def shares(points, temperature):
    """ln of exp(c_ik/τ)/Σ_{k≠i} exp(c_ik/τ) in many digits; None for a point and itself."""
    units = [unit(p)[0] for p in points]
    scores = [[dot(a, b) / temperature for b in units] for a in units]
    totals = [mp.fsum(mp.exp(s) for k, s in enumerate(row) if k != i) for i, row in enumerate(scores)]
    return [
        [None if i == k else s - mp.log(total) for k, s in enumerate(row)]
        for i, (row, total) in enumerate(zip(scores, totals, strict=True))
    ]


def by_cosines(points, weights):
    """The slope of Σ weights_ik·c_ik in every point, (m, d): weights_ik from softmax − e, c_ik the cosine."""
    lengths = np.linalg.norm(points, axis=-1, keepdims=True)
    u = points / lengths
    through = (weights + weights.T) @ u
    return (through - (through * u).sum(-1, keepdims=True) * u) / lengths


def softmax_of_others(points, temperature):
    u = points / np.linalg.norm(points, axis=-1, keepdims=True)
    e = np.exp(u @ u.T / temperature) * (1 - np.eye(len(u)))
    return e / e.sum(-1, keepdims=True)


POINTS = G.standard_normal((8, 3)) * np.geomspace(1e-3, 1e3, 8)[:, None]
LABELS = np.array([5, -1, 5, 2, 5, -1, 0, 2])


@pytest.mark.parametrize("temperature", [0.1, 0.01, 2.0])
@pytest.mark.parametrize("size", [1.0, 1e-100, 1e100])
class TestABatch:
    def test_of_views_is_the_formula(self, temperature, size):
        views = size * POINTS.reshape(4, 2, 3)
        value, slope = embedding.nt_xent.value_and_grad(views, temperature=temperature)
        each = embedding.nt_xent(views, temperature=temperature, reduction="none").data
        with mp.workdps(40):
            lp = shares(exactly(POINTS), mp.mpf(temperature))
            right = [-(lp[2 * i][2 * i + 1] + lp[2 * i + 1][2 * i]) / 2 for i in range(4)]
            assert each == pytest.approx(np.array(right, float), rel=1e-13)
            assert value == pytest.approx(each.mean(), rel=1e-14)
        other = np.eye(8)[np.arange(8) ^ 1]
        weights = (softmax_of_others(POINTS, temperature) - other) / temperature / 8
        assert slope.reshape(8, 3) == pytest.approx(by_cosines(POINTS, weights) / size, rel=1e-9)

    def test_of_classes_is_the_formula(self, temperature, size):
        value, slope = embedding.supcon.value_and_grad(size * POINTS, LABELS, temperature=temperature)
        each = embedding.supcon(size * POINTS, LABELS, temperature=temperature, reduction="none").data
        same = (LABELS[:, None] == LABELS) & ~np.eye(8, dtype=bool)
        with mp.workdps(40):
            lp = shares(exactly(POINTS), mp.mpf(temperature))
            right = [-mp.fsum(lp[i][k] for k in np.flatnonzero(s)) / max(s.sum(), 1) for i, s in enumerate(same)]
            assert each == pytest.approx(np.array(right, float), rel=1e-13)
            assert value == pytest.approx(each.mean(), rel=1e-14)
        count = same.sum(-1, keepdims=True)
        p = np.where(count > 0, softmax_of_others(POINTS, temperature), 0)
        weights = (p - same / np.maximum(count, 1)) / temperature / 8
        assert slope == pytest.approx(by_cosines(POINTS, weights) / size, rel=1e-9)


def test_points_that_say_nothing_cost_the_logarithm_of_their_number():
    for views in (np.eye(10).reshape(5, 2, 10), np.ones((5, 2, 3)), np.zeros((5, 2, 3))):
        assert embedding.nt_xent(views).item() == pytest.approx(math.log(9), rel=1e-14)
        flat = views.reshape(10, -1)
        assert embedding.supcon(flat, np.arange(10) % 2).item() == pytest.approx(math.log(9), rel=1e-14)


def test_a_small_loss_has_all_its_digits():
    views = np.array([[[1.0, 0], [1, 0]], [[-1, 0], [-1, 0]]])
    assert embedding.nt_xent(views, temperature=0.02).item() == pytest.approx(2 * math.exp(-100), rel=1e-14)
    assert embedding.supcon(views.reshape(4, 2), [0, 0, 1, 1], temperature=0.02).item() == pytest.approx(
        2 * math.exp(-100), rel=1e-14
    )


def test_classes_of_two_are_views():
    views = POINTS.reshape(4, 2, 3)
    value, slope = embedding.nt_xent.value_and_grad(views)
    other, flat = embedding.supcon.value_and_grad(POINTS, np.repeat([3, 1, 4, 2], 2))
    assert value == pytest.approx(other, rel=1e-14)
    assert slope.reshape(8, 3) == pytest.approx(flat, rel=1e-12)


def test_a_point_without_others_costs_nothing():
    value, slope = embedding.supcon.value_and_grad(POINTS[:1], [3])
    assert (value, slope.any()) == (0, False)
    assert embedding.nt_xent(POINTS[:2].reshape(1, 2, 3)).item() == 0
    alone = embedding.supcon(POINTS, np.arange(8), reduction="none").data
    assert not alone.any()


def test_all_axes_of_a_batch_are_one_batch():
    flat = G.standard_normal((6, 2, 4))
    deep = flat.reshape(3, 2, 2, 4)
    assert embedding.nt_xent(deep, reduction="none").data.ravel() == pytest.approx(
        embedding.nt_xent(flat, reduction="none").data, rel=1e-14
    )
    assert embedding.supcon(deep, np.arange(12).reshape(3, 2, 2) % 3, reduction="none").shape == (3, 2, 2)


def test_values_of_rows_are_weighted_outside_and_a_mask_takes_rows_out_of_the_company():
    w = np.array([1.0, 0, 2, 1, 3, 0, 1, 1])
    each = embedding.supcon(POINTS, LABELS, reduction="none").data
    assert embedding.supcon(POINTS, LABELS, sample_weight=w).item() == pytest.approx((w * each).mean(), rel=1e-14)
    used = w > 0
    assert embedding.supcon(POINTS, LABELS, mask=used).item() == embedding.supcon(POINTS[used], LABELS[used]).item()


@pytest.mark.parametrize("loss", [embedding.nt_xent, embedding.supcon, embedding.arcface], ids=str)
def test_a_zero_vector_has_no_direction_and_is_not_turned(loss):
    pred = G.standard_normal((4, 2, 3) if loss.heads else (4, 3))
    pred[0] = 0
    value, slope = loss.value_and_grad(pred, None if loss.heads else [0, 1, 0, 2])
    assert np.isfinite(value)
    assert not slope[0].any()
    assert slope[1:].any()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_two_points_that_coincide_are_pulled_nowhere_whether_they_are_alike_or_not(dtype):
    pairs = np.array([[[1.0, 2.0], [1.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]], dtype)
    for target in (np.ones(2), np.zeros(2)):
        x = Tensor(pairs, requires_grad=True)
        embedding.contrastive.function(x, target, **embedding.contrastive.values).sum().backward()
        for slope in (embedding.contrastive.value_and_grad(pairs, target, reduction="sum")[1], x.grad.data):
            assert slope.tolist() == np.zeros(pairs.shape).tolist()
    assert embedding.contrastive(pairs, np.zeros(2), reduction="none").data.tolist() == [1, 1]


def test_nt_xent_finds_what_two_views_share_without_labels():
    g = np.random.default_rng(0)
    thing = g.integers(0, 4, 400)
    shared, noise = 0.7 * np.eye(4)[thing], g.standard_normal((400, 2, 12))
    views = np.concatenate([np.stack([shared, shared], 1) + 0.2 * g.standard_normal((400, 2, 4)), noise], -1)
    model = MLP(16, 4, rng=0)
    before = metrics.neighbour_accuracy(model(views[:, 0].astype(np.float32)).data, thing)
    fit(model, (views, None), loss=embedding.nt_xent, lr=0.02, epochs=15, batch_size=100)
    after = metrics.neighbour_accuracy(model(views[:, 0].astype(np.float32)).data, thing)
    assert before < 0.5 < 0.8 < after


# --- arcface ----------------------------------------------------------------------------------------------------------
CENTRES = G.standard_normal((5, 3)) * np.geomspace(1e-2, 1e2, 5)[:, None]
FACES = G.standard_normal((20, 3)) * np.geomspace(1e-2, 1e2, 20)[:, None]
OF = np.arange(20) % 5


def exact_arcface(point, label, centres, margin, scale):
    x = unit(point)[0]
    cosines = [dot(x, unit(w)[0]) for w in centres]
    theta, m = mp.acos(cosines[label]), mp.mpf(margin)
    cosines[label] = mp.cos(theta + m) if theta <= mp.pi - m else mp.cos(theta) - 1 + mp.cos(m)
    scores = [mp.mpf(scale) * c for c in cosines]
    return mp.log1p(mp.fsum(mp.exp(s - scores[label]) for k, s in enumerate(scores) if k != label))


class TestArcface:
    @pytest.mark.parametrize("size", [1.0, 1e-300, 1e300])
    @pytest.mark.parametrize(("margin", "scale"), [(0.5, 30.0), (0.0, 1.0), (1.5, 10.0), (3.0, 2.0)])
    def test_is_its_formula_whatever_the_lengths(self, margin, scale, size):
        given = {"centres": CENTRES, "margin": margin, "scale": scale, "reduction": "none"}
        value, slope = embedding.arcface.value_and_grad(size * FACES, OF, **given)
        with mp.workdps(40):
            right = [
                exact_arcface(p, y, exactly(CENTRES), margin, scale) for p, y in zip(exactly(FACES), OF, strict=True)
            ]
            assert value == pytest.approx(np.array(right, float), rel=1e-14 * max(scale, 10), abs=1e-300)
        same = embedding.arcface.value_and_grad(FACES, OF, **given)[1]
        assert size * slope == pytest.approx(same, rel=1e-12, abs=1e-18)

    @pytest.mark.parametrize(("margin", "scale"), [(0.5, 30.0), (0.0, 1.0), (1.5, 10.0), (3.0, 2.0)])
    def test_has_the_slope_of_its_closed_form_by_autograd_and_by_differences(self, margin, scale):
        loss = embedding.arcface.with_(centres=CENTRES, margin=margin, scale=scale)
        slope = loss.value_and_grad(FACES, OF)[1]
        assert replace(loss, grad=None).value_and_grad(FACES, OF)[1] == pytest.approx(slope, rel=1e-9, abs=1e-15)
        near = FACES / np.linalg.norm(FACES, axis=-1, keepdims=True)
        assert gradcheck(lambda p: loss(p, OF[:4]), near[:4], order=2)

    def test_is_exact_close_to_the_own_centre(self):
        angles = np.array([1e-12, 1e-9, 1e-6, 1e-3])
        pred = np.stack([np.cos(angles), np.sin(angles)], -1)
        value = embedding.arcface(pred, np.zeros(4, int), scale=2.0, reduction="none").data
        with mp.workdps(40):
            right = [exact_arcface(p, 0, exactly(np.eye(2)), 0.5, 2.0) for p in exactly(pred)]
        assert value == pytest.approx(np.array(right, float), rel=4e-16)

    def test_goes_on_falling_beyond_the_last_angle_without_a_jump(self):
        angles = math.pi - 0.5 + np.array([-1e-9, 0, 1e-9, 0.2, 0.4])
        pred, centres = np.stack([np.cos(angles), np.sin(angles)], -1), np.array([[1.0, 0], [-1, 0]])
        value, slope = embedding.arcface.with_(centres=centres, scale=1.0).value_and_grad(
            pred, np.zeros(5, int), reduction="none"
        )
        assert np.ptp(value[:3]) < 1e-8
        assert (np.diff(value[2:]) > 0).all()
        assert (np.linalg.norm(slope[2:], axis=-1) > 0.1).all()

    def test_without_a_margin_is_cross_entropy_of_the_cosines(self):
        cosines = FACES @ CENTRES.T / np.outer(np.linalg.norm(FACES, axis=-1), np.linalg.norm(CENTRES, axis=-1))
        value = embedding.arcface(FACES, OF, centres=CENTRES, margin=0, scale=7.0).item()
        assert value == pytest.approx(losses.get("cross_entropy")(7 * cosines, OF).item(), rel=1e-14)

    def test_has_the_axes_for_centres_unless_others_are_given(self):
        value = embedding.arcface(FACES, OF % 3).item()
        assert value == pytest.approx(embedding.arcface(FACES, OF % 3, centres=np.eye(3)).item(), rel=1e-14)
        assert value == pytest.approx(
            embedding.arcface(FACES, OF % 3, centres=[[2, 0, 0], [0, 3, 0], [0, 0, 1]]).item()
        )

    def test_keeps_float32_beside_centres_in_float64(self):
        value, slope = embedding.arcface.value_and_grad(FACES.astype(np.float32), OF, centres=CENTRES)
        assert value.dtype == slope.dtype == np.float32
        assert value == pytest.approx(embedding.arcface(FACES, OF, centres=CENTRES).item(), rel=1e-5)
        given = {"centres": CENTRES, "margin": 0.5, "scale": 30.0}
        assert embedding.arcface.function(FACES.astype(np.float32), OF, **given).dtype == np.float32

    def test_has_a_right_angle_between_a_zero_vector_and_everything(self):
        value = embedding.arcface(np.zeros((1, 3)), [1], scale=2.0).item()
        assert value == pytest.approx(math.log(1 + 2 * math.exp(2 * math.sin(0.5))), rel=1e-14)

    def test_has_slopes_in_its_centres(self):
        assert gradcheck(lambda c: embedding.arcface(FACES, OF, centres=c, scale=3.0), CENTRES)

    def test_learns_its_centres_in_a_copy(self):
        g = np.random.default_rng(0)
        X = g.standard_normal((300, 6))
        y = (X[:, 0] > 0) + 2 * (X[:, 1] > 0)
        start = Tensor(g.standard_normal((4, 3)).astype(np.float32), requires_grad=True)
        before = start.data.copy()
        model = MLP(6, 16, 3, rng=0)
        history = fit(model, (X, y), loss=embedding.arcface.with_(centres=start, scale=10.0), lr=0.01, epochs=15)
        points, centres = model(X.astype(np.float32)).data, history.loss.learned["centres"].data
        centres = centres / np.linalg.norm(centres, axis=-1, keepdims=True)
        assert np.mean((points @ centres.T).argmax(-1) == y) > 0.9
        assert (start.data == before).all()
        assert (history.loss.learned["centres"].data != before).all()

    def test_keeps_classes_apart_by_more_than_without_its_margin(self):
        g = np.random.default_rng(0)
        X = g.standard_normal((300, 4))
        y = X[:, :3].argmax(-1)

        def widest(margin):
            model = MLP(4, 16, 3, rng=0)
            fit(model, (X, y), loss=embedding.arcface.with_(margin=margin, scale=10.0), lr=0.01, epochs=15)
            points = model(X.astype(np.float32)).data
            return np.median(np.arccos(points[range(300), y] / np.linalg.norm(points, axis=-1)))

        assert widest(0.5) < 0.75 * widest(0.0)

    @pytest.mark.parametrize(
        ("labels", "text"),
        [
            ([0, 5, 7], r"arcface: expected labels 0 … 4, one for each centre, got 5 \(2 of 3\); give a centre for each class, centres=\(K, 3\), or mask such rows"),
            ([0, -1, 4], r"got -1 \(1 of 3\)"),
        ],
    )  # fmt: skip
    def test_refuses_a_label_without_a_centre(self, labels, text):
        for target in (labels, np.array(labels, np.int8)):
            with pytest.raises(LabelError, match=text):
                embedding.arcface(FACES[:3], target, centres=CENTRES)
        assert embedding.arcface(FACES[:3], labels, centres=CENTRES, mask=[True, False, False]).item() > 0

    @pytest.mark.parametrize(
        ("centres", "got"), [(CENTRES[:, :2], r"\(5, 2\)"), (CENTRES[0], r"\(3,\)"), (2.0, r"\(\)")]
    )
    def test_refuses_centres_of_another_width(self, centres, got):
        text = rf"arcface: expected centres \(K, 3\), one for each class, got {got}; pred has 3 columns"
        with pytest.raises(DomainError, match=text):
            embedding.arcface(FACES, OF, centres=centres)


# --- what is refused --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "given", "text"),
    [
        ("contrastive", {"pos_margin": -1}, "expected pos_margin ≥ 0, got -1.0; pos_margin is the distance up to which a like"),
        ("contrastive", {"neg_margin": 0}, "expected neg_margin > 0, got 0.0; neg_margin is the distance from which an unlike"),
        ("nt_xent", {"temperature": 0}, "expected temperature > 0, got 0.0; temperature is the difference of cosines that counts"),
        ("arcface", {"margin": 4}, r"expected margin in \[0, 3.14159\), got 4.0; margin is the angle by which the own centre"),
        ("arcface", {"scale": 0}, "expected scale > 0, got 0.0; scale is what a cosine of 1 is as a score"),
    ],
)  # fmt: skip
def test_a_parameter_without_meaning_is_refused(name, given, text):
    with pytest.raises(DomainError, match=text):
        getattr(embedding, name).with_(**given)
