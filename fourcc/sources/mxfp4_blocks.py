"""MXFP4 in ggml's blocks, from exponents and codes that other tools keep in tensors of their own, in other orders."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.dtypes import numpy_dtype
from fourcc.format import Format
from fourcc.packing import pack
from fourcc.sources.extent import foreign_format

_GGML = 39  # its number of the format
_WEIGHTS = 32  # of a block


def mxfp4_format(file: Path) -> Format:
    """The format of the blocks. Raises SourceError where none is installed."""
    return foreign_format("ggml", _GGML, file)


def mxfp4_blocks(fmt: Format, exponents: Array, codes: Array) -> Parts:
    """The part of a matrix's rows, in ggml's order; nothing is rounded.

    Args:
        fmt: that `mxfp4_format` gives.
        exponents: uint8 (rows, blocks), of powers of two, bias 127.
        codes: uint8 (rows, cols), E2M1, in the order of the columns.
    """
    (part,) = fmt.parts
    exponent, levels = part.fields
    assert levels.packing is not None  # the codes of a block share bytes
    blocks = np.empty(exponents.shape, numpy_dtype(part.dtype))
    blocks[exponent.name] = exponents
    blocks[levels.name] = pack(codes.reshape(-1, _WEIGHTS), levels.packing).reshape(*blocks.shape, -1)
    return {part.name: blocks}
