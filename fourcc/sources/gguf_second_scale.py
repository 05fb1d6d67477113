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
from fourcc.errors import SourceError
from fourcc.sources.source import Source, SourceTensor
from fourcc.tags import as_tag

ONE_SCALE, BOTH_SCALES = as_tag("NVF4"), as_tag("NV4T")
WEIGHT, SCALE, INPUT = ".weight", ".scale", ".input_scale"
NAN, NO_COUNTERPART, MINUS_ZERO = 127, 255, 8  # of scales: ggml's 0, and 480; of codes: ggml's 0


def with_second_scales(source: Source) -> Source:
    """The source with each matrix and its second scale as one tensor, and a note on scales of activations.

    Raises:
        SourceError: a second scale is no float32 for each matrix.
    """
    named = {tensor.name: tensor for tensor in source.tensors}
    stems = [
        name.removesuffix(WEIGHT) for name, each in named.items() if each.tag == ONE_SCALE and name.endswith(WEIGHT)
    ]
    taken = {f"{stem}{end}" for stem in stems for end in (SCALE, INPUT)} & named.keys()
    tensors = []
    for tensor in source.tensors:
        stem = tensor.name.removesuffix(WEIGHT)
        scale = named.get(f"{stem}{SCALE}") if stem in stems and tensor.name == f"{stem}{WEIGHT}" else None
        if tensor.name not in taken:
            tensors.append(tensor if scale is None else _joined(source, tensor, scale))
    inputs = sum(name.endswith(INPUT) for name in taken)
    said = "scale of activations (input_scale) is" if inputs == 1 else "scales of activations (input_scale) are"
    which = "it" if inputs == 1 else "them"
    notes = [f"{inputs} {said} left out: weights do not depend on {which}"] if inputs else []
    return attrs.evolve(source, tensors=tuple(tensors), notes=(*source.notes, *notes))


def _joined(source: Source, tensor: SourceTensor, scale: SourceTensor) -> SourceTensor:
    """A matrix, or several, with a second scale each."""
    matrices = prod(tensor.shape[:-2])
    if scale.tag != as_tag("F32") or prod(scale.shape) != matrices:
        raise SourceError(
            "the second scale of a matrix has a wrong shape",
            file=source.path,
            tensor=scale.source_name,
            found=f"{scale.tag}, {list(scale.shape)}",
            expected=f"F32, {matrices} in all",
        )
    factors = scale.decode().reshape(-1)

    def read(matrix: int, first: int, last: int) -> Parts:
        second = np.array([factors[matrix], 1], np.float32)
        return {"second": second, **_rearranged(source, tensor, tensor.read(matrix, first, last)["blocks"])}

    return attrs.evolve(tensor, tag=BOTH_SCALES, read=read)


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
