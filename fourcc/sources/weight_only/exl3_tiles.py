"""EXL3's tiles of 16 x 16 weights: states of a trellis in a ring of bits, and the number that each state stands for.

A tile is 256 weights in the order of a tensor core's fragments. A weight adds K bits to the ring, and its state is the
last 16 bits of the ring up to there; the first weights' states reach back to the ring's end. Words of 32 bits are
read from the highest bit on. With a half, weights in odd places add one bit more than those in even places.

A state x becomes a float16 by one of three rules, with products modulo 2^32:

======  ==========================================================================================================
3INST   y = x * 89226354 + 64248484; z = (y & 0x8fff8fff) ^ 0x3b603b60; the sum of the two float16 in z's halves
MCG     the same with y = x * 0xcbac1fed
MUL1    the bytes of x * 0x83dcd12d are added to 0x6400, the bits of a float16 h; h * 0x1eee + 0xc931, both float16
======  ==========================================================================================================

Restated from exllamav3 1.6.5 (``codebook.cuh``, ``exl3_dq.cuh``, ``frac.cu``); no program that runs on a processor was
there to compare with.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from fourcc.arrays import Array, Floats

TILE, WEIGHTS, STATE, WORD = 16, 256, 16, 32
MULTIPLIERS = {"mcg": 0xCBAC1FED, "mul1": 0x83DCD12D}
_THREE = (89226354, 64248484)
_KEPT, _FLIPPED = 0x8FFF8FFF, 0x3B603B60
_BYTES, _FACTOR, _BIAS = 0x6400, 0x1EEE, 0xC931


@cache
def numbers(book: str) -> Floats:
    """The number that each state stands for, float32 (65536,).

    Args:
        book: ``mcg``, ``mul1``, or ``3inst``.
    """
    states = np.arange(1 << STATE, dtype=np.uint64)
    if book == "3inst":
        return _sum_of_halves(states * np.uint64(_THREE[0]) + np.uint64(_THREE[1]))
    products = states * np.uint64(MULTIPLIERS[book])
    return _sum_of_halves(products) if book == "mcg" else _sum_of_bytes(products)


def _sum_of_halves(y: Array) -> Floats:
    z = (y & np.uint64(_KEPT)) ^ np.uint64(_FLIPPED)
    low, high = (_float16(z >> np.uint64(shift) & np.uint64(0xFFFF)) for shift in (0, 16))
    total: Floats = (low + high).astype(np.float32)
    return total


def _sum_of_bytes(y: Array) -> Floats:
    total = np.full(y.shape, _BYTES, np.uint64)
    for shift in (0, 8, 16, 24):
        total += y >> np.uint64(shift) & np.uint64(0xFF)
    factor, bias = (float(_float16(np.array(bits, np.uint64))) for bits in (_FACTOR, _BIAS))
    exact = _float16(total).astype(np.float64) * factor + bias  # then rounded once, as a fused multiply-add is
    rounded: Floats = exact.astype(np.float16).astype(np.float32)
    return rounded


def _float16(bits: Array) -> Array:
    return bits.astype(np.uint16).view(np.float16)


def ends(halves: int) -> Array:
    """The end of each weight's state in the ring, in bits, int64 (256,).

    Args:
        halves: twice the bits of a weight.
    """
    odd = np.arange(WEIGHTS) % 2
    found: Array = np.cumsum(halves // 2 + (odd if halves % 2 else 0 * odd))
    return found


def states(words: Array, halves: int) -> Array:
    """The states of tiles in the order of the ring, uint16 (..., 256).

    Args:
        words: uint16 (..., 8 halves), as they are stored.
        halves: twice the bits of a weight.
    """
    ring = np.ascontiguousarray(words).view("<u4")  # (..., 4 halves)
    last = ends(halves) - 1
    first = (last - (STATE - 1)) % (WORD * ring.shape[-1])
    high, low = (ring[..., at // WORD].astype(np.uint64) for at in (first, last))
    shift = (WORD - 1 - last % WORD).astype(np.uint64)
    return ((high << np.uint64(WORD) | low) >> shift & np.uint64(0xFFFF)).astype(np.uint16)


def _places() -> Array:
    """The place of weight n of the ring in its tile, 16 * row + column; rows are inputs: int64 (256,)."""
    lane, item = np.divmod(np.arange(WEIGHTS), 8)
    row = lane % 4 * 2 + item % 2 + item // 2 % 2 * 8
    places: Array = TILE * row + lane // 4 + item // 4 * 8
    return places


PLACES = _places()


def tiles(words: Array, halves: int, book: str) -> Floats:
    """Tiles of weights, float32 (..., 16 inputs, 16 outputs); see `states`."""
    found = np.empty((*words.shape[:-1], WEIGHTS), np.float32)
    found[..., PLACES] = numbers(book)[states(words, halves)]
    return found.reshape(*words.shape[:-1], TILE, TILE)
