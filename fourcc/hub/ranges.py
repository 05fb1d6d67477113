"""Runs of a remote file's bytes over HTTP: each answer is checked, and what is lacking is asked for again.

The file is pinned: its length, its etag and its commit are those of the first answer, and an answer about another file
is an error. Where a large file lies on another server, as the hub's do, the hub is asked once for its address, without
following it, so that the user's token goes to the hub alone; such an address expires, and is then asked for again.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import attrs

from fourcc.errors import FourccError, SourceError, UsageError
from fourcc.hub.library import headers_for, is_hub, library, session
from fourcc.hub.refusals import PASSING, explained
from fourcc.hub.trying import EXPIRED, TRIES, passing, tried, wait
from fourcc.threads import abandoned

_log = logging.getLogger(__name__)
CHUNK = 1 << 18  # bytes that are taken from an answer at once
ENOUGH = 1 << 16  # bytes of an answer that make it worth asking for more at once
LONGEST_SKIP = 8 << 20  # bytes of a server without ranges that are read in vain
SLOWEST = 1024  # bytes a second
PATIENCE = 30.0  # seconds after which an answer that is slower is given up
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class FlawedAnswerError(OSError):
    """An answer that is not what was asked for; the next one may be."""


@attrs.define(eq=False)
class Remote:
    """A file on a server, pinned.

    Attributes:
        label: the file's name, for messages.
        url: where to ask.
        size: bytes.
        etag: of the contents, as the hub states it; None: the first answer's is taken.
        commit: of the repository; None: of a file that is on no hub.
    """

    label: str
    url: str
    size: int
    etag: str | None = None
    commit: str | None = None
    _location: str | None = None
    _tags: dict[str, str] = attrs.field(factory=dict)  # host -> the etag of its answers
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    def runs(self, begin: int, end: int) -> Iterator[bytes]:
        """The bytes begin..end, in order, in pieces of any length.

        Raises:
            SourceError: the file changed, the server refuses, or its answers are not what was asked for.
            OSError: the server cannot be reached.
        """
        position, in_vain = begin, 0
        while position < end:
            start = position
            self._go_on_if_wanted()
            try:
                for piece in self._answer(position, end):
                    self._go_on_if_wanted()
                    position += len(piece)
                    yield piece
            except FourccError:
                raise
            except Exception as error:  # sorted out by `passing` and `explained`
                in_vain = 0 if position - start >= ENOUGH else in_vain + 1
                if in_vain == TRIES or not (isinstance(error, FlawedAnswerError) or passing(error)):
                    raise self._given_up(error) from error
                wait(max(0, in_vain - 1), error, self.label)
                self._location = None

    def _go_on_if_wanted(self) -> None:
        if abandoned():
            raise UsageError("nobody waits for the file any more", file=self.label)

    def _given_up(self, error: Exception) -> Exception:
        if isinstance(error, FlawedAnswerError):
            hint = "Download the file in another way, then name its path."
            return SourceError("the server's answers are wrong", file=self.label, found=str(error), hint=hint)
        return explained(error, self.label)

    def _answer(self, begin: int, end: int) -> Iterator[bytes]:
        """The bytes that one answer holds, at most those from begin to end."""
        location = self._located()
        headers = {**headers_for(location), "Range": f"bytes={begin}-{end - 1}"}
        _log.info("reading bytes %d to %d of %s", begin, end, self.label)
        timeout = float(library().constants.HF_HUB_DOWNLOAD_TIMEOUT)
        with session().stream("GET", location, headers=headers, timeout=timeout, follow_redirects=True) as response:
            self._refuse_status(response, location)
            skip, wanted = self._extent(response, begin, end)
            self._check_tag(response)
            yield from _body(response, skip, wanted)

    def _located(self) -> str:
        """The address that has the bytes."""
        with self._lock:
            if self._location is None:
                self._location = self.url if self.commit is None else self._asked()
            return self._location

    def _asked(self) -> str:
        """The address that the hub gives, after a look at what it says of the file."""
        hub = library()
        found = tried(self.label, lambda: hub.get_hf_file_metadata(self.url, timeout=20, library_name="fourcc"))
        self._refuse_other("length", found.size, self.size)
        if found.commit_hash is not None:
            self._refuse_other("commit", found.commit_hash, self.commit)
        self.etag = self.etag or found.etag
        self._refuse_other("etag", found.etag, self.etag)
        if urlsplit(found.location).scheme != "https" and urlsplit(self.url).scheme == "https":
            raise SourceError("the hub leads to an address without encryption", file=self.label)
        return str(found.location)

    def _refuse_other(self, what: str, found: object, expected: object) -> None:
        if found != expected:
            raise SourceError(
                f"the file changed on the server: it has another {what}",
                file=self.label,
                found=found,
                expected=expected,
                hint="Start again; hf://OWNER/NAME@COMMIT names one state of a model.",
            )

    def _refuse_status(self, response: Any, location: str) -> None:  # noqa: ANN401 - httpx's
        """Raises for an answer that is none; for an address that has expired, an error that passes."""
        status = response.status_code
        if status in (200, 206):
            return
        if status == 416:
            self._refuse_other("length", response.headers.get("Content-Range", "less").rpartition("/")[2], self.size)
        if status in PASSING:
            raise StatusError(response)
        if self.commit is not None and not is_hub(location) and status in EXPIRED:
            raise FlawedAnswerError(f"status {status} from {urlsplit(location).hostname}")
        if self.commit is not None:
            library().utils.hf_raise_for_status(response)
        raise explained(StatusError(response), self.label)

    def _extent(self, response: Any, begin: int, end: int) -> tuple[int, int]:  # noqa: ANN401 - httpx's
        """Bytes of the answer to pass over, and bytes to take after them."""
        headers = response.headers
        if headers.get("Content-Encoding", "identity") != "identity":
            raise FlawedAnswerError(f"bytes encoded as {headers['Content-Encoding']}, which nobody asked for")
        stated = headers.get("Content-Length")
        if response.status_code == 200:
            if stated is not None and stated != str(self.size):
                self._refuse_other("length", stated, self.size)
            if begin > LONGEST_SKIP:
                raise self._no_ranges()
            return begin, end - begin
        match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        if match is None:
            raise FlawedAnswerError(f"Content-Range {headers.get('Content-Range')!r}")
        first, last = int(match[1]), int(match[2])
        if match[3] not in ("*", str(self.size)):
            self._refuse_other("length", match[3], self.size)
        if first != begin or not begin <= last < end or stated not in (None, str(last + 1 - first)):
            asked = f"bytes {first} to {last} ({stated} stated), where {begin} to {end - 1} were asked for"
            raise FlawedAnswerError(asked)
        return 0, last + 1 - first

    def _no_ranges(self) -> SourceError:
        hint = "Download the file first, then name its path."
        return SourceError("the server gives files as a whole only", file=self.label, hint=hint)

    def _check_tag(self, response: Any) -> None:  # noqa: ANN401 - httpx's
        """Refuses an answer about other contents than those of the same server's first answer."""
        tag, host = response.headers.get("ETag"), str(response.url.host)
        if tag is not None:
            self._refuse_other("etag", tag, self._tags.setdefault(host, tag))


