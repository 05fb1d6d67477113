"""Checkpoints whose modules are quantized in different ways: config groups, GPTQ's ``dynamic``, ModelOpt's layers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fourcc.cli.app import main
from fourcc.errors import SourceError
from fourcc.sources import open_source
from tests.sources.test_weight_only import byte_tokenizer, save
from tests.sources.writers import Arrays, config, decoded, half_split, llama, to_hf, written
from tests.sources.writers_small_floats import Made, compressed, compressed_nvfp4, float8, group, modelopt_nvfp4
from tests.sources.writers_weight_only import compressed as integers
from tests.sources.writers_weight_only import gptq

Q_PROJ = "model.layers.0.self_attn.q_proj"
Choice = Callable[[str], Callable[..., Made] | None]  # a module's name -> what makes it; None: it stays plain


def mixed(choose: Choice, said: dict[str, object], vocab: int = 7) -> tuple[Arrays, dict[str, object], Arrays]:
    """A tiny Llama whose modules are made in different ways: its tensors, its config, and its weights."""
    h, ours = llama(dim=32, hidden=64, heads=4, kv_heads=4, vocab=vocab, seq=16)
    truth, stored, rng = to_hf(h, ours), {}, np.random.default_rng(4)
    for name, array in list(truth.items()):
        module = name.removesuffix(".weight")
        make = choose(module) if name.endswith("_proj.weight") else None
        if make is None:
            stored[name] = array
            continue
        parts, truth[name] = make(*array.shape, rng)
        stored |= {f"{module}.{ending}": part for ending, part in parts.items()}
    return stored, config(h, quantization_config=said), truth


def weights_are(folder: Path, truth: Arrays) -> None:
    """Each weight of the opened folder, rounded to its tool's dtype, is that of the tool."""
    with open_source(folder) as source:
        values = decoded(source)
        found = {tensor.source_name.rpartition(".")[0]: values[tensor.name] for tensor in source.tensors}
    for name, weights in truth.items():
        got = found[name.removesuffix(".weight")]
        got = half_split(got, 8) if name.endswith(("q_proj.weight", "k_proj.weight")) else got
        assert np.array_equal(got.astype(weights.dtype), weights), name


def four_ways(module: str) -> Callable[..., Made] | None:
    """NVFP4 for q, int4 for the rest of the attention, int8 for down, FP8 else; the last gate stays plain."""
    if module == "model.layers.1.mlp.gate_proj":
        return None
    if module.endswith("q_proj"):
        return compressed_nvfp4
    if "self_attn" in module:
        return integers(4, "packed")
    return integers(8, "bytes") if module.endswith("down_proj") else float8((1, None))


FOUR = compressed(
    "mixed-precision",
    group(8, "float", "channel") | {"format": "float-quantized"},
    group(4, "int", "group", group_size=8) | {"targets": ["re:.*self_attn.*"], "format": "pack-quantized"},
    group(8, "int", "channel") | {"targets": ["re:.*down_proj$"], "format": "int-quantized"},
    group(4, "float", "tensor_group", group_size=16)
    | {"targets": [f"model.layers.{layer}.self_attn.q_proj" for layer in (0, 1)], "format": "nvfp4-pack-quantized"},
    ignore=["re:.*1.mlp.gate", "lm_head"],
)


def test_each_module_has_its_group_s_scheme(tmp_path: Path) -> None:
    """A name counts before a pattern, a pattern before a class."""
    stored, said, truth = mixed(four_ways, FOUR)
    weights_are(save(tmp_path, stored, said), truth)


def test_formats_follow_from_arguments_where_none_is_named(tmp_path: Path) -> None:
    """As in the package, which infers them."""
    groups: dict[str, Any] = json.loads(json.dumps(FOUR))
    for each in groups["config_groups"].values():
        del each["format"]
    stored, said, truth = mixed(four_ways, groups)
    weights_are(save(tmp_path, stored, said), truth)


