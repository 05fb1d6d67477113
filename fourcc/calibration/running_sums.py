"""The sums of a layer's inputs so far, in two slots of a file; sums of a batch are added to them piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from xxhash import xxh3_128

from fourcc.calibration.collector import InputSums
from fourcc.calibration.statistics import BINS, block_count
from fourcc.errors import InputError

if TYPE_CHECKING:
    from fourcc.arrays import Array
    from fourcc.calibration.partial_file import OffsetFile
    from fourcc.models.weights import Inputs

PIECE = 1 << 17  # numbers that are added at once
Join = Callable[..., object]  # (mine, theirs, out=mine)


class RunningSums:
    """The sums of one layer's inputs.

    Args:
        file: the file.
        offset: of the first slot.
        slot: bytes of a slot, at least `sums_bytes` of the inputs.
        inputs: of the layer.
        hessians: first names of those that Hessians are collected of.
    """

    def __init__(
        self, file: OffsetFile, offset: int, slot: int, inputs: Sequence[Inputs], hessians: frozenset[str]
    ) -> None:
        self._file, self._offset, self._slot = file, offset, slot
        self._places: dict[tuple[str, ...], int] = {}
        at = 0
        for each in inputs:
            self._places[each.names] = at
            at += sums_bytes([each], hessians)

    def add(self, slot: int, inputs: Inputs, sums: InputSums) -> None:
        """Adds those in a slot to sums of a batch, in place."""
        for at, array, join in self._arrays(slot, inputs, sums):
            for offset, some in _pieces(at, array):
                data = self._file.read_at(offset, some.nbytes)
                if len(data) < some.nbytes:
                    hint = "--force begins anew."
                    raise InputError("the unfinished calibration was cut", file=self._file.path, hint=hint)
                join(some, np.frombuffer(data, some.dtype), out=some)

    def put(self, slot: int, inputs: Inputs, sums: InputSums) -> str:
        """Writes sums into a slot; returns XXH3-128 of their bytes, in hex."""
        digest = xxh3_128()
        for at, array, _ in self._arrays(slot, inputs, sums):
            for offset, some in _pieces(at, array):
                data = some.view(np.uint8).data
                digest.update(data)
                self._file.write_at(offset, data)
        return digest.hexdigest()

    def digest(self, slot: int, inputs: Inputs, hessians: frozenset[str]) -> str:
        """XXH3-128 of what a slot holds of some inputs, in hex."""
        digest = xxh3_128()
        first = self._at(slot, inputs)
        end = first + sums_bytes([inputs], hessians)
        for offset in range(first, end, 8 * PIECE):
            digest.update(self._file.read_at(offset, min(8 * PIECE, end - offset)))
        return digest.hexdigest()

    def _at(self, slot: int, inputs: Inputs) -> int:
        return self._offset + slot * self._slot + self._places[inputs.names]

    def _arrays(self, slot: int, inputs: Inputs, sums: InputSums) -> Iterator[tuple[int, Array, Join]]:
        """Offset of each array of some sums, the array, and the way to join two of it."""
        statistics, at = sums.statistics, self._at(slot, inputs)
        arrays = (statistics.squares, statistics.counts, statistics.minimum, statistics.maximum, statistics.magnitudes)
        joins = (np.add, np.add, np.minimum, np.maximum, np.add, np.add)
        for array, join in zip((*arrays, sums.products), joins, strict=True):
            if array is not None:
                yield at, array, join
                at += array.nbytes


def sums_bytes(inputs: Sequence[Inputs], hessians: frozenset[str]) -> int:
    """Bytes of the sums over some inputs."""
    total = 0
    for each in inputs:
        total += each.matrices * (16 * each.cols + 8 + 8 * prod((block_count(each.cols), BINS)))
        total += 8 * each.cols**2 if each.names[0] in hessians else 0
    return total


def _pieces(offset: int, array: Array) -> Iterator[tuple[int, Array]]:
    """The offsets and the numbers of an array, some at a time."""
    flat = array.reshape(-1)
    for first in range(0, flat.size, PIECE):
        yield offset + first * flat.itemsize, flat[first : first + PIECE]
