"""Messages of protobuf, field by field: as much of the wire format as SentencePiece's models need."""

from __future__ import annotations

from collections.abc import Iterator

_NUMBER, _BYTES = 0, 2  # types of fields: a number, bytes with their length
_FIXED = {1: 8, 5: 4}  # types of a fixed width


def fields(data: bytes | memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Numbers and values of a message's fields, in order; a value of a fixed width is given as its bytes.

    Raises:
        ValueError: it is no message.
    """
    view, at = memoryview(data), 0
    while at < len(view):
        key, at = _varint(view, at)
        kind = key & 7
        if kind == _NUMBER:
            value, at = _varint(view, at)
            yield key >> 3, value
            continue
        length, at = (_FIXED[kind], at) if kind in _FIXED else _varint(view, at)
        if kind not in (_BYTES, *_FIXED) or at + length > len(view):
            raise ValueError("not a protobuf message")
        yield key >> 3, view[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A whole number, seven bits a byte, the lowest first; and where it ends."""
    value = shift = 0
    while at < len(data) and data[at] & 0x80 and shift < 64:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    if at >= len(data):
        raise ValueError("not a protobuf message")
    return value | data[at] << shift, at + 1
