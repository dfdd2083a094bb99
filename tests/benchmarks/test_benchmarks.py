"""The benchmarks: that peers do the same work, that a run says what it should, and that a peer which is not there is named."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import plain_losses
from benchmarks.__main__ import chosen, main
from benchmarks.cases import CASES, GROUPS, LOSSES, he_normal
from benchmarks.figure import draw
from benchmarks.growth import AXES, exponent, other_work
from benchmarks.growth import serve as grow
from benchmarks.peers.minigrad import Eager, Fit
from benchmarks.peers.peer import LeftOut, Peer
from benchmarks.peers.plain import Plain, Products
from benchmarks.programs import PROGRAMS, filled, lookups, packs, run
from benchmarks.rounds import Result, Worker, differs, environment, measured, ratios
from minigrad import losses
from tests.figure_lint import lint

ROOT = Path(__file__).parents[2]
PAIR = {"numpy": Plain, "minigrad": Eager, "fit": Fit}


def check(peer, case):
    return getattr(peer(), case.kind)(*case.of).check


# --- the same work ----------------------------------------------------------------------------------------------------
def test_every_built_in_loss_has_its_cases():
    assert set(LOSSES) == set(losses.names("minigrad")) == set(plain_losses.LOSSES)


@pytest.mark.parametrize("name", [*(f"{name}@1e2" for name in LOSSES), "chain@1e1", "hvp@XS", "hvp@S", "XS", "S"])
def test_minigrad_and_plain_numpy_arrive_at_the_same_numbers(name):
    case = CASES[name]
    assert len(check(Plain, case)) > 1
    assert differs(check(Eager, case), check(Plain, case), case.tolerance) == ""


@pytest.mark.parametrize("name", ["XS", "S"])
def test_fit_takes_the_same_steps(name):
    assert differs(check(Fit, CASES[name]), check(Plain, CASES[name]), 1e-3) == ""


class Hurried(Plain):
    """A peer that learns twice as fast."""

    def training(self, weights, biases):
        step = super().training(weights, biases)
        step.adam.lr *= 2
        return step


class Opposite(Plain):
    """A peer whose gradients have the wrong sign."""

    def judged(self, name, pred, target):
        value, slope = plain_losses.LOSSES[name](pred, target)
        return lambda: (value, [-slope])


@pytest.mark.parametrize(("peer", "name"), [(Hurried, "S"), (Opposite, "huber@1e2")])
def test_other_work_is_found(peer, name):
    assert "does other work: number" in differs(check(peer, CASES[name]), check(Plain, CASES[name]), 1e-3)


@pytest.mark.parametrize("wrong", [np.nan, 2.1])
def test_a_number_that_is_wrong_or_none_is_other_work(wrong):
    assert differs([1.0, wrong], [1.0, 2.0], 1e-3) == f"does other work: number 2 is {wrong:.7g} instead of 2"
    assert differs([1.0], [1.0, 2.0], 1e-3) == "does other work: 1 numbers instead of 2"
    assert differs([1.0, 2.001], [1.0, 2.0], 1e-3) == ""


def test_initial_weights_are_the_same_for_all():
    for a, b in zip(he_normal((3, 4, 2)), he_normal((3, 4, 2)), strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_step_of_fit_is_counted_from_one_to_the_next():
    task = Fit().step(*CASES["XS"].of)
    assert 0 < task.seconds(3) < task.seconds(40) * 1000


def test_the_products_alone_do_nothing_else():
    task = Products().step(*CASES["XS"].of)
    assert task.check == []
    assert task.seconds(2) > 0


def test_what_only_trains_is_asked_for_nothing_else():
    found = measured(CASES["mse@1e2"], ["products", "fit", "minigrad"], [1], 1, 0.001)
    assert list(found) == ["minigrad"]


def test_a_loss_that_a_peer_lacks_is_said():
    with pytest.raises(LeftOut, match="has no blend"):
        Peer().judged("blend", None, None)


# --- a run ------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def run_of_xs(tmp_path_factory):
    """(exit status, what was printed, the JSON, the picture) of a short run in which JAX cannot be imported."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "jax.py").write_text("raise ImportError('no jax here')\n")
    words = "XS --peers numpy minigrad jax --rounds 1 --seconds 0.01 --json runs.json --figure runs.png".split()
    words[-3], words[-1] = str(folder / "runs.json"), str(folder / "runs.png")
    env = environment(1) | {"PYTHONPATH": str(folder), "COLUMNS": "80"}
    command = [sys.executable, "-m", "benchmarks", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=env)
    return done, json.loads((folder / "runs.json").read_text()), folder / "runs.png"


