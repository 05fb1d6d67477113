"""Digests of source files that come from elsewhere: taken while a file is here, and kept in the journal.

So work that is gone on with need not download a file again whose tensors are all done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fourcc.files.backing import Backing, backing_of

KEY = "source digests"  # in the record of a tensor


class SourceDigests:
    """The digests that are known.

    Args:
        files: the source's.
        done: the records of units that were done before.
    """

    def __init__(self, files: Iterable[Path], done: Mapping[str, Mapping[str, Any]]) -> None:
        self._files: dict[str, Backing] = {path.name: backing for path in files if (backing := backing_of(path))}
        self._told: set[str] = set()
        for record in done.values() if self._files else ():
            for name, digest in record.get(KEY, {}).items():
                if name in self._files:
                    self._files[name].known_digest = bytes.fromhex(digest)
                    self._told.add(name)

    def added(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record of a unit with the digests that became known since the last one."""
        fresh = {name: each.known_digest for name, each in self._files.items() if name not in self._told}
        known = {name: digest.hex() for name, digest in fresh.items() if digest is not None}
        self._told |= set(known)
        return {**record, KEY: known} if known else record
