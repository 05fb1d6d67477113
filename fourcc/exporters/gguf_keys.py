"""The keys of a GGUF file: those that a model's hyper-parameters say, and those that came with it from another one.

What came goes back with its type and in its order; where hyper-parameters or the written tensors say another value,
that one stands in its place. What only the writing of one file says is made anew.
"""

from __future__ import annotations

import struct
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from fourcc.conversion.pipeline import Step
from fourcc.exporters.gguf_head import FLOAT32, UINT32, Key
from fourcc.registry import registry
from fourcc.sources.gguf_header import ALIGNMENT_KEY, DEFAULT_ALIGNMENT
from fourcc.sources.gguf_llama import ARCHITECTURE_KEY, COUNTS, ORIGINAL, SCALING
from fourcc.sources.gguf_metadata import Typed, fits
from fourcc.sources.source import Hyper

FILE_TYPE, QUANTIZATION = "general.file_type", "general.quantization_version"
QUANTIZATION_VERSION = 2
PLAIN_TYPES = frozenset({0, 1, 30, *range(24, 29)})  # float32, float16, bfloat16, integers, float64: not quantized
_ENCODING = "quantize."  # how the blocks of another file were found
# ggml's type of most matrices -> numbers of llama.cpp's file types that say so, the usual one first.
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
    20: (25,),
    23: (30,),
    30: (32,),
}


def hyper_keys(hyper: Hyper, kind: str) -> Iterator[Key]:
    """What hyper-parameters say, as keys of an architecture."""
    for ours, theirs in COUNTS.items():
        value = hyper.get(ours)
        if type(value) is int:
            yield Key.of(f"{kind}.{theirs}", value)
    width, turned = hyper.get("head_dim"), hyper.get("rope_dim", hyper.get("head_dim"))
    if type(width) is int and type(turned) is int:
        yield Key.of(f"{kind}.attention.value_length", width)
        yield Key.of(f"{kind}.rope.dimension_count", turned)
    for ours, theirs in (("norm_eps", "attention.layer_norm_rms_epsilon"), ("rope_theta", "rope.freq_base")):
        value = hyper.get(ours)
        if isinstance(value, (int, float)):
            yield Key(f"{kind}.{theirs}", FLOAT32, float(value))
    window = hyper.get("sliding_window")
    if type(window) is int:
        yield Key.of(f"{kind}.attention.sliding_window", window)
    yield from _scaling_keys(hyper, kind)


def _scaling_keys(hyper: Hyper, kind: str) -> Iterator[Key]:
    """What changes the rotation, but for what is said by factors."""
    back = {ours: theirs for theirs, ours in ORIGINAL.items()}
    scaling = {name.removeprefix("rope_scaling."): v for name, v in hyper.items() if "rope_scaling." in name}
    if not scaling or scaling.get("type") in ("llama3", "factors", "default"):
        return
    for word, value in scaling.items():
        number = isinstance(value, float) or word == "factor"
        name = f"{kind}.{SCALING}{back.get(word, word)}"
        yield Key(name, FLOAT32, float(value)) if number and not isinstance(value, (str, list)) else Key.of(name, value)


def values_of(keys: Iterable[Key], given: Mapping[str, Typed]) -> dict[str, object]:
    """Keys as a reader of the file finds them; of a name that stands in both, the first."""
    listed = {**{name: typed.value for name, typed in given.items()}, **{key.name: key.value for key in keys}}
    return {name: _as_read(value) for name, value in listed.items() if value is not None}


def _as_read(value: Any) -> Any:  # noqa: ANN401 - a key's
    """The value as the reader has it: integers that are many are no list."""
    counts = isinstance(value, list) and bool(value) and all(type(item) is int for item in value)
    return array("q", value) if counts and max(map(abs, value)) < 2**63 else value


