"""The pack `noisy`: formulas written a second time in many digits, limits, and labels that are really wrong."""

import math
import re
from dataclasses import replace

import minigrad_noisy as noisy
import numpy as np
import pytest

from minigrad import MLP, data, fit, gradcheck, losses
from minigrad import loss as make_loss
from minigrad.errors import DomainError, ShapeError
from minigrad.losses import pick
from minigrad.ops import softmax

mp = pytest.importorskip("mpmath")

G = np.random.default_rng(0)
Z, Y = 3 * G.standard_normal((12, 4)), np.arange(12) % 4
FAR = {
    np.float64: [0, 5e-324, 1e-8, 0.5, 20, 40, 300, 709, 1e4, 1e30, 1e308],
    np.float32: [0, 1e-45, 1e-8, 0.5, 17, 40, 87, 103, 1e4, 1e30, 3e38],
}
DTYPES = [(np.float64, 1e-14), (np.float32, 1e-6)]
UNEVEN = [[0.75, 0.25, 0, 0], [0.125, 0.5, 0.375, 0], [0, 0.1, 0.9, 0], [0.3, 0, 0, 0.7]]
SPARING = [[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25, 0, 0.75, 0], [0, 0, 0, 1]]  # class 0 is never taken for another


class Sample:
    """A row of scores and a label in many digits: −ln p, p and 1 − p of every class, none by a difference."""

    def __init__(self, scores, label):
        z = [mp.mpf(float(x)) for x in scores]
        top = z.index(max(z))
        powers = [mp.exp(x - z[top]) for x in z]
        total = mp.fsum(powers)
        rest = mp.log1p(mp.fsum(p for k, p in enumerate(powers) if k != top))
        self.y, self.classes = int(label), range(len(z))
        self.v = [z[top] - x + rest for x in z]
        self.p = [p / total for p in powers]
        self.q = [mp.fsum(p for k, p in enumerate(powers) if k != j) / total for j in self.classes]
        self.l = self.v[self.y]

    def residual(self):
        """The p − e, one term for each class."""
        return [-self.q[j] if j == self.y else self.p[j] for j in self.classes]


def gce(at, q=0.7):
    heard = mp.exp(-q * at.l)
    return [-mp.expm1(-q * at.l) / q], [[heard * r] for r in at.residual()]


def symmetric_ce(at, alpha=0.1, beta=1.0, log_zero=-4.0):
    swapped = -beta * mp.mpf(log_zero)
    return [alpha * at.l + swapped * at.q[at.y]], [[(alpha + swapped * at.p[at.y]) * r] for r in at.residual()]


def normalised_ce(at):
    n, k = mp.fsum(at.v), len(at.v)
    others = mp.fsum(v for j, v in enumerate(at.v) if j != at.y)
    own = [[-at.q[at.y] * others / n**2, -(k - 1) * at.p[at.y] * at.l / n**2]]
    slopes = [[at.q[j] * at.l, at.p[j] * others, -(k - 2) * at.p[j] * at.l] for j in at.classes]
    return [at.l / n], [own[0] if j == at.y else [term / n**2 for term in slopes[j]] for j in at.classes]


def forward_corrected(at, transition=None):
    column = [mp.mpf(j == at.y) for j in at.classes]
    if transition is not None:
        column = [mp.mpf(float(row[at.y])) for row in transition]
    joint = [p * t for p, t in zip(at.p, column, strict=True)]
    missed, seen = mp.fsum(p * (1 - t) for p, t in zip(at.p, column, strict=True)), mp.fsum(joint)
    others = [mp.fsum(w for i, w in enumerate(joint) if i != j) / seen for j in at.classes]
    slopes = [[at.p[j] * others[j], -joint[j] / seen * at.q[j]] for j in at.classes]
    return [-mp.log1p(-missed) if missed < 0.5 else -mp.log(seen)], slopes


