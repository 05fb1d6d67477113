"""Sets of three shards with one thing wrong, for tests of the library and of the commands."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from fourcc.container.index import pack_index
from fourcc.container.layout import TAIL_BYTES, Tail, file_digest, pack_head
from fourcc.container.members import Member
from fourcc.container.reader import ModelFile

STEM, COUNT = "m", 3
LIST = f"{STEM}.index.json"


def shard(folder: Path, number: int) -> Path:
    """The path of a shard."""
    return folder / f"{STEM}-{number:05}-of-{COUNT:05}.bin"


def ways(folder: Path) -> Iterator[Path]:
    """The paths that lead to the set, as far as they are there."""
    yield folder
    yield from (path for path in (folder / LIST, *(shard(folder, number) for number in (1, 2, 3))) if path.exists())


@attrs.frozen
class Fault:
    """A fault of a set.

    Attributes:
        make: (folder of the set, folder of another run's) -> nothing; spoils the first.
        says: what messages say, a regular expression.
        at: name of the file that they name; empty: that which was given.
        lists: whether only those find it who come by the list.
    """

    make: Callable[[Path, Path], object]
    says: str
    at: str = ""
    lists: bool = False


def _edit(name: str, value: object) -> Callable[[Path, Path], None]:
    """Changes a key of the list."""

    def make(folder: Path, _: Path) -> None:
        root = json.loads((folder / LIST).read_text())
        *path, last = name.split(".")
        node = root
        for step in path:
            node = node[int(step)] if step.isdigit() else node[step]
        node[last] = value(node[last]) if callable(value) else value
        (folder / LIST).write_text(json.dumps(root))

    return make


def rewritten(member: Member, path: Path, **changes: object) -> None:
    """Writes a shard with another index; its bytes stay."""
    offset = member.tail.index_offset
    packed = pack_index(attrs.evolve(member.index, **changes))
    end = offset + len(packed) + TAIL_BYTES
    tail = Tail(offset, len(packed), end, file_digest(pack_head(), packed))
    path.write_bytes(member.file.path.read_bytes()[:offset] + packed + tail.pack())


def _hyper(folder: Path, _: Path) -> None:
    """Shard 2 says something else of the model, and is intact."""
    with ModelFile(shard(folder, 1)) as model:
        rewritten(model.members[1], shard(folder, 2), hyper={"dim": 7})


def _sums(folder: Path, _: Path) -> None:
    """Shard 2 has another tensor of the same length, and right sums, digest and numbers."""
    with ModelFile(shard(folder, 1)) as model:
        index = model.members[1].index
        tensors = (index.tensors[0]._replace(source_name="another"), *index.tensors[1:])
        rewritten(model.members[1], shard(folder, 2), tensors=tensors)


def _swap(folder: Path, _: Path) -> None:
    shard(folder, 1).rename(folder / "x")
    shard(folder, 3).rename(shard(folder, 1))
    (folder / "x").rename(shard(folder, 3))


def _cut(path: Path, nbytes: int) -> None:
    path.write_bytes(path.read_bytes()[:nbytes])


def _flip_index(folder: Path, _: Path) -> None:
    data = bytearray(shard(folder, 2).read_bytes())
    data[-TAIL_BYTES - 9] ^= 1
    shard(folder, 2).write_bytes(data)


def _lone(folder: Path, _: Path) -> None:
    for number in (1, 3):
        shard(folder, number).unlink()
    (folder / LIST).unlink()


_TWO = shard(Path(), 2).name
FAULTS = {
    "missing": Fault(lambda folder, _: shard(folder, 2).unlink(), rf"1 of 3 shards is missing: {_TWO}\. Fetch"),
    "two missing": Fault(
        lambda folder, _: [shard(folder, number).unlink() for number in (2, 3)],
        rf"2 of 3 shards are missing: {_TWO}, m-00003-of-00003\.bin\. Fetch",
    ),
    "alone": Fault(_lone, r"2 of 3 shards are missing: m-00001-of-00003\.bin, m-00003-of-00003\.bin"),
    "twice": Fault(
        lambda folder, _: shutil.copy(shard(folder, 1), shard(folder, 2)),
        r"(the same shard as m-00001-of-00003\.bin: found shard 1 of 3, expected shard 2|under another name)",
        _TWO,
    ),
    "swapped": Fault(
        _swap, r"(another shard than its name says: found shard 3 of 3, expected shard 1|under another name)"
    ),
    "of another run": Fault(
        lambda folder, other: shutil.copy(shard(other, 2), shard(folder, 2)),
        r"the shard is of another run: the others make another model: found set [0-9a-f]{16}, expected set",
        _TWO,
    ),
    "cut": Fault(lambda folder, _: _cut(shard(folder, 2), 900), r"the file is cut, or something was appended", _TWO),
    "empty": Fault(lambda folder, _: _cut(shard(folder, 2), 0), r"not a model\.bin: the file is empty", _TWO),
    "flipped": Fault(_flip_index, r"the index is damaged: its digest differs", _TWO),
    "a whole model": Fault(
        lambda folder, other: shutil.copy(other / "whole.bin", shard(folder, 2)),
        r"a whole model lies under the name of a shard",
        _TWO,
    ),
    "another count": Fault(
        lambda folder, other: shutil.copy(other / "n-00002-of-00002.bin", shard(folder, 2)),
        r"(of another run|under another name, which does not tell the others')",
        _TWO,
    ),
    "another hyper": Fault(_hyper, r"the shard says other things of the model than the first shard", _TWO),
    "another tensor": Fault(_sums, r"the shards do not make the model that they say", shard(Path(), 1).name),
    "a cut list": Fault(
        lambda folder, _: _cut(folder / LIST, 300), r"the list of shards is damaged: not the JSON", LIST, lists=True
    ),
    "another version": Fault(
        _edit("version", 2), r"of a version that is not known here: found version 2", LIST, lists=True
    ),
    "a stale list": Fault(
        lambda folder, other: shutil.copy(other / LIST, folder / LIST),
        r"the list is of another run than the shards: found [0-9a-f]{16}",
        LIST,
        lists=True,
    ),
    "another length": Fault(
        _edit("shards.1.bytes", 5), rf"the list has another length of {_TWO}: found 5 bytes", LIST, lists=True
    ),
    "another id": Fault(
        _edit("shards.1.id", "0" * 64), rf"the list has another id of {_TWO}: found 0{{16}}", LIST, lists=True
    ),
    "a tensor elsewhere": Fault(
        _edit("tensors.norm", _TWO),
        rf"tensor 'norm': the list has the tensor in another shard: found {_TWO}",
        LIST,
        lists=True,
    ),
    "a tensor more": Fault(
        _edit("tensors", lambda homes: {**homes, "x": _TWO}), r"tensor 'x': .*expected no such tensor", LIST, lists=True
    ),
    "a way out": Fault(
        _edit("shards.1.file", "../m.bin"), r"bad 'file': found '\.\./m\.bin', expected the name", LIST, lists=True
    ),
    "an absolute path": Fault(_edit("shards.1.file", "/etc/m.bin"), r"bad 'file': found", LIST, lists=True),
    "one file twice": Fault(
        _edit("shards.1.file", shard(Path(), 1).name), r"bad 'shards': found .*own for each", LIST, lists=True
    ),
    "no shards": Fault(_edit("shards", []), r"bad 'shards': found \[\], expected a list of shards", LIST, lists=True),
    "a bad id": Fault(_edit("id", "xyz"), r"bad 'id': found 'xyz', expected 64 hexadecimal digits", LIST, lists=True),
    "no map": Fault(_edit("tensors", 3), r"bad 'tensors': found 3, expected a map", LIST, lists=True),
    "a bad home": Fault(_edit("tensors.norm", ["x"]), r"bad 'tensors': found", LIST, lists=True),
}


def made(source: Path, folder: Path, other: Path) -> None:
    """Cuts a model into three shards, and another one, which is also there as one file and in two."""
    import fourcc
    from fourcc.container.resharding import split

    folder.mkdir()
    other.mkdir()
    split(source, folder / STEM, shard_size=_size(source, COUNT))
    whole = other / "whole.bin"
    fourcc.convert(source, whole, format="F16" if "F32" not in str(source) else "F32")
    split(whole, other / STEM, shard_size=_size(whole, COUNT))
    split(whole, other / "n", shard_size=_size(whole, 2))


def _size(model: Path, count: int) -> int:
    """A size that cuts a model into so many shards."""
    from fourcc.container.resharding import _count

    with ModelFile(model) as opened:
        sizes = range(opened.index.nbytes // count, opened.index.nbytes, 1024)
        return next(size for size in sizes if _count(opened, size) == count)
