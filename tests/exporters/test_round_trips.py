"""Every export is read back with each optional part in turn: equal weights, hyper-parameters and logits, or refused."""

import json
from pathlib import Path

import attrs
import msgpack
import numpy as np
import pytest
from gguf import GGUFReader

import fourcc
from fourcc.conversion.carrying_out import execute
from fourcc.conversion.plan import plan
from fourcc.errors import InputError, UsageError
from fourcc.exporters import KINDS
from fourcc.exporters.export import check_targets, execute_export, plan_export
from fourcc.models.architecture import Architecture
from fourcc.policy import Policy
from fourcc.sources import open_source, tokenizer
from fourcc.sources.gguf_metadata import BLOB
from fourcc.sources.gguf_rotation import FREQUENCIES
from fourcc.sources.source import Source
from tests.sources.writers import (
    Arrays,
    config,
    decoded,
    gguf,
    gguf_key,
    llama,
    safetensors,
    to_hf,
    tokenizer_bin,
    written,
)

SIZES = {"dim": 32, "hidden": 48, "heads": 4, "kv_heads": 2, "vocab": 40, "seq": 64}
LAYERS = 4
BIASES = {
    "q": ("self_attn.q_proj.bias", 32),
    "k": ("self_attn.k_proj.bias", 16),
    "v": ("self_attn.v_proj.bias", 16),
    "o": ("self_attn.o_proj.bias", 32),
    "gate": ("mlp.gate_proj.bias", 48),
    "up": ("mlp.up_proj.bias", 48),
    "down": ("mlp.down_proj.bias", 32),
    "q_norm": ("self_attn.q_norm.weight", 8),
    "k_norm": ("self_attn.k_norm.weight", 8),
}
QKV, NORMS, MLP = ("q", "k", "v"), ("q_norm", "k_norm"), ("gate", "up", "down")
LLAMA3 = {
    "rope_scaling.type": "llama3",
    "rope_scaling.factor": 8.0,
    "rope_scaling.low_freq_factor": 1.0,
    "rope_scaling.high_freq_factor": 4.0,
    "rope_scaling.original_max_position_embeddings": 32,
}


@attrs.frozen
class Part:
    """An optional part of a model.

    Attributes:
        vectors: keys of BIASES, in each layer.
        hyper: hyper-parameters.
        only: layers that have the vectors; None: all.
        untied: whether it has an output matrix.
        more: further tensors by name.
        refused: kind of export, or part of its name -> what the refusal says.
    """

    vectors: tuple[str, ...] = ()
    hyper: dict[str, object] = attrs.field(factory=dict)
    only: tuple[int, ...] | None = None
    untied: bool = False
    more: tuple[str, ...] = ()
    refused: dict[str, str] = attrs.field(factory=dict)


