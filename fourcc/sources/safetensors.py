"""safetensors: one file of tensors behind a JSON header.

::

    0                  8                     8 + n
    | u64 n            | JSON, n bytes       | tensors, without holes, in any order |

The header maps names to ``{"dtype", "shape", "data_offsets": [begin, end]}``, offsets relative to byte 8 + n; the key
``__metadata__`` is a map of texts. Unlike the reference, this reader refuses a key that stands twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs

from fourcc.errors import SourceError, listed, shown
from fourcc.files.json_text import parse_object
from fourcc.files.read import ReadFile
from fourcc.files.signatures import HEAD_BYTES, known, looks_like
from fourcc.format import Format
from fourcc.plugins.registry import registry
from fourcc.sources.extent import Extent, single_part, stored_bytes
from fourcc.sources.huggingface import adopt
from fourcc.sources.source import Source, SourceTensor

KIND = "safetensors"
MAX_HEADER = 100_000_000
_PREFIX = 8
_METADATA = "__metadata__"
_SPACE = b" \t\r\n"


@attrs.frozen
class HeaderEntry:
    """The header's entry of a tensor; `begin` and `end` are offsets in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def recognises(path: Path, head: bytes) -> bool:  # noqa: ARG001 - every kind's signature
    """Whether it starts as a safetensors file: eight bytes of length, then a JSON object."""
    length, text = head[:_PREFIX], head[_PREFIX:].lstrip(_SPACE)
    is_json = length.startswith(b"{") and 0 not in length  # from the first byte on: an index, perhaps
    return text[:1] == b"{" and text[1:].lstrip(_SPACE)[:1] in (b'"', b"}", b"") and not is_json


def open_safetensors(path: Path) -> Source:
    """One safetensors file as a source; a ``config.json`` beside it is heeded.

    Raises:
        SourceError: the header cannot be true, or a tensor's dtype has no format here.
    """
    with ExitStack() as stack:
        file = ReadFile(path, SourceError)
        stack.callback(file.close)
        return adopt(
            Source(
                path=path,
                kind=KIND,
                tensors=tuple(read_tensors(file)),
                files=(path,),
                close=stack.pop_all().close,
            ),
            path.parent,
        )


def read_tensors(file: ReadFile) -> list[SourceTensor]:
    """The tensors of one file, in the order of their bytes."""
    entries = _read_entries(file)
    formats = {dtype: registry.foreign("safetensors", dtype) for dtype in {entry.dtype for entry in entries}}
    readable = {dtype: fmt for dtype, fmt in formats.items() if fmt is not None and single_part(fmt)}
    _refuse_unknown(file, [entry for entry in entries if entry.dtype not in readable])
    return list(_tensors(file, entries, readable))


def _refuse_unknown(file: ReadFile, entries: list[HeaderEntry]) -> None:
    if not entries:
        return
    dtypes = ", ".join(sorted({entry.dtype for entry in entries}))
    raise SourceError(
        f"no installed format holds the dtype {dtypes} of {named(entry.name for entry in entries)}",
        file=file.path,
        tensor=entries[0].name,
        hint="Install a package whose format declares it, or convert these tensors first.",
    )


def named(names: Iterable[str]) -> str:
    """Some names for a message: the first few and the number of the others."""
    quoted = list(map(repr, names))
    return f"{len(quoted)} tensor{'s' * (len(quoted) != 1)} ({listed(quoted, 3)})"


def _tensors(file: ReadFile, entries: list[HeaderEntry], formats: dict[str, Format]) -> Iterator[SourceTensor]:
    for entry in entries:
        spec = formats[entry.dtype]
        misfit = spec.misfit(entry.shape)
        if misfit is not None:
            raise SourceError(misfit, file=file.path, tensor=entry.name)
        expected = stored_bytes(spec, entry.shape)
        if entry.end - entry.begin != expected:
            raise SourceError(
                "data_offsets do not fit dtype and shape",
                file=file.path,
                tensor=entry.name,
                offset=entry.begin,
                found=f"{entry.end - entry.begin} bytes",
                expected=f"{expected} bytes for {entry.dtype} {list(entry.shape)}",
            )
        extent = Extent(file, entry.begin, entry.shape, spec)
        yield SourceTensor(name=entry.name, source_name=entry.name, shape=entry.shape, tag=spec.tag, read=extent.read)


