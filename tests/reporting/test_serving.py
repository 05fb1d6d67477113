"""The server of one page: only to this machine, only by its name, only at its path."""

import http.client
import threading
from collections.abc import Iterator

import pytest

from fourcc.errors import OutputError, UsageError
from fourcc.reporting.serving import HOST, PageServer

PAGE = "<p>é</p>".encode()


@pytest.fixture
def server() -> Iterator[PageServer]:
    with PageServer(PAGE) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def asked(server: PageServer, method: str, path: str, host: str | None = None) -> http.client.HTTPResponse:
    """The answer to a request that calls the server by a name."""
    connection = http.client.HTTPConnection(HOST, server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    if host != "":
        connection.putheader("Host", host or f"{HOST}:{server.server_port}")
    connection.endheaders()
    return connection.getresponse()


def test_the_page_is_there_and_may_not_be_framed_or_kept(server: PageServer) -> None:
    answer = asked(server, "GET", server.path)
    assert (answer.status, answer.read()) == (200, PAGE)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "Python" not in answer.headers["Server"]
    assert server.address == f"http://127.0.0.1:{server.server_port}{server.path}"
    assert asked(server, "GET", server.path, f"localhost:{server.server_port}").status == 200


@pytest.mark.parametrize("host", ["", "evil.example", "127.0.0.1", "127.0.0.1:1", "evil.example:80"])
def test_by_another_name_it_is_refused(server: PageServer, host: str) -> None:
    assert asked(server, "GET", server.path, host).status == 403


@pytest.mark.parametrize("path", ["/", "/x", "//", "/%C3%A9/"])
def test_another_path_leads_nowhere(server: PageServer, path: str) -> None:
    answer = asked(server, "GET", path)
    assert answer.status == 404
    assert server.path.encode() not in answer.read()


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_get_is_answered(server: PageServer, method: str) -> None:
    assert asked(server, method, server.path).status == 501


def test_the_path_cannot_be_guessed(server: PageServer) -> None:
    with PageServer(PAGE) as other:
        assert len(other.path) >= 24
        assert other.path != server.path
        assert other.server_address[0] == HOST


def test_a_port_that_is_taken_is_named(server: PageServer) -> None:
    with pytest.raises(OutputError, match=f"cannot listen on 127.0.0.1:{server.server_port}: .*--port 0"):
        PageServer(PAGE, server.server_port)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_cannot_be(port: int) -> None:
    with pytest.raises(UsageError, match="bad value of --port"):
        PageServer(PAGE, port)
