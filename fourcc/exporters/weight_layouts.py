"""Weight-only layouts of other tools: the tensors that each makes of a matrix, and the config that says so.

==================  ================================================================================================
compressed-tensors  weight_packed (out, in * bits / 32), weight_scale (out, groups), weight_zero_point (out * bits / 32,
                    groups) where there are zero points, weight_shape (2); 8-bit floats: weight, weight_scale (out, 1)
awq                 qweight (in, out / 8), qzeros (groups, out / 8), scales (groups, out); AWQ's order of nibbles
gptq                qweight (in * bits / 32, out), qzeros (groups, out * bits / 32), scales, g_idx (in)
==================  ================================================================================================

Nothing is rounded: scales keep their dtype, codes and zero points their values. So GPTQ's version 2 is written: version 1
stores zero - 1, which its readers add to without a mask, so a zero point of 0 would spoil the one beside it.
compressed-tensors stores unsigned codes too, as the signed ones plus half their range. It has had no index of groups
since its version 0.15.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod

import attrs
import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.conversion.pipeline import Step
from fourcc.errors import UsageError, listed
from fourcc.exporters.grouped import GroupedFormat, Groups, grouped_format, groups_of
from fourcc.exporters.packed_words import packed_along, packed_awq, packed_down
from fourcc.exporters.shards import FileTensor
from fourcc.format import Format
from fourcc.plugins.registry import registry
from fourcc.settings import Params
from fourcc.sources.extent import single_part_spec

_FLOAT8 = "F8_E4M3"
_SHOWN = 3  # names in a message
WEIGHT, HEAD = ".weight", "lm_head"
_STORED = {"F16": "<f2", "F32": "<f4"}

Fields = dict[str, object]


@attrs.frozen(eq=False)
class WeightLayout:
    """A layout of quantized matrices.

    Attributes:
        name: as ``--to`` takes it.
        summary: one line for people.
        fits: (format, rows, columns, columns that share a scale) -> whether it has a place for such a matrix.
        tensors: (known format, name, rows, columns, columns that share a scale) -> the tensors in the file.
        pack: (known format, groups) -> their contents by parts.
        config: (quantized steps, names of the other modules) -> the value of ``quantization_config``.
        floats: whether 8-bit floats are quantized matrices, too.
    """

    name: str
    summary: str
    fits: Callable[[GroupedFormat, int, int, int], bool]
    tensors: Callable[[GroupedFormat, str, int, int, int], list[FileTensor]]
    pack: Callable[[GroupedFormat, Groups], dict[str, Array]]
    config: Callable[[Sequence[Step], Sequence[str]], Fields]
    floats: bool = False

    def holds(self, fmt: Format, params: Params, shape: tuple[int, ...]) -> bool:
        """Whether a matrix in this format has a place."""
        known = grouped_format(fmt)
        if known is None or len(shape) != 2 or not prod(shape):
            return False
        group = known.size(params)
        return shape[1] % group == 0 and self.fits(known, *shape, group)

    def quantizes(self, step: Step) -> bool:
        """Whether a step is a quantized matrix here, not plain numbers."""
        fmt = registry[step.decision.tag]
        return grouped_format(fmt) is not None or (self.floats and is_float8(fmt))

    def tensors_of(self, step: Step) -> list[FileTensor]:
        """The tensors in the file of a quantized matrix."""
        fmt, (rows, cols) = registry[step.decision.tag], step.source.shape
        known, name = grouped_format(fmt), step.source.name.removesuffix(WEIGHT)
        if known is None:
            return _float_tensors(name, rows, cols)
        return self.tensors(known, name, rows, cols, known.size(step.decision.params))

    def pack_of(self, step: Step) -> Callable[[Parts], dict[str, Array]]:
        """The function that makes these tensors' contents of the stored parts."""
        fmt = registry[step.decision.tag]
        if grouped_format(fmt) is None:
            return _packed_floats
        return partial(self._packed, fmt, step.decision.params, step.source.shape)

    def _packed(self, fmt: Format, params: Params, shape: tuple[int, ...], parts: Parts) -> dict[str, Array]:
        known = grouped_format(fmt)
        assert known is not None
        return self.pack(known, groups_of(fmt, params, shape, parts))