NO_FAMILY = {"safetensors": "no model_type that is known here has these optional tensors"}
MORE = {"llama2c": "it has more tensors"}
WINDOW = {"llama2c": "sliding_window = "}
SCALED = {"llama2c": "rope_scaling"}
HALF = {"q_norm": {"gguf": "qk_norm = nothing"}}  # a GGUF file with one is a qwen3's, which has both
PARTS = {
    "nothing": Part(),
    "a size that no tensor has": Part(
        hyper={"hidden_dim": 4},
        refused=dict.fromkeys(
            KINDS, "cannot be exported: found shape [48, 32], expected 4 x 32 (hidden_dim 4, dim 32)"
        ),
    ),
    "an output matrix": Part(untied=True, hyper={"tied_embeddings": False}),
    "no output, and untied": Part(
        hyper={"tied_embeddings": False}, refused=dict.fromkeys(KINDS, "there is no tensor 'output'")
    ),
    "an output, and tied": Part(
        untied=True, hyper={"tied_embeddings": True}, refused=dict.fromkeys(KINDS, "there is a tensor 'output' beside")
    ),
    "biases of q, k, v": Part(QKV, refused=MORE),
    "biases of q, k, v, o": Part((*QKV, "o"), refused=MORE),
    "biases of the MLP": Part(MLP, refused=MORE),
    "all biases": Part((*QKV, "o", *MLP), refused=MORE),
    "norms": Part(NORMS, refused=MORE),
    "norms and biases": Part((*NORMS, *QKV, "o"), refused=MORE),
    "norms and biases of q, k, v": Part((*NORMS, *QKV), refused=MORE | NO_FAMILY),
    "norms and biases of the MLP": Part((*NORMS, *MLP), refused=MORE | NO_FAMILY),
    **{f"{name} alone": Part((name,), refused=MORE | NO_FAMILY | HALF.get(name, {})) for name in BIASES},
    "biases in one layer": Part(
        (*QKV, "o"),
        only=(1,),
        refused=MORE
        | {"safetensors": "in some layers only, which no model_type allows: found attention.wk.bias in 1 of 4"},
    ),
    "sinks": Part(
        more=("layers.0.attn_sinks",), refused=MORE | {"safetensors": "no model_type that is known here has this"}
    ),
    "a bias of the head": Part(more=("lm_head.bias",), refused=MORE | {"safetensors": "known here has this tensor"}),
    "a window": Part(hyper={"sliding_window": 16}, refused=WINDOW),
    "a window of all": Part(hyper={"sliding_window": 4096}, refused=WINDOW),
    "a window and biases": Part(QKV, hyper={"sliding_window": 16}, refused=MORE | WINDOW),
    "a window and norms": Part(NORMS, hyper={"sliding_window": 16}, refused=MORE | WINDOW),
    "a window and all biases": Part((*QKV, "o"), hyper={"sliding_window": 16}, refused=MORE | WINDOW | NO_FAMILY),
    "windows in later layers": Part(
        QKV,
        hyper={"sliding_window": 16, "sliding_window_layers": [0, 0, 1, 1]},
        refused=MORE | WINDOW,
    ),
    "windows in every other layer": Part(
        NORMS,
        hyper={"sliding_window": 16, "sliding_window_layers": [1, 0, 1, 0]},
        refused=MORE | WINDOW,
    ),
    "windows in some layers of a plain one": Part(
        hyper={"sliding_window": 16, "sliding_window_layers": [1, 0, 1, 0]},
        refused=WINDOW | NO_FAMILY,
    ),
    "linear scaling": Part(hyper={"rope_scaling.type": "linear", "rope_scaling.factor": 4}, refused=SCALED),
    "llama3's scaling": Part(hyper=LLAMA3, refused=SCALED),
    "equal factors": Part(hyper={"rope_scaling.type": "factors", "rope_scaling.factors": [2.0] * 4}, refused=SCALED),
    "factors": Part(
        hyper={"rope_scaling.type": "factors", "rope_scaling.factors": [1.0, 1.5, 2.25, 7.0]}, refused=SCALED
    ),
    "too few factors": Part(
        hyper={"rope_scaling.type": "factors", "rope_scaling.factors": [1.0, 1.5]},
        refused=dict.fromkeys(KINDS, "factor"),
    ),
    "end tokens": Part(hyper={"bos_token_id": 3, "eos_token_id": [7, 8]}),
    "an end token": Part(hyper={"eos_token_id": 7}),
    "another activation": Part(
        hyper={"hidden_act": "gelu"}, refused={"gguf": "hidden_act = gelu", "llama2c": "hidden_act"}
    ),
    "half of a head turned": Part(hyper={"rope_dim": 4}, refused={"safetensors": "rope_dim", "llama2c": "rope_dim"}),
    "another pairing": Part(hyper={"rope_pairing": "halves"}, refused=dict.fromkeys(KINDS, "rope_pairing")),
    "what nobody knows": Part(hyper={"logit_scale": 0.5}, refused=dict.fromkeys(KINDS, "logit_scale")),
    "experts": Part(hyper={"expert_count": 8}, refused=dict.fromkeys(KINDS, "expert_count")),
}
OTHERS = {"llama2c-v0", "llama2c-v1", "llama2c-v2"}


def model(folder: Path, part: Part) -> Source:
    """A small Llama with the part."""
    h, tensors = llama(shared=not part.untied, layers=LAYERS, **SIZES)
    files: Arrays = to_hf(h, tensors)
    rng = np.random.default_rng(5)
    for layer in range(LAYERS) if part.only is None else part.only:
        for name, size in (BIASES[key] for key in part.vectors):
            files[f"model.layers.{layer}.{name}"] = (1 + 0.3 * rng.standard_normal(size)).astype("<f4")
    files |= {name: np.ones(40, "<f4") for name in part.more}
    stated = config(h, tied=not part.untied, rope_theta=10000.0, rms_norm_eps=1e-5)
    if part.untied:
        stated["tie_word_embeddings"] = False
    written(folder, "config.json", stated)
    source = open_source(written(folder, "model.safetensors", safetensors(files)))
    lacking = ("attention_bias", "mlp_bias", "qk_norm")  # of a config that is silent of vectors that are there
    hyper = {name: value for name, value in source.hyper.items() if name not in lacking}
    return attrs.evolve(source, hyper={**hyper, **part.hyper})  # type: ignore[arg-type]


