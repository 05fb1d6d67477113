"""The faults of a set whose shards can each be read: do they belong together, and does the list go with them?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from fourcc.container.index import Index, ShardRecord, pack_index
from fourcc.container.layout import file_digest, pack_head
from fourcc.container.members import Member, whole_index
from fourcc.container.shard_list import ShardList
from fourcc.errors import IndexDamageError

_SHORT = 16  # digits of an id in a message
_AGAIN = "Fetch or convert the set again."
_RENAME = "Give the files back the names that they were made with."
_WITHOUT = "A complete set opens without its list: name a shard instead, or remove the list."


def faults(members: Mapping[int, Member], count: int, from_list: ShardList | None = None) -> Iterator[IndexDamageError]:
    """Yields the errors for all that is wrong, the file at fault in each.

    Args:
        members: number by name -> shard. Where some are missing, or cannot be read, only the others are compared.
        count: of shards that there should be.
        from_list: the list of the set, if it was read.
    """
    found = [*_strangers(members.values(), count, from_list)] or [*_misplaced(members)]
    if not found and len(members) == count:
        ordered = [members[number] for number in range(1, count + 1)]
        found = [*_unlike(ordered)] or ([] if from_list is None else [*_stale(ordered, from_list)])
    yield from found


def _strangers(members: Iterable[Member], count: int, from_list: ShardList | None) -> Iterator[IndexDamageError]:
    """Whole files under a shard's name, and shards of another run; most of the shards tell which run is meant."""
    shards = [(member.file.path, member.index.shard) for member in members]
    votes = Counter(shard.whole for _, shard in shards if shard is not None)
    if from_list is not None and from_list.digest in votes:
        votes[from_list.digest] += 1
    for path, shard in shards:
        if shard is None:
            what = "a whole model lies under the name of a shard"
            yield IndexDamageError(what, file=path, hint="Fetch the shard again, or name another file.")
        elif shard.whole != (whole := votes.most_common(1)[0][0]):
            found, expected = f"set {_short(shard.whole)}", f"set {_short(whole)}"
            what = "the shard is of another run: the others make another model"
            yield IndexDamageError(what, file=path, found=found, expected=expected, hint=_AGAIN)
        elif shard.count != count:
            found, expected = f"shard {shard.number} of {shard.count}", f"one of {count}"
            what = "the set has another number of shards"
            yield IndexDamageError(what, file=path, found=found, expected=expected, hint=_RENAME)


def _misplaced(members: Mapping[int, Member]) -> Iterator[IndexDamageError]:
    """Shards under another's name, and one shard under two names."""
    for place, member in members.items():
        shard = _shard(member)
        if shard.number == place:
            continue
        twin = members.get(shard.number, member)
        same = twin is not member and twin.tail.digest == member.tail.digest
        what = f"the same shard as {twin.file.path.name}" if same else "another shard than its name says"
        found, expected = f"shard {shard.number} of {shard.count}", f"shard {place}"
        hint = "Fetch the shard again that this file should be." if same else _RENAME
        yield IndexDamageError(what, file=member.file.path, found=found, expected=expected, hint=hint)


def _unlike(members: Sequence[Member]) -> Iterator[IndexDamageError]:
    """Shards that say other things of the model than the first, or together make another file than they say."""
    for member in members[1:]:
        if member.index.blobs:
            what = "a shard has blobs, and only the first of a set may"
            yield IndexDamageError(what, file=member.file.path, hint=_AGAIN)
        elif _about(member.index) != _about(members[0].index):
            what = "the shard says other things of the model than the first shard"
            yield IndexDamageError(what, file=member.file.path, hint=_AGAIN)
    names = Counter(tensor.name for member in members for tensor in member.index.tensors)
    for name in [name for name, count in names.items() if count > 1][:1]:
        what = "two shards have a tensor of this name"
        yield IndexDamageError(what, file=members[0].file.path, tensor=name, hint=_AGAIN)
    whole = file_digest(pack_head(), pack_index(whole_index(members)))
    if whole != _shard(members[0]).whole:
        found, expected = _short(whole), _short(_shard(members[0]).whole)
        what = "the shards do not make the model that they say"
        yield IndexDamageError(what, file=members[0].file.path, found=found, expected=expected, hint=_AGAIN)


def _about(index: Index) -> Index:
    """The part of an index that is about the model, and not about the shard."""
    return attrs.evolve(index, tensors=(), blobs=(), shard=None)


def _stale(members: Sequence[Member], from_list: ShardList) -> Iterator[IndexDamageError]:
    """A list that does not go with its shards."""
    whole = _shard(members[0]).whole
    if from_list.digest != whole:
        yield _of_list(from_list, "the list is of another run than the shards", _short(from_list.digest), _short(whole))
        return
    for member, said in zip(members, from_list.shards, strict=True):
        name = member.file.path.name
        if said.nbytes != member.file.size:
            what = f"the list has another length of {name}"
            yield _of_list(from_list, what, f"{said.nbytes} bytes", f"{member.file.size} bytes")
        elif said.digest != member.tail.digest:
            yield _of_list(
                from_list, f"the list has another id of {name}", _short(said.digest), _short(member.tail.digest)
            )
    homes = {tensor.name: member.file.path.name for member in members for tensor in member.index.tensors}
    for name in dict.fromkeys([*homes, *from_list.homes]):
        if homes.get(name) != from_list.homes.get(name):
            found, expected = from_list.homes.get(name, "no such tensor"), homes.get(name, "no such tensor")
            error = _of_list(from_list, "the list has the tensor in another shard", found, expected)
            error.tensor = name
            yield error
            return


def _of_list(from_list: ShardList, what: str, found: str, expected: str) -> IndexDamageError:
    return IndexDamageError(what, file=from_list.path, found=found, expected=expected, hint=_WITHOUT)


def _shard(member: Member) -> ShardRecord:
    assert member.index.shard is not None
    return member.index.shard


def _short(digest: bytes) -> str:
    return digest.hex()[:_SHORT]
