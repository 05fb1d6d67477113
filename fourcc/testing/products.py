"""Checks of products against decode-then-multiply."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from fourcc import compute
from fourcc.arrays import Array, Floats, Parts
from fourcc.compute import coding
from fourcc.errors import listed
from fourcc.geometry import Geometry
from fourcc.qmatrix import QMatrix
from fourcc.testing.decoding import same_numbers
from fourcc.testing.finding import Finding, attempt
from fourcc.testing.independence import all_bytes
from fourcc.testing.subject import Subject
from fourcc.testing.weights import bell, described

U = 2.0**-24  # unit roundoff of float32
ONE_HOT = 64  # roundings of a single weight, with those of a zero point that is added and subtracted
QUANTIZED = 0.03  # relative error of a product whose activations are rounded to 8 bits
PACKED = 1.06  # bytes of a packed matrix divided by stored bytes
WHOLE = 1 << 25  # weights; so large a matrix is coded by compiled code


def float_bound(w: Array, x: Array) -> Array:
    """The error bound of a product with float activations (specs/products.md), float64 (n, rows).

    Args:
        w: decoded weights, float64 (rows, cols).
        x: float64 (n, cols).
    """
    cols = w.shape[1]
    bound: Array = 2 * (cols + 32) * U * (np.abs(x) @ np.abs(w).T) + 2.0**-149 * cols
    return bound


def weights_of(matrix: QMatrix) -> Array:
    """The weights as products use them, float64 (rows, cols)."""
    with np.errstate(invalid="ignore", over="ignore"):  # a signalling NaN; a float64 beyond float32
        return matrix.decode().astype(np.float32).astype(np.float64)


def _matrices(subject: Subject) -> Iterator[tuple[str, QMatrix]]:
    """Matrices in the format with more rows than a kernel computes at once, and every kind of last block."""
    for rows, cols in dict.fromkeys((18, cols) for _, cols in subject.matrices()):
        if subject.format.misfit((rows, cols), subject.params) is None and cols <= 4096:
            w = bell((rows, cols))
            yield f"{described(w)}{subject.settled()}", subject.encode(w)


def columns(subject: Subject) -> Iterator[Finding]:
    """Each column counts once: an activation with a single 1 gives that column of weights."""
    for each in subject.variants():
        for what, matrix in _matrices(each):
            cols = matrix.shape[1]
            w = weights_of(matrix)
            probes = sorted({0, 1, each.width - 1, each.width, cols // 2, cols - 2, cols - 1} & set(range(cols)))
            ones = np.eye(cols, dtype=np.float32)
            tried = f"multiply {what} by activations of a single 1"
            together = attempt(partial(matrix.matmul, ones), tried=tried)
            alone = [attempt(partial(matrix.matmul, ones[[at]]), tried=tried)[0] for at in probes]
            near = ONE_HOT * U * np.abs(w).max(axis=1) + 2.0**-140  # (rows,)
            yield from _wrong_columns(each, together, w.T, near, f"{tried}, all {cols} at once", range(cols))
            yield from _wrong_columns(each, np.array(alone), w.T[probes], near, f"{tried}, one by one", probes)


def _wrong_columns(
    subject: Subject, found: Array, expected: Array, near: Array, tried: str, numbers: range | list[int]
) -> Iterator[Finding]:
    """The finding where products (n, rows) of single columns differ from the columns."""
    wrong = ~(np.abs(found - expected) <= near)
    if not wrong.any():
        return
    which = [list(numbers)[at] for at in np.flatnonzero(wrong.any(axis=1))]
    at = int(np.flatnonzero(wrong.any(axis=1))[0])
    row = int(np.flatnonzero(wrong[at])[0])
    lost = not found[wrong.any(axis=1)].any()
    last = which == [list(numbers)[-1]]
    out = "the last column" if last else _fits(subject, which) or "these columns"
    yield Finding(
        what="a product is not decode-then-multiply",
        tried=tried,
        found=f"column{'s' * (len(which) != 1)} {_listed(which)} wrong; of column {which[0]}, row {row} gives "
        f"{found[at, row]:.8g}",
        expected=f"the decoded weight {expected[at, row]:.8g}",
        cause=f"the kernel leaves {out} out"
        if lost
        else f"the block decoder or kernel disagrees with `decode` in {out}",
        advice="`decode` is normative. Compare one block of `decode_block`, or of the kernel's panel, with it.",
    )


def _fits(subject: Subject, which: list[int]) -> str:
    inside = {at % subject.width for at in which}
    return f"column {inside.pop()} of each block" if len(inside) == 1 and subject.width > 1 else ""


def _listed(which: list[int]) -> str:
    return listed(which, 5) + " are" * (len(which) > 5)


def normal_activations(subject: Subject) -> Iterator[Finding]:
    """Products with one or several activations, kept as floats, are within the bound of float products."""
    for what, matrix in _matrices(subject):
        w = weights_of(matrix)
        for n in (1, 2, 5, 17):
            x = bell((n, matrix.shape[1]), seed=7)
            right = x.astype(np.float64) @ w.T
            tried = f"multiply {what} by {n} normal activation{'s' * (n > 1)}"
            exact = attempt(partial(matrix.matmul, x, exact=True), tried=f"{tried}, as floats")
            over = np.abs(exact - right) / float_bound(w, x.astype(np.float64))
            if not (over <= 1).all():
                yield _far(f"{tried}, as floats", over, "2 (K + 32) u sum |w| |x|, see specs/products.md")
            quick = attempt(partial(matrix.matmul, x), tried=tried)
            off = np.sqrt(np.square(quick - right).sum() / max(np.square(right).sum(), 1e-300))
            if not off <= QUANTIZED:
                yield Finding(
                    what="a product is far from decode-then-multiply",
                    tried=tried,
                    found=f"relative error {off:.3g}",
                    expected=f"at most {QUANTIZED}; activations of 8 bits stay well below",
                    cause="a scale, a zero point or a block is left out when activations are quantized",
                )


def _far(tried: str, over: Array, expected: str) -> Finding:
    at = np.unravel_index(int(np.argmax(np.where(np.isnan(over), np.inf, over))), over.shape)
    return Finding(
        what="a product is further from decode-then-multiply than rounding allows",
        tried=tried,
        found=f"activation {at[0]}, row {at[1]}: {over[at]:.3g} times the bound",
        expected=f"within {expected}",
        cause="a kernel that disagrees with `decode`",
    )


def threads(subject: Subject) -> Iterator[Finding]:
    """A product has the same bits for every number of threads."""
    for rows in (37, 145):
        shape = (rows, subject.plain_shape()[1])
        matrix, x = subject.encode(bell(shape)), bell((3, shape[1]), seed=7)
        for activations in (x[:1], x):
            alone = matrix.matmul(activations, 1)
            for count in (2, 3, 5):
                if matrix.matmul(activations, count).tobytes() != alone.tobytes():
                    yield Finding(
                        what="a product depends on the number of threads",
                        tried=f"multiply {shape} weights by {len(activations)} activations with 1 and {count} threads",
                        cause="rows that share something: scratch memory, a sum, or a block across `row_align`",
                    )
                    return


def nan_shows(subject: Subject) -> Iterator[Finding]:
    """NaN among the activations shows in every row."""
    shape = subject.plain_shape()
    matrix, x = subject.encode(bell(shape)), bell((1, shape[1]), seed=7)
    for column in (0, shape[1] - 1):
        x[0, column] = np.nan
        product = matrix.matmul(x)
        if np.isfinite(product).any():
            yield Finding(
                what="NaN in an activation is lost in the product",
                tried=f"multiply {shape} weights by activations with NaN in column {column}",
                found=f"{np.count_nonzero(np.isfinite(product))} of {product.size} results are finite",
                cause="the kernel skips the column, or weights that are 0",
            )
        x[0, column] = 1


def gathered(subject: Subject) -> Iterator[Finding]:
    """Rows that are looked up by number, as in an embedding, are the decoded rows."""
    for what, matrix in _matrices(subject):
        ids = np.array([17, 0, 5, 17, 16])
        w = weights_of(matrix)[ids]
        rows = attempt(partial(_rows, matrix, ids), tried=f"look up rows of {what}")
        if not (np.abs(rows - w) <= 8 * U * np.abs(w).max(axis=1)[:, None] + 2.0**-140).all():
            yield Finding(
                what="rows that are looked up are not the decoded ones",
                tried=f"look up rows {ids.tolist()} of {what}",
                found=f"off by up to {np.abs(rows - w).max():.3g}",
                cause="the kernel's `gather`, or the block decoder",
            )
            return


def _rows(matrix: QMatrix, ids: Array) -> Floats:
    return compute.gather(matrix.packed, ids)


def packed_size(subject: Subject) -> Iterator[Finding]:
    """A packed matrix takes at most 1.06 times the stored bytes."""
    shape = (128, 32 * subject.width if subject.width <= 64 else subject.plain_shape()[1])
    matrix = subject.encode(bell(shape))
    if compute.kernel_of(subject.format, subject.params).pack is None:
        return
    nbytes = sum(array.nbytes for array in matrix.packed.arrays)
    if nbytes > PACKED * matrix.nbytes:
        found, expected = f"{nbytes} bytes", f"at most {PACKED} times the stored {matrix.nbytes}"
        yield Finding(what="a packed matrix is too large", tried=f"pack {shape}", found=found, expected=expected)


def compiled_coders(subject: Subject) -> Iterator[Finding]:
    """A kernel's own decoder and encoder give the same bits as the format's."""
    fmt = subject.format
    if fmt.kernel is None or fmt.prepare is not None or fmt.encode is None:
        return
    for shape in subject.matrices():
        geom, tile = Geometry(*shape, subject.params), _tile(shape)
        slow = subject.encode(tile)
        fast = attempt(
            partial(coding.encode, fmt, tile, geom, subject.options, partial(_parts, slow), plain=True, whole=WHOLE),
            tried=f"encode {described(tile)} by the kernel",
        )
        if {name: part.tobytes() for name, part in fast.items()} != all_bytes(slow):
            yield Finding(what="the kernel's encoder gives other bytes", tried=f"encode {described(tile)}")
        weights = attempt(
            partial(coding.decode, fmt, slow.parts, geom, whole=WHOLE),
            tried=f"decode {shape} weights by the kernel",
        )
        if not same_numbers(weights, slow.decode()):
            yield Finding(what="the kernel's decoder gives other weights", tried=f"decode {shape} weights")


def _parts(matrix: QMatrix) -> Parts:
    return matrix.parts


def _tile(shape: tuple[int, int]) -> Floats:
    return np.ascontiguousarray(bell(shape, -3))


def uncompiled(subject: Subject) -> Iterator[Finding]:
    """Kernels that run uncompiled, as plain Python, give the same products within the bound."""
    shape = (3, subject.plain_shape()[1])
    matrix = subject.encode(bell(shape))
    w = weights_of(matrix)
    for n in (1, 2):
        x = bell((n, shape[1]), seed=7)
        tried = f"multiply {shape} weights by {n} activation{'s' * (n > 1)} with NUMBA_DISABLE_JIT=1"
        product = attempt(partial(matrix.matmul, x, exact=True), tried=tried)
        over = np.abs(product - x.astype(np.float64) @ w.T) / float_bound(w, x.astype(np.float64))
        if not (over <= 1).all():
            yield _far(tried, over, "the bound of float products")
