"""The table of tensors: what cannot be true of them, and what is true though it looks odd."""

import struct
import time
from pathlib import Path

import msgpack
import numpy as np
import pytest

from fourcc.container.index import Index
from fourcc.container.reader import ModelFile
from fourcc.container.verify import verify
from fourcc.container.writer import Writer
from fourcc.encoding import encode
from fourcc.errors import FourccError, IndexDamageError, MissingFormatError, TableError
from fourcc.files.write import AtomicFile
from tests.container import forge as forging
from tests.container.build import add_tensor, write_model
from tests.container.forge import BIAS, HEAD, PAYLOAD, WEIGHTS, forge, honest, index_of, padded, part, put, tensor

END = 64 + len(PAYLOAD)
DIMS = "expected at most 8 whole numbers from 0"
DTYPE = "expected a little-endian dtype such as '<f4' or '|u1', or a record of such"


def refusal(path: Path, tree: object, payload: bytes = PAYLOAD) -> str:
    """The message of opening a file with this index, without the path."""
    with pytest.raises((TableError, IndexDamageError)) as caught:
        ModelFile(forge(path, tree, payload))
    return str(caught.value).removeprefix(str(path)).lstrip(",: ")


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        # Names, B3
        ("name", "", "tensors[0]: bad 'name': found '', expected 1 to 512 bytes without NUL"),
        ("name", "a\0b", r"tensors[0]: bad 'name': found 'a\x00b', expected 1 to 512 bytes without NUL"),
        ("name", "é" * 257, "tensors[0]: bad 'name'"),
        ("name", "b", "tensor 'b': two tensors have one name"),  # B2
        ("name", 3, "tensors[0]: bad 'name': found 3, expected text"),
        # Shapes, B10
        ("shape", [-1], f"tensor 'w': tensors[0]: bad 'shape': found [-1], {DIMS}"),
        ("shape", [True, 8], f"tensor 'w': tensors[0]: bad 'shape': found [True, 8], {DIMS}"),
        ("shape", [2.0, 4], f"tensor 'w': tensors[0]: bad 'shape': found [2.0, 4], {DIMS}"),
        ("shape", [1] * 9, "tensor 'w': tensors[0]: bad 'shape': found [1, 1, 1, 1, 1, 1, ...]"),
        ("shape", [1] * 70, "tensor 'w': tensors[0]: bad 'shape': found [1, 1, 1, 1, 1, 1, ...]"),
        # Products that wrap around in 64 bits, B9
        ("shape", [4194305, 4194305, 211106198978564], "tensor 'w': tensors[0]: bad 'shape'"),
        ("shape", [2**63, 2], "tensor 'w': tensors[0]: bad 'shape'"),
        ("shape", [2**62, 2], "tensor 'w': tensors[0]: bad 'shape'"),
        ("shape", [2**62, 2, 0], "tensor 'w': tensors[0]: bad 'shape'"),
        # tags
        ("tag", "F32", "tensor 'w': tensors[0]: bad 'tag': found 'F32', expected four of A-Z a-z 0-9 _"),
        ("tag", "4F__", "tensor 'w': tensors[0]: bad 'tag': found '4F__'"),
        ("tag", "F 32", "tensor 'w': tensors[0]: bad 'tag': found 'F 32'"),
        ("tag", "Fé32", "tensor 'w': tensors[0]: bad 'tag'"),
        ("tag", "../x", "tensor 'w': tensors[0]: bad 'tag': found '../x'"),
        # the rest
        ("params", {"group": None}, "tensor 'w': tensors[0]: bad 'params.group': found None"),
        ("options", {"x": [1]}, "tensor 'w': tensors[0]: bad 'options.x': found [1]"),
        ("rule", -1, "tensors[0]: bad 'rule': found -1"),
        ("provider", 1, "tensor 'w': no such provider: found 1"),
        ("error", {"max_error": 1.0}, "tensor 'w': error: bad 'relative_rmse': found 'nothing'"),
        (
            "error",
            {"relative_rmse": None, "sqnr_db": None, "max_error": float("nan")},
            "tensor 'w': error: bad 'max_error': found nan, expected a finite float",
        ),
        ("error", {"relative_rmse": 1, "sqnr_db": None, "max_error": 0.0}, "tensor 'w': error: bad 'relative_rmse'"),
        # Offsets, B4 and B5
        ("parts.0.offset", 0, "tensor 'w': 'values' of 32 bytes does not follow what lies before it: found offset 0"),
        ("parts.0.offset", 65, "tensor 'w': 'values' of 32 bytes does not follow"),
        ("parts.0.offset", 128, "tensor 'w': 'values' of 32 bytes does not follow"),
        ("parts.0.offset", 2**63 - 1, "tensor 'w': 'values' of 32 bytes does not follow"),
        ("parts.0.offset", 2**63, "tensor 'w': parts[0]: bad 'offset'"),
        ("parts.0.offset", 2**64 - 1, "tensor 'w': parts[0]: bad 'offset'"),
        ("parts.0.offset", -64, "tensor 'w': parts[0]: bad 'offset'"),
        # Lengths, B9
        ("parts.0.nbytes", 31, "tensor 'w': parts[0]: bad 'nbytes': found 31, expected 32, which its shape (2, 4)"),
        ("parts.0.shape", [2, 5], "tensor 'w': parts[0]: bad 'nbytes': found 32, expected 40"),
        ("parts.0.sums", bytes(7), "tensor 'w': parts[0]: bad 'sums'"),
        ("parts.0.sums", bytes(16), "tensor 'w': parts[0]: bad 'sums'"),
        ("parts.0.name", "", "tensor 'w': parts[0]: bad 'name'"),
        # dtypes
        ("parts.0.dtype", ">f4", f"tensor 'w': parts[0]: bad 'dtype': found '>f4', {DTYPE}"),
        ("parts.0.dtype", "O", "tensor 'w': parts[0]: bad 'dtype'"),
        ("parts.0.dtype", "<c8", "tensor 'w': parts[0]: bad 'dtype'"),
        ("parts.0.dtype", "<f4,<f4", "tensor 'w': parts[0]: bad 'dtype'"),
        ("parts.0.dtype", [], "tensor 'w': parts[0]: bad 'dtype': found [], expected entries of 1 to 1048576 bytes"),
        ("parts.0.dtype", [["a", "<f4"]], "tensor 'w': parts[0]: bad 'dtype'"),
        ("parts.0.dtype", [["a", "<f4", [-1, -1]]], "tensor 'w': parts[0]: bad 'dtype'"),
        ("parts.0.dtype", [["a", "<f4", [0]]], "tensor 'w': parts[0]: bad 'dtype'"),
        ("parts.0.dtype", [["", "<f4", []]], "tensor 'w': parts[0]: bad 'dtype'"),
        ("parts.0.dtype", [["a", "<f2", []], ["a", "<f2", []]], "tensor 'w': parts[0]: bad 'dtype'"),
        ("parts.0.dtype", [["a", "<f4", [2**40]]], "tensor 'w': parts[0]: bad 'dtype'"),
        ("parts.0.dtype", [["a", [["b", "<f4", []]], []]], "tensor 'w': parts[0]: bad 'dtype'"),
        ("parts.0.dtype", [["a", "<f4", [1] * 65]], "tensor 'w': parts[0]: bad 'dtype'"),
    ],
)
def test_wrong_keys_of_a_tensor(tmp_path: Path, path: str, value: object, says: str) -> None:
    """B2 to B5, B9, B10, B16: each field, with the tensor's name as soon as it is known."""
    assert refusal(tmp_path / "m", put(honest(), f"tensors.0.{path}", value)).startswith(says)


