"""A hub on this machine: its addresses, a second server for large files, and faults that can be switched on.

It speaks as the hub does: ``/api/models/ORG/NAME``, ``/ORG/NAME/resolve/REVISION/FILE`` with ETag, X-Repo-Commit,
X-Linked-Size and X-Linked-Etag, and for large files a redirect to the other server, which gives ranges.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import attrs

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PIECE = 1 << 16


class Contents(Protocol):
    """The bytes of a file, which need not be stored."""

    size: int

    def read(self, begin: int, end: int) -> bytes:
        """The bytes begin..end."""

    def sha256(self) -> str:
        """Their SHA-256."""


@attrs.define
class Stored:
    """Bytes in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """Their number."""
        return len(self.data)

    def read(self, begin: int, end: int) -> bytes:
        """Some of them."""
        return self.data[begin:end]

    def sha256(self) -> str:
        """Their SHA-256."""
        return hashlib.sha256(self.data).hexdigest()

    def git(self) -> str:
        """Git's SHA-1 of them."""
        return hashlib.sha1(b"blob %d\0" % len(self.data) + self.data, usedforsecurity=False).hexdigest()


@attrs.define
class Fault:
    """Something that goes wrong.

    Attributes:
        at: ``info``, ``resolve`` or ``cdn``: which requests.
        kind: what goes wrong with them; see `_Handler`.
        times: how many requests.
        within: requests that ask for a file whose name has this in it.
        above: requests for more bytes than these.
        after: so many requests pass before.
    """

    at: str
    kind: str
    times: int = 1
    within: str = ""
    above: int = -1
    after: int = 0


@attrs.define
class Request:
    """A request that came."""

    at: str
    method: str
    path: str
    range: str | None
    token: str | None


@attrs.define
class Repo:
    """A repository at one commit."""

    files: dict[str, Contents]
    commit: str = COMMIT
    gated: bool = False
    private: bool = False
    large: int = 4096  # bytes from which files lie on the other server

    def is_large(self, path: str) -> bool:
        """Whether a file is one of Git LFS."""
        return path.endswith((".safetensors", ".gguf", ".bin")) or self.files[path].size >= self.large


