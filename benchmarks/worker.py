"""The process of one peer: prepares a case, warms up, and then measures as often as it is asked to."""

import json
import sys
import time
from pathlib import Path

from benchmarks.cases import CASES
from benchmarks.peers import load
from benchmarks.peers.peer import LeftOut


def say(**fields):
    print(json.dumps(fields), flush=True)


def peak():
    """The most memory that this process has held, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux; ru_maxrss counts there what the parent held, too
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def serve(name, case, warm_up):
    """For each number read from stdin, take as many steps and answer with the seconds per step."""
    case = CASES[case]
    try:
        peer = load(name)
    except ImportError as error:
        return say(missing=f"not installed: {error}")
    try:
        task = getattr(peer, case.kind)(*case.of)
    except LeftOut as reason:
        return say(missing=str(reason))
    except Exception as error:
        return say(failed=f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}")
    say(check=task.check)
    start = time.perf_counter()
    while time.perf_counter() - start < float(warm_up):
        task.seconds(1)
    for line in sys.stdin:
        say(value=task.seconds(int(line)))


if __name__ == "__main__":
    serve(*sys.argv[1:])
