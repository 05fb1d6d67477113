"""The head of a GGUF file: keys, and what is said of each tensor. Every count is compared with the bytes that remain.

::

    "GGUF" | u32 version | u64 tensors | u64 keys | keys | tensors | zeros up to the alignment | data

    key      string, i32 type, value; a string is u64 bytes and UTF-8, an array i32 type, u64 count and its items
    tensor   string, u32 dimensions, u64 each (the row's length first), i32 ggml type, u64 offset in the data
"""

from __future__ import annotations

import struct
import sys
from array import array
from typing import Any

import attrs

from fourcc.errors import SourceError
from fourcc.files import ReadFile

MAGIC = b"GGUF"
MAX_HEAD = 64 << 20  # the largest vocabularies take a quarter
MAX_DIMENSIONS = 4
MAX_NAME = 64
DEFAULT_ALIGNMENT = 32
ALIGNMENT_KEY = "general.alignment"

_UINT32, _BOOL, _STRING, _ARRAY = 4, 7, 8, 9
_NUMBERS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}  # value type -> struct code
_LEAST_KEY = 8 + 1 + 4 + 1  # bytes
_LEAST_TENSOR = 8 + 1 + 4 + 4 + 8
_WINDOW = 1 << 16

Value = Any  # bool, int, float, str, bytes (a string that is no UTF-8), a list of texts or an array of numbers


@attrs.frozen
class GgufTensor:
    """What the head says of a tensor.

    Attributes:
        name: unique.
        shape: rows before columns, the reverse of the file's order.
        ggml_type: number of its layout.
        offset: in the data section.
        at: where in the file this is said.
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
        values: key -> value, in the file's order.
        repeated: keys that stand more than once with the same value.
        tensors: in the file's order.
        alignment: of the data section and of each tensor in it.
        data: where the data section starts.
    """

    version: int
    values: dict[str, Value]
    repeated: tuple[str, ...]
    tensors: tuple[GgufTensor, ...]
    alignment: int
    data: int


