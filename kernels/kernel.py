"""What a format's kernel is: a frozen value of plain functions, compiled only when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from fourcc.kernels.jit import Kernel as Entry
from fourcc.kernels.operands import Array

Level = Literal["native", "fused", "decode"]
Parts = Mapping[str, Array]


@dataclass(frozen=True)
class Activation:
    """What a product wants of the activations; kernels that want the same share it.

    Attributes:
        name: equal names, equal results.
        prepare: quantizes a range of activations; None where they are taken as they came.
        width: bytes that `prepare` writes for each column.
    """

    name: str
    prepare: Entry | None = None
    width: int = 1


FLOAT = Activation("float")


@dataclass(frozen=True)
class Kernel:
    """How a format multiplies, decodes and encodes at speed.

    All functions have the one signature of `fourcc.kernels.jit`.

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
        encoder: (options) -> rows first .. last of the float32 at the job's X into the stored parts, byte for byte what
            the format's `encode` gives; None where there is none.
    """

    level: Level
    activation: Activation
    tile: Entry
    exact: Entry
    gather: Entry
    scratch: Callable[[int], int]
    parts: tuple[str, ...]
    row_align: int = 32
    pack: Entry | None = None
    packed: Callable[[int, int], int] | None = None
    decode: Entry | None = None
    encoder: Callable[[Mapping[str, object]], Entry | None] | None = None
