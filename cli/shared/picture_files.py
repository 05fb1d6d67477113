"""Files of pictures: checked before any work, written whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from fourcc.sources.source import Source


def checked(path: Path, source: Source, *, force: bool) -> Path:
    """The path of a picture to write; its suffix must be a kind that can be drawn. Raises UsageError or OutputError."""
    from fourcc.analysis.plotting import check_kind
    from fourcc.files.write import check_target

    check_kind(_kind(path))
    return check_target(path, source.all_files, force=force)


def write(target: Path, draw: Callable[[Figure], None]) -> None:
    """Draws a picture into its file."""
    from fourcc.analysis.extraction import write_runs
    from fourcc.analysis.plotting import rendered

    write_runs([rendered(draw, _kind(target))], target)


def _kind(path: Path) -> str:
    return path.suffix.lower().removeprefix(".")
