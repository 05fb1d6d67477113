"""The words of transformers on the models in `family_cases`, as ``tests/vectors/families.json`` holds it."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.running.family_cases import CASES, PLACES, Arrays, Config, weights

_STORED = Path(__file__).parents[1] / "vectors" / "families.json"


@cache
def _cases() -> dict[str, Any]:
    cases: dict[str, Any] = json.loads(_STORED.read_text())["cases"]
    return cases


def shapes(case: str) -> dict[str, list[int]]:
    """The names and shapes of a model's tensors, as transformers saves them."""
    found = {}
    for template, shape in _cases()[case]["tensors"].items():
        *sizes, last = [*shape, None] if not shape or isinstance(shape[-1], int) else shape
        names = [template] if last is None else [template.replace("*", str(layer)) for layer in last["layers"]]
        found |= dict.fromkeys(names, sizes)
    return found


def tensors(case: str) -> Arrays:
    """The model's tensors by Hugging Face's names."""
    return weights(case, shapes(case))


def saved_config(case: str) -> Config:
    """Its config as transformers saves it."""
    return dict(_cases()[case]["config"])


def logits(case: str) -> np.ndarray:
    """The logits that transformers gave, float64 (places, vocabulary)."""
    data = base64.b64decode(_cases()[case]["logits"])
    return np.frombuffer(data, "<f4").reshape(len(PLACES), -1).astype(np.float64)


# -- the same models in other files' spellings


def behind(prefix: str, arrays: Arrays) -> Arrays:
    """The tensors, each name behind a prefix, as ``torch.compile`` and wrappers of models leave it."""
    return {f"{prefix}{name}": array for name, array in arrays.items()}


def as_first_released(case: str) -> Arrays:
    """The tensors as files of their makers hold them: without a prefix, and with masks that are computed today."""
    family, arrays = CASES[case]["model_type"], tensors(case)
    mask = np.tril(np.ones((1, 1, 16, 16), np.float32))
    if family == "gpt2":
        bare = {name.removeprefix("transformer."): array for name, array in arrays.items()}
        return bare | {f"h.{layer}.attn.bias": mask for layer in range(3)}
    at = "gpt_neox.layers.{}.attention"
    for layer in range(3):
        arrays |= {
            f"{at.format(layer)}.bias": mask.astype(np.bool_),
            f"{at.format(layer)}.masked_bias": np.float32(-1e9).reshape(()),
            f"{at.format(layer)}.rotary_emb.inv_freq": np.ones(1, np.float32),
        }
    return arrays
