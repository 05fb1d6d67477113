"""Unpacks codes of a few bits from the 32-bit words of weight-only checkpoints into rows of bytes."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.packing import pack
from fourcc.part import Packing
from fourcc.spec import FormatSpec

AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)  # nibble k of a word holds the code of this one of eight columns

Rows = Callable[[int, int], Array]  # (first, last) -> those rows of a matrix


def down(words: Array, bits: int) -> Array:
    """Codes packed down the columns, in one stream of bits: int32 (n, m) -> uint8 (32 n // bits, m)."""
    return along(words.T, bits).T


def along(words: Array, bits: int) -> Array:
    """Codes packed along the rows, in one stream of bits, low bits first: int32 (n, m) -> uint8 (n, 32 m // bits)."""
    stream = np.ascontiguousarray(words, "<i4").view(np.uint8)  # (n, 4 m)
    if bits == 8:
        return stream
    count = 8 * stream.shape[1] // bits  # bits that are left at the end of a row are no code
    flags = np.unpackbits(stream, axis=1, count=count * bits, bitorder="little").reshape(len(stream), count, bits)
    return np.packbits(flags, axis=2, bitorder="little")[:, :, 0]


def awq(words: Array) -> Array:
    """4-bit codes along the rows in AWQ's order of nibbles: int32 (n, m) -> uint8 (n, 8 m)."""
    stored = along(words, 4).reshape(len(words), -1, 8)
    codes = np.empty_like(stored)
    codes[:, :, AWQ_ORDER] = stored
    return codes.reshape(len(words), -1)


@attrs.frozen(eq=False)
class Affine:
    """A matrix of codes, scales and zero points, in any order in the file.

    Attributes:
        spec: its parts are scales, zero points, perhaps an index of groups, and codes of 4 or 8 bits.
        codes: uint8 (rows, cols).
        scales: (rows, groups) of any kind of float that float32 holds.
        zeros: (rows, groups), integers not below 0.
        groups: the index, (cols,), where the spec has one.
        bits: of a stored code.
    """

    spec: FormatSpec
    codes: Rows
    scales: Rows
    zeros: Rows
    groups: Callable[[], Array] | None
    bits: int

    def read(self, matrix: int, first: int, last: int) -> Parts:  # noqa: ARG002 - there is one matrix
        """The rows first..last, as the format stores them."""
        arrays = [
            self.scales(first, last).astype("<f4"),
            self.zeros(first, last).astype(np.uint8),
            *([] if self.groups is None else [self.groups().astype("<u4")]),
            self._stored(self.codes(first, last)),
        ]
        names = (part.name for part in self.spec.parts)
        return {name: np.ascontiguousarray(array) for name, array in zip(names, arrays, strict=True)}

    def _stored(self, codes: Array) -> Array:
        """The bytes of codes (rows, cols)."""
        return pack(codes, Packing(self.bits))
