"""A tokenizer.json as keys of a GGUF file: of all ways to write it, the first that gives the tokenizer's own tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unicodedata import normalize

from fourcc.errors import UsageError
from fourcc.exporters.gguf_agreement import OWN, WayToWrite, agreeing, note_on_rules
from fourcc.exporters.gguf_pairs import (
    byte_candidates,
    character_candidates,
    is_bytewise,
    normal_form,
)
from fourcc.exporters.gguf_pieces import unigram_candidates, word_candidates
from fourcc.exporters.gguf_specials import notes_on_specials, special_values
from fourcc.exporters.tokenizer_json import TokenizerJson, object_of, read_tokenizer_json
from fourcc.models.tokenizers.gguf_bpe import ALPHABET, NORMAL_FORMS
from fourcc.models.tokenizers.gguf_spm import SPACE
from fourcc.models.tokenizers.huggingface import HuggingFaceTokenizer, read_json
from fourcc.models.tokenizers.packages import translated
from fourcc.models.tokenizers.probes import probe_texts
from fourcc.models.tokenizers.splitting import Splitting
from fourcc.sources import tokenizer as blobs_of

_KINDS = ("BPE", "Unigram", "WordPiece")  # models that GGUF has a kind for
_RULED = frozenset({*NORMAL_FORMS, "Precompiled"})  # normalizers that give a text another form
_WORD = re.compile(r"(?<!\\)[^\W_]{2,}")  # of a regular expression: what is no operator
_NUMBERS = {letter: byte for byte, letter in ALPHABET.items()}


def has_a_kind(data: bytes, file: object) -> bool:
    """Whether GGUF has a kind of vocabulary for a tokenizer.json. Raises InputError where it is damaged."""
    return read_tokenizer_json(data, file).model.get("type") in _KINDS


def values_of_json(blobs: Mapping[str, bytes], file: object) -> tuple[Mapping[str, Any], list[str]]:
    """The values of keys for a tokenizer.json, and notes.

    Raises:
        InputError: the file is damaged.
        UsageError: the package is not installed, or no vocabulary of GGUF cuts texts as the tokenizer does.
    """
    data, place = blobs[blobs_of.JSON], f"{file} ({blobs_of.JSON})"
    described, theirs = read_tokenizer_json(data, place), read_json(data, place)
    specials = special_values(described, blobs)
    texts = [*probe_texts(), *_spread(list(own_texts(described)), OWN), *texts_of_rules(described)]
    ways = list(_candidates(described, specials, theirs, texts))
    notes = [*notes_on_specials(described), *_note_on_form(described)]
    try:
        return agreeing(ways, theirs, texts, place).values, notes
    except UsageError:
        ruled = _RULED.intersection(described.types("normalizer")) and not is_bytewise(described)
        kept = [text for text in texts if _stays(text, described, theirs)] if ruled else []
        if len(kept) in (0, len(texts)):
            raise
    rule = " and ".join(described.types("normalizer")) or "none"
    return agreeing(ways, theirs, kept, place).values, [*notes, note_on_rules(rule)]


def own_texts(described: TokenizerJson) -> Iterator[str]:
    """Texts of the vocabulary's own tokens, and in byte pairs of the added ones, between others."""
    bytewise = is_bytewise(described)
    for token in sorted(described.texts.keys() - described.added.keys()):
        text = _plain(described.texts[token]) if bytewise else described.texts[token].replace(SPACE, " ")
        if text:
            yield text
    if bytewise:
        yield from (f"a{each.text} b" for each in described.added.values() if not each.special and not each.strips)


def texts_of_rules(described: TokenizerJson) -> Iterator[str]:
    """Texts with the words that rules of the tokenizer look for, which no other probe need have."""
    for part in [*described.parts("normalizer"), *described.parts("pre_tokenizer")]:
        pattern = object_of(part.get("pattern"))
        whole, rule = pattern.get("String"), pattern.get("Regex")
        words = [whole] if isinstance(whole, str) else _WORD.findall(rule) if isinstance(rule, str) else []
        yield from (
            f"{before}{word}{behind}" for word in words for before, behind in (("", ""), ("a", "b"), (" ", " c"))
        )


def _stays(text: str, described: TokenizerJson, theirs: HuggingFaceTokenizer) -> bool:
    """Whether no rule changes a text, but for its spaces, and no special token's name is in it."""
    names = (each.text for each in described.added.values() if each.special)
    if any(name in text for name in names) or any(each.isspace() and each != " " for each in text):
        return False
    normalizer = theirs.package.normalizer
    normal = normalizer.normalize_str(text) if normalizer else text
    # Characters that belong together are not always taken together by the package: NFKC joins them.
    return bool(normalize("NFKC", normal.replace(SPACE, " ").strip(" ")) == text.strip(" "))


def _plain(text: str) -> str:
    """The text that a token of bytes stands for; empty where it is none."""
    numbers = [_NUMBERS.get(letter, -1) for letter in text]
    return "" if -1 in numbers else bytes(numbers).decode(errors="ignore")


def _spread(texts: list[str], count: int) -> list[str]:
    """So many of the texts, the last ones among them, where added tokens are."""
    return texts[:: -max(1, -(-len(texts) // count))]


def _candidates(
    described: TokenizerJson, specials: Mapping[str, Any], theirs: HuggingFaceTokenizer, texts: list[str]
) -> Iterator[WayToWrite]:
    kind = described.model.get("type")
    if kind == "BPE" and is_bytewise(described):
        return byte_candidates(described, specials, _cutting(described, theirs, texts))
    if kind == "BPE":
        return character_candidates(described, specials)
    return (unigram_candidates if kind == "Unigram" else word_candidates)(described, specials)


def _cutting(described: TokenizerJson, theirs: HuggingFaceTokenizer, texts: list[str]) -> Callable[[Splitting], bool]:
    """Whether a way to cut makes the words that the tokenizer's own pre-tokenizer makes."""
    form, before = normal_form(described), theirs.package.pre_tokenizer
    plain = [normalize(form, text) if form else text for text in texts]
    with translated("the tokenizer cannot cut a text", theirs.file):
        words = [[piece for piece, _ in before.pre_tokenize_str(text)] if before else [] for text in plain]

    def alike(splitting: Splitting) -> bool:
        pairs = zip(plain, words, strict=True)
        return all([_letters(word) for word in splitting.words(text)] == expected for text, expected in pairs)

    return alike


def _letters(word: str) -> str:
    return "".join(ALPHABET[byte] for byte in word.encode())


def _note_on_form(described: TokenizerJson) -> list[str]:
    """A note on a normal form: GGUF has no key for it, and fourcc's own key means nothing to other programs."""
    form = normal_form(described)
    if not is_bytewise(described) or form is None:
        return []
    return [f"the tokenizer brings texts into the form {form} first: fourcc does so with this file, llama.cpp does not"]
