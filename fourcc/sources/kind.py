"""A kind of checkpoint, of this package or of a plugin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs

from fourcc.sources.source import Source


@attrs.frozen
class SourceKind:
    """A kind of checkpoint that can be read.

    Attributes:
        name: for people; of a plugin's also the entry point's name.
        recognises: (path, first bytes) -> whether the file is of this kind. There are at most 4096 bytes, and none of
            a folder, which is shown to plugins where no file in it is of a kind of this package's.
        open: opens it; no weight need be read yet.
        marked: whether such a file begins with magic bytes of its own, so nothing is guessed; this package's kinds
            without come last, after those of plugins.
    """

    name: str
    recognises: Callable[[Path, bytes], bool]
    open: Callable[[Path], Source]
    marked: bool = True
