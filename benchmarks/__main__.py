"""Measure minigrad and its peers in one run: `python -m benchmarks XS S --peers minigrad numpy torch`."""

import argparse
import json
import math
import sys
import time
from fnmatch import fnmatchcase

from rich.console import Console

from benchmarks.cases import CASES, GROUPS, USUAL
from benchmarks.growth import AXES, grown
from benchmarks.peers import PEERS
from benchmarks.programs import PROGRAMS, compared
from benchmarks.report import described, growing, grown_record, machine, record, table
from benchmarks.rounds import measured

ALL = CASES | PROGRAMS | AXES


def count(text):
    """A whole number ≥ 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number ≥ 1, got {text}")
    return int(text)


def duration(text):
    """Seconds > 0."""
    if not 0 < float(text) < math.inf:
        raise argparse.ArgumentTypeError(f"expected seconds > 0, got {text}")
    return float(text)


def arguments():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help="names, patterns such as 'huber@*', or groups; see --list"
    )
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER")
    parser.add_argument("--rounds", type=count, default=11)
    parser.add_argument("--seconds", type=duration, default=0.2, help="per peer and round")
    parser.add_argument(
        "--threads", type=count, nargs="+", default=[1], help="of every peer; of several the better counts"
    )
    parser.add_argument(
        "--clock",
        choices=["wall", "cpu"],
        default="wall",
        help="cpu: of the process alone, where others disturb; 1 thread",
    )
    parser.add_argument("--json", metavar="FILE", help="write all rounds to this file")
    parser.add_argument("--figure", metavar="FILE", help="draw the ratios and the growth")
    parser.add_argument("--list", action="store_true", help="name cases and peers, measure nothing")
    return parser


def chosen(parser, words):
    """The cases that some words mean: groups, names, patterns; the usual ones without any."""
    found, groups = {}, GROUPS | {"programs": list(PROGRAMS.values()), "growth": list(AXES.values())}
    for word in words or [*USUAL, *PROGRAMS]:
        names = [case.name for case in groups.get(word, [])] or [name for name in ALL if fnmatchcase(name, word)]
        if not names:
            parser.error(f"expected cases, got {word!r}, which is none; --list names them")
        found |= dict.fromkeys(names)
    return [ALL[name] for name in found]


def listed(console):
    """What there is."""
    for case in ALL.values():
        if case.name not in {c.name for c in GROUPS["losses"]}:
            console.print(f"{case.name:12} {case.title}", soft_wrap=True, highlight=False)
    console.print(
        "\nLOSS@SIZE    a loss, forward and backward: " + ", ".join(c.name for c in GROUPS["losses"][::6]), "…"
    )
    console.print("groups       " + ", ".join([*GROUPS, "programs", "growth"]))
    console.print("peers        " + ", ".join(PEERS))


def results_of(case, options):
    """Result by peer."""
    if case.name in PROGRAMS:
        return compared(case, options.peers, options.threads, options.rounds, options.clock)
    return measured(case, options.peers, options.threads, options.rounds, options.seconds, options.clock)


def main():
    parser = arguments()
    options = parser.parse_args()
    console = Console()
    if options.list:
        listed(console)
        return 0
    if options.clock == "cpu" and options.threads != [1]:
        parser.error(f"expected --threads 1 with --clock cpu, which adds threads up, got {options.threads}")
    cases = chosen(parser, options.cases)
    everything = {"machine": machine(), "settings": vars(options), "cases": {}, "growth": {}}
    console.print(described(everything["machine"]), highlight=False, soft_wrap=True)
    console.print(f"clock: {options.clock}; OPENBLAS_CORETYPE is unset for all\n", highlight=False)
    for case in cases:
        start = time.perf_counter()
        if case.name in AXES:
            found = grown(case, options.peers, min(options.threads), options.rounds, options.clock)
            everything["growth"][case.name] = grown_record(case, found)
            console.print(growing(case, found))
        else:
            results = results_of(case, options)
            everything["cases"][case.name] = record(case, results)
            console.print(table(case, results, options.threads))
        console.print(f"{options.rounds} rounds, {time.perf_counter() - start:.0f} s\n", highlight=False)
        if options.json:
            with open(options.json, "w", encoding="utf-8") as file:
                json.dump(everything, file, indent=1)
    if options.figure:
        from benchmarks.figure import draw

        draw(everything).savefig(options.figure)
    failed = [r for case in everything["cases"].values() for r in case["peers"].values() if r["failed"]]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
