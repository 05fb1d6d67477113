"""A config that is silent says what transformers' class takes by default, as ``config_silence.json`` has stored it."""

import json
from pathlib import Path
from typing import Any

import pytest

from fourcc.networks import CLASSES
from fourcc.sources.config_json import ConfigJson
from fourcc.sources.config_words import ClassReader
from fourcc.sources.family_names import spelling_of
from tests.running.family_cases import CASES

STORED = Path(__file__).parents[1] / "vectors" / "config_silence.json"
DEFAULTS: dict[str, dict[str, Any]] = json.loads(STORED.read_text())["classes"]


def read(config: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    parsed = ConfigJson.parse(json.dumps(config).encode(), Path("config.json"))
    assert parsed.known is not None
    hyper, notes = ClassReader(parsed, *parsed.known).hyper([], tied=False)
    return dict(hyper), notes


@pytest.mark.parametrize("family", DEFAULTS)
def test_silence_is_the_default(family: str) -> None:
    network, known = CLASSES[family]
    words = {key for word in spelling_of(network).words_of(known) for key in (word.hugging_face, *word.others)}
    stated = {key: value for key, value in DEFAULTS[family].items() if key in words}
    whole = read({"model_type": family, **stated})
    for key in stated:
        less = {other: value for other, value in stated.items() if other != key}
        assert read({"model_type": family, **less}) == whole, key
    assert read({"model_type": family}) == whole


def test_all_classes_are_stored() -> None:
    assert set(DEFAULTS) == set(CLASSES)


GEMMA3 = CASES["gemma3"]
THEIRS = {key: value for key, value in GEMMA3.items() if key not in ("rope_scaling", "rope_theta")}


@pytest.mark.parametrize(
    ("maps", "note"),
    [
        ({"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 300.0}}, "rope_parameters without"),
        ({"rope_scaling": {"type": "linear", "factor": 4.0}}, "rope_scaling says type 'linear' and no rope_type"),
    ],
)
def test_gemma3_passes_over_maps(maps: dict[str, Any], note: str) -> None:
    plain, none = read(THEIRS)
    hyper, notes = read({**THEIRS, **maps})
    assert hyper == plain
    assert not none
    assert any(note in each for each in notes)


def test_a_gemma3_config_as_its_makers_wrote_it() -> None:
    """Its language model states four sizes, and leaves the heads to the class."""
    text = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "sliding_window": 8}
    scaling = {"rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "model_type": "gemma3_text"}
    hyper, _ = read({"model_type": "gemma3", "text_config": {**text, **scaling}})
    assert [hyper[name] for name in ("n_heads", "n_kv_heads", "head_dim", "vocab_size")] == [8, 4, 256, 262208]
