"""Measure the peers in one run: a process for each, rounds alternating, the median of the ratios per round."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from benchmarks.peers import CASES, PEERS, described

WARM_UP = 0.5  # seconds


def serve(peer, case):
    """Inside a peer's process: for each number read, take as many steps and answer with the seconds per step."""
    try:
        step = PEERS[peer](case)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), flush=True)
        return
    start = time.perf_counter()
    while time.perf_counter() - start < WARM_UP:
        step()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        count = int(line)
        start = time.perf_counter()
        for _ in range(count):
            step()
        print(json.dumps({"seconds": (time.perf_counter() - start) / count}), flush=True)


class Peer:
    """A peer's process."""

    def __init__(self, name, case, threads):
        env = {
            **os.environ,
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)),
        }
        command = [sys.executable, "-m", "benchmarks", "--serve", name, case]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self.missing = json.loads(self.process.stdout.readline()).get("missing")

    def measure(self, count):
        """Seconds per step."""
        print(count, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())["seconds"]

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def rounds(case, threads, number, seconds):
    """Seconds per step by peer, one list entry per round; the peers take turns within a round."""
    peers = {name: Peer(name, case, threads) for name in PEERS}
    peers = {name: peer for name, peer in peers.items() if not peer.missing}
    counts = {name: max(3, int(seconds / peer.measure(3))) for name, peer in peers.items()}
    taken = {name: [] for name in peers}
    for _ in range(number):
        for name, peer in peers.items():
            taken[name].append(peer.measure(counts[name]))
    for peer in peers.values():
        peer.close()
    return taken


def main():
    """Print, for every case, the time of a step over that of plain NumPy, round by round: median and range."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=0.2, help="per peer and round")
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads of every peer")
    parser.add_argument("--json", help="write all rounds to this file")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(*options.serve)
        return
    everything = {}
    print(f"{options.threads} BLAS thread(s), {options.rounds} rounds of {options.seconds} s")
    for case in options.cases:
        taken = everything[case] = rounds(case, options.threads, options.rounds, options.seconds)
        print(f"{case}: {described(case)}")
        for name, times in taken.items():
            ratios = sorted(t / plain for t, plain in zip(times, taken["plain NumPy"], strict=True))
            time_, ratio = statistics.median(times) * 1e6, statistics.median(ratios)
            print(f"  {name:<12} {time_:8.1f} µs   {ratio:5.2f} × plain NumPy   ({ratios[0]:.2f} … {ratios[-1]:.2f})")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(everything, file)


if __name__ == "__main__":
    main()
