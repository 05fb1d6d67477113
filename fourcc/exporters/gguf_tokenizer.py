"""A model's tokenizer as keys of a GGUF file.

The tokenizer of a GGUF file goes back as it came. llama2.c's pieces and SentencePiece's become a scored vocabulary
(``llama``): a space is written U+2581, tokens of bytes ``<0x0A>``. A tokenizer.json has no form in GGUF that is certain
to cut texts alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from fourcc.container.index import Scalar
from fourcc.exporters.gguf_head import FLOAT32, INT32, UINT8, GGUFKey
from fourcc.models.tokenizers.gguf import unpacked
from fourcc.models.tokenizers.gguf_spm import SPACE
from fourcc.models.tokenizers.llama2c import BOS, EOS, FIRST_BYTE, read_llama2c
from fourcc.models.tokenizers.packages import package, translated
from fourcc.models.tokenizers.sentencepiece_model import adds_bos
from fourcc.models.tokenizers.vocabulary import TokenKind
from fourcc.sources import tokenizer as blobs_of
from fourcc.sources.source import Hyper, HyperParams, Source

PREFIX = "tokenizer.ggml."
# Arrays whose numbers have a fixed type, by the last part of the key; other types follow from the values.
_ARRAYS = {"scores": FLOAT32, "token_type": INT32, "precompiled_charsmap": UINT8}
_UNKNOWN = 0

_ENDS = ("eos", "eot", "eom")  # tokens that end a text for llama.cpp

TokenEntry = tuple[bytes, float, TokenKind]  # text, score, kind


def tokenizer_keys(blobs: Mapping[str, bytes], file: object) -> tuple[list[GGUFKey], list[str]]:
    """The keys of the tokenizer among a model's blobs, and notes.

    Raises:
        InputError: the tokenizer is damaged.
        UsageError: a package that reads it is not installed.
    """
    for name in taken(blobs)[:1]:
        keys = _CONVERTERS[name](blobs[name], f"{file} ({name})")
        if name == blobs_of.SENTENCEPIECE and not adds_bos(blobs.get(blobs_of.CONFIGURATION), file):
            add_bos = GGUFKey.of(f"{PREFIX}add_bos_token", value=False)
            keys = [add_bos if key.name == add_bos.name else key for key in keys]
        return [*keys, *_chat_template(blobs)], []
    left_out = [name for name in blobs if name in blobs_of.BLOBS]
    why = f"{left_out[0]} has no counterpart in GGUF" if left_out else "the model has no tokenizer"
    note = f"{why}: the file has no vocabulary"
    return [GGUFKey.of(f"{PREFIX}model", "no_vocab")], [note]


def taken(blobs: Mapping[str, bytes]) -> list[str]:
    """Names of the blobs that become keys, the tokenizer first; none where no tokenizer has a form in GGUF."""
    tokenizers = [name for name in _CONVERTERS if name in blobs][:1]
    template = blobs_of.CHAT_TEMPLATE in blobs and tokenizers not in ([], [blobs_of.GGUF])
    return [*tokenizers, *([blobs_of.CHAT_TEMPLATE] if template else [])]


def end_keys(hyper: Hyper, tokens: list[GGUFKey]) -> tuple[list[GGUFKey], list[str]]:
    """Keys for tokens that hyper-parameters name and the tokenizer's keys do not; a note on those without a key."""
    said = {key.name: key.value for key in tokens}
    keys = []
    begin, ends = hyper.get("bos_token_id"), hyper.get("eos_token_id")
    if _is_token(begin) and f"{PREFIX}bos_token_id" not in said:
        keys.append(GGUFKey.of(f"{PREFIX}bos_token_id", begin))
    known = {said.get(f"{PREFIX}{end}_token_id") for end in _ENDS}
    more = [end for end in (ends if isinstance(ends, list) else [ends]) if _is_token(end) and end not in known]
    free = [end for end in _ENDS if f"{PREFIX}{end}_token_id" not in said]
    keys += [GGUFKey.of(f"{PREFIX}{end}_token_id", token) for end, token in zip(free, more, strict=False)]
    left = ", ".join(map(str, more[len(free) :]))
    return keys, [f"these tokens that end a text have no key in a GGUF file: {left}"] if left else []


