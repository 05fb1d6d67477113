"""Runs encoders and decoders of kernels on whole matrices, and draws weights that are hard to encode."""

import warnings
from collections.abc import Callable

import numpy as np

from fourcc import compute
from fourcc.arrays import Array, Parts
from fourcc.compute.coding import _run
from fourcc.geometry import Geometry
from fourcc.kernels.compiler import jit
from fourcc.kernels.kernel import Kernel
from fourcc.plugins.registry import registry
from fourcc.qmatrix import numpy_dtype
from fourcc.settings import complete
from fourcc.tags import as_tag
from tests.kernels.random_inputs import STYLES, Draw

Options = dict[str, object]

CODED: list[tuple[str, Options]] = [
    ("F16", {}),
    ("BF16", {}),
    ("Q8_A", {}),
    ("Q8_B", {}),
    ("Q8_0", {}),
    ("Q4_0", {}),
    ("Q4_A", {"method": "kmeans"}),
    ("Q4_A", {"method": "equal-count"}),
]  # formats whose kernels encode and decode the stored parts
ENCODED = ["Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4N", "IQ4X", "MXF4"]  # of ggml
GGML: list[tuple[str, Options]] = [(tag, {}) for tag in ENCODED]
TRELLISES = ["TC2", "TC3", "TC4"]  # whose kernels decode; the compiled search is no kernel of rows
DECODED = [*dict.fromkeys(tag for tag, _ in CODED), "F32"]
FLT_MAX = np.finfo(np.float32).max


def kernel_of(tag: str) -> Kernel:
    """A format's kernel."""
    return compute.kernel_of(registry[as_tag(tag)])


def run(entry: jit.KernelFunction, shape: tuple[int, ...], parts: list[Array], *, plain: bool, **floats: Array) -> None:
    """Runs a kernel over all rows, compiled, or as plain Python."""
    if not plain:
        _run(jit.compiled(entry), shape, parts, **floats)
        return
    with warnings.catch_warnings(), np.errstate(all="ignore"):  # compiled code has no warnings either
        _run(entry, shape, parts, **floats)


def encoded_by_kernel(tag: str, w: Array, options: Options, *, plain: bool = False) -> Parts:
    """A matrix's parts, encoded; every byte is set before, so that an unwritten one shows."""
    found, kernel = registry[as_tag(tag)], kernel_of(tag)
    assert kernel.encoder is not None
    entry = kernel.encoder(complete(found.options, options))
    assert entry is not None
    parts = {part.name: np.empty(part.shape(Geometry(*w.shape)), numpy_dtype(part.dtype)) for part in found.parts}
    for part in parts.values():
        part.view(np.uint8)[...] = 0xA5
    run(entry, w.shape, [parts[name] for name in kernel.parts], plain=plain, x=w)
    return parts


def decoded_by_kernel(tag: str, parts: Parts, shape: tuple[int, int], *, plain: bool = False) -> Array:
    """The decoded weights (rows, cols); nothing beyond the matrix may be written."""
    kernel = kernel_of(tag)
    assert kernel.decode is not None
    memory = np.full(shape[0] * shape[1] + 64, 7, np.float32)
    out = memory[:-64].reshape(shape)
    run(kernel.decode, shape, [parts[name] for name in kernel.parts], plain=plain, out=out)
    assert (memory[-64:] == 7).all()
    return out


# -- weights


def any_bits(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """All finite float32, equally likely."""
    w = random.integers(0, 2**32, shape, np.uint32).view(np.float32)
    return np.where(np.isfinite(w), w, FLT_MAX)


def largest(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """The largest float32, of both signs."""
    return np.where(random.random(shape) < 0.5, FLT_MAX, -FLT_MAX)


def constant(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Every row has one number."""
    return np.repeat(random.standard_normal((shape[0], 1)), shape[1], axis=1)


def halves(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Halves of a code, and the numbers beside them, where one weight of 32 makes a code worth 1."""
    top = random.choice([127, -8], (shape[0], 1))
    ties = random.integers(-2 * abs(top), 2 * abs(top) + 1, shape) / 2
    w = np.nextafter(ties.astype(np.float32), random.choice([-np.inf, 0, np.inf], shape).astype(np.float32))
    w[:, ::32] = top
    return w


def geometric(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Every number is twice the one before, so most of a sum is in its last term."""
    return 2.0 ** (np.arange(shape[1]) % 200 - 100) * random.choice([-1, 1], shape)


def modes(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Three clusters far from each other."""
    return random.choice([-1000, 0, 3], shape) + random.standard_normal(shape) / 100


def grid(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Equal distances: many cuts are equally good."""
    return random.permuted(np.tile(np.arange(shape[1], dtype=np.float64), (shape[0], 1)), axis=1)


def close(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Numbers far from zero and close to each other."""
    return 1 + random.integers(0, 99, shape) * 2.0**-23


TROUBLE: list[Draw] = [*STYLES, any_bits, largest, constant, halves, geometric, modes, grid, close]
Check = Callable[[str, Array], None]


def weights(style: Draw, seed: int, shape: tuple[int, int], exponent: int = 0) -> Array:
    """Finite float32 of a style, times a power of two."""
    with np.errstate(over="ignore"):
        w = (style(np.random.default_rng(seed), shape) * 2.0**exponent).astype(np.float32)
    return np.clip(w, -FLT_MAX, FLT_MAX)
