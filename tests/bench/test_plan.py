"""Plans that can be measured, and those that cannot."""

from pathlib import Path

import pytest

from fourcc.bench import machine, plan
from fourcc.bench.matrices import copies, matrix, weights
from fourcc.encoding import encode
from fourcc.errors import MissingFormatError, UsageError
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag


def test_defaults() -> None:
    """All formats with a kernel and an encoder are measured, on one thread and on all."""
    made = plan.make()
    tags = {str(each.tag) for each in made.formats}
    assert {"F32", "Q4_0", "Q8_0", "Q4_A", "Q8_A", "Q8_B"} <= tags
    assert not {"F64", "I32", "BOOL"} & tags
    assert made.shapes == ((4096, 4096), (4096, 11008))
    assert made.threads[0] == 1
    assert made.rotation >= 250_000_000


def test_a_rotation_is_larger_than_the_largest_cache(tmp_path: Path) -> None:
    """A server's third-level cache holds more than the usual rotation."""
    for index, size in enumerate(("48K\n", "2048K", "300M", "", "unknown")):
        (tmp_path / f"index{index}").mkdir()
        (tmp_path / f"index{index}" / "size").write_text(size, encoding="ascii")
    assert machine.last_level_cache(tmp_path) == 300 << 20
    assert machine.last_level_cache(tmp_path / "nothing") == 0
    assert plan.beyond_caches(300 << 20) == 375 << 20
    assert plan.beyond_caches(0) == plan.beyond_caches(32 << 20) == 250_000_000
    assert plan.make().rotation > machine.last_level_cache()


def test_lists() -> None:
    """Every item is taken once, in its order, with blanks or without."""
    made = plan.make(formats="Q8_0, F32,Q8_0", shapes="64x256,32 X 64", threads="2,1", counts="8")
    assert [str(each.tag) for each in made.formats] == ["Q8_0", "F32"]
    assert (made.shapes, made.threads, made.counts) == (((64, 256), (32, 64)), (2, 1), (8,))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("formats", "Toolong", "Toolong"),
        ("formats", "BOOL", "the format BOOL cannot encode random weights"),
        ("formats", ",", "the list is empty: found ','"),
        ("shapes", "4096", "bad shape: found '4096', expected rows x columns, as 4096x11008"),
        ("shapes", "0x5", "bad shape: found '0x5'"),
        ("shapes", "5x9999999", "bad shape: found '5x9999999'"),
        ("shapes", "4x4x4", "bad shape: found '4x4x4'"),
        ("threads", "0", "bad number of threads: found 0, expected 1 to 1024"),
        ("threads", "1,two", "bad number of threads: found two"),
        ("counts", "513", "bad number of activations: found 513, expected 1 to 512"),
        ("counts", "-1", "bad number of activations: found -1"),
    ],
)
def test_refused(name: str, text: str, message: str) -> None:
    """A bad plan is refused before anything is compiled."""
    with pytest.raises(UsageError) as refused:
        plan.make(**{name: text})  # type: ignore[arg-type]
    assert message in str(refused.value)


def test_a_missing_format() -> None:
    """The error is the registry's, as in other commands."""
    with pytest.raises(MissingFormatError, match="Zzzz"):
        plan.make(formats="Zzzz")


@pytest.mark.parametrize("tag", ["Q4_0", "Q8_A", "Q4_A", "F32"])
@pytest.mark.parametrize("rows", [100, 256, 640])
def test_repeated_rows_are_what_the_encoder_makes(tag: str, rows: int) -> None:
    """Only the first rows are encoded; the others are the same again."""
    found = registry[as_tag(tag)]
    made, expected = matrix(found, rows, 256), encode(weights(rows, 256), tag)
    for name, part in expected.parts.items():
        assert made.parts[name].tobytes() == part.tobytes()


@pytest.mark.parametrize("tag", ["Q4_0", "F32"])
def test_copies_have_memory_of_their_own(tag: str) -> None:
    """Copies begin at cache lines; there are as many as a rotation needs."""
    original = matrix(registry[as_tag(tag)], 64, 64)
    made = copies(original, 5 * original.nbytes - 1)
    assert len(made) == 5
    places = {array.ctypes.data for each in made for array in each.packed.arrays}
    assert len(places) == 5
    assert not [place for place in places if place % 64]
