"""Damaged and hostile files: refused with a reason, or equal in content; never a surprise, never much time or memory."""

import io
import json
import os
import pickle
import random
import re
import struct
import time
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from minigrad import losses
from minigrad.checkpoint import archive, content, load, save
from minigrad.checkpoint.disk import Refused
from minigrad.engine.errors import CheckpointError, UnknownLossError

MIB = 2**20
INFO = {
    "format": 1,
    "minigrad": "0.1.0",
    "epoch": 3,
    "step": 7,
    "rng": None,
    "loss": None,
    "optimizer": None,
    "run": {"x": [1, 2.5]},
}


def small():
    """The bytes of a checkpoint of about 1.8 kB."""
    rng = np.random.default_rng(0)
    arrays = {
        "weight": rng.standard_normal((4, 3)).astype(np.float32),
        "bias": np.zeros(3),
        "flags": np.array([True, False]),
    }
    return bytes(content._packed(arrays, {"bias": np.ones(3)}, None, None, None, 3, 7, {"x": [1, 2.5]}))


SMALL = small()


def seen(raw):
    """Everything that a reader sees of a file."""
    found = content._parsed(raw)
    weights = [
        {k: (v.dtype.str, v.shape, v.tobytes()) for k, v in (part or {}).items()} for part in (found.last, found.best)
    ]
    return repr((weights, found.optimizer, found.epoch, found.step, found.run, found.version, found.loss_record))


EXPECTED = seen(SMALL)


def outcome(raw):
    """refused, equal or different; anything but these is an error of the test."""
    try:
        return "equal" if seen(raw) == EXPECTED else "different"
    except Refused:
        return "refused"


# --- accidents --------------------------------------------------------------------------------------------------------
def test_every_truncation_is_refused():
    assert {outcome(SMALL[:n]) for n in range(len(SMALL))} == {"refused"}


def test_every_flipped_bit_is_refused_or_leaves_the_content_equal():
    found = {"refused": 0, "equal": 0, "different": 0}
    for i in range(len(SMALL)):
        for bit in range(8):
            raw = bytearray(SMALL)
            raw[i] ^= 1 << bit
            found[outcome(bytes(raw))] += 1
    assert found["different"] == 0
    assert found["refused"] > 0.7 * 8 * len(SMALL)


def edited(raw, rng):
    """A copy with a few random changes: bytes, insertions, deletions, copies, sizes."""
    raw = bytearray(raw)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        i = rng.randrange(len(raw))
        kind = rng.randrange(6)
        if kind == 0:
            raw[i] = rng.randrange(256)
        elif kind == 1:
            raw[i:i] = rng.randbytes(rng.choice((1, 2, 8, 64)))
        elif kind == 2:
            del raw[i : i + rng.choice((1, 2, 8, 64))]
        elif kind == 3:
            j = rng.randrange(len(raw))
            raw[i : i + 16] = raw[j : j + 16]
        elif kind == 4:
            raw[i : i + 4] = struct.pack("<L", rng.choice((0, 1, 2**16 - 1, 2**31 - 1, 2**32 - 1)))
        else:
            digits = [k for k, byte in enumerate(raw) if 48 <= byte <= 57]
            raw[rng.choice(digits)] = rng.choice(b"0123456789")
    return bytes(raw)


def with_new_crcs(raw):
    """The same bytes, with the checksum of every entry made right: what somebody does on purpose."""
    raw = bytearray(raw)
    for match in re.finditer(b"PK\x01\x02", raw):
        entry = match.start()
        if len(raw) < entry + 46:
            continue
        (size,) = struct.unpack("<24xL", raw[entry : entry + 28])
        (offset,) = struct.unpack("<L", raw[entry + 42 : entry + 46])
        if len(raw) < offset + 30:
            continue
        names, extra = struct.unpack("<2H", raw[offset + 26 : offset + 30])
        start = offset + 30 + names + extra
        raw[entry + 16 : entry + 20] = struct.pack("<L", zlib.crc32(raw[start : start + size]))
    return bytes(raw)


def fuzz(count, seed):
    rng = random.Random(seed)
    found = {"refused": 0, "equal": 0, "different": 0}
    longest = 0.0
    tracemalloc.start()
    try:
        for k in range(count):
            raw = edited(SMALL, rng)
            purpose = k % 2 == 1
            start = time.perf_counter()
            result = outcome(with_new_crcs(raw) if purpose else raw)
            longest = max(longest, time.perf_counter() - start)
            assert purpose or result != "different", f"edit {k}"
            found[result] += 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * MIB
    assert longest < 1
    return found


