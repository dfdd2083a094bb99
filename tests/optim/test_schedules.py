"""Schedules: their equations, their limits, PyTorch's where it is installed, their state."""

import json
import math
import re

import numpy as np
import pytest

from minigrad.engine.errors import CheckpointError
from minigrad.optim import Cosine, OneCycle, Plateau, StepDecay, WarmUp


def rates(schedule, steps):
    return [schedule(t) for t in range(steps)]


def test_step_decay_falls_by_its_factor_every_so_many_steps():
    np.testing.assert_allclose(rates(StepDecay(0.8, every=3, factor=0.5), 9), [0.8] * 3 + [0.4] * 3 + [0.2] * 3)


def test_cosine_starts_at_its_rate_passes_the_middle_and_stays_at_the_least():
    schedule = Cosine(0.8, steps=10, least=0.2)
    assert schedule(0) == 0.8
    assert schedule(5) == pytest.approx(0.5)
    assert [schedule(t) for t in (10, 11, 1000)] == [0.2] * 3
    assert all(a > b for a, b in zip(rates(schedule, 10), rates(schedule, 11)[1:], strict=True))


def test_one_cycle_climbs_to_its_rate_and_falls_below_its_start():
    schedule = OneCycle(1.0, steps=100, rise=0.25, start=10, end=100)
    assert schedule(0) == pytest.approx(0.1)
    assert schedule(24) == pytest.approx(1.0)
    assert schedule(99) == schedule(500) == pytest.approx(0.001)
    assert max(rates(schedule, 100)) == 1.0


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_one_cycle_of_a_few_steps_stays_in_its_bounds(steps):
    values = rates(OneCycle(1.0, steps=steps), steps + 2)
    assert all(1 / 25e4 <= v <= 1 for v in values)
    assert values[steps - 1] == pytest.approx(1 / 25e4)


def test_warm_up_rises_in_equal_steps_to_what_follows():
    np.testing.assert_allclose(rates(WarmUp(1.0, steps=4), 7), [0.2, 0.4, 0.6, 0.8, 1, 1, 1], rtol=1e-15)
    inner = Cosine(1.0, steps=10)
    schedule = WarmUp(inner, steps=4)
    np.testing.assert_allclose(rates(schedule, 4), [0.2, 0.4, 0.6, 0.8])
    assert [schedule(t) for t in range(4, 16)] == rates(inner, 12)


def test_plateau_falls_after_more_than_patience_losses_that_were_no_smaller():
    schedule = Plateau(1.0, factor=0.5, patience=2, least=0.2)
    seen = []
    for loss in (3.0, 2.0, 2.0, 2.5, 2.1, 2.0, 1.9, 5, math.nan, math.inf, 5, 5, 5, 5, 5, 5):
        schedule.observe(loss)
        seen.append(schedule(0))
    assert seen == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2]


def test_plateau_that_never_saw_a_finite_loss_waits_and_falls_too():
    schedule = Plateau(1.0, patience=1)
    for _ in range(2):
        schedule.observe(math.nan)
    assert schedule(0) == pytest.approx(0.1)
    assert schedule.best is None


# --- PyTorch ----------------------------------------------------------------------------------------------------------
def theirs(make, steps, observed=None):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    schedule, found = make(torch.optim.lr_scheduler, optimizer), []
    for t in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step(*([] if observed is None else [observed[t]]))
    return found


@pytest.mark.parametrize(
    ("ours", "make", "steps"),
    [
        (StepDecay(0.3, every=7, factor=0.3), lambda s, o: s.StepLR(o, 7, gamma=0.3), 40),
        (Cosine(0.3, steps=40, least=0.01), lambda s, o: s.CosineAnnealingLR(o, 40, eta_min=0.01), 41),
        (OneCycle(0.3, steps=40), lambda s, o: s.OneCycleLR(o, max_lr=0.3, total_steps=40), 39),
        (
            OneCycle(0.3, steps=50, rise=0.45, start=10, end=77),
            lambda s, o: s.OneCycleLR(o, 0.3, total_steps=50, pct_start=0.45, div_factor=10, final_div_factor=77),
            49,
        ),
        (WarmUp(0.3, steps=9), lambda s, o: s.LinearLR(o, start_factor=0.1, total_iters=9), 20),
    ],
    ids=lambda value: None if hasattr(value, "__code__") else str(value),
)
def test_rates_agree_with_pytorch(ours, make, steps):
    np.testing.assert_allclose(rates(ours, steps), theirs(make, steps), rtol=1e-12)


