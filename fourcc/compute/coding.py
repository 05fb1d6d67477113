"""Encoding, decoding and measuring of tiles: with compiled kernels where that pays, else in numpy, with equal results.

Compiling a kernel takes about a second. So compiled code is used if it is on the disk already, if the whole work is
large, or if numpy has already taken as long as compiling would have. Small work does not even look for it: loading the
modules that compiled code needs takes longer than the work.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from fourcc.compute.choosing import kernel_of
from fourcc.dtypes import numpy_dtype
from fourcc.kernels.descriptors import JOB, address, empty, matrix
from fourcc.metrics import ErrorSums

if TYPE_CHECKING:
    from fourcc.arrays import Array, Parts
    from fourcc.format import Format
    from fourcc.geometry import Geometry
    from fourcc.kernels.compiler.jit import KernelFunction
    from fourcc.kernels.kernel import Kernel
    from fourcc.settings import Params

T = TypeVar("T")

WORTH_LOOKING = 1 << 18  # weights of the whole work, from which on compiled code is looked for
WORTH_COMPILING = 1 << 24  # weights of the whole work, from which on it is compiled
PATIENCE = 1.0  # seconds in numpy, after which compiling would have paid


class _Choice:
    """The choice of the kernels that run compiled."""

    def __init__(self) -> None:
        self._code: dict[KernelFunction, KernelFunction] = {}
        self._spent: dict[KernelFunction, float] = {}  # seconds in numpy, of kernels that are not compiled
        self._lock = Lock()

    def code(self, kernel: KernelFunction, whole: int) -> KernelFunction | None:
        """The kernel as machine code, or None if numpy is to do the work."""
        from fourcc.kernels.compiler import jit

        if jit.uncompiled():
            return None
        code = self._code.get(kernel)
        if code is not None:
            return code
        spent = self._spent.get(kernel)
        if whole < WORTH_COMPILING and (not jit.is_ready(kernel) if spent is None else spent < PATIENCE):
            self._spent.setdefault(kernel, 0.0)
            return None
        self._code[kernel] = jit.compiled(kernel)
        return self._code[kernel]

    def timed(self, kernel: KernelFunction, work: Callable[[], T]) -> T:
        """Does a kernel's work in numpy, and adds its time to the seconds spent so."""
        start = perf_counter()
        done = work()
        with self._lock:
            self._spent[kernel] = self._spent.get(kernel, 0.0) + perf_counter() - start
        return done


_choice = _Choice()


def either(kernel: KernelFunction | None, whole: int, fast: Callable[[KernelFunction], T], slow: Callable[[], T]) -> T:
    """The result of the work, done by the kernel's machine code if it is to be used, else in numpy."""
    if kernel is None:
        return slow()
    code = _choice.code(kernel, whole)
    return _choice.timed(kernel, slow) if code is None else fast(code)


def encode(
    fmt: Format, tile: Array, geom: Geometry, options: Params, slow: Callable[[], Parts], *, plain: bool, whole: int
) -> Parts:
    """A tile's parts, from the format's kernel or the format itself; their exceptions pass through.

    Args:
        fmt: the format.
        tile: the weights, as the format takes them.
        geom: the tile's.
        options: complete and checked.
        slow: encodes with the format itself.
        plain: whether neither a result of `prepare` nor calibration data steer the encoder; a kernel takes none.
        whole: weights of the whole work that this is a part of.
    """
    kernel = _kernel(fmt, geom.params, whole) if plain else None
    if kernel is None or kernel.encoder is None or not _plain_floats(tile):
        return slow()

    def fast(code: KernelFunction) -> Parts:
        parts = {part.name: np.empty(part.shape(geom), numpy_dtype(part.dtype)) for part in fmt.parts}
        _run(code, (geom.rows, geom.cols), [parts[name] for name in kernel.parts], x=tile)
        return parts

    return either(kernel.encoder(options), whole, fast, slow)


