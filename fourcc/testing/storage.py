"""Checks that stored parts are as declared: shapes, dtypes, bytes, bits."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import lcm, prod

import numpy as np

from fourcc.arrays import Array
from fourcc.dtypes import numpy_dtype
from fourcc.geometry import Geometry
from fourcc.part import FULL_ROW
from fourcc.qmatrix import QMatrix
from fourcc.testing.causes import parts_of
from fourcc.testing.finding import Finding
from fourcc.testing.subject import Subject
from fourcc.testing.weights import bell, described


def declared_size(subject: Subject) -> Iterator[Finding]:
    """The encoder gives each part in the shape and dtype that the spec declares, for every shape and setting."""
    for each in subject.variants():
        for shape in each.matrices():
            parts = parts_of(each, bell(shape), "normal weights")
            matrix = QMatrix(each.format.tag, shape, parts, each.params)
            yield from _sizes(each, matrix, f"{described(bell(shape))}{each.settled()}")


def _sizes(subject: Subject, matrix: QMatrix, tried: str) -> Iterator[Finding]:
    spec = subject.format
    if not spec.variable and matrix.nbytes != spec.stored_bytes(matrix.shape, subject.params):
        found, expected = str(matrix.nbytes), str(spec.stored_bytes(matrix.shape, subject.params))
        yield Finding(what="wrong number of bytes", tried=f"encode {tried}", found=found, expected=expected)
    weights = prod(matrix.shape)
    if matrix.bits_per_weight != (Fraction(8 * matrix.nbytes, weights) if weights else 0):
        yield Finding(what="wrong bits per weight", tried=f"encode {tried}", found=str(matrix.bits_per_weight))


def nominal_bits(subject: Subject) -> Iterator[Finding]:
    """A matrix of full blocks takes the listed bits per weight; parts of the whole matrix do not count."""
    spec = subject.format
    for each in subject.variants():
        geom = Geometry(2 * (spec.block[0] or 64), _full_columns(each), each.params)
        if spec.variable or (geom.cols != FULL_ROW and any(part.reach == "row" for part in spec.parts)):
            continue
        shared = [part for part in spec.parts if part.rows is None]
        whole = sum(prod(part.shape(geom)) * numpy_dtype(part.dtype).itemsize for part in shared)
        spent = Fraction(8 * (spec.stored_bytes((geom.rows, geom.cols), each.params) - whole), geom.rows * geom.cols)
        nominal = spec.bits_per_weight(each.params)
        if spec.block[1] is not None and spent != nominal:
            yield Finding(
                what="the nominal bits per weight are not those of full blocks",
                tried=f"the declared shapes of {geom.rows} x {geom.cols} weights{each.settled()}",
                found=f"{float(spent):.6g} bits",
                expected=f"{float(nominal):.6g} bits",
                cause="a part's `tail` does not grow in step with the columns, or nominal_bits is declared wrong",
            )


def _full_columns(subject: Subject) -> int:
    """About as many columns as nominal bits count with, of full blocks, whose codes fill whole bytes."""
    packings = [part.packing for part in subject.format.parts if part.packing is not None]
    step = lcm(subject.width, 8, *(each.digits or 8 * each.run for each in packings))
    return step * max(1, FULL_ROW // step)


def empty(subject: Subject) -> Iterator[Finding]:
    """A matrix without rows or columns is stored in no bytes, and decodes to no weights."""
    for shape in ((0, subject.width), (2, 0)):
        w: Array = np.zeros(shape, np.float32)
        decoded = subject.roundtrip(w, "no weights")
        if decoded.shape != shape:
            found, expected = str(decoded.shape), str(shape)
            yield Finding(what="wrong shape", tried=f"encode and decode {described(w)}", found=found, expected=expected)


def unfit_shapes(subject: Subject) -> Iterator[Finding]:
    """A shape that does not fit is refused before any work, with the reason."""
    shape = (2, subject.width + 1)
    reason = subject.format.misfit(shape, subject.params)
    try:
        subject.encoded(bell(shape))
    except Exception as error:  # noqa: BLE001 - the finding shows any exception
        text = str(error)
        if reason is None:
            yield Finding(what="a shape that should fit is refused", tried=f"encode {shape}", found=text)
        elif "does not fit the shape" not in text:
            yield Finding(what="the refusal does not say why", tried=f"encode {shape}", found=text, expected=reason)
        return
    if reason is not None:
        yield Finding(what="a shape that does not fit is encoded", tried=f"encode {shape}", expected=reason)
