"""Export to a folder that transformers loads: weights in one file or in shards, and everything that describes them.

The folder gets ``config.json``, the tokenizer's files as they came, ``generation_config.json`` and a model card.
Weights are plain numbers (kind ``huggingface``), or matrices in another tool's layout, which the config states.
Such a layout quantizes the matrices of linear modules: an embedding, whose rows are looked up, stays as it is stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial

import attrs

from fourcc.conversion.pipeline import Step
from fourcc.errors import PluginError, UsageError, listed
from fourcc.exporters import safetensors
from fourcc.exporters.awq_layout import AWQ
from fourcc.exporters.compressed_layout import COMPRESSED
from fourcc.exporters.folder_options import SHARD_BYTES, FolderOptions
from fourcc.exporters.gptq_layout import GPTQ
from fourcc.exporters.huggingface_config import CONFIG
from fourcc.exporters.layout import ExportKind, Layout
from fourcc.exporters.model_card import CardFacts, model_card
from fourcc.exporters.shards import STEM, FileTensor, index_name, placed
from fourcc.exporters.weight_layout import HEAD, WEIGHT, LayoutWriter, is_float8, loading, module, modules_of
from fourcc.files.json_text import parse_object
from fourcc.format import Format
from fourcc.models.tokenizers.gguf_fields import unpacked
from fourcc.naming import HUGGING_FACE, split_name
from fourcc.networks import NETWORKS
from fourcc.networks.network import Network
from fourcc.plugins.registry import registry
from fourcc.policy import Policy, TensorInfo
from fourcc.settings import Params
from fourcc.sources.about import BLOB as ABOUT
from fourcc.sources.about import CARD, about_source
from fourcc.sources.family_names import spelling_of
from fourcc.sources.foreign_weights import KEY
from fourcc.sources.generation_config import GENERATION
from fourcc.sources.gguf_metadata import BLOB as KEYS
from fourcc.sources.source import Source
from fourcc.sources.tokenizer import GGUF

NAME = "huggingface"
LAYOUTS = {layout.name: layout for layout in (COMPRESSED, AWQ, GPTQ)}
SCHEME = "quantization_config"
_SUMMARY = "a folder that transformers loads: numbers, decoded where they are in blocks"
_ENDS = ("bos_token_id", "eos_token_id", "pad_token_id")
_LINEAR = ("attention.", "ffn.")  # starts of the roles of such matrices
_SHOWN = 6  # names in a message


def folder_kind(name: str, options: FolderOptions | None = None) -> ExportKind:
    """The kind of folder of a name: `NAME`, or a key of `LAYOUTS`."""
    settings, layout = options or FolderOptions(), LAYOUTS.get(name)
    if layout is None:
        lay_out_plain = partial(lay_out, None, settings)
        holds, check = safetensors.holds, safetensors.check
        return ExportKind(NAME, _SUMMARY, "", holds, lay_out_plain, check, decodes=True, folder=True)
    return ExportKind(
        name,
        layout.summary,
        "",
        partial(_holds, layout),
        partial(lay_out, layout, settings),
        safetensors.check,
        replacement=partial(_unquantized, layout),
        folder=True,
        blocks=_is_linear,
    )


def _holds(layout: LayoutWriter, fmt: Format, params: Params, shape: tuple[int, ...]) -> bool:
    return safetensors.holds(fmt, params, shape) or layout.holds(fmt, params, shape)


def _is_linear(source: Source, tensor: TensorInfo) -> bool:
    """Whether it is the matrix of a linear module, or a stack of such that the folder has one by one.

    Rows of an embedding are looked up, and a router is another module.
    """
    linear = any(role == "output" or role.startswith(_LINEAR) for role in tensor.roles)
    if not linear or "embedding" in tensor.roles:
        return False
    return len(tensor.shape) == 2 or (len(tensor.shape) == 3 and _one_by_one(source, tensor))


def _one_by_one(source: Source, tensor: TensorInfo) -> bool:
    """Whether a folder of this family has the matrices of a stack in tensors of their own."""
    network = NETWORKS.get(source.architecture or "")
    stacks = () if network is None else spelling_of(network).stacked
    template = split_name(tensor.name)[0]
    return any(stack.into == template and HUGGING_FACE in stack.names for stack in stacks)


def _unquantized(layout: LayoutWriter, source: Source, steps: tuple[Step, ...], group: int | None) -> Policy:  # noqa: ARG001 - as any kind's
    """The policy for tensors that are no matrix of a linear module: they stay as they are stored.

    Raises:
        UsageError: a matrix of a linear module is in a format that the layout has no place for.
    """
    unknown = source.architecture not in NETWORKS
    matrices = [step for step in steps if len(step.source.shape) > 1 and step.decision.tensor.real]
    if unknown and not all(_is_linear(source, step.decision.tensor) or _plain(step) for step in matrices):
        raise _no_module(source, next(step for step in matrices if not _plain(step)))
    lost = [step for step in matrices if _is_linear(source, step.decision.tensor) and not _fits(layout, step)]
    if lost:
        tags = ", ".join(sorted({str(step.decision.tag) for step in lost}))
        names = listed((step.source.name for step in lost), _SHOWN)
        what = f"{layout.name} has no place for {len(lost)} tensor{'s' * (len(lost) != 1)} in {tags}: {names}"
        hint = (
            f"It holds matrices in {', '.join(_held_by(layout))}, whole groups in each row, and plain numbers. "
            "--format TAG makes such; --to huggingface writes decoded weights, whatever the format."
        )
        raise UsageError(what, file=source.path, hint=hint)
    return Policy.keep()


def _fits(layout: LayoutWriter, step: Step) -> bool:
    try:
        fmt = registry[step.decision.tag]
    except PluginError:  # missing or broken, so its layout is not known
        return False
    return _holds(layout, fmt, step.decision.params, step.source.shape)


def _held_by(layout: LayoutWriter) -> list[str]:
    """Tags of the formats whose blocks the layout holds, by a matrix that any of them fits."""
    square = (1 << 12, 1 << 12)
    fits = [fmt for fmt, _ in registry.working() if layout.holds(fmt, fmt.with_defaults(), square)]
    return sorted(str(fmt.tag) for fmt in fits)


def lay_out(layout: LayoutWriter | None, options: FolderOptions, source: Source, steps: tuple[Step, ...]) -> Layout:
    """The layout of the folder."""
    made = safetensors.described(source, steps)
    tensors, quantized = _file_tensors(layout, source, made.steps)
    beside = {name: data for name, data in made.beside.items() if name != CARD}
    if CONFIG in beside:
        beside[CONFIG] = _config(beside[CONFIG], layout, source, made.steps, quantized)
    if GENERATION not in beside:
        beside |= _generation(beside.get(CONFIG, b"{}"))
    where = placed(tensors, options.largest or SHARD_BYTES)
    beside |= {index_name(STEM): where.index} if where.index else {}
    facts = CardFacts(
        about_source(source.blobs, source.path),
        made.steps,
        {name: sum(tensor.nbytes for tensor in some) for name, some in tensors.items()},
        layout.name if layout is not None and quantized else None,
        options.policy,
        options.measured,
        options.title,
        loading() if layout is None else layout.load(quantized),
    )
    return Layout(
        tuple(_uncopied(step) if step in quantized else step for step in made.steps),
        where.places,
        where.pieces,
        where.nbytes,
        beside,
        tuple(_notes(layout, made)),
        where.shards,
        {step.source.name: layout.pack_of(step) for step in quantized} if layout is not None else {},
        {CARD: partial(model_card, facts)},
    )


def _file_tensors(
    layout: LayoutWriter | None, source: Source, steps: Iterable[Step]
) -> tuple[dict[str, list[FileTensor]], list[Step]]:
    """The tensors in the files of each step, and the steps that are quantized matrices."""
    tensors, quantized = {}, []
    for step in steps:
        if layout is not None and layout.quantizes(step):
            _refuse_no_module(source, step)
            quantized.append(step)
            tensors[step.source.name] = layout.tensors_of(step)
        else:
            tensors[step.source.name] = [safetensors.plain_tensor(step)]
    return tensors, quantized


def _refuse_no_module(source: Source, step: Step) -> None:
    """Refuses a quantized matrix of which nothing says that a linear module multiplies with it."""
    network = NETWORKS.get(source.architecture or "")
    known = network is not None and _is_linear(source, step.decision.tensor) and not _transposed(network, step)
    if known and step.source.name.endswith(WEIGHT) and len(step.source.shape) == 2:
        return
    raise _no_module(source, step)


def _no_module(source: Source, step: Step) -> UsageError:
    """The refusal of a quantized matrix that no linear module is known to multiply with."""
    what = "no linear module is known that takes this matrix, and such a layout quantizes only those"
    found, expected = f"{step.decision.tag}, in a model of the architecture {source.architecture}", None
    if source.architecture not in NETWORKS:
        expected = ", ".join(NETWORKS)
    hint = "--as says what plain numbers it becomes."
    return UsageError(what, file=source.path, tensor=step.source.name, found=found, expected=expected, hint=hint)


def _plain(step: Step) -> bool:
    """Whether a tensor is written as plain numbers that need no scale."""
    fmt = registry[step.decision.tag]
    return safetensors.holds(fmt, step.decision.params, step.source.shape) and not is_float8(fmt)


def _transposed(network: Network, step: Step) -> bool:
    """Whether the folder has a matrix with columns for rows: its module is no linear one."""
    template = split_name(step.decision.tensor.name)[0]
    return template in spelling_of(network).transposed.get(HUGGING_FACE, ())


def _uncopied(step: Step) -> Step:
    """The step, which is read part by part: its parts are not written as they lie in another container."""
    return attrs.evolve(step, source=attrs.evolve(step.source, copy=None))


def _config(
    data: bytes, layout: LayoutWriter | None, source: Source, steps: Iterable[Step], quantized: list[Step]
) -> bytes:
    """The config, which says how matrices are quantized; what it said of other weights is gone."""
    fields = json.loads(data)
    fields.setdefault("pad_token_id", _padding(source))  # else a class may take one of its own, beyond the vocabulary
    if KEY not in source.hyper:  # else the tensors are as that scheme has them
        fields.pop(SCHEME, None)
    if layout is not None and quantized:
        modules = {name for step in quantized for name in modules_of(step)}
        matrices = [step for step in steps if len(step.source.shape) == 2 and step.source.name.endswith(WEIGHT)]
        plain = [module(step) for step in matrices if "embedding" not in step.decision.tensor.roles]
        others = [name for name in dict.fromkeys([*plain, HEAD]) if name not in modules]
        fields[SCHEME] = layout.config(quantized, others)
    return (json.dumps(fields, indent=2, ensure_ascii=False) + "\n").encode()


def _padding(source: Source) -> object:
    """The token that fills up texts, as the generation config or a GGUF tokenizer names it; None where nothing does."""
    stated = parse_object(source.blobs.get(GENERATION, b"{}"), f"{source.path} ({GENERATION})").get("pad_token_id")
    if stated is None and GGUF in source.blobs:
        stated = unpacked(source.blobs[GGUF], source.path).get("tokenizer.ggml.padding_token_id")
    return stated if type(stated) is int else None


def _generation(config: bytes) -> dict[str, bytes]:
    """The ``generation_config.json`` of a model that came without one: the tokens that begin and end a text."""
    fields = json.loads(config)
    said = {name: fields[name] for name in _ENDS if fields.get(name) is not None}
    return {GENERATION: (json.dumps(said, indent=2) + "\n").encode()} if said else {}


def _notes(layout: LayoutWriter | None, made: safetensors.Described) -> Iterable[str]:
    """Notes on what is left out, and on what stays as it was stored though a format was given."""
    for name in made.left_out:
        if name not in (ABOUT, KEYS):  # the card tells what they say of the model
            yield f"{name} is left out: it is not a file of Hugging Face's"
    kept = [step for step in made.steps if step.decision.keep and step.decision.fallback_from is not None]
    if layout is not None and kept:
        tags = ", ".join(sorted({str(step.decision.tag) for step in kept}))
        names = listed((step.source.name for step in kept), _SHOWN)
        stay = "stay" if len(kept) > 1 else "stays"
        yield f"{names} {stay} in {tags} as stored: {layout.name} quantizes the matrices of linear modules"