def logits(path: Path) -> np.ndarray:
    """The model's logits after each of some tokens."""
    with fourcc.Model(path) as opened:
        return opened.network(threads=1).forward([1, 5, 9, 2, 30, 7] * 5, every=True).copy()


def expected(part: Part, kind: str) -> str | None:
    """The text of the export's refusal; None: there is none."""
    return next((text for name, text in part.refused.items() if kind.startswith(name)), None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PARTS)
def test_read_back(tmp_path: Path, name: str, kind: str) -> None:
    """The model comes back equal, or the export is refused with the reason; a refusal writes nothing."""
    part = PARTS[name]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    target = tmp_path / "b" / ("model" + (KINDS[kind].suffix or ".bin"))
    with model(tmp_path / "a", part) as source:
        if expected(part, kind) is not None:
            with pytest.raises((UsageError, InputError)) as caught:
                plan_export(source, KINDS[kind])
            assert str(expected(part, kind)) in str(caught.value)
            assert name != "nothing"
            return
        execute_export(*planned(source, kind, target))
        execute(plan(source, Policy.keep()), tmp_path / "a.bin")
        before = decoded(source)
        with open_source(target) as back:
            compare(source, back, kind)
            assert {key: value.shape for key, value in decoded(back).items()} == {k: v.shape for k, v in before.items()}
            steps = {key: np.abs(array).max() / 127 if kind == "llama2c-v2" else 0 for key, array in before.items()}
            assert all(np.abs(array - before[key]).max() <= steps[key] for key, array in decoded(back).items())
    if kind == "llama2c-v2":
        return  # other weights give other logits
    fourcc.convert(target, tmp_path / "b.bin")
    try:
        truth = logits(tmp_path / "a.bin")
    except UsageError:  # a model that cannot be run gives no logits to compare
        return
    np.testing.assert_allclose(logits(tmp_path / "b.bin"), truth, rtol=1e-3, atol=2e-4)


def planned(source: Source, kind: str, target: Path):  # type: ignore[no-untyped-def]  # noqa: ANN201 - untyped
    """The arguments of an export."""
    plans = plan_export(source, KINDS[kind])
    return plans, check_targets(plans, target, force=False)


def compare(before: Source, after: Source, kind: str) -> None:
    """Hyper-parameters are equal but for the form of the rotation's scaling; end tokens may be stated elsewhere."""
    elsewhere = {"bos_token_id", "eos_token_id"} if kind != "safetensors" else set()
    scaled = {key for key in (*before.hyper, *after.hyper) if key.startswith("rope_scaling.")}
    kept = {key: value for key, value in before.hyper.items() if key not in elsewhere | scaled}
    assert {key: value for key, value in after.hyper.items() if key not in scaled} == {
        key: value for key, value in kept.items() if key != "hidden_act" or value != "silu"
    }
    if kind == "gguf":
        keys = msgpack.unpackb(after.blobs["tokenizer.gguf"])
        ends = before.hyper.get("eos_token_id", [])
        found = [
            keys[f"tokenizer.ggml.{end}_token_id"] for end in ("eos", "eot") if f"tokenizer.ggml.{end}_token_id" in keys
        ]
        assert found == (ends if isinstance(ends, list) else [ends])
        assert keys.get("tokenizer.ggml.bos_token_id") == before.hyper.get("bos_token_id")
        reader = GGUFReader(after.path)
        assert {t.name for t in reader.tensors} - {FREQUENCIES} == {t.source_name for t in after.tensors}
    if scaled:
        turns = [Architecture.of("llama", each.hyper).turns.frequencies() for each in (before, after)]
        np.testing.assert_allclose(turns[1], turns[0], rtol=1e-6)


def test_every_kind_of_vector_stands_alone() -> None:
    """The table of parts has each optional tensor of the family by itself."""
    from fourcc.naming import TEMPLATES

    theirs = {name.removeprefix("model.layers.*.") for name in TEMPLATES["Hugging Face"] if "*" in name}
    optional = {f"{name}.bias" for name in theirs if "norm" not in name} | {
        f"self_attn.{name}.weight" for name in NORMS
    }
    assert {name for name, _ in BIASES.values()} == optional
    assert all(f"{name} alone" in PARTS for name in BIASES)


