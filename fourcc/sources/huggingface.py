"""The files beside Hugging Face's weights: ``config.json``, which says what they are, and the tokenizer's.

The tensors of a family that is known here get fourcc's names and arrangement (`fourcc.sources.family_tensors`). Those
of any other model keep their names and order.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs

from fourcc.errors import SourceError
from fourcc.files.beside import file_in
from fourcc.naming import HUGGING_FACE, split_name
from fourcc.networks import CLASSES
from fourcc.networks.network import Network
from fourcc.networks.spelling import ConfigClass
from fourcc.sources import foreign_weights, mxfp4_experts
from fourcc.sources.about import BLOB as ABOUT
from fourcc.sources.about import about_folder
from fourcc.sources.config_json import ConfigJson
from fourcc.sources.config_words import ClassReader
from fourcc.sources.family_names import (
    Place,
    left_out_note,
    place_of,
    spelling_of,
    unknown_notes,
    without_prefixes,
)
from fourcc.sources.family_tensors import FamilyFile
from fourcc.sources.generation_config import special_tokens
from fourcc.sources.model_tensors import contradictions, in_model_order, incomplete
from fourcc.sources.same_bytes import equal
from fourcc.sources.source import Hyper, Source, SourceTensor
from fourcc.sources.tokenizer import beside
from fourcc.sources.weight_only import gathered

CONFIG = "config.json"
ADAPTER_CONFIG = "adapter_config.json"
MAX_FAMILY = 64  # characters
_RECOMPUTED = ".rotary_emb.inv_freq"
_JOINED = ", and each matrix that was quantized in several tensors is one, called *.weight"

Placed = list[tuple[SourceTensor, Place | None]]


def adopt(source: Source, folder: Path) -> Source:
    """The source, completed by the config and the tokenizer's files of its folder.

    Args:
        source: tensors with the names and the order of their files.
        folder: where to look for the config and a tokenizer.

    Raises:
        SourceError: the config cannot be read, or contradicts the tensors.
    """
    try:
        path = file_in(folder, CONFIG)
        if path is None:
            return foreign_weights.marked(attrs.evolve(source, notes=(*source.notes, *_adapter_note(folder))))
        config = ConfigJson.read(path)
        blobs, tokenizer_files, notes = beside(folder)
        about, cards, more = about_folder(folder, config.fields)
        source = attrs.evolve(
            source,
            companions=(*source.companions, path, *config.beside, *tokenizer_files, *cards),
            blobs={**blobs, **({ABOUT: about.packed} if about.packed else {})},
            notes=(*source.notes, *notes, *more),
        )
        source = _brought_together(source, config)
        known = None if foreign_weights.KEY in source.hyper else config.known
        return _as_stated(source, config) if known is None else _as_family(source, config, *known)
    except BaseException:
        source.close()
        raise


def _brought_together(source: Source, config: ConfigJson) -> Source:
    """The source, with the tensors of each quantized matrix as one where the scheme is read here, else marked."""
    if config.scheme is not None:
        tensors, odd = gathered(source.tensors, config.scheme)
        source = attrs.evolve(source, tensors=tensors, notes=(*source.notes, *odd))
    if mxfp4_experts.is_stated(config.fields, source.tensors):
        return attrs.evolve(source, tensors=mxfp4_experts.gathered(source.tensors, source.path))
    return foreign_weights.marked(source, config.unread)


def _adapter_note(folder: Path) -> Iterator[str]:
    if file_in(folder, ADAPTER_CONFIG) is not None:
        yield f"a LoRA adapter ({ADAPTER_CONFIG}), no model: merge it into the model that it was made for"


def _as_stated(source: Source, config: ConfigJson) -> Source:
    """A model of no known family, or whose weights are not read: all is kept, and the config is stored, too."""
    kind = config.fields.get("model_type")
    name = kind if isinstance(kind, str) and len(kind) <= MAX_FAMILY else None
    notes = []
    if foreign_weights.KEY in source.hyper:
        name = f"{name}, quantized" if name in CLASSES else name
    else:
        of_family = name in CLASSES  # and of another task
        name = next(iter(config.classes), name) if of_family else name
        said = f"architectures {', '.join(config.classes)}" if of_family else f"model_type {kind!r}"
        joined = "" if all(tensor.name == tensor.source_name for tensor in source.tensors) else _JOINED
        notes = [f"no language model of a family that is known here ({said}): names are kept{joined}"]
    blobs = {**source.blobs, CONFIG: config.data}
    return attrs.evolve(source, architecture=name, blobs=blobs, notes=(*source.notes, *notes))


def _as_family(source: Source, config: ConfigJson, network: Network, known: ConfigClass) -> Source:
    """A language model of a known family, by our names, with its hyper-parameters."""
    placed, notes = _placed(source, config, network)
    _refuse_twins(config, placed)
    tied, placed, said = _tied(config, placed)
    names = [name for tensor, place in placed for name in ((tensor.name,) if place is None else place.parts)]
    hyper, more = ClassReader(config, network, known).hyper(names, tied=tied)
    hyper |= special_tokens(config.fields, config.path)
    notes += [*said, *more]
    named = [_named(tensor, place, network) for tensor, place in placed]
    _refuse_contradictions(source, config, network, named, hyper)
    file = FamilyFile(source, network, HUGGING_FACE, hyper, spelling_of(network).halves)
    tensors = file.tensors(placed)
    _refuse_contradictions(source, config, network, tensors, hyper)
    gap = incomplete(network, tensors, hyper)
    return attrs.evolve(
        source,
        tensors=in_model_order(tensors),
        architecture=network.name,
        stated=None if known.model_type == network.name else known.model_type,
        hyper=hyper,
        notes=(*source.notes, *notes, *([] if gap is None else [gap])),
    )


def _placed(source: Source, config: ConfigJson, network: Network) -> tuple[Placed, list[str]]:
    """Each tensor that is kept, with what it stands for, and notes."""
    renamed, notes = without_prefixes(network, [tensor.name for tensor in source.tensors])
    own = spelling_of(network)
    recomputed: list[SourceTensor] = []
    tables: list[str] = []
    pictures: list[str] = []
    placed: Placed = []
    for tensor in source.tensors:
        place = place_of(network, HUGGING_FACE, renamed.get(tensor.name, tensor.name))
        if tensor.name.endswith(_RECOMPUTED):
            recomputed.append(tensor)
        elif own.left_out and tensor.name.endswith(own.left_out) and place is None:
            tables.append(tensor.name)
        elif place is None and config.around is not None:
            pictures.append(tensor.name)
        else:
            placed.append((tensor, place))
    said = [_left_out(recomputed)] if recomputed else []
    said += left_out_note(tables, "masks are computed")
    said += left_out_note(pictures, f"they are no part of the language model of a {config.around}")
    unknown = [tensor.name for tensor, place in placed if place is None]
    return placed, [*said, *notes, *unknown_notes(network, HUGGING_FACE, unknown)]


def _named(tensor: SourceTensor, place: Place | None, network: Network) -> SourceTensor:
    """The tensor by our name, where it is one of ours whole and upright; else by a name that is nobody's."""
    if place is None or place.joined is not None or place.stacked is not None:
        return tensor
    template, _, ending = split_name(place.parts[0])
    lies = ending != ".bias" and template in spelling_of(network).transposed.get(HUGGING_FACE, ())
    return tensor if lies else attrs.evolve(tensor, name=place.parts[0])


