"""Facts about a model: from a card's front matter, a config's name, a GGUF file's keys; kept, and written again."""

import json
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader, Metadata
from gguf.utility import size_label as theirs

import fourcc
from fourcc.errors import InputError
from fourcc.exporters.gguf_about import size_label
from fourcc.sources import open_source
from fourcc.sources.about import BLOB, ModelFacts, about_source, unpacked_about
from fourcc.sources.front_matter import front_matter
from tests.sources.writers import config, llama, safetensors, to_hf, written

CARD = """---
license: other
license_name: "our-license"
license_link: https://example.org/license  # a comment
language: [en, 'fr']
base_model:
  - lab/base
  - https://huggingface.co/lab/other
datasets: lab/texts
pipeline_tag: text-generation
tags:
- chat
- "two words"
model-index:
- name: x
  results: []
widget:
  - text: Hello
---
# Heading
license: not this one
"""


def folder(path: Path, card: str | None, **stated: object) -> Path:
    """A small Llama's folder."""
    path.mkdir()
    h, tensors = llama(dim=32, hidden=64, heads=4, kv_heads=4, vocab=8)
    written(path, "config.json", config(h, head_dim=8, **stated))
    written(path, "model.safetensors", safetensors(to_hf(h, tensors)))
    if card is not None:
        written(path, "README.md", card.encode())
    return path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("no front matter", {}),
        ("---\n---\n", {}),
        ("---\na: b\n", {"a": "b"}),
        ("---\na: null\nb: ~\nc:\n---", {}),
        ("---\na: 'it''s'\nb: \"x\\ty\"\n---", {"a": "it's", "b": "x\ty"}),
        ("---\na: |\n  one\n  two\nb: >\n  one\n  two\n---", {"a": "one\ntwo", "b": "one two"}),
        ("---\na: [x, 'y', z ]\nb: [[1], 2]\nc: {d: e}\n---", {"a": ["x", "y", "z"]}),
        ("---\na:\n- x\n# comment\n\n- y # more\nb:\n- c: d\n---", {"a": ["x", "y"]}),
        ("\ufeff---\r\na: b\r\n---\r\n", {"a": "b"}),
    ],
)
def test_front_matter(text: str, found: dict[str, object]) -> None:
    """Texts and lists of texts; maps are for the hub."""
    assert front_matter(text) == found


def test_a_line_that_is_no_yaml(tmp_path: Path) -> None:
    """The card is left out with a note that names the line."""
    path = folder(tmp_path / "a", "---\nlicense: mit\nwhat is this\n---\n")
    with open_source(path) as source:
        note = "the front matter of README.md is left out: line 3 is no key and belongs to none: what is this"
        assert note in source.notes
        assert BLOB not in source.blobs


def test_a_card_and_a_name(tmp_path: Path) -> None:
    """The card's words, and the parts of a name on the hub; a model.bin keeps them."""
    path = folder(tmp_path / "a", CARD, _name_or_path="lab/Tiny-7B-Chat-v1.5")
    expected = ModelFacts(
        identity="lab/Tiny-7B-Chat-v1.5",
        name="Tiny 7B Chat v1.5",
        organization="lab",
        version="v1.5",
        basename="Tiny",
        finetune="Chat",
        size_label="7B",
        license="other",
        license_name="our-license",
        license_link="https://example.org/license",
        pipeline_tag="text-generation",
        languages=("en", "fr"),
        tags=("chat", "two words"),
        base_models=("lab/base", "https://huggingface.co/lab/other"),
        datasets=("lab/texts",),
    )
    with open_source(path) as source:
        assert about_source(source.blobs, path) == expected
        assert path / "README.md" in source.all_files
    fourcc.convert(path, tmp_path / "m.bin")
    with open_source(tmp_path / "m.bin") as source:
        assert about_source(source.blobs, path) == expected


@pytest.mark.parametrize(
    ("said", "name", "identity"),
    [
        ("lab/Some-Model", "Some Model", "lab/Some-Model"),
        ("A name in words", "A name in words", None),
        ("/home/me/model", None, None),
        ("./checkpoint", None, None),
        ("checkpoint", None, None),
    ],
)
def test_what_a_config_calls_the_model(tmp_path: Path, said: str, name: str | None, identity: str | None) -> None:
    """An identity on the hub, or words; a path on somebody's disk is no name."""
    with open_source(folder(tmp_path / "a", None, _name_or_path=said)) as source:
        found = about_source(source.blobs, source.path)
        assert (found.name, found.identity) == (name, identity)
        assert found == ModelFacts() or BLOB in source.blobs


