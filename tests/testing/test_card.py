"""The card: numbers that are known otherwise, marks, texts, and that an exam leaves no trace."""

import json
import math
import os
import pickle
import random
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import minigrad
from minigrad import loss, losses
from minigrad.engine.graph import recording
from minigrad.ops import softplus
from minigrad.testing import Card, check_loss, kinks, names, samplers
from minigrad.testing.exam import SAMPLES, Exam, Sizes

BUILT_IN = losses.names("minigrad")
PHI, DENSITY = 0.6826894921370859, math.exp(-0.5) / math.sqrt(2 * math.pi)  # P(|x| < 1), φ(1)


@pytest.fixture(scope="module")
def card():
    """The card of a built-in loss, made once."""
    made = {}
    return lambda name: made[name] if name in made else made.setdefault(name, check_loss(name))


# --- what is measured -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "line", "key", "known"),
    [
        ("mse", "at chance", "value", 1),
        ("mse", "one outlier", "share", 0.113),
        ("mse", "scaling", "degree", 2),
        ("mse", "at ±∞", "growth", 1),
        ("mae", "at chance", "value", math.sqrt(2 / math.pi)),
        ("mae", "one outlier", "share", 0.010),
        ("mae", "slope", "left", -1),
        ("mae", "slope", "right", 1),
        ("mae", "scaling", "degree", 1),
        ("huber", "at chance", "value", 0.5 * (PHI - 2 * DENSITY) + 2 * DENSITY - 0.5 * (1 - PHI)),
        ("huber", "one outlier", "share", 0.016),
        ("huber", "scaling", "scale", "delta"),
        ("quantile(quantile=0.9)", "slope", "left", -0.9),
        ("cross_entropy", "at chance", "value", math.log(10)),
        ("bce_with_logits", "at chance", "value", math.log(2)),
        ("bce_with_logits", "slope", "middle", -0.5),
        ("poisson_nll", "at chance", "value", 1),
        ("poisson_nll", "proper", "elicited", 2.0),
        ("gaussian_nll", "at chance", "value", 0.5),
        ("hinge", "at chance", "value", 1),
        ("squared_hinge", "at chance", "value", 1),
        ("multi_margin", "at chance", "value", 0.9),
        ("margin_ranking", "at chance", "value", 1),
        ("focal", "at chance", "value", 0.25 * math.log(2)),
    ],
)
def test_a_number_on_a_card_is_the_one_that_is_known_otherwise(card, name, line, key, known):
    measured = card(name)[line].measured[key]
    assert measured == (known if isinstance(known, str) else pytest.approx(known, rel=5e-4 if key != "share" else 0.06))


@pytest.mark.parametrize(
    ("name", "where", "low", "high", "lipschitz"),
    [
        ("mse", "target", 0, None, None),
        ("mae", "target", 0, None, 1),
        ("huber(delta=2.0)", "target", 0, None, 2),
        ("smooth_l1", "target", 0, None, 1),
        ("log_cosh", "target", 0, None, 1),
        ("quantile(quantile=0.8)", "target", 0, None, 0.8),
        ("poisson_nll", "link", None, None, None),
        ("poisson_nll(full=True)", "link", 0, None, None),
        ("gaussian_nll", "none", None, None, None),
        ("bce_with_logits(pos_weight=3.0)", "link", 0, None, 3),
        ("bce", "link", 0, None, None),
        ("cross_entropy", "link", 0, None, math.sqrt(2)),
        ("nll", "link", 0, None, 1),
        ("kl_div", "link", 0, None, 1),
        ("hinge", "region", 0, None, 1),
        ("squared_hinge", "region", 0, None, None),
        ("multi_margin", "region", 0, None, math.sqrt(0.9)),
        ("focal", "link", 0, None, 1.129),
        ("margin_ranking", "region", 0, None, math.sqrt(2)),
        ("triplet_margin", "region", 0, None, math.sqrt(6)),
        ("cosine_embedding", None, 0, 2, None),
    ],
)
def test_minimum_bounds_and_longest_gradient_of_the_built_in_losses(card, name, where, low, high, lipschitz):
    made = card(name)
    if where:
        assert made["minimum"].measured["where"] == where
    limits = made["bounds"].measured
    assert (limits["low"], limits["high"]) == (low, high if high is None else pytest.approx(high, rel=1e-3))
    if lipschitz:
        assert made["at ±∞"].measured["lipschitz"] == pytest.approx(lipschitz, rel=1e-3)
    elif name != "cosine_embedding":
        assert made["at ±∞"].measured.get("lipschitz") is None


