"""A mapped file that is cut while it is read: a prepared line and an exit code, in place of a death by SIGBUS.

Who reads a page beyond the end of a file gets that signal, in whichever thread, in the midst of a kernel. No Python can
run there, and an exception has no way out. So the handler is machine code, and does only what a handler may: it asks
where each file ends now, writes what was prepared for the one that is too short, and ends the process. Where none is
too short (the disk fails, say, or the file has grown again), the read is tried some more times, and then the signal
does what it always does.
"""

from __future__ import annotations

import contextlib
import ctypes
import signal
from collections.abc import Iterator
from functools import cache

from fourcc.kernels.compiler.jit import assembled

TRIES = 3  # of a read that fails while no file is too short
WORDS = 7  # of an entry: descriptor, length, exit code, then address and length of what is for stdout, and for stderr

# Called with the signal's number. A descriptor that is closed has the length -1, which as an unsigned number is large.
# Of several threads that find out at once the first one tells, the others wait for the end.
CODE = """
define void @{symbol}(i32 %number) {{
start:
    %tries.at = inttoptr i64 {state} to ptr
    %count.at = getelementptr i64, ptr %tries.at, i64 1
    %table.at = getelementptr i64, ptr %tries.at, i64 2
    %count = load i64, ptr %count.at
    %table = load ptr, ptr %table.at
    br label %next
next:
    %index = phi i64 [0, %start], [%following, %whole]
    %is_last = icmp eq i64 %index, %count
    br i1 %is_last, label %none, label %look
look:
    %first = mul i64 %index, {words}
    %fd.at = getelementptr i64, ptr %table, i64 %first
    %bytes.at = getelementptr i64, ptr %fd.at, i64 1
    %status.at = getelementptr i64, ptr %fd.at, i64 2
    %out.at = getelementptr i64, ptr %fd.at, i64 3
    %out.count.at = getelementptr i64, ptr %fd.at, i64 4
    %err.at = getelementptr i64, ptr %fd.at, i64 5
    %err.count.at = getelementptr i64, ptr %fd.at, i64 6
    %fd.wide = load i64, ptr %fd.at
    %fd = trunc i64 %fd.wide to i32
    %bytes = load i64, ptr %bytes.at
    %now = call i64 inttoptr (i64 {lseek} to ptr)(i32 %fd, i64 0, i32 2)
    %is_cut = icmp ult i64 %now, %bytes
    br i1 %is_cut, label %tell, label %whole
whole:
    %following = add i64 %index, 1
    br label %next
tell:
    %told.at = getelementptr i64, ptr %tries.at, i64 3
    %told = atomicrmw xchg ptr %told.at, i64 1 seq_cst
    %is_first = icmp eq i64 %told, 0
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

Entry = tuple[int, int, int, bytes, bytes]

_state = (ctypes.c_int64 * 4)()  # tries that are left, entries, address of the first entry, whether it was told
_watched: list[Entry] = []
_kept: list[object] = []  # what the state points to


@contextlib.contextmanager
def watched(fd: int, size: int, status: int, out: bytes, err: bytes) -> Iterator[None]:
    """Within the block, a read of a mapped file beyond its end, where it was cut, ends the process.

    Where the system has no such signal, or no code can be made, nothing is different.

    Args:
        fd: of the file.
        size: its length when it was mapped.
        status: exit code of the process.
        out: written to stdout then.
        err: written to stderr.
    """
    entry = (fd, size, status, out, err)
    with _installed():
        _watched.append(entry)
        _publish()
        try:
            yield
        finally:
            _watched.remove(entry)
            _publish()


@contextlib.contextmanager
def _installed() -> Iterator[None]:
    """The handler in place of the one before it; by C's own `signal`, since Python's takes only what is Python."""
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
    """Lets the handler see what is watched now."""
    texts = [[ctypes.create_string_buffer(text, len(text)) for text in entry[3:]] for entry in _watched]
    table = (ctypes.c_int64 * (WORDS * len(_watched)))()
    for index, (entry, buffers) in enumerate(zip(_watched, texts, strict=True)):
        places = [number for each in buffers for number in (ctypes.addressof(each), len(each))]
        table[WORDS * index : WORDS * (index + 1)] = [*entry[:3], *places]
    _state[:3] = [TRIES, 0, ctypes.addressof(table)]
    _state[1] = len(_watched)
    _kept[:] = [table, texts]


@cache
def _handler() -> int | None:
    """Address of the handler; None where there can be none."""
    if not hasattr(signal, "SIGBUS") or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    try:
        libc = _libc()
        called = {"leave": libc._exit}  # noqa: SLF001
        called |= {name: getattr(libc, name) for name in ("lseek", "write", "pause", "signal")}
        places = {name: ctypes.cast(function, ctypes.c_void_p).value or 0 for name, function in called.items()}
        return assembled(CODE, "fourcc_cut", **places, state=ctypes.addressof(_state), words=WORDS)
    except (ImportError, OSError, AttributeError, RuntimeError):  # RuntimeError: what LLVM cannot do
        return None


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None)
    libc.signal.restype, libc.signal.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
    return libc
