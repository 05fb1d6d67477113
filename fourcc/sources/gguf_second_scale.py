"""NVFP4 of a GGUF file with its second scale: two tensors of the file are one matrix.

llama.cpp's converter writes ``blk.0.attn_q.weight`` in ggml's type 40 and beside it ``blk.0.attn_q.scale``, one float32
by which the product is multiplied; for stacked experts one each. A matrix that has one becomes an `NV4T`: the same
codes and scales in another order. ``blk.0.attn_q.input_scale`` is that of activations in products of 4-bit floats;
weights do not depend on it, and products here take activations as they are.
"""

from __future__ import annotations

from math import prod

import attrs
import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.errors import SourceError, listed
from fourcc.plugins.registry import registry
from fourcc.sources.extent import foreign_format
from fourcc.sources.source import Source, SourceTensor

ONE_SCALE, BOTH_SCALES = ("ggml", 40), ("modelopt", "NVFP4")  # ids of the two formats
FLOAT32 = "<f4"
WEIGHT, SCALE, INPUT = ".weight", ".scale", ".input_scale"
NAN, NO_COUNTERPART, MINUS_ZERO = 127, 255, 8  # of scales: ggml's 0, and 480; of codes: ggml's 0


def with_second_scales(source: Source) -> Source:
    """The source with each matrix and its second scale as one tensor, and a note on scales of activations.

    Raises:
        SourceError: a second scale is no float32 for each matrix.
    """
    named = {tensor.name: tensor for tensor in source.tensors}
    one = registry.foreign(*ONE_SCALE)
    of_one = {name for name, each in named.items() if one is not None and each.tag == one.tag}
    stems = {name.removesuffix(WEIGHT) for name in of_one if name.endswith(WEIGHT)}
    scales = {f"{stem}{WEIGHT}": named[f"{stem}{SCALE}"] for stem in stems if f"{stem}{SCALE}" in named}
    inputs = {f"{stem}{INPUT}" for stem in stems} & named.keys()
    kept = named.keys() - inputs - {scale.name for scale in scales.values()}
    tensors = (
        _joined(source, tensor, scales[tensor.name]) if tensor.name in scales else tensor
        for tensor in source.tensors
        if tensor.name in kept
    )
    said = f"scales of activations are left out, since no weight depends on them: {listed(sorted(inputs), 1)}"
    return attrs.evolve(source, tensors=tuple(tensors), notes=(*source.notes, *([said] if inputs else [])))


def _joined(source: Source, tensor: SourceTensor, scale: SourceTensor) -> SourceTensor:
    """A matrix, or several, with a second scale each."""
    matrices = prod(tensor.shape[:-2])
    if scale.format.parts[0].dtype != FLOAT32 or prod(scale.shape) != matrices:
        raise SourceError(
            "the second scale of a matrix has a wrong shape",
            file=source.path,
            tensor=scale.source_name,
            found=f"{scale.tag}, {list(scale.shape)}",
            expected=f"{matrices} in all, float32",
        )
    factors = scale.decode().reshape(-1)

    def read(matrix: int, first: int, last: int) -> Parts:
        second = np.array([factors[matrix], 1], np.float32)
        return {"second": second, **_rearranged(source, tensor, tensor.read(matrix, first, last)["blocks"])}

    return attrs.evolve(tensor, tag=foreign_format(*BOTH_SCALES, source.path).tag, read=read)


def _rearranged(source: Source, tensor: SourceTensor, blocks: Array) -> dict[str, Array]:
    """Blocks (rows, cols / 64) as scales (rows, cols / 16) and codes (rows, cols / 2) of equal weights."""
    rows = len(blocks)
    stored = blocks["scales"].reshape(rows, -1)
    if (stored == NO_COUNTERPART).any():
        what = "a scale of 480, which E4M3 does not have, stands beside a second scale"
        raise SourceError(what, file=source.path, tensor=tensor.source_name)
    scales = np.where(stored == NAN, 0, stored & 127).astype(np.uint8)
    halves = blocks["q"].reshape(rows, -1, 8)  # 16 weights each
    codes = np.concatenate([halves & 15, halves >> 4], axis=2).reshape(rows, -1)
    codes[codes == MINUS_ZERO] = 0
    return {"scales": scales, "q": codes[:, 0::2] | codes[:, 1::2] << 4}
