"""Export to llama2.c's checkpoints. `fourcc.sources.llama2c` draws versions 0, 1 and 2.

Versions 0 and 1 are float32. Version 2 has int8 codes and a float32 scale for each group of the flattened matrix:
groups within rows are one format here, groups that cross the ends of rows another; the file has one layout for both.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial
from itertools import islice
from math import prod

import numpy as np

from fourcc.conversion.pipeline import Step
from fourcc.errors import UsageError
from fourcc.exporters.layout import ExportKind, Layout
from fourcc.exporters.refusals import refuse_heads, refuse_impossible, refuse_scheme, refuse_unsaid
from fourcc.models.architecture import Architecture
from fourcc.networks.llama import LLAMA
from fourcc.plugins.registry import registry
from fourcc.policy import Policy
from fourcc.policy.writing import rules_text
from fourcc.settings import Params
from fourcc.sources.extent import foreign_format, number_format
from fourcc.sources.llama2c import KIND as NAME
from fourcc.sources.llama2c import MAGIC, NORM_EPS, ROPE_THETA
from fourcc.sources.source import Source
from fourcc.spec import FormatSpec

IN_ROWS, ACROSS_ROWS = "int8 groups", "int8 flat groups"  # ids of the formats of version 2
GROUP = 64  # halved until it divides the rows, as llama2.c's export.py does
HEADER_BYTES = 256  # of versions 1 and 2
_FIELDS = ("dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "seq_len")
_SAID = (
    "head_dim",
    "rope_theta",
    "norm_eps",
    "rope_pairing",
    "tied_embeddings",
)  # other fields or the program fix them
_NOTED = {"bos_token_id": 1, "eos_token_id": 2}  # the program's own tokens, which the file cannot change
_ATTENTION = tuple(f"layers.*.attention.{name}" for name in ("wq", "wk", "wv", "wo"))
_FEED_FORWARD = tuple(f"layers.*.feed_forward.{name}" for name in ("w1", "w2", "w3"))
_SHOWN = 4  # names in a message
MOST_TABLES = 1 << 26  # bytes of version 0's tables: 131,072 positions where heads are 128 wide
_CHUNK = 4096  # positions per piece of the rotation tables


def order(version: int, layers: int, *, shared: bool) -> Iterator[str]:
    """The tensors' names in the file's order; an empty name stands for version 0's tables of cosines and sines."""
    norms = ("layers.*.attention_norm", "layers.*.ffn_norm")
    if version == 0:
        kinds = ("tok_embeddings", norms[0], *_ATTENTION, norms[1], *_FEED_FORWARD, "norm", "")
    else:
        kinds = (*norms, "norm", "tok_embeddings", *_ATTENTION, *_FEED_FORWARD)
    for kind in kinds if shared else (*kinds, "output"):
        yield from (kind.replace("*", str(layer)) for layer in range(layers if "*" in kind else 1))


