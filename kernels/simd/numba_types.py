"""Vectors as numba types: their values are LLVM vectors, so they live in registers."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import types
from numba.extending import models, register_model

from fourcc.kernels.simd.builder import llvm_type
from fourcc.kernels.simd.operation import OperandKind

SCALARS = {
    "i64": types.int64,
    "i32": types.int32,
    "f32": types.float32,
    "f64": types.float64,
    "void": types.void,
}


class VectorType(types.Type):
    """A vector, or a tile of vectors."""

    def __init__(self, kind: OperandKind) -> None:
        self.kind = kind
        super().__init__(name=str(kind))


@register_model(VectorType)
class VectorModel(models.PrimitiveModel):
    """An LLVM vector in memory and in registers alike."""

    def __init__(self, manager: Any, numba_type: VectorType) -> None:
        super().__init__(manager, numba_type, llvm_type(numba_type.kind))  # type: ignore[no-untyped-call]  # numba's


@cache
def numba_type(kind: OperandKind) -> Any:
    """Numba's type of a kind."""
    return VectorType(kind) if kind.lanes else SCALARS[kind.element]


def operand_kind(given: Any) -> OperandKind | None:
    """The kind of a numba type, or None where kernels have no such values; integers of any width count as 64 bits."""
    if isinstance(given, VectorType):
        return given.kind
    if isinstance(given, (types.Integer, types.Boolean)):
        return OperandKind("i64")
    if isinstance(given, types.Float):
        return OperandKind("f32") if given.bitwidth == 32 else OperandKind("f64")
    return None
