"""FP8: ``weight`` (out, in) in E4M3, and a scale for each block of rows and columns, which multiplies.

=================================  =====================================================================
DeepSeek, Qwen (``fp8``)           weight_scale_inv (blocks down, blocks across), or one number; also E8M0
AutoFP8 (``fp8``), fbgemm          weight_scale: one number, or one a row
compressed-tensors, ModelOpt       weight_scale: one number, one a row, a block, or a group of a row;
                                   MXFP8: exponents of powers of two, for 32 columns each
=================================  =====================================================================

The last block of a row or column may be short.
"""

from __future__ import annotations

from math import prod

import attrs
import numpy as np

from fourcc.arrays import Array, Floats, Parts
from fourcc.sources.extent import foreign_format
from fourcc.sources.source import SourceTensor
from fourcc.sources.weight_only.module import (
    BYTES,
    EXPONENTS,
    FLOAT8,
    FLOATS,
    POWERS,
    Joined,
    Module,
    codes,
    dtype_of,
    values,
)

BLOCK = tuple[int | None, int | None]  # rows and columns that share a scale; None: all
USUAL: BLOCK = (128, 128)  # of DeepSeek's files, and transformers' where a config is silent
EXPONENT_BIAS = 127


@attrs.frozen
class Float8:
    """A matrix of 8-bit floats.

    Attributes:
        block: rows and columns that share a scale; None: the number of the scales tells.
        scale: endings that the scales' name may have, of which one is there.
        exponents: whether the scales are powers of two, stored as their exponents.
    """

    block: BLOCK | None = None
    scale: tuple[str, ...] = ("weight_scale",)
    exponents: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        """Endings of the tensors' names."""
        return ("weight", *self.scale)

    def joined(self, module: Module) -> Joined:
        """The matrix."""
        weight, outs, ins = module.matrix("weight", FLOAT8)
        scales = module.get(self._ending(module), EXPONENTS if self.exponents else (*FLOATS, *POWERS))
        tall, wide = self._block(module, scales, outs, ins)
        across = -(-ins // wide)
        spec = foreign_format("weight-only", "float8 groups", module.path)

        def read(matrix: int, first: int, last: int) -> Parts:  # noqa: ARG001 - there is one matrix
            above = first // tall
            down = self._numbers(scales, across, above, -(-last // tall))
            return {"scales": down[np.arange(first, last) // tall - above], "values": codes(weight, first, last)}

        return Joined("weight", (outs, ins), spec, read, {"group": wide})

    def _ending(self, module: Module) -> str:
        """The ending of the scales' name."""
        there = [ending for ending in self.scale if module.find(ending) is not None]
        if len(there) > 1:
            raise module.refusal("the matrix has two sets of scales", " and ".join(there), "one")
        return there[0] if there else self.scale[0]

    def _block(self, module: Module, scales: SourceTensor, outs: int, ins: int) -> tuple[int, int]:
        """Rows and columns that share a scale, once the number of the scales is checked."""
        block = self.block or _told(prod(scales.shape), outs)
        tall, wide = min(block[0] or outs, outs), min(block[1] or ins, ins)
        count = -(-outs // tall), -(-ins // wide)
        # A matrix of scales lies as the blocks do: one that is turned would be read in a wrong order.
        turned = len(scales.shape) == 2 and tuple(scales.shape) != count
        if turned or _long(scales.shape) != _long(count):
            expected = f"{count[0]} x {count[1]} for blocks of {tall} x {wide} of a matrix of {outs} x {ins}"
            raise module.refusal(f"{scales.source_name} does not fit the weights", scales.shape, expected)
        return tall, wide

    def _numbers(self, scales: SourceTensor, across: int, first: int, last: int) -> Floats:
        """The scales of a run of rows of blocks, float32 (last - first, blocks across)."""
        whole = len(scales.shape) != 2
        stored = scales.decode() if whole else values(scales, first, last)
        numbers = powers_of_two(stored) if dtype_of(scales) in BYTES else stored.astype(np.float32)
        return numbers.reshape(-1, across)[first:last] if whole else numbers


def _told(count: int, outs: int) -> BLOCK:
    """The block of so many scales: of one, of one a row; else the usual one, which the caller compares with them."""
    return (None, None) if count == 1 else (1, None) if count == outs else USUAL


def _long(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The dimensions that are not 1: some tools keep those of a block, others drop them."""
    return tuple(size for size in shape if size != 1)


def powers_of_two(exponents: Array) -> Floats:
    """2^(e - 127), float32; 255 is NaN."""
    powers = np.ldexp(np.float32(1), exponents.astype(np.int32) - EXPONENT_BIAS).astype(np.float32)
    powers[exponents == 255] = np.nan
    return powers
