"""Rounds: a process for each peer, and they take turns, so that whatever else the machine does hits all alike."""

import json
import os
import statistics
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from benchmarks.peers import TRAIN_ONLY

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PJRT_NPROC")
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # chosen for old builds of OpenBLAS, they slow a current NumPy


def environment(threads, clock="wall"):
    """What every peer's process gets."""
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
    return {**kept, **dict.fromkeys(THREADS, str(threads)), "MINIGRAD_BENCHMARKS_CLOCK": clock}


@contextmanager
def pinned(threads):
    """Processes that are started here have so many cores, if the system can do that: the limit that all obey."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[-threads:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@dataclass
class Result:
    """What one peer did in one case: a value for each round, or why there is none."""

    values: dict[int, list[float]] = field(default_factory=dict)  # by threads
    missing: str = ""
    failed: str = ""

    def better(self):
        """The number of threads with the smaller median."""
        return min(self.values, key=lambda threads: statistics.median(self.values[threads]))


class Worker:
    """A peer's process."""

    def __init__(self, name, case, threads, warm_up, clock):
        command = [sys.executable, "-m", "benchmarks.worker", name, case.name, str(warm_up)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with pinned(threads):
            self.process = subprocess.Popen(command, **pipes, text=True, env=environment(threads, clock))
        self.name, self.threads = name, threads

    def answer(self):
        """The next line that it says; one that died says so."""
        while line := self.process.stdout.readline():
            if line.startswith("{"):
                return json.loads(line)
        return {"failed": f"the process ended with exit status {self.process.wait()}"}

    def measure(self, count):
        """The value of a round; RuntimeError if the process ended."""
        try:
            print(count, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass
        answer = self.answer()
        if "failed" in answer:
            raise RuntimeError(answer["failed"])
        return answer["value"]

    def close(self):
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(BrokenPipeError):
                pipe.close()
        self.process.wait()


def differs(check, reference, tolerance):
    """Say where a peer's numbers are not those of the reference, or nothing; one that has none is not compared."""
    if check and reference and len(check) != len(reference):
        return f"does other work: {len(check)} numbers instead of {len(reference)}"
    for i, (own, other) in enumerate(zip(check, reference)):
        if not abs(own - other) <= tolerance * max(abs(other), 1e-6):
            return f"does other work: number {i + 1} is {own:.7g} instead of {other:.7g}"
    return ""


def measured(case, names, threads, rounds, seconds, clock="wall"):
    """Result by peer. All peers and numbers of threads are there at once, and take turns within a round."""
    names = [name for name in names if case.kind == "step" or name not in TRAIN_ONLY]
    workers = [Worker(name, case, count, 2.5 * seconds, clock) for name in names for count in threads]
    try:
        results = agreed(case, workers)
        live = [w for w in workers if not results[w.name].missing and not results[w.name].failed]
        take_turns(case, live, results, rounds, seconds)
    finally:
        for worker in workers:
            worker.close()
    return results


def agreed(case, workers):
    """Result by peer: missing, failed, at other work than the first that has numbers, or ready."""
    results, reference = {worker.name: Result() for worker in workers}, []
    for worker in workers:
        answer, result = worker.answer(), results[worker.name]
        check = answer.get("check", [])
        result.missing = answer.get("missing", "")
        result.failed = result.failed or answer.get("failed", "") or differs(check, reference, case.tolerance)
        reference = reference or check
    return results


def take_turns(case, live, results, rounds, seconds):
    """The rounds, forwards and backwards in turn, so that nobody is always behind the same neighbour."""
    counts = {}
    for turn in range(-1, rounds):  # the first finds out how many steps a round has
        for worker in live if turn % 2 == 0 else live[::-1]:
            result = results[worker.name]
            if result.failed:
                continue
            try:
                value = worker.measure(counts.get(worker, 1 + (case.kind == "step")))
            except RuntimeError as error:
                result.failed = str(error)
                result.values.clear()
                continue
            if turn < 0:
                counts[worker] = max(1, int(seconds / value))
            else:
                result.values.setdefault(worker.threads, []).append(value)


def ratios(own, other):
    """(median, lower quartile, upper quartile) of the ratios round by round, each at its better number of threads."""
    pairs = zip(own.values[own.better()], other.values[other.better()], strict=True)
    found = [a / b for a, b in pairs]
    if len(found) < 2:
        return found[0], found[0], found[0]
    low, middle, high = statistics.quantiles(found, n=4, method="inclusive")
    return middle, low, high
