"""How far a product may be from that of the decoded weights: the bounds of specs/products.md, and why they hold.

Below, u = 2^-24 is half a unit in the last place of float32, relative, K the columns, B = ceil(K / 32) (or ceil(K / 16)
where 16 columns share a scale), w a decoded weight, x an activation, y* = sum over k of w_k x_k. A sum of n terms that
were rounded before, added up in any order, is off by at most (n + r) u (1 + small) times the sum of the terms'
magnitudes, with r roundings of each term; an operation whose result is denormal adds 2^-150.

Float products (`float_bound`). Any order, at most K additions, one rounding of each product:

    |y - y*| <= 2 (K + 32) u sum |w_k| |x_k|  +  2^-149 (K + K max |w_k| + sum |x_k|)

The last term is for denormals: a kernel may take a scale out of the sum. A denormal weight then counts as it was
before it was rounded, and a sum that is rounded as a denormal number is multiplied by the scale.

Rounded products (`rounded_bound`), of BF16 with many activations where the processor multiplies bfloat16: an activation
is rounded to eight significant bits, off by e_k = 2^-8 |x_k|, and counts as 0 where it is denormal, before or after:

    |y - y*| <= sum |w_k| e_k  +  2 (K + 32) u sum |w_k| (|x_k| + e_k)  +  2^-125 (K + sum |w_k| + sum |x_k|)

Integer products (`integer_bound`). A weight is d_k c_k + m_k, with scale d, code c and offset m. In a block of 32
columns, with p the largest |x|, the kernel takes s = float32(p / 127) and q_k = round(float32(x_k * float32(127 / p))),
so that

    |x_k - s q_k| <= e_b = p / 127 (1/2 + 2^-15) + 2^-142,   or p itself where p is so small that the codes are 0:

127 / p and the product with it are off by u each, together 2^-16 of a code; s is off by u, of 127 codes; 127 times the
error of a denormal s is 2^-142. The product is the exact one of the weights and the s q_k, but for rounding: code and
offset meet the same s q_k, so its error counts |w_k| times. Q8_B's offsets are means, around which its codes lie. They
meet the sum of the x_k as they are, so there the error counts |d_k c_k| times, the distance from the mean.

The sum of d_k c_k s q_k is made of dot products, exact integers, and where the codes are shifted to be unsigned (by
`zero`) it is the difference of the sum of d_k (c_k + zero) s q_k and the sum of d_k zero s q_k; the sum of m_k s q_k is
m times s times the sum of q_k in the block, an exact integer, too. No term of them is rounded more than 2 B + 24 times:
in at most two additions for a block, and around them (in the sum of lanes, the division by 127, the offset's share, the
rounding of w itself).

    |y - y*| <= sum |w_k| e_b  +  2 (B + 12) u sum of (|d_k c_k| + 2 zero |d_k| + |m_k|) (|x_k| + e_b)
                +  2^-142 sum |x_k|  +  2^-134 K

The last line is for denormals: w itself, d s, and the zero corrections. A sum s q that is denormal adds nothing to it:
where codes are not 0, p is above 2^-120, and u p |m| above the loss. Q8_A has its scales along columns: x_k times the
scale is quantized, and 1 / 127 takes the place of d. Where the activations are whole multiples of s, e_b is 0
(`lossless`), and the rest is narrow enough to show a single wrong code.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.kernels.products.crossover import FLOAT_ROWS
from fourcc.kernels.simd.target import multiplies_bfloat16s, target
from fourcc.qmatrix import QMatrix
from tests.kernels.ggml_codes import NUMBERS, grouped

U = 2.0**-24
BLOCK = 32  # columns whose activations share a scale
LEAST = 2.0**-119  # twice the kernels' own limit: with a peak above it, a block's codes are surely not all 0


def float_bound(w: Array, x: Array) -> Array:
    """Bound of a product with float activations, float64 (n, rows).

    Args:
        w: decoded weights, float64 (rows, cols).
        x: float64 (n, cols).
    """
    cols = w.shape[1]
    least = cols * (1 + np.abs(w).max(axis=1, initial=0)) + np.abs(x).sum(axis=1)[:, None]  # (n, rows)
    return 2 * (cols + 32) * U * (np.abs(x) @ np.abs(w).T) + 2.0**-149 * least


def rounded_bound(w: Array, x: Array) -> Array:
    """Bound of a product of BF16 with activations that are rounded to it, float64 (n, rows).

    Args:
        w: decoded weights, float64 (rows, cols).
        x: float64 (n, cols).
    """
    cols, terms = w.shape[1], np.abs(x) @ np.abs(w).T
    least = cols + np.abs(w).sum(axis=1) + np.abs(x).sum(axis=1)[:, None]  # (n, rows)
    return 2.0**-8 * terms + 2 * (cols + 32) * U * (1 + 2.0**-8) * terms + 2.0**-125 * least


@dataclass(frozen=True)
class Codes:
    """Rows of integer codes that take the same activations.

    Attributes:
        scale: d, (rows, cols).
        code: (rows, cols).
        offset: m, (rows, cols).
        factor: multiplies an activation before it is quantized, (cols,).
        zero: the zero point by which codes are shifted.
        group: columns that share a scale, at most 32.
        exact_sums: whether offsets are means of their codes, and meet the activations as they are.
    """

    scale: Array
    code: Array
    offset: Array
    factor: Array
    zero: int
    group: int = BLOCK
    exact_sums: bool = False

    @property
    def rounded(self) -> Array:
        """The factors of the rounded activations, (rows, cols)."""
        return self.scale * self.code + (0 if self.exact_sums else self.offset)


def q8_0(parts: Parts, rows: int, cols: int) -> list[Codes]:
    """Q8_0 has a float16 scale for 32 columns."""
    blocks = parts["blocks"]
    scale = np.repeat(blocks["d"].astype(np.float64), BLOCK, axis=1)
    code = blocks["q"].reshape(rows, cols).astype(np.float64)
    return [Codes(scale, code, np.zeros_like(scale), np.ones(cols), target().bias)]


def q4_0(parts: Parts, rows: int, cols: int) -> list[Codes]:
    """Q4_0 has a float16 scale for 32 columns, and codes 0 .. 15 for -8 .. 7, low nibbles first."""
    blocks = parts["blocks"]
    (packed,) = (name for name in blocks.dtype.names if name != "d")
    scale = np.repeat(blocks["d"].astype(np.float64), BLOCK, axis=1)
    nibbles = np.concatenate([blocks[packed] & 15, blocks[packed] >> 4], axis=-1)
    code = nibbles.reshape(rows, cols).astype(np.float64) - 8
    return [Codes(scale, code, np.zeros_like(scale), np.ones(cols), 8)]


def q8_b(parts: Parts, rows: int, cols: int) -> list[Codes]:
    """Q8_B has a float32 mean for 128 columns, and a scale, which is stored times 127."""
    del rows
    scale, mean = (np.repeat(parts[name].astype(np.float64), 128, axis=1)[:, :cols] for name in ("scales", "means"))
    code = parts["q"].astype(np.float64)
    return [Codes(scale / 127, code, mean, np.ones(cols), target().bias, exact_sums=True)]


def q8_a(parts: Parts, rows: int, cols: int) -> list[Codes]:
    """Q8_A has a float32 scale for 128 rows of a column, stored times 127."""
    codes = []
    for index, scales in enumerate(parts["scales"].astype(np.float64)):
        code = parts["q"][128 * index : min(rows, 128 * index + 128)].astype(np.float64)
        scale = np.full(code.shape, 1 / 127)
        codes.append(Codes(scale, code, np.zeros((len(code), cols)), scales, target().bias))
    return codes


def _ggml(tag: str) -> Callable[[Parts, int, int], list[Codes]]:
    def codes(parts: Parts, rows: int, cols: int) -> list[Codes]:
        scale, code, offset, zero, group = grouped(tag, parts, rows, cols)
        return [Codes(scale, code, offset, np.ones(cols), zero, min(BLOCK, group))]

    return codes


INTEGERS = {"Q8_0": q8_0, "Q4_0": q4_0, "Q8_B": q8_b, "Q8_A": q8_a} | {tag: _ggml(tag) for tag in NUMBERS}


def quantization_error(x: Array) -> Array:
    """e_b of each activation, (n, cols)."""
    blocks = -(-x.shape[1] // BLOCK)
    padded = np.zeros((len(x), blocks * BLOCK))
    padded[:, : x.shape[1]] = np.abs(x)
    peak = padded.reshape(len(x), blocks, BLOCK).max(axis=2)
    error = np.where(peak > LEAST, peak / 127 * (0.5 + 2**-15), peak) + 2.0**-142
    return np.repeat(error, BLOCK, axis=1)[:, : x.shape[1]]


def integer_bound(codes: list[Codes], x: Array, *, lossless: bool = False) -> Array:
    """Bound of a product with quantized activations, float64 (n, rows).

    Args:
        codes: those of the weights, one for each block of rows.
        x: float64 (n, cols).
        lossless: whether the activations are whole multiples of their blocks' scales.
    """
    cols = x.shape[1]
    bounds = []
    for each in codes:
        scaled = x * each.factor
        error = np.zeros_like(scaled) if lossless else quantization_error(scaled)
        size = np.abs(each.scale * each.code) + 2 * each.zero * np.abs(each.scale) + np.abs(each.offset)
        terms = (np.abs(scaled) + error) @ size.T
        bounds.append(error @ np.abs(each.rounded).T + 2 * (-(-cols // each.group) + 12) * U * terms)
    return np.concatenate(bounds, axis=1) + 2.0**-142 * np.abs(x).sum(axis=1)[:, None] + 2.0**-134 * cols


def decoded(q: QMatrix) -> Array:
    """The weights as products take them, float64 (rows, cols)."""
    with np.errstate(invalid="ignore", over="ignore"):  # a signalling NaN; a float64 beyond float32
        return q.decode().astype(np.float32).astype(np.float64)


def bound(q: QMatrix, x: Array, *, exact: bool = False, lossless: bool = False, count: int | None = None) -> Array:
    """How far ``q.matmul(x)`` may be from the exact product, float64 (n, rows).

    Args:
        q: the matrix.
        x: (n, cols).
        exact: whether `q.matmul` was asked for the product with float activations.
        lossless: as for `integer_bound`.
        count: activations that were multiplied together; None: these.
    """
    wide = np.asarray(x, np.float64)
    codes = INTEGERS.get(str(q.tag))
    if str(q.tag) == "BF16" and not exact and (count or len(x)) > FLOAT_ROWS and multiplies_bfloat16s():
        return rounded_bound(decoded(q), wide)
    if exact or codes is None:
        return float_bound(decoded(q), wide)
    return integer_bound(codes(q.parts, *q.shape), wide, lossless=lossless)


def excess(
    q: QMatrix,
    x: Array,
    product: Array,
    *,
    exact: bool = False,
    lossless: bool = False,
    count: int | None = None,
) -> float:
    """The largest error of a product in units of its bound; up to 1 is right. NaN counts as infinite.

    Args:
        q: the matrix.
        x: (n, cols), finite.
        product: of both, (n, rows).
        exact: as for `bound`.
        lossless: as for `bound`.
        count: as for `bound`.
    """
    if not product.size:
        return 0.0
    x = np.asarray(x, np.float32).astype(np.float64)
    wanted = x @ decoded(q).T
    allowed = bound(q, x, exact=exact, lossless=lossless, count=count)
    off = np.abs(product.astype(np.float64) - wanted) / allowed
    return float(np.where(np.isnan(off), np.inf, off).max()) if q.shape[1] else float(np.abs(product).max())
