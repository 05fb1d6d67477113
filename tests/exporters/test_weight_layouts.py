"""Weight-only layouts: each is unpacked here, word by word, from its description alone, and read back bit by bit."""

import json
from pathlib import Path

import attrs
import numpy as np
import pytest
from safetensors import safe_open

import fourcc
from fourcc.errors import UsageError
from fourcc.exporters.folder import LAYOUTS
from fourcc.sources import open_source
from tests.naive import f8e4_value as float8
from tests.running.family_cases import CASES as FAMILIES
from tests.running.family_oracle import saved_config, tensors
from tests.sources.writers import Arrays, config, decoded, llama, safetensors, to_hf, written

GROUP = 32
SIZES = {"dim": 64, "hidden": 96, "heads": 4, "kv_heads": 2, "vocab": 48, "seq": 64}
PROJECTION = "model.layers.1.mlp.down_proj"  # (64, 96)
AWQ_COLUMNS = (0, 2, 4, 6, 1, 3, 5, 7)  # of eight, in the order of a word's nibbles


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small Llama in float32, its output matrix tied to the embedding."""
    folder = tmp_path / "model"
    folder.mkdir()
    h, ours = llama(**SIZES)
    written(folder, "config.json", config(h, tied=True, head_dim=16))
    written(folder, "model.safetensors", safetensors(to_hf(h, ours)))
    return folder


def quantized(model: Path, out: Path, kind: str, **rules: str) -> tuple[Arrays, dict[str, object]]:
    """The tensors of a folder, and the value of ``quantization_config``."""
    fourcc.quantize(model, out, to=kind, **rules)  # type: ignore[arg-type]  # format or policy
    with safe_open(out / "model.safetensors", framework="numpy") as file:
        names = [name for name in file.keys() if "F8" not in file.get_slice(name).get_dtype()]  # noqa: SIM118 - no mapping
        found = {name: file.get_tensor(name) for name in names}
    return found, json.loads((out / "config.json").read_text())["quantization_config"]


def fields(words: np.ndarray, bits: int) -> list[int]:
    """The codes in int32 words, low bits first."""
    mask = 2**bits - 1
    return [int(word) >> shift & mask for word in words.view("<u4").tolist() for shift in range(0, 32, bits)]


def truth_compressed(found: Arrays, bits: int) -> np.ndarray:
    """The matrix in compressed-tensors' layout: signed codes, with half their range added, along the rows."""
    packed, scales = found[f"{PROJECTION}.weight_packed"], found[f"{PROJECTION}.weight_scale"].astype(np.float32)
    rows, cols = found[f"{PROJECTION}.weight_shape"].tolist()
    half = 2 ** (bits - 1)
    codes = np.array([fields(row, bits)[:cols] for row in packed]) - half
    zeros = np.zeros(scales.shape, int)
    if f"{PROJECTION}.weight_zero_point" in found:
        stored = found[f"{PROJECTION}.weight_zero_point"]
        zeros = np.array([fields(np.ascontiguousarray(column), bits)[:rows] for column in stored.T]).T - half
    size = cols // scales.shape[1]
    return (codes - zeros.repeat(size, 1)).astype(np.float32) * scales.repeat(size, 1)