def _left_out(recomputed: list[SourceTensor]) -> str:
    are, they = ("s", "are") if len(recomputed) > 1 else ("", "is")
    return f"{len(recomputed)} tensor{are} *{_RECOMPUTED} {they} left out: the rotation is computed from the config"


def _tied(config: ConfigJson, placed: Placed) -> tuple[bool, Placed, list[str]]:
    """Whether the output matrix is the embedding, the tensors without a copy of it, and notes.

    Where the config is silent, the tensors tell. Where it says that the two are one, and the file has another output
    matrix all the same, transformers keeps that matrix, and so does fourcc.
    """
    said = config.fields.get("tie_word_embeddings")
    by_name = {place.parts[0]: tensor for tensor, place in placed if place is not None}
    embedding, output = by_name.get("tok_embeddings"), by_name.get("output")
    if said is not None and not isinstance(said, bool):
        raise config.refusal("tie_word_embeddings", said, "true or false")
    if output is None:
        if said is False and embedding is not None:
            raise config.refusal("tie_word_embeddings", said, "true, for there is an embedding and no lm_head")
        return embedding is not None if said is None else said, placed, []
    if not said:
        return False, placed, []
    if embedding is None or not equal(embedding, output):
        return (
            False,
            placed,
            ["the config ties lm_head to the embedding, but the two differ: lm_head is kept"],
        )
    rest = [(tensor, place) for tensor, place in placed if tensor is not output]
    return True, rest, ["lm_head is left out: it is the embedding, as the config says"]


def _refuse_twins(config: ConfigJson, placed: Placed) -> None:
    by_name: dict[tuple[str, int], str] = {}
    for tensor, place in placed:
        for name in (tensor.name,) if place is None else place.parts:
            number = -1 if place is None or place.stacked is None else place.number
            other = by_name.setdefault((name, number), tensor.source_name)
            if other != tensor.source_name:
                what = f"{other!r} and {tensor.source_name!r} are one tensor"
                raise SourceError(what, file=config.path.parent, tensor=name)


def _refuse_contradictions(
    source: Source, config: ConfigJson, network: Network, tensors: list[SourceTensor], hyper: Hyper
) -> None:
    for wrong in contradictions(network, tensors, hyper):
        raise SourceError(
            f"the tensor contradicts {config.path}",
            file=source.path,
            tensor=wrong.tensor.source_name,
            found=wrong.found,
            expected=wrong.expected,
            hint="The config belongs to another model.",
        )


def hyper_of(data: bytes, path: Path, names: set[str]) -> Hyper:
    """The hyper-parameters that a config's text gives a model with tensors of these names.

    An exporter checks the config that it wrote with it.

    Raises:
        SourceError: it cannot be read, or is of no known family.
    """
    config = ConfigJson.parse(data, path)
    known = config.known
    if known is None:
        raise config.refusal("model_type", config.fields.get("model_type"), ", ".join(CLASSES))
    hyper, _ = ClassReader(config, *known).hyper(names, tied=bool(config.fields.get("tie_word_embeddings")))
    return {**hyper, **special_tokens(config.fields, config.path)}
