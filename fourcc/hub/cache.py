"""huggingface_hub's cache: files of a repository at one commit, fetched where they are not there yet, and checked."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, Self

from fourcc.errors import SourceError
from fourcc.hub.library import library
from fourcc.hub.listing import Listing, RepositoryFile
from fourcc.hub.names import HubName
from fourcc.hub.telling import tell
from fourcc.hub.trying import tried

_log = logging.getLogger(__name__)
_ETAG_SECONDS = 20.0  # that the hub may take to say what a file is


def cached(listing: Listing, entry: RepositoryFile) -> Path | None:
    """The path of a file that is in the cache; None where it is not, or is another one."""
    found = library().try_to_load_from_cache(listing.name.repo, entry.path, revision=listing.commit)
    path = Path(found) if isinstance(found, str) else None
    return path if path is not None and path.is_file() and _is_this(path, entry) else None


def _is_this(path: Path, entry: RepositoryFile) -> bool:
    """Whether a file of the cache can be the one of the listing.

    A large one is known by its length and the name of what it links to, its SHA-256; a small one by its bytes.
    """
    if path.stat().st_size != entry.size:
        return False
    if entry.sha256 is None:
        return _digest(path, entry) == entry.git
    return not path.is_symlink() or Path(os.path.realpath(path)).name == entry.sha256


def fetched(listing: Listing, entry: RepositoryFile) -> Path:
    """The path of a file in the cache, downloaded first where it is not there.

    Raises:
        SourceError: the hub refuses, or gives other bytes than it states; the cache does not keep those.
        OSError: the hub cannot be reached, or the disk is full.
    """
    path = cached(listing, entry)
    if path is not None:
        return path
    for last in (False, True):
        path = Path(_downloaded(listing, entry))
        found = _digest(path, entry)
        if found == (entry.sha256 or entry.git) and _is_this(path, entry) and listing.commit in path.parts:
            return path
        _forget(path)
        if last:
            raise _other(listing, entry, found, path)
    raise AssertionError("unreachable")


def _downloaded(listing: Listing, entry: RepositoryFile) -> str:
    label = f"{listing.at}/{entry.path}"
    _log.info("downloading %s: %d bytes", label, entry.size)
    ask = partial(_asked, listing, entry, listing.commit)
    return str(tried(label, ask))


def _asked(listing: Listing, entry: RepositoryFile, revision: str | None) -> str:
    """Has huggingface_hub download a file; it tells of it where its version can."""
    download = library().hf_hub_download
    told = type("Told", (_Told,), {"file": entry.path.rpartition("/")[2]})
    bar = {"tqdm_class": told} if "tqdm_class" in signature(download).parameters else {}
    found = download(
        listing.name.repo, entry.path, revision=revision, library_name="fourcc", etag_timeout=_ETAG_SECONDS, **bar
    )
    return str(found)


def _other(listing: Listing, entry: RepositoryFile, found: str | None, path: Path) -> SourceError:
    """The error for a file that is not the one of the listing."""
    expected, label = entry.sha256 or entry.git, f"{listing.at}/{entry.path}"
    if found != expected:
        what, hint = "the bytes are not those that the hub states", "Try again later; if it stays, the file is damaged."
        return SourceError(what, file=label, found=found, expected=expected, hint=hint)
    name = path.parts[-1 - entry.path.count("/") - 1]
    what, hint = "the file changed on the server: it has another commit or etag", "Start again."
    return SourceError(what, file=label, found=name, expected=f"{listing.commit} and {expected}", hint=hint)


def note_revision(listing: Listing, entry: RepositoryFile) -> None:
    """Has the cache know which commit the revision is, so that it is found without a network."""
    with contextlib.suppress(Exception):
        _asked(listing, entry, listing.name.revision)


def snapshot(name: HubName) -> Path | None:
    """The folder of a model in the cache, which nobody is asked about; None where there is none."""
    try:
        return Path(library().snapshot_download(name.repo, revision=name.revision, local_files_only=True))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the cache, there is no such folder
        _log.info("not in the cache: %s (%s)", name, type(error).__name__)
        return None


def _digest(path: Path, entry: RepositoryFile) -> str | None:
    """SHA-256 of a file, or git's SHA-1, whichever the hub states; None where it states neither."""
    if entry.sha256 is None and entry.git is None:
        return None
    head = b"" if entry.sha256 else b"blob %d\0" % path.stat().st_size
    digest = hashlib.sha256() if entry.sha256 else hashlib.sha1(head, usedforsecurity=False)
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            digest.update(data)
    return digest.hexdigest()


def _forget(path: Path) -> None:
    """Removes a file and what it links to from the cache."""
    with contextlib.suppress(OSError):
        Path(os.path.realpath(path)).unlink()
        path.unlink(missing_ok=True)


class _Told:
    """Takes the place of a progress bar of tqdm's: tells of the download."""

    file = ""  # its name

    def __init__(self, *_: Any, **said: Any) -> None:  # noqa: ANN401 - as tqdm is called
        self.total = said.get("total") or 0
        self.n = said.get("initial") or 0

    def update(self, count: float | None = 1) -> None:
        """So many bytes more are here."""
        self.n += count or 0
        tell(self.file, int(self.n), max(int(self.total), int(self.n)))

    def close(self) -> None:
        """The download has ended."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else a bar has does nothing
        return lambda *_, **__: None
