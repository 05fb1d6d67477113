"""A GGUF file of a family that is known here: its keys in fourcc's words, its tensors in fourcc's arrangement.

llama.cpp rotates adjacent pairs of rows in some architectures, as fourcc does, in others row i of a head with row
i + half: those rows are brought together. Only whole rows move, so blocks stay as they are. What llama.cpp takes for
granted of an architecture is stated here (`fourcc.networks.spellings`).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from itertools import islice
from math import inf

import attrs

from fourcc.errors import SourceError
from fourcc.naming import GGUF, split_name
from fourcc.networks import GGUF_ARCHITECTURES
from fourcc.networks.network import Network
from fourcc.networks.spelling import GgufArchitecture, Word
from fourcc.sources import gguf_keys
from fourcc.sources.config_words import NORMS_FLAG, norms_note, without_norms
from fourcc.sources.family_names import Place, place_of, spelling_of, unknown_notes
from fourcc.sources.family_tensors import FamilyFile
from fourcc.sources.gguf_rotation import LISTS, MAGNITUDE, SCALING, scaling_of, with_factors
from fourcc.sources.gguf_values import Value, shortest
from fourcc.sources.model_tensors import contradictions, in_model_order, incomplete
from fourcc.sources.source import Hyper, HyperParams, Source, SourceTensor, Unreadable

ARCHITECTURE_KEY = "general.architecture"
_SAID_ALONE = ("dim", "hidden_dim", "n_layers", "n_heads", "seq_len")  # the others follow from these, or from tensors
_EXPERTS = "n_experts"
_SHOWN = 4  # names in a note

Keys = Mapping[str, Value]
Shapes = Mapping[str, tuple[int, ...]]


def adopt(source: Source, keys: Keys) -> Source:
    """The source with fourcc's names and hyper-parameters, if its family is known here.

    Contradictions are noted; the model's loader decides.

    Raises:
        SourceError: two spellings of one name, or rows that cannot be brought into fourcc's order.
    """
    known = known_of(keys)
    if known is None:
        return source
    network, architecture = known
    placed = [(tensor, place_of(network, GGUF, tensor.name)) for tensor in source.tensors]
    listed = [
        attrs.evolve(each, name=_name(each.name, place_of(network, GGUF, each.name))) for each in source.unreadable
    ]
    _refuse_twins(source, placed, listed)
    reader = KeyReader(keys, network, architecture)
    shapes = {_name(tensor.name, place): tensor.shape for tensor, place in placed}
    shapes |= {each.name: each.shape for each in listed}
    hyper = reader.hyper(shapes)
    rest, scaling = with_factors(source, [tensor for tensor, _ in placed], reader.scaling, reader.given, hyper)
    hyper |= scaling
    file = FamilyFile(source, network, GGUF, hyper, architecture.halves)
    kept = {id(tensor) for tensor in rest}
    tensors = file.tensors((tensor, place) for tensor, place in placed if id(tensor) in kept)
    everything: list[SourceTensor | Unreadable] = [*tensors, *listed]
    unknown = [tensor.name for tensor, place in placed if place is None]
    return attrs.evolve(
        source,
        tensors=in_model_order(tensors),
        unreadable=tuple(listed),
        architecture=network.name,
        stated=str(keys[ARCHITECTURE_KEY]) if keys[ARCHITECTURE_KEY] != network.name else None,
        hyper=hyper,
        notes=(
            *source.notes,
            *reader.missing(),
            *_notes(network, everything, hyper, keys),
            *unknown_notes(network, GGUF, unknown),
        ),
    )


def known_of(keys: Keys) -> tuple[Network, GgufArchitecture] | None:
    """The network and the architecture that keys state; an architecture with experts is another network."""
    name = keys.get(ARCHITECTURE_KEY)
    known = GGUF_ARCHITECTURES.get(name, []) if isinstance(name, str) else []
    if len(known) < 2:
        return known[0] if known else None
    experts = _count(keys.get(f"{name}.expert_count")) > 0
    return next((each for each in known if (_EXPERTS in each[0].keys) == experts), known[0])


def _name(theirs: str, place: Place | None) -> str:
    """Our name of a tensor that is one of ours whole; else the file's."""
    whole = place is not None and place.joined is None and place.stacked is None
    return place.parts[0] if place is not None and whole else theirs


def _refuse_twins(
    source: Source, placed: Iterable[tuple[SourceTensor, Place | None]], listed: Iterable[Unreadable]
) -> None:
    names = [(name, place.number) for _, place in placed if place is not None for name in place.parts]
    names += [(tensor.name, -1) for tensor, place in placed if place is None] + [(each.name, 0) for each in listed]
    if len(set(names)) < len(names):
        raise SourceError("a tensor occurs under two spellings of its name", file=source.path)


def _notes(network: Network, tensors: list[SourceTensor | Unreadable], hyper: Hyper, keys: Keys) -> list[str]:
    notes = [
        f"{wrong.tensor.source_name}: found {wrong.found}, the keys say {wrong.expected}"
        for wrong in islice(contradictions(network, tensors, hyper), _SHOWN)
    ]
    notes += [norms_note(keys[ARCHITECTURE_KEY])] if NORMS_FLAG in hyper else []
    gap = incomplete(network, tensors, hyper) if tensors else None
    return notes if gap is None else [*notes, gap]


def hyper_of(keys: Keys, shapes: Shapes) -> HyperParams:
    """The hyper-parameters that keys give a model with these tensors; exporters check their output with it."""
    known = known_of(keys)
    if known is None:
        return {}
    reader = KeyReader(keys, *known)
    return reader.hyper(shapes) | reader.scaling


