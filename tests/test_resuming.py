"""A run that was cut off goes on from its file exactly as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minigrad import MLP, Tensor, fit, loss, losses, nn
from minigrad.errors import CheckpointError
from minigrad.optim import SGD, Adam, AdamW, Cosine, Plateau, RMSprop

G = np.random.default_rng(0)
X = G.standard_normal((50, 3)).astype(np.float32)
Y = (X @ [1.0, -2.0, 0.5] + 0.3 * G.standard_normal(50)).astype(np.float32)
ROOT = Path(__file__).parents[1]


class Cut(Exception):
    """What a power failure looks like from inside."""


calls = {"left": None}


@loss
def scaled(pred, target, *, log_scale=0.0):
    """Learned scale; it raises when its calls are used up."""
    if calls["left"] is not None and pred.shape[0] != 50:
        calls["left"] -= 1
        if calls["left"] < 0:
            raise Cut
    return np.log(np.cosh((pred - target) * np.exp(-log_scale))) + log_scale


def network(seed=0):
    layers = nn.Linear(3, 8, rng=seed), nn.Dropout(0.3, rng=seed + 1), nn.Tanh(), nn.Linear(8, 1, rng=seed + 2)
    return nn.Sequential(*layers)


OPTIMIZERS = {
    "sgd": lambda p: SGD(p, lr=0.05),
    "momentum": lambda p: SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "adam with a schedule": lambda p: Adam(p, lr=Cosine(0.02, steps=40)),
    "adamw on a plateau": lambda p: AdamW(p, lr=Plateau(0.02, patience=0)),
    "rmsprop": lambda p: RMSprop(p, lr=0.01),
}


def run(kind, path=None, cut=None, seed=0, **options):
    """The bytes of all that a run leaves behind, or None if it was cut off."""
    model = network(seed)
    calls["left"] = cut
    try:
        history = fit(
            model, (X, Y), loss=scaled.with_(log_scale=Tensor(0.0, requires_grad=True)), epochs=4, batch_size=8,
            optimizer=OPTIMIZERS[kind](model.parameters()), rng=3 + seed, metrics=["mae"], checkpoint=path, every=options.pop("every", 2), **options,
        )  # fmt: skip
    except RuntimeError as error:
        assert isinstance(error.__cause__, Cut)  # noqa: PT017 - it is the test that cut it off
        return None
    finally:
        calls["left"] = None
    state = b"".join(a.tobytes() for a in model.state_dict().values())
    learned = b"".join(t.data.tobytes() for t in history.loss.learned.values())
    norms = b"".join(a.tobytes() for a in history.gradient_norm.values())
    return state + learned + norms + np.delete(history.table(), -1, 1).tobytes()


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("validation", [None, 0.2])
@pytest.mark.parametrize("cut", [7, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 5, 9, 12, 15, 19, 23))])
def test_a_run_cut_off_in_the_middle_of_an_epoch_ends_in_the_same_bytes(kind, validation, cut, tmp_path):
    whole = run(kind, validation=validation)
    path = tmp_path / "run.npz"
    assert run(kind, path, cut, validation=validation) is None
    assert run(kind, path, cut, validation=validation) is None or cut > 10
    assert run(kind, path, validation=validation) == whole


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(32))
def test_many_seeds_cut_off_twice_at_random_steps_end_in_the_same_bytes(seed, tmp_path):
    g = np.random.default_rng(seed)
    for kind in OPTIMIZERS:
        validation, path = (None, 0.2)[int(g.integers(2))], tmp_path / f"{kind}.npz"
        first, second = (int(step) for step in g.integers(1, 10, 2))
        whole = run(kind, seed=seed, validation=validation)
        assert run(kind, path, first, seed, validation=validation, every=int(g.integers(1, 4))) is None
        assert run(kind, path, second, seed, validation=validation) is None
        assert run(kind, path, seed=seed, validation=validation) == whole


def test_a_finished_run_is_not_run_again(tmp_path):
    path = tmp_path / "run.npz"
    first = run("adam with a schedule", path)
    assert run("adam with a schedule", path, cut=0) == first


def test_a_finished_run_may_be_given_more_epochs(tmp_path):
    path, options = tmp_path / "run.npz", {"loss": "mse", "lr": 0.01, "rng": 1}
    longer, model = MLP(3, 4, 1, rng=0), MLP(3, 4, 1, rng=0)
    fit(longer, (X, Y), epochs=5, **options)
    fit(model, (X, Y), epochs=2, checkpoint=path, **options)
    again = MLP(3, 4, 1, rng=9)
    history = fit(again, (X, Y), epochs=5, checkpoint=path, **options)
    assert len(history.rows) == 5
    assert all(
        np.array_equal(a, b) for a, b in zip(again.state_dict().values(), longer.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"loss": "mae"}, "loss 'mse' instead of 'mae'"),
        ({"optimizer": "sgd"}, r"optimizer 'Adam\(lr=0.01.* instead of 'SGD\(lr"),
        ({"rng": 2}, "rng '"),
        ({"lr": 0.02}, r"lr=0.01.* instead of .*lr=0.02"),
        ({"batch_size": 10}, "batch_size 32 instead of 10"),
        ({"validation": 0.2}, r"X \[50, 3\] instead of \[40, 3\]"),
    ],
)
def test_the_file_of_another_run_is_refused_and_nothing_is_changed(change, text, tmp_path):
    path, options = tmp_path / "run.npz", {"loss": "mse", "lr": 0.01, "rng": 1, "epochs": 1}
    fit(MLP(3, 4, 1, rng=0), (X, Y), checkpoint=path, **options)
    model, held = MLP(3, 4, 1, rng=0), path.read_bytes()
    before = model.state_dict()
    with pytest.raises(
        CheckpointError, match=rf"fit: expected the checkpoint of this run in .*, got another one: .*{text}"
    ):
        fit(model, (X, Y), checkpoint=path, **{**options, **change})
    assert all(np.array_equal(a, b) for a, b in zip(model.state_dict().values(), before.values(), strict=True))
    assert path.read_bytes() == held


def test_a_model_of_another_shape_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    fit(MLP(3, 4, 1, rng=0), (X, Y), loss="mse", epochs=1, checkpoint=path)
    with pytest.raises(CheckpointError, match=r"layers.0.weight is \(3, 4\) float32 instead of \(3, 5\) float32"):
        fit(MLP(3, 5, 1, rng=0), (X, Y), loss="mse", epochs=1, checkpoint=path)


def test_a_missing_folder_is_told_before_the_first_step(tmp_path):
    model = MLP(3, 4, 1, rng=0)
    before = model.state_dict()
    with pytest.raises(FileNotFoundError, match="nowhere"):
        fit(model, (X, Y), loss="mse", checkpoint=tmp_path / "nowhere" / "run.npz")
    assert all(np.array_equal(a, b) for a, b in zip(model.state_dict().values(), before.values(), strict=True))


def test_a_damaged_file_is_refused_and_named(tmp_path):
    path = tmp_path / "run.npz"
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(CheckpointError, match=r"load: expected a whole checkpoint, got .*run.npz"):
        fit(MLP(3, 4, 1, rng=0), (X, Y), loss="mse", checkpoint=path)


SCRIPT = """
import sys
import numpy as np
from minigrad import MLP, data, fit
train, _ = data.load("diabetes", rng=0)
model = MLP(10, 16, 1, rng=0)
history = fit(model, train, loss="huber", epochs=60, validation=0.2, metrics=["mae"], rng=4, checkpoint=sys.argv[1], every=3)
np.savez(sys.argv[2], table=np.delete(history.table(), -1, 1), **model.state_dict())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a system with SIGKILL")
def test_a_process_that_is_killed_again_and_again_ends_in_the_same_bytes(tmp_path):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    path, result, whole = tmp_path / "run.npz", tmp_path / "a.npz", tmp_path / "b.npz"
    command = [sys.executable, "-c", SCRIPT, str(path), str(result)]
    pause = np.random.default_rng(0)
    for _ in range(3):
        process, written = subprocess.Popen(command, env=env), path.stat().st_mtime_ns if path.exists() else 0
        start = time.monotonic()
        while process.poll() is None and time.monotonic() - start < 60:
            if path.exists() and path.stat().st_mtime_ns > written + pause.integers(5_000_000, 60_000_000):
                break
            time.sleep(0.002)
        process.kill()
        process.wait()
    subprocess.run(command, env=env, check=True, timeout=120)
    subprocess.run([*command[:3], str(tmp_path / "other.npz"), str(whole)], env=env, check=True, timeout=120)
    with np.load(result) as one, np.load(whole) as other:
        assert sorted(one) == sorted(other)
        assert all(one[name].tobytes() == other[name].tobytes() for name in one)
    assert [p.name for p in tmp_path.glob(".*.tmp")] == []


def test_a_loss_by_name_is_found_again_in_the_file(tmp_path):
    from minigrad.checkpoint import load

    path = tmp_path / "run.npz"
    fit(MLP(3, 4, 1, rng=0), (X, Y), loss=losses.get("huber", delta=2), epochs=1, checkpoint=path)
    assert str(load(path).loss()) == "huber(delta=2)"


def test_a_checkpoint_that_no_run_has_written_is_refused(tmp_path):
    from minigrad import save

    path, model = tmp_path / "run.npz", MLP(3, 4, 1, rng=0)
    save(path, model)
    with pytest.raises(
        CheckpointError, match=r"fit: expected a checkpoint that fit wrote in .*; load it .*minigrad.load"
    ):
        fit(model, (X, Y), loss="mse", checkpoint=path)
