"""Models on a hub as files and folders of this machine: which files of a repository make one, and how they come."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import attrs

from fourcc.errors import FourccError, SourceError, UsageError
from fourcc.files.backing import spelled
from fourcc.hub import cache
from fourcc.hub.address import downloaded, pinned
from fourcc.hub.library import hosts, library, offline
from fourcc.hub.listing import Listing, listing
from fourcc.hub.mirror import Mirror
from fourcc.hub.names import FileAddress, HubName, checked_path, read_name
from fourcc.hub.refusals import NO_MODEL
from fourcc.sources.repository import ModelFiles, files_of, most_bytes, refuse_pickle

_log = logging.getLogger(__name__)
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
    if isinstance(name, FileAddress):
        with _at_address(name, transfer) as place:
            yield place
        return
    found = _listing(name)
    if found is None:
        yield _in_cache(name)
        return
    files = files_of(found)
    if transfer.way == "download" or all(cache.cached(found, entry) for entry in files.weights.values()):
        yield _downloaded(found, files)
        return
    with _mirrored(found, files, transfer) as place:
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


def _listing(name: HubName) -> Listing | None:
    """The files that the repository holds, as the hub says; None where it cannot be asked, and the cache may know."""
    if offline():
        return None
    try:
        return listing(name)
    except FourccError as error:
        if not name.explicit and error.what == NO_MODEL:
            error.what = f"no such file or folder is here, and {error.what}"
        raise
    except OSError as error:
        if cache.snapshot(name) is not None:
            _log.info("the hub cannot be asked (%s): using its cache", error)
            return None
        if not name.explicit:
            what = f"No such file or directory; and as the name of a model on a hub it {error.strerror}"
            raise OSError(error.errno, what, str(name)) from error
        raise


def _in_cache(name: HubName) -> Path:
    """The model in the cache, without a network. Raises SourceError where it is not there."""
    folder = cache.snapshot(name)
    if folder is None or not (folder / name.inside).exists():
        if not name.explicit:
            what = (
                "No such file or directory, and no such model in huggingface_hub's cache, while HF_HUB_OFFLINE is set"
            )
            raise FileNotFoundError(errno.ENOENT, what, str(name).removeprefix("hf://"))
        hint = "Unset HF_HUB_OFFLINE, or download the model while there is a network."
        what = "not in huggingface_hub's cache, and HF_HUB_OFFLINE forbids to ask the hub"
        raise SourceError(what, file=str(name), hint=hint)
    return folder / name.inside


def _downloaded(found: Listing, files: ModelFiles) -> Path:
    """The model in the cache, with all its files."""
    entries = sorted((*files.weights.values(), *files.small.values()), key=lambda entry: entry.size)
    limits = {entry.path for entry in files.small.values() if entry.size > most_bytes(entry)}
    for entry in files.weights.values():
        refuse_pickle(found, entry)
    places = [cache.fetched(found, entry) for entry in entries if entry.path not in limits]
    cache.note_revision(found, entries[0])
    root = places[0].parents[entries[0].path.count("/")]
    return root / files.folder / files.opened


@contextmanager
def _mirrored(found: Listing, files: ModelFiles, transfer: Transfer) -> Iterator[Path]:
    """A folder in which the files with weights are filled when they are read."""
    parent = transfer.scratch or Path(tempfile.gettempdir())
    with Mirror(parent, found.name.repo, f"{found.at}/", whole=transfer.way == "stream") as mirror, _named():
        for name, entry in files.small.items():
            if entry.size <= most_bytes(entry):
                mirror.add(checked_path(name, found.at), cache.fetched(found, entry).read_bytes())
        for name, entry in files.weights.items():
            mirror.back(checked_path(name, found.at), found.remote(entry), entry.sha256)
        mirror.fetch_beginnings()
        yield mirror.folder / files.opened


@contextmanager
def _named() -> Iterator[None]:
    """Has errors call files as they are called elsewhere."""
    try:
        yield
    except FourccError as error:
        error.file = error.file and spelled(error.file)
        raise


@contextmanager
def _at_address(name: FileAddress, transfer: Transfer) -> Iterator[Path]:
    """A file of another server than a hub."""
    remote = pinned(name)
    if transfer.way == "download":
        yield downloaded(name, remote)
        return
    parent = transfer.scratch or Path(tempfile.gettempdir())
    called = str(name).removesuffix(name.name)
    with Mirror(parent, "address", called, whole=transfer.way == "stream") as mirror, _named():
        mirror.back(name.name, remote, None)
        yield mirror.folder / name.name


def here(path: Path) -> Path:
    """A path that stays: what lies here, or what was downloaded. Raises as `located` does."""
    with located(path, DOWNLOAD) as place:
        return place
