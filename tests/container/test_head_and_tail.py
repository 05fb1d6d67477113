"""Head and tail: what is refused before the index is looked at, and in which words."""

import gzip
import struct
from pathlib import Path

import msgpack
import pytest

from fourcc.container.reader import ModelFile
from fourcc.container.verify import verify
from fourcc.errors import IndexDamageError, UnknownVersionError
from tests.container.forge import END, HEAD, PAYLOAD, forge, honest, seal, tail

INDEX = msgpack.packb(honest())
SOUND = seal(INDEX)
AT = 64 + len(PAYLOAD)  # of the index
DIGEST = SOUND[-40:-8]


def refusal(path: Path, data: bytes) -> str:
    """The message of opening a file of these bytes, without the path."""
    path.write_bytes(data)
    with pytest.raises(IndexDamageError) as caught:
        ModelFile(path)
    assert caught.value.file == str(path)
    assert caught.value.exit_code == 3
    return str(caught.value).replace(str(path), "FILE")


def test_sound_file_opens(tmp_path: Path) -> None:
    """The builder of malformed files builds a sound one."""
    with ModelFile(forge(tmp_path / "m", honest())) as model:
        assert list(model) == ["w", "b"]
        assert model["w"].decode().tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
        assert model.blob("note") == b"hello"
        assert list(verify(model.path)) == []


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty"),
        (SOUND[:7], "a model.bin whose first bytes are damaged"),
        (gzip.compress(SOUND), "a gzip archive"),
        (b"PK\x03\x04" + bytes(200), "a zip archive"),
        (b"<!DOCTYPE html><html>404</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer"),
        (b"GGUF" + bytes(200), "a GGUF file"),
        (SOUND.replace(b"\r\n", b"\n"), "text mode"),
        (SOUND.replace(b"\n", b"\r\n"), "text mode"),
        (bytes([SOUND[0] & 127]) + SOUND[1:], "text mode"),
        (SOUND.decode("latin-1").encode("utf-8"), "text mode"),
        (bytes(4096), "nothing but zeros"),
    ],
)
def test_other_files_are_named(tmp_path: Path, data: bytes, says: str) -> None:
    """A1 to A4: an empty, mangled or other file; the message says what it looks like."""
    text = refusal(tmp_path / "m", data)
    assert text.startswith("FILE, byte 0: not a model.bin: ")
    assert says in text


@pytest.mark.parametrize(
    ("version", "hint"), [((0, 0), ""), ((2, 0), ". Upgrade fourcc."), ((256, 0), ". Upgrade fourcc.")]
)
def test_other_major_versions(tmp_path: Path, version: tuple[int, int], hint: str) -> None:
    """A5, and A23: a head of a big-endian writer shows as version 256."""
    head = HEAD[:8] + struct.pack("<HH", *version) + HEAD[12:]
    assert refusal(tmp_path / "m", seal(INDEX, head=head)) == (
        f"FILE, byte 8: unknown version of the container: found {version[0]}.{version[1]}, expected 1.x{hint}"
    )


@pytest.mark.parametrize("change", ["version", "feature"])
def test_what_is_newer_is_no_damage(tmp_path: Path, change: str) -> None:
    """A5, A13: verification says that it cannot tell, rather than that the file is damaged."""
    index = msgpack.packb(honest() | ({"requires": ["zstd"]} if change == "feature" else {}))
    head = HEAD[:8] + b"\2" + HEAD[9:] if change == "version" else HEAD
    (tmp_path / "m").write_bytes(seal(index, head=head))
    with pytest.raises(UnknownVersionError, match=r"Upgrade fourcc\.$"):
        list(verify(tmp_path / "m"))


def test_later_minor_version_is_read(tmp_path: Path) -> None:
    """A5: with whatever keys it adds."""
    (tmp_path / "m").write_bytes(
        seal(msgpack.packb(honest() | {"colour": "blue"}), head=HEAD[:10] + struct.pack("<H", 7) + HEAD[12:])
    )
    with ModelFile(tmp_path / "m") as model:
        assert model.version == (1, 7)
        assert model.index.extra == {"colour": "blue"}
        assert list(model) == ["w", "b"]


def test_rest_of_the_head_must_be_zero(tmp_path: Path) -> None:
    """A22."""
    says = "FILE, byte 12: bytes 12 to 63 of the head are not zero"
    assert refusal(tmp_path / "m", seal(INDEX, head=HEAD[:40] + b"\1" + HEAD[41:])) == says


