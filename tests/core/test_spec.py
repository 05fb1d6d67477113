"""Declarations of formats: shapes of parts, settings, bits per weight; and those that are refused."""

from fractions import Fraction
from typing import Any

import pytest

from fourcc.dtypes import itemsize
from fourcc.geometry import Geometry, split_shape
from fourcc.part import Part
from fourcc.settings import Setting, complete
from fourcc.spec import FormatSpec

GROUPED = (
    Part("scales", "<f2", tail=lambda geom: (-(-geom.cols // geom.params["group"]),)),
    Part("codes", "|u1", tail=lambda geom: (-(-geom.cols // 2),)),
    Part("book", "<f4", tail=lambda _: (16,), rows=None),
)
GROUP = Setting("group", 64, "columns of a scale", low=2, high=1024)


def spec(**changes: Any) -> FormatSpec:
    """A grouped 4-bit format with a codebook."""
    return FormatSpec(
        **{"tag": "Fake", "name": "fake", "summary": "", "block": (1, 64), "parts": GROUPED, "params": (GROUP,)}
        | changes
    )


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
    down = Part("scales", "<f4", tail=lambda geom: (geom.cols,), rows=128)
    assert [down.shape(Geometry(rows, 5)) for rows in (0, 1, 128, 129)] == [(0, 5), (1, 5), (1, 5), (2, 5)]


def test_stored_bytes_and_bits() -> None:
    """64 columns: 2 bytes of scale, 32 of codes; a part of the whole matrix counts as stored, not as nominal."""
    assert spec().stored_bytes((3, 64), {"group": 64}) == 3 * (2 + 32) + 64
    assert spec().bits_per_weight() == Fraction(17, 4)
    assert spec().bits_per_weight({"group": 32}) == Fraction(9, 2)


def test_variable_parts_count_by_nominal_bits() -> None:
    """Their real length is known only afterwards."""
    entropy = spec(parts=(Part("stream", "|u1", tail=None),), nominal_bits=Fraction(5, 2), params=())
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
        ({"parts": (Part("a", "<f4", None),)}, "a part of variable length needs nominal_bits"),
        ({"parts": (Part("a", "<f4", lambda geom: (geom.cols, geom.params["nope"])),)}, "nope"),
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
