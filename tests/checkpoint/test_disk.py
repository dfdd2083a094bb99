"""Whole or not at all: when a system call fails, when the process is killed, when the disk is full."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minigrad.checkpoint import disk, load, save

ROOT = Path(__file__).parents[2]
OLD, NEW = {"w": np.zeros(1000)}, {"w": np.ones(1000)}
CALLS = ("stat", "access", "listdir", "open", "chmod", "write", "fsync", "close", "replace")


class Faulty:
    """The module os, of which the k-th call that touches the disk fails; of a short write half is written first."""

    def __init__(self, k, error):
        self.k, self.error, self.made = k, error, []

    def __getattr__(self, name):
        real = getattr(os, name)
        if name not in CALLS:
            return real

        def call(*args, **kwargs):
            self.made.append(name)
            if len(self.made) != self.k:
                return real(*args, **kwargs)
            if self.error == "short":
                return real(args[0], args[1][: len(args[1]) // 2]) if name == "write" else real(*args, **kwargs)
            if self.error is KeyboardInterrupt:
                raise KeyboardInterrupt
            if name == "close":
                real(*args)  # an error of close leaves the file closed
            raise OSError(self.error, os.strerror(self.error), *([args[0]] if isinstance(args[0], str) else []))

        return call


def saving(tmp_path, monkeypatch, k, error):
    """Save over an old file while the k-th call fails; returns what was raised and the calls that were made."""
    path = tmp_path / "a.npz"
    save(path, OLD)
    faulty, caught = Faulty(k, error), None
    with monkeypatch.context() as patch:
        patch.setattr(disk, "os", faulty)
        try:
            save(path, NEW)
        except (OSError, KeyboardInterrupt) as raised:
            caught = raised
    return caught, faulty.made


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EACCES, KeyboardInterrupt, "short"], ids=str)
@pytest.mark.parametrize("k", range(1, 14))
def test_when_any_call_fails_the_file_is_the_old_or_the_new_one_and_no_other_is_left(tmp_path, monkeypatch, k, error):
    caught, made = saving(tmp_path, monkeypatch, k, error)
    assert os.listdir(tmp_path) == ["a.npz"]
    value = set(load(tmp_path / "a.npz").last["w"].tolist())
    if len(made) < k or error == "short":
        assert caught is None
        assert value == {1}
        return
    assert value == ({1} if "replace" in made[: k - 1] else {0}) or made[k - 1] == "listdir"
    if made[k - 1] == "listdir" and error is not KeyboardInterrupt:
        assert caught is None  # that old temporary files could not be looked for is no reason not to save
    elif error is KeyboardInterrupt:
        assert isinstance(caught, KeyboardInterrupt)
    else:
        assert isinstance(caught, OSError)
        assert (caught.errno, caught.filename) == (error, str(tmp_path / "a.npz"))


def test_the_calls_that_may_fail_are_all_there(tmp_path, monkeypatch):
    caught, made = saving(tmp_path, monkeypatch, 0, errno.EIO)
    assert caught is None
    assert made == [
        "stat",
        "access",
        "listdir",
        "open",
        "chmod",
        "write",
        "fsync",
        "close",
        "replace",
        "open",
        "fsync",
        "close",
    ]


def test_a_write_that_writes_nothing_is_an_error_and_no_endless_loop(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "os", type("os", (), {**vars(os), "write": staticmethod(lambda file, data: 0)}))
    with pytest.raises(OSError, match="Nothing was written"):
        save(tmp_path / "a.npz", OLD)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_a_folder_that_cannot_be_synced_is_no_error(tmp_path, monkeypatch, code):
    real = os.fsync

    def fsync(file):
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(code, os.strerror(code))
        real(file)

    monkeypatch.setattr(disk, "os", type("os", (), {**vars(os), "fsync": staticmethod(fsync)}))
    save(tmp_path / "a.npz", NEW)
    assert load(tmp_path / "a.npz").last["w"].all()


FULL = """
import resource, signal, sys
import numpy as np
from minigrad.checkpoint import save
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
try:
    save(sys.argv[1], {"w": np.ones(1000)})
except OSError as error:
    print(error.errno, error.filename)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.npz"
    save(path, OLD)
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split(maxsplit=1) == [str(errno.EFBIG), f"{path}\n"]
    assert os.listdir(tmp_path) == ["a.npz"]
    assert not load(path).last["w"].any()


