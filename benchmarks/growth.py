"""Growth: time and memory against one number at a time, and the exponent with which they grow.

The exponent is the slope of the line through the larger half of the sizes, both axes logarithmic: below them what a
step costs at any size is still most of it.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.peers import load
from benchmarks.peers.peer import LeftOut
from benchmarks.programs import lookups, packs, run
from benchmarks.rounds import environment, pinned

TRACED = ("numpy", "minigrad", "fit", "autograd", "mygrad")  # what allocates through NumPy can be seen by tracemalloc
TRAIN = ("numpy", "minigrad", "fit", "torch", "jax")


@dataclass(frozen=True)
class Axis:
    """One number that grows; `prepare(peer, size)` gives the task."""

    name: str
    title: str
    sizes: tuple
    prepare: object
    peers: tuple = TRAIN


AXES = {
    axis.name: axis
    for axis in (
        Axis(
            "grow@batch",
            "a training step of 64-128-64-10 against the batch",
            (16, 64, 256, 1024, 4096),
            lambda peer, n: peer.step((64, 128, 64, 10), n),
        ),
        Axis(
            "grow@width",
            "a training step of 64-W-W-10, batch 64, against W",
            (32, 64, 128, 256, 512, 1024),
            lambda peer, w: peer.step((64, w, w, 10), 64),
        ),
        Axis(
            "grow@depth",
            "a training step of 64-64-…-10, batch 64, against the hidden layers",
            (1, 2, 4, 8, 16, 32),
            lambda peer, d: peer.step((64, *[64] * d, 10), 64),
        ),
        Axis(
            "grow@length",
            "a chain of operations on 10 numbers, against how many there are",
            (30, 300, 3000, 30_000),
            lambda peer, n: peer.chain(10, n // 3),
            ("numpy", "minigrad", "torch", "autograd"),  # JAX would compile for minutes
        ),
        Axis(
            "grow@samples",
            "an epoch of 64-128-64-10 in batches of 64, against the samples; that of fit with all that it does",
            (256, 1024, 4096, 16_384),
            lambda peer, n: peer.epoch((64, 128, 64, 10), n, 64),
        ),
        Axis(
            "grow@losses",
            "a weighted sum of losses of 10,000 predictions, forward and backward, against how many they are",
            (1, 2, 4, 8, 16, 32),
            lambda peer, k: peer.blend(k),
            ("numpy", "minigrad"),
        ),
        Axis(
            "grow@packs",
            "a first losses.get in a fresh process, against the packs that are installed",
            (10, 30, 100, 300),
            None,
            ("get built-in", "get name"),
        ),
    )
}


def serve(name, axis):
    """In a peer's process: size, seconds of a step, bytes that a step takes, and what peers are compared by."""
    axis = AXES[axis]
    try:
        peer = load(name)
        for size in axis.sizes:
            task = axis.prepare(peer, size)
            count = max(1, int(0.05 / task.seconds(1)))
            seconds = min(task.seconds(count) for _ in range(3))
            print(json.dumps([size, seconds, traced(task) if name in TRACED else None, task.check[:1]]), flush=True)
    except (ImportError, LeftOut) as reason:
        print(json.dumps(str(reason)))


def traced(task):
    """The most that a step holds at one time, in bytes, beyond what was there before."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    task.step()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most - before


def rows(axis, name, threads, clock):
    """What `serve` says, in a process of its own; a text if the peer is not there."""
    command = [sys.executable, "-m", "benchmarks.growth", name, axis.name]
    with pinned(threads):
        done = subprocess.run(command, capture_output=True, text=True, env=environment(threads, clock), check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it failed"])[-1][:200]
    found = [json.loads(line) for line in done.stdout.splitlines() if line[:1] in '["']
    return next((line for line in found if isinstance(line, str)), found)


def of_packs(axis, name, threads, clock):
    """The same for the number of packs."""
    found = []
    for size in axis.sizes:
        with tempfile.TemporaryDirectory() as folder:
            packs(size)(Path(folder))
            program = lookups(size)(Path(folder))[name]
            value, failed = run(INSIDE, program, threads, clock, Path(folder))
            if failed:
                return failed
            found.append([size, value, None, []])
    return found


class INSIDE:
    """Programs whose value is what they print."""

    inside, accurate = True, False


def grown(axis, names, threads, rounds, clock="wall"):
    """By peer: rounds of [size, seconds, bytes], or why there are none."""
    found = {name: [] for name in axis.peers if name in names or axis.prepare is None}
    for turn in range(rounds):
        for name in list(found) if turn % 2 == 0 else list(found)[::-1]:
            if not isinstance(found[name], str):
                one = (rows if axis.prepare else of_packs)(axis, name, threads, clock)
                found[name] = one if isinstance(one, str) else [*found[name], one]
    reference = next((r[0] for r in found.values() if not isinstance(r, str)), [])
    for name, r in found.items():
        if not isinstance(r, str) and (text := other_work(r[0], reference)):
            found[name] = text
    return found


def other_work(own, reference):
    """Say where a peer's losses are not those of the first, or nothing."""
    for (size, *_, a), (*_, b) in zip(own, reference):
        if a and b and not abs(a[0] - b[0]) <= 1e-3 * max(abs(b[0]), 1e-6):
            return f"does other work: loss {a[0]:.7g} instead of {b[0]:.7g} at {size}"
    return ""


def exponent(sizes, values):
    """p of values ~ sizes^p over the larger half."""
    x, y = np.log(sizes[len(sizes) // 2 :]), np.log(values[len(values) // 2 :])
    return float(np.polyfit(x, y, 1)[0])


def exponents(rounds, column):
    """(median, lower quartile, upper quartile) of the exponents of all rounds; None where nothing was measured."""
    if rounds[0][0][column] is None:
        return None
    found = [exponent([row[0] for row in one], [row[column] for row in one]) for one in rounds]
    if len(found) < 2:
        return found[0], found[0], found[0]
    low, middle, high = statistics.quantiles(found, n=4, method="inclusive")
    return middle, low, high


if __name__ == "__main__":
    serve(*sys.argv[1:])
