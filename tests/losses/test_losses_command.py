"""`minigrad losses`: what there is, whose it is, what is broken and why."""

import re

import pytest

from minigrad import cli, losses
from minigrad.errors import UnknownLossError
from tests.losses.packs import good, install

EVIL = """
    from minigrad import hookimpl, loss

    @loss
    def f(pred, target, *, mode="[red]\\x1b[31m", weights=None):
        '''A docstring with [bold]markup[/bold], \\x1b[2J and \\u202e.'''
        return pred - target

    @hookimpl
    def minigrad_losses():
        return [f]
"""
LATE = "from minigrad import loss\n@loss\ndef late(pred, target, *, by=5.0):\n    return by * abs(pred - target)\n"


@pytest.fixture
def listed(site, capsys, monkeypatch):
    """What the command prints at 80 columns: its lines, and the same in one line without spaces."""

    def run(*arguments, status=0, columns=80):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert cli.main(["losses", *arguments]) == status
        captured = capsys.readouterr()
        text = captured.out if status == 0 else captured.err
        assert all(c.isprintable() or c == "\n" for c in text)
        assert all(len(line) <= columns for line in text.splitlines()) or status
        return text

    return run


def joined(text):
    return "".join(text.split())


def row(text, name):
    """The line of the listing that begins with a name."""
    return next(line for line in text.splitlines() if line.split()[:1] == [name])


def test_every_built_in_loss_is_a_line_with_its_kinds_and_parameters(listed):
    text = listed()
    for name in losses.names("minigrad"):
        assert "built in" in row(text, name)
    assert "real ← real" in row(text, "huber")
    assert "delta=1.0" in row(text, "huber")
    assert "broken" not in text


def test_losses_of_packs_and_files_are_listed_with_who_offers_them(listed, site, tmp_path):
    install(site, "robust", good("tukey"), version="1.2")
    (tmp_path / "my_loss.py").write_text(LATE)
    text = listed("--plugin", str(tmp_path / "my_loss.py"))
    assert row(text, "robust:tukey").split()[-2:] == ["minigrad-robust", "1.2"]
    assert row(text, "my_loss:late").split()[-1] == "my_loss.py"


def test_what_a_bare_name_leads_to_is_said_where_it_leads_elsewhere(listed, site, tmp_path):
    for pack, name in [("vision", "mse"), ("one", "tukey"), ("two", "tukey"), ("three", "late")]:
        install(site, pack, good(name))
    (tmp_path / "own.py").write_text(LATE)
    text = joined(listed("--plugin", str(tmp_path / "own.py")))
    assert "minigrad-vision1.0msealoneisbuiltin" in text
    assert text.count("tukeyaloneisambiguous") == 2
    assert "minigrad-three1.0latealoneisown:late" in text
    assert text.count("alone") == 4


def test_what_is_broken_is_a_line_that_says_why_and_the_command_succeeds(listed, site):
    install(site, "bad", "import no_such_cv2", version="0.4")
    install(site, "worse", "x = (\n")
    text = listed()
    assert (
        "broken  the pack 'bad' (minigrad-bad 0.4) failed to load: No module named\n        'no_such_cv2' (pack_bad.py:1)\n"
        in text
    )
    assert "SyntaxError:'('wasneverclosed(pack_worse.py:1)" in joined(text)
    assert "built in" in row(text, "mse")


def test_200_broken_packs_are_listed_each(listed, site):
    for i in range(200):
        install(site, f"broken{i:03}", "1 / 0")
    assert listed().count("broken  the pack 'broken") == 200


def test_nothing_from_a_plugin_colours_or_moves_the_terminal(listed, site):
    install(site, "evil", EVIL, distribution="minigrad-[red]evil")
    install(site, "loud", "raise ValueError('[red]\\x1b[31m[/red]\\n\\u202e')")
    text = listed()
    assert "mode='[red]\\x1b[31m'" in text
    assert "minigrad-[red]evil" in row(text, "evil:f")
    assert "ValueError:[red]\\x1b[31m[/red]\\u202e" in joined(text)
    text = listed("evil:f")
    assert "[bold]markup[/bold], \\x1b[2J and \\u202e." in text
    assert "from minigrad-[red]evil 1.0" in text


def test_one_loss_is_shown_in_full(listed):
    text = listed("huber")
    assert text.startswith(
        "huber   real ← real   built in\nclosed form, claims convex symmetric\n\nSquared near the target"
    )
    assert "    delta: where the parabola becomes a line" in text
    assert ">>> huber([3.0], [0.0]).item()\n2.5\n" in text


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_every_loss_fits_the_terminal(columns, listed):
    listed(columns=columns)
    for name in losses.names("minigrad"):
        assert listed(name, columns=columns)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hubre", "minigrad: UnknownLossError: no loss called 'hubre'; did you mean 'huber'?"),
        ("l1_loss", "minigrad: UnknownLossError: no loss called 'l1_loss'; here it is mae"),
        ("bad:x", "minigrad: PluginError: the pack 'bad' (minigrad-bad 1.0) failed to load: ZeroDivisionError"),
        ("tukey", "minigrad: PluginError: the name 'tukey' is offered twice: one:tukey"),
        ("huber(", "minigrad: ValueError: losses.get: expected the text of a loss, got 'huber('"),
        ("\x1b[31m", "minigrad: UnknownLossError: no loss called '\\x1b[31m'"),
    ],
)
def test_a_loss_that_cannot_be_had_is_one_paragraph_on_stderr(name, text, listed, site):
    install(site, "bad", "1 / 0")
    install(site, "one", good("tukey"))
    install(site, "two", good("tukey"))
    error = listed(name, status=2)
    assert error.startswith(text)
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (None, "does not exist"),
        (
            "x = (\n",
            "minigrad: PluginError: the file 'own.py' failed to load: SyntaxError: '(' was never closed (own.py:1)",
        ),
        ("x = 1", "minigrad: PluginError: the file 'own.py': expected a loss, found none; put @loss above a function"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_paragraph_on_stderr(source, text, listed, tmp_path):
    if source is not None:
        (tmp_path / "own.py").write_text(source)
    error = listed("--plugin", str(tmp_path / "own.py"), status=2)
    assert text in error
    assert len(error.splitlines()) == 1


def test_a_name_of_usual_length_stands_in_one_piece_so_that_it_can_be_copied(listed, site):
    install(site, "probabilistic", good("negative_binomial"))
    assert "minigrad-probabilistic" in joined(listed())
    assert row(listed(), "probabilistic:negative_binomial")


def test_a_slip_in_the_list_of_packs_is_named(listed, site, monkeypatch):
    install(site, "robust", good("tukey"))
    monkeypatch.setenv("MINIGRAD_PLUGINS", "robst, cost")
    said = "otherpackswereleftout;nopackiscalled'robst'(didyoumean'robust'?),'cost'"
    assert said in joined(listed())
    text = "MINIGRAD_PLUGINS='robst, cost' leaves other packs out; no pack is called 'robst' (did you mean 'robust'?), 'cost'"
    with pytest.raises(UnknownLossError, match=re.escape(text)):
        losses.get("tukey")
    monkeypatch.setenv("MINIGRAD_PLUGINS", " robust ,")
    assert listed().rstrip().endswith("other packs were left out")


def test_without_packs_none_runs_and_it_is_said(listed, site, monkeypatch, tmp_path):
    install(site, "canary", f"open({str(tmp_path / 'canary')!r}, 'w')")
    monkeypatch.setenv("MINIGRAD_PLUGINS", "")
    assert "MINIGRAD_PLUGINS='': other packs were left out" in listed()
    assert not (tmp_path / "canary").exists()
