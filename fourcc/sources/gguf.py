"""GGUF, versions 2 and 3, in either byte order, in one file or several. `fourcc.sources.gguf_header` reads the head.

Blocks are taken as they are. Tensors of the Llama family get fourcc's names (`fourcc.sources.gguf_family`). The keys
``tokenizer.*`` become a blob, a msgpack map in the file's order; all other keys become another (`gguf_metadata`).
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from math import prod
from pathlib import Path

import attrs

from fourcc.errors import SourceError, listed
from fourcc.files.beside import file_in
from fourcc.files.read import ReadFile
from fourcc.plugins.registry import registry
from fourcc.sources import gguf_family, tokenizer
from fourcc.sources.extent import Extent, single_part, stored_bytes
from fourcc.sources.gguf_forks import reused, rooms
from fourcc.sources.gguf_header import MAGIC, GgufTensor, Head, read_head
from fourcc.sources.gguf_metadata import BLOB as METADATA
from fourcc.sources.gguf_metadata import SHADOWS, SPLITTING, metadata
from fourcc.sources.gguf_second_scale import with_second_scales
from fourcc.sources.gguf_types import TYPES, layout_name
from fourcc.sources.gguf_values import packed, shown
from fourcc.sources.source import Source, SourceTensor, Unreadable
from fourcc.spec import FormatSpec

KIND = "GGUF"
CONTENT, STATISTICS = "general.type", "imatrix"  # the key, and its value where tensors are sums and no weights
SPLIT_COUNT, SPLIT_NUMBER, SPLIT_TENSORS = SPLITTING
MAX_NUMBER = 2**63 - 1
MAX_SPLITS = 99_999  # five digits
NUMBERED = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf")


def recognises(path: Path, head: bytes) -> bool:  # noqa: ARG001 - every kind's signature
    """Whether it starts with GGUF's magic."""
    return head.startswith(MAGIC)


def open_gguf(path: Path) -> Source:
    """A GGUF file as a source; for one of a split model also the others, which lie beside it.

    Raises:
        SourceError: a head cannot be true, a file of a split model is missing, or it is an importance matrix.
    """
    with ExitStack() as stack:
        files = [_opened(path, stack)]
        heads = [read_head(files[0])]
        if heads[0].values.get(CONTENT) == STATISTICS:
            hint = "Give it as --calibration of a command; `fourcc inspect` shows it."
            raise SourceError("this is a calibration of a model, not a model", file=path, hint=hint)
        count = heads[0].values.get(SPLIT_COUNT)
        if type(count) is int and count > 1:
            files = [_opened(each, stack) for each in _split_paths(path, count)]
            heads = [read_head(file) for file in files]
            _check_split(files, heads)
        source = with_second_scales(_source(path, files, heads))
        return attrs.evolve(gguf_family.adopt(source, heads[0].values), close=stack.pop_all().close)


def _opened(path: Path, stack: ExitStack) -> ReadFile:
    file = ReadFile(path, SourceError)
    stack.callback(file.close)
    return file


def _source(path: Path, files: list[ReadFile], heads: list[Head]) -> Source:
    tensors: list[SourceTensor | Unreadable] = []
    notes: list[str] = []
    for file, head in zip(files, heads, strict=True):
        listed, beyond = _tensors(file, head)
        tensors += listed
        notes += [*_key_notes(head), *beyond]
    unreadable = tuple(tensor for tensor in tensors if isinstance(tensor, Unreadable))
    if unreadable:
        layouts = ", ".join(sorted({tensor.layout for tensor in unreadable}))
        notes.append(f"{len(unreadable)} of {len(tensors)} tensors can only be listed: no format here has {layouts}")
    vocabulary = {key: value for key, value in heads[0].values.items() if key.startswith("tokenizer.")}
    return Source(
        path=path,
        kind=KIND,
        tensors=tuple(tensor for tensor in tensors if isinstance(tensor, SourceTensor)),
        files=tuple(file.path for file in files),
        architecture=_family(heads[0]),
        blobs={METADATA: metadata(heads[0])} | ({tokenizer.GGUF: packed(vocabulary)} if vocabulary else {}),
        unreadable=unreadable,
        notes=tuple(notes),
    )


def _family(head: Head) -> str | None:
    """The architecture as the file names it; for the families that are known here `gguf_family` has another word."""
    name = head.values.get(gguf_family.ARCHITECTURE_KEY)
    return name if isinstance(name, str) and name and "\0" not in name else None


def _key_notes(head: Head) -> list[str]:
    """Notes on keys that stand more than once, or that repeat what the head itself says."""
    notes = [f"the key {key!r} stands more than once, with one value" for key in dict.fromkeys(head.repeated)]
    said = dict(zip(SHADOWS, (head.version, len(head.tensors), None), strict=True))
    for key in filter(head.values.__contains__, SHADOWS):
        value = head.values[key]
        differs = f", and says {said[key]}, not {shown(value)}" if said[key] not in (None, value) else ""
        notes.append(f"the key {key!r} is passed over: the file's head says it by itself{differs}")
    return notes


# -- several files


