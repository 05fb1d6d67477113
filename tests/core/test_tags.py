"""Tags: four bytes, compared as bytes."""

import pytest

from fourcc.tags import FourCC, as_tag


@pytest.mark.parametrize(("text", "code"), [("F32", b"F32 "), ("Q4_0", b"Q4_0"), ("x", b"x   "), ("Q8_a", b"Q8_a")])
def test_tags_are_padded_with_spaces(text: str, code: bytes) -> None:
    """Padded or not, as text or bytes, it is one tag."""
    assert as_tag(text).code == code
    assert as_tag(text) == as_tag(code) == as_tag(code.decode()) == FourCC(code) == as_tag(as_tag(text))
    assert str(as_tag(text)) == text
    assert hash(as_tag(text)) == hash(as_tag(code))


@pytest.mark.parametrize(
    "text", ["", "    ", "4bit", "_F32", "F 32", " F32", "F32\n", "F-32", "Q4_K_M", "é", "F3\0", "\uff2632", "../x"]
)
def test_what_is_no_tag(text: str) -> None:
    """The message shows it and says what would be one."""
    with pytest.raises(ValueError, match="is not a tag: one to four of A-Z a-z 0-9 _, the first a letter"):
        as_tag(text)


def test_bytes_that_are_too_short() -> None:
    """A `FourCC` has four, always."""
    with pytest.raises(ValueError, match="'F32' is not a tag"):
        FourCC(b"F32")


def test_case_counts() -> None:
    """Compared as bytes, sorted likewise; a lower-case letter makes it a third party's."""
    assert as_tag("q4_0") != as_tag("Q4_0")
    assert sorted(map(as_tag, ["nf4", "F8", "F32"])) == [as_tag("F32"), as_tag("F8"), as_tag("nf4")]
    assert [as_tag(text).reserved for text in ("Q4_0", "X", "Q4_k", "x")] == [True, True, False, False]
