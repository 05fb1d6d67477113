"""Lc16: two books of sixteen values, learnt for the matrix, and a signed 5-bit scale for 32 weights.

::

    block of up to 256 weights along a row; 4 + 7 / 32 + 16 / 256 = 4.28125 bits per weight
    books    (2, 16) float16, of the whole matrix; each ascending
    units    (rows, ceil(cols / 256)) float16
    levels   (rows, ceil(cols / 256), 7) uint8: eight numbers of 7 bits, lowest bits first, one for 32 weights
    codes    (rows, ceil(cols / 2)) uint8: low nibble the even column, high nibble the odd one

      a level   bits 6     5      4 .. 0
                    book   sign   magnitude

Decode: w = (unit * +-magnitude) * books[book][code], in float32; the first product is exact.
The page describes the encoder.
"""

import numpy as np

from fourcc import Aids, Array, Blocks, Floats, Format, FormatSpec, Geometry, Original, Params, Part, Parts, Setting
from fourcc.format import RowReader
from fourcc_lc.search import LEVELS, RUN, RUNS, borders_of, compiled, learnt

BLOCK = RUN * RUNS
SAMPLE = 1 << 17  # weights, about, from which the books are learnt
FIRST = (
    np.array(  # the books learnt from normal weights
        [
            [-132, -103.5, -82, -64.5, -49.5, -35, -22.5, -10.5, 1.5, 13.5, 26, 38.5, 52, 67, 85.5, 113.5],
            [-129.5, -100, -82, -66.5, -52, -39, -27, -15.5, -4.5, 7, 18.5, 30.5, 43.5, 58.5, 75.5, 96],
        ],
        np.float32,
    )
    / 128
)


