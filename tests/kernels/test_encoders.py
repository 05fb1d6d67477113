"""Encoders of kernels give the formats' bytes for all finite weights.

Blocks whose scale is beyond float16, which are refused, need not be the same: a NaN has other bytes on other machines.
"""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fourcc.arrays import Array, Parts
from fourcc.geometry import Geometry
from fourcc.kernels.encoders.block_by_block import SCRATCH
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.examples import examples
from tests.formats.checks import encoded
from tests.kernels.coding import (
    CODED,
    DECODED,
    ENCODED,
    FLT_MAX,
    GGML,
    TRELLISES,
    TROUBLE,
    Options,
    any_bits,
    encoded_by_kernel,
    kernel_of,
    weights,
)
from tests.kernels.other_targets import on_any_processor, passes
from tests.kernels.random_inputs import HIGH, SEEDS, columns, fitting
from tests.kernels.short_products import OWN_TAGS

every = pytest.mark.parametrize(("tag", "options"), CODED + GGML, ids=str)
SLOW = {tag for tag, _ in GGML}  # in numpy, which k-means is too
ROWS = st.one_of(st.integers(1, 20), st.sampled_from([127, 128, 129, 300]))
UPWARDS = st.one_of(HIGH, st.sampled_from([96, 120, 126]))
SHAPES = [(1, 32), (9, 160), (130, 32), (2, 544)]
TAILS = [(3, 1), (2, 17), (9, 100), (1, 300)]


def shapes(tag: str) -> list[tuple[int, int]]:
    """Shapes that the format takes."""
    return list(dict.fromkeys((rows, fitting(tag, cols)) for rows, cols in SHAPES + TAILS))


def check(tag: str, w: Array, options: Options, *, plain: bool = False) -> None:
    """Compares every part, whatever warnings numpy has for such weights."""
    with np.errstate(all="ignore"):
        expected = encoded(tag, w, options)
    found = encoded_by_kernel(tag, w, options, plain=plain)
    if tag in SLOW:
        expected, found = (refusals_alike(tag, parts, w.shape) for parts in (expected, found))
    for name, part in expected.items():
        assert found[name].tobytes() == part.tobytes(), f"{tag} {options} {w.shape}: part {name}"


def refusals_alike(tag: str, parts: Parts, shape: tuple[int, ...]) -> Parts:
    """The blocks, but zeros for those that decode to a number that is not finite."""
    blocks = parts["blocks"].copy()
    with np.errstate(all="ignore"):
        w = registry[as_tag(tag)].decode(parts, Geometry(*shape))
    refused = ~np.isfinite(w.reshape(*blocks.shape, -1)).all(axis=-1)
    blocks[refused] = np.zeros((), blocks.dtype)
    return {"blocks": blocks, "refused": refused}


def test_no_coder_is_left_out() -> None:
    """Formats whose native kernel encodes are all tried here, and those whose kernel decodes in `test_decoders`."""
    kernels = {tag: kernel_of(tag) for tag in OWN_TAGS}
    native = {tag for tag in OWN_TAGS if kernels[tag].level == "native"}  # others decode in numpy
    assert {tag for tag, _ in CODED + GGML} == {tag for tag in native if kernels[tag].encoder is not None}
    assert {*DECODED, *ENCODED, *TRELLISES} == {tag for tag in native if kernels[tag].decode is not None}


@every
@examples(60)
@given(st.data())
def test_bytes_are_those_of_the_format(tag: str, options: Options, data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 3) if options.get("method") == "kmeans" or tag in SLOW else ROWS)
    cols = data.draw(columns(as_tag(tag)))
    style, seed = data.draw(st.sampled_from(TROUBLE)), data.draw(SEEDS)
    check(tag, weights(style, seed, (rows, cols), data.draw(UPWARDS)), options)