def check(source: Source, steps: tuple[Step, ...]) -> None:
    """Refuses a model that llama2.c would run as another one, or could not run."""

    def refusal(what: str, found: object, expected: object) -> UsageError:
        whole = f"a {NAME} checkpoint cannot be made of this model: {what}"
        return UsageError(whole, file=source.path, found=found, expected=expected)

    hyper = source.hyper
    refuse_scheme(source, NAME)
    if source.architecture != LLAMA.name:
        raise refusal("its architecture", source.architecture or "nothing", LLAMA.name)
    refuse_heads(source, steps, NAME)
    refuse_impossible(source)
    lacking = [name for name in _FIELDS if type(hyper.get(name)) is not int]
    if lacking:
        raise refusal(f"{', '.join(lacking)} unknown", None, None)
    sizes = Architecture.of(source.architecture, hyper, source.path)
    fixed = {
        "head_dim": (sizes.head_dim, sizes.dim // sizes.n_heads),
        "rope_theta": (sizes.rope_theta, ROPE_THETA),
        "norm_eps": (sizes.norm_eps, NORM_EPS),
        "rope_scaling": (dict(sizes.rope_scaling), {}),
    }
    for word, (found, expected) in fixed.items():
        if found != expected:
            raise refusal(f"{word} is no field of the file", found, f"{expected}, as {NAME} computes")
    names = {step.source.name for step in steps}
    said = {**dict.fromkeys(_SAID), **hyper} | {"rope_pairing": "adjacent"}
    refuse_unsaid(source, {name: said[name] for name in (*_FIELDS, *_SAID)}, NAME, elsewhere=_NOTED)
    ordered = filter(None, order(1, sizes.n_layers, shared="output" not in names))
    wanted = set(islice(ordered, len(names) + _SHOWN))  # a false number of layers makes names without end
    for what, differing in (("it lacks tensors", wanted - names), ("it has more tensors", names - wanted)):
        if differing:
            raise refusal(what, ", ".join(sorted(differing)[:_SHOWN]), None)


def holds_numbers(spec: FormatSpec, params: Params, shape: tuple[int, ...]) -> bool:  # noqa: ARG001 - as its neighbours
    """Whether the format is float32."""
    return spec.foreign.get("numpy") == "<f4"


def holds_groups(spec: FormatSpec, params: Params, shape: tuple[int, ...]) -> bool:
    """Whether the tensor is a vector of float32, or a matrix of int8 groups that are all full."""
    if len(shape) < 2:
        return holds_numbers(spec, params, shape)
    group = params.get("group")
    within = {IN_ROWS: shape[-1], ACROSS_ROWS: prod(shape)}.get(str(spec.foreign.get(NAME)))
    return within is not None and isinstance(group, int) and within % group == 0


def to_groups(source: Source, steps: tuple[Step, ...], group: int | None) -> Policy:
    """The policy that brings every matrix into groups, of the wanted size or else of the size that matrices have."""
    size = group or _usual_group(source, steps)
    _check_group(source, steps, size)
    within, across = (foreign_format(NAME, identity, source.path).tag for identity in (IN_ROWS, ACROSS_ROWS))
    narrow = number_format("<f4", source.path).tag
    settings = {"params": {"group": size}, "optional": True}
    return Policy.parse(
        rules_text(
            [
                {"dims": "<2", "tag": str(narrow), "optional": True},
                {"dims": ">=2", "cols": f"%{size}", "tag": str(within), **settings},
                {"dims": ">=2", "tag": str(across), **settings},
            ]
        )
    )


def _check_group(source: Source, steps: tuple[Step, ...], group: int) -> None:
    """Refuses a size that leaves a short group, which the file cannot hold."""
    for step in steps:
        if len(step.source.shape) > 1 and prod(step.source.shape) % group:
            what = f"groups of {group} do not divide the {prod(step.source.shape)} weights"
            raise UsageError(what, file=source.path, tensor=step.source.name, hint="--group-size takes another size.")


def _is_grouped(step: Step) -> bool:
    spec = registry[step.decision.tag]
    return len(step.source.shape) > 1 and holds_groups(spec, step.decision.params, step.source.shape)


def _usual_group(source: Source, steps: tuple[Step, ...]) -> int:
    """The group size of the matrices that have groups, if they agree; else the size that llama2.c would take."""
    present: set[int] = {step.decision.params["group"] for step in steps if _is_grouped(step)}
    if len(present) == 1:
        return present.pop()
    group = GROUP
    while int(str(source.hyper["dim"])) % group:
        group //= 2
    return group


def lay_out(version: int, source: Source, steps: tuple[Step, ...]) -> Layout:
    """The layout of the file."""
    by_name = {step.source.name: step for step in steps}
    shared = "output" not in by_name
    sizes = Architecture.of(source.architecture, source.hyper, source.path)
    pieces = {0: _header(version, source, steps, shared=shared)}
    places: dict[str, dict[str, int]] = {}
    end = len(pieces[0])
    for name in order(version, sizes.n_layers, shared=shared):
        if name:
            places[name] = _parts(by_name[name], end)
            end += by_name[name].decision.nbytes
        else:
            pieces[end] = _tables(sizes, source.path)
            end += len(pieces[end])
    notes = [f"{name} is left out: a {NAME} checkpoint has no place for it" for name in source.blobs]
    for name, own in _NOTED.items():
        value = source.hyper.get(name, own)
        notes += [] if value in (own, [own]) else [f"{name} {value} is left out: {NAME} takes {own}"]
    return Layout(steps, places, pieces, end, notes=tuple(notes))


def _parts(step: Step, start: int) -> dict[str, int]:
    """Offsets of a tensor's parts: codes first, then scales."""
    spec, shape = registry[step.decision.tag], step.source.shape
    if len(spec.parts) == 1:
        return {spec.parts[0].name: start}
    scales, codes = spec.parts
    return {codes.name: start, scales.name: start + prod(shape)}


def _header(version: int, source: Source, steps: tuple[Step, ...], *, shared: bool) -> bytes:
    values = [int(str(source.hyper[name])) for name in _FIELDS]
    if version == 0:
        values[_FIELDS.index("vocab_size")] *= 1 if shared else -1
        return struct.pack("<7i", *values)
    groups = {step.decision.params["group"] for step in steps if "group" in step.decision.params}
    if len(groups) > 1:
        found = ", ".join(map(str, sorted(map(int, map(str, groups)))))
        raise UsageError(
            "the tensors have groups of different sizes", file=source.path, found=found, hint="Convert them first."
        )
    tail = b"".join(struct.pack("<i", group) for group in groups)
    return (MAGIC + struct.pack("<i7iB", version, *values, shared) + tail).ljust(HEADER_BYTES, b"\0")


def _tables(sizes: Architecture, file: object) -> bytes:
    """Cosines of all positions, then sines, float32 (seq_len, head_dim / 2) each."""
    size = 4 * sizes.seq_len * sizes.head_dim
    if size > MOST_TABLES:
        what, hint = f"{NAME}'s version 0 has tables of all positions, seq_len {sizes.seq_len}", "Version 1 has none."
        raise UsageError(what, file=file, found=f"{size} bytes", expected=f"at most {MOST_TABLES}", hint=hint)
    both = np.empty((2, sizes.seq_len, sizes.head_dim // 2), "<f4")
    for start in range(0, sizes.seq_len, _CHUNK):
        end = min(start + _CHUNK, sizes.seq_len)
        both[:, start:end] = sizes.turns.table(end, start).reshape(end - start, 2, -1).transpose(1, 0, 2)
    return both.tobytes()


def _kind(version: int, summary: str) -> ExportKind:
    return ExportKind(
        name=f"llama2c-v{version}",
        summary=summary,
        suffix="",
        holds=holds_groups if version == 2 else holds_numbers,
        lay_out=partial(lay_out, version),
        check=check,
        decodes=version != 2,
        replacement=to_groups if version == 2 else None,
    )


KINDS = (
    _kind(0, "llama2.c's first checkpoint: float32"),
    _kind(1, "float32, with a magic and a version"),
    _kind(2, "int8 groups, for llama2.c's runq"),
)
