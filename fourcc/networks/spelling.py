"""How other projects' files state a network: names of tensors, how these are arranged, and words of hyper-parameters.

Sources read by these tables and exporters write by them, so each fact stands once for both ways. What is the same in
most families, such as ``model.norm`` for ``norm``, stands in `fourcc.naming` and need not be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import attrs

from fourcc.networks.hyper import Hyper

Found = dict[str, Any]  # hyper-parameters that a file gives
EXPERT = "#"  # stands for the number of an expert, or of a head, in a template


class Config(Protocol):
    """The contents of a ``config.json``."""

    @property
    def fields(self) -> Mapping[str, Any]:
        """Its keys and values; null counts as absent."""

    def count(self, key: str, default: int | None = None) -> int:
        """A positive integer. Raises SourceError where it is none."""

    def number(self, key: str, default: float | None = None) -> float:
        """A positive number. Raises SourceError where it is none."""

    def flag(self, key: str, *, default: bool = False) -> bool:
        """True or false. Raises SourceError where it is neither."""

    def refusal(self, key: str, found: object, expected: str) -> Exception:
        """The error for a key whose value cannot be used."""


def same(value: Any) -> Any:  # noqa: ANN401 - a hyper-parameter's
    """The value as it is stated."""
    return value


@attrs.frozen
class Word:
    """How a hyper-parameter is stated elsewhere.

    Attributes:
        hyper: our word.
        hugging_face: the key of ``config.json``; None: it has none.
        gguf: the key behind the architecture's name; None: it has none.
        kind: what a stated value must be.
        default: our value where ``config.json`` is silent, or the function that gives it from the hyper-parameters
            before; None: it must not be silent; `ABSENT`: the model then has no such hyper-parameter.
        others: keys of ``config.json`` that stand for the first where that is absent.
        nullable: whether null says that the model has none; else null counts as silence.
        read, write: the value of ``config.json`` as ours, and back.
        gguf_read, gguf_write: likewise for GGUF.
    """

    hyper: str
    hugging_face: str | None = None
    gguf: str | None = None
    kind: Literal["count", "number", "flag", "text"] = "count"
    default: object = None
    others: tuple[str, ...] = ()
    nullable: bool = False
    read: Callable[[Any], Any] = same
    write: Callable[[Any], Any] = same
    gguf_read: Callable[[Any], Any] = same
    gguf_write: Callable[[Any], Any] = same


ABSENT = object()


@attrs.frozen
class JoinedRows:
    """Tensors of ours that a project stores as one: the rows of one behind those of the other.

    Attributes:
        parts: our names, in the order of their rows.
        names: spelling -> the one tensor's name, in the spellings that have it.
        by_head: spellings in which the rows of each head's q, k and v stand together.
        alternating: spellings in which rows of the parts take turns, one by one.
        apart: spellings whose readers take the parts by themselves, too.
    """

    parts: tuple[str, ...]
    names: Mapping[str, str]
    by_head: tuple[str, ...] = ()
    alternating: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()


@attrs.frozen
class StackedMatrices:
    """Tensors of single experts, or of single heads, that are one tensor here, with a dimension more.

    Attributes:
        into: our name.
        names: spelling -> template of the single tensors' names, with ``*`` for the layer and ``#`` for the expert.
    """

    into: str
    names: Mapping[str, str]


@attrs.frozen
class WindowWords:
    """How a class of transformers states a sliding window.

    Attributes:
        size: of the window where the config is silent; None: then there is none.
        switch: whether ``use_sliding_window`` must be true.
        types: whether ``layer_types`` says which layers have it.
        layers: for each layer 1 where it has the window, where no types are given; None: all have it.
        keys: that `layers` reads.
        some: whether an export may state a window for some layers only.
    """

    size: int | None = None
    switch: bool = False
    types: bool = True
    some: bool = True
    layers: Callable[[Config, int], list[int]] | None = None
    keys: tuple[str, ...] = ()

    @property
    def heeded(self) -> tuple[str, ...]:
        """The keys that it reads."""
        switch = ("use_sliding_window",) if self.switch else ()
        return ("sliding_window", *switch, *(("layer_types",) if self.types else ()), *self.keys)


@attrs.frozen
class RotationWords:
    """How a class of transformers states the rotation of q and k.

    Attributes:
        theta: the base where the config is silent.
        theta_key: the key of the base beside the maps.
        partial: the share of a head's columns that turns, where the config is silent; None: the class has no such key.
        partial_key: the key of that share beside the maps.
        local: the base in layers with a window where the config is silent; None: it is the same everywhere.
        scaling: the scaling where the config is silent.
        original: the context of the first training where the config is silent; None: the longest context.
        kinds: other names of kinds of scaling -> ours.
    """

    theta: float = 10000.0
    theta_key: str = "rope_theta"
    partial: float | None = None
    partial_key: str = "partial_rotary_factor"
    local: float | None = None
    scaling: Mapping[str, object] = attrs.field(factory=dict)
    original: int | None = None
    kinds: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class ConfigClass:
    """A class of transformers: what it takes of a ``config.json``, and what it takes for granted.

    Attributes:
        model_type: the config's.
        name: under ``architectures``.
        words: hyper-parameters; one of the spelling with the same word is replaced.
        optional: tensors of a layer that not every model has -> the key that says whether they are there; None: they
            always are.
        switches: keys of `optional` that are true where the config is silent.
        window: how it states a sliding window; None: it has none.
        turning: how it states the rotation; None: there is none.
        more: hyper-parameters that no word gives alone, from the config and those before.
        write_more: the fields of a config for them.
        keys: that `more` reads.
        other: keys that it heeds and that fourcc does not compute, but where they have one of these values.
        passed: keys that change no number in this class.
    """

    model_type: str
    name: str
    words: tuple[Word, ...] = ()
    optional: Mapping[str, str | None] = attrs.field(factory=dict)
    switches: frozenset[str] = frozenset()
    window: WindowWords | None = None
    turning: RotationWords | None = RotationWords()
    more: Callable[[Config, Hyper], Found] = lambda config, hyper: {}  # noqa: ARG005 - nothing more
    write_more: Callable[[Hyper], Found] = lambda hyper: {}  # noqa: ARG005 - nothing more
    keys: tuple[str, ...] = ()
    other: Mapping[str, tuple[object, ...]] = attrs.field(factory=lambda: {"per_layer_config": ()})
    passed: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class GgufArchitecture:
    """An architecture of llama.cpp: what it takes for granted, and what it does not heed.

    Attributes:
        name: ``general.architecture``.
        halves: whether row i of a head turns with row i + half, rather than with its neighbour.
        implied: hyper-parameters that llama.cpp takes for granted where no key states them, from those before.
        unheeded: hyper-parameters whose keys llama.cpp does not read for it: it computes with the implied ones.
        pattern: every how many layers one has no window, where no key says it; None: all layers have a stated window.
        window: positions of the window where no key states it.
        local: whether layers with a window have a base of their own.
        unloadable: the reason why llama.cpp loads no model with such hyper-parameters and names of tensors, if any.
    """

    name: str
    halves: bool
    implied: Callable[[Hyper], Found] = lambda hyper: {}  # noqa: ARG005 - nothing is implied
    unheeded: tuple[str, ...] = ()
    pattern: int | None = None
    window: int | None = None
    local: bool = False
    unloadable: Callable[[Hyper, frozenset[str]], str | None] = lambda hyper, names: None  # noqa: ARG005 - it loads all


@attrs.frozen(kw_only=True)
class Spelling:
    """How files of other projects state a network.

    Attributes:
        classes: of transformers; an export takes the first that fits.
        gguf: architectures of llama.cpp; an export takes the first, or the one that `choose` names.
        choose: names an architecture by what every layer's tensors are called.
        words: hyper-parameters.
        names: our name -> Hugging Face's and GGUF's, where they differ from `fourcc.naming`'s; None: it has none.
        base: what Hugging Face's names begin with, but for the output matrix.
        joined: tensors that are stored as one.
        stacked: experts that are stored one by one.
        endings: spelling -> pairs of an ending of their names and the usual one.
        transposed: spelling -> our names of matrices that are stored with columns for rows.
        halves: whether transformers turns row i of a head with row i + half, rather than with its neighbour.
        offset: what transformers adds to the weights of norms, and llama.cpp's converter has added.
        left_out: endings of names of tensors that hold nothing to keep: tables that are computed.
    """

    classes: tuple[ConfigClass, ...]
    gguf: tuple[GgufArchitecture, ...]
    choose: Callable[[frozenset[str]], str] | None = None
    words: tuple[Word, ...] = ()
    names: Mapping[str, tuple[str | None, str | None]] = attrs.field(factory=dict)
    base: str = "model."
    joined: tuple[JoinedRows, ...] = ()
    stacked: tuple[StackedMatrices, ...] = ()
    endings: Mapping[str, tuple[tuple[str, str], ...]] = attrs.field(factory=dict)
    transposed: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    halves: bool = True
    offset: float = 0.0
    left_out: tuple[str, ...] = ()

    def words_of(self, config_class: ConfigClass) -> tuple[Word, ...]:
        """The words of a class: its own, and those of the spelling that it does not replace."""
        own = {word.hyper for word in config_class.words}
        return (*(word for word in self.words if word.hyper not in own), *config_class.words)