def merged(
    given: Mapping[str, Typed], made: Iterable[Key], tokens: Iterable[Key], steps: tuple[Step, ...]
) -> tuple[list[Key], list[str]]:
    """All keys of a file in their order, and notes.

    Args:
        given: keys that came from another GGUF file, perhaps none.
        made: what the model and the file say.
        tokens: keys of the tokenizer.
        steps: the tensors.
    """
    own = {key.name: key for key in made}
    vocabulary = {key.name: key for key in tokens}
    fresh, notes = _of_this_file(given, steps)
    places: dict[str, Key | None] = {name: own.pop(name, None) for name in given}
    keys = []
    for name, typed in given.items():
        if typed.value is None:
            key = _retyped(vocabulary.pop(name, None), typed)
        elif name in fresh:
            key = fresh[name]
        else:
            key = _one(name, typed, places[name])
        keys += [] if key is None else [key]
    rest = {name: key for name, key in fresh.items() if name not in given and key is not None}
    return [*keys, *own.values(), *rest.values(), *vocabulary.values()], notes


def _one(name: str, typed: Typed, made: Key | None) -> Key:
    """The key that came, unless the model says another value."""
    return Key(name, typed.kind, typed.value) if made is None or _same(typed.value, made.value) else made


def _same(came: object, made: object) -> bool:
    """Whether two values say one thing: in float32, and where a count stands for each layer."""
    if isinstance(came, list) and not isinstance(made, list):
        return bool(came) and all(_same(item, made) for item in came)
    if isinstance(came, float) or isinstance(made, float):
        return isinstance(came, (int, float)) and isinstance(made, (int, float)) and _single(came) == _single(made)
    return type(came) is type(made) and came == made


def _single(value: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return value


def _retyped(key: Key | None, typed: Typed) -> Key | None:
    """A key of the tokenizer with the type that it came with."""
    return attrs.evolve(key, kind=typed.kind) if key is not None and fits(typed.kind, key.value) else key


def _of_this_file(given: Mapping[str, Typed], steps: tuple[Step, ...]) -> tuple[dict[str, Key | None], list[str]]:
    """Keys about the file itself, made anew; None leaves out what came. With notes on what changed."""
    numbers = [(step, registry[step.decision.tag].spec.foreign["ggml"]) for step in steps]
    fresh: dict[str, Key | None] = {}
    if ALIGNMENT_KEY in given:
        fresh[ALIGNMENT_KEY] = Key(ALIGNMENT_KEY, UINT32, DEFAULT_ALIGNMENT)
    quantized = any(number not in PLAIN_TYPES for _, number in numbers)
    if quantized or QUANTIZATION in given:
        fresh[QUANTIZATION] = Key(QUANTIZATION, UINT32, QUANTIZATION_VERSION)
    matrices = [(step, number) for step, number in numbers if len(step.source.shape) > 1]
    changed = any(_encoded(step) for step, _ in matrices)
    notes = []
    if FILE_TYPE in given and changed:
        fresh[FILE_TYPE], note = _file_type(given[FILE_TYPE], Counter(number for _, number in matrices))
        notes += [note] if note else []
    history = [name for name in given if name.startswith(_ENCODING)] if changed else []
    if history:
        are = "are" if len(history) > 1 else "is"
        notes.append(f"{', '.join(history)} {are} left out: matrices were encoded anew")
    return fresh | dict.fromkeys(history), notes


def _encoded(step: Step) -> bool:
    """Whether a tensor is no longer as it came from its checkpoint: encoded now, or when its model.bin was made."""
    record = step.source.record
    return not step.decision.keep or (record is not None and record.encoder_version is not None)


def _file_type(came: Typed, types: Counter[object]) -> tuple[Key | None, str | None]:
    """llama.cpp's number for what most matrices are, as it guesses it itself, and a note where that is another one."""
    (main, _), *_ = types.most_common(1)
    fitting = _FILE_TYPES.get(main, ()) if isinstance(main, int) else ()
    if came.value in fitting:
        return Key(FILE_TYPE, came.kind, came.value), None
    if not fitting:
        return None, f"{FILE_TYPE} {came.value} is left out: no number says that matrices have ggml's type {main}"
    why = f"more matrices have ggml's type {main} than any other"
    return Key(FILE_TYPE, UINT32, fitting[0]), f"{FILE_TYPE} {came.value} becomes {fitting[0]}: {why}"


def stated_architecture(given: Mapping[str, Typed]) -> str | None:
    """The architecture that came with a file's keys."""
    typed = given.get(ARCHITECTURE_KEY)
    return typed.value if typed is not None and isinstance(typed.value, str) else None