@pytest.mark.parametrize("key", honest()["tensors"][0])
def test_missing_keys_of_a_tensor(tmp_path: Path, key: str) -> None:
    """A13: every one is asked for."""
    text = refusal(tmp_path / "m", put(honest(), f"tensors.0.{key}", forging.DROP))
    assert f"bad {key!r}: found 'nothing', expected the key to be there" in text


@pytest.mark.parametrize("key", honest()["tensors"][0]["parts"][0])
def test_missing_keys_of_a_part(tmp_path: Path, key: str) -> None:
    """A13: likewise; the tensor is named."""
    text = refusal(tmp_path / "m", put(honest(), f"tensors.0.parts.0.{key}", forging.DROP))
    assert text.startswith(f"tensor 'w': parts[0]: bad {key!r}: found 'nothing'")


def test_two_blobs_and_two_parts_of_one_name(tmp_path: Path) -> None:
    """B2: for them, too."""
    tree = honest()
    tree["blobs"] *= 2
    assert refusal(tmp_path / "m", tree) == "tensor 'note': two blobs have one name"
    tree = honest()
    tree["tensors"][0]["parts"] *= 2
    assert refusal(tmp_path / "m", tree) == "tensor 'w': two parts have one name"


def test_overlap_and_shared_range(tmp_path: Path) -> None:
    """B6: a second tensor on the first one's bytes, wholly or in part, and a million of them on one range."""
    tree = put(honest(), "tensors.1.parts.0.offset", 64)
    says = (
        "tensor 'b': 'values' of 12 bytes does not follow what lies before it: "
        f"found offset 64, expected offset 128, ending at {END} at the latest"
    )
    assert refusal(tmp_path / "m", tree) == says
    one = part("", WEIGHTS, 64, [2, 4])
    bomb = index_of([tensor(f"{n}", [2, 4], [one]) for n in range(20_000)], [])
    assert refusal(tmp_path / "m", bomb).startswith("tensor '1': 'values' of 32 bytes does not follow")


