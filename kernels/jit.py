"""The home of all JIT settings: from a kernel, a plain Python function, to machine code and its address.

Kernels carry no decorator. A kernel is *lifted*: copied with every operation, and every function that it calls, replaced
by what numba compiles them to. numba makes LLVM code of it, LLVM object code, and the object code is kept on disk
(`fourcc.kernels.objects`), so that a later process imports llvmlite alone and compiles nothing.

Every kernel has one signature, five integers: (weights, job, first, last, scratch), the first two addresses of
descriptors (`fourcc.kernels.operands`), then a range of rows, then the address of the thread's scratch memory.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from functools import cache
from threading import RLock
from types import CellType, FunctionType
from typing import Any

from fourcc.kernels import objects
from fourcc.kernels.simd.operation import Kind, Operation
from fourcc.kernels.simd.target import Target, processor, target

ARGUMENTS = 5
# No fastmath: it may delete a test for NaN, and would let sums that reach a file depend on the machine.
OPTIONS = {"nopython": True, "error_model": "numpy", "fastmath": False, "_nrt": False}

Kernel = Callable[[int, int, int, int, int], None]
_lock = RLock()
_compiled: dict[Kernel, Compiled] = {}
compilations = 0  # of this process; 0 where all came from the disk


class Compiled:
    """A compiled kernel.

    Attributes:
        address: of its machine code, for callers that are compiled themselves.
    """

    def __init__(self, name: str, address: int) -> None:
        import ctypes

        self.name = name
        self.address = address
        self._call = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * ARGUMENTS)(address)

    def __call__(self, weights: int, job: int, first: int, last: int, scratch: int) -> None:
        """Runs it, without the interpreter's lock."""
        self._call(weights, job, first, last, scratch)


def uncompiled() -> bool:
    """Whether kernels run as Python (``NUMBA_DISABLE_JIT=1``)."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in {"", "0"}


def compiled(kernel: Kernel, announce: Callable[[str], None] | None = None) -> Kernel:
    """The kernel as machine code, from the cache on disk or compiled now; as it is where nothing is compiled.

    Args:
        kernel: a function of the signature above.
        announce: called with the kernel's name before it is compiled.
    """
    if isinstance(kernel, Compiled) or uncompiled():
        return kernel
    known = _compiled.get(kernel)
    if known is None:
        with _lock:
            known = _compiled.get(kernel) or _load(kernel, objects.fingerprint(kernel), announce)
            _compiled[kernel] = known
    return known


def is_ready(kernel: Kernel) -> bool:
    """Whether the kernel runs without being compiled first."""
    if uncompiled():
        return False
    return kernel in _compiled or objects.exists(objects.fingerprint(kernel))


def _load(kernel: Kernel, key: bytes, announce: Callable[[str], None] | None) -> Compiled:
    name = kernel.__qualname__.replace(".<locals>", "")
    if _bounds_checked():  # the code may raise, which needs numba beside it
        import numba  # noqa: F401
    code = objects.load(key)
    if code is None:
        if announce is not None:
            announce(name)
        code = _compile(kernel)
        objects.save(key, code)
    return Compiled(name, objects.link(code, _symbol(key)))


def _bounds_checked() -> bool:
    return os.environ.get("NUMBA_BOUNDSCHECK", "0") not in {"", "0"}


def _symbol(key: bytes) -> str:
    return f"fourcc_{key.hex()}"


def _compile(kernel: Kernel) -> bytes:
    """Object code of a kernel under the symbol of its key."""
    global compilations  # noqa: PLW0603 - counted for a test, and for `fourcc cache`
    compilations += 1
    import llvmlite.binding as llvm

    text = llvm_of(kernel)
    objects.initialize()
    return bytes(machine(target()).emit_object(_parsed(text)))


def _parsed(text: str) -> Any:
    import llvmlite.binding as llvm

    module = llvm.parse_assembly(text)
    module.verify()
    return module


def machine(chosen: Target) -> Any:
    """LLVM's machine for a target."""
    import llvmlite.binding as llvm

    cpu, features = processor(chosen)
    return llvm.Target.from_default_triple().create_target_machine(cpu=cpu, features=features, opt=3, jit=True)


def llvm_of(kernel: Kernel) -> str:
    """LLVM code of a kernel, optimised by numba, with the symbol of the kernel's key as its only entry."""
    from numba import cfunc, types

    signature = types.void(*[types.int64] * ARGUMENTS)
    options = {name: value for name, value in OPTIONS.items() if name != "nopython"}
    function = cfunc(signature, **options)(lift(kernel))
    text: str = function.inspect_llvm()
    return text.replace(f'"{function.native_name}"', _symbol(objects.fingerprint(kernel))).replace(
        f"@{function.native_name}(", f"@{_symbol(objects.fingerprint(kernel))}("
    )


def lift(function: Callable[..., Any]) -> FunctionType:
    """A copy of a plain function whose operations and callees are compiled ones."""
    plain = getattr(function, "py_func", function)
    assert isinstance(plain, FunctionType)
    names = objects.names_of(plain.__code__)
    scope = {
        name: _lifted(value) if name in names else value
        for name, value in plain.__globals__.items()
        if name in names or name.startswith("__")
    }
    cells = tuple(CellType(_lifted(cell.cell_contents)) for cell in plain.__closure__ or ())
    return FunctionType(plain.__code__, scope, plain.__name__, plain.__defaults__, cells or None)


def _lifted(value: object) -> object:
    if isinstance(value, Operation):
        return _intrinsic(value)
    if isinstance(value, FunctionType) or hasattr(value, "py_func"):
        return _inner(getattr(value, "py_func", value))
    return value


@cache
def _inner(function: FunctionType) -> Any:
    """A function that kernels call, compiled into them."""
    from numba import njit

    options = {name: value for name, value in OPTIONS.items() if name != "nopython"}
    return njit(**options, forceinline=True)(lift(function))


@cache
def _intrinsic(operation: Operation) -> Any:
    """numba's form of an operation."""
    from numba import extending

    from fourcc.kernels.simd import numba_types
    from fourcc.kernels.simd.builder import Builder

    def definition(_: Any, *arguments: Any) -> Any:
        kinds = tuple(map(numba_types.kind_of, arguments))
        result = None if None in kinds else operation.result(kinds)  # type: ignore[arg-type]
        if result is None:
            return None

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            converted = [
                context.cast(builder, value, given, numba_types.numba_type(kind))
                for value, given, kind in zip(values, signature.args, kinds, strict=True)
            ]
            made = operation.build(Builder(builder, target()), *converted)
            return context.get_dummy_value() if result.element == "void" else made

        takes = [
            numba_types.numba_type(kind) if kind.lanes == 0 else given
            for kind, given in zip(kinds, arguments, strict=True)
        ]
        return numba_types.numba_type(result)(*takes), generate

    parameters = [inspect.Parameter("typing", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    parameters += list(inspect.signature(operation.meaning).parameters.values())
    definition.__signature__ = inspect.Signature(
        [each.replace(annotation=inspect.Parameter.empty) for each in parameters]
    )  # type: ignore[attr-defined]
    definition.__name__ = operation.meaning.__name__
    return extending.intrinsic(definition)


def kinds_of(kernel: Callable[..., Any]) -> list[Kind]:
    """Kinds that the operations of a kernel return; for looking at a kernel."""
    found = (value for value in objects.reachable(kernel) if isinstance(value, Operation))
    return [each.returns for each in found if isinstance(each.returns, Kind)]
