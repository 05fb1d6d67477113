"""The files of a set that is being written: they appear together, with their list, when all are complete.

The output's name gives theirs: ``model.bin`` becomes ``model-00001-of-00003.bin`` and so on, and ``model.index.json``.
A model that fits one shard is written as one file, under the output's own name and without a list. Whatever the
output's name stood for before, as one file or in shards, is replaced as a whole.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path
from typing import Self

import attrs

from fourcc.container.file_runs import Run
from fourcc.container.head_and_tail import recognisable
from fourcc.container.shard_list import ListedShard, ShardList
from fourcc.container.shard_names import LIST_SUFFIX, SUFFIX, NumberedName, list_name, numbered
from fourcc.container.shard_writer import ShardWriter
from fourcc.errors import OutputError, UsageError
from fourcc.files.facts import Facts
from fourcc.files.journal import Record
from fourcc.files.part_file import check_output
from fourcc.files.part_folder import FileInFolder
from fourcc.files.part_set import PartSet, completed_set
from fourcc.files.read import ReadFile
from fourcc.files.unfinished import finished_record, refuse_sources
from fourcc.files.write import check_target, errors_named, real_path
from fourcc.policy.amounts import amount

_log = logging.getLogger(__name__)
_OFFSET = 3  # of a part, in a journal's record
_SHARD = "shard"  # the key of a run in a journal's record


@attrs.frozen
class ShardTarget:
    """The place of a set that will be written, after all checks that are possible beforehand.

    Attributes:
        whole: the path of the file where one is enough.
        stem: the set's name.
        largest: bytes of a shard's tensors.
        replaced: the files that go when the set is complete.
        force: whether unfinished work of that name may go, too.
    """

    whole: Path
    stem: str
    largest: int
    replaced: tuple[Path, ...]
    force: bool = False

    @property
    def list_path(self) -> Path:
        """The path of the set's list."""
        return self.whole.with_name(list_name(self.stem))


def shard_bytes(size: str | int) -> int:
    """The bytes of a shard's tensors that ``5GB`` spells. Raises UsageError."""
    try:
        number = size if isinstance(size, int) else int(amount(size))
    except ValueError as error:
        raise UsageError("no size of a file is spelled so", found=repr(size), expected="5GB, 500MB, 2GiB") from error
    if number < 1:
        raise UsageError("bad value of --shard-size", found=size, expected="at least a byte")
    return number


def check_model_output(
    path: Path, sources: Iterable[Path], *, shard_size: str | int | None, force: bool, resume: bool = False
) -> Path | ShardTarget:
    """The place where a model.bin is written: one file, or with a size shards.

    Takes and raises what `fourcc.files.part_file.check_output` does, and `check_shards`.
    """
    if shard_size is None:
        return check_output(path, sources, force=force, resume=resume)
    return check_shards(path, shard_bytes(shard_size), sources, force=force, resume=resume)


def check_shards(
    path: Path, largest: int, sources: Iterable[Path], *, force: bool, resume: bool = False, several: bool = False
) -> ShardTarget:
    """The place where a set is written, after all checks that are possible beforehand.

    Args:
        path: the output that the user gave: the name of the set, with or without a suffix.
        largest: bytes of a shard's tensors, at least 1.
        sources: the files that are read; none may be replaced.
        force: whether what the name stands for may be replaced.
        resume: whether unfinished work is gone on with: some of its files may have their names already.
        several: whether there will be shards in any case, so that a file of the whole model's name stays as it is.

    Raises:
        UsageError: a file is there and `force` is False, or is one of the sources or no shard of a model.bin; or the
            output is named as a shard.
        OutputError: the folder does not exist, or a file there is no regular one.
    """
    stem = path.name.removesuffix(LIST_SUFFIX).removesuffix(SUFFIX)
    if numbered(path.name) is not None or not stem:
        what = "the output has the name of a shard, and shards get their names from it"
        raise UsageError(what, file=path, expected=f"NAME{SUFFIX}", hint="Give the name of the whole model.")
    whole = path if not path.name.endswith(LIST_SUFFIX) else path.with_name(stem + SUFFIX)
    read, listed = tuple(sources), path.with_name(list_name(stem))
    force = force or (resume and finished_record(real_path(listed)) is not None)
    target = real_path(whole) if several else check_target(whole, read, force=force)
    if not target.parent.is_dir():
        raise OutputError("the folder does not exist", file=target.parent, hint="Create it first.")
    refuse_sources(target.with_name(listed.name), read)
    others = _of_set(target.parent, stem)
    for each in others:
        check_target(each, read, force=force)
        if numbered(each.name) is not None and not recognisable(each):
            what = "a file that is no shard of a model.bin has the name of one"
            raise UsageError(what, file=each, hint="Write to another name, or move the file away.")
    replaced = [*([] if several or not target.exists() else [target]), *others]
    return ShardTarget(target, stem, largest, tuple(replaced), force)


