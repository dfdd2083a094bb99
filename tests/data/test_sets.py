"""The shipped sets, and the split."""

import numpy as np
import pytest

from minigrad import data
from minigrad.engine.errors import DomainError, DTypeError, ShapeError

NAMES = ("breast_cancer", "diabetes", "digits")


@pytest.mark.parametrize(
    ("name", "rows", "columns"), [("breast_cancer", 569, 30), ("diabetes", 442, 10), ("digits", 1797, 64)]
)
def test_a_set_splits_into_rounded_shares_of_all_its_rows(name, rows, columns):
    (X, y), (X_test, y_test) = data.load(name, rng=3)
    assert X_test.shape == (round(0.3 * rows), columns)
    assert X.shape == (rows - round(0.3 * rows), columns)
    assert (len(y), len(y_test)) == (len(X), len(X_test))
    assert X.dtype == np.float32


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes"])
def test_inputs_are_standardised_by_the_training_part(name):
    (X, _), (X_test, _) = data.load(name, rng=0)
    assert np.abs(X.mean(0)).max() < 1e-6
    assert np.abs(X.astype(float).std(0) - 1).max() < 1e-6
    assert np.abs(X_test.mean(0)).max() > 1e-3


def test_digits_lose_their_training_mean_and_keep_their_scale():
    (X, y), _ = data.load("digits", rng=0)
    assert np.abs(X.mean(0)).max() < 1e-6
    assert np.unique(np.round(np.diff(np.unique(X[:, 20])) * 16, 4)).tolist() == [1.0]
    assert sorted(set(y.tolist())) == list(range(10))


def test_the_progress_of_diabetes_is_standardised_by_the_training_part():
    (_, y), (_, y_test) = data.load("diabetes", rng=0)
    assert y.dtype == np.float32
    assert (y.mean(), y.std()) == pytest.approx((0, 1), abs=1e-6)
    assert abs(y_test.mean()) > 1e-4


def test_malignant_is_one():
    (_, y), (_, y_test) = data.load("breast_cancer", rng=0)
    assert int(y.sum() + y_test.sum()) == 212


def test_the_same_rng_gives_the_same_split_and_another_gives_another():
    first, again, other = (data.load("diabetes", rng=r)[0][0] for r in (0, np.random.default_rng(0), 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_row_is_in_both_parts():
    X = np.arange(50.0)[:, None]
    (train, _), (test, _) = data.split(X, X[:, 0], scale=False, rng=0)
    assert sorted([*train[:, 0], *test[:, 0]]) == list(range(50))


def test_what_comes_back_is_read_only():
    for part in data.load("diabetes", rng=0):
        for array in part:
            assert not array.flags.writeable


def test_a_constant_column_becomes_zero_and_no_nan():
    (X, _), _ = data.split(np.ones((10, 2)), np.arange(10), rng=0)
    assert np.array_equal(X, np.zeros_like(X))


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_numbers_are_those_of_scikit_learn(name):
    sets = pytest.importorskip("sklearn.datasets")
    theirs = sets.load_diabetes(scaled=False) if name == "diabetes" else getattr(sets, f"load_{name}")()
    from minigrad.data import sets as ours

    X, y = data.read(ours.Path(ours.__file__).parent / f"{name}.csv.gz", target=ours.TARGETS[name])
    assert np.array_equal(X, theirs.data)
    assert np.array_equal(y, 1 - theirs.target if name == "breast_cancer" else theirs.target)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: data.load("digit"), ValueError, r"data.load: expected 'breast_cancer', 'diabetes' or 'digits', got 'digit'; did you mean 'digits'\?"),
        (lambda: data.load("mnist"), ValueError, "for a CSV file use data.read"),
        (lambda: data.load("digits", test=1.5), ValueError, r"data.load: expected test in \(0, 1\), .* got 1.5"),
        (lambda: data.load("digits", rng=1.5), TypeError, "expected rng to be a numpy.random.Generator or an int, got 1.5"),
        (lambda: data.split(np.ones((3, 2)), np.ones(4)), ShapeError, r"expected y with the 3 rows of X, got \(4,\)"),
        (lambda: data.split(np.ones(3), np.ones(3)), ShapeError, r"expected X \(n, d\), got \(3,\)"),
        (lambda: data.split([["a"]], [1]), DTypeError, "expected numbers in X"),
        (lambda: data.split([[1.0, 2.0], [3.0, np.nan]], [1, 2]), DomainError, r"in X, got nan at row 1, column 1 \(1 of 4\)"),
        (lambda: data.split([[1.0], [3.0]], [1.0, np.inf]), DomainError, "in y, got inf at row 1"),
        (lambda: data.split([[1.0]], [1.0]), ValueError, "expected rows on both sides, got 1 rows"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, error, text):
    with pytest.raises(error, match=text):
        call()
