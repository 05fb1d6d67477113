"""llama2.c's own checkpoints: versions 0, 1 and 2, as its ``export.py`` writes them.

::

    v0   7 x i32 header; no magic. vocab_size < 0: the output matrix is stored too. Holds RoPE tables, which are skipped
    v1   256 bytes of header: u32 magic, i32 version, 7 x i32, u8 shared output matrix; then float32
    v2   as v1, with i32 group_size at byte 37; a matrix is int8 codes, then a float32 scale for every group

A group of v2 runs through the flattened tensor, perhaps across the ends of rows: weight i has scale i // group_size.
Codes and scales are taken as they are. All numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from math import prod
from pathlib import Path

import attrs

from fourcc.errors import SourceError
from fourcc.files.read import ReadFile
from fourcc.files.signatures import is_tokenizer
from fourcc.naming import position
from fourcc.sources.extent import Extent, Planes, foreign_format, number_format
from fourcc.sources.source import Hyper, Source, SourceTensor

MAGIC = b"24ka"  # u32 0x616b3432
KIND = "llama2.c"
NORM_EPS, ROPE_THETA = 1e-5, 10000.0  # fixed in llama2.c, in no header

_FIELDS = ("dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "seq_len")
SEVEN = struct.Struct("<7i")
HEADER_BYTES = {0: SEVEN.size, 1: 256, 2: 256}
_FLAG_OFFSET = 36
_GROUP = struct.Struct("<i")  # directly behind the flag, unaligned
_PLAUSIBLE = 1 << 24  # a field of a header is less; text and floats read as integers are mostly more


@attrs.frozen
class Header:
    """A header's fields, checked.

    Attributes:
        version: 0, 1 or 2.
        shared: whether the embedding is the output matrix too.
        group: weights that share a scale, in version 2.
    """

    version: int
    dim: int
    hidden_dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    vocab_size: int
    seq_len: int
    shared: bool
    group: int = 0

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.dim // self.n_heads


def recognises(path: Path, head: bytes) -> bool:  # noqa: ARG001 - every kind's signature
    """Whether it is a llama2.c checkpoint. Version 0 has no magic: five of its seven numbers must make sense."""
    if head.startswith(MAGIC):
        return True
    if len(head) < SEVEN.size or is_tokenizer(head):
        return False
    values: tuple[int, ...] = SEVEN.unpack_from(head)
    return sum(0 < abs(value) < _PLAUSIBLE for value in values) >= len(_FIELDS) - 2


def plausible(head: bytes) -> Header | None:
    """The header of version 0 that a file seems to have, or None where it has none."""
    if len(head) < SEVEN.size or head.startswith(MAGIC):
        return None
    values = dict(zip(_FIELDS, SEVEN.unpack_from(head), strict=True))
    sizes = {name: abs(value) if name == "vocab_size" else value for name, value in values.items()}
    header = Header(version=0, shared=values["vocab_size"] > 0, **sizes)
    if not all(0 < size < _PLAUSIBLE for size in sizes.values()):
        return None
    return None if header.dim % (2 * header.n_heads) or header.n_heads % header.n_kv_heads else header


def open_llama2c(path: Path) -> Source:
    """A llama2.c checkpoint as a source.

    Raises:
        SourceError: the header cannot be true, or the file's length is not what it asks for.
    """
    with ExitStack() as stack:
        file = ReadFile(path, SourceError)
        stack.callback(file.close)
        header = read_header(file)
        _check_groups(file, header)
        runs = _runs_in(file, header)
        tensors = list(_tensors(file, header, runs))
        return Source(
            path=path,
            kind=f"{KIND} v{header.version}",
            tensors=tuple(sorted(tensors, key=lambda tensor: position(tensor.name))),
            files=(path,),
            architecture="llama",
            hyper=hyper_of(header),
            notes=_notes(header, runs),
            close=stack.pop_all().close,
        )


def _notes(header: Header, runs: list[TensorRun]) -> tuple[str, ...]:
    odd = header.version == 0 and all(run.name for run in runs)
    return ("the file has no RoPE tables, and needs none",) if odd else ()


def hyper_of(header: Header) -> Hyper:
    """Hyper-parameters in fourcc's words."""
    return {
        **{name: getattr(header, name) for name in _FIELDS},
        "head_dim": header.head_dim,
        "norm_eps": NORM_EPS,
        "rope_theta": ROPE_THETA,
        "rope_pairing": "adjacent",
        "tied_embeddings": header.shared,
    }


