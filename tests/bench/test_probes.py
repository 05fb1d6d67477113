"""The probe kernels do what they are counted for."""

import numpy as np
import pytest

from fourcc import compute
from fourcc.bench import matrices
from fourcc.kernels.compiler import jit
from fourcc.kernels.descriptors import address, empty, matrix
from fourcc.kernels.measuring import roofline
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag

SUMS = slice(0, 64)  # bytes of scratch memory in which a read kernel leaves its sums


def memory(units: int) -> np.ndarray:
    """Random bytes for the read kernels."""
    made = empty(units * roofline.UNIT)
    made[:] = np.random.default_rng(3).integers(0, 256, made.size, np.uint8)
    return made


@pytest.mark.parametrize("number", range(len(roofline.READERS)))
def test_every_byte_is_read(number: int) -> None:
    """The sum of all vectors but the first row's and the last one's: twice eight rows and three."""
    held, scratch = memory(21), empty(roofline.SCRATCH)
    region = matrix(21, roofline.UNIT, (held,))
    jit.compiled(roofline.READERS[number])(address(region), 0, 1, 20, address(scratch))
    expected = held.view("<u4").reshape(21, -1, 16)[1:20].reshape(-1, 16).sum(axis=0, dtype=np.uint32)
    np.testing.assert_array_equal(scratch[SUMS].view("<u4"), expected)


@pytest.mark.parametrize("number", range(len(roofline.WIDTHS)))
@pytest.mark.parametrize(
    ("what", "one"), [("int8", ("<i1", 1)), ("float32", ("<f4", 1)), ("bfloat16", ("<u2", 0x3F80))]
)
def test_turns_have_as_many_operations_as_are_counted(what: str, one: tuple[str, int], number: int) -> None:
    """With ones everywhere, each sum is the number of products that went into it."""
    scratch = empty(roofline.SCRATCH)
    scratch.view(one[0])[:] = one[1]
    kernel, turn = roofline.calculators(what)[number]
    jit.compiled(kernel)(0, 0, 0, 3, address(scratch))
    sums = scratch[2048:].view("<i4" if what == "int8" else "<f4")[: 16 * roofline.WIDTHS[number]]
    assert 2 * int(sums.sum()) == 3 * turn


@pytest.mark.parametrize(("threads", "chunk"), [(1, 16), (2, 16), (2, 48), (2, 1000)])
def test_a_rotation_runs_every_row_of_every_matrix(threads: int, chunk: int) -> None:
    """Also where chunks cross from one matrix to the next, and rows do not fill the last one."""
    rows, cols = 100, 64
    q = matrices.matrix(registry[as_tag("Q8_0")], rows, cols)
    x = matrices.activations(1, cols)
    prepared = compute.prepare(q.packed, x)
    outs = [np.full((1, rows), np.nan, np.float32) for _ in range(3)]
    jobs = [compute.product_job(prepared, out) for out in outs]
    table = roofline.rotation(jit.compiled(q.packed.kernel.tile), [q.packed.descriptor] * 3, jobs, rows, 112)
    scratch = q.packed.kernel.scratch(cols)
    compute.run(roofline.rotate, table, table, rows=336, align=1, threads=threads, scratch=scratch, chunk=chunk)
    for out in outs:
        np.testing.assert_array_equal(out, q.matmul(x))


@pytest.mark.parametrize(
    ("tag", "expected"), [("Q8_0", "int8"), ("Q8_A", "int8"), ("F32", "float32"), ("Q4_A", "float32")]
)
def test_what_a_kernel_multiplies_is_seen(tag: str, expected: str) -> None:
    """The type of the products is recognised for kernels of every kind of activations."""
    assert roofline.multiplied(compute.kernel_of(registry[as_tag(tag)]).tile) == expected


def test_bfloat16_has_a_peak_where_it_has_products() -> None:
    """The processor's peak is that of the products of BF16."""
    here = roofline.multiplied(compute.kernel_of(registry[as_tag("BF16")]).tile)
    assert here == ("bfloat16" if "bfloat16" in roofline.peaks() else "float32")
