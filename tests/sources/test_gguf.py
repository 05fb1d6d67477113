"""GGUF: what the reference writes, block formats as they are, and every false head that its own tests know."""

import struct
from pathlib import Path

import msgpack
import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from gguf.quants import dequantize, quantize

from fourcc.errors import SourceError
from fourcc.registry import registry
from fourcc.sources import open_source
from tests.sources.writers import (
    decode,
    decoded,
    gguf,
    gguf_info,
    gguf_key,
    gguf_llama,
    gguf_name,
    llama,
    written,
)

ROW = np.arange(8, dtype="<f4")
ONE = [("a", (8,), 0, ROW.tobytes())]
BLOCKS = [
    kind
    for kind in (GGMLQuantizationType.Q4_0, GGMLQuantizationType.Q8_0, GGMLQuantizationType.BF16)
    if registry.foreign("ggml", int(kind))
]


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("align", [None, 1, 8, 64, 1024])
def test_files_of_the_reference_writer(tmp_path: Path, tied: bool, align: int | None) -> None:  # noqa: FBT001
    """A Llama written by the gguf package: names, shapes, values and hyper-parameters."""
    h, truth = llama(shared=tied)
    writer = GGUFWriter(tmp_path / "m", "llama")
    if align is not None:
        writer.add_custom_alignment(align)
    writer.add_context_length(h["seq"])
    writer.add_embedding_length(h["dim"])
    writer.add_block_count(h["layers"])
    writer.add_feed_forward_length(h["hidden"])
    writer.add_head_count(h["heads"])
    writer.add_head_count_kv(h["kv_heads"])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_token_list(["<unk>", "a", "b"])
    writer.add_token_scores([0.0, -1.5, -2.0])
    for name, array in reversed(truth.items()):
        writer.add_tensor(gguf_name(name), array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with open_source(tmp_path / "m") as source:
        found = decoded(source)
        assert (source.kind, source.architecture, source.notes) == ("GGUF", "llama", ())
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
            "tied_embeddings": tied,
        }
        tokens = msgpack.unpackb(source.blobs["tokenizer.gguf"])
    assert list(found) == list(truth)
    assert all(np.array_equal(found[name], truth[name]) for name in truth)
    assert list(tokens.items()) == [
        ("tokenizer.ggml.tokens", ["<unk>", "a", "b"]),
        ("tokenizer.ggml.scores", [0.0, -1.5, -2.0]),
    ]


