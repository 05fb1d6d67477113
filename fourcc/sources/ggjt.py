"""ggml's file of Llama models before GGUF, ``ggjt``: version 3, and the unquantized files of versions 1 and 2.

::

    "tjgg" | u32 version | u32 vocab, dim, multiple, heads, layers, rotated, file type
    | vocab times: u32 length, bytes, f32 score
    | tensors up to the end: u32 dimensions, u32 length of the name, u32 ggml type, u32 each (the row's length first),
                             name, zeros up to a multiple of 32, data

Versions 1 and 2 lay out quantized blocks in another way, and differ in nothing else: their floats are read.

All numbers are little-endian. Names are fourcc's, with ``.weight`` behind them; rows of q and k are adjacent pairs.
Where the file is silent, the tensors tell, or it is what all such models had: 2048 positions, a rotation base of 10000.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from fourcc.errors import SourceError
from fourcc.files.read import ReadFile
from fourcc.networks.llama import LLAMA
from fourcc.plugins.registry import registry
from fourcc.sources import tokenizer
from fourcc.sources.extent import Extent, single_part, stored_bytes
from fourcc.sources.gguf_cursor import MAX_HEAD, Cursor
from fourcc.sources.gguf_header import MAX_TENSORS
from fourcc.sources.gguf_types import layout_name
from fourcc.sources.gguf_values import decoded, packed
from fourcc.sources.model_tensors import contradictions, in_model_order, incomplete
from fourcc.sources.source import Hyper, Source, SourceTensor

KIND = "ggjt"
MAGIC = b"tjgg"  # u32 0x67676a74
VERSION = 3
VERSIONS = (1, 2, 3)
ALIGNMENT = 32
MAX_NAME = 256
NORM_EPS, ROPE_THETA, SEQ_LEN = 1e-5, 10000.0, 2048
_FIELDS = ("vocab_size", "dim", "multiple", "n_heads", "n_layers", "rotated", "file type")
_LEAST_TOKEN = 8  # bytes
_FIRST_BYTE = 3  # token of byte 0
_UNKNOWN, _CONTROL, _NORMAL, _BYTE = 2, 3, 1, 6  # kinds of tokens, as GGUF numbers them


def recognises(path: Path, head: bytes) -> bool:  # noqa: ARG001 - every kind's signature
    """Whether it starts with the magic."""
    return head.startswith(MAGIC)


def open_ggjt(path: Path) -> Source:
    """A ggjt file as a source.

    Raises:
        SourceError: another version, a head that cannot be true, or a layout that no installed format has.
    """
    with ExitStack() as stack:
        file = ReadFile(path, SourceError)
        stack.callback(file.close)
        cursor = Cursor(file, file.size)
        version, fields = _read_fields(cursor)
        vocabulary = _read_vocabulary(cursor, fields["vocab_size"])
        tensors = _read_tensors(cursor, version)
        hyper = _hyper(file, fields, tensors)
        gap = incomplete(LLAMA, tensors, hyper)
        return Source(
            path=path,
            kind=f"{KIND} v{version}",
            tensors=in_model_order(tensors),
            files=(path,),
            architecture=LLAMA.name,
            hyper=hyper,
            blobs={tokenizer.GGUF: vocabulary},
            notes=(
                f"the file does not state norm_eps: {NORM_EPS:g} is taken, as Llama 2 has it (Llama 1 has 1e-06)",
                *([] if gap is None else [gap]),
            ),
            close=stack.pop_all().close,
        )


def _read_fields(cursor: Cursor) -> tuple[int, dict[str, int]]:
    cursor.take(len(MAGIC), "the magic")
    version = int(cursor.number("I", "the version"))
    if version not in VERSIONS:
        raise cursor.refusal("a version of ggjt that is not read", version, "1, 2 or 3", back=4)
    fields = {name: int(cursor.number("I", f"the field {name}")) for name in _FIELDS}
    if fields["n_heads"] < 1 or fields["dim"] < 1 or fields["dim"] % (2 * fields["n_heads"]):
        found = f"dim {fields['dim']}, n_heads {fields['n_heads']}"
        raise cursor.refusal("n_heads does not divide dim into heads of even width", found)
    return version, fields


def _read_vocabulary(cursor: Cursor, count: int) -> bytes:
    """The tokens as a GGUF file would have them, packed."""
    if count * _LEAST_TOKEN > min(cursor.file.size - cursor.at, MAX_HEAD):
        most = min(cursor.file.size - cursor.at, MAX_HEAD) // _LEAST_TOKEN
        raise cursor.refusal("the tokens are too many", count, f"at most {most}")
    tokens: list[str | bytes] = []
    scores: list[float] = []
    kinds: list[int] = []
    for number in range(count):
        length = cursor.number("I", "the length of a token")
        text, kind = _token(cursor.take(min(length, MAX_HEAD), "a token"), number)
        tokens.append(text)
        kinds.append(kind)
        scores.append(cursor.number("f", "a token's score"))
    keys = {"model": "llama", "tokens": tokens, "scores": scores, "token_type": kinds}
    return packed({f"tokenizer.ggml.{name}": value for name, value in keys.items()})


def _token(raw: bytes, number: int) -> tuple[str | bytes, int]:
    """The text and kind of a token; the file holds its bytes unchanged, spaces as spaces."""
    if number < _FIRST_BYTE:
        return ("<unk>", "<s>", "</s>")[number], _CONTROL if number else _UNKNOWN
    if number < _FIRST_BYTE + 256 and len(raw) == 1:
        return f"<0x{raw[0]:02X}>", _BYTE
    return decoded(raw.replace(b" ", "\u2581".encode())), _NORMAL


def _read_tensors(cursor: Cursor, version: int) -> list[SourceTensor]:
    tensors: dict[str, SourceTensor] = {}
    while cursor.at < cursor.file.size:
        tensor = _read_tensor(cursor, version)
        if tensor.name in tensors or len(tensors) == MAX_TENSORS:
            what = "two tensors have this name" if tensor.name in tensors else "too many tensors"
            raise SourceError(what, file=cursor.file.path, tensor=tensor.name, offset=cursor.at)
        tensors[tensor.name] = tensor
    return list(tensors.values())


def _read_tensor(cursor: Cursor, version: int) -> SourceTensor:
    start = cursor.at
    dimensions, length, number = (cursor.number("I", "the header of a tensor") for _ in range(3))
    if dimensions not in (1, 2) or not 0 < length <= MAX_NAME:
        found = f"{dimensions} dimensions, a name of {length} bytes"
        raise cursor.refusal("no tensor begins here", found, f"1 or 2, 1 to {MAX_NAME}", back=cursor.at - start)
    shape = tuple(reversed([int(cursor.number("I", "a tensor's shape")) for _ in range(dimensions)]))
    name = cursor.take(length, "a tensor's name").decode(errors="replace")

    def refusal(what: str, found: object, expected: object = None) -> SourceError:
        return SourceError(what, file=cursor.file.path, tensor=name, offset=start, found=found, expected=expected)

    fmt = registry.foreign("ggml", number)
    if fmt is None or not single_part(fmt):
        raise refusal("no installed format has the tensor's layout", layout_name(number))
    if version < VERSION and fmt.block != (1, 1):
        what = f"the blocks of ggjt version {version} are laid out in another way than ggml's of today"
        raise refusal(what, str(fmt.tag), "floats, or version 3")
    misfit = fmt.misfit(shape)
    if misfit is not None:
        raise refusal("the shape does not fit the layout", misfit)
    offset = -(-cursor.at // ALIGNMENT) * ALIGNMENT
    end = offset + stored_bytes(fmt, shape)
    if end > cursor.file.size:
        raise refusal("the file is cut", f"{cursor.file.size} bytes", f"at least {end} bytes")
    cursor.at = end
    extent = Extent(cursor.file, offset, shape, fmt)
    return SourceTensor(name.removesuffix(".weight"), name, shape, fmt.tag, extent.read)


def _hyper(file: ReadFile, fields: dict[str, int], tensors: list[SourceTensor]) -> Hyper:
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    head_dim = fields["dim"] // fields["n_heads"]
    hidden, keys = shapes.get("layers.0.feed_forward.w1"), shapes.get("layers.0.attention.wk")
    hyper: Hyper = {
        **{name: fields[name] for name in ("dim", "n_layers", "n_heads", "vocab_size") if fields[name]},
        **({} if hidden is None else {"hidden_dim": hidden[0]}),
        "n_kv_heads": fields["n_heads"] if keys is None else max(1, keys[0] // head_dim),
        "head_dim": head_dim,
        "seq_len": SEQ_LEN,
        "norm_eps": NORM_EPS,
        "rope_theta": ROPE_THETA,
        "rope_pairing": "adjacent",
        "tied_embeddings": "output" not in shapes and "tok_embeddings" in shapes,
    }
    for wrong in contradictions(LLAMA, tensors, hyper):
        name = wrong.tensor.source_name
        what = "the tensor contradicts the file's head"
        raise SourceError(what, file=file.path, tensor=name, found=wrong.found, expected=wrong.expected)
    return hyper
