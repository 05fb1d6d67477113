"""The head of a GGUF file: keys, and a record of each tensor.

::

    "GGUF" | u32 version | u64 tensors | u64 keys | keys | tensors | zeros up to the alignment | data

    key      string, i32 type, value; a string is u64 bytes and UTF-8, an array i32 type, u64 count and its items
    tensor   string, u32 dimensions, u64 each (the row's length first), i32 ggml type, u64 offset in the data

All numbers, those of the data included, are little-endian, or all are big-endian; the version shows which.
"""

from __future__ import annotations

import attrs

from fourcc.errors import SourceError
from fourcc.files.read import ReadFile
from fourcc.sources.gguf_cursor import Cursor
from fourcc.sources.gguf_values import Value, read_typed, shown

MAGIC = b"GGUF"
MAX_KEYS, MAX_TENSORS = 1 << 16, 1 << 17  # one takes some hundred bytes of memory, however short it is in the file
MAX_DIMENSIONS = 4
MAX_NAME = 64
DEFAULT_ALIGNMENT = 32
ALIGNMENT_KEY = "general.alignment"

_LEAST_KEY = 8 + 1 + 4 + 1  # bytes
_LEAST_TENSOR = 8 + 1 + 4 + 4 + 8


@attrs.frozen
class GgufTensor:
    """The head's record of a tensor.

    Attributes:
        name: unique.
        shape: rows before columns, the reverse of the file's order.
        ggml_type: number of its layout.
        offset: in the data section.
        at: offset of the record in the file.
    """

    name: str
    shape: tuple[int, ...]
    ggml_type: int
    offset: int
    at: int


@attrs.frozen
class Head:
    """A GGUF file's head.

    Attributes:
        version: 2 or 3.
        big_endian: whether its numbers have their highest byte first.
        values: key -> value, in the file's order.
        kinds: key -> number of its value's type; of an array, that of its items.
        repeated: keys that stand more than once with the same value.
        tensors: in the file's order.
        alignment: of the data section and of each tensor in it.
        data: where the data section starts.
    """

    version: int
    big_endian: bool
    values: dict[str, Value]
    kinds: dict[str, int]
    repeated: tuple[str, ...]
    tensors: tuple[GgufTensor, ...]
    alignment: int
    data: int


def read_head(file: ReadFile) -> Head:
    """The head of a file.

    Raises:
        SourceError: it cannot be true.
    """
    cursor = Cursor(file)
    version, tensor_count, key_count = _counts(cursor)
    values: dict[str, Value] = {}
    kinds: dict[str, int] = {}
    repeated = [key for _ in range(key_count) if (key := _read_key(cursor, values, kinds)) is not None]
    alignment = _alignment(cursor, values)
    tensors = _read_tensors(cursor, tensor_count)
    data = -(-cursor.at // alignment) * alignment
    return Head(version, cursor.order == ">", values, kinds, tuple(repeated), tensors, alignment, data)


def _counts(cursor: Cursor) -> tuple[int, int, int]:
    """Version, number of tensors and number of keys."""
    magic = cursor.take(4, "the magic")
    if magic != MAGIC:
        raise cursor.refusal("not a GGUF file", magic.hex(" "), MAGIC.hex(" "), back=4)
    version = _version(cursor)
    tensors = _bounded(cursor, "the tensors", _LEAST_TENSOR, MAX_TENSORS)
    return version, tensors, _bounded(cursor, "the keys", _LEAST_KEY, MAX_KEYS)


def _version(cursor: Cursor) -> int:
    """The version; it also tells the byte order, since a small number read from the wrong end has zeros at its end."""
    version: int = cursor.number("I", "the version")
    if version and version & 0xFFFF == 0:
        cursor.order = ">"
        version = int.from_bytes(version.to_bytes(4, "little"), "big")
    if version not in (2, 3):
        raise cursor.refusal("unknown version of GGUF", version, "2 or 3", back=4)
    return version


def _bounded(cursor: Cursor, what: str, least: int, most: int) -> int:
    """A count of items that neither the file nor the memory is too small for."""
    count = cursor.count(least, what)
    if count > most:
        raise cursor.refusal(f"{what} are too many", count, f"at most {most}", back=8)
    return count


def _name(cursor: Cursor, what: str) -> str:
    start = cursor.at
    raw = cursor.text(what)
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        name = ""
    if not name or "\0" in name:
        raise SourceError(
            f"{what} is not a valid name", file=cursor.file.path, offset=start, found=repr(raw[:MAX_NAME])
        )
    return name


def _read_key(cursor: Cursor, values: dict[str, Value], kinds: dict[str, int]) -> str | None:
    """Reads a key into `values` and `kinds`; returns its name where it is a repetition with the same value."""
    start = cursor.at
    key = _name(cursor, "a key")
    kind, value = read_typed(cursor, key)
    if key not in values:
        values[key], kinds[key] = value, kind
        return None
    if type(values[key]) is type(value) and values[key] == value:
        return key
    raise SourceError(
        f"the key {key!r} stands twice, with two values",
        file=cursor.file.path,
        offset=start,
        found=shown(value),
        expected=shown(values[key]),
    )


def _alignment(cursor: Cursor, values: dict[str, Value]) -> int:
    value = values.get(ALIGNMENT_KEY, DEFAULT_ALIGNMENT)
    if type(value) is not int or value < 1 or value & (value - 1):
        raise SourceError(f"{ALIGNMENT_KEY} is no power of two", file=cursor.file.path, found=repr(value))
    return value


def _read_tensors(cursor: Cursor, count: int) -> tuple[GgufTensor, ...]:
    tensors: dict[str, GgufTensor] = {}
    for _ in range(count):
        info = _read_tensor(cursor)
        if info.name in tensors:
            raise SourceError("two tensors have this name", file=cursor.file.path, tensor=info.name, offset=info.at)
        tensors[info.name] = info
    return tuple(tensors.values())


def _read_tensor(cursor: Cursor) -> GgufTensor:
    start = cursor.at
    name = _name(cursor, "a tensor's name")
    if len(name.encode()) > MAX_NAME:
        raise cursor.refusal("a tensor's name is too long", f"{len(name.encode())} bytes", f"at most {MAX_NAME}")
    dimensions: int = cursor.number("I", "a tensor's dimensions")
    if dimensions > MAX_DIMENSIONS:
        raise SourceError(
            "too many dimensions",
            file=cursor.file.path,
            tensor=name,
            offset=cursor.at - 4,
            found=dimensions,
            expected=f"at most {MAX_DIMENSIONS}",
        )
    sizes = [cursor.number("Q", "a tensor's dimensions") for _ in range(dimensions)]
    kind, offset = cursor.number("i", "a tensor's type"), cursor.number("Q", "a tensor's offset")
    return GgufTensor(name, tuple(reversed(sizes)), kind, offset, start)
