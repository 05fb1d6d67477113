"""The vocabulary in a GGUF file's keys: what the blob tokenizer.gguf holds, checked, and a tokenizer of its kind.

The blob is a msgpack map of the keys ``tokenizer.*``. ``tokenizer.ggml.model`` tells the kind: ``llama`` is
SentencePiece's pairs by score, ``gpt2`` is byte pairs by rank.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import attrs

from fourcc.errors import InputError
from fourcc.models.tokenizers.ends import named_ends
from fourcc.models.tokenizers.gguf_bpe import BytePairTokenizer
from fourcc.models.tokenizers.gguf_spm import SPACE, ScoredTokenizer
from fourcc.models.tokenizers.splitting import SPLITTINGS
from fourcc.models.tokenizers.tokenizer import MAX_TOKENS
from fourcc.models.tokenizers.vocabulary import Kind, Vocabulary, byte_of
from fourcc.sources.gguf_values import unpacked_map

_MAX_NODES = 1024  # maps and arrays; an honest blob has a dozen
_PREFIX = "tokenizer.ggml."
_SCORED, _BYTE_PAIRS = "llama", "gpt2"


def read_gguf(data: bytes, file: object) -> ScoredTokenizer | BytePairTokenizer:
    """The tokenizer in the bytes of the blob.

    Raises:
        InputError: it is damaged, or of a kind that is not read.
    """
    keys = _Keys(unpacked(data, file), file)
    model = keys.value("model", str)
    if model == _SCORED:
        return _scored(keys)
    if model == _BYTE_PAIRS:
        return _byte_pairs(keys)
    raise keys.refusal(
        "model", "names a kind of tokenizer that is not read", repr(model), f"{_SCORED} or {_BYTE_PAIRS}"
    )


def chat_template(data: bytes, file: object) -> str | None:
    """The Jinja template in the bytes of the blob, or None. Raises InputError where they are damaged."""
    found = unpacked(data, file).get("tokenizer.chat_template")
    return found if isinstance(found, str) else None


class _Keys:
    """The blob's values, by the last part of their keys."""

    def __init__(self, values: dict[str, Any], file: object) -> None:
        self._values, self._file = values, file

    def value(self, name: str, kind: type, *, default: Any = None) -> Any:  # noqa: ANN401 - of that type, or the default
        """A value, or the default where there is none."""
        found = self._values.get(_PREFIX + name)
        if found is None:
            return default
        if type(found) is not kind:
            raise self.refusal(name, "has a value of another type", f"{found!r:.40}", kind.__name__)
        return found

    def token(self, name: str, default: int | None, count: int) -> int | None:
        """A token's number; None where no token has it."""
        found = self.value(f"{name}_token_id", int, default=default)
        return found if found is not None and 0 <= found < count else None

    def texts(self, name: str) -> list[str]:
        """Texts; bytes that are no UTF-8 stand as lone surrogates."""
        found: list[Any] = self.value(name, list, default=[])
        for number, text in enumerate(found):
            if type(text) not in (str, bytes):
                raise self.refusal(name, f"has at place {number} what is no text", f"{text!r:.40}", "text")
        return [text if type(text) is str else text.decode(errors="surrogateescape") for text in found]

    def numbers(self, name: str, kind: type, default: float, count: int) -> tuple[Any, ...]:
        """As many finite numbers as there are tokens; the default for each where there is no such key."""
        found: list[Any] = self.value(name, list, default=[default] * count)
        if len(found) != count:
            raise self.refusal(name, "has not a number for each token", len(found), count)
        for number, one in enumerate(found):
            if not isinstance(one, (int, float)) or type(one) is not kind or not isfinite(one):
                raise self.refusal(name, f"has at place {number} what is no such number", f"{one!r:.40}", kind.__name__)
        return tuple(found)

    def refusal(self, name: str, what: str, found: object, expected: object = None) -> InputError:
        """The error for what stands under a key."""
        return InputError(f"the key {_PREFIX + name!r} {what}", file=self._file, found=found, expected=expected)


def _vocabulary(keys: _Keys, *, bos: int | None = None, eos: int | None = None, unk: int | None = None) -> Vocabulary:
    """The tokens; bos, eos and unk are their numbers where no key tells."""
    tokens = keys.texts("tokens")
    count = len(tokens)
    if not 0 < count <= MAX_TOKENS:
        raise keys.refusal("tokens", "has not a number of tokens that can be", count, f"1 to {MAX_TOKENS}")
    found = Vocabulary(
        tokens=tuple(tokens),
        scores=keys.numbers("scores", float, 0.0, count),
        kinds=keys.numbers("token_type", int, int(Kind.NORMAL), count),
        bos=keys.token("bos", bos, count),
        eos=keys.token("eos", eos, count),
        unknown=keys.token("unknown", unk, count),
    )
    _check_bytes(keys, found)
    said = {found.eos, *(keys.token(name, None, count) for name in ("eot", "eom"))} - {None}
    named = named_ends(found.ids(Kind.CONTROL, Kind.USER_DEFINED))
    return attrs.evolve(found, ends=frozenset(token for token in {*said, *named} if token is not None))


def _check_bytes(keys: _Keys, found: Vocabulary) -> None:
    """Tokens of bytes are taken by their texts, so those must say which byte they are."""
    for token in [token for token, kind in enumerate(found.kinds) if kind == Kind.BYTE]:
        try:
            byte_of(found.tokens[token])
        except ValueError:
            what = f"has at place {token} what is no byte, though its kind says so"
            raise keys.refusal("tokens", what, f"{found.tokens[token]!r:.40}", "<0x00> to <0xFF>") from None


def _scored(keys: _Keys) -> ScoredTokenizer:
    """SentencePiece's kind."""
    found = _vocabulary(keys, bos=1, eos=2, unk=0)
    spaced = attrs.evolve(found, tokens=tuple(text.replace(" ", SPACE) for text in found.tokens))
    return ScoredTokenizer(
        spaced,
        keys.value("add_bos_token", bool, default=True),
        keys.value("add_space_prefix", bool, default=True),
    )


def _byte_pairs(keys: _Keys) -> BytePairTokenizer:
    """GPT-2's kind."""
    pre = keys.value("pre", str, default="default")
    splitting = SPLITTINGS.get(pre)
    if splitting is None:
        known = ", ".join(SPLITTINGS)
        raise keys.refusal("pre", "asks for a way to cut texts that is not known", repr(pre), f"one of {known}")
    add_bos = keys.value("add_bos_token", bool, default=splitting.bos)
    return BytePairTokenizer(_vocabulary(keys), _ranks(keys), splitting, add_bos)


def _ranks(keys: _Keys) -> dict[tuple[str, str], int]:
    """Pair -> its place among the merges, the first of equals; a pair is written with a space between its two."""
    ranks: dict[tuple[str, str], int] = {}
    for rank, text in enumerate(keys.texts("merges")):
        left, space, right = text.partition(" ")
        if not (left and space and right):
            raise keys.refusal("merges", f"has at place {rank} what is no pair", f"{text!r:.40}", "two texts")
        ranks.setdefault((left, right), rank)
    return ranks


def unpacked(data: bytes, file: object) -> dict[str, Any]:
    """The blob's map."""
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
