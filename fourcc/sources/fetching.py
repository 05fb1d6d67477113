"""Models on a hub as files and folders of this machine: which files of a repository make one, and how they come."""

from __future__ import annotations

import errno
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fourcc.errors import FourccError, SourceError
from fourcc.files.backing import spelled
from fourcc.hub import cache
from fourcc.hub.address import downloaded, pinned
from fourcc.hub.library import offline
from fourcc.hub.listing import Listing, listing
from fourcc.hub.mirror import Mirror
from fourcc.hub.names import FileAddress, HubName, checked_path
from fourcc.hub.refusals import NO_MODEL
from fourcc.sources.repository import ModelFiles, files_of, most_bytes, refuse_pickle

_log = logging.getLogger(__name__)


@contextmanager
def of_hub(name: HubName, way: str, scratch: Path | None) -> Iterator[Path]:
    """A model of a hub, on this machine while the block is open.

    Args:
        name: of the model.
        way: ``download``, ``ranges`` or ``stream``, as `Transfer` has it.
        scratch: likewise.

    Raises:
        SourceError: the hub has no such model, or does not give it; it holds none, or more than one.
        OSError: the network or the disk fails.
    """
    found = _listing(name)
    if found is None:
        yield _in_cache(name)
        return
    files = files_of(found)
    if way == "download" or all(cache.cached(found, entry) for entry in files.weights.values()):
        yield _downloaded(found, files)
        return
    with _mirrored(found, files, scratch, whole=way == "stream") as place:
        yield place


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
def _mirrored(found: Listing, files: ModelFiles, scratch: Path | None, *, whole: bool) -> Iterator[Path]:
    """A folder in which the files with weights are filled when they are read."""
    parent = scratch or Path(tempfile.gettempdir())
    with Mirror(parent, found.name.repo, f"{found.at}/", whole=whole) as mirror, _named():
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
def at_address(name: FileAddress, way: str, scratch: Path | None) -> Iterator[Path]:
    """A file of a server that is no hub, on this machine while the block is open. Arguments and errors as `of_hub`."""
    remote = pinned(name)
    if way == "download":
        yield downloaded(name, remote)
        return
    parent = scratch or Path(tempfile.gettempdir())
    called = str(name).removesuffix(name.name)
    with Mirror(parent, "address", called, whole=way == "stream") as mirror, _named():
        mirror.back(name.name, remote, None)
        yield mirror.folder / name.name
