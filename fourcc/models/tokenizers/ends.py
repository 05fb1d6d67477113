"""Tokens that end a text, by their names.

A vocabulary may have several: one for the end of a document, one for the end of an answer. All of them end a text.
"""

from __future__ import annotations

from collections.abc import Mapping

# Of several in one vocabulary the first is EOS, where nothing else tells which.
END_NAMES = (
    "</s>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<eos>",
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
    "[SEP]",
    "<|eom_id|>",
    "<end_of_turn>",
    "<end_of_utterance>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
)


# OpenAI's harmony format: <|end|> ends a part of an answer only (llama.cpp takes it from the ends, too).
_HARMONY = ("<|return|>", "<|call|>")
_ENDS_A_PART = "<|end|>"


def named_ends(special: Mapping[str, int]) -> tuple[int, ...]:
    """The special tokens (name -> token) whose names say that a text ends; the first is EOS."""
    names: tuple[str, ...] = END_NAMES
    if all(name in special for name in _HARMONY):
        names = (*_HARMONY, *(name for name in END_NAMES if name != _ENDS_A_PART))
    return tuple(special[name] for name in names if name in special)
