"""Files, whole or not at all: what is written replaces the old file in one step, what is read is read once.

Neither the owner nor access lists nor hard links of a replaced file are kept; its mode is.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import Any

Path = str | os.PathLike[str]


class Refused(Exception):
    """A reason why a file, or what is to be saved, is no checkpoint; `save` and `load` make a CheckpointError of it."""


# --- writing ----------------------------------------------------------------------------------------------------------
def write(path: Path, data: Any) -> None:
    """Put bytes in the place of a file: afterwards it holds either all of them or what it held before.

    They go to a temporary file in the same folder, which reaches the disk before it takes the name. A link is followed.

    Raises:
        OSError: the file system refuses; the error has the path, and no temporary file is left.
    """
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    mine = f".{name[:40]}.{_host()}."
    temporary = os.path.join(folder, f"{mine}{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        mode = check_place(target)
        _tidy(folder, mine)
        _write_new(temporary, data, mode)
        os.replace(temporary, target)
        _sync(folder)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from None
        raise


def check_place(path: Path) -> int | None:
    """The mode of the file that is there, or None; an OSError where none can be written."""
    target = os.path.realpath(path)
    if not os.path.isdir(os.path.dirname(target)):
        raise FileNotFoundError(errno.ENOENT, "No such folder", os.fspath(path))
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "No regular file", os.fspath(path))
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
    return stat.S_IMODE(mode) & 0o777


def _write_new(path: str, data: Any, mode: int | None) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        if mode is not None:
            os.chmod(path, mode)
        rest = memoryview(data)
        while rest:
            if (count := os.write(file, rest)) <= 0:
                raise OSError(errno.EIO, "Nothing was written", path)
            rest = rest[count:]
        os.fsync(file)
    except BaseException:
        with suppress(OSError):
            os.close(file)
        raise
    os.close(file)


def _sync(folder: str) -> None:
    """Let the new name reach the disk too, where folders can be synced."""
    if os.name != "posix":
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(file)


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", platform.node())[:60]


def _tidy(folder: str, mine: str) -> None:
    """Remove the temporary files of this name that processes of this host left when they were killed.

    Those of other hosts stay: on a shared disk nobody can say from here whether their process lives.
    """
    with suppress(OSError):
        for entry in os.listdir(folder):
            found = (
                re.fullmatch(r"(\d{1,9})\.[0-9a-f]+\.tmp", entry.removeprefix(mine)) if entry.startswith(mine) else None
            )
            if found and _gone(int(found[1])):
                with suppress(OSError):
                    os.unlink(os.path.join(folder, entry))


def _gone(process: int) -> bool:
    if os.name != "posix":
        return False  # there signal 0 would not ask, but end it
    try:
        os.kill(process, 0)
    except OSError as error:
        return error.errno == errno.ESRCH
    return False


# --- reading ----------------------------------------------------------------------------------------------------------
def read(path: Path, check_ends: Callable[[bytes, bytes, int], None]) -> bytes:
    """All bytes of a regular file, read once.

    Args:
        path: of the file; a link to one is fine.
        check_ends: called with the first 4 and the last 22 bytes and the size, before the rest is read; it may refuse.

    Raises:
        OSError: the file system refuses.
        Refused: no regular file, or one that changed meanwhile.
    """
    file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        before = os.fstat(file)
        if not stat.S_ISREG(before.st_mode):
            raise Refused("no regular file")
        start = os.read(file, 4)
        os.lseek(file, max(before.st_size - 22, 0), os.SEEK_SET)
        check_ends(start, os.read(file, 22), before.st_size)
        os.lseek(file, 0, os.SEEK_SET)
        with os.fdopen(os.dup(file), "rb") as stream:
            raw = stream.read(before.st_size + 1)
        after = os.fstat(file)
    finally:
        os.close(file)
    if len(raw) != before.st_size or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise Refused("a file that changed while it was read")
    return raw
