"""Export to GGUF: the gguf package reads the right values, and every block survives the way there and back."""

import json
from pathlib import Path

import attrs
import msgpack
import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader
from gguf.quants import dequantize

import fourcc
from fourcc.errors import UsageError
from fourcc.exporters import KINDS
from fourcc.exporters.export import check_targets, execute_export, plan_export
from fourcc.exporters.gguf_head import FLOAT32, FLOAT64, INT32, INT64, STRING, TRUTH, UINT32, UINT64, GGUFKey
from fourcc.exporters.gguf_tokenizer import tokenizer_keys
from fourcc.models.architecture import Architecture
from fourcc.models.jinja.stored import templates_in
from fourcc.plugins.registry import registry
from fourcc.policy import Policy
from fourcc.sources import open_source
from fourcc.sources.gguf_header import MAX_NAME
from tests.sources.writers import (
    HEADER,
    config,
    decode,
    decoded,
    gguf,
    gguf_key,
    gguf_llama_keys,
    gguf_name,
    half_split,
    hf_name,
    llama,
    llama2c_v0,
    safetensors,
    tokenizer_bin,
    written,
)

MIXED = """version = 1
[[rule]]
dims = "<2"
tag = "F32"
[[rule]]
match = "*.wq"
tag = "Q4_0"
[[rule]]
match = "*.w[kv]"
tag = "F16"
[[rule]]
match = "*"
tag = "Q8_0"
"""
WIDE = HEADER | {"dim": 64, "hidden": 96, "heads": 4, "kv_heads": 2}


def export(source: Path, target: Path, *, policy: Policy | None = None, **options: object) -> list[str]:
    """Exports to GGUF; gives the notes."""
    with open_source(source) as opened:
        planned = plan_export(opened, KINDS["gguf"], policy, **options)  # type: ignore[arg-type]
        execute_export(planned, check_targets(planned, target, force=True))
        return list(planned.layout.notes)


