"""Stacks of matrices of one shape and format, such as those of a mixture's experts, packed for their kernels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.compute.packed import Packed, pack, pack_decoded
from fourcc.errors import SlowProductsWarning
from fourcc.kernels.descriptors import LINE, empty

if TYPE_CHECKING:
    from fourcc.arrays import Array, Floats, Parts
    from fourcc.format import Format
    from fourcc.geometry import Geometry
    from fourcc.kernels.kernel import Kernel


@attrs.frozen(eq=False)
class PackedStack:
    """Matrices of one shape as one kernel takes them.

    Attributes:
        kernel: of all of them; the careful one where the scales of any are so large that its product has to be.
        rows, cols: the shape of each.
        matrices: the matrices, in order.
        descriptors: int64 (matrices, words): theirs, one after the other.
    """

    kernel: Kernel
    rows: int
    cols: int
    matrices: tuple[Packed, ...]
    descriptors: Array

    @classmethod
    def of(cls, matrices: Sequence[Packed]) -> PackedStack:
        """A stack of matrices that were packed for one format, one at least."""
        kernels = [matrix.kernel for matrix in matrices]
        careful = (each for each in kernels if each.careful is not None and each.tile is each.careful.tile)
        kernel, first = next(careful, kernels[0]), matrices[0]
        return cls(kernel, first.rows, first.cols, tuple(matrices), np.stack([each.descriptor for each in matrices]))

    @property
    def first(self) -> Array:
        """The descriptor of the first matrix: for steps that need only what all of them share."""
        descriptor: Array = next(iter(self.descriptors))
        return descriptor

    def __len__(self) -> int:
        return len(self.matrices)


def pack_stack(
    fmt: Format, stacked: Sequence[Parts], geom: Geometry, decode: Callable[[int], Floats], threads: int | None = None
) -> PackedStack:
    """A stack packed for its format's kernel.

    Where a format turns activations, each matrix may turn them in its own way; so the matrices are decoded, with one
    `SlowProductsWarning`, and multiplied as floats.

    Args:
        fmt: the format of all.
        stacked: the parts of each matrix, one matrix at least.
        geom: of each.
        decode: (number of a matrix) -> its weights, (rows, cols) of any dtype.
        threads: how many.

    Raises:
        PluginError: the format's kernel cannot be made, or its `extra` breaks.
    """
    if fmt.turn is not None:
        told = "they turn the activations, each in its own way"
        warnings.warn(
            SlowProductsWarning(f"stacked matrices of the format {fmt.tag} are decoded before products: {told}"),
            stacklevel=2,
        )
        return PackedStack.of([pack_decoded(decode(number)) for number in range(len(stacked))])
    memory = _OneMemory(len(stacked))
    packed = [
        pack(fmt, parts, geom, partial(decode, number), threads, memory=memory) for number, parts in enumerate(stacked)
    ]
    return PackedStack.of(packed)


class _OneMemory:
    """Memory for as many pieces of one size, in one allocation: large ones are given huge pages, which are read faster.

    Args:
        pieces: how many.
    """

    def __init__(self, pieces: int) -> None:
        self._pieces, self._given = pieces, 0
        self._memory: Array | None = None

    def __call__(self, size: int) -> Array:
        """A piece of `size` bytes, from the start of a cache line on."""
        step = -(-size // LINE) * LINE
        if self._memory is None:
            self._memory = empty(self._pieces * step)
        start = self._given * step
        self._given += 1
        return self._memory[start : start + size]
