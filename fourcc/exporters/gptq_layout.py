"""GPTQ's layout, version 2: codes packed down the columns of the transposed matrix, and the group of each column.

::

    qweight  (in * bits / 32, out) int32
    qzeros   (groups, out * bits / 32) int32
    scales   (groups, out)
    g_idx    (in,) int32

Version 1 stores zero - 1, to which its readers add without a mask, so a zero point of 0 would spoil the one beside it;
version 2 stores zero points as they are. Facts: ``gptqmodel/utils/model.py`` of GPTQModel 7.7.0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fourcc.arrays import Array
from fourcc.conversion.pipeline import Step
from fourcc.exporters.grouped import GroupedFormat, Groups, grouped_format
from fourcc.exporters.packed_words import packed_along
from fourcc.exporters.shards import FileTensor
from fourcc.exporters.weight_layout import HEAD, Fields, LayoutWriter, one_setting, plain_load, stored_scales
from fourcc.plugins.registry import registry


def _gptq_fits(known: GroupedFormat, rows: int, cols: int, group: int) -> bool:  # noqa: ARG001 - as its neighbours
    return not known.floats and rows * known.bits % 32 == 0 and cols * known.bits % 32 == 0


def _gptq_tensors(known: GroupedFormat, name: str, rows: int, cols: int, group: int) -> list[FileTensor]:
    bits = known.bits
    return [
        FileTensor.of_numbers(f"{name}.qweight", "<i4", (cols * bits // 32, rows), "codes"),
        FileTensor.of_numbers(f"{name}.qzeros", "<i4", (cols // group, rows * bits // 32), "zeros"),
        FileTensor.of_numbers(f"{name}.scales", known.scales, (cols // group, rows), "scales"),
        FileTensor.of_numbers(f"{name}.g_idx", "<i4", (cols,), "index"),
    ]


def _gptq_pack(known: GroupedFormat, groups: Groups) -> dict[str, Array]:
    cols, count = groups.codes.shape[1], groups.scales.shape[1]
    plain = np.arange(cols) // (cols // count)
    return {
        "codes": np.ascontiguousarray(packed_along(groups.codes, known.bits).T),
        "zeros": packed_along(np.ascontiguousarray(groups.zeros.T), known.bits),
        "scales": stored_scales(known, groups.scales.T),
        "index": (plain if groups.index is None else groups.index).astype("<i4"),
    }


def _gptq_config(steps: Sequence[Step], others: Sequence[str]) -> Fields:
    bits, group = one_setting(steps, "GPTQ")
    known = [grouped_format(registry[step.decision.tag]) for step in steps]
    return {
        "quant_method": "gptq",
        "checkpoint_format": "gptq_v2",
        "bits": bits,
        "group_size": group,
        "desc_act": any(each is not None and each.indexed for each in known),
        "sym": not any(each is not None and each.zeros for each in known),
        "lm_head": HEAD not in others,
        "dynamic": {f"-:^{name.replace('.', chr(92) + '.')}$": {} for name in others if name != HEAD},
    }


GPTQ = LayoutWriter(
    "gptq",
    "a folder: codes in groups in GPTQ's layout",
    _gptq_fits,
    _gptq_tensors,
    _gptq_pack,
    _gptq_config,
    plain_load,
)
