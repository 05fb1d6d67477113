"""The layout of compressed-tensors, which vLLM and transformers read.

::

    weight_packed      (out, in * bits / 32) int32     codes along the row, low bits first
    weight_scale       (out, groups)
    weight_zero_point  (out * bits / 32, groups) int32 packed down the column, where there are zero points
    weight_shape       (2) int64
    weight, weight_scale (out, 1)                      8-bit floats

Codes there are signed, with half of their range added before they are packed: the same bits as of unsigned codes. An
index of groups is no part of it any more. Facts: ``compressors/pack_quantized`` and ``naive_quantized`` of the package
``compressed-tensors``, 0.20.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fourcc.arrays import Array
from fourcc.conversion.pipeline import Step
from fourcc.exporters.grouped import GroupedFormat, Groups, grouped_format
from fourcc.exporters.packed_words import packed_along, packed_down
from fourcc.exporters.shards import FileTensor
from fourcc.exporters.weight_layout import Fields, LayoutWriter, float_tensors, loading, modules_of, stored_scales
from fourcc.plugins.registry import registry


def _compressed_fits(known: GroupedFormat, rows: int, cols: int, group: int) -> bool:  # noqa: ARG001 - as its neighbours
    return not known.indexed


def _compressed_tensors(known: GroupedFormat, name: str, rows: int, cols: int, group: int) -> list[FileTensor]:
    bits, groups = known.bits, cols // group
    if known.floats:
        return float_tensors(name, rows, cols, groups)
    zeros = FileTensor.of_numbers(f"{name}.weight_zero_point", "<i4", (-(-rows * bits // 32), groups), "zeros")
    return [
        FileTensor.of_numbers(f"{name}.weight_packed", "<i4", (rows, -(-cols * bits // 32)), "codes"),
        FileTensor.of_numbers(f"{name}.weight_scale", known.scales, (rows, groups), "scales"),
        *([zeros] if known.zeros else []),
        FileTensor.of_numbers(f"{name}.weight_shape", "<i8", (2,), "shape"),
    ]


def _compressed_pack(known: GroupedFormat, groups: Groups) -> dict[str, Array]:
    if known.floats:
        return {"codes": groups.codes, "scales": stored_scales(known, groups.scales)}
    packed = {
        "codes": packed_along(groups.codes, known.bits),
        "scales": stored_scales(known, groups.scales),
        "shape": np.array(groups.codes.shape, "<i8"),
    }
    return packed | ({"zeros": packed_down(groups.zeros, known.bits)} if known.zeros else {})


def _compressed_config(steps: Sequence[Step], others: Sequence[str]) -> Fields:
    """A group for each way in which matrices are quantized; one group alone is named by the class of its modules."""
    schemes: dict[str, tuple[Fields, list[str]]] = {}
    for step in steps:
        scheme = _compressed_scheme(step)
        schemes.setdefault(repr(scheme), (scheme, []))[1].extend(modules_of(step))
    alone = len(schemes) == 1
    groups = {
        f"group_{number}": {
            "targets": ["Linear"] if alone else names,
            "weights": scheme["weights"],
            "input_activations": None,
            "output_activations": None,
            "format": scheme["format"],
        }
        for number, (scheme, names) in enumerate(schemes.values())
    }
    formats = {str(scheme["format"]) for scheme, _ in schemes.values()}
    return {
        "quant_method": "compressed-tensors",
        "format": formats.pop() if len(formats) == 1 else "mixed-precision",
        "quantization_status": "compressed",
        "config_groups": groups,
        "ignore": list(others),
        "kv_cache_scheme": None,
        "global_compression_ratio": None,
    }


def _compressed_scheme(step: Step) -> Fields:
    """The words for how a matrix is quantized."""
    known = grouped_format(registry[step.decision.tag])
    common: Fields = {"dynamic": False, "observer": None}
    group = None if known is None else known.size(step.decision.params, step.source.shape[1])
    alone = group is None or group == step.source.shape[1]
    size: Fields = {"strategy": "channel"} if alone else {"strategy": "group", "group_size": group}
    if known is None or known.floats:
        weights = {"num_bits": 8, "type": "float", "symmetric": True, **size, **common}
        return {"format": "float-quantized", "weights": weights}
    weights = {"num_bits": known.bits, "type": "int", "symmetric": not known.zeros, **size, **common}
    return {"format": "pack-quantized", "weights": weights}


def _compressed_load(steps: Sequence[Step]) -> tuple[str, ...]:
    """Loads the model: packed zero points have no place in a module that transformers 5 leaves compressed."""
    known = (grouped_format(registry[step.decision.tag]) for step in steps)
    if not any(each is not None and each.zeros for each in known):
        return loading()
    return loading(", quantization_config=CompressedTensorsConfig(dequantize=True)", ", CompressedTensorsConfig")


COMPRESSED = LayoutWriter(
    "compressed-tensors",
    "a folder: integers in groups and 8-bit floats as vLLM and transformers read them",
    _compressed_fits,
    _compressed_tensors,
    _compressed_pack,
    _compressed_config,
    _compressed_load,
    floats=True,
)
