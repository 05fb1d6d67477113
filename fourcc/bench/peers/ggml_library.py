"""ggml's C functions, through ctypes: from the folder FOURCC_LLAMA_CPP, or the libraries of llama-cpp-python."""

from __future__ import annotations

import ctypes
import os
import sys
from ctypes import POINTER, c_bool, c_char_p, c_int, c_int64, c_size_t, c_void_p
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fourcc.arrays import Array

SUFFIX = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
BUFFER = 8  # offset of a tensor's buffer in its C structure, after its type
NODES = 2048  # of a graph
NO, YES = 0, 1
FLOAT = 0  # ggml's id of float32

FloatReader = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_int64)  # (blocks, floats, count)

LogCallback = ctypes.CFUNCTYPE(None, c_int, c_char_p, c_void_p)
_silence = LogCallback(lambda _level, _text, _data: None)


class InitParams(ctypes.Structure):
    """``ggml_init_params``."""

    _fields_ = (("mem_size", c_size_t), ("mem_buffer", c_void_p), ("no_alloc", c_bool))


class TypeTraits(ctypes.Structure):
    """``ggml_type_traits``."""

    _fields_ = (
        ("type_name", c_char_p),
        ("block", c_int64),
        ("interleave", c_int64),
        ("size", c_size_t),
        ("quantized", c_bool),
        ("to_float", FloatReader),
        ("from_float", c_void_p),
    )


# Function -> types of its result and of its arguments; pointers to ggml's own structures are void pointers.
BASE: dict[str, tuple[Any, ...]] = {
    "ggml_init": (c_void_p, InitParams),
    "ggml_free": (None, c_void_p),
    "ggml_log_set": (None, LogCallback, c_void_p),
    "ggml_new_tensor_2d": (c_void_p, c_void_p, c_int, c_int64, c_int64),
    "ggml_new_graph_custom": (c_void_p, c_void_p, c_size_t, c_bool),
    "ggml_mul_mat": (c_void_p, c_void_p, c_void_p, c_void_p),
    "ggml_build_forward_expand": (None, c_void_p, c_void_p),
    "ggml_gallocr_new": (c_void_p, c_void_p),
    "ggml_gallocr_free": (None, c_void_p),
    "ggml_gallocr_alloc_graph": (c_bool, c_void_p, c_void_p),
    "ggml_get_type_traits": (POINTER(TypeTraits), c_int),
    "ggml_quantize_chunk": (c_size_t, c_int, c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p),
    "ggml_version": (c_char_p,),
    "ggml_row_size": (c_size_t, c_int, c_int64),
    "ggml_tensor_overhead": (c_size_t,),
    "ggml_graph_overhead_custom": (c_size_t, c_size_t, c_bool),
    "ggml_backend_alloc_ctx_tensors_from_buft": (c_void_p, c_void_p, c_void_p),
    "ggml_backend_buft_alloc_buffer": (c_void_p, c_void_p, c_size_t),
    "ggml_backend_buffer_free": (None, c_void_p),
    "ggml_backend_buft_name": (c_char_p, c_void_p),
    "ggml_backend_dev_supports_op": (c_bool, c_void_p, c_void_p),
    "ggml_backend_get_default_buffer_type": (c_void_p, c_void_p),
    "ggml_backend_graph_compute": (c_int, c_void_p, c_void_p),
    "ggml_backend_reg_dev_get": (c_void_p, c_void_p, c_size_t),
    "ggml_backend_reg_get_proc_address": (c_void_p, c_void_p, c_char_p),
    "ggml_backend_tensor_get": (None, c_void_p, c_void_p, c_size_t, c_size_t),
    "ggml_backend_tensor_set": (None, c_void_p, c_void_p, c_size_t, c_size_t),
}
CPU: dict[str, tuple[Any, ...]] = {
    "ggml_backend_cpu_init": (c_void_p,),
    "ggml_backend_cpu_reg": (c_void_p,),
    "ggml_backend_cpu_set_n_threads": (None, c_void_p, c_int),
}


def folder() -> Path | None:
    """The folder of the libraries, without importing llama-cpp-python; None where there is none."""
    if named := os.environ.get("FOURCC_LLAMA_CPP"):
        return Path(named)
    spec = find_spec("llama_cpp")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "lib"


