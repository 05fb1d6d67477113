"""Export to safetensors: plain numbers as they are, all other formats decoded, with the files that describe them.

A model of the Llama family gets Hugging Face's names, its rows of q and k in halves, and a ``config.json``. Any other
model gets back the config that it came with. Files that came from such a folder, such as the tokenizer's, go back
unchanged.
"""

from __future__ import annotations

import json

import attrs

from fourcc.conversion.pipeline import Step
from fourcc.exporters.gguf_ends import ends_left_behind
from fourcc.exporters.huggingface_config import CONFIG, config
from fourcc.exporters.layout import ExportKind, Layout
from fourcc.exporters.rows import in_halves
from fourcc.naming import HUGGING_FACE, from_fourcc
from fourcc.plugins.registry import registry
from fourcc.settings import Params
from fourcc.sources import llama_family, tokenizer
from fourcc.sources.extent import single_part_spec
from fourcc.sources.source import Source
from fourcc.sources.tokenizer import CHAT_TEMPLATE
from fourcc.spec import FormatSpec

_METADATA = {"format": "pt"}  # some readers refuse a file without it
_ALONG = (tokenizer.JSON, tokenizer.SENTENCEPIECE, *tokenizer.COMPANIONS)


def holds(spec: FormatSpec, params: Params, shape: tuple[int, ...]) -> bool:  # noqa: ARG001 - every kind's signature
    """Whether safetensors has the dtype."""
    return single_part_spec(spec) and "safetensors" in spec.foreign


def check(source: Source, steps: tuple[Step, ...]) -> None:
    """Refuses a model of the family that a config cannot describe."""
    if source.architecture == llama_family.ARCHITECTURE:
        config(source, steps)


def lay_out(source: Source, steps: tuple[Step, ...]) -> Layout:
    """The layout of the file."""
    beside = {name: source.blobs[name] for name in _ALONG if name in source.blobs}
    if source.architecture == llama_family.ARCHITECTURE:
        source = attrs.evolve(source, hyper={**source.hyper, **ends_left_behind(source)})
        beside[CONFIG] = config(source, steps)
        steps = tuple(_named(in_halves(source, step)) for step in steps)
    elif CONFIG in source.blobs:
        beside[CONFIG] = source.blobs[CONFIG]
    if CHAT_TEMPLATE in source.blobs and tokenizer.template_of(source.blobs) != source.blobs[CHAT_TEMPLATE]:
        beside[CHAT_TEMPLATE] = source.blobs[CHAT_TEMPLATE]
    notes = [
        f"{name} is left out: it is not a file of Hugging Face's"
        for name in source.blobs
        if name not in beside and name not in (CHAT_TEMPLATE, CONFIG)
    ]
    header: dict[str, object] = {"__metadata__": _METADATA}
    offsets, end = {}, 0
    for step in steps:
        spec = registry[step.decision.tag]
        offsets[step.source.name] = (spec.parts[0].name, end)
        header[step.source.name] = {
            "dtype": spec.foreign["safetensors"],
            "shape": list(step.source.shape),
            "data_offsets": [end, end := end + step.decision.nbytes],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    head = len(text).to_bytes(8, "little") + text
    places = {name: {part: len(head) + at} for name, (part, at) in offsets.items()}
    return Layout(steps, places, {0: head}, len(head) + end, beside, tuple(notes))


def _named(step: Step) -> Step:
    name = from_fourcc(step.source.name, HUGGING_FACE) or step.source.name
    return attrs.evolve(step, source=attrs.evolve(step.source, name=name))


KIND = ExportKind(
    "safetensors", "numbers, decoded where they are in blocks", ".safetensors", holds, lay_out, check, decodes=True
)
