"""The memory of programs: buffers of activations, and the caches that follow from a model's sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from fourcc.compute.products import quantized_memory
from fourcc.kernels.descriptors import address, empty, round_up, zeros
from fourcc.kernels.transformer.attention import TILE
from fourcc.kernels.transformer.rotation import padded_head

if TYPE_CHECKING:
    from fourcc.arrays import Array, Floats
    from fourcc.kernels.kernel import Activation


class Buffer:
    """Activations that steps read and write: float32 rows on cache lines, each followed by zeros.

    Args:
        rows: how many activations it holds.
        width: columns of each.
    """

    def __init__(self, rows: int, width: int) -> None:
        self.rows, self.width, self.wide = rows, width, round_up(width)
        self.floats: Floats = empty(rows * self.wide, "<f4").reshape(rows, self.wide)
        self.floats[...] = 0
        self.address = address(self.floats)
        self.stride = 4 * self.wide
        self._quantized: dict[str, tuple[Array, ...]] = {}

    def quantized(self, activation: Activation) -> tuple[Array, ...]:
        """Memory for these activations quantized, see `fourcc.compute.products.quantized_memory`."""
        if activation.name not in self._quantized:
            self._quantized[activation.name] = quantized_memory(activation, self.rows, self.wide)
        return self._quantized[activation.name]


@attrs.frozen
class Sizes:
    """Sizes of a model that the kernels of attention read.

    Attributes:
        heads: of the queries.
        kv_heads: of keys and values.
        head: columns of a head.
        context: positions that the caches hold.
        epsilon: of the norms.
        scale: what attention multiplies its scores by; None: 1 / sqrt(head).
        softcap: what attention's scores are kept below by tanh; 0: they are not.
    """

    heads: int
    kv_heads: int
    head: int
    context: int
    epsilon: float
    scale: float | None = None
    softcap: float = 0.0

    @property
    def room(self) -> int:
        """Positions that the caches have room for: whole tiles, since attention reads a tile at once."""
        return -(-self.context // TILE) * TILE

    @property
    def lengths(self) -> tuple[int, int]:
        """Numbers of float32 that a layer's keys take, and its values."""
        positions = self.kv_heads * self.room
        keys, values = (-(-positions * width // 16) * 16 for width in (self.head, padded_head(self.head)))
        return keys, values

    def caches(self, layers: int) -> list[tuple[Floats, Floats]]:
        """Arrays for the keys and the values of each layer; they take memory only where they are written to.

        All are in one allocation: numpy asks for huge pages if it is large, and caches of a few hundred positions are
        then read a third faster than from pages of 4 KiB.
        """
        keys, values = self.lengths
        pieces = zeros(layers * (keys + values), "<f4").reshape(layers, keys + values)
        return [(piece[:keys], piece[keys:]) for piece in pieces]
