"""Decoders of kernels give the formats' numbers, bit for bit, for encoded weights and for random bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.arrays import Parts
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.examples import examples
from tests.formats.checks import encoded, random_parts, same_numbers
from tests.kernels.coding import DECODED, ENCODED, TRELLISES, TROUBLE, decoded_by_kernel, weights
from tests.kernels.one_of_each_kind import marked
from tests.kernels.other_targets import on_any_processor, passes
from tests.kernels.random_inputs import HIGH, SEEDS, columns, fitting

every = pytest.mark.parametrize("tag", DECODED)
ROWS = st.one_of(st.integers(1, 20), st.sampled_from([127, 128, 129, 300]))


def check(tag: str, parts: Parts, shape: tuple[int, int], *, plain: bool = False) -> None:
    """Compares the numbers; all NaN count as equal."""
    with np.errstate(all="ignore"):
        expected = registry[as_tag(tag)].decode(parts, Geometry(*shape))
    assert same_numbers(decoded_by_kernel(tag, parts, shape, plain=plain), expected), f"{tag} {shape}"


@every
@examples(80)
@given(st.data())
def test_weights_are_those_of_the_format(tag: str, data: st.DataObject) -> None:
    rows, cols = data.draw(ROWS), data.draw(columns(as_tag(tag)))
    style, seed = data.draw(st.sampled_from(TROUBLE)), data.draw(SEEDS)
    options = {"method": "equal-count"} if tag == "Q4_A" else {}
    with np.errstate(all="ignore"):
        parts = encoded(tag, weights(style, seed, (rows, cols), data.draw(HIGH)), options)
    check(tag, parts, (rows, cols))


@pytest.mark.parametrize("tag", marked(DECODED + ENCODED + TRELLISES))
@examples(60)
@given(st.data())
def test_any_bytes_decode_alike(tag: str, data: st.DataObject) -> None:
    """The scales are NaN, infinite, negative or tiny."""
    rows, cols = data.draw(ROWS), data.draw(columns(as_tag(tag)))
    check(tag, random_parts(tag, rows, cols, data.draw(SEEDS)), (rows, cols))


@every
def test_as_plain_python(tag: str) -> None:
    """The functions run uncompiled, on small matrices."""
    for shape in [(2, 32), (3, 64)] if tag in {"Q8_0", "Q4_0"} else [(2, 32), (3, 21), (130, 3)]:
        check(tag, random_parts(tag, *shape, seed=1), shape, plain=True)


@pytest.mark.parametrize("tag", marked(ENCODED + TRELLISES))
def test_blocks_as_plain_python(tag: str) -> None:
    """There are fewer rows than a kernel decodes together."""
    check(tag, random_parts(tag, 2, fitting(tag, 64), seed=1), (2, fitting(tag, 64)), plain=True)


@pytest.mark.parametrize("tag", ["BF16", "F16"])
def test_every_number_of_16_bits(tag: str) -> None:
    dtype = "<u2" if tag == "BF16" else "<f2"
    check(tag, {"values": np.arange(1 << 16, dtype=np.uint16).view(dtype).reshape(4, -1)}, (4, 1 << 14))


@pytest.mark.thorough
@on_any_processor
def test_on_any_processor(name: str) -> None:
    """The instructions of other machines give the same weights."""
    passes(__file__, name, "any_bytes or every_number")
