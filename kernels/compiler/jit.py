"""The JIT compiler and all its settings: from a kernel, a plain Python function, to machine code and its address.

Kernels carry no decorator. A kernel is *lifted*: the copy calls numba's compiled form of every operation and every
function that the kernel calls. numba lowers the copy to LLVM's code, LLVM compiles this to object code, and
`fourcc.kernels.compiler.object_cache` keeps the object code on disk. So a later process imports llvmlite alone and
compiles nothing.

All kernels have the same signature of five integers: (weights, job, first, last, scratch). The first two are addresses
of descriptors (`fourcc.kernels.descriptors`), the next two a range of rows, the last the address of the thread's
scratch memory.
"""

from __future__ import annotations

import inspect
import logging
import os
import time
from collections.abc import Callable
from functools import cache, partial
from threading import RLock
from types import CellType, FunctionType
from typing import Any

from fourcc.kernels.compiler import announcing, object_cache
from fourcc.kernels.compiler.interruptible import interruptible
from fourcc.kernels.simd.operation import Operation
from fourcc.kernels.simd.target import Target, processor, target

ARGUMENTS = 5
# No fastmath: it may delete a test for NaN, and would let sums that reach a file depend on the machine.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": False, "_nrt": False}

KernelFunction = Callable[[int, int, int, int, int], None]
compilations = 0  # in this process; 0 if every kernel came from the disk

_log = logging.getLogger(__name__)
_lock = RLock()
_compiled: dict[KernelFunction, Compiled] = {}


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
        """Runs the kernel without the interpreter's lock."""
        self._call(weights, job, first, last, scratch)


