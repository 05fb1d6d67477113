"""Export to safetensors: plain numbers as they are, all other formats decoded, with the files that describe them.

A model of a family that is known here gets Hugging Face's names, its tensors as such files have them, and a
``config.json``. Any other model gets back the config that it came with. Files that came from such a folder, such as the
tokenizer's, go back unchanged.
"""

from __future__ import annotations

import attrs

from fourcc.conversion.pipeline import Step
from fourcc.dtypes import itemsize
from fourcc.exporters.family_steps import FamilySteps, with_offset
from fourcc.exporters.gguf_ends import ends_left_behind
from fourcc.exporters.huggingface_config import CONFIG, config
from fourcc.exporters.layout import ExportKind, FileCut, Layout
from fourcc.exporters.shards import FileTensor, index_name, placed
from fourcc.naming import HUGGING_FACE
from fourcc.networks import NETWORKS
from fourcc.plugins.registry import registry
from fourcc.settings import Params
from fourcc.sources import tokenizer
from fourcc.sources.extent import single_part_spec
from fourcc.sources.family_names import spelling_of
from fourcc.sources.source import Source
from fourcc.sources.tokenizer import CHAT_TEMPLATE
from fourcc.spec import FormatSpec

_ALONG = (tokenizer.JSON, tokenizer.SENTENCEPIECE, *tokenizer.COMPANIONS)


@attrs.frozen(eq=False)
class Described:
    """A model as a folder of Hugging Face's describes it.

    Attributes:
        steps: the tensors, by the names and in the order of rows of that folder.
        beside: its other files, name -> contents.
        left_out: names of blobs that have no place there.
    """

    steps: tuple[Step, ...]
    beside: dict[str, bytes]
    left_out: tuple[str, ...]


def holds(spec: FormatSpec, params: Params, shape: tuple[int, ...]) -> bool:  # noqa: ARG001 - every kind's signature
    """Whether safetensors has the dtype."""
    return single_part_spec(spec) and "safetensors" in spec.foreign


def check(source: Source, steps: tuple[Step, ...]) -> None:
    """Refuses a model of the family that a config cannot describe."""
    network = NETWORKS.get(source.architecture or "")
    if network is not None:
        config(*with_offset(source, steps, spelling_of(network).offset))


def described(source: Source, steps: tuple[Step, ...]) -> Described:
    """The tensors and files of a folder, whatever formats the tensors are in."""
    beside = {name: source.blobs[name] for name in _ALONG if name in source.blobs}
    network = NETWORKS.get(source.architecture or "")
    if network is not None:
        source = attrs.evolve(source, hyper={**source.hyper, **ends_left_behind(source)})
        source, steps = with_offset(source, steps, spelling_of(network).offset)
        beside[CONFIG] = config(source, steps)
        steps = FamilySteps(source, network, HUGGING_FACE, spelling_of(network).halves).named(steps)
    elif CONFIG in source.blobs:
        beside[CONFIG] = source.blobs[CONFIG]
    if CHAT_TEMPLATE in source.blobs and tokenizer.template_of(source.blobs) != source.blobs[CHAT_TEMPLATE]:
        beside[CHAT_TEMPLATE] = source.blobs[CHAT_TEMPLATE]
    left_out = (name for name in source.blobs if name not in beside and name not in (CHAT_TEMPLATE, CONFIG))
    return Described(steps, beside, tuple(left_out))


def lay_out(source: Source, steps: tuple[Step, ...], cut: FileCut | None = None) -> Layout:
    """The layout of the file, or of several with their index."""
    made = described(source, steps)
    notes = tuple(f"{name} is left out: it is not a file of Hugging Face's" for name in made.left_out)
    tensors = {step.source.name: [plain_tensor(step)] for step in made.steps}
    where = placed(tensors) if cut is None else placed(tensors, cut.largest, cut.stem)
    beside = made.beside if cut is None or not where.index else {**made.beside, index_name(cut.stem): where.index}
    shards = where.shards if len(where.shards) > 1 else {}
    return Layout(made.steps, where.places, where.pieces, where.nbytes, beside, notes, shards)


def plain_tensor(step: Step) -> FileTensor:
    """The tensor of a step whose numbers are written as they are."""
    spec = registry[step.decision.tag]
    part = spec.parts[0]
    word = str(spec.foreign["safetensors"])
    return FileTensor(step.source.name, word, itemsize(part.dtype), step.source.shape, part.name)


KIND = ExportKind(
    "safetensors",
    "numbers, decoded where they are in blocks",
    ".safetensors",
    holds,
    lay_out,
    check,
    decodes=True,
    lay_out_cut=lay_out,
)
