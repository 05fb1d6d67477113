"""The note of a command whose products decode a matrix first."""

import warnings

import pytest

from fourcc.cli.shared import slow_products
from fourcc.errors import SlowProductsWarning


@pytest.mark.parametrize("quiet", [False, True])
def test_the_warning_is_a_note(quiet: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the interpreter does with warnings; with ``--quiet`` there is none."""
    before = warnings.showwarning
    with slow_products.noted(quiet=quiet):
        for text in ("one", "two"):
            warnings.warn(SlowProductsWarning(text), stacklevel=1)
    assert capsys.readouterr().err == ("" if quiet else "fourcc: note: one\nfourcc: note: two\n")
    assert warnings.showwarning is before


def test_other_warnings_are_shown_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(DeprecationWarning, match="^old$"), slow_products.noted(quiet=False):
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert not capsys.readouterr().err