CASES = [
    ("gce", gce, {"q": 0.7}),
    ("gce", gce, {"q": 1.0}),
    ("gce", gce, {"q": 0.0625}),
    ("symmetric_ce", symmetric_ce, {}),
    ("symmetric_ce", symmetric_ce, {"alpha": 0.0, "beta": 3.0, "log_zero": -0.5}),
    ("symmetric_ce", symmetric_ce, {"alpha": 2.0, "beta": 0.0}),
    ("normalised_ce", normalised_ce, {}),
    ("forward_corrected", forward_corrected, {}),
    ("forward_corrected", forward_corrected, {"transition": UNEVEN}),
    ("forward_corrected", forward_corrected, {"transition": SPARING}),
]


def rows_and_labels(dtype):
    """Rows of 4 scores, from alike to as far apart as floats allow, and every label for each."""
    rows = [row for x in FAR[dtype] for row in ([x, 0, -x / 2, -x], [x, x, x, 0], [0, 0, 0, x], [-x, x, -x, -x])]
    return np.repeat(np.array(rows, dtype), 4, axis=0), np.tile(np.arange(4), len(rows))


def agree(got, terms, tolerance, dtype):
    """Whether a float is the sum of the terms, as far as one can be; where terms cancel, relative to the largest."""
    info, exact = np.finfo(dtype), mp.fsum(terms)
    if not np.isfinite(got):
        return abs(exact) >= float(info.max) * (1 - tolerance) and got * exact > 0
    return abs(float(got) - exact) <= max(tolerance * max(map(abs, [exact, *terms])), 2 * float(info.tiny))


def by_engine(loss, pred, target):
    """Slopes of each sample as the engine has them, without the closed form."""
    return replace(loss, grad=None).value_and_grad(pred, target, reduction="none")[1]


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize(("name", "formula", "given"), CASES)
def test_a_loss_is_its_formula_from_the_smallest_to_the_largest_float(name, formula, given, dtype, tolerance):
    pred, target = rows_and_labels(dtype)
    loss = getattr(noisy, name).with_(**given)
    given = {word: np.array(v, dtype).tolist() for word, v in given.items()}  # a float32 has the digits of a float32
    value, slope = loss.value_and_grad(pred, target, reduction="none")
    traced = by_engine(loss, pred, target)
    assert value.dtype == slope.dtype == dtype
    with mp.workdps(40):
        for z, y, v, s, by_hand in zip(pred, target, value, slope, traced, strict=True):
            at = Sample(z, y)
            exact, steep = formula(at, **given)
            close = tolerance
            if name == "gce" and at.p[at.y] < np.finfo(dtype).tiny:  # p^q by the rounded −q·l
                close += 2 * float(np.finfo(dtype).eps * min(at.l, 1e5))
            engine = 1e-9 if dtype == np.float64 else 1e-5
            through = np.isfinite(v) and (name != "normalised_ce" or v == 0 or v * v > np.finfo(dtype).tiny)
            assert agree(v, exact, tolerance, dtype), (z, y, v)
            for got, by_rule, terms in zip(s, by_hand, steep, strict=True):
                assert agree(got, terms, close, dtype), (z, y, s)
                assert not through or agree(by_rule, terms, engine, dtype), (z, y, by_hand)


@pytest.mark.parametrize("loss", [*noisy.minigrad_losses(), noisy.forward_corrected.with_(transition=UNEVEN)], ids=str)
def test_a_loss_has_second_derivatives(loss):
    assert gradcheck(lambda z: loss(z, Y[:3]), Z[:3], order=2)


# --- what a loss becomes ----------------------------------------------------------------------------------------------
@make_loss(pred="logits", target="index")
def missed(pred, target):
    """1 − p of the label."""
    return 1 - pick(softmax(pred), target)


def each(loss, **given):
    return loss.value_and_grad(Z, Y, reduction="none", **given)


def same(found, right, rel=1e-12):
    assert found[0] == pytest.approx(right[0], rel=rel)
    assert found[1] == pytest.approx(right[1], rel=rel, abs=1e-15)


