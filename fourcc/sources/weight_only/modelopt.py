"""ModelOpt's config: one algorithm for all modules, or one for each; in config.json, or in a file of its own beside it.

``exclude_modules`` (``ignore``) name modules that stay plain; their tensors show it. An algorithm with ``AWQ`` in its
name multiplies activations by scales of their own (``pre_quant_scale``), and is not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from fourcc.files.beside import contents, file_in
from fourcc.files.json_text import parse_object
from fourcc.sources.weight_only.float4 import NvFloat4
from fourcc.sources.weight_only.float8 import Float8
from fourcc.sources.weight_only.module import WeightLayout

FILE = "hf_quant_config.json"
MAX_FILE = 1 << 24
METHOD = "modelopt"
_MIXED = "MIXED_PRECISION"
_LAYOUTS: Mapping[str, WeightLayout] = {
    "FP8": Float8(),
    "FP8_PER_CHANNEL_PER_TOKEN": Float8((1, None)),
    "FP8_PB_WO": Float8((128, 128)),
    "MXFP8": Float8((1, 32), exponents=True),
    "NVFP4": NvFloat4(),
    "W4A16_NVFP4": NvFloat4(),
}


@attrs.frozen
class AlgorithmOfModules:
    """The layouts of modules: one for all, or by name."""

    usual: WeightLayout | None
    named: Mapping[str, WeightLayout]

    @property
    def every(self) -> tuple[WeightLayout, ...]:
        """The layouts that modules may have."""
        return tuple(self.named.values()) if self.usual is None else (self.usual,)

    def __call__(self, module: str) -> WeightLayout | None:
        """The layout of a module; None: the config does not name it."""
        return self.named.get(module, self.usual)


def modelopt_layouts(said: Mapping[str, Any]) -> AlgorithmOfModules | None:
    """The layouts that a config states; None where one of them is not read here."""
    algorithm, layers = said.get("quant_algo"), said.get("quantized_layers") or {}
    if algorithm == _MIXED and isinstance(layers, dict) and layers:
        stated = [each.get("quant_algo") if isinstance(each, dict) else None for each in layers.values()]
        known = {name: _layout(algorithm) for name, algorithm in zip(layers, stated, strict=True)}
        named = {name: layout for name, layout in known.items() if layout is not None}
        return AlgorithmOfModules(None, named) if len(named) == len(known) else None
    usual = _layout(algorithm)
    return None if usual is None else AlgorithmOfModules(usual, {})


def _layout(algorithm: object) -> WeightLayout | None:
    return _LAYOUTS.get(str(algorithm).upper())


def quantization_beside(fields: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """A config's fields with what ModelOpt's own file says of quantization where they do not, and that file if it did.

    Args:
        fields: of config.json.
        folder: of both files.

    Raises:
        SourceError: the file cannot be read.
    """
    path = file_in(folder, FILE)
    stated = fields.get("quantization_config")
    if path is None or (isinstance(stated, dict) and stated.get("quant_algo") is not None):
        return dict(fields), ()
    said = parse_object(contents(path, MAX_FILE, FILE), path).get("quantization")
    if not isinstance(said, dict) or said.get("quant_algo") is None:
        return dict(fields), ()
    kept = stated if isinstance(stated, dict) else {}
    return {**fields, "quantization_config": {"quant_method": METHOD, **said, **kept}}, (path,)