@pytest.mark.parametrize(
    ("name", "line", "text"),
    [
        ("huber", "relatives", "½ × mse for |r| ≤ 1; delta × smooth_l1(beta=delta)"),
        ("smooth_l1", "relatives", "½ × mse for |r| ≤ 1; 1/beta × huber(delta=beta)"),
        ("quantile", "relatives", "½ × mae"),
        ("mae", "relatives", "2 × quantile"),
        ("focal(gamma=0.0)", "relatives", "bce_with_logits"),
        ("2 * cross_entropy", "relatives", "2 × cross_entropy"),
        ("mae", "slope", "-1 and 1 at r = 0 (target 0): a kink"),
        ("hinge", "minimum", "0 on a region, z ≥ 1"),
        ("focal", "proper", "no: P = 0.3 elicits σ(z) = 0.4215; on the right side of ½"),
        ("hinge", "proper", "no: P = 0.3 elicits z = -1, σ(z) = 0.2689; on the right side of ½"),
        ("bce", "at ±∞", "grows like 1/p as p → 0 or 1"),
        ("cosine_embedding", "at ±∞", "bounded by 1.414"),
        ("huber", "proper", "a claim about probabilities; real ← real names none"),
    ],
)
def test_a_line_says_it_in_these_words(card, name, line, text):
    assert card(name)[line].text == text


def test_a_relative_with_another_parameter_is_found():
    @loss
    def late(pred, target):
        r = pred - target
        return np.where(r > 0, r, -4 * r)

    assert check_loss(late)["relatives"].text == "5 × quantile(quantile=0.8)"


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_claim_of_a_built_in_loss_is_measured_and_what_it_does_not_claim_is_told(card, name):
    claimed = losses.get(name).claims
    for claim in ("convex", "symmetric", "proper", "shift_invariant"):
        row = card(name)[claim]
        if claim in claimed:
            assert (row.mark, row.note) == ("✓", "measured and claimed")
        elif row.mark == "✓":
            assert row.note == "measured"
            assert row.measured["holds"] or row.text.startswith("no: ")
        else:
            assert row.mark == "–"
            assert row.text


# --- claims, in both directions ---------------------------------------------------------------------------------------
FALSE = [
    ("mse", "proper"), ("huber", "shift_invariant"), ("focal", "convex"), ("focal", "proper"), ("hinge", "proper"),
    ("poisson_nll", "symmetric"), ("gaussian_nll", "convex"), ("gaussian_nll", "shift_invariant"),
    ("triplet_margin", "convex"), ("cosine_embedding", "convex"),
    ("cosine_embedding", "shift_invariant"), ("multi_margin", "proper"), ("squared_hinge", "proper"),
    ("nll", "shift_invariant"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "claim"), FALSE)
def test_a_false_claim_is_contradicted_on_its_line_and_nowhere_else(name, claim):
    from dataclasses import replace

    built_in = losses.get(name)
    card = check_loss(replace(built_in, claims=(*built_in.claims, claim)))
    assert card.failed == (claim,)
    assert card[claim].text.startswith("claimed, but ")


@pytest.mark.parametrize("name", ["mse", "cross_entropy", "bce_with_logits", "gaussian_nll", "margin_ranking"])
def test_a_true_claim_that_nobody_makes_is_found_and_is_no_fault(name):
    from dataclasses import replace

    built_in = losses.get(name)
    card = check_loss(replace(built_in, claims=(), kinks=None))
    assert card.ok
    for claim in built_in.claims:
        assert (card[claim].mark, card[claim].note, card[claim].measured["holds"]) == ("✓", "measured", True)


def test_claims_are_judged_at_the_default_parameters():
    card = check_loss("bce_with_logits(pos_weight=3.0)")
    assert card.ok
    assert card["at chance"].measured["value"] == pytest.approx(2 * math.log(2))


# --- the record -------------------------------------------------------------------------------------------------------
def test_the_first_line_counts_the_marks_and_every_line_has_one(card):
    made = card("huber")
    marks = [row.mark for row in made.rows]
    assert set(marks) == {"✓", "–"}
    assert str(made).splitlines()[0].endswith(f"{marks.count('✓')} ✓   0 ✗   {marks.count('–')} –")
    assert all(row.text for row in made.rows if row.mark != "✓")


