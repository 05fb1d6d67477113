"""Opening a path: files are recognised by their bytes, folders by their model; others are refused by name."""

import gzip
import io
import os
import pickle
import struct
import zipfile
from pathlib import Path

import msgpack
import numpy as np
import pytest

from fourcc.errors import IndexDamageError, SourceError
from fourcc.files.signatures import _STARTS, looks_like, marked
from fourcc.sources import open_source
from tests.sources.writers import (
    decoded,
    gguf,
    gguf_llama,
    llama,
    llama2c_v0,
    llama2c_v1,
    safetensors,
    tokenizer_bin,
    written,
)

MAGIC = b"\x89FCC\r\n\x1a\n"


def saved(write: object) -> bytes:
    """The bytes that a function writes into a file."""
    out = io.BytesIO()
    write(out)  # type: ignore[operator]
    return out.getvalue()


def zipped(name: str) -> bytes:
    """A zip archive with one member."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(name, b"x")
    return out.getvalue()


CHECKPOINTS = {
    "llama2.c v0": llama2c_v0(*llama()),
    "llama2.c v1": llama2c_v1(*llama()),
    "safetensors": safetensors({"a": np.ones(2, "<f4")}),
    "GGUF": gguf_llama(*llama()),
    "npz": saved(lambda out: np.savez(out, a=np.ones(2, "<f4"))),
}


@pytest.mark.parametrize("kind", CHECKPOINTS)
@pytest.mark.parametrize("name", ["x", "x.bin", "x.gguf", "x.safetensors", "x.npz", "x.png"])
def test_bytes_tell_not_the_name(tmp_path: Path, kind: str, name: str) -> None:
    """The kind does not depend on the file's name."""
    with open_source(str(written(tmp_path, name, CHECKPOINTS[kind]))) as source:
        assert source.kind == kind


