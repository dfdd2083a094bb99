"""Toy data: the equations hold where there is no noise."""

import numpy as np
import pytest

from minigrad import data


def test_moons_lie_on_two_half_circles():
    X, y = data.moons(101, noise=0.0, rng=0)
    upper, lower = X[y == 0], X[y == 1]
    assert (len(upper), len(lower)) == (51, 50)
    assert np.linalg.norm(upper, axis=1) == pytest.approx(1, abs=1e-6)
    assert np.linalg.norm(lower - [1, 0.5], axis=1) == pytest.approx(1, abs=1e-6)
    assert upper[:, 1].min() >= -1e-6
    assert lower[:, 1].max() <= 0.5 + 1e-6


def test_circles_have_their_radii():
    X, y = data.circles(40, noise=0.0, factor=0.3, rng=0)
    assert np.linalg.norm(X, axis=1) == pytest.approx(np.where(y == 0, 1, 0.3), abs=1e-6)


def test_blobs_have_as_many_classes_and_features_as_asked():
    X, y = data.blobs(31, classes=4, features=5, noise=0.0, rng=0)
    assert X.shape == (31, 5)
    assert len(np.unique(X, axis=0)) == len(np.unique(y)) == 4


def test_a_line_is_a_line_but_for_its_outliers():
    X, y = data.line(41, noise=0.0, outliers=3, distance=7, rng=0)
    off = 2 * X[:, 0] + 1 - y
    assert np.sort(off)[-3:] == pytest.approx(7, abs=1e-5)
    assert np.sort(off)[:-3] == pytest.approx(0, abs=1e-6)


def test_sine_is_a_sine():
    X, y = data.sine(50, noise=0.0)
    assert y == pytest.approx(np.sin(X[:, 0]), abs=1e-6)


@pytest.mark.parametrize("make", [data.moons, data.circles, data.blobs, data.line, data.sine])
class TestEveryGenerator:
    def test_has_the_noise_that_is_asked_for(self, make):
        quiet, loud = (make(4000, noise=s, rng=0) for s in (0.0, 0.5))
        moved = loud[1] - quiet[1] if make in (data.line, data.sine) else loud[0] - quiet[0]
        if make in (data.line, data.sine, data.circles):
            assert moved.std() == pytest.approx(0.5, rel=0.05)
        else:
            assert moved.std() > 0.4

    def test_is_a_function_of_rng(self, make):
        assert np.array_equal(make(30, rng=1)[1], make(30, rng=np.random.default_rng(1))[1])
        assert not np.array_equal(make(30, rng=1)[0], make(30, rng=2)[0]) or not np.array_equal(
            make(30, rng=1)[1], make(30, rng=2)[1]
        )

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [({"n": 0}, "expected n ≥ 1"), ({"n": 2.5}, "expected n ≥ 1"), ({"n": 9, "noise": -1}, "expected noise ≥ 0")],
    )
    def test_refuses_what_is_no_number_of_points_or_no_deviation(self, make, arguments, text):
        with pytest.raises(ValueError, match=f"data.{make.__name__}: {text}"):
            make(**arguments)
