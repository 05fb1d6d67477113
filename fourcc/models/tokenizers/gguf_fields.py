"""The keys of a vocabulary in a GGUF file, each of the type that it must have, and what all kinds share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import attrs

from fourcc.errors import InputError
from fourcc.models.tokenizers.ends import named_ends
from fourcc.models.tokenizers.tokenizer import MAX_TOKENS
from fourcc.models.tokenizers.vocabulary import TokenKind, Vocabulary, byte_of
from fourcc.sources.gguf_values import unpacked_map

PREFIX = "tokenizer.ggml."
_MAX_NODES = 1024  # maps and arrays in a blob; an honest one has a dozen


class VocabularyKeys:
    """The blob's values, by the last part of their keys."""

    def __init__(self, values: Mapping[str, Any], file: object) -> None:
        self._values, self.file = values, file

    def value(self, name: str, kind: type, *, default: Any = None) -> Any:  # noqa: ANN401 - of that type, or the default
        """A value, or the default where the key is missing."""
        value = self._values.get(PREFIX + name)
        if value is None:
            return default
        if type(value) is not kind:
            raise self.refusal(name, "has a value of another type", f"{value!r:.40}", kind.__name__)
        return value

    def choice(self, key: str, choices: Sequence[str]) -> Any:  # noqa: ANN401 - one of the choices, or None
        """The value of a key, one of the choices; None where the key is missing."""
        value = self._values.get(key)
        if value is not None and value not in choices:
            what = f"the key {key!r} has a value that is not known"
            raise InputError(what, file=self.file, found=f"{value!r:.40}", expected=f"one of {', '.join(choices)}")
        return value

    def octets(self, name: str) -> bytes:
        """The bytes of an array of numbers from 0 to 255, or from -128 to 127; none where the key is missing."""
        numbers: list[Any] = self.value(name, list, default=[])
        for place, one in enumerate(numbers):
            if type(one) is not int or not -128 <= one < 256:
                raise self.refusal(name, f"has no byte at place {place}", f"{one!r:.40}", "-128 to 255")
        return bytes(one & 0xFF for one in numbers)

    def token(self, name: str, default: int | None, count: int) -> int | None:
        """A token's number; None where no token has it."""
        token = self.value(f"{name}_token_id", int, default=default)
        return token if token is not None and 0 <= token < count else None

    def texts(self, name: str) -> list[str]:
        """Texts; bytes that are not UTF-8 stand as lone surrogates."""
        texts: list[Any] = self.value(name, list, default=[])
        for place, text in enumerate(texts):
            if type(text) not in (str, bytes):
                raise self.refusal(name, f"has no text at place {place}", f"{text!r:.40}", "text")
        return [text if type(text) is str else text.decode(errors="surrogateescape") for text in texts]

    def numbers(self, name: str, kind: type, default: float, count: int) -> tuple[Any, ...]:
        """A finite number for each token; all are the default where the key is missing."""
        numbers: list[Any] = self.value(name, list, default=[default] * count)
        if len(numbers) != count:
            raise self.refusal(name, "does not have a number for each token", len(numbers), count)
        for place, one in enumerate(numbers):
            if not isinstance(one, (int, float)) or type(one) is not kind or not isfinite(one):
                raise self.refusal(name, f"has no valid number at place {place}", f"{one!r:.40}", kind.__name__)
        return tuple(numbers)

    def refusal(self, name: str, what: str, found: object, expected: object = None) -> InputError:
        """The error for the value of a key."""
        return InputError(f"the key {PREFIX + name!r} {what}", file=self.file, found=found, expected=expected)


def vocabulary_of(
    keys: VocabularyKeys, *, bos: int | None = None, eos: int | None = None, unk: int | None = None
) -> Vocabulary:
    """The vocabulary; `bos`, `eos` and `unk` are the numbers of those tokens where no key states them."""
    tokens = keys.texts("tokens")
    count = len(tokens)
    if not 0 < count <= MAX_TOKENS:
        raise keys.refusal("tokens", "has an impossible number of tokens", count, f"1 to {MAX_TOKENS}")
    vocabulary = Vocabulary(
        tokens=tuple(tokens),
        scores=keys.numbers("scores", float, 0.0, count),
        kinds=keys.numbers("token_type", int, int(TokenKind.NORMAL), count),
        bos=keys.token("bos", bos, count),
        eos=keys.token("eos", eos, count),
        unknown=keys.token("unknown", unk, count),
    )
    _check_bytes(keys, vocabulary)
    said = {vocabulary.eos, *(keys.token(name, None, count) for name in ("eot", "eom"))} - {None}
    named = named_ends(vocabulary.ids(TokenKind.CONTROL, TokenKind.USER_DEFINED))
    return attrs.evolve(vocabulary, ends=frozenset(token for token in {*said, *named} if token is not None))


def _check_bytes(keys: VocabularyKeys, vocabulary: Vocabulary) -> None:
    """Refuses a token of a byte whose text does not say which byte it is."""
    for token in [token for token, kind in enumerate(vocabulary.kinds) if kind == TokenKind.BYTE]:
        try:
            byte_of(vocabulary.tokens[token])
        except ValueError:
            what = f"has no byte at place {token}, though the kind of that token says so"
            raise keys.refusal("tokens", what, f"{vocabulary.tokens[token]!r:.40}", "<0x00> to <0xFF>") from None


def ranks_of(keys: VocabularyKeys) -> dict[tuple[str, str], int]:
    """Pair -> its first place among the merges; a pair is written with a space between its two texts."""
    if keys.value("merges", list) is None:
        raise keys.refusal("merges", "is missing, without which no text can be cut", "no key", "pairs of texts")
    ranks: dict[tuple[str, str], int] = {}
    for rank, text in enumerate(keys.texts("merges")):
        left, space, right = text.partition(" ")
        if not (left and space and right):
            raise keys.refusal("merges", f"has no pair at place {rank}", f"{text!r:.40}", "two texts")
        ranks.setdefault((left, right), rank)
    return ranks


def unpacked(data: bytes, file: object) -> dict[str, Any]:
    """The map that a blob holds. Raises InputError where it is damaged."""
    nodes = 0

    def counted(node: Any) -> Any:  # noqa: ANN401 - a map or an array
        nonlocal nodes
        nodes += 1
        if nodes > _MAX_NODES:
            raise ValueError("more maps and arrays than a vocabulary has")
        return node

    return unpacked_map(
        data,
        file,
        "the vocabulary",
        object_hook=counted,
        list_hook=counted,
        max_array_len=MAX_TOKENS,
        max_map_len=_MAX_NODES,
    )
