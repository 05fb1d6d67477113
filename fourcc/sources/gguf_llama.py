"""A GGUF file of a Llama-family model: its keys in fourcc's words, its rows in fourcc's order.

In a ``llama``, llama.cpp rotates adjacent pairs of rows, as fourcc does. In a ``qwen2`` or ``qwen3`` it rotates row i
of a head with row i + head_dim / 2: those rows are brought together. Only whole rows move, so blocks stay as they are.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping
from itertools import islice
from math import inf

import attrs

from fourcc.container.index import Scalar
from fourcc.errors import SourceError
from fourcc.naming import GGUF, to_fourcc
from fourcc.networks.scaling import SCALINGS
from fourcc.sources import gguf_keys, llama_family
from fourcc.sources.extent import AdjacentPairs
from fourcc.sources.gguf_values import Value
from fourcc.sources.huggingface_keys import NORMS_FLAG, norms_note, without_norms
from fourcc.sources.prefixes import notes_on_names
from fourcc.sources.source import Hyper, HyperParams, Source, SourceTensor, Unreadable, storable

ARCHITECTURE_KEY = "general.architecture"
ADJACENT, HALVES = (
    ("llama", "mistral"),
    ("qwen2", "qwen3"),
)  # of general.architecture, by the rows that form a pair
COUNTS = {  # fourcc's word -> the key behind "llama."
    "dim": "embedding_length",
    "hidden_dim": "feed_forward_length",
    "n_layers": "block_count",
    "n_heads": "attention.head_count",
    "n_kv_heads": "attention.head_count_kv",
    "head_dim": "attention.key_length",
    "vocab_size": "vocab_size",
    "seq_len": "context_length",
}
_SAID_ALONE = ("dim", "hidden_dim", "n_layers", "n_heads", "seq_len")  # the others follow from these, or from tensors
SCALING = "rope.scaling."
ORIGINAL = {"original_context_length": "original_max_position_embeddings"}  # GGUF's word -> Hugging Face's, and ours
FREQUENCIES = "rope_freqs.weight"  # divisors of the rotation's frequencies, one a pair
ROTATED = (".attention.wq", ".attention.wk", ".attention.q_norm", ".attention.k_norm")
_SHOWN = 4  # names in a note

Keys = Mapping[str, Value]


def adopt(source: Source, keys: Keys) -> Source:
    """The source with fourcc's names and hyper-parameters, if it is of the family.

    Contradictions are noted; the model's loader decides.

    Raises:
        SourceError: two spellings of one name, or rows that cannot be brought into fourcc's order.
    """
    family = keys.get(ARCHITECTURE_KEY)
    if family not in (*ADJACENT, *HALVES):
        return source
    named = [attrs.evolve(tensor, name=to_fourcc(tensor.name, GGUF) or tensor.name) for tensor in source.tensors]
    listed = [attrs.evolve(tensor, name=to_fourcc(tensor.name, GGUF) or tensor.name) for tensor in source.unreadable]
    everything: list[SourceTensor | Unreadable] = [*named, *listed]
    if len({tensor.name for tensor in everything}) < len(everything):
        raise SourceError("a tensor occurs under two spellings of its name", file=source.path)
    hyper = _hyper(keys, everything)
    scaling = {key: value for key, value in hyper.items() if key.startswith("rope_scaling.")}
    names = [tensor.name for tensor in everything]
    named, factors = _frequencies(source, named)
    if family in HALVES:
        named = [_adjacent(source, tensor, hyper.get("head_dim")) for tensor in named]
    return attrs.evolve(
        source,
        tensors=llama_family.in_model_order(named),
        unreadable=tuple(listed),
        architecture=llama_family.ARCHITECTURE,
        hyper={**{key: value for key, value in hyper.items() if key not in scaling}, **_both(scaling, factors)},
        notes=(*source.notes, *_missing_keys(keys), *_notes(everything, hyper, family), *notes_on_names(names, GGUF)),
    )


def _missing_keys(keys: Keys) -> list[str]:
    """Notes on missing keys that no model can be run without, and that nothing else replaces."""
    names = (f"{keys[ARCHITECTURE_KEY]}.{COUNTS[word]}" for word in _SAID_ALONE)
    wrong = [name for name in names if not _count(keys.get(name))]
    return [f"the key {name!r} is {'no positive number' if name in keys else 'missing'}" for name in wrong]


def _notes(tensors: list[SourceTensor | Unreadable], hyper: Hyper, family: object) -> list[str]:
    notes = [
        f"{wrong.tensor.source_name}: found {wrong.found}, the keys say {wrong.expected}"
        for wrong in islice(llama_family.contradictions(tensors, hyper), _SHOWN)
    ]
    notes += [norms_note(family)] if NORMS_FLAG in hyper else []
    gap = llama_family.incomplete(tensors, hyper) if tensors else None
    return notes if gap is None else [*notes, gap]


def _frequencies(source: Source, tensors: list[SourceTensor]) -> tuple[list[SourceTensor], Hyper]:
    """The tensors without the factors of the rotation, which are no weights but become a hyper-parameter."""
    stored = next((tensor for tensor in tensors if tensor.source_name == FREQUENCIES), None)
    if stored is None:
        return tensors, {}
    if len(stored.shape) != 1 or not stored.format.real:
        raise SourceError(
            "the factors of the rotation have a wrong shape",
            file=source.path,
            tensor=FREQUENCIES,
            found=list(stored.shape),
        )
    factors = stored.decode()
    listed: list[Scalar] = [float(factor) for factor in factors.reshape(-1)]
    if not storable(listed) or any(not factor > 0 for factor in factors.reshape(-1)):
        raise SourceError("a factor of the rotation is no positive number", file=source.path, tensor=FREQUENCIES)
    rest = [tensor for tensor in tensors if tensor is not stored]
    return rest, {"rope_scaling.type": "factors", "rope_scaling.factors": listed}


def _both(scaling: Hyper, factors: Hyper) -> Hyper:
    """Merges a rotation's scaling and its factors; where a file has both, frequencies are divided by both."""
    listed, factor = factors.get("rope_scaling.factors"), scaling.get("rope_scaling.factor")
    if not scaling or not factors:
        return {**scaling, **factors}
    if scaling.get("rope_scaling.type") != "linear" or not isinstance(listed, list) or not isinstance(factor, float):
        return {**scaling, FREQUENCIES: "beside rope.scaling"}  # what the two give together is not known here
    return {"rope_scaling.type": "factors", "rope_scaling.factors": [float(str(each)) * factor for each in listed]}


