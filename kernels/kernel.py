"""What a format's kernel is: a frozen value of plain functions, compiled only when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import Array

Level = Literal["native", "fused", "decode"]
Parts = Mapping[str, Array]
LARGE = 2.0**64  # of a scale: up to here no product of codes overflows, and no weight, if the activations are ordinary


@dataclass(frozen=True)
class Activation:
    """What a product wants of the activations; kernels that want the same share it.

    Attributes:
        name: equal names, equal results.
        prepare: quantizes a range of activations; None where they are taken as they came.
        width: bytes that `prepare` writes for each column.
    """

    name: str
    prepare: KernelFunction | None = None
    width: int = 1


FLOAT = Activation("float")


@dataclass(frozen=True)
class Careful:
    """The product with a matrix some of whose scales are so large that a weight, or a sum of codes, may overflow.

    A sum that a scale is multiplied by at the end hides that a weight is infinite; one that is multiplied by it too
    early is infinite where the product is not.

    Attributes:
        needed: (parts) -> whether there are such scales.
        tile: takes the place of `Kernel.tile` and of `Kernel.exact`; its activations are floats.
    """

    needed: Callable[[Parts], bool]
    tile: KernelFunction


def has_large_floats(parts: Parts) -> bool:
    """Whether a float32 among the parts is beyond `LARGE`, to either side."""
    numbers = [part[name] for part in parts.values() for name in part.dtype.names or ()]
    numbers += [part for part in parts.values() if not part.dtype.names]
    floats = (each for each in numbers if each.dtype == np.float32)
    return any((each > LARGE).any() or (each < -LARGE).any() for each in floats)


@dataclass(frozen=True)
class Kernel:
    """How a format multiplies, decodes and encodes at speed.

    All functions have the one signature of `fourcc.kernels.compiler.jit`.

    Attributes:
        level: ``native``, ``fused`` (made from a block decoder) or ``decode`` (made from decoded weights).
        activation: what `tile` wants.
        tile: rows first .. last of the product; one activation or several.
        exact: the same with the activations as floats, for checking.
        gather: the rows whose numbers the job lists at X (int64), or, where X is 0, rows first .. last, of the packed
            matrix, as float32.
        scratch: (columns) -> bytes of scratch memory that a thread needs.
        row_align: rows are split among threads at multiples of this.
        parts: names of the stored parts, in the order in which functions find them.
        pack: writes the packed layout of rows first .. last; None where the stored parts serve.
        packed: (rows, cols) -> bytes of the packed layout.
        decode: rows first .. last of the stored parts as float32, bit for bit what the format's `decode` gives; None
            where there is none.
        careful: the product where scales are very large; None: there are none, or `tile` minds them.
        encoder: (options) -> rows first .. last of the float32 at the job's X into the stored parts, byte for byte what
            the format's `encode` gives; None where there is none.
    """

    level: Level
    activation: Activation
    tile: KernelFunction
    exact: KernelFunction
    gather: KernelFunction
    scratch: Callable[[int], int]
    parts: tuple[str, ...]
    row_align: int = 32
    pack: KernelFunction | None = None
    packed: Callable[[int, int], int] | None = None
    decode: KernelFunction | None = None
    careful: Careful | None = None
    encoder: Callable[[Mapping[str, object]], KernelFunction | None] | None = None

    def for_parts(self, parts: Parts) -> Kernel:
        """The kernel for a matrix with these parts: another one where scales are very large."""
        if self.careful is None or not self.careful.needed(parts):
            return self
        return replace(self, activation=FLOAT, tile=self.careful.tile, exact=self.careful.tile)
