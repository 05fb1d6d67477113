"""llama2.c's forks with a record before every matrix: the QMatrix files (branch ``quant``) and ``int4-avx2``'s AWQ.

::

    7 x i32 header | embedding | norms | wq .. wo | norms | w1 w2 w3 | norm | RoPE tables | output, where vocab_size < 0

Order and header are those of version 0. A matrix is float32 numbers, or a record: four characters, i32 rows, i32
columns, then the parts of the format that has these characters, one after the other. ``q_aw`` is AWQ's: its rows are
the matrix's columns, with a float32 scale for every 128 of them; zero points and codes have 4 bits, eight to a word, in
AWQ's order. Its q and k have Hugging Face's order of rows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import attrs
import numpy as np

from fourcc.arrays import Array
from fourcc.errors import SourceError
from fourcc.files.read import ReadFile
from fourcc.naming import position
from fourcc.plugins.registry import registry
from fourcc.sources.extent import AdjacentPairs, Extent, Planes, foreign_format, number_format
from fourcc.sources.llama2c import SEVEN, Header, TensorRun, hyper_of, plausible, read_header, refusal, runs_of
from fourcc.sources.packed_words import Affine, awq
from fourcc.sources.source import Source, SourceTensor

KIND = "llama2.c QMatrix"
SYSTEM = "qmatrix"  # whose ids are the records' four characters
AWQ = "q_aw"
AWQ_GROUP = 128
_RECORD = struct.Struct("<4sii")
_HINT = "Files with blocks of 64 weights, as the first days' exporters wrote them, are not read."


def recognises(path: Path, head: bytes) -> bool:
    """Whether a record stands where the embedding, or the first layer's first matrix, is to begin."""
    header = plausible(head)
    if header is None:
        return False
    places = (SEVEN.size, SEVEN.size + 4 * header.dim * (header.vocab_size + header.n_layers))
    with path.open("rb") as file:
        for place in places:
            file.seek(place)
            if _is_record(file.read(_RECORD.size)):
                return True
    return False


def _is_record(head: bytes) -> bool:
    if len(head) < _RECORD.size or not head.startswith(b"q"):
        return False
    code = head[:4].decode("latin-1")
    return code == AWQ or registry.foreign(SYSTEM, code) is not None


def open_records(path: Path) -> Source:
    """A file of records as a source.

    Raises:
        SourceError: the header cannot be true, or a record is not what it asks for.
    """
    with ExitStack() as stack:
        file = ReadFile(path, SourceError)
        stack.callback(file.close)
        header = read_header(file)
        tensors = list(_tensors(file, header))
        return Source(
            path=path,
            kind=KIND,
            tensors=tuple(sorted(tensors, key=lambda tensor: position(tensor.name))),
            files=(path,),
            architecture="llama",
            hyper=hyper_of(header),
            close=stack.pop_all().close,
        )


def _tensors(file: ReadFile, header: Header) -> Iterator[SourceTensor]:
    offset = SEVEN.size
    for run in runs_of(header):
        for number in range(run.layers):
            place = _Place(file, header, run, run.name.replace("*", str(number)), offset)
            head = bytes(file.read(offset, min(_RECORD.size, file.size - offset))) if len(run.shape) == 2 else b""
            if _is_record(head):
                tensor, offset = place.record(*_RECORD.unpack(head))
                yield tensor
                continue
            offset = place.end(offset + 4 * run.weights)
            if run.name:
                yield place.numbers()
    if offset != file.size:
        raise refusal(file, "bytes follow the last tensor", offset, f"{file.size} bytes", f"{offset} bytes")


