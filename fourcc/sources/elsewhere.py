"""Models elsewhere in the place of paths: which paths name one, and how its bytes are to come.

What brings them (`fourcc.sources.fetching`) is loaded when such a model is named, and not before.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import attrs

from fourcc.errors import UsageError
from fourcc.hub.library import hosts, library
from fourcc.hub.names import FileAddress, HubName, read_name

Way = Literal["download", "ranges", "stream"]


@attrs.frozen
class Transfer:
    """How a model that lies elsewhere is read.

    Attributes:
        way: ``download``: as files of huggingface_hub's cache, for work that uses all weights; ``ranges``: only what
            is read; ``stream``: ranges first, then file after file as a whole, each in the place of the one before.
        scratch: the folder for the files of ``stream``; None: the system's for temporary files.
    """

    way: Way = "download"
    scratch: Path | None = None


DOWNLOAD = Transfer()
RANGES = Transfer("ranges")


def streaming(source: Path, output: Path) -> Transfer:
    """The transfer of work that uses file after file of a model elsewhere, with room for them beside the output.

    Raises:
        UsageError: the source lies here, so there is nothing to download.
    """
    if elsewhere(source) is None and source.exists():
        what = "the source lies on this machine: there is nothing to stream"
        raise UsageError(
            what, file=source, hint="Leave --stream out; it is for models on a hub, such as hf://org/name."
        )
    folder = Path(os.path.realpath(output)).parent
    return Transfer("stream", folder if folder.is_dir() else None)


@contextmanager
def located(path: Path, transfer: Transfer) -> Iterator[Path]:
    """A path on this machine for what may be a model elsewhere; while it is open, the path may be read.

    Args:
        path: what the user gave. What lies here under that name is taken before anything else.
        transfer: how the bytes come.

    Raises:
        SourceError: the hub has no such model, or does not give it; it holds none, or more than one.
        FileNotFoundError: the path names nothing here, and cannot be a model elsewhere.
        UsageError: the package huggingface_hub is missing.
        OSError: the network or the disk fails.
    """
    name = elsewhere(path)
    if name is None:
        yield path
        return
    from fourcc.sources import fetching

    if isinstance(name, FileAddress):
        brought = fetching.at_address(name, transfer.way, transfer.scratch)
    else:
        brought = fetching.of_hub(name, transfer.way, transfer.scratch)
    with brought as place:
        yield place


def elsewhere(path: Path) -> HubName | FileAddress | None:
    """The model elsewhere that a path names; None where something lies here, or the name cannot be one of a hub."""
    if path.exists():
        return None
    name = read_name(path)
    if name is None or (isinstance(name, HubName) and not name.explicit and Path(path.parts[0]).exists()):
        return None
    try:
        library()
    except UsageError as error:
        if isinstance(name, HubName) and not name.explicit:
            what = f"No such file or directory. If that is the name of a model on a hub: {error.hint}"
            raise FileNotFoundError(errno.ENOENT, what, str(path)) from error
        error.file = str(name)
        raise
    return read_name(path, hosts())


def here(path: Path) -> Path:
    """A path that stays: what lies here, or what was downloaded. Raises as `located` does."""
    with located(path, DOWNLOAD) as place:
        return place
