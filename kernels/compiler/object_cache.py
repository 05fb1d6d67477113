"""The on-disk cache of compiled kernels: one file of object code per kernel.

The file's name is a digest of everything that the object code depends on: the kernel with all functions and constants
that it reaches (a plugin's included), all sources in ``fourcc/kernels``, the versions of numba, llvmlite and Python,
and the processor. So an entry is never stale, and two processes that compile the same kernel write the same bytes,
whatever they compiled before. A file is first written under another name and then renamed, and it begins with a digest
of the rest: a kernel whose file is half-written is compiled anew.

numba's own cache does not serve: it does not see a change in another file, it misses closures, it leaves files in the
installation, and a later process has to import numba to read it.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from fourcc.kernels.compiler import compile_lock
from fourcc.kernels.simd.operation import Operation
from fourcc.kernels.simd.target import processor, target

DIGEST = 16  # bytes
SHARED = 4  # bytes of a key that only the sources, the compilers and the processor decide
SUFFIX, LOCK = ".o", ".lock"
OWN = "fourcc.kernels."
ROOT = Path(__file__).resolve().parent.parent  # fourcc/kernels: every source below it may end in machine code


def folder() -> Path:
    """The folder of compiled kernels: ``FOURCC_CACHE``, or ``fourcc`` in the user's cache directory."""
    given = os.environ.get("FOURCC_CACHE")
    if given:
        return Path(given)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", ""))
        if not base.is_absolute():  # the XDG rules say to ignore a relative path
            base = _home_cache()
    return base / "fourcc"


def _home_cache() -> Path:
    """``~/.cache``; of a user without a home, a folder below the temporary one, which is used only if it is his own."""
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"fourcc-{os.getuid()}"


def fingerprint(kernel: Callable[..., Any]) -> bytes:
    """Digest of everything that the machine code of a kernel depends on; kernels of one version share its beginning."""
    digest = hashlib.blake2b(_surroundings(), digest_size=DIGEST - SHARED)
    for description in map(_described, reachable(kernel)):
        digest.update(len(description).to_bytes(8, "little") + description)
    return _surroundings()[:SHARED] + digest.digest()


@cache
def _surroundings() -> bytes:
    """Digest of what all kernels depend on: their sources, the compilers, the processor, the bounds checks."""
    digest = hashlib.blake2b(digest_size=DIGEST)
    for path in sorted(ROOT.rglob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    checks = os.environ.get("NUMBA_BOUNDSCHECK", "")
    facts = (sys.version, version("numba"), version("llvmlite"), target().name, *processor(target()), checks)
    digest.update("\0".join(facts).encode())
    return digest.digest()


@dataclass(frozen=True)
class Again:
    """Stands for a value that was reached before, by its number."""

    number: int


def reachable(root: object) -> Iterator[object]:
    """The function, and every function, operation and constant that it can name; `Again` for one that recurs."""
    seen: dict[int, int] = {}
    waiting = [root]
    while waiting:
        value = getattr(waiting[-1], "py_func", waiting[-1])
        waiting.pop()
        if id(value) in seen and not isinstance(value, (int, float, str)):
            yield Again(seen[id(value)])
            continue
        seen[id(value)] = len(seen)
        yield value
        waiting += _inside(value)


def _inside(value: object) -> list[object]:
    """The values that a value names or holds."""
    if isinstance(value, FunctionType):
        names = sorted(names_of(value.__code__))
        named = [value.__globals__[name] for name in names if name in value.__globals__]
        return [*named, *(cell.cell_contents for cell in value.__closure__ or ()), *(value.__defaults__ or ())]
    if isinstance(value, Operation) and not value.meaning.__module__.startswith(OWN):
        return [value.meaning, value.build]  # a plugin's operation: its source does not lie below ROOT
    if isinstance(value, dict):
        return [*value, *value.values()]
    return list(value) if isinstance(value, (tuple, list)) else []


def names_of(code: CodeType) -> set[str]:
    """The names that code, nested code included, may look up."""
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*map(names_of, inner))


