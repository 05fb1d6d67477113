"""AWQ, GPTQ and compressed-tensors: weights as their own readers have them; errors; damage; the commands."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourcc.cli.app import main
from fourcc.errors import SourceError
from fourcc.sources import open_source
from tests.examples import examples
from tests.sources.test_fuzz import JSON, QUICK, survives
from tests.sources.writers import Arrays, decoded, half_split, safetensors, written
from tests.sources.writers_weight_only import INTEGER_KINDS, KINDS, checkpoint

Q_PROJ = "model.layers.0.self_attn.q_proj"


def save(folder: Path, tensors: Arrays, config: dict[str, object]) -> Path:
    """A folder with weights and config."""
    written(folder, "model.safetensors", safetensors(tensors))
    written(folder, "config.json", config)
    return folder


def byte_tokenizer() -> bytes:
    """llama2.c's tokenizer of three special tokens and the bytes."""
    texts = [b"<unk>", b"<s>", b"</s>", *(f"<0x{byte:02X}>".encode() for byte in range(256))]
    return struct.pack("<I", 6) + b"".join(struct.pack("<fI", 0.0, len(text)) + text for text in texts)


@pytest.mark.parametrize(
    ("kind", "family"), [*((kind, "llama") for kind in KINDS), *((kind, "unknown") for kind in INTEGER_KINDS)]
)
def test_weights(tmp_path: Path, kind: str, family: str) -> None:
    """Rounded to the scales' type, every weight is what the checkpoint's own reader computes in that type."""
    stored, config, truth = checkpoint(kind)
    with open_source(save(tmp_path, stored, config | {"model_type": family})) as source:
        found = {tensor.source_name.rpartition(".")[0]: tensor for tensor in source.tensors}
        values = decoded(source)
    assert len(found) == len(truth)
    for name, weights in truth.items():
        tensor = found[name.removesuffix(".weight")]
        got = values[tensor.name]
        turned = family == "llama" and name.endswith(("q_proj.weight", "k_proj.weight"))
        assert np.array_equal((half_split(got, 8) if turned else got).astype(weights.dtype), weights), name
        assert tensor.name == name or family == "llama"


@pytest.mark.parametrize(
    ("kind", "tag"),
    [
        ("awq", "Q4_Z"),
        ("gptq", "Q4_Z"),
        ("gptq act-order", "Q4_X"),
        ("gptq 8 bits", "Q8_X"),
        ("compressed int8", "Q8_Z"),
    ],
)
def test_formats(tmp_path: Path, kind: str, tag: str) -> None:
    """Codes stay as they are; only an index that is no mere counting asks for a format with one."""
    stored, config, _ = checkpoint(kind)
    with open_source(save(tmp_path, stored, config)) as source:
        assert source.notes == ()
        assert {str(tensor.tag) for tensor in source.tensors if "feed_forward" in tensor.name} == {tag}


@pytest.mark.parametrize("kind", ["gptq", "gptq 3 bits", "gptq v2"])
def test_an_index_of_zeros_is_none(tmp_path: Path, kind: str) -> None:
    """Some tools write it for groups of neighbours: taken at its word, all groups but one would be idle."""
    stored, config, truth = checkpoint(kind)
    zeros = {name: np.zeros_like(array) if name.endswith(".g_idx") else array for name, array in stored.items()}
    with open_source(save(tmp_path, zeros, config)) as source:
        found = decoded(source)
        note = "g_idx names group 0 for every column, which counts as no index: model.layers.0."
        assert [each.startswith(note) and each.endswith(" and 13 more") for each in source.notes] == [True]
    for name in ("w1", "w2", "w3"):
        word = {"w1": "gate", "w2": "down", "w3": "up"}[name]
        weights = truth[f"model.layers.0.mlp.{word}_proj.weight"]
        assert np.array_equal(found[f"layers.0.feed_forward.{name}"].astype(weights.dtype), weights)


def test_an_index_that_leaves_groups_idle(tmp_path: Path) -> None:
    """It is followed, and noted; one group is all there is of a matrix that has but one."""
    stored, config, _ = checkpoint("gptq act-order")
    name = "model.layers.1.mlp.down_proj.g_idx"
    stored[name] = np.where(stored[name] == 2, 1, stored[name]).astype("<i4")
    with open_source(save(tmp_path, stored, config)) as source:
        assert source.notes == ("g_idx leaves groups without a column: model.layers.1.mlp.down_proj",)
        tensor = next(each for each in source.tensors if each.name == "layers.1.feed_forward.w2")
        assert any(np.array_equal(part.reshape(-1), stored[name]) for part in tensor.read(0, 0, 1).values())


