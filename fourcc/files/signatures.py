"""Recognizing a file that cannot be read by its first bytes, since that often explains what went wrong."""

from __future__ import annotations

import struct

HEAD_BYTES = 4096  # of a file that are examined

_DAMAGED = "a model.bin damaged by a transfer in text mode; fetch it again in binary mode"
_PICKLE = "a PyTorch checkpoint; a pickle can execute code and is never read: convert it to safetensors"

# Bytes at the start -> their meaning; the first match counts.
_STARTS = (
    (b"\x09FCC", _DAMAGED),  # the eighth bit cleared
    (b"\xef\xbf\xbdFCC", _DAMAGED),  # read as UTF-8, the unknown byte replaced
    (b"\xc2\x89FCC", _DAMAGED),  # read as Latin-1, written as UTF-8
    (b"?FCC", _DAMAGED),
    (b"\x89FCC\n\x1a\n", _DAMAGED),  # line ends mangled, one way
    (b"\x89FCC\r\r\n", _DAMAGED),  # and the other
    (b"\x89FCC\r\n\x1a\n", "a model.bin"),
    (b"\x89FCC", "a model.bin whose first bytes are damaged"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive; unpack it first"),
    (b"BZh", "a bzip2 archive; unpack it first"),
    (b"\xfd7zXZ\x00", "an xz archive; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"\x80\x02", _PICKLE),
    (b"\x80\x03", _PICKLE),
    (b"\x80\x04", _PICKLE),
    (b"\x80\x05", _PICKLE),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"\x93NUMPY", "a single .npy array; store it with numpy.savez"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"GGUF", "a GGUF file"),
    (b"fmgg", "a ggmf file of the time before GGUF; convert it to GGUF"),
    (b"lmgg", "a ggml file of the time before GGUF; convert it to GGUF"),
    (b"algg", "a LoRA adapter of the time before GGUF; convert it to GGUF"),
    (b"nsgg", "a saved session of llama.cpp, which holds no weights"),
    (b"qsgg", "a saved sequence of llama.cpp, which holds no weights"),
    (b"tjgg", "a ggjt file"),
    (b"24ka", "a llama2.c checkpoint"),
)
_IMATRIX = b"general.type" + struct.pack("<iQ", 8, 7) + b"imatrix"  # a string of seven bytes
_HTML = (b"<!doctype", b"<html", b"<?xml")


def looks_like(head: bytes) -> str:
    """A description of a file by its first bytes (4 KiB if possible), with a remedy where there is one.

    >>> looks_like(b"%PDF-1.7")
    'it looks like a PDF document'
    """
    if not head:
        return "the file is empty"
    kind = known(head)
    return f"it looks like {kind}" if kind else "it is of no kind known here"


def known(head: bytes) -> str | None:
    """The kind of file that the first bytes look like, or None where they look like nothing known."""
    return marked(head, 1) or _look_inside(head)


def marked(head: bytes, least: int = 4) -> str | None:
    """The kind of file that the mark at the start stands for, or None where there is no mark.

    Args:
        head: the first bytes.
        least: length of the shortest mark that counts. A number may begin with the three bytes of a mark, but the four
            letters of one are no size of a model.
    """
    return next((what for start, what in _STARTS if len(start) >= least and head.startswith(start)), None)


def _look_inside(head: bytes) -> str | None:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _PICKLE if b"data.pkl" in head else "a zip archive that holds no NumPy arrays"
    if head.lstrip().lower().startswith(_HTML):
        return "a web page; the download went wrong"
    if not any(head):
        return "nothing but zeros, as an interrupted download or a crash leaves"
    if is_tokenizer(head):
        return "a llama2.c tokenizer; name the model, and give the tokenizer beside it"
    if head.lstrip()[:1] in (b"{", b"["):
        return "JSON"
    return "text" if _is_text(head) else None


def is_tokenizer(head: bytes) -> bool:
    """Whether it starts as llama2.c's tokenizer.bin: u32 longest token; then for each f32 score, u32 length, bytes."""
    if len(head) < 12:
        return False
    longest, at, entries = int.from_bytes(head[:4], "little"), 4, 0
    while at + 8 <= len(head) and entries < 8:
        score, length = struct.unpack_from("<fI", head, at)
        if not 1 <= length <= longest or not -1e10 <= score <= 1e10:
            return False
        at, entries = at + 8 + length, entries + 1
    return 0 < longest <= 4096 and entries > 0


def is_imatrix(head: bytes) -> bool:
    """Whether it starts as a GGUF file whose key ``general.type`` says that it is an importance matrix."""
    return head.startswith(b"GGUF") and _IMATRIX in head


def _is_text(head: bytes) -> bool:
    text = head.decode("utf-8", "ignore")
    return len(text.encode()) >= len(head) - 3 and all(char.isprintable() or char.isspace() for char in text)
