"""A study that is killed, carried out by other processes, or by a cluster: nothing is lost and no number changes."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from minigrad import MLP, compare
from minigrad.comparison import Comparison, Run
from minigrad.errors import CheckpointError
from minigrad.metrics import median_interval

G = np.random.default_rng(0)
X = G.standard_normal((60, 3))
Y = X @ [1.0, -2.0, 0.5] + 0.1 * G.standard_normal(60)
OPTIONS = {"lrs": (0.01, 0.03), "seeds": 3, "epochs": 3, "model": (3, 4, 1)}
ROOT = Path(__file__).parents[1]


def numbers(comparison):
    return [{k: v for k, v in run.items() if k != "seconds"} for run in comparison.to_dict()["runs"]]


@pytest.fixture(scope="module")
def here():
    return numbers(compare(["mse", "mae"], (X, Y), **OPTIONS))


def test_two_processes_give_the_same_numbers(here):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        assert numbers(compare(["mse", "mae"], (X, Y), executor=executor, **OPTIONS)) == here


class TestAJournal:
    def test_lets_a_study_go_on_where_it_stopped(self, here, tmp_path):
        path = tmp_path / "study.jsonl"

        def stop(done, total):
            if done == 5:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            compare(["mse", "mae"], (X, Y), resume=path, progress=stop, **OPTIONS)
        before = path.read_bytes()
        seen = []
        found = compare(["mse", "mae"], (X, Y), resume=path, progress=lambda *p: seen.append(p), **OPTIONS)
        assert numbers(found) == here
        assert path.read_bytes().startswith(before)
        assert seen[0] == (6, 12)
        assert seen[-1] == (12, 12)
        assert len(path.read_text().splitlines()) == 13

    def test_counts_no_run_that_was_cut_off_while_it_was_written(self, here, tmp_path):
        path = tmp_path / "study.jsonl"
        compare(["mse", "mae"], (X, Y), resume=path, **OPTIONS)
        whole = path.read_bytes()
        for cut in (len(whole) - 1, len(whole) - 40, 10, 0):
            path.write_bytes(whole[:cut])
            assert numbers(compare(["mse", "mae"], (X, Y), resume=path, **OPTIONS)) == here
            assert len(path.read_text().splitlines()) == 13

    def test_may_get_more_seeds_rates_and_losses(self, tmp_path):
        path = tmp_path / "study.jsonl"
        compare(["mse"], (X, Y), resume=path, **{**OPTIONS, "seeds": 2})
        more = compare(["mse", "huber"], (X, Y), resume=path, **{**OPTIONS, "seeds": 3})
        assert numbers(more) == numbers(compare(["mse", "huber"], (X, Y), **OPTIONS))

    def test_keeps_what_is_not_finite(self, tmp_path):
        options = {"lrs": (1e30,), "optimizer": "sgd", "seeds": 1, "epochs": 3, "model": (3, 4, 1)}
        once = compare(["mse"], (X, Y), resume=tmp_path / "s.jsonl", **options)
        again = compare(["mse"], (X, Y), resume=tmp_path / "s.jsonl", **options)
        assert repr(once.runs) == repr(again.runs)
        assert once.runs[0].diverged

    @pytest.mark.parametrize("change", [{"epochs": 4}, {"model": (3, 5, 1)}, {"corrupt": 0.1}, {"data": (X + 1, Y)}])
    def test_of_another_study_is_refused_and_left_as_it_is(self, change, tmp_path):
        path = tmp_path / "study.jsonl"
        compare(["mse"], (X, Y), resume=path, **OPTIONS)
        before = path.read_bytes()
        options = {**OPTIONS, "data": (X, Y), **change}
        with pytest.raises(
            CheckpointError, match="compare: expected a file of this study to go on with, got that of another"
        ):
            compare(["mse"], resume=path, **options)
        assert path.read_bytes() == before

    def test_with_a_line_that_is_no_run_is_refused(self, tmp_path):
        path = tmp_path / "study.jsonl"
        compare(["mse"], (X, Y), resume=path, **OPTIONS)
        path.write_bytes(path.read_bytes() + b'{"loss": 3}\n')
        with pytest.raises(CheckpointError, match="expected one run a line"):
            compare(["mse"], (X, Y), resume=path, **OPTIONS)


KILLED = """
import sys
from minigrad import compare
compare(["mse", "mae"], "diabetes", lrs=(0.01, 0.03), seeds=6, epochs=4, resume=sys.argv[1])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a system with SIGKILL")
def test_a_study_that_is_killed_at_any_moment_gives_in_the_end_what_an_undisturbed_one_gives(tmp_path):
    path = tmp_path / "study.jsonl"
    command = [sys.executable, "-c", KILLED, str(path)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(2):
        process = subprocess.Popen(command, env=env)
        start, lines = time.monotonic(), len(path.read_bytes().splitlines()) if path.exists() else 0
        while time.monotonic() - start < 60 and process.poll() is None:
            if path.exists() and len(path.read_bytes().splitlines()) >= lines + 3:
                break
            time.sleep(0.01)
        process.kill()
        process.wait()
    subprocess.run(command, env=env, check=True, timeout=120)
    whole = tmp_path / "whole.jsonl"
    subprocess.run([*command[:-1], str(whole)], env=env, check=True, timeout=120)

    def runs(file):
        lines = [json.loads(line) for line in file.read_text().splitlines()[1:]]
        return sorted(str({k: v for k, v in line.items() if k != "seconds"}) for line in lines)

    assert runs(path) == runs(whole)


@pytest.mark.parametrize("model", [lambda rng: MLP(3, 4, 1, rng=rng)])
def test_a_model_that_cannot_travel_is_refused_before_the_first_run(model):
    with (
        ProcessPoolExecutor(1) as executor,
        pytest.raises(TypeError, match="expected a model that can travel to another process"),
    ):
        compare(["mse"], (X, Y), executor=executor, **{**OPTIONS, "model": model})


CELL = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from minigrad import compare, loss
@loss
def cubic(pred, target):
    return abs(pred - target) ** 3
with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
    compare([cubic, "mse"], "diabetes", executor=executor)
"""


def test_a_loss_of_a_notebook_that_workers_do_not_find_is_refused_before_the_first_run():
    done = subprocess.run([sys.executable, "-c", CELL], capture_output=True, text=True, check=False, timeout=120)
    said = done.stderr.strip().splitlines()[-1]
    assert said.startswith(
        "TypeError: compare: expected workers that find cubic, got A process in the process pool was"
    )
    assert said.endswith(
        "; what a notebook defines is not there: put it into a module, or a file for losses.add_file; a script works "
        'under if __name__ == "__main__":; or leave executor out'
    )


class Strangers(Executor):
    """Workers that lack a pack."""

    def submit(self, function, /, *arguments):
        future = Future()
        future.set_exception(ModuleNotFoundError("No module named 'mine'"))
        return future


def test_workers_that_cannot_import_a_loss_are_found_before_the_first_run():
    text = "expected workers that find every loss and the model, got No module named 'mine'; what a notebook"
    with pytest.raises(TypeError, match=text):
        compare(["mse"], (X, Y), executor=Strangers(), **OPTIONS)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of the cluster about its own end
def test_a_dask_cluster_gives_the_same_numbers_even_if_a_worker_is_killed_in_the_middle():
    distributed = pytest.importorskip("dask.distributed")
    options = {"lrs": (0.01, 0.03), "seeds": 12, "epochs": 40, "model": (10, 16, 1)}
    alone = compare(["mse", "mae"], "diabetes", **options)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        victim = client.run(os.getpid).popitem()[1]

        def kill(done, total):
            if done == 6:
                os.kill(victim, signal.SIGKILL)

        found = compare(["mse", "mae"], "diabetes", executor=client.get_executor(), progress=kill, **options)
    assert numbers(found) == numbers(alone)


@pytest.mark.slow
def test_the_interval_covers_as_often_as_it_says_whatever_the_distribution():
    random, n, draws = np.random.default_rng(0), 10, 20_000
    for shift, make in (
        (0.0, random.standard_normal),
        (1.0, random.standard_exponential),
        (0.0, lambda size: random.standard_cauchy(size)),
    ):
        median = {1.0: np.log(2)}.get(shift, 0.0)
        found = np.array([median_interval(sample) for sample in make(size=(draws, n))])
        missed = np.mean((found[:, 0] > median) | (found[:, 1] < median))
        assert missed <= 0.05
        assert missed == pytest.approx(0.0215, abs=0.004)  # 2·P(Bin(10, ½) ≤ 1)


@pytest.mark.slow
@pytest.mark.parametrize("digits", [6, 2])  # accuracies on few samples are often equal
@pytest.mark.parametrize("seeds", [6, 10, 20])
def test_better_is_said_of_equal_losses_no_more_often_than_allowed_though_each_has_chosen_its_rate(seeds, digits):
    g, lrs, studies = np.random.default_rng(seeds), (0.001, 0.01, 0.1), 2000
    said = []
    for _ in range(studies):
        splits = 0.03 * g.standard_normal(seeds)  # what a seed's split does to both losses
        runs = []
        for name, lr in itertools.product(("a", "b"), lrs):
            validation, test = np.round(0.9 + splits + 0.02 * g.standard_normal((2, seeds)), digits).tolist()
            for k in range(seeds):
                runs.append(Run(name, lr, k, validation[k], 1.0, test[k], 2.0, 0.1, False, (), 0.0))
        found = Comparison(runs, ("a", "b"), lrs, range(seeds), metric="accuracy", title="equal")
        said.append(found.row("b").verdict.split()[0])
    level = {6: 1 / 64, 10: 11 / 1024, 20: 21700 / 2**20}[seeds]  # P(Bin(n, ½) < k) for the k of the interval
    for verdict in ("better", "worse"):
        share = said.count(verdict) / studies
        assert share <= 0.025 + 3 * np.sqrt(0.025 / studies)
        if digits == 6:
            assert share == pytest.approx(level, abs=4 * np.sqrt(level / studies))
    assert set(said) <= {"better", "worse", "no"}
