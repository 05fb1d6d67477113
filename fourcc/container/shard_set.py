"""From a path to the files of a container: one file, or the shards of a set, and what they make together.

A path may lead to a whole file, to any shard, to the list of a set, or to a folder that holds one model. A shard's
siblings lie beside it, and their names differ from its own in the number alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import attrs

from fourcc.container.file_runs import WHOLE, FileRuns
from fourcc.container.folder_models import model_in
from fourcc.container.index import Index
from fourcc.container.members import Member, open_member, runs_of, whole_index
from fourcc.container.shard_faults import faults
from fourcc.container.shard_list import ShardList, is_shard_list, read_shard_list
from fourcc.container.shard_names import NumberedName, list_name, numbered
from fourcc.errors import IndexDamageError, InputError, UnknownVersionError, listed
from fourcc.files.beside import file_in

_SHOWN = 8  # names in a message
_RENAME = "Give the files back the names that they were made with."


@attrs.frozen(eq=False)
class OpenedContainer:
    """An opened container.

    Attributes:
        members: its files, in order.
        index: of the whole; offsets are those of the one file that the members make.
        digest: id of that one file.
        file: the bytes of all members.
        listed: the list that led to them; None: there was none.
    """

    members: tuple[Member, ...]
    index: Index
    digest: bytes
    file: FileRuns
    listed: ShardList | None = None


def open_container(path: Path, fd: int | None = None) -> OpenedContainer:
    """Opens the files of a container, and checks that they belong together.

    Args:
        path: a file, a shard, a list of shards, or a folder.
        fd: an open descriptor of a whole file, which the result then owns; `path` is then only its name for messages.

    Raises:
        IndexDamageError: a file is damaged, missing, or of another set; the message names it.
        TableError: an index describes tensors that cannot exist.
        OSError: a file cannot be opened.
    """
    with ExitStack() as stack:
        members, from_list = _members(path, fd, stack)
        if members[0].index.shard is None and from_list is None and len(members) == 1:
            only = members[0]
            opened = OpenedContainer((only,), only.index, only.tail.digest, FileRuns([only.file], [WHOLE]))
        else:
            for fault in faults(dict(enumerate(members, 1)), len(members), from_list):
                raise fault
            opened = joined(members, from_list)
        stack.pop_all()
        return opened


def _members(path: Path, fd: int | None, stack: ExitStack) -> tuple[list[Member], ShardList | None]:
    """The opened files, and the list that led to them."""
    entry = path
    if fd is None:
        entry = model_in(path) if path.is_dir() else path
        if is_shard_list(entry):
            shards = read_shard_list(entry)
            return [_opened(each, stack) for each in present(listed_paths(shards), entry)], shards
    first = _opened(entry, stack, fd)
    if first.index.shard is None:
        return [first], None
    if fd is not None:
        raise IndexDamageError("a shard, whose descriptor does not lead to the others", file=path)
    paths = present(siblings(first), entry)
    return [first if each == entry else _opened(each, stack) for each in paths], None


def _opened(path: Path, stack: ExitStack, fd: int | None = None) -> Member:
    """Opens one file; an error in a shard says what to do."""
    try:
        return open_member(path, stack, fd)
    except InputError as error:
        if numbered(path.name) is not None and error.hint is None:
            error.hint = "Fetch this shard again; `fourcc verify` looks at all of them."
        raise


def listed_paths(shards: ShardList) -> list[Path]:
    """The paths of the shards that a list names."""
    return [shards.path.with_name(each.file) for each in shards.shards]


def siblings(member: Member) -> list[Path]:
    """The paths of all shards of a set, by the name of one. Raises IndexDamageError where it does not tell them."""
    if not well_named(member):
        raise misnamed(member)
    name = numbered(member.file.path.name)
    return [] if name is None else [member.file.path.with_name(each) for each in name.all]


def well_named(member: Member) -> bool:
    """Whether a shard's name has the number and the count that its index states."""
    shard, name = member.index.shard, numbered(member.file.path.name)
    return shard is not None and name is not None and (name.number, name.count) == (shard.number, shard.count)


def misnamed(member: Member) -> IndexDamageError:
    """The error for a shard whose name does not tell those of the others."""
    shard, path, name = member.index.shard, member.file.path, numbered(member.file.path.name)
    number, count = (0, 0) if shard is None else (shard.number, shard.count)
    expected = NumberedName("NAME" if name is None else name.stem, number, count)
    what = f"shard {number} of {count} of a model, under another name, which does not tell the others'"
    return IndexDamageError(what, file=path, found=path.name, expected=expected, hint=_RENAME)


def names_of_files(path: Path) -> tuple[list[Path], Path | None]:
    """The paths of a container's files, some of which may be missing or damaged, and that of a set's list, if any.

    Args:
        path: as `open_container` takes it.

    Raises:
        InputError: a folder holds no container, or several, or a shard's name does not tell the others'.
        OSError: a file cannot be read.
    """
    entry = model_in(path) if path.is_dir() else path
    if is_shard_list(entry):
        return _of_list(entry), entry
    with ExitStack() as stack:
        try:
            member = open_member(entry, stack)
        except UnknownVersionError:
            raise
        except InputError:
            name = numbered(entry.name)
            paths = [entry] if name is None else [entry.with_name(each) for each in name.all]
            paths = [entry] if len(missing_names(paths)) == len(paths) - 1 else paths
        else:
            paths = [entry] if member.index.shard is None or not well_named(member) else siblings(member)
    name = numbered(entry.name) if len(paths) > 1 else None
    beside = None if name is None else file_in(entry.parent, list_name(name.stem))
    return paths, beside if beside is not None and is_shard_list(beside) else None


def _of_list(path: Path) -> list[Path]:
    """The shards that a list names; of a damaged one, those beside it that have its name."""
    try:
        return listed_paths(read_shard_list(path))
    except IndexDamageError:
        names = map(numbered, sorted(each.name for each in path.parent.iterdir()))
        first = next((name for name in names if name is not None and list_name(name.stem) == path.name), None)
        return [] if first is None else [path.with_name(each) for each in first.all]


def present(paths: Sequence[Path], entry: Path) -> Sequence[Path]:
    """The paths, all of which are there. Raises IndexDamageError that names those which are missing."""
    missing = missing_names(paths)
    if missing:
        are = "is" if len(missing) == 1 else "are"
        what = f"{len(missing)} of {len(paths)} shards {are} missing: {listed(missing, _SHOWN)}"
        hint = "Fetch what is missing into this folder; each shard keeps the name that it was made with."
        raise IndexDamageError(what, file=entry, hint=hint)
    return paths


def missing_names(paths: Sequence[Path]) -> list[str]:
    """The names of files that are not there."""
    return [path.name for path in paths if file_in(path.parent, path.name) is None]


def joined(members: Sequence[Member], from_list: ShardList | None = None) -> OpenedContainer:
    """The container that shards make together; that they belong together was checked."""
    runs, shard = runs_of(members), members[0].index.shard
    assert shard is not None
    files = FileRuns([member.file for member in members], runs)
    return OpenedContainer(tuple(members), whole_index(members, runs), shard.whole, files, from_list)
