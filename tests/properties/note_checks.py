"""Checks each note against the files that were made, which are read by their own packages where there are such."""

import copy
import json
import re
import struct
import tomllib
from collections import Counter
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import gguf
import msgpack
import numpy as np
import pytest
import safetensors.numpy
import tokenizers

import fourcc
from fourcc.errors import InputError, UsageError
from fourcc.exporters.export import check_targets, execute_export, plan_export
from fourcc.models.tokenizers import open_tokenizer
from fourcc.models.tokenizers.probes import probe_texts
from fourcc.policy import Policy
from fourcc.sources import open_source
from tests.properties.note_cases import TRIED, Case, refused, sqnr, with_only
from tests.sources.writers import Arrays, decoded, llama, llama2c_v0, written

Check = Callable[[Case, str, re.Match[str]], None]
CHECKS: dict[str, Check] = {}


def says(pattern: str) -> Callable[[Check], Check]:
    """The check of the notes that a pattern matches from end to end."""

    def add(check: Check) -> Check:
        assert pattern not in CHECKS
        CHECKS[pattern] = check
        return check

    return add


def listed(text: str) -> list[str]:
    """Names in a list, without the count of further ones."""
    return re.sub(r" and \d+ more$", "", text).split(", ")


def counted(text: str) -> tuple[int, list[str]]:
    """``2 tensors ('a', 'b')``: the number, and names."""
    match = re.fullmatch(r"(\d+) tensor(s?) \((.*)\)", text)
    assert match is not None
    assert (match[1] == "1") is (match[2] == "")
    return int(match[1]), [name.strip("'") for name in listed(match[3])]


def rewritten(case: Case, name: str, **changes: object) -> tuple[dict[str, object], Arrays]:
    """Hyper-parameters and tensors of a copy of the folder with another config; None takes a key away."""
    copy = case.folder / name
    copy.mkdir()
    config = {key: value for key, value in (case.config | changes).items() if value is not None}
    written(copy, "config.json", config)
    (copy / "model.safetensors").write_bytes((case.path / "model.safetensors").read_bytes())
    with open_source(copy) as source:
        return dict(source.hyper), decoded(source)


def same(one: Arrays, other: Arrays) -> bool:
    """Whether the tensors are the same ones."""
    return one.keys() == other.keys() and all(np.array_equal(array, other[name]) for name, array in one.items())


def contents(path: Path) -> dict[str, bytes]:
    """The bytes of a file, or of the files of weights in a folder."""
    files = path.glob("*.safetensors") if path.is_dir() else [path]
    return {file.name if path.is_dir() else "": file.read_bytes() for file in files}


def is_refused(case: Case, why: str) -> None:
    """Asserts that the model is not run for a reason, or for another one that was noted, too: one is enough."""
    noted = {f"{case.bin}: {note}" for _, note in case.notes}
    assert why in case.refusal or case.refusal in noted


# -- models that are not run


@says(r"this model cannot be run: (.*)")
def _refused(case: Case, _: str, match: re.Match[str]) -> None:
    is_refused(case, match[1])


@says(r"the model is not complete: there is no (.*?)(, and others)?")
def _incomplete(case: Case, _: str, match: re.Match[str]) -> None:
    whole = set(llama()[1])  # as many layers
    gone = [name for name in whole if name not in case.kept]
    assert set(listed(match[1])) <= set(gone)
    assert len(gone) > len(listed(match[1])) if match[2] else len(gone) == len(listed(match[1]))
    is_refused(case, f"tensor '{listed(match[1])[0]}': this model cannot be run: a tensor is missing")


@says(r"the key '(.*)' is (missing|no positive number)")
def _missing_key(case: Case, _: str, match: re.Match[str]) -> None:
    field = case.came.fields.get(match[1])
    assert (field is None) is (match[2] == "missing")
    assert field is None or not field.contents() > 0
    assert case.refusal


@says(r"(\S+): found shape \[(.*)\], the keys say (\d+) x (\d+) \(.*\)")
def _contradiction(case: Case, _: str, match: re.Match[str]) -> None:
    (tensor,) = (each for each in case.came.tensors if each.name == match[1])
    assert [int(size) for size in reversed(tensor.shape)] == [int(size) for size in match[2].split(", ")]
    keys = {key.partition(".")[2]: field.contents() for key, field in case.came.fields.items()}
    assert (int(match[3]), int(match[4])) == (keys["feed_forward_length"], keys["embedding_length"])
    assert case.refusal


