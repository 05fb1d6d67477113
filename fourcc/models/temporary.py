"""Converts into a temporary file without a name, so that a killed process leaves nothing behind."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from fourcc.conversion.carrying_out import execute
from fourcc.conversion.plan import Plan
from fourcc.errors import OutputError
from fourcc.execution import Execution
from fourcc.files.write import UnnamedFile
from fourcc.progress import OnProgress

MOUNTS = Path("/proc/self/mountinfo")
IN_MEMORY = frozenset({"tmpfs", "ramfs"})
WORTH_A_NOTE = 64 << 20  # bytes; a smaller file does not make memory short
ELSEWHERE = "TMPDIR=FOLDER says where temporary files go."


def carried_out(
    planned: Plan, stack: ExitStack, threads: int | None = None, progress: OnProgress | None = None
) -> tuple[int, tuple[str, ...]]:
    """Carries out a plan into a temporary file.

    Args:
        planned: the plan.
        stack: closes the file, which deletes it.
        threads: number of threads, as `execute` takes it.
        progress: as `execute` takes it.

    Returns:
        A descriptor of the model.bin, which the caller closes, and notes.

    Raises:
        FourccError: as `execute` does; where there is too little room, the message names the folder.
    """
    folder = Path(tempfile.gettempdir())
    try:
        file = stack.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 - the stack closes it
        result = execute(planned, UnnamedFile(folder, file.fileno()), Execution(threads=threads, progress=progress))
    except OutputError as error:
        error.hint = ELSEWHERE
        raise
    return os.dup(file.fileno()), (*result.notes, *_note(folder, os.fstat(file.fileno()).st_size))


def _note(folder: Path, nbytes: int) -> list[str]:
    """A note that the model takes memory twice."""
    if nbytes < WORTH_A_NOTE or not lies_in_memory(folder):
        return []
    return [f"the converted model takes {nbytes >> 20} MiB of memory: {folder} is a RAM disk. {ELSEWHERE}"]


def lies_in_memory(folder: Path, mounts: Path = MOUNTS) -> bool:
    """Whether files in a folder take memory; False where the system does not say.

    Args:
        folder: an existing folder.
        mounts: Linux's table of mounts; a line holds number, parent, major:minor, ... - kind of file system.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return False
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    kinds = {line.split()[2]: line.partition(" - ")[2].split(" ")[0] for line in lines}
    return kinds.get(number) in IN_MEMORY