def test_commands_on_a_mixed_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is listed, kept without loss, encoded anew, and run."""
    stored, said, _ = mixed(four_ways, FOUR, vocab=259)
    folder, kept, anew = save(tmp_path, stored, said), tmp_path / "kept.bin", tmp_path / "anew.bin"
    tokenizer = ["--tokenizer", str(written(folder, "tokens.bin", byte_tokenizer()))]
    assert main(["inspect", str(folder)]) == 0
    listed = capsys.readouterr().out
    assert all(tag in listed for tag in ("F8_G", "NV4T", "Q4_Z", "Q8_Z", "F32"))
    assert main(["convert", str(folder), "-o", str(kept), "--quiet", *tokenizer]) == 0
    assert main(["convert", str(folder), "-o", str(anew), "--quiet", "--format", "Q8_0", *tokenizer]) == 0
    with open_source(folder) as source, open_source(kept) as same, open_source(anew) as other:
        before, after = decoded(source), decoded(same)
        assert {str(tensor.tag) for tensor in other.tensors if len(tensor.shape) == 2} == {"Q8_0"}
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert main(["run", str(anew), "-i", "a", "-t", "0", "-n", "3"]) == 0


@pytest.mark.thorough  # compiles the products of three formats
def test_a_mixed_folder_that_is_kept_runs(tmp_path: Path) -> None:
    stored, said, _ = mixed(four_ways, FOUR, vocab=259)
    folder, kept = save(tmp_path, stored, said), tmp_path / "kept.bin"
    tokenizer = ["--tokenizer", str(written(folder, "tokens.bin", byte_tokenizer()))]
    assert main(["convert", str(folder), "-o", str(kept), "--quiet", *tokenizer]) == 0
    assert main(["run", str(kept), "-i", "a", "-t", "0", "-n", "3"]) == 0


def test_modules_under_other_names_than_the_only_group_has(tmp_path: Path) -> None:
    """Tools rename modules: where there is one scheme, all that is quantized has it."""
    said = compressed("float-quantized", group(8, "float", "channel") | {"targets": ["re:language_model.*"]})
    stored, config, truth = mixed(lambda _: float8((1, None)), said)
    weights_are(save(tmp_path, stored, config), truth)


@pytest.mark.parametrize("change", [{"ignore": [Q_PROJ]}, {"ignore": ["re:.*q_proj"]}, {"ignore": ["Linear"]}])
def test_a_quantized_module_that_the_config_ignores(tmp_path: Path, change: dict[str, object]) -> None:
    """One of the two is wrong."""
    stored, config, _ = mixed(four_ways, FOUR | change)
    with pytest.raises(SourceError) as caught:
        open_source(save(tmp_path, stored, config))
    text = str(caught.value)
    assert "the matrix is quantized, and the config names it nowhere, or as one that is not" in text
    assert f"{Q_PROJ}.weight_packed" in text
    assert "config.json" in text


def test_a_module_of_no_group(tmp_path: Path) -> None:
    """With several schemes nobody knows which one it has."""
    groups: dict[str, Any] = json.loads(json.dumps(FOUR))
    groups["config_groups"]["group_0"]["targets"] = ["Embedding"]
    stored, config, _ = mixed(four_ways, groups)
    with pytest.raises(
        SourceError, match=r"config.json, tensor 'model.layers.0.mlp.gate_proj': the matrix is quantized"
    ):
        open_source(save(tmp_path, stored, config))


def test_another_group_s_tensors(tmp_path: Path) -> None:
    """The group's scheme decides, and its first tensor is missing."""
    groups: dict[str, Any] = json.loads(json.dumps(FOUR))
    groups["config_groups"]["group_1"]["targets"] = ["re:.*mlp.up.*"]
    stored, config, _ = mixed(four_ways, groups)
    with pytest.raises(
        SourceError, match=r"the matrix is not complete: there is no model.layers.0.self_attn.k_proj.weight$"
    ):
        open_source(save(tmp_path, stored, config))


# -- GPTQ's dynamic


def eight_and_plain(module: str) -> Callable[..., Made] | None:
    """The last layer stays plain; gates have 8 bits in groups of 16; layer 0's queries 2 bits."""
    if ".1." in module:
        return None
    if module.endswith("gate_proj"):
        return gptq(8, 1, shuffled=True, group=16)
    return gptq(2, 1, shuffled=False, group=32) if module == Q_PROJ else gptq(4, 1, shuffled=False)


DYNAMIC: dict[str, object] = {
    "-:.*\\.1\\..*": {},
    "+:.*gate_proj": {"bits": 8, "group_size": 16, "desc_act": True},
    "model.layers.0.self_attn.q": {"bits": 2, "group_size": -1, "sym": False},
    ".*q_proj": {"bits": 8},
}
GPTQ: dict[str, object] = {"quant_method": "gptq", "bits": 4, "group_size": 8, "checkpoint_format": "gptq"}


def test_the_first_pattern_that_fits_decides(tmp_path: Path) -> None:
    """With ``+:`` before it or nothing; all other modules have the settings of the config."""
    stored, said, truth = mixed(eight_and_plain, GPTQ | {"dynamic": DYNAMIC})
    weights_are(save(tmp_path, stored, said), truth)


def test_a_quantized_module_that_dynamic_leaves_plain(tmp_path: Path) -> None:
    """One of the two is wrong."""
    stored, said, _ = mixed(eight_and_plain, GPTQ | {"dynamic": {"-:model.layers.0.mlp": {}} | DYNAMIC})
    with pytest.raises(
        SourceError, match=r"tensor 'model.layers.0.mlp.\w+_proj': the matrix is quantized, and the config"
    ):
        open_source(save(tmp_path, stored, said))