def test_gce_lies_between_cross_entropy_and_what_is_missed():
    same(each(noisy.gce, q=1e-9), each(losses.get("cross_entropy")), rel=1e-7)
    same(each(noisy.gce, q=1.0), each(missed))


def test_symmetric_ce_is_a_sum_of_two_losses():
    same(each(noisy.symmetric_ce), each(0.1 * losses.get("cross_entropy") + 4.0 * missed))
    same(each(noisy.symmetric_ce, alpha=0.0), each(4 * noisy.gce.with_(q=1.0)))
    same(each(noisy.symmetric_ce, alpha=0.5, beta=0.0), each(0.5 * losses.get("cross_entropy")))


def test_normalised_ce_is_1_in_all_so_labels_that_are_wrong_at_random_add_a_constant():
    k, share = 4, 0.3
    for scale in (0.01, 1, 100):
        costs = np.stack([noisy.normalised_ce(scale * Z, np.full(12, j), reduction="none").data for j in range(k)])
        assert costs.sum(0) == pytest.approx(1, rel=1e-13)
        seen = (1 - share) * costs[0] + share / (k - 1) * costs[1:].sum(0)
        assert seen == pytest.approx((1 - share * k / (k - 1)) * costs[0] + share / (k - 1), rel=1e-12)


@pytest.mark.parametrize("k", [2, 3, 10])
def test_normalised_ce_pulls_hardest_where_nothing_is_known(k):
    z = G.standard_normal((5000, k)) * 10.0 ** G.uniform(-2, 2, (5000, 1))
    z[0] = 0
    pull = -noisy.normalised_ce.value_and_grad(z, np.zeros(5000, int), reduction="none")[1][:, 0]
    assert pull[0] == pytest.approx((k - 1) / (k * k * math.log(k)), rel=1e-13)
    assert pull.max() <= pull[0] * (1 + 1e-13)


def test_forward_corrected_without_a_transition_is_cross_entropy():
    same(each(noisy.forward_corrected), each(losses.get("cross_entropy")), rel=1e-14)
    same(each(noisy.forward_corrected, transition=np.eye(4)), each(losses.get("cross_entropy")), rel=1e-14)


def test_forward_corrected_elicits_what_is_true_from_what_is_seen():
    true = np.array([0.5, 0.1, 0.15, 0.25])
    seen, z = true @ np.array(UNEVEN), np.log(np.tile(true, (4, 1)))
    loss = noisy.forward_corrected.with_(transition=UNEVEN)
    assert seen @ loss.value_and_grad(z, np.arange(4), reduction="none")[1] == pytest.approx(np.zeros(4), abs=1e-15)
    assert abs(seen @ losses.get("cross_entropy").value_and_grad(z, np.arange(4), reduction="none")[1]).max() > 0.05


