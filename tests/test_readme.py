"""The README runs as written."""

import re
from pathlib import Path

import matplotlib as mpl
import pytest

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=[f"block {i}" for i in range(1, len(BLOCKS) + 1)])
def test_every_python_block_runs_as_written(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    exec(compile(block, str(README), "exec"), {"__name__": "readme"})
    if "savefig" in block:
        assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")


def test_the_first_block_reaches_what_it_promises(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(BLOCKS[0], str(README), "exec"), names)
    assert "accuracy" in capsys.readouterr().out
    result = names["evaluate"](names["model"], names["test"], loss="cross_entropy", metrics=["accuracy"])
    assert result["accuracy"] > 0.95


def test_the_two_commands_are_those_that_are_tested():
    commands = re.findall(r"^python -m pip .*$", TEXT, re.MULTILINE)
    assert commands == [
        "python -m pip install . && minigrad compare",
        "python -m pip install -r requirements-dev.txt && python -m pytest",
    ]
    script = (README.parent / ".ci" / "run").read_text(encoding="utf-8")
    assert all(command in script for command in commands)


def test_every_link_and_picture_leads_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        if not target.startswith("http"):
            assert (README.parent / target).exists(), target


@pytest.mark.parametrize("page", [".github/SECURITY.md", "docs/trust.md"])
def test_the_tests_that_are_said_to_hold_a_promise_are_there(page):
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", (README.parent / page).read_text(encoding="utf-8")))
    assert len(named) >= 10
    assert [path for path in sorted(named) if not (README.parent / path).is_file()] == []
