"""GGUF: what the reference writes, block formats as they are, and every false head that its own tests know."""

import struct
import tracemalloc
from pathlib import Path

import msgpack
import numpy as np
import pytest
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFEndian, GGUFReader, GGUFWriter
from gguf.quants import dequantize, quantize

import fourcc
from fourcc.dtypes import numpy_dtype
from fourcc.errors import InputError, SourceError, UsageError
from fourcc.models.architecture import Architecture
from fourcc.plugins.registry import registry
from fourcc.sources import open_source
from fourcc.sources.gguf_types import TYPES
from tests.sources.writers import (
    HEADER,
    decode,
    decoded,
    gguf,
    gguf_info,
    gguf_key,
    gguf_llama,
    gguf_llama_keys,
    gguf_name,
    half_split,
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
def test_files_of_the_reference_writer(tmp_path: Path, tied: bool, align: int | None) -> None:
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
        note = "the tokenizer has 3 tokens, the model rows for 7: those beyond are padding, never drawn"
        assert (source.kind, source.architecture, source.notes) == ("GGUF", "llama", (note,))
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
        assert registry[tensor.tag].foreign["ggml"] == int(kind)
        assert np.array_equal(decode(tensor, 2), dequantize(stored, kind).reshape(shape))


@pytest.mark.parametrize("version", [2, 3])
def test_versions(tmp_path: Path, version: int) -> None:
    """Version 2 has the same layout."""
    with open_source(written(tmp_path, "m", gguf([], ONE, version=version))) as source:
        assert np.array_equal(decode(source.tensors[0]), ROW)


def test_a_calibration_is_no_model(tmp_path: Path) -> None:
    """The format is the same, but its tensors are no weights."""
    path = tmp_path / "model.calib"
    path.write_bytes(gguf([gguf_key("general.type", 8, "imatrix")], ONE))
    with pytest.raises(SourceError, match=r"model\.calib: this is a calibration of a model, not a model\. Give it as"):
        open_source(path)
    path.write_bytes(gguf([gguf_key("general.type", 8, "model")], ONE))
    with open_source(path) as opened:
        assert list(opened) == ["a"]


def test_other_architectures_keep_their_names(tmp_path: Path) -> None:
    """Tensors in the file's order, no hyper-parameters, the vocabulary nevertheless."""
    keys = [gguf_key("general.architecture", 8, "mamba"), gguf_key("tokenizer.ggml.model", 8, "gpt2")]
    tensors = [("blk.0.attn_q.weight", (8,), 0, ROW.tobytes()), ("x", (2, 4), 0, ROW.tobytes())]
    with open_source(written(tmp_path, "m", gguf(keys, tensors))) as source:
        assert [tensor.name for tensor in source.tensors] == ["blk.0.attn_q.weight", "x"]
        assert (source.architecture, source.hyper) == ("mamba", {})
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
    """A float32 that was made from 1e-6 is 1e-6 again; scaling keys are kept; nonsense is left out."""
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
    assert (hyper["head_dim"], hyper["attention.key_length"]) == (4, -4)  # kept, so that it refuses to be run
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
        assert source.notes == ("the key 'a' stands more than once, with one value",)


def test_bytes_behind_the_last_tensor_are_noted(tmp_path: Path) -> None:
    """The reference ignores them."""
    with open_source(written(tmp_path, "m", gguf([], ONE) + bytes(5))) as source:
        assert source.notes == ("5 bytes follow the last tensor: passed over",)


def test_last_padding_may_be_absent(tmp_path: Path) -> None:
    """Some writers pad only between tensors."""
    tensor = ("a", (3,), 0, bytes(12))
    with open_source(written(tmp_path, "m", gguf([], [tensor])[:-20])) as source:
        assert decode(source.tensors[0]).tolist() == [0, 0, 0]


UNKNOWN = [*ONE, ("b", (64,), 31, bytes(36)), ("c", (2, 5), 4242, bytes(110)), ("d", (3,), -1, bytes(7))]


def test_unknown_types_can_be_listed(tmp_path: Path) -> None:
    """Each with its name and its bytes; those of a type that nobody knows reach up to the next tensor."""
    with open_source(written(tmp_path, "m", gguf([], UNKNOWN))) as source:
        assert [tensor.name for tensor in source.tensors] == ["a"]
        assert [(t.name, t.shape, t.layout, t.nbytes) for t in source.unreadable] == [
            ("b", (64,), "Q4_0_4_4 (ggml type 31)", 36),
            ("c", (2, 5), "ggml type 4242", 128),
            ("d", (3,), "ggml type -1", 32),
        ]
        assert source.notes[0].startswith(
            "3 of 4 tensors can only be listed: no format here has Q4_0_4_4 (ggml type 31)"
        )


def test_unknown_types_are_all_named(tmp_path: Path) -> None:
    """Whoever would use such tensors gets one error that tells what to install; what is left out does not matter."""
    path = written(tmp_path, "m", gguf([], UNKNOWN))
    with pytest.raises(SourceError) as caught:
        fourcc.convert(path, tmp_path / "model.bin")
    text = str(caught.value)
    assert "3 of 4 tensors are in layouts that no installed format has" in text
    assert "'b' Q4_0_4_4 (ggml type 31), 'c' ggml type 4242, 'd' ggml type -1. Install a package" in text
    assert not (tmp_path / "model.bin").exists()
    fourcc.convert(path, tmp_path / "model.bin", exclude=["[b-d]"])


def test_types_that_are_only_listed() -> None:
    """No format reads them; names and sizes are the reference's where it knows them still."""
    assert not [number for number in TYPES if registry.foreign("ggml", number)]
    known = GGMLQuantizationType.Q8_K
    assert (TYPES[15].name, (TYPES[15].block, TYPES[15].nbytes)) == (known.name, GGML_QUANT_SIZES[known])


def test_every_type_of_ggml_that_files_hold_has_a_format() -> None:
    """The reference's list but for those that only products use."""
    products = {GGMLQuantizationType.Q8_1, GGMLQuantizationType.Q8_K}
    for kind in set(GGMLQuantizationType) - products:
        fmt = registry.foreign("ggml", int(kind))
        assert fmt is not None, kind
        assert (fmt.block[1] or 1, fmt.bits_per_weight() * fmt.block[1] / 8) == GGML_QUANT_SIZES[kind]


@pytest.mark.parametrize("kind", BLOCKS, ids=lambda kind: kind.name)
def test_big_endian(tmp_path: Path, kind: GGMLQuantizationType) -> None:
    """Keys, heads, numbers and the numbers in blocks; blocks come to be those of the little-endian file."""
    weights = np.random.default_rng(3).standard_normal((3, 64)).astype(np.float32)
    little = quantize(weights, kind).tobytes()
    record = numpy_dtype(registry.foreign("ggml", int(kind)).parts[0].dtype)  # type: ignore[union-attr]
    big = np.frombuffer(little, record).astype(record.newbyteorder(">")).tobytes()
    keys = [gguf_key("tokenizer.x", 9, [1, 2**31], 4, order=">"), gguf_key("tokenizer.y", 8, "é", order=">")]
    keys += [gguf_key("general.alignment", 4, 64, order=">")]
    path = written(tmp_path, "m", gguf(keys, [("a", (3, 64), int(kind), big)], align=64, order=">"))
    with open_source(path) as source:
        (tensor,) = source.tensors
        (part,) = tensor.read(0, 0, 3).values()
        assert part.tobytes() == little
        assert msgpack.unpackb(source.blobs["tokenizer.gguf"]) == {"tokenizer.x": [1, 2**31], "tokenizer.y": "é"}


def test_big_endian_of_the_reference_writer(tmp_path: Path) -> None:
    """The file is written by the gguf package."""
    writer = GGUFWriter(tmp_path / "m", "llama", endianess=GGUFEndian.BIG)
    writer.add_uint32("llama.block_count", 7)
    writer.add_tensor("a", ROW.reshape(2, 4))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with open_source(tmp_path / "m") as source:
        assert source.hyper["n_layers"] == 7
        assert np.array_equal(decode(source.tensors[0]), ROW.reshape(2, 4))


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3"])
def test_rows_that_are_rotated_in_halves(tmp_path: Path, architecture: str) -> None:
    """Rows of q and k with their biases and norms come to adjacent pairs; all else stays."""
    h, tensors = llama()
    rng = np.random.default_rng(5)
    shapes = {"wq.bias": 12, "wk.bias": 4, "wv.bias": 4, "q_norm": 4, "k_norm": 4}
    for layer in range(h["layers"]):
        for name, size in shapes.items():
            tensors[f"layers.{layer}.attention.{name}"] = rng.standard_normal(size).astype("<f4")
    turned = ("wq", "wk", "wq.bias", "wk.bias", "q_norm", "k_norm")
    stored = {name: half_split(array, 4) if name.endswith(turned) else array for name, array in tensors.items()}
    assert not np.array_equal(stored["layers.0.attention.q_norm"], tensors["layers.0.attention.q_norm"])
    with open_source(written(tmp_path, "m", gguf_llama(h, stored, architecture=architecture))) as source:
        assert (source.architecture, source.hyper["head_dim"], source.notes) == ("llama", 4, ())
        found = decoded(source)
    assert found.keys() == tensors.keys()
    assert all(np.array_equal(found[name], tensors[name]) for name in tensors)


def test_blocks_of_rows_that_are_rotated_in_halves(tmp_path: Path) -> None:
    """Whole rows move: each block is one of the file's."""
    rows = np.random.default_rng(4).standard_normal((16, 64)).astype(np.float32)
    stored = quantize(rows, GGMLQuantizationType.Q8_0)
    keys = gguf_llama_keys(HEADER | {"dim": 64, "heads": 8, "kv_heads": 8, "layers": 1}, "qwen2")
    path = written(tmp_path, "m", gguf(keys, [("blk.0.attn_q.weight", (16, 64), 8, stored.tobytes())]))
    with open_source(path) as source:
        (part,) = source.tensors[0].read(0, 0, 16).values()
    order = [head * 8 + half * 4 + i for head in range(2) for i in range(4) for half in range(2)]
    assert part.tobytes() == stored[order].tobytes()


@pytest.mark.parametrize(
    ("shape", "kind", "found"),
    [
        ((6, 32), 8, "shape [6, 32], head_dim 4"),
        ((32,), 8, "shape [32], head_dim 4"),
        ((), 0, "shape [], head_dim 4"),
    ],
    ids=["part of a head", "vector of blocks", "a single number"],
)
def test_rows_that_cannot_be_paired(tmp_path: Path, shape: tuple[int, ...], kind: int, found: str) -> None:
    """Refused, since the model would be another one."""
    name = "blk.0.attn_q.bias" if len(shape) == 1 else "blk.0.attn_q.weight"
    tensor = (name, shape, kind, bytes(34 * int(np.prod(shape)) // 32 if shape else 4))
    with pytest.raises(SourceError, match="the rows cannot be brought into fourcc's order") as caught:
        open_source(written(tmp_path, "m", gguf(gguf_llama_keys(HEADER, "qwen2"), [tensor])))
    assert found in str(caught.value)


def test_factors_of_the_rotation(tmp_path: Path) -> None:
    """They are no weights: they divide each pair's turn."""
    h, tensors = llama()
    factors = np.array([1.0, 3.5], "<f4")
    more = [("rope_freqs.weight", (2,), 0, factors.tobytes())]
    named = [(gguf_name(name), array.shape, 0, array.tobytes()) for name, array in tensors.items()]
    with open_source(written(tmp_path, "m", gguf(gguf_llama_keys(h), [*more, *named]))) as source:
        assert source.hyper["rope_scaling.type"] == "factors"
        assert source.hyper["rope_scaling.factors"] == [1.0, 3.5]
        assert [tensor.name for tensor in source.tensors] == list(tensors)
        architecture = Architecture.of(source.architecture, source.hyper)
    plain = np.float32(1) / np.power(np.float32(10000), np.arange(0, 4, 2, dtype=np.float32) / np.float32(4))
    assert np.array_equal(architecture.turns.frequencies(), plain / factors)


def test_bad_factors_of_the_rotation(tmp_path: Path) -> None:
    """A turn cannot be divided by nothing."""
    h, _ = llama()
    tensor = ("rope_freqs.weight", (2,), 0, np.array([1, 0], "<f4").tobytes())
    with pytest.raises(SourceError, match="a factor of the rotation is no positive number"):
        open_source(written(tmp_path, "m", gguf(gguf_llama_keys(h), [tensor])))


def test_rotation_of_a_part_of_a_head(tmp_path: Path) -> None:
    """Known, carried, and run; refused where it is no number of columns of a head."""
    h, tensors = llama()
    more = [gguf_key("llama.rope.dimension_count", 4, 2), gguf_key("llama.attention.sliding_window", 4, 9)]
    with open_source(written(tmp_path, "m", gguf_llama(h, tensors, *more))) as source:
        assert (source.hyper["rope_dim"], source.hyper["sliding_window"]) == (2, 9)
        assert Architecture.of(source.architecture, source.hyper).turns.columns == 2
        with pytest.raises(InputError, match="rope_dim: found 6, expected an even number up to 4"):
            Architecture.of(source.architecture, {**source.hyper, "rope_dim": 6})


def test_numbers_that_are_given_for_each_layer(tmp_path: Path) -> None:
    """If all are equal they become one number."""
    h, tensors = llama()
    more = [gguf_key("llama.attention.key_length", 9, [4, 4], 4), gguf_key("llama.vocab_size", 9, [7, 8], 4)]
    with open_source(written(tmp_path, "m", gguf_llama(h, tensors, *more))) as source:
        assert (source.hyper["head_dim"], source.hyper["vocab_size"]) == (4, [7, 8])
        assert "its hyper-parameter vocab_size: found [7, 8], expected an integer" in source.notes[-1]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([("rope.scale_linear", 6, 4.0)], {"type": "linear", "factor": 4.0}),
        ([("rope.scale_linear", 6, 0.5)], {"type": "linear", "factor": 0.5}),
        ([("rope.scale_linear", 6, 4.0), ("rope.scaling.factor", 6, 2.0)], {"type": "linear", "factor": 2.0}),
        ([("rope.scaling.factor", 6, 2.0)], {"type": "linear", "factor": 2.0}),
        ([("rope.scaling.factor", 6, 0.0)], {}),
        ([("rope.scaling.factor", 6, 1.0)], {}),
        ([("rope.scaling.type", 8, "none"), ("rope.scaling.factor", 6, 4.0)], {}),
        ([("rope.scaling.finetuned", 7, True)], {}),
        (
            [("rope.scaling.type", 8, "yarn"), ("rope.scaling.original_context_length", 4, 64)],
            {"type": "yarn", "original_max_position_embeddings": 64},
        ),
    ],
)
def test_scaling(tmp_path: Path, more: list[tuple[str, int, object]], expected: dict[str, object]) -> None:
    """In Hugging Face's words, which are ours; the oldest spelling too; a factor alone is linear, as in llama.cpp."""
    h, tensors = llama()
    keys = [gguf_key(f"llama.{name}", kind, value) for name, kind, value in more]
    with open_source(written(tmp_path, "m", gguf_llama(h, tensors, *keys))) as source:
        found = {key.removeprefix("rope_scaling."): value for key, value in source.hyper.items() if "scaling" in key}
        assert not any("cannot be run" in note for note in source.notes) or found["type"] == "yarn"
    assert found == expected


def test_a_scaling_that_is_a_list(tmp_path: Path) -> None:
    """The kind of a scaling may be of any type in a file; such a model is opened, and is refused where it would run."""
    h, tensors = llama()
    key = gguf_key("llama.rope.scaling.type", 9, [1, 2], 4)
    with open_source(written(tmp_path, "m", gguf_llama(h, tensors, key))) as source, pytest.raises(UsageError):
        Architecture.of(source.architecture, source.hyper)


def test_a_qwen3_without_its_norms(tmp_path: Path) -> None:
    """llama.cpp misses the tensors; run without them it would be another model."""
    h, tensors = llama()
    with open_source(written(tmp_path, "m", gguf_llama(h, tensors, architecture="qwen3"))) as source:
        assert "a qwen3 has norms of q and k in each layer, and here a layer lacks them" in source.notes
        with pytest.raises(UsageError, match="it asks for what is not known here: qk_norm = True"):
            Architecture.of(source.architecture, source.hyper)


SHADOWS = [gguf_key("GGUF.version", 4, 3), gguf_key("GGUF.tensor_count", 10, 9), gguf_key("GGUF.kv_count", 10, 2)]


def test_keys_that_repeat_the_head(tmp_path: Path) -> None:
    """At them the gguf package's reader stops; ours says that it passes them over, and where they differ."""
    with open_source(written(tmp_path, "m", gguf(SHADOWS, ONE))) as source:
        assert source.notes == (
            "the key 'GGUF.version' is passed over: the file's head says it by itself",
            "the key 'GGUF.tensor_count' is passed over: the file's head says it by itself, and says 1, not 9",
            "the key 'GGUF.kv_count' is passed over: the file's head says it by itself",
        )


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
    "big-endian version 4": (gguf([], ONE, version=4 << 24), "unknown version of GGUF: found 4, expected 2 or 3"),
    "big-endian counts": (gguf([], ONE, version=3 << 24), "the tensors are too many"),
    "too many keys": (gguf([], [], counts=(0, 2**16 + 1)) + bytes(2**20), "the keys are too many: found 65537"),
    "too many tensors": (gguf([], [], counts=(2**17 + 1, 0)) + bytes(2**22), "the tensors are too many: found 131073"),
    "tensors -1": (gguf([], ONE, counts=(-1, 0)), f"the tensors are too many: found {LONG}"),
    "keys -1": (gguf([], ONE, counts=(1, -1)), f"the keys are too many: found {LONG}"),
    "more tensors than there are": (gguf([], ONE, counts=(2, 0)), "."),
    "cut head": (gguf([], ONE)[:14], "the file ends within the tensors: found 6 bytes, expected 8 bytes"),
    "length of a key -1": (file(struct.pack("<q", -1) + b"a"), "the bytes of a key are too many"),
    "empty key": (file(gguf_key("", 4, 1)), "a key is not a valid name: found b''"),
    "NUL in a key": (file(gguf_key("a\0b", 4, 1)), "a key is not a valid name"),
    "key is no UTF-8": (file(struct.pack("<Q", 1) + b"\xff" + struct.pack("<iI", 4, 1)), "a key is not a valid name"),
    "type of a value": (file(gguf_key("a", 4, 1)[:-8] + struct.pack("<iI", 13, 1)), "the key 'a' has a type that GGUF"),
    "negative type": (file(gguf_key("a", 4, 1)[:-8] + struct.pack("<iI", -1, 1)), "has a type that GGUF does not have"),
    "two values": (
        file(gguf_key("a", 4, 1), gguf_key("a", 4, 2)),
        "the key 'a' stands twice, with two values: found 2",
    ),
    "two types": (file(gguf_key("a", 4, 1), gguf_key("a", 7, 1)), "the key 'a' stands twice, with two values"),
    "bool of 2": (file(gguf_key("a", 7, 1)[:-1] + b"\2"), "the value of 'a' is no truth value: found 2"),
    "string of 2^63": (
        file(gguf_key("a", 8, "")[:-8] + struct.pack("<Q", 2**63)),
        "the bytes of the value of 'a' are too many",
    ),
    "array of 2^63": (file(gguf_key("a", 9, [], 4)[:-8] + struct.pack("<Q", 2**63)), "the items of 'a' are too many"),
    "array of texts": (file(gguf_key("a", 9, [], 8)[:-8] + struct.pack("<Q", 2**61)), "the items of 'a' are too many"),
    "array of more texts than bytes": (
        file(gguf_key("a", 9, [], 8)[:-8] + struct.pack("<Q", 60)),
        "the items of 'a' are too many: found 60, expected at most",
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
    "length of a name -1": (
        file(infos=struct.pack("<q", -1) + bytes(40), count=1),
        "the bytes of a tensor's name are too many",
    ),
    "long name": (info(name="a" * 65), "a tensor's name is too long: found 65 bytes, expected at most 64"),
    "empty name": (info(name=""), "a tensor's name is not a valid name"),
    "NUL in a name": (info(name="a\0b"), "a tensor's name is not a valid name"),
    "name is no UTF-8": (info(name=b"\xff"), "a tensor's name is not a valid name"),
    "5 dimensions": (info(dims=[1] * 5), "tensor 'a', byte 33: too many dimensions: found 5, expected at most 4"),
    "dimension -1": (info(dims=[LONG]), "the tensor is too large"),
    "dimension beside 0": (info(dims=[0, LONG]), "the tensor is too large"),
    "product wraps": (info(dims=[2**32, 2**32]), "the tensor is too large"),
    "bytes wrap": (info(dims=[2**62]), "no memory can hold an array of that shape"),
    "part of a block of a type that is only listed": (
        info(dims=[31], kind=31),
        r"not fit Q4_0_4_4 \(ggml type",
    ),
    "unknown type in a cut file": (info(dims=[8], kind=99)[:64][:-1], "the file is cut"),
    "offset -1": (info(offset=LONG), f"the offset is not where the tensor before ends: found {LONG}, expected 0"),
    "hole": (info(offset=32), "the offset is not where the tensor before ends: found 32, expected 0"),
    "one range for two": (gguf([], ONE * 1 + [("b", (8,), 0, b"")], offset=lambda _: 0), "found 0, expected 32"),
    "two of one name": (gguf([], ONE * 2), "tensor 'a', byte 57: two tensors have this name"),
    "part of a block": (info(dims=[31], kind=8), "the shape does not fit ggml type 8"),
    "one byte short": (gguf([], ONE)[:-1], "the file is cut: found 95 bytes, expected at least 96 bytes"),
    "part of a split model": (
        file(gguf_key("split.count", 2, 3)),
        "one of 3 files of a split model, and its name",
    ),
}


@pytest.mark.parametrize(("data", "what"), BAD.values(), ids=BAD)
def test_false_head(tmp_path: Path, data: bytes, what: str) -> None:
    """Refused, with the file's name."""
    path = written(tmp_path, "m", data)
    with pytest.raises(SourceError, match=what) as caught:
        open_source(path)
    assert str(path) in str(caught.value)


def test_every_cut_is_refused(tmp_path: Path) -> None:
    """Every length but the whole one is refused."""
    data = gguf_llama(*llama(layers=1))
    for length in [*range(600), *range(600, len(data), 37)]:
        with pytest.raises(SourceError):
            open_source(written(tmp_path, "m", data[:length]))


@pytest.mark.thorough
def test_memory_of_many_short_texts(tmp_path: Path) -> None:
    """A head full of them costs a small multiple of its length, not the tenfold that Python's texts would."""
    count = 30_000
    key = gguf_key("tokenizer.x", 9, [], 8)[:-8] + struct.pack("<Q", count) + struct.pack("<Q2s", 2, b"ab") * count
    path = written(tmp_path, "m", gguf([key], []))
    tracemalloc.start()
    try:
        with open_source(path) as source:
            assert len(source.blobs["tokenizer.gguf"]) > 3 * count
        assert tracemalloc.get_traced_memory()[1] < 5 * path.stat().st_size
    finally:
        tracemalloc.stop()


@pytest.mark.thorough
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


def test_real_blocks(data: Path) -> None:
    """Real blocks of a large model, Q4_K and Q6_K: they come over as they are and decode exactly."""
    path = data / "devstral_slice" / "slice.gguf"
    with open_source(path) as source, np.load(path.parent / "dequantized_truth.npz") as truth:
        assert any("'GGUF.version' is passed over: the file's head" in note for note in source.notes)
        assert len(source.tensors) == 3
        assert not source.unreadable
        raw = path.read_bytes()
        for tensor in source.tensors:
            assert np.array_equal(decode(tensor), truth[tensor.source_name])
            rows = tensor.shape[0] if len(tensor.shape) > 1 else 1
            (part,) = tensor.read(0, 0, rows).values()
            assert part.tobytes() in raw


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ([], {}),
        ([gguf_key("llama.attention.sliding_window", 4, 0)], {}),
        ([gguf_key("llama.attention.sliding_window", 4, 3)], {"sliding_window": 3}),
        ([gguf_key("llama.attention.sliding_window", 9, [3, 3], 4)], {"sliding_window": 3}),
        ([gguf_key("llama.attention.sliding_window", 9, [3, 4], 4)], {"attention.sliding_window": [3, 4]}),
        (
            [
                gguf_key("llama.attention.sliding_window", 4, 3),
                gguf_key("llama.attention.sliding_window_pattern", 4, 2),
            ],
            {"sliding_window": 3, "sliding_window_layers": [1, 0]},
        ),
        (
            [
                gguf_key("llama.attention.sliding_window", 4, 3),
                gguf_key("llama.attention.sliding_window_pattern", 9, [False, True], 7),
            ],
            {"sliding_window": 3, "sliding_window_layers": [0, 1]},
        ),
        (
            [
                gguf_key("llama.attention.sliding_window", 4, 3),
                gguf_key("llama.attention.sliding_window_pattern", 4, 1),
            ],
            {},
        ),
    ],
)
def test_windows(tmp_path: Path, keys: list[bytes], wanted: dict[str, object]) -> None:
    """One for all, or by a pattern: of n layers the last one sees everything."""
    h, tensors = llama()
    with open_source(written(tmp_path, "m", gguf_llama(h, tensors, *keys))) as source:
        assert {key: value for key, value in source.hyper.items() if "window" in key} == wanted


