"""Opening calibration files: fourcc's own, llama.cpp's importance matrix (GGUF), and the older ``.dat``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from xxhash import xxh3_64, xxh3_64_intdigest

from fourcc.calibration import imatrix
from fourcc.calibration.calibration import Calibration, CalibrationText
from fourcc.calibration.legacy_imatrix import WHAT, read_legacy
from fourcc.calibration.statistics import BINS, InputStatistics, block_count
from fourcc.errors import InputError
from fourcc.files.mapped import runs_of_rows
from fourcc.files.read import ReadFile
from fourcc.files.signatures import HEAD_BYTES, known, looks_like
from fourcc.sources.gguf_header import MAGIC, GgufTensor, Head, read_head
from fourcc.sources.gguf_types import layout_name
from fourcc.sources.gguf_values import Texts, shown
from fourcc.threads import Once

if TYPE_CHECKING:
    from fourcc.arrays import Array, Floats

OWN, FOREIGN = "fourcc", "imatrix GGUF"
MOST_FLOAT = 2**24  # whole numbers above need not be exact in float32


def open_calibration(path: str | Path) -> Calibration:
    """The calibration in a file: fourcc's own, or llama.cpp's importance matrix, as GGUF or ``.dat``.

    Raises:
        InputError: it is none, or damaged.
        OSError: it cannot be read.
    """
    file = ReadFile(Path(path))
    with closing(file):
        if file.size < len(MAGIC) or bytes(file.read(0, len(MAGIC))) != MAGIC:
            return _legacy(file)
        return _GgufReader(file, read_head(file)).calibration()


def _legacy(file: ReadFile) -> Calibration:
    """The calibration in a ``.dat``, which no mark at its start tells from other files. Raises InputError."""
    try:
        return read_legacy(file)
    except InputError as error:
        head = bytes(file.read(0, min(HEAD_BYTES, file.size)))
        if WHAT not in str(error) or known(head) is None:  # one that is damaged further on says where
            raise
        hint = "`fourcc calibrate` writes one; llama.cpp's importance matrices serve, too."
        raise InputError(f"this is no calibration: {looks_like(head)}", file=file.path, hint=hint) from error


class _GgufReader:
    """Reads the tensors and keys of a GGUF file."""

    def __init__(self, file: ReadFile, head: Head) -> None:
        self._file, self._head = file, head
        self._tensors = {tensor.name: tensor for tensor in head.tensors}
        self._checksums: dict[str, int] = {}
        self._hessians: dict[int, Once[Floats]] = {}

    def calibration(self) -> Calibration:
        head = self._head
        if head.values.get(imatrix.TYPE) != imatrix.TYPE_VALUE or head.big_endian:
            raise InputError(
                "this is no calibration",
                file=self._file.path,
                found=f"{imatrix.TYPE} = {shown(head.values.get(imatrix.TYPE))}",
                expected=f"{imatrix.TYPE_VALUE!r}, little-endian",
            )
        version = self._value(imatrix.VERSION, int)
        if version not in (None, imatrix.VERSION_VALUE):
            what, hint = "a calibration of another version", "Read it with the fourcc that wrote it."
            raise InputError(what, file=self._file.path, found=version, expected=imatrix.VERSION_VALUE, hint=hint)
        self._checksums = self._checked_head()
        names = self._names()
        shared = self._shared(names)
        return Calibration(
            self._file.path,
            FOREIGN if version is None else OWN,
            self._value(imatrix.MODEL, str),
            self._texts(),
            self._value(imatrix.TOKENS, int),
            self._value(imatrix.CHUNK_SIZE, int),
            {imatrix.own_name(name): self._statistics(name, shared.get(name, name)) for name in names},
            hessians={
                imatrix.own_name(name): mapped
                for name in names
                if (mapped := self._hessian(name, shared.get(name, name))) is not None
            },
        )

    # -- keys

    def _value(self, key: str, kind: type) -> Any:  # noqa: ANN401 - of that kind
        """A key's value; None where there is none."""
        value = self._head.values.get(key)
        if value is not None and type(value) is not kind:
            what = f"the key {key!r} has a value of another kind"
            raise InputError(what, file=self._file.path, found=shown(value), expected=kind.__name__)
        return value

    def _words(self, key: str) -> list[str]:
        """The texts that a key holds; none where there is no such key."""
        value = self._head.values.get(key)
        words = list(value) if isinstance(value, Texts) else None if value is not None else []
        if words is None or not all(isinstance(word, str) for word in words):
            what = f"the key {key!r} has a value of another kind"
            raise InputError(what, file=self._file.path, found=shown(value), expected="texts")
        return words  # type: ignore[return-value]  # all are

    def _texts(self) -> tuple[CalibrationText, ...]:
        names, digests = self._words(imatrix.DATASETS), self._words(imatrix.TEXTS)
        if digests and len(digests) != len(names):
            what = f"the keys {imatrix.DATASETS!r} and {imatrix.TEXTS!r} do not go together"
            raise InputError(what, file=self._file.path, found=len(digests), expected=f"{len(names)} digests")
        return tuple(CalibrationText(name, digests[at] if digests else None) for at, name in enumerate(names))

    def _shared(self, names: list[str]) -> dict[str, str]:
        """Matrix -> the one under whose name the statistics lie that both share."""
        matrices, others = self._words(imatrix.SHARED_BY), self._words(imatrix.SHARED_WITH)
        wrong = next((name for name in [*matrices, *others] if name not in names), None)
        if wrong is not None or len(matrices) != len(others):
            what = f"the keys {imatrix.SHARED_BY!r} and {imatrix.SHARED_WITH!r} do not go together"
            found = f"{len(matrices)} and {len(others)} names" if wrong is None else f"{wrong!r}, which has no sums"
            raise InputError(what, file=self._file.path, found=found)
        return dict(zip(matrices, others, strict=True))

    # -- tensors

    def _checked_head(self) -> dict[str, int]:
        """Tensor -> its checksum, once the head has its own; none in a file of others."""
        table = self._array(imatrix.CHECKSUMS, imatrix.LONG)
        if table is None:
            return {}
        names = [tensor.name for tensor in self._head.tensors if tensor.name != imatrix.CHECKSUMS]
        if table.shape != (1 + len(names),):
            raise self._wrong(imatrix.CHECKSUMS, f"{table.shape}", f"{1 + len(names)} checksums")
        whole, *sums = table.view("<u8").tolist()
        _check(self._file.read(0, self._head.data), whole, self._file.path, None)
        return dict(zip(names, sums, strict=True))

    def _names(self) -> list[str]:
        """Names of the matrices, in the file's order."""
        sums, counts = (
            [name.removesuffix(end) for name in self._tensors if name.endswith(end)]
            for end in (imatrix.SQUARES, imatrix.COUNTS)
        )
        odd = next(iter(set(sums) ^ set(counts)), None)
        if odd is not None:
            expected = f"{odd}{imatrix.SQUARES} and {odd}{imatrix.COUNTS}"
            raise InputError(
                "a matrix has only one of two tensors", file=self._file.path, tensor=odd, expected=expected
            )
        if not sums:
            raise InputError(
                "the calibration is empty", file=self._file.path, expected=f"tensors NAME{imatrix.SQUARES}"
            )
        return sums

    def _statistics(self, name: str, shared: str) -> InputStatistics:
        """The statistics of a matrix; what only fourcc knows lies under the name that shares it."""
        floats = self._array(name + imatrix.COUNTS, imatrix.FLOAT)
        assert floats is not None
        counts = self._counts(name, floats.reshape(-1), shared)
        squares = self._array(name + imatrix.SQUARES, imatrix.FLOAT)
        assert squares is not None
        if not counts.size or squares.size % counts.size or not squares.size:
            expected = f"a multiple of {counts.size}, the counts"
            raise self._wrong(name + imatrix.SQUARES, f"{squares.size} sums", expected)
        shape = (counts.size, squares.size // counts.size)
        if not (np.isfinite(squares).all() and (squares >= 0).all()):
            raise self._wrong(name + imatrix.SQUARES, "one that is negative or not finite", "sums of squares")
        lowest, highest = (self._shaped(shared + end, shape) for end in (imatrix.MINIMUM, imatrix.MAXIMUM))
        return InputStatistics(
            squares.reshape(shape).astype(np.float64), counts, lowest, highest, self._magnitudes(shared, shape)
        )

    def _counts(self, name: str, floats: Floats, shared: str) -> Array:
        """Exact counts of tokens, int64 (matrices,); float32 has them only up to 2^24."""
        whole = np.isfinite(floats).all() and (floats >= 0).all() and (floats == np.rint(floats)).all()
        if not whole or (floats >= 2.0**63).any():
            raise self._wrong(name + imatrix.COUNTS, "one that is no count", "whole numbers from 0 on")
        exact = self._array(shared + imatrix.EXACT_COUNTS, imatrix.LONG)
        if exact is None:
            counts: Array = floats.astype(np.int64)
            return counts
        if exact.size != floats.size or not np.allclose(exact.reshape(-1), floats, rtol=1 / MOST_FLOAT, atol=0):
            raise self._wrong(shared + imatrix.EXACT_COUNTS, exact.reshape(-1)[:4].tolist(), floats[:4].tolist())
        flat: Array = exact.reshape(-1)
        return flat

    def _shaped(self, name: str, shape: tuple[int, ...]) -> Floats | None:
        array = self._array(name, imatrix.FLOAT)
        if array is None:
            return None
        if array.size != prod(shape) or np.isnan(array).any():
            raise self._wrong(name, f"{array.shape}, or NaN", f"{shape} numbers")
        shaped: Floats = array.reshape(shape)
        return shaped

    def _magnitudes(self, name: str, shape: tuple[int, int]) -> Array | None:
        tensor = self._tensors.get(name + imatrix.MAGNITUDES)
        if tensor is None:
            return None
        kind = imatrix.LONG if tensor.ggml_type == imatrix.LONG else imatrix.INT
        array, expected = self._array(tensor.name, kind), (shape[0], block_count(shape[1]), BINS)
        assert array is not None
        if array.size != prod(expected) or (array < 0).any():
            raise self._wrong(tensor.name, f"{array.shape}, or a negative count", f"{expected} counts")
        shaped: Array = array.reshape(expected).astype(np.int64)
        return shaped

    def _hessian(self, name: str, shared: str) -> Callable[[], Floats] | None:
        tensor = self._tensors.get(shared + imatrix.HESSIAN)
        if tensor is None:
            return None
        cols = prod(self._tensors[name + imatrix.SQUARES].shape)
        if tensor.shape != (cols, cols):
            raise self._wrong(tensor.name, tensor.shape, (cols, cols))
        offset = self._place(tensor, imatrix.FLOAT)
        mapped = partial(_mapped, self._file.path, offset, cols, tensor.name, self._checksums.get(tensor.name))
        return self._hessians.setdefault(offset, Once(mapped))  # one array for all matrices that share it

    def _array(self, name: str, kind: int) -> Any:  # noqa: ANN401 - an array of the kind's dtype
        """A tensor's numbers; None where there is no such tensor."""
        tensor = self._tensors.get(name)
        if tensor is None:
            return None
        offset, dtype = self._place(tensor, kind), np.dtype(imatrix.DTYPES[kind])
        data = self._file.read(offset, prod(tensor.shape) * dtype.itemsize)
        _check(data, self._checksums.get(name), self._file.path, name)
        return np.frombuffer(data, dtype).reshape(tensor.shape)

    def _place(self, tensor: GgufTensor, kind: int) -> int:
        """The offset of a tensor in the file, which holds all of it."""
        if tensor.ggml_type != kind:
            raise self._wrong(tensor.name, layout_name(tensor.ggml_type), f"ggml type {kind}")
        offset, nbytes = self._head.data + tensor.offset, prod(tensor.shape) * np.dtype(imatrix.DTYPES[kind]).itemsize
        if offset + nbytes > self._file.size:
            raise self._wrong(tensor.name, f"a file of {self._file.size} bytes", f"{offset + nbytes} or more")
        return offset

    def _wrong(self, name: str, found: object, expected: object) -> InputError:
        what = "the calibration is damaged"
        return InputError(what, file=self._file.path, tensor=name, found=found, expected=expected)


def _mapped(path: Path, offset: int, cols: int, name: str, checksum: int | None) -> Floats:
    """A Hessian, mapped from the file. Raises InputError where it has another checksum."""
    mapped: Floats = np.memmap(path, np.dtype("<f4"), "r", offset, (cols, cols))
    if checksum is not None:
        digest = xxh3_64()
        for _, rows in runs_of_rows(mapped):
            digest.update(rows.data)
        _compare(digest.intdigest(), checksum, path, name)
    return mapped


def _check(data: bytes | bytearray | memoryview, checksum: int | None, path: Path, name: str | None) -> None:
    """Raises InputError where bytes have another checksum than the file says; None: it says nothing."""
    if checksum is not None:
        _compare(xxh3_64_intdigest(data), checksum, path, name)


def _compare(found: int, checksum: int, path: Path, name: str | None) -> None:
    """Raises InputError where a checksum is not the one that the file says."""
    if found != checksum:
        what, hint = "the calibration is damaged", "Calibrate the model again."
        expected = f"{checksum:016x}"
        raise InputError(what, file=path, tensor=name, found=f"checksum {found:016x}", expected=expected, hint=hint)