def read_header(file: ReadFile) -> Header:
    """The header of any version. Raises SourceError where it cannot be true."""
    start = bytes(file.read(0, min(file.size, HEADER_BYTES[1])))
    if not start.startswith(MAGIC):
        if len(start) < SEVEN.size:
            raise refusal(file, "the file is too short for a header", 0, f"{len(start)} bytes", f"{SEVEN.size} bytes")
        values = dict(zip(_FIELDS, SEVEN.unpack_from(start), strict=True))
        header = Header(version=0, shared=values["vocab_size"] > 0, **_positive(file, values, 0))
    else:
        header = _numbered_header(file, start)
    _check_heads(file, header)
    return header


def _numbered_header(file: ReadFile, start: bytes) -> Header:
    """The header of version 1 or 2."""
    if len(start) < HEADER_BYTES[1]:
        raise refusal(file, "the file is cut in its header", len(start), f"{len(start)} bytes", "256 bytes")
    version = _GROUP.unpack_from(start, 4)[0]
    if version not in (1, 2):
        raise refusal(file, "unknown version of a llama2.c checkpoint", 4, version, "1 or 2")
    values = dict(zip(_FIELDS, SEVEN.unpack_from(start, 8), strict=True))
    if values["vocab_size"] < 0:
        raise refusal(file, "vocab_size is out of range", 28, values["vocab_size"], "a positive number")
    flag, group, used = start[_FLAG_OFFSET], 0, _FLAG_OFFSET + 1
    if flag > 1:
        raise refusal(file, "the flag for a shared output matrix is no truth value", _FLAG_OFFSET, flag, "0 or 1")
    if version == 2:
        group, used = _GROUP.unpack_from(start, used)[0], used + _GROUP.size
        if group < 1:
            raise refusal(file, "group_size is out of range", _FLAG_OFFSET + 1, group, "a positive number")
    for at in range(used, len(start)):
        if start[at]:
            raise refusal(file, "the header's padding is not zero", at, start[at], "0")
    return Header(version=version, shared=bool(flag), group=group, **_positive(file, values, 8))


def _positive(file: ReadFile, values: dict[str, int], offset: int) -> dict[str, int]:
    """The fields, all above 0: the sign of vocab_size is a flag. Raises SourceError where one is out of range."""
    for number, (name, value) in enumerate(values.items()):
        lowest = -(2**31) + 1 if name == "vocab_size" else 1
        if value < lowest or value == 0:
            raise refusal(file, f"{name} is out of range", offset + 4 * number, value, "a positive number")
    return {name: abs(value) for name, value in values.items()}


def _check_heads(file: ReadFile, header: Header) -> None:
    first = 0 if header.version == 0 else 8
    if header.dim % (2 * header.n_heads):
        what = f"n_heads {header.n_heads} does not divide dim {header.dim} into heads of even width"
        raise refusal(file, what, first + 12, header.n_heads, f"a divisor of {header.dim // 2}")
    if header.n_heads % header.n_kv_heads:
        what = f"n_kv_heads {header.n_kv_heads} does not divide n_heads {header.n_heads}"
        raise refusal(file, what, first + 16, header.n_kv_heads, f"a divisor of {header.n_heads}")


def refusal(file: ReadFile, what: str, offset: int, found: object, expected: object) -> SourceError:
    """The error for a file that cannot be what it is taken for."""
    hint = "Is it a llama2.c checkpoint? Version 0 has no mark to know it by."
    return SourceError(what, file=file.path, offset=offset, found=found, expected=expected, hint=hint)