def test_a_run_prints_a_row_for_each_peer_and_names_the_one_that_is_missing(run_of_xs):
    done, _, _ = run_of_xs
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(line.split()[:2] == ["minigrad", "eager"] and line.rstrip().endswith(")") for line in lines)
    assert any(line.startswith("JAX jit: not installed: no jax here") for line in lines)
    assert "OPENBLAS_CORETYPE is unset for all" in done.stdout


def test_the_json_holds_machine_settings_every_round_and_the_ratios(run_of_xs):
    _, found, _ = run_of_xs
    assert found["machine"].keys() >= {"processor", "cores", "python", "versions", "blas", "load"}
    assert found["settings"]["rounds"] == 1
    case = found["cases"]["XS"]
    assert case["peers"]["jax"] == {"missing": "not installed: no jax here", "failed": "", "rounds": {}}
    own, plain = (case["peers"][name]["rounds"]["1"][0] for name in ("minigrad", "numpy"))
    assert case["ratios"]["NumPy"]["minigrad"] == [own / plain] * 3


def test_the_picture_is_there(run_of_xs):
    assert run_of_xs[2].read_bytes().startswith(b"\x89PNG")


def test_a_process_that_dies_is_told_of_and_leaves_no_values(monkeypatch):
    measure = Worker.measure

    def killed(self, count):
        if self.name == "minigrad":
            self.process.kill()
        return measure(self, count)

    monkeypatch.setattr(Worker, "measure", killed)
    found = measured(CASES["mse@1e2"], ["numpy", "minigrad"], [1], 2, 0.001)
    assert found["minigrad"].failed.startswith("the process ended with exit status")
    assert found["minigrad"].values == {}
    assert len(found["numpy"].values[1]) == 2


def test_minigrad_alone_is_measured_and_has_nothing_to_be_drawn_against(monkeypatch, capsys, tmp_path):
    words = "chain@1e1 mse@1e2 hvp@XS --peers minigrad --rounds 1 --seconds 0.001 --json".split()
    monkeypatch.setattr(sys, "argv", ["benchmarks", *words, str(tmp_path / "runs.json")])
    assert main() == 0
    cases = json.loads((tmp_path / "runs.json").read_text())["cases"]
    assert [len(case["peers"]["minigrad"]["rounds"]["1"]) for case in cases.values()] == [1, 1, 1]
    assert "÷" not in capsys.readouterr().out
    with pytest.raises(ValueError, match="expected ratios or growth to draw, got none"):
        draw({"cases": cases, "growth": {}})


def test_ratios_are_formed_within_a_round_at_the_better_number_of_threads():
    own, other = Result({1: [9.0, 9.0, 9.0], 2: [1.0, 4.0, 3.0]}), Result({1: [1.0, 2.0, 1.0], 2: [8.0, 8.0, 8.0]})
    assert ratios(own, other) == (2.0, 1.5, 2.5)  # 1, 2, 3


