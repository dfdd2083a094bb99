"""200 packs whose import raises: who uses built-in losses does not even touch them."""

import os
import subprocess
import sys
import textwrap

import pytest

from tests.losses.packs import install

WATCHED = """
import sys

def watch(event, arguments):
    if event == "open" and {folder!r} in str(arguments[0]):
        print("touched", arguments[0])

sys.path.insert(0, {folder!r})
sys.addaudithook(watch)
import importlib.metadata
"""


def run(code, folder, **environment):
    variables = {k: v for k, v in os.environ.items() if not k.startswith("MINIGRAD")}
    python = [sys.executable, "-c", WATCHED.format(folder=str(folder)) + textwrap.dedent(code)]
    done = subprocess.run(python, capture_output=True, text=True, check=False, timeout=120, env=variables | environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def broken_crowd(tmp_path_factory):
    """200 packs that write a file when imported, and raise."""
    folder = tmp_path_factory.mktemp("broken")
    for i in range(200):
        canary = f"open({str(folder / 'canary')!r}, 'a').write('{i}\\n')\nraise RuntimeError('broken {i}')"
        install(folder, f"broken{i:03}", canary)
    return folder


USE = """
def no(*arguments, **options):
    raise AssertionError("metadata were scanned")

scan, importlib.metadata.distributions = importlib.metadata.distributions, no
import minigrad
from minigrad import losses
import numpy as np
loss = losses.get("mse") + losses.get("0.5 * huber(delta=2)")
losses.get("minigrad:mae"), losses.names("minigrad")
losses.register(loss.named("blend"))
assert losses.get("blend") == losses.get("here:blend")
model = minigrad.MLP(2, 3, 1, rng=0)
history = minigrad.fit(model, (np.ones((4, 2)), np.ones(4)), loss=loss, epochs=2, rng=0)
print(b"".join(p.data.tobytes() for p in model.parameters()).hex())
"""


def test_200_broken_packs_are_not_even_looked_at_by_those_who_use_built_in_losses(broken_crowd, tmp_path):
    with_packs, without = run(USE, broken_crowd), run(USE, tmp_path)
    assert "touched" not in with_packs
    assert with_packs == without  # the trained parameters, bit for bit
    assert not (broken_crowd / "canary").exists()


def test_200_broken_packs_are_200_lines_and_no_more(broken_crowd):
    try:
        answer = run(
            """
            from minigrad import losses
            from minigrad.engine.errors import PluginError, UnknownLossError
            try:
                losses.get("tukey")
            except UnknownLossError as error:
                assert "200 broken plugins, see" in str(error), error
                assert len(str(error)) < 250, error
            for i, problem in enumerate(losses.problems()):
                assert problem.message.startswith(f"the pack 'broken{i:03}' (minigrad-broken{i:03} 1.0) failed to load")
                assert f"RuntimeError: broken {i}" in problem.traceback
            print(len(losses.problems()), not [name for name in losses.names() if "broken" in name])
            """,
            broken_crowd,
        )
        assert answer.splitlines()[-1] == "200 True"
        assert len((broken_crowd / "canary").read_text().split()) == 200  # each was imported once
    finally:
        (broken_crowd / "canary").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("listed", "run_these"), [("", []), ("broken007", ["7"]), (" broken007 , broken011,", ["7", "11"])]
)
def test_the_allow_list_acts_before_import(broken_crowd, listed, run_these):
    answer = run(
        """
        from minigrad import losses
        losses.names()
        for name in ("tukey", "broken100:tukey"):
            try:
                losses.get(name)
            except LookupError as error:
                print(error)
        """,
        broken_crowd,
        MINIGRAD_PLUGINS=listed,
    )
    canary = broken_crowd / "canary"
    try:
        assert (canary.read_text().split() if canary.exists() else []) == run_these
        assert f"MINIGRAD_PLUGINS={listed!r} leaves other packs out" in answer
        assert f"the pack 'broken100' (minigrad-broken100 1.0) is left out by MINIGRAD_PLUGINS={listed!r}" in answer
    finally:
        canary.unlink(missing_ok=True)


@pytest.mark.parametrize("asked", ["--version", "--help", "losses mse"])
def test_what_the_command_says_of_itself_and_of_built_in_losses_imports_no_pack(broken_crowd, asked):
    answer = run(
        f"""
        import contextlib
        from minigrad import cli
        with contextlib.suppress(SystemExit):
            assert cli.main({asked.split()!r}) == 0
        """,
        broken_crowd,
    )
    assert "minigrad" in answer or "mse" in answer
    assert "touched" not in answer
    assert not (broken_crowd / "canary").exists()
