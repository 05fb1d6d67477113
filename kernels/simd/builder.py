"""An llvmlite builder for lowering operations: typed loads, splats, shuffles, calls of LLVM's own functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from fourcc.kernels.simd.operation import OperandKind
from fourcc.kernels.simd.target import Target

Value = Any  # llvmlite has no types to import


class BrainType(ir.Type):  # type: ignore[misc]  # llvmlite has no types
    """LLVM's bfloat, which llvmlite lacks."""

    def _to_string(self) -> str:
        return "bfloat"


ELEMENTS = {
    "i1": ir.IntType(1),
    "i8": ir.IntType(8),
    "i16": ir.IntType(16),
    "i32": ir.IntType(32),
    "i64": ir.IntType(64),
    "bf16": BrainType(),
    "f16": ir.HalfType(),
    "f32": ir.FloatType(),
    "f64": ir.DoubleType(),
    "void": ir.VoidType(),
}


def vector(element: str, lanes: int) -> Value:
    """LLVM's type of a vector."""
    return ir.VectorType(ELEMENTS[element], lanes)


def llvm_type(kind: OperandKind) -> Value:
    """LLVM's type of a kind."""
    if not kind.lanes:
        return ELEMENTS[kind.element]
    one = vector(kind.element, kind.lanes)
    return ir.ArrayType(one, kind.columns) if kind.columns else one


class Builder:
    """An llvmlite builder with methods for vectors; all other attributes are llvmlite's.

    Args:
        inner: llvmlite's builder, positioned where the operation is called.
        target: the machine to compile for.
    """

    def __init__(self, inner: Any, target: Target) -> None:
        self._inner = inner
        self.target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def constant(self, kind: Value, value: Any) -> Value:
        """A constant; for a vector, the same value in all lanes, or a list with one value a lane."""
        if isinstance(kind, ir.VectorType) and not isinstance(value, (list, tuple)):
            value = [value] * kind.count
        return ir.Constant(kind, value)

    def int32(self, value: int) -> Value:
        """An i32 constant, the type of indices."""
        return ir.Constant(ELEMENTS["i32"], value)

    def call(self, name: str, result: Value, *arguments: Value) -> Value:
        """Calls a function of LLVM by name, and declares it if the module does not yet."""
        module = self._inner.module
        known = module.globals.get(name)
        if known is None:
            kind = ir.FunctionType(result, [argument.type for argument in arguments])
            known = ir.Function(module, kind, name)
        return self._inner.call(known, arguments)

    def call_pointer(self, function: Value, arguments: Sequence[Value]) -> Value:
        """Calls a function by its address."""
        return self._inner.call(function, arguments)

    def elementwise(self, name: str, *arguments: Value) -> Value:
        """An overloaded function of LLVM on vectors or scalars of one type: ``llvm.<name>.<type>``."""
        kind = arguments[0].type
        scalar = kind.element if isinstance(kind, ir.VectorType) else kind
        letter = {"float": "f32", "double": "f64", "half": "f16"}.get(str(scalar), str(scalar))
        suffix = f"v{kind.count}{letter}" if isinstance(kind, ir.VectorType) else letter
        return self.call(f"llvm.{name}.{suffix}", kind, *arguments)

    def pointer(self, address: Value, kind: Value) -> Value:
        """An address as a pointer to a type."""
        return self._inner.inttoptr(address, kind.as_pointer())

    def load_from(self, address: Value, kind: Value) -> Value:
        """A load that may be unaligned."""
        return self._inner.load(self.pointer(address, kind), align=1)

    def store_to(self, address: Value, value: Value) -> None:
        """A store that may be unaligned."""
        self._inner.store(value, self.pointer(address, value.type), align=1)

    def plus(self, address: Value, offset: int) -> Value:
        """An address some bytes further on."""
        return self._inner.add(address, ir.Constant(ELEMENTS["i64"], offset)) if offset else address

    def splat(self, scalar: Value, lanes: int) -> Value:
        """A vector with the scalar in every lane."""
        kind = ir.VectorType(scalar.type, lanes)
        undefined = ir.Constant(kind, ir.Undefined)
        one = self._inner.insert_element(undefined, scalar, self.int32(0))
        return self.shuffle(one, undefined, [0] * lanes)

    def shuffle(self, left: Value, right: Value, lanes: Sequence[int]) -> Value:
        """Lanes of two vectors, by number; the right vector's numbers follow the left one's."""
        mask = ir.Constant(vector("i32", len(lanes)), list(lanes))
        return self._inner.shuffle_vector(left, right, mask)

    def pick(self, value: Value, lanes: Sequence[int]) -> Value:
        """Lanes of one vector, by number."""
        return self.shuffle(value, ir.Constant(value.type, ir.Undefined), lanes)

    def split(self, value: Value, parts: int) -> list[Value]:
        """A vector in equal parts."""
        width = value.type.count // parts
        return [self.pick(value, range(first, first + width)) for first in range(0, value.type.count, width)]

    def join(self, parts: Sequence[Value]) -> Value:
        """The reverse of `split`."""
        while len(parts) > 1:
            width = 2 * parts[0].type.count
            parts = [self.shuffle(a, b, range(width)) for a, b in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]

    def multiply_add(self, x: Value, y: Value, z: Value) -> Value:
        """x * y + z, fused on all targets but `portable`."""
        if self.target.name == "portable":
            return self._inner.fadd(self._inner.fmul(x, y), z)
        return self.elementwise("fma", x, y, z)

    def columns(self, tile: Value) -> list[Value]:
        """The vectors of a tile."""
        return [self._inner.extract_value(tile, index) for index in range(tile.type.count)]

    def tile(self, vectors: Sequence[Value]) -> Value:
        """A tile of vectors."""
        tile = ir.Constant(ir.ArrayType(vectors[0].type, len(vectors)), ir.Undefined)
        for index, each in enumerate(vectors):
            tile = self._inner.insert_value(tile, each, index)
        return tile


def addresses(b: Builder, first: Value, stride: Value, count: int) -> list[Value]:
    """`count` addresses, `stride` bytes apart."""
    places = [first]
    for _ in range(count - 1):
        places.append(b.add(places[-1], stride))
    return places


def everywhere(b: Builder, address: Value) -> Value:
    """The float at an address in all lanes."""
    return b.splat(b.load_from(address, ELEMENTS["f32"]), 16)