@pytest.mark.parametrize("identity", ["Org/Tiny-7B-Chat-v1.5", "Mistral/Mixtral-8x7B-Instruct-v0.1", "Qwen/Qwen2-0.5B"])
def test_names_are_taken_apart_as_gguf_does(tmp_path: Path, identity: str) -> None:
    """The package's own heuristics give the same parts."""
    whole, organization, basename, finetune, version, size = Metadata.get_model_id_components(identity)
    with open_source(folder(tmp_path / "a", None, _name_or_path=identity)) as source:
        found = about_source(source.blobs, source.path)
    assert (found.organization, found.basename, found.finetune, found.version, found.size_label) == (
        organization,
        basename,
        finetune,
        version,
        size,
    )
    assert found.name == str(whole).replace("-", " ")


def test_keys_of_a_gguf_file(tmp_path: Path) -> None:
    """``general.*`` says what the folder said; from there it comes into a folder's card again."""
    path = folder(tmp_path / "a", CARD, _name_or_path="lab/Tiny-7B-Chat-v1.5")
    fourcc.export(path, tmp_path / "x.gguf")
    keys = {name: field.contents() for name, field in GGUFReader(tmp_path / "x.gguf").fields.items()}
    general = {name.removeprefix("general."): value for name, value in keys.items() if name.startswith("general.")}
    assert general == {
        "architecture": "llama",
        "type": "model",
        "name": "Tiny 7B Chat v1.5",
        "organization": "lab",
        "version": "v1.5",
        "basename": "Tiny",
        "finetune": "Chat",
        "size_label": "7B",
        "license": "other",
        "license.name": "our-license",
        "license.link": "https://example.org/license",
        "base_model.count": 2,
        "base_model.0.name": "base",
        "base_model.0.organization": "lab",
        "base_model.0.repo_url": "https://huggingface.co/lab/base",
        "base_model.1.name": "other",
        "base_model.1.organization": "lab",
        "base_model.1.repo_url": "https://huggingface.co/lab/other",
        "dataset.count": 1,
        "dataset.0.name": "texts",
        "dataset.0.organization": "lab",
        "dataset.0.repo_url": "https://huggingface.co/lab/texts",
        "tags": ["chat", "two words", "text-generation"],
        "languages": ["en", "fr"],
        "file_type": 0,
    }
    with open_source(tmp_path / "x.gguf") as source:
        found = about_source(source.blobs, source.path)
    assert (found.license, found.languages, found.base_models) == ("other", ("en", "fr"), ("lab/base", "lab/other"))
    fourcc.export(tmp_path / "x.gguf", tmp_path / "back")
    card = (tmp_path / "back" / "README.md").read_text()
    assert "license: other\nlicense_name: our-license\n" in card
    assert "base_model:\n- lab/base\n- lab/other\n" in card
    assert "# Tiny 7B Chat v1.5\n" in card


@pytest.mark.parametrize("weights", [0, 1, 999, 12_345, 351_072, 134_515_008, 999_999_999, 7_241_732_096, 10**12 + 1])
def test_labels_of_sizes(weights: int) -> None:
    """As the package writes them; nothing for nothing."""
    assert size_label(weights) == (theirs(weights, 0, 0, 0) if weights else "")


def test_the_number_of_weights_is_the_label_of_a_nameless_model(tmp_path: Path) -> None:
    """It is what the tensors have."""
    path = folder(tmp_path / "a", None)
    fourcc.export(path, tmp_path / "x.gguf")
    reader = GGUFReader(tmp_path / "x.gguf")
    weights = sum(int(np.prod(tensor.shape)) for tensor in reader.tensors)
    assert reader.fields["general.size_label"].contents() == theirs(weights, 0, 0, 0)
    assert "general.name" not in reader.fields


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[", "no facts about a model: not the JSON"),
        (json.dumps({"colour": "blue"}).encode(), r"no fact about a model is said so: found 'blue'"),
        (json.dumps({"tags": "chat"}).encode(), r"no fact about a model is said so: found 'chat'"),
        (json.dumps({"license": ["mit"]}).encode(), r"no fact about a model is said so: found \['mit'\]"),
        (b" " * (5 << 20), "too long for facts about a model"),
    ],
)
def test_damaged_facts(data: bytes, message: str) -> None:
    """A blob may come from anywhere."""
    with pytest.raises(InputError, match=message):
        unpacked_about(data, "x.bin")
