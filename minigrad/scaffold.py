"""What `minigrad new-plugin` writes: a pack with one loss that works as it is, to be replaced by the author's own."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

NAME = re.compile(r"[a-z][a-z0-9_-]{0,29}")
TAKEN = ("minigrad", "here")  # what is built in, and what a process registered

MODULE = '''"""{purpose}"""

from typing import Annotated

import numpy as np

from minigrad import {imports}
from minigrad.losses import positive


def _slope(pred, target, *, delta):
    r = pred - target
    return r / np.sqrt(1 + (r / delta) ** 2)


@loss(pred="real", target="real", kinks=(), claims="convex symmetric", grad=_slope)
def pseudo_huber(
    pred,
    target,
    *,
    delta: Annotated[float, positive, "where the parabola goes over into a line, in units of the target"] = 1.0,
):
    """Squared near the target, absolute far from it, and smooth between: one outlier pulls with at most delta.

    r²/(1 + √(1 + (r/δ)²)) with r = pred − target, which is δ²(√(1 + (r/δ)²) − 1) without cancellation; slope
    r/√(1 + (r/δ)²). For small r it is ½ mse.

    Args:
        pred: any shape, in the unit of the target.
        target: the same shape, finite.
        delta: δ > 0, in the unit of the target.

    Returns:
        One value per entry, the unit squared.

    >>> round(pseudo_huber([2.0], [0.0]).item(), 6)
    1.236068

    Charbonnier 1994, doi:10.1109/ICIP.1994.413553.
    """
    r = pred - target
    return r * (r / (1 + np.sqrt(1 + (r / delta) ** 2)))
'''

HOOK = '''

@hookimpl
def minigrad_losses():
    """The losses of this pack: whoever installs it uses them by name."""
    return [pseudo_huber]
'''

PYPROJECT = """[build-system]
requires = ["hatchling>=1.24"]
build-backend = "hatchling.build"

[project]
name = "minigrad-{dashed}"
version = "0.1.0"
description = "Losses for minigrad: {pack}."
readme = "README.md"
requires-python = ">=3.11"
# minigrad is needed too, and installed by hand: its name on the package index is another project's.
dependencies = ["numpy>=2.0"]

[project.entry-points.minigrad]
{pack} = "minigrad_{pack}"

[tool.hatch.build.targets.wheel]
only-include = ["minigrad_{pack}.py"]

[tool.pytest.ini_options]
addopts = ["--import-mode=importlib"]
testpaths = ["tests"]
"""

TEST = '''"""Every loss of the pack is what it says it is."""

import pytest

from minigrad.testing import check_loss, names


@pytest.mark.parametrize("name", names("{pack}"))
def test_the_loss_is_what_it_says(name):
    assert check_loss(name).ok, check_loss(name)
'''

README = """# minigrad-{dashed}

Losses for minigrad. Install minigrad, then this pack:

```
python -m pip install .
```

and its losses are there by name:

```
minigrad check "{pack}:*"
minigrad compare mse {pack}:pseudo_huber --data diabetes
```

```python
from minigrad import MLP, data, fit

train, test = data.load("diabetes", rng=0)
fit(MLP(10, 16, 1, rng=0), train, loss="{pack}:pseudo_huber", epochs=5)
```

| when | use | because |
|---|---|---|
| a few targets are far off, the slope is to be smooth | `pseudo_huber(delta=d)` | an outlier pulls with at most d |

The losses are in `minigrad_{pack}.py`: a loss is a function of `(pred, target)` that returns one value per sample, in
plain NumPy. Replace `pseudo_huber` by your own, and let `minigrad check minigrad_{pack}.py` say what it is and
whether it is right. The tests are `python -m pip install . pytest && python -m pytest`.
"""

WORKFLOW = """name: test
on: [push, pull_request]
permissions:
  contents: read
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {{python-version: "3.x"}}
      # The repository's variable MINIGRAD says where minigrad comes from, in words that pip understands.
      - run: python -m pip install "${{{{ vars.MINIGRAD }}}}" . pytest
      - run: python -m pytest
      - run: minigrad check "{pack}:*"
"""


def new_plugin(name: str, folder: Path, *, single_file: bool = False) -> list[Path]:
    """Write a pack, or a single file, that works without an edit.

    Args:
        name: of the pack, in lower-case letters, digits, - and _.
        folder: where `minigrad-NAME/`, or `NAME.py`, is to be; it must exist.
        single_file: one Python file instead of a package.

    Returns:
        What was written, relative to `folder`.

    Raises:
        ValueError: a name that no pack can have.
        FileExistsError: it is there already; nothing is overwritten.
    """
    pack = _checked(name, single_file)
    target = folder / (f"{pack}.py" if single_file else f"minigrad-{pack.replace('_', '-')}")
    if target.exists():
        raise FileExistsError(f"new-plugin: {target.name} exists here already; choose another name, or remove it")
    files = _contents(pack, single_file)
    if single_file:
        with target.open("x", encoding="utf-8") as file:
            file.write(files[target.name])
        return [Path(target.name)]
    _write_whole(target, files)
    return [Path(target.name, path) for path in files]


def _checked(name: str, single_file: bool) -> str:
    """The name of the pack, as it is written before the colon."""
    if not NAME.fullmatch(name):
        raise ValueError(
            f"new-plugin: expected a name of up to 30 lower-case letters, digits, - and _, got {name!r:.60}; for "
            "example tails"
        )
    pack = name.replace("-", "_")
    if pack in TAKEN or (single_file and pack in sys.stdlib_module_names):
        whose = "minigrad's own" if pack in TAKEN else "a module of Python"
        raise ValueError(f"new-plugin: expected a free name, got {name!r}, which is {whose}; choose another")
    return pack


def _contents(pack: str, single_file: bool) -> dict[str, str]:
    """The files by path."""
    if single_file:
        return {f"{pack}.py": MODULE.format(purpose="Losses in one file.", imports="loss")}
    words = {"pack": pack, "dashed": pack.replace("_", "-")}
    module = MODULE.format(purpose=f"Losses for minigrad: {pack}.", imports="hookimpl, loss") + HOOK
    return {
        "pyproject.toml": PYPROJECT.format(**words),
        f"minigrad_{pack}.py": module,
        f"tests/test_{pack}.py": TEST.format(**words),
        "README.md": README.format(**words),
        ".github/workflows/test.yml": WORKFLOW.format(**words),
    }


def _write_whole(target: Path, files: dict[str, str]) -> None:
    """A folder with all its files, or nothing."""
    draft = Path(tempfile.mkdtemp(dir=target.parent, prefix=".new-plugin-"))
    try:
        for path, text in files.items():
            (draft / path).parent.mkdir(parents=True, exist_ok=True)
            (draft / path).write_text(text, encoding="utf-8")
        draft.chmod(0o777 & ~_umask())
        os.rename(draft, target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