def test_hole_before_and_after(tmp_path: Path) -> None:
    """B7: bytes that belong to nothing."""
    tree = honest()
    tree["tensors"][1]["parts"][0]["offset"] = 192
    tree["blobs"][0]["offset"] = 256
    hole = padded(WEIGHTS) + bytes(64) + PAYLOAD[64:]
    assert "does not follow" in refusal(tmp_path / "m", tree, hole)
    text = refusal(tmp_path / "m", honest(), PAYLOAD + bytes(64))
    assert (
        text == f"the payload does not end where the index begins: found index at {END + 64}, expected index at {END}"
    )


def test_unsorted_table(tmp_path: Path) -> None:
    """B8: tensors in another order than their bytes."""
    tree = honest()
    tree["tensors"].reverse()
    assert refusal(tmp_path / "m", tree).startswith("tensor 'b': 'values' of 12 bytes does not follow")


def test_part_beyond_the_payload(tmp_path: Path) -> None:
    """B4: a tensor that would reach into the index."""
    tree = index_of([tensor("w", [8, 64], [part("w", bytes(2048), 64, [8, 64])])], [])
    assert "ending at 128 at the latest" in refusal(tmp_path / "m", tree, bytes(64))


def test_parts_without_bytes(tmp_path: Path) -> None:
    """B7, B10: they stand at the running offset, as many as there are, and move nothing; a scalar has one weight."""
    empty = [tensor(f"e{n}", [0, 4], [part(f"e{n}", b"", 64, [0, 4])]) for n in range(3)]
    scalar = tensor("s", [], [part("s", BIAS[:4], 64, [1, 1])])
    path = forge(tmp_path / "m", index_of([*empty, scalar], []), padded(BIAS[:4]))
    with ModelFile(path) as model:
        assert model["e2"].decode().shape == (0, 4)
        assert float(model["s"].decode()) == 0.5
        assert list(verify(path)) == []
    assert "does not follow" in refusal(
        tmp_path / "m", index_of([empty[0] | {"parts": [part("e0", b"", 128, [0])]}], []), b""
    )


def strange(tag: str = "Zq9x") -> bytes:
    """A file whose first tensor is in a format that nobody has."""
    return forging.seal(msgpack.packb(put(honest(), "tensors.0.tag", tag)))


def test_unknown_tag_is_listed_verified_and_refused_alone(tmp_path: Path) -> None:
    """B12: all but decoding that one tensor."""
    path = tmp_path / "m"
    path.write_bytes(strange())
    with ModelFile(path) as model:
        q = model["w"]
        assert (str(q.tag), q.shape, float(q.bits_per_weight)) == ("Zq9x", (2, 4), 32.0)
        assert model["b"].decode().tolist() == [0.5, -0.5, 2.0]
        assert list(verify(path)) == []
        with pytest.raises(MissingFormatError, match="Zq9x") as caught:
            q.decode()
    assert caught.value.exit_code == 5
    data = bytearray(strange())
    data[70] ^= 1
    path.write_bytes(data)
    assert [(damage.tensor, damage.offset) for damage in verify(path)] == [("w", 64)]


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("params", {"group": 3}, "F32 cannot be the tensor's format: no setting named 'group'"),
        ("tag", "Q8_0", "Q8_0 cannot be the tensor's format: rows of 4 are not a multiple of 32"),
        ("shape", [4, 2], "part 'values' does not fit the format F32: found (2, 4) float32, expected (4, 2) float32"),
        ("parts.0.dtype", "<i4", "part 'values' does not fit the format F32: found (2, 4) int32"),
        ("parts.0.name", "velues", "wrong parts: found ['velues'], expected ['values']"),
        ("tag", "Q4_A", "wrong parts: found ['values'], expected"),
    ],
)
def test_tensor_that_its_format_cannot_have_stored(tmp_path: Path, path: str, value: object, says: str) -> None:
    """B11, B12, B14: the file opens, the other tensor is read, this one alone is refused."""
    with ModelFile(forge(tmp_path / "m", put(honest(), f"tensors.0.{path}", value)), verify=False) as model:
        assert model["b"].decode()[0] == 0.5
        with pytest.raises(TableError) as caught:
            model["w"].decode()
    assert str(caught.value).startswith(f"tensor 'w': {says}")


