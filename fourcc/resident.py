"""Resident memory: what this process holds, and has held at most; how malloc is kept from holding more."""

from __future__ import annotations

import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_MMAP_THRESHOLD = -3  # of glibc's mallopt
_LARGE = 1 << 18  # bytes of an array that goes back to the system at once when it is freed


def resident_bytes() -> int:
    """The resident set of this process; where the system does not report it, the largest so far, or 0."""
    return _status("VmRSS:") if _STATUS.exists() else peak_resident_bytes()


def peak_resident_bytes() -> int:
    """The largest resident set of this process; 0 if the system does not report it.

    Linux's `getrusage` would include the memory that the parent had when it started this process.
    """
    if _STATUS.exists():
        return _status("VmHWM:")
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _status(field: str) -> int:
    """A field of Linux's status of this process, in bytes; 0 where it has none."""
    lines = _STATUS.read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), 0)


def give_back_freed_arrays() -> None:
    """Has glibc map every array of 256 KiB or more by itself from now on, so that a freed one is resident no more.

    By itself glibc keeps freed arrays of up to 32 MiB in an arena of each thread. Other libraries are left alone.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(ctypes.c_int(_MMAP_THRESHOLD), ctypes.c_int(_LARGE))
