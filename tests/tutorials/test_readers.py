"""A lesson at a terminal, cell by cell in an editor, and from the command line."""

import os
import select
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tests.tutorials.running import CUSTOM, FACTS, LESSONS, ROOT, environment, home

pty = pytest.importorskip("pty")  # there is none on Windows
FIRST = next(path for path in LESSONS if path.stem == "01_first_run")
LIMIT = 240  # seconds, against hanging


def at_a_terminal(path, answers, folder):
    """Run a lesson in a pseudo-terminal; each answer is typed when it is asked for. Returns all that was shown."""
    parent, child = pty.openpty()
    reader = subprocess.Popen([sys.executable, "-W", "error", str(path)], cwd=folder, env=environment(home()),
                              stdin=child, stdout=child, stderr=child, close_fds=True)  # fmt: skip
    os.close(child)
    shown, waiting, until = b"", list(answers), time.monotonic() + LIMIT
    while time.monotonic() < until:
        if select.select([parent], [], [], 1)[0]:
            try:
                shown += os.read(parent, 4096)
            except OSError:  # the other end is closed
                break
            if waiting and shown.endswith(b"(Enter to skip): "):
                os.write(parent, waiting.pop(0).encode() + b"\n")
    os.close(parent)
    assert reader.wait(10) == 0, shown.decode()
    return shown.decode()


def test_a_reader_at_a_terminal_is_asked_may_skip_and_sees_the_guess_beside_the_truth(tmp_path):
    shown = at_a_terminal(FIRST, ["1", ""], tmp_path)
    assert shown.count("your guess (Enter to skip): ") == 2
    assert "you said 1\r\n" in shown
    assert shown.count("you said") == 1
    assert "open: replace ... by your answer" in shown


def test_a_guess_in_words_is_passed_over(tmp_path):
    shown = at_a_terminal(FIRST, ["many", "95 %"], tmp_path)
    assert "that is no number; the lesson goes on without a guess" in shown
    assert "you said 95.0 %" in shown


EDITOR = """
import sys
sys.argv = ["kernel", "-f", "connection.json", "--ip=127.0.0.1"]
from pathlib import Path
from tests.tutorials.running import cells
space = {"__name__": "__main__"}
for kind, text in cells(Path(sys.argv0).read_text(encoding="utf-8")):
    if kind == "code":
        exec(compile(text, "cell", "exec"), space)
assert "__file__" not in space
"""
BACKEND = """
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib import _pylab_helpers

class FigureManager(FigureManagerBase):
    @classmethod
    def pyplot_show(cls, *, block=None):
        print("SHOWN", len(_pylab_helpers.Gcf.get_all_fig_managers()))

class FigureCanvas(FigureCanvasAgg):
    manager_class = FigureManager
"""


@pytest.mark.parametrize("path", [FIRST, *(pytest.param(p, marks=pytest.mark.slow) for p in LESSONS if p != FIRST)],
                         ids=lambda path: path.stem)  # fmt: skip
def test_cells_run_one_after_the_other_in_an_editor_and_show_each_figure_once(path, tmp_path):
    (tmp_path / "watching.py").write_text(BACKEND, encoding="utf-8")
    env = environment(home(), MPLBACKEND="module://watching", TMPDIR=str(tmp_path))
    env["PYTHONPATH"] += os.pathsep + str(tmp_path)
    code = EDITOR.replace("sys.argv0", repr(str(path)))
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, env=env, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=LIMIT, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("SHOWN") == len(FACTS[path.stem]["figures"]) > 0
    assert done.stdout.count("SHOWN") == done.stdout.count("SHOWN 1")


def command(*arguments, cwd, env):
    code = "import sys; from minigrad.cli import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-W", "error", "-c", code, "tutorial", *arguments], cwd=cwd, env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT, check=False)  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The package as a wheel unpacks it, and nothing of the repository."""
    builder = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(ROOT))
    folder = tmp_path_factory.mktemp("wheel")
    wheel = next(iter(builder.build(directory=str(folder), versions=["standard"])))
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


@pytest.mark.parametrize("place", ["the repository", "a wheel"])
def test_the_command_lists_copies_and_runs_the_lessons_of(place, request, tmp_path):
    site = ROOT if place == "the repository" else request.getfixturevalue("installed")
    (tmp_path / "sitecustomize.py").write_text(CUSTOM, encoding="utf-8")
    env = environment(home()) | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(site)])}
    listed = command(cwd=tmp_path, env=env)
    assert [line[:2] for line in listed.stdout.splitlines() if line[:2].strip()] == [p.stem[:2] for p in LESSONS]
    assert command("copy", "1", cwd=tmp_path, env=env).returncode == 0
    assert (tmp_path / FIRST.name).read_bytes() == FIRST.read_bytes()
    done = command("run", "1", "--out", "here", "--rng", "3", cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert {"facts.json", "history_bce.png"} <= {p.name for p in Path(tmp_path, "here").iterdir()}


def test_a_lesson_that_is_not_there_is_said(tmp_path):
    done = command("run", "77", cwd=tmp_path, env=environment(home()))
    assert done.returncode == 2
    assert "expected the number of a lesson, " in done.stderr
    assert "got '77'; see the list" in done.stderr
