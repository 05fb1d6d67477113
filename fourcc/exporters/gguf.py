"""Export to GGUF: ggml's blocks byte for byte, and the keys by which llama.cpp runs a model of a family known here.

A model that came from a GGUF file keeps its architecture and keys (`fourcc.exporters.gguf_keys`). Any other model gets
the architecture of its network; of the Llama family one with norms of q and k is written as ``qwen3``, one with biases
of q, k and v alone as ``qwen2``, the rest as ``llama``. Vectors are float32, as llama.cpp wants them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fourcc.conversion.pipeline import Step
from fourcc.errors import UsageError
from fourcc.exporters.family_steps import FamilySteps, with_offset
from fourcc.exporters.gguf_about import about_keys
from fourcc.exporters.gguf_ends import end_keys
from fourcc.exporters.gguf_files import placed
from fourcc.exporters.gguf_head import GGUFKey
from fourcc.exporters.gguf_keys import merged, stated_architecture, values_of
from fourcc.exporters.gguf_padding import filled
from fourcc.exporters.gguf_tokenizer import taken, tokenizer_keys
from fourcc.exporters.gguf_words import hyper_keys, unheeded_notes
from fourcc.exporters.layout import ExportKind, FileCut, Layout
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
from fourcc.exporters.rope_factors import listed_factors
from fourcc.exporters.rows import constant
from fourcc.models.architecture import Architecture
from fourcc.naming import GGUF
from fourcc.networks import NETWORKS
from fourcc.networks.network import Network
from fourcc.networks.scaling import SCALING
from fourcc.networks.spelling import GgufArchitecture
from fourcc.settings import Params
from fourcc.sources import gguf_family
from fourcc.sources.about import BLOB as ABOUT
from fourcc.sources.about import about_source
from fourcc.sources.extent import single_part_spec
from fourcc.sources.family_names import spelling_of, their_name
from fourcc.sources.gguf_family import ARCHITECTURE_KEY
from fourcc.sources.gguf_header import MAX_DIMENSIONS, MAX_NAME
from fourcc.sources.gguf_metadata import BLOB, Typed, unpacked_metadata
from fourcc.sources.gguf_rotation import FREQUENCIES, LISTS
from fourcc.sources.source import Hyper, Source
from fourcc.spec import FormatSpec

# Hyper-parameters that no key of the architecture states: the tokenizer's keys and tensors do.
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
        network = NETWORKS.get(source.architecture or "")
        name = (None if network is None else their_name(network, GGUF, tensor.name)) or tensor.name
        if len(name.encode()) > _LONGEST or len(tensor.shape) > MAX_DIMENSIONS:
            raise UsageError(
                "a GGUF file cannot hold the tensor",
                file=source.path,
                tensor=tensor.name,
                found=f"{len(name.encode())} bytes of name, {len(tensor.shape)} dimensions",
                expected=f"at most {_LONGEST} and {MAX_DIMENSIONS}",
                hint="--exclude leaves it out.",
            )
    network = NETWORKS.get(source.architecture or "")
    if network is not None:
        refuse_heads(source, steps, KIND.name)
        refuse_impossible(source)
        plain, steps = with_offset(source, steps, 0.0)
        given = _given(source)
        read = _read_back(plain, _model_keys(plain, network, _architecture(network, steps, given)), given, steps)
        refuse_unsaid(plain, read, KIND.name, elsewhere=_ELSEWHERE)


def _model_keys(source: Source, network: Network, architecture: GgufArchitecture) -> list[GGUFKey]:
    """The keys that the model's own hyper-parameters need."""
    keys = hyper_keys(network, architecture, source.hyper)
    return [GGUFKey.of(ARCHITECTURE_KEY, architecture.name), *keys]


def _read_back(source: Source, own: Iterable[GGUFKey], given: Mapping[str, Typed], steps: tuple[Step, ...]) -> Hyper:
    """The hyper-parameters that a reader of the file finds."""
    longrope = source.hyper.get(f"{SCALING}type") == "longrope"  # then tensors say so
    shapes = {step.source.name: step.source.shape for step in steps}
    shapes |= dict.fromkeys(LISTS, ()) if longrope else {}
    return gguf_family.hyper_of(values_of(own, given), shapes)


def _needed(source: Source, own: list[GGUFKey], given: Mapping[str, Typed], steps: tuple[Step, ...]) -> list[GGUFKey]:
    """The model's own keys that must be written: no name is added where those that came state everything."""
    known = [key for key in own if key.name in {ARCHITECTURE_KEY, *given}]
    return known if not unsaid(source.hyper, _read_back(source, known, given, steps), elsewhere=_ELSEWHERE) else own


