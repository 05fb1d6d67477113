"""The config of FP8 checkpoints: quant_method ``fp8`` (DeepSeek, Qwen, MiniMax, AutoFP8, Mistral) and ``fbgemm_fp8``.

``weight_block_size`` gives the block of a scale; without it there is one scale, one a row, or one for each 128 x 128.
Modules that stay plain (``modules_to_not_convert``, ``ignored_layers``) show by their tensors: tools compare these
names in different ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fourcc.sources.weight_only.compressed_tensors import block_of
from fourcc.sources.weight_only.float8 import BLOCK, Float8

_SCALES = ("weight_scale_inv", "weight_scale")
_E4M3 = (None, "e4m3", "float8_e4m3fn")


def fp8_layout(said: Mapping[str, Any]) -> Float8 | None:
    """The layout of method ``fp8``; None where it is another one."""
    size = said.get("weight_block_size")
    block: BLOCK | None = block_of(size)
    if said.get("fmt") not in _E4M3 or said.get("expert_dtype", "fp8") != "fp8" or (size is not None and block is None):
        return None
    return Float8(block, _SCALES)


def fbgemm_layout(said: Mapping[str, Any]) -> Float8:  # noqa: ARG001 - there is one
    """The layout of method ``fbgemm_fp8``: a scale a row."""
    return Float8((1, None))
