"""The values of a GGUF file's keys, in little memory: arrays stay as they lie in the file until they are asked for.

As Python objects, a list of a million texts takes ten times its bytes, and a false head can claim sixty million bytes
of them; so `Texts` keeps the bytes, and `packed` writes one text at a time.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import msgpack

from fourcc.errors import InputError
from fourcc.sources.gguf_cursor import Cursor

TRUTH, STRING, ARRAY = 7, 8, 9
NUMBERS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}  # value type -> struct code
_LENGTH = struct.Struct("<Q")
_RUN = 1 << 12  # numbers that are Python objects at one time

Value = Any  # bool, int, float, str, bytes (a string that is no UTF-8), Texts, or an array of numbers


@attrs.frozen(repr=False)
class Texts:
    """An array of strings.

    Attributes:
        count: how many.
        data: u64 length, little-endian, and bytes of each.
    """

    count: int
    data: bytes | bytearray

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[str | bytes]:
        """The texts; one that is no UTF-8 stays bytes."""
        at = 0
        for _ in range(self.count):
            (length,) = _LENGTH.unpack_from(self.data, at)
            at += _LENGTH.size + length
            yield decoded(self.data[at - length : at])

    def __repr__(self) -> str:
        return f"{self.count} texts"


def decoded(raw: bytes | bytearray) -> str | bytes:
    """The text of some bytes, or the bytes where they are no UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return bytes(raw)


def shown(value: Value) -> str:
    """A value in a few words, for messages."""
    return f"{len(value)} numbers" if isinstance(value, array) else f"{value!r:.40}"


def read_typed(cursor: Cursor, key: str) -> tuple[int, Value]:
    """Reads a type and a value of that type; for an array the type returned is that of its items.

    Args:
        cursor: in the head.
        key: the value's key, for messages.
    """
    kind: int = cursor.number("i", f"the type of {key!r}")
    if kind != ARRAY:
        return kind, _read_value(cursor, kind, key)
    item: int = cursor.number("i", f"the type of {key!r}")
    return item, _read_array(cursor, item, key)


def _read_value(cursor: Cursor, kind: int, key: str) -> Value:
    if kind == STRING:
        return decoded(cursor.text(f"the value of {key!r}"))
    if kind == TRUTH:
        value = cursor.number("B", f"the value of {key!r}")
        if value > 1:
            raise cursor.refusal(f"the value of {key!r} is no truth value", value, "0 or 1", back=1)
        return bool(value)
    return cursor.number(_code(cursor, kind, key), f"the value of {key!r}")


def _read_array(cursor: Cursor, item: int, key: str) -> Texts | array[Any]:
    what = f"the items of {key!r}"
    if item == STRING:
        return _read_texts(cursor, cursor.count(_LENGTH.size, what), f"the value of {key!r}")
    code = _code(cursor, item, key)
    size = struct.calcsize("<" + code)
    items = array("B" if code == "?" else code, cursor.take(cursor.count(size, what) * size, what))
    if (cursor.order == ">") != (sys.byteorder == "big"):
        items.byteswap()
    return items


def _read_texts(cursor: Cursor, count: int, what: str) -> Texts:
    data = bytearray()
    for _ in range(count):
        raw = cursor.text(what)
        data += _LENGTH.pack(len(raw)) + raw
    return Texts(count, data)


def _code(cursor: Cursor, kind: int, key: str) -> str:
    """The struct code of a value type."""
    if kind == ARRAY:
        raise cursor.refusal(f"the key {key!r} is an array of arrays, which is not read", "type 9", back=4)
    if kind not in NUMBERS:
        raise cursor.refusal(f"the key {key!r} has a type that GGUF does not have", kind, "0 to 12", back=4)
    return NUMBERS[kind]


def packed(values: Mapping[str, Value]) -> bytes:
    """A msgpack map of keys and values, in their order."""
    packer = msgpack.Packer(autoreset=False)
    packer.pack_map_header(len(values))
    for key, value in values.items():
        packer.pack(key)
        _pack(packer, value)
    data: bytes = packer.bytes()
    return data


def packed_typed(values: Mapping[str, tuple[tuple[int, ...], Value]]) -> bytes:
    """A msgpack map of keys, each with a list: numbers of types, and the value unless it is None."""
    packer = msgpack.Packer(autoreset=False)
    packer.pack_map_header(len(values))
    for key, (kinds, value) in values.items():
        packer.pack(key)
        packer.pack_array_header(len(kinds) + (value is not None))
        for kind in kinds:
            packer.pack(kind)
        if value is not None:
            _pack(packer, value)
    data: bytes = packer.bytes()
    return data


def unpacked_map(data: bytes, file: object, what: str, **guards: Any) -> dict[Any, Any]:  # noqa: ANN401 - msgpack's
    """The map that a blob holds, and nothing behind it.

    Args:
        data: the blob, which may come from anywhere.
        file: for messages.
        what: what messages call the blob.
        guards: limits and hooks of `msgpack.Unpacker`; a hook raises ValueError where there is too much.

    Raises:
        InputError: it is no such map.
    """
    unpacker = msgpack.Unpacker(max_buffer_size=max(1, len(data)), **guards)
    unpacker.feed(data)
    try:
        root = unpacker.unpack()
    except (TypeError, ValueError, RecursionError, MemoryError, msgpack.UnpackException) as error:
        problem = f"{what} is not valid msgpack: {type(error).__name__}: {error}"
        raise InputError(problem, file=file, offset=unpacker.tell()) from error
    if not isinstance(root, dict):
        raise InputError(f"{what} is not a map", file=file, offset=0, found=type(root).__name__, expected="dict")
    if unpacker.tell() != len(data):
        beyond = f"{len(data) - unpacker.tell()} more bytes"
        raise InputError(f"{what} does not end here", file=file, offset=unpacker.tell(), found=beyond)
    return root


def _pack(packer: Any, value: Value) -> None:  # noqa: ANN401 - msgpack's, which is imported where it is used
    if not isinstance(value, (Texts, array)):
        packer.pack(value)
        return
    packer.pack_array_header(len(value))
    for item in _items(value):
        packer.pack(item)


def _items(value: Texts | array[Any]) -> Iterator[object]:
    if isinstance(value, Texts):
        yield from value
        return
    for first in range(0, len(value), _RUN):
        yield from value[first : first + _RUN].tolist()


def shortest(value: float) -> float:
    """The shortest decimal that rounds to the same float32, such as 1e-5 for GGUF's 9.999999747378752e-06."""
    as_float32 = struct.Struct("<f")
    for digits in range(1, 9):
        short = float(f"{value:.{digits}g}")
        try:
            same = as_float32.unpack(as_float32.pack(short))[0] == value
        except OverflowError:  # rounded up beyond the largest
            continue
        if same:
            return short
    return value