def _given(source: Source) -> dict[str, Typed]:
    """The keys that came from another GGUF file, without those of the rotation where factors state it whole."""
    given = unpacked_metadata(source.blobs[BLOB], f"{source.path} ({BLOB})") if BLOB in source.blobs else {}
    architecture = stated_architecture(given)
    if source.hyper.get("rope_scaling.type") not in BY_FACTORS or architecture is None:
        return given
    return {name: typed for name, typed in given.items() if not name.startswith(f"{architecture}.{ROTATION}")}


def _architecture(network: Network, steps: tuple[Step, ...], given: Mapping[str, Typed]) -> GgufArchitecture:
    """The architecture of a network: the one that its keys state, else the one that fits its tensors."""
    known = {each.name: each for each in spelling_of(network).gguf}
    stated = stated_architecture(given)
    if stated is not None and stated in known:
        return known[stated]
    return known[family(network, steps)]


def family(network: Network, steps: tuple[Step, ...]) -> str:
    """The name of the architecture that has these tensors."""
    spelling = spelling_of(network)
    endings = frozenset(step.source.name.partition(".")[2].partition(".")[2] for step in steps)
    return spelling.gguf[0].name if spelling.choose is None else spelling.choose(endings)


def lay_out(source: Source, steps: tuple[Step, ...], cut: FileCut | None = None) -> Layout:
    """The layout of the file, or of several."""
    given = _given(source)
    network = NETWORKS.get(source.architecture or "")
    tokens, notes = tokenizer_keys(source.blobs, source.path)
    tokens = filled(tokens, _rows(source), source.path)
    if network is not None:
        architecture = _architecture(network, steps, given)
        plain, steps = with_offset(source, steps, 0.0)
        own = _model_keys(plain, network, architecture)
        own = _needed(plain, own, given, steps) if given else own
        notes += unheeded_notes(architecture, plain.hyper, [step.source.name for step in steps])
        steps = (*_factors(source), *FamilySteps(plain, network, GGUF, architecture.halves).named(steps))
        ends, more = end_keys(source.hyper, tokens)
        tokens, notes = [*tokens, *ends], [*notes, *more]
    else:
        own = [GGUFKey.of(ARCHITECTURE_KEY, stated_architecture(given) or "unknown")]
    if network is None and not given:
        called = source.architecture or "unknown"
        notes.append(f"no keys are written for the architecture {called!r}: tools can list the file, but not run it")
    if not given:
        about = about_source(source.blobs, source.path)
        own[1:1] = [GGUFKey.of("general.type", "model"), *about_keys(about, steps)]
    keys, more = merged(given, own, tokens, steps)
    where = placed(keys, steps, cut)
    notes = [*notes, *more, *_left_out(source)]
    return Layout(steps, where.places, where.pieces, where.nbytes, notes=tuple(notes), shards=where.shards)


def _rows(source: Source) -> int | None:
    """Rows of the vocabulary by the shape of a tensor: a stated number may be wrong."""
    shapes = {tensor.name: tensor.shape for tensor in source.tensors}
    return next((shapes[name][0] for name in (EMBEDDING, HEAD) if shapes.get(name)), None)


def _left_out(source: Source) -> list[str]:
    """A note on stored files that GGUF has no place for."""
    names = [name for name in source.blobs if name not in (BLOB, ABOUT, *taken(source.blobs, source.path))]
    are = "are" if len(names) > 1 else "is"
    return [f"{', '.join(names)} {are} left out: a GGUF file has no place for such files"] if names else []


def _factors(source: Source) -> list[Step]:
    """The tensors of factors that divide each pair's frequency, where factors scale the rotation; else none."""
    kind = source.hyper.get(f"{SCALING}type")
    if kind == "longrope":
        return [constant(name, listed_factors(source, word)) for name, word in LISTS.items()]
    if kind not in BY_FACTORS:
        return []
    if kind == "factors":
        return [constant(FREQUENCIES, listed_factors(source))]
    scaled = {name: value for name, value in source.hyper.items() if name != "rope_layers"}
    plain = {name: value for name, value in scaled.items() if not name.startswith(SCALING)}
    turns = (Architecture.of(source.architecture, hyper, source.path).turns for hyper in (scaled, plain))
    divided, whole = (each.frequencies() for each in turns)
    return [constant(FREQUENCIES, whole / divided)]


KIND = ExportKind(
    "gguf",
    "a file that llama.cpp runs: ggml's blocks as they are",
    ".gguf",
    holds,
    lay_out,
    check=check,
    lay_out_cut=lay_out,
)
