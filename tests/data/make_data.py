"""Makes the shipped data sets from scikit-learn's copies: `python tests/data/make_data.py`. Run once; kept for anyone."""

import csv
import gzip
import io
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "minigrad" / "data"


def write(name, header, rows):
    """One gzip file, the same bytes every time."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    with (FOLDER / f"{name}.csv.gz").open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(text.getvalue().encode())


def shortest(value):
    """An integer without a point, any other number as repr gives it."""
    return int(value) if float(value).is_integer() else float(value)


def main():
    """Write all three."""
    from sklearn import datasets  # here, so that the tests can look at this file without scikit-learn

    cancer = datasets.load_breast_cancer()
    names = [name.replace(" ", "_") for name in cancer.feature_names]
    rows = [[*map(shortest, x), 1 - y] for x, y in zip(cancer.data, cancer.target, strict=True)]  # there benign = 1
    write("breast_cancer", [*names, "malignant"], rows)
    digits = datasets.load_digits()
    rows = [[*x.astype(int), y] for x, y in zip(digits.data, digits.target, strict=True)]
    write("digits", [*[f"pixel_{i // 8}_{i % 8}" for i in range(64)], "digit"], rows)
    diabetes = datasets.load_diabetes(scaled=False)
    rows = [[*map(shortest, x), shortest(y)] for x, y in zip(diabetes.data, diabetes.target, strict=True)]
    write("diabetes", [*diabetes.feature_names, "progression"], rows)
    print({path.name: path.stat().st_size for path in FOLDER.glob("*.gz")})


if __name__ == "__main__":
    main()