def is_float8(fmt: Format) -> bool:
    """Whether a format is plain 8-bit floats."""
    return single_part_spec(fmt) and fmt.foreign.get("safetensors") == _FLOAT8


def module(step: Step) -> str:
    """The name of the module that a matrix is the weight of."""
    return step.source.name.removesuffix(WEIGHT)


# -- compressed-tensors


def _compressed_fits(known: GroupedFormat, rows: int, cols: int, group: int) -> bool:  # noqa: ARG001 - as its neighbours
    return not known.indexed


def _compressed_tensors(known: GroupedFormat, name: str, rows: int, cols: int, group: int) -> list[FileTensor]:
    bits, groups = known.bits, cols // group
    zeros = FileTensor(f"{name}.weight_zero_point", "I32", (-(-rows * bits // 32), groups), "zeros")
    return [
        FileTensor(f"{name}.weight_packed", "I32", (rows, -(-cols * bits // 32)), "codes"),
        FileTensor(f"{name}.weight_scale", known.scales, (rows, groups), "scales"),
        *([zeros] if known.zeros else []),
        FileTensor(f"{name}.weight_shape", "I64", (2,), "shape"),
    ]


def _compressed_pack(known: GroupedFormat, groups: Groups) -> dict[str, Array]:
    packed = {
        "codes": packed_along(groups.codes, known.bits),
        "scales": _scales(known, groups.scales),
        "shape": np.array(groups.codes.shape, "<i8"),
    }
    return packed | ({"zeros": packed_down(groups.zeros, known.bits)} if known.zeros else {})


def _float_tensors(name: str, rows: int, cols: int) -> list[FileTensor]:
    return [
        FileTensor(f"{name}.weight", _FLOAT8, (rows, cols), "codes"),
        FileTensor(f"{name}.weight_scale", "F32", (rows, 1), "scales"),
    ]


def _packed_floats(parts: Parts) -> dict[str, Array]:
    """8-bit floats as they are, with scales of 1."""
    (codes,) = parts.values()
    return {"codes": codes, "scales": np.ones((len(codes), 1), "<f4")}


def _compressed_config(steps: Sequence[Step], others: Sequence[str]) -> Fields:
    """A group for each way in which matrices are quantized; one group alone is named by the class of its modules."""
    schemes: dict[str, tuple[Fields, list[str]]] = {}
    for step in steps:
        scheme = _compressed_scheme(step)
        schemes.setdefault(repr(scheme), (scheme, []))[1].append(module(step))
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
    if known is None:
        weights = {"num_bits": 8, "type": "float", "symmetric": True, "strategy": "channel", **common}
        return {"format": "float-quantized", "weights": weights}
    size = {"strategy": "group", "group_size": known.size(step.decision.params)}
    weights = {"num_bits": known.bits, "type": "int", "symmetric": not known.zeros, **size, **common}
    return {"format": "pack-quantized", "weights": weights}


# -- AWQ


def _awq_fits(known: GroupedFormat, rows: int, cols: int, group: int) -> bool:  # noqa: ARG001 - as its neighbours
    return known.bits == 4 and not known.indexed and rows % 8 == 0


def _awq_tensors(known: GroupedFormat, name: str, rows: int, cols: int, group: int) -> list[FileTensor]:
    return [
        FileTensor(f"{name}.qweight", "I32", (cols, rows // 8), "codes"),
        FileTensor(f"{name}.qzeros", "I32", (cols // group, rows // 8), "zeros"),
        FileTensor(f"{name}.scales", known.scales, (cols // group, rows), "scales"),
    ]


def _awq_pack(known: GroupedFormat, groups: Groups) -> dict[str, Array]:
    codes, zeros = (np.ascontiguousarray(each.T) for each in (groups.codes, groups.zeros))  # (in, out), (groups, out)
    return {"codes": packed_awq(codes), "zeros": packed_awq(zeros), "scales": _scales(known, groups.scales.T)}


def _awq_config(steps: Sequence[Step], others: Sequence[str]) -> Fields:
    _, group = _one_setting(steps, "AWQ")
    return {
        "quant_method": "awq",
        "version": "gemm",
        "bits": 4,
        "group_size": group,
        "zero_point": True,
        "modules_to_not_convert": list(others) or None,
    }


# -- GPTQ


def _gptq_fits(known: GroupedFormat, rows: int, cols: int, group: int) -> bool:  # noqa: ARG001 - as its neighbours
    return rows * known.bits % 32 == 0 and cols * known.bits % 32 == 0


def _gptq_tensors(known: GroupedFormat, name: str, rows: int, cols: int, group: int) -> list[FileTensor]:
    bits = known.bits
    return [
        FileTensor(f"{name}.qweight", "I32", (cols * bits // 32, rows), "codes"),
        FileTensor(f"{name}.qzeros", "I32", (cols // group, rows * bits // 32), "zeros"),
        FileTensor(f"{name}.scales", known.scales, (cols // group, rows), "scales"),
        FileTensor(f"{name}.g_idx", "I32", (cols,), "index"),
    ]


def _gptq_pack(known: GroupedFormat, groups: Groups) -> dict[str, Array]:
    cols, count = groups.codes.shape[1], groups.scales.shape[1]
    plain = np.arange(cols) // (cols // count)
    return {
        "codes": np.ascontiguousarray(packed_along(groups.codes, known.bits).T),
        "zeros": packed_along(np.ascontiguousarray(groups.zeros.T), known.bits),
        "scales": _scales(known, groups.scales.T),
        "index": (plain if groups.index is None else groups.index).astype("<i4"),
    }


def _gptq_config(steps: Sequence[Step], others: Sequence[str]) -> Fields:
    bits, group = _one_setting(steps, "GPTQ")
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


def _one_setting(steps: Sequence[Step], name: str) -> tuple[int, int]:
    """Bits and group size, which all matrices share. Raises UsageError where they do not."""
    found: dict[tuple[int, int], list[str]] = {}
    for step in steps:
        known = grouped_format(registry[step.decision.tag])
        assert known is not None
        found.setdefault((known.bits, known.size(step.decision.params)), []).append(step.source.name)
    if len(found) > 1:
        told = (f"{bits} bits in groups of {group}: {names[0]}" for (bits, group), names in found.items())
        hint = "Give them one format and one group size, or write compressed-tensors."
        what = f"{name}'s config states one number of bits and one group size, and the matrices have several"
        raise UsageError(what, found=listed(told, _SHOWN), hint=hint)
    return next(iter(found))


def _scales(known: GroupedFormat, scales: Array) -> Array:
    return np.ascontiguousarray(scales.astype(_STORED[known.scales], copy=False))


COMPRESSED = WeightLayout(
    "compressed-tensors",
    "a folder: integers in groups and 8-bit floats as vLLM and transformers read them",
    _compressed_fits,
    _compressed_tensors,
    _compressed_pack,
    _compressed_config,
    floats=True,
)
AWQ = WeightLayout(
    "awq", "a folder: 4-bit codes in groups in AWQ's layout", _awq_fits, _awq_tensors, _awq_pack, _awq_config
)
GPTQ = WeightLayout(
    "gptq", "a folder: codes in groups in GPTQ's layout", _gptq_fits, _gptq_tensors, _gptq_pack, _gptq_config
)
LAYOUTS = {layout.name: layout for layout in (COMPRESSED, AWQ, GPTQ)}