# -- config.json


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("nothing", {"model_type": "llama", "attention_bias": False, "mlp_bias": False}),
        ("biases of the MLP", {"model_type": "llama", "attention_bias": False, "mlp_bias": True}),
        ("all biases", {"model_type": "llama", "attention_bias": True, "mlp_bias": True}),
        ("biases of q, k, v", {"model_type": "qwen2", "use_sliding_window": False}),
        ("norms and biases", {"model_type": "qwen3", "attention_bias": True}),
        ("a window", {"model_type": "mistral", "sliding_window": 16}),
        ("a window and biases", {"model_type": "qwen2", "use_sliding_window": True, "max_window_layers": 0}),
        ("windows in later layers", {"model_type": "qwen2", "max_window_layers": 2, "sliding_window": 16}),
        (
            "windows in every other layer",
            {
                "model_type": "qwen3",
                "layer_types": ["sliding_attention", "full_attention"] * 2,
                "use_sliding_window": True,
            },
        ),
    ],
)
def test_what_the_config_says(tmp_path: Path, name: str, fields: dict[str, object]) -> None:
    """The family that transformers must take for these tensors, and its keys."""
    from fourcc.exporters.huggingface_config import config as made

    with model(tmp_path, PARTS[name]) as source:
        said = json.loads(made(source, plan(source, Policy.keep()).steps))
    assert fields.items() <= said.items()
    assert said["architectures"] == [{"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}[
        str(fields["model_type"])
    ] + "ForCausalLM"]  # fmt: skip


@pytest.mark.parametrize("original", [8192, 4096, 131072])
@pytest.mark.parametrize(("factor", "low", "high"), [(8.0, 1.0, 4.0), (32.0, 1.0, 4.0), (2.0, 2.0, 8.0)])
def test_the_rule_behind_factors(tmp_path: Path, factor: float, low: float, high: float, original: int) -> None:
    """Factors that llama.cpp's converter computes from llama3's rule, in its own arithmetic, become that rule again."""
    width, base = 128, 500000.0
    turns = 1 / base ** (np.arange(0, width, 2, dtype=np.float32) / np.float32(width))
    factors = []
    for turn in turns:
        wave = 2 * np.pi / turn
        smooth = (original / wave - low) / (high - low)
        between = 1 / ((1 - smooth) / factor + smooth)
        factors.append(1.0 if wave < original / high else factor if wave > original / low else between)
    hyper = {"head_dim": width, "rope_theta": base, "rope_scaling.type": "factors", "seq_len": 2 * original}
    hyper["rope_scaling.factors"] = [float(np.float32(each)) for each in factors]
    said = _scaling(tmp_path, hyper)
    assert said == {  # a context and two bounds that are k times as large are the same rule
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": 1.0,
        "high_freq_factor": high / low,
        "original_max_position_embeddings": original / low,
    }


def _scaling(folder: Path, hyper: dict[str, object]) -> dict[str, object]:
    from fourcc.exporters.rope_factors import scaling_of

    with model(folder, Part(hyper=hyper)) as source:
        return scaling_of(source)


def test_factors_of_no_rule(tmp_path: Path) -> None:
    """Transformers divides by each factor, for short and long texts alike, and does not scale attention."""
    factors = [1.0, 1.5, 2.25, 7.0]
    assert _scaling(tmp_path, PARTS["factors"].hyper) == {
        "rope_type": "longrope",
        "short_factor": factors,
        "long_factor": factors,
        "factor": 1.0,
        "attention_factor": 1.0,
        "original_max_position_embeddings": 64,
    }
    off = {"rope_scaling.type": "factors", "rope_scaling.factors": [1.0, 1.0, 8.0, 8.0008]}
    assert _scaling(tmp_path, off)["rope_type"] == "longrope"


# -- files beside the weights

BLOBS = sorted({*tokenizer.BLOBS, *tokenizer.COMPANIONS, tokenizer.CHAT_TEMPLATE, BLOB, "config.json", "notes.txt"})


def contents(name: str) -> bytes:
    """Valid contents for a blob of that name."""
    if name == "tokenizer.bin":
        return tokenizer_bin(SIZES["vocab"])
    packed = {tokenizer.GGUF: {"tokenizer.ggml.model": "x"}, BLOB: {"general.name": [8, "n"]}}
    if name in packed:
        return msgpack.packb(packed[name])
    return json.dumps({"model": {}, "chat_template": "{{ a }}"}).encode() + b"\n  \n"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BLOBS)
@pytest.mark.parametrize("family", ["llama", "mamba"])
def test_every_blob_is_taken_or_named(tmp_path: Path, name: str, kind: str, family: str) -> None:
    """No blob is left out without a note."""
    with model(tmp_path, Part()) as opened:
        source = attrs.evolve(opened, architecture=family, blobs={name: contents(name)}, hyper=opened.hyper)
        if (family != "llama" and kind in OTHERS) or name == "tokenizer.model":
            return  # refused for the family; SentencePiece's file asks for its package
        layout = plan_export(source, KINDS[kind]).layout
    head = b"".join(layout.pieces.values())
    keys = {tokenizer.GGUF: b"tokenizer.ggml.model", BLOB: b"general.name", "tokenizer.bin": b"tokenizer.ggml.tokens"}
    taken = layout.beside.get(name) == contents(name)
    taken |= kind == "gguf" and (
        (name in keys and keys[name] in head) or (name == tokenizer.CHAT_TEMPLATE and contents(name) in head)
    )
    assert taken or any(name in note for note in layout.notes) or (name, family) == ("config.json", "llama")