REFUSED = {
    "empty": (b"", "not a checkpoint: the file is empty"),
    "gzip": (gzip.compress(b"x"), "a gzip archive; unpack it first"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(9), "a Zstandard archive"),
    "pickle": (pickle.dumps({"a": 1}), "a pickle can execute code and is never read"),
    "PyTorch": (zipped("archive/data.pkl"), "a pickle can execute code and is never read: convert it to safetensors"),
    "zip": (zipped("readme.txt"), "a zip archive that holds no NumPy arrays"),
    "empty zip": (saved(lambda out: zipfile.ZipFile(out, "w").close()), "a zip archive that holds no NumPy arrays"),
    "HTML": (b"\n<!DOCTYPE html><html>", "a web page; the download went wrong"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer, not the file itself"),
    "PNG": (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    "npy": (saved(lambda out: np.save(out, np.ones(2))), r"a single \.npy array; store it with numpy\.savez"),
    "HDF5": (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    "tokenizer": (tokenizer_bin(40), r"a llama2\.c tokenizer; name the model"),
    "JSON": (b'{"a": 1}', "it looks like JSON"),
    "text": (b"Once upon a time", "it looks like text"),
    "zeros": (bytes(5000), "nothing but zeros"),
    "noise": (
        bytes(range(200, 256)),
        "it is of no kind known here: found c8 c9 ca cb cc cd ce cf, expected one of model",
    ),
    "ours, CRLF to LF": (MAGIC.replace(b"\r\n", b"\n") + bytes(99), "damaged by a transfer in text mode"),
    "ours, LF to CRLF": (MAGIC.replace(b"\n", b"\r\n") + bytes(99), "damaged by a transfer in text mode"),
    "ours, seven bits": (bytes(b & 0x7F for b in MAGIC) + bytes(99), "damaged by a transfer in text mode"),
    "ours, as UTF-8": (MAGIC.decode("utf-8", "replace").encode() + bytes(99), "damaged by a transfer in text mode"),
    "ours, as Latin-1": (MAGIC.decode("latin-1").encode() + bytes(99), "damaged by a transfer in text mode"),
}


@pytest.mark.parametrize(("data", "what"), REFUSED.values(), ids=REFUSED)
def test_refused_as_what_it_looks_like(tmp_path: Path, data: bytes, what: str) -> None:
    """With the file's name, and the way out where there is one."""
    path = written(tmp_path, "model.bin", data)
    with pytest.raises(SourceError, match=what) as caught:
        open_source(path)
    assert str(caught.value).startswith(f"{path}: not a checkpoint: ")


LONG_MARKS = {start: what for start, what in _STARTS if marked(start) is not None}


@pytest.mark.parametrize("start", [start for start in LONG_MARKS if start not in (MAGIC, b"24ka", b"GGUF", b"tjgg")])
def test_a_mark_is_never_taken_for_a_size(tmp_path: Path, start: bytes) -> None:
    """Whatever follows: seven plausible numbers, as llama2.c's first version has, or those of a whisper model."""
    whole = start.ljust(-(-len(start) // 4) * 4, b"\0")
    path = written(
        tmp_path, "m.bin", whole + struct.pack("<12i", *[64, 5, 8, 4, 512, 512, 1, 1, 1, 1, 1, 1]) + bytes(4096)
    )
    with pytest.raises(SourceError) as caught:
        open_source(path)
    assert str(caught.value).startswith(f"{path}: not a checkpoint: it looks like {LONG_MARKS[start]}: found ")


def test_what_is_expected_is_listed_only_where_nothing_is_known(tmp_path: Path) -> None:
    """The message for a web page does not list the kinds of checkpoints."""
    for data, listed in ((b"<html>", False), (bytes(range(200, 256)), True)):
        with pytest.raises(SourceError) as caught:
            open_source(written(tmp_path, "m", data))
        assert ("expected one of" in str(caught.value)) == listed


def test_an_address_that_nothing_is_read_from() -> None:
    """Told as what it is, with the slash that a path loses."""
    with pytest.raises(
        SourceError, match=r"^s3://bucket/m: no such address can be read\. hf:// and https:// addresses"
    ):
        open_source("s3://bucket/m")


def test_without_a_weight(tmp_path: Path) -> None:
    """A file without tensors, or with tensors without weights, is noted."""
    with open_source(written(tmp_path, "a", safetensors({}))) as source:
        assert source.notes == ("the checkpoint holds no tensor",)
    arrays = {"a": np.ones((0, 4), "<f4"), "b": np.ones(2, "<f4"), "c": np.ones((4, 0), "<f4")}
    with open_source(written(tmp_path, "b", safetensors(arrays))) as source:
        assert source.notes == ("2 tensors ('a', 'c') have no weight",)


def test_every_likeness_is_a_sentence() -> None:
    """The reader of containers uses it, too."""
    assert looks_like(b"GGUF") == "it looks like a GGUF file"
    assert looks_like(MAGIC + bytes(56)) == "it looks like a model.bin"
    assert looks_like(b"\x89FCC????") == "it looks like a model.bin whose first bytes are damaged"


def test_our_own_magic_goes_to_the_containers_reader(tmp_path: Path) -> None:
    """A cut model.bin is told as one."""
    with pytest.raises(IndexDamageError):
        open_source(written(tmp_path, "m", MAGIC + bytes(8)))


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_no_regular_file(tmp_path: Path, make: object) -> None:
    """Nothing hangs."""
    make(tmp_path / "x")  # type: ignore[operator]
    with pytest.raises(SourceError, match="not a regular file"):
        open_source(tmp_path / "x")


def test_missing_file(tmp_path: Path) -> None:
    """The error is an OSError of the system."""
    with pytest.raises(FileNotFoundError):
        open_source(tmp_path / "x")


@pytest.mark.parametrize("name", ["m.gguf", "m.safetensors"])
def test_folder_with_one_model(tmp_path: Path, name: str) -> None:
    """Other files beside it do not matter, hidden ones neither."""
    kind = {"m.gguf": "GGUF", "m.safetensors": "safetensors"}[name]
    written(tmp_path, name, CHECKPOINTS[kind])
    written(tmp_path, "README.md", b"x")
    written(tmp_path, ".m2.gguf", b"x")
    written(tmp_path, "model.bin", b"x")
    with open_source(tmp_path) as source:
        assert (source.kind, source.path, source.files) == (kind, tmp_path, (tmp_path / name,))


@pytest.mark.parametrize("names", [("a.gguf", "b.safetensors"), ("a.gguf", "b.gguf")])
def test_folder_with_two_models(tmp_path: Path, names: tuple[str, str]) -> None:
    """Both are named."""
    for name in names:
        written(tmp_path, name, b"")
    with pytest.raises(SourceError, match="the folder holds more than one model: ") as caught:
        open_source(tmp_path)
    assert all(name in str(caught.value) for name in names)


def test_index_comes_before_a_loose_file(tmp_path: Path) -> None:
    """Some publishers add the weights once more in one file."""
    written(tmp_path, "model-00001-of-00001.safetensors", CHECKPOINTS["safetensors"])
    written(tmp_path, "consolidated.safetensors", CHECKPOINTS["safetensors"])
    written(tmp_path, "model.safetensors.index.json", {"weight_map": {"a": "model-00001-of-00001.safetensors"}})
    with open_source(tmp_path) as source:
        assert list(decoded(source)) == ["a"]


def test_a_folder_stands_for_the_model_bin_in_it(tmp_path: Path) -> None:
    """It is no pickle, whatever the end of its name; beside a checkpoint it is what was made of that."""
    written(tmp_path, "mine.bin", MAGIC)
    with pytest.raises(IndexDamageError, match=r"mine\.bin: the file is cut"):
        open_source(tmp_path)
    written(tmp_path, "x.gguf", CHECKPOINTS["GGUF"])
    with open_source(tmp_path) as source:
        assert source.kind == "GGUF"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("pytorch_model.bin", r"pytorch_model\.bin: a pickle can execute code and is never read"),
        ("model.pt", r"model\.pt: a pickle can execute code"),
        ("model.safetensors.incomplete", r"The download has not finished: model\.safetensors\.incomplete"),
        ("notes.txt", "Name the file itself"),
    ],
)
def test_folder_without_a_model(tmp_path: Path, name: str, hint: str) -> None:
    """The message says where it looked, and why there is nothing."""
    written(tmp_path, name, b"x")
    with pytest.raises(SourceError, match=hint) as caught:
        open_source(tmp_path)
    says = "looked for a model.bin, *.safetensors.index.json, *.safetensors and *.gguf among 1 files"
    assert says in str(caught.value)


def test_dangling_link(tmp_path: Path) -> None:
    """A cache that was cleaned."""
    (tmp_path / "m.gguf").symlink_to("gone")
    with pytest.raises(SourceError, match="a symbolic link to nothing"):
        open_source(tmp_path)


TOKENIZERS = {
    "tokenizer.bin": tokenizer_bin(9),
    "tokenizer.json": b'{"model": {}}',
    "tokenizer.model": b"\n\x0e\n\x05<unk>\x15\0\0\0\0\x18\x02\n\x08\n\x01a\x15\0\0\0\0",
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_tokenizer_is_known_by_its_bytes(tmp_path: Path, name: str) -> None:
    """Stored under the name of its kind, in place of what the model brings; its file is listed."""
    key = b"tokenizer.ggml.model"
    text = len(key).to_bytes(8, "little") + key + (8).to_bytes(4, "little") + (1).to_bytes(8, "little") + b"x"
    model = written(tmp_path, "m", gguf([text], []))
    with open_source(model) as source:
        assert msgpack.unpackb(source.blobs["tokenizer.gguf"]) == {key.decode(): "x"}
    given = written(tmp_path, "t", TOKENIZERS[name])
    with open_source(model, str(given)) as source:
        assert {key: data for key, data in source.blobs.items() if key != "metadata.gguf"} == {name: TOKENIZERS[name]}
        assert source.all_files == (model, given)


@pytest.mark.parametrize("data", [b"", b"hello", b'{"a": 1}', b"{", b"GGUF", bytes(100), b"\n\x80"])
def test_no_tokenizer(tmp_path: Path, data: bytes) -> None:
    """Refused, with the file's name."""
    given = written(tmp_path, "t", data)
    with pytest.raises(SourceError) as caught:
        open_source(written(tmp_path, "m", CHECKPOINTS["npz"]), given)
    assert str(caught.value).startswith(str(given))


def test_tokenizer_of_another_size_is_noted(tmp_path: Path) -> None:
    """Vocabularies are often padded, except llama2.c's. More tokens than rows are another model's."""
    model, given = written(tmp_path, "m", CHECKPOINTS["GGUF"]), written(tmp_path, "t", tokenizer_bin(6)[:-1])
    with open_source(model, given) as source:
        assert source.notes == (
            f"{given} ends within a token: no text can be made with it",
            "the tokenizer has 5 tokens, the model rows for 7: those beyond are padding, never drawn",
        )
    with pytest.raises(SourceError) as caught:
        open_source(model, written(tmp_path, "t", tokenizer_bin(8)))
    assert str(caught.value) == (
        f"{given}: the tokenizer belongs to another model, or is cut: found 8 tokens, expected at most 7, the model's "
        "vocab_size"
    )


def test_tokenizer_too_long(tmp_path: Path) -> None:
    """Bounded before it is read."""
    given = tmp_path / "t"
    with given.open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(SourceError, match="too long for a tokenizer: found 67108865 bytes, expected at most 67108864"):
        open_source(written(tmp_path, "m", CHECKPOINTS["npz"]), given)