@says(r"the file has (.*?)(?: and (\d+) more)?, but (?:the config does not say (\w+) true|a (\w+) model has none such)")
def _denied(case: Case, _: str, match: re.Match[str]) -> None:
    names, beside = match[1].split(", "), set(case.kept) - set(llama()[1])
    assert set(names) <= beside
    assert len(names) + int(match[2] or 0) == len(beside)
    assert case.config.get(match[3] or "") is not True
    assert case.config["model_type"] == (match[4] or case.config["model_type"])
    assert " = False" in case.refusal
    assert (match[3] or "qk_norm") in case.refusal


@says(r"a qwen3 has norms of q and k in each layer, and here a layer lacks them")
def _without_norms(case: Case, _: str, __: re.Match[str]) -> None:
    matrices = [name for name in case.kept if name.endswith((".wq", ".wk"))]
    assert [name for name in matrices if f"{name[:-2]}{name[-1]}_norm" not in case.kept]
    assert case.config["model_type"] == "qwen3"
    assert "qk_norm = True" in case.refusal


@says(r"the weights are quantized by another tool, in a scheme that is not read here: (.*)\. Its codes and scales .*")
def _foreign(case: Case, _: str, match: re.Match[str]) -> None:
    assert same(case.kept, case.stored)
    assert match[1] in case.refusal
    codes = {name for name, array in case.stored.items() if array.dtype.kind in "iu"}
    every = 'version = 1\n[[rule]]\nmatch = "*"\ntag = "BF16"\n'
    scales = {name for name in case.stored if name.endswith(("_scale", ".scales"))}
    for parts in (codes, scales) if codes else [set(case.stored)]:
        with pytest.raises(UsageError, match=r"cannot (become BF16|be encoded anew)") as caught:
            fourcc.convert(case.path, case.folder / "anew.bin", policy=every, include=sorted(parts))
        assert any(part in str(caught.value) for part in parts)


@says(r"a LoRA adapter \((.*)\), no model: merge it into the model that it was made for")
def _adapter(case: Case, _: str, match: re.Match[str]) -> None:
    assert (case.path / match[1]).is_file()
    assert not (case.path / "config.json").exists()
    assert "this model cannot be run" in case.refusal


# -- names


@says(r"(\d+) tensors? (has|have) unknown names(?: that begin with '(.*)')?: (\S+) would be known as (\S+)")
def _unknown_names(case: Case, _: str, match: re.Match[str]) -> None:
    assert (match[1] == "1") is (match[2] == "has")
    assert match[4] in case.kept
    (made,) = with_only(case, "renamed", {match[5]: case.stored[match[4]]})
    assert made != match[5]
    begin = match[3] or ""
    alike = [name for name in case.stored if name in case.kept and name.startswith(begin)]
    assert len(alike) == int(match[1])


@says(r"(\d+) names? (is|are) read (?:without '(.*)'|with the words that the family puts before them): (\S+) as (\S+)")
def _behind_a_wrapper(case: Case, _: str, match: re.Match[str]) -> None:
    assert (match[1] == "1") is (match[2] == "is")
    prefix = match[3] or ""
    masks = (".attn.bias", ".masked_bias")
    behind = [name for name in case.stored if name.startswith(prefix) and not name.endswith(masks)]
    assert len(behind) == int(match[1])
    assert match[4] == min(behind)
    assert match[5].endswith(match[4].removeprefix(prefix))
    assert not set(behind) & set(case.kept)
    assert not case.refusal


@says(r"(\d+) tensors? (is|are) left out: masks are computed: (.*)")
def _masks(case: Case, _: str, match: re.Match[str]) -> None:
    masks = [name for name in case.stored if name.endswith((".attn.bias", ".masked_bias"))]
    assert (match[1] == "1") is (match[2] == "is")
    assert len(masks) == int(match[1])
    assert set(listed(match[3])) <= set(masks)
    assert not case.refusal


@says(r"(\d+) tensors? (is|are) left out: they are no part of the language model of a (\S+): (.*)")
def _pictures(case: Case, _: str, match: re.Match[str]) -> None:
    assert case.config["model_type"] == match[3]
    others = [name for name in case.stored if not name.startswith("language_model.")]
    assert len(others) == int(match[1])
    assert set(listed(match[4])) <= set(others)
    assert len(case.kept) == len(case.stored) - len(others)
    assert not case.refusal


@says(r"(\d+) tensors? (has|have) the names of a LoRA adapter's: merge it into the model first")
def _adapter_tensors(case: Case, _: str, match: re.Match[str]) -> None:
    assert (match[1] == "1") is (match[2] == "has")
    assert sum("lora" in name for name in case.stored) == int(match[1])
    assert "lora_A" in case.refusal


