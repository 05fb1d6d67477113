"""Tables mean the same wherever a block decoder finds them: in its module, a class, a dict, a default or itself."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fourcc.kernels.fusing.block_arrays import decode_blocks
from fourcc.kernels.fusing.block_part import BlockPart
from fourcc.kernels.fusing.stored_parts import stored
from fourcc.kernels.fusing.tracer import trace

LEVELS = np.linspace(-1, 1, 16)
TABLES = {4: LEVELS}
LISTED = [LEVELS]
HELD = SimpleNamespace(levels=LEVELS)


class Book:
    """Holds a table."""

    LEVELS = LEVELS


def of_module(codes: Any, weights: Any) -> None:
    weights[:] = LEVELS[codes[0]]


def of_class(codes: Any, weights: Any) -> None:
    weights[:] = Book.LEVELS[codes[0]]


def of_object(codes: Any, weights: Any) -> None:
    weights[:] = HELD.levels[codes[0]]


def of_dict(codes: Any, weights: Any) -> None:
    weights[:] = TABLES[4][codes[0]]


def of_list(codes: Any, weights: Any) -> None:
    weights[:] = LISTED[0][codes[0]]


def of_default(codes: Any, weights: Any, levels: Any = LEVELS) -> None:
    weights[:] = levels[codes[0]]


def of_keyword(codes: Any, weights: Any, *, levels: Any = LEVELS) -> None:
    weights[:] = levels[codes[0]]


def of_itself(codes: Any, weights: Any) -> None:
    levels = np.linspace(-1, 1, num=16)
    weights[:] = levels[codes[0]]


def computed(codes: Any, weights: Any) -> None:
    weights[:] = (np.arange(16) / 7.5 - 1)[codes[0]]


EVERY = [of_module, of_class, of_object, of_dict, of_list, of_default, of_keyword, of_itself, computed]


@pytest.mark.parametrize("decode", EVERY, ids=[each.__name__ for each in EVERY])
@pytest.mark.parametrize("blocks", [1, 3, 4])
def test_a_value_chooses_an_entry_for_each_block(decode: Callable[..., None], blocks: int) -> None:
    """As many blocks as weights must not be taken for a vector of weights."""
    codes = np.random.default_rng(blocks).integers(0, 16, (4, blocks)).astype(np.uint8)
    expected = np.repeat(LEVELS[codes[:1]].astype(np.float32), 4, axis=0)
    np.testing.assert_allclose(decode_blocks(decode, [codes], 4), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("decode", EVERY, ids=[each.__name__ for each in EVERY])
def test_it_can_be_traced(decode: Callable[..., None]) -> None:
    part = BlockPart("codes", "|u1", 4)
    assert len(trace(decode, stored(part, 0, 1).arguments, 4).tables) == 1


def test_powers_of_values_are_exact() -> None:
    """A power needs more bits than its operands."""

    def decode(codes: Any, weights: Any) -> None:
        weights[:] = 2**codes

    codes = np.arange(16, dtype=np.uint8)[:, None]
    np.testing.assert_array_equal(decode_blocks(decode, [codes], 16)[:, 0], 2.0 ** np.arange(16))


ENDS = np.array([np.inf, -np.inf, np.nan, 1.5], np.float32)


def of_ends(codes: Any, weights: Any) -> None:
    weights[:] = ENDS[codes[0] & 3]


def test_entries_may_be_infinite_or_nan() -> None:
    """Only tables of integers have bounds."""
    found = decode_blocks(of_ends, [np.arange(4, dtype=np.uint8)[None]], 1)
    np.testing.assert_array_equal(found.reshape(-1), ENDS)
    assert len(trace(of_ends, stored(BlockPart("codes", "|u1", 1), 0, 1).arguments, 1).tables) == 1