def stored(path: Path) -> dict[str, bytes]:
    """The bytes of each tensor of a checkpoint, by name."""
    with open_source(path) as source:
        return {
            tensor.name: b"".join(
                part.tobytes() for part in tensor.read(0, 0, tensor.shape[0] if len(tensor.shape) > 1 else 1).values()
            )
            for tensor in source.tensors
        }


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A Llama in three formats, with a tokenizer."""
    h, tensors = llama(**{key: WIDE[key] for key in ("dim", "hidden", "heads", "kv_heads")}, vocab=300)
    path = written(tmp_path, "v0.bin", llama2c_v0(h, tensors))
    tokenizer = written(tmp_path, "tokenizer.bin", llama2c_tokenizer(300))
    fourcc.convert(path, tmp_path / "model.bin", policy=Policy.parse(MIXED), tokenizer=tokenizer)
    return tmp_path / "model.bin"


def llama2c_tokenizer(tokens: int) -> bytes:
    """A tokenizer.bin with valid first entries and two entries of one text."""
    texts = [b"<unk>", b"\n<s>\n", b"\n</s>\n", *(b"<0x%02X>" % byte for byte in range(256)), b" ", b"a", b" a", b"a"]
    texts += [b"t%d" % number for number in range(tokens - len(texts))]
    entries = b"".join(np.float32(-i).tobytes() + np.uint32(len(t)).tobytes() + t for i, t in enumerate(texts))
    return np.uint32(max(map(len, texts))).tobytes() + entries


def test_the_reference_reads_it(mixed: Path, tmp_path: Path) -> None:
    """It finds the same names, shapes, types, blocks and keys."""
    export(mixed, tmp_path / "out.gguf")
    reader = GGUFReader(tmp_path / "out.gguf")
    with fourcc.open(mixed) as model:
        assert [tensor.name for tensor in reader.tensors] == [gguf_name(name) for name in model]
        for tensor, name in zip(reader.tensors, model, strict=True):
            matrix = model[name]
            assert int(tensor.tensor_type) == matrix.format.foreign["ggml"]
            assert tensor.data.tobytes() == b"".join(part.tobytes() for part in matrix.parts.values())
            found = dequantize(tensor.data, tensor.tensor_type).reshape(matrix.shape)
            assert np.array_equal(found, matrix.decode())
    values = {key: field.contents() for key, field in reader.fields.items()}
    assert {key: value for key, value in values.items() if key.startswith(("llama.", "general."))} == {
        "general.architecture": "llama",
        "general.type": "model",
        "general.size_label": "81K",
        "general.file_type": 7,  # most matrices are in ggml's type 8
        "general.quantization_version": 2,
        "llama.embedding_length": 64,
        "llama.feed_forward_length": 96,
        "llama.block_count": 2,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
        "llama.attention.key_length": 16,
        "llama.attention.value_length": 16,
        "llama.rope.dimension_count": 16,
        "llama.context_length": 5,
        "llama.vocab_size": 300,
        "llama.attention.layer_norm_rms_epsilon": np.float32(1e-5),
        "llama.rope.freq_base": 10000.0,
    }


def test_the_tokenizer_of_llama2c(mixed: Path, tmp_path: Path) -> None:
    """Pieces become a scored vocabulary, in which no text stands twice."""
    export(mixed, tmp_path / "out.gguf")
    values = {key: field.contents() for key, field in GGUFReader(tmp_path / "out.gguf").fields.items()}
    tokens = values["tokenizer.ggml.tokens"]
    assert values["tokenizer.ggml.model"] == "llama"
    assert tokens[:4] == ["<unk>", "<s>", "</s>", "<0x00>"]
    assert tokens[258:263] == ["<0xFF>", "\u2581", "a", "\u2581a", "<twin_262>"]
    assert values["tokenizer.ggml.token_type"][:4] == [2, 3, 3, 6]
    assert values["tokenizer.ggml.token_type"][258:263] == [6, 1, 1, 1, 5]
    assert values["tokenizer.ggml.scores"] == [-float(i) for i in range(300)]
    special = {key: value for key, value in values.items() if key.endswith("_token_id")}
    assert list(special.values()) == [1, 2, 0]


def test_the_same_tokens(root: Path, tmp_path: Path) -> None:
    """A trained vocabulary cuts texts as before; so its letters are tokens, without which the two rules differ."""
    models = root / "fourcc" / "example"
    fourcc.convert(models / "tiny.bin", tmp_path / "a.bin", tokenizer=models / "tiny_tokenizer.bin")
    export(tmp_path / "a.bin", tmp_path / "out.gguf")
    fourcc.convert(tmp_path / "out.gguf", tmp_path / "b.bin")
    texts = [*(models / "heldout.txt").read_text().splitlines()[:50], "  \u00e9\t\n x", "", " "]
    with fourcc.open(tmp_path / "a.bin") as a, fourcc.open(tmp_path / "b.bin") as b:
        for text in texts:
            assert b.tokenizer.encode(text) == a.tokenizer.encode(text)


def test_there_and_back(mixed: Path, tmp_path: Path) -> None:
    """Every byte of every tensor, the hyper-parameters, and the file itself the second time."""
    export(mixed, tmp_path / "out.gguf")
    fourcc.convert(tmp_path / "out.gguf", tmp_path / "back.bin")
    assert stored(tmp_path / "back.bin") == stored(mixed)
    with fourcc.open(mixed) as before, fourcc.open(tmp_path / "back.bin") as after:
        assert after.index.hyper == before.index.hyper
    export(tmp_path / "back.bin", tmp_path / "again.gguf")
    assert (tmp_path / "again.gguf").read_bytes() == (tmp_path / "out.gguf").read_bytes()


TYPES = [
    number
    for number in range(64)
    if (found := registry.foreign("ggml", number)) is not None and len(found.parts) == 1 and found.real
]


@pytest.mark.parametrize("number", TYPES)
def test_blocks_of_every_type_there_and_back(tmp_path: Path, number: int) -> None:
    """Any bytes go from GGUF to model.bin and back, as a matrix and as a stack."""
    found = registry.foreign("ggml", number)
    assert found is not None
    width = found.width() or 1
    shapes = {"blk.0.ffn_up.weight": (4, 6 * width), "stack": (2, 3, width)}
    header = HEADER | {"dim": 6 * width, "hidden": 4}
    rng = np.random.default_rng(number)
    data = {name: rng.bytes(found.stored_bytes(shape, {})) for name, shape in shapes.items()}
    tensors = [(name, shape, number, data[name]) for name, shape in shapes.items()]
    path = written(tmp_path, "in.gguf", gguf(gguf_llama_keys(header), tensors))
    keep = Policy.parse('version = 1\n[[rule]]\nmatch = "*"\nkeep = true\nnonfinite = "keep"\n')
    fourcc.convert(path, tmp_path / "model.bin", policy=keep)
    export(tmp_path / "model.bin", tmp_path / "out.gguf")
    if number not in {int(kind) for kind in GGMLQuantizationType}:  # the package does not know Q2_0
        stored = (tmp_path / "out.gguf").read_bytes()
        assert all(stored.count(each) == 1 for each in data.values())
        return
    reader = GGUFReader(tmp_path / "out.gguf")
    assert {tensor.name: tensor.data.tobytes() for tensor in reader.tensors} == data
    assert all(tensor.tensor_type == GGMLQuantizationType(number) for tensor in reader.tensors)


@pytest.mark.parametrize("bias", [True, False], ids=["qwen2", "qwen3"])
def test_rows_that_are_rotated_in_halves(tmp_path: Path, *, bias: bool) -> None:
    """A Qwen goes back to the order that its architecture has, vectors too."""
    h, tensors = llama(**{key: WIDE[key] for key in ("dim", "hidden", "heads", "kv_heads")})
    more = {"wq.bias": 64, "wk.bias": 32, "wv.bias": 32} if bias else {"q_norm": 16, "k_norm": 16}
    for layer in range(2):
        for name, size in more.items():
            tensors[f"layers.{layer}.attention.{name}"] = np.arange(size, dtype="<f4")
    turned = ("wq", "wk", "wq.bias", "wk.bias", "q_norm", "k_norm")
    halves = {name: half_split(array, 16) if name.endswith(turned) else array for name, array in tensors.items()}
    architecture = "qwen2" if bias else "qwen3"
    named = [(gguf_name(name), array.shape, 0, array.tobytes()) for name, array in halves.items()]
    path = written(tmp_path, "in.gguf", gguf(gguf_llama_keys(h, architecture), named))
    export(path, tmp_path / "out.gguf")
    reader = GGUFReader(tmp_path / "out.gguf")
    assert reader.fields["general.architecture"].contents() == architecture
    assert reader.fields[f"{architecture}.attention.head_count_kv"].contents() == 2
    found = {tensor.name: tensor.data for tensor in reader.tensors}
    assert all(np.array_equal(found[gguf_name(name)], array) for name, array in halves.items())
    export(path, tmp_path / "q8.gguf", policy=Policy.shorthand("Q8_0"))
    with open_source(tmp_path / "q8.gguf") as source:
        for name, array in decoded(source).items():
            assert np.allclose(array, tensors[name], atol=0.05)


def test_blocks_down_a_column_are_decoded_before_rows_move(tmp_path: Path) -> None:
    """Blocks of 128 rows cannot be taken apart: converting them reads the weights."""
    h, tensors = llama(**{key: WIDE[key] for key in ("dim", "hidden", "heads", "kv_heads")})
    for layer in range(2):
        tensors |= {f"layers.{layer}.attention.{n}": np.ones(16, "<f4") for n in ("q_norm", "k_norm")}
    files = {hf_name(n) if n.split(".")[-1] in NAMED else qwen_name(n): a for n, a in tensors.items()}
    turned = ("q_proj.weight", "k_proj.weight")
    files = {name: half_split(array, 16) if name.endswith(turned) else array for name, array in files.items()}
    written(tmp_path, "model.safetensors", safetensors(files))
    written(tmp_path, "config.json", config(h, model_type="qwen3", architectures=["Qwen3ForCausalLM"], head_dim=16))
    columns = next(str(tag) for tag in registry if (registry[tag].block[0] or 0) > 1 and registry[tag].encode)
    fourcc.convert(tmp_path, tmp_path / "model.bin", policy=Policy.shorthand(columns))
    export(tmp_path / "model.bin", tmp_path / "out.gguf", instead="F32")
    with fourcc.open(tmp_path / "model.bin") as model, open_source(tmp_path / "out.gguf") as source:
        for name, array in decoded(source).items():
            assert np.array_equal(array, model[name].decode())


NAMED = ("wq", "wk", "wv", "wo", "w1", "w2", "w3", "attention_norm", "ffn_norm", "tok_embeddings", "norm", "output")


def qwen_name(name: str) -> str:
    """Hugging Face's name of a norm of q or k."""
    return f"model.layers.{name.split('.')[1]}.self_attn.{name.rpartition('.')[2]}.weight"


