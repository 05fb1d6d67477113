"""Exported mixes lose in llama.cpp what they lose here: where FOURCC_LLAMA_CPP names the folder of its tools."""

import os
from pathlib import Path

import pytest

import fourcc
from tests.lanes import llama_perplexity as lane
from tests.lanes.calibration import texts

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif("FOURCC_LLAMA_CPP" not in os.environ, reason="FOURCC_LLAMA_CPP names no folder of llama.cpp"),
]
TEXT = 40_000  # bytes


def test_our_own_model(root: Path, tmp_path: Path) -> None:
    """Rows of 176 fit no type, and stay in float32."""
    models = root / "fourcc" / "example"
    told = (models / "heldout.txt").read_text(encoding="utf-8").split("\n\n")
    files = []
    for name, part in (("a", told[:60]), ("b", told[60:75]), ("c", told[75:200])):
        files.append(tmp_path / f"{name}.txt")
        files[-1].write_text("\n\n".join(part), encoding="utf-8")
    model = tmp_path / "model.bin"
    fourcc.convert(models / "tiny.bin", model, tokenizer=models / "tiny_tokenizer.bin")
    found = lane.compare(tmp_path, model, lane.Texts(*files), "Q4_0,Q4_1,Q5_0,Q8_0", "11bpw")
    assert len(found.tags - {"F32"}) > 1
    assert found.theirs == pytest.approx(found.ours, rel=0.1)


def test_a_mix_of_k_quants(data: Path, tmp_path: Path) -> None:
    """A model that is tied: its embedding is in a type of ggml's, too."""
    read = texts.stories(data, tmp_path)
    judging = tmp_path / "judging.txt"
    judging.write_bytes(read.judging.read_bytes()[:TEXT])
    model = tmp_path / "model.bin"
    fourcc.convert(data / "tales5M.bin", model, tokenizer=data / "tok512.bin")
    files = lane.Texts(read.calibrating, read.measuring, judging)
    found = lane.compare(tmp_path, model, files, "Q2_K,Q3_K,Q4_K,Q6_K", "4.0bpw")
    assert "F32" not in found.tags
    assert found.theirs == pytest.approx(found.ours, rel=0.1)
