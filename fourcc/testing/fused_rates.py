"""How long fused products take, against those of the same weights decoded first, turn by turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median

import attrs
import numpy as np

from fourcc import compute
from fourcc.arrays import Floats
from fourcc.encoding import encode
from fourcc.errors import FourccError
from fourcc.format import Format
from fourcc.qmatrix import QMatrix
from fourcc.testing.weights import bell

COUNTS = (1, 32)  # activations: of a token, and of a short prompt
TURNS = 9  # of both, of which the median counts
ROWS, COLS, FEW = 2048, 4096, 32  # of the matrix that is measured; rows that are encoded, where the others repeat them
LEAST = 2e-3  # seconds of a turn, or more: short products are repeated
LOSS = 1.02  # times the other's time, from which on a fused product loses


@attrs.frozen
class FusedRate:
    """The time of a fused product against that of decoded weights.

    Attributes:
        count: activations.
        threads: how many.
        fused, decoded: seconds.
    """

    count: int
    threads: int
    fused: float
    decoded: float

    @property
    def ratio(self) -> float:
        """How many times the other's time the fused product takes."""
        return self.fused / self.decoded

    @property
    def loses(self) -> bool:
        """Whether decoding first would be faster."""
        return self.ratio > LOSS


def fused_rates(
    matrix: QMatrix,
    counts: Sequence[int] = COUNTS,
    threads: int = 1,
    turns: int = TURNS,
    clock: Callable[[], float] = time.perf_counter,
) -> list[FusedRate]:
    """The times of a matrix's fused products; none where its products are not fused.

    Args:
        matrix: should be so large that its decoded weights do not stay in a cache.
        counts: numbers of activations.
        threads: how many.
        turns: of both products.
        clock: gives seconds.
    """
    fused = matrix.packed
    if fused.kernel.level != "fused":
        return []
    decoded = compute.pack_decoded(matrix.decode())
    return list(compared(fused, decoded, counts, threads, turns, clock))


def compared(
    own: compute.Packed,
    decoded: compute.Packed,
    counts: Sequence[int],
    threads: int,
    turns: int,
    clock: Callable[[], float],
    typical: Callable[[Sequence[float]], float] = median,
) -> Iterator[FusedRate]:
    """The times of a matrix's products against those of its decoded weights, for each number of activations.

    Args:
        own: the matrix as its format multiplies it, fused or not.
        decoded: its decoded weights.
        counts: numbers of activations.
        threads: how many.
        turns: of both products.
        clock: gives seconds.
        typical: chooses the time that counts from those of all turns.
    """
    for count in counts:
        x = bell((count, own.cols), seed=count)
        times = in_turns([own, decoded], x, threads, turns, clock)
        yield FusedRate(count, threads, *map(typical, times))


def line_of(fmt: Format) -> str:
    """How a format's fused products compare, in words; empty where they are not fused, or nothing encodes a matrix."""
    if fmt.encode is None or fmt.needs or not fmt.real or compute.kernel_of(fmt).level != "fused":
        return ""
    try:
        return in_words(fused_rates(_matrix(fmt)))
    except FourccError:  # an encoder that breaks; whoever converts with it is told
        return ""


def _matrix(fmt: Format) -> QMatrix:
    """A matrix of which a few rows are encoded, and repeated; where a part has no rows of its own, all are."""
    width = fmt.width() or 1
    cols = -(-COLS // width) * width
    if fmt.variable:
        return encode(bell((ROWS, cols)), fmt.tag)
    few = encode(bell((FEW, cols)), fmt.tag)
    shapes = fmt.part_shapes((ROWS, cols), few.params)
    parts = {name: np.resize(part, shapes[name]) for name, part in few.parts.items()}
    return QMatrix(fmt.tag, (ROWS, cols), parts, few.params)


def in_turns(
    sides: Sequence[compute.Packed], x: Floats, threads: int, turns: int, clock: Callable[[], float]
) -> list[list[float]]:
    """Seconds of a product for each side, measured in turn; each first time, which may compile, does not count."""
    for side in sides:
        compute.matmul(side, x, threads)
    repeats = [1 + int(LEAST / max(_seconds(side, x, threads, 1, clock), 1e-9)) for side in sides]
    times: list[list[float]] = [[] for _ in sides]
    for _ in range(turns):
        for side, repeated, taken in zip(sides, repeats, times, strict=True):
            taken.append(_seconds(side, x, threads, repeated, clock))
    return times


def _seconds(side: compute.Packed, x: Floats, threads: int, repeats: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(repeats):
        compute.matmul(side, x, threads)
    return (clock() - start) / repeats


def in_words(rates: Sequence[FusedRate]) -> str:
    """The ratios in a line, and where fused products lose; empty where there are none."""
    if not rates:
        return ""
    first, *others = rates
    texts = [f"{first.ratio:.2g} times decode-first's time at n = {first.count}"]
    texts += [f"{rate.ratio:.2g} at {rate.count}" for rate in others]
    lost = [str(rate.count) for rate in rates if rate.loses]
    return ", ".join(texts) + (f"; slower than decoding first at n = {', '.join(lost)}" if lost else "")