def test_what_has_no_place(tmp_path: Path) -> None:
    """An export is refused with all names until the user says what becomes of the tensors; only that is then done."""
    h, tensors = llama(**{key: WIDE[key] for key in ("dim", "hidden", "heads", "kv_heads")})
    path = written(tmp_path, "v0.bin", llama2c_v0(h, tensors))
    text = MIXED.replace('"Q4_0"', '"Q8_B"')
    fourcc.convert(path, tmp_path / "model.bin", policy=Policy.parse(text))
    with pytest.raises(UsageError) as caught:
        export(tmp_path / "model.bin", tmp_path / "out.gguf")
    assert (
        "gguf has no place for 2 tensors in Q8_B: layers.0.attention.wq, layers.1.attention.wq. "
        "--as TAG says what they become" in str(caught.value)
    )
    assert not (tmp_path / "out.gguf").exists()
    export(tmp_path / "model.bin", tmp_path / "out.gguf", instead="Q8_0")
    with fourcc.open(tmp_path / "model.bin") as model, open_source(tmp_path / "out.gguf") as source:
        for tensor in source.tensors:
            before = model[tensor.name]
            if tensor.name.endswith("wq"):
                expected = fourcc.encode(before.decode(), "Q8_0")
                assert np.array_equal(decode(tensor), expected.decode())
            else:
                assert np.array_equal(decode(tensor), before.decode())
    with pytest.raises(UsageError, match=r"no place for 2 tensors in Q8_A.*Give --as other formats"):
        export(tmp_path / "model.bin", tmp_path / "out.gguf", instead="Q8_A")
    with pytest.raises(UsageError, match=r"--as nope: the format|--as nope"):
        export(tmp_path / "model.bin", tmp_path / "out.gguf", instead="nope")


