"""A model's tokenizer as keys of a GGUF file.

That of a GGUF file goes back as it came. llama2.c's pieces and SentencePiece's become a scored vocabulary (``llama``):
a space is written U+2581, tokens of bytes ``<0x0A>``. A tokenizer.json has no such form that is the same for certain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from fourcc.exporters.gguf_head import FLOAT32, INT32, UINT8, Key
from fourcc.models.tokenizers.gguf import unpacked
from fourcc.models.tokenizers.gguf_spm import SPACE
from fourcc.models.tokenizers.llama2c import BOS, EOS, FIRST_BYTE, read_llama2c
from fourcc.models.tokenizers.packages import package, translated
from fourcc.models.tokenizers.sentencepiece_model import adds_bos
from fourcc.models.tokenizers.vocabulary import Kind
from fourcc.sources import tokenizer as blobs_of
from fourcc.sources.source import Hyper, Scalar, Source

PREFIX = "tokenizer.ggml."
# Arrays whose numbers have a type of their own, by the last part of the key; of others the values tell.
_ARRAYS = {"scores": FLOAT32, "token_type": INT32, "precompiled_charsmap": UINT8}
_UNKNOWN = 0

_ENDS = ("eos", "eot", "eom")  # tokens that end a text for llama.cpp

Entry = tuple[bytes, float, Kind]  # text, score, what for


def tokenizer_keys(blobs: Mapping[str, bytes], file: object) -> tuple[list[Key], list[str]]:
    """The keys of the tokenizer among a model's blobs, and notes.

    Raises:
        InputError: it is damaged.
        UsageError: a package that reads it is not installed.
    """
    for name in taken(blobs)[:1]:
        keys = _CONVERTERS[name](blobs[name], f"{file} ({name})")
        if name == blobs_of.SENTENCEPIECE and not adds_bos(blobs.get(blobs_of.CONFIGURATION), file):
            add_bos = Key.of(f"{PREFIX}add_bos_token", value=False)
            keys = [add_bos if key.name == add_bos.name else key for key in keys]
        return [*keys, *_chat_template(blobs)], []
    left_out = [name for name in blobs if name in blobs_of.BLOBS]
    why = f"{left_out[0]} has no counterpart in GGUF" if left_out else "the model has no tokenizer"
    note = f"{why}: the file has no vocabulary"
    return [Key.of(f"{PREFIX}model", "no_vocab")], [note]


def taken(blobs: Mapping[str, bytes]) -> list[str]:
    """Names of the blobs that become keys, the tokenizer first; none without a tokenizer that has such a form."""
    found = [name for name in _CONVERTERS if name in blobs][:1]
    template = blobs_of.CHAT_TEMPLATE in blobs and found not in ([], [blobs_of.GGUF])
    return [*found, *([blobs_of.CHAT_TEMPLATE] if template else [])]


def end_keys(hyper: Hyper, tokens: list[Key]) -> tuple[list[Key], list[str]]:
    """Keys for tokens that hyper-parameters name and the tokenizer's keys do not; a note on those without a place."""
    said = {key.name: key.value for key in tokens}
    keys = []
    begin, ends = hyper.get("bos_token_id"), hyper.get("eos_token_id")
    if _is_token(begin) and f"{PREFIX}bos_token_id" not in said:
        keys.append(Key.of(f"{PREFIX}bos_token_id", begin))
    known = {said.get(f"{PREFIX}{end}_token_id") for end in _ENDS}
    more = [end for end in (ends if isinstance(ends, list) else [ends]) if _is_token(end) and end not in known]
    free = [end for end in _ENDS if f"{PREFIX}{end}_token_id" not in said]
    keys += [Key.of(f"{PREFIX}{end}_token_id", token) for end, token in zip(free, more, strict=False)]
    left = ", ".join(map(str, more[len(free) :]))
    return keys, [f"of the tokens that end a text these have no key in a GGUF file: {left}"] if left else []


def ends_left_behind(source: Source) -> dict[str, Scalar | list[Scalar]]:
    """Hyper-parameters for the tokens that begin and end a text, where a GGUF tokenizer that stays behind names them.

    Raises:
        InputError: it is damaged.
    """
    if blobs_of.GGUF not in source.blobs:
        return {}
    keys, hyper = unpacked(source.blobs[blobs_of.GGUF], source.path), source.hyper
    given = hyper.get("eos_token_id")
    listed = [
        *(given if isinstance(given, (list, tuple)) else [given]),
        *(keys.get(f"{PREFIX}{end}_token_id") for end in _ENDS),
    ]
    ends: list[Scalar] = list(dict.fromkeys(token for token in listed if _is_token(token)))
    found: dict[str, Scalar | list[Scalar]] = {}
    begin = keys.get(f"{PREFIX}bos_token_id")
    if _is_token(begin):
        found["bos_token_id"] = begin
    if ends:
        found["eos_token_id"] = ends if len(ends) > 1 else ends[0]
    return found


