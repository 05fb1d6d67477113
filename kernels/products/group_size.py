"""The group size of a product of codes: how many columns share a scale, and where an activation's scales are."""

from __future__ import annotations

from dataclasses import dataclass

from fourcc.kernels.descriptors import SCALES, SCALES_STRIDE, SUMS, ZERO_CORRECTIONS
from fourcc.kernels.products.signatures import LocateScales
from fourcc.kernels.simd.memory import load_word


@dataclass(frozen=True)
class GroupSize:
    """How many columns share a scale.

    Attributes:
        bits: 2^`bits` columns do.
        locate_scales: where an activation's scales, zero corrections and sums for so many columns are.
    """

    bits: int
    locate_scales: LocateScales


def _locate_scales(job: int, column: int, wide: int) -> tuple[int, int, int, int]:
    stride = load_word(job + SCALES_STRIDE)
    at = column * stride
    return load_word(job + SCALES) + at, load_word(job + ZERO_CORRECTIONS) + at, load_word(job + SUMS) + at, stride


GROUPS_OF_32 = GroupSize(5, _locate_scales)