def test_random_edits_are_refused_or_equal_and_with_new_checksums_stay_within_the_limits():
    found = fuzz(2_000, seed=0)
    assert found["refused"] > 1_500
    assert found["different"] > 0  # who recomputes the checksums may change numbers: that is no accident


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_very_many_random_edits_are_refused_or_equal(seed):
    fuzz(2_000, seed=100 + seed)


# --- hostile files ----------------------------------------------------------------------------------------------------
def entry(array, *, header=None, version=(1, 0)):
    """The bytes of one .npy entry, with a header of its own if wanted."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), version=version)
    if header is None:
        return buffer.getvalue()
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + np.asarray(array).tobytes()


def as_json(info, names):
    text = info if isinstance(info, bytes) else json.dumps({**info, "arrays": names}).encode()
    return entry(np.frombuffer(text, np.uint8))


def zipped(entries, *, compression=zipfile.ZIP_STORED, comment=b""):
    """An archive of (file name, bytes) pairs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, data in entries:
            file.writestr(zipfile.ZipInfo(name), data, compression)
        file.comment = comment
    return buffer.getvalue()


def made(entries, info=INFO, names=None, **more):
    """A checkpoint with these entries beside a right JSON part."""
    listed = [name.removesuffix(".npy") for name, _ in entries] if names is None else names
    return zipped([("minigrad.npy", as_json(info, listed)), *entries], **more)


def with_info(**changes):
    return made([("last/w.npy", entry(np.ones(2)))], {**INFO, **changes})


def with_text(text):
    return made([("last/w.npy", entry(np.ones(2)))], text)


def with_header(header, array=np.ones(2)):
    return made([("last/w.npy", entry(array, header=header))])


def plain(shape="(2,)", descr="'<f8'", fortran="False"):
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"


def pickled(path):
    return pickle.dumps(Canary(path))


