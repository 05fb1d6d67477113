"""4-bit floats (E2M1), two neighbours in a byte, the even column's in the low nibble; two levels of scales, or one.

==============================  =================================================================================
ModelOpt's NVFP4                weight (out, in / 2), weight_scale E4M3 (out, in / 16), weight_scale_2, a factor
compressed-tensors' NVFP4       weight_packed, weight_scale as above, weight_global_scale, a divisor
compressed-tensors' MXFP4       weight_packed, weight_scale (out, in / 32): exponents of powers of two, bias 127
==============================  =================================================================================

NVFP4's scale of 16 weights is multiplied by the factor, or divided by the divisor, before a weight is multiplied by it.
"""

from __future__ import annotations

from math import prod

import attrs
import numpy as np

from fourcc.arrays import Parts
from fourcc.packing import unpack
from fourcc.part import Packing
from fourcc.sources.extent import foreign_format
from fourcc.sources.mxfp4_blocks import mxfp4_blocks, mxfp4_format
from fourcc.sources.source import SourceTensor
from fourcc.sources.weight_only.module import BYTES, EXPONENTS, FLOAT8, FLOATS, Joined, Module, codes

NEIGHBOURS = Packing(bits=4)


@attrs.frozen
class NvFloat4:
    """NVFP4: blocks of 16 weights.

    Attributes:
        codes: ending of the codes' name.
        second: ending of the second-level scale's name.
        divides: whether that is a divisor, not a factor.
    """

    codes: str = "weight"
    second: str = "weight_scale_2"
    divides: bool = False
    block = 16

    @property
    def parts(self) -> tuple[str, ...]:
        """Endings of the tensors' names."""
        return self.codes, "weight_scale", self.second

    def joined(self, module: Module) -> Joined:
        """The matrix."""
        packed, scales, shape = _codes_and_scales(module, self.codes, FLOAT8, self.block)
        second = module.get(self.second, FLOATS)
        if prod(second.shape) != 1:
            raise module.refusal(f"{self.second} is not one number", second.shape, "one")
        spec = foreign_format("modelopt", "NVFP4", module.path)

        def read(matrix: int, first: int, last: int) -> Parts:  # noqa: ARG001 - there is one matrix
            number = second.decode().reshape(()).astype(np.float32)
            pair = np.array([1, number] if self.divides else [number, 1], np.float32)  # factor, divisor
            return {"second": pair, "scales": codes(scales, first, last), "q": codes(packed, first, last)}

        return Joined(self.codes, shape, spec, read)


@attrs.frozen
class MxFloat4:
    """MXFP4: blocks of 32 weights, stored anew in ggml's order."""

    block = 32

    @property
    def parts(self) -> tuple[str, ...]:
        """Endings of the tensors' names."""
        return "weight_packed", "weight_scale"

    def joined(self, module: Module) -> Joined:
        """The matrix."""
        packed, scales, shape = _codes_and_scales(module, "weight_packed", EXPONENTS, self.block)
        spec = mxfp4_format(module.path)

        def read(matrix: int, first: int, last: int) -> Parts:  # noqa: ARG001 - there is one matrix
            neighbours = unpack(codes(packed, first, last), shape[1], NEIGHBOURS)
            return mxfp4_blocks(spec, codes(scales, first, last), neighbours)

        return Joined("weight_packed", shape, spec, read)


def _codes_and_scales(
    module: Module, ending: str, dtypes: tuple[str, ...], block: int
) -> tuple[SourceTensor, SourceTensor, tuple[int, int]]:
    """The tensors of the codes and of the scales, and the shape of the matrix.

    Raises:
        SourceError: they do not go together.
    """
    packed, outs, half = module.matrix(ending, BYTES)
    scales, *shape = module.matrix("weight_scale", dtypes)
    count = outs, 2 * half // block
    if tuple(shape) != count or 2 * half % block:
        expected = f"{count[0]} x {count[1]} for {outs} x {2 * half} weights in blocks of {block}"
        raise module.refusal(f"{scales.source_name} does not fit the weights", scales.shape, expected)
    return packed, scales, (outs, 2 * half)
