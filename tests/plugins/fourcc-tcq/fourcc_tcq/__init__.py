"""Tcq2, Tcq3, Tcq4: trellis-coded weights of 2, 3 or 4 bits. Each weight is one look-up of 12 bits of its block's ring.

::

    block of 32 to 1024 weights along a row (a parameter); bits + 16 / block bits per weight
    scale    (rows, cols / block) float16
    codes    2, 3 or 4 bits a weight; those of a block are a ring

      bit    0      bits    2 bits                        weight t sees the 12 bits from bit t * bits on; behind the
             | c0   | c1    | c2 ...                      last bit of the block comes its first

Decode: w = scale * TABLE[window], in float32. Encode: for weights divided by their root mean square, the ring whose
weights are nearest (Viterbi's algorithm, `trellis`); then the scale with which they are nearest to the original.
"""

from statistics import NormalDist

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Parts, Setting, packed, per_block
from fourcc_tcq.trellis import STATE_BITS, STATES, best_codes

STEP = 1529  # the best of sixty odd numbers: its tables have the least error over 2, 3 and 4 bits
WIDER = 1.3  # from one spread to the next try: heavy tails need a wider table
SHRUNK = {2: 0.9631, 3: 0.9911, 4: 0.9976}  # sqrt(1 - D): what is left of a spread when the error D is taken off


def _table() -> Floats:
    """Quantiles of the normal distribution, in an order that gives the followers of a state unlike weights.

    They are rounded to 5 digits, so all machines agree.
    """
    quantile = NormalDist().inv_cdf
    ordered = np.array([round(quantile((k + 0.5) / STATES), 5) for k in range(STATES)], np.float32)
    return ordered[(np.arange(STATES) * STEP + 11) % STATES]  # (4096,)


TABLE = _table()


def states(codes: Array, bits: int) -> Array:
    """The states along rings of codes, int64 (blocks, block)."""
    wide = codes.astype(np.int64)
    return sum(np.roll(wide, -later, axis=1) << bits * later for later in range(STATE_BITS // bits))


def encoded(blocks: Blocks, bits: int) -> Parts:
    """Weights (blocks, block) -> scales (blocks,) and codes (blocks, block)."""
    w = blocks.w.astype(np.float64)
    spread = np.sqrt(_total(w * w) / w.shape[1])
    units = w / (np.where(spread == 0, 1, spread) * SHRUNK[bits])[:, None]
    scales, chosen, kept = np.zeros(len(w)), np.zeros(w.shape, np.uint8), np.full(len(w), -1.0)
    for wider in WIDER ** np.arange(blocks.options["tries"]):
        codes = best_codes((units / wider).astype(np.float32), TABLE, bits)
        values = TABLE[states(codes, bits)].astype(np.float64)
        products, squares = _total(w * values), _total(values * values)
        gain = products * products / squares  # how much smaller the squared errors are than the squares
        better = gain > kept
        kept[better], scales[better], chosen[better] = gain[better], (products / squares)[better], codes[better]
    largest = np.finfo(np.float16).max
    return {"scale": scales.clip(-largest, largest), "codes": chosen}


def _total(terms: Array) -> Array:
    """The sums of rows, from left to right: numpy's `sum` adds in another order on another machine."""
    return terms.cumsum(axis=1)[:, -1]


def bound(w: Array, geom: Geometry) -> Array:
    """The root of the block's squares, which the least squares cannot exceed, and the rounding of the scale."""
    block = geom.params["block"]
    root = np.sqrt((w * w).reshape(-1, block).sum(axis=1))  # (blocks,)
    return np.repeat(root * (1 + 2**-10) + 2**-22, block).reshape(w.shape)


def trellis(bits: int) -> Format:
    """The format with so many bits a weight."""

    def decode_block(scale: Array, codes: Array, weights: Array, block: int) -> None:
        for t in range(block):
            window = sum(codes[(t + later) % block] << bits * later for later in range(STATE_BITS // bits))
            weights[t] = scale * TABLE[window]

    def encode(blocks: Blocks) -> Parts:
        return encoded(blocks, bits)

    return Format(
        tag=f"Tcq{bits}",
        name=f"trellis code of {bits} bits, 12-bit state",
        summary=f"trellis-coded quantiles of the normal distribution, {bits} bits, float16 scale for a block",
        block="block",
        parts=(per_block("scale", "<f2"), packed("codes", bits=bits)),
        params=(Setting("block", 256, "weights with one scale and one ring", (32, 64, 128, 256, 512, 1024)),),
        options=(Setting("tries", 3, "spreads of the table that are tried for a block", low=1, high=8),),
        short_block=False,
        decode_block=decode_block,
        encode=encode,
        bound=bound,
    )


TCQ2, TCQ3, TCQ4 = map(trellis, (2, 3, 4))
