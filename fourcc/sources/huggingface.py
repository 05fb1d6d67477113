"""What lies beside Hugging Face's weights: ``config.json``, which says what they are, and the tokenizer's files.

Of a Llama-family model the tensors get fourcc's names, and the rows of q and k are brought from Hugging Face's order to
adjacent pairs. Of any other model they keep their own names and order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from fourcc.errors import SourceError
from fourcc.files import ReadFile
from fourcc.naming import HUGGING_FACE, to_fourcc
from fourcc.registry import registry
from fourcc.sources import llama
from fourcc.sources.extent import AdjacentPairs, whole_parts
from fourcc.sources.folder import file_in
from fourcc.sources.generation import generation_of, special_tokens
from fourcc.sources.json_text import parse_object
from fourcc.sources.source import Hyper, Scalar, Source, SourceTensor, storable
from fourcc.sources.tokenizer import beside
from fourcc.sources.weight_only import gathered
from fourcc.sources.weight_scheme import Scheme, scheme_of
from fourcc.spec import Geometry

CONFIG = "config.json"
MAX_CONFIG = 1 << 20
FAMILY = ("llama", "mistral", "qwen2", "qwen3")  # values of model_type

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


def adopt(source: Source, folder: Path) -> Source:
    """The source with what the files of its folder say of it.

    Args:
        source: tensors with the names and the order of their files.
        folder: where to look for the config and a tokenizer.

    Raises:
        SourceError: the config cannot be read, or contradicts the tensors.
    """
    try:
        path = file_in(folder, CONFIG)
        if path is None:
            return source
        config = _Config.read(path)
        blobs, tokenizer_files, notes = beside(folder)
        source = attrs.evolve(
            source,
            companions=(*source.companions, path, *filter(None, [generation_of(folder)[0]]), *tokenizer_files),
            blobs=blobs,
            notes=(*source.notes, *notes, *_foreign_notes(config)),
        )
        if config.scheme is not None:
            source = attrs.evolve(source, tensors=gathered(source.tensors, config.scheme))
        return _as_llama(source, config) if config.is_llama else source
    except BaseException:
        source.close()
        raise


@attrs.frozen
class _Config:
    """A ``config.json``; null counts as absent."""

    path: Path
    fields: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> _Config:
        file = ReadFile(path, SourceError)
        try:
            if file.size > MAX_CONFIG:
                raise SourceError(
                    "too long for a config", file=path, found=f"{file.size} bytes", expected=f"at most {MAX_CONFIG}"
                )
            return cls(path, parse_object(file.read(0, file.size), path))
        finally:
            file.close()

    @property
    def is_llama(self) -> bool:
        """Whether it describes a language model of the family whose weights can be read."""
        architectures = self.fields.get("architectures")
        names = architectures if isinstance(architectures, list) else []
        causal = not names or any(isinstance(name, str) and name.endswith("ForCausalLM") for name in names)
        return self.fields.get("model_type") in FAMILY and causal and not self.kept

    @property
    def scheme(self) -> Scheme | None:
        """How the weights are quantized, if in several tensors a matrix that can be brought together."""
        return scheme_of(self.fields, self.path)

    @property
    def kept(self) -> bool:
        """Whether the weights are in another tool's quantized layout that is not known here."""
        return self.fields.get("quantization_config") is not None and self.scheme is None

    def count(self, key: str, default: int | None = None) -> int:
        """A positive integer."""
        value = self.fields.get(key)
        value = default if value is None else value
        if type(value) is not int or value < 1:
            raise self.refusal(key, value, "an integer from 1 on")
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


def _foreign_notes(config: _Config) -> Iterator[str]:
    if config.kept:
        yield "the config says that the weights are quantized by another tool: tensors are kept as they are"
    elif not config.is_llama:
        yield f"no Llama-family language model (model_type {config.fields.get('model_type')!r}): names are kept"


def _as_llama(source: Source, config: _Config) -> Source:
    recomputed = [tensor for tensor in source.tensors if tensor.name.endswith(_RECOMPUTED)]
    kept = [tensor for tensor in source.tensors if tensor not in recomputed]
    named = [attrs.evolve(tensor, name=to_fourcc(tensor.name, HUGGING_FACE) or tensor.name) for tensor in kept]
    names = {tensor.name for tensor in named}
    notes = [f"{len(recomputed)} tensors *{_RECOMPUTED} are left out: they are recomputed"] if recomputed else []
    hyper = _hyper(config, tied=_is_tied(config, names))
    if hyper["tied_embeddings"] and "output" in names:
        named = [tensor for tensor in named if tensor.name != "output"]
        notes.append("lm_head is left out: the config ties it to the embedding")
    _refuse_twins(config, named)
    for wrong in llama.contradictions(named, hyper):
        raise SourceError(
            f"the tensor contradicts {config.path}",
            file=source.path,
            tensor=wrong.tensor.source_name,
            found=wrong.found,
            expected=wrong.expected,
            hint="The config belongs to another model.",
        )
    gap = llama.incomplete(named, hyper)
    if gap is not None:
        notes.append(gap)
    head_dim = hyper["head_dim"]
    assert isinstance(head_dim, int)
    return attrs.evolve(
        source,
        tensors=llama.in_model_order(_adjacent(config, tensor, head_dim) for tensor in named),
        architecture=llama.ARCHITECTURE,
        hyper=hyper,
        notes=(*source.notes, *notes),
    )


