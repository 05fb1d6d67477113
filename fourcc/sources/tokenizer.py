"""Tokenizer files, stored with a model as they are: recognised by their bytes, but not interpreted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from fourcc.errors import SourceError
from fourcc.files.beside import contents, file_in
from fourcc.files.json_text import parse_object
from fourcc.files.signatures import HEAD_BYTES, is_tokenizer, looks_like
from fourcc.sources import token_count

MAX_TOKENIZER = 64 << 20
LLAMA2C, JSON, SENTENCEPIECE, GGUF = token_count.LLAMA2C, token_count.JSON, token_count.SENTENCEPIECE, token_count.GGUF
CONFIGURATION = "tokenizer_config.json"
CHAT_TEMPLATE = "chat_template.jinja"  # no tokenizer, but goes with one
OTHER_TEMPLATES = "additional_chat_templates/"  # a folder beside it: NAME.jinja each
BLOBS = frozenset({LLAMA2C, JSON, SENTENCEPIECE, GGUF})
# Files that say how a tokenizer of Hugging Face is used; beside another tokenizer they would be wrong.
_OF_TOKENIZER = (CONFIGURATION, "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt")
COMPANIONS = (*_OF_TOKENIZER, "generation_config.json")  # files that are stored unchanged, and not read here
REPLACED = BLOBS | set(_OF_TOKENIZER)  # blobs that a tokenizer named by the user replaces


@attrs.frozen
class StoredTokenizer:
    """The contents of a tokenizer's file.

    Attributes:
        blob: the name that it is stored under, which tells its kind.
        data: its bytes.
        cut: whether the file ends within an entry.
    """

    blob: str
    data: bytes
    cut: bool = False

    @property
    def tokens(self) -> int | None:
        """Number of tokens; None where the bytes do not show it."""
        return token_count.token_count({self.blob: self.data})


def read_tokenizer(path: Path) -> StoredTokenizer:
    """The tokenizer of a file.

    Raises:
        SourceError: of no kind known here, or longer than 64 MiB.
    """
    data = contents(path, MAX_TOKENIZER, "a tokenizer")
    if is_tokenizer(data[:HEAD_BYTES]):
        return StoredTokenizer(LLAMA2C, data, cut=token_count.count_entries(data)[1])
    if data.lstrip()[:1] == b"{":
        if "model" not in parse_object(data, path):
            raise SourceError("JSON, but no tokenizer: the key 'model' is missing", file=path)
        return StoredTokenizer(JSON, data)
    if _is_sentencepiece(data):
        return StoredTokenizer(SENTENCEPIECE, data)
    raise SourceError(
        f"not a tokenizer: {looks_like(data[:HEAD_BYTES])}",
        file=path,
        expected="llama2.c's tokenizer.bin, a tokenizer.json, or a SentencePiece .model",
    )


def replaced(
    blobs: Mapping[str, bytes], path: Path, rows: object, *, exact: bool = False
) -> tuple[dict[str, bytes], list[str]]:
    """A model's blobs with the tokenizer of a file in place of any other, and notes.

    Args:
        blobs: name -> bytes.
        path: the tokenizer's.
        rows: of the model's embedding, where their number is known.
        exact: whether a model of this kind has exactly as many rows as a llama2.c tokenizer has tokens.

    Raises:
        SourceError: it is no tokenizer, or one of another model.
    """
    given = read_tokenizer(path)
    _refuse_another_model_s(path, given, rows, as_many=exact and given.blob == LLAMA2C)
    notes = [f"{path} ends within a token: no text can be made with it"] if given.cut else []
    if {name: data for name, data in blobs.items() if name in BLOBS} == {given.blob: given.data}:
        return dict(blobs), notes  # it is the one that the model brings
    own = [name for name in blobs if name in REPLACED]
    if own:
        notes.append(f"{path} takes the place of the tokenizer that the model brings ({', '.join(own)})")
    return {**{name: data for name, data in blobs.items() if name not in REPLACED}, given.blob: given.data}, notes


def _refuse_another_model_s(path: Path, given: StoredTokenizer, rows: object, *, as_many: bool) -> None:
    """Raises SourceError where the tokenizer has more tokens than the model has rows, or not as many as it must."""
    tokens = given.tokens
    if tokens is None or type(rows) is not int:
        return
    if tokens > rows or (as_many and tokens != rows):
        what = "the tokenizer belongs to another model, or is cut"
        expected = f"{rows}, the model's vocab_size" if as_many else f"at most {rows}, the model's vocab_size"
        raise SourceError(what, file=path, found=f"{tokens} tokens", expected=expected)


def beside(folder: Path) -> tuple[dict[str, bytes], list[Path], list[str]]:
    """The tokenizer files of a folder: blobs, paths, and notes on those that cannot be taken."""
    blobs: dict[str, bytes] = {}
    paths, notes = [], []
    for name in (JSON, SENTENCEPIECE):
        path = file_in(folder, name)
        if path is None:
            continue
        try:
            stored = read_tokenizer(path)
        except SourceError as error:
            notes.append(f"{name} is left out: {error}")
            continue
        blobs[stored.blob] = stored.data
        paths.append(path)
    _add_chat_template(folder, blobs, paths, notes)
    for name in (*COMPANIONS, *_other_templates(folder)):
        _add_companion(folder, name, blobs, paths, notes)
    return blobs, list(dict.fromkeys(paths)), notes


def _add_companion(folder: Path, name: str, blobs: dict[str, bytes], paths: list[Path], notes: list[str]) -> None:
    """Adds a file that is stored unchanged."""
    path = file_in(folder, name)
    if path is None:
        return
    try:
        blobs[name] = contents(path, MAX_TOKENIZER, "a tokenizer")
    except SourceError as error:
        notes.append(f"{name} is left out: {error}")
        return
    paths.append(path)


def _other_templates(folder: Path) -> list[str]:
    """Names, below a folder, of the chat templates beside the one that is used where none is named."""
    return [f"{OTHER_TEMPLATES}{path.name}" for path in sorted((folder / OTHER_TEMPLATES).glob("*.jinja"))]


def template_of(blobs: Mapping[str, bytes]) -> bytes:
    """The chat template in the tokenizer's configuration among a model's blobs; empty where none can be read."""
    try:
        return _template_in(blobs.get(CONFIGURATION, b"{}"), CONFIGURATION)
    except SourceError:
        return b""


def _add_chat_template(folder: Path, blobs: dict[str, bytes], paths: list[Path], notes: list[str]) -> None:
    """Adds the chat template, from its own file or from the tokenizer's configuration."""
    for name in (CHAT_TEMPLATE, CONFIGURATION):
        path = file_in(folder, name)
        if path is None:
            continue
        try:
            text = _chat_template(path)
        except SourceError as error:
            notes.append(f"the chat template of {name} is left out: {error}")
            continue
        if text:
            blobs[CHAT_TEMPLATE] = text
            paths.append(path)
            return


def _chat_template(path: Path) -> bytes:
    """The template in a file; empty where it has none. Among several it is the one named ``default``."""
    data = contents(path, MAX_TOKENIZER, "a tokenizer")
    return data if path.name != CONFIGURATION else _template_in(data, path)


def _template_in(data: bytes, file: object) -> bytes:
    """The template in the text of a tokenizer's configuration."""
    template = parse_object(data, file).get("chat_template")
    if isinstance(template, list):
        named = [each for each in template if isinstance(each, dict) and each.get("name") == "default"]
        template = named[0].get("template") if named else None
    return template.encode(errors="replace") if isinstance(template, str) else b""


def _is_sentencepiece(data: bytes) -> bool:
    """Whether it starts as a SentencePiece model: field 1 of a protobuf, a piece, whose own field 1 is its text."""
    return len(data) > 4 and data[0] == 0x0A and data[1] < 0x80 and data[2] == 0x0A and data[3] + 2 <= data[1]
