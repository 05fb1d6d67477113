"""The numbers of special tokens, and which of them come before and behind a text, as keys of a GGUF file."""

from __future__ import annotations

from collections.abc import Mapping

from fourcc.exporters.tokenizer_json import TokenizerJson, around, special_names
from fourcc.models.tokenizers.ends import named_ends
from fourcc.sources import tokenizer as blobs_of

# Use of a token, as tokenizer_config.json calls it -> as GGUF does (its spelling of "separator" included).
_USES = {"unk": "unknown", "sep": "seperator", "pad": "padding", "cls": "cls", "mask": "mask"}
# Tokens that end a turn, and one that ends a message that goes on; llama.cpp knows them by these names, too.
_TURNS = (
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<end_of_utterance>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
)
_MESSAGE = "<|eom_id|>"
_MAP = "special_tokens_map.json"


def special_values(described: TokenizerJson, blobs: Mapping[str, bytes]) -> dict[str, object]:
    """Values of the keys for special tokens; those that do not exist are left out.

    BOS is what the post-processor puts before a text, EOS what ``tokenizer_config.json`` says, else the first special
    token whose name says so.
    """
    names = special_names(blobs.get(blobs_of.CONFIGURATION), blobs.get(_MAP))
    before, behind = around(described)
    special = {each.text: each.token for each in described.added.values() if each.special}
    eos = described.token(names.get("eos"))
    if eos is None:
        eos = next(iter(named_ends(special)), None)
    values: dict[str, object] = {
        "bos_token_id": described.token(before[0] if before else names.get("bos")),
        "eos_token_id": eos,
        "eot_token_id": next((special[name] for name in _TURNS if special.get(name, eos) != eos), None),
        "eom_token_id": special.get(_MESSAGE),
    }
    values |= {f"{use}_token_id": described.token(names.get(name)) for name, use in _USES.items()}
    values |= {"add_bos_token": bool(before), "add_eos_token": bool(behind)}
    return {name: value for name, value in values.items() if value is not None}


def notes_on_specials(described: TokenizerJson) -> list[str]:
    """Notes on what the tokenizer does with special and added tokens, and GGUF cannot say."""
    notes = []
    for place, names in zip(("before", "behind"), around(described), strict=True):
        if len(names) > 1:
            what = f"the tokenizer puts {' '.join(names)} {place} a text: a GGUF file has a key for one such token"
            notes.append(what)
    strips = [each.text for each in described.added.values() if each.strips]
    if strips:
        which = ", ".join(map(repr, strips[:6])) + (f" and {len(strips) - 6} more" if len(strips) > 6 else "")
        notes.append(f"the added tokens {which} heed what stands beside them: a GGUF file cannot say so")
    return notes
