"""Checkpoints of which something is to be noted, each with how it is converted and exported."""

import copy
import json
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from fourcc.models.tokenizers.gguf_bpe import ALPHABET
from tests.exporters.made_tokenizers import of_bytes, of_pieces
from tests.running.family_cases import CASES
from tests.running.family_oracle import as_first_released
from tests.running.family_oracle import tensors as of_case
from tests.sources.test_ggjt import ggjt
from tests.sources.test_ggjt import model as of_ggjt
from tests.sources.writers import (
    Arrays,
    config,
    gguf,
    gguf_key,
    gguf_llama,
    gguf_llama_keys,
    gguf_name,
    hf_name,
    llama,
    llama2c_v0,
    safetensors,
    to_hf,
    tokenizer_bin,
    written,
)
from tests.sources.writers_weight_only import checkpoint

SIZES = {"dim": 32, "hidden": 48, "heads": 4, "kv_heads": 2, "vocab": 40, "seq": 64}
LISTED = 15  # ggml's type Q8_K, of which there is no format here: 292 bytes for 256 weights
JSON = "tokenizer.json"


@attrs.frozen
class Model:
    """A checkpoint to try.

    Attributes:
        make: writes it into a folder; gives its path.
        policy: formats of `convert` and `export`, in short.
        recipe: name of a recipe, in place of a policy.
        instead: what `export` is told by ``--as``.
        tokenizer: name of a file in the folder, in place of what it brings.
        exclude: tensors that are left out.
        pre: what `convert` and `export` are told by ``--pre``.
    """

    make: Callable[[Path], Path]
    policy: str = ""
    recipe: str = ""
    instead: str = ""
    tokenizer: str = ""
    exclude: tuple[str, ...] = ()
    pre: str | None = None


def hf(
    folder: Path,
    *,
    more: Arrays | None = None,
    drop: Iterable[str] = (),
    shared: bool = True,
    files: dict[str, bytes | dict[str, object]] | None = None,
    name: Callable[[str], str] = str,
    vocab: int = 40,
    **fields: object,
) -> Path:
    """A small Llama as Hugging Face has it: its config with these fields, further files, another name for tensors."""
    h, ours = llama(shared=shared, **(SIZES | {"vocab": vocab}))
    tensors = {name(key): array for key, array in to_hf(h, ours).items() if key not in set(drop)} | (more or {})
    written(folder, "model.safetensors", safetensors(tensors))
    usual: dict[str, object] = {"rope_theta": 10000.0, "rms_norm_eps": 1e-5, "tie_word_embeddings": shared}
    written(folder, "config.json", config(h, **(usual | fields)))  # type: ignore[arg-type]
    for key, data in (files or {}).items():
        written(folder, key, data)
    return folder


def made(**options: object) -> Callable[[Path], Path]:
    """`hf` with these options."""
    return lambda folder: hf(folder, **options)  # type: ignore[arg-type]


def ones(name: str, size: int) -> Arrays:
    """A vector."""
    return {name: np.ones(size, "<f4")}


def biases(letter: str) -> Arrays:
    """The biases of both layers' q, k or v."""
    names = [f"model.layers.{layer}.self_attn.{letter}_proj.bias" for layer in (0, 1)]
    return {name: np.ones(32 if letter == "q" else 16, "<f4") for name in names}


def words(count: int) -> bytes:
    """A tokenizer.json of so many words."""
    vocab = {chr(33 + number): number for number in range(count)}
    model = {"type": "WordLevel", "vocab": vocab, "unk_token": "!"}
    return json.dumps({"version": "1.0", "added_tokens": [], "model": model}).encode()


def of_family(case: str, tensors: Callable[[str], Arrays], **fields: object) -> Callable[[Path], Path]:
    """The folder of a family's case, with more fields of its config."""

    def make(folder: Path) -> Path:
        written(folder, "model.safetensors", safetensors(tensors(case)))
        written(folder, "config.json", CASES[case] | fields)
        return folder

    return make


def embedding() -> np.ndarray:
    """The embedding of `hf`."""
    return llama(**SIZES)[1]["tok_embeddings"]


# -- tokenizers


