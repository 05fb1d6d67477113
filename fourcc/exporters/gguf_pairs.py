"""A tokenizer.json that merges pairs, as keys of a GGUF file.

Pairs of bytes become a vocabulary of kind ``gpt2``; how texts are cut into words, which a tokenizer.json says by
regular expressions and GGUF by a name, is found by trying all names. Pairs of characters with bytes to fall back on, as
Llama 2 and Gemma have them, become a scored vocabulary (``llama``), where an earlier merge gives its token a higher
score; or one of Gemma 4's kind, which keeps the merges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from fourcc.errors import InputError, UsageError
from fourcc.exporters.gguf_agreement import WayToWrite, read_as_written
from fourcc.exporters.gguf_entries import TokenEntry, refuse_twins, scored
from fourcc.exporters.tokenizer_json import TokenizerJson
from fourcc.models.tokenizers.gguf import NORMAL_FORM
from fourcc.models.tokenizers.gguf_bpe import ALPHABET, NORMAL_FORMS, BytePairTokenizer, NormalForm
from fourcc.models.tokenizers.gguf_spm import SPACE
from fourcc.models.tokenizers.splits import families
from fourcc.models.tokenizers.splitting import Splitting
from fourcc.models.tokenizers.vocabulary import TokenKind, byte_of

Values = Mapping[str, Any]
_AFFIXES = ("continuing_subword_prefix", "end_of_word_suffix", "dropout")


def is_bytewise(described: TokenizerJson) -> bool:
    """Whether the model merges bytes, each written as one printable character."""
    return "ByteLevel" in [*described.types("pre_tokenizer"), *described.types("normalizer")]


def normal_form(described: TokenizerJson) -> NormalForm | None:
    """Unicode's normal form that texts are brought into, where that is all that the normalizer does."""
    types = described.types("normalizer")
    return next((form for form in NORMAL_FORMS if types == [form]), None)


def pairs_of_bytes(described: TokenizerJson, specials: Values, pre: str) -> dict[str, Any]:
    """The values of a vocabulary of byte pairs whose texts are cut as this name says.

    Raises:
        UsageError: the model does what GGUF cannot say: it marks pieces of words, or leaves merges out by chance.
        InputError: two tokens have one text, or a merge is no pair.
    """
    _refuse_affixes(described)
    texts, kinds = described.table()
    unknown = described.token(described.model.get("unk_token"))
    if unknown is not None and not set(texts).issuperset(ALPHABET.values()):
        kinds[unknown] = TokenKind.UNKNOWN
    refuse_twins(texts, described.file)
    form = normal_form(described)
    return {
        "model": "gpt2",
        "pre": pre,
        "tokens": texts,
        "token_type": list(map(int, kinds)),
        # A text with a space in it comes from no byte, so its merge never happens.
        "merges": [" ".join(pair) for pair in _merges(described) if " " not in "".join(pair)],
        **({"unknown_token_id": unknown} if unknown is not None else {}),
        **({NORMAL_FORM: form} if form else {}),
        **specials,
    }


def byte_candidates(
    described: TokenizerJson, specials: Values, alike: Callable[[Splitting], bool]
) -> Iterator[WayToWrite]:
    """A candidate for each way to cut: first those that cut alike, then those that treat whole words alike."""
    values = pairs_of_bytes(described, specials, "gpt-2")
    base = read_as_written("gpt2", values, described.file).tokenizer()
    assert isinstance(base, BytePairTokenizer)
    whole = described.model.get("ignore_merges") is True

    def order(family: tuple[str, Splitting]) -> tuple[bool, bool]:
        return not alike(family[1]), family[1].whole_words is not whole

    for name, splitting in sorted(families(), key=order):
        yield WayToWrite(f"the pre-tokenizer {name!r}", values | {"pre": name}, partial(base.cut_by, splitting))


def character_candidates(described: TokenizerJson, specials: Values) -> Iterator[WayToWrite]:
    """Scored vocabularies, with a space before a text and without, and Gemma 4's kind."""
    _refuse_affixes(described)
    texts, kinds = _with_bytes(described)
    merges = list(_merges(described))
    ranks = {"".join(pair): rank for rank, pair in reversed(list(enumerate(merges)))}
    scores = [_score(text, kind, ranks, token) for token, (text, kind) in enumerate(zip(texts, kinds, strict=True))]
    entries: list[TokenEntry] = [
        (text.encode(), score, kind) for text, score, kind in zip(texts, scores, kinds, strict=True)
    ]
    unknown = described.token(described.model.get("unk_token"))
    own = {"unknown_token_id": unknown} if unknown is not None else {}
    for space in (True, False):
        values = {**scored(entries), **own, **specials, "pre": "default", "add_space_prefix": space}
        yield read_as_written(f"'llama' {'with' if space else 'without'} add_space_prefix", values, described.file)
    if specials.get("add_bos_token"):  # llama.cpp puts BOS before every text of this kind
        more = {"model": "gemma4", "merges": [" ".join(pair) for pair in merges], "add_space_prefix": False}
        values = {**scored(entries), **own, **specials, **more}
        yield read_as_written("'gemma4'", values, described.file)


def _refuse_affixes(described: TokenizerJson) -> None:
    """Refuses what no vocabulary of GGUF can say of a model that merges pairs."""
    for key in _AFFIXES:
        value = described.model.get(key)
        if value:
            raise UsageError(
                f"GGUF has no place for the tokenizer's {key!r}",
                file=described.file,
                found=f"{value!r:.40}",
                hint="--pre none leaves the vocabulary out.",
            )


def _with_bytes(described: TokenizerJson) -> tuple[list[str], list[TokenKind]]:
    """Texts and kinds, with those of bytes and of the unknown token; user-defined tokens have plain spaces."""
    texts, kinds = described.table()
    unknown = described.token(described.model.get("unk_token"))
    for token, (text, kind) in enumerate(zip(texts, kinds, strict=True)):
        if kind == TokenKind.NORMAL and described.model.get("byte_fallback") is True and _is_byte(text):
            kinds[token] = TokenKind.BYTE
        elif kind == TokenKind.USER_DEFINED:
            texts[token] = text.replace(SPACE, " ")
    if unknown is not None:
        kinds[unknown] = TokenKind.UNKNOWN
    return texts, kinds


def _is_byte(text: str) -> bool:
    try:
        byte_of(text)
    except ValueError:
        return False
    return True


def _score(text: str, kind: TokenKind, ranks: Mapping[str, int], token: int) -> float:
    """A score by the first merge that gives the token; what no merge gives comes behind all that one does."""
    if kind not in (TokenKind.NORMAL, TokenKind.UNUSED):
        return 0.0
    return -float(ranks.get(text, len(ranks) + token))


def _merges(described: TokenizerJson) -> Iterator[tuple[str, str]]:
    """The merges as pairs of texts; files have them as lists, or as texts with a space."""
    for rank, merge in enumerate(described.model.get("merges") or ()):
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise InputError(f"merge {rank} is no pair of texts", file=described.file, found=f"{merge!r:.60}")
        yield pair[0], pair[1]