def test_vectors_are_float32(tmp_path: Path) -> None:
    """Vectors of every stored format: llama.cpp takes no other."""
    path = written(tmp_path, "x.safetensors", safetensors({"norm": np.arange(5, dtype="<f2"), "n": np.int32([1, 2])}))
    notes = export(path, tmp_path / "out.gguf")
    assert notes[-1].startswith("no keys are written for the architecture 'unknown'")
    reader = GGUFReader(tmp_path / "out.gguf")
    found = {tensor.name: tensor for tensor in reader.tensors}
    assert found["norm"].tensor_type == GGMLQuantizationType.F32
    assert found["norm"].data.tolist() == [0, 1, 2, 3, 4]
    assert found["n"].tensor_type == GGMLQuantizationType.I32


def test_integers_that_ggml_has_not(tmp_path: Path) -> None:
    """No format encodes integers, so they can only be left out."""
    path = written(tmp_path, "x.safetensors", safetensors({"a": np.uint8([[1, 2]]), "b": np.float32([[1, 2]])}))
    with pytest.raises(UsageError, match=r"no place for 1 tensor in U8: a\. Give --as other formats, or leave"):
        export(path, tmp_path / "out.gguf", instead="F32")
    export(path, tmp_path / "out.gguf", exclude=["a"])
    assert [tensor.name for tensor in GGUFReader(tmp_path / "out.gguf").tensors] == ["b"]


def test_names_and_dimensions_that_do_not_fit(tmp_path: Path) -> None:
    """GGUF has room for 63 bytes and four dimensions."""
    for name, shape in (("x" * MAX_NAME, (2,)), ("x", (1, 1, 1, 1, 1))):
        path = written(tmp_path, "x.safetensors", safetensors({name: np.zeros(shape, "<f4")}))
        with pytest.raises(UsageError, match="a GGUF file cannot hold the tensor"):
            export(path, tmp_path / "out.gguf")


def test_no_tokenizer(tmp_path: Path) -> None:
    """The file states it as llama.cpp understands it, and a note says so."""
    h, tensors = llama()
    path = written(tmp_path, "v0.bin", llama2c_v0(h, tensors))
    notes = export(path, tmp_path / "out.gguf")
    assert notes == ["the model has no tokenizer: the file has no vocabulary"]
    reader = GGUFReader(tmp_path / "out.gguf")
    assert reader.fields["tokenizer.ggml.model"].contents() == "no_vocab"


