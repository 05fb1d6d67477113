"""What rounding activations costs: the error of each product beside the one that the rounded activations alone cause.

``python -m tests.kernels.activation_error`` prints it for every format of this package that rounds activations.
"""

from collections.abc import Iterator

import numpy as np

from fourcc import encode
from fourcc.format import Array
from fourcc.qmatrix import QMatrix
from tests.kernels.bounds import BLOCK, INTEGERS, decoded
from tests.kernels.drawing import ENCODED

ROUNDED = 1e-5  # relative error from which on activations were rounded: that of floats is below 1e-6
LEAST = np.float32(2.0**-120)  # specs/products.md: up to there all codes are 0
LOUD, TIMES = 8, 20  # columns that are larger than the others, and how many times


def quantized(x: Array) -> Array:
    """Activations as products of codes take them, s q of specs/products.md: float64 (n, cols).

    Args:
        x: float32 (n, cols).
    """
    blocks = -(-x.shape[1] // BLOCK)
    padded = np.zeros((len(x), blocks, BLOCK), np.float32)
    padded.reshape(len(x), -1)[:, : x.shape[1]] = x
    peak = np.abs(padded).max(axis=2, keepdims=True)  # (n, blocks, 1)
    inverse = np.divide(np.float32(127), peak, out=np.zeros_like(peak), where=peak > LEAST)
    made = (peak / np.float32(127)).astype(np.float64) * np.rint(padded * inverse)
    return made.reshape(len(x), -1)[:, : x.shape[1]]


def as_bfloat16(x: Array) -> Array:
    """Activations rounded to bfloat16, half to even: float64 (n, cols)."""
    bits = x.view(np.uint32)
    return (bits + 0x7FFF + (bits >> 16 & 1) & 0xFFFF0000).view(np.float32).astype(np.float64)


def of_rounded(q: QMatrix, x: Array) -> Array:
    """The product of decoded weights with the activations as the kernel rounds them, float64 (n, rows).

    Args:
        q: the matrix.
        x: float32 (n, cols).
    """
    weights = decoded(q)
    if str(q.tag) == "BF16":
        return as_bfloat16(x) @ weights.T
    made = []
    for codes in INTEGERS[str(q.tag)](q.parts, *q.shape):
        taken = quantized((x * codes.factor.astype(np.float32)).astype(np.float32))
        some, weights = weights[: len(codes.code)], weights[len(codes.code) :]
        made.append(taken @ (some / np.where(codes.factor, codes.factor, 1)).T)
    return np.concatenate(made, axis=1)


def rounds(tag: object, n: int) -> bool:
    """Whether a product with `n` activations rounds them, asked of the product itself."""
    q, x = drawn(tag, 32, 256, n)
    product, exact = q.matmul(x).astype(np.float64), q.matmul(x, exact=True)
    return rms(product - exact) > ROUNDED * rms(exact)


def drawn(tag: object, rows: int, cols: int, n: int) -> tuple[QMatrix, Array]:
    """Gaussian weights in a format, and as many activations, a few columns of which are large."""
    random = np.random.default_rng(1)
    w = random.standard_normal((rows, cols)).astype(np.float32)
    x = random.standard_normal((n, cols)).astype(np.float32)
    x[:, random.choice(cols, LOUD, replace=False)] *= TIMES
    return encode(w, str(tag)), x


def rms(off: Array) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(off, dtype=np.float64))))


def errors(tag: object, rows: int, cols: int, n: int) -> tuple[float, float]:
    """Of the product, and of exact arithmetic with the rounded activations; relative to the exact product, RMS."""
    q, x = drawn(tag, rows, cols, n)
    exact = x.astype(np.float64) @ decoded(q).T
    size = rms(exact)
    return rms(q.matmul(x) - exact) / size, rms(of_rounded(q, x) - exact) / size


def rounding(n: int) -> Iterator[object]:
    """The formats whose products with `n` activations round them."""
    return (tag for tag in ENCODED if rounds(tag, n))


def main() -> None:
    """Prints the table."""
    print("512 x 1024 Gaussian weights, 64 activations, 8 of their columns 20 times as large; RMS, relative")
    print(f"{'tag':6}{'product':>9}{'W s q':>9}{'ratio':>8}")
    for tag in rounding(64):
        product, alone = errors(tag, 512, 1024, 64)
        print(f"{tag!s:6}{product:9.5f}{alone:9.5f}{product / alone:8.3f}")


if __name__ == "__main__":
    main()
