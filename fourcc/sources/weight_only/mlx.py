"""MLX: words of 32 bits that hold a row's codes behind each other, low bits first; each mode has scales of its own.

=========  ===============================================================================================
affine     weight (out, in * bits / 32), scales and biases (out, in / group) floats; w = scale * code + bias
mxfp4      weight as above, scales (out, in / 32): exponents of powers of two, bias 127; codes are E2M1
nvfp4      the same with scales of 16 weights, E4M3; there is no second scale
=========  ===============================================================================================

A config states ``quantization``: `group_size`, `bits` and `mode` of all modules, and beside them, under a module's
name, those of that module, or false where it is plain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.packing import pack, unpack
from fourcc.part import Packing
from fourcc.sources.extent import foreign_format
from fourcc.sources.mxfp4_blocks import mxfp4_blocks, mxfp4_format
from fourcc.sources.source import SourceTensor
from fourcc.sources.weight_only.groups import FEW
from fourcc.sources.weight_only.module import BYTES, FLOATS, INT32, Joined, Module, WeightLayout, codes, values

METHOD = "MLX"
BITS = (2, 3, 4, 5, 6, 8)
SCALES, OFFSETS = "scales", "biases"
_SETTINGS = ("group_size", "bits", "mode")
_WORD = 32


@attrs.frozen
class MlxAffine:
    """A scale and an offset for each group of a row.

    Attributes:
        bits: of a code.
        group: columns that share a scale.
    """

    bits: int
    group: int

    @property
    def parts(self) -> tuple[str, ...]:
        """Endings of the tensors' names."""
        return "weight", SCALES, OFFSETS

    def joined(self, module: Module) -> Joined:
        """The matrix."""
        words, shape = _words(module, self.bits)
        scales, offsets = (_of_groups(module, ending, FLOATS, shape, self.group) for ending in (SCALES, OFFSETS))
        bits = FEW if self.bits <= FEW else 8
        spec = foreign_format("mlx", f"affine {bits}", module.path)

        def read(matrix: int, first: int, last: int) -> Parts:  # noqa: ARG001 - there is one matrix
            found = _codes(words, first, last, shape[1], self.bits)
            return {
                "scales": values(scales, first, last).astype(np.float32),
                "offsets": values(offsets, first, last).astype(np.float32),
                "q": pack(found, Packing(bits=bits)),
            }

        return Joined("weight", shape, spec, read, {"group": self.group})


@attrs.frozen
class MlxFloat4:
    """4-bit floats with a byte as scale for each block, a power of two or an E4M3.

    Attributes:
        block: weights that share a scale: 32 with powers of two, 16 with E4M3.
    """

    block: int

    @property
    def parts(self) -> tuple[str, ...]:
        """Endings of the tensors' names."""
        return "weight", SCALES

    def joined(self, module: Module) -> Joined:
        """The matrix."""
        words, shape = _words(module, 4)
        scales = _of_groups(module, SCALES, BYTES, shape, self.block)
        return self._powers(module, words, scales, shape) if self.block == 32 else _e4m3(module, words, scales, shape)

    def _powers(self, module: Module, words: SourceTensor, scales: SourceTensor, shape: tuple[int, int]) -> Joined:
        """Powers of two, in ggml's order."""
        spec = mxfp4_format(module.path)

        def read(matrix: int, first: int, last: int) -> Parts:  # noqa: ARG001 - there is one matrix
            return mxfp4_blocks(spec, codes(scales, first, last), _codes(words, first, last, shape[1], 4))

        return Joined("weight", shape, spec, read)


def _e4m3(module: Module, words: SourceTensor, scales: SourceTensor, shape: tuple[int, int]) -> Joined:
    """NVFP4 without a second scale: factor and divisor are 1."""
    spec = foreign_format("modelopt", "NVFP4", module.path)

    def read(matrix: int, first: int, last: int) -> Parts:  # noqa: ARG001 - there is one matrix
        stored = _bytes(words, first, last)
        return {"second": np.ones(2, np.float32), "scales": codes(scales, first, last), "q": stored}

    return Joined("weight", shape, spec, read)


def _words(module: Module, bits: int) -> tuple[SourceTensor, tuple[int, int]]:
    """The tensor of the codes, and the shape of the matrix. Raises SourceError."""
    words, outs, width = module.matrix("weight", INT32)
    if width * _WORD % bits:
        raise module.refusal("the words of a row hold no whole number of codes", words.shape, f"codes of {bits} bits")
    return words, (outs, width * _WORD // bits)


def _of_groups(
    module: Module, ending: str, dtypes: tuple[str, ...], shape: tuple[int, int], group: int
) -> SourceTensor:
    """A tensor with an entry for each group. Raises SourceError where it has another shape."""
    tensor, *found = module.matrix(ending, dtypes)
    if shape[1] % group or tuple(found) != (shape[0], shape[1] // group):
        expected = f"an entry for each {group} of {shape[0]} x {shape[1]} weights"
        hint = "`quantization` in the config states the bits and the group size; it may belong to another model."
        raise module.refusal(f"{ending} do not fit the weights", tensor.shape, expected, hint)
    return tensor


def _bytes(words: SourceTensor, first: int, last: int) -> Array:
    """The words of some rows as bytes, the lowest first, (rows, bytes)."""
    stored = values(words, first, last).astype("<u4", copy=False)
    return np.ascontiguousarray(stored).view(np.uint8)


def _codes(words: SourceTensor, first: int, last: int, cols: int, bits: int) -> Array:
    """The codes of some rows, uint8 (rows, cols)."""
    return unpack(_bytes(words, first, last), cols, Packing(bits=bits))


# -- the config


@attrs.frozen
class MlxModules:
    """The layouts of modules: the usual one, and those of modules that the config names.

    Attributes:
        usual: of a module that is not named.
        named: of those that are; None: it is plain.
    """

    usual: WeightLayout
    named: Mapping[str, WeightLayout | None]

    @property
    def every(self) -> tuple[WeightLayout, ...]:
        """The layouts that modules may have."""
        return (self.usual, *(each for each in self.named.values() if each is not None))

    def __call__(self, module: str) -> WeightLayout | None:
        """The layout of a module; None: the config says that it is plain."""
        return self.named.get(module, self.usual)


def mlx_layouts(said: object) -> MlxModules | None:
    """The layouts that a config states; None where one of them is not read here."""
    if not isinstance(said, dict):
        return None
    usual = _layout(said)
    named: dict[str, WeightLayout | None] = {}
    for name, settings in said.items():
        if name in _SETTINGS or not isinstance(settings, (dict, bool)):
            continue
        layout = _layout({**_usual(said), **settings}) if isinstance(settings, dict) else usual if settings else None
        if layout is None and settings:
            return None
        named[name] = layout
    return None if usual is None else MlxModules(usual, named)


def _usual(said: Mapping[str, Any]) -> dict[str, Any]:
    return {key: said[key] for key in _SETTINGS if key in said}


def _layout(said: Mapping[str, Any]) -> WeightLayout | None:
    """The layout of one set of settings; None where it is not read here."""
    bits, group, mode = said.get("bits", 4), said.get("group_size", 64), said.get("mode", "affine")
    if mode == "affine" and bits in BITS and type(group) is int and group > 0:
        return MlxAffine(bits, group)
    block = {"mxfp4": 32, "nvfp4": 16}.get(str(mode))
    return MlxFloat4(block) if block is not None and (bits, group) == (4, block) else None
