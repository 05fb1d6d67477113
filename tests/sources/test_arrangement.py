"""Readers of other arrangements, beside the plain meaning in numpy, for any run of rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.sources.arrangement import (
    Merged,
    OneOf,
    Picked,
    Shifted,
    Stack,
    Turned,
    halves_order,
    inverse,
    joined_orders,
)
from fourcc.sources.extent import AdjacentPairs, ReadRows


def reader(array: np.ndarray) -> ReadRows:
    """Reads rows of (matrices, rows, cols)."""
    return lambda matrix, first, last: {"w": array[matrix, first:last]}


def stored(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


runs = st.tuples(st.integers(0, 23), st.integers(1, 24)).map(lambda pair: (min(pair[0], pair[1] - 1), pair[1]))


@given(runs)
def test_halves_as_pairs(run: tuple[int, int]) -> None:
    """The order of whole heads is that of `AdjacentPairs`, which other tests compare with transformers."""
    array, (first, last) = stored(1, 24, 4), run
    pairs = AdjacentPairs(reader(array), 8, vector=False).read(0, first, last)["w"]
    np.testing.assert_array_equal(Picked(reader(array), halves_order(24, 8, 8)).read(0, first, last)["w"], pairs)


def test_columns_that_do_not_turn_stay() -> None:
    assert halves_order(16, 8, 4).tolist() == [0, 2, 1, 3, 4, 5, 6, 7, 8, 10, 9, 11, 12, 13, 14, 15]


@pytest.mark.parametrize(
    ("heads", "alternating", "rows"),
    [
        (None, False, [[0, 1, 2, 3], [4, 5], [6, 7]]),
        (2, False, [[0, 1, 4, 5], [2, 6], [3, 7]]),
    ],
)
def test_parts_of_a_joined_tensor(heads: int | None, alternating: bool, rows: list[list[int]]) -> None:
    orders = joined_orders([4, 2, 2], heads, alternating=alternating)
    assert [order.tolist() for order in orders] == rows


def test_parts_that_take_turns() -> None:
    assert [order.tolist() for order in joined_orders([3, 3], alternating=True)] == [[0, 2, 4], [1, 3, 5]]


@given(run=runs, heads=st.sampled_from([None, 2, 4]), alternating=st.booleans(), matrix=st.integers(0, 1))
def test_what_is_parted_merges_again(run: tuple[int, int], heads: int | None, alternating: bool, matrix: int) -> None:
    whole, (first, last) = stored(2, 24, 3), run
    orders = joined_orders([8, 8, 8], None if alternating else heads, alternating=alternating)
    parts = [Picked(reader(whole), order).read for order in orders]
    again = Merged(tuple(parts), tuple(orders)).read(matrix, first, last)["w"]
    np.testing.assert_array_equal(again, whole[matrix, first:last])


def test_vectors_merge_by_columns() -> None:
    whole = stored(1, 1, 12)
    orders = joined_orders([6, 6], alternating=True)
    parts = [Picked(reader(whole), order, columns=True).read for order in orders]
    np.testing.assert_array_equal(Merged(tuple(parts), tuple(orders), columns=True).read(0, 0, 1)["w"], whole[0])


@given(runs)
def test_an_order_and_its_inverse(run: tuple[int, int]) -> None:
    array, (first, last), order = stored(1, 24, 2), run, halves_order(24, 12, 8)
    there = Picked(reader(array), order)
    np.testing.assert_array_equal(Picked(there.read, inverse(order)).read(0, first, last)["w"], array[0, first:last])


@given(runs)
def test_turned_twice(run: tuple[int, int]) -> None:
    array, (first, last) = stored(2, 24, 5), run
    turned = Turned(reader(array), 24)
    np.testing.assert_array_equal(turned.read(1, 0, 5)["w"], array[1].T)
    np.testing.assert_array_equal(Turned(turned.read, 5).read(0, first, last)["w"], array[0, first:last])


def test_stacks_and_their_matrices() -> None:
    array = stored(3, 4, 2)
    stack = Stack(tuple(reader(one[None]) for one in array))
    np.testing.assert_array_equal(stack.read(2, 1, 3)["w"], array[2, 1:3])
    np.testing.assert_array_equal(OneOf(stack.read, 1).read(0, 0, 4)["w"], array[1])
    rows = Stack(tuple(reader(row.reshape(1, 1, 2)) for row in array[0]), vectors=True)
    np.testing.assert_array_equal(rows.read(0, 1, 4)["w"], array[0, 1:4])
    np.testing.assert_array_equal(OneOf(rows.read, 2, row=True).read(0, 0, 1)["w"], array[0, 2:3])


def test_shifted_in_float32() -> None:
    array = np.array([[[0.1, -0.3]]], np.float32)
    np.testing.assert_array_equal(Shifted(reader(array), 1.0).read(0, 0, 1)["w"], array[0] + np.float32(1))
