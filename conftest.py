"""What holds for every test: it leaves the process as it found it; and which tests run in one process."""

import random
import signal
import sys
import warnings

import numpy as np
import pytest

from minigrad.engine.graph import recording

LEFT_TO_OTHERS = ("Python's random state", "the filters of warnings", "matplotlib's style")  # on their first import
TOGETHER = ("tests/tutorials/", "tests/explain/")  # what their files share is made once for each process
TOGETHER_LONG = ("tests/tutorials/test_readers.py", "tests/docs/", "tests/explain/")


def of_the_process():
    """What belongs to the whole process, and to no library."""
    _, keys, place, *_ = np.random.get_state()  # noqa: NPY002 - the state that nobody must touch
    style = dict.copy(sys.modules["matplotlib"].rcParams) if "matplotlib" in sys.modules else {}
    for choice in ("backend", "backend_fallback"):  # made by whoever draws first
        style.pop(choice, None)
    return {
        "NumPy's handling of errors": np.geterr(),
        "NumPy's random state": (keys.tobytes(), place),
        "Python's random state": random.getstate(),
        "the filters of warnings": list(warnings.filters),
        "the recursion limit": sys.getrecursionlimit(),
        "the handler of Ctrl-C": signal.getsignal(signal.SIGINT),
        "the grad mode": recording.get(),
        "matplotlib's style": style,
    }


@pytest.fixture(autouse=True)
def nothing_global_is_changed():
    """Whatever a test does with minigrad, the state of the process stays; an import of others may set up its own."""
    before, modules = of_the_process(), len(sys.modules)
    yield
    left_to_others = LEFT_TO_OTHERS if len(sys.modules) != modules else ()
    after = of_the_process()
    changed = [what for what, value in after.items() if value != before[what] and what not in left_to_others]
    style, old = after["matplotlib's style"], before["matplotlib's style"]
    assert changed == [], [(key, old.get(key), style.get(key)) for key in style if style[key] != old.get(key)]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Hand whole files to the processes, or all files of a folder above; of the long run each test by itself."""
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            long = config.option.markexpr in ("slow", "rest", "slow or rest")
            alone = nodeid if long else nodeid.partition("::")[0]
            together = TOGETHER_LONG if long else TOGETHER
            return next((folder for folder in together if nodeid.startswith(folder)), alone)

    return Files(config, log)