@every
def test_of_special_weights(tag: str, options: Options) -> None:
    """Zeros of both signs, the smallest and the largest numbers, each beside ordinary ones."""
    tiny, huge = [2.0**-149, -(2.0**-149), 2.0**-126, 2.0**-128], [FLT_MAX, -FLT_MAX, 65504, 65520, -65536]
    some = shapes(tag)[::3] if tag in SLOW else shapes(tag)  # a block, and a row of several
    for shape in [(2, 40)] if options.get("method") == "kmeans" else some:
        for value in [0.0, -0.0, *tiny, *huge, 0.49999997]:
            w = weights(TROUBLE[0], 1, shape)
            w[0, 0] = w[-1, -1] = value
            check(tag, w, options)
            check(tag, np.full(shape, value, np.float32), options)


@every
def test_as_plain_python(tag: str, options: Options) -> None:
    """The functions run uncompiled, on small matrices."""
    for shape in dict.fromkeys((rows, fitting(tag, cols)) for rows, cols in [(2, 32), (9, 21), (1, 130)]):
        for style in (TROUBLE[0], any_bits):
            check(tag, weights(style, 3, shape), options, plain=True)


@every
def test_rows_with_gaps_between_them(tag: str, options: Options) -> None:
    """The job holds the stride of rows."""
    cols = fitting(tag, 96)
    wide = weights(TROUBLE[0], 5, (6, cols + 64))
    w = wide[::2, :cols]
    found = encoded_by_kernel(tag, w, options)
    for name, part in encoded(tag, np.ascontiguousarray(w), options).items():
        assert found[name].tobytes() == part.tobytes()


@pytest.mark.parametrize("tag", ["BF16", "F16"])
def test_every_float16_and_its_neighbours(tag: str) -> None:
    """All 16-bit values, the points half-way between them, and the numbers next to those points."""
    bits = np.arange(0, 0x7F80 if tag == "BF16" else 0x7C00, dtype=np.uint16)
    exact = (
        (bits.astype(np.uint32) << 16).view(np.float32) if tag == "BF16" else bits.view(np.float16).astype(np.float32)
    )
    middle = exact[:-1] + (exact[1:] - exact[:-1]) / 2
    around = [np.nextafter(middle, np.float32(0)), middle, np.nextafter(middle, np.float32(np.inf)), exact]
    w = np.concatenate([*around, *(-each for each in around)])[None]
    check(tag, w, {})


@examples(60)
@given(st.sampled_from(TROUBLE), SEEDS, st.integers(1, 256), UPWARDS)
@example(TROUBLE[0], 0, 17, 0)
@example(TROUBLE[0], 0, 16, 0)
def test_kmeans_of_blocks_of_every_length(style: object, seed: int, n: int, exponent: int) -> None:
    """The positions that are skipped would not have won."""
    check("Q4_A", weights(style, seed, (8, n), exponent), {"method": "kmeans"})  # type: ignore[arg-type]


def test_exponents_of_mxfp4_around_every_power_of_two() -> None:
    """The largest magnitudes are the power, up to 70 numbers before it, and the number after it."""
    powers = np.arange(1, 255, dtype=np.uint32) << np.uint32(23)
    peaks = (powers[:, None] + np.arange(-70, 2, dtype=np.int64)).astype(np.uint32).view(np.float32).ravel()
    w = np.zeros((len(peaks), 32), np.float32)
    w[:, 3], w[:, 20] = peaks, -peaks / 3
    check("MXF4", w, {})


def test_scratch_memory_suffices() -> None:
    """Products ask for at least as much, so the scratch memory of a kernel also serves its encoder."""
    for tag, _ in CODED + GGML:
        kernel = kernel_of(tag)
        assert all(kernel.scratch(cols) >= SCRATCH for cols in (fitting(tag, 1), 4096))


@pytest.mark.thorough
@on_any_processor
def test_on_any_processor(name: str) -> None:
    """The instructions of other machines give the same bytes."""
    passes(__file__, name, "special or every_float16 or gaps")
