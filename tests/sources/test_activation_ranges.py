"""The blob of static ranges: there and back, and every field that may be wrong."""

from typing import Any

import msgpack
import numpy as np
import pytest

from fourcc.errors import InputError
from fourcc.sources.activation_ranges import packed_ranges, unpacked_ranges

SHAPES = {"w": (3, 40), "v": (2, 32), "norm": (40,)}
GOOD = {"w": np.array([1.5, 2.5], np.float32), "v": np.array([0.25], np.float32)}


def test_there_and_back() -> None:
    """In the order in which they were given."""
    found = unpacked_ranges(packed_ranges(GOOD), SHAPES, "a.bin")
    assert list(found) == list(GOOD)
    for name, ranges in GOOD.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], ranges)


def test_the_bytes_are_those_of_the_page() -> None:
    """Written with msgpack and struct, from specs/container.md."""
    stored = {"version": 1, "ranges": {"w": b"\0\0\xc0\x3f\0\0\x20\x40", "v": b"\0\0\x80\x3e"}}
    assert packed_ranges(GOOD) == msgpack.packb(stored)


def blob(**changes: Any) -> bytes:
    """A blob with other entries."""
    root = {"version": 1, "ranges": {"w": GOOD["w"].tobytes()}} | changes
    return bytes(msgpack.packb({name: value for name, value in root.items() if value is not ...}))


def of_w(*values: float) -> bytes:
    """A blob with these ranges of w."""
    return blob(ranges={"w": np.array(values, "<f4").tobytes()})


BAD = {
    "no msgpack": (b"\xc1", "the list of activation ranges is not valid msgpack"),
    "no map": (msgpack.packb([1]), "the list of activation ranges is not a map"),
    "bytes behind": (blob() + b"\0", "the list of activation ranges does not end here"),
    "a name twice": (b"\x82\xa1a\x01\xa1a\x01", "a name stands twice"),
    "another version": (blob(version=2), "is of a version that is not known: found 2, expected 1"),
    "a truth for a version": (blob(version=True), "is of a version that is not known: found True, expected 1"),
    "no version": (blob(version=...), "is of a version that is not known: found None, expected 1"),
    "no ranges": (blob(ranges=...), "has other entries"),
    "one entry more": (blob(more=1), "has other entries"),
    "ranges that are no map": (blob(ranges=[1]), "has other entries"),
    "an unknown tensor": (blob(ranges={"u": b""}), "activation ranges of a tensor that the model lacks: found 'u'"),
    "a number for a name": (blob(ranges={7: b""}), "is not valid msgpack"),
    "a vector": (blob(ranges={"norm": b"\0" * 8}), "tensor .norm.: activation ranges of a tensor that is no matrix"),
    "no bytes": (
        blob(ranges={"w": [1.0, 2.0]}),
        "tensor .w.: bad activation ranges: found list, expected bytes of float32",
    ),
    "half a number": (blob(ranges={"w": b"\0" * 7}), "tensor .w.: bad activation ranges: found 7 bytes"),
    "too few": (of_w(1), "not as many activation ranges as columns need: found 1, expected 2, one for each 32 of 40"),
    "too many": (of_w(1, 1, 1), "found 3, expected 2"),
    "NaN": (
        of_w(1, np.nan),
        "tensor .w.: bad activation range: found nan for the columns from 32 on, expected a finite number",
    ),
    "infinite": (of_w(np.inf, 1), "found inf for the columns from 0 on"),
    "negative": (of_w(-1, 1), r"found -1.0 for the columns from 0 on"),
    "zero": (of_w(1, 0), r"found 0.0 for the columns from 32 on"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_named(case: str) -> None:
    data, said = BAD[case]
    with pytest.raises(InputError, match=said) as caught:
        unpacked_ranges(data, SHAPES, "a.bin")
    assert str(caught.value).startswith("a.bin")
