"""The command line: what it prints, and how it refuses."""

import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from minigrad import cli


@pytest.fixture
def prices(tmp_path):
    """A CSV file: price = 3·rooms + noise, with a column of text."""
    rng = np.random.default_rng(0)
    rooms = rng.uniform(1, 6, 60)
    rows = [
        f"{r:.3f},{3 * r + 0.1 * e:.3f},{'abc'[i % 3]}"
        for i, (r, e) in enumerate(zip(rooms, rng.standard_normal(60), strict=True))
    ]
    path = tmp_path / "prices.csv"
    path.write_text("\n".join(["rooms,price,city", *rows]))
    return path


def quick(path, *more):
    return ["compare", "huber", "mae", "--data", str(path), "--target", "price", "--drop", "city", "--seeds", "2",
            "--epochs", "2", "--lrs", "0.01", "--jobs", "1", *more]  # fmt: skip


def test_compare_reads_a_file_prints_a_table_and_writes_a_figure(prices, tmp_path, capsys):
    assert cli.main(quick(prices, "--out", str(tmp_path / "c.png"))) == 0
    out = capsys.readouterr().out
    assert "constant" in out
    assert "2 seeds cannot show a difference; 6 are needed" in out
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_compare_writes_numbers_instead_of_a_figure_when_asked(prices, tmp_path):
    assert cli.main(quick(prices, "--out", str(tmp_path / "c.json"))) == 0
    assert json.loads((tmp_path / "c.json").read_text())["losses"] == ["huber", "mae"]


def test_nothing_printed_is_wider_than_80_columns(prices, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    cli.main(quick(prices, "--out", str(tmp_path / "c.csv")))
    cli.main(["losses"])
    assert max(len(line) for line in capsys.readouterr().out.splitlines() if str(tmp_path) not in line) <= 80


def test_alone_it_shows_what_there_is(capsys):
    assert cli.main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: minigrad [-h] [--version] COMMAND ...")
    assert all(command in err for command in ("compare", "losses", "check", "new-plugin", "explore", "tutorial"))


def test_losses_lists_every_built_in_and_whose_it_is(capsys):
    assert cli.main(["losses"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("mse", "mae", "huber", "cross_entropy", "bce_with_logits", "built in"))


def test_losses_shows_one_loss_in_full(capsys):
    assert cli.main(["losses", "huber"]) == 0
    out = capsys.readouterr().out
    assert "closed form" in out
    assert "½r²" in out


def test_a_file_is_a_plugin(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(
        "import numpy as np\nfrom minigrad import loss\n@loss\ndef late(pred, target):\n    return np.abs(pred - target)\n"
    )
    assert cli.main(["losses", "mine:late", "--plugin", str(path)]) == 0
    assert "mine:late" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["comapre"], "did you mean 'compare'?"),
        (["compare", "mse", "--lr", "abc"], "minigrad compare: "),
        (["check"], "minigrad check: expected LOSS, got none; `minigrad check --help` shows how"),
        (["compare", "mse", "--sedes", "3"], "minigrad compare: no option '--sedes'; did you mean '--seeds'?"),
        (["compare", "mse", "--seeds", "0"], "expected --seeds of at least 1, got 0"),
        (["compare", "mse", "--jobs", "0"], "expected --jobs of at least 1, got 0"),
        (["compare", "--resume", "runs.jsonl"], "expected one study for --resume runs.jsonl; name the losses"),
        (["compare", "mse", "--data", "digits", "--target", "y"], "--target goes with a CSV file, got --data digits"),
        (["compare", "mse_los", "mae"], "did you mean 'mse'?"),
        (["compare", "mse", "mae", "--data", "nothing.csv", "--target", "y"], "nothing.csv"),
        (["compare", "mse", "mae", "--data", "nothing.csv"], "expected --target"),
        (["compare", "mse", "mae", "--out", "no/such/folder/c.png"], "expected --out in a folder that exists"),
        (["compare", "--data", "digits"], "expected losses to compare"),
        (["compare", "mse", "--out", "c.xyz"], "expected --out to end in .png, .svg, .pdf, .json, .csv, got 'c.xyz'"),
        (["compare", "--out", "c.json"], "expected one study for c.json"),
        (["compare", "mse", "--lrs", "a,1"], "expected numbers such as 1e-3,1e-2, got 'a,1'"),
        (["compare", "mse", "--model", "3-x-1"], "expected layer sizes such as 64-64-10, got '3-x-1'"),
        (["losses", "hubre"], "did you mean 'huber'?"),
        (["losses", "--plugin", "nothing.py"], "does not exist"),
        (["tutorial", "run", "99"], "expected the number of a lesson"),
    ],
)
def test_bad_input_ends_with_status_2_and_one_paragraph(arguments, text, capsys):
    try:
        status = cli.main(arguments)
    except SystemExit as stop:
        status = stop.code
    error = capsys.readouterr().err
    assert status == 2
    assert text in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1


