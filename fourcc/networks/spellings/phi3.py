"""How files state Phi-3 and Phi-4: q, k and v are one tensor, and so are gate and up; heads may turn in part."""

from __future__ import annotations

from fourcc.naming import GGUF, HUGGING_FACE
from fourcc.networks.spelling import ConfigClass, GgufArchitecture, JoinedRows, RotationWords, Spelling
from fourcc.networks.spellings.common import ALWAYS, RMS, SIZES, activation

_QKV = JoinedRows(
    tuple(f"layers.*.attention.{name}" for name in ("wq", "wk", "wv")),
    {HUGGING_FACE: "model.layers.*.self_attn.qkv_proj", GGUF: "blk.*.attn_qkv"},
    apart=(GGUF,),
)
_GATE_UP = JoinedRows(
    ("layers.*.feed_forward.w1", "layers.*.feed_forward.w3"),
    {HUGGING_FACE: "model.layers.*.mlp.gate_up_proj", GGUF: "blk.*.ffn_up"},
)

SPELLING = Spelling(
    classes=(
        ConfigClass(
            model_type="phi3",
            name="Phi3ForCausalLM",
            window=ALWAYS,
            turning=RotationWords(partial=1.0, original=4096, kinds={"su": "longrope", "yarn": "longrope"}),
            passed=("resid_pdrop", "embd_pdrop", "attention_bias", "auto_map", "use_sliding_window"),
        ),
    ),
    gguf=(GgufArchitecture(name="phi3", halves=True, unheeded=("sliding_window", "hidden_act")),),
    words=(*SIZES, RMS, activation()),
    joined=(_QKV, _GATE_UP),
)