TOTAL = len(SOUND)
POINTS = "the tail does not point to the index before it: found"
WHERE = TOTAL - 64


@pytest.mark.parametrize(
    ("offset", "length", "total", "says"),
    [
        (AT, 0, TOTAL, f"byte {WHERE}: {POINTS} 0 bytes at {AT}"),
        (AT, TOTAL, TOTAL, f"byte {WHERE}: {POINTS} {TOTAL} bytes at {AT}"),
        (AT, 2**63, TOTAL, f"byte {WHERE}: {POINTS} {2**63} bytes at {AT}"),
        (AT, 2**64 - 1, TOTAL, f"byte {WHERE}: {POINTS} {2**64 - 1} bytes at {AT}"),
        (2**64 - 1, len(INDEX), TOTAL, f"byte {WHERE}: {POINTS} {len(INDEX)} bytes at {2**64 - 1}"),
        (0, WHERE, TOTAL, f"byte {WHERE}: {POINTS} {WHERE} bytes at 0"),
        (AT + 1, len(INDEX) - 1, TOTAL, f"byte {WHERE}: {POINTS} {len(INDEX) - 1} bytes at {AT + 1}"),
        (AT, len(INDEX), TOTAL - 1, f"wrong length: found {TOTAL} bytes, expected {TOTAL - 1}"),
        (AT, len(INDEX), 0, f"wrong length: found {TOTAL} bytes, expected 0"),
    ],
)
def test_tail_must_point_to_the_index(tmp_path: Path, offset: int, length: int, total: int, says: str) -> None:
    """A6: lengths and offsets of every wrong kind are refused before anything is allocated for them."""
    text = refusal(tmp_path / "m", SOUND[:-64] + tail(offset, length, total, DIGEST))
    assert text.removeprefix("FILE").lstrip(",: ") == says


def test_index_above_the_cap(tmp_path: Path) -> None:
    """A6: a sparse file, whose tail claims an index of more than 64 MiB."""
    length = (64 << 20) + 1
    with (tmp_path / "m").open("wb") as file:
        file.write(HEAD)
        file.seek(64 + length)
        file.write(tail(64, length, 64 + length + 64, DIGEST))
    with pytest.raises(IndexDamageError) as caught:
        ModelFile(tmp_path / "m")
    assert str(caught.value).endswith(f"the index is too large: found {length} bytes, expected at most {64 << 20}")


def test_digest_must_match(tmp_path: Path) -> None:
    """A7: the message names the place of the index."""
    data = bytearray(SOUND)
    data[AT + 20] ^= 1
    assert refusal(tmp_path / "m", bytes(data)) == (
        f"FILE, byte {AT}: the index is damaged: its digest differs from the one in the tail"
    )


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    """A2 and C2: at every length; from the first bytes on, `verify` calls it damage instead of raising."""
    path = tmp_path / "m"
    for length in range(TOTAL):
        path.write_bytes(SOUND[:length])
        with pytest.raises(IndexDamageError):
            ModelFile(path)
        if length >= 8:
            assert len(list(verify(path))) == 1


@pytest.mark.parametrize("junk", [b"\0" * 64, bytes(range(1, 65)), SOUND[-64:]])
def test_appended_bytes_are_refused(tmp_path: Path, junk: bytes) -> None:
    """C2: 1 to 64 bytes of zeros, of junk, of a second tail."""
    path = tmp_path / "m"
    for count in range(1, 65):
        path.write_bytes(SOUND + junk[-count:])
        with pytest.raises(IndexDamageError, match=r"does not end with a tail|wrong length"):
            ModelFile(path)
        assert len(list(verify(path))) == 1


@pytest.mark.parametrize(
    "data", [SOUND + SOUND, b"#!/bin/sh\n" + SOUND, SOUND[:-64] + b"PK\5\6" + bytes(18) + SOUND[-64:], SOUND + END]
)
def test_polyglots_are_refused(tmp_path: Path, data: bytes) -> None:
    """A24: two files in one, something before, between or behind."""
    refusal(tmp_path / "m", data)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    """The system's own error; an empty folder holds no model."""
    with pytest.raises(FileNotFoundError):
        ModelFile(tmp_path / "none")
    with pytest.raises(IndexDamageError, match=r"no model\.bin in this folder"):
        ModelFile(tmp_path)
