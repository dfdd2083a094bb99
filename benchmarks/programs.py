"""Cases that are whole programs: a fresh Python for each measurement, and programs take turns within a round."""

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.peers import PEERS
from benchmarks.rounds import Result, environment, pinned

HERE = Path(__file__).parent
IMPORTS = {
    "python": "pass",
    "numpy": "import numpy",
    "minigrad": "import minigrad",
    "fit": "from minigrad import MLP, fit",
    "torch": "import torch",
    "jax": "import jax.numpy, optax",
    "autograd": "import autograd.numpy",
    "mygrad": "import mygrad",
    "sklearn": "from sklearn.neural_network import MLPClassifier",
}
NEEDED = {"torch": ["torch"], "jax": ["jax", "optax"], "autograd": ["autograd"], "mygrad": ["mygrad"]}
NEEDED |= {"sklearn": ["sklearn"], "torch-fused": ["torch"]}
CLOCKED = "from benchmarks.peers.peer import clock; start = clock(); {}; print(clock() - start)"
PACK = """
import numpy as np
from minigrad import hookimpl, loss

@loss
def idea{i}(pred, target):
    return np.abs(pred - target) ** 3

@hookimpl
def minigrad_losses():
    return [idea{i}]
"""
STEPS_OF = """
import sys
from benchmarks.cases import CASES
from benchmarks.peers import load
from benchmarks.worker import peak
peer, before = load({name!r}), peak()
peer.memory(*CASES[{case!r}].of)
print(peak() - before)
"""


@dataclass(frozen=True)
class Programs:
    """Programs that do the same work.

    Attributes:
        name, title, unit: as those of a Case.
        commands: folder → what to run, by name: arguments of Python.
        inside: whether the value is what the program prints, and not how long it runs.
        accurate: what is printed is an accuracy, which must reach 0.9.
        fill: puts into a folder what the programs read.
    """

    name: str
    title: str
    commands: object
    unit: str = "s"
    inside: bool = False
    accurate: bool = False
    fill: object = lambda folder: None


def imports(folder):
    return {name: ["-c", code] for name, code in IMPORTS.items()}


def lookups(count):
    """Built-in, by full name, by bare name (for which all packs are loaded); and what pluggy does unasked."""
    get = 'from minigrad import losses; losses.get("{}")'
    pluggy = 'import pluggy; pluggy.PluginManager("minigrad").load_setuptools_entrypoints("minigrad")'
    codes = {"pluggy": pluggy, "get built-in": get.format("mse")}
    if count:
        codes |= {"get pack:name": get.format("pack7:idea7"), "get name": get.format("idea7")}
    return lambda folder: {name: ["-c", CLOCKED.format(code)] for name, code in codes.items()}


def packs(count):
    """So many installed distributions, each with one loss."""

    def fill(folder):
        for i in range(count):
            (folder / f"minigrad_pack{i}.py").write_text(PACK.format(i=i))
            info = folder / f"minigrad_pack{i}-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: minigrad-pack{i}\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text(f"[minigrad]\npack{i} = minigrad_pack{i}\n")

    return fill


def digits(folder):
    """The digits that minigrad ships, as arrays that each script reads."""
    from minigrad import data

    (X, y), (X_test, y_test) = data.load("digits", rng=0)
    np.savez(folder / "digits.npz", X=X, y=y, X_test=X_test, y_test=y_test)


def scripts(folder):
    names = ("numpy", "minigrad", "fit", "torch", "jax", "sklearn")
    return {name: [str(HERE / "scripts" / f"digits_{name}.py"), str(folder / "digits.npz")] for name in names}


def memories(case):
    def commands(folder):
        names = ("numpy", "minigrad", "fit", "torch", "torch-fused", "jax", "autograd", "mygrad", "sklearn")
        return {name: ["-c", STEPS_OF.format(name=name, case=case)] for name in names}

    return commands


TOLD = "a first losses.get in a fresh process that has NumPy, import included, with {} packs installed"
SCRIPT = "a complete script, from the start of Python to a trained model: digits, 64-64-10, 30 epochs of batches of 32"
PROGRAMS = {
    p.name: p
    for p in (
        Programs("import", "from the start of Python to its end, with nothing but an import", imports),
        *(Programs(f"get@{n}", TOLD.format(n), lookups(n), inside=True, fill=packs(n)) for n in (0, 20, 200)),
        Programs("script", SCRIPT, scripts, accurate=True, fill=digits),
        *(
            Programs(
                f"memory@{n}", f"peak memory of the steps of {n} beyond that of the import", memories(n), "B", True
            )
            for n in ("S", "M", "L")
        ),
    )
}


@contextmanager
def filled(programs):
    """A folder with what the programs read."""
    with tempfile.TemporaryDirectory() as name:
        programs.fill(Path(name))
        yield Path(name)


def run(programs, command, threads, clock, folder):
    """(value, "") of one run, or (None, why there is none)."""
    env = environment(threads, clock)
    env["PYTHONPATH"] = os.pathsep.join([str(folder), str(HERE.parent)])
    start = spent(clock)
    with pinned(threads):
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, env=env, check=False)
    seconds = spent(clock) - start
    said = done.stdout.strip().splitlines()[-1:] or [""]
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["it failed"])[-1][:200]
    if programs.accurate and not float(said[0]) > 0.9:
        return None, f"does other work: accuracy {said[0]}"
    return (float(said[0]) if programs.inside else seconds), ""


def spent(clock):
    """Seconds on the wall, or those that programs which have ended took of the processor."""
    if clock == "wall":
        return time.perf_counter()
    import resource  # not on every system; os.times counts in hundredths of a second

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compared(programs, names, threads, rounds, clock="wall"):
    """Result by name; those of `names` that have a program here, and programs that are nobody's peer."""
    results, rounds = {}, min(rounds, 3) if programs.unit == "B" else rounds  # memory hardly varies
    with filled(programs) as folder:
        for turn in range(rounds + 1):  # the first is warm-up: files come from the disk, bytecode is written
            for count in threads:
                commands = programs.commands(folder)
                for name in list(commands) if turn % 2 else list(commands)[::-1]:
                    if name in PEERS and name not in names:
                        continue
                    result = results.setdefault(name, Result())
                    lacking = [module for module in NEEDED.get(name, []) if not importlib.util.find_spec(module)]
                    result.missing = f"not installed: {lacking[0]}" if lacking else ""
                    if result.missing or result.failed:
                        continue
                    value, result.failed = run(programs, commands[name], count, clock, folder)
                    if turn and not result.failed:
                        result.values.setdefault(count, []).append(value)
    for result in results.values():
        if result.failed:
            result.values.clear()
    return {name: results[name] for name in commands if name in results}
