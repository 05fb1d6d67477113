"""The experts of gpt-oss as its makers store them: MXFP4 in two tensors for each stack of matrices.

``NAME_blocks`` (experts, rows, blocks, 16) has 32 codes a block: weight 2 i in the low half of byte i, weight 2 i + 1
in the high half. ``NAME_scales`` (experts, rows, blocks) has the exponents. ggml's blocks hold both in another order:
weight j in the low half of byte j, weight j + 16 in the high half. So nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.errors import SourceError
from fourcc.format import Format
from fourcc.sources.extent import ReadRows
from fourcc.sources.mxfp4_blocks import mxfp4_blocks, mxfp4_format
from fourcc.sources.source import SourceTensor

_BLOCKS, _SCALES = "_blocks", "_scales"
_BYTES, _WEIGHTS = 16, 32  # of a block


def is_stated(fields: Mapping[str, Any], tensors: Iterable[SourceTensor]) -> bool:
    """Whether a config says that experts are MXFP4, and all blocks are those of stacks."""
    said = fields.get("quantization_config")
    stated = isinstance(said, dict) and said.get("quant_method") == "mxfp4"
    return stated and all(len(tensor.shape) == 4 for tensor in tensors if tensor.name.endswith(_BLOCKS))


def gathered(tensors: tuple[SourceTensor, ...], path: Path) -> tuple[SourceTensor, ...]:
    """The tensors, with blocks and scales of a stack as one, in ggml's format.

    Raises:
        SourceError: there are no blocks, or scales that do not go with them.
    """
    by_name = {tensor.name: tensor for tensor in tensors}
    stems = [name.removesuffix(_BLOCKS) for name in by_name if name.endswith(_BLOCKS)]
    if not stems:
        raise SourceError("the weights are not MXFP4 as the config says: there is no tensor *_blocks", file=path)
    joined = [_stack(stem, by_name, path) for stem in stems]
    used = {stem + ending for stem in stems for ending in (_BLOCKS, _SCALES)}
    return (*(tensor for tensor in tensors if tensor.name not in used), *joined)


def _stack(stem: str, by_name: Mapping[str, SourceTensor], path: Path) -> SourceTensor:
    blocks, scales = by_name[stem + _BLOCKS], by_name.get(stem + _SCALES)
    if scales is None or len(blocks.shape) != 4 or blocks.shape != (*scales.shape, _BYTES):
        raise SourceError(
            "the blocks of MXFP4 have no scales that go with them",
            file=path,
            tensor=blocks.name,
            found=f"{list(blocks.shape)}, scales {'missing' if scales is None else list(scales.shape)}",
            expected=f"(experts, rows, blocks, {_BYTES}), and scales without the last",
        )
    experts, rows, count, _ = blocks.shape
    spec = mxfp4_format(path)
    read = BlocksWithScales(blocks.read, scales.read, rows, spec).read
    shape = (experts, rows, count * _WEIGHTS)
    return attrs.evolve(blocks, name=stem, source_name=blocks.name, shape=shape, tag=spec.tag, read=read, params={})


@attrs.frozen(eq=False)
class BlocksWithScales:
    """Reads both tensors as rows of ggml's blocks.

    Attributes:
        blocks: reads (rows x blocks, 16) codes; a row of the stack is a matrix of them.
        scales: reads (rows, blocks) exponents.
        rows: of a matrix of the stack.
        fmt: of the blocks.
    """

    blocks: ReadRows
    scales: ReadRows
    rows: int
    fmt: Format

    def read(self, matrix: int, first: int, last: int) -> Parts:
        """The rows first..last of a matrix."""
        (exponents,) = self.scales(matrix, first, last).values()  # (rows, blocks)
        count = exponents.shape[1]
        codes = np.stack([self._codes(matrix * self.rows + row, count) for row in range(first, last)])
        flat = np.stack([codes & 15, codes >> 4], axis=-1).reshape(len(codes), -1)  # (rows, 32 blocks)
        return mxfp4_blocks(self.fmt, exponents, flat)

    def _codes(self, row: int, count: int) -> Array:
        (codes,) = self.blocks(row, 0, count).values()  # (blocks, 16)
        return codes
