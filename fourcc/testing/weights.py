"""The weights that the checks encode, equal on every machine, and their descriptions."""

from __future__ import annotations

import numpy as np

from fourcc.arrays import Array, Floats


def bell(shape: tuple[int, ...], exponent: int = 0, seed: int = 1) -> Floats:
    """Normal weights times a power of two."""
    return _scaled(np.random.default_rng(seed).standard_normal(shape), exponent)


def heavy(shape: tuple[int, ...], exponent: int = 0, seed: int = 2) -> Floats:
    """Student's t with 3 degrees of freedom, times a power of two: outliers."""
    return _scaled(np.random.default_rng(seed).standard_t(3, shape), exponent)


def integers(shape: tuple[int, ...], exponent: int = 0) -> Floats:
    """Small integers times a power of two: ties and repetitions, and denormals at -149."""
    count = int(np.prod(shape))
    return _scaled((np.arange(count) * 37 % 101 - 50.0).reshape(shape), exponent)


def largest(shape: tuple[int, ...], *, mixed: bool) -> Floats:
    """The largest float32, with one sign or both."""
    top = np.finfo(np.float32).max
    count = int(np.prod(shape))
    signs = np.where(np.arange(count) % 3, 1.0, -1.0) if mixed else np.ones(count)
    return (signs * float(top)).astype(np.float32).reshape(shape)


def described(w: Array, what: str = "") -> str:
    """A description of weights.

    >>> described(np.zeros((2, 3), np.float32), "zeros")
    'float32 (2, 3), zeros'
    """
    return f"{w.dtype} {w.shape}" + (f", {what}" if what else "")


def _scaled(values: Array, exponent: int) -> Floats:
    scaled: Floats = (np.asarray(values, np.float64) * 2.0**exponent).astype(np.float32)
    return scaled
