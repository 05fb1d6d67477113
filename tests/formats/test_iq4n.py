"""IQ4N, tested against ``specs/iq4n.md`` and to the package gguf."""

from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import check_vectors
from tests.formats.oracle import check_decodes_as_gguf

FORMAT = registry[as_tag("IQ4N")]


def test_vectors() -> None:
    check_vectors("iq4n")


def test_decodes_any_bytes_as_gguf_does() -> None:
    check_decodes_as_gguf("IQ4N")


def test_is_known_by_the_name_that_people_use() -> None:
    assert FORMAT.name == "IQ4_NL"
