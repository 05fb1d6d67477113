"""Tokens that fill a vocabulary up to the model's rows: readers of GGUF want a token for every row.

They are written as llama.cpp's own converter writes them: token 7 is called ``[PAD7]``, its kind is UNUSED, and no
merge prefers its score.
"""

from __future__ import annotations

from typing import Any

from fourcc.errors import InputError
from fourcc.exporters.gguf_head import INT32, GGUFKey
from fourcc.models.tokenizers.vocabulary import TokenKind, pad_name

_PREFIX = "tokenizer.ggml."
_SCORE = -10000.0


def filled(keys: list[GGUFKey], rows: object, file: object) -> list[GGUFKey]:
    """A tokenizer's keys with as many tokens as the model has rows.

    Args:
        keys: the tokenizer's; they stay as they are where they hold no vocabulary.
        rows: number of the model's rows; None fits any vocabulary.
        file: the file that messages name.

    Raises:
        InputError: there are fewer rows than tokens.
    """
    by_name = {key.name: key for key in keys}
    tokens = by_name.get(f"{_PREFIX}tokens")
    count = len(tokens.value) if tokens is not None and isinstance(tokens.value, list) else 0
    if type(rows) is not int or not count or rows == count:
        return keys
    if rows < count:
        what, hint = "GGUF has no place for tokens without a row", "Give the model's own tokenizer with --tokenizer."
        raise InputError(what, file=file, found=f"{count} tokens", expected=f"at most {rows}, the rows", hint=hint)
    kinds = GGUFKey(
        f"{_PREFIX}token_type", INT32, [int(TokenKind.NORMAL)] * count
    )  # the meaning of a file without kinds
    by_name.setdefault(kinds.name, kinds)
    more: dict[str, list[Any]] = {"tokens": [pad_name(token) for token in range(count, rows)]}
    more |= {"scores": [_SCORE] * (rows - count), "token_type": [int(TokenKind.UNUSED)] * (rows - count)}
    for name, items in more.items():
        key = by_name.get(_PREFIX + name)
        if key is not None:
            by_name[key.name] = GGUFKey(key.name, key.kind, [*key.value, *items])
    return list(by_name.values())
