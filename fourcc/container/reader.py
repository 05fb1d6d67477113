"""Opening a container: head, tail and index are read, tensors are zero-copy views of the mapped file.

Opening checks all that the index says and does not load numpy. It reads no payload: a tensor's bytes are compared with
their checksums when it is first asked for, and `fourcc.container.verify` reads all bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fourcc.container.index import BlobRecord, PartRecord, TensorRecord
from fourcc.container.missing_tensor import missing_tensor
from fourcc.container.shard_set import open_container
from fourcc.container.sums import intact_chunks, refuse_damage
from fourcc.container.tensor_mapping import TensorMapping, tensor_fields
from fourcc.errors import IndexDamageError, UsageError

if TYPE_CHECKING:
    import mmap

    from fourcc.arrays import Array
    from fourcc.qmatrix import QMatrix


class ModelFile(TensorMapping):
    """A model.bin: a mapping of tensor names to QMatrix values, and all that the file says of itself.

    Tensors are views of the mapped file; a view stays valid after `close`. A tensor's bytes are compared with their
    checksums once, when it is first asked for; `record` gives what the index says of it and reads none of its bytes.

    A model in shards is one such mapping, too: its shards are mapped one by one, and offsets in the index are those of
    the one file that they make together.

    Args:
        path: the file; of a model in shards any of them, or their list; or the folder that holds one model.
        verify: False: no tensor is compared with its checksums.
        fd: an open descriptor of the file, which this object then owns; `path` is then only its name for messages.

    Attributes:
        path: as it was given.
        index: all that the file says of itself.
        version: (major, minor) of the container.
        digest: BLAKE2b-256 over head and index: the id of the whole content, 32 bytes.
        members: the files, in order, each with its own index.
        listed: the list of shards that led to them; None: there was none.

    Raises:
        IndexDamageError: it is no container, or head, tail or index are damaged, cut or of a newer version, or a shard
            is missing or of another model.
        TableError: the index is intact but describes tensors that cannot exist.
        OSError: the file cannot be opened.
    """

    def __init__(self, path: str | Path, *, verify: bool = True, fd: int | None = None) -> None:
        self.path = Path(path)
        opened = open_container(self.path, fd)
        self.members, self.listed, self.file = opened.members, opened.listed, opened.file
        self.index, self.digest = opened.index, opened.digest
        self.version = self.members[0].version
        self._records = {record.name: record for record in self.index.tensors}
        self._unchecked = set(self._records) if verify else set[str]()
        self._maps: dict[int, mmap.mmap] = {}
        self._copied: dict[int, mmap.mmap] = {}

    @property
    def files(self) -> tuple[Path, ...]:
        """The paths of all files that hold its bytes."""
        return tuple(member.file.path for member in self.members)

    def another_fd(self) -> int | None:
        """A new descriptor of its file, which opens it again even where it has no name; None where it is in shards."""
        one = self.members[0]
        return os.dup(one.file.fd) if one.index.shard is None else None

    def __getitem__(self, name: str) -> QMatrix:
        """A tensor, as views of the mapped file.

        Raises:
            MissingTensorError: a KeyError, too: no tensor has that name.
            ChecksumError: its bytes are damaged.
            IndexDamageError: the file was cut or changed since it was opened.
            UsageError: the file is closed.
        """
        return self._matrix(name, self._mapped)

    def _matrix(self, name: str, mapped: Callable[[int], mmap.mmap]) -> QMatrix:
        from fourcc.qmatrix import QMatrix

        record = self.record(name)
        parts = {part.name: self._view(part, mapped) for part in record.parts}
        self._check(record)
        made_by = None if record.provider is None else str(self.index.providers[record.provider])
        return QMatrix(record.tag, record.shape, parts, record.params, name, made_by)

    def _view(self, part: PartRecord, mapped: Callable[[int], mmap.mmap]) -> Array:
        import numpy as np

        from fourcc.dtypes import numpy_dtype

        number, offset = self.file.place(part.offset)
        return np.ndarray(part.shape, numpy_dtype(part.dtype), buffer=mapped(number), offset=offset)

    def _writable(self, name: str) -> QMatrix:
        """A tensor in a mapping of the file that copies the pages that are written to, where the system allows one."""
        try:
            return self._matrix(name, self._mapped_to_copy)
        except OSError:  # it could need more memory than there is
            return self[name]

    def _mapped_to_copy(self, number: int) -> mmap.mmap:
        """One of the files in a mapping whose pages are copied where they are written to; raises as `_mapped`."""
        import mmap

        self._mapped(number)
        if number not in self._copied:
            self.file.files[number].fill()
            self._copied[number] = mmap.mmap(self.file.files[number].fd, 0, access=mmap.ACCESS_COPY)
        return self._copied[number]

    def _mapped(self, number: int) -> mmap.mmap:
        """One of the files, mapped. Raises where it was closed, or has changed since it was opened."""
        file = self.file.files[number]
        if file.closed:
            raise UsageError("the file is closed", file=self.path, hint="Open it again.")
        if file.changed():
            raise IndexDamageError("the file changed since it was opened", file=file.path, hint="Open it again.")
        import mmap

        if number not in self._maps:
            file.fill()
            self._maps[number] = mmap.mmap(file.fd, 0, access=mmap.ACCESS_READ)
        return self._maps[number]

    def _check(self, record: TensorRecord) -> None:
        """Refuses damage, once. The mapped pages are checked, since reading them into a buffer takes longer."""
        if record.name not in self._unchecked:
            return
        for part in record.parts:
            number, offset = self.file.place(part.offset)
            read = partial(_bytes_of, self._mapped(number))
            refuse_damage(read, self.file.files[number].path, part._replace(offset=offset), record.name)
        self._unchecked.discard(record.name)

    def refuse_damage(self, record: TensorRecord) -> None:
        """Compares a tensor's bytes with their checksums, by ordinary reads. Raises ChecksumError."""
        for part in record.parts:
            self._refuse_damage(part, record.name)

    def chunks(self, part: PartRecord, tensor: str) -> Iterator[bytearray | memoryview]:
        """A part's bytes, read run by run, each compared with its checksum before it is given. Raises ChecksumError."""
        number, offset = self.file.place(part.offset)
        file = self.file.files[number]
        return intact_chunks(file.read, file.path, part._replace(offset=offset), tensor)

    def _refuse_damage(self, region: PartRecord | BlobRecord, tensor: str | None) -> None:
        number, offset = self.file.place(region.offset)
        file = self.file.files[number]
        refuse_damage(file.read, file.path, region._replace(offset=offset), tensor)

    def refuse_change(self) -> None:
        """Raises IndexDamageError where the file was written to or cut since it was opened.

        Results computed from it are then void. Another file that took its name does not matter; after `close` there is
        nothing left to compare.
        """
        if self.file.closed:
            return
        for file in self.file.files:
            if file.cut():
                raise cut_error(file.path)
            if file.changed():
                raise IndexDamageError("the file changed while it was read", file=file.path, hint="Run it again.")

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """A context that raises as `refuse_change` does if the file changes within it, even if the block fails."""
        try:
            yield
        except Exception:
            self.refuse_change()
            raise
        self.refuse_change()

    def let_go(self, name: str) -> None:
        """Tells the system that a tensor's pages are not needed for now; they are read again on demand."""
        import mmap

        if not hasattr(mmap, "MADV_DONTNEED"):
            return
        page = mmap.PAGESIZE
        for part in self._records[name].parts:
            number, begin = self.file.place(part.offset)
            first, last = -(-begin // page) * page, (begin + part.nbytes) // page * page
            if last > first and number in self._maps:
                self._maps[number].madvise(mmap.MADV_DONTNEED, first, last - first)

    def record(self, name: str) -> TensorRecord:
        """The index's record of a tensor. Raises MissingTensorError, which is a KeyError, where none has that name."""
        if name not in self._records:
            raise missing_tensor(name, self._records, self.path)
        return self._records[name]

    def __contains__(self, name: object) -> bool:
        return name in self._records

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def _fields(self) -> Iterator[dict[str, Any]]:
        tied = bool(self.index.hyper.get("tied_embeddings", False))
        for each in self.index.tensors:
            yield tensor_fields(each.name, each.shape, str(each.tag), each.nbytes, each, tied=tied)

    def facts(self) -> dict[str, object]:
        """The facts of the file, for people: names and values."""
        hyper = " ".join(f"{name}={value}" for name, value in self.index.hyper.items())
        return {
            "architecture": self.index.architecture or "unknown",
            "hyper-parameters": hyper or None,
            "id": self.digest.hex(),
            "shards": len(self.members) if len(self.members) > 1 else None,
            "bits per weight": float(f"{self.index.bits_per_weight:.4g}"),
            "bytes of tensors": self.index.nbytes,
        }

    def blob(self, name: str) -> bytes:
        """A blob's bytes, compared with their checksums.

        Raises:
            KeyError: no blob of that name.
            ChecksumError: the bytes are damaged.
        """
        record = next((blob for blob in self.index.blobs if blob.name == name), None)
        if record is None:
            raise KeyError(name)
        self._refuse_damage(record, None)
        return bytes(self.file.read(record.offset, record.nbytes))

    def close(self) -> None:
        """Closes the file; views that are still in use keep the mapping alive."""
        self._maps, self._copied = {}, {}
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        bits = float(self.index.bits_per_weight)
        return f"<ModelFile {self.path}: {len(self)} tensors, {self.index.weights} weights, {bits:.4g} bits per weight>"


def cut_error(path: Path) -> IndexDamageError:
    """The error for a file that was cut, whoever notices."""
    return IndexDamageError("the file was cut while it was read", file=path, hint="Fetch or convert it again.")


def _bytes_of(mapped: mmap.mmap, offset: int, count: int) -> memoryview:
    return memoryview(mapped)[offset : offset + count]
