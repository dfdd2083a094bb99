"""What a lesson could not show, it says; what its numbers rest on is computed here a second time."""

import numpy as np
import pytest

from minigrad import data
from tests.tutorials.running import LESSONS, run

BY_NUMBER = {path.stem[:2]: path for path in LESSONS}
TOO_FEW = "4 seeds cannot show a difference; 6 are needed"


def test_four_splits_show_no_difference_between_weight_and_threshold_whatever_the_costs():
    lines = [line for line in run(BY_NUMBER["11"]).stdout.splitlines() if "weighted − moved" in line]
    assert len(lines) == 4
    assert all(line.endswith(TOO_FEW) for line in lines)


def test_at_the_start_the_malignant_own_what_their_number_and_price_say():
    pi = np.mean([data.load("breast_cancer", test=0.4, rng=split)[0][1].mean() for split in range(4)])
    assert run(BY_NUMBER["11"]).read("facts")["share_start"] == pytest.approx(10 * pi / (10 * pi + 1 - pi), abs=0.03)


def test_three_splits_show_no_difference_between_the_losses_that_hear_wrong_labels_and_the_one_that_does_not():
    lines = [line for line in run(BY_NUMBER["08"]).stdout.splitlines() if "minus that of" in line]
    assert len(lines) == 2
    assert all(line.endswith("3 seeds cannot show a difference; 6 are needed") for line in lines)


@pytest.mark.parametrize("name", ["flat_mse", "flat_ce"])
def test_the_land_of_two_weights_is_as_flat_as_its_closed_form(name):
    x = np.random.default_rng(0).standard_normal(200)
    y = (x > 0) != (np.arange(200) < 20)
    one, other = np.meshgrid(*2 * [np.linspace(-8, 8, 81)])
    h = np.tanh(one[..., None] * x)
    p = 1 / (1 + np.exp(-other[..., None] * h))
    sent = (p - y) * (2 * p * (1 - p) if name == "flat_mse" else 1)
    size = np.hypot((sent * other[..., None] * (1 - h**2) * x).mean(-1), (sent * h).mean(-1))
    assert run(BY_NUMBER["12"]).read("facts")[name] == pytest.approx(np.mean(size < 0.01), abs=5e-4)


def test_better_and_worse_are_said_of_a_loss_exactly_when_all_six_differences_have_one_sign():
    done = run(BY_NUMBER["09"])
    facts = done.read("facts")
    said = [
        line.partition(": ")[2] for line in done.stdout.splitlines() if line.startswith("  ") and ", mse_on" in line
    ]
    six = np.array([*facts["differences"], *facts["differences_bad"]])
    verdicts = {1: "better than cross_entropy", -1: "worse than cross_entropy", 0: "no difference shown with 6 seeds"}
    one_sign = [int(np.all(d > 0)) - int(np.all(d < 0)) for d in six]
    assert six.shape == (4, 6)
    assert said == [verdicts[sign] for sign in one_sign]


SPOKEN = {
    "broadcast": "ShapeError: mse: expected pred and target of one shape, got pred (64, 1), target (64,); use target.reshape",
    "two softmaxes": "UserWarning: cross_entropy takes scores, but pred comes from softmax; remove that softmax",
    "cut graph": "GradientError: backward: this value has no gradient. The last operation here that dropped one was greater",
    "other network": "GradientError: fit: expected the gradient of mse to reach the parameters of the optimizer, got none at",
    "log below 0": "RuntimeWarning: fit: loss is nan at the end of epoch ",
    "no zero_grad": "UserWarning: backward: 6 leaves, of shapes (32, 1), (1,), (32, 32), (32,)",
    "sum for mean": 'UserWarning: fit: reduction="sum" multiplies the gradient by n = 64: lr 0.05 acts like 3.2; use',
}


@pytest.mark.parametrize("disease", SPOKEN)
def test_the_library_speaks_to_each_of_the_seven_mistakes_of_the_clinic(disease):
    assert f"\n{disease}\n    {SPOKEN[disease]}" in run(BY_NUMBER["14"]).stdout


def test_each_patient_of_the_clinic_has_a_disease_of_its_own():
    done = run(BY_NUMBER["14"])
    assert sorted(record["truth"] for record in done.read("checks").values()) == sorted(SPOKEN)
    assert done.read("facts")["silent"] == done.stdout.count("steps   silent\n")
