"""What several commands read in the same way: data, losses, the place of a file that is to be written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from minigrad import losses


def add_data(parser: Any, otherwise: str) -> None:
    """The arguments that say which data: a shipped set, or a CSV file, its target and what to leave out."""
    parser.add_argument("--data", help=f"digits, diabetes, breast_cancer, or a CSV file{otherwise}")
    parser.add_argument("--target", help="the column of the file to predict")
    parser.add_argument("--drop", nargs="*", default=[], metavar="COLUMN", help="columns of the file to leave out")


def is_file(data: str) -> bool:
    """Whether data are meant as a file, and not as the name of a shipped set."""
    return data.endswith((".csv", ".csv.gz")) or os.sep in data


def titled(name: str) -> str:
    """The name of a shipped set as a title."""
    return name.replace("_", " ").capitalize()


def meant(word: str) -> list[str]:
    """The names of the losses that a word stands for: itself, or all that a Python file defines."""
    return losses.add_file(word) if word.endswith(".py") or os.sep in word else [word]


def check_folder(command: str, out: str) -> None:
    """A file that is to be written needs a folder that is there."""
    folder = Path(out).absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{command}: expected --out in a folder that exists, got {out!r}; make {str(folder)!r}")
