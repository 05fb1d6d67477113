"""Codes that share bytes: every layout against codes that are placed bit by bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.arrays import Array
from fourcc.packing import pack, unpack
from fourcc.part import Packing
from tests.examples import examples

LAYOUTS = [
    *(Packing(bits=bits) for bits in range(1, 9)),
    *(Packing(bits=bits, high_first=True) for bits in (1, 2, 4)),
    *(Packing(bits=bits, run=run) for bits in (1, 2, 4) for run in (4, 16)),
    *(Packing(base=base, digits=digits) for base, digits in [(3, 5), (5, 3), (7, 2), (15, 2), (200, 1)]),
]


def placed(codes: list[int], packing: Packing) -> bytes:
    """The bytes of a row, code by code, as the documentation of `Packing` says."""
    stored = [0] * packing.nbytes(len(codes))
    for number, code in enumerate(codes):
        if not packing.bits:
            stored[number // packing.digits] += code * packing.base ** (number % packing.digits)
            continue
        if packing.run > 1:
            run, inside = divmod(number, packing.run * 8 // packing.bits)
            field, byte = divmod(inside, packing.run)
            at = 8 * (run * packing.run + byte) + packing.bits * field
        else:
            at = number * packing.bits
        for bit in range(packing.bits):
            place = at + bit
            if packing.high_first:
                place = at // 8 * 8 + 8 - packing.bits - at % 8 + bit
            stored[place // 8] |= (code >> bit & 1) << place % 8
    return bytes(stored)


@pytest.mark.parametrize("packing", LAYOUTS, ids=str)
@given(data=st.data())
@examples(20)
def test_codes_lie_where_the_layout_says(packing: Packing, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 70))
    rows = data.draw(st.integers(1, 3))
    codes = np.array(
        data.draw(st.lists(st.integers(0, packing.top), min_size=rows * count, max_size=rows * count)), np.uint8
    ).reshape(rows, count)
    stored = pack(codes, packing)
    assert [row.tobytes() for row in stored] == [placed(row.tolist(), packing) for row in codes]
    np.testing.assert_array_equal(unpack(stored, count, packing), codes)


@pytest.mark.parametrize("packing", LAYOUTS, ids=str)
def test_any_byte_gives_codes(packing: Packing) -> None:
    """A damaged file may hold bytes that no encoder gives."""
    stored = np.arange(256, dtype=np.uint8).reshape(4, 64)
    count = 64 * packing.digits if not packing.bits else 64 * 8 // packing.bits
    codes: Array = unpack(stored, count, packing)
    assert codes.shape == (4, count)
    assert codes.max() <= packing.top


@pytest.mark.parametrize(
    ("packing", "says"),
    [
        (Packing(bits=9), "codes of 9 bits: 1 to 8, or base and digits"),
        (Packing(bits=4, base=3, digits=5), "codes of 4 bits: 1 to 8, or base and digits"),
        (Packing(), "a packed part needs bits, or base and digits"),
        (Packing(base=3, digits=6), "6 digits of base 3 do not fit a byte"),
        (Packing(bits=3, high_first=True), "only codes of 1, 2 or 4 bits have runs, or begin in the highest bits"),
        (Packing(bits=4, run=2, high_first=True), "codes in runs begin in the lowest bits"),
        (Packing(bits=8, run=2), "only codes of 1, 2 or 4 bits have runs, or begin in the highest bits"),
    ],
)
def test_layouts_that_cannot_be(packing: Packing, says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}$"):
        packing.check()
