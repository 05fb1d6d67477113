"""Q4_A: 4-bit indices into 16 bins for each 256 weights of a row, as in atamurad's QMatrix.

::

    bins   (rows, ceil(cols / 256), 16) float32   ascending
    q      (rows, ceil(cols / 2)) uint8           high nibble: index of the even column; low nibble: of the odd one

Decode: w = bins[index]. Encode: sort the block and cut it into 16 runs; a bin is the mean of a run; each weight takes
the nearest bin. `method` says where to cut: ``kmeans`` for the least sum of squared errors, ``equal-count`` for runs of
equal length. The last block of a row may be short.
"""

import numpy as np

from fourcc.format import Array, Blocks, Floats, Format, Parts
from fourcc.formats.layouts.error_bounds import F32_LEAST, F32_ULP, count, extent, largest
from fourcc.formats.layouts.row_blocks import row_blocks
from fourcc.formats.searches.kmeans1d import distinct_runs, equal_runs, optimal_runs, run_means
from fourcc.geometry import Geometry
from fourcc.nibbles import high_first, pack_high_first
from fourcc.part import Part
from fourcc.settings import Setting

BLOCK = 256
BINS = 16


def codes(parts: Parts, geom: Geometry) -> Array:
    """The indices, uint8 (rows, cols)."""
    return high_first(parts["q"], geom.cols)


def decode(parts: Parts, geom: Geometry) -> Floats:
    """Bins (rows, blocks, 16) and nibbles (rows, cols / 2) -> float32 (rows, cols)."""
    index = codes(parts, geom)
    w = np.empty((geom.rows, geom.cols), np.float32)
    for run in row_blocks(geom.cols, BLOCK):
        bins = parts["bins"][:, run.blocks]  # (rows, blocks, 16)
        inside = index[:, run.columns].reshape(geom.rows, run.count, run.width)  # (rows, blocks, 256 or fewer)
        chosen = np.take_along_axis(bins, inside.astype(np.intp), axis=2)
        w[:, run.columns] = chosen.reshape(geom.rows, run.count * run.width)
    return w


def encode(blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> bins and nibbles."""
    tile, geom, options = blocks.rows, blocks.geom, blocks.options
    bins = np.empty((geom.rows, -(-geom.cols // BLOCK), BINS), np.float32)
    index = np.empty((geom.rows, geom.cols), np.uint8)
    for run in row_blocks(geom.cols, BLOCK):
        w = tile[:, run.columns].reshape(geom.rows * run.count, run.width)  # (rows * blocks, 256 or fewer)
        chosen = _bins(w, options["method"])
        bins[:, run.blocks] = chosen.reshape(geom.rows, run.count, BINS)
        index[:, run.columns] = _nearest(w, chosen).reshape(geom.rows, run.count * run.width)
    return {"bins": bins, "q": pack_high_first(index)}


def _bins(w: Floats, method: object) -> Floats:
    """The bins of each block, ascending: (blocks, n) -> (blocks, 16)."""
    ordered = np.sort(w, axis=1)
    runs = equal_runs(ordered, BINS) if method == "equal-count" else _runs_of_least_error(ordered)
    return run_means(ordered, runs, BINS)


def _runs_of_least_error(ordered: Floats) -> Array:
    """The run of each ordered weight (blocks, n); up to 16 distinct values are runs of their own and lose nothing."""
    runs = distinct_runs(ordered)
    many = runs[:, -1] >= BINS  # (blocks,)
    if many.any():
        runs[many] = optimal_runs(ordered[many], BINS)
    return runs


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


Q4_A = Format(
    tag="Q4_A",
    name="Q4_A",
    summary="4-bit indices into 16 float32 bins for 256 weights along a row",
    block=(1, BLOCK),
    parts=(
        Part("bins", "<f4", tail=lambda geom: (-(-geom.cols // BLOCK), BINS)),
        Part("q", "|u1", tail=lambda geom: (-(-geom.cols // 2),)),
    ),
    options=(
        Setting(
            "method", "kmeans", "bins of least squared error or of equal counts", choices=("kmeans", "equal-count")
        ),
    ),
    short_block=True,
    foreign={"qmatrix": "q4_a"},
    decode=decode,
    encode=encode,
    codes=codes,
    kernel="fourcc.kernels.q4_a:KERNEL",
    bound=bound,
)
