"""BOOL, tested against ``specs/bool.md``."""

import numpy as np
import pytest

from fourcc.encoding import encode
from fourcc.errors import UsageError
from tests.formats.checks import check_vectors


def test_vectors() -> None:
    check_vectors("bool")


def test_takes_no_float_weights() -> None:
    with pytest.raises(UsageError, match=r"^the format BOOL has no encoder$"):
        encode(np.zeros((2, 2), np.float32), "BOOL")