def read_head(file: ReadFile) -> Head:
    """The head of a file.

    Raises:
        SourceError: it cannot be true.
    """
    cursor = _Cursor(file)
    version, tensor_count, key_count = _counts(cursor)
    values: dict[str, Value] = {}
    repeated = [key for _ in range(key_count) if (key := _read_key(cursor, values)) is not None]
    alignment = _alignment(cursor, values)
    tensors = _read_tensors(cursor, tensor_count)
    data = -(-cursor.at // alignment) * alignment
    return Head(version, values, tuple(repeated), tensors, alignment, data)


class _Cursor:
    """Reads a file's head from front to back, a window at a time."""

    def __init__(self, file: ReadFile) -> None:
        self.file = file
        self.at = 0
        self._start, self._window = 0, b""

    def take(self, count: int, what: str) -> bytes:
        """The next bytes."""
        if count > self.file.size - self.at:
            raise self.refusal(f"the file ends within {what}", f"{self.file.size - self.at} bytes", f"{count} bytes")
        if self.at + count > MAX_HEAD:
            raise self.refusal("the head of the file is too long", f"more than {self.at} bytes", f"at most {MAX_HEAD}")
        if self.at + count > self._start + len(self._window):
            length = min(max(count, _WINDOW), self.file.size - self.at)
            self._start, self._window = self.at, bytes(self.file.read(self.at, length))
        begin = self.at - self._start
        self.at += count
        return self._window[begin : begin + count]

    def number(self, code: str, what: str) -> Any:  # noqa: ANN401 - int, float or bool, as the code says
        """The next number of a struct code."""
        layout = struct.Struct("<" + code)
        return layout.unpack(self.take(layout.size, what))[0]

    def count(self, least: int, what: str) -> int:
        """A u64 count of things that take at least so many bytes each."""
        count: int = self.number("Q", what)
        if count * least > self.file.size - self.at:
            raise self.refusal(
                f"{what} cannot be so many", count, f"at most {(self.file.size - self.at) // least}", back=8
            )
        return count

    def text(self, what: str) -> bytes:
        """A string's bytes."""
        return self.take(self.count(1, f"the length of {what}"), what)

    def refusal(self, what: str, found: object, expected: object = None, *, back: int = 0) -> SourceError:
        """The error for what stands here, or so many bytes before."""
        return SourceError(what, file=self.file.path, offset=self.at - back, found=found, expected=expected)


def _counts(cursor: _Cursor) -> tuple[int, int, int]:
    """Version, number of tensors and number of keys."""
    magic = cursor.take(4, "the magic")
    if magic != MAGIC:
        raise cursor.refusal("not a GGUF file", magic.hex(" "), MAGIC.hex(" "), back=4)
    version: int = cursor.number("I", "the version")
    if version and version & 0xFFFF == 0:
        found = int.from_bytes(version.to_bytes(4, "little"), "big")
        raise cursor.refusal("the file is big-endian, which is not read", f"version {found} from the other end", back=4)
    if version not in (2, 3):
        raise cursor.refusal("unknown version of GGUF", version, "2 or 3", back=4)
    tensors: int = cursor.number("Q", "the number of tensors")
    if tensors * _LEAST_TENSOR > cursor.file.size:
        most = cursor.file.size // _LEAST_TENSOR
        raise cursor.refusal("the tensors cannot be so many", tensors, f"at most {most}", back=8)
    return version, tensors, cursor.count(_LEAST_KEY, "the keys")


def _name(cursor: _Cursor, what: str) -> str:
    start = cursor.at
    raw = cursor.text(what)
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        name = ""
    if not name or "\0" in name:
        raise SourceError(f"{what} is no name", file=cursor.file.path, offset=start, found=repr(raw[:MAX_NAME]))
    return name


def _read_key(cursor: _Cursor, values: dict[str, Value]) -> str | None:
    """Reads one key into `values`; returns its name where it was there with the same value."""
    start = cursor.at
    key = _name(cursor, "a key")
    value = _read_value(cursor, cursor.number("i", f"the type of {key!r}"), key)
    if key not in values:
        values[key] = value
        return None
    if type(values[key]) is type(value) and values[key] == value:
        return key
    raise SourceError(
        f"the key {key!r} stands twice, with two values",
        file=cursor.file.path,
        offset=start,
        found=f"{value!r:.40}",
        expected=f"{values[key]!r:.40}",
    )


def _read_value(cursor: _Cursor, kind: int, key: str) -> Value:
    if kind == _ARRAY:
        item = cursor.number("i", f"the type of {key!r}")
        if item == _STRING:
            return [_read_value(cursor, item, key) for _ in range(cursor.count(8, f"the items of {key!r}"))]
        code = _code(cursor, item, key)
        size = struct.calcsize("<" + code)
        count = cursor.count(size, f"the items of {key!r}")
        items = array("B" if code == "?" else code, cursor.take(count * size, f"the items of {key!r}"))
        if sys.byteorder == "big":
            items.byteswap()
        return items
    if kind == _STRING:
        raw = cursor.text(f"the value of {key!r}")
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw
    if kind == _BOOL:
        value = cursor.number("B", f"the value of {key!r}")
        if value > 1:
            raise cursor.refusal(f"the value of {key!r} is no truth value", value, "0 or 1", back=1)
        return bool(value)
    return cursor.number(_code(cursor, kind, key), f"the value of {key!r}")


def _code(cursor: _Cursor, kind: int, key: str) -> str:
    """The struct code of a value type."""
    if kind == _ARRAY:
        raise cursor.refusal(f"the key {key!r} is an array of arrays, which is not read", "type 9", back=4)
    if kind not in _NUMBERS:
        raise cursor.refusal(f"the key {key!r} has a type that GGUF does not have", kind, "0 to 12", back=4)
    return _NUMBERS[kind]


def _alignment(cursor: _Cursor, values: dict[str, Value]) -> int:
    value = values.get(ALIGNMENT_KEY, DEFAULT_ALIGNMENT)
    if type(value) is not int or value < 1 or value & (value - 1):
        raise SourceError(f"{ALIGNMENT_KEY} is no power of two", file=cursor.file.path, found=repr(value))
    return value


def _read_tensors(cursor: _Cursor, count: int) -> tuple[GgufTensor, ...]:
    tensors: dict[str, GgufTensor] = {}
    for _ in range(count):
        info = _read_tensor(cursor)
        if info.name in tensors:
            raise SourceError("two tensors of this name", file=cursor.file.path, tensor=info.name, offset=info.at)
        tensors[info.name] = info
    return tuple(tensors.values())


def _read_tensor(cursor: _Cursor) -> GgufTensor:
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
