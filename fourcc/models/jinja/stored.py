"""The Jinja templates that a model brings, by their names, and the variables that name its special tokens.

========================================  ==================================================
``chat_template.jinja``                   the template, before those of the tokenizer's configuration
``additional_chat_templates/NAME.jinja``  one of other names
``tokenizer_config.json``                 ``chat_template``: a text, or a list of ``{"name", "template"}``
a GGUF file's keys                        ``tokenizer.chat_template``, ``tokenizer.chat_template.NAME``
========================================  ==================================================

The template of a talk is the one named ``default``; with tools it is ``tool_use``, where there is one, as in
transformers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fourcc.errors import InputError, UsageError
from fourcc.files.json_text import parse_object
from fourcc.models.tokenizers.gguf_fields import unpacked
from fourcc.sources.tokenizer import CHAT_TEMPLATE, CONFIGURATION, GGUF, OTHER_TEMPLATES

if TYPE_CHECKING:
    from fourcc.models.tokenizers import Tokenizer

DEFAULT, TOOL_USE = "default", "tool_use"
_KEY = "tokenizer.chat_template"
_MAP = "special_tokens_map.json"


def templates_in(blobs: Mapping[str, bytes], file: object = None) -> dict[str, str]:
    """Name -> text of the templates among a model's blobs; of several with one name the first in the table above.

    Raises:
        InputError: one of them is no text, or has no name.
    """
    found: dict[str, str] = {}
    for name, text in (*_files(blobs, file), *_configured(blobs, file), *_keys(blobs, file)):
        found.setdefault(name, text)
    return found


def chosen(templates: Mapping[str, str], file: object, *, tools: bool) -> tuple[str, str]:
    """Name and text of the template for a talk.

    Raises:
        UsageError: none is named ``default``, and there are several.
    """
    wanted = (TOOL_USE, DEFAULT) if tools else (DEFAULT,)
    name = next((name for name in wanted if name in templates), None)
    if name is None and len(templates) > 1:
        hint = f"--template NAME chooses one: {', '.join(templates)}."
        raise UsageError("the model brings several chat templates, and none is the default", file=file, hint=hint)
    name = next(iter(templates)) if name is None else name
    return name, templates[name]


def special_texts(blobs: Mapping[str, bytes], tokenizer: Tokenizer, file: object = None) -> dict[str, str]:
    """Variable -> text of a special token: as the tokenizer's files say, else BOS and EOS of the tokenizer.

    Raises:
        InputError: a file is damaged.
    """
    own = {"bos_token": tokenizer.bos, "eos_token": tokenizer.eos}
    found = {name: tokenizer.name(token) for name, token in own.items() if token is not None}
    for blob in (_MAP, CONFIGURATION):
        for name, value in parse_object(blobs.get(blob, b"{}"), f"{file} ({blob})").items():
            text = value.get("content") if isinstance(value, dict) else value
            if name.endswith("_token") and isinstance(text, str):
                found[name] = text
    return found


def _files(blobs: Mapping[str, bytes], file: object) -> Iterator[tuple[str, str]]:
    if CHAT_TEMPLATE in blobs:
        yield DEFAULT, _text(blobs[CHAT_TEMPLATE], CHAT_TEMPLATE, file)
    for blob, data in blobs.items():
        if blob.startswith(OTHER_TEMPLATES):
            yield blob.removeprefix(OTHER_TEMPLATES).removesuffix(".jinja"), _text(data, blob, file)


def _configured(blobs: Mapping[str, bytes], file: object) -> Iterator[tuple[str, str]]:
    stated = parse_object(blobs.get(CONFIGURATION, b"{}"), f"{file} ({CONFIGURATION})").get("chat_template")
    for entry in stated if isinstance(stated, list) else [{"name": DEFAULT, "template": stated}]:
        named = entry if isinstance(entry, dict) else {}
        name, text = named.get("name"), _text(named.get("template"), "chat_template", f"{file} ({CONFIGURATION})")
        if not isinstance(name, str):
            raise InputError("a chat template has no name", file=f"{file} ({CONFIGURATION})", found=f"{entry!r:.60}")
        if stated is not None:
            yield name, text


def _keys(blobs: Mapping[str, bytes], file: object) -> Iterator[tuple[str, str]]:
    for key, value in (unpacked(blobs[GGUF], file) if GGUF in blobs else {}).items():
        if key == _KEY or key.startswith(f"{_KEY}."):
            yield key.removeprefix(_KEY).removeprefix(".") or DEFAULT, _text(value, key, file)


def _text(value: Any, what: str, file: object) -> str:  # noqa: ANN401 - whatever a file states
    """A template's text; empty where a configuration has none."""
    try:
        text = value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError as error:
        raise InputError(f"{what} is not UTF-8", file=file, offset=error.start) from None
    if text is not None and not isinstance(text, str):
        raise InputError(f"{what} is no text", file=file, found=f"{value!r:.60}")
    return text or ""
