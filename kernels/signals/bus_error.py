"""A handler of SIGBUS: if a mapped file is cut while it is read, the process ends with a prepared line and exit code.

A thread that reads a page beyond the end of a file gets that signal in the midst of a kernel. No Python can run there,
and an exception has no way out. So the handler is machine code, and does only what a handler may: it asks the system
where each file ends now, writes the text prepared for the one that is too short, and ends the process. If no file is
too short (the disk fails, say, or the file has grown again), the read is tried some more times; then the signal takes
its default action.
"""

from __future__ import annotations

import contextlib
import ctypes
import signal
from collections.abc import Iterator
from functools import cache

from fourcc.kernels.compiler.jit import assembled

TRIES = 3  # of a read that fails while no file is too short
FILE = ("fd", "size", "status", "out", "out_size", "err", "err_size")  # fields of a watched file
STATE = ("tries", "count", "files", "is_reported")  # fields of the handler's state


class _WatchedFile(ctypes.Structure):
    """A watched file as the handler reads it, with addresses and lengths of the texts for stdout and stderr."""

    _fields_ = tuple((name, ctypes.c_int64) for name in FILE)


class _State(ctypes.Structure):
    """The handler's state: tries left, number of files, address of the first, whether one was reported."""

    _fields_ = tuple((name, ctypes.c_int64) for name in STATE)


# Called with the signal's number. A closed descriptor has the length -1, which is large as an unsigned number. If
# several threads find a cut file at once, the first one reports it and the others wait for the end of the process.
CODE = """
define void @{symbol}(i32 %number) {{
start:
    %state = inttoptr i64 {state} to ptr
    %tries.at = getelementptr i8, ptr %state, i64 {state_tries}
    %count.at = getelementptr i8, ptr %state, i64 {state_count}
    %files.at = getelementptr i8, ptr %state, i64 {state_files}
    %count = load i64, ptr %count.at
    %files = load ptr, ptr %files.at
    br label %next
next:
    %index = phi i64 [0, %start], [%following, %whole]
    %is_last = icmp eq i64 %index, %count
    br i1 %is_last, label %none, label %look
look:
    %skipped = mul i64 %index, {file_bytes}
    %file = getelementptr i8, ptr %files, i64 %skipped
    %fd.at = getelementptr i8, ptr %file, i64 {file_fd}
    %bytes.at = getelementptr i8, ptr %file, i64 {file_size}
    %status.at = getelementptr i8, ptr %file, i64 {file_status}
    %out.at = getelementptr i8, ptr %file, i64 {file_out}
    %out.count.at = getelementptr i8, ptr %file, i64 {file_out_size}
    %err.at = getelementptr i8, ptr %file, i64 {file_err}
    %err.count.at = getelementptr i8, ptr %file, i64 {file_err_size}
    %fd.wide = load i64, ptr %fd.at
    %fd = trunc i64 %fd.wide to i32
    %bytes = load i64, ptr %bytes.at
    %now = call i64 inttoptr (i64 {lseek} to ptr)(i32 %fd, i64 0, i32 2)
    %is_cut = icmp ult i64 %now, %bytes
    br i1 %is_cut, label %report, label %whole
whole:
    %following = add i64 %index, 1
    br label %next
report:
    %reported.at = getelementptr i8, ptr %state, i64 {state_is_reported}
    %reported = atomicrmw xchg ptr %reported.at, i64 1 seq_cst
    %is_first = icmp eq i64 %reported, 0
    br i1 %is_first, label %say, label %wait
wait:
    call i32 inttoptr (i64 {pause} to ptr)()
    br label %wait
say:
    %status.wide = load i64, ptr %status.at
    %status = trunc i64 %status.wide to i32
    %out = load ptr, ptr %out.at
    %out.count = load i64, ptr %out.count.at
    %err = load ptr, ptr %err.at
    %err.count = load i64, ptr %err.count.at
    call i64 inttoptr (i64 {write} to ptr)(i32 1, ptr %out, i64 %out.count)
    call i64 inttoptr (i64 {write} to ptr)(i32 2, ptr %err, i64 %err.count)
    call void inttoptr (i64 {leave} to ptr)(i32 %status)
    unreachable
none:
    %tries = load i64, ptr %tries.at
    %fewer = sub i64 %tries, 1
    store i64 %fewer, ptr %tries.at
    %is_over = icmp sle i64 %tries, 0
    br i1 %is_over, label %give_up, label %end
give_up:
    call ptr inttoptr (i64 {signal} to ptr)(i32 %number, ptr null)
    br label %end
end:
    ret void
}}
"""

_state = _State()
_watched: list[tuple[int, int, int, bytes, bytes]] = []  # the arguments of `watched`
_kept: list[object] = []  # the memory that the state points to


@contextlib.contextmanager
def watched(fd: int, size: int, status: int, out: bytes, err: bytes) -> Iterator[None]:
    """Within the block, a read of a mapped file beyond its end, where it was cut, ends the process.

    It changes nothing where the system has no such signal, or no machine code can be made.

    Args:
        fd: of the file.
        size: its length when it was mapped.
        status: exit code of the process.
        out: written to stdout before the process ends.
        err: written to stderr.
    """
    file = (fd, size, status, out, err)
    with _installed():
        _watched.append(file)
        _publish()
        try:
            yield
        finally:
            _watched.remove(file)
            _publish()


@contextlib.contextmanager
def _installed() -> Iterator[None]:
    """Installs the handler, then restores the one before; by C's own `signal`, since Python's takes only Python."""
    handler = None if _watched else _handler()
    if handler is None:
        yield
        return
    libc = _libc()
    before = libc.signal(signal.SIGBUS, handler)
    try:
        yield
    finally:
        libc.signal(signal.SIGBUS, before)


def _publish() -> None:
    """Lets the handler see the files that are watched now."""
    texts = [[ctypes.create_string_buffer(text, len(text)) for text in (out, err)] for *_, out, err in _watched]
    files = (_WatchedFile * len(_watched))()
    for file, (fd, size, status, *_), (out, err) in zip(files, _watched, texts, strict=True):
        file.fd, file.size, file.status = fd, size, status
        file.out, file.out_size = ctypes.addressof(out), len(out)
        file.err, file.err_size = ctypes.addressof(err), len(err)
    _state.count = 0  # none, until all of them can be read
    _state.tries, _state.files = TRIES, ctypes.addressof(files)
    _state.count = len(_watched)
    _kept[:] = [files, texts]


@cache
def _handler() -> int | None:
    """The handler's address; None where the system has no such signal, or no machine code can be made."""
    if not hasattr(signal, "SIGBUS") or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    try:
        libc = _libc()
        called = {"leave": libc._exit}  # noqa: SLF001 - C's own name
        called |= {name: getattr(libc, name) for name in ("lseek", "write", "pause", "signal")}
        places = {name: ctypes.cast(function, ctypes.c_void_p).value or 0 for name, function in called.items()}
        return assembled(CODE, "fourcc_cut", **places, **_offsets(), state=ctypes.addressof(_state))
    except (ImportError, OSError, AttributeError, RuntimeError):  # RuntimeError: LLVM cannot assemble it
        return None


def _offsets() -> dict[str, int]:
    """Offsets at which the handler finds the fields of a file and of the state, and the bytes of a file's entry."""
    offsets = {f"file_{field}": getattr(_WatchedFile, field).offset for field in FILE}
    offsets |= {f"state_{field}": getattr(_State, field).offset for field in STATE}
    return {**offsets, "file_bytes": ctypes.sizeof(_WatchedFile)}


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None)
    libc.signal.restype, libc.signal.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
    return libc