def decode(fmt: Format, parts: Parts, geom: Geometry, *, whole: int, out: Array | None = None) -> Array:
    """Decoded rows, from the format's kernel or the format itself; their exceptions pass through.

    Args:
        fmt: the format.
        parts: of the rows.
        geom: of the rows.
        whole: weights of the whole work that this is a part of.
        out: float32 (rows, cols) that may be filled, and is the result if it is.
    """
    kernel = _kernel(fmt, geom.params, whole)
    if kernel is None or not _as_declared(fmt, parts, geom) or fmt.decoded != "<f4":
        return fmt.decode(parts, geom)

    def fast(code: KernelFunction) -> Array:
        into = np.empty((geom.rows, geom.cols), np.float32) if out is None or not _plain_floats(out) else out
        _run(code, into.shape, [parts[name] for name in kernel.parts], out=into)
        return into

    return either(kernel.decode, whole, fast, lambda: fmt.decode(parts, geom))


def ready(fmt: Format, params: Params, options: Params | None = None) -> bool:
    """Whether decoding and measuring, and encoding too where `options` are given, need no kernel compiled first."""
    from fourcc.kernels.compiler import jit
    from fourcc.kernels.measuring.error_sums import error_sums as measuring

    if jit.uncompiled():
        return True
    kernel = None if fmt.kernel is None else kernel_of(fmt, params)
    encoder = None if kernel is None or options is None or kernel.encoder is None else kernel.encoder(options)
    needed = (measuring, encoder, None if kernel is None else kernel.decode)
    return all(each is None or jit.is_ready(each) for each in needed)


def error_sums(original: Array, decoded: Array, *, whole: int) -> ErrorSums:
    """Sums of the errors of decoded weights (rows, cols); all weights are finite.

    Args:
        original: real numbers.
        decoded: of the same shape.
        whole: weights of the whole work that this is a part of.
    """
    if whole < WORTH_LOOKING or not (_plain_floats(original) and _plain_floats(decoded)):
        return ErrorSums.of(original, decoded)
    from fourcc.kernels.measuring import error_sums as kernel

    def fast(code: KernelFunction) -> ErrorSums:
        return ErrorSums(**kernel.results(_run(code, original.shape, [], x=original, out=decoded)))

    return either(kernel.error_sums, whole, fast, lambda: ErrorSums.of(original, decoded))


def _kernel(fmt: Format, params: Params, whole: int) -> Kernel | None:
    return None if whole < WORTH_LOOKING or fmt.kernel is None else kernel_of(fmt, params)


def _plain_floats(values: Array) -> bool:
    """Whether an array holds float32 as kernels read them: in this machine's byte order, rows without gaps."""
    return values.ndim == 2 and values.dtype == "=f4" and bool(values.flags.c_contiguous) and values.size > 0


def _as_declared(fmt: Format, parts: Parts, geom: Geometry) -> bool:
    """Whether parts have the declared shapes and dtypes; a kernel trusts them."""
    if not geom.rows or not geom.cols:
        return False
    expected = {part.name: (part.shape(geom), numpy_dtype(part.dtype)) for part in fmt.parts}
    return {name: (part.shape, part.dtype) for name, part in parts.items()} == expected


def _run(
    code: KernelFunction, shape: tuple[int, ...], parts: list[Array], x: Array | None = None, out: Array | None = None
) -> Array:
    """Runs a kernel over all rows of a tile, on this thread; gives its scratch memory, where it may leave results.

    Args:
        code: of the kernel.
        shape: rows and columns.
        parts: what the matrix's descriptor points to.
        x: float32 (rows, cols) for the job's X.
        out: float32 (rows, cols) for its OUT.
    """
    from fourcc.kernels.encoders.block_by_block import SCRATCH

    rows, cols = shape
    arrays = [np.ascontiguousarray(part) for part in parts]
    weights, job, scratch = matrix(rows, cols, arrays), JOB.record(), empty(SCRATCH)
    if x is not None:
        JOB.write(job, x=address(x), x_stride=x.strides[0])
    if out is not None:
        JOB.write(job, out=address(out), out_stride=out.strides[0])
    code(address(weights), address(job), 0, rows, address(scratch))
    return scratch
