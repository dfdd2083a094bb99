"""The process of one peer: prepares a case, warms up, and then measures as often as it is asked to."""

import json
import os
import sys
import time

from benchmarks.cases import CASES
from benchmarks.peers import load

WARM_UP = 0.5  # seconds


def say(**fields):
    print(json.dumps(fields), flush=True)


def pinned(threads):
    """Let this process have so many cores, where the system can do that: the one limit that every library obeys."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[-threads:])


def serve(name, case, threads):
    """For each number read from stdin, take as many steps and answer with the seconds per step."""
    pinned(threads)
    case = CASES[case]
    try:
        peer = load(name)
    except ImportError as error:
        return say(missing=f"not installed: {error}")
    if not hasattr(peer, case.kind):
        return say(missing="does not do this case")
    try:
        task = getattr(peer, case.kind)(*case.of)
    except Exception as error:
        return say(failed=f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}")
    start = time.perf_counter()
    while time.perf_counter() - start < WARM_UP:
        task.seconds(1)
    say(check=task.check)
    for line in sys.stdin:
        say(value=task.seconds(int(line)))


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
