"""Files of llama2.c's forks with one scale a tensor: version 0's header and order, no magic; known by the size.

::

    maxima       7 x i32 | 13 x f32, the largest |w| of each kind of tensor | int8, norms and RoPE tables too
    minimum      7 x i32 | of each tensor: f32 base, f32 scale, uint8 codes | perhaps f32 RoPE tables before the output
    minimum, 4   7 x i32 | of each tensor: f32 base, f32 scale, codes of 4 bits, the first in the high nibble | the same

The first is byte-6174's branch ``quantization``: w = (maximum / 127) * q in float32. The second is kroggen's branch
``quantization-q8``, the third byte-6174's ``quantization-q4``: w = base + scale * q.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import attrs
import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.errors import SourceError
from fourcc.files.read import ReadFile
from fourcc.naming import position
from fourcc.sources.extent import Planes, foreign_format
from fourcc.sources.llama2c import SEVEN, Header, TensorRun, hyper_of, plausible, read_header, runs_of
from fourcc.sources.source import Source, SourceTensor
from fourcc.spec import FormatSpec

KIND = "llama2.c"
SYSTEM = "llama2.c"
_MAXIMA = struct.Struct("<13f")
_RECORD = 8  # bytes of base and scale


@attrs.frozen
class _Layout:
    """A layout of such files.

    Attributes:
        name: for people.
        identity: of the format of its tensors.
        bits: of a code.
        maxima: whether all scales stand directly behind the header.
        tables: whether there are RoPE tables.
    """

    name: str
    identity: str
    bits: int
    maxima: bool = False
    tables: bool = True

    def runs(self, header: Header) -> list[TensorRun]:
        """The tensors, in the file's order; RoPE tables have no name."""
        return [run for run in runs_of(header) if run.name or self.tables]

    def nbytes(self, run: TensorRun) -> int:
        """Bytes of one layer's tensor."""
        if self.maxima:
            return run.weights
        return _RECORD + (run.weights * self.bits + 7) // 8 if run.name else 4 * run.weights

    def size(self, header: Header) -> int:
        """Bytes of the file."""
        start = SEVEN.size + (_MAXIMA.size if self.maxima else 0)
        return start + sum(run.layers * self.nbytes(run) for run in self.runs(header))


_LAYOUTS = (
    _Layout("13 maxima, int8", "int8 tensor", 8, maxima=True),
    _Layout("minimum and scale, uint8", "uint8 minimum", 8),
    _Layout("minimum and scale, uint8", "uint8 minimum", 8, tables=False),
    _Layout("minimum and scale, 4 bits", "uint4 minimum", 4),
    _Layout("minimum and scale, 4 bits", "uint4 minimum", 4, tables=False),
)


def recognises(path: Path, head: bytes) -> bool:
    """Whether the file has exactly the size of one of the layouts, and not that of version 0."""
    header = plausible(head)
    return header is not None and _layout(header, path.stat().st_size) is not None


def _layout(header: Header, size: int) -> _Layout | None:
    every = [run.layers * run.nbytes(header) for run in runs_of(header)]
    named = [run.layers * run.nbytes(header) for run in runs_of(header) if run.name]
    if size in {SEVEN.size + sum(every), SEVEN.size + sum(named)}:
        return None
    return next((layout for layout in _LAYOUTS if layout.size(header) == size), None)


def open_bytes(path: Path) -> Source:
    """A file with one scale a tensor as a source.

    Raises:
        SourceError: the header cannot be true, or the file no longer has the length that it was recognised by.
    """
    with ExitStack() as stack:
        file = ReadFile(path, SourceError)
        stack.callback(file.close)
        header = read_header(file)
        layout = _layout(header, file.size)
        if layout is None:
            raise SourceError("the file's length is not what its header asks for", file=path, found=file.size)
        tensors = list(_tensors(file, header, layout))
        return Source(
            path=path,
            kind=f"{KIND} ({layout.name})",
            tensors=tuple(sorted(tensors, key=lambda tensor: position(tensor.name))),
            files=(path,),
            architecture="llama",
            hyper=hyper_of(header),
            close=stack.pop_all().close,
        )


def _tensors(file: ReadFile, header: Header, layout: _Layout) -> Iterator[SourceTensor]:
    spec = foreign_format(SYSTEM, layout.identity, file.path)
    offset = SEVEN.size + (_MAXIMA.size if layout.maxima else 0)
    for kind, run in enumerate(layout.runs(header)):
        for number in range(run.layers):
            if run.name:
                name = run.name.replace("*", str(number))
                if layout.maxima:
                    read = _Scaled(file, SEVEN.size + 4 * kind, offset, run.shape, spec).read
                elif layout.bits == 4 and run.shape[-1] % 2:
                    read = _Shifted(file, offset, run.shape, spec).read
                else:
                    read = Planes(file, (offset, offset + 4, offset + _RECORD), run.shape, spec).read
                yield SourceTensor(name=name, source_name=name, shape=run.shape, tag=spec.tag, read=read)
            offset += layout.nbytes(run)


@attrs.frozen(eq=False)
class _Scaled:
    """A tensor whose scale is a stored maximum, divided by 127 as the fork's reader does."""

    file: ReadFile
    maximum: int
    offset: int
    shape: tuple[int, ...]
    spec: FormatSpec

    def read(self, matrix: int, first: int, last: int) -> Parts:
        """The rows first..last."""
        parts = Planes(self.file, (self.maximum, self.offset), self.shape, self.spec).read(matrix, first, last)
        scale = self.spec.parts[0].name
        with np.errstate(invalid="ignore"):  # of a damaged file
            return {**parts, scale: parts[scale] / np.float32(127)}


@attrs.frozen(eq=False)
class _Shifted:
    """A matrix of 4-bit codes whose rows of odd length share bytes; `read` lets every row begin at a byte."""

    file: ReadFile
    offset: int
    shape: tuple[int, ...]
    spec: FormatSpec

    def read(self, matrix: int, first: int, last: int) -> Parts:  # noqa: ARG002 - there is one matrix
        """The rows first..last."""
        cols = self.shape[-1]
        begin, end = first * cols, last * cols
        data = self.file.read(self.offset + _RECORD + begin // 2, -(-end // 2) - begin // 2)
        packed = np.frombuffer(data, np.uint8)
        flat = np.stack([packed >> 4, packed & 15], axis=-1).reshape(-1)[begin % 2 :][: end - begin]
        codes = np.pad(flat.reshape(last - first, cols), ((0, 0), (0, 1)))
        numbers = np.frombuffer(self.file.read(self.offset, _RECORD), "<f4")
        stored: list[Array] = [numbers[:1], numbers[1:], codes[:, 0::2] << 4 | codes[:, 1::2]]
        return {part.name: array for part, array in zip(self.spec.parts, stored, strict=True)}
