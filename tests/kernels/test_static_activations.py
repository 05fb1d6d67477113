"""Activations quantized by static ranges, bit for bit against numpy, and products with them."""

import attrs
import numpy as np
import pytest
from numpy.typing import NDArray

from fourcc import compute, encode
from fourcc.arrays import Array, Floats
from fourcc.compute.buffers import Buffer, Sizes
from fourcc.compute.packed import Packed
from fourcc.compute.programs import Program
from fourcc.kernels.descriptors import BLOCK, round_up
from fourcc.kernels.kernel import FLOAT, Activation
from fourcc.kernels.products import integer_gemm, scales_per_16
from fourcc.kernels.simd.dot import BIAS
from tests.kernels.other_targets import on_any_processor, passes
from tests.kernels.random_inputs import normal, numbers

TOP = np.float32(127)
CLIPPED = 1.5  # ranges begin with this many standard deviations of x
ODD = np.array([0.0, 1e-39, -3e38, np.inf, -np.inf, np.nan], np.float32)
SHARED = {  # a format of each form of activations with blocks, the code of its weight 0, whether sums are exact
    "Q8_0": (BIAS, False),
    "Q4_0": (8, False),
    "Q4_1": (0, False),
    "Q8_B": (BIAS, True),
    "Q6_K": (32, False),
}
every_form = pytest.mark.parametrize("tag", SHARED)


