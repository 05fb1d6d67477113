"""The layout of a calibration file: it is known before a text is read, so that layers can be written one by one."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING

import attrs
import numpy as np
from xxhash import xxh3_64, xxh3_64_intdigest

from fourcc.calibration import imatrix
from fourcc.calibration.statistics import BINS, BLOCK, block_count
from fourcc.exporters.gguf_head import GGUFKey, Info, aligned, head
from fourcc.sources.gguf_values import STRING

if TYPE_CHECKING:
    from fourcc.arrays import Array, Floats
    from fourcc.calibration.calibration import CalibrationText
    from fourcc.calibration.statistics import InputStatistics
    from fourcc.models.weights import Inputs

UINT32, UINT64 = 4, 10  # GGUF's types of values
READ_BYTES = 1 << 20  # read at once


@attrs.frozen
class About:
    """Facts of a calibration that are known before a text is read.

    Attributes:
        model: digest of the model.
        texts: what it is made from.
        tokens: how many tokens the model reads.
        context: tokens of the longest window.
    """

    model: str
    texts: tuple[CalibrationText, ...]
    tokens: int
    context: int


@attrs.frozen
class CalibrationLayout:
    """The places of everything in a calibration file.

    Attributes:
        head: its first bytes.
        places: tensor of the file -> its ggml type, the offset of its first byte, and its number of bytes; in order.
        nbytes: length of the file.
    """

    head: bytes
    places: dict[str, tuple[int, int, int]]
    nbytes: int

    def pieces(
        self, inputs: Inputs, statistics: InputStatistics, hessian: Floats | None
    ) -> Iterator[tuple[int, bytes]]:
        """Offsets and bytes of all that is written for some inputs."""
        for tensor, array in _arrays(inputs, statistics, hessian).items():
            kind, offset, _ = self.places[tensor]
            yield offset, np.ascontiguousarray(array, imatrix.DTYPES[kind]).tobytes()

    def checksums(self, read: Callable[[int, int], bytes | bytearray]) -> tuple[int, bytes]:
        """Offset and bytes of the checksums; `read` gives bytes of the file, in which all else is written."""
        sums = [xxh3_64_intdigest(self.head)]
        for tensor, (_, offset, nbytes) in self.places.items():
            if tensor != imatrix.CHECKSUMS:
                sums.append(_checksum(read, offset, nbytes))
        return self.places[imatrix.CHECKSUMS][1], np.array(sums, "<u8").tobytes()


def lay_out(about: About, inputs: Sequence[Inputs], hessians: Container[str]) -> CalibrationLayout:
    """The layout of a file.

    Args:
        about: what the calibration is of.
        inputs: those that there are statistics of, in order.
        hessians: first names of the inputs whose Hessians are stored.
    """
    tensors = [tensor for each in inputs for tensor in _tensors(each, about.tokens, hessian=each.names[0] in hessians)]
    tensors.append((imatrix.CHECKSUMS, imatrix.LONG, (1 + len(tensors),)))
    infos: list[Info] = []
    sizes: list[int] = []
    offset = 0
    for name, kind, shape in tensors:
        infos.append(Info(name, shape, kind, offset))
        sizes.append(prod(shape) * np.dtype(imatrix.DTYPES[kind]).itemsize)
        offset += aligned(sizes[-1])
    start = head(_keys(about, inputs), infos)
    places = {
        info.name: (info.ggml_type, len(start) + info.offset, size) for info, size in zip(infos, sizes, strict=True)
    }
    return CalibrationLayout(start, places, len(start) + offset)


def _checksum(read: Callable[[int, int], bytes | bytearray], offset: int, nbytes: int) -> int:
    """XXH3-64 of bytes of a file."""
    found = xxh3_64()
    for first in range(0, nbytes, READ_BYTES):
        found.update(read(offset + first, min(READ_BYTES, nbytes - first)))
    return found.intdigest()


def _keys(about: About, inputs: Sequence[Inputs]) -> list[GGUFKey]:
    """The keys, llama.cpp's first; it wants the number of chunks, which is that of the full windows in our tokens."""
    shared = [(name, each.names[0]) for each in inputs for name in each.names[1:]]
    ggml = [[imatrix.ggml_name(pair[side]) for pair in shared] for side in (0, 1)]
    return [
        GGUFKey(imatrix.TYPE, STRING, imatrix.TYPE_VALUE),
        GGUFKey(imatrix.DATASETS, STRING, [text.name for text in about.texts]),
        GGUFKey(imatrix.CHUNKS, UINT32, -(-about.tokens // about.context)),
        GGUFKey(imatrix.CHUNK_SIZE, UINT32, about.context),
        GGUFKey(imatrix.VERSION, UINT32, imatrix.VERSION_VALUE),
        GGUFKey(imatrix.MODEL, STRING, about.model),
        GGUFKey(imatrix.TEXTS, STRING, [text.digest or "" for text in about.texts]),
        GGUFKey(imatrix.TOKENS, UINT64, about.tokens),
        GGUFKey(imatrix.SHARED_BY, STRING, ggml[0]),
        GGUFKey(imatrix.SHARED_WITH, STRING, ggml[1]),
    ]


def _tensors(inputs: Inputs, tokens: int, *, hessian: bool) -> Iterator[tuple[str, int, tuple[int, ...]]]:
    """Name, ggml's type and shape of the tensors that some inputs have in the file."""
    matrices, cols = inputs.matrices, inputs.cols
    for name in map(imatrix.ggml_name, inputs.names):
        yield name + imatrix.SQUARES, imatrix.FLOAT, (matrices, cols)
        yield name + imatrix.COUNTS, imatrix.FLOAT, (matrices, 1)
    first = imatrix.ggml_name(inputs.names[0])
    yield first + imatrix.EXACT_COUNTS, imatrix.LONG, (matrices,)
    yield first + imatrix.MINIMUM, imatrix.FLOAT, (matrices, cols)
    yield first + imatrix.MAXIMUM, imatrix.FLOAT, (matrices, cols)
    narrow = tokens * BLOCK < 2**31  # no bin can hold more
    yield first + imatrix.MAGNITUDES, imatrix.INT if narrow else imatrix.LONG, (matrices, block_count(cols), BINS)
    if hessian:
        yield first + imatrix.HESSIAN, imatrix.FLOAT, (cols, cols)


def _arrays(inputs: Inputs, statistics: InputStatistics, hessian: Floats | None) -> dict[str, Array]:
    """The numbers of the tensors that some inputs have in the file."""
    assert statistics.minimum is not None
    assert statistics.maximum is not None
    assert statistics.magnitudes is not None
    arrays: dict[str, Array] = {}
    for name in map(imatrix.ggml_name, inputs.names):
        arrays |= {name + imatrix.SQUARES: statistics.squares, name + imatrix.COUNTS: statistics.counts}
    first = imatrix.ggml_name(inputs.names[0])
    arrays |= {first + imatrix.EXACT_COUNTS: statistics.counts, first + imatrix.MAGNITUDES: statistics.magnitudes}
    arrays |= {first + imatrix.MINIMUM: statistics.minimum, first + imatrix.MAXIMUM: statistics.maximum}
    return arrays if hessian is None else arrays | {first + imatrix.HESSIAN: hessian}