def test_a_file_that_may_not_be_written_is_refused_with_its_path_and_stays(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    save(path, OLD)
    with monkeypatch.context() as patch:
        patch.setattr(disk, "os", type("os", (), {**vars(os), "access": staticmethod(lambda *of: False)}))
        with pytest.raises(PermissionError) as caught:
            save(path, NEW)
    assert caught.value.filename == str(path)
    assert not load(path).last["w"].any()
    assert os.listdir(tmp_path) == ["a.npz"]


def test_where_folders_cannot_be_opened_nor_processes_asked_it_saves_and_leaves_other_files_alone(
    tmp_path, monkeypatch
):
    left = TestTemporaryFiles().left(tmp_path, "a.npz", 2**22 + 1)
    monkeypatch.setattr(disk, "os", type("os", (), {**vars(os), "name": "nt"}))
    save(tmp_path / "a.npz", NEW)
    assert load(tmp_path / "a.npz").last["w"].all()
    assert left.exists()


# --- what is kept of the old file -------------------------------------------------------------------------------------
@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
class TestThePlaceOfTheOldFile:
    def test_keeps_its_mode(self, tmp_path):
        path = tmp_path / "a.npz"
        for mode in (0o600, 0o640, 0o664):
            save(path, OLD)
            path.chmod(mode)
            save(path, NEW)
            assert stat.S_IMODE(path.stat().st_mode) == mode

    def test_that_was_empty_gives_the_mode_of_the_process(self, tmp_path):
        old = os.umask(0o027)
        try:
            save(tmp_path / "a.npz", OLD)
        finally:
            os.umask(old)
        assert stat.S_IMODE((tmp_path / "a.npz").stat().st_mode) == 0o640

    def test_is_found_through_a_link_which_stays(self, tmp_path):
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "real" / "a.npz")
        save(tmp_path / "link", OLD)
        save(tmp_path / "link", NEW)
        assert (tmp_path / "link").is_symlink()
        assert load(tmp_path / "real" / "a.npz").last["w"].all()
        assert os.listdir(tmp_path / "real") == ["a.npz"]

    def test_may_have_a_long_name_and_any_letters(self, tmp_path):
        for name in ("重" * 80, "x" * 250, "a b.ckpt"):
            save(tmp_path / name, OLD)
            assert load(tmp_path / name).last["w"].shape == (1000,)


class TestTemporaryFiles:
    def left(self, folder, name, process, host=None):
        path = folder / f".{name}.{disk._host() if host is None else host}.{process}.0123abcd.tmp"
        path.write_bytes(b"half")
        return path

    def gone(self):
        done = subprocess.Popen([sys.executable, "-c", ""])
        done.wait()
        return done.pid

    def test_of_a_process_that_is_gone_are_removed_by_the_next_save_of_the_name(self, tmp_path):
        mine, other = self.left(tmp_path, "a.npz", self.gone()), self.left(tmp_path, "b.npz", self.gone())
        save(tmp_path / "a.npz", OLD)
        assert not mine.exists()
        assert other.exists()

    def test_of_a_process_that_lives_or_of_another_host_stay(self, tmp_path):
        kept = [
            self.left(tmp_path, "a.npz", os.getpid()),
            self.left(tmp_path, "a.npz", self.gone(), host="elsewhere"),
            self.left(tmp_path, "a.npz", "x1"),
        ]
        save(tmp_path / "a.npz", OLD)
        assert all(path.exists() for path in kept)


# --- kill -------------------------------------------------------------------------------------------------------------
KILLS = """
import os, random, signal, sys, time
import numpy as np
from minigrad.checkpoint import load, save

folder, trials, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
path, rng = os.path.join(folder, "a.npz"), random.Random(0)
save(path, {f"w{i}": np.zeros(size // 8) for i in range(2)}, step=0)
bad = left = 0
for trial in range(trials):
    child = os.fork()
    if child == 0:
        step = load(path).step
        while True:
            step += 1
            save(path, {f"w{i}": np.full(size // 8, float(step)) for i in range(2)}, step=step)
    time.sleep(rng.random() * 0.3)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    left = max(left, len(os.listdir(folder)) - 1)
    found = load(path)
    bad += any((a != found.step).any() for a in found.last.values())
save(path, {"w": np.zeros(1)})
print(bad, left, os.listdir(folder), found.step > 0)
"""


def killed(tmp_path, trials, size):
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", KILLS, str(tmp_path), str(trials), str(size)],
        capture_output=True, text=True, check=True, cwd=ROOT, env=environment,
    )  # fmt: skip
    bad, left, *rest = done.stdout.split(maxsplit=2)
    assert (bad, rest) == ("0", ["['a.npz'] True\n"])
    assert int(left) <= 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
class TestKill:
    def test_leaves_a_whole_file_and_at_most_one_other_which_the_next_save_removes(self, tmp_path):
        killed(tmp_path, 20, 2**20)

    @pytest.mark.slow
    def test_two_hundred_times_leaves_a_whole_file_of_16_megabytes(self, tmp_path):
        killed(tmp_path, 200, 2**23)
