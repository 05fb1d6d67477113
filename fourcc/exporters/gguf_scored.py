"""llama2.c's pieces and SentencePiece's as a scored vocabulary: a space is written U+2581, tokens of bytes ``<0x0A>``.

A SentencePiece model is not everything where files of Hugging Face's lie beside it: they add tokens, or give those of
the model another use. What comes out is compared with SentencePiece itself before it is believed; a model that does not
merge pairs (unigram) becomes a vocabulary of T5's kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fourcc.errors import InputError, UsageError
from fourcc.exporters.gguf_agreement import WayToWrite, agreeing, note_on_rules, read_as_written
from fourcc.exporters.gguf_entries import TokenEntry, scored
from fourcc.exporters.tokenizer_json import object_of
from fourcc.files.json_text import parse_object
from fourcc.models.tokenizers.gguf_spm import SPACE
from fourcc.models.tokenizers.llama2c import BOS, EOS, FIRST_BYTE, read_llama2c
from fourcc.models.tokenizers.packages import translated
from fourcc.models.tokenizers.probes import probe_texts
from fourcc.models.tokenizers.sentencepiece_model import SentencePieceTokenizer, adds_bos, read_sentencepiece
from fourcc.models.tokenizers.sentencepiece_rules import SentencePieceRules, rules_of
from fourcc.models.tokenizers.tokenizer import MAX_TOKENS
from fourcc.models.tokenizers.vocabulary import TokenKind, pad_name
from fourcc.sources import tokenizer as blobs_of

_UNKNOWN = 0
_ADDED_SCORE = -1000.0  # as llama.cpp's converter writes it; no merge gives an added token
_ADDED = "added_tokens.json"
Values = dict[str, Any]


def values_of_llama2c(data: bytes, file: object) -> Values:
    """The values of keys for a tokenizer of llama2.c's."""
    tokenizer = read_llama2c(data, file)
    special = {
        _UNKNOWN: (b"<unk>", TokenKind.UNKNOWN),
        BOS: (b"<s>", TokenKind.CONTROL),
        EOS: (b"</s>", TokenKind.CONTROL),
    }
    entries: list[TokenEntry] = []
    for token, (piece, score) in enumerate(zip(tokenizer.pieces, tokenizer.scores, strict=True)):
        text, kind = special.get(token, (piece.replace(b" ", SPACE.encode()), TokenKind.NORMAL))
        if tokenizer.has_bytes and FIRST_BYTE <= token < FIRST_BYTE + 256:
            text, kind = piece, TokenKind.BYTE
        entries.append((text, score, kind))
    return {**scored(entries), **_special_ids(BOS, EOS, _UNKNOWN), "add_bos_token": True, "add_eos_token": False}


def values_of_sentencepiece(blobs: Mapping[str, bytes], file: object) -> tuple[Mapping[str, Any], list[str]]:
    """The values of keys for a SentencePiece model and what lies beside it, and notes.

    Raises:
        InputError: a file is damaged.
        UsageError: the package is not installed, or no vocabulary of GGUF cuts texts as the model does.
    """
    data = blobs[blobs_of.SENTENCEPIECE]
    theirs = read_sentencepiece(data, f"{file} ({blobs_of.SENTENCEPIECE})")
    rules = rules_of(data)
    entries = _entries(theirs, added_tokens(blobs, file))
    added = [text.decode().replace(SPACE, " ") for text, _, kind in entries if kind == TokenKind.USER_DEFINED]
    texts = [text for text in probe_texts() if not any(one in text for one in added)]
    common = _common(theirs, entries, add_bos=adds_bos(blobs.get(blobs_of.CONFIGURATION), file))
    candidates = list(_candidates(theirs, rules, common))
    try:
        return agreeing(candidates, theirs, texts, theirs.file).values, []
    except UsageError:
        kept = [text for text in texts if _stays(text, theirs)]
        if len(kept) == len(texts):
            raise
    return agreeing(candidates, theirs, kept, theirs.file).values, [note_on_rules(rules.name)]


