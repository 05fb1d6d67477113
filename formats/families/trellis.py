"""Trellis-coded weights: each is a look-up of 12 bits of its block's ring of codes.

::

    block of 64 rows x 4 columns
    scale    (rows / 64, cols / 4) float16
    codes    (rows / 64, cols / 4, 32 bits) uint8    the block's ring: 256 codes, column after column

      bit    0      bits    2 bits                   weight t sees the 12 bits from bit t * bits on; behind the last
             | c0   | c1    | c2 ...                 bit of the ring comes its first

Decode: w = scale * TABLE[window], in float32; weight t is in row t mod 64 and column t / 64 of its block. Encode: for
weights divided by their root mean square, the ring whose weights are nearest (`searches.viterbi`); then the scale with
which they are nearest to the original. A block at the edge has a whole ring; weights that it lacks count nothing.
"""

from functools import partial
from statistics import NormalDist

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Parts, Setting, per_block
from fourcc.compute.trellis import best_states
from fourcc.formats.layouts.error_bounds import over_blocks
from fourcc.formats.searches import viterbi
from fourcc.formats.searches.viterbi import RING, STATES

ROWS, COLS = 64, 4  # of a block
STEP, START = 1529, 11  # the best of sixty odd steps: its tables have the least error over 2, 3 and 4 bits
WIDER = 1.3  # from one spread to the next try: heavy tails need a wider table
EDGE = 3.0  # spreads; a block without weights beyond them gains nothing from a wider table
SHRUNK = {2: 0.9631, 3: 0.9911, 4: 0.9976}  # sqrt(1 - D): what is left of a spread when the error D is taken off


def _table() -> Floats:
    """Quantiles of the normal distribution, in an order that gives the followers of a state unlike weights.

    They are rounded to 5 digits, so all machines agree.
    """
    quantile = NormalDist().inv_cdf
    ordered = np.array([round(quantile((k + 0.5) / STATES), 5) for k in range(STATES)], np.float32)
    return ordered[(np.arange(STATES) * STEP + START) % STATES]  # (4096,)


TABLE = _table()


def trellis(bits: int) -> Format:
    """The format with so many bits a weight, 2 to 4."""
    return Format(
        tag=f"TC{bits}",
        summary=f"trellis-coded quantiles of the normal distribution, {bits} bits, in blocks of 64 x 4",
        block=(ROWS, COLS),
        parts=(per_block("scale", "f2"), per_block("codes", "u1", RING * bits // 8)),
        options=(Setting("tries", 4, "spreads of the table that are tried for a block, at most", low=1, high=8),),
        uses=frozenset({"importance"}),
        decode=partial(_decode, bits),
        codes=partial(_codes, bits),
        encode=partial(_encode, bits),
        kernel=f"fourcc.kernels.tc{bits}:KERNEL",
        bound=_bound,
    )


@np.errstate(invalid="ignore")  # a damaged file may hold any scale
def _decode(bits: int, parts: Parts, geom: Geometry) -> Floats:
    """Scales (rows / 64, cols / 4) and codes (rows / 64, cols / 4, 32 bits) -> float32 (rows, cols)."""
    scale = parts["scale"].astype(np.float32)[..., None]
    return _rows(scale * TABLE[_windows(bits, parts, STATES)], geom)


def _codes(bits: int, parts: Parts, geom: Geometry) -> Array:
    """The codes of weights, int32 (rows, cols)."""
    return _rows(_windows(bits, parts, 1 << bits), geom)


def _windows(bits: int, parts: Parts, count: int) -> Array:
    """Numbers below `count` that begin at each code of the rings, int32 (rows / 64, cols / 4, 256)."""
    rings = np.concatenate([parts["codes"], parts["codes"][..., :2]], axis=-1).astype(np.int32)
    at, shift = np.divmod(bits * np.arange(RING), 8)
    three = rings[..., at] | rings[..., at + 1] << 8 | rings[..., at + 2] << 16
    return (three >> shift & (count - 1)).astype(np.int32)


def _rows(rings: Array, geom: Geometry) -> Array:
    """Numbers in the order of rings, (rows / 64, cols / 4, 256), in that of the matrix: (rows, cols)."""
    down, across, _ = rings.shape
    whole = rings.reshape(down, across, COLS, ROWS).transpose(0, 3, 1, 2).reshape(down * ROWS, across * COLS)
    return np.ascontiguousarray(whole[: geom.rows, : geom.cols])


def _encode(bits: int, blocks: Blocks) -> Parts:
    """Weights (blocks, rows * cols) -> scales (blocks,) and codes (blocks, 32 bits)."""
    ones = np.ones(blocks.w.shape)
    w, counts = _rings(blocks.w, blocks), _rings(ones if blocks.importance is None else blocks.importance, blocks)
    spread = np.sqrt(_total(w * w) / blocks.w.shape[1])
    units = w / (np.where(spread == 0, 1, spread) * SHRUNK[bits])[:, None]
    total = _total(counts)
    counts = np.where(
        total[:, None] == 0, _rings(ones, blocks), counts / np.where(total == 0, 1, total / RING)[:, None]
    )
    counts = counts.astype(np.float32)
    scales, chosen, kept = np.zeros(len(w)), np.zeros(w.shape, np.int32), np.full(len(w), -1.0)
    peaks, wide, wider = np.abs(units).max(axis=1), np.arange(len(w)), 1.0
    for _ in range(blocks.options["tries"]):
        states = best_states(viterbi.best_states, (units[wide] / wider).astype(np.float32), counts[wide], TABLE, bits)
        gain, scale = _fitted(w[wide], counts[wide], TABLE[states].astype(np.float64))
        better = gain > kept[wide]
        taken = wide[better]
        kept[taken], scales[taken], chosen[taken] = gain[better], scale[better], states[better]
        wide = wide[peaks[wide] > EDGE * wider]
        wider *= WIDER
    return {"scale": scales, "codes": _packed(chosen, bits)}


def _fitted(w: Array, counts: Array, values: Array) -> tuple[Array, Array]:
    """How much the squared errors of blocks (blocks, 256) fall below the squares with the best scale; that scale."""
    products, squares = _total(counts * w * values), _total(counts * values * values)
    return products * products / squares, products / squares


def _rings(values: Array, blocks: Blocks) -> Array:
    """Numbers of the weights of blocks, (blocks, rows * cols), in the order of rings: float64 (blocks, 256)."""
    rows = min(ROWS, blocks.geom.rows)
    whole = np.zeros((len(values), COLS, ROWS))
    whole[:, : values.shape[1] // rows, :rows] = values.reshape(len(values), rows, -1).swapaxes(1, 2)
    return whole.reshape(len(values), RING)


def _packed(states: Array, bits: int) -> Array:
    """The bytes of rings: a state's lowest bits are its weight's code."""
    planes = states[:, :, None] >> np.arange(bits) & 1  # (blocks, 256, bits)
    return np.packbits(planes.reshape(len(states), -1).astype(np.uint8), axis=1, bitorder="little")


def _total(terms: Array) -> Array:
    """The sums of rows, from left to right: numpy's `sum` adds in another order on another machine."""
    return terms.cumsum(axis=1)[:, -1]


def _bound(w: Array, geom: Geometry) -> Array:
    """The root of the block's squares, which the least squares cannot exceed, and the rounding of the scale."""
    root = np.sqrt(over_blocks(w * w, ROWS, COLS, np.add))
    return root * (1 + 2**-10) + 2**-22