@attrs.frozen(eq=False)
class KeyReader:
    """Reads the keys of an architecture.

    Attributes:
        keys: all of the file.
        network: the model's.
        architecture: that the keys state.
    """

    keys: Keys
    network: Network
    architecture: GgufArchitecture

    @property
    def given(self) -> dict[str, Value]:
        """The architecture's keys, without its name."""
        prefix = f"{self.architecture.name}."
        return {key.removeprefix(prefix): value for key, value in self.keys.items() if key.startswith(prefix)}

    @property
    def words(self) -> tuple[Word, ...]:
        """The words that have a key."""
        return tuple(word for word in spelling_of(self.network).words if word.gguf is not None)

    def missing(self) -> list[str]:
        """Notes on missing keys that no model can be run without, and that nothing else replaces."""
        names = {word.hyper: f"{self.architecture.name}.{word.gguf}" for word in self.words}
        keys = [names[word] for word in _SAID_ALONE if word in names]
        wrong = [name for name in keys if not _count(self.keys.get(name))]
        return [f"the key {name!r} is {'no positive number' if name in self.keys else 'missing'}" for name in wrong]

    def hyper(self, shapes: Shapes) -> HyperParams:
        """The hyper-parameters, without the scaling; a value that cannot be used is kept under the key's own name."""
        given = self.given
        hyper = self._words(given)
        self._from_tensors(hyper, shapes)
        hyper.setdefault("norm_eps", 1e-5)
        if "rope_theta" in self.network.keys:
            hyper |= self._turning(given, hyper)
        hyper["tied_embeddings"] = "output" not in shapes and "tok_embeddings" in shapes
        if self.architecture.name == "qwen3" and without_norms(shapes):
            hyper[NORMS_FLAG] = True
        hyper |= gguf_keys.window(given, hyper, self.architecture)
        hyper |= gguf_keys.turned_layers(given) if "rope_layers" in self.network.keys else {}
        for name, value in self.architecture.implied(hyper).items():
            hyper.setdefault(name, value)
        self._drop_usual(hyper)
        if given.get(f"{SCALING}type") == "yarn" or any(name in shapes for name in LISTS):
            given.pop(f"{SCALING}{MAGNITUDE}", None)  # a part of the scaling
        return {**hyper, **gguf_keys.others(given, hyper, {str(word.gguf): word.hyper for word in self.words})}

    def _drop_usual(self, hyper: HyperParams) -> None:
        """Leaves out what a model that is silent has, too."""
        if hyper.get("hidden_act") == "silu":
            del hyper["hidden_act"]
        layers = hyper.get("rope_layers", [0])
        if isinstance(layers, list) and all(layers):
            del hyper["rope_layers"]

    @property
    def scaling(self) -> HyperParams:
        """The scaling of the rotation that keys state."""
        if "rope_theta" not in self.network.keys:
            return {}
        return scaling_of(self.given, self._words(self.given))

    def _words(self, given: Keys) -> HyperParams:
        hyper: HyperParams = {}
        for word in self.words:
            value = _value(word, given.get(str(word.gguf)))
            if value is not None:
                hyper[word.hyper] = word.gguf_read(value)
        return hyper

    def _from_tensors(self, hyper: HyperParams, shapes: Shapes) -> None:
        """Sizes that keys may leave to the tensors, and to each other."""
        if len(shapes.get("tok_embeddings", ())) == 2:
            hyper.setdefault("vocab_size", shapes["tok_embeddings"][0])
        dim, heads = hyper.get("dim"), hyper.get("n_heads")
        if isinstance(dim, int) and isinstance(heads, int) and heads <= dim:
            hyper.setdefault("n_kv_heads", heads)
            hyper.setdefault("head_dim", dim // heads)
        if _EXPERTS in self.network.keys:
            hyper |= _expert_layers(hyper, shapes)

    def _turning(self, given: Keys, hyper: Hyper) -> HyperParams:
        found: HyperParams = {"rope_theta": _positive(given.get("rope.freq_base"), 10000.0), "rope_pairing": "adjacent"}
        if self.architecture.local:
            found["rope_local_theta"] = _positive(given.get(gguf_keys.LOCAL), 10000.0)
        turned, head = _count(given.get(gguf_keys.TURNED)), hyper.get("head_dim")
        if turned and head and turned != head:
            found["rope_dim"] = turned
        return found


def _expert_layers(hyper: Hyper, shapes: Shapes) -> HyperParams:
    """Flags of the layers with experts, where some have none: the tensors tell."""
    count = hyper.get("n_layers")
    there = {split_name(name)[1] for name in shapes if name.endswith(".feed_forward.router")}
    dense = {split_name(name)[1] for name in shapes if name.endswith(".feed_forward.w2")}
    if type(count) is not int or not dense:
        return {}
    return {"expert_layers": [int(layer in there) for layer in range(min(count, len(there | dense)))]}


def _value(word: Word, value: Value) -> object:
    """A key's value of the word's kind; None where it is none, or missing."""
    if word.kind == "count":
        return _count(value) or None
    if word.kind == "number":
        return shortest(value) if isinstance(value, float) and 0 < value < inf else None
    return value if isinstance(value, bool if word.kind == "flag" else str) else None


def _count(value: Value) -> int:
    """A positive integer, or 0; an array whose numbers are all equal counts as one of them."""
    if isinstance(value, array) and len(set(value)) == 1:
        value = value[0]
    return value if type(value) is int and value > 0 else 0


def _positive(value: Value, default: float) -> float:
    return shortest(value) if isinstance(value, float) and 0 < value < inf else default