def test_other_bits_than_dynamic_says(tmp_path: Path) -> None:
    """The words then hold another number of codes than there are in the matrix's other tensors."""
    stored, said, _ = mixed(eight_and_plain, GPTQ | {"dynamic": {"-:.*\\.1\\..*": {}}})
    with pytest.raises(SourceError, match=r"scales and qzeros do not fit qweight|the group size does not fit"):
        open_source(save(tmp_path, stored, said))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("+:.*(gate", "expected a regular expression (missing ), unterminated subpattern"),
        ("+:(a+)+b", "expected one in which no group repeats, and 8 parts at most"),
        ("-:(a|aa){2,}", "expected one in which no group repeats"),
        ("+:" + ".*a" * 9, "expected one in which no group repeats"),
        ("+:" + "a" * 5000, "expected one in which no group repeats"),
    ],
)
def test_patterns_that_cannot_be_used(tmp_path: Path, pattern: str, expected: str) -> None:
    """Nothing is searched for with them."""
    stored, said, _ = mixed(eight_and_plain, GPTQ | {"dynamic": {pattern: {"bits": 8}}})
    with pytest.raises(SourceError) as caught:
        open_source(save(tmp_path, stored, said))
    assert "a pattern of module names in the quantization_config cannot be used" in str(caught.value)
    assert expected in str(caught.value)


# -- ModelOpt


def nvidia(module: str) -> Callable[..., Made]:
    """NVFP4 for the MLP, FP8 for the attention."""
    return modelopt_nvfp4 if ".mlp." in module else float8((None, None), dtype=np.dtype("<f4"), shaped=())


def test_modelopt_names_an_algorithm_for_each_module(tmp_path: Path) -> None:
    """In a file of its own beside a config that is silent."""
    stored, said, truth = mixed(nvidia, {})
    names = [name.removesuffix(".weight_scale") for name in stored if name.endswith(".weight_scale")]
    layers = {name: {"quant_algo": "NVFP4" if ".mlp." in name else "FP8"} for name in names}
    folder = save(tmp_path, stored, said)
    own = {"quant_algo": "MIXED_PRECISION", "quantized_layers": layers, "kv_cache_quant_algo": "FP8"}
    beside = written(folder, "hf_quant_config.json", {"producer": {"name": "modelopt"}, "quantization": own})
    weights_are(folder, truth)
    with open_source(folder) as source:
        assert beside in source.companions
    del layers[Q_PROJ]
    written(folder, "hf_quant_config.json", {"quantization": own})
    with pytest.raises(
        SourceError, match=f"tensor '{Q_PROJ}': the matrix is quantized, and the config names it nowhere"
    ):
        open_source(folder)


def test_modelopt_s_scales_of_blocks_keep_the_blocks_dimensions(tmp_path: Path) -> None:
    """As FP8_PB_WO stores them: (blocks, 1, blocks, 1)."""
    said: dict[str, object] = {"quant_method": "modelopt", "quant_algo": "FP8_PB_WO"}
    stored, config, truth = mixed(lambda _: float8((128, 128), shaped=(1, 1, 1, 1)), said)
    weights_are(save(tmp_path, stored, config), truth)


@pytest.mark.parametrize("shaped", [(256,), (256, 1), (1, 256, 1)])
def test_scales_of_rows_in_any_number_of_dimensions(tmp_path: Path, shaped: tuple[int, ...]) -> None:
    """Every run of rows gets its own scales."""
    parts, weights = float8((1, None), "weight_scale", dtype=np.dtype("<f4"), shaped=shaped)(
        256, 16, np.random.default_rng(7)
    )
    stored = {f"proj.{ending}": part for ending, part in parts.items()}
    said = {"model_type": "other", "quantization_config": {"quant_method": "fbgemm_fp8"}}
    with open_source(save(tmp_path, stored, said)) as source:
        assert np.array_equal(decoded(source)["proj.weight"], weights)


def test_modelopt_s_own_file_is_silent_where_the_config_speaks(tmp_path: Path) -> None:
    """The config's algorithm counts."""
    stored, said, truth = mixed(lambda _: modelopt_nvfp4, {"quant_method": "modelopt", "quant_algo": "NVFP4"})
    folder = save(tmp_path, stored, said)
    written(folder, "hf_quant_config.json", {"quantization": {"quant_algo": "FP8"}})
    weights_are(folder, truth)


def test_blocks_of_which_an_fp8_config_says_nothing(tmp_path: Path) -> None:
    """As in transformers they are 128 x 128, where there are so many scales; the last ones are short."""
    parts, weights = float8((128, 128), "weight_scale_inv", dtype=np.dtype("<f4"))(200, 300, np.random.default_rng(6))
    stored = {f"proj.{ending}": part for ending, part in parts.items()}
    said = {"model_type": "other", "quantization_config": {"quant_method": "fp8"}}
    with open_source(save(tmp_path, stored, said)) as source:
        assert np.array_equal(decoded(source)["proj.weight"], weights)
        (tensor,) = source.tensors
        assert np.array_equal(tensor.read(0, 130, 140)["values"], parts["weight"][130:140].view(np.uint8))
        assert tensor.params == {"group": 128}
