"""Reads the vocabulary in a GGUF file's keys, which the blob tokenizer.gguf holds, and makes a tokenizer of its kind.

The blob is a msgpack map of the keys ``tokenizer.*``. ``tokenizer.ggml.model`` tells the kind: ``llama`` merges pairs
by score, as SentencePiece does, ``gpt2`` merges byte pairs by rank, ``gemma4`` pairs of characters; ``bert`` takes the
longest pieces of words, ``t5`` the likeliest pieces of a text.

Unicode's normal form, into which some tokenizers bring a text first, has no key in GGUF. fourcc writes one of its own,
``tokenizer.fourcc.normal_form``, that other programs pass over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from fourcc.models.tokenizers.charsmap import Charsmap
from fourcc.models.tokenizers.gguf_bpe import NORMAL_FORMS, BytePairTokenizer, NormalForm
from fourcc.models.tokenizers.gguf_characters import CharacterPairTokenizer
from fourcc.models.tokenizers.gguf_fields import VocabularyKeys, ranks_of, unpacked, vocabulary_of
from fourcc.models.tokenizers.gguf_spm import SPACE, ScoredTokenizer
from fourcc.models.tokenizers.gguf_unigram import UnigramTokenizer
from fourcc.models.tokenizers.gguf_wordpiece import WordPieceTokenizer
from fourcc.models.tokenizers.splits import SPLITTINGS, WITHOUT_CUTS
from fourcc.models.tokenizers.tokenizer import Tokenizer

NORMAL_FORM = "tokenizer.fourcc.normal_form"
# Where no key states the numbers of special tokens: llama.cpp's, by the kind of vocabulary.
_OF_BERT = {"bos": 101, "unk": 100}
_OF_T5 = {"eos": 1, "unk": 2}


def read_gguf(data: bytes, file: object) -> Tokenizer:
    """The tokenizer in the bytes of the blob.

    Raises:
        InputError: the vocabulary is damaged, or of a kind that fourcc does not read.
    """
    return tokenizer_of(unpacked(data, file), file)


def tokenizer_of(values: Mapping[str, Any], file: object) -> Tokenizer:
    """The tokenizer that the keys ``tokenizer.*`` describe. Raises as `read_gguf` does."""
    keys = VocabularyKeys(values, file)
    model = keys.value("model", str)
    read = _KINDS.get(model)
    if read is None:
        known = ", ".join(_KINDS)
        raise keys.refusal("model", "names a kind of tokenizer that is not read", repr(model), f"one of {known}")
    return read(keys)


def _scored(keys: VocabularyKeys) -> ScoredTokenizer:
    """A tokenizer of SentencePiece's kind."""
    vocabulary = vocabulary_of(keys, bos=1, eos=2, unk=0)
    spaced = attrs.evolve(vocabulary, tokens=tuple(text.replace(" ", SPACE) for text in vocabulary.tokens))
    return ScoredTokenizer(
        spaced,
        keys.value("add_bos_token", bool, default=True),
        keys.value("add_space_prefix", bool, default=True),
    )


def _byte_pairs(keys: VocabularyKeys) -> BytePairTokenizer:
    """A tokenizer of GPT-2's kind."""
    pre = keys.value("pre", str, default="default")
    splitting = SPLITTINGS.get(pre)
    if splitting is None:
        known = ", ".join(SPLITTINGS)
        raise keys.refusal("pre", "names a way to split texts that is not known", repr(pre), f"one of {known}")
    add_bos = keys.value("add_bos_token", bool, default=splitting.bos)
    form: NormalForm | None = keys.choice(NORMAL_FORM, NORMAL_FORMS)
    return BytePairTokenizer(vocabulary_of(keys), ranks_of(keys), splitting, add_bos, form)


def _character_pairs(keys: VocabularyKeys) -> CharacterPairTokenizer:
    """A tokenizer of Gemma 4's kind; a text always begins with BOS, as in llama.cpp."""
    vocabulary = vocabulary_of(keys)
    spaced = attrs.evolve(vocabulary, tokens=tuple(text.replace(" ", SPACE) for text in vocabulary.tokens))
    return CharacterPairTokenizer(spaced, ranks_of(keys), WITHOUT_CUTS, add_bos=True)


def _word_pieces(keys: VocabularyKeys) -> WordPieceTokenizer:
    """A tokenizer of BERT's kind."""
    lowercase = keys.value("normalizer.lowercase", bool, default=True)
    return WordPieceTokenizer(
        vocabulary_of(keys, **(_OF_BERT | {"bos": keys.value("cls_token_id", int, default=_OF_BERT["bos"])})),
        keys.value("add_bos_token", bool, default=True),
        lowercase,
        keys.value("normalizer.strip_accents", bool, default=lowercase),
    )


def _unigram(keys: VocabularyKeys) -> UnigramTokenizer:
    """A tokenizer of T5's kind."""
    return UnigramTokenizer(
        vocabulary_of(keys, **_OF_T5),
        keys.value("add_bos_token", bool, default=False),
        keys.value("add_space_prefix", bool, default=False),
        keys.value("remove_extra_whitespaces", bool, default=False),
        Charsmap.parsed(keys.octets("precompiled_charsmap"), keys.file),
    )


_KINDS: dict[str, Callable[[VocabularyKeys], Tokenizer]] = {
    "llama": _scored,
    "gpt2": _byte_pairs,
    "gemma4": _character_pairs,
    "bert": _word_pieces,
    "t5": _unigram,
}