@attrs.frozen
class TensorRun:
    """Tensors of one kind, layer after layer.

    Attributes:
        name: a template; empty: RoPE tables.
        shape: of one layer's tensor.
        layers: how many.
        grouped: whether it is stored as int8 codes with a scale for every group.
    """

    name: str
    shape: tuple[int, ...]
    layers: int = 1
    grouped: bool = False

    @property
    def weights(self) -> int:
        """Weights of one layer."""
        return prod(self.shape)

    def nbytes(self, header: Header) -> int:
        """Bytes of one layer."""
        count = self.weights
        return count + 4 * (count // header.group) if self.grouped else 4 * count


def runs_of(header: Header) -> Iterator[TensorRun]:
    """The runs behind the header, in the file's order; RoPE tables have no name."""
    dim, hidden, layers = header.dim, header.hidden_dim, header.n_layers
    kv_dim, grouped = header.n_kv_heads * header.head_dim, header.version == 2
    embedding = TensorRun("tok_embeddings", (header.vocab_size, dim), grouped=grouped)
    attention_norm = TensorRun("layers.*.attention_norm", (dim,), layers)
    attention = [
        TensorRun(f"layers.*.attention.{name}", shape, layers, grouped)
        for name, shape in (("wq", (dim, dim)), ("wk", (kv_dim, dim)), ("wv", (kv_dim, dim)), ("wo", (dim, dim)))
    ]
    ffn_norm = TensorRun("layers.*.ffn_norm", (dim,), layers)
    feed_forward = [
        TensorRun(f"layers.*.feed_forward.{name}", shape, layers, grouped)
        for name, shape in (("w1", (hidden, dim)), ("w2", (dim, hidden)), ("w3", (hidden, dim)))
    ]
    norm = TensorRun("norm", (dim,))
    if header.version == 0:
        rope = TensorRun("", (2, header.seq_len, header.head_dim // 2))  # cosines and sines
        yield from (embedding, attention_norm, *attention, ffn_norm, *feed_forward, norm, rope)
    else:
        yield from (attention_norm, ffn_norm, norm, embedding, *attention, *feed_forward)
    if not header.shared:
        yield TensorRun("output", (header.vocab_size, dim), grouped=grouped)


def _check_groups(file: ReadFile, header: Header) -> None:
    """Refuses a group that does not divide a matrix: the length of its scales would not be known."""
    for run in runs_of(header):
        if run.grouped and prod(run.shape) % header.group:
            what = f"group_size does not divide the {prod(run.shape)} weights of {run.name}"
            raise refusal(file, what, _FLAG_OFFSET + 1, header.group, "a divisor")


def _runs_in(file: ReadFile, header: Header) -> list[TensorRun]:
    """The runs behind the header that the file's length fits; old files of version 0 have no RoPE tables."""
    runs = list(runs_of(header))
    bare = [run for run in runs if run.name]
    sizes = [HEADER_BYTES[header.version] + sum(run.layers * run.nbytes(header) for run in r) for r in (runs, bare)]
    if file.size in sizes:
        return (runs, bare)[sizes.index(file.size)]
    expected = f"{sizes[0]} bytes for {header.n_layers} layers of dim {header.dim} and {header.vocab_size} tokens"
    if header.version == 0:
        expected += f", or {sizes[1]} without RoPE tables"
    raise refusal(file, "the file's length is not what its header asks for", 0, f"{file.size} bytes", expected)


def _tensors(file: ReadFile, header: Header, runs: list[TensorRun]) -> Iterator[SourceTensor]:
    offset = HEADER_BYTES[header.version]
    for run in runs:
        for number in range(run.layers):
            if run.name:
                yield _tensor(file, header, run, run.name.replace("*", str(number)), offset)
            offset += run.nbytes(header)


def _tensor(file: ReadFile, header: Header, run: TensorRun, name: str, offset: int) -> SourceTensor:
    """A tensor whose bytes begin at `offset`: float32 numbers, or codes followed by their scales."""
    shape = run.shape
    if not run.grouped:
        spec = number_format("<f4", file.path)
        extent = Extent(file, offset, shape, spec)
        return SourceTensor(name=name, source_name=name, shape=shape, tag=spec.tag, read=extent.read)
    identity = "int8 flat groups" if shape[1] % header.group else "int8 groups"
    spec, params = foreign_format(KIND, identity, file.path), {"group": header.group}
    planes = Planes(file, (offset + prod(shape), offset), shape, spec, params)
    return SourceTensor(name=name, source_name=name, shape=shape, tag=spec.tag, read=planes.read, params=params)