@attrs.frozen(eq=False)
class _Place:
    """A tensor's place in the file."""

    file: ReadFile
    header: Header
    run: TensorRun
    name: str
    offset: int

    def end(self, end: int) -> int:
        """The byte at which the tensor ends. Raises SourceError where the file does so before."""
        if end > self.file.size:
            what = f"the file is cut, or there is no record before {self.name or 'the RoPE tables'}"
            error = refusal(self.file, what, self.offset, f"{self.file.size} bytes", f"at least {end}")
            error.hint = _HINT
            raise error
        return end

    def numbers(self) -> SourceTensor:
        """A tensor of float32."""
        spec = number_format("<f4", self.file.path)
        extent = Extent(self.file, self.offset, self.run.shape, spec)
        return SourceTensor(name=self.name, source_name=self.name, shape=self.run.shape, tag=spec.tag, read=extent.read)

    def record(self, code: bytes, rows: int, cols: int) -> tuple[SourceTensor, int]:
        """The tensor of a record, and where it ends."""
        text = code.decode("latin-1")
        shape = (cols, rows) if text == AWQ else (rows, cols)
        if shape != self.run.shape:
            what = f"the record of {self.name} contradicts the header"
            expected = f"{self.run.shape[0]} x {self.run.shape[1]}"
            error = refusal(self.file, what, self.offset, f"{text} of {shape[0]} x {shape[1]}", expected)
            error.hint = "The exporters know no n_kv_heads: such a model's file cannot be right."
            raise error
        return self._awq() if text == AWQ else self._planes(text)

    def _planes(self, code: str) -> tuple[SourceTensor, int]:
        spec, shape = foreign_format(SYSTEM, code, self.file.path), self.run.shape
        reason = spec.misfit(shape)
        if reason is not None:
            raise SourceError(reason, file=self.file.path, tensor=self.name, offset=self.offset)
        geom, at, offsets = spec.geometry(shape), self.offset + _RECORD.size, []
        for part in spec.parts:
            offsets.append(at)
            at += part.nbytes(geom)
        planes = Planes(self.file, tuple(offsets), shape, spec)
        tensor = SourceTensor(name=self.name, source_name=self.name, shape=shape, tag=spec.tag, read=planes.read)
        return tensor, self.end(at)

    def _awq(self) -> tuple[SourceTensor, int]:
        outs, ins = self.run.shape
        if outs % 8 or ins % AWQ_GROUP:
            what, expected = "AWQ's layout does not fit the shape", f"multiples of 8 and of {AWQ_GROUP}"
            raise SourceError(what, file=self.file.path, tensor=self.name, found=f"{outs} x {ins}", expected=expected)
        groups, at = ins // AWQ_GROUP, self.offset + _RECORD.size
        zeros_at, words_at = at + 4 * groups * outs, at + 4 * groups * outs + groups * outs // 2
        spec = foreign_format("weight-only", "uint4 groups", self.file.path)
        grid = _Grid(self.file)
        affine = Affine(
            spec=spec,
            codes=lambda first, last: grid.awq(words_at, ins, outs, first, last),
            scales=lambda first, last: grid.floats(at, groups, outs, first, last),
            zeros=lambda first, last: grid.awq(zeros_at, groups, outs, first, last),
            groups=None,
            bits=4,
        )
        rotated = self.name.endswith((".attention.wq", ".attention.wk"))
        read = AdjacentPairs(affine.read, self.header.head_dim, vector=False).read if rotated else affine.read
        tensor = SourceTensor(
            name=self.name,
            source_name=self.name,
            shape=self.run.shape,
            tag=spec.tag,
            read=read,
            params={"group": AWQ_GROUP},
        )
        return tensor, self.end(words_at + ins * outs // 2)


@attrs.frozen
class _Grid:
    """Columns of a matrix that is stored row by row; every tile of the transposed matrix reads it whole."""

    file: ReadFile

    def awq(self, offset: int, rows: int, cols: int, first: int, last: int) -> Array:
        """Columns first..last of codes, transposed: uint8 (last - first, rows)."""
        words = np.frombuffer(self.file.read(offset, rows * cols // 2), "<i4").reshape(rows, cols // 8)
        start = first // 8
        return awq(words[:, start : -(-last // 8)])[:, first - 8 * start : last - 8 * start].T

    def floats(self, offset: int, rows: int, cols: int, first: int, last: int) -> Array:
        """Columns first..last of float32 numbers, transposed: (last - first, rows)."""
        stored = np.frombuffer(self.file.read(offset, 4 * rows * cols), "<f4")
        return stored.reshape(rows, cols)[:, first:last].T
