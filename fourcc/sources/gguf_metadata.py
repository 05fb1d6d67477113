"""A GGUF file's keys as a blob of a model.bin, so they return to GGUF with their types, in their order.

The blob ``metadata.gguf`` is a msgpack map: key -> [type, value], or [9, type of the items, items] for an array; types
are GGUF's numbers. The keys ``tokenizer.*`` have their place and type here; their value is in ``tokenizer.gguf``.
Keys that tell how one file is laid out (``split.*``, ``GGUF.*``) are left out.
"""

from __future__ import annotations

import struct
from typing import Any

import attrs

from fourcc.errors import InputError
from fourcc.sources.gguf_header import MAX_KEYS, Head
from fourcc.sources.gguf_values import ARRAY, NUMBERS, STRING, TRUTH, packed_typed, unpacked_map

BLOB = "metadata.gguf"
VOCABULARY = "tokenizer."
SPLITTING = ("split.count", "split.no", "split.tensors.count")
# Keys that the gguf package shows for the head's own fields; some writers made real keys of them.
SHADOWS = ("GGUF.version", "GGUF.tensor_count", "GGUF.kv_count")
MAX_KEY = (1 << 16) - 1  # bytes of a name
MAX_BLOB = 1 << 22  # bytes: a value of one byte may take sixty in memory


@attrs.frozen
class Typed:
    """A key's type, and its value.

    Attributes:
        kind: number of the value's type; of an array, that of its items.
        value: a list is an array; None: it is in the blob of the tokenizer.
    """

    kind: int
    value: Any


def metadata(head: Head) -> bytes:
    """The blob's bytes."""
    listed = {}
    for key, value in head.values.items():
        if key not in (*SPLITTING, *SHADOWS):
            scalar = isinstance(value, (bool, int, float, str, bytes))
            kinds = (head.kinds[key],) if scalar else (ARRAY, head.kinds[key])
            listed[key] = (kinds, None if key.startswith(VOCABULARY) else value)
    return packed_typed(listed)


def unpacked_metadata(data: bytes, file: object) -> dict[str, Typed]:
    """The keys in the bytes of a blob, in their order.

    Args:
        data: the blob, which may come from anywhere.
        file: for messages.

    Raises:
        InputError: it is no such map, or a value is not of its stated type.
    """
    if len(data) > MAX_BLOB:
        found, expected = f"{len(data)} bytes", f"at most {MAX_BLOB}"
        raise InputError("too long for the keys of a GGUF file", file=file, found=found, expected=expected)
    root = unpacked_map(
        data,
        file,
        "the list of a GGUF file's keys",
        max_map_len=MAX_KEYS,
        object_pairs_hook=_distinct,
        list_hook=_Counter(),
        use_list=False,  # an empty tuple takes no memory
    )
    return {_name(key, file): _typed(key, said, file) for key, said in root.items()}


class _Counter:
    """Limits the number of arrays: two a key, its list and its items."""

    def __init__(self) -> None:
        self._left = 2 * MAX_KEYS

    def __call__(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        self._left -= 1
        if self._left < 0:
            raise ValueError("more arrays than keys have")
        return items


def _distinct(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key stands twice")
    return values


def _name(key: object, file: object) -> str:
    if not isinstance(key, str) or not key or "\0" in key or len(key.encode()) > MAX_KEY:
        raise InputError("not a valid name for a key of a GGUF file", file=file, found=f"{key!r:.60}")
    return key


def _typed(key: str, said: object, file: object) -> Typed:
    """The type and value in a key's list."""
    parts: list[Any] = (
        [list(part) if isinstance(part, tuple) else part for part in said] if isinstance(said, tuple) else []
    )
    is_array = parts[:1] == [ARRAY]
    if is_array:
        del parts[0]
    elsewhere = key.startswith(VOCABULARY)
    value = parts[1] if len(parts) == 2 else None
    if (
        len(parts) != (1 if elsewhere else 2)
        or not _is_kind(parts[0])
        or (value is not None and isinstance(value, list) is not is_array)
        or not (elsewhere or fits(parts[0], value))
    ):
        raise InputError("the value does not have its type", file=file, tensor=key, found=f"{said!r:.60}")
    return Typed(parts[0], value)


def _is_kind(kind: object) -> bool:
    return type(kind) is int and (kind in NUMBERS or kind == STRING)


def fits(kind: int, value: object) -> bool:
    """Whether a value, or each item of a list, can be written as a type."""
    if not isinstance(value, list):
        return _one_fits(kind, value)
    return all(_one_fits(kind, item) for item in value)


def _one_fits(kind: int, value: object) -> bool:
    if kind == STRING:
        return isinstance(value, (str, bytes))
    if kind == TRUTH:
        return isinstance(value, bool) or value in (0, 1)
    code = NUMBERS[kind]
    if isinstance(value, bool) or not isinstance(value, (int, float) if code in "fd" else int):
        return False
    try:
        struct.pack("<" + code, value)
    except (struct.error, OverflowError):
        return False
    return True