def test_companions_come_back_unchanged(tmp_path: Path) -> None:
    """A folder, of the family or with another config, passes through a model.bin and becomes a folder again."""
    for family in ("llama", "mamba"):
        first, last = tmp_path / f"{family} a", tmp_path / f"{family} b"
        first.mkdir()
        last.mkdir()
        h, tensors = llama(**SIZES)
        written(first, "model.safetensors", safetensors(to_hf(h, tensors)))
        stated = config(h, model_type=family, final_logit_softcapping=30.0)
        written(first, "config.json", json.dumps(stated, indent=7).encode())
        names = [tokenizer.JSON, *tokenizer.COMPANIONS]
        for name in names:
            written(first, name, contents(name))
        fourcc.convert(first, tmp_path / f"{family}.bin")
        with open_source(tmp_path / f"{family}.bin") as source:
            execute_export(*planned(source, "safetensors", last / "model.safetensors"))
            assert source.architecture == family
        found = {path.name: path.read_bytes() for path in last.iterdir()}
        assert {name: found[name] for name in names} == {name: contents(name) for name in names}
        assert found.keys() == {
            *names,
            "config.json",
            "model.safetensors",
        }  # the template stands in the tokenizer's config
        if family == "mamba":
            assert found["config.json"] == (first / "config.json").read_bytes()
            with open_source(first) as before, open_source(last) as after:
                assert all(np.array_equal(array, decoded(after)[key]) for key, array in decoded(before).items())


def test_a_template_of_its_own(tmp_path: Path) -> None:
    """The template goes back as a file where the tokenizer's configuration has another one, or none."""
    for said, files in (("{{ a }}", False), ("{{ b }}", True), (None, True)):
        blobs = {
            "tokenizer_config.json": json.dumps({"chat_template": said}).encode(),
            "chat_template.jinja": b"{{ a }}",
        }
        with model(tmp_path, Part()) as opened:
            layout = plan_export(attrs.evolve(opened, blobs=blobs), KINDS["safetensors"]).layout
        assert ("chat_template.jinja" in layout.beside) is files


def test_another_tokenizer_takes_the_place_of_all_its_files(tmp_path: Path) -> None:
    """Files that describe the old tokenizer would be wrong, so they go; tokens that end a text stay."""
    with model(tmp_path, Part()) as opened:
        opened.close()
    for name in (tokenizer.JSON, *tokenizer.COMPANIONS):
        written(tmp_path, name, contents(name))
    other = written(tmp_path, "other.bin", contents("tokenizer.bin"))
    with open_source(tmp_path, other) as source:
        assert set(source.blobs) == {"tokenizer.bin", "generation_config.json", "chat_template.jinja"}