def test_a_key_that_is_missing_is_named(tmp_path: Path) -> None:
    """It is named as GGUF spells it."""
    h, tensors = llama()
    keys = [key for key in gguf_llama_keys(h) if b"attention.head_count" not in key]
    keys.append(gguf_key("llama.rope.dimension_count", 4, 4))
    data = [(gguf_name(name), array.shape, 0, array.tobytes()) for name, array in tensors.items()]
    with open_source(written(tmp_path, "m", gguf(keys, data))) as source:
        assert source.notes[0] == "the key 'llama.attention.head_count' is missing"
        assert source.notes[-1].startswith("this model cannot be run: its hyper-parameter head_dim is missing")


@pytest.mark.parametrize(("name", "family"), [("token_embd.weight", "llama"), ("blk.0.attn_q_norm.weight", "qwen2")])
def test_tensors_without_dimensions(tmp_path: Path, name: str, family: str) -> None:
    """Have no width; what is asked of it is an error or a note."""
    data = gguf([gguf_key("general.architecture", 8, family)], [(name, (), 0, bytes(4))])
    path = written(tmp_path, "m", data)
    if family == "llama":
        with open_source(path) as source:
            assert "vocab_size" not in source.hyper
    else:
        with pytest.raises(SourceError, match="the rows cannot be brought into fourcc's order"):
            open_source(path)


def test_factors_and_a_scaled_rotation(tmp_path: Path) -> None:
    """llama.cpp divides by both."""
    h, tensors = llama()
    keys = [gguf_key("llama.rope.scaling.type", 8, "linear"), gguf_key("llama.rope.scaling.factor", 6, 2.0)]
    data = [(gguf_name(name), array.shape, 0, array.tobytes()) for name, array in tensors.items()]
    data.append(("rope_freqs.weight", (2,), 0, np.array([1, 3.5], "<f4").tobytes()))
    with open_source(written(tmp_path, "m", gguf([*gguf_llama_keys(h), *keys], data))) as source:
        found = {key: value for key, value in source.hyper.items() if "scaling" in key}
        assert found == {"rope_scaling.type": "factors", "rope_scaling.factors": [2.0, 7.0]}
