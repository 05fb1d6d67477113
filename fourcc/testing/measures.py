"""Measures a format: bits per weight, signal to noise, rates; beside the nearest built-in formats."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import attrs
import numpy as np

from fourcc import compute
from fourcc.arrays import Array, Floats
from fourcc.errors import PluginError, shown
from fourcc.format import Format
from fourcc.metrics import ErrorSums
from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix
from fourcc.testing.finding import FoundError
from fourcc.testing.fused_rates import COUNTS, compared
from fourcc.testing.subject import Subject
from fourcc.testing.weights import bell, heavy

SIZES = ((512, 1024), (64, 1024), (16, 1024))  # smaller matrices for slow encoders
SECONDS = 1.0  # that an encoder may take for the matrix
NEAREST = 4  # formats to compare with
TURNS = 3  # timings, of which the fastest counts
PRODUCTS = 7  # timings of a product, of which the fastest counts: other work only adds
LARGE = 1 << 23  # weights of the multiplied matrix, whose floats are as large as the caches of a processor


@attrs.frozen(kw_only=True)
class Measure:
    """The measures of a format on this machine; None for what could not be measured.

    Attributes:
        tag: the format.
        bits_per_weight: the true number, with scales and short blocks; the nominal one where nothing can be encoded.
        sqnr_gauss: dB for normal weights.
        sqnr_heavy: dB for Student's t with 5 degrees of freedom.
        encode, decode: millions of weights per second on one thread, in numpy where the format has no compiled coder.
        multiply: millions of weights per second on one thread for the product with one activation.
        against_decoded: time of a product with 1 and with 32 activations divided by the time of the same product with
            weights that were decoded before, to float32; None where products do that anyway.
        level: how products are computed: native, fused or decode; empty where it is not known.
        weights: number of weights of the measured matrix.
        trouble: why the rest could not be measured; empty where it could.
    """

    tag: str
    bits_per_weight: float
    sqnr_gauss: float | None = None
    sqnr_heavy: float | None = None
    encode: float | None = None
    decode: float | None = None
    multiply: float | None = None
    against_decoded: Sequence[float] | None = None
    level: str = ""
    weights: int = 0
    trouble: str = ""


def measure(subject: Subject) -> Measure:
    """A format's measures, as far as it can be measured."""
    found: dict[str, Any] = {"bits_per_weight": float(subject.format.bits_per_weight(subject.params))}
    try:
        with subject.installed():
            found.update(_values(subject))  # one by one: what came before an exception stays
    except FoundError as error:
        found["trouble"] = ": ".join(filter(None, (error.finding.what, error.finding.found)))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a format may raise SystemExit
        found["trouble"] = f"{type(error).__name__}: {shown(error)}"
    return Measure(tag=subject.tag, **found)


def _values(subject: Subject) -> Iterator[tuple[str, object]]:
    """The names and values of measures, the most wanted first."""
    shape, seconds = _size(subject)
    gauss = bell(shape)
    start = time.perf_counter()
    matrix = subject.encode(gauss)
    seconds = min(seconds, time.perf_counter() - start)  # the first time, compiled code may have been loaded
    yield "weights", gauss.size
    yield "bits_per_weight", float(matrix.bits_per_weight)
    yield "encode", _rate(gauss, seconds)
    yield "sqnr_gauss", ErrorSums.of(gauss, matrix.decode()).sqnr_db
    yield "sqnr_heavy", _sqnr(subject, _student(shape))
    yield "decode", _rate(gauss, _fastest(matrix.decode))
    level = compute.kernel_of(subject.format, subject.params).level
    yield "level", level
    seconds, ratios = _products(matrix)
    yield "multiply", 1e-6 / seconds
    if level != "decode":
        yield "against_decoded", tuple(ratios)


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


def _products(matrix: QMatrix) -> tuple[float, list[float]]:
    """Seconds of a product with one activation on one thread, for each weight, and how products compare.

    The second are times of the format's products, for each of `COUNTS` activations, divided by those of products with
    decoded weights.
    """
    tall, floats = _taller(matrix)
    decoded = compute.pack_decoded(floats)
    rates = list(compared(tall.packed, decoded, COUNTS, 1, PRODUCTS, time.perf_counter, typical=min))
    return rates[0].fused / floats.size, [each.ratio for each in rates]


def _taller(matrix: QMatrix) -> tuple[QMatrix, Floats]:
    """The matrix below itself so often that no cache holds its decoded weights, and these."""
    spec, (rows, cols) = matrix.format, matrix.shape
    times = LARGE // (rows * cols) if spec.block[0] and rows % spec.block[0] == 0 and not spec.variable else 1
    decoded = np.asarray(matrix.decode(), np.float32)
    parts = {
        part.name: matrix.parts[part.name] if part.rows is None else np.concatenate([matrix.parts[part.name]] * times)
        for part in spec.parts
    }
    return QMatrix(spec.tag, (times * rows, cols), parts, matrix.params), np.concatenate([decoded] * times)


def _rate(w: Array, seconds: float) -> float:
    return w.size / max(seconds, 1e-9) / 1e6


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _fastest(work: Callable[[], object], turns: int = TURNS) -> float:
    return min(_timed(work) for _ in range(turns))
