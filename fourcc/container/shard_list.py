"""``NAME.index.json``: which shards a set has, and which of them holds which tensor.

All that it says stands in the shards, too: a set is complete without it. It is not trusted, and names files that lie
beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from fourcc.container.parse import MOST_SHARDS
from fourcc.container.shard_names import SUFFIX
from fourcc.errors import IndexDamageError, SourceError, shown
from fourcc.files.json_text import parse_object
from fourcc.files.read import ReadFile

FORMAT, VERSION = "fourcc-shards", 1
LIST_CAP = 256 << 20  # bytes; a name of 512 bytes for each of the tensors that an index can hold, four times over
_HEAD_BYTES = 4096
_MARK = re.compile(rb'\s*\{\s*"format"\s*:\s*"fourcc-shards"')
_ID = re.compile(r"[0-9a-f]{64}")
_HINT = "A complete set opens without it: name a shard instead; `fourcc split` and `convert --shard-size` write it."


class ListedShard(NamedTuple):
    """A shard as the list has it.

    Attributes:
        file: its name.
        nbytes: length of the file.
        digest: its id.
    """

    file: str
    nbytes: int
    digest: bytes


@attrs.frozen(eq=False)
class ShardList:
    """A set's list.

    Attributes:
        path: the list's own.
        digest: the set's id.
        shards: in order.
        homes: tensor -> name of the shard that holds it.
    """

    path: Path
    digest: bytes
    shards: tuple[ListedShard, ...]
    homes: Mapping[str, str]

    def packed(self) -> bytes:
        """The bytes of the file."""
        root = {
            "format": FORMAT,
            "version": VERSION,
            "id": self.digest.hex(),
            "shards": [{"file": each.file, "bytes": each.nbytes, "id": each.digest.hex()} for each in self.shards],
            "tensors": dict(self.homes),
        }
        return (json.dumps(root, indent=1) + "\n").encode()


def is_shard_list(path: Path) -> bool:
    """Whether a file is a set's list, by its first bytes."""
    with closing(ReadFile(path, IndexDamageError)) as file:
        return is_list_head(bytes(file.read(0, min(file.size, _HEAD_BYTES))))


def is_list_head(head: bytes) -> bool:
    """Whether a file's first bytes are those of a set's list."""
    return _MARK.match(head) is not None


def read_shard_list(path: Path) -> ShardList:
    """A set's list.

    Raises:
        IndexDamageError: it is damaged, of a newer version, or leads out of its folder.
        OSError: it cannot be read.
    """
    with closing(ReadFile(path, IndexDamageError)) as file:
        if file.size > LIST_CAP:
            found, expected = f"{file.size} bytes", f"at most {LIST_CAP}"
            raise IndexDamageError("too long for a list of shards", file=path, found=found, expected=expected)
        data = file.read(0, file.size)
    try:
        root = parse_object(data, path)
    except SourceError as error:
        raise IndexDamageError(f"the list of shards is damaged: {error.what}", file=path, hint=_HINT) from error
    if (root.get("format"), root.get("version")) != (FORMAT, VERSION):
        found, expected = f"version {shown(root.get('version'), 40)}", f"{VERSION}"
        what = "a list of shards of a version that is not known here"
        raise IndexDamageError(what, file=path, found=found, expected=expected, hint=_HINT)
    return _checked(root, path)


def _checked(root: Mapping[str, Any], path: Path) -> ShardList:
    shards, homes = root.get("shards"), root.get("tensors")
    if not isinstance(shards, list) or not 1 <= len(shards) <= MOST_SHARDS:
        raise _bad(path, "shards", shards, "a list of shards")
    if not isinstance(homes, dict):
        raise _bad(path, "tensors", homes, "a map from tensors to files")
    listed = tuple(_shard(each, path) for each in shards)
    names = {each.file for each in listed}
    if len(names) < len(listed):
        raise _bad(path, "shards", [each.file for each in listed], "a file of its own for each shard")
    for home in homes.values():
        if not isinstance(home, str) or home not in names:
            raise _bad(path, "tensors", home, "one of its shards")
    return ShardList(path, _id(root.get("id"), path), listed, homes)


def _shard(value: object, path: Path) -> ListedShard:
    if not isinstance(value, dict):
        raise _bad(path, "shards", value, "a map with file, bytes and id")
    name, nbytes = value.get("file"), value.get("bytes")
    if not isinstance(name, str) or not _stays(name):
        raise _bad(path, "file", name, f"the name of a {SUFFIX} file beside the list, without a path")
    if type(nbytes) is not int or nbytes < 0:
        raise _bad(path, "bytes", nbytes, "a number of bytes")
    return ListedShard(name, nbytes, _id(value.get("id"), path))


def _stays(name: str) -> bool:
    """Whether it is a bare name of a shard, which leads nowhere else."""
    return name.endswith(SUFFIX) and not set(name) & set('/\\:\0"') and not name.startswith(".")


def _id(value: object, path: Path) -> bytes:
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise _bad(path, "id", value, "64 hexadecimal digits")
    return bytes.fromhex(value)


def _bad(path: Path, key: str, found: object, expected: str) -> IndexDamageError:
    what = f"the list of shards is damaged: bad {key!r}"
    return IndexDamageError(what, file=path, found=shown(repr(found), 80), expected=expected, hint=_HINT)