def test_plateau_agrees_with_pytorch():
    observed = np.random.default_rng(0).exponential(size=60).tolist()
    ours, found = Plateau(0.3, factor=0.7, patience=2, least=0.02), []
    for loss in observed:
        found.append(ours(0))
        ours.observe(loss)
    expected = theirs(
        lambda s, o: s.ReduceLROnPlateau(o, factor=0.7, patience=2, min_lr=0.02, threshold=0, eps=0), 60, observed
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12)


# --- state ------------------------------------------------------------------------------------------------------------
ALL = [
    StepDecay(0.3, every=7),
    Cosine(0.3, steps=40),
    OneCycle(0.3, steps=40),
    WarmUp(0.3, steps=9),
    WarmUp(Cosine(0.3, steps=7), steps=9),
    WarmUp(Plateau(0.3, patience=1), steps=3),
    Plateau(0.3, patience=0),
]


@pytest.mark.parametrize("schedule", ALL, ids=str)
def test_a_state_is_plain_data_and_goes_on_exactly(schedule):
    other = type(schedule)(*[getattr(schedule, name) for name in list(vars(schedule))[:2]])
    for loss in (2.0, 3.0, 1.0, 1.0):
        schedule.observe(loss)
    state = json.loads(json.dumps(schedule.state_dict(), allow_nan=False))
    other.load_state_dict(state)
    assert other.state_dict() == schedule.state_dict()
    for loss in (1.0, 0.5, 0.7, 0.7):
        schedule.observe(loss)
        other.observe(loss)
        assert rates(other, 60) == rates(schedule, 60)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.update(schedule="Plateau"),
        lambda s: s.update(steps=0),
        lambda s: s.update(steps=1.5),
        lambda s: s.update(extra=1),
        lambda s: s.update(then=0.3),
        lambda s: s.update(then={"schedule": "StepDecay", "lr": 1, "every": 2, "factor": 0.1}),
        lambda s: s["then"].update(lr=None),
        lambda s: s.pop("then"),
        lambda s: s.pop("schedule"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_nothing_is_loaded(change):
    schedule = WarmUp(Cosine(0.3, steps=7), steps=9)
    state, before = schedule.state_dict(), repr(schedule)
    change(state)
    message = "WarmUp.load_state_dict: expected the state of WarmUp(then=Cosine("
    with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
        schedule.load_state_dict(state)
    assert "nothing was loaded" in str(caught.value)
    assert repr(schedule) == before


REFUSED = [
    (lambda: StepDecay(0.0, every=1), ValueError, "StepDecay: expected lr > 0 and finite, got 0.0"),
    (lambda: StepDecay(0.1, every=0), ValueError, "StepDecay: expected every ≥ 1, a whole number, got 0"),
    (lambda: StepDecay(0.1, every=1.5), ValueError, "StepDecay: expected every ≥ 1, a whole number, got 1.5"),
    (lambda: StepDecay(0.1, every="3"), TypeError, "StepDecay: expected every ≥ 1, a whole number, got '3'"),
    (lambda: Cosine(0.1, steps=math.inf), ValueError, "Cosine: expected steps ≥ 1, a whole number, got inf"),
    (lambda: Cosine(0.1, steps=3, least=-1), ValueError, "Cosine: expected least ≥ 0 and finite, got -1"),
    (lambda: OneCycle(0.1, steps=3, rise=1), ValueError, "OneCycle: expected rise in (0, 1), got 1"),
    (lambda: OneCycle(0.1, steps=3, start=0.5), ValueError, "OneCycle: expected start ≥ 1 and finite, got 0.5"),
    (lambda: WarmUp("0.1", steps=3), TypeError, "WarmUp: expected then > 0 and finite, got '0.1'"),
    (lambda: WarmUp(0.1, steps=0), ValueError, "WarmUp: expected steps ≥ 1, a whole number, got 0"),
    (lambda: Plateau(0.1, factor=1), ValueError, "Plateau: expected factor in (0, 1), got 1"),
    (lambda: Plateau(0.1, patience=-1), ValueError, "Plateau: expected patience ≥ 0, a whole number, got -1"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=[row[2][:60] for row in REFUSED])
def test_numbers_out_of_range_are_refused_by_name(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
