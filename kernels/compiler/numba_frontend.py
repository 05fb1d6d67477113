"""numba as a front end alone: from Python functions to LLVM's code before any optimisation.

By default numba optimises every function together with all that is inlined into it, and makes machine code and a
wrapper for the interpreter of it. But a kernel is a tree of small functions, and Python calls the root alone. So this
target only lowers and links them; otherwise LLVM would optimise and compile a function six calls deep six times.
Of numba's passes it has those that kernels need, which are a third.

numba's own tests show how to add a target (`numba/tests/test_target_extension.py`).
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from numba.core import typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary, JITCPUCodegen
from numba.core.compiler import CompilerBase
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import PassManager
from numba.core.cpu import CPUContext, CPUTargetOptions
from numba.core.descriptors import TargetDescriptor
from numba.core.dispatcher import Dispatcher
from numba.core.target_extension import CPU, dispatcher_registry, jit_registry, target_override, target_registry
from numba.core.types import Function
from numba.core.typing.context import Context

NAME = "fourcc"
# In numba's order. Left out are those for what kernels do not have: closures, `with`, arrays, literals as types,
# functions to be inlined before they are typed. They change no byte of a kernel's object code.
PASSES = (
    untyped_passes.TranslateByteCode,
    untyped_passes.FixupArgs,
    untyped_passes.IRProcessing,
    untyped_passes.RewriteSemanticConstants,
    untyped_passes.DeadBranchPrune,
    untyped_passes.GenericRewrites,
    untyped_passes.ReconstructSSA,
    typed_passes.NopythonTypeInference,
    typed_passes.PreLowerStripPhis,
    typed_passes.IRLegalization,
    typed_passes.AnnotateTypes,
    typed_passes.NativeLowering,
    typed_passes.NoPythonBackend,
)


class _Linked(JITCodeLibrary):
    """A function with all that it calls, not optimised and without an address."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout  # noqa: SLF001 - this class extends numba's

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_specific(self) -> None:
        pass

    def get_pointer_to_function(self, name: str) -> int:  # noqa: ARG002 - numba's signature
        return 0


class _Codegen(JITCPUCodegen):
    _library_class = _Linked

    def set_env(self, env_name: str, env: object) -> None:
        """Sets nothing: the code does not run here."""


class _Context(CPUContext):
    def init(self) -> None:
        super().init()
        self._internal_codegen = _Codegen(NAME)


class _Kernels(CPU):
    """The target of the functions that kernels consist of."""


class _Typing(Context):
    """Types of results, each found once: of a sum of two integers numba asks all kinds of arrays first, every time."""

    def resolve_function_type(self, func: Any, args: Any, kws: Any) -> Any:
        """The signature of a call, as numba finds it."""
        if kws or type(func) is not Function:
            return super().resolve_function_type(func, args, kws)
        if (func, args) not in self._signatures:
            self._signatures[func, args] = super().resolve_function_type(func, args, kws)
        return self._signatures[func, args]

    @cached_property
    def _signatures(self) -> dict[tuple[Any, Any], Any]:
        return {}


class _Descriptor(TargetDescriptor):
    options = CPUTargetOptions

    @cached_property
    def typing_context(self) -> Any:
        return _Typing()

    @cached_property
    def target_context(self) -> Any:
        return _Context(self.typing_context, self._target_name)


target_registry[NAME] = _Kernels


class _Compiler(CompilerBase):
    """The compiler that has `PASSES`."""

    def define_pipelines(self) -> list[PassManager]:
        """The passes, as the one way to lower a function."""
        manager = PassManager(NAME)
        for each in PASSES:
            manager.add_pass(each, each.name())
        manager.finalize()
        return [manager]


class Lowered(Dispatcher):
    """A function that other lowered functions may call."""

    targetdescr = _Descriptor(NAME)

    def compile(self, sig: Any) -> Any:
        """Compiles as numba does, but for this target."""
        with target_override(NAME):
            return super().compile(sig)


dispatcher_registry[_Kernels] = Lowered


def lowered(function: Callable[..., Any], options: dict[str, Any]) -> Lowered:
    """The function, to be lowered when a lowered function calls it."""
    without = {"nopython": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "forceinline": True}
    return Lowered(function, targetoptions=options | without, pipeline_class=_Compiler)


def _decorator(**options: Any) -> Callable[[Callable[..., Any]], Lowered]:
    """The counterpart of numba's `jit`, for functions that numba itself writes in Python, such as `min`."""
    return lambda function: lowered(function, options)


jit_registry[_Kernels] = _decorator


def llvm_code(function: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[str, str]:
    """LLVM's code of a function with all that it calls, and the function's name in it.

    Args:
        function: a plain Python function.
        arguments: numba's types of its arguments.
        options: numba's options.
    """
    dispatcher = lowered(function, options)
    with global_compiler_lock, _uncollected():
        dispatcher.compile(arguments)
        result: Any = dispatcher.overloads[arguments]
        result.library.finalize()
    return result.library.get_llvm_str(), result.fndesc.llvm_func_name


@contextmanager
def _uncollected() -> Iterator[None]:
    """Searches for no cycles meanwhile: a tenth of the time, and what is made here is kept till the end anyway."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
