"""The public strategies: what they draw fits the format, and looks for trouble."""

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fourcc import encode
from fourcc.arrays import Array
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.settings import Setting, complete
from fourcc.tags import as_tag
from fourcc.testing import strategies
from tests.core.fakes import installed
from tests.examples import examples
from tests.testing.good_formats import GOOD

Q4_0 = registry[as_tag("Q4_0")]
DECLARED = (
    Setting("group", 32, "one of some", choices=(32, 64)),
    Setting("seed", 1, "a range", low=0, high=9),
    Setting("share", 0.5, "a float", low=0.0, high=1.0),
    Setting("fast", default=True, summary="yes or no"),
    Setting("name", "x", "any text"),
)


@examples(50)
@given(strategies.weights(Q4_0))
def test_weights_fit_the_format(w: Array) -> None:
    """Rows of whole blocks where no short block is stored; encoding takes them."""
    assert w.dtype == np.float32
    assert Q4_0.misfit(w.shape) is None
    assert np.isfinite(w).all()
    assert encode(w, "Q4_0").decode().shape == w.shape


@examples(50)
@given(st.data())
def test_short_blocks_and_parameters(data: st.DataObject) -> None:
    """The format has a parameter, and short last blocks."""
    params = data.draw(strategies.settings(GOOD.params))
    w = data.draw(strategies.weights(GOOD, params))
    with installed(GOOD):
        assert encode(w, "Good", params).decode().shape == w.shape


@examples(50)
@given(strategies.settings(DECLARED))
def test_settings_are_allowed(drawn: dict[str, object]) -> None:
    """Every value has its setting's type and range."""
    assert complete(DECLARED, drawn) == drawn


@examples(50)
@given(strategies.parts(GOOD, 3, 70, {"group": 32}))
def test_parts_have_the_declared_shapes(parts: dict[str, Array]) -> None:
    """Any bytes, which may not be written to."""
    geom = Geometry(3, 70, {"group": 32})
    for part in GOOD.parts:
        assert parts[part.name].shape == part.shape(geom)
        assert not parts[part.name].flags.writeable
    assert GOOD.decode(parts, geom).shape == (3, 70)


def test_the_kit_needs_neither_hypothesis_nor_pytest() -> None:
    """Only the strategies import hypothesis."""
    code = "import sys, fourcc.testing; print(sorted({'hypothesis', 'pytest'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