def _is_token(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 2**32


def _chat_template(blobs: Mapping[str, bytes]) -> list[Key]:
    """A template that has a file of its own; one that came with a GGUF file's keys goes with them."""
    if blobs_of.CHAT_TEMPLATE not in taken(blobs):
        return []
    return [Key.of("tokenizer.chat_template", blobs[blobs_of.CHAT_TEMPLATE])]


def _as_it_came(data: bytes, file: object) -> list[Key]:
    """The keys of a GGUF file."""
    return [_key(name, value) for name, value in unpacked(data, file).items()]


def _key(name: str, value: Any) -> Key:  # noqa: ANN401 - what msgpack holds
    kind = _ARRAYS.get(name.removeprefix(PREFIX))
    return Key(name, kind, value) if kind is not None and isinstance(value, list) else Key.of(name, value)


def _of_llama2c(data: bytes, file: object) -> list[Key]:
    found = read_llama2c(data, file)
    special = {_UNKNOWN: (b"<unk>", Kind.UNKNOWN), BOS: (b"<s>", Kind.CONTROL), EOS: (b"</s>", Kind.CONTROL)}
    entries: list[Entry] = []
    for token, (piece, score) in enumerate(zip(found.pieces, found.scores, strict=True)):
        text, kind = special.get(token, (piece.replace(b" ", SPACE.encode()), Kind.NORMAL))
        if found.has_bytes and FIRST_BYTE <= token < FIRST_BYTE + 256:
            text, kind = piece, Kind.BYTE
        entries.append((text, score, kind))
    return _scored(entries, bos=BOS, eos=EOS, unknown=_UNKNOWN)


def _of_sentencepiece(data: bytes, file: object) -> list[Key]:
    module = package("sentencepiece", file)
    with translated("not a SentencePiece model", file):
        model = module.SentencePieceProcessor(model_proto=data)
        entries = [_entry(model, token) for token in range(model.vocab_size())]
        keys = _scored(entries, bos=model.bos_id(), eos=model.eos_id(), unknown=model.unk_id())
        return [*keys, Key.of(f"{PREFIX}add_space_prefix", bool(model.normalize("a").startswith(SPACE)))]


def _entry(model: Any, token: int) -> Entry:  # noqa: ANN401 - the package's
    kinds = (
        (model.is_unknown, Kind.UNKNOWN),
        (model.is_control, Kind.CONTROL),
        (model.is_byte, Kind.BYTE),
        (model.is_unused, Kind.UNUSED),
    )
    kind = next((kind for is_one, kind in kinds if is_one(token)), Kind.NORMAL)
    return model.id_to_piece(token).encode(), model.get_score(token), kind


def _scored(entries: list[Entry], *, bos: int, eos: int, unknown: int) -> list[Key]:
    """The keys of a scored vocabulary. No two tokens have one text: llama.cpp would stop."""
    texts: dict[bytes, int] = {}
    for token, (text, _, _) in enumerate(entries):
        texts.setdefault(text, token)
    twins = {token for token, (text, _, _) in enumerate(entries) if texts[text] != token}
    tokens = [b"<twin_%d>" % token if token in twins else text for token, (text, _, _) in enumerate(entries)]
    kinds = [Kind.UNUSED if token in twins else kind for token, (_, _, kind) in enumerate(entries)]
    special = {"bos": bos, "eos": eos, "unknown": unknown}
    return [
        Key.of(f"{PREFIX}model", "llama"),
        Key.of(f"{PREFIX}tokens", tokens),
        Key(f"{PREFIX}scores", FLOAT32, [score for _, score, _ in entries]),
        Key(f"{PREFIX}token_type", INT32, list(map(int, kinds))),
        *(Key.of(f"{PREFIX}{name}_token_id", token) for name, token in special.items() if token >= 0),
        Key.of(f"{PREFIX}add_bos_token", value=True),
        Key.of(f"{PREFIX}add_eos_token", value=False),
    ]


_CONVERTERS: dict[str, Callable[[bytes, object], list[Key]]] = {
    blobs_of.GGUF: _as_it_came,
    blobs_of.LLAMA2C: _of_llama2c,
    blobs_of.SENTENCEPIECE: _of_sentencepiece,
}