@says(
    r"no language model of a family that is known here \((.*)\): names are kept"
    r"(, and each matrix .* is one, called \*\.weight)?"
)
def _names_are_kept(case: Case, _: str, match: re.Match[str]) -> None:
    word, _, said = match[1].partition(" ")
    found = case.config[word]
    assert said == (", ".join(found) if isinstance(found, list) else repr(found))
    made = set(case.kept) - set(case.stored)
    assert bool(match[2]) is bool(made)
    parts = {name for name in case.stored if f"{name.rpartition('.')[0]}.weight" in made}
    assert set(case.stored) - set(case.kept) == parts
    assert "this model cannot be run" in case.refusal


# -- keys of a config


@says(r"keys of the config that a (\w+) model does not heed are passed over: (.*)")
def _passed_over(case: Case, _: str, match: re.Match[str]) -> None:
    keys = match[2].split(", ")
    assert case.config["model_type"] == match[1]
    hyper, tensors = rewritten(case, "bare", **dict.fromkeys({key: case.config[key] for key in keys}))
    assert hyper == case.hyper
    assert same(tensors, case.kept)
    assert not set(keys) & set(case.hyper)


@says("rope_scaling and rope_parameters differ: rope_scaling is taken")
def _two_maps(case: Case, _: str, match: re.Match[str]) -> None:
    assert case.config["rope_scaling"] != case.config["rope_parameters"]
    assert rewritten(case, "older", rope_parameters=None)[0] == case.hyper
    assert rewritten(case, "newer", rope_scaling=None)[0] != case.hyper


@says("rope_parameters without full_attention and sliding_attention is passed over, as by transformers")
def _map_for_all_layers(case: Case, _: str, match: re.Match[str]) -> None:
    assert rewritten(case, "without", rope_parameters=None)[0] == case.hyper


@says(r"rope_scaling says type '(\w+)' and no rope_type: passed over, as by transformers")
def _older_type(case: Case, _: str, match: re.Match[str]) -> None:
    said = case.config["rope_scaling"]
    assert isinstance(said, dict)
    assert said["type"] == match[1]
    assert rewritten(case, "without", rope_scaling=None)[0] == case.hyper


@says(r"rope scaling '(\w+)' does not heed (.*): passed over")
def _unheeded_words(case: Case, _: str, match: re.Match[str]) -> None:
    said = case.config["rope_scaling"]
    assert isinstance(said, dict)
    assert said.get("rope_type", "default") == match[1]
    less = {key: value for key, value in said.items() if key not in match[2].split(", ")}
    assert len(less) < len(said)
    assert rewritten(case, "less", rope_scaling=less)[0] == case.hyper


# -- tensors


@says(r"(\d+) tensors? \*(\.[\w.]+) (is|are) left out: the rotation is computed from the config")
def _recomputed(case: Case, _: str, match: re.Match[str]) -> None:
    assert (match[1] == "1") is (match[3] == "is")
    assert sum(name.endswith(match[2]) for name in case.stored) == int(match[1])
    assert not any(name.endswith(match[2]) for name in case.kept)
    other = {name: array * (2 if name.endswith(match[2]) else 1) for name, array in case.stored.items()}
    assert same(with_only(case, "others", other), case.kept)


@says("lm_head is left out: it is the embedding, as the config says")
def _tied(case: Case, _: str, match: re.Match[str]) -> None:
    assert np.array_equal(case.stored["lm_head.weight"], case.stored["model.embed_tokens.weight"])
    assert "output" not in case.kept
    assert case.config["tie_word_embeddings"] is case.hyper["tied_embeddings"] is True


@says("the config ties lm_head to the embedding, but the two differ: lm_head is kept")
def _not_tied(case: Case, _: str, match: re.Match[str]) -> None:
    assert case.config["tie_word_embeddings"] is True
    assert not np.array_equal(case.stored["lm_head.weight"], case.stored["model.embed_tokens.weight"])
    assert np.array_equal(case.kept["output"], case.stored["lm_head.weight"])
    assert case.hyper["tied_embeddings"] is False


@says("the checkpoint holds no tensor")
def _empty(case: Case, _: str, match: re.Match[str]) -> None:
    assert case.stored == case.kept == {}


@says(r"(\d+ tensors? \(.*\)) (has|have) no weight")
def _no_weight(case: Case, _: str, match: re.Match[str]) -> None:
    bare = [name for name, array in case.stored.items() if not array.size]
    assert counted(match[1]) == (len(bare), bare)
    assert (match[2] == "has") is (len(bare) == 1)


@says(r"hardly anything is left of (\d+) tensor(s?) \(SQNR below (\d+) dB\): (.*); try another format")
def _lost(case: Case, where: str, match: re.Match[str]) -> None:
    found = case.kept if where == "convert" else _exported(case, where)
    gone = [name for name, array in case.stored.items() if sqnr(array, found[name]) < float(match[3])]
    names = listed(match[4])
    assert names == gone[: len(names)]
    assert len(gone) == int(match[1]) == len(names) + int((re.findall(r" and (\d+) more", match[4]) or [0])[0])
    assert (match[2] == "") is (len(gone) == 1)


