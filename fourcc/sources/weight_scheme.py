"""The quantization scheme that a config states under the key ``quantization_config``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from fourcc.errors import SourceError
from fourcc.sources.weight_only.awq import awq_layout
from fourcc.sources.weight_only.bitsandbytes import METHOD as BITSANDBYTES
from fourcc.sources.weight_only.bitsandbytes import bitsandbytes_layouts
from fourcc.sources.weight_only.compressed_tensors import compressed_layouts
from fourcc.sources.weight_only.exl3 import METHOD as EXL3
from fourcc.sources.weight_only.exl3 import exl3_layout
from fourcc.sources.weight_only.fp8_config import fbgemm_layout, fp8_layout
from fourcc.sources.weight_only.gptq import gptq_layouts
from fourcc.sources.weight_only.mlx import METHOD as MLX
from fourcc.sources.weight_only.mlx import mlx_layouts
from fourcc.sources.weight_only.modelopt import METHOD as MODELOPT
from fourcc.sources.weight_only.modelopt import modelopt_layouts
from fourcc.sources.weight_only.module import Layouts, OneLayout

_BITSANDBYTES = {"load_in_8bit", "load_in_4bit", "_load_in_8bit", "_load_in_4bit"}
# What a method's name leaves open.
_TELLING = ("format", "fmt", "quant_algo", "bits", "version", "checkpoint_format", "bnb_4bit_quant_type")


@attrs.frozen(eq=False)
class Scheme:
    """How the weights are quantized, in layouts that are known here.

    Attributes:
        path: of the config.
        method: as the config calls it.
        layouts: of the modules that are quantized.
        activations: what the config says of activations, for a note; None: nothing.
    """

    path: Path
    method: str
    layouts: Layouts
    activations: str | None = None


def scheme_of(fields: Mapping[str, Any], path: Path) -> Scheme | None:
    """The scheme that a config states, or None where the weights are in no layout that is known here.

    Raises:
        SourceError: a pattern that names modules is none.
    """
    if fields.get("quantization"):
        _refuse_two(fields, path)
        of_mlx = mlx_layouts(fields["quantization"])
        return None if of_mlx is None else Scheme(path, MLX, of_mlx)
    said = _stated(fields)
    if not isinstance(said, dict):
        return None
    method = _method(said)
    layouts = _layouts(method, said, path)
    return None if layouts is None else Scheme(path, str(method), layouts, _activations(said))


def _refuse_two(fields: Mapping[str, Any], path: Path) -> None:
    """Refuses a config in which MLX's two maps, which say the same, differ."""
    first, second = fields["quantization"], fields.get("quantization_config")
    if isinstance(second, dict) and "quant_method" not in second and first != second:
        what = "'quantization' and 'quantization_config' state two quantizations"
        raise SourceError(what, file=path, found=f"{second!s:.60}", expected=f"{first!s:.60}")


def _method(said: Mapping[str, Any]) -> object:
    """The word for the method; older configs of bitsandbytes have none."""
    return said.get("quant_method") or (BITSANDBYTES if _BITSANDBYTES & set(said) else None)


def _stated(fields: Mapping[str, Any]) -> object:
    return fields.get("quantization_config") or fields.get("compression_config")


def _layouts(method: object, said: Mapping[str, Any], path: Path) -> Layouts | None:
    if method == "compressed-tensors":
        return compressed_layouts(said, path)
    if method == "gptq":
        return gptq_layouts(said, path)
    if method == MODELOPT:
        return modelopt_layouts(said)
    if method == BITSANDBYTES:
        return bitsandbytes_layouts(said)
    if method == EXL3:
        return exl3_layout(said)
    one = {"awq": awq_layout, "fp8": fp8_layout, "fbgemm_fp8": fbgemm_layout}.get(str(method))
    layout = None if one is None else one(said)
    return None if layout is None else OneLayout(layout)


def _activations(said: Mapping[str, Any]) -> str | None:
    """The quantization of activations that a config states, in words."""
    groups = said.get("config_groups")
    every = [each for each in groups.values() if isinstance(each, dict)] if isinstance(groups, dict) else []
    inputs = [each["input_activations"] for each in every if isinstance(each.get("input_activations"), dict)]
    if inputs:
        kinds = dict.fromkeys(f"{each.get('num_bits')!s:.9}-bit {each.get('type', 'int')!s:.9}" for each in inputs)
        return ", ".join(kinds)
    algorithm = str(said.get("quant_algo", ""))
    if said.get("activation_scheme") is not None or said.get("quant_method") == "fbgemm_fp8" or "FP8" in algorithm:
        return "8-bit float"
    return "4-bit float" if algorithm == "NVFP4" else None


def scheme_name(fields: Mapping[str, Any]) -> str | None:
    """The name of the scheme that a config states, whether it is read here or not; None where it states none.

    ``quantization`` is MLX's key; an empty map states nothing.
    """
    if fields.get("quantization"):
        return f"{MLX} (key 'quantization')"
    said = _stated(fields)
    if not said:
        inner = fields.get("text_config")
        return scheme_name(inner) if isinstance(inner, dict) else None
    if not isinstance(said, dict):
        return "a quantization_config that is no map"
    method = _method(said)
    if not isinstance(method, str):
        return "a quantization_config without a quant_method"
    details = [f"{key} {said[key]!s:.40}" for key in _TELLING if isinstance(said.get(key), (str, int))]
    dynamic = ["'dynamic': other settings for some modules"] if said.get("dynamic") else []
    return method + (f" ({', '.join(details + dynamic)})" if details or dynamic else "")
