"""NumPy's .npz: a zip archive of arrays. Nothing in it is ever unpickled.

Stored members are read where they lie, a run of rows at a time. A compressed member is decompressed as a stream, of
which 1 MiB is held at once; for every 16 MiB of it the state of the decompressor is kept (about 48 KiB), so that runs
of rows may be read in any order. The archive's checksums are not compared: only rows that are asked for are read.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from contextlib import ExitStack
from io import BytesIO
from math import prod
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from fourcc.errors import SourceError
from fourcc.files import ReadFile
from fourcc.registry import registry
from fourcc.sources.extent import Bytes, Extent, single_part, stored_bytes
from fourcc.sources.source import Source, SourceTensor

if TYPE_CHECKING:
    from fourcc.format import Format

KIND = "npz"
MAX_HEADER = 1 << 16  # of an array's header
DEFLATE_RATIO = 1032  # no deflate stream unfolds to more than so many times its length

_LOCAL = struct.Struct("<4s22xHH")  # of a member: magic, lengths of its name and of an extra field
_NPY = b"\x93NUMPY"
_STEP = 1 << 20
_STATE_EVERY = 16 << 20


def recognises(path: Path, head: bytes) -> bool:  # noqa: ARG001 - every kind's signature
    """Whether it is a zip archive whose first member is an array."""
    if not head.startswith(b"PK\x03\x04") or len(head) < _LOCAL.size:
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
        tensors = [_tensor(file, member) for member in _members(file)]
        return Source(path=path, kind=KIND, tensors=tuple(tensors), files=(path,), close=stack.pop_all().close)


def _members(file: ReadFile) -> list[zipfile.ZipInfo]:
    """The archive's directory."""
    with os.fdopen(os.dup(file.fd), "rb") as stream:
        try:
            members = zipfile.ZipFile(stream).infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, UnicodeDecodeError) as error:
            raise SourceError(f"the archive is damaged: {error}", file=file.path) from error
    names = [member.filename for member in members]
    twice = next((name for number, name in enumerate(names) if name in set(names[:number])), None)
    if twice is not None:
        raise SourceError("two members of this name", file=file.path, tensor=twice)
    return members


def _tensor(file: ReadFile, member: zipfile.ZipInfo) -> SourceTensor:
    name = member.filename.removesuffix(".npy")

    def refusal(what: str, found: object = None, hint: str | None = None) -> SourceError:
        return SourceError(what, file=file.path, tensor=name, offset=member.header_offset, found=found, hint=hint)

    if name == member.filename:
        raise refusal("a member that is no .npy array", member.filename)
    data, start, length = _contents(file, member)
    begin, shape, dtype = _read_array_header(data, start, length, refusal)
    found = _format(dtype, refusal)
    extent = Extent(data, start + begin, shape, found.spec)
    if begin + extent.nbytes != length:
        raise refusal(f"the array of shape {list(shape)} does not fill its member", f"{length - begin} bytes")
    return SourceTensor(name=name, source_name=name, shape=shape, tag=found.spec.tag, read=extent.read)
