"""GGUF, versions 2 and 3, little-endian. The head is read by `fourcc.sources.gguf_header`.

Of the Llama architecture the tensors get fourcc's names; the rows of q and k are adjacent pairs already. The keys
``tokenizer.*`` become a blob, a msgpack map in the file's order.
"""

from __future__ import annotations

import struct
from contextlib import ExitStack
from itertools import islice
from math import inf, prod
from pathlib import Path

import attrs

from fourcc.errors import SourceError
from fourcc.files import ReadFile
from fourcc.naming import GGUF, to_fourcc
from fourcc.registry import registry
from fourcc.sources import llama, tokenizer
from fourcc.sources.extent import Extent, single_part, stored_bytes
from fourcc.sources.gguf_header import MAGIC, GgufTensor, Head, Value, read_head
from fourcc.sources.source import Hyper, Scalar, Source, SourceTensor, storable
from fourcc.spec import FormatSpec

KIND = "GGUF"
ARCHITECTURE_KEY = "general.architecture"
SPLIT_KEY = "split.count"
FAMILY = ("llama", "mistral")  # values of general.architecture
MAX_NUMBER = 2**63 - 1

_COUNTS = {  # fourcc's word -> the key behind "llama."
    "dim": "embedding_length",
    "hidden_dim": "feed_forward_length",
    "n_layers": "block_count",
    "n_heads": "attention.head_count",
    "n_kv_heads": "attention.head_count_kv",
    "head_dim": "attention.key_length",
    "vocab_size": "vocab_size",
    "seq_len": "context_length",
}
_SHOWN = 4  # names in a note


def recognises(path: Path, head: bytes) -> bool:  # noqa: ARG001 - every kind's signature
    """Whether it starts with GGUF's magic."""
    return head.startswith(MAGIC)


def open_gguf(path: Path) -> Source:
    """A GGUF file as a source.

    Raises:
        SourceError: the head cannot be true, or tensors are in layouts that no installed format has.
    """
    with ExitStack() as stack:
        file = ReadFile(path, SourceError)
        stack.callback(file.close)
        head = read_head(file)
        _refuse_split(file, head)
        specs = _specs(file, head.tensors)
        tensors, notes = _tensors(file, head, specs)
        notes = [f"the key {key!r} stands twice, with one value" for key in head.repeated] + notes
        vocabulary = {key: value for key, value in head.values.items() if key.startswith("tokenizer.")}
        source = Source(
            path=path,
            kind=KIND,
            tensors=tensors,
            files=(path,),
            blobs={tokenizer.GGUF: _packed(vocabulary)} if vocabulary else {},
            notes=tuple(notes),
        )
        if head.values.get(ARCHITECTURE_KEY) in FAMILY:
            source = _as_llama(source, head.values)
        return attrs.evolve(source, close=stack.pop_all().close)


def _refuse_split(file: ReadFile, head: Head) -> None:
    """A file that is one of several holds only some of the tensors."""
    count = head.values.get(SPLIT_KEY)
    if isinstance(count, int) and count > 1:
        what = f"one of {count} files of a split model"
        raise SourceError(what, file=file.path, hint="Merge them first: `gguf-split --merge`.")


def _packed(values: dict[str, Value]) -> bytes:
    import msgpack

    packed: bytes = msgpack.packb(values, default=lambda numbers: numbers.tolist())
    return packed


def _specs(file: ReadFile, infos: tuple[GgufTensor, ...]) -> dict[int, FormatSpec]:
    """The format of each ggml type; all tensors whose type is not known are named at once."""
    found = {number: registry.foreign("ggml", number) for number in {info.ggml_type for info in infos}}
    specs = {number: known.spec for number, known in found.items() if known is not None and single_part(known)}
    unknown = [info for info in infos if info.ggml_type not in specs]
    if unknown:
        types = ", ".join(map(str, sorted({info.ggml_type for info in unknown})))
        raise SourceError(
            f"{len(unknown)} of {len(infos)} tensors are in layouts that no installed format has (ggml type {types}): "
            + ", ".join(f"{info.name!r} type {info.ggml_type}" for info in unknown),
            file=file.path,
            offset=unknown[0].at,
            hint="Install packages whose formats declare these types, or convert from another file of the model.",
        )
    return specs


