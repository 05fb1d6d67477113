"""Declarations of formats: shapes of parts, settings, bits per weight; and those that are refused."""

from fractions import Fraction
from typing import Any

import pytest

from fourcc.dtypes import itemsize
from fourcc.geometry import Geometry, split_shape
from fourcc.part import Part, packed, per_block, per_column, per_matrix, per_row, per_weight, ragged, record
from fourcc.settings import Setting, complete
from fourcc.spec import FormatSpec

GROUPED = (per_block("scales", "f2"), packed("codes", bits=4), per_matrix("book", "f4", 16))
GROUP = Setting("group", 64, "columns of a scale", low=2, high=1024)


def spec(**changes: Any) -> FormatSpec:
    """A grouped 4-bit format with a codebook."""
    usual = {"tag": "Fake", "name": "fake", "summary": "", "block": (1, "group"), "short_block": False}
    return FormatSpec(**usual | {"parts": GROUPED, "params": (GROUP,)} | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dtype", "size"), [("|i1", 1), ("|b1", 1), ("<u2", 2), ("<f8", 8), ((("d", "<f2", ()), ("q", "|i1", (32,))), 34)]
)
def test_itemsize(dtype: Any, size: int) -> None:
    """It is known for numbers and records."""
    assert itemsize(dtype) == size


@pytest.mark.parametrize("dtype", ["", "f4", ">f4", "=f4", "<f1", "|i2", "<c8", "|O", "<U4", "float32", "|S1"])
def test_dtypes_that_are_none(dtype: str) -> None:
    """Only little-endian numbers of fixed size."""
    with pytest.raises(ValueError, match="is not a little-endian dtype such as"):
        itemsize(dtype)


@pytest.mark.parametrize(
    ("shape", "split"),
    [
        ((), ((), 1, 1)),
        ((5,), ((), 1, 5)),
        ((0,), ((), 1, 0)),
        ((3, 4), ((), 3, 4)),
        ((2, 3, 4), ((2,), 3, 4)),
        ((6, 2, 3, 4), ((6, 2), 3, 4)),
    ],
)
def test_split_shape(shape: tuple[int, ...], split: object) -> None:
    """A shape has leading dimensions, rows and columns."""
    assert split_shape(shape) == split


def test_part_shapes() -> None:
    """Leading dimensions first; a part of the matrix once for each; short blocks rounded up."""
    shapes = spec(short_block=True).part_shapes((8, 3, 100), {"group": 64})
    assert shapes == {"scales": (8, 3, 2), "codes": (8, 3, 50), "book": (8, 16)}
    free = Part("scales", "<f4", tail=lambda geom: (geom.cols,), rows=128)
    down = spec(block=(128, 1), parts=(per_block("scales", "f4"),)).parts[0]
    for part in (free, down):
        assert [part.shape(Geometry(rows, 5)) for rows in (0, 1, 128, 129)] == [(0, 5), (1, 5), (1, 5), (2, 5)]


@pytest.mark.parametrize(
    ("part", "block", "shape", "bits"),
    [
        (per_block("a", "f2"), 32, (3, 4), Fraction(1, 2)),
        (per_block("a", "f4", 2, 3), (2, 50), (2, 2, 2, 3), Fraction(192, 100)),
        (per_block("a", "f4"), (None, 1), (100,), 0),
        (per_block("a", "f4"), (1, None), (3,), Fraction(1, 128)),
        (per_block("a", "f4"), (None, None), (), 0),
        (per_weight("a", "u2"), 32, (3, 100), 16),
        (packed("a", bits=3), 32, (3, 38), 3),
        (packed("a", base=3, digits=5), 32, (3, 20), Fraction(8, 5)),
        (packed("a", bits=4, high_first=True), 32, (3, 50), 4),
        (per_row("a", "f2", 2), 32, (3, 2), Fraction(1, 128)),
        (per_column("a", "f4"), 32, (100,), 0),
        (per_matrix("a", "f4", 16), 32, (16,), 0),
        (per_matrix("a", "f4"), 32, (), 0),
        (record("a", per_block("d", "f2"), packed("q", bits=4, run=16)), 32, (3, 4), Fraction(9, 2)),
    ],
)
def test_a_part_has_the_shape_and_the_bits_of_what_it_belongs_to(
    part: Part, block: Any, shape: tuple[int, ...], bits: Fraction
) -> None:
    """In a matrix of 3 rows and 100 columns; bits are those of a large one."""
    found = spec(block=block, parts=(part,), params=())
    found.check()
    assert found.part_shapes((3, 100), {}) == {"a": shape}
    assert found.bits_per_weight() == bits


def test_records_are_of_one_block() -> None:
    """Their fields are codes and entries of a block whose width is a number."""
    for block, field in (
        (None, per_block("d", "f2")),
        (32, per_row("d", "f2")),
        (32, record("d", per_block("e", "f2"))),
    ):
        with pytest.raises(ValueError, match="field 'd': a record has fields of one block, whose width is a number"):
            spec(block=block, parts=(record("a", field),), params=())


def test_stored_bytes_and_bits() -> None:
    """64 columns: 2 bytes of scale, 32 of codes; a part of the whole matrix counts as stored, not as nominal."""
    assert spec().stored_bytes((3, 64), {"group": 64}) == 3 * (2 + 32) + 64
    assert spec().bits_per_weight() == Fraction(17, 4)
    assert spec().bits_per_weight({"group": 32}) == Fraction(9, 2)


