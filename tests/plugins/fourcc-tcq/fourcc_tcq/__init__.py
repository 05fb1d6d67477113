"""Tcq: trellis-coded weights of 2, 3 or 4 bits. Each weight is one look-up of 12 bits of its block's stream.

::

    block of 32 to 1024 weights along a row (a parameter, as the bits are); bits + 16 / block bits per weight
    scales   (rows, cols / block) float16
    streams  (rows, cols * bits / 32) uint32, first bits lowest: of each block a ring of block * bits bits

      bit    0      bits    2 bits                        weight t sees the 12 bits from bit t * bits on; behind the
             | c0   | c1    | c2 ...                      last bit of the block comes its first

Decode: w = scale * TABLE[window], in float32. Encode: for weights divided by their root mean square, the stream whose
weights are nearest (Viterbi's algorithm, `trellis`); then the scale with which they are nearest to the original.
"""

from statistics import NormalDist

import numpy as np

from fourcc import Aids, Array, Blocks, Floats, Format, FormatSpec, Geometry, Params, Part, Parts, Setting
from fourcc_tcq.trellis import STATE_BITS, STATES, best_codes

STEP = 1529  # the best of sixty odd numbers: its tables have the least error over 2, 3 and 4 bits
WIDER = 1.3  # from one spread to the next try: heavy tails need a wider table
SHRUNK = {
    2: 0.9631,
    3: 0.9911,
    4: 0.9976,
}  # sqrt(1 - D): what is left of a weight's spread when its error D is taken off


def _table() -> Floats:
    """Quantiles of the normal distribution, in an order that gives the followers of a state unlike weights.

    They are rounded to 5 digits, so all machines agree.
    """
    quantile = NormalDist().inv_cdf
    ordered = np.array([round(quantile((k + 0.5) / STATES), 5) for k in range(STATES)], np.float32)
    return ordered[(np.arange(STATES) * STEP + 11) % STATES]  # (4096,)


TABLE = _table()


def _words(geom: Geometry) -> tuple[int]:
    return (geom.cols * int(str(geom.params["bits"])) // 32,)


def _sizes(params: Params) -> tuple[int, int]:
    return int(str(params["bits"])), int(str(params["block"]))


def codes(parts: Parts, geom: Geometry) -> Array:
    """The bits that each weight adds to the stream, uint8 (rows, cols)."""
    bits, _ = _sizes(geom.params)
    return (_windows(parts, geom) & np.uint16((1 << bits) - 1)).astype(np.uint8)


def _windows(parts: Parts, geom: Geometry) -> Array:
    """The state of each weight, uint16 (rows, cols)."""
    bits, block = _sizes(geom.params)
    ring = parts["streams"].reshape(geom.rows, -1, block * bits // 32)  # (rows, blocks, words)
    first = np.arange(block) * bits
    low = ring[:, :, first // 32].astype(np.uint64)  # (rows, blocks, block)
    high = ring[:, :, (first // 32 + 1) % ring.shape[2]].astype(np.uint64)
    window = (low | high << np.uint64(32)) >> (first % 32).astype(np.uint64)
    return (window & np.uint64(STATES - 1)).astype(np.uint16).reshape(geom.rows, geom.cols)


@np.errstate(over="ignore", invalid="ignore")  # damaged scales may be anything
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Scales and streams -> float32 (rows, cols)."""
    scale = np.repeat(parts["scales"].astype(np.float32), _sizes(geom.params)[1], axis=1)
    weights: Floats = scale * TABLE[_windows(parts, geom)]
    return weights


def decode_block(scales: Array, streams: Array, weights: Array, bits: int, block: int) -> None:
    """Decodes one block: a scale and a ring of words. The fused kernel is generated from it."""
    for t in range(block):
        word, shift = bits * t // 32, bits * t % 32
        window = streams[word] >> shift
        if shift > 32 - STATE_BITS:
            window = window | streams[(word + 1) % len(streams)] << (32 - shift)
        weights[t] = scales[0] * TABLE[window & (STATES - 1)]


def encode(bits: int, blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> scales and streams."""
    bits, block = _sizes(geom.params)
    weights = tile.reshape(-1, block).astype(np.float64)  # (blocks, block)
    spread = np.sqrt(_in_order(weights * weights) / block)
    units = weights / (np.where(spread == 0, 1, spread) * SHRUNK[bits])[:, None]
    scales, chosen, kept = np.zeros(len(weights)), np.zeros(weights.shape, np.uint8), np.full(len(weights), -1.0)
    for wider in WIDER ** np.arange(int(str(options["tries"]))):
        codes = best_codes((units / wider).astype(np.float32), TABLE, bits)
        values = TABLE[_states(codes, bits)].astype(np.float64)
        products, squares = _in_order(weights * values), _in_order(values * values)
        gain = products * products / squares  # how much smaller the squared errors are than the squares
        better = gain > kept
        kept[better], scales[better], chosen[better] = gain[better], (products / squares)[better], codes[better]
    largest = np.finfo(np.float16).max
    halves = np.clip(scales, -largest, largest).astype(np.float16)
    return {"scales": halves.reshape(geom.rows, -1), "streams": _packed(chosen, bits, geom)}


def _states(codes: Array, bits: int) -> Array:
    """The states along rings of codes, int64 (blocks, block)."""
    states = codes.astype(np.int64)
    for later in range(1, STATE_BITS // bits):
        states |= np.roll(codes, -later, axis=1).astype(np.int64) << bits * later
    return states


def _in_order(terms: Array) -> Array:
    """The sums of rows in float64, term by term: numpy's own order differs between machines."""
    total = np.zeros(len(terms))
    for column in terms.T:
        total += column
    return total


def _packed(chosen: Array, bits: int, geom: Geometry) -> Array:
    """Codes, one after the other, lowest bit first: uint32 (rows, words)."""
    flags = chosen[:, :, None] >> np.arange(bits, dtype=np.uint8) & np.uint8(1)  # (blocks, block, bits)
    return np.packbits(flags.reshape(-1), bitorder="little").view("<u4").reshape(geom.rows, -1)


def bound(w: Array, geom: Geometry) -> Array:
    """The root of the block's squares, which the least squares cannot exceed, and the rounding of the scale."""
    _, block = _sizes(geom.params)
    root = np.sqrt((w * w).reshape(-1, block).sum(axis=1))  # (blocks,)
    return np.repeat(root * (1 + 2**-10) + 2**-22, block).reshape(w.shape)


TCQ = Format(
    tag="Tcq",
    name="trellis code, 12-bit state",
    summary="trellis-coded quantiles of the normal distribution, 2 to 4 bits, float16 scale for a block",
    block=(1, "block"),
    parts=(
        Part("scales", "<f2", tail=lambda geom: (geom.cols // int(str(geom.params["block"])),)),
        Part("streams", "<u4", tail=_words),
    ),
    params=(
        Setting("bits", 3, "bits a weight takes of the stream", choices=(2, 3, 4)),
        Setting("block", 256, "weights with one scale and one stream", choices=(32, 64, 128, 256, 512, 1024)),
    ),
    options=(Setting("tries", 3, "spreads of the table that are tried for a block", low=1, high=8),),
    decode=decode,
    encode=encode,
    codes=codes,
    decode_block=decode_block,
    bound=bound,
)
