"""How other projects' files state a network: names of tensors, how these are arranged, and words of hyper-parameters.

Sources read by these tables, exporters write by them, so each fact stands once for both ways. What is the same in every
family, such as ``model.norm`` for ``norm``, stands in `fourcc.naming` and need not be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from fourcc.naming import GGUF, HUGGING_FACE


def same(value: object) -> object:
    """The value as it is stated."""
    return value


@attrs.frozen
class Word:
    """How a hyper-parameter is stated elsewhere.

    Attributes:
        hyper: our word.
        hugging_face: the key of ``config.json``; None: it has none.
        gguf: the key behind the architecture's name; None: it has none.
        default: our value where ``config.json`` is silent; None: the hyper-parameter is then absent.
        gguf_default: likewise for GGUF.
        read, write: the value of ``config.json`` as ours, and back.
        gguf_read, gguf_write: likewise for GGUF.
    """

    hyper: str
    hugging_face: str | None = None
    gguf: str | None = None
    default: object = None
    gguf_default: object = None
    read: Callable[[object], object] = same
    write: Callable[[object], object] = same
    gguf_read: Callable[[object], object] = same
    gguf_write: Callable[[object], object] = same


@attrs.frozen
class Joined:
    """Tensors of ours that a project stores as one: the rows of one behind those of the other.

    Attributes:
        parts: our names, in the order of their rows.
        names: spelling -> the one tensor's name, in the spellings that have it.
        by_head: the rows of each head's q, k and v stand together, instead of those of all heads.
        alternating: rows of the parts take turns, one by one.
    """

    parts: tuple[str, ...]
    names: Mapping[str, str]
    by_head: bool = False
    alternating: bool = False


@attrs.frozen
class Stacked:
    """Tensors of single experts that are one tensor here, with a leading dimension.

    Attributes:
        into: our name.
        names: spelling -> template of the single tensors' names, with ``*`` for the layer and ``#`` for the expert.
    """

    into: str
    names: Mapping[str, str]


@attrs.frozen(kw_only=True)
class Spelling:
    """How files of other projects state a network.

    Attributes:
        model_types: ``model_type`` of ``config.json`` -> the class under ``architectures``; the first is written.
        gguf: ``general.architecture``; the first is written.
        names: our name -> Hugging Face's and GGUF's, where they differ from `fourcc.naming`'s; None: it has none.
        joined: tensors that are stored as one.
        stacked: experts that are stored one by one.
        transposed: spelling -> our names of matrices that are stored with columns for rows.
        halves: spellings in which row i of a head turns with row i + half, rather than with its neighbour.
        words: hyper-parameters.
        left_out: spelling -> endings of names of tensors that hold nothing to keep: tables that are computed.
    """

    model_types: Mapping[str, str]
    gguf: tuple[str, ...]
    names: Mapping[str, tuple[str | None, str | None]] = attrs.field(factory=dict)
    joined: tuple[Joined, ...] = ()
    stacked: tuple[Stacked, ...] = ()
    transposed: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    halves: frozenset[str] = frozenset({HUGGING_FACE, GGUF})
    words: tuple[Word, ...] = ()
    left_out: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