@cache
def library() -> Library:
    """The libraries, loaded once."""
    return Library()


class Library:
    """ggml's functions and its CPU backend.

    Attributes:
        base, cpu: the two libraries.
        backend: the CPU.
    """

    def __init__(self) -> None:
        home = folder()
        assert home is not None
        self.base = ctypes.CDLL(str(home / f"libggml-base{SUFFIX}"), mode=ctypes.RTLD_GLOBAL)
        self.cpu = ctypes.CDLL(str(home / f"libggml-cpu{SUFFIX}"), mode=ctypes.RTLD_GLOBAL)
        for handle, functions in ((self.base, BASE), (self.cpu, CPU)):
            for name, (result, *arguments) in functions.items():
                function = getattr(handle, name)
                function.restype, function.argtypes = result, arguments
        self.base.ggml_log_set(_silence, None)
        self.backend = self.cpu.ggml_backend_cpu_init()

    def context(self, tensors: int) -> int:
        """A context with memory for the descriptions of `tensors` tensors and one graph."""
        graph = self.base.ggml_graph_overhead_custom(NODES, NO)
        size = (tensors + 8) * self.base.ggml_tensor_overhead() + graph
        context: int = self.base.ggml_init(InitParams(size, None, YES))
        return context

    def free(self, *, context: int, buffer: int | None = None, allocator: int | None = None) -> None:
        """Frees a context, and the buffer or the allocator of its tensors."""
        if buffer is not None:
            self.base.ggml_backend_buffer_free(buffer)
        if allocator is not None:
            self.base.ggml_gallocr_free(allocator)
        self.base.ggml_free(context)

    def buffer_types(self) -> list[int]:
        """Types of buffers for weights: as they are stored, and repacked for products if the CPU backend does that."""
        base = self.base
        plain = base.ggml_backend_get_default_buffer_type(self.backend)
        registered = self.cpu.ggml_backend_cpu_reg()
        address = base.ggml_backend_reg_get_proc_address(registered, b"ggml_backend_dev_get_extra_bufts")
        if not address:
            return [plain]
        extra = ctypes.CFUNCTYPE(POINTER(c_void_p), c_void_p)(address)(self.device)
        types = [plain]
        for each in extra or ():
            if each is None:
                break
            types.append(each)
        return types

    @property
    def device(self) -> int:
        """The CPU as a device."""
        device: int = self.base.ggml_backend_reg_dev_get(self.cpu.ggml_backend_cpu_reg(), 0)
        return device

    def supports(self, kind: int, rows: int, cols: int, buffer_type: int) -> bool:
        """Whether products are possible with weights in a buffer of a type."""
        base = self.base
        context = self.context(3)
        weights = base.ggml_new_tensor_2d(context, kind, cols, rows)
        x = base.ggml_new_tensor_2d(context, FLOAT, cols, 512)
        buffer = base.ggml_backend_buft_alloc_buffer(buffer_type, 0)
        c_void_p.from_address(weights + BUFFER).value = buffer
        able = base.ggml_backend_dev_supports_op(self.device, base.ggml_mul_mat(context, weights, x))
        base.ggml_backend_buffer_free(buffer)
        base.ggml_free(context)
        return bool(able)

    def quantize(self, kind: int, source: int, out: int, rows: int, cols: int, importance: Array | None = None) -> None:
        """Encodes rows of floats as blocks, both addresses; `importance`, float32 (cols,), weighs the columns."""
        known = None if importance is None else importance.ctypes.data
        self.base.ggml_quantize_chunk(kind, source, out, 0, rows, cols, known)

    def row_bytes(self, kind: int, cols: int) -> int:
        """Bytes of a stored row."""
        size: int = self.base.ggml_row_size(kind, cols)
        return size

    def to_float(self, kind: int) -> Any:  # noqa: ANN401 - a C function
        """The C function that decodes blocks of a type."""
        return self.base.ggml_get_type_traits(kind).contents.to_float

    def version(self) -> str:
        """The version of ggml."""
        text: bytes = self.base.ggml_version()
        return text.decode()

    def name(self, kind: int) -> str:
        """ggml's own name of a type."""
        text: bytes = self.base.ggml_get_type_traits(kind).contents.type_name
        return text.decode()
