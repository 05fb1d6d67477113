"""Files of servers that are no hub.

The length is asked for first. A downloaded file is kept where huggingface_hub keeps what is of no hub
(HF_ASSETS_CACHE).
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
from pathlib import Path
from typing import Any

from fourcc.errors import SourceError
from fourcc.hub.library import headers_for, library, session
from fourcc.hub.names import FileAddress
from fourcc.hub.ranges import Remote, StatusError
from fourcc.hub.refusals import PASSING, explained
from fourcc.hub.telling import tell
from fourcc.hub.trying import tried

_log = logging.getLogger(__name__)
_TIMEOUT = 20.0  # seconds


def pinned(name: FileAddress) -> Remote:
    """The file at an address, with its length and its etag.

    Raises:
        SourceError: the server refuses, or states no length.
        OSError: it cannot be reached.
    """
    size, tag = tried(str(name), lambda: _asked(name))
    return Remote(str(name), name.url, size, tag)


def _asked(name: FileAddress) -> tuple[int, str | None]:
    """Length and etag, or the time of the last change, as the server states them."""
    headers = {**headers_for(name.url), "Range": "bytes=0-0"}
    with session().stream("GET", name.url, headers=headers, timeout=_TIMEOUT, follow_redirects=True) as response:
        status = response.status_code
        if status in PASSING:
            raise StatusError(response)
        if status not in (200, 206):
            raise explained(StatusError(response), str(name))
        return _size(response, name), response.headers.get("ETag") or response.headers.get("Last-Modified")


def _size(response: Any, name: FileAddress) -> int:  # noqa: ANN401 - httpx's
    field = "Content-Length" if response.status_code == 200 else "Content-Range"
    stated = response.headers.get(field, "").rpartition("/")[2]
    if not (stated.isascii() and stated.isdigit()) or len(stated) > 15:
        raise SourceError("the server states no length of the file", file=str(name), found=f"{field}: {stated!r}")
    return int(stated)


def downloaded(name: FileAddress, remote: Remote) -> Path:
    """The path of the file on this machine, downloaded where it is not there in its present state.

    Raises:
        SourceError: the server refuses, or its answers are wrong.
        OSError: it cannot be reached, or the disk is full.
    """
    state = hashlib.blake2b(f"{name.url} {remote.etag} {remote.size}".encode(), digest_size=8).hexdigest()
    folder = library().cached_assets_path("fourcc", namespace="addresses", subfolder=state)
    path = Path(folder) / name.name
    if remote.etag is not None and path.is_file() and path.stat().st_size == remote.size:
        return path
    _log.info("downloading %s: %d bytes", name, remote.size)
    part = path.with_name(f"{path.name[:100]}.{secrets.token_hex(4)}.incomplete")
    try:
        _write(part, remote)
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return path


def _write(path: Path, remote: Remote) -> None:
    """Writes all bytes of a remote file."""
    done = 0
    with path.open("xb") as file:
        for piece in remote.runs(0, remote.size):
            file.write(piece)
            done += len(piece)
            tell(remote.label.rpartition("/")[2], done, remote.size)
        file.flush()
        os.fsync(file.fileno())
