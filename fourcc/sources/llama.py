"""The Llama family's tensors as sources have them: what contradicts the model's hyper-parameters, and what is missing.

What the network takes is declared in `fourcc.networks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import attrs

from fourcc.naming import position
from fourcc.networks.llama import LLAMA
from fourcc.sources.source import Hyper, SourceTensor, Unreadable

ARCHITECTURE = LLAMA.name
_SHOWN = 4  # names in a note


@attrs.frozen
class Contradiction:
    """A tensor that cannot be what the hyper-parameters say."""

    tensor: SourceTensor | Unreadable
    found: str
    expected: str


def contradictions(tensors: Iterable[SourceTensor | Unreadable], hyper: Hyper) -> Iterator[Contradiction]:
    """The tensors whose shape or layer does not go with the hyper-parameters; what these leave open is not compared."""
    by_name = {tensor.name: tensor for tensor in tensors}
    for wrong in LLAMA.contradictions({name: tensor.shape for name, tensor in by_name.items()}, hyper):
        assert wrong.tensor is not None
        yield Contradiction(by_name[wrong.tensor], str(wrong.found), str(wrong.expected))


def missing(tensors: Iterable[SourceTensor | Unreadable], hyper: Hyper) -> Iterator[str]:
    """Names of tensors that the model needs and that are not there, one by one: a false n_layers makes many."""
    yield from LLAMA.missing((tensor.name for tensor in tensors), hyper)


def incomplete(tensors: Iterable[SourceTensor | Unreadable], hyper: Hyper) -> str | None:
    """A note that names the first of the tensors that are missing; None where the model is whole."""
    gone = list(islice(missing(tensors, hyper), _SHOWN + 1))
    if not gone:
        return None
    more = ", and others" if len(gone) > _SHOWN else ""
    return f"the model is not complete: there is no {', '.join(gone[:_SHOWN])}{more}"


def in_model_order(tensors: Iterable[SourceTensor]) -> tuple[SourceTensor, ...]:
    """The tensors as the model runs; those of no known name last, in the order given."""
    return tuple(sorted(tensors, key=lambda tensor: position(tensor.name)))