class StatusError(OSError):
    """A status that is no success. It has the answer, as huggingface_hub's errors have."""

    def __init__(self, response: Any) -> None:  # noqa: ANN401 - httpx's
        super().__init__(f"status {response.status_code}")
        self.response = response


def _body(response: Any, skip: int, wanted: int) -> Iterator[bytes]:  # noqa: ANN401 - httpx's
    """The bytes of an answer after the first `skip`; raises FlawedAnswerError where there are fewer, or more."""
    got, began, before = 0, time.monotonic(), 0
    for chunk in response.iter_raw(CHUNK):
        passed = min(skip, len(chunk))
        skip -= passed
        piece = chunk[passed:]
        if response.status_code == 206 and got + len(piece) > wanted:
            raise FlawedAnswerError("more bytes than were asked for")
        piece = piece[: wanted - got]
        got += len(piece)
        if piece:
            yield bytes(piece)
        if got == wanted:
            return
        began, before = _checked_pace(began, before, got)
    if got < wanted:
        raise FlawedAnswerError(f"the answer ended after {got} of {wanted} bytes")


def _checked_pace(began: float, before: int, got: int) -> tuple[float, int]:
    """Begin of the time that is watched, and bytes then; raises FlawedAnswerError where too few came in it."""
    now = time.monotonic()
    if now - began < PATIENCE:
        return began, before
    if got - before < SLOWEST * (now - began):
        raise FlawedAnswerError(f"{got - before} bytes in {now - began:.0f} s")
    return now, got