def ends_left_behind(source: Source) -> HyperParams:
    """Hyper-parameters for the tokens that begin and end a text, as a GGUF tokenizer that is not exported names them.

    Raises:
        InputError: the tokenizer is damaged.
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
    left: HyperParams = {}
    begin = keys.get(f"{PREFIX}bos_token_id")
    if _is_token(begin):
        left["bos_token_id"] = begin
    if ends:
        left["eos_token_id"] = ends if len(ends) > 1 else ends[0]
    return left


def _is_token(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 2**32


def _chat_template(blobs: Mapping[str, bytes]) -> list[GGUFKey]:
    """The key of a template that has its own file; one that came with a GGUF file's keys stays among them."""
    if blobs_of.CHAT_TEMPLATE not in taken(blobs):
        return []
    return [GGUFKey.of("tokenizer.chat_template", blobs[blobs_of.CHAT_TEMPLATE])]


def _as_it_came(data: bytes, file: object) -> list[GGUFKey]:
    """The keys of a GGUF file."""
    return [_key(name, value) for name, value in unpacked(data, file).items()]


def _key(name: str, value: Any) -> GGUFKey:  # noqa: ANN401 - any value that msgpack holds
    kind = _ARRAYS.get(name.removeprefix(PREFIX))
    return GGUFKey(name, kind, value) if kind is not None and isinstance(value, list) else GGUFKey.of(name, value)


def _of_llama2c(data: bytes, file: object) -> list[GGUFKey]:
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
    return _scored(entries, bos=BOS, eos=EOS, unknown=_UNKNOWN)


def _of_sentencepiece(data: bytes, file: object) -> list[GGUFKey]:
    module = package("sentencepiece", file)
    with translated("not a SentencePiece model", file):
        model = module.SentencePieceProcessor(model_proto=data)
        entries = [_entry(model, token) for token in range(model.vocab_size())]
        keys = _scored(entries, bos=model.bos_id(), eos=model.eos_id(), unknown=model.unk_id())
        return [*keys, GGUFKey.of(f"{PREFIX}add_space_prefix", bool(model.normalize("a").startswith(SPACE)))]


def _entry(model: Any, token: int) -> TokenEntry:  # noqa: ANN401 - the package's
    kinds = (
        (model.is_unknown, TokenKind.UNKNOWN),
        (model.is_control, TokenKind.CONTROL),
        (model.is_byte, TokenKind.BYTE),
        (model.is_unused, TokenKind.UNUSED),
    )
    kind = next((kind for is_one, kind in kinds if is_one(token)), TokenKind.NORMAL)
    return model.id_to_piece(token).encode(), model.get_score(token), kind


def _scored(entries: list[TokenEntry], *, bos: int, eos: int, unknown: int) -> list[GGUFKey]:
    """The keys of a scored vocabulary. Tokens with an equal text are renamed: llama.cpp would stop at them."""
    texts: dict[bytes, int] = {}
    for token, (text, _, _) in enumerate(entries):
        texts.setdefault(text, token)
    twins = {token for token, (text, _, _) in enumerate(entries) if texts[text] != token}
    tokens = [b"<twin_%d>" % token if token in twins else text for token, (text, _, _) in enumerate(entries)]
    kinds = [TokenKind.UNUSED if token in twins else kind for token, (_, _, kind) in enumerate(entries)]
    special = {"bos": bos, "eos": eos, "unknown": unknown}
    return [
        GGUFKey.of(f"{PREFIX}model", "llama"),
        GGUFKey.of(f"{PREFIX}tokens", tokens),
        GGUFKey(f"{PREFIX}scores", FLOAT32, [score for _, score, _ in entries]),
        GGUFKey(f"{PREFIX}token_type", INT32, list(map(int, kinds))),
        *(GGUFKey.of(f"{PREFIX}{name}_token_id", token) for name, token in special.items() if token >= 0),
        GGUFKey.of(f"{PREFIX}add_bos_token", value=True),
        GGUFKey.of(f"{PREFIX}add_eos_token", value=False),
    ]


_CONVERTERS: dict[str, Callable[[bytes, object], list[GGUFKey]]] = {
    blobs_of.GGUF: _as_it_came,
    blobs_of.LLAMA2C: _of_llama2c,
    blobs_of.SENTENCEPIECE: _of_sentencepiece,
}
