"""Tokens that end a text: hyper-parameters may name many, GGUF's keys have a place for three."""

from __future__ import annotations

from typing import TypeGuard

from fourcc.container.index import Scalar
from fourcc.exporters.gguf_entries import PREFIX
from fourcc.exporters.gguf_head import GGUFKey
from fourcc.models.tokenizers.gguf_fields import unpacked
from fourcc.sources import tokenizer as blobs_of
from fourcc.sources.source import Hyper, HyperParams, Source

_ENDS = ("eos", "eot", "eom")  # tokens that end a text for llama.cpp


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
