"""The reference page of the seam: it is what the docstrings say, and no name is missing."""

import attrs

import fourcc
from fourcc.part import Part
from tests.specs import seam_reference


def test_the_page_is_current() -> None:
    """`python -m tests.specs.seam_reference --update` renews it."""
    assert seam_reference.PAGE.read_text(encoding="utf-8") == seam_reference.page()


def test_every_field_has_its_meaning() -> None:
    """A field without a line in its docstring would not be on the page."""
    for name in seam_reference.CLASSES:
        text = seam_reference.value(name)
        for field in attrs.fields(getattr(fourcc, name)):
            assert f"{field.name}:" in text or f"{field.name}, " in text, (name, field.name)


def test_every_kind_of_part_is_described() -> None:
    made = {name for name in fourcc.__all__ if getattr(getattr(fourcc, name), "__module__", "") == Part.__module__}
    assert made - {"Part"} == set(seam_reference.PARTS)
