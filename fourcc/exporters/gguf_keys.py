"""The keys of a GGUF file, merged from the model's own and those that came with it from another GGUF file.

A key that came goes back with its type and in its order; where hyper-parameters or the written tensors state another
value, that value takes its place. Keys about the file itself are made anew.
"""

from __future__ import annotations

import struct
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from fourcc.conversion.pipeline import Step
from fourcc.exporters.gguf_head import UINT32, GGUFKey
from fourcc.plugins.registry import registry
from fourcc.sources.gguf_family import ARCHITECTURE_KEY
from fourcc.sources.gguf_header import ALIGNMENT_KEY, DEFAULT_ALIGNMENT
from fourcc.sources.gguf_metadata import Typed, fits

FILE_TYPE, QUANTIZATION = "general.file_type", "general.quantization_version"
QUANTIZATION_VERSION = 2
PLAIN_TYPES = frozenset({0, 1, 30, *range(24, 29)})  # float32, float16, bfloat16, integers, float64: not quantized
_ENCODING = "quantize."  # start of the keys that tell how another file was quantized
# ggml's type of most matrices -> numbers of llama.cpp's file types for it, the usual one first.
_FILE_TYPES = {
    0: (0,),
    1: (1,),
    2: (2,),
    3: (3,),
    6: (8,),
    7: (9,),
    8: (7,),
    10: (10, 21),
    11: (12, 11, 13),
    12: (15, 14),
    13: (17, 16),
    14: (18,),
    16: (19,),
    17: (20,),
    18: (23, 22),
    19: (24,),
    20: (25,),
    21: (26, 27),
    22: (28, 29),
    23: (30,),
    29: (31,),
    30: (32,),
    34: (36,),
    35: (37,),
    39: (38,),
    40: (39,),
    41: (40,),
    42: (41,),
}


def values_of(keys: Iterable[GGUFKey], given: Mapping[str, Typed]) -> dict[str, object]:
    """Values as a reader of the file finds them; where a name is in both, that of `keys`."""
    listed = {**{name: typed.value for name, typed in given.items()}, **{key.name: key.value for key in keys}}
    return {name: _as_read(value) for name, value in listed.items() if value is not None}


def _as_read(value: Any) -> Any:  # noqa: ANN401 - a key's
    """The value as the reader gives it: a list of integers becomes an array."""
    counts = isinstance(value, list) and bool(value) and all(type(item) is int for item in value)
    return array("q", value) if counts and max(map(abs, value)) < 2**63 else value


def merged(
    given: Mapping[str, Typed], own: Iterable[GGUFKey], tokens: Iterable[GGUFKey], steps: tuple[Step, ...]
) -> tuple[list[GGUFKey], list[str]]:
    """All keys of a file in their order, and notes.

    Args:
        given: keys that came from another GGUF file, perhaps none.
        own: keys of the model's hyper-parameters.
        tokens: keys of the tokenizer.
        steps: the tensors.
    """
    added = {key.name: key for key in own}
    vocabulary = {key.name: key for key in tokens}
    fresh, notes = _of_this_file(given, steps)
    replacing: dict[str, GGUFKey | None] = {name: added.pop(name, None) for name in given}
    keys = []
    for name, typed in given.items():
        if typed.value is None:
            key = _retyped(vocabulary.pop(name, None), typed)
        elif name in fresh:
            key = fresh[name]
        else:
            key = _kept_or_replaced(name, typed, replacing[name])
        keys += [] if key is None else [key]
    rest = {name: key for name, key in fresh.items() if name not in given and key is not None}
    return [*keys, *added.values(), *rest.values(), *vocabulary.values()], notes


def _kept_or_replaced(name: str, typed: Typed, own: GGUFKey | None) -> GGUFKey:
    """The key that came, unless the model states another value."""
    return GGUFKey(name, typed.kind, typed.value) if own is None or _same(typed.value, own.value) else own


