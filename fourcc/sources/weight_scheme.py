"""The quantization scheme that a config states under the key ``quantization_config``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

_WORDS = ("qweight", "qzeros", "scales", "g_idx")
_PACKED = ("weight_packed", "weight_scale", "weight_zero_point", "weight_g_idx", "weight_shape")
_BITSANDBYTES = {"load_in_8bit", "load_in_4bit", "_load_in_8bit", "_load_in_4bit"}
_TELLING = (
    "format",
    "fmt",
    "quant_algo",
    "bits",
    "version",
    "bnb_4bit_quant_type",
)  # left open by the name
_COMPRESSED = ("pack-quantized", "int-quantized", "naive-quantized")


@attrs.frozen(eq=False)
class Scheme:
    """How the weights are quantized, in a layout that is known here.

    Attributes:
        path: of the config.
        method: ``awq``, ``gptq`` or ``compressed-tensors``.
        bits: of a code.
        group: columns that share a scale; None: as many as the shapes say.
        less: how much smaller stored zero points are than true ones.
    """

    path: Path
    method: str
    bits: int
    group: int | None = None
    less: int = 0

    @property
    def parts(self) -> tuple[str, ...]:
        """Endings of a matrix's tensors, the one that holds its codes first."""
        return _PACKED if self.method == "compressed-tensors" else _WORDS


def scheme_of(fields: Mapping[str, Any], path: Path) -> Scheme | None:
    """The scheme that a config states, or None where the weights are in no layout that is known here."""
    said = fields.get("quantization_config")
    if not isinstance(said, dict) or "quantization" in fields or _differing(said):
        return None
    method, bits, group = said.get("quant_method"), said.get("bits"), said.get("group_size")
    if method == "compressed-tensors":
        return _compressed(said, path)
    size = group if type(group) is int and group > 0 else None
    if method == "awq" and bits == 4 and str(said.get("version", "gemm")).lower() == "gemm":
        return Scheme(path, method, 4, size)
    if method == "gptq" and type(bits) is int and bits in {2, 3, 4, 8}:
        return Scheme(path, method, bits, size, 0 if said.get("checkpoint_format") == "gptq_v2" else 1)
    return None


def _differing(said: Mapping[str, Any]) -> bool:
    """Whether GPTQ's ``dynamic`` gives some modules other bits; an entry ``-:...`` leaves some plain."""
    dynamic = said.get("dynamic")
    return bool(dynamic) and not (isinstance(dynamic, dict) and all(key.startswith("-:") for key in dynamic))


def scheme_name(fields: Mapping[str, Any]) -> str | None:
    """The name of the scheme that a config states, whether it is read here or not; None where it states none.

    ``quantization`` is MLX's key; an empty map states nothing.
    """
    if fields.get("quantization"):
        return "MLX (key 'quantization')"
    said = fields.get("quantization_config") or fields.get("compression_config")
    if not said:
        inner = fields.get("text_config")
        return scheme_name(inner) if isinstance(inner, dict) else None
    if not isinstance(said, dict):
        return "a quantization_config that is no map"
    method = said.get("quant_method") or ("bitsandbytes" if _BITSANDBYTES & set(said) else None)
    if not isinstance(method, str):
        return "a quantization_config without a quant_method"
    details = [_detail(said, key) for key in _TELLING if isinstance(said.get(key), (str, int))]
    dynamic = ["'dynamic': other bits for some modules"] if _differing(said) else []
    return method + (f" ({', '.join(details + dynamic)})" if details or dynamic else "")


def _detail(said: Mapping[str, Any], key: str) -> str:
    return f"{key} {said[key]!s:.40}"


def _compressed(said: Mapping[str, Any], path: Path) -> Scheme | None:
    groups = said.get("config_groups")
    every = list(groups.values()) if isinstance(groups, dict) else []
    weights = [each.get("weights") if isinstance(each, dict) else None for each in every]
    known = [each for each in weights if isinstance(each, dict) and each.get("type", "int") == "int"]
    if not known or len(known) < len(weights) or said.get("format") not in _COMPRESSED:
        return None
    bits, sizes = {repr(each.get("num_bits")) for each in known}, [each.get("group_size") for each in known]
    if bits not in ({"4"}, {"8"}):
        return None
    alike = type(sizes[0]) is int and sizes[0] > 0 and all(size == sizes[0] for size in sizes)
    return Scheme(path, "compressed-tensors", int(bits.pop()), sizes[0] if alike else None)