class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def objects(path):
    data = pickled(path)
    text = plain("()", "'|O'").encode() + b"\n"
    return made([("last/w.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data)])


def overlapping():
    """Two names for the same bytes."""
    raw = bytearray(made([("last/a.npy", entry(np.ones(2))), ("last/b.npy", entry(np.ones(2)))]))
    directory = [m.start() for m in re.finditer(b"PK\x01\x02", raw)]
    raw[directory[2] + 42 : directory[2] + 46] = raw[directory[1] + 42 : directory[1] + 46]
    raw[directory[2] + 16 : directory[2] + 28] = raw[directory[1] + 16 : directory[1] + 28]
    return bytes(raw)


def bomb():
    return made([("last/w.npy", entry(np.zeros(MIB)))], compression=zipfile.ZIP_DEFLATED)


def encrypted():
    raw = bytearray(SMALL)
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for match in re.finditer(re.escape(signature), SMALL):
            raw[match.start() + place] |= 1
    return bytes(raw)


def unmarked():
    """An archive in which an entry does not begin with the mark of one."""
    raw = bytearray(SMALL)
    raw[SMALL.index(b"PK\x03\x04", 4) + 2] ^= 1
    return bytes(raw)


def inner():
    """A whole archive inside an array of one that was cut behind it."""
    outside = made([("last/w.npy", entry(np.frombuffer(SMALL, np.uint8))), ("last/x.npy", entry(np.ones(2)))])
    return outside[: outside.index(SMALL) + len(SMALL)]


def many(count):
    data = entry(np.ones(1))
    return made([(f"last/{i}.npy", data) for i in range(count)])


def tiny_directory(count):
    """An archive whose directory has far more entries than its end says."""
    raw = made([("last/w.npy", entry(np.ones(2)))])
    offset = raw.index(b"PK\x01\x02")
    size = len(raw) - 22 - offset
    extra = (b"PK\x01\x02" + bytes(42)) * count
    end = bytearray(raw[-22:])
    end[12:16] = struct.pack("<L", size + len(extra))
    return raw[: offset + size] + extra + bytes(end)


def loose():
    """An archive with bytes between its last entry and its directory."""
    raw = bytearray(made([("last/w.npy", entry(np.ones(2)))]))
    offset = raw.index(b"PK\x01\x02")
    raw[-6:-2] = struct.pack("<L", offset + 5)
    raw[offset:offset] = b"#!sh\n"
    return bytes(raw)


def philox(**changes):
    state = {"counter": ["0"] * 4, "key": ["1", "2"]}
    rng = {
        "bit_generator": "Philox",
        "state": state,
        "buffer": ["0"] * 4,
        "buffer_pos": "4",
        "has_uint32": "0",
        "uinteger": "0",
    }
    return with_info(rng=rng | changes)


DEEP = b"[" * 200_000 + b"]" * 200_000
HOSTILE = {
    "a list in place of the fields": (with_text(b"[1, 2]"), "JSON that is no object"),
    "JSON of 200,000 nested lists": (with_text(b'{"a": ' + DEEP + b"}"), "RecursionError"),
    "an integer of 900,000 digits": (
        with_text(b'{"a": ' + b"9" * 900_000 + b"}"),
        "JSON with a number of 900000 digits",
    ),
    "more than 1 MiB of JSON": (
        with_text(b'{"a": "' + b"x" * (2**20 - 8) + b'"}'),
        "more than 1,048,576 bytes of JSON",
    ),
    "a key twice": (with_text(b'{"a": 1, "a": 2}'), "JSON with a key twice"),
    "NaN in JSON": (with_text(b'{"a": NaN}'), "JSON with NaN"),
    "Infinity in JSON": (with_text(b'{"a": -Infinity}'), "JSON with -Infinity"),
    "1e999 in JSON": (with_text(b'{"a": 1e999}'), "JSON with the number 1e999"),
    "a byte-order mark": (with_text(b"\xef\xbb\xbf{}"), "JSONDecodeError"),
    "JSON that is not UTF-8": (with_text(b'{"a": "\xff"}'), "UnicodeDecodeError"),
    "an unknown field": (with_info(more=1), "they must be those of format 1"),
    "a missing field": (with_text(b'{"format": 1, "arrays": ["last/w"]}'), "they must be those of format 1"),
    "a newer format": (with_info(format=2, more=1), "format 2; this minigrad reads up to 1, take a newer one"),
    "a format that is no number": (with_info(format=True), "format True; they must be those of format 1"),
    "an epoch below 0": (with_info(epoch=-1), "epoch -1; it must be a whole number ≥ 0"),
    "a step that is text": (with_info(step="1"), "step '1'; it must be a whole number ≥ 0"),
    "a version that is no text": (with_info(minigrad=1), "fields of another kind"),
    "a run that is a list": (with_info(run=[]), "fields of another kind"),
    "an array that stands for another": (with_info(run={"x": {"array": "last/w"}}), "out of its place 'run/x'"),
    "an array that is not there": (with_info(run={"x": {"array": "run/x"}}), "out of its place 'run/x'"),
    "an array without a place": (made([("run/w.npy", entry(np.ones(2)))]), "an array 'run/w' without a place"),
    "a generator that is a module": (with_info(rng={"bit_generator": "os"}), "an rng of kind"),
    "a generator without a state": (with_info(rng={"bit_generator": "PCG64"}), "an rng with a state that is none"),
    "a generator with a state of numbers": (
        with_info(rng={"bit_generator": "PCG64", "state": {"state": 1, "inc": 2}, "has_uint32": "0", "uinteger": "0"}),
        "an rng with a state that is none: no whole number: 1",
    ),
    "a generator with a state too large": (
        with_info(
            rng={"bit_generator": "PCG64", "state": {"state": "9" * 40, "inc": "2"}, "has_uint32": "0", "uinteger": "0"}
        ),
        "an rng with a state that is none",
    ),
    "a generator with a buffer of another length": (
        philox(buffer=["0"]),
        "an rng with a state that is none: another length",
    ),
    "a generator with digits of another alphabet": (
        philox(buffer_pos="٤"),
        "an rng with a state that is none: no whole number",
    ),
    "a generator with a field too many": (philox(more="1"), "an rng with a state that is none: other fields"),
    "a loss that is text": (with_info(loss="os.system('x')"), "a loss with other fields"),
    "objects": (objects("canary"), "with a header that numpy.save does not write"),
    "a compressed entry": (bomb(), "a compressed or encrypted entry 'minigrad'"),
    "entries that overlap": (overlapping(), "that is out of place"),
    "an encrypted entry": (encrypted(), "a compressed or encrypted entry 'minigrad'"),
    "an entry that steps up": (made([("../../x.npy", entry(np.ones(2)))]), "a name that looks like a path: '../../x'"),
    "an entry that steps up inside": (made([("last/../../x.npy", entry(np.ones(2)))]), "a name that looks like a path"),
    "an absolute entry": (made([("/x.npy", entry(np.ones(2)))]), "a name that looks like a path: '/x'"),
    "a backslash": (made([("last/..\\x.npy", entry(np.ones(2)))]), "a name that looks like a path"),
    "an escape sequence in a name": (
        made([("last/\x1b[31m.npy", entry(np.ones(2)))]),
        "a name with control characters",
    ),
    "a name too many": (made([("last/w.npy", entry(np.ones(2)))], names=[]), "entries other than those that it lists"),
    "a name too few": (
        made([("last/w.npy", entry(np.ones(2)))], names=["last/w", "last/x"]),
        "entries other than those that it lists",
    ),
    "a name listed twice": (
        made([("last/w.npy", entry(np.ones(2)))], names=["last/w", "last/w"]),
        "entries other than those",
    ),
    "names that are numbers": (
        made([("last/w.npy", entry(np.ones(2)))], names=[1]),
        "entries other than those that it lists",
    ),
    "an entry that is no array": (made([("last/w.txt", entry(np.ones(2)))]), "out of place, there twice, or no array"),
    "no entry 'minigrad'": (
        zipped([("last/w.npy", entry(np.ones(2)))]),
        "no entry 'minigrad' at its start but 'last/w'",
    ),
    "an entry 'minigrad' of floats": (
        zipped([("minigrad.npy", entry(np.ones(2)))]),
        "an entry 'minigrad' that is no text",
    ),
    "nothing but an end": (zipped([]), "no whole .npz archive"),
    "a shape of 10¹²": (
        with_header(plain("(1000000000000,)")),
        "with a shape (1000000000000,) that does not fit its bytes",
    ),
    "a shape that overflows": (with_header(plain("(4294967296, 4294967296, 1)")), "that does not fit its bytes"),
    "a shape that overflows to the right size": (
        with_header(plain("(2305843009213693954, 8)")),
        "that does not fit its bytes",
    ),
    "a shape below the bytes": (with_header(plain("(1,)")), "with a shape (1,) that does not fit its bytes"),
    "a negative side": (with_header(plain("(-2,)")), "with a header that numpy.save does not write"),
    "a truth value as a side": (with_header(plain("(True, 2)")), "with a header that numpy.save does not write"),
    "100 axes": (with_header(plain("(" + "1, " * 99 + "2)")), "of dtype <f8 and 100 axes"),
    "a header that is an expression": (with_header(plain("(1+1,)")), "with a header that numpy.save does not write"),
    "a header that calls": (with_header("__import__('os').system('touch canary')"), "with a header that numpy.save"),
    "9,000 open brackets": (with_header("(" * 9_000), "with a header that numpy.save does not write"),
    "9,000 digits": (with_header(plain("(" + "9" * 9_000 + ",)")), "with a header that numpy.save does not write"),
    "3,000 axes": (with_header(plain("(" + "1, " * 3_000 + "2)")), "of dtype <f8 and 3001 axes"),
    "a header of 60,000 bytes": (with_header(plain() + " " * 60_000), "with a header that numpy.save does not write"),
    "a structured dtype": (with_header(plain(descr="[('x', '<f8')]")), "with a header that numpy.save does not write"),
    "a dtype that is not kept": (with_header(plain("(4,)", "'<i4x'")), "with a header that numpy.save does not write"),
    "float16": (with_header(plain("(8,)", "'<f2'")), "of dtype <f2"),
    "big endian": (with_header(plain(descr="'>f8'")), "with a header that numpy.save does not write"),
    "version 2": (
        made([("last/w.npy", entry(np.ones(2), version=(2, 0)))]),
        "with a header that numpy.save does not write",
    ),
    "version 3": (
        made([("last/w.npy", entry(np.ones(2), version=(3, 0)))]),
        "with a header that numpy.save does not write",
    ),
    "an entry of 3 bytes": (made([("last/w.npy", b"abc")]), "error: unpack requires a buffer of 10 bytes"),
    "a header longer than the entry": (
        made([("last/w.npy", entry(np.ones(2))[:40])]),
        "with a header that numpy.save does not write",
    ),
    "truth values of 2": (
        with_header(plain("(2,)", "'|b1'"), np.array([1, 2], np.uint8)),
        "with truth values other than 0 and 1",
    ),
    "an archive behind a prefix": (b"#!/bin/sh\n" + SMALL, "no whole .npz archive"),
    "an archive behind another": (SMALL + SMALL, "with parts before, behind or between"),
    "an archive in a cut one": (inner(), "with parts before, behind or between"),
    "bytes behind the archive": (SMALL + b"x", "no whole .npz archive"),
    "an entry without its mark": (unmarked(), "that is out of place"),
    "bytes between the entries": (loose(), "bytes between its entries"),
    "an end that promises a comment": (SMALL[:-2] + b"\x01\x00", "with parts before, behind or between"),
    "a comment": (made([], comment=b"hello"), "no whole .npz archive"),
    "a count that is wrong": (SMALL[:-14] + b"\x01\x00" * 2 + SMALL[-10:], "a directory that does not fit its count"),
    "a directory of 200,000 entries": (tiny_directory(200_000), "a directory that does not fit its count"),
    "10,001 entries": (many(10_001), "10,002 entries; the limit is 10,000"),
    "a pickle": (pickled("canary"), "no whole .npz archive"),
    "nothing": (b"", "no whole .npz archive"),
    "21 bytes": (SMALL[-21:], "no whole .npz archive"),
    "an end alone": (SMALL[-22:], "no whole .npz archive"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_its_reason_in_little_time_and_memory(tmp_path, monkeypatch, name):
    raw, said = HOSTILE[name]
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hostile.npz"
    path.write_bytes(raw)
    tracemalloc.start()
    start = time.perf_counter()
    try:
        with pytest.raises(CheckpointError, match=re.escape(said)) as caught:
            load(path)
        peak, seconds = tracemalloc.get_traced_memory()[1], time.perf_counter() - start
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert message.startswith(f"load: expected a whole checkpoint, got {str(path)!r}: ")
    assert message.endswith("; save it again, or take another file")
    assert message.isprintable()
    assert peak < 3 * len(raw) + 64 * MIB
    assert seconds < 3
    assert os.listdir(tmp_path) == ["hostile.npz"]  # no canary, nothing extracted


def test_the_files_of_this_test_would_be_read_if_they_were_right(tmp_path):
    for raw in (made([("last/w.npy", entry(np.ones(2)))]), with_info(), with_header(plain()), philox(), many(10_000)):
        (tmp_path / "a.npz").write_bytes(raw)
        assert load(tmp_path / "a.npz").epoch == 3


def test_an_array_in_column_order_is_read_as_numpy_reads_it(tmp_path):
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    (tmp_path / "a.npz").write_bytes(made([("last/w.npy", entry(array))]))
    found = load(tmp_path / "a.npz").last["w"]
    assert found.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found.flags.c_contiguous


def test_an_empty_array_may_say_any_other_side(tmp_path):
    (tmp_path / "a.npz").write_bytes(with_header(plain("(0, 1000000000000)"), np.ones(0)))
    assert load(tmp_path / "a.npz").last["w"].shape == (0, 10**12)


# --- what is no file --------------------------------------------------------------------------------------------------
class TestNoFile:
    def test_a_folder_is_refused(self, tmp_path):
        with pytest.raises(CheckpointError, match="no regular file"):
            load(tmp_path)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
    def test_a_pipe_is_refused_without_waiting(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(CheckpointError, match="no regular file"):
            load(tmp_path / "pipe")
        with pytest.raises(OSError, match="No regular file"):
            save(tmp_path / "pipe", {})

    @pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no devices")
    def test_a_device_is_refused_and_stays(self):
        with pytest.raises(CheckpointError, match="no regular file"):
            load("/dev/zero")
        with pytest.raises(OSError, match="No regular file") as caught:
            save("/dev/null", {})
        assert caught.value.filename == "/dev/null"
        assert not os.path.isfile("/dev/null")

    def test_a_sparse_file_of_a_tebibyte_is_refused_unread(self, tmp_path):
        path = tmp_path / "sparse"
        with open(path, "wb") as file:
            file.write(SMALL[:4])
            try:
                file.truncate(2**40)
            except OSError:
                pytest.skip("no sparse files here")
        with pytest.raises(CheckpointError, match="1,099,511,627,776 bytes; the limit is 4 GiB"):
            load(path)
        os.truncate(path, 2**31)
        with pytest.raises(CheckpointError, match="no whole"):
            load(path)

    def test_a_link_to_a_file_is_read(self, tmp_path):
        (tmp_path / "a.npz").write_bytes(SMALL)
        (tmp_path / "link").symlink_to(tmp_path / "a.npz")
        assert load(tmp_path / "link").epoch == 3

    @pytest.mark.parametrize(
        "change", [lambda raw: raw + bytes(5), lambda raw: raw[:-1], lambda raw: raw[:50] + b"!" + raw[51:]]
    )
    def test_a_file_that_changes_while_it_is_read_is_refused(self, tmp_path, monkeypatch, change):
        path = tmp_path / "a.npz"
        path.write_bytes(SMALL)
        os.utime(path, ns=(0, 0))

        def check_ends(*ends):
            archive.check_ends(*ends)
            path.write_bytes(change(SMALL))

        monkeypatch.setattr(
            content, "archive", type("Archive", (), {"check_ends": check_ends, "unpacked": archive.unpacked})
        )
        with pytest.raises(CheckpointError, match="a file that changed while it was read"):
            load(path)


# --- valid files with a purpose ---------------------------------------------------------------------------------------
def record(**changes):
    return {"name": "mse", "parameters": {}, "learned": [], "options": {}, "parts": [], "pack": "minigrad",
            "distribution": "", "version": ""} | changes  # fmt: skip


class TestAValidFile:
    @pytest.mark.parametrize(
        "name", ["os:system", "../x.py:f", "nopack:mse", "os.system", "mse(", "__import__('os')", "", "a\x1b[31m"]
    )
    def test_that_names_a_strange_loss_gives_its_arrays_and_imports_nothing(self, tmp_path, monkeypatch, name):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "x.py").write_text("open('canary', 'w')")
        (tmp_path / "a.npz").write_bytes(with_info(loss=record(name=name, pack=name)))
        with losses.isolated():
            found = load("a.npz")
            assert found.last["w"].tolist() == [1, 1]
            with pytest.raises(UnknownLossError, match="which this checkpoint names") as caught:
                found.loss()
        assert str(caught.value).isprintable()
        assert sorted(os.listdir(tmp_path)) == ["a.npz", "x.py"]

    @pytest.mark.parametrize(
        "changes",
        [
            {"parameters": {"delta": "1"}},
            {"options": {"reduction": "no"}},
            {"options": {"class_weight": [1, 2]}},
            {"parts": [[1, record()], [1, record(name="cross_entropy")]]},
            {"parts": [[True, record()]]},
        ],
    )
    def test_whose_loss_cannot_be_built_says_so(self, tmp_path, changes):
        (tmp_path / "a.npz").write_bytes(with_info(loss=record(**changes)))
        with pytest.raises(CheckpointError, match="as it was saved, got another loss of that name"):
            load(tmp_path / "a.npz").loss()

    @pytest.mark.parametrize(
        "changes",
        [
            {"learned": ["scale"]},
            {"learned": [["scale"]]},
            {"parameters": {"scale": 1.0}, "learned": ["scale"]},
            {"name": 3},
            {"parts": [3]},
            {"parts": [["1", record()]]},
            {"parts": [[1, record(name=None)]]},
            {"parts": {}},
            {"version": None},
            {"more": 1},
        ],
    )
    def test_whose_loss_is_none_is_refused(self, tmp_path, changes):
        (tmp_path / "a.npz").write_bytes(with_info(loss=record(**changes)))
        with pytest.raises(CheckpointError, match="load: expected a whole checkpoint"):
            load(tmp_path / "a.npz")

    def test_with_escapes_in_its_text_is_shown_escaped(self, tmp_path):
        raw = with_info(
            minigrad="\x1b[31m<b>[red]", loss=record(name="p:x", pack="\x1b[2J", distribution="\x1b]0;\x07")
        )
        (tmp_path / "a.npz").write_bytes(raw)
        found = load(tmp_path / "a.npz")
        assert repr(found).isprintable()
        with pytest.raises(UnknownLossError) as caught:
            found.loss()
        assert str(caught.value).isprintable()
