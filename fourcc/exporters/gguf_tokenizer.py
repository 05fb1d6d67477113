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
from fourcc.models.jinja.stored import DEFAULT, templates_in
from fourcc.models.tokenizers.gguf_fields import unpacked
from fourcc.sources import tokenizer as blobs_of

TEMPLATE = "tokenizer.chat_template"


def tokenizer_keys(blobs: Mapping[str, bytes], file: object) -> tuple[list[GGUFKey], list[str]]:
    """The keys of the tokenizer among a model's blobs, and notes.

    Raises:
        InputError: the tokenizer is damaged.
        UsageError: a package that reads it is not installed, or no vocabulary of GGUF cuts texts as it does.
    """
    for name in taken(blobs, file)[:1]:
        keys, notes = _converted(name, blobs, file)
        return [*keys, *_chat_templates(blobs, file, {key.name for key in keys})], notes
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
    templates = [name for name in blobs if name == blobs_of.CHAT_TEMPLATE or name.startswith(blobs_of.OTHER_TEMPLATES)]
    # A template that came with a GGUF file's keys stays among them.
    own = tokenizers == [blobs_of.GGUF] and TEMPLATE in unpacked(blobs[blobs_of.GGUF], f"{file} ({blobs_of.GGUF})")
    return tokenizers if own or not tokenizers else [*tokenizers, *templates]


def _converted(name: str, blobs: Mapping[str, bytes], file: object) -> tuple[list[GGUFKey], list[str]]:
    """The keys of the tokenizer in a blob, and notes."""
    if name == blobs_of.GGUF:
        came = unpacked(blobs[name], f"{file} ({name})")
        return [key_of(key, value) for key, value in came.items()], []
    if name == blobs_of.LLAMA2C:
        return keys_of(values_of_llama2c(blobs[name], f"{file} ({name})")), []
    values, notes = (values_of_json if name == blobs_of.JSON else values_of_sentencepiece)(blobs, file)
    return keys_of(values), notes


def _chat_templates(blobs: Mapping[str, bytes], file: object, there: set[str]) -> list[GGUFKey]:
    """The keys of templates that are not `there` yet, the default first, and the names of the others.

    Where the default came among a GGUF file's keys, its templates are all.
    """
    templates = {} if TEMPLATE in there else templates_in(blobs, file)
    keys = {TEMPLATE if name == DEFAULT else f"{TEMPLATE}.{name}": text for name, text in templates.items()}
    others = [name for name in templates if name != DEFAULT]
    listed = [GGUFKey.of(f"{TEMPLATE}s", others)] if others else []
    new = [*(GGUFKey.of(key, text.encode()) for key, text in keys.items() if text), *listed]
    return [key for key in new if key.name not in there]
