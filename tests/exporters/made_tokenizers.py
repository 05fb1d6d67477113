"""Tokenizers of many kinds, trained by Hugging Face's package on a text that is made here: its rules, not its weights.

The splits are those of published tokenizers, written down in their own language of regular expressions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from fourcc.models.tokenizers.probes import probe_texts
from fourcc.models.tokenizers.sentencepiece_rules import rules_of
from tests.running.training import scored

_ENDING = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_START = r"[^\r\n\p{L}\p{N}]?"
_MARKS = r" ?[^\s\p{L}\p{N}]+"
_LATIN = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"""
RULES = {
    "llama-bpe": rf"{_ENDING}|{_START}\p{{L}}+|\p{{N}}{{1,3}}|{_MARKS}[\r\n]*|{_REST}",
    "qwen2": rf"{_ENDING}|{_START}\p{{L}}+|\p{{N}}|{_MARKS}[\r\n]*|{_REST}",
    "qwen35": rf"{_ENDING}|{_START}[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{_REST}",
    "tekken": rf"{_START}{_UPPER}*{_LOWER}+|{_START}{_UPPER}+{_LOWER}*|\p{{N}}|{_MARKS}[\r\n/]*|{_REST}",
    "gpt-4o": (
        rf"{_START}{_UPPER}*{_LOWER}+{_ENDING}?|{_START}{_UPPER}+{_LOWER}*{_ENDING}?|\p{{N}}{{1,3}}|{_MARKS}[\r\n/]*|{_REST}"
    ),
    "bloom": " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+",
    "seed-coder": rf"{_ENDING}|{_START}\p{{L}}+|\p{{N}}{{1}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{_REST}",
    "bailingmoe": (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
        r"|\s+(?!\S)|\s+"
    ),
    "exaone-moe": (
        rf"{_ENDING}|{_START}(?:\p{{L}}\p{{M}}*(?: \p{{L}}\p{{M}}*)*)+|\p{{N}}|{_MARKS}[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"
    ),
}
_UNKNOWN = "<unk>"
_WHOLE = ("llama-bpe", "tekken")  # names of vocabularies in which a word that is a token stays whole


def _bytes(*, regex: bool = False) -> Any:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)


def _split(rule: str) -> Any:
    return pre_tokenizers.Split(tokenizers.Regex(rule), "isolated")


def cuts() -> dict[str, Any]:
    """Name in GGUF -> the pre-tokenizer that it stands for."""
    digits, single = pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Digits(individual_digits=True)
    lists: dict[str, list[Any]] = {name: [_split(rule), _bytes()] for name, rule in RULES.items()}
    cjk = _split("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+")
    main = rf"{_LATIN}|[^\r\n\p{{L}}\p{{P}}\p{{S}}]?[\p{{L}}\p{{M}}]+| ?[\p{{P}}\p{{S}}]+[\r\n]*|{_REST}"
    han = _split("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+")
    lists |= {
        "gpt-2": [_bytes(regex=True)],
        "starcoder": [single, _bytes(regex=True)],
        "falcon": [pre_tokenizers.Punctuation("contiguous"), _bytes(regex=True), digits, _split("[0-9][0-9][0-9]")],
        "viking": [_split(RULES["bloom"]), single, _bytes()],
        "deepseek-v3": [_split(r"\p{N}{1,3}"), cjk, _split(main), _bytes()],
        "deepseek-coder": [_split("[\r\n]"), _split(r"\s?\p{L}+"), _split(r"\s?\p{P}+"), han, single, _bytes()],
        "superbpe": [_split(r"\p{N}+"), _split(r"(?=(\d{3})+(?!\d))"), _bytes()],
        "tiny_aya": [_split(r"\d{1,3}(?=(?:\d{3})*\b)"), _split(RULES["gpt-4o"]), _bytes()],
    }
    return {name: pre_tokenizers.Sequence(parts) if len(parts) > 1 else parts[0] for name, parts in lists.items()}


@cache
def texts() -> tuple[str, ...]:
    """The texts that tokenizers are trained on: other ones than those that they are probed with, of the same words."""
    pairs = zip(probe_texts()[700:1700], probe_texts()[1200:2200], strict=True)
    return tuple(f"{one} {two}".replace("</s>", "").replace("<|x|>", "") for one, two in pairs)