def test_a_companion_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blob is left out, with a note, and nothing else is."""
    with model(tmp_path, Part()) as opened:
        opened.close()
    written(tmp_path, "vocab.json", b"{" + b" " * 2000 + b"}")
    written(tmp_path, "merges.txt", b"a b")
    monkeypatch.setattr(tokenizer, "MAX_TOKENIZER", 1000)
    with open_source(tmp_path) as source:
        assert set(source.blobs) == {"merges.txt"}
        assert [note for note in source.notes if note.startswith("vocab.json is left out: ")]


def test_end_tokens_beyond_the_keys(tmp_path: Path) -> None:
    """GGUF has three keys for them; further tokens are named."""
    with model(tmp_path, Part(hyper={"eos_token_id": [4, 5, 6, 7]})) as source:
        notes = plan_export(source, KINDS["gguf"]).layout.notes
    assert "these tokens that end a text have no key in a GGUF file: 7" in notes
    with model(tmp_path, Part(hyper={"eos_token_id": [2, 5]})) as source:
        notes = plan_export(source, KINDS["llama2c-v1"]).layout.notes
    assert "eos_token_id [2, 5] is left out: llama2.c takes 2" in notes


def test_a_window_that_llama_cpp_does_not_heed(tmp_path: Path) -> None:
    """The file states it, and a note says what llama.cpp does; a window as long as the context makes no difference."""
    with model(tmp_path, PARTS["a window"]) as source:
        notes = plan_export(source, KINDS["gguf"]).layout.notes
    said = "llama.attention.sliding_window 16 is written, and llama.cpp does not heed it for a llama: texts of"
    assert any(note.startswith(said) for note in notes)
    with model(tmp_path, PARTS["a window of all"]) as source:
        assert "sliding_window" not in str(plan_export(source, KINDS["gguf"]).layout.notes)


# -- keys of a GGUF file


def foreign(more: list[bytes] | None = None) -> bytes:
    """A GGUF file of another family, with a value of every type, its vocabulary in the middle."""
    keys = [
        gguf_key("general.architecture", 8, "mamba"),
        gguf_key("general.name", 8, "Some Model"),
        gguf_key("general.languages", 9, ["en", "de"], 8),
        gguf_key("gemma3.block_count", 4, 1),
        *(gguf_key(f"gemma3.type{kind}", kind, 1) for kind in (0, 1, 2, 3, 4, 5, 10, 11)),
        gguf_key("tokenizer.ggml.model", 8, "llama"),
        gguf_key("tokenizer.ggml.tokens", 9, ["a", b"\xff"], 8),
        gguf_key("tokenizer.ggml.eos_token_id", 5, 1),
        gguf_key("tokenizer.ggml.add_bos_token", 7, value=True),
        gguf_key("tokenizer.ggml.token_type", 9, [1, 6], 4),
        *(gguf_key(f"gemma3.real{kind}", kind, 0.5) for kind in (6, 12)),
        *(gguf_key(f"gemma3.many{kind}", 9, [1, 0], kind) for kind in GGUF_KINDS),
        gguf_key("gemma3.none", 9, [], 10),
        gguf_key("gemma3.no_text", 8, b"\xff\xfe"),
        gguf_key("general.file_type", 4, 7),
        gguf_key("general.quantization_version", 4, 2),
        *(more or []),
    ]
    rows = np.arange(34 * 4, dtype="u1").tobytes()
    return gguf(keys, [("blk.0.attn_q.weight", (4, 32), 8, rows), ("v", (8,), 0, np.ones(8, "<f4").tobytes())])


GGUF_KINDS = (0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12)


def test_a_foreign_gguf_comes_back_byte_for_byte(tmp_path: Path) -> None:
    """All keys come back in their order and types, directly and through a model.bin; the architecture stays."""
    path = written(tmp_path, "in.gguf", foreign())
    keep = Policy.parse('version = 1\n[[rule]]\nmatch = "*"\nkeep = true\nnonfinite = "keep"\n')
    fourcc.convert(path, tmp_path / "model.bin", policy=keep)
    for start in (path, tmp_path / "model.bin"):
        with open_source(start) as source:
            plans = plan_export(source, KINDS["gguf"], keep)
            assert source.architecture == "mamba"
            assert plans.layout.notes == ()
            execute_export(plans, check_targets(plans, tmp_path / "out.gguf", force=True))
        assert (tmp_path / "out.gguf").read_bytes() == foreign()
        assert GGUFReader(tmp_path / "out.gguf").fields["general.architecture"].contents() == "mamba"


def test_keys_of_a_llama_come_back(tmp_path: Path) -> None:
    """A Llama's keys come back, too; none is added, and unknown ones are kept."""
    _, tensors = llama(**SIZES)
    first = [gguf_key("general.architecture", 8, "llama"), gguf_key("general.license", 8, "mit")]
    counts = {"embedding_length": 32, "feed_forward_length": 48, "block_count": 2, "attention.head_count": 4}
    counts |= {"attention.head_count_kv": 2, "context_length": 64}
    own = [gguf_key(f"llama.{name}", 10, value) for name, value in counts.items()]
    more = [gguf_key("llama.attention.layer_norm_rms_epsilon", 6, 1e-5), gguf_key("custom.key", 1, -3)]
    more += [gguf_key("llama.expert_group_count", 4, 8), gguf_key("general.type", 8, "model")]
    model_keys = [gguf_key("tokenizer.ggml.model", 8, "no_vocab")]
    from tests.sources.writers import gguf_name

    named = [(gguf_name(name), array.shape, 0, array.tobytes()) for name, array in tensors.items()]
    data = gguf([*first, *own, *model_keys, *more], named)
    fourcc.convert(written(tmp_path, "in.gguf", data), tmp_path / "model.bin")
    with open_source(tmp_path / "model.bin") as source:
        execute_export(*planned(source, "gguf", tmp_path / "out.gguf"))
        changed = attrs.evolve(source, hyper={**source.hyper, "seq_len": 32, "rope_theta": 5e5})
        plans = plan_export(changed, KINDS["gguf"])
        execute_export(plans, check_targets(plans, tmp_path / "changed.gguf", force=True))
        with pytest.raises(UsageError, match="cannot say what this model asks for: expert_group_count = 8"):
            plan_export(source, KINDS["safetensors"])
    assert (tmp_path / "out.gguf").read_bytes() == data
    fields = GGUFReader(tmp_path / "changed.gguf").fields
    assert fields["llama.context_length"].contents() == 32
    assert fields["llama.rope.freq_base"].contents() == 5e5
    assert list(fields)[3:5] == ["general.architecture", "general.license"]


