"""The shipped sets, and the split."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minigrad import data
from minigrad.engine.errors import DomainError, DTypeError, ShapeError

FOLDER = Path(data.__file__).parent
TARGETS = {"breast_cancer": "malignant", "diabetes": "progression", "digits": "digit"}
NAMES = tuple(TARGETS)


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


@settings(
    derandomize=True, database=None, max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(n=st.integers(2, 60), test=st.floats(0.01, 0.99), seed=st.integers(0, 2**32))
def test_every_row_is_in_one_part_beside_its_target_whatever_the_share(n, test, seed):
    if not 0 < round(test * n) < n:
        with pytest.raises(ValueError, match="expected rows on both sides"):
            data.split(np.ones((n, 1)), np.arange(n), test=test, rng=seed)
        return
    X = np.arange(2.0 * n).reshape(n, 2)
    (train, y), (tested, y_test) = data.split(X, np.arange(n), test=test, scale=False, rng=seed)
    assert len(tested) == round(test * n)
    assert sorted([*y, *y_test]) == list(range(n))
    assert np.array_equal(np.vstack([train, tested]), X[np.concatenate([y, y_test])])


@settings(derandomize=True, database=None, max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scale=st.sampled_from([1e-14, 1.0, 1e14]), shift=st.floats(-10, 10), seed=st.integers(0, 99))
def test_the_unit_of_a_column_does_not_matter(scale, shift, seed):
    X = np.random.default_rng(seed).standard_normal((30, 2))
    moved, plain = (data.split(x, np.arange(30), rng=seed)[0][0] for x in (scale * (X + shift), X))
    assert moved == pytest.approx(plain, abs=1e-5)


def test_a_target_is_left_alone_unless_it_is_to_be_scaled():
    y = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    parts = data.split(np.eye(5), y, rng=0)
    assert sorted([*parts[0][1], *parts[1][1]]) == y.tolist()
    (_, scaled), _ = data.split(np.eye(5), y, scale_y=True, rng=0)
    assert (scaled.mean(), scaled.std()) == pytest.approx((0, 1), abs=1e-6)


def test_whatever_numpy_makes_numbers_of_is_taken():
    class Frame:
        def __array__(self, dtype=None, copy=None):
            return np.arange(8).reshape(4, 2)

    (X, y), _ = data.split(Frame(), [True, False, True, True], test=np.float32(0.25), scale=False)
    assert (X.dtype, y.dtype) == (np.float32, np.int64)
    mixed, _ = data.split(np.array([[1, True], [2.5, False]] * 2, object), np.array([1, 2, 3, 4], object))
    assert mixed[0].dtype == mixed[1].dtype == np.float32
    half, _ = data.split(np.ones((4, 1), np.float16), np.arange(4))
    assert half[0].dtype == np.float32


def test_an_error_leaves_the_generator_as_it_was():
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    for arguments in ({"X": [[1.0]], "y": [1.0]}, {"X": [[1.0], [np.nan]], "y": [1, 2]}):
        with pytest.raises(ValueError, match=r"data\.split"):
            data.split(**arguments, rng=rng)
    assert rng.bit_generator.state == before


def test_the_callers_arrays_are_not_written_into():
    X, y = np.arange(8.0).reshape(4, 2), np.arange(4.0)
    data.split(X, y, scale_y=True)
    assert X.flags.writeable
    assert X.ravel().tolist() == list(range(8))
    assert y.tolist() == [0, 1, 2, 3]


def test_what_comes_back_is_read_only():
    for part in data.load("diabetes", rng=0):
        for array in part:
            assert not array.flags.writeable


def test_the_file_of_a_shipped_set_is_read_once(monkeypatch):
    (X, y), _ = data.load("diabetes", rng=0)
    monkeypatch.setattr("minigrad.data.sets.read", lambda *_, **__: pytest.fail("read again"))
    (again, labels), _ = data.load("diabetes", rng=0)
    assert (again == X).all()
    assert (labels == y).all()


def test_a_constant_column_becomes_zero_and_no_nan():
    (X, _), _ = data.split(np.ones((10, 2)), np.arange(10), rng=0)
    assert np.array_equal(X, np.zeros_like(X))
    (X, _), _ = data.split(np.full((10, 1), 0.1), np.arange(10), rng=0)  # the mean of ten 0.1 is rounded
    assert np.abs(X).max() < 1e-15


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_file_carries_no_clock_and_its_target_stands_last(name):
    packed = (FOLDER / f"{name}.csv.gz").read_bytes()
    assert packed[4:8] == bytes(4)  # the time stamp of the gzip header
    assert gzip.decompress(packed).decode().split("\n")[0].split(",")[-1] == TARGETS[name]
    assert f"`{name}.csv.gz`" in (FOLDER / "SOURCES.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_numbers_are_those_of_scikit_learn(name):
    sets = pytest.importorskip("sklearn.datasets")
    theirs = sets.load_diabetes(scaled=False) if name == "diabetes" else getattr(sets, f"load_{name}")()
    X, y = data.read(FOLDER / f"{name}.csv.gz", target=TARGETS[name])
    assert np.array_equal(X, theirs.data)
    assert np.array_equal(y, 1 - theirs.target if name == "breast_cancer" else theirs.target)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: data.load("digit"), ValueError, r"data.load: expected 'breast_cancer', 'diabetes' or 'digits', got 'digit'; did you mean 'digits'\?"),
        (lambda: data.load("mnist"), ValueError, r"got 'mnist'; your own are read by data.read\(path, target=…\)"),
        (lambda: data.load("digits", test=1.5), ValueError, r"data.load: expected test in \(0, 1\), .* got 1.5"),
        (lambda: data.load("digits", rng=1.5), TypeError, "expected rng, an int or a numpy.random.Generator, got 1.5"),
        (lambda: data.load("digits", rng=None), TypeError, "expected rng, an int or a numpy.random.Generator, got None"),
        (lambda: data.load("digits", rng=True), TypeError, "expected rng, an int or a numpy.random.Generator, got True"),
        (lambda: data.load("digits", rng=-1), ValueError, "expected rng ≥ 0, got -1"),
        (lambda: data.load("digits", test=0), ValueError, r"expected test in \(0, 1\), .* got 0"),
        (lambda: data.load("digits", test=float("nan")), ValueError, r"expected test in \(0, 1\), .* got nan"),
        (lambda: data.split(np.ones((3, 2)), np.ones(4)), ShapeError, r"expected y with the 3 rows of X, got \(4,\)"),
        (lambda: data.split(np.ones(3), np.ones(3)), ShapeError, r"expected X \(n, d\), got \(3,\)"),
        (lambda: data.split([["a"]], [1]), DTypeError, "expected numbers in X"),
        (lambda: data.split(np.array([["a", 1]], object), [1]), DTypeError, "expected numbers in X, got objects: .*'a'"),
        (lambda: data.split([[1.0], [2.0]], [[1], [1, 2]]), ShapeError, "expected y as numbers in a regular shape"),
        (lambda: data.split([[1.0, 2.0], [3.0, np.nan]], [1, 2]), DomainError, r"in X, got nan at row 1, column 1 \(1 of 4\)"),
        (lambda: data.split([[1.0], [3.0]], [1.0, np.inf]), DomainError, "in y, got inf at row 1"),
        (lambda: data.split([[1.0], [1e39]], [1, 2], scale=False), DomainError, "finite float32 numbers in X, got 1e[+]39 at row 1, column 0"),
        (lambda: data.split([[1.0]], [1.0]), ValueError, "expected rows on both sides, got 1 rows"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, error, text):
    with pytest.raises(error, match=text):
        call()