class LocalHub:
    """Both servers; a context manager."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.lock = threading.Lock()
        self.slow = 3.0  # seconds of an answer that is slow
        self.on_bytes: Callable[[str, int], None] = lambda path, count: None
        self._servers = [self._server("hub"), self._server("cdn")]

    def _server(self, role: str) -> ThreadingHTTPServer:
        handler = type("Handler", (_Handler,), {"hub": self, "role": role})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server

    @property
    def address(self) -> str:
        """The hub's."""
        return f"http://127.0.0.1:{self._servers[0].server_port}"

    @property
    def cdn(self) -> str:
        """The other server, under another name, so that it is another host."""
        return f"http://localhost:{self._servers[1].server_port}"

    def add(self, name: str, folder: Path, **more: Any) -> Repo:
        """Serves the files of a folder."""
        files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        self.repos[name] = Repo({name: Stored(path.read_bytes()) for name, path in files.items()}, **more)
        return self.repos[name]

    def fault_of(self, at: str, path: str, count: int) -> str | None:
        """The fault of a request, which is then used up."""
        with self.lock:
            for fault in self.faults:
                if fault.at == at and fault.within in path and count > fault.above and fault.times > 0:
                    if fault.after > 0:
                        fault.after -= 1
                        continue
                    fault.times -= 1
                    return fault.kind
        return None

    def close(self) -> None:
        """Stops both."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: LocalHub
    role: str

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_HEAD(self) -> None:
        """As GET, without a body."""
        self._answer()

    def do_GET(self) -> None:
        """Answers."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        at = "cdn" if self.role == "cdn" else "info" if path.startswith("/api/") else "resolve"
        token = self.headers.get("Authorization")
        with self.hub.lock:
            self.hub.requests.append(Request(at, self.command, path, self.headers.get("Range"), token))
        {"cdn": self._cdn, "info": self._info, "resolve": self._resolve}[at](path, token)

    # -- answers

    def _info(self, path: str, token: str | None) -> None:
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path)
        fault = self.hub.fault_of("info", path, 0)
        repo = None if match is None else self.hub.repos.get(match[1])
        if self._refused(repo, token, match and match[2]) or self._spoilt(fault):
            return
        assert repo is not None
        siblings = [self._sibling(repo, name) for name in repo.files]
        if fault == "wild":
            siblings += [{"rfilename": name, "size": 5} for name in ("../out.json", "/etc/x", "a/../../b", "c\\d")]
        sha = "f" * 40 if fault == "commit" else repo.commit
        self._whole(json.dumps({"id": match[1], "sha": sha, "siblings": siblings}).encode(), {})

    def _sibling(self, repo: Repo, name: str) -> dict[str, object]:
        contents = repo.files[name]
        if repo.is_large(name):
            lfs = {"size": contents.size, "sha256": contents.sha256(), "pointerSize": 130}
            return {"rfilename": name, "size": contents.size, "blobId": "0" * 40, "lfs": lfs}
        return {"rfilename": name, "size": contents.size, "blobId": contents.git()}

    def _refused(self, repo: Repo | None, token: str | None, revision: str | None) -> bool:
        """Answers where there is no such model or revision, or the token is lacking."""
        if repo is None or (repo.private and token is None):
            self._status(401, {"X-Error-Code": "RepoNotFound"})
        elif repo.gated and token is None:
            self._status(403, {"X-Error-Code": "GatedRepo"})
        elif revision not in (None, "main", repo.commit):
            self._status(404, {"X-Error-Code": "RevisionNotFound"})
        else:
            return False
        return True

    def _resolve(self, path: str, token: str | None) -> None:
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        fault = self.hub.fault_of("resolve", path, 0)
        repo = None if match is None else self.hub.repos.get(match[1])
        if self._refused(repo, token, match and match[2]) or self._spoilt(fault):
            return
        assert repo is not None
        name = match[3]
        if name not in repo.files:
            self._status(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": repo.commit})
            return
        contents, large = repo.files[name], repo.is_large(name)
        etag = {"etag": "e" * 64}.get(fault or "", contents.sha256() if large else contents.git())
        size = contents.size + (fault == "size")
        commit = "f" * 40 if fault == "commit" else repo.commit
        headers = {"X-Repo-Commit": commit, "X-Linked-Size": str(size), "X-Linked-Etag": f'"{etag}"'}
        if large:
            self._status(302, {**headers, "Location": f"{self.hub.cdn}/{match[1]}/{name}?signature=SECRET"})
        elif self.command == "HEAD":
            self._head(200, {**headers, "ETag": f'"{etag}"', "Content-Length": str(size)})
        else:
            data = contents.read(0, contents.size)
            self._whole(data, {**headers, "ETag": f'"{etag}"'}, cut=fault == "drop", corrupt=fault == "corrupt")

    def _cdn(self, path: str, token: str | None) -> None:
        _, org, name, *rest = path.split("/")
        contents = self.hub.repos[f"{org}/{name}"].files["/".join(rest)]
        begin, end = self._asked(contents.size)
        fault = self.hub.fault_of("cdn", path, end - begin)
        if token is not None:
            self._status(400, {})
        elif not self._spoilt(fault):
            self._ranged(contents, path, begin, end, fault)

    def _asked(self, size: int) -> tuple[int, int]:
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        return (0, size) if match is None else (int(match[1]), min(size, int(match[2] or size) + 1))

    def _ranged(self, contents: Contents, path: str, begin: int, end: int, fault: str | None) -> None:
        headers = {"Accept-Ranges": "bytes", "ETag": '"other"' if fault == "etag" else '"cdn"'}
        status, size, stated = 206, contents.size, end - begin
        if fault == "no_ranges" or self.headers.get("Range") is None:
            status, begin, end, stated = 200, 0, size, size
        if fault == "elsewhere":
            begin, end = (0, stated) if begin else (min(1, size - 1), min(size, stated + 1))
            stated = end - begin
        if fault == "short":
            stated, end = stated // 2, begin + stated // 2
        if fault == "liar":
            stated += 7
        if status == 206:
            last = begin + (self._asked(size)[1] - self._asked(size)[0]) - 1
            total = size + 1 if fault == "size" else size
            headers["Content-Range"] = f"bytes {begin}-{last}/{total}"
        self._head(status, {**headers, "Content-Length": str(stated)})
        if self.command == "GET":
            self._send(contents, path, begin, end, fault)

    def _send(self, contents: Contents, path: str, begin: int, end: int, fault: str | None) -> None:
        until = begin + (end - begin) // 2 if fault in ("drop", "stall") else end
        for start in range(begin, until, PIECE):
            data = contents.read(start, min(start + PIECE, until))
            if fault == "corrupt":
                data = bytes([data[0] ^ 1]) + data[1:]
            if fault == "trickle":
                for byte in data[:200]:
                    self.wfile.write(bytes([byte]))
                    time.sleep(self.hub.slow / 100)
                data = data[200:]
            self.wfile.write(data)
            self.hub.on_bytes(path, len(data))
        if fault == "long":
            self.wfile.write(b"more than was stated")
        if fault == "stall":
            self.wfile.flush()
            time.sleep(self.hub.slow)
        if fault in ("drop", "stall", "short", "liar", "long"):
            self.close_connection = True

    # -- pieces of answers

    def _spoilt(self, fault: str | None) -> bool:
        """Answers in the place of the right answer, for faults that any request can have."""
        if fault is None:
            return False
        if fault.isdigit():
            self._status(int(fault), {})
        elif fault == "gone":  # no answer at all
            self.close_connection = True
        elif fault == "later":
            self._status(429, {"Retry-After": "0"})
        elif fault == "much_later":
            self._status(429, {"Retry-After": "3600"})
        elif fault == "slow":
            time.sleep(self.hub.slow)
            self.close_connection = True
        elif fault == "nonsense":
            self._whole(b"<html>captive portal</html>", {"Content-Type": "text/html"})
        else:
            return False
        return True

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()

    def _status(self, status: int, headers: dict[str, str]) -> None:
        self._head(status, {**headers, "Content-Length": "0"})

    def _whole(self, data: bytes, headers: dict[str, str], *, cut: bool = False, corrupt: bool = False) -> None:
        self._head(200, {"Content-Type": "application/json", **headers, "Content-Length": str(len(data))})
        if self.command == "GET":
            data = data[: len(data) // 2] if cut else bytes([data[0] ^ 1]) + data[1:] if corrupt else data
            self.wfile.write(data)
            self.close_connection = self.close_connection or cut
