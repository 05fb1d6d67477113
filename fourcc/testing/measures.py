"""Measures a format: bits per weight, signal to noise, rates; beside the nearest built-in formats."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import partial

import attrs
import numpy as np

from fourcc import compute
from fourcc.errors import PluginError
from fourcc.format import Array, Format
from fourcc.metrics import ErrorSums
from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix
from fourcc.testing.subject import Subject
from fourcc.testing.weights import bell, heavy

SIZES = ((1024, 1024), (256, 1024), (64, 1024), (16, 1024))  # smaller matrices for slow encoders
SECONDS = 2.0  # that an encoder may take for the matrix
NEAREST = 4  # formats to compare with
TURNS = 5  # timings, of which the fastest counts


@attrs.frozen(kw_only=True)
class Measure:
    """The measures of a format on this machine.

    Attributes:
        tag: the format.
        bits_per_weight: the true number, with scales and short blocks.
        sqnr_gauss: dB for normal weights.
        sqnr_heavy: dB for Student's t with 5 degrees of freedom.
        encode, decode: millions of weights per second on one thread, in numpy where the format has no compiled coder.
        multiply: millions of weights per second on one thread for the product with one activation.
        level: how products are computed: native, fused or decode.
        weights: number of weights of the measured matrix.
    """

    tag: str
    bits_per_weight: float
    sqnr_gauss: float
    sqnr_heavy: float
    encode: float
    decode: float
    multiply: float
    level: str
    weights: int


def measure(subject: Subject) -> Measure:
    """A format's measures. Raises FoundError, or what the format raises, where it cannot be measured."""
    with subject.installed():
        shape, seconds = _size(subject)
        gauss = bell(shape)
        matrix = subject.encode(gauss)
        return Measure(
            tag=subject.tag,
            bits_per_weight=float(matrix.bits_per_weight),
            sqnr_gauss=ErrorSums.of(gauss, matrix.decode()).sqnr_db,
            sqnr_heavy=_sqnr(subject, _student(shape)),
            encode=_rate(gauss, seconds),
            decode=_rate(gauss, _fastest(matrix.decode)),
            multiply=_rate(gauss, _product(matrix)),
            level=compute.kernel_of(subject.format, subject.params).level,
            weights=gauss.size,
        )


def nearest(subject: Subject) -> list[Format]:
    """Built-in formats with an encoder that spend about as many bits, the closest first."""
    bits = subject.format.bits_per_weight(subject.params)
    encoding = []
    for tag in registry:
        with contextlib.suppress(PluginError):
            if registry.entry(tag).distribution == OWN and (fmt := registry[tag]).encode is not None:
                encoding.append(fmt)
    able = [fmt for fmt in encoding if fmt.real and fmt is not subject.format and not fmt.needs]
    return sorted(able, key=lambda each: (abs(each.bits_per_weight() - bits), str(each.tag)))[:NEAREST]


def _student(shape: tuple[int, int]) -> Array:
    return np.random.default_rng(4).standard_t(5, shape).astype(np.float32)


def _sqnr(subject: Subject, w: Array) -> float:
    return ErrorSums.of(w, subject.roundtrip(w)).sqnr_db


def _size(subject: Subject) -> tuple[tuple[int, int], float]:
    """The largest matrix that is encoded within `SECONDS`, and the seconds that it takes."""
    smallest, *larger = reversed(SIZES)
    shape, seconds = smallest, _timed(lambda: subject.encode(heavy(smallest)))
    for other in larger:
        grown = seconds * other[0] / shape[0]
        if grown > SECONDS:
            break
        w = bell(other)
        shape, seconds = other, _timed(partial(subject.encode, w))
    return shape, seconds


def _product(matrix: QMatrix) -> float:
    """Seconds of a product with one activation on one thread, without the first, which may compile and pack."""
    x = bell((1, matrix.shape[1]), seed=7)
    matrix.matmul(x, 1)
    return _fastest(partial(matrix.matmul, x, 1), turns=20)


def _rate(w: Array, seconds: float) -> float:
    return w.size / max(seconds, 1e-9) / 1e6


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _fastest(work: Callable[[], object], turns: int = TURNS) -> float:
    return min(_timed(work) for _ in range(turns))