def _read_entries(file: ReadFile) -> list[HeaderEntry]:
    """The header's entries, sorted by offset. Raises SourceError where they do not fill the file."""
    if file.size < _PREFIX:
        raise SourceError("the file is too short for a header", file=file.path, found=f"{file.size} bytes")
    length = int.from_bytes(file.read(0, _PREFIX), "little")
    head = bytes(file.read(0, min(file.size, HEAD_BYTES)))
    if not recognises(file.path, head) and known(head) is not None:
        raise SourceError(f"not a safetensors file: {looks_like(head)}", file=file.path)
    if length > min(MAX_HEADER, file.size - _PREFIX):
        raise SourceError(
            "the header is too long",
            file=file.path,
            offset=0,
            found=f"{length} bytes",
            expected=f"at most {min(MAX_HEADER, file.size - _PREFIX)}; the file has {file.size}",
            hint="The file is cut, or is no safetensors file.",
        )
    text = file.read(_PREFIX, length)
    if text[:1] != b"{":
        raise SourceError(
            "the header does not start with '{'",
            file=file.path,
            offset=_PREFIX,
            found=bytes(text[:1]).hex() or "nothing",
        )
    header = parse_object(text, file.path, _PREFIX)
    _check_metadata(file, header.pop(_METADATA, {}))
    start = _PREFIX + length
    entries = sorted(
        (_entry(file, name, record, start) for name, record in header.items()), key=lambda e: (e.begin, e.end)
    )
    _check_offsets(file, entries, start)
    return entries


def _check_metadata(file: ReadFile, metadata: object) -> None:
    if not isinstance(metadata, dict) or any(not isinstance(value, str) for value in metadata.values()):
        raise SourceError(f"{_METADATA} is not a map of texts", file=file.path, offset=_PREFIX)


def _entry(file: ReadFile, name: str, record: Any, start: int) -> HeaderEntry:  # noqa: ANN401 - untrusted JSON
    def refusal(found: object, expected: str) -> SourceError:
        what = "the header's entry cannot be read"
        return SourceError(what, file=file.path, tensor=name, offset=_PREFIX, found=found, expected=expected)

    if not isinstance(record, dict) or set(record) != {"dtype", "shape", "data_offsets"}:
        raise refusal(sorted(record) if isinstance(record, dict) else record, "dtype, shape and data_offsets")
    dtype, shape, offsets = record["dtype"], record["shape"], record["data_offsets"]
    if not isinstance(dtype, str):
        raise refusal(f"dtype {dtype!r}", "a text")
    if not _are_counts(shape):
        raise refusal(f"shape {_listed(shape)}", "a list of integers from 0 to 2^63 - 1")
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise refusal(f"data_offsets {_listed(offsets)}", "two integers from 0 to 2^63 - 1, begin and end")
    return HeaderEntry(name, dtype, tuple(shape), start + offsets[0], start + offsets[1])


def _are_counts(value: object) -> bool:
    """Whether it is a list of integers from 0 to 2^63 - 1; True and 1.0 are none."""
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**63 for item in value)


def _listed(value: object) -> str:
    """A value of the header in a message; a number may have thousands of digits."""
    return f"[{', '.join(map(shown, value))}]" if isinstance(value, list) else shown(value)


def _check_offsets(file: ReadFile, entries: list[HeaderEntry], start: int) -> None:
    """Raises SourceError unless every byte behind the header belongs to exactly one tensor."""
    at = start
    for entry in entries:
        if entry.begin != at:
            what = "overlaps the tensor before it" if entry.begin < at else "leaves a hole before it"
            raise SourceError(what, file=file.path, tensor=entry.name, offset=at, found=entry.begin, expected=at)
        at = entry.end
    if at != file.size:
        raise SourceError(
            "the file is cut" if at > file.size else "bytes follow the last tensor",
            file=file.path,
            tensor=entries[-1].name if entries else None,
            offset=min(at, file.size),
            found=f"{file.size} bytes",
            expected=f"{at} bytes",
        )
