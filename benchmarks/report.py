"""What was measured, as a table and as JSON."""

import json
import os
import platform
import statistics
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.growth import exponents
from benchmarks.peers import PEERS
from benchmarks.rounds import environment, ratios

AGAINST = {
    "NumPy": ["numpy"],
    "PyTorch": ["torch", "torch-fused"],
    "JAX": ["jax"],
    "pluggy": ["pluggy"],
}  # of several, the quickest


def amount(value, unit):
    """A duration or a size, in the unit that suits it."""
    steps = [("s", 1), ("ms", 1e-3), ("µs", 1e-6)] if unit == "s" else [("MB", 1e6), ("kB", 1e3)]
    name, size = next(((name, size) for name, size in steps if value >= size), steps[-1])
    return f"{value / size:.3g} {name}"


def named(name):
    """A peer's name in words."""
    return PEERS[name][0] if name in PEERS else name


def best(results, names):
    """The quickest of some peers, None if none of them was measured."""
    found = [results[name] for name in names if name in results and results[name].values]
    return min(found, key=lambda r: statistics.median(r.values[r.better()]), default=None)


def sheet(case):
    """An empty table."""
    left = {"title_justify": "left", "caption_justify": "left"}
    return Table(title=f"{case.name}: {case.title}", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False, **left)


def table(case, results, threads):
    """Peers, their times, and the median ratio with its quartiles to each of those one compares with."""
    against = {label: other for label, names in AGAINST.items() if (other := best(results, names))}
    out = sheet(case)
    out.add_column("peer", no_wrap=True)
    for count in threads:
        out.add_column(f"{count} thread{'s' if count > 1 else ''}", justify="right", no_wrap=True)
    for i, label in enumerate(against):
        out.add_column(f"÷ {label}" + (" (quartiles)" if i == 0 else ""), justify="right", no_wrap=True)
    for name, result in results.items():
        if not result.values:
            continue
        times = [amount(statistics.median(result.values[count]), case.unit) for count in threads]
        shares = []
        for i, other in enumerate(against.values()):
            middle, low, high = ratios(result, other)
            spread = f" ({low:.2f}–{high:.2f})" if i == 0 and other is not result else ""
            shares.append("1" + " " * 12 * (i == 0) if other is result else f"{middle:.2f}{spread}")
        out.add_row(named(name), *times, *shares)
    out.caption = "\n".join(f"{named(n)}: {r.missing or r.failed}" for n, r in results.items() if not r.values)
    return out


def machine():
    """What the measurements were made on, and with."""
    versions = {}
    for name in ("numpy", "torch", "jax", "jaxlib", "optax", "autograd", "mygrad", "scikit-learn", "pluggy"):
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return {
        "system": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": versions,
        "blas": blas(),
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else [],
    }


def processor():
    """The name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def blas():
    """The library behind NumPy's products and the kernels that it chose, in a process as the peers have it."""
    code = "import numpy, threadpoolctl, json; print(json.dumps(threadpoolctl.threadpool_info()[0]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(1), check=False)
    if done.returncode:
        return "unknown: threadpoolctl is not installed"
    found = json.loads(done.stdout)
    return f"{found['internal_api']} {found['version']}, kernels {found.get('architecture')}"


def described(machine):
    """The machine in two lines."""
    parts = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    load = ", ".join(f"{x:.1f}" for x in machine["load"])
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, load {load}\n"
        f"Python {machine['python']}, {parts}; NumPy's BLAS: {machine['blas']}"
    )


def growing(axis, found):
    """A column for each size, a row for each peer, its exponent at the end; memory below."""
    out = sheet(axis)
    there = {name: rounds for name, rounds in found.items() if not isinstance(rounds, str)}
    out.add_column(axis.name.partition("@")[2], no_wrap=True)
    for heading in [*map(short, axis.sizes), "power"]:
        out.add_column(heading, justify="right", no_wrap=True)
    for column, unit in ((1, "s"), (2, "B")):
        for name, rounds in there.items():
            if slope := exponents(rounds, column):
                middles = [statistics.median(one[i][column] for one in rounds) for i in range(len(axis.sizes))]
                out.add_row(named(name), *(amount(value, unit) for value in middles), f"{slope[0]:.2f}")
        out.add_section()
    out.caption = "\n".join(f"{named(n)}: {text}" for n, text in found.items() if isinstance(text, str))
    return out


def short(number):
    """16k for 16384."""
    return f"{number // 1000}k" if number >= 10_000 else str(number)


def grown_record(axis, found):
    """The same for JSON: all rounds."""
    return {
        "title": axis.title,
        "peers": {
            name: {"missing": r, "rounds": []}
            if isinstance(r, str)
            else {
                "missing": "",
                "rounds": [[row[:3] for row in one] for one in r],
                "exponent": exponents(r, 1),
                "exponent of memory": exponents(r, 2),
            }
            for name, r in found.items()
        },
    }


def record(case, results):
    """The same for JSON: all rounds."""
    return {
        "title": case.title,
        "unit": case.unit,
        "peers": {
            name: {"missing": r.missing, "failed": r.failed, "rounds": {str(n): v for n, v in r.values.items()}}
            for name, r in results.items()
        },
        "ratios": {
            label: {name: ratios(r, other) for name, r in results.items() if r.values}
            for label, names in AGAINST.items()
            if (other := best(results, names))
        },
    }
