"""Tensors in safetensors files: one, or shards of a largest size with an index, as huggingface_hub cuts them.

A shard takes tensors in their order until the next one would make it too large; a tensor that is larger than that alone
gets a shard of its own. The parts of one matrix stay together. Shards are one run of bytes here, one after the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from math import prod

import attrs

from fourcc.dtypes import itemsize
from fourcc.sources.extent import number_format

STEM, SUFFIX = "model", ".safetensors"  # huggingface_hub's names
_METADATA = {"format": "pt"}  # some readers refuse a file without it


@attrs.frozen
class FileTensor:
    """A tensor in a file.

    Attributes:
        name: in the file.
        word: for its dtype, as safetensors has it.
        size: bytes of a number.
        shape: its shape.
        part: of the step that it is written from.
    """

    name: str
    word: str
    size: int
    shape: tuple[int, ...]
    part: str

    @classmethod
    def of_numbers(cls, name: str, dtype: str, shape: tuple[int, ...], part: str) -> FileTensor:
        """A tensor of numbers of one of numpy's dtypes."""
        fmt = number_format(dtype, name)
        return cls(name, str(fmt.foreign["safetensors"]), itemsize(dtype), shape, part)

    @property
    def nbytes(self) -> int:
        """Its bytes."""
        return prod(self.shape) * self.size


@attrs.frozen
class Placed:
    """The places of all tensors in files.

    Attributes:
        places: step -> part -> offset of its first byte.
        pieces: offset -> the head of a file.
        shards: name of a file -> offset of its first byte.
        nbytes: of all files.
        index: the bytes of the index; empty where there is one file.
    """

    places: dict[str, dict[str, int]]
    pieces: dict[int, bytes]
    shards: dict[str, int]
    nbytes: int
    index: bytes


def index_name(stem: str) -> str:
    """The name of the index of several files."""
    return f"{stem}{SUFFIX}.index.json"


def placed(tensors: Mapping[str, Sequence[FileTensor]], largest: int | None = None, stem: str = STEM) -> Placed:
    """The places of tensors.

    Args:
        tensors: step -> its tensors in the file, in the order of the file.
        largest: bytes of tensors in a file, at least 1; None: there is one file, however large.
        stem: of the files' names.
    """
    groups = cut({step: sum(part.nbytes for part in parts) for step, parts in tensors.items()}, largest)
    names = file_names(stem, len(groups), SUFFIX)
    places: dict[str, dict[str, int]] = {}
    pieces, shards, end = {}, {}, 0
    for name, steps in zip(names, groups, strict=True):
        head, offsets, nbytes = _file({step: tensors[step] for step in steps})
        shards[name], pieces[end] = end, head
        places |= {
            step: {part: end + len(head) + offset for part, offset in parts.items()} for step, parts in offsets.items()
        }
        end += len(head) + nbytes
    index = _index(tensors, dict(zip(names, groups, strict=True))) if len(groups) > 1 else b""
    return Placed(places, pieces, shards, end, index)


def cut(sizes: Mapping[str, int], largest: int | None) -> list[list[str]]:
    """The tensors of each file; there is at least one file.

    Args:
        sizes: name -> bytes.
        largest: bytes in a file; None: all lie in one.
    """
    files: list[list[str]] = [[]]
    size = 0
    for name, nbytes in sizes.items():
        if largest is not None and files[-1] and size + nbytes > largest:
            files.append([])
            size = 0
        files[-1].append(name)
        size += nbytes
    return files


def file_names(stem: str, count: int, suffix: str) -> list[str]:
    """The names of files; that of a single one has no number.

    >>> file_names("model", 1, ".gguf"), file_names("model", 2, ".gguf")
    (['model.gguf'], ['model-00001-of-00002.gguf', 'model-00002-of-00002.gguf'])
    """
    if count == 1:
        return [stem + suffix]
    return [f"{stem}-{number:05}-of-{count:05}{suffix}" for number in range(1, count + 1)]


def _file(tensors: Mapping[str, Sequence[FileTensor]]) -> tuple[bytes, dict[str, dict[str, int]], int]:
    """The head of a file, the offsets of the steps' parts behind it, and the bytes of all tensors."""
    header: dict[str, object] = {"__metadata__": _METADATA}
    offsets: dict[str, dict[str, int]] = {}
    end = 0
    for step, parts in tensors.items():
        offsets[step] = {}
        for tensor in parts:
            offsets[step][tensor.part] = end
            span = [end, end := end + tensor.nbytes]
            header[tensor.name] = {"dtype": tensor.word, "shape": list(tensor.shape), "data_offsets": span}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, offsets, end


def _index(tensors: Mapping[str, Sequence[FileTensor]], files: Mapping[str, Iterable[str]]) -> bytes:
    """The index: which file each tensor is in."""
    weights = {tensor.name: file for file, steps in files.items() for step in steps for tensor in tensors[step]}
    total = sum(tensor.nbytes for parts in tensors.values() for tensor in parts)
    root = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weights.items()))}
    return (json.dumps(root, indent=2) + "\n").encode()
