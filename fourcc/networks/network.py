"""The declaration of a network: the tensors that it takes and the hyper-parameters that it heeds, and nothing else.

Anything else that a model holds would not be computed, so it refuses the model by name. The code that runs the network
loads its tensors by this table, and sources, `fourcc.models` and exporters ask it, so each fact is stated once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from math import prod
from typing import Literal

import attrs

from fourcc.errors import FourccError, InputError, UsageError, listed
from fourcc.naming import SPELLINGS, spelled, split_name, translated, translated_back
from fourcc.networks.hyper import Hyper, Key, shown
from fourcc.networks.spelling import Spelling
from fourcc.networks.steps import LayerStep

Shapes = Mapping[str, tuple[int, ...]]  # shapes of a model's tensors, by name in fourcc's spelling
LAYERS = "n_layers"  # the hyper-parameter that counts the layers, for which `*` stands
PARALLEL = "parallel_residual"  # whether attention and the feed-forward network take the same input
LISTED = 4  # names in a message


@attrs.frozen
class Tensor:
    """A tensor that a network takes.

    Attributes:
        dims: its dimensions, rows first; a dimension is a number, a hyper-parameter, or a product:
            ``n_heads * head_dim``.
        needed: whether no model can be run without it.
        unless: a hyper-parameter; if it is true the tensor must be absent, if it is false it must be present, and if
            the model does not state it, both are allowed.
        flagged: a hyper-parameter that has a flag for each layer: the layers that have the tensor, if it is needed;
            where the model does not state it, all do.
        unflagged: likewise, of the layers whose flag is 0; where the model does not state it, none do.
    """

    dims: tuple[str, ...]
    needed: bool = True
    unless: str | None = None
    flagged: str | None = None
    unflagged: str | None = None

    def is_needed(self, hyper: Hyper) -> bool:
        """Whether a model cannot be run without it."""
        return self.needed if self.unless is None else hyper.get(self.unless) is False

    def is_in(self, layer: int, hyper: Hyper) -> bool:
        """Whether the flags of a layer say that it has the tensor."""
        there = _flag(hyper, self.flagged, layer)
        return there if self.unflagged is None else not _flag(hyper, self.unflagged, layer)

    def sizes(self, hyper: Hyper) -> tuple[int | None, ...]:
        """Its shape; None stands for a dimension that the hyper-parameters leave open."""
        return tuple(_size(word, hyper) for word in self.dims)


@attrs.frozen
class Refusal:
    """A reason why a model cannot be run.

    Attributes:
        what: the reason.
        tensor: the tensor concerned.
        found, expected: as in an error.
        unknown: whether the model may be valid, and only needs something that is not known here.
        missing: whether something is absent; the rest may be a part of a model.
    """

    what: str
    tensor: str | None = None
    found: str | None = None
    expected: str | None = None
    unknown: bool = False
    missing: bool = False

    def error(self, file: object = None, cannot: str = "run") -> FourccError:
        """The error of the refusal: `UsageError` where something is not known here, else `InputError`."""
        kind = UsageError if self.unknown else InputError
        what = f"this model cannot be {cannot}: {self.what}" if self.what else f"this model cannot be {cannot}"
        return kind(what, file=file, tensor=self.tensor, found=self.found, expected=self.expected)


def wrong(name: str, found: object, expected: str) -> Refusal:
    """The refusal of a hyper-parameter's value."""
    said = found if isinstance(found, str) else shown(found)
    return Refusal(f"its hyper-parameter {name}", found=said, expected=expected)


