"""NumPy's .npz: a zip archive of arrays. Nothing in it is ever unpickled.

Stored members are read in place, a run of rows at a time. A compressed member is decompressed as a stream, 1 MiB at a
time; at every 16 MiB of it the state of the decompressor is kept (about 48 KiB), so runs of rows may be read in any
order. The archive's checksums are not compared: only rows that are asked for are read.

The rows of an array in column order (`numpy.savez` of a transposed one) are spread over all of it: the array is held
whole while it is read.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections import Counter
from contextlib import ExitStack
from io import BytesIO
from math import prod
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.errors import SourceError
from fourcc.files.read import ReadFile
from fourcc.geometry import split_shape
from fourcc.plugins.registry import registry
from fourcc.sources.extent import Extent, refuse_other_than_truth, single_part
from fourcc.sources.source import Source, SourceTensor

KIND = "npz"
MAX_HEADER = 1 << 16  # of an array's header
MAX_COLUMN_ORDER = 1 << 31  # bytes of an array that must be held whole
DEFLATE_RATIO = 1032  # no deflate stream expands to more times its length

_LOCAL = struct.Struct("<4s22xHH")  # of a member: magic, lengths of its name and of an extra field
_MAGIC = b"PK\x03\x04"
_WINDOW = 1 << 16  # compressed bytes read at once
_STEP = 1 << 20  # bytes decompressed at once
_STATE_EVERY = 16 << 20


def recognises(path: Path, head: bytes) -> bool:  # noqa: ARG001 - every kind's signature
    """Whether it is a zip archive whose first member is an array."""
    if not head.startswith(_MAGIC) or len(head) < _LOCAL.size:
        return False
    length = _LOCAL.unpack_from(head)[1]
    return head[_LOCAL.size : _LOCAL.size + length].endswith(b".npy")


def open_npz(path: Path) -> Source:
    """An .npz archive as a source.

    Raises:
        SourceError: the archive is damaged, or a member is no plain array that can be read row by row.
    """
    with ExitStack() as stack:
        file = ReadFile(path, SourceError)
        stack.callback(file.close)
        tensors = [_tensor(_Member(file, info)) for info in _directory(file)]
        return Source(path=path, kind=KIND, tensors=tuple(tensors), files=(path,), close=stack.pop_all().close)


def _directory(file: ReadFile) -> list[zipfile.ZipInfo]:
    file.fill()
    with os.fdopen(os.dup(file.fd), "rb") as stream:
        try:
            members = zipfile.ZipFile(stream).infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
            raise SourceError(f"the archive's directory is damaged: {error}", file=file.path) from error
    for name, count in Counter(member.filename for member in members).items():
        if count > 1:
            raise SourceError(f"{count} members have this name", file=file.path, tensor=name)
    return members


class _Member:
    """One array of the archive: the bytes of its .npy file, at any position."""

    def __init__(self, file: ReadFile, info: zipfile.ZipInfo) -> None:
        self.file, self.info, self.path = file, info, file.path
        self.name, self.nbytes = info.filename.removesuffix(".npy"), info.file_size
        if self.name == info.filename:
            raise self.refusal("a member that is no .npy array")
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self.refusal("a member that is encrypted, or compressed in another way than by deflate")
        self._start = self._find_start()
        self._inflated: _Inflated | None = None
        if info.compress_type == zipfile.ZIP_DEFLATED:
            if self.nbytes > DEFLATE_RATIO * (info.compress_size + 1):
                raise self.refusal("so few compressed bytes cannot hold the array", f"{self.nbytes} bytes")
            self._inflated = _Inflated(self, self._start, info.compress_size)
        elif self.nbytes != info.compress_size:
            raise self.refusal("the archive's directory contradicts itself", info.compress_size, self.nbytes)

    def _find_start(self) -> int:
        """The byte at which the member's data begin, behind its local header."""
        at, size = self.info.header_offset, self.file.size
        if not 0 <= at <= size - _LOCAL.size:
            raise self.refusal("the archive's directory points beyond the file", at)
        magic, name, extra = _LOCAL.unpack(self.file.read(at, _LOCAL.size))
        start: int = at + _LOCAL.size + name + extra
        if magic != _MAGIC or start + self.info.compress_size > size:
            raise self.refusal("the archive's directory points to no member, or the member is cut", at)
        return start

    def read(self, offset: int, count: int) -> bytearray:
        """Exactly `count` bytes. Raises SourceError where the member ends before."""
        if self._inflated is not None:
            return self._inflated.read(offset, count)
        return self.file.read(self._start + offset, count)

    def refusal(self, what: str, found: object = None, expected: object = None, hint: str | None = None) -> SourceError:
        """The error for this member."""
        return SourceError(
            what,
            file=self.file.path,
            tensor=self.name,
            offset=self.info.header_offset,
            found=found,
            expected=expected,
            hint=hint,
        )


