"""Reading a container from end to end and naming every damage; nothing is mapped or decoded.

Every byte of a file is covered: head, index and tail by the digest and a check of every field, parts and blobs by their
checksums, the padding between them because it must be zero. Where a tensor's format is installed, its parts are also
compared with what the format declares: right checksums do not show that a file was written wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import attrs

from fourcc.container.declared_parts import fitting_shapes
from fourcc.container.folder_models import is_container
from fourcc.container.index import BlobRecord, PartRecord, TensorRecord
from fourcc.container.layout import aligned
from fourcc.container.members import Member, open_member
from fourcc.container.reader import ModelFile
from fourcc.container.shard_faults import faults
from fourcc.container.shard_list import read_shard_list
from fourcc.container.shard_set import misnamed, missing_names, names_of_files, well_named
from fourcc.container.sums import damaged_chunks
from fourcc.errors import InputError, PluginError, TableError, UnknownVersionError


@attrs.frozen
class Damage:
    """Bytes that are not as they were written.

    Attributes:
        what: a description of the damage.
        offset: first byte of the smallest run known to hold the damage.
        nbytes: its length; 0 where the index says something wrong and no byte is damaged.
        tensor: the tensor, where the damage is in one.
        part: the part or blob.
        file: name of the shard, or of the list; None: the file that was named is the only one.
    """

    what: str
    offset: int
    nbytes: int
    tensor: str | None = None
    part: str | None = None
    file: str | None = None


def verify(path: str | Path) -> tuple[Damage, ...]:
    """Every damage of a container; none where it is as it was written. Raises as `damages` does."""
    return tuple(damages(Path(path)))


def damages(path: Path, progress: Callable[[int], None] | None = None) -> Iterator[Damage]:
    """Yields every damage of a container, from its start to its end.

    Of a model in shards, every shard is checked, and whether they belong together.

    Args:
        path: the file; of a model in shards any of them, their list, or the folder.
        progress: called with the number of bytes checked since the last call.

    Raises:
        UnknownVersionError: the file is of a version that is not known here.
        InputError: the file is no container at all.
        OSError: it cannot be read.
    """
    if not is_container(path):
        ModelFile(path).close()  # raises, and names what the file is
    paths, list_path = names_of_files(path)
    several = list_path is not None or len(paths) > 1
    members: dict[int, Member] = {}
    with ExitStack() as stack:
        for number, each in enumerate(paths, 1):
            for found in _of_file(each, progress or (lambda _: None), stack):
                if isinstance(found, Member):
                    members[number] = found
                else:
                    yield attrs.evolve(found, file=each.name) if several else found
        lone = None if several or not members else members[1]
        if lone is not None and lone.index.shard is not None and not well_named(lone):
            yield Damage(str(misnamed(lone)), 0, 0)
        elif lone is None or lone.index.shard is not None:
            yield from _of_set(members, len(paths), list_path)


def _of_file(path: Path, progress: Callable[[int], None], stack: ExitStack) -> Iterator[Damage | Member]:
    """Every damage of one file, and, where it can be opened, the file."""
    if missing_names([path]):
        yield Damage("the shard is missing", 0, 0)
        return
    try:
        member = open_member(path, stack)
    except UnknownVersionError:
        raise
    except InputError as error:
        size = path.stat().st_size
        yield Damage(str(error), 0, size)
        return
    yield from filter(None, map(_misfit, member.index.tensors))
    yield from _payload(member, progress)
    yield member


def _of_set(members: Mapping[int, Member], count: int, list_path: Path | None) -> Iterator[Damage]:
    """The damage of a set whose shards are each as they were written."""
    from_list = None
    try:
        from_list = None if list_path is None else read_shard_list(list_path)
    except InputError as error:
        yield Damage(str(error), 0, 0, file=Path(str(error.file)).name)
    for fault in faults(members, count, from_list):
        yield Damage(str(fault), 0, 0, fault.tensor, file=Path(str(fault.file)).name)


def _misfit(record: TensorRecord) -> Damage | None:
    """The damage of a tensor that its format cannot have stored so; None where it can, or is not installed."""
    from fourcc.plugins.registry import registry

    if record.tag not in registry:
        return None
    try:
        fitting_shapes(record, registry[record.tag])
    except PluginError:  # a broken plugin
        return None
    except TableError as error:
        error.tensor = None  # `Damage` names it
        return Damage(str(error), record.parts[0].offset if record.parts else 0, 0, record.name)
    return None


def _payload(member: Member, progress: Callable[[int], None]) -> Iterator[Damage]:
    regions: list[tuple[str | None, PartRecord | BlobRecord]] = [
        (tensor.name, part) for tensor in member.index.tensors for part in tensor.parts
    ]
    regions += [(None, blob) for blob in member.index.blobs]
    for tensor, region in regions:
        for offset, count in damaged_chunks(member.file.read, tensor or "", region):
            yield Damage("bytes differ from their checksum", offset, count, tensor, region.name)
        end = region.offset + region.nbytes
        padding = aligned(end) - end
        if any(member.file.read(end, padding)):
            yield Damage("padding is not zero", end, padding, tensor, region.name)
        progress(aligned(end) - region.offset)


def files_on_disk(path: Path) -> list[Path]:
    """The files of a container that are there. Raises as `damages` does."""
    files, _ = names_of_files(path)
    return [each for each in files if each.exists()]
