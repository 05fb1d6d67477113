"""Names of tensors in fourcc's spelling, Hugging Face's and GGUF's, and the roles that they tell.

A spelling is a table of templates in which ``*`` stands for the layer's number; ``.weight`` at the end is left out,
``.bias`` is kept. A name that is in no table stays as it is.

>>> to_fourcc("model.layers.3.self_attn.q_proj.weight", HUGGING_FACE)
'layers.3.attention.wq'
>>> roles("blk.3.ffn_down.weight"), layer("blk.3.ffn_down.weight")
(('ffn.down',), 3)
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

HUGGING_FACE = "Hugging Face"
GGUF = "GGUF"
SPELLINGS = (HUGGING_FACE, GGUF)

# fourcc's template, Hugging Face's, GGUF's, role; the rows are in the order in which a model's tensors are stored.
# Where families differ, or only some have a tensor, their networks' declarations have its name elsewhere.
_HEAD = (
    ("tok_embeddings", "model.embed_tokens", "token_embd", "embedding"),
    ("position_embeddings", None, None, "other"),
)
_LAYER = (
    ("layers.*.attention_norm", "model.layers.*.input_layernorm", "blk.*.attn_norm", "norm"),
    ("layers.*.attention.wq", "model.layers.*.self_attn.q_proj", "blk.*.attn_q", "attention.q"),
    ("layers.*.attention.wk", "model.layers.*.self_attn.k_proj", "blk.*.attn_k", "attention.k"),
    ("layers.*.attention.wv", "model.layers.*.self_attn.v_proj", "blk.*.attn_v", "attention.v"),
    ("layers.*.attention.wo", "model.layers.*.self_attn.o_proj", "blk.*.attn_output", "attention.o"),
    ("layers.*.attention.q_norm", "model.layers.*.self_attn.q_norm", "blk.*.attn_q_norm", "norm"),
    ("layers.*.attention.k_norm", "model.layers.*.self_attn.k_norm", "blk.*.attn_k_norm", "norm"),
    ("layers.*.attention.sinks", None, None, "other"),
    ("layers.*.attention_post_norm", None, None, "norm"),
    ("layers.*.ffn_norm", "model.layers.*.post_attention_layernorm", "blk.*.ffn_norm", "norm"),
    ("layers.*.feed_forward.w1", "model.layers.*.mlp.gate_proj", "blk.*.ffn_gate", "ffn.gate"),
    ("layers.*.feed_forward.w2", "model.layers.*.mlp.down_proj", "blk.*.ffn_down", "ffn.down"),
    ("layers.*.feed_forward.w3", "model.layers.*.mlp.up_proj", "blk.*.ffn_up", "ffn.up"),
    ("layers.*.feed_forward.router", None, None, "other"),
    ("layers.*.feed_forward.experts.w1", None, None, "ffn.gate"),
    ("layers.*.feed_forward.experts.w2", None, None, "ffn.down"),
    ("layers.*.feed_forward.experts.w3", None, None, "ffn.up"),
    ("layers.*.feed_forward.shared_gate", None, None, "other"),
    ("layers.*.feed_forward.shared.w1", None, None, "ffn.gate"),
    ("layers.*.feed_forward.shared.w2", None, None, "ffn.down"),
    ("layers.*.feed_forward.shared.w3", None, None, "ffn.up"),
    ("layers.*.ffn_post_norm", None, None, "norm"),
)
_END = (("norm", "model.norm", "output_norm", "norm"), ("output", "lm_head", "output", "output"))
_ROWS: tuple[tuple[str, str | None, str | None, str], ...] = (*_HEAD, *_LAYER, *_END)

# Stacks of experts, tensors of three dimensions, of models whose architecture is not known here. They keep their names.
_EXPERTS = {"blk.*.ffn_gate_exps": "ffn.gate", "blk.*.ffn_down_exps": "ffn.down", "blk.*.ffn_up_exps": "ffn.up"}

TEMPLATES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        HUGGING_FACE: {theirs: ours for ours, theirs, _, _ in _ROWS if theirs},
        GGUF: {theirs: ours for ours, _, theirs, _ in _ROWS if theirs},
    }
)
_BACK = {spelling: {ours: theirs for theirs, ours in table.items()} for spelling, table in TEMPLATES.items()}
_ROLES = {template: row[3] for row in _ROWS for template in row[:3] if template} | _EXPERTS
ROLES = tuple(dict.fromkeys([*(row[3] for row in _ROWS), "bias", "other"]))  # all that `roles` gives
_POSITIONS = {row[0]: number for number, row in enumerate(_ROWS)}
_LAYER_WORDS = frozenset({"layers", "layer", "blk", "blocks", "block", "h"})
_MAX_DIGITS = 9


def split_name(name: str) -> tuple[str, int | None, str]:
    """A name's template, layer and ending: ``blk.3.attn_q.bias`` is ``blk.*.attn_q``, 3 and ``.bias``."""
    stem, ending = name, ""
    for end in (".weight", ".bias"):
        if name.endswith(end):
            stem, ending = name[: -len(end)], end
    words = stem.split(".")
    for before, word in enumerate(words[1:]):
        if words[before] in _LAYER_WORDS and _is_number(word):
            words[before + 1] = "*"
            return ".".join(words), int(word), ending
    return stem, None, ending


