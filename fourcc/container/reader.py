"""Opening a container: head, tail and index are read, tensors are zero-copy views of the mapped file.

Opening checks all that the index says and does not load numpy. It reads no payload: a tensor's bytes are compared with
their checksums when it is first asked for, and `fourcc.container.verify` reads all bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fourcc.container.head_and_tail import read_index
from fourcc.container.index import PartRecord, TensorRecord
from fourcc.container.missing_tensor import missing_tensor
from fourcc.container.sums import refuse_damage
from fourcc.container.tensor_mapping import TensorMapping, tensor_fields
from fourcc.errors import IndexDamageError, UsageError
from fourcc.files.read import ReadFile

if TYPE_CHECKING:
    import mmap

    from fourcc.arrays import Array
    from fourcc.qmatrix import QMatrix


class ModelFile(TensorMapping):
    """A model.bin: a mapping of tensor names to QMatrix values, and all that the file says of itself.

    Tensors are views of the mapped file; a view stays valid after `close`. A tensor's bytes are compared with their
    checksums once, when it is first asked for; `record` gives what the index says of it and reads none of its bytes.

    Args:
        path: the file.
        verify: False: no tensor is compared with its checksums.
        fd: an open descriptor of the file, which this object then owns; `path` is then only its name for messages.

    Attributes:
        path: as it was given.
        index: all that the file says of itself.
        version: (major, minor) of the container.
        digest: BLAKE2b-256 over head and index, the file's id.

    Raises:
        IndexDamageError: it is no container, or head, tail or index are damaged, cut or of a newer version.
        TableError: the index is intact but describes tensors that cannot exist.
        OSError: the file cannot be opened.
    """

    def __init__(self, path: str | Path, *, verify: bool = True, fd: int | None = None) -> None:
        self.path = Path(path)
        self.file = ReadFile(self.path, IndexDamageError, fd)
        try:
            self.version, self.tail, self.index = read_index(self.file)
        except BaseException:
            self.file.close()
            raise
        self._records = {record.name: record for record in self.index.tensors}
        self._unchecked = set(self._records) if verify else set[str]()
        self._map: mmap.mmap | None = None
        self._copied: mmap.mmap | None = None

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
            UsageError: the file is closed.
        """
        return self._matrix(name, self._mapped())

    def _matrix(self, name: str, mapped: mmap.mmap) -> QMatrix:
        from fourcc.qmatrix import QMatrix

        record = self.record(name)
        parts = {part.name: _view(part, mapped) for part in record.parts}
        self._check(record)
        made_by = None if record.provider is None else str(self.index.providers[record.provider])
        return QMatrix(record.tag, record.shape, parts, record.params, name, made_by)

    def _writable(self, name: str) -> QMatrix:
        """A tensor in a mapping of the file that copies the pages that are written to, where the system allows one."""
        import mmap

        self._mapped()  # refuses a file that was closed, or has changed
        if self._copied is None:
            try:
                self.file.fill()
                self._copied = mmap.mmap(self.file.fd, 0, access=mmap.ACCESS_COPY)
            except OSError:  # it could need more memory than there is
                return self[name]
        return self._matrix(name, self._copied)

    def _mapped(self) -> mmap.mmap:
        """The whole file, mapped. Raises where it was closed, or has changed since it was opened."""
        if self.file.closed:
            raise UsageError("the file is closed", file=self.path, hint="Open it again.")
        if self.file.changed():
            raise IndexDamageError("the file changed since it was opened", file=self.path, hint="Open it again.")
        import mmap

        if self._map is None:
            self.file.fill()
            self._map = mmap.mmap(self.file.fd, 0, access=mmap.ACCESS_READ)
        return self._map

    def _check(self, record: TensorRecord) -> None:
        """Refuses damage, once. The mapped pages are checked, since reading them into a buffer takes longer."""
        if record.name not in self._unchecked:
            return
        for part in record.parts:
            refuse_damage(self._bytes, self.path, part, record.name)
        self._unchecked.discard(record.name)

    def _bytes(self, offset: int, count: int) -> memoryview:
        return memoryview(self._mapped())[offset : offset + count]

    def refuse_change(self) -> None:
        """Raises IndexDamageError where the file was written to or cut since it was opened.

        Results computed from it are then void. Another file that took its name does not matter; after `close` there is
        nothing left to compare.
        """
        if self.file.closed or not self.file.changed():
            return
        if self.file.cut():
            raise self.cut_error()
        raise IndexDamageError("the file changed while it was read", file=self.path, hint="Run it again.")

    def cut_error(self) -> IndexDamageError:
        """The error for a file that was cut, whoever notices."""
        return IndexDamageError("the file was cut while it was read", file=self.path, hint="Fetch or convert it again.")

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
        refuse_damage(self.file.read, self.path, record)
        return bytes(self.file.read(record.offset, record.nbytes))

    def close(self) -> None:
        """Closes the file; views that are still in use keep the mapping alive."""
        self._map = self._copied = None
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        bits = float(self.index.bits_per_weight)
        return f"<ModelFile {self.path}: {len(self)} tensors, {self.index.weights} weights, {bits:.4g} bits per weight>"


def _view(part: PartRecord, mapped: mmap.mmap) -> Array:
    import numpy as np

    from fourcc.dtypes import numpy_dtype

    return np.ndarray(part.shape, numpy_dtype(part.dtype), buffer=mapped, offset=part.offset)
