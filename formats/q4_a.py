"""Q4_A: 4-bit indices into 16 bins for each 256 weights of a row, as in atamurad's QMatrix.

::

    bins   (rows, ceil(cols / 256), 16) float32   ascending
    q      (rows, ceil(cols / 2)) uint8           high nibble: index of the even column; low nibble: of the odd one

Decode: w = bins[index]. Encode: sort the block and cut it into 16 runs; a bin is the mean of a run; each weight takes
the nearest bin. `method` says where to cut: ``kmeans`` for the least sum of squared errors, ``equal-count`` for runs of
equal length. The last block of a row may be short. With an importance, ``kmeans`` weighs the errors by it;
``equal-count`` ignores it.
"""

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Parts, Setting, packed, per_block
from fourcc.formats.layouts.error_bounds import F32_LEAST, F32_ULP, count, extent, largest
from fourcc.formats.searches.kmeans1d import counts_of, distinct_runs, equal_runs, optimal_runs, run_means

BLOCK = 256
BINS = 16


def decode_block(bins: Array, q: Array, weights: Array) -> None:
    """Decodes one block: each weight is the bin of its index."""
    weights[:] = bins[q]


def encode(blocks: Blocks) -> Parts:
    """Bins, and the index of the nearest."""
    equal = blocks.options["method"] == "equal-count"
    bins = _bins_of_equal_counts(blocks.w) if equal else _bins_of_least_error(blocks.w, blocks.importance)
    return {"bins": bins, "q": _nearest(blocks.w, bins)}


def _bins_of_equal_counts(w: Floats) -> Floats:
    """The means of runs of equal length, ascending: (blocks, n) -> (blocks, 16)."""
    ordered = np.sort(w, axis=1)
    return run_means(ordered, equal_runs(ordered, BINS), BINS)


def _bins_of_least_error(w: Floats, importance: Floats | None) -> Floats:
    """The means of the runs of least error, ascending: (blocks, n) -> (blocks, 16).

    Up to 16 distinct values are runs of their own and lose nothing.
    """
    if importance is None:
        ordered, counted = np.sort(w, axis=1), None
    else:
        order = np.argsort(w, axis=1, kind="stable")
        ordered, counted = (
            np.take_along_axis(w, order, axis=1),
            np.take_along_axis(counts_of(importance), order, axis=1),
        )
    runs = distinct_runs(ordered)
    many = runs[:, -1] >= BINS  # (blocks,)
    if many.any():
        runs[many] = optimal_runs(ordered[many], BINS, None if counted is None else counted[many])
    return run_means(ordered, runs, BINS, counted)


def _nearest(w: Floats, bins: Floats) -> Array:
    """The index of the nearest bin, uint8 (blocks, n); ties go to the upper bin, and among equal bins to the first."""
    lower, upper = bins[:, :-1].astype(np.float64), bins[:, 1:]
    middle = (lower + upper) / 2  # (blocks, 15)
    border = np.where(lower < upper, middle, np.nextafter(middle, np.inf))  # the upper bin begins here
    wide = w.astype(np.float64)
    index = np.zeros(w.shape, np.uint8)
    for least in border.T:
        index += wide >= least[:, None]
    return index


def bound(w: Array, geom: Geometry) -> Array:
    """The mean squared error is at most (extent / 32)^2; so one weight is off by at most sqrt(n) times its root."""
    share = np.minimum(1.0, np.sqrt(count(w, 1, BLOCK)) / 32)
    return share * extent(w, 1, BLOCK) * (1 + 2**-20) + F32_ULP * largest(w, 1, BLOCK) + F32_LEAST


METHOD = Setting("method", "kmeans", "bins of least squared error or of equal counts", ("kmeans", "equal-count"))

Q4_A = Format(
    tag="Q4_A",
    summary="4-bit indices into 16 float32 bins for 256 weights along a row",
    block=BLOCK,
    parts=(per_block("bins", "f4", BINS), packed("q", bits=4, high_first=True)),
    options=(METHOD,),
    uses=frozenset({"importance"}),
    foreign={"qmatrix": "q4_a"},
    encode=encode,
    decode_block=decode_block,
    kernel="fourcc.kernels.q4_a:KERNEL",
    bound=bound,
)
