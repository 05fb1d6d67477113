"""Names, roles and layers of tensors in the three spellings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.naming import GGUF, HUGGING_FACE, TEMPLATES, layer, position, roles, to_fourcc

# fourcc, Hugging Face, GGUF, role: from the models' own files
TENSORS = [
    ("tok_embeddings", "model.embed_tokens.weight", "token_embd.weight", "embedding"),
    ("layers.7.attention_norm", "model.layers.7.input_layernorm.weight", "blk.7.attn_norm.weight", "norm"),
    ("layers.7.attention.wq", "model.layers.7.self_attn.q_proj.weight", "blk.7.attn_q.weight", "attention.q"),
    ("layers.7.attention.wk", "model.layers.7.self_attn.k_proj.weight", "blk.7.attn_k.weight", "attention.k"),
    ("layers.7.attention.wv", "model.layers.7.self_attn.v_proj.weight", "blk.7.attn_v.weight", "attention.v"),
    ("layers.7.attention.wo", "model.layers.7.self_attn.o_proj.weight", "blk.7.attn_output.weight", "attention.o"),
    ("layers.7.attention.wq.bias", "model.layers.7.self_attn.q_proj.bias", "blk.7.attn_q.bias", "bias"),
    ("layers.7.attention.q_norm", "model.layers.7.self_attn.q_norm.weight", "blk.7.attn_q_norm.weight", "norm"),
    ("layers.7.attention.k_norm", "model.layers.7.self_attn.k_norm.weight", "blk.7.attn_k_norm.weight", "norm"),
    ("layers.7.ffn_norm", "model.layers.7.post_attention_layernorm.weight", "blk.7.ffn_norm.weight", "norm"),
    ("layers.7.feed_forward.w1", "model.layers.7.mlp.gate_proj.weight", "blk.7.ffn_gate.weight", "ffn.gate"),
    ("layers.7.feed_forward.w2", "model.layers.7.mlp.down_proj.weight", "blk.7.ffn_down.weight", "ffn.down"),
    ("layers.7.feed_forward.w3", "model.layers.7.mlp.up_proj.weight", "blk.7.ffn_up.weight", "ffn.up"),
    ("norm", "model.norm.weight", "output_norm.weight", "norm"),
    ("output", "lm_head.weight", "output.weight", "output"),
]


@pytest.mark.parametrize(("ours", "hugging_face", "gguf", "role"), TENSORS)
def test_spellings(ours: str, hugging_face: str, gguf: str, role: str) -> None:
    """A name is translated, and has one role and layer in every spelling."""
    assert to_fourcc(hugging_face, HUGGING_FACE) == ours
    assert to_fourcc(gguf, GGUF) == ours
    for name in (ours, hugging_face, gguf):
        assert roles(name) == (role,)
        assert layer(name) == (7 if "7" in ours else None)


def test_every_template_is_tested() -> None:
    """A row that is added to the table is added above."""
    tested = {ours.replace("7", "*") for ours, *_ in TENSORS if not ours.endswith(".bias")}
    for spelling in (HUGGING_FACE, GGUF):
        assert set(TEMPLATES[spelling].values()) == tested


@pytest.mark.parametrize("name", ["tok_embeddings", "model.embed_tokens.weight", "token_embd.weight"])
def test_tied_embedding_has_two_roles(name: str) -> None:
    """It is the output matrix, too."""
    assert roles(name, tied=True) == ("embedding", "output")


def test_tied_changes_nothing_else() -> None:
    """Other tensors keep their one role."""
    for ours, _, _, role in TENSORS[1:]:
        assert roles(ours, tied=True) == (role,)


@pytest.mark.parametrize(
    ("name", "role", "number"),
    [
        ("layers.0.attention.wq.weight", "attention.q", 0),  # the spelling of Meta's own files
        ("blk.12.ffn_gate_exps.weight", "ffn.gate", 12),
        ("blk.12.ffn_down_exps.weight", "ffn.down", 12),
        ("blk.12.ffn_up_exps.weight", "ffn.up", 12),
        ("blk.3.post_attention_norm.weight", "norm", 3),
        ("transformer.h.11.attn.c_attn.weight", "other", 11),
        ("transformer.h.11.attn.c_attn.bias", "bias", 11),
        ("encoder.layer.4.output.LayerNorm.weight", "other", 4),
        ("blk_0_attn_k_weight.f32", "other", None),
        ("rope_freqs.weight", "other", None),
        ("", "other", None),
        ("layers", "other", None),
        ("layers.", "other", None),
        ("layers.x.attention.wq", "other", None),
    ],
)
def test_names_of_other_models(name: str, role: str, number: int | None) -> None:
    """Recognised as far as it goes."""
    assert (roles(name), layer(name)) == ((role,), number)


@pytest.mark.parametrize("number", ["07", "-1", "+1", " 1", "1e3", "٣", "²", "1_0", "9" * 10, "9" * 5000, ""])
def test_what_is_no_number_of_a_layer(number: str) -> None:
    """So that no two names stand for one tensor, and nothing is converted that is too long."""
    name = f"model.layers.{number}.self_attn.q_proj.weight"
    assert layer(name) is None
    assert to_fourcc(name, HUGGING_FACE) is None


@pytest.mark.parametrize("name", ["token_embd", "token_embd.scale", "blk.*.attn_q.weight", "blk.attn_q.weight", "x"])
def test_names_that_are_not_translated(name: str) -> None:
    """A name without GGUF's suffix is not a tensor of GGUF."""
    assert to_fourcc(name, GGUF) is None


@given(st.text())
def test_any_text_has_a_role(name: str) -> None:
    """Names come from files."""
    assert len(roles(name)) == 1
    assert layer(name) is None or str(layer(name)) in name


def test_position_sorts_as_the_model_runs() -> None:
    """Embedding, layers by number and not by text, norm, output, and the rest as it came."""
    names = ["x", "output", "norm", "layers.10.attention.wq", "layers.9.ffn_norm", "layers.9.attention.wq.bias"]
    names += ["layers.9.attention.wq", "tok_embeddings", "a", "layers.9.feed_forward.w1", "layers.9.feed_forward.w3"]
    assert sorted(names, key=position) == [
        "tok_embeddings",
        "layers.9.attention.wq",
        "layers.9.attention.wq.bias",
        "layers.9.ffn_norm",
        "layers.9.feed_forward.w1",
        "layers.9.feed_forward.w3",
        "layers.10.attention.wq",
        "norm",
        "output",
        "x",
        "a",
    ]
