"""Networks that can be run, by architecture: each is declared in a file here, and run by one in `fourcc.models`.

Another network adds its file and a name in `NETWORKS`; that what it does not take is refused comes with that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fourcc.errors import UsageError, listed
from fourcc.networks.hyper import Hyper
from fourcc.networks.llama import LLAMA
from fourcc.networks.network import LISTED, Network, Refusal, Shapes

NETWORKS: dict[str, Network] = {network.name: network for network in (LLAMA,)}


def network_of(architecture: str | None, file: object = None) -> Network:
    """The declaration of an architecture. Raises UsageError where it cannot be run."""
    if architecture not in NETWORKS:
        raise UsageError(
            "this model cannot be run", file=file, found=f"architecture {architecture}", expected=", ".join(NETWORKS)
        )
    return NETWORKS[architecture]


def check(architecture: str | None, hyper: Hyper, shapes: Shapes | None = None, file: object = None) -> None:
    """Refuses a model that would be run as another one, or that cannot be; nothing large is allocated for that.

    Args:
        architecture: the model's.
        hyper: its hyper-parameters.
        shapes: those of all its tensors; None: only the hyper-parameters are looked at.
        file: for messages.

    Raises:
        UsageError: it asks for what is not known here: an architecture, a tensor, a hyper-parameter.
        InputError: it is impossible, or contradicts itself.
    """
    if "quantization" in hyper:  # set by `fourcc.sources.foreign_weights`
        what = "its weights are quantized by another tool, in a scheme that is not read here"
        raise UsageError(f"this model cannot be run: {what}: {hyper['quantization']}", file=file)
    for refusal in network_of(architecture, file).refusals(hyper, shapes):
        raise refusal.error(file)


def unheeded(architecture: str | None, hyper: Hyper, shapes: Shapes) -> Iterator[Refusal]:
    """Why a model of a known architecture will not be run: what is not known of it, and impossible hyper-parameters.

    What is missing and what contradicts a shape is left out: a model's part may be converted.
    """
    if architecture in NETWORKS:
        network = NETWORKS[architecture]
        yield from network.refused_keys(hyper)
        yield from (refusal for refusal in network.refused_tensors(shapes, hyper) if refusal.unknown)


def left_out(architecture: str | None, names: Iterable[str], kept: Iterable[str]) -> Iterator[str]:
    """A note on tensors that a model would be run with, and is run without, as another one, where they are left out.

    Of what no model can do without, `check` tells.

    Args:
        architecture: the model's.
        names: of its tensors.
        kept: of those that are not left out.
    """
    if architecture not in NETWORKS:
        return
    network, rest = NETWORKS[architecture], set(kept)
    tensors = ((name, network.tensor(name)) for name in names if name not in rest)
    gone = [name for name, tensor in tensors if tensor is not None and not tensor.needed]
    if gone:
        what = f"{len(gone)} tensor{'s are' if len(gone) > 1 else ' is'} left out that the model has"
        yield f"{what}, so what is written is another model: {listed(map(repr, gone), LISTED)}"
