"""Rows are cut into blocks."""

import pytest

from fourcc.formats.layouts.row_blocks import BlockRun, row_blocks


@pytest.mark.parametrize(
    ("cols", "runs"),
    [
        (0, []),
        (5, [BlockRun(slice(0, 1), slice(0, 5), count=1, width=5)]),
        (8, [BlockRun(slice(0, 1), slice(0, 8), count=1, width=8)]),
        (16, [BlockRun(slice(0, 2), slice(0, 16), count=2, width=8)]),
        (17, [BlockRun(slice(0, 2), slice(0, 16), 2, 8), BlockRun(slice(2, 3), slice(16, 17), count=1, width=1)]),
    ],
)
def test_full_blocks_come_together_and_the_short_one_after_them(cols: int, runs: list[BlockRun]) -> None:
    assert list(row_blocks(cols, 8)) == runs
