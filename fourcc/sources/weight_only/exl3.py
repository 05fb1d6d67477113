"""EXL3 (exllamav3): trellis-coded tiles between two Hadamard transforms of 128 weights, with a factor for each side.

=========  =========================================================================================================
trellis    int16 (in / 16, out / 16, 16 K): tiles, see `exl3_tiles`; K is 1 to 8 bits a weight, in steps of a half
suh, svh   float16 (in,), (out,): factors with signs; in older files `su`, `sv`, int16 (in / 16,): bits, 1 for -1
mcg, mul1  a number, which is there where the tiles have that rule and is its multiplier
=========  =========================================================================================================

With V (in, out) of all tiles and H the Hadamard matrix of 128, of 1 and -1 in Sylvester's order, each block of 128 x
128 of W is suh * (H V H / 128) * svh; fourcc's matrix is W turned over. H V H is exact in float64; it is multiplied by
the product of both factors, which is exact, too, and the result rounded to float32.

A transform runs over 128 rows. Rows that are split, stacked or brought into another order have to be weights, so the
matrix is read as float32: it is small in the file alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import attrs
import numpy as np

from fourcc.arrays import Array, Floats, Parts
from fourcc.sources.extent import number_format
from fourcc.sources.source import SourceTensor
from fourcc.sources.weight_only.exl3_tiles import MULTIPLIERS, TILE, tiles
from fourcc.sources.weight_only.module import INT32, Joined, Module, OneLayout
from fourcc.tiles import TILE_WEIGHTS

METHOD = "exl3"
BLOCK = 128  # weights of a transform
DECODING = 64  # bytes for a weight, while tiles are decoded: whole ones are
WIDEST = 16  # halves of a bit
INT16, FLOAT16 = ("<i2", "<u2"), ("<f2",)
_SIDES = (("suh", "su"), ("svh", "sv"))


@attrs.frozen
class Exl3:
    """A matrix of tiles; the shapes tell its bits."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Endings of the tensors' names."""
        return "trellis", "suh", "svh", "su", "sv", *MULTIPLIERS

    def joined(self, module: Module) -> Joined:
        """The matrix."""
        trellis, ins, outs, halves = _trellis(module)
        book = _book(module, halves)
        inner, outer = (_factors(module, names, size) for names, size in zip(_SIDES, (ins, outs), strict=True))
        spec = number_format("<f4", module.path)
        (part,) = spec.parts

        def read(matrix: int, first: int, last: int) -> Parts:  # noqa: ARG001 - there is one matrix
            start, end = first // BLOCK * BLOCK, -(-last // BLOCK) * BLOCK
            words = _words(trellis, start // TILE, end // TILE)
            w = weights(tiles(words, halves, book), inner, outer[start:end])
            return {part.name: w[first - start : last - start]}

        return Joined("trellis", (outs, ins), spec, read, gathered=DECODING * (TILE_WEIGHTS + 2 * BLOCK * ins))


def weights(found: Floats, inner: Array, outer: Array) -> Floats:
    """The weights of tiles, float32 (out, in).

    Args:
        found: (in / 16, out / 16, 16, 16), both numbers of tiles multiples of 8.
        inner: factors of the inputs, float64 (in,).
        outer: factors of the outputs, float64 (out,).
    """
    ins, outs = len(inner), len(outer)
    v = found.transpose(1, 3, 0, 2).astype(np.float64).reshape(outs // BLOCK, BLOCK, ins // BLOCK, BLOCK)
    v = _transformed(_transformed(v, axis=1), axis=3).reshape(outs, ins) / BLOCK
    with np.errstate(all="ignore"):  # a damaged file may hold any factor
        w: Floats = (v * (outer[:, None] * inner)).astype(np.float32)
    return w


def _transformed(v: Array, axis: int) -> Array:
    """The sums of the Hadamard matrix along an axis of 128, by butterflies; exact for sums of float16 in float64."""
    step = 1
    while step < BLOCK:
        pairs = np.moveaxis(v, axis, -1)
        shape = pairs.shape
        pairs = pairs.reshape(*shape[:-1], BLOCK // (2 * step), 2, step)
        low, high = pairs[..., 0, :], pairs[..., 1, :]
        v = np.moveaxis(np.stack([low + high, low - high], axis=-2).reshape(shape), -1, axis)
        step *= 2
    return v


def _trellis(module: Module) -> tuple[SourceTensor, int, int, int]:
    """The tensor of the tiles, inputs, outputs, and twice the bits of a weight. Raises SourceError."""
    trellis = module.get("trellis", INT16)
    shape = trellis.shape
    halves, rest = divmod(shape[-1], 8) if len(shape) == 3 else (0, 0)
    if rest or not 2 <= halves <= WIDEST or any(not size or size * TILE % BLOCK for size in shape[:2]):
        expected = "(in / 16, out / 16, 16 K), in and out multiples of 128, K of 1 to 8 in halves"
        raise module.refusal("the trellis has a wrong shape", shape, expected)
    return trellis, shape[0] * TILE, shape[1] * TILE, halves


def _book(module: Module, halves: int) -> str:
    """The rule by which states become numbers. Raises SourceError where the file contradicts itself."""
    there = [name for name in MULTIPLIERS if module.find(name) is not None]
    for name in there:
        number = int(module.get(name, INT32).decode().reshape(-1)[0]) % 2**32
        if number != MULTIPLIERS[name]:
            raise module.refusal(f"{name} is another multiplier", f"{number:#x}", f"{MULTIPLIERS[name]:#x}")
    if len(there) > 1 or (halves % 2 and there != ["mul1"]):
        found = f"{' and '.join(there) or 'neither'}, {halves / 2:g} bits"
        raise module.refusal("the rule of the states is not clear", found, "mcg, mul1 or neither; with a half bit mul1")
    return there[0] if there else "3inst"


def _factors(module: Module, names: tuple[str, str], size: int) -> Array:
    """The factors of one side, float64 (size,). Raises SourceError where there is not one each."""
    whole, bits = names
    if module.find(whole) is None and module.find(bits) is not None:
        stored = module.get(bits, INT16).decode().reshape(-1).astype(np.int64)
        found = 1.0 - 2.0 * (stored[:, None] >> np.arange(TILE) & 1).reshape(-1)
    else:
        tensor = module.get(whole, FLOAT16)
        found = tensor.decode().reshape(-1).astype(np.float64) if prod(tensor.shape) == size else np.empty(0)
    if len(found) != size:
        raise module.refusal(f"{whole} has no factor for each of {size}", f"{len(found)}", f"{size}")
    return found


def _words(trellis: SourceTensor, first: int, last: int) -> Array:
    """The words of some columns of tiles, uint16 (in / 16, last - first, words)."""
    rows = [next(iter(trellis.read(each, first, last).values())) for each in range(trellis.shape[0])]
    return np.stack(rows).view(np.uint16)


def exl3_layout(said: Mapping[str, Any]) -> OneLayout | None:  # noqa: ARG001 - the tensors tell all
    """The layout of a config of EXL3."""
    return OneLayout(Exl3())