@pytest.mark.parametrize(
    "scaling",
    [
        {"rope_type": "linear", "factor": 4.0},
        {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 16,
        },
    ],
)
def test_scaled_rotations(tmp_path: Path, scaling: dict[str, object]) -> None:
    """Equal turns come back; llama3's are written as factors, as in llama.cpp."""
    h, tensors = llama(dim=64, heads=2, kv_heads=2)
    turned = (".wq", ".wk")
    files = {hf_name(n): half_split(a, 32) if n.endswith(turned) else a for n, a in tensors.items()}
    written(tmp_path, "model.safetensors", safetensors(files))
    written(tmp_path, "config.json", config(h, rope_scaling=scaling))
    export(tmp_path / "model.safetensors", tmp_path / "out.gguf")
    with open_source(tmp_path / "model.safetensors") as before, open_source(tmp_path / "out.gguf") as after:
        turns = [Architecture.of("llama", source.hyper).turns.frequencies() for source in (before, after)]
        assert after.hyper["rope_scaling.type"] == ("linear" if scaling["rope_type"] == "linear" else "factors")
        assert all(np.array_equal(decoded(before)[name], array) for name, array in decoded(after).items())
    np.testing.assert_allclose(turns[1], turns[0], rtol=3e-7)
    assert not np.array_equal(turns[0], 1 / 500000.0 ** (np.arange(0, 32, 2) / 32))
    export(tmp_path / "out.gguf", tmp_path / "again.gguf")
    assert (tmp_path / "again.gguf").read_bytes() == (tmp_path / "out.gguf").read_bytes()


@pytest.mark.parametrize(
    "more", [[("rope.scaling.type", 8, "linear"), ("rope.scaling.factor", 6, 2.0)], [("rope.scale_linear", 6, 2.0)]]
)
def test_factors_beside_a_scaling(tmp_path: Path, more: list[tuple[str, int, object]]) -> None:
    """Both divide the turns; where factors state them, the keys that came do not divide again."""
    h, tensors = llama()
    arrays = {gguf_name(name): array for name, array in tensors.items()}
    arrays["rope_freqs.weight"] = np.linspace(1, 3, 2, dtype=np.float32)
    keys = gguf_llama_keys(h) + [gguf_key(f"llama.{name}", kind, value) for name, kind, value in more]
    data = gguf(keys, [(name, array.shape, 0, array.tobytes()) for name, array in arrays.items()])
    fourcc.convert(written(tmp_path, "m.gguf", data), tmp_path / "m.bin")
    export(tmp_path / "m.bin", tmp_path / "out.gguf")
    with open_source(tmp_path / "m.gguf") as before, open_source(tmp_path / "out.gguf") as after:
        assert before.hyper["rope_scaling.factors"] == [2.0, 6.0]
        assert after.hyper["rope_scaling.factors"] == [2.0, 6.0]


def test_the_tokenizer_of_a_gguf_file_goes_back(tmp_path: Path) -> None:
    """Keys and values return, with the types that readers expect."""
    keys = [
        gguf_key("tokenizer.ggml.model", 8, "gpt2"),
        gguf_key("tokenizer.ggml.tokens", 9, ["a", b"\xff", "\u00e9"], 8),
        gguf_key("tokenizer.ggml.scores", 9, [0.0, -1.5, 2.0], 6),
        gguf_key("tokenizer.ggml.token_type", 9, [1, 1, 6], 5),
        gguf_key("tokenizer.ggml.precompiled_charsmap", 9, [1, 255], 0),
        gguf_key("tokenizer.ggml.bos_token_id", 4, 2),
        gguf_key("tokenizer.ggml.add_bos_token", 7, value=True),
        gguf_key("tokenizer.chat_template", 8, "{{ x }}"),
    ]
    path = written(tmp_path, "in.gguf", gguf([*gguf_llama_keys(HEADER), *keys], []))
    export(path, tmp_path / "out.gguf")
    data = (tmp_path / "out.gguf").read_bytes()
    assert b"".join(keys) in data


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, TRUTH),
        (7, UINT32),
        (-7, INT32),
        (2**40, UINT64),
        (-(2**40), INT64),
        (0.5, FLOAT32),
        (0.1, FLOAT64),
        (1e300, FLOAT64),
        ("x", STRING),
        ([1, 2**40], UINT64),
        ([1, -1], INT32),
        ([0.5, 0.1], FLOAT64),
        ([], INT32),
        (["a", b"\xff"], STRING),
    ],
)
def test_types_of_values(value: object, kind: int) -> None:
    """A type is as short as most readers ask for, and wide enough for all items."""
    assert GGUFKey.of("k", value).kind == kind
    assert GGUFKey.of("k", value).packed() == gguf_key(
        "k", *((9, value, kind) if isinstance(value, list) else (kind, value))
    )


