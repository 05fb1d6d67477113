"""The head of a GGUF file, version 3, little-endian, as `fourcc.sources.gguf_header` draws it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from fourcc.sources.gguf_header import DEFAULT_ALIGNMENT, MAGIC
from fourcc.sources.gguf_values import ARRAY, NUMBERS, STRING

VERSION = 3
UINT8, UINT16, INT32, UINT32, FLOAT32, TRUTH, UINT64, INT64, FLOAT64 = 0, 2, 5, 4, 6, 7, 10, 11, 12
_COUNT, _TYPE = struct.Struct("<Q"), struct.Struct("<i")

Item = bool | int | float | str | bytes


@attrs.frozen
class GGUFKey:
    """A key of the head, with its value.

    Attributes:
        name: unique in the file.
        kind: GGUF's type of the value, or of an array's items.
        value: the value; a list is an array.
    """

    name: str
    kind: int
    value: Any

    @classmethod
    def of(cls, name: str, value: Any) -> GGUFKey:  # noqa: ANN401 - a value, or a list of such
        """The key of a value, in the type that readers expect for such values."""
        items = value if isinstance(value, list) else [value]
        return cls(name, max(map(_kind, items), key=_WIDER.index, default=INT32), value)

    def packed(self) -> bytes:
        """Its bytes in the head."""
        name = _text(self.name)
        if not isinstance(self.value, list):
            return name + _TYPE.pack(self.kind) + _items(self.kind, [self.value])
        items = _items(self.kind, self.value)
        return name + _TYPE.pack(ARRAY) + _TYPE.pack(self.kind) + _COUNT.pack(len(self.value)) + items


_WIDER = (TRUTH, UINT32, INT32, INT64, UINT64, FLOAT32, FLOAT64, STRING)


def _kind(value: Item) -> int:
    """GGUF's type for a single value: unsigned where possible, 32 bits where they suffice, as most readers ask for."""
    if isinstance(value, bool):
        return TRUTH
    if isinstance(value, (str, bytes)):
        return STRING
    if isinstance(value, int):
        if value < 0:
            return INT32 if value >= -(2**31) else INT64
        return UINT32 if value < 2**32 else UINT64
    same = struct.unpack("<f", struct.pack("<f", value))[0] == value if abs(value) < 3e38 else False
    return FLOAT32 if same else FLOAT64


def _items(kind: int, values: Iterable[Item]) -> bytes:
    if kind == STRING:
        return b"".join(map(_text, values))  # type: ignore[arg-type]  # as the kind says
    return b"".join(map(struct.Struct("<" + NUMBERS[kind]).pack, values))


def _text(text: str | bytes) -> bytes:
    data = text if isinstance(text, bytes) else text.encode(errors="surrogateescape")
    return _COUNT.pack(len(data)) + data


@attrs.frozen
class Info:
    """The head's entry for a tensor; `shape` has rows before columns, `offset` counts from the start of the data."""

    name: str
    shape: tuple[int, ...]
    ggml_type: int
    offset: int

    def packed(self) -> bytes:
        """Its bytes in the head."""
        dims = self.shape[::-1] or (1,)
        return _text(self.name) + struct.pack(f"<I{len(dims)}QiQ", len(dims), *dims, self.ggml_type, self.offset)


def aligned(size: int) -> int:
    """The next multiple of the alignment."""
    return -(-size // DEFAULT_ALIGNMENT) * DEFAULT_ALIGNMENT


def head(keys: Sequence[GGUFKey], tensors: Sequence[Info]) -> bytes:
    """The file's bytes up to the data."""
    start = MAGIC + struct.pack("<IQQ", VERSION, len(tensors), len(keys))
    data = b"".join([start, *(key.packed() for key in keys), *(info.packed() for info in tensors)])
    return data.ljust(aligned(len(data)), b"\0")