def test_six_seeds_print_an_interval(prices, tmp_path, capsys):
    asked = quick(prices, "--out", str(tmp_path / "c.json"))
    asked[asked.index("--seeds") + 1] = "6"
    assert cli.main(asked) == 0
    assert re.search(r"mae .*[+-]\d\.\d{3} \([+-]\d\.\d{3}…[+-]\d\.\d{3}\)", capsys.readouterr().out)


def test_where_dask_is_not_installed_it_is_asked_for(prices, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    assert cli.main(quick(prices, "--dask", "tcp://127.0.0.1:1", "--out", "c.json")) == 2
    assert "compare: expected Dask for --dask, found none" in capsys.readouterr().err


@pytest.mark.parametrize(("raised", "status"), [(KeyboardInterrupt, 130), (BrokenPipeError, 0)])
def test_ctrl_c_and_a_reader_that_goes_away_end_the_command_without_a_traceback(raised, status, monkeypatch):
    def run(*arguments):
        raise raised

    monkeypatch.setattr("minigrad.cli.listing._losses", run)
    monkeypatch.setattr(sys, "stderr", said := io.StringIO())
    assert cli.main(["losses"]) == status
    assert said.closed if status == 0 else said.getvalue() == "minigrad: interrupted\n"


def test_a_target_of_text_is_compared_as_classes_whatever_the_losses_read(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [f"{x:.3f},{['calm', 'dull', 'eager'][k]}" for k in range(3) for x in k + 0.1 * rng.standard_normal(20)]
    Path("moods.csv").write_text("\n".join(["x,mood", *rows]))
    asked = [
        "compare",
        "mse",
        "mae",
        "--data",
        "moods.csv",
        "--target",
        "mood",
        "--seeds",
        "1",
        "--lrs",
        "0.1",
        "--jobs",
        "1",
    ]
    assert cli.main([*asked, "--epochs", "20", "--out", "c.json"]) == 0
    assert "moods.csv, mood, 3 classes" in capsys.readouterr().out
    found = json.loads(Path("c.json").read_text())
    assert found["metric"] == "accuracy"
    assert found["rows"][1]["median"] > 0.6
    assert cli.main([*asked, "--metric", "rmse"]) == 2
    said = "compare: expected a metric of classes for mood, which is text, got rmse; leave --metric out for accuracy"
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_text_column_is_named(prices, tmp_path, capsys):
    status = cli.main(
        ["compare", "huber", "mae", "--data", str(prices), "--target", "price", "--out", str(tmp_path / "c.png")]
    )
    assert status == 2
    assert "city" in capsys.readouterr().err


def test_tutorials_are_listed_by_their_titles(capsys):
    assert cli.main(["tutorial"]) == 0
    assert capsys.readouterr().out.startswith("00  ")


def test_a_tutorial_is_copied_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["tutorial", "copy", "1"]) == 0
    assert (tmp_path / "01_first_run.py").is_file()
    assert cli.main(["tutorial", "copy", "1"]) == 2
    assert "exists here already" in capsys.readouterr().err
