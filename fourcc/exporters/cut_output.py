"""The files of an export that lie beside each other: which they are, what they replace, and what may not be there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from fourcc.errors import UsageError, listed
from fourcc.exporters.layout import ExportKind, Layout
from fourcc.files.unfinished import finished_record, refuse_sources
from fourcc.files.write import check_target, real_path

_SHOWN = 4  # names in a message


def is_cut(kind: ExportKind, layout: Layout) -> bool:
    """Whether the output is several files beside each other."""
    return bool(layout.shards) and not kind.folder


def check_cut(
    layout: Layout, output: Path, sources: Iterable[Path], beside: Mapping[str, bytes], *, force: bool, resume: bool
) -> dict[Path, bytes]:
    """The path that the files are called after, and those of the files beside them, after all checks.

    Args:
        layout: of the export.
        output: that the user gave.
        sources: the files that are read.
        beside: further files, name -> contents.
        force: whether existing files may be replaced.
        resume: whether unfinished work is gone on with: some of its files may have their names already.

    Raises:
        UsageError: as `check_target`; or files of another cut have this name.
        OutputError: as `check_target`.
    """
    target, read = real_path(output.parent) / output.name, tuple(sources)
    refuse_sources(target, read)
    mine = force or (resume and finished_record(target) is not None)
    for name in (target.name, *layout.shards, *beside):
        check_target(target.with_name(name), read, force=mine)
    others = _others(target, layout)
    if others:
        what = "files of another cut have this name, and would be taken for this model's"
        hint = "Remove them, or write to another name."
        raise UsageError(what, file=output, found=listed(others, _SHOWN), hint=hint)
    return {target: b"", **{target.with_name(name): data for name, data in beside.items()}}


def replaced_files(layout: Layout, targets: Iterable[Path]) -> list[Path]:
    """The files that go when the new ones appear: those of the same names, and one of the output's own name."""
    target, *beside = targets
    paths = [target, *(target.with_name(name) for name in layout.shards), *beside]
    return [path for path in paths if path.exists()]


def _others(target: Path, layout: Layout) -> list[str]:
    """The names of files that are numbered as the output's are, and are none of them."""
    pattern = re.compile(rf"{re.escape(target.stem)}-\d{{5}}-of-\d{{5}}{re.escape(target.suffix)}")
    present = sorted(entry.name for entry in target.parent.iterdir())
    return [name for name in present if pattern.fullmatch(name) and name not in layout.shards]
