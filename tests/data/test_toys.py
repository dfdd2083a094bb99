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


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: data.blobs(9, classes=0), "data.blobs: expected classes ≥ 1, a whole number, got 0; say classes=3"),
        (lambda: data.blobs(9, features=1.5), "data.blobs: expected features ≥ 1, a whole number, got 1.5"),
        (lambda: data.circles(9, factor=1), r"data.circles: expected factor in \[0, 1\), the inner radius, got 1"),
        (lambda: data.line(9, outliers=10), "data.line: expected outliers from 0 to n = 9, got 10"),
        (lambda: data.line(9, outliers=1.5), "data.line: expected outliers from 0 to n = 9, got 1.5"),
        (lambda: data.line(9, distance=np.nan), "data.line: expected a finite distance, got nan"),
    ],
)
def test_a_number_out_of_range_is_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_points_are_shared_out_evenly_among_the_classes(n):
    for make, classes in ((data.moons, 2), (data.circles, 2), (data.blobs, 3)):
        counts = np.bincount(make(n)[1], minlength=classes)
        assert counts.sum() == n
        assert np.ptp(counts) <= 1
        assert counts.argmax() == 0


@pytest.mark.parametrize("make", [data.moons, data.circles, data.blobs, data.line, data.sine])
class TestEveryGenerator:
    def test_has_the_noise_that_is_asked_for(self, make):
        quiet, loud = (make(4000, noise=s, rng=0) for s in (0.0, 0.5))  # the same draws, so the same order
        part = 1 if make in (data.line, data.sine) else 0
        assert (loud[part] - quiet[part]).std() == pytest.approx(0.5, rel=0.05)

    def test_gives_float32_inputs_and_the_targets_of_its_kind(self, make):
        X, y = make(12, noise=np.float32(0.1))
        assert (X.dtype, len(X), X.ndim) == (np.float32, 12, 2)
        assert (y.dtype, y.shape) == (np.float32 if make in (data.line, data.sine) else np.int64, (12,))

    def test_is_a_function_of_rng(self, make):
        assert np.array_equal(make(30, rng=1)[1], make(30, rng=np.random.default_rng(1))[1])
        assert not np.array_equal(make(30, rng=1)[0], make(30, rng=2)[0]) or not np.array_equal(
            make(30, rng=1)[1], make(30, rng=2)[1]
        )

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            ({"n": 0}, "expected n ≥ 1, a whole number, got 0; say n=100"),
            ({"n": 2.5}, "expected n ≥ 1, a whole number, got 2.5"),
            ({"n": 9, "noise": -1}, "expected noise ≥ 0, a standard deviation, got -1; say noise=0.1"),
            ({"n": 9, "noise": np.nan}, "expected noise ≥ 0, a standard deviation, got nan"),
        ],
    )
    def test_refuses_what_is_no_number_of_points_or_no_deviation(self, make, arguments, text):
        with pytest.raises(ValueError, match=f"data.{make.__name__}: {text}"):
            make(**arguments)