def _exported(case: Case, where: str) -> Arrays:
    if where == "safetensors":
        return {name: array.astype(float) for name, array in safetensors.numpy.load_file(case.output(where)).items()}
    return {
        each.name: gguf.quants.dequantize(each.data, each.tensor_type).reshape(each.shape[::-1])
        for each in case.exported.tensors
    }


# -- tokenizers


@says(r"(.*) takes the place of the tokenizer that the model brings \((.*)\)")
def _replaced(case: Case, _: str, match: re.Match[str]) -> None:
    assert Path(match[1]).read_bytes() in case.blobs.values()
    gone = match[2].split(", ")
    assert all((case.path / name).is_file() for name in gone)
    assert not set(gone) & set(case.blobs)
    with open_source(case.path) as source:
        assert set(source.blobs) - set(case.blobs) == set(gone)


@says(r"(.*) ends within a token: no text can be made with it")
def _cut(case: Case, _: str, match: re.Match[str]) -> None:
    data, at = Path(match[1]).read_bytes(), 4
    while at + 8 <= len(data):
        at += 8 + struct.unpack_from("<I", data, at + 4)[0]
    assert at != len(data)
    with fourcc.open(case.bin) as model, pytest.raises(InputError, match="the file ends within a token"):
        _ = model.tokenizer


@says(r"(\S+) is left out: (?:.*/)\1: (.*)")
def _file_left_out(case: Case, _: str, match: re.Match[str]) -> None:
    assert (case.path / match[1]).is_file()
    assert match[1] not in case.blobs
    for other in (case.path).iterdir():  # without the others it is left out, too
        assert other.name not in case.blobs or case.blobs[other.name] == other.read_bytes()


@says(r"the chat template of (\S+) is left out: (?:.*/)\1\b.*")
def _template_left_out(case: Case, _: str, match: re.Match[str]) -> None:
    with pytest.raises(json.JSONDecodeError):
        json.loads((case.path / match[1]).read_bytes())
    assert "chat_template.jinja" not in case.blobs


def _counts(case: Case, match: re.Match[str]) -> tuple[int, int]:
    tokens, rows = int(match[1]), int(match[2])
    name = next(name for name in ("tok_embeddings", "model.embed_tokens.weight") if name in case.kept)
    assert len(case.kept[name]) == rows
    if "tokenizer.json" in case.blobs:
        assert len(json.loads(case.blobs["tokenizer.json"])["model"]["vocab"]) == tokens
    elif "tokenizer.gguf" in case.blobs:
        assert len(msgpack.unpackb(case.blobs["tokenizer.gguf"])["tokenizer.ggml.tokens"]) == tokens
    else:
        assert _entries(case.blobs["tokenizer.bin"]) == tokens
    return tokens, rows


def _entries(data: bytes) -> int:
    at, entries = 4, 0
    while at + 8 <= len(data):
        at, entries = at + 8 + struct.unpack_from("<I", data, at + 4)[0], entries + 1
    return entries - (at > len(data))


@says(r"the tokenizer has (\d+) tokens, the model rows for (\d+): those beyond are padding, never drawn")
def _padding(case: Case, _: str, match: re.Match[str]) -> None:
    tokens, rows = _counts(case, match)
    assert tokens < rows
    if case.path.suffix != ".gguf":  # the others' tokenizers are no more than a number of tokens
        return
    with fourcc.open(case.bin) as model:
        ids = [1, 40, 50]
        assert int(model.network(threads=1).forward(ids).argmax()) >= tokens  # so all would be padding
        for temperature in (0.0, 1.2):
            pieces = model.pieces("a", steps=9, temperature=temperature, seed=1, threads=1)
            drawn = [token for piece in pieces if not piece.prompt for token in piece.tokens]
            assert drawn
            assert max(drawn) < tokens


@says(r"the tokenizer has (\d+) tokens, the model rows for (\d+): a text that needs one beyond is refused")
def _beyond(case: Case, _: str, match: re.Match[str]) -> None:
    tokens, rows = _counts(case, match)
    assert tokens > rows
    with fourcc.open(case.bin) as model:
        last = model.tokenizer.text([tokens - 1])
        with pytest.raises(UsageError, match=f"no such token: found {tokens - 1}, expected 0 to {rows - 1}"):
            model.generate(last, steps=9)
        assert model.generate("a", steps=9)


# -- GGUF and other files