def truth_awq(found: Arrays, bits: int) -> np.ndarray:
    """The matrix in AWQ's layout: transposed, nibbles in its own order."""

    def unpacked(words: np.ndarray) -> np.ndarray:
        rows = []
        for row in words:
            codes = [0] * (8 * len(row))
            for place, code in enumerate(fields(row, bits)):
                codes[place // 8 * 8 + AWQ_COLUMNS[place % 8]] = code
            rows.append(codes)
        return np.array(rows)

    codes, zeros = unpacked(found[f"{PROJECTION}.qweight"]), unpacked(found[f"{PROJECTION}.qzeros"])
    scales = found[f"{PROJECTION}.scales"].astype(np.float32)
    size = len(codes) // len(scales)
    return ((codes - zeros.repeat(size, 0)).astype(np.float32) * scales.repeat(size, 0)).T


def truth_gptq(found: Arrays, bits: int) -> np.ndarray:
    """The matrix in GPTQ's second layout: transposed, packed down the columns, a group for each column."""
    codes = np.array([fields(np.ascontiguousarray(column), bits) for column in found[f"{PROJECTION}.qweight"].T])
    zeros = np.array([fields(row, bits) for row in found[f"{PROJECTION}.qzeros"]])  # (groups, out)
    index, scales = found[f"{PROJECTION}.g_idx"], found[f"{PROJECTION}.scales"].astype(np.float32)
    return (codes - zeros[index].T).astype(np.float32) * scales[index].T


TRUTHS = {"compressed-tensors": truth_compressed, "awq": truth_awq, "gptq": truth_gptq}
CASES = [
    ("compressed-tensors", "Q4_0", 4),
    ("compressed-tensors", "Q8_0", 8),
    ("compressed-tensors", f"Q8_G:group={GROUP}", 8),
    ("compressed-tensors", f"Q4_Z:group={GROUP}", 4),
    ("compressed-tensors", f"Q8_Z:group={GROUP}", 8),
    ("awq", "Q4_0", 4),
    ("awq", f"Q4_Z:group={GROUP}", 4),
    ("gptq", "Q8_0", 8),
    ("gptq", f"Q4_Z:group={GROUP}", 4),
    ("gptq", f"Q8_Z:group={GROUP}", 8),
]


@pytest.mark.parametrize(("kind", "spelled", "bits"), CASES)
def test_bit_by_bit(model: Path, tmp_path: Path, kind: str, spelled: str, bits: int) -> None:
    """The words mean the weights that fourcc's own container has, and so they are read back."""
    found, said = quantized(model, tmp_path / "out", kind, format=spelled)
    assert said["quant_method"] == kind
    fourcc.convert(model, tmp_path / "m.bin", format=spelled)
    with fourcc.open(tmp_path / "m.bin") as opened:
        ours = {name: opened[name].decode() for name in opened}
    assert np.array_equal(TRUTHS[kind](found, bits), ours["layers.1.feed_forward.w2"])
    with open_source(tmp_path / "out") as source, open_source(model) as original:
        assert source.notes == ()
        back = decoded(source)
        embedding = decoded(original)["tok_embeddings"]
    assert np.array_equal(back.pop("tok_embeddings"), embedding)
    assert all(np.array_equal(array, ours[name]) for name, array in back.items())


def test_floats(model: Path, tmp_path: Path) -> None:
    """8-bit floats: the bytes as they are, and a scale for each group or row."""
    for name, spelled in (("groups", f"F8_G:group={GROUP}"), ("rows", "F8_G")):
        found, said = quantized(model, tmp_path / name, "compressed-tensors", format=spelled)
        scheme = said["config_groups"]["group_0"]["weights"]  # type: ignore[index]
        assert (scheme["type"], scheme["num_bits"]) == ("float", 8)
        assert scheme.get("group_size") == (GROUP if name == "groups" else None)
        scales = found[f"{PROJECTION}.weight_scale"]
        assert scales.shape == (64, 3 if name == "groups" else 1)
        fourcc.convert(model, tmp_path / f"{name}.bin", format=spelled)
        with fourcc.open(tmp_path / f"{name}.bin") as opened, open_source(tmp_path / name) as back:
            codes = opened["layers.1.feed_forward.w2"].parts["values"]
            numbers = np.array([[float8(int(code)) for code in row] for row in codes], np.float32)
            truth = numbers * scales.repeat(96 // scales.shape[1], 1)
            assert np.array_equal(decoded(back)["layers.1.feed_forward.w2"], truth)


MIXED = """
version = 1
[[rule]]
match = "*norm*"
tag = "F32"
[[rule]]
role = "ffn.*"
tag = "Q4_0"
[[rule]]
role = "attention.v"
tag = "F16"
[[rule]]
match = "*"
tag = "Q8_0"
"""


def test_several_schemes(model: Path, tmp_path: Path) -> None:
    """Each has a group that names its modules; the others are ignored, the tied output matrix among them."""
    _, said = quantized(model, tmp_path / "out", "compressed-tensors", policy=MIXED)
    groups = said["config_groups"]
    assert isinstance(groups, dict)
    assert [group["weights"]["num_bits"] for group in groups.values()] == [8, 4]
    stems = [{target.rpartition(".")[2] for target in group["targets"]} for group in groups.values()]
    assert stems == [{"q_proj", "k_proj", "o_proj"}, {"gate_proj", "up_proj", "down_proj"}]
    assert said["ignore"] == [*(f"model.layers.{layer}.self_attn.v_proj" for layer in range(2)), "lm_head"]
    with open_source(tmp_path / "out") as source:
        assert source.notes == ()
        tags = {tensor.name.rpartition(".")[2]: str(tensor.tag) for tensor in source.tensors}
    assert (tags["wq"], tags["w2"], tags["wv"]) == ("Q8_Z", "Q4_Z", "F16")


@attrs.frozen
class Refusal:
    """A format that a layout has no place for, and what the error says."""

    kind: str
    rules: dict[str, str]
    message: str


REFUSALS = {
    "other blocks": Refusal(
        "compressed-tensors", {"format": "Q5_0"}, r"compressed-tensors has no place for 14 tensors in Q5_0: .*It holds"
    ),
    "too many bits": Refusal(
        "awq", {"format": "Q8_0"}, r"awq has no place for 14 tensors in Q8_0.*matrices in Q4_0, Q4_Z,"
    ),
    "short groups": Refusal("gptq", {"format": "Q4_Z:group=48"}, r"gptq has no place for 12 tensors in Q4_Z"),
    "two group sizes": Refusal(
        "gptq",
        {
            "policy": MIXED.replace('tag = "Q4_0"', 'tag = "Q4_Z"\nparams = {group = 32}').replace(
                'match = "*"\ntag = "Q8_0"', 'match = "*"\ntag = "Q4_Z"\nparams = {group = 64}'
            )
        },
        r"GPTQ's config states one number of bits and one group size, .*: found 4 bits in groups of 64: .*32",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(model: Path, tmp_path: Path, name: str) -> None:
    """Each names what would do, and nothing is written."""
    case = REFUSALS[name]
    with pytest.raises(UsageError, match=case.message):
        quantized(model, tmp_path / "out", case.kind, **case.rules)
    assert not (tmp_path / "out").exists()


def test_an_index_of_groups(model: Path, tmp_path: Path) -> None:
    """GPTQ's order by activity goes back to GPTQ; compressed-tensors has no index any more."""
    shuffled = np.random.default_rng(1).permutation(np.arange(96) // GROUP).astype("<u4")
    found, _ = quantized(model, tmp_path / "plain", "gptq", format=f"Q4_Z:group={GROUP}")
    found[f"{PROJECTION}.g_idx"] = shuffled.view("<i4")
    (tmp_path / "act").mkdir()
    (tmp_path / "act" / "config.json").write_bytes((tmp_path / "plain" / "config.json").read_bytes())
    written(tmp_path / "act", "model.safetensors", safetensors(found))
    fourcc.export(tmp_path / "act", tmp_path / "back", to="gptq")
    with safe_open(tmp_path / "back" / "model.safetensors", framework="numpy") as file:
        again = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    assert again.keys() == found.keys()
    assert all(np.array_equal(again[name], array) for name, array in found.items())
    said = json.loads((tmp_path / "back" / "config.json").read_text())["quantization_config"]
    assert said["desc_act"] is True
    with pytest.raises(
        UsageError, match=r"compressed-tensors has no place for 1 tensor in Q4_X: layers.1.feed_forward"
    ):
        fourcc.export(tmp_path / "act", tmp_path / "no", to="compressed-tensors")


def test_an_architecture_that_is_not_known(tmp_path: Path) -> None:
    """Nothing says which of its matrices linear modules have."""
    arrays = {"model.layers.0.self_attn.q_proj.weight": np.ones((32, 32), "<f4")}
    written(tmp_path, "model.safetensors", safetensors(arrays))
    written(tmp_path, "config.json", {"model_type": "brandnew"})
    with pytest.raises(UsageError, match=r"no linear module is known that takes this matrix, .*brandnew"):
        fourcc.quantize(tmp_path, tmp_path / "out", format="Q8_0")


def family(folder: Path, case: str) -> Path:
    """A tiny model of a family, as transformers saves it."""
    folder.mkdir()
    written(folder, "config.json", saved_config(case))
    written(folder, "model.safetensors", safetensors(tensors(case)))
    return folder


def test_stacks_of_experts_one_by_one(tmp_path: Path) -> None:
    """Each expert's matrices are quantized modules; routers and the embedding stay as they are."""
    path = family(tmp_path / "a", next(case for case in FAMILIES if FAMILIES[case]["model_type"] == "mixtral"))
    fourcc.quantize(path, tmp_path / "b", format="Q8_G:group=16")
    fourcc.convert(path, tmp_path / "m.bin", format="Q8_G:group=16")
    said = json.loads((tmp_path / "b" / "config.json").read_text())["quantization_config"]
    assert "model.layers.0.block_sparse_moe.gate" in said["ignore"]
    with open_source(tmp_path / "b") as back, fourcc.open(tmp_path / "m.bin") as ours:
        assert not [note for note in back.notes if "transformers" not in note]
        for name in ours:
            if "router" not in name and name != "tok_embeddings":
                assert np.array_equal(back[name].decode(), ours[name].decode()), name


def test_modules_with_other_names(tmp_path: Path) -> None:
    """An output matrix of another name is what transformers calls lm_head: it is not ignored."""
    path = family(tmp_path / "a", "gpt_neox")
    fourcc.quantize(path, tmp_path / "b", format="Q8_G:group=16")
    stated = json.loads((tmp_path / "b" / "config.json").read_text())
    assert stated["quantization_config"]["ignore"] == []
    assert stated["pad_token_id"] is None


def test_columns_for_rows(tmp_path: Path) -> None:
    """GPT-2's matrices belong to modules that are no linear ones."""
    path = family(tmp_path / "a", "gpt2")
    with pytest.raises(UsageError, match=r"c_attn.weight': no linear module is known that takes this matrix"):
        fourcc.quantize(path, tmp_path / "b", format="Q8_G:group=16")


def test_every_layout_is_a_kind() -> None:
    """Each is chosen by its name, and tells in one line what it is."""
    for name, layout in LAYOUTS.items():
        assert layout.name == name
        assert layout.summary.startswith("a folder: ")