def test_nothing_is_rounded(tmp_path: Path) -> None:
    """The product is float32's, and exact: 11 bits of scale, 5 of difference."""
    stored, config, _ = checkpoint("awq")
    with open_source(save(tmp_path, stored, config)) as source:
        w = decoded(source)["layers.0.feed_forward.w1"].astype(np.float64)  # (64, 32)
    scales = stored["model.layers.0.mlp.gate_proj.scales"].astype(np.float64)
    codes = w / np.repeat(scales, 8, axis=0).T
    assert np.array_equal(codes, np.round(codes))


@pytest.mark.parametrize(
    ("kind", "key"), [("awq", "qweight"), ("gptq", "qweight"), ("compressed int4", "weight_packed")]
)
def test_not_quantized_as_claimed(tmp_path: Path, kind: str, key: str) -> None:
    """Plain weights under a config of quantized ones: the error says so, and names the first key that is missing."""
    _, config, truth = checkpoint(kind)
    with pytest.raises(SourceError) as caught:
        open_source(save(tmp_path, truth, config))
    text = str(caught.value)
    assert "the weights are not quantized as the config says" in text
    assert f"there is no {Q_PROJ}.{key}" in text
    assert f"{Q_PROJ}.weight" in text
    assert "config.json" in text


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        *(("awq", "qweight"), ("awq", "qzeros"), ("gptq", "scales"), ("compressed int4", "weight_scale")),
        *(("fp8 in blocks", "weight_scale_inv"), ("compressed fp8 a row", "weight_scale"), ("modelopt fp8", "weight")),
        *(
            ("modelopt nvfp4", "weight_scale_2"),
            ("compressed nvfp4", "weight_scale"),
            ("compressed mxfp4", "weight_scale"),
        ),
    ],
)
def test_a_part_is_missing(tmp_path: Path, kind: str, missing: str) -> None:
    """The error names it."""
    stored, config, _ = checkpoint(kind)
    del stored[f"{Q_PROJ}.{missing}"]
    with pytest.raises(SourceError, match=f"the matrix is not complete: there is no {Q_PROJ}.{missing}"):
        open_source(save(tmp_path, stored, config))


@pytest.mark.parametrize(
    ("kind", "part", "array", "message"),
    [
        ("awq", "scales", np.ones((4, 31), "<f2"), "scales and qzeros do not fit qweight"),
        ("awq", "scales", np.ones((4, 32), "<i4"), "scales holds another kind of numbers"),
        ("awq", "qweight", np.ones(4, "<i4"), "a part of a quantized matrix is no matrix"),
        ("awq", "qweight", np.ones((64, 4), "<i4"), "the group size does not fit the scales"),
        ("gptq", "g_idx", np.full(32, 9, "<i4"), "g_idx does not name a group for every column"),
        ("gptq", "g_idx", np.zeros(31, "<i4"), "g_idx does not name a group for every column"),
        ("gptq 3 bits", "qweight", np.ones((4, 32), "<i4"), "qweight holds no whole number of codes"),
        ("compressed int4", "weight_shape", np.array([32, 99], "<i8"), "weight_shape does not fit weight_packed"),
        ("compressed int4", "weight_scale", np.ones((31, 4), "<f2"), "does not fit the weights"),
        ("compressed int4", "weight_zero_point", np.ones((3, 4), "|i1"), "does not fit the weights"),
        (
            "fp8 in blocks",
            "weight_scale_inv",
            np.ones((2, 3), "<f4"),
            r"found \(2, 3\), expected 2 x 2 for blocks of 24 x 20",
        ),
        (
            "fp8 in blocks",
            "weight",
            np.ones((32, 32), "|i1"),
            "weight holds another kind of numbers: found I8, expected F8_E4M3",
        ),
        ("fp8 in blocks", "weight_scale", np.ones((2, 2), "<f4"), "the matrix has two sets of scales"),
        ("fp8 with one scale", "weight_scale", np.ones(31, "<f4"), "expected 1 x 1 for blocks of 32 x 32"),
        ("fbgemm fp8", "weight_scale", np.ones((), "<f4"), "expected 32 x 1 for blocks of 1 x 32"),
        ("compressed mxfp8", "weight_scale", np.ones((32, 1), "<f4"), "weight_scale holds another kind of numbers"),
        ("compressed fp8 a row", "weight_scale", np.ones((1, 32), "<f4"), "expected 32 x 1 for blocks of 1 x 32"),
        ("modelopt nvfp4", "weight_scale_2", np.ones(2, "<f4"), "weight_scale_2 is not one number"),
        ("modelopt nvfp4", "weight_scale", np.ones((32, 2), "|u1"), "weight_scale holds another kind of numbers"),
        ("modelopt nvfp4", "weight", np.ones((32, 24), "|u1"), "expected 32 x 3 for 32 x 48 weights in blocks of 16"),
        ("modelopt nvfp4", "weight", np.ones((32, 15), "|u1"), "expected 32 x 1 for 32 x 30 weights in blocks of 16"),
        ("compressed mxfp4", "weight_scale", np.ones((31, 1), "|u1"), "does not fit the weights"),
    ],
)
def test_parts_that_do_not_go_together(tmp_path: Path, kind: str, part: str, array: np.ndarray, message: str) -> None:
    """A tensor that contradicts the rest is refused when the checkpoint is opened."""
    stored, config, _ = checkpoint(kind)
    stored[f"{Q_PROJ}.{part}"] = array
    with pytest.raises(SourceError, match=message):
        open_source(save(tmp_path, stored, config))


