"""The cost of rounding activations: the error of a product beside that of the rounded activations alone."""

from dataclasses import replace

import numpy as np

from fourcc import encode
from fourcc.arrays import Array
from fourcc.qmatrix import QMatrix
from fourcc.tags import FourCC
from tests.kernels.bounds import BLOCK, INTEGERS, decoded, integer_bound
from tests.kernels.random_inputs import fitting

NOTICED = 1e-5  # relative error from which on activations were rounded: that of floats is below 1e-6
LEAST = np.float32(2.0**-120)  # specs/products.md: up to there all codes are 0
LOUD, TIMES = 8, 20  # columns that are larger than the others, and how many times


def quantized(x: Array) -> Array:
    """Activations as products of codes take them, s q of specs/products.md, float64 (n, cols).

    Args:
        x: float32 (n, cols).
    """
    padded = np.zeros((len(x), -(-x.shape[1] // BLOCK), BLOCK), np.float32)
    padded.reshape(len(x), -1)[:, : x.shape[1]] = x
    peak = np.abs(padded).max(axis=2, keepdims=True)  # (n, blocks, 1)
    inverse = np.divide(np.float32(127), peak, out=np.zeros_like(peak), where=peak > LEAST)
    rounded = (peak / np.float32(127)).astype(np.float64) * np.rint(padded * inverse)
    return rounded.reshape(len(x), -1)[:, : x.shape[1]]


def as_bfloat16(x: Array) -> Array:
    """Activations rounded to bfloat16, half to even, float64 (n, cols)."""
    bits = np.ascontiguousarray(x).view(np.uint32)
    return (bits + 0x7FFF + (bits >> 16 & 1) & 0xFFFF0000).view(np.float32).astype(np.float64)


def of_rounded(q: QMatrix, x: Array) -> Array:
    """The decoded weights times the activations as the format's product rounds them, float64 (n, rows).

    Args:
        q: the matrix.
        x: float32 (n, cols).
    """
    weights, products = decoded(q), []
    if str(q.tag) == "BF16":
        return as_bfloat16(x) @ weights.T
    for codes in INTEGERS[str(q.tag)](q.parts, *q.shape):
        factor = codes.factor.astype(np.float32)
        some, weights = weights[: len(codes.code)], weights[len(codes.code) :]
        products.append(quantized(x * factor) @ (some / np.where(factor, factor, 1)).T)
    return np.concatenate(products, axis=1)


def excess_of_rounding(q: QMatrix, x: Array, product: Array) -> float:
    """The error of a product against that of codes, offsets and rounded activations, in bounds of rounding sums."""
    wanted, allowed = [], []
    for codes in INTEGERS[str(q.tag)](q.parts, *q.shape):
        taken = quantized(x * codes.factor.astype(np.float32))
        plain = replace(codes, factor=np.ones_like(codes.factor))
        exactly = x.astype(np.float64) if codes.exact_sums else taken
        wanted.append(taken @ (codes.scale * codes.code).T + exactly @ codes.offset.T)
        allowed.append(integer_bound([plain], np.maximum(np.abs(taken), np.abs(exactly)), lossless=True))
    off = np.abs(product - np.concatenate(wanted, axis=1)) / np.concatenate(allowed, axis=1)
    return float(np.where(np.isnan(off), np.inf, off).max())


def drawn(tag: FourCC, rows: int, cols: int, n: int) -> tuple[QMatrix, Array]:
    """Gaussian weights in a format, and `n` activations, a few columns of which are large."""
    random = np.random.default_rng(1)
    cols = fitting(tag, cols)
    w = random.standard_normal((rows, cols)).astype(np.float32)
    x = random.standard_normal((n, cols)).astype(np.float32)
    x[:, random.choice(cols, LOUD, replace=False)] *= TIMES
    return encode(w, tag), x


def rounds(tag: FourCC, n: int) -> bool:
    """Whether the format's product with `n` activations rounds them; the result tells."""
    q, x = drawn(tag, 32, 256, n)
    exact = x.astype(np.float64) @ decoded(q).T
    return rms(q.matmul(x) - exact) > NOTICED * rms(exact)


def rms(numbers: Array) -> float:
    """Root of their mean square."""
    return float(np.sqrt(np.mean(np.square(numbers, dtype=np.float64))))


def errors(tag: FourCC, rows: int, cols: int, n: int) -> tuple[float, float]:
    """The errors of the product, and of exact sums with the rounded activations: RMS, relative to the exact product."""
    q, x = drawn(tag, rows, cols, n)
    exact = x.astype(np.float64) @ decoded(q).T
    size = rms(exact)
    return rms(q.matmul(x) - exact) / size, rms(of_rounded(q, x) - exact) / size