def test_notes_of_a_tokenizer_that_cannot_go_along(tmp_path: Path) -> None:
    """A tokenizer.json is left out, and named."""
    h, tensors = llama()
    written(tmp_path, "model.safetensors", safetensors({hf_name(n): a for n, a in tensors.items()}))
    written(tmp_path, "config.json", config(h))
    written(tmp_path, "tokenizer.json", {"model": {}})
    assert export(tmp_path, tmp_path / "out.gguf")[0].startswith("tokenizer.json has no counterpart in GGUF: the file")


def test_the_chat_template(root: Path) -> None:
    """A template in its own file becomes a key; the keys of a GGUF file need no addition."""
    data = (root / "fourcc" / "example" / "tiny_tokenizer.bin").read_bytes()
    keys, _ = tokenizer_keys({"tokenizer.bin": data, "chat_template.jinja": b"{{ x }}"}, "m")
    assert keys[-1] == GGUFKey("tokenizer.chat_template", STRING, b"{{ x }}")
    own = msgpack.packb({"tokenizer.chat_template": "{{ y }}"})
    keys, _ = tokenizer_keys({"tokenizer.gguf": own, "chat_template.jinja": b"{{ x }}"}, "m")
    assert keys == [GGUFKey("tokenizer.chat_template", STRING, "{{ y }}")]


def test_chat_templates_of_other_names(root: Path) -> None:
    """Templates of files and of the tokenizer's configuration become keys, which are read as they were."""
    data = (root / "fourcc" / "example" / "tiny_tokenizer.bin").read_bytes()
    named = [{"name": "default", "template": "{{ x }}"}, {"name": "rag", "template": "é"}]
    blobs = {
        "tokenizer.bin": data,
        "chat_template.jinja": b"{{ x }}",
        "tokenizer_config.json": json.dumps({"chat_template": named}).encode(),
        "additional_chat_templates/tool_use.jinja": b"{{ z }}",
    }
    keys, _ = tokenizer_keys(blobs, "m")
    found = {key.name: key.value for key in keys if "chat_template" in key.name}
    assert sorted(found.pop("tokenizer.chat_templates")) == ["rag", "tool_use"]
    again = msgpack.packb({name: value.decode() for name, value in found.items()})
    assert templates_in({"tokenizer.gguf": again}) == templates_in(blobs)
    assert set(templates_in(blobs)) == {"default", "rag", "tool_use"}


def test_a_named_template_that_came_is_written_once() -> None:
    """A GGUF file may have templates of other names and no default; no reader takes a key that stands twice."""
    came = {"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": ["a"], "tokenizer.chat_template.rag": "{{ x }}"}
    keys, _ = tokenizer_keys({"tokenizer.gguf": msgpack.packb(came)}, "m")
    assert [key.value for key in keys if key.name == "tokenizer.chat_template.rag"] == ["{{ x }}"]


def test_a_damaged_tokenizer(tmp_path: Path) -> None:
    """The error names the blob."""
    h, tensors = llama()
    path = written(tmp_path, "v0.bin", llama2c_v0(h, tensors))
    tokenizer = written(tmp_path, "tok.bin", tokenizer_bin(7))
    whole = open_source(path, tokenizer)
    source = attrs.evolve(whole, blobs={"tokenizer.bin": whole.blobs["tokenizer.bin"][:-1]})
    with source, pytest.raises(fourcc.FourccError, match=r"tokenizer.bin\)"):
        plan_export(source, KINDS["gguf"])


def test_real_model(data: Path, tmp_path: Path) -> None:
    """A model that is read from either of its files is exported to equal weights."""
    for name in ("stories260K.gguf", "stories260K.bin"):
        export(data / name, tmp_path / "out.gguf")
        with open_source(data / name) as before, open_source(tmp_path / "out.gguf") as after:
            assert all(np.array_equal(decoded(before)[key], array) for key, array in decoded(after).items())
            assert len(before.tensors) == len(after.tensors)
