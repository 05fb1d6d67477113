"""Block decoders on numpy arrays of many blocks: without numba, and with a place in each message."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fourcc.format import Array
from fourcc.kernels.fusing.block_arrays import FEWEST, MatrixPart, decode_blocks
from fourcc.kernels.fusing.block_operations import BlockDecoderError
from fourcc.kernels.fusing.packed_codes import PackedCodes
from tests.kernels.packed_bytes import LAYOUTS, packed, unpacked
from tests.kernels.short_products import ROOT

LEVELS = np.array([-1.0, 0.1, 1.0])
PAIRS = np.arange(12, dtype=np.float32).reshape(4, 3)
SCALES = np.array([0.1, 0.2, 0.3], np.float16)
CODES = np.array([[0, 1, 2], [2, 2, 1]], np.uint8)


def test_neither_numba_nor_llvmlite_is_loaded() -> None:
    """Every plugin's `decode` comes through here."""
    code = (
        "import sys; import fourcc.kernels.fusing.block_arrays; "
        "print(*[name for name in sys.modules if name.split('.')[0] in {'numba', 'llvmlite'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def by_loops(scale: Any, codes: Any, weights: Any) -> None:
    """Writes weight by weight."""
    for index in range(2):
        weights[index] = scale * LEVELS[codes[index]]


def by_vectors(scale: Any, codes: Any, weights: Any) -> None:
    """Writes all weights at once."""
    weights[:] = scale * LEVELS[codes]


@pytest.mark.parametrize("decode", [by_loops, by_vectors])
def test_loops_and_vectors_are_the_same(decode: Callable[..., None]) -> None:
    """Floats of the module are rounded to float32 first."""
    expected = np.float32(SCALES) * np.float32(LEVELS)[CODES]
    found = decode_blocks(decode, [SCALES, CODES], 2)
    assert found.dtype == np.float32
    assert found.tobytes() == expected.tobytes()


def test_many_blocks_are_decoded_some_at_a_time() -> None:
    """The last ones are fewer; a part of one block stands for all."""
    codes = np.random.default_rng(1).integers(0, 3, (2, 40 * FEWEST + 7)).astype(np.uint8)
    found = decode_blocks(by_vectors, [SCALES[:1], codes], 2)
    assert found.tobytes() == (np.float32(SCALES[0]) * np.float32(LEVELS)[codes]).tobytes()


def test_parts_of_the_matrix_records_and_parameters() -> None:
    def decode(blocks: Any, book: Any, last: Any, weights: Any, *, shift: int) -> None:
        weights[:] = book[blocks["q"] >> shift] * blocks["d"] + last

    book, last = np.array([1, 2, 3], np.float16), np.array(0.5)
    found = decode_blocks(
        decode, [{"q": CODES, "d": SCALES[None]}, MatrixPart(book), MatrixPart(last)], 2, {"shift": 1}
    )
    expected = np.float32(book)[CODES >> 1] * np.float32(SCALES) + np.float32(0.5)
    assert found.tobytes() == expected.tobytes()


def test_the_number_of_blocks_may_be_given() -> None:
    def decode(book: Any, weights: Any) -> None:
        weights[0] = book[1]

    assert decode_blocks(decode, [MatrixPart(np.arange(3))], 1, None, 4).tolist() == [[1, 1, 1, 1]]
    assert decode_blocks(decode, [MatrixPart(np.arange(3))], 1, None, 0).shape == (1, 0)


def test_unknown_to_traces_works_as_in_numpy() -> None:
    """So such a format is slow, and not broken."""

    def decode(scale: Any, codes: Any, weights: Any) -> None:
        weights[0] = np.exp(scale) + 2.0 ** (codes[0] - 1)
        weights[1] = PAIRS[codes[0], 1] + PAIRS[codes[1]][2]
        weights[2] = (scale * 3) % 0.25 + codes[codes[0] & 1]
        weights[3] = codes.mean() + scale.astype(np.int32)

    s, c = np.float32(SCALES), CODES.astype(int)
    found = decode_blocks(decode, [SCALES, CODES], 4)
    np.testing.assert_allclose(found[0], np.exp(s) + 2.0 ** (c[0] - 1), rtol=1e-6)
    assert found[1].tolist() == (PAIRS[c[0], 1] + PAIRS[c[1], 2]).tolist()
    np.testing.assert_allclose(found[2], s * 3 % 0.25 + np.choose(c[0] & 1, c), rtol=1e-6)
    assert found[3].tolist() == (c.sum(axis=0) / 2).tolist()


def test_sums_do_not_depend_on_the_number_of_blocks() -> None:
    def decode(values: Any, weights: Any) -> None:
        weights[0] = values.sum() + np.sum(values)

    values = np.random.default_rng(2).standard_normal((100, 33)).astype(np.float32)
    together = decode_blocks(decode, [values], 1)
    alone = [decode_blocks(decode, [values[:, each : each + 1]], 1) for each in range(33)]
    assert together.tobytes() == np.concatenate(alone, axis=1).tobytes()


def test_read_weights_are_copies() -> None:
    """A weight that is written later changes no value."""

    def decode(codes: Any, weights: Any) -> None:
        weights[:] = codes
        first = weights[0]
        weights[0], weights[1] = weights[1], first
        weights[0] += 1
        weights[1:] *= 2

    assert decode_blocks(decode, [CODES], 2).tolist() == [[3, 3, 2], [0, 2, 4]]


def branches(codes: Any, weights: Any) -> None:
    """Branches on a value."""
    if codes[0]:
        weights[0] = 1


def takes_the_integer(codes: Any, weights: Any) -> None:
    """Makes an int of a value."""
    weights[0] = int(codes[0])


def leaves_one_out(codes: Any, weights: Any) -> None:
    """Writes the last weight alone."""
    weights[-1] = codes[0]


def beyond(codes: Any, weights: Any) -> None:
    """Reads an entry that is not there."""
    weights[0] = codes[2]


def forgets_the_entry(codes: Any, weights: Any) -> None:
    """Means one entry, and takes all."""
    weights[0] = codes * 2


def other_lengths(codes: Any, weights: Any) -> None:
    """Adds vectors of different lengths."""
    weights[0] = (codes + np.arange(3))[0]


def mixes_blocks(codes: Any, weights: Any) -> None:
    """Calls what would take all blocks for one."""
    weights[0] = codes.cumsum()[0]


def sorts(codes: Any, weights: Any) -> None:
    """Calls a function of arrays."""
    weights[0] = np.sort(codes)[0]


def writes_a_part(codes: Any, weights: Any) -> None:
    """Writes into a part."""
    codes[0] = 1


def iterates(codes: Any, weights: Any) -> None:
    """Iterates over a number."""
    weights[0] = sum(codes[0])


def reads_too_early(codes: Any, weights: Any) -> None:
    """Reads a weight that was not written."""
    weights[0] += 1


def becomes_double(codes: Any, weights: Any) -> None:
    """Converts to float64."""
    weights[0] = codes[0].astype(float)


@pytest.mark.parametrize("blocks", [1, 3])
@pytest.mark.parametrize(
    ("decode", "line", "text"),
    [
        (branches, 2, r"what it does depends on values of blocks \(if, and, .*: write np\.where\(condition, a, b\).*"),
        (takes_the_integer, 2, r"what it does depends on values of blocks .*"),
        (leaves_one_out, 0, "it leaves weight 0 of 2 unwritten"),
        (beyond, 2, "IndexError: entry 2 of 2"),
        (forgets_the_entry, 2, r"weight 0 is set to 2 entries: write \[0\], or another entry"),
        (other_lengths, 2, "2 entries meet 3"),
        (mixes_blocks, 2, "cumsum of values of blocks"),
        (sorts, 2, r"np\.sort of values of blocks"),
        (writes_a_part, 2, "an entry of a vector is written: only weights are"),
        (iterates, 2, "a value is taken for a vector: it is a single number"),
        (reads_too_early, 2, "it reads a weight before it writes it"),
        (becomes_double, 2, "a value becomes float64, of floats there is float32 alone"),
    ],
)
def test_failures_say_where(decode: Callable[..., None], line: int, text: str, blocks: int) -> None:
    """A single block is no number, so the number of blocks makes no difference."""
    place = decode.__code__.co_firstlineno + line
    with pytest.raises(BlockDecoderError, match=rf"^test_block_arrays\.py:{place}: {text}$"):
        decode_blocks(decode, [CODES[:, :blocks]], 2)


def test_arguments_must_fit() -> None:
    with pytest.raises(TypeError, match=r"^by_loops\(\) missing a required argument: 'weights'$"):
        decode_blocks(by_loops, [CODES], 2)
    with pytest.raises(BlockDecoderError, match=r"^a builtin_function_or_method is no Python function$"):
        decode_blocks(print, [CODES], 2)


# -- packed codes


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_packed_bytes_are_as_many_as_said(layout: PackedCodes) -> None:
    """Packing in Python and unpacking are inverse, and a code has the bits that the layout says."""
    for count in (1, 5, 64, 100):
        codes = np.random.default_rng(count).integers(0, layout.largest + 1, count)
        stored: Array = packed(codes, layout)
        assert len(stored) == layout.nbytes(count)
        np.testing.assert_array_equal(unpacked(stored[None], count, layout)[0], codes)
        for number in range(0 if layout.digits else count):
            first = layout.first_bit(number)
            word = int.from_bytes(stored.tobytes(), "little")
            assert word >> first & layout.largest == codes[number]


def test_whole_bytes() -> None:
    assert [PackedCodes(bits=3).is_whole(count) for count in (1, 4, 8)] == [False, False, True]
    assert [PackedCodes(bits=4, run=16).is_whole(count) for count in (2, 16, 32)] == [False, False, True]
    assert [PackedCodes(base=3, digits=5).is_whole(count) for count in (1, 5, 7)] == [False, True, False]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"bits": 9}, "codes of 9 bits, where 1 .. 8 may be"),
        ({"bits": 0}, "codes of 0 bits, where 1 .. 8 may be"),
        ({"base": 3}, "base 3 needs a number of digits"),
        ({"base": 3, "digits": 6}, "6 digits of base 3 do not fit into a byte"),
        ({"base": 1, "digits": 3}, "3 digits of base 1 do not fit into a byte"),
        ({"base": 3, "digits": 5, "run": 4}, "digits are packed byte by byte, the lowest digit first"),
        ({"bits": 3, "run": 4}, "codes of 3 bits straddle bytes, so they have neither runs nor another order"),
        ({"bits": 4, "run": 4, "high_first": True}, "a run has at least one byte, and its first codes .* lowest bits"),
    ],
)
def test_layouts_that_are_none(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        PackedCodes(**given)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4"])
@pytest.mark.parametrize("bits", [1, 7, 8, 15, 16, 31])
def test_shifts_to_the_left_lose_no_bit(dtype: str, bits: int) -> None:
    """Short integers are widened as far as the result needs."""
    info = np.iinfo(dtype)
    codes = np.array([[info.min, info.max, 0, 1]], dtype)

    def shifted(codes: Array, weights: Array) -> None:
        weights[0] = codes[0] << bits

    wanted = [np.float32(int(each) << bits) for each in codes[0]]
    assert decode_blocks(shifted, [codes], 1).tolist() == [wanted]
