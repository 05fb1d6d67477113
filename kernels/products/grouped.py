"""Products of groups of activations with a matrix each: those of a mixture of experts, all experts in one step.

The step's rows are those of all groups, one after the other. For each group that its rows reach, a job of the group's
own activations is written to scratch memory, and the format's own product is called with it. So a format needs no
product of its own for experts, and a plugin's takes part as it is. Its machine code is called by its address: one
kernel serves all formats.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import ROUTING, STACK
from fourcc.kernels.products.row_gemv import JOB_BYTES, write_part_of_job
from fourcc.kernels.simd.atomic import call_kernel
from fourcc.kernels.simd.memory import load_word

ROUTED_BY, FUNCTION = STACK.offset("routing"), STACK.offset("function")
MATRICES, MATRIX_SIZE = STACK.offset("matrices"), STACK.offset("matrix_size")
STACK_ROWS, HEIGHT, IS_SPREAD = STACK.offset("rows"), STACK.offset("height"), STACK.offset("is_spread")
GROUPS, STARTS, ACTIVE = ROUTING.offset("groups"), ROUTING.offset("starts"), ROUTING.offset("active")

Call = Callable[[int, int, int, int, int, int], None]  # (address of a kernel, its five arguments)


def _grouped(call: Call) -> KernelFunction:
    """The product of groups.

    Args:
        call: calls the product of one matrix.
    """

    def product(stack: int, job: int, first: int, last: int, scratch: int) -> None:
        routing, height, rows = load_word(stack + ROUTED_BY), load_word(stack + HEIGHT), load_word(stack + STACK_ROWS)
        groups, starts = load_word(routing + GROUPS), load_word(routing + STARTS)
        end = min(load_word(routing + ACTIVE), (last + height - 1) // height)
        for group in range(first // height, end):
            start, stop = load_word(starts + 8 * group), load_word(starts + 8 * group + 8)
            write_part_of_job(job, start * load_word(stack + IS_SPREAD), start, stop - start, scratch)
            weights = load_word(stack + MATRICES) + load_word(groups + 8 * group) * load_word(stack + MATRIX_SIZE)
            low, high = max(0, first - group * height), min(rows, last - group * height)
            if low < high:
                call(load_word(stack + FUNCTION), weights, scratch, low, high, scratch + JOB_BYTES)

    return product


grouped = _grouped(call_kernel)


@cache
def grouped_as_python(tile: KernelFunction) -> KernelFunction:
    """The product of groups where kernels run as Python, and have no addresses.

    Args:
        tile: the product of one matrix.
    """

    def call(_: int, weights: int, job: int, first: int, last: int, scratch: int) -> None:
        tile(weights, job, first, last, scratch)

    return _grouped(call)
