"""A mapped file that is cut while it is read: a line and an exit code, in place of a death by SIGBUS.

Who reads a page beyond the end of a file gets that signal, in whichever thread, in the midst of a kernel. No Python can
run there, and an exception has no way out. So the handler is machine code, and does only what a handler may: it asks
where each file ends now, writes the line that was prepared for the one that is too short, and ends the process. Where
none is too short (the disk fails, say, or the file has grown again), the read is tried some more times, and then the
signal does what it always does.
"""

from __future__ import annotations

import contextlib
import ctypes
import signal
import sys
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from fourcc.cli import failures, terminal
from fourcc.errors import IndexDamageError

if TYPE_CHECKING:
    from fourcc.container.reader import ModelFile

TRIES = 3  # of a read that fails while no file is too short
WORDS = 6  # of an entry: descriptor, length, then address and length of what is for stdout, and for stderr

# Called with the signal's number. A descriptor that is closed has the length -1, which as an unsigned number is large.
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
    %out.at = getelementptr i64, ptr %fd.at, i64 2
    %out.count.at = getelementptr i64, ptr %fd.at, i64 3
    %err.at = getelementptr i64, ptr %fd.at, i64 4
    %err.count.at = getelementptr i64, ptr %fd.at, i64 5
    %fd = load i32, ptr %fd.at
    %bytes = load i64, ptr %bytes.at
    %now = call i64 inttoptr (i64 {lseek} to ptr)(i32 %fd, i64 0, i32 2)
    %is_cut = icmp ult i64 %now, %bytes
    br i1 %is_cut, label %tell, label %whole
whole:
    %following = add i64 %index, 1
    br label %next
tell:
    %out = load ptr, ptr %out.at
    %out.count = load i64, ptr %out.count.at
    %err = load ptr, ptr %err.at
    %err.count = load i64, ptr %err.count.at
    call i64 inttoptr (i64 {write} to ptr)(i32 1, ptr %out, i64 %out.count)
    call i64 inttoptr (i64 {write} to ptr)(i32 2, ptr %err, i64 %err.count)
    call void inttoptr (i64 {leave} to ptr)(i32 {status})
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

_state = (ctypes.c_int64 * 3)()  # tries that are left, entries, address of the first entry
_watched: list[tuple[int, int, bytes, bytes]] = []
_kept: list[object] = []  # what the state points to


@contextlib.contextmanager
def watched(model: ModelFile, *, as_json: bool) -> Iterator[None]:
    """Within the block, a read beyond the end of a model's file that was cut ends the process with a message.

    Where the system has no such signal, or no code can be made, nothing is different.

    Args:
        model: open.
        as_json: whether errors are objects on stdout, too.
    """
    error = IndexDamageError("the file was cut while it was read", file=model.path, hint="Fetch or convert it again.")
    entry = (model.file.fd, model.file.size, *_texts(failures.failure(error), as_json=as_json))
    with _installed():
        _watched.append(entry)
        _publish()
        try:
            yield
        finally:
            _watched.remove(entry)
            _publish()


def _texts(failure: failures.Failure, *, as_json: bool) -> tuple[bytes, bytes]:
    """What goes to stdout and to stderr; on a terminal a line that has begun is left alone."""
    out = f"{failure.line}\n" if as_json else ""
    err = f"{failure.text}\n"
    return out.encode(), f"\n{err}".encode() if terminal.on_terminal(sys.stderr) else err.encode()


@contextlib.contextmanager
def _installed() -> Iterator[None]:
    """The handler in place of the one before it."""
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
    texts = [[ctypes.create_string_buffer(text, len(text)) for text in entry[2:]] for entry in _watched]
    table = (ctypes.c_int64 * (WORDS * len(_watched)))()
    for index, ((fd, size, *_), buffers) in enumerate(zip(_watched, texts, strict=True)):
        places = [number for each in buffers for number in (ctypes.addressof(each), len(each))]
        table[WORDS * index : WORDS * (index + 1)] = [fd, size, *places]
    _state[:] = [TRIES, 0, ctypes.addressof(table)]
    _state[1] = len(_watched)
    _kept[:] = [table, texts]


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None)
    libc.signal.restype, libc.signal.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
    return libc


@cache
def _handler() -> int | None:
    """Address of the handler; None where there can be none."""
    if not hasattr(signal, "SIGBUS") or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    try:
        from fourcc.kernels.jit import assembled

        libc = _libc()
        names = {"lseek": libc.lseek, "write": libc.write, "leave": libc._exit, "signal": libc.signal}  # noqa: SLF001
        places = {name: ctypes.cast(function, ctypes.c_void_p).value for name, function in names.items()}
        numbers = {"state": ctypes.addressof(_state), "words": WORDS, "status": IndexDamageError.exit_code}
        return assembled(CODE, "fourcc_cut", **places, **numbers)
    except (ImportError, OSError, AttributeError, RuntimeError):  # RuntimeError: what LLVM cannot do
        return None
