"""The language of block decoders: whole division, choices, vectors, packed codes, several blocks; what each records."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fourcc.kernels.fusing.block_part import BlockPart
from fourcc.kernels.fusing.division import multiplier
from fourcc.kernels.fusing.ir import Trace, UntraceableError
from fourcc.kernels.fusing.packed_codes import PackedCodes
from fourcc.kernels.fusing.tracer import trace

CODES = BlockPart("codes", "|u1", 8)
LEVELS = np.array([-1, 0, 1], np.float32)


def traced(decode: Callable[..., None], width: int, *parts: BlockPart, blocks: int = 1) -> Trace:
    """The trace of a decoder of these parts."""
    return trace(decode, [part.traced(index) for index, part in enumerate(parts)], width, None, blocks)


def names(made: Trace) -> list[str]:
    """The instructions' names, without constants."""
    return [each.name for each in made.instructions if each.name != "constant"]


# -- whole division


@pytest.mark.parametrize("largest", [1, 2, 100, 243, 255, 256, 4095, 65535, 10**6])
def test_a_multiplication_and_a_shift_divide_exactly(largest: int) -> None:
    """The proof is checked for every number, or the largest ones and those around each multiple."""
    for divisor in (2, 3, 5, 7, 9, 10, 27, 81, 100, 243, 255, 1000, 65537):
        found = multiplier(largest, divisor)
        if found is None:
            assert largest > 4095
            continue
        factor, shift = found
        assert largest * factor < 2**32
        multiples = range(0, largest + divisor, max(divisor, largest // 5000 * divisor))
        tried = {at for multiple in multiples for at in (multiple - 1, multiple) if 0 <= at <= largest} | {largest}
        assert all(x * factor >> shift == x // divisor for x in tried)


def test_digits_of_a_byte_are_cheap() -> None:
    """A digit is two multiplications, a shift and a difference; what two digits share is computed once.

    Of a byte as it is stored it is a single instruction.
    """

    def decode(codes: Any, weights: Any) -> None:
        for digit in range(5):
            weights[digit] = (codes[0] ^ 1) // 3**digit % 3

    def decode_stored(codes: Any, weights: Any) -> None:
        for digit in range(5):
            weights[digit] = codes[0] // 3**digit % 3

    assert names(traced(decode_stored, 5, CODES)).count("digit") == 5
    made = names(traced(decode, 5, CODES))
    assert "floordiv" not in made
    assert made.count("rshift") == 5
    assert made.count("mul") == 10
    assert made.count("sub") == 5


def test_powers_of_two_shift_and_mask() -> None:
    def decode(codes: Any, weights: Any) -> None:
        weights[0] = (codes[0] - 9) // 4
        weights[1] = (codes[0] - 9) % 4
        weights[2] = codes[0] % 256 // 1

    made = names(traced(decode, 3, CODES))
    assert made.count("rshift") == made.count("and") - 1 == 1


def test_what_ranges_decide_needs_no_instruction() -> None:
    def decode(codes: Any, weights: Any) -> None:
        weights[0] = codes[0] % 256 >= 0
        weights[1] = codes[0] // 256 + codes[0] * 0
        weights[2] = abs(codes[0])

    assert set(names(traced(decode, 3, CODES))) == {"load", "to_int", "to_float", "and"}


# -- vectors


def test_vectors_record_what_loops_do() -> None:
    def loop(scale: Any, codes: Any, weights: Any) -> None:
        for index in range(8):
            weights[index] = scale * LEVELS[codes[index] & 3]

    def whole(scale: Any, codes: Any, weights: Any) -> None:
        weights[:] = scale * LEVELS[codes & 3]

    def sliced(scale: Any, codes: Any, weights: Any) -> None:
        weights[1::2] = scale * LEVELS[codes[1::2] & 3]
        weights[0::2] = scale * LEVELS[codes & 3][::2]

    parts = BlockPart("scale", "<f2", 1, scalar=True), CODES
    made = [traced(decode, 8, *parts) for decode in (loop, whole, sliced)]
    assert len({len(each.instructions) for each in made}) == 1
    assert all(sorted(names(each)) == sorted(names(made[0])) for each in made)


def test_a_part_of_one_entry_meets_all() -> None:
    def decode(scale: Any, codes: Any, weights: Any) -> None:
        weights[0] = scale * codes[0]
        weights[1:] = scale * codes[1:]

    assert len(traced(decode, 8, BlockPart("scale", "<f2", 1), CODES).results) == 8


def test_a_part_of_several_entries_is_named() -> None:
    def decode(scale: Any, codes: Any, weights: Any) -> None:
        weights[0] = scale * codes[0]

    advice = r"weight 0 is set to 2 entries of part 'scale': write scale\[0\], or another entry$"
    with pytest.raises(UntraceableError, match=advice):
        traced(decode, 1, BlockPart("scale", "<f2", 2), CODES)


# -- parts


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (BlockPart("d", "<f2", 2, scalar=True), "part 'd' has 2 entries where one is expected"),
        (BlockPart("q", (("d", "<f2", 1),), 2), "part 'q' has 2 records where one is expected"),
        (BlockPart("q", "|u1", 2, "matrix", packing=PackedCodes(4)), "part 'q' of the whole matrix is packed"),
    ],
)
def test_parts_that_do_not_fit(part: BlockPart, text: str) -> None:
    with pytest.raises(UntraceableError, match=f"^{text}$"):
        part.traced(0)


def test_codes_that_fill_no_byte_need_more_blocks() -> None:
    part = BlockPart("q", "|u1", 5, packing=PackedCodes(bits=3))
    with pytest.raises(UntraceableError, match=r"^part 'q': its 5 codes of a block fill no whole bytes$"):
        part.stride  # noqa: B018 - it raises
    assert part.of(8).stride == 15
    assert BlockPart("q", "|u1", 5, "row", packing=PackedCodes(bits=3)).row_bytes(7) == 2


def test_codes_know_their_range() -> None:
    """So a look-up of a digit needs no mask, and a mask that removes nothing is seen through."""

    def decode(codes: Any, weights: Any) -> None:
        weights[0] = LEVELS[codes[4]]
        weights[1] = codes[0] << 29

    made = traced(decode, 2, BlockPart("codes", "|u1", 5, packing=PackedCodes(base=3, digits=5)))
    assert [each.arguments for each in made.instructions if each.name == "digit"] == [(0, 0, 81, 3), (0, 0, 1, 3)]
    assert (0, 2) in made.bounds
    with pytest.raises(UntraceableError, match=r"a float is made of an integer of 0 \.\. 8053063680"):
        traced(decode, 2, BlockPart("codes", "|u1", 5, packing=PackedCodes(bits=4)))


def test_several_blocks_are_one_trace() -> None:
    """Parts of a block follow one another, packed codes run on, other parts are shared, equal work is done once."""

    def decode(scale: Any, codes: Any, first: Any, levels: Any, weights: Any) -> None:
        weights[0] = scale * codes[0] + first[0] * levels[1]

    packed = BlockPart("codes", "|u1", 1, packing=PackedCodes(bits=3))
    parts = (
        BlockPart("scale", "<f2", 1, scalar=True),
        packed,
        BlockPart("first", "<f4", 2, "row"),
        BlockPart("levels", "<f4", 4, "matrix"),
    )
    made = traced(decode, 1, *parts, blocks=8)
    assert sorted(made.results) == list(range(8))
    read = {name: [each.arguments for each in made.instructions if each.name == name] for name in ("bits", "load")}
    assert read["bits"] == [(1, 3 * block, 3) for block in range(8)]
    assert sorted(read["load"]) == [(0, "<f2", 2 * block) for block in range(8)] + [(2, "<f4", 0)]
    assert names(made).count("part_entry") == 1
    assert names(made).count("mul") == 9


def test_the_second_block_may_be_refused_alone() -> None:
    """The message is of the function, whatever the block."""

    def decode(codes: Any, weights: Any) -> None:
        weights[0] = codes[8]

    with pytest.raises(IndexError, match=r"^test_trace_language\.py:\d+: entry 8 of 8 of part 'codes'$"):
        traced(decode, 1, CODES, blocks=2)


# -- the module's names


def test_numpy_and_builtins_stand_for_what_they_mean() -> None:
    def decode(codes: Any, weights: Any) -> None:
        assert min(3, 2) == 2
        assert np.float32(2) == 2
        assert isinstance(np.float32(1), np.float32)
        weights[0] = min(codes[0], 3)
        weights[1] = max([codes[0], codes[1], 7])
        weights[2] = np.float32(codes[0]) + np.int8(codes[1])
        weights[3] = np.array([codes[0], codes[1]]).sum() + sum(codes) + codes.max()

    made = names(traced(decode, 4, CODES))
    assert made.count("smin") == 1
    assert made.count("smax") == 8  # the first two codes are compared once


def test_a_decoder_may_call_itself() -> None:
    assert len(traced(halves, 8, CODES).results) == 8


def halves(codes: Any, weights: Any, first: int = 0, count: int = 8) -> None:
    """Decodes each half."""
    if count == 1:
        weights[first] = codes[first]
    else:
        halves(codes, weights, first, count // 2)
        halves(codes, weights, first + count // 2, count // 2)
