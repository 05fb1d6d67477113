"""Formats whose fused products are measured: one for each kind of what a block decoder gets, and of what is beside."""

import numpy as np

from fourcc.arrays import Array, Floats, Parts
from fourcc.format import Blocks, Format, Original, Sparse, Turn
from fourcc.geometry import Geometry
from fourcc.part import packed, per_block, per_matrix, ragged

LEVELS = np.concatenate([[0], 2.0 ** np.arange(-6, 1)]).astype(np.float32)
LOGARITHMS = np.concatenate([LEVELS, -LEVELS]).astype(np.float32)
OUTLIERS = 200  # one of so many weights


def largest(w: Floats) -> Floats:
    """The largest magnitude of each block, above 0."""
    return np.maximum(np.abs(w).max(axis=1), np.float32(1e-6)).astype(np.float16).astype(np.float32)


def nearest(levels: Floats, unit: Floats) -> Array:
    """Codes of the nearest of ascending levels."""
    return np.searchsorted((levels[1:] + levels[:-1]) / 2, unit).astype(np.uint8)


def encode_logarithms(blocks: Blocks) -> Parts:
    """Four bits: a sign, and one of eight powers of two."""
    scale = largest(blocks.w)
    codes = nearest(LEVELS, np.abs(blocks.w) / scale[:, None])
    return {"scale": scale, "codes": codes | np.signbit(blocks.w).astype(np.uint8) << 3}


def decode_logarithms(scale: Floats, codes: Array, weights: Floats) -> None:
    """The inverse."""
    for index in range(len(weights)):
        weights[index] = scale * LOGARITHMS[codes[index]]


def make_book(original: Original) -> Floats:
    """Eight quantiles of the first row."""
    row = original.rows(0, 1)
    return np.quantile(row, (np.arange(8) + 0.5) / 8).astype(np.float16)


def encode_booked(blocks: Blocks) -> Parts:
    """Three bits: an entry of the matrix's book."""
    return {"book": blocks.shared, "codes": nearest(blocks.shared.astype(np.float32), blocks.w)}


def decode_booked(book: Floats, codes: Array, weights: Floats) -> None:
    """The inverse."""
    for index in range(len(weights)):
        weights[index] = book[codes[index]]


def hadamard(x: Floats, parts: Parts, geom: Geometry) -> Floats:
    """Each 64 columns times a Hadamard matrix, which is its own inverse."""
    y = x.reshape(len(x), -1, 64)
    for half in (1, 2, 4, 8, 16, 32):
        pairs = y.reshape(len(x), -1, 2, half)
        y = np.stack([pairs[:, :, 0] + pairs[:, :, 1], pairs[:, :, 0] - pairs[:, :, 1]], axis=2)
    return (y.reshape(x.shape) / np.float32(8)).astype(np.float32)


def by_matrix(x: Floats, parts: Parts, geom: Geometry) -> Floats:
    """Each 64 columns times a Hadamard matrix, as one small product."""
    return np.asarray((x.reshape(-1, 64) @ HADAMARD).reshape(x.shape))


HADAMARD = hadamard(np.eye(64, dtype=np.float32), {}, Geometry(64, 64, {}))


def encode_turned(blocks: Blocks) -> Parts:
    """Four bits, after the Hadamard matrix."""
    w = by_matrix(blocks.w, {}, blocks.geom)
    scale = largest(w)
    return {"scale": scale, "codes": np.rint(w / scale[:, None] * 7 + 8).astype(np.uint8)}


def encode_plain(blocks: Blocks) -> Parts:
    """Four bits."""
    scale = largest(blocks.w)
    return {"scale": scale, "codes": np.rint(blocks.w / scale[:, None] * 7 + 8).astype(np.uint8)}


def decode_plain(scale: Floats, codes: Array, weights: Floats) -> None:
    """The inverse of both."""
    for index in range(len(weights)):
        weights[index] = scale / 7 * (codes[index] - 8)


def encode_outliers(blocks: Blocks) -> Parts:
    """The largest weights beside the blocks."""
    flat = blocks.rows.reshape(-1)
    few = flat.size // OUTLIERS
    at = np.sort(np.argpartition(np.abs(flat), -few)[-few:]).astype(np.uint32)
    return {**encode_plain(blocks), "at": at, "values": flat[at] / 4}


def outliers(parts: Parts, geom: Geometry) -> Sparse:
    """The inverse."""
    return Sparse(*np.divmod(parts["at"].astype(np.int64), geom.cols), parts["values"].astype(np.float32))


def encode_trits(blocks: Blocks) -> Parts:
    """-1, 0 or 1 times the mean magnitude."""
    scale = np.maximum(np.abs(blocks.w).mean(axis=1), np.float32(1e-6))
    return {"scale": scale, "codes": (np.clip(np.rint(blocks.w / scale[:, None]), -1, 1) + 1).astype(np.uint8)}


def decode_trits(scale: Floats, codes: Array, weights: Floats) -> None:
    """The inverse."""
    for index in range(len(weights)):
        weights[index] = (codes[index] - 1) * scale


SCALE = per_block("scale", "<f2")
TRITS = packed("codes", base=3, digits=5)
PLAIN = {"block": 64, "parts": (SCALE, packed("codes", bits=4)), "decode_block": decode_plain}
OUTLYING = (SCALE, packed("codes", bits=4), ragged("at", "<u4"), ragged("values", "<f2"))
GOALS = [
    Format(
        tag="Glog",
        summary="log",
        block=64,
        parts=(SCALE, packed("codes", bits=4)),
        encode=encode_logarithms,
        decode_block=decode_logarithms,
    ),
    Format(
        tag="Gbok",
        summary="book of 8",
        block=32,
        parts=(per_matrix("book", "<f2", 8), packed("codes", bits=3)),
        prepare=make_book,
        encode=encode_booked,
        decode_block=decode_booked,
    ),
    Format(tag="Gpln", summary="4 bits", encode=encode_plain, **PLAIN),
    Format(tag="Ghad", summary="butterflies", encode=encode_turned, turn=Turn(hadamard, hadamard), **PLAIN),
    Format(tag="Ghmm", summary="small product", encode=encode_turned, turn=Turn(by_matrix, by_matrix), **PLAIN),
    Format(
        tag="Gout",
        summary="4 bits, outliers",
        encode=encode_outliers,
        nominal_bits=5,
        extra=outliers,
        **PLAIN | {"parts": OUTLYING},
    ),
    Format(tag="Gt64", summary="trits", block=64, parts=(SCALE, TRITS), encode=encode_trits, decode_block=decode_trits),
    Format(
        tag="Gt32", summary="trits", block=320, parts=(SCALE, TRITS), encode=encode_trits, decode_block=decode_trits
    ),
]
