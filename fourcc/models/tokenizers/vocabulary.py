"""A vocabulary as GGUF files hold it: tokens, each of a kind, some with a special part."""

from __future__ import annotations

import re
from enum import IntEnum

import attrs

from fourcc.models.tokenizers.tokenizer import checked

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class Kind(IntEnum):
    """What a token is for."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@attrs.frozen
class Vocabulary:
    """Tokens and what is said of them.

    Attributes:
        tokens: each token's text; bytes that are no UTF-8 stand as lone surrogates.
        scores: the higher, the earlier a token is made.
        kinds: what each is for.
        bos: the token before a text.
        eos: the token behind a text.
        unknown: for what has no token.
    """

    tokens: tuple[str, ...]
    scores: tuple[float, ...]
    kinds: tuple[int, ...]
    bos: int | None = None
    eos: int | None = None
    unknown: int | None = None

    def ids(self, *kinds: Kind) -> dict[str, int]:
        """Text -> token, of tokens for these uses; the first of equals."""
        ids: dict[str, int] = {}
        for token, (text, kind) in enumerate(zip(self.tokens, self.kinds, strict=True)):
            if kind in kinds and text:
                ids.setdefault(text, token)
        return ids

    def byte_ids(self) -> dict[int, int]:
        """Byte -> its token."""
        matches = ((_BYTE.fullmatch(text), token) for text, token in self.ids(Kind.BYTE).items())
        return {int(match[1], 16): token for match, token in matches if match}

    def known(self, token: int) -> tuple[str, int]:
        """A token's text and kind; UsageError where there is no such token."""
        return self.tokens[checked(token, len(self.tokens))], self.kinds[token]


class Cutter:
    """Cuts user-defined tokens out of a text, before all else: the first that stands there, the longest of those."""

    def __init__(self, ids: dict[str, int]) -> None:
        """Of tokens by their text."""
        self.ids = ids
        longest_first = sorted(ids, key=len, reverse=True)
        self._pattern = re.compile(f"({'|'.join(map(re.escape, longest_first))})") if ids else None

    def cut(self, text: str) -> list[str]:
        """Texts, from the first at every second place, and user-defined tokens between them."""
        return [text] if self._pattern is None else self._pattern.split(text)
