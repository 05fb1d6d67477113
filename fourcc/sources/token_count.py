"""The number of tokens of a model's tokenizer, from its bytes alone, without the packages that read them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping

import msgpack

from fourcc.errors import SourceError
from fourcc.files.json_text import parse_object
from fourcc.sources.protobuf import fields

# Names of tokenizers' blobs, which tell their kinds.
LLAMA2C, JSON, SENTENCEPIECE, GGUF = "tokenizer.bin", "tokenizer.json", "tokenizer.model", "tokenizer.gguf"
_TOKENS = "tokenizer.ggml.tokens"
_PIECE = 1  # SentencePiece's model: field 1 is a piece


def token_count(blobs: Mapping[str, bytes]) -> int | None:
    """The number of tokens, or the highest token plus 1 where some are left out; None without a readable tokenizer."""
    for name, count in _COUNTERS.items():
        if name in blobs:
            return count(blobs[name])
    return None


def token_notes(blobs: Mapping[str, bytes], hyper: Mapping[str, object]) -> list[str]:
    """Notes on a tokenizer with fewer or more tokens than the model has rows."""
    tokens, rows = token_count(blobs), hyper.get("vocab_size")
    if tokens is None or type(rows) is not int or tokens == rows:
        return []
    if tokens < rows:
        return [f"the tokenizer has {tokens} tokens, the model rows for {rows}: those beyond are padding, never drawn"]
    return [f"the tokenizer has {tokens} tokens, the model rows for {rows}: a text that needs one beyond is refused"]


def _of_llama2c(data: bytes) -> int | None:
    return count_entries(data)[0]


def count_entries(data: bytes) -> tuple[int, bool]:
    """The number of entries of a llama2.c tokenizer (f32 score, u32 length, bytes), and whether the last is cut."""
    at, entries = 4, 0
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        if at + 8 + length > len(data):
            return entries, True
        at, entries = at + 8 + length, entries + 1
    return entries, at != len(data)


def _of_gguf(data: bytes) -> int | None:
    unpacker = msgpack.Unpacker(max_buffer_size=max(1, len(data)))
    unpacker.feed(data)
    try:
        for _ in range(unpacker.read_map_header()):
            if unpacker.unpack() == _TOKENS:
                count: int = unpacker.read_array_header()
                return count
            unpacker.skip()
    except (TypeError, ValueError, RecursionError, msgpack.UnpackException):
        return None  # the tokenizer's reader says why
    return None


def _of_json(data: bytes) -> int | None:
    try:
        tree = parse_object(data, JSON)
    except SourceError:
        return None
    numbers = [*_numbers(tree.get("model")), *_added(tree.get("added_tokens"))]
    return max((number for number in numbers if type(number) is int), default=-1) + 1 or None


def _numbers(model: object) -> Iterator[object]:
    vocab = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(vocab, dict):
        yield from vocab.values()
    elif isinstance(vocab, list):  # Unigram's: pairs of text and score, in order
        yield len(vocab) - 1


def _added(tokens: object) -> Iterator[object]:
    yield from (each.get("id") for each in tokens if isinstance(each, dict)) if isinstance(tokens, list) else ()


def _of_sentencepiece(data: bytes) -> int | None:
    try:
        return sum(field == _PIECE for field, _ in fields(data)) or None
    except ValueError:
        return None


_COUNTERS: dict[str, Callable[[bytes], int | None]] = {  # in the order in which a model's tokenizer is chosen
    LLAMA2C: _of_llama2c,
    GGUF: _of_gguf,
    JSON: _of_json,
    SENTENCEPIECE: _of_sentencepiece,
}
