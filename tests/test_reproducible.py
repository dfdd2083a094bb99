"""The same script gives the same bytes wherever it runs, and an import touches nothing but the package and NumPy."""

import os
import random
import signal
import statistics
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from conftest import of_the_process
from minigrad.engine.graph import recording

ROOT = Path(__file__).parents[1]


def printed(*arguments, folder=ROOT, **environment):
    """What a fresh Python prints."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1", **environment}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=folder, env=variables, timeout=120
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# --- the same bytes ---------------------------------------------------------------------------------------------------
RUN = """
import hashlib, sys
import numpy as np
from minigrad import MLP, data, fit, losses, nn, save
sys.path.extend(sys.argv[1:])
train, test = data.load("diabetes", rng=0)
model = nn.Sequential(nn.Linear(10, 8, rng=0), nn.Dropout(0.2, rng=1), nn.Tanh(), nn.Linear(8, 1, rng=2))
loss = losses.get("one:of_one") + losses.get("0.5 * huber(delta=2)") + losses.get("of_two")
history = fit(model, train, loss=loss, epochs=2, validation=0.2, metrics=["mae", "r2"], rng=0)
save("run.npz", model, loss=loss, rng=np.random.default_rng(0))
found = hashlib.sha256(open("run.npz", "rb").read())
found.update(history.table()[:, :-1].tobytes())
found.update(" ".join(losses.names()).encode())
print(found.hexdigest())
"""


@pytest.fixture(scope="module")
def two_packs(tmp_path_factory):
    """Two folders with a pack each."""
    from tests.losses.packs import good, install

    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    for folder, name in zip(folders, ("one", "two")):
        install(folder, name, good(f"of_{name}"))
    return list(map(str, folders))


@pytest.mark.parametrize("count", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_processes_that_differ_in_whatever_must_not_count_end_in_the_same_bytes(two_packs, tmp_path, count):
    """In the seed of hashes, the folder, optimisation, and the order in which packs are found."""
    found = set()
    for i in range(count):
        folder = tmp_path / f"place {i % 4}"
        folder.mkdir(exist_ok=True)
        order = two_packs[:: -1 if i % 2 else 1]
        code = RUN.replace("sys.argv[1:]", repr(order))
        found.add(printed(*(["-O"] if i % 3 == 2 else []), "-c", code, folder=folder, PYTHONHASHSEED=str(17 * i)))
    assert len(found) == 1


CURVE = """
import numpy as np
from minigrad import MLP, fit
g = np.random.default_rng(0)
X = g.standard_normal((6400, 64))
model = MLP(64, 256, 1, rng=0, dtype=np.float64)
history = fit(model, (X, X[:, 0] * X[:, 1]), loss="mse", epochs=2, batch_size=128, rng=0)
print(*np.concatenate(list(history.gradient_norm.values())))
"""


def test_two_threads_of_a_blas_give_the_curve_of_one():
    """Not bit for bit: a product is added up in another order. Over a hundred steps the norms of the gradients agree."""
    one, two = (list(map(float, printed("-c", CURVE, OPENBLAS_NUM_THREADS=n, OMP_NUM_THREADS=n).split())) for n in "12")
    assert len(one) == 200
    assert two == pytest.approx(one, rel=1e-10)


CHANGES = {
    "NumPy's handling of errors": lambda: np.seterr(all="raise"),
    "NumPy's random state": lambda: np.random.random(),  # noqa: NPY002 - the state that nobody must touch
    "Python's random state": random.random,
    "the filters of warnings": lambda: warnings.simplefilter("ignore"),
    "the recursion limit": lambda: sys.setrecursionlimit(sys.getrecursionlimit() + 1),
    "the handler of Ctrl-C": lambda: signal.signal(signal.SIGINT, lambda *_: None),
    "the grad mode": lambda: recording.set(False),
    "matplotlib's style": lambda: mpl.rcParams.update({"lines.linewidth": 3.5}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_the_process_is_seen_by_the_look_that_every_test_is_given(what):
    before, handler = of_the_process(), signal.getsignal(signal.SIGINT)
    limit, legacy, own = sys.getrecursionlimit(), np.random.get_state(), random.getstate()  # noqa: NPY002
    mode = recording.get()
    with warnings.catch_warnings(), np.errstate(), mpl.rc_context():
        try:
            CHANGES[what]()
            after = of_the_process()
        finally:
            sys.setrecursionlimit(limit)
            np.random.set_state(legacy)  # noqa: NPY002
            random.setstate(own)
            signal.signal(signal.SIGINT, handler)
            recording.set(mode)
    assert [name for name, value in after.items() if value != before[name]] == [what]


# --- an import --------------------------------------------------------------------------------------------------------
IMPORT = """
import os, sys
import numpy
from numpy import linalg
opened, events, asked = [], [], []

def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        opened.append(os.path.realpath(arguments[0]))
    if event.startswith(("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system", "urllib.")):
        events.append(event)

class Spy(dict):
    def __getitem__(self, key):
        asked.append(key)
        return super().__getitem__(key)
    def get(self, key, default=None):
        asked.append(key)
        return super().get(key, default)

before = set(sys.modules)
places = tuple(map(os.path.realpath, (os.path.dirname(os.__file__), os.path.dirname(numpy.__file__))))
os.environ = Spy(os.environ)
sys.addaudithook(watch)
import minigrad
asked = list(asked)
own = os.path.dirname(os.path.realpath(minigrad.__file__))
places = (own, *places)
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print([path for path in opened if not path.startswith(places)], events, asked)
print(sorted(new - {"minigrad"} - set(sys.stdlib_module_names) - {"numpy"}))
print(len([path for path in opened if path.startswith(own)]) > 10)
"""


def test_an_import_opens_no_file_of_others_no_socket_and_reads_no_variable():
    assert printed("-c", IMPORT).splitlines() == ["[] [] []", "[]", "True"]


COST = """
import time
start = time.process_time()
import numpy
after = time.process_time()
import minigrad
print((time.process_time() - start) / (after - start))
"""


@pytest.mark.slow
def test_an_import_takes_no_more_than_a_fifth_longer_than_that_of_numpy(tmp_path):
    """In processor time, so that others on the machine do not count; with compiled files, as an installation has them."""
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    times = [float(printed("-c", COST, **compiled)) for _ in range(12)][1:]
    assert statistics.median(times) <= 1.2


WORKERS = """
import multiprocessing, sys
import minigrad
from minigrad import Tensor, losses, no_grad, loss
from minigrad.engine import detect_anomaly

def state(_):
    from minigrad.engine.debug import watching
    from minigrad.engine.graph import recording
    x = Tensor([3.0], requires_grad=True)
    losses.get("mse")(x, [1.0]).backward()
    return bool(recording.get()), watching.get(), losses.names("here"), x.grad.tolist()

if __name__ == "__main__":
    for way in multiprocessing.get_all_start_methods():
        with multiprocessing.get_context(way).Pool(1) as pool:
            print(way, *pool.map(state, [0]))
"""


def test_forked_and_spawned_workers_start_clean(tmp_path):
    (tmp_path / "workers.py").write_text(WORKERS)
    lines = printed("-m", "workers", folder=tmp_path, PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    assert {line.partition(" ")[2] for line in lines.splitlines()} == {"(True, False, [], [4.0])"}
