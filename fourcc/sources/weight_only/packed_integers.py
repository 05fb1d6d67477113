"""compressed-tensors' integers: ``pack-quantized`` and ``int-quantized``.

``weight_packed`` (out, in * bits / 32) holds codes in one stream of bits along a row, or ``weight`` (out, in) an int8
each. ``weight_scale`` has an entry for each group of a row, for a row, or one; so has ``weight_zero_point``, which may
be packed down its columns. ``weight_shape`` (2), ``weight_g_idx`` (in). Codes and zero points are signed; here half the
range of the codes is added to both.
"""

from __future__ import annotations

from math import prod

import attrs
import numpy as np

from fourcc.arrays import Array
from fourcc.sources.packed_words import Rows, along, down
from fourcc.sources.source import SourceTensor
from fourcc.sources.weight_only.groups import Grouped
from fourcc.sources.weight_only.module import FLOATS, INT8, INT32, INTEGERS, Joined, Module, codes, values


@attrs.frozen
class PackedIntegers:
    """A matrix of signed codes.

    Attributes:
        bits: of a packed code; one in a byte of its own has 8.
        group: columns that share a scale; None: as many as the shapes say.
    """

    bits: int
    group: int | None

    @property
    def parts(self) -> tuple[str, ...]:
        """Endings of the tensors' names."""
        return "weight_packed", "weight", "weight_scale", "weight_zero_point", "weight_g_idx", "weight_shape"

    def joined(self, module: Module) -> Joined:
        """The matrix."""
        bytewise = module.find("weight_packed") is None and module.find("weight") is not None
        ending, bits = ("weight", 8) if bytewise else ("weight_packed", self.bits)
        read, shape = _bytes(module) if bytewise else self._packed(module)
        scales, zeros, count = _scales_and_zeros(module, shape[0], bits)
        return Grouped(ending, shape, bits, read, scales, zeros, count).joined(module, self.group, "weight_g_idx")

    def _packed(self, module: Module) -> tuple[Rows, tuple[int, int]]:
        packed, outs, words = module.matrix("weight_packed", INT32)
        ins = _columns(module, outs, words, self.bits)
        return lambda first, last: along(values(packed, first, last), self.bits)[:, :ins], (outs, ins)


def _bytes(module: Module) -> tuple[Rows, tuple[int, int]]:
    plain, *shape = module.matrix("weight", INT8)
    return lambda first, last: codes(plain, first, last).view("u1") ^ 128, (shape[0], shape[1])


def _columns(module: Module, outs: int, words: int, bits: int) -> int:
    """Columns of the matrix: as weight_shape says, if that fits; without it as many as the words hold."""
    if module.find("weight_shape") is None:
        return 32 * words // bits
    stated = module.get("weight_shape", INTEGERS)
    if prod(stated.shape) != 2:
        raise module.refusal("weight_shape does not hold two numbers", f"shape {stated.shape}", "two")
    rows, cols = (int(number) for number in values(stated).reshape(-1))
    if rows != outs or cols < 1 or not 0 <= 32 * words - cols * bits < 32:
        expected = f"{outs} x {32 * words // bits}, or a bit less"
        raise module.refusal("weight_shape does not fit weight_packed", [rows, cols], expected)
    return cols


def _scales_and_zeros(module: Module, outs: int, bits: int) -> tuple[Rows, Rows, int]:
    """Scales and zero points by rows of the matrix, and the number of groups."""
    scales = module.get("weight_scale", FLOATS)
    count = scales.shape[1] if len(scales.shape) == 2 else 1
    _check_size(module, scales, outs, count)

    def by_rows(first: int, last: int) -> Array:
        return np.broadcast_to(values(scales).reshape(-1, count), (outs, count))[first:last]

    return by_rows, _zeros(module, outs, count, bits), count


def _zeros(module: Module, outs: int, count: int, bits: int) -> Rows:
    """Zero points by rows of the matrix; those of codes without any are half the range."""
    zero, half = module.find("weight_zero_point"), 1 << bits - 1
    if zero is None:
        return lambda first, last: np.full((last - first, count), half, np.uint8)
    stored = module.get("weight_zero_point", INTEGERS)
    if zero.shape == (-(-outs * bits // 32), count) and module.find("weight_packed") is not None:
        return lambda first, last: down(values(stored), bits)[first:last]
    _check_size(module, stored, outs, count)

    def points(first: int, last: int) -> Array:
        moved = values(stored).reshape(-1, count).astype(np.int64) + half
        if ((moved < 0) | (moved >= 2 * half)).any():
            found = f"{int(moved.min()) - half} .. {int(moved.max()) - half}"
            raise module.refusal("a zero point is outside the range of the codes", found, f"{-half} .. {half - 1}")
        return np.broadcast_to(moved, (outs, count))[first:last]

    return points


def _check_size(module: Module, tensor: SourceTensor, outs: int, count: int) -> None:
    """Refuses scales or zero points that are neither one a group for all rows nor for each."""
    if len(tensor.shape) > 2 or not count or prod(tensor.shape) not in {count, outs * count}:
        what = f"{tensor.source_name} does not fit the weights"
        raise module.refusal(what, tensor.shape, f"{outs} rows, or one")
