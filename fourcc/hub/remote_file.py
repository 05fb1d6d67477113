"""A file on the disk whose holes are filled from a server when they are read, or all at once.

Blocks are fetched with those after them: twice as many each time while a reader goes on from where it was, so that a
long header costs few requests. A file that was fetched as a whole is compared with its SHA-256, and the blocks that
were fetched before with it; what is fetched again, after the file was emptied, with the digests of its blocks.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
from xxhash import xxh3_128

from fourcc.errors import SourceError
from fourcc.files.backing import Identity
from fourcc.files.descriptors import BINARY, write_some
from fourcc.hub.ranges import Remote
from fourcc.hub.telling import tell

_log = logging.getLogger(__name__)
BLOCK = 1 << 18  # bytes
_SEED = secrets.randbits(64)  # which no server knows, so that none can make other bytes of the same digest
MOST_AHEAD = 32  # blocks: 8 MiB


@attrs.define
class Sums:
    """Digests of a file that was fetched as a whole.

    Attributes:
        whole: its XXH3-128.
        blocks: XXH3-128 of each block, with this process's seed.
    """

    whole: bytes
    blocks: list[bytes]


class RemoteFile:
    """A `fourcc.files.backing.Backing`: the file at a path, with the length and the bytes of a remote one.

    Args:
        path: where the file is made; it takes no room yet.
        remote: where its bytes are.
        sha256: of them, where it is known.
    """

    def __init__(self, path: Path, remote: Remote, sha256: str | None = None) -> None:
        self.path = path
        self.remote = remote
        self.sums: Sums | None = None
        self.known_digest: bytes | None = None
        self.turn = threading.Condition()  # files that take turns have one together
        self.take_turn: Callable[[RemoteFile], None] | None = None
        self._sha256 = sha256
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | BINARY, 0o600)
        self._count = -(-remote.size // BLOCK)
        self._there = bytearray(self._count)  # a 1 for each block that is in the file
        self._seen: dict[int, bytes] = {}  # block -> its digest, of those that were read before the whole
        self._ahead, self._next = 1, -1
        self.readers = 0
        os.truncate(self._fd, remote.size)

    @property
    def identity(self) -> Identity:
        """The commit and the digest or etag of the contents, and their length."""
        return self.remote.commit or self.remote.url, self._sha256 or self.remote.etag or "", self.remote.size

    @property
    def held_bytes(self) -> int:
        """Bytes that were fetched and are still in the file."""
        return min(sum(self._there) * BLOCK, self.remote.size)

    @contextmanager
    def held(self, offset: int, count: int) -> Iterator[None]:
        """While it is open, these bytes lie in the file. Raises as `Remote.runs` does."""
        with self.turn:
            self._need(offset, count)
            self.readers += 1
        try:
            yield
        finally:
            with self.turn:
                self.readers -= 1
                self.turn.notify_all()

    def fill(self) -> None:
        """Has all bytes in the file, checked."""
        with self.turn:
            if 0 in self._there:
                self.fetch_whole()

    def use_whole(self) -> int:
        """Nothing changes for a file that is filled by ranges; `fourcc.hub.mirror` has those that take turns."""
        return 0

    def digest(self) -> bytes:
        """XXH3-128 of the whole file, taken while it was here; else it is read from the server, and not kept."""
        with self.turn:
            if self.known_digest is None:
                self.known_digest = self._read_through(lambda *_: None).whole
            return self.known_digest

    def fetch_whole(self) -> None:
        """Fetches all of the file, and compares it with its SHA-256. The caller has the turn."""
        _log.info("downloading %s: %d bytes", self.remote.label, self.remote.size)
        self.sums = self._read_through(self._write)
        self.known_digest = self.sums.whole
        self._there[:] = b"\1" * self._count

    def empty(self) -> None:
        """Gives the disk its room back; nobody reads. What is read again is fetched again, and must be the same."""
        os.truncate(self._fd, 0)
        os.truncate(self._fd, self.remote.size)
        self._there[:] = bytes(self._count)

    def close(self) -> None:
        """Closes the file; may be called again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    # -- by blocks

    def _need(self, offset: int, count: int) -> None:
        """Has the blocks of these bytes in the file."""
        first, end = offset // BLOCK, -(-(offset + count) // BLOCK)
        if 0 not in self._there[first:end]:
            return
        if self.take_turn is not None and self.sums is None:
            self.take_turn(self)
        at = first
        while (at := self._there.find(0, at, end)) >= 0:
            at = self._fetch_blocks(at, end)

    def _fetch_blocks(self, first: int, end: int) -> int:
        """Fetches blocks from `first`, up to `end` or further; gives the number of the first that was not fetched."""
        self._ahead = min(2 * self._ahead, MOST_AHEAD) if first == self._next else 1
        until = min(max(self._hole_end(first, end), first + self._ahead), self._count)
        until = self._hole_end(first, until)
        data = bytearray()
        for piece in self.remote.runs(first * BLOCK, min(until * BLOCK, self.remote.size)):
            data += piece
            while len(data) >= BLOCK:
                first = self._put(first, data[:BLOCK])
                del data[:BLOCK]
        if data:
            first = self._put(first, data)
        self._next = first
        return first

    def _hole_end(self, first: int, end: int) -> int:
        """The end of the run of missing blocks that begins with `first`, at most `end`."""
        there = self._there.find(1, first, end)
        return end if there < 0 else there

    def _put(self, number: int, block: bytes | bytearray) -> int:
        """Writes a block, after a look whether it is still the same; gives the number of the next one."""
        known = self._seen.get(number) if self.sums is None else self.sums.blocks[number]
        found = _sum(block)
        if known not in (None, found):
            raise self._changed(number)
        if self.sums is None:
            self._seen[number] = found
        self._write(number * BLOCK, block)
        self._there[number] = 1
        return number + 1

    def _changed(self, number: int) -> SourceError:
        what = "the file changed on the server since it was read first"
        return SourceError(what, file=self.remote.label, offset=number * BLOCK, hint="Start again.")

    def _write(self, offset: int, piece: bytes | bytearray) -> None:
        rest = memoryview(piece)
        while rest:
            try:
                count = write_some(self._fd, rest, offset)
            except OSError as error:  # no room, as a rule
                raise OSError(error.errno, f"{error.strerror} (while it was downloaded)", str(self.path)) from error
            offset, rest = offset + count, rest[count:]

    # -- as a whole

    def _read_through(self, take: Callable[[int, bytes], None]) -> Sums:
        """Reads the file from the server from end to end; twice, where the first time gives other bytes than it should.

        Raises:
            SourceError: the bytes have another SHA-256 than the hub states; both are named.
        """
        for last in (False, True):
            sums, sha256 = self._once_through(take)
            if self._sha256 in (None, sha256):
                return self._checked(sums)
            _log.info("%s has not the SHA-256 that it should have", self.remote.label)
            if last:
                raise SourceError(
                    "the bytes are not those that the hub states",
                    file=self.remote.label,
                    found=f"SHA-256 {sha256}",
                    expected=self._sha256,
                    hint="Try again later; if it stays, the server's file is damaged.",
                )
        raise AssertionError("unreachable")

    def _checked(self, sums: Sums) -> Sums:
        """The digests, where what was read before the whole is a piece of it. Raises SourceError."""
        for number, found in self._seen.items():
            if sums.blocks[number] != found:
                raise self._changed(number)
        return sums

    def _once_through(self, take: Callable[[int, bytes], None]) -> tuple[Sums, str]:
        whole, sha256, blocks, rest = xxh3_128(), hashlib.sha256(), list[bytes](), bytearray()
        offset, size = 0, self.remote.size
        for piece in self.remote.runs(0, size):
            take(offset, piece)
            whole.update(piece)
            sha256.update(piece)
            rest += piece
            while len(rest) >= BLOCK:
                blocks.append(_sum(rest[:BLOCK]))
                del rest[:BLOCK]
            offset += len(piece)
            tell(self.path.name, offset, size)
        return Sums(whole.digest(), [*blocks, _sum(rest)] if rest else blocks), sha256.hexdigest()


def _sum(block: bytes | bytearray) -> bytes:
    return xxh3_128(block, seed=_SEED).digest()