def _split_paths(path: Path, count: int) -> list[Path]:
    """Paths of all files of a split model, from that of one."""
    match = NUMBERED.fullmatch(path.name)
    if match is None or int(match[3]) != count:
        raise SourceError(
            f"one of {count} files of a split model, and its name does not tell those of the others",
            file=path,
            found=path.name,
            expected=f"NAME-00001-of-{count:05}.gguf",
            hint="Give the files back the names that they were made with.",
        )
    names = [f"{match[1]}-{number:05}-of-{match[3]}.gguf" for number in range(1, min(count, MAX_SPLITS) + 1)]
    missing = [name for name in names if file_in(path.parent, name) is None]
    if missing or count > MAX_SPLITS:
        what = f"the set of files is not complete: there is no {listed(missing, 4)}"
        raise SourceError(what, file=path, hint="Download the rest.")
    return [path.parent / name for name in names]


def _check_split(files: list[ReadFile], heads: list[Head]) -> None:
    """Refuses files that do not belong together."""
    for number, (file, head) in enumerate(zip(files, heads, strict=True)):
        said = (head.values.get(SPLIT_NUMBER), head.values.get(SPLIT_COUNT))
        if said != (number, len(files)):
            found, expected = f"{said[0]} of {said[1]}", f"{number} of {len(files)}, counted from 0"
            what = "the file is another part of a split model"
            raise SourceError(what, file=file.path, found=found, expected=expected)
    total = sum(len(head.tensors) for head in heads)
    stated = heads[0].values.get(SPLIT_TENSORS)
    if type(stated) is int and stated != total:
        raise SourceError(
            "wrong number of tensors in a split model", file=files[0].path, found=total, expected=f"{stated}"
        )
    names = [info.name for head in heads for info in head.tensors]
    if len(set(names)) < len(names):
        twin = next(name for name in names if names.count(name) > 1)
        raise SourceError("the tensor is in two files of the split model", file=files[0].path, tensor=twin)


# -- tensors


def _tensors(file: ReadFile, head: Head) -> tuple[list[SourceTensor | Unreadable], list[str]]:
    """The tensors, which must follow each other, padded to the alignment; and notes."""
    numbers = {info.ggml_type for info in head.tensors}
    known = {number: fmt for number in numbers if (fmt := registry.foreign("ggml", number)) and single_part(fmt)}
    layouts = reused(file, head, lambda info: _size(info, known.get(info.ggml_type)))
    tensors: list[SourceTensor | Unreadable] = []
    end = 0
    for info, room in zip(head.tensors, rooms(file, head), strict=True):
        expected = -(-end // head.alignment) * head.alignment
        if info.offset != expected:
            raise _refusal(file, info, "the offset is not where the tensor before ends", info.offset, expected)
        layout = layouts.get(info.ggml_type)
        spec = None if layout else known.get(info.ggml_type)
        nbytes = _stored(file, info, spec, room) if layout is None else room
        end = info.offset + nbytes
        if head.data + end > file.size:
            raise _refusal(file, info, "the file is cut", f"{file.size} bytes", f"at least {head.data + end} bytes")
        tensors.append(_tensor(file, head, info, spec or layout or layout_name(info.ggml_type), nbytes))
    beyond = file.size - (head.data + -(-end // head.alignment) * head.alignment)
    follow = "byte follows" if beyond == 1 else "bytes follow"
    return tensors, [f"{beyond} {follow} the last tensor: passed over"] if beyond > 0 else []


def _tensor(
    file: ReadFile, head: Head, info: GgufTensor, layout: FormatSpec | str, nbytes: int
) -> SourceTensor | Unreadable:
    """A tensor in a format, or in a layout that is only known by name."""
    if isinstance(layout, str):
        return Unreadable(info.name, info.name, info.shape, layout, nbytes)
    extent = Extent(file, head.data + info.offset, info.shape, layout, head.big_endian)
    return SourceTensor(name=info.name, source_name=info.name, shape=info.shape, tag=layout.tag, read=extent.read)


def _stored(file: ReadFile, info: GgufTensor, spec: FormatSpec | None, room: int) -> int:
    """Bytes of a tensor; where its type is in no format and not in ggml's table, it ends where the next one begins."""
    if max(prod(size or 1 for size in info.shape), *info.shape, 0) > MAX_NUMBER:
        raise _refusal(file, info, "the tensor is too large", f"shape {list(info.shape)}", None)
    nbytes = _size(info, spec)
    if nbytes is not None:
        return nbytes
    known = TYPES.get(info.ggml_type)
    if spec is None and known is None:
        return room
    misfit = (
        f"rows that are no multiple of {known.block}" if spec is None and known else spec and spec.misfit(info.shape)
    )
    raise _refusal(file, info, f"the shape does not fit {layout_name(info.ggml_type)}", misfit, None)


def _size(info: GgufTensor, spec: FormatSpec | None) -> int | None:
    """Bytes of a tensor in a format, or in a type of the table; None where there is neither, or its shape misfits."""
    if spec is not None:
        return stored_bytes(spec, info.shape) if spec.misfit(info.shape) is None else None
    known = TYPES.get(info.ggml_type)
    return None if known is None else known.stored_bytes(info.shape)


def _refusal(file: ReadFile, info: GgufTensor, what: str, found: object, expected: object) -> SourceError:
    return SourceError(what, file=file.path, tensor=info.name, offset=info.at, found=found, expected=expected)
