"""The tokens of a vocabulary as keys of a GGUF file, whichever tokenizer they come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from fourcc.errors import InputError
from fourcc.exporters.gguf_head import FLOAT32, INT32, UINT8, GGUFKey
from fourcc.models.tokenizers.vocabulary import TokenKind

PREFIX = "tokenizer.ggml."
# Arrays whose numbers have a fixed type, by the last part of the key; other types follow from the values.
_ARRAYS = {"scores": FLOAT32, "token_type": INT32, "precompiled_charsmap": UINT8}

TokenEntry = tuple[bytes, float, TokenKind]  # text, score, kind


def key_of(name: str, value: Any) -> GGUFKey:  # noqa: ANN401 - any value that a key may have
    """A key of a tokenizer, in the type that readers expect."""
    kind = _ARRAYS.get(name.removeprefix(PREFIX))
    return GGUFKey(name, kind, value) if kind is not None and isinstance(value, list) else GGUFKey.of(name, value)


def keys_of(values: Mapping[str, Any]) -> list[GGUFKey]:
    """Keys by the last part of their names; what is None has no key."""
    named = {name if name.startswith("tokenizer.") else PREFIX + name: value for name, value in values.items()}
    return [key_of(name, value) for name, value in named.items() if value is not None]


def scored(entries: Sequence[TokenEntry]) -> dict[str, Any]:
    """The values of a scored vocabulary. Tokens with an equal text are renamed: llama.cpp would stop at them."""
    texts: dict[bytes, int] = {}
    for token, (text, _, _) in enumerate(entries):
        texts.setdefault(text, token)
    twins = {token for token, (text, _, _) in enumerate(entries) if texts[text] != token}
    return {
        "model": "llama",
        "tokens": [b"<twin_%d>" % token if token in twins else text for token, (text, _, _) in enumerate(entries)],
        "scores": [score for _, score, _ in entries],
        "token_type": [int(TokenKind.UNUSED if token in twins else kind) for token, (_, _, kind) in enumerate(entries)],
    }


def refuse_twins(texts: Sequence[str], file: object) -> None:
    """Raises InputError where two tokens have one text: readers of GGUF look tokens up by their texts."""
    text, count = Counter(texts).most_common(1)[0] if texts else ("", 1)
    if count > 1:
        what = "GGUF has no place for two tokens with one text"
        raise InputError(what, file=file, found=f"{text!r:.60}, {count} times")
