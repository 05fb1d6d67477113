"""bitsandbytes: 4-bit codes of a flattened matrix in blocks, whose scales may be quantized, too; or int8.

======================================  ===============================================================================
weight                                  uint8 (weights / 2, 1): two codes a byte, the first in the high nibble
weight.absmax                           float32 (blocks,), or nested: uint8, codes of `nested_quant_map`
weight.quant_map                        float32 (16,): the levels, those of NF4 or FP4
weight.nested_absmax, nested_quant_map  nested: scales of 256 scales, and the 256 levels that codes of scales name
weight.quant_state.bitsandbytes__nf4    JSON in bytes: shape, blocksize, the offset of nested scales
======================================  ===============================================================================

A scale that is nested is level * scale + offset, in float32, product and sum rounded. int8 has `weight` (out, in) and
`SCB` (out,), the largest magnitudes of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import attrs
import numpy as np

from fourcc.arrays import Floats, Parts
from fourcc.files.json_text import parse_object
from fourcc.format import Format
from fourcc.geometry import Geometry
from fourcc.sources.extent import foreign_format
from fourcc.sources.source import SourceTensor
from fourcc.sources.weight_only.groups import positive
from fourcc.sources.weight_only.module import BYTES, FLOATS, INT8, Joined, Module, OneLayout, codes

METHOD = "bitsandbytes"
KINDS = tuple(f"{numbers}4" for numbers in ("nf", "fp"))  # normal quantiles, floats
BLOCK = 64  # weights with one scale in fourcc's formats
STATE = "weight.quant_state.bitsandbytes__"
ROW_MAJOR = 0  # of `weight_format`: the order of the codes of int8


@attrs.frozen(eq=False)
class _Stated:
    """The JSON of a matrix.

    Attributes:
        shape: of the matrix.
        size: weights with one scale.
        nested: scales with one scale; None: scales are floats.
        offset: that is added to nested scales.
    """

    shape: tuple[int, int]
    size: int
    nested: int | None
    offset: float


@attrs.frozen
class BitsAndBytes4:
    """Blocks of 4-bit codes along the flattened matrix."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Endings of the tensors' names."""
        nested = ("weight.nested_absmax", "weight.nested_quant_map")
        return "weight", "weight.absmax", "weight.quant_map", *nested, *(f"{STATE}{kind}" for kind in KINDS)

    def joined(self, module: Module) -> Joined:
        """The matrix."""
        kind = next((each for each in KINDS if module.find(f"{STATE}{each}") is not None), KINDS[0])
        state = _state(module, kind)
        spec = foreign_format(METHOD, kind, module.path)
        _check_levels(module, spec)
        stored, (rows, cols) = module.get("weight", BYTES), state.shape
        if prod(stored.shape) * 2 != rows * cols or stored.shape[-1] != 1:
            raise module.refusal("the codes do not fit the shape", stored.shape, f"{(rows * cols // 2, 1)}")
        scales = _scales(module, state)

        def read(matrix: int, first: int, last: int) -> Parts:  # noqa: ARG001 - there is one matrix
            q = codes(stored, first * cols // 2, last * cols // 2).reshape(last - first, cols // 2)
            blocks = np.arange(first * cols // BLOCK, last * cols // BLOCK)
            return {"scales": scales()[blocks * BLOCK // state.size].reshape(last - first, -1), "q": q}

        return Joined("weight", state.shape, spec, read)


@attrs.frozen
class BitsAndBytes8:
    """int8 with the largest magnitude of each row."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Endings of the tensors' names."""
        return "weight", "SCB", "weight_format"

    def joined(self, module: Module) -> Joined:
        """The matrix."""
        stored, rows, cols = module.matrix("weight", INT8)
        peaks = module.get("SCB", FLOATS)
        if prod(peaks.shape) != rows:
            raise module.refusal("SCB has no entry for each row", peaks.shape, f"{rows} entries")
        order = module.find("weight_format")
        if order is not None and int(order.decode().reshape(-1)[0]) != ROW_MAJOR:
            raise module.refusal("the codes are in the order of another processor", order.decode().tolist(), ROW_MAJOR)

        def read(matrix: int, first: int, last: int) -> Parts:  # noqa: ARG001 - there is one matrix
            of_rows = peaks.decode().reshape(-1)[first:last].astype(np.float32)
            return {"peaks": of_rows, "q": codes(stored, first, last)}

        return Joined("weight", (rows, cols), foreign_format(METHOD, "int8", module.path), read)


def _state(module: Module, kind: str) -> _Stated:
    """The JSON of a matrix. Raises SourceError where it cannot be true, or its blocks do not fit rows."""
    text = module.get(f"{STATE}{kind}", BYTES).decode().astype(np.uint8).tobytes()
    said = parse_object(text, module.path)
    shape, offset = said.get("shape"), said.get("nested_offset", 0.0)
    sides = shape if isinstance(shape, list) and len(shape) == 2 else [None, None]
    sizes = [size for each in (*sides, said.get("blocksize")) if (size := positive(each)) is not None]
    nested = positive(said.get("nested_blocksize"))
    contradicts = said.get("quant_type") != kind or (nested is None and "nested_blocksize" in said)
    if len(sizes) < 3 or contradicts or not isinstance(offset, (int, float)):
        found = {key: said.get(key) for key in ("quant_type", "shape", "blocksize")}
        raise module.refusal("the quantization state is not that of a matrix", found, f"{kind}, rows and columns")
    rows, cols, size = sizes
    if cols % BLOCK or size % BLOCK:
        expected = f"columns and blocks that are multiples of {BLOCK}"
        raise module.refusal("blocks run across the ends of rows", f"{cols} columns, blocks of {size}", expected)
    return _Stated((rows, cols), size, nested, float(offset))


def _check_levels(module: Module, spec: Format) -> None:
    """Refuses other levels than the format's."""
    levels = module.get("weight.quant_map", FLOATS).decode().reshape(-1)
    pairs = np.arange(0, 16, 2, dtype=np.uint8)
    parts = {"scales": np.ones((1, 1), np.float32), "q": (pairs << 4 | pairs + 1)[None]}
    ours = spec.decode(parts, Geometry(1, 16)).reshape(-1)
    if not np.array_equal(levels, ours):
        raise module.refusal("quant_map has other levels", levels.tolist(), f"those of {spec.name}")


def _scales(module: Module, state: _Stated) -> Callable[[], Floats]:
    """Reads the scales of all blocks. Raises SourceError where they do not fit."""
    count = -(-state.shape[0] * state.shape[1] // state.size)
    absmax = module.get("weight.absmax", BYTES if state.nested else FLOATS)
    if prod(absmax.shape) != count:
        raise module.refusal("absmax has no entry for each block", absmax.shape, f"{count} entries")
    if state.nested is None:
        return lambda: _floats(absmax)
    size = state.nested
    levels = module.get("weight.nested_quant_map", FLOATS)
    outer = module.get("weight.nested_absmax", FLOATS)
    if prod(levels.shape) != 256 or prod(outer.shape) != -(-count // size):
        found = f"{levels.shape}, {outer.shape}"
        raise module.refusal("the nested scales do not fit", found, f"256, {-(-count // size)} entries")

    def nested() -> Floats:
        named = absmax.decode().reshape(-1).astype(np.int64)
        scales: Floats = _floats(levels)[named] * _floats(outer)[np.arange(count) // size] + np.float32(state.offset)
        return scales

    return nested


def _floats(tensor: SourceTensor) -> Floats:
    """All numbers of a tensor, float32 (n,)."""
    return tensor.decode().reshape(-1).astype(np.float32)


def bitsandbytes_layouts(said: Mapping[str, Any]) -> OneLayout | None:
    """The layout that a config states; None where it is not read here."""
    if said.get("load_in_4bit") or said.get("_load_in_4bit"):
        return OneLayout(BitsAndBytes4())
    return OneLayout(BitsAndBytes8()) if said.get("load_in_8bit") or said.get("_load_in_8bit") else None
