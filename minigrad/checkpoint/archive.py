"""The format: an .npz of stored arrays, as numpy.savez writes it, whose first entry `minigrad` is JSON in uint8.

What is read is parsed here and nowhere else, out of one byte string: every length is compared with the bytes that are
there before anything is made of it. No pickle, no literal, no code, no path. The bytes are

    entry (minigrad.npy) entry entry … directory end        entry = 30 bytes, its name, padding, header, numbers

and they must fill the file: an archive may hide nothing before, behind or between its entries, and no two entries may
share bytes. A checksum finds accidents; who changes a file on purpose can make it right again, and gets other numbers.
"""

from __future__ import annotations

import io
import json
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad.checkpoint.disk import Refused
from minigrad.engine.tensor import Tensor

Array = Any
ENTRIES, NAME, JSON, FILE = 10_000, 512, 2**20, 2**32 - 2**16  # the most that a checkpoint may have
DTYPES = {"<f8": 8, "<f4": 4, "<i8": 8, "<i4": 4, "|u1": 1, "|b1": 1}
SECTIONS = ("last", "best", "loss", "optimizer", "run")
SHAPE = rb"\(((?:\d{1,19}, )*\d{1,19},?)?\)"
HEADER = re.compile(rb"\{'descr': '([<|]\w\d)', 'fortran_order': (True|False), 'shape': " + SHAPE + rb", \} *\n")


def check_name(name: str) -> str:
    """A name that may stand in a checkpoint: section/rest, of printable characters, no step up."""
    section, _, rest = name.partition("/")
    if not 1 <= len(rest) <= NAME:
        raise Refused(f"a name of {len(rest)} characters: {rest!r:.60}; it must have 1 to {NAME}")
    if not name.isprintable():
        raise Refused(f"a name with control characters: {rest!r:.60}")
    if section not in SECTIONS or not {"", ".", ".."}.isdisjoint(rest.split("/")) or "\\" in name:
        raise Refused(f"a name that looks like a path: {name!r:.60}")
    return name