def test_a_label_that_is_not_believed_pulls_less_but_for_the_share_of_cross_entropy():
    z = np.array([[0.0, 20.0, 0.0, 0.0]])
    pulls = {loss.name: abs(loss.value_and_grad(z, [0])[1]).max() for loss in noisy.minigrad_losses()}
    assert pulls["gce"] < 1e-5
    assert pulls["normalised_ce"] < 0.02
    assert pulls["symmetric_ce"] == pytest.approx(0.1, rel=1e-6)
    assert pulls["forward_corrected"] == pytest.approx(1, rel=1e-6)
    slip = noisy.forward_corrected.with_(transition=[[0.9, 0.1, 0, 0], [0.2, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    assert abs(slip.value_and_grad(z, [0])[1]).max() < 1e-7


# --- masked classes ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("loss", noisy.minigrad_losses(), ids=str)
def test_a_masked_class_is_none(loss):
    z, y = np.insert(Z, 1, -np.inf, axis=1), np.where(Y > 0, Y + 1, 0)
    value, slope = loss.value_and_grad(z, y, reduction="none")
    same((value, np.delete(slope, 1, axis=1)), each(loss))
    assert not slope[:, 1].any()


@pytest.mark.parametrize(
    ("loss", "right"),
    [
        (noisy.gce, 1 / 0.7),
        (noisy.symmetric_ce, np.inf),
        (noisy.symmetric_ce.with_(alpha=0.0), 4),
        (noisy.normalised_ce, 1),
        (noisy.forward_corrected, np.inf),
    ],
    ids=str,
)
def test_a_label_on_a_masked_class_has_a_finite_slope(loss, right):
    value, slope = loss.value_and_grad([[0.0, -np.inf, 1.0]], [1])
    assert value == pytest.approx(right)
    assert np.isfinite(slope).all()
    if loss.name == "forward_corrected":
        assert slope == pytest.approx(losses.get("cross_entropy").value_and_grad([[0.0, -np.inf, 1.0]], [1])[1])


def test_where_one_class_is_left_there_is_nothing_to_learn():
    for loss in noisy.minigrad_losses():
        value, slope = loss.value_and_grad([[3.0, -np.inf]], [0])
        assert (value, slope.tolist()) == (0, [[0, 0]])


def test_what_the_transition_rules_out_costs_without_bound_and_pulls_nowhere():
    value, slope = noisy.forward_corrected.value_and_grad([[3.0, 1.0]], [1], transition=[[1, 0], [1, 0]])
    assert (value, slope.tolist()) == (np.inf, [[0, 0]])


# --- what is refused, and what travels --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: noisy.gce.with_(q=0), "gce: expected q in (0, 1], got 0.0; q is how far from cross-entropy (→ 0)"),
        (lambda: noisy.symmetric_ce.with_(alpha=-1), "symmetric_ce: expected alpha ≥ 0, got -1.0; alpha is the share"),
        (lambda: noisy.symmetric_ce.with_(log_zero=0), "symmetric_ce: expected log_zero in (-inf, 0), got 0.0; log_zero"),
        *[
            (lambda t=t: noisy.forward_corrected.with_(transition=t),
             f"forward_corrected: expected transition to have rows ≥ 0 with sum 1, got {t}; transition is how often a class")
            for t in ([[0.5, 0.25], [0.5, 0.5]], [[1.5, -0.5], [0.0, 1.0]], [0.5, 0.5], 0.5)
        ],
    ],
)  # fmt: skip
def test_a_parameter_that_makes_no_sense_is_refused_when_the_loss_is_built(build, text):
    with pytest.raises(DomainError, match="^" + re.escape(text)):
        build()


def test_a_transition_of_another_size_is_refused():
    text = "forward_corrected: expected transition (4, 4) for 4 classes, got (2, 2); give a row for each true class"
    with pytest.raises(ShapeError, match="^" + re.escape(text)):
        noisy.forward_corrected(Z, Y, transition=np.eye(2))


def test_a_transition_travels_in_the_text_of_the_loss():
    with losses.isolated():
        losses.register(noisy.forward_corrected)
        loss = losses.get("forward_corrected", transition=UNEVEN)
        assert losses.get(str(loss))(Z, Y).item() == loss(Z, Y).item()


# --- wrong labels -----------------------------------------------------------------------------------------------------
def test_where_three_labels_of_ten_are_wrong_these_losses_find_more_of_the_true_ones():
    (X, y), (at, true) = data.load("digits", rng=0)
    wrong = np.random.default_rng(0).random(len(y)) < 0.3
    seen = np.where(wrong, (y + 1) % 10, y)
    transition = 0.7 * np.eye(10) + 0.3 * np.roll(np.eye(10), 1, axis=1)
    bounded = noisy.normalised_ce + noisy.symmetric_ce.with_(alpha=0.0)
    found = []
    for loss in (losses.get("cross_entropy"), noisy.gce, bounded, noisy.forward_corrected.with_(transition=transition)):
        model = MLP(64, 32, 10, rng=0)
        fit(model, (X, seen), loss=loss, epochs=20, lr=0.01, batch_size=128, rng=0)
        found.append((model(at).data.argmax(1) == true).mean())
    plain, *others = found
    assert plain < 0.85
    assert min(others) > plain + 0.05
    assert others[-1] > 0.9
