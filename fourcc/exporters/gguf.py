"""Export to GGUF: ggml's blocks byte for byte, and the keys by which llama.cpp runs a model of the Llama family.

A model that came from a GGUF file keeps its architecture and keys (`fourcc.exporters.gguf_keys`). Any other model with
norms of q and k is written as ``qwen3``, one with biases of q, k and v alone as ``qwen2``, and the rest as ``llama``;
the first two rotate rows in halves. Vectors are float32, as llama.cpp wants them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from fourcc.conversion.pipeline import Step
from fourcc.errors import UsageError
from fourcc.exporters.gguf_ends import end_keys
from fourcc.exporters.gguf_head import GGUFKey, Info, aligned, head
from fourcc.exporters.gguf_keys import hyper_keys, merged, stated_architecture, values_of
from fourcc.exporters.gguf_padding import filled
from fourcc.exporters.gguf_tokenizer import taken, tokenizer_keys
from fourcc.exporters.layout import ExportKind, Layout
from fourcc.exporters.refusals import (
    BY_FACTORS,
    EMBEDDING,
    HEAD,
    refuse_heads,
    refuse_impossible,
    refuse_scheme,
    refuse_unsaid,
    unsaid,
)
from fourcc.exporters.rope_factors import factors_of
from fourcc.exporters.rows import constant, in_halves
from fourcc.models.architecture import Architecture
from fourcc.naming import GGUF, from_fourcc
from fourcc.plugins.registry import registry
from fourcc.settings import Params
from fourcc.sources import gguf_llama, llama_family
from fourcc.sources.extent import single_part_spec
from fourcc.sources.gguf_header import MAX_DIMENSIONS, MAX_NAME
from fourcc.sources.gguf_llama import ADJACENT, ARCHITECTURE_KEY, FREQUENCIES, HALVES
from fourcc.sources.gguf_metadata import BLOB, Typed, unpacked_metadata
from fourcc.sources.source import Hyper, Source
from fourcc.spec import FormatSpec

# Hyper-parameters that no key of the architecture states: the tokenizer's keys and a tensor do.
_ELSEWHERE = ("bos_token_id", "eos_token_id", "rope_scaling.factors")
ROTATION = "rope.scal"  # start of the keys that scale the rotation, old and new
_LONGEST = MAX_NAME - 1  # llama.cpp stores a zero byte after the name


def holds(spec: FormatSpec, params: Params, shape: tuple[int, ...]) -> bool:  # noqa: ARG001 - every kind's signature
    """Whether ggml has the layout; a vector of real numbers must be float32."""
    if not single_part_spec(spec) or not isinstance(spec.foreign.get("ggml"), int):
        return False
    return len(shape) > 1 or not spec.real or spec.foreign.get("numpy") == "<f4"


def check(source: Source, steps: tuple[Step, ...]) -> None:
    """Refuses a model that a GGUF file cannot hold or describe."""
    refuse_scheme(source, KIND.name)
    for tensor in (step.source for step in steps):
        name = from_fourcc(tensor.name, GGUF) or tensor.name
        if len(name.encode()) > _LONGEST or len(tensor.shape) > MAX_DIMENSIONS:
            raise UsageError(
                "a GGUF file cannot hold the tensor",
                file=source.path,
                tensor=tensor.name,
                found=f"{len(name.encode())} bytes of name, {len(tensor.shape)} dimensions",
                expected=f"at most {_LONGEST} and {MAX_DIMENSIONS}",
                hint="--exclude leaves it out.",
            )
    if source.architecture == llama_family.ARCHITECTURE:
        refuse_heads(source, steps, KIND.name)
        refuse_impossible(source)
        given = _given(source)
        read = _read_back(_model_keys(source, _architecture(steps, given)), given, steps)
        refuse_unsaid(source, read, KIND.name, elsewhere=_ELSEWHERE)


def _model_keys(source: Source, architecture: str) -> list[GGUFKey]:
    """The keys that the model's own hyper-parameters need."""
    return [GGUFKey.of(ARCHITECTURE_KEY, architecture), *hyper_keys(source.hyper, architecture)]


def _read_back(own: Iterable[GGUFKey], given: Mapping[str, Typed], steps: tuple[Step, ...]) -> Hyper:
    """The hyper-parameters that a reader of the file finds."""
    return gguf_llama.hyper_of(values_of(own, given), [step.source for step in steps])


def _needed(source: Source, own: list[GGUFKey], given: Mapping[str, Typed], steps: tuple[Step, ...]) -> list[GGUFKey]:
    """The model's own keys that must be written: no name is added where those that came state everything."""
    known = [key for key in own if key.name in {ARCHITECTURE_KEY, *given}]
    return known if not unsaid(source.hyper, _read_back(known, given, steps), elsewhere=_ELSEWHERE) else own


def _given(source: Source) -> dict[str, Typed]:
    """The keys that came from another GGUF file, without those of the rotation where factors state it whole."""
    given = unpacked_metadata(source.blobs[BLOB], f"{source.path} ({BLOB})") if BLOB in source.blobs else {}
    architecture = stated_architecture(given)
    if source.hyper.get("rope_scaling.type") not in BY_FACTORS or architecture is None:
        return given
    return {name: typed for name, typed in given.items() if not name.startswith(f"{architecture}.{ROTATION}")}