def of_bytes(name: str, *, size: int = 900, form: str | None = None) -> dict[str, Any]:
    """The tokenizer.json of byte pairs that are cut as a name says."""
    tokenizer = tokenizers.Tokenizer(models.BPE(ignore_merges=name in _WHOLE))
    tokenizer.pre_tokenizer = cuts()[name]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    if form:
        tokenizer.normalizer = getattr(normalizers, form)()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|begin|>", "<|endoftext|>", "<|im_end|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    tokenizer.add_tokens(["<think>", "[ud]"])
    tokenizer.post_processor = processors.TemplateProcessing(  # type: ignore[assignment]
        single="<|begin|> $A", special_tokens=[("<|begin|>", 0)]
    )
    return dict(json.loads(tokenizer.to_str()))


def of_characters(*, prepend: bool = True, fallback: bool = True) -> dict[str, Any]:
    """The tokenizer.json of pairs of characters, with tokens of bytes: Llama 2's kind, without `prepend` Gemma's."""
    alphabet = ["<unk>", "<s>", "</s>", *([f"<0x{byte:02X}>" for byte in range(256)] if fallback else [])]
    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token=_UNKNOWN, fuse_unk=True, byte_fallback=fallback))
    steps = [normalizers.Prepend("\u2581")] if prepend else []
    tokenizer.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", "\u2581")])  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(vocab_size=1500, special_tokens=alphabet, show_progress=False, limit_alphabet=200)
    words = (word for text in texts() for word in _words(text))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")  # type: ignore[assignment]
    tokenizer.train_from_iterator(words, trainer)
    tree = json.loads(tokenizer.to_str())
    tree["added_tokens"] = [each for each in tree["added_tokens"] if not each["content"].startswith("<0x")]
    return _every_merge(tree | {"pre_tokenizer": None, "post_processor": _template("<s>", 1)})


def _words(text: str) -> Iterator[str]:
    yield from (text[at : at + 40] for at in range(0, len(text), 40))


def _every_merge(tree: dict[str, Any]) -> dict[str, Any]:
    """The JSON with every pair that makes a token among the merges, as converters of SentencePiece models write it."""
    vocab, ranks = tree["model"]["vocab"], {}
    for rank, (left, right) in enumerate(tree["model"]["merges"]):
        ranks.setdefault(left + right, rank)
    merges = []
    for text in sorted(ranks, key=ranks.__getitem__):
        pairs = [(text[:at], text[at:]) for at in range(1, len(text))]
        merges += sorted(
            (pair for pair in pairs if set(pair) <= vocab.keys()), key=lambda pair: (vocab[pair[0]], vocab[pair[1]])
        )
    return tree | {"model": tree["model"] | {"merges": [list(pair) for pair in merges]}}


def _template(name: str, token: int) -> dict[str, Any]:
    special = {"SpecialToken": {"id": name, "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [special, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [special, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {name: {"id": name, "ids": [token], "tokens": [name]}},
    }


def of_pieces() -> dict[str, Any]:
    """The tokenizer.json of likeliest pieces: T5's kind, with SentencePiece's own rules for characters."""
    tokenizer = tokenizers.Tokenizer(models.Unigram())
    charsmap = rules_of(scored(model_type="unigram", normalization_rule_name="nmt_nfkc", byte_fallback=False)).charsmap
    tokenizer.normalizer = normalizers.Precompiled(charsmap)  # type: ignore[assignment]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # type: ignore[assignment]
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()  # type: ignore[assignment]
    trainer = trainers.UnigramTrainer(
        vocab_size=700, special_tokens=["<pad>", "</s>", "<unk>"], unk_token=_UNKNOWN, show_progress=False
    )
    tokenizer.train_from_iterator(texts(), trainer)
    tree = json.loads(tokenizer.to_str())
    vocab = [[text, float(np.float32(score))] for text, score in tree["model"]["vocab"]]  # as SentencePiece has them
    return tree | {"model": tree["model"] | {"vocab": vocab}}


def of_words() -> dict[str, Any]:
    """The tokenizer.json of word pieces: BERT's kind."""
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token=_UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)  # type: ignore[assignment]
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()  # type: ignore[assignment]
    tokenizer.decoder = decoders.WordPiece()  # type: ignore[assignment]
    trainer = trainers.WordPieceTrainer(
        vocab_size=900, special_tokens=["[PAD]", _UNKNOWN, "[CLS]", "[SEP]"], show_progress=False
    )
    tokenizer.train_from_iterator(texts(), trainer)
    tree = json.loads(tokenizer.to_str())
    return tree | {"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}}
