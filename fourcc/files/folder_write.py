"""The checks of a folder that is an output, before anything is written; `PartFolder` writes it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fourcc.errors import OutputError, UsageError, listed
from fourcc.files.part_names import JOURNAL, PART
from fourcc.files.unfinished import beside, finished_record, refuse_sources
from fourcc.files.write import SUFFIX, real_path

WEIGHTS = (".safetensors", ".safetensors.index.json", ".gguf")  # endings of files that readers of a folder take up
_SHOWN = 4  # names in a message


def check_folder(
    path: Path, sources: Iterable[Path], names: Iterable[str], *, force: bool, resume: bool = False
) -> Path:
    """The real path of a folder to write, after all checks that are possible beforehand.

    Args:
        path: the path that the user gave.
        sources: the files that are read; none may be replaced.
        names: of the files that are written.
        force: whether files in an existing folder may be replaced.
        resume: whether unfinished work is gone on with: some of its files may have their names already.

    Raises:
        UsageError: the folder is not empty and `force` is False; a file that is read would be replaced; or weights of
            another model would stay.
        OutputError: it is no folder, or the folder that it should be in does not exist.
    """
    target, wanted, read = real_path(path), set(names), list(sources)
    refuse_sources(target, read)
    if not target.parent.is_dir():
        raise OutputError("the folder does not exist", file=target.parent, hint="Create it first.")
    if not target.exists():
        return target
    if not target.is_dir():
        raise OutputError("the output exists and is no folder", file=path)
    if any(source.exists() and real_path(source) == target / name for source in read for name in wanted):
        raise UsageError("input and output are the same folder", file=path, hint="Write to another name.")
    ours = {beside(target, suffix).name for suffix in (PART, JOURNAL)}
    present = sorted(entry.name for entry in target.iterdir() if not entry.name.endswith(SUFFIX))
    present = [name for name in present if name not in ours]
    if present and not force and not (resume and finished_record(target) is not None):
        hint = "--force replaces the files that it has; the others stay."
        raise UsageError("the folder exists and is not empty", file=path, found=listed(present, _SHOWN), hint=hint)
    others = [name for name in present if name.endswith(WEIGHTS) and name not in wanted]
    if others:
        what = "the folder holds weights that would stay, and be taken for the model's"
        raise UsageError(what, file=path, found=listed(others, _SHOWN), hint="Remove them, or write to another folder.")
    return target