def test_a_card_is_a_plain_frozen_record(card):
    made = card("huber")
    assert isinstance(made, Card)
    assert made.loss == "huber(delta=1.0)"
    assert (made.pred, made.target, made.owner) == ("real", "real", f"minigrad {minigrad.__version__}")
    assert made.ok is True
    assert made.failed == ()
    with pytest.raises(AttributeError):
        made.loss = "mse"
    with pytest.raises(KeyError, match="no line 'convexity'; there are value, repeatable"):
        made["convexity"]


def test_a_card_as_numbers_is_json_without_times(card):
    told = card("poisson_nll").to_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert "cost" not in [row["name"] for row in told["rows"]]
    assert told["ok"] is True
    assert told["failed"] == []
    assert pickle.loads(pickle.dumps(card("poisson_nll"))) == card("poisson_nll")


def test_the_curves_are_the_loss_and_its_slope(card):
    first = card("huber").curves[0]
    x = np.array(first.x)
    assert (first.axis, first.label) == ("r", "target 0")
    assert np.array(first.gradient) == pytest.approx(np.clip(x, -1, 1))
    assert np.array(first.value) == pytest.approx(np.where(abs(x) <= 1, x * x / 2, abs(x) - 0.5))


def test_the_same_rng_gives_the_same_card_and_another_one_another():
    assert check_loss("huber", rng=5) == check_loss("huber", rng=5)
    assert str(check_loss("huber", rng=5)) == str(check_loss("huber", rng=np.int64(5)))
    assert check_loss("focal", rng=np.random.default_rng(5)) == check_loss("focal", rng=5)
    assert check_loss("focal", rng=5) != check_loss("focal", rng=6)


def test_text_of_a_plugin_is_shown_with_its_control_characters_visible():
    @loss
    def hostile(pred, target):
        """Harmless.

        \x1b[31m r² \x07
        """
        return (pred - target) ** 2

    assert "\\x1b[31m r² \\x07" in str(check_loss(hostile))


def test_an_unknown_name_has_a_way_out():
    with pytest.raises(LookupError, match="no loss called 'hubr'; did you mean 'huber'"):
        check_loss("hubr")


def test_names_of_a_pack_are_there_for_its_own_test():
    assert names("minigrad") == BUILT_IN
    with pytest.raises(LookupError, match="there is no pack 'robst'"):
        names("robst")


# --- an exam leaves no trace ------------------------------------------------------------------------------------------
def test_whatever_a_loss_does_to_its_surroundings_is_undone(monkeypatch):
    @loss
    def vandal(pred, target):
        np.seterr(all="raise")
        np.random.seed(1)  # noqa: NPY002
        random.seed(1)
        np.set_printoptions(precision=1)
        sys.setrecursionlimit(4321)
        warnings.simplefilter("error")
        os.environ["VANDAL"] = "was here"
        os.chdir("/")
        sys.path.append("nowhere")
        recording.set(False)
        return (pred - target) ** 2

    def state():
        legacy = np.random.get_state()  # noqa: NPY002
        return (
            np.geterr(), legacy[1].tolist(), random.getstate(), np.get_printoptions(), sys.getrecursionlimit(),
            list(warnings.filters), dict(os.environ), os.getcwd(), list(sys.path), recording.get(),
        )  # fmt: skip

    before = state()
    assert check_loss(vandal)["repeatable"].mark == "✗"
    assert state() == before


def test_a_loss_that_cannot_be_called_is_blamed_once():
    @loss
    def failing(pred, target):
        raise ValueError("not today")

    card = check_loss(failing)
    assert card.failed == ("value",)
    assert card["value"].text == "fails: ValueError: not today"
    assert card["gradient"].text == "not measured: see value"


@pytest.mark.parametrize(
    ("kinks", "text"),
    [
        (
            lambda pred, target: 1 // 0,
            "a function of kinks= fails: ZeroDivisionError: integer division or modulo by zero",
        ),
        (lambda pred, target: np.zeros(3), r"a function of kinks= returns shape (3,) for "),
    ],
)
def test_kinks_that_are_none_are_told(kinks, text):
    @loss(kinks=kinks)
    def bent(pred, target):
        return np.abs(pred - target)

    card = check_loss(bent)
    assert "slope" in card.failed
    assert text in card["slope"].text


