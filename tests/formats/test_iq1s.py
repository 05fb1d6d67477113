"""IQ1S, tested against ``specs/iq1s.md`` and to the package gguf."""

from tests.formats.checks import check_vectors
from tests.formats.oracle import check_decodes_as_gguf


def test_vectors() -> None:
    check_vectors("iq1s")


def test_decodes_any_bytes_as_gguf_does() -> None:
    check_decodes_as_gguf("IQ1S")
