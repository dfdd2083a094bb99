"""What minigrad is for, end to end on real data: it learns digits, and says which of two losses does better."""

import numpy as np
import pytest

from minigrad import MLP, compare, data, evaluate, figures, fit


def test_a_small_network_reads_96_of_100_digits_after_30_epochs():
    found = []
    for seed in range(5):
        train, test = data.load("digits", rng=seed)
        model = MLP(64, 64, 10, rng=seed)
        fit(model, train, loss="cross_entropy", optimizer="adam", lr=1e-3, epochs=30, rng=seed)
        found.append(evaluate(model, test, loss="cross_entropy", metrics=["accuracy"])["accuracy"])
    assert np.median(found) >= 0.96


def test_outliers_hurt_squared_error_more_than_absolute_error_and_the_study_says_so():
    found = compare(["mse", "mae"], "diabetes", corrupt=0.1, lrs=(0.01,), seeds=8, epochs=15, model=(10, 16, 1))
    assert found.rows[2].verdict == "better than mse"
    assert found.rows[2].high < 0
    assert f"({found.rows[2].low:+.4f} … {found.rows[2].high:+.4f})" in str(found)
    assert "better than mse" in figures.alt(found.plot())
    constant, *losses = found.rows
    assert all(row.median < constant.median for row in losses)


def test_without_outliers_no_difference_is_claimed_where_none_is():
    same = compare(["huber", "smooth_l1"], "diabetes", lrs=(0.01,), seeds=6, epochs=5, model=(10, 16, 1))
    assert same.rows[2].difference == pytest.approx(0, abs=1e-9)  # at 1 they are one loss
    assert same.rows[2].verdict == "no difference shown with 6 seeds"
