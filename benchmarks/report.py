"""What was measured, as a table and as JSON."""

import statistics

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.peers import PEERS
from benchmarks.rounds import ratios

AGAINST = {"NumPy": ["numpy"], "PyTorch": ["torch", "torch-fused"], "JAX": ["jax"]}  # of several, the quickest


def amount(value, unit):
    """A duration or a size, in the unit that suits it."""
    steps = [("s", 1), ("ms", 1e-3), ("µs", 1e-6)] if unit == "s" else [("MB", 1e6), ("kB", 1e3)]
    name, size = next(((name, size) for name, size in steps if value >= size), steps[-1])
    return f"{value / size:.3g} {name}"


def best(results, names):
    """The quickest of some peers, None if none of them was measured."""
    found = [results[name] for name in names if name in results and results[name].values]
    return min(found, key=lambda r: statistics.median(r.values[r.better()]), default=None)


def table(case, results, threads):
    """Peers, their times, and the median ratio with its quartiles to each of those one compares with."""
    against = {label: other for label, names in AGAINST.items() if (other := best(results, names))}
    out = Table(title=f"{case.name}: {case.title}", title_justify="left", caption_justify="left", box=SIMPLE_HEAD)
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
        out.add_row(PEERS[name][0], *times, *shares)
    out.caption = "\n".join(f"{PEERS[n][0]}: {r.missing or r.failed}" for n, r in results.items() if not r.values)
    return out


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