def test_names_that_look_alike_are_read_but_not_written(tmp_path: Path) -> None:
    """B2: equal once composed."""
    tree = put(put(honest(), "tensors.0.name", "é"), "tensors.1.name", "e\u0301")
    with ModelFile(forge(tmp_path / "m", tree)) as model:
        assert list(model) == ["é", "e\u0301"]
    q = encode(np.ones(3, np.float32), "F32")
    with pytest.raises(TableError, match="two names differ only in how Unicode spells them"):
        write_model(tmp_path / "n", {"é": q, "e\u0301": q})
    assert not (tmp_path / "n").exists()


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 513, "\ud800"])
def test_writer_refuses_the_names_that_a_reader_refuses(tmp_path: Path, name: str) -> None:
    """B3: and leaves nothing behind."""
    with pytest.raises(TableError):
        write_model(tmp_path / "m", {name: encode(np.ones(3, np.float32), "F32")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [2**64, b"x", object(), float("nan"), "\ud800", [[1]]])
def test_writer_refuses_the_values_that_a_reader_refuses(tmp_path: Path, value: object) -> None:
    """Values that msgpack cannot hold, and values that only an index cannot."""
    with pytest.raises(FourccError), AtomicFile(tmp_path / "m") as out:  # noqa: PT012 - the file must be left by it
        writer = Writer(out)
        writer.add(add_tensor(writer, "w", encode(np.ones(3, np.float32), "F32")))
        writer.finish(Index(tensors=(), hyper={"x": value}))  # type: ignore[dict-item]
    assert list(tmp_path.iterdir()) == []


def test_slashes_and_dots_are_names_like_any_other(tmp_path: Path) -> None:
    """B3: nothing here makes a path of a name."""
    q = encode(np.ones(3, np.float32), "F32")
    path = write_model(tmp_path / "m", {"../a": q, "/etc/passwd": q, "con": q})
    with ModelFile(path) as model:
        assert list(model) == ["../a", "/etc/passwd", "con"]


@pytest.mark.thorough
def test_a_hundred_thousand_tensors(tmp_path: Path) -> None:
    """B17: opened in time that grows with their number, not with its square."""

    def seconds(count: int) -> float:
        tensors = [
            tensor(f"layers.{n}.w", [3], [part(f"layers.{n}.w", BIAS, 64 + 64 * n, [1, 3])]) for n in range(count)
        ]
        path = forge(tmp_path / f"{count}", index_of(tensors, []), padded(BIAS) * count)
        start = time.process_time()
        with ModelFile(path) as model:
            assert len(model) == count
            assert model[f"layers.{count - 1}.w"].decode()[2] == 2
        return time.process_time() - start

    few, many = min(seconds(10_000), seconds(10_000)), seconds(100_000)
    assert many < 30 * few + 0.5
    assert many < 8  # 2.6 s of the processor, most of it for Python's objects


def test_offsets_beyond_4_gib(tmp_path: Path) -> None:
    """B18, C12: a tensor of more than 4 GiB, all holes, and one behind it."""
    large = (4 << 30) + (1 << 20)
    whole = part("large", b"", 64, [1, large], "|u1") | {"nbytes": large, "sums": bytes(8 * 4097)}  # sums of nothing
    first = tensor("large", [large], [whole], "U8  ")
    last = tensor("w", [2, 4], [part("w", WEIGHTS, 64 + large, [2, 4])])
    packed = msgpack.packb(index_of([first, last], []))
    at = 64 + large + 64
    digest = forging.seal(packed, b"")[-40:-8]
    with (tmp_path / "m").open("wb") as file:
        file.write(HEAD)
        try:
            file.seek(64 + large)
            file.write(padded(WEIGHTS) + packed + forging.tail(at, len(packed), at + len(packed) + 64, digest))
        except OSError as error:  # a file system without sparse files
            pytest.skip(str(error))
    with ModelFile(tmp_path / "m", verify=False) as model:
        assert model["w"].decode()[1, 3] == 7
        assert model["large"].parts["values"].shape == (1, large)
        assert model["large"].parts["values"][0, -1] == 0


def test_big_endian_tail(tmp_path: Path) -> None:
    """A23: numbers in the wrong order are wrong numbers."""
    data = bytearray(forging.seal(msgpack.packb(honest())))
    data[-64:-40] = struct.pack(">QQQ", *struct.unpack("<QQQ", data[-64:-40]))
    (tmp_path / "m").write_bytes(data)
    with pytest.raises(IndexDamageError, match="wrong length"):
        ModelFile(tmp_path / "m")
