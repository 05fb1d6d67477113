"""Products of ggml's formats with random blocks stay within their bounds, and packing loses nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc import compute
from fourcc.arrays import Array
from fourcc.compute.products import prepare, product_job
from fourcc.geometry import Geometry
from fourcc.kernels.descriptors import JOB, address, empty, matrix
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix
from fourcc.tags import as_tag
from tests.examples import examples
from tests.formats.checks import random_parts, same_numbers
from tests.kernels.bounds import decoded, excess
from tests.kernels.ggml_codes import NUMBERS
from tests.kernels.other_targets import on_any_processor, passes
from tests.kernels.random_inputs import COUNTS, SEEDS, fitting, normal, numbers
from tests.kernels.short_products import OWN_TAGS

every = pytest.mark.parametrize("tag", NUMBERS)


def test_no_packed_format_is_left_out() -> None:
    """All formats whose kernel packs are tried here, but for Q4_0, which `test_products` takes as it does Q8_0."""
    assert {*NUMBERS, "Q4_0"} == {tag for tag in OWN_TAGS if compute.kernel_of(registry[tag]).pack is not None}


ROWS = st.one_of(st.integers(1, 40), st.sampled_from([127, 129, 300]))
COLS = st.sampled_from([32, 96, 256, 288, 512, 544, 768, 1056])
FLOAT16 = {"d", "dmin", "m"}


def blocks(tag: str, rows: int, cols: int, seed: int) -> QMatrix:
    """Blocks of any codes and sub-block scales; their float16 scales are ordinary numbers of both signs."""
    cols = fitting(tag, cols)
    parts = {"blocks": random_parts(tag, rows, cols, seed)["blocks"].copy()}
    random = np.random.default_rng(seed)
    for name in FLOAT16 & set(parts["blocks"].dtype.names or ()):
        shape = parts["blocks"].shape
        parts["blocks"][name] = random.choice([-1, 1], shape) * random.uniform(0.001, 0.02, shape)
    if "e" in (parts["blocks"].dtype.names or ()):
        parts["blocks"]["e"] = random.integers(118, 124, parts["blocks"].shape)
    return QMatrix(as_tag(tag), (rows, cols), parts)


def lossless_activations(n: int, cols: int, seed: int) -> Array:
    """Activations that quantize without loss: multiples of a power of two, up to 127 times it, in each block."""
    random = np.random.default_rng(seed)
    x = random.integers(-127, 128, (n, cols)).astype(np.float32)
    x[:, ::32] = random.choice([-127, 127], x[:, ::32].shape)
    return x * np.repeat(2.0 ** random.integers(-9, 9, (n, cols // 32)), 32, axis=1).astype(np.float32)


@every
@examples(20)
@given(rows=ROWS, cols=COLS, n=COUNTS, seed=SEEDS)
def test_products_are_within_the_bound(tag: str, rows: int, cols: int, n: int, seed: int) -> None:
    """This holds with one activation and with several, quantized and exact."""
    q = blocks(tag, rows, cols, seed)
    x = numbers(normal, seed + 1, (n, q.shape[1]))
    assert excess(q, x, q.matmul(x, 2)) <= 1
    assert excess(q, x[:1], (q @ x[0])[None]) <= 1
    assert excess(q, x, q.matmul(x, exact=True), exact=True) <= 1


@every
@examples(20)
@given(rows=ROWS, cols=COLS, n=COUNTS, seed=SEEDS)
def test_activations_that_quantize_exactly_lose_nothing(tag: str, rows: int, cols: int, n: int, seed: int) -> None:
    """The bound is then that of rounding alone, so a single wrong code, scale or zero point shows."""
    q = blocks(tag, rows, cols, seed)
    x = lossless_activations(n, q.shape[1], seed)
    assert excess(q, x, q.matmul(x), lossless=True) <= 1
    assert excess(q, x[:1], (q @ x[0])[None], lossless=True) <= 1


@every
def test_the_bound_sees_a_code_that_is_off_by_one(tag: str) -> None:
    """So the test above can fail."""
    q = blocks(tag, 5, 256, 1)
    x = lossless_activations(1, 256, 1)
    wrong = decoded(q).copy()
    wrong[:, 77] += np.abs(decoded(q)).max() / 64
    assert excess(q, x, x.astype(np.float64) @ wrong.T, lossless=True) > 1


@every
@pytest.mark.parametrize("shape", [(1, 32), (15, 512), (16, 256), (37, 768)], ids=str)
def test_packing_loses_nothing(tag: str, shape: tuple[int, int]) -> None:
    """Packed rows, in any order, decode to the same weights as the stored ones, whatever their bytes."""
    rows, cols = shape[0], fitting(tag, shape[1])
    q = QMatrix(as_tag(tag), (rows, cols), random_parts(tag, rows, cols, 5))
    with np.errstate(all="ignore"):
        wanted = registry[as_tag(tag)].decode(q.parts, Geometry(rows, cols))
    listed = np.random.default_rng(1).integers(0, rows, 9)
    assert same_numbers(gathered(q), wanted)
    assert same_numbers(gathered(q, listed), wanted[listed])


def gathered(q: QMatrix, listed: Array | None = None) -> Array:
    """Rows of a packed matrix: all, or those listed."""
    packed, count = q.packed, q.shape[0] if listed is None else len(listed)
    out = np.full((count, q.shape[1]), 7, np.float32)
    job = JOB.record(out=address(out), out_stride=out.strides[0], x=0 if listed is None else address(listed))
    scratch = packed.kernel.scratch(q.shape[1])
    compute.run(packed.kernel.gather, packed.descriptor, job, rows=count, align=1, scratch=scratch)
    return out


@every
def test_packed_bytes(tag: str) -> None:
    """They are at most 1.06 times the stored ones."""
    kernel = compute.kernel_of(registry[as_tag(tag)])
    assert kernel.level == "native"
    assert kernel.packed is not None
    q = blocks(tag, 32, 512, 1)
    assert 1 <= kernel.packed(32, 512) / q.nbytes <= 1.06


@every
def test_rows_that_fill_up_are_zeros(tag: str) -> None:
    """They are, whatever the memory held before."""
    q = blocks(tag, 17, 256, 3)
    kernel = q.packed.kernel
    assert kernel.packed is not None
    assert kernel.pack is not None
    assert q.packed.arrays[0].nbytes == kernel.packed(17, q.shape[1]) == kernel.packed(32, q.shape[1])
    half = q.packed.arrays[0][kernel.packed(16, q.shape[1]) :]
    assert np.count_nonzero(half) <= q.nbytes // 17 + 1


@every
@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_row_does_not_depend_on_the_others(tag: str, n: int) -> None:
    q = blocks(tag, 40, 512, 9)
    x = numbers(normal, 1, (n, 512))
    full = q.matmul(x)
    for rows in (1, 15, 16, 17, 33):
        some = QMatrix(q.tag, (rows, 512), {"blocks": q.parts["blocks"][:rows]})
        assert some.matmul(x).tobytes() == np.ascontiguousarray(full[:, :rows]).tobytes()


@every
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_of_bad_scales_spoils_no_other(tag: str, value: float) -> None:
    q, x = blocks(tag, 37, 512, 2), numbers(normal, 3, (5, 512))
    parts = {"blocks": q.parts["blocks"].copy()}
    if "d" not in (parts["blocks"].dtype.names or ()):
        pytest.skip("its scales are finite")
    parts["blocks"]["d"][20] = value
    damaged = QMatrix(q.tag, q.shape, parts)
    for product, right in ((damaged.matmul(x), q.matmul(x)), (damaged.matmul(x[:1]), q.matmul(x[:1]))):
        assert not np.isfinite(product[:, 20]).any()
        np.testing.assert_array_equal(np.delete(product, 20, axis=1), np.delete(right, 20, axis=1))


@every
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_activations_that_are_not_finite_show(tag: str, value: float) -> None:
    """Every result of that activation shows it, and no other result."""
    q = blocks(tag, 37, 512, 4)
    x = numbers(normal, 3, (7, 512))
    right = q.matmul(x)
    for column in (0, 200, 511):
        bad = x.copy()
        bad[4, column] = value
        product = q.matmul(bad)
        assert not np.isfinite(product[4]).any()
        np.testing.assert_array_equal(np.delete(product, 4, axis=0), np.delete(right, 4, axis=0))
        assert not np.isfinite(q @ bad[4]).any()


@every
def test_as_plain_python(tag: str) -> None:
    """Uncompiled, the functions give the same packed bytes, and a product within the bound."""
    q = blocks(tag, 3, 256, 6)
    kernel, cols = q.packed.kernel, q.shape[1]
    assert kernel.pack is not None
    memory, scratch, job = empty(q.packed.arrays[0].nbytes), empty(kernel.scratch(cols)), JOB.record()
    memory[:] = 0xA5
    stored = matrix(3, cols, (q.parts["blocks"],))
    JOB.write(job, out=address(memory))
    kernel.pack(address(stored), address(job), 0, 3, address(scratch))
    assert memory.tobytes() == q.packed.arrays[0].tobytes()
    x, out = numbers(normal, 1, (1, cols)), np.empty((1, 3), np.float32)
    prepared = prepare(q.packed, x)
    given = product_job(prepared, out)
    kernel.tile(address(q.packed.descriptor), address(given), 0, 3, address(scratch))
    assert excess(q, x, out) <= 1


@pytest.mark.thorough
@on_any_processor
def test_on_any_processor(name: str) -> None:
    """Instructions of other machines stay within the bounds too; one format of each kind of codes is tried."""
    tags = "Q4_1 or Q5_0 or Q3_K or Q4_K or Q6_K or IQ4N or MXF4"
    passes(__file__, name, f"(quantize_exactly or packing or bad_scales) and ({tags})")
