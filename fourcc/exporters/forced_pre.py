"""`--pre`: the way in which a vocabulary of byte pairs cuts texts, by the user's word.

The vocabulary is then the one of a GGUF file, whatever it was: it goes into a model.bin or a GGUF file as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import msgpack

from fourcc.errors import UsageError
from fourcc.exporters.gguf_agreement import differences, encoded, read_as_written
from fourcc.exporters.gguf_entries import PREFIX
from fourcc.exporters.gguf_pairs import is_bytewise, pairs_of_bytes
from fourcc.exporters.gguf_specials import special_values
from fourcc.exporters.tokenizer_json import read_tokenizer_json
from fourcc.models.tokenizers.gguf_fields import unpacked
from fourcc.models.tokenizers.huggingface import read_json
from fourcc.models.tokenizers.probes import probe_texts
from fourcc.models.tokenizers.splits import SPLITTINGS
from fourcc.sources import tokenizer as blobs_of
from fourcc.sources.source import Source

NONE = "none"
_PRE, _KIND = f"{PREFIX}pre", f"{PREFIX}model"


def with_pre(source: Source, name: str | None) -> Source:
    """The source, whose vocabulary cuts texts as a name of GGUF's says; a note tells what that changes.

    Args:
        source: an opened checkpoint.
        name: a value of ``tokenizer.ggml.pre``; ``none`` leaves the vocabulary out; None changes nothing.

    Raises:
        UsageError: there is no such name, or no vocabulary of byte pairs.
        InputError: the tokenizer is damaged.
    """
    if name is None:
        return source
    if name == NONE:
        return _without(source)
    if name not in SPLITTINGS:
        raise UsageError(f"--pre {name!r} names no way to cut texts", expected=f"{NONE}, {', '.join(SPLITTINGS)}")
    if blobs_of.GGUF in source.blobs:
        return _renamed(source, name)
    if blobs_of.JSON in source.blobs and blobs_of.LLAMA2C not in source.blobs:
        return _made(source, name)
    raise _refusal(source, "no tokenizer.json, and no vocabulary of a GGUF file")


def _without(source: Source) -> Source:
    """The source without its vocabulary."""
    names = [name for name in source.blobs if name in blobs_of.BLOBS]
    blobs = {name: data for name, data in source.blobs.items() if name not in names}
    note = f"--pre {NONE} leaves the vocabulary out ({', '.join(names) or 'there was none'})"
    return attrs.evolve(source, blobs=blobs, notes=(*source.notes, note))


def _renamed(source: Source, name: str) -> Source:
    """A GGUF file's vocabulary under another name."""
    values = unpacked(source.blobs[blobs_of.GGUF], source.path)
    if values.get(_KIND) != "gpt2":
        raise _refusal(source, f"kind {values.get(_KIND)!r}")
    note = f"--pre {name} takes the place of {values.get(_PRE, 'default')!r}, by which the file cuts texts"
    return _with_values(source, dict(source.blobs), values | {_PRE: name}, note)


def _made(source: Source, name: str) -> Source:
    """The vocabulary of a tokenizer.json, in place of all files that describe it."""
    data, place = source.blobs[blobs_of.JSON], f"{source.path} ({blobs_of.JSON})"
    described, theirs = read_tokenizer_json(data, place), read_json(data, place)
    if described.model.get("type") != "BPE" or not is_bytewise(described):
        raise _refusal(source, f"model {described.model.get('type')!r}")
    values = pairs_of_bytes(described, special_values(described, source.blobs), name)
    way = read_as_written(name, values, place)
    expected = [encoded(theirs, text) for text in probe_texts()]
    found = list(differences(way.tokenizer(), probe_texts(), expected))
    what = f"--pre {name} is taken in place of {blobs_of.JSON}"
    note = f"{what}: {len(found)} of {len(expected)} probe texts get other tokens"
    other = f"; {found[0]}" if found else ""
    named = {key if key.startswith("tokenizer.") else PREFIX + key: value for key, value in values.items()}
    blobs = {key: blob for key, blob in source.blobs.items() if key not in blobs_of.REPLACED}
    return _with_values(source, blobs, named, note + other)


def _with_values(source: Source, blobs: Mapping[str, bytes], values: Mapping[str, Any], note: str) -> Source:
    packed = msgpack.packb(values, unicode_errors="surrogateescape")
    return attrs.evolve(source, blobs={**blobs, blobs_of.GGUF: packed}, notes=(*source.notes, note))


def _refusal(source: Source, found: str) -> UsageError:
    what = "--pre is for a vocabulary of byte pairs"
    return UsageError(what, file=source.path, found=found, hint=f"--pre {NONE} leaves any vocabulary out.")
