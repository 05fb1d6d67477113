"""Export to GGUF: ggml's blocks byte for byte, and the keys by which llama.cpp runs a model of the Llama family.

A model with norms of q and k is written as ``qwen3``, one with biases of q, k and v alone as ``qwen2``, whose rows are
rotated in halves; every other one as ``llama``. Vectors are float32, as llama.cpp wants them.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np

from fourcc.errors import UsageError
from fourcc.exporters.gguf_head import FLOAT32, Info, Key, aligned, head
from fourcc.exporters.gguf_padding import filled
from fourcc.exporters.gguf_tokenizer import tokenizer_keys
from fourcc.exporters.huggingface_config import family
from fourcc.exporters.layout import Kind, Layout
from fourcc.exporters.rows import constant, in_halves
from fourcc.models.architecture import Architecture
from fourcc.naming import GGUF, from_fourcc
from fourcc.registry import registry
from fourcc.sources import llama
from fourcc.sources.extent import single_part_spec
from fourcc.sources.gguf_header import MAX_DIMENSIONS, MAX_NAME
from fourcc.sources.gguf_llama import COUNTS, FREQUENCIES, HALVES, ORIGINAL, SCALING
from fourcc.sources.source import Source
from fourcc.spec import FormatSpec, Params
from fourcc.transcode import Step

PLAIN_TYPES = frozenset({0, 1, 30, *range(24, 29)})  # float32, float16, bfloat16, integers, float64: not quantized
QUANTIZATION_VERSION = 2
_LONGEST = MAX_NAME - 1  # llama.cpp keeps room for a zero


def holds(spec: FormatSpec, params: Params, shape: tuple[int, ...]) -> bool:  # noqa: ARG001 - every kind's signature
    """Whether ggml has the layout; a vector of real numbers must be float32."""
    if not single_part_spec(spec) or not isinstance(spec.foreign.get("ggml"), int):
        return False
    return len(shape) > 1 or not spec.real or spec.foreign.get("numpy") == "<f4"


def check(source: Source, steps: tuple[Step, ...]) -> None:
    """Refuses what a GGUF file cannot say."""
    for tensor in (step.source for step in steps):
        name = from_fourcc(tensor.name, GGUF) or tensor.name
        if len(name.encode()) > _LONGEST or len(tensor.shape) > MAX_DIMENSIONS:
            raise UsageError(
                "the tensor has no place in a GGUF file",
                file=source.path,
                tensor=tensor.name,
                found=f"{len(name.encode())} bytes of name, {len(tensor.shape)} dimensions",
                expected=f"at most {_LONGEST} and {MAX_DIMENSIONS}",
                hint="--exclude leaves it out.",
            )


def lay_out(source: Source, steps: tuple[Step, ...]) -> Layout:
    """The file."""
    is_llama = source.architecture == llama.ARCHITECTURE
    kind = family(steps) if is_llama else (source.architecture or "unknown")
    tokens, notes = tokenizer_keys(source.blobs, source.path)
    tokens = filled(tokens, source.hyper.get("vocab_size"), source.path)
    keys = [Key.of("general.architecture", kind), Key.of("general.type", "model")]
    if is_llama:
        steps = tuple(in_halves(source, step) if kind in HALVES else step for step in steps)
        keys += _hyper_keys(source, kind)
        steps = (*_factors(source), *map(_named, steps))
    else:
        notes.append(f"the architecture {kind!r} has no keys here: tools list the file, and cannot run it")
    infos, places, end = _places(steps)
    if any(info.ggml_type not in PLAIN_TYPES for info in infos):
        keys.append(Key.of("general.quantization_version", QUANTIZATION_VERSION))
    start = head([*keys, *tokens], infos)
    placed = {name: {part: len(start) + offset for part, offset in parts.items()} for name, parts in places.items()}
    return Layout(steps, placed, {0: start}, len(start) + end, notes=tuple(notes))


def _named(step: Step) -> Step:
    name = from_fourcc(step.source.name, GGUF) or step.source.name
    return attrs.evolve(step, source=attrs.evolve(step.source, name=name))


def _places(steps: tuple[Step, ...]) -> tuple[list[Info], dict[str, dict[str, int]], int]:
    """What the head says of the tensors, where in the data their parts lie, and its length."""
    infos: list[Info] = []
    places: dict[str, dict[str, int]] = {}
    end = 0
    for step in steps:
        spec = registry[step.decision.tag].spec
        number = spec.foreign["ggml"]
        assert isinstance(number, int)  # see `holds`
        infos.append(Info(step.source.name, step.source.shape, number, end))
        places[step.source.name] = {spec.parts[0].name: end}
        end = aligned(end + step.decision.nbytes)
    return infos, places, end


def _hyper_keys(source: Source, kind: str) -> Iterator[Key]:
    hyper = source.hyper
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
    yield from _scaling_keys(source, kind)


def _scaling_keys(source: Source, kind: str) -> Iterator[Key]:
    """What changes the rotation, but for what is said by factors."""
    back = {ours: theirs for theirs, ours in ORIGINAL.items()}
    scaling = {name.removeprefix("rope_scaling."): v for name, v in source.hyper.items() if "rope_scaling." in name}
    if not scaling or scaling.get("type") in ("llama3", "factors", "default"):
        return
    for word, value in scaling.items():
        number = isinstance(value, float) or word == "factor"
        name = f"{kind}.{SCALING}{back.get(word, word)}"
        yield Key(name, FLOAT32, float(value)) if number and not isinstance(value, (str, list)) else Key.of(name, value)


def _factors(source: Source) -> list[Step]:
    """The tensor of factors by which each pair's turn is divided, where the rotation is scaled so."""
    if source.hyper.get("rope_scaling.type") not in ("llama3", "factors"):
        return []
    given = source.hyper.get("rope_scaling.factors")
    if isinstance(given, (list, tuple)):
        return [constant(FREQUENCIES, np.array(given, np.float32))]
    plain = {name: value for name, value in source.hyper.items() if not name.startswith("rope_scaling.")}
    scaled, unscaled = (
        Architecture.of(source.architecture, hyper, source.path).frequencies() for hyper in (source.hyper, plain)
    )
    return [constant(FREQUENCIES, unscaled / scaled)]


KIND = Kind("gguf", "a file that llama.cpp runs: ggml's blocks as they are", ".gguf", holds, lay_out, check=check)
