"""Takes rows of a few words apart: the same word of sixteen neighbouring rows becomes one vector."""

from __future__ import annotations

from collections.abc import Callable

from fourcc.kernels.simd.builder import Builder, Value, llvm_type
from fourcc.kernels.simd.interpreted import read, write
from fourcc.kernels.simd.memory import VECTOR
from fourcc.kernels.simd.operation import ADDRESS, FLOATS, Operation, operation

LANES = 16


def _deinterleave(width: int) -> Operation:
    """The operation for rows of so many words, a power of two up to 16."""

    @operation(ADDRESS, ADDRESS)
    def deinterleave(source: int, out: int) -> None:
        """Writes sixteen rows of words, one after the other, as columns, one after the other."""
        write(out, read(source, "<i4", LANES * width).reshape(LANES, width).T)

    @deinterleave.lowered
    def _(b: Builder, source: Value, out: Value) -> None:
        vectors = [b.load_from(b.plus(source, VECTOR * each), llvm_type(FLOATS)) for each in range(width)]
        for word in range(width):
            b.store_to(b.plus(out, VECTOR * word), _column(b, vectors, word, width))

    deinterleave.meaning.__qualname__ = f"deinterleave_{width}"
    return deinterleave


def _column(b: Builder, vectors: list[Value], first: int, step: int) -> Value:
    """Every `step`-th lane of vectors that follow each other, from lane `first` on; lanes behind the last repeat it."""
    held = len(vectors) * LANES // step  # lanes that count
    if len(vectors) == 1:
        return b.pick(vectors[0], _padded([first + step * lane for lane in range(held)]))
    half, count = len(vectors) // 2, held // 2
    low, high = (_column(b, some, first, step) for some in (vectors[:half], vectors[half:]))
    return b.shuffle(low, high, _padded([*range(count), *range(LANES, LANES + count)]))


def _padded(lanes: list[int]) -> list[int]:
    return lanes + lanes[-1:] * (LANES - len(lanes))


deinterleave: dict[int, Callable[[int, int], None]] = {width: _deinterleave(width) for width in (4, 8, 16)}