def _described(value: object) -> bytes:
    if isinstance(value, FunctionType):
        return _code_bytes(value.__code__)
    if isinstance(value, Operation):
        return value.meaning.__qualname__.encode()
    if isinstance(value, (type, ModuleType)) or callable(value):
        return getattr(value, "__name__", "").encode()
    if hasattr(value, "tobytes"):
        kind = f"{getattr(value, 'dtype', '')}{getattr(value, 'shape', '')}".encode()
        return kind + bytes(value.tobytes())
    if isinstance(value, (tuple, list, dict)):
        return f"{type(value).__name__} of {len(value)}".encode()
    return repr(value).encode()


def _code_bytes(code: CodeType) -> bytes:
    constants = (_code_bytes(each) if isinstance(each, CodeType) else repr(each).encode() for each in code.co_consts)
    return b"\0".join([code.co_name.encode(), code.co_code, " ".join(code.co_names).encode(), *constants])


def path_of(key: bytes) -> Path:
    """The file of a key."""
    return folder() / f"{key.hex()}{SUFFIX}"


def is_trusted() -> bool:
    """Whether nobody else can have put code into the folder: this user owns it, and no one else may write to it."""
    try:
        state = folder().stat()
    except OSError:
        return False
    return not hasattr(os, "getuid") or (state.st_uid == os.getuid() and not state.st_mode & 0o022)


def exists(key: bytes) -> bool:
    """Whether the cache has a file for the key."""
    return is_trusted() and path_of(key).is_file()


def load(key: bytes) -> bytes | None:
    """The object code of a key, or None where there is no file, or a damaged one."""
    if not is_trusted():
        return None
    try:
        stored = path_of(key).read_bytes()
    except OSError:
        return None
    digest, code = stored[:DIGEST], stored[DIGEST:]
    return code if code and hashlib.blake2b(code, digest_size=DIGEST).digest() == digest else None


def save(key: bytes, code: bytes) -> None:
    """Keeps object code, if the folder can be written to; otherwise every process compiles."""
    with suppress(OSError):
        folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        if not is_trusted():
            return
        handle, name = tempfile.mkstemp(dir=folder(), suffix=".new")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.blake2b(code, digest_size=DIGEST).digest() + code)
            Path(name).replace(path_of(key))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextmanager
def locked(key: bytes) -> Iterator[None]:
    """Whoever is inside compiles the kernel of that key alone, where the folder can be written to and is trusted."""
    with suppress(OSError):
        folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    with compile_lock.alone(path_of(key).with_suffix(LOCK)) if is_trusted() else nullcontext():
        yield


def entries() -> list[Path]:
    """The kernels that are kept."""
    return _files({SUFFIX})


def is_current(entry: Path) -> bool:
    """Whether an entry is of these sources, these compilers and this processor."""
    return entry.name.startswith(_surroundings()[:SHARED].hex())


def why_not_kept() -> str | None:
    """Why a kernel that is compiled now cannot be kept, or is not used, in words; None where it is. Makes no folder."""
    above = (folder(), *folder().absolute().parents)
    nearest = next((path for path in above if os.path.exists(path)), None)  # noqa: PTH110 - `Path.exists` may raise
    if nearest is None or not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        return f"{nearest} is no folder, or may not be written to"
    if nearest == folder() and not is_trusted():
        return "it belongs to someone else, or others may write to it"
    return None


def leftovers() -> list[Path]:
    """Half-written files and locks: of processes that are at work, or that were killed."""
    return _files({".new", LOCK})


def _files(suffixes: set[str]) -> list[Path]:
    with suppress(OSError):
        return sorted(path for path in folder().iterdir() if path.suffix in suffixes)
    return []


_engines: list[Any] = []  # kept for ever: an engine takes its machine code with it


@cache
def initialize() -> None:
    """Prepares LLVM for the host."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def link(code: bytes, symbol: str) -> int:
    """Address of a symbol of object code, loaded into this process."""
    import llvmlite.binding as llvm

    initialize()
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address: int = engine.get_function_address(symbol)
    if not address:
        raise ValueError(f"the compiled kernel has no entry {symbol}")
    _engines.append((engine, machine))
    return address