@pytest.mark.parametrize("kind", BLOCKS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("shape", [(5, 64), (2, 3, 32)])
def test_blocks_are_carried_as_they_are(tmp_path: Path, kind: GGMLQuantizationType, shape: tuple[int, ...]) -> None:
    """Bytes come over; they decode to what the reference decodes; stacks of experts are independent matrices."""
    weights = np.random.default_rng(3).standard_normal(shape).astype(np.float32)
    stored = quantize(weights, kind)
    path = written(tmp_path, "m", gguf([], [("a", shape, int(kind), stored.tobytes())]))
    with open_source(path) as source:
        (tensor,) = source.tensors
        assert tensor.shape == shape
        assert registry[tensor.tag].spec.foreign["ggml"] == int(kind)
        assert np.array_equal(decode(tensor, 2), dequantize(stored, kind).reshape(shape))


@pytest.mark.parametrize("version", [2, 3])
def test_versions(tmp_path: Path, version: int) -> None:
    """Version 2 has the same layout."""
    with open_source(written(tmp_path, "m", gguf([], ONE, version=version))) as source:
        assert np.array_equal(decode(source.tensors[0]), ROW)


def test_other_architectures_keep_their_names(tmp_path: Path) -> None:
    """Tensors in the file's order, no hyper-parameters, the vocabulary nevertheless."""
    keys = [gguf_key("general.architecture", 8, "gpt2"), gguf_key("tokenizer.ggml.model", 8, "gpt2")]
    tensors = [("blk.0.attn_q.weight", (8,), 0, ROW.tobytes()), ("x", (2, 4), 0, ROW.tobytes())]
    with open_source(written(tmp_path, "m", gguf(keys, tensors))) as source:
        assert [tensor.name for tensor in source.tensors] == ["blk.0.attn_q.weight", "x"]
        assert (source.architecture, source.hyper) == (None, {})
        assert msgpack.unpackb(source.blobs["tokenizer.gguf"]) == {"tokenizer.ggml.model": "gpt2"}


def test_every_type_of_value(tmp_path: Path) -> None:
    """In the vocabulary, where values are kept; a string that is no UTF-8 stays bytes."""
    values = [(0, 255), (1, -1), (2, 65535), (3, -2), (4, 7), (5, -7), (6, 0.5), (7, True), (10, 2**64 - 1)]
    values += [(11, -(2**63)), (12, 1e300), (8, "é"), (8, b"\xff")]
    keys = [gguf_key(f"tokenizer.{i}", kind, value) for i, (kind, value) in enumerate(values)]
    arrays = [(0, [0, 255]), (1, [-1]), (5, [1, -1]), (6, [0.5]), (8, ["a", b"\xfe"]), (10, []), (12, [1e300])]
    keys += [gguf_key(f"tokenizer.a{i}", 9, items, kind) for i, (kind, items) in enumerate(arrays)]
    with open_source(written(tmp_path, "m", gguf(keys, []))) as source:
        found = msgpack.unpackb(source.blobs["tokenizer.gguf"])
    assert list(found.values()) == [value for _, value in values] + [items for _, items in arrays]


def test_hyper_parameters_are_shortest_decimals(tmp_path: Path) -> None:
    """What was 1e-6 before it became a float32 is 1e-6 again; scaling keys are kept; nonsense is left out."""
    h, tensors = llama()
    more = [
        gguf_key("llama.rope.freq_base", 6, 500000.0),
        gguf_key("llama.rope.scaling.type", 8, "linear"),
        gguf_key("llama.rope.scaling.factor", 6, 0.1),
        gguf_key("llama.rope.scaling.bad", 6, float("nan")),
        gguf_key("llama.attention.key_length", 5, -4),
    ]
    with open_source(written(tmp_path, "m", gguf_llama(h, tensors, *more))) as source:
        hyper = source.hyper
    assert (hyper["rope_theta"], hyper["rope_scaling.type"], hyper["rope_scaling.factor"]) == (5e5, "linear", 0.1)
    assert hyper["head_dim"] == 4
    assert "rope_scaling.bad" not in hyper


def test_keys_that_contradict_the_shapes_are_noted(tmp_path: Path) -> None:
    """Converting does not depend on them; who runs the model decides."""
    h, tensors = llama()
    with open_source(written(tmp_path, "m", gguf_llama(h | {"hidden": 11}, tensors))) as source:
        assert (
            "blk.0.ffn_gate.weight: found shape [10, 12], the keys say 11 x 12 (hidden_dim 11, dim 12)" in source.notes
        )
    with open_source(written(tmp_path, "m", gguf_llama(h | {"layers": 2**31}, tensors))) as source:
        assert source.notes[0].startswith("the model is not complete: there is no layers.2.")


def test_key_twice_with_one_value(tmp_path: Path) -> None:
    """Some writers repeat keys; where both agree, a note is enough."""
    keys = [gguf_key("a", 4, 3), gguf_key("b", 8, "x"), gguf_key("a", 4, 3)]
    with open_source(written(tmp_path, "m", gguf(keys, ONE))) as source:
        assert source.notes == ("the key 'a' stands twice, with one value",)


def test_bytes_behind_the_last_tensor_are_noted(tmp_path: Path) -> None:
    """The reference ignores them."""
    with open_source(written(tmp_path, "m", gguf([], ONE) + bytes(5))) as source:
        assert source.notes == ("5 bytes follow the last tensor",)


def test_last_padding_may_be_absent(tmp_path: Path) -> None:
    """Some writers pad only between tensors."""
    tensor = ("a", (3,), 0, bytes(12))
    with open_source(written(tmp_path, "m", gguf([], [tensor])[:-20])) as source:
        assert decode(source.tensors[0]).tolist() == [0, 0, 0]


def test_unknown_types_are_all_named(tmp_path: Path) -> None:
    """Every tensor and its type in one error, so that one try tells what to install."""
    tensors = [*ONE, ("b", (256,), 4242, bytes(144)), ("c", (256,), -1, bytes(110))]
    path = written(tmp_path, "m", gguf([], tensors))
    with pytest.raises(SourceError) as caught:
        open_source(path)
    text = str(caught.value)
    assert "2 of 3 tensors are in layouts that no installed format has (ggml type -1, 4242)" in text
    assert "'b' type 4242, 'c' type -1. Install packages" in text


def file(*keys: bytes, infos: bytes = b"", count: int = 0, data: int = 64) -> bytes:
    """A file put together by hand."""
    head = b"GGUF" + struct.pack("<IQQ", 3, count, len(keys)) + b"".join(keys) + infos
    return head.ljust(-(-len(head) // 32) * 32, b"\0") + bytes(data)


def info(**changes: object) -> bytes:
    """A file of one tensor, with lies."""
    fields: dict[str, object] = {"name": "a", "dims": [8], "kind": 0, "offset": 0} | changes
    return file(infos=gguf_info(**fields), count=1)  # type: ignore[arg-type]


LONG = 2**64 - 1
BAD = {
    # the list of the reference's own tests
    "magic": (b"GGUG" + gguf([], ONE)[4:], "not a checkpoint"),
    "version 0": (gguf([], ONE, version=0), "unknown version of GGUF: found 0, expected 2 or 3"),
    "version 1": (gguf([], ONE, version=1), "unknown version of GGUF: found 1"),
    "future version": (gguf([], ONE, version=4), "unknown version of GGUF: found 4"),
    "big-endian": (gguf([], ONE, version=3 << 24), "the file is big-endian, which is not read"),
    "tensors -1": (gguf([], ONE, counts=(-1, 0)), f"the tensors cannot be so many: found {LONG}"),
    "keys -1": (gguf([], ONE, counts=(1, -1)), f"the keys cannot be so many: found {LONG}"),
    "more tensors than there are": (gguf([], ONE, counts=(2, 0)), "."),
    "cut head": (gguf([], ONE)[:14], "the file ends within the number of tensors: found 6 bytes, expected 8 bytes"),
    "length of a key -1": (file(struct.pack("<q", -1) + b"a"), "the length of a key cannot be so many"),
    "empty key": (file(gguf_key("", 4, 1)), "a key is no name: found b''"),
    "NUL in a key": (file(gguf_key("a\0b", 4, 1)), "a key is no name"),
    "key is no UTF-8": (file(struct.pack("<Q", 1) + b"\xff" + struct.pack("<iI", 4, 1)), "a key is no name"),
    "type of a value": (file(gguf_key("a", 4, 1)[:-8] + struct.pack("<iI", 13, 1)), "the key 'a' has a type that GGUF"),
    "negative type": (file(gguf_key("a", 4, 1)[:-8] + struct.pack("<iI", -1, 1)), "has a type that GGUF does not have"),
    "two values": (
        file(gguf_key("a", 4, 1), gguf_key("a", 4, 2)),
        "the key 'a' stands twice, with two values: found 2",
    ),
    "two types": (file(gguf_key("a", 4, 1), gguf_key("a", 7, 1)), "the key 'a' stands twice, with two values"),
    "bool of 2": (file(gguf_key("a", 7, 1)[:-1] + b"\2"), "the value of 'a' is no truth value: found 2"),
    "string of 2^63": (file(gguf_key("a", 8, "")[:-8] + struct.pack("<Q", 2**63)), "the length of the value of 'a'"),
    "array of 2^63": (file(gguf_key("a", 9, [], 4)[:-8] + struct.pack("<Q", 2**63)), "the items of 'a' cannot be so"),
    "array of texts": (file(gguf_key("a", 9, [], 8)[:-8] + struct.pack("<Q", 2**61)), "the items of 'a' cannot be so"),
    "array of more texts than bytes": (
        file(gguf_key("a", 9, [], 8)[:-8] + struct.pack("<Q", 60)),
        "the items of 'a' cannot be so many: found 60, expected at most",
    ),
    "array of arrays": (file(gguf_key("a", 9, [], 9)), "the key 'a' is an array of arrays, which is not read"),
    "array of nothing": (file(gguf_key("a", 9, [], 99)), "the key 'a' has a type that GGUF does not have: found 99"),
    "alignment 0": (file(gguf_key("general.alignment", 4, 0)), "general.alignment is no power of two: found 0"),
    "alignment 13": (file(gguf_key("general.alignment", 4, 13)), "general.alignment is no power of two: found 13"),
    "alignment text": (
        file(gguf_key("general.alignment", 8, "32")),
        "general.alignment is no power of two: found '32'",
    ),
    "alignment bool": (
        file(gguf_key("general.alignment", 7, 1)),
        "general.alignment is no power of two: found True",
    ),
    "alignment 2^31": (gguf([gguf_key("general.alignment", 4, 2**31)], ONE), "the file is cut"),
    "another alignment": (
        gguf([gguf_key("general.alignment", 4, 64)], [*ONE, ("b", (8,), 0, ROW.tobytes())]),
        "offset",
    ),
    "length of a name -1": (file(infos=struct.pack("<q", -1) + bytes(40), count=1), "the length of a tensor's name"),
    "long name": (info(name="a" * 65), "a tensor's name is too long: found 65 bytes, expected at most 64"),
    "empty name": (info(name=""), "a tensor's name is no name"),
    "NUL in a name": (info(name="a\0b"), "a tensor's name is no name"),
    "name is no UTF-8": (info(name=b"\xff"), "a tensor's name is no name"),
    "5 dimensions": (info(dims=[1] * 5), "tensor 'a', byte 33: too many dimensions: found 5, expected at most 4"),
    "dimension -1": (info(dims=[LONG]), "the tensor cannot be so large"),
    "dimension beside 0": (info(dims=[0, LONG]), "the tensor cannot be so large"),
    "product wraps": (info(dims=[2**32, 2**32]), "the tensor cannot be so large"),
    "bytes wrap": (info(dims=[2**62]), "the file is cut: found 128 bytes, expected at least"),
    "unknown type": (info(kind=10**6), r"no installed format has \(ggml type 1000000\)"),
    "negative ggml type": (info(kind=-1), r"no installed format has \(ggml type -1\)"),
    "offset -1": (info(offset=LONG), f"the offset is not where the tensor before ends: found {LONG}, expected 0"),
    "hole": (info(offset=32), "the offset is not where the tensor before ends: found 32, expected 0"),
    "one range for two": (gguf([], ONE * 1 + [("b", (8,), 0, b"")], offset=lambda _: 0), "found 0, expected 32"),
    "two of one name": (gguf([], ONE * 2), "tensor 'a', byte 57: two tensors of this name"),
    "part of a block": (info(dims=[31], kind=8), "the shape does not go with ggml type 8"),
    "one byte short": (gguf([], ONE)[:-1], "the file is cut: found 95 bytes, expected at least 96 bytes"),
    "part of a split model": (file(gguf_key("split.count", 2, 3)), "one of 3 files of a split model"),
}


@pytest.mark.parametrize(("data", "what"), BAD.values(), ids=BAD)
def test_false_head(tmp_path: Path, data: bytes, what: str) -> None:
    """Refused, with the file's name."""
    path = written(tmp_path, "m", data)
    with pytest.raises(SourceError, match=what) as caught:
        open_source(path)
    assert str(path) in str(caught.value)


def test_every_cut_is_refused(tmp_path: Path) -> None:
    """At every length but the whole one."""
    data = gguf_llama(*llama(layers=1))
    for length in [*range(600), *range(600, len(data), 37)]:
        with pytest.raises(SourceError):
            open_source(written(tmp_path, "m", data[:length]))


def test_many_keys_are_read_in_time(tmp_path: Path) -> None:
    """No search that is quadratic in their number."""
    keys = [gguf_key(f"k{i}", 4, i) for i in range(50_000)]
    infos = b"".join(gguf_info(f"t{i}", [0], 0, 0) for i in range(20_000))
    with open_source(written(tmp_path, "m", file(*keys, infos=infos, count=20_000))) as source:
        assert len(source.tensors) == 20_000


def test_vocabulary_without_tensors(data: Path) -> None:
    """A real one: all its tokens are in the blob."""
    path = data / "ggml-vocab-llama-spm.gguf"
    with open_source(path) as source:
        assert source.tensors == ()
        blob = msgpack.unpackb(source.blobs["tokenizer.gguf"])
    reference = GGUFReader(path)
    assert blob["tokenizer.ggml.tokens"] == reference.fields["tokenizer.ggml.tokens"].contents()
    assert blob["tokenizer.ggml.scores"] == reference.fields["tokenizer.ggml.scores"].contents()
    assert list(blob) == [key for key in reference.fields if key.startswith("tokenizer.")]


def test_real_file_with_unknown_types(data: Path) -> None:
    """Its keys repeat `GGUF.version`, which stops the reference's reader; ours comes to what it cannot hold."""
    path = data / "devstral_slice" / "slice.gguf"
    types = [kind for kind in (12, 14) if registry.foreign("ggml", kind) is None]
    if not types:
        with open_source(path) as source, np.load(path.parent / "dequantized_truth.npz") as truth:
            assert any("'GGUF.version' stands twice" in note for note in source.notes)
            for tensor in source.tensors:
                assert np.array_equal(decode(tensor), truth[tensor.source_name])
        return
    with pytest.raises(SourceError, match=f"ggml type {', '.join(map(str, types))}") as caught:
        open_source(path)
    assert "'blk.0.attn_k.weight' type 12" in str(caught.value)
