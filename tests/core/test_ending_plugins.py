"""A format whose function ends the process by `sys.exit` does not end a command as if it were done."""

import sys
from typing import Any

import attrs
import numpy as np
import pytest

from fourcc.encoding import encode
from fourcc.errors import PluginError
from fourcc.format import Format, Turn
from tests.compute.beside_blocks import PLAIN, SPARSE
from tests.core.fakes import installed


def ends(*_: Any) -> Any:
    """As a plugin might where it finds no licence."""
    sys.exit(0)


def unchanged(x: Any, *_: Any) -> Any:
    """A turn that turns nothing."""
    return x


@pytest.mark.parametrize(
    "broken",
    [
        attrs.evolve(PLAIN, tag="Endx", encode=ends),
        attrs.evolve(PLAIN, tag="Endx", prepare=ends),
        attrs.evolve(PLAIN, tag="Endx", decode=ends),
        attrs.evolve(PLAIN, tag="Endx", decode_block=ends),
        attrs.evolve(PLAIN, tag="Endx", turn=Turn(unchanged, ends)),
        attrs.evolve(SPARSE, tag="Endx", extra=ends),
    ],
    ids=["encode", "prepare", "decode", "decode_block", "turn", "extra"],
)
def test_the_format_is_named(broken: Format) -> None:
    w = np.random.default_rng(0).standard_normal((5, 40)).astype(np.float32)
    with installed(broken), pytest.raises(PluginError, match="of the format Endx") as caught:
        encode(w, "Endx")
    assert "SystemExit" in str(caught.value)


def test_a_turn_that_ends_in_a_product() -> None:
    w = np.random.default_rng(0).standard_normal((5, 40)).astype(np.float32)
    with installed(attrs.evolve(PLAIN, tag="Endx", turn=Turn(ends, unchanged))):
        q = encode(w, "Endx")
        with pytest.raises(PluginError, match=r"turn\.forward of the format Endx .* SystemExit: 0"):
            q.matmul(w)
