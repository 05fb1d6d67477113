"""Files of families whose tensors are arranged otherwise: as their makers released them, and such as cannot be read."""

from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.errors import SourceError, UsageError
from fourcc.exporters import KINDS
from fourcc.exporters.export import plan_export
from fourcc.policy import Policy
from fourcc.sources import open_source
from tests.running import family_oracle
from tests.running.family_cases import CASES
from tests.sources.writers import Arrays, decoded, safetensors, written


def folder(at: Path, case: str, tensors: Arrays) -> Path:
    """A case's config with other tensors."""
    at.mkdir(exist_ok=True)
    written(at, "model.safetensors", safetensors(tensors))
    written(at, "config.json", CASES[case])
    return at


@pytest.mark.parametrize("case", ["gpt2", "gpt_neox"])
def test_as_their_makers_released_them(tmp_path: Path, case: str) -> None:
    """Masks and tables that are computed today are left out, with a note; a missing word before names is put there."""
    first = folder(tmp_path / "first", case, family_oracle.as_first_released(case))
    with open_source(first) as old, open_source(folder(tmp_path / "now", case, family_oracle.tensors(case))) as now:
        ours, theirs = decoded(now), decoded(old)
        assert any("left out: masks are computed" in note for note in old.notes)
    assert theirs.keys() == ours.keys()
    assert all(np.array_equal(theirs[name], ours[name]) for name in ours)


def test_gpt2_lies_with_columns_for_rows(tmp_path: Path) -> None:
    """The first third of the joined tensor are the columns of q; rows are what comes out."""
    tensors = family_oracle.tensors("gpt2")
    joined = tensors["transformer.h.1.attn.c_attn.weight"]  # (in, q and k and v)
    with open_source(folder(tmp_path, "gpt2", tensors)) as source:
        for place, name in enumerate(("wq", "wk", "wv")):
            np.testing.assert_array_equal(
                source[f"layers.1.attention.{name}"].decode(), joined[:, 32 * place : 32 * (place + 1)].T
            )


def test_experts_are_one_stack(tmp_path: Path) -> None:
    tensors = family_oracle.tensors("mixtral")
    with open_source(folder(tmp_path, "mixtral", tensors)) as source:
        stack = source["layers.2.feed_forward.experts.w1"].decode()
    for number in range(6):
        np.testing.assert_array_equal(
            stack[number], tensors[f"model.layers.2.block_sparse_moe.experts.{number}.w1.weight"]
        )


def test_gate_and_up_of_gpt_oss_take_turns(tmp_path: Path) -> None:
    tensors = family_oracle.tensors("gpt_oss")
    both = tensors["model.layers.0.mlp.experts.gate_up_proj"]  # (experts, in, gate and up)
    with open_source(folder(tmp_path, "gpt_oss", tensors)) as source:
        np.testing.assert_array_equal(
            source["layers.0.feed_forward.experts.w3"].decode(), both[:, :, 1::2].transpose(0, 2, 1)
        )


def test_blocks_of_mxfp4(tmp_path: Path) -> None:
    """Codes and exponents are the makers': in their table of values, neighbours share a byte."""
    tensors = family_oracle.tensors("gpt_oss, MXFP4")
    at = "model.layers.0.mlp.experts.down_proj"
    codes = np.stack([tensors[f"{at}_blocks"] & 15, tensors[f"{at}_blocks"] >> 4], -1).reshape(6, 32, 1, 32)
    values = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)
    truth = values[codes] * np.exp2(tensors[f"{at}_scales"].astype(np.float32) - 127)[..., None]
    with open_source(folder(tmp_path, "gpt_oss, MXFP4", tensors)) as source:
        stack = source["layers.0.feed_forward.experts.w2"]
        assert str(stack.tag) == "MXF4"
        np.testing.assert_array_equal(stack.decode(), truth.reshape(6, 32, 32))


def test_an_expert_that_is_missing(tmp_path: Path) -> None:
    tensors = family_oracle.tensors("mixtral")
    del tensors["model.layers.0.block_sparse_moe.experts.3.w2.weight"]
    with pytest.raises(SourceError, match="number 3 of the tensors that are one here is missing"):
        open_source(folder(tmp_path, "mixtral", tensors))


def test_experts_of_several_formats(tmp_path: Path) -> None:
    tensors = family_oracle.tensors("mixtral")
    name = "model.layers.0.block_sparse_moe.experts.3.w2.weight"
    tensors[name] = tensors[name].astype(np.float16)
    with pytest.raises(SourceError, match="the tensors that are one here are stored differently"):
        open_source(folder(tmp_path, "mixtral", tensors))


def test_a_joined_tensor_of_another_size(tmp_path: Path) -> None:
    tensors = family_oracle.tensors("phi3")
    name = "model.layers.0.self_attn.qkv_proj.weight"
    tensors[name] = tensors[name][:-8]
    with pytest.raises(SourceError, match=r"does not join .*wq, .*wv: found shape \[56, 32\], expected 32 \+ 16 \+ 16"):
        open_source(folder(tmp_path, "phi3", tensors))


def test_scales_that_do_not_go_with_blocks(tmp_path: Path) -> None:
    tensors = family_oracle.tensors("gpt_oss, MXFP4")
    del tensors["model.layers.0.mlp.experts.down_proj_scales"]
    with pytest.raises(SourceError, match="the blocks of MXFP4 have no scales that go with them"):
        open_source(folder(tmp_path, "gpt_oss, MXFP4", tensors))


GATE_ALONE = '[[rule]]\nmatch = "*w1"\ntag = "F16"\n[[rule]]\nmatch = "*"\ntag = "F32"\n'
Q_ALONE = '[[rule]]\nmatch = "*wq"\ntag = "F16"\n[[rule]]\nmatch = "*"\ntag = "F32"\n'


def test_parts_of_several_formats(tmp_path: Path) -> None:
    """q, k and v stay apart where readers take that; gate and up, which they do not, refuse the export."""
    given = folder(tmp_path / "in", "phi3", family_oracle.tensors("phi3"))
    fourcc.convert(given, tmp_path / "q.bin", policy=Policy.parse(f"version = 1\n{Q_ALONE}"))
    fourcc.convert(given, tmp_path / "gate.bin", policy=Policy.parse(f"version = 1\n{GATE_ALONE}"))
    with open_source(tmp_path / "q.bin") as source:
        names = [step.source.name for step in plan_export(source, KINDS["gguf"]).steps]
        assert {"blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight"} <= set(names)
        with pytest.raises(UsageError, match="as one tensor, so they need one format"):
            plan_export(source, KINDS["safetensors"])
    with (
        open_source(tmp_path / "gate.bin") as source,
        pytest.raises(UsageError, match=r"w1, .*w3 as one tensor, so they need one format: found F16, F32"),
    ):
        plan_export(source, KINDS["gguf"])


def test_a_lora_folder_is_called_one(tmp_path: Path) -> None:
    written(tmp_path, "adapter_config.json", {"peft_type": "LORA"})
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    written(tmp_path, "adapter_model.safetensors", safetensors({name: np.ones((2, 8), "<f4")}))
    with open_source(tmp_path / "adapter_model.safetensors") as source:
        assert "a LoRA adapter (adapter_config.json), no model" in source.notes[0]


@pytest.mark.parametrize(("case", "stated"), [("mistral3, with pictures", "mistral"), ("qwen2_moe", None)])
def test_the_architecture_is_called_as_the_file_states_it(case: str, stated: str | None, tmp_path: Path) -> None:
    """Where fourcc's word is another."""
    with open_source(folder(tmp_path, case, family_oracle.tensors(case))) as source:
        assert source.stated == stated