def test_variable_parts_count_by_nominal_bits() -> None:
    """Their real length is known only afterwards."""
    entropy = spec(block=64, parts=(ragged("stream", "u1"),), nominal_bits=Fraction(5, 2), params=())
    assert entropy.variable
    assert entropy.stored_bytes((3, 5), {}) == 5
    assert entropy.bits_per_weight() == Fraction(5, 2)
    assert entropy.misfit((2, 3, 5)) == "parts of variable length allow no leading dimensions"


def test_misfit() -> None:
    """Rows that are no multiple of the block, unless short blocks are allowed."""
    assert spec().misfit((3, 100)) == "rows of 100 are not a multiple of 64"
    assert spec().misfit((3, 128)) is None
    assert spec(short_block=True).misfit((3, 100)) is None
    assert spec(block=(None, None)).misfit((3, 100)) is None


def test_a_block_as_wide_as_a_parameter_says() -> None:
    """Its default where nothing is given; the shape is judged, and bits are counted, by what is."""
    grouped = spec(block=(1, "group"))
    grouped.check()
    assert (grouped.width(), grouped.width({"group": 32})) == (64, 32)
    assert grouped.misfit((3, 96)) == "rows of 96 are not a multiple of 64"
    assert grouped.misfit((3, 96), {"group": 32}) is None
    with pytest.raises(ValueError, match="no parameter 'nope' that is an integer"):
        spec(block=(1, "nope")).check()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"group": 1}, "found 1, expected 2 to 1024"),
        ({"group": 2**31}, "found 2147483648, expected 2 to 1024"),
        ({"group": 2**63}, "found 9223372036854775808, expected an integer of 64 bits"),
        ({"group": 64.0}, "found 64.0, expected int"),
        ({"group": True}, "found True, expected int"),
        ({"group": "64"}, "found '64', expected int"),
        ({"groups": 64}, "no setting named 'groups'; there are: group"),
    ],
)
def test_settings_that_are_refused(given: dict[str, object], says: str) -> None:
    """Type and range are checked exactly."""
    with pytest.raises(ValueError, match=says):
        complete((GROUP,), given)


def test_settings_are_completed() -> None:
    """Defaults where silent; an integer does for a float, nothing else is converted."""
    rate, method = Setting("rate", 0.5, ""), Setting("method", "fast", "", choices=("fast", "kmeans"))
    assert complete((GROUP, rate, method), {"rate": 1}) == {"group": 64, "rate": 1.0, "method": "fast"}
    assert type(complete((rate,), {"rate": 1})["rate"]) is float
    with pytest.raises(ValueError, match="found 'slow', expected one of 'fast', 'kmeans'"):
        complete((method,), {"method": "slow"})
    with pytest.raises(ValueError, match="found nan, expected a finite number"):
        Setting("x", 0.5, "", low=0, high=1).check(float("nan"))
    with pytest.raises(ValueError, match="no setting named 'x'; there are: none"):
        complete((), {"x": 1})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"parts": ()}, "at least one, with different names"),
        ({"parts": GROUPED + GROUPED[:1]}, "with different names"),
        ({"parts": (Part("a", ">f4", lambda geom: (geom.cols,)),)}, "is not a little-endian dtype"),
        (
            {"parts": (Part("a", "<f4", lambda geom: (geom.cols,), rows=128),)},
            "128 rows an entry do not divide the block's 1",
        ),
        ({"parts": (Part("a", "<f4", lambda geom: (geom.cols,), rows=0),)}, "part 'a': 0 rows an entry"),
        ({"parts": (Part("a", "<f4", None),)}, "part 'a': declare it with per_block, packed, ... or give `tail`"),
        ({"parts": (ragged("a", "f4"),)}, "a part of variable length needs nominal_bits"),
        ({"parts": (packed("a", base=3, digits=6),)}, "6 digits of base 3 do not fit a byte"),
        ({"parts": (Part("a", "<f4", lambda geom: (geom.cols, int(str(geom.params["nope"])))),)}, "nope"),
        ({"block": (0, 1)}, "sizes are at least 1"),
        ({"decoded": "float32"}, "is not a little-endian dtype"),
        ({"needs": frozenset({"gradients"})}, "only hessian, importance can be asked for"),
        ({"params": (Setting("group", 1, "", low=2),)}, "found 1, expected 2 to"),
    ],
)
def test_declarations_that_cannot_be(changes: dict[str, object], says: str) -> None:
    """Said when the format is loaded, not in the middle of a conversion."""
    with pytest.raises((ValueError, KeyError), match=says):
        spec(**changes).check()


def test_part_rows_that_divide_the_block() -> None:
    """128 rows of scales go with blocks of 128, 256, or of whole columns."""
    part = Part("a", "<f4", lambda geom: (geom.cols,), rows=128)
    for rows in (128, 256, None):
        spec(block=(rows, 1), parts=(part,)).check()


def test_a_tag_is_checked_at_once() -> None:
    """A spec without a tag cannot be made."""
    with pytest.raises(ValueError, match="is not a tag"):
        spec(tag="Fakes")