def _tensors(file: ReadFile, head: Head, specs: dict[int, FormatSpec]) -> tuple[tuple[SourceTensor, ...], list[str]]:
    """The tensors, which must lie one behind the other, each padded to the alignment."""
    tensors, end = [], 0
    for info in head.tensors:
        spec = specs[info.ggml_type]
        nbytes = _checked_bytes(file, info, spec)
        expected = -(-end // head.alignment) * head.alignment
        if info.offset != expected:
            raise _refusal(file, info, "the offset is not where the tensor before ends", info.offset, expected)
        end = info.offset + nbytes
        if head.data + end > file.size:
            raise _refusal(file, info, "the file is cut", f"{file.size} bytes", f"at least {head.data + end} bytes")
        extent = Extent(file, head.data + info.offset, info.shape, spec)
        tensors.append(
            SourceTensor(name=info.name, source_name=info.name, shape=info.shape, tag=spec.tag, read=extent.read)
        )
    beyond = file.size - (head.data + -(-end // head.alignment) * head.alignment)
    return tuple(tensors), [f"{beyond} bytes follow the last tensor"] if beyond > 0 else []


def _checked_bytes(file: ReadFile, info: GgufTensor, spec: FormatSpec) -> int:
    if max(prod(info.shape), *info.shape, 0) > MAX_NUMBER:
        raise _refusal(file, info, "the tensor cannot be so large", f"shape {list(info.shape)}", None)
    misfit = spec.misfit(info.shape)
    if misfit is not None:
        raise _refusal(file, info, f"the shape does not go with ggml type {info.ggml_type}", misfit, None)
    return stored_bytes(spec, info.shape)


def _refusal(file: ReadFile, info: GgufTensor, what: str, found: object, expected: object) -> SourceError:
    return SourceError(what, file=file.path, tensor=info.name, offset=info.at, found=found, expected=expected)


def _as_llama(source: Source, values: dict[str, Value]) -> Source:
    """Fourcc's names and hyper-parameters; what does not go together is noted, the model's loader decides."""
    named = [attrs.evolve(tensor, name=to_fourcc(tensor.name, GGUF) or tensor.name) for tensor in source.tensors]
    if len({tensor.name for tensor in named}) < len(named):
        raise SourceError("two spellings of one tensor's name", file=source.path)
    hyper = _hyper(values, named)
    notes = [
        f"{wrong.tensor.source_name}: found {wrong.found}, the keys say {wrong.expected}"
        for wrong in islice(llama.contradictions(named, hyper), _SHOWN)
    ]
    gap = llama.incomplete(named, hyper) if named else None
    if gap is not None:
        notes.append(gap)
    return attrs.evolve(
        source,
        tensors=llama.in_model_order(named),
        architecture=llama.ARCHITECTURE,
        hyper=hyper,
        notes=(*source.notes, *notes),
    )


def _hyper(values: dict[str, Value], tensors: list[SourceTensor]) -> Hyper:
    """The hyper-parameters, as far as the keys tell; a key that is no positive number tells nothing."""
    prefix = f"{values[ARCHITECTURE_KEY]}."
    given = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    hyper: dict[str, Scalar | list[Scalar]] = {
        ours: value for ours, theirs in _COUNTS.items() if type(value := given.get(theirs)) is int and value > 0
    }
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    if "tok_embeddings" in shapes:
        hyper.setdefault("vocab_size", shapes["tok_embeddings"][0])
    dim, heads = hyper.get("dim"), hyper.get("n_heads")
    if isinstance(dim, int) and isinstance(heads, int) and heads <= dim:
        hyper.setdefault("n_kv_heads", heads)
        hyper.setdefault("head_dim", dim // heads)
    hyper["norm_eps"] = _positive(given.get("attention.layer_norm_rms_epsilon"), 1e-5)
    hyper["rope_theta"] = _positive(given.get("rope.freq_base"), 10000.0)
    hyper["rope_pairing"] = "adjacent"
    hyper["tied_embeddings"] = "output" not in shapes and "tok_embeddings" in shapes
    for key, value in given.items():
        if key.startswith("rope.scaling.") and storable(value):
            word = f"rope_scaling.{key.removeprefix('rope.scaling.')}"
            hyper[word] = _shortest(value) if isinstance(value, float) else value
    return hyper


def _positive(value: Value, default: float) -> float:
    return _shortest(value) if isinstance(value, float) and 0 < value < inf else default


def _shortest(value: float) -> float:
    """The shortest decimal that is the same float32: GGUF's 9.999999747378752e-06 was 1e-5."""
    as_float32 = struct.Struct("<f")
    for digits in range(1, 9):
        short = float(f"{value:.{digits}g}")
        if as_float32.unpack(as_float32.pack(short))[0] == value:
            return short
    return value
