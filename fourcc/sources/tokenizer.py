"""Tokenizer files, stored with a model as they are: recognised by their bytes, not read any further."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import attrs

from fourcc.errors import SourceError
from fourcc.files import ReadFile
from fourcc.signatures import HEAD_BYTES, is_tokenizer, looks_like
from fourcc.sources.folder import file_in
from fourcc.sources.json_text import parse_object

MAX_TOKENIZER = 64 << 20
LLAMA2C, JSON, SENTENCEPIECE, GGUF = "tokenizer.bin", "tokenizer.json", "tokenizer.model", "tokenizer.gguf"
CONFIGURATION = "tokenizer_config.json"
CHAT_TEMPLATE = "chat_template.jinja"  # no tokenizer, but goes with one
BLOBS = frozenset({LLAMA2C, JSON, SENTENCEPIECE, GGUF})


@attrs.frozen
class Tokenizer:
    """A tokenizer's file.

    Attributes:
        blob: the name that it is stored under, which tells its kind.
        data: its bytes.
        tokens: number of entries, where it shows without a full reading.
        cut: whether the file ends within an entry.
    """

    blob: str
    data: bytes
    tokens: int | None = None
    cut: bool = False


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a file.

    Raises:
        SourceError: of no kind known here, or longer than 64 MiB.
    """
    data = _contents(path)
    if is_tokenizer(data[:HEAD_BYTES]):
        tokens, cut = _count_entries(data)
        return Tokenizer(LLAMA2C, data, tokens, cut)
    if data.lstrip()[:1] == b"{":
        if "model" not in parse_object(data, path):
            raise SourceError("JSON, but no tokenizer: the key 'model' is missing", file=path)
        return Tokenizer(JSON, data)
    if _is_sentencepiece(data):
        return Tokenizer(SENTENCEPIECE, data)
    raise SourceError(
        f"not a tokenizer: {looks_like(data[:HEAD_BYTES])}",
        file=path,
        expected="llama2.c's tokenizer.bin, a tokenizer.json, or a SentencePiece .model",
    )


def replaced(
    blobs: Mapping[str, bytes], path: Path, tokens: object, *, exact: bool = False
) -> tuple[dict[str, bytes], list[str]]:
    """A model's blobs with the tokenizer of a file in place of any other, and what is odd about that.

    Args:
        blobs: name -> bytes.
        path: the tokenizer's.
        tokens: rows of the model's embedding, where they are known.
        exact: whether a model of this kind has no row to spare.

    Raises:
        SourceError: it is no tokenizer, or one of another model.
    """
    found = read_tokenizer(path)
    notes = ["the tokenizer ends within an entry"] if found.cut else []
    if isinstance(tokens, int) and found.tokens is not None and found.tokens != tokens:
        if exact:
            what = "the tokenizer belongs to another model, or is cut"
            expected = f"{tokens}, the model's vocab_size"
            raise SourceError(what, file=path, found=f"{found.tokens} tokens", expected=expected)
        notes.append(f"the tokenizer has {found.tokens} tokens, the model {tokens}")
    own = [name for name in blobs if name in BLOBS]
    if own and (own, blobs[own[0]]) != ([found.blob], found.data):
        notes.append(f"{path} takes the place of the tokenizer that the model brings ({', '.join(own)})")
    return {**{name: data for name, data in blobs.items() if name not in own}, found.blob: found.data}, notes


def _contents(path: Path) -> bytes:
    """The bytes of a file that is no longer than a tokenizer may be."""
    file = ReadFile(path, SourceError)
    try:
        if file.size > MAX_TOKENIZER:
            raise SourceError(
                "too long for a tokenizer", file=path, found=f"{file.size} bytes", expected=f"at most {MAX_TOKENIZER}"
            )
        return bytes(file.read(0, file.size))
    finally:
        file.close()


def beside(folder: Path) -> tuple[dict[str, bytes], list[Path], list[str]]:
    """The tokenizer files of a folder: blobs, paths, and notes on those that cannot be taken."""
    blobs: dict[str, bytes] = {}
    paths, notes = [], []
    for name in (JSON, SENTENCEPIECE):
        path = file_in(folder, name)
        if path is None:
            continue
        try:
            found = read_tokenizer(path)
        except SourceError as error:
            notes.append(f"the tokenizer is left out: {error}")
            continue
        blobs[found.blob] = found.data
        paths.append(path)
    if blobs:
        _add_chat_template(folder, blobs, paths, notes)
    return blobs, paths, notes


def _add_chat_template(folder: Path, blobs: dict[str, bytes], paths: list[Path], notes: list[str]) -> None:
    """The chat template, from its own file or from the tokenizer's configuration."""
    for name in (CHAT_TEMPLATE, CONFIGURATION):
        path = file_in(folder, name)
        if path is None:
            continue
        try:
            text = _chat_template(path)
        except SourceError as error:
            notes.append(f"the chat template is left out: {error}")
            continue
        if text:
            blobs[CHAT_TEMPLATE] = text
            paths.append(path)
            return


def _chat_template(path: Path) -> bytes:
    """The template in a file; empty where it has none. Of several the one that is called the default."""
    data = _contents(path)
    if path.name != CONFIGURATION:
        return data
    found = parse_object(data, path).get("chat_template")
    if isinstance(found, list):
        named = [each for each in found if isinstance(each, dict) and each.get("name") == "default"]
        found = named[0].get("template") if named else None
    return found.encode(errors="replace") if isinstance(found, str) else b""


def _count_entries(data: bytes) -> tuple[int, bool]:
    """Entries of a llama2.c tokenizer: f32 score, u32 length, bytes; and whether the last is cut."""
    at, entries = 4, 0
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        if at + 8 + length > len(data):
            return entries, True
        at, entries = at + 8 + length, entries + 1
    return entries, at != len(data)


def _is_sentencepiece(data: bytes) -> bool:
    """Whether it starts as a SentencePiece model: field 1 of a protobuf, a piece, whose own field 1 is its text."""
    return len(data) > 4 and data[0] == 0x0A and data[1] < 0x80 and data[2] == 0x0A and data[3] + 2 <= data[1]
