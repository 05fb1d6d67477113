"""Every family through every file: what is written is what was read, bit for bit, and states the same model."""

from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.errors import UsageError
from fourcc.exporters import KINDS
from fourcc.exporters.export import check_targets, execute_export, plan_export
from fourcc.networks import CLASSES, NETWORKS
from fourcc.sources import open_source
from fourcc.sources.source import Source
from tests.running import family_oracle
from tests.running.family_cases import CASES
from tests.sources.writers import Arrays, decoded, safetensors, written

KNOWN = [name for name, config in CASES.items() if config.get("text_config", config)["model_type"] in CLASSES]
WHOLE = [name for name in KNOWN if "text_config" not in CASES[name]]
# What a GGUF file has no word for: then the model is refused, and the message names it.
UNSAID = dict.fromkeys(("llama, dynamic", "llama, dynamic, past its length"), "rope_scaling.type = dynamic")
_OTHERWISE = ("norm_offset", "bos_token_id", "eos_token_id")  # in weights; by the tokenizer, which is none here
SUMS = 4e-7  # of a norm's weights: one is added, or taken off, in float32


def folder(at: Path, case: str, **changes: object) -> Path:
    """The case as a folder of Hugging Face's."""
    at.mkdir(exist_ok=True)
    written(at, "model.safetensors", safetensors(family_oracle.tensors(case)))
    written(at, "config.json", {**CASES[case], **changes})
    return at


def exported(source: Path, target: Path, kind: str) -> Path:
    """The model in a file of a kind."""
    with open_source(source) as opened:
        planned = plan_export(opened, KINDS[kind])
        execute_export(planned, check_targets(planned, target, force=True))
    return target


def same(source: Source, other: Source, case: str) -> None:
    """The models are one: hyper-parameters, names, shapes; weights bit for bit, but for a Gemma's norms."""
    plain = [{name: value for name, value in each.hyper.items() if name not in _OTHERWISE} for each in (source, other)]
    pairs = {name: tuple(each.get(name) for each in plain) for name in plain[0] | plain[1]}
    assert not {name: pair for name, pair in pairs.items() if not _close(*pair)}
    ours, theirs = decoded(source), decoded(other)
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        by = float(str(source.hyper.get("norm_offset", 0))) - float(str(other.hyper.get("norm_offset", 0)))
        if by and "norm" in name:
            np.testing.assert_allclose(theirs[name], array + by, rtol=0, atol=SUMS)
        else:
            np.testing.assert_array_equal(theirs[name], array, err_msg=f"{case}: {name}")


def _close(ours: object, theirs: object) -> bool:
    """Whether two values are one: GGUF states numbers in float32."""
    numbers = ours if isinstance(ours, list) else [ours]
    if theirs is not None and all(isinstance(each, float) for each in numbers):
        return bool(np.allclose(ours, theirs, rtol=2e-7, atol=0))  # type: ignore[arg-type]  # numbers
    return ours == theirs


@pytest.mark.parametrize("case", WHOLE)
def test_hugging_face_and_back(tmp_path: Path, case: str) -> None:
    """A folder, through a model.bin, is the same folder: names, shapes, bytes; the config states the same model."""
    given = folder(tmp_path / "in", case)
    fourcc.convert(given, tmp_path / "model.bin")
    back = tmp_path / "back"
    back.mkdir()
    exported(tmp_path / "model.bin", back / "model.safetensors", "safetensors")
    with open_source(given) as source, open_source(back) as again:
        same(source, again, case)
        assert not [note for note in again.notes if "passed over" in note]
    (back / "config.json").unlink()
    (tmp_path / "in" / "config.json").unlink()
    with open_source(back / "model.safetensors") as plain:
        found = decoded(plain)
    _same_arrays(family_oracle.tensors(case), found, case)


def _same_arrays(given: Arrays, found: Arrays, case: str) -> None:
    quantized = [name for name in given if name.endswith(("_blocks", "_scales"))]
    assert found.keys() - given.keys() == {name.removesuffix("_blocks") for name in quantized if "_blocks" in name}
    for name in given.keys() - set(quantized):
        np.testing.assert_array_equal(found[name], given[name], err_msg=f"{case}: {name}")


@pytest.mark.parametrize("case", KNOWN)
def test_gguf_and_back(tmp_path: Path, case: str) -> None:
    """A folder, as GGUF, is the same model; and so is a folder made of that."""
    fourcc.convert(folder(tmp_path / "in", case), tmp_path / "model.bin")  # its tensors are copied where nothing moves
    given = tmp_path / "model.bin"
    if case in UNSAID:
        with pytest.raises(UsageError, match=UNSAID[case]):
            exported(given, tmp_path / "model.gguf", "gguf")
        return
    gguf = exported(given, tmp_path / "model.gguf", "gguf")
    back = tmp_path / "back"
    back.mkdir()
    exported(gguf, back / "model.safetensors", "safetensors")
    with open_source(given) as source, open_source(gguf) as other, open_source(back) as again:
        assert other.architecture == source.architecture
        same(source, other, case)
        same(other, again, case)


@pytest.mark.parametrize("case", WHOLE)
def test_the_config_that_transformers_saves(tmp_path: Path, case: str) -> None:
    """It states the same model as the one that the makers of the family wrote."""
    first, second = folder(tmp_path / "first", case), folder(tmp_path / "second", case)
    saved = family_oracle.saved_config(case)
    if "quantization_config" in CASES[case]:
        saved["quantization_config"] = CASES[case]["quantization_config"]
    written(second, "config.json", saved)
    with open_source(first) as ours, open_source(second) as theirs:
        assert {**theirs.hyper, "tied_embeddings": 0} == {**ours.hyper, "tied_embeddings": 0}
        assert not [note for note in theirs.notes if "passed over" in note], theirs.notes


def test_every_family_is_among_the_cases() -> None:
    """Each class of transformers and each network."""
    there = {CASES[case].get("text_config", CASES[case])["model_type"] for case in KNOWN}
    assert there >= CLASSES.keys() - {"qwen2", "qwen3"}  # these are in `oracle_cases`
    assert {CLASSES[kind][0].name for kind in there} == NETWORKS.keys()


UNLOADABLE = {
    "gemma, untied": "this gemma: its gemma has no output matrix",
    "starcoder2, without biases": "this starcoder2: its starcoder2 has biases",
    "cohere, norms": "this command-r: its command-r has norms of q and k from 64 layers on, and only there",
    "qwen2_moe, some layers": "this qwen2moe: it wants experts in all layers",
    "qwen3_moe, some layers": "this qwen3moe: it wants experts in all layers",
}


@pytest.mark.parametrize("case", [case for case in WHOLE if case not in UNSAID])
def test_a_file_that_llama_cpp_does_not_load_is_noted(case: str, tmp_path: Path) -> None:
    """The lane found that it loads all others."""
    with open_source(folder(tmp_path / "source", case)) as opened:
        notes = [note for note in plan_export(opened, KINDS["gguf"]).layout.notes if "does not load" in note]
    wanted = UNLOADABLE.get(case)
    assert notes == ([] if wanted is None else [f"llama.cpp does not load {wanted}"])
