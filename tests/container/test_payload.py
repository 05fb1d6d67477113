"""The payload: every flipped bit is found, and named; moved bytes too."""

import os
from pathlib import Path

import numpy as np
import pytest

from fourcc.container.layout import CHUNK
from fourcc.container.reader import ModelFile
from fourcc.container.verify import Damage, damages, verify
from fourcc.encoding import encode
from fourcc.errors import ChecksumError, IndexDamageError
from fourcc.sources.model_bin import open_model_bin
from tests.container.build import assorted, normal, write_example, write_model


def regions(path: Path) -> list[tuple[int, int, str | None, str]]:
    """Start, end with padding, tensor and part of each part and blob that has bytes."""
    with ModelFile(path) as model:
        found: list[tuple[int, int, str | None, str]] = [
            (p.offset, p.nbytes, t.name, p.name) for t in model.index.tensors for p in t.parts
        ]
        found += [(blob.offset, blob.nbytes, None, blob.name) for blob in model.index.blobs]
    return [(at, at + n + -n % 64, tensor, part) for at, n, tensor, part in found if n]


def check_flips(path: Path, step: int = 1) -> None:
    """Flips bits one by one: in the payload `verify` names tensor and part, elsewhere opening refuses."""
    size = path.stat().st_size
    sound, where = path.read_bytes(), regions(path)
    assert list(verify(path)) == []
    with path.open("r+b", buffering=0) as file:
        for bit in range(0, 8 * size, step):
            at = bit // 8
            os.pwrite(file.fileno(), bytes([sound[at] ^ 1 << bit % 8]), at)
            found = list(verify(path))
            assert len(found) == 1, f"bit {bit % 8} of byte {at}"
            home = [region for region in where if region[0] <= at < region[1]]
            if home:
                check_named(found[0], home[0], at)
            else:
                with pytest.raises(IndexDamageError):
                    ModelFile(path)
            os.pwrite(file.fileno(), sound[at : at + 1], at)
    assert list(verify(path)) == []


def check_named(damage: Damage, home: tuple[int, int, str | None, str], at: int) -> None:
    """The damage is that of the region, and the byte lies in the run it names."""
    assert (damage.tensor, damage.part) == home[2:]
    assert damage.offset <= at < damage.offset + damage.nbytes
    assert damage.what in {"bytes differ from their checksum", "padding is not zero"}


def test_every_bit_of_a_small_file(tmp_path: Path) -> None:
    """C1, C5, A7: head, parts, padding, blob, index with its sums, tail."""
    check_flips(write_example(tmp_path / "m"))