class _Inflated:
    """A deflate stream, read from any position: it is decompressed from the nearest state that was kept."""

    def __init__(self, member: _Member, start: int, packed: int) -> None:
        self._member, self._start, self._packed = member, start, packed
        self._lock = Lock()
        self._states = {0: (0, zlib.decompressobj(-zlib.MAX_WBITS))}  # position -> packed bytes eaten, state
        self._last = (0, *self._states[0])  # position, eaten, state: where the last read ended

    def read(self, offset: int, count: int) -> bytearray:
        """Exactly `count` bytes."""
        with self._lock:
            at, eaten, kept = self._nearest(offset)
            state, data = kept.copy(), bytearray()
            while at < offset + count:
                run, eaten = self._step(state, eaten, min(_STEP, offset + count - at))
                if at // _STATE_EVERY != (at + len(run)) // _STATE_EVERY:
                    self._states[at + len(run)] = eaten, state.copy()
                data += run[max(0, offset - at) :]
                at += len(run)
            self._last = at, eaten, state
            return data

    def _nearest(self, offset: int) -> tuple[int, int, Any]:
        """The last kept state at or before a position."""
        at = max(position for position in self._states if position <= offset)
        return self._last if at <= self._last[0] <= offset else (at, *self._states[at])

    def _step(self, state: Any, eaten: int, count: int) -> tuple[bytes, int]:  # noqa: ANN401 - zlib's has no name
        """Up to `count` bytes more, and the number of packed bytes consumed so far."""
        packed = bytes(self._member.file.read(self._start + eaten, min(_WINDOW, self._packed - eaten)))
        try:
            run: bytes = state.decompress(packed, count)
        except zlib.error as error:
            raise self._member.refusal(f"the compressed bytes are damaged: {error}") from error
        left = len(state.unconsumed_tail)
        if not run and (state.eof or left == len(packed)):
            raise self._member.refusal("the compressed bytes end too early")
        return run, eaten + len(packed) - left


def _tensor(member: _Member) -> SourceTensor:
    begin, shape, dtype, by_columns = _array_header(member)
    fmt = registry.foreign("numpy", dtype)
    if fmt is None or not single_part(fmt):
        hint = "Store it as little-endian numbers: array.astype('<f4')." if dtype.startswith(">") else None
        raise member.refusal("no installed format holds arrays of this dtype", dtype, hint=hint)
    misfit = fmt.misfit(shape)
    if misfit is not None:
        raise member.refusal(misfit, list(shape))
    extent = Extent(member, begin, shape, fmt)
    if begin + extent.nbytes != member.nbytes:
        what = f"the array {list(shape)} of {dtype} does not fill its member"
        raise member.refusal(what, f"{member.nbytes} bytes", f"{begin + extent.nbytes} bytes")
    read, gathered = extent.read, 0
    if by_columns:
        if extent.nbytes > MAX_COLUMN_ORDER:
            what, hint = "an array in column order that is too large", "Store it in row order: numpy.ascontiguousarray."
            raise member.refusal(what, f"{extent.nbytes} bytes", f"at most {MAX_COLUMN_ORDER}", hint)
        read, gathered = _ByColumns(member, begin, shape, dtype, fmt.parts[0].name).read, extent.nbytes
    name = member.name
    return SourceTensor(name=name, source_name=name, shape=shape, tag=fmt.tag, read=read, gathered=gathered)


class _ByColumns:
    """Reads rows of an array whose first index varies fastest; it stays in memory until its last rows are read."""

    def __init__(self, member: _Member, begin: int, shape: tuple[int, ...], dtype: str, part: str) -> None:
        self._member, self._begin, self._shape, self._dtype, self._part = member, begin, shape, dtype, part
        self._lock = Lock()
        self._whole: Array | None = None

    def read(self, matrix: int, first: int, last: int) -> Parts:
        """The rows first..last of a matrix."""
        lead, rows, _ = split_shape(self._shape)
        place = np.unravel_index(matrix, lead) if lead else ()
        run: Array = np.ascontiguousarray(self._array()[place][first:last])
        if last == rows and matrix == prod(lead) - 1:
            self._whole = None
        return {self._part: run}

    def _array(self) -> Array:
        with self._lock:
            if self._whole is None:
                dtype = np.dtype(self._dtype)
                data = self._member.read(self._begin, prod(self._shape) * dtype.itemsize)
                if dtype == np.bool_:
                    refuse_other_than_truth(data, self._member, self._begin)
                self._whole = np.frombuffer(data, dtype).reshape(self._shape, order="F")
            return self._whole


def _array_header(member: _Member) -> tuple[int, tuple[int, ...], str, bool]:
    """Length of the .npy header, shape, dtype, and whether the array is in column order, where that matters."""
    from numpy.lib import format as npy

    stream = BytesIO(member.read(0, min(member.nbytes, MAX_HEADER)))
    try:
        version = npy.read_magic(stream)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, fortran, dtype = read(stream)
    except Exception as error:
        what = f"the array's header cannot be read: {error or type(error).__name__}"
        raise member.refusal(what, hint="Save it with numpy again.") from error
    if dtype.hasobject:
        raise member.refusal("an array of Python objects", hint="It is a pickle, which can execute code; never read.")
    if any(type(size) is not int or not 0 <= size < 2**63 for size in shape):
        raise member.refusal("the array cannot have this shape", shape)
    by_columns = bool(fortran) and sum(size != 1 for size in shape) > 1
    return stream.tell(), shape, dtype.str, by_columns
