"""A format's kernel: a frozen value of plain functions, each of which is compiled when it is first used.

A format names its kernel in `Format.kernel`. `fourcc.compute` reads from it which functions multiply, decode and encode
a matrix, and what memory they need. Every function has the one signature of `fourcc.kernels.compiler.jit`,

    (weights, job, first, last, scratch)

the addresses of the matrix's and of the job's descriptor (`fourcc.kernels.descriptors`), a range of rows, and the
address of the thread's scratch memory. None of them allocates, checks or raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import Array

Level = Literal["native", "fused", "decode"]
Parts = Mapping[str, Array]
Encoder = Callable[[Mapping[str, object]], KernelFunction | None]  # (options) -> the function for them
LARGE = 2.0**64  # scales up to here make no product of codes overflow, and no weight, if activations are ordinary


@dataclass(frozen=True)
class Activation:
    """The form in which a product takes the activations; kernels with the same form share them.

    Attributes:
        name: equal names, equal results.
        prepare: quantizes a range of activations; None where they are taken as they came.
        width: bytes that `prepare` writes for each column.
        static: as `prepare`, with the ranges of blocks that the job has at RANGES in place of those that `prepare`
            finds; None where `prepare` finds none.
    """

    name: str
    prepare: KernelFunction | None = None
    width: int = 1
    static: KernelFunction | None = None


FLOAT = Activation("float")


@dataclass(frozen=True)
class Careful:
    """The product with a matrix some of whose scales are so large that a weight, or a sum of codes, may overflow.

    A product that applies the scale last hides that a weight is infinite; one that applies it too early is infinite
    where the exact product is not.

    Attributes:
        needed: (parts) -> whether there are such scales.
        tile: takes the place of `Kernel.tile` and of `Kernel.exact`; its activations are floats.
    """

    needed: Callable[[Parts], bool]
    tile: KernelFunction


def has_large_floats(parts: Parts) -> bool:
    """Whether the magnitude of a float32 among the parts is above `LARGE`."""
    numbers = [part[name] for part in parts.values() for name in part.dtype.names or ()]
    numbers += [part for part in parts.values() if not part.dtype.names]
    floats = (each for each in numbers if each.dtype == np.float32)
    return any((each > LARGE).any() or (each < -LARGE).any() for each in floats)


@dataclass(frozen=True)
class Kernel:
    """How a format multiplies, decodes and encodes at speed.

    Attributes:
        level: ``native`` (written for the format), ``fused`` (made from its block decoder) or ``decode`` (for weights
            that are decoded to float32 first).
        activation: the form in which `tile` takes activations.
        tile: multiplies rows first .. last by all activations of the job.
        exact: as `tile`, with the activations as floats; for checking.
        gather: decodes rows of the packed matrix to float32: those whose numbers the job lists at X (int64), or, where
            X is 0, rows first .. last.
        scratch: (columns) -> bytes of scratch memory that a thread needs.
        parts: names of the stored parts, in the order in which functions find them.
        row_align: rows are split among threads at multiples of this.
        pack: writes the packed layout of rows first .. last; None where the stored parts serve.
        packed: (rows, cols) -> bytes of the packed layout.
        decode: decodes rows first .. last of the stored parts to float32, bit for bit as the format's `decode` does;
            None where there is none.
        careful: the product where scales are very large; None where none can be, or where `tile` allows for them.
        encoder: (options) -> the function that encodes rows first .. last of the float32 at the job's X into the stored
            parts, byte for byte as the format's `encode` does; None where there is none.
        unit: columns that are decoded at once; zeros follow a part of the columns up to a multiple of it.
        operations: that decoding takes for each weight, about; see `fourcc.kernels.fusing.costs`.
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
    encoder: Encoder | None = None
    unit: int = 1
    operations: float = 0.0

    def for_parts(self, parts: Parts) -> Kernel:
        """The kernel for a matrix with these parts: another one where scales are very large."""
        if self.careful is None or not self.careful.needed(parts):
            return self
        return replace(self, activation=FLOAT, tile=self.careful.tile, exact=self.careful.tile)
