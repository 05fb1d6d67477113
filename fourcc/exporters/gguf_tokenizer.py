"""A model's tokenizer as keys of a GGUF file.

The tokenizer of a GGUF file goes back as it came. llama2.c's pieces and SentencePiece's become a scored vocabulary
(`fourcc.exporters.gguf_scored`), a tokenizer.json one of its kind, if GGUF has that (`fourcc.exporters.gguf_json`).
"""

from __future__ import annotations

from collections.abc import Mapping

from fourcc.exporters.gguf_entries import PREFIX, key_of, keys_of
from fourcc.exporters.gguf_head import GGUFKey
from fourcc.exporters.gguf_json import has_a_kind, values_of_json
from fourcc.exporters.gguf_scored import values_of_llama2c, values_of_sentencepiece
from fourcc.models.tokenizers.gguf_fields import unpacked
from fourcc.sources import tokenizer as blobs_of

_TEMPLATE = "tokenizer.chat_template"


def tokenizer_keys(blobs: Mapping[str, bytes], file: object) -> tuple[list[GGUFKey], list[str]]:
    """The keys of the tokenizer among a model's blobs, and notes.

    Raises:
        InputError: the tokenizer is damaged.
        UsageError: a package that reads it is not installed, or no vocabulary of GGUF cuts texts as it does.
    """
    for name in taken(blobs, file)[:1]:
        keys, notes = _converted(name, blobs, file)
        return [*keys, *_chat_template(blobs, file)], notes
    left_out = [name for name in blobs if name in blobs_of.BLOBS]
    why = f"{left_out[0]} has no counterpart in GGUF" if left_out else "the model has no tokenizer"
    note = f"{why}: the file has no vocabulary"
    return [GGUFKey.of(f"{PREFIX}model", "no_vocab")], [note]


def taken(blobs: Mapping[str, bytes], file: object) -> list[str]:
    """Names of the blobs that become keys, the tokenizer first; none where no tokenizer has a form in GGUF.

    Raises:
        InputError: the tokenizer.json is damaged.
    """
    has_form = {name: name in blobs for name in (blobs_of.GGUF, blobs_of.LLAMA2C)}
    has_form[blobs_of.JSON] = blobs_of.JSON in blobs and has_a_kind(blobs[blobs_of.JSON], f"{file} ({blobs_of.JSON})")
    has_form[blobs_of.SENTENCEPIECE] = blobs_of.SENTENCEPIECE in blobs
    tokenizers = [name for name, has_one in has_form.items() if has_one][:1]
    if not tokenizers or blobs_of.CHAT_TEMPLATE not in blobs:
        return tokenizers
    # A template that came with a GGUF file's keys stays among them.
    own = tokenizers == [blobs_of.GGUF] and _TEMPLATE in unpacked(blobs[blobs_of.GGUF], f"{file} ({blobs_of.GGUF})")
    return tokenizers if own else [*tokenizers, blobs_of.CHAT_TEMPLATE]


def _converted(name: str, blobs: Mapping[str, bytes], file: object) -> tuple[list[GGUFKey], list[str]]:
    """The keys of the tokenizer in a blob, and notes."""
    if name == blobs_of.GGUF:
        values = unpacked(blobs[name], f"{file} ({name})")
        return [key_of(key, value) for key, value in values.items()], []
    if name == blobs_of.LLAMA2C:
        return keys_of(values_of_llama2c(blobs[name], f"{file} ({name})")), []
    values, notes = (values_of_json if name == blobs_of.JSON else values_of_sentencepiece)(blobs, file)
    return keys_of(values), notes


def _chat_template(blobs: Mapping[str, bytes], file: object) -> list[GGUFKey]:
    """The key of a template that has its own file."""
    if blobs_of.CHAT_TEMPLATE not in taken(blobs, file):
        return []
    return [GGUFKey.of(_TEMPLATE, blobs[blobs_of.CHAT_TEMPLATE])]