def _is_number(word: str) -> bool:
    """Whether a word is a number as it is printed, so that no two names stand for one layer."""
    canonical = word == "0" or not word.startswith("0")
    return word.isascii() and word.isdigit() and canonical and len(word) <= _MAX_DIGITS


def layer(name: str) -> int | None:
    """The layer that a tensor belongs to, from 0, in any spelling; None where it belongs to none."""
    return split_name(name)[1]


def roles(name: str, *, tied: bool = False) -> tuple[str, ...]:
    """The roles of a tensor in the model.

    Args:
        name: in fourcc's, Hugging Face's or GGUF's spelling.
        tied: whether the model's output matrix is its embedding; the embedding then has both roles.

    Returns:
        One of ``embedding``, ``output``, ``attention.q|k|v|o``, ``ffn.gate|down|up``, ``norm``, ``bias``, ``other``;
        two of them for a tied embedding.
    """
    template, _, ending = split_name(name)
    if ending == ".bias":
        return ("bias",)
    role = _ROLES.get(template) or ("norm" if "norm" in template.rpartition(".")[2] else "other")
    return ("embedding", "output") if tied and role == "embedding" else (role,)


def spelled(template: str, spelling: str) -> str | None:
    """The usual template of another spelling, without an ending, for one in fourcc's; None where it has none."""
    return _BACK[spelling].get(template)


def to_fourcc(name: str, spelling: str) -> str | None:
    """A tensor's name in fourcc's spelling, or None where it is not in the table.

    Args:
        name: the source's.
        spelling: `HUGGING_FACE` or `GGUF`.
    """
    return translated(name, TEMPLATES[spelling])


def translated(name: str, templates: Mapping[str, str]) -> str | None:
    """A tensor's name in fourcc's spelling, by a table of another spelling's templates -> ours; None: not in it."""
    template, number, ending = split_name(name)
    ours = templates.get(template)
    if ours is None or not ending or ("*" in ours) != (number is not None):
        return None
    return ours.replace("*", str(number)) + ending.removesuffix(".weight")


def from_fourcc(name: str, spelling: str) -> str | None:
    """The name of a tensor in another spelling, or None where its name in fourcc's spelling is not in the table."""
    return translated_back(name, _BACK[spelling])


def translated_back(name: str, templates: Mapping[str, str]) -> str | None:
    """The name in another spelling of a tensor in ours, by a table of our templates -> its; None: not in it."""
    template, number, ending = split_name(name)
    theirs = templates.get(template)
    if theirs is None or ending == ".weight":
        return None
    return theirs.replace("*", str(number)) + (ending or ".weight")


def position(name: str) -> tuple[int, int, int]:
    """A key that sorts names in fourcc's spelling as a model runs: embedding, layers, norm, output; then all others."""
    template, number, ending = split_name(name)
    row = _POSITIONS.get(template)
    if row is None:
        return 3, 0, 0
    if number is not None:
        return 1, number, 2 * row + bool(ending)
    return (0 if row < len(_HEAD) else 2), 0, 2 * row + bool(ending)
