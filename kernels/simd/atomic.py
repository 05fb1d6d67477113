"""Words that threads share. The operations order memory like C11's acquire, release and acq_rel; `relax` does not."""

from __future__ import annotations

from llvmlite import ir

from fourcc.kernels.simd.builder import ELEMENTS, Builder, Value
from fourcc.kernels.simd.memory import load_word, store_word
from fourcc.kernels.simd.operation import ADDRESS, INTEGER, operation
from fourcc.kernels.simd.target import architecture_of


@operation(ADDRESS, returns=INTEGER)
def load_shared(address: int) -> int:
    """The int64 at an address, with acquire order: all that its writer wrote before it is visible."""
    return load_word(address)  # type: ignore[no-any-return]  # an operation returns Any


@load_shared.lowered
def _(b: Builder, address: Value) -> Value:
    return b.load_atomic(b.pointer(address, ELEMENTS["i64"]), "acquire", 8)


@operation(ADDRESS, INTEGER)
def store_shared(address: int, value: int) -> None:
    """Stores an int64, with release order: after all earlier writes."""
    store_word(address, value)


@store_shared.lowered
def _(b: Builder, address: Value, value: Value) -> None:
    b.store_atomic(value, b.pointer(address, ELEMENTS["i64"]), "release", 8)


@operation(ADDRESS, INTEGER)
def add_shared(address: int, value: int) -> None:
    """Adds to the int64 at an address."""
    store_word(address, load_word(address) + value)


@add_shared.lowered
def _(b: Builder, address: Value, value: Value) -> None:
    b.atomic_rmw("add", b.pointer(address, ELEMENTS["i64"]), value, "acq_rel")


@operation(ADDRESS, INTEGER, INTEGER, returns=INTEGER)
def swap_shared(address: int, expected: int, value: int) -> int:
    """Compares and swaps: stores a value if the address holds the expected one, and returns 1; else returns 0."""
    if load_word(address) != expected:
        return 0
    store_word(address, value)
    return 1


@swap_shared.lowered
def _(b: Builder, address: Value, expected: Value, value: Value) -> Value:
    place = b.pointer(address, ELEMENTS["i64"])
    result = b.cmpxchg(place, expected, value, "acq_rel", "acquire")
    return b.zext(b.extract_value(result, 1), ELEMENTS["i64"])


@operation()
def relax() -> None:
    """Tells the processor that this is a spin loop."""


@relax.lowered
def _(b: Builder) -> None:
    architecture = architecture_of(b.target)
    if architecture == "x86_64":
        b.call("llvm.x86.sse2.pause", ELEMENTS["void"])
    elif architecture == "aarch64":  # an isb waits as long as a pause on x86; a yield does not wait at all
        b.call("llvm.aarch64.isb", ELEMENTS["void"], b.int32(15))


@operation(ADDRESS, INTEGER, INTEGER, INTEGER, INTEGER, INTEGER)
def call_kernel(address: int, weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Calls a compiled kernel by its address."""
    raise NotImplementedError("an uncompiled kernel has no address")


@call_kernel.lowered
def _(b: Builder, address: Value, *arguments: Value) -> None:
    kind = ir.FunctionType(ELEMENTS["void"], [ELEMENTS["i64"]] * len(arguments))
    b.call_pointer(b.inttoptr(address, kind.as_pointer()), arguments)
