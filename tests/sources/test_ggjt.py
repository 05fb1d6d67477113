"""ggjt: written by hand from its layout, since nothing writes it any more."""

import struct
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize

import fourcc
from fourcc.errors import SourceError
from fourcc.sources import open_source
from tests.sources.writers import Arrays, decoded, llama, llama2c_v1, written

VOCAB = [b" \xe2\x81\x87 ", b"", b"", *(bytes([byte]) for byte in range(256)), b" a", b"ab", b"\xff\xfe"]


def tensor(name: str, shape: tuple[int, ...], kind: int, data: bytes, at: int) -> bytes:
    """A tensor's header and its bytes, from an offset on."""
    head = struct.pack(f"<3I{len(shape)}I", len(shape), len(name), kind, *shape[::-1]) + name.encode()
    return head + bytes(-(at + len(head)) % 32) + data


def ggjt(h: dict[str, int], tensors: Arrays, kind: int = 0, version: int = 3, vocab: int | None = None) -> bytes:
    """A Llama; its matrices in a ggml type. The last arguments tell lies."""
    count = len(VOCAB) if vocab is None else vocab
    out = b"tjgg" + struct.pack("<8I", version, count, h["dim"], 256, h["heads"], h["layers"], 4, 0)
    for number, text in enumerate(VOCAB):
        out += struct.pack("<I", len(text)) + text + struct.pack("<f", -number)
    for name, array in tensors.items():
        one = kind if array.ndim == 2 else 0
        data = array.tobytes() if one == 0 else quantize(array, GGMLQuantizationType(one)).tobytes()
        out += tensor(f"{name}.weight", array.shape, one, data, len(out))
    return out


def model() -> tuple[dict[str, int], Arrays]:
    """One whose vocabulary is as long as ours here."""
    return llama(dim=64, hidden=96, heads=4, kv_heads=2, vocab=len(VOCAB), shared=False)


def test_a_model(tmp_path: Path) -> None:
    """Tensors in model order, and what the file and its tensors tell."""
    h, tensors = model()
    with open_source(written(tmp_path, "m", ggjt(h, dict(reversed(tensors.items()))))) as source:
        assert (source.kind, source.architecture) == ("ggjt v3", "llama")
        assert source.hyper == {
            "dim": 64,
            "n_layers": 2,
            "n_heads": 4,
            "vocab_size": len(VOCAB),
            "hidden_dim": 96,
            "n_kv_heads": 2,
            "head_dim": 16,
            "seq_len": 2048,
            "norm_eps": 1e-5,
            "rope_theta": 10000.0,
            "rope_pairing": "adjacent",
            "tied_embeddings": False,
        }
        found = decoded(source)
        assert source.notes == (
            "the file does not state norm_eps: 1e-05 is taken, as Llama 2 has it (Llama 1 has 1e-06)",
        )
        assert source.tensors[1].source_name == "layers.0.attention_norm.weight"
    assert list(found) == list(tensors)
    assert all(np.array_equal(found[name], array) for name, array in tensors.items())


@pytest.mark.parametrize("kind", [GGMLQuantizationType.Q4_0, GGMLQuantizationType.Q8_0])
def test_blocks(tmp_path: Path, kind: GGMLQuantizationType) -> None:
    """Blocks are read as they are stored."""
    h, tensors = model()
    with open_source(written(tmp_path, "m", ggjt(h, tensors, int(kind)))) as source:
        for name, array in decoded(source).items():
            exact = tensors[name].ndim == 1
            truth = tensors[name] if exact else dequantize(quantize(tensors[name], kind), kind)
            assert np.array_equal(array, truth.reshape(array.shape))


def test_the_vocabulary(tmp_path: Path) -> None:
    """Cuts texts as a SentencePiece vocabulary does."""
    h, tensors = model()
    fourcc.convert(written(tmp_path, "m", ggjt(h, tensors)), tmp_path / "model.bin")
    with fourcc.open(tmp_path / "model.bin") as opened:
        tokenizer = opened.tokenizer
        assert (tokenizer.vocab_size, tokenizer.bos, tokenizer.eos) == (len(VOCAB), 1, 2)
        assert tokenizer.encode("a") == [1, 259]
        assert tokenizer.text([1, 259, 260, 3 + ord("!")]) == "aab!"


def test_its_weights_in_another_file(tmp_path: Path) -> None:
    """Its numbers are those of llama2.c's file."""
    h, tensors = model()
    a, b = written(tmp_path, "a", ggjt(h, tensors)), written(tmp_path, "b", llama2c_v1(h, tensors))
    with open_source(a) as first, open_source(b) as second:
        assert all(np.array_equal(array, decoded(second)[name]) for name, array in decoded(first).items())


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("kind", [0, 1])
def test_floats_of_older_versions(tmp_path: Path, version: int, kind: int) -> None:
    """Versions differ in quantized blocks alone: float32 and float16 are read from each."""
    h, tensors = model()
    with open_source(written(tmp_path, "m", ggjt(h, tensors, kind, version))) as source:
        assert source.kind == f"ggjt v{version}"
        stored = np.float16 if kind else np.float32
        assert np.array_equal(decoded(source)["output"], tensors["output"].astype(stored).astype(np.float32))


def test_false_files(tmp_path: Path) -> None:
    """Each is refused with what is wrong."""
    h, tensors = model()
    good = ggjt(h, tensors)
    end = len(ggjt(h, {}))
    few = {"norm": tensors["norm"]}
    bad = {
        "version of ggjt that is not read: found 4, expected 1, 2 or 3": ggjt(h, {}, version=4),
        "the blocks of ggjt version 2 are laid out in another way than ggml's of today: found Q4_0": ggjt(
            h, {"output": tensors["output"]}, kind=2, version=2
        ),
        "the blocks of ggjt version 1 are laid out in another way than ggml's of today: found Q8_0": ggjt(
            h, {"output": tensors["output"]}, kind=8, version=1
        ),
        "the tokens are too many: found 4294967295": ggjt(h, {}, vocab=2**32 - 1),
        "n_heads does not divide dim into heads of even width": ggjt(h | {"heads": 0}, {}),
        "no tensor begins here: found 9 dimensions": good[:end] + struct.pack("<4I", 9, 1, 0, 8),
        "the file is cut": good[:-1],
        "the file ends within": good[: end + 5],
        "two tensors have this name": ggjt(h, few) + tensor("norm.weight", (64,), 0, bytes(256), len(ggjt(h, few))),
        "no installed format has the tensor's layout: found ggml type 77": good[:end]
        + tensor("x", (32,), 77, bytes(64), end),
        "the shape does not fit the layout": good[:end] + tensor("x", (31,), 8, bytes(64), end),
        "the tensor contradicts the file's head: found shape": ggjt(h, {"norm": np.zeros(8, "<f4")}),
    }
    for what, data in bad.items():
        path = written(tmp_path, "m", data)
        with pytest.raises(SourceError, match=what.replace("(", r"\(")) as caught:
            open_source(path)
        assert str(path) in str(caught.value)


def test_every_cut_is_refused(tmp_path: Path) -> None:
    """In the head and in the tensors; a file that ends behind a tensor is a model that is not complete, and noted."""
    h, tensors = model()
    data = ggjt(h, {"norm": tensors["norm"], "output": tensors["output"]})
    whole = {len(ggjt(h, {})), len(ggjt(h, {"norm": tensors["norm"]}))}
    for length in [*range(4, len(data) - 1, 97), len(data) - 1]:
        if length not in whole:
            with pytest.raises(SourceError):
                open_source(written(tmp_path, "m", data[:length]))
