"""A source's tensors against a network: those that contradict the hyper-parameters, and those that are missing.

`fourcc.networks` declares what each network takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import attrs

from fourcc.naming import position
from fourcc.networks.network import Network
from fourcc.sources.source import Hyper, SourceTensor, Unreadable

_SHOWN = 4  # names in a note


@attrs.frozen
class Contradiction:
    """A tensor whose shape or layer contradicts the hyper-parameters."""

    tensor: SourceTensor | Unreadable
    found: str
    expected: str


def contradictions(
    network: Network, tensors: Iterable[SourceTensor | Unreadable], hyper: Hyper
) -> Iterator[Contradiction]:
    """The tensors that contradict the hyper-parameters; nothing is compared with one that is missing."""
    by_name = {tensor.name: tensor for tensor in tensors}
    for wrong in network.contradictions({name: tensor.shape for name, tensor in by_name.items()}, hyper):
        assert wrong.tensor is not None
        yield Contradiction(by_name[wrong.tensor], str(wrong.found), str(wrong.expected))


def incomplete(network: Network, tensors: Iterable[SourceTensor | Unreadable], hyper: Hyper) -> str | None:
    """A note that names the first of the tensors that the model needs; None where it is whole.

    They are counted lazily: a false number of layers makes many.
    """
    gone = list(islice(network.missing((tensor.name for tensor in tensors), hyper), _SHOWN + 1))
    if not gone:
        return None
    more = ", and others" if len(gone) > _SHOWN else ""
    return f"the model is not complete: there is no {', '.join(gone[:_SHOWN])}{more}"


def in_model_order(tensors: Iterable[SourceTensor]) -> tuple[SourceTensor, ...]:
    """The tensors in the order in which the model runs; those of unknown names last, in the order given."""
    return tuple(sorted(tensors, key=lambda tensor: position(tensor.name)))
