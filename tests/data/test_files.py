"""Reading a CSV file."""

import csv
import gzip
import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minigrad import data
from minigrad.engine.errors import DomainError, ShapeError


@pytest.fixture
def write(tmp_path):
    def written(text, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


def test_numbers_come_as_they_are_and_the_target_is_taken_out(write):
    X, y = data.read(write("a,price,b\n1,2.5,3\n4,5.5,6e1\n"), target="price")
    assert X.tolist() == [[1, 3], [4, 60]]
    assert y.tolist() == [2.5, 5.5]


def test_a_target_of_whole_numbers_is_of_integers(write):
    assert data.read(write("a,k\n1,2\n4,-5\n"), target="k")[1].dtype == np.int64
    assert data.read(write("a,k\n1,2.0\n4,5\n"), target="k")[1].dtype == np.float64
    assert data.read(write("a,k\n1,1e3\n4,5\n"), target="k")[1].dtype == np.float64


def test_a_large_whole_number_is_kept_to_its_last_digit(write):
    assert data.read(write("a,k\n1,9007199254740993\n"), target="k")[1].tolist() == [9007199254740993]


def test_a_target_of_text_becomes_labels_in_sorted_order(write):
    rows = "".join(f"1,{kind}\n" for kind in ("pear", "fig", "apple", "plum", "fig", "cherry"))
    assert data.read(write("a,kind\n" + rows), target="kind")[1].tolist() == [3, 2, 0, 4, 2, 1]


def test_columns_can_be_left_out(write):
    for drop in (["city"], "city"):
        assert data.read(write("a,city,y\n1,x,2\n2,z,3\n"), target="y", drop=drop)[0].shape == (2, 1)


def test_quotes_blank_lines_a_byte_order_mark_and_compression_are_read(write):
    text = b'\xef\xbb\xbf"a",y\n"1",2\n\n3,4\n'
    for path in (write(text), write(gzip.compress(text), "t.csv.gz")):
        assert data.read(path, target="a")[0].tolist() == [[2], [4]]
        assert data.read(path, target="a")[1].tolist() == [1, 3]


def test_line_endings_of_every_system_are_read(write):
    for end in ("\n", "\r\n", "\r"):
        assert data.read(write(end.join(["a,y", "1,2", "3,4"])), target="y")[0].tolist() == [[1], [3]]


finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(derandomize=True, database=None, max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 4).flatmap(lambda d: st.lists(st.lists(finite, min_size=d + 1, max_size=d + 1), min_size=1)))
def test_what_was_written_is_what_is_read(tmp_path_factory, rows):
    text = io.StringIO()
    csv.writer(text).writerows([[f"x{i}" for i in range(len(rows[0]) - 1)] + ["y"], *rows])
    path = tmp_path_factory.getbasetemp() / "round.csv"
    path.write_bytes(text.getvalue().encode())
    X, y = data.read(path, target="y")
    assert X.tolist() == [row[:-1] for row in rows]
    assert y.tolist() == [row[-1] for row in rows]


@pytest.mark.parametrize(
    ("text", "options", "error", "words"),
    [
        ("a,b\n1,2\n", {"target": "bb"}, ValueError, r"data.read\('t.csv'\): expected a column 'bb', got 'a', 'b'; did you mean 'b'\?"),
        ("a;price\n1;2\n", {"target": "price"}, ValueError, "got 'a;price'; its cells are parted by ';': save it with commas"),
        ("a\tprice\n1\t2\n", {"target": "price"}, ValueError, "its cells are parted by"),
        ("a,b\n1,2\n", {"target": "price"}, ValueError, "expected a column 'price', got 'a', 'b'; name one of them"),
        ("a,b\n1,2\n", {"target": "b", "drop": ["c"]}, ValueError, "expected a column 'c'"),
        ("a,a\n1,2\n", {"target": "a"}, ValueError, "got 'a' twice"),
        ("a,city,y\n1,Rome,2\n", {"target": "y"}, ValueError, r"numbers in column 'city', got 'Rome' in line 2; .* drop=\['city'\], --drop city"),
        ("a,y\n1,2\n,3\n", {"target": "y"}, DomainError, "column 'a', got an empty cell in line 3"),
        ("a,y\n1,2\n1,\n", {"target": "y"}, DomainError, "column 'y', got an empty cell in line 3"),
        ("a,y\n1,2\nNA,3\n", {"target": "y"}, DomainError, "column 'a', got 'NA' in line 3; fill it or drop the row"),
        ('a,y\n"1,5",2\n', {"target": "y"}, ValueError, "numbers in column 'a', got '1,5' in line 2; write 1.5, with a point"),
        ("1,2\n3,4\n", {"target": "y"}, ValueError, "a column 'y', got '1', '2'; the first line is to name the columns"),
        ("a,y\n1,2\n", {"target": 1}, ValueError, "expected a column 1, got 'a', 'y'; name one of them"),
        ("a,y\nnan,2\n", {"target": "y"}, DomainError, "finite numbers in column 'a', got 'nan' in line 2"),
        ("a,y\n1,2,3\n", {"target": "y"}, ShapeError, "expected 2 cells, got 3 in line 2"),
        ("a,y\n", {"target": "y"}, ShapeError, "expected a header line and rows, got one line; add"),
        ("", {"target": "y"}, ShapeError, "got nothing; add what is missing"),
        ("a,y\n\n\n1,2\n\nx,3\n", {"target": "y"}, ValueError, "got 'x' in line 6"),
        ('"a\nb",y\n1\n', {"target": "y"}, ShapeError, "expected 2 cells, got 1 in line 3"),
        ("a,y\n1,2.5\n2,N/A\n", {"target": "y"}, ValueError, "numbers alone or text alone in the target 'y', got 'N/A' in line 3"),
        ("a,y\n1,2.5\n2,inf\n", {"target": "y"}, DomainError, "column 'y', got 'inf' in line 3"),
        ("a,y\n" + "1" * 140_000 + ",2\n", {"target": "y"}, ValueError, "expected CSV, got field larger than .* in line 2"),
        (b"a,y\n\xe9,2\n", {"target": "y"}, ValueError, "expected UTF-8, got byte 0xe9"),
        (gzip.compress(b"a,y\n1,2\n", mtime=0)[:-9], {"target": "y"}, ValueError, "expected a whole gzip file, got a damaged one"),
        (b"\x1f\x8b\x08" + bytes(7) + b"\xff" * 20, {"target": "y"}, ValueError, "expected a whole gzip file"),
        ("y\n1\n", {"target": "y"}, ValueError, "expected a column beside 'y'"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(write, text, options, error, words):
    with pytest.raises(error, match=words):
        data.read(write(text), **options)


def test_a_missing_file_is_an_error_of_the_file_system(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.csv"):
        data.read(tmp_path / "nothing.csv", target="y")