def byte_pairs() -> dict[str, Any]:
    """A tokenizer.json of byte pairs in NFC that puts two tokens before a text; one token takes spaces along."""
    tree = of_bytes("qwen2", form="NFC")
    first, text = {"SpecialToken": {"id": "<|begin|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    strips = {"id": tree["added_tokens"][-1]["id"] + 1, "content": "[strips]", "lstrip": True, "rstrip": False}
    tree["post_processor"]["single"] = [first, first, text]
    tree["added_tokens"].append(strips | {"single_word": False, "normalized": False, "special": False})
    return tree


def with_json(make: Callable[[], dict[str, Any]], **files: bytes) -> Callable[[Path], Path]:
    """A model with a tokenizer.json of as many tokens as it has rows."""

    def written_there(folder: Path) -> Path:
        tree = make()
        rows = 1 + max(each["id"] for each in tree["added_tokens"])
        beside = {name.replace("_jinja", ".jinja"): data for name, data in files.items()}
        return hf(folder, vocab=max(rows, len(tree["model"]["vocab"])), files={JSON: tree, **beside})

    return written_there


def with_byte_pairs(folder: Path) -> Path:
    """A GGUF model with a vocabulary of byte pairs, cut as GPT-2's."""
    texts = [*ALPHABET.values(), "ab"]
    h, tensors = llama(shared=False, **(SIZES | {"vocab": len(texts)}))
    keys = [
        gguf_key("tokenizer.ggml.model", 8, "gpt2"),
        gguf_key("tokenizer.ggml.pre", 8, "gpt-2"),
        gguf_key("tokenizer.ggml.tokens", 9, texts, 8),
        gguf_key("tokenizer.ggml.merges", 9, ["a b"], 8),
    ]
    return written(folder, "m.gguf", gguf_llama(h, tensors, *keys))


BYTES = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]


def vocabulary(tokens: int) -> list[bytes]:
    """Keys of a GGUF tokenizer: bytes, and then letters."""
    texts = BYTES + [chr(0x100 + number) for number in range(tokens - len(BYTES))]
    kinds = [2, 3, 3, *[6] * 256, *[1] * (tokens - len(BYTES))]
    return [
        gguf_key("tokenizer.ggml.model", 8, "llama"),
        gguf_key("tokenizer.ggml.tokens", 9, texts, 8),
        gguf_key("tokenizer.ggml.scores", 9, [-float(number) for number in range(tokens)], 6),
        gguf_key("tokenizer.ggml.token_type", 9, kinds, 5),
        gguf_key("tokenizer.ggml.add_space_prefix", 7, value=False),
    ]


def with_vocabulary(tokens: int) -> Callable[[Path], Path]:
    """A GGUF model of 300 rows, of which those beyond 290 are likelier than any other, and a tokenizer."""

    def make(folder: Path) -> Path:
        h, tensors = llama(shared=False, **(SIZES | {"vocab": 300}))
        tensors["output"][290:] *= 40
        return written(folder, "m.gguf", gguf_llama(h, tensors, *vocabulary(tokens)))

    return make


def another_tokenizer(folder: Path) -> Path:
    """A folder with all files of a tokenizer, and another one beside it that is cut."""
    files = {JSON: words(9), "tokenizer_config.json": b"{}", "merges.txt": b"a b"}
    written(folder, "other.bin", tokenizer_bin(30)[:-2])
    return hf(folder, files=files)  # type: ignore[arg-type]


def damaged_companions(folder: Path) -> Path:
    """A tokenizer.model that was not downloaded, merges that are too long, a template in a text that is no JSON."""
    (folder / "merges.txt").touch()
    with (folder / "merges.txt").open("r+b") as file:
        file.truncate((64 << 20) + 1)  # with no block on the disk
    lfs = b"version https://git-lfs.github.com/spec/v1\n"
    return hf(folder, files={JSON: words(9), "tokenizer.model": lfs, "tokenizer_config.json": b'{"chat_template": '})


def without_tables(folder: Path) -> Path:
    """A llama2.c file, and its tokenizer."""
    h, tensors = llama(**(SIZES | {"vocab": 300}))
    texts = [text.encode() for text in [*BYTES, *(chr(0x100 + number) for number in range(41))]]
    entries = b"".join(struct.pack("<fI", 0.0, len(text)) + text for text in texts)
    written(folder, "tokenizer.bin", struct.pack("<I", 6) + entries)
    return written(folder, "m.bin", llama2c_v0(h, tensors, rope=False))


# -- GGUF


def blocks(
    name: str, kind: int, nbytes: int, shape: tuple[int, ...] = (1, 256)
) -> tuple[str, tuple[int, ...], int, bytes]:
    """A tensor of some ggml type, all zeros."""
    return name, shape, kind, bytes(nbytes)


def odd_gguf(folder: Path) -> Path:
    """Keys that say what the head says, one that lacks and one that is no number; a wrong shape; a byte too many."""
    h, tensors = llama(**SIZES)
    keys = gguf_llama_keys(h)
    keys = [key for key in keys if b"context_length" not in key and b"block_count" not in key]
    keys += [gguf_key("llama.block_count", 4, 0)]
    keys += [gguf_key("GGUF.version", 4, 3), gguf_key("GGUF.tensor_count", 10, 9)]
    tensors["layers.0.feed_forward.w1"] = np.ones((47, 32), "<f4")
    named = [(gguf_name(name), array.shape, 0, array.tobytes()) for name, array in tensors.items()]
    return written(folder, "m.gguf", gguf(keys, named) + b"x")


def with_scales_of_activations(folder: Path) -> Path:
    """A matrix in NVFP4 with its second scale and that of its activations."""
    scales = [(f"a.{word}", (1,), 0, np.float32(0.5).tobytes()) for word in ("scale", "input_scale")]
    return written(folder, "m.gguf", gguf([], [blocks("a.weight", 40, 144), *scales]))


def followed(folder: Path) -> Path:
    """Five bytes behind the last tensor."""
    return written(folder, "m.gguf", gguf_llama(*llama(**SIZES)) + b"12345")


def quantized(*history: str, file_type: int) -> Callable[[Path], Path]:
    """A GGUF file of another family that says how its matrices were quantized."""

    def make(folder: Path) -> Path:
        rng = np.random.default_rng(2)
        keys = [gguf_key("general.architecture", 8, "other"), gguf_key("general.file_type", 4, file_type)]
        keys += [gguf_key(name, 8, "x") for name in history]
        arrays = {f"m{number}.weight": rng.standard_normal((4, 256)).astype("<f4") for number in range(3)}
        return written(folder, "m.gguf", gguf(keys, [(n, a.shape, 0, a.tobytes()) for n, a in arrays.items()]))

    return make


# -- several files


def indexed(folder: Path) -> Path:
    """Copies of two tensors, one that is not listed, and a wrong total."""
    first, second = (f"model-0000{number}-of-00002.safetensors" for number in (1, 2))
    a, b = np.arange(6, dtype="<f4").reshape(2, 3), np.ones((2, 3), "<f4")
    written(folder, first, safetensors({"a": a, "b": b, "c": a}))
    written(folder, second, safetensors({"a": a + 1, "b": b + 1, "d": b, "e": a}))
    weights = {"a": first, "b": second, "d": second, "c": first}
    index = {"metadata": {"total_size": 7}, "weight_map": weights}
    return written(folder, "model.safetensors.index.json", index)  # type: ignore[arg-type]


def copied_once(folder: Path) -> Path:
    """One copy, and all is listed."""
    index = json.loads(indexed(folder).read_text())
    index["weight_map"]["e"] = index["weight_map"]["d"]
    weights = index["weight_map"]
    first, second = sorted(set(weights.values()))
    written(folder, first, safetensors({"a": np.zeros((2, 3), "<f4"), "c": np.ones(3, "<f4")}))
    written(folder, second, safetensors({name: np.ones((2, 3), "<f4") for name in "abde"}))
    return written(folder, "model.safetensors.index.json", index)


# -- quantized by others


def weight_only(change: Callable[[Arrays], Arrays], kind: str = "gptq", **fields: object) -> Callable[[Path], Path]:
    """GPTQ or AWQ, with some tensors changed."""

    def make(folder: Path) -> Path:
        stored, said, _ = checkpoint(kind)
        written(folder, "model.safetensors", safetensors(change(stored)))
        written(folder, "config.json", {**said, **fields})
        return folder

    return make


def no_index(stored: Arrays) -> Arrays:
    """A model in which every index is all zeros."""
    return {name: np.zeros_like(array) if name.endswith("g_idx") else array for name, array in stored.items()}


def idle_groups(stored: Arrays) -> Arrays:
    """One index never names group 2."""
    name = "model.layers.1.mlp.down_proj.g_idx"
    return stored | {name: np.where(stored[name] == 2, 1, stored[name]).astype("<i4")}


def input_scales(stored: Arrays) -> Arrays:
    """Each quantized matrix has a scale for what it is multiplied with."""
    modules = [name.removesuffix("_scale") for name in stored if name.endswith(".weight_scale")]
    return stored | {f"{name.removesuffix('.weight')}.input_scale": np.ones(1, "<f4") for name in modules}


def w8a8() -> dict[str, object]:
    """compressed-tensors' words for int8 weights and activations."""
    _, said, _ = checkpoint("compressed int8")
    quantization: dict[str, Any] = copy.deepcopy(said["quantization_config"])  # type: ignore[assignment]
    for group in quantization["config_groups"].values():
        group["input_activations"] = {"num_bits": 8, "type": "int", "dynamic": False}
    return quantization


def int8(folder: Path) -> Path:
    """Codes with scales, in no scheme that is read."""
    h, ours = llama(**SIZES)
    tensors = {}
    for name, array in to_hf(h, ours).items():
        quantized = name.endswith("_proj.weight")
        tensors[name] = np.ones(array.shape, "|i1") if quantized else array
        tensors |= {f"{name}_scale": np.ones(len(array), "<f4")} if quantized else {}
    written(folder, "config.json", config(h))
    written(folder, "model.safetensors", safetensors(tensors))
    return folder


# -- the rest


def plain(arrays: Arrays) -> Callable[[Path], Path]:
    """A safetensors file alone."""
    return lambda folder: written(folder, "m.safetensors", safetensors(arrays))


def adapter(folder: Path) -> Path:
    """A LoRA adapter as peft leaves it."""
    written(folder, "adapter_config.json", {"peft_type": "LORA"})
    return plain(ones("base_model.model.x.lora_A.weight", 4))(folder).rename(folder / "model.safetensors").parent


SMALL = np.full((4, 256), 1e-9, "<f4")
LORA = "model.layers.0.self_attn.q_proj.lora_{}.weight"
LINEAR = {"rope_type": "linear", "factor": 4.0}

MODELS = {
    "whole": Model(made()),
    "F16, and told twice": Model(made(), policy="F16", instead="Q8_0,F32"),
    "a recipe that does not fit": Model(made(), recipe="Q4_K_M"),
    "--as without need": Model(made(), instead="Q8_0"),
    "an embedding that a layout does not quantize": Model(made(), policy="Q8_G"),
    "a card that cannot be read": Model(made(files={"README.md": b"---\nlicense: mit\n  odd\nwhat is this\n---\n"})),
    # names
    "another prefix": Model(made(name=lambda name: f"language_model.{name}")),
    "no prefix": Model(made(name=lambda name: name.removeprefix("model."))),
    "a prefix in place of another": Model(
        made(name=lambda name: name.replace("model.embed_tokens", "transformer.embed_tokens"))
    ),
    "an adapter's tensor": Model(made(more=ones(LORA.format("A"), 4))),
    "an adapter's tensors": Model(made(more=ones(LORA.format("A"), 4) | ones(LORA.format("B"), 4))),
    "an adapter": Model(adapter),
    # what is not known, missing or contradicted
    "a bias of the head": Model(made(more=ones("lm_head.bias", 40))),
    "another activation": Model(made(hidden_act="gelu")),
    "a part": Model(made(drop=["model.layers.1.input_layernorm.weight", "model.norm.weight"])),
    "a smaller part": Model(made(drop=[hf_name(name) for name in llama()[1] if "feed_forward" in name])),
    "biases": Model(made(more=ones("model.layers.0.self_attn.q_proj.bias", 32))),
    "norms": Model(made(more=ones("model.layers.0.self_attn.q_norm.weight", 8))),
    "no norms": Model(made(model_type="qwen3")),
    "many biases": Model(made(more={name: array for letter in "qkv" for name, array in biases(letter).items()})),
    "strange keys": Model(made(logit_scale=0.5, attn_bias="x")),
    "two maps of rotation": Model(made(rope_scaling=LINEAR, rope_parameters=LINEAR | {"factor": 2.0})),
    "too many words on a rotation": Model(made(rope_scaling=LINEAR | {"beta_fast": 3})),
    # of other families and tasks
    "another family": Model(made(model_type="gemma", files={JSON: words(9)})),
    "another task": Model(made(architectures=["LlamaForSequenceClassification"])),
    "another family in AWQ": Model(weight_only(dict, "awq", model_type="gemma", head_dim=8)),
    # tensors beside
    "a table": Model(made(more=ones("model.layers.0.self_attn.rotary_emb.inv_freq", 4))),
    "tables": Model(made(more={f"model.layers.{i}.self_attn.rotary_emb.inv_freq": np.ones(4, "<f4") for i in (0, 1)})),
    "a copy of the embedding": Model(made(more={"lm_head.weight": embedding()})),
    "another head": Model(made(more={"lm_head.weight": embedding() + 1})),
    "nothing": Model(plain({})),
    "no weight": Model(plain({"a": np.ones((0, 4), "<f4"), "b": np.ones(4, "<f4")})),
    "no weights": Model(plain({"a": np.ones((0, 4), "<f4"), "b": np.ones(4, "<f4"), "c": np.ones(0, "<f4")})),
    "wiped out": Model(plain({"gone": SMALL, "fine": np.ones((4, 256), "<f4"), "zero": SMALL * 0}), policy="Q8_0"),
    "all wiped out": Model(plain({f"gone{i}": SMALL for i in range(9)}), policy="F16"),
    # tokenizers
    "a tokenizer": Model(made(files={JSON: words(40)}, eos_token_id=[4, 5, 6, 7])),
    "another tokenizer": Model(another_tokenizer, tokenizer="other.bin"),
    "the same tokenizer": Model(made(files={JSON: words(40), "tokenizer_config.json": b"{}"}), tokenizer=JSON),
    "damaged companions": Model(damaged_companions),
    "a template alone": Model(made(files={"chat_template.jinja": b"{{ message }}", "generation_config.json": b"{}"})),
    "too few tokens": Model(with_vocabulary(290)),
    "too many tokens": Model(with_vocabulary(303)),
    "byte pairs": Model(with_json(byte_pairs)),
    "byte pairs, forced": Model(with_json(byte_pairs, chat_template_jinja=b"{{ m }}"), pre="gpt-2"),
    "byte pairs of GGUF, forced": Model(with_byte_pairs, pre="llama-bpe"),
    "no vocabulary": Model(with_json(byte_pairs), pre="none"),
    "likeliest pieces": Model(with_json(of_pieces)),
    # GGUF
    "an odd GGUF": Model(odd_gguf),
    "bytes behind": Model(followed),
    "a key three times": Model(
        lambda folder: written(folder, "m.gguf", gguf([gguf_key("a", 4, 1)] * 3, [blocks("b", 0, 1024)]))
    ),
    "layouts of no format": Model(
        lambda folder: written(folder, "m.gguf", gguf([], [blocks("a", LISTED, 292), blocks("b", 0, 1024)])),
        exclude=("a",),
    ),
    "scales of activations": Model(with_scales_of_activations),
    "quantized anew": Model(quantized("quantize.imatrix.file", file_type=15), policy="Q8_0"),
    "quantized anew, with a history": Model(quantized("quantize.a", "quantize.b", file_type=2), policy="MXF4"),
    "stored as numbers that no file type says": Model(quantized("quantize.a", file_type=2), policy="F64"),
    "a window": Model(made(model_type="mistral", sliding_window=16)),
    "names behind a wrapper": Model(made(name="_orig_mod.{}".format, shared=False)),
    "names without the family's word": Model(made(name=lambda name: name.removeprefix("model."))),
    "masks": Model(of_family("gpt2", as_first_released)),
    "a Gemma with an output matrix of its own": Model(of_family("gemma, untied", of_case)),
    "a Gemma 3 with a rotation for no type of layer": Model(
        of_family("gemma3", of_case, rope_scaling=None, rope_parameters=LINEAR)
    ),
    "a Gemma 3 with an older word": Model(of_family("gemma3", of_case, rope_scaling={"type": "linear", "factor": 4.0})),
    "a model of pictures": Model(of_family("gemma3, with pictures", of_case)),
    "an activation of its own": Model(of_family("gpt_neox", of_case)),
    # other files
    "no tables": Model(without_tables, tokenizer="tokenizer.bin"),
    "ggjt": Model(lambda folder: written(folder, "m", ggjt(*of_ggjt()))),
    "an index": Model(indexed),
    "an index with a copy": Model(copied_once),
    "int8": Model(int8),
    "GPTQ with exceptions": Model(
        weight_only(dict, quantization_config={"quant_method": "gptq", "bits": 4, "dynamic": {"+:x": {"bits": 5}}})
    ),
    "no name of a scheme": Model(made(quantization_config={"bits": 4})),
    "no scheme": Model(made(quantization_config="4 bits")),
    "no index of groups": Model(weight_only(no_index)),
    "quantized activations": Model(weight_only(input_scales, "compressed int8", quantization_config=w8a8())),
    "idle groups": Model(weight_only(idle_groups, "gptq act-order")),
}
