"""Reading a CSV file."""

import gzip

import numpy as np
import pytest

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


def test_a_target_of_text_becomes_labels_in_sorted_order(write):
    assert data.read(write("a,kind\n1,pear\n2,apple\n3,pear\n"), target="kind")[1].tolist() == [1, 0, 1]


def test_columns_can_be_left_out(write):
    assert data.read(write("a,city,y\n1,x,2\n2,z,3\n"), target="y", drop=["city"])[0].shape == (2, 1)


def test_quotes_blank_lines_a_byte_order_mark_and_compression_are_read(write):
    text = b'\xef\xbb\xbf"a",y\n"1",2\n\n3,4\n'
    for path in (write(text), write(gzip.compress(text), "t.csv.gz")):
        assert data.read(path, target="y")[0].tolist() == [[1], [3]]


@pytest.mark.parametrize(
    ("text", "options", "error", "words"),
    [
        ("a,b\n1,2\n", {"target": "bb"}, ValueError, r"data.read\('t.csv'\): expected a column 'bb', got none; did you mean 'b'\?"),
        ("a,b\n1,2\n", {"target": "price"}, ValueError, "there are a, b"),
        ("a,b\n1,2\n", {"target": "b", "drop": ["c"]}, ValueError, "expected a column 'c'"),
        ("a,a\n1,2\n", {"target": "a"}, ValueError, "got 'a' twice"),
        ("a,city,y\n1,Rome,2\n", {"target": "y"}, ValueError, r"numbers in column 'city', got 'Rome' in line 2; .* drop=\['city'\]"),
        ("a,y\n1,2\n,3\n", {"target": "y"}, DomainError, "column 'a', got an empty cell in line 3"),
        ("a,y\n1,2\n1,\n", {"target": "y"}, DomainError, "column 'y', got an empty cell in line 3"),
        ("a,y\nnan,2\n", {"target": "y"}, DomainError, "finite numbers in column 'a', got 'nan' in line 2"),
        ("a,y\n1,2,3\n", {"target": "y"}, ShapeError, "expected 2 cells, got 3 in line 2"),
        ("a,y\n", {"target": "y"}, ShapeError, "expected a header line and rows, got 1 lines"),
        ("y\n1\n", {"target": "y"}, ValueError, "expected a column beside 'y'"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(write, text, options, error, words):
    with pytest.raises(error, match=words):
        data.read(write(text), **options)


def test_a_missing_file_is_an_error_of_the_file_system(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.csv"):
        data.read(tmp_path / "nothing.csv", target="y")
