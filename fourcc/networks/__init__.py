"""Networks that can be run, by architecture: a module here declares each, and one in `fourcc.models` runs it.

A new network adds its module and an entry in `NETWORKS`; the refusal of everything it does not take follows from that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fourcc.errors import UsageError, listed
from fourcc.networks.cohere import COHERE, COHERE2
from fourcc.networks.gemma import GEMMA, GEMMA2, GEMMA3
from fourcc.networks.gpt2 import GPT2
from fourcc.networks.gpt_neox import GPT_NEOX
from fourcc.networks.gpt_oss import GPT_OSS
from fourcc.networks.granite import GRANITE
from fourcc.networks.hyper import Hyper
from fourcc.networks.llama import LLAMA
from fourcc.networks.mixtral import MIXTRAL
from fourcc.networks.network import LISTED, Network, Refusal, Shapes
from fourcc.networks.olmo2 import OLMO2
from fourcc.networks.phi3 import PHI3
from fourcc.networks.qwen2_moe import QWEN2_MOE
from fourcc.networks.qwen3_moe import QWEN3_MOE
from fourcc.networks.smollm3 import SMOLLM3
from fourcc.networks.spelling import ConfigClass, GgufArchitecture
from fourcc.networks.stablelm import STABLELM
from fourcc.networks.starcoder2 import STARCODER2

_LLAMAS = (LLAMA, PHI3, SMOLLM3, OLMO2, GRANITE)
_GEMMAS = (GEMMA, GEMMA2, GEMMA3)
_LAYER_NORMS = (GPT2, GPT_NEOX, STARCODER2, STABLELM, COHERE, COHERE2)
_EXPERTS = (MIXTRAL, QWEN2_MOE, QWEN3_MOE, GPT_OSS)
NETWORKS: dict[str, Network] = {network.name: network for network in (*_LLAMAS, *_GEMMAS, *_LAYER_NORMS, *_EXPERTS)}
# `model_type` of a config.json -> the network, and the class that reads the config.
CLASSES: dict[str, tuple[Network, ConfigClass]] = {
    known.model_type: (network, known)
    for network in NETWORKS.values()
    if network.spelling is not None
    for known in network.spelling.classes
}
# `general.architecture` of a GGUF file -> the networks that it may be, and the architecture.
GGUF_ARCHITECTURES: dict[str, list[tuple[Network, GgufArchitecture]]] = {}
for _network in NETWORKS.values():
    for _known in () if _network.spelling is None else _network.spelling.gguf:
        GGUF_ARCHITECTURES.setdefault(_known.name, []).append((_network, _known))


def network_of(architecture: str | None, file: object = None) -> Network:
    """The declaration of an architecture's network. Raises UsageError where there is none."""
    if architecture not in NETWORKS:
        raise UsageError(
            "this model cannot be run", file=file, found=f"architecture {architecture}", expected=", ".join(NETWORKS)
        )
    return NETWORKS[architecture]


def check(architecture: str | None, hyper: Hyper, shapes: Shapes | None = None, file: object = None) -> None:
    """Refuses a model that would be run as another one, or that cannot be run; allocates nothing large.

    Args:
        architecture: the model's architecture.
        hyper: its hyper-parameters.
        shapes: the shapes of all its tensors; None: only the hyper-parameters are checked.
        file: the file that messages name.

    Raises:
        UsageError: the model has an architecture, a tensor or a hyper-parameter that is not known here.
        InputError: the model is impossible, or contradicts itself.
    """
    if "quantization" in hyper:  # set by `fourcc.sources.foreign_weights`
        what = "its weights are quantized by another tool, in a scheme that is not read here"
        raise UsageError(f"this model cannot be run: {what}: {hyper['quantization']}", file=file)
    for refusal in network_of(architecture, file).refusals(hyper, shapes):
        raise refusal.error(file)


def unheeded(architecture: str | None, hyper: Hyper, shapes: Shapes) -> Iterator[Refusal]:
    """Reasons why a model of a known architecture cannot be run: unknown tensors and keys, impossible hyper-parameters.

    Missing tensors and contradicted shapes are no reasons here: a part of a model may be converted.
    """
    if architecture in NETWORKS:
        network = NETWORKS[architecture]
        yield from network.refused_keys(hyper)
        yield from (refusal for refusal in network.refused_tensors(shapes, hyper) if refusal.unknown)


def left_out(architecture: str | None, names: Iterable[str], kept: Iterable[str]) -> Iterator[str]:
    """A note on left-out tensors that the network would use but does not need, so that another model would be run.

    `check` refuses a model without the tensors that every model needs.

    Args:
        architecture: the model's architecture.
        names: names of its tensors.
        kept: names of the tensors that are not left out.
    """
    if architecture not in NETWORKS:
        return
    network, rest = NETWORKS[architecture], set(kept)
    tensors = ((name, network.tensor(name)) for name in names if name not in rest)
    gone = [name for name, tensor in tensors if tensor is not None and not tensor.needed]
    if gone:
        what = f"{len(gone)} tensor{'s are' if len(gone) > 1 else ' is'} left out that the model has"
        yield f"{what}, so what is written is another model: {listed(map(repr, gone), LISTED)}"