@says(r"(\d+) of (\d+) tensors can only be listed: no format here has (.*)")
def _listed(case: Case, _: str, match: re.Match[str]) -> None:
    kinds = [(each.name, each.tensor_type.name) for each in case.came.tensors]
    alone = [(name, kind) for name, kind in kinds if kind in match[3]]
    assert (len(alone), len(kinds)) == (int(match[1]), int(match[2]))
    said = refused(lambda: fourcc.convert(case.path, case.folder / "all.bin"))
    assert all(f"'{name}' {kind}" in said for name, kind in alone)
    assert set(case.kept) == {name for name, kind in kinds if (name, kind) not in alone}


@says(r"(\d+) tensors? (is|are) stored in (\S+) in place of (\S+) \((\d+) weights\): (.*?): (.*)")
def _in_place_of_a_recipe_s(case: Case, _: str, match: re.Match[str]) -> None:
    rules = tomllib.loads(Policy.recipe(case.model.recipe).text)["rule"]
    with fourcc.ModelFile(case.bin) as model:
        records = [
            each
            for each in model.index.tensors
            if each.rule is not None and (str(each.tag), rules[each.rule].get("tag")) == (match[3], match[4])
        ]
    assert (len(records), len(records) > 1) == (int(match[1]), match[2] == "are")
    assert sum(prod(each.shape) for each in records) == int(match[5])
    assert [each.name for each in records][:3] == listed(match[7])
    cols, width = map(int, re.findall(r"\d+", match[6]))
    assert (records[0].shape[-1], bool(cols % width)) == (cols, True)


@says(r"scales of activations are left out, since no weight depends on them: (.*)")
def _scales_of_activations(case: Case, _: str, match: re.Match[str]) -> None:
    inputs = [each.name for each in case.came.tensors if each.name.endswith(".input_scale")]
    assert listed(match[1]) == sorted(inputs)[:1]
    assert not set(inputs) & {*case.kept}


@says(r"the key '(.*)' stands more than once, with one value")
def _twice(case: Case, _: str, match: re.Match[str]) -> None:
    key = match[1].encode()
    assert case.path.read_bytes().count(struct.pack("<Q", len(key)) + key) > 1
    assert case.notes.count(("source", match[0])) == 1


@says(r"the key '(.*)' is passed over: the file's head says it by itself(?:, and says (\d+), not (\d+))?")
def _of_the_head(case: Case, _: str, match: re.Match[str]) -> None:
    data = case.path.read_bytes()
    assert match[1].encode() in data
    version, tensors = struct.unpack_from("<IQ", data, 4)
    head = {"GGUF.version": version, "GGUF.tensor_count": tensors}[match[1]]
    said = case.came.fields[match[1].replace("GGUF.", "guf_.")].contents()
    assert [match[2], match[3]] == ([None, None] if said == head else [str(head), str(said)])
    assert match[1].encode() not in b"".join(case.blobs.values())