def test_zero_point_beyond_the_codes(tmp_path: Path) -> None:
    """It is refused when it is read, not wrapped."""
    stored, config, _ = checkpoint("compressed int4")
    stored[f"{Q_PROJ}.weight_zero_point"] = np.full((32, 4), 100, "|i1")
    with (
        open_source(save(tmp_path, stored, config)) as source,
        pytest.raises(SourceError, match="a zero point is outside the range of the codes"),
    ):
        decoded(source)


@pytest.mark.parametrize(
    "kind",
    [
        "gptq act-order",
        *(pytest.param(kind, marks=pytest.mark.thorough) for kind in ("awq", "compressed int4 with zero points")),
        pytest.param("compressed int8", marks=pytest.mark.thorough),
    ],
)
def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    """Each kind is listed, converted without loss, and run."""
    stored, config, _ = checkpoint(kind, vocab=259)
    folder = save(tmp_path, stored, config)
    tokenizer = written(folder, "tokens.bin", byte_tokenizer())
    out = tmp_path / "out.bin"
    assert main(["inspect", str(folder)]) == 0
    assert "Q4_" in (listed := capsys.readouterr().out) or "Q8_" in listed
    assert main(["convert", str(folder), "-o", str(out), "--quiet", "--tokenizer", str(tokenizer)]) == 0
    with open_source(folder) as source, open_source(out) as kept:
        before, after = decoded(source), decoded(kept)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert main(["run", str(out), "-i", "a", "-t", "0", "-n", "3"]) == 0


@pytest.mark.thorough
@pytest.mark.parametrize(
    "kind", ["awq", "gptq act-order", "compressed int4 with zero points", "fp8 in blocks", "modelopt nvfp4"]
)
@settings(QUICK, max_examples=examples(40).max_examples)
@given(data=st.data())
def test_damage(kind: str, data: st.DataObject) -> None:
    """A few bytes replaced, perhaps cut: a source that can be read, or an error of ours."""
    stored, config, _ = checkpoint(kind)
    damaged = bytearray(safetensors(stored))
    for at in data.draw(st.lists(st.integers(0, 9000), min_size=1, max_size=4)):
        damaged[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.none() | st.integers(0, len(damaged)))
    survives(bytes(damaged[:cut]), beside={"config.json": json.dumps(config).encode()})


KEYS = st.sampled_from(
    [
        *("quant_method", "bits", "group_size", "version", "format", "config_groups", "checkpoint_format", "dynamic"),
        *("ignore", "weight_block_size", "fmt", "quant_algo", "quantized_layers", "sparsity_config"),
    ]
)


GROUP_KEYS = st.sampled_from(["num_bits", "type", "strategy", "group_size", "block_structure", "targets", "format"])


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["compressed int4", "compressed fp8 in blocks", "compressed nvfp4"])
@settings(QUICK, max_examples=examples(40).max_examples)
@given(changes=st.dictionaries(GROUP_KEYS, JSON))
def test_group_of_any_values(kind: str, changes: dict[str, object]) -> None:
    """A group of compressed-tensors' config has any values, as its own and as those of its weights."""
    stored, config, _ = checkpoint(kind)
    said = json.loads(json.dumps(KINDS[kind][1]))
    group = said["config_groups"]["group_0"]
    group |= changes | {"weights": group["weights"] | changes}
    survives(safetensors(stored), beside={"config.json": json.dumps(config | {"quantization_config": said}).encode()})


@pytest.mark.thorough
@pytest.mark.parametrize(
    "kind", ["awq", "gptq", "compressed int4", "fp8 in blocks", "compressed nvfp4", "modelopt fp8"]
)
@settings(QUICK, max_examples=examples(40).max_examples)
@given(changes=st.dictionaries(KEYS, JSON))
def test_config_of_any_values(kind: str, changes: dict[str, object]) -> None:
    """The config's words on quantization have any value."""
    stored, config, _ = checkpoint(kind)
    said = {**KINDS[kind][1], **changes}
    survives(safetensors(stored), beside={"config.json": json.dumps(config | {"quantization_config": said}).encode()})
