"""A run's result, and files, for the tests of the command line."""

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from fourcc.cli.shared.compiling import COMPILING
from fourcc.container.index import Index, pack_index
from fourcc.container.layout import TAIL_BYTES, Tail, file_digest, pack_head
from fourcc.container.reader import ModelFile

ODD = "layers.0.attention.wq"  # the tensor in the unknown format


def without_compiling(err: str) -> str:
    """Stderr without the note that kernels are compiled: whether it is there depends on what ran before."""
    return err.replace(f"fourcc: note: {COMPILING}\n", "")


@attrs.frozen
class Run:
    """A run that has ended."""

    code: int
    out: str
    err: str = attrs.field(converter=without_compiling)

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        found: dict[str, Any] = json.loads(self.out)
        return found


Runner = Callable[..., Run]


def rewrite_index(model: Path, path: Path, edit: Callable[[Index], Index]) -> None:
    """Writes a model.bin with the same payload and an edited index, as another version of fourcc might have."""
    with ModelFile(model) as opened:
        packed = pack_index(edit(opened.index))
        offset = opened.members[0].tail.index_offset
    payload = model.read_bytes()[:offset]
    end = offset + len(packed) + TAIL_BYTES
    path.write_bytes(payload + packed + Tail(offset, len(packed), end, file_digest(pack_head(), packed)).pack())


def write_safetensors(path: Path, tensors: Mapping[str, np.ndarray[Any, Any]]) -> Path:
    """A safetensors file, written from its specification."""
    kinds = {"float32": "F32", "float16": "F16", "int64": "I64", "int8": "I8", "float64": "F64"}
    header: dict[str, object] = {}
    data = b""
    for name, array in tensors.items():
        raw = array.tobytes()
        kind = kinds[str(array.dtype)]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path
