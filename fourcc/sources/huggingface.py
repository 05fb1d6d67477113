"""The files beside Hugging Face's weights: ``config.json``, which says what they are, and the tokenizer's.

The tensors of a Llama-family model get fourcc's names, and the rows of q and k are brought from Hugging Face's order to
adjacent pairs. Those of any other model keep their names and order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from fourcc.errors import SourceError
from fourcc.geometry import Geometry
from fourcc.naming import HUGGING_FACE, to_fourcc
from fourcc.networks.hyper import MAX_COUNT
from fourcc.plugins.registry import registry
from fourcc.sources import foreign_weights, llama_family
from fourcc.sources.extent import AdjacentPairs, whole_parts
from fourcc.sources.folder import contents, file_in
from fourcc.sources.generation_config import special_tokens
from fourcc.sources.huggingface_keys import FAMILIES, asked, rope
from fourcc.sources.json_text import parse_object
from fourcc.sources.prefixes import notes_on_names
from fourcc.sources.same_bytes import equal
from fourcc.sources.source import Hyper, Source, SourceTensor
from fourcc.sources.tokenizer import beside
from fourcc.sources.weight_only import gathered
from fourcc.sources.weight_only.modelopt import quantization_beside
from fourcc.sources.weight_scheme import Scheme, scheme_name, scheme_of

CONFIG = "config.json"
ADAPTER_CONFIG = "adapter_config.json"
MAX_CONFIG = 1 << 20
MAX_FAMILY = 64  # characters

_COUNTS = {  # fourcc's word -> the config's
    "dim": "hidden_size",
    "hidden_dim": "intermediate_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "vocab_size": "vocab_size",
    "seq_len": "max_position_embeddings",
}
_ROTATED = (".attention.wq", ".attention.wk", ".attention.q_norm", ".attention.k_norm")
_RECOMPUTED = ".rotary_emb.inv_freq"
_JOINED = ", and each matrix that was quantized in several tensors is one, called *.weight"


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
        config = _Config.read(path)
        blobs, tokenizer_files, notes = beside(folder)
        source = attrs.evolve(
            source,
            companions=(*source.companions, path, *config.beside, *tokenizer_files),
            blobs=blobs,
            notes=(*source.notes, *notes),
        )
        if config.scheme is not None:
            tensors, odd = gathered(source.tensors, config.scheme)
            source = attrs.evolve(source, tensors=tensors, notes=(*source.notes, *odd))
        source = foreign_weights.marked(source, config.unread)
        is_llama = config.is_llama and foreign_weights.KEY not in source.hyper
        return _as_llama(source, config) if is_llama else _as_stated(source, config)
    except BaseException:
        source.close()
        raise


@attrs.frozen
class _Config:
    """The contents of a ``config.json``; null counts as absent."""

    path: Path
    fields: Mapping[str, Any]
    data: bytes = b""
    beside: tuple[Path, ...] = ()  # other files that say something of it

    @classmethod
    def read(cls, path: Path) -> _Config:
        data = contents(path, MAX_CONFIG, "a config")
        fields, beside = quantization_beside(parse_object(data, path), path.parent)
        return cls(path, fields, data, beside)

    @property
    def is_llama(self) -> bool:
        """Whether it describes a language model of the family."""
        causal = not self.classes or any(name.endswith("ForCausalLM") for name in self.classes)
        kind = self.fields.get("model_type")
        return isinstance(kind, str) and kind in FAMILIES and causal

    @property
    def classes(self) -> list[str]:
        """Names under ``architectures``."""
        listed = self.fields.get("architectures")
        return [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []

    @property
    def scheme(self) -> Scheme | None:
        """How the weights are quantized, where that is in several tensors a matrix that can be joined."""
        return scheme_of(self.fields, self.path)

    @property
    def unread(self) -> str | None:
        """The name of the weights' quantization scheme, where it is not read here."""
        return scheme_name(self.fields) if self.scheme is None else None

    def count(self, key: str, default: int | None = None) -> int:
        """A positive integer."""
        value = self.fields.get(key)
        value = default if value is None else value
        if type(value) is not int or not 1 <= value <= MAX_COUNT:
            raise self.refusal(key, value, f"an integer from 1 to {MAX_COUNT}")
        return value

    def number(self, key: str, default: float) -> float:
        """A positive number."""
        value = self.fields.get(key)
        value = default if value is None else value
        if type(value) not in (int, float) or not 0 < value < 1e300:
            raise self.refusal(key, value, "a positive number")
        return float(value)

    def refusal(self, key: str, found: object, expected: str) -> SourceError:
        """The error for a key whose value cannot be used."""
        return SourceError(f"the key {key!r} cannot be read", file=self.path, found=repr(found), expected=expected)


def _adapter_note(folder: Path) -> Iterator[str]:
    if file_in(folder, ADAPTER_CONFIG) is not None:
        yield f"a LoRA adapter ({ADAPTER_CONFIG}), no model: merge it into the model that it was made for"


def _as_stated(source: Source, config: _Config) -> Source:
    """A model that is not of the family, or whose weights are not read: all is kept, and the config is stored, too."""
    kind = config.fields.get("model_type")
    name = kind if isinstance(kind, str) and len(kind) <= MAX_FAMILY else None
    notes = []
    if foreign_weights.KEY in source.hyper:
        name = f"{name}, quantized" if name in FAMILIES else name
    else:
        of_family = name in FAMILIES  # and of another task
        name = next(iter(config.classes), name) if of_family else name
        said = f"architectures {', '.join(config.classes)}" if of_family else f"model_type {kind!r}"
        joined = "" if all(tensor.name == tensor.source_name for tensor in source.tensors) else _JOINED
        notes = [f"no Llama-family language model ({said}): names are kept{joined}"]
    blobs = {**source.blobs, CONFIG: config.data}
    return attrs.evolve(source, architecture=name, blobs=blobs, notes=(*source.notes, *notes))