def _same(came: object, own: object) -> bool:
    """Whether two values mean the same: equal in float32, or a list that repeats one count for every layer."""
    if isinstance(came, list) and not isinstance(own, list):
        return bool(came) and all(_same(item, own) for item in came)
    if isinstance(came, float) or isinstance(own, float):
        return isinstance(came, (int, float)) and isinstance(own, (int, float)) and _single(came) == _single(own)
    return type(came) is type(own) and came == own


def _single(value: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return value


def _retyped(key: GGUFKey | None, typed: Typed) -> GGUFKey | None:
    """A key of the tokenizer, in the type that it came with."""
    return attrs.evolve(key, kind=typed.kind) if key is not None and fits(typed.kind, key.value) else key


def _of_this_file(given: Mapping[str, Typed], steps: tuple[Step, ...]) -> tuple[dict[str, GGUFKey | None], list[str]]:
    """New values for the keys that describe the file itself, and notes on changes; None drops a key of the source."""
    numbers = [(step, registry[step.decision.tag].foreign["ggml"]) for step in steps]
    fresh: dict[str, GGUFKey | None] = {}
    if ALIGNMENT_KEY in given:
        fresh[ALIGNMENT_KEY] = GGUFKey(ALIGNMENT_KEY, UINT32, DEFAULT_ALIGNMENT)
    quantized = any(number not in PLAIN_TYPES for _, number in numbers)
    if quantized or QUANTIZATION in given:
        fresh[QUANTIZATION] = GGUFKey(QUANTIZATION, UINT32, QUANTIZATION_VERSION)
    matrices = [(step, number) for step, number in numbers if len(step.source.shape) > 1]
    changed = any(_encoded(step) for step, _ in matrices)
    notes = []
    if not given and matrices:
        fresh[FILE_TYPE] = _usual_file_type(Counter(_wanted(step, number) for step, number in matrices))
    if FILE_TYPE in given and changed:
        fresh[FILE_TYPE], note = _file_type(given[FILE_TYPE], Counter(number for _, number in matrices))
        notes += [note] if note else []
    history = [name for name in given if name.startswith(_ENCODING)] if changed else []
    if history:
        are = "are" if len(history) > 1 else "is"
        notes.append(f"{', '.join(history)} {are} left out: matrices were encoded anew")
    return fresh | dict.fromkeys(history), notes


def _encoded(step: Step) -> bool:
    """Whether a tensor differs from its checkpoint: it is encoded now, or was when its model.bin was made."""
    record = step.source.record
    return not step.decision.keep or (record is not None and record.encoder_version is not None)


def _file_type(came: Typed, types: Counter[object]) -> tuple[GGUFKey | None, str | None]:
    """llama.cpp's number for the type of most matrices, as llama.cpp guesses it, and a note where it changes."""
    (main, _), *_ = types.most_common(1)
    fitting = _FILE_TYPES.get(main, ()) if isinstance(main, int) else ()
    if came.value in fitting:
        return GGUFKey(FILE_TYPE, came.kind, came.value), None
    if not fitting:
        return None, f"{FILE_TYPE} {came.value} is left out: no number says that matrices have ggml's type {main}"
    why = f"more matrices have ggml's type {main} than any other"
    return GGUFKey(FILE_TYPE, UINT32, fitting[0]), f"{FILE_TYPE} {came.value} becomes {fitting[0]}: {why}"


def _wanted(step: Step, number: object) -> object:
    """ggml's type that a tensor should have had: a mix is named as it was asked for, whatever rows do not fit."""
    tag = step.decision.fallback_from
    return number if tag is None or tag not in registry else registry[tag].foreign.get("ggml", number)


def _usual_file_type(types: Counter[object]) -> GGUFKey | None:
    """llama.cpp's number for the type of most matrices; None where it has none."""
    (main, _), *_ = types.most_common(1)
    fitting = _FILE_TYPES.get(main, ()) if isinstance(main, int) else ()
    return GGUFKey(FILE_TYPE, UINT32, fitting[0]) if fitting else None


def stated_architecture(given: Mapping[str, Typed]) -> str | None:
    """The architecture that a file's keys state; None where they state none."""
    typed = given.get(ARCHITECTURE_KEY)
    return typed.value if typed is not None and isinstance(typed.value, str) else None
