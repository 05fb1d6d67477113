"""Hd4r: 4-bit codes of weights that a Hadamard matrix has mixed, one float16 scale for 64 of them along a row.

::

    block of up to 64 weights along a row; 4.25 bits per weight
    scale    (rows, ceil(cols / 64)) float16   the largest |v| of the block / 7
    codes    4 bits a weight                   1 .. 15

Decode: v = scale * (code - 8) and w = H v, in float32. H mixes each 64 weights of a row: it has 1/8 and -1/8 in
Sylvester's order. What is left at the end of a row is not mixed. H is its own inverse, and symmetric: products mix the
activation once, H x, and multiply it by v. Encode: v = H w; code = v / scale + 8.5, cut to an integer.

No sum depends on its order, so that bytes do not depend on the machine: those of decoding have 20 bits, and an encoder
rounds weights to multiples of 2^-27 of the largest first, and computes in float64.
"""

from functools import reduce

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Parts, Turn, packed, per_block

H = reduce(np.kron, [np.array([[1, 1], [1, -1]], np.float32)] * 6) / np.float32(8)  # (64, 64)


def decode_block(scale: Array, codes: Array, mixed: Array) -> None:
    """A scale and 64 codes -> 64 mixed weights."""
    mixed[:] = scale * (codes - 8)


def mix(rows: Floats, parts: Parts, geom: Geometry) -> Floats:
    """H times each 64 numbers of each row (n, cols); one small product a row, which takes no threads."""
    mixed, whole = rows.copy(), rows.shape[1] // 64 * 64
    mixed[:, :whole] = (rows[:, :whole].reshape(len(rows), -1, 64) @ H).reshape(len(rows), whole)
    return mixed


def encode(blocks: Blocks) -> Parts:
    """Weights (blocks, 64) -> scales (blocks,) and codes (blocks, 64)."""
    unit = np.exp2(np.frexp(np.abs(blocks.w).max(axis=1))[1] - 27.0)[:, None]
    mixed = mix(np.rint(blocks.w / unit) * unit, {}, blocks.geom)
    scale = np.abs(mixed).max(axis=1) / 7
    return {"scale": scale, "codes": (mixed / scale.clip(1e-30)[:, None] + 8.5).clip(1, 15).astype(np.uint8)}


HD4R = Format(
    tag="Hd4r",
    summary="4-bit codes of weights mixed by a Hadamard matrix, float16 scale for 64",
    block=64,
    parts=(per_block("scale", "<f2"), packed("codes", bits=4)),
    turn=Turn(forward=mix, back=mix),
    decode_block=decode_block,
    encode=encode,
)
