"""A text is parted into one that calibrates and one that measures."""

from pathlib import Path

import pytest

from fourcc.calibration.two_texts import two_texts
from fourcc.errors import UsageError

FILE = Path("text.txt")


def test_a_text_is_parted_at_the_empty_line_after_seven_eighths() -> None:
    documents = [f"Document {number}.\nIts second line." for number in range(16)]
    first, last = two_texts("\n\n".join(documents), FILE)
    assert first.split("\n\n") == documents[:15]
    assert last.split("\n\n") == documents[15:]


@pytest.mark.parametrize("between", ["\n", " "])
def test_a_text_without_empty_lines_is_parted_at_a_line_or_a_word(between: str) -> None:
    words = [f"word{number:02}" for number in range(80)]
    first, last = two_texts(between.join(words), FILE)
    assert first.split(between) + last.split(between) == words
    assert len(last) == pytest.approx(len(between.join(words)) / 8, abs=8)


def test_a_text_whose_last_document_is_long_keeps_it_for_measuring() -> None:
    first, last = two_texts("short\n\n" + "x" * 100, FILE)
    assert (first, last) == ("short", "x" * 100)


@pytest.mark.parametrize("text", ["", "   \n\n ", "word", "word\n\n"])
def test_a_text_that_cannot_be_parted_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be parted.*text\.txt|text\.txt.*cannot be parted") as caught:
        two_texts(text, FILE)
    assert "Give a longer text" in str(caught.value)