def _architecture(steps: tuple[Step, ...], given: Mapping[str, Typed]) -> str:
    """The architecture of a Llama: the one that its keys state, else the one that fits its tensors."""
    stated = stated_architecture(given)
    return stated if stated in (*ADJACENT, *HALVES) else family(steps)


def family(steps: tuple[Step, ...]) -> str:
    """The architecture that has these tensors: norms of q and k, or biases of q, k and v alone, tell it."""
    endings = {step.source.name.partition(".")[2].partition(".")[2] for step in steps}
    if "attention.q_norm" in endings:
        return "qwen3"
    biases = {ending for ending in endings if ending.endswith(".bias")}
    return "qwen2" if biases == {f"attention.w{letter}.bias" for letter in "qkv"} else "llama"


def lay_out(source: Source, steps: tuple[Step, ...]) -> Layout:
    """The layout of the file."""
    given = _given(source)
    is_llama = source.architecture == llama_family.ARCHITECTURE
    architecture = _architecture(steps, given) if is_llama else (stated_architecture(given) or "unknown")
    tokens, notes = tokenizer_keys(source.blobs, source.path)
    tokens = filled(tokens, _rows(source), source.path)
    own = [GGUFKey.of(ARCHITECTURE_KEY, architecture)]
    if is_llama:
        own = _model_keys(source, architecture)
        own = _needed(source, own, given, steps) if given else own
        steps = tuple(in_halves(source, step) if architecture in HALVES else step for step in steps)
        steps = (*_factors(source), *map(_named, steps))
        notes += _window_note(source, architecture)
        ends, more = end_keys(source.hyper, tokens)
        tokens, notes = [*tokens, *ends], [*notes, *more]
    elif not given:
        called = source.architecture or architecture
        notes.append(f"no keys are written for the architecture {called!r}: tools can list the file, but not run it")
    if not given:
        own.insert(1, GGUFKey.of("general.type", "model"))
    infos, places, end = _places(steps)
    keys, more = merged(given, own, tokens, steps)
    start = head([*keys], infos)
    placed = {name: {part: len(start) + offset for part, offset in parts.items()} for name, parts in places.items()}
    notes = [*notes, *more, *_left_out(source)]
    return Layout(steps, placed, {0: start}, len(start) + end, notes=tuple(notes))


def _rows(source: Source) -> int | None:
    """Rows of the vocabulary by the shape of a tensor: a stated number may be wrong."""
    shapes = {tensor.name: tensor.shape for tensor in source.tensors}
    return next((shapes[name][0] for name in (EMBEDDING, HEAD) if shapes.get(name)), None)


def _window_note(source: Source, architecture: str) -> list[str]:
    """A note on a window shorter than the context: llama.cpp reads none for these architectures."""
    window, context = source.hyper.get("sliding_window"), source.hyper.get("seq_len")
    if not isinstance(window, int) or (isinstance(context, int) and window >= context):
        return []
    key = f"{architecture}.attention.sliding_window"
    what = f"{key} {window} is written, and llama.cpp does not heed it for a {architecture}"
    return [f"{what}: texts of more than {window} tokens get other numbers there"]


def _left_out(source: Source) -> list[str]:
    """A note on stored files that GGUF has no place for."""
    names = [name for name in source.blobs if name not in (BLOB, *taken(source.blobs, source.path))]
    are = "are" if len(names) > 1 else "is"
    return [f"{', '.join(names)} {are} left out: a GGUF file has no place for such files"] if names else []


def _named(step: Step) -> Step:
    name = from_fourcc(step.source.name, GGUF) or step.source.name
    return attrs.evolve(step, source=attrs.evolve(step.source, name=name))


def _places(steps: tuple[Step, ...]) -> tuple[list[Info], dict[str, dict[str, int]], int]:
    """The head's entries for the tensors, the offsets of their parts in the data, and the length of the data."""
    infos: list[Info] = []
    places: dict[str, dict[str, int]] = {}
    end = 0
    for step in steps:
        spec = registry[step.decision.tag]
        number = spec.foreign["ggml"]
        assert isinstance(number, int)  # see `holds`
        infos.append(Info(step.source.name, step.source.shape, number, end))
        places[step.source.name] = {spec.parts[0].name: end}
        end = aligned(end + step.decision.nbytes)
    return infos, places, end


def _factors(source: Source) -> list[Step]:
    """The tensor of factors that divide each pair's frequency, where factors scale the rotation; else none."""
    if source.hyper.get("rope_scaling.type") not in BY_FACTORS:
        return []
    if source.hyper["rope_scaling.type"] == "factors":
        return [constant(FREQUENCIES, factors_of(source))]
    plain = {name: value for name, value in source.hyper.items() if not name.startswith("rope_scaling.")}
    scaled, unscaled = (
        Architecture.of(source.architecture, hyper, source.path).turns.frequencies() for hyper in (source.hyper, plain)
    )
    return [constant(FREQUENCIES, unscaled / scaled)]


KIND = ExportKind("gguf", "a file that llama.cpp runs: ggml's blocks as they are", ".gguf", holds, lay_out, check=check)