def _is_tied(config: _Config, names: set[str]) -> bool:
    """Whether the output matrix is the embedding; where the config is silent, whether there is none of its own."""
    tied = config.fields.get("tie_word_embeddings")
    absent = "output" not in names and "tok_embeddings" in names
    if tied is None:
        return absent
    if not isinstance(tied, bool):
        raise config.refusal("tie_word_embeddings", tied, "true or false")
    if absent and not tied:
        raise config.refusal("tie_word_embeddings", tied, "true, for there is an embedding and no lm_head")
    return tied


def _refuse_twins(config: _Config, tensors: list[SourceTensor]) -> None:
    by_name: dict[str, str] = {}
    for tensor in tensors:
        other = by_name.setdefault(tensor.name, tensor.source_name)
        if other != tensor.source_name:
            raise SourceError(
                f"{other!r} and {tensor.source_name!r} are one tensor", file=config.path.parent, tensor=tensor.name
            )


def _adjacent(config: _Config, tensor: SourceTensor, head_dim: int) -> SourceTensor:
    """The tensor with its rows as adjacent pairs, if it is one that is rotated."""
    if not tensor.name.removesuffix(".bias").endswith(_ROTATED):
        return tensor
    spec = registry[tensor.tag].spec
    part = spec.parts[0]
    vector = len(tensor.shape) == 1
    assert part.tail is not None
    if vector and part.tail(Geometry(1, tensor.shape[0])) != tensor.shape:
        raise SourceError(
            "a vector of quantized blocks cannot be rearranged", file=config.path.parent, tensor=tensor.source_name
        )
    return attrs.evolve(tensor, read=AdjacentPairs(tensor.read, head_dim, vector, whole=whole_parts(spec)).read)


def _hyper(config: _Config, *, tied: bool) -> Hyper:
    counts = {ours: config.count(theirs) for ours, theirs in _COUNTS.items()}
    n_kv_heads = config.count("num_key_value_heads", counts["n_heads"])
    head_dim = config.count("head_dim", counts["dim"] // counts["n_heads"])
    if head_dim % 2:
        raise config.refusal("head_dim", head_dim, "an even number")
    if counts["n_heads"] % n_kv_heads:
        raise config.refusal("num_key_value_heads", n_kv_heads, f"a divisor of the {counts['n_heads']} heads")
    return {
        **counts,
        "n_kv_heads": n_kv_heads,
        "head_dim": head_dim,
        "norm_eps": config.number("rms_norm_eps", 1e-6),
        **_rope(config),
        "rope_pairing": "adjacent",
        "tied_embeddings": tied,
        **_extras(config),
    }


def _rope(config: _Config) -> dict[str, Scalar | list[Scalar]]:
    """Base and scaling of the rotation: top-level keys, or one map of both in newer configs."""
    newer = config.fields.get("rope_parameters")
    scaling = newer if newer is not None else config.fields.get("rope_scaling")
    if scaling is None:
        scaling = {}
    if not isinstance(scaling, dict):
        raise config.refusal("rope_scaling", scaling, "a map")
    values = {("type" if key == "rope_type" else key): value for key, value in scaling.items()}
    theta = values.pop("rope_theta", None)
    base = _Config(config.path, {"rope_theta": theta} if theta is not None else config.fields)
    if values.get("type") == "default":
        values = {}
    scaled = {f"rope_scaling.{key}": value for key, value in values.items() if storable(value)}
    return {"rope_theta": base.number("rope_theta", 10000.0), **scaled}


def _extras(config: _Config) -> dict[str, Scalar | list[Scalar]]:
    """What a run of the model must know beside: an unusual activation, a window, the tokens that begin and end."""
    found: dict[str, Scalar | list[Scalar]] = {}
    if config.fields.get("hidden_act", "silu") != "silu":
        found["hidden_act"] = str(config.fields["hidden_act"])
    if config.fields.get("sliding_window") is not None and config.fields.get("use_sliding_window", True) is not False:
        found["sliding_window"] = config.count("sliding_window")
    return {**found, **special_tokens(config.fields, config.path)}
