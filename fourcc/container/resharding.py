"""One file from shards, and shards from one file: every byte is compared with its checksum while it is copied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs

from fourcc.container.index import PartRecord
from fourcc.container.layout import file_digest, pack_head
from fourcc.container.reader import ModelFile
from fourcc.container.shard_files import ShardFiles, ShardTarget, check_shards, shard_bytes
from fourcc.container.shard_writer import ShardCutter, padded_bytes
from fourcc.container.writer import Writer, packed_index
from fourcc.errors import UsageError
from fourcc.files.write import AtomicFile, check_space, check_target
from fourcc.progress import Count, OnProgress, counter

SHARD_ROOM = (
    1 << 16
)  # bytes beyond its tensors that a shard's head, index and tail may need, for the check of free space


@attrs.frozen
class Resharded:
    """The result of joining or splitting.

    Attributes:
        path: what was written: the file, or the list of the shards.
        digest: the model's id, which stays as it was.
        files: the files that hold the model.
    """

    path: Path
    digest: bytes
    files: tuple[Path, ...]

    @property
    def nbytes(self) -> int:
        """Length of all files."""
        return sum(path.stat().st_size for path in self.files)


def join(
    source: str | Path, output: str | Path, *, force: bool = False, progress: OnProgress | None = None
) -> Resharded:
    """Makes one file of a model in shards: the very bytes that a conversion to one file gives.

    Args:
        source: a shard, the list of the shards, or their folder.
        output: the model.bin to write.
        force: replace an existing output.
        progress: called after every run with the tensor's name, the bytes that are copied, and those of all tensors.

    Raises:
        UsageError: the source is one file, or the output exists.
        InputError: a shard is missing, damaged, or of another model; the output is then as it was.
        OutputError: the output cannot be written.
    """
    with ModelFile(source) as model, model.unchanged():
        if len(model.members) == 1 and model.listed is None and model.members[0].index.shard is None:
            raise UsageError("the model is one file: there is nothing to join", file=model.path)
        target = check_target(Path(output), _read(model), force=force)
        check_space(target, model.file.size)
        with AtomicFile(target) as out:
            digest = _copied(model, Writer(out), progress)
    return Resharded(target, digest, (target,))


def split(
    source: str | Path,
    output: str | Path,
    *,
    shard_size: str | int,
    force: bool = False,
    progress: OnProgress | None = None,
) -> Resharded:
    """Cuts a model.bin into shards; `join` makes the same file of them again.

    Args:
        source: a model.bin, or a model in shards, which is cut anew.
        output: the name of the set: ``model`` or ``model.bin`` give ``model-00001-of-00003.bin`` and so on.
        shard_size: bytes of tensors that a shard holds at most, such as ``"1GB"``.
        force: replace an existing set of that name.
        progress: as `join` takes it.

    Raises:
        UsageError: the model fits one shard, the output exists, or the file was not written as `join` would.
        InputError: the file is damaged; the output is then as it was.
        OutputError: a shard cannot be written.
    """
    largest = shard_bytes(shard_size)
    with ModelFile(source) as model, model.unchanged():
        count = _count(model, largest)
        if count == 1:
            held = model.index.nbytes
            what = "the model fits one shard: there is nothing to split"
            raise UsageError(what, file=model.path, found=f"{held} bytes of tensors", expected="a smaller --shard-size")
        if file_digest(pack_head(), packed_index(model.index)) != model.digest:
            hint = "`fourcc convert FILE -o NAME --shard-size SIZE` writes the model anew."
            what = "the index is not spelled as fourcc spells it, so that joining would not give this file again"
            raise UsageError(what, file=model.path, hint=hint)
        target = check_shards(Path(output), largest, _read(model), force=force, several=True)
        check_space(target.whole, model.file.size + count * SHARD_ROOM)
        return written_in_shards(model, target, progress)


def written_in_shards(model: ModelFile, target: ShardTarget, progress: OnProgress | None = None) -> Resharded:
    """Writes a model to the place that `check_shards` gave. Raises as `split` does."""
    with ShardFiles(target, {"work": "split", "id": model.digest.hex()}, anew=target.force) as out:
        digest = _copied(model, out.writer(), progress)
    return Resharded(out.written, digest, out.paths)


def _read(model: ModelFile) -> tuple[Path, ...]:
    return (*model.files, *([] if model.listed is None else [model.listed.path]))


def _count(model: ModelFile, largest: int) -> int:
    """The number of shards."""
    cutter = ShardCutter(largest)
    return 1 + sum([cutter.begins(padded_bytes(tensor.parts)) for tensor in model.index.tensors])


def _copied(model: ModelFile, writer: Writer, progress: OnProgress | None) -> bytes:
    """Copies a model; gives its id."""
    count = counter(model.index.nbytes, progress)
    for record in model.index.tensors:
        parts = [(part, _runs(model, part, record.name, count)) for part in record.parts]
        writer.add(record._replace(parts=writer.copy(record.name, parts)))
    for blob in model.index.blobs:
        writer.blob(blob.name, model.blob(blob.name))
    return writer.finish(model.index)[0]


def _runs(model: ModelFile, part: PartRecord, tensor: str, count: Count) -> Iterator[bytes]:
    """A part's bytes, run by run, each compared with its checksum."""
    for data in model.chunks(part, tensor):
        yield bytes(data)
        count(tensor, len(data))
