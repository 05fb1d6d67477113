"""How files state SmolLM3: a Llama in which some layers do not turn q and k, by default every fourth."""

from __future__ import annotations

from fourcc.networks.hyper import Hyper
from fourcc.networks.spelling import Config, ConfigClass, Found, GgufArchitecture, RotationWords, Spelling, WindowWords
from fourcc.networks.spellings.common import (
    MLP_BIASES,
    QKVO_BIASES,
    RMS,
    SIZES,
    activation,
    every,
    flags,
    unless_all,
)

_STEP = 4


def _turned(config: Config, count: int) -> list[int]:
    stated = flags(config, "no_rope_layers", count)  # in spite of its name, 1 means that a layer turns
    return every(_STEP, "no_rope_layer_interval")(config, count) if stated is None else stated


def _unturned(config: Config, count: int) -> list[int]:
    return [1 - flag for flag in _turned(config, count)]


def _more(config: Config, hyper: Hyper) -> Found:
    return unless_all("rope_layers", _turned(config, int(str(hyper["n_layers"]))))


def _write(hyper: Hyper) -> Found:
    stated = hyper.get("rope_layers", [1] * int(str(hyper["n_layers"])))
    return {"no_rope_layers": list(stated) if isinstance(stated, (list, tuple)) else stated}


def _implied(hyper: Hyper) -> Found:
    layers = range(min(int(str(hyper.get("n_layers", 0))), 1 << 16))
    return unless_all("rope_layers", [int((layer + 1) % _STEP != 0) for layer in layers])


SPELLING = Spelling(
    classes=(
        ConfigClass(
            model_type="smollm3",
            name="SmolLM3ForCausalLM",
            optional={
                **dict.fromkeys(QKVO_BIASES, "attention_bias"),
                **dict.fromkeys(MLP_BIASES, "mlp_bias"),
            },
            window=WindowWords(switch=True, layers=_unturned),
            turning=RotationWords(2000000.0),
            more=_more,
            write_more=_write,
            keys=("no_rope_layers", "no_rope_layer_interval"),
            passed=("max_window_layers", "pretraining_tp"),
        ),
    ),
    gguf=(
        GgufArchitecture(
            name="smollm3",
            halves=False,
            implied=_implied,
            unheeded=("rope_layers", "sliding_window", "hidden_act"),
        ),
    ),
    words=(*SIZES, RMS, activation()),
)
