"""Writes protobuf messages whose long fields are holes, to be filled in the file by somebody else."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

BYTES, VARINT = 2, 0  # wire types


class Hole(NamedTuple):
    """Bytes that are not known yet.

    Attributes:
        name: of what goes there.
        nbytes: its length.
    """

    name: object
    nbytes: int


Run = bytes | Hole
Single = int | str | bytes | Hole | Mapping[int, "Value"]
Value = Single | list["Single"]
Message = Mapping[int, Value]  # number of the field -> its value; a list: of a repeated field


def runs(message: Message) -> list[Run]:
    """A message as bytes and holes, in the order of the file."""
    written: list[Run] = []
    for number, value in message.items():
        for each in value if isinstance(value, list) else [value]:
            written += _field(number, each)
    return _joined(written)


def length(parts: Sequence[Run]) -> int:
    """Bytes that some runs take."""
    return sum(part.nbytes if isinstance(part, Hole) else len(part) for part in parts)


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that there are more."""
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    return bytes([*written, value])


def _field(number: int, value: Single) -> list[Run]:
    if isinstance(value, int):
        return [varint(number << 3 | VARINT) + varint(value)]
    if isinstance(value, Mapping):
        inside: list[Run] = runs(value)
    else:
        inside = [value.encode() if isinstance(value, str) else value]
    return [varint(number << 3 | BYTES) + varint(length(inside)), *inside]


def _joined(parts: list[Run]) -> list[Run]:
    """Neighbouring bytes become one run."""
    joined: list[Run] = []
    for part in parts:
        if joined and isinstance(part, bytes) and isinstance(joined[-1], bytes):
            joined[-1] += part
        else:
            joined.append(part)
    return joined
