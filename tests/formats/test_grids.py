"""The grids of IQ1, IQ2 and IQ3 beside those of the package gguf."""

import gguf
import numpy as np
import pytest

from fourcc.arrays import Array
from fourcc.formats.layouts import grids

GRIDS = {
    "IQ2_XXS": (grids.IQ2Y_RUNS, grids.EIGHTS, 256),
    "IQ2_XS": (grids.IQ2X_RUNS, grids.EIGHTS, 512),
    "IQ2_S": (grids.IQ2S_RUNS, grids.EIGHTS, 1024),
    "IQ1_S": (grids.IQ1_RUNS, grids.EIGHTS, 2048),
    "IQ3_XXS": (grids.IQ3Y_RUNS, grids.FOURS, 256),
    "IQ3_S": (grids.IQ3S_RUNS, grids.FOURS, 512),
}


def theirs(name: str) -> Array:
    """Codes of the runs, by the place of each level among gguf's."""
    kind = getattr(gguf.quants, name)
    kind.init_grid()
    levels = np.array(kind.grid).reshape(kind.grid_shape)
    codes: Array = np.searchsorted(kind.grid_map, levels)
    return codes


@pytest.mark.parametrize("name", GRIDS)
def test_runs_are_those_of_gguf_in_their_order(name: str) -> None:
    words, places, count = GRIDS[name]
    assert len(words) == count
    np.testing.assert_array_equal(words[:, None] >> places & (3 if len(places) == 8 else 7), theirs(name))


def test_seven_signs_make_eight() -> None:
    assert gguf.quants.IQ2_XXS.ksigns == bytes(grids.EVEN.tolist())


@pytest.mark.parametrize(
    ("flags", "places", "bit"), [(grids.EIGHT_FLAGS, grids.EIGHTS, 2), (grids.FOUR_FLAGS, grids.FOURS, 3)]
)
def test_flags_lie_above_the_codes(flags: Array, places: Array, bit: int) -> None:
    bits = np.arange(len(flags))[:, None] >> np.arange(len(places)) & 1
    np.testing.assert_array_equal(flags[:, None] >> places & (1 << bit + 1) - 1, bits << bit)