@pytest.mark.parametrize("step", [41, pytest.param(7, marks=pytest.mark.thorough)])
def test_bits_of_a_larger_file(tmp_path: Path, step: int) -> None:
    """C1: formats with several parts, experts, empty tensors; one bit of 7, or of 41."""
    path = write_model(tmp_path / "m", assorted(), {"policy.toml": b"version = 1\n"})
    assert 12_000 < path.stat().st_size <= 16_384
    check_flips(path, step)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Two tensors of two and a half chunks each."""
    weights = normal(5 * CHUNK // 8, seed=3).reshape(640, -1)
    return write_model(tmp_path / "large", {"a": encode(weights, "F32"), "b": encode(weights + 1, "F32")})


def found(path: Path) -> list[tuple[str | None, int, int]]:
    """Tensor, offset and length of each damage."""
    return [(damage.tensor, damage.offset, damage.nbytes) for damage in verify(path)]


def test_swapped_chunks(large: Path) -> None:
    """C3: within a part; both are found."""
    data = bytearray(large.read_bytes())
    data[64 : 64 + CHUNK], data[64 + CHUNK : 64 + 2 * CHUNK] = data[64 + CHUNK : 64 + 2 * CHUNK], data[64 : 64 + CHUNK]
    large.write_bytes(data)
    assert found(large) == [("a", 64, CHUNK), ("a", 64 + CHUNK, CHUNK)]


def test_swapped_tensors(tmp_path: Path) -> None:
    """C3: equal bytes in two tensors have other sums, so that an index cannot be pointed at the wrong one."""
    q = encode(normal(4, 32), "Q8_0")
    with ModelFile(write_model(tmp_path / "m", {"a": q, "b": q})) as model:
        one, other = (record.parts[0].sums for record in model.index.tensors)
    assert one != other


def test_pages_of_zeros(large: Path) -> None:
    """C4, C12: what a crash leaves: a page of zeros; the last chunk and all after it."""
    data = bytearray(large.read_bytes())
    data[64 + 2 * CHUNK + 4096 : 64 + 2 * CHUNK + 8192] = bytes(4096)
    large.write_bytes(data)
    assert found(large) == [("a", 64 + 2 * CHUNK, CHUNK // 2)]
    large.write_bytes(data[:-4096] + bytes(4096))
    assert len(found(large)) == 1
    with pytest.raises(IndexDamageError):
        ModelFile(large)


def test_payload_of_another_file(tmp_path: Path) -> None:
    """C6: the same shapes and names, other weights."""
    one = write_model(tmp_path / "one", {"w": encode(normal(4, 32, seed=1), "Q8_0")})
    two = write_model(tmp_path / "two", {"w": encode(normal(4, 32, seed=2), "Q8_0")})
    mine, theirs = one.read_bytes(), two.read_bytes()
    at = int.from_bytes(mine[-64:-56], "little")
    one.write_bytes(theirs[:at] + mine[at:])
    assert found(one) == [("w", 64, 136)]


def test_all_damage_is_listed(large: Path) -> None:
    """Verification goes on to the end, and reports how far it is."""
    data = bytearray(large.read_bytes())
    size = len(data)
    for at in (64, 64 + CHUNK, size // 2 + CHUNK):
        data[at] ^= 255
    large.write_bytes(data)
    done: list[int] = []
    assert [damage.tensor for damage in damages(large, done.append)] == ["a", "a", "b"]
    assert sum(done) == int.from_bytes(data[-64:-56], "little") - 64


def test_checked_reads_refuse_damage(tmp_path: Path) -> None:
    """Blobs and tensors, mapped ones and those that are converted (C10); where nobody wants it, none but blobs."""
    path = write_model(tmp_path / "m", {"w": encode(normal(4, 32), "F32")}, {"note": b"hello"})
    data = bytearray(path.read_bytes())
    data[100] ^= 64
    data[64 + 512] ^= 1
    path.write_bytes(data)
    listed = "`fourcc verify` lists all damage."
    with ModelFile(path, verify=False) as model:
        assert model["w"].decode().shape == (4, 32)
        with pytest.raises(ChecksumError) as caught:
            model.blob("note")
        says = "blob 'note' is damaged: bytes 576 to 580 differ from their checksum"
        assert str(caught.value) == f"{path}, byte 576: {says}. {listed}"
        with pytest.raises(KeyError):
            model.blob("none")
    (tmp_path / "n").write_bytes(data[:576] + b"h" + data[577:])
    with open_model_bin(tmp_path / "n") as source, pytest.raises(ChecksumError) as caught:
        source.tensors[0].read(0, 0, 4)
    says = "part 'values' is damaged: bytes 64 to 575 differ from their checksum"
    assert str(caught.value) == f"{tmp_path / 'n'}, tensor 'w', byte 64: {says}. {listed}"
    with ModelFile(path) as model:
        for _ in range(2):
            with pytest.raises(ChecksumError) as caught:
                model["w"]
            assert str(caught.value) == f"{path}, tensor 'w', byte 64: {says}. {listed}"


def test_a_tensor_is_read_when_it_is_asked_for(large: Path) -> None:
    """Damage in one is no matter to another; what is intact is read once, what `record` says not at all."""
    data = bytearray(large.read_bytes())
    data[64 + CHUNK] ^= 1
    large.write_bytes(data)
    with ModelFile(large) as model:
        assert model.record("a").nbytes > CHUNK
        assert model["b"].name == "b"
        with pytest.raises(ChecksumError, match=f"bytes {64 + CHUNK} to {63 + 2 * CHUNK} differ"):
            model["a"]
        calls: list[int] = []
        model._mapped = lambda number, real=model._mapped: calls.append(1) or real(number)  # type: ignore[method-assign,misc,func-returns-value]
        assert model["b"].name == "b"
        assert len(calls) == 1  # the view alone


def test_decoding_any_content_stays_in_bounds(tmp_path: Path) -> None:
    """C7, C9: parts of all ones, as codes outside a codebook or scales that are NaN."""
    for name, q in assorted().items():
        path = write_model(tmp_path / "m", {name: q})
        data = bytearray(path.read_bytes())
        at = int.from_bytes(data[-64:-56], "little")
        data[64:at] = b"\xff" * (at - 64)
        path.write_bytes(data)
        with ModelFile(path, verify=False) as model, np.errstate(all="ignore"):
            assert model[name].decode().shape == q.shape


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    """Neither the file's name nor a repetition changes them."""
    first = write_model(tmp_path / "a", assorted(), {"x": b"1"})
    second = write_model(tmp_path / "some other name", assorted(), {"x": b"1"})
    assert first.read_bytes() == second.read_bytes()


def test_written_tensors_come_back(tmp_path: Path) -> None:
    """Every part bit for bit; views of the file, not copies."""
    tensors = assorted()
    with ModelFile(write_model(tmp_path / "m", tensors)) as model:
        assert list(model) == list(tensors)
        for name, q in tensors.items():
            for part, array in q.parts.items():
                stored = model[name].parts[part]
                assert stored.tobytes() == array.tobytes()
                assert not stored.flags.owndata
                assert not stored.flags.writeable
                assert stored.ctypes.data % 64 == 0 or not stored.size
