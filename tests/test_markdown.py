"""Filling a page's places."""

import pytest

from tests.markdown import filled

BEGIN, END = "<!-- some: begin -->", "<!-- some: end -->"


def test_only_what_is_between_the_markers_is_replaced() -> None:
    """Backslashes stay as they are."""
    text = f"before\n{BEGIN}\nold\n\nolder\n{END}\nafter\n"
    assert filled(text, "some", r"new \1") == f"before\n{BEGIN}\nnew \\1\n{END}\nafter\n"


@pytest.mark.parametrize("text", ["nothing", f"{BEGIN}\na\n{END}\n{BEGIN}\nb\n{END}\n", "<!-- other: begin -->"])
def test_other_markers_are_refused(text: str) -> None:
    """No pair, two pairs, and another's pair are refused."""
    with pytest.raises(ValueError, match="one pair of <!-- some: begin --> and <!-- some: end --> expected"):
        filled(text, "some", "new")