def uncompiled() -> bool:
    """Whether kernels run as Python (``NUMBA_DISABLE_JIT=1``)."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in {"", "0"}


def compiled(kernel: KernelFunction) -> KernelFunction:
    """The kernel as machine code, from the cache on disk or compiled now; unchanged where kernels run as Python.

    Args:
        kernel: a function with the signature above.
    """
    if isinstance(kernel, Compiled) or uncompiled():
        return kernel
    known = _compiled.get(kernel)
    if known is None:
        with _lock:
            known = _compiled.get(kernel) or _load(kernel)
            _compiled[kernel] = known
    return known


def is_ready(kernel: KernelFunction) -> bool:
    """Whether the kernel runs without being compiled first."""
    if uncompiled():
        return False
    return kernel in _compiled or object_cache.exists(object_cache.fingerprint(kernel))


def _load(kernel: KernelFunction) -> Compiled:
    key = object_cache.fingerprint(kernel)
    if bounds_checked():  # the code may raise, for which numba must be loaded
        import numba  # noqa: F401 - it is loaded, and not called
    code = object_cache.load(key)
    if code is None:
        with object_cache.locked(key):
            code = object_cache.load(key)  # which another process may have kept meanwhile
            if code is None:
                code = interruptible(partial(_compile, kernel, _symbol(key)))
                object_cache.save(key, code)
    return Compiled(_name(kernel), object_cache.link(code, _symbol(key)))


def bounds_checked() -> bool:
    """Whether arrays are checked before they are indexed (``NUMBA_BOUNDSCHECK=1``)."""
    return os.environ.get("NUMBA_BOUNDSCHECK", "0") not in {"", "0"}


def _name(kernel: KernelFunction) -> str:
    return f"{kernel.__module__.rpartition('.')[2]}.{kernel.__qualname__.replace('.<locals>', '')}"


def _symbol(key: bytes) -> str:
    return f"fourcc_{key.hex()}"


def _compile(kernel: KernelFunction, symbol: str) -> bytes:
    """Object code of a kernel."""
    global compilations  # noqa: PLW0603 - counted for a test
    compilations += 1
    if announcing.listener is not None:
        announcing.listener(_name(kernel))
    host, began = machine(target()), time.monotonic()
    code = bytes(host.emit_object(module_of(kernel, symbol, host)))
    _log.info("compiled the kernel %s: %.1f s", _name(kernel), time.monotonic() - began)
    return code


def machine(chosen: Target, triple: str | None = None) -> Any:
    """LLVM's target machine; `triple` names an architecture other than the host's."""
    import llvmlite.binding as llvm

    object_cache.initialize()
    family = llvm.Target.from_default_triple() if triple is None else llvm.Target.from_triple(triple)
    cpu, features = processor(chosen)
    return family.create_target_machine(cpu=cpu, features=features, opt=3, jit=triple is None)


def assembled(code: str, symbol: str, **numbers: int) -> int:
    """Address of a function that is written in LLVM's language, compiled for the host.

    Args:
        code: a module with placeholders for `symbol` and `numbers`, as `str.format` takes them.
        symbol: the function's name.
        numbers: values of the placeholders.
    """
    import llvmlite.binding as llvm

    module = llvm.parse_assembly(code.format(symbol=symbol, **numbers))
    return object_cache.link(bytes(machine(target()).emit_object(module)), symbol)


def module_of(kernel: KernelFunction, symbol: str, target_machine: Any) -> Any:
    """LLVM's module of a kernel, optimised for a machine; the entry function is called `symbol`.

    Raises:
        ValueError: the kernel calls a function that is neither its own nor LLVM's, or may raise an exception.
    """
    module = _module(kernel, symbol, target_machine)
    module.verify()
    foreign = [each.name for each in module.functions if each.is_declaration and not each.name.startswith("llvm.")]
    if foreign and bounds_checked():
        return _module_that_may_raise(kernel, symbol)
    if foreign:
        what = "may raise an exception" if "raise" in foreign else f"calls {', '.join(foreign)}"
        raise ValueError(f"the kernel {_name(kernel)} {what}")
    return module


# numba's functions return a status: 0 after a value, -2 after None, anything else after an exception. If the call of
# `raise` is gone after inlining and optimisation, the kernel never raises.
ENTRY = """
define void @{symbol}({takes}) {{
    %value = alloca ptr
    %raised = alloca ptr
    %status = call i32 @"{name}"(ptr %value, ptr %raised, {takes})
    %is_zero = icmp eq i32 %status, 0
    %is_none = icmp eq i32 %status, -2
    %is_well = or i1 %is_zero, %is_none
    br i1 %is_well, label %end, label %failed
failed:
    call void @raise()
    br label %end
end:
    ret void
}}
declare void @raise()
"""


def _module(kernel: KernelFunction, symbol: str, target_machine: Any) -> Any:
    """The module in which every function that the kernel calls is inlined into the entry, and optimised once, there."""
    import llvmlite.binding as llvm
    from numba import types

    from fourcc.kernels.compiler.numba_frontend import llvm_code

    code, name = llvm_code(lift(kernel), (types.int64,) * ARGUMENTS, OPTIONS)
    takes = ", ".join(f"i64 %given{index}" for index in range(ARGUMENTS))
    module = llvm.parse_assembly(code + ENTRY.format(symbol=symbol, name=name, takes=takes))
    module.triple, module.data_layout = target_machine.triple, str(target_machine.target_data)
    for each in (*module.functions, *module.global_variables):  # numba's names number its earlier compilations
        if not each.is_declaration and each.name != symbol:
            each.linkage = "internal"
    passes = llvm.create_pass_builder(target_machine, llvm.create_pipeline_tuning_options(3))
    passes.getModulePassManager().run(module, passes)
    return module


def _module_that_may_raise(kernel: KernelFunction, symbol: str) -> Any:
    """The module as numba compiles it for callers from C, which prints an exception.

    numba inlines the kernel into the entry. So LLVM removes the printing where the kernel cannot fail.
    """
    import llvmlite.binding as llvm
    from numba import cfunc, types

    function = cfunc(types.void(*[types.int64] * ARGUMENTS), **OPTIONS, forceinline=True)(
        lift(kernel, _inner_that_may_raise)
    )
    module = llvm.parse_assembly(function.inspect_llvm())
    module.get_function(function.native_name).name = symbol
    module.verify()
    return module


def lift(function: Callable[..., Any], inner: Callable[[Any], Any] | None = None) -> FunctionType:
    """A copy of a plain function that calls compiled operations and callees; `inner` compiles the callees."""
    lifted = partial(_lifted, inner=inner or _inner)
    plain = getattr(function, "py_func", function)
    assert isinstance(plain, FunctionType)
    names = object_cache.names_of(plain.__code__)
    scope = {
        name: lifted(value) if name in names else value
        for name, value in plain.__globals__.items()
        if name in names or name.startswith("__")
    }
    cells = tuple(CellType(lifted(cell.cell_contents)) for cell in plain.__closure__ or ())
    return FunctionType(plain.__code__, scope, plain.__name__, plain.__defaults__, cells or None)


def _lifted(value: object, inner: Callable[[Any], Any]) -> object:
    if isinstance(value, Operation):
        return _intrinsic(value)
    if isinstance(value, FunctionType) or hasattr(value, "py_func"):
        return inner(getattr(value, "py_func", value))
    return value


@cache
def _inner(function: FunctionType) -> Any:
    """A function that kernels call, to be compiled into them."""
    from fourcc.kernels.compiler.numba_frontend import lowered

    return lowered(lift(function), OPTIONS)


@cache
def _inner_that_may_raise(function: FunctionType) -> Any:
    """A function that kernels call, compiled by numba's own `njit`, which keeps its exceptions."""
    from numba import njit

    return njit(**OPTIONS, forceinline=True)(lift(function, _inner_that_may_raise))


@cache
def _intrinsic(operation: Operation) -> Any:
    """Numba's form of an operation."""
    from numba import extending

    def definition(_: Any, *given: Any) -> Any:
        return _typed(operation, given)

    # numba reads the number of arguments from the signature
    names = ["typing", *inspect.signature(operation.meaning).parameters]
    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    definition.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by `inspect`
    definition.__name__ = operation.meaning.__name__
    return extending.intrinsic(definition)


def _typed(operation: Operation, given: tuple[Any, ...]) -> Any:
    """An operation's signature for arguments of these types, and its code generator; None where they do not fit."""
    from fourcc.kernels.simd import numba_types
    from fourcc.kernels.simd.builder import Builder

    kinds = [numba_types.operand_kind(each) for each in given]
    known = tuple(kind for kind in kinds if kind is not None)
    result = operation.result(known) if len(known) == len(kinds) else None
    if result is None:
        return None
    takes = [numba_types.numba_type(kind) for kind in known]

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        typed = zip(values, signature.args, takes, strict=True)
        cast = [context.cast(builder, value, actual, wanted) for value, actual, wanted in typed]
        built = operation.build(Builder(builder, target()), *cast)
        return context.get_dummy_value() if result.element == "void" else built

    return numba_types.numba_type(result)(*takes), generate