def taken(count: int, cols: int) -> tuple[Floats, Floats]:
    """Activations with odd numbers among them, and ranges."""
    x = numbers(normal, 5, (count, cols))
    x[0, :: cols // len(ODD)][: len(ODD)] = ODD
    ranges = np.full(-(-cols // BLOCK), CLIPPED, np.float32) * np.float32(1.1) ** np.arange(-(-cols // BLOCK))
    return x, ranges.astype(np.float32)


def packed(tag: str, cols: int = 512) -> Packed:
    """A matrix of a format."""
    return encode(numbers(normal, 3, (48, cols)), tag).packed


def halved(values: NDArray[np.float32]) -> Floats:
    """Sums along the last axis in the order of the kernels: the upper half is added to the lower, again and again."""
    while values.shape[-1] > 1:
        half = values.shape[-1] // 2
        values = values[..., :half] + values[..., half:]
    return values[..., 0]


def slow(x: Floats, ranges: Floats, zero: int, *, exact_sums: bool) -> tuple[Array, Floats, Floats, Floats]:
    """Codes (n, blocks, 32), and scales, zero corrections and sums (n, blocks), from the definition."""
    blocks = x.reshape(len(x), -1, BLOCK)
    with np.errstate(invalid="ignore", over="ignore"):
        codes = np.clip(np.rint(blocks * (TOP / ranges)[:, None]), -TOP, TOP)
        odd = ~np.isfinite(blocks).all(axis=2)
        whole = np.where(odd, np.float32(np.nan), codes.sum(axis=2, dtype=np.float32))
        scales = np.where(odd, np.float32(np.nan), ranges / TOP)
        sums = halved(blocks[..., :16] + blocks[..., 16:]) if exact_sums else scales * whole
    return codes, scales, scales * (whole * np.float32(-zero)), sums


@every_form
def test_codes_scales_corrections_and_sums_are_those_of_the_definition(tag: str) -> None:
    """A block with a number that is not finite has a scale that is NaN, so that every product shows it."""
    zero, exact_sums = SHARED[tag]
    x, ranges = taken(3, 512)
    prepared = compute.prepare(packed(tag).with_ranges(ranges), x)
    codes, scales, corrections, sums = slow(x, ranges, zero, exact_sums=exact_sums)
    finite = ~np.isnan(scales)
    made = prepared.arrays[1].view(np.int8)[:, :512].reshape(codes.shape)
    np.testing.assert_array_equal(made[finite], codes[finite])
    for found, wanted in zip(prepared.arrays[2:], (scales, corrections, sums), strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert (np.abs(codes) == TOP).mean() > 0.01  # some were clipped


def test_numbers_for_16_columns_follow_the_codes() -> None:
    x, ranges = taken(2, 512)
    x = np.nan_to_num(x, nan=1, posinf=2, neginf=-2)
    row = compute.prepare(packed("Q6_K").with_ranges(ranges), x).arrays[1][1]
    codes, scales, _, _ = slow(x, ranges, 32, exact_sums=False)
    at = scales_per_16.scales_of(0, 512), scales_per_16.zero_corrections_of(0, 512), scales_per_16.sums_of(0, 512)
    found = [row[start : start + 128].view("<f4") for start in at]
    sums = codes[1].reshape(-1, 16).sum(axis=1, dtype=np.float32)
    doubled = np.repeat(scales[1], 2)
    for each, wanted in zip(found, (doubled, doubled * (sums * np.float32(-32)), doubled * sums), strict=True):
        np.testing.assert_array_equal(each, wanted)


@every_form
@pytest.mark.parametrize("count", [1, 3, 40])
def test_with_a_blocks_own_range_static_and_dynamic_products_are_the_same(tag: str, count: int) -> None:
    """Bit for bit, by each of the products: the codes are the same."""
    q = encode(numbers(normal, 3, (48, 512)), tag)
    x = np.repeat(numbers(normal, 4, (1, 512)), count, axis=0)
    own = np.abs(x[0]).reshape(-1, BLOCK).max(axis=1)
    static = compute.matmul(q.packed.with_ranges(own), x)
    assert static.tobytes() == compute.matmul(q.packed, x).tobytes()
    other = compute.matmul(q.packed.with_ranges(own / 2), x)
    assert other.tobytes() != static.tobytes()
    assert compute.matmul(q.packed.with_ranges(own / 2), x, exact=True).tobytes() == q.matmul(x, exact=True).tobytes()


@every_form
def test_a_short_last_block_has_a_range_of_its_own(tag: str) -> None:
    """The zeros behind the columns need none."""
    cols = 256 if tag == "Q6_K" else 160
    q, x = encode(numbers(normal, 3, (5, cols)), tag), numbers(normal, 4, (1, cols))
    own = np.abs(x[0]).reshape(-1, BLOCK).max(axis=1)
    ranged = q.packed.with_ranges(own)
    assert ranged.ranges is not None
    assert len(ranged.ranges) == round_up(cols) // BLOCK
    assert compute.matmul(ranged, x).tobytes() == compute.matmul(q.packed, x).tobytes()


@pytest.mark.parametrize("tag", ["F32", "Q8_A", "Q4_A", "NF4"])
def test_ranges_mean_nothing_where_a_kernel_does_not_quantize_by_blocks(tag: str) -> None:
    matrix = packed(tag)
    assert matrix.with_ranges(np.ones(16, np.float32)) is matrix


def test_every_form_that_finds_ranges_also_takes_them() -> None:
    """Each operation that finds a block's range has a twin that reads it, under the same name."""
    for activation in (integer_gemm.int8_activations(8), scales_per_16.int8_activations(32)):
        assert activation.static is not None
    assert FLOAT.static is None
    assert Activation("bfloat16").static is None


def test_a_program_quantizes_anew_for_each_set_of_ranges() -> None:
    """Matrices share codes as long as their ranges are the same, whatever stands between."""
    matrix = packed("Q8_0")
    x, ranges = numbers(normal, 4, (1, 512)), np.full(16, 2, np.float32)
    several = [matrix.with_ranges(ranges), matrix.with_ranges(ranges.copy()), matrix, matrix.with_ranges(ranges)]
    program = Program(1, Sizes(1, 1, 2, 1, 1e-5), np.zeros(1, np.int64), 1)
    given, outs = Buffer(1, 512), [Buffer(1, 48) for _ in several]
    given.floats[:] = x
    program.product(given, list(zip(several, outs, strict=True)))
    assert len(program._steps) == len(several) + 3
    program.run()
    for each, out in zip(several, outs, strict=True):
        assert out.floats[:1, :48].tobytes() == compute.matmul(each, x).tobytes()
    exact = Program(1, Sizes(1, 1, 2, 1, 1e-5), np.zeros(1, np.int64), 1, exact=True)
    exact.product(given, list(zip(several, outs, strict=True)))
    exact.run()
    assert outs[0].floats[:1, :48].tobytes() == compute.matmul(matrix, x, exact=True).tobytes()


def test_ranges_stay_with_a_copy_of_the_matrix() -> None:
    """They are a field as any other."""
    ranged = packed("Q8_0").with_ranges(np.ones(16, np.float32))
    assert attrs.evolve(ranged, rows=ranged.rows).ranges is ranged.ranges


@pytest.mark.thorough
@on_any_processor
def test_other_targets_give_the_same_bits(name: str) -> None:
    passes(__file__, name, "definition or columns or dynamic or short")