def _blocks(geom: Geometry) -> int:
    return -(-geom.cols // BLOCK)


def codes(parts: Parts, geom: Geometry) -> Array:
    """The stored codes, uint8 (rows, cols)."""
    pairs = parts["codes"][:, :, None] >> np.array([0, 4], np.uint8)  # (rows, pairs, 2)
    return (pairs & np.uint8(15)).reshape(geom.rows, -1)[:, : geom.cols]


def _levels(parts: Parts, geom: Geometry) -> Array:
    """The stored scales, int64 (rows, runs of 32)."""
    raw = np.zeros((geom.rows, _blocks(geom), 8), np.uint8)
    raw[:, :, :7] = parts["levels"]
    numbers = raw.view("<u8") >> np.arange(0, 56, 7, dtype=np.uint64)  # (rows, blocks, 8)
    return (numbers & np.uint64(127)).astype(np.int64).reshape(geom.rows, -1)


@np.errstate(over="ignore", invalid="ignore")  # damaged scales may be anything
def decode(parts: Parts, geom: Geometry) -> Floats:
    """Books, units, levels and codes -> float32 (rows, cols)."""
    level = _levels(parts, geom)
    signed = ((level & LEVELS) * (1 - (level >> 4 & 2))).astype(np.float32)
    scale = np.repeat(parts["units"].astype(np.float32), RUNS, axis=1) * signed
    entry = codes(parts, geom) | np.repeat(level >> 6 << 4, RUN, axis=1)[:, : geom.cols]
    weights: Floats = (
        np.repeat(scale, RUN, axis=1)[:, : geom.cols] * parts["books"].astype(np.float32).reshape(-1)[entry]
    )
    return weights


def decode_block(books: Array, units: Array, levels: Array, codes: Array, weights: Array) -> None:
    """Decodes one block of 256 weights. The fused kernel is generated from it."""
    for run in range(RUNS):
        byte, shift = 7 * run // 8, 7 * run % 8
        level = (levels[byte] | levels[min(byte + 1, 6)] << 8) >> shift
        scale = units[0] * ((level & LEVELS) * (1 - (level >> 4 & 2))).astype(np.float32)
        book = (level >> 2 & 16) * 0x01010101  # for four codes at once
        for word in range(RUN // 8):
            first = run * RUN // 2 + 4 * word
            eight = codes[first] | codes[first + 1] << 8 | codes[first + 2] << 16 | codes[first + 3] << 24
            even, odd = eight & 0x0F0F0F0F | book, eight >> 4 & 0x0F0F0F0F | book
            for pair in range(4):
                weights[2 * (first + pair)] = scale * books[even >> 8 * pair & 31]
                weights[2 * (first + pair) + 1] = scale * books[odd >> 8 * pair & 31]


def prepare(original: Original) -> Floats:
    """The books, float16 (2, 16), learnt from evenly spaced rows of the matrix."""
    rows, geom, options = original.rows, original.geom, original.options
    wanted = max(1, min(geom.rows, SAMPLE // geom.cols))
    chosen = [int(row) for row in np.arange(wanted) * geom.rows // wanted]
    sample = rows(0, wanted) if wanted == geom.rows else np.concatenate([rows(row, row + 1) for row in chosen])
    padded = _padded(sample, geom.cols).reshape(-1, RUN)
    some = padded[: SAMPLE // RUN] if len(padded) > SAMPLE // RUN else padded
    books: Floats = learnt(FIRST, some, int(str(options["rounds"]))).astype(np.float16)
    return books


def _padded(tile: Floats, cols: int) -> Array:
    """The weights in whole blocks, padded with zeros: float64 (rows, blocks, 8, 32)."""
    blocks = -(-cols // BLOCK)
    padded = np.zeros((len(tile), blocks * BLOCK))
    padded[:, :cols] = tile
    return padded.reshape(len(tile), blocks, RUNS, RUN)


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> books, units, levels and codes."""
    stored = np.asarray(shared, np.float16)
    books, weights = stored.astype(np.float64), _padded(tile, geom.cols).reshape(-1, RUNS, RUN)
    borders, (blocks, free) = borders_of(stored.astype(np.float32)), compiled()
    n = len(weights)
    wanted, chosen, code = np.empty(n * RUNS), np.empty(n * RUNS, np.int64), np.empty((n, RUNS, RUN), np.uint8)
    free(weights.reshape(-1, RUN), books, borders, wanted, chosen, code.reshape(-1, RUN))
    wanted = wanted.reshape(n, RUNS)
    largest = np.abs(wanted).max(axis=1) / LEVELS
    units = np.minimum(largest, float(np.finfo(np.float16).max)).astype(np.float16)
    levels = np.empty((n, RUNS), np.uint8)
    blocks(weights, books, borders, wanted, units.astype(np.float64), levels, code)
    packed = (levels.astype(np.uint64) << np.arange(0, 56, 7, dtype=np.uint64)).sum(axis=1, dtype="<u8")
    flat = code.reshape(geom.rows, -1)
    flat[:, geom.cols :] = 0
    return {
        "books": stored,
        "units": units.reshape(geom.rows, -1),
        "levels": packed[:, None].view(np.uint8)[:, :7].reshape(geom.rows, -1, 7),
        "codes": (flat[:, 0::2] | flat[:, 1::2] << 4)[:, : -(-geom.cols // 2)],
    }


def bound(w: Array, geom: Geometry) -> Array:
    """The root of the run's squares, since a scale must leave a smaller error; and the roundings to float32."""
    runs = _padded(w, geom.cols)  # (rows, blocks, 8, 32)
    root = np.repeat(np.sqrt((runs * runs).sum(axis=3)), RUN, axis=2)  # (rows, blocks, 256)
    return root.reshape(len(root), root.shape[1] * BLOCK)[:, : geom.cols] * (1 + 2**-20)


LC16 = Format(
    tag="Lc16",
    name="learnt book, twice 16",
    summary="4-bit codes of a book learnt for the matrix, signed 5-bit scales for 32",
    block=(1, BLOCK),
    parts=(
        Part("books", "<f2", rows=None, tail=lambda _: (2, 16)),
        Part("units", "<f2", tail=lambda geom: (_blocks(geom),)),
        Part("levels", "|u1", tail=lambda geom: (_blocks(geom), 7)),
        Part("codes", "|u1", tail=lambda geom: (-(-geom.cols // 2),)),
    ),
    options=(Setting("rounds", 8, "of learning the book; 0: that of normal weights", low=0, high=100),),
    short_block=True,
    decode=decode,
    encode=encode,
    prepare=prepare,
    codes=codes,
    decode_block=decode_block,
    bound=bound,
)
