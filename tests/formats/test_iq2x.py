"""IQ2X, tested against ``specs/iq2x.md`` and to the package gguf."""

from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.errors import UsageError
from tests.formats.checks import check_vectors
from tests.formats.oracle import check_decodes_as_gguf


def test_vectors() -> None:
    check_vectors("iq2x")


def test_decodes_any_bytes_as_gguf_does() -> None:
    check_decodes_as_gguf("IQ2X")


def test_convert_refuses_it_with_the_reason(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", w=np.ones((4, 256), np.float32))
    with pytest.raises(UsageError, match="'w': IQ2X has no encoder, and the tensor is stored as F32"):
        fourcc.convert(tmp_path / "m.npz", tmp_path / "m.bin", format="IQ2X")
