"""The contents of a model's repository at one commit: names, lengths and digests of its files."""

from __future__ import annotations

import logging
import re
from typing import Any

import attrs

from fourcc.errors import SourceError
from fourcc.hub.library import library
from fourcc.hub.names import HubName, checked_path
from fourcc.hub.ranges import Remote
from fourcc.hub.trying import tried

_log = logging.getLogger(__name__)
MAX_FILES = 100_000
MAX_BYTES = 1 << 50
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


@attrs.frozen
class RepositoryFile:
    """A file of a repository.

    Attributes:
        path: in the repository.
        size: bytes.
        sha256: of the contents, where the hub states it: of large files.
        git: git's SHA-1 of the contents as an object, of others.
    """

    path: str
    size: int
    sha256: str | None
    git: str | None


@attrs.frozen
class Listing:
    """A repository at one commit.

    Attributes:
        name: what was asked for.
        commit: the revision is pinned to.
        entries: path -> file.
    """

    name: HubName
    commit: str
    entries: dict[str, RepositoryFile]

    @property
    def at(self) -> str:
        """The model at its commit, for messages."""
        return f"hf://{self.name.repo}@{self.commit[:12]}"

    def below(self, folder: str) -> dict[str, RepositoryFile]:
        """The files in a folder and below it, by their paths from there."""
        start = f"{folder}/" if folder else ""
        return {path.removeprefix(start): entry for path, entry in self.entries.items() if path.startswith(start)}

    def remote(self, entry: RepositoryFile) -> Remote:
        """A file of the repository, to be read over the network."""
        url = library().hf_hub_url(self.name.repo, entry.path, revision=self.commit)
        return Remote(f"{self.at}/{entry.path}", url, entry.size, entry.sha256, self.commit)


def listing(name: HubName) -> Listing:
    """Asks the hub what a model's repository holds.

    Raises:
        SourceError: there is no such model or revision, it may not be read, or the answer cannot be true.
        OSError: the hub cannot be reached.
    """
    _log.info("asking the hub for %s", name)
    api = library().HfApi(library_name="fourcc")
    info = tried(str(name), lambda: api.model_info(name.repo, revision=name.revision, files_metadata=True, timeout=20))
    commit = str(info.sha or "")
    if _COMMIT.fullmatch(commit) is None:
        raise SourceError("the hub states no commit of the model", file=str(name), found=repr(info.sha))
    siblings = info.siblings or []
    if len(siblings) > MAX_FILES:
        raise SourceError("the repository holds too many files", file=str(name), found=len(siblings))
    found = [entry for entry in (_entry(each, name) for each in siblings) if entry is not None]
    return Listing(name, commit, {entry.path: entry for entry in found})


def _entry(said: Any, name: HubName) -> RepositoryFile | None:  # noqa: ANN401 - of huggingface_hub
    """A file of the listing; None where its name is hidden or leads elsewhere: no reader asks for such."""
    path = str(said.rfilename)
    try:
        checked_path(path, str(name))
    except SourceError:
        return None
    size = said.lfs.size if said.lfs is not None else said.size
    if type(size) is not int or not 0 <= size < MAX_BYTES:
        raise SourceError("the hub states no length of a file that can be true", file=f"{name}/{path}", found=size)
    sha256 = None if said.lfs is None else str(said.lfs.sha256)
    if sha256 is not None and re.fullmatch(r"[0-9a-f]{64}", sha256) is None:
        raise SourceError("the hub states no SHA-256 that can be true", file=f"{name}/{path}", found=sha256)
    return RepositoryFile(path, size, sha256, None if sha256 else said.blob_id)