def test_what_slows_a_current_blas_is_unset_for_all(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert "OPENBLAS_CORETYPE" not in environment(2)
    assert environment(2)["OPENBLAS_NUM_THREADS"] == environment(2)["OMP_NUM_THREADS"] == "2"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["XXL"], "expected cases, got 'XXL', which is none; --list names them"),
        (["XS", "--rounds", "0"], "expected a whole number ≥ 1, got 0"),
        (["XS", "--threads", "two"], "expected a whole number ≥ 1, got two"),
        (["XS", "--seconds", "-1"], "expected seconds > 0, got -1"),
        (["XS", "--clock", "cpu", "--threads", "2"], "expected --threads 1 with --clock cpu"),
    ],
)
def test_what_cannot_be_measured_is_refused(monkeypatch, capsys, words, message):
    monkeypatch.setattr(sys, "argv", ["benchmarks", *words])
    with pytest.raises(SystemExit):
        main()
    assert message in capsys.readouterr().err


def test_the_list_names_every_case_but_those_of_losses_and_every_peer(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--list"])
    assert main() == 0
    said = capsys.readouterr().out
    assert all(name in said for name in [*(CASES.keys() - {c.name for c in GROUPS["losses"]}), *PROGRAMS, *AXES])
    assert "torch-compile" in said


def test_patterns_and_groups_choose_cases():
    names = [case.name for case in chosen(None, ["huber@*", "chains", "XS", "XS"])]
    assert names == [*(f"huber@1e{k}" for k in range(2, 8)), "chain@1e1", "chain@1e3", "chain@1e5", "XS"]


# --- programs and growth ----------------------------------------------------------------------------------------------
def test_a_pack_is_looked_up_in_a_fresh_process(tmp_path):
    packs(8)(tmp_path)
    value, failed = run(PROGRAMS["get@20"], lookups(8)(tmp_path)["get pack:name"], 1, "wall", tmp_path)
    assert failed == ""
    assert 0 < value < 60
    (tmp_path / "minigrad_pack7.py").write_text("raise RuntimeError('broken pack')")
    value, failed = run(PROGRAMS["get@20"], lookups(8)(tmp_path)["get pack:name"], 1, "wall", tmp_path)
    assert value is None
    assert "minigrad_pack7" in failed or "broken pack" in failed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["numpy", "minigrad", "fit"])
def test_the_scripts_train_a_model_that_reads_digits(name):
    with filled(PROGRAMS["script"]) as folder:
        value, failed = run(PROGRAMS["script"], PROGRAMS["script"].commands(folder)[name], 1, "wall", folder)
    assert failed == ""
    assert value > 0


def test_the_exponent_is_that_of_the_larger_half():
    assert exponent([1, 10, 100, 1000], [7.0, 7.0, 1e4, 1e6]) == pytest.approx(2)


def test_growth_is_measured_size_by_size(capsys):
    grow("minigrad", "grow@losses")
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == list(AXES["grow@losses"].sizes)
    assert all(seconds > 0 and held > 10_000 for _, seconds, held, _ in rows)
    assert other_work(rows, rows) == ""
    assert "does other work: loss" in other_work(rows, [[*row[:3], [2 * row[3][0]]] for row in rows])


# --- the picture ------------------------------------------------------------------------------------------------------
def test_the_picture_has_no_faults():
    three = {"numpy": [1.0, 1.0, 1.0], "minigrad": [0.8, 0.7, 0.9], "torch": [3.0, 2.5, 4.0], "fit": [0.5, 0.5, 0.6]}
    step = {"unit": "s", "ratios": {"NumPy": three}}
    huber = [{"unit": "s", "ratios": {"NumPy": {k: [v[0] * f] * 3 for k, v in three.items()}}} for f in (1, 2, 3)]
    line = {"missing": "", "rounds": [[[1, 1e-4, None], [10, 2e-4, None], [100, 2e-3, None]]], "exponent": [1.0] * 3}
    gone = {"missing": "not installed", "rounds": []}
    growth = {"grow@batch": {"peers": {"minigrad": line, "torch": gone}}}
    sizes = {f"huber@1e{k}": case for k, case in zip((2, 4, 6), huber, strict=True)}
    memory = {"unit": "B", "ratios": {"NumPy": three}}
    assert lint(draw({"cases": {"XS": step, "memory@L": memory, **sizes}, "growth": growth})) == []
