"""Measure minigrad and its peers in one run: `python -m benchmarks XS S --peers minigrad numpy torch`."""

import argparse
import json
import sys
import time

from rich.console import Console

from benchmarks.cases import CASES
from benchmarks.peers import PEERS
from benchmarks.report import record, table
from benchmarks.rounds import measured


def arguments():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="all unless said, see --list")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=0.2, help="per peer and round")
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[1], help="of every peer; of several the better counts"
    )
    parser.add_argument(
        "--clock",
        choices=["wall", "cpu"],
        default="wall",
        help="cpu: of the process alone, where others disturb; 1 thread",
    )
    parser.add_argument("--json", metavar="FILE", help="write all rounds to this file")
    parser.add_argument("--list", action="store_true", help="name cases and peers, measure nothing")
    return parser


def main():
    parser = arguments()
    options = parser.parse_args()
    console = Console()
    if options.list:
        for case in CASES.values():
            console.print(f"{case.name:8} {case.title}")
        console.print("peers: " + ", ".join(PEERS))
        return 0
    if unknown := [name for name in options.cases if name not in CASES]:
        parser.error(f"expected cases out of {', '.join(CASES)}, got {unknown[0]}; --list says what they are")
    everything = {}
    for name in options.cases or CASES:
        case, start = CASES[name], time.perf_counter()
        results = measured(case, options.peers, options.threads, options.rounds, options.seconds, options.clock)
        everything[name] = record(case, results)
        console.print(table(case, results, options.threads))
        console.print(
            f"{options.rounds} rounds of {options.seconds} s each, {time.perf_counter() - start:.0f} s in all\n"
        )
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"cases": everything}, file, indent=1)
    failed = [r for case in everything.values() for r in case["peers"].values() if r["failed"]]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
