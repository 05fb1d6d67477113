"""The files of a set that is being written: they appear together, with their list, when all are complete.

The output's name gives theirs: ``model.bin`` becomes ``model-00001-of-00003.bin`` and so on, and ``model.index.json``.
A model that fits one shard is written as one file, under the output's own name and without a list. Whatever the
output's name stood for before, as one file or in shards, is replaced as a whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import attrs

from fourcc.container.head_and_tail import recognisable
from fourcc.container.shard_list import ListedShard, ShardList
from fourcc.container.shard_names import LIST_SUFFIX, SUFFIX, NumberedName, list_name, numbered
from fourcc.container.shard_writer import ShardWriter
from fourcc.errors import OutputError, UsageError
from fourcc.files.several import publish
from fourcc.files.write import AtomicFile, check_target, errors_named, real_path
from fourcc.policy.amounts import amount


@attrs.frozen
class ShardTarget:
    """The place of a set that will be written, after all checks that are possible beforehand.

    Attributes:
        whole: the path of the file where one is enough.
        stem: the set's name.
        largest: bytes of a shard's tensors.
        replaced: the files that go when the set is complete.
    """

    whole: Path
    stem: str
    largest: int
    replaced: tuple[Path, ...]

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


def check_output(path: Path, size: str | int | None, sources: Iterable[Path], *, force: bool) -> Path | ShardTarget:
    """The place where a model.bin is written: one file, or with a size shards. Raises as `check_target` and `check_shards` do."""
    if size is None:
        return check_target(path, sources, force=force)
    return check_shards(path, shard_bytes(size), sources, force=force)


def check_shards(
    path: Path, largest: int, sources: Iterable[Path], *, force: bool, several: bool = False
) -> ShardTarget:
    """The place where a set is written, after all checks that are possible beforehand.

    Args:
        path: the output that the user gave: the name of the set, with or without a suffix.
        largest: bytes of a shard's tensors, at least 1.
        sources: the files that are read; none may be replaced.
        force: whether what the name stands for may be replaced.
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
    read = tuple(sources)
    target = real_path(whole) if several else check_target(whole, read, force=force)
    if not target.parent.is_dir():
        raise OutputError("the folder does not exist", file=target.parent, hint="Create it first.")
    others = _of_set(target.parent, stem)
    for each in others:
        check_target(each, read, force=force)
        if numbered(each.name) is not None and not recognisable(each):
            what = "a file that is no shard of a model.bin has the name of one"
            raise UsageError(what, file=each, hint="Write to another name, or move the file away.")
    replaced = [*([] if several or not target.exists() else [target]), *others]
    return ShardTarget(target, stem, largest, tuple(replaced))


def _of_set(folder: Path, stem: str) -> list[Path]:
    """The files that have the names of a set's, however many shards it has."""
    names = sorted(entry.name for entry in folder.iterdir())
    shards = [name for name in names if (apart := numbered(name)) is not None and apart.stem == stem]
    return [folder / name for name in (*shards, *(name for name in names if name == list_name(stem)))]


class ShardFiles:
    """The files of a set; a context manager that publishes them when it is left normally, and else removes them.

    Args:
        where: from `check_shards`.

    Attributes:
        target: for messages: the name that the set is written to.
        written: the file that was published: the list, or the only file; known when the block is left.
        paths: the files that hold the model; known likewise.
    """

    def __init__(self, where: ShardTarget) -> None:
        self.target = self.written = where.whole
        self.paths: tuple[Path, ...] = ()
        self._where = where
        self._stack = ExitStack()
        self._files: list[_WaitingFile] = []
        self._list: ShardList | None = None

    def __enter__(self) -> Self:
        return self

    def writer(self) -> ShardWriter:
        """The writer of them; it is asked for once."""
        return ShardWriter(self, self._where.largest)

    def next_shard(self) -> AtomicFile:
        """Opens one more file."""
        file = self._stack.enter_context(_WaitingFile(self.target))
        self._files.append(file)
        return file

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
        with self._stack:
            if kind is None:
                self._publish()

    def _publish(self) -> None:
        names = list(self.paths)
        if self._list is not None:
            self.next_shard().write_at(0, self._list.packed())
            names.append(self.written)
        renames = {file.settled(): path for file, path in zip(self._files, names, strict=True)}
        publish(renames, self._where.replaced)
        for file in self._files:
            file.give_up()


class _WaitingFile(AtomicFile):
    """A file beside the target that others give its name."""

    def settled(self) -> Path:
        """Its path, after its bytes reached the disk."""
        assert self._temporary is not None
        with errors_named(self.target, "finish"):
            os.fsync(self._fd)
        return self._temporary

    def give_up(self) -> None:
        """Leaves it under the name that it was given."""
        self._temporary = None

    def _publish(self) -> None:
        """Nothing: it has its name."""
