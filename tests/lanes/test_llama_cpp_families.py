"""Every family's GGUF file as we write it, run by llama.cpp: where the package llama-cpp-python is installed.

llama.cpp does not heed all that a config can say: YaRN's `truncate`, windows of families that it knows without, another
limit of gpt-oss's gate. Cases that need these are changed to what it heeds; those that it cannot run are left out.
"""

from pathlib import Path

import numpy as np
import pytest

import fourcc
from tests.exporters.test_family_round_trips import exported, folder
from tests.lanes.llama_cpp import theirs
from tests.running.family_cases import CASES, TOKENS

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
pytestmark = pytest.mark.thorough

OFF = 1e-4  # of the logits' size: sums in another order, over 240 tokens
HALF = 2e-3  # ggml looks GELU up by its argument in float16
_YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "truncate": True}
_SCALAR = {"query_pre_attn_scalar": 16}  # the width of a head: llama.cpp's divisor is its root
# Case -> what is changed of it.
HEEDED: dict[str, dict[str, object]] = {
    "llama, yarn": {},
    "gemma": {},
    "gemma2": _SCALAR,
    "gemma2, window 40": {**_SCALAR, "attn_logit_softcapping": 50.0},  # a silent file means 50
    "gemma3": {**_SCALAR, "sliding_window_pattern": 6},
    "phi3": {},
    "phi3, longrope, short": {},
    "phi3, longrope, long": {},
    "phi3, partial": {},
    "smollm3": {"no_rope_layers": [1, 1, 1]},
    "olmo2": {},
    "granite": {},
    "granite, biases": {},
    "gpt2": {},
    "gpt2, untied": {},
    "gpt_neox": {},
    "gpt_neox, in series": {},
    "gpt_neox, tanh": {},
    "starcoder2": {"sliding_window": None},
    "stablelm": {},
    "stablelm, parallel": {},
    "cohere": {},
    "cohere2": {"sliding_window_pattern": 4},
    "mixtral": {},
    "qwen2_moe": {},
    "qwen3_moe": {},
    "gpt_oss": {"swiglu_limit": 7.0, "rope_scaling": _YARN},
    "gpt_oss, window 40": {"swiglu_limit": 7.0, "rope_scaling": _YARN},
}


@pytest.mark.parametrize("name", HEEDED)
def test_llama_cpp_runs_what_we_write(name: str, tmp_path: Path) -> None:
    source = folder(tmp_path / "source", name, **HEEDED[name])
    written = exported(source, tmp_path / "model.gguf", "gguf")
    fourcc.convert(written, tmp_path / "model.bin")
    with fourcc.open(tmp_path / "model.bin") as model:
        ours = model.network(256, threads=1).forward(TOKENS, every=True).astype(np.float64)
    off = np.abs(ours - theirs(written, TOKENS)).max() / np.abs(ours).max()
    assert off < (HALF if _is_gelu(name) else OFF)


def _is_gelu(name: str) -> bool:
    return name.startswith(("gemma", "gpt2", "gpt_neox", "starcoder2"))


def test_the_cases_are_known() -> None:
    assert set(HEEDED) <= set(CASES)