@pytest.mark.parametrize(
    ("stated", "tag", "found", "note"),
    [
        (7, "Q8_0", 7, None),
        (15, "Q8_0", 7, "general.file_type 15 becomes 7: more matrices have ggml's type 8 than any other"),
        (15, "Q4_K", 15, None),
        (14, "Q4_K", 14, None),
        (2, "Q4_K", 15, "general.file_type 2 becomes 15: more matrices have ggml's type 12 than any other"),
        (2, "MXF4", 38, "general.file_type 2 becomes 38: more matrices have ggml's type 39 than any other"),
    ],
)
def test_what_the_keys_say_of_the_quantization(
    tmp_path: Path, stated: int, tag: str, found: int | None, note: str | None
) -> None:
    """These keys follow the written tensors, wherever they were encoded; unchanged blocks keep their keys."""
    _, tensors = llama(**(SIZES | {"dim": 256, "hidden": 256, "heads": 4}))
    keys = [gguf_key("general.architecture", 8, "other"), gguf_key("general.file_type", 4, stated)]
    keys += [gguf_key("quantize.imatrix.file", 8, "x"), gguf_key("general.alignment", 4, 64)]
    named = [(name, array.shape, 0, array.tobytes()) for name, array in tensors.items() if array.ndim == 2]
    path = written(tmp_path, "in.gguf", gguf(keys, named, align=64))
    fourcc.convert(path, tmp_path / "model.bin", policy=Policy.shorthand(tag))
    fourcc.convert(path, tmp_path / "kept.bin")
    for start, policy in ((path, Policy.shorthand(tag)), (tmp_path / "model.bin", None), (tmp_path / "kept.bin", None)):
        with open_source(start) as source:
            plans = plan_export(source, KINDS["gguf"], policy)
            execute_export(plans, check_targets(plans, tmp_path / "out.gguf", force=True))
        fields = {key: field.contents() for key, field in GGUFReader(tmp_path / "out.gguf").fields.items()}
        assert fields["general.alignment"] == 32
        if start.name == "kept.bin":
            assert (fields["general.file_type"], fields["quantize.imatrix.file"]) == (stated, "x")
            continue
        assert fields.get("general.file_type") == found
        assert "quantize.imatrix.file" not in fields
        history = "quantize.imatrix.file is left out: matrices were encoded anew"
        assert [each for each in plans.layout.notes if "general" in each or "quantize" in each] == [
            *([note] if note else []),
            history,
        ]


HOSTILE = {
    "no msgpack": (b"\xc1", "not valid msgpack"),
    "no map": (msgpack.packb([1]), "byte 0: the list of a GGUF file's keys is not a map"),
    "more behind it": (
        msgpack.packb({}) + b"\0",
        "byte 1: the list of a GGUF file's keys does not end here: found 1 more bytes",
    ),
    "a key twice": (b"\x82\xa1a\x92\x08\xa1x\xa1a\x92\x08\xa1x", "a key stands twice"),
    "a key that is no text": (msgpack.packb({1: [8, "x"]}), "not valid msgpack"),
    "a key of nothing": (msgpack.packb({"": [8, "x"]}), "not a valid name for a key"),
    "a key with a zero": (msgpack.packb({"a\0": [8, "x"]}), "not a valid name for a key"),
    "a long key": (msgpack.packb({"a" * 70000: [8, "x"]}), "not a valid name for a key"),
    "an unknown type": (msgpack.packb({"a": [13, 1]}), "tensor 'a': the value does not have its type: found (13, 1)"),
    "a negative type": (msgpack.packb({"a": [-1, 1]}), "the value does not have its type"),
    "a type that is true": (msgpack.packb({"a": [True, 1]}), "the value does not have its type"),
    "a text for a number": (msgpack.packb({"a": [4, "x"]}), "the value does not have its type"),
    "too large": (msgpack.packb({"a": [4, 2**32]}), "the value does not have its type"),
    "too large a real": (msgpack.packb({"a": [6, 1e300]}), "the value does not have its type"),
    "nothing": (msgpack.packb({"a": [8, None]}), "the value does not have its type"),
    "no value": (msgpack.packb({"a": [8]}), "the value does not have its type"),
    "an array of arrays": (msgpack.packb({"a": [9, 9, [[1]]]}), "the value does not have its type"),
    "an array that is none": (msgpack.packb({"a": [9, 4, 1]}), "the value does not have its type"),
    "a list that is no array": (msgpack.packb({"a": [4, [1]]}), "the value does not have its type"),
    "an item too large": (msgpack.packb({"a": [9, 0, [1, 256]]}), "the value does not have its type"),
    "a vocabulary": (msgpack.packb({"tokenizer.ggml.model": [8, "x"]}), "the value does not have its type"),
    "many arrays": (msgpack.packb({"a": [9, 4, [[0]] * 200_000]}), "more arrays than keys have"),
    "many empty arrays": (msgpack.packb({"a": [9, 4, [[]] * 200_000]}), "more arrays than keys have"),
    "depth": (msgpack.packb({"a": 1})[:3] + b"\x91" * 2000 + b"\x01", "not valid msgpack"),
}


