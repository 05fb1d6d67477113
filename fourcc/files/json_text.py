"""JSON from untrusted files: one object, UTF-8, no key twice, no text that cannot be printed."""

from __future__ import annotations

import json
from typing import Any

from fourcc.errors import SourceError

_NODES = 1_000_000  # maps and arrays that any header may have,
_BYTES_PER_NODE = 12  # and one more for every so many bytes: an honest header takes more bytes for one


def parse_object(data: bytes | bytearray, file: object, offset: int = 0) -> dict[str, Any]:
    """The object that a JSON text holds.

    Args:
        data: the text's bytes.
        file: for messages.
        offset: of the text in the file, for messages.

    Raises:
        SourceError: not JSON, not an object, not UTF-8, or a key stands twice.
    """
    if data.count(b"{") + data.count(b"[") > _NODES + len(data) // _BYTES_PER_NODE:
        raise SourceError("the JSON consists of brackets, which would fill the memory", file=file, offset=offset)
    try:
        root = json.loads(bytes(data).decode("utf-8"), object_pairs_hook=_distinct)
    except RecursionError as error:
        raise SourceError("the JSON is nested too deeply", file=file, offset=offset) from error
    except ValueError as error:  # syntax, encoding, a number of thousands of digits, a key twice
        raise SourceError(f"not the JSON that it should be: {error}", file=file, offset=offset) from error
    if not isinstance(root, dict):
        raise SourceError("not a JSON object", file=file, offset=offset, found=type(root).__name__)
    return root


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dict of pairs whose keys differ. Raises ValueError where not, or where a text is no Unicode (a surrogate)."""
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise ValueError(f"the key {key!r} stands twice")
        for text in (key, value):
            if isinstance(text, str):
                text.encode()
        values[key] = value
    return values
