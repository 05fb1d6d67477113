"""llama2.c checkpoints: every version, every fault of a header, exact sizes in every refusal."""

import struct
from pathlib import Path

import numpy as np
import pytest

from fourcc.errors import SourceError
from fourcc.sources import open_source
from tests.sources.writers import decoded, llama, llama2c_v0, llama2c_v1, llama2c_v2, tokenizer_bin, written


def assert_equal(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    """Same names in the same order, same values bit for bit."""
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("version", [0, 1])
def test_float_versions(tmp_path: Path, version: int, shared: bool) -> None:
    """Every tensor comes out bit for bit, in the model's order, whatever the file's."""
    h, tensors = llama(shared=shared)
    data = llama2c_v0(h, tensors) if version == 0 else llama2c_v1(h, tensors)
    with open_source(written(tmp_path, "m", data)) as source:
        assert source.kind == f"llama2.c v{version}"
        assert_equal(decoded(source), tensors)
        assert source.hyper == {
            "dim": 12,
            "hidden_dim": 10,
            "n_layers": 2,
            "n_heads": 3,
            "n_kv_heads": 1,
            "head_dim": 4,
            "vocab_size": 7,
            "seq_len": 5,
            "norm_eps": 1e-5,
            "rope_theta": 10000.0,
            "rope_pairing": "adjacent",
            "tied_embeddings": shared,
        }
        assert source.architecture == "llama"
        assert source.notes == ()


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("group", [1, 2, 4, 12])
def test_grouped_version(tmp_path: Path, group: int, shared: bool) -> None:
    """Rows of w2 have 10 weights: groups of 4 and of 12 run across their ends, and decode by flat index."""
    h, tensors = llama(shared=shared)
    data, truth = llama2c_v2(h, tensors, group)
    with open_source(written(tmp_path, "m", data)) as source:
        assert source.kind == "llama2.c v2"
        assert_equal(decoded(source), {name: truth[name] for name in tensors})


@pytest.mark.parametrize("group", [4, 6])
def test_codes_and_scales_come_over_byte_for_byte(tmp_path: Path, group: int) -> None:
    """So that the file can be written again as it was: q then scales of each matrix, in the file's order."""
    h, tensors = llama(shared=False)
    data, _ = llama2c_v2(h, tensors, group)
    with open_source(written(tmp_path, "m", data)) as source:
        made = b""
        for tensor in source.tensors:
            if len(tensor.shape) == 2:
                parts = tensor.read(0, 0, tensor.shape[0])
                flat = tensor.shape[1] % group != 0
                assert (str(tensor.tag), tensor.params) == ("Q8_F" if flat else "Q8_G", {"group": group})
                run = parts["q"].tobytes() + parts["scales"].tobytes()
                assert run in data
                made += run
        assert len(made) == len(data) - 256 - 4 * 5 * h["dim"]


def test_group_sized_like_the_stories(tmp_path: Path) -> None:
    """Dim 64 and hidden 172 in groups of 64, which llama2.c itself decodes wrongly."""
    h, tensors = llama(dim=64, hidden=172, heads=8, kv_heads=4)
    data, truth = llama2c_v2(h, tensors, 64)
    with open_source(written(tmp_path, "m", data)) as source:
        assert_equal(decoded(source), {name: truth[name] for name in tensors})


@pytest.mark.parametrize("shared", [True, False])
def test_version_0_without_rope_tables(tmp_path: Path, shared: bool) -> None:
    """Old files lack the tables: the size tells, and a note says so."""
    h, tensors = llama(shared=shared)
    with open_source(written(tmp_path, "m", llama2c_v0(h, tensors, rope=False))) as source:
        assert_equal(decoded(source), tensors)
        assert source.notes == ("the file has no RoPE tables, and needs none",)


@pytest.mark.parametrize("change", [-4, -1, 1, 64])
def test_wrong_size_is_told_exactly(tmp_path: Path, change: int) -> None:
    """Both sizes that would fit, and the one found."""
    h, tensors = llama()
    data = llama2c_v0(h, tensors)
    bare = len(data) - 4 * h["seq"] * 4
    path = written(tmp_path, "m", data[:change] if change < 0 else data + bytes(change))
    with pytest.raises(SourceError) as caught:
        open_source(path)
    assert str(caught.value).startswith(
        f"{path}, byte 0: the file's length is not what its header asks for: found {len(data) + change} bytes, "
        f"expected {len(data)} bytes for 2 layers of dim 12 and 7 tokens, or {bare} without RoPE tables."
    )


@pytest.mark.parametrize(("make", "more"), [(llama2c_v1, ()), (lambda *a: llama2c_v2(*a)[0], (4,))])
def test_wrong_size_of_later_versions(tmp_path: Path, make: object, more: tuple[int, ...]) -> None:
    """A byte more or less is refused."""
    data = make(*llama(), *more)  # type: ignore[operator]
    for damaged in (data[:-1], data + b"\0"):
        with pytest.raises(SourceError, match=f"found {len(damaged)} bytes, expected {len(data)} bytes"):
            open_source(written(tmp_path, "m", damaged))


def patched(offset: int, code: str, value: int, version: int = 0) -> bytes:
    """A good file with one number of its header replaced."""
    h, tensors = llama()
    data = bytearray(
        {0: llama2c_v0, 1: llama2c_v1}[version](h, tensors) if version < 2 else llama2c_v2(h, tensors, 4)[0]
    )
    struct.pack_into("<" + code, data, offset, value)
    return bytes(data)


FIELDS = ["dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "seq_len"]
BAD = [
    *((0, 4 * i, "i", value, f"{name} is out of range") for i, name in enumerate(FIELDS) for value in (0, -(2**31))),
    *((0, 4 * i, "i", -1, f"{FIELDS[i]} is out of range") for i in (0, 1, 2, 3, 4, 6)),
    *((1, 8 + 4 * i, "i", -1, f"{name} is out of range") for i, name in enumerate(FIELDS)),
    (0, 12, "i", 5, "n_heads 5 does not divide dim 12 into heads of even width"),
    (0, 12, "i", 4, "n_heads 4 does not divide dim 12 into heads of even width"),
    (0, 16, "i", 2, "n_kv_heads 2 does not divide n_heads 3"),
    (0, 16, "i", 6, "n_kv_heads 6 does not divide n_heads 3"),
    (1, 4, "i", 3, "unknown version of a llama2.c checkpoint"),
    (1, 4, "i", -1, "unknown version of a llama2.c checkpoint"),
    (1, 36, "B", 2, "the flag for a shared output matrix is no truth value"),
    (1, 36, "B", 255, "the flag for a shared output matrix is no truth value"),
    (1, 37, "i", 64, "the header's padding is not zero"),
    (1, 255, "B", 1, "the header's padding is not zero"),
    (2, 37, "i", 0, "group_size is out of range"),
    (2, 37, "i", -4, "group_size is out of range"),
    (2, 37, "i", 5, "group_size does not divide the 84 weights of tok_embeddings"),
    (2, 41, "B", 9, "the header's padding is not zero"),
    *((0, 4 * i, "i", 2**31 - 1, "n_heads|the file's length") for i in (0, 1, 2, 5, 6)),
    (1, 16, "i", 2**31 - 1, "the file's length"),
]


@pytest.mark.parametrize(("version", "offset", "code", "value", "what"), BAD)
def test_bad_header(tmp_path: Path, version: int, offset: int, code: str, value: int, what: str) -> None:
    """Each is named with file, offset and value; none is a division by zero or a huge allocation."""
    path = written(tmp_path, "m", patched(offset, code, value, version))
    with pytest.raises(SourceError, match=what) as caught:
        open_source(path)
    assert str(caught.value).startswith(f"{path}, byte ")


def test_offset_and_value_are_told(tmp_path: Path) -> None:
    """One message is compared as a whole."""
    path = written(tmp_path, "m", patched(12, "i", 0))
    with pytest.raises(SourceError) as caught:
        open_source(path)
    assert str(caught.value) == (
        f"{path}, byte 12: n_heads is out of range: found 0, expected a positive number. "
        "Is it a llama2.c checkpoint? Version 0 has no mark to know it by."
    )


@pytest.mark.parametrize("length", [4, 8, 36, 255])
def test_cut_in_the_header(tmp_path: Path, length: int) -> None:
    """A numbered version has 256 bytes of header."""
    with pytest.raises(SourceError, match=f"cut in its header: found {length} bytes, expected 256 bytes"):
        open_source(written(tmp_path, "m", llama2c_v1(*llama())[:length]))


@pytest.mark.parametrize("length", [1, 27])
def test_shorter_than_any_header(tmp_path: Path, length: int) -> None:
    """Nothing can be told of so few bytes."""
    with pytest.raises(SourceError, match="not a checkpoint"):
        open_source(written(tmp_path, "m", llama2c_v0(*llama())[:length]))


def test_tokenizer_goes_with_the_model(tmp_path: Path) -> None:
    """It becomes a blob and one of the files; its entries are counted."""
    model, good = written(tmp_path, "m", llama2c_v0(*llama())), written(tmp_path, "t", tokenizer_bin(7))
    with open_source(model, good) as source:
        assert source.blobs == {"tokenizer.bin": tokenizer_bin(7)}
        assert source.all_files == (model, good)


@pytest.mark.parametrize("data", [tokenizer_bin(8), tokenizer_bin(7)[:-1]])
def test_tokenizer_of_another_model(tmp_path: Path, data: bytes) -> None:
    """It has one token too many, or is cut."""
    model, bad = written(tmp_path, "m", llama2c_v0(*llama())), written(tmp_path, "t", data)
    with pytest.raises(SourceError, match=r"found \d tokens, expected 7, the model's vocab_size"):
        open_source(model, bad)


def test_tokenizer_in_place_of_the_model(tmp_path: Path) -> None:
    """The commonest mistake of all."""
    with pytest.raises(SourceError, match=r"a llama2\.c tokenizer; name the model"):
        open_source(written(tmp_path, "m.bin", tokenizer_bin(300)))


def test_file_cut_after_opening(tmp_path: Path) -> None:
    """Reads are ordinary: a file that shrinks gives an error with its name, not a signal."""
    path = written(tmp_path, "m", llama2c_v0(*llama()))
    with open_source(path) as source:
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(SourceError, match="the file ends too early"):
            source.tensors[-1].read(0, 0, 1)


def test_real_versions_agree(data: Path) -> None:
    """One trained model in three kinds of file."""
    with (
        open_source(data / "stories260K.bin") as v0,
        open_source(data / "stories260K_v1.bin") as v1,
        open_source(data / "stories260K.gguf") as other,
    ):
        truth = decoded(v0)
        assert_equal(decoded(v1), truth)
        assert v1.hyper == v0.hyper
        assert_equal(decoded(other), truth | {"output": truth["tok_embeddings"]})
        assert {key: value for key, value in other.hyper.items() if key not in ("seq_len", "tied_embeddings")} == {
            key: value for key, value in v0.hyper.items() if key not in ("seq_len", "tied_embeddings")
        }


def test_real_values_lie_where_llama2c_reads_them(data: Path) -> None:
    """Offsets added up by hand for dim 64, hidden 172, 5 layers, 8 heads, 4 kv heads, 512 tokens."""
    raw = np.fromfile(data / "stories260K.bin", "<f4")[7:]
    before = 512 * 64 + 5 * 64  # embedding, attention norms
    before += 5 * 64 * 64 + 2 * 5 * 32 * 64 + 5 * 64 * 64 + 5 * 64  # wq, wk, wv, wo, ffn norms
    before += 5 * 172 * 64  # w1
    with open_source(data / "stories260K.bin", data / "tok512.bin") as source:
        assert np.array_equal(decoded(source)["layers.3.feed_forward.w2"].ravel(), raw[before:][3 * 11008 : 4 * 11008])
        assert len(source.blobs["tokenizer.bin"]) == 6227
