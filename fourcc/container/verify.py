"""Reading a container from end to end and naming every damage; nothing is mapped or decoded.

Every byte of a file is covered: head, index and tail by the digest and a check of every field, parts and blobs by their
checksums, the padding between them because it must be zero. Where a tensor's format is installed, its parts are also
compared with what the format declares: right checksums do not show that a file was written wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from fourcc.container.declared_parts import fitting_shapes
from fourcc.container.head_and_tail import recognisable
from fourcc.container.index import BlobRecord, PartRecord, TensorRecord
from fourcc.container.layout import aligned
from fourcc.container.reader import ModelFile
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
    """

    what: str
    offset: int
    nbytes: int
    tensor: str | None = None
    part: str | None = None


def verify(path: str | Path) -> tuple[Damage, ...]:
    """Every damage of a container; none where it is as it was written. Raises as `damages` does."""
    return tuple(damages(Path(path)))


def damages(path: Path, progress: Callable[[int], None] | None = None) -> Iterator[Damage]:
    """Yields every damage of a container, from its start to its end.

    Args:
        path: the file.
        progress: called with the number of bytes checked since the last call.

    Raises:
        UnknownVersionError: the file is of a version that is not known here.
        InputError: the file is no container at all.
        OSError: it cannot be read.
    """
    if not recognisable(path):
        ModelFile(path).close()  # raises, and names what the file is
    try:
        model = ModelFile(path)
    except UnknownVersionError:
        raise
    except InputError as error:
        size = path.stat().st_size
        yield Damage(str(error), 0, size)
        return
    with model:
        yield from filter(None, map(_misfit, model.index.tensors))
        yield from _payload(model, progress or (lambda _: None))


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


def _payload(model: ModelFile, progress: Callable[[int], None]) -> Iterator[Damage]:
    regions: list[tuple[str | None, PartRecord | BlobRecord]] = [
        (tensor.name, part) for tensor in model.index.tensors for part in tensor.parts
    ]
    regions += [(None, blob) for blob in model.index.blobs]
    for tensor, region in regions:
        for offset, count in damaged_chunks(model.file.read, tensor or "", region):
            yield Damage("bytes differ from their checksum", offset, count, tensor, region.name)
        end = region.offset + region.nbytes
        padding = aligned(end) - end
        if any(model.file.read(end, padding)):
            yield Damage("padding is not zero", end, padding, tensor, region.name)
        progress(aligned(end) - region.offset)
