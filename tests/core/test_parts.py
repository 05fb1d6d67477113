"""Places of the parts of tiles: the one rule behind arrays in memory, containers and exports."""

import gc
import weakref

import numpy as np
import pytest

from fourcc.errors import PluginError
from fourcc.part import per_block, per_matrix, ragged
from fourcc.parts import PartArrays, PartsPlacer
from fourcc.spec import FormatSpec
from fourcc.tags import as_tag

SPEC = FormatSpec(
    tag=as_tag("Tst0"),
    name="a test's",
    summary="codes of two rows an entry, and a table of the whole matrix",
    block=(2, 1),
    parts=(
        per_block("codes", "u1"),
        per_matrix("table", "u2", 2),
    ),
)
STREAM = FormatSpec(
    tag=as_tag("Tst1"),
    name="a test's",
    summary="one stream",
    block=(None, None),
    parts=(ragged("stream", "u2"),),
    nominal_bits=SPEC.bits_per_weight(),
)


def tile(first: int, last: int, table: int) -> dict[str, np.ndarray]:
    """Codes that are numbered by their entry, and a table."""
    codes = np.arange(first // 2, -(-last // 2), dtype=np.uint8)
    return {"codes": np.repeat(codes[:, None], 3, axis=1), "table": np.full(2, table, np.uint16)}


def test_rows_follow_one_another_and_a_matrix_has_the_table_of_its_first_tile() -> None:
    """Two matrices of five rows, in tiles of four rows and one: a short last block has an entry, too."""
    stored = PartArrays(SPEC, (2, 5, 3), {})
    for matrix in range(2):
        stored.write(tile(0, 4, 10 + matrix), first_row=0)
        stored.write(tile(4, 5, 10 + matrix), first_row=4)
    parts = stored.finish()
    assert parts["codes"][..., 0].tolist() == [[0, 1, 2], [0, 1, 2]]
    assert parts["table"].tolist() == [[10, 10], [11, 11]]


def test_a_table_that_differs_from_tile_to_tile_is_refused() -> None:
    """Each tile would be decoded with the first one's."""
    stored = PartArrays(SPEC, (5, 3), {}, "w")
    stored.write(tile(0, 4, 10), first_row=0)
    with pytest.raises(PluginError) as caught:
        stored.write(tile(4, 5, 99), first_row=4)
    assert str(caught.value) == (
        "tensor 'w': part 'table' belongs to the whole matrix, and differs from tile to tile, "
        "expected the same with every tile, such as what `prepare` returned"
    )


def test_a_part_of_variable_length_is_as_long_as_its_tile() -> None:
    """It can be written to, and an empty matrix has none of it."""
    stored = PartArrays(STREAM, (2, 2), {})
    stored.write({"stream": np.arange(7, dtype=np.uint16)}, first_row=0)
    stream = stored.finish()["stream"]
    assert stream.tolist() == list(range(7))
    assert stream.flags.writeable
    empty = PartArrays(STREAM, (0, 2), {}).finish()["stream"]
    assert (empty.shape, empty.dtype) == ((0,), np.uint16)


def test_the_bytes_of_a_part_come_in_order_whatever_the_strides_of_its_array() -> None:
    """An output may append them."""
    put: list[tuple[str, int, bytes]] = []
    placer = PartsPlacer(SPEC, (2, 3), {}, lambda part, offset, data: put.append((part.name, offset, bytes(data))))
    placer.write({"codes": np.array([[1, 2, 3]], np.uint8)[:, ::-1], "table": np.array([[5], [6]], "<u2")}, first_row=0)
    assert put == [("codes", 0, b"\3\2\1"), ("table", 0, b"\5\0\6\0")]
    assert placer.finish() == {"codes": (1, 3), "table": (2,)}


def test_an_empty_matrix_has_zeros_for_what_it_stores_all_the_same() -> None:
    """No tile brings its table."""
    put: list[tuple[str, bytes]] = []
    placer = PartsPlacer(SPEC, (0, 3), {}, lambda part, _, data: put.append((part.name, bytes(data))))
    placer.finish()
    assert put == [("codes", b""), ("table", bytes(4))]
    assert PartArrays(SPEC, (0, 3), {}).finish()["table"].tolist() == [0, 0]


@pytest.mark.parametrize(("rows", "found"), [(6, 9), (2, 3)])
def test_a_part_of_another_length_than_its_format_gives_it_is_refused(rows: int, found: int) -> None:
    """A long part is refused before a byte is misplaced, a short one at the end."""
    ends: list[int] = []
    with pytest.raises(PluginError) as caught:
        place(rows, ends)
    what = "part 'codes' does not have the length that its format gives it"
    assert str(caught.value) == f"tensor 'w': {what}: found {found} bytes, expected 6 bytes"
    assert all(end <= 6 for end in ends)


def place(rows: int, ends: list[int]) -> None:
    """Places the codes of so many rows, of four; notes where each run of bytes ends."""
    placer = PartsPlacer(SPEC, (4, 3), {}, lambda _, offset, data: ends.append(offset + len(data)), "w")
    placer.write(tile(0, rows, 0), first_row=0)
    placer.finish()


def test_the_parts_are_freed_as_soon_as_nobody_uses_them() -> None:
    """They need no garbage collector, which may not run before memory is short."""
    stored = PartArrays(SPEC, (4, 3), {})
    stored.write(tile(0, 4, 0), first_row=0)
    alive = weakref.ref(stored), weakref.ref(stored.finish()["codes"])
    gc.disable()
    try:
        del stored
        assert [ref() for ref in alive] == [None, None]
    finally:
        gc.enable()