def _adjacent(source: Source, tensor: SourceTensor, head_dim: object) -> SourceTensor:
    """The tensor; where it is rotated, with its rows as adjacent pairs."""
    if not tensor.name.removesuffix(".bias").endswith(ROTATED):
        return tensor
    vector = len(tensor.shape) == 1
    plain = tensor.format.block == (1, 1)
    size = (0, 1, *tensor.shape)[-1 if vector else -2]  # without dimensions: of one row, which is no head
    if type(head_dim) is not int or head_dim % 2 or size % head_dim or (vector and not plain):
        raise SourceError(
            "the rows cannot be brought into fourcc's order, in which pairs that are rotated are neighbours",
            file=source.path,
            tensor=tensor.source_name,
            found=f"shape {list(tensor.shape)}, head_dim {head_dim}",
            expected="heads of one even width",
        )
    return attrs.evolve(tensor, read=AdjacentPairs(tensor.read, head_dim, vector).read)


def hyper_of(keys: Keys, tensors: list[SourceTensor]) -> Hyper:
    """The hyper-parameters that keys give a model with these tensors; exporters check their output with it."""
    return _hyper(keys, [*tensors])


def _hyper(keys: Keys, tensors: list[SourceTensor | Unreadable]) -> HyperParams:
    """The hyper-parameters that the keys give; a value that cannot be used is kept under the key's own name."""
    prefix = f"{keys[ARCHITECTURE_KEY]}."
    given = {key.removeprefix(prefix): value for key, value in keys.items() if key.startswith(prefix)}
    hyper: HyperParams = {ours: value for ours, theirs in COUNTS.items() if (value := _count(given.get(theirs)))}
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    if len(shapes.get("tok_embeddings", ())) == 2:
        hyper.setdefault("vocab_size", shapes["tok_embeddings"][0])
    dim, heads = hyper.get("dim"), hyper.get("n_heads")
    if isinstance(dim, int) and isinstance(heads, int) and heads <= dim:
        hyper.setdefault("n_kv_heads", heads)
        hyper.setdefault("head_dim", dim // heads)
    hyper["norm_eps"] = _positive(given.get("attention.layer_norm_rms_epsilon"), 1e-5)
    hyper["rope_theta"] = _positive(given.get("rope.freq_base"), 10000.0)
    hyper["rope_pairing"] = "adjacent"
    hyper["tied_embeddings"] = "output" not in shapes and "tok_embeddings" in shapes
    turned, head = _count(given.get("rope.dimension_count")), hyper.get("head_dim")
    if turned and head and turned != head:
        hyper["rope_dim"] = turned
    if keys[ARCHITECTURE_KEY] == "qwen3" and without_norms(shapes):
        hyper[NORMS_FLAG] = True
    return {**hyper, **_scaling(given), **gguf_keys.window(given, hyper), **gguf_keys.others(given, hyper)}


def _scaling(given: Keys) -> HyperParams:
    """The scaling of the rotation's frequencies, in Hugging Face's words; of a known kind only the keys that it heeds.

    As in llama.cpp, a factor without a kind is linear, the old key stands in for it, and a factor of 0 is none.
    """
    if gguf_keys.LEGACY_FACTOR in given:
        given = {f"{SCALING}factor": given[gguf_keys.LEGACY_FACTOR], **given}
    kind = given.get(f"{SCALING}type", "none" if given.get(f"{SCALING}factor", 0) in (0, 1) else "linear")
    if kind == "none":
        return {}
    given = {f"{SCALING}type": kind, **given}
    said = {key.removeprefix(SCALING): value for key, value in given.items() if key.startswith(SCALING)}
    named = {ORIGINAL.get(word, word): value for word, value in said.items() if word not in gguf_keys.SCALING_INERT}
    heeded = {"type", *(SCALINGS[str(kind)].words if kind in SCALINGS else named)}
    return {
        f"rope_scaling.{word}": _shortest(value) if isinstance(value, float) else value
        for word, value in named.items()
        if word in heeded and storable(value)
    }


def _count(value: Value) -> int:
    """A positive integer, or 0; an array whose numbers are all equal counts as one of them."""
    if isinstance(value, array) and len(set(value)) == 1:
        value = value[0]
    return value if type(value) is int and value > 0 else 0


def _positive(value: Value, default: float) -> float:
    return _shortest(value) if isinstance(value, float) and 0 < value < inf else default


def _shortest(value: float) -> float:
    """The shortest decimal that rounds to the same float32, such as 1e-5 for GGUF's 9.999999747378752e-06."""
    as_float32 = struct.Struct("<f")
    for digits in range(1, 9):
        short = float(f"{value:.{digits}g}")
        try:
            same = as_float32.unpack(as_float32.pack(short))[0] == value
        except OverflowError:  # rounded up beyond the largest
            continue
        if same:
            return short
    return value
