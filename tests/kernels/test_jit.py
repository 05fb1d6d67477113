"""From a plain function to machine code: lifting, the announcement, and kernels that are refused."""

import re

import numpy as np
import pytest
from numba.core.codegen import JITCodeLibrary

from fourcc import compute
from fourcc.kernels.compiler import announcing, jit
from fourcc.kernels.descriptors import address
from fourcc.kernels.kernel import Kernel
from fourcc.kernels.simd.memory import load_word, store_word
from fourcc.kernels.simd.target import target
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag

OFFSET = 3


def plus(value: int, other: int = OFFSET) -> int:
    """Has a default, and calls another function."""
    return twice(value) + other


def twice(value: int) -> int:
    """Doubles a number."""
    return value + value


def storing(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Names a constant, functions and operations."""
    for row in range(first, last):
        store_word(job + 8 * row, plus(load_word(weights + 8 * row)) * OFFSET)


def test_compiled_and_plain_do_the_same() -> None:
    numbers, compiled, plain = np.arange(9), np.zeros(9, np.int64), np.zeros(9, np.int64)
    storing(address(numbers), address(plain), 2, 9, 0)
    jit.compiled(storing)(address(numbers), address(compiled), 2, 9, 0)
    assert compiled.tolist() == plain.tolist() == [0, 0, *((2 * value + 3) * 3 for value in range(2, 9))]


def test_a_kernel_is_linked_once() -> None:
    made = jit.compiled(storing)
    assert isinstance(made, jit.Compiled)
    assert jit.compiled(storing) is made
    assert jit.compiled(made) is made
    assert made.name == "test_jit.storing"
    assert jit.is_ready(storing)


def test_what_is_compiled_is_announced(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """A command can say why it takes a second."""
    said: list[str] = []
    monkeypatch.setenv("FOURCC_CACHE", str(tmp_path))
    monkeypatch.setattr(announcing, "listener", said.append)
    made = kernel_of(7)
    assert not jit.is_ready(made)
    jit.compiled(made)
    jit.compiled(made)
    jit.compiled(kernel_of(7))  # from the disk
    assert said == ["test_jit.kernel_of.kernel"]


def kernel_of(value: int) -> jit.KernelFunction:
    """Stores a number from its closure."""

    def kernel(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        store_word(job, value)

    return kernel


def test_numba_lowers_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A callee is optimised as a part of the kernel, and gets no machine code of its own."""

    def kernel(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        store_word(job, plus(first, min(last, 3)))

    def refuse(*_: object) -> None:
        raise AssertionError

    for name in ("_finalize_specific", "_optimize_final_module", "_optimize_functions"):
        monkeypatch.setattr(JITCodeLibrary, name, refuse)
    module = jit.module_of(kernel, "entry", jit.machine(target()))
    assert [each.name for each in module.functions if not each.is_declaration] == ["entry"]


def raising(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """A kernel has no way to report an error."""
    if last < first:
        raise ValueError
    store_word(job, last)


def test_a_kernel_that_may_raise_is_refused() -> None:
    """Code from the disk would need numba for it."""
    with pytest.raises(ValueError, match=r"^the kernel test_jit.raising may raise an exception$"):
        jit.compiled(raising)


def test_a_division_raises_nothing() -> None:
    """Integers divide as in numpy."""

    def dividing(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        store_word(job, first // last + first % last)

    out = np.zeros(1, np.int64)
    jit.compiled(dividing)(0, address(out), 17, 5, 0)
    assert out[0] == 3 + 2
    jit.compiled(dividing)(0, address(out), 17, 0, 0)


@pytest.mark.parametrize("tag", ["F32", "Q8_0", "Q4_0"])
def test_machine_code_needs_nothing_but_memory_functions(tag: str) -> None:
    """Otherwise it could not be linked where numba is not loaded."""
    kernel = compute.kernel_of(registry[as_tag(tag)])
    for entry in entries(kernel):
        names = {
            each.name for each in jit.module_of(entry, "entry", jit.machine(target())).functions if each.is_declaration
        }
        assert not [name for name in names if not re.match(r"llvm\.", name)]


def entries(kernel: Kernel) -> list[jit.KernelFunction]:
    """The products of a kernel."""
    return [kernel.tile] if kernel.exact is kernel.tile else [kernel.exact]
