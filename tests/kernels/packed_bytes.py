"""Packs codes into bytes one by one, from the drawings of `fourcc.kernels.fusing.packed_codes`."""

import numpy as np

from fourcc.arrays import Array
from fourcc.kernels.fusing.packed_codes import PackedCodes

LAYOUTS = (
    *(PackedCodes(bits=bits) for bits in range(1, 9)),
    *(PackedCodes(bits=bits, high_first=True) for bits in (1, 2, 4)),
    *(PackedCodes(bits=bits, run=run) for bits, run in ((4, 16), (2, 32), (1, 32), (4, 3), (2, 1))),
    *(PackedCodes(base=base, digits=digits) for base, digits in ((3, 5), (5, 3), (6, 3), (2, 8), (16, 2), (9, 2))),
    PackedCodes(base=256, digits=1),
)


def packed(codes: Array, layout: PackedCodes) -> Array:
    """The bytes of codes: (n,) -> uint8; fields without a code are 0."""
    if layout.digits:
        groups = [codes[at : at + layout.digits] for at in range(0, len(codes), layout.digits)]
        sums = [sum(int(code) * layout.base**place for place, code in enumerate(group)) for group in groups]
        return np.array(sums, np.uint8)
    bits = np.zeros(8 * layout.nbytes(len(codes)), np.uint8)
    for number, code in enumerate(codes):
        for place in range(layout.bits):
            bits[first_bit(number, layout) + place] = int(code) >> place & 1
    return np.packbits(bits, bitorder="little")


def first_bit(number: int, layout: PackedCodes) -> int:
    """The number of a code's lowest bit."""
    fields = 8 // layout.bits
    if layout.run:
        run, rest = number // (fields * layout.run), number % (fields * layout.run)
        return 8 * (run * layout.run + rest % layout.run) + layout.bits * (rest // layout.run)
    if layout.high_first:
        return 8 * (number // fields) + layout.bits * (fields - 1 - number % fields)
    return layout.bits * number


def unpacked(stored: Array, count: int, layout: PackedCodes) -> Array:
    """The first codes of packed bytes: uint8 (rows, bytes) -> int64 (rows, count)."""
    wide = stored.astype(np.int64)
    if layout.digits:
        places = [divmod(number, layout.digits) for number in range(count)]
        return np.stack([wide[:, at] // layout.base**digit % layout.base for at, digit in places], axis=1)
    bits = np.unpackbits(stored, axis=1, bitorder="little").astype(np.int64)
    firsts = [first_bit(number, layout) for number in range(count)]
    return np.stack([sum(bits[:, at + place] << place for place in range(layout.bits)) for at in firsts], axis=1)
