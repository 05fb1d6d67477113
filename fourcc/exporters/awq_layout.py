"""AWQ's layout (version ``gemm``): everything transposed, eight codes a word in an order of nibbles of its own.

::

    qweight  (in, out / 8) int32     nibble k of a word holds column 0, 2, 4, 6, 1, 3, 5, 7 of its eight
    qzeros   (groups, out / 8) int32
    scales   (groups, out)

Facts: ``awq/modules/linear/gemm.py`` of AutoAWQ 0.2.9.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fourcc.arrays import Array
from fourcc.conversion.pipeline import Step
from fourcc.exporters.grouped import GroupedFormat, Groups
from fourcc.exporters.packed_words import packed_awq
from fourcc.exporters.shards import FileTensor
from fourcc.exporters.weight_layout import Fields, LayoutWriter, one_setting, plain_load, stored_scales


def _awq_fits(known: GroupedFormat, rows: int, cols: int, group: int) -> bool:  # noqa: ARG001 - as its neighbours
    return known.bits == 4 and not known.indexed and rows % 8 == 0


def _awq_tensors(known: GroupedFormat, name: str, rows: int, cols: int, group: int) -> list[FileTensor]:
    return [
        FileTensor.of_numbers(f"{name}.qweight", "<i4", (cols, rows // 8), "codes"),
        FileTensor.of_numbers(f"{name}.qzeros", "<i4", (cols // group, rows // 8), "zeros"),
        FileTensor.of_numbers(f"{name}.scales", known.scales, (cols // group, rows), "scales"),
    ]


def _awq_pack(known: GroupedFormat, groups: Groups) -> dict[str, Array]:
    codes, zeros = (np.ascontiguousarray(each.T) for each in (groups.codes, groups.zeros))  # (in, out), (groups, out)
    return {"codes": packed_awq(codes), "zeros": packed_awq(zeros), "scales": stored_scales(known, groups.scales.T)}


def _awq_config(steps: Sequence[Step], others: Sequence[str]) -> Fields:
    _, group = one_setting(steps, "AWQ")
    return {
        "quant_method": "awq",
        "version": "gemm",
        "bits": 4,
        "group_size": group,
        "zero_point": True,
        "modules_to_not_convert": list(others) or None,
    }


AWQ = LayoutWriter(
    "awq",
    "a folder: 4-bit codes in groups in AWQ's layout",
    _awq_fits,
    _awq_tensors,
    _awq_pack,
    _awq_config,
    plain_load,
)
