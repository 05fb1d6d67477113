"""Matrices and activations for tests of products: of many magnitudes, drawn from a seed, so only shapes shrink."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from fourcc.arrays import Array
from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry
from fourcc.tags import FourCC, as_tag

TAGS = [tag for tag in registry if registry.entry(tag).distribution == OWN]
ENCODED = [tag for tag in TAGS if registry[tag].encode is not None]
OTHERS = [tag for tag in TAGS if registry[tag].encode is None]

ROWS = st.one_of(st.integers(1, 40), st.integers(1, 40), st.sampled_from([127, 128, 129, 255, 300, 700]))
RAGGED = st.one_of(st.integers(1, 130), st.sampled_from([1, 15, 16, 33, 64, 127, 128, 172, 255, 257, 288, 513]))
WHOLE = st.sampled_from([32, 64, 96, 288, 480, 512, 544, 1056])
COUNTS = st.one_of(st.integers(1, 3), st.integers(1, 40))
SEEDS = st.integers(0, 2**32 - 1)

Draw = Callable[[np.random.Generator, tuple[int, int]], Array]


def normal(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Standard normal numbers, of a size that models have."""
    return random.standard_normal(shape)


def outliers(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Normal numbers, one in thirty of which is a hundred times as large."""
    return random.standard_normal(shape) * np.where(random.random(shape) < 1 / 30, 100, 1)


def sparse(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Normal numbers, nine in ten of which are 0 or -0."""
    return random.standard_normal(shape) * (random.random(shape) < 0.1)


def single(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Zeros, but for one number in each row."""
    x = np.zeros(shape)
    x[np.arange(shape[0]), random.integers(shape[1], size=shape[0])] = random.standard_normal(shape[0])
    return x


def whole(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Small whole numbers, which give ties and repetitions."""
    return random.integers(-8, 9, shape).astype(np.float64)


def mixed(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Numbers of magnitudes from 2^-30 to 2^12."""
    return random.standard_normal(shape) * 2.0 ** random.integers(-30, 13, shape)


def nothing(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Zeros."""
    return np.zeros(shape)


STYLES: list[Draw] = [normal, outliers, sparse, single, whole, mixed, nothing]
EXPONENTS = st.sampled_from([0, 0, 0, 0, -8, 4, -24, -120, -126, -140, -149])
HIGH = st.sampled_from([0, 0, 0, 0, -8, 4, 30, 60, -24, -118, -120, -126, -140, -149])


def numbers(style: Draw, seed: int, shape: tuple[int, int], exponent: int = 0) -> Array:
    """Float32 numbers of a style, times a power of two."""
    return (style(np.random.default_rng(seed), shape) * 2.0**exponent).astype(np.float32)


def fitting(tag: FourCC | str, cols: int) -> int:
    """The least number of columns from `cols` on that a format takes."""
    spec = registry[as_tag(tag)]
    width = spec.width() or 1
    return cols if spec.short_block else -(-cols // width) * width


def columns(tag: FourCC) -> st.SearchStrategy[int]:
    """Numbers of columns that a format takes."""
    spec = registry[tag]
    return RAGGED if spec.short_block or spec.block[1] in {None, 1} else WHOLE.map(lambda cols: fitting(tag, cols))
