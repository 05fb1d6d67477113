"""Serves one page on the loopback address, to whoever knows its path; nothing else is answered."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fourcc.errors import OutputError, UsageError

HOST = "127.0.0.1"
IDLE_SECONDS = 10.0  # after which a connection that says nothing is closed
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class PageServer(ThreadingHTTPServer):
    """A server of one page.

    Its path holds a random word, so that no other program or user of the machine can guess it; a request must name
    this machine as its host, so that no web page can lead a browser here by a name of its own (DNS rebinding).

    Args:
        page: HTML in UTF-8.
        port: to listen on; 0: any that is free.

    Raises:
        UsageError: the port is out of range.
        OutputError: it is taken, or may not be used.
    """

    daemon_threads = True

    def __init__(self, page: bytes, port: int = 0) -> None:
        if not 0 <= port <= 65535:
            raise UsageError("bad value of --port", found=port, expected="0 to 65535, 0 for any that is free")
        self.page = page
        self.path = f"/{secrets.token_urlsafe(16)}/"
        try:
            super().__init__((HOST, port), _PageHandler)
        except OSError as error:
            what = f"cannot listen on {HOST}:{port}: {error.strerror or error}"
            raise OutputError(what, hint="--port 0 takes a free one.") from error

    @property
    def address(self) -> str:
        """The page's address."""
        return f"http://{HOST}:{self.server_port}{self.path}"

    @property
    def hosts(self) -> frozenset[str]:
        """The names by which a request may call this server."""
        return frozenset({f"{HOST}:{self.server_port}", f"localhost:{self.server_port}"})

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that goes away is no error."""


class _PageHandler(BaseHTTPRequestHandler):
    """Answers a GET of the page, and refuses everything else."""

    server: PageServer
    timeout = IDLE_SECONDS
    server_version = "fourcc"
    sys_version = ""

    def do_GET(self) -> None:
        if self.headers.get_all("Host") is None or not self._is_for_us():
            self.send_error(403, "Forbidden")
        elif not secrets.compare_digest(self.path.encode("utf-8", "replace"), self.server.path.encode()):
            self.send_error(404, "Not Found")
        else:
            self.send_response(200)
            for name, value in {**HEADERS, "Content-Length": str(len(self.server.page))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(self.server.page)

    def _is_for_us(self) -> bool:
        return all(host in self.server.hosts for host in self.headers.get_all("Host", []))

    def log_message(self, *_: object) -> None:
        """Requests are not logged: the terminal shows the address, and nothing else."""


def serve(page: str, port: int, ready: Callable[[str], None]) -> None:
    """Serves a page until the process is interrupted.

    Args:
        page: HTML.
        port: to listen on; 0: any that is free.
        ready: called with the address once the page can be fetched.

    Raises:
        KeyboardInterrupt: the way it ends.
        FourccError: as `PageServer` does.
    """
    with PageServer(page.encode("utf-8", "backslashreplace"), port) as server:
        ready(server.address)
        server.serve_forever(poll_interval=0.2)
