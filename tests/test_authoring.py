"""The commands for authors: what `check` prints and answers, what `new-plugin` writes, and that it works as it is."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from minigrad import cli, losses
from minigrad.scaffold import new_plugin
from minigrad.testing import check_loss

ROOT = Path(__file__).parents[1]
WRONG = """from minigrad import loss

@loss(grad=lambda pred, target: pred - target)
def half(pred, target):
    return (pred - target) ** 2
"""


@pytest.fixture(autouse=True)
def _isolated():
    with losses.isolated():
        yield


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- check ------------------------------------------------------------------------------------------------------------
def test_check_prints_the_card_and_answers_0(capsys):
    assert cli.main(["check", "huber"]) == 0
    assert capsys.readouterr().out.rstrip("\n") == str(check_loss("huber"))


def test_check_of_a_wrong_loss_answers_1_and_says_what_is_wrong(here, capsys):
    (here / "half.py").write_text(WRONG)
    assert cli.main(["check", "half.py"]) == 1
    out = capsys.readouterr().out
    assert "grad= says" in out
    assert "ratio ½: factor" in out


def test_check_of_several_ends_with_a_summary(here, capsys):
    (here / "half.py").write_text(WRONG)
    assert cli.main(["check", "mse", "half.py"]) == 1
    assert capsys.readouterr().out.endswith("1 of 2 losses is wrong:\n  half:half: gradient\n")
    assert cli.main(["check", "mse", "mae"]) == 0
    assert capsys.readouterr().out.endswith("None of 2 losses is wrong.\n")


def test_check_judges_a_whole_pack(here, capsys):
    (here / "pair.py").write_text(WRONG + WRONG.replace("half", "other").partition("\n")[2])
    losses.add_file("pair.py")
    assert cli.main(["check", "pair:*"]) == 1
    assert capsys.readouterr().out.count("grad= says") == 2


def test_check_gives_numbers_as_json(capsys):
    assert cli.main(["check", "mse", "quantile(quantile=0.9)", "--json", "--rng", "3"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is True
    assert answer["cards"] == [check_loss(name, rng=3).to_dict() for name in ("mse", "quantile(quantile=0.9)")]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("hubr", "no loss called 'hubr'; did you mean 'huber'?"),
        ("missing.py", "missing.py', which does not exist"),
        ("robst:*", "there is no pack 'robst'"),
        ("huber(delta=-1)", "expected delta > 0, got -1.0"),
        ("huber(", "expected the text of a loss"),
    ],
)
def test_what_is_no_loss_answers_2_and_a_way_out(here, capsys, word, said):
    assert cli.main(["check", word]) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert out == ""


def test_a_file_that_fails_to_load_answers_2_and_names_the_line(here, capsys):
    (here / "bad.py").write_text("import minigrad\nraise KeyError('nothing')\n")
    assert cli.main(["check", "bad.py"]) == 2
    assert "bad.py:2" in capsys.readouterr().err


def test_no_line_of_any_card_is_wider_than_80_columns(here, capsys):
    name = "a" * 40
    (here / "wide.py").write_text(
        f'from minigrad import loss\n\n@loss\ndef {name}(pred, target):\n    """{"word " * 80}"""\n'
        "    raise ValueError('x' * 300)\n"
    )
    assert cli.main(["check", "huber", "gaussian_nll", "bce_with_logits", "nll", "wide.py"]) == 1
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_a_card_is_readable_on_a_terminal_that_knows_ascii_alone():
    said = subprocess.run(
        [sys.executable, "-m", "minigrad.cli", "check", "mae"],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stderr == ""
    assert "-1 and 1 at r = 0 (target 0): a kink   + measured and claimed" in said.stdout


# --- new-plugin -------------------------------------------------------------------------------------------------------
def test_new_plugin_writes_a_package_and_says_what_comes_next(here, capsys):
    assert cli.main(["new-plugin", "heavy-tails"]) == 0
    written = sorted(str(p.relative_to(here)) for p in here.rglob("*") if p.is_file())
    assert written == [
        "minigrad-heavy-tails/.github/workflows/test.yml",
        "minigrad-heavy-tails/README.md",
        "minigrad-heavy-tails/minigrad_heavy_tails.py",
        "minigrad-heavy-tails/pyproject.toml",
        "minigrad-heavy-tails/tests/test_heavy_tails.py",
    ]
    out = capsys.readouterr().out
    assert all(path in out for path in written)
    assert 'minigrad check "heavy_tails:*"' in out


def test_a_single_file_is_right_as_it_is(here, capsys):
    assert cli.main(["new-plugin", "mine", "--single-file"]) == 0
    assert cli.main(["check", "mine.py"]) == 0
    assert "mine:pseudo_huber(delta=1.0)" in capsys.readouterr().out


def test_no_pack_depends_on_a_distribution_of_another_project(here):
    new_plugin("mine", here)
    texts = [path.read_text() for path in here.rglob("*") if path.is_file()]
    assert not any("pip install minigrad" in text for text in texts)
    assert 'dependencies = ["numpy>=2.0"]' in (here / "minigrad-mine" / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "expected a name of up to 30 lower-case letters, digits, - and _, got ''"),
        ("../x", "got '../x'"),
        ("Tails", "got 'Tails'"),
        ("x" * 31, "expected a name"),
        ("minigrad", "expected a free name, got 'minigrad', which is minigrad's own"),
        ("here", "which is minigrad's own"),
    ],
)
def test_a_name_that_no_pack_can_have_is_refused(here, capsys, name, said):
    assert cli.main(["new-plugin", name]) == 2
    assert said in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_a_single_file_never_hides_a_module_of_python(here, capsys):
    assert cli.main(["new-plugin", "random", "--single-file"]) == 2
    assert "which is a module of Python" in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--single-file"]])
def test_what_is_there_is_never_overwritten(here, capsys, more):
    assert cli.main(["new-plugin", "mine", *more]) == 0
    before = {p: p.read_text() for p in here.rglob("*") if p.is_file()}
    assert cli.main(["new-plugin", "mine", *more]) == 2
    assert "exists here already; choose another name, or remove it" in capsys.readouterr().err
    assert {p: p.read_text() for p in here.rglob("*") if p.is_file()} == before


def test_when_writing_fails_nothing_is_left(here, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        new_plugin("mine", here)
    assert list(here.iterdir()) == []


@pytest.mark.slow
def test_a_new_pack_installs_passes_its_test_is_judged_and_compared_in_a_fresh_environment(tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    tools = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MINIGRAD", "VIRTUAL"))}
    clean |= {"MPLBACKEND": "Agg", "PATH": f"{tools}{os.pathsep}{clean['PATH']}"}

    def run(*words, cwd=tmp_path):
        done = subprocess.run(words, cwd=cwd, env=clean, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    run("python", "-m", "pip", "install", "--quiet", str(ROOT), "pytest")
    run("minigrad", "new-plugin", "heavy-tails")
    pack = tmp_path / "minigrad-heavy-tails"
    run("python", "-m", "pip", "install", "--quiet", ".", cwd=pack)
    assert "1 passed" in run("python", "-m", "pytest", "-q", "-W", "error", cwd=pack)
    assert "0 ✗" in run("minigrad", "check", "heavy_tails:*")
    short = ["--data", "diabetes", "--seeds", "2", "--epochs", "2", "--lrs", "0.01", "--jobs", "1"]
    table = run("minigrad", "compare", "mse", "pseudo_huber(delta=0.5)", *short, "--out", "c.png")
    assert "heavy_tails:pseudo_huber(delta=0.5)" in " ".join(table.split())
    run("minigrad", "new-plugin", "mine", "--single-file")
    assert "mine:pseudo_huber" in run("minigrad", "check", "mine.py")