# --- writing ----------------------------------------------------------------------------------------------------------
def packed(arrays: Mapping[str, Any], info: dict[str, Any]) -> memoryview:
    """The bytes of a checkpoint; the same input gives the same bytes.

    Raises:
        Refused: an array, a name or a part of `info` that cannot be saved, or more than the limits.
    """
    if len(arrays) > ENTRIES:
        raise Refused(f"{len(arrays):,} arrays; the limit is {ENTRIES:,}")
    ready = {check_name(name): check_array(name, value) for name, value in arrays.items()}
    try:
        text = json.dumps({**info, "arrays": list(ready)}, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise Refused(f"text that is no Unicode: {error}") from error
    if len(text) > JSON:
        raise Refused(f"{len(text):,} bytes of numbers and text besides the arrays; the limit is {JSON:,}")
    buffer, size = io.BytesIO(), sum(a.nbytes for a in ready.values())
    if size <= FILE:
        np.savez(buffer, minigrad=np.frombuffer(text, np.uint8), **ready)
    if max(size, buffer.tell()) > FILE:
        raise Refused(f"{size:,} bytes of arrays; the limit is 4 GiB")
    return buffer.getbuffer()


def check_array(name: str, value: Any) -> Array:
    """The array in C order and with its low byte first, so that equal arrays give equal bytes.

    Raises:
        Refused: it is no regular array of a dtype that is kept.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise Refused(f"{name}: a masked array; fill it first")
    try:
        array = np.asarray(value.data if isinstance(value, Tensor) else value)
    except ValueError as error:
        raise Refused(f"{name}: no regular array: {error}") from error
    if array.dtype.newbyteorder("<").str not in DTYPES:
        raise Refused(f"{name}: dtype {array.dtype}; kept are float64, float32, int64, int32, uint8 and bool")
    if array.ndim > 32:
        raise Refused(f"{name}: {array.ndim} axes; the limit is 32")
    if array.nbytes > FILE:
        raise Refused(f"{name}: {array.nbytes:,} bytes; the limit is 4 GiB")
    return np.array(array, array.dtype.newbyteorder("<"), order="C", copy=None)


# --- reading ----------------------------------------------------------------------------------------------------------
def check_ends(start: bytes, end: bytes, size: int) -> None:
    """Refuse, from its ends alone, what cannot be such an archive."""
    if size > FILE:
        raise Refused(f"{size:,} bytes; the limit is 4 GiB")
    if len(end) < 22 or start != b"PK\x03\x04" or end[:4] != b"PK\x05\x06":
        raise Refused("no whole .npz archive")
    disk, first, here, count, length, offset, comment = struct.unpack("<4H2LH", end[4:])
    if disk or first or comment or here != count or offset + length + 22 != size:
        raise Refused("an archive with parts before, behind or between")
    if not 1 <= count <= ENTRIES + 1:
        raise Refused(f"{count:,} entries; the limit is {ENTRIES:,}")


def unpacked(raw: bytes) -> tuple[dict[str, Array], dict[str, Any]]:
    """Arrays by name, and the JSON part, out of the bytes of a checkpoint.

    Raises:
        Refused: what does not keep to the format; or whatever zipfile, json or struct raise.
    """
    entries = _entries(raw)
    names = list(entries)
    if names[0] != "minigrad":
        raise Refused(f"no entry 'minigrad' at its start but {names[0]!r:.60}; a checkpoint of another program")
    text = _array("minigrad", entries.pop("minigrad"))
    if text.dtype != np.uint8 or text.ndim != 1:
        raise Refused("an entry 'minigrad' that is no text")
    if len(text) > JSON:
        raise Refused(f"more than {JSON:,} bytes of JSON")
    info = _json(text.tobytes())
    if info.pop("arrays", None) != [check_name(name) for name in names[1:]]:
        raise Refused("entries other than those that it lists")
    return {name: _array(name, data) for name, data in entries.items()}, info


def _entries(raw: bytes) -> dict[str, memoryview]:
    """The contents of a stored archive by name, in the order of the file: the entries lie side by side and fill it.

    zipfile reads the directory alone, once its size fits the count in the end record; where an entry begins and ends is
    computed here, and must be where the directory says.
    """
    check_ends(raw[:4], raw[-22:], len(raw))
    count, length, offset = struct.unpack("<HLL", raw[-12:-2])
    if raw.count(b"PK\x01\x02", offset, offset + length) > 2 * count or raw[-42:-38] == b"PK\x06\x07":
        raise Refused("a directory that does not fit its count")
    infos = sorted(zipfile.ZipFile(io.BytesIO(raw)).infolist(), key=lambda info: info.header_offset)
    found: dict[str, memoryview] = {}
    place = 0
    for info in infos:
        name, local = info.filename.removesuffix(".npy"), struct.unpack("<4s22x2H", raw[place : place + 30])
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size or info.flag_bits & ~0x800:
            raise Refused(f"a compressed or encrypted entry {name!r:.60}")
        if info.header_offset != place or local[0] != b"PK\x03\x04" or name in found or name == info.filename:
            raise Refused(f"an entry {name!r:.60} that is out of place, there twice, or no array")
        start = place + 30 + local[1] + local[2]
        place = start + info.file_size
        found[name] = memoryview(raw)[start:place]
        if place > offset or zlib.crc32(found[name]) != info.CRC:
            raise Refused(f"an entry {name!r:.60} that is damaged")
    if place != offset or len(found) != count:
        raise Refused("bytes between its entries")
    return found


def _array(name: str, data: memoryview) -> Array:
    """A copy of the array of one entry: the text that numpy.save writes before it is matched, never evaluated.

    Nothing is allocated before the shape that it promises is known to be that of the bytes that are there.
    """
    magic, length = struct.unpack("<8sH", data[:10])
    header = HEADER.fullmatch(data[10 : 10 + length]) if length <= 10_000 else None
    if magic != b"\x93NUMPY\x01\x00" or header is None:
        raise Refused(f"{name!r:.60} with a header that numpy.save does not write")
    descr, fortran, sides = header[1].decode(), header[2] == b"True", header[3] or b""
    shape = tuple(int(side) for side in sides.split(b",") if side)
    if descr not in DTYPES or len(shape) > 32:
        raise Refused(f"{name!r:.60} of dtype {descr} and {len(shape)} axes")
    if math.prod(shape) * DTYPES[descr] != len(data) - 10 - length:
        raise Refused(f"{name!r:.60} with a shape {shape!s:.60} that does not fit its bytes")
    array = np.frombuffer(data, descr, offset=10 + length)
    if descr == "|b1" and (array.view(np.uint8) > 1).any():
        raise Refused(f"{name!r:.60} with truth values other than 0 and 1")
    return array.reshape(shape, order="F" if fortran else "C").copy()


# --- strict JSON ------------------------------------------------------------------------------------------------------
def _json(text: bytes) -> dict[str, Any]:
    found = json.loads(
        text.decode(), object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_int
    )
    if not isinstance(found, dict):
        raise Refused("JSON that is no object")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a key that stands twice, readers of JSON take one or the other."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Refused("JSON with a key twice")
    return found


def _constant(text: str) -> Any:
    raise Refused(f"JSON with {text}")


def _float(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise Refused(f"JSON with the number {text:.20}")
    return value


def _int(text: str) -> int:
    if len(text) > 20:
        raise Refused(f"JSON with a number of {len(text)} digits")
    return int(text)
