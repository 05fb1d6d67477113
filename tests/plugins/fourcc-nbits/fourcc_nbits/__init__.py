"""Nb4s: the 4-bit blocks of ONNX Runtime's MatMulNBits, without zero points. The README has the layout and formula."""

import numpy as np

from fourcc import Array, Blocks, Format, Geometry, Parts, packed, per_block

BLOCK = 32
ZERO = 8  # the code of weight 0, where MatMulNBits gets no zero points


def encode(blocks: Blocks) -> Parts:
    """float32 (blocks, 32) -> scales (blocks,) and codes (blocks, 32)."""
    w = blocks.w.astype(np.float64)
    peak = np.take_along_axis(w, np.abs(w).argmax(axis=1)[:, None], axis=1)  # (blocks, 1), ties go to the first
    scales = (peak / -ZERO).astype(np.float32)
    divisor = np.where(scales == 0, np.inf, scales.astype(np.float64))
    codes = np.rint(w / divisor + ZERO).clip(0, 2 * ZERO - 1)
    return {"scales": scales[:, 0], "codes": codes.astype(np.uint8)}


def decode_block(scale: float, codes: Array, weights: Array) -> None:
    """One block: a scale and 32 codes -> 32 weights."""
    for index in range(BLOCK):
        weights[index] = scale * (codes[index] - ZERO)


def bound(w: Array, geom: Geometry) -> Array:
    """A whole step, since the code 16 is clamped to 15, and the roundings to float32; float64 (rows, cols)."""
    peaks = np.abs(w).reshape(geom.rows, geom.cols // BLOCK, BLOCK).max(axis=2)
    return np.repeat(peaks / ZERO * (1 + 2**-20) + 2.0**-145, BLOCK, axis=1)


NB4S = Format(
    tag="Nb4s",
    summary="4-bit codes, float32 scale for 32: MatMulNBits of ONNX Runtime",
    block=BLOCK,
    parts=(per_block("scales", "<f4"), packed("codes", bits=4)),
    short_block=False,
    encode=encode,
    decode_block=decode_block,
    bound=bound,
)