@says(r"(\d+) bytes? follows? the last tensor: passed over")
def _behind(case: Case, _: str, match: re.Match[str]) -> None:
    last = case.came.tensors[-1]
    end = -(-int(last.data_offset + last.n_bytes) // 32) * 32
    data = case.path.read_bytes()
    assert len(data) - end == int(match[1])
    assert ("byte follows" in match[0]) is (match[1] == "1")
    with open_source(written(case.folder, "cut.gguf", data[:end])) as source:
        assert same(decoded(source), case.kept)


@says("the file has no RoPE tables, and needs none")
def _no_tables(case: Case, _: str, match: re.Match[str]) -> None:
    h, tensors = llama(dim=32, hidden=48, heads=4, kv_heads=2, vocab=300, seq=64)
    whole = llama2c_v0(h, tensors)
    assert len(whole) > case.path.stat().st_size
    with open_source(written(case.folder, "whole.bin", whole)) as source:
        assert dict(source.hyper) == case.hyper
        assert same(decoded(source), case.kept)
    assert not case.refusal


@says(r"the file does not state norm_eps: (\S+) is taken, as Llama 2 has it \(Llama 1 has 1e-06\)")
def _norm_eps(case: Case, _: str, match: re.Match[str]) -> None:
    assert case.hyper["norm_eps"] == float(match[1])


@says(r"(\d+ tensors? \(.*\)) (is|are) passed over in (\S+): the index names another file")
def _copies(case: Case, _: str, match: re.Match[str]) -> None:
    weights = json.loads(case.path.read_bytes())["weight_map"]
    copies = [name for name in case.files[match[3]] if name in weights and weights[name] != match[3]]
    assert counted(match[1]) == (len(copies), copies)
    assert (match[2] == "is") is (len(copies) == 1)
    for name in copies:
        assert np.array_equal(case.kept[name], case.files[weights[name]][name])


@says(r"the index does not list (\d+ tensors? \(.*\)): read all the same")
def _unlisted(case: Case, _: str, match: re.Match[str]) -> None:
    weights = json.loads(case.path.read_bytes())["weight_map"]
    names = [name for held in case.files.values() for name in held if name not in weights]
    assert counted(match[1]) == (len(names), names)
    assert set(names) <= set(case.kept)


@says(r"the index states a total_size of (\d+), the tensors have (\d+) bytes")
def _total(case: Case, _: str, match: re.Match[str]) -> None:
    assert json.loads(case.path.read_bytes())["metadata"]["total_size"] == int(match[1])
    assert sum(array.nbytes for array in case.kept.values()) == int(match[2])


@says(r"g_idx names group 0 for every column, which counts as no index: (\S+)(?: and (\d+) more)?")
def _no_index(case: Case, _: str, match: re.Match[str]) -> None:
    zero = [name for name, array in case.stored.items() if name.endswith("g_idx") and not array.any()]
    assert f"{match[1]}.g_idx" == zero[0]
    assert int(match[2] or 0) == len(zero) - 1
    neighbours = {
        name: (np.arange(len(array)) // 8).astype(array.dtype) if name in zero else array
        for name, array in case.stored.items()
    }
    assert same(with_only(case, "neighbours", neighbours), case.kept)


@says(r"g_idx leaves groups without a column: (\S+)(?: and (\d+) more)?")
def _idle_groups(case: Case, _: str, match: re.Match[str]) -> None:
    idle = [
        name.removesuffix(".g_idx")
        for name, array in case.stored.items()
        if name.endswith("g_idx") and len(set(array.tolist())) < len(case.stored[name.replace("g_idx", "scales")])
    ]
    assert (match[1], int(match[2] or 0)) == (idle[0], len(idle) - 1)


@says(r"activations are not quantized, though the config says so \((.*)\): only weights are")
def _activations(case: Case, _: str, match: re.Match[str]) -> None:
    stated: dict[str, Any] = copy.deepcopy(case.config["quantization_config"])  # type: ignore[assignment]
    for group in stated["config_groups"].values():
        inputs = group.pop("input_activations")
        assert match[1] == f"{inputs['num_bits']}-bit {inputs['type']}"
    hyper, tensors = rewritten(case, "silent", quantization_config=stated)
    assert hyper == case.hyper
    assert same(tensors, case.kept)


@says(r"(\d+) of the tensors scale activations \((.*)\) and are left out: no weight depends on them")
def _input_scales(case: Case, _: str, match: re.Match[str]) -> None:
    scales = {name for name in case.stored if name.endswith(".input_scale")}
    assert (int(match[1]), match[2]) == (len(scales), "*.input_scale")
    assert not [name for name in case.kept if name.endswith("scale")]
    without = {name: array * (2 if name in scales else 1) for name, array in case.stored.items()}
    assert same(with_only(case, "doubled", without), case.kept)


# -- exports


@says(r"the model has no tokenizer: the file has no vocabulary")
def _no_tokenizer(case: Case, _: str, match: re.Match[str]) -> None:
    assert not [name for name in case.blobs if name.startswith("tokenizer.")]
    _no_vocabulary(case)


@says(r"(\S+) has no counterpart in GGUF: the file has no vocabulary")
def _no_counterpart(case: Case, _: str, match: re.Match[str]) -> None:
    assert match[1] in case.blobs
    _no_vocabulary(case)


def _no_vocabulary(case: Case) -> None:
    assert case.fields["tokenizer.ggml.model"] == "no_vocab"
    assert not [key for key in case.fields if key.endswith(("tokens", "merges", "scores"))]


@says(r"the tokenizer brings texts into the form (NF\w+) first: fourcc does so with this file, llama\.cpp does not")
def _normal_form(case: Case, _: str, match: re.Match[str]) -> None:
    assert json.loads(case.blobs["tokenizer.json"])["normalizer"]["type"] == match[1] == "NFC"
    with open_source(case.output("gguf")) as back:
        tokenizer = open_tokenizer(back.blobs)
    assert tokenizer.encode("cafe\u0301") == tokenizer.encode("caf\u00e9")


@says(r"the tokenizer puts (.*) (before|behind) a text: a GGUF file has a key for one such token")
def _several(case: Case, _: str, match: re.Match[str]) -> None:
    theirs = tokenizers.Tokenizer.from_str(case.blobs["tokenizer.json"].decode())
    names = match[1].split()
    assert len(names) > 1
    assert match[2] == "before"
    assert theirs.encode("ab").tokens[: len(names)] == names
    assert case.fields["tokenizer.ggml.bos_token_id"] == theirs.token_to_id(names[0])


@says(r"the added tokens (.*) heed what stands beside them: a GGUF file cannot say so")
def _strips(case: Case, _: str, match: re.Match[str]) -> None:
    added = json.loads(case.blobs["tokenizer.json"])["added_tokens"]
    strips = [each["content"] for each in added if each["lstrip"] or each["rstrip"]]
    assert match[1] == ", ".join(map(repr, strips))


@says(
    r"the tokenizer first brings a text into another form \((.*)\): a GGUF file cannot say so, and a text that is not "
    r"in that form gets other tokens"
)
def _other_form(case: Case, _: str, match: re.Match[str]) -> None:
    assert json.loads(case.blobs["tokenizer.json"])["normalizer"]["type"] == match[1]
    with open_source(case.output("gguf")) as back:
        ours, theirs = open_tokenizer(back.blobs), open_tokenizer(case.blobs)
    plain, other = "the quick  42", "\u304b\u3099"
    assert ours.encode(plain, bos=False) == theirs.encode(plain, bos=False)
    assert ours.encode(other, bos=False) != theirs.encode(other, bos=False)


@says(r"--pre none leaves the vocabulary out \((.*)\)")
def _left_out_by_pre(case: Case, _: str, match: re.Match[str]) -> None:
    assert (case.path / match[1]).exists()
    assert match[1] not in case.blobs
    _no_vocabulary(case)


@says(r"--pre (\S+) takes the place of '(\S+)', by which the file cuts texts")
def _another_pre(case: Case, _: str, match: re.Match[str]) -> None:
    assert match[1] == case.model.pre == case.fields["tokenizer.ggml.pre"]
    assert case.came.fields["tokenizer.ggml.pre"].contents() == match[2]


@says(r"--pre (\S+) is taken in place of tokenizer\.json: (\d+) of (\d+) probe texts get other tokens; of (.*) it .*")
def _forced_pre(case: Case, _: str, match: re.Match[str]) -> None:
    assert match[1] == case.model.pre == case.fields["tokenizer.ggml.pre"]
    theirs = open_tokenizer({"tokenizer.json": (case.path / "tokenizer.json").read_bytes()})
    ours = open_tokenizer(case.blobs)
    other = [text for text in probe_texts() if theirs.encode(text, bos=False) != ours.encode(text, bos=False)]
    assert (int(match[2]), int(match[3])) == (len(other), len(probe_texts()))
    assert match[4].startswith(repr(other[0]))
    assert "tokenizer.json" not in case.blobs


@says(r"these tokens that end a text have no key in a GGUF file: (.*)")
def _ends(case: Case, _: str, match: re.Match[str]) -> None:
    left = [int(token) for token in match[1].split(", ")]
    written_ends = [case.fields[f"tokenizer.ggml.{end}_token_id"] for end in ("eos", "eot", "eom")]
    assert [*written_ends, *left] == case.hyper["eos_token_id"]


@says(r"no keys are written for the architecture '(.*)': tools can list the file, but not run it")
def _no_keys(case: Case, _: str, match: re.Match[str]) -> None:
    with fourcc.open(case.bin) as model:
        assert match[1] == (model.index.architecture or "unknown")
    assert {key.partition(".")[0] for key in case.fields} <= {"GGUF", "general", "tokenizer"}
    assert "this model cannot be run" in case.refusal


@says(
    r"(\w+)\.attention\.sliding_window (\d+) is written, and llama\.cpp does not heed it for a \1: .* (\d+) tokens .*"
)
def _window(case: Case, _: str, match: re.Match[str]) -> None:
    assert case.fields["general.architecture"] == match[1]
    assert case.fields[f"{match[1]}.attention.sliding_window"] == int(match[2]) == int(match[3])
    assert case.hyper["sliding_window"] == int(match[2])
    assert case.hyper["seq_len"] > int(match[2])  # type: ignore[operator]


@says(r"((?:\w|\.)+) ([^,]*): llama\.cpp does not heed this for a (\S+), and gets other numbers")
def _unheeded(case: Case, _: str, match: re.Match[str]) -> None:
    assert case.fields["general.architecture"] == match[3]
    assert str(case.hyper[match[1]]) == match[2]
    with open_source(case.output("gguf")) as back:
        found, stated = back.hyper[match[1]], case.hyper[match[1]]
    assert found == stated or (isinstance(stated, float) and np.float32(stated) == np.float32(str(found)))


@says(r"llama\.cpp does not load this gemma: its gemma has no output matrix")
def _unloadable(case: Case, _: str, __: re.Match[str]) -> None:
    assert case.fields["general.architecture"] == "gemma"
    with open_source(case.output("gguf")) as back:
        assert "output" in back


@says(r"(.*?) (is|are) left out: a GGUF file has no place for such files")
def _no_place(case: Case, _: str, match: re.Match[str]) -> None:
    names = match[1].split(", ")
    assert (match[2] == "is") is (len(names) == 1)
    data = case.output("gguf").read_bytes()
    assert all(case.blobs[name] and case.blobs[name] not in data for name in names)
    with open_source(case.output("gguf")) as back:
        assert not set(names) & set(back.blobs)
    there = [name for name in ("tokenizer.bin", "tokenizer.gguf", "tokenizer.json") if name in case.blobs]
    if set(there[:1]) & set(names):
        _no_vocabulary(case)


@says(r"(.*?) (is|are) left out: matrices were encoded anew")
def _history(case: Case, _: str, match: re.Match[str]) -> None:
    names = match[1].split(", ")
    assert (match[2] == "is") is (len(names) == 1)
    assert set(names) == {key for key in case.came.fields if key.startswith("quantize.")}
    assert not set(names) & set(case.fields)
    pairs = zip(case.came.tensors, case.exported.tensors, strict=True)
    assert any(one.data.tobytes() != other.data.tobytes() for one, other in pairs)


@says(r"general\.file_type (\d+) becomes (\d+): more matrices have ggml's type (\d+) than any other")
def _file_type(case: Case, _: str, match: re.Match[str]) -> None:
    before, after, kind = map(int, match.groups())
    assert case.came.fields["general.file_type"].contents() == before
    assert case.fields["general.file_type"] == after
    name = gguf.GGMLQuantizationType(kind).name
    assert gguf.LlamaFileType(after).name in (f"MOSTLY_{name}", f"MOSTLY_{name}_M", f"MOSTLY_{name}_MOE", f"ALL_{name}")
    assert _commonest(case) == kind


@says(r"general\.file_type (\d+) is left out: no number says that matrices have ggml's type (\d+)")
def _no_file_type(case: Case, _: str, match: re.Match[str]) -> None:
    assert case.came.fields["general.file_type"].contents() == int(match[1])
    assert "general.file_type" not in case.fields
    assert _commonest(case) == int(match[2])


def _commonest(case: Case) -> int:
    kinds = Counter(int(each.tensor_type) for each in case.exported.tensors if len(each.shape) > 1)
    (first, count), *others = kinds.most_common()
    assert all(count > other for _, other in others)
    return first


@says(r"(\S+) is left out: a llama2\.c checkpoint has no place for it")
def _not_in_llama2c(case: Case, where: str, match: re.Match[str]) -> None:
    assert case.blobs[match[1]]
    assert case.blobs[match[1]] not in case.output(where).read_bytes()
    with open_source(case.output(where)) as back:
        assert match[1] not in back.blobs


@says(r"(\w+_token_id) (.*) is left out: llama2\.c takes (\d)")
def _token_of_llama2c(case: Case, where: str, match: re.Match[str]) -> None:
    assert str(case.hyper[match[1]]) == match[2]
    assert {"bos_token_id": 1, "eos_token_id": 2}[match[1]] == int(match[3])  # run.c's own
    with open_source(case.output(where)) as back:
        assert match[1] not in back.hyper


@says(r"(\S+) is left out: it is not a file of Hugging Face's")
def _not_beside(case: Case, where: str, match: re.Match[str]) -> None:
    assert match[1] in case.blobs
    output = case.output(where)
    assert match[1] not in [path.name for path in (output if output.is_dir() else output.parent).iterdir()]


@says(r"(\S+) stays in (\w+) as stored: (\S+) quantizes the matrices of linear modules")
def _unquantized(case: Case, where: str, match: re.Match[str]) -> None:
    assert (match[1], match[3]) == ("model.embed_tokens.weight", where)
    assert case.model.policy != match[2]
    with open_source(case.path) as before, open_source(case.output(where)) as after:
        one, other = (source.tensor("tok_embeddings") for source in (before, after))
        assert {str(one.tag), str(other.tag)} == {match[2]}
        assert np.array_equal(one.decode(), other.decode())


@says(r"the front matter of README.md is left out: line (\d+) is no key and belongs to none: (.*)")
def _front_matter(case: Case, _: str, match: re.Match[str]) -> None:
    line = (case.path / "README.md").read_text().splitlines()[int(match[1]) - 1]
    assert line.strip().startswith(match[2])
    assert "about.json" not in case.blobs


@says(r"--as (\S+) changes nothing: the file holds every tensor as it is")
def _idle_option(case: Case, where: str, match: re.Match[str]) -> None:
    assert match[1] == case.model.instead
    policy = Policy.shorthand(case.model.policy) if case.model.policy else None
    with open_source(case.path) as source:
        plan, bare = plan_export(source, TRIED[where], policy), case.folder / f"bare {where}"
        execute_export(plan, check_targets(plan, bare, force=True))
    assert contents(bare) == contents(case.output(where))