def _as_llama(source: Source, config: _Config) -> Source:
    recomputed = [tensor for tensor in source.tensors if tensor.name.endswith(_RECOMPUTED)]
    kept = [tensor for tensor in source.tensors if tensor not in recomputed]
    named = [attrs.evolve(tensor, name=to_fourcc(tensor.name, HUGGING_FACE) or tensor.name) for tensor in kept]
    names = {tensor.name for tensor in named}
    notes = [_left_out(recomputed)] if recomputed else []
    notes += notes_on_names(names, HUGGING_FACE)
    _refuse_twins(config, named)
    tied, named, said = _tied(config, named)
    hyper, more = _hyper(config, tied=tied, names=names)
    notes += [*said, *more]
    for wrong in llama_family.contradictions(named, hyper):
        raise SourceError(
            f"the tensor contradicts {config.path}",
            file=source.path,
            tensor=wrong.tensor.source_name,
            found=wrong.found,
            expected=wrong.expected,
            hint="The config belongs to another model.",
        )
    gap = llama_family.incomplete(named, hyper)
    if gap is not None:
        notes.append(gap)
    head_dim = hyper["head_dim"]
    assert isinstance(head_dim, int)
    return attrs.evolve(
        source,
        tensors=llama_family.in_model_order(_adjacent(config, tensor, head_dim) for tensor in named),
        architecture=llama_family.ARCHITECTURE,
        hyper=hyper,
        notes=(*source.notes, *notes),
    )


def _left_out(recomputed: list[SourceTensor]) -> str:
    are, they = ("s", "are") if len(recomputed) > 1 else ("", "is")
    return f"{len(recomputed)} tensor{are} *{_RECOMPUTED} {they} left out: the rotation is computed from the config"


def _tied(config: _Config, tensors: list[SourceTensor]) -> tuple[bool, list[SourceTensor], list[str]]:
    """Whether the output matrix is the embedding, the tensors without a copy of it, and notes.

    Where the config is silent, the tensors tell. Where it says that the two are one, and the file has another output
    matrix all the same, transformers keeps that matrix, and so does fourcc.
    """
    said = config.fields.get("tie_word_embeddings")
    by_name = {tensor.name: tensor for tensor in tensors}
    embedding, output = by_name.get("tok_embeddings"), by_name.get("output")
    if said is not None and not isinstance(said, bool):
        raise config.refusal("tie_word_embeddings", said, "true or false")
    if output is None:
        if said is False and embedding is not None:
            raise config.refusal("tie_word_embeddings", said, "true, for there is an embedding and no lm_head")
        return embedding is not None if said is None else said, tensors, []
    if not said:
        return False, tensors, []
    if embedding is None or not equal(embedding, output):
        return (
            False,
            tensors,
            ["the config ties lm_head to the embedding, but the two differ: lm_head is kept"],
        )
    rest = [tensor for tensor in tensors if tensor is not output]
    return True, rest, ["lm_head is left out: it is the embedding, as the config says"]


def _refuse_twins(config: _Config, tensors: list[SourceTensor]) -> None:
    by_name: dict[str, str] = {}
    for tensor in tensors:
        other = by_name.setdefault(tensor.name, tensor.source_name)
        if other != tensor.source_name:
            raise SourceError(
                f"{other!r} and {tensor.source_name!r} are one tensor", file=config.path.parent, tensor=tensor.name
            )


def _adjacent(config: _Config, tensor: SourceTensor, head_dim: int) -> SourceTensor:
    """The tensor; where it is rotated, with its rows as adjacent pairs."""
    if not tensor.name.removesuffix(".bias").endswith(_ROTATED):
        return tensor
    spec = registry[tensor.tag]
    part = spec.parts[0]
    vector = len(tensor.shape) == 1
    if vector and part.shape(Geometry(1, tensor.shape[0])) != (1, *tensor.shape):
        raise SourceError(
            "a vector of quantized blocks cannot be rearranged", file=config.path.parent, tensor=tensor.source_name
        )
    return attrs.evolve(tensor, read=AdjacentPairs(tensor.read, head_dim, vector, whole=whole_parts(spec)).read)


def hyper_of(data: bytes, path: Path, names: set[str]) -> Hyper:
    """The hyper-parameters that a config's text gives a model with tensors of these names.

    An exporter checks the config that it wrote with it.

    Raises:
        SourceError: it cannot be read.
    """
    config = _Config(path, parse_object(data, path), data)
    return _hyper(config, tied=bool(config.fields.get("tie_word_embeddings")), names=names)[0]


def _hyper(config: _Config, *, tied: bool, names: set[str]) -> tuple[Hyper, list[str]]:
    counts = {ours: config.count(theirs) for ours, theirs in _COUNTS.items()}
    n_kv_heads = config.count("num_key_value_heads", counts["n_heads"])
    head_dim = config.count("head_dim", counts["dim"] // counts["n_heads"])
    if head_dim % 2:
        raise config.refusal("head_dim", head_dim, "an even number")
    if counts["n_heads"] % n_kv_heads:
        raise config.refusal("num_key_value_heads", n_kv_heads, f"a divisor of the {counts['n_heads']} heads")
    turned, notes = rope(config, counts["seq_len"])
    other, more = asked(config, names)
    return {
        **counts,
        "n_kv_heads": n_kv_heads,
        "head_dim": head_dim,
        "norm_eps": config.number("rms_norm_eps", 1e-6),
        **turned,
        "rope_pairing": "adjacent",
        "tied_embeddings": tied,
        **other,
        **special_tokens(config.fields, config.path),
    }, [*notes, *more]