def test_a_loss_that_leaves_the_program_does_not_end_it():
    @loss
    def leaving(pred, target):
        sys.exit(1)

    assert check_loss(leaving).failed == ("value",)


def test_a_loss_with_sizes_of_its_own_is_examined_at_them():
    @loss(pred="logits", target="index")
    def four(pred, target):
        return softplus(pred @ np.ones(4, pred.dtype)) - pred[np.arange(len(target)), target] * 0.2

    assert "class 0 of 4" in [curve.label for curve in check_loss(four).curves]


# --- samplers ---------------------------------------------------------------------------------------------------------
PAIRS = sorted({(losses.get(name).pred, losses.get(name).target, losses.get(name).heads) for name in BUILT_IN})


@pytest.mark.parametrize(("pred", "target", "heads"), PAIRS)
def test_a_draw_covers_every_region_in_a_hundred_draws(pred, target, heads):
    made = next(losses.get(n) for n in BUILT_IN if (losses.get(n).pred, losses.get(n).target) == (pred, target))
    for seed in range(100):
        assert len(Exam(made, seed, Sizes()).sample[0]) == SAMPLES


@pytest.mark.parametrize(
    ("name", "pred", "target", "said"),
    [
        ("mse", np.ones(200), np.arange(200.0), "samples where a score is near 0"),
        ("mse", np.arange(200.0), np.zeros(200), "expected different targets"),
        ("bce", np.full(200, 0.5), np.arange(200) % 2.0, "samples where p is small, got 0.0% of 200"),
        ("hinge", np.abs(np.linspace(-9, 9, 200)), np.sign(np.arange(200) - 99.5), "samples where a score is below 0"),
    ],
)
def test_a_draw_that_leaves_a_region_out_is_refused(name, pred, target, said):
    with pytest.raises(RuntimeError, match=said):
        samplers.check_spread(losses.get(name), pred, target)


@pytest.mark.parametrize("n", range(2, 12))
def test_an_order_that_shall_show_a_loss_that_depends_on_places_leaves_nothing_in_its_place(n):
    for seed in range(50):
        order = samplers.displaced(np.random.default_rng(seed), n)
        assert sorted(order) == list(range(n))
        assert (order != np.arange(n)).all()


@pytest.mark.parametrize("rng", [4, 7])  # whose extreme sample has large scores below 0 alone
def test_the_extreme_sample_beside_others_is_extreme_to_both_sides(rng):
    @loss(pred="logits", target="index")
    def shifted_by_all(pred, target):
        z = pred - pred.max()
        return np.log(np.exp(z).sum(-1)) - np.take_along_axis(z, target[:, None], -1)[:, 0]

    assert "permutation" in check_loss(shifted_by_all, rng=rng).failed


def test_a_slope_that_turns_quickly_from_one_side_to_the_other_has_no_kink():
    exam = SimpleNamespace(typical=1.0, loss=SimpleNamespace(pred="real"))
    found = lambda slope: list(kinks._found(exam, lambda x, _: slope(x), *np.array([[1e-16], [-0.1], [0.1]])))  # noqa: E731
    for steepness in np.geomspace(30, 3000, 40):
        assert found(lambda x, k=steepness: 3 * np.tanh(k * x)) == []
    ((_, place, before, after),) = found(lambda x: 3 * np.tanh(200 * x) + 1e-5 * np.sign(x - 1e-5))
    assert place == pytest.approx(1e-5, abs=1e-9)
    assert after - before == pytest.approx(2e-5, rel=0.1)


# --- every loss, every draw -------------------------------------------------------------------------------------------
def shipped():
    """Every loss of this repository, built in or in a pack, by full name."""
    found = {name: losses.get(name) for name in BUILT_IN}
    with losses.isolated():
        for path in sorted(Path(__file__).parents[2].glob("plugins/minigrad-*/minigrad_*.py")):
            found |= {name: losses.get(name) for name in losses.add_file(path)}
    return found


SHIPPED = shipped()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_loss_is_right_in_three_draws(card, name):
    own = [card(name)] if name in BUILT_IN else []  # a pack looks at the first draw in its own tests
    for found in (*own, *(check_loss(SHIPPED[name], rng=r) for r in (1, 2))):
        assert found.ok, found


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_a_loss_is_right_in_a_hundred_draws(name):
    assert {rng: c.failed for rng in range(100) if not (c := check_loss(SHIPPED[name], rng=rng)).ok} == {}
