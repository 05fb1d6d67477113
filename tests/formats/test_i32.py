"""I32, tested against ``specs/i32.md``."""

from tests.formats.checks import check_carried_integers


def test_every_bit_pattern_is_carried() -> None:
    check_carried_integers("i32")