def added_tokens(blobs: Mapping[str, bytes], file: object) -> dict[int, tuple[str, TokenKind]]:
    """Tokens that files beside a SentencePiece model add or give another use; the configuration has the last word."""
    added: dict[int, tuple[str, TokenKind]] = {}
    for text, token in _object(blobs, _ADDED, file).items():
        added[_number(token, _ADDED, file)] = (text, TokenKind.USER_DEFINED)
    described = object_of(_object(blobs, blobs_of.CONFIGURATION, file).get("added_tokens_decoder"))
    for token, fields in described.items():
        content = object_of(fields).get("content")
        number = _number(int(token) if token.isdecimal() and len(token) < 10 else token, blobs_of.CONFIGURATION, file)
        if isinstance(content, str) and content:
            special = object_of(fields).get("special") is True
            added[number] = (content, TokenKind.CONTROL if special else TokenKind.USER_DEFINED)
    return added


def _object(blobs: Mapping[str, bytes], name: str, file: object) -> dict[str, Any]:
    return parse_object(blobs[name], f"{file} ({name})") if name in blobs else {}


def _number(token: object, name: str, file: object) -> int:
    if type(token) is not int or not 0 <= token < MAX_TOKENS:
        expected = f"0 to {MAX_TOKENS - 1}"
        raise InputError(
            "an added token has no valid number", file=f"{file} ({name})", found=f"{token!r:.40}", expected=expected
        )
    return token


def _entries(theirs: SentencePieceTokenizer, added: Mapping[int, tuple[str, TokenKind]]) -> list[TokenEntry]:
    """The model's tokens and the added ones; numbers between them are padding."""
    count = max([theirs.vocab_size, *(token + 1 for token in added)])
    with translated("not a SentencePiece model", theirs.file):
        own = [_entry(theirs.processor, token) for token in range(theirs.vocab_size)]
    padding = ((pad_name(token).encode(), _ADDED_SCORE, TokenKind.UNUSED) for token in range(len(own), count))
    entries: list[TokenEntry] = [*own, *padding]
    for token, (text, kind) in added.items():
        # The unknown token keeps its kind: it stands for parts of a text, whatever calls it special.
        if entries[token][2] != TokenKind.UNKNOWN:
            plain = text if kind == TokenKind.CONTROL else text.replace(SPACE, " ")
            entries[token] = (plain.encode(), _ADDED_SCORE, kind)
    return entries


def _entry(model: Any, token: int) -> TokenEntry:  # noqa: ANN401 - the package's
    kinds = (
        (model.is_unknown, TokenKind.UNKNOWN),
        (model.is_control, TokenKind.CONTROL),
        (model.is_byte, TokenKind.BYTE),
        (model.is_unused, TokenKind.UNUSED),
    )
    kind = next((kind for is_one, kind in kinds if is_one(token)), TokenKind.NORMAL)
    return model.id_to_piece(token).encode(), model.get_score(token), kind


def _common(theirs: SentencePieceTokenizer, entries: list[TokenEntry], *, add_bos: bool) -> Values:
    """The values of keys that all ways to write the model share."""
    model = theirs.processor
    return {
        **scored(entries),
        "pre": "default",
        **_special_ids(model.bos_id(), model.eos_id(), model.unk_id()),
        "add_bos_token": add_bos,
        "add_eos_token": False,
        "add_space_prefix": theirs.spaced,
    }


def _candidates(theirs: SentencePieceTokenizer, rules: SentencePieceRules, common: Values) -> Iterator[WayToWrite]:
    """A vocabulary that merges by score, and one that takes the likeliest pieces; the model's own way comes first."""
    likeliest = common | {"model": "t5", "remove_extra_whitespaces": rules.merges_spaces}
    if rules.charsmap:
        likeliest["precompiled_charsmap"] = list(rules.charsmap)
    ways = [("'llama'", common), ("'t5'", likeliest)]
    for name, values in reversed(ways) if rules.is_unigram else ways:
        yield read_as_written(name, values, theirs.file)


def _special_ids(bos: int, eos: int, unknown: int) -> Values:
    special = {"bos": bos, "eos": eos, "unknown": unknown}
    return {f"{name}_token_id": token for name, token in special.items() if token >= 0}


def _stays(text: str, theirs: SentencePieceTokenizer) -> bool:
    """Whether no rule of the model's changes a text, but that spaces are written U+2581."""
    spaced = (SPACE if theirs.spaced and text else "") + text.replace(" ", SPACE)
    return bool(theirs.processor.normalize(text) == spaced)