def _of_set(folder: Path, stem: str) -> list[Path]:
    """The files that have the names of a set's, however many shards it has."""
    names = sorted(entry.name for entry in folder.iterdir())
    shards = [name for name in names if (apart := numbered(name)) is not None and apart.stem == stem]
    return [folder / name for name in (*shards, *(name for name in names if name == list_name(stem)))]


class ShardFiles(PartSet):
    """The files of a set; a context manager that publishes them when it is left normally.

    Until then they lie in a folder beside the output, where a later run can go on with them. The journal has, for each
    tensor that is done, the shard that it lies in.

    Args:
        where: from `check_shards`.
        facts: as `PartSet` takes them.
        resume: likewise.
        anew: likewise.

    Attributes:
        written: the file that was published: the list, or the only file; known when the block is left.
        paths: the files that hold the model; known likewise.
    """

    def __init__(self, where: ShardTarget, facts: Facts, *, resume: bool = False, anew: bool = False) -> None:
        super().__init__(where.list_path, facts, where.replaced, resume=resume, anew=anew)
        self.written, self.paths = where.whole, tuple[Path, ...]()
        self._where = where
        self._stack = ExitStack()
        self._files: list[FileInFolder] = []
        self._list: ShardList | None = None
        self._writer: ShardWriter | None = None

    def __enter__(self) -> Self:
        super().__enter__()
        with errors_named(self.target, "create"):
            self._take_names_back()
        return self

    def _take_names_back(self) -> None:
        """Calls shards by their numbers again, where a run was interrupted while they got their names."""
        for path in sorted(self.path.iterdir()):
            name = numbered(path.name)
            if name is not None or path.name == self._where.whole.name:
                path.rename(self.shard_path(0 if name is None else name.number - 1))

    def writer(self) -> ShardWriter:
        """The writer of them; it is asked for once."""
        self._writer = ShardWriter(self, self._where.largest)
        return self._writer

    @property
    def size(self) -> int:
        """Bytes that lie in the folder."""
        return sum(path.stat().st_size for path in self.path.iterdir())

    def next_shard(self) -> FileInFolder:
        """Opens one more file, which an earlier run may have written in part."""
        file = self._stack.enter_context(FileInFolder(self.shard_path(len(self._files))))
        self._files.append(file)
        return file

    def shard_path(self, number: int) -> Path:
        """The file of a shard, by its number from 0, until it gets its name."""
        return self.path / f"{number + 1:05}{SUFFIX}"

    def add(self, key: str, record: Record) -> None:
        """Notes that a tensor's bytes are written, and in which shard. Raises OutputError."""
        assert self._writer is not None
        offset = record["parts"][0][_OFFSET] if record["parts"] else 0
        super().add(key, {**record, _SHARD: list(self._writer.run_at(offset))})

    def read_at(self, offset: int, count: int) -> bytearray:
        """So many of the bytes that an earlier run wrote at an offset of the whole, or those up to the shard's end."""
        run = max((run for run in self._earlier_runs if run.begin <= offset), default=None)
        if run is None or not self.shard_path(run.number).exists():
            return bytearray()
        with closing(ReadFile(self.shard_path(run.number))) as file:
            start = run.start + offset - run.begin
            return file.read(start, min(count, file.size - start)) if start < file.size else bytearray()

    @cached_property
    def _earlier_runs(self) -> frozenset[Run]:
        """The places of shards in the whole, as an earlier run noted them."""
        return frozenset(Run(*entry[_SHARD]) for entry in self.done.values() if _SHARD in entry)

    def name_shards(self, digest: bytes, shards: list[tuple[int, bytes]], homes: Mapping[str, int]) -> None:
        """Takes note of what was written; see `ShardOutput`."""
        if len(shards) == 1:
            self.paths = (self._where.whole,)
            return
        names = NumberedName(self._where.stem, 1, len(shards)).all
        self.paths = tuple(self._where.whole.with_name(name) for name in names)
        self.written = self._where.list_path
        listed = (ListedShard(name, *shard) for name, shard in zip(names, shards, strict=True))
        self._list = ShardList(
            self.written, digest, tuple(listed), {tensor: names[number] for tensor, number in homes.items()}
        )

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            self._stack.__exit__(kind, error, trace)  # type: ignore[arg-type]  # as it was given

    def _publish(self) -> None:
        names = list(self.paths)
        if self._list is not None:
            self.next_shard().write_at(0, self._list.packed())
            names.append(self.written)
        self._stack.close()  # flushes them
        with errors_named(self.written, "finish"):
            settled = [self.shard_path(number).rename(self.path / path.name) for number, path in enumerate(names)]
            for path in {*self.path.iterdir()} - {*settled}:
                path.unlink()  # a shard more than there is now, of an earlier run
        super()._publish()
        _log.info("wrote %s: %d shards", self.written, len(self.paths))


def completed_shards(where: ShardTarget, facts: Facts) -> Path | None:
    """The output of work that was interrupted while its files got their names, as they do now; else None.

    Raises as `completed_set` does.
    """
    done = completed_set(where.list_path, facts, where.replaced)
    if done is None:
        return None
    return where.list_path if where.list_path.name in done[1] else where.whole