@attrs.frozen
class Network:
    """A network: its tensors, its hyper-parameters, and the steps that compute a layer.

    Attributes:
        name: the architecture, as a model.bin states it.
        tensors: its tensors by name, with ``*`` for the layer's number.
        keys: the hyper-parameters that it heeds.
        information: hyper-parameters that change no number, which it need not heed.
        between: refusals of hyper-parameters that contradict each other; called only where each by itself is valid.
        steps: of a layer.
        parallel: the steps where the hyper-parameter ``parallel_residual`` is true.
        norm_kind: ``rms``: weight * x / sqrt(mean of x^2 + eps); ``layer``: the mean is subtracted first.
        spelling: how files of other projects state it; None: as `fourcc.sources` says.
    """

    name: str
    tensors: Mapping[str, Tensor]
    keys: Mapping[str, Key]
    information: frozenset[str]
    between: Callable[[Hyper], Iterator[Refusal]]
    steps: tuple[LayerStep, ...]
    parallel: tuple[LayerStep, ...] = ()
    norm_kind: Literal["rms", "layer"] = "rms"
    spelling: Spelling | None = None

    _theirs: Mapping[str, Mapping[str, str]] = attrs.field(init=False, eq=False, repr=False)

    @_theirs.default
    def _spelled(self) -> dict[str, dict[str, str]]:
        """Spelling -> our template -> its; a bias is named after its matrix. Made once: files ask for every tensor."""
        own = {} if self.spelling is None else self.spelling.names
        stems = dict.fromkeys(name.removesuffix(".bias") for name in self.tensors)
        return {
            spelling: {
                ours: theirs
                for ours in stems
                if (theirs := own[ours][place] if ours in own else spelled(ours, spelling)) is not None
            }
            for place, spelling in enumerate(SPELLINGS)
        }

    _ours: Mapping[str, Mapping[str, str]] = attrs.field(init=False, eq=False, repr=False)

    @_ours.default
    def _back(self) -> dict[str, dict[str, str]]:
        return {each: {theirs: ours for ours, theirs in table.items()} for each, table in self._theirs.items()}

    # -- names

    def to_ours(self, name: str, spelling: str) -> str | None:
        """A tensor's name in fourcc's spelling, from one of `fourcc.naming`'s; None where the network has none such."""
        return translated(name, self._ours[spelling])

    def from_ours(self, name: str, spelling: str) -> str | None:
        """The name of a tensor in another spelling, from fourcc's; None where it has none of its own there."""
        return translated_back(name, self._theirs[spelling])

    # -- hyper-parameters

    def refused_keys(self, hyper: Hyper) -> Iterator[Refusal]:
        """Refusals of hyper-parameters that are wrong, or not known here."""
        wrong = False
        for name, key in self.keys.items():
            if name in hyper and not key.fits(hyper[name]):
                wrong = True
                yield Refusal(f"its hyper-parameter {name}", found=shown(hyper[name]), expected=key.expected)
            elif key.only and hyper.get(name, key.only[0]) not in key.only:
                yield Refusal(name, found=str(hyper[name]), expected=", ".join(key.only), unknown=True)
        for name in [name for name, key in self.keys.items() if key.needed and name not in hyper]:
            wrong = True
            yield Refusal(f"its hyper-parameter {name} is missing", expected=self.keys[name].expected, missing=True)
        unheeded = self.unheeded_keys(hyper)
        if unheeded:
            said = listed((f"{name} = {shown(hyper[name])}" for name in unheeded), LISTED)
            yield Refusal(f"it asks for what is not known here: {said}", unknown=True)
        if not wrong:
            yield from self.between(hyper)

    def unheeded_keys(self, hyper: Hyper) -> list[str]:
        """Names of the hyper-parameters that the network does not heed, and that may change the model's numbers."""
        return [name for name in hyper if name not in self.keys and name not in self.information]

    # -- tensors

    def tensor(self, name: str) -> Tensor | None:
        """The declaration of a model's tensor; None where the network does not take it."""
        template, _, ending = split_name(name)
        return None if ending == ".weight" else self.tensors.get(template + ending)

    def unheeded_tensors(self, names: Iterable[str]) -> list[str]:
        """Names of the tensors that the network does not take."""
        return [name for name in names if self.tensor(name) is None]

    def refused_tensors(self, shapes: Shapes, hyper: Hyper) -> Iterator[Refusal]:
        """Refusals of tensors that are unknown, missing, or of another shape or layer than the hyper-parameters say."""
        unheeded = self.unheeded_tensors(shapes)
        if unheeded:
            count = f"{len(unheeded)} tensor{'s are' if len(unheeded) > 1 else ' is'} not known here"
            yield Refusal(f"{count}: {listed(map(repr, unheeded), LISTED)}", unknown=True)
        yield from self._too_many_layers(shapes, hyper)
        for name in islice(self.missing(shapes, hyper), 1):
            yield Refusal("a tensor is missing", tensor=name, missing=True)
        yield from self.contradictions(shapes, hyper)

    def _too_many_layers(self, shapes: Shapes, hyper: Hyper) -> Iterator[Refusal]:
        layers = hyper.get(LAYERS)
        numbers = (split_name(name)[1] for name in shapes if self.tensor(name) is not None)
        there = 1 + max((number for number in numbers if number is not None), default=-1)
        if type(layers) is int and layers > there:
            expected = f"at most {there}, the layers that there are"
            yield Refusal(f"its hyper-parameter {LAYERS}", found=str(layers), expected=expected)

    def missing(self, names: Iterable[str], hyper: Hyper) -> Iterator[str]:
        """Names of needed tensors that are absent, one by one: a false number of layers makes many."""
        present, layers = set(names), hyper.get(LAYERS)
        for template, tensor in self.tensors.items():
            if not tensor.is_needed(hyper):
                continue
            for number in range(layers if "*" in template and type(layers) is int else 1):
                name = template.replace("*", str(number))
                if name not in present and tensor.is_in(number, hyper):
                    yield name

    def contradictions(self, shapes: Shapes, hyper: Hyper) -> Iterator[Refusal]:
        """Refusals of tensors whose shape, layer or presence contradicts the hyper-parameters, as far as these tell."""
        layers = hyper.get(LAYERS)
        for name, shape in shapes.items():
            tensor, layer = self.tensor(name), split_name(name)[1]
            if tensor is None:
                continue
            if layer is not None and type(layers) is int and layer >= layers:
                yield Refusal("", name, f"layer {layer}", f"layers below {LAYERS} {layers}")
            if layer is not None and not tensor.is_in(layer, hyper):
                flags = tensor.flagged or tensor.unflagged
                yield Refusal("", name, "a tensor", f"none in layer {layer}, as {flags} says")
            if tensor.unless is not None and hyper.get(tensor.unless) is True:
                yield Refusal("", name, "a tensor of its own", f"none ({tensor.unless} is true)")
            if not _fits(shape, tensor.sizes(hyper)):
                yield Refusal("", name, f"shape {list(shape)}", _expected(tensor, hyper))

    def impossible(self, hyper: Hyper, shapes: Shapes) -> Iterator[Refusal]:
        """Refusals of what no model of the family can have, nor a part of one."""
        yield from (refusal for refusal in self.refused_keys(hyper) if not (refusal.unknown or refusal.missing))
        yield from self.contradictions(shapes, hyper)

    def refusals(self, hyper: Hyper, shapes: Shapes | None = None) -> Iterator[Refusal]:
        """Every reason why the model cannot be run, the plainest first; without shapes, only those of its keys."""
        keys = list(self.refused_keys(hyper))
        yield from keys
        if shapes is not None and not any(not refusal.unknown for refusal in keys):
            yield from self.refused_tensors(shapes, hyper)


def _flag(hyper: Hyper, name: str | None, layer: int) -> bool:
    """A layer's flag; true where a tensor heeds none, or the model states none."""
    flags = hyper.get(name) if name is not None else None
    return bool(flags[layer]) if isinstance(flags, (list, tuple)) and layer < len(flags) else True


def _size(word: str, hyper: Hyper) -> int | None:
    factors = [int(name) if name.isdigit() else hyper.get(name) for name in word.split(" * ")]
    return prod(factors) if all(type(factor) is int for factor in factors) else None  # type: ignore[arg-type]  # all int


def _fits(shape: tuple[int, ...], sizes: tuple[int | None, ...]) -> bool:
    pairs = zip(sizes, shape, strict=False)
    return len(shape) == len(sizes) and all(size in (None, actual) for size, actual in pairs)


def _expected(tensor: Tensor, hyper: Hyper) -> str:
    names = dict.fromkeys(name for word in tensor.dims for name in word.split(" * ") if name in hyper)
    sizes = " x ".join("any" if size is None else str(size) for size in tensor.sizes(hyper))
    return f"{sizes} ({', '.join(f'{name} {shown(hyper[name])}' for name in names)})"