@pytest.mark.parametrize("family", ["llama", "mamba"])
@pytest.mark.parametrize(("data", "what"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_keys(tmp_path: Path, data: bytes, what: str, family: str) -> None:
    """A model.bin from elsewhere holds any bytes there: the blob is named, and nothing is written."""
    with model(tmp_path, Part()) as opened:
        source = attrs.evolve(opened, architecture=family, blobs={BLOB: data})
        with pytest.raises(InputError) as caught:
            plan_export(source, KINDS["gguf"])
    assert what in str(caught.value)
    assert "metadata.gguf" in str(caught.value)


def test_keys_too_long_to_be_read_again(tmp_path: Path) -> None:
    """Keys that no reader accepts are not written."""
    data = msgpack.packb({"a": [8, "x" * (4 << 20)]})
    with model(tmp_path, Part()) as opened, pytest.raises(InputError, match="too long for the keys of a GGUF file"):
        plan_export(attrs.evolve(opened, blobs={BLOB: data}), KINDS["gguf"])


def test_a_part_that_is_left_out_is_noted(tmp_path: Path) -> None:
    """Without its biases another model runs, and a note says so; without a matrix none runs, and there is no note."""
    note = (
        "4 tensors are left out that the model has, so what is written is another model: 'layers.0.attention.wq.bias'"
    )
    with model(tmp_path, Part(("q",))) as source:
        made = execute(plan(source, Policy.keep(), exclude=["*.bias"]), tmp_path / "a.bin")
        written_too = plan_export(source, KINDS["safetensors"], exclude=["*.bias"])
        whole = execute(plan(source, Policy.keep(), exclude=["*.wo"]), tmp_path / "b.bin")
    assert [each.startswith(note) for each in made.notes] == [False] * (len(made.notes) - 1) + [True]
    assert [each.startswith(note) for each in written_too.layout.notes] == [True]
    assert not any("left out" in each for each in whole.notes)


def test_a_scaling_in_llama_cpp_s_words(tmp_path: Path) -> None:
    """Transformers would pass over unknown tensors and keys."""
    hyper = {"rope_scaling.type": "yarn", "rope_scaling.factor": 2.0, "rope_scaling.yarn_beta_fast": 16.0}
    hyper["rope_scaling.original_max_position_embeddings"] = 64
    with (
        model(tmp_path, Part(hyper=hyper)) as source,
        pytest.raises(UsageError, match=r"no word for what scales this rotation: found rope_scaling\.yarn_beta_fast"),
    ):
        plan_export(source, KINDS["safetensors"])


@pytest.mark.parametrize(
    ("keys", "own", "kept"),
    [
        ({"eos": 3}, None, 3),
        ({"eos": 3, "eot": 5, "eom": 3}, None, [3, 5]),
        ({"eos": 3}, [6, 3], [6, 3]),
        ({"eos": -1}, 4, 4),
        ({}, None, None),
    ],
)
def test_ends_of_a_gguf_tokenizer_that_stays_behind(
    tmp_path: Path, keys: dict[str, int], own: object, kept: object
) -> None:
    """It has no place beside safetensors; its tokens that end a text go into the config, united with the model's."""
    blob = {f"tokenizer.ggml.{name}_token_id": token for name, token in {**keys, "bos": 1}.items()}
    with model(tmp_path, Part(hyper={} if own is None else {"eos_token_id": own})) as opened:
        source = attrs.evolve(opened, blobs={tokenizer.GGUF: msgpack.packb(blob)})
        layout = plan_export(source, KINDS["safetensors"]).layout
    config_json = json.loads(layout.beside["config.json"])
    assert (config_json["bos_token_id"], config_json.get("eos_token_id")) == (1, kept)
