"""Opening a container: head, tail and index by ordinary reads; tensors as zero-copy views of the mapped file.

Opening checks all that the index says, and loads no numpy. It reads no payload: a tensor's bytes are compared with
their sums when it is first asked for, and `fourcc.container.verify` reads all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from fourcc.container.index import Index, PartRecord, TensorRecord
from fourcc.container.layout import (
    ALIGNMENT,
    END_MAGIC,
    HEAD_BYTES,
    HEAD_USED,
    INDEX_CAP,
    MAGIC,
    MAJOR,
    TAIL_BYTES,
    Tail,
    file_digest,
    unpack_version,
)
from fourcc.container.names import missing_tensor
from fourcc.container.parse import parse_index
from fourcc.container.sums import refuse_damage
from fourcc.errors import IndexDamageError, UnknownVersionError, UsageError
from fourcc.files.read import ReadFile

if TYPE_CHECKING:
    import mmap

    from fourcc.format import Array
    from fourcc.qmatrix import QMatrix


class ModelFile(Mapping[str, "QMatrix"]):
    """A model.bin: tensor name -> QMatrix, and all that the file says of itself.

    Tensors are views of the mapped file, and a view stays valid after `close`. A tensor's bytes are read once, and
    compared with their sums, when it is first asked for; `record` says what the index knows of it without reading it.

    Args:
        path: the file.
        verify: False: no tensor is compared with its sums.
        fd: an open descriptor of the file, to be taken over; `path` is then only what messages call it.

    Attributes:
        path: as it was given.
        index: what the file says of itself.
        version: (major, minor) of the container.
        digest: BLAKE2b-256 over head and index, the file's id.

    Raises:
        IndexDamageError: not a container, or head, tail or index are damaged, cut or from the future.
        TableError: the index is intact but describes tensors that cannot be.
        OSError: the file cannot be opened.
    """

    def __init__(self, path: str | Path, *, verify: bool = True, fd: int | None = None) -> None:
        self.path = Path(path)
        self.file = ReadFile(self.path, IndexDamageError, fd)
        try:
            self.version, self.tail, self.index = _read_index(self.file)
        except BaseException:
            self.file.close()
            raise
        self._records = {record.name: record for record in self.index.tensors}
        self._unchecked = set(self._records) if verify else set[str]()
        self._map: mmap.mmap | None = None

    @property
    def digest(self) -> bytes:
        """BLAKE2b-256 over head and index: the id of the whole content, 32 bytes."""
        return self.tail.digest

    def __getitem__(self, name: str) -> QMatrix:
        """A tensor, as views of the mapped file.

        Raises:
            MissingTensorError: a KeyError, too: no tensor has that name.
            ChecksumError: its bytes are damaged.
            IndexDamageError: the file was cut or changed since it was opened.
            UsageError: it was closed.
        """
        from fourcc.qmatrix import QMatrix

        record = self.record(name)
        parts = {part.name: self._view(part) for part in record.parts}
        self._check(record)
        made_by = None if record.provider is None else str(self.index.providers[record.provider])
        return QMatrix(record.tag, record.shape, parts, record.params, name, made_by)

    def _view(self, part: PartRecord) -> Array:
        import numpy as np

        from fourcc.dtypes import numpy_dtype

        return np.ndarray(part.shape, numpy_dtype(part.dtype), buffer=self._mapped(), offset=part.offset)

    def _mapped(self) -> mmap.mmap:
        """The whole file in memory, as long as it is what was opened."""
        if self.file.closed:
            raise UsageError("the file is closed", file=self.path, hint="Open it again.")
        if self.file.changed():
            raise IndexDamageError("the file changed since it was opened", file=self.path, hint="Open it again.")
        import mmap

        if self._map is None:
            self._map = mmap.mmap(self.file.fd, 0, access=mmap.ACCESS_READ)
        return self._map

    def _check(self, record: TensorRecord) -> None:
        """Refuses damage, once; of the very pages that are used, since reading them into a buffer takes longer."""
        if record.name not in self._unchecked:
            return
        for part in record.parts:
            refuse_damage(self._bytes, self.path, part, record.name)
        self._unchecked.discard(record.name)

    def _bytes(self, offset: int, count: int) -> memoryview:
        return memoryview(self._mapped())[offset : offset + count]

    def refuse_change(self) -> None:
        """Raises IndexDamageError where the file was written to or cut since it was opened.

        What was made of it is void then. Another file that took over its name is no matter; after `close` there is
        nothing left to compare.
        """
        if self.file.closed or not self.file.changed():
            return
        if self.file.cut():
            raise self.cut_error()
        raise IndexDamageError("the file changed while it was read", file=self.path, hint="Run it again.")

    def cut_error(self) -> IndexDamageError:
        """What is said of the file where it was cut, whoever notices."""
        return IndexDamageError("the file was cut while it was read", file=self.path, hint="Fetch or convert it again.")

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Refuses what was done in the block where the file changed meanwhile, whatever came of it; see above."""
        try:
            yield
        except Exception:
            self.refuse_change()
            raise
        self.refuse_change()

    def let_go(self, name: str) -> None:
        """Tells the system that a tensor's pages are not needed for now; they are read again where they are."""
        import mmap

        if self._map is None or not hasattr(mmap, "MADV_DONTNEED"):
            return
        page = mmap.PAGESIZE
        for part in self._records[name].parts:
            first, last = -(-part.offset // page) * page, (part.offset + part.nbytes) // page * page
            if last > first:
                self._map.madvise(mmap.MADV_DONTNEED, first, last - first)

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

    def blob(self, name: str) -> bytes:
        """A blob's bytes, checked against their sums.

        Raises:
            KeyError: no blob of that name.
            ChecksumError: the bytes are damaged.
        """
        record = next((blob for blob in self.index.blobs if blob.name == name), None)
        if record is None:
            raise KeyError(name)
        refuse_damage(self.file.read, self.path, record)
        return bytes(self.file.read(record.offset, record.nbytes))

    def close(self) -> None:
        """Lets go of the file; views that are still in use keep the mapping alive."""
        self._map = None
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        bits = float(self.index.bits_per_weight)
        return f"<ModelFile {self.path}: {len(self)} tensors, {self.index.weights} weights, {bits:.4g} bits per weight>"


def recognisable(path: Path) -> bool:
    """Whether a file is, or once was, a container: it begins or ends as one."""
    file = ReadFile(path)
    try:
        start = bytes(file.read(0, min(file.size, len(MAGIC))))
        end = bytes(file.read(max(0, file.size - len(END_MAGIC)), min(file.size, len(END_MAGIC))))
    finally:
        file.close()
    return start == MAGIC or end == END_MAGIC


def _read_index(file: ReadFile) -> tuple[tuple[int, int], Tail, Index]:
    head = bytes(file.read(0, min(file.size, HEAD_BYTES)))
    _check_magic(file, head)
    version = unpack_version(head)
    try:
        tail = _read_tail(file)
    except IndexDamageError as error:  # another major version may end otherwise
        raise error if version[0] == MAJOR else _unknown_version(file, version) from error
    packed = bytes(file.read(tail.index_offset, tail.index_bytes))
    if file_digest(head, packed) != tail.digest:
        raise IndexDamageError(
            "the index is damaged: its digest differs from the one in the tail",
            file=file.path,
            offset=tail.index_offset,
        )
    if version[0] != MAJOR:
        raise _unknown_version(file, version)
    if any(head[HEAD_USED:]):
        raise IndexDamageError("bytes 12 to 63 of the head are not zero", file=file.path, offset=HEAD_USED)
    return version, tail, parse_index(packed, tail.index_offset, file.path)


def _check_magic(file: ReadFile, head: bytes) -> None:
    if not head.startswith(MAGIC):
        from fourcc.files.signatures import looks_like

        raise IndexDamageError(
            f"not a model.bin: {looks_like(head)}",
            file=file.path,
            offset=0,
            found=head[:8].hex(" "),
            expected=MAGIC.hex(" "),
        )
    if file.size < HEAD_BYTES + TAIL_BYTES:
        raise IndexDamageError(
            "the file is cut",
            file=file.path,
            found=f"{file.size} bytes",
            expected=f"at least {HEAD_BYTES + TAIL_BYTES}",
        )


def _unknown_version(file: ReadFile, version: tuple[int, int]) -> UnknownVersionError:
    return UnknownVersionError(
        "unknown version of the container",
        file=file.path,
        offset=len(MAGIC),
        found=".".join(map(str, version)),
        expected=f"{MAJOR}.x",
        hint="Upgrade fourcc." if version[0] > MAJOR else None,
    )


def _read_tail(file: ReadFile) -> Tail:
    where = file.size - TAIL_BYTES
    tail = Tail.unpack(bytes(file.read(where, TAIL_BYTES)))
    if tail.magic != END_MAGIC:
        raise IndexDamageError(
            "the file is cut, or something was appended: it does not end with a tail",
            file=file.path,
            offset=file.size - len(END_MAGIC),
            found=tail.magic.hex(" "),
            expected=END_MAGIC.hex(" "),
        )
    if tail.file_bytes != file.size:
        raise IndexDamageError("wrong length", file=file.path, found=f"{file.size} bytes", expected=tail.file_bytes)
    if tail.index_offset + tail.index_bytes != where or tail.index_offset % ALIGNMENT or tail.index_offset < HEAD_BYTES:
        raise IndexDamageError(
            "the tail points elsewhere than to the index before it",
            file=file.path,
            offset=where,
            found=f"{tail.index_bytes} bytes at {tail.index_offset}",
        )
    if tail.index_bytes > INDEX_CAP:
        raise IndexDamageError(
            "the index is too large", file=file.path, found=f"{tail.index_bytes} bytes", expected=f"at most {INDEX_CAP}"
        )
    return tail
